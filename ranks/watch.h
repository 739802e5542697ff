// Whether all ranks live and get on, by a thread in each of them and connections of their own, so that what hangs in
// the run does not hang here. Every rank tells rank 0 each second that it lives, what its main thread does
// (system/phase.h) and whether that moves; rank 0 tells the others that it lives. Found out, within `patience` seconds:
//
//   a rank that has ended without a word              at once
//   a rank that fails: its error goes to all others   at once
//   nothing is heard: SIGSTOP, a host that is gone
//   its main thread is in one phase without progress, and does not wait for another rank
//   all wait for each other
//
// The first of these is the verdict, the same on all ranks that can be reached. A main thread learns of it where it
// waits for others; one that does not get there within some seconds is ended with its process.
#ifndef RANKS_WATCH_H
#define RANKS_WATCH_H

#include "ranks/mesh.h"

typedef struct Watch Watch;

// Of this thread, which is the main one. Takes the mesh's connections for it; *watch is NULL for a single process.
// The process's error is told to the others when it ends (process_ends).
bool watch_open(Watch **watch, const Ranks *ranks, Mesh *mesh);
void watch_close(Watch *watch); // says goodbye

// True: no rank has failed, so far or within `seconds`. Else false, with ERROR_ELSEWHERE and the verdict; or with
// ERROR_STOPPED, where a rank has ended after a signal, which counts only for who has waited for it (seconds > 0).
bool watch_is_calm(Watch *watch, double seconds);

// The main thread waits for this rank now, until it makes progress again; -1: no longer. Waiting is no lack of
// progress.
void watch_waits_for(Watch *watch, int rank);

#endif
