// Parity with transformers' Qwen3 and Qwen2 in fp32 on the tiny models of lab/reference: logits, loss, every gradient,
// ten optimizer steps.
#include "test/support/device.h"
#include "test/support/fixture.h"

static const char *const NAMES[] = {"tied", "untied", "group4", "qwen2_tied", "qwen2_untied"};
enum { MODELS = 5 };

// The head's product alone, of all rows: the model itself never has them whole.
static float *logits_of(const Model *m, int64_t T)
{
    const Kernels *k = m->kernels;
    int64_t V = m->config.vocabulary, C = m->config.width, offset = m->parameters.list[m->parameters.head].offset;
    void *device = k->allocate((size_t)(T * V) * k->activation_size);
    float *logits = allocate((size_t)(T * V), sizeof *logits);
    assert_true(device != NULL && logits != NULL);
    Tensor head = dense((char *)m->weights + (size_t)offset * k->activation_size, V, C);
    k->matmul_forward(NULL, dense(device, T, V), dense(m->a.hidden, T, C), head, false);
    assert_ok(k->download_widened(NULL, logits, device, T * V));
    k->release(device);
    return logits;
}

static void logits_agree(void **state)
{
    for (int n = 0; n < MODELS; n++) {
        Fixture f = fixture_open(NAMES[n]);
        if (weights_find(f.expected, "logits") == NULL) {
            fixture_close(&f);
            continue; // the model with long documents has log-probabilities instead
        }
        Model m;
        fixture_model(&m, &f, false);
        Batch *b = batch_of_all(&f, true);
        assert_ok(model_forward(&m, &b->ragged));
        int64_t count, T = b->ragged.tokens, V = m.config.vocabulary;
        float *expected = expected_values(&f, "logits", &count), *logits = logits_of(&m, T);
        assert_int_equal(count, T * V);
        double error = largest_difference(logits, expected, count) / largest_of(expected, count);
        print_message("%s: logits differ by %.1e of the largest\n", NAMES[n], error);
        assert_true(error <= 2e-5);
        free(expected);
        free(logits);
        free(b);
        model_close(&m);
        fixture_close(&f);
    }
}

static void logprobs_agree(void **state)
{
    for (int n = 0; n < MODELS; n++) {
        Fixture f = fixture_open(NAMES[n]);
        Model m;
        fixture_model(&m, &f, false);
        Batch *b = batch_of_all(&f, true);
        int64_t count, N = b->ragged.trained;
        float *expected = expected_values(&f, "logprobs", &count), *logprob = allocate((size_t)N, 4),
              *entropy = allocate((size_t)N, 4);
        assert_int_equal(count, N);
        assert_ok(model_forward(&m, &b->ragged));
        assert_ok(model_logprobs(&m, &b->ragged, 1, m.config.vocabulary, logprob, entropy, NULL));
        double error = largest_difference(logprob, expected, count);
        print_message("%s: logprobs differ by %.1e\n", NAMES[n], error);
        assert_true(error <= 2e-5 * (1 + largest_of(expected, count)));
        free(expected);
        free(logprob);
        free(entropy);
        free(b);
        model_close(&m);
        fixture_close(&f);
    }
}

static void loss_and_gradients_agree(void **state)
{
    for (int n = 0; n < MODELS; n++) {
        Fixture f = fixture_open(NAMES[n]);
        for (int recompute = 0; recompute < 2; recompute++) {
            Model m;
            fixture_model(&m, &f, recompute != 0);
            double loss = fixture_step(&m, &f);
            double expected = json_number_value(json_object_get(f.scalars, "loss"));
            print_message("%s: loss %.8f, transformers %.8f\n", NAMES[n], loss, expected);
            assert_true(fabs(loss - expected) <= 1e-6);
            fixture_gradients_agree(&m, &f, NAMES[n]);
            model_close(&m);
        }
        fixture_close(&f);
    }
}

static void ten_adamw_steps_agree(void **state)
{
    for (int n = 0; n < (is_brief() ? 1 : MODELS); n++) {
        Fixture f = fixture_open(NAMES[n]);
        Model m;
        fixture_model(&m, &f, false);
        Optimizer o = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1};
        assert_ok(optimizer_open(&o, &m, false));
        int64_t count;
        double clip = json_number_value(json_object_get(f.scalars, "max_norm"));
        const json_t *norms = json_object_get(f.scalars, "step_norm");
        for (int step = 0; step < 10; step++) {
            double norm;
            assert_ok(gradients_clear(&m));
            fixture_step(&m, &f);
            assert_ok(gradient_norm(&m, &norm));
            assert_true(fabs(norm - json_number_value(json_array_get(norms, (size_t)step))) <= 1e-4 * norm);
            assert_ok(optimizer_step(&o, &m, 1e-3, norm > clip ? clip / norm : 1));
        }
        double worst = 0;
        float *weights = weights_of(&m);
        for (int64_t i = 0; i < m.parameters.count; i++) {
            char key[96];
            snprintf(key, sizeof key, "after.%s", m.parameters.list[i].name);
            float *expected = expected_values(&f, key, &count);
            double error = largest_difference(weights + m.parameters.list[i].offset, expected, count);
            if (!(error <= 1e-5))
                fail_msg("%s: after ten steps %s differs by %.2e", NAMES[n], m.parameters.list[i].name, error);
            worst = error > worst ? error : worst;
            free(expected);
        }
        free(weights);
        print_message("%s: weights differ by %.1e after ten steps\n", NAMES[n], worst);
        optimizer_close(&o);
        model_close(&m);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_agree),
        cmocka_unit_test(logprobs_agree),
        cmocka_unit_test(loss_and_gradients_agree),
        cmocka_unit_test(ten_adamw_steps_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
