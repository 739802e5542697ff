// Parity with PEFT and PyTorch in fp32 on the tiny models of lab/reference with adapters: loss, every gradient, ten
// steps of AdamW, and what is exported.
#include "pretrained/adapter.h"
#include "pretrained/export.h"
#include "system/files.h"
#include "test/support/device.h"
#include "test/support/fixture.h"
#include <stdlib.h>

static const struct {
    const char *name;
    int64_t rank;
    double scale;
    bool all; // or else q, v, up and down
} CASES[] = {{"tied", 4, 1.5, true}, {"qwen2_untied", 3, 1, false}};
enum { CASE_COUNT = 2 };

typedef struct Tuned {
    Fixture f; // the model's own, with what is expected of its adapters
    Weights *adapters, *merged;
    Model model;
} Tuned;

static Weights *weights_of_case(const char *name, const char *file)
{
    Bytes path = {0};
    Weights *weights;
    assert_ok(bytes_printf(&path, "test/fixtures/lora/%s/%s", name, file) && weights_open(&weights, path.data));
    bytes_free(&path);
    return weights;
}

static void open_case(Tuned *t, int n, bool recompute)
{
    Bytes path = {0};
    *t = (Tuned){.f = fixture_open(CASES[n].name)};
    weights_close(t->f.expected);
    json_decref(t->f.scalars);
    t->f.expected = weights_of_case(CASES[n].name, "expected.safetensors");
    t->adapters = weights_of_case(CASES[n].name, "adapter_model.safetensors");
    t->merged = weights_of_case(CASES[n].name, "merged.safetensors");
    assert_ok(bytes_printf(&path, "test/fixtures/lora/%s/expected.json", CASES[n].name));
    assert_non_null(t->f.scalars = json_read(path.data, 1 << 20));
    bytes_free(&path);
    Adapters adapters = {.rank = CASES[n].rank, .scale = CASES[n].scale};
    for (int i = 0; i < LAYER_TENSORS; i++)
        adapters.on[i] = adapter_target((LayerTensor)i) != NULL &&
                         (CASES[n].all || i == Q_PROJ || i == V_PROJ || i == UP_PROJ || i == DOWN_PROJ);
    fixture_model_with(&t->model, &t->f, recompute, &adapters);
    assert_int_equal(weights_count(t->adapters), t->model.parameters.count);
    for (int64_t i = 0; i < t->model.parameters.count; i++) {
        const Parameter *p = &t->model.parameters.list[i];
        const WeightTensor *tensor = weights_find(t->adapters, p->name);
        if (tensor == NULL || tensor->elements != parameter_elements(p))
            fail_msg("%s: PEFT has no %s of this size", CASES[n].name, p->name);
        float *host = allocate((size_t)tensor->elements, sizeof *host);
        assert_ok(weights_read(tensor, 0, tensor->elements, host));
        model_write_weights(&t->model, p->offset, tensor->elements, host);
        free(host);
    }
}

static void close_case(Tuned *t)
{
    model_close(&t->model);
    weights_close(t->adapters);
    weights_close(t->merged);
    fixture_close(&t->f);
}

// The bounds are those of test_model.c, whose losses and gradients are as large.
static void loss_and_gradients_agree(void **state)
{
    for (int n = 0; n < CASE_COUNT; n++)
        for (int recompute = 0; recompute < 2; recompute++) {
            Tuned t;
            open_case(&t, n, recompute != 0);
            double loss = fixture_step(&t.model, &t.f),
                   expected = json_number_value(json_object_get(t.f.scalars, "loss"));
            print_message("%s: loss %.8f, PEFT %.8f\n", CASES[n].name, loss, expected);
            assert_true(fabs(loss - expected) <= 1e-6);
            fixture_gradients_agree(&t.model, &t.f, CASES[n].name);
            close_case(&t);
        }
}

static void take_ten_steps(Tuned *t)
{
    Optimizer o = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1};
    double norm, clip = json_number_value(json_object_get(t->f.scalars, "max_norm"));
    const json_t *norms = json_object_get(t->f.scalars, "step_norm");
    assert_ok(optimizer_open(&o, &t->model, false));
    for (int step = 0; step < 10; step++) {
        assert_ok(gradients_clear(&t->model));
        fixture_step(&t->model, &t->f);
        assert_ok(gradient_norm(&t->model, &norm));
        assert_true(fabs(norm - json_number_value(json_array_get(norms, (size_t)step))) <= 1e-4 * norm);
        assert_ok(optimizer_step(&o, &t->model, 1e-3, norm > clip ? clip / norm : 1));
    }
    optimizer_close(&o);
}

