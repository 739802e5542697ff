// What an evaluation of a run measures, one thing after the other, into the fields of one line.
#include "evaluation/in_run.h"

static bool answer_problems(const Evaluation *e, Engine *engine, Metrics *m)
{
    RolloutRules rules = e->rules;
    rules.show = (RolloutShow){&e->run->log, e->run->step, "evaluating"};
    return validation_run(m, engine, e->problems, &rules, run_is_first(e->run) ? e->folder : NULL);
}

static bool sample(const Evaluation *e, Metrics *m)
{
    Engine *own = NULL;
    double start = clock_seconds();
    if (e->problems->count == 0 && e->tasks == NULL)
        return true;
    if (e->engine == NULL)
        TRY((own = engine_open(e->run->model, e->rules.files->n_live)) != NULL);
    Engine *engine = e->engine == NULL ? own : e->engine;
    bool ok = (e->tasks == NULL || e->tasks(e->tasks_context, e, engine, m)) &&
              (e->problems->count == 0 || answer_problems(e, engine, m));
    engine_close(own);
    if (ok)
        metrics_add(m, clock_seconds() - start, "timing_s/testing"); // the clock's: after all others
    return ok;
}

bool evaluation_measures(Run *run, const Documents *loss, const Documents *problems, const RolloutRules *rules)
{
    char with[160];
    if (loss != NULL && loss->count > 0) {
        snprintf(with, sizeof with, "held-out documents %016" PRIx64, documents_hash(loss));
        TRY(measured_add(&run->measured, MEASURED_LOSS, with));
    }
    if (problems->count == 0)
        return true;
    snprintf(with, sizeof with,
             "held-out problems %016" PRIx64 ", %" PRId64 " samples to each, %" PRId64 " new tokens at most",
             documents_hash(problems), rules->samples, rules->sampling.max_new_tokens);
    return measured_add(&run->measured, MEASURED_PROBLEMS, with);
}

bool evaluation_if_due(const Evaluation *e)
{
    Metrics m;
    bool loss = e->loss != NULL && e->loss->documents != NULL;
    m.count = 0;
    if ((!loss && e->problems->count == 0 && e->tasks == NULL) || !run_evaluates(e->run))
        return true;
    if (loss) {
        LogField fields[EVAL_LOSS_FIELDS];
        size_t count;
        TRY(run_held_out_loss(e->run, e->loss, fields, &count));
        for (size_t i = 0; i < count; i++)
            metrics_add(&m, fields[i].value, "%s", fields[i].name);
    }
    return sample(e, &m) && run_evaluated(e->run, m.fields, m.count);
}
