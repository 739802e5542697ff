// The plain loops of kernels/naive.c against the vectors of AVX2 and AVX-512, on shapes drawn at random: widths that
// fill no vector, ragged batches, heads in odd groups, keys in pages. Every number that an operation leaves is
// compared, by its bits.
#include "test/support/check.h"
#include "test/support/backends.h"
#include "test/support/pages.h"

enum { CASES = 40, ROOM = 1 << 20 };

// A case's inputs, drawn by its number, and what a backend made of them. An operation takes arrays from both in the
// same order, so that two backends fill the same places.
typedef struct Case {
    const Kernels *k;
    uint32_t number, draws;
    float *made;
    int64_t used;
    float *inputs[32];
    int input_count;
} Case;

static int64_t drawn(Case *c, int64_t least, int64_t most)
{
    uint32_t bits = random_bits(41, RANDOM_SAMPLE, c->number, c->draws++, 0).v[0];
    return least + (int64_t)(bits % (uint32_t)(most - least + 1));
}

static float *input(Case *c, int64_t count)
{
    assert_true(c->input_count < 32);
    float *p = random_floats(count, c->number * 32 + (uint32_t)c->input_count);
    c->inputs[c->input_count++] = p;
    return p;
}
static Tensor input_tensor(Case *c, int64_t rows, int64_t columns)
{
    return dense(input(c, rows * columns), rows, columns);
}

// Filled with numbers, so that what an operation adds to, and what it must not touch, is compared too.
static float *made(Case *c, int64_t count)
{
    assert_true(c->used + count <= ROOM);
    float *p = c->made + c->used;
    fill_random(p, count, 7);
    c->used += count;
    return p;
}
static Tensor made_tensor(Case *c, int64_t rows, int64_t columns)
{
    return dense(made(c, rows * columns), rows, columns);
}

// Columns of a wider array, somewhere inside it
static Tensor inside(Case *c, Tensor (*make)(Case *, int64_t, int64_t), int64_t rows, int64_t columns)
{
    int64_t before = drawn(c, 0, 5), behind = drawn(c, 0, 5);
    return columns_of(make(c, rows, before + columns + behind), before, before + columns, sizeof(float));
}
static Tensor input_columns(Case *c, int64_t rows, int64_t columns) { return inside(c, input_tensor, rows, columns); }
static Tensor made_columns(Case *c, int64_t rows, int64_t columns) { return inside(c, made_tensor, rows, columns); }

static float *scratch(void)
{
    static float room[ROOM];
    return room;
}

static int32_t *drawn_ids(Case *c, int64_t count, int64_t below)
{
    int32_t *ids = (int32_t *)input(c, count);
    for (int64_t i = 0; i < count; i++)
        ids[i] = (int32_t)drawn(c, 0, below - 1);
    return ids;
}

static void rows_and_embedding(Case *c)
{
    int64_t T = drawn(c, 1, 300), V = drawn(c, 1, 50), C = drawn(c, 1, 40);
    int32_t *ids = drawn_ids(c, T, V);
    Tensor table = input_tensor(c, V, C), dy = input_tensor(c, T, C), y = made_tensor(c, T, C);
    c->k->embedding_forward(NULL, y, table, ids);
    c->k->embedding_backward(NULL, made(c, V * C), dy, ids, (int32_t *)scratch());
    c->k->rows_gather(NULL, made_tensor(c, T, C), table, ids);
    c->k->rows_sum(NULL, made(c, C), scratch(), input_columns(c, T, C));
    c->k->rows_fill(NULL, made_columns(c, T, C), dense(table.data, 1, C));
    c->k->rows_scale(NULL, made_columns(c, T, C), 1.7f);
    c->k->accumulate(NULL, y.data, dy.data, T * C);
    c->k->square_sums(NULL, made(c, ceil_divide(T * C, SQUARES_BLOCK)), dy.data, T * C);
    for (int64_t t = 0; t < T; t++)
        ids[t] = (int32_t)(2 * t);
    c->k->rows_scatter(NULL, made_tensor(c, 2 * T, C), dy, ids);
    Tensor gate = input_columns(c, T, C), up = input_columns(c, T, C), dgate = made_columns(c, T, C),
           dup = made_columns(c, T, C);
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < C; i++)
            ((float *)gate.data)[t * gate.stride + i] *= 100; // as far as exp goes
    c->k->swiglu_forward(NULL, made_tensor(c, T, C), gate, up);
    c->k->swiglu_backward(NULL, dgate, dup, dy, gate, up);
}

