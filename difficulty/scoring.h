// How ./score asks about a row, and what goes together.
#ifndef DIFFICULTY_SCORING_H
#define DIFFICULTY_SCORING_H

#include "options/options.h"
#include "rows/records.h"

#define SCORE_METHODS "logits|generate|pass-rate"
typedef enum ScoreMethod { BY_DIGITS, BY_WRITTEN_ANSWERS, BY_PASS_RATE } ScoreMethod;

// clang-format off
#define SCORING_ROWS(ROW, IN) \
    ROW(IN, rubric,         file,     "", "",                 asking,   NEUTRAL,  "file of the scoring prompt, with {question} in it") \
    ROW(IN, print_rubric,   flag,     "false", "",            asking,   NEUTRAL,  "show the rubric, then stop") \
    ROW(IN, method,         choice,   "logits", SCORE_METHODS, asking,  IDENTITY, "score by the probabilities of the digits, by a written answer, or by the share of right responses") \
    ROW(IN, samples,        integer,  "1", "> 0 and <= 1024", asking,   IDENTITY, "written answers or responses to each problem") \
    ROW(IN, max_new_tokens, integer,  "4096", "> 0",          asking,   IDENTITY, "longest written answer or response, in tokens") \
    ROW(IN, temperature,    number,   "-1", ">= -1",          asking,   IDENTITY, "temperature of written answers; 0: greedy; -1: 0, or 1 with --method pass-rate") \
    ROW(IN, seed,           integer,  "0", ">= 0",            asking,   IDENTITY, "seed of written answers and responses") \
    ROW(IN, instruction,    text,     INSTRUCTION_DEFAULT, "", asking,  IDENTITY, "text that ends the user turn of a problem for --method pass-rate, or none") \
    ROW(IN, unusable_share, number,   "0.05", ">= 0 and <= 1", asking, NEUTRAL,  "share of rows that may have no usable score before it is an error")
// clang-format on
OPTION_GROUP(ScoringOptions, SCORING_ROWS)

// Sets the temperature that suits the method, where none is given; and refuses options that the method does not use.
bool scoring_check(ScoringOptions *options, const Options *given, bool remote);

#endif
