// build/plot RUN [RUN ...] OUT.svg [--title TEXT]: a picture of a run from its log, or of several over each other,
// while they work or afterwards. Figures of different units have panels of their own; what leaves a panel's frame has a
// mark at its edge. How logs are read and runs are named: plot/runs.h.
#include "base/number.h"
#include "dev/tools/plot/runs.h"
#include "html/html.h"
#include "system/files.h"
#include "system/start.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: plot RUN [RUN ...] OUT.svg [--title TEXT]\n"
    "\n"
    "Draws the steps and evaluations of runs, finished or in progress; of several (8 at most) over\n"
    "each other. A RUN is the folder of one, or its log.jsonl.\n";

// clang-format off
static const char beginning[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"run\" "; // marks an earlier picture

static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}\n"
    ".title{font-size:17px;font-weight:600}.muted{fill:#656d76;font-size:12px}.back{fill:#ffffff}\n"
    ".grid{stroke:#e4e7eb;stroke-width:1}.axis{stroke:#a8b0b8;stroke-width:1}\n"
    ".line,.thin,.light,.dash{fill:none;stroke:currentColor;stroke-linejoin:round;stroke-linecap:round}\n"
    ".line{stroke-width:1.8}.thin{stroke-width:1.1}.light{stroke-width:1;opacity:.35}\n"
    ".dash{stroke-width:1.6;stroke-dasharray:5 4}.dot{fill:currentColor;stroke:#ffffff;stroke-width:1}\n"
    ".mark{fill:currentColor;stroke:#ffffff;stroke-width:.8}.grey{color:#656d76}\n"
    ".run1{color:#2f6fde}.run2{color:#d9601a}.run3{color:#2a9d6f}.run4{color:#7a5ccc}\n"
    ".run5{color:#c2255c}.run6{color:#8a6d00}.run7{color:#0b8fa8}.run8{color:#1f2328}\n"
    ".level0{color:#a8b0b8}.level1{color:#a6cdf5}.level2{color:#74abea}.level3{color:#4586d6}.level4{color:#2460b0}"
    ".level5{color:#0d3a78}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.muted{fill:#8d96a0}.back{fill:#0d1117}"
    ".grid{stroke:#21262d}\n"
    ".axis{stroke:#4d5560}.dot,.mark{stroke:#0d1117}.grey{color:#8d96a0}\n"
    ".run1{color:#6ea0ff}.run2{color:#ff9457}.run3{color:#51cf9f}.run4{color:#b197fc}\n"
    ".run5{color:#ff6b98}.run6{color:#d8b741}.run7{color:#4cc9e0}.run8{color:#e6edf3}\n"
    ".level0{color:#6b7580}.level1{color:#2b4a6f}.level2{color:#3568a8}.level3{color:#4c8de0}\n"
    ".level4{color:#85b6f5}.level5{color:#c9e0ff}}\n"
    "</style>\n";
// clang-format on

enum { WIDTH = 900, LEFT = 64, RIGHT = 28, GAP = 46, BOTTOM = 52, BUCKETS = 700 };

// ---- panels

// From the top of the picture to its end. Where several runs are drawn, figures that are `many` have a panel each.
typedef enum Scale { FREE, FROM_ZERO, SHARE } Scale;
typedef struct Panel {
    Figure first;
    int count;
    const char *title;
    double height;
    Scale scale;
    bool many;
} Panel;

static const Panel panels[] = {
    {LOSS, 2, "loss, nats a token", 280, FREE, false},
    {REWARD, 1, "reward, mean of a step's responses", 240, FREE, false},
    {EXACT, 1, "held-out answers exactly right", 110, SHARE, false},
    {ACCURACY, 1, "held-out accuracy", 110, SHARE, false},
    {LEVEL, 6, "held-out accuracy", 150, SHARE, true},
    {VERDICT, 5, "verdicts", 120, SHARE, true},
    {LENGTH, 1, "response length, tokens", 90, FROM_ZERO, false},
    {ENTROPY, 1, "entropy, nats a token", 90, FROM_ZERO, false},
    {NORM, 1, "gradient norm", 100, FROM_ZERO, false},
    {RATE, 1, "learning rate", 80, FROM_ZERO, false},
};

// ---- axes

typedef struct Axis {
    double low, high, step; // of the ticks; low and high need not be ticks
    double from, to;        // pixels of low and high
} Axis;

