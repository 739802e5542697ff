// A row that lacks a response or an answer: the field that may be meant, and the option that the error names, which
// then reads it.
#include "test/support/prepared.h"
#include "test/support/record.h"

static void assert_unread(const Unread *unread, const char *name, const char *remedy)
{
    Bytes text = {0};
    if (name == NULL) {
        assert_null(unread->name);
        return;
    }
    assert_non_null(unread->name);
    assert_string_equal(unread->name, name);
    assert_ok(bytes_text(&text, "") && unread_remedy(&text, unread));
    assert_string_equal(text.data, remedy);
    bytes_free(&text);
}

// The row has a field of this name for a response; read as the remedy's maps say, that is one.
static void assert_response_found(const char *json, const char *name, const char *remedy)
{
    Record r = record_of(json);
    assert_unread(&r.unread_response, name, remedy);
    record_free(&r);
    FieldMap map[2] = {{NULL}};
    size_t count = 0;
    char words[128];
    snprintf(words, sizeof words, "%s", remedy);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        char *equals = strchr(word, '=');
        if (strcmp(word, "--map") == 0)
            continue;
        assert_true(equals != NULL && count < 2);
        *equals = 0;
        map[count++] = (FieldMap){word, equals + 1};
    }
    if (count == 0)
        return;
    const RecordOptions options = {.instruction = "none", .map = map, .map_count = count};
    assert_ok(record_read(&r, json, strlen(json), "rows.jsonl", 1, &options));
    assert_true(r.has_response);
    record_free(&r);
}

#define TURN(role, text) "{\"role\": \"" role "\", \"content\": \"" text "\"}"

static void a_response_under_another_name_is_named_with_what_reads_it(void **state)
{
    assert_response_found("{\"problem\": \"p\", \"rationale\": \"so\", \"output\": \"\"}", "rationale",
                          "--map solution=rationale");
    assert_response_found("{\"instruction\": \"p\", \"cot\": \"so\"}", "cot", "--map output=cot");
    assert_response_found("{\"prompt\": \"p\", \"generation\": \"so\"}", "generation", "--map completion=generation");
    assert_response_found("{\"problem\": \"p\", \"generations\": [\"so\"], \"cot\": \"so\"}", "cot",
                          "--map solution=cot");
    assert_response_found("{\"problem\": \"p\", \"generations\": [\"so\"]}", "generations", ""); // nothing reads it
}

static void preferences_are_named_with_what_reads_the_chosen_one(void **state)
{
    assert_response_found("{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}", "chosen",
                          "--map completion=chosen");
    assert_response_found("{\"prompt\": [" TURN("user", "p") "], \"chosen\": [" TURN("assistant", "a") "]}", "chosen",
                          "--map completion=chosen");
    assert_response_found("{\"prompt\": \"p\", \"chosen\": [" TURN("user", "p") ", " TURN("assistant", "a") "]}",
                          "chosen", "--map _prompt=prompt --map messages=chosen");
    assert_response_found("{\"prompt\": \"p\", \"chosen\": [{\"from\": \"human\", \"value\": \"p\"},"
                          "{\"from\": \"gpt\", \"value\": \"a\"}]}",
                          "chosen", "--map _prompt=prompt --map messages=chosen");
    assert_response_found("{\"prompt\": \"p\", \"chosen\": [" TURN("user", "p") "]}", "chosen", "");
    assert_response_found("{\"problem\": \"p\", \"chosen\": [" TURN("assistant", "a") "]}", "chosen", "");
}

static void a_chat_is_helped_by_no_map(void **state)
{
    static const char *const fields[] = {"cot", "output", "response", "completion", "chosen"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char json[256], remedy[128];
        snprintf(json, sizeof json, "{\"messages\": [" TURN("user", "q") "], \"%s\": \"hmm\"}", fields[i]);
        snprintf(remedy, sizeof remedy, "jq -c '.messages += [{role: \"assistant\", content: .%s}]'", fields[i]);
        Record r = record_of(json);
        assert_unread(&r.unread_response, fields[i], remedy);
        record_free(&r);
        snprintf(json, sizeof json, "{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}], \"%s\": \"hmm\"}",
                 fields[i]);
        snprintf(remedy, sizeof remedy, "jq -c '.conversations += [{from: \"gpt\", value: .%s}]'", fields[i]);
        r = record_of(json);
        assert_unread(&r.unread_response, fields[i], remedy);
        record_free(&r);
    }
    Record r = record_of("{\"messages\": [" TURN("user", "q") "], \"cot\": \"hmm\", \"text\": 5}");
    assert_non_null(r.unread_response.name);
    record_free(&r);
    r = record_of("{\"messages\": [" TURN("user", "q") ", " TURN("assistant", "a") "], \"cot\": \"hmm\"}");
    assert_unread(&r.unread_response, NULL, NULL);
    record_free(&r);
}

