// Texts that share 13 words with a benchmark, and texts that only seem to.
#include "decontamination/ngrams.h"
#include "json/json.h"
#include "system/files.h"
#include <time.h>
#include "test/support/check.h"
#include <omp.h>
#include <unistd.h>

static char folder[64];

static char *write_rows(const char *name, const char *rows)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    assert_ok(file_write_atomic(path, rows, strlen(rows)));
    return path;
}

static Ngrams *ngrams_by(const char *rows, bool all)
{
    char *path = write_rows("benchmark.jsonl", rows);
    Ngrams *n = ngrams_read((const char *const[]){path}, 1, all);
    if (n == NULL)
        fail_msg("%s", error_text());
    free(path);
    return n;
}

static Ngrams *ngrams_of(const char *rows) { return ngrams_by(rows, true); }

static bool finds(const Ngrams *n, const char *text) { return ngrams_find(n, text, strlen(text)).found; }

static bool finds_in(const Ngrams *n, const char *row)
{
    json_t *json = json_parse(row, strlen(row), "row");
    assert_non_null(json);
    bool found = ngrams_find_row(n, json).found;
    json_decref(json);
    return found;
}

#define TWELVE "one two three four five six seven eight nine ten eleven twelve"
#define LONG_ROW "{\"question\": \"Before it. " TWELVE " thirteen and after it.\"}\n"

static void thirteen_words_of_a_longer_text_are_found_wherever_they_stand(void **state)
{
    Ngrams *n = ngrams_of(LONG_ROW);
    assert_int_equal(ngrams_count(n), 18 - 12);
    assert_true(finds(n, TWELVE " thirteen"));
    assert_true(finds(n, "other words " TWELVE " thirteen and more words"));
    assert_true(finds(n, "it " TWELVE));
    assert_true(finds(n, "a " TWELVE " a " TWELVE " thirteen"));
    ngrams_close(n);
}

static void twelve_shared_words_are_not_enough(void **state)
{
    Ngrams *n = ngrams_of(LONG_ROW);
    assert_false(finds(n, TWELVE));
    assert_false(finds(n, "then " TWELVE " fourteen"));
    assert_false(finds(n, "two one three four five six seven eight nine ten eleven twelve thirteen")); // another order
    assert_false(finds(n, "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteens"));
    assert_false(finds(n, "onetwo three four five six seven eight nine ten eleven twelve thirteen"));
    assert_false(finds(n, ""));
    ngrams_close(n);
}

static void case_punctuation_and_line_breaks_do_not_matter(void **state)
{
    Ngrams *n = ngrams_of(LONG_ROW);
    assert_true(
        finds(n, "ONE, Two: \"three\"\r\nfour\n\n*five*\tsix--seven (eight) nine; ten... eleven_twelve\\thirteen!"));
    assert_true(finds(n, "one\xC2\xA0two\xE2\x80\x94three four\xE3\x80\x82"
                         "five six seven eight nine ten eleven twelve thirteen"));
    ngrams_close(n);
}

static void the_same_letters_in_another_encoding_are_the_same(void **state)
{
    // composed and decomposed accents, full width, a ligature, a sharp s and its fold, Greek with a final sigma,
    // a syllable of Hangul, and numbers that are no decimal digits
    Ngrams *n = ngrams_of(
        "{\"q\": \"caf\xC3\xA9 \xEF\xBC\xA1\xEF\xBC\xA2 \xEF\xAC\x81ne STRASSE \xCE\xA3\xCE\x9F\xCE\xA3 1\xC2\xB2 "
        "\xEA\xB0\x80 \xE3\x80\x87 \xE1\x8D\xA9 c d e f\"}\n");
    assert_int_equal(ngrams_count(n), 1);
    assert_true(finds(n, "cafe\xCC\x81 ab fine stra\xC3\x9F"
                         "e \xCF\x83\xCE\xBF\xCF\x82 12 \xE1\x84\x80\xE1\x85\xA1 \xE3\x80\x87 \xE1\x8D\xA9 C D E F"));
    assert_false(
        finds(n, "cafe ab fine strasse \xCF\x83\xCE\xBF\xCF\x82 12 \xEA\xB0\x80 \xE3\x80\x87 \xE1\x8D\xA9 c d e f"));
    assert_false(finds(
        n, "caf\xC3\xA9 ab fine strasse \xCF\x83\xCE\xBF\xCF\x82 12 \xEA\xB0\x80 c d e f")); // without the numbers
    ngrams_close(n);
    n = ngrams_of(
        // words within one character
        "{\"q\": \"a half is \xC2\xBD and a third is \xE2\x85\x93 of the whole cake\"}\n");
    assert_true(finds(n, "A half is 1/2 and a third is 1/3 of the whole cake"));
    ngrams_close(n);
}

