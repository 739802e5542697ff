// What ranks do together. Every rank calls the same operations in the same order with the same sizes; each says what it
// is doing, and a rank that does something else, has ended, or does not get on (watch.h) is an error that names it.
// Bytes are moved, never added up: sums are made by their owners in an order of their own (EXACTNESS 5). Integers alone
// are summed here.
#ifndef RANKS_COMMUNICATOR_H
#define RANKS_COMMUNICATOR_H

#include "json/json.h"
#include "ranks/watch.h"

typedef struct Piece { // of memory, to or from one rank
    void *data;
    size_t size;
} Piece;

typedef struct Communicator {
    int rank, size;
    Mesh mesh;
    Watch *watch;         // whether the others get on; NULL: it is alone
    int parent;           // the process that launched it, which is to outlive it; 0: nobody knows
    bool failed;          // an operation: all later ones fail, with its error
    uint64_t number;      // operations so far
    uint64_t bytes;       // sent so far, between GPUs too, without what operations say of themselves
    const char *launcher; // as Ranks has it; NULL: alone
    char between[160];    // for people: what memory of devices travels by; empty: there are none
} Communicator;

bool communicator_open(Communicator *communicator, const Ranks *ranks);

// ranks_open and communicator_open for a program: errors of ranks other than 0 name them, and *threads, where it is 0,
// becomes this rank's share of its host's cores. plan: nothing is started or connected.
// given: all options; those of other ranks must be the same, but for --rank and --threads.
bool communicator_start(Communicator *communicator, const RankOptions *options, const Options *given, bool plan,
                        int64_t *threads);
void communicator_close(Communicator *communicator);

// send, receive (size): piece i goes to rank i and comes from it. Piece `rank` is the rank's own, and is copied.
bool comm_all_to_all(Communicator *communicator, const Piece *send, const Piece *receive);

// pieces (size): piece i is rank i's, and everybody else's place for it.
bool comm_all_gather(Communicator *communicator, const Piece *pieces);

bool comm_broadcast(Communicator *communicator, void *data, size_t size, int root);
bool comm_sum(Communicator *communicator, int64_t *values, size_t count); // of all ranks; wraps around
// Fails where the lines of text are not rank 0's, with the first that differs.
bool comm_same(Communicator *communicator, const Bytes *text, const char *what);
bool comm_same_json(Communicator *communicator, const json_t *value, const char *what);
// A rank that has ended, as far as its connection tells; -1: none. Nothing is waited for.
int comm_ended(const Communicator *communicator);
bool comm_barrier(Communicator *communicator);
bool comm_turn(Communicator *communicator, bool here); // comm_barrier, for those that wait here and not elsewhere

#endif
