// A rollout's memory and its files. How it is sampled and rewarded: rollout_run.c.
#include "rl/rollout.h"
#include "json/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void free_tokens(Response *r) // only learning needs them
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

void rollout_free(Rollout *rollout)
{
    for (int64_t i = 0; rollout->groups != NULL && i < rollout->count; i++)
        group_free(&rollout->groups[i], rollout->samples);
    for (int64_t i = 0; i < rollout->aside_count; i++)
        group_free(&rollout->asides[i], rollout->samples);
    free(rollout->groups);
    free(rollout->asides);
    free(rollout->why);
    *rollout = (Rollout){0};
}

int64_t rollout_groups(const Rollout *rollout) { return rollout->count + rollout->aside_count; }
const Group *rollout_group(const Rollout *rollout, int64_t i)
{
    return i < rollout->count ? &rollout->groups[i] : &rollout->asides[i - rollout->count];
}

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

// ---- as JSON lines

static bool set(json_t *row, const char *name, json_t *value) { return json_object_set_new(row, name, value) == 0; }

static bool set_number(json_t *row, const char *name, double value) // no field where it is missing
{
    return !isfinite(value) || set(row, name, json_real(value));
}

static json_t *text_json(Text s)
{
    return json_stringn(s.data == NULL ? "" : s.data, s.size);
} // NULL where it is not UTF-8

static json_t *ids_json(const int32_t *ids, int64_t count)
{
    json_t *list = json_array();
    for (int64_t i = 0; list != NULL && i < count; i++)
        if (json_array_append_new(list, json_integer(ids[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

// The fields that all responses of a group share. In json_pack, a NULL of s* or O* is no field.
static json_t *prompt_json(const Group *g, const Tokenizer *tokenizer, int64_t step)
{
    const ShardEntry *p = &g->prompt;
    Bytes text = {0};
    json_t *problem = p->row.size == 0 ? NULL : json_loadb(p->row.data, p->row.size, 0, NULL), *row = NULL;
    json_t *is_number = answer_is_number(p->row, p->answer) ? json_true() : NULL;
    if (decode(tokenizer, &text, p->ids, p->prompt, true) && bytes_text(&text, ""))
        row = json_pack("{s:I, s:o, s:o, s:o, s:i, s:s%, s:o, s:o, s:O*, s:O*, s:s*}", "step", (json_int_t)step, "id",
                        text_json(p->id), "source", text_json(p->source), "category", text_json(p->category),
                        "difficulty", p->difficulty, "prompt", text.data, text.size, "prompt_ids",
                        ids_json(p->ids, p->prompt), "reference", text_json(p->answer), "options",
                        json_object_get(problem, "options"), "reference_is_number", is_number, "aside", g->aside);
    json_decref(problem);
    bytes_free(&text);
    return row;
}

static bool add_response(json_t *row, const Response *r, int64_t sample)
{
    static const char *const JUDGE_WORDS[] = {[JUDGED_YES] = "yes", [JUDGED_NO] = "no", [JUDGED_NOTHING] = "nothing"};
    const char *judge = r->judge_why != NULL ? r->judge_why : JUDGE_WORDS[r->judged];
    const char *answer = r->answer == NULL ? "" : r->answer, *rule = r->rule == NULL ? "" : r->rule;
    json_t *own = json_pack("{s:I, s:o, s:I, s:s, s:s, s:s, s:s, s:s, s:f, s:f}", "sample", (json_int_t)sample,
                            "response", text_json((Text){r->text.data, r->text.size}), "tokens", (json_int_t)r->count,
                            "finish_reason", r->ended ? "stop" : "length", "answer", answer, "kind",
                            ANSWER_KIND_NAMES[r->kind], "verdict", VERDICT_NAMES[r->verdict], "rule", rule,
                            "mean_logprob", r->mean_logprob, "least_logprob", r->least_logprob);
    bool ok = own != NULL && json_object_update(row, own) == 0 &&
              (r->ids == NULL || set(row, "ids", ids_json(r->ids, r->count))) &&
              (judge == NULL || set(row, "judge", json_string(judge)));
    json_decref(own);
    for (int part = 0; part < REWARD_PARTS; part++)
        ok = ok && set_number(row, REWARD_NAMES[part], r->parts[part]);
    return ok && set_number(row, "reward", r->reward) && (r->reference == NULL || set_number(row, "kl", r->kl)) &&
           set_number(row, "advantage", r->advantage);
}

static bool append_line(Bytes *lines, json_t *prompt, const Response *r, int64_t sample)
{
    json_t *row = json_copy(prompt);
    bool ok = row != NULL && add_response(row, r, sample);
    char *line = ok ? json_dumps(row, JSON_COMPACT) : NULL;
    ok = line != NULL && bytes_printf(lines, "%s\n", line);
    free(line);
    json_decref(row);
    return ok;
}

static bool write_group(AtomicFile *file, const Group *g, int64_t samples, const Tokenizer *tokenizer, int64_t step)
{
    json_t *prompt = prompt_json(g, tokenizer, step);
    Bytes lines = {0};
    bool ok = prompt != NULL;
    for (int64_t k = 0; ok && k < samples; k++)
        ok = append_line(&lines, prompt, &g->responses[k], k);
    json_decref(prompt);
    ok = ok ? lines.size == 0 || atomic_write(file, lines.data, lines.size)
            : fail("no memory for the responses to prompt %.*s", (int)g->prompt.id.size, g->prompt.id.data);
    bytes_free(&lines);
    return ok;
}

bool rollout_write(const Rollout *o, const Tokenizer *tokenizer, const char *folder, int64_t step)
{
    Bytes path = {0};
    AtomicFile file;
    bool ok = folder_make(folder) && bytes_printf(&path, "%s/step-%" PRId64 ".jsonl", folder, step) &&
              atomic_open(&file, path.data);
    bytes_free(&path);
    TRY(ok);
    for (int64_t i = 0; ok && i < rollout_groups(o); i++)
        ok = write_group(&file, rollout_group(o, i), o->samples, tokenizer, step);
    if (ok)
        return atomic_commit(&file);
    atomic_abort(&file);
    return false;
}

static PathKind is_leftover(const void *step, const char *name)
{
    static const char ending[] = ".jsonl", half[] = ".jsonl.tmp-";
    size_t digits = strncmp(name, "step-", 5) == 0 ? strspn(name + 5, "0123456789") : 0;
    const char *rest = name + 5 + digits;
    if (digits == 0 || digits > 18 || (name[5] == '0' && digits > 1))
        return PATH_NONE;
    bool later = strtoll(name + 5, NULL, 10) > *(const int64_t *)step;
    if (later && rest[0] == 0) // of benchmarks
        return PATH_FOLDER;
    return (later && strcmp(rest, ending) == 0) || strncmp(rest, half, sizeof half - 1) == 0 ? PATH_FILE : PATH_NONE;
}

bool rollouts_open(char **folder, const Run *run, const char *name)
{
    TRY((*folder = path_join(run->o.out, name)) != NULL);
    return !run_is_first(run) || folder_clean(*folder, is_leftover, &run->step);
}
