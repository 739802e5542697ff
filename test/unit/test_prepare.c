// From rows to folders: what is kept, what is dropped and counted, where each row goes under every split; nothing left
// behind after a failure; and the same bytes whatever the threads and the memory.
#include "test/support/prepared.h"
#include <omp.h>

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

// ---- the split

// Forty problems of difficulties 1 to 5; every second one has a solution, all but every tenth an answer.
static char *write_problems(void)
{
    Bytes rows = {0};
    for (int i = 0; i < 40; i++) {
        assert_ok(bytes_printf(
            &rows, "{\"id\": \"p%d\", \"problem\": \"What is %d and %d?\", \"difficulty\": %d, \"extra\": [%d]", i, i,
            i * i, 1 + i % 5, i));
        if (i % 2 == 0)
            assert_ok(bytes_printf(&rows, ", \"solution\": \"It is %d.\"", i + i * i));
        if (i % 10 != 3)
            assert_ok(bytes_printf(&rows, ", \"answer\": \"%d\"", i + i * i));
        assert_ok(bytes_text(&rows, "}\n"));
    }
    char *path = write_rows("problems.jsonl", rows.data);
    bytes_free(&rows);
    return path;
}

static Preparation split_problems(const char *name, SplitKind split, int64_t holdout)
{
    char *path = write_problems();
    Preparation p = preparation(name, (const char *const[]){path}, 1);
    p.options.tau = 3;
    p.options.split = split;
    p.options.holdout = holdout;
    assert_ok(run_preparation(&p));
    free(path);
    int64_t all = 0;
    for (int fate = 0; fate < FATES; fate++)
        all += p.report.fates[fate];
    assert_int_equal(all, 40);
    return p;
}

static int64_t in_sft(const PrepareReport *r) { return r->fates[FATE_SFT] + r->fates[FATE_PROMPT]; }

static void easy_rows_go_to_sft_and_hard_ones_with_an_answer_to_rl(void **state)
{
    Preparation p = split_problems("split", SPLIT_DIFFICULTY, 0);
    const int64_t *fates = p.report.fates;
    assert_int_equal(fates[FATE_SFT], 12); // 24 of difficulty 1 to 3, half of them solved
    assert_int_equal(fates[FATE_PROMPT], 12);
    assert_int_equal(fates[FATE_RL],
                     12); // 16 of difficulty 4 and 5, but 3, 13, 23 and 33 (difficulty 4) have no answer
    assert_int_equal(fates[FATE_NO_ANSWER], 4);
    Documents sft = documents_in("split", "sft", SHARD_SFT), rl = documents_in("split", "rl", SHARD_RL);
    assert_int_equal(sft.count, 12);
    assert_int_equal(rl.count, 12);
    for (int64_t i = 0; i < 12; i++) {
        ShardEntry e = document_entry(&rl, i);
        assert_true(sft.list[i].difficulty <= 3 && rl.list[i].difficulty > 3);
        assert_true(e.answer.size > 0 && e.trained == 0 && e.prompt == e.tokens);
        assert_non_null(strstr(e.row.data, "\"extra\":[")); // the row itself, for judges and graders
    }
    for (int64_t i = 1; i < 12; i++)
        assert_true(sft.list[i - 1].difficulty <= sft.list[i].difficulty);
    documents_close(&sft);
    documents_close(&rl);
    preparation_free(&p);
}

