// What the tokenizer's tests share: the small tokenizer of the fixtures, texts from JSONL files, and the way to skip.
#ifndef TEST_TOKENIZER_H
#define TEST_TOKENIZER_H

#include "json/json.h"
#include "system/files.h"
#include "tokenizer/tokenizer_internal.h"
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h> // last: its macro fail hides ours

#define TINY "test/fixtures/tokenizer/tiny"
#define FIXTURE(name) "test/fixtures/tokenizer/" name
#define QWEN "../shared/data/qwen3-tokenizer"

static inline void no_error(bool ok)
{
    if (!ok)
        fail_msg("%s", error_text());
}

static inline void skip_without_data(void)
{
    if (!folder_exists("../shared/data")) {
        print_message("skipped: no ../shared/data\n");
        skip();
    }
}

static inline Tokenizer *opened(const char *folder)
{
    Tokenizer *tokenizer = tokenizer_open(folder);
    no_error(tokenizer != NULL);
    return tokenizer;
}

static inline Encoder *encoding(const Tokenizer *tokenizer)
{
    Encoder *encoder = encoder_open(tokenizer);
    no_error(encoder != NULL);
    return encoder;
}

static inline json_t *json_lines(const char *path) // a list of the rows of a JSONL file
{
    Bytes text = {0};
    no_error(file_read(&text, path, 64 << 20));
    json_t *rows = json_array();
    for (char *line = text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *row = json_parse(line, (size_t)(end - line), path);
        no_error(row != NULL);
        json_array_append_new(rows, row);
    }
    bytes_free(&text);
    assert_true(json_array_size(rows) > 0);
    return rows;
}

static inline void assert_ids(const TokenList *ids, const json_t *wanted)
{
    assert_int_equal(ids->count, json_array_size(wanted));
    for (size_t i = 0; i < ids->count; i++)
        assert_int_equal(ids->ids[i], json_integer_value(json_array_get(wanted, i)));
}

static inline void assert_bytes(const Bytes *got, const void *wanted, size_t size)
{
    assert_int_equal(got->size, size);
    if (size > 0)
        assert_memory_equal(got->data, wanted, size);
}

static inline void append_code_point(Bytes *out, uint32_t c)
{
    char bytes[4];
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = (char)(size == 1 ? c : (0xF00u >> size & 0xFF) | c);
    no_error(bytes_append(out, bytes, size));
}

#endif
