// What is computed from the final hidden states: log-probabilities, and the cross-entropy of supervised fine-tuning
// with its gradient, in one pass over the head. It runs only over the requested rows, and the logits are never all in
// memory at once.
#include "model/model_internal.h"
#include <math.h>
#include <stdlib.h>

static const double FIXED_POINT = 0x1p30;

void loss_add(LossSum *sum, float logprob)
{
    sum->tokens++;
    bool usable = fabsf(logprob) < 0x1p20f; // 2^20 nats: such a model has diverged
    if (!usable || __builtin_add_overflow(sum->fixed, (int64_t)((double)-logprob * FIXED_POINT), &sum->fixed))
        sum->finite = false;
}

double loss_mean(const LossSum *sum)
{
    if (!sum->finite)
        return NAN;
    return sum->tokens == 0 ? 0 : (double)sum->fixed / FIXED_POINT / (double)sum->tokens;
}

static Tensor head_weight(const Model *m) { return own_tensor(m, model_own(m)->head); }

// Gathers what the head reads.
static bool head_input(Model *m, const Ragged *batch, int64_t n_live, Tensor *x)
{
    for (int64_t n = 0; n < batch->trained; n++)
        if (batch->targets[n] < 0 || batch->targets[n] >= n_live)
            return fail("a target is id %d, but only ids below %" PRId64 " are alive", (int)batch->targets[n], n_live);
    *x = tensor(m->a.head_input, batch->trained, m->config.width);
    m->kernels->rows_gather(NULL, *x, tensor(m->a.hidden, batch->tokens, m->config.width), m->a.rows);
    return true;
}

static bool head_rows(Model *m, const Ragged *batch, float temperature, int64_t n_live)
{
    Tensor x;
    TRY(head_input(m, batch, n_live, &x));
    m->kernels->head_forward(NULL, m->a.logprob, m->a.entropy, m->a.logsumexp, m->a.best, x, head_weight(m),
                             m->a.targets, temperature, n_live, m->a.head_workspace);
    return true;
}

bool model_logprobs(Model *m, const Ragged *batch, float temperature, int64_t n_live, float *logprob, float *entropy,
                    int32_t *best)
{
    size_t bytes = (size_t)batch->trained * 4;
    if (batch->trained == 0)
        return true;
    TRY(acquire(m, m->config.layers));
    bool ok = head_rows(m, batch, temperature, n_live);
    release(m, m->config.layers);
    TRY(ok);
    TRY(m->kernels->download(NULL, logprob, m->a.logprob, bytes));
    TRY(m->kernels->download(NULL, entropy, m->a.entropy, bytes));
    return best == NULL || m->kernels->download(NULL, best, m->a.best, bytes);
}

// The head's gradient of a micro-batch begins at zero, if there is one. The step's own, which a first one writes to,
// was cleared when the step began.
static void clear_head_gradient(Model *m)
{
    if (m->a.head_gradient != NULL && !m->unwritten)
        m->kernels->zero(NULL, m->a.head_gradient, (size_t)(m->config.vocabulary * m->config.width) * sizeof(float));
}

// From the gradient of the head's rows to dhidden.
static void spread(Model *m, const Ragged *batch, Tensor dx)
{
    m->kernels->rows_scatter(NULL, tensor(m->a.dhidden, batch->tokens, m->config.width), dx, m->a.rows);
}

// Forward and back in one, from d loss / d log-probability of each row (and d loss / d entropy; dentropy may be NULL)
// to log-probabilities, entropies and dhidden: the head makes its logits once.
static bool head_both_ways(Model *m, const Ragged *batch, float temperature, int64_t n_live, const float *dentropy)
{
    Tensor x, dx = tensor(m->a.dhead_input, batch->trained, m->config.width);
    TRY(head_input(m, batch, n_live, &x));
    clear_head_gradient(m);
    m->kernels->head_forward_backward(NULL, m->a.logprob, m->a.entropy, m->a.logsumexp, dx, head_gradient(m), x,
                                      head_weight(m), m->a.targets, temperature, n_live, m->a.dlogprob, dentropy,
                                      m->a.head_workspace);
    spread(m, batch, dx);
    return true;
}

// d loss / d log-probability is the same for all rows, and known before.
static bool loss_and_gradients(Model *m, const Ragged *batch, double scale)
{
    for (int64_t n = 0; n < batch->trained; n++)
        m->row_host[n] = (float)-scale;
    m->kernels->upload(NULL, m->a.dlogprob, m->row_host, (size_t)batch->trained * sizeof(float));
    return head_both_ways(m, batch, 1, m->config.vocabulary, NULL);
}

