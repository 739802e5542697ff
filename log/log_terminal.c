// The log as a person sees it: "step 12/100 | loss 2.3456 | norm 0.123 | lr 1.00e-05 | 1,234 tok/s | eta 02h15m | 1.2
// GB". Errors of writing to the terminal are ignored: they must not stop a run.
#include "log/log_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DIM_BAR "\x1b[2m | \x1b[0m"

enum { SHOWN = 512 };

uint64_t memory_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0; // Linux counts kibibytes
}

bool terminal_updates(FILE *terminal)
{
    const char *kind = getenv("TERM");
    return kind != NULL && kind[0] != 0 && strcmp(kind, "dumb") != 0 && isatty(fileno(terminal));
}

const char *shown_thousands(char text[SHOWN_NUMBER], double value)
{
    char digits[SHOWN_NUMBER / 2];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%.0f", fabs(value) < 1e15 ? value : 0), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
    return text;
}

const char *shown_duration(char text[SHOWN_NUMBER], double seconds)
{
    int64_t s = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 0;
    if (s >= 86400)
        snprintf(text, SHOWN_NUMBER, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        snprintf(text, SHOWN_NUMBER, "%02" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(text, SHOWN_NUMBER, "%02" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    return text;
}

void log_terminal_open(RunLog *log)
{
    const char *no_color = getenv("NO_COLOR");
    log->updating = log->terminal != NULL && terminal_updates(log->terminal);
    log->colored = log->updating && (no_color == NULL || no_color[0] == 0);
}

void log_terminal_close(RunLog *log)
{
    if (log->terminal == NULL)
        return;
    if (log->dirty)
        fputc('\n', log->terminal);
    fflush(log->terminal);
}

static int width_of(FILE *terminal)
{
    struct winsize size;
    return ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void add(char line[SHOWN], const char *format, ...) PRINTF_LIKE(2, 3);
static void add(char line[SHOWN], const char *format, ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, SHOWN - used, format, arguments);
    va_end(arguments);
}

static void add_field(char line[SHOWN], const LogField *field)
{
    char number[SHOWN_NUMBER];
    if (strcmp(field->name, "loss") == 0)
        add(line, " | loss %.4f", field->value);
    else if (strcmp(field->name, "reward/mean") == 0 && isnan(field->value))
        add(line, " | no reward");
    else if (strcmp(field->name, "reward/mean") == 0)
        add(line, " | reward %.3f", field->value);
    else if (strcmp(field->name, "reward/unscored") == 0 && field->value > 0)
        add(line, " | unscored %.3g%%", 100 * field->value);
    else if (strcmp(field->name, "response_length/mean") == 0)
        add(line, " | length %.1f", field->value);
    else if (strcmp(field->name, "grad_norm") == 0)
        add(line, " | norm %.3f", fabs(field->value));
    else if (strcmp(field->name, "lr") == 0)
        add(line, " | lr %.2e", field->value);
    else if (strcmp(field->name, "tokens_per_second") == 0)
        add(line, " | %s tok/s", shown_thousands(number, field->value));
}

// Time left, from the steps that this process has logged, without the first one, which does much set-up.
static void add_eta(char line[SHOWN], const RunLog *log, int64_t step, double now)
{
    int64_t left = log->total_steps - step, done = step - log->first_step;
    if (left <= 0)
        return;
    double a_step = done > 0 ? (now - log->first_time) / (double)done : now - log->opened;
    char duration[SHOWN_NUMBER];
    add(line, " | eta %s", shown_duration(duration, a_step * (double)left));
}

static void put_colored(const RunLog *log, const char *line)
{
    for (const char *p = line; *p != 0;) {
        const char *bar = log->colored ? strstr(p, " | ") : NULL;
        size_t length = bar != NULL ? (size_t)(bar - p) : strlen(p);
        fwrite(p, 1, length, log->terminal);
        if (bar != NULL)
            fputs(DIM_BAR, log->terminal);
        p += length + (bar != NULL ? 3 : 0);
    }
}

static void show_updating(RunLog *log, char line[SHOWN])
{
    int width = width_of(log->terminal);
    if ((int)strlen(line) > width - 1)
        line[width > 1 ? width - 1 : 0] = 0;
    fputc('\r', log->terminal);
    put_colored(log, line);
    fputs("\x1b[K", log->terminal);
    fflush(log->terminal);
    log->dirty = true;
}

// A line that stays; the updating one makes room and returns with the next step.
static void show_line(RunLog *log, const char *line)
{
    if (log->dirty)
        fputs("\r\x1b[K", log->terminal);
    log->dirty = false;
    put_colored(log, line);
    fputc('\n', log->terminal);
    fflush(log->terminal);
}

void log_terminal_step(RunLog *log, int64_t step, const LogField *fields, size_t count, double now)
{
    bool stays = log->every <= 1 || step % log->every == 0 || step == log->total_steps;
    if (log->terminal == NULL || (!stays && !log->updating))
        return;
    char line[SHOWN] = "";
    add(line, "step %" PRId64 "/%" PRId64, step, log->total_steps);
    for (size_t i = 0; i < count; i++)
        add_field(line, &fields[i]);
    add_eta(line, log, step, now);
    add(line, " | %.1f GB", (double)memory_peak() / 1e9);
    stays ? show_line(log, line) : show_updating(log, line);
}

void log_live(RunLog *log, int64_t step, const char *format, ...)
{
    static const double AGAIN = 0.2; // seconds
    double now = clock_seconds();
    if (log->terminal == NULL || !log->updating || now < log->live + AGAIN)
        return;
    log->live = now;
    char line[SHOWN] = "";
    add(line, "step %" PRId64 "/%" PRId64 " | ", step, log->total_steps);
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, SHOWN - used, format, arguments);
    va_end(arguments);
    show_updating(log, line);
}

void log_terminal_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count)
{
    if (log->terminal == NULL)
        return;
    char line[SHOWN] = "";
    add(line, "step %" PRId64 "/%" PRId64 " | %s", step, log->total_steps, name);
    for (size_t i = 0; i < count; i++)
        if (strstr(fields[i].name, "/kind/") == NULL && strstr(fields[i].name, "/source/") == NULL) // those are many
            add(line, " | %s %.5g", fields[i].name, fields[i].value);
    show_line(log, line);
}

void log_note(RunLog *log, const char *format, ...)
{
    if (log->terminal == NULL)
        return;
    char line[4 * SHOWN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    show_line(log, line);
}
