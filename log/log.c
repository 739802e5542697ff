// The content of a line of log.jsonl; system/line_file.h appends it as a whole. The terminal's lines are in
// log_terminal.c, cutting back in log_cut.c.
#include "log/log_internal.h"
#include "base/number.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

bool log_is_wall_clock(const char *name)
{
    static const char *const names[] = {"seconds", "tokens_per_second", "sent_bytes", "memory_bytes"},
                             *const begins[] = {"timing_s/", "perf/"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, begins[0], strlen(begins[0])) == 0 || strncmp(name, begins[1], strlen(begins[1])) == 0;
}

bool log_open(RunLog *log, const char *path, FILE *terminal, int64_t total_steps, int64_t every)
{
    *log = (RunLog){.terminal = terminal, .total_steps = total_steps, .every = every, .first_step = -1};
    log->opened = clock_seconds();
    log_terminal_open(log);
    if (path == NULL)
        return true;
    if (line_file_open(&log->file, path, true, NULL)) // the run's folder is locked
        return true;
    log_close(log);
    return false;
}

bool log_close(RunLog *log)
{
    log_terminal_close(log);
    bool ok = line_file_close(&log->file);
    ok = events_close(&log->events) && ok;
    bytes_free(&log->line);
    *log = (RunLog){0};
    return ok;
}

bool log_for_tensorboard(RunLog *log, const char *folder, int64_t step)
{
    return events_cut(folder, step) && events_open(&log->events, folder, step);
}

bool log_sync(RunLog *log)
{
    return log->file.path == NULL || fsync(log->file.descriptor) == 0 ||
           fail_errno("%s: syncing the log to disk", log->file.path);
}

static bool add_number(Bytes *line, const char *name, double value)
{
    char text[NUMBER_TEXT];
    number_text(text, value);
    return bytes_printf(line, ", \"%s\": %s", name, isfinite(value) ? text : "null");
}

// The rest of a line, and what TensorBoard gets of it.
static bool add_fields(RunLog *log, int64_t step, const LogField *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!log_is_wall_clock(fields[i].name))
            TRY(add_number(&log->line, fields[i].name, fields[i].value));
    TRY(add_number(&log->line, "seconds", floor((clock_seconds() - log->opened) * 1e3) / 1e3));
    for (size_t i = 0; i < count; i++)
        if (log_is_wall_clock(fields[i].name))
            TRY(add_number(&log->line, fields[i].name, fields[i].value));
    TRY(add_number(&log->line, "memory_bytes", (double)memory_peak()));
    return bytes_text(&log->line, "}\n") && line_file_append(&log->file, log->line.data, log->line.size) &&
           (log->events.folder == NULL || events_scalars(&log->events, step, fields, count));
}

bool log_histogram(RunLog *log, int64_t step, const char *name, const double *values, size_t count)
{
    return log->events.folder == NULL || events_histogram(&log->events, step, name, values, count);
}

bool log_step(RunLog *log, int64_t step, const LogField *fields, size_t count)
{
    double now = clock_seconds();
    if (log->first_step < 0) {
        log->first_step = step;
        log->first_time = now;
    }
    log_terminal_step(log, step, fields, count, now);
    if (log->file.path == NULL)
        return true;
    bytes_clear(&log->line);
    TRY(bytes_printf(&log->line, "{\"step\": %" PRId64, step));
    return add_fields(log, step, fields, count);
}

bool log_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count)
{
    log_terminal_event(log, name, step, fields, count);
    if (log->file.path == NULL)
        return true;
    bytes_clear(&log->line);
    TRY(bytes_printf(&log->line, "{\"event\": \"%s\", \"step\": %" PRId64, name, step));
    return add_fields(log, step, fields, count);
}
