// Rows of every format, and what is said about the ones that are none.
#include "test/support/check.h"
#include "data/records.h"

#define BOXED INSTRUCTION_DEFAULT

static bool read_with(Record *record, const char *json, const char *instruction)
{
    const RecordOptions options = {.instruction = instruction};
    return record_read(record, json, strlen(json), "rows.jsonl", 17, &options);
}

static Record record_of(const char *json)
{
    Record record;
    if (!read_with(&record, json, "none"))
        fail_msg("%s: %s", json, error_text());
    return record;
}

static void assert_message(const Message *m, Role role, const char *content)
{
    assert_int_equal(m->role, role);
    if (m->content.size != strlen(content) || memcmp(m->content.data, content, m->content.size) != 0)
        fail_msg("got '%.*s', expected '%s'", (int)m->content.size, m->content.data, content);
}

// A row of one question; response NULL: it has none.
static void assert_row(const char *json, const char *question, const char *response)
{
    Record r = record_of(json);
    assert_int_equal(record_prompt(&r), 1);
    assert_message(&r.messages[0], ROLE_USER, question);
    assert_int_equal(r.has_response, response != NULL);
    if (response != NULL)
        assert_message(&r.messages[1], ROLE_ASSISTANT, response);
    record_free(&r);
}

static void assert_row_refused(const char *json, const char *what)
{
    Record record;
    assert_refused(read_with(&record, json, "none"), what);
    if (strncmp(error_text(), "rows.jsonl:17:", 14) != 0)
        fail_msg("the error should begin with file and line: %s", error_text());
}

// ---- formats

static void a_chat_row_has_messages(void **state)
{
    Record r = record_of("{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"q\"},"
                         "{\"role\": \"assistant\", \"content\": \"a\", \"reasoning_content\": \"why\"}], \"question\": null}");
    assert_int_equal(r.format, ROW_CHAT);
    assert_int_equal(r.count, 3);
    assert_int_equal(record_prompt(&r), 2);
    assert_message(&r.messages[0], ROLE_SYSTEM, "s");
    assert_message(&r.messages[2], ROLE_ASSISTANT, "a");
    assert_memory_equal(r.messages[2].reasoning.data, "why", 3);
    assert_null(r.messages[1].reasoning.data);
    record_free(&r);
    assert_row("{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}], \"tools\": []}", "q", NULL);
}

static void a_sharegpt_row_has_conversations(void **state)
{
    assert_row("{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}, {\"from\": \"gpt\", \"value\": \"a\"}]}", "q", "a");
    assert_row("{\"conversations\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}",
               "q", "a");
}

static void a_prompt_row_is_a_user_turn_and_an_assistant_turn(void **state)
{
    assert_row("{\"prompt\": \"q\", \"completion\": \"a\"}", "q", "a");
    assert_row("{\"prompt\": \"q\"}", "q", NULL);
    assert_row("{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}],"
               "\"completion\": [{\"role\": \"assistant\", \"content\": \"a\"}]}",
               "q", "a");
}

static void an_alpaca_row_joins_instruction_and_input(void **state)
{
    assert_row("{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}", "Add.\n1 2", "3");
    assert_row("{\"instruction\": \"Hi.\", \"input\": \"\", \"output\": \"Ho.\"}", "Hi.", "Ho.");
    assert_row("{\"instruction\": \"Hi.\", \"output\": \"Ho.\"}", "Hi.", "Ho.");
}

static void a_problem_row_has_a_text_to_train_on_or_none(void **state)
{
    assert_row("{\"problem\": \"q\", \"solution\": \"a\", \"answer\": \"4\"}", "q", "a");
    assert_row("{\"question\": \"q\", \"response\": \"a\"}", "q", "a");
    assert_row("{\"question\": \"q\", \"solution\": [true, false], \"answer\": \"4\"}", "q", NULL);
    assert_row("{\"question\": \"q\", \"answer\": 4}", "q", NULL);
}

