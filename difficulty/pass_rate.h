// Difficulty by a model's own pass rate: the share of right ones among several responses of it to a problem, beside the
// rubric's. What a response is worth is decided elsewhere (rl/reward.h); here are the rows that can be rated so, the
// level that a rate gives, and the fields of a row.
#ifndef DIFFICULTY_PASS_RATE_H
#define DIFFICULTY_PASS_RATE_H

#include "asking/row_work.h"
#include "base/verdict.h"
#include "difficulty/score_row.h"
#include "difficulty/scoring.h"

// Of responses, by Verdict. Those that no rule can decide are counted, and are neither right nor wrong.
typedef struct PassRate {
    int64_t right, wrong, unknown, cut_off; // cut_off: of them, before they had ended
    double rate; // right / (right + wrong); NaN: fewer than half of the responses could be decided
    int level;   // 1-5 by the rate; DIFFICULTY_DEFAULT where there is none
} PassRate;

// Five equal bins of the rate; a rate on an edge belongs to the easier one: 1 from 0.8 on, 2 from 0.6, 3 from 0.4, 4
// from 0.2, else 5. Of four responses 4, 3, 2, 1, 0 right ones are levels 1 to 5; of eight 8-7, 6-5, 4, 3-2, 1-0.
PassRate pass_rate_of(const int64_t verdicts[3], int64_t cut_off);

// How responses are asked for: those that ./generate --samples would draw, to the prompt that is trained on.
typedef struct PassRateAsking {
    const ScoringOptions *options;
    Bytes problem; // of the current row
} PassRateAsking;

// row->row has been begun. Fails, with what to do, on a row without a reference, and on one by which no rule can tell
// right responses from wrong ones.
bool pass_rate_ask(PassRateAsking *asking, RowWork *work, Pending *row, const Record *record);
bool pass_rate_problem(PassRateAsking *asking, Text *problem, const Pending *row); // as JSON, until the next call
void pass_rate_asking_free(PassRateAsking *asking);

// Appends the row with its pass_rate, pass_right, pass_wrong, pass_unknown, pass_cut_off and difficulty, to line; said:
// as in score_row_end.
bool pass_rate_row_end(Bytes *line, Text row, const PassRate *rate, Text said, const Scorer *scorer);

#endif
