// Records are collected in one block of memory with an array of where they begin. When the block is full it is sorted and becomes a
// run: a stretch of one unnamed file. At the end the runs are merged, several at a time if there are more than read buffers, each
// merge reading its runs in pieces. Ties are broken by the order in which records were added: the number is part of the comparison
// within a run, and of several runs the earlier one wins.
#include "data/sorter.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD = 4, ALIGN = 8, LEAST_BUFFER = 64 << 10, MOST_BUFFER = 4 << 20, LEAST_MEMORY = 1 << 20 };

// A record lies in memory and in a run as its size (4 bytes), its key, then padding to ALIGN, its data, padding to ALIGN.
typedef struct Item {
    uint64_t prefix; // the first bytes of the key, big-endian, so that most comparisons need no more
    size_t at;       // in the block
} Item;

typedef struct Run {
    uint64_t begin, end; // in the file
} Run;

typedef struct Source { // a run that is being merged
    uint64_t next, end; // what is not read yet
    uint8_t *buffer;    // (capacity)
    size_t begin, filled, capacity;
} Source;

struct Sorter {
    char *folder;
    size_t key_size, memory;
    int file; // -1: none yet
    uint64_t written;
    uint8_t *block;
    size_t size, capacity;
    Item *items;
    size_t count, item_capacity, next; // next: of a sort that is all in memory
    Run *runs;
    size_t run_count, run_capacity;
    uint64_t runs_written;
    bool sorted;
    Source *sources; // (run_count) of the last merge
    size_t *heap;    // (heap_size) numbers of sources
    size_t heap_size;
    size_t current; // the source whose record was given last; run_count: none
};

static size_t aligned(size_t size) { return (size + ALIGN - 1) / ALIGN * ALIGN; }
static size_t data_at(const Sorter *s) { return aligned(HEAD + s->key_size); } // in a record
static size_t record_size(const Sorter *s, size_t data) { return data_at(s) + aligned(data); }

static uint32_t size_at(const uint8_t *record)
{
    uint32_t size;
    memcpy(&size, record, sizeof size);
    return size;
}

Sorter *sorter_open(const char *folder, size_t key_size, size_t memory)
{
    Sorter *s = allocate(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (Sorter){.folder = copy_text(folder), .key_size = key_size, .memory = memory, .file = -1};
    if (memory < LEAST_MEMORY)
        s->memory = LEAST_MEMORY;
    if (s->folder != NULL)
        return s;
    sorter_close(s);
    return NULL;
}

static void close_sources(Sorter *s)
{
    for (size_t i = 0; s->sources != NULL && i < s->run_count; i++)
        free(s->sources[i].buffer);
    free(s->sources);
    free(s->heap);
    s->sources = NULL;
    s->heap = NULL;
    s->heap_size = 0;
}

void sorter_close(Sorter *s)
{
    if (s == NULL)
        return;
    close_sources(s);
    if (s->file >= 0)
        close(s->file); // it has no name: that is its end
    free(s->folder);
    free(s->block);
    free(s->items);
    free(s->runs);
    free(s);
}

uint64_t sorter_runs(const Sorter *s) { return s->runs_written; }

// ---- runs

static bool open_file(Sorter *s)
{
    if (s->file >= 0)
        return true;
    s->file = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->file >= 0)
        return true;
    char *path = path_join(s->folder, "sort-XXXXXX"); // a file system without unnamed files
    TRY(path != NULL);
    s->file = mkostemp(path, O_CLOEXEC);
    bool ok = s->file >= 0 || fail_errno("%s: making a temporary file for sorting", s->folder);
    if (ok)
        unlink(path);
    free(path);
    return ok;
}

static bool write_file(Sorter *s, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t piece = size < (size_t)1 << 26 ? size : (size_t)1 << 26;
        ssize_t n = pwrite(s->file, data, piece, (off_t)s->written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno("%s: writing the sort's temporary file after %" PRIu64
                              " bytes; free some space there and run again",
                              s->folder, s->written);
        data += n;
        size -= (size_t)n;
        s->written += (uint64_t)n;
    }
    return true;
}

static int compare_items(const void *a, const void *b, void *sorter)
{
    const Sorter *s = sorter;
    const Item *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    int order = memcmp(s->block + x->at + HEAD, s->block + y->at + HEAD, s->key_size);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at); // the block is in the order of adding
}

static void sort_block(Sorter *s)
{
    if (s->count > 1)
        qsort_r(s->items, s->count, sizeof *s->items, compare_items, s);
}

