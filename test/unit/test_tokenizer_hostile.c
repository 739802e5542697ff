// Tokenizer files that are broken, contradict themselves or ask for what is not supported are refused with words that
// say so; none of them crashes. Each case is the small tokenizer of the fixtures with one thing changed.
#include "test/unit/test_tokenizer.h"
#include <unistd.h>

typedef struct Folder {
    char path[64], file[96];
    Bytes good; // the text of the small tokenizer
} Folder;

static int set_up(void **state)
{
    Folder *folder = calloc(1, sizeof *folder);
    strcpy(folder->path, "/tmp/test_tokenizer_XXXXXX");
    if (mkdtemp(folder->path) == NULL)
        return 1;
    snprintf(folder->file, sizeof folder->file, "%s/tokenizer.json", folder->path);
    *state = folder;
    return !file_read(&folder->good, TINY "/tokenizer.json", 1 << 20);
}

static int tear_down(void **state)
{
    Folder *folder = *state;
    bytes_free(&folder->good);
    bool removed = folder_remove(folder->path);
    free(folder);
    return !removed;
}

static void assert_refused(const Folder *folder, const char *message)
{
    Tokenizer *tokenizer = tokenizer_open(folder->path);
    if (tokenizer != NULL)
        fail_msg("accepted, not refused with \"%s\"", message);
    if (strstr(error_text(), message) == NULL || strstr(error_text(), "tokenizer.json") == NULL)
        fail_msg("refused with \"%s\", not with \"%s\"", error_text(), message);
    error_clear();
}

static void write_text(const Folder *folder, const void *text, size_t size)
{
    no_error(file_write_atomic(folder->file, text, size));
}

// Sets root[path] to a JSON value, NULL to remove it; path: object keys and list indices between slashes, "-" appends
// to a list.
static void change(json_t *root, const char *path, const char *value)
{
    char copy[128], *rest = copy, *key;
    json_t *at = root, *parsed = value == NULL ? NULL : json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    snprintf(copy, sizeof copy, "%s", path);
    assert_true(value == NULL || parsed != NULL);
    while (key = strsep(&rest, "/"), rest != NULL)
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
    assert_non_null(at);
    int failed = json_is_array(at) ? strcmp(key, "-") == 0 ? json_array_append_new(at, parsed)
                                                           : json_array_set_new(at, (size_t)atoi(key), parsed)
                 : parsed == NULL ? json_object_del(at, key)
                                   : json_object_set_new(at, key, parsed);
    assert_int_equal(failed, 0);
}

static void write_changed(const Folder *folder, const char *path, const char *value)
{
    json_t *root = json_parse(folder->good.data, folder->good.size, "tiny");
    change(root, path, value);
    char *text = json_dumps(root, JSON_ENCODE_ANY);
    write_text(folder, text, strlen(text));
    free(text);
    json_decref(root);
}

typedef struct Case {
    const char *path, *value, *message;
} Case;

static void refuse_all(const Folder *folder, const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_changed(folder, cases[i].path, cases[i].value);
        assert_refused(folder, cases[i].message);
    }
}
#define REFUSE_ALL(folder, cases) refuse_all(folder, cases, sizeof(cases) / sizeof *(cases))

static void the_unchanged_file_is_accepted_however_it_is_laid_out(void **state)
{
    Folder *folder = *state;
    Tokenizer *good = opened(TINY);
    json_t *root = json_parse(folder->good.data, folder->good.size, "tiny");
    char *text = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(7) | JSON_ENSURE_ASCII);
    write_text(folder, text, strlen(text));
    Tokenizer *same = opened(folder->path);
    assert_int_equal(tokenizer_hash(same), tokenizer_hash(good)); // of the meaning, not of the spaces
    assert_int_equal(tokenizer_size(same), tokenizer_size(good));
    tokenizer_close(same);
    tokenizer_close(good);
    free(text);
    json_decref(root);
}

static void the_hash_sees_every_change_of_meaning(void **state)
{
    static const Case cases[] = {{"normalizer", "null", ""},
                                 {"pre_tokenizer/pretokenizers/0/pattern/Regex", "\"[a-z]+\"", ""},
                                 {"added_tokens/0/content", "\"<|other|>\"", ""},
                                 {"added_tokens/0/special", "false", ""},
                                 {"model/merges", "[]", ""},
                                 {"model/vocab/zq", "9000", ""}};
    Folder *folder = *state;
    Tokenizer *good = opened(TINY);
    uint64_t hashes[8] = {tokenizer_hash(good)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_changed(folder, cases[i].path, cases[i].value);
        Tokenizer *other = opened(folder->path);
        hashes[i + 1] = tokenizer_hash(other);
        for (size_t k = 0; k <= i; k++)
            assert_int_not_equal(hashes[k], hashes[i + 1]);
        tokenizer_close(other);
    }
    tokenizer_close(good);
}