static void rows_for_a_teacher_keep_their_fields_and_get_the_ones_they_lacked(void **state)
{
    char *path = write_rows("rows.jsonl", "{\"level\": \"2\", \"question\": \"q?\", \"extra\": {\"a\": [1.5, null]}}\n"
                                          "{\"level\": 1, \"question\": \"r?\", \"source\": \"web\", \"id\": 7}\n");
    const FieldMap map[] = {{"difficulty", "level"}};
    Preparation p = preparation("teacher", (const char *const[]){path}, 1);
    p.options.tau = 3;
    p.inputs[0].map = map;
    p.inputs[0].map_count = 1;
    assert_ok(run_preparation(&p));
    char *prompts = in_folder("teacher/sft/prompts.jsonl");
    Bytes text = {0};
    assert_ok(file_read(&text, prompts, 4096));
    const char *expected[] = {"{\"question\":\"r?\",\"source\":\"web\",\"id\":7,\"difficulty\":1}\n",
                              "{\"question\":\"q?\",\"extra\":{\"a\":[1.5,null]},\"id\":\"1\",\"source\":\""};
    for (int i = 0; i < 2; i++)
        if (strstr(text.data, expected[i]) == NULL)
            fail_msg("'%s' is not in '%s'", expected[i], text.data);
    assert_true(strstr(text.data, "r?") < strstr(text.data, "q?")); // the easier first
    bytes_free(&text);
    free(prompts);
    preparation_free(&p);
    free(path);
}

static void the_baselines_have_the_counts_of_the_split(void **state)
{
    Preparation difficulty = split_problems("base", SPLIT_DIFFICULTY, 0),
                random = split_problems("random", SPLIT_AT_RANDOM, 0);
    Preparation sft = split_problems("sft-only", SPLIT_SFT_ONLY, 0), rl = split_problems("rl-only", SPLIT_RL_ONLY, 0);
    Preparation hard = split_problems("hard", SPLIT_HARD_SFT, 0);
    int64_t easy = in_sft(&difficulty.report), reinforced = difficulty.report.fates[FATE_RL];
    assert_int_equal(in_sft(&random.report), easy);
    assert_int_equal(random.report.fates[FATE_RL], reinforced);
    int64_t easy_in_rl = 0;
    for (int level = 1; level <= 3; level++)
        easy_in_rl += random.report.levels[level][FATE_RL];
    assert_true(easy_in_rl > 2 && easy_in_rl < 12); // 8 of 12 on average
    assert_int_equal(in_sft(&sft.report), easy + reinforced);
    assert_int_equal(sft.report.fates[FATE_RL], 0);
    assert_int_equal(rl.report.fates[FATE_RL] + rl.report.fates[FATE_NO_ANSWER], 40); // all 36 with an answer
    assert_int_equal(rl.report.fates[FATE_RL], 36);
    assert_int_equal(in_sft(&hard.report), easy);
    assert_int_equal(hard.report.fates[FATE_HARD_SFT] + hard.report.fates[FATE_HARD_PROMPT], reinforced);
    Documents second = documents_in("hard", "sft_hard", SHARD_SFT);
    assert_int_equal(second.count, hard.report.fates[FATE_HARD_SFT]);
    documents_close(&second);
    Preparation *all[] = {&difficulty, &random, &sft, &rl, &hard};
    for (int i = 0; i < 5; i++)
        preparation_free(all[i]);
}

static void held_out_prompts_are_exactly_as_many_and_nowhere_else(void **state)
{
    Preparation p = split_problems("holdout", SPLIT_DIFFICULTY, 7);
    assert_int_equal(p.report.fates[FATE_HOLDOUT], 7);
    char *path = in_folder("holdout/holdout.jsonl");
    Bytes text = {0};
    assert_ok(file_read(&text, path, 65536));
    Documents sft = documents_in("holdout", "sft", SHARD_SFT), rl = documents_in("holdout", "rl", SHARD_RL);
    int lines = 0;
    for (char *line = strtok(text.data, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        json_t *row = json_parse(line, strlen(line), "holdout.jsonl");
        const char *id = json_string_value(json_object_get(row, "id"));
        assert_true(id != NULL && !has_id(&sft, id) && !has_id(&rl, id));
        json_decref(row);
    }
    assert_int_equal(lines, 7);
    assert_int_equal(sft.count, p.report.fates[FATE_SFT]);
    documents_close(&sft);
    documents_close(&rl);
    bytes_free(&text);
    free(path);
    preparation_free(&p);
    char *rows = write_problems();
    p = preparation("too-many", (const char *const[]){rows}, 1);
    p.options.holdout = 40;
    assert_refused(run_preparation(&p), "--holdout 40: there are only 40 prompts");
    preparation_free(&p);
    free(rows);
}

static void the_other_answers_of_a_held_out_prompt_are_dropped(void **state)
{
    Bytes rows = {0};
    for (int i = 0; i < 60; i++) // three answers to each of twenty prompts
        assert_ok(bytes_printf(&rows, "{\"prompt\": \"question %d\", \"completion\": \"answer %d\"}\n", i % 20, i));
    char *path = write_rows("rows.jsonl", rows.data);
    Preparation p = preparation("answers", (const char *const[]){path}, 1);
    p.options.holdout = 5;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_HOLDOUT], 5);
    assert_int_equal(p.report.fates[FATE_PROMPT_HELD_OUT], 10);
    assert_int_equal(p.report.fates[FATE_SFT], 45);
    preparation_free(&p);
    bytes_free(&rows);
    free(path);
}

