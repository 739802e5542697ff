// A run of benchmarks in its folder:
//
//   prompts.jsonl     what is asked (benchmarks/prompts.h)
//   responses.jsonl   what was answered; while it is made, responses.jsonl.partial (rows/journal.h)
//   run.json          who answered, and how: the model, its template and end tokens, options, the data's hashes
//   TASK.jsonl        every response with its verdicts (figures/figures.h)
//   summary.json      the scores
//   page.html         all of it, to be read
//
// The last three are made anew from the first ones whenever the command is repeated.
#ifndef BENCHMARKS_BENCH_H
#define BENCHMARKS_BENCH_H

#include "asking/row_work.h"
#include "benchmarks/prompts.h"

// clang-format off
#define BENCHMARK_ROWS(ROW, IN) \
    ROW(IN, tasks,          list,     "", "",             tasks,    IDENTITY, "benchmarks, by name or task file") \
    ROW(IN, data,           repeated, "", "",             tasks,    NEUTRAL,  "TASK=FILE: a benchmark's questions, JSONL or CSV") \
    ROW(IN, shots,          repeated, "", "",             tasks,    NEUTRAL,  "TASK=FILE: worked examples, where a task wants them") \
    ROW(IN, limit,          integer,  "0", ">= 0",        tasks,    IDENTITY, "only the first questions of each; 0: all") \
    ROW(IN, out,            folder,   "", "",             output,   NEUTRAL,  "folder to write") \
    ROW(IN, samples,        integer,  "0", ">= 0 and <= 65536", sampling, IDENTITY, "responses to each question; 0: as the task says") \
    ROW(IN, max_new_tokens, integer,  "0", ">= 0",        sampling, IDENTITY, "longest response, in tokens; 0: as the task says") \
    ROW(IN, temperature,    number,   "-1", ">= -1",      sampling, IDENTITY, "sampling temperature, 0: greedy; -1: as the task says") \
    ROW(IN, seed,           integer,  "0", ">= 0",        sampling, IDENTITY, "seed of the draws")
// clang-format on
OPTION_GROUP(BenchmarkOptions, BENCHMARK_ROWS)

typedef struct Bench {
    const BenchmarkOptions *o;
    const char *option, *options; // before the options' names in errors: of --data and --shots, of --tasks
    const Options *given;
    Asking *list; // (count) the tasks
    size_t count;
    Bytes prompts, responses, partial, facts, summary, page; // paths of its files; facts: run.json
    const char *judge, *judge_form; // model that compares answers, and its question; NULL: none, they go by rule
} Bench;

// Opens the tasks, finds their data, and makes the folder. training: the options are those of a training program
// (benchmarks/in_training.h), as errors call them.
bool bench_open(Bench *run, const BenchmarkOptions *options, const Options *given, bool training);
void bench_close(Bench *run);

const Asking *bench_task(const Bench *run, const char *name); // NULL: it has no such task

bool bench_check_draws(const Bench *run); // before a model answers: refuses several samples that would be alike

// Writes prompts.jsonl. Fails where there are others: what was answered would belong to other questions.
bool bench_write_prompts(Bench *run, Encoder *encoder);

bool bench_tell_sampling(const Bench *run, FILE *out); // for ./generate, by its options

// Writes run.json. work: who answers; NULL: somebody else has, in the file `responses`.
bool bench_note(const Bench *run, const RowWork *work, const char *responses);

// Whether responses.jsonl is there. Then what run.json says is what it was made from; fails where the tasks, the data,
// the options or the model's name are others now, and where they are not the run's: changed, or more than `skips` of
// them missing.
bool bench_has_responses(Bench *run, const char *model, int64_t skips, bool *there);

// Writes responses.jsonl from somebody else's: rows with a text (text, response, output or completion), which belong to
// the prompts by id (of prompts.jsonl, or of the data where there is one task) and in the order of the samples, or, if
// none has an id, by their order; and run.json.
bool bench_take_responses(const Bench *run, const char *path);

// Adds how a task's questions were asked: "about", beside every score. facts: of run.json.
bool bench_put_about(json_t *figures, const Bench *run, const Asking *asking, const json_t *facts);

// Writes summary.json, from TASK.jsonl of all tasks. A new reference; NULL after fail().
json_t *bench_summary(const Bench *run);

#endif
