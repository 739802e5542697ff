// What stays the same, bit for bit, when a step is computed in another way: recomputation, packing, threads, vector
// width, twice. And what is only close, with its bound: gradients of the same documents in other micro-batches, finite
// differences.
#include "kernels/profile.h"
#include "test/support/backends.h"
#include "test/support/device.h"
#include "test/support/tiny.h"
#include <omp.h>
#include <pthread.h>

static const int32_t LENGTHS[] = {137, 1, 300, 64, 2, 33};
enum { DOCUMENTS = 6 };

// Both families, tied and not
enum { KINDS = 2 * FAMILIES };

static void open_kind(Model *m, int kind, bool recompute)
{
    tiny_open(m, kernels_open("cpu", 2), (ModelFamily)(kind / 2), kind % 2 != 0, recompute);
}

static TinyBatch *packed(int first, int last)
{
    TinyBatch *b = allocate(1, sizeof *b);
    assert_non_null(b);
    for (int d = first; d < last; d++)
        tiny_add(b, (uint32_t)d, LENGTHS[d]);
    return b;
}

static double run_step(Model *m, const Ragged *batch, int64_t trained)
{
    LossSum sum = {.finite = true};
    assert_ok(model_forward(m, batch));
    assert_ok(model_loss(m, batch, 1.0 / (double)trained, &sum));
    assert_ok(model_backward(m, batch));
    return loss_mean(&sum);
}

static void same_gradients(const Model *a, const Model *b, const char *what)
{
    float *x = gradients_of(a), *y = gradients_of(b);
    for (int64_t i = 0; i < a->parameters.count; i++) {
        const Parameter *p = &a->parameters.list[i];
        if (memcmp(x + p->offset, y + p->offset, (size_t)parameter_elements(p) * sizeof(float)) != 0)
            fail_msg("%s: the gradient of %s differs", what, p->name);
    }
    free(x);
    free(y);
}

static void recomputation_changes_no_bit(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        Model kept, again;
        TinyBatch *b = packed(0, DOCUMENTS);
        open_kind(&kept, kind, false);
        open_kind(&again, kind, true);
        double x = run_step(&kept, &b->ragged, b->ragged.trained), y = run_step(&again, &b->ragged, b->ragged.trained);
        assert_memory_equal(&x, &y, sizeof x);
        same_gradients(&kept, &again, "recomputed");
        assert_true(again.activations.bytes < kept.activations.bytes);
        model_close(&kept);
        model_close(&again);
        free(b);
    }
}

// The loss of fine-tuning, as reinforcement learning has its own: given the log-probabilities, which are kept.
typedef struct FineTuning {
    int64_t rows;
    double scale;
    float logprob[TINY_TOKENS];
} FineTuning;

static bool fine_tuning(void *context, const float *logprob, const float *entropy, float *dlogprob, float *dentropy,
                        bool *of_entropy)
{
    FineTuning *f = context;
    memcpy(f->logprob, logprob, (size_t)f->rows * sizeof *logprob);
    for (int64_t n = 0; n < f->rows; n++)
        dlogprob[n] = (float)-f->scale;
    return true;
}

static void the_loss_has_the_bits_of_two_passes_over_the_head(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        Model one, two;
        open_kind(&one, kind, false);
        open_kind(&two, kind, false);
        for (int half = 0; half < 2; half++) { // two micro-batches, so that gradients are added too
            TinyBatch *b = packed(half * 3, half * 3 + 3);
            FineTuning f = {.rows = b->ragged.trained, .scale = 1.0 / 300};
            PolicyRows rows = {.temperature = 1, .n_live = 300, .loss = fine_tuning, .context = &f};
            run_step(&one, &b->ragged, 300);
            assert_ok(model_forward(&two, &b->ragged) && model_policy_loss(&two, &b->ragged, &rows) &&
                      model_backward(&two, &b->ragged));
            assert_memory_equal(model_loss_logprobs(&one), f.logprob, (size_t)f.rows * sizeof(float));
            same_gradients(&one, &two, "in two passes");
            free(b);
        }
        model_close(&one);
        model_close(&two);
    }
}

