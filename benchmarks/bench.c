// The tasks of a run, and its prompts: see bench.h. What it knows of itself is in bench_facts.c.
#include "benchmarks/bench.h"
#include "tasks/scoring.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- tasks and their data

// Before a model has worked for hours.
static bool can_be_scored(const Task *task)
{
    Scorer *scorer = scorer_open(task);
    scorer_close(scorer);
    return scorer != NULL;
}

// Its TASK.jsonl would be another file of the run.
static bool has_a_name_of_its_own(const Task *task)
{
    static const char *const taken[] = {"prompts", "responses", "judge"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(task->name, taken[i]) == 0)
            return fail_as(ERROR_USAGE,
                           "--tasks: a run has a file %s.jsonl of its own; give the task's file another name",
                           task->name);
    return true;
}

static bool add_task(Bench *run, size_t *capacity, const char *name)
{
    TRY(grow(&run->list, capacity, run->count + 1, sizeof *run->list));
    Asking *asking = &run->list[run->count++];
    *asking = (Asking){.option = run->option};
    TRY(task_open(&asking->task, name) && can_be_scored(&asking->task) && has_a_name_of_its_own(&asking->task));
    if (bench_task(run, asking->task.name) != asking)
        return fail_as(ERROR_USAGE, "--%stasks: %s is named twice", run->options, asking->task.name);
    const TaskOptions *task = &asking->task.o;
    asking->samples = run->o->samples > 0 ? run->o->samples : task->samples;
    asking->max_new_tokens = run->o->max_new_tokens > 0 ? run->o->max_new_tokens : task->max_new_tokens;
    asking->temperature = run->o->temperature >= 0 ? run->o->temperature : task->temperature;
    return true;
}

bool bench_check_draws(const Bench *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const Asking *a = &run->list[i];
        if (a->samples > 1 && a->temperature == 0 && !a->task.o.shuffle) // which asks each sample otherwise
            return fail_as(ERROR_USAGE,
                           "%s: %" PRId64 " samples at temperature 0 are one and the same; give a --%stemperature",
                           a->task.name, a->samples, run->option);
    }
    return true;
}

// Names may be separated by commas, too.
static bool add_tasks(Bench *run, size_t *capacity, const char *names)
{
    Bytes name = {0};
    bool ok = true;
    while (ok && *names != 0) {
        size_t length = strcspn(names, ",");
        bytes_clear(&name);
        ok = length == 0 || (bytes_append(&name, names, length) && add_task(run, capacity, name.data));
        names += length + (names[length] == ',');
    }
    bytes_free(&name);
    return ok;
}

// TASK=FILE; the task's name alone would do where there is one, but says less.
static bool match(Bench *run, const char *option, const char *word, bool shots)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word || equals[1] == 0)
        return fail_as(ERROR_USAGE, "--%s%s %s: must be TASK=FILE", run->option, option, word);
    for (size_t i = 0; i < run->count; i++) {
        Asking *asking = &run->list[i];
        const char **file = shots ? &asking->shots : &asking->data;
        if (strlen(asking->task.name) != (size_t)(equals - word) ||
            strncmp(asking->task.name, word, (size_t)(equals - word)) != 0)
            continue;
        if (*file != NULL)
            return fail_as(ERROR_USAGE, "--%s%s: %s has two files; join them, or drop one", run->option, option,
                           asking->task.name);
        *file = equals + 1;
        return true;
    }
    return fail_as(ERROR_USAGE, "--%s%s %s: --%stasks does not name %.*s", run->option, option, word, run->options,
                   (int)(equals - word), word);
}

static bool open_tasks(Bench *run)
{
    const BenchmarkOptions *o = run->o;
    size_t capacity = 0;
    for (size_t i = 0; i < o->tasks.count; i++)
        TRY(add_tasks(run, &capacity, o->tasks.items[i]));
    if (run->count == 0)
        return fail_as(ERROR_USAGE, "give --%stasks; ./evaluate --list shows them", run->options);
    for (size_t i = 0; i < o->data.count; i++)
        TRY(match(run, "data", o->data.items[i], false));
    for (size_t i = 0; i < o->shots.count; i++)
        TRY(match(run, "shots", o->shots.items[i], true));
    for (size_t i = 0; i < run->count; i++)
        if (run->list[i].data == NULL)
            return fail_as(ERROR_USAGE, "%s: its questions are missing (%s); give --%sdata %s=FILE",
                           run->list[i].task.name, run->list[i].task.o.data, run->option, run->list[i].task.name);
    return true;
}

// ---- its files

// A name in the folder that leads to one of the user's files, or is one.
static bool is_the_users(const Bench *run, const char *path, bool *theirs)
{
    for (size_t i = 0; i < run->count && !*theirs; i++) {
        const char *inputs[] = {run->list[i].data, run->list[i].shots};
        for (int k = 0; k < 2 && !*theirs; k++) {
            struct stat a, b;
            *theirs = inputs[k] != NULL && stat(path, &a) == 0 && stat(inputs[k], &b) == 0 && a.st_dev == b.st_dev &&
                      a.st_ino == b.st_ino;
        }
    }
    return !*theirs ||
           fail_as(ERROR_USAGE, "%s: is an input of this run, and would be replaced; give another --out", path);
}

