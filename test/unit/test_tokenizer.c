// Promises of tokenizer/tokenizer.h: ids equal to Hugging Face's (the fixtures hold its answers), texts that come back,
// errors that leave no trace. The parts have their own tests: test_tokenizer_split.c, test_tokenizer_bpe.c,
// test_tokenizer_hostile.c.
#include "test/unit/test_tokenizer.h"
#include <pthread.h>

static void compare_files(const char *folder, const char *texts_path, const char *ids_path)
{
    Tokenizer *tokenizer = opened(folder);
    Encoder *encoder = encoding(tokenizer);
    json_t *texts = json_lines(texts_path), *ids = json_lines(ids_path), *row;
    TokenList tokens = {0};
    Bytes back = {0}, normal = {0};
    NfcScratch scratch = {0};
    size_t i;
    assert_int_equal(json_array_size(texts), json_array_size(ids));
    json_array_foreach (texts, i, row) {
        const json_t *text = json_object_get(row, "text");
        const char *data = json_string_value(text);
        size_t size = json_string_length(text);
        tokens.count = 0;
        no_error(encode(encoder, &tokens, data, size));
        assert_ids(&tokens, json_object_get(json_array_get(ids, i), "ids"));
        tokens.count = back.size = normal.size = 0;
        no_error(encode_plain(encoder, &tokens, data, size));
        no_error(decode(tokenizer, &back, tokens.ids, tokens.count, true));
        no_error(nfc_append(tokenizer->classes, &scratch, &normal, (const uint8_t *)data, size));
        assert_bytes(&back, normal.data, normal.size);
    }
    nfc_scratch_free(&scratch);
    bytes_free(&normal);
    bytes_free(&back);
    tokens_free(&tokens);
    json_decref(texts);
    json_decref(ids);
    encoder_close(encoder);
    tokenizer_close(tokenizer);
}

static void the_small_tokenizer_gives_the_ids_of_hugging_face_and_the_text_back(void **state)
{
    compare_files(TINY, FIXTURE("tiny.texts.jsonl"), FIXTURE("tiny.ids.jsonl"));
}

static void hard_texts_have_the_ids_of_hugging_face_with_qwens_tokenizer(void **state)
{
    skip_without_data();
    compare_files(QWEN, FIXTURE("hard_texts.jsonl"), FIXTURE("hard_texts.ids.jsonl"));
}

static void qwens_tokenizer_has_151669_ids_and_its_special_tokens(void **state)
{
    skip_without_data();
    Tokenizer *tokenizer = opened(QWEN);
    assert_int_equal(tokenizer_size(tokenizer), 151669);
    assert_int_equal(tokenizer_find(tokenizer, "<|im_end|>"), 151645);
    assert_int_equal(tokenizer_find(tokenizer, "</think>"), 151668);
    assert_int_equal(tokenizer_find(tokenizer, "\xC4\xA0world"), 1879); // "Ġworld"
    assert_int_equal(tokenizer_find(tokenizer, " world"), -1);
    assert_true(tokenizer_is_special(tokenizer, 151643));
    assert_false(tokenizer_is_special(tokenizer, 151668)); // <think> and </think> are added, not special
    assert_false(tokenizer_is_special(tokenizer, 0));
    assert_false(tokenizer_is_special(tokenizer, -1));
    assert_false(tokenizer_is_special(tokenizer, 151669));
    tokenizer_close(tokenizer);
}

typedef struct Fixture {
    Tokenizer *tokenizer;
    Encoder *encoder;
    TokenList ids;
    Bytes text;
} Fixture;

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->tokenizer = opened(TINY);
    f->encoder = encoding(f->tokenizer);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    tokens_free(&f->ids);
    bytes_free(&f->text);
    encoder_close(f->encoder);
    tokenizer_close(f->tokenizer);
    free(f);
    return 0;
}