static void assert_answer_found(const char *json, const char *name, const char *remedy)
{
    Record r = record_of(json);
    assert_unread(&r.unread_answer, name, remedy);
    record_free(&r);
}

static void an_answer_under_another_name_is_named_with_what_reads_it(void **state)
{
    assert_answer_found("{\"problem\": \"p\", \"answerKey\": \"B\"}", "answerKey", "--map answer=answerKey");
    assert_answer_found("{\"prompt\": \"p\", \"ground_truth\": 3}", "ground_truth", "--map answer=ground_truth");
    assert_answer_found("{\"messages\": [" TURN("user", "q") "], \"label\": 3}", "label", "--map answer=label");
    assert_answer_found("{\"question\": \"p\", \"options\": [\"x\", \"y\"], \"answerKey\": \"B\"}", "answerKey",
                        "--map answer=answerKey");
    assert_answer_found("{\"question\": \"p\", \"options\": [\"tin\", \"zinc\"], \"label\": 1}", "label",
                        "--map answer_index=label");
    assert_answer_found("{\"question\": \"p\", \"options\": [\"tin\", \"zinc\"], \"label\": \"lead\"}", "label", "");
    assert_answer_found("{\"question\": \"p\", \"options\": [\"1\", \"0\"], \"label\": \"1\"}", "label", ""); // either
    assert_answer_found(
        "{\"prompt\": [" TURN("user", "q") "], \"reward_model\": {\"style\": \"rule\", \"ground_truth\": \"34\"}}",
        "reward_model.ground_truth", "jq -c '.answer = .reward_model.ground_truth'");
    assert_answer_found("{\"problem\": \"p\", \"answer\": 1, \"label\": 2}", NULL, NULL);
}

static void where_nothing_is_left_the_fields_that_may_be_meant_are_named(void **state)
{
    char *path = write_rows("rows.jsonl",
                            "{\"question\": \"q\", \"expected_answer\": \"4\", \"difficulty\": 5}\n"
                            "{\"prompt\": \"r\", \"reward_model\": {\"ground_truth\": \"5\"}, \"difficulty\": 4}\n");
    Preparation p = preparation("nothing", (const char *const[]){path}, 1);
    p.options.tau = 2;
    assert_refused(
        run_preparation(&p),
        "2 are for rl/, but have no reference answer; not read: 1 rows without an answer have a field "
        "\"expected_answer\"; --map answer=expected_answer would read it as one; not read: 1 rows without an answer "
        "have a field \"reward_model.ground_truth\"; jq -c '.answer = .reward_model.ground_truth' would read it");
    preparation_free(&p);
    free(path);
}

static void one_name_may_be_read_in_several_ways(void **state)
{
    char *path =
        write_rows("rows.jsonl", "{\"problem\": \"q\", \"cot\": \"so\"}\n{\"problem\": \"r\", \"cot\": \"so\"}\n"
                                 "{\"messages\": [" TURN("user", "q") "], \"cot\": \"so\"}\n");
    Preparation p = preparation("ways", (const char *const[]){path}, 1);
    Bytes notes = {0};
    assert_ok(run_preparation(&p) && prepare_notes(&notes, &p.report));
    assert_non_null(
        strstr(notes.data, "2 rows without a response have a field \"cot\"; --map solution=cot would read"));
    assert_non_null(strstr(notes.data, "1 rows without a response have a field \"cot\"; jq -c '.messages +="));
    json_t *split = prepare_json(&p.report, &p.options);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(split, "unread_responses"), "cot")), 3);
    json_decref(split);
    bytes_free(&notes);
    preparation_free(&p);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_under_another_name_is_named_with_what_reads_it),
        cmocka_unit_test(preferences_are_named_with_what_reads_the_chosen_one),
        cmocka_unit_test(a_chat_is_helped_by_no_map),
        cmocka_unit_test(where_nothing_is_left_the_fields_that_may_be_meant_are_named),
        cmocka_unit_test(one_name_may_be_read_in_several_ways),
        cmocka_unit_test(an_answer_under_another_name_is_named_with_what_reads_it),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
