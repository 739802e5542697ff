// Adapters: a model that has them begins as its base, is it again without them, and learns while the base's own weights
// keep their bits; what recomputation, ranks and the rest of a step may not change, they may not change here either.
#include "model/lora.h"
#include "pretrained/config_json.h"
#include "test/support/backends.h"
#include "test/support/device.h"
#include "test/support/ranks_training.h"
#include "test/support/tiny.h"
#include <math.h>

static const int32_t LENGTHS[] = {70, 1, 40, 2};
enum { DOCUMENTS = 4, KINDS = 2 * FAMILIES };

static Adapters adapters_of(int64_t rank, const char *targets)
{
    LoraOptions o = {.lora = rank, .lora_alpha = 1.5 * (double)rank, .lora_targets = targets};
    assert_ok(lora_check(&o, false));
    return lora_adapters(&o);
}

static ModelConfig config_of(int kind)
{
    ModelConfig config = TINY_CONFIG;
    config.family = (ModelFamily)(kind / 2);
    config.tied = kind % 2 != 0;
    return config;
}

// As tiny_open's of the same family, with adapters that are drawn, B too, unless they are new.
static void open_adapted(Model *m, int kind, const Adapters *adapters, bool recompute, bool anew)
{
    ModelConfig config = config_of(kind);
    ModelLimits limits = {.tokens = TINY_TOKENS,
                          .rows = TINY_TOKENS,
                          .sequences = TINY_DOCUMENTS,
                          .positions = TINY_TOKENS,
                          .training = true,
                          .recompute = recompute,
                          .adapters = *adapters};
    assert_ok(model_open(m, &config, &limits, kernels_open("cpu", 2), false));
    assert_ok(model_initialise(m, 7));
    tiny_draw_biases(m);
    assert_ok(model_begin_adapters(m, 5));
    if (anew)
        return;
    float *drawn = random_floats(m->parameters.elements, 9);
    for (int64_t e = 0; e < m->parameters.elements; e++)
        drawn[e] *= 0.1f;
    model_write_weights(m, 0, m->parameters.elements, drawn);
    free(drawn);
}

static TinyBatch *some_documents(void)
{
    TinyBatch *b = allocate(1, sizeof *b);
    assert_non_null(b);
    for (int d = 0; d < DOCUMENTS; d++)
        tiny_add(b, (uint32_t)d, LENGTHS[d]);
    return b;
}

typedef struct Found {
    float logprob[TINY_TOKENS], entropy[TINY_TOKENS];
} Found;

static Found look(Model *m, const TinyBatch *b)
{
    Found f = {0};
    assert_ok(model_forward(m, &b->ragged) && model_logprobs(m, &b->ragged, 1, 300, f.logprob, f.entropy, NULL));
    return f;
}

static void run_step(Model *m, const TinyBatch *b)
{
    LossSum sum = {.finite = true};
    assert_ok(model_forward(m, &b->ragged) && model_loss(m, &b->ragged, 0.01, &sum) && model_backward(m, &b->ragged));
}

static void new_adapters_change_nothing_and_learned_ones_are_left_out_on_demand(void **state)
{
    Adapters all = adapters_of(3, "all");
    TinyBatch *b = some_documents();
    for (int kind = 0; kind < KINDS; kind++) {
        Model base, m;
        tiny_open(&base, kernels_open("cpu", 2), (ModelFamily)(kind / 2), kind % 2 != 0, false);
        Found expected = look(&base, b), found;
        open_adapted(&m, kind, &all, false, true);
        found = look(&m, b);
        assert_memory_equal(&found, &expected, sizeof found);
        model_close(&m);
        open_adapted(&m, kind, &all, false, false);
        found = look(&m, b);
        assert_memory_not_equal(found.logprob, expected.logprob, sizeof found.logprob);
        m.without_adapters = true;
        found = look(&m, b);
        assert_memory_equal(&found, &expected, sizeof found);
        model_close(&m);
        model_close(&base);
    }
    free(b);
}

static float *own_of(const Model *m)
{
    int64_t count = model_own(m)->elements;
    float *host = allocate((size_t)count, sizeof *host);
    assert_true(host != NULL && model_read_own(m, 0, count, host));
    return host;
}

// The gradient is a descent: along it the loss falls by what its norm says, to first order; and nothing else moves.
static void only_adapters_learn(void **state)
{
    static const char *const TARGETS[] = {"all", "q,v", "k", "o,down", "up", "gate,q,up"};
    TinyBatch *b = some_documents();
    for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++) {
        Adapters some = adapters_of(2, TARGETS[i]);
        Model m;
        LossSum before = {.finite = true}, after = {.finite = true};
        double norm, size = 1e-3;
        open_adapted(&m, (int)i % KINDS, &some, i % 2 != 0, false);
        float *own = own_of(&m), *weights = weights_of(&m);
        int64_t n = m.parameters.elements, trained = b->ragged.trained;
        assert_ok(model_forward(&m, &b->ragged) && model_loss(&m, &b->ragged, 1 / (double)trained, &before) &&
                  model_backward(&m, &b->ragged) && gradient_norm(&m, &norm));
        float *gradients = gradients_of(&m);
        for (int64_t e = 0; e < n; e++)
            weights[e] -= (float)(size / norm * (double)gradients[e]);
        model_write_weights(&m, 0, n, weights);
        assert_ok(model_forward(&m, &b->ragged) && model_loss(&m, &b->ragged, 1 / (double)trained, &after));
        double fell = loss_mean(&before) - loss_mean(&after);
        if (!(fabs(fell - size * norm) <= 0.05 * size * norm)) // the second derivative's part, at this size
            fail_msg("%s: the loss fell by %g, not by %g", TARGETS[i], fell, size * norm);
        float *own_after = own_of(&m);
        assert_memory_equal(own, own_after, (size_t)model_own(&m)->elements * sizeof *own);
        free(own);
        free(own_after);
        free(weights);
        free(gradients);
        model_close(&m);
    }
    free(b);
}

