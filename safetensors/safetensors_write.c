// Writing weights as safetensors, in fp32 or rounded to bf16: one file, or shards with an index above a size limit. No
// value that is not finite is written. Reading is in safetensors_read.c.
#include "safetensors/safetensors.h"
#include "json/json.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 20 }; // elements converted at a time

typedef struct Writer {
    const char *folder;
    const WeightPlan *plan;
    int64_t count;
    WeightType type;
    WeightSource source;
    void *context;
    uint64_t *sizes; // (count) bytes of each tensor
    int64_t *first;  // (files + 1) the tensors of file i are first[i] .. first[i + 1] - 1
    int64_t files;
    float *chunk;      // (CHUNK)
    uint16_t *rounded; // (CHUNK)
} Writer;

// ---- the plan: sizes, and which tensor goes into which file

static bool size_of(uint64_t *bytes, const WeightPlan *p, WeightType type)
{
    int64_t elements = 1;
    if (p->rank < 0 || p->rank > WEIGHT_RANK)
        return fail("tensor %s: a shape of %d dimensions", p->name, p->rank);
    for (int i = 0; i < p->rank; i++)
        if (p->shape[i] < 0 || __builtin_mul_overflow(elements, p->shape[i], &elements))
            return fail("tensor %s: its shape is not one", p->name);
    if (elements > INT64_MAX / 4)
        return fail("tensor %s: %" PRId64 " elements do not fit a file", p->name, elements);
    *bytes = (uint64_t)elements * (type == WEIGHT_F32 ? 4 : 2);
    return true;
}

static bool cut_into_files(Writer *w, uint64_t limit)
{
    w->sizes = allocate((size_t)w->count + 1, sizeof *w->sizes);
    w->first = allocate((size_t)w->count + 2, sizeof *w->first);
    TRY(w->sizes != NULL && w->first != NULL);
    uint64_t filled = 0;
    w->files = 1;
    for (int64_t i = 0; i < w->count; i++) {
        TRY(size_of(&w->sizes[i], &w->plan[i], w->type));
        if (filled > 0 && w->sizes[i] > limit - (filled < limit ? filled : limit)) {
            w->first[w->files++] = i;
            filled = 0;
        }
        filled += w->sizes[i];
    }
    w->first[w->files] = w->count;
    return true;
}

static bool file_name(Bytes *name, const Writer *w, int64_t file)
{
    bytes_clear(name);
    if (w->files == 1)
        return bytes_text(name, "model.safetensors");
    return bytes_printf(name, "model-%05" PRId64 "-of-%05" PRId64 ".safetensors", file + 1, w->files);
}

// ---- one file

