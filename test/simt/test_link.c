// Several ranks on GPUs, under SIMT with the stand-in for NCCL (test/simt/nccl.c): the bits of one rank, whichever
// stream is late; what travels is what was planned; ranks that do not do the same, have ended or stand still are named.
#include "system/start.h"
#include "test/support/ranks_training.h"
#include <stdlib.h>

static Training training;
static char (*errors)[1000]; // (TRAINED_RANKS) shared by all processes
static char folder[] = "/tmp/test_link-XXXXXX";

// Seconds that nothing takes here; fewer for a program that is known to be wrong (mutants.sh).
static double patience(void) { return getenv("LINK_PATIENCE") == NULL ? 60 : atof(getenv("LINK_PATIENCE")); }

static const Kernels *on_card(int rank)
{
    process_place_set(rank, false);
    return kernels_open("cuda", 1);
}

static Training training_of(bool tied)
{
    Training t = training;
    t.config = TINY_CONFIG;
    t.config.width = 64;
    t.config.heads = 2;
    t.config.kv_heads = 1;
    t.config.head_width = 64;
    t.config.feed_forward = 96;
    t.config.vocabulary = 304;
    t.config.layers = 3;
    t.config.tied = tied;
    return t;
}

static void expect_by(Training *t, const char *between)
{
    static const int SIZES[] = {1, 2, 4};
    expect_bits_of_one(t, SIZES, 3, patience());
    assert_non_null(strstr(t->ranks[3].between, between));
}

static const char *const ORDERS[] = {"late", "early"};

static void every_number_of_gpus_has_the_bits_of_one(void **unused)
{
    for (int order = 0; order < 2; order++)
        for (int setting = 0; setting < 3; setting++) {
            if (!is_long() && order != setting % 2)
                continue;
            Training t = training_of(setting == 0);
            t.recompute = t.bf16_moments = setting == 1;
            t.weights = setting == 2;
            setenv("SIMT_STREAMS", ORDERS[order], 1);
            expect_by(&t, "NCCL 2.28.9 between GPUs");
        }
}

static void without_nccl_memory_of_the_host_lies_between(void **unused)
{
    Training t = training_of(true);
    setenv("DEREASON_LINK", "host", 1);
    expect_by(&t, "through memory of the host (rank 0: DEREASON_LINK=host)");
    unsetenv("DEREASON_LINK");
    setenv("NCCL_STANDIN_VERSION", "21701", 1);
    expect_by(&t, "through memory of the host (rank 0: libnccl.so.2 is version 2.17, and 2.18");
    unsetenv("NCCL_STANDIN_VERSION");
}

// Gradients that are sent once a step have the bits of this number of ranks, whichever way they travel.
static void gradients_once_a_step_are_the_same_either_way(void **unused)
{
    static Trained by_host;
    Training t = training_of(false);
    t.weights = t.once = true;
    for (int way = 0; way < 3; way++) {
        setenv("DEREASON_LINK", way == 0 ? "host" : "nccl", 1);
        setenv("SIMT_STREAMS", ORDERS[way % 2], 1);
        memset(t.ranks, 0, TRAINED_RANKS * sizeof *t.ranks);
        assert_int_equal(together(2, patience(), train_on_ranks, &t), 0);
        by_host = way == 0 ? t.ranks[0] : by_host;
        same_bits(&t.ranks[0], &by_host);
        same_bits(&t.ranks[1], &by_host);
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
    snprintf(errors[c->rank], sizeof errors[c->rank], "%s", ok ? "" : error_text());
    Transfer transfers[] = {p.gradients, p.weights};
    link_close(&p.link, transfers, 2);
    return ok;
}

static const char *error_of_rank_0(Wrong wrong, double seconds)
{
    static char error[sizeof *errors];
    memset(errors, 0, TRAINED_RANKS * sizeof *errors);
    assert_int_equal(together(2, seconds, go_wrong, &wrong), wrong == NOTHING_WRONG ? 0 : 1);
    memcpy(error, errors[0], sizeof error);
    return error;
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
    expect_error(SWAPPED, patience(), "the gradients of layer 7", "do not do the same in group 0", " 256 bytes ",
                 "rank 1 has no more part in it");
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
    errors = mmap(NULL, TRAINED_RANKS * sizeof *errors, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    // SIMT is slow: fewer steps, and shorter ones
    training = (Training){.steps = 2, .micro_batches = 5, .documents = 2, .lengths = 11, .kernels = on_card};
    training.ranks = shared_by_ranks();
    return errors == MAP_FAILED || mkdtemp(folder) == NULL || setenv("TMPDIR", folder, 1) != 0;
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
