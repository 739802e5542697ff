// Text to ids: check it, find the added tokens in it, normalize the text between them, split that into words, merge
// each word. Most words have been seen before, so an Encoder caches the short ones; the cache changes the time, never
// an id.
#include "tokenizer/tokenizer_internal.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { CACHED_BYTES = 15, CACHED_IDS = 4, CACHE_SETS = 1 << 15 };

typedef struct PagedWord {
    uint64_t low, high;      // up to 15 bytes of the word, its length in the last; 0, 0 if empty
    int32_t ids[CACHED_IDS]; // -1 after the last
} PagedWord;

typedef struct CacheSet {
    PagedWord words[2]; // the newer one first; together one cache line
} CacheSet;

struct Encoder {
    const Tokenizer *tokenizer;
    CacheSet *cache; // (CACHE_SETS)
    SplitScratch split;
    BpeScratch bpe;
    NfcScratch nfc;
    Bytes normal; // the current section after NFC
};

Encoder *encoder_open(const Tokenizer *tokenizer)
{
    Encoder *encoder = allocate(1, sizeof *encoder);
    if (encoder == NULL)
        return NULL;
    encoder->tokenizer = tokenizer;
    encoder->cache = allocate(CACHE_SETS, sizeof *encoder->cache);
    if (encoder->cache == NULL || !split_scratch_open(&encoder->split, &tokenizer->splitter)) {
        encoder_close(encoder);
        return NULL;
    }
    return encoder;
}

void encoder_close(Encoder *encoder)
{
    if (encoder == NULL)
        return;
    split_scratch_close(&encoder->split);
    bpe_scratch_free(&encoder->bpe);
    nfc_scratch_free(&encoder->nfc);
    bytes_free(&encoder->normal);
    free(encoder->cache);
    free(encoder);
}

uint64_t encoder_steps(const Encoder *encoder) { return encoder->bpe.steps; }

// ---- words

