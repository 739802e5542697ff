// Shards made for tests: records that are a function of their number, the folder of this test program that they are
// written into, and the committed shards, which were written from the same records.
#ifndef TEST_MADE_SHARDS_H
#define TEST_MADE_SHARDS_H

#include "shards/shard_format.h"
#include "test/support/check.h"
#include <unistd.h>

#define FIXTURES "test/fixtures/shards"
enum { RECORDS = 12, LONGEST = 64, SMALL = 900 }; // of the committed shards; SMALL: the size of a shard there

static char folder[64];

static inline int set_up(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_shard_XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

static inline char *in_folder(const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

typedef struct Made { // an entry, and what it points to
    int32_t ids[LONGEST];
    Span spans[LONGEST];
    char id[32];
    ShardEntry entry;
} Made;

static inline Text text_of(const char *text) { return (Text){text, strlen(text)}; }

static const ShardAbout ABOUT = {.kind = SHARD_SFT,
                                 .tokenizer = 0x1122334455667788,
                                 .template = TEMPLATE_QWEN3_NOTHINK,
                                 .train_turn_newline = true,
                                 .instruction = 0x99AABBCCDDEEFF00,
                                 .seed = 42};

static inline ShardAbout about_of(ShardKind kind)
{
    ShardAbout about = ABOUT;
    about.kind = kind;
    return about;
}

// Every token of a response is trained but each seventh, from the end of the prompt on.
static inline void make_spans(ShardEntry *e, Span *spans)
{
    e->spans = spans;
    for (uint32_t begin = e->prompt; begin < e->tokens; begin += 7) {
        uint32_t end = begin + 6 < e->tokens ? begin + 6 : e->tokens;
        spans[e->span_count++] = (Span){begin, end};
        e->trained += end - begin;
    }
}

static inline ShardEntry *make(Made *m, ShardKind kind, int number)
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

static inline bool write_made(const char *path, ShardKind kind, size_t target, int *shards)
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

static inline void assert_same_text(Text a, Text b)
{
    assert_int_equal(a.data == NULL, b.data == NULL);
    assert_int_equal(a.size, b.size);
    assert_true(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline void assert_same_entry(const ShardEntry *a, const ShardEntry *b)
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
static inline Shard written(const char *name, ShardKind kind, const ShardEntry *entries, int count)
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

static const char *const COMMITTED[] = {"sft/shard-00000-of-00003.bin", "sft/shard-00001-of-00003.bin",
                                        "sft/shard-00002-of-00003.bin", "rl/shard-00000-of-00001.bin"};

static inline Bytes committed(int number)
{
    char *path = path_join(FIXTURES, COMMITTED[number]);
    Bytes bytes = {0};
    assert_ok(file_read(&bytes, path, 1 << 20));
    free(path);
    return bytes;
}

#endif