static void check_packed_logprobs(ModelFamily family)
{
    Model m;
    tiny_open(&m, kernels_open("cpu", 2), family, true, false);
    TinyBatch *all = packed(0, DOCUMENTS);
    float together[2][TINY_TOKENS], alone[2][TINY_TOKENS];
    assert_ok(model_forward(&m, &all->ragged));
    assert_ok(model_logprobs(&m, &all->ragged, 1, 300, together[0], together[1], NULL));
    int64_t at = 0;
    LossSum sum = {.finite = true}, parts = {.finite = true};
    for (int d = 0; d < DOCUMENTS; d++) {
        TinyBatch *one = packed(d, d + 1);
        assert_ok(model_forward(&m, &one->ragged));
        assert_ok(model_logprobs(&m, &one->ragged, 1, 300, alone[0], alone[1], NULL));
        for (int i = 0; i < 2; i++)
            assert_memory_equal(alone[i], together[i] + at, (size_t)one->ragged.trained * sizeof(float));
        for (int64_t n = one->ragged.trained - 1; n >= 0; n--)
            loss_add(&parts, alone[0][n]); // in another order, too
        at += one->ragged.trained;
        free(one);
    }
    for (int64_t n = 0; n < at; n++)
        loss_add(&sum, together[0][n]);
    assert_int_equal(sum.fixed, parts.fixed);
    free(all);
    model_close(&m);
}

static void packed_logprobs_equal_unpacked_ones(void **state)
{
    check_packed_logprobs(QWEN3);
    check_packed_logprobs(QWEN2);
}

static void check_packed_gradients(ModelFamily family)
{
    Model one, many;
    TinyBatch *all = packed(0, DOCUMENTS);
    int64_t trained = all->ragged.trained;
    tiny_open(&one, kernels_open("cpu", 2), family, true, false);
    tiny_open(&many, kernels_open("cpu", 2), family, true, false);
    run_step(&one, &all->ragged, trained);
    for (int d = 0; d < DOCUMENTS; d++) {
        TinyBatch *b = packed(d, d + 1);
        run_step(&many, &b->ragged, trained);
        free(b);
    }
    float *x = gradients_of(&one), *y = gradients_of(&many);
    for (int64_t i = 0; i < one.parameters.count; i++) {
        const Parameter *p = &one.parameters.list[i];
        double error = relative_norm(x + p->offset, y + p->offset, parameter_elements(p));
        if (!(error <= 1e-6))
            fail_msg("%s differs by %.2e of its norm", p->name, error);
    }
    free(x);
    free(y);
    free(all);
    model_close(&one);
    model_close(&many);
}

static void packed_gradients_are_close_to_unpacked_ones(void **state)
{
    check_packed_gradients(QWEN3);
    check_packed_gradients(QWEN2);
}

// A whole step with an optimizer update: weights compared.
static float *updated_weights(const Kernels *kernels, ModelFamily family, int threads, int64_t *count)
{
    omp_set_num_threads(threads);
    Model m;
    Optimizer o = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1};
    TinyBatch *b = packed(0, DOCUMENTS);
    double norm;
    tiny_open(&m, kernels, family, true, false);
    assert_ok(optimizer_open(&o, &m, false));
    for (int step = 0; step < 3; step++) {
        assert_ok(gradients_clear(&m));
        run_step(&m, &b->ragged, b->ragged.trained);
        assert_ok(gradient_norm(&m, &norm));
        assert_ok(optimizer_step(&o, &m, 1e-2, norm > 1 ? 1 / norm : 1));
    }
    *count = m.parameters.elements;
    float *weights = weights_of(&m);
    optimizer_close(&o);
    model_close(&m);
    free(b);
    omp_set_num_threads(2);
    return weights;
}

