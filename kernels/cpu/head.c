// The LM head and its loss. Logits exist for LOGIT_ROWS rows and HEAD_COLUMNS columns at a time; a row's logsumexp is
// made of blocks of LOGSUMEXP_COLUMNS, merged ascending, and is the only one in the house. Bound by products.
//
// Forward and backward in one keep a chunk's logits where they are at most KEPT_COLUMNS columns, 128 MiB: that is three
// products instead of four, in 0.7 to 0.85 of the time (lab/NOTES.md).
//
// The weight's gradient is one chain over HEAD_ROWS rows. Of more than LOGIT_ROWS it is made in steps that go on with
// the chains of those before, in an array of its own until they are finished: of all columns where logits are kept,
// otherwise of one block of columns, which then sees all of its rows before the next block.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"

enum { LOGIT_ROWS = 1024, KEPT_COLUMNS = 32768 };

static int64_t cpu_head_workspace(int64_t rows, int64_t vocabulary, int64_t width)
{
    int64_t columns = vocabulary <= KEPT_COLUMNS ? vocabulary : HEAD_COLUMNS;
    return smaller(rows, LOGIT_ROWS) * columns + (rows > LOGIT_ROWS ? columns * width : 0);
}

// One block of columns: its largest logit, Σ exp(z - largest) and Σ exp(z - largest)·(z - largest): from the largest,
// so that the entropy is no difference of large numbers.
typedef struct SoftmaxPart {
    float largest, sum, weighted;
} SoftmaxPart;

// The same of a row so far, its blocks merged ascending.
typedef SoftmaxPart RowSoftmax;

static const RowSoftmax NOTHING_YET = {-__builtin_inff(), 0, 0};

static void divide_row(float *z, int64_t width, float temperature)
{
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(z, c, width, 0);
        EACH_PART (i)
            a.part[i] = a.part[i] / vf_set(temperature);
        row_store(z, c, width, a);
    }
}

static SoftmaxPart softmax_part(const float *z, int64_t width)
{
    lanes16 top = lanes_set(-__builtin_inff()), sum = lanes_set(0), weighted = lanes_set(0);
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(z, c, width, -__builtin_inff());
        EACH_PART (i)
            top.part[i] = vf_max(top.part[i], a.part[i]);
    }
    float largest = lanes_max(top);
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(z, c, width, -__builtin_inff());
        EACH_PART (i) {
            vf below = a.part[i] - vf_set(largest), p = vf_exp(below);
            sum.part[i] = sum.part[i] + p;
            weighted.part[i] =
                vf_fma(p, vf_select(below < vf_set(-100), vf_zero(), below), weighted.part[i]); // p is 0 there
        }
    }
    return (SoftmaxPart){largest, lanes_sum(sum), lanes_sum(weighted)};
}

static void merge_part(RowSoftmax *row, SoftmaxPart part)
{
    float m = row->largest > part.largest ? row->largest : part.largest, a = f_exp(row->largest - m),
          b = f_exp(part.largest - m);
    float before = row->sum == 0 ? 0 : row->largest - m; // the first block has nothing before it
    row->weighted = (row->weighted + row->sum * before) * a + (part.weighted + part.sum * (part.largest - m)) * b;
    row->sum = row->sum * a + part.sum * b;
    row->largest = m;
}

static int32_t first_of(float wanted, const float *z, int64_t width)
{
    int64_t c = 0;
    while (c < width - 1 && z[c] != wanted)
        c++;
    return (int32_t)c;
}

// What a finished row gives: rounded to fp32 once, at the end.
static float row_logsumexp(const RowSoftmax *row) { return (float)(row->largest + d_log(row->sum)); }
static float row_entropy(const RowSoftmax *row) { return (float)(d_log(row->sum) - (double)row->weighted / row->sum); }
static float row_logprob(const RowSoftmax *row, float z) { return (float)((double)z - row->largest - d_log(row->sum)); }

// A row of the head's forward pass: its softmax so far, its target's logit, the first of its largest.
typedef struct HeadRow {
    RowSoftmax softmax;
    float target;
    int32_t best;
} HeadRow;

// Columns first .. first + width - 1, at most LOGSUMEXP_COLUMNS of them.
static void add_columns(HeadRow *row, const float *z, int64_t first, int64_t width)
{
    SoftmaxPart part = softmax_part(z, width);
    if (part.largest > row->softmax.largest)
        row->best = (int32_t)first + first_of(part.largest, z, width);
    merge_part(&row->softmax, part);
}

