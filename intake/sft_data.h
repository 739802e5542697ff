// The data of supervised fine-tuning: how documents are cut and which of their tokens are trained, by options; or, for
// shards, by what they were prepared with.
#ifndef INTAKE_SFT_DATA_H
#define INTAKE_SFT_DATA_H

#include "fit/fit.h"
#include "intake/training_data.h"
#include "pretrained/files.h"
#include "rows/tokenised.h"

// clang-format off
#define SFT_TEXT_ROWS(ROW, IN) \
    ROW(IN, train_turn_newline, flag,    "false", "",           data, IDENTITY, "also train the newline after <|im_end|>") \
    ROW(IN, train_turns,        choice,  "last",  TRAIN_TURNS,  data, IDENTITY, "assistant turns to train")       \
    ROW(IN, seq_len,            integer, "8192",  "> 0",        data, IDENTITY, "longest document, in tokens") \
    ROW(IN, over_length,        choice,  "drop",  OVER_LENGTHS, data, IDENTITY, "drop, cut or refuse a longer document")
// clang-format on
OPTION_GROUP(SftTextOptions, SFT_TEXT_ROWS)

// clang-format off
#define SFT_BATCH_ROWS(ROW, IN) \
    ROW(IN, global_batch,       integer, "128",   "> 0",           steps, IDENTITY, "documents in an update") \
    ROW(IN, micro_batch_tokens, integer, "16384", "> 0",           steps, IDENTITY, "tokens in a micro-batch") \
    ROW(IN, slots,              integer, "8",     "> 0 and <= 4096", steps, IDENTITY, "micro-batches of an update are a multiple of it") \
    ROW(IN, seed,               integer, "0",     ">= 0",          steps, IDENTITY, "seed of the order, new weights and rounding")
// clang-format on
OPTION_GROUP(SftBatchOptions, SFT_BATCH_ROWS)

// Held-out problems may be answered, too, by the model that trains (evaluation/sft.h).
// clang-format off
#define SFT_SAMPLING_ROWS(ROW, IN) \
    ROW(IN, eval_samples,    integer, "0", ">= 0 and <= 65536", run, NEUTRAL, "responses to each held-out problem; 1: greedy") \
    ROW(IN, eval_new_tokens, integer, "0", ">= 0",              run, NEUTRAL, "longest of these, in tokens; 0: by --seq-len")
// clang-format on
OPTION_GROUP(SftSamplingOptions, SFT_SAMPLING_ROWS)

typedef struct SftData {
    TrainingData rows;      // rows.problems: those that are answered
    Loader train, held_out; // held_out.documents NULL: there is none
    int64_t new_tokens;     // longest response to a problem
} SftData;

typedef struct SftDataRules {
    SftTextOptions *text; // becomes what shards were prepared with
    const SftBatchOptions *batch;
    const SftSamplingOptions *sampling;
    bool tasks; // benchmarks are asked, too
    const Options *given;
} SftDataRules;

// Opens --data and --eval-data (after training_data_open of data->rows), and the loaders that deal them to steps. text
// and files->chat become what the shards were prepared with: for held-out rows, options.conf and the export. Refused: a
// command line that asks for something else, and held-out rows that were prepared differently. Where problems are
// answered, held-out rows need no response: those that have one are in the loss, those with a reference are answered.
bool sft_data_open(SftData *data, const SftDataRules *rules, ModelFiles *files);
void sft_data_close(SftData *data);

// What a model needs to be trained on these: its largest micro-batch and longest document. Refused: a document that is
// longer than the model's positions.
bool sft_needs(Needs *needs, const SftData *data, const ModelConfig *config, Recompute recompute);

// --plan, on stdout: the data, the memory, what ranks send.
bool sft_plan(SftData *data, const Fit *fit, int64_t steps);

#endif
