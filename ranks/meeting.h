// Ranks that work on parts of their own, which take unequal time: they meet every few seconds, and when they are done.
// So an error or a signal of one ends all of them soon, with its words, and none is silent for long. In every rank:
//
//     meeting_begin(&meeting, ranks);
//     while (ok && there is more)
//         ok = something && meeting_go_on(&meeting, counts);
//     return meeting_end(&meeting, ok);
#ifndef RANKS_MEETING_H
#define RANKS_MEETING_H

#include "ranks/communicator.h"

enum { MEETING_COUNTS = 3 };

typedef struct Meeting {
    Communicator *ranks;
    double last;                    // when they met
    bool over;                      // all know how it has ended
    int64_t own[MEETING_COUNTS];    // how far this rank is, in the caller's units
    int64_t others[MEETING_COUNTS]; // how far the others were when they met, added up
} Meeting;

void meeting_begin(Meeting *meeting, Communicator *ranks); // NULL, or of size 1: alone

// To be called often. False after fail(): another rank has failed, or was stopped by a signal (ERROR_STOPPED).
bool meeting_go_on(Meeting *meeting, const int64_t own[MEETING_COUNTS]);

// ok: this rank has done its part; else it has failed, and its error stays. Waits for all others: true where all are
// ok. A signal that comes while it waits is one to all.
bool meeting_end(Meeting *meeting, bool ok);

#endif