static void an_added_token_is_one_id_in_encode_and_ordinary_text_in_encode_plain(void **state)
{
    Fixture *f = *state;
    int32_t end = tokenizer_find(f->tokenizer, "<|im_end|>");
    assert_true(end > 0);
    no_error(encode(f->encoder, &f->ids, "<|im_end|><|im_end|>", 20));
    assert_int_equal(f->ids.count, 2);
    assert_int_equal(f->ids.ids[0], end);
    assert_int_equal(f->ids.ids[1], end);
    f->ids.count = 0;
    no_error(encode_plain(f->encoder, &f->ids, "<|im_end|>", 10));
    assert_true(f->ids.count > 1);
    for (size_t i = 0; i < f->ids.count; i++)
        assert_int_not_equal(f->ids.ids[i], end);
}

static void special_tokens_are_left_out_of_a_text_on_request(void **state)
{
    Fixture *f = *state;
    no_error(encode(f->encoder, &f->ids, "a<|im_end|>b", 12));
    no_error(decode(f->tokenizer, &f->text, f->ids.ids, f->ids.count, false));
    assert_string_equal(f->text.data, "ab");
    bytes_clear(&f->text);
    no_error(decode(f->tokenizer, &f->text, f->ids.ids, f->ids.count, true));
    assert_string_equal(f->text.data, "a<|im_end|>b");
}

static void an_added_token_that_is_not_special_stays_in_the_text(void **state)
{
    Fixture *f = *state;
    assert_false(tokenizer_is_special(f->tokenizer, tokenizer_find(f->tokenizer, "<think>")));
    no_error(encode(f->encoder, &f->ids, "<think>a", 8));
    assert_int_equal(f->ids.ids[0], tokenizer_find(f->tokenizer, "<think>"));
    no_error(decode(f->tokenizer, &f->text, f->ids.ids, f->ids.count, false));
    assert_string_equal(f->text.data, "<think>a");
}

static void ids_are_appended_and_an_empty_text_has_none(void **state)
{
    Fixture *f = *state;
    no_error(encode(f->encoder, &f->ids, NULL, 0));
    assert_int_equal(f->ids.count, 0);
    no_error(encode(f->encoder, &f->ids, "a", 1));
    no_error(encode(f->encoder, &f->ids, "b", 1));
    no_error(decode(f->tokenizer, &f->text, f->ids.ids, f->ids.count, true));
    assert_string_equal(f->text.data, "ab");
}

static void a_nul_byte_is_a_character_like_others(void **state)
{
    Fixture *f = *state;
    no_error(encode(f->encoder, &f->ids, "a\0b", 3));
    no_error(decode(f->tokenizer, &f->text, f->ids.ids, f->ids.count, true));
    assert_bytes(&f->text, "a\0b", 3);
}

static void a_text_that_is_not_utf8_is_refused_with_its_byte_and_leaves_no_ids(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *message;
    } cases[] = {{"abc\xFF", 4, "byte 3"},
                 {"\x80", 1, "byte 0"},
                 {"a\xC3", 2, "byte 1"},
                 {"\xED\xA0\x80", 3, "byte 0"},
                 {"12345678\xE2\x82", 10, "byte 8"},
                 {"\xF4\x90\x80\x80", 4, "byte 0"},
                 {"\xC0\x80", 2, "byte 0"},
                 {"x<|im_end|>\xF0\x9F", 13, "byte 11"}};
    Fixture *f = *state;
    no_error(encode(f->encoder, &f->ids, "a", 1));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(encode(f->encoder, &f->ids, cases[i].text, cases[i].size));
        assert_non_null(strstr(error_text(), cases[i].message));
        assert_false(encode_plain(f->encoder, &f->ids, cases[i].text, cases[i].size));
        assert_int_equal(f->ids.count, 1);
        error_clear();
    }
}

static void an_unknown_id_is_refused_with_its_place_and_leaves_no_text(void **state)
{
    Fixture *f = *state;
    int32_t size = tokenizer_size(f->tokenizer), bad[] = {-1, size, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int32_t ids[] = {f->tokenizer->bpe.of_byte['x'], f->tokenizer->bpe.of_byte['y'], bad[i]};
        assert_false(decode(f->tokenizer, &f->text, ids, 3, true));
        assert_non_null(strstr(error_text(), "place 2"));
        assert_int_equal(f->text.size, 0);
        error_clear();
    }
}

