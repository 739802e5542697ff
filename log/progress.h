// Progress of a program that answers rows: "120/1,000 | 34,567 tokens | 1,234 tok/s | 32 running | eta 02m10s", or for
// a server, whose tokens are not counted here, "120/1,000 | 3.4 answers/s | 32 running | eta 04m20s"; one updating line
// on a terminal, a line every half minute elsewhere. The remaining time appears once something is finished. Errors of
// writing it are ignored.
#ifndef LOG_PROGRESS_H
#define LOG_PROGRESS_H

#include "base/base.h"

typedef struct Progress {
    FILE *out;
    bool updating, dirty;
    int64_t total, before; // all results; those of an earlier run
    double begun, shown;   // seconds
} Progress;

// out NULL: nothing is shown.
Progress progress_begin(FILE *out, int64_t total, int64_t before);
void progress_show(Progress *progress, int64_t done, int64_t tokens, int64_t running,
                   bool last);                                                     // tokens -1: unknown
void progress_note(Progress *progress, const char *format, ...) PRINTF_LIKE(2, 3); // a line of its own
void progress_end(Progress *progress);                                             // ends the updating line
void progress_news(Progress *progress, const char *news);                          // a line of its own; NULL: none

#endif