static void exact_duplicates_are_dropped_and_rl_keeps_one_row_a_prompt(void **state)
{
    char *path = write_rows(
        "rows.jsonl", "{\"id\": \"a\", \"prompt\": \"q\", \"completion\": \"x\", \"difficulty\": 1}\n"
                      "{\"id\": \"b\", \"prompt\": \"q\", \"completion\": \"y\", \"difficulty\": 1}\n"
                      "{\"id\": \"c\", \"completion\": \"x\", \"prompt\": \"q\", \"difficulty\": 1}\n"
                      "{\"id\": \"d\", \"prompt\": \"h\", \"completion\": \"x\", \"answer\": 1, \"difficulty\": 5}\n"
                      "{\"id\": \"e\", \"prompt\": \"h\", \"completion\": \"y\", \"answer\": 1, \"difficulty\": 5}\n"
                      "{\"id\": \"f\", \"prompt\": \"h\", \"answer\": 1, \"difficulty\": 5}\n");
    Preparation p = preparation("duplicates", (const char *const[]){path}, 1);
    p.options.tau = 3;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_DUPLICATE], 1);
    assert_int_equal(p.report.fates[FATE_SAME_PROMPT], 2);
    Documents sft = documents_in("duplicates", "sft", SHARD_SFT), rl = documents_in("duplicates", "rl", SHARD_RL);
    assert_true(sft.count == 2 && has_id(&sft, "a") && has_id(&sft, "b")); // the first of equal rows stays
    assert_int_equal(rl.count, 1);
    documents_close(&sft);
    documents_close(&rl);
    preparation_free(&p);
    free(path);
}

static void rows_that_differ_in_what_counts_are_no_exact_duplicates(void **state)
{
    char *path = write_rows(
        "rows.jsonl", "{\"problem\": \"q\", \"answer\": 4, \"difficulty\": 5}\n"
                      "{\"problem\": \"q\", \"answer\": 4, \"difficulty\": 5, \"id\": \"copy\", \"source\": \"x\"}\n"
                      "{\"problem\": \"q\", \"answer\": 4.0, \"difficulty\": 5}\n"
                      "{\"problem\": \"q\", \"answer\": 4, \"difficulty\": 5, \"unit\": \"m\"}\n"
                      "{\"problem\": \"r\", \"solution\": \"s\", \"difficulty\": 1}\n"
                      "{\"problem\": \"r\", \"solution\": \"s\", \"difficulty\": 4, \"answer\": 1}\n");
    Preparation p = preparation("differ", (const char *const[]){path}, 1);
    p.options.tau = 3;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_RL], 1);
    assert_int_equal(p.report.fates[FATE_SFT], 1);
    assert_int_equal(p.report.fates[FATE_DUPLICATE], 1);
    assert_int_equal(p.report.fates[FATE_OTHER_ANSWER], 2);
    assert_int_equal(p.report.fates[FATE_REPEATED], 1);
    preparation_free(&p);
    free(path);
}