// Rows n .. n + rows - 1 of x, at most LOGIT_ROWS, columns v .. v + columns - 1
typedef struct HeadBlock {
    int64_t n, rows, v, columns;
    float *z; // (rows, columns)
} HeadBlock;

// kept: behind the blocks before it; otherwise where they were
static HeadBlock head_block(Tensor x, int64_t n, int64_t v, int64_t n_live, float *z, bool kept)
{
    int64_t rows = smaller(x.rows - n, LOGIT_ROWS);
    return (HeadBlock){n, rows, v, smaller(n_live - v, HEAD_COLUMNS), kept ? z + v * rows : z};
}

static Tensor rows_from(Tensor t, int64_t first, int64_t count)
{
    return (Tensor){row_of(t, first), count, t.columns, t.stride};
}

static void make_logits(const HeadBlock *b, Tensor x, Tensor w)
{
    matmul_nt(dense(b->z, b->rows, b->columns), rows_from(x, b->n, b->rows), rows_from(w, b->v, b->columns), false);
}

static void add_block(HeadRow *rows, const HeadBlock *b, const int32_t *targets, float temperature)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b->rows; r++) {
        float *z = b->z + r * b->columns;
        int64_t target = targets[b->n + r] - b->v;
        if (temperature != 1)
            divide_row(z, b->columns, temperature);
        for (int64_t c = 0; c < b->columns; c += LOGSUMEXP_COLUMNS)
            add_columns(&rows[r], z + c, b->v + c, smaller(b->columns - c, LOGSUMEXP_COLUMNS));
        if (target >= 0 && target < b->columns)
            rows[r].target = z[target];
    }
}

// Where a row's results go
typedef struct HeadResults {
    float *logprob, *entropy, *logsumexp;
    int32_t *best; // may be NULL
} HeadResults;

// A chunk's logits, and what its rows' softmax gives
static void chunk_forward(const HeadResults *to, Tensor x, int64_t n, Tensor w, const int32_t *targets,
                          float temperature, int64_t n_live, float *z, bool kept)
{
    HeadRow rows[LOGIT_ROWS];
    int64_t count = smaller(x.rows - n, LOGIT_ROWS);
    for (int64_t r = 0; r < count; r++)
        rows[r] = (HeadRow){.softmax = NOTHING_YET};
    for (int64_t v = 0; v < n_live; v += HEAD_COLUMNS) {
        HeadBlock b = head_block(x, n, v, n_live, z, kept);
        make_logits(&b, x, w);
        add_block(rows, &b, targets, temperature);
    }
    for (int64_t r = 0; r < count; r++) {
        to->logsumexp[n + r] = row_logsumexp(&rows[r].softmax);
        to->logprob[n + r] = row_logprob(&rows[r].softmax, rows[r].target);
        to->entropy[n + r] = row_entropy(&rows[r].softmax);
        if (to->best != NULL)
            to->best[n + r] = rows[r].best;
    }
}

static void cpu_head_forward(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x,
                             Tensor w, const int32_t *targets, float temperature, int64_t n_live, float *z)
{
    HeadResults to = {logprob, entropy, logsumexp, best};
    for (int64_t n = 0; n < x.rows; n += LOGIT_ROWS)
        chunk_forward(&to, x, n, w, targets, temperature, n_live, z, false);
}

// z, over temperature already, becomes d loss / d (x·w), over temperature:
// ([v = target] - p)·dlogprob - p·(ln p + entropy)·dentropy
static void logit_gradient_row(float *z, int64_t first, int64_t width, int32_t target, float temperature,
                               float logsumexp, float entropy, float dlogprob, float dentropy)
{
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(z, c, width, -__builtin_inff());
        EACH_PART (i) {
            vf log_p = a.part[i] - vf_set(logsumexp), p = vf_exp(log_p);
            vf d = -(p * vf_set(dlogprob));
            if (dentropy != 0)
                d = d - p * (log_p + vf_set(entropy)) * vf_set(dentropy);
            a.part[i] = d;
        }
        row_store(z, c, width, a);
    }
    if (target >= first && target < first + width)
        z[target - first] += dlogprob;
    if (temperature != 1)
        divide_row(z, width, temperature);
}

// What a row's gradient follows from
typedef struct HeadLoss {
    const int32_t *targets;
    float temperature;
    const float *logsumexp, *entropy, *dlogprob, *dentropy; // dentropy may be NULL
} HeadLoss;

