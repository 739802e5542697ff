// A line is one write() to a file opened for appending, taken back if the disk fills up in the middle of it: log.jsonl holds
// whole lines, except for the last one after a crash. What the terminal shows is in log_terminal.c, cutting back in log_cut.c.
#include "log/log_internal.h"
#include "base/number.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool log_is_wall_clock(const char *name)
{
    static const char *const names[] = {"seconds", "tokens_per_second", "memory_bytes"}, *const begins[] = {"timing_s/", "perf/"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, begins[0], strlen(begins[0])) == 0 || strncmp(name, begins[1], strlen(begins[1])) == 0;
}

bool log_open(RunLog *log, const char *path, FILE *terminal, int64_t total_steps, int64_t every)
{
    *log = (RunLog){.descriptor = -1, .terminal = terminal, .total_steps = total_steps, .every = every, .first_step = -1};
    log->opened = clock_seconds();
    log_terminal_open(log);
    if (path == NULL)
        return true;
    log->path = copy_text(path);
    TRY(log->path != NULL);
    log->descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log->descriptor < 0) {
        fail_errno("%s: opening the log", path);
        log_close(log);
        return false;
    }
    return true;
}

bool log_close(RunLog *log)
{
    bool ok = true;
    log_terminal_close(log);
    if (log->descriptor >= 0 && close(log->descriptor) != 0)
        ok = fail_errno("%s: closing the log", log->path);
    free(log->path);
    bytes_free(&log->line);
    *log = (RunLog){.descriptor = -1};
    return ok;
}

bool log_sync(RunLog *log)
{
    if (log->descriptor >= 0 && fsync(log->descriptor) != 0)
        return fail_errno("%s: syncing the log to disk", log->path);
    return true;
}

static bool append_line(RunLog *log)
{
    struct stat before;
    if (fstat(log->descriptor, &before) != 0)
        return fail_errno("%s: appending to the log", log->path);
    size_t done = 0;
    while (done < log->line.size) {
        ssize_t n = write(log->descriptor, log->line.data + done, log->line.size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fail_errno("%s: appending to the log; free some space and run again", log->path);
            if (done > 0 && S_ISREG(before.st_mode) && ftruncate(log->descriptor, before.st_size) != 0)
                return fail_in("%s: a half line is left at its end", log->path);
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static bool add_number(Bytes *line, const char *name, double value)
{
    char text[NUMBER_TEXT];
    number_text(text, value);
    return bytes_printf(line, ", \"%s\": %s", name, isfinite(value) ? text : "null");
}

static bool add_fields(RunLog *log, const LogField *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!log_is_wall_clock(fields[i].name))
            TRY(add_number(&log->line, fields[i].name, fields[i].value));
    TRY(add_number(&log->line, "seconds", floor((clock_seconds() - log->opened) * 1e3) / 1e3));
    for (size_t i = 0; i < count; i++)
        if (log_is_wall_clock(fields[i].name))
            TRY(add_number(&log->line, fields[i].name, fields[i].value));
    TRY(add_number(&log->line, "memory_bytes", (double)memory_peak()));
    return bytes_text(&log->line, "}\n");
}

bool log_step(RunLog *log, int64_t step, const LogField *fields, size_t count)
{
    double now = clock_seconds();
    if (log->first_step < 0) {
        log->first_step = step;
        log->first_time = now;
    }
    log_terminal_step(log, step, fields, count, now);
    if (log->descriptor < 0)
        return true;
    bytes_clear(&log->line);
    TRY(bytes_printf(&log->line, "{\"step\": %" PRId64, step));
    return add_fields(log, fields, count) && append_line(log);
}

bool log_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count)
{
    log_terminal_event(log, name, step, fields, count);
    if (log->descriptor < 0)
        return true;
    bytes_clear(&log->line);
    TRY(bytes_printf(&log->line, "{\"event\": \"%s\", \"step\": %" PRId64, name, step));
    return add_fields(log, fields, count) && append_line(log);
}
