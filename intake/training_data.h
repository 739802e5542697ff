// The data of a training run, with held-out rows: shards, or JSONL that becomes shards in OUT/cache first; and their
// options, for train_sft and train_rl.
//
//     TRY(training_data_open(&data, &options->data, options->run.out, options->machine.plan));
//     TRY(training_data_read(&data, &rules));          // --data
//     TRY(training_data_read_held_out(&data, &rules)); // --eval-data, by rules that may depend on --data's
//     data.kept = true;                                // once the run has begun: the cache stays
#ifndef INTAKE_TRAINING_DATA_H
#define INTAKE_TRAINING_DATA_H

#include "data/documents.h"
#include "data/loader.h"
#include "intake/shard_folders.h"
#include "options/options.h"

// clang-format off
#define DATA_ROWS(ROW, IN, INSTRUCTION_IDENTITY) \
    ROW(IN, data,          list,     "",     "required",         data, NEUTRAL,  "shards of ./prepare, or JSONL")   \
    ROW(IN, eval_data,     list,     "",     "",                 data, NEUTRAL,  "held-out rows, in the same forms") \
    ROW(IN, map,           repeated, "",     "",                 data, IDENTITY, "field=name: where JSONL rows have this field") \
    ROW(IN, format,        choice,   "auto", ROW_FORMAT_CHOICES, data, IDENTITY, "format of JSONL rows that could be read in several ways") \
    ROW(IN, instruction,   text,     INSTRUCTION_DEFAULT, "",    data, INSTRUCTION_IDENTITY, "text that ends the user turn of a problem in JSONL, or none") \
    ROW(IN, skip_bad_rows, integer,  "0",    ">= 0",             data, NEUTRAL,  "bad JSONL rows to skip before it is an error") \
    ROW(IN, order,         choice,   "random", LOADER_ORDERS,    data, IDENTITY, "order of an epoch (sorted: easy to hard)") \
    ROW(IN, mix,           repeated, "",     "",                 data, IDENTITY, "mixed: weights, level:1=4 or source:math=0.5")
#define SFT_DATA_ROWS(ROW, IN) DATA_ROWS(ROW, IN, IDENTITY)
// RL: prompts may be asked otherwise by shards: their tokens are compared
#define RL_DATA_ROWS(ROW, IN) DATA_ROWS(ROW, IN, NEUTRAL)
// clang-format on
OPTION_GROUP(DataOptions, SFT_DATA_ROWS)

typedef struct TrainingSet {
    ShardFolders folders;
    Documents documents; // count 0: none
} TrainingSet;

typedef struct TrainingData {
    const DataOptions *options;
    FieldMaps maps;        // of --map
    LoaderWeight *weights; // (options->mix.count)
    char *cache;           // OUT/cache, or for --plan a temporary folder
    bool kept;             // shards that were prepared here stay
    TrainingSet train, held_out, problems;
} TrainingData;

// How rows of JSONL are prepared (their files, instruction and memory are set here), and how shards are read.
typedef struct TrainingRules {
    PrepareOptions preparing;
    DocumentOptions reading;
    bool may_be_empty; // no row need have a response: then there are no documents
} TrainingRules;

bool training_data_open(TrainingData *data, const DataOptions *options, const char *out, bool plan);
bool training_data_read(TrainingData *data, const TrainingRules *rules);
bool training_data_read_held_out(TrainingData *data, const TrainingRules *rules); // does nothing without --eval-data

// The prompts of --eval-data that have a reference answer, with a response or without, each once: rules.reading wants
// prompts, and JSONL is prepared for RL. Shards are taken as they are.
bool training_data_read_problems(TrainingData *data, const TrainingRules *rules);
LoaderOptions training_data_order(const TrainingData *data, uint64_t seed); // of --data, by --order and --mix
void training_data_close(TrainingData *data);

#endif