static void bytes_that_are_no_utf_8_separate_words(void **state)
{
    Ngrams *n = ngrams_of(LONG_ROW);
    assert_true(finds(n, "one\xFFtwo\xC3 three four five six seven eight nine ten eleven twelve thirteen\xE2\x80"));
    ngrams_close(n);
}

// A short text in a longer one is no sign of anything.
static void twelve_words_are_never_enough(void **state)
{
    Ngrams *n = ngrams_of("{\"question\": \"Name the largest moon of Saturn.\"}\n{\"question\": \"" TWELVE "\"}\n");
    assert_false(finds(n, "Name the largest moon of Saturn."));
    assert_false(finds(n, TWELVE));
    assert_false(finds_in(n, "{\"question\": \"First name the largest moon of Saturn.\"}"));
    assert_false(finds_in(n, "{\"question\": \"Who?\", \"solution\": \"Name the largest moon of Saturn.\"}"));
    ngrams_close(n);
}

#define SHORT_ROWS                                                                                                     \
    "{\"id\": \"s-1\", \"question\": \"Name the largest moon of Saturn.\"}\n"                                          \
    "{\"problem\": \"Compute $2+2$.\", \"answer\": \"4\"}\n"                                                           \
    "{\"instruction\": \"Translate into Latin.\", \"input\": \"Good morning\"}\n"                                      \
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Wie "     \
    "hei\xC3\x9Ft "                                                                                                    \
    "der "                                                                                                             \
    "Rhein?\"}]}\n"                                                                                                    \
    "{\"question\": \"Which of these is true?\", \"options\": [\"1 < 2\", \"2 < 1\"]}\n"                               \
    "{\"question\": \"Which gas is lighter?\", \"choices\": {\"text\": [\"helium\", \"argon\"], \"label\": [\"A\", "   \
    "\"B\"]}}\n"                                                                                                       \
    "{\"problem\": \"Write 0.5 as a fraction\"}\n"

static void a_short_question_is_compared_whole(void **state)
{
    static const char *const same[] = {
        "{\"problem\": \"name the  largest moon,\\nof SATURN\"}",
        "{\"prompt\": [{\"role\": \"user\", \"content\": \"Name the largest moon of Saturn?\"}]}",
        "{\"conversations\": [{\"from\": \"human\", \"value\": \"compute $2 + 2$\"}, {\"from\": \"gpt\", \"value\": "
        "\"4\"}]}",
        "{\"problem\": \"Translate into Latin: good morning\"}",
        "{\"query\": \"wie heisst der Rhein\"}",
        "{\"question\": \"Which of these is true\", \"options\": [\"2 < 1\", \"1<2\"]}",
        "{\"question\": \"Which of these is true?\"}",
        "{\"question\": \"Which gas is lighter?\", \"options\": [\"Helium\", \"argon\"]}",
        "{\"question\": \"Name the largest moon of Saturn.\", \"options\": [\"Rhea\", \"Titan\"]}",
        "{\"question\": \"\xEF\xBC\xAE"
        "ame the largest moon of Saturn\xEF\xBC\x9F\"}",
    };
    static const char *const others[] = {
        "{\"problem\": \"Compute $2*2$.\"}",
        "{\"problem\": \"Compute $2-2$.\"}",
        "{\"problem\": \"Compute $22$.\"}",
        "{\"problem\": \"Write 05 as a fraction\"}",
        "{\"instruction\": \"Translate into Latin.\", \"input\": \"Good night\"}",
        "{\"instruction\": \"Translate into Latin.\"}",
        "{\"question\": \"Which of these is true?\", \"options\": [\"3 < 4\", \"4 < 3\"]}",
        "{\"prompt\": [{\"role\": \"user\", \"content\": \"Be brief.\"}]}",
        "{\"problem\": \"\"}",
        "{\"text\": \"Name the largest moon of Saturn.\"}",
    };
    for (int all = 0; all < 2; all++) {
        Ngrams *n = ngrams_by(SHORT_ROWS, all);
        for (size_t i = 0; i < sizeof same / sizeof *same; i++)
            if (!finds_in(n, same[i]))
                fail_msg("%s is in the benchmark", same[i]);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            if (finds_in(n, others[i]))
                fail_msg("%s is not in the benchmark", others[i]);
        ngrams_close(n);
    }
}

