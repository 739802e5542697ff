// Records are collected in one block of memory, the arena. When it is full it is sorted and becomes a run: a section of
// one unnamed file. At the end the runs are merged, in several passes if there are more than read buffers, each merge
// reading its runs in pieces. Ties go by the order in which records were added: by position in the arena within a run,
// and across runs the earlier one wins.
#include "system/sorter.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD = 4, ALIGN = 8, LEAST_BUFFER = 64 << 10, MOST_BUFFER = 4 << 20, LEAST_MEMORY = 4 * LEAST_BUFFER };

// A record, in the arena and in a run, is its size (4 bytes), its key, padding to ALIGN, its data, padding to ALIGN.
typedef struct Item {
    uint64_t prefix; // the first bytes of the key, big-endian; they decide most comparisons
    size_t at;       // in the arena
} Item;

typedef struct Run {
    uint64_t begin, end; // in the file
} Run;

typedef struct Source { // a run being merged
    uint64_t next, end; // the part not read yet
    uint64_t prefix;    // of the first record's key
    uint8_t *buffer;    // (capacity)
    size_t begin, filled, capacity;
} Source;

struct Sorter {
    char *folder;
    size_t key_size, memory;
    int file; // -1: none yet
    uint64_t written;
    uint8_t *arena; // (capacity) records from its front, their items from its end
    size_t size, count, capacity;
    size_t next; // of a sort that fits in memory
    Run *runs;
    size_t run_count, run_capacity;
    uint64_t runs_written;
    bool sorted;
    Source *sources;            // (source_count) of the last merge
    size_t source_count, piece; // piece: the size of their buffers
    size_t *heap;               // (heap_size) indices of sources
    size_t heap_size;
    bool given; // the first source's record was returned, and must be skipped
};

static size_t aligned(size_t size) { return (size + ALIGN - 1) / ALIGN * ALIGN; }
static size_t data_at(const Sorter *s) { return aligned(HEAD + s->key_size); } // offset within a record
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
    for (size_t i = 0; i < s->source_count; i++)
        free(s->sources[i].buffer);
    free(s->sources);
    free(s->heap);
    s->sources = NULL;
    s->heap = NULL;
    s->source_count = s->heap_size = 0;
    s->given = false;
}

void sorter_close(Sorter *s)
{
    if (s == NULL)
        return;
    close_sources(s);
    if (s->file >= 0)
        close(s->file); // it has no name: closing deletes it
    free(s->folder);
    free(s->arena);
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
    char *path = path_join(s->folder, "sort-XXXXXX"); // for file systems without unnamed files
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

static uint64_t prefix_of(const uint8_t *key, size_t size)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < 8; i++)
        prefix = prefix << 8 | (i < size ? key[i] : 0);
    return prefix;
}

static Item *items_of(const Sorter *s) { return (Item *)(void *)(s->arena + s->capacity) - s->count; }

static int compare_items(const void *a, const void *b, void *sorter)
{
    const Sorter *s = sorter;
    const Item *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    int order = memcmp(s->arena + x->at + HEAD, s->arena + y->at + HEAD, s->key_size);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at); // positions in the arena follow the order of adding
}

static void sort_arena(Sorter *s)
{
    if (s->count > 1)
        qsort_r(items_of(s), s->count, sizeof(Item), compare_items, s);
}

static bool add_run(Sorter *s, uint64_t begin)
{
    TRY(grow(&s->runs, &s->run_capacity, s->run_count + 1, sizeof *s->runs));
    s->runs[s->run_count++] = (Run){begin, s->written};
    s->runs_written++;
    return true;
}

// Runs are written through a buffer, from the arena or from a merge: records are small.
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
    Output out = {.sorter = s, .capacity = LEAST_BUFFER};
    TRY(open_file(s));
    sort_arena(s);
    TRY((out.buffer = allocate(out.capacity, 1)) != NULL);
    const Item *items = items_of(s);
    uint64_t begin = s->written;
    bool ok = true;
    for (size_t i = 0; ok && i < s->count; i++) {
        const uint8_t *record = s->arena + items[i].at;
        ok = put(&out, record, record_size(s, size_at(record)));
    }
    ok = ok && flush(&out) && add_run(s, begin);
    free(out.buffer);
    s->count = s->size = 0;
    return ok;
}

// ---- adding

static bool resize_arena(Sorter *s, size_t capacity)
{
    size_t items = s->count * sizeof(Item), old = s->capacity;
    uint8_t *arena = realloc(s->arena, capacity);
    if (arena == NULL)
        return fail("no memory for %zu bytes to sort in", capacity);
    memmove(arena + capacity - items, arena + old - items, items);
    s->arena = arena;
    s->capacity = capacity;
    return true;
}

// Makes room for one more record and its item; qsort_r needs as much memory again as the items.
static bool make_room(Sorter *s, size_t record)
{
    size_t needed = s->size + record + (s->count + 1) * sizeof(Item);
    if (s->count > 0 && needed + (s->count + 1) * sizeof(Item) > s->memory) {
        TRY(spill(s));
        needed = record + sizeof(Item);
        if (s->capacity > s->memory) // the run was one large record
            TRY(resize_arena(s, aligned(s->memory)));
    }
    if (needed <= s->capacity)
        return true;
    size_t wider = 2 * s->capacity < s->memory ? 2 * s->capacity : s->memory;
    return resize_arena(s, aligned(wider > needed ? wider : needed));
}

