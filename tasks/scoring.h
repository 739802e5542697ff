// Whether a response to a benchmark's question is right: by the benchmark's own rules, quirks included, and strictly.
//
//   protocol    the task's turns, after, before, extract, read, unanswered and score, as tasks/task.h lists them
//   strict      by answers/verify.h: no letter is drawn, a letter stands alone, white space around options is no part
//               of them, an answer is compared by meaning
#ifndef TASKS_SCORING_H
#define TASKS_SCORING_H

#include "tasks/task.h"

typedef struct AskedQuestion {
    Text id;
    Text reference;      // a letter where there are options, else the answer
    const Text *options; // (option_count) as shown, in the order shown; 0: none
    size_t option_count;
} AskedQuestion;

enum { EXTRACTED_BYTES = 512 };

typedef struct Marks {
    bool right;                      // by the protocol
    bool drawn;                      // there was no letter, and one was drawn: right or not by chance
    double by_chance;                // of a drawn one: how probable it was to be right
    bool found;                      // something was extracted
    bool readable;                   // and it can be read as an answer (a letter; an answer of the reference's kind)
    bool gave_up;                    // a pattern took too many steps: what was found, or not, is the other patterns'
    bool strict;                     // right, strictly
    bool ended;                      // what was read ended before the response did: its being cut off does not matter
    char letter;                     // that counted, drawn or found; 0: none
    Text answer;                     // what was extracted, whole; until the scorer's next response
    char extracted[EXTRACTED_BYTES]; // of it as much as fits, cut at a character; "": nothing
    char rule[EXTRACTED_BYTES];      // why the strict verdict is what it is, in a few words
} Marks;

typedef struct Scorer Scorer; // a task's patterns, compiled; each thread has its own

Scorer *scorer_open(const Task *task); // NULL after fail(): the pattern, and where it is wrong
void scorer_close(Scorer *scorer);

// A response is scored alike in any order and on any machine: the letter that `one-of-ten` draws depends on the
// question's id and the sample alone. With `one-of-its-own` nothing is drawn here: see scorer_draw.
bool scorer_mark(Scorer *scorer, const AskedQuestion *question, int64_t sample, Text response, Marks *marks);

// MMLU-Pro's script draws an option's place for every response without an answer, from Python's random.seed(12345) on,
// category by category in sorted order, in each in the order of the rows; and all of a category twice, of which the
// second time counts. Called in that order, twice for each such response; sets drawn, by_chance, letter and right.
void scorer_draw(Scorer *scorer, const AskedQuestion *question, Marks *marks);

#endif
