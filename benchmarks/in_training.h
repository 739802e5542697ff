// Benchmarks while a model trains: at every evaluation of a run (evaluation/in_run.h) the model that trains answers
// their questions, as ./evaluate has them asked, drawn and scored. The log's line gets, for each task,
//
//   val-core/TASK/score, strict   by the protocol, and strictly (figures/figures.h)
//   val-core/TASK/pass@k          where there are k responses to a question, k above 1
//   val-aux/TASK/cut_off, without_answer   shares of responses
//
// and OUT/evaluations/step-N/ TASK.jsonl, every response with its verdicts, and summary.json; ./evaluate --compare
// takes such folders. All ranks share the questions; figures and responses are those of one.
#ifndef BENCHMARKS_IN_TRAINING_H
#define BENCHMARKS_IN_TRAINING_H

#include "benchmarks/bench.h"
#include "evaluation/sft.h"

// clang-format off
#define TRAINING_TASK_ROWS(ROW, IN) \
    ROW(IN, eval_tasks,           list,     "", "",      tasks, NEUTRAL, "benchmarks for evaluations, by name or task file") \
    ROW(IN, eval_task_data,       repeated, "", "",      tasks, NEUTRAL, "TASK=FILE: a benchmark's questions, JSONL or CSV") \
    ROW(IN, eval_task_shots,      repeated, "", "",      tasks, NEUTRAL, "TASK=FILE: worked examples, where a task wants them") \
    ROW(IN, eval_task_limit,      integer,  "0", ">= 0", tasks, NEUTRAL, "only the first questions of each; 0: all") \
    ROW(IN, eval_task_samples,    integer,  "0", ">= 0 and <= 65536", tasks, NEUTRAL, "responses to each question; 0: as the task says") \
    ROW(IN, eval_task_new_tokens, integer,  "0", ">= 0", tasks, NEUTRAL, "longest response in tokens; 0: the task's") \
    ROW(IN, eval_task_temperature, number, "-1", ">= -1", tasks, NEUTRAL, "temperature, 0: greedy; -1: as the task says")
// clang-format on
OPTION_GROUP(TrainingTaskOptions, TRAINING_TASK_ROWS)

typedef struct TaskPrompt { // a question and sample
    const Asking *asking;
    size_t first, count; // of its ids
    uint64_t id;         // names its draws
    size_t row;          // where its row begins, without the prompt: "{...", of row_size bytes
    size_t row_size;
} TaskPrompt;

typedef struct InTraining {
    BenchmarkOptions options;
    Bench bench;
    TaskPrompt *list; // (count)
    size_t count, capacity;
    TokenList ids;
    Bytes rows;
    StopTexts *stops; // (bench.count)
    Requests needs;   // for the engine
    // of an evaluation
    const ModelFiles *files;
    uint64_t seed;
    RunLog *log;
    int64_t step;
    Bytes *answers; // (count) the row with its response, where this rank has it
    Bytes text;
} InTraining;

// Opens the tasks and reads all questions; nothing where there are no tasks. seed: of the draws. files stay the
// caller's, and are needed again by in_training_join. Refused: options without a task, a question that leaves no room
// for a response.
bool in_training_open(InTraining *tasks, const TrainingTaskOptions *options, const Options *given,
                      const ModelFiles *files, uint64_t seed);
// The same, of a model whose files are not open yet.
bool in_training_open_with(InTraining *tasks, const TrainingTaskOptions *options, const Options *given,
                           const ModelFilesOptions *files, uint64_t seed);
// Before run_open: what their figures are measured with (log/measured.h).
bool in_training_measures(const InTraining *tasks, Run *run);
// From now on they are a part of these evaluations, by a model with these files. Ranks have to have the same questions.
bool in_training_join(InTraining *tasks, Evaluation *evaluation, const ModelFiles *files);
void in_training_close(InTraining *tasks);

#endif
