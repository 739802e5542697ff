// A question of a benchmark, read from a row of the user's data as its task says, and the prompt that puts it.
#ifndef BENCHMARKS_QUESTION_H
#define BENCHMARKS_QUESTION_H

#include "tasks/task.h"
#include "json/json_source.h"

typedef struct Question {
    json_t *row, *made; // own what the texts point into
    const char *where;  // file and line, as long as the caller's text lives; of an example NULL
    Bytes line;
    JsonFields fields;
    Text id;                    // data NULL: the row has none
    Text asked;                 // the question itself
    Text worked;                // of an example; data NULL: none
    Text answer;                // as the row has it
    Text options[LETTERS_MOST]; // (option_count) in the order shown
    size_t option_count;
    size_t right;                     // the place of the right option
    Text categories[CATEGORIES_MOST]; // of the task's fields; data NULL: the row has none
    Bytes paths;                      // the texts of categories
    Bytes changed;                    // the worked answer, where the task replaces something in it
} Question;

// Reads a row; where (its file and line) is in every error. example: its worked answer is needed.
bool question_read(Question *question, const Task *task, Text row, const char *where, bool example);
void question_free(Question *question);

// Options in another order: place i shows what was at order[i].
void question_shuffle(Question *question, const uint32_t *order);

// The prompt, or the user turn. examples: (count), which `shot` puts before it.
bool question_prompt(Bytes *out, const Task *task, const Question *question, const Question *examples, size_t count);

#endif