static void duplicates_that_are_wanted_are_kept(void **state)
{
    char *path = write_rows("rows.jsonl", "{\"problem\": \"q\", \"answer\": 4, \"difficulty\": 5}\n"
                                          "{\"problem\": \"r\", \"solution\": \"s\", \"difficulty\": 1}\n");
    Preparation p = preparation("twice", (const char *const[]){path, path}, 2);
    p.options.tau = 3;
    p.options.keep_duplicates = true;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_RL], 2);
    assert_int_equal(p.report.fates[FATE_SFT], 2);
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

static void rows_that_share_thirteen_words_with_a_benchmark_are_dropped(void **state)
{
    char *bench = write_rows(
        "bench.jsonl", "{\"id\": 1, \"question\": \"A train leaves the old station at noon and it reaches the next "
                       "one, after three hours, at what speed?\", \"options\": [\"5\", \"6\"]}\n");
    char *path = write_rows(
        "rows.jsonl",
        "{\"problem\": \"Listen: a TRAIN leaves the old station - at noon - and it reaches the next one after tea.\","
        " \"solution\": \"s\"}\n"
        "{\"problem\": \"A train leaves the old station at noon and it reaches the last one.\", \"solution\": \"s\"}\n"
        "{\"problem\": \"q\", \"solution\": \"leaves the old station at noon and it reaches the next one after "
        "three\"}\n");
    const char *const benchmarks[] = {bench};
    Preparation p = preparation("clean", (const char *const[]){path}, 1);
    p.options.benchmarks = benchmarks;
    p.options.benchmark_count = 1;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_CONTAMINATED], 1); // questions with questions
    assert_int_equal(p.report.fates[FATE_SFT], 2);
    prepare_report_free(&p.report);
    p.options.decontaminate_all = true;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.fates[FATE_CONTAMINATED], 2);
    assert_int_equal(p.report.fates[FATE_SFT], 1);
    char *dropped = in_folder("clean/dropped.jsonl");
    Bytes text = {0};
    assert_ok(file_read(&text, dropped, 4096));
    static const char *const said[] = {
        "\"problem\":\"Listen: a TRAIN", "\"reason\":\"shares 13 words with a benchmark\"", "bench.jsonl:1\"",
        "\"words\":\"a TRAIN leaves the old station - at noon - and it reaches the next\"}}\n",
        "\"words\":\"leaves the old station at noon and it reaches the next one after\"}}\n"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strstr(text.data, said[i]) == NULL)
            fail_msg("'%s' is not in '%s'", said[i], text.data);
    bytes_free(&text);
    free(dropped);
    preparation_free(&p);
    free(path);
    free(bench);
}

static void short_questions_of_a_benchmark_are_dropped_and_counted(void **state)
{
    char *bench = write_rows("short.jsonl", "{\"question\": \"How many legs has a spider?\", \"answer\": \"8\"}\n"
                                            "{\"stem\": \"How many?\"}\n");
    char *path = write_rows("rows.jsonl", "{\"problem\": \"how many LEGS has a spider\", \"solution\": \"8\"}\n"
                                          "{\"problem\": \"How many legs has a fly?\", \"solution\": \"6\"}\n");
    const char *const benchmarks[] = {bench};
    Preparation p = preparation("clean", (const char *const[]){path}, 1);
    Bytes table = {0}, text = {0};
    char *dropped = in_folder("clean/dropped.jsonl"), *split = in_folder("clean/split.json");
    p.options.benchmarks = benchmarks;
    p.options.benchmark_count = 1;
    assert_ok(run_preparation(&p) && prepare_table(&table, &p.report, &p.options));
    assert_int_equal(p.report.fates[FATE_CONTAMINATED], 1);
    assert_non_null(strstr(table.data,
                           "short.jsonl: 2 rows, 1 of them with a question of fewer than 13 words, which was compared "
                           "whole (but for case, spaces and punctuation), 1 without a question by a known name"));
    assert_ok(file_read(&text, dropped, 4096));
    assert_non_null(strstr(text.data, "\"reason\":\"has a benchmark's question\""));
    assert_non_null(strstr(text.data, "short.jsonl:1\",\"words\":\"how many LEGS has a spider\"}}"));
    bytes_clear(&text);
    assert_ok(file_read(&text, split, 1 << 16));
    assert_non_null(strstr(text.data, "\"whole\": 1"));
    bytes_free(&table);
    bytes_free(&text);
    preparation_free(&p);
    free(dropped);
    free(split);
    free(path);
    free(bench);
}

