// From JSONL files to folders of shards: rows are read, rendered and tokenised by all threads; duplicates and rows in
// benchmarks are dropped; the rest is split at a difficulty into a part for SFT and a part for RL, sorted, and written.
// All of it in bounded memory (system/sorter.h); the number of threads changes only the time. The output folder is
// built beside its final name and renamed at the very end.
//
//   OUT/sft/            shards of the rows with a response; prompts.jsonl: the rows that still need one
//   OUT/rl/             shards of prompts with their reference answers; --split both: of the rows in sft/, too
//   OUT/sft_hard/       --split hard-sft: rows that would be in rl/, to be fine-tuned on after sft/
//   OUT/holdout.jsonl   the rows that were held out
//   OUT/dropped.jsonl   the rows that share words with a benchmark, each with the words and the benchmark's row
//   OUT/split.json      what happened to every row, by difficulty, source and category; OUT/split.svg: its picture
#ifndef INTAKE_PREPARE_H
#define INTAKE_PREPARE_H

#include "base/names.h"
#include "decontamination/ngrams.h"
#include "rows/tokenised.h"
#include "rows/verified.h"

#define SPLIT_CHOICES "difficulty|random|sft-only|rl-only|hard-sft|both|inverted"
typedef enum SplitKind {
    SPLIT_DIFFICULTY, // difficulty <= tau: SFT; > tau: RL
    SPLIT_AT_RANDOM,  // the same counts, drawn at random from all rows
    SPLIT_SFT_ONLY,   // both parts to SFT
    SPLIT_RL_ONLY,    // both parts to RL, except rows without a reference answer
    SPLIT_HARD_SFT,   // as by difficulty, but the hard part is for a second stage of SFT
    SPLIT_BOTH,       // all rows to SFT, and those with a reference answer to RL as well, one a prompt
    SPLIT_INVERTED    // difficulty > tau: SFT; <= tau: RL
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
    int tau;                 // 1-4; 0: everything is for SFT, and difficulties may be unknown
    SplitKind split;
    int64_t holdout; // prompts to hold out
    uint64_t seed;   // of the order within a difficulty, the hold-out and a random split
    int64_t skip_bad_rows;
    bool need_response; // a row without one is a bad row
    bool map_may_miss;  // a map that finds its field in no row is no error
    const char *const *benchmarks;
    size_t benchmark_count;
    bool decontaminate_all; // compare all texts, not questions with questions
    bool keep_duplicates;   // keep rows that repeat others
    Verify verify;
    size_t memory; // bytes for sorting; shards take about 300 MB more
} PrepareOptions;

// What happened to a row.
typedef enum Fate {
    FATE_SFT,
    FATE_PROMPT, // for SFT, once it has a response
    FATE_RL,
    FATE_HARD_SFT,
    FATE_HARD_PROMPT,
    FATE_BOTH,        // for SFT and for RL
    FATE_PROMPT_BOTH, // for RL; and for SFT, once it has a response
    FATE_HOLDOUT,
    FATE_DROPPED,            // from here on
    FATE_BAD = FATE_DROPPED, // could not be read
    FATE_UNFINISHED,         // finish_reason is not stop
    FATE_DUPLICATE,          // equals an earlier row, except in id, source and category
    FATE_OTHER_ANSWER,    // an earlier row has its prompt and response (RL: its prompt), and another reference answer
    FATE_REPEATED,        // an earlier row has its prompt, response and answer; other fields differ
    FATE_SAME_PROMPT,     // RL keeps one row a prompt
    FATE_CONTAMINATED,    // shares 13 words with a benchmark, or its whole question is one of its short ones
    FATE_NO_ANSWER,       // for RL, but without a reference answer
    FATE_PROMPT_HELD_OUT, // its prompt is held out with another row
    FATE_WRONG,           // --verify: its response is wrong (rows/verified.h)
    FATE_UNKNOWN,         // --verify: no rule can decide about its response
    FATE_UNREADABLE,      // --verify: its reference can't be compared with anything
    FATE_ANOTHER_RIGHT,   // --verify best-of-k: an earlier right response to its prompt is kept
    FATES
} Fate;
extern const char *const FATE_NAMES[FATES]; // "sft", "prompts", ..., "bad": as in split.json

typedef struct PrepareGroup { // rows of one source or category
    const char *name;
    int64_t rows[FATES];
    int64_t levels[6];
    int64_t verified[VERIFIED_KINDS]; // --verify: its responses, before duplicates were dropped; only for sources
} PrepareGroup;

typedef struct PrepareGroups {
    NameTable names;
    PrepareGroup *list; // (count) indexed as the names
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
    SplitKind split; // the options'
    int64_t rows, replaced_difficulties;
    int64_t fates[FATES];
    int64_t tokens[FATES], trained[FATES];      // written to shards
    int64_t levels[6][FATES];                   // [difficulty, 0 unknown]
    PrepareGroups sources, categories, answers; // answers: kinds of reference answers (answers/verify.h)
    PrepareFile *files;                         // (file_count)
    size_t file_count;
    NgramFile *benchmarks; // (benchmark_count) --decontaminate: how much of each can be compared
    size_t benchmark_count;
    int shards[FATES];
    uint64_t bytes, runs;           // read; runs of the sort written to disk
    char *bad_rows[BAD_ROWS_NAMED]; // the errors of the first bad rows
    Bytes unreadable;               // --verify: the first rows with such a reference, 'id "reference", ...'
    int64_t verified[VERIFIED_KINDS];
    int64_t odd_rows;          // with NaN or an infinity in fields that are not read
    int64_t turns_left_out;    // turns of the assistant that are not trained, in rows with a response
    int64_t thoughts_left_out; // of trained turns, by a template that is meant to omit them
    PrepareUnread unread_responses, unread_answers; // of rows without a response, without an answer
    NameTable passed_over;                          // files of the given folders that are not *.jsonl
} PrepareReport;

// Fails at the first bad row beyond those allowed (file:line:column), when OUT holds something that is not a
// preparation, and when no row is left; then OUT is as before. The caller frees the report.
bool prepare(PrepareReport *report, const PrepareOptions *options);
void prepare_report_free(PrepareReport *report);

// Rows in the place of a fate (FATE_SFT, FATE_PROMPT, FATE_RL), with those that are in two places.
int64_t prepare_rows_in(const int64_t rows[FATES], Fate place);

// The input that was not read, not trained or dropped, a line each; nothing where all was used.
bool prepare_notes(Bytes *out, const PrepareReport *report);

// The tables for people (prepare_report.c), the object of split.json (a new reference), and the picture.
bool prepare_table(Bytes *out, const PrepareReport *report, const PrepareOptions *options);
struct json_t *prepare_json(const PrepareReport *report, const PrepareOptions *options);
bool prepare_picture(Bytes *svg, const PrepareReport *report, const PrepareOptions *options);

#endif