static void norms(Case *c)
{
    int64_t T = drawn(c, 1, 300), C = drawn(c, 1, 70);
    Tensor x = input_tensor(c, T, C), residual = input_tensor(c, T, C), dy = input_tensor(c, T, C), none = {0};
    Tensor weight = input_tensor(c, 1, C), sum = made_tensor(c, T, C), dx = made_tensor(c, T, C);
    float *rstd = made(c, T);
    c->k->rmsnorm_forward(NULL, made_tensor(c, T, C), sum, rstd, x, drawn(c, 0, 1) ? residual : none, weight, 1e-6f);
    c->k->rmsnorm_backward(NULL, dx, made(c, C), scratch(), dy, drawn(c, 0, 1) ? dx : none, x, weight, rstd);
    c->k->rmsnorm_backward(NULL, made_tensor(c, T, C), NULL, NULL, dy, none, x, weight, rstd);
}

static void heads(Case *c)
{
    int64_t T = drawn(c, 1, 300), H = drawn(c, 0, 5), Hkv = drawn(c, H == 0, 3), all = H + Hkv, D = 2 * drawn(c, 1, 20);
    int32_t *positions = drawn_ids(c, T, 99);
    Attention a = {.heads = H, .kv_heads = Hkv, .head_width = D};
    bool norm = drawn(c, 0, 2) != 0;
    Tensor x = input_columns(c, T, (all + Hkv) * D), y = made_columns(c, T, all * D), d = made_columns(c, T, all * D);
    Tensor none = {0}, q_norm = norm ? input_tensor(c, 1, D) : none, k_norm = norm ? input_tensor(c, 1, D) : none;
    float *cosine = made(c, 99 * D / 2), *sine = made(c, 99 * D / 2), *rstd = made(c, T * all);
    c->k->rope_table(NULL, cosine, sine, 99, D, 1e4);
    c->k->qk_norm_rope_forward(NULL, y, rstd, x, q_norm, k_norm, cosine, sine, positions, &a, 1e-6f);
    c->k->qk_norm_rope_backward(NULL, d, made(c, D), made(c, D), scratch(), drawn(c, 0, 1) ? d : y, x, q_norm, k_norm,
                                rstd, cosine, sine, positions, &a);
    c->k->qk_norm_rope_backward(NULL, made_columns(c, T, all * D), NULL, NULL, NULL, y, x, q_norm, k_norm, rstd, cosine,
                                sine, positions, &a);
    if (norm)
        return;
    Tensor in_place = made_columns(c, T, (all + Hkv) * D);
    c->k->qk_norm_rope_forward(NULL, in_place, NULL, in_place, none, none, cosine, sine, positions, &a, 0);
}

static void products(Case *c)
{
    int64_t T = drawn(c, 1, 70), N = drawn(c, 1, 90), K = drawn(c, 1, 90);
    bool add = drawn(c, 0, 1) != 0;
    Tensor x = input_columns(c, T, K), w = input_tensor(c, N, K), dy = input_columns(c, T, N);
    c->k->matmul_forward(NULL, made_columns(c, T, N), x, w, add);
    c->k->matmul_backward_input(NULL, made_columns(c, T, K), dy, w, add);
    c->k->matmul_backward_weight(NULL, made(c, N * K), dy, x, T, add);
    c->k->matmul_swiglu_forward(NULL, made_tensor(c, T, N), made_tensor(c, T, 2 * N), x, input_tensor(c, 2 * N, K),
                                true);
}

