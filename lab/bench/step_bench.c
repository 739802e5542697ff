// Times whole training steps of a 28M-parameter Qwen3 (hidden 512, 8 layers, 8 heads of 64, 2 kv heads, feed-forward
// 1,536, vocabulary 8,192, tied; four documents of 512 tokens, all trained, in one micro-batch) and says where the time
// goes. lab/bench/run.sh runs it beside PyTorch. Also: memory per token at several T, with --memory.
#include "model/model.h"
#include "system/machine.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

// ---- a kernel table that counts time: each operation is called through and its seconds are added up

static const Kernels *real;
enum { TIMED = 16 };
static struct {
    const char *name;
    double seconds;
} timed[TIMED];

#define TIME(index, operation, parameters, arguments)                                                                  \
    static void timed_##operation parameters                                                                           \
    {                                                                                                                  \
        double start = clock_seconds();                                                                                \
        real->operation arguments;                                                                                     \
        timed[index].name = #operation;                                                                                \
        timed[index].seconds += clock_seconds() - start;                                                               \
    }

TIME(0, matmul_forward, (Stream * s, Tensor y, Tensor x, Tensor w, bool add), (s, y, x, w, add))
TIME(1, matmul_backward_input, (Stream * s, Tensor dx, Tensor dy, Tensor w, bool add), (s, dx, dy, w, add))
TIME(2, matmul_backward_weight, (Stream * s, float *dw, Tensor dy, Tensor x, int64_t room, bool add),
     (s, dw, dy, x, room, add))
TIME(3, attention_forward, (Stream * s, Tensor o, float *l, Tensor q, Tensor k, Tensor v, const Attention *a),
     (s, o, l, q, k, v, a))
TIME(4, attention_backward,
     (Stream * s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor d, Tensor q, Tensor k, Tensor v, Tensor o,
      const float *l, const Attention *a),
     (s, dq, dk, dv, delta, d, q, k, v, o, l, a))
TIME(5, head_forward_backward,
     (Stream * s, float *p, float *e, float *l, Tensor dx, float *dw, Tensor x, Tensor w, const int32_t *t, float u,
      int64_t n, const float *dp, const float *de, float *work),
     (s, p, e, l, dx, dw, x, w, t, u, n, dp, de, work))
TIME(6, rmsnorm_forward, (Stream * s, Tensor y, Tensor u, float *r, Tensor x, Tensor z, Tensor w, float e),
     (s, y, u, r, x, z, w, e))
TIME(7, rmsnorm_backward,
     (Stream * s, Tensor dx, float *dw, float *p, Tensor dy, Tensor du, Tensor u, Tensor w, const float *r),
     (s, dx, dw, p, dy, du, u, w, r))
TIME(8, qk_norm_rope_forward,
     (Stream * s, Tensor y, float *r, Tensor x, Tensor v, Tensor w, const float *c, const float *i, const int32_t *p,
      const Attention *a, float e),
     (s, y, r, x, v, w, c, i, p, a, e))
TIME(9, qk_norm_rope_backward,
     (Stream * s, Tensor dx, float *dv, float *dw, float *q, Tensor dy, Tensor x, Tensor v, Tensor w, const float *r,
      const float *c, const float *i, const int32_t *p, const Attention *a),
     (s, dx, dv, dw, q, dy, x, v, w, r, c, i, p, a))
TIME(10, matmul_swiglu_forward, (Stream * s, Tensor y, Tensor g, Tensor x, Tensor w, bool keep), (s, y, g, x, w, keep))
TIME(11, swiglu_backward, (Stream * s, Tensor dg, Tensor du, Tensor dy, Tensor g, Tensor u), (s, dg, du, dy, g, u))
TIME(12, adamw,
     (Stream * s, void *w, float *w32, void *m, void *v, const float *g, int64_t n, const AdamW *a, int64_t t,
      int64_t o),
     (s, w, w32, m, v, g, n, a, t, o))
TIME(13, square_sums, (Stream * s, float *u, const float *x, int64_t n), (s, u, x, n))
TIME(14, accumulate, (Stream * s, float *u, const float *x, int64_t n), (s, u, x, n))
TIME(15, zero, (Stream * s, void *p, size_t n), (s, p, n))

static Kernels timing_table(const Kernels *kernels)
{
    Kernels t = *kernels;
    real = kernels;
#define USE(operation) t.operation = timed_##operation
    USE(matmul_forward);
    USE(matmul_backward_input);
    USE(matmul_backward_weight);
    USE(attention_forward);
    USE(attention_backward);
    USE(head_forward_backward);
    USE(rmsnorm_forward);
    USE(rmsnorm_backward);
    USE(qk_norm_rope_forward);
    USE(qk_norm_rope_backward);
    USE(matmul_swiglu_forward);
    USE(swiglu_backward);
    USE(adamw);
    USE(square_sums);
    USE(accumulate);
    USE(zero);
    return t;
}

enum { DOCUMENTS = 4, LENGTH = 512, TOKENS = DOCUMENTS * LENGTH };

static const ModelConfig CONFIG = {.layers = 8,
                                   .width = 512,
                                   .heads = 8,
                                   .kv_heads = 2,
                                   .head_width = 64,
                                   .feed_forward = 1536,
                                   .vocabulary = 8192,
                                   .max_positions = 32768,
                                   .rope_theta = 1e6,
                                   .norm_epsilon = 1e-6,
                                   .initializer_range = 0.02,
                                   .tied = true};

