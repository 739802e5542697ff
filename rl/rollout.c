#include "rl/rollout.h"
#include "base/json.h"
#include "rl/objective.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// ---- in

// Another draw in every step, whatever the prompt's place in it. Ids may be line numbers, which two files share, so the key of its
// tokens is a part of the name too.
static uint64_t draw_id(const Group *g, int64_t step)
{
    uint64_t names[3] = {hash_bytes(g->prompt.id.data, g->prompt.id.size), g->prompt.key, (uint64_t)step};
    return hash_bytes(names, sizeof names);
}

static bool ask(Engine *engine, const Group *g, uint64_t tag, int64_t step, const RolloutRules *rules)
{
    GenerationRequest r = {.tag = tag,
                           .seed = rules->seed,
                           .id = draw_id(g, step),
                           .prompt = g->prompt.ids,
                           .prompt_count = (int64_t)g->prompt.prompt,
                           .samples = (int32_t)rules->samples,
                           .max_new_tokens = rules->max_new_tokens,
                           .temperature = rules->temperature,
                           .top_p = 1,
                           .stop = rules->stop,
                           .stop_count = rules->stop_count};
    return engine_add(engine, &r) || fail_in("prompt %.*s", (int)g->prompt.id.size, g->prompt.id.data);
}

// ---- and out

static void *copied(const void *from, int64_t count)
{
    void *to = allocate(count > 0 ? (size_t)count : 1, 4);
    if (to != NULL && count > 0)
        memcpy(to, from, (size_t)count * 4);
    return to;
}

static bool keep(Response *r, const GenerationResult *result)
{
    r->count = result->count;
    r->ended = result->reason == FINISH_STOP;
    r->ids = copied(result->ids, result->count);
    r->logprob = copied(result->logprob, result->count);
    return r->ids != NULL && r->logprob != NULL;
}

static bool reward(Response *r, const Group *g, const Tokenizer *tokenizer, const RolloutRules *rules)
{
    TRY(decode(tokenizer, &r->text, r->ids, (size_t)(r->ended ? r->count - 1 : r->count), false) && bytes_text(&r->text, ""));
    r->verdict = r->ended ? verify(g->prompt.answer, (Text){r->text.data, r->text.size}) : VERDICT_DIFFERENT;
    r->accuracy = r->verdict == VERDICT_EQUAL;
    if (rules->overlong_buffer > 0)
        r->overlong = overlong_punishment(r->count, rules->max_new_tokens, rules->overlong_buffer);
    r->reward = r->accuracy + r->overlong;
    return true;
}

static bool take(Rollout *o, Engine *engine, const Tokenizer *tokenizer, const RolloutRules *rules)
{
    GenerationResult result;
    while (engine_next(engine, &result)) {
        Group *g = &o->groups[result.tag];
        Response *r = &g->responses[result.sample];
        double start = seconds();
        TRY(keep(r, &result) && reward(r, g, tokenizer, rules));
        o->tokens += r->count;
        o->reward_seconds += seconds() - start;
    }
    return true;
}

static bool run_all(Rollout *o, Engine *engine, const Tokenizer *tokenizer, int64_t step, const RolloutRules *rules)
{
    int64_t asked = 0;
    while (asked < o->count || !engine_empty(engine)) {
        for (; asked < o->count && engine_has_room(engine); asked++)
            TRY(ask(engine, &o->groups[asked], (uint64_t)asked, step, rules));
        TRY(engine_step(engine) && take(o, engine, tokenizer, rules));
    }
    return true;
}

bool rollout_run(Rollout *o, Engine *engine, const Documents *documents, const Tokenizer *tokenizer, const int64_t *numbers,
                 int64_t count, int64_t step, const RolloutRules *rules)
{
    double start = seconds();
    *o = (Rollout){.count = count, .samples = rules->samples};
    o->groups = allocate((size_t)count, sizeof *o->groups);
    bool ok = o->groups != NULL;
    for (int64_t i = 0; ok && i < count; i++) {
        Group *g = &o->groups[i];
        g->document = numbers[i];
        g->prompt = document_entry(documents, numbers[i]);
        g->responses = allocate((size_t)rules->samples, sizeof *g->responses);
        o->prompt_tokens += g->prompt.prompt;
        ok = g->responses != NULL;
    }
    ok = ok && run_all(o, engine, tokenizer, step, rules);
    o->generate_seconds = seconds() - start - o->reward_seconds;
    if (!ok)
        rollout_free(o);
    return ok;
}

