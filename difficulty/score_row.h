// A score in its row: the fields that ./score adds, and a tally of the scores of finished rows.
#ifndef DIFFICULTY_SCORE_ROW_H
#define DIFFICULTY_SCORE_ROW_H

#include "base/verdict.h"
#include "difficulty/rubric.h"
#include "log/progress.h"
#include "rows/journal.h"

typedef struct Scorer { // the source of the scores
    Bytes name;
    uint64_t weights, prompt; // hashes; prompt: the rubric's, or the instruction's
    bool remote;              // the weights are unknown
} Scorer;

// Begins the row, for fields to be added (rows/row_write.h). Fields of an earlier score are replaced; the row's own
// fields with these names are kept under other names.
bool score_row_begin(Bytes *row, const Record *record);

// A folder is named by the last two parts of its path: every run calls its own folder "model".
bool scorer_name_folder(Bytes *name, const char *folder);

// Appends the row, with its score, to line. said: the end of an unusable answer, where no answer was usable.
bool score_row_end(Bytes *line, Text row, const Difficulty *difficulty, Text said, const Scorer *scorer);

// Parts of a row's end that all methods share: the default's fields, and the scorer's with the closing brace.
bool score_row_default(Bytes *line, Text said);
bool score_row_scorer(Bytes *line, const Scorer *scorer);

typedef struct ScoreTally {
    const Journal *journal;           // of the rows
    int64_t levels[DIFFICULTIES + 1]; // rows so far with 1 to 5; [0]: without a usable answer
    int64_t responses[3], cut_off;    // of --method pass-rate, in those rows, by Verdict; of them before their end
    int64_t rows;                     // rows to score
    double unusable_share;            // the share that may have no usable answer
    const char *remedy;               // against unusable answers: what to change
    Bytes useless;                    // the end of the first unusable answer
} ScoreTally;

bool score_tally_add(void *tally, Text row); // a finished row, of this run or an earlier one: for journal_each
bool score_tally_file(ScoreTally *tally, const char *path); // all rows of a finished file, instead of those so far

void score_tally_show(const ScoreTally *tally, Progress *progress);

// Fails because too many rows have no usable answer, which later answers cannot change. The error says what to do;
// always false.
bool score_tally_is_useless(const ScoreTally *tally);
bool score_tally_fail(ScoreTally *tally);

void score_tally_free(ScoreTally *tally);

#endif
