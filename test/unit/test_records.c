// Rows of every format, and the errors for rows of none.
#include "test/support/record.h"

#define BOXED INSTRUCTION_DEFAULT

// ---- formats

static void a_chat_row_has_messages(void **state)
{
    Record r = record_of(
        "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"q\"},"
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
    assert_row("{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}, {\"from\": \"gpt\", \"value\": \"a\"}]}",
               "q", "a");
    assert_row("{\"conversations\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": "
               "\"a\"}]}",
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
    assert_row("{\"instruction\": \"Hi.\", \"input\": \" \\n\", \"output\": \"Ho.\"}", "Hi.", "Ho.");
    assert_row("{\"instruction\": \"\", \"input\": \"Hi.\", \"output\": \"Ho.\"}", "Hi.", "Ho.");
    assert_row("{\"instruction\": \"\\t\", \"input\": \" 1 \"}", " 1 ", NULL);
}

static void a_problem_row_has_a_text_to_train_on_or_none(void **state)
{
    assert_row("{\"problem\": \"q\", \"solution\": \"a\", \"answer\": \"4\"}", "q", "a");
    assert_row("{\"question\": \"q\", \"response\": \"a\"}", "q", "a");
    assert_row("{\"question\": \"q\", \"answer\": 4}", "q", NULL);
}

static void the_instruction_is_appended_to_problems_only(void **state)
{
    static const char *const rows[][2] = {
        {"{\"question\": \"q\", \"solution\": \"a\"}", "q " BOXED},
        {"{\"prompt\": \"q\", \"completion\": \"a\"}", "q"},
        {"{\"instruction\": \"q\", \"output\": \"a\"}", "q"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}",
         "q"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Record r;
        assert_ok(read_with(&r, rows[i][0], INSTRUCTION_DEFAULT));
        assert_message(&r.messages[0], ROLE_USER, rows[i][1]);
        record_free(&r);
    }
}

static void a_generated_row_answers_its_own_prompt_with_its_text(void **state)
{
    static const char rest[] =
        ", \"sample\": 0, \"prompt_ids\": [1], \"ids\": [2, 3], \"text\": \"new\", \"logprobs\": [0, 0],"
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

// Without `text` it says how the row's own response ended.
static void a_finish_reason_alone_is_that_of_the_rows_own_response(void **state)
{
    static const char *const rows[] = {
        "{\"prompt\": \"q\", \"response\": \"a\", \"finish_reason\": ",
        "{\"problem\": \"q\", \"solution\": \"a\", \"text\": null, \"finish_reason\": ",
        "{\"instruction\": \"q\", \"output\": \"a\", \"finish_reason\": ",
        "{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}, {\"from\": \"gpt\", "
        "\"value\": \"a\"}], \"finish_reason\": "};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[256];
        snprintf(row, sizeof row, "%s\"stop\"}", rows[i]);
        assert_row(row, "q", "a");
        snprintf(row, sizeof row, "%s\"length\"}", rows[i]);
        Record r = record_of(row);
        assert_true(r.unfinished && !r.generated && r.has_response);
        record_free(&r);
    }
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

static void a_source_that_is_a_number_keeps_its_characters(void **state)
{
    Record r = record_of("{\"prompt\": \"q\", \"source\": 20.50, \"category\": 123456789012345678901}");
    assert_memory_equal(r.source.data, "20.50", r.source.size);
    assert_int_equal(r.source.size, 5);
    assert_memory_equal(r.category.data, "123456789012345678901", r.category.size);
    assert_int_equal(r.category.size, 21);
    record_free(&r);
    static const char *const others[] = {"[\"a\"]", "{\"name\": \"a\"}", "true", "NaN"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        for (int key = 0; key < 2; key++) {
            char json[200], wanted[100];
            const char *name = key == 0 ? "source" : "category";
            snprintf(json, sizeof json, "{\"prompt\": \"q\", \"%s\": %s}", name, others[i]);
            snprintf(wanted, sizeof wanted, "key \"%s\" must be a string or a number; --map _%s=%s", name, name, name);
            assert_row_refused(json, wanted);
        }
}

static void a_question_that_is_empty_is_no_row(void **state)
{
    static const char *const rows[] = {
        "{\"prompt\": \"\", \"completion\": \"x\"}",
        "{\"prompt\": \" \\n\", \"response\": \"x\"}",
        "{\"prompt\": [{\"role\": \"user\", \"content\": \"\"}], \"completion\": \"x\"}",
        "{\"prompt\": \"\", \"text\": \"x\", \"finish_reason\": \"stop\"}",
        "{\"instruction\": \"\", \"input\": \"  \", \"output\": \"x\"}",
        "{\"instruction\": \"\", \"output\": \"x\"}",
        "{\"problem\": \" \", \"solution\": \"x\"}",
        "{\"question\": \"\", \"options\": [\"a\", \"b\"], \"answer\": \"A\"}",
        "{\"question\": \"q\", \"history\": [[\"\", \"a\"]], \"response\": \"x\"}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"\"}, {\"role\": \"assistant\", \"content\": \"x\"}]}",
        "{\"conversations\": [{\"from\": \"human\", \"value\": \"\\n\"}, {\"from\": \"gpt\", \"value\": \"x\"}]}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_row_refused(rows[i], "is empty");
    assert_row("{\"prompt\": \"q\", \"completion\": \" \\n\"}", "q", NULL); // an answer that is empty is none
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
        {"{\"prompt\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}",
         "both \"messages\" and \"prompt\""},
        {"{\"problem\": \"a\", \"question\": \"b\"}", "both \"problem\" and \"question\""},
        {"{\"question\": \"a\", \"ids\": [1, 2]}", "both \"question\" and \"ids\""},
        {"{\"question\": \"a\", \"solution\": \"b\", \"response\": \"c\"}", "both \"solution\" and \"response\""},
        {"{\"question\": \"a\", \"question\": \"b\"}", "duplicate"},
        {"{\"question\": 5}", "\"question\" must be a string"},
        {"{\"prompt\": 5}", "\"prompt\" must be a list of messages"},
        {"{\"prompt\": []}", "\"prompt\" is an empty list"},
        {"{\"prompt\": \"q\", \"completion\": 5}", "\"completion\" must be a list of messages"},
        {"{\"prompt\": \"q\", \"completion\": []}", "one message of the assistant"},
        {"{\"prompt\": \"q\", \"completion\": [{\"role\": \"user\", \"content\": \"x\"}]}",
         "one message of the assistant"},
        {"{\"instruction\": \"q\", \"output\": 5}", "\"output\" must be a string"},
        {"{\"messages\": 5}", "\"messages\" must be a list"},
        {"{\"messages\": []}", "\"messages\" is an empty list"},
        {"{\"messages\": [5]}", "message 1 is not an object"},
        {"{\"messages\": [{\"content\": \"x\"}]}", "message 1 has no \"role\""},
        {"{\"messages\": [{\"role\": \"user\"}]}", "message 1 has no \"content\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]}", "a part without a \"text\""},
        {"{\"messages\": [{\"role\": \"human\", \"content\": \"x\"}]}", "role \"human\""},
        {"{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}]}", "tools are not supported"},
        {"{\"messages\": [{\"role\": \"user\", \"from\": \"human\", \"content\": \"x\"}]}",
         "both \"role\" and \"from\""},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{}]}]}", "\"tool_calls\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tools\": [{}]}", "\"tools\""},
        {"{\"conversations\": [{\"from\": \"observation\", \"value\": \"x\"}]}", "role \"observation\""},
        {"{\"question\": \"q\", \"options\": \"A\"}", "\"options\" must be a list"},
        {"{\"question\": \"q\", \"options\": [1]}", "option 1 of key \"options\" is not a string"},
        {"{\"question\": \"q\", \"difficulty\": 6}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"difficulty\": 2.5}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"id\": [1]}", "\"id\" must be"},
        {"{\"question\": \"q\", \"id\": \"a\\u0000b\"}", "NUL"},
        {"{\"question\": \"q\", \"finish_reason\": \"stop\"}", "no response that it could belong to"},
        {"{\"question\": \"q\", \"text\": 1, \"finish_reason\": \"stop\"}", "\"text\" must be a string"},
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
    const char *json =
        "{\"prompt\": \"q\", \"level\": 4, \"task\": \"sums\", \"answer\": \"1\", \"difficulty\": \"hard\"}";
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
    static const char *const odd[] = {"",     "null", "0",  "6",    "2.5",   "\"University\"",
                                      "true", "[3]",  "-1", "\"\"", "\"33\""};
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

// ---- values keep their spelling

static void assert_spelled(const char *answer, const char *expected)
{
    char json[512];
    snprintf(json, sizeof json, "{\"id\": 90071992547409931234, \"question\": \"q\", \"answer\" : %s}", answer);
    Record r = record_of(json);
    if (strcmp(r.answer, expected) != 0)
        fail_msg("answer %s became '%s' instead of '%s'", answer, r.answer, expected);
    assert_string_equal(r.id, "90071992547409931234");
    record_free(&r);
}

static void an_answer_keeps_its_characters(void **state)
{
    assert_spelled("0.3", "0.3");
    assert_spelled("19.90", "19.90");
    assert_spelled("-0.0", "-0.0");
    assert_spelled("6.02E+23", "6.02E+23");
    assert_spelled("1e-400", "1e-400");
    assert_spelled("3e999", "3e999");
    assert_spelled("-98765432109876543210", "-98765432109876543210");
    assert_spelled("[ 0.1 ]", "0.1");
    assert_spelled("[\"\\u0030.1\"]", "0.1"); // a text is what it says
    assert_spelled("[ 0.10, {\"a b\" : 1.50, \"c\": [ true, null ]} ]", "[0.10,{\"a b\":1.50,\"c\":[true,null]}]");
    assert_spelled("false", "false");
}

static void a_row_goes_out_as_it_came_in(void **state)
{
    static const char *const without[] = {"gone", NULL};
    Record r =
        record_of("{ \"question\" : \"q \\\\ \\\"}{\\u00e9\", \"x\": [1.10, {\"y\": -Infinity}, 123456789012345678901],"
                  " \"gone\": 1,\t\"n\\u0061me\": NaN, \"z\": 2E5}");
    Bytes out = {0};
    assert_int_equal(r.odd_numbers, 2);
    assert_ok(record_append(&out, &r, without));
    assert_string_equal(out.data,
                        "{\"question\":\"q \\\\ \\\"}{\\u00e9\",\"x\":[1.10,{\"y\":null},123456789012345678901],"
                        "\"name\":null,\"z\":2E5");
    bytes_free(&out);
    record_free(&r);
}

static void numbers_that_nobody_can_hold_hurt_where_they_are_read(void **state)
{
    static const char *const rows[][2] = {
        {"{\"question\": \"q\", \"answer\": NaN}", "\"answer\" holds NaN"},
        {"{\"question\": \"q\", \"answer\": [1, {\"a\": Infinity}]}", "\"answer\" holds NaN or Infinity"},
        {"{\"question\": \"q\", \"id\": -Infinity}", "\"id\" must be"},
        {"{\"question\": \"q\", \"difficulty\": NaN}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"difficulty\": 30000000000000000000}", "\"difficulty\" must be one of"},
        {"{\"ids\": [1, 20000000000000000000]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 2], \"labels\": [NaN, 2]}", "labels[0]"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"weight\": 1e999}]}",
         "\"weight\" must be 0 or 1"},
        {"{\"question\": \"q\", \"x\": 01}", "not valid JSON"},
        {"{\"question\": \"q\", \"x\": +Infinity}", "not valid JSON"},
        {"{\"question\": \"q\", \"x\": 1.e999}", "not valid JSON"},
        {"{\"question\": NaN, \"x\": }", "17:24: not valid JSON"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_row_refused(rows[i][0], rows[i][1]);
}

// ---- what changes what is learned

static void a_message_says_whether_it_is_trained(void **state)
{
    Record r = record_of("{\"messages\": [{\"role\": \"user\", \"content\": \"q\", \"weight\": 0},"
                         "{\"role\": \"assistant\", \"content\": \"a\", \"train\": true, \"loss_mask\": 1.0},"
                         "{\"role\": \"user\", \"content\": \"q\", \"training\": null},"
                         "{\"role\": \"assistant\", \"content\": \"b\", \"loss\": 0}]}");
    const uint8_t marks[] = {TURN_NOT_TRAINED, TURN_TRAINED, TURN_UNMARKED, TURN_NOT_TRAINED};
    assert_memory_equal(r.marks, marks, sizeof marks);
    record_free(&r);
}

static void a_rows_own_system_and_history_come_before_its_question(void **state)
{
    static const char *const rows[] = {
        "{\"system\": \"s\", \"history\": [[\"h\", \"r\"]], \"instruction\": \"q\", \"output\": \"a\"}",
        "{\"system_prompt\": \"s\", \"history\": [[\"h\", \"r\"]], \"question\": \"q\", \"response\": \"a\"}",
        "{\"system_message\": \"s\", \"system\": \"\", \"history\": [[\"h\", \"r\"]], \"prompt\": \"q\", \"response\": "
        "\"a\"}",
        "{\"system\": \"s\", \"history\": [[\"h\", \"r\"]], \"problem\": \"q\", \"text\": \"a\", \"finish_reason\": "
        "\"stop\"}",
        "{\"system\": \"s\", \"conversations\": [{\"from\": \"human\", \"value\": \"h\"}, {\"from\": \"gpt\", "
        "\"value\": \"r\"},"
        " {\"from\": \"human\", \"value\": \"q\"}, {\"from\": \"gpt\", \"value\": \"a\"}], \"history\": []}",
    };
    static const char *const turns[] = {"s", "h", "r", "q", "a"};
    static const Role roles[] = {ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_USER, ROLE_ASSISTANT};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Record r = record_of(rows[i]);
        assert_int_equal(r.count, 5);
        for (int t = 0; t < 5; t++)
            assert_message(&r.messages[t], roles[t], turns[t]);
        assert_true(r.has_response);
        record_free(&r);
    }
    Record same = record_of("{\"system\": \"s\", \"messages\": [{\"role\": \"system\", \"content\": \"s\"},"
                            "{\"role\": \"user\", \"content\": \"q\"}]}");
    assert_int_equal(same.count, 2);
    record_free(&same);
}

static void a_thought_has_one_of_several_names(void **state)
{
    static const char *const rows[] = {
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\", "
        "\"reasoning\": "
        "\"why\"}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\", "
        "\"thinking\": "
        "\"why\","
        " \"reasoning_content\": \"why\"}]}",
        "{\"prompt\": \"q\", \"completion\": \"a\", \"reasoning\": \"why\"}",
        "{\"instruction\": \"q\", \"output\": \"a\", \"thinking\": \"why\"}",
        "{\"question\": \"q\", \"text\": \"a\", \"finish_reason\": \"stop\", \"reasoning_content\": \"why\"}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Record r = record_of(rows[i]);
        Text thought = r.messages[r.count - 1].reasoning;
        if (thought.size != 3 || memcmp(thought.data, "why", 3) != 0)
            fail_msg("row %zu lost its thought", i);
        record_free(&r);
    }
    assert_row_refused(
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\", "
        "\"thinking\": [\"why\"]}]}",
        "rows.jsonl:17: message 2: key \"thinking\" must be a string");
    assert_string_equal(error_text(), "rows.jsonl:17: message 2: key \"thinking\" must be a string"); // its place once
}

static void a_switch_is_no_thought(void **state)
{
    static const char *const refused[][2] = {
        {"{\"prompt\": \"q\", \"completion\": \"a\", \"reasoning\": \"on\"}",
         "rows.jsonl:17: key \"reasoning\" is \"on\", a switch, not a thought; --map _reasoning=reasoning leaves it "
         "out"},
        {"{\"question\": \"q\", \"solution\": \"a\", \"thinking\": \"Disabled\"}",
         "--map _thinking=thinking leaves it out"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\", "
         "\"reasoning\": \"\", "
         "\"thinking\": \"high\"}]}",
         "rows.jsonl:17: message 2: key \"thinking\" is \"high\", a switch, not a thought; leave it out"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_row_refused(refused[i][0], refused[i][1]);
    Record r = record_of("{\"prompt\": \"q\", \"reasoning\": \"on\"}"); // there is no response that it could be of
    record_free(&r);
    const FieldMap map[] = {{"_reasoning", "reasoning"}}; // the advice works
    const RecordOptions reading = {.map = map, .map_count = 1};
    assert_ok(record_read(&r, refused[0][0], strlen(refused[0][0]), "rows.jsonl", 17, &reading));
    assert_int_equal(r.messages[r.count - 1].reasoning.size, 0);
    record_free(&r);
}

static void parts_that_are_texts_are_one_text(void **state)
{
    assert_row("{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"one \"},"
               "{\"text\": \"two\", \"type\": \"text\", \"image\": null}]}, {\"role\": \"assistant\","
               "\"content\": [{\"type\": \"text\", \"text\": \"three\"}]}]}",
               "one two", "three");
}

static void what_says_nothing_passes(void **state)
{
    static const char *const nothing[] = {
        "\"tools\": []",
        "\"tools\": \"[]\"",
        "\"tools\": null",
        "\"tools\": \" \"",
        "\"functions\": {}",
        "\"images\": []",
        "\"image\": \"\"",
        "\"videos\": null",
        "\"history\": \"[]\"",
        "\"system\": \"\"",
        "\"reasoning\": null",
        "\"chat_template_kwargs\": {}",
        "\"chat_template_kwargs\": {\"enable_thinking\": null}",
        "\"chat_template_kwargs\": {\"xml_tools\": [], \"custom_instructions\": \"\"}"};
    static const char *const rows[] = {
        "{\"prompt\": \"q\", \"completion\": \"a\", %s}", "{\"problem\": \"q\", \"solution\": \"a\", %s}",
        "{\"instruction\": \"q\", \"output\": \"a\", %s}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\","
        "\"content\": \"a\", \"tool_calls\": []}], %s}"};
    for (size_t n = 0; n < sizeof nothing / sizeof *nothing; n++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char json[512];
            snprintf(json, sizeof json, rows[i], nothing[n]); // NOLINT: the formats are these
            assert_row(json, "q", "a");
        }
}

static void what_would_change_what_is_learned_is_refused_in_every_format(void **state)
{
    static const char *const fields[][2] = {
        {"\"tools\": [{\"name\": \"f\"}]", "\"tools\""},
        {"\"tools\": \"[{}]\"", "\"tools\""},
        {"\"functions\": [{}]", "\"functions\""},
        {"\"images\": [\"a.png\"]", "only text"},
        {"\"audio\": {\"path\": \"a.wav\"}", "only text"},
        {"\"video\": \"a.mp4\"", "only text"},
        {"\"chat_template_kwargs\": {\"enable_thinking\": \"no\"}", "enable_thinking"},
        {"\"chat_template_kwargs\": {\"documents\": [1]}", "enable_thinking"},
        {"\"system\": [\"s\"]", "\"system\" must be a string"},
        {"\"system\": \"a\", \"system_prompt\": \"b\"", "differ"},
        {"\"reasoning\": {\"text\": \"t\"}", "\"reasoning\" must be a string"},
        {"\"history\": \"math\"", "\"history\""},
        {"\"history\": [[\"q\"]]", "\"history\""},
        {"\"loss_mask\": [0, 1]", "\"loss_mask\""},
        {"\"weight\": 0.25", "\"weight\""},
        {"\"weight\": 0", "--map _weight=weight leaves it out"},
        {"\"weight\": \"2\"", "\"weight\""},
        {"\"loss_weight\": 3", "\"loss_weight\""},
        {"\"label\": false", "a rejected response (KTO)"},
        {"\"train\": false", "\"train\""},
        {"\"training\": 0", "\"training\""},
        {"\"loss\": false", "\"loss\""},
        {"\"enable_thinking\": \"yes\"", "\"enable_thinking\""},
        {"\"enable_thinking\": true, \"chat_template_kwargs\": {\"enable_thinking\": false}", "contradicts"},
        {"\"context\": \"It rained.\"", "\"context\""},
        {"\"passage\": \"It rained.\"", "\"passage\""},
        {"\"inputs\": [1, 2]", "--map _inputs=inputs leaves it out"},
        {"\"article\": {\"text\": \"It rained.\"}", "\"article\""},
    };
    static const char *const rows[] = {"{\"prompt\": \"q\", \"completion\": \"a\", %s}",
                                       "{\"problem\": \"q\", \"solution\": \"a\", %s}",
                                       "{\"instruction\": \"q\", \"output\": \"a\", %s}",
                                       "{\"question\": \"q\", \"text\": \"a\", \"finish_reason\": \"stop\", %s}",
                                       "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}], %s}",
                                       "{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}], %s}"};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char json[512];
            snprintf(json, sizeof json, rows[i], fields[f][0]); // NOLINT
            assert_row_refused(json, fields[f][1]);
        }
}

static void what_says_no_more_than_the_row_passes(void **state)
{
    static const char *const fields[] = {
        "\"weight\": 1",        "\"weight\": 1.0",     "\"train\": true",          "\"training\": null",
        "\"loss\": 1",          "\"context\": \"\"",   "\"passage\": null",        "\"inputs\": []",
        "\"context\": \" q \"", "\"document\": \"q\"", "\"enable_thinking\": null"};
    static const char *const rows[] = {
        "{\"prompt\": \"q\", \"completion\": \"a\", %s}", "{\"problem\": \"q\", \"solution\": \"a\", %s}",
        "{\"instruction\": \"q\", \"output\": \"a\", %s}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\","
        "\"content\": \"a\"}], %s}"};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char json[512];
            snprintf(json, sizeof json, rows[i], fields[f]); // NOLINT
            assert_row(json, "q", "a");
        }
    assert_row_refused("{\"ids\": [1, 2], \"weight\": 2}", "\"weight\"");
    assert_row_refused("{\"ids\": [1, 2], \"train\": false}", "\"train\"");
    Record r = record_of("{\"prompt\": \"q\", \"completion\": \"a\", \"enable_thinking\": false}");
    assert_int_equal(r.thinking, THINKING_OFF);
    record_free(&r);
}

static void a_passage_is_put_where_its_format_has_a_place_for_it(void **state)
{
    assert_row_refused("{\"question\": \"q\", \"context\": \"c\"}",
                       "jq -c '.question = .context + \"\\n\\n\" + .question'");
    assert_row_refused("{\"prompt\": \"q\", \"input\": \"c\"}", "jq -c '.prompt = .input + \"\\n\\n\" + .prompt'");
    assert_row("{\"question\": \"c\\n\\nq\", \"context\": \"c\"}", "c\n\nq", NULL); // what that makes
    assert_row_refused("{\"instruction\": \"q\", \"inputs\": \"c\"}", "--map input=inputs");
    assert_row_refused("{\"instruction\": \"q\", \"input\": \"i\", \"passage\": \"c\"}",
                       "jq -c '.instruction = .passage");
}

static void a_known_field_of_another_type_is_an_error_and_not_absent(void **state)
{
    static const char *const rows[][2] = {
        {"{\"question\": \"q\", \"solution\": [true, false]}",
         "\"solution\" must be a string; --map _solution=solution"},
        {"{\"question\": \"q\", \"response\": 7}", "\"response\" must be a string"},
        {"{\"prompt\": \"q\", \"response\": {\"a\": 1}}", "\"response\" must be"},
        {"{\"instruction\": \"q\", \"response\": 7}", "\"response\" must be a string"},
        {"{\"instruction\": \"q\", \"input\": [1], \"output\": \"a\"}", "\"input\" must be a string"},
        {"{\"instruction\": \"q\", \"context\": \"c\", \"response\": \"a\"}", "--map input=context"},
        {"{\"prompt\": \"q\", \"completion\": \"a\", \"response\": \"b\"}", "both \"completion\" and \"response\""},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"reasoning_content\": [\"t\"]}]}",
         "must be a string"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"thinking\": \"t\", \"reasoning\": \"u\"}]}",
         "differ"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"thinking\": \"t\"}]}", "is not the assistant's"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"weight\": 0.5}]}",
         "\"weight\" must be 0 or 1"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"train\": \"no\"}]}", "\"train\" must be"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"loss\": 1, \"weight\": 0}]}", "contradicts"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"loss\": true}]}", "not the assistant's"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"images\": [\"b\"]}]}", "\"images\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": {}}]}]}",
         "\"image_url\""},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": null, \"function_call\": {\"name\": \"f\"}}]}",
         "\"function_call\""},
        {"{\"question\": \"q\", \"choices\": \"A\"}", "\"choices\" must be"},
        {"{\"question\": \"q\", \"choices\": {\"text\": [\"a\", \"b\"], \"label\": [\"1\", \"2\"]}}",
         "labels must be A, B"},
        {"{\"question\": \"q\", \"choices\": [\"a\"], \"options\": [\"b\"]}", "both \"options\" and \"choices\""},
        {"{\"ids\": [1, 2], \"loss_mask\": [0, 1]}", "\"labels\""},
        {"{\"system\": \"t\", \"messages\": [{\"role\": \"system\", \"content\": \"s\"}]}", "another one"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_row_refused(rows[i][0], rows[i][1]);
}

