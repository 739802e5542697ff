// What the two kernels of attention's backward pass for Hopper share (hopper_attention_backward.cu): the blocks of dS
// that one writes and the other reads, and where a tile of rows lies.
#ifndef KERNELS_CUDA_HOPPER_BACKWARD_CUH
#define KERNELS_CUDA_HOPPER_BACKWARD_CUH

#include "kernels/cuda/hopper.h"
#include "kernels/cuda/hopper_attention.cuh"

namespace PRECISION
{

enum {
    SIDE = PAIR_BLOCK, // of a block of dS
    BLOCK_BYTES = SIDE * SIDE * 2,
    HALF_PART_BYTES = PART_BYTES / 2 // 64 rows
};

struct HopperBackward {
    AttentionBackward backward;
    element *ds;              // the blocks of the kv heads first_head .. first_head + kv_heads - 1
    int first_head, kv_heads; // of this launch
    int tiles;                // of this kernel, at most
    int blocks;               // of one head
};

__device__ inline int triangle(int n) { return n * (n + 1) / 2; }
__device__ inline int blocks_in(int positions) { return (positions + SIDE - 1) / SIDE; }

// Blocks of a head in front of this sequence's. Every warp looks for itself.
__device__ inline int blocks_before(const Attention &a, int sequence)
{
    int lane = (int)threadIdx.x % 32;
    int sum = 0;
    for (int base = 0; base < sequence; base += 32) {
        int s = base + lane, length = s < sequence ? a.starts[s + 1] - a.starts[s] : 0;
        int context = s < sequence ? a.contexts[s] : 0, queries = blocks_in(length);
        int blocks = triangle(queries) + queries * blocks_in(context); // pair_blocks of kernels.h
        for (int by = 16; by > 0; by /= 2)
            blocks += __shfl_xor_sync(~0u, blocks, by);
        sum += blocks;
    }
    return sum;
}

// What a block works on: 128 rows, keys of a kv head or queries of a head, from `first` on in one sequence; of keys,
// `first` may be below it (keys_ahead)
struct HopperRows {
    int sequence, start, length, first; // the sequence's row in the batch, its rows
    int context;                        // positions in front of it
    int head;                           // of the launch's kv heads, or heads
};

__device__ inline HopperRows rows_of(const Attention &a, int sequence, int first, int head)
{
    int start = a.starts[sequence];
    return HopperRows{sequence, start, a.starts[sequence + 1] - start, first, a.contexts[sequence], head};
}

// A sequence's blocks of dS
struct Blocks {
    int before;  // of one head, in front of them
    int context; // its context's blocks of keys, the last of which may have keys of its own
};

__device__ inline Blocks blocks_of(const HopperBackward &b, int sequence)
{
    const Attention &a = b.backward.a;
    return b.ds == NULL ? Blocks{0, 0} : Blocks{blocks_before(a, sequence), blocks_in(a.contexts[sequence])};
}

// The one of a head of the launch, by number of its queries in the sequence and of its keys from position 0 on
__device__ inline int block_number(const HopperBackward &b, const Blocks &of, int head, int queries, int keys)
{
    return head * b.blocks + of.before + triangle(queries) + queries * of.context + keys;
}

__device__ inline element *block_at(const HopperBackward &b, int number)
{
    return b.ds + (int64_t)number * (SIDE * SIDE);
}

// Keys and values, with dS to b.ds where it is there; and queries, from b.ds. tokens: of the batch
void hopper_attention_keys(Stream *s, const HopperBackward &b, int64_t tokens);
void hopper_attention_blocks(Stream *s, const HopperBackward &b, int64_t tokens);

// A tensor of the batch, by boxes of so many rows of one head
inline void describe_heads(CUtensorMap *map, const TokenRows &x, int64_t tokens, int64_t heads, int64_t head_width,
                           int box_rows)
{
    describe_tensor(map, x.data, tokens, heads, head_width, x.stride, box_rows, 1);
}

} // namespace PRECISION

#endif
