// The prompts of a run, as rows that ./generate takes too, a line for each question and sample:
//
//   {"id": "mmlu_pro/70", "messages": [{"role": "user", "content": "..."}],
//    "evaluate": {"task": "mmlu_pro", "question": 0, "sample": 0, "id": "70", "asked": "...", "options": ["..."],
//                 "categories": ["business"], "reference": "I"}}
//
// or "prompt", a text, in the place of messages, and "completion": true in evaluate, where the task goes on with a
// text. evaluate is what scoring has to know; a response is its row with "text" added, and without the prompt.
#ifndef BENCHMARKS_PROMPTS_H
#define BENCHMARKS_PROMPTS_H

#include "tasks/task.h"
#include "system/files.h"
#include "tokenizer/tokenizer.h"

typedef struct Asking { // a task of a run
    Task task;
    const char *data, *shots;        // the user's files; shots NULL: none
    int64_t samples, max_new_tokens; // the task's, or as the user wishes
    double temperature;
    const char *option; // before "shots" in errors
    // by prompts_write
    int64_t rows, questions; // in the data; asked
    int64_t fewer_shots;     // questions with fewer examples than the task wants, because of prompt_tokens
    uint64_t hash;           // of the data and the examples
} Asking;

// Appends a task's prompts. limit: the first questions only; 0: all. encoder: counts tokens for prompt_tokens; NULL:
// nothing is left out. Fails with file and line where a row is not what the task reads, and where two have one name.
bool prompts_write(AtomicFile *out, Asking *asking, int64_t limit, Encoder *encoder);

bool asking_hash(const Asking *asking, uint64_t *hash); // of the data and the examples

#endif