static void a_short_question_is_found_behind_a_preamble(void **state)
{
    static const char rows[] =
        SHORT_ROWS "{\"question\": \"A cube has side 3. What is its volume?\"}\n"
                   "{\"question\": \"Why is that so?\"}\n"
                   "{\"question\": \"What is 17*23?\"}\n"
                   "{\"question\": \"Where does the Volga end?\", \"options\": [\"Caspian Sea\", \"Black Sea\"]}\n";
    static const char *const same[] = {
        "{\"problem\": \"You are an astronomer. Name the largest moon of Saturn!? No: name the largest moon of "
        "Saturn.\"}",
        "{\"problem\": \"Answer in one word.\\n\\n**Question 3:** *Name the largest moon of Saturn.*\\nAnswer:\"}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}, {\"role\": \"assistant\", \"content\": "
        "\"Yes?\"}, "
        "{\"role\": "
        "\"user\", \"content\": \"- Name the largest\\u00a0moon of Saturn\\n- and its radius\"}]}",
        "{\"problem\": \"2) compute $2 + 2$. Put it in a box.\"}",
        "{\"problem\": \"Think of it: a cube has side 3. What is its volume? Say it in words.\"}",
        "{\"problem\": \"(a) What is 17 * 23?\\n(b) What is 18 * 23?\"}",
        "{\"problem\": \"A traveller asks: \\\"Where does the Volga end?\\\" Tell him.\"}",
        "{\"problem\": \"Think. Where does the Volga end?\", \"options\": [\"black sea\", \"caspian sea\"]}",
        "{\"problem\": \"Think. Which of these is true?\", \"options\": [\"1 < 2\", \"2 < 1\"]}",
    };
    static const char *const others[] = {
        "{\"problem\": \"Name the largest moon of Saturn and that of Jupiter. Be brief.\"}", // part of a sentence
        "{\"problem\": \"Do not name the largest moon of Saturn.\"}",
        "{\"problem\": \"A sphere has radius 3. What is its volume?\"}",
        "{\"problem\": \"What is its volume? A cube has side 3.\"}",
        "{\"problem\": \"The sky is blue. Why is that so?\"}",           // four words that may stand anywhere
        "{\"problem\": \"Two claims follow. Which of these is true?\"}", // is nothing without its options
        "{\"problem\": \"Think. Where does the Volga end?\", \"options\": [\"Kama\", \"Oka\"]}",
        "{\"problem\": \"What is 17*24? What is 17+23?\"}",
        "{\"problem\": \"Say hello.\", \"solution\": \"Hello. Name the largest moon of Saturn.\"}",
    };
    Ngrams *n = ngrams_of(rows);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!finds_in(n, same[i]))
            fail_msg("%s has a question of the benchmark", same[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (finds_in(n, others[i]))
            fail_msg("%s has no question of the benchmark", others[i]);
    const char *text = "{\"problem\": \"Think of it: a cube has side 3. What is its volume? Say it.\"}";
    json_t *row = json_parse(text, strlen(text), "row");
    NgramMatch match = ngrams_find_row(n, row);
    assert_true(match.whole && match.line == 8);
    assert_int_equal(match.words.size, strlen("a cube has side 3. What is its volume?"));
    assert_memory_equal(match.words.data, "a cube", 6);
    json_decref(row);
    ngrams_close(n);
}

static void sentences_without_end_take_a_time_that_is_linear(void **state)
{
    enum { COUNT = 200000 };
    static const char *const pieces[] = {". ", "a. ", "* ", ") ", "\n", "((", "a a a a a a. "};
    Ngrams *n = ngrams_of(SHORT_ROWS);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        Bytes text = {0};
        for (int k = 0; k < COUNT; k++)
            assert_ok(bytes_text(&text, pieces[i]));
        json_t *row = json_pack("{s:s}", "problem", text.data);
        clock_t begin = clock();
        assert_false(ngrams_find_row(n, row).found);
        assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 20); // quadratic is minutes, also without sanitizers
        json_decref(row);
        bytes_free(&text);
    }
    ngrams_close(n);
}

