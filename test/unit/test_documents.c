// Folders of shards as one list: sorted across folders, refused when shards do not match each other, the tokenizer, the
// template or the model, and fed to the loader. Long documents are also tested in test_prepare_rows.c, from JSONL on.
#include "test/support/check.h"
#include "data/loader.h"
#include <unistd.h>

enum { TOKENS = 8 };

static char folder[64];

static int set_up(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_documents_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) { return !folder_remove(folder); }

static char *in_folder(const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

// ---- shards, written for the purpose

static ShardAbout usual_about(void)
{
    return (ShardAbout){.kind = SHARD_SFT, .tokenizer = 7, .template = TEMPLATE_CHATML, .instruction = 5};
}

typedef struct Row { // a record of TOKENS tokens, all of them `token`
    int difficulty;
    uint64_t key;
    int32_t token;
    const char *id, *source;
    const char *answer; // NULL: none
} Row;

static ShardEntry entry_of(const Row *row, ShardKind kind, const int32_t *ids, const Span *spans)
{
    ShardEntry e = {.ids = ids,
                    .tokens = TOKENS,
                    .prompt = TOKENS,
                    .difficulty = row->difficulty,
                    .key = row->key,
                    .id = {row->id, strlen(row->id)},
                    .source = {row->source, strlen(row->source)}};
    if (row->answer != NULL)
        e.answer = (Text){row->answer, strlen(row->answer)};
    if (kind == SHARD_RL)
        e.answer = (Text){"42", 2};
    else {
        e.prompt = 2;
        e.spans = spans;
        e.span_count = 2;
        e.trained = 4; // tokens 3, 4 and 6, 7
    }
    return e;
}

// Makes folder/NAME of these rows, which ascend; returns its path, to be freed.
static char *shards(const char *name, const ShardAbout *about, const Row *rows, size_t count)
{
    static const Span spans[] = {{3, 5}, {6, 8}};
    char *path = in_folder(name);
    ShardWriter *writer = shard_writer_open(path, about);
    int written;
    assert_non_null(writer);
    for (size_t i = 0; i < count; i++) {
        int32_t ids[TOKENS];
        for (int t = 0; t < TOKENS; t++)
            ids[t] = rows[i].token;
        ShardEntry entry = entry_of(&rows[i], about->kind, ids, spans);
        assert_ok(shard_writer_add(writer, &entry));
    }
    assert_ok(shard_writer_finish(writer, &written));
    shard_writer_close(writer);
    return path;
}

static const Row LEFT[] = {{1, 10, 1, "a", "math", NULL}, {1, 30, 2, "b", "web", NULL}, {3, 5, 3, "c", "math", NULL}};
static const Row RIGHT[] = {{1, 20, 4, "d", "web", NULL}, {2, 1, 5, "e", "", NULL}, {3, 5, 6, "f", "books", NULL}};

static DocumentOptions usual(void)
{
    return (DocumentOptions){
        .kind = SHARD_SFT, .seq_len = 100, .vocabulary = 50, .tokenizer = 7, .template = TEMPLATE_CHATML};
}

static void assert_refused_documents(const DocumentOptions *options, const char *a, const char *b, const char *what)
{
    Documents d;
    const char *paths[] = {a, b};
    assert_refused(documents_open(&d, options, paths, b == NULL ? 1 : 2), what);
}

// ---- the list

static void several_folders_become_one_list_by_difficulty_and_key(void **state)
{
    ShardAbout about = usual_about();
    char *left = shards("left", &about, LEFT, 3), *right = shards("right", &about, RIGHT, 3);
    Documents d;
    DocumentOptions o = usual();
    assert_ok(documents_open(&d, &o, (const char *const[]){left, right}, 2));
    const char *ids = "adbecf"; // c and f have one key: the folder that was named first
    const int64_t first[LEVELS + 1] = {0, 0, 3, 4, 6, 6, 6};
    assert_int_equal(d.count, 6);
    for (int64_t i = 0; i < 6; i++) {
        ShardEntry entry = document_entry(&d, i);
        assert_true(entry.id.size == 1 && entry.id.data[0] == ids[i]);
        assert_int_equal(d.list[i].length, TOKENS);
        assert_int_equal(d.list[i].trained, 4);
        assert_int_equal(entry.source.size, strlen(d.sources[d.list[i].source]));
        assert_memory_equal(entry.source.data, d.sources[d.list[i].source], entry.source.size);
    }
    assert_memory_equal(d.level_first, first, sizeof first);
    assert_int_equal(d.tokens, 6 * TOKENS);
    assert_int_equal(d.trained_tokens, 6 * 4);
    assert_int_equal(d.longest, TOKENS);
    assert_int_equal(d.source_count, 4); // none, and three that folders share
    documents_close(&d);
    free(left);
    free(right);
}

static void one_shard_file_is_as_good_as_its_folder_and_other_tokens_are_other_data(void **state)
{
    ShardAbout about = usual_about();
    char *left = shards("whole", &about, LEFT, 3), *right = shards("other", &about, RIGHT, 3);
    char *file = path_join(left, "shard-00000-of-00001.bin");
    Documents a, b, c;
    DocumentOptions o = usual();
    assert_ok(documents_open(&a, &o, (const char *const[]){left}, 1));
    assert_ok(documents_open(&b, &o, (const char *const[]){file}, 1));
    assert_ok(documents_open(&c, &o, (const char *const[]){right}, 1));
    assert_int_equal(b.count, 3);
    assert_true(documents_hash(&a) == documents_hash(&b) && documents_hash(&a) != documents_hash(&c));
    documents_close(&a);
    documents_close(&b);
    documents_close(&c);
    free(file);
    free(left);
    free(right);
}

static void a_cut_document_ends_with_its_last_trained_token_and_its_span_too(void **state)
{
    ShardAbout about = usual_about();
    char *left = shards("cut", &about, LEFT, 3);
    const int64_t seq_len[] = {7, 6, 5, 4, 3}, length[] = {7, 5, 5, 4, 0}, trained[] = {3, 2, 2, 1, 0};
    for (int i = 0; i < 5; i++) {
        Documents d;
        DocumentOptions o = usual();
        o.seq_len = seq_len[i];
        o.over_length = OVER_LENGTH_CUT;
        if (trained[i] == 0) {
            assert_refused_documents(&o, left, NULL,
                                     "nothing to train on: of 3 records, 3 are longer than --seq-len 3");
            continue;
        }
        assert_ok(documents_open(&d, &o, (const char *const[]){left}, 1));
        assert_int_equal(d.cut, 3);
        assert_int_equal(d.list[0].length, length[i]);
        assert_int_equal(d.list[0].trained, trained[i]);
        assert_int_equal(d.trained_tokens, 3 * trained[i]);
        documents_close(&d);
    }
    free(left);
}

static void what_is_cut_away_is_not_trained(void **state)
{
    ShardAbout about = usual_about();
    char *left = shards("batch", &about, LEFT, 1);
    Documents d;
    DocumentOptions o = usual();
    Loader loader;
    StepPlan plan;
    Ragged batch;
    o.seq_len = 7;
    o.over_length = OVER_LENGTH_CUT;
    assert_ok(documents_open(&d, &o, (const char *const[]){left}, 1));
    assert_ok(loader_open(&loader, &d, &(LoaderOptions){.global_batch = 1, .micro_batch_tokens = 100, .slots = 1}));
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_ok(loader_micro_batch(&loader, &plan, 0, &batch));
    const int32_t rows[] = {2, 3, 5}; // tokens 3, 4 and 6 are predicted
    assert_int_equal(batch.tokens, 7);
    assert_int_equal(batch.trained, 3);
    assert_memory_equal(batch.rows, rows, sizeof rows);
    loader_close(&loader);
    documents_close(&d);
    free(left);
}

static void a_document_over_the_limit_is_refused_with_its_name(void **state)
{
    ShardAbout about = usual_about();
    char *left = shards("long", &about, LEFT, 3);
    DocumentOptions o = usual();
    o.seq_len = 7;
    o.over_length = OVER_LENGTH_ERROR;
    assert_refused_documents(&o, left, NULL, "shard-00000-of-00001.bin: record a has 8 tokens, more than --seq-len 7");
    o.seq_len = 1;
    assert_refused_documents(&o, left, NULL, "--seq-len 1: must be from 2");
    free(left);
}

// ---- RL

static void prompts_without_a_trained_token_make_steps_too(void **state)
{
    ShardAbout about = usual_about();
    about.kind = SHARD_RL;
    char *left = shards("prompts", &about, LEFT, 3);
    Documents d;
    DocumentOptions o = usual();
    Loader loader;
    StepPlan plan;
    Ragged batch;
    o.kind = SHARD_RL;
    assert_ok(documents_open(&d, &o, (const char *const[]){left}, 1));
    assert_ok(loader_open(&loader, &d, &(LoaderOptions){.global_batch = 3, .micro_batch_tokens = 100, .slots = 1}));
    assert_int_equal(loader_largest(&loader).rows, 0);
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_ok(loader_micro_batch(&loader, &plan, 0, &batch));
    assert_int_equal(plan.trained_tokens, 0);
    assert_int_equal(batch.tokens, 3 * TOKENS);
    assert_int_equal(batch.trained, 0);
    assert_memory_equal(document_entry(&d, 0).answer.data, "42", 2);
    loader_close(&loader);
    documents_close(&d);
    o.over_length = OVER_LENGTH_CUT;
    assert_refused_documents(&o, left, NULL, "--over-length cut: a prompt cut short asks another question");
    free(left);
}

// ---- what is refused

static void problems_are_the_prompts_of_records_of_either_kind_with_a_reference(void **state)
{
    static const Row ROWS[] = {{1, 10, 1, "a", "math", "7"}, {1, 30, 2, "b", "web", NULL}, {3, 5, 3, "c", "math", ""}};
    ShardAbout sft = usual_about(), rl = usual_about();
    rl.kind = SHARD_RL;
    char *left = shards("solved", &sft, ROWS, 3), *right = shards("asked", &rl, RIGHT, 3);
    char *none = shards("unanswered", &sft, LEFT, 3);
    DocumentOptions o = usual();
    Documents d;
    o.prompts = true;
    assert_ok(documents_open(&d, &o, (const char *const[]){left, right}, 2));
    assert_int_equal(d.count, 5); // b has no reference; an empty one is one
    assert_int_equal(d.records, 5);
    for (int64_t i = 0; i < 5; i++) {
        ShardEntry e = document_entry(&d, i);
        bool response = e.id.data[0] == 'a' || e.id.data[0] == 'c';
        assert_true(e.id.data[0] != 'b' && e.answer.data != NULL);
        assert_int_equal(d.list[i].length, response ? 2 : TOKENS);
        assert_true(d.list[i].trained == 0 && d.list[i].span_count == 0);
    }
    documents_close(&d);
    o.seq_len = 4; // of a prompt alone
    assert_ok(documents_open(&d, &o, (const char *const[]){left, right}, 2));
    assert_true(d.count == 2 && d.too_long == 3 && d.longest == 2);
    documents_close(&d);
    assert_refused_documents(&o, none, NULL, "no row has a reference answer");
    free(left);
    free(right);
    free(none);
}

static void shards_for_another_use_tokenizer_template_or_model_are_refused(void **state)
{
    ShardAbout about = usual_about(), rl = usual_about();
    rl.kind = SHARD_RL;
    char *left = shards("mine", &about, LEFT, 3), *prompts = shards("rl", &rl, LEFT, 3);
    DocumentOptions o = usual();
    assert_refused_documents(&o, prompts, NULL,
                             "records for RL, where records for SFT are wanted; train_sft takes the folder sft/");
    o.kind = SHARD_RL;
    assert_refused_documents(&o, left, NULL,
                             "records for SFT, where records for RL are wanted; train_rl takes the folder rl/");
    o = usual();
    o.tokenizer = 8;
    assert_refused_documents(&o, left, NULL,
                             "made with another tokenizer (0000000000000007, and here it is 0000000000000008)");
    o = usual();
    o.template = TEMPLATE_QWEN3;
    assert_refused_documents(&o, left, NULL,
                             "made with the template chatml, but the model's is qwen3; give --template chatml");
    o = usual();
    o.vocabulary = 3;
    assert_refused_documents(&o, left, NULL, "holds the token 3, but the model has 3 tokens");
    free(left);
    free(prompts);
}

// Rows of ids have no tokenizer and no template, and go with any.
static void shards_of_bare_ids_go_with_any_tokenizer_and_template(void **state)
{
    ShardAbout about = {.kind = SHARD_SFT, .template = TEMPLATE_UNKNOWN};
    char *left = shards("bare", &about, LEFT, 3);
    Documents d;
    DocumentOptions o = usual();
    assert_ok(documents_open(&d, &o, (const char *const[]){left}, 1));
    assert_int_equal(documents_about(&d)->template, TEMPLATE_UNKNOWN);
    documents_close(&d);
    free(left);
}

static void shards_that_were_made_differently_do_not_stand_beside_each_other(void **state)
{
    ShardAbout about = usual_about();
    char *left = shards("one", &about, LEFT, 3);
    DocumentOptions o = usual();
    o.tokenizer = 0;
    o.template = TEMPLATE_UNKNOWN;
    static const char *const what[] = {"tokenizer", "template", "--train-turn-newline", "--instruction"};
    for (int i = 0; i < 4; i++) {
        ShardAbout other = usual_about();
        char said[64];
        other.tokenizer += i == 0;
        other.template = i == 1 ? TEMPLATE_QWEN3 : other.template;
        other.train_turn_newline = i == 2;
        other.instruction += i == 3;
        char *right = shards(what[i], &other, RIGHT, 3);
        snprintf(said, sizeof said, "were made with another %s; prepare them alike", what[i]);
        assert_refused_documents(&o, left, right, said);
        assert_refused_documents(&o, left, right, "one/shard-00000-of-00001.bin and ");
        free(right);
    }
    ShardAbout other = usual_about();
    other.seed = 99; // only the order of the records
    char *right = shards("seed", &other, RIGHT, 3);
    Documents d;
    assert_ok(documents_open(&d, &o, (const char *const[]){left, right}, 2));
    documents_close(&d);
    free(left);
    free(right);
}

static void a_folder_without_shards_says_what_to_do(void **state)
{
    DocumentOptions o = usual();
    char *bare = in_folder("nothing"), *prepared = in_folder("prepared"), *sft = in_folder("prepared/sft");
    char *prompts = in_folder("prepared/sft/prompts.jsonl"), *missing = in_folder("missing");
    assert_ok(folder_make(bare) && folder_make(sft) && file_write_atomic(prompts, "{}\n", 3));
    assert_refused_documents(&o, bare, NULL, "there are no shards here; ./prepare makes them from JSONL");
    assert_refused_documents(&o, sft, NULL, "problems that still need a response: ./generate --prompts ");
    assert_refused_documents(&o, prepared, NULL, "prepared/sft or ");
    assert_refused_documents(&o, missing, NULL, "missing");
    free(bare);
    free(prepared);
    free(sft);
    free(prompts);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_folders_become_one_list_by_difficulty_and_key),
        cmocka_unit_test(one_shard_file_is_as_good_as_its_folder_and_other_tokens_are_other_data),
        cmocka_unit_test(a_cut_document_ends_with_its_last_trained_token_and_its_span_too),
        cmocka_unit_test(what_is_cut_away_is_not_trained),
        cmocka_unit_test(a_document_over_the_limit_is_refused_with_its_name),
        cmocka_unit_test(prompts_without_a_trained_token_make_steps_too),
        cmocka_unit_test(problems_are_the_prompts_of_records_of_either_kind_with_a_reference),
        cmocka_unit_test(shards_for_another_use_tokenizer_template_or_model_are_refused),
        cmocka_unit_test(shards_of_bare_ids_go_with_any_tokenizer_and_template),
        cmocka_unit_test(shards_that_were_made_differently_do_not_stand_beside_each_other),
        cmocka_unit_test(a_folder_without_shards_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
