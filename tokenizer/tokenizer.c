// Queries on an open tokenizer, and the spelling of its file: a vocabulary writes each byte as one printable character
// (GPT-2's map), so that " the" is spelled "Ġthe". Opening is in tokenizer_read.c, encoding in tokenizer_encode.c,
// decoding in tokenizer_decode.c.
#include "tokenizer/tokenizer_internal.h"
#include <stdlib.h>
#include <string.h>

void tokens_free(TokenList *tokens)
{
    free(tokens->ids);
    *tokens = (TokenList){0};
}

void tokenizer_close(Tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    bytes_free(&tokenizer->bytes);
    free(tokenizer->begin);
    free(tokenizer->kind);
    free(tokenizer->lookup);
    free(tokenizer->added.list);
    free(tokenizer->added_normal.list);
    bpe_close(&tokenizer->bpe);
    splitter_close(&tokenizer->splitter);
    free(tokenizer->classes);
    free(tokenizer);
}

int32_t tokenizer_size(const Tokenizer *tokenizer) { return tokenizer->size; }

uint64_t tokenizer_hash(const Tokenizer *tokenizer) { return tokenizer->hash; }

bool tokenizer_is_special(const Tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && id < tokenizer->size && tokenizer->kind[id] == VOCABULARY_SPECIAL;
}

// The byte behind a printable character: itself if it is printable, else the n-th byte that is not, counted from
// U+0100.
static int spelled_byte(uint32_t c)
{
    if ((c >= 33 && c <= 126) || (c >= 161 && c <= 255 && c != 173))
        return (int)c;
    if (c < 256 || c > 256 + 67)
        return -1;
    uint32_t n = c - 256; // 0 .. 32, then 127 .. 160, then 173
    return (int)(n < 33 ? n : n < 67 ? n - 33 + 127 : 173);
}

bool spelled_bytes(Bytes *out, const char *spelling, size_t size)
{
    if (utf8_valid_prefix(spelling, size) != size)
        return false;
    for (size_t i = 0; i < size;) {
        CodePoint c = code_point_at((const uint8_t *)spelling + i);
        int value = spelled_byte(c.value);
        uint8_t byte = (uint8_t)value;
        if (value < 0 || !bytes_append(out, &byte, 1))
            return false;
        i += c.length;
    }
    return true;
}

int32_t lookup_bytes(const Tokenizer *tokenizer, const uint8_t *bytes, size_t size)
{
    for (size_t i = hash_bytes(bytes, size) & tokenizer->lookup_mask; tokenizer->lookup[i] >= 0;
         i = (i + 1) & tokenizer->lookup_mask) {
        int32_t id = tokenizer->lookup[i];
        uint32_t begin = tokenizer->begin[id];
        if (tokenizer->begin[id + 1] - begin == size && memcmp(tokenizer->bytes.data + begin, bytes, size) == 0)
            return id;
    }
    return -1;
}

static int32_t find_added(const Tokenizer *tokenizer, const char *token)
{
    size_t size = strlen(token);
    const AddedTokens *both[] = {&tokenizer->added, &tokenizer->added_normal};
    for (int kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < both[kind]->count; i++)
            if (both[kind]->list[i].size == size && memcmp(both[kind]->list[i].text, token, size) == 0)
                return both[kind]->list[i].id;
    return -1;
}

bool tokenizer_adds(const Tokenizer *tokenizer, const char *token) { return find_added(tokenizer, token) >= 0; }

int32_t tokenizer_find(const Tokenizer *tokenizer, const char *token)
{
    size_t size = strlen(token);
    int32_t added = find_added(tokenizer, token);
    if (added >= 0)
        return added;
    Bytes bytes = {0};
    int32_t id = spelled_bytes(&bytes, token, size) && size > 0
                     ? lookup_bytes(tokenizer, (const uint8_t *)bytes.data, bytes.size)
                     : -1;
    bytes_free(&bytes);
    return id;
}
