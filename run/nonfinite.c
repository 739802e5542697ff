// An update whose loss or gradient is not finite: --on-nonfinite. No rank makes it, and weights, moments and the
// optimizer's step stay; the schedule goes on. What it was made of is written to OUT/nonfinite.jsonl, a line for each.
#include "run/run_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool run_skips_read(int64_t *most, const char *text)
{
    char *end;
    *most = 0;
    if (strcmp(text, "stop") == 0)
        return true;
    if (strncmp(text, "skip:", 5) == 0 && text[5] >= '0' && text[5] <= '9') {
        long long number = strtoll(text + 5, &end, 10);
        *most = number;
        if (*end == 0 && number > 0 && number <= 1000000)
            return true;
    }
    return fail_as(ERROR_USAGE,
                   "--on-nonfinite %s: stop is wanted, or skip:N with N from 1 to 1000000, the updates of the run that "
                   "may be left out",
                   text);
}

bool run_note_documents(Run *run, const StepPlan *plan, int64_t m, const Ragged *batch, const float *logprob)
{
    if (run->not_finite == NULL)
        run->not_finite = allocate((size_t)plan->documents, sizeof *run->not_finite);
    TRY(run->not_finite != NULL);
    if (batch->sequences > 0)
        documents_not_finite(run->not_finite + plan->first[m], batch, logprob);
    return true;
}

// ---- the line

static json_t *document_json(const Documents *d, int64_t number, const int64_t *bad)
{
    ShardEntry e = document_entry(d, number);
    json_t *one = json_pack("{s:I, s:s%, s:s, s:I}", "document", (json_int_t)number, "id", e.id.data, e.id.size,
                            "shard", d->paths[d->list[number].shard], "record", (json_int_t)d->list[number].record);
    if (one != NULL && bad != NULL)
        json_object_set_new(one, "loss_is_finite", json_boolean(*bad == 0));
    return one;
}

static bool write_aside(const Run *run, const LeftOut *l)
{
    LineFile file = {0};
    Bytes path = {0};
    json_t *documents = json_array(), *line = NULL;
    for (int64_t i = 0; i < l->count; i++)
        json_array_append_new(documents,
                              document_json(l->documents, l->numbers[i], l->bad == NULL ? NULL : &l->bad[i]));
    line = json_pack("{s:I, s:s, s:b, s:o}", "step", (json_int_t)(run->step + 1), "not_finite", l->what, "left_out",
                     run->skipped < run->skips_most, "documents", documents);
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    bool ok = text != NULL || fail_as(ERROR_SYSTEM, "no memory for a line of nonfinite.jsonl");
    size_t size = ok ? strlen(text) : 0;
    if (ok)
        text[size] = '\n'; // in place of its end
    ok = ok && path_in(&path, run, "nonfinite.jsonl") && line_file_open(&file, path.data, true, NULL) &&
         line_file_append(&file, text, size + 1);
    ok = line_file_close(&file) && ok;
    free(text);
    json_decref(line);
    bytes_free(&path);
    return ok;
}

static bool stop(Run *run, const LeftOut *l)
{
    log_note(&run->log,
             "the documents of step %" PRId64 " are in %s/nonfinite.jsonl; --on-nonfinite skip:N leaves such "
             "updates out",
             run->step + 1, run->o.out);
    if (run->skips_most > 0)
        fail("the %s is not finite, and --on-nonfinite skip:%" PRId64
             " has left out as many updates already; lower --lr",
             l->what, run->skips_most);
    else
        fail("the %s is not finite; lower --lr%s", l->what,
             l->bad != NULL ? ", or see its documents: ./prepare --inspect --step" : "");
    return run_fail_in_step(run);
}

bool run_leave_out(Run *run, const LeftOut *l)
{
    bool skips = run->skipped < run->skips_most, written = !run_is_first(run) || write_aside(run, l);
    if (!skips)
        return stop(run, l);
    TRY(written || run_fail_in_step(run));
    run->skipped++;
    log_note(&run->log,
             "step %" PRId64 ": the %s is not finite, and the update is left out (%" PRId64 " of at most %" PRId64
             "); its documents are in %s/nonfinite.jsonl",
             run->step + 1, l->what, run->skipped, run->skips_most, run->o.out);
    return true;
}

bool run_leave_out_step(Run *run, const Documents *documents, const StepPlan *plan, bool loss_is_finite)
{
    LeftOut l = {loss_is_finite ? "gradient" : "loss", documents, plan->numbers, NULL, plan->documents};
    bool ok = loss_is_finite || run_note_documents(run, plan, 0, &(Ragged){0}, NULL); // the other ranks have found them
    if (ok && !loss_is_finite && !run_is_alone(run))
        ok = comm_sum(run->ranks, run->not_finite, (size_t)plan->documents);
    l.bad = run->not_finite;
    ok = ok && run_leave_out(run, &l);
    free(run->not_finite);
    run->not_finite = NULL;
    return ok;
}
