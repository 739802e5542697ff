// Rows that cannot be used, or not as they are: refused with file and line, passed over where that is allowed, cut,
// dropped and counted; and what is said of parts of the input that nothing is made of.
#include "test/support/prepared.h"

// ---- rows that can't be used

static void assert_refused_rows(const char *rows, Preparation p, const char *what)
{
    char *path = write_rows("rows.jsonl", rows);
    p.inputs[0].path = path;
    p.options.input_count = 1;
    assert_refused(run_preparation(&p), what);
    assert_nothing_left(strrchr(p.out, '/') + 1);
    preparation_free(&p);
    free(path);
}

#define ROW "{\"prompt\": \"1+1?\", \"completion\": \"two\"}\n"

static Preparation strict(void) // as train_sft prepares
{
    Preparation p = preparation("strict", NULL, 0);
    p.options.need_response = true;
    return p;
}

static void a_row_that_cannot_be_trained_is_refused_with_file_and_line(void **state)
{
    ChatTemplate unknown = {.kind = TEMPLATE_UNKNOWN, .origin = "model/chat_template.jinja"};
    assert_refused_rows("\n{\"question\": \"q\", \"answer\": \"4\"}\n", strict(),
                        "rows.jsonl:2: the row has no response");
    assert_refused_rows(ROW "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}", strict(),
                        "rows.jsonl:2: the row has no response");
    assert_refused_rows("{\"ids\": [1, 2], \"labels\": [-100, -100]}", strict(),
                        "rows.jsonl:1: none of its tokens is trained");
    assert_refused_rows("{\"ids\": [1, 2], \"labels\": [1, -100]}", strict(),
                        "rows.jsonl:1: none of its tokens is trained");
    assert_refused_rows("{\"ids\": [1, 358]}", strict(), "rows.jsonl:1: token 1 is 358, but there are only 358");
    Preparation p = strict();
    p.options.rules.tokenizer = NULL;
    assert_refused_rows(ROW, p, "the rows are text, but there is no tokenizer");
    p = strict();
    p.options.rules.chat = &unknown;
    assert_refused_rows(ROW, p, "model/chat_template.jinja: an unknown chat template");
    p = strict();
    p.options.tau = 3;
    assert_refused_rows(ROW, p, "rows.jsonl:1: the row has no \"difficulty\"; --map difficulty=NAME");
    assert_refused_rows(ROW "{\"prompt\": }\n", strict(), "rows.jsonl:2:12: not valid JSON");
    assert_refused_rows(ROW "{\"prompt\": \"\xFF\"}\n", strict(),
                        "rows.jsonl:2:12: not valid JSON: unable to decode byte 0xff");
    assert_refused_rows("{\"prompt\": \"q\", \"completion\": \"a\", \"source\": \"a\\u0000b\"}", strict(),
                        "\"source\" holds a NUL");
}

static void bad_rows_are_passed_over_when_allowed_and_the_first_are_named(void **state)
{
    Bytes rows = {0};
    for (int i = 0; i < 7; i++)
        assert_ok(bytes_text(&rows, i == 3 ? "{\"ids\": [1, 2, 3]}\nnonsense\n" : "nonsense\n"));
    char *path = write_rows("rows.jsonl", rows.data);
    Preparation p = preparation("bad", (const char *const[]){path}, 1);
    p.options.skip_bad_rows = 7;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.rows, 8);
    assert_int_equal(p.report.fates[FATE_SFT], 1);
    assert_int_equal(p.report.fates[FATE_BAD], 7);
    assert_non_null(strstr(p.report.bad_rows[0], "rows.jsonl:1:"));
    assert_non_null(strstr(p.report.bad_rows[4], "rows.jsonl:6:"));
    preparation_free(&p);
    p = preparation("refused", NULL, 0);
    p.options.skip_bad_rows = 6;
    assert_refused_rows(rows.data, p, "rows.jsonl:8:");
    assert_refused_rows(rows.data, preparation("refused", NULL, 0), "--skip-bad-rows");
    bytes_free(&rows);
    free(path);
}

static void every_kind_of_bad_row_may_be_passed_over(void **state)
{
    static const char rows[] =
        "nonsense\n[]\n{\"id\": 1}\n{\"question\": \"q\"}\n{\"ids\": [1, 2], \"labels\": [-100, -100]}\n"
        "{\"ids\": [1, 4000]}\n{\"ids\": [1, 2], \"difficulty\": 7}\n{\"ids\": [1, 2]}\n";
    char *path = write_rows("rows.jsonl", rows);
    Preparation p = preparation("kinds", (const char *const[]){path}, 1);
    p.options.need_response = true;
    p.options.skip_bad_rows = 7;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_BAD], 7);
    assert_int_equal(p.report.fates[FATE_SFT], 1);
    preparation_free(&p);
    free(path);
}

static void an_empty_data_set_says_where_its_rows_went(void **state)
{
    Preparation p = preparation("empty", NULL, 0);
    p.options.skip_bad_rows = 9;
    assert_refused_rows(
        "{\"prompt\": \"a\", \"text\": \"b\", \"finish_reason\": \"length\"}\nx\n", p,
        "no row is left of 2, 1 are bad, 1 are unfinished (finish_reason is not stop); the first bad one: ");
    assert_refused_rows("", preparation("empty", NULL, 0), "there is no row in it");
}