static void broken_vocabularies_are_refused(void **state)
{
    static const Case cases[] = {
        {"model", NULL, "a model of type"},
        {"model", "[]", "model must be an object"},
        {"model/type", "\"WordPiece\"", "WordPiece"},
        {"model/vocab", NULL, "model.vocab"},
        {"model/vocab", "{}", "model.vocab"},
        {"model/vocab", "[1]", "model.vocab"},
        {"model/vocab/a", "\"5\"", "must be an integer"},
        {"model/vocab/a", "-1", "must be an integer"},
        {"model/vocab/a", "4294967296", "must be an integer"},
        {"model/vocab/a", "4194303", "the largest id is 4194303"},
        {"model/vocab/a", "1", "belongs to two tokens"},
        {"model/vocab/a", NULL, "no token for the byte 0x61"},
        {"model/vocab/", "9000", "is empty"},
        {"model/vocab/two words", "9000", "alphabet of bytes"},
        {"model/vocab/\xE4\xB8\xAD", "9000", "alphabet of bytes"},
        {"model/vocab/\xC2\xAD", "9000", "alphabet of bytes"}, // the byte 0xAD is spelled U+0143
        {"model/dropout", "0.1", "dropout"},
        {"model/ignore_merges", "true", "ignore_merges"},
        {"model/ignore_merges", "1", "ignore_merges"},
        {"model/continuing_subword_prefix", "\"##\"", "prefixes"}};
    REFUSE_ALL(*state, cases);
}

static void broken_merges_are_refused(void **state)
{
    static const Case cases[] = {
        {"model/merges", NULL, "model.merges"},
        {"model/merges", "{}", "model.merges"},
        {"model/merges/3", "7", "merge 3"},
        {"model/merges/3", "[\"a\"]", "merge 3"},
        {"model/merges/3", "[\"a\", \"b\", \"c\"]", "merge 3"},
        {"model/merges/3", "[\"a\", 1]", "merge 3"},
        {"model/merges/3", "[\"\", \"a\"]", "merge 3"},
        {"model/merges/3", "\"ab\"", "no space"},
        {"model/merges/3", "\"a b c\"", "alphabet of bytes"},
        {"model/merges/3", "\"zqzq a\"", "the left token of this merge is not in the vocabulary"},
        {"model/merges/3", "\"a zqzq\"", "the right token of this merge is not in the vocabulary"},
        {"model/merges/3", "\"! z\"", "the result of this merge is not in the vocabulary"},
        {"model/merges/3", "[\"\xE4\xB8\xAD\", \"a\"]", "alphabet of bytes"},
        {"model/merges/-", "[\"\xC4\xA0\", \"i\"]", "merged already"}};
    REFUSE_ALL(*state, cases);
}

static void broken_added_tokens_are_refused(void **state)
{
    static const Case cases[] = {
        {"added_tokens", "{}", "added_tokens must be a list"},
        {"added_tokens/0", "5", "added token 0"},
        {"added_tokens/0/content", NULL, "\"content\" is missing"},
        {"added_tokens/0/content", "7", "must be a string"},
        {"added_tokens/0/content", "\"\"", "is empty"},
        {"added_tokens/0/content", "\"a\\u0000b\"", "NUL"},
        {"added_tokens/0/content", "\"<|im_end|>\"", "two added tokens have the text"},
        {"added_tokens/0/content", "\"a\"", "has two ids"},
        {"added_tokens/0/content", "\"\xC4\xA0i\"", "has two ids"},
        {"added_tokens", "[{\"content\": \"\xC4\xA0i\", \"id\": 256}]", "printable ASCII only"},
        {"added_tokens/0/id", NULL, "must be an integer"},
        {"added_tokens/0/id", "5", "belongs to two tokens"},
        {"added_tokens/0/id", "1e3", "must be an integer"},
        {"added_tokens/0/special", "\"yes\"", "special"},
        {"added_tokens/0/lstrip", "1", "\"lstrip\" must be true or false"},
        {"added_tokens/0/rstrip", "\"no\"", "\"rstrip\" must be true or false"},
        {"added_tokens/0/single_word", "1", "\"single_word\" must be true or false"},
        {"added_tokens/-", "{\"id\": 9000, \"content\": \"e\\u0301\", \"normalized\": true}", "after NFC"},
        {"added_tokens/-", "{\"id\": 9000, \"content\": \"<|im_end|>\", \"normalized\": true}",
         "two added tokens have the text"}};
    REFUSE_ALL(*state, cases);
}

