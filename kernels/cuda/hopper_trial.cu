// Before a run trusts the kernels for Hopper: do they have the bits of those for any card, here and now? Assemblers
// have got wgmma wrong without a word (lab/NOTES.md, 2026-11-29), and drivers compile and load what they please. When
// the card is opened a small ragged batch, a step of decoding and a few odd products are made both ways, and compared
// byte for byte. Where they differ the others are used, and the run says so. (What it takes no card has said yet.)
#include "kernels/cuda/hopper.h"
#include "kernels/cuda/product.cuh"
#include "kernels/decode_pieces.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace PRECISION
{

#if HOPPER_KERNELS

// One piece of the device's memory, given out from its start
struct Piece {
    char *start;
    size_t used;
    template <typename T> T *take(int64_t count)
    {
        T *p = (T *)(start + used);
        used += ((size_t)count * sizeof(T) + 255) / 256 * 256;
        return p;
    }
};

enum { PIECE_BYTES = 64 << 20 };

// Numbers of some spread, the same ones each time
static element *numbers(Piece *piece, int64_t count, uint32_t seed)
{
    element *x = piece->take<element>(count);
    uint16_t *host = (uint16_t *)malloc((size_t)count * sizeof *host);
    for (int64_t i = 0; host != NULL && i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        host[i] = (uint16_t)((seed >> 16 & 0x807f) | (uint32_t)(124 + (seed >> 12 & 3)) << 7);
    }
    if (host != NULL)
        device_upload(NULL, x, host, (size_t)count * sizeof *host);
    free(host);
    return x;
}

static bool the_other_way; // while the trial runs what it compares with

// Runs it both ways, with results in the same `bytes` of the device's memory.
template <typename Run> static bool same_bits(char *results, size_t bytes, const Run &run)
{
    char *host = (char *)malloc(2 * bytes);
    bool same = host != NULL;
    for (int way = 0; same && way < 2; way++) {
        the_other_way = way == 1;
        device_zero(NULL, results, bytes);
        run();
        the_other_way = false;
        same = device_download(NULL, host + way * bytes, results, bytes);
    }
    same = same && memcmp(host, host + bytes, bytes) == 0;
    free(host);
    return same;
}

// The first sequence is longer than a segment; under SIMT, where that takes a while, not: tests have longer ones.
#if defined(__CUDACC__)
enum { FIRST = 1100 };
#else
enum { FIRST = 130 };
#endif

// The second sequence goes on from it, as a response does from its prompt. workspace: whether dS has room to go through
// memory, of one kv head at a time, or the queries make it again
static bool attention_agrees(char *memory, int64_t D, bool workspace)
{
    enum { SEQUENCES = 3, SECOND = 69, T = FIRST + SECOND + 1, H = 4, KV = 2 };
    const int64_t blocks = pair_blocks(FIRST, 0) + pair_blocks(SECOND, FIRST) + pair_blocks(1, 0);
    // starts, contexts, their rows, and until where each is seen
    const int32_t about[4][SEQUENCES + 1] = {{0, FIRST, T - 1, T}, {0, FIRST, 0}, {0, 0, T - 1}, {T - 1, T - 1, T}};
    Piece piece = {memory, 0};
    int32_t *on_device = piece.take<int32_t>(4 * (SEQUENCES + 1));
    device_upload(NULL, on_device, about, sizeof about);
    const int64_t Q = H * D, K = Q + KV * D, ALL = K + KV * D; // q, k and v lie side by side, as a model has them
    auto side = [=](Tensor all, int64_t from, int64_t to) { return columns_of(all, from, to, sizeof(element)); };
    Tensor qkv = dense(numbers(&piece, T * ALL, 1), T, ALL), dout = dense(numbers(&piece, T * Q, 4), T, Q);
    Tensor q = side(qkv, 0, Q), k = side(qkv, Q, K), v = side(qkv, K, ALL);
    Attention a = {};
    a.sequences = SEQUENCES, a.heads = H, a.kv_heads = KV, a.head_width = D;
    a.starts = on_device, a.contexts = on_device + (SEQUENCES + 1), a.context_rows = on_device + 2 * (SEQUENCES + 1);
    a.seen_until = on_device + 3 * (SEQUENCES + 1), a.block_pairs = blocks;
    a.workspace_floats = blocks * 2048 * (H / KV);
    a.workspace = workspace ? piece.take<float>(a.workspace_floats) : NULL;
    float *delta = piece.take<float>(T * H);
    char *results = piece.take<char>(0);
    Tensor out = dense(piece.take<element>(T * Q), T, Q), dqkv = dense(piece.take<element>(T * ALL), T, ALL);
    float *logsumexp = piece.take<float>(T * H);
    return same_bits(results, (size_t)(memory + piece.used - results), [&] {
        attention_forward(NULL, out, logsumexp, q, k, v, &a);
        attention_backward(NULL, side(dqkv, 0, Q), side(dqkv, Q, K), side(dqkv, K, ALL), delta, dout, q, k, v, out,
                           logsumexp, &a);
    });
}

// Three sequences decode. The first two begin with the same pages, and have more rows than a piece has.
static bool decoding_agrees(char *memory, int64_t D)
{
    enum { S = 3, H = 20, PAGES = (FIRST + 100) / KEY_BLOCK + 1, SHARED = (FIRST / KEY_BLOCK + 1) / 2 };
    enum { SEGMENTS = PAGES * KEY_BLOCK / KEY_SEGMENT + 1, PIECES = 1 + S * (SEGMENTS + 1) * 2 };
    const int32_t starts[S + 1] = {0, 1, 2, 3}, contexts[S] = {FIRST, FIRST + 100, 60}, until[S] = {2, 2, 3},
                             shared[S] = {SHARED, SHARED, 0};
    int32_t table[S * PAGES];
    for (int i = 0; i < S * PAGES; i++)
        table[i] = i / PAGES == 1 && i % PAGES < SHARED ? i - PAGES : i;
    Attention a = {};
    a.sequences = S, a.heads = H, a.kv_heads = 1, a.head_width = D, a.pages_per_sequence = PAGES;
    a.starts = starts, a.contexts = contexts;
    a.shared_pages = shared, a.shared_until = until;
    DecodePiece list[PIECES];
    int64_t pieces = decode_pieces(list, &a), elements_of_pages = S * PAGES * KEY_BLOCK * D;
    Piece piece = {memory, 0};
    auto copied = [&](const void *from, size_t bytes) {
        char *to = piece.take<char>((int64_t)bytes);
        device_upload(NULL, to, from, bytes);
        return to;
    };
    a.starts = (int32_t *)copied(starts, sizeof starts);
    a.contexts = (int32_t *)copied(contexts, sizeof contexts);
    a.page_table = (int32_t *)copied(table, sizeof table);
    a.shared_pages = (int32_t *)copied(shared, sizeof shared);
    a.shared_until = (int32_t *)copied(until, sizeof until);
    a.pieces = (DecodePiece *)copied(list, (size_t)pieces * sizeof *list);
    a.key_pages = numbers(&piece, elements_of_pages, 8), a.value_pages = numbers(&piece, elements_of_pages, 9);
    a.workspace = piece.take<float>(S * H * SEGMENTS * (D + 2));
    Tensor q = dense(numbers(&piece, S * H * D, 10), S, H * D), none = {};
    char *results = piece.take<char>(0);
    Tensor out = dense(piece.take<element>(S * H * D), S, H * D);
    float *logsumexp = piece.take<float>(S * H);
    return same_bits(results, (size_t)(memory + piece.used - results),
                     [&] { attention_forward(NULL, out, logsumexp, q, none, none, &a); });
}

static bool products_agree(char *memory, HopperTiling tiling)
{
    const int64_t M = 200, N = 328, K = 264;
    Piece piece = {memory, 0};
    element *x = numbers(&piece, M * K, 5), *w = numbers(&piece, N * K, 6), *dy = numbers(&piece, M * N, 7);
    char *results = piece.take<char>(0);
    element *y = piece.take<element>(M * N), *dx = piece.take<element>(M * K);
    float *dw = piece.take<float>(N * K), *logits = piece.take<float>(M * N);
    const Product forward = {MATMUL_FORWARD, M, N, K, x, w, y, K, K, N, false, false},
                  head = {MATMUL_FORWARD, M, N, K, x, w, logits, K, K, N, true, false},
                  input = {MATMUL_BACKWARD_INPUT, M, K, N, dy, w, dx, N, K, K, false, false},
                  weight = {MATMUL_BACKWARD_WEIGHT, N, K, M, dy, x, dw, N, K, K, true, true};
    return same_bits(results, (size_t)(memory + piece.used - results), [&] {
        for (const Product *p : {&forward, &head, &input, &weight})
            if (!hopper_product_tiled(NULL, p, tiling))
                product_own(NULL, p);
    });
}

// Gate and up by two products, and SwiGLU behind them, against all three at once
static bool swiglu_agrees(char *memory, HopperTiling tiling)
{
    const int64_t T = 136, F = 200, C = 264;
    Piece piece = {memory, 0};
    element *x = numbers(&piece, T * C, 8), *w = numbers(&piece, 2 * F * C, 9), *gate = piece.take<element>(T * F),
            *up = piece.take<element>(T * F);
    char *results = piece.take<char>(0);
    element *y = piece.take<element>(T * F), *gate_up = piece.take<element>(T * 2 * F);
    const SwigluProduct swiglu = {T, F, C, x, w, gate_up, y, C, C, 2 * F, F};
    const Product both = {MATMUL_FORWARD, T, 2 * F, C, x, w, gate_up, C, C, 2 * F, false, false},
                  of_gate = {MATMUL_FORWARD, T, F, C, x, w, gate, C, C, F, false, false},
                  of_up = {MATMUL_FORWARD, T, F, C, x, w + F * C, up, C, C, F, false, false};
    return same_bits(results, (size_t)(memory + piece.used - results), [&] {
        if (hopper_swiglu_tiled(NULL, &swiglu, tiling))
            return;
        for (const Product *p : {&both, &of_gate, &of_up})
            product_own(NULL, p);
        swiglu_forward(NULL, dense(y, T, F), dense(gate, T, F), dense(up, T, F));
    });
}

// Of few rows: one and several warpgroups and columns of tiles, into bf16 and fp32, and with SwiGLU
static bool few_rows_agree(char *memory)
{
    const int64_t N = 328, K = 264;
    Piece piece = {memory, 0};
    element *x = numbers(&piece, HOPPER_FEW_ROWS * K, 8), *w = numbers(&piece, 2 * N * K, 9);
    char *results = piece.take<char>(0);
    bool agree = true;
    for (int64_t M : {5, 60, 150}) {
        piece.used = (size_t)(results - memory);
        element *y = piece.take<element>(M * N), *hidden = piece.take<element>(M * N),
                *gate_up[2] = {piece.take<element>(M * N), piece.take<element>(M * N)};
        size_t kept = (size_t)((char *)gate_up[0] - results); // gate and up alone are made one way only
        float *logits = piece.take<float>(M * N);
        auto product = [&](void *c, const element *weight, bool is_float) {
            const Product p = {MATMUL_FORWARD, M, N, K, x, weight, c, K, K, N, is_float, is_float};
            if (!hopper_few_rows(NULL, &p))
                product_own(NULL, &p);
        };
        agree = agree && same_bits(results, kept, [&] {
                    const Product p = {MATMUL_FORWARD, M, N, K, x, w, hidden, K, K, N, false, false};
                    product(y, w, false);
                    if (hopper_few_rows_swiglu(NULL, &p))
                        return;
                    product(gate_up[0], w, false);
                    product(gate_up[1], w + N * K, false);
                    swiglu_forward(NULL, dense(hidden, M, N), dense(gate_up[0], M, N), dense(gate_up[1], M, N));
                });
        agree = agree && same_bits((char *)logits, (size_t)(M * N) * sizeof(float), [&] { product(logits, w, true); });
    }
    return agree;
}

static bool attention_differs, products_differ;

bool hopper_differs(const char *variable)
{
    return the_other_way || (strcmp(variable, "DEREASON_MATMUL") == 0 ? products_differ : attention_differs);
}

void hopper_try(void)
{
    static bool tried;
    char *memory = NULL;
    bool attention = hopper_chosen("DEREASON_ATTENTION"), products = hopper_chosen("DEREASON_MATMUL");
    if (tried || (!attention && !products))
        return;
    tried = true;
    if (cudaMalloc((void **)&memory, PIECE_BYTES) != cudaSuccess) {
        cudaGetLastError(); // without room for a trial nothing is trusted
        attention_differs = products_differ = true;
        return;
    }
    if (attention)
        attention_differs = !attention_agrees(memory, 64, true) || !attention_agrees(memory, 128, true) ||
                            !attention_agrees(memory, 128, false) || !decoding_agrees(memory, 64) ||
                            !decoding_agrees(memory, 128);
    products_differ = products && !few_rows_agree(memory);
    for (HopperTiling tiling : {HopperTiling{false, false}, {false, true}, {true, false}, {true, true}})
        if (products && !(products_agree(memory, tiling) && swiglu_agrees(memory, tiling)))
            products_differ = true;
    cudaFree(memory);
    const char *const what[2] = {attention_differs ? "attention" : NULL, products_differ ? "our matrix product" : NULL};
    for (const char *name : what)
        if (name != NULL)
            fprintf(stderr,
                    "note: %s by wgmma has not the bits of mma.sync on this card: mma.sync is used, which is slower\n",
                    name);
}

#elif PRECISION_BITS == 16

void hopper_try(void) {}
bool hopper_differs(const char *) { return false; }

#endif

} // namespace PRECISION
