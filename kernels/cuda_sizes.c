// The CUDA backend as a plan of memory sees it: see cuda_sizes.h.
#include "kernels/cuda_sizes.h"
#include <stdlib.h>
#include <string.h>

bool cuda_precision(bool *parity)
{
    const char *wanted = getenv("DEREASON_CUDA");
    *parity = wanted != NULL && strcmp(wanted, "fp32") == 0;
    return wanted == NULL || *parity || strcmp(wanted, "bf16") == 0 ||
           fail("DEREASON_CUDA=%s: not a precision of the CUDA backend; unset it, or take bf16 or fp32", wanted);
}

static int64_t page_elements(int64_t kv_heads, int64_t head_width) { return kv_heads * KEY_BLOCK * head_width; }

static int64_t attention_workspace(int64_t sequences, int64_t positions, int64_t heads, int64_t head_width)
{
    return sequences * heads * ceil_divide(positions, KEY_SEGMENT) * (head_width + 2);
}

static int64_t sample_workspace(int64_t rows, int64_t vocabulary) { return cuda_chunk(rows) * cuda_pitch(vocabulary); }

// Logits in fp32, and behind them their gradients in the activation type.
static int64_t head_workspace_bf16(int64_t rows, int64_t vocabulary, int64_t width)
{
    return sample_workspace(rows, vocabulary) + cuda_block(rows) * cuda_pitch(vocabulary) / 2;
}

static int64_t head_workspace_fp32(int64_t rows, int64_t vocabulary, int64_t width)
{
    return sample_workspace(rows, vocabulary) + cuda_block(rows) * cuda_pitch(vocabulary);
}

// ---- cuDNN's attention

int64_t power_of_two(int64_t n)
{
    int64_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

int64_t cudnn_tokens(int64_t tokens)
{
    int64_t step = power_of_two(tokens) / 8;
    return tokens <= 1024 ? 1024 : ceil_divide(tokens, step) * step;
}

int64_t cudnn_layout_bytes(int64_t sequences)
{
    return 9 * (sequences + 1) * (int64_t)sizeof(int64_t) + sequences * (int64_t)sizeof(int32_t);
}

// What backward plans of 9.28.1 ask for, with gradients that lie side by side: the queries' in fp32; with grouped heads
// also dK and dV of every query head in bf16, with the pitch of a row times the group; a sum for each row; and some
// bytes for each sequence. A plan that asks for more gets it besides.
static int64_t cudnn_room(int64_t tokens, int64_t sequences, int64_t heads, int64_t kv_heads, int64_t head_width)
{
    int64_t row = (heads + 2 * kv_heads) * head_width, group = heads / kv_heads, S = power_of_two(sequences);
    int64_t each = row * 4 + (group > 1 ? 2 * group * row * 2 : 0) + heads * 4;
    int64_t bytes = cudnn_tokens(tokens) * each + S * 512 + (64 << 10) + cudnn_layout_bytes(S);
    return ceil_divide(bytes, sizeof(float));
}

void cudnn_sizes(Kernels *k)
{
    k->inexact = "attention in training is cuDNN's: a row's bits may depend on the batch around it, gradients on the "
                 "run, and log-probabilities of training are near those of sampling instead of the same";
    k->arithmetic = "bf16, CUDA; attention by cuDNN, exact = false";
    k->attention_room = cudnn_room;
}

// ---- all of the backend

void cuda_sizes(Kernels *k, bool parity)
{
    static const int64_t HEAD_WIDTHS[] = {64, 128, 0};
    k->name = parity ? "cuda-fp32" : "cuda-bf16";
    k->arithmetic = parity ? "fp32, CUDA" : "bf16, CUDA";
    k->activation_size = parity ? sizeof(float) : sizeof(uint16_t);
    k->column_multiple = 8;
    k->widest = 8192;
    k->head_widths = HEAD_WIDTHS;
    k->on_gpu = true;
    k->page_elements = page_elements;
    k->attention_workspace = attention_workspace;
    k->head_workspace = parity ? head_workspace_fp32 : head_workspace_bf16;
    k->sample_workspace = sample_workspace;
}