// ---- the same bytes

static uint64_t hash_of_folder(const char *name)
{
    static const char *const files[] = {"sft/shard-00000-of-00001.bin", "rl/shard-00000-of-00001.bin",
                                        "sft/prompts.jsonl", "holdout.jsonl"};
    uint64_t hash = 0;
    char *out = in_folder(name);
    for (size_t i = 0; i < 4; i++) {
        char *path = path_join(out, files[i]);
        MappedFile file;
        assert_ok(file_map(&file, path));
        uint64_t both[2] = {hash, hash_bytes(file.data, file.size)};
        hash = hash_bytes(both, sizeof both);
        file_unmap(&file);
        free(path);
    }
    free(out);
    return hash;
}

// Nine thousand rows in two files, some of them twice.
static void write_many(char *paths[2])
{
    Bytes rows[2] = {{0}};
    for (int i = 0; i < 9000; i++)
        assert_ok(
            bytes_printf(&rows[i % 2],
                         "{\"id\": \"q%d\", \"question\": \"%d and %d?\", \"answer\": \"%d\", %s\"difficulty\": %d, "
                         "\"source\": \"s\"}\n",
                         i, i % 7500, i % 7, i % 7500 + i % 7, i % 3 == 0 ? "\"solution\": \"They are many.\", " : "",
                         1 + i % 7500 % 5));
    for (int f = 0; f < 2; f++) {
        paths[f] = write_rows(f == 0 ? "many0.jsonl" : "many1.jsonl", rows[f].data);
        bytes_free(&rows[f]);
    }
}

static uint64_t prepare_many(char *const paths[2], int threads, size_t memory, uint64_t *runs)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    Preparation p = preparation("many", (const char *const[]){paths[0], paths[1]}, 2);
    p.options.tau = 3;
    p.options.holdout = 50;
    p.options.memory = memory;
    assert_ok(run_preparation(&p));
    omp_set_num_threads(before);
    *runs = p.report.runs;
    preparation_free(&p);
    return hash_of_folder("many");
}

static void threads_and_memory_do_not_show(void **state)
{
    char *paths[2];
    uint64_t runs;
    write_many(paths);
    uint64_t expected = prepare_many(paths, 1, 64 << 20, &runs);
    assert_int_equal(runs, 0);
    assert_true(prepare_many(paths, 4, 64 << 20, &runs) == expected);
    assert_true(prepare_many(paths, 3, 1, &runs) == expected); // the least that the sort works with
    assert_true(runs > 1);
    for (int f = 0; f < 2; f++)
        free(paths[f]);
}