static void the_instruction_is_appended_to_problems_only(void **state)
{
    static const char *const rows[][2] = {
        {"{\"question\": \"q\", \"solution\": \"a\"}", "q " BOXED},
        {"{\"prompt\": \"q\", \"completion\": \"a\"}", "q"},
        {"{\"instruction\": \"q\", \"output\": \"a\"}", "q"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}", "q"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Record r;
        assert_ok(read_with(&r, rows[i][0], INSTRUCTION_DEFAULT));
        assert_message(&r.messages[0], ROLE_USER, rows[i][1]);
        record_free(&r);
    }
}

static void options_make_a_multiple_choice(void **state)
{
    const char *row = "{\"question\": \"Which?\", \"options\": [\"one\", \"two\"], \"answer\": \"B\"}";
    static const char *const cases[][2] = {
        {INSTRUCTION_DEFAULT,
         "Which?\nOptions are:\n(A): one\n(B): two\n\n\nPlease reason step by step, and put your final answer option within "
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

static void a_generated_row_answers_its_own_prompt_with_its_text(void **state)
{
    static const char rest[] = ", \"sample\": 0, \"prompt_ids\": [1], \"ids\": [2, 3], \"text\": \"new\", \"logprobs\": [0, 0],"
                               "\"finish_reason\": \"stop\"}";
    static const char *const prompts[] = {
        "{\"question\": \"q\", \"solution\": \"old\", \"response\": \"older\"",
        "{\"prompt\": \"q\", \"completion\": \"old\"",
        "{\"instruction\": \"q\", \"output\": \"old\"",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}]",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"old\"}]",
    };
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        char row[512];
        snprintf(row, sizeof row, "%s%s", prompts[i], rest);
        assert_row(row, "q", "new");
    }
    Record r = record_of("{\"question\": \"q\", \"text\": \"cut o\", \"finish_reason\": \"length\"}");
    assert_true(r.generated && r.unfinished);
    record_free(&r);
}

static void an_ids_row_is_trained_where_its_labels_are(void **state)
{
    Record r = record_of("{\"ids\": [5, 6, 7, 8], \"labels\": [-100, -100, 7, -100]}");
    const int32_t ids[] = {5, 6, 7, 8};
    const uint8_t trained[] = {0, 0, 1, 0}, all_but_first[] = {0, 1, 1};
    assert_int_equal(r.tokens, 4);
    assert_memory_equal(r.ids, ids, sizeof ids);
    assert_memory_equal(r.trained, trained, sizeof trained);
    record_free(&r);
    r = record_of("{\"ids\": [5, 6, 7]}");
    assert_memory_equal(r.trained, all_but_first, sizeof all_but_first);
    record_free(&r);
}

static void names_and_difficulty_are_read_or_made_up(void **state)
{
    Record r = record_of("{\"question\": \"q\", \"id\": \"math-7\", \"source\": \"web\", \"category\": \"physics\","
                         "\"difficulty\": 4, \"answer\": 12}");
    assert_string_equal(r.id, "math-7");
    assert_string_equal(r.answer, "12");
    assert_string_equal(r.source.data, "web");
    assert_string_equal(r.category.data, "physics");
    assert_int_equal(r.difficulty, 4);
    record_free(&r);
    r = record_of("{\"question\": \"q\", \"difficulty\": \"University\"}");
    assert_string_equal(r.id, "17");
    assert_int_equal(r.difficulty, 0);
    assert_null(r.answer);
    record_free(&r);
    r = record_of("{\"question\": \"q\", \"answer\": [\"Paris\"]}");
    assert_string_equal(r.answer, "Paris");
    record_free(&r);
    r = record_of("{\"question\": \"q\", \"answer\": [2, 3]}");
    assert_string_equal(r.answer, "[2,3]");
    record_free(&r);
    r = record_of("{\"question\": \"q\", \"id\": 70, \"difficulty\": 3.0}");
    assert_string_equal(r.id, "70");
    assert_int_equal(r.difficulty, 3);
    record_free(&r);
}

