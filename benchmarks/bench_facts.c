// What a run says of itself: run.json, and the head of summary.json. See bench.h.
#include "figures/figures.h"
#include "benchmarks/bench.h"
#include "evaluation/responses.h"
#include "pretrained/folder.h"
#include <string.h>

enum { FACTS_LIMIT = 1 << 24 };

static bool put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0 || fail("no memory for %s", name);
}

static bool put_hash(json_t *object, const char *name, uint64_t hash)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return put(object, name, json_string(text));
}

// ---- run.json

static json_t *facts_of_task(const Asking *asking)
{
    json_t *facts = json_object();
    if (put_hash(facts, "task", asking->task.hash) && put_hash(facts, "data", asking->hash) &&
        put(facts, "rows", json_integer(asking->rows)) && put(facts, "questions", json_integer(asking->questions)) &&
        put(facts, "fewer_shots", json_integer(asking->fewer_shots)))
        return facts;
    json_decref(facts);
    return NULL;
}

static json_t *end_tokens(const ModelFiles *files)
{
    json_t *ends = json_array();
    for (int64_t i = 0; i < files->stop_count; i++) {
        size_t size;
        const char *token = token_bytes(files->tokenizer, files->stop[i], &size);
        json_array_append_new(ends, json_stringn(token, size));
    }
    return ends;
}

static bool put_model(json_t *facts, const RowWork *work)
{
    const ModelFiles *files = &work->session.files;
    if (work->remote)
        return put(facts, "model", json_string(work->options.asked->model)) &&
               put(facts, "endpoint", json_string(work->options.server->endpoint)) &&
               put(facts, "template", json_string("the server's"));
    uint64_t weights;
    return session_fingerprint(&work->session, &weights) && put_hash(facts, "weights", weights) &&
           put(facts, "end_tokens", end_tokens(files)) &&
           put(facts, "model", json_string(work->options.asked->model)) &&
           put(facts, "template", json_string(template_name(files->chat.kind))) &&
           put(facts, "arithmetic", json_string(work->session.kernels->arithmetic));
}

bool bench_note(const Bench *run, const RowWork *work, const char *responses)
{
    json_t *facts = json_object(), *tasks = json_object();
    bool ok = put(facts, "tasks", tasks) && put(facts, "options", options_identity(run->given)) &&
              (work != NULL ? put_model(facts, work) : put(facts, "responses", json_string(responses)));
    for (size_t i = 0; ok && i < run->count; i++)
        ok = put(tasks, run->list[i].task.name, facts_of_task(&run->list[i]));
    ok = ok && json_write_atomic(run->facts.data, facts);
    json_decref(facts);
    return ok;
}

static bool same_hash(const json_t *facts, const char *name, uint64_t hash, const char *what, const char *where)
{
    char text[24];
    const char *saved = json_string_value(json_object_get(facts, name));
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return (saved != NULL && strcmp(saved, text) == 0) ||
           fail("%s: its responses belong to %s; give another --out", where, what);
}

static bool same_task(Asking *asking, const json_t *facts, const char *where)
{
    Bytes other_text = {0}, other_data = {0};
    uint64_t hash;
    bool ok = bytes_printf(&other_text, "another text of the task %s", asking->task.name) &&
              bytes_printf(&other_data, "other data than %s", asking->data) && asking_hash(asking, &hash) &&
              same_hash(facts, "task", asking->task.hash, other_text.data, where) &&
              same_hash(facts, "data", hash, other_data.data, where) &&
              json_need_int(&asking->rows, facts, "rows", 0, INT64_MAX, where) &&
              json_need_int(&asking->questions, facts, "questions", 0, INT64_MAX, where) &&
              json_need_int(&asking->fewer_shots, facts, "fewer_shots", 0, INT64_MAX, where);
    asking->hash = hash;
    bytes_free(&other_text);
    bytes_free(&other_data);
    return ok;
}

// The weights of a folder that is still there; one that is gone cannot be compared, and is not needed to score anew.
static bool same_weights(const json_t *facts, const char *model, const char *where)
{
    ModelFiles files;
    uint64_t hash = 0;
    if (json_object_get(facts, "weights") == NULL)
        return true;
    bool there = model_files_open(&files, &(ModelFilesOptions){.model = model}) &&
                 model_folder_fingerprint(&hash, files.folder.data, &files.config);
    model_files_close(&files);
    if (!there)
        error_clear();
    return !there || same_hash(facts, "weights", hash, "other weights of this model", where);
}

static bool same_run(Bench *run, const char *model)
{
    const char *where = run->facts.data, *saved;
    json_t *facts = json_read(where, FACTS_LIMIT);
    bool ok = facts != NULL && options_same_identity(run->given, json_object_get(facts, "options"), where);
    saved = json_string_value(json_object_get(facts, "model"));
    if (ok && (saved == NULL || strcmp(saved, model) != 0))
        ok = fail("%s: its responses are %s's; give another --out", where, saved == NULL ? "somebody else" : saved);
    ok = ok && same_weights(facts, model, where);
    for (size_t i = 0; ok && i < run->count; i++)
        ok = same_task(&run->list[i], json_object_get(json_object_get(facts, "tasks"), run->list[i].task.name), where);
    json_decref(facts);
    return ok;
}

bool bench_has_responses(Bench *run, const char *model, int64_t skips, bool *there)
{
    PathKind kind;
    TRY(path_kind(&kind, run->responses.data));
    *there = kind != PATH_NONE;
    return !*there ||
           (same_run(run, model) && responses_are_those_asked_for(run->responses.data, run->prompts.data, skips));
}

