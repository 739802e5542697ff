// Saves of a run on several ranks: the named state has one hash whoever wrote it and is loaded by any number of ranks;
// an error of the disk at any call, of any rank, is everybody's error and costs nothing that was saved before; what is
// written beside the next steps is the state of the step at which it was taken. The state here is a function of the
// step. Programs that are killed: test/crash/saves.sh.
#include "test/support/failpoints.h"
#include "checkpoint/checkpoint_internal.h"
#include "run/run.h"
#include "sharded/sharded.h"
#include "test/support/guarded.h"
#include "test/support/ranks.h"
#include "test/support/tiny.h"
#include "train_sft_options.h"
#include <math.h>
#include <sys/mman.h>

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_save-XXXXXX");
    checkpoint_synced_at_once = 1 << 14; // so that a shard has several of these syncs
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

static void start_afresh(void)
{
    assert_ok(folder_remove(folder));
    assert_ok(folder_make(folder));
}

// ---- a run on one rank

typedef struct Training {
    Kernels kernels;
    Model model;
    Sharded sharded;
    Optimizer optimizer;
    Options options;
    TrainSftOptions o;
    Schedule schedule;
    Run run;
} Training;

static bool open_training(Training *t, Communicator *ranks, bool device, bool weights, bool *resumed)
{
    char *words[] = {(char *)"train_sft",          (char *)"--data", (char *)"x", (char *)"--out", folder,
                     (char *)"--keep-checkpoints", (char *)"1"};
    *t = (Training){.kernels = device ? guarded_bf16_kernels() : *kernels_open("cpu", 1)};
    TRY(options_read(&t->options, train_sft_options(), &t->o, 7, words));
    ModelConfig config = TINY_CONFIG;
    config.heads = 2;
    config.kv_heads = 1;
    config.head_width = 64;
    ModelLimits limits = {.tokens = 64, .rows = 64, .sequences = 2, .positions = 64, .training = true};
    limits.division = (Division){.rank = ranks->rank, .ranks = ranks->size, .weights = weights};
    t->optimizer = (Optimizer){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    t->schedule = (Schedule){.shape = SCHEDULE_CONSTANT, .peak = 1e-3, .steps = 100000};
    t->kernels.on_gpu = device; // for sharded_open: what travels is staged on the host
    TRY(model_open(&t->model, &config, &limits, &t->kernels, false) && sharded_open(&t->sharded, &t->model, ranks) &&
        optimizer_open(&t->optimizer, &t->model, false));
    t->kernels.on_gpu = false;
    t->o.run.log_every = 100000;
    t->run = (Run){.o = t->o.run,
                   .model = &t->model,
                   .optimizer = &t->optimizer,
                   .schedule = &t->schedule,
                   .steps = 100000,
                   .template_name = "chatml",
                   .ranks = ranks};
    return run_identity(&t->run, &t->options, &(Documents){0}, NULL) && run_open(&t->run, &t->options, resumed);
}

static void close_training(Training *t)
{
    run_close(&t->run);
    options_free(&t->options);
    optimizer_close(&t->optimizer);
    sharded_close(&t->sharded);
    model_close(&t->model);
}

static float *values_of(const Training *t, int64_t step, int kind)
{
    return random_floats(t->model.parameters.elements, (uint32_t)(3 * step + kind));
}

static void make_step(Training *t, int64_t step)
{
    int64_t n = t->model.parameters.elements;
    float *x[3];
    for (int kind = 0; kind < 3; kind++)
        x[kind] = values_of(t, step, kind);
    model_write_weights(&t->model, 0, n, x[0]);
    assert_ok(optimizer_write_moments(&t->optimizer, FIRST_MOMENT, 0, n, x[1]));
    assert_ok(optimizer_write_moments(&t->optimizer, SECOND_MOMENT, 0, n, x[2]));
    for (int kind = 0; kind < 3; kind++)
        free(x[kind]);
    t->run.step = step;
    t->optimizer.step = step;
}

static bool same(const float *a, const float *b, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            return fail("%s: element %" PRId64 " is %g and not %g", what, i, (double)a[i], (double)b[i]);
    return true;
}

// Whether masters, moments and the weights of passes are those of the step, everywhere.
static bool has_step(Training *t, int64_t step)
{
    int64_t n = t->model.parameters.elements;
    float *got = allocate((size_t)n, sizeof *got);
    bool ok = got != NULL && t->run.step == step && t->optimizer.step == step;
    for (int kind = 0; ok && kind < 3; kind++) {
        float *x = values_of(t, step, kind);
        ok = kind == 0   ? model_read_weights(&t->model, 0, n, got)
             : kind == 1 ? optimizer_read_moments(&t->optimizer, FIRST_MOMENT, 0, n, got)
                         : optimizer_read_moments(&t->optimizer, SECOND_MOMENT, 0, n, got);
        ok = ok && same(got, x, n, kind == 0 ? "masters" : "moments");
        if (ok && kind == 0 && t->kernels.activation_size == 2 && !t->model.sharding.weights) {
            ok = t->kernels.download_widened(NULL, got, t->model.weights, n);
            for (int64_t i = 0; i < n; i++)
                x[i] = widened(nearest_bf16(x[i]));
            ok = ok && same(got, x, n, "weights");
        }
        free(x);
    }
    free(got);
    return ok;
}

// ---- what is on the disk

static char *checkpoints(void) { return path_join(folder, "checkpoints"); }

static int64_t newest_step(void)
{
    char *path = checkpoints();
    Bytes newest = {0}, warnings = {0};
    int64_t step = -2;
    bool ok = checkpoint_newest(&newest, &step, path, &warnings);
    if (warnings.size > 0) // nothing with the name of a checkpoint is anything less
        fprintf(stderr, "%s", warnings.data);
    free(path);
    step = ok && warnings.size == 0 ? step : -2;
    bytes_free(&newest);
    bytes_free(&warnings);
    return step;
}

static bool has_leftovers(void)
{
    char *path = checkpoints(), **names;
    size_t count;
    bool found = false;
    if (folder_list(&names, &count, path)) {
        for (size_t i = 0; i < count; i++)
            found = found || strstr(names[i], ".tmp-") != NULL;
        names_free(names, count);
    }
    free(path);
    return found;
}

static json_t *manifest_of(int64_t step)
{
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/checkpoints/step-%" PRId64 "/MANIFEST.json", folder, step));
    json_t *manifest = json_read(path.data, 1 << 24);
    assert_non_null(manifest);
    bytes_free(&path);
    return manifest;
}

// ---- any number of ranks reads what any number wrote

typedef struct Passage {
    bool device, weights; // weights: Division.weights
    int64_t from, to;     // steps
} Passage;

static bool passes_on(Communicator *ranks, void *context)
{
    const Passage *p = context;
    Training t;
    bool resumed;
    TRY(open_training(&t, ranks, p->device, p->weights, &resumed));
    TRY(resumed == (p->from > 0) && (!resumed || has_step(&t, p->from)));
    make_step(&t, p->to);
    TRY(run_save_now(&t.run) && t.run.saved == p->to);
    close_training(&t);
    return true;
}

static void any_number_of_ranks_reads_what_any_number_wrote(void **unused)
{
    static const int SIZES[] = {4, 1, 2, 4, 3, 8, 1, 3, 2, 2, 5};
    for (int device = 0; device < 2; device++) {
        start_afresh();
        for (int i = 0; i < (int)(sizeof SIZES / sizeof *SIZES); i++)
            assert_int_equal(together(SIZES[i], 60, passes_on, &(Passage){device, i % 3 == 1, i, i + 1}), 0);
    }
}

// Each rank checks some of the files, and what any of them finds is so for all: an older checkpoint is gone on with.
static bool saves_two(Communicator *ranks, void *unused)
{
    Training t;
    bool resumed;
    TRY(open_training(&t, ranks, false, false, &resumed) && !resumed);
    t.run.o.keep_checkpoints = 2;
    for (int64_t step = 1; step <= 2; step++) {
        make_step(&t, step);
        TRY(run_save_now(&t.run));
    }
    close_training(&t);
    return true;
}

static bool finds_step(Communicator *ranks, void *context)
{
    Training t;
    bool resumed;
    TRY(open_training(&t, ranks, false, false, &resumed) && resumed && has_step(&t, *(int64_t *)context));
    close_training(&t);
    return true;
}

static void change_last_byte(int step, int file)
{
    Bytes path = {0}, data = {0};
    assert_ok(bytes_printf(&path, "%s/checkpoints/step-%d/shard-%05d.safetensors", folder, step, file) &&
              file_read(&data, path.data, 1 << 24));
    data.data[data.size - 1] ^= 1;
    assert_ok(file_write_atomic(path.data, data.data, data.size));
    bytes_free(&path);
    bytes_free(&data);
}

static void damage_that_one_rank_finds_is_everybodys(void **unused)
{
    for (int size = 1; size <= 3; size++)
        for (int file = 0; file < 3; file++) {
            start_afresh();
            assert_int_equal(together(3, 60, saves_two, NULL), 0);
            change_last_byte(2, file);
            assert_int_equal(together(size, 60, finds_step, &(int64_t){1}), 0);
        }
}

static void the_named_state_has_one_hash(void **unused)
{
    char first[32] = "";
    for (int size = 1; size <= 5; size++) {
        start_afresh();
        assert_int_equal(together(size, 60, passes_on, &(Passage){false, size % 2 == 0, 0, 7}), 0);
        json_t *manifest = manifest_of(7);
        assert_int_equal(json_integer_value(json_object_get(manifest, "world")), size);
        assert_int_equal(json_array_size(json_object_get(manifest, "files")), size);
        const char *hash = json_string_value(json_object_get(manifest, "tensors_xxh3"));
        assert_non_null(hash);
        if (size == 1)
            snprintf(first, sizeof first, "%s", hash);
        assert_string_equal(hash, first);
        json_decref(manifest);
    }
    assert_int_equal(together(2, 60, passes_on, &(Passage){false, false, 7, 8}), 0);
    json_t *manifest = manifest_of(8); // and another state another one
    assert_string_not_equal(json_string_value(json_object_get(manifest, "tensors_xxh3")), first);
    json_decref(manifest);
}

// ---- errors of the disk

typedef struct Faults {
    int rank, error; // who is hit
    bool background;
    int *tried; // shared by all processes
} Faults;

static bool is_hit(const Communicator *ranks, const Faults *f) { return ranks->rank == f->rank; }

// One save with the n-th call failing: whether it was hit at all.
static bool save_with_fault(Training *t, const Faults *f, int n, bool *ok, bool *hit)
{
    int64_t facts[2];
    if (is_hit(t->run.ranks, f)) {
        fail_error = f->error;
        fail_opens = true;
        failpoint_arm(FAIL_ERROR, n);
    }
    *ok = f->background ? run_save(&t->run) && run_settle(&t->run, true) : run_save_now(&t->run);
    facts[0] = is_hit(t->run.ranks, f) && fail_calls > n;
    facts[1] = *ok;
    if (is_hit(t->run.ranks, f) && fail_calls <= n) // all have been hit
        TRY(strchr(fail_log, 'A') != NULL && strstr(fail_log, "WF") != NULL);
    failpoint_arm(FAIL_NOT, 0);
    if (!*ok)
        TRY(strstr(error_text(), "do not do the same") == NULL && error_text()[0] != 0);
    if (!*ok && !is_hit(t->run.ranks, f))
        TRY(strstr(error_text(), f->rank == 0 ? "rank 0 on " : "rank 1 on ") != NULL);
    TRY(comm_sum(t->run.ranks, facts, 2));
    *hit = facts[0] > 0;
    return facts[1] == (*ok ? t->run.ranks->size : 0) || fail("some ranks have saved, and others not");
}

static bool survives_faults(Communicator *ranks, void *context)
{
    const Faults *f = context;
    Training t;
    bool resumed, hit = true;
    int64_t step = 1;
    TRY(open_training(&t, ranks, false, false, &resumed));
    make_step(&t, step);
    TRY(run_save_now(&t.run));
    for (int n = 0; hit; n++) {
        bool ok;
        int64_t before = step;
        make_step(&t, ++step);
        if (!save_with_fault(&t, f, n, &ok, &hit))
            return fail_in("call %d", n);
        int64_t there = ranks->rank == 0 ? newest_step() : 0;
        if (ranks->rank == 0 && (there < before || there > step || (ok && there != step)))
            return fail("call %d (%s): after a save of step %" PRId64 " that %s the newest is %" PRId64, n, fail_log,
                        step, ok ? "succeeded" : "failed", there);
        TRY(comm_barrier(ranks));
        if (ok)
            continue;
        make_step(&t, ++step); // it goes on without a cleaning hand
        TRY(run_save_now(&t.run) && comm_barrier(ranks));
        if (ranks->rank == 0 && (newest_step() != step || has_leftovers()))
            return fail("call %d: the next save leaves %s", n, has_leftovers() ? "leftovers" : "another newest");
        f->tried[0] += ranks->rank == 0;
        TRY(comm_barrier(ranks));
    }
    close_training(&t);
    return true;
}

static void an_error_at_any_call_is_everybodys_and_costs_nothing(void **unused)
{
    static const int ERRORS[] = {ENOSPC, EIO};
    int *tried = mmap(NULL, sizeof *tried, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tried != MAP_FAILED);
    for (int i = 0; i < (is_long() ? 2 : 1); i++)
        for (int background = is_brief() ? 1 : 0; background < 2; background++)
            for (int ranks = is_brief() ? 3 : 1; ranks <= 3; ranks += 2)
                for (int rank = 0; rank < (ranks == 1 ? 1 : 2); rank++) {
                    Faults faults = {rank, ERRORS[i], background, tried};
                    start_afresh();
                    *tried = 0;
                    assert_int_equal(together(ranks, 60, survives_faults, &faults), 0);
                    assert_true(*tried > (rank == 0 ? 20 : 4)); // there are more calls than that
                    print_message("%d ranks: %d calls of rank %d fail with %s%s\n", ranks, *tried, rank,
                                  strerror(ERRORS[i]), background ? ", beside a step" : "");
                }
    munmap(tried, sizeof *tried);
}

// A run whose step 1 is saved, and whose step 2 is made.
static bool open_after_a_save(Training *t, Communicator *ranks)
{
    bool resumed;
    TRY(open_training(t, ranks, false, false, &resumed));
    make_step(t, 1);
    TRY(run_save_now(&t->run));
    make_step(t, 2);
    return true;
}

static bool one_has_a_number_that_is_none(Communicator *ranks, void *context)
{
    Training t;
    TRY(open_after_a_save(&t, ranks));
    if (ranks->rank == 1) { // what another rank owns, it does not look at
        for (int64_t i = 0; i < t.model.sharding.own; i++)
            ((float *)t.optimizer.v)[i] = i == 5 ? NAN : 0;
    }
    TRY(!run_save_now(&t.run) && strstr(error_text(), "a state that is not finite is not saved") != NULL &&
        strstr(error_text(), "tensor optim.v.") != NULL && t.run.saved == 1);
    TRY(comm_barrier(ranks) && (ranks->rank != 0 || (newest_step() == 1 && !has_leftovers())));
    close_training(&t);
    return true;
}

static void a_number_that_is_not_finite_is_refused_by_all(void **unused)
{
    start_afresh();
    assert_int_equal(together(3, 60, one_has_a_number_that_is_none, NULL), 0);
}

// Two hosts with a folder of the same name each.
static bool sees_another_folder(Communicator *ranks, void *context)
{
    Training t;
    bool resumed;
    Bytes elsewhere = {0};
    TRY(open_training(&t, ranks, false, false, &resumed));
    make_step(&t, 1);
    TRY(bytes_printf(&elsewhere, "%s%s", folder, ranks->rank == 0 ? "" : "/another host") &&
        folder_make(elsewhere.data) && chdir(elsewhere.data) == 0);
    t.run.o.out = ".";
    TRY(!run_save_now(&t.run) && strstr(error_text(), "--out must be a folder that all hosts share") != NULL);
    bytes_free(&elsewhere);
    close_training(&t);
    return true;
}

static void hosts_that_do_not_share_out_are_told(void **unused)
{
    start_afresh();
    assert_int_equal(together(2, 60, sees_another_folder, NULL), 0);
}

// ---- beside the next steps

static bool goes_on_meanwhile(Communicator *ranks, void *context)
{
    Training t;
    TRY(open_after_a_save(&t, ranks));
    atomic_store(&disk_held, true);
    TRY(run_save(&t.run) && t.run.saving != NULL);
    for (int64_t step = 3; step < 6; step++) {
        make_step(&t, step);
        TRY(run_settle(&t.run, false));
    }
    TRY(t.run.saving != NULL && t.run.saved == 1 && comm_barrier(ranks));
    TRY(ranks->rank != 0 || newest_step() == 1);
    TRY(comm_barrier(ranks));
    atomic_store(&disk_held, false);
    TRY(run_settle(&t.run, true) && t.run.saving == NULL && t.run.saved == 2);
    SaveTimes times = run_take_save_times(&t.run);
    TRY(times.writing > 0 && times.stall > 0);
    atomic_store(&disk_held, true);
    TRY(run_save(&t.run) && comm_barrier(ranks)); // of step 5
    make_step(&t, 6);
    atomic_store(&disk_held, false);
    TRY(run_save_now(&t.run) && t.run.saved == 6); // waits for the one before
    close_training(&t);
    return true;
}

static void a_save_is_of_its_step_whatever_comes_meanwhile(void **unused)
{
    int64_t last = 6;
    for (int size = 1; size <= 3; size += 2) {
        start_afresh();
        assert_int_equal(together(size, 60, goes_on_meanwhile, NULL), 0);
        assert_int_equal(together(2, 60, finds_step, &last), 0);
    }
}

// A run that ends with a save under way: alone it is finished, whatever ended the run; with others it is given up.
static bool ends_in_a_save(Communicator *ranks, void *context)
{
    Training t;
    TRY(open_after_a_save(&t, ranks));
    TRY(run_save(&t.run));
    make_step(&t, 3);
    close_training(&t);
    return true;
}

static void a_run_that_ends_leaves_no_half_save(void **unused)
{
    for (int size = 1; size <= 3; size += 2) {
        start_afresh();
        assert_int_equal(together(size, 60, ends_in_a_save, NULL), 0);
        assert_int_equal(newest_step(), size == 1 ? 2 : 1);
        assert_int_equal(together(2, 60, passes_on, &(Passage){false, false, size == 1 ? 2 : 1, 9}), 0);
        assert_false(has_leftovers());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks_reads_what_any_number_wrote),
        cmocka_unit_test(damage_that_one_rank_finds_is_everybodys),
        cmocka_unit_test(the_named_state_has_one_hash),
        cmocka_unit_test(an_error_at_any_call_is_everybodys_and_costs_nothing),
        cmocka_unit_test(a_number_that_is_not_finite_is_refused_by_all),
        cmocka_unit_test(hosts_that_do_not_share_out_are_told),
        cmocka_unit_test(a_save_is_of_its_step_whatever_comes_meanwhile),
        cmocka_unit_test(a_run_that_ends_leaves_no_half_save),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