static bool add_run(Sorter *s, uint64_t begin)
{
    TRY(grow(&s->runs, &s->run_capacity, s->run_count + 1, sizeof *s->runs));
    s->runs[s->run_count++] = (Run){begin, s->written};
    s->runs_written++;
    return true;
}

// Output of a merge or of a block goes through a buffer: records are small.
typedef struct Output {
    Sorter *sorter;
    uint8_t *buffer;
    size_t size, capacity;
} Output;

static bool flush(Output *out)
{
    TRY(write_file(out->sorter, out->buffer, out->size));
    out->size = 0;
    return true;
}

static bool put(Output *out, const uint8_t *record, size_t size)
{
    if (out->size + size > out->capacity)
        TRY(flush(out));
    if (size > out->capacity)
        return write_file(out->sorter, record, size);
    memcpy(out->buffer + out->size, record, size);
    out->size += size;
    return true;
}

static bool spill(Sorter *s)
{
    Output out = {.sorter = s, .capacity = LEAST_BUFFER * 4};
    TRY(open_file(s));
    sort_block(s);
    TRY((out.buffer = allocate(out.capacity, 1)) != NULL);
    uint64_t begin = s->written;
    bool ok = true;
    for (size_t i = 0; ok && i < s->count; i++) {
        const uint8_t *record = s->block + s->items[i].at;
        ok = put(&out, record, record_size(s, size_at(record)));
    }
    ok = ok && flush(&out) && add_run(s, begin);
    free(out.buffer);
    s->count = s->size = 0;
    return ok;
}

static uint64_t prefix_of(const uint8_t *key, size_t size)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < 8; i++)
        prefix = prefix << 8 | (i < size ? key[i] : 0);
    return prefix;
}

bool sorter_add(Sorter *s, const void *key, const void *data, size_t size)
{
    size_t record = record_size(s, size), needed = s->size + record + (s->count + 1) * sizeof(Item);
    if (s->sorted)
        return fail("a record was added to a sort that is done");
    if (size > UINT32_MAX / 2)
        return fail("a record of %zu bytes is too large to sort", size);
    if (needed > s->memory && s->count > 0)
        TRY(spill(s));
    TRY(grow(&s->block, &s->capacity, s->size + record, 1) && grow(&s->items, &s->item_capacity, s->count + 1, sizeof *s->items));
    uint8_t *at = s->block + s->size;
    memset(at, 0, record); // padding too: runs hold no memory of others
    memcpy(at, &(uint32_t){(uint32_t)size}, HEAD);
    memcpy(at + HEAD, key, s->key_size);
    if (size > 0)
        memcpy(at + data_at(s), data, size);
    s->items[s->count++] = (Item){prefix_of(key, s->key_size), s->size};
    s->size += record;
    return true;
}

// ---- merging

// Makes at least `size` bytes of a run stand in its buffer; a run ends between records, so there are that many.
static bool need(Sorter *s, Source *source, size_t size)
{
    if (source->filled - source->begin >= size)
        return true;
    memmove(source->buffer, source->buffer + source->begin, source->filled - source->begin);
    source->filled -= source->begin;
    source->begin = 0;
    TRY(grow(&source->buffer, &source->capacity, size, 1));
    while (source->filled < size) {
        size_t room = source->capacity - source->filled;
        uint64_t left = source->end - source->next;
        ssize_t n = pread(s->file, source->buffer + source->filled, room < left ? room : (size_t)left, (off_t)source->next);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? fail_errno("%s: reading the sort's temporary file", s->folder)
                         : fail("%s: the sort's temporary file is shorter than what was written", s->folder);
        source->filled += (size_t)n;
        source->next += (uint64_t)n;
    }
    return true;
}

static const uint8_t *record_of(const Sorter *s, size_t source) { return s->sources[source].buffer + s->sources[source].begin; }

// The first record of a run, whole; *there: false at its end.
static bool load(Sorter *s, Source *source, bool *there)
{
    *there = source->filled > source->begin || source->next < source->end;
    if (!*there)
        return true;
    TRY(need(s, source, HEAD));
    return need(s, source, record_size(s, size_at(source->buffer + source->begin)));
}

static bool before(const Sorter *s, size_t a, size_t b)
{
    int order = memcmp(record_of(s, a) + HEAD, record_of(s, b) + HEAD, s->key_size);
    return order != 0 ? order < 0 : a < b;
}

