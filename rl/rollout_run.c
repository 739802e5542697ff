// Sampling and rewarding: see rollout.h.
#include "json/json_source.h"
#include "rl/prompts.h"
#include "rl/rollout.h"
#include "system/signals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_BYTES = 300 };

// ---- in

// Another draw in every step, whatever the prompt's place in it. Ids may be line numbers, which two files share, so the key of its
// tokens is a part of the name too; and of twins, the later ones' number.
static uint64_t draw_id(const Group *g, int64_t step, const uint32_t *twins)
{
    uint64_t twin = twins == NULL ? 0 : twins[g->document];
    uint64_t names[] = {hash_bytes(g->prompt.id.data, g->prompt.id.size), g->prompt.key, (uint64_t)step, twin};
    return hash_bytes(names, sizeof names - (twin == 0 ? sizeof twin : 0));
}

static bool ask(Engine *engine, const Group *g, uint64_t tag, int64_t step, const RolloutRules *rules)
{
    GenerationRequest r = {.tag = tag,
                           .seed = rules->seed,
                           .id = draw_id(g, step, rules->twins),
                           .prompt = g->prompt.ids,
                           .prompt_count = (int64_t)g->prompt.prompt,
                           .samples = (int32_t)rules->samples,
                           .max_new_tokens = rules->sampling.max_new_tokens,
                           .temperature = (float)rules->sampling.temperature,
                           .top_k = (int32_t)rules->sampling.top_k,
                           .top_p = (float)rules->sampling.top_p,
                           .min_p = (float)rules->sampling.min_p,
                           .stop = rules->files->stop,
                           .stop_count = rules->files->stop_count};
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

static bool keep(Response *r, const GenerationResult *result, bool processed)
{
    r->count = result->count;
    r->ended = result->reason == FINISH_STOP;
    r->ids = copied(result->ids, result->count);
    r->logprob = copied(result->logprob, result->count);
    r->processed = processed ? copied(result->processed, result->count) : NULL;
    for (int64_t t = 0; t < r->count; t++) {
        r->mean_logprob += (double)result->logprob[t];
        r->least_logprob = fmin(r->least_logprob, (double)result->logprob[t]);
    }
    r->mean_logprob = r->count > 0 ? r->mean_logprob / (double)r->count : 0;
    return r->ids != NULL && r->logprob != NULL && (!processed || r->processed != NULL);
}

static RewardFacts facts_of(const Group *g, const Response *r)
{
    return (RewardFacts){{r->text.data, r->text.size}, g->prompt.answer, g->prompt.row, r->count, r->ended};
}

// ---- what others have to say about it

static uint64_t tag_of(const Rollout *o, const Group *g, const Response *r)
{
    return (uint64_t)((g - o->groups) * o->samples + (r - g->responses));
}
static Group *group_of(const Rollout *o, uint64_t tag) { return &o->groups[(int64_t)tag / o->samples]; }
static Response *response_of(const Rollout *o, uint64_t tag) { return &group_of(o, tag)->responses[(int64_t)tag % o->samples]; }

static bool ask_judge(Rollout *o, Group *g, Response *r, Text answer, const RolloutRules *rules)
{
    Bytes problem = {0};
    bool ok = prompt_problem(&problem, &g->prompt, rules->files->tokenizer) &&
              judge_ask(rules->referees.judge, tag_of(o, g, r), (Text){problem.data, problem.size}, g->prompt.answer, answer);
    bytes_free(&problem);
    return ok;
}

static bool add_field(Bytes *line, const char *key, Text text)
{
    return bytes_printf(line, ",\"%s\":", key) && json_append_string(line, text);
}

// The row goes on as it was written: a grader sees 0.7 where the data have 0.7.
static bool write_question(Bytes *line, const ShardEntry *p, Text prediction, Text response)
{
    int64_t odd;
    json_t *row = p->row.data == NULL ? json_null() : json_parse_row(p->row.data, p->row.size, "its row", &odd);
    TRY(row != NULL); // a shard may hold any text there
    json_decref(row);
    return bytes_text(line, "{\"id\":") && json_append_string(line, p->id) && add_field(line, "source", p->source) &&
           bytes_text(line, ",\"problem\":") && (p->row.data == NULL ? bytes_text(line, "null") : json_append(line, p->row)) &&
           add_field(line, "answer", p->answer) && add_field(line, "prediction", prediction) &&
           add_field(line, "response", response) && bytes_text(line, "}");
}

char *grader_question(const ShardEntry *p, Text prediction, Text response)
{
    Bytes line = {0};
    if (write_question(&line, p, prediction, response))
        return line.data;
    bytes_free(&line);
    fail_in("prompt %.*s: no question for the grader could be made of it", (int)p->id.size, p->id.data);
    return NULL;
}

bool rollout_greet_grader(const Documents *prompts, Grader *grader, const Rewards *rewards)
{
    for (int64_t i = 0; grader != NULL && i < prompts->count; i++) {
        ShardEntry problem = document_entry(prompts, i);
        if (reward_weights(rewards, problem.source)[REWARD_GRADER] == 0)
            continue;
        char *line = grader_question(&problem, problem.answer, problem.answer);
        Text question = {line, line == NULL ? 0 : strlen(line)};
        bool ok = line != NULL && grader_greet(grader, question);
        free(line);
        return ok;
    }
    return true;
}

static bool ask_grader(Rollout *o, Group *g, Response *r, Text answer, const RolloutRules *rules)
{
    char *line = grader_question(&g->prompt, answer, (Text){r->text.data, r->text.size});
    bool ok = line != NULL && grader_ask(rules->referees.grader, tag_of(o, g, r), (Text){line, strlen(line)});
    free(line);
    return ok;
}

static bool take_finding(Response *r, const Finding *f)
{
    r->verdict = f->verdict;
    r->kind = f->kind;
    r->rule = f->rule;
    r->answer = copy_text(f->answer);
    return r->answer != NULL;
}

// By rule where one can say it, else by the judge; without one, what no rule calls equal is wrong.
static bool take_response(Rollout *o, Group *g, Response *r, const RolloutRules *rules)
{
    char boxes[ANSWER_BYTES], question[ANSWER_BYTES];
    Finding finding;
    TRY(decode(rules->files->tokenizer, &r->text, r->ids, (size_t)(r->ended ? r->count - 1 : r->count), false) &&
        bytes_text(&r->text, ""));
    RewardFacts facts = facts_of(g, r);
    reward_finding(&finding, &facts);
    TRY(take_finding(r, &finding));
    if (rules->rewards == NULL) {
        for (int part = 0; part < REWARD_PARTS; part++)
            r->parts[part] = NAN;
        r->parts[REWARD_ACCURACY] = r->reward = r->verdict == VERDICT_EQUAL;
        r->advantage = NAN;
        return true;
    }
    const double *weights = reward_weights(rules->rewards, g->prompt.source);
    reward_parts(r->parts, &facts, rules->rewards);
    Text asked =
        rules->referees.judge == NULL ? (Text){NULL, 0} : reward_question(&facts, &finding, rules->referees.asks, question);
    r->judged = asked.size > 0 ? JUDGED_NOTHING : JUDGED_NOT; // so far
    if (asked.size > 0)
        TRY(ask_judge(o, g, r, asked, rules));
    else
        r->parts[REWARD_ACCURACY] = r->verdict == VERDICT_EQUAL;
    return rules->referees.grader == NULL || weights[REWARD_GRADER] == 0 ||
           ask_grader(o, g, r, reward_prediction(&facts, &finding, boxes), rules);
}

static bool keep_reason(Rollout *o, const char *who, const char *why)
{
    if (why == NULL || o->why != NULL)
        return true;
    Bytes text = {0};
    TRY(bytes_printf(&text, "%s: %.300s", who, why));
    o->why = text.data;
    return true;
}

static char *copied_reason(const char *why) // one that fits into a line, and is UTF-8
{
    char *reason = allocate(REASON_BYTES, 1);
    if (reason != NULL) {
        snprintf(reason, REASON_BYTES, "%s", why);
        reason[utf8_valid_prefix(reason, strlen(reason))] = 0;
    }
    return reason;
}

// Lets judges and graders do what they can, and takes what they have said; the parts that they leave NaN could not be had.
static bool hear_others(Rollout *o, const RolloutRules *rules, double seconds)
{
    uint64_t tag;
    double score;
    const char *why;
    TRY(rules->referees.judge == NULL || judge_work(rules->referees.judge, seconds));
    while (rules->referees.judge != NULL && judge_next(rules->referees.judge, &tag, &score, &why)) {
        Response *r = response_of(o, tag);
        r->parts[REWARD_ACCURACY] = score;
        r->judged = isnan(score) ? JUDGED_NOTHING : score == 1 ? JUDGED_YES : JUDGED_NO;
        TRY(why == NULL || (r->judge_why = copied_reason(why)) != NULL);
        TRY(keep_reason(o, "judge", why));
    }
    TRY(rules->referees.grader == NULL || grader_work(rules->referees.grader, seconds));
    while (rules->referees.grader != NULL && grader_next(rules->referees.grader, &tag, &score, &why)) {
        response_of(o, tag)->parts[REWARD_GRADER] = score;
        TRY(keep_reason(o, "grader", why));
    }
    return true;
}

static bool add_up(Rollout *o, const RolloutRules *rules)
{
    for (int64_t i = 0; rules->rewards != NULL && i < o->count * o->samples; i++) {
        Group *g = group_of(o, (uint64_t)i);
        Response *r = response_of(o, (uint64_t)i);
        RewardFacts facts = facts_of(g, r);
        TRY(reward_sum(&r->reward, r->parts, &facts, reward_weights(rules->rewards, g->prompt.source), rules->encoder));
        o->unscored += isnan(r->reward);
    }
    return true;
}

// ---- all of it

static bool take(Rollout *o, Engine *engine, const RolloutRules *rules)
{
    GenerationResult result;
    double start = clock_seconds();
    while (engine_next(engine, &result)) {
        Group *g = &o->groups[result.tag];
        Response *r = &g->responses[result.sample];
        TRY(keep(r, &result, sampling_leaves_out(&rules->sampling)) && take_response(o, g, r, rules));
        o->tokens += r->count;
        o->finished++;
    }
    bool ok = hear_others(o, rules, 0);
    o->reward_seconds += clock_seconds() - start;
    return ok;
}

static int64_t verdicts_open(const RolloutRules *rules)
{
    return (rules->referees.judge == NULL ? 0 : judge_pending(rules->referees.judge)) +
           (rules->referees.grader == NULL ? 0 : grader_pending(rules->referees.grader));
}

static void show(const Rollout *o, const RolloutRules *rules, double start)
{
    const RolloutShow *where = &rules->show;
    if (where->log == NULL)
        return;
    char verdicts[64] = "";
    const char *news = rules->referees.judge == NULL ? NULL : judge_news(rules->referees.judge);
    if (news != NULL)
        log_note(where->log, "judge: %s", news);
    int64_t all = o->count * o->samples, open = verdicts_open(rules);
    double passed = clock_seconds() - start;
    if (open > 0)
        snprintf(verdicts, sizeof verdicts, " | %" PRId64 " verdicts to come", open);
    log_live(where->log, where->step, "%s %" PRId64 "/%" PRId64 " | %.0f tok/s%s", where->doing, o->finished, all,
             passed > 0 ? (double)o->tokens / passed : 0, verdicts);
}

// In short waits: what is still to come is shown meanwhile. The last ends the round of judges and graders.
static bool hear_all(Rollout *o, const RolloutRules *rules, double begin)
{
    do {
        TRY(hear_others(o, rules, 0.25));
        show(o, rules, begin);
    } while (verdicts_open(rules) > 0);
    return true;
}

static bool run_all(Rollout *o, Engine *engine, int64_t step, const RolloutRules *rules)
{
    int64_t asked = 0;
    double begin = clock_seconds();
    while (asked < o->count || !engine_empty(engine)) {
        for (; asked < o->count && engine_has_room(engine); asked++)
            TRY(ask(engine, &o->groups[asked], (uint64_t)asked, step, rules));
        TRY(signal_checked("") && engine_step(engine) && take(o, engine, rules)); // it can be made again, to the bit
        show(o, rules, begin);
    }
    double start = clock_seconds();
    TRY(hear_all(o, rules, begin) && add_up(o, rules));
    o->reward_seconds += clock_seconds() - start;
    return true;
}

bool rollout_run(Rollout *o, Engine *engine, const Documents *documents, const int64_t *numbers, int64_t count, int64_t step,
                 const RolloutRules *rules)
{
    double start = clock_seconds();
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
    ok = ok && run_all(o, engine, step, rules);
    o->generate_seconds = clock_seconds() - start - o->reward_seconds;
    if (!ok)
        rollout_free(o);
    return ok;
}
