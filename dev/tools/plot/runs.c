// Reads the logs of the runs that build/plot draws, and names the runs: by their folders, so that no two are called the
// same. What a log holds is in log/log.h.
#include "dev/tools/plot/runs.h"
#include "base/number.h"
#include "json/json.h"
#include "system/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOG_LIMIT = 1 << 30 };
enum { NAME_LIMIT = 90 }; // bytes of a run's name that fit into a line of the legend

const FigureField figures[FIGURES] = {
    [LOSS] = {"loss", "training", "line run1"},
    [LOSS_HELD] = {"eval_loss", "held-out", "line run2"},
    [REWARD] = {"reward/mean", "reward", "line run1"},
    [EXACT] = {"eval_exact", "", "line run2"},
    [ACCURACY] = {"eval/acc/mean@", "", "line run2"},
    [LEVEL] = {"eval/level_0/acc/mean@", "level 0", "line level0"},
    [LEVEL + 1] = {"eval/level_1/acc/mean@", "level 1", "line level1"},
    [LEVEL + 2] = {"eval/level_2/acc/mean@", "level 2", "line level2"},
    [LEVEL + 3] = {"eval/level_3/acc/mean@", "level 3", "line level3"},
    [LEVEL + 4] = {"eval/level_4/acc/mean@", "level 4", "line level4"},
    [LEVEL + 5] = {"eval/level_5/acc/mean@", "level 5", "line level5"},
    [VERDICT] = {"verdict/equal", "equal", "thin run3"},
    [VERDICT + 1] = {"verdict/different", "different", "thin run1"},
    [VERDICT + 2] = {"verdict/unknown", "unknown by rule", "thin run2"},
    [VERDICT + 3] = {"verdict/judged_yes", "judged yes", "thin run4"},
    [VERDICT + 4] = {"verdict/unscored", "no reward", "thin grey"},
    [LENGTH] = {"response_length/mean", "", "line run1"},
    [ENTROPY] = {"actor/entropy", "", "line run4"},
    [NORM] = {"grad_norm", "", "thin run4"},
    [RATE] = {"lr", "", "line run3"},
};

bool figure_evaluated(Figure figure) { return strncmp(figures[figure].field, "eval", 4) == 0; }

// ---- the logs

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

// A figure whose field ends in @ is that of any number of samples.
static bool add_figure(Run *run, Figure figure, const json_t *row, double step, const char *where)
{
    const char *field = figures[figure].field, *key;
    size_t size = strlen(field);
    json_t *value;
    if (field[size - 1] != '@')
        return add_field(&run->series[figure], row, field, step, where);
    json_object_foreach ((json_t *)row, key, value)
        if (strncmp(key, field, size) == 0)
            return add_field(&run->series[figure], row, key, step, where);
    return true;
}

static bool read_row(Run *run, const json_t *row, const char *where)
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
    run->first = fmin(run->first, x);
    run->last = fmax(run->last, x);
    bool reinforced = json_object_get(row, "reward/mean") != NULL; // its loss is of no unit
    for (Figure i = 0; i < FIGURES; i++)
        if (figure_evaluated(i) == (event != NULL) && !(i == LOSS && reinforced))
            TRY(add_figure(run, i, row, x, where));
    return true;
}

const Series *run_main(const Run *run) { return &run->series[run->series[REWARD].count > 0 ? REWARD : LOSS]; }

// A last line without newline is being written just now, and is skipped if it cannot be read.
static bool read_log(Run *run)
{
    Bytes text = {0}, where = {0};
    bool ok = file_read(&text, run->log, LOG_LIMIT);
    int number = 1;
    for (size_t start = 0, end; ok && start < text.size; start = end + 1, number++) {
        const char *newline = memchr(text.data + start, '\n', text.size - start);
        end = newline != NULL ? (size_t)(newline - text.data) : text.size;
        bytes_clear(&where);
        ok = bytes_printf(&where, "%s:%d", run->log, number);
        json_t *row = ok ? json_parse(text.data + start, end - start, where.data) : NULL;
        ok = ok && ((row == NULL && newline == NULL) || (row != NULL && read_row(run, row, where.data)));
        json_decref(row);
    }
    bytes_free(&text);
    bytes_free(&where);
    size_t count = run_main(run)->count;
    if (ok && (count < 2 || !(run->last > run->first)))
        return fail("%s: lines with a step and its loss: %zu; a picture needs two at least", run->log, count);
    return ok;
}

