// The LM head and its loss. Logits exist for HEAD_ROWS rows and HEAD_COLUMNS columns at a time; a row's logsumexp is
// made of blocks of LOGSUMEXP_COLUMNS, merged ascending, and is the only one in the house. Bound by products.
#include "kernels/cpu/elementary.h"
#include "kernels/cpu/rows.h"

static int64_t cpu_head_workspace(int64_t rows, int64_t vocabulary)
{
    return smaller(rows, HEAD_ROWS) * (int64_t)HEAD_COLUMNS; // a block, however many columns there are
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

static void cpu_head_forward(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x,
                             Tensor w, const int32_t *targets, float temperature, int64_t n_live, float *z)
{
    int64_t C = x.columns;
    HeadRow state[HEAD_ROWS];
    for (int64_t n = 0; n < x.rows; n += HEAD_ROWS) {
        int64_t rows = smaller(x.rows - n, HEAD_ROWS);
        for (int64_t r = 0; r < rows; r++)
            state[r] = (HeadRow){.softmax = NOTHING_YET};
        for (int64_t v = 0; v < n_live; v += HEAD_COLUMNS) {
            int64_t columns = smaller(n_live - v, HEAD_COLUMNS);
            matmul_nt(rows, columns, C, z, (const float *)x.data + n * C, (const float *)w.data + v * C, false);
#pragma omp parallel for schedule(static)
            for (int64_t r = 0; r < rows; r++) {
                float *row = z + r * columns;
                if (temperature != 1)
                    divide_row(row, columns, temperature);
                for (int64_t c = 0; c < columns; c += LOGSUMEXP_COLUMNS)
                    add_columns(&state[r], row + c, v + c, smaller(columns - c, LOGSUMEXP_COLUMNS));
                if (targets[n + r] >= v && targets[n + r] < v + columns)
                    state[r].target = row[targets[n + r] - v];
            }
        }
        for (int64_t r = 0; r < rows; r++) {
            logsumexp[n + r] = row_logsumexp(&state[r].softmax);
            logprob[n + r] = row_logprob(&state[r].softmax, state[r].target);
            entropy[n + r] = row_entropy(&state[r].softmax);
            if (best != NULL)
                best[n + r] = state[r].best;
        }
    }
}

// z becomes d loss / d (x·w): ([v = target] - p)·dlogprob - p·(ln p + entropy)·dentropy, over temperature
static void logit_gradient_row(float *z, int64_t first, int64_t width, int32_t target, float temperature,
                               float logsumexp, float entropy, float dlogprob, float dentropy)
{
    for (int64_t c = 0; c < width; c += 16) {
        lanes16 a = row_load(z, c, width, -__builtin_inff());
        EACH_PART (i) {
            vf log_p = a.part[i] / vf_set(temperature) - vf_set(logsumexp), p = vf_exp(log_p);
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

static void cpu_head_backward(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets,
                              float temperature, int64_t n_live, const float *logsumexp, const float *entropy,
                              const float *dlogprob, const float *dentropy, float *z)
{
    int64_t C = x.columns;
    for (int64_t n = 0; n < x.rows; n += HEAD_ROWS) {
        int64_t rows = smaller(x.rows - n, HEAD_ROWS);
        const float *chunk = (const float *)x.data + n * C;
        for (int64_t v = 0; v < n_live; v += HEAD_COLUMNS) {
            int64_t columns = smaller(n_live - v, HEAD_COLUMNS);
            const float *block = (const float *)w.data + v * C;
            matmul_nt(rows, columns, C, z, chunk, block, false);
#pragma omp parallel for schedule(static)
            for (int64_t r = 0; r < rows; r++)
                logit_gradient_row(z + r * columns, v, columns, targets[n + r], temperature, logsumexp[n + r],
                                   entropy[n + r], dlogprob[n + r], dentropy == NULL ? 0 : dentropy[n + r]);
            matmul_nn(rows, C, columns, (float *)dx.data + n * C, z, block, v > 0);
            matmul_tn(columns, C, rows, dweight + v * C, z, chunk, true);
        }
    }
}
