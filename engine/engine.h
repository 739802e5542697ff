// The generation engine: thousands of requests through one model, in passes that mix prompts and single tokens
// (continuous batching), with keys and values in pages. Requests that begin alike share pages, those of ended ones are
// kept while there is room, and when memory runs out sequences are preempted. It runs the forward pass of training, so
// the log-probabilities that it records are the trainer's, bit for bit; and a request's result depends on its own
// tokens, its settings, and the names of its draws (seed, id, sample, position), on nothing else. In a program:
//
//     Engine *engine = engine_open(&model, n_live);                // NULL after fail(); the model has limits.cache
//     while (...) {
//         while (engine_has_room(engine) && more)
//             TRY(engine_add(engine, &request));
//         TRY(engine_step(engine));                                // one pass
//         while (engine_next(engine, &result))                     // in the order in which they end
//             use(&result);
//     }
//
// Scheduling is in engine_admit.c, pages that are found again in engine_reuse.c, passes through the model in
// engine_step.c. Not here: texts (session.h).
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Engine Engine;
typedef struct Sequence Sequence;

// A token that could have come, and its log-probability.
typedef struct Candidate {
    int32_t id;
    float logprob;
} Candidate;

typedef enum FinishReason { FINISH_STOP, FINISH_LENGTH } FinishReason;

// The result of one sample. Its memory is valid until the next engine_next, engine_step, engine_cancel or engine_close.
typedef struct GenerationResult {
    uint64_t tag;
    int32_t sample;
    FinishReason reason;
    int64_t found;          // tokens of its prompt that were in pages before it came
    int64_t count;          // tokens, including the one that ended it
    const int32_t *ids;     // (count)
    const float *logprob;   // (count) of logits / temperature over the live columns (temperature 1 when greedy)
    const float *processed; // (count) the same after top_k, top_p and min_p
    const float *entropy;   // (count) of logits / temperature, in nats
    const float *probe;     // (probe_count) at temperature 1
    const Candidate *top;   // (count, top) the likeliest, in falling order
    // of a prompt that is scored (prompt_count), at temperature 1; nothing is known of its first token
    const float *prompt_logprob;
    const Candidate *prompt_top; // (prompt_count, top)
} GenerationResult;

// Called with a sample's result so far, after each new token: true ends the sample there. Called from engine_step; its
// memory is valid until it returns.
typedef bool (*GenerationWatch)(void *context, const GenerationResult *so_far);

typedef struct GenerationRequest {
    uint64_t tag;      // the caller's own: returned with every result
    uint64_t seed, id; // names its random draws
    const int32_t *prompt;
    int64_t prompt_count;          // at least 1; prompt and generated tokens fit the engine's context
    int32_t first_sample, samples; // samples first_sample .. first_sample + samples - 1; their prompt is computed once
    Sequence *prefix;              // a prefix that it may share, or NULL: see engine_prefix
    int64_t max_new_tokens;        // at least 1; fewer where the context ends
    int64_t expected;              // expected tokens, if the caller knows; 0: unknown. The longest start first
    float temperature;             // 0: greedy
    int32_t top_k;                 // as in SampleRow
    float top_p, min_p;
    const int32_t *stop; // (stop_count) tokens after which a sample ends
    int64_t stop_count;
    const int32_t
        *probe; // (probe_count) or NULL: instead of generating, the log-probability of each of these after the prompt
    int64_t probe_count;
    bool score;  // also the log-probabilities of its prompt's tokens; its prompt is not shared, and it has one sample
    int32_t top; // also so many candidates for each token, scored ones too; 0: none
    GenerationWatch watch; // or NULL
    void *watch_context;
} GenerationRequest;

typedef struct EngineStatistics {
    int64_t prompt_tokens, sampled_tokens; // computed; a shared prompt counts once, a recomputed one again
    int64_t found_tokens;                  // not computed, because pages of an earlier or another request have them
    int64_t passes, graph_passes;
    int64_t keys_read;    // over all passes: positions whose keys and values a pass has to read, shared ones once
    int64_t preemptions;  // sequences that lost their pages and were computed again
    int64_t pages_most;   // of limits.cache.pages
    int64_t pages_reused; // kept pages of ended requests that gave their room to others
    int64_t pages_in_use, pages_kept, sequences_running, sequences_waiting; // now; what is kept is not in use
} EngineStatistics;

// n_live: the vocabulary rows that may be sampled. The weights of a model that trains may change between steps of an
// empty engine, which for such a model keeps no page of an ended request; those of another one stay what they are.
Engine *engine_open(Model *model, int64_t n_live);
void engine_close(Engine *engine);

int64_t engine_context(const Engine *engine); // the longest sequence in tokens: positions, or what the pages hold
bool engine_has_room(const Engine *engine);   // false when enough are waiting to keep it busy
bool engine_empty(const Engine *engine);      // nothing waits, runs or remains to be fetched

// Copies what it needs. False after fail(): an empty prompt, one that leaves no room for a token, an unknown id.
// Candidates are found in logits of the activation type. Their log-probabilities are that of the token that came, plus
// the difference of the two logits: in fp32 the head's own but for the last bit, in bf16 to a logit's rounding.
bool engine_add(Engine *engine, const GenerationRequest *request);

// A prefix of several requests, computed when the first of them runs; each shares as many of its tokens as its prompt
// really begins with. May itself begin with another prefix. Keeps its pages while there is room. NULL after fail(). The
// caller releases it; requests that use it keep it alive.
Sequence *engine_prefix(Engine *engine, Sequence *prefix, const int32_t *ids, int64_t count);
void engine_prefix_release(Engine *engine, Sequence *prefix);

// Ends all samples with this tag, waiting, running or finished: their pages are free at once, and no result comes.
void engine_cancel(Engine *engine, uint64_t tag);

bool engine_step(Engine *engine); // after a failure the engine cannot be used
bool engine_next(Engine *engine, GenerationResult *result);
EngineStatistics engine_statistics(const Engine *engine);

#ifdef __cplusplus
}
#endif
#endif
