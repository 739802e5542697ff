// Weights that are not those of the configuration are refused by name; the 16-bit types load to the bits that they
// stand for.
#include "system/files.h"
#include "pretrained/weights.h"
#include "test/support/device.h"
#include "test/support/fixture.h"
#include "test/support/tiny.h"
#include <unistd.h>

static char folder[64];

typedef struct Tensors {
    WeightPlan plan[64];
    int64_t count;
} Tensors;

static Tensors tensors_of(const Model *m)
{
    Tensors t = {.count = m->parameters.count};
    for (int64_t i = 0; i < t.count; i++) {
        const Parameter *p = &m->parameters.list[i];
        t.plan[i] =
            p->matrix ? (WeightPlan){p->name, 2, {p->rows, p->columns}} : (WeightPlan){p->name, 1, {p->columns}};
    }
    return t;
}

static bool halves(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = 0.5f;
    return true;
}

static void write_tensors(const Tensors *t)
{
    assert_ok(weights_write(folder, t->plan, t->count, WEIGHT_BF16, 1u << 30, halves, NULL));
}

static void the_models_own_tensors_load(void **state)
{
    Model m;
    tiny_open(&m, kernels_open("cpu", 2), QWEN3, true, false);
    Tensors t = tensors_of(&m);
    write_tensors(&t);
    assert_ok(model_load(&m, folder));
    float *weights = weights_of(&m);
    for (int64_t e = 0; e < m.parameters.elements; e++)
        assert_true(weights[e] == 0.5f);
    free(weights);
    t.plan[t.count++] = (WeightPlan){"lm_head.weight", 2, {300, 40}}; // a tied model's second copy
    write_tensors(&t);
    assert_ok(model_load(&m, folder));
    model_close(&m);
}

static bool another_head(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    const Tensors *t = context;
    for (int64_t i = 0; i < count; i++) // in one element, the last of the head
        out[i] = tensor == t->count - 1 && first + i == 300 * 40 - 1 ? 0.25f : 0.5f;
    return true;
}

static void a_tied_model_has_no_head_of_its_own(void **state)
{
    Model m;
    tiny_open(&m, kernels_open("cpu", 2), QWEN3, true, false);
    Tensors t = tensors_of(&m);
    t.plan[t.count++] = (WeightPlan){"lm_head.weight", 2, {300, 40}};
    assert_ok(weights_write(folder, t.plan, t.count, WEIGHT_BF16, 1u << 30, another_head, &t));
    assert_refused(model_load(&m, folder),
                   "lm_head.weight is not model.embed_tokens.weight once more; set it to false");
    t.plan[t.count - 1] = (WeightPlan){"lm_head.weight", 2, {40, 300}};
    write_tensors(&t);
    assert_refused(model_load(&m, folder), "lm_head.weight is not model.embed_tokens.weight once more");
    model_close(&m);
}

static void frequencies_of_rope_are_passed_over(void **state)
{
    Model m;
    tiny_open(&m, kernels_open("cpu", 2), QWEN3, true, false);
    Tensors t = tensors_of(&m);
    t.plan[t.count++] = (WeightPlan){"model.layers.0.self_attn.rotary_emb.inv_freq", 1, {6}};
    t.plan[t.count++] = (WeightPlan){"model.rotary_emb.inv_freq", 1, {6}};
    write_tensors(&t);
    assert_ok(model_load(&m, folder));
    t.plan[t.count - 1].name = "model.rotary_emb.inv_freq.more";
    write_tensors(&t);
    assert_refused(model_load(&m, folder), "inv_freq.more does not belong to the Qwen3 model");
    model_close(&m);
}

static void other_tensors_are_refused_by_name(void **state)
{
    Model m;
    tiny_open(&m, kernels_open("cpu", 2), QWEN3, true, false);
    Tensors t = tensors_of(&m);
    t.plan[t.count++] = (WeightPlan){"model.layers.0.self_attn.q_proj.bias", 1, {72}};
    write_tensors(&t);
    assert_refused(model_load(&m, folder), "model.layers.0.self_attn.q_proj.bias does not belong to the Qwen3 model");
    t = tensors_of(&m);
    t.plan[0].shape[0]++;
    write_tensors(&t);
    assert_refused(model_load(&m, folder), "model.embed_tokens.weight should be 300 x 40");
    t = tensors_of(&m);
    t.count--;
    write_tensors(&t);
    assert_refused(model_load(&m, folder), "model.norm.weight is missing");
    model_close(&m);
}

