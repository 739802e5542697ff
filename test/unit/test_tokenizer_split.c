// Promises of the tokenizer's parts that read characters: the pinned classes and NFC are those of the reference (golden
// files), and the hand-written splitter cuts as PCRE2 does with the same expression.
#include "test/unit/test_tokenizer.h"

static uint8_t *classes; // (CODE_POINTS), opened once for all tests

static int set_up(void **state)
{
    classes = classes_open();
    return classes == NULL;
}

static int tear_down(void **state)
{
    free(classes);
    return 0;
}

// ---- golden files

static void every_code_point_has_the_class_of_the_golden_file(void **state)
{
    uint8_t *golden = calloc(CODE_POINTS, 1);
    FILE *file = fopen(FIXTURE("unicode_classes.txt"), "r");
    char line[256], name;
    unsigned first, last, ranges = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%x %x %c", &first, &last, &name), 3);
        assert_true(first <= last && last < CODE_POINTS);
        memset(golden + first, name == 'L' ? LETTER : name == 'N' ? NUMBER : SPACE, last - first + 1);
        ranges++;
    }
    fclose(file);
    assert_true(ranges > 800);
    for (uint32_t c = 0; c < CODE_POINTS; c++)
        if ((classes[c] & (LETTER | NUMBER | SPACE)) != golden[c])
            fail_msg("U+%04X has class %d, not %d", c, classes[c], golden[c]);
    free(golden);
}

static void assert_nfc(NfcScratch *scratch, const uint32_t *points, size_t count, const uint32_t *wanted_points,
                       size_t wanted_count)
{
    Bytes text = {0}, wanted = {0}, normal = {0};
    for (size_t i = 0; i < count; i++)
        append_code_point(&text, points[i]);
    for (size_t i = 0; i < wanted_count; i++)
        append_code_point(&wanted, wanted_points[i]);
    no_error(nfc_append(classes, scratch, &normal, (const uint8_t *)text.data, text.size));
    if (normal.size != wanted.size || memcmp(normal.data, wanted.data, wanted.size) != 0)
        fail_msg("NFC of U+%04X U+%04X ... is wrong: \"%s\"", points[0], count > 1 ? points[1] : 0, normal.data);
    bytes_free(&text);
    bytes_free(&wanted);
    bytes_free(&normal);
}

typedef struct Golden {
    uint8_t class[CODE_POINTS]; // combining classes
    bool changes[CODE_POINTS];  // NFC of it alone is something else
} Golden;

static size_t read_golden_nfc(Golden *golden, NfcScratch *scratch)
{
    FILE *file = fopen(FIXTURE("unicode_nfc.txt"), "r");
    char line[256];
    uint32_t a, b, c[4];
    int count;
    size_t checked = 0;
    assert_non_null(file);
    for (; fgets(line, sizeof line, file) != NULL; checked++) {
        if (sscanf(line, "class %x %x %u", &a, &b, &c[0]) == 3)
            memset(golden->class + a, (int)c[0], b - a + 1);
        else if ((count = sscanf(line, "alone %x %x %x %x %x", &a, &c[0], &c[1], &c[2], &c[3])) >= 2) {
            golden->changes[a] = true;
            assert_nfc(scratch, &a, 1, c, (size_t)count - 1);
        } else if (sscanf(line, "pair %x %x %x", &a, &b, &c[0]) == 3)
            assert_nfc(scratch, (uint32_t[]){a, b}, 2, c, 1);
        else if (sscanf(line, "apart %x %x", &a, &b) == 2)
            assert_nfc(scratch, (uint32_t[]){a, b}, 2, (uint32_t[]){a, b}, 2);
        else if (line[0] != '#')
            fail_msg("unknown line %s", line);
    }
    fclose(file);
    return checked;
}

static void normalization_is_that_of_the_golden_file(void **state)
{
    Golden *golden = calloc(1, sizeof *golden);
    NfcScratch scratch = {0};
    assert_true(read_golden_nfc(golden, &scratch) > 2000);
    for (uint32_t c = 1; c < CODE_POINTS; c++) {
        if (golden->changes[c] || (c >= 0xD800 && c < 0xE000))
            continue;
        uint8_t class = golden->class[c]; // U+2603 composes with nothing, U+0345 has class 240
        bool moves = class > 0 && class < 240;
        assert_nfc(&scratch, (uint32_t[]){0x2603, 0x345, c}, 3,
                   (uint32_t[]){0x2603, moves ? c : 0x345, moves ? 0x345 : c}, 3);
    }
    nfc_scratch_free(&scratch);
    free(golden);
}

