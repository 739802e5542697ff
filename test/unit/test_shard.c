// Shards: what is written comes back, the bytes are those that FORMAT.md describes and stay the same, whatever is cut,
// changed or contradicts itself is refused with its place, and no failure of the disk leaves a file that looks whole
// and is not.
#include "test/support/check.h"
#include "test/support/failpoints.h"
#include "test/support/shards.h"

#define FIXTURES "test/fixtures/shards"
enum { RECORDS = 12, LONGEST = 64, SMALL = 900 }; // of the committed shards; SMALL: the size of a shard there

static char folder[64];

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) // as in failpoints.h: P
{
    return failpoint_hit('P', ENOSPC) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, data, size, offset);
}

static int set_up(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_shard_XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

static char *in_folder(const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

// ---- records to write: a function of their number

typedef struct Made { // an entry, and what it points to
    int32_t ids[LONGEST];
    Span spans[LONGEST];
    char id[32];
    ShardEntry entry;
} Made;

static Text text_of(const char *text) { return (Text){text, strlen(text)}; }

static const ShardAbout ABOUT = {.kind = SHARD_SFT,
                                 .tokenizer = 0x1122334455667788,
                                 .template = TEMPLATE_QWEN3_NOTHINK,
                                 .train_turn_newline = true,
                                 .instruction = 0x99AABBCCDDEEFF00,
                                 .seed = 42};

static ShardAbout about_of(ShardKind kind)
{
    ShardAbout about = ABOUT;
    about.kind = kind;
    return about;
}

// Every token of a response is trained but each seventh, from the end of the prompt on.
static void make_spans(ShardEntry *e, Span *spans)
{
    e->spans = spans;
    for (uint32_t begin = e->prompt; begin < e->tokens; begin += 7) {
        uint32_t end = begin + 6 < e->tokens ? begin + 6 : e->tokens;
        spans[e->span_count++] = (Span){begin, end};
        e->trained += end - begin;
    }
}

static ShardEntry *make(Made *m, ShardKind kind, int number)
{
    static const char *const sources[] = {"", "MATH", "Grundschule 1–6"};
    static const char *const categories[] = {"MATH", "", "算术", "algebra"};
    *m = (Made){0};
    snprintf(m->id, sizeof m->id, "record %d", number);
    ShardEntry *e = &m->entry;
    *e = (ShardEntry){.ids = m->ids,
                      .tokens = 2 + (uint32_t)(number * 17 % 50),
                      .difficulty = number * 6 / RECORDS,
                      .key = (uint64_t)(number / 3) << 60, // some are equal
                      .id = {m->id, number == 7 ? 0 : strlen(m->id)},
                      .source = text_of(sources[number % 3]),
                      .category = text_of(categories[number % 4])};
    for (uint32_t t = 0; t < e->tokens; t++)
        m->ids[t] = (int32_t)((uint32_t)number * 1000 + t * t) % 5000;
    e->prompt = kind == SHARD_RL ? e->tokens : 1 + e->tokens / 3;
    if (kind == SHARD_SFT)
        make_spans(e, m->spans);
    e->answer = kind == SHARD_SFT && number % 4 == 0 ? (Text){0}
                : number % 4 == 1                    ? text_of("")
                                                     : (Text){"\\frac{1}{2}\0é", 14};
    e->row = number % 3 == 0 ? (Text){0} : number % 3 == 1 ? text_of("") : text_of("{\"problem\": \"1+1?\"}");
    return e;
}

static bool write_made(const char *path, ShardKind kind, size_t target, int *shards)
{
    ShardAbout about = about_of(kind);
    ShardWriter *w = shard_writer_open_sized(path, &about, target);
    bool ok = w != NULL;
    for (int i = 0; ok && i < RECORDS; i++) {
        Made m;
        ok = shard_writer_add(w, make(&m, kind, i));
    }
    ok = ok && shard_writer_finish(w, shards);
    shard_writer_close(w);
    return ok;
}

static void assert_same_text(Text a, Text b)
{
    assert_int_equal(a.data == NULL, b.data == NULL);
    assert_int_equal(a.size, b.size);
    assert_true(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void assert_same_entry(const ShardEntry *a, const ShardEntry *b)
{
    assert_int_equal(a->tokens, b->tokens);
    assert_memory_equal(a->ids, b->ids, a->tokens * sizeof *a->ids);
    assert_int_equal(a->span_count, b->span_count);
    assert_true(a->span_count == 0 || memcmp(a->spans, b->spans, a->span_count * sizeof *a->spans) == 0);
    assert_true(a->prompt == b->prompt && a->trained == b->trained && a->difficulty == b->difficulty &&
                a->key == b->key);
    assert_same_text(a->id, b->id);
    assert_same_text(a->answer, b->answer);
    assert_same_text(a->row, b->row);
    assert_int_equal(a->source.size, b->source.size);
    assert_memory_equal(a->source.data, b->source.data, a->source.size);
    assert_int_equal(a->category.size, b->category.size);
    assert_true(a->category.size == 0 || memcmp(a->category.data, b->category.data, a->category.size) == 0);
}

// One shard of these entries, opened.
static Shard written(const char *name, ShardKind kind, const ShardEntry *entries, int count)
{
    char *path = in_folder(name), **files;
    size_t file_count;
    int shards;
    Shard shard;
    ShardAbout about = about_of(kind);
    ShardWriter *w = shard_writer_open(path, &about);
    assert_non_null(w);
    for (int i = 0; i < count; i++)
        assert_ok(shard_writer_add(w, &entries[i]));
    assert_ok(shard_writer_finish(w, &shards));
    shard_writer_close(w);
    assert_int_equal(shards, 1);
    assert_ok(shard_files(&files, &file_count, path));
    assert_int_equal(file_count, 1);
    assert_ok(shard_open(&shard, files[0]));
    names_free(files, file_count);
    free(path);
    return shard;
}

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

static const char *const COMMITTED[] = {"sft/shard-00000-of-00003.bin", "sft/shard-00001-of-00003.bin",
                                        "sft/shard-00002-of-00003.bin", "rl/shard-00000-of-00001.bin"};

static bool write_committed(const char *into)
{
    char *sft = path_join(into, "sft"), *rl = path_join(into, "rl");
    int shards;
    bool ok = write_made(sft, SHARD_SFT, SMALL, &shards) && write_made(rl, SHARD_RL, SHARD_TARGET_BYTES, &shards);
    free(sft);
    free(rl);
    return ok;
}

static Bytes committed(int number)
{
    char *path = path_join(FIXTURES, COMMITTED[number]);
    Bytes bytes = {0};
    assert_ok(file_read(&bytes, path, 1 << 20));
    free(path);
    return bytes;
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

// Opens a file that is in memory, in a copy of exactly its size: the sanitizer sees a read behind the end.
static bool takes(const Bytes *bytes)
{
    uint8_t *exact = malloc(bytes->size == 0 ? 1 : bytes->size);
    assert_non_null(exact);
    memcpy(exact, bytes->data, bytes->size);
    Shard shard = {.file = {exact, bytes->size}};
    bool ok = shard_take(&shard, "it");
    free(exact);
    return ok;
}

// ---- cut, changed, added to

static void a_shard_cut_at_any_byte_is_refused(void **state)
{
    for (int i = 0; i < 4; i++) {
        Bytes bytes = committed(i);
        assert_ok(takes(&bytes));
        while (bytes.size-- > 0) {
            const char *where = bytes.size < 12    ? "too few for a shard"
                                : bytes.size < 256 ? "within its header"
                                                   : "it is cut short";
            assert_refused(takes(&bytes), where);
        }
        bytes_free(&bytes);
    }
}

static void a_shard_with_any_bit_flipped_is_refused(void **state)
{
    for (int i = 0; i < 4; i++) {
        Bytes bytes = committed(i);
        for (size_t at = 0; at < bytes.size; at++)
            for (int bit = 0; bit < 8; bit++) {
                bytes.data[at] ^= (char)(1 << bit);
                if (takes(&bytes))
                    fail_msg("%s: bit %d of byte %zu flipped, and accepted", COMMITTED[i], bit, at);
                bytes.data[at] ^= (char)(1 << bit);
            }
        assert_ok(takes(&bytes));
        bytes_free(&bytes);
    }
}

static void a_shard_with_something_added_is_refused(void **state)
{
    Bytes bytes = committed(0);
    assert_ok(bytes_append(&bytes, "", 1));
    assert_refused(takes(&bytes), "something was added");
    shard_reseal((uint8_t *)bytes.data, bytes.size);
    assert_refused(takes(&bytes), "1 bytes too many at its end");
    bytes_free(&bytes);
}

static void refused_files_are_named_with_a_remedy(void **state)
{
    static const struct {
        const char *content, *error;
        size_t size;
    } files[] = {
        {"", "0 bytes are too few for a shard; copy it again", 0},
        {"{\"problem\": \"1+1?\"}\n", "not a shard (it does not begin with DEREASON); ./prepare makes shards", 20},
        {"DEREASON\2\0\0\0", "a shard of version 2, and this program reads version 1; run ./prepare again", 12},
        {"DEREASON\1\0\0\0\0\1\0\0", "cut short at byte 16, within its header", 16}};
    char *path = in_folder("refused.bin");
    Shard s;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_ok(file_write_atomic(path, files[i].content, files[i].size));
        assert_refused(shard_open(&s, path), files[i].error);
        assert_non_null(strstr(error_text(), path));
        assert_true(s.file.data == NULL && s.records == 0);
    }
    assert_refused(shard_open(&s, "nowhere.bin"), "nowhere.bin");
    assert_refused(shard_open(&s, folder), "not a regular file");
    free(path);
}

// ---- files whose checksums are right and that contradict themselves

typedef struct Lie {
    int64_t section; // -1: the header
    size_t at;       // in there
    int size;        // of the value
    uint64_t value;
    const char *error;
} Lie;

enum { HEADER = -1 };
#define HEADER_AT(field) HEADER, offsetof(ShardHeader, field), (int)sizeof(((ShardHeader *)0)->field)
#define SECTION_AT(section, field)                                                                                     \
    HEADER, offsetof(ShardHeader, sections) + (section) * sizeof(ShardSection) + offsetof(ShardSection, field), 8
#define RECORD_AT(record, field)                                                                                       \
    SECTION_RECORDS, (record) * sizeof(ShardRecord) + offsetof(ShardRecord, field),                                    \
        (int)sizeof(((ShardRecord *)0)->field)

static void assert_lies_are_refused(int file, const Lie *lies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Bytes bytes = committed(file);
        ShardHeader header;
        memcpy(&header, bytes.data, sizeof header);
        size_t at = lies[i].at + (lies[i].section == HEADER ? 0 : (size_t)header.sections[lies[i].section].offset);
        assert_true(memcmp(bytes.data + at, &lies[i].value, (size_t)lies[i].size) != 0);
        memcpy(bytes.data + at, &lies[i].value, (size_t)lies[i].size);
        shard_reseal((uint8_t *)bytes.data, bytes.size);
        assert_refused(takes(&bytes), lies[i].error);
        bytes_free(&bytes);
    }
}

static void a_header_that_contradicts_its_file_is_refused(void **state)
{
    static const Lie lies[] = {
        {HEADER_AT(header_size), 512, "holds what version 1 does not know"},
        {HEADER_AT(flags), 4, "holds what version 1 does not know"},
        {HEADER, offsetof(ShardHeader, zero) + 39, 1, 1, "holds what version 1 does not know"},
        {HEADER_AT(kind), 0, "its header contradicts itself"},
        {HEADER_AT(kind), 3, "its header contradicts itself"},
        {HEADER_AT(kind), SHARD_RL, "record 0 (byte 256): it has a response, in a shard for RL"},
        {HEADER_AT(template), TEMPLATES, "its header contradicts itself"},
        {HEADER_AT(number), 3, "its header contradicts itself"},
        {HEADER_AT(of), 0, "its header contradicts itself"},
        {HEADER_AT(of), 100000, "its header contradicts itself"},
        {HEADER_AT(records), 0, "its header contradicts itself"},
        {HEADER_AT(records), 1, "the sizes of its sections contradict its header"},
        {HEADER_AT(records), UINT64_MAX / 72 + 2, "its header contradicts itself"}, // 72 times that is small again
        {HEADER_AT(trained), 1, "its sections hold more than its records"},
        {HEADER_AT(vocabulary), 3, "but its header says 3 tokens"},
        {HEADER_AT(vocabulary), UINT32_MAX, "its header contradicts itself"},
        {SECTION_AT(SECTION_RECORDS, offset), 0, "its section of records is not where it should be (byte 0)"},
        {SECTION_AT(SECTION_IDS, offset), 256, "its section of ids is not where it should be"}, // on the records
        {SECTION_AT(SECTION_IDS, size), 3, "its section of spans is not where it should be"},
        {SECTION_AT(SECTION_NAMES, size), UINT64_MAX, "its section of names is not where it should be"},
        {SECTION_AT(SECTION_NAMES, offset), UINT64_MAX - 63, "its section of names is not where it should be"},
        {SECTION_AT(SECTION_NAMES, size), 0, "bytes too many at its end"}};
    assert_lies_are_refused(0, lies, sizeof lies / sizeof *lies);
}

static void a_record_that_contradicts_its_file_is_refused(void **state)
{
    static const char PARTS[] = "its parts do not begin where those of the record before it end";
    static const char SPANS[] = "its spans are empty, overlap or touch, begin at its first token or end after its last";
    static const char PROMPT[] = "its prompt is empty, or longer than the record";
    const Lie lies[] = {{RECORD_AT(1, token), 0, PARTS}, // the tokens of record 0
                        {RECORD_AT(1, token), UINT64_MAX, PARTS},
                        {RECORD_AT(1, span), 0, PARTS},
                        {RECORD_AT(1, text), 1, PARTS},
                        {RECORD_AT(0, tokens), UINT32_MAX, PARTS},
                        {RECORD_AT(0, spans), UINT32_MAX, PARTS},
                        {RECORD_AT(0, id), UINT32_MAX, PARTS},
                        {RECORD_AT(0, source), 2, PARTS},          // within a name
                        {RECORD_AT(0, source), UINT32_MAX, PARTS}, // far behind them
                        {RECORD_AT(0, prompt), 0, PROMPT},
                        {RECORD_AT(0, prompt), 1000, PROMPT},
                        {RECORD_AT(0, prompt), 2, "nothing in it is trained"}, // both of its tokens
                        {RECORD_AT(0, trained), 0, "its spans do not hold the number of tokens"},
                        {RECORD_AT(0, difficulty), 6, "its difficulty is not from 0 to 5"},
                        {RECORD_AT(0, difficulty), 1, "record 1 (byte 328): it is out of order"},
                        {RECORD_AT(0, key), 1, "record 1 (byte 328): it is out of order"},
                        {RECORD_AT(0, flags), 4, "its flags contradict it"},
                        {RECORD_AT(2, flags), RECORD_HAS_ANSWER, "its flags contradict it"}, // its row has bytes
                        {RECORD_AT(2, flags), RECORD_HAS_ROW, "its flags contradict it"},    // its answer
                        {RECORD_AT(1, source), 2, PARTS}, // within a name that was there before
                        {RECORD_AT(1, zero), 1, "its flags contradict it"},
                        {SECTION_SPANS, 0, 4, 0, SPANS},   // begins at the first token
                        {SECTION_SPANS, 4, 4, 1, SPANS},   // ends where it begins
                        {SECTION_SPANS, 4, 4, 3, SPANS},   // ends behind the last token
                        {SECTION_SPANS, 16, 4, 13, SPANS}, // begins where the one before it ends
                        {SECTION_TEXT, 3, 1, 0xFF, "one of its texts is not UTF-8"},
                        {SECTION_NAMES, 0, 1, 'x', "its section of names does not begin and end with 0"},
                        {SECTION_NAMES, 1, 1, 0xFF, "or is not UTF-8"},
                        {SECTION_NAMES, 1, 1, 0, PARTS}, // an empty name that is not the first
                        {SECTION_IDS, 0, 4, UINT32_MAX, "its largest id is 4294967295"},
                        {SECTION_IDS, 0, 4, INT32_MAX, "its largest id is 2147483647"}};
    assert_lies_are_refused(0, lies, sizeof lies / sizeof *lies);
}

static void a_record_for_rl_has_an_answer(void **state)
{
    static const Lie lies[] = {{RECORD_AT(1, flags), RECORD_HAS_ROW, "it has no reference answer, in a shard for RL"}};
    assert_lies_are_refused(3, lies, 1);
}

// A committed shard taken apart, to be put together with other sections.
typedef struct Parts {
    ShardHeader header;
    Bytes sections[SECTIONS];
} Parts;

static Parts parts_of(int file)
{
    Bytes bytes = committed(file);
    Parts parts = {0};
    memcpy(&parts.header, bytes.data, sizeof parts.header);
    for (int i = 0; i < SECTIONS; i++)
        assert_ok(bytes_append(&parts.sections[i], bytes.data + parts.header.sections[i].offset,
                               parts.header.sections[i].size));
    bytes_free(&bytes);
    return parts;
}

static ShardRecord *record_of(Parts *parts, int64_t record) // -1: the last one
{
    ShardRecord *records = (ShardRecord *)(void *)parts->sections[SECTION_RECORDS].data;
    return records + (record < 0 ? (int64_t)parts->header.records + record : record);
}

static void assert_parts_refused(Parts *parts, const char *error) // and frees them
{
    static const char zeros[SHARD_ALIGN] = {0};
    Bytes bytes = {0};
    assert_ok(bytes_append(&bytes, &parts->header, sizeof parts->header));
    for (int i = 0; i < SECTIONS; i++) {
        assert_ok(bytes_append(&bytes, zeros, (SHARD_ALIGN - bytes.size % SHARD_ALIGN) % SHARD_ALIGN));
        parts->header.sections[i] = (ShardSection){.offset = bytes.size, .size = parts->sections[i].size};
        assert_ok(bytes_append(&bytes, parts->sections[i].data, parts->sections[i].size));
        bytes_free(&parts->sections[i]);
    }
    memcpy(bytes.data, &parts->header, sizeof parts->header);
    shard_reseal((uint8_t *)bytes.data, bytes.size);
    assert_refused(takes(&bytes), error);
    bytes_free(&bytes);
}

static void what_no_record_has_is_refused(void **state)
{
    static const struct {
        ShardSectionKind section;
        const char *more, *error;
        size_t size;
    } cases[] = {{SECTION_IDS, "\0\0\0\0", "its sections hold more than its records", 4},
                 {SECTION_SPANS, "\1\0\0\0\2\0\0\0", "its sections hold more than its records", 8},
                 {SECTION_TEXT, "x", "its sections hold more than its records", 1},
                 {SECTION_NAMES, "x\0", "its sections hold more than its records", 2},
                 {SECTION_RECORDS, "x", "the sizes of its sections contradict its header", 1},
                 {SECTION_IDS, "\0\0", "the sizes of its sections contradict its header", 2},
                 {SECTION_SPANS, "\0\0\0\0", "the sizes of its sections contradict its header", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Parts parts = parts_of(0);
        assert_ok(bytes_append(&parts.sections[cases[i].section], cases[i].more, cases[i].size));
        assert_parts_refused(&parts, cases[i].error);
    }
}

static void names_that_are_not_names_are_refused(void **state)
{
    static const char NAMES[] = "its section of names does not begin and end with 0";
    static const char PLACE[] = "its parts do not begin where those of the record before it end";
    Parts parts = parts_of(0);
    bytes_clear(&parts.sections[SECTION_NAMES]);
    assert_parts_refused(&parts, NAMES);
    parts = parts_of(0);
    parts.sections[SECTION_NAMES].size--;
    assert_parts_refused(&parts, NAMES);
    parts = parts_of(0);
    record_of(&parts, -1)->category = (uint32_t)parts.sections[SECTION_NAMES].size; // the next name, which is not there
    assert_parts_refused(&parts, PLACE);
    parts = parts_of(0);
    record_of(&parts, -1)->category = (uint32_t)parts.sections[SECTION_NAMES].size; // it is there, and empty
    assert_ok(bytes_append(&parts.sections[SECTION_NAMES], "", 1));
    assert_parts_refused(&parts, PLACE);
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

// ---- the disk

static int count_in(const char *path)
{
    char **names;
    size_t count;
    if (!folder_exists(path))
        return 0;
    assert_ok(folder_list(&names, &count, path));
    names_free(names, count);
    return (int)count;
}

// How many shards a folder shows its reader, each of them whole; 0 for a folder that is refused.
static int shards_in(const char *path)
{
    char **files;
    size_t count;
    if (!folder_exists(path) || !shard_files(&files, &count, path))
        return 0;
    for (size_t i = 0; i < count; i++) {
        Shard s;
        assert_ok(shard_open(&s, files[i]));
        shard_close(&s);
    }
    names_free(files, count);
    return (int)count;
}

static bool write_three(void *context)
{
    int shards;
    return write_made(context, SHARD_SFT, SMALL, &shards) && shards == 3;
}

static void what_is_not_finished_is_removed(void **state)
{
    char *path = in_folder("unfinished");
    Made m;
    ShardWriter *w = shard_writer_open_sized(path, &ABOUT, 1);
    for (int i = 0; i < 3; i++)
        assert_ok(shard_writer_add(w, make(&m, SHARD_SFT, i)));
    assert_int_equal(count_in(path), 2);
    shard_writer_close(w);
    assert_int_equal(count_in(path), 0);
    free(path);
}

static void an_error_at_any_instant_leaves_nothing(void **state)
{
    char *path = in_folder("errors"), log[sizeof fail_log] = "";
    int after = 0;
    for (bool ok = false; !ok; after++) {
        assert_true(after < 1000);
        failpoint_arm(FAIL_ERROR, after);
        error_clear();
        ok = write_three(path);
        bool hit = fail_calls > after;
        snprintf(log, sizeof log, "%s", fail_log);
        failpoint_arm(FAIL_NOT, 0);
        assert_true(ok != hit);
        if (ok)
            break;
        assert_true(error_text()[0] != 0);
        if (log[after] == 'W')
            assert_non_null(strstr(error_text(), "free some space"));
        assert_int_equal(count_in(path), 0);
    }
    assert_int_equal(count_in(path), 3);
    assert_non_null(strstr(log, "SRS")); // a part: synced, renamed, its folder synced
    assert_non_null(
        strstr(log, "PSRPSRPSRS")); // the end: each header written, synced, its file named; the folder synced
    print_message("failed at each of %d changes of the disk\n", after);
    free(path);
}

static void assert_named_are_whole(const char *path) // also in a folder of which some are missing
{
    char **names;
    size_t count;
    if (!folder_exists(path))
        return;
    assert_ok(folder_list(&names, &count, path));
    for (size_t i = 0; i < count; i++) {
        char *file = path_join(path, names[i]);
        Shard s;
        if (strncmp(names[i], "shard-", 6) == 0) {
            assert_ok(shard_open(&s, file));
            shard_close(&s);
        }
        free(file);
    }
    names_free(names, count);
}

static void a_kill_at_any_instant_leaves_no_shard_that_is_not_whole(void **state)
{
    int after = 0;
    for (bool finished = false; !finished; after++) {
        char *path = in_folder("kill");
        assert_true(after < 1000);
        finished = survives_kill(after, write_three, path);
        assert_named_are_whole(path);
        assert_true(!finished || shards_in(path) == 3);
        if (after % 2 == 0 && folder_exists(path)) // every second run finds what the one before it left
            assert_ok(folder_remove(path));
        free(path);
    }
    assert_true(after > 40); // there are more instants than that
    print_message("killed at each of %d changes of the disk\n", after - 1);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    assert_refused(shard_writer_open("/proc/nowhere/sft", &ABOUT) != NULL, "/proc/nowhere");
}

// ---- a folder of shards

static void move(const char *path, const char *from, const char *to)
{
    char *a = path_join(path, from), *b = path_join(path, to);
    assert_int_equal(rename(a, b), 0);
    free(a);
    free(b);
}

static void assert_folder_refused(const char *path, const char *error)
{
    char **files;
    size_t count;
    assert_refused(shard_files(&files, &count, path), error);
    assert_true(files == NULL && count == 0);
}

static void an_incomplete_folder_is_refused_with_what_is_missing(void **state)
{
    char *path = in_folder("folder");
    assert_ok(write_three(path));
    move(path, "shard-00002-of-00003.bin", "elsewhere");
    assert_folder_refused(path, "folder: shard 00002 of 00003 is missing; copy it again");
    move(path, "elsewhere", "shard-00002-of-00003.bin");
    move(path, "shard-00000-of-00003.bin", "elsewhere");
    assert_folder_refused(path, "folder: shard 00000 of 00003 is missing");
    move(path, "shard-00001-of-00003.bin", "elsewhere");
    assert_folder_refused(path, "folder: shard 00000 of 00003 is missing");
    assert_folder_refused("/nowhere", "/nowhere");
    free(path);
}

static void shards_of_two_preparations_are_refused(void **state)
{
    char *path = in_folder("two"), **files;
    size_t count;
    assert_ok(write_three(path));
    move(path, "shard-00001-of-00003.bin", "shard-00001-of-00004.bin");
    assert_folder_refused(path, "shard-00001-of-00004.bin: is beside shards of another preparation, of 00003");
    move(path, "shard-00001-of-00004.bin", "shard-00001-of-00003.bin");
    assert_ok(shard_files(&files, &count, path));
    assert_int_equal(count, 3);
    names_free(files, count);
    free(path);
}

static void other_names_are_refused_and_temporary_ones_ignored(void **state)
{
    static const char *const names[] = {
        "shard-2-of-3.bin",          "shard-00003-of-00003.bin", "shard-00002-of-00003.bin.gz",
        "shard-00002-of-00003.bin~", "shard-+0002-of-00003.bin", "shard-00002"};
    char *path = in_folder("names");
    assert_ok(write_three(path));
    move(path, "shard-00000-of-00003.bin", "elsewhere");
    move(path, "shard-00001-of-00003.bin", "part-00001");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        move(path, "shard-00002-of-00003.bin", names[i]);
        assert_folder_refused(path, ": not the name of a shard; move it elsewhere");
        assert_non_null(strstr(error_text(), names[i]));
        move(path, names[i], "shard-00002-of-00003.bin");
    }
    move(path, "shard-00002-of-00003.bin", "shard-00002-of-00003.bin.tmp-77"); // being written, or left behind
    assert_int_equal(shards_in(path), 0);
    free(path);
}

static void a_renamed_shard_is_refused(void **state)
{
    char *path = in_folder("renamed"), *file = path_join(path, "shard-00001-of-00003.bin"),
         *other = path_join(path, "other.bin");
    Shard s;
    assert_ok(write_three(path));
    move(path, "shard-00000-of-00003.bin", "shard-00001-of-00003.bin");
    assert_refused(shard_open(&s, file), "it is shard 00000 of 00003 by its header; was it renamed?");
    move(path, "shard-00001-of-00003.bin", "other.bin"); // not a name that says a number
    assert_ok(shard_open(&s, other));
    shard_close(&s);
    free(other);
    free(file);
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
        cmocka_unit_test(a_shard_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_shard_with_any_bit_flipped_is_refused),
        cmocka_unit_test(a_shard_with_something_added_is_refused),
        cmocka_unit_test(refused_files_are_named_with_a_remedy),
        cmocka_unit_test(a_header_that_contradicts_its_file_is_refused),
        cmocka_unit_test(a_record_that_contradicts_its_file_is_refused),
        cmocka_unit_test(a_record_for_rl_has_an_answer),
        cmocka_unit_test(what_no_record_has_is_refused),
        cmocka_unit_test(names_that_are_not_names_are_refused),
        cmocka_unit_test(the_writer_refuses_what_the_reader_would),
        cmocka_unit_test(a_record_has_fewer_than_two_billion_tokens),
        cmocka_unit_test(records_out_of_order_are_refused),
        cmocka_unit_test(what_is_not_finished_is_removed),
        cmocka_unit_test(an_error_at_any_instant_leaves_nothing),
        cmocka_unit_test(a_kill_at_any_instant_leaves_no_shard_that_is_not_whole),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
        cmocka_unit_test(an_incomplete_folder_is_refused_with_what_is_missing),
        cmocka_unit_test(shards_of_two_preparations_are_refused),
        cmocka_unit_test(other_names_are_refused_and_temporary_ones_ignored),
        cmocka_unit_test(a_renamed_shard_is_refused),
    };
    if (count == 2) // writes the committed shards into a folder
        return write_committed(arguments[1]) ? 0 : 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
