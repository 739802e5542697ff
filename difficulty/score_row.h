// A score in its row: the fields that ./score adds, and a tally of what finished rows say.
#ifndef DIFFICULTY_SCORE_ROW_H
#define DIFFICULTY_SCORE_ROW_H

#include "difficulty/rubric.h"
#include "log/progress.h"
#include "rows/journal.h"

typedef struct Scorer { // who gives the scores
    Bytes name;
    uint64_t weights, prompt; // hashes; of the rubric
    bool remote;              // nobody knows the weights
} Scorer;

// The row as it came, for fields to be added (rows/row_write.h). What an earlier score says is replaced; what the row
// itself calls so is kept under another name.
bool score_row_begin(Bytes *row, const Record *record);

// Appends the row, with its score, to line. said: the end of an answer that was of no use, where there was none of use.
bool score_row_end(Bytes *line, Text row, const Difficulty *difficulty, Text said, const Scorer *scorer);

typedef struct ScoreTally {
    const Journal *journal;           // of the rows
    int64_t levels[DIFFICULTIES + 1]; // rows so far with 1 to 5; [0]: without a usable answer
    int64_t rows;                     // that are to be scored
    double unusable_share;            // of them that may have no usable answer
    Bytes useless;                    // the end of the first answer that was of no use
} ScoreTally;

bool score_tally_add(void *tally, Text row); // a finished row, of this run or an earlier one: for journal_each

void score_tally_show(const ScoreTally *tally, Progress *progress);

// More rows without a usable answer than there may be, whatever the others will say. The error says what to do; always
// false.
bool score_tally_is_useless(const ScoreTally *tally);
bool score_tally_fail(ScoreTally *tally);

void score_tally_free(ScoreTally *tally);

#endif