static void three_steps_are_the_same_for_all_threads_and_twice(void **state)
{
    int64_t count;
    for (int family = 0; family < FAMILIES; family++) {
        float *once = updated_weights(kernels_open("cpu", 0), (ModelFamily)family, 2, &count);
        for (int threads = 1; threads <= 3; threads++) {
            float *again = updated_weights(kernels_open("cpu", 0), (ModelFamily)family, threads, &count);
            assert_memory_equal(once, again, (size_t)count * sizeof *once);
            free(again);
        }
        free(once);
    }
}

static void three_steps_are_the_same_with_other_kernels(void **state)
{
    const Kernels *narrow = backend("avx2"), *others[] = {backend("avx512"), is_brief() ? NULL : backend("naive")};
    if (narrow == NULL || others[0] == NULL)
        print_message("skipped: AVX2 against AVX-512, because this machine has not both\n");
    int64_t count;
    for (int family = 0; narrow != NULL && family < FAMILIES; family++) {
        float *a = updated_weights(narrow, (ModelFamily)family, 2, &count);
        for (int i = 0; i < 2; i++) {
            if (others[i] == NULL)
                continue;
            float *b = updated_weights(others[i], (ModelFamily)family, 2, &count);
            assert_memory_equal(a, b, (size_t)count * sizeof *a);
            free(b);
        }
        free(a);
    }
}

// Central differences over a random direction u in parameter space: (L(w + hu) - L(w - hu)) / 2h against <gradient, u>.
// With |hu| about 1e-2 per tensor the third-order term and fp32's rounding (1e-7 of the loss over 2h) stay below 2e-3
// of |g|.
static double loss_at(Model *m, const TinyBatch *b, const Parameter *p, const float *u, double h)
{
    int64_t count = parameter_elements(p);
    float *before = allocate((size_t)count, sizeof *before), *moved = allocate((size_t)count, sizeof *moved);
    LossSum sum = {.finite = true};
    static float logprob[TINY_TOKENS], entropy[TINY_TOKENS];
    assert_ok(model_read_weights(m, p->offset, count, before));
    for (int64_t e = 0; e < count; e++)
        moved[e] = before[e] + (float)(h * u[e]);
    model_write_weights(m, p->offset, count, moved);
    assert_ok(model_forward(m, &b->ragged));
    assert_ok(model_logprobs(m, &b->ragged, 1, 300, logprob, entropy, NULL));
    for (int64_t n = 0; n < b->ragged.trained; n++)
        loss_add(&sum, logprob[n]);
    model_write_weights(m, p->offset, count, before);
    free(before);
    free(moved);
    return loss_mean(&sum);
}

static void gradients_agree_with_finite_differences(void **state)
{
    int kinds = is_brief() ? 1 : KINDS - 1; // it takes long, and a tied Qwen2 has nothing that the others have not
    for (int kind = 0; kind < kinds; kind++) {
        Model m;
        TinyBatch *b = packed(0, DOCUMENTS);
        open_kind(&m, kind, false);
        run_step(&m, &b->ragged, b->ragged.trained);
        float *gradients = gradients_of(&m);
        for (int64_t i = 0; i < m.parameters.count; i++) {
            const Parameter *p = &m.parameters.list[i];
            int64_t count = parameter_elements(p);
            const float *g = gradients + p->offset;
            float *u = random_floats(count, (uint32_t)(i + 1));
            double along = 0, size = 0, length = 0;
            for (int64_t e = 0; e < count; e++) {
                u[e] += 4 * g[e] /
                        (float)(largest_of(g, count) + 1e-30); // towards the gradient, so that <g, u> is not near 0
                length += (double)u[e] * u[e];
            }
            for (int64_t e = 0; e < count; e++) {
                u[e] = (float)(u[e] / sqrt(length));
                along += (double)g[e] * u[e];
                size += (double)g[e] * g[e];
            }
            double h = 1e-2, measured = (loss_at(&m, b, p, u, h) - loss_at(&m, b, p, u, -h)) / (2 * h);
            if (!(fabs(measured - along) <= 2e-3 * sqrt(size) + 2e-5))
                fail_msg("%s: %.6e by differences, %.6e by backward, |g| %.3e", p->name, measured, along, sqrt(size));
            free(u);
        }
        free(gradients);
        model_close(&m);
        free(b);
    }
}