typedef struct BenchBatch {
    Ragged ragged;
    int32_t ids[TOKENS], positions[TOKENS], starts[DOCUMENTS + 1], contexts[DOCUMENTS], rows[TOKENS], targets[TOKENS];
} BenchBatch;

static BenchBatch *bench_batch(void)
{
    BenchBatch *b = allocate(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->ragged = (Ragged){.tokens = TOKENS,
                         .sequences = DOCUMENTS,
                         .ids = b->ids,
                         .positions = b->positions,
                         .starts = b->starts,
                         .contexts = b->contexts,
                         .trained = TOKENS - DOCUMENTS,
                         .rows = b->rows,
                         .targets = b->targets};
    for (int t = 0; t < TOKENS; t++) {
        b->ids[t] = (int32_t)(random_bits(1, RANDOM_SAMPLE, (uint32_t)t, 0, 0).v[0] % 8192);
        b->positions[t] = t % LENGTH;
    }
    for (int d = 0, n = 0; d < DOCUMENTS; d++) {
        b->starts[d + 1] = (d + 1) * LENGTH;
        for (int t = 0; t < LENGTH - 1; t++, n++) {
            b->rows[n] = d * LENGTH + t;
            b->targets[n] = b->ids[d * LENGTH + t + 1];
        }
    }
    return b;
}

static bool step(Model *m, Optimizer *o, const Ragged *batch, double *loss)
{
    LossSum sum = {.finite = true};
    double norm;
    TRY(gradients_clear(m));
    TRY(model_forward(m, batch));
    TRY(model_loss(m, batch, 1.0 / (double)batch->trained, &sum));
    TRY(model_backward(m, batch));
    TRY(gradient_norm(m, &norm));
    *loss = loss_mean(&sum);
    return optimizer_step(o, m, 1e-4, norm > 1 ? 1 / norm : 1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Multiply-adds of a step: three passes over every matrix, causal attention over half of the square (two products
// forward, five back).
static double flops_per_token(const ModelConfig *c)
{
    double q = (double)(c->heads * c->head_width), kv = (double)(c->kv_heads * c->head_width), C = (double)c->width;
    double layer = C * (2 * q + 2 * kv) + 3 * C * (double)c->feed_forward;
    double matrices = (double)c->layers * layer + C * (double)c->vocabulary;
    double attention = (double)c->layers * 7 * q * LENGTH / 2;
    return 2 * (3 * matrices + attention);
}

static bool run(int steps)
{
    const Kernels *kernels = kernels_open("cpu", 0);
    TRY(kernels != NULL);
    Kernels table = timing_table(kernels);
    Model m;
    Optimizer o = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    ModelLimits limits = {
        .tokens = TOKENS, .rows = TOKENS, .sequences = DOCUMENTS, .positions = LENGTH, .training = true};
    BenchBatch *b = bench_batch();
    double *seconds = allocate((size_t)steps, sizeof *seconds), loss = 0, total = 0;
    TRY(b != NULL && seconds != NULL && model_open(&m, &CONFIG, &limits, &table, false));
    TRY(model_initialise(&m, 1) && optimizer_open(&o, &m, false));
    TRY(step(&m, &o, &b->ragged, &loss)); // the first touches all memory
    for (int i = 0; i < TIMED; i++)
        timed[i].seconds = 0;
    for (int i = 0; i < steps; i++) {
        double start = clock_seconds();
        TRY(step(&m, &o, &b->ragged, &loss));
        total += seconds[i] = clock_seconds() - start;
    }
    qsort(seconds, (size_t)steps, sizeof *seconds, by_value);
    double median = seconds[steps / 2];
    for (int i = 0; i < TIMED; i++)
        fprintf(stderr, "  %-24s %5.1f%%  %8.1f ms a step\n", timed[i].name, 100 * timed[i].seconds / total,
                1e3 * timed[i].seconds / steps);
    printf("{\"program\": \"dereason.c\", \"mode\": \"%s\", \"threads\": %d, \"step_seconds\": %.4f, "
           "\"tokens_per_second\": %.1f, "
           "\"gflops\": %.1f, \"loss\": %.6f}\n",
           kernels->name, omp_get_max_threads(), median, TOKENS / median,
           TOKENS / median * flops_per_token(&CONFIG) * 1e-9, loss);
    optimizer_close(&o);
    model_close(&m);
    free(b);
    free(seconds);
    return true;
}

static bool memory(void)
{
    const Kernels *kernels = kernels_open("cpu", 0);
    TRY(kernels != NULL);
    for (int recompute = 0; recompute < 2; recompute++)
        for (int64_t T = 1024; T <= 16384; T *= 4) {
            Model m;
            ModelLimits limits = {
                .tokens = T, .rows = T, .sequences = 1, .positions = T, .training = true, .recompute = recompute};
            TRY(model_open(&m, &CONFIG, &limits, kernels, true));
            printf("{\"tokens\": %" PRId64 ", \"recompute\": %s, \"activation_bytes_per_token\": %.0f}\n", T,
                   recompute ? "true" : "false", (double)m.activations.bytes / (double)T);
            model_close(&m);
        }
    return true;
}

int main(int count, char **arguments)
{
    threads_wait_asleep(arguments);
    bool wants_memory = count > 1 && strcmp(arguments[1], "--memory") == 0;
    int steps = count > 1 && !wants_memory ? atoi(arguments[1]) : 9;
    if (steps < 1 || !(wants_memory ? memory() : run(steps))) {
        fprintf(stderr, "step_bench: %s\nusage: step_bench [STEPS | --memory]\n", error_text());
        return 1;
    }
    return 0;
}
