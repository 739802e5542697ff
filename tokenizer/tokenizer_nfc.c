// Normalization form C, only where a text needs it: only short runs (a letter and its marks) can change, the rest is
// copied. utf8proc composes and decomposes; marks are ordered here by counting, because its own sort is quadratic in a
// run of marks. Which code points can change is pinned in tokenizer_classes.c, at the version of the reference.
#include "tokenizer/tokenizer_internal.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

void nfc_scratch_free(NfcScratch *scratch)
{
    free(scratch->points);
    free(scratch->sorted);
    *scratch = (NfcScratch){0};
}

size_t ascii_prefix(const uint8_t *text, size_t size)
{
    size_t i = 0;
    for (uint64_t word; i + 8 <= size; i += 8) {
        memcpy(&word, text + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < size && text[i] < 0x80)
        i++;
    return i;
}

static uint8_t combining_class(int32_t point) { return (uint8_t)utf8proc_get_property(point)->combining_class; }

// Sorts adjacent marks by their classes, stably.
static bool order_marks(NfcScratch *scratch, int32_t *marks, size_t count)
{
    bool ordered = true;
    for (size_t i = 1; i < count && ordered; i++)
        ordered = combining_class(marks[i - 1]) <= combining_class(marks[i]);
    if (ordered)
        return true;
    size_t place[257] = {0};
    for (size_t i = 0; i < count; i++)
        place[combining_class(marks[i]) + 1]++;
    for (size_t i = 1; i < 257; i++)
        place[i] += place[i - 1];
    TRY(grow(&scratch->sorted, &scratch->sorted_capacity, count, sizeof *scratch->sorted));
    for (size_t i = 0; i < count; i++)
        scratch->sorted[place[combining_class(marks[i])]++] = marks[i];
    memcpy(marks, scratch->sorted, count * sizeof *marks);
    return true;
}

static bool decompose(NfcScratch *scratch, size_t *count, const uint8_t *text, size_t size)
{
    *count = 0;
    for (size_t i = 0; i < size;) {
        CodePoint c = code_point_at(text + i);
        TRY(grow(&scratch->points, &scratch->point_capacity, *count + 8, sizeof *scratch->points)); // the longest is 4
        utf8proc_ssize_t length = utf8proc_decompose_char((int32_t)c.value, scratch->points + *count, 8,
                                                          UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, NULL);
        if (length < 0 || length > 8)
            return fail("U+%04" PRIX32 " can't be normalized: %s", c.value, utf8proc_errmsg(length));
        *count += (size_t)length;
        i += c.length;
    }
    return true;
}

static bool compose_run(NfcScratch *scratch, Bytes *out, const uint8_t *text, size_t size)
{
    size_t count;
    TRY(decompose(scratch, &count, text, size));
    for (size_t i = 0, end; i < count; i = end + 1) {
        for (end = i; end < count && combining_class(scratch->points[end]) != 0; end++)
            ;
        TRY(order_marks(scratch, scratch->points + i, end - i));
    }
    utf8proc_ssize_t length =
        utf8proc_normalize_utf32(scratch->points, (utf8proc_ssize_t)count, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (length < 0)
        return fail("a text can't be normalized: %s", utf8proc_errmsg(length));
    for (utf8proc_ssize_t i = 0; i < length; i++) {
        utf8proc_uint8_t bytes[4];
        TRY(bytes_append(out, bytes, (size_t)utf8proc_encode_char(scratch->points[i], bytes)));
    }
    return true;
}

bool nfc_append(const uint8_t *classes, NfcScratch *scratch, Bytes *out, const uint8_t *text, size_t size)
{
    size_t copied = 0, run = 0; // run: where the run begins if the next code point FOLLOWS
    for (size_t i = 0; i < size;) {
        size_t ascii = ascii_prefix(text + i, size - i);
        if (ascii > 0) {
            i += ascii;
            run = i - 1;
            continue;
        }
        CodePoint c = code_point_at(text + i);
        if (!(classes[c.value] & FOLLOWS)) {
            run = classes[c.value] & ALONE ? i + c.length : i;
            i += c.length;
            continue;
        }
        while (i < size && classes[(c = code_point_at(text + i)).value] & FOLLOWS)
            i += c.length;
        TRY(bytes_append(out, text + copied, run - copied));
        TRY(compose_run(scratch, out, text + run, i - run));
        copied = run = i;
    }
    return bytes_append(out, text + copied, size - copied);
}
