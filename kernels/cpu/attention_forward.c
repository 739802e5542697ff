// Causal attention over ragged batches, forward, never a T×T array (Dao 2023, FlashAttention-2).
//
// A task is (sequence, kv head, tile of queries); its rows are the tile's queries of every head of the group, so a
// block of keys is packed once for all of them (in pages it is packed already). What a task does with a block is in
// attention_block.h; a sequence that decodes over more than a segment, or with others, has tasks of attention_decode.h.
#include "kernels/cpu/attention_decode.h"

static void tile_task(ForwardTile *w, const Results *results, Tensor q, const KeyView *view, int64_t first,
                      int64_t queries)
{
    const Attention *a = view->a;
    int64_t D = a->head_width, last = a->contexts[view->sequence] + first + queries - 1;
    load_queries(w, q, view, first, queries, last);
    for (int64_t r = 0; r < w->rows; r++)
        w->all[r] = (RowState){-__builtin_inff(), 0};
    memset(w->total, 0, (size_t)(w->rows * w->padded) * sizeof(float));
    for (int64_t block = 0; block <= last / KEY_BLOCK; block++) {
        if (block % SEGMENT_BLOCKS == 0)
            start_segment(w);
        forward_block(w, view, block, 1.0f / sqrtf((float)D));
        if ((block + 1) % SEGMENT_BLOCKS == 0 || block == last / KEY_BLOCK)
            merge_segment(w);
    }
    for (int64_t r = 0; r < w->rows; r++)
        put_row(results, result_row(view, first, r), w->total + r * w->padded, w->all[r], D);
}

// Tasks of one sequence; parts: see parts_of
static int64_t tasks_of(const Attention *a, int64_t sequence, int64_t parts)
{
    int64_t queries = a->starts[sequence + 1] - a->starts[sequence];
    return segments_apart(a, sequence) > 0 ? pieces_of(a, sequence, parts)
                                           : a->kv_heads * ceil_divide(queries, TILE_QUERIES);
}

// Of tiles the last, which sees most, comes first.
static void run_task(ForwardTile *w, const Results *results, Tensor q, Tensor k, Tensor v, const Attention *a,
                     int64_t sequence, int64_t number, int64_t parts)
{
    if (segments_apart(a, sequence) > 0) {
        run_piece(w, q, a, sequence, number, parts);
        return;
    }
    int64_t queries = a->starts[sequence + 1] - a->starts[sequence], tiles = ceil_divide(queries, TILE_QUERIES);
    KeyView view = key_view(a, k, v, sequence, number % a->kv_heads);
    int64_t first = (tiles - 1 - number / a->kv_heads) * TILE_QUERIES;
    tile_task(w, results, q, &view, first, smaller(queries - first, TILE_QUERIES));
}

static void cpu_attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v,
                                  const Attention *who)
{
    assert(q.columns == who->heads * who->head_width && who->head_width % 2 == 0 && who->heads % who->kv_heads == 0);
    assert(is_dense(out));
    Results results = {out.data, logsumexp};
    const Attention worth = with_company_worth_it(who), *a = &worth;
    bool apart = false;
    int64_t tasks = 0;
    for (int64_t sequence = 0; sequence < a->sequences; sequence++) {
        apart = apart || segments_apart(a, sequence) > 0;
        tasks += tasks_of(a, sequence, 1);
    }
    int64_t parts = ceil_divide(omp_get_max_threads(), tasks > 0 ? tasks : 1);
#pragma omp parallel
    {
        ForwardTile w = forward_tile(a);
        for (int64_t sequence = 0; sequence < a->sequences; sequence++) {
            int64_t number = tasks_of(a, sequence, parts);
#pragma omp for schedule(dynamic, 1) nowait
            for (int64_t task = 0; task < number; task++)
                run_task(&w, &results, q, k, v, a, sequence, task, parts);
        }
        if (apart) {
#pragma omp barrier
#pragma omp for schedule(dynamic, 1)
            for (int64_t task = 0; task < a->sequences * a->kv_heads; task++)
                finish_sequence(&w, &results, q, a, task / a->kv_heads, task % a->kv_heads);
        }
    }
}