static void a_text_may_hold_nul(void **state)
{
    Record r = record_of("{\"prompt\": \"a\\u0000b\", \"completion\": \"c\"}");
    assert_int_equal(r.messages[0].content.size, 3);
    assert_memory_equal(r.messages[0].content.data, "a\0b", 3);
    record_free(&r);
}

static void a_bad_row_is_refused_with_file_and_line(void **state)
{
    static const char *const rows[][2] = {
        {"{", "not valid JSON"},
        {"[1]", "must be a JSON object"},
        {"{\"id\": 1}", "no known row format"},
        {"{\"text\": \"x\", \"finish_reason\": \"stop\", \"ids\": [1, 2]}", "no known row format"},
        {"{\"prompt\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}", "both \"messages\" and \"prompt\""},
        {"{\"problem\": \"a\", \"question\": \"b\"}", "both \"problem\" and \"question\""},
        {"{\"question\": \"a\", \"ids\": [1, 2]}", "both \"question\" and \"ids\""},
        {"{\"question\": \"a\", \"solution\": \"b\", \"response\": \"c\"}", "both \"solution\" and \"response\""},
        {"{\"question\": \"a\", \"question\": \"b\"}", "duplicate"},
        {"{\"question\": 5}", "\"question\" must be a text"},
        {"{\"prompt\": 5}", "\"prompt\" must be a list of messages"},
        {"{\"prompt\": []}", "\"prompt\" is an empty list"},
        {"{\"prompt\": \"q\", \"completion\": 5}", "\"completion\" must be a list of messages"},
        {"{\"prompt\": \"q\", \"completion\": []}", "one message of the assistant"},
        {"{\"prompt\": \"q\", \"completion\": [{\"role\": \"user\", \"content\": \"x\"}]}", "one message of the assistant"},
        {"{\"instruction\": \"q\", \"output\": 5}", "\"output\" must be a text"},
        {"{\"messages\": 5}", "\"messages\" must be a list"},
        {"{\"messages\": []}", "\"messages\" is an empty list"},
        {"{\"messages\": [5]}", "message 1 is not an object"},
        {"{\"messages\": [{\"content\": \"x\"}]}", "message 1 has no \"role\""},
        {"{\"messages\": [{\"role\": \"user\"}]}", "message 1 has no \"content\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]}", "no \"content\" that is a text"},
        {"{\"messages\": [{\"role\": \"human\", \"content\": \"x\"}]}", "role \"human\""},
        {"{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}]}", "tools are not rendered here"},
        {"{\"messages\": [{\"role\": \"user\", \"from\": \"human\", \"content\": \"x\"}]}", "both \"role\" and \"from\""},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{}]}]}", "\"tool_calls\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tools\": [{}]}", "\"tools\""},
        {"{\"conversations\": [{\"from\": \"observation\", \"value\": \"x\"}]}", "role \"observation\""},
        {"{\"question\": \"q\", \"options\": \"A\"}", "\"options\" must be a list"},
        {"{\"question\": \"q\", \"options\": [1]}", "option 1 of key \"options\" is not a text"},
        {"{\"question\": \"q\", \"difficulty\": 6}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"difficulty\": 2.5}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"id\": [1]}", "\"id\" must be"},
        {"{\"question\": \"q\", \"id\": \"a\\u0000b\"}", "NUL"},
        {"{\"question\": \"q\", \"finish_reason\": \"stop\"}", "\"text\" must be a text"},
        {"{\"question\": \"q\", \"text\": \"a\", \"finish_reason\": \"error\"}", "\"finish_reason\" must be"},
        {"{\"ids\": [1]}", "at least two ids"},
        {"{\"ids\": \"1 2\"}", "at least two ids"},
        {"{\"ids\": [1, -2]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 4294967297]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 2.0]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 2], \"labels\": [1]}", "\"labels\" must be a list as long"},
        {"{\"ids\": [1, 2], \"labels\": [-100, 3]}", "labels[1] must be ids[1] or -100"},
        {"{\"question\": \"\xff\"}", "not valid JSON"},
        {"{\"question\": \"\\ud800\"}", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_row_refused(rows[i][0], rows[i][1]);
}

