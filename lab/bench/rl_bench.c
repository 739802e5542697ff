// build/rl_bench --model FOLDER [--prompts N] [--samples G] [--prompt P] [--new L] [--steps S] [--per-update N]
//                [--micro-batch T] [--moments 2|4] [--recompute auto|0|1] [--share-prompts 0|1] [--sequences S]
//                [--threads T] [--device auto|cpu|cuda]
// Where the time of a GRPO step goes: train_rl's own parts on random prompts of P tokens, G responses to each, of L/8
// to L tokens (drawn; random weights never end a response by themselves). A phase table, then one line of JSON with the
// seconds of each phase in the last step. That the update finds the log-probabilities that were sampled is checked for
// every token, as train_rl does. (FOLDER needs a config.json; without weights in it they are random.)
#include "fit/fit.h"
#include "session/session.h"
#include "pretrained/folder.h"
#include "rl/advantage.h"
#include "rl/update.h"
#include "system/machine.h"
#include <stdlib.h>
#include <string.h>

enum { GENERATE, REWARD, ADVANTAGE, UPDATE, OPTIMIZER, PHASES };
static const char *const PHASE_NAMES[] = {"generate", "reward", "advantage", "forward and backward", "optimizer"};
static const char REFERENCE[] = "\\frac{1}{2}", ANSWER[] = "\nThe answer is \\boxed{0.5}.";

typedef struct Bench {
    const char *model, *device;
    int64_t prompts, samples, prompt, new_tokens, steps, per_update, micro_batch, moment_bytes, recompute,
        share_prompts, sequences, threads;
    Session policy;
    Optimizer optimizer;
    Rollout rollout;
    double seconds[PHASES];
    int64_t updates;
    UpdateReport report;
} Bench;

static uint64_t draw(int64_t step, int64_t request, int64_t place, uint64_t below)
{
    return random_bits((uint64_t)step, RANDOM_DEMO, (uint32_t)request, (uint32_t)place, 0).v[0] % below;
}

// ---- prompts, and responses of drawn lengths

static bool make_prompts(Bench *b, int64_t step)
{
    Rollout *o = &b->rollout;
    *o = (Rollout){.count = b->prompts, .samples = b->samples};
    TRY((o->groups = allocate((size_t)o->count, sizeof *o->groups)) != NULL);
    for (int64_t i = 0; i < o->count; i++) {
        Group *g = &o->groups[i];
        int32_t *ids = allocate((size_t)b->prompt, sizeof *ids);
        TRY(ids != NULL);
        for (int64_t t = 0; t < b->prompt; t++)
            ids[t] = (int32_t)draw(step, i, t, (uint64_t)b->policy.files.n_live);
        g->prompt.ids = ids;
        g->prompt.prompt = (uint32_t)b->prompt;
        g->prompt.answer = (Text){REFERENCE, strlen(REFERENCE)};
        TRY((g->responses = allocate((size_t)b->samples, sizeof *g->responses)) != NULL);
    }
    return true;
}

static void free_rollout(Bench *b)
{
    for (int64_t i = 0; b->rollout.groups != NULL && i < b->rollout.count; i++)
        free((int32_t *)b->rollout.groups[i].prompt.ids);
    rollout_free(&b->rollout);
}

// A request for each response, since each has a length of its own; their prompt is shared all the same.
static bool ask(Bench *b, int64_t step, int64_t group)
{
    const Group *g = &b->rollout.groups[group];
    Engine *engine = b->policy.engine;
    Sequence *prefix = engine_prefix(engine, NULL, g->prompt.ids, b->prompt);
    TRY(prefix != NULL);
    bool ok = true;
    for (int64_t k = 0; ok && k < b->samples; k++) {
        GenerationRequest r = {.tag = (uint64_t)(group * b->samples + k), .id = (uint64_t)(step * b->prompts + group)};
        r.prompt = g->prompt.ids;
        r.prompt_count = b->prompt;
        r.prefix = prefix;
        r.first_sample = (int32_t)k;
        r.samples = 1;
        r.max_new_tokens = b->new_tokens / 8 +
                           (int64_t)draw(step, group, (1 << 20) + k, (uint64_t)(b->new_tokens - b->new_tokens / 8 + 1));
        r.max_new_tokens = r.max_new_tokens > 0 ? r.max_new_tokens : 1;
        r.temperature = r.top_p = 1;
        ok = engine_add(engine, &r);
    }
    engine_prefix_release(engine, prefix);
    return ok;
}

