// A run's state where only a device can reach it: training, saving, going on and exporting never touch the device's
// memory, keep the master weights and the moments exactly, and stop when the device breaks. What a backend cannot
// compute is refused by name.
#include "test/support/check.h"
#include "checkpoint/checkpoint.h"
#include "pretrained/export.h"
#include "pretrained/weights.h"
#include "run/run.h"
#include "test/support/device.h"
#include "test/support/guarded.h"
#include "test/support/tiny.h"
#include "train_sft_options.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_state-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

// ---- a run: two documents, which every step learns

typedef struct Training {
    Kernels kernels;
    Model model;
    Optimizer optimizer;
    TinyBatch *batch;
    Options options;
    TrainSftOptions o;
    Schedule schedule;
    Run run;
} Training;

static ModelConfig small_config(void) // what a backend of multiples of 8 and head widths of 64 can do
{
    ModelConfig config = TINY_CONFIG;
    config.heads = 2;
    config.kv_heads = 1;
    config.head_width = 64;
    return config;
}

static void open_training(Training *t, Kernels kernels, bool bf16_moments)
{
    *t = (Training){.kernels = kernels, .batch = allocate(1, sizeof *t->batch)};
    assert_non_null(t->batch);
    tiny_add(t->batch, 1, 40);
    tiny_add(t->batch, 2, 17);
    ModelConfig config = small_config();
    ModelLimits limits = {.tokens = 64, .rows = 64, .sequences = 2, .positions = 64, .training = true};
    t->optimizer = (Optimizer){
        .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1, .bf16_moments = bf16_moments, .seed = 5};
    assert_ok(model_open(&t->model, &config, &limits, &t->kernels, false));
    assert_ok(optimizer_open(&t->optimizer, &t->model, false));
    assert_ok(model_initialise(&t->model, 7));
}

static bool begin_run(Training *t, const char *moments, bool *resumed)
{
    char *words[] = {(char *)"train_sft", (char *)"--data", (char *)"x",         (char *)"--out",           folder,
                     (char *)"--seed",    (char *)"5",      (char *)"--moments", (char *)(uintptr_t)moments};
    assert_ok(options_read(&t->options, train_sft_options(), &t->o, 9, words));
    t->schedule = (Schedule){.shape = SCHEDULE_CONSTANT, .peak = 1e-3, .steps = 1000};
    t->o.run.log_every = 1000;
    t->run = (Run){.o = t->o.run,
                   .model = &t->model,
                   .optimizer = &t->optimizer,
                   .schedule = &t->schedule,
                   .steps = 1000,
                   .template_name = "chatml"};
    assert_ok(run_identity(&t->run, &t->options, &(Documents){0}, NULL));
    return run_open(&t->run, &t->options, resumed);
}

static void open_run(Training *t, const char *moments, bool *resumed) { assert_ok(begin_run(t, moments, resumed)); }

static void close_training(Training *t)
{
    if (t->run.o.out != NULL)
        run_close(&t->run);
    options_free(&t->options);
    optimizer_close(&t->optimizer);
    model_close(&t->model);
    free(t->batch);
}

static void train_step(Training *t)
{
    const Ragged *batch = &t->batch->ragged;
    LossSum sum = {.finite = true};
    double norm;
    assert_ok(gradients_clear(&t->model));
    assert_ok(model_forward(&t->model, batch) && model_loss(&t->model, batch, 1.0 / (double)batch->trained, &sum));
    assert_ok(model_backward(&t->model, batch) && gradient_norm(&t->model, &norm));
    assert_ok(optimizer_step(&t->optimizer, &t->model, 1e-2, norm > 1 ? 1 / norm : 1));
    t->run.step++;
}

static void start_afresh(void)
{
    assert_ok(folder_remove(folder));
    assert_ok(folder_make(folder));
}

