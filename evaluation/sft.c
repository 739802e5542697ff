// The engine of fine-tuning's evaluations, planned with the training; and what it is asked. See sft.h.
#include "evaluation/sft.h"
#include <stdlib.h>

// ---- memory

static const int64_t CACHE_MOST_CPU = (int64_t)1 << 30; // bytes: others use the machine, too

static bool choose_new_tokens(SftData *d, const SftSampling *s, const ModelConfig *config)
{
    const Documents *problems = &d->rows.problems.documents;
    int64_t longest = problems->longest, given = s->options->eval_new_tokens;
    if (problems->count == 0)
        return true;
    d->new_tokens = given > 0 ? given : smaller(s->seq_len, config->max_positions) - longest;
    return (d->new_tokens > 0 && longest + d->new_tokens <= config->max_positions) ||
           fail("--eval-new-tokens %" PRId64 ": the longest held-out prompt has %" PRId64
                " tokens, and the model's max_position_embeddings is %" PRId64 "; give at most %" PRId64
                ", or a shorter --seq-len, by which longer prompts are dropped",
                given, longest, config->max_positions, larger(config->max_positions - longest, 0));
}

bool sft_sampling_check(const SftSamplingOptions *options, bool tasks, bool divided)
{
    return !divided || (options->eval_samples == 0 && !tasks) ||
           fail_as(ERROR_USAGE, "--shard weights: an evaluation samples with whole weights on every rank; "
                                "give --shard state, or neither --eval-samples nor --eval-tasks");
}

bool sft_sampling_needs(Needs *needs, SftData *d, const SftSampling *s)
{
    const Documents *problems = &d->rows.problems.documents;
    const ModelConfig *config = &needs->own.config;
    int64_t count = problems->count * s->options->eval_samples + s->tasks.count;
    if (count == 0)
        return true;
    TRY(choose_new_tokens(d, s, config));
    SessionOptions o = {.context = larger(problems->longest + d->new_tokens, s->tasks.longest),
                        .sequences = s->sizes->sequences,
                        .pass_tokens = s->sizes->pass_tokens};
    CacheLimits *cache = &needs->own.limits.cache;
    *cache = session_cache(config, s->kernels, &o);
    if (o.sequences == 0) // more never run at once
        cache->sequences = cache->rows = smaller(cache->sequences, count);
    needs->own.cache_bytes = s->sizes->cache;
    needs->own.cache_most = s->kernels->on_gpu ? 0 : CACHE_MOST_CPU;
    double whole = (double)cache_whole(cache) * cache_page_bytes(config, s->kernels);
    return s->sizes->cache == 0 || (double)s->sizes->cache >= whole ||
           fail("--cache %" PRId64 ": the keys and values of %" PRId64
                " tokens take %.0f bytes; give at least that, or "
                "a smaller --%s",
                s->sizes->cache, o.context, whole,
                s->tasks.longest == o.context ? "eval-task-new-tokens" : "eval-new-tokens");
}

bool sft_fit(Fit *fit, const Needs *needs)
{
    Needs alone = *needs;
    Fit without = {.kernels = fit->kernels, .memory = fit->memory};
    alone.own.limits.cache = (CacheLimits){0};
    TRY(fit_choose(fit, needs));
    if (fit->fits || needs->own.limits.cache.tokens == 0)
        return true;
    bool ok = fit_choose(&without, &alone) &&
              (!without.fits || bytes_printf(&fit->advice, "; and without --eval-samples and --eval-tasks (%.2f GiB)",
                                             without.bytes / 0x1p30));
    fit_close(&without);
    return ok;
}

// ---- the evaluations

static void announce(Run *run, const SftData *data, const RolloutRules *rules)
{
    log_note(&run->log,
             "held-out problems: %" PRId64 " with a reference answer, %" PRId64 " %s to each in at most %" PRId64
             " tokens",
             data->rows.problems.documents.count, rules->samples, rules->samples == 1 ? "greedy response" : "responses",
             rules->sampling.max_new_tokens);
    run_announce_rows(run, "held-out problems", &data->rows.problems.folders);
}

bool sft_evaluation_measures(Run *run, const SftData *data, const SftSamplingOptions *o)
{
    RolloutRules rules = {.samples = o->eval_samples, .sampling = {.max_new_tokens = data->new_tokens}};
    return evaluation_measures(run, data->held_out.documents, &data->rows.problems.documents, &rules);
}

bool sft_evaluation_open(SftEvaluation *e, Run *run, SftData *data, const ModelFiles *files,
                         const SftSamplingOptions *o, uint64_t seed)
{
    *e = (SftEvaluation){.ranks = {.ranks = run->ranks}};
    e->of = (Evaluation){.run = run, .loss = &data->held_out, .problems = &data->rows.problems.documents};
    e->of.rules = (RolloutRules){.seed = seed,
                                 .samples = o->eval_samples,
                                 .sampling = {.max_new_tokens = data->new_tokens, .temperature = 1, .top_p = 1},
                                 .files = files,
                                 .ranks = &e->ranks};
    TRY(rollouts_open(&e->folder, run, "evaluations"));
    run_announce_data(run, "held out", &data->rows.held_out);
    e->of.folder = e->folder;
    if (e->of.problems->count > 0)
        announce(run, data, &e->of.rules);
    return true;
}

void sft_evaluation_close(SftEvaluation *e)
{
    free(e->folder);
    rollout_ranks_close(&e->ranks);
    *e = (SftEvaluation){0};
}
