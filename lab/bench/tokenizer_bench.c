// build/tokenizer_bench FOLDER FILE.jsonl: how fast one thread encodes the texts of a file, as one JSON line. Every
// pass starts with a new Encoder, so that nothing is remembered from the pass before; opening the tokenizer and reading
// the file are not counted.
#include "json/json.h"
#include "tokenizer/tokenizer.h"
#include <stdlib.h>
#include <string.h>

enum { PASSES = 7 };

typedef struct Texts {
    json_t **texts; // JSON strings
    size_t count, capacity, bytes;
} Texts;

static bool add_texts(Texts *texts, const json_t *row)
{
    static const char *const fields[] = {"problem", "solution", "question", "text"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        json_t *text = json_object_get(row, fields[i]);
        if (!json_is_string(text))
            continue;
        TRY(grow(&texts->texts, &texts->capacity, texts->count + 1, sizeof *texts->texts));
        texts->texts[texts->count++] = json_incref(text);
        texts->bytes += json_string_length(text);
    }
    return true;
}

static bool read_texts(Texts *texts, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fail_errno("%s", path);
    char *line = NULL;
    size_t capacity = 0;
    bool ok = true;
    for (ssize_t size; ok && (size = getline(&line, &capacity, file)) >= 0;) {
        json_t *row = json_parse(line, (size_t)size, path);
        ok = row != NULL && add_texts(texts, row);
        json_decref(row);
    }
    free(line);
    fclose(file);
    return ok;
}

static bool encode_texts(const Tokenizer *tokenizer, const Texts *texts, TokenList *out, double *time)
{
    out->count = 0;
    double begin = clock_seconds();
    Encoder *encoder = encoder_open(tokenizer);
    bool ok = encoder != NULL;
    for (size_t i = 0; ok && i < texts->count; i++)
        ok = encode(encoder, out, json_string_value(texts->texts[i]), json_string_length(texts->texts[i]));
    encoder_close(encoder);
    *time = clock_seconds() - begin;
    return ok;
}

static bool bench(const Tokenizer *tokenizer, const Texts *texts)
{
    TokenList out = {0};
    double best = 0;
    bool ok = true;
    for (int pass = 0; ok && pass < PASSES; pass++) {
        double time;
        ok = encode_texts(tokenizer, texts, &out, &time);
        if (pass == 0 || time < best)
            best = time;
    }
    if (ok)
        printf("{\"program\": \"ours\", \"mb_per_s\": %.1f, \"tokens\": %zu, \"ids_hash\": \"%016" PRIx64 "\"}\n",
               (double)texts->bytes / best * 1e-6, out.count, hash_bytes(out.ids, out.count * sizeof *out.ids));
    tokens_free(&out);
    return ok;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fputs("usage: tokenizer_bench FOLDER FILE.jsonl\n", stderr);
        return 2;
    }
    Texts texts = {0};
    Tokenizer *tokenizer = tokenizer_open(arguments[1]);
    bool ok = tokenizer != NULL && read_texts(&texts, arguments[2]) && bench(tokenizer, &texts);
    if (!ok)
        fprintf(stderr, "tokenizer_bench: %s\n", error_text());
    for (size_t i = 0; i < texts.count; i++)
        json_decref(texts.texts[i]);
    free(texts.texts);
    tokenizer_close(tokenizer);
    return ok ? 0 : 1;
}
