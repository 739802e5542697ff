// The picture of a split: on the left a stacked bar for each difficulty, by the fate of its rows, with a dashed line at
// tau; on the right a bar for each of the largest groups, by the difficulty of its rows. Plain SVG, light and dark.
#include "intake/split_picture.h"
#include "log/visible.h"
#include <math.h>
#include <string.h>

enum {
    WIDTH = 960,
    LEFT = 70,
    PLOT = 370,
    TOP = 96,
    HEIGHT = 300,
    RIGHT_AT = 660,
    BAR_WIDE = 200,
    GROUPS_SHOWN = 12,
    NAME_MOST = 24
};

// clang-format off
static const char STYLE[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}\n"
    ".title{font-size:17px;font-weight:600}.muted{fill:#656d76;font-size:12px}.back{fill:#ffffff}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}\n"
    ".grid{stroke:#e4e7eb;stroke-width:1}.axis{stroke:#a8b0b8;stroke-width:1}.tau{stroke:#1f2328;"
    "stroke-width:1.4;stroke-dasharray:5 4}\n"
    ".p0{fill:#2f6fde}.p1{fill:#9bbdf5}.p2{fill:#d9601a}.p3{fill:#7a5ccc}.p4{fill:#2a9d6f}.p5{fill:#c3c9d0}\n"
    ".p6{fill:#b0417f}.p7{fill:#dc9cc2}\n"
    ".l0{fill:#c3c9d0}.l1{fill:#cfe0fb}.l2{fill:#92b8f4}.l3{fill:#4f86e3}.l4{fill:#e8945f}.l5{fill:#b8430a}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.muted{fill:#8d96a0}.back{fill:#0d1117}"
    ".grid{stroke:#21262d}\n"
    ".axis{stroke:#4d5560}.tau{stroke:#e6edf3}.p5,.l0{fill:#4d5560}.l1{fill:#22344f}.l2{fill:#2f5590}"
    ".l3{fill:#6ea0ff}}\n"
    "</style>\n";
// clang-format on

static const char *const PART_NAMES[SPLIT_PARTS] = {
    "SFT", "SFT, for a teacher", "RL", "second SFT", "held out", "dropped", "SFT and RL", "SFT, for a teacher, and RL"};

// From the foot of a bar to its top.
static const enum SplitPart STACKED[SPLIT_PARTS] = {SPLIT_SFT,     SPLIT_PROMPTS,    SPLIT_RL,
                                                    SPLIT_HARD,    SPLIT_SFT_AND_RL, SPLIT_PROMPTS_AND_RL,
                                                    SPLIT_HOLDOUT, SPLIT_DROPPED};

typedef struct Picture {
    Bytes *svg;
    const char *title;
    int tau;
    const SplitCount *levels, *groups;
    size_t group_count;
    const int64_t (*levels_of_group)[6];
} Picture;

static int64_t rows_of(const SplitCount *c)
{
    int64_t rows = 0;
    for (int p = 0; p < SPLIT_PARTS; p++)
        rows += c->part[p];
    return rows;
}

// ---- text

static size_t columns_of(Character c) // Chinese, Japanese, Korean and emoji are two columns wide
{
    return (c.code >= 0x1100 && c.code < 0x1200) || (c.code >= 0x2E80 && c.code < 0xD800) || c.code >= 0x1F000 ? 2 : 1;
}

static bool put_character(Bytes *out, const char *text, Character c)
{
    if (!c.valid || character_hidden(c.code))
        return bytes_text(out, "?");
    const char *entity = c.code == '<' ? "&lt;" : c.code == '&' ? "&amp;" : c.code == '>' ? "&gt;" : NULL;
    return entity != NULL ? bytes_text(out, entity) : bytes_append(out, text, c.size);
}

// Escaped, without invisible characters, and cut with an ellipsis beyond `most` columns.
static bool put_text(Bytes *out, const char *text, size_t most)
{
    size_t size = strlen(text), columns = 0, used = 0;
    for (size_t i = 0; i < size;) {
        Character c = character_at(text + i, size - i);
        columns += columns_of(c);
        i += c.size;
    }
    for (size_t i = 0; i < size;) {
        Character c = character_at(text + i, size - i);
        used += columns_of(c);
        if (columns > most && used >= most)
            return bytes_text(out, "…");
        TRY(put_character(out, text + i, c));
        i += c.size;
    }
    return true;
}