static void a_whole_match_names_the_question_and_what_could_not_be_compared_is_counted(void **state)
{
    Ngrams *n = ngrams_by(SHORT_ROWS "{\"q\": \"What?\"}\n" LONG_ROW, false);
    const char *text = "{\"problem\": \"Name: the largest moon of Saturn\"}";
    json_t *row = json_parse(text, strlen(text), "row");
    NgramMatch match = ngrams_find_row(n, row);
    assert_true(match.found && match.whole && match.line == 1 && strcmp(match.id, "s-1") == 0);
    assert_int_equal(match.words.size, strlen("Name: the largest moon of Saturn"));
    json_decref(row);
    size_t count;
    const NgramFile *files = ngrams_files(n, &count);
    assert_int_equal(count, 1);
    assert_true(files[0].rows == 9 && files[0].whole == 7 && files[0].uncompared == 1);
    ngrams_close(n);
}

// ---- rows

#define WORDS(w) w " " w " " w " " w " " w " " w " " w " " w " " w " " w " " w " " w " " w // thirteen

static void every_text_of_a_row_is_read_but_for_its_names(void **state)
{
    Ngrams *n = ngrams_of("{\"id\": \"" WORDS("id") "\", \"source\": \"" WORDS("s") "\", \"category\": \"" WORDS(
        "c") "\", "
             "\"question\": \"" WORDS("q") "\", \"options\": [\"" WORDS("first") "\", [\"" WORDS(
                 "inner") "\"]], "
                          "\"meta\": {\"id\": \"" WORDS("deeper") "\"}, \"answer_index\": 3, \"none\": null}\n");
    assert_int_equal(ngrams_count(n), 4);
    assert_true(finds(n, WORDS("q")) && finds(n, WORDS("first")) && finds(n, WORDS("inner")) &&
                finds(n, WORDS("deeper")));
    assert_false(finds(n, WORDS("id")) || finds(n, WORDS("s")) || finds(n, WORDS("c")));
    ngrams_close(n);
}

static void questions_are_compared_with_questions(void **state)
{
    Ngrams *n = ngrams_by(
        "{\"problem\": \"" WORDS("p") "\", \"solution\": \"" WORDS(
            "s") "\"}\n"
                 "{\"messages\": [{\"role\": \"user\", \"content\": \"" WORDS(
                     "u") "\"},"
                          " {\"role\": \"assistant\", \"content\": \"" WORDS(
                              "a") "\"}]}\n"
                                   "{\"conversations\": [{\"from\": \"human\", \"value\": [{\"text\": \"" WORDS(
                                       "h") "\"}]}]}\n"
                                            "{\"stem\": \"" WORDS("m") "\"}\n",
        false);
    assert_int_equal(ngrams_count(n), 4);
    assert_true(finds(n, WORDS("p")) && finds(n, WORDS("u")) && finds(n, WORDS("h")) && finds(n, WORDS("m")));
    assert_true(finds_in(n, "{\"question\": \"so: " WORDS("P") "\", \"answer\": \"3\"}"));
    assert_true(finds_in(n, "{\"instruction\": \"do\", \"input\": \"" WORDS("u") "\"}"));
    assert_false(finds_in(n, "{\"question\": \"other\", \"solution\": \"" WORDS("p") "\"}"));
    assert_false(finds_in(n, "{\"prompt\": [{\"role\": \"assistant\", \"content\": \"" WORDS(
                                 "p") "\"},"
                                      "{\"role\": \"user\", \"content\": \"go on\"}]}"));
    ngrams_close(n);
}

static void a_match_names_its_words_and_the_row_that_has_them(void **state)
{
    Ngrams *n =
        ngrams_of("{\"q\": \"short\"}\n" LONG_ROW "{\"id\": \"z-3\", \"question\": \"" WORDS("z\xC3\xA9") "\"}\n");
    const char *text = "Say: one, TWO three (four) five six seven eight nine ten eleven twelve thirteen!";
    NgramMatch match = ngrams_find(n, text, strlen(text));
    assert_true(match.found && match.line == 2 && match.id == NULL);
    assert_non_null(strstr(match.file, "benchmark.jsonl"));
    assert_int_equal(match.words.size, strlen(text) - strlen("Say: ") - 1);
    assert_ptr_equal(match.words.data, text + strlen("Say: "));
    text = "- " WORDS("Z\xC3\x89") " -";
    match = ngrams_find(n, text, strlen(text));
    assert_true(match.found && match.line == 3 && strcmp(match.id, "z-3") == 0);
    assert_true(match.words.data == text + 2 && match.words.size == strlen(text) - 4);
    ngrams_close(n);
}

