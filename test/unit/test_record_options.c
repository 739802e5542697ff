// Multiple choice: a row's options under each of their names, whether the model is shown them, and which of them its
// answer names.
#include "test/support/record.h"

static void options_make_a_multiple_choice(void **state)
{
    const char *row = "{\"question\": \"Which?\", \"options\": [\"one\", \"two\"], \"answer\": \"B\"}";
    static const char *const cases[][2] = {
        {INSTRUCTION_DEFAULT,
         "Which?\nOptions are:\n(A): one\n(B): two\n\n\nPlease reason step by step, and put your final answer option "
         "within "
         "\\boxed{}. Only put the option letter in the box, e.g. \\boxed{A}. There is only one correct answer."},
        {"Choose.", "Which?\nOptions are:\n(A): one\n(B): two\n\n\nChoose."},
        {"none", "Which?\nOptions are:\n(A): one\n(B): two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Record r;
        assert_ok(read_with(&r, row, cases[i][0]));
        assert_message(&r.messages[0], ROLE_USER, cases[i][1]);
        record_free(&r);
    }
    assert_row("{\"question\": \"q\", \"options\": [], \"solution\": \"a\"}", "q", "a");
}

static void choices_are_options_under_another_name(void **state)
{
    static const char *const rows[] = {
        "{\"question\": \"W?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\"}",
        "{\"question\": \"W?\", \"choices\": {\"text\": [\"one\", \"two\"], \"label\": [\"A\", \"B\"]}, \"options\": "
        "[]}",
    };
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Record r = record_of(rows[i]);
        Bytes out = {0};
        assert_message(&r.messages[0], ROLE_USER, "W?\nOptions are:\n(A): one\n(B): two");
        assert_ok(record_append(&out, &r, none));
        assert_non_null(strstr(out.data, "\"options\":[\"one\",\"two\"]")); // as the comparison of letters expects them
        assert_null(strstr(out.data, "choices"));
        bytes_free(&out);
        record_free(&r);
    }
}

static void options_by_letter_are_a_list(void **state)
{
    assert_row(
        "{\"question\": \"W?\", \"options\": {\"A\": \"tin\", \"B\": \"lead\", \"C\": null}, \"answer\": \"lead\"}",
        "W?\nOptions are:\n(A): tin\n(B): lead", NULL);
    assert_row_refused("{\"question\": \"W?\", \"options\": {\"A\": \"tin\", \"C\": \"lead\"}}", "must be a list");
    assert_row_refused("{\"question\": \"W?\", \"options\": \"tin, lead\"}", "--map _options=options leaves it out");
    assert_row_refused("{\"question\": \"W?\", \"choices\": [7, 8]}", "option 1 of key \"choices\" is not a string");
}

// ---- the answer

// answer and index as JSON; reference NULL: refused with `what`
static void assert_answer(const char *options, const char *fields, const char *reference, const char *what)
{
    static const char *const rows[] = {
        "{\"question\": \"q\", \"options\": %s, %s}", "{\"problem\": \"q\", \"choices\": %s, %s}",
        "{\"question\": \"q\", \"text\": \"a\", \"finish_reason\": \"stop\", \"choices\": %s, %s}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[512];
        snprintf(json, sizeof json, rows[i], options, fields); // NOLINT
        if (reference == NULL) {
            assert_row_refused(json, what);
            continue;
        }
        Record r = record_of(json);
        if (r.answer == NULL || strcmp(r.answer, reference) != 0)
            fail_msg("%s: the reference is %s instead of %s", json, r.answer, reference);
        record_free(&r);
    }
}

