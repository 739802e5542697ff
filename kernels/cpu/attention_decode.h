// Decoding: sequences with one new token over keys in pages. A task is a piece, one segment of one kv head: of one
// sequence, or of neighbours that share its pages (Attention.shared_pages), whose rows make one tile, so that a page
// comes from memory once for all of them. Sums go to the workspace, and are merged when all are there, in the order
// that a tile of one sequence would have. Where only the beginning of a segment is shared, each sequence goes on from
// the sums that the piece has left: the same chain, stopped between two blocks.
#ifndef KERNELS_CPU_ATTENTION_DECODE_H
#define KERNELS_CPU_ATTENTION_DECODE_H

#include "kernels/cpu/attention_block.h"
#include <omp.h>

enum { MEETING_ELEMENTS = 1 << 18 };

static const Tensor NO_ROWS = {0}; // keys are in pages

// What a sequence reads with its neighbours. The first of them stands for all.
typedef struct Company {
    int64_t pages, segments; // that they share; segments that begin with them
    int64_t sequences;       // how many they are; 0 where it is another that stands for them
} Company;

static Company company_of(const Attention *a, int64_t sequence)
{
    if (a->shared_pages == NULL)
        return (Company){0};
    int64_t pages = a->shared_pages[sequence];
    bool first = sequence == 0 || a->shared_until[sequence - 1] == sequence;
    return (Company){pages, ceil_divide(pages, SEGMENT_BLOCKS), first ? a->shared_until[sequence] - sequence : 0};
}

// Sequences in company make the threads meet once more, which has to be worth the keys that are not read again: from
// MEETING_ELEMENTS numbers for each thread but the first two threads lose nothing, however short the contexts.
static Attention with_company_worth_it(const Attention *a)
{
    Attention worth = *a;
    int64_t saved = 0;
    for (int64_t sequence = 0; sequence < a->sequences; sequence++) {
        Company company = company_of(a, sequence);
        saved += company.sequences > 0 ? 0 : company.pages * cpu_page_elements(a->kv_heads, a->head_width);
    }
    if (saved < MEETING_ELEMENTS * (omp_get_max_threads() - 1))
        worth.shared_pages = worth.shared_until = NULL;
    return worth;
}

static int64_t segments_at_most(const Attention *a) { return ceil_divide(a->pages_per_sequence, SEGMENT_BLOCKS); }

// Segments of a sequence that decodes in pieces; 0: it has no company and no second segment, or is a tile.
static int64_t segments_apart(const Attention *a, int64_t sequence)
{
    if (a->key_pages == NULL || a->starts[sequence + 1] - a->starts[sequence] != 1)
        return 0;
    int64_t segments = a->contexts[sequence] / KEY_SEGMENT + 1;
    return segments > 1 || company_of(a, sequence).pages > 0 ? segments : 0;
}

// Where the workspace has the sums of a segment: m, l, and the weighted values (padded). row: of (S, H)
static float *segment_sums(const Attention *a, int64_t row, int64_t segment)
{
    return a->workspace + (row * segments_at_most(a) + segment) * (padded_width(a->head_width) + 2);
}

static int64_t cpu_attention_workspace(int64_t sequences, int64_t positions, int64_t heads, int64_t head_width)
{
    return sequences * heads * ceil_divide(positions, KEY_SEGMENT) * (padded_width(head_width) + 2);
}

