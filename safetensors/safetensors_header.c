// The header of one safetensors file: 8 bytes of length (little-endian), JSON, then the tensors' bytes. Every rule of
// the format is checked here, before a number from the file sizes an allocation; code that reads the tensors later can
// trust the header.
#include "safetensors/safetensors_internal.h"
#include "json/json.h"
#include "system/hub.h"
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 100000000 }; // the format's own limit

static const struct {
    const char *name;
    int bits;
    WeightType type;
} types[] = {
    {"F32", 32, WEIGHT_F32},          {"BF16", 16, WEIGHT_BF16},    {"F16", 16, WEIGHT_F16},
    {"BOOL", 8, WEIGHT_OTHER},        {"U8", 8, WEIGHT_OTHER},      {"I8", 8, WEIGHT_OTHER},
    {"I16", 16, WEIGHT_OTHER},        {"U16", 16, WEIGHT_OTHER},    {"I32", 32, WEIGHT_OTHER},
    {"U32", 32, WEIGHT_OTHER},        {"I64", 64, WEIGHT_OTHER},    {"U64", 64, WEIGHT_OTHER},
    {"F64", 64, WEIGHT_OTHER},        {"C64", 64, WEIGHT_OTHER},    {"F8_E5M2", 8, WEIGHT_OTHER},
    {"F8_E4M3", 8, WEIGHT_OTHER},     {"F8_E8M0", 8, WEIGHT_OTHER}, {"F8_E4M3FNUZ", 8, WEIGHT_OTHER},
    {"F8_E5M2FNUZ", 8, WEIGHT_OTHER}, {"F6_E2M3", 6, WEIGHT_OTHER}, {"F6_E3M2", 6, WEIGHT_OTHER},
    {"F4", 4, WEIGHT_OTHER},
};

static bool read_type(WeightTensor *t, int *bits, const json_t *entry, const char *where)
{
    const char *name;
    TRY(json_need_text(&name, entry, "dtype", where));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) {
            t->type_name = types[i].name;
            t->type = types[i].type;
            *bits = types[i].bits;
            return true;
        }
    return fail("%s: dtype \"%s\" is unknown", where, name);
}

static bool read_shape(WeightTensor *t, const json_t *entry, const char *where)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return fail("%s: shape must be a list", where);
    if (json_array_size(shape) > WEIGHT_RANK)
        return fail("%s: the shape has %zu dimensions, more than the %d that are read here", where,
                    json_array_size(shape), WEIGHT_RANK);
    t->rank = (int)json_array_size(shape);
    t->elements = 1;
    for (int i = 0; i < t->rank; i++) {
        const json_t *value = json_array_get(shape, (size_t)i);
        t->shape[i] = (int64_t)json_integer_value(value);
        if (!json_is_integer(value) || t->shape[i] < 0)
            return fail("%s: shape[%d] is not a size", where, i);
        if (__builtin_mul_overflow(t->elements, t->shape[i], &t->elements))
            return fail("%s: the product of its shape does not fit 64 bits", where);
    }
    return true;
}

// Reads data_offsets and checks that they span exactly the bytes that dtype and shape need, within the file.
static bool read_span(WeightTensor *t, int bits, const json_t *entry, const uint8_t *data, uint64_t size,
                      const char *where)
{
    const json_t *offsets = json_object_get(entry, "data_offsets"), *first = json_array_get(offsets, 0);
    const json_t *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return fail("%s: data_offsets must be two integers", where);
    int64_t begin = (int64_t)json_integer_value(first), end = (int64_t)json_integer_value(last), span_bits;
    if (begin < 0 || end < begin)
        return fail("%s: data_offsets [%" PRId64 ", %" PRId64 "] are not a span", where, begin, end);
    if ((uint64_t)end > size)
        return fail("%s: it ends at byte %" PRId64 " of the data, but the file has %" PRIu64
                    "; the download is incomplete, "
                    "fetch it again",
                    where, end, size);
    if (__builtin_mul_overflow(t->elements, (int64_t)bits, &span_bits))
        return fail("%s: the size of its shape does not fit 64 bits", where);
    if (span_bits % 8 != 0 || span_bits / 8 != end - begin)
        return fail("%s: dtype %s and shape ask for %" PRId64 " bytes, data_offsets for %" PRId64, where, t->type_name,
                    span_bits / 8 + (span_bits % 8 != 0), end - begin);
    t->data = data + begin;
    t->bytes = (uint64_t)(end - begin);
    return true;
}