bool model_loss(Model *m, const Ragged *batch, double scale, LossSum *sum)
{
    int64_t N = batch->trained;
    phase_is("the loss", -1);
    TRY(acquire(m, m->config.layers));
    bool ok = N == 0 || loss_and_gradients(m, batch, scale);
    release(m, m->config.layers);
    if (!ok || N == 0)
        return ok;
    float *host = m->row_host;
    TRY(m->kernels->download(NULL, host, m->a.logprob, (size_t)N * sizeof(float))); // last: it waits for the rest
    for (int64_t n = 0; n < N; n++)
        loss_add(sum, host[n]);
    return true;
}

// From each row's d loss / d log-probability (and d loss / d entropy; dentropy may be NULL) to dhidden.
static void head_gradients(Model *m, const Ragged *batch, float temperature, int64_t n_live, const float *dentropy)
{
    int64_t N = batch->trained, C = m->config.width;
    Tensor x = tensor(m->a.head_input, N, C), dx = tensor(m->a.dhead_input, N, C);
    clear_head_gradient(m);
    m->kernels->head_backward(NULL, dx, head_gradient(m), x, head_weight(m), m->a.targets, temperature, n_live,
                              m->a.logsumexp, m->a.entropy, m->a.dlogprob, dentropy, m->a.head_workspace);
    spread(m, batch, dx);
}

// In host memory, (N) each
typedef struct HostRows {
    float *logprob, *entropy, *dlogprob, *dentropy;
} HostRows;

static HostRows host_rows(const Model *m)
{
    int64_t stride = m->limits.rows;
    return (HostRows){m->row_host, m->row_host + stride, m->row_host + 2 * stride, m->row_host + 3 * stride};
}

static bool results_of_rows(Model *m, const Ragged *batch, const HostRows *to)
{
    size_t bytes = (size_t)batch->trained * sizeof(float);
    return m->kernels->download(NULL, to->logprob, m->a.logprob, bytes) &&
           m->kernels->download(NULL, to->entropy, m->a.entropy, bytes);
}

// d loss / d entropy on the device; NULL: there is none
static const float *send_derivatives(Model *m, const Ragged *batch, const HostRows *rows, bool of_entropy)
{
    size_t bytes = (size_t)batch->trained * sizeof(float);
    m->kernels->upload(NULL, m->a.dlogprob, rows->dlogprob, bytes);
    if (of_entropy)
        m->kernels->upload(NULL, m->a.dentropy, rows->dentropy, bytes);
    return of_entropy ? m->a.dentropy : NULL;
}

static bool known_gradients(Model *m, const Ragged *batch, const PolicyRows *rows)
{
    HostRows r = host_rows(m);
    bool of_entropy = false;
    TRY(rows->known(rows->context, r.dlogprob, r.dentropy, &of_entropy));
    const float *dentropy = send_derivatives(m, batch, &r, of_entropy);
    TRY(head_both_ways(m, batch, rows->temperature, rows->n_live, dentropy) && results_of_rows(m, batch, &r));
    return rows->loss(rows->context, r.logprob, r.entropy, r.dlogprob, r.dentropy, &of_entropy);
}

static bool policy_gradients(Model *m, const Ragged *batch, const PolicyRows *rows)
{
    HostRows r = host_rows(m);
    bool of_entropy = false;
    TRY(head_rows(m, batch, rows->temperature, rows->n_live) && results_of_rows(m, batch, &r));
    TRY(rows->loss(rows->context, r.logprob, r.entropy, r.dlogprob, r.dentropy, &of_entropy));
    const float *dentropy = send_derivatives(m, batch, &r, of_entropy);
    head_gradients(m, batch, rows->temperature, rows->n_live, dentropy);
    return true;
}

bool model_policy_loss(Model *m, const Ragged *batch, const PolicyRows *rows)
{
    phase_is("the loss", -1);
    TRY(acquire(m, m->config.layers));
    bool ok = batch->trained == 0 ||
              (rows->known != NULL ? known_gradients(m, batch, rows) : policy_gradients(m, batch, rows));
    release(m, m->config.layers);
    return ok;
}

const float *model_loss_logprobs(const Model *m) { return m->row_host; }
