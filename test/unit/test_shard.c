// Shards: what is written comes back, the bytes are those that FORMAT.md describes and stay the same, and the writer
// refuses what the reader would. Shards that are not whole: test_shard_hostile.c; the disk and the folder:
// test_shard_disk.c.
#include "test/support/made_shards.h"

// ---- what is written comes back

static void assert_records_come_back(const char *name, ShardKind kind, size_t target, size_t shards)
{
    char *path = in_folder(name), **files;
    size_t count;
    int number = 0, said;
    assert_ok(write_made(path, kind, target, &said));
    assert_ok(shard_files(&files, &count, path));
    assert_int_equal(count, shards);
    assert_int_equal(said, shards);
    for (size_t i = 0; i < count; i++) {
        Shard s;
        assert_ok(shard_open(&s, files[i]));
        assert_true(s.number == i && s.of == count && s.about.kind == kind && s.about.tokenizer == ABOUT.tokenizer);
        assert_true(s.about.template == ABOUT.template && s.about.train_turn_newline && s.about.seed == 42);
        assert_true(s.about.instruction == ABOUT.instruction);
        for (int64_t record = 0; record < s.records; record++) {
            Made m;
            ShardEntry is = shard_entry(&s, record);
            assert_same_entry(make(&m, kind, number++), &is);
        }
        shard_close(&s);
    }
    assert_int_equal(number, RECORDS);
    names_free(files, count);
    free(path);
}

static void every_record_comes_back_as_it_was_written(void **state)
{
    assert_records_come_back("sft", SHARD_SFT, SHARD_TARGET_BYTES, 1);
    assert_records_come_back("rl", SHARD_RL, SHARD_TARGET_BYTES, 1);
}

static void records_go_into_as_many_shards_as_they_need(void **state)
{
    assert_records_come_back("one-each", SHARD_SFT, 1, RECORDS); // a record larger than a shard has one of its own
    assert_records_come_back("several", SHARD_RL, 1000, 3);
}

static void a_long_id_many_spans_and_nul_come_back(void **state)
{
    enum { SPANS = 70000, ID = 1 << 20 };
    int32_t *ids = allocate(2 * SPANS + 1, sizeof *ids);
    Span *spans = allocate(SPANS, sizeof *spans);
    char *id = allocate(ID, 1);
    assert_true(ids != NULL && spans != NULL && id != NULL);
    for (uint32_t i = 0; i < SPANS; i++)
        spans[i] = (Span){2 * i + 1, 2 * i + 2};
    ids[9] = INT32_MAX - 1; // the largest that there can be
    ShardEntry entry = {.ids = ids,
                        .spans = spans,
                        .tokens = 2 * SPANS + 1,
                        .prompt = 1,
                        .trained = SPANS,
                        .span_count = SPANS,
                        .difficulty = 5,
                        .key = UINT64_MAX,
                        .id = {id, ID}, // of NUL characters
                        .answer = {"", 0},
                        .source = text_of("x")};
    Shard s = written("hostile", SHARD_SFT, &entry, 1);
    ShardEntry is = shard_entry(&s, 0);
    assert_same_entry(&entry, &is);
    assert_int_equal(s.vocabulary, INT32_MAX);
    shard_close(&s);
    free(ids);
    free(spans);
    free(id);
}

static void a_hundred_thousand_categories_are_kept_apart(void **state)
{
    enum { CATEGORIES = 100000 };
    char *path = in_folder("categories"), name[32], *file;
    ShardWriter *w = shard_writer_open(path, &ABOUT);
    Made m;
    ShardEntry *e = make(&m, SHARD_SFT, 0);
    int shards;
    for (int i = 0; i < 2 * CATEGORIES; i++) { // each twice
        snprintf(name, sizeof name, "category %d", i % CATEGORIES);
        e->category = text_of(name);
        if (!shard_writer_add(w, e))
            fail_msg("%s", error_text());
    }
    assert_ok(shard_writer_finish(w, &shards));
    shard_writer_close(w);
    Shard s;
    file = path_join(path, "shard-00000-of-00001.bin");
    assert_ok(shard_open(&s, file));
    assert_int_equal(s.records, 2 * CATEGORIES);
    assert_true(s.names_size < CATEGORIES * sizeof "category 12345");
    for (int i = 0; i < 2 * CATEGORIES; i += 997) {
        snprintf(name, sizeof name, "category %d", i % CATEGORIES);
        assert_same_text(shard_entry(&s, i).category, text_of(name));
    }
    shard_close(&s);
    free(file);
    free(path);
}