// A Qwen3's weights under a Qwen2's configuration, and the other way about, too.
static void the_tensors_of_the_other_family_are_refused_by_name(void **state)
{
    Model qwen3, qwen2;
    tiny_open(&qwen3, kernels_open("cpu", 2), QWEN3, true, false);
    tiny_open(&qwen2, kernels_open("cpu", 2), QWEN2, true, false);
    Tensors t = tensors_of(&qwen3);
    write_tensors(&t);
    assert_refused(model_load(&qwen2, folder), "self_attn.k_norm.weight does not belong to the Qwen2 model");
    t = tensors_of(&qwen2);
    write_tensors(&t);
    assert_ok(model_load(&qwen2, folder));
    assert_refused(model_load(&qwen3, folder), "self_attn.k_proj.bias does not belong to the Qwen3 model");
    t.count = 0;
    for (int64_t i = 0; i < qwen2.parameters.count; i++) // without its biases
        if (qwen2.parameters.list[i].matrix || qwen2.parameters.list[i].initial != 0)
            t.plan[t.count++] = tensors_of(&qwen2).plan[i];
    write_tensors(&t);
    assert_refused(model_load(&qwen2, folder), "model.layers.0.self_attn.q_proj.bias is missing");
    model_close(&qwen3);
    model_close(&qwen2);
}

static void a_new_model_has_norms_of_one_and_biases_of_zero(void **state)
{
    Model m;
    tiny_open(&m, kernels_open("cpu", 2), QWEN2, false, false);
    assert_ok(model_initialise(&m, 3));
    float *weights = weights_of(&m);
    int64_t norms = 0, biases = 0;
    for (int64_t i = 0; i < m.parameters.count; i++) {
        const Parameter *p = &m.parameters.list[i];
        bool bias = strstr(p->name, ".bias") != NULL, norm = strstr(p->name, "norm") != NULL;
        for (int64_t e = 0; (bias || norm) && e < parameter_elements(p); e++)
            assert_true(weights[p->offset + e] == (bias ? 0 : 1));
        biases += bias;
        norms += norm;
        assert_int_equal(p->matrix, !bias && !norm);
    }
    assert_int_equal(biases, 2 * 3);
    assert_int_equal(norms, 2 * 2 + 1);
    free(weights);
    model_close(&m);
}

// transformers computed the log-probabilities in fp32 from the rounded weights (lab/reference): fp32 rounding is all
// that is left.
static void sixteen_bit_weights_load_as_what_they_stand_for(void **state)
{
    static const char *const NAMES[] = {"tied_bf16", "tied_f16"};
    for (int n = 0; n < 2; n++) {
        Fixture f = fixture_open(NAMES[n]);
        Model m;
        fixture_model(&m, &f, false);
        Batch *b = batch_of_all(&f, true);
        int64_t count, N = b->ragged.trained;
        float *expected = expected_values(&f, "logprobs", &count), *got = allocate((size_t)(2 * N), 4);
        assert_int_equal(count, N);
        assert_ok(model_forward(&m, &b->ragged) &&
                  model_logprobs(&m, &b->ragged, 1, m.config.vocabulary, got, got + N, NULL));
        assert_true(largest_difference(got, expected, count) <= 2e-5 * (1 + largest_of(expected, count)));
        free(expected);
        free(got);
        free(b);
        model_close(&m);
        fixture_close(&f);
    }
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_model_load_%ld", (long)getpid());
    return folder_make(folder) ? 0 : 1;
}

static int remove_folder(void **state) { return folder_remove(folder) ? 0 : 1; }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_models_own_tensors_load),
        cmocka_unit_test(a_tied_model_has_no_head_of_its_own),
        cmocka_unit_test(frequencies_of_rope_are_passed_over),
        cmocka_unit_test(other_tensors_are_refused_by_name),
        cmocka_unit_test(the_tensors_of_the_other_family_are_refused_by_name),
        cmocka_unit_test(a_new_model_has_norms_of_one_and_biases_of_zero),
        cmocka_unit_test(sixteen_bit_weights_load_as_what_they_stand_for),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
