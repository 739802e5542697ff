// Where each row goes: under every split, to SFT, to RL, to a teacher or among those held out; which rows are dropped
// as duplicates or because a benchmark has them. Rows that cannot be used: test_prepare_rows.c; the folders that are
// written: test_prepare_folders.c.
#include "test/support/prepared.h"

// ---- the split

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

static void both_stages_have_every_row_that_they_can_use(void **state)
{
    Preparation difficulty = split_problems("base", SPLIT_DIFFICULTY, 0), p = split_problems("both", SPLIT_BOTH, 0);
    const int64_t *fates = p.report.fates;
    assert_int_equal(fates[FATE_BOTH], 20); // each that has a solution has an answer
    assert_int_equal(fates[FATE_PROMPT_BOTH], 16);
    assert_int_equal(fates[FATE_NO_ANSWER], 4); // the rows of the split at tau, and no others
    assert_int_equal(difficulty.report.fates[FATE_NO_ANSWER], 4);
    Documents sft = documents_in("both", "sft", SHARD_SFT), rl = documents_in("both", "rl", SHARD_RL);
    assert_int_equal(sft.count, prepare_rows_in(fates, FATE_SFT));
    assert_int_equal(rl.count, prepare_rows_in(fates, FATE_RL));
    for (int64_t i = 0; i < sft.count; i++) {
        Text id = document_entry(&sft, i).id;
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)id.size, id.data);
        assert_true(has_id(&rl, name));
    }
    for (int64_t i = 0; i < rl.count; i++) { // its prompt alone, whether or not it has a solution
        ShardEntry e = document_entry(&rl, i);
        assert_true(e.answer.size > 0 && e.trained == 0 && e.prompt == e.tokens);
    }
    documents_close(&sft);
    documents_close(&rl);
    preparation_free(&difficulty);
    preparation_free(&p);
}

static void inverted_sends_hard_rows_to_sft_and_easy_ones_with_an_answer_to_rl(void **state)
{
    Preparation p = split_problems("inverted", SPLIT_INVERTED, 0);
    const int64_t *fates = p.report.fates;
    assert_int_equal(in_sft(&p.report), 16); // of difficulty 4 and 5; what has no answer has its place here
    assert_int_equal(fates[FATE_RL], 24);
    assert_int_equal(fates[FATE_NO_ANSWER], 0);
    Documents sft = documents_in("inverted", "sft", SHARD_SFT), rl = documents_in("inverted", "rl", SHARD_RL);
    for (int64_t i = 0; i < sft.count; i++)
        assert_true(sft.list[i].difficulty > 3);
    for (int64_t i = 0; i < rl.count; i++)
        assert_true(rl.list[i].difficulty <= 3);
    assert_true(sft.count > 0 && rl.count == 24);
    documents_close(&sft);
    documents_close(&rl);
    p.options.tau = 0;
    prepare_report_free(&p.report);
    assert_refused(run_preparation(&p), "--split inverted needs --tau");
    preparation_free(&p);
}

static void a_row_of_both_stages_is_counted_once_and_said_to_be_in_both(void **state)
{
    char *path = write_rows(
        "rows.jsonl",
        "{\"problem\": \"a\", \"solution\": \"s\", \"answer\": 1}\n"
        "{\"problem\": \"a\", \"solution\": \"t\", \"answer\": 1}\n"
        "{\"problem\": \"b\", \"solution\": \"s\"}\n"
        "{\"problem\": \"c\", \"answer\": \"because the plants give all of it back to the soil in the end\"}\n");
    Preparation p = preparation("counted", (const char *const[]){path}, 1);
    Bytes table = {0}, text = {0};
    char *split = in_folder("counted/split.json"), *svg = in_folder("counted/split.svg");
    p.options.split = SPLIT_BOTH; // without a difficulty, too
    assert_ok(run_preparation(&p) && prepare_table(&table, &p.report, &p.options));
    static const char *const said[] = {
        "  all                                    4             2             0             1             1            "
        " 0",
        "rl: 2 rows are in sft/ alone; they have no reference answer, or a prompt that rl/ has already\n",
        "rl: 1 answers are texts", "counted/sft: 3 records", "counted/rl: 2 records"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strstr(table.data, said[i]) == NULL)
            fail_msg("'%s' is not in '%s'", said[i], table.data);
    assert_ok(file_read(&text, split, 1 << 16));
    json_t *json = json_parse(text.data, text.size, "split.json");
    const json_t *sft = json_object_get(json, "sft"), *rl = json_object_get(json, "rl");
    assert_string_equal(json_string_value(json_object_get(json, "split")), "both");
    assert_int_equal(json_integer_value(json_object_get(sft, "count")), 4);
    assert_int_equal(json_integer_value(json_object_get(sft, "prompts")), 1);
    assert_int_equal(json_integer_value(json_object_get(rl, "records")), 2);
    json_decref(json);
    bytes_clear(&text);
    assert_ok(file_read(&text, svg, 1 << 16));
    assert_true(strstr(text.data, ">SFT and RL<") != NULL && strstr(text.data, ">SFT, for a teacher, and RL<") != NULL);
    bytes_free(&table);
    bytes_free(&text);
    preparation_free(&p);
    free(split);
    free(svg);
    free(path);
}

static void are_held_out(SplitKind split)
{
    Preparation p = split_problems("holdout", split, 7);
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
    assert_int_equal(sft.count, prepare_rows_in(p.report.fates, FATE_SFT));
    documents_close(&sft);
    documents_close(&rl);
    bytes_free(&text);
    free(path);
    preparation_free(&p);
}

static void held_out_prompts_are_exactly_as_many_and_nowhere_else(void **state)
{
    static const SplitKind kinds[] = {SPLIT_DIFFICULTY, SPLIT_BOTH, SPLIT_INVERTED};
    for (int i = 0; i < 3; i++)
        are_held_out(kinds[i]);
    char *rows = write_problems();
    Preparation p = preparation("too-many", (const char *const[]){rows}, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(easy_rows_go_to_sft_and_hard_ones_with_an_answer_to_rl),
        cmocka_unit_test(rows_for_a_teacher_keep_their_fields_and_get_the_ones_they_lacked),
        cmocka_unit_test(the_baselines_have_the_counts_of_the_split),
        cmocka_unit_test(both_stages_have_every_row_that_they_can_use),
        cmocka_unit_test(a_row_of_both_stages_is_counted_once_and_said_to_be_in_both),
        cmocka_unit_test(inverted_sends_hard_rows_to_sft_and_easy_ones_with_an_answer_to_rl),
        cmocka_unit_test(held_out_prompts_are_exactly_as_many_and_nowhere_else),
        cmocka_unit_test(the_other_answers_of_a_held_out_prompt_are_dropped),
        cmocka_unit_test(exact_duplicates_are_dropped_and_rl_keeps_one_row_a_prompt),
        cmocka_unit_test(rows_that_share_thirteen_words_with_a_benchmark_are_dropped),
        cmocka_unit_test(short_questions_of_a_benchmark_are_dropped_and_counted),
        cmocka_unit_test(rows_that_differ_in_what_counts_are_no_exact_duplicates),
        cmocka_unit_test(duplicates_that_are_wanted_are_kept),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