static void texts_of_one_row_are_not_joined(void **state)
{
    Ngrams *n =
        ngrams_of("{\"a\": \"one two three four five six seven\", \"b\": \"eight nine ten eleven twelve thirteen\"}\n");
    assert_int_equal(ngrams_count(n), 0);
    assert_false(finds(n, TWELVE " thirteen"));
    ngrams_close(n);
}

static void several_files_and_folders_are_read_together(void **state)
{
    char *data = path_join(folder, "data");
    assert_ok(folder_make(data));
    free(write_rows("data/a.jsonl", "{\"q\": \"" WORDS("a") "\"}"));
    free(write_rows("data/b.jsonl", "{\"q\": \"" WORDS("b") "\"}"));
    char *other = write_rows("c.jsonl", "{\"q\": \"" WORDS("c") "\"}\n{\"q\": \"" WORDS("a") "\"}");
    Ngrams *n = ngrams_read((const char *const[]){data, other}, 2, false);
    assert_non_null(n);
    assert_int_equal(ngrams_count(n), 3);
    assert_true(finds(n, WORDS("a")) && finds(n, WORDS("b")) && finds(n, WORDS("c")));
    ngrams_close(n);
    free(data);
    free(other);
}

static void without_benchmarks_nothing_is_found(void **state)
{
    Ngrams *n = ngrams_read(NULL, 0, false);
    assert_non_null(n);
    assert_int_equal(ngrams_count(n), 0);
    assert_false(finds(n, TWELVE " thirteen"));
    ngrams_close(n);
    ngrams_close(NULL);
}

static void assert_benchmark_refused(const char *rows, const char *what)
{
    char *path = write_rows("refused.jsonl", rows);
    Ngrams *n = NULL;
    assert_refused((n = ngrams_read((const char *const[]){path}, 1, true)) != NULL, what);
    assert_ptr_equal(strstr(error_text(), "--decontaminate: "), error_text());
    free(path);
}

static void a_benchmark_that_is_none_is_refused_with_its_place(void **state)
{
    assert_benchmark_refused(LONG_ROW "{\"question\": \n", "refused.jsonl:2:");
    assert_benchmark_refused(LONG_ROW "\n[17]\n", "refused.jsonl:3: a row must be a JSON object");
    assert_benchmark_refused("", "refused.jsonl: there is no row in it");
    assert_benchmark_refused("\n \n", "refused.jsonl: there is no row in it");
    assert_benchmark_refused("PAR1", "a Parquet file");
    assert_refused(ngrams_read((const char *const[]){"/nowhere.jsonl"}, 1, false) != NULL,
                   "--decontaminate: /nowhere.jsonl: No such");
}

// ---- against brute force

enum { TEXT_WORDS = 60 };

static size_t words_of(uint32_t words[TEXT_WORDS], uint32_t number, uint32_t vocabulary)
{
    size_t count = random_bits(4, RANDOM_SAMPLE, number, 1000, 0).v[0] % (TEXT_WORDS + 1);
    for (uint32_t i = 0; i < count; i++)
        words[i] = random_bits(4, RANDOM_SAMPLE, number, i, 0).v[1] % vocabulary;
    return count;
}

static void append_text(Bytes *text, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_ok(bytes_printf(text, "%sw%u", i == 0 ? "" : " ", words[i]));
}

static bool shares(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    for (size_t i = 0; i + NGRAM_WORDS <= a_count; i++)
        for (size_t j = 0; j + NGRAM_WORDS <= b_count; j++)
            if (memcmp(a + i, b + j, 4 * NGRAM_WORDS) == 0)
                return true;
    return false;
}