bool sorter_add(Sorter *s, const void *key, const void *data, size_t size)
{
    if (s->sorted)
        return fail("a record was added to a sort that is done");
    if (size > UINT32_MAX / 2)
        return fail("a record of %zu bytes is too large to sort", size);
    size_t record = record_size(s, size);
    TRY(make_room(s, record));
    uint8_t *at = s->arena + s->size;
    memset(at, 0, data_at(s));
    memcpy(at, &(uint32_t){(uint32_t)size}, HEAD);
    memcpy(at + HEAD, key, s->key_size);
    if (size > 0)
        memset(at + record - ALIGN, 0, ALIGN); // zero the padding too, so that runs hold no older memory
    if (size > 0)
        memcpy(at + data_at(s), data, size);
    s->count++;
    *items_of(s) = (Item){prefix_of(key, s->key_size), s->size};
    s->size += record;
    return true;
}

// ---- merging

// Brings the first `size` unread bytes of a run into its buffer. For a larger record the buffer grows to exactly its
// size, so that it holds nothing else and can be freed with it.
static bool need(Sorter *s, Source *source, size_t size)
{
    if (source->filled - source->begin >= size)
        return true;
    source->filled -= source->begin;
    memmove(source->buffer, source->buffer + source->begin, source->filled);
    source->begin = 0;
    if (source->capacity < size) {
        uint8_t *larger = realloc(source->buffer, size);
        if (larger == NULL)
            return fail("no memory for a record of %zu bytes", size);
        source->buffer = larger;
        source->capacity = size;
    }
    while (source->filled < size) {
        size_t room = source->capacity - source->filled;
        uint64_t left = source->end - source->next;
        ssize_t n =
            pread(s->file, source->buffer + source->filled, room < left ? room : (size_t)left, (off_t)source->next);
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

static uint8_t *record_of(const Source *source) { return source->buffer + source->begin; }

// Reads the size and key of a run's first record, which is all that a comparison needs; *there: false at the end. The
// data may be large, and are read only when the record is next: only one such record is in memory.
static bool load(Sorter *s, Source *source, bool *there)
{
    *there = source->filled > source->begin || source->next < source->end;
    if (!*there)
        return true;
    TRY(need(s, source, data_at(s)));
    source->prefix = prefix_of(record_of(source) + HEAD, s->key_size);
    return true;
}

static bool pass_over(Sorter *s, Source *source)
{
    source->begin += record_size(s, size_at(record_of(source)));
    if (source->capacity == s->piece)
        return true;
    free(source->buffer); // it had grown for this record
    *source = (Source){.next = source->next, .end = source->end, .buffer = malloc(s->piece), .capacity = s->piece};
    return source->buffer != NULL || fail("no memory for %zu bytes", s->piece);
}

static bool before(const Sorter *s, size_t a, size_t b)
{
    const Source *x = &s->sources[a], *y = &s->sources[b];
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix;
    int order = memcmp(record_of(x) + HEAD, record_of(y) + HEAD, s->key_size);
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

// Opens runs first .. first+count-1 for merging; sources are numbered from 0 in that order.
static bool open_sources(Sorter *s, size_t first, size_t count)
{
    close_sources(s);
    s->sources = allocate(count, sizeof *s->sources);
    s->heap = allocate(count, sizeof *s->heap);
    TRY(s->sources != NULL && s->heap != NULL);
    s->source_count = count;
    s->piece = buffer_size(s, count);
    for (size_t i = 0; i < count; i++) {
        Source *source = &s->sources[i];
        bool there;
        *source = (Source){.next = s->runs[first + i].begin, .end = s->runs[first + i].end, .capacity = s->piece};
        TRY((source->buffer = allocate(s->piece, 1)) != NULL && load(s, source, &there));
        if (there)
            s->heap[s->heap_size++] = i;
    }
    for (size_t i = s->heap_size; i-- > 0;)
        sift_down(s, i);
    return true;
}

// The least record of all sources, valid until the next call; *record NULL after the last one.
static bool merge_next(Sorter *s, const uint8_t **record)
{
    *record = NULL;
    if (s->given) {
        bool there;
        s->given = false;
        TRY(pass_over(s, &s->sources[s->heap[0]]) && load(s, &s->sources[s->heap[0]], &there));
        if (!there)
            s->heap[0] = s->heap[--s->heap_size];
        sift_down(s, 0);
    }
    if (s->heap_size == 0)
        return true;
    Source *source = &s->sources[s->heap[0]];
    TRY(need(s, source, record_size(s, size_at(record_of(source)))));
    s->given = true;
    *record = record_of(source);
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

// While there are more runs than buffers, neighbours are merged, which keeps their order, and so that of equal keys.
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
    if (!s->sorted && s->run_count == 0) {
        sort_arena(s);
    } else if (!s->sorted) {
        TRY(s->count == 0 || spill(s));
        free(s->arena);
        s->arena = NULL;
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
        record = s->arena + items_of(s)[s->next++].at;
    if (record == NULL)
        return true;
    *key = record + HEAD;
    *data = record + data_at(s);
    *size = size_at(record);
    return true;
}