static bool keep(Response *r, const GenerationResult *result)
{
    size_t n = (size_t)result->count;
    r->count = result->count;
    TRY((r->ids = allocate(n, sizeof *r->ids)) != NULL && (r->logprob = allocate(n, sizeof *r->logprob)) != NULL);
    memcpy(r->ids, result->ids, n * sizeof *r->ids);
    memcpy(r->logprob, result->logprob, n * sizeof *r->logprob);
    return true;
}

static bool generate(Bench *b, int64_t step)
{
    Engine *engine = b->policy.engine;
    GenerationResult result;
    for (int64_t i = 0; i < b->prompts; i++)
        TRY(ask(b, step, i));
    while (!engine_empty(engine)) {
        TRY(engine_step(engine));
        while (engine_next(engine, &result)) {
            TRY(keep(&b->rollout.groups[(int64_t)result.tag / b->samples].responses[(int64_t)result.tag % b->samples],
                     &result));
            b->rollout.tokens += result.count;
        }
    }
    return true;
}

// ---- rewards, of text as long as the responses; every second one is right

static bool judge(Response *r, const Group *g, bool right)
{
    for (int64_t t = 0; t < r->count; t++)
        TRY(bytes_text(&r->text, t % 8 == 7 ? "x+1\n" : " so "));
    TRY(bytes_text(&r->text, right ? ANSWER : "\nThe answer is \\boxed{\\frac{1}{3}}."));
    r->verdict = verify(g->prompt.answer, (Text){r->text.data, r->text.size});
    r->reward = r->verdict == VERDICT_EQUAL;
    return (r->reward == 1) == right || fail("the comparison of answers was wrong");
}

static bool reward(Bench *b, int64_t step)
{
    for (int64_t n = 0; n < b->prompts * b->samples; n++) {
        Group *g = &b->rollout.groups[n / b->samples];
        TRY(judge(&g->responses[n % b->samples], g, draw(step, n, 1 << 21, 2) == 1));
    }
    return true;
}

static void compare(Bench *b)
{
    AdvantageOptions grpo = {.advantage = {"grpo", ADVANTAGE_GRPO}, .advantage_eps = 1e-6};
    advantages(&b->rollout, &grpo);
}

// ---- updates

static bool gradients(Bench *b, int64_t first, int64_t count)
{
    UpdateRules rules = {.temperature = 1, .n_live = b->policy.files.n_live, .on_policy = first == 0};
    rules.objective = (Objective){.loss = LOSS_CLIP, .clip_low = 0.2, .clip_high = 0.2, .dual_clip = 3};
    PolicyLossOptions loss = {.aggregation = {"token-mean", TOKEN_MEAN}};
    PackPart part = {first, count, b->micro_batch, 8, b->share_prompts != 0};
    Pack pack;
    double norm;
    update_weights(&b->rollout, &part, &loss, b->new_tokens);
    TRY(pack_open(&pack, &b->rollout, &part));
    bool ok = gradients_clear(&b->policy.model) && update_gradients(&b->policy.model, &pack, &rules, &b->report) &&
              gradient_norm(&b->policy.model, &norm);
    pack_close(&pack);
    return ok;
}

static bool update(Bench *b)
{
    for (int64_t first = 0; first < b->prompts; first += b->per_update) {
        double start = clock_seconds();
        TRY(gradients(b, first, first + b->per_update < b->prompts ? b->per_update : b->prompts - first));
        double middle = clock_seconds();
        b->seconds[UPDATE] += middle - start;
        TRY(optimizer_step(&b->optimizer, &b->policy.model, 1e-6, 1));
        b->seconds[OPTIMIZER] += clock_seconds() - middle;
        b->updates++;
    }
    return true;
}