static void same_floats(float *a, float *b, int64_t count, const char *what)
{
    if (memcmp(a, b, (size_t)count * sizeof *a) != 0)
        fail_msg("the %s differ", what);
    free(a);
    free(b);
}

static void same_state(const Training *a, const Training *b)
{
    int64_t count = a->model.parameters.elements;
    same_floats(weights_of(&a->model), weights_of(&b->model), count, "weights");
    same_floats(moments_of(&a->optimizer, FIRST_MOMENT, count), moments_of(&b->optimizer, FIRST_MOMENT, count), count,
                "first moments");
    same_floats(moments_of(&a->optimizer, SECOND_MOMENT, count), moments_of(&b->optimizer, SECOND_MOMENT, count), count,
                "second moments");
}

// ---- the device's memory is the device's

static void a_touch_of_the_devices_memory_is_a_fault(void **state)
{
    Kernels k = guarded_kernels();
    volatile float *device = k.allocate(sizeof(float));
    float x = 2, y = 0;
    k.upload(NULL, (void *)(uintptr_t)device, &x, sizeof x);
    assert_ok(k.download(NULL, &y, (void *)(uintptr_t)device, sizeof y));
    assert_true(y == 2);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); // and not cmocka's or the sanitizer's
        (void)*device;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    k.release((void *)(uintptr_t)device);
}

static void training_never_touches_the_devices_memory(void **state)
{
    Training device, host;
    float logprob[2][64], entropy[2][64];
    int32_t best[2][64];
    open_training(&device, guarded_kernels(), false);
    open_training(&host, *kernels_open("cpu", 2), false);
    Training *both[] = {&device, &host};
    for (int i = 0; i < 2; i++) {
        for (int step = 0; step < 3; step++)
            train_step(both[i]);
        Model *m = &both[i]->model;
        assert_ok(model_forward(m, &both[i]->batch->ragged));
        assert_ok(model_logprobs(m, &both[i]->batch->ragged, 1, 300, logprob[i], entropy[i], best[i]));
    }
    same_state(&device, &host);
    size_t bytes = (size_t)host.batch->ragged.trained * 4;
    assert_memory_equal(logprob[0], logprob[1], bytes);
    assert_memory_equal(entropy[0], entropy[1], bytes);
    assert_memory_equal(best[0], best[1], bytes);
    close_training(&device);
    close_training(&host);
}

static void a_resumed_run_has_the_bits_of_one_that_never_stopped(void **state)
{
    static const char *const MOMENTS[] = {"fp32", "bf16"};
    for (int bf16 = 0; bf16 < 2; bf16++) {
        Training calm, stopped, resumed;
        bool found;
        start_afresh();
        open_training(&calm, guarded_kernels(), bf16);
        for (int step = 0; step < 5; step++)
            train_step(&calm);
        open_training(&stopped, guarded_kernels(), bf16);
        open_run(&stopped, MOMENTS[bf16], &found);
        assert_false(found);
        train_step(&stopped);
        train_step(&stopped);
        assert_ok(run_save(&stopped.run));
        close_training(&stopped);
        open_training(&resumed, guarded_kernels(), bf16);
        open_run(&resumed, MOMENTS[bf16], &found);
        assert_true(found && resumed.run.step == 2);
        for (int step = 2; step < 5; step++)
            train_step(&resumed);
        same_state(&calm, &resumed);
        close_training(&calm);
        close_training(&resumed);
    }
}

static void bf16_moments_take_half_the_memory_and_stay_near(void **state)
{
    Training exact, rounded;
    open_training(&exact, *kernels_open("cpu", 2), false);
    open_training(&rounded, *kernels_open("cpu", 2), true);
    int64_t count = exact.model.parameters.elements;
    assert_true(rounded.optimizer.state.bytes <=
                exact.optimizer.state.bytes / 2 + 512); // arrays end at multiples of 256 bytes
    train_step(&exact);
    train_step(&rounded);
    float *a = moments_of(&exact.optimizer, FIRST_MOMENT, count),
          *b = moments_of(&rounded.optimizer, FIRST_MOMENT, count);
    for (int64_t i = 0; i < count; i++)
        assert_true(fabsf(a[i] - b[i]) < fabsf(a[i]) * 0x1p-7f + 1e-38f); // less than a step of bf16
    free(a);
    free(b);
    close_training(&exact);
    close_training(&rounded);
}