// The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11. "?" stands for U+FFFD.
static void broken_characters_become_one_replacement_per_maximal_subpart(void **state)
{
    static const struct {
        const char *bytes, *wanted;
    } cases[] = {{"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "????????A"},
                 {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "????????A"},
                 {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "?????A??B"},
                 {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "????A"},
                 {"\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", "???b?c??d"}};
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t ids[16];
        Bytes wanted = {0};
        size_t count = strlen(cases[i].bytes);
        for (size_t k = 0; k < count; k++)
            ids[k] = f->tokenizer->bpe.of_byte[(uint8_t)cases[i].bytes[k]];
        for (const char *p = cases[i].wanted; *p != 0; p++)
            append_code_point(&wanted, *p == '?' ? 0xFFFD : (uint32_t)*p);
        bytes_clear(&f->text);
        no_error(decode(f->tokenizer, &f->text, ids, count, true));
        assert_bytes(&f->text, wanted.data, wanted.size);
        bytes_free(&wanted);
    }
}

// Ids of single bytes, so that a character may be cut anywhere; lead bytes are frequent.
static void random_byte_ids(const Tokenizer *tokenizer, int32_t *ids, size_t count, uint32_t draw)
{
    static const uint8_t likely[] = {0xC3, 0xE2, 0xE0, 0xED, 0xF0, 0xF4, 0x80, 0x9F,
                                     0xA0, 0xBF, 0x8F, 0x90, 'a',  0xC0, 0xF5};
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = random_bits(7, RANDOM_ORDER, draw, (uint32_t)i, 0).v[0];
        ids[i] = tokenizer->bpe.of_byte[bits & 1 ? likely[bits / 2 % sizeof likely] : bits >> 8 & 0xFF];
    }
}

static void decoding_id_by_id_gives_the_same_text_and_never_half_a_character(void **state)
{
    Fixture *f = *state;
    for (uint32_t draw = 0; draw < 500; draw++) {
        int32_t ids[24];
        Bytes piecewise = {0};
        DecodeStream stream = {0};
        random_byte_ids(f->tokenizer, ids, 24, draw);
        bytes_clear(&f->text);
        no_error(decode(f->tokenizer, &f->text, ids, 24, true));
        for (size_t i = 0; i < 24; i++) {
            no_error(decode_next(&stream, f->tokenizer, &piecewise, ids[i], true));
            assert_int_equal(utf8_valid_prefix(piecewise.data, piecewise.size), piecewise.size);
        }
        no_error(decode_end(&stream, &piecewise));
        assert_bytes(&piecewise, f->text.data, f->text.size);
        assert_int_equal(stream.count, 0);
        bytes_free(&piecewise);
    }
}

// The right answer, built from the definition: at each place the longest prefix of a valid sequence, else one byte.
static void lossy(Bytes *out, const uint8_t *p, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        for (length = 4;
             length > 0 && !(length <= size - i && utf8_valid_prefix((const char *)p + i, length) == length &&
                             sequence_length(p[i]) == length);
             length--)
            ;
        if (length > 0) {
            no_error(bytes_append(out, p + i, length));
            continue;
        }
        for (length = 3; length > 1; length--) { // can the first length bytes be completed?
            uint8_t copy[4] = {0x80, 0x80, 0x80, 0x80};
            bool completes = false;
            if (length > size - i || sequence_length(p[i]) <= length)
                continue;
            memcpy(copy, p + i, length);
            for (int last = 0x80; last < 0xC0 && !completes; last++) {
                copy[length] = (uint8_t)last;
                completes = utf8_valid_prefix((const char *)copy, sequence_length(p[i])) == sequence_length(p[i]);
            }
            if (completes)
                break;
        }
        append_code_point(out, 0xFFFD);
    }
}

static void random_bytes_decode_as_the_definition_says(void **state)
{
    Fixture *f = *state;
    for (uint32_t draw = 1000; draw < 2000; draw++) {
        int32_t ids[16];
        uint8_t bytes[16];
        Bytes wanted = {0};
        random_byte_ids(f->tokenizer, ids, 16, draw);
        for (size_t i = 0; i < 16; i++)
            bytes[i] = (uint8_t)f->tokenizer->bytes.data[f->tokenizer->begin[ids[i]]];
        lossy(&wanted, bytes, 16);
        bytes_clear(&f->text);
        no_error(decode(f->tokenizer, &f->text, ids, 16, true));
        assert_bytes(&f->text, wanted.data, wanted.size);
        bytes_free(&wanted);
    }
}