static bool spares_inputs(const Bench *run)
{
    const char *const paths[] = {run->prompts.data, run->responses.data, run->facts.data, run->summary.data,
                                 run->page.data};
    bool theirs = false, ok = true;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        TRY(is_the_users(run, paths[i], &theirs));
    for (size_t i = 0; ok && i < run->count; i++) {
        Bytes path = {0};
        ok = bytes_printf(&path, "%s/%s.jsonl", run->o->out, run->list[i].task.name) &&
             is_the_users(run, path.data, &theirs);
        bytes_free(&path);
    }
    return ok;
}

// A folder with anything in it is a run's, which begins with its prompts.
static bool is_ours(const Bench *run)
{
    char **names;
    size_t count;
    PathKind kind;
    TRY(path_kind(&kind, run->o->out));
    if (kind == PATH_NONE || file_exists(run->prompts.data))
        return true;
    TRY(folder_list(&names, &count, run->o->out));
    bool empty = true;
    for (size_t i = 0; i < count; i++)
        empty = empty && (names[i][0] == '.' || strstr(names[i], ".tmp-") != NULL);
    names_free(names, count);
    return empty || fail("%s: holds other files; give another --out", run->o->out);
}

bool bench_open(Bench *run, const BenchmarkOptions *o, const Options *given, bool training)
{
    *run = (Bench){.o = o, .option = training ? "eval-task-" : "", .options = training ? "eval-" : "", .given = given};
    if (o->out[0] == 0)
        return fail_as(ERROR_USAGE, "give --out, a folder");
    if (o->temperature > -1 && o->temperature < 0)
        return fail_as(ERROR_USAGE, "--%stemperature %g: 0 is greedy, and -1 as the task says", run->option,
                       o->temperature);
    TRY(open_tasks(run) && bytes_printf(&run->prompts, "%s/prompts.jsonl", o->out) &&
        bytes_printf(&run->responses, "%s/responses.jsonl", o->out) &&
        bytes_printf(&run->facts, "%s/run.json", o->out) && bytes_printf(&run->summary, "%s/summary.json", o->out) &&
        bytes_printf(&run->page, "%s/page.html", o->out) &&
        bytes_printf(&run->partial, "%s/responses.jsonl.partial", o->out));
    return spares_inputs(run) && (training || is_ours(run)) && folder_make(o->out);
}

void bench_close(Bench *run)
{
    for (size_t i = 0; i < run->count; i++)
        task_close(&run->list[i].task);
    free(run->list);
    bytes_free(&run->prompts);
    bytes_free(&run->responses);
    bytes_free(&run->partial);
    bytes_free(&run->facts);
    bytes_free(&run->summary);
    bytes_free(&run->page);
}

const Asking *bench_task(const Bench *run, const char *name)
{
    for (size_t i = 0; i < run->count; i++)
        if (strcmp(run->list[i].task.name, name) == 0)
            return &run->list[i];
    return NULL;
}

// ---- prompts

static bool is_same_file(bool *same, const char *a, const char *b)
{
    MappedFile left, right;
    TRY(file_map(&left, a));
    bool ok = file_map(&right, b);
    *same = ok && left.size == right.size && (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
    if (ok)
        file_unmap(&right);
    file_unmap(&left);
    return ok;
}

// Prompts that are there stay, if they are the same.
static bool publish(const Bench *run, AtomicFile *file)
{
    PathKind kind;
    bool same;
    TRY(path_kind(&kind, run->prompts.data));
    if (kind == PATH_NONE)
        return atomic_commit(file);
    TRY(is_same_file(&same, run->prompts.data, file->temporary));
    atomic_abort(file);
    return same || fail("%s: holds other prompts, of other tasks, data, samples or examples; give another --out, or "
                        "remove that folder",
                        run->prompts.data);
}

bool bench_write_prompts(Bench *run, Encoder *encoder)
{
    AtomicFile file;
    bool ok = atomic_open(&file, run->prompts.data);
    TRY(ok);
    for (size_t i = 0; ok && i < run->count; i++)
        ok = prompts_write(&file, &run->list[i], run->o->limit, encoder);
    ok = ok && publish(run, &file);
    if (!ok)
        atomic_abort(&file);
    return ok;
}

bool bench_tell_sampling(const Bench *run, FILE *out)
{
    for (size_t i = 0; i < run->count; i++) {
        const Asking *a = &run->list[i];
        fprintf(out, "%s: --temperature %g --max-new-tokens %" PRId64, a->task.name, a->temperature, a->max_new_tokens);
        if (run->o->seed != 0 && a->temperature > 0)
            fprintf(out, " --seed %" PRId64, run->o->seed);
        for (size_t k = 0; k < a->task.o.stop.count; k++)
            fprintf(out, " --stop '%s'", a->task.o.stop.items[k]);
        if (a->fewer_shots > 0)
            fprintf(out, "; %" PRId64 " questions have fewer examples, to stay below %" PRId64 " tokens",
                    a->fewer_shots, a->task.o.prompt_tokens);
        fputs(a->task.o.completion
                  ? "; its prompts are texts to go on with, which ./generate would put in a user's turn\n"
                  : "\n",
              out);
    }
    return true;
}