// The mean of a window around each step; none where there are too few steps for it to show anything.
static bool smooth_run(Run *run)
{
    const Series *raw = run_main(run);
    size_t reach = raw->count / 60;
    run->window = 2 * reach + 1;
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

void free_run(Run *run)
{
    for (int i = 0; i < FIGURES; i++)
        free(run->series[i].points);
    free(run->smooth.points);
    free(run->log);
    free(run->name);
}

// ---- which runs, and what they are called

static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool find_log(Run *run)
{
    PathKind kind;
    TRY(path_kind(&kind, run->path));
    if (kind != PATH_FOLDER)
        return (run->log = copy_text(run->path)) != NULL;
    TRY((run->log = path_join(run->path, "log.jsonl")) != NULL && path_kind(&kind, run->log));
    return kind != PATH_NONE || fail("%s: no log.jsonl is in it; name the folder of a run", run->path);
}

// The last `depth` names of a path without slashes at its end.
static const char *last_names(const char *path, int depth)
{
    const char *at = path + strlen(path);
    while (at > path && (at[-1] != '/' || --depth > 0))
        at--;
    return at;
}

// What names a run: the path of its folder, or of a log that has another name than log.jsonl. Free it.
static char *naming_path(const Run *run)
{
    char *path = copy_text(run->log);
    if (path == NULL)
        return NULL;
    if (strcmp(last_names(path, 1), "log.jsonl") == 0)
        path[strlen(path) - strlen("log.jsonl")] = '\0';
    for (size_t size = strlen(path); size > 1 && path[size - 1] == '/'; size--)
        path[size - 1] = '\0';
    const char *last = last_names(path, 1);
    if (strcmp(last, "") != 0 && strcmp(last, ".") != 0 && strcmp(last, "..") != 0)
        return path;
    char *whole = realpath(path[0] != '\0' ? path : ".", NULL); // says what the folder is called
    if (whole == NULL)
        return path;
    free(path);
    return whole;
}

// A name too long for the legend loses its middle, and gets the run's number so that it stays the only one.
static char *short_name(const char *name, int number)
{
    size_t size = strlen(name), head = NAME_LIMIT / 3, tail = size;
    if (size <= NAME_LIMIT)
        return copy_text(name);
    for (tail = size - NAME_LIMIT / 2; ((unsigned char)name[tail] & 0xC0) == 0x80 && tail < size;)
        tail++;
    while (head > 0 && ((unsigned char)name[head] & 0xC0) == 0x80)
        head--;
    Bytes text = {0};
    if (!bytes_printf(&text, "%d: %.*s…%s", number, (int)head, name, name + tail))
        bytes_free(&text);
    return text.data;
}

// Names are those of the folders; where two share one, with those of the folders around them, too.
static bool name_runs(Run *runs, int count)
{
    char *paths[RUNS] = {NULL};
    int depth[RUNS];
    bool ok = true, again = true;
    for (int i = 0; i < count; i++) {
        depth[i] = 1;
        ok = ok && (paths[i] = naming_path(&runs[i])) != NULL;
    }
    while (ok && again) {
        bool deeper[RUNS] = {false};
        again = false;
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++)
                if (i != j && strcmp(last_names(paths[i], depth[i]), last_names(paths[j], depth[j])) == 0)
                    deeper[i] = last_names(paths[i], depth[i]) > paths[i];
        for (int i = 0; i < count; i++) {
            depth[i] += deeper[i];
            again = again || deeper[i];
        }
    }
    for (int i = 0; i < count; i++) {
        ok = ok && (runs[i].name = short_name(last_names(paths[i], depth[i]), i + 1)) != NULL;
        free(paths[i]);
    }
    return ok;
}

bool open_runs(Run *runs, int count, const char *out)
{
    for (int i = 0; i < count; i++) {
        TRY(find_log(&runs[i]));
        if (same_file(runs[i].log, out))
            return fail("%s: is the log of a run; behind the runs, name the picture to write: OUT.svg", out);
        for (int j = 0; j < i; j++)
            if (same_file(runs[j].log, runs[i].log))
                return fail("%s: is the same log as %s; name each run once", runs[i].path, runs[j].path);
    }
    for (int i = 0; i < count; i++)
        TRY(read_log(&runs[i]) && smooth_run(&runs[i]));
    return name_runs(runs, count);
}
