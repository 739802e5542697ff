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