static void the_hash_of_documents_sees_tokens_masks_lengths_and_difficulties(void **state)
{
    static const char *const rows[] = {
        "{\"ids\": [1, 2, 3, 4]}", "{\"ids\": [1, 2, 3, 5]}", "{\"ids\": [1, 2, 3, 4], \"difficulty\": 2}",
        "{\"ids\": [1, 2, 3, 4], \"labels\": [-100, -100, 3, 4]}", "{\"ids\": [1, 2, 3]}"};
    uint64_t hashes[5];
    for (int i = 0; i < 5; i++) {
        Documents d = prepared_rows(rows[i], preparation("hash", NULL, 0));
        hashes[i] = documents_hash(&d);
        documents_close(&d);
        for (int j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    }
}

static void the_hash_of_problems_for_rl_sees_what_they_are_rewarded_by(void **state)
{
    static const char *const rest[] = {
        "\"answer\": \"2\"", "\"answer\": \"3\"", "\"answer\": \"2\", \"options\": [\"1\", \"2\"]",
        "\"answer\": \"2\", \"options\": [\"2\", \"1\"]", "\"answer\": \"2\", \"tests\": \"f(1) == 2\""};
    uint64_t hashes[5];
    for (int i = 0; i < 5; i++) {
        char row[200];
        snprintf(row, sizeof row, "{\"problem\": \"1+1?\", \"id\": \"a\", \"difficulty\": 5, %s}", rest[i]);
        char *path = write_rows("rows.jsonl", row);
        Preparation p = preparation("hash-rl", (const char *const[]){path}, 1);
        p.options.tau = 3;
        assert_ok(run_preparation(&p));
        Documents d = documents_in("hash-rl", "rl", SHARD_RL);
        assert_int_equal(d.count, 1);
        hashes[i] = documents_hash(&d);
        documents_close(&d);
        preparation_free(&p);
        free(path);
        for (int j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    }
}

// ---- folders

static void a_folder_stands_for_its_jsonl_files_and_a_file_names_its_rows_source(void **state)
{
    char *data = in_folder("data"), *empty = in_folder("no-rows"), *missing = in_folder("missing");
    assert_ok(folder_make(data) && folder_make(empty));
    free(write_rows("data/b.jsonl", "{\"ids\": [3, 4]}"));
    free(write_rows("data/a.jsonl", "{\"ids\": [1, 2], \"source\": \"said\"}"));
    free(write_rows("data/c.json", "not read"));
    Preparation p = preparation("of-folder", (const char *const[]){data}, 1);
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.file_count, 2);
    assert_int_equal(p.report.rows, 2);
    assert_int_equal(p.report.sources.count, 2);
    const PrepareGroup *sources = p.report.sources.list;
    int said = strcmp(sources[0].name, "said") == 0 ? 0 : 1;
    assert_string_equal(sources[said].name, "said");
    assert_string_equal(sources[1 - said].name, "data/b");
    preparation_free(&p);
    p = preparation("of-nothing", (const char *const[]){empty}, 1);
    assert_refused(run_preparation(&p), "there is no *.jsonl");
    p.inputs[0].path = missing;
    assert_refused(run_preparation(&p), "missing");
    assert_nothing_left("of-nothing");
    preparation_free(&p);
    free(data);
    free(empty);
    free(missing);
}

static void an_older_preparation_is_replaced_and_a_failure_leaves_it(void **state)
{
    char *path = write_rows("rows.jsonl", "{\"ids\": [1, 2]}");
    Preparation p = preparation("again", (const char *const[]){path}, 1);
    assert_ok(run_preparation(&p));
    prepare_report_free(&p.report);
    free(write_rows("rows.jsonl", "{\"ids\": [3, 4]}"));
    assert_ok(run_preparation(&p));
    Documents d = documents_in("again", "sft", SHARD_SFT);
    assert_int_equal(d.list[0].ids[0], 3);
    documents_close(&d);
    prepare_report_free(&p.report);
    free(write_rows("rows.jsonl", "{\"ids\": [5]}")); // a failure leaves the old one
    assert_refused(run_preparation(&p), "rows.jsonl:1");
    d = documents_in("again", "sft", SHARD_SFT);
    assert_int_equal(d.list[0].ids[0], 3);
    documents_close(&d);
    preparation_free(&p);
    free(path);
}

static void assert_out_refused(const char *name, const char *what)
{
    char *path = write_rows("rows.jsonl", "{\"ids\": [1, 2]}");
    Preparation p = preparation(name, (const char *const[]){path}, 1);
    assert_refused(run_preparation(&p), what);
    preparation_free(&p);
    free(path);
}

static void nothing_of_somebody_elses_is_ever_replaced(void **state)
{
    char *other = in_folder("other"), *path = write_rows("rows.jsonl", "{\"ids\": [1, 2]}"), *stranger;
    assert_ok(folder_make(other));
    free(write_rows("other/thesis.txt", "precious"));
    assert_out_refused("other", "other/thesis.txt: not written by ./prepare");
    Preparation p = preparation("mixed", (const char *const[]){path}, 1);
    assert_ok(run_preparation(&p));
    stranger = write_rows("mixed/taught.jsonl", "{}"); // a teacher's answers beside the prompts that they answer
    assert_out_refused("mixed", "mixed/taught.jsonl: not written");
    assert_true(file_exists(stranger));
    assert_int_equal(unlink(stranger), 0);
    free(stranger);
    stranger = write_rows("mixed/sft/taught.jsonl", "{}");
    assert_out_refused("mixed", "mixed/sft/taught.jsonl: not written");
    assert_true(file_exists(stranger));
    free(write_rows("file", "x"));
    assert_out_refused("file", "there is a file where the folder should be");
    free(stranger);
    preparation_free(&p);
    free(other);
    free(path);
}

static void a_link_goes_on_leading_where_it_led(void **state)
{
    char *path = write_rows("rows.jsonl", "{\"ids\": [1, 2]}"), *real = in_folder("real"), *link = in_folder("link");
    assert_ok(folder_make(real));
    assert_int_equal(symlink(real, link), 0);
    Preparation p = preparation("link", (const char *const[]){path}, 1);
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(run_preparation(&p));
        prepare_report_free(&p.report);
        Documents d = documents_in("real", "sft", SHARD_SFT);
        assert_int_equal(d.count, 1);
        documents_close(&d);
    }
    char target[128] = "";
    assert_true(readlink(link, target, sizeof target - 1) > 0);
    assert_string_equal(target, real);
    preparation_free(&p);
    free(path);
    free(real);
    free(link);
}

