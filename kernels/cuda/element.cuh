// The activation type of this build (PRECISION: bf16 or fp32), sixteen bytes of it at a time, and the fragments of a
// warp's matrix product. Kernels are written once against these names; only this file knows which type it is.
//
// A fragment lies in a warp's registers as mma.m16n8k16 wants it. With row = lane / 4 and column = 2·(lane % 4):
//   A (16 rows, 16 k)   rows row, row + 8; k column, column + 1, column + 8, column + 9
//   B (16 k, 8 columns) column `row`;      k column, column + 1, column + 8, column + 9
//   C (16 rows, 8 cols) c[0], c[1]: row `row`, columns column, column + 1; c[2], c[3]: row + 8, the same columns
#ifndef KERNELS_CUDA_ELEMENT_CUH
#define KERNELS_CUDA_ELEMENT_CUH

#include "kernels/cuda/ptx.cuh"

#if PRECISION_BITS != 16 && PRECISION_BITS != 32
#error "compile with -DPRECISION=bf16 -DPRECISION_BITS=16 or -DPRECISION=fp32 -DPRECISION_BITS=32"
#endif

namespace PRECISION
{

#if PRECISION_BITS == 16
typedef __nv_bfloat16 element;
__device__ inline float widen(element x) { return __bfloat162float(x); }
__device__ inline element rounded(float x) { return __float2bfloat16_rn(x); }
#else
typedef float element;
__device__ inline float widen(element x) { return x; }
__device__ inline element rounded(float x) { return x; }
#endif

static inline element *elements(Tensor t) { return (element *)t.data; }

// A Tensor's rows, one for each token, as a kernel takes them
struct TokenRows {
    element *data;
    int64_t stride;
};

static inline TokenRows token_rows(Tensor t) { return TokenRows{elements(t), t.stride}; }
__device__ inline float round_to_element(float x) { return widen(rounded(x)); }

// SwiGLU of two elements, to be rounded: silu(gate) is rounded before it is multiplied, as transformers does.
__device__ inline float swiglu(float gate, float up)
{
    float silu = gate / (1.0f + expf(-gate));
    return round_to_element(silu) * up;
}

// ---- sixteen bytes: what a thread reads and writes at once

enum {
    LANES = 16 / (PRECISION_BITS / 8),
    PAD = LANES
}; // elements in 16 bytes; a row in shared memory is padded by as much

struct alignas(16) Vector {
    element lane[LANES];
};

__device__ inline Vector load(const element *p) { return *(const Vector *)p; }
__device__ inline void store(element *p, Vector v) { *(Vector *)p = v; }

// The same as words, for what is only read: left with single elements the compiler also chooses, moves and widens them
// singly, which takes up to twice the instructions.
typedef int4 Words;

__device__ inline Words load_words(const element *p) { return *(const Words *)p; }
__device__ inline void store_words(element *p, Words words) { *(Words *)p = words; }
__device__ inline Words load_words_or_zeros(const element *p, bool live) // p is not read where it is not live
{
    Words words = {0, 0, 0, 0};
    if (live)
        words = load_words(p);
    return words;
}

__device__ inline float widen(const Words &words, int i) // i a constant
{
    int each = LANES / 4, at = i / each, word = at == 0 ? words.x : at == 1 ? words.y : at == 2 ? words.z : words.w;
    return __uint_as_float(each == 1    ? (uint32_t)word
                           : i % 2 == 1 ? (uint32_t)word & 0xFFFF0000u
                                        : (uint32_t)word << 16);
}

// Where a number lies in the row of its position in a page: pieces of 16 bytes change places within 8 of them, which
// are 128 bytes in a row. Then a page that is copied to shared memory as it lies can be read there, by ldmatrix and
// wgmma alike: the same piece of 8 positions is in 8 groups of banks (PTX ISA 5.5.7, the swizzle of 128 bytes).
__device__ inline int page_column(int position, int column) { return column ^ position % 8 * LANES; }

// As many numbers in fp32; p: 16-byte aligned
__device__ inline void load_floats(float x[LANES], const float *p)
{
#pragma unroll
    for (int j = 0; j < LANES; j += 4)
        *(float4 *)(x + j) = *(const float4 *)(p + j);
}

__device__ inline void store_floats(float *p, const float x[LANES])
{
#pragma unroll
    for (int j = 0; j < LANES; j += 4)
        *(float4 *)(p + j) = make_float4(x[j], x[j + 1], x[j + 2], x[j + 3]);
}

// ---- fragments

#if PRECISION_BITS == 16

struct FragmentA {
    uint32_t r[4];
};
struct FragmentB {
    uint32_t r[2];
};

// From shared memory, rows `pitch` elements apart: tile[row][k], 16 rows and 16 k.
__device__ inline FragmentA load_a(const element *tile, int pitch)
{
    int lane = (int)threadIdx.x % 32;
    FragmentA a;
    ldmatrix_x4(a.r, tile + lane % 16 * pitch + lane / 16 * 8);
    return a;
}

// The same of tile[k][row]
__device__ inline FragmentA load_a_transposed(const element *tile, int pitch)
{
    int lane = (int)threadIdx.x % 32;
    FragmentA a;
    ldmatrix_x4_trans(a.r, tile + (lane % 8 + lane / 16 * 8) * pitch + lane / 8 % 2 * 8);
    return a;
}

// Two neighbours of 8 columns each: tile[column][k], 16 columns and 16 k
__device__ inline void load_b(FragmentB b[2], const element *tile, int pitch)
{
    int lane = (int)threadIdx.x % 32;
    uint32_t r[4];
    ldmatrix_x4(r, tile + (lane % 8 + lane / 16 * 8) * pitch + lane / 8 % 2 * 8);
    b[0] = FragmentB{{r[0], r[1]}};
    b[1] = FragmentB{{r[2], r[3]}};
}

// The same of tile[k][column]
__device__ inline void load_b_transposed(FragmentB b[2], const element *tile, int pitch)
{
    int lane = (int)threadIdx.x % 32;
    uint32_t r[4];
    ldmatrix_x4_trans(r, tile + lane % 16 * pitch + lane / 16 * 8);
    b[0] = FragmentB{{r[0], r[1]}};
    b[1] = FragmentB{{r[2], r[3]}};
}

__device__ inline uint32_t pack(float low, float high)
{
    return (uint32_t)__bfloat16_as_ushort(rounded(low)) | (uint32_t)__bfloat16_as_ushort(rounded(high)) << 16;
}

// Two accumulators side by side, rounded, as the A fragment of the next product (their columns are its k).
__device__ inline FragmentA as_a(const float left[4], const float right[4])
{
    return FragmentA{
        {pack(left[0], left[1]), pack(left[2], left[3]), pack(right[0], right[1]), pack(right[2], right[3])}};
}

__device__ inline void mma(float c[4], const FragmentA &a, const FragmentB &b) { mma_m16n8k16_bf16(c, a.r, b.r); }

#else

struct FragmentA {
    float x[8];
};
struct FragmentB {
    float x[4];
};

// tile[row][k], or with the steps the other way round tile[k][row]; of B the columns
__device__ inline FragmentA load_a_by(const element *tile, int row_step, int k_step)
{
    int lane = (int)threadIdx.x % 32, row = lane / 4, k = lane % 4 * 2;
    FragmentA a;
#pragma unroll
    for (int i = 0; i < 8; i++)
        a.x[i] = tile[(row + i / 2 % 2 * 8) * row_step + (k + i % 2 + i / 4 * 8) * k_step];
    return a;
}

__device__ inline void load_b_by(FragmentB b[2], const element *tile, int column_step, int k_step)
{
    int lane = (int)threadIdx.x % 32, column = lane / 4, k = lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 8; i++)
        b[i / 4].x[i % 4] = tile[(column + i / 4 * 8) * column_step + (k + i % 2 + i % 4 / 2 * 8) * k_step];
}

__device__ inline FragmentA load_a(const element *tile, int pitch) { return load_a_by(tile, pitch, 1); }
__device__ inline FragmentA load_a_transposed(const element *tile, int pitch) { return load_a_by(tile, 1, pitch); }
__device__ inline void load_b(FragmentB b[2], const element *tile, int pitch) { load_b_by(b, tile, pitch, 1); }
__device__ inline void load_b_transposed(FragmentB b[2], const element *tile, int pitch)
{
    load_b_by(b, tile, 1, pitch);
}

__device__ inline FragmentA as_a(const float left[4], const float right[4])
{
    return FragmentA{{left[0], left[1], left[2], left[3], right[0], right[1], right[2], right[3]}};
}

__device__ inline void mma(float c[4], const FragmentA &a, const FragmentB &b) { mma_m16n8k16_fp32(c, a.x, b.x); }

#endif

} // namespace PRECISION

#endif
