// --verify: which responses are right, and which of them are trained on.
#include "test/support/prepared.h"

// ---- one row

static Verified verified(const char *row)
{
    Record record;
    RecordOptions reading = {.instruction = "none", .any_difficulty = true};
    assert_ok(record_read(&record, row, strlen(row), "rows.jsonl", 1, &reading));
    Verified v = record_verify(&record, (Text){row, strlen(row)});
    record_free(&record);
    return v;
}

#define WROTE(reference, text)                                                                                         \
    "{\"problem\": \"q\", \"answer\": " reference ", \"text\": \"" text "\", \"finish_reason\": \"stop\"}"

static void a_response_is_right_wrong_or_nobody_knows(void **state)
{
    static const struct {
        const char *row;
        Verified verified;
    } cases[] = {
        {WROTE("\"1/2\"", "<think>It is 7.</think>So \\\\boxed{0.5}."), VERIFIED_RIGHT},
        {WROTE("\"1/2\"", "<think>It is 1/2.</think>So \\\\boxed{7}."), VERIFIED_WRONG},
        {WROTE("\"12\"", "I do not know."), VERIFIED_UNKNOWN},
        {WROTE("\"12\"", "<think>It is 12."), VERIFIED_WRONG},             // no answer
        {WROTE("\"12\"", "<think>\\\\boxed{12}</think>"), VERIFIED_WRONG}, // a thought is no answer
        {WROTE("12", "#### 12"), VERIFIED_RIGHT},
        {WROTE("[\"glucose\"]", "The answer is glucose."), VERIFIED_RIGHT},
        {WROTE("\"The heart pumps blood through all of the body and back\"", "\\\\boxed{It moves blood.}"),
         VERIFIED_UNREADABLE},
        {WROTE("\"\"", "\\\\boxed{4}"), VERIFIED_UNREADABLE},
        {WROTE("null", "\\\\boxed{4}"), VERIFIED_UNREADABLE},
        {WROTE("\"x^2 + f(2)\"", "\\\\boxed{x^2 + f(3)}"), VERIFIED_UNKNOWN},
        {"{\"problem\": \"q\", \"answer\": \"4\", \"solution\": \"2+2 = \\\\boxed{4}\"}",
         VERIFIED_RIGHT}, // nobody generated it
        {"{\"problem\": \"q\", \"answer\": \"4\"}", VERIFIED_NOT},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": "
         "\"\\\\boxed{5}\"}], "
         "\"answer\": \"4\"}",
         VERIFIED_WRONG},
        {"{\"ids\": [1, 2, 3]}", VERIFIED_UNREADABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (verified(cases[i].row) != cases[i].verified)
            fail_msg("%s: %s instead of %s", cases[i].row, VERIFIED_NAMES[verified(cases[i].row)],
                     VERIFIED_NAMES[cases[i].verified]);
}

static void options_make_it_multiple_choice(void **state)
{
#define CHOSE(text)                                                                                                    \
    "{\"question\": \"q\", \"options\": [\"iron\", \"gold\"], \"answer\": \"B\", \"text\": \"" text                    \
    "\", \"finish_reason\": \"stop\"}"
    assert_int_equal(verified(CHOSE("\\\\boxed{B}")), VERIFIED_RIGHT);
    assert_int_equal(verified(CHOSE("\\\\boxed{gold}")), VERIFIED_RIGHT);
    assert_int_equal(verified(CHOSE("\\\\boxed{A}")), VERIFIED_WRONG);
    assert_int_equal(verified(CHOSE("\\\\boxed{iron}")), VERIFIED_WRONG);
}

// ---- a preparation

// A row of this question, difficulty, answer and response.
static void add(Bytes *rows, const char *id, const char *source, int level, const char *question, const char *reference,
                const char *response)
{
    assert_ok(bytes_printf(
        rows,
        "{\"id\": \"%s\", \"source\": \"%s\", \"difficulty\": %d, \"problem\": \"%s\", \"answer\": \"%s\", "
        "\"text\": \"%s\", \"finish_reason\": \"%s\"}\n",
        id, source, level, question, reference, response, strcmp(response, "cut") == 0 ? "length" : "stop"));
}

// Of each kind; "1+1?" and "5+5?" have several right responses.
static char *taught(void)
{
    Bytes rows = {0};
    add(&rows, "a0", "math", 1, "1+1?", "2", "\\\\boxed{3}");
    add(&rows, "a1", "math", 1, "1+1?", "2", "long: \\\\boxed{2}");
    add(&rows, "a2", "math", 1, "1+1?", "2", "\\\\boxed{2}");
    add(&rows, "a3", "math", 1, "1+1?", "2", "\\\\boxed{2.0}");
    add(&rows, "a4", "math", 1, "1+1?", "2", "\\\\boxed{2}"); // a2 once more
    add(&rows, "b0", "bio", 2, "Why?", "because the plants give all of it back to the soil in the end", "It just is.");
    add(&rows, "c0", "bio", 2, "f?", "f(2)", "\\\\boxed{f(3)}");
    add(&rows, "d0", "bio", 2, "7?", "7", "cut");
    add(&rows, "e0", "math", 5, "5+5?", "10", "\\\\boxed{11}");
    add(&rows, "e1", "math", 5, "5+5?", "10", "\\\\boxed{10}");
    char *path = write_rows("taught.jsonl", rows.data);
    bytes_free(&rows);
    return path;
}

static Preparation verifying(const char *name, const char *path, Verify verify)
{
    Preparation p = preparation(name, &path, 1);
    p.options.verify = verify;
    return p;
}

static void only_right_responses_are_kept_and_the_rest_is_counted(void **state)
{
    char *path = taught();
    Preparation p = verifying("right", path, VERIFY_DROP_WRONG);
    Bytes table = {0};
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_SFT], 4);
    assert_int_equal(p.report.fates[FATE_DUPLICATE], 1);
    assert_int_equal(p.report.fates[FATE_WRONG], 2);
    assert_int_equal(p.report.fates[FATE_UNKNOWN], 1);
    assert_int_equal(p.report.fates[FATE_UNREADABLE], 1);
    assert_int_equal(p.report.fates[FATE_UNFINISHED], 1);
    assert_int_equal(p.report.verified[VERIFIED_RIGHT], 5);
    Documents d = documents_in("right", "sft", SHARD_SFT);
    assert_true(has_id(&d, "a1") && has_id(&d, "a2") && has_id(&d, "a3") && has_id(&d, "e1"));
    documents_close(&d);
    assert_ok(prepare_table(&table, &p.report, &p.options));
    assert_non_null(
        strstr(table.data,
               "\nresponses                            right         wrong       unknown    unreadable    unfinished\n"
               "  math                                   5             2             0             0             0\n"
               "  bio                                    0             0             1             1             1\n"
               "  all                                    5             2             1             1             1\n"));
    assert_non_null(
        strstr(table.data,
               "no rule can compare an answer with 1 references: b0 \"because the plants give all of it back t\"\n"));
    assert_non_null(strstr(table.data, "dropped: 2 have a wrong answer\n"));
    assert_non_null(strstr(table.data, "dropped: 1 have no reference that an answer can be compared with\n"));
    json_t *json = prepare_json(&p.report, &p.options);
    assert_string_equal(json_string_value(json_object_get(json, "verify")), "drop-wrong");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "dropped"), "wrong")), 2);
    json_t *bio = json_object_get(json_object_get(json, "verified_by_source"), "bio");
    assert_int_equal(json_integer_value(json_object_get(bio, "unfinished")), 1);
    json_decref(json);
    bytes_free(&table);
    preparation_free(&p);
    free(path);
}