static void a_word_has_the_same_ids_when_it_is_seen_again_and_wherever_it_ends(void **state)
{
    Fixture *f = *state;
    const char *text = "is in the a banana bandana and an is in the a banana bandana and an";
    no_error(encode(f->encoder, &f->ids, text, strlen(text)));
    for (size_t size = 1; size < strlen(text);
         size++) { // a fresh block each: reading behind the end is seen by the sanitizer
        TokenList again = {0}, fresh = {0};
        Encoder *encoder = encoding(f->tokenizer);
        char *copy = malloc(size);
        memcpy(copy, text, size);
        no_error(encode(f->encoder, &again, copy, size) && encode(encoder, &fresh, copy, size));
        assert_int_equal(again.count, fresh.count);
        assert_memory_equal(again.ids, fresh.ids, fresh.count * sizeof *fresh.ids);
        free(copy);
        tokens_free(&again);
        tokens_free(&fresh);
        encoder_close(encoder);
    }
}

// The memory of short words must look at every byte: words that differ in their last one alternate. They are few tokens
// each, and the memory holds words of up to four.
static void words_that_differ_in_one_byte_are_told_apart(void **state)
{
    Fixture *f = *state;
    const char *word = "turnturnturnoneturn";
    for (size_t size = 1; size <= strlen(word); size++) {
        char other[20];
        memcpy(other, word, size);
        other[size - 1] = 'z';
        for (int round = 0; round < 2; round++) {
            f->ids.count = 0;
            bytes_clear(&f->text);
            no_error(encode(f->encoder, &f->ids, word, size) && encode(f->encoder, &f->ids, other, size));
            no_error(decode(f->tokenizer, &f->text, f->ids.ids, f->ids.count, true));
            assert_int_equal(f->text.size, 2 * size);
            assert_memory_equal(f->text.data, word, size);
            assert_memory_equal(f->text.data + size, other, size);
        }
    }
}

static void *encode_many(void *tokenizer)
{
    Encoder *encoder = encoder_open(tokenizer);
    TokenList ids = {0};
    const char *text = "The quick brown fox, e\xCC\x81t\xC3\xA9, <|im_end|>\n 12345 jumps";
    bool ok = encoder != NULL;
    for (int i = 0; ok && i < 200; i++)
        ok = encode(encoder, &ids, text, strlen(text));
    uint64_t hash = ok ? hash_bytes(ids.ids, ids.count * sizeof *ids.ids) : 0;
    tokens_free(&ids);
    encoder_close(encoder);
    return (void *)(uintptr_t)hash;
}

static void threads_share_a_tokenizer(void **state)
{
    Fixture *f = *state;
    pthread_t threads[4];
    void *wanted = encode_many(f->tokenizer), *got;
    assert_non_null(wanted);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_many, f->tokenizer), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &got);
        assert_ptr_equal(got, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_small_tokenizer_gives_the_ids_of_hugging_face_and_the_text_back),
        cmocka_unit_test(hard_texts_have_the_ids_of_hugging_face_with_qwens_tokenizer),
        cmocka_unit_test(qwens_tokenizer_has_151669_ids_and_its_special_tokens),
        cmocka_unit_test_setup_teardown(an_added_token_is_one_id_in_encode_and_ordinary_text_in_encode_plain, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(special_tokens_are_left_out_of_a_text_on_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_added_token_that_is_not_special_stays_in_the_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_are_appended_and_an_empty_text_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_nul_byte_is_a_character_like_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_that_is_not_utf8_is_refused_with_its_byte_and_leaves_no_ids, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_id_is_refused_with_its_place_and_leaves_no_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_characters_become_one_replacement_per_maximal_subpart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(decoding_id_by_id_gives_the_same_text_and_never_half_a_character, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(random_bytes_decode_as_the_definition_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_word_has_the_same_ids_when_it_is_seen_again_and_wherever_it_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(words_that_differ_in_one_byte_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_share_a_tokenizer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
