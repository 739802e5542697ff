// The operations of kernels/kernels.h as the CUDA backend has them, in the namespace of this build's precision (bf16 or fp32),
// and the device underneath, which has no precision. What each operation computes is said in kernels/kernels.h; backend.cu makes
// the table of them.
#ifndef KERNELS_CUDA_OPERATIONS_H
#define KERNELS_CUDA_OPERATIONS_H

#include "kernels/cuda_sizes.h"

// ---- device.cu

// shared: bytes of shared memory that a block has to get. False after fail(): no driver, no GPU, one that is too old, ...
bool device_open(size_t shared);
const char *device_describe(void); // the card, its memory, and what makes its matrix products
const char *device_arithmetic(const char *precision);
void *device_allocate(size_t bytes);
void device_release(void *p);
void device_upload(Stream *s, void *device, const void *host, size_t bytes);
bool device_download(Stream *s, void *host, const void *device, size_t bytes);
bool device_synchronize(Stream *s);
void device_zero(Stream *s, void *p, size_t bytes);
size_t device_memory_available(void);
int device_multiprocessors(void);

void *device_host_allocate(size_t bytes);
void device_host_release(void *p);
void device_download_later(Stream *s, void *host, const void *device, size_t bytes);
Event *device_event_open(void);
void device_event_close(Event *e);
void device_event_record(Stream *s, Event *e);
bool device_event_wait(Event *e);
bool device_graph_begin(Stream *s);
Graph *device_graph_end(Stream *s);
void device_graph_launch(Stream *s, Graph *g);
void device_graph_close(Graph *g);

enum { FEW_ROWS = 64 }; // a forward product of so many rows is matmul_few.cu's

typedef enum MatmulForm { MATMUL_FORWARD, MATMUL_BACKWARD_INPUT, MATMUL_BACKWARD_WEIGHT } MatmulForm;

// One product over raw arrays with their own row distances, which is what the head needs; c is fp32 where c_is_float (always
// for a weight's gradient, never for an input's), otherwise the activation type. Row distances of a and b are multiples of 16
// bytes, and what lies between the end of a row and the next one is there to be read (k runs over it only where one operand is
// exact zero).
//   forward          c (M, N) = a (M, K) · b (N, K)ᵀ
//   backward_input   c (M, N) = a (M, K) · b (K, N)
//   backward_weight  c (M, N) = a (K, M)ᵀ · b (K, N)
typedef struct Product {
    MatmulForm form;
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t a_pitch, b_pitch, c_pitch; // elements from one row to the next
    bool c_is_float, add;
} Product;

namespace PRECISION
{

void product(Stream *s, const Product *p);          // the library where it obeys, otherwise our own
void product_own(Stream *s, const Product *p);      // matmul.cu
void product_few_rows(Stream *s, const Product *p); // matmul_few.cu
bool product_library(Stream *s, const Product *p);  // matmul_cublaslt.cu; false: not for this shape, nothing was done
bool product_choose(
    void); // opens the library; the environment's DEREASON_MATMUL: auto, own or cublaslt (which is then not checked)
const char *product_maker(void); // for people

void upload_rounded(Stream *s, void *elements, const float *host, int64_t count);
bool download_widened(Stream *s, float *host, const void *elements, int64_t count);

// elementwise.cu
void accumulate(Stream *s, float *sum, const float *x, int64_t count);
void embedding_forward(Stream *s, Tensor y, Tensor table, const int32_t *ids);
void embedding_backward(Stream *s, float *dtable, Tensor dy, const int32_t *ids, int32_t *scratch);
void rows_gather(Stream *s, Tensor y, Tensor x, const int32_t *rows);
void rows_scatter(Stream *s, Tensor dx, Tensor dy, const int32_t *rows);
void rows_fill(Stream *s, Tensor y, Tensor row);
void swiglu_forward(Stream *s, Tensor y, Tensor gate, Tensor up);
void swiglu_backward(Stream *s, Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up);

// norm.cu, rope.cu
void rmsnorm_forward(Stream *s, Tensor y, Tensor sum, float *rstd, Tensor x, Tensor residual, Tensor weight, float epsilon);
void rmsnorm_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor dsum, Tensor sum, Tensor weight,
                      const float *rstd);
void rows_sum(Stream *s, float *drow, float *partial, Tensor dy);
void rope_table(Stream *s, float *cosine, float *sine, int64_t positions, int64_t head_width, double theta);
void qk_norm_rope_forward(Stream *s, Tensor y, float *rstd, Tensor x, Tensor weight, const float *cosine, const float *sine,
                          const int32_t *positions, int64_t head_width, float epsilon);
void qk_norm_rope_backward(Stream *s, Tensor dx, float *dweight, float *partial, Tensor dy, Tensor x, Tensor weight,
                           const float *rstd, const float *cosine, const float *sine, const int32_t *positions,
                           int64_t head_width);

// matmul.cu
void matmul_forward(Stream *s, Tensor y, Tensor x, Tensor w, bool add);
void matmul_backward_input(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add);
void matmul_backward_weight(Stream *s, float *dw, Tensor dy, Tensor x);

// pages.cu
void pages_write(Stream *s, Tensor k, Tensor v, const Attention *a);
void pages_copy(Stream *s, void *pages, int64_t elements, const int32_t *pairs, int64_t count);
void tokens_take(Stream *s, int32_t *ids, int64_t count, const int32_t *kept);
void tokens_keep(Stream *s, int32_t *kept, const int32_t *token, const int32_t *slots, int64_t count);

// attention_forward.cu, attention_decode.cu (sequences with one new token), attention_backward.cu
void attention_decode(Stream *s, Tensor out, float *logsumexp, Tensor q, const Attention *a);
void attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a);
void attention_backward(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q, Tensor k, Tensor v,
                        Tensor out, const float *logsumexp, const Attention *a);

// head.cu
void head_forward(Stream *s, float *logprob, float *entropy, float *logsumexp, int32_t *best, Tensor x, Tensor w,
                  const int32_t *targets, float temperature, int64_t n_live, float *workspace);
void head_backward(Stream *s, Tensor dx, float *dweight, Tensor x, Tensor w, const int32_t *targets, float temperature,
                   int64_t n_live, const float *logsumexp, const float *entropy, const float *dlogprob, const float *dentropy,
                   float *workspace);

// sample.cu
void head_sample(Stream *s, int32_t *token, float *logprob, float *processed, float *entropy, Tensor x, Tensor w,
                 const SampleRow *rows, int64_t n_live, float *workspace);

// optimizer.cu
void adamw(Stream *s, void *weight, float *master, void *m, void *v, const float *gradient, int64_t count, const AdamW *settings,
           int64_t tensor, int64_t offset);
void square_sums(Stream *s, float *sums, const float *x, int64_t count);

} // namespace PRECISION

#endif