static void other_moments_than_those_of_the_checkpoint_are_refused(void **state)
{
    Training saved, other;
    bool found;
    start_afresh();
    open_training(&saved, *kernels_open("cpu", 2), false);
    open_run(&saved, "fp32", &found);
    train_step(&saved);
    assert_ok(run_save(&saved.run));
    float x[4] = {1, 0.5f, 1.0009765625f, 0}; // bf16 has no 1 + 2^-10
    close_training(&saved);
    open_training(&other, *kernels_open("cpu", 2), true);
    assert_refused(optimizer_write_moments(&other.optimizer, FIRST_MOMENT, 0, 4, x), "not bf16 numbers");
    assert_refused(begin_run(&other, "bf16", &found), "was made with --moments \"fp32\", and now it is \"bf16\"");
    close_training(&other);
}

// ---- weights in another type than their master

static float *live_weights(const Model *m) // what a forward pass would read
{
    float *x = allocate((size_t)m->parameters.elements, sizeof *x);
    assert_non_null(x);
    assert_ok(m->kernels->download_widened(NULL, x, m->weights, m->parameters.elements));
    return x;
}

static void weights_are_their_rounded_master(const Model *m)
{
    float *master = weights_of(m), *live = live_weights(m);
    int64_t rounded = 0;
    for (int64_t i = 0; i < m->parameters.elements; i++) {
        assert_true(live[i] == widened(nearest_bf16(master[i])));
        rounded += live[i] != master[i];
    }
    assert_true(rounded > m->parameters.elements / 2); // the master has what bf16 has not
    free(master);
    free(live);
}

static void one_update(Training *t)
{
    int64_t count = t->model.parameters.elements;
    float *gradient = random_floats(count, 3);
    t->kernels.upload(NULL, t->model.gradients, gradient, (size_t)count * sizeof *gradient);
    free(gradient);
    assert_ok(optimizer_step(&t->optimizer, &t->model, 1e-3, 1));
    t->run.step++;
}

static void a_checkpoint_holds_the_master_and_gives_back_both(void **state)
{
    Training saved, resumed, exact;
    bool found;
    start_afresh();
    open_training(&saved, guarded_bf16_kernels(), false);
    open_run(&saved, "fp32", &found);
    weights_are_their_rounded_master(&saved.model);
    one_update(&saved);
    weights_are_their_rounded_master(&saved.model);
    assert_ok(run_save(&saved.run));
    open_training(&exact, guarded_kernels(), false); // the same update where weights are fp32
    one_update(&exact);
    same_state(&saved, &exact);
    run_close(&saved.run); // gives the lock back, and clears the run
    open_training(&resumed, guarded_bf16_kernels(), false);
    assert_ok(model_initialise(&resumed.model, 99));
    open_run(&resumed, "fp32", &found);
    assert_true(found);
    same_state(&saved, &resumed);
    weights_are_their_rounded_master(&resumed.model);
    close_training(&saved);
    close_training(&resumed);
    close_training(&exact);
}

