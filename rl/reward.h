// The reward of a response: parts, each with a weight, added up. What a part is does not depend on its weight, so each is logged alone.
// A part that could not be had (a judge that gave no verdict) is NaN, and so is then a sum that it has a weight in: the response's
// advantage is 0 (advantage.h), and it is counted.
#ifndef RL_REWARD_H
#define RL_REWARD_H

#include "data/documents.h"
#include "data/tokenizer.h"
#include "answers/verify.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum RewardPart {
    REWARD_ACCURACY, // 1: the answer is the reference's, else 0
    REWARD_FORMAT, // 1: the response ended by itself and holds an answer that is marked as one (\boxed{}, "The answer is"), else 0
    REWARD_LENGTH, // -0.05 · min(10, |tokens of the answer - tokens of the reference|) where it is right, else 0: Ma et al. 2025
                   // (General-Reasoner), section 4.1
    REWARD_OVERLONG, // 0 to -1 in the last tokens before the limit: Yu et al. 2025 (DAPO), eq. 13
    REWARD_GRADER,   // what an external program says (grader.h)
    REWARD_PARTS
} RewardPart;
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

// words: NAME=WEIGHT, or SOURCE:NAME=WEIGHT, which begins with the weights of the others. standard: those without a word.
bool rewards_open(Rewards *rewards, const char *const *words, size_t count, const double standard[REWARD_PARTS]);
void rewards_close(Rewards *rewards);
const double *reward_weights(const Rewards *rewards, Text source);

// What is known of a response when it ends.
typedef struct RewardFacts {
    Text text, reference, row; // row: the problem as JSON; data NULL: not known
    int64_t tokens;
    bool ended; // by itself, not by the limit
} RewardFacts;

// By rule: what the response says against its reference. A response that was cut off has no answer.
Verdict reward_verdict(const RewardFacts *facts);

// parts: all but accuracy and the grader's, which are NaN before somebody has said them.
void reward_parts(double parts[REWARD_PARTS], const RewardFacts *facts, const Rewards *rewards);

// With accuracy and grader in their places: the parts that follow from them, and the weighted sum.
bool reward_sum(double *sum, double parts[REWARD_PARTS], const RewardFacts *facts, const double weights[REWARD_PARTS],
                Encoder *encoder);

#ifdef __cplusplus
}
#endif
#endif