static void hashes_say_what_comparing_words_says(void **state)
{
    enum { ROWS = 40, TEXTS = 1500, VOCABULARY = 2 };
    uint32_t rows[ROWS][TEXT_WORDS], text_words[TEXT_WORDS];
    size_t counts[ROWS], found = 0;
    Bytes benchmark = {0}, text = {0};
    for (uint32_t i = 0; i < ROWS; i++) {
        counts[i] = words_of(rows[i], i, VOCABULARY);
        assert_ok(bytes_text(&benchmark, "{\"q\": \""));
        append_text(&benchmark, rows[i], counts[i]);
        assert_ok(bytes_text(&benchmark, "\"}\n"));
    }
    Ngrams *n = ngrams_of(benchmark.data);
    for (uint32_t t = 0; t < TEXTS; t++) {
        size_t count = words_of(text_words, 100 + t, VOCABULARY);
        bool expected = false;
        for (size_t i = 0; i < ROWS; i++)
            expected = expected || shares(rows[i], counts[i], text_words, count);
        bytes_clear(&text);
        append_text(&text, text_words, count);
        if (finds(n, text.size == 0 ? "" : text.data) != expected)
            fail_msg("'%s' should%s be found", text.data, expected ? "" : " not");
        found += expected;
    }
    assert_in_range(found, TEXTS / 10, TEXTS * 9 / 10); // both happen
    ngrams_close(n);
    bytes_free(&benchmark);
    bytes_free(&text);
}

static void a_table_that_grew_has_all_of_it_and_threads_may_share_it(void **state)
{
    enum { ROWS = 3000, WORDS = 30 };
    Bytes rows = {0};
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_ok(bytes_text(&rows, "{\"q\": \""));
        for (uint32_t w = 0; w < WORDS; w++)
            assert_ok(bytes_printf(&rows, "%u ", i * WORDS + w));
        assert_ok(bytes_text(&rows, "\"}\n"));
    }
    Ngrams *n = ngrams_of(rows.data);
    assert_int_equal(ngrams_count(n), ROWS * (WORDS - NGRAM_WORDS + 1));
    size_t missed = 0, wrong = 0;
#pragma omp parallel for num_threads(4) reduction(+ : missed, wrong)
    for (uint32_t i = 0; i < ROWS * WORDS - NGRAM_WORDS; i++) {
        char text[NGRAM_WORDS * 8];
        size_t size = 0;
        for (uint32_t w = 0; w < NGRAM_WORDS; w++)
            size += (size_t)snprintf(text + size, sizeof text - size, "%u ", i + w);
        bool whole = i % WORDS + NGRAM_WORDS <= WORDS; // else it goes over the end of a row
        bool shared = ngrams_find(n, text, size).found;
        missed += whole && !shared;
        wrong += !whole && shared;
    }
    assert_int_equal(missed, 0);
    assert_int_equal(wrong, 0);
    ngrams_close(n);
    bytes_free(&rows);
}

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_ngrams_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) { return !folder_remove(folder); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thirteen_words_of_a_longer_text_are_found_wherever_they_stand),
        cmocka_unit_test(twelve_shared_words_are_not_enough),
        cmocka_unit_test(case_punctuation_and_line_breaks_do_not_matter),
        cmocka_unit_test(the_same_letters_in_another_encoding_are_the_same),
        cmocka_unit_test(bytes_that_are_no_utf_8_separate_words),
        cmocka_unit_test(twelve_words_are_never_enough),
        cmocka_unit_test(a_short_question_is_compared_whole),
        cmocka_unit_test(a_short_question_is_found_behind_a_preamble),
        cmocka_unit_test(sentences_without_end_take_a_time_that_is_linear),
        cmocka_unit_test(a_whole_match_names_the_question_and_what_could_not_be_compared_is_counted),
        cmocka_unit_test(every_text_of_a_row_is_read_but_for_its_names),
        cmocka_unit_test(questions_are_compared_with_questions),
        cmocka_unit_test(a_match_names_its_words_and_the_row_that_has_them),
        cmocka_unit_test(texts_of_one_row_are_not_joined),
        cmocka_unit_test(several_files_and_folders_are_read_together),
        cmocka_unit_test(without_benchmarks_nothing_is_found),
        cmocka_unit_test(a_benchmark_that_is_none_is_refused_with_its_place),
        cmocka_unit_test(hashes_say_what_comparing_words_says),
        cmocka_unit_test(a_table_that_grew_has_all_of_it_and_threads_may_share_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