static void shards_of_other_tokenizers_templates_and_kinds_are_refused(void **state)
{
    char *path = write_problems();
    Preparation p = preparation("about", (const char *const[]){path}, 1);
    p.options.tau = 3;
    assert_ok(run_preparation(&p));
    Documents d;
    assert_refused(open_part(&d, "about", "sft", (DocumentOptions){.tokenizer = 42}), "made with another tokenizer");
    assert_refused(open_part(&d, "about", "sft", (DocumentOptions){.template = TEMPLATE_QWEN3}),
                   "made with the template chatml, but the model's is qwen3; give --template chatml");
    assert_refused(open_part(&d, "about", "sft", (DocumentOptions){.vocabulary = 100}), "but the model has 100 tokens");
    assert_refused(open_part(&d, "about", "rl", (DocumentOptions){0}),
                   "records for RL, where records for SFT are wanted");
    assert_refused(open_part(&d, "about", "sft", (DocumentOptions){.kind = SHARD_RL}), "train_rl takes the folder rl/");
    assert_refused(open_part(&d, "about", ".", (DocumentOptions){0}), "/rl");
    assert_refused(open_part(&d, "about", "nowhere", (DocumentOptions){0}), "nowhere");
    preparation_free(&p);
    free(path);
}

static void several_folders_are_one_data_set_in_one_order(void **state)
{
    char *paths[2];
    write_many(paths);
    Preparation a = preparation("part-a", (const char *const[]){paths[0]}, 1),
                b = preparation("part-b", (const char *const[]){paths[1]}, 1);
    Preparation both = preparation("part-both", (const char *const[]){paths[0], paths[1]}, 2);
    Preparation *all[] = {&a, &b, &both};
    for (int i = 0; i < 3; i++)
        assert_ok(run_preparation(all[i]));
    Documents whole = documents_in("part-both", "sft", SHARD_SFT), parts;
    char *x = in_folder("part-a/sft"), *y = in_folder("part-b/sft");
    DocumentOptions options = {
        .kind = SHARD_SFT, .seq_len = 4096, .vocabulary = INT32_MAX, .template = TEMPLATE_UNKNOWN};
    assert_ok(documents_open(&parts, &options, (const char *const[]){x, y}, 2));
    int64_t same = 0, j = 0; // duplicates across the two files are in parts twice
    for (int64_t i = 0; i < whole.count; i++, j++) {
        while (parts.list[j].length != whole.list[i].length ||
               memcmp(parts.list[j].ids, whole.list[i].ids, (size_t)whole.list[i].length * 4) != 0)
            j++;
        same++;
    }
    assert_true(same == whole.count && j <= parts.count);
    documents_close(&whole);
    documents_close(&parts);
    for (int i = 0; i < 3; i++)
        preparation_free(all[i]);
    for (int f = 0; f < 2; f++)
        free(paths[f]);
    free(x);
    free(y);
}

