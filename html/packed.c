// Packed lists in pages: see packed.h.
#include "html/packed.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static bool append_base64(Bytes *out, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    TRY(grow(&out->data, &out->capacity, out->size + (size + 2) / 3 * 4 + 1, 1));
    char *to = out->data + out->size;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)data[i + 2] : 0);
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[three & 63] : '=';
    }
    *to = 0;
    out->size = (size_t)(to - out->data);
    return true;
}

static bool append_packed(Bytes *out, const char *text, size_t size)
{
    enum { LEVEL = 6 };
    uLongf packed_size = compressBound(size);
    uint8_t *packed = allocate(packed_size, 1);
    bool ok = packed != NULL && (compress2(packed, &packed_size, (const uint8_t *)text, size, LEVEL) == Z_OK ||
                                 fail_as(ERROR_SYSTEM, "no memory for a page"));
    ok = ok && append_base64(out, packed, packed_size);
    free(packed);
    return ok;
}

bool packed_end(PackedList *list)
{
    Bytes out = {0};
    if (list->values.size == 0)
        return true;
    bool ok = bytes_text(&list->values, "]") &&
              bytes_printf(&out, "<script type=\"text/plain\" class=\"%s\">", list->name) &&
              append_packed(&out, list->values.data, list->values.size) && bytes_text(&out, "</script>\n") &&
              atomic_write(list->file, out.data, out.size);
    bytes_free(&out);
    bytes_clear(&list->values);
    list->elements++;
    list->place = 0;
    return ok;
}

bool packed_add(PackedList *list, const char *json, size_t size)
{
    if (list->values.size >= list->each)
        TRY(packed_end(list));
    TRY(bytes_text(&list->values, list->values.size == 0 ? "[" : ",\n") && bytes_append(&list->values, json, size));
    list->place++;
    return true;
}

bool packed_add_json(PackedList *list, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
    bool ok = (text != NULL || fail_as(ERROR_SYSTEM, "no memory for a page")) && packed_add(list, text, strlen(text));
    free(text);
    return ok;
}

void packed_free(PackedList *list) { bytes_free(&list->values); }