static void a_number_that_may_be_a_place_or_a_text_is_refused(void **state)
{
    static const char *const options = "[\"2\", \"3\", \"5\", \"0\"]";
    static const char *const spellings[] = {"\"answer\": 0", "\"answer\": \"2\"", "\"answer\": [3]", "\"answer\": 3.0",
                                            "\"answer\": \" 2 \""};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        assert_answer(options, spellings[i], NULL, "--map answer_index=answer");
    assert_answer(options, "\"answer\": 2", NULL, "may be (A) by its text, or (C) by its place");
    assert_answer(options, "\"answer\": 5", "5", NULL);                               // there is no such place
    assert_answer("[\"0\", \"1\", \"2\"]", "\"answer\": 1", "1", NULL);               // both are (B)
    assert_answer("[\"0.0\", \"1.0\", \"2.0\"]", "\"answer\": \"2\"", "2", NULL);     // by value
    assert_answer("[\"0.5\", \"1.0\", \"0.0\"]", "\"answer\": \"0.0\"", "0.0", NULL); // no place is written so
    assert_answer("[\"0.5\", \"1.0\", \"0.0\"]", "\"answer\": 0.0", NULL,
                  "may be (C) by its text, or (A) by its place");
    assert_answer("[\"tin\", \"zinc\"]", "\"answer\": \"1.0\"", NULL, "a number and not one of the options");
    assert_answer("[\"tin\", \"zinc\"]", "\"answer\": 1", NULL,
                  "a number and not one of the options; \"answer_index\" is a place");
    assert_answer("[\"tin\", \"zinc\"]", "\"answer\": 9", NULL, "\"9\", which is not one of the 2");
    assert_answer("[\"tin\", \"zinc\"]", "\"answer\": -1", NULL, "\"-1\", which is not one of the 2");
}

static void an_index_is_a_place_from_zero(void **state)
{
    static const char *const options = "[\"2\", \"3\", \"5\", \"0\"]";
    assert_answer(options, "\"answer_index\": 3", "D", NULL);
    assert_answer(options, "\"answer_index\": \"1\"", "B", NULL);
    assert_answer(options, "\"answer_index\": 2.0, \"answer\": null", "C", NULL);
    assert_answer(options, "\"answer_index\": 0, \"answer\": \"A\"", "A", NULL);
    assert_answer(options, "\"answer_index\": 0, \"answer\": \"2\"", "2", NULL);
    assert_answer(options, "\"answer_index\": 2, \"answer\": \"2\"", "C", NULL); // the same place twice
    assert_answer(options, "\"answer_index\": 1, \"answer\": \"2\"", NULL, "name two options");
    assert_answer(options, "\"answer_index\": 1, \"answer\": \"D\"", NULL, "--map _answer_index=answer_index");
    assert_answer(options, "\"answer_index\": 4", NULL, "from 0 to 3");
    assert_answer(options, "\"answer_index\": \"B\"", NULL, "from 0 to 3");
    assert_answer(options, "\"answer_index\": -1", NULL, "from 0 to 3");
    assert_answer(options, "\"answer_index\": true", NULL, "from 0 to 3");

    const FieldMap map[] = {{"answer_index", "answer"}};
    const RecordOptions reading = {.map = map, .map_count = 1};
    const char *json = "{\"question\": \"q\", \"choices\": [\"2\", \"3\", \"5\", \"0\"], \"answer\": 2}";
    Record r;
    assert_ok(record_read(&r, json, strlen(json), "rows.jsonl", 17, &reading));
    assert_string_equal(r.answer, "C");
    record_free(&r);
}

static void an_answer_that_is_none_of_the_options_is_refused(void **state)
{
    static const char *const options = "[\"Oslo\", \"Bergen\"]";
    static const char *const none[] = {"\"C\"", "\"Tromso\"", "\"AB\"", "\"B. Oslo\"", "[\"Oslo\", \"Bergen\"]",
                                       "true",  "\"7\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char field[64];
        snprintf(field, sizeof field, "\"answer\": %s", none[i]);
        assert_answer(options, field, NULL, "which is not one of the 2 \"");
    }
    assert_answer(options, "\"answer\": \"(B)\"", "(B)", NULL);
    assert_answer(options, "\"answer\": \"bergen\"", "bergen", NULL);
    assert_answer(options, "\"answer\": \"B. Bergen\"", "B. Bergen", NULL);
    assert_answer("[\"True\", \"False\"]", "\"answer\": false", "false", NULL);
    assert_row_refused("{\"question\": \"q\", \"options\": [\"Oslo\", \"Bergen\"], \"answer\": \"Rome\"}",
                       "--map _options=options asks without options");
    Record r = record_of("{\"question\": \"q\", \"options\": [\"Oslo\", \"Bergen\"], \"answer\": \" \"}");
    assert_null(r.answer); // one that is blank is none
    record_free(&r);
}

// ---- rows that are no problems