static void fields_may_be_called_otherwise(void **state)
{
    const FieldMap map[] = {{"problem", "prompt"}, {"difficulty", "level"}, {"source", "task"}, {"category", "task"}};
    const RecordOptions options = {.map = map, .map_count = 4, .need_difficulty = true};
    const char *json = "{\"prompt\": \"q\", \"level\": 4, \"task\": \"sums\", \"answer\": \"1\", \"difficulty\": \"hard\"}";
    Record r;
    assert_ok(record_read(&r, json, strlen(json), "rows.jsonl", 1, &options));
    assert_int_equal(r.format, ROW_PROBLEM); // and not both problem and prompt/completion
    assert_int_equal(r.difficulty, 4);
    assert_memory_equal(r.source.data, "sums", 5);
    assert_memory_equal(r.category.data, "sums", 5);
    record_free(&r);
}

static int difficulty_with(const char *value, bool need, int missing, bool *replaced)
{
    const RecordOptions options = {.need_difficulty = need, .missing_difficulty = missing};
    char json[128];
    Record r;
    snprintf(json, sizeof json, "{\"question\": \"q\"%s%s}", value[0] != 0 ? ", \"difficulty\": " : "", value);
    if (!record_read(&r, json, strlen(json), "rows.jsonl", 17, &options))
        return -1;
    int difficulty = r.difficulty;
    *replaced = r.difficulty_replaced;
    record_free(&r);
    return difficulty;
}

static void a_difficulty_that_is_missing_or_odd_is_an_error_where_one_is_needed(void **state)
{
    static const char *const odd[] = {"", "null", "0", "6", "2.5", "\"University\"", "true", "[3]", "-1", "\"\"", "\"33\""};
    bool replaced;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        error_clear();
        assert_int_equal(difficulty_with(odd[i], true, 0, &replaced), -1);
        if (strncmp(error_text(), "rows.jsonl:17: ", 15) != 0 || strstr(error_text(), "--missing-difficulty") == NULL)
            fail_msg("difficulty %s: %s", odd[i], error_text());
        assert_int_equal(difficulty_with(odd[i], true, 2, &replaced), 2);
        assert_true(replaced);
    }
    static const char *const good[] = {"3", "3.0", "\"3\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(difficulty_with(good[i], true, 2, &replaced), 3);
        assert_false(replaced);
    }
}

static void broken_json_is_named_with_its_column(void **state)
{
    Record r;
    const char *json = "{\"question\": \"q\", }";
    assert_refused(record_read(&r, json, strlen(json), "rows.jsonl", 17, &(RecordOptions){0}),
                   "rows.jsonl:17:19: not valid JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_row_has_messages),
        cmocka_unit_test(a_sharegpt_row_has_conversations),
        cmocka_unit_test(a_prompt_row_is_a_user_turn_and_an_assistant_turn),
        cmocka_unit_test(an_alpaca_row_joins_instruction_and_input),
        cmocka_unit_test(a_problem_row_has_a_text_to_train_on_or_none),
        cmocka_unit_test(the_instruction_is_appended_to_problems_only),
        cmocka_unit_test(options_make_a_multiple_choice),
        cmocka_unit_test(a_generated_row_answers_its_own_prompt_with_its_text),
        cmocka_unit_test(an_ids_row_is_trained_where_its_labels_are),
        cmocka_unit_test(names_and_difficulty_are_read_or_made_up),
        cmocka_unit_test(a_text_may_hold_nul),
        cmocka_unit_test(a_bad_row_is_refused_with_file_and_line),
        cmocka_unit_test(fields_may_be_called_otherwise),
        cmocka_unit_test(a_difficulty_that_is_missing_or_odd_is_an_error_where_one_is_needed),
        cmocka_unit_test(broken_json_is_named_with_its_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