static void an_empty_micro_batch_adds_nothing(void **state)
{
    Model m;
    LossSum sum = {.finite = true};
    Ragged empty = {0};
    tiny_open(&m, kernels_open("cpu", 2), QWEN3, true, false);
    assert_ok(model_forward(&m, &empty) && model_loss(&m, &empty, 1, &sum) && model_backward(&m, &empty));
    assert_int_equal(sum.tokens, 0);
    float *gradients = gradients_of(&m);
    for (int64_t e = 0; e < m.parameters.elements; e++)
        assert_true(gradients[e] == 0);
    free(gradients);
    model_close(&m);
}

// What sharding will rely on: layers are asked for in order and given back, and a gradient that was announced is
// finished.
typedef struct Witness {
    Model *model;
    int64_t calls[400];
    int count;
    float *ready; // the gradients of each layer as they were when it was announced
} Witness;

static bool acquired(void *context, int64_t layer)
{
    Witness *w = context;
    w->calls[w->count++] = layer;
    return true;
}

static void keep_gradient(Witness *w, const Parameter *p)
{
    const float *device = w->model->gradients + p->offset;
    assert_ok(
        w->model->kernels->download(NULL, w->ready + p->offset, device, (size_t)parameter_elements(p) * sizeof(float)));
}

static bool announced(void *context, int64_t layer)
{
    Witness *w = context;
    const Parameters *all = &w->model->parameters;
    w->calls[w->count++] = 100 + layer;
    for (int64_t i = 0; layer >= 0 && layer < w->model->config.layers && i < all->per_layer; i++)
        keep_gradient(w, &all->list[all->first_layer + layer * all->per_layer + i]);
    if (layer == -1)
        keep_gradient(w, &all->list[all->embedding]);
    if (layer == w->model->config.layers) {
        keep_gradient(w, &all->list[all->final_norm]);
        if (all->head != all->embedding)
            keep_gradient(w, &all->list[all->head]);
    }
    return true;
}

static void hooks_see_every_layer_in_order_and_finished_gradients(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        Model m;
        TinyBatch *b = packed(0, DOCUMENTS);
        Ragged empty = {0};
        open_kind(&m, kind, false);
        Witness full = {.model = &m, .ready = allocate((size_t)m.parameters.elements, sizeof(float))}, nothing = full;
        nothing.ready = allocate((size_t)m.parameters.elements, sizeof(float));
        m.hooks = (ModelHooks){.context = &full, .weights_acquire = acquired, .gradient_ready = announced};
        run_step(&m, &b->ragged, b->ragged.trained);
        float *gradients = gradients_of(&m);
        assert_memory_equal(full.ready, gradients, (size_t)m.parameters.elements * sizeof(float));
        free(gradients);
        const int64_t expected[] = {-1, 0, 1, 2, 2, 2, 102, 1, 101, 0, 100, 99}; // up, the loss, down
        assert_int_equal(full.count, 12);
        assert_memory_equal(full.calls, expected, sizeof expected);
        LossSum sum = {.finite = true};
        m.hooks.context = &nothing;
        assert_ok(model_forward(&m, &empty) && model_loss(&m, &empty, 1, &sum) && model_backward(&m, &empty));
        assert_int_equal(nothing.count, full.count);
        assert_memory_equal(nothing.calls, full.calls, sizeof full.calls);
        free(full.ready);
        free(nothing.ready);
        free(b);
        model_close(&m);
    }
}

