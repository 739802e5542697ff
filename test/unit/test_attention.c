// Attention: against a plain double-precision softmax over every key, and its promise that keys in pages, chunks of a prompt and
// single decoded tokens give the very bits of the whole sequence at once.
#include "test/support/check.h"
#include "kernels/kernels.h"

enum { H = 6, HKV = 2, D = 20, GROUP = H / HKV, LONGEST = 2300 };

static float *q, *k, *v;

static int setup(void **state)
{
    q = random_floats(LONGEST * H * D, 1), k = random_floats(LONGEST * HKV * D, 2), v = random_floats(LONGEST * HKV * D, 3);
    for (int64_t i = 0; i < (int64_t)LONGEST * H * D; i++)
        q[i] *= 4; // scores of some spread, so that the softmax has peaks
    return 0;
}

static const Kernels *cpu(void) { return kernels_open("cpu", 2); }

static void forward(float *out, float *lse, int64_t length)
{
    int32_t starts[2] = {0, (int32_t)length}, contexts[1] = {0};
    Attention a = {.sequences = 1, .heads = H, .kv_heads = HKV, .head_width = D, .starts = starts, .contexts = contexts};
    cpu()->attention_forward(NULL, (Tensor){out, length, H * D}, lse, (Tensor){q, length, H * D}, (Tensor){k, length, HKV * D},
                             (Tensor){v, length, HKV * D}, &a);
}

static void naive(double *out, int64_t t, int64_t h)
{
    double score[LONGEST], largest = -1e300, sum = 0;
    for (int64_t j = 0; j <= t; j++) {
        score[j] = 0;
        for (int d = 0; d < D; d++)
            score[j] += (double)q[(t * H + h) * D + d] * k[(j * HKV + h / GROUP) * D + d] / sqrt(D);
        largest = score[j] > largest ? score[j] : largest;
    }
    memset(out, 0, D * sizeof *out);
    for (int64_t j = 0; j <= t; j++) {
        double p = exp(score[j] - largest);
        sum += p;
        for (int d = 0; d < D; d++)
            out[d] += p * v[(j * HKV + h / GROUP) * D + d];
    }
    for (int d = 0; d < D; d++)
        out[d] /= sum;
}

// A weight is off by a few 2^-23 for each of exp, its rescaling per block (18 blocks) and the sum; outputs are averages of
// numbers below 1, so 64 · 2^-23 covers them.
static void attention_agrees_with_a_plain_softmax(void **state)
{
    float *out = allocate(LONGEST * H * D, 4), *lse = allocate(LONGEST * H, 4);
    const int64_t some[] = {0, 1, 15, 16, 127, 128, 129, 1023, 1024, 1025, 2047, 2048, LONGEST - 1};
    forward(out, lse, LONGEST);
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        for (int64_t h = 0; h < H; h++) {
            double expected[D];
            naive(expected, some[i], h);
            for (int d = 0; d < D; d++)
                assert_true(fabs(out[(some[i] * H + h) * D + d] - expected[d]) <= 64 * 0x1p-23);
        }
    free(out);
    free(lse);
}

// The sequence's keys and values in pages, shuffled over the pool; what is behind a page's last key is NaN, and must not matter.
typedef struct Pages {
    float *keys, *values;
    int32_t table[LONGEST / KEY_BLOCK + 1];
} Pages;

static Pages paged(int64_t length)
{
    enum { POOL = LONGEST / KEY_BLOCK + 3 };
    Pages p = {allocate(POOL * HKV * KEY_BLOCK * D, 4), allocate(POOL * HKV * KEY_BLOCK * D, 4), {0}};
    for (int64_t i = 0; i < (int64_t)POOL * HKV * KEY_BLOCK * D; i++)
        p.keys[i] = p.values[i] = NAN;
    for (int64_t block = 0; block * KEY_BLOCK < length; block++) {
        int64_t page = (block * 7 + 3) % POOL;
        p.table[block] = (int32_t)page;
        for (int64_t j = block * KEY_BLOCK; j < length && j < (block + 1) * KEY_BLOCK; j++)
            for (int64_t h = 0; h < HKV; h++) {
                int64_t to = ((page * HKV + h) * KEY_BLOCK + j % KEY_BLOCK) * D, from = (j * HKV + h) * D;
                memcpy(p.keys + to, k + from, D * sizeof(float));
                memcpy(p.values + to, v + from, D * sizeof(float));
            }
    }
    return p;
}

