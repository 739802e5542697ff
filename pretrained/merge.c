// Adapters added up: see merge.h.
#include "pretrained/merge.h"
#include <stdlib.h>

// Which matrix of which layer the tensor is; false: none that has an adapter.
static bool find_adapter(const Merge *m, int64_t tensor, const Parameter **a, const Parameter **b)
{
    int64_t place = tensor - m->own->first_layer, layer = place / m->own->per_layer;
    if (place < 0 || tensor >= m->own->final_norm)
        return false;
    for (int i = 0; i < LAYER_TENSORS; i++)
        if (m->adapters->on[i] && m->own->in_layer[i] == place % m->own->per_layer) {
            *a = adapter_a(m->learned, layer, (LayerTensor)i);
            *b = adapter_b(m->learned, m->adapters, layer, (LayerTensor)i);
            return true;
        }
    return false;
}

static bool read_whole(const Merge *m, const Parameter *p, float **out)
{
    int64_t count = parameter_elements(p);
    free(*out);
    *out = allocate((size_t)count, sizeof **out);
    return *out != NULL && m->learned_source(m->context, p - m->learned->list, 0, count, *out);
}

// Columns from .. to - 1 of row `row`
static void add_row(const Merge *m, float *out, const float *b, int64_t columns, int64_t from, int64_t to)
{
    enum { PIECE = 256 };
    for (int64_t first = from; first < to; first += PIECE) {
        float sum[PIECE] = {0};
        int64_t n = smaller(PIECE, to - first);
        for (int64_t r = 0; r < m->adapters->rank; r++)
            for (int64_t c = 0; c < n; c++)
                sum[c] += b[r] * m->a[r * columns + first + c];
        for (int64_t c = 0; c < n; c++)
            out[first - from + c] += (float)m->adapters->scale * sum[c];
    }
}

bool merge_read(void *merge, int64_t tensor, int64_t first, int64_t count, float *out)
{
    Merge *m = merge;
    const Parameter *a, *b;
    TRY(m->own_source(m->context, tensor, first, count, out));
    if (!find_adapter(m, tensor, &a, &b))
        return true;
    if (m->held != tensor + 1)
        TRY(read_whole(m, a, &m->a) && read_whole(m, b, &m->b));
    m->held = tensor + 1;
    int64_t columns = a->columns, last = (first + count - 1) / columns;
#pragma omp parallel for schedule(static)
    for (int64_t row = first / columns; row <= last; row++) {
        int64_t begin = row * columns, from = larger(first, begin), to = smaller(first + count, begin + columns);
        add_row(m, out + (from - first), m->b + row * m->adapters->rank, columns, from - begin, to - begin);
    }
    return true;
}

void merge_close(Merge *m)
{
    free(m->a);
    free(m->b);
    *m = (Merge){0};
}