static void what_is_not_done_here_is_refused_by_name(void **state)
{
    static const Case cases[] = {{"normalizer", "{\"type\": \"Lowercase\"}", "Lowercase"},
                                 {"normalizer", "[]", "normalizer must be an object"},
                                 {"normalizer", "{}", "in normalizer"},
                                 {"decoder", "null", "decoder"},
                                 {"decoder", "{\"type\": \"WordPiece\"}", "WordPiece"},
                                 {"post_processor", "{\"type\": \"TemplateProcessing\"}", "TemplateProcessing"},
                                 {"pre_tokenizer", "null", "pre_tokenizer"},
                                 {"pre_tokenizer", "{\"type\": \"Whitespace\"}", "Whitespace"},
                                 {"pre_tokenizer/pretokenizers/1/type", "\"Digits\"", "Digits"},
                                 {"pre_tokenizer/pretokenizers/-", "{\"type\": \"Split\"}", "Sequence of 3"},
                                 {"pre_tokenizer/pretokenizers", "null", "Sequence of 0"},
                                 {"pre_tokenizer/pretokenizers/1/add_prefix_space", "true", "add_prefix_space"},
                                 {"pre_tokenizer/pretokenizers/1/use_regex", "true", "use_regex"},
                                 {"pre_tokenizer/pretokenizers/0/behavior", "\"Removed\"", "Removed"},
                                 {"pre_tokenizer/pretokenizers/0/invert", "true", "invert"},
                                 {"pre_tokenizer/pretokenizers/0/pattern", "{\"String\": \" \"}", "Regex"},
                                 {"pre_tokenizer/pretokenizers/0/pattern", "\" \"", "needs a pattern"},
                                 {"pre_tokenizer/pretokenizers/0/pattern/Regex", "\"(a\"", "the expression is broken"},
                                 {"pre_tokenizer/pretokenizers/0/pattern/Regex", "\"\\\\w+\"", "the expression's \\w"}};
    REFUSE_ALL(*state, cases);
}

static void a_file_that_is_no_json_object_is_refused(void **state)
{
    Folder *folder = *state;
    static const char twice[] = "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1, \"a\": 2}}}";
    assert_refused(folder, "tokenizer.json"); // there is none yet
    write_text(folder, "", 0);
    assert_refused(folder, "not valid JSON");
    write_text(folder, "[]", 2);
    assert_refused(folder, "must hold a JSON object");
    write_text(folder, "{\"model\": \"\xFF\"}", 14);
    assert_refused(folder, "not valid JSON");
    write_text(folder, twice, sizeof twice - 1);
    assert_refused(folder, "not valid JSON: duplicate");
    Bytes deep = {0};
    for (int i = 0; i < 100000; i++)
        no_error(bytes_text(&deep, "["));
    write_text(folder, deep.data, deep.size);
    assert_refused(folder, "not valid JSON");
    bytes_free(&deep);
}

static void a_cut_file_is_refused_wherever_it_was_cut(void **state)
{
    Folder *folder = *state;
    size_t whole = folder->good.size;
    while (whole > 0 && folder->good.data[whole - 1] != '}')
        whole--;
    for (size_t size = 0; size < whole; size += 1 + whole / 60) {
        write_text(folder, folder->good.data, size);
        assert_refused(folder, "not valid JSON");
    }
}

// Whatever one changed byte makes of the file: a tokenizer that works or an error. The sanitizers watch.
static void a_changed_byte_never_crashes(void **state)
{
    Folder *folder = *state;
    const char *text = "The <|im_end|> e\xCC\x81\xE4\xB8\xAD 12 is\n";
    for (uint32_t draw = 0; draw < 400; draw++) {
        Philox bits = random_bits(11, RANDOM_ORDER, draw, 0, 0);
        char *byte = &folder->good.data[bits.v[0] % folder->good.size], before = *byte;
        *byte = "0123456789\"{}[],:aG\\ "[bits.v[1] % 22];
        write_text(folder, folder->good.data, folder->good.size);
        *byte = before;
        Tokenizer *tokenizer = tokenizer_open(folder->path);
        if (tokenizer == NULL) {
            assert_true(error_text()[0] != 0);
            error_clear();
            continue;
        }
        Encoder *encoder = encoding(tokenizer);
        TokenList ids = {0};
        Bytes back = {0};
        no_error(encode(encoder, &ids, text, strlen(text)) && decode(tokenizer, &back, ids.ids, ids.count, true));
        tokens_free(&ids);
        bytes_free(&back);
        encoder_close(encoder);
        tokenizer_close(tokenizer);
    }
}

