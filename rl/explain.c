// Messages about steps that teach nothing. Each says why, in numbers, and names the first rows to look at.
#include "rl/explain.h"
#include <math.h>

enum { ROWS_NAMED = 3 };

static bool name_rows(Bytes *out, const Rollout *rollout, ExplainPlace place)
{
    TRY(bytes_printf(out, "; look at %s/step-%" PRId64 ".jsonl:", place.rollouts, place.step));
    for (int64_t i = 0; i < rollout_groups(rollout) && i < ROWS_NAMED; i++) {
        Text id = rollout_group(rollout, i)->prompt.id;
        TRY(bytes_printf(out, " %.*s", (int)id.size, id.data));
    }
    return bytes_text(out, rollout_groups(rollout) > ROWS_NAMED ? " ..." : "");
}

bool explain_no_reward(Bytes *out, const Rollout *rollout, ExplainPlace place)
{
    int64_t n = rollout_groups(rollout) * rollout->samples, nothing = 0, unscored = 0, cut = 0, verdicts[3] = {0}, judged = 0;
    for (int64_t i = 0; i < n; i++) {
        const Response *r = &rollout_group(rollout, i / rollout->samples)->responses[i % rollout->samples];
        nothing += r->reward == 0;
        unscored += isnan(r->reward);
        cut += !r->ended;
        verdicts[r->verdict] += r->ended;
        judged += r->judged == JUDGED_NO;
    }
    if (nothing + unscored < n)
        return true;
    return bytes_printf(out,
                        "step %" PRId64 ": %s (of %" PRId64 " responses %" PRId64 " were cut off, %" PRId64
                        " are different by rule and %" PRId64 " unknown; the judge said no to %" PRId64 ", and %" PRId64
                        " have no reward)",
                        place.step, unscored == n ? "no response has a reward" : "every reward is 0", n, cut,
                        verdicts[VERDICT_DIFFERENT], verdicts[VERDICT_UNKNOWN], judged, unscored) &&
           name_rows(out, rollout, place);
}

// ---- dynamic sampling

static const char *no_more(const DynamicReport *d) { return d->exhausted ? ", and there is no other prompt" : ""; }

bool explain_few_signals(Bytes *out, const Rollout *rollout, int64_t wanted, const DynamicReport *d, int64_t step)
{
    if (d->batches == 0 || rollout->count == wanted)
        return true;
    TRY(bytes_printf(
        out, "step %" PRId64 ": %" PRId64 " groups of %" PRId64 " have a signal after %" PRId64 " batches%s; the others: ", step,
        rollout->count, wanted, d->batches, no_more(d)));
    return d->replaced == 0 ? bytes_text(out, "none") : dynamic_describe(out, d);
}

bool explain_silence(Bytes *out, const Rollout *rollout, const DynamicReport *d, ExplainPlace place)
{
    bool unscored = d->why[SILENCE_UNSCORED] > 0 && rollout->why != NULL;
    bool nobody_scores = d->why[SILENCE_UNSCORED] == d->replaced;
    return bytes_printf(out, "step %" PRId64 ": of %" PRId64 " groups in %" PRId64 " batches none has a signal (", place.step,
                        d->replaced, d->batches) &&
           dynamic_describe(out, d) &&
           bytes_printf(out, ")%s, so there is nothing to learn from%s%s; see %s/step-%" PRId64 ".jsonl. %s", no_more(d),
                        unscored ? "; unscored: " : "", unscored ? rollout->why : "", place.rollouts, place.step,
                        nobody_scores ? "See to who gives no score"
                                      : "Take problems that the model solves now and then, more --samples-per-prompt or "
                                        "--dynamic-batches, or --no-dynamic-sampling");
}

bool explain_nothing(const Rollout *rollout, const Tokenizer *tokenizer, const DynamicReport *report, ExplainPlace place)
{
    Bytes why = {0};
    if (rollout_write(rollout, tokenizer, place.rollouts, place.step) && explain_silence(&why, rollout, report, place))
        fail("%s", why.data);
    bytes_free(&why);
    return false;
}

// ---- after a step

enum { TOLD_AGAIN = 50 }; // steps between two notes of one kind

// Where there is something to say, and it was not said lately: told is the step when it was.
static bool tell(RunLog *log, Bytes *text, int64_t *told, int64_t step)
{
    if (text->size > 0 && (*told == 0 || step >= *told + TOLD_AGAIN)) {
        *told = step;
        log_note(log, "%s", text->data);
    }
    bytes_clear(text);
    return true;
}

bool explain_step(ExplainTold *told, RunLog *log, const Rollout *rollout, int64_t wanted, const DynamicReport *report,
                  ExplainPlace place)
{
    if (rollout->why != NULL && !told->no_reward) {
        log_note(log, "step %" PRId64 ": %" PRId64 " of %" PRId64 " responses have no reward, and so no advantage; %s",
                 place.step, rollout->unscored, rollout->count * rollout->samples, rollout->why);
        told->no_reward = true;
    }
    Bytes text = {0};
    bool ok = explain_no_reward(&text, rollout, place) && tell(log, &text, &told->nothing, place.step) &&
              explain_few_signals(&text, rollout, wanted, report, place.step) && tell(log, &text, &told->few, place.step);
    bytes_free(&text);
    return ok;
}
