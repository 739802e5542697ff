// The operations of kernels/operations.h as the CUDA backend has them, in the namespace of this build's precision (bf16
// or fp32), the device underneath, which has none, and matrix products over raw arrays. backend.cu makes the table.
#ifndef KERNELS_CUDA_OPERATIONS_H
#define KERNELS_CUDA_OPERATIONS_H

#include "kernels/cuda_sizes.h"

// ---- device.cu

// shared: bytes of shared memory that a block has to get. False after fail(): no driver, no GPU, one that is too old.
bool device_open(size_t shared);
const char *device_describe(void); // the card, its memory, and what makes its matrix products
const char *device_arithmetic(const char *precision);
int device_multiprocessors(void);
int device_major(void); // of the compute capability

#define DEVICE_OPERATION(type, name, parameters) type device_##name parameters;
#define GRAPH_OPERATION(type, name, parameters) type device_##name parameters;
#include "kernels/operations.h"

// A forward product of so many rows is matmul_few.cu's, and hopper_few.cu's on a card that takes it.
enum { FEW_ROWS = 64, HOPPER_FEW_ROWS = 256 };

typedef enum MatmulForm { MATMUL_FORWARD, MATMUL_BACKWARD_INPUT, MATMUL_BACKWARD_WEIGHT } MatmulForm;

// One product over raw arrays with their own row distances, which is what the head needs; c is fp32 where c_is_float
// (always for a weight's gradient, never for an input's), otherwise the activation type. Row distances of a and b are
// multiples of 16 bytes, and what lies between the end of a row and the next one is there to be read (k runs over it
// only where one operand is exact zero).
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
    // backward_weight: rows that a and b have memory for; those behind k may be overwritten (matmul_library.cu)
    int64_t k_room = 0;
} Product;

namespace PRECISION
{

void product(Stream *s, const Product *p);          // the library where it obeys and is faster, otherwise ours
void product_ours(Stream *s, const Product *p);     // the one of those below that is for this card and shape
void product_own(Stream *s, const Product *p);      // matmul.cu
bool hopper_product(Stream *s, const Product *p);   // hopper_matmul.cu; false: not on this card, nothing was done
void product_few_rows(Stream *s, const Product *p); // matmul_few.cu
bool product_library(Stream *s, const Product *p);  // matmul_library.cu; false: it is ours to make, nothing was done
bool product_is_ours(Stream *s, const Product *p);  // what product_library would find

// hopper_few.cu: the form MATMUL_FORWARD with at most HOPPER_FEW_ROWS rows; false as above. swiglu: c (m, n) =
// silu(gate)·up, where b (2·n, k) has the rows of gate in front of those of up; gate and up are rounded first, as by a
// product of their own and swiglu_forward behind it. Nothing is added then, and c is no fp32.
bool hopper_few_rows(Stream *s, const Product *p);
bool hopper_few_rows_swiglu(Stream *s, const Product *p);

// Opens cuBLASLt, unless the environment's DEREASON_MATMUL says own (or mma: without wgmma either); cublaslt: all
// products, without a check; auto: the default.
bool product_choose(void);
const char *product_maker(void);      // for people
const char *product_own_shapes(void); // likewise: Kernels.own_products

// norm.cu: to (width) += the sum of the rows of partial (groups, width), as the last two steps of a sum over rows have
// it. width a multiple of 8
void add_groups(Stream *s, float *to, const float *partial, int64_t groups, int64_t width);

void attention_decode(Stream *s, Tensor out, float *logsumexp, Tensor q,
                      const Attention *a); // sequences with one new token

#define OPERATION(type, name, parameters, names) type name parameters;
#include "kernels/operations.h"

} // namespace PRECISION

#endif