static void the_first_right_response_of_a_prompt_is_kept(void **state)
{
    char *path = taught();
    Preparation p = verifying("best", path, VERIFY_BEST_OF_K);
    assert_ok(run_preparation(&p));
    Documents d = documents_in("best", "sft", SHARD_SFT);
    assert_int_equal(d.count, 2);
    assert_true(has_id(&d, "a1") && has_id(&d, "e1"));
    assert_int_equal(p.report.fates[FATE_ANOTHER_RIGHT], 2);
    documents_close(&d);
    preparation_free(&p);
    free(path);
}

static void to_count_alone_drops_nothing(void **state)
{
    char *path = taught();
    Preparation p = verifying("all", path, VERIFY_ALL);
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_SFT], 8);
    assert_int_equal(p.report.verified[VERIFIED_WRONG], 2);
    preparation_free(&p);
    p = verifying("not", path, VERIFY_NOT);
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_SFT], 8);
    assert_int_equal(p.report.verified[VERIFIED_WRONG], 0);
    preparation_free(&p);
    free(path);
}

// A prompt of RL needs no right response; where another split trains on the row, it is a right one that is taken.
static void a_prompt_for_rl_needs_no_right_response(void **state)
{
    char *path = taught();
    Preparation p = verifying("tau", path, VERIFY_DROP_WRONG);
    p.options.tau = 3;
    assert_ok(run_preparation(&p));
    Documents d = documents_in("tau", "rl", SHARD_RL);
    assert_true(d.count == 1 && has_id(&d, "e1"));
    assert_int_equal(p.report.fates[FATE_WRONG], 1);
    documents_close(&d);
    preparation_free(&p);
    p = verifying("hard", path, VERIFY_DROP_WRONG);
    p.options.tau = 3;
    p.options.split = SPLIT_HARD_SFT;
    assert_ok(run_preparation(&p));
    d = documents_in("hard", "sft_hard", SHARD_SFT);
    assert_true(d.count == 1 && has_id(&d, "e1"));
    documents_close(&d);
    preparation_free(&p);
    free(path);
    path = write_rows("wrong.jsonl", WROTE("\"4\"", "\\\\boxed{5}") "\n");
    p = verifying("rl", path, VERIFY_DROP_WRONG);
    p.options.split = SPLIT_RL_ONLY;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_RL], 1);
    preparation_free(&p);
    p = verifying("none", path, VERIFY_DROP_WRONG);
    assert_refused(run_preparation(&p), "nothing to train on: no row is left of 1, 1 have a wrong answer");
    preparation_free(&p);
    free(path);
}

