// Texts become words, words hashes of 64 bits, and every 13 consecutive ones a further hash, which is looked up in the
// table. That is a cyclic polynomial (Cohen 1997): the cost of one more word does not depend on the run's length. ASCII
// needs no Unicode tables; other text goes through utf8proc, code point by code point.
#include "decontamination/ngrams.h"
#include "decontamination/same_text.h"
#include "decontamination/sentences.h"
#include "json/json_source.h"
#include "rows/lines.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { SLOTS_FIRST = 1 << 12, FOLDED_MOST = 64 };

typedef struct Origin { // a row of a benchmark
    const char *file;
    int64_t line;
    char *id;
} Origin;

struct Ngrams {
    uint64_t *slots;   // (slot_count) 0: free; at most half are used
    uint32_t *origins; // (slot_count) the first row that had it
    size_t slot_count, count;
    bool all;     // all texts, not only questions
    Origin *rows; // (row_count)
    size_t row_count, row_capacity;
    char **files; // (file_count)
    size_t file_count;
    NgramFile *facts; // (file_count)
    bool any_whole;   // some row's question is compared whole
    bool any_inside;  // some row's question is also compared with sentences
    uint64_t *filter; // (slot_count / 8) two bits for each hash: rejects nearly all that are not in the table
};

// ---- the table

static uint64_t *slot_of(const Ngrams *n, uint64_t hash)
{
    size_t slot = hash & (n->slot_count - 1);
    while (n->slots[slot] != 0 && n->slots[slot] != hash)
        slot = (slot + 1) & (n->slot_count - 1);
    return &n->slots[slot];
}

static uint64_t *filter_of(const Ngrams *n, uint64_t hash)
{
    return &n->filter[(hash >> 12) & (n->slot_count / 8 - 1)];
}
static uint64_t filter_bits(uint64_t hash) { return (uint64_t)1 << (hash >> 58) | (uint64_t)1 << (hash >> 52 & 63); }

static bool has_hash(const Ngrams *n, uint64_t hash)
{
    uint64_t bits = filter_bits(hash);
    return (*filter_of(n, hash) & bits) == bits && *slot_of(n, hash) != 0;
}

static bool open_table(Ngrams *n, size_t slot_count)
{
    n->slot_count = slot_count;
    n->count = 0;
    n->slots = allocate(slot_count, sizeof *n->slots);
    n->origins = allocate(slot_count, sizeof *n->origins);
    n->filter = allocate(slot_count / 8, sizeof *n->filter);
    return n->slots != NULL && n->origins != NULL && n->filter != NULL;
}

static void close_table(Ngrams *n)
{
    free(n->slots);
    free(n->origins);
    free(n->filter);
}

static void put_hash(Ngrams *n, uint64_t hash, uint32_t origin)
{
    uint64_t *slot = slot_of(n, hash);
    if (*slot == 0)
        n->origins[slot - n->slots] = origin;
    n->count += *slot == 0;
    *slot = hash;
    *filter_of(n, hash) |= filter_bits(hash);
}

static bool add_hash(Ngrams *n, uint64_t hash) // of the last row
{
    if (n->count * 2 >= n->slot_count) {
        Ngrams wider = *n;
        bool ok = open_table(&wider, n->slot_count * 2);
        for (size_t i = 0; ok && i < n->slot_count; i++)
            if (n->slots[i] != 0)
                put_hash(&wider, n->slots[i], n->origins[i]);
        close_table(ok ? n : &wider);
        TRY(ok);
        *n = wider;
    }
    put_hash(n, hash, (uint32_t)(n->row_count - 1));
    return true;
}

// ---- words of a text