static void unfinished_answers_are_dropped_and_counted(void **state)
{
    char *path = write_rows("rows.jsonl", "{\"prompt\": \"1+1?\", \"text\": \"two\", \"finish_reason\": \"stop\"}\n"
                                          "{\"prompt\": \"1+1?\", \"text\": \"tw\", \"finish_reason\": \"length\"}\n");
    Preparation p = preparation("unfinished", (const char *const[]){path}, 1);
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_UNFINISHED], 1);
    Documents d = documents_in("unfinished", "sft", SHARD_SFT);
    assert_int_equal(d.count, 1);
    assert_document(&d, 0, PROMPT, "two<|im_end|>");
    documents_close(&d);
    preparation_free(&p);
    free(path);
}

// ---- lengths, when the shards are opened

static void too_long_documents_are_dropped_cut_or_refused(void **state)
{
    char *path = write_rows("rows.jsonl",
                            "{\"ids\": [1, 2, 3, 4, 5, 6], \"id\": \"a\"}\n"
                            "{\"ids\": [1, 2, 3, 4, 5, 6], \"labels\": [-100, -100, -100, -100, 5, 6]}\n"
                            "{\"ids\": [1, 2, 3, 4, 5, 6], \"labels\": [-100, -100, 3, -100, 5, 6], \"id\": \"c\"}\n"
                            "{\"ids\": [1, 2, 3, 4], \"id\": \"d\"}\n");
    Preparation p = preparation("lengths", (const char *const[]){path}, 1);
    Documents d;
    assert_ok(run_preparation(&p));
    assert_ok(open_part(&d, "lengths", "sft", (DocumentOptions){.seq_len = 4, .over_length = OVER_LENGTH_DROP}));
    assert_int_equal(d.count, 1);
    assert_int_equal(d.too_long, 3);
    documents_close(&d);
    assert_ok(open_part(&d, "lengths", "sft", (DocumentOptions){.seq_len = 4, .over_length = OVER_LENGTH_CUT}));
    assert_int_equal(d.count, 3);
    assert_int_equal(d.too_long, 1); // its trained part was cut away entirely
    assert_int_equal(d.cut, 2);
    for (int64_t i = 0; i < d.count; i++) // the fourth token of c is not trained
        assert_int_equal(d.list[i].length, document_entry(&d, i).id.data[0] == 'c' ? 3 : 4);
    assert_int_equal(d.longest, 4);
    documents_close(&d);
    assert_refused(open_part(&d, "lengths", "sft", (DocumentOptions){.seq_len = 4, .over_length = OVER_LENGTH_ERROR}),
                   "has 6 tokens, more than --seq-len 4");
    assert_refused(open_part(&d, "lengths", "sft", (DocumentOptions){.seq_len = 3}),
                   "of 4 records, 4 are longer than --seq-len 3");
    preparation_free(&p);
    free(path);
}

// ---- what is in the input, and not in what is made of it

static char *table_of(Preparation *p)
{
    Bytes table = {0};
    assert_ok(prepare_table(&table, &p->report, &p->options));
    return table.data;
}

static void assert_says(const char *text, const char *what)
{
    if (strstr(text, what) == NULL)
        fail_msg("'%s' is not in:\n%s", what, text);
}

static void what_is_not_read_and_not_trained_is_said(void **state)
{
    char *data = in_folder("beside");
    assert_ok(folder_make(data));
    free(write_rows(
        "beside/rows.jsonl",
        "{\"problem\": \"q\", \"rationale\": \"r\", \"final_answer\": 3, \"difficulty\": 5, \"x\": NaN}\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"},"
        "{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}], \"difficulty\": "
        "1}\n"));
    free(write_rows("beside/more.json", "[]"));
    Preparation p = preparation("said", (const char *const[]){data}, 1);
    p.options.tau = 3;
    assert_ok(run_preparation(&p));
    char *table = table_of(&p);
    assert_says(table, "beside/more.json; of a folder only *.jsonl files are\n");
    assert_says(table, "1 rows without a response have a field \"rationale\"");
    assert_says(table, "1 rows without an answer have a field \"final_answer\"; --map answer=final_answer");
    assert_says(table, "NaN or Infinity, which are not JSON, in 1 rows");
    assert_says(table, "not trained: 1 turns of the assistant");
    free(table);
    preparation_free(&p);
    free(data);
}

static void a_map_that_found_its_field_nowhere_is_an_error(void **state)
{
    const FieldMap map[] = {{"solution", "made_by"}, {"difficulty", "levle"}};
    char *path = write_rows("rows.jsonl", "{\"problem\": \"q\", \"made_by\": \"a\", \"level\": 2}\n");
    char *other = write_rows("other.jsonl", "{\"problem\": \"r\", \"levle\": 1, \"solution\": \"s\"}\n");
    Preparation p = preparation("slip", (const char *const[]){path, other}, 2);
    for (int i = 0; i < 2; i++) {
        p.inputs[i].map = map;
        p.inputs[i].map_count = 2;
    }
    assert_ok(run_preparation(&p)); // one of the files has each
    prepare_report_free(&p.report);
    p.options.input_count = 1;
    assert_refused(run_preparation(&p), "--map difficulty=levle: no row of the files after it has a field \"levle\"");
    preparation_free(&p);
    free(path);
    free(other);
}

