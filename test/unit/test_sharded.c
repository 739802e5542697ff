// Training on several ranks: the bits of one rank, whatever their number, the family, and where the state lies; and
// what travels.
#include "pretrained/config_json.h"
#include "fit/wire.h"
#include "test/support/guarded.h"
#include "test/support/ranks.h"
#include "test/support/tiny.h"
#include <math.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_RANKS = 5, STEPS = 3, MICRO_BATCHES = 7, MOST_ELEMENTS = 120000 };

// What a rank ends with; all ranks write the same.
typedef struct State {
    int64_t elements;
    double norms[STEPS];
    float weights[MOST_ELEMENTS], m[MOST_ELEMENTS], v[MOST_ELEMENTS];
    uint64_t sent; // bytes of gradients, norms and weights by the communicator's count
    ShardedBytes planned;
} State;

typedef struct Setting {
    ModelFamily family;
    bool tied, recompute, bf16_moments, device; // device: memory that the host may not touch
    bool weights, once;                         // Division's
    State *states;                              // (MOST_RANKS) shared by all processes
} Setting;

static void micro_batch(TinyBatch *b, int64_t step, int64_t m)
{
    *b = (TinyBatch){0};
    for (int d = 0; d <= m % 3; d++)
        tiny_add(b, (uint32_t)(1 + 100 * step + 10 * m + d), (int32_t)(5 + (7 * m + 3 * d) % 23));
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
        if (mine < MICRO_BATCHES)
            micro_batch(&batch, step, mine);
        const Ragged *b = mine < MICRO_BATCHES ? &batch.ragged : &NOTHING;
        TRY(model_forward(model, b) && model_loss(model, b, 0.01, &sum) && model_backward(model, b));
    }
    return gradient_norm(model, norm) && optimizer_step(optimizer, model, 1e-2, 0.5);
}