// ---- a step

static bool step(Bench *b, int64_t number)
{
    memset(b->seconds, 0, sizeof b->seconds);
    b->updates = 0;
    b->report = (UpdateReport){0};
    TRY(make_prompts(b, number));
    double start = clock_seconds();
    TRY(generate(b, number));
    b->seconds[GENERATE] = clock_seconds() - start;
    start = clock_seconds();
    TRY(reward(b, number));
    b->seconds[REWARD] = clock_seconds() - start;
    start = clock_seconds();
    compare(b);
    b->seconds[ADVANTAGE] = clock_seconds() - start;
    return update(b);
}

static void print_step(const Bench *b, int64_t number)
{
    double all = 0;
    int64_t trained = b->rollout.tokens + b->prompts * b->samples * b->prompt;
    for (int i = 0; i < PHASES; i++)
        all += b->seconds[i];
    printf("step %" PRId64 ": %" PRId64 " responses of %" PRId64 " tokens in all, %" PRId64 " updates, %" PRId64
           " tokens trained, ratio 1 for every token of the first update\n",
           number + 1, b->prompts * b->samples, b->rollout.tokens, b->updates, b->report.counts.tokens);
    for (int i = 0; i < PHASES; i++)
        printf("  %-24s %9.3f s  %5.1f%%\n", PHASE_NAMES[i], b->seconds[i], 100 * b->seconds[i] / all);
    printf("  %-24s %9.3f s\n  %-24s %9.3f s\n", "old log-probabilities", 0.0, "weights to the sampler", 0.0);
    if (number + 1 < b->steps)
        return;
    EngineStatistics e = engine_statistics(b->policy.engine);
    printf(
        "{\"rl_step\": \"dereason\", \"model\": \"%s\", \"device\": \"%s\", \"prompts\": %" PRId64
        ", \"samples\": %" PRId64 ", \"prompt\": %" PRId64 ", \"new\": %" PRId64 ", \"sampled_tokens\": %" PRId64
        ", \"step_seconds\": %.3f, "
        "\"generate_seconds\": %.3f, \"reward_seconds\": %.4f, \"update_seconds\": %.3f, \"optimizer_seconds\": %.3f, "
        "\"generate_tokens_per_second\": %.1f, \"update_tokens_per_second\": %.1f, \"preemptions\": %" PRId64
        ", \"moments\": %" PRId64 ", \"recompute\": %" PRId64 ", \"micro_batch\": %" PRId64 "}\n",
        b->model, b->policy.kernels->device(), b->prompts, b->samples, b->prompt, b->new_tokens, b->rollout.tokens, all,
        b->seconds[GENERATE], b->seconds[REWARD], b->seconds[UPDATE], b->seconds[OPTIMIZER],
        (double)b->rollout.tokens / b->seconds[GENERATE], (double)trained / b->seconds[UPDATE], e.preemptions,
        b->moment_bytes, b->recompute, b->micro_batch);
}

// ---- all of it

enum { WHERE_NEEDED = -1 }; // --recompute auto

// Whether layers are recomputed, as train_rl decides it.
static bool choose_recompute(Bench *b, SessionOptions *o)
{
    Fit fit;
    Bytes said = {0};
    MachineOptions machine = {.device = {.name = b->device}, .threads = b->threads, .gpu = ""};
    Needs needs = {.recompute_auto = b->recompute == WHERE_NEEDED, .micro_batch_tokens = b->micro_batch};
    needs.longest = o->context;
    o->training.recompute = b->recompute == 1;
    bool ok = fit_open(&fit, &machine) && session_needs(&needs.own, fit.kernels, o) && fit_choose(&fit, &needs) &&
              fit_describe(&fit, &said);
    if (ok && said.size > 0)
        printf("%s\n", said.data);
    b->recompute = o->training.recompute = fit.needs.own.limits.recompute;
    bytes_free(&said);
    fit_close(&fit);
    return ok;
}

