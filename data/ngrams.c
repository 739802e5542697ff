// Texts become words, words hashes of 64 bits, and 13 of these in a row one more, which is in the table or not. It is a cyclic
// polynomial (Cohen 1997): a word that comes in costs the same however long the run is. ASCII goes without tables of Unicode;
// other text goes through utf8proc, code point by code point.
#include "data/ngrams.h"
#include "base/json.h"
#include "data/lines.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { SLOTS_FIRST = 1 << 12, FOLDED_MOST = 64 };

struct Ngrams {
    uint64_t *slots; // (slot_count) 0: free; at most half of them are taken
    size_t slot_count, count;
    uint64_t *filter; // (slot_count / 8) two bits of one word for each hash: nearly all that is not in the table ends here
};

// ---- the table

static uint64_t *slot_of(const Ngrams *n, uint64_t hash)
{
    size_t slot = hash & (n->slot_count - 1);
    while (n->slots[slot] != 0 && n->slots[slot] != hash)
        slot = (slot + 1) & (n->slot_count - 1);
    return &n->slots[slot];
}

static uint64_t *filter_of(const Ngrams *n, uint64_t hash) { return &n->filter[(hash >> 12) & (n->slot_count / 8 - 1)]; }
static uint64_t filter_bits(uint64_t hash) { return (uint64_t)1 << (hash >> 58) | (uint64_t)1 << (hash >> 52 & 63); }

static bool has_hash(const Ngrams *n, uint64_t hash)
{
    uint64_t bits = filter_bits(hash);
    return (*filter_of(n, hash) & bits) == bits && *slot_of(n, hash) != 0;
}

static bool open_table(Ngrams *n, size_t slot_count)
{
    *n = (Ngrams){.slot_count = slot_count};
    n->slots = allocate(slot_count, sizeof *n->slots);
    n->filter = allocate(slot_count / 8, sizeof *n->filter);
    return n->slots != NULL && n->filter != NULL;
}

static void close_table(Ngrams *n)
{
    free(n->slots);
    free(n->filter);
}

static void put_hash(Ngrams *n, uint64_t hash)
{
    uint64_t *slot = slot_of(n, hash);
    n->count += *slot == 0;
    *slot = hash;
    *filter_of(n, hash) |= filter_bits(hash);
}

static bool add_hash(Ngrams *n, uint64_t hash)
{
    if (n->count * 2 >= n->slot_count) {
        Ngrams wider;
        bool ok = open_table(&wider, n->slot_count * 2);
        for (size_t i = 0; ok && i < n->slot_count; i++)
            if (n->slots[i] != 0)
                put_hash(&wider, n->slots[i]);
        close_table(ok ? n : &wider);
        TRY(ok);
        *n = wider;
    }
    put_hash(n, hash);
    return true;
}

// ---- words of a text

typedef struct Words {
    const char *text;
    size_t size, at;
    uint64_t word;                        // the hash of what there is of a word; 0: none has begun
    utf8proc_int32_t folded[FOLDED_MOST]; // what one code point became, and which of it are still to be looked at
    utf8proc_ssize_t folded_next, folded_count;
    uint64_t window[NGRAM_WORDS]; // hashes of the last words, in a ring; 0: none yet
    size_t oldest;                // in the ring
    uint64_t hash;                // of all that is in the ring, in its order
    size_t count;                 // words so far
} Words;

static uint64_t mixed(uint64_t hash) // every bit depends on every bit: the end of MurmurHash3
{
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

static uint64_t rotated(uint64_t hash, int bits) { return hash << bits | hash >> (64 - bits); }

// FNV-1a, by code points. word: 0 before the first.
static uint64_t with_letter(uint64_t word, uint32_t letter)
{
    return ((word == 0 ? 0xcbf29ce484222325u : word) ^ letter) * 0x100000001b3u;
}

static bool end_word(Words *w) // whether there was one
{
    enum { STEP = 5 }; // 13 steps turn a word by 65 bits, which is 1
    if (w->word == 0)
        return false;
    uint64_t word = mixed(w->word);
    w->hash = rotated(w->hash, STEP) ^ word ^ rotated(w->window[w->oldest], NGRAM_WORDS * STEP % 64);
    w->window[w->oldest] = word;
    w->oldest = w->oldest + 1 == NGRAM_WORDS ? 0 : w->oldest + 1;
    w->count++;
    w->word = 0;
    return true;
}

static bool ascii_word(unsigned char c) { return (unsigned)(c | 32) - 'a' < 26 || (unsigned)c - '0' < 10; }

static void take_ascii(Words *w) // letters and digits as far as they go
{
    const char *text = w->text;
    size_t at = w->at, size = w->size;
    uint64_t word = w->word;
    for (; at < size && ascii_word((unsigned char)text[at]); at++)
        word = with_letter(word, (unsigned char)text[at] | 32); // lower case; digits have that bit
    w->word = word;
    w->at = at;
}

static bool unicode_word(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

// One code point, folded as NFKC and case folding do; what they compose from neighbours stays decomposed, on both sides alike.
static void fold_code_point(Words *w)
{
    const utf8proc_option_t how = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_int32_t code;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)w->text + w->at, (utf8proc_ssize_t)(w->size - w->at), &code);
    w->at += size > 0 ? (size_t)size : 1;
    w->folded_next = 0;
    w->folded_count = utf8proc_decompose_char(size > 0 ? code : ' ', w->folded, FOLDED_MOST, how, &boundary);
    if (w->folded_count < 0 || w->folded_count > FOLDED_MOST) // never so in Unicode as it is
        w->folded_count = 0;
}

// Brings the next word into the window; false after the last one.
static bool next_word(Words *w)
{
    for (;;) {
        while (w->folded_next < w->folded_count) {
            utf8proc_int32_t code = w->folded[w->folded_next++];
            if (unicode_word(code))
                w->word = with_letter(w->word, (uint32_t)code);
            else if (end_word(w))
                return true;
        }
        take_ascii(w);
        if (w->at == w->size)
            return end_word(w);
        if ((unsigned char)w->text[w->at] >= 0x80) {
            fold_code_point(w);
            continue;
        }
        w->at++;
        if (end_word(w))
            return true;
    }
}

static uint64_t not_zero(uint64_t hash) { return hash == 0 ? 1 : hash; }

static uint64_t ngram_hash(const Words *words) { return not_zero(words->hash); } // of the last 13

bool ngrams_find(const Ngrams *n, const char *text, size_t size, bool *shared)
{
    Words words = {.text = text, .size = size};
    *shared = false;
    if (n->count == 0)
        return true;
    while (!*shared && next_word(&words))
        *shared = words.count >= NGRAM_WORDS && has_hash(n, ngram_hash(&words));
    return true;
}

// ---- benchmarks

static bool add_text(Ngrams *n, const char *text, size_t size)
{
    Words words = {.text = text, .size = size};
    while (next_word(&words))
        if (words.count >= NGRAM_WORDS)
            TRY(add_hash(n, ngram_hash(&words)));
    return true;
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
    bool ok = lines_next(&lines, &text, &size) && (text != NULL || fail("%s: there is no row in it", lines.path));
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
    bool ok = open_table(n, SLOTS_FIRST) && jsonl_files(&files, &file_count, paths, count);
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
    if (n == NULL)
        return;
    close_table(n);
    free(n);
}

size_t ngrams_count(const Ngrams *n) { return n->count; }