void rollout_free(Rollout *o)
{
    for (int64_t i = 0; o->groups != NULL && i < o->count; i++) {
        Group *g = &o->groups[i];
        for (int64_t k = 0; g->responses != NULL && k < o->samples; k++) {
            free(g->responses[k].ids);
            free(g->responses[k].logprob);
            bytes_free(&g->responses[k].text);
        }
        free(g->responses);
    }
    free(o->groups);
    *o = (Rollout){0};
}

// ---- for people

static const char *const verdicts[] = {
    [VERDICT_UNKNOWN] = "unknown", [VERDICT_DIFFERENT] = "different", [VERDICT_EQUAL] = "equal"};

static json_t *response_json(const Group *g, const Response *r, int64_t sample, int64_t step)
{
    double sum = 0;
    for (int64_t t = 0; t < r->count; t++)
        sum += (double)r->logprob[t];
    json_t *row =
        json_pack("{s:I, s:s%, s:s%, s:i, s:I, s:s%, s:I, s:s, s:s, s:f, s:f, s:f}", "step", (json_int_t)step, "id",
                  g->prompt.id.data, g->prompt.id.size, "source", g->prompt.source.data == NULL ? "" : g->prompt.source.data,
                  g->prompt.source.size, "difficulty", g->prompt.difficulty, "sample", (json_int_t)sample, "response",
                  r->text.data == NULL ? "" : r->text.data, r->text.size, "tokens", (json_int_t)r->count, "finish_reason",
                  r->ended ? "stop" : "length", "verdict", verdicts[r->verdict], "accuracy", r->accuracy, "overlong", r->overlong,
                  "mean_logprob", r->count > 0 ? sum / (double)r->count : 0);
    if (row != NULL && !isnan(r->reward))
        json_object_set_new(row, "reward", json_real(r->reward));
    if (row != NULL)
        json_object_set_new(row, "advantage", json_real(r->advantage));
    return row;
}

bool rollout_write(const Rollout *o, const char *folder, int64_t step)
{
    Bytes out = {0}, path = {0};
    bool ok = folder_make(folder) && bytes_printf(&path, "%s/step-%" PRId64 ".jsonl", folder, step);
    for (int64_t i = 0; ok && i < o->count * o->samples; i++) {
        const Group *g = &o->groups[i / o->samples];
        json_t *row = response_json(g, &g->responses[i % o->samples], i % o->samples, step);
        char *line = row == NULL ? NULL : json_dumps(row, JSON_COMPACT);
        ok = line == NULL ? fail("no memory for the rollouts of step %" PRId64, step)
                          : bytes_text(&out, line) && bytes_text(&out, "\n");
        free(line);
        json_decref(row);
    }
    ok = ok && file_write_atomic(path.data, out.data == NULL ? "" : out.data, out.size);
    bytes_free(&out);
    bytes_free(&path);
    return ok;
}

static bool belongs(const char *name, int64_t step)
{
    char expected[48], *end;
    long long number = strncmp(name, "step-", 5) == 0 ? strtoll(name + 5, &end, 10) : -1;
    snprintf(expected, sizeof expected, "step-%lld.jsonl", number);
    return number >= 1 && number <= step && strcmp(name, expected) == 0;
}

bool rollouts_cut(const char *folder, int64_t step)
{
    char **names;
    size_t count;
    if (!folder_exists(folder))
        return true;
    TRY(folder_list(&names, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (strncmp(names[i], "step-", 5) != 0 || belongs(names[i], step))
            continue; // what we did not write is not ours to remove
        char *path = path_join(folder, names[i]);
        ok = path != NULL && (unlink(path) == 0 || fail_errno("%s: removing it", path));
        free(path);
    }
    names_free(names, count);
    return ok;
}
