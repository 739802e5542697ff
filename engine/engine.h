// The generation engine: thousands of requests through one model, in passes that mix prompts and single tokens (continuous
// batching), their keys and values in pages that are shared where beginnings are, and taken back where memory runs out. It runs the
// forward pass of training, so the log-probabilities that it records are the trainer's, bit for bit; and what a request is given
// depends on its own tokens, its settings, and the names of its draws (seed, id, sample, position), on nothing else. In a program:
//
//     Engine *engine = engine_open(&model, n_live);                // NULL after fail(); the model is opened with limits.cache
//     while (...) {
//         while (engine_has_room(engine) && more)
//             TRY(engine_add(engine, &request));
//         TRY(engine_step(engine));                                // one pass
//         while (engine_next(engine, &result))                     // in the order in which they end
//             use(&result);
//     }
//
// Who runs when is in engine_admit.c, what goes through the model in engine_step.c. Not here: texts (session.h).
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Engine Engine;
typedef struct Sequence Sequence;

// Called with all that a sample has generated so far, when its last token has come: true ends the sample there. From engine_step.
typedef bool (*GenerationWatch)(void *context, uint64_t tag, int32_t sample, const int32_t *ids, int64_t count);

typedef struct GenerationRequest {
    uint64_t tag;      // the caller's own: it comes back with every result
    uint64_t seed, id; // what names its draws
    const int32_t *prompt;
    int64_t prompt_count;          // at least 1; prompt and what is generated fit the engine's context
    int32_t first_sample, samples; // samples first_sample .. first_sample + samples - 1; their prompt is computed once
    Sequence *prefix;              // a beginning that it may share, or NULL: see engine_prefix
    int64_t max_new_tokens;        // at least 1; fewer where the context ends
    int64_t expected;              // tokens that it will have, where the caller knows; 0: unknown. The longest start first
    float temperature;             // 0: greedy
    int32_t top_k;                 // as in SampleRow
    float top_p, min_p;
    const int32_t *stop; // (stop_count) tokens after which a sample ends
    int64_t stop_count;
    const int32_t *probe; // (probe_count) or NULL: instead of generating, the log-probability of each of these after the prompt
    int64_t probe_count;
    GenerationWatch watch; // or NULL
    void *watch_context;
} GenerationRequest;

typedef enum FinishReason { FINISH_STOP, FINISH_LENGTH } FinishReason;

// What became of one sample. Its memory stands until the next engine_next, engine_step or engine_close.
typedef struct GenerationResult {
    uint64_t tag;
    int32_t sample;
    FinishReason reason;
    int64_t count;          // tokens: the one that ended it is among them
    const int32_t *ids;     // (count)
    const float *logprob;   // (count) of logits / temperature over the live columns (temperature 1 when greedy)
    const float *processed; // (count) the same after top_k, top_p and min_p
    const float *entropy;   // (count) of logits / temperature, in nats
    const float *probe;     // (probe_count) at temperature 1
} GenerationResult;

typedef struct EngineStatistics {
    int64_t prompt_tokens, sampled_tokens; // computed; a prompt that is shared counts once, one computed again counts again
    int64_t passes, graph_passes;
    int64_t keys_read;                // over all passes: positions whose keys and values a pass could not do without
    int64_t preemptions;              // sequences that had to give their pages back and were computed again
    int64_t pages_in_use, pages_most; // of limits.cache.pages
    int64_t sequences_running;
} EngineStatistics;

// n_live: the vocabulary rows that may be sampled. The model's weights may change between steps of an engine that is empty.
Engine *engine_open(Model *model, int64_t n_live);
void engine_close(Engine *engine);

int64_t engine_context(const Engine *engine); // tokens that a sequence can have at most: positions, or what the pages hold
bool engine_has_room(const Engine *engine);   // false when enough are waiting to keep it busy
bool engine_empty(const Engine *engine);      // nothing is waiting, running or to be fetched

// Copies what it needs. False after fail(): an empty prompt, one that leaves no room for a token, an id the model does not know.
bool engine_add(Engine *engine, const GenerationRequest *request);

// Tokens that several requests begin with, computed when the first of them runs: they share as many of them as their prompt really
// begins with. May itself begin with another. Keeps its pages while there is room. NULL after fail(). Released by its caller; those
// who share it still may.
Sequence *engine_prefix(Engine *engine, Sequence *prefix, const int32_t *ids, int64_t count);
void engine_prefix_release(Engine *engine, Sequence *prefix);

bool engine_step(Engine *engine); // false after fail(); nothing of it can be used then
bool engine_next(Engine *engine, GenerationResult *result);
EngineStatistics engine_statistics(const Engine *engine);

#ifdef __cplusplus
}
#endif
#endif
