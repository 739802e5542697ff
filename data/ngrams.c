// Texts become words, words hashes, and 13 hashes in a row one of 64 bits, which is in the table or not. ASCII goes without tables of
// Unicode; other text goes through utf8proc, code point by code point.
#include "data/ngrams.h"
#include "base/json.h"
#include "data/lines.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { SLOTS_FIRST = 1 << 12, WORD_MOST = 256, FOLDED_MOST = 64 };
static const uint64_t WHOLE_TEXT = 0x5741484F4C45; // keeps short whole texts apart from 13-grams

struct Ngrams {
    uint64_t *slots; // 0: free
    size_t slot_count, count;
};

// ---- the table

static uint64_t *slot_of(const Ngrams *n, uint64_t hash)
{
    size_t slot = hash & (n->slot_count - 1);
    while (n->slots[slot] != 0 && n->slots[slot] != hash)
        slot = (slot + 1) & (n->slot_count - 1);
    return &n->slots[slot];
}

static bool widen(Ngrams *n)
{
    Ngrams wider = {.slot_count = n->slot_count * 2, .count = n->count};
    wider.slots = allocate(wider.slot_count, sizeof *wider.slots);
    TRY(wider.slots != NULL);
    for (size_t i = 0; i < n->slot_count; i++)
        if (n->slots[i] != 0)
            *slot_of(&wider, n->slots[i]) = n->slots[i];
    free(n->slots);
    *n = wider;
    return true;
}

static bool add_hash(Ngrams *n, uint64_t hash)
{
    if (n->count * 2 >= n->slot_count)
        TRY(widen(n));
    uint64_t *slot = slot_of(n, hash);
    n->count += *slot == 0;
    *slot = hash;
    return true;
}

// ---- words of a text

typedef struct Words {
    const char *text;
    size_t size, at;
    uint64_t window[NGRAM_WORDS]; // hashes of the last words, in a ring
    size_t count;                 // words so far
} Words;

static bool ascii_word(unsigned char c) { return (unsigned)(c | 32) - 'a' < 26 || (unsigned)c - '0' < 10; }

static bool unicode_word(utf8proc_int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO);
}

typedef struct Word {
    uint8_t bytes[WORD_MOST]; // its first bytes, folded; longer words are told apart by these
    size_t size;
} Word;

static void put_byte(Word *w, uint8_t byte)
{
    if (w->size < WORD_MOST)
        w->bytes[w->size++] = byte;
}

// One code point, folded as NFKC and case folding do (what they compose from neighbours is left decomposed on both sides alike).
// Returns whether anything of it belongs to a word.
static bool put_unicode(Word *w, utf8proc_int32_t c)
{
    utf8proc_int32_t folded[FOLDED_MOST];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_option_t how = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    utf8proc_ssize_t count = utf8proc_decompose_char(c, folded, FOLDED_MOST, how, &boundary);
    bool any = false;
    for (utf8proc_ssize_t i = 0; i < count && i < FOLDED_MOST; i++) {
        uint8_t bytes[4];
        if (!unicode_word(folded[i]))
            continue;
        utf8proc_ssize_t size = utf8proc_encode_char(folded[i], bytes);
        for (utf8proc_ssize_t b = 0; b < size; b++)
            put_byte(w, bytes[b]);
        any = true;
    }
    return any;
}

// The next code point of the text, folded into the word; false where it separates words.
static bool take_code_point(Words *words, Word *w)
{
    unsigned char c = (unsigned char)words->text[words->at];
    if (c < 0x80) {
        words->at++;
        if (!ascii_word(c))
            return false;
        put_byte(w, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
        return true;
    }
    utf8proc_int32_t code;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)words->text + words->at, (utf8proc_ssize_t)(words->size - words->at), &code);
    words->at += size > 0 ? (size_t)size : 1;
    return size > 0 && put_unicode(w, code);
}

// Hashes the next word into the window; false after the last one.
static bool next_word(Words *words)
{
    Word w = {.size = 0};
    while (words->at < words->size) {
        if (take_code_point(words, &w))
            continue;
        if (w.size > 0)
            break;
    }
    if (w.size == 0)
        return false;
    words->window[words->count++ % NGRAM_WORDS] = hash_bytes(w.bytes, w.size);
    return true;
}