static void a_row_that_could_be_two_is_what_the_format_says(void **state)
{
    const char *json =
        "{\"problem\": \"p\", \"solution\": \"s\", \"messages\": [{\"role\": \"user\", \"content\": \"m\"}]}";
    static const struct {
        const char *name, *question;
    } formats[] = {{"chat", "m"}, {"problem", "p"}};
    assert_row_refused(json, "--format chat or --format problem says which");
    for (size_t i = 0; i < 2; i++) {
        const RecordOptions options = {.format = formats[i].name};
        Record r;
        assert_ok(record_read(&r, json, strlen(json), "rows.jsonl", 1, &options));
        assert_message(&r.messages[0], ROLE_USER, formats[i].question);
        record_free(&r);
    }
    const RecordOptions alpaca = {.format = "alpaca"};
    Record r;
    assert_refused(record_read(&r, json, strlen(json), "rows.jsonl", 1, &alpaca),
                   "none of the fields of --format alpaca");
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
        cmocka_unit_test(a_generated_row_answers_its_own_prompt_with_its_text),
        cmocka_unit_test(a_finish_reason_alone_is_that_of_the_rows_own_response),
        cmocka_unit_test(an_ids_row_is_trained_where_its_labels_are),
        cmocka_unit_test(names_and_difficulty_are_read_or_made_up),
        cmocka_unit_test(a_source_that_is_a_number_keeps_its_characters),
        cmocka_unit_test(a_question_that_is_empty_is_no_row),
        cmocka_unit_test(a_text_may_hold_nul),
        cmocka_unit_test(a_bad_row_is_refused_with_file_and_line),
        cmocka_unit_test(fields_may_be_called_otherwise),
        cmocka_unit_test(a_difficulty_that_is_missing_or_odd_is_an_error_where_one_is_needed),
        cmocka_unit_test(an_answer_keeps_its_characters),
        cmocka_unit_test(a_row_goes_out_as_it_came_in),
        cmocka_unit_test(numbers_that_nobody_can_hold_hurt_where_they_are_read),
        cmocka_unit_test(a_message_says_whether_it_is_trained),
        cmocka_unit_test(a_rows_own_system_and_history_come_before_its_question),
        cmocka_unit_test(a_thought_has_one_of_several_names),
        cmocka_unit_test(a_switch_is_no_thought),
        cmocka_unit_test(parts_that_are_texts_are_one_text),
        cmocka_unit_test(what_says_nothing_passes),
        cmocka_unit_test(what_would_change_what_is_learned_is_refused_in_every_format),
        cmocka_unit_test(what_says_no_more_than_the_row_passes),
        cmocka_unit_test(a_passage_is_put_where_its_format_has_a_place_for_it),
        cmocka_unit_test(a_known_field_of_another_type_is_an_error_and_not_absent),
        cmocka_unit_test(a_row_that_could_be_two_is_what_the_format_says),
        cmocka_unit_test(broken_json_is_named_with_its_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