static void the_faults_of_a_run_are_no_bad_rows(void **state)
{
    ChatTemplate unknown = {.kind = TEMPLATE_UNKNOWN, .origin = "model/chat_template.jinja"};
    for (int i = 0; i < 2; i++) {
        Preparation p = preparation("fault", NULL, 0);
        p.options.skip_bad_rows = 9;
        if (i == 0)
            p.options.rules.tokenizer = NULL;
        else
            p.options.rules.chat = &unknown;
        assert_refused_rows("{\"ids\": [1, 2]}\n" ROW ROW, p,
                            i == 0 ? "there is no tokenizer" : "an unknown chat template");
        assert_null(strstr(error_text(), "--skip-bad-rows"));
    }
}

static void a_response_under_another_name_is_named_where_one_is_needed(void **state)
{
    assert_refused_rows(
        "{\"problem\": \"q\", \"generation\": \"a\"}", strict(),
        "no response to train on; \"generation\" is not read; it would be with --map solution=generation");
}

static void an_empty_response_is_none_and_other_labels_are_no_duplicate(void **state)
{
    char *path =
        write_rows("rows.jsonl", "{\"problem\": \"q\", \"solution\": \"\"}\n{\"prompt\": \"r\", \"completion\": \"\"}\n"
                                 "{\"ids\": [1, 2, 3, 4, 5], \"labels\": [-100, 2, -100, -100, 5]}\n"
                                 "{\"ids\": [1, 2, 3, 4, 5], \"labels\": [-100, 2, 3, 4, 5]}\n");
    Preparation p = preparation("nothing", (const char *const[]){path}, 1);
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_PROMPT], 2);
    assert_int_equal(p.report.fates[FATE_SFT], 2);
    preparation_free(&p);
    free(path);
}

static void names_without_end_are_counted_together(void **state)
{
    Bytes rows = {0};
    for (int i = 0; i < 10050; i++)
        assert_ok(bytes_printf(&rows, "{\"ids\": [1, %d], \"category\": \"c%d\"}\n", i % 300, i));
    char *path = write_rows("rows.jsonl", rows.data);
    Preparation p = preparation("names", (const char *const[]){path}, 1);
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.categories.count, 10001);
    int64_t all = 0;
    for (size_t i = 0; i < p.report.categories.count; i++)
        for (int fate = 0; fate < FATES; fate++)
            all += p.report.categories.list[i].rows[fate];
    assert_int_equal(all, 10050);
    preparation_free(&p);
    bytes_free(&rows);
    free(path);
}

static void thoughts_that_are_not_trained_are_told(void **state)
{
    ChatTemplate nothink;
    assert_ok(template_open(&nothink, ".", "qwen3-nothink"));
    char *path = write_rows("thoughts.jsonl",
                            "{\"prompt\": \"1+1?\", \"completion\": \"<think>\\none, two\\n</think>\\n\\n2\"}\n"
                            "{\"prompt\": \"1+2?\", \"completion\": \"3\"}\n");
    for (int shown = 0; shown < 2; shown++) {
        Preparation p = preparation(shown ? "shown" : "unshown", (const char *const[]){path}, 1);
        p.options.rules.chat = shown ? p.options.rules.chat : &nothink;
        Bytes table = {0};
        assert_ok(run_preparation(&p));
        assert_int_equal(p.report.thoughts_left_out, shown ? 0 : 1);
        assert_ok(prepare_table(&table, &p.report, &p.options));
        assert_int_equal(
            strstr(table.data,
                   "not trained: the thoughts of 1 answers, which the template leaves out (--template qwen3 shows") !=
                NULL,
            !shown);
        bytes_free(&table);
        preparation_free(&p);
    }
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_cannot_be_trained_is_refused_with_file_and_line),
        cmocka_unit_test(thoughts_that_are_not_trained_are_told),
        cmocka_unit_test(bad_rows_are_passed_over_when_allowed_and_the_first_are_named),
        cmocka_unit_test(every_kind_of_bad_row_may_be_passed_over),
        cmocka_unit_test(an_empty_data_set_says_where_its_rows_went),
        cmocka_unit_test(unfinished_answers_are_dropped_and_counted),
        cmocka_unit_test(too_long_documents_are_dropped_cut_or_refused),
        cmocka_unit_test(what_is_not_read_and_not_trained_is_said),
        cmocka_unit_test(a_map_that_found_its_field_nowhere_is_an_error),
        cmocka_unit_test(the_faults_of_a_run_are_no_bad_rows),
        cmocka_unit_test(a_response_under_another_name_is_named_where_one_is_needed),
        cmocka_unit_test(an_empty_response_is_none_and_other_labels_are_no_duplicate),
        cmocka_unit_test(names_without_end_are_counted_together),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