static void hangul_syllables_are_composed(void **state)
{
    NfcScratch scratch = {0};
    for (uint32_t i = 0; i < 11172; i++) {
        uint32_t parts[] = {0x1100 + i / 588, 0x1161 + i / 28 % 21, 0x11A7 + i % 28}, whole = 0xAC00 + i;
        assert_nfc(&scratch, parts, i % 28 == 0 ? 2 : 3, &whole, 1);
    }
    nfc_scratch_free(&scratch);
}

// With a sort that is quadratic this takes hours; 2^20 marks are also more than any first guess of memory.
static void a_million_marks_are_put_in_order(void **state)
{
    NfcScratch scratch = {0};
    Bytes text = {0}, wanted = {0}, normal = {0};
    for (int i = 0; i < 1 << 20; i++)
        append_code_point(&text, i < 1 << 19 ? 0x30D : 0x316); // classes 230 and 220
    for (int i = 0; i < 1 << 20; i++)
        append_code_point(&wanted, i < 1 << 19 ? 0x316 : 0x30D);
    no_error(nfc_append(classes, &scratch, &normal, (const uint8_t *)text.data, text.size));
    assert_bytes(&normal, wanted.data, wanted.size);
    nfc_scratch_free(&scratch);
    bytes_free(&text);
    bytes_free(&wanted);
    bytes_free(&normal);
}

// ---- the splitters

typedef struct General {
    Splitter splitter;
    SplitScratch scratch;
} General;

static void general_open(General *general, const char *expression)
{
    no_error(splitter_open_general(&general->splitter, classes, expression));
    no_error(split_scratch_open(&general->scratch, &general->splitter));
}

static void general_close(General *general)
{
    split_scratch_close(&general->scratch);
    splitter_close(&general->splitter);
}

static void assert_same_words(General *general, const Bytes *text)
{
    const uint8_t *bytes = (const uint8_t *)text->data;
    for (size_t at = 0, end; at < text->size; at = end) {
        no_error(split_next(&general->splitter, &general->scratch, bytes, text->size, at, &end));
        size_t ours = split_qwen(classes, bytes, text->size, at);
        if (ours != end)
            fail_msg("at byte %zu a word ends at %zu by hand and at %zu by PCRE2: \"%.200s\"", at, ours, end,
                     text->data);
    }
}

// Code points that this PCRE2 sees as the pinned table does: it may know an older or a newer Unicode.
static uint32_t *agreed_code_points(size_t *count)
{
    static const char *const expressions[] = {"\\p{L}", "\\p{N}", "\\s"};
    uint8_t *seen = calloc(CODE_POINTS, 1);
    uint32_t *agreed = malloc(CODE_POINTS * sizeof *agreed);
    for (int i = 0; i < 3; i++) {
        General general;
        general_open(&general, expressions[i]);
        for (uint32_t c = 0; c < CODE_POINTS; c++) {
            Bytes text = {0};
            size_t end;
            if (c >= 0xD800 && c < 0xE000)
                continue;
            append_code_point(&text, c);
            no_error(split_next(&general.splitter, &general.scratch, (const uint8_t *)text.data, text.size, 0, &end));
            seen[c] |= general.scratch.begin == 0 ? 1 << i : 0;
            bytes_free(&text);
        }
        general_close(&general);
    }
    *count = 0;
    for (uint32_t c = 0; c < CODE_POINTS; c++)
        if (seen[c] == (classes[c] & (LETTER | NUMBER | SPACE)) && !(c >= 0xD800 && c < 0xE000))
            agreed[(*count)++] = c;
    free(seen);
    return agreed;
}

