// Folders in and out: the same bytes whatever the threads and the memory, what the hash of a data set sees, several
// folders as one data set, and nothing of somebody else's replaced.
#include "test/support/prepared.h"
#include <omp.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_memory_do_not_show),
        cmocka_unit_test(the_hash_of_documents_sees_tokens_masks_lengths_and_difficulties),
        cmocka_unit_test(the_hash_of_problems_for_rl_sees_what_they_are_rewarded_by),
        cmocka_unit_test(a_folder_stands_for_its_jsonl_files_and_a_file_names_its_rows_source),
        cmocka_unit_test(an_older_preparation_is_replaced_and_a_failure_leaves_it),
        cmocka_unit_test(nothing_of_somebody_elses_is_ever_replaced),
        cmocka_unit_test(a_link_goes_on_leading_where_it_led),
        cmocka_unit_test(shards_of_other_tokenizers_templates_and_kinds_are_refused),
        cmocka_unit_test(several_folders_are_one_data_set_in_one_order),
        cmocka_unit_test(published_problems_are_read_whole),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
