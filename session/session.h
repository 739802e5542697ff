// A model folder, ready to answer: its weights, tokenizer and template, its end tokens, and the generation engine
// (engine/engine.h) in the memory available. generate, score and chat begin by opening one. Next: rows/rows.h (rows to
// requests), rows/journal.h (results to files).
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "engine/engine.h"
#include "fit/fit.h"
#include "pretrained/files.h"

typedef struct SessionOptions {
    const char *model;     // folder
    const char *tokenizer; // folder of the tokenizer's files; "" or NULL: the model's
    const char *template;  // name, or "auto"
    const char *device;    // "auto", "cpu", "cuda"
    int64_t threads;       // 0: all cores
    int64_t context;       // longest sequence; 0: max_position_embeddings, at most CONTEXT_MOST
    int64_t sequences;     // running at once; 0: SEQUENCES_CPU or SEQUENCES_GPU
    int64_t pass_tokens;   // of a pass; 0: PASS_TOKENS_CPU or PASS_TOKENS_GPU
    int64_t cache;         // bytes for keys and values; 0: all free memory, on a CPU half of it
    int64_t probes;        // the most tokens whose log-probabilities one request wants
    int64_t scores;        // rows of a pass for scored prompts, and for candidates
    ModelLimits training;  // of micro-batches, where the same model also trains (tokens 0: it does not)
    bool bf16_moments;     // of the optimizer, which the caller opens beside the model
    const Fit *fit;        // or NULL; its advice is added to errors
    bool random_weights;   // where the folder has no weights: for benchmarks
    bool plan_only;        // folder, tokenizer and template: no device, no memory, no engine
} SessionOptions;

// clang-format off
#define SESSION_ROWS(ROW, IN) \
    ROW(IN, sequences,   integer, "0", ">= 0 and <= 65536", machine, NEUTRAL, "sequences at once; 0: 32 on a CPU, 256 on a GPU") \
    ROW(IN, pass_tokens, integer, "0", ">= 0 and <= 1e6",   machine, NEUTRAL, "prompt tokens in a pass; 0: CPU 512, GPU 8192") \
    ROW(IN, cache,       integer, "0", ">= 0",              machine, NEUTRAL, "bytes for the KV cache; 0: what is free")
// clang-format on
OPTION_GROUP(SessionSizes, SESSION_ROWS)

typedef struct Requests {   // known before the engine is planned
    int64_t longest, count; // tokens of the longest, with its response; how many there are
} Requests;

enum {
    CONTEXT_MOST = 32768,
    SEQUENCES_CPU = 32,
    SEQUENCES_GPU = 256,
    PASS_TOKENS_CPU = 512,
    PASS_TOKENS_GPU = 8192,
};

typedef struct Session {
    ModelFiles files;
    const Kernels *kernels;
    Model model;
    Engine *engine; // NULL after plan_only
} Session;

// The memory that it will take, for a plan (fit/fit.h): the device need not be present.
bool session_needs(ModelNeeds *needs, const Kernels *kernels, const SessionOptions *options);

// The engine's limits by context, sequences, pass_tokens and probes of the options; its pages are still to be chosen.
CacheLimits session_cache(const ModelConfig *config, const Kernels *kernels, const SessionOptions *options);

bool session_open(Session *session, const SessionOptions *options);
void session_close(Session *session);

void session_describe(const Session *session, Bytes *out); // a line for people: kernels, model, context, cache

bool session_fingerprint(const Session *session, uint64_t *hash);

#endif
