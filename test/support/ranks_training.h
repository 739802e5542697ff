// A few steps of a tiny model on several ranks, and what every rank ends with: for tests that hold several ranks
// against one, on CPUs and on GPUs.
#ifndef TEST_RANKS_TRAINING_H
#define TEST_RANKS_TRAINING_H

#include "sharded/sharded.h"
#include "test/support/ranks.h"
#include "test/support/tiny.h"
#include <string.h>
#include <sys/mman.h>

enum { TRAINED_RANKS = 5, TRAINED_STEPS = 3, TRAINED_ELEMENTS = 180000 }; // at most

// What a rank ends with; all ranks have the same bits.
typedef struct Trained {
    int64_t elements;
    double norms[TRAINED_STEPS];
    float weights[TRAINED_ELEMENTS], m[TRAINED_ELEMENTS], v[TRAINED_ELEMENTS];
    uint64_t sent; // bytes of gradients, norms and weights by the communicator's count
    ShardedBytes planned;
    char between[160];
} Trained;

typedef struct Training {
    ModelConfig config;
    bool recompute, bf16_moments, weights, once; // weights, once: of a Division
    Adapters adapters;                           // rank 0: the model's own weights learn
    int steps, micro_batches;
    int documents, lengths; // a micro-batch has 1 to `documents`, each of 5 to 4 + `lengths` tokens
    const Kernels *(*kernels)(int rank);
    Trained *ranks; // (TRAINED_RANKS) shared by all processes
} Training;

static inline Trained *shared_by_ranks(void)
{
    size_t bytes = TRAINED_RANKS * sizeof(Trained);
    void *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    return all;
}

static inline bool training_step(const Training *t, Model *model, Sharded *sharded, Optimizer *optimizer, int64_t step,
                                 double *norm)
{
    static TinyBatch batch;
    static const Ragged NOTHING;
    int rank = model->sharding.rank, size = model->sharding.size;
    TRY(gradients_clear(model));
    for (int64_t first = 0; first < t->micro_batches; first += size) {
        int64_t mine = first + rank;
        LossSum sum = {.finite = true};
        sharded_round(sharded, (int)smaller(size, t->micro_batches - first));
        batch = (TinyBatch){0};
        for (int64_t d = 0; d <= mine % t->documents; d++)
            tiny_add(&batch, (uint32_t)(1 + 100 * step + 10 * mine + d),
                     (int32_t)(5 + (7 * mine + 3 * d) % t->lengths));
        const Ragged *b = mine < t->micro_batches ? &batch.ragged : &NOTHING;
        TRY(model_forward(model, b) && model_loss(model, b, 0.01, &sum) && model_backward(model, b));
    }
    return gradient_norm(model, norm) && optimizer_step(optimizer, model, 1e-2, 0.5);
}

static inline bool read_trained(Trained *end, const Model *model, const Optimizer *optimizer)
{
    int64_t n = end->elements = model->parameters.elements;
    TRY(n <= TRAINED_ELEMENTS && model_read_weights(model, 0, n, end->weights) &&
        optimizer_read_moments(optimizer, FIRST_MOMENT, 0, n, end->m));
    for (int64_t first = 0; first < n; first += 4099) // in pieces that begin and end anywhere
        TRY(optimizer_read_moments(optimizer, SECOND_MOMENT, first, smaller(4099, n - first), end->v + first));
    return true;
}

// A RankWork: context is a Training.
static inline bool train_on_ranks(Communicator *ranks, void *context)
{
    const Training *t = context;
    Trained *end = &t->ranks[ranks->rank];
    ModelLimits limits = {.tokens = 128,
                          .rows = 128,
                          .sequences = 8,
                          .positions = 64,
                          .training = true,
                          .recompute = t->recompute,
                          .adapters = t->adapters,
                          .division = {ranks->rank, ranks->size, t->weights, t->once}};
    Model model;
    Sharded sharded;
    Optimizer optimizer = {
        .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .weight_decay = 0.1, .bf16_moments = t->bf16_moments, .seed = 5};
    const Kernels *kernels = t->kernels(ranks->rank);
    TRY(kernels != NULL && model_open(&model, &t->config, &limits, kernels, false) && model_initialise(&model, 3) &&
        (t->adapters.rank == 0 || model_begin_adapters(&model, 4)) && sharded_open(&sharded, &model, ranks) &&
        optimizer_open(&optimizer, &model, false));
    memcpy(end->between, ranks->between, sizeof end->between);
    for (int step = 0; step < t->steps; step++)
        TRY(training_step(t, &model, &sharded, &optimizer, step, &end->norms[step]));
    end->sent = ranks->bytes;
    end->planned = sharded_bytes(&model);
    TRY(read_trained(end, &model, &optimizer));
    sharded_close(&sharded);
    optimizer_close(&optimizer);
    model_close(&model);
    return true;
}

static inline void same_bits(const Trained *a, const Trained *b)
{
    size_t bytes = (size_t)a->elements * sizeof(float);
    assert_int_equal(a->elements, b->elements);
    assert_memory_equal(a->norms, b->norms, sizeof a->norms);
    assert_memory_equal(a->weights, b->weights, bytes);
    assert_memory_equal(a->m, b->m, bytes);
    assert_memory_equal(a->v, b->v, bytes);
}

// What was sent is what was planned. Ranks that have no micro-batch in the last round send no gradients then.
static inline void expect_planned_bytes(const Training *t, int size)
{
    for (int r = 0; r < size; r++) {
        const ShardedBytes *planned = &t->ranks[r].planned;
        uint64_t all = (uint64_t)((t->micro_batches + size - 1) / size),
                 rounds = (uint64_t)((t->micro_batches - r + size - 1) / size);
        assert_int_equal(t->ranks[r].sent,
                         (uint64_t)t->steps * (rounds * planned->gradients + all * planned->weights + planned->update));
    }
}

// That each of these numbers of ranks (count), of which the first is 1, has the bits of one.
static inline void expect_bits_of_one(Training *t, const int *sizes, size_t count, double patience)
{
    static Trained one;
    for (size_t i = 0; i < count; i++) {
        memset(t->ranks, 0, TRAINED_RANKS * sizeof *t->ranks);
        assert_int_equal(together(sizes[i], patience, train_on_ranks, t), 0);
        if (i == 0)
            one = t->ranks[0];
        assert_true(one.norms[0] > 0 && one.norms[0] != one.norms[1]);
        for (int r = 0; r < sizes[i]; r++)
            same_bits(&t->ranks[r], &one);
        if (sizes[i] > 1)
            expect_planned_bytes(t, sizes[i]);
    }
}

#endif