// What going backward has besides: `rows` rows from number `first` on, whose chains of dweight are one
typedef struct HeadBackward {
    HeadLoss loss;
    const HeadResults *forward; // NULL: there was a forward pass
    Tensor dx, x, w;
    float *dweight, *z, *chains; // dweight NULL: it is not wanted
    int64_t n_live, first, rows;
    bool kept; // a chunk's logits have room for all columns
} HeadBackward;

// dweight's chains over the rows of a block of columns; the last chunk's end them.
static void weight_chains(const HeadBackward *h, const HeadBlock *b)
{
    int64_t C = h->x.columns;
    float *dweight = h->dweight + b->v * C, *chains = h->kept ? h->chains + b->v * C : h->chains;
    bool first = b->n == h->first, last = b->n + b->rows == h->first + h->rows;
    matmul_tn_from(dense(last ? dweight : chains, b->columns, C), first ? NULL : chains,
                   dense(b->z, b->rows, b->columns), rows_from(h->x, b->n, b->rows), last);
}

// From a block's logits, which are made unless the forward pass has left them, over temperature, to its share of its
// rows of dx and of dweight
static void block_backward(const HeadBackward *h, int64_t n, int64_t v)
{
    const HeadLoss *l = &h->loss;
    HeadBlock b = head_block(h->x, n, v, h->n_live, h->z, h->kept);
    bool there = h->kept && h->forward != NULL;
    if (!there)
        make_logits(&b, h->x, h->w);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b.rows; r++) {
        float *z = b.z + r * b.columns;
        if (!there && l->temperature != 1)
            divide_row(z, b.columns, l->temperature);
        logit_gradient_row(z, v, b.columns, l->targets[n + r], l->temperature, l->logsumexp[n + r], l->entropy[n + r],
                           l->dlogprob[n + r], l->dentropy == NULL ? 0 : l->dentropy[n + r]);
    }
    matmul_nn(rows_from(h->dx, n, b.rows), dense(b.z, b.rows, b.columns), rows_from(h->w, v, b.columns), v > 0);
    if (h->dweight != NULL)
        weight_chains(h, &b);
}

static void chunk_results(const HeadBackward *h, int64_t n)
{
    if (h->forward != NULL)
        chunk_forward(h->forward, h->x, n, h->w, h->loss.targets, h->loss.temperature, h->n_live, h->z, h->kept);
}

// Of kept logits a chunk is done with before the next one's take their place; otherwise a block of columns.
static void rows_backward(const HeadBackward *h)
{
    int64_t end = h->first + h->rows;
    for (int64_t n = h->first; n < end; n += LOGIT_ROWS) {
        chunk_results(h, n);
        for (int64_t v = 0; v < h->n_live && h->kept; v += HEAD_COLUMNS)
            block_backward(h, n, v);
    }
    for (int64_t v = 0; v < h->n_live && !h->kept; v += HEAD_COLUMNS)
        for (int64_t n = h->first; n < end; n += LOGIT_ROWS)
            block_backward(h, n, v);
}

static void backward_by_rows(HeadBackward h)
{
    int64_t N = h.x.rows;
    h.kept = h.w.rows <= KEPT_COLUMNS;
    h.chains = h.z + smaller(N, LOGIT_ROWS) * (h.kept ? h.w.rows : HEAD_COLUMNS);
    for (; h.first < N; h.first += HEAD_ROWS) {
        h.rows = smaller(N - h.first, HEAD_ROWS);
        rows_backward(&h);
    }
}

static void cpu_head_backward(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets,
                              float temperature, int64_t n_live, const float *logsumexp, const float *entropy,
                              const float *dlogprob, const float *dentropy, float *z)
{
    backward_by_rows((HeadBackward){.loss = {targets, temperature, logsumexp, entropy, dlogprob, dentropy},
                                    .dx = dx,
                                    .x = x,
                                    .w = w,
                                    .dweight = dweight,
                                    .z = z,
                                    .n_live = n_live});
}

static void cpu_head_forward_backward(Stream *s, float *logprob, float *entropy, float *logsumexp, Tensor dx,
                                      float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
                                      int64_t n_live, const float *dlogprob, const float *dentropy, float *z)
{
    HeadResults to = {logprob, entropy, logsumexp, NULL};
    backward_by_rows((HeadBackward){.loss = {targets, temperature, logsumexp, entropy, dlogprob, dentropy},
                                    .forward = &to,
                                    .dx = dx,
                                    .x = x,
                                    .w = w,
                                    .dweight = dweight,
                                    .z = z,
                                    .n_live = n_live});
}
