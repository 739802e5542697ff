// A fixture of lab/reference: a tiny model folder, its documents, and what transformers computed for them.
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "test/support/check.h"
#include "test/support/device.h"
#include "model/model.h"
#include "pretrained/config_json.h"
#include "pretrained/weights.h"
#include "safetensors/safetensors.h"

enum { DOCUMENTS_MAX = 16, TOKENS_MAX = 4096 };

// Some of the fixture's documents laid end to end, with the memory of the Ragged.
typedef struct Batch {
    Ragged ragged;
    int32_t ids[TOKENS_MAX], positions[TOKENS_MAX], starts[DOCUMENTS_MAX + 1], contexts[DOCUMENTS_MAX];
    int32_t rows[TOKENS_MAX], targets[TOKENS_MAX];
} Batch;

typedef struct Fixture {
    Bytes folder;
    json_t *documents, *micro_batches;
    json_t *root, *scalars; // scalars: expected.json, where there is one
    Weights *expected;
} Fixture;

static inline Fixture fixture_open(const char *name)
{
    Fixture f = {0};
    Bytes path = {0};
    assert_ok(bytes_printf(&f.folder, "test/fixtures/models/%s", name));
    assert_ok(bytes_printf(&path, "%s/batch.json", f.folder.data));
    f.root = json_read(path.data, 1 << 26);
    if (f.root == NULL)
        fail_msg("%s", error_text());
    f.documents = json_object_get(f.root, "documents");
    f.micro_batches = json_object_get(f.root, "micro_batches");
    bytes_clear(&path);
    assert_ok(bytes_printf(&path, "%s/expected.safetensors", f.folder.data));
    assert_ok(weights_open(&f.expected, path.data));
    bytes_clear(&path);
    assert_ok(bytes_printf(&path, "%s/expected.json", f.folder.data));
    f.scalars = json_read(path.data, 1 << 20); // NULL for the rounded models, which are not trained
    bytes_free(&path);
    return f;
}

static inline void fixture_close(Fixture *f)
{
    weights_close(f->expected);
    json_decref(f->root);
    json_decref(f->scalars);
    bytes_free(&f->folder);
}

// Appends a document; all_rows: every token but the last is a row of the head, whether it is trained or not.
static inline void batch_add(Batch *b, const json_t *document, bool all_rows)
{
    const json_t *ids = json_object_get(document, "ids"), *trained = json_object_get(document, "trained");
    int32_t at = (int32_t)b->ragged.tokens, length = (int32_t)json_array_size(ids);
    for (int32_t i = 0; i < length; i++) {
        b->ids[at + i] = (int32_t)json_integer_value(json_array_get(ids, (size_t)i));
        b->positions[at + i] = i;
        if (i > 0 && (all_rows || json_integer_value(json_array_get(trained, (size_t)i)) != 0)) {
            b->rows[b->ragged.trained] = at + i - 1;
            b->targets[b->ragged.trained++] = b->ids[at + i];
        }
    }
    b->starts[b->ragged.sequences] = at;
    b->contexts[b->ragged.sequences++] = 0;
    b->starts[b->ragged.sequences] = at + length;
    b->ragged.tokens += length;
    b->ragged.ids = b->ids;
    b->ragged.positions = b->positions;
    b->ragged.starts = b->starts;
    b->ragged.contexts = b->contexts;
    b->ragged.rows = b->rows;
    b->ragged.targets = b->targets;
}

static inline Batch *batch_of_all(const Fixture *f, bool all_rows)
{
    Batch *b = allocate(1, sizeof *b);
    assert_non_null(b);
    for (size_t i = 0; i < json_array_size(f->documents); i++)
        batch_add(b, json_array_get(f->documents, i), all_rows);
    return b;
}

static inline Batch *batch_of(const Fixture *f, const json_t *numbers)
{
    Batch *b = allocate(1, sizeof *b);
    assert_non_null(b);
    for (size_t i = 0; i < json_array_size(numbers); i++)
        batch_add(b, json_array_get(f->documents, (size_t)json_integer_value(json_array_get(numbers, i))), false);
    return b;
}

// adapters NULL: its own weights learn
static inline void fixture_model_with(Model *model, const Fixture *f, bool recompute, const Adapters *adapters)
{
    ModelConfig config;
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/config.json", f->folder.data));
    assert_ok(config_read(&config, path.data));
    bytes_free(&path);
    const Kernels *kernels = kernels_open("cpu", 0);
    assert_non_null(kernels);
    ModelLimits limits = {.tokens = TOKENS_MAX,
                          .rows = TOKENS_MAX,
                          .sequences = DOCUMENTS_MAX,
                          .positions = 2048,
                          .training = true,
                          .recompute = recompute};
    if (adapters != NULL)
        limits.adapters = *adapters;
    assert_ok(model_open(model, &config, &limits, kernels, false));
    assert_ok(model_load(model, f->folder.data));
}

static inline void fixture_model(Model *model, const Fixture *f, bool recompute)
{
    fixture_model_with(model, f, recompute, NULL);
}

static inline float *expected_values(const Fixture *f, const char *name, int64_t *count)
{
    const WeightTensor *t = weights_find(f->expected, name);
    if (t == NULL)
        fail_msg("%s: no expected %s", f->folder.data, name);
    *count = 1;
    for (int i = 0; i < t->rank; i++)
        *count *= t->shape[i];
    float *x = allocate((size_t)*count, sizeof *x);
    assert_non_null(x);
    assert_ok(weights_read(t, 0, *count, x));
    return x;
}

// One pass over the fixture's micro-batches; the loss.
static inline double fixture_step(Model *m, const Fixture *f)
{
    int64_t trained = 0;
    LossSum sum = {.finite = true};
    for (int pass = 0; pass < 2; pass++) // first the number of trained tokens, then the gradients
        for (size_t i = 0; i < json_array_size(f->micro_batches); i++) {
            Batch *b = batch_of(f, json_array_get(f->micro_batches, i));
            if (pass == 0) {
                trained += b->ragged.trained;
            } else {
                assert_ok(model_forward(m, &b->ragged));
                assert_ok(model_loss(m, &b->ragged, 1.0 / (double)trained, &sum));
                assert_ok(model_backward(m, &b->ragged));
            }
            free(b);
        }
    assert_int_equal(sum.tokens, trained);
    return loss_mean(&sum);
}

// Every gradient, within 1e-4 of its norm.
static inline void fixture_gradients_agree(Model *m, const Fixture *f, const char *name)
{
    double worst = 0;
    float *gradients = gradients_of(m);
    for (int64_t i = 0; i < m->parameters.count; i++) {
        const Parameter *p = &m->parameters.list[i];
        char key[120];
        int64_t count;
        snprintf(key, sizeof key, "grad.%s", p->name);
        float *expected = expected_values(f, key, &count);
        assert_int_equal(count, parameter_elements(p));
        double error = relative_norm(gradients + p->offset, expected, count);
        if (!(error <= 1e-4))
            fail_msg("%s: the gradient of %s is off by %.2e of its norm", name, p->name, error);
        worst = error > worst ? error : worst;
        free(expected);
    }
    free(gradients);
    print_message("%s: gradients differ by %.1e of their norm at most\n", name, worst);
}

#endif