static bool read_tensor(WeightList *tensors, const char *name, const json_t *entry, const uint8_t *data, uint64_t size,
                        const char *file)
{
    WeightTensor t = {.file = file};
    Bytes where = {0};
    int bits = 0;
    bool ok = bytes_printf(&where, "%s: tensor %.200s", file, name);
    if (ok && !json_is_object(entry))
        ok = fail("%s: its entry is not an object", where.data);
    ok = ok && read_type(&t, &bits, entry, where.data) && read_shape(&t, entry, where.data) &&
         read_span(&t, bits, entry, data, size, where.data);
    bytes_free(&where);
    TRY(ok);
    TRY(grow(&tensors->list, &tensors->capacity, tensors->count + 1, sizeof *tensors->list));
    TRY((t.name = copy_text(name)) != NULL);
    tensors->list[tensors->count++] = t;
    return true;
}

static bool check_metadata(const json_t *metadata, const char *file)
{
    if (!json_is_object(metadata))
        return fail("%s: __metadata__ is not an object", file);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)metadata, key, value)
        if (!json_is_string(value))
            return fail("%s: __metadata__: the value of \"%.200s\" is not a string", file, key);
    return true;
}

static int by_place(const void *a, const void *b)
{
    const WeightTensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

// Tensors must lie end to end from the first byte to the last: no holes, no two names for the same bytes, nothing after
// the last one.
static bool check_layout(WeightTensor *list, size_t count, const uint8_t *data, size_t size, const char *file)
{
    if (count > 0)
        qsort(list, count, sizeof *list, by_place);
    const uint8_t *at = data;
    for (size_t i = 0; i < count; i++) {
        if (list[i].data != at)
            return fail("%s: tensor %.200s begins at byte %td of the data, but the one before it ends at %td", file,
                        list[i].name, list[i].data - data, at - data);
        at += list[i].bytes;
    }
    if ((size_t)(at - data) != size)
        return fail("%s: the tensors end at byte %td of the data, but the file has %zu", file, at - data, size);
    return true;
}

static bool parse_entries(WeightList *tensors, const json_t *root, const uint8_t *data, size_t size, const char *file)
{
    if (!json_is_object(root))
        return fail("%s: the header is not a JSON object", file);
    size_t before = tensors->count;
    const char *name;
    json_t *entry;
    json_object_foreach ((json_t *)(uintptr_t)root, name, entry)
        if (strcmp(name, "__metadata__") == 0)
            TRY(check_metadata(entry, file));
        else
            TRY(read_tensor(tensors, name, entry, data, size, file));
    return check_layout(tensors->list == NULL ? NULL : tensors->list + before, tensors->count - before, data, size,
                        file);
}

bool safetensors_parse(WeightList *tensors, const uint8_t *data, size_t size, const char *where)
{
    if (is_lfs_pointer(data, size))
        return fail("%s: " LFS_POINTER, where);
    if (size < 8)
        return fail("%s: %zu bytes are too few for a safetensors file; the download is incomplete, fetch it again",
                    where, size);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | data[i];
    if (header > HEADER_BYTES_MAX)
        return fail("%s: a header of %" PRIu64 " bytes; this is not a safetensors file (at most %d)", where, header,
                    HEADER_BYTES_MAX);
    if (header > size - 8)
        return fail("%s: the header should have %" PRIu64
                    " bytes, but the file ends after %zu; the download is incomplete, "
                    "fetch it again",
                    where, header, size - 8);
    json_t *root = json_parse((const char *)data + 8, (size_t)header, where);
    bool ok = root != NULL && parse_entries(tensors, root, data + 8 + header, size - 8 - (size_t)header, where);
    json_decref(root);
    return ok;
}