typedef struct Words {
    const char *text;
    size_t size, at;
    uint64_t word;                        // hash of the word so far; 0: none has begun
    size_t begin, end;                    // the range of the current, or the last, word
    utf8proc_int32_t folded[FOLDED_MOST]; // the result of one code point, and the part not processed yet
    utf8proc_ssize_t folded_next, folded_count;
    size_t folded_at;             // the code point's offset
    uint64_t window[NGRAM_WORDS]; // hashes of the last words, in a ring; 0: none yet
    size_t begins[NGRAM_WORDS];   // their offsets
    size_t oldest;                // in the ring
    uint64_t hash;                // of all words in the ring, in order
    size_t count;                 // words so far
} Words;

static uint64_t mixed(uint64_t hash) // finaliser of MurmurHash3: every bit depends on every bit
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
    enum { STEP = 5 }; // 13 steps rotate a word by 65 bits, which is 1
    if (w->word == 0)
        return false;
    uint64_t word = mixed(w->word);
    w->hash = rotated(w->hash, STEP) ^ word ^ rotated(w->window[w->oldest], NGRAM_WORDS * STEP % 64);
    w->window[w->oldest] = word;
    w->begins[w->oldest] = w->begin;
    w->oldest = w->oldest + 1 == NGRAM_WORDS ? 0 : w->oldest + 1;
    w->count++;
    w->word = 0;
    return true;
}

static bool ascii_word(unsigned char c) { return (unsigned)(c | 32) - 'a' < 26 || (unsigned)c - '0' < 10; }

static void take_ascii(Words *w) // all consecutive letters and digits
{
    const char *text = w->text;
    size_t at = w->at, size = w->size;
    uint64_t word = w->word;
    if (word == 0)
        w->begin = at;
    for (; at < size && ascii_word((unsigned char)text[at]); at++)
        word = with_letter(word, (unsigned char)text[at] | 32); // lower case; digits have that bit
    w->word = word;
    if (word != 0)
        w->end = at;
    w->at = at;
}

static bool unicode_word(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

// One code point, folded by NFKC and case folding; compositions with neighbours stay decomposed, on both sides alike.
static void fold_code_point(Words *w)
{
    const utf8proc_option_t how = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_int32_t code;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)w->text + w->at, (utf8proc_ssize_t)(w->size - w->at), &code);
    w->folded_at = w->at;
    w->at += size > 0 ? (size_t)size : 1;
    w->folded_next = 0;
    w->folded_count = utf8proc_decompose_char(size > 0 ? code : ' ', w->folded, FOLDED_MOST, how, &boundary);
    if (w->folded_count < 0 || w->folded_count > FOLDED_MOST) // does not happen in today's Unicode
        w->folded_count = 0;
}

