// Training on several ranks: the bits of one rank, whatever their number, the family, and where the state lies; and
// what travels.
#include "fit/wire.h"
#include "pretrained/config_json.h"
#include "test/support/guarded.h"
#include "test/support/ranks_training.h"
#include <math.h>

static const Kernels *on_cpu(int rank) { return kernels_open("cpu", 1); }

// Memory that the host may not touch.
static const Kernels *on_device(int rank)
{
    static Kernels device;
    device = guarded_kernels();
    device.on_gpu = true;
    return &device;
}

static Training training_of(ModelFamily family, bool tied)
{
    Training t = {.config = TINY_CONFIG,
                  .steps = TRAINED_STEPS,
                  .micro_batches = 7,
                  .documents = 3,
                  .lengths = 23,
                  .kernels = on_cpu,
                  .ranks = shared_by_ranks()};
    t.config.family = family;
    t.config.tied = tied;
    return t;
}

enum { MORE_LAYERS = 5 }; // than the two places of divided weights

static void every_number_of_ranks_has_the_bits_of_one(void **unused)
{
    static const int SIZES[] = {1, 2, 3, 4, 5}, FEW[] = {1, 3};
    const int *sizes = is_brief() ? FEW : SIZES, count = is_brief() ? 2 : 5;
    for (int setting = 0; setting < 6; setting++) {
        Training t = training_of(setting == 2 || setting == 5 ? QWEN2 : QWEN3, setting % 2 == 0);
        t.weights = setting >= 4;
        t.config.layers = t.weights ? MORE_LAYERS : t.config.layers;
        t.recompute = setting == 1 || setting == 5;
        t.bf16_moments = setting == 1 || setting == 2;
        t.kernels = setting == 2 || setting == 3 || setting == 5 ? on_device : on_cpu;
        expect_bits_of_one(&t, sizes, count, 60);
        munmap(t.ranks, TRAINED_RANKS * sizeof *t.ranks);
    }
}

// Gradients that are sent once a step: the bits are those of this number of ranks, and nearly those of one. Sums of 7
// micro-batches in another order differ by 7 roundings, 7 · 2^-24 of what is added up, and squares by twice that.
static void sums_of_a_whole_step_are_nearly_those_of_one(void **unused)
{
    static Trained one, before;
    Training t = training_of(QWEN3, false);
    t.once = t.weights = true;
    t.config.layers = MORE_LAYERS;
    for (int size = 1; size <= TRAINED_RANKS; size++) {
        for (int run = 0; run < 2; run++) {
            assert_int_equal(together(size, 60, train_on_ranks, &t), 0);
            if (run == 1)
                same_bits(&t.ranks[size - 1], &before);
            before = t.ranks[0];
        }
        if (size == 1)
            one = before;
        assert_true(fabs(before.norms[0] / one.norms[0] - 1) < 2 * 7 * 0x1p-24);
        if (size > 1) {
            expect_planned_bytes(&t, size);
            assert_int_equal(t.ranks[0].planned.gradients, 0);
        }
    }
    munmap(t.ranks, TRAINED_RANKS * sizeof *t.ranks);
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