static void a_folder_without_records_has_no_shards(void **state)
{
    char *path = in_folder("empty"), **files;
    size_t count = 7;
    int shards = 7;
    ShardWriter *w = shard_writer_open(path, &ABOUT);
    assert_ok(shard_writer_finish(w, &shards));
    shard_writer_close(w);
    assert_int_equal(shards, 0);
    assert_ok(shard_files(&files, &count, path));
    assert_int_equal(count, 0);
    names_free(files, count);
    free(path);
}

// ---- the bytes: those of shards/FORMAT.md and of the committed shards, which were written by this file: test_shard
// FOLDER

static bool write_committed(const char *into)
{
    char *sft = path_join(into, "sft"), *rl = path_join(into, "rl");
    int shards;
    bool ok = write_made(sft, SHARD_SFT, SMALL, &shards) && write_made(rl, SHARD_RL, SHARD_TARGET_BYTES, &shards);
    free(sft);
    free(rl);
    return ok;
}

static void the_committed_shards_are_written_again_byte_for_byte(void **state)
{
    char *again = in_folder("again");
    assert_ok(write_committed(again));
    for (int i = 0; i < 4; i++) {
        char *path = path_join(again, COMMITTED[i]);
        Bytes was = committed(i), is = {0};
        assert_ok(file_read(&is, path, 1 << 20));
        assert_int_equal(is.size, was.size);
        assert_memory_equal(is.data, was.data, is.size);
        bytes_free(&was);
        bytes_free(&is);
        free(path);
    }
    free(again);
}

#define FIELD(type, field)                                                                                             \
    {                                                                                                                  \
        offsetof(type, field), sizeof(((type *)0)->field), #field                                                      \
    }

static void the_format_is_the_one_that_is_described(void **state)
{
    static const struct {
        size_t offset, size;
        const char *name;
    } fields[] = {FIELD(ShardHeader, magic),      FIELD(ShardHeader, version),    FIELD(ShardHeader, header_size),
                  FIELD(ShardHeader, file_size),  FIELD(ShardHeader, kind),       FIELD(ShardHeader, template),
                  FIELD(ShardHeader, flags),      FIELD(ShardHeader, number),     FIELD(ShardHeader, of),
                  FIELD(ShardHeader, vocabulary), FIELD(ShardHeader, tokenizer),  FIELD(ShardHeader, instruction),
                  FIELD(ShardHeader, seed),       FIELD(ShardHeader, records),    FIELD(ShardHeader, trained),
                  FIELD(ShardHeader, sections),   FIELD(ShardHeader, zero),       FIELD(ShardHeader, hash),
                  FIELD(ShardSection, offset),    FIELD(ShardSection, size),      FIELD(ShardSection, hash),
                  FIELD(ShardRecord, key),        FIELD(ShardRecord, token),      FIELD(ShardRecord, span),
                  FIELD(ShardRecord, text),       FIELD(ShardRecord, tokens),     FIELD(ShardRecord, prompt),
                  FIELD(ShardRecord, trained),    FIELD(ShardRecord, spans),      FIELD(ShardRecord, id),
                  FIELD(ShardRecord, answer),     FIELD(ShardRecord, row),        FIELD(ShardRecord, source),
                  FIELD(ShardRecord, category),   FIELD(ShardRecord, difficulty), FIELD(ShardRecord, flags),
                  FIELD(ShardRecord, zero)};
    Bytes text = {0}, row = {0};
    assert_ok(file_read(&text, "shards/FORMAT.md", 1 << 20));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        bytes_clear(&row);
        assert_ok(bytes_printf(&row, "| %zu | %zu | `%s` |", fields[i].offset, fields[i].size, fields[i].name));
        if (strstr(text.data, row.data) == NULL)
            fail_msg("shards/FORMAT.md has no row that begins with %s", row.data);
    }
    bytes_free(&text);
    bytes_free(&row);
}

// ---- what the writer refuses

static void assert_entry_refused(const ShardEntry *entry, ShardKind kind, const char *error)
{
    char *path = in_folder("refused");
    ShardAbout about = about_of(kind);
    ShardWriter *w = shard_writer_open(path, &about);
    assert_non_null(w);
    assert_refused(shard_writer_add(w, entry), error);
    shard_writer_close(w);
    free(path);
}