static json_t *header_entry(const WeightPlan *p, WeightType type, uint64_t first, uint64_t end)
{
    json_t *shape = json_array();
    for (int d = 0; d < p->rank; d++)
        json_array_append_new(shape, json_integer(p->shape[d]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type == WEIGHT_F32 ? "F32" : "BF16", "shape", shape,
                     "data_offsets", (json_int_t)first, (json_int_t)end);
}

bool safetensors_header(Bytes *text, uint64_t *bytes, const WeightPlan *plan, int64_t count, WeightType type)
{
    json_t *root = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    bool ok = root != NULL;
    *bytes = 0;
    for (int64_t i = 0; ok && i < count; i++) {
        const char *name = plan[i].name;
        uint64_t size = 0, first = *bytes;
        ok = size_of(&size, &plan[i], type) &&
             (size <= INT64_MAX - first || fail("tensor %s: it and those before it do not fit a file", name));
        *bytes += ok ? size : 0;
        bool again = json_object_get(root, name) != NULL;
        if (ok && (again || json_object_set_new(root, name, header_entry(&plan[i], type, first, *bytes)) != 0))
            ok = fail("tensor %s: %s", name, again ? "its name occurs twice" : "no memory, or its name is not UTF-8");
    }
    char *dump = ok ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    ok = dump != NULL && bytes_text(text, dump);
    free(dump);
    while (ok && text->size % 8 != 0)
        ok = bytes_text(text, " ");
    return ok;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// Rounds to nearest, ties to even. x is finite; the largest ones round to infinity, which the caller checks.
static uint16_t to_bf16(float x)
{
    uint32_t bits = bits_of(x);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static bool check_chunk(const Writer *w, int64_t tensor, int64_t first, int64_t count)
{
    uint32_t limit = w->type == WEIGHT_F32 ? 0x7f800000 : 0x7f7f8000; // from here on infinite or NaN after rounding
    for (int64_t i = 0; i < count; i++)
        if ((bits_of(w->chunk[i]) & 0x7fffffff) >= limit)
            return fail("tensor %s: element %" PRId64 " is %g, which is not finite%s; it is not written",
                        w->plan[tensor].name, first + i, (double)w->chunk[i], w->type == WEIGHT_F32 ? "" : " as bf16");
    return true;
}

static bool write_chunk(Writer *w, AtomicFile *out, int64_t tensor, int64_t first, int64_t count)
{
    TRY(w->source(w->context, tensor, first, count, w->chunk));
    TRY(check_chunk(w, tensor, first, count));
    if (w->type == WEIGHT_F32)
        return atomic_write(out, w->chunk, (size_t)count * 4);
    for (int64_t i = 0; i < count; i++)
        w->rounded[i] = to_bf16(w->chunk[i]);
    return atomic_write(out, w->rounded, (size_t)count * 2);
}

static bool write_tensors(Writer *w, AtomicFile *out, int64_t file)
{
    for (int64_t i = w->first[file]; i < w->first[file + 1]; i++) {
        int64_t elements = (int64_t)(w->sizes[i] / (w->type == WEIGHT_F32 ? 4 : 2));
        for (int64_t first = 0; first < elements; first += CHUNK)
            TRY(write_chunk(w, out, i, first, elements - first < CHUNK ? elements - first : CHUNK));
    }
    return true;
}

static bool write_file(Writer *w, int64_t file, const char *path)
{
    AtomicFile out;
    Bytes header = {0};
    uint64_t bytes;
    int64_t first = w->first[file];
    bool ok = safetensors_header(&header, &bytes, w->plan + first, w->first[file + 1] - first, w->type);
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)header.size >> (8 * i));
    if (ok && atomic_open(&out, path)) {
        ok = atomic_write(&out, length, 8) && atomic_write(&out, header.data, header.size) &&
             write_tensors(w, &out, file) && atomic_commit(&out);
        if (!ok)
            atomic_abort(&out);
    } else {
        ok = false;
    }
    bytes_free(&header);
    return ok || fail_in("writing %s", path);
}

// ---- all files

static bool write_index(const Writer *w)
{
    json_t *map = json_object();
    Bytes name = {0};
    uint64_t total = 0;
    bool ok = map != NULL;
    for (int64_t file = 0; ok && file < w->files; file++) {
        ok = file_name(&name, w, file);
        for (int64_t i = w->first[file]; ok && i < w->first[file + 1]; i++) {
            ok = json_object_set_new(map, w->plan[i].name, json_string(name.data)) == 0;
            total += w->sizes[i];
        }
    }
    bytes_free(&name);
    json_t *root = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)total, "weight_map", map);
    char *path = path_join(w->folder, "model.safetensors.index.json");
    ok = ok && root != NULL && path != NULL && json_write_atomic(path, root);
    json_decref(root);
    free(path);
    return ok;
}

static bool write_all(Writer *w)
{
    w->chunk = allocate(CHUNK, sizeof *w->chunk);
    w->rounded = allocate(CHUNK, sizeof *w->rounded);
    bool ok = w->chunk != NULL && w->rounded != NULL;
    Bytes name = {0};
    for (int64_t file = 0; ok && file < w->files; file++) {
        ok = file_name(&name, w, file);
        char *path = ok ? path_join(w->folder, name.data) : NULL;
        ok = path != NULL && write_file(w, file, path);
        free(path);
    }
    bytes_free(&name);
    return ok && (w->files == 1 || write_index(w));
}

bool weights_write(const char *folder, const WeightPlan *plan, int64_t count, WeightType type, uint64_t file_limit,
                   WeightSource source, void *context)
{
    if (type != WEIGHT_F32 && type != WEIGHT_BF16)
        return fail("%s: weights are written as F32 or BF16", folder);
    Writer w = {.folder = folder, .plan = plan, .count = count, .type = type, .source = source, .context = context};
    bool ok = cut_into_files(&w, file_limit) && write_all(&w);
    free(w.sizes);
    free(w.first);
    free(w.chunk);
    free(w.rounded);
    return ok;
}