static void recomputation_changes_no_bit(void **state)
{
    Adapters some = adapters_of(5, "q,v,o,gate,down");
    TinyBatch *b = some_documents();
    for (int kind = 0; kind < KINDS; kind++) {
        Model kept, again;
        open_adapted(&kept, kind, &some, false, false);
        open_adapted(&again, kind, &some, true, false);
        run_step(&kept, b);
        run_step(&again, b);
        float *x = gradients_of(&kept), *y = gradients_of(&again);
        assert_memory_equal(x, y, (size_t)kept.parameters.elements * sizeof *x);
        free(x);
        free(y);
        model_close(&kept);
        model_close(&again);
    }
    free(b);
}

static const Kernels *on_cpu(int rank) { return kernels_open("cpu", 1); }

static void every_number_of_ranks_has_the_bits_of_one(void **state)
{
    static const int SIZES[] = {1, 2};
    for (int once = 0; once < 2; once++) {
        Training t = {.config = config_of(once == 0 ? 1 : 2),
                      .steps = TRAINED_STEPS,
                      .micro_batches = 5,
                      .documents = 3,
                      .lengths = 23,
                      .adapters = adapters_of(4, once == 0 ? "all" : "q,v"),
                      .bf16_moments = once == 1,
                      .kernels = on_cpu,
                      .ranks = shared_by_ranks()};
        expect_bits_of_one(&t, SIZES, sizeof SIZES / sizeof SIZES[0], 60);
        munmap(t.ranks, TRAINED_RANKS * sizeof *t.ranks);
    }
}

// Qwen3-4B: what lies still takes two bytes and no more; what learns takes its own, its master, its gradient and two
// moments, 18; and no gradient of the head is made.
static void memory_is_that_of_the_weights_and_little_more(void **state)
{
    ModelConfig config;
    Adapters all = adapters_of(16, "all");
    json_t *file = json_load_file("lab/bench/qwen3-4b.json", 0, NULL);
    assert_ok(config_from_json(&config, file, "qwen3-4b.json"));
    json_decref(file);
    ModelLimits limits = {
        .tokens = 4096, .rows = 4096, .sequences = 4, .positions = 4096, .training = true, .recompute = true};
    Model full, m;
    Optimizer o = {0};
    assert_ok(model_open(&full, &config, &limits, kernels_for_plan("cuda"), true));
    limits.adapters = all;
    assert_ok(model_open(&m, &config, &limits, kernels_for_plan("cuda"), true) && optimizer_open(&o, &m, true));
    int64_t F = config.feed_forward, C = config.width, Q = config.heads * config.head_width,
            KV = config.kv_heads * config.head_width;
    int64_t expected = config.layers * 16 * (C + Q + 2 * (C + KV) + Q + C + 2 * (C + F) + F + C);
    assert_int_equal(m.parameters.elements, expected);
    assert_int_equal(model_own(&m)->elements, full.parameters.elements);
    double state_bytes = (double)m.state.bytes + (double)o.state.bytes,
           wanted = 2 * (double)full.parameters.elements + 18 * (double)expected;
    assert_true(state_bytes >= wanted &&
                state_bytes <= 1.001 * wanted); // sums of blocks, and what arrays are rounded to
    double head = 4.0 * (double)(config.vocabulary * C);
    assert_true((double)full.activations.bytes - (double)m.activations.bytes > 0.9 * head);
    optimizer_close(&o);
    model_close(&full);
    model_close(&m);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        LoraOptions o;
        const char *why;
    } CASES[] = {
        {{16, 0, "q,x"}, "\"x\" is no matrix of a layer"},      {{16, 0, ""}, "\"\" is no matrix of a layer"},
        {{16, 0, "q,"}, "\"\" is no matrix of a layer"},        {{16, 0, "q,v,q"}, "q is there twice"},
        {{16, 0, "q_proj"}, "\"q_proj\" is no matrix"},         {{0, 8, "all"}, "--lora-alpha: there are no adapters"},
        {{0, 0, "q"}, "--lora-targets: there are no adapters"}, {{8, 1e40, "all"}, "no number of fp32; one to four"},
        {{8, 1e-50, "all"}, "--lora-alpha 16 for instance"}};
    Model m;
    ModelConfig config;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_refused(lora_check(&CASES[i].o, false), CASES[i].why);
    assert_refused(lora_check(&(LoraOptions){16, 0, "all"}, true), "a model that has learned something");
    json_t *file = json_load_file("lab/bench/qwen3-4b.json", 0, NULL);
    assert_ok(config_from_json(&config, file, "qwen3-4b.json"));
    json_decref(file);
    ModelLimits limits = {.tokens = 64, .rows = 64, .sequences = 4, .positions = 64, .training = true};
    limits.adapters = adapters_of(12, "all");
    assert_refused(model_open(&m, &config, &limits, kernels_for_plan("cuda"), true), "multiples of 8; give --lora 16");
    limits.adapters = adapters_of(16, "all");
    limits.division = (Division){0, 2, true, false};
    assert_refused(model_open(&m, &config, &limits, kernels_for_plan("cuda"), true), "give --shard state");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        // first: what threads of this process hold would be lost to its children
        cmocka_unit_test(every_number_of_ranks_has_the_bits_of_one),
        cmocka_unit_test(new_adapters_change_nothing_and_learned_ones_are_left_out_on_demand),
        cmocka_unit_test(only_adapters_learn),
        cmocka_unit_test(recomputation_changes_no_bit),
        cmocka_unit_test(memory_is_that_of_the_weights_and_little_more),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
