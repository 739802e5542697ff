// The reward of a response: parts, each with a weight, added up. What a part is does not depend on its weight, so each is logged alone.
// A part that could not be had (a judge that gave no verdict) is NaN, and so is then a sum that it has a weight in: the response's
// advantage is 0 (advantage.h), and it is counted.
#ifndef RL_REWARD_H
#define RL_REWARD_H

#include "answers/verify.h"
#include "data/documents.h"
#include "judges/referees.h"
#include "options/options.h"
#include "tokenizer/tokenizer.h"

typedef enum RewardPart {
    REWARD_ACCURACY, // 1: the answer is the reference's, else 0
    REWARD_FORMAT, // 1: the response ended by itself and holds an answer that is marked as one (\boxed{}, "The answer is"), else 0
    REWARD_LENGTH, // -0.05 · min(10, |tokens of the answer - tokens of the reference|) where it is right, else 0: Ma et al. 2025
                   // (General-Reasoner), section 4.1
    REWARD_OVERLONG, // 0 to -1 in the last tokens before the limit: Yu et al. 2025 (DAPO), eq. 13
    REWARD_GRADER,   // what an external program says (grader.h)
    REWARD_PARTS
} RewardPart;
enum { WEIGHT_MOST = 1000000 }; // a larger one is a mistake, and sums of squares would make it one of the run's
extern const char *const REWARD_NAMES[REWARD_PARTS];

typedef struct RewardWeights {
    const char *source; // whose problems they are for; NULL: everybody else's
    double of[REWARD_PARTS];
} RewardWeights;

typedef struct Rewards {
    RewardWeights *list; // (count) the first is everybody else's
    size_t count;
    char **names;            // (count) what the sources point into
    bool has[REWARD_PARTS];  // a weight of somebody's is not 0
    int64_t overlong_buffer; // tokens; 0: no part for length beyond it
    int64_t max_new_tokens;
} Rewards;

// clang-format off
#define REWARD_ROWS(ROW, IN)                                                                                                     \
    ROW(IN, reward,          repeated, "",  "",     reward, IDENTITY, "part of the reward: [SOURCE:]accuracy|format|length|overlong|grader=WEIGHT")     \
    ROW(IN, overlong_buffer, integer,  "0", ">= 0", reward, IDENTITY, "tokens before the length limit over which a penalty grows to 1; 0: none")
// clang-format on
OPTION_GROUP(RewardOptions, REWARD_ROWS)

// rewards_open by options: accuracy alone, with the overlong buffer and the grader where there are these, unless --reward says otherwise.
bool rewards_open_by(Rewards *rewards, const RewardOptions *options, bool grader, int64_t max_new_tokens);

// words: NAME=WEIGHT (of at most WEIGHT_MOST), or SOURCE:NAME=WEIGHT, which begins with the weights of the others. standard: those
// without a word.
bool rewards_open(Rewards *rewards, const char *const *words, size_t count, const double standard[REWARD_PARTS]);
void rewards_close(Rewards *rewards);
bool rewards_check_sources(const Rewards *rewards, const Documents *documents); // fails on one that no document has
const double *reward_weights(const Rewards *rewards, Text source);

// What is known of a response when it ends.
typedef struct RewardFacts {
    Text text, reference, row; // row: the problem as JSON; data NULL: not known
    int64_t tokens;
    bool ended; // by itself, not by the limit
} RewardFacts;

// By rule: what the response says against its reference. A response that was cut off has no answer, and one without an answer is right by
// no rule. Of a text in words rules know no more than that it is the same one: another one is unknown, if it says anything, and so are
// words that stand in no answer that could be found.
void reward_finding(Finding *finding, const RewardFacts *facts);

enum { ANSWER_BYTES = 4096, JUDGED_BYTES = 2000 };

// What a response gives as its answer, for graders. It lies in the response, the finding or out.
Text reward_prediction(const RewardFacts *facts, const Finding *finding, char out[ANSWER_BYTES]);

// What a judge is to compare with the reference; size 0: it is asked nothing, and the finding decides. That is the response's answer;
// where the reference is words or a text and no answer is marked, the end of the response behind its thoughts, at most JUDGED_BYTES of it,
// whole characters. It lies in the response, the finding or out.
Text reward_question(const RewardFacts *facts, const Finding *finding, JudgeAsks asks, char out[ANSWER_BYTES]);

// parts: what is not asked is NaN, as are accuracy and the grader's part before somebody has said them.
void reward_parts(double parts[REWARD_PARTS], const RewardFacts *facts, const Rewards *rewards);

// With accuracy and grader in their places: the parts that follow from them, and the weighted sum.
bool reward_sum(double *sum, double parts[REWARD_PARTS], const RewardFacts *facts, const double weights[REWARD_PARTS],
                Encoder *encoder);

#endif
