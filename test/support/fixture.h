// A fixture of lab/reference: a tiny model folder, its documents, and what transformers computed for them.
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "test/support/check.h"
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

static inline void fixture_model(Model *model, const Fixture *f, bool recompute)
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
    assert_ok(model_open(model, &config, &limits, kernels, false));
    assert_ok(model_load(model, f->folder.data));
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

#endif
