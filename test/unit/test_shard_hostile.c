// Shards that are not what a writer wrote: cut anywhere, with any bit changed, with something added, and files whose
// checksums are right and that contradict themselves. Each is refused with its place.
#include "test/support/made_shards.h"
#include "test/support/shards.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shard_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_shard_with_any_bit_flipped_is_refused),
        cmocka_unit_test(a_shard_with_something_added_is_refused),
        cmocka_unit_test(refused_files_are_named_with_a_remedy),
        cmocka_unit_test(a_header_that_contradicts_its_file_is_refused),
        cmocka_unit_test(a_record_that_contradicts_its_file_is_refused),
        cmocka_unit_test(a_record_for_rl_has_an_answer),
        cmocka_unit_test(what_no_record_has_is_refused),
        cmocka_unit_test(names_that_are_not_names_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
