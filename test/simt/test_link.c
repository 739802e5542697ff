// Several ranks on GPUs, under SIMT with the stand-in for NCCL (test/simt/nccl.c): the bits of one rank, whichever
// stream is late; what travels is what was planned; ranks that do not do the same, have ended or stand still are named.
#include "sharded/sharded.h"
#include "system/start.h"
#include "test/support/ranks.h"
#include "test/support/tiny.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_RANKS = 4, STEPS = 2, MICRO_BATCHES = 5, MOST_ELEMENTS = 180000 };

typedef struct State {
    int64_t elements;
    double norms[STEPS];
    float weights[MOST_ELEMENTS], m[MOST_ELEMENTS], v[MOST_ELEMENTS];
    uint64_t sent;
    ShardedBytes planned;
    char between[160], error[1000];
} State;

typedef struct Setting {
    bool tied, recompute, bf16_moments, weights, once; // weights, once: of a Division
    State *states;                                     // (MOST_RANKS) shared by all processes
} Setting;

static State *states; // (MOST_RANKS)

// Seconds that nothing takes here; fewer for a program that is known to be wrong (mutants.sh).
static double patience(void) { return getenv("LINK_PATIENCE") == NULL ? 60 : atof(getenv("LINK_PATIENCE")); }
static char folder[] = "/tmp/test_link-XXXXXX";

static ModelConfig config_of(bool tied)
{
    ModelConfig c = TINY_CONFIG;
    c.width = 64;
    c.heads = 2;
    c.kv_heads = 1;
    c.head_width = 64;
    c.feed_forward = 96;
    c.vocabulary = 304;
    c.layers = 3;
    c.tied = tied;
    return c;
}

static bool train_step(Model *model, Sharded *sharded, Optimizer *optimizer, const Communicator *ranks, int64_t step,
                       double *norm)
{
    static TinyBatch batch;
    static const Ragged NOTHING;
    TRY(gradients_clear(model));
    for (int64_t m = 0; m < MICRO_BATCHES; m += ranks->size) {
        int64_t left = MICRO_BATCHES - m, mine = m + ranks->rank;
        LossSum sum = {.finite = true};
        sharded_round(sharded, left < ranks->size ? (int)left : ranks->size);
        batch = (TinyBatch){0};
        for (int d = 0; d <= mine % 2; d++)
            tiny_add(&batch, (uint32_t)(1 + 100 * step + 10 * mine + d), (int32_t)(5 + (7 * mine + 3 * d) % 11));
        const Ragged *b = mine < MICRO_BATCHES ? &batch.ragged : &NOTHING;
        TRY(model_forward(model, b) && model_loss(model, b, 0.01, &sum) && model_backward(model, b));
    }
    return gradient_norm(model, norm) && optimizer_step(optimizer, model, 1e-2, 0.5);
}

static bool train(Communicator *ranks, void *context)
{
    const Setting *setting = context;
    State *state = &setting->states[ranks->rank];
    ModelConfig config = config_of(setting->tied);
    ModelLimits limits = {.tokens = 64,
                          .rows = 64,
                          .sequences = 4,
                          .positions = 32,
                          .training = true,
                          .recompute = setting->recompute,
                          .division = {ranks->rank, ranks->size, setting->weights, setting->once}};
    Model model;
    Sharded sharded;
    Optimizer optimizer = {.beta1 = 0.9,
                           .beta2 = 0.99,
                           .epsilon = 1e-8,
                           .weight_decay = 0.1,
                           .bf16_moments = setting->bf16_moments,
                           .seed = 5};
    process_place_set(ranks->rank, false);
    const Kernels *kernels = kernels_open("cuda", 1);
    TRY(kernels != NULL && model_open(&model, &config, &limits, kernels, false) && model_initialise(&model, 3) &&
        sharded_open(&sharded, &model, ranks) && optimizer_open(&optimizer, &model, false));
    int64_t n = state->elements = model.parameters.elements;
    memcpy(state->between, ranks->between, sizeof state->between);
    for (int64_t step = 0; step < STEPS; step++)
        TRY(train_step(&model, &sharded, &optimizer, ranks, step, &state->norms[step]));
    state->sent = ranks->bytes;
    state->planned = sharded_bytes(&model);
    TRY(model_read_weights(&model, 0, n, state->weights) &&
        optimizer_read_moments(&optimizer, FIRST_MOMENT, 0, n, state->m) &&
        optimizer_read_moments(&optimizer, SECOND_MOMENT, 0, n, state->v));
    sharded_close(&sharded);
    optimizer_close(&optimizer);
    model_close(&model);
    return true;
}

static void same_bits(const State *a, const State *b)
{
    size_t bytes = (size_t)a->elements * sizeof(float);
    assert_int_equal(a->elements, b->elements);
    assert_memory_equal(a->norms, b->norms, sizeof a->norms);
    assert_memory_equal(a->weights, b->weights, bytes);
    assert_memory_equal(a->m, b->m, bytes);
    assert_memory_equal(a->v, b->v, bytes);
}