// A first micro-batch writes its gradients: what it leaves is what adding them to zeros leaves, whatever was there.
static void the_first_micro_batch_of_a_step_writes_over_what_is_there(void **state)
{
    Ragged empty = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        Model added, written;
        TinyBatch *first = packed(0, 3), *second = packed(3, DOCUMENTS);
        LossSum sum = {.finite = true};
        double norm;
        open_kind(&added, kind, false); // its gradients are zeros
        open_kind(&written, kind, false);
        memset(written.gradients, 0xff, (size_t)written.parameters.elements * sizeof(float));
        assert_ok(gradients_clear(&written));
        assert_ok(model_forward(&written, &empty) && model_loss(&written, &empty, 1, &sum));
        assert_ok(model_backward(&written, &empty)); // writes nothing, so that the next one is the first
        run_step(&added, &first->ragged, 50);
        run_step(&written, &first->ragged, 50);
        same_gradients(&added, &written, "of a first micro-batch");
        run_step(&added, &second->ragged, 50);
        run_step(&written, &second->ragged, 50);
        same_gradients(&added, &written, "of two micro-batches");
        assert_ok(gradients_clear(&written) && gradient_norm(&written, &norm));
        assert_true(norm == 0); // nothing was written at all
        model_close(&added);
        model_close(&written);
        free(first);
        free(second);
    }
}

// ---- a profile (kernels/profile.h). From here on kernels_open gives the table that can be timed: this comes last.

static Profile profile_of(Model *m, const TinyBatch *b)
{
    Profile p;
    assert_ok(profile_begin());
    run_step(m, &b->ragged, b->ragged.trained);
    assert_ok(profile_end(&p));
    return p;
}

// Of all shapes together.
static ProfileRow profiled(const Profile *p, const char *operation)
{
    ProfileRow all = {.operation = operation};
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].operation, operation) == 0) {
            all.calls += p->rows[i].calls;
            all.flops += p->rows[i].flops;
        }
    return all;
}

static void *clear_elsewhere(void *kernels)
{
    float x[4];
    ((const Kernels *)kernels)->zero(NULL, x, sizeof x);
    return NULL;
}