// Brings the next word into the window; false after the last one.
static bool next_word(Words *w)
{
    for (;;) {
        while (w->folded_next < w->folded_count) {
            utf8proc_int32_t code = w->folded[w->folded_next++];
            if (unicode_word(code)) {
                w->begin = w->word == 0 ? w->folded_at : w->begin;
                w->word = with_letter(w->word, (uint32_t)code);
                w->end = w->at;
            } else if (end_word(w)) {
                return true;
            }
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

static uint64_t ngram_hash(const Words *words) { return not_zero(words->hash); } // of the last 13 words

static NgramMatch match_of(const Ngrams *n, uint64_t hash, Text words)
{
    const Origin *row = &n->rows[n->origins[slot_of(n, hash) - n->slots]];
    return (NgramMatch){true, false, words, row->file, row->line, row->id};
}

NgramMatch ngrams_find(const Ngrams *n, const char *text, size_t size)
{
    Words words = {.text = text, .size = size};
    bool shared = false;
    while (n->count > 0 && !shared && next_word(&words))
        shared = words.count >= NGRAM_WORDS && has_hash(n, ngram_hash(&words));
    if (!shared)
        return (NgramMatch){0};
    size_t begin = words.begins[words.oldest];
    return match_of(n, ngram_hash(&words), (Text){text + begin, words.end - begin});
}

// ---- the texts of a row

typedef bool (*TakeText)(void *context, Text text); // returns false to stop

static bool is_name(const char *key) // of a text that is not a question
{
    return strcmp(key, "id") == 0 || strcmp(key, "source") == 0 || strcmp(key, "category") == 0;
}

static Text text_of(const json_t *value) { return (Text){json_string_value(value), json_string_length(value)}; }

static bool all_texts(const json_t *value, bool top, TakeText take, void *context)
{
    const char *key;
    const json_t *inside;
    size_t i;
    if (json_is_string(value))
        return take(context, text_of(value));
    json_array_foreach (value, i, inside)
        TRY(all_texts(inside, false, take, context));
    json_object_foreach ((json_t *)(uintptr_t)value, key, inside) {
        if (!top || !is_name(key))
            TRY(all_texts(inside, false, take, context));
    }
    return true;
}

static bool is_users(const json_t *message)
{
    const json_t *role = json_object_get(message, "role");
    const char *name = json_string_value(role != NULL ? role : json_object_get(message, "from"));
    return name != NULL && (strcmp(name, "user") == 0 || strcmp(name, "human") == 0);
}

// *any: whether the row has a question.
static bool questions(const json_t *row, bool *any, TakeText take, void *context)
{
    static const char *const keys[] = {"problem", "question", "prompt",   "instruction",
                                       "input",   "query",    "messages", "conversations"};
    *any = false;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const json_t *value = json_object_get(row, keys[k]), *message;
        size_t i;
        if (json_is_string(value)) {
            *any = true;
            TRY(take(context, text_of(value)));
        }
        json_array_foreach (value, i, message) {
            if (!is_users(message))
                continue;
            *any = true;
            TRY(all_texts(json_object_get(message, json_object_get(message, "content") != NULL ? "content" : "value"),
                          false, take, context));
        }
    }
    return true;
}

static bool texts(const json_t *row, bool all, TakeText take, void *context)
{
    bool any = false;
    if (!all)
        TRY(questions(row, &any, take, context));
    return any || all_texts(row, true, take, context);
}

// ---- whole questions

// The same question with other options is another question, unless one of the two has none.
typedef enum WholeKind {
    WITH_OPTIONS,
    BESIDE_OPTIONS,
    WITHOUT_OPTIONS,
    BEGINNING,
    INSIDE
} WholeKind; // INSIDE: added to one of the first three

typedef struct Whole {                            // a row's question as a whole
    uint64_t text, sentences, beginning, options; // beginning: its first sentence
    size_t longest;                               // words of its longest text
    size_t weight;                                // words in all, a number counts twice
    Text first;                                   // the first of its texts
} Whole;

// "Why is that so?" may occur in any question; five words, or four with a number, hardly do.
enum { INSIDE_WEIGHT = 5 };

static size_t words_in(Text text, size_t *numbers)
{
    Words words = {.text = text.data, .size = text.size};
    while (words.count < NGRAM_WORDS && next_word(&words))
        *numbers += text.data[words.begin] >= '0' && text.data[words.begin] <= '9';
    return words.count;
}

static bool take_whole(void *context, Text text)
{
    Whole *w = context;
    size_t numbers = 0, words = words_in(text, &numbers), at = 0;
    w->longest = words > w->longest ? words : w->longest;
    if (w->longest >= NGRAM_WORDS) // not compared whole
        return true;
    w->text = same_text(w->text, text);
    w->weight += words + numbers;
    for (Text s = sentence_next(text, &at); s.size > 0; s = sentence_next(text, &at)) {
        w->sentences = same_text(w->sentences, s);
        w->beginning = w->beginning == 0 ? w->sentences : w->beginning;
    }
    w->first = w->first.data == NULL ? text : w->first;
    return true;
}

static bool take_option(void *context, Text text) // in any order
{
    *(uint64_t *)context += mixed(same_text(0, text));
    return true;
}

// Whether the row has a question that is too short for a run of words. Options are a list of texts, or ARC's object
// with one.
static bool is_whole(Whole *w, const json_t *row)
{
    static const char *const keys[] = {"options", "choices"};
    bool any;
    *w = (Whole){0};
    questions(row, &any, take_whole, w);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *options = json_object_get(row, keys[i]), *texts_of = json_object_get(options, "text");
        all_texts(texts_of != NULL ? texts_of : options, false, take_option, &w->options);
    }
    return any && w->longest > 0 && w->longest < NGRAM_WORDS;
}

// options: 0: none, or ignored.
static uint64_t whole_hash(uint64_t text, uint64_t options, uint64_t kind)
{
    uint64_t all[] = {text, options, kind};
    return not_zero(hash_bytes(all, sizeof all));
}

// Words of questions that depend on their options: "Which of these is true?" asks something else in each row.
static bool points_to_options(Text text)
{
    static const char words[] =
        " which following these those below above statement statements option options choice choices true false "
        "correct incorrect except ";
    for (size_t at = 0, end; at < text.size; at = end + 1) {
        char word[16] = " ";
        size_t size = 1;
        for (end = at; end < text.size && ascii_word((unsigned char)text.data[end]); end++)
            if (size < sizeof word - 2)
                word[size++] = (char)(text.data[end] | 32);
        word[size] = ' ';
        if (size > 1 && strstr(words, word) != NULL)
            return true;
    }
    return false;
}

static bool add_kinds(Ngrams *n, uint64_t text, uint64_t options, uint64_t inside, bool beside)
{
    if (options == 0)
        return add_hash(n, whole_hash(text, 0, WITHOUT_OPTIONS + inside));
    return add_hash(n, whole_hash(text, options, WITH_OPTIONS + inside)) &&
           (!beside || add_hash(n, whole_hash(text, 0, BESIDE_OPTIONS + inside)));
}

static bool add_whole(Ngrams *n, const Whole *w)
{
    bool inside = w->weight >= INSIDE_WEIGHT;
    n->any_whole = true;
    n->any_inside = n->any_inside || inside;
    return add_kinds(n, w->text, w->options, 0, true) &&
           (!inside || (add_hash(n, whole_hash(w->beginning, 0, BEGINNING)) &&
                        add_kinds(n, w->sentences, w->options, INSIDE, !points_to_options(w->first))));
}

static NgramMatch look_up(const Ngrams *n, uint64_t text, uint64_t options, uint64_t inside, Text words)
{
    const uint64_t hashes[] = {whole_hash(text, 0, WITHOUT_OPTIONS + inside),
                               whole_hash(text, options, (options != 0 ? WITH_OPTIONS : BESIDE_OPTIONS) + inside)};
    for (size_t i = 0; i < 2; i++)
        if (has_hash(n, hashes[i])) {
            NgramMatch match = match_of(n, hashes[i], words);
            match.whole = true;
            return match;
        }
    return (NgramMatch){0};
}

typedef struct Inside {
    const Ngrams *ngrams;
    uint64_t options; // of the row
    NgramMatch match;
} Inside;

// Compares from each sentence that begins a benchmark's question.
static bool search_sentences(void *context, Text text)
{
    Inside *in = context;
    size_t next = 0;
    for (Text first = sentence_next(text, &next); first.size > 0; first = sentence_next(text, &next)) {
        uint64_t hash = same_text(0, first);
        Text last = first;
        size_t at = next;
        bool begins = has_hash(in->ngrams, whole_hash(hash, 0, BEGINNING));
        for (int i = 0; begins && i < NGRAM_WORDS && last.size > 0; i++) {
            Text words = {first.data, (size_t)(last.data + last.size - first.data)};
            in->match = look_up(in->ngrams, hash, in->options, INSIDE, words);
            if (in->match.found)
                return false;
            last = sentence_next(text, &at);
            hash = same_text(hash, last);
        }
    }
    return true;
}

static NgramMatch find_whole(const Ngrams *n, const json_t *row)
{
    Whole w;
    bool any;
    if (!n->any_whole)
        return (NgramMatch){0};
    Inside in = {.ngrams = n};
    if (is_whole(&w, row))
        in.match = look_up(n, w.text, w.options, 0, w.first);
    in.options = w.options;
    if (n->any_inside && !in.match.found)
        questions(row, &any, search_sentences, &in);
    return in.match;
}

typedef struct Search {
    const Ngrams *ngrams;
    NgramMatch match;
} Search;

static bool search_text(void *context, Text text)
{
    Search *search = context;
    search->match = ngrams_find(search->ngrams, text.data, text.size);
    return !search->match.found;
}

NgramMatch ngrams_find_row(const Ngrams *n, const json_t *row)
{
    Search search = {.ngrams = n};
    texts(row, n->all, search_text, &search);
    return search.match.found ? search.match : find_whole(n, row);
}

// ---- benchmarks

typedef struct Addition {
    Ngrams *ngrams;
    size_t longest; // words of the longest text so far
} Addition;

static bool add_text(void *context, Text text)
{
    Addition *a = context;
    Words words = {.text = text.data, .size = text.size};
    while (next_word(&words))
        if (words.count >= NGRAM_WORDS)
            TRY(add_hash(a->ngrams, ngram_hash(&words)));
    a->longest = words.count > a->longest ? words.count : a->longest;
    return true;
}

static bool add_texts(Ngrams *n, NgramFile *facts, const json_t *row)
{
    Whole w;
    Addition a = {.ngrams = n};
    bool whole = is_whole(&w, row);
    TRY(texts(row, n->all, add_text, &a) && (!whole || add_whole(n, &w)));
    facts->rows++;
    facts->whole += whole;
    facts->uncompared += !whole && a.longest < NGRAM_WORDS;
    return true;
}

static bool add_row(Ngrams *n, NgramFile *facts, const char *file, int64_t line, const char *text, size_t size)
{
    char where[1024];
    int64_t odd;
    snprintf(where, sizeof where, "%s:%" PRId64, file, line);
    json_t *row = json_parse_row(text, size, where, &odd);
    const char *id = json_string_value(json_object_get(row, "id"));
    bool ok = row != NULL && (json_is_object(row) || fail("%s: a row must be a JSON object, one a line", where)) &&
              (n->row_count < UINT32_MAX || fail("%s: too many rows", where)) &&
              grow(&n->rows, &n->row_capacity, n->row_count + 1, sizeof *n->rows);
    if (ok) {
        n->rows[n->row_count++] = (Origin){.file = file, .line = line, .id = id == NULL ? NULL : copy_text(id)};
        ok = (id == NULL || n->rows[n->row_count - 1].id != NULL) && add_texts(n, facts, row);
    }
    json_decref(row);
    return ok;
}

static bool add_file(Ngrams *n, NgramFile *facts, const char *path)
{
    LineReader lines;
    const char *text;
    size_t size;
    TRY(lines_open(&lines, path));
    bool ok = lines_next(&lines, &text, &size) && (text != NULL || fail("%s: there is no row in it", lines.path));
    while (ok && text != NULL)
        ok = add_row(n, facts, path, lines.line, text, size) && lines_next(&lines, &text, &size);
    lines_close(&lines);
    return ok;
}

Ngrams *ngrams_read(const char *const *paths, size_t count, bool all)
{
    Ngrams *n = allocate(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->all = all;
    bool ok = open_table(n, SLOTS_FIRST) && jsonl_files(&n->files, &n->file_count, paths, count) &&
              (n->facts = allocate(n->file_count + 1, sizeof *n->facts)) != NULL;
    for (size_t i = 0; ok && i < n->file_count; i++) {
        n->facts[i].path = n->files[i];
        ok = add_file(n, &n->facts[i], n->files[i]);
    }
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
    for (size_t i = 0; i < n->row_count; i++)
        free(n->rows[i].id);
    free(n->rows);
    names_free(n->files, n->file_count);
    free(n->facts);
    close_table(n);
    free(n);
}

size_t ngrams_count(const Ngrams *n) { return n->count; }

const NgramFile *ngrams_files(const Ngrams *n, size_t *count)
{
    *count = n->file_count;
    return n->facts;
}