static void expect_bytes(int size)
{
    for (int r = 0; r < size; r++) {
        const ShardedBytes *planned = &states[r].planned;
        uint64_t all = (MICRO_BATCHES + (uint64_t)size - 1) / (uint64_t)size,
                 rounds = (uint64_t)((MICRO_BATCHES - r + size - 1) / size);
        assert_int_equal(states[r].sent,
                         STEPS * (rounds * planned->gradients + all * planned->weights + planned->update));
    }
}

static void expect_bits_of_one(Setting setting, const char *between)
{
    static const int SIZES[] = {1, 2, 4};
    static State one;
    setting.states = states;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        int size = SIZES[i];
        memset(states, 0, MOST_RANKS * sizeof *states);
        assert_int_equal(together(size, patience(), train, &setting), 0);
        if (size == 1)
            one = states[0];
        assert_true(one.norms[0] > 0 && one.norms[0] != one.norms[1]);
        for (int r = 0; r < size; r++)
            same_bits(&states[r], &one);
        if (size > 1) {
            assert_non_null(strstr(states[size - 1].between, between));
            expect_bytes(size);
        }
    }
}

static const char *const ORDERS[] = {"late", "early"};

static void every_number_of_gpus_has_the_bits_of_one(void **unused)
{
    static const Setting settings[] = {{true, false, false, false, false, NULL},
                                       {false, true, true, false, false, NULL},
                                       {false, false, false, true, false, NULL}};
    for (size_t order = 0; order < 2; order++)
        for (size_t i = 0; i < 3; i++) {
            setenv("SIMT_STREAMS", ORDERS[order], 1);
            expect_bits_of_one(settings[i], "NCCL 2.28.9 between GPUs");
        }
}

static void without_nccl_memory_of_the_host_lies_between(void **unused)
{
    Setting setting = {true, false, false, false, false, NULL};
    setenv("DEREASON_LINK", "host", 1);
    expect_bits_of_one(setting, "through memory of the host (rank 0: DEREASON_LINK=host)");
    unsetenv("DEREASON_LINK");
    setenv("NCCL_STANDIN_VERSION", "21701", 1);
    expect_bits_of_one(setting, "through memory of the host (rank 0: libnccl.so.2 is version 2.17, and 2.18");
    unsetenv("NCCL_STANDIN_VERSION");
}

// Gradients that are sent once a step have the bits of this number of ranks, whichever way they travel.
static void gradients_once_a_step_are_the_same_either_way(void **unused)
{
    static State by_host;
    Setting setting = {false, false, false, true, true, states};
    for (int way = 0; way < 3; way++) {
        setenv("DEREASON_LINK", way == 0 ? "host" : "nccl", 1);
        setenv("SIMT_STREAMS", ORDERS[way % 2], 1);
        memset(states, 0, MOST_RANKS * sizeof *states);
        assert_int_equal(together(2, patience(), train, &setting), 0);
        by_host = way == 0 ? states[0] : by_host;
        same_bits(&states[0], &by_host);
        same_bits(&states[1], &by_host);
        assert_true(by_host.norms[0] > 0);
    }
    unsetenv("DEREASON_LINK");
}

// ---- transfers of their own, and what goes wrong

typedef enum Wrong { NOTHING_WRONG, ANOTHER_SIZE, SWAPPED, ENDED, STANDING, SAME_CARD } Wrong;

enum { PIECE = 64 }; // floats

typedef struct Pair { // of transfers, on a rank
    DeviceLink link;
    Transfer gradients, weights;
    float *sends, *receives; // (ranks, PIECE), on the device
    Piece *send, *receive;
    int rank;
} Pair;

static bool open_pair(Pair *p, const Kernels *k, Communicator *c)
{
    size_t bytes = (size_t)c->size * PIECE * sizeof(float);
    *p = (Pair){.rank = c->rank};
    TRY(link_open(&p->link, k, c));
    p->sends = k->allocate(bytes);
    p->receives = k->allocate(bytes);
    p->send = allocate((size_t)c->size, sizeof *p->send);
    p->receive = allocate((size_t)c->size, sizeof *p->receive);
    for (int r = 0; r < c->size; r++) {
        p->send[r] = (Piece){p->sends + r * PIECE, PIECE * sizeof(float)};
        p->receive[r] = (Piece){p->receives + r * PIECE, PIECE * sizeof(float)};
    }
    return true;
}

static bool exchange(Pair *p)
{
    TRY(link_begin(&p->link, &p->gradients, "the gradients of layer %d", 7) &&
        link_all_to_all(&p->link, p->send, p->receive));
    link_end(&p->link, &p->gradients);
    return true;
}

