// Attention: against a plain double-precision softmax over every key, and its promise that keys in pages, chunks of a
// prompt and single decoded tokens give the very bits of the whole sequence at once.
#include "test/support/check.h"
#include "kernels/decode_pieces.h"
#include "test/support/pages.h"

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
    cpu()->attention_forward(NULL, dense(out, length, H * D), lse, dense(q, length, H * D), dense(k, length, HKV * D),
                             dense(v, length, HKV * D), &a);
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
    write_to_pages(cpu(), k + first * HKV * D, v + first * HKV * D, count, &a);
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
    cpu()->attention_forward(NULL, dense(out, count, H * D), lse, dense(q + first * H * D, count, H * D), (Tensor){0},
                             (Tensor){0}, &a);
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
    cpu()->attention_forward(NULL, dense(out, T, H * D), lse, dense(queries, T, H * D), (Tensor){0}, (Tensor){0}, &a);
    forward(expected, expected_lse, LONGEST);
    for (int s = 0; s < S; s++) {
        assert_memory_equal(out + starts[s] * H * D, expected + contexts[s] * H * D, (size_t)(news[s] * H * D) * 4);
        assert_memory_equal(lse + starts[s] * H, expected_lse + contexts[s] * H, (size_t)(news[s] * H) * 4);
    }
    free(a.workspace);
    free(p.keys);
    free(p.values);
}

// Companies over a pool of random numbers: so many of `sequences` sequences begin with `pages` pages, the rest of their
// positions, drawn up to `more` behind these, are in pages of their own.
typedef struct Company {
    int32_t pages, sequences, more;
} Company;

enum { COMPANIES = 6, MEMBERS = 60, PER_SEQUENCE = 20, POOL_PAGES = 200 };

typedef struct Members {
    int32_t starts[MEMBERS + 1], contexts[MEMBERS], table[MEMBERS * PER_SEQUENCE], shared[MEMBERS], until[MEMBERS];
    int count, taken, joined;
} Members;

static void join(Members *m, const Company *company)
{
    int first = m->taken, end = m->count + company->sequences;
    m->taken += company->pages;
    for (; m->count < end; m->count++) {
        int32_t context = company->pages * KEY_BLOCK + m->count * 37 % company->more;
        m->starts[m->count + 1] = m->count + 1;
        m->contexts[m->count] = context;
        m->shared[m->count] = company->sequences > 1 ? company->pages : 0;
        m->until[m->count] = end;
        for (int block = 0; block <= context / KEY_BLOCK; block++)
            m->table[m->count * PER_SEQUENCE + block] =
                (int32_t)(block < company->pages ? first + block : m->taken++) * 7 % POOL_PAGES;
    }
    assert_true(m->taken <= POOL_PAGES && m->count <= MEMBERS);
}

static void decode(const Kernels *kernels, const Attention *a, float *out, float *lse)
{
    int64_t width = a->heads * a->head_width;
    kernels->attention_forward(NULL, dense(out, a->sequences, width), lse, dense(q, a->sequences, width), (Tensor){0},
                               (Tensor){0}, a);
}

// More than a tile has in one company, a sequence alone, pages that end with a segment, behind one and inside one, and
// behind two; and fewer tasks than threads, so that what is shared is dealt to several.
static void sequences_that_share_pages_have_the_bits_of_those_that_do_not(void **state)
{
    static const Company companies[COMPANIES] = {{2, 35, 200}, {1, 1, 90},   {8, 3, 300},
                                                 {9, 5, 100},  {17, 2, 250}, {3, 8, 40}};
    static const struct {
        int64_t heads, kv_heads, width;
    } shapes[] = {{2, 2, 64}, {8, 2, 64}, {5, 1, 128}, {8, 1, 18}};
    static Members m;
    for (int all = 0; all < 2; all++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            const Kernels *kernels = kernels_open("cpu", all ? 2 : 5);
            for (; m.joined < (all ? COMPANIES : 2); m.joined++)
                join(&m, &companies[m.joined]);
            int64_t heads = shapes[i].heads, kv_heads = shapes[i].kv_heads, width = shapes[i].width;
            int64_t elements = POOL_PAGES * kernels->page_elements(kv_heads, width), rows = m.count * heads;
            Attention a = {.sequences = m.count, .heads = heads, .kv_heads = kv_heads, .head_width = width};
            a.starts = m.starts;
            a.contexts = m.contexts;
            a.page_table = m.table;
            a.pages_per_sequence = PER_SEQUENCE;
            a.key_pages = random_floats(elements, 8);
            a.value_pages = random_floats(elements, 9);
            a.workspace =
                allocate((size_t)kernels->attention_workspace(m.count, PER_SEQUENCE * KEY_BLOCK, heads, width), 4);
            float *out = allocate((size_t)(rows * width), 4), *expected = allocate((size_t)(rows * width), 4);
            float *lse = allocate((size_t)rows, 4), *expected_lse = allocate((size_t)rows, 4);
            decode(kernels, &a, expected, expected_lse);
            a.shared_pages = m.shared;
            a.shared_until = m.until;
            decode(kernels, &a, out, lse);
            assert_memory_equal(out, expected, (size_t)(rows * width) * 4);
            assert_memory_equal(lse, expected_lse, (size_t)rows * 4);
            free(a.key_pages);
            free(a.value_pages);
            free(a.workspace);
            free(out);
            free(expected);
            free(lse);
            free(expected_lse);
        }
}

