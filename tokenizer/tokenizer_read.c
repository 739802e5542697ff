// Opens a tokenizer.json. The file is read in one order (vocabulary, added tokens, merges, then how texts are split)
// and checked on the way; whatever would give other ids than ours is refused by name. The result: tokenizer_internal.h.
#include "json/json.h"
#include "system/files.h"
#include "system/hub.h"
#include "tokenizer/tokenizer_internal.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 256 << 20, ID_LIMIT = 1 << 22, HOLE_LIMIT = 1 << 18, ADDED_LIMIT = 1 << 16 };

typedef struct Reader {
    Tokenizer *tokenizer;
    const char *path;
    const json_t *root, *vocabulary, *added;
    const char **spelling; // (size) by id, as the file has it; NULL: no such token
    Bytes meaning;         // the text that is hashed
} Reader;

static bool is_null(const json_t *value) { return value == NULL || json_is_null(value); }

// The "type" of a part, "nothing" if the part is null or absent.
static bool part_type(const Reader *reader, const char **type, const json_t *part, const char *name)
{
    *type = "nothing";
    if (is_null(part))
        return true;
    if (!json_is_object(part))
        return fail("%s: %s must be an object", reader->path, name);
    return json_need_text(type, part, "type", reader->path) ? true : fail_in("in %s", name);
}

static bool need_flag(const Reader *reader, const json_t *part, const char *key, bool absent, bool wanted,
                      const char *name)
{
    bool value = absent;
    TRY(json_may_bool(&value, part, key, reader->path));
    if (value != wanted)
        return fail("%s: %s with \"%s\" %s is not supported", reader->path, name, key, value ? "true" : "false");
    return true;
}

// ---- the tokens

static bool find_parts(Reader *reader)
{
    const json_t *model = json_object_get(reader->root, "model");
    const char *type, *prefix = "", *suffix = "";
    TRY(part_type(reader, &type, model, "model"));
    if (strcmp(type, "BPE") != 0)
        return fail("%s: a model of type \"%.40s\" is not supported; only BPE is", reader->path, type);
    TRY(json_may_text(&prefix, model, "continuing_subword_prefix", reader->path));
    TRY(json_may_text(&suffix, model, "end_of_word_suffix", reader->path));
    if (prefix[0] != 0 || suffix[0] != 0)
        return fail("%s: prefixes and suffixes of subwords are not supported", reader->path);
    if (!is_null(json_object_get(model, "dropout")))
        return fail("%s: BPE with dropout gives other ids every time and is not supported", reader->path);
    TRY(need_flag(reader, model, "ignore_merges", false, false, "BPE"));
    reader->vocabulary = json_object_get(model, "vocab");
    if (!json_is_object(reader->vocabulary) || json_object_size(reader->vocabulary) == 0)
        return fail("%s: model.vocab must be an object with tokens", reader->path);
    reader->added = json_object_get(reader->root, "added_tokens");
    if (!is_null(reader->added) && (!json_is_array(reader->added) || json_array_size(reader->added) > ADDED_LIMIT))
        return fail("%s: added_tokens must be a list of at most %d tokens", reader->path, ADDED_LIMIT);
    return true;
}

static bool see_id(const Reader *reader, const json_t *value, const char *token, int32_t *largest)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) >= ID_LIMIT)
        return fail("%s: the id of \"%.80s\" must be an integer from 0 to %d", reader->path, token, ID_LIMIT - 1);
    if (json_integer_value(value) > *largest)
        *largest = (int32_t)json_integer_value(value);
    return true;
}

static bool count_ids(Reader *reader)
{
    int32_t largest = -1;
    size_t count = json_object_size(reader->vocabulary) + json_array_size(reader->added), i;
    const char *key;
    const json_t *value;
    json_object_foreach ((json_t *)reader->vocabulary, key, value) {
        TRY(see_id(reader, value, key, &largest));
    }
    json_array_foreach (reader->added, i, value) {
        const char *content;
        if (!json_is_object(value) || !json_need_text(&content, value, "content", reader->path))
            return fail_in("%s: added token %zu", reader->path, i);
        TRY(see_id(reader, json_object_get(value, "id"), content, &largest));
    }
    if ((size_t)largest + 1 > count + HOLE_LIMIT)
        return fail("%s: the largest id is %" PRId32 ", but there are only %zu tokens", reader->path, largest, count);
    reader->tokenizer->size = largest + 1;
    return true;
}

