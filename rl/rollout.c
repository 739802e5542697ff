// What a rollout is when it has been run: its memory, and its files. How it is run: rollout_run.c.
#include "rl/rollout.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void group_free(Group *g, int64_t samples)
{
    for (int64_t k = 0; g->responses != NULL && k < samples; k++) {
        Response *r = &g->responses[k];
        free(r->ids);
        free(r->logprob);
        free(r->processed);
        free(r->reference);
        bytes_free(&r->text);
    }
    free(g->responses);
}

void rollout_free(Rollout *o)
{
    for (int64_t i = 0; o->groups != NULL && i < o->count; i++)
        group_free(&o->groups[i], o->samples);
    free(o->groups);
    free(o->why);
    *o = (Rollout){0};
}

// ---- for people

static const char *const verdicts[] = {
    [VERDICT_UNKNOWN] = "unknown", [VERDICT_DIFFERENT] = "different", [VERDICT_EQUAL] = "equal"};

static void set_number(json_t *row, const char *name, double value) // none where it could not be had
{
    if (row != NULL && isfinite(value))
        json_object_set_new(row, name, json_real(value));
}

static json_t *response_json(const Group *g, const Response *r, const Bytes *prompt, int64_t sample, int64_t step)
{
    double sum = 0, least = 0;
    for (int64_t t = 0; t < r->count; t++) {
        sum += (double)r->logprob[t];
        least = fmin(least, (double)r->logprob[t]);
    }
    json_t *row =
        json_pack("{s:I, s:s%, s:s%, s:i, s:I, s:s%, s:s%, s:I, s:s, s:s, s:f, s:f}", "step", (json_int_t)step, "id",
                  g->prompt.id.data, g->prompt.id.size, "source", g->prompt.source.data == NULL ? "" : g->prompt.source.data,
                  g->prompt.source.size, "difficulty", g->prompt.difficulty, "sample", (json_int_t)sample, "prompt", prompt->data,
                  prompt->size, "response", r->text.data == NULL ? "" : r->text.data, r->text.size, "tokens",
                  (json_int_t)r->count, "finish_reason", r->ended ? "stop" : "length", "verdict", verdicts[r->verdict],
                  "mean_logprob", r->count > 0 ? sum / (double)r->count : 0, "least_logprob", least);
    for (int part = 0; part < REWARD_PARTS; part++)
        if (r->parts[part] != 0 || part == REWARD_ACCURACY)
            set_number(row, REWARD_NAMES[part], r->parts[part]);
    set_number(row, "reward", r->reward);
    if (r->reference != NULL)
        set_number(row, "kl", r->kl);
    set_number(row, "advantage", r->advantage);
    return row;
}

bool rollout_write(const Rollout *o, const Tokenizer *tokenizer, const char *folder, int64_t step)
{
    Bytes out = {0}, path = {0}, prompt = {0};
    bool ok = folder_make(folder) && bytes_printf(&path, "%s/step-%" PRId64 ".jsonl", folder, step);
    for (int64_t i = 0; ok && i < o->count * o->samples; i++) {
        const Group *g = &o->groups[i / o->samples];
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