static void attention(Case *c)
{
    enum { SEQUENCES = 5 };
    int32_t starts[SEQUENCES + 1] = {0}, contexts[SEQUENCES] = {0}, rows[SEQUENCES] = {0}, until[SEQUENCES];
    for (int s = 0, shared = 0; s < SEQUENCES; s++) {
        bool goes_on = s > 0 && starts[shared + 1] > starts[shared] && drawn(c, 0, 1) != 0;
        starts[s + 1] = starts[s] + (int32_t)drawn(c, s == 0 ? 1 : 0, is_brief() ? 60 : 180);
        shared = goes_on ? shared : s;
        contexts[s] = goes_on ? starts[shared + 1] - starts[shared] : 0;
        rows[s] = starts[shared];
        until[s] = until[shared] = starts[s + 1];
    }
    int64_t Hkv = drawn(c, 1, 3), H = Hkv * drawn(c, 1, 3), D = 2 * drawn(c, 1, 12), T = starts[SEQUENCES];
    Attention a = {
        .sequences = SEQUENCES, .heads = H, .kv_heads = Hkv, .head_width = D, .starts = starts, .contexts = contexts};
    if (drawn(c, 0, 3) > 0) {
        a.context_rows = rows;
        a.seen_until = until;
    } else {
        memset(contexts, 0, sizeof contexts);
    }
    Tensor q = input_columns(c, T, H * D), k = input_columns(c, T, Hkv * D), v = input_columns(c, T, Hkv * D);
    Tensor dout = input_tensor(c, T, H * D), out = made_tensor(c, T, H * D), dq = made_columns(c, T, H * D);
    Tensor dk = made_columns(c, T, Hkv * D), dv = made_columns(c, T, Hkv * D);
    float *logsumexp = made(c, T * H), *delta = made(c, T * H);
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < H * D; i++)
            ((float *)q.data)[t * q.stride + i] *= 8; // so that some keys have nearly all of the weight
    c->k->attention_forward(NULL, out, logsumexp, q, k, v, &a);
    c->k->attention_backward(NULL, dq, dk, dv, delta, dout, q, k, v, out, logsumexp, &a);
}

// A sequence of up to 1,500 tokens goes into pages in two pieces; then its last tokens, one or some, are the new ones.
static void pages(Case *c)
{
    int64_t Hkv = drawn(c, 1, 2), H = Hkv * drawn(c, 1, 3), D = 2 * drawn(c, 1, 9), length = drawn(c, 2, 1500);
    int64_t news = drawn(c, 0, 1) ? 1 : drawn(c, 1, length < 9 ? length : 9), cut = drawn(c, 1, length - 1);
    int64_t per_sequence = ceil_divide(length, KEY_BLOCK), elements = c->k->page_elements(Hkv, D);
    int32_t table[16], starts[2] = {0, (int32_t)cut}, contexts[1] = {0}, copied[2] = {0, (int32_t)per_sequence};
    for (int i = 0; i < 16; i++)
        table[i] = (int32_t)((per_sequence - 1 - i + 16 * per_sequence) % per_sequence);
    Attention a = {
        .sequences = 1, .heads = H, .kv_heads = Hkv, .head_width = D, .starts = starts, .contexts = contexts};
    a.page_table = table;
    a.pages_per_sequence = per_sequence;
    a.key_pages = c->k->allocate((size_t)((per_sequence + 1) * elements) * sizeof(float));
    a.value_pages = c->k->allocate((size_t)((per_sequence + 1) * elements) * sizeof(float));
    a.workspace = c->k->allocate((size_t)c->k->attention_workspace(1, length, H, D) * sizeof(float));
    float *k = input(c, length * Hkv * D), *v = input(c, length * Hkv * D);
    write_to_pages(c->k, k, v, cut, &a);
    starts[1] = (int32_t)(length - cut);
    contexts[0] = (int32_t)cut;
    int64_t rest = cut * Hkv * D;
    write_to_pages(c->k, k + rest, v + rest, length - cut, &a);
    c->k->pages_copy(NULL, a.key_pages, elements, copied, 1);
    table[per_sequence - 1] = copied[1]; // page 0, which is the last one's, by its copy
    starts[1] = (int32_t)news;
    contexts[0] = (int32_t)(length - news);
    c->k->pages_copy(NULL, a.value_pages, elements, copied, 1);
    c->k->attention_forward(NULL, made_tensor(c, news, H * D), made(c, news * H), input_columns(c, news, H * D),
                            (Tensor){0}, (Tensor){0}, &a);
    c->k->release(a.key_pages);
    c->k->release(a.value_pages);
    c->k->release(a.workspace);
}

