// Causal attention, backward, for Hopper: what attention_backward.cu computes, with its bits, by five products instead
// of seven (formulas there; design and budget of both kernels: Dao 2023, Shah et al. 2024).
//
// The kernel that owns keys makes dS, which the one that owns queries needs once more. It writes it to memory, rounded
// as it is for its own product, in blocks of (64 keys, 64 queries), 8 KiB each, for every sequence those with keys that
// it sees; and the other kernel multiplies them with the keys. So every gradient is still one chain with one owner, and
// nothing is added atomically. The blocks of some kv heads at a time, as many as the workspace holds.
//
//   keys     hopper_attention_keys.cu: Sᵀ = K·Qᵀ, dPᵀ = V·dOᵀ, dV += Pᵀ·dO, dK += dSᵀ·Q
//   queries  hopper_attention_blocks.cu: dQ += dS·K
//
// Blocks of keys begin at position 0, with the context of a sequence that goes on from another (shared prompts): its
// own tiles of keys begin where one of these does, with keys that are the context's, and both write their rows of the
// block that has keys of both. Where the workspace does not hold the blocks of one kv head (a long document) the
// queries make dS again (hopper_attention_queries.cu).
//
// Limit: 10·D operations for each head, query and key it sees, and dS, 2 bytes for each of these, to memory and back.
// No card has run it yet.
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_backward.cuh"
#endif

namespace PRECISION
{

#if HOPPER_KERNELS

// How many kv heads' blocks of dS the workspace holds
static int64_t heads_at_a_time(const Attention *a)
{
    if (a->workspace == NULL || a->block_pairs == 0 || a->block_pairs * a->heads > INT32_MAX)
        return 0;
    return a->workspace_floats * (int64_t)sizeof(float) / (a->block_pairs * BLOCK_BYTES * (a->heads / a->kv_heads));
}

bool hopper_attention_backward(Stream *s, const AttentionBackward &backward, int64_t tokens)
{
    const Attention *a = &backward.a;
    if (!hopper_chosen("DEREASON_ATTENTION") || a->heads / a->kv_heads > HOPPER_ROWS)
        return false;
    int at_a_time = (int)min(heads_at_a_time(a), a->kv_heads), all = (int)a->kv_heads;
    if (at_a_time == 0) {
        hopper_attention_keys(s, HopperBackward{backward, NULL, 0, all, 0, 0}, tokens);
        hopper_attention_queries(s, backward, tokens);
        return true;
    }
    for (int first = 0; first < all; first += at_a_time) {
        HopperBackward b = {backward, (element *)a->workspace, first, min(at_a_time, all - first),
                            0,        (int)a->block_pairs};
        hopper_attention_keys(s, b, tokens);
        hopper_attention_blocks(s, b, tokens);
    }
    return true;
}

#elif PRECISION_BITS == 16

bool hopper_attention_backward(Stream *, const AttentionBackward &, int64_t) { return false; }

#endif

} // namespace PRECISION
