// Opening a safetensors file or a folder of shards, finding a tensor by name, and reading a range of its elements as
// fp32. The rules of a single file are in safetensors_header.c.
#include "safetensors/safetensors_internal.h"
#include "json/json.h"
#include "system/files.h"
#include "system/hub.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

enum { INDEX_BYTES_MAX = 1 << 26, SHARDS_MAX = 100000 };

typedef struct Shard {
    char *path;
    MappedFile file;
} Shard;

struct Weights {
    Shard *shards;
    size_t shard_count, shard_capacity;
    WeightList tensors; // sorted by name once open
};

// ---- opening

static int by_name(const void *a, const void *b)
{
    return strcmp(((const WeightTensor *)a)->name, ((const WeightTensor *)b)->name);
}

static bool sort_names(Weights *w)
{
    WeightTensor *list = w->tensors.list;
    if (w->tensors.count > 0)
        qsort(list, w->tensors.count, sizeof *list, by_name);
    for (size_t i = 1; i < w->tensors.count; i++)
        if (strcmp(list[i - 1].name, list[i].name) == 0)
            return fail("tensor %.200s is in two shards, %s and %s", list[i].name, list[i - 1].file, list[i].file);
    return true;
}

static bool add_shard(Weights *w, const char *path)
{
    TRY(grow(&w->shards, &w->shard_capacity, w->shard_count + 1, sizeof *w->shards));
    Shard shard = {.path = copy_text(path)};
    TRY(shard.path != NULL);
    w->shards[w->shard_count++] = shard; // from here on weights_close frees it
    Shard *s = &w->shards[w->shard_count - 1];
    TRY(file_map(&s->file, s->path));
    return safetensors_parse(&w->tensors, s->file.data, s->file.size, s->path);
}

static bool is_shard_name(const char *name)
{
    static const char ending[] = ".safetensors";
    size_t length = strlen(name), tail = sizeof ending - 1;
    return length > tail && strcmp(name + length - tail, ending) == 0 && name[0] != '.' && strpbrk(name, "/\\") == NULL;
}

// The distinct file names of a weight map, as the keys of an object: order kept, values unused. NULL after fail().
static json_t *shard_names(const json_t *map, const char *index)
{
    json_t *names = json_object();
    const char *tensor;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)map, tensor, value) {
        const char *name = json_string_value(value);
        bool ok = name != NULL && strlen(name) == json_string_length(value) && is_shard_name(name);
        if (!ok)
            fail("%s: the file of tensor %.200s must be the plain name of a .safetensors file in the same folder",
                 index, tensor);
        else if (json_object_set_new(names, name, json_true()) != 0 || json_object_size(names) > SHARDS_MAX)
            ok = fail("%s: more than %d shards, or no memory for their names", index, SHARDS_MAX);
        if (!ok) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

static bool open_shards(Weights *w, const json_t *names, const json_t *map, const char *folder, const char *index)
{
    const char *name;
    json_t *unused;
    json_object_foreach ((json_t *)(uintptr_t)names, name, unused) {
        char *path = path_join(folder, name);
        size_t before = w->tensors.count;
        bool ok = path != NULL && add_shard(w, path);
        free(path);
        if (!ok)
            return fail_in("%s: opening a shard that it names", index);
        for (size_t i = before; i < w->tensors.count; i++) {
            const char *said = json_string_value(json_object_get(map, w->tensors.list[i].name));
            if (said == NULL || strcmp(said, name) != 0)
                return fail("%s: tensor %.200s is in %s, but the index %s%s", index, w->tensors.list[i].name, name,
                            said == NULL ? "does not list it" : "says that it is in ", said == NULL ? "" : said);
        }
    }
    return true;
}

static bool check_complete(const Weights *w, const json_t *map, const char *index)
{
    const char *tensor;
    json_t *unused;
    json_object_foreach ((json_t *)(uintptr_t)map, tensor, unused)
        if (weights_find(w, tensor) == NULL)
            return fail("%s: tensor %.200s is in none of the shards; the folder is incomplete, fetch it again", index,
                        tensor);
    return true;
}

static bool open_index(Weights *w, const char *folder, const char *index, bool single_exists)
{
    json_t *root = json_read(index, INDEX_BYTES_MAX);
    TRY(root != NULL);
    const json_t *map = json_object_get(root, "weight_map");
    bool ok = json_is_object(map) && json_object_size(map) > 0;
    if (!ok)
        fail("%s: key \"weight_map\" must be an object that names the file of each tensor", index);
    json_t *names = ok ? shard_names(map, index) : NULL;
    ok = names != NULL;
    if (ok && single_exists && json_object_get(names, "model.safetensors") == NULL)
        ok =
            fail("%s: there is a model.safetensors beside it that it does not name; remove the one that is out of date",
                 index);
    ok = ok && open_shards(w, names, map, folder, index) && sort_names(w) && check_complete(w, map, index);
    json_decref(names);
    json_decref(root);
    return ok;
}

static bool open_folder(Weights *w, const char *folder)
{
    char *single = path_join(folder, "model.safetensors"), *index = path_join(folder, "model.safetensors.index.json");
    PathKind whole = PATH_NONE, parts = PATH_NONE;
    bool ok = single != NULL && index != NULL && path_kind(&whole, single) && path_kind(&parts, index);
    if (ok && parts == PATH_FILE)
        ok = open_index(w, folder, index, whole == PATH_FILE);
    else if (ok && whole == PATH_FILE)
        ok = add_shard(w, single) && sort_names(w);
    else if (ok)
        ok = hub_other_weights(folder);
    free(single);
    free(index);
    return ok;
}

bool weights_open(Weights **weights, const char *path)
{
    Weights *w = *weights = allocate(1, sizeof *w);
    TRY(w != NULL);
    if (folder_exists(path) ? open_folder(w, path) : add_shard(w, path) && sort_names(w))
        return true;
    weights_close(w);
    *weights = NULL;
    return false;
}

bool weights_open_memory(Weights **weights, const void *data, size_t size, const char *where)
{
    Weights *w = *weights = allocate(1, sizeof *w);
    TRY(w != NULL);
    if (safetensors_parse(&w->tensors, data, size, where) && sort_names(w))
        return true;
    weights_close(w);
    *weights = NULL;
    return false;
}

void weights_close(Weights *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->tensors.count; i++)
        free((void *)(uintptr_t)w->tensors.list[i].name);
    for (size_t i = 0; i < w->shard_count; i++) {
        file_unmap(&w->shards[i].file);
        free(w->shards[i].path);
    }
    free(w->tensors.list);
    free(w->shards);
    free(w);
}

