// What this process is doing, told where it does it and read by a thread that watches whether it gets on
// (ranks/watch.h). A call costs a few nanoseconds; where nobody watches, or on another thread than the watched one,
// nothing is noted.
#ifndef SYSTEM_PHASE_H
#define SYSTEM_PHASE_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

// what: a string that stays, as in "last it was in the backward pass, layer 3"; number below 0: none. This is progress.
void phase_is(const char *what, int64_t number);

// It gets on: another piece of a file, another answer. To be called wherever something may take long as a whole, and
// where a wait has a time-out of its own.
void phase_progress(void);

typedef struct Phase {
    const char *what;
    int64_t number;
    uint64_t progress; // calls of the two so far
} Phase;

void phase_watch(void);     // from now on, this thread, too
void phase_hold(bool hold); // meanwhile this thread waits for another: only what that one does is progress
Phase phase_now(void);      // from any thread

#ifdef __cplusplus
}
#endif
#endif
