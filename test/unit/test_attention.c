// Attention: against a plain double-precision softmax over every key, and its promise that keys in pages, chunks of a
// prompt and single decoded tokens give the very bits of the whole sequence at once.
#include "test/support/check.h"
#include "kernels/kernels.h"

enum { H = 6, HKV = 2, D = 20, GROUP = H / HKV, LONGEST = 2300 };

static float *q, *k, *v;

static int setup(void **state)
{
    q = random_floats(LONGEST * H * D, 1), k = random_floats(LONGEST * HKV * D, 2),
    v = random_floats(LONGEST * HKV * D, 3);
    for (int64_t i = 0; i < (int64_t)LONGEST * H * D; i++)
        q[i] *= 4; // scores of some spread, so that the softmax has peaks
    return 0;
}

static const Kernels *cpu(void) { return kernels_open("cpu", 2); }

static void forward(float *out, float *lse, int64_t length)
{
    int32_t starts[2] = {0, (int32_t)length}, contexts[1] = {0};
    Attention a = {
        .sequences = 1, .heads = H, .kv_heads = HKV, .head_width = D, .starts = starts, .contexts = contexts};
    cpu()->attention_forward(NULL, (Tensor){out, length, H * D}, lse, (Tensor){q, length, H * D},
                             (Tensor){k, length, HKV * D}, (Tensor){v, length, HKV * D}, &a);
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

// A weight is off by a few 2^-23 for each of exp, its rescaling per block (18 blocks) and the sum; outputs are averages
// of numbers below 1, so 64 · 2^-23 covers them.
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

// The sequence's keys and values in pages, shuffled over the pool; what is behind a page's last key is NaN, and must
// not matter.
typedef struct Pages {
    float *keys, *values;
    int32_t table[LONGEST / KEY_BLOCK + 1];
} Pages;

enum { POOL = LONGEST / KEY_BLOCK + 3 };

// Attention over the pages, for new tokens first .. first + count - 1 of the sequence.
static Attention over(const Pages *p, const int32_t starts[2], const int32_t contexts[1])
{
    return (Attention){.sequences = 1,
                       .heads = H,
                       .kv_heads = HKV,
                       .head_width = D,
                       .starts = starts,
                       .contexts = contexts,
                       .key_pages = p->keys,
                       .value_pages = p->values,
                       .page_table = p->table,
                       .pages_per_sequence = LONGEST / KEY_BLOCK + 1};
}

static void write_tokens(const Pages *p, int64_t first, int64_t count)
{
    int32_t starts[2] = {0, (int32_t)count}, contexts[1] = {(int32_t)first};
    Attention a = over(p, starts, contexts);
    cpu()->pages_write(NULL, (Tensor){k + first * HKV * D, count, HKV * D},
                       (Tensor){v + first * HKV * D, count, HKV * D}, &a);
}

static Pages paged(int64_t length)
{
    size_t elements = (size_t)cpu()->page_elements(HKV, D);
    Pages p = {allocate(POOL * elements, 4), allocate(POOL * elements, 4), {0}};
    for (size_t i = 0; i < POOL * elements; i++)
        p.keys[i] = p.values[i] = NAN;
    for (int64_t block = 0; block * KEY_BLOCK < length; block++)
        p.table[block] = (int32_t)((block * 7 + 3) % POOL);
    int64_t cuts[] = {0, length / 3, length / 3 < length ? length / 3 + 1 : length,
                      length}; // in pieces, one of them one token
    for (int i = 0; i < 3; i++)
        if (cuts[i + 1] > cuts[i])
            write_tokens(&p, cuts[i], cuts[i + 1] - cuts[i]);
    return p;
}

// Queries first .. first + count - 1 of the sequence, everything before them being context in pages.
static void continued(float *out, float *lse, const Pages *p, int64_t first, int64_t count)
{
    int32_t starts[2] = {0, (int32_t)count}, contexts[1] = {(int32_t)first};
    Attention a = over(p, starts, contexts);
    a.workspace = allocate((size_t)cpu()->attention_workspace(1, LONGEST, H, D), sizeof(float));
    cpu()->attention_forward(NULL, (Tensor){out, count, H * D}, lse, (Tensor){q + first * H * D, count, H * D},
                             (Tensor){0}, (Tensor){0}, &a);
    free(a.workspace);
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

// Sequences of any number of new tokens in one batch over one pool of pages, the second page a copy: each as when it is
// alone.
static void a_batch_over_pages_has_the_bits_of_each_alone(void **state)
{
    enum { S = 4, T = 1 + 40 + 1 + 300, PITCH = LONGEST / KEY_BLOCK + 1 };
    const int64_t lengths[S] = {1, 1500, LONGEST, 300}, news[S] = {1, 40, 1, 300};
    static float queries[T * H * D], out[T * H * D], lse[T * H], expected[LONGEST * H * D], expected_lse[LONGEST * H];
    int32_t starts[S + 1] = {0}, contexts[S], table[S * PITCH] = {0};
    Pages p = paged(LONGEST);
    const int32_t copy[2] = {p.table[0], (p.table[LONGEST / KEY_BLOCK] + 7) % POOL}; // a free page
    cpu()->pages_copy(NULL, p.keys, cpu()->page_elements(HKV, D), copy, 1);
    cpu()->pages_copy(NULL, p.values, cpu()->page_elements(HKV, D), copy, 1);
    for (int s = 0; s < S; s++) { // all of them are the beginning of one sequence, and share its pages
        starts[s + 1] = starts[s] + (int32_t)news[s];
        contexts[s] = (int32_t)(lengths[s] - news[s]);
        memcpy(table + s * PITCH, p.table, sizeof p.table);
        memcpy(queries + starts[s] * H * D, q + contexts[s] * H * D, (size_t)(news[s] * H * D) * sizeof(float));
    }
    table[1 * PITCH] = copy[1];
    Attention a = over(&p, starts, contexts);
    a.sequences = S;
    a.page_table = table;
    a.workspace = allocate((size_t)cpu()->attention_workspace(S, LONGEST, H, D), sizeof(float));
    cpu()->attention_forward(NULL, (Tensor){out, T, H * D}, lse, (Tensor){queries, T, H * D}, (Tensor){0}, (Tensor){0},
                             &a);
    forward(expected, expected_lse, LONGEST);
    for (int s = 0; s < S; s++) {
        assert_memory_equal(out + starts[s] * H * D, expected + contexts[s] * H * D, (size_t)(news[s] * H * D) * 4);
        assert_memory_equal(lse + starts[s] * H, expected_lse + contexts[s] * H, (size_t)(news[s] * H) * 4);
    }
    free(a.workspace);
    free(p.keys);
    free(p.values);
}

static void a_sequence_does_not_see_its_neighbours(void **state)
{
    enum { T = 600 };
    int32_t starts[4] = {0, 100, 101, T}, contexts[3] = {0};
    Attention a = {
        .sequences = 3, .heads = H, .kv_heads = HKV, .head_width = D, .starts = starts, .contexts = contexts};
    static float all[T * H * D], alone[T * H * D], lse[T * H];
    cpu()->attention_forward(NULL, (Tensor){all, T, H * D}, lse, (Tensor){q, T, H * D}, (Tensor){k, T, HKV * D},
                             (Tensor){v, T, HKV * D}, &a);
    for (int s = 0; s < 3; s++) {
        int64_t first = starts[s], length = starts[s + 1] - starts[s];
        int32_t one[2] = {0, (int32_t)length};
        Attention single = {
            .sequences = 1, .heads = H, .kv_heads = HKV, .head_width = D, .starts = one, .contexts = contexts};
        cpu()->attention_forward(NULL, (Tensor){alone, length, H * D}, lse, (Tensor){q + first * H * D, length, H * D},
                                 (Tensor){k + first * HKV * D, length, HKV * D},
                                 (Tensor){v + first * HKV * D, length, HKV * D}, &single);
        assert_memory_equal(alone, all + first * H * D, (size_t)(length * H * D) * 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_agrees_with_a_plain_softmax),
        cmocka_unit_test(pages_chunks_and_single_tokens_give_the_bits_of_the_whole),
        cmocka_unit_test(a_batch_over_pages_has_the_bits_of_each_alone),
        cmocka_unit_test(a_sequence_does_not_see_its_neighbours),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