static void the_writer_refuses_what_the_reader_would(void **state)
{
    Made m;
    ShardEntry *e = make(&m, SHARD_SFT, 5);
    e->difficulty = 6;
    assert_entry_refused(e, SHARD_SFT, "/refused: record record 5 can't be written: its difficulty is not from 0 to 5");
    e->difficulty = -1;
    assert_entry_refused(e, SHARD_SFT, "its difficulty is not from 0 to 5");
    make(&m, SHARD_SFT, 5)->prompt = 0;
    assert_entry_refused(e, SHARD_SFT, "its prompt is empty");
    make(&m, SHARD_SFT, 5)->trained++;
    assert_entry_refused(e, SHARD_SFT, "its spans do not hold the number");
    make(&m, SHARD_SFT, 5);
    m.spans[1].begin = m.spans[0].end;
    assert_entry_refused(e, SHARD_SFT, "its spans are empty, overlap or touch");
    make(&m, SHARD_SFT, 5);
    e->span_count = e->trained = 0;
    assert_entry_refused(e, SHARD_SFT, "nothing in it is trained"); // though there is a response
    assert_entry_refused(e, SHARD_RL, "it has a response");
    make(&m, SHARD_SFT, 5);
    e->prompt = e->tokens;
    assert_entry_refused(e, SHARD_SFT, "nothing in it is trained"); // there is no response
    assert_entry_refused(e, SHARD_RL, "it has a response");         // but something is trained
    make(&m, SHARD_RL, 5)->answer = (Text){0};
    assert_entry_refused(e, SHARD_RL, "it has no reference answer");
    make(&m, SHARD_SFT, 5)->id = (Text){"\xC3", 1};
    assert_entry_refused(e, SHARD_SFT, "one of its texts is not UTF-8");
    make(&m, SHARD_SFT, 5)->answer = (Text){"\xC3", 1};
    assert_entry_refused(e, SHARD_SFT, "one of its texts is not UTF-8");
    make(&m, SHARD_SFT, 5)->row = (Text){"\xC3", 1};
    assert_entry_refused(e, SHARD_SFT, "one of its texts is not UTF-8");
    make(&m, SHARD_SFT, 5)->row = (Text){"", (size_t)UINT32_MAX / 4 + 1};
    assert_entry_refused(e, SHARD_SFT, "one of its texts is too large");
    make(&m, SHARD_SFT, 5)->category = (Text){"a\0b", 3};
    assert_entry_refused(e, SHARD_SFT, "a source or category holds a NUL character");
    make(&m, SHARD_SFT, 5);
    m.ids[1] = -1;
    assert_entry_refused(e, SHARD_SFT, "one of its ids is negative or too large");
    m.ids[1] = INT32_MAX;
    assert_entry_refused(e, SHARD_SFT, "one of its ids is negative or too large");
}

static void a_record_has_fewer_than_two_billion_tokens(void **state)
{
    ShardEntry e = {
        .tokens = (uint32_t)INT32_MAX + 1, .prompt = (uint32_t)INT32_MAX + 1, .id = {"", 0}, .answer = {"", 0}};
    assert_string_equal(shard_entry_fault(SHARD_RL, &e), "it has too many tokens");
    e.tokens = e.prompt = INT32_MAX;
    assert_null(shard_entry_fault(SHARD_RL, &e));
}

static void records_out_of_order_are_refused(void **state)
{
    char *path = in_folder("order");
    Made m;
    ShardWriter *w = shard_writer_open_sized(path, &ABOUT, 1); // also across shards
    ShardEntry *e = make(&m, SHARD_SFT, 6);
    assert_ok(shard_writer_add(w, e));
    assert_ok(shard_writer_add(w, e)); // an equal one is in order
    e->key--;
    assert_refused(shard_writer_add(w, e), "it is out of order");
    e->difficulty--;
    e->key += 2;
    assert_refused(shard_writer_add(w, e), "it is out of order");
    e->difficulty += 2;
    e->key = 0;
    assert_ok(shard_writer_add(w, e));
    shard_writer_close(w);
    free(path);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back_as_it_was_written),
        cmocka_unit_test(records_go_into_as_many_shards_as_they_need),
        cmocka_unit_test(a_long_id_many_spans_and_nul_come_back),
        cmocka_unit_test(a_hundred_thousand_categories_are_kept_apart),
        cmocka_unit_test(a_folder_without_records_has_no_shards),
        cmocka_unit_test(the_committed_shards_are_written_again_byte_for_byte),
        cmocka_unit_test(the_format_is_the_one_that_is_described),
        cmocka_unit_test(the_writer_refuses_what_the_reader_would),
        cmocka_unit_test(a_record_has_fewer_than_two_billion_tokens),
        cmocka_unit_test(records_out_of_order_are_refused),
    };
    if (count == 2) // writes the committed shards into a folder
        return write_committed(arguments[1]) ? 0 : 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
