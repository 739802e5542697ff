// What a rollout is when it has been run: its memory, and its files. How it is run: rollout_run.c.
#include "rl/rollout.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_tokens(Response *r) // what only learning needs
{
    free(r->ids);
    free(r->logprob);
    free(r->processed);
    free(r->reference);
    r->ids = NULL;
    r->logprob = r->processed = r->reference = NULL;
}

static void group_free(Group *g, int64_t samples)
{
    for (int64_t k = 0; g->responses != NULL && k < samples; k++) {
        Response *r = &g->responses[k];
        free_tokens(r);
        free(r->answer);
        free(r->judge_why);
        bytes_free(&r->text);
    }
    free(g->responses);
}

void rollout_free(Rollout *o)
{
    for (int64_t i = 0; o->groups != NULL && i < o->count; i++)
        group_free(&o->groups[i], o->samples);
    for (int64_t i = 0; i < o->aside_count; i++)
        group_free(&o->asides[i], o->samples);
    free(o->groups);
    free(o->asides);
    free(o->why);
    *o = (Rollout){0};
}

int64_t rollout_groups(const Rollout *o) { return o->count + o->aside_count; }
const Group *rollout_group(const Rollout *o, int64_t i) { return i < o->count ? &o->groups[i] : &o->asides[i - o->count]; }

bool rollout_set_aside(Rollout *o, Group *g, const char *why)
{
    TRY(grow(&o->asides, &o->aside_capacity, (size_t)o->aside_count + 1, sizeof *o->asides));
    for (int64_t k = 0; k < o->samples; k++)
        free_tokens(&g->responses[k]);
    o->asides[o->aside_count] = *g;
    o->asides[o->aside_count++].aside = why;
    g->responses = NULL;
    return true;
}

// ---- for people

static void set_number(json_t *row, const char *name, double value) // none where it could not be had
{
    if (row != NULL && isfinite(value))
        json_object_set_new(row, name, json_real(value));
}

static const char *judge_word(const Response *r) // NULL: not asked
{
    static const char *const words[] = {
        [JUDGED_NOT] = NULL, [JUDGED_YES] = "yes", [JUDGED_NO] = "no", [JUDGED_NOTHING] = "nothing"};
    return r->judge_why != NULL ? r->judge_why : words[r->judged];
}

static json_t *text_json(Text s) { return json_stringn(s.data == NULL ? "" : s.data, s.size); } // NULL where it is not UTF-8
static json_t *json_of(const char *s) { return text_json((Text){s, s == NULL ? 0 : strlen(s)}); }

static json_t *response_json(const Group *g, const Response *r, const Bytes *prompt, int64_t sample, int64_t step)
{
    const char *judge = judge_word(r);
    json_t *row =
        json_pack("{s:I, s:o, s:o, s:i, s:I, s:s%, s:o, s:o, s:I, s:s}", "step", (json_int_t)step, "id", text_json(g->prompt.id),
                  "source", text_json(g->prompt.source), "difficulty", g->prompt.difficulty, "sample", (json_int_t)sample,
                  "prompt", prompt->data, prompt->size, "response", text_json((Text){r->text.data, r->text.size}), "reference",
                  text_json(g->prompt.answer), "tokens", (json_int_t)r->count, "finish_reason", r->ended ? "stop" : "length");
    json_t *judged = json_pack("{s:o, s:s, s:s, s:s, s:f, s:f}", "answer", json_of(r->answer), "kind", ANSWER_KIND_NAMES[r->kind],
                               "verdict", VERDICT_NAMES[r->verdict], "rule", r->rule == NULL ? "" : r->rule, "mean_logprob",
                               r->mean_logprob, "least_logprob", r->least_logprob);
    bool ok = row != NULL && judged != NULL && json_object_update(row, judged) == 0 &&
              (judge == NULL || json_object_set_new(row, "judge", json_of(judge)) == 0) &&
              (g->aside == NULL || json_object_set_new(row, "aside", json_string(g->aside)) == 0);
    json_decref(judged);
    for (int part = 0; part < REWARD_PARTS; part++)
        set_number(row, REWARD_NAMES[part], r->parts[part]);
    set_number(row, "reward", r->reward);
    if (r->reference != NULL)
        set_number(row, "kl", r->kl);
    set_number(row, "advantage", r->advantage);
    if (ok)
        return row;
    json_decref(row);
    return NULL;
}

bool rollout_write(const Rollout *o, const Tokenizer *tokenizer, const char *folder, int64_t step)
{
    Bytes out = {0}, path = {0}, prompt = {0};
    bool ok = folder_make(folder) && bytes_printf(&path, "%s/step-%" PRId64 ".jsonl", folder, step);
    for (int64_t i = 0; ok && i < rollout_groups(o) * o->samples; i++) {
        const Group *g = rollout_group(o, i / o->samples);
        if (i % o->samples == 0) {
            bytes_clear(&prompt);
            ok = decode(tokenizer, &prompt, g->prompt.ids, g->prompt.prompt, false) && bytes_text(&prompt, "");
        }
        json_t *row = response_json(g, &g->responses[i % o->samples], &prompt, i % o->samples, step);
        char *line = row == NULL ? NULL : json_dumps(row, JSON_COMPACT);
        ok = line == NULL ? fail("no memory for the rollouts of step %" PRId64, step)
                          : bytes_text(&out, line) && bytes_text(&out, "\n");
        free(line);
        json_decref(row);
    }
    ok = ok && file_write_atomic(path.data, out.data == NULL ? "" : out.data, out.size);
    bytes_free(&out);
    bytes_free(&path);
    bytes_free(&prompt);
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
