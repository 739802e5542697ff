// Ids back to text. A token may end in the middle of a character, so bytes go through a small state that holds the
// unfinished one; decoding at once is decoding id by id. Invalid bytes are replaced, one U+FFFD per maximal subpart.
#include "tokenizer/tokenizer_internal.h"
#include <string.h>

// Whether a byte may follow the waiting ones (Unicode 15, table 3-7).
static bool continues(const DecodeStream *stream, uint8_t byte)
{
    uint8_t lead = stream->waiting[0], low = 0x80, high = 0xBF;
    if (stream->count == 1) {
        low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;  // lower bytes: a shorter form exists
        high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF; // higher bytes: surrogates, or beyond U+10FFFF
    }
    return byte >= low && byte <= high;
}

static bool take_byte(DecodeStream *stream, Bytes *out, uint8_t byte)
{
    if (stream->count > 0 && !continues(stream, byte))
        TRY(decode_end(stream, out));
    if (stream->count == 0 && (byte < 0x80 || byte < 0xC2 || byte > 0xF4))
        return byte < 0x80 ? bytes_append(out, &byte, 1) : bytes_text(out, "\xEF\xBF\xBD");
    stream->waiting[stream->count++] = byte;
    if (stream->count < sequence_length(stream->waiting[0]))
        return true;
    TRY(bytes_append(out, stream->waiting, stream->count));
    stream->count = 0;
    return true;
}

const char *token_bytes(const Tokenizer *tokenizer, int32_t id, size_t *size)
{
    bool there = id >= 0 && id < tokenizer->size && tokenizer->kind[id] != VOCABULARY_NONE;
    *size = there ? tokenizer->begin[id + 1] - tokenizer->begin[id] : 0;
    return there ? tokenizer->bytes.data + tokenizer->begin[id] : NULL;
}

bool decode_next(DecodeStream *stream, const Tokenizer *tokenizer, Bytes *out, int32_t id, bool keep_special)
{
    size_t size, i = 0;
    const uint8_t *bytes = (const uint8_t *)token_bytes(tokenizer, id, &size);
    if (bytes == NULL)
        return fail("id %" PRId32 " is not in the tokenizer, which has %" PRId32, id, tokenizer->size);
    if (tokenizer->kind[id] == VOCABULARY_SPECIAL && !keep_special)
        return true;
    while (i < size) {
        size_t ascii = stream->count == 0 ? ascii_prefix(bytes + i, size - i) : 0;
        TRY(bytes_append(out, bytes + i, ascii));
        i += ascii;
        if (i < size)
            TRY(take_byte(stream, out, bytes[i++]));
    }
    return true;
}

bool decode_end(DecodeStream *stream, Bytes *out)
{
    bool unfinished = stream->count > 0;
    *stream = (DecodeStream){0};
    return !unfinished || bytes_text(out, "\xEF\xBF\xBD");
}

static bool decode_all(const Tokenizer *tokenizer, Bytes *out, const int32_t *ids, size_t count, bool keep_special)
{
    DecodeStream stream = {0};
    for (size_t i = 0; i < count; i++)
        if (!decode_next(&stream, tokenizer, out, ids[i], keep_special))
            return fail_in("decoding, at place %zu", i);
    return decode_end(&stream, out);
}

bool decode(const Tokenizer *tokenizer, Bytes *out, const int32_t *ids, size_t count, bool keep_special)
{
    size_t before = out->size;
    bool ok = decode_all(tokenizer, out, ids, count, keep_special);
    if (!ok && out->data != NULL) {
        out->size = before;
        out->data[before] = 0;
    }
    return ok;
}
