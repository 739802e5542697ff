// build/plot LOG.jsonl OUT.svg [--title TEXT]: a picture of a run from its log, while it runs or afterwards: training
// and held-out loss, exact answers if they were measured, gradient norm and learning rate; of reinforcement learning
// the reward, held-out accuracy by level, verdicts, length and entropy of the responses. What the log holds is in
// log/log.h.
#include "base/number.h"
#include "html/html.h"
#include "json/json.h"
#include "system/files.h"
#include "system/start.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: plot LOG.jsonl OUT.svg [--title TEXT]\n"
                           "\n"
                           "Draws the steps and evaluations of OUT/log.jsonl, of a finished run or one in progress.\n";

// clang-format off
static const char beginning[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"run\" "; // marks an earlier picture

static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}\n"
    ".title{font-size:17px;font-weight:600}.muted{fill:#656d76;font-size:12px}.back{fill:#ffffff}\n"
    ".grid{stroke:#e4e7eb;stroke-width:1}.axis{stroke:#a8b0b8;stroke-width:1}\n"
    ".line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}\n"
    ".thin{fill:none;stroke-width:1.1}.light{fill:none;stroke-width:1;opacity:.35}\n"
    ".train{stroke:#2f6fde}.held{stroke:#d9601a}.norm{stroke:#7a5ccc}.rate{stroke:#2a9d6f}\n"
    ".dot{fill:#d9601a;stroke:#ffffff;stroke-width:1}\n"
    ".level1{stroke:#a6cdf5}.level2{stroke:#74abea}.level3{stroke:#4586d6}.level4{stroke:#2460b0}"
    ".level5{stroke:#0d3a78}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.muted{fill:#8d96a0}.back{fill:#0d1117}"
    ".grid{stroke:#21262d}\n"
    ".axis{stroke:#4d5560}.train{stroke:#6ea0ff}.held{stroke:#ff9457}.norm{stroke:#b197fc}.rate{stroke:#51cf9f}\n"
    ".dot{fill:#ff9457;stroke:#0d1117}.level1{stroke:#2b4a6f}.level2{stroke:#3568a8}.level3{stroke:#4c8de0}\n"
    ".level4{stroke:#85b6f5}.level5{stroke:#c9e0ff}}\n"
    "</style>\n";
// clang-format on

enum { WIDTH = 900, LEFT = 64, RIGHT = 28, TOP = 84, GAP = 46, BOTTOM = 52, BUCKETS = 700, LOG_LIMIT = 1 << 30 };

// ---- the log

// Shares of responses by verdict: metrics/metrics.h.
enum { VERDICT_LINES = 5 };
static const struct {
    const char *field, *name, *kind;
} verdict_lines[VERDICT_LINES] = {{"verdict/equal", "equal", "thin rate"},
                                  {"verdict/different", "different", "thin train"},
                                  {"verdict/unknown", "unknown by rule", "thin held"},
                                  {"verdict/judged_yes", "judged yes", "thin norm"},
                                  {"verdict/unscored", "no reward", "thin axis"}};

typedef struct Series {
    double (*points)[2]; // (count) step and value; a value may be NaN, where the line breaks
    size_t count, capacity;
} Series;

typedef struct RunData {
    Series loss, smooth, norm, rate, held, exact; // of reinforcement learning: reward for loss, accuracy for held
    Series length, entropy, level[6], verdict[VERDICT_LINES];
    bool reinforced;
    double first, last; // steps
} RunData;

static bool add_point(Series *s, double step, double value)
{
    TRY(grow(&s->points, &s->capacity, s->count + 1, sizeof *s->points));
    s->points[s->count][0] = step;
    s->points[s->count++][1] = value;
    return true;
}

// A field that is absent adds nothing; null was not finite, and so is a value out of all proportion.
static bool add_field(Series *s, const json_t *row, const char *name, double step, const char *where)
{
    double value = NAN;
    const json_t *field = json_object_get(row, name);
    TRY(json_may_number(&value, row, name, -HUGE_VAL, HUGE_VAL, where));
    return field == NULL || add_point(s, step, fabs(value) < 1e30 ? value : NAN);
}

