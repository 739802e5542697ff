// AdamW and the sums of squares. AdamW is a chain of IEEE operations whose order is that of the CPU's, so the tolerance
// is zero: master weights and moments have the CPU's bits, the rounded moments too, and the weight is the master
// rounded.
#include "test/cuda/call.h"
#include <cstring>

static Floats to_bf16(const Floats &x) // cut off, so that they are numbers of bf16 in either precision
{
    Floats y = x;
    for (float &number : y) {
        uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        bits &= 0xffff0000u;
        memcpy(&number, &bits, sizeof bits);
    }
    return y;
}

static Moments some_moments(int64_t count, bool bf16)
{
    Floats master = random_floats(count, 1), m = random_floats(count, 2, 0.01f),
           v = absolute(random_floats(count, 3, 1e-4f));
    return {master, {}, bf16 ? to_bf16(m) : m, bf16 ? to_bf16(v) : v};
}

static AdamW some_settings(int64_t step, double decay, bool bf16)
{
    return AdamW{1e-3, 0.9, 0.95, 1e-8, decay, 0.7, step, bf16, 0x123456789abcdefu};
}

static void check_same_moments(const std::string &what, const Moments &got, const Moments &expected)
{
    check_same(what + " master", got.master, expected.master);
    check_same(what + " m", got.m, expected.m);
    check_same(what + " v", got.v, expected.v);
    check_same(what + " weight", got.weight, rounded(1, (int64_t)expected.master.size(), expected.master).x);
}

static void adamw_has_the_bits_of_the_cpu()
{
    const int64_t counts[] = {1, 3, 4, 1021, 5000}, steps[] = {1, 2, 1000, 1000000},
                  offsets[] = {0, 1, 6, 4096, 4 * 0xfffffff0ll};
    for (bool bf16 : {false, true})
        for (int64_t count : counts)
            for (size_t i = 0; i < std::size(steps); i++)
                for (double decay : {0.0, 0.1}) {
                    int64_t offset = offsets[(i + (size_t)count) % std::size(offsets)];
                    Moments before = some_moments(count, bf16);
                    Floats gradient = random_floats(count, 4, i == 0 ? 1e-3f : 0.1f);
                    AdamW adam = some_settings(steps[i], decay, bf16);
                    check_same_moments(text("adamw of %d at %lld, step %d, decay %g, %s moments:", (int)count,
                                            (long long)offset, (int)steps[i], decay, bf16 ? "bf16" : "fp32"),
                                       adamw(settings.cuda, before, gradient, adam, 7, offset),
                                       adamw(settings.cpu, before, gradient, adam, 7, offset));
                }
}

// Where the gradient is zero there is one way to round: m shrinks by a fused product, v by a product. What becomes of
// these two numbers is written out here from kernels/kernels.h.
static float rounded_at_random(float x, uint32_t noise)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + noise) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void bf16_moments_are_rounded_by_the_word_of_their_place()
{
    const int64_t count = 1000, tensor = 12, offset = 4096 * 5 + 2;
    AdamW adam = some_settings(3, 0, true);
    Moments before = some_moments(count, true), expected = before;
    for (int64_t i = 0; i < count; i++) {
        uint64_t e = (uint64_t)(offset + i);
        uint32_t word =
            random_bits(adam.seed, RANDOM_ROUNDING, (uint32_t)tensor, (uint32_t)(e / 4), (uint32_t)adam.step).v[e % 4];
        float m = before.m[(size_t)i], v = before.v[(size_t)i];
        expected.m[(size_t)i] = rounded_at_random(fmaf(-m, (float)(1 - adam.beta1), m), word & 0xffff);
        expected.v[(size_t)i] = rounded_at_random(v * (float)adam.beta2, word >> 16);
    }
    Moments got = adamw(settings.cuda, before, Floats((size_t)count, 0), adam, tensor, offset);
    check_same("m", got.m, expected.m);
    check_same("v", got.v, expected.v);
}

static Floats part(const Floats &x, size_t first, size_t last)
{
    return Floats(x.begin() + (int64_t)first, x.begin() + (int64_t)last);
}