// Blocks from `block` to the end of its segment, or to `last`, the last position that the rows see: those of
// `sequences` neighbours, the first of which is the view's.
static void piece_task(ForwardTile *w, Tensor q, const KeyView *view, int64_t sequences, int64_t block, int64_t last)
{
    const Attention *a = view->a;
    int64_t group = a->heads / a->kv_heads, row = view->sequence * a->heads + view->kv_head * group;
    int64_t segment = block / SEGMENT_BLOCKS;
    bool anew = block % SEGMENT_BLOCKS == 0;
    load_queries(w, q, view, 0, sequences, last);
    start_segment(w);
    for (int64_t r = 0; !anew && r < w->rows; r++) {
        const float *sums = segment_sums(a, row + r / group * a->heads + r % group, segment);
        memcpy(&w->now[r], sums, sizeof w->now[r]);
        memcpy(w->segment + r * w->padded, sums + 2, (size_t)w->padded * sizeof(float));
    }
    for (; block <= last / KEY_BLOCK && block / SEGMENT_BLOCKS == segment; block++)
        forward_block(w, view, block, 1.0f / sqrtf((float)a->head_width));
    for (int64_t r = 0; r < w->rows; r++) {
        float *sums = segment_sums(a, row + r / group * a->heads + r % group, segment);
        memcpy(sums, &w->now[r], sizeof w->now[r]);
        memcpy(sums + 2, w->segment + r * w->padded, (size_t)w->padded * sizeof(float));
    }
}

// ---- pieces of all sequences, numbered through

// Tasks that a shared segment is dealt into for each kv head: one, but enough for all threads, and each fits a tile.
static int64_t parts_of(const Company *company, int64_t parts)
{
    int64_t fitting = ceil_divide(company->sequences, TILE_QUERIES);
    return smaller(parts > fitting ? parts : fitting, company->sequences);
}

// Those that need nothing of another piece
static int64_t pieces_of(const Attention *a, int64_t sequence, int64_t parts)
{
    Company company = company_of(a, sequence);
    return a->kv_heads *
           (company.segments * parts_of(&company, parts) + segments_apart(a, sequence) - company.segments);
}

static void run_piece(ForwardTile *w, Tensor q, const Attention *a, int64_t sequence, int64_t number, int64_t parts)
{
    Company company = company_of(a, sequence);
    int64_t index = number / a->kv_heads, each = parts_of(&company, parts), together = company.segments * each;
    if (index >= together) {
        KeyView view = key_view(a, NO_ROWS, NO_ROWS, sequence, number % a->kv_heads);
        piece_task(w, q, &view, 1, (company.segments + index - together) * SEGMENT_BLOCKS, a->contexts[sequence]);
        return;
    }
    int64_t begin = company.sequences * (index % each) / each, end = company.sequences * (index % each + 1) / each;
    KeyView view = key_view(a, NO_ROWS, NO_ROWS, sequence + begin, number % a->kv_heads);
    piece_task(w, q, &view, end - begin, index / each * SEGMENT_BLOCKS, company.pages * KEY_BLOCK - 1);
}

static void merge_segments(ForwardTile *w, const Results *results, const Attention *a, int64_t sequence, int64_t head)
{
    RowState all = {-__builtin_inff(), 0};
    memset(w->total, 0, (size_t)w->padded * sizeof(float));
    for (int64_t segment = 0; segment < segments_apart(a, sequence); segment++) {
        const float *sums = segment_sums(a, sequence * a->heads + head, segment);
        merge_row(w->total, &all, sums + 2, (RowState){sums[0], sums[1]}, w->padded);
    }
    put_row(results, (int64_t)a->starts[sequence] * a->heads + head, w->total, all, a->head_width);
}

// When the pieces are there: what is left of a segment that began with shared pages, then all segments are merged.
static void finish_sequence(ForwardTile *w, const Results *results, Tensor q, const Attention *a, int64_t sequence,
                            int64_t kv_head)
{
    int64_t pages = company_of(a, sequence).pages, group = a->heads / a->kv_heads;
    KeyView view = key_view(a, NO_ROWS, NO_ROWS, sequence, kv_head);
    if (segments_apart(a, sequence) == 0)
        return;
    if (pages % SEGMENT_BLOCKS != 0)
        piece_task(w, q, &view, 1, pages, a->contexts[sequence]);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head++)
        merge_segments(w, results, a, sequence, head);
}

#endif