static void options_beside_a_prompt_have_to_be_in_it(void **state)
{
    static const char *const shown[] = {
        "{\"prompt\": \"W? (A) tin (B) zinc\", \"options\": [\"tin\", \"zinc\"], \"answer\": \"B\"}",
        "{\"instruction\": \"W?\", \"input\": \"tin\\nzinc\", \"choices\": [\"tin\", \"zinc\"], \"answer\": \"tin\"}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"tin, zinc?\"}], \"options\": {\"A\": \"tin\", \"B\": "
        "\"zinc\"}}",
    };
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        Record r = record_of(shown[i]);
        record_free(&r);
    }
    static const char *const hidden[][2] = {
        {"{\"prompt\": \"W?\", \"options\": [\"tin\", \"zinc\"]}", "--map problem=prompt"},
        {"{\"prompt\": \"W?\", \"completion\": \"B\", \"choices\": [\"tin\", \"zinc\"]}",
         "--map problem=prompt --map solution=completion"},
        {"{\"prompt\": \"tinned or zinc?\", \"options\": [\"tin\", \"zinc\"]}",
         "--map _options=options leaves them out"},
        {"{\"prompt\": \"zinc or tin?\", \"options\": [\"tin\", \"zinc\"]}", "not all in the prompt"}, // which is A?
        {"{\"prompt\": \"10 or 25?\", \"options\": [\"1\", \"2\"]}", "not all in the prompt"},
        {"{\"prompt\": [{\"role\": \"user\", \"content\": \"W?\"}], \"options\": [\"tin\", \"zinc\"]}",
         "leaves them out"},
        {"{\"instruction\": \"W?\", \"choices\": [\"tin\", \"zinc\"], \"output\": \"tin\"}",
         "--map problem=instruction --map solution=output"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"W?\"}, {\"role\": \"assistant\", \"content\": \"tin "
         "zinc\"}],"
         "\"options\": [\"tin\", \"zinc\"]}",
         "--map _options=options"},
        {"{\"prompt\": \"W? tin, zinc\", \"options\": [\"tin\", \"zinc\"], \"answer\": \"lead\"}", "not one of the 2"},
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_row_refused(hidden[i][0], hidden[i][1]);
}

// ---- pairs of answers

static void a_pair_is_read_as_a_row_is(void **state)
{
    const RecordOptions pair = {.pair = true};
    static const char *const good[][2] = {
        {"{\"gold\": \"B\", \"choices\": [\"tin\", \"zinc\"]}", "B"},
        {"{\"gold\": 70, \"prediction\": \"x\"}", "70"},
        {"{\"answer_index\": 1, \"choices\": {\"text\": [\"tin\", \"zinc\"], \"label\": [\"A\", \"B\"]}}", "B"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Record r;
        assert_ok(record_read(&r, good[i][0], strlen(good[i][0]), "pairs.jsonl", 3, &pair));
        assert_string_equal(r.answer, good[i][1]);
        record_free(&r);
    }
    static const char *const bad[][2] = {
        {"{\"gold\": \"0\", \"choices\": [\"7\", \"0\"]}",
         "key \"gold\" is 0, which may be (B) by its text, or (A) by its place"},
        {"{\"gold\": \"C\", \"choices\": [\"7\", \"0\"]}",
         "key \"gold\" is \"C\", which is not one of the 2 \"choices\""},
        {"{\"gold\": \"A\", \"choices\": [\"7\", 0]}", "option 2 of key \"choices\" is not a string"},
        {"{\"gold\": \"A\", \"choices\": 7}", "must be a list of at most 26 texts"},
        {"{\"gold\": \"A\", \"choices\": [\"7\", \"0\"], \"answer_index\": 1}", "name two options"},
        {"{\"gold\": \"A\", \"choices\": [\"7\", \"0\"], \"answer_index\": 2}", "from 0 to 1"},
        {"{\"gold\": \"A\", \"choices\": [\"7\", \"0\"], \"options\": [\"7\"]}", "both \"options\" and"},
        {"{\"prediction\": \"C\"}", "key \"gold\" is missing"},
        {"[]", "must be a JSON object"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Record r;
        assert_refused(record_read(&r, bad[i][0], strlen(bad[i][0]), "pairs.jsonl", 3, &pair), bad[i][1]);
        assert_null(strstr(error_text(), "--map")); // build/check_answers has none
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_make_a_multiple_choice),
        cmocka_unit_test(choices_are_options_under_another_name),
        cmocka_unit_test(options_by_letter_are_a_list),
        cmocka_unit_test(a_number_that_may_be_a_place_or_a_text_is_refused),
        cmocka_unit_test(an_index_is_a_place_from_zero),
        cmocka_unit_test(an_answer_that_is_none_of_the_options_is_refused),
        cmocka_unit_test(options_beside_a_prompt_have_to_be_in_it),
        cmocka_unit_test(a_pair_is_read_as_a_row_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
