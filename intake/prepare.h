// From JSONL files to folders of shards: rows are read, rendered and tokenised by all threads, freed from duplicates and from what
// benchmarks contain, split at a difficulty into a part for SFT and a part for RL, sorted, and written. All of it in bounded memory
// (intake/sorter.h) and, but for the time, independent of the number of threads. The output folder is built beside its final name and
// takes it at the very end.
//
//   OUT/sft/            shards of the rows with a response; prompts.jsonl: the rows that still need one
//   OUT/rl/             shards of prompts with their reference answers
//   OUT/sft_hard/       --split hard-sft: what would have been rl/, to be fine-tuned on after sft/
//   OUT/holdout.jsonl   the rows that were held out
//   OUT/dropped.jsonl   the rows that share words with a benchmark, each with its words and the benchmark's row
//   OUT/split.json      what became of every row, by difficulty, source and category; OUT/split.svg: its picture
#ifndef INTAKE_PREPARE_H
#define INTAKE_PREPARE_H

#include "base/names.h"
#include "decontamination/ngrams.h"
#include "rows/tokenised.h"
#include "rows/verified.h"

#define SPLIT_CHOICES "difficulty|random|sft-only|rl-only|hard-sft"
typedef enum SplitKind {
    SPLIT_DIFFICULTY, // difficulty <= tau: SFT; > tau: RL
    SPLIT_AT_RANDOM,  // as many rows to each, drawn at random from all of them
    SPLIT_SFT_ONLY,   // both parts to SFT
    SPLIT_RL_ONLY,    // both parts to RL, as far as they have a reference answer
    SPLIT_HARD_SFT    // as difficulty, but the hard part is fine-tuned on too, in a second stage
} SplitKind;

typedef struct PrepareInput {
    const char *path;    // a file, a folder of *.jsonl, or "-"
    const FieldMap *map; // (map_count)
    size_t map_count;
    int missing_difficulty; // 1-5; 0: none
    const char *format;     // as in RecordOptions
} PrepareInput;

typedef struct PrepareOptions {
    const PrepareInput *inputs; // (input_count)
    size_t input_count;
    const char *out;
    TokenRules rules;
    const char *instruction; // as in RecordOptions
    int tau;                 // 1-4; 0: everything is for SFT, and a difficulty may be unknown
    SplitKind split;
    int64_t holdout; // so many prompts are held out
    uint64_t seed;   // of the order within a difficulty, of the hold-out and of a random split
    int64_t skip_bad_rows;
    bool need_response; // a row without one is a bad row
    bool map_may_miss;  // a map that finds its field nowhere is no error
    const char *const *benchmarks;
    size_t benchmark_count;
    bool decontaminate_all; // compare all texts, not questions with questions
    bool keep_duplicates;   // rows that repeat others are wanted
    Verify verify;
    size_t memory; // bytes for sorting; shards take some 300 MB beside it
} PrepareOptions;

// What became of a row.
typedef enum Fate {
    FATE_SFT,
    FATE_PROMPT, // SFT, as soon as it has a response
    FATE_RL,
    FATE_HARD_SFT,
    FATE_HARD_PROMPT,
    FATE_HOLDOUT,
    FATE_DROPPED,            // from here on
    FATE_BAD = FATE_DROPPED, // could not be read
    FATE_UNFINISHED,         // finish_reason is not stop
    FATE_DUPLICATE,          // an earlier row is the same, but for id, source and category
    FATE_OTHER_ANSWER,       // an earlier row has its prompt and response (RL: its prompt), and another reference answer
    FATE_REPEATED,           // an earlier row has its prompt, response and answer; other fields differ
    FATE_SAME_PROMPT,        // RL keeps one row a prompt
    FATE_CONTAMINATED,       // shares 13 words with a benchmark, or its whole question is one of its short ones
    FATE_NO_ANSWER,          // for RL, but without a reference answer
    FATE_PROMPT_HELD_OUT,    // its prompt is in another row of the hold-out
    FATE_WRONG,              // --verify: its response is (rows/verified.h)
    FATE_UNKNOWN,            // --verify: no rule knows whether its response is right
    FATE_UNREADABLE,         // --verify: its reference can't be compared with anything
    FATE_ANOTHER_RIGHT,      // --verify best-of-k: an earlier right response to its prompt is kept
    FATES
} Fate;
extern const char *const FATE_NAMES[FATES]; // "sft", "prompts", ..., "bad": as in split.json

typedef struct PrepareGroup { // rows of one source or category
    const char *name;
    int64_t rows[FATES];
    int64_t levels[6];
    int64_t verified[VERIFIED_KINDS]; // --verify: of its responses, before duplicates went; of sources only
} PrepareGroup;

typedef struct PrepareGroups {
    NameTable names;
    PrepareGroup *list; // (count) as the names are numbered
    size_t count, capacity;
} PrepareGroups;

enum { BAD_ROWS_NAMED = 5 };

typedef struct PrepareUnread { // fields that may have been meant, by how many rows have them
    struct PrepareUnreadField {
        Unread what;
        int64_t rows;
    } * list; // (count)
    size_t count, capacity;
} PrepareUnread;

typedef struct PrepareFile {
    char *path;
    int64_t rows, formats[ROW_FORMATS];
} PrepareFile;

typedef struct PrepareReport {
    int64_t rows, replaced_difficulties;
    int64_t fates[FATES];
    int64_t tokens[FATES], trained[FATES];      // of what was written to shards
    int64_t levels[6][FATES];                   // [difficulty, 0 unknown]
    PrepareGroups sources, categories, answers; // answers: kinds of reference answers (answers/verify.h)
    PrepareFile *files;                         // (file_count)
    size_t file_count;
    NgramFile *benchmarks; // (benchmark_count) --decontaminate: how much of each can be compared
    size_t benchmark_count;
    int shards[FATES];
    uint64_t bytes, runs;           // read; runs of the sort that went to disk
    char *bad_rows[BAD_ROWS_NAMED]; // the errors of the first ones
    Bytes unreadable;               // --verify: the first rows with such a reference, 'id "reference", ...'
    int64_t verified[VERIFIED_KINDS];
    int64_t odd_rows;                               // with NaN or an infinity in fields that are not read
    int64_t turns_left_out;                         // turns of the assistant that are not trained, in rows with a response
    int64_t thoughts_left_out;                      // of trained turns, by a template that is for that
    PrepareUnread unread_responses, unread_answers; // of rows without a response, without an answer
    NameTable passed_over;                          // files of the folders that were given that are not *.jsonl
} PrepareReport;

// Fails at the first bad row that is one too many (file:line:column), when OUT holds something that is not a preparation, and
// when nothing at all is left; then nothing is at OUT that was not there before. The report is the caller's to free.
bool prepare(PrepareReport *report, const PrepareOptions *options);
void prepare_report_free(PrepareReport *report);

// What of the input was not read, not trained or dropped, a line each; nothing where all of it was taken.
bool prepare_notes(Bytes *out, const PrepareReport *report);

// The tables for people (prepare_report.c), split.json's object (a new reference), and the picture.
bool prepare_table(Bytes *out, const PrepareReport *report, const PrepareOptions *options);
struct json_t *prepare_json(const PrepareReport *report, const PrepareOptions *options);
bool prepare_picture(Bytes *svg, const PrepareReport *report, const PrepareOptions *options);

#endif
