// Merging. A short word is an array that is searched repeatedly for its lowest rank; a long one is a linked list with a
// heap of its pairs, so that a megabyte without a space costs n log n. Both give the same ids
// (test/unit/test_tokenizer_bpe.c).
#include "tokenizer/bpe.h"
#include <stdlib.h>
#include <string.h>

enum { SHORT_WORD = 40 }; // bytes; beyond it the heap is faster
static const uint32_t NO_RANK = UINT32_MAX;

struct BpeNode {
    int32_t id, previous, next; // positions in the word, -1 at its ends
    uint32_t rank;              // of the pair (this, next); NO_RANK if it does not merge or is gone
};

static size_t slot_of(const Bpe *bpe, int32_t left, int32_t right)
{
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    return (size_t)(key ^ key >> 32) & bpe->mask;
}

static uint32_t rank_of(const Bpe *bpe, int32_t left, int32_t right)
{
    for (size_t i = slot_of(bpe, left, right);; i = (i + 1) & bpe->mask) {
        const BpePair *pair = &bpe->pairs[i];
        if (pair->left == left && pair->right == right)
            return pair->rank;
        if (pair->left < 0)
            return NO_RANK;
    }
}

bool bpe_open(Bpe *bpe, size_t merges)
{
    size_t slots = 16;
    while (slots < 2 * merges) // merges come from a file that fits in memory: no overflow
        slots *= 2;
    *bpe = (Bpe){.mask = slots - 1, .limit = merges};
    TRY(bpe->pairs = allocate(slots, sizeof *bpe->pairs));
    TRY(bpe->merged = allocate(merges, sizeof *bpe->merged));
    for (size_t i = 0; i < slots; i++)
        bpe->pairs[i].left = -1;
    return true;
}

bool bpe_add(Bpe *bpe, int32_t left, int32_t right, int32_t merged)
{
    if (bpe->count == bpe->limit)
        return fail("more merges than the %zu announced", bpe->limit);
    if (rank_of(bpe, left, right) != NO_RANK)
        return fail("this pair has been merged already");
    size_t i = slot_of(bpe, left, right);
    while (bpe->pairs[i].left >= 0)
        i = (i + 1) & bpe->mask;
    bpe->pairs[i] = (BpePair){left, right, (uint32_t)bpe->count};
    bpe->merged[bpe->count++] = merged;
    return true;
}

void bpe_close(Bpe *bpe)
{
    free(bpe->pairs);
    free(bpe->merged);
    *bpe = (Bpe){0};
}

void bpe_scratch_free(BpeScratch *scratch)
{
    free(scratch->nodes);
    free(scratch->heap);
    *scratch = (BpeScratch){0};
}

static size_t short_word(const Bpe *bpe, BpeScratch *scratch, int32_t *ids, const uint8_t *word, size_t size)
{
    uint32_t ranks[SHORT_WORD];
    for (size_t i = 0; i < size; i++)
        ids[i] = bpe->of_byte[word[i]];
    for (size_t i = 0; i + 1 < size; i++)
        ranks[i] = rank_of(bpe, ids[i], ids[i + 1]);
    for (;;) {
        size_t best = 0;
        uint32_t rank = NO_RANK;
        for (size_t i = 0; i + 1 < size; i++)
            if (ranks[i] < rank) {
                rank = ranks[i];
                best = i;
            }
        scratch->steps += size;
        if (rank == NO_RANK)
            return size;
        ids[best] = bpe->merged[rank];
        size--;
        memmove(ids + best + 1, ids + best + 2, (size - best - 1) * sizeof *ids);
        if (best + 1 < size) {
            memmove(ranks + best + 1, ranks + best + 2, (size - best - 1) * sizeof *ranks);
            ranks[best] = rank_of(bpe, ids[best], ids[best + 1]);
        }
        if (best > 0)
            ranks[best - 1] = rank_of(bpe, ids[best - 1], ids[best]);
    }
}

// ---- the heap: rank << 32 | position, smallest first, so that the leftmost of equal ranks comes first

static void sift_down(uint64_t *heap, size_t count, size_t i, uint64_t *steps)
{
    uint64_t entry = heap[i];
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        (*steps)++;
        if (entry <= heap[child])
            break;
        heap[i] = heap[child];
    }
    heap[i] = entry;
}

static void sift_up(uint64_t *heap, size_t i, uint64_t *steps)
{
    uint64_t entry = heap[i];
    for (; i > 0 && entry < heap[(i - 1) / 2]; i = (i - 1) / 2) {
        heap[i] = heap[(i - 1) / 2];
        (*steps)++;
    }
    heap[i] = entry;
}

// Looks up the pair that begins at position i and queues it again. The heap has room: two look-ups per merge and one
// per byte.
static void look(const Bpe *bpe, BpeScratch *scratch, size_t *count, int32_t i)
{
    BpeNode *node = &scratch->nodes[i];
    node->rank = node->next < 0 ? NO_RANK : rank_of(bpe, node->id, scratch->nodes[node->next].id);
    scratch->steps++;
    if (node->rank != NO_RANK) {
        scratch->heap[*count] = (uint64_t)node->rank << 32 | (uint32_t)i;
        sift_up(scratch->heap, (*count)++, &scratch->steps);
    }
}

static void merge_at(const Bpe *bpe, BpeScratch *scratch, size_t *count, int32_t i)
{
    BpeNode *nodes = scratch->nodes, *node = &nodes[i], *gone = &nodes[node->next];
    node->id = bpe->merged[node->rank];
    node->next = gone->next;
    gone->rank = NO_RANK; // its entries in the heap are stale now
    if (node->next >= 0)
        nodes[node->next].previous = i;
    look(bpe, scratch, count, i);
    if (node->previous >= 0)
        look(bpe, scratch, count, node->previous);
}

static bool long_word(const Bpe *bpe, BpeScratch *scratch, int32_t *ids, size_t *count, const uint8_t *word,
                      size_t size)
{
    TRY(grow(&scratch->nodes, &scratch->node_capacity, size, sizeof *scratch->nodes));
    TRY(grow(&scratch->heap, &scratch->heap_capacity, 3 * size, sizeof *scratch->heap));
    BpeNode *nodes = scratch->nodes;
    size_t queued = 0;
    for (size_t i = 0; i < size; i++)
        nodes[i] = (BpeNode){bpe->of_byte[word[i]], (int32_t)i - 1, i + 1 < size ? (int32_t)i + 1 : -1, NO_RANK};
    for (size_t i = 0; i + 1 < size; i++)
        look(bpe, scratch, &queued, (int32_t)i);
    while (queued > 0) {
        uint64_t top = scratch->heap[0];
        scratch->heap[0] = scratch->heap[--queued];
        sift_down(scratch->heap, queued, 0, &scratch->steps);
        bool stands = nodes[(uint32_t)top].rank == (uint32_t)(top >> 32); // a rank names its pair
        if (stands)
            merge_at(bpe, scratch, &queued, (int32_t)(uint32_t)top);
    }
    *count = 0;
    for (int32_t i = 0; i >= 0; i = nodes[i].next)
        ids[(*count)++] = nodes[i].id;
    return true;
}

bool bpe_word(const Bpe *bpe, BpeScratch *scratch, int32_t *ids, size_t *count, const uint8_t *word, size_t size)
{
    if (size > SHORT_WORD)
        return long_word(bpe, scratch, ids, count, word, size);
    *count = short_word(bpe, scratch, ids, word, size);
    return true;
}