static bool set_token(Reader *reader, int32_t id, const char *spelling, VocabularyKind kind)
{
    if (spelling[0] == 0)
        return fail("%s: token %" PRId32 " is empty", reader->path, id);
    if (reader->spelling[id] != NULL && (kind == VOCABULARY_BASE || strcmp(reader->spelling[id], spelling) != 0))
        return fail("%s: id %" PRId32 " belongs to two tokens, \"%.80s\" and \"%.80s\"", reader->path, id,
                    reader->spelling[id], spelling);
    reader->spelling[id] = spelling;
    reader->tokenizer->kind[id] = (uint8_t)kind;
    return true;
}

static bool is_printable(const char *text) // each character is its own spelling
{
    for (; *text != 0; text++)
        if (*text < 33 || *text > 126)
            return false;
    return true;
}

static bool set_added(Reader *reader, const json_t *entry)
{
    const char *content;
    bool special = false;
    TRY(json_need_text(&content, entry, "content", reader->path));
    TRY(json_may_bool(&special, entry, "special", reader->path));
    int32_t id = (int32_t)json_integer_value(json_object_get(entry, "id"));
    const json_t *base = json_object_get(reader->vocabulary, content);
    if (base != NULL && json_integer_value(base) != id)
        return fail("%s: \"%.80s\" has two ids, %" PRId32 " as an added token", reader->path, content, id);
    if (base != NULL && !is_printable(content))
        return fail(
            "%s: \"%.80s\" is an added token and in the vocabulary, which is supported for printable ASCII only",
            reader->path, content);
    return set_token(reader, id, content, special ? VOCABULARY_SPECIAL : VOCABULARY_ADDED);
}

// The text of every token, by id.
static bool write_bytes(Reader *reader)
{
    Tokenizer *t = reader->tokenizer;
    for (int32_t id = 0; id < t->size; id++) {
        const char *spelling = reader->spelling[id];
        t->begin[id] = (uint32_t)t->bytes.size; // a file of 256 MB holds no more than that
        if (t->kind[id] == VOCABULARY_BASE && !spelled_bytes(&t->bytes, spelling, strlen(spelling)))
            return fail("%s: token %" PRId32 ", \"%.80s\", is not spelled in the alphabet of bytes", reader->path, id,
                        spelling);
        if (t->kind[id] > VOCABULARY_BASE)
            TRY(bytes_text(&t->bytes, spelling));
        uint32_t head[2] = {t->kind[id], (uint32_t)t->bytes.size - t->begin[id]};
        TRY(bytes_append(&reader->meaning, head, sizeof head));
    }
    t->begin[t->size] = (uint32_t)t->bytes.size;
    return bytes_append(&reader->meaning, t->bytes.data, t->bytes.size);
}

// The reverse: tokens of the vocabulary by their text, and the token of each byte.
static bool index_tokens(Reader *reader)
{
    Tokenizer *t = reader->tokenizer;
    size_t slots = 16;
    while (slots < 2 * (size_t)t->size)
        slots *= 2;
    TRY(t->lookup = allocate(slots, sizeof *t->lookup));
    memset(t->lookup, -1, slots * sizeof *t->lookup);
    t->lookup_mask = slots - 1;
    for (int32_t id = 0; id < t->size; id++) {
        bool base = t->kind[id] == VOCABULARY_BASE;
        if (t->kind[id] > VOCABULARY_BASE) // the same text may be in the vocabulary
            base = json_object_get(reader->vocabulary, reader->spelling[id]) != NULL;
        if (!base)
            continue;
        size_t i = hash_bytes(t->bytes.data + t->begin[id], t->begin[id + 1] - t->begin[id]) & t->lookup_mask;
        while (t->lookup[i] >= 0)
            i = (i + 1) & t->lookup_mask;
        t->lookup[i] = id;
    }
    for (int byte = 0; byte < 256; byte++) {
        uint8_t text = (uint8_t)byte;
        t->bpe.of_byte[byte] = lookup_bytes(t, &text, 1);
        if (t->bpe.of_byte[byte] < 0)
            return fail("%s: the vocabulary has no token for the byte 0x%02X", reader->path, byte);
    }
    return true;
}

