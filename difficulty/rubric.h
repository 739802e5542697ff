// The question that a language model is asked about a problem's difficulty, and what its answer means: 1 to 5. The rubric is a text
// with {question} in it; the default asks what DeReason's scorer asks for (reasoning steps, prerequisite knowledge, potential for
// error; Hu et al. 2026, appendix A.1, whose very words are not public).
#ifndef DIFFICULTY_RUBRIC_H
#define DIFFICULTY_RUBRIC_H

#include "rows/records.h"
#include "server/completion.h"

#define RUBRIC_PLACE "{question}"
extern const char RUBRIC_DEFAULT[];

enum { DIFFICULTIES = 5, DIFFICULTY_DEFAULT = 3 }; // 3 stands in for an answer that says none

typedef struct Rubric {
    Bytes text;
    size_t place; // of RUBRIC_PLACE in it
    uint64_t hash;
} Rubric;

bool rubric_open(Rubric *rubric, const char *file); // NULL or "": the default
void rubric_close(Rubric *rubric);
bool rubric_fill(const Rubric *rubric, Bytes *out, Text question);

// The same as a model folder reads it: appends the ids of the prompt, or of what the prompts of all problems begin with
// (where tokens merge across that edge, the engine shares a token less). And the tokens of "1" to "5"; fails, naming the
// folder, where one of them is no token.
bool rubric_prompt(const Rubric *rubric, const ChatTemplate *chat, Encoder *encoder, TokenList *ids, Text question);
bool rubric_beginning(const Rubric *rubric, const ChatTemplate *chat, Encoder *encoder, TokenList *ids);
bool rubric_digits(int32_t digits[DIFFICULTIES], Encoder *encoder, const char *folder);

// What a row asks: the last user turn of its prompt, options of a multiple choice included. Fails where it has none.
bool rubric_question(Text *question, const Record *record);

typedef struct Difficulty {
    int level;                  // 1-5, the likeliest; the easier of two
    double expected;            // mean over probs
    double probs[DIFFICULTIES]; // of 1 to 5; they sum to 1
    bool defaulted;             // nothing said any of them: DIFFICULTY_DEFAULT stands in
} Difficulty;

// From log-probabilities of the five answers (they need not sum to 1), or from how often each was given, [0] for none of them.
Difficulty difficulty_of_logprobs(const double logprob[DIFFICULTIES]);
Difficulty difficulty_of_votes(const int64_t votes[DIFFICULTIES + 1]);

// A server's candidates for the first token of an answer: those that are "1" to "5", with white space around them or not. False:
// none of them is.
bool difficulty_of_top(Difficulty *difficulty, const TopToken *top, size_t count);

// The level that a written answer gives; 0: it gives none. It stands behind the last "</think>"; an answer that is still thinking gives
// none. Lines of signs alone are left out. The first of these that there is decides:
//   1. In the last line, a number with a label: a form of score, difficulty, rating, rate, level, grade or intensity, with nothing
//      between but marks and words such as "is", "of", "this a" ("Score: 4", "I rate it 4", {"score": 4}); "overall", "final", "answer"
//      and the like where a colon follows. Of several the last one, in JSON the last key. What is in a \boxed{} counts alone.
//   2. A number alone in the last line: "4", "**4**", "4/5", "| 3 |".
//   3. In the five lines before it, the nearest with a label at its beginning and a ":", "=" or "is"; a \boxed{}; or a **4** alone.
//      "Score: 4" may have reasons behind it, "4" may not.
//   4. In the last line, if it is short, the only number of 1 to 5; one behind "so", "thus" and the like at its end even if there are
//      others. The line must not deny or compare ("not 5", "at least 4"), and what lies beyond 5 may stand before it.
// Where a label stands at what is no level, there is none: nothing else is looked for.
//   - What stands in parentheses or brackets does not count, where a digit stands outside.
//   - A scale is no level, but says of what: "4/5", "4 out of 5", "on a scale from 1 to 5: 4" are 4, and "4/10" is none.
//   - The number must be 1, 2, 3, 4 or 5 (4.0 too): "10", "3.5", "-3", "0", "04" and "6" are none, and so are lists and ranges ("3-4",
//     "3 or 4", "3, 4", "4 4") and formulas ("2+2", "2^2", "3 < x < 5", "4%", "4+", "~4").
//   - Without a label, what counts or names things is none: "2 steps", "Step 5".
//   - A line without digits may end in one to five, alone or behind a colon or a label: "five", "Score: Five", "four out of five".
int difficulty_in_text(const char *text, size_t size);

#endif
