// The question to a language model about a problem's difficulty, and how its answer is read: 1 to 5. The rubric is a
// text with {question} in it; the default asks for the criteria of DeReason's scorer (reasoning steps, prerequisite
// knowledge, potential for error; Hu et al. 2026, appendix A.1, whose wording is not public).
#ifndef DIFFICULTY_RUBRIC_H
#define DIFFICULTY_RUBRIC_H

#include "rows/records.h"
#include "server/completion.h"

#define RUBRIC_PLACE "{question}"
extern const char RUBRIC_DEFAULT[];

enum { DIFFICULTIES = 5, DIFFICULTY_DEFAULT = 3 }; // 3 replaces an answer without a level

typedef struct Rubric {
    Bytes text;
    size_t place; // of RUBRIC_PLACE in text
    uint64_t hash;
} Rubric;

bool rubric_open(Rubric *rubric, const char *file); // NULL or "": the default
void rubric_close(Rubric *rubric);
bool rubric_fill(const Rubric *rubric, Bytes *out, Text question);

// The same for a model folder: appends the ids of the prompt, or of the common beginning of all prompts (where tokens
// merge across its end, the engine shares one token less). And the tokens of "1" to "5"; fails, naming the folder,
// where one of them is not a single token.
bool rubric_prompt(const Rubric *rubric, const ChatTemplate *chat, Encoder *encoder, TokenList *ids, Text question);
bool rubric_beginning(const Rubric *rubric, const ChatTemplate *chat, Encoder *encoder, TokenList *ids);
bool rubric_digits(int32_t digits[DIFFICULTIES], Encoder *encoder, const char *folder);

// The question of a row: the last user turn of its prompt, with the options of a multiple choice. Fails where there is
// none.
bool rubric_question(Text *question, const Record *record);

typedef struct Difficulty {
    int level;                  // 1-5, the likeliest; of two, the easier
    double expected;            // mean over probs
    double probs[DIFFICULTIES]; // of 1 to 5; they sum to 1
    bool defaulted;             // no level was given: DIFFICULTY_DEFAULT is used
} Difficulty;

// From log-probabilities of the five answers (they need not sum to 1), or from counts of answers, [0] for those without
// a level.
Difficulty difficulty_of_logprobs(const double logprob[DIFFICULTIES]);
Difficulty difficulty_of_votes(const int64_t votes[DIFFICULTIES + 1]);

// From a server's candidates for the first token of an answer: those that are "1" to "5", with or without white space.
// False: none is.
bool difficulty_of_top(Difficulty *difficulty, const TopToken *top, size_t count);

// The level that a written answer gives; 0: none. It comes after the last "</think>"; an answer that is still thinking
// gives none. Lines of signs alone are skipped. The first of these that is found decides:
//   1. In the last line, a number with a label: a form of score, difficulty, rating, rate, level, grade or intensity,
//      with nothing between but marks and words such as "is", "of", "this a" ("Score: 4", "I rate it 4", {"score": 4});
//      "overall", "final", "answer" and the like where a colon follows. Of several the last one, in JSON the last key.
//      What is in a \boxed{} counts alone.
//   2. A number alone in the last line: "4", "**4**", "4/5", "| 3 |".
//   3. In the five lines before it, the nearest with a label at its beginning and a ":", "=" or "is"; a \boxed{}; or a
//      **4** alone. "Score: 4" may have reasons after it, "4" may not.
//   4. In the last line, if it is short, the only number of 1 to 5; one behind "so", "thus" and the like at its end
//      even if there are others. The line must not deny or compare ("not 5", "at least 4"), and what lies beyond 5 may
//      stand before it.
// Where a labelled place holds no level, there is none: nothing else is searched.
//   - Parentheses and brackets do not count, where a digit is outside.
//   - A scale is no level, but qualifies one: "4/5", "4 out of 5", "on a scale from 1 to 5: 4" are 4,
//     and "4/10" is none.
//   - The number must be 1, 2, 3, 4 or 5 (4.0 too): "10", "3.5", "-3", "0", "04" and "6" are none, and so are lists and
//   ranges ("3-4",
//     "3 or 4", "3, 4", "4 4") and formulas ("2+2", "2^2", "3 < x < 5", "4%", "4+", "~4").
//   - Without a label, a number that counts or names things is none: "2 steps", "Step 5".
//   - A line without digits may end in one to five, alone or after a colon or a label: "five", "Score: Five",
//     "four out of five".
int difficulty_in_text(const char *text, size_t size);

#endif