static bool put_number(Bytes *out, int64_t value) // 12,345
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    for (int i = 0; i < length; i++) {
        TRY(bytes_append(out, digits + i, 1));
        int left = length - 1 - i;
        if (left > 0 && left % 3 == 0)
            TRY(bytes_text(out, ","));
    }
    return true;
}

static bool label(Bytes *svg, const char *kind, double x, double y, const char *text)
{
    return bytes_printf(svg, "<text class='%s' x='%.1f' y='%.1f'>", kind, x, y) && put_text(svg, text, 80) &&
           bytes_text(svg, "</text>\n");
}

static bool number_label(Bytes *svg, const char *kind, double x, double y, int64_t value)
{
    return bytes_printf(svg, "<text class='%s' x='%.1f' y='%.1f'>", kind, x, y) && put_number(svg, value) &&
           bytes_text(svg, "</text>\n");
}

static bool box(Bytes *svg, const char *kind, int number, double x, double y, double wide, double high)
{
    return wide <= 0 || high <= 0 ||
           bytes_printf(svg, "<rect class='%s%d' x='%.2f' y='%.2f' width='%.2f' height='%.2f'/>\n", kind, number, x, y,
                        wide, high);
}

// ---- left: difficulties

static double nice_step(double most) // 1, 2 or 5 times a power of ten; about five steps reach most
{
    double rough = most / 5, power = pow(10, floor(log10(rough)));
    double step = rough / power <= 1 ? 1 : rough / power <= 2 ? 2 : rough / power <= 5 ? 5 : 10;
    return step * power < 1 ? 1 : step * power;
}

static bool axis_label(Bytes *svg, double y, double value, double step) // 5,000; from a step of a million on, 15 M
{
    TRY(bytes_printf(svg, "<text class='muted end' x='%d' y='%.1f'>", LEFT - 8, y));
    if (step < 1e6)
        return put_number(svg, (int64_t)value) && bytes_text(svg, "</text>\n");
    return put_number(svg, (int64_t)(value / 1e6)) && bytes_text(svg, value == 0 ? "</text>\n" : " M</text>\n");
}

static bool draw_axis(const Picture *p, double most, double step)
{
    for (double value = 0; value <= most + step / 2; value += step) {
        double y = TOP + HEIGHT - HEIGHT * value / most;
        TRY(bytes_printf(p->svg, "<line class='%s' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/>\n",
                         value == 0 ? "axis" : "grid", LEFT, LEFT + PLOT, y, y));
        TRY(axis_label(p->svg, y + 4, value, step));
    }
    return true;
}

static bool draw_level(const Picture *p, const SplitCount *level, double x, double wide, double most)
{
    double y = TOP + HEIGHT;
    for (int i = 0; i < SPLIT_PARTS; i++) {
        enum SplitPart part = STACKED[i];
        double high = HEIGHT * (double)level->part[part] / most;
        y -= high;
        TRY(box(p->svg, "p", (int)part, x, y, wide, high));
    }
    TRY(label(p->svg, "middle", x + wide / 2, TOP + HEIGHT + 20, level->name));
    return number_label(p->svg, "muted middle", x + wide / 2, y - 6, rows_of(level));
}

static bool draw_levels(const Picture *p)
{
    int first = rows_of(&p->levels[0]) > 0 ? 0 : 1, bars = 6 - first;
    double most = 1, wide = (double)PLOT / bars;
    for (int level = first; level < 6; level++)
        most = (double)rows_of(&p->levels[level]) > most ? (double)rows_of(&p->levels[level]) : most;
    double step = nice_step(most);
    most = ceil(most / step) * step;
    TRY(draw_axis(p, most, step));
    for (int level = first; level < 6; level++)
        TRY(draw_level(p, &p->levels[level], LEFT + wide * (level - first) + wide * 0.14, wide * 0.72, most));
    TRY(label(p->svg, "muted middle", LEFT + PLOT / 2.0, TOP + HEIGHT + 42, "difficulty"));
    if (p->tau == 0)
        return true;
    double x = LEFT + wide * (p->tau + 1 - first);
    TRY(bytes_printf(p->svg, "<line class='tau' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/>\n", x, x, TOP - 20,
                     TOP + HEIGHT + 8));
    return bytes_printf(p->svg, "<text class='muted middle' x='%.1f' y='%d'>τ = %d</text>\n", x, TOP - 26, p->tau);
}