static void published_problems_are_read_whole(void **state)
{
    const char *path = "../shared/data/gsm8k/train.jsonl";
    if (!file_exists(path)) {
        print_message("skipped: no ../shared/data\n");
        skip();
    }
    Preparation p = preparation("published", &path, 1);
    assert_ok(run_preparation(&p));
    Documents d = documents_in("published", "sft", SHARD_SFT);
    assert_int_equal(d.count, 7473);
    assert_true(has_id(&d, "gsm8k-train-0"));
    documents_close(&d);
    preparation_free(&p);
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
        cmocka_unit_test(easy_rows_go_to_sft_and_hard_ones_with_an_answer_to_rl),
        cmocka_unit_test(rows_for_a_teacher_keep_their_fields_and_get_the_ones_they_lacked),
        cmocka_unit_test(the_baselines_have_the_counts_of_the_split),
        cmocka_unit_test(held_out_prompts_are_exactly_as_many_and_nowhere_else),
        cmocka_unit_test(the_other_answers_of_a_held_out_prompt_are_dropped),
        cmocka_unit_test(exact_duplicates_are_dropped_and_rl_keeps_one_row_a_prompt),
        cmocka_unit_test(rows_that_share_thirteen_words_with_a_benchmark_are_dropped),
        cmocka_unit_test(short_questions_of_a_benchmark_are_dropped_and_counted),
        cmocka_unit_test(threads_and_memory_do_not_show),
        cmocka_unit_test(the_hash_of_documents_sees_tokens_masks_lengths_and_difficulties),
        cmocka_unit_test(the_hash_of_problems_for_rl_sees_what_they_are_rewarded_by),
        cmocka_unit_test(a_folder_stands_for_its_jsonl_files_and_a_file_names_its_rows_source),
        cmocka_unit_test(an_older_preparation_is_replaced_and_a_failure_leaves_it),
        cmocka_unit_test(nothing_of_somebody_elses_is_ever_replaced),
        cmocka_unit_test(a_link_goes_on_leading_where_it_led),
        cmocka_unit_test(rows_that_differ_in_what_counts_are_no_exact_duplicates),
        cmocka_unit_test(duplicates_that_are_wanted_are_kept),
        cmocka_unit_test(what_is_not_read_and_not_trained_is_said),
        cmocka_unit_test(a_map_that_found_its_field_nowhere_is_an_error),
        cmocka_unit_test(the_faults_of_a_run_are_no_bad_rows),
        cmocka_unit_test(a_response_under_another_name_is_named_where_one_is_needed),
        cmocka_unit_test(an_empty_response_is_none_and_other_labels_are_no_duplicate),
        cmocka_unit_test(names_without_end_are_counted_together),
        cmocka_unit_test(shards_of_other_tokenizers_templates_and_kinds_are_refused),
        cmocka_unit_test(several_folders_are_one_data_set_in_one_order),
        cmocka_unit_test(published_problems_are_read_whole),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