static void an_export_holds_the_master_and_loads_as_itself(void **state)
{
    Training t;
    Bytes path = {0};
    start_afresh();
    open_training(&t, guarded_bf16_kernels(), false);
    assert_ok(bytes_printf(&path, "%s/model", folder));
    assert_ok(export_model(&t.model, NULL, "chatml", "fp32", path.data, NULL, NULL));
    Model scorer; // no training: no master
    ModelConfig config = small_config();
    ModelLimits limits = {.tokens = 8, .rows = 8, .sequences = 1, .positions = 8};
    assert_ok(model_open(&scorer, &config, &limits, &t.kernels, false));
    assert_true(scorer.master == NULL && scorer.gradients == NULL);
    assert_ok(model_load(&scorer, path.data));
    int64_t count = scorer.parameters.elements;
    same_floats(live_weights(&scorer), live_weights(&t.model), count, "weights");
    same_floats(live_weights(&scorer), weights_of(&scorer), count, "weights read back");
    assert_ok(model_initialise(&t.model, 99));
    assert_ok(model_load(&t.model, path.data));
    Training again;
    open_training(&again, guarded_bf16_kernels(), false);
    same_floats(weights_of(&t.model), weights_of(&again.model), count, "masters");
    model_close(&scorer);
    close_training(&t);
    close_training(&again);
    bytes_free(&path);
}

static void a_plan_counts_the_master(void **state)
{
    Kernels half = guarded_bf16_kernels(), full = *kernels_open("cpu", 2);
    ModelConfig config = small_config();
    ModelLimits limits = {.tokens = 8, .rows = 8, .sequences = 1, .positions = 8, .training = true};
    Model a, b;
    assert_ok(model_open(&a, &config, &limits, &half, true) && model_open(&b, &config, &limits, &full, true));
    int64_t elements = a.parameters.elements;
    int64_t more = (int64_t)a.state.bytes - (int64_t)b.state.bytes; // 2 + 4 bytes against 4, and the end of each array
    assert_true(more >= 2 * elements - 256 && more <= 2 * elements + 512);
    assert_true(a.activations.bytes < b.activations.bytes);
    model_close(&a);
    model_close(&b);
}

// ---- a device that breaks

static bool broken_download(Stream *s, void *host, const void *device, size_t bytes)
{
    return fail("the device reported an error");
}

static bool broken_synchronize(Stream *s) { return fail("the device reported an error"); }

static void an_error_of_the_device_stops_a_step_and_a_checkpoint(void **state)
{
    Training t;
    bool found;
    double norm;
    float logprob[64], entropy[64];
    LossSum sum = {.finite = true};
    start_afresh();
    open_training(&t, *kernels_open("cpu", 2), false);
    open_run(&t, "fp32", &found);
    train_step(&t);
    const Ragged *batch = &t.batch->ragged;
    t.kernels.download = broken_download;
    assert_refused(model_loss(&t.model, batch, 1, &sum), "the device reported");
    assert_refused(model_logprobs(&t.model, batch, 1, 300, logprob, entropy, NULL), "the device reported");
    assert_refused(gradient_norm(&t.model, &norm), "the device reported");
    assert_refused(run_save(&t.run), "the device reported");
    assert_refused(export_model(&t.model, NULL, "chatml", "fp32", "/tmp/test_state-nowhere", NULL, NULL),
                   "the device reported");
    t.kernels.synchronize = broken_synchronize;
    assert_refused(optimizer_step(&t.optimizer, &t.model, 1e-2, 1), "the device reported");
    Bytes path = {0};
    int64_t step;
    assert_ok(bytes_printf(&path, "%s/checkpoints", folder));
    char *checkpoints = copy_text(path.data);
    assert_ok(checkpoint_newest(&path, &step, checkpoints, NULL));
    assert_int_equal(step, -1);
    free(checkpoints);
    bytes_free(&path);
    close_training(&t);
}

static void *no_memory(size_t bytes)
{
    fail("no memory for %zu bytes", bytes);
    return NULL;
}

static void memory_that_is_not_there_is_refused(void **state)
{
    Kernels k = *kernels_open("cpu", 2);
    k.allocate = no_memory;
    Model m;
    ModelConfig config = small_config();
    ModelLimits limits = {.tokens = 64, .rows = 64, .sequences = 2, .positions = 64, .training = true};
    assert_refused(model_open(&m, &config, &limits, &k, false), "no memory for");
    assert_non_null(strstr(error_text(), "weights and gradients"));
    assert_null(strstr(error_text(), "--")); // which options there are, a program knows: see test_fit.c
}

