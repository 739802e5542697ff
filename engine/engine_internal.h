// Shared by the files of the engine only.
#ifndef ENGINE_ENGINE_INTERNAL_H
#define ENGINE_ENGINE_INTERNAL_H

#include "model/paged.h"
#include "engine/engine.h"
#include "engine/pages.h"

enum { PASSES_IN_FLIGHT = 2 }; // a pass is queued before the results of the previous one are read

// Shared by all samples of one request.
typedef struct Settings {
    GenerationRequest request; // stop and probe are copies; prompt and prefix are not used
    int64_t users;
} Settings;

// Tokens, and the pages with the keys and values of the first `computed` of them. Either a sample of a request, or a
// shared prefix (settings NULL), from which nothing is sampled.
struct Sequence {
    Settings *settings;
    int32_t sample;
    int64_t prompt; // tokens of the prompt
    int32_t *tokens;
    size_t token_capacity;
    int64_t count;    // tokens known to the host
    int64_t pending;  // further tokens that are sampled, or being sampled, and not yet known to the host
    int64_t computed; // tokens whose keys and values are in pages once the queue has drained
    int32_t *pages;
    size_t page_capacity;
    int64_t page_count;
    uint64_t *chain; // (chain_count) of the known whole pages: page_hash
    size_t chain_capacity;
    int64_t chain_count;
    int64_t published; // of its pages, the first so many are
    int64_t found;     // tokens of its prompt that were in pages before it came

    Sequence *parent; // a prefix, which holds the first `shared` tokens
    int64_t shared;
    int64_t references; // of a prefix: its caller, and the sequences that share it
    int64_t used;       // the pass in which it last ran, or was shared

    bool running;
    int32_t slot;             // of a running sample: where the device keeps its last token
    int64_t arrival;          // order in which it came
    bool started;             // it has run before: it goes first when it waits again
    int64_t in_queue;         // rows of passes whose results have not been read
    bool finished, cancelled; // cancelled: nobody waits for its result
    FinishReason reason;
    float *logprob, *processed, *entropy, *probe; // of tokens[prompt...]
    size_t logprob_capacity, processed_capacity, entropy_capacity;
    Candidate *top; // likewise, request.top each
    size_t top_capacity;
    float *prompt_logprob; // (prompt) where it is scored
    Candidate *prompt_top; // (prompt, request.top)
};

// A list of sequences: the heap of waiting ones, the array of running ones, ...
typedef struct SequenceList {
    Sequence **items;
    size_t count, capacity;
} SequenceList;

// Rows of a pass with the log-probabilities of given tokens: those that a request probes, or tokens first, first + 1,
// ... of a prompt that is scored.
typedef struct Probes {
    Sequence *sequence;
    int64_t first, count; // first 0: the request's probes
    int64_t whole;        // the first one's row of logits, if candidates are wanted
} Probes;

// A queued pass: its inputs, its results, and the sequences of its rows.
typedef struct Flight {
    PagedBatch batch;
    PagedResults results;
    Event *event;
    Sequence **sampled;  // (batch.sampled)
    int64_t *whole;      // (batch.sampled) the row of logits, where candidates are wanted
    Probes *probed;      // (probed_count)
    int32_t *probe_rows; // (batch.probed) rows of the batch, until they are placed after the sampled ones
    int64_t probed_count;
} Flight;

struct Engine {
    Model *model;
    int64_t n_live, context, passes, arrivals;
    PagePool pages;
    SequenceList waiting, running, finished;
    SequenceList beginnings; // prefixes with pages, not running: the first to be evicted
    SequenceList blocked;    // empty except during admission
    size_t sequences;        // all that exist; every list has room for all of them
    int32_t *free_slots;
    int64_t free_slot_count;
    Flight flights[PASSES_IN_FLIGHT];
    int first, queued; // the oldest queued pass, and how many are queued
    int ahead;         // how many may be queued before the host reads results
    Sequence *fetched; // by engine_next
    EngineStatistics statistics;
};

// ---- engine_sequence.c is used by the other files, and all of them by engine.c

// Making a sequence reserves room for it in all lists, so that moving it cannot fail and no sequence is ever lost.
bool lists_have_room(Engine *engine, size_t count);
void list_add(SequenceList *list, Sequence *sequence);
void list_remove(SequenceList *list, const Sequence *sequence); // keeps the order; it must be in the list

// count tokens, of which an equal prefix is shared with `parent` (may be NULL). The last token is never shared, because
// the head must run on it. NULL after fail().
Sequence *sequence_new(Engine *engine, Sequence *parent, const int32_t *ids, int64_t count);
bool sequence_scores(Sequence *sequence);                   // memory for its prompt's scores, where they are asked for
void sequence_release(Engine *engine, Sequence *beginning); // drops one reference; the last one frees it
void sequence_free(Engine *engine, Sequence *sequence);     // neither running nor in a list
void settings_release(Settings *settings);                  // drops one reference; NULL is fine
void stop_running(Engine *engine, Sequence *sequence);      // gives back its slot and pages
GenerationResult result_of(const Sequence *sequence);
void evict(Engine *engine, Sequence *beginning); // takes an idle beginning's pages
void give_pages_back(Engine *engine, Sequence *sequence);

// ---- engine_reuse.c

bool extend_chain(Sequence *sequence); // when tokens have become known
void publish_pages(Engine *engine, Sequence *sequence);
void publish_all(Engine *engine); // between passes

// Lets a sequence without pages hold those with what it begins with: its parent's, or published ones, whichever are
// more. False after fail().
bool find_pages(Engine *engine, Sequence *sequence);

// Whether a running sequence is about to compute the page that this one, which has none yet, would find next, so that
// it had better wait.
bool next_page_is_coming(const Engine *engine, const Sequence *sequence);

// ---- engine_admit.c

void waiting_push(Engine *engine, Sequence *sequence); // the heap
Sequence *waiting_pop(Engine *engine);

bool admit_waiting(Engine *engine);                 // admits sequences while there are slots and pages
bool place_running(Engine *engine, Flight *flight); // the next pass; empty if nothing can be done

// ---- engine_step.c

bool flights_open(Engine *engine);
void flights_close(Engine *engine);
bool flight_queue(Engine *engine, Flight *flight);
bool flight_land(Engine *engine, Flight *flight); // waits for it and reads its results

#endif