// ---- summary.json

static json_t *texts(const OptionList *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

// What a score of other rows than the whole test set's has to say.
static bool put_part(json_t *about, const Asking *asking)
{
    Bytes part = {0};
    int64_t whole = asking->task.o.rows;
    bool ok = (whole == 0 || asking->questions == whole ||
               (bytes_printf(&part, "%" PRId64 " of %" PRId64 " questions: not the %s test set", asking->questions,
                             whole, asking->questions < whole ? "whole" : "published") &&
                put(about, "part", json_string(part.data))));
    bytes_free(&part);
    return ok;
}

// How it was drawn; of what somebody else has generated that is unknown.
static bool put_sampling(json_t *about, const Asking *asking, const json_t *facts)
{
    const TaskOptions *o = &asking->task.o;
    bool remote = json_object_get(facts, "endpoint") != NULL;
    TRY(put(about, "samples", json_integer(asking->samples)));
    if (json_object_get(facts, "responses") != NULL)
        return put(about, "sampling", json_string("unknown: somebody else has generated")) &&
               (asking->samples == o->samples || put(about, "as_the_task_says", json_false()));
    if (remote && o->completion)
        TRY(put(about, "prompt", json_string("a user's turn, since a server takes no text to go on with")));
    if (remote)
        TRY(put(about, "server", json_string("top_k, min_p and penalties are the server's own")));
    return put(about, "temperature", json_real(asking->temperature)) && put(about, "top_p", json_real(1)) &&
           put(about, "max_new_tokens", json_integer(asking->max_new_tokens)) && put(about, "stop", texts(&o->stop)) &&
           put(about, "as_the_task_says",
               json_boolean(asking->samples == o->samples && asking->temperature == o->temperature &&
                            asking->max_new_tokens == o->max_new_tokens && !(remote && o->completion)));
}

// How it was asked: beside every score.
static json_t *about(const Bench *run, const Asking *asking, const json_t *facts)
{
    static const char *const of_model[] = {"model", "weights", "endpoint", "template", "end_tokens", "responses", NULL};
    const TaskOptions *o = &asking->task.o;
    json_t *about = json_object();
    bool ok = put(about, "about", json_string(o->about)) && put(about, "source", json_string(o->source)) &&
              put_part(about, asking) && put(about, "data", json_string(asking->data)) &&
              put_hash(about, "data_hash", asking->hash) && put_sampling(about, asking, facts) &&
              (o->shots == 0 || put(about, "fewer_shots", json_integer(asking->fewer_shots)));
    if (ok && run->judge != NULL && o->score.place == SCORE_ANSWER)
        ok = put(about, "judge", json_string(run->judge)) && put(about, "judge_form", json_string(run->judge_form));
    else if (ok && o->score.place == SCORE_ANSWER)
        ok = put(about, "equality", json_string("by rule"));
    for (const char *const *name = of_model; ok && *name != NULL; name++)
        if (json_object_get(facts, *name) != NULL)
            ok = json_object_set(about, *name, json_object_get(facts, *name)) == 0;
    if (ok)
        return about;
    json_decref(about);
    return NULL;
}

// Questions that a server refused, say (--skip-bad-rows), are in no figure.
static bool put_left_out(json_t *figures, const Asking *asking)
{
    json_int_t left = asking->questions * asking->samples - json_integer_value(json_object_get(figures, "responses"));
    return left == 0 || (put(json_object_get(figures, "about"), "responses_left_out", json_integer(left)) &&
                         put(json_object_get(figures, "about"), "as_the_task_says", json_false()));
}

// Where a context ended responses before the task would have.
static bool put_context(json_t *figures, const Asking *asking)
{
    json_t *about = json_object_get(figures, "about"), *cut = json_object_get(figures, "shortest_cut");
    json_int_t tokens = json_integer_value(cut);
    return !json_is_integer(cut) || tokens >= asking->max_new_tokens || json_object_get(about, "sampling") != NULL ||
           (put(about, "context",
                json_sprintf("cut off responses after as few as %" JSON_INTEGER_FORMAT " tokens", tokens)) &&
            put(about, "as_the_task_says", json_false()));
}

bool bench_put_about(json_t *figures, const Bench *run, const Asking *asking, const json_t *facts)
{
    return put(figures, "about", about(run, asking, facts)) && put_left_out(figures, asking) &&
           put_context(figures, asking);
}

static bool put_task(json_t *summary, const Bench *run, const Asking *asking, const json_t *facts)
{
    Bytes path = {0};
    json_t *figures = NULL;
    bool ok = bytes_printf(&path, "%s/%s.jsonl", run->o->out, asking->task.name) &&
              (figures = figures_of(&asking->task, path.data)) != NULL &&
              bench_put_about(figures, run, asking, facts) && put(summary, asking->task.name, json_incref(figures));
    json_decref(figures);
    bytes_free(&path);
    return ok;
}

json_t *bench_summary(const Bench *run)
{
    json_t *facts = json_read(run->facts.data, FACTS_LIMIT), *summary = json_object();
    bool ok = facts != NULL;
    for (size_t i = 0; ok && i < run->count; i++)
        ok = put_task(summary, run, &run->list[i], facts);
    ok = ok && json_write_atomic(run->summary.data, summary);
    json_decref(facts);
    if (ok)
        return summary;
    json_decref(summary);
    return NULL;
}
