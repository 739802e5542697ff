// From verdicts to scores: what a run says of itself, and how two runs differ.
//
// A row of TASK.jsonl is a response:
//
//   {"task": "mmlu_pro", "id": "70", "question": 0, "sample": 0, "asked": "Typical advertising ...",
//    "options": ["..."], "categories": ["business"], "reference": "I", "text": "...", "finish_reason": "stop",
//    "tokens": 512, "extracted": "I", "letter": "I", "right": true, "strict": true, "rule": "the same letter",
//    "found": true, "readable": true, "drawn": false, "by_chance": 0}
//
// question: its number in the data, from 0; rows of one question are neighbours, in the order of the data, its samples
// in theirs. categories: one for each of the task's fields, null where the row has none. options and letter are absent
// for other questions; tokens is absent where a server generated, finish_reason where somebody else does not say it.
// judge: what a judge said, null where it decided nothing; absent where none was asked. gave_up: true where a
// pattern took too many steps, so that extracted is what the others found; else absent.
//
// summary.json holds one object for each task, by its name:
//
//   task, task_hash     the task and its text's hash, in hexadecimal
//   headline            micro, macro or harmonic: which of them `score` is
//   score, stderr       by the protocol; interval: [low, high], of 95%; Wilson's where all questions are alike
//   count               questions; responses: to all of them; samples: the most to one question
//   micro               the mean over questions of the share of right responses (avg@n)
//   macro               the mean over categories of that
//   harmonic            the harmonic mean over categories as BBEH's authors have it: of each accuracy plus one
//                       percentage point, so that a category without a right response does not make it 0 (their table
//                       has such models: it is not 0 there). OpenCompass adds the point only where an accuracy is 0.
//   harmonic_unadjusted the same without that point: 0 if any category is
//   strict              {score, stderr}: the same headline, strictly scored (tasks/scoring.h)
//   fields              names of the fields of `categories`; where there are none, macro and harmonic are absent too
//   by_category         of the first field: {"business": {score, stderr, count, strict: {score, stderr}}, ...}
//   by_field            of each further field such an object, by the field's name
//   pass_at_k           {"1": ..., "2": ..., "4": ...} and the most that all questions have, where that is above 1
//                       (evaluation/attempts.h)
//   shares              of responses: ends_known (how they ended), of those cut_off (finish_reason "length");
//                       without_answer (nothing was found), unreadable (found, but no answer)
//   drawn               {count, share, by_chance, right}: a letter was drawn; of these, the share that is right by
//                       chance, and the share that came out right
//   disagreements       {count, only_protocol, only_strict}: responses that only one of the two calls right
//   judged              {asked, decided}: answers that a judge was asked about, and those that it decided; the others'
//                       verdicts are the rules'. Absent without a judge
//   gave_up             responses with gave_up; absent where there is none
//   response_tokens     the mean; null where no row has tokens
//   shortest_cut        tokens of the shortest response that was cut off; absent where none was
//   about               what the program adds for people: model, sampling, template, stop, data, ... (any JSON)
//
// Without questions a score is null, and with one alone its error is. Shares, scores and errors are between 0 and 1
// (harmonic: 0.01 and 1.01). stderr is the bootstrap's over questions, all responses to one together: of a mean in its
// limit, else by resampling (figures/bootstrap.h), where a small category may be absent from a sample. Everything is a
// function of the rows of TASK.jsonl and of nothing else.
#ifndef FIGURES_FIGURES_H
#define FIGURES_FIGURES_H

#include "tasks/task.h"
#include "json/json.h"

// The task's object in summary.json, from its rows at `path`; all but `about`. A new reference; NULL after fail(),
// which names file and line.
json_t *figures_of(const Task *task, const char *path);

bool figures_cut_off(const char *finish_reason); // "length", as most servers say it, and others' words for that

// What summary.json says, for the terminal: a table by task and category.
bool figures_table(Bytes *out, const json_t *summary);

// Runs side by side, from their folders (summary.json, TASK.jsonl): the questions that they answer differently; scores
// of those questions that all have, and each run's difference to the first with its significance. Fails where the
// folders have no task in common, the same task by another text, or other questions under the same ids.
bool figures_compare(Bytes *out, const char *const *folders, size_t count);

#endif