static bool open_policy(Bench *b)
{
    SessionOptions o = {.model = b->model, .device = b->device, .threads = b->threads, .random_weights = true};
    o.context = b->prompt + b->new_tokens + 1;
    o.sequences = b->sequences;
    o.bf16_moments = b->moment_bytes == 2;
    o.training.tokens = b->micro_batch > o.context ? b->micro_batch : o.context;
    o.training.rows = o.training.sequences = o.training.tokens;
    o.training.positions = o.context;
    o.training.training = true;
    TRY(choose_recompute(b, &o) && session_open(&b->policy, &o));
    b->optimizer = (Optimizer){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .bf16_moments = b->moment_bytes == 2};
    return optimizer_open(&b->optimizer, &b->policy.model, false);
}

static bool bench(Bench *b)
{
    TRY(open_policy(b));
    Bytes said = {0};
    session_describe(&b->policy, &said);
    printf("%s\n", said.data);
    bytes_free(&said);
    bool ok = true;
    for (int64_t i = 0; ok && i < b->steps; i++) {
        ok = step(b, i);
        if (ok)
            print_step(b, i);
        free_rollout(b);
    }
    return ok;
}

static bool read_arguments(Bench *b, int count, char **arguments)
{
    const struct {
        const char *name;
        int64_t *value;
        int64_t least, most;
    } numbers[] = {{"--prompts", &b->prompts, 1, 1 << 16},
                   {"--samples", &b->samples, 2, 1 << 12},
                   {"--prompt", &b->prompt, 1, 1 << 20},
                   {"--new", &b->new_tokens, 1, 1 << 20},
                   {"--steps", &b->steps, 1, 1 << 10},
                   {"--per-update", &b->per_update, 1, 1 << 16},
                   {"--micro-batch", &b->micro_batch, 1, 1 << 24},
                   {"--moments", &b->moment_bytes, 2, 4},
                   {"--recompute", &b->recompute, 0, 1},
                   {"--share-prompts", &b->share_prompts, 0, 1},
                   {"--sequences", &b->sequences, 0, 4096},
                   {"--threads", &b->threads, 0, 4096}};
    for (int i = 1; i < count; i += 2) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
        bool known = value != NULL && (strcmp(name, "--model") == 0 || strcmp(name, "--device") == 0);
        if (known)
            *(name[2] == 'm' ? &b->model : &b->device) = value;
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers && !known && value != NULL; n++)
            if (strcmp(name, "--recompute") == 0 && strcmp(value, "auto") == 0) {
                b->recompute = WHERE_NEEDED;
                known = true;
            } else if (strcmp(name, numbers[n].name) == 0) {
                *numbers[n].value = strtoll(value, NULL, 10);
                known = *numbers[n].value >= numbers[n].least && *numbers[n].value <= numbers[n].most;
            }
        if (!known)
            return false;
    }
    return b->model != NULL;
}

int main(int count, char **arguments)
{
    threads_wait_asleep(arguments);
    Bench b = {.device = "auto",
               .prompts = 32,
               .samples = 8,
               .prompt = 1024,
               .new_tokens = 2048,
               .steps = 2,
               .per_update = 16};
    b.micro_batch = 16384;
    b.moment_bytes = 4;
    b.share_prompts = 1;
    b.recompute = WHERE_NEEDED;
    if (!read_arguments(&b, count, arguments)) {
        fputs("usage: rl_bench --model FOLDER [--prompts N] [--samples G] [--prompt P] [--new L] [--steps S] "
              "[--per-update N]\n"
              "                [--micro-batch T] [--moments 2|4] [--recompute auto|0|1] [--share-prompts 0|1] "
              "[--sequences S] "
              "[--threads T] [--device D]\n",
              stderr);
        return 2;
    }
    bool ok = bench(&b);
    if (!ok)
        fprintf(stderr, "rl_bench: %s\n", error_text());
    optimizer_close(&b.optimizer);
    session_close(&b.policy);
    return !ok;
}