// Queries first .. first + count - 1 of the sequence, everything before them being context in pages.
static void continued(float *out, float *lse, const Pages *p, int64_t first, int64_t count)
{
    int32_t starts[2] = {0, (int32_t)count}, contexts[1] = {(int32_t)first};
    Attention a = {.sequences = 1,
                   .heads = H,
                   .kv_heads = HKV,
                   .head_width = D,
                   .starts = starts,
                   .contexts = contexts,
                   .key_pages = p->keys,
                   .value_pages = p->values,
                   .page_table = p->table,
                   .pages_per_sequence = LONGEST / KEY_BLOCK + 1};
    cpu()->attention_forward(NULL, (Tensor){out, count, H * D}, lse, (Tensor){q + first * H * D, count, H * D}, (Tensor){0},
                             (Tensor){0}, &a);
}

static void pages_chunks_and_single_tokens_give_the_bits_of_the_whole(void **state)
{
    float *out = allocate(LONGEST * H * D, 4), *lse = allocate(LONGEST * H, 4), *part = allocate(LONGEST * H * D, 4);
    float *part_lse = allocate(LONGEST * H, 4);
    const struct {
        int64_t first, count;
    } cuts[] = {{0, LONGEST}, {0, 700}, {700, 900}, {1600, 700}, {0, 1},    {1, 1},
                {127, 1},     {128, 1}, {1023, 1},  {1024, 1},   {2299, 1}, {1000, 37}};
    forward(out, lse, LONGEST);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        Pages p = paged(cuts[i].first + cuts[i].count); // what comes later is not even there
        continued(part, part_lse, &p, cuts[i].first, cuts[i].count);
        assert_memory_equal(part, out + cuts[i].first * H * D, (size_t)(cuts[i].count * H * D) * 4);
        assert_memory_equal(part_lse, lse + cuts[i].first * H, (size_t)(cuts[i].count * H) * 4);
        free(p.keys);
        free(p.values);
    }
    free(out);
    free(lse);
    free(part);
    free(part_lse);
}

static void a_sequence_does_not_see_its_neighbours(void **state)
{
    enum { T = 600 };
    int32_t starts[4] = {0, 100, 101, T}, contexts[3] = {0};
    Attention a = {.sequences = 3, .heads = H, .kv_heads = HKV, .head_width = D, .starts = starts, .contexts = contexts};
    static float all[T * H * D], alone[T * H * D], lse[T * H];
    cpu()->attention_forward(NULL, (Tensor){all, T, H * D}, lse, (Tensor){q, T, H * D}, (Tensor){k, T, HKV * D},
                             (Tensor){v, T, HKV * D}, &a);
    for (int s = 0; s < 3; s++) {
        int64_t first = starts[s], length = starts[s + 1] - starts[s];
        int32_t one[2] = {0, (int32_t)length};
        Attention single = {.sequences = 1, .heads = H, .kv_heads = HKV, .head_width = D, .starts = one, .contexts = contexts};
        cpu()->attention_forward(NULL, (Tensor){alone, length, H * D}, lse, (Tensor){q + first * H * D, length, H * D},
                                 (Tensor){k + first * HKV * D, length, HKV * D}, (Tensor){v + first * HKV * D, length, HKV * D},
                                 &single);
        assert_memory_equal(alone, all + first * H * D, (size_t)(length * H * D) * 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_agrees_with_a_plain_softmax),
        cmocka_unit_test(pages_chunks_and_single_tokens_give_the_bits_of_the_whole),
        cmocka_unit_test(a_sequence_does_not_see_its_neighbours),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
