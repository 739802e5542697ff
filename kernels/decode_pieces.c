// The list of pieces that decoding takes: see decode_pieces.h. Pieces are sorted by counting, for none is longer than
// the pages of a segment; those of one length stay in the order of sequences.
#include "kernels/decode_pieces.h"

enum { SEGMENT_PAGES = KEY_SEGMENT / KEY_BLOCK };

typedef struct Sorter {
    DecodePiece *list;               // NULL: they are only counted
    int64_t next[SEGMENT_PAGES + 1]; // by length: how many there are, then the place of the next one
    int32_t group, rows;
} Sorter;

int64_t decode_pieces_most(int64_t sequences, int64_t positions, int64_t group)
{
    return 1 + sequences * (ceil_divide(positions, KEY_SEGMENT) + 1) * ceil_divide(group, DECODE_ROWS);
}

// A segment's `pages`, read by so many sequences: as many pieces as their rows need.
static void put(Sorter *sorter, int64_t pages, DecodePiece piece)
{
    for (piece.first_row = 0; piece.first_row < piece.sequences * sorter->group; piece.first_row += sorter->rows) {
        int64_t place = sorter->next[pages]++;
        if (sorter->list != NULL)
            sorter->list[place] = piece;
    }
}

// Of each segment of pages first .. end - 1 what is among them.
static void put_segments(Sorter *sorter, int32_t first, int32_t end, DecodePiece piece)
{
    for (piece.segment = first / SEGMENT_PAGES; first < end; piece.segment++) {
        int32_t next = (int32_t)smaller((piece.segment + 1) * SEGMENT_PAGES, end);
        put(sorter, next - first, piece);
        first = next;
    }
}

// together: what companies read; otherwise what each sequence reads for itself.
static void put_all(Sorter *sorter, const Attention *a, bool together)
{
    for (int32_t s = 0; s < (int32_t)a->sequences; s++) {
        int32_t pages = a->contexts[s] / KEY_BLOCK + 1, shared = a->shared_pages == NULL ? 0 : a->shared_pages[s];
        if (a->starts[s + 1] - a->starts[s] != 1)
            continue;
        if (!together)
            put_segments(sorter, shared, pages, (DecodePiece){s, 1, 0, 0});
        else if (shared > 0 && (s == 0 || a->shared_until[s - 1] == s))
            put_segments(sorter, 0, shared, (DecodePiece){s, a->shared_until[s] - s, 0, 0});
    }
}

// Returns how many there are; their places begin at `first`.
static int64_t sort(DecodePiece *list, int64_t first, const Attention *a, int32_t rows, bool together)
{
    Sorter sorter = {NULL, {0}, (int32_t)(a->heads / a->kv_heads), rows};
    int64_t end = first;
    put_all(&sorter, a, together);
    for (int pages = SEGMENT_PAGES; pages > 0; pages--) {
        int64_t count = sorter.next[pages];
        sorter.next[pages] = end;
        end += count;
    }
    sorter.list = list;
    put_all(&sorter, a, together);
    return end - first;
}

int64_t decode_pieces(DecodePiece *list, const Attention *a)
{
    int64_t together = a->shared_pages == NULL ? 0 : sort(list, 1, a, 2 * DECODE_ROWS, true),
            own = sort(list, 1 + together, a, DECODE_ROWS, false);
    list[0] = (DecodePiece){(int32_t)together, (int32_t)own, 0, 0};
    return 1 + together + own;
}
