// --watch PORT: a page of a program's work while it works, for a browser. The page is the one of build/report (view/);
// what the log gets comes to it by server-sent events, responses are fetched when they are looked at. It is for whoever
// knows the address, which holds a random token: told once, on stderr.
//
// One thread of its own does all of it, at a lower priority than the work's, and reads the files that the work writes
// anyway: nothing in the work waits for it. When the work ends, open pages are told so, for a moment; who does not
// listen by then is left alone.
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "options/options.h"

// clang-format off
#define WATCH_ROWS(ROW, IN) \
    ROW(IN, watch,      integer, "-1",        ">= -1 and < 65536", watch, NEUTRAL, "port of a live page; 0: a free one, -1: none") \
    ROW(IN, watch_host, text,    "127.0.0.1", "",                  watch, NEUTRAL, "its address; 0.0.0.0 or :: for all")
// clang-format on
OPTION_GROUP(WatchOptions, WATCH_ROWS)

typedef struct LivePage LivePage;

typedef struct LiveWork { // what is watched
    const char *program, *out;
    const Options *options;
    bool rows;          // out is a file of rows to come (rows/journal.h); else the folder of a training run
    int rank;           // only rank 0 has a page
    const char *scores; // summary.json of ./evaluate, which is there in the end; NULL: none
} LiveWork;

// *page stays NULL where none is wanted. Fails before anything is done where the port is taken.
bool live_open(LivePage **page, const WatchOptions *options, const LiveWork *work);

// How far rows are; tokens -1: not known. page may be NULL.
typedef struct LiveProgress {
    int64_t done, before, total, tokens, running; // before: done by an earlier run
    double seconds;
} LiveProgress;
void live_progress(LivePage *page, const LiveProgress *progress);

// Tells open pages how the program ended, by process_ending() (system/start.h): before anything else is closed.
void live_close(LivePage *page);

#endif