// Sequences with one new token in the pages of one sequence of up to 2,400; neighbours are told what they share, or
// some of it, which the plain loops do not listen to.
static void shared_pages(Case *c)
{
    enum { S = 6, PAGES = 19 };
    int64_t Hkv = drawn(c, 1, 2), H = Hkv * drawn(c, 1, 3), D = 2 * drawn(c, 1, 9), length = drawn(c, 400, 2400);
    int32_t table[S * PAGES], starts[S + 1] = {0, (int32_t)length}, contexts[S] = {0}, shared[S] = {0}, until[S];
    for (int i = 0; i < S * PAGES; i++)
        table[i] = (i % PAGES * 8 + 3) % PAGES;
    Attention a = {
        .sequences = 1, .heads = H, .kv_heads = Hkv, .head_width = D, .starts = starts, .contexts = contexts};
    a.page_table = table;
    a.pages_per_sequence = PAGES;
    size_t elements = PAGES * (size_t)c->k->page_elements(Hkv, D);
    a.key_pages = c->k->allocate(elements * sizeof(float));
    a.value_pages = c->k->allocate(elements * sizeof(float));
    a.workspace = c->k->allocate((size_t)c->k->attention_workspace(S, PAGES * KEY_BLOCK, H, D) * sizeof(float));
    float *keys = input(c, length * Hkv * D);
    write_to_pages(c->k, keys, input(c, length * Hkv * D), length, &a);
    int64_t least = drawn(c, 0, length - 300);
    for (int s = 0; s < S; s++) {
        starts[s + 1] = s + 1;
        contexts[s] = (int32_t)drawn(c, least, length - 1);
        bool goes_on = s > 0 && until[s - 1] > s;
        until[s] = goes_on ? until[s - 1] : (int32_t)drawn(c, s + 1, S);
        shared[s] = goes_on ? shared[s - 1] : until[s] == s + 1 ? 0 : (int32_t)drawn(c, 0, least / KEY_BLOCK);
    }
    a.sequences = S;
    a.shared_pages = shared;
    a.shared_until = until;
    kernels_open("cpu", 1); // one thread always listens
    c->k->attention_forward(NULL, made_tensor(c, S, H * D), made(c, S * H), input_columns(c, S, H * D), (Tensor){0},
                            (Tensor){0}, &a);
    kernels_open("cpu", 0);
    c->k->release(a.key_pages);
    c->k->release(a.value_pages);
    c->k->release(a.workspace);
}

static void head(Case *c)
{
    // tall and wide ones take long here; under sanitizers the vectors have theirs in test_bits
    int64_t kind = is_brief() ? 3 : drawn(c, 0, 3);
    bool tall = kind == 0; // more rows than a chain of the weight's gradient has
    bool wide = kind == 1; // more rows than have logits at a time, and so many columns that these are not kept
    int64_t N = tall ? HEAD_ROWS + drawn(c, 1, 50) : wide ? 1024 + drawn(c, 1, 50) : drawn(c, 1, 12);
    int64_t V = wide ? 32768 + drawn(c, 1, 9) : drawn(c, 2, tall ? 90 : 4500), C = drawn(c, 1, wide ? 4 : 24);
    int64_t n_live = drawn(c, 1, wide ? 2100 : V);
    float temperature = drawn(c, 0, 1) ? 1 : 0.3f;
    int32_t *targets = drawn_ids(c, N, n_live);
    Tensor x = input_tensor(c, N, C), w = input_tensor(c, V, C), dx = made_tensor(c, N, C);
    float *logprob = made(c, N), *entropy = made(c, N), *logsumexp = made(c, N), *dweight = made(c, V * C),
          *dlogprob = input(c, N);
    float *workspace = c->k->allocate((size_t)c->k->head_workspace(N, V, C) * sizeof(float)), *dentropy = input(c, N);
    c->k->head_forward(NULL, logprob, entropy, logsumexp, (int32_t *)made(c, N), x, w, targets, temperature, n_live,
                       workspace);
    c->k->head_backward(NULL, dx, dweight, x, w, targets, temperature, n_live, logsumexp, entropy, dlogprob,
                        drawn(c, 0, 1) ? dentropy : NULL, workspace);
    c->k->head_forward_backward(NULL, made(c, N), made(c, N), made(c, N), made_tensor(c, N, C), made(c, V * C), x, w,
                                targets, temperature, n_live, dlogprob, drawn(c, 0, 1) ? dentropy : NULL, workspace);
    c->k->head_backward(NULL, made_tensor(c, N, C), NULL, x, w, targets, temperature, n_live, logsumexp, entropy,
                        dlogprob, NULL, workspace);
    c->k->release(workspace);
}