static uint64_t not_zero(uint64_t hash) { return hash == 0 ? 1 : hash; }

static uint64_t ngram_hash(const Words *words) // of the last 13
{
    uint64_t in_order[NGRAM_WORDS];
    for (size_t i = 0; i < NGRAM_WORDS; i++)
        in_order[i] = words->window[(words->count + i) % NGRAM_WORDS];
    return not_zero(hash_bytes(in_order, sizeof in_order));
}

static uint64_t whole_hash(const Words *words) // of a text of fewer
{
    uint64_t all[NGRAM_WORDS + 1];
    memcpy(all, words->window, words->count * sizeof *all);
    all[words->count] = WHOLE_TEXT;
    return not_zero(hash_bytes(all, (words->count + 1) * sizeof *all));
}

static bool is_short(const Words *words) { return words->count >= SHORT_TEXT_WORDS && words->count < NGRAM_WORDS; }

bool ngrams_find(const Ngrams *n, const char *text, size_t size, bool *shared)
{
    Words words = {.text = text, .size = size};
    *shared = false;
    if (n->count == 0)
        return true;
    while (!*shared && next_word(&words))
        *shared = words.count >= NGRAM_WORDS && *slot_of(n, ngram_hash(&words)) != 0;
    if (is_short(&words))
        *shared = *slot_of(n, whole_hash(&words)) != 0;
    return true;
}

// ---- benchmarks

static bool add_text(Ngrams *n, const char *text, size_t size)
{
    Words words = {.text = text, .size = size};
    while (next_word(&words))
        if (words.count >= NGRAM_WORDS)
            TRY(add_hash(n, ngram_hash(&words)));
    return !is_short(&words) || add_hash(n, whole_hash(&words));
}

bool ngrams_is_name(const char *key)
{
    return strcmp(key, "id") == 0 || strcmp(key, "source") == 0 || strcmp(key, "category") == 0;
}

static bool add_value(Ngrams *n, const json_t *value, bool top)
{
    const char *key;
    const json_t *inside;
    size_t i;
    if (json_is_string(value))
        return add_text(n, json_string_value(value), json_string_length(value));
    json_array_foreach (value, i, inside)
        TRY(add_value(n, inside, false));
    json_object_foreach ((json_t *)(uintptr_t)value, key, inside) {
        if (!top || !ngrams_is_name(key))
            TRY(add_value(n, inside, false));
    }
    return true;
}

static bool add_file(Ngrams *n, const char *path)
{
    LineReader lines;
    const char *text;
    size_t size;
    TRY(lines_open(&lines, path));
    bool ok = lines_next(&lines, &text, &size);
    while (ok && text != NULL) {
        char where[1024];
        snprintf(where, sizeof where, "%s:%" PRId64, lines.path, lines.line);
        json_t *row = json_parse(text, size, where);
        ok = row != NULL && (json_is_object(row) || fail("%s: a row must be a JSON object, one a line", where)) &&
             add_value(n, row, true) && lines_next(&lines, &text, &size);
        json_decref(row);
    }
    lines_close(&lines);
    return ok;
}

Ngrams *ngrams_read(const char *const *paths, size_t count)
{
    Ngrams *n = allocate(1, sizeof *n);
    char **files = NULL;
    size_t file_count = 0;
    if (n == NULL)
        return NULL;
    n->slot_count = SLOTS_FIRST;
    n->slots = allocate(n->slot_count, sizeof *n->slots);
    bool ok = n->slots != NULL && jsonl_files(&files, &file_count, paths, count);
    for (size_t i = 0; ok && i < file_count; i++)
        ok = add_file(n, files[i]);
    names_free(files, file_count);
    if (ok)
        return n;
    fail_in("--decontaminate");
    ngrams_close(n);
    return NULL;
}

void ngrams_close(Ngrams *n)
{
    free(n->slots);
    free(n);
}

size_t ngrams_count(const Ngrams *n) { return n->count; }