static bool read_tokens(Reader *reader)
{
    Tokenizer *t = reader->tokenizer;
    size_t i;
    const char *key;
    const json_t *value;
    TRY(find_parts(reader) && count_ids(reader));
    TRY(t->kind = allocate((size_t)t->size, sizeof *t->kind));
    TRY(t->begin = allocate((size_t)t->size + 1, sizeof *t->begin));
    TRY(reader->spelling = allocate((size_t)t->size, sizeof *reader->spelling));
    json_object_foreach ((json_t *)reader->vocabulary, key, value) {
        TRY(set_token(reader, (int32_t)json_integer_value(value), key, VOCABULARY_BASE));
    }
    json_array_foreach (reader->added, i, value) {
        TRY(set_added(reader, value));
    }
    return write_bytes(reader);
}

// ---- added tokens, sorted

static int compare_added(const void *left, const void *right)
{
    const AddedToken *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

// Puts a token into its list.
static bool place_added(Reader *reader, const json_t *entry)
{
    Tokenizer *t = reader->tokenizer;
    bool before = false, behind = false, normalized = false, single = false;
    TRY(json_may_bool(&single, entry, "single_word", reader->path) &&
        json_may_bool(&before, entry, "lstrip", reader->path) &&
        json_may_bool(&behind, entry, "rstrip", reader->path) &&
        json_may_bool(&normalized, entry, "normalized", reader->path));
    int32_t id = (int32_t)json_integer_value(json_object_get(entry, "id"));
    AddedTokens *added = normalized ? &t->added_normal : &t->added;
    added->list[added->count++] = (AddedToken){
        (const uint8_t *)t->bytes.data + t->begin[id], t->begin[id + 1] - t->begin[id], id, before, behind, single};
    uint32_t unusual[2] = {(uint32_t)id,
                           before | (uint32_t)behind << 1 | (uint32_t)normalized << 2 | (uint32_t)single << 3};
    return unusual[1] == 0 || bytes_append(&reader->meaning, unusual, sizeof unusual);
}

static bool sort_added(const Reader *reader, AddedTokens *added)
{
    if (added->count > 0)
        qsort(added->list, added->count, sizeof *added->list, compare_added);
    added->only_first = added->count > 0 ? added->list[0].text[0] : -1;
    for (size_t i = 0; i < added->count; i++) {
        if (i > 0 && compare_added(&added->list[i - 1], &added->list[i]) == 0)
            return fail("%s: two added tokens have the text \"%.80s\"", reader->path,
                        reader->spelling[added->list[i].id]);
        added->first[added->list[i].text[0]] = true;
        if (added->list[i].text[0] != added->only_first)
            added->only_first = -1;
    }
    return true;
}

static bool told_apart(const Reader *reader) // no text is in both lists
{
    const AddedTokens *all = &reader->tokenizer->added, *normal = &reader->tokenizer->added_normal;
    for (size_t i = 0; i < normal->count; i++)
        if (all->count > 0 &&
            bsearch(&normal->list[i], all->list, all->count, sizeof *all->list, compare_added) != NULL)
            return fail("%s: two added tokens have the text \"%.80s\"", reader->path,
                        reader->spelling[normal->list[i].id]);
    return true;
}

static bool read_added(Reader *reader)
{
    Tokenizer *t = reader->tokenizer;
    const size_t count = json_array_size(reader->added);
    size_t i;
    const json_t *entry;
    TRY((t->added.list = allocate(count, sizeof *t->added.list)) != NULL);
    TRY((t->added_normal.list = allocate(count, sizeof *t->added_normal.list)) != NULL);
    bool *seen = allocate((size_t)t->size, sizeof *seen), ok = seen != NULL;
    json_array_foreach (reader->added, i, entry) {
        int32_t id = (int32_t)json_integer_value(json_object_get(entry, "id"));
        ok =
            ok && (!seen[id] || fail("%s: an added token is listed twice", reader->path)) && place_added(reader, entry);
        if (ok)
            seen[id] = true;
    }
    free(seen);
    return ok && sort_added(reader, &t->added) && sort_added(reader, &t->added_normal) && told_apart(reader);
}

// A token that is matched after NFC must be spelled in NFC in the file.
static bool check_normal(const Reader *reader)
{
    const Tokenizer *t = reader->tokenizer;
    NfcScratch scratch = {0};
    Bytes normal = {0};
    bool ok = true;
    for (size_t i = 0; ok && t->nfc && i < t->added_normal.count; i++) {
        const AddedToken *token = &t->added_normal.list[i];
        bytes_clear(&normal);
        ok = nfc_append(t->classes, &scratch, &normal, token->text, token->size);
        if (ok && (normal.size != token->size || memcmp(normal.data, token->text, token->size) != 0))
            ok = fail("%s: the added token \"%.80s\" with \"normalized\" true is another text after NFC, which is not "
                      "supported",
                      reader->path, reader->spelling[token->id]);
    }
    nfc_scratch_free(&scratch);
    bytes_free(&normal);
    return ok;
}

// ---- merges

// A merge is "a b" or ["a", "b"]. The bytes of a and b, end to end, are put into pair; *first is the size of a's.
static bool merge_bytes(const json_t *merge, Bytes *pair, size_t *first)
{
    const char *left = json_string_value(json_is_array(merge) ? json_array_get(merge, 0) : merge);
    const char *right = json_string_value(json_array_get(merge, 1));
    if (left == NULL || (json_is_array(merge) && (json_array_size(merge) != 2 || right == NULL)))
        return fail("a merge must be \"a b\" or [\"a\", \"b\"]");
    size_t left_size = strlen(left);
    if (!json_is_array(merge)) {
        right = strchr(left, ' ');
        if (right == NULL)
            return fail("\"%.80s\" has no space between its two tokens", left);
        left_size = (size_t)(right++ - left);
    }
    bytes_clear(pair);
    if (!spelled_bytes(pair, left, left_size) || (*first = pair->size, !spelled_bytes(pair, right, strlen(right))))
        return fail("\"%.80s\" is not spelled in the alphabet of bytes", left);
    return true;
}

static bool read_merge(Reader *reader, const json_t *merge, Bytes *pair)
{
    Tokenizer *t = reader->tokenizer;
    size_t first = 0;
    static const char *const parts[] = {"left token", "right token", "result"};
    TRY(merge_bytes(merge, pair, &first));
    const uint8_t *text = (const uint8_t *)pair->data;
    int32_t ids[3] = {-1, -1, -1};
    if (first > 0 && pair->size > first) {
        ids[0] = lookup_bytes(t, text, first);
        ids[1] = lookup_bytes(t, text + first, pair->size - first);
        ids[2] = lookup_bytes(t, text, pair->size);
    }
    for (int i = 0; i < 3; i++)
        if (ids[i] < 0)
            return fail("the %s of this merge is not in the vocabulary", parts[i]);
    return bpe_add(&t->bpe, ids[0], ids[1], ids[2]) && bytes_append(&reader->meaning, ids, sizeof ids);
}

static bool read_merges(Reader *reader)
{
    const json_t *merges = json_object_get(json_object_get(reader->root, "model"), "merges"), *merge;
    if (!json_is_array(merges) || json_array_size(merges) > ID_LIMIT)
        return fail("%s: model.merges must be a list of at most %d merges", reader->path, ID_LIMIT);
    TRY(bpe_open(&reader->tokenizer->bpe, json_array_size(merges)));
    TRY(index_tokens(reader));
    Bytes pair = {0};
    bool ok = bytes_text(&pair, "");
    size_t i;
    json_array_foreach (merges, i, merge) {
        ok = ok && read_merge(reader, merge, &pair);
        if (!ok)
            break;
    }
    bytes_free(&pair);
    return ok || fail_in("%s: merge %zu", reader->path, i);
}

// ---- how texts are split

static bool read_byte_level(const Reader *reader, const json_t *part, const char **expression, bool split_before)
{
    TRY(need_flag(reader, part, "add_prefix_space", true, false, "ByteLevel"));
    if (split_before)
        return need_flag(reader, part, "use_regex", true, false, "ByteLevel after Split");
    bool own = true;
    TRY(json_may_bool(&own, part, "use_regex", reader->path));
    *expression = own ? gpt2_expression : NULL;
    return true;
}

static bool read_split(const Reader *reader, const json_t *part, const char **expression)
{
    const char *behavior;
    TRY(json_need_text(&behavior, part, "behavior", reader->path));
    TRY(need_flag(reader, part, "invert", false, false, "Split"));
    if (strcmp(behavior, "Isolated") != 0)
        return fail("%s: Split with behavior \"%.40s\" is not supported; only Isolated is", reader->path, behavior);
    const json_t *pattern = json_object_get(part, "pattern");
    if (!json_is_object(pattern))
        return fail("%s: Split needs a pattern", reader->path);
    return json_need_text(expression, pattern, "Regex", reader->path);
}

static bool read_pre_tokenizer(const Reader *reader, const char **expression)
{
    const json_t *part = json_object_get(reader->root, "pre_tokenizer");
    const char *type, *first, *second;
    TRY(part_type(reader, &type, part, "pre_tokenizer"));
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(reader, part, expression, false);
    if (strcmp(type, "Sequence") != 0)
        return fail("%s: a pre_tokenizer of type \"%.40s\" is not supported", reader->path, type);
    const json_t *list = json_object_get(part, "pretokenizers");
    TRY(part_type(reader, &first, json_array_get(list, 0), "the first pre_tokenizer"));
    TRY(part_type(reader, &second, json_array_get(list, 1), "the second pre_tokenizer"));
    if (json_array_size(list) != 2 || strcmp(first, "Split") != 0 || strcmp(second, "ByteLevel") != 0)
        return fail(
            "%s: this Sequence of %zu pre_tokenizers (%.40s, %.40s, ...) is not supported; only Split and ByteLevel is",
            reader->path, json_array_size(list), first, second);
    return read_split(reader, json_array_get(list, 0), expression) &&
           read_byte_level(reader, json_array_get(list, 1), expression, true);
}

static bool read_cutting(Reader *reader)
{
    Tokenizer *t = reader->tokenizer;
    const char *normalizer, *decoder, *processor, *expression = NULL;
    TRY(part_type(reader, &normalizer, json_object_get(reader->root, "normalizer"), "normalizer"));
    TRY(part_type(reader, &decoder, json_object_get(reader->root, "decoder"), "decoder"));
    TRY(part_type(reader, &processor, json_object_get(reader->root, "post_processor"), "post_processor"));
    t->nfc = strcmp(normalizer, "NFC") == 0;
    if (!t->nfc && strcmp(normalizer, "nothing") != 0)
        return fail("%s: a normalizer of type \"%.40s\" is not supported; only NFC is", reader->path, normalizer);
    if (strcmp(decoder, "ByteLevel") != 0)
        return fail("%s: a decoder of type \"%.40s\" is not supported; only ByteLevel is", reader->path, decoder);
    if (strcmp(processor, "ByteLevel") != 0 && strcmp(processor, "nothing") != 0)
        return fail("%s: a post_processor of type \"%.40s\" is not supported; only ByteLevel is", reader->path,
                    processor);
    TRY(read_pre_tokenizer(reader, &expression));
    TRY(t->classes = classes_open());
    if (!splitter_open(&t->splitter, t->classes, expression))
        return fail_in("%s", reader->path);
    TRY(bytes_printf(&reader->meaning, "nfc %d expression %s", t->nfc, expression == NULL ? "" : expression));
    t->hash = hash_bytes(reader->meaning.data, reader->meaning.size);
    return true;
}

static bool read_file(Tokenizer *tokenizer, const char *path)
{
    json_t *root = json_read(path, FILE_LIMIT);
    if (root == NULL)
        return false;
    Reader reader = {.tokenizer = tokenizer, .path = path, .root = root};
    bool ok = json_is_object(root) || fail("%s: must hold a JSON object", path);
    ok = ok && read_tokens(&reader) && read_added(&reader) && read_merges(&reader) && read_cutting(&reader) &&
         check_normal(&reader);
    free(reader.spelling);
    bytes_free(&reader.meaning);
    json_decref(root);
    return ok;
}

static bool has(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = path != NULL && file_exists(path);
    free(path);
    return found;
}

static bool is_tokenizer_folder(const char *folder)
{
    if (has(folder, "tokenizer.json"))
        return true;
    TRY(hub_not_mistaken(folder));
    if (!folder_exists(folder))
        return fail("%s: there is no such folder; a tokenizer is a folder with tokenizer.json", folder);
    if (has(folder, "vocab.json") && has(folder, "merges.txt"))
        return fail("%s: tokenizer.json is missing; transformers makes it from vocab.json and merges.txt: "
                    "AutoTokenizer.from_pretrained(), then save_pretrained()",
                    folder);
    if (has(folder, "tokenizer.model"))
        return fail("%s: tokenizer.json is missing; tokenizer.model is SentencePiece's, which is not supported",
                    folder);
    return fail("%s: tokenizer.json is missing; `hf download` fetches it with the model", folder);
}

Tokenizer *tokenizer_open(const char *folder)
{
    char *path = is_tokenizer_folder(folder) ? path_join(folder, "tokenizer.json") : NULL;
    Tokenizer *tokenizer = path == NULL ? NULL : allocate(1, sizeof *tokenizer);
    if (tokenizer != NULL && !read_file(tokenizer, path)) {
        fail_in("opening the tokenizer of %s", folder);
        tokenizer_close(tokenizer);
        tokenizer = NULL;
    }
    free(path);
    return tokenizer;
}
