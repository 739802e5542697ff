// The reward of a response: parts, each with a weight, added up. A part's value does not depend on its weight, so each
// is logged alone. A part without a verdict (of a judge, say) is NaN, and so is a sum in which it has a weight: such a
// response has advantage 0 (advantage.h), and is counted.
#ifndef RL_REWARD_H
#define RL_REWARD_H

#include "answers/verify.h"
#include "data/documents.h"
#include "judges/referees.h"
#include "options/options.h"
#include "tokenizer/tokenizer.h"

typedef enum RewardPart {
    REWARD_ACCURACY, // 1: the answer is the reference's, else 0
    // 1: the response ended by itself and holds an answer that is marked as one (\boxed{}, "The answer is"), else 0
    REWARD_FORMAT,
    // -0.05 · min(10, |tokens of the answer - tokens of the reference|) where it is right, else 0: Ma et al. 2025
    REWARD_LENGTH,
    // (General-Reasoner), section 4.1
    REWARD_OVERLONG, // 0 to -1 in the last tokens before the limit: Yu et al. 2025 (DAPO), eq. 13
    REWARD_GRADER,   // what an external program says (grader.h)
    REWARD_PARTS
} RewardPart;
enum { WEIGHT_MOST = 1000000 }; // a larger one is a mistake, and sums of squares would make it one of the run's
extern const char *const REWARD_NAMES[REWARD_PARTS];

typedef struct RewardWeights {
    char *source; // of the problems that these are for; NULL: all others
    double of[REWARD_PARTS];
} RewardWeights;

typedef struct Rewards {
    RewardWeights *list; // (count) the first for all problems without a source of their own here
    size_t count;
    bool has[REWARD_PARTS];  // a weight is not 0
    int64_t overlong_buffer; // tokens; 0: no overlong part
    int64_t max_new_tokens;
} Rewards;

// clang-format off
#define REWARD_ROWS(ROW, IN) \
    ROW(IN, reward,          repeated, "",  "",     reward, IDENTITY, "part of the reward: [SOURCE:]accuracy|format|length|overlong|grader=WEIGHT") \
    ROW(IN, overlong_buffer, integer,  "0", ">= 0", reward, IDENTITY, "tokens before the length limit over which a penalty grows to 1; 0: none")
// clang-format on
OPTION_GROUP(RewardOptions, REWARD_ROWS)

// Words of --reward are NAME=WEIGHT (of at most WEIGHT_MOST), or SOURCE:NAME=WEIGHT, whose other weights are those for
// all. Without a word, accuracy has weight 1, and so have the overlong buffer and the grader where they are given.
// rewards is zeroed; close it after a failure too.
bool rewards_open(Rewards *rewards, const RewardOptions *options, bool has_grader, int64_t max_new_tokens);
void rewards_close(Rewards *rewards);
bool rewards_check_sources(const Rewards *rewards, const Documents *documents); // fails on one that no document has
const double *reward_weights(const Rewards *rewards, Text source);

// A response that has ended.
typedef struct RewardFacts {
    Text text, reference, row; // row: the problem as JSON; data NULL: unknown
    int64_t tokens;
    bool ended; // by itself, not by the limit
} RewardFacts;

// The verdict by rule. A response that was cut off, or has no answer, is wrong. Where the reference is a text in words,
// rules only know whether the answer is the same text: another one is unknown, and so is a response in words without a
// marked answer.
void reward_finding(Finding *finding, const RewardFacts *facts);

enum { ANSWER_BYTES = 4096, JUDGED_BYTES = 2000 };

// The response's answer, for graders; a part of the response, the finding or out.
Text reward_prediction(const RewardFacts *facts, const Finding *finding, char out[ANSWER_BYTES]);

// What a judge compares with the reference: the response's answer; or, where the reference is in words and no answer is
// marked, the end of the response after its thoughts, at most JUDGED_BYTES of whole characters. Size 0: the judge is
// not asked, the finding decides.
Text reward_question(const RewardFacts *facts, const Finding *finding, JudgeAsks asks, char out[ANSWER_BYTES]);

// All parts but accuracy and the grader's, which are set to NaN, as is a part that is not asked for.
void reward_parts(double parts[REWARD_PARTS], const RewardFacts *facts, const Rewards *rewards);

// After accuracy and the grader's score are in their places: the parts that follow from them, and the weighted sum.
bool reward_sum(double *sum, double parts[REWARD_PARTS], const RewardFacts *facts, const double weights[REWARD_PARTS],
                Encoder *encoder);

#endif