// Of the exported tensors those with adapters are PEFT's within `bound`, and all others the folder's own, to the bit.
static void merged_agree(const Tuned *t, const char *folder, double bound)
{
    Weights *ours, *own;
    assert_ok(weights_open(&ours, folder) && weights_open(&own, t->f.folder.data));
    assert_int_equal(weights_count(ours), weights_count(own));
    for (size_t i = 0; i < weights_count(ours); i++) {
        const WeightTensor *tensor = weights_at(ours, i), *learned = weights_find(t->merged, tensor->name);
        const WeightTensor *expected = learned != NULL ? learned : weights_find(own, tensor->name);
        float *x = allocate((size_t)tensor->elements, 4), *y = allocate((size_t)tensor->elements, 4);
        assert_true(expected != NULL && expected->elements == tensor->elements);
        assert_ok(weights_read(tensor, 0, tensor->elements, x) && weights_read(expected, 0, tensor->elements, y));
        double error = largest_difference(x, y, tensor->elements);
        if (!(error <= (learned != NULL ? bound : 0)))
            fail_msg("%s: %s is off by %.2e", folder, tensor->name, error);
        free(x);
        free(y);
    }
    weights_close(ours);
    weights_close(own);
}

// What is written holds the model's adapters, to the bit.
static void adapters_agree(const Tuned *t, const char *folder)
{
    Weights *written;
    char *path = path_join(folder, "adapter_model.safetensors");
    float *ours = weights_of(&t->model);
    assert_ok(weights_open(&written, path));
    assert_int_equal(weights_count(written), t->model.parameters.count);
    for (int64_t i = 0; i < t->model.parameters.count; i++) {
        const Parameter *p = &t->model.parameters.list[i];
        const WeightTensor *tensor = weights_find(written, p->name);
        assert_true(tensor != NULL && tensor->type == WEIGHT_F32 && tensor->rank == 2 && tensor->shape[0] == p->rows &&
                    tensor->shape[1] == p->columns);
        float *host = allocate((size_t)tensor->elements, sizeof *host);
        assert_ok(weights_read(tensor, 0, tensor->elements, host));
        assert_memory_equal(host, ours + p->offset, (size_t)tensor->elements * sizeof *host);
        free(host);
    }
    weights_close(written);
    free(path);
    free(ours);
}

static void ten_adamw_steps_and_what_is_exported_agree(void **state)
{
    for (int n = 0; n < CASE_COUNT; n++) {
        Tuned t;
        char *folder;
        double worst = 0;
        open_case(&t, n, false);
        take_ten_steps(&t);
        float *weights = weights_of(&t.model);
        for (int64_t i = 0; i < t.model.parameters.count; i++) {
            char key[120];
            int64_t count;
            snprintf(key, sizeof key, "after.%s", t.model.parameters.list[i].name);
            float *expected = expected_values(&t.f, key, &count);
            double error = largest_difference(weights + t.model.parameters.list[i].offset, expected, count);
            if (!(error <= 1e-5))
                fail_msg("%s: after ten steps %s differs by %.2e", CASES[n].name, t.model.parameters.list[i].name,
                         error);
            worst = error > worst ? error : worst;
            free(expected);
        }
        print_message("%s: adapters differ by %.1e after ten steps\n", CASES[n].name, worst);
        assert_ok(folder_temporary(&folder, "lora"));
        char *model = path_join(folder, "model"), *adapter = path_join(folder, "adapter");
        // adapters that are off by `worst` each, of a size of at most 1: a sum of `rank` products is off by twice that
        // each, and W + scale times that by a rounding more
        assert_ok(export_model(&t.model, NULL, "chatml", "fp32", model, NULL, NULL));
        merged_agree(&t, model, CASES[n].scale * 2 * (double)CASES[n].rank * worst + 0x1p-23);
        for (int again = 0; again < 2; again++) // an earlier one is replaced
            assert_ok(adapter_export(&t.model, t.f.folder.data, adapter, NULL, NULL));
        adapters_agree(&t, adapter);
        folder_remove(folder);
        free(folder);
        free(model);
        free(adapter);
        free(weights);
        close_case(&t);
    }
}

static void a_folder_of_somebody_else_is_left_alone(void **state)
{
    Tuned t;
    char *folder, *file;
    open_case(&t, 0, false);
    assert_ok(folder_temporary(&folder, "lora") && (file = path_join(folder, "notes.txt")) != NULL);
    assert_ok(file_write_atomic(file, "mine", 4));
    assert_refused(adapter_export(&t.model, t.f.folder.data, folder, NULL, NULL), "notes.txt: not written with the");
    assert_true(file_exists(file));
    folder_remove(folder);
    free(folder);
    free(file);
    close_case(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradients_agree),
        cmocka_unit_test(ten_adamw_steps_and_what_is_exported_agree),
        cmocka_unit_test(a_folder_of_somebody_else_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