static void sift_down(Sorter *s, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= s->heap_size)
            return;
        if (child + 1 < s->heap_size && before(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s, s->heap[child], s->heap[at]))
            return;
        size_t other = s->heap[at];
        s->heap[at] = s->heap[child];
        s->heap[child] = other;
        at = child;
    }
}

static size_t buffer_size(const Sorter *s, size_t runs)
{
    size_t each = s->memory / (runs + 1);
    return each > MOST_BUFFER ? MOST_BUFFER : each < LEAST_BUFFER ? LEAST_BUFFER : each;
}

// Opens runs first .. first+count-1 for merging. Sources are numbered from 0 in that order.
static bool open_sources(Sorter *s, size_t first, size_t count)
{
    close_sources(s);
    s->sources = allocate(s->run_count + 1, sizeof *s->sources);
    s->heap = allocate(count + 1, sizeof *s->heap);
    TRY(s->sources != NULL && s->heap != NULL);
    for (size_t i = 0; i < count; i++) {
        Source *source = &s->sources[i];
        bool there;
        *source = (Source){.next = s->runs[first + i].begin, .end = s->runs[first + i].end};
        TRY(grow(&source->buffer, &source->capacity, buffer_size(s, count), 1));
        TRY(load(s, source, &there));
        if (there)
            s->heap[s->heap_size++] = i;
    }
    for (size_t i = s->heap_size; i-- > 0;)
        sift_down(s, i);
    s->current = SIZE_MAX;
    return true;
}

// The least record of all sources; *record NULL after the last one. It stands until the next call.
static bool merge_next(Sorter *s, const uint8_t **record)
{
    *record = NULL;
    if (s->current != SIZE_MAX) { // the record that was given before is done with
        Source *source = &s->sources[s->current];
        bool there;
        source->begin += record_size(s, size_at(source->buffer + source->begin));
        TRY(load(s, source, &there));
        if (!there)
            s->heap[0] = s->heap[--s->heap_size];
        sift_down(s, 0);
        s->current = SIZE_MAX;
    }
    if (s->heap_size == 0)
        return true;
    s->current = s->heap[0];
    *record = record_of(s, s->current);
    return true;
}

static bool merge_some(Sorter *s, size_t first, size_t count) // into one run at the file's end
{
    Output out = {.sorter = s, .capacity = LEAST_BUFFER};
    const uint8_t *record;
    uint64_t begin = s->written;
    TRY(open_sources(s, first, count));
    TRY((out.buffer = allocate(out.capacity, 1)) != NULL);
    bool ok = merge_next(s, &record);
    while (ok && record != NULL)
        ok = put(&out, record, record_size(s, size_at(record))) && merge_next(s, &record);
    ok = ok && flush(&out);
    free(out.buffer);
    s->runs[first] = (Run){begin, s->written};
    return ok;
}

// As long as there are more runs than buffers, neighbours are merged: their order, and so that of equal keys, stays.
static bool merge_down(Sorter *s)
{
    size_t most = s->memory / LEAST_BUFFER;
    most = most < 2 ? 2 : most;
    while (s->run_count > most) {
        size_t merged = 0, runs = s->run_count;
        for (size_t first = 0; first < runs; first += most, merged++) {
            size_t count = runs - first < most ? runs - first : most;
            if (count > 1)
                TRY(merge_some(s, first, count));
            s->runs[merged] = s->runs[first];
        }
        close_sources(s);
        s->run_count = merged;
    }
    return true;
}

bool sorter_sort(Sorter *s)
{
    if (!s->sorted && s->run_count > 0 && s->count > 0)
        TRY(spill(s));
    if (!s->sorted && s->run_count == 0)
        sort_block(s);
    if (!s->sorted && s->run_count > 0) {
        free(s->block);
        free(s->items);
        s->block = NULL;
        s->items = NULL;
        TRY(merge_down(s));
    }
    s->sorted = true;
    s->next = 0;
    return s->run_count == 0 || open_sources(s, 0, s->run_count);
}

bool sorter_next(Sorter *s, const uint8_t **key, const uint8_t **data, size_t *size)
{
    const uint8_t *record = NULL;
    *key = *data = NULL;
    *size = 0;
    if (!s->sorted)
        return fail("a sort was read before it was done");
    if (s->run_count > 0)
        TRY(merge_next(s, &record));
    else if (s->next < s->count)
        record = s->block + s->items[s->next++].at;
    if (record == NULL)
        return true;
    *key = record + HEAD;
    *data = record + data_at(s);
    *size = size_at(record);
    return true;
}
