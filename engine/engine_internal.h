// What the files of the engine share and nobody else needs.
#ifndef ENGINE_ENGINE_INTERNAL_H
#define ENGINE_ENGINE_INTERNAL_H

#include "model/paged.h"
#include "engine/engine.h"
#include "engine/pages.h"

enum { PASSES_IN_FLIGHT = 2 }; // a pass is queued before the results of the one before it are looked at

// What the samples of one request have in common.
typedef struct Settings {
    GenerationRequest request; // stop and probe are copies; prompt and prefix are not used
    int64_t users;
} Settings;

// Tokens, and the pages with the keys and values of the first `computed` of them. A sample of a request, or a beginning that others
// share (settings NULL): nobody samples from that.
struct Sequence {
    Settings *settings;
    int32_t sample;
    int64_t prompt; // tokens that were given
    int32_t *tokens;
    size_t token_capacity;
    int64_t count;    // tokens that the host knows
    int64_t pending;  // tokens behind them that are sampled, or being sampled, and that the host has not seen
    int64_t computed; // keys and values of so many are in pages, or will be when what is queued is done
    int32_t *pages;
    size_t page_capacity;
    int64_t page_count;

    Sequence *parent; // a beginning: its first `shared` tokens are this one's
    int64_t shared;
    int64_t references; // of a beginning: its caller, and those that share it
    int64_t used;       // pass in which it last ran, or was shared

    bool running;
    int32_t slot;     // of a running sample: where the device keeps its last token
    int64_t arrival;  // order in which it came
    bool started;     // it has run before: it goes first when it waits again
    int64_t in_queue; // rows of passes whose results have not been looked at
    bool finished;
    FinishReason reason;
    float *logprob, *processed, *entropy, *probe; // of tokens[prompt...]
    size_t logprob_capacity, processed_capacity, entropy_capacity;
};

// A list of sequences; the heap of those that wait, the array of those that run, ...
typedef struct SequenceList {
    Sequence **items;
    size_t count, capacity;
} SequenceList;

// A pass that is queued: what it reads, what it gives, whose rows they are.
typedef struct Flight {
    PagedBatch batch;
    PagedResults results;
    Event *event;
    Sequence **sampled, **probed; // (batch.sampled), (probed_count)
    int32_t *probe_rows;          // (batch.probed) rows of the batch, until they stand behind those that are sampled
    int64_t probed_count;
} Flight;

struct Engine {
    Model *model;
    int64_t n_live, context, passes, arrivals;
    PagePool pages;
    SequenceList waiting, running, finished;
    SequenceList beginnings; // with pages, not running: what can be taken back first
    SequenceList blocked;    // empty but while sequences are let in
    size_t sequences;        // that there are; every list has room for all of them
    int32_t *free_slots;
    int64_t free_slot_count;
    Flight flights[PASSES_IN_FLIGHT];
    int first, queued; // the oldest flight in the air, and how many there are
    int ahead;         // how many are in the air before the host looks at one's results
    Sequence *fetched; // by engine_next
    EngineStatistics statistics;
};

// ---- engine_sequence.c: the ground; engine_admit.c and engine_step.c stand on it, and engine.c on those

// Whoever makes a sequence makes room for it in all lists, so that moving it from one to another cannot fail: no sequence is ever in none
// where it should be in one.
bool lists_have_room(Engine *engine, size_t count);
void list_add(SequenceList *list, Sequence *sequence);
void list_remove(SequenceList *list, const Sequence *sequence); // keeps the order; it is in there

// count tokens, the first of which are shared with `parent` (NULL: with nobody) where they are the same. The last one is never
// shared: the head has to be asked for what follows it. NULL after fail().
Sequence *sequence_new(Engine *engine, Sequence *parent, const int32_t *ids, int64_t count);
void sequence_release(Engine *engine, Sequence *beginning); // one that shares it less; it goes with the last
void sequence_free(Engine *engine, Sequence *sequence);     // neither running nor in a list
void settings_release(Settings *settings);                  // one that uses them less; NULL is fine
void stop_running(Engine *engine, Sequence *sequence);      // gives back its slot and pages
void evict(Engine *engine, Sequence *beginning);            // takes an idle beginning's pages

// ---- engine_admit.c

void waiting_push(Engine *engine, Sequence *sequence); // the heap
Sequence *waiting_pop(Engine *engine);

bool admit_waiting(Engine *engine);                 // lets sequences run while there are slots and pages
bool place_running(Engine *engine, Flight *flight); // what each of them does in the next pass; nothing, if nothing can be done

// ---- engine_step.c

bool flights_open(Engine *engine);
void flights_close(Engine *engine);
bool flight_queue(Engine *engine, Flight *flight);
bool flight_land(Engine *engine, Flight *flight); // waits for it and looks at its results

#endif