// "eval/acc/mean@k" and "eval/level_N/acc/mean@k", for any k
static bool read_accuracy(RunData *run, const json_t *row, double step, const char *where)
{
    static const char all[] = "eval/acc/mean@", level[] = "eval/level_";
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)row, key, value) {
        int number = strncmp(key, level, sizeof level - 1) == 0 ? key[sizeof level - 1] - '0' : -1;
        if (strncmp(key, all, sizeof all - 1) == 0)
            TRY(add_field(&run->held, row, key, step, where));
        else if (number >= 0 && number < 6)
            TRY(add_field(&run->level[number], row, key, step, where));
    }
    return true;
}

static bool read_row(RunData *run, const json_t *row, const char *where)
{
    int64_t step = 0;
    const char *event = NULL;
    if (!json_is_object(row))
        return fail("%s: not an object", where);
    TRY(json_may_text(&event, row, "event", where));
    TRY(json_need_int(&step, row, "step", 0, (int64_t)1 << 52, where));
    if (event != NULL && strcmp(event, "eval") != 0)
        return true;
    double x = (double)step;
    run->first = x < run->first ? x : run->first;
    run->last = x > run->last ? x : run->last;
    if (event != NULL)
        return add_field(&run->held, row, "eval_loss", x, where) &&
               add_field(&run->exact, row, "eval_exact", x, where) && read_accuracy(run, row, x, where);
    run->reinforced = json_object_get(row, "reward/mean") != NULL;
    for (int i = 0; i < VERDICT_LINES; i++)
        TRY(add_field(&run->verdict[i], row, verdict_lines[i].field, x, where));
    return add_field(&run->loss, row, run->reinforced ? "reward/mean" : "loss", x, where) &&
           add_field(&run->length, row, "response_length/mean", x, where) &&
           add_field(&run->entropy, row, "actor/entropy", x, where) &&
           add_field(&run->norm, row, "grad_norm", x, where) && add_field(&run->rate, row, "lr", x, where);
}

// A last line without newline is being written just now, and is skipped if it cannot be read.
static bool read_log(RunData *run, const char *path)
{
    Bytes text = {0}, where = {0};
    bool ok = file_read(&text, path, LOG_LIMIT);
    int number = 1;
    for (size_t start = 0, end; ok && start < text.size; start = end + 1, number++) {
        const char *newline = memchr(text.data + start, '\n', text.size - start);
        end = newline != NULL ? (size_t)(newline - text.data) : text.size;
        bytes_clear(&where);
        ok = bytes_printf(&where, "%s:%d", path, number);
        json_t *row = ok ? json_parse(text.data + start, end - start, where.data) : NULL;
        ok = ok && ((row == NULL && newline == NULL) || (row != NULL && read_row(run, row, where.data)));
        json_decref(row);
    }
    bytes_free(&text);
    bytes_free(&where);
    if (ok && (run->loss.count < 2 || !(run->last > run->first)))
        return fail("%s: lines with a step and its loss: %zu; a picture needs two at least", path, run->loss.count);
    return ok;
}

// The mean of a window around each step; none where there are too few steps for it to show anything.
static bool smooth_loss(RunData *run, size_t *window)
{
    const Series *raw = &run->loss;
    size_t reach = raw->count / 60;
    *window = 2 * reach + 1;
    for (size_t i = 0; reach > 0 && i < raw->count; i++) {
        size_t first = i < reach ? 0 : i - reach, end = i + reach + 1 < raw->count ? i + reach + 1 : raw->count,
               seen = 0;
        double sum = 0;
        for (size_t j = first; j < end; j++) {
            if (isfinite(raw->points[j][1])) {
                sum += raw->points[j][1];
                seen++;
            }
        }
        TRY(add_point(&run->smooth, raw->points[i][0], seen > 0 ? sum / (double)seen : NAN));
    }
    return true;
}

static void free_run(RunData *run)
{
    Series *const all[] = {&run->loss, &run->smooth, &run->norm,   &run->rate,
                           &run->held, &run->exact,  &run->length, &run->entropy};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]->points);
    for (int i = 0; i < 6; i++)
        free(run->level[i].points);
    for (int i = 0; i < VERDICT_LINES; i++)
        free(run->verdict[i].points);
}

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

