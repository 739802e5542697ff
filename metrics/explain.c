// Messages about steps that teach nothing. Each says why, in numbers, and names the first rows to look at.
#include "metrics/explain.h"
#include <math.h>

enum { ROWS_NAMED = 3, TOLD_AGAIN = 50 }; // TOLD_AGAIN: steps between two notes of one kind

static bool name_rows(Bytes *out, const Explain *e, const Rollout *rollout, int64_t step)
{
    int64_t groups = rollout_groups(rollout);
    TRY(bytes_printf(out, "; look at %s/step-%" PRId64 ".jsonl:", e->rollouts, step));
    for (int64_t i = 0; i < groups && i < ROWS_NAMED; i++) {
        Text id = rollout_group(rollout, i)->prompt.id;
        TRY(bytes_printf(out, " %.*s", (int)id.size, id.data));
    }
    return bytes_text(out, groups > ROWS_NAMED ? " ..." : "");
}

// Each of these appends one line, or nothing.

static bool explain_no_reward(Bytes *out, const Explain *e, const Rollout *rollout, int64_t step)
{
    int64_t n = rollout_groups(rollout) * rollout->samples, zero = 0, unscored = 0, cut = 0, verdicts[3] = {0},
            judged = 0;
    for (int64_t i = 0; i < n; i++) {
        const Response *r = &rollout_group(rollout, i / rollout->samples)->responses[i % rollout->samples];
        zero += r->reward == 0;
        unscored += isnan(r->reward);
        cut += !r->ended;
        verdicts[r->verdict] += r->ended;
        judged += r->judged == JUDGED_NO;
    }
    if (zero + unscored < n)
        return true;
    return bytes_printf(out,
                        "step %" PRId64 ": %s (of %" PRId64 " responses %" PRId64 " were cut off, %" PRId64
                        " are different by rule and %" PRId64 " unknown; the judge said no to %" PRId64 ", and %" PRId64
                        " have no reward)",
                        step, unscored == n ? "no response has a reward" : "every reward is 0", n, cut,
                        verdicts[VERDICT_DIFFERENT], verdicts[VERDICT_UNKNOWN], judged, unscored) &&
           name_rows(out, e, rollout, step);
}

static const char *no_more(const DynamicReport *d) { return d->exhausted ? ", and there is no other prompt" : ""; }

static bool explain_few(Bytes *out, const Rollout *rollout, int64_t wanted, const DynamicReport *d, int64_t step)
{
    if (d->batches == 0 || rollout->count == wanted)
        return true;
    return bytes_printf(out,
                        "step %" PRId64 ": %" PRId64 " groups of %" PRId64 " have a signal after %" PRId64
                        " batches%s; the others: %s",
                        step, rollout->count, wanted, d->batches, no_more(d), d->replaced == 0 ? "none" : "") &&
           dynamic_describe(out, d);
}

static bool explain_silence(Bytes *out, const Explain *e, const Rollout *rollout, const DynamicReport *d, int64_t step)
{
    bool unscored = d->why[SILENCE_UNSCORED] > 0 && rollout->why != NULL;
    bool none_scored = d->why[SILENCE_UNSCORED] == d->replaced;
    TRY(bytes_printf(out, "step %" PRId64 ": of %" PRId64 " groups in %" PRId64 " batches none has a signal (", step,
                     d->replaced, d->batches));
    TRY(dynamic_describe(out, d));
    return bytes_printf(out, ")%s, so there is nothing to learn from%s%s; see %s/step-%" PRId64 ".jsonl. %s",
                        no_more(d), unscored ? "; unscored: " : "", unscored ? rollout->why : "", e->rollouts, step,
                        none_scored ? "Check the judge or grader that gives no score"
                                    : "Take problems that the model solves now and then, more --samples-per-prompt or "
                                      "--dynamic-batches, or --no-dynamic-sampling");
}

bool explain_nothing(const Explain *e, const Rollout *rollout, const Tokenizer *tokenizer, const DynamicReport *report,
                     int64_t step)
{
    Bytes why = {0};
    bool first = e->ranks == NULL || e->ranks->rank == 0;
    if ((!first || rollout_write(rollout, tokenizer, e->rollouts, step)) &&
        explain_silence(&why, e, rollout, report, step))
        fail("%s", why.data);
    bytes_free(&why);
    if (e->ranks != NULL)
        comm_barrier(e->ranks);
    return false;
}

// Shows the text, if there is any, unless a note of its kind was shown lately, and clears it.
static void tell(const Explain *e, Bytes *text, int64_t *told, int64_t step)
{
    if (text->size > 0 && (*told == 0 || step >= *told + TOLD_AGAIN)) {
        *told = step;
        log_note(e->log, "%s", text->data);
    }
    bytes_clear(text);
}

bool explain_step(Explain *e, const Rollout *rollout, int64_t wanted, const DynamicReport *report, int64_t step)
{
    if (rollout->why != NULL && !e->told_why) {
        log_note(e->log,
                 "step %" PRId64 ": %" PRId64 " of %" PRId64 " responses have no reward, and so no advantage; %s", step,
                 rollout->unscored, rollout->count * rollout->samples, rollout->why);
        e->told_why = true;
    }
    Bytes text = {0};
    bool ok = explain_no_reward(&text, e, rollout, step);
    tell(e, &text, &e->told_no_reward, step);
    ok = ok && explain_few(&text, rollout, wanted, report, step);
    tell(e, &text, &e->told_few, step);
    bytes_free(&text);
    return ok;
}