static bool gather(Pair *p)
{
    TRY(link_begin(&p->link, &p->weights, "the updated weights") &&
        link_all_gather(&p->link, p->receive, p->receive[p->rank].data));
    link_end(&p->link, &p->weights);
    return true;
}

// Rank 1 does it.
static bool with(Wrong wrong, Pair *p, Communicator *c)
{
    bool me = c->rank == 1;
    if (wrong == ENDED && me)
        _exit(0);
    while (wrong == STANDING && me)
        pause();
    if (wrong == ANOTHER_SIZE && me)
        p->send[0].size -= 16;
    bool ok = wrong == SWAPPED && me ? gather(p) && exchange(p) : exchange(p) && gather(p);
    return ok && link_wait(&p->link, &p->gradients) && link_wait(&p->link, &p->weights);
}

static bool go_wrong(Communicator *c, void *context)
{
    Wrong wrong = *(const Wrong *)context;
    Pair p;
    process_place_set(wrong == SAME_CARD ? 0 : c->rank, false);
    const Kernels *k = kernels_open("cuda", 1);
    TRY(k != NULL);
    bool ok = open_pair(&p, k, c) && comm_barrier(c) && with(wrong, &p, c);
    snprintf(states[c->rank].error, sizeof states[c->rank].error, "%s", ok ? "" : error_text());
    Transfer transfers[] = {p.gradients, p.weights};
    link_close(&p.link, transfers, 2);
    return ok;
}

static const char *error_of_rank_0(Wrong wrong, double seconds)
{
    memset(states, 0, MOST_RANKS * sizeof *states);
    assert_int_equal(together(2, seconds, go_wrong, &wrong), wrong == NOTHING_WRONG ? 0 : 1);
    return states[0].error;
}

#define expect_error(wrong, seconds, ...)                                                                              \
    do {                                                                                                               \
        const char *const words[] = {__VA_ARGS__}, *error = error_of_rank_0(wrong, seconds);                           \
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)                                                    \
            if (strstr(error, words[w]) == NULL)                                                                       \
                fail_msg("no \"%s\" in \"%s\"", words[w], error);                                                      \
    } while (0)

static void ranks_that_do_not_do_the_same_are_named(void **unused)
{
    expect_error(NOTHING_WRONG, patience(), "");
    // of either rank: who finds it first tells the other
    expect_error(ANOTHER_SIZE, patience(), "the gradients of layer 7: NCCL says: invalid usage",
                 "do not do the same in group 0", "rank 0 receives 256 bytes from rank 1",
                 "rank 1 sends 240 bytes to rank 0");
    expect_error(SWAPPED, patience(), "the gradients of layer 7", "do not do the same in group 0",
                 "has no more part in it");
}

static void a_rank_that_has_ended_or_stands_still_is_an_error(void **unused)
{
    expect_error(ENDED, patience(), "rank 1 on ", "has ended");
    expect_error(STANDING, 1, "rank 1 on ", "has made no progress for 1 seconds", "--stuck-after");
}

static void two_ranks_on_one_gpu_are_refused(void **unused)
{
    expect_error(SAME_CARD, patience(), "ranks 0 and 1", "have the same GPU", "--gpus all");
}

static bool close_with_an_old_error(Communicator *c, void *context)
{
    Pair p;
    process_place_set(c->rank, false);
    const Kernels *k = kernels_open("cuda", 1);
    TRY(k != NULL && open_pair(&p, k, c) && exchange(&p) && link_wait(&p.link, &p.gradients) && comm_barrier(c));
    fail("an error that was got over");
    link_close(&p.link, &p.gradients, 1);
    error_clear();
    return comm_barrier(c);
}

static void ranks_go_on_behind_an_error_that_was_got_over(void **unused)
{
    assert_int_equal(together(2, patience(), close_with_an_old_error, NULL), 0);
}

static int prepare(void **unused)
{
    setenv("SIMT_DEVICES", "4", 1);
    states = mmap(NULL, MOST_RANKS * sizeof *states, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return states == MAP_FAILED || mkdtemp(folder) == NULL || setenv("TMPDIR", folder, 1) != 0;
}

static int clean_up(void **unused)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

// FILTER: of the tests' names, as cmocka has it
int main(int count, char **words)
{
    if (count > 1)
        cmocka_set_test_filter(words[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_number_of_gpus_has_the_bits_of_one),
                                       cmocka_unit_test(without_nccl_memory_of_the_host_lies_between),
                                       cmocka_unit_test(gradients_once_a_step_are_the_same_either_way),
                                       cmocka_unit_test(ranks_that_do_not_do_the_same_are_named),
                                       cmocka_unit_test(a_rank_that_has_ended_or_stands_still_is_an_error),
                                       cmocka_unit_test(two_ranks_on_one_gpu_are_refused),
                                       cmocka_unit_test(ranks_go_on_behind_an_error_that_was_got_over)};
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