static void added_tokens_match_leftmost_then_longest(void **state)
{
    Folder *folder = *state;
    json_t *root = json_parse(folder->good.data, folder->good.size, "tiny");
    static const char *const contents[] = {"ab", "abcd", "b", "bc x", "\xE4\xB8\xAD"};
    for (int i = 0; i < 5; i++)
        json_array_append_new(json_object_get(root, "added_tokens"),
                              json_pack("{s:i, s:s, s:b}", "id", 2 + 1000 + i, "content", contents[i], "special", 0));
    change(root, "model/vocab/b", "1004"); // an added token may be in the vocabulary, too, if the ids agree
    char *text = json_dumps(root, 0);
    write_text(folder, text, strlen(text));
    Tokenizer *tokenizer = opened(folder->path);
    Encoder *encoder = encoding(tokenizer);
    TokenList ids = {0};
    const char *sentence = "abcabcdbbc x\xE4\xB8\255ab";
    static const int32_t wanted[] = {1002, -'c', 1003, 1004, 1005, 1006, 1002};
    no_error(encode(encoder, &ids, sentence, strlen(sentence)));
    assert_int_equal(ids.count, 7);
    for (int i = 0; i < 7; i++)
        assert_int_equal(ids.ids[i], wanted[i] < 0 ? tokenizer->bpe.of_byte[-wanted[i]] : wanted[i]);
    tokens_free(&ids);
    encoder_close(encoder);
    tokenizer_close(tokenizer);
    free(text);
    json_decref(root);
}

static json_t *with_added(const Folder *folder, const json_t *added)
{
    json_t *root = json_parse(folder->good.data, folder->good.size, "tiny"), *token;
    size_t i;
    json_array_foreach (added, i, token) {
        assert_int_equal(json_array_append(json_object_get(root, "added_tokens"), token), 0);
    }
    char *text = json_dumps(root, 0);
    write_text(folder, text, strlen(text));
    free(text);
    return root;
}

// Normalized ones, and those that take the whitespace beside them: test/fixtures/tokenizer/added.jsonl has the
// library's ids.
static void added_tokens_of_every_kind_match_as_the_library_matches_them(void **state)
{
    Bytes file = {0};
    int rows = 0;
    no_error(file_read(&file, "test/fixtures/tokenizer/added.jsonl", 1 << 20));
    for (char *at = file.data, *newline; (newline = strchr(at, '\n')) != NULL; at = newline + 1, rows++) {
        json_t *row = json_parse(at, (size_t)(newline - at), "added.jsonl");
        json_t *root = with_added(*state, json_object_get(row, "added"));
        Tokenizer *tokenizer = opened(((const Folder *)*state)->path);
        Encoder *encoder = encoding(tokenizer);
        for (size_t i = 0; i < json_array_size(json_object_get(row, "texts")); i++) {
            const json_t *text = json_array_get(json_object_get(row, "texts"), i);
            const json_t *ids = json_array_get(json_object_get(row, "ids"), i);
            TokenList got = {0};
            no_error(encode(encoder, &got, json_string_value(text), json_string_length(text)));
            bool same = got.count == json_array_size(ids);
            for (size_t n = 0; same && n < got.count; n++)
                same = json_integer_value(json_array_get(ids, n)) == got.ids[n];
            if (!same)
                fail_msg("set %d: '%s' has other ids", rows, json_string_value(text));
            tokens_free(&got);
        }
        encoder_close(encoder);
        tokenizer_close(tokenizer);
        json_decref(root);
        json_decref(row);
    }
    assert_true(rows >= 8);
    bytes_free(&file);
}

// How many ids ".\n\n" has, which is one token and one word for Qwen's expression.
static size_t ids_of_a_sentence_end(const Folder *folder, const char *pre_tokenizer)
{
    write_changed(folder, "pre_tokenizer", pre_tokenizer);
    Tokenizer *tokenizer = opened(folder->path);
    Encoder *encoder = encoding(tokenizer);
    TokenList ids = {0};
    no_error(encode(encoder, &ids, ".\n\n", 3));
    size_t count = ids.count;
    tokens_free(&ids);
    encoder_close(encoder);
    tokenizer_close(tokenizer);
    return count;
}

static void a_byte_level_alone_cuts_as_gpt2_does_or_not_at_all(void **state)
{
    assert_true(ids_of_a_sentence_end(*state, "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}") > 1);
    assert_int_equal(
        ids_of_a_sentence_end(*state, "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}"),
        1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_unchanged_file_is_accepted_however_it_is_laid_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_hash_sees_every_change_of_meaning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_vocabularies_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_merges_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_added_tokens_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_done_here_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_json_object_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_file_is_refused_wherever_it_was_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_byte_never_crashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_byte_level_alone_cuts_as_gpt2_does_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_tokens_match_leftmost_then_longest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_tokens_of_every_kind_match_as_the_library_matches_them, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