static double pixel(const Axis *a, double value)
{
    return a->from + (value - a->low) / (a->high - a->low) * (a->to - a->from);
}

static double round_step(double span, int ticks) // 1, 2 or 5 times a power of ten
{
    double power = pow(10, floor(log10(span / ticks))), share = span / ticks / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Widens low and high to a series' values; not to the extreme half per cent on either side where these are far from the
// rest, so that one spike does not flatten it.
static bool cover(double *low, double *high, const Series *s)
{
    double *sorted = allocate(s->count, sizeof *sorted);
    size_t finite = 0;
    TRY(sorted != NULL);
    for (size_t i = 0; i < s->count; i++)
        if (isfinite(s->points[i][1]))
            sorted[finite++] = s->points[i][1];
    qsort(sorted, finite, sizeof *sorted, by_value);
    if (finite > 0) {
        size_t cut = finite >= 40 ? (finite + 199) / 200 : 0;
        double least = sorted[cut], most = sorted[finite - 1 - cut], far = most > least ? (most - least) / 2 : HUGE_VAL;
        *low = fmin(*low, sorted[0] < least - far ? least : sorted[0]);
        *high = fmax(*high, sorted[finite - 1] > most + far ? most : sorted[finite - 1]);
    }
    free(sorted);
    return true;
}

static Axis value_axis(double low, double high, double top, double height, int ticks)
{
    if (!(high >= low))
        low = 0, high = 1; // nothing finite to show
    if (low == 0 && high == 0)
        high = 1;
    if (high - low < 1e-9 * fmax(fabs(low), fabs(high))) { // a flat line
        double room = fabs(high) * 0.1;
        low -= room;
        high += room;
    }
    double room = (high - low) * 0.04;
    Axis a = {low == 0 ? 0 : low - room, high + room, round_step(high - low, ticks), top + height, top};
    return a;
}

// ---- drawing

typedef enum Side { INSIDE, ABOVE, BELOW, NOT_FINITE, SIDES } Side;

typedef struct Picture {
    Bytes svg;
    Axis x, y;       // y: of the present panel
    double top, key; // of the next panel, and the left of the present one's next key
    double scale;    // what labels of y are multiples of
    int panels;
    size_t outside[SIDES]; // values of the present panel that its frame does not hold
} Picture;

static bool draw_text(Bytes *svg, double x, double y, const char *kind, const char *anchor, const char *text)
{
    TRY(bytes_printf(svg, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, kind, anchor));
    return html_text(svg, text) && bytes_text(svg, "</text>\n");
}

static bool draw_straight(Bytes *svg, const char *kind, double x1, double y1, double x2, double y2)
{
    return bytes_printf(svg, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", kind, x1, y1, x2,
                        y2);
}

static void tick_text(char out[NUMBER_TEXT], double value, double scale, bool percent)
{
    char six[NUMBER_TEXT];
    snprintf(six, sizeof six, "%.6g", value * (percent ? 100 : 1) / scale);
    number_text(out, strtod(six, NULL) + 0.0);
    if (percent)
        strcat(out, "%");
}

// The frame of a panel: value ticks with labels, step ticks without.
static bool draw_frame(Picture *p, bool percent)
{
    char label[NUMBER_TEXT];
    const Axis *x = &p->x, *y = &p->y;
    p->panels++;
    TRY(bytes_printf(&p->svg, "<clipPath id=\"panel%d\"><rect x=\"%.1f\" y=\"%.1f\" ", p->panels, x->from, y->to - 2));
    TRY(bytes_printf(&p->svg, "width=\"%.1f\" height=\"%.1f\"/></clipPath>\n", x->to - x->from, y->from - y->to + 3));
    for (double k = ceil(y->low / y->step); k * y->step <= y->high; k++) {
        tick_text(label, k * y->step, p->scale, percent);
        TRY(draw_straight(&p->svg, "grid", x->from, pixel(y, k * y->step), x->to, pixel(y, k * y->step)));
        TRY(draw_text(&p->svg, LEFT - 8, pixel(y, k * y->step) + 4, "muted", "end", label));
    }
    for (double k = ceil(x->low / x->step); k * x->step <= x->high; k++)
        TRY(draw_straight(&p->svg, "grid", pixel(x, k * x->step), y->to, pixel(x, k * x->step), y->from));
    return draw_straight(&p->svg, "axis", x->from, y->from, x->to, y->from);
}

static bool draw_step_labels(Picture *p, double y)
{
    char label[NUMBER_TEXT];
    for (double k = ceil(p->x.low / p->x.step); k * p->x.step <= p->x.high; k++) {
        tick_text(label, k * p->x.step, 1, false);
        TRY(draw_text(&p->svg, pixel(&p->x, k * p->x.step), y + 18, "muted", "middle", label));
    }
    return draw_text(&p->svg, (p->x.from + p->x.to) / 2, y + 38, "muted", "middle", "step");
}

// The points first…end of a series as one part of a path; where there are many, the least and the greatest.
static bool draw_stretch(Picture *p, const Series *s, size_t first, size_t end, bool *pen_down)
{
    size_t least = end, greatest = end;
    for (size_t i = first; i < end; i++) {
        if (!isfinite(s->points[i][1]))
            continue;
        least = least == end || s->points[i][1] < s->points[least][1] ? i : least;
        greatest = greatest == end || s->points[i][1] > s->points[greatest][1] ? i : greatest;
    }
    if (least == end) {
        *pen_down = false;
        return true;
    }
    const size_t both[] = {least < greatest ? least : greatest, least < greatest ? greatest : least};
    for (int i = 0; i < (least == greatest ? 1 : 2); i++) {
        const double *point = s->points[both[i]];
        double height = fmin(fmax(pixel(&p->y, point[1]), p->y.to - 500), p->y.from + 500); // avoids huge numbers
        TRY(bytes_printf(&p->svg, "%c%.2f %.2f", *pen_down ? 'L' : 'M', pixel(&p->x, point[0]), height));
        *pen_down = true;
    }
    return true;
}

static bool draw_line(Picture *p, const Series *s, const char *kind)
{
    size_t stretch = s->count / BUCKETS > 1 ? s->count / BUCKETS : 1;
    bool pen_down = false;
    TRY(bytes_printf(&p->svg, "<path class=\"%s\" clip-path=\"url(#panel%d)\" d=\"", kind, p->panels));
    for (size_t i = 0; i < s->count; i += stretch)
        TRY(draw_stretch(p, s, i, i + stretch < s->count ? i + stretch : s->count, &pen_down));
    return bytes_text(&p->svg, "\"/>\n");
}

static Side side_of(const Axis *y, double value)
{
    return !isfinite(value) ? NOT_FINITE : value > y->high ? ABOVE : value < y->low ? BELOW : INSIDE;
}

// Values of an evaluation are few.
static bool draw_dots(Picture *p, const Series *s, const char *color)
{
    for (size_t i = 0; i < s->count && s->count <= 60; i++)
        if (side_of(&p->y, s->points[i][1]) == INSIDE)
            TRY(bytes_printf(&p->svg, "<circle class=\"dot %s\" cx=\"%.2f\" cy=\"%.2f\" r=\"3.5\"/>\n", color,
                             pixel(&p->x, s->points[i][0]), pixel(&p->y, s->points[i][1])));
    return true;
}

// A triangle at the edge that the points first…last leave by (`count` of them; a diamond where they are not finite),
// which says under a pointer what they are.
static bool draw_mark(Picture *p, const Series *s, Side side, size_t first, size_t last, size_t count,
                      const char *color, const char *name)
{
    static const char *const shapes[] = {
        [ABOVE] = "l-4.5 7h9z", [BELOW] = "l-4.5 -7h9z", [NOT_FINITE] = "l-4 -4l4 -4l4 4z"};
    double x = (pixel(&p->x, s->points[first][0]) + pixel(&p->x, s->points[last][0])) / 2,
           farthest = s->points[first][1];
    for (size_t i = first; i <= last; i++)
        if (side_of(&p->y, s->points[i][1]) == side && side != NOT_FINITE)
            farthest = side == ABOVE ? fmax(farthest, s->points[i][1]) : fmin(farthest, s->points[i][1]);
    TRY(bytes_printf(&p->svg, "<path class=\"mark %s\" d=\"M%.2f %.2f%s\"><title>", color, x,
                     side == ABOVE ? p->y.to - 1 : p->y.from, shapes[side]));
    TRY(html_text(&p->svg, name) &&
        bytes_printf(&p->svg, "%sstep %.0f", name[0] != '\0' ? ", " : "", s->points[first][0]));
    TRY(first == last || bytes_printf(&p->svg, " to %.0f, %zu values", s->points[last][0], count));
    TRY(side == NOT_FINITE ? bytes_text(&p->svg, ": not finite")
                           : bytes_printf(&p->svg, "%s%.6g", first == last ? ": " : ", as far as ", farthest));
    return bytes_text(&p->svg, "</title></path>\n");
}

// Marks of all that is outside the frame; neighbours that would cover each other share one.
static bool draw_marks(Picture *p, const Series *s, const char *color, const char *name)
{
    for (Side side = ABOVE; side < SIDES; side++) {
        size_t first = 0, last = 0, count = 0;
        for (size_t i = 0; i < s->count; i++) {
            if (side_of(&p->y, s->points[i][1]) != side)
                continue;
            if (count > 0 && pixel(&p->x, s->points[i][0]) - pixel(&p->x, s->points[first][0]) > 7) {
                TRY(draw_mark(p, s, side, first, last, count, color, name));
                count = 0;
            }
            first = count++ == 0 ? i : first;
            last = i;
            p->outside[side]++;
        }
        TRY(count == 0 || draw_mark(p, s, side, first, last, count, color, name));
    }
    return true;
}

// Below a panel: how many values its frame does not hold.
static bool note_outside(Picture *p)
{
    char text[128] = "outside the frame:";
    static const char *const words[] = {[ABOVE] = "above", [BELOW] = "below", [NOT_FINITE] = "not finite"};
    bool any = false;
    for (Side side = ABOVE; side < SIDES; side++) {
        size_t end = strlen(text);
        if (p->outside[side] > 0)
            snprintf(text + end, sizeof text - end, "%s %zu %s", any ? "," : "", p->outside[side], words[side]);
        any = any || p->outside[side] > 0;
        p->outside[side] = 0;
    }
    if (!any)
        return true;
    p->top += 16;
    return draw_text(&p->svg, p->x.to, p->y.from + 17, "muted", "end", text);
}

static void last_text(char out[NUMBER_TEXT], const Series *s, bool percent)
{
    double value = s->count > 0 ? s->points[s->count - 1][1] : NAN;
    snprintf(out, NUMBER_TEXT,
             !isfinite(value) ? "not finite"
             : percent        ? "%.3g%%"
                              : "%.4g",
             value * (percent ? 100 : 1));
}

// A sample of a line and its name, behind the panel's title, and the last value of a run that is alone.
static bool draw_key(Picture *p, const char *kind, const char *name, const Series *last, bool percent)
{
    char text[96], number[NUMBER_TEXT];
    if (last != NULL)
        last_text(number, last, percent);
    snprintf(text, sizeof text, last == NULL ? "%s" : percent ? "%s %s" : "%s, last %s", name, number);
    TRY(draw_straight(&p->svg, kind, p->key, p->y.to - 14.5, p->key + 18, p->y.to - 14.5));
    TRY(draw_text(&p->svg, p->key + 24, p->y.to - 10, "muted", "start", text));
    p->key += 24 + 6.4 * (double)strlen(text) + 16;
    return true;
}

static bool is_smoothed(const Run *run, Figure figure)
{
    return run->smooth.count > 0 && run_main(run) == &run->series[figure];
}

// A figure of one run: `number` among several, or alone (0). Steps of a smoothed one are faint.
static bool draw_figure(Picture *p, const Run *run, Figure figure, int number)
{
    bool smoothed = is_smoothed(run, figure);
    const Series *s = &run->series[figure];
    const char *line = figures[figure].kind;
    char color[16], kind[32], light[32];
    snprintf(color, sizeof color, "%s", strchr(line, ' ') + 1);
    if (number > 0) {
        snprintf(color, sizeof color, "run%d", number % (RUNS + 1));
        snprintf(kind, sizeof kind, "%.4s %s", figure == LOSS_HELD ? "dash" : line, color);
        line = kind;
    }
    snprintf(light, sizeof light, "light %s", color);
    TRY(draw_line(p, s, smoothed ? light : line));
    TRY(!smoothed || draw_line(p, &run->smooth, line));
    TRY(!figure_evaluated(figure) || figure >= LEVEL || draw_dots(p, s, color));
    return draw_marks(p, s, color, number > 0 ? run->name : "");
}

static bool draw_keys(Picture *p, const Run *runs, int count, const Panel *panel)
{
    bool percent = panel->scale == SHARE, smoothed = false, held = false;
    for (int i = 0; i < count; i++) {
        smoothed = smoothed || is_smoothed(&runs[i], panel->first);
        held = held || (panel->first == LOSS && runs[i].series[LOSS_HELD].count > 0);
    }
    if (count > 1) {
        TRY(!smoothed || (draw_key(p, "light grey", "each step", NULL, false) &&
                          draw_key(p, "line grey", "mean of steps around it", NULL, false)));
        return !held || draw_key(p, "dash grey", "held-out", NULL, false);
    }
    TRY(!smoothed || draw_key(p, "light run1", "each step", NULL, false));
    for (Figure i = panel->first; i < panel->first + panel->count; i++) {
        char name[64];
        bool mean = smoothed && i == panel->first;
        const Series *s = mean ? &runs->smooth : &runs->series[i];
        if (mean)
            snprintf(name, sizeof name, "mean of %zu steps", runs->window);
        else
            snprintf(name, sizeof name, "%s", figures[i].name);
        TRY(s->count == 0 || draw_key(p, figures[i].kind, name, s, percent));
    }
    return true;
}

static bool choose_axis(Picture *p, const Run *runs, int count, const Panel *panel)
{
    double low = panel->scale == FREE ? HUGE_VAL : 0, high = panel->scale == FREE ? -HUGE_VAL : 0;
    p->scale = 1;
    p->y = (Axis){0, 1.04, panel->height < 100 ? 0.5 : 0.25, p->top + panel->height, p->top};
    for (int i = 0; i < count && panel->scale != SHARE; i++) {
        for (Figure f = panel->first; f < panel->first + panel->count; f++)
            TRY(cover(&low, &high, &runs[i].series[f]));
        TRY(!is_smoothed(&runs[i], panel->first) || cover(&low, &high, &runs[i].smooth));
    }
    if (panel->scale != SHARE)
        p->y = value_axis(low, high, p->top, panel->height, panel->height > 200 ? 6 : 3);
    if (panel->scale == FROM_ZERO && high > 0 && high < 1e-3) // labels are multiples of a power of ten, which is named
        p->scale = pow(10, floor(log10(high)));
    return true;
}

static bool draw_panel(Picture *p, const Run *runs, int count, const Panel *panel)
{
    char title[96], text[NUMBER_TEXT];
    bool any = false, one = panel->count == 1;
    for (int i = 0; i < count; i++)
        for (Figure f = panel->first; f < panel->first + panel->count; f++)
            any = any || runs[i].series[f].count > 0;
    if (!any)
        return true;
    TRY(choose_axis(p, runs, count, panel) && draw_frame(p, panel->scale == SHARE));
    snprintf(title, sizeof title, "%s%s%s", panel->title, panel->many && one ? ": " : "",
             panel->many && one ? figures[panel->first].name : "");
    p->top = p->y.from + GAP;
    p->key = LEFT + 6.4 * (double)strlen(title) + 16;
    if (p->scale < 1) {
        snprintf(text, sizeof text, "%.0e", p->scale);
        number_text(text, strtod(text, NULL));
        snprintf(title + strlen(title), sizeof title - strlen(title), ", in %s", text);
    } else if (count == 1 && one && panel->scale == SHARE) {
        last_text(text, &runs->series[panel->first], true);
        snprintf(title + strlen(title), sizeof title - strlen(title), ", last %s", text);
    }
    TRY(draw_text(&p->svg, LEFT, p->y.to - 10, "muted", "start", title));
    TRY((one && panel->first != REWARD) || draw_keys(p, runs, count, panel));
    for (Figure f = panel->first; f < panel->first + panel->count; f++)
        for (int i = 0; i < count; i++)
            TRY(runs[i].series[f].count == 0 || draw_figure(p, &runs[i], f, count > 1 ? i + 1 : 0));
    return note_outside(p);
}

// The names of several runs, in lines below the title.
static bool draw_names(Picture *p, const Run *runs, int count)
{
    char kind[16];
    double x = LEFT, y = 58;
    for (int i = 0; i < count && count > 1; i++) {
        double width = 30 + 7.4 * (double)strlen(runs[i].name) + 20;
        if (x > LEFT && x + width > WIDTH) {
            x = LEFT;
            y += 20;
        }
        snprintf(kind, sizeof kind, "line run%d", i % RUNS + 1);
        TRY(draw_straight(&p->svg, kind, x, y - 4, x + 22, y - 4));
        TRY(draw_text(&p->svg, x + 30, y, "", "start", runs[i].name));
        x += width;
    }
    p->top = (count > 1 ? y : 32) + 44;
    return true;
}

static bool draw(Picture *p, const Run *runs, int count, const char *title)
{
    Bytes body = {0};
    p->x = (Axis){runs->first, runs->last, 0, LEFT, WIDTH - RIGHT};
    for (int i = 1; i < count; i++) {
        p->x.low = fmin(p->x.low, runs[i].first);
        p->x.high = fmax(p->x.high, runs[i].last);
    }
    p->x.step = fmax(1, round_step(p->x.high - p->x.low, 8));
    TRY(draw_text(&p->svg, LEFT, 32, "title", "start", title) && draw_names(p, runs, count));
    for (size_t i = 0; i < sizeof panels / sizeof panels[0]; i++) {
        Panel panel = panels[i];
        if (panel.many && count > 1) { // each figure in a panel of its own
            panel.count = 1;
            panel.height = 64;
        }
        for (; panel.first < panels[i].first + panels[i].count; panel.first += (Figure)panel.count)
            TRY(draw_panel(p, runs, count, &panel));
    }
    double bottom = p->top - GAP, height = bottom + BOTTOM;
    TRY(draw_step_labels(p, bottom));
    bool ok = bytes_printf(&body,
                           "%sviewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\">\n"
                           "%s<rect class=\"back\" width=\"%d\" height=\"%.0f\"/>\n%s</svg>\n",
                           beginning, WIDTH, height, WIDTH, height, style, WIDTH, height, p->svg.data);
    bytes_free(&p->svg);
    p->svg = body;
    return ok;
}

// Where the picture was forgotten, the last path is a run's: nobody is told to remove that.
static bool may_be_drawn(const char *out)
{
    PathKind kind;
    const char *slash = strrchr(out, '/');
    bool log = strcmp(slash != NULL ? slash + 1 : out, "log.jsonl") == 0;
    TRY(path_kind(&kind, out));
    if (kind == PATH_FOLDER || (kind == PATH_FILE && log))
        return fail("%s: is a %s; behind the runs, name the picture to write: OUT.svg", out, log ? "log" : "folder");
    return file_may_be_replaced(out, beginning) || fail_in("the picture to write, which is the last path");
}

static bool plot(Run *runs, int count, const char *out, const char *title)
{
    char several[32];
    Picture picture = {0};
    snprintf(several, sizeof several, "%d runs", count);
    bool ok = open_runs(runs, count, out) && may_be_drawn(out) &&
              draw(&picture, runs, count,
                   title != NULL ? title
                   : count > 1   ? several
                                 : runs->path) &&
              parents_make(out) && file_write_atomic(out, picture.svg.data, picture.svg.size);
    for (int i = 0; i < count; i++)
        free_run(&runs[i]);
    bytes_free(&picture.svg);
    return ok;
}

int main(int argc, char **argv)
{
    program_start();
    const char *paths[RUNS + 1] = {NULL}, *title = NULL;
    int count = 0;
    bool understood = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--title") == 0 && i + 1 < argc)
            title = argv[++i];
        else if (argv[i][0] != '-')
            paths[smaller(count++, RUNS)] = argv[i];
        else
            understood = false;
    }
    if (understood && count > RUNS + 1) {
        fprintf(stderr, "plot: %d runs; colours tell %d apart, draw fewer\n", count - 1, RUNS);
        return 2;
    }
    if (!understood || count < 2) {
        fputs(help, stderr);
        return 2;
    }
    if (title != NULL && utf8_valid_prefix(title, strlen(title)) != strlen(title)) {
        fputs("plot: --title is not valid UTF-8\n", stderr);
        return 2;
    }
    Run runs[RUNS] = {0};
    for (int i = 0; i < count - 1; i++)
        runs[i] = (Run){.path = paths[i], .first = HUGE_VAL, .last = -HUGE_VAL};
    if (plot(runs, count - 1, paths[count - 1], title))
        return 0;
    fprintf(stderr, "plot: %s\n", error_text());
    return 1;
}