static bool draw_parts_legend(const Picture *p)
{
    double x = LEFT;
    for (int i = 0; i < SPLIT_PARTS; i++) {
        enum SplitPart part = STACKED[i];
        int64_t rows = 0;
        for (int level = 0; level < 6; level++)
            rows += p->levels[level].part[part];
        if (rows == 0)
            continue;
        TRY(box(p->svg, "p", (int)part, x, TOP + HEIGHT + 60, 11, 11));
        TRY(label(p->svg, "muted", x + 16, TOP + HEIGHT + 70, PART_NAMES[part]));
        x += 34 + 6.4 * (double)strlen(PART_NAMES[part]);
    }
    return true;
}

// ---- right: groups

static bool draw_group(const Picture *p, const char *name, const int64_t levels[6], double y, double high)
{
    int64_t rows = 0;
    double x = RIGHT_AT;
    for (int level = 0; level < 6; level++)
        rows += levels[level];
    TRY(bytes_printf(p->svg, "<text class='end' clip-path='url(#names)' x='%d' y='%.1f'>", RIGHT_AT - 8,
                     y + high * 0.72) &&
        put_text(p->svg, name, NAME_MOST) && bytes_text(p->svg, "</text>\n"));
    for (int level = 0; level < 6; level++) {
        double wide = rows == 0 ? 0 : BAR_WIDE * (double)levels[level] / (double)rows;
        TRY(box(p->svg, "l", level, x, y, wide, high));
        x += wide;
    }
    return number_label(p->svg, "muted", RIGHT_AT + BAR_WIDE + 8, y + high * 0.72, rows);
}

static bool draw_groups(const Picture *p)
{
    size_t shown = p->group_count <= GROUPS_SHOWN + 1 ? p->group_count : GROUPS_SHOWN,
           bars = shown + (shown < p->group_count);
    double pitch = bars == 0 ? HEIGHT : (double)HEIGHT / (double)bars;
    int64_t others[6] = {0};
    char name[48];
    pitch = pitch > 40 ? 40 : pitch;
    for (size_t g = 0; g < p->group_count; g++) {
        if (g < shown)
            TRY(draw_group(p, p->groups[g].name, p->levels_of_group[g], TOP + pitch * (double)g, pitch * 0.72));
        for (int level = 0; g >= shown && level < 6; level++)
            others[level] += p->levels_of_group[g][level];
    }
    snprintf(name, sizeof name, "%zu others", p->group_count - shown);
    return shown == p->group_count || draw_group(p, name, others, TOP + pitch * (double)shown, pitch * 0.72);
}

static bool draw_levels_legend(const Picture *p)
{
    double x = RIGHT_AT;
    for (int level = rows_of(&p->levels[0]) > 0 ? 0 : 1; level < 6; level++) {
        TRY(box(p->svg, "l", level, x, TOP + HEIGHT + 60, 11, 11));
        TRY(label(p->svg, "muted", x + 16, TOP + HEIGHT + 70, level == 0 ? "unknown" : p->levels[level].name));
        x += level == 0 ? 84 : 38;
    }
    return true;
}

bool split_picture(Bytes *svg, const char *title, int tau, const SplitCount *levels, const SplitCount *groups,
                   size_t group_count, const int64_t (*levels_of_group)[6])
{
    Picture p = {svg, title, tau, levels, groups, group_count, levels_of_group};
    int64_t rows = 0;
    for (int level = 0; level < 6; level++)
        rows += rows_of(&levels[level]);
    TRY(bytes_printf(svg,
                     "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d' role='img'>\n",
                     WIDTH, TOP + HEIGHT + 90, WIDTH, TOP + HEIGHT + 90));
    TRY(bytes_text(svg, STYLE) &&
        bytes_printf(svg, "<rect class='back' width='%d' height='%d'/>\n", WIDTH, TOP + HEIGHT + 90));
    TRY(label(svg, "title", LEFT, 34, "Rows by difficulty") &&
        (group_count == 0 || label(svg, "title", RIGHT_AT, 34, title)));
    TRY(bytes_printf(svg, "<clipPath id='names'><rect x='%d' y='%d' width='%d' height='%d'/></clipPath>\n",
                     LEFT + PLOT + 4, TOP, RIGHT_AT - LEFT - PLOT - 4, HEIGHT));
    TRY(bytes_printf(svg, "<text class='muted' x='%d' y='54'>", LEFT) && put_number(svg, rows) &&
        bytes_text(svg, " rows</text>\n"));
    return draw_levels(&p) && draw_parts_legend(&p) &&
           (group_count == 0 || (draw_groups(&p) && draw_levels_legend(&p))) && bytes_text(svg, "</svg>\n");
}
