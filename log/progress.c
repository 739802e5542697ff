// See progress.h.
#include "log/progress.h"
#include "log/log_internal.h"
#include <math.h>

static const double EVERY_ON_A_TERMINAL = 0.5, EVERY_ELSEWHERE = 30; // seconds

Progress progress_begin(FILE *out, int64_t total, int64_t before)
{
    double now = clock_seconds();
    return (Progress){.out = out,
                      .updating = out != NULL && terminal_updates(out),
                      .total = total,
                      .before = before,
                      .begun = now,
                      .shown = now};
}

// The rate of finished work over `seconds`.
static void show_speed(const Progress *p, int64_t fresh, int64_t tokens, double seconds)
{
    char many[SHOWN_NUMBER], speed[SHOWN_NUMBER];
    if (tokens < 0)
        fprintf(p->out, " | %.1f answers/s", seconds > 0 ? (double)fresh / seconds : 0);
    else
        fprintf(p->out, " | %s tokens | %s tok/s", shown_thousands(many, (double)tokens),
                shown_thousands(speed, seconds > 0 ? floor((double)tokens / seconds) : 0));
}

void progress_show(Progress *p, int64_t done, int64_t tokens, int64_t running, bool last)
{
    double now = clock_seconds(), seconds = now - p->begun;
    if (p->out == NULL || (!last && now - p->shown < (p->updating ? EVERY_ON_A_TERMINAL : EVERY_ELSEWHERE)))
        return;
    char finished[SHOWN_NUMBER], all[SHOWN_NUMBER], left[SHOWN_NUMBER];
    int64_t fresh = done - p->before;
    fprintf(p->out, "%s%s/%s", p->updating ? "\r\x1b[K" : "", shown_thousands(finished, (double)done),
            shown_thousands(all, (double)p->total));
    show_speed(p, fresh, tokens, seconds);
    if (!last)
        fprintf(p->out, " | %" PRId64 " running", running);
    if (!last && fresh > 0)
        fprintf(p->out, " | eta %s", shown_duration(left, seconds / (double)fresh * (double)(p->total - done)));
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
    if (p->out == NULL)
        return;
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