// Widens low and high to a series' values; of long series without the extreme half per cent on either side, so that one
// spike does not flatten the rest.
static bool cover(double *low, double *high, const Series *s)
{
    double *sorted = allocate(s->count, sizeof *sorted);
    size_t finite = 0;
    TRY(sorted != NULL);
    for (size_t i = 0; i < s->count; i++)
        if (isfinite(s->points[i][1]))
            sorted[finite++] = s->points[i][1];
    qsort(sorted, finite, sizeof *sorted, by_value);
    size_t cut = finite >= 200 ? finite / 200 : 0;
    if (finite > 0) {
        *low = fmin(*low, sorted[cut]);
        *high = fmax(*high, sorted[finite - 1 - cut]);
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

typedef struct Picture {
    Bytes svg;
    Axis x;
    double y; // top of the next panel
    int panels;
} Picture;

static bool draw_text(Bytes *svg, double x, double y, const char *kind, const char *anchor, const char *text)
{
    TRY(bytes_printf(svg, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, kind, anchor));
    return html_text(svg, text) && bytes_text(svg, "</text>\n");
}

static bool draw_grid_line(Bytes *svg, const char *kind, double x1, double y1, double x2, double y2)
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

// The frame of a panel: its title, value ticks with labels, step ticks without.
static bool draw_frame(Picture *p, const char *title, const Axis *y, double scale, bool percent)
{
    char label[NUMBER_TEXT];
    TRY(draw_text(&p->svg, LEFT, y->to - 10, "muted", "start", title));
    for (double k = ceil(y->low / y->step); k * y->step <= y->high; k++) {
        tick_text(label, k * y->step, scale, percent);
        TRY(draw_grid_line(&p->svg, "grid", p->x.from, pixel(y, k * y->step), p->x.to, pixel(y, k * y->step)));
        TRY(draw_text(&p->svg, LEFT - 8, pixel(y, k * y->step) + 4, "muted", "end", label));
    }
    for (double k = ceil(p->x.low / p->x.step); k * p->x.step <= p->x.high; k++)
        TRY(draw_grid_line(&p->svg, "grid", pixel(&p->x, k * p->x.step), y->to, pixel(&p->x, k * p->x.step), y->from));
    return draw_grid_line(&p->svg, "axis", p->x.from, y->from, p->x.to, y->from);
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
static bool draw_stretch(Picture *p, const Axis *y, const Series *s, size_t first, size_t end, bool *pen_down)
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
        double height =
            fmin(fmax(pixel(y, point[1]), y->to - 500), y->from + 500); // clip far values; avoids huge numbers
        TRY(bytes_printf(&p->svg, "%c%.2f %.2f", *pen_down ? 'L' : 'M', pixel(&p->x, point[0]), height));
        *pen_down = true;
    }
    return true;
}

static bool draw_line(Picture *p, const Axis *y, const Series *s, const char *kind)
{
    size_t stretch = s->count / BUCKETS > 1 ? s->count / BUCKETS : 1;
    bool pen_down = false;
    TRY(bytes_printf(&p->svg, "<path class=\"%s\" clip-path=\"url(#panel%d)\" d=\"", kind, p->panels));
    for (size_t i = 0; i < s->count; i += stretch)
        TRY(draw_stretch(p, y, s, i, i + stretch < s->count ? i + stretch : s->count, &pen_down));
    return bytes_text(&p->svg, "\"/>\n");
}

static bool draw_dots(Picture *p, const Axis *y, const Series *s)
{
    for (size_t i = 0; i < s->count && s->count <= 60; i++)
        if (isfinite(s->points[i][1]) && s->points[i][1] >= y->low && s->points[i][1] <= y->high)
            TRY(bytes_printf(&p->svg, "<circle class=\"dot\" cx=\"%.2f\" cy=\"%.2f\" r=\"3.5\"/>\n",
                             pixel(&p->x, s->points[i][0]), pixel(y, s->points[i][1])));
    return true;
}

static bool begin_panel(Picture *p, const Axis *y)
{
    p->panels++;
    p->y = y->from + GAP;
    return bytes_printf(&p->svg, "<clipPath id=\"panel%d\"><rect x=\"%.1f\" y=\"%.1f\" ", p->panels, p->x.from,
                        y->to - 2) &&
           bytes_printf(&p->svg, "width=\"%.1f\" height=\"%.1f\"/></clipPath>\n", p->x.to - p->x.from,
                        y->from - y->to + 3);
}

static void last_text(char out[NUMBER_TEXT], const Series *s, double scale)
{
    double value = s->count > 0 ? s->points[s->count - 1][1] : NAN;
    snprintf(out, NUMBER_TEXT, isfinite(value) ? "%.4g" : "not finite", scale * value);
}

// One entry of the legend at *x, which advances by the most that the text can take.
static bool draw_key(Picture *p, double *x, const char *kind, const char *name, const Series *s, bool last)
{
    char text[96], number[NUMBER_TEXT];
    last_text(number, s, 1);
    snprintf(text, sizeof text, last ? "%s, last %s" : "%s", name, number);
    TRY(draw_grid_line(&p->svg, kind, *x, 56, *x + 22, 56));
    TRY(draw_text(&p->svg, *x + 30, 60, "", "start", text));
    *x += 30 + 6.9 * (double)strlen(text) + 20;
    return true;
}

static bool draw_loss(Picture *p, const RunData *run, size_t window)
{
    double low = HUGE_VAL, high = -HUGE_VAL, x = LEFT;
    const char *what = run->reinforced ? "reward" : "training loss";
    char name[64];
    snprintf(name, sizeof name, "%s", what);
    TRY(cover(&low, &high, &run->loss) && cover(&low, &high, &run->smooth) && cover(&low, &high, &run->held));
    Axis y = value_axis(low, high, p->y, 280, 6);
    bool smoothed = run->smooth.count > 0;
    TRY(begin_panel(p, &y) &&
        draw_frame(p, run->reinforced ? "reward, mean of a step's responses" : "loss, nats a token", &y, 1, false));
    TRY(draw_line(p, &y, &run->loss, smoothed ? "light train" : "line train"));
    if (smoothed) {
        snprintf(name, sizeof name, "%s, mean of %zu steps", what, window);
        TRY(draw_line(p, &y, &run->smooth, "line train"));
        TRY(draw_key(p, &x, "light train", "each step", &run->loss, false));
    }
    TRY(draw_key(p, &x, "line train", name, smoothed ? &run->smooth : &run->loss, true));
    if (run->held.count == 0)
        return true;
    TRY(draw_line(p, &y, &run->held, "line held") && draw_dots(p, &y, &run->held));
    return draw_key(p, &x, "line held", run->reinforced ? "held-out accuracy" : "held-out", &run->held, true);
}

static bool draw_exact(Picture *p, const RunData *run)
{
    char title[96], number[NUMBER_TEXT];
    last_text(number, &run->exact, 100);
    snprintf(title, sizeof title, "held-out answers exactly right, last %s%%", number);
    Axis y = {0, 1.04, 0.25, p->y + 110, p->y};
    TRY(begin_panel(p, &y) && draw_frame(p, title, &y, 1, true));
    return draw_line(p, &y, &run->exact, "line held") && draw_dots(p, &y, &run->exact);
}

static bool draw_levels(Picture *p, const RunData *run)
{
    char title[128] = "held-out accuracy by level, from 1 (faint) to 5; last", number[NUMBER_TEXT],
         kind[] = "line level1";
    for (int level = 1; level < 6; level++)
        if (run->level[level].count > 0) {
            last_text(number, &run->level[level], 100);
            snprintf(title + strlen(title), sizeof title - strlen(title), " %.4s%%", number);
        }
    Axis y = {0, 1.04, 0.25, p->y + 150, p->y};
    TRY(begin_panel(p, &y) && draw_frame(p, title, &y, 1, true));
    for (int level = 1; level < 6; level++) {
        kind[sizeof kind - 2] = (char)('0' + level);
        TRY(run->level[level].count == 0 || draw_line(p, &y, &run->level[level], kind));
    }
    return true;
}

// Each line's name, after a sample of it, is above the panel.
static bool draw_verdicts(Picture *p, const RunData *run)
{
    char text[96], number[NUMBER_TEXT];
    Axis y = {0, 1.04, 0.25, p->y + 120, p->y};
    double x = LEFT + 66;
    TRY(begin_panel(p, &y) && draw_frame(p, "verdicts:", &y, 1, true));
    for (int i = 0; i < VERDICT_LINES; i++) {
        last_text(number, &run->verdict[i], 100);
        snprintf(text, sizeof text, "%s %.4s%%", verdict_lines[i].name, number);
        TRY(draw_line(p, &y, &run->verdict[i], verdict_lines[i].kind));
        TRY(draw_grid_line(&p->svg, verdict_lines[i].kind, x, y.to - 14, x + 18, y.to - 14));
        TRY(draw_text(&p->svg, x + 24, y.to - 10, "muted", "start", text));
        x += 24 + 7.2 * (double)strlen(text) + 14;
    }
    return true;
}

// A panel from zero. Values below a thousandth are shown as multiples of a power of ten, which the title names.
static bool draw_small(Picture *p, const Series *s, const char *title, const char *kind, double height)
{
    double low = 0, high = 0, scale = 1;
    char whole[96], power[NUMBER_TEXT];
    TRY(cover(&low, &high, s));
    if (high > 0 && high < 1e-3)
        scale = pow(10, floor(log10(high)));
    snprintf(power, sizeof power, "%.0e", scale);
    number_text(power, strtod(power, NULL));
    snprintf(whole, sizeof whole, scale < 1 ? "%s, in %s" : "%s", title, power);
    Axis y = value_axis(low, high, p->y, height, 3);
    return begin_panel(p, &y) && draw_frame(p, whole, &y, scale, false) && draw_line(p, &y, s, kind);
}

static bool draw(Picture *p, const RunData *run, size_t window, const char *title)
{
    Bytes body = {0};
    p->x = (Axis){run->first, run->last, 0, LEFT, WIDTH - RIGHT};
    p->x.step = fmax(1, round_step(run->last - run->first, 8));
    p->y = TOP + 16;
    TRY(draw_text(&p->svg, LEFT, 32, "title", "start", title));
    TRY(draw_loss(p, run, window));
    TRY(run->exact.count == 0 || draw_exact(p, run));
    TRY(!run->reinforced || (draw_levels(p, run) && (run->verdict[0].count == 0 || draw_verdicts(p, run)) &&
                             draw_small(p, &run->length, "response length, tokens", "line train", 90) &&
                             draw_small(p, &run->entropy, "entropy, nats a token", "line norm", 90)));
    TRY(run->norm.count == 0 || draw_small(p, &run->norm, "gradient norm", "thin norm", 100));
    TRY(run->rate.count == 0 || draw_small(p, &run->rate, "learning rate", "line rate", 80));
    double bottom = p->y - GAP, height = bottom + BOTTOM;
    TRY(draw_step_labels(p, bottom));
    bool ok = bytes_printf(&body,
                           "%sviewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\">\n"
                           "%s<rect class=\"back\" width=\"%d\" height=\"%.0f\"/>\n%s</svg>\n",
                           beginning, WIDTH, height, WIDTH, height, style, WIDTH, height, p->svg.data);
    bytes_free(&p->svg);
    p->svg = body;
    return ok;
}

static bool plot(const char *log, const char *out, const char *title)
{
    RunData run = {.first = HUGE_VAL, .last = -HUGE_VAL};
    Picture picture = {0};
    size_t window = 1;
    bool ok = file_may_be_replaced(out, beginning) && read_log(&run, log) && smooth_loss(&run, &window) &&
              draw(&picture, &run, window, title) && parents_make(out) &&
              file_write_atomic(out, picture.svg.data, picture.svg.size);
    free_run(&run);
    bytes_free(&picture.svg);
    return ok;
}

int main(int argc, char **argv)
{
    program_start();
    const char *paths[2] = {NULL, NULL}, *title = NULL;
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--title") == 0 && i + 1 < argc)
            title = argv[++i];
        else if (argv[i][0] != '-' && count < 2)
            paths[count++] = argv[i];
        else
            count = 3; // not understood
    }
    if (count != 2) {
        fputs(help, stderr);
        return 2;
    }
    if (title != NULL && utf8_valid_prefix(title, strlen(title)) != strlen(title)) {
        fputs("plot: --title is not valid UTF-8\n", stderr);
        return 2;
    }
    if (plot(paths[0], paths[1], title != NULL ? title : paths[0]))
        return 0;
    fprintf(stderr, "plot: %s\n", error_text());
    return 1;
}