static uint64_t load64(const uint8_t *p) // one load on a little-endian machine
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
           (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

// size: 1 .. 15; readable: bytes from word to the end of the text
static PagedWord key_of(const uint8_t *word, size_t size, size_t readable)
{
    uint8_t copy[16] = {0};
    if (readable < 16) {
        memcpy(copy, word, size);
        word = copy;
    }
    uint64_t low = load64(word), high = load64(word + 8);
    if (size < 8)
        low &= (UINT64_C(1) << 8 * size) - 1;
    high &= size <= 8 ? 0 : (UINT64_C(1) << 8 * (size - 8)) - 1;
    return (PagedWord){.low = low, .high = high | (uint64_t)size << 56};
}

static CacheSet *set_of(Encoder *encoder, const PagedWord *key)
{
    uint64_t a = (key->low ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u,
             b = (key->high ^ a >> 32) * 0xA0761D6478BD642Fu;
    return &encoder->cache[(a ^ b ^ b >> 32) >> 17 & (CACHE_SETS - 1)];
}

static bool merge_word(Encoder *encoder, TokenList *out, const uint8_t *word, size_t size)
{
    size_t wanted, count;
    TRY(size_add(&wanted, out->count, size));
    TRY(grow(&out->ids, &out->capacity, wanted, sizeof *out->ids));
    TRY(bpe_word(&encoder->tokenizer->bpe, &encoder->bpe, out->ids + out->count, &count, word, size));
    out->count += count;
    return true;
}

static bool remember_word(Encoder *encoder, CacheSet *set, PagedWord *key, TokenList *out, const uint8_t *word,
                          size_t size)
{
    size_t before = out->count;
    TRY(merge_word(encoder, out, word, size));
    size_t count = out->count - before;
    if (count > CACHED_IDS)
        return true;
    memset(key->ids, -1, sizeof key->ids);
    memcpy(key->ids, out->ids + before, count * sizeof *key->ids);
    set->words[1] = set->words[0];
    set->words[0] = *key;
    return true;
}

static bool encode_word(Encoder *encoder, TokenList *out, const uint8_t *word, size_t size, size_t readable)
{
    if (size > CACHED_BYTES)
        return merge_word(encoder, out, word, size);
    if (out->capacity - out->count < CACHED_IDS)
        TRY(grow(&out->ids, &out->capacity, out->count + CACHED_IDS, sizeof *out->ids));
    if (size == 1) {
        out->ids[out->count++] = encoder->tokenizer->bpe.of_byte[word[0]];
        return true;
    }
    PagedWord key = key_of(word, size, readable);
    CacheSet *set = set_of(encoder, &key);
    for (int i = 0; i < 2; i++) {
        const PagedWord *seen = &set->words[i];
        if (seen->low == key.low && seen->high == key.high) {
            memcpy(out->ids + out->count, seen->ids, sizeof seen->ids);
            out->count += 1 + (seen->ids[1] >= 0) + (seen->ids[2] >= 0) + (seen->ids[3] >= 0);
            return true;
        }
    }
    return remember_word(encoder, set, &key, out, word, size);
}

static bool encode_words(Encoder *encoder, TokenList *out, const uint8_t *text, size_t size)
{
    for (size_t at = 0, end; at < size; at = end) {
        TRY(split_next(&encoder->tokenizer->splitter, &encoder->split, text, size, at, &end));
        TRY(encode_word(encoder, out, text + at, end - at, size - at));
    }
    return true;
}

// ---- added tokens

// The first of the sorted added tokens low .. high whose byte at `depth` is not less than `byte`; all are longer than
// depth.
static size_t added_bound(const AddedTokens *added, size_t low, size_t high, size_t depth, int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (added->list[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The longest added token that begins here: the list is narrowed byte by byte to the tokens that match the text.
static const AddedToken *added_here(const AddedTokens *added, const uint8_t *text, size_t size)
{
    const AddedToken *found = NULL;
    size_t low = 0, high = added->count;
    for (size_t depth = 0; low < high; depth++) {
        if (added->list[low].size == depth) // complete: the shortest of the matching ones comes first
            found = &added->list[low++];
        if (depth == size)
            break;
        low = added_bound(added, low, high, depth, text[depth]);
        high = added_bound(added, low, high, depth, text[depth] + 1);
    }
    return found;
}

static const AddedToken *added_next(const AddedTokens *added, const uint8_t *text, size_t size, size_t *at)
{
    for (size_t i = *at; i < size; i++) {
        if (added->only_first >= 0) {
            const uint8_t *next = memchr(text + i, added->only_first, size - i);
            i = next == NULL ? size : (size_t)(next - text);
        } else
            while (i < size && !added->first[text[i]])
                i++;
        const AddedToken *found = i < size ? added_here(added, text + i, size - i) : NULL;
        if (found != NULL) {
            *at = i;
            return found;
        }
    }
    *at = size;
    return NULL;
}

// Where the whitespace that ends at `end` begins, not before `begin`.
static size_t space_before(const uint8_t *classes, const uint8_t *text, size_t begin, size_t end)
{
    while (end > begin) {
        size_t at = end - 1;
        while (at > begin && (text[at] & 0xC0) == 0x80)
            at--;
        if (!(classes[code_point_at(text + at).value] & SPACE))
            break;
        end = at;
    }
    return end;
}

static size_t space_behind(const uint8_t *classes, const uint8_t *text, size_t size, size_t at)
{
    while (at < size && classes[code_point_at(text + at).value] & SPACE)
        at += code_point_at(text + at).length;
    return at;
}

// \w of the library's regular expressions: alphabetic, marks, digits, connectors such as the underscore, joiners.
static bool is_word(int32_t point)
{
    utf8proc_category_t c = utf8proc_category(point);
    bool circled = (point >= 0x24B6 && point <= 0x24E9) || (point >= 0x1F130 && point <= 0x1F149) ||
                   (point >= 0x1F150 && point <= 0x1F169) || (point >= 0x1F170 && point <= 0x1F189);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NL) || c == UTF8PROC_CATEGORY_PC || circled ||
           point == 0x200C || point == 0x200D;
}

static bool stands_alone(const uint8_t *text, size_t size, size_t begin, size_t end)
{
    size_t before = begin;
    while (before > 0 && (text[--before] & 0xC0) == 0x80)
        ;
    return (begin == 0 || !is_word((int32_t)code_point_at(text + before).value)) &&
           (end == size || !is_word((int32_t)code_point_at(text + end).value));
}

typedef bool EncodePart(Encoder *encoder, TokenList *out, const uint8_t *text, size_t size, bool normal);

// As in the library (AddedVocabulary::find_matches): the search continues after the token's own text; whitespace that
// the token takes only moves the beginning of the part before the next one.
static bool encode_around(Encoder *encoder, TokenList *out, const AddedTokens *added, const uint8_t *text, size_t size,
                          bool normal, EncodePart *part)
{
    const uint8_t *classes = encoder->tokenizer->classes;
    size_t begin = 0;
    for (size_t at = 0; added->count > 0 && at < size;) {
        const AddedToken *found = added_next(added, text, size, &at);
        if (found == NULL)
            break;
        if (found->single_word && !stands_alone(text, size, at, at + found->size)) {
            at += found->size; // ordinary text, and so is any token that begins in it
            continue;
        }
        size_t start = found->takes_before ? space_before(classes, text, begin < at ? begin : at, at) : at;
        if (begin < start)
            TRY(part(encoder, out, text + begin, start - begin, normal));
        TRY(grow(&out->ids, &out->capacity, out->count + 1, sizeof *out->ids));
        out->ids[out->count++] = found->id;
        at += found->size;
        begin = found->takes_behind ? space_behind(classes, text, size, at) : at;
    }
    return begin >= size || part(encoder, out, text + begin, size - begin, normal);
}

// ---- between added tokens

static bool encode_plain_words(Encoder *encoder, TokenList *out, const uint8_t *text, size_t size, bool normal)
{
    (void)normal; // it is normalized by now
    return encode_words(encoder, out, text, size);
}

static bool normalize(Encoder *encoder, const uint8_t **text, size_t *size)
{
    bytes_clear(&encoder->normal);
    TRY(nfc_append(encoder->tokenizer->classes, &encoder->nfc, &encoder->normal, *text, *size));
    *text = (const uint8_t *)encoder->normal.data;
    *size = encoder->normal.size;
    return true;
}

static bool encode_section(Encoder *encoder, TokenList *out, const uint8_t *text, size_t size, bool normal)
{
    TRY(normal || normalize(encoder, &text, &size));
    return encode_around(encoder, out, &encoder->tokenizer->added_normal, text, size, true, encode_plain_words);
}

// Whether the text is UTF-8, and whether NFC leaves it unchanged. The second is a quick check that may say no too
// often: only then is the text normalized.
static bool check_text(const Tokenizer *tokenizer, const uint8_t *text, size_t size, bool *normal)
{
    *normal = true;
    for (size_t i = 0; i < size;) {
        i += ascii_prefix(text + i, size - i);
        if (i == size)
            break;
        size_t length = sequence_length(text[i]);
        if (length > size - i || utf8_valid_prefix((const char *)text + i, length) != length)
            return fail("the text is not valid UTF-8 at byte %zu", i);
        if (tokenizer->classes[code_point_at(text + i).value] & FOLLOWS)
            *normal = !tokenizer->nfc;
        i += length;
    }
    return true;
}

static bool encode_text(Encoder *encoder, TokenList *out, const char *text, size_t size, bool match_added)
{
    if (size >= (size_t)1 << 30)
        return fail("a text of %zu bytes is too long to encode at once; cut it into parts of less than 1 GB", size);
    const uint8_t *bytes = (const uint8_t *)text;
    size_t before = out->count;
    bool normal;
    bool ok =
        check_text(encoder->tokenizer, bytes, size, &normal) &&
        (match_added ? encode_around(encoder, out, &encoder->tokenizer->added, bytes, size, normal, encode_section)
                     : (normal || normalize(encoder, &bytes, &size)) && encode_words(encoder, out, bytes, size));
    if (!ok)
        out->count = before;
    return ok;
}

bool encode(Encoder *encoder, TokenList *out, const char *text, size_t size)
{
    return encode_text(encoder, out, text, size, true);
}

bool encode_plain(Encoder *encoder, TokenList *out, const char *text, size_t size)
{
    return encode_text(encoder, out, text, size, false);
}
