// The tasks of a run, and its prompts: see bench.h. What it knows of itself is in bench_facts.c.
#include "benchmarks/bench.h"
#include "benchmarks/scoring.h"
#include <stdlib.h>
#include <string.h>

// ---- tasks and their data

// Before a model has worked for hours.
static bool can_be_scored(const Task *task)
{
    Scorer *scorer = scorer_open(task);
    scorer_close(scorer);
    return scorer != NULL;
}

static bool add_task(Bench *run, size_t *capacity, const char *name)
{
    TRY(grow(&run->list, capacity, run->count + 1, sizeof *run->list));
    Asking *asking = &run->list[run->count++];
    *asking = (Asking){.option = run->option};
    TRY(task_open(&asking->task, name) && can_be_scored(&asking->task));
    if (bench_task(run, asking->task.name) != asking)
        return fail_as(ERROR_USAGE, "--%stasks: %s is named twice", run->options, asking->task.name);
    const TaskOptions *task = &asking->task.o;
    asking->samples = run->o->samples > 0 ? run->o->samples : task->samples;
    asking->max_new_tokens = run->o->max_new_tokens > 0 ? run->o->max_new_tokens : task->max_new_tokens;
    asking->temperature = run->o->temperature >= 0 ? run->o->temperature : task->temperature;
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

bool bench_open(Bench *run, const BenchmarkOptions *o, const Options *given, bool training)
{
    *run = (Bench){.o = o, .option = training ? "eval-task-" : "", .options = training ? "eval-" : "", .given = given};
    if (o->out[0] == 0)
        return fail_as(ERROR_USAGE, "give --out, a folder");
    if (o->temperature > -1 && o->temperature < 0)
        return fail_as(ERROR_USAGE, "--temperature %g: 0 is greedy, and -1 as the task says", o->temperature);
    return open_tasks(run) && folder_make(o->out) && bytes_printf(&run->prompts, "%s/prompts.jsonl", o->out) &&
           bytes_printf(&run->responses, "%s/responses.jsonl", o->out) &&
           bytes_printf(&run->facts, "%s/run.json", o->out) && bytes_printf(&run->summary, "%s/summary.json", o->out) &&
           bytes_printf(&run->page, "%s/page.html", o->out);
}

void bench_close(Bench *run)
{
    for (size_t i = 0; i < run->count; i++)
        task_close(&run->list[i].task);
    free(run->list);
    bytes_free(&run->prompts);
    bytes_free(&run->responses);
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