// Where both stages have every row, a response decides about SFT alone, and one row a prompt is for RL.
static void a_wrong_response_keeps_no_prompt_from_both_stages(void **state)
{
    char *path = taught();
    static const struct {
        Verify verify;
        const char *sft;
    } cases[] = {
        {VERIFY_DROP_WRONG, "a1 a2 a3 e1"}, {VERIFY_BEST_OF_K, "a1 e1"}, {VERIFY_ALL, "a0 a1 a2 a3 b0 c0 e0 e1"}};
    for (int i = 0; i < 3; i++) {
        Preparation p = verifying("both", path, cases[i].verify);
        p.options.split = SPLIT_BOTH;
        assert_ok(run_preparation(&p));
        Documents sft = documents_in("both", "sft", SHARD_SFT), rl = documents_in("both", "rl", SHARD_RL);
        assert_int_equal(sft.count, (strlen(cases[i].sft) + 1) / 3);
        for (const char *id = cases[i].sft; *id != 0; id += id[2] == ' ' ? 3 : 2)
            assert_true(has_id(&sft, (const char[]){id[0], id[1], 0}));
        assert_true(rl.count == 4 && has_id(&rl, "a0") && has_id(&rl, "b0") && has_id(&rl, "c0") && has_id(&rl, "e0"));
        documents_close(&sft);
        documents_close(&rl);
        preparation_free(&p);
    }
    free(path);
}

// A right response takes the place of a wrong one in the split; the prompt is RL's either way.
static void a_prompt_whose_row_was_replaced_is_not_lost(void **state)
{
    static const SplitKind kinds[] = {SPLIT_RL_ONLY, SPLIT_BOTH};
    for (int order = 0; order < 2; order++)
        for (int i = 0; i < 2; i++) {
            Bytes rows = {0};
            add(&rows, "w", "math", 5, "5+5?", "10", order == 0 ? "\\\\boxed{11}" : "\\\\boxed{10}");
            add(&rows, "r", "math", 5, "5+5?", "10", order == 0 ? "\\\\boxed{10}" : "so \\\\boxed{12}");
            char *path = write_rows("replaced.jsonl", rows.data);
            Preparation p = verifying("replaced", path, VERIFY_DROP_WRONG);
            p.options.tau = 3;
            p.options.split = kinds[i];
            assert_ok(run_preparation(&p));
            assert_int_equal(prepare_rows_in(p.report.fates, FATE_RL), 1);
            preparation_free(&p);
            bytes_free(&rows);
            free(path);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_right_wrong_or_nobody_knows),
        cmocka_unit_test(options_make_it_multiple_choice),
        cmocka_unit_test(only_right_responses_are_kept_and_the_rest_is_counted),
        cmocka_unit_test(the_first_right_response_of_a_prompt_is_kept),
        cmocka_unit_test(to_count_alone_drops_nothing),
        cmocka_unit_test(a_prompt_for_rl_needs_no_right_response),
        cmocka_unit_test(a_wrong_response_keeps_no_prompt_from_both_stages),
        cmocka_unit_test(a_prompt_whose_row_was_replaced_is_not_lost),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