static void a_sequence_does_not_see_its_neighbours(void **state)
{
    enum { T = 600 };
    int32_t starts[4] = {0, 100, 101, T}, contexts[3] = {0};
    Attention a = {
        .sequences = 3, .heads = H, .kv_heads = HKV, .head_width = D, .starts = starts, .contexts = contexts};
    static float all[T * H * D], alone[T * H * D], lse[T * H];
    cpu()->attention_forward(NULL, dense(all, T, H * D), lse, dense(q, T, H * D), dense(k, T, HKV * D),
                             dense(v, T, HKV * D), &a);
    for (int s = 0; s < 3; s++) {
        int64_t first = starts[s], length = starts[s + 1] - starts[s];
        int32_t one[2] = {0, (int32_t)length};
        Attention single = {
            .sequences = 1, .heads = H, .kv_heads = HKV, .head_width = D, .starts = one, .contexts = contexts};
        cpu()->attention_forward(NULL, dense(alone, length, H * D), lse, dense(q + first * H * D, length, H * D),
                                 dense(k + first * HKV * D, length, HKV * D),
                                 dense(v + first * HKV * D, length, HKV * D), &single);
        assert_memory_equal(alone, all + first * H * D, (size_t)(length * H * D) * 4);
    }
}

// A batch of which one sequence does not decode, three begin with two segments and a page of another, and two with a
// page; read[s][block][head]: how often a listed piece has a head of a sequence read a block.
enum { S = 9, HEADS = 20, BLOCKS = 25, SEGMENT_BLOCKS = KEY_SEGMENT / KEY_BLOCK };

// Marks what a piece reads, and returns how many blocks those are.
static int64_t mark(int read[S][BLOCKS][HEADS], const DecodePiece *p, const Attention *a, bool together)
{
    int64_t rows = together ? 2 * DECODE_ROWS : DECODE_ROWS, first = p->segment * SEGMENT_BLOCKS;
    int64_t shared = a->shared_pages == NULL ? 0 : a->shared_pages[p->sequence];
    int64_t end = smaller(first + SEGMENT_BLOCKS, together ? shared : a->contexts[p->sequence] / KEY_BLOCK + 1);
    first = !together && first < shared ? shared : first;
    for (int64_t row = p->first_row; row < p->first_row + rows && row < p->sequences * HEADS; row++)
        for (int64_t block = first; block < end; block++)
            read[p->sequence + row / HEADS][block][row % HEADS]++;
    return end - first;
}

static void decoding_is_cut_into_every_piece_once_the_longest_first(void **state)
{
    const int32_t starts[S + 1] = {0, 1, 4, 5, 6, 7, 8, 9, 10, 11},
                             contexts[S] = {5, 900, 1023, 1024, 3000, 3001, 2176, 128, 200},
                             shared[S] = {0, 0, 0, 0, 17, 17, 17, 1, 1}, until[S] = {1, 2, 3, 4, 7, 7, 7, 9, 9};
    for (int with = 0; with < 2; with++) {
        int read[S][BLOCKS][HEADS] = {{{0}}};
        Attention a = {.sequences = S, .heads = 2 * HEADS, .kv_heads = 2, .starts = starts, .contexts = contexts};
        a.shared_pages = with ? shared : NULL, a.shared_until = with ? until : NULL;
        int64_t most = decode_pieces_most(S, BLOCKS * KEY_BLOCK, HEADS);
        DecodePiece *list = allocate((size_t)most, sizeof *list);
        int64_t count = decode_pieces(list, &a), together = list[0].sequence;
        assert_true(count <= most && count == 1 + together + list[0].sequences && (together > 0) == (with == 1));
        for (int64_t i = 1, before = SEGMENT_BLOCKS; i < count; i++) {
            int64_t blocks = mark(read, &list[i], &a, i <= together);
            assert_true(blocks > 0 && (blocks <= before || i == 1 + together));
            before = blocks;
        }
        for (int64_t s = 0; s < S; s++)
            for (int64_t block = 0; block < BLOCKS; block++)
                for (int64_t head = 0; head < HEADS; head++)
                    assert_int_equal(read[s][block][head], s != 1 && block * KEY_BLOCK <= contexts[s]);
        free(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_is_cut_into_every_piece_once_the_longest_first),
        cmocka_unit_test(attention_agrees_with_a_plain_softmax),
        cmocka_unit_test(pages_chunks_and_single_tokens_give_the_bits_of_the_whole),
        cmocka_unit_test(a_batch_over_pages_has_the_bits_of_each_alone),
        cmocka_unit_test(sequences_that_share_pages_have_the_bits_of_those_that_do_not),
        cmocka_unit_test(a_sequence_does_not_see_its_neighbours),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