static void a_profile_counts_what_the_layers_ask_for_and_changes_no_bit(void **state)
{
    static const struct {
        const char *operation;
        int64_t a_layer, beside;
    } asked[] = {{"matmul_forward", 3, 0},        {"matmul_backward_input", 4, 0}, {"matmul_backward_weight", 4, 0},
                 {"attention_forward", 1, 0},     {"attention_backward", 1, 0},    {"rmsnorm_forward", 2, 1},
                 {"rmsnorm_backward", 2, 1},      {"qk_norm_rope_forward", 1, 0},  {"qk_norm_rope_backward", 1, 0},
                 {"matmul_swiglu_forward", 1, 0}, {"swiglu_backward", 1, 0},       {"embedding_forward", 0, 1},
                 {"embedding_backward", 0, 1},    {"head_forward", 0, 0},          {"head_backward", 0, 0},
                 {"head_forward_backward", 0, 1}, {"graph_launch", 0, 0},          {"adamw", 0, 0}};
    const ModelConfig *c = &TINY_CONFIG;
    int64_t q = c->heads * c->head_width, kv = c->kv_heads * c->head_width, L = c->layers;
    double weights =
        (double)(L * c->width * (2 * q + 2 * kv + 3 * c->feed_forward)); // elements of the layers' matrices
    Model plain, m;
    TinyBatch *b = packed(0, DOCUMENTS);
    open_kind(&plain, 0, false);
    run_step(&plain, &b->ragged, b->ragged.trained);
    profile_prepare();
    open_kind(&m, 0, false);
    pthread_t other;
    assert_ok(profile_begin());
    assert_int_equal(pthread_create(&other, NULL, clear_elsewhere, (void *)m.kernels), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    Profile p;
    assert_ok(profile_end(&p));
    assert_int_equal(p.count, 0);                // only the thread that has begun is asked
    run_step(&m, &b->ragged, b->ragged.trained); // not profiled
    assert_ok(gradients_clear(&m));
    p = profile_of(&m, b);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        assert_int_equal(profiled(&p, asked[i].operation).calls, asked[i].a_layer * L + asked[i].beside);
    const char *const products[] = {"matmul_forward", "matmul_backward_input", "matmul_backward_weight"};
    for (int i = 0; i < 3; i++) {
        double fused = i == 0 ? profiled(&p, "matmul_swiglu_forward").flops : 0;
        assert_true(profiled(&p, products[i]).flops + fused == 2 * (double)b->ragged.tokens * weights);
    }
    double sum = 0;
    for (size_t i = 0; i < p.count; i++) {
        assert_true(p.rows[i].seconds >= 0 && (i == 0 || p.rows[i].of_operation <= p.rows[i - 1].of_operation));
        sum += p.rows[i].seconds;
    }
    assert_true(p.kernels > 0 && p.kernels <= p.seconds); // calls of one thread, one after the other
    assert_float_equal(p.kernels, sum, 1e-9 * sum);       // the same numbers in another order
    same_gradients(&plain, &m, "profiled");
    profile_free(&p);
    model_close(&plain);
    model_close(&m);
    free(b);
}

// Pairs of a token and one that it sees: as many as counted where all documents are as long, more where they are not.
static void attention_has_at_least_the_operations_of_its_profile(void **state)
{
    const ModelConfig *c = &TINY_CONFIG;
    for (int ragged = 0; ragged < 2; ragged++) {
        Model m;
        TinyBatch *b = allocate(1, sizeof *b);
        assert_non_null(b);
        double pairs = 0;
        for (int d = 0; d < 3; d++) {
            int32_t length = 40 + ragged * 7 * d;
            tiny_add(b, (uint32_t)d, length);
            pairs += (double)length * (length + 1) / 2;
        }
        open_kind(&m, 0, false);
        Profile p = profile_of(&m, b);
        double forward = profiled(&p, "attention_forward").flops, backward = profiled(&p, "attention_backward").flops;
        double exact = (double)(c->layers * 2 * 2 * c->heads * c->head_width) * pairs;
        assert_true(backward == 2.5 * forward && (ragged ? forward < exact : forward == exact));
        profile_free(&p);
        model_close(&m);
        free(b);
    }
}

static void a_token_outside_the_vocabulary_is_refused(void **state)
{
    Model m;
    TinyBatch *b = packed(3, 4);
    tiny_open(&m, kernels_open("cpu", 2), QWEN3, true, false);
    b->ids[5] = 300;
    assert_refused(model_forward(&m, &b->ragged), "token 5 of a micro-batch is id 300");
    b->ids[5] = -1;
    assert_refused(model_forward(&m, &b->ragged), "id -1");
    free(b);
    model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recomputation_changes_no_bit),
        cmocka_unit_test(the_loss_has_the_bits_of_two_passes_over_the_head),
        cmocka_unit_test(packed_logprobs_equal_unpacked_ones),
        cmocka_unit_test(packed_gradients_are_close_to_unpacked_ones),
        cmocka_unit_test(three_steps_are_the_same_for_all_threads_and_twice),
        cmocka_unit_test(three_steps_are_the_same_with_other_kernels),
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(an_empty_micro_batch_adds_nothing),
        cmocka_unit_test(the_first_micro_batch_of_a_step_writes_over_what_is_there),
        cmocka_unit_test(hooks_see_every_layer_in_order_and_finished_gradients),
        cmocka_unit_test(a_token_outside_the_vocabulary_is_refused),
        cmocka_unit_test(a_profile_counts_what_the_layers_ask_for_and_changes_no_bit),
        cmocka_unit_test(attention_has_at_least_the_operations_of_its_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