static void a_shard_is_updated_as_in_the_whole()
{
    const size_t cuts[] = {0, 5, 8, 2048, 4096, 6001};
    for (bool bf16 : {false, true}) {
        AdamW adam = some_settings(9, 0.1, bf16);
        Moments before = some_moments(6001, bf16);
        Floats gradient = random_floats(6001, 4);
        Moments whole = adamw(settings.cuda, before, gradient, adam, 3, 0);
        for (size_t i = 0; i + 1 < std::size(cuts); i++) {
            size_t first = cuts[i], last = cuts[i + 1];
            Moments of_shard = {
                part(before.master, first, last), {}, part(before.m, first, last), part(before.v, first, last)};
            Moments got = adamw(settings.cuda, of_shard, part(gradient, first, last), adam, 3, (int64_t)first);
            Moments expected = {
                part(whole.master, first, last), {}, part(whole.m, first, last), part(whole.v, first, last)};
            check_same_moments(text("elements %zu .. %zu of 6,001, %s moments:", first, last, bf16 ? "bf16" : "fp32"),
                               got, expected);
        }
    }
}

static void a_gradient_that_is_not_finite_is_not_hidden()
{
    const uint32_t bits = 0x7fffffff; // the NaN that a GPU makes: one more in its last place, and it would be zero
    float not_a_number;
    memcpy(&not_a_number, &bits, sizeof bits);
    for (bool bf16 : {false, true}) {
        Moments before = some_moments(64, bf16);
        Floats gradient = random_floats(64, 4);
        gradient[5] = not_a_number;
        gradient[9] = INFINITY;
        Moments got = adamw(settings.cuda, before, gradient, some_settings(1, 0, bf16), 0, 0);
        for (size_t i = 0; i < 64; i++) {
            bool finite = i != 5 && i != 9;
            if (std::isfinite(got.m[i]) != finite || std::isfinite(got.v[i]) != finite ||
                std::isfinite(got.master[i]) != finite || std::isfinite(got.weight[i]) != finite)
                failed("%s moments, element %zu: m %g, v %g, master %g, weight %g", bf16 ? "bf16" : "fp32", i,
                       (double)got.m[i], (double)got.v[i], (double)got.master[i], (double)got.weight[i]);
        }
        if (!std::isnan(got.m[5]) || !std::isnan(got.v[5]) || !std::isinf(got.m[9]) || !std::isinf(got.v[9]))
            failed("%s moments of NaN: %g, %g; of infinity: %g, %g", bf16 ? "bf16" : "fp32", (double)got.m[5],
                   (double)got.v[5], (double)got.m[9], (double)got.v[9]);
    }
}

static void square_sums_are_sums_of_blocks()
{
    std::vector<int64_t> counts = {1, 3, 4096, 4097, 12345};
    if (settings.gpu)
        counts.push_back(10000019);
    for (int64_t count : counts) {
        Floats x = random_floats(count, 5, 3), got = square_sums(settings.cuda, x);
        Reference sums;
        for (int64_t first = 0; first < count; first += SQUARES_BLOCK) {
            Sum sum;
            for (int64_t i = first; i < count && i < first + SQUARES_BLOCK; i++)
                sum.add(Approx((double)x[(size_t)i]) * Approx((double)x[(size_t)i]));
            sums.push_back(sum.total(SQUARES_BLOCK / 16 + 32)); // as a row's mean: sixteen chains or more, then a tree
        }
        check_within(text("square_sums of %d", (int)count), got, sums);
        check_oracle(text("square_sums of %d", (int)count), got, square_sums(settings.cpu, x));
    }
}

extern const Tests optimizer_tests;
const Tests optimizer_tests = {
    {"adamw_has_the_bits_of_the_cpu", adamw_has_the_bits_of_the_cpu},
    {"adamw_rounds_bf16_moments_by_the_word_of_their_place", bf16_moments_are_rounded_by_the_word_of_their_place},
    {"adamw_updates_a_shard_as_in_the_whole", a_shard_is_updated_as_in_the_whole},
    {"adamw_does_not_hide_what_is_not_finite", a_gradient_that_is_not_finite_is_not_hidden},
    {"square_sums_are_sums_of_blocks", square_sums_are_sums_of_blocks}};