static void sampler(Case *c)
{
    int64_t N = drawn(c, 1, 80), V = drawn(c, 1, 3000), C = drawn(c, 1, 8), n_live = drawn(c, 1, V);
    const float top_p[] = {1, 0.9f, 0.3f, 1e-9f}, min_p[] = {0, 0, 0.05f, 1}, temperatures[] = {0, 1, 0.2f, 3};
    Tensor x = input_tensor(c, N, C), w = input_tensor(c, V, C);
    SampleRow *how = allocate((size_t)N, sizeof *how);
    for (int64_t n = 0; n < N; n++) {
        how[n] = (SampleRow){
            .seed = c->number, .request = (uint64_t)n << 33, .sample = (int32_t)n, .position = (int32_t)(3 * n)};
        how[n].temperature = temperatures[drawn(c, 0, 3)];
        how[n].top_p = top_p[drawn(c, 0, 3)];
        how[n].min_p = min_p[drawn(c, 0, 3)];
        how[n].top_k = drawn(c, 0, 1) ? 0 : (int32_t)drawn(c, 1, V + 5);
    }
    int32_t *token = (int32_t *)made(c, N);
    float *logprob = made(c, N), *processed = made(c, N), *entropy = made(c, N);
    float *workspace = c->k->allocate((size_t)c->k->sample_workspace(N, V) * sizeof(float));
    c->k->head_sample(NULL, token, logprob, processed, entropy, x, w, how, n_live, workspace);
    c->k->release(workspace);
    free(how);
}

static void optimizer(Case *c)
{
    int64_t count = drawn(c, 1, 500), offset = drawn(c, 0, 99);
    AdamW a = {1e-2, 0.9, 0.95, 1e-8, 0.1, 0.5, 1, drawn(c, 0, 1) != 0, 7};
    float *weights = made(c, count), *m = made(c, count), *v = made(c, count), *gradient = input(c, count);
    memset(m, 0, (size_t)count * sizeof *m);
    memset(v, 0, (size_t)count * sizeof *v);
    for (a.step = 1; a.step <= 3; a.step++)
        c->k->adamw(NULL, weights, weights, m, v, gradient, count, &a, 3, offset);
}

static const struct {
    const char *name;
    void (*run)(Case *c);
} OPERATIONS[] = {{"rows, embedding, SwiGLU", rows_and_embedding},
                  {"norms", norms},
                  {"heads", heads},
                  {"products", products},
                  {"attention", attention},
                  {"pages", pages},
                  {"shared pages", shared_pages},
                  {"head", head},
                  {"sampler", sampler},
                  {"optimizer", optimizer}};
enum { OPERATION_COUNT = sizeof OPERATIONS / sizeof OPERATIONS[0] };

static int64_t run_case(const Kernels *k, int operation, uint32_t number, float *result)
{
    Case c = {.k = k, .number = number, .made = result};
    OPERATIONS[operation].run(&c);
    for (int i = 0; i < c.input_count; i++)
        free(c.inputs[i]);
    return c.used;
}

static void plain_loops_have_the_bits_of_vectors(void **state)
{
    const Kernels *naive = backend("naive"), *sets[] = {backend("avx2"), backend("avx512")};
    float *expected = allocate(ROOM, sizeof *expected), *result = allocate(ROOM, sizeof *result);
    assert_non_null(naive);
    if (sets[0] == NULL && sets[1] == NULL) {
        print_message("skipped: this machine has no fused multiply-add\n");
        skip();
    }
    for (int operation = 0; operation < OPERATION_COUNT; operation++)
        for (uint32_t number = 0; number < (is_long() ? CASES : is_brief() ? 2 : 16); number++) {
            int64_t count = run_case(naive, operation, number, expected);
            for (int s = 0; s < 2; s++) {
                if (sets[s] == NULL)
                    continue;
                assert_int_equal(run_case(sets[s], operation, number, result), count);
                for (int64_t i = 0; i < count; i++)
                    if (memcmp(&expected[i], &result[i], sizeof *result) != 0)
                        fail_msg("%s, case %u, number %d of %d: %a in %s, %a in plain loops",
                                 OPERATIONS[operation].name, number, (int)i, (int)count, (double)result[i],
                                 sets[s]->name, (double)expected[i]);
            }
        }
    free(expected);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_loops_have_the_bits_of_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