// ---- what a backend can and cannot do

static void a_width_that_the_backend_has_no_kernels_for_is_refused(void **state)
{
    Kernels k = guarded_bf16_kernels();
    ModelLimits limits = {.tokens = 8, .rows = 8, .sequences = 1, .positions = 8};
    const struct {
        int64_t width, feed_forward, head_width;
        const char *says;
    } cases[] = {
        {36, 56, 64, "config.json: hidden_size is 36, and test-bf16 computes with multiples of 8; use --device cpu"},
        {40, 60, 64,
         "config.json: intermediate_size is 60, and test-bf16 computes with multiples of 8; use --device cpu"},
        {40, 56, 32, "config.json: head_dim is 32, and test-bf16 has attention for 64, 128 only; use --device cpu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Model m;
        ModelConfig config = small_config();
        config.width = cases[i].width;
        config.feed_forward = cases[i].feed_forward;
        config.head_width = cases[i].head_width;
        assert_refused(model_open(&m, &config, &limits, &k, true), cases[i].says);
    }
    k.widest = 32;
    Model m;
    ModelConfig config = small_config();
    config.width = 40;
    config.head_width = 64;
    assert_refused(model_open(&m, &config, &limits, &k, true),
                   "hidden_size is 40, and test-bf16 knows up to 32; use --device cpu");
    k.widest = INT64_MAX;
    k.head_widths = NULL;
    config.head_width = 18;
    config.heads = config.kv_heads = 4;
    assert_ok(model_open(&m, &config, &limits, &k, true)); // 4 x 18 is a multiple of 8, and any head width will do
    model_close(&m);
    config.heads = config.kv_heads = 2;
    assert_refused(model_open(&m, &config, &limits, &k, true), "num_attention_heads x head_dim is 36");
}

static void a_device_that_is_not_there_is_refused(void **state)
{
    assert_refused(kernels_open("tpu", 0) != NULL, "--device tpu: not a device; use auto, cpu or cuda");
    assert_refused(kernels_for_plan("tpu") != NULL, "--device tpu: not a device");
    error_clear();
    const Kernels *chosen = kernels_open("auto", 0);
    assert_non_null(chosen);
    assert_string_equal(error_text(), "");
    assert_true(kernels_passed_over() == NULL || chosen == kernels_open("cpu", 0));
    assert_non_null(kernels_for_plan("cpu"));
    if (kernels_open("cuda", 0) != NULL)
        return;
    assert_ptr_equal(strstr(error_text(), "--device cuda: "), error_text());
    if (strstr(error_text(), "this build has no CUDA backend") == NULL)
        return;
    assert_non_null(strstr(error_text(), "--device cpu"));
    assert_null(strchr(error_text(), '\n'));
    kernels_open("auto", 0);
    assert_null(kernels_passed_over()); // nobody expects a GPU of this build
}

static void a_gpu_that_is_not_there_can_be_planned_for(void **state)
{
    const Kernels *k = kernels_for_plan("cuda");
    assert_non_null(k);
    assert_string_equal(error_text(), "");
    assert_string_equal(k->name, "cuda-bf16");
    assert_true(k->on_gpu && k->activation_size == 2 && k->column_multiple == 8);
    assert_int_equal(k->head_workspace(5000, 100, 64),
                     1024 * 128 + 4096 * 128 / 2); // rows of 128 columns: logits, and gradients in bf16
    assert_int_equal(k->head_workspace(1030, 100, 64), 1024 * 128 + 1030 * 128 / 2);
    assert_int_equal(k->sample_workspace(7, 64), 7 * 64);
    assert_int_equal(k->attention_workspace(3, KEY_SEGMENT + 1, 2, 64), 3 * 2 * 2 * 66);
    assert_int_equal(k->attention_workspace(3, KEY_SEGMENT, 2, 64), 3 * 2 * 66);
    assert_int_equal(k->page_elements(8, 128), 8 * KEY_BLOCK * 128);
    setenv("DEREASON_CUDA", "fp32", 1);
    k = kernels_for_plan("cuda");
    assert_non_null(k);
    assert_string_equal(k->name, "cuda-fp32");
    assert_int_equal(k->head_workspace(1, 64, 64), 2 * 64);
    setenv("DEREASON_CUDA", "fp8", 1);
    assert_refused(kernels_for_plan("cuda") != NULL, "DEREASON_CUDA=fp8");
    unsetenv("DEREASON_CUDA");
    error_clear();
}

// What cuDNN 9.28.1 asked for 16,384 tokens of 16 sequences in each of three models (lab/bench/cudnn_plans.cc) is
// planned, with a little more for offsets and lengths.
static void cudnns_attention_is_planned_for_gpus_in_bf16_alone(void **state)
{
    static const int64_t HEADS[][3] = {{32, 8, 128}, {14, 2, 64}, {8, 8, 64}},
                         ASKED[] = {2015363328, 604904704, 101191936};
    assert_null(kernels_for_plan("cuda")->attention_room);
    kernels_take_attention(ATTENTION_CUDNN);
    const Kernels *k = kernels_for_plan("cuda");
    assert_non_null(k);
    assert_non_null(strstr(k->arithmetic, "exact = false"));
    assert_non_null(k->inexact);
    for (int i = 0; i < 3; i++) {
        int64_t bytes = 4 * k->attention_room(16384, 16, HEADS[i][0], HEADS[i][1], HEADS[i][2]);
        assert_true(bytes > ASKED[i] && bytes < ASKED[i] + 100000);
    }
    assert_refused(kernels_open("cpu", 1) != NULL, "--attention cudnn: cuDNN computes on GPUs alone");
    assert_refused(kernels_for_plan("cpu") != NULL, "give --attention own");
    setenv("DEREASON_CUDA", "fp32", 1);
    assert_refused(kernels_for_plan("cuda") != NULL, "cuDNN's attention is for bf16");
    unsetenv("DEREASON_CUDA");
    kernels_take_attention(ATTENTION_OWN);
    assert_null(kernels_for_plan("cuda")->inexact);
    error_clear();
}

static void the_cpu_says_how_many_threads_compute(void **state)
{
    assert_string_equal(kernels_open("cpu", 2)->device(), "2 threads");
    assert_string_equal(kernels_open("cpu", 1)->device(), "1 thread");
    assert_true(kernels_open("cpu", 2)->synchronize(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_touch_of_the_devices_memory_is_a_fault),
        cmocka_unit_test(training_never_touches_the_devices_memory),
        cmocka_unit_test(a_resumed_run_has_the_bits_of_one_that_never_stopped),
        cmocka_unit_test(bf16_moments_take_half_the_memory_and_stay_near),
        cmocka_unit_test(other_moments_than_those_of_the_checkpoint_are_refused),
        cmocka_unit_test(a_checkpoint_holds_the_master_and_gives_back_both),
        cmocka_unit_test(an_export_holds_the_master_and_loads_as_itself),
        cmocka_unit_test(a_plan_counts_the_master),
        cmocka_unit_test(an_error_of_the_device_stops_a_step_and_a_checkpoint),
        cmocka_unit_test(memory_that_is_not_there_is_refused),
        cmocka_unit_test(a_width_that_the_backend_has_no_kernels_for_is_refused),
        cmocka_unit_test(a_device_that_is_not_there_is_refused),
        cmocka_unit_test(a_gpu_that_is_not_there_can_be_planned_for),
        cmocka_unit_test(cudnns_attention_is_planned_for_gpus_in_bf16_alone),
        cmocka_unit_test(the_cpu_says_how_many_threads_compute),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