static bool train(Communicator *ranks, void *context)
{
    const Setting *setting = context;
    State *state = &setting->states[ranks->rank];
    ModelConfig config = TINY_CONFIG;
    ModelLimits limits = {.tokens = 128,
                          .rows = 128,
                          .sequences = 8,
                          .positions = 64,
                          .training = true,
                          .division = {ranks->rank, ranks->size, setting->weights, setting->once}};
    Kernels device = guarded_kernels();
    const Kernels *kernels = setting->device ? &device : kernels_open("cpu", 1);
    Model model;
    Sharded sharded;
    Optimizer optimizer = {.beta1 = 0.9,
                           .beta2 = 0.99,
                           .epsilon = 1e-8,
                           .weight_decay = 0.1,
                           .bf16_moments = setting->bf16_moments,
                           .seed = 5};
    config.family = setting->family;
    config.tied = setting->tied;
    config.layers = setting->weights ? 5 : config.layers; // more than the two places
    limits.recompute = setting->recompute;
    device.on_gpu = true;
    TRY(model_open(&model, &config, &limits, kernels, false) && model_initialise(&model, 3) &&
        sharded_open(&sharded, &model, ranks));
    TRY(optimizer_open(&optimizer, &model, false));
    int64_t n = state->elements = model.parameters.elements;
    TRY(n <= MOST_ELEMENTS);
    for (int64_t step = 0; step < STEPS; step++)
        TRY(train_step(&model, &sharded, &optimizer, ranks, step, &state->norms[step]));
    state->sent = ranks->bytes;
    state->planned = sharded_bytes(&model);
    TRY(model_read_weights(&model, 0, n, state->weights));
    TRY(optimizer_read_moments(&optimizer, FIRST_MOMENT, 0, n, state->m));
    // in pieces that begin and end anywhere
    for (int64_t first = 0; first < n; first += 4099)
        TRY(optimizer_read_moments(&optimizer, SECOND_MOMENT, first, first + 4099 < n ? 4099 : n - first,
                                   state->v + first));
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

// Ranks that have no micro-batch in the last round send no gradients then.
static void expect_bytes(const State *states, int size)
{
    for (int r = 0; r < size; r++) {
        const ShardedBytes *planned = &states[r].planned;
        uint64_t all = (uint64_t)((MICRO_BATCHES + size - 1) / size),
                 rounds = (uint64_t)((MICRO_BATCHES - r + size - 1) / size);
        assert_int_equal(states[r].sent,
                         STEPS * (rounds * planned->gradients + all * planned->weights + planned->update));
    }
}

static State *shared_states(void)
{
    void *states = mmap(NULL, MOST_RANKS * sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(states != MAP_FAILED);
    return states;
}

static void every_number_of_ranks_has_the_bits_of_one(void **unused)
{
    static const Setting settings[] = {{.family = QWEN3, .tied = true},
                                       {.family = QWEN3, .recompute = true, .bf16_moments = true},
                                       {.family = QWEN2, .tied = true, .bf16_moments = true, .device = true},
                                       {.family = QWEN3, .device = true},
                                       {.family = QWEN3, .tied = true, .weights = true},
                                       {.family = QWEN2, .recompute = true, .weights = true, .device = true}};
    static State one;
    State *states = shared_states();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        Setting setting = settings[i];
        setting.states = states;
        for (int size = 1; size <= MOST_RANKS; size++) {
            memset(states, 0, MOST_RANKS * sizeof *states);
            assert_int_equal(together(size, 60, train, &setting), 0);
            if (size == 1)
                one = states[0];
            assert_true(one.norms[0] > 0 && one.norms[0] != one.norms[1]);
            for (int r = 0; r < size; r++)
                same_bits(&states[r], &one);
            if (size > 1)
                expect_bytes(states, size);
        }
    }
    munmap(states, MOST_RANKS * sizeof *states);
}

// Gradients that are sent once a step: the bits are those of this number of ranks, and nearly those of one. Sums of 7
// micro-batches in another order differ by 7 roundings, 7 · 2^-24 of what is added up, and squares by twice that.
static void sums_of_a_whole_step_are_nearly_those_of_one(void **unused)
{
    static State one;
    Setting setting = {.family = QWEN3, .once = true, .weights = true, .states = shared_states()};
    for (int size = 1; size <= MOST_RANKS; size++) {
        static State before;
        for (int run = 0; run < 2; run++) {
            assert_int_equal(together(size, 60, train, &setting), 0);
            if (run == 1)
                same_bits(&setting.states[size - 1], &before);
            before = setting.states[0];
        }
        if (size == 1)
            one = before;
        assert_true(fabs(before.norms[0] / one.norms[0] - 1) < 2 * 7 * 0x1p-24);
        expect_bytes(setting.states, size);
        assert_int_equal(setting.states[0].planned.gradients, 0);
    }
    munmap(setting.states, MOST_RANKS * sizeof *setting.states);
}

// Parts are disjoint, together everything, nearly equal, and begin at edges of blocks.
static void every_element_has_one_owner(void **unused)
{
    Parameters p;
    ModelConfig config = TINY_CONFIG;
    config.tied = false;
    config.width = 640;
    assert_ok(parameters_make(&p, &config));
    for (int size = 1; size <= 9; size++) {
        char *owners = calloc((size_t)p.elements, 1);
        for (int rank = 0; rank < size; rank++) {
            Sharding s;
            int64_t own = 0;
            assert_ok(sharding_open(&s, &p, &(Division){rank, size, false, false}));
            for (int64_t i = 0; i < s.part_count; i++) {
                const ShardPart *part = &s.parts[i];
                assert_int_equal(part->first % SQUARES_BLOCK, 0);
                assert_int_equal(part->local, own);
                own += part->count;
                for (int64_t e = 0; e < part->count; e++)
                    owners[p.list[part->tensor].offset + part->first + e]++;
            }
            assert_int_equal(own, s.own);
            // a unit is divided to within a block, and a tensor's last one is not whole
            assert_true(own <= p.elements / size + s.unit_count * 2 * SQUARES_BLOCK);
            sharding_close(&s);
        }
        for (int64_t e = 0; e < p.elements; e++)
            assert_int_equal(owners[e], 1);
        free(owners);
    }
    parameters_free(&p);
}

// Qwen3-4B: what a rank sends is (N - 1) / N of the gradient in a round, and its part of the weights to all others;
// inside a node of 8 by NVLink, and between nodes what is for other nodes.
static void a_plan_says_what_travels_and_how_long(void **unused)
{
    ModelConfig config;
    json_t *file = json_load_file("lab/bench/qwen3-4b.json", 0, NULL);
    assert_ok(config_from_json(&config, file, "qwen3-4b.json"));
    json_decref(file);
    for (int ranks = 8; ranks <= 512; ranks *= 8) {
        Model m;
        WireTime t;
        ModelLimits limits = {.tokens = 16384,
                              .rows = 16384,
                              .sequences = 4,
                              .positions = 4096,
                              .training = true,
                              .division = {0, ranks}};
        assert_ok(model_open(&m, &config, &limits, kernels_for_plan("cuda"), true));
        const UpdateShape shape = {"a step", 512, 512, 512 * 16384, 512 * 16384, 4096};
        double all = (double)m.parameters.elements, sent = 4 * all * (ranks - 1) / ranks,
               weights = 2 * all * (ranks - 1) / ranks;
        assert_ok(wire_time(&t, &m, &shape));
        // to within the blocks by which ranks differ, at most one of a unit
        double most = (double)m.sharding.unit_count * SQUARES_BLOCK * 6 * ranks;
        double bytes = (double)t.rounds * sent + weights;
        assert_true(t.rounds == 512 / ranks);
        if (ranks == 8)
            assert_true(t.between == 0 && fabs(t.inside * 363e9 - bytes) <= (double)t.rounds * most);
        else // of 63 or 511 others 7 are in the node
            assert_true(fabs(t.between * 50e9 / (ranks - 8) * (ranks - 1) - bytes) <= (double)t.rounds * most);
        // 6 operations for a weight and token, and 3.6e9 of attention: the bench's tokens/s come out
        assert_true(fabs(512 * 16384 / ranks / t.computing / 13889 - 1) < 0.02);
        assert_true(t.hidden > 0.85 && t.hidden < 1 && t.open > 0);
        model_close(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_element_has_one_owner),
                                       cmocka_unit_test(every_number_of_ranks_has_the_bits_of_one),
                                       cmocka_unit_test(a_plan_says_what_travels_and_how_long),
                                       cmocka_unit_test(sums_of_a_whole_step_are_nearly_those_of_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
