// JSONL in, shards and a report out, for tests: a work folder, rows written as files, preparations of them, and what
// the records should be.
#ifndef TEST_PREPARED_H
#define TEST_PREPARED_H

#include "data/documents.h"
#include "intake/prepare.h"
#include "json/json.h"
#include "test/support/check.h"
#include <unistd.h>

#define TINY "test/fixtures/tokenizer/tiny"
#define PROMPT "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"

static char folder[64]; // of this test program
static Tokenizer *tokenizer;
static ChatTemplate chatml;

static inline int prepared_set_up(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_prepare_XXXXXX");
    tokenizer = tokenizer_open(TINY);
    return mkdtemp(folder) == NULL || tokenizer == NULL || !template_open(&chatml, folder, "chatml");
}

static inline int prepared_tear_down(void **state)
{
    tokenizer_close(tokenizer);
    return !folder_remove(folder);
}

static inline char *in_folder(const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

static inline char *write_rows(const char *name, const char *rows)
{
    char *path = in_folder(name);
    assert_ok(file_write_atomic(path, rows, strlen(rows)));
    return path;
}

// Forty problems of difficulties 1 to 5; every second one has a solution, all but every tenth an answer.
static inline char *write_problems(void)
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

typedef struct Preparation {
    PrepareOptions options;
    PrepareInput inputs[4];
    PrepareReport report;
    char *out;
} Preparation;

// The usual rules, into folder/NAME; the options may be changed before prepare() is called.
static inline Preparation preparation(const char *name, const char *const *paths, size_t count)
{
    Preparation p = {.out = in_folder(name)};
    for (size_t i = 0; i < count; i++)
        p.inputs[i].path = paths[i];
    p.options =
        (PrepareOptions){.input_count = count,
                         .out = p.out,
                         .rules = {.tokenizer = tokenizer, .chat = &chatml, .vocabulary = tokenizer_size(tokenizer)},
                         .instruction = "none",
                         .memory = 16 << 20};
    return p;
}

static inline bool run_preparation(Preparation *p)
{
    p->options.inputs = p->inputs;
    return prepare(&p->report, &p->options);
}

static inline void preparation_free(Preparation *p)
{
    prepare_report_free(&p->report);
    free(p->out);
}

// The documents of folder/NAME/PART, of any length.
static inline bool open_part(Documents *d, const char *name, const char *part, DocumentOptions options)
{
    char *out = in_folder(name), *path = path_join(out, part);
    if (options.kind == 0)
        options.kind = SHARD_SFT;
    if (options.seq_len == 0)
        options.seq_len = 1 << 20;
    if (options.vocabulary == 0)
        options.vocabulary = INT32_MAX;
    if (options.template == TEMPLATE_CHATML)
        options.template = TEMPLATE_UNKNOWN; // of {0}: any
    bool ok = documents_open(d, &options, (const char *const[]){path}, 1);
    free(path);
    free(out);
    return ok;
}

static inline Documents documents_in(const char *name, const char *part, ShardKind kind)
{
    Documents d;
    assert_ok(open_part(&d, name, part, (DocumentOptions){.kind = kind}));
    return d;
}

// Rows, prepared as p says (its input and out are set here), as documents.
static inline Documents prepared_rows(const char *rows, Preparation p)
{
    char *path = write_rows("rows.jsonl", rows);
    p.inputs[0].path = path;
    p.options.input_count = 1;
    assert_ok(run_preparation(&p));
    Documents d = documents_in(strrchr(p.out, '/') + 1, "sft", SHARD_SFT);
    preparation_free(&p);
    free(path);
    return d;
}

// Is token t of a document trained?
static inline bool is_trained(const Document *d, int32_t t)
{
    for (int32_t i = 0; i < d->span_count; i++)
        if ((uint32_t)t >= d->spans[i].begin && (uint32_t)t < d->spans[i].end)
            return true;
    return false;
}

// The document is exactly these texts' ids, the second one trained.
static inline void assert_document(const Documents *d, int64_t number, const char *masked, const char *trained)
{
    Encoder *encoder = encoder_open(tokenizer);
    TokenList tokens = {0};
    assert_ok(encode(encoder, &tokens, masked, strlen(masked)));
    size_t prompt = tokens.count;
    assert_ok(encode(encoder, &tokens, trained, strlen(trained)));
    const Document *document = &d->list[number];
    assert_int_equal(document->length, tokens.count);
    assert_int_equal(document->trained, tokens.count - prompt);
    assert_int_equal(document_entry(d, number).prompt, prompt);
    for (size_t i = 0; i < tokens.count; i++) {
        assert_int_equal(document->ids[i], tokens.ids[i]);
        assert_int_equal(is_trained(document, (int32_t)i), i >= prompt);
    }
    tokens_free(&tokens);
    encoder_close(encoder);
}

static inline bool has_id(const Documents *d, const char *id)
{
    for (int64_t i = 0; i < d->count; i++) {
        Text text = document_entry(d, i).id;
        if (text.size == strlen(id) && memcmp(text.data, id, text.size) == 0)
            return true;
    }
    return false;
}

// Nothing of a preparation that failed: neither OUT nor its temporary folder.
static inline void assert_nothing_left(const char *name)
{
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, folder));
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], name, strlen(name)) == 0)
            fail_msg("%s is left behind", names[i]);
    names_free(names, count);
}

#endif