// ---- finding

const WeightTensor *weights_find(const Weights *w, const char *name)
{
    WeightTensor wanted = {.name = name};
    if (w->tensors.count == 0)
        return NULL;
    return bsearch(&wanted, w->tensors.list, w->tensors.count, sizeof wanted, by_name);
}

size_t weights_count(const Weights *w) { return w->tensors.count; }

const WeightTensor *weights_at(const Weights *w, size_t i) { return i < w->tensors.count ? &w->tensors.list[i] : NULL; }

// ---- reading

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float from_half(uint16_t half) // exact: every fp16 number is an fp32 number
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0) // zero and the subnormals: fraction · 2^-24
        return from_bits(sign | 0x3f800000) * ((float)fraction * 0x1p-24f);
    exponent = exponent == 0x1f ? 0xff : exponent + 127 - 15;
    return from_bits(sign | exponent << 23 | fraction << 13);
}

static uint16_t read_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static void convert(const WeightTensor *t, int64_t first, int64_t count, float *out)
{
    const uint8_t *p = t->data + first * (t->type == WEIGHT_F32 ? 4 : 2);
    if (t->type == WEIGHT_F32 && count > 0)
        memcpy(out, p, (size_t)count * sizeof(float)); // little-endian: files, and the machines that we build for
    else if (t->type == WEIGHT_BF16)
        for (int64_t i = 0; i < count; i++)
            out[i] = from_bits((uint32_t)read_u16(p + 2 * i) << 16);
    else if (t->type == WEIGHT_F16)
        for (int64_t i = 0; i < count; i++)
            out[i] = from_half(read_u16(p + 2 * i));
}

static bool is_finite(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000) != 0x7f800000;
}

bool weights_read(const WeightTensor *t, int64_t first, int64_t count, float *out)
{
    phase_progress();
    if (first < 0 || count < 0 || first > t->elements || count > t->elements - first)
        return fail("%s: tensor %.200s has %" PRId64 " elements; %" PRId64 " from %" PRId64 " were asked for", t->file,
                    t->name, t->elements, count, first);
    if (t->type == WEIGHT_OTHER)
        return fail("%s: tensor %.200s is %s; weights are read from F32, F16 or BF16. Use the unquantized model",
                    t->file, t->name, t->type_name);
    convert(t, first, count, out);
    unsigned bad = 0;
    for (int64_t i = 0; i < count; i++)
        bad |= !is_finite(out[i]);
    if (bad)
        for (int64_t i = 0; i < count; i++)
            if (!is_finite(out[i]))
                return fail("%s: tensor %.200s: element %" PRId64
                            " is %f; the file is damaged, or its training diverged",
                            t->file, t->name, first + i, (double)out[i]);
    return true;
}
