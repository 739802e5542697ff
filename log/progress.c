// See progress.h.
#include "log/progress.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double EVERY_ON_A_TERMINAL = 0.5, EVERY_ELSEWHERE = 30; // seconds

Progress progress_begin(FILE *out, int64_t total, int64_t before)
{
    const char *kind = getenv("TERM");
    bool able = kind != NULL && kind[0] != 0 && strcmp(kind, "dumb") != 0;
    double now = clock_seconds();
    return (Progress){
        .out = out, .updating = able && isatty(fileno(out)), .total = total, .before = before, .begun = now, .shown = now};
}

static void thousands(char text[32], int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    size_t length = strlen(digits), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

static void time_left(char text[32], double seconds)
{
    int64_t s = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(text, 32, "%02" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(text, 32, "%02" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
}

// What was done in so many seconds.
static void show_speed(const Progress *p, int64_t fresh, int64_t tokens, double seconds)
{
    char many[32], speed[32];
    if (tokens < 0) {
        fprintf(p->out, " | %.1f answers/s", seconds > 0 ? (double)fresh / seconds : 0);
        return;
    }
    thousands(many, tokens);
    thousands(speed, seconds > 0 ? (int64_t)((double)tokens / seconds) : 0);
    fprintf(p->out, " | %s tokens | %s tok/s", many, speed);
}

void progress_show(Progress *p, int64_t done, int64_t tokens, int64_t running, bool last)
{
    double now = clock_seconds(), seconds = now - p->begun;
    if (!last && now - p->shown < (p->updating ? EVERY_ON_A_TERMINAL : EVERY_ELSEWHERE))
        return;
    char finished[32], all[32], left[32];
    int64_t fresh = done - p->before;
    thousands(finished, done);
    thousands(all, p->total);
    fprintf(p->out, "%s%s/%s", p->updating ? "\r\x1b[K" : "", finished, all);
    show_speed(p, fresh, tokens, seconds);
    if (!last)
        fprintf(p->out, " | %" PRId64 " running", running);
    if (!last && fresh > 0) {
        time_left(left, seconds / (double)fresh * (double)(p->total - done));
        fprintf(p->out, " | eta %s", left);
    }
    p->dirty = p->updating && !last;
    if (!p->dirty)
        fputc('\n', p->out);
    fflush(p->out);
    p->shown = now;
}

void progress_end(Progress *p)
{
    if (p->dirty)
        fputc('\n', p->out);
    p->dirty = false;
}

void progress_note(Progress *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    progress_end(p);
    vfprintf(p->out, format, arguments);
    va_end(arguments);
    fputc('\n', p->out);
    fflush(p->out);
}

void progress_news(Progress *p, const char *news)
{
    if (news != NULL)
        progress_note(p, "%s", news);
}