static void the_hand_written_splitter_cuts_random_texts_as_pcre2_does(void **state)
{
    // clang-format off
    static const char *const pieces[] = {
        "'s", "'S", "'\xC5\xBF", "'ll", "'L", "'re", "'vE", "'", "''", " ", "  ", "\t", "\n",
        "\r\n", "\r", "a", "the", "1", "42",
        "!", "?!", "$", "_", "\xC2\xA0", "\xE3\x80\x80", "\xE1\xA0\x8E", "\xC2\x85",
        "\xE4\xB8\xAD", "\xCC\x81", "\xC2\xBD",
        "\xF0\x9F\x98\x80"};
    // clang-format on
    size_t agreed_count;
    uint32_t *agreed = agreed_code_points(&agreed_count);
    assert_true(agreed_count > 1090000); // Unicode grows by a few thousand a year; 14 and 16 differ by some 9,000
    General general;
    general_open(&general, qwen_expression);
    for (uint32_t draw = 0; draw < 20000; draw++) {
        Bytes text = {0};
        for (uint32_t i = 0; i < 16; i++) {
            Philox bits = random_bits(3, RANDOM_ORDER, draw, i, 0);
            if (bits.v[0] % 4 != 0)
                no_error(bytes_text(&text, pieces[bits.v[1] % (sizeof pieces / sizeof pieces[0])]));
            else
                append_code_point(&text, agreed[bits.v[1] % (bits.v[2] % 2 ? agreed_count : 0x500)]);
        }
        assert_same_words(&general, &text);
        bytes_free(&text);
    }
    general_close(&general);
    free(agreed);
}

static void a_megabyte_in_one_word_is_within_pcre2s_limits(void **state)
{
    static const char *const units[] = {
        "a", "\xE4\xB8\xAD", " ", "!", "\n", " \n", "1", "\t", "'", "\xE3\x80\x80", "\xF0\x9F\x98\x80"};
    static const char *const ends[] = {"", "x", "\n", "!", " "};
    General general;
    general_open(&general, qwen_expression);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        Bytes text = {0};
        while (text.size < 1 << 20)
            no_error(bytes_text(&text, units[i]));
        for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++) {
            no_error(bytes_text(&text, ends[k]));
            assert_same_words(&general, &text);
        }
        bytes_free(&text);
    }
    general_close(&general);
}

static void what_an_expression_does_not_match_is_a_word_of_its_own(void **state)
{
    static const size_t ends[] = {2, 5, 6, 8};
    General general;
    general_open(&general, "[a-z]+");
    for (size_t at = 0, end, i = 0; at < 8; at = end, i++) {
        no_error(split_next(&general.splitter, &general.scratch, (const uint8_t *)"ab123c45", 8, at, &end));
        assert_int_equal(end, ends[i]);
    }
    general_close(&general);
}

static void a_space_is_what_it_is_for_the_reference(void **state)
{
    static const uint8_t text[] = {'a', 0xE1, 0xA0, 0x8E, 'b', 0xC2, 0x85}; // U+180E is no space, U+0085 is one
    General general;
    size_t end;
    general_open(&general, "[\\s]+|\\S+");
    no_error(split_next(&general.splitter, &general.scratch, text, sizeof text, 0, &end));
    assert_int_equal(end, 5);
    general_close(&general);
}

static void an_expression_that_explodes_ends_with_an_error(void **state)
{
    General general;
    size_t end;
    general_open(&general, "(?:a|aa|a.)+(?=b)");
    assert_false(split_next(&general.splitter, &general.scratch,
                            (const uint8_t *)"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 56, 0, &end));
    assert_non_null(strstr(error_text(), "gave up at byte 0"));
    error_clear();
    general_close(&general);
}

static void an_expression_that_would_be_read_otherwise_is_refused(void **state)
{
    static const char *const expressions[] = {"\\h",     "\\w+",    "[a[b]]",        "[a&&b]", "(*UTF)a", "(?m:a.)",
                                              "(?<n>a)", "a{1,2}+", "[]a]",          "[^\\S]", "\\",      "(a",
                                              "a*",      "\\C",     "\\p{Nonsense}", "(?C1)a", "(?R)"};
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        Splitter splitter;
        if (splitter_open_general(&splitter, classes, expressions[i]))
            fail_msg("%s was accepted", expressions[i]);
        assert_non_null(strstr(error_text(), "the expression"));
        error_clear();
        splitter_close(&splitter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_has_the_class_of_the_golden_file),
        cmocka_unit_test(normalization_is_that_of_the_golden_file),
        cmocka_unit_test(hangul_syllables_are_composed),
        cmocka_unit_test(a_million_marks_are_put_in_order),
        cmocka_unit_test(the_hand_written_splitter_cuts_random_texts_as_pcre2_does),
        cmocka_unit_test(a_megabyte_in_one_word_is_within_pcre2s_limits),
        cmocka_unit_test(what_an_expression_does_not_match_is_a_word_of_its_own),
        cmocka_unit_test(a_space_is_what_it_is_for_the_reference),
        cmocka_unit_test(an_expression_that_explodes_ends_with_an_error),
        cmocka_unit_test(an_expression_that_would_be_read_otherwise_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
