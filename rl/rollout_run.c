// Sampling and rewarding: see rollout.h. Requests go into the engine as it has room; what ends is rewarded by rule at
// once, and goes to judge and grader, whose verdicts are collected while other responses still run.
#include "judges/questions.h"
#include "ranks/meeting.h"
#include "rl/rollout_ranks.h"
#include "system/signals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_BYTES = 300 };

static Text text_of(const Bytes *b) { return (Text){b->data, b->size}; }

// ---- into the engine

// Another name in every step, wherever the prompt comes in it. Ids may be line numbers, which two files share, so the
// key of the prompt's tokens is a part of the name; and the number of a twin, where it is not the first.
static uint64_t draw_id(const Group *g, const RolloutRules *rules)
{
    uint64_t twin = rules->twins == NULL ? 0 : rules->twins[g->document];
    uint64_t names[] = {hash_bytes(g->prompt.id.data, g->prompt.id.size), g->prompt.key, (uint64_t)rules->step, twin};
    return hash_bytes(names, sizeof names - (twin == 0 ? sizeof twin : 0));
}

static bool add_request(Engine *engine, const Group *g, uint64_t tag, const RolloutRules *rules)
{
    GenerationRequest r = {.tag = tag,
                           .seed = rules->seed,
                           .id = draw_id(g, rules),
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

// ---- out of the engine

static void *copied(const void *from, int64_t count) // of 4 bytes each
{
    void *to = allocate(count > 0 ? (size_t)count : 1, 4);
    if (to != NULL && count > 0)
        memcpy(to, from, (size_t)count * 4);
    return to;
}

static bool keep_tokens(Response *r, const GenerationResult *result, const RolloutRules *rules)
{
    bool processed = sampling_leaves_out(&rules->sampling);
    r->count = result->count;
    r->ended = result->reason == FINISH_STOP;
    r->weight = 1;
    r->ids = copied(result->ids, result->count);
    r->logprob = copied(result->logprob, result->count);
    r->processed = processed ? copied(result->processed, result->count) : NULL;
    for (int64_t t = 0; t < r->count; t++) {
        r->mean_logprob += (double)result->logprob[t];
        r->least_logprob = fmin(r->least_logprob, (double)result->logprob[t]);
    }
    r->mean_logprob = r->count > 0 ? r->mean_logprob / (double)r->count : 0;
    TRY(r->ids != NULL && r->logprob != NULL && (!processed || r->processed != NULL));
    int64_t shown = r->ended ? r->count - 1 : r->count;
    return decode(rules->files->tokenizer, &r->text, r->ids, (size_t)shown, false) && bytes_text(&r->text, "");
}

// ---- questions to judge and grader

// A response's number in the rollout is the tag of its questions.
static uint64_t tag_of(const Rollout *o, const Group *g, const Response *r)
{
    return (uint64_t)((g - o->groups) * o->samples + (r - g->responses));
}

static bool ask_judge(Rollout *o, Group *g, Response *r, Text answer, const RolloutRules *rules)
{
    Bytes problem = {0};
    bool ok = judge_problem(&problem, &g->prompt, rules->files->tokenizer) &&
              judge_ask(rules->referees.judge, tag_of(o, g, r), text_of(&problem), g->prompt.answer, answer);
    bytes_free(&problem);
    return ok;
}

bool rollout_greet_grader(const Documents *prompts, Grader *grader, const Rewards *rewards)
{
    for (int64_t i = 0; grader != NULL && i < prompts->count; i++) {
        ShardEntry problem = document_entry(prompts, i);
        if (reward_weights(rewards, problem.source)[REWARD_GRADER] == 0)
            continue;
        Bytes line = {0};
        bool ok =
            grader_question(&line, &problem, problem.answer, problem.answer) && grader_greet(grader, text_of(&line));
        bytes_free(&line);
        return ok;
    }
    return true;
}

static bool ask_grader(Rollout *o, Group *g, Response *r, Text answer, const RolloutRules *rules)
{
    Bytes line = {0};
    bool ok = grader_question(&line, &g->prompt, answer, text_of(&r->text)) &&
              grader_ask(rules->referees.grader, tag_of(o, g, r), text_of(&line));
    bytes_free(&line);
    return ok;
}

// ---- rewards

static RewardFacts facts_of(const Group *g, const Response *r)
{
    return (RewardFacts){text_of(&r->text), g->prompt.answer, g->prompt.row, r->count, r->ended};
}

static void reward_accuracy_alone(Response *r)
{
    for (int part = 0; part < REWARD_PARTS; part++)
        r->parts[part] = NAN;
    r->parts[REWARD_ACCURACY] = r->reward = r->verdict == VERDICT_EQUAL;
    r->advantage = NAN;
}

// By rule where a rule decides, else by the judge; without a judge, what no rule calls equal is wrong.
static bool reward_response(Rollout *o, Group *g, Response *r, const RolloutRules *rules)
{
    char prediction[ANSWER_BYTES], question[ANSWER_BYTES];
    Finding finding;
    RewardFacts facts = facts_of(g, r);
    reward_finding(&finding, &facts);
    r->verdict = finding.verdict;
    r->kind = finding.kind;
    r->rule = finding.rule;
    TRY((r->answer = copy_text(finding.answer)) != NULL);
    if (rules->rewards == NULL) {
        reward_accuracy_alone(r);
        return true;
    }
    reward_parts(r->parts, &facts, rules->rewards);
    Text asked = {NULL, 0};
    if (rules->referees.judge != NULL)
        asked = reward_question(&facts, &finding, rules->referees.asks, question);
    r->judged = asked.size > 0 ? JUDGED_NOTHING : JUDGED_NOT; // until it has answered
    if (asked.size > 0)
        TRY(ask_judge(o, g, r, asked, rules));
    else
        r->parts[REWARD_ACCURACY] = r->verdict == VERDICT_EQUAL;
    return rules->referees.grader == NULL || reward_weights(rules->rewards, g->prompt.source)[REWARD_GRADER] == 0 ||
           ask_grader(o, g, r, reward_prediction(&facts, &finding, prediction), rules);
}

// Keeps why the first response without a verdict has none.
static bool keep_reason(Rollout *o, const RefereeVerdict *v)
{
    Bytes text = {0};
    if (v->why == NULL || o->why != NULL)
        return true;
    TRY(bytes_printf(&text, "%s: %.300s", v->by_judge ? "judge" : "grader", v->why));
    o->why = text.data;
    return true;
}

static char *copied_reason(const char *why) // short enough for a line, and UTF-8
{
    char *reason = allocate(REASON_BYTES, 1);
    if (reason != NULL) {
        snprintf(reason, REASON_BYTES, "%s", why);
        reason[utf8_valid_prefix(reason, strlen(reason))] = 0;
    }
    return reason;
}

// Lets judge and grader work for this long, and takes their verdicts; a part without a verdict stays NaN.
static bool collect_verdicts(Rollout *o, const Referees *referees, double seconds)
{
    RefereeVerdict v;
    TRY(referees_work(referees, seconds));
    while (referees_next(referees, &v)) {
        Response *r = rollout_response(o, (int64_t)v.tag);
        TRY(keep_reason(o, &v));
        r->parts[v.by_judge ? REWARD_ACCURACY : REWARD_GRADER] = v.score;
        if (!v.by_judge)
            continue;
        r->judged = isnan(v.score) ? JUDGED_NOTHING : v.score == 1 ? JUDGED_YES : JUDGED_NO;
        TRY(v.why == NULL || (r->judge_why = copied_reason(v.why)) != NULL);
    }
    return true;
}

static bool sum_rewards(Rollout *o, const int64_t *numbers, int64_t count, const RolloutRules *rules)
{
    for (int64_t i = 0; rules->rewards != NULL && i < count * o->samples; i++) {
        const Group *g = &o->groups[numbers[i / o->samples]];
        Response *r = &g->responses[i % o->samples];
        RewardFacts facts = facts_of(g, r);
        TRY(reward_sum(&r->reward, r->parts, &facts, reward_weights(rules->rewards, g->prompt.source), rules->encoder));
        o->unscored += isnan(r->reward);
    }
    return true;
}

// ---- the whole

static bool take_results(Rollout *o, Engine *engine, const RolloutRules *rules)
{
    GenerationResult result;
    double start = clock_seconds();
    while (engine_next(engine, &result)) {
        Group *g = &o->groups[result.tag];
        Response *r = &g->responses[result.sample];
        TRY(keep_tokens(r, &result, rules) && reward_response(o, g, r, rules));
        o->tokens += r->count;
        o->finished++;
    }
    bool ok = collect_verdicts(o, &rules->referees, 0);
    o->reward_seconds += clock_seconds() - start;
    return ok;
}

static void show_progress(const Rollout *o, const RolloutRules *rules, double start, const Meeting *meeting)
{
    const RolloutShow *where = &rules->show;
    if (where->log == NULL)
        return;
    char verdicts[64] = "";
    const char *news = rules->referees.judge == NULL ? NULL : judge_news(rules->referees.judge);
    if (news != NULL)
        log_note(where->log, "judge: %s", news);
    int64_t pending = referees_pending(&rules->referees) + meeting->others[2];
    double passed = clock_seconds() - start;
    if (pending > 0)
        snprintf(verdicts, sizeof verdicts, " | %" PRId64 " verdicts to come", pending);
    log_live(where->log, where->step, "%s %" PRId64 "/%" PRId64 " | %.0f tok/s%s", where->doing,
             o->finished + meeting->others[0], o->count * o->samples,
             passed > 0 ? (double)(o->tokens + meeting->others[1]) / passed : 0, verdicts);
}

// After each pass, or wait for verdicts: the others are met now and then, and people see how far all are.
static bool go_on(const Rollout *o, const RolloutRules *rules, double begin, Meeting *meeting)
{
    int64_t own[MEETING_COUNTS] = {o->finished, o->tokens, referees_pending(&rules->referees)};
    TRY(meeting_go_on(meeting, own));
    show_progress(o, rules, begin, meeting);
    return true;
}

// Those of the groups that are this rank's: numbers (count).
static bool run_some(Rollout *o, const int64_t *numbers, int64_t count, Engine *engine, const RolloutRules *rules,
                     Meeting *meeting)
{
    int64_t asked = 0;
    double begin = clock_seconds();
    while (asked < count || !engine_empty(engine)) {
        for (; asked < count && engine_has_room(engine); asked++)
            TRY(add_request(engine, &o->groups[numbers[asked]], (uint64_t)numbers[asked], rules));
        TRY(signal_checked("")); // it can be made again, to the bit
        TRY(engine_step(engine) && take_results(o, engine, rules) && go_on(o, rules, begin, meeting));
    }
    double start = clock_seconds();
    do // in short waits, to show progress; the last one ends the round of judge and grader
        TRY(collect_verdicts(o, &rules->referees, 0.25) && go_on(o, rules, begin, meeting));
    while (referees_pending(&rules->referees) > 0);
    TRY(sum_rewards(o, numbers, count, rules));
    o->reward_seconds += clock_seconds() - start;
    return true;
}

static bool run_all(Rollout *o, Engine *engine, const RolloutRules *rules)
{
    Meeting meeting;
    int64_t *mine, count;
    Communicator *ranks = rules->ranks == NULL ? NULL : rules->ranks->ranks;
    meeting_begin(&meeting, ranks);
    bool ok = rollout_deal(&mine, &count, o, ranks);
    ok = meeting_end(&meeting, ok && run_some(o, mine, count, engine, rules, &meeting)) &&
         rollout_gather(o, mine, count, rules->ranks, &rules->referees);
    free(mine);
    return ok;
}

static bool open_groups(Rollout *o, const Documents *documents, const int64_t *numbers)
{
    TRY((o->groups = allocate((size_t)o->count, sizeof *o->groups)) != NULL);
    for (int64_t i = 0; i < o->count; i++) {
        Group *g = &o->groups[i];
        g->document = numbers[i];
        g->prompt = document_entry(documents, numbers[i]);
        o->prompt_tokens += g->prompt.prompt;
        TRY((g->responses = allocate((size_t)o->samples, sizeof *g->responses)) != NULL);
    }
    return true;
}

bool rollout_run(Rollout *o, Engine *engine, const Documents *documents, const int64_t *numbers, int64_t count,
                 const RolloutRules *rules)
{
    double start = clock_seconds();
    *o = (Rollout){.count = count, .samples = rules->samples};
    bool ok = open_groups(o, documents, numbers) && run_all(o, engine, rules);
    o->generate_seconds = clock_seconds() - start - o->reward_seconds;
    if (!ok)
        rollout_free(o);
    return ok;
}
