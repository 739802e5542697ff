// build/tokenize FOLDER [--decode]: lines of {"text"} to lines of {"ids"}, or back. For inspection, and for comparing
// with other tokenizers; the programs call tokenizer/tokenizer.h themselves.
#include "json/json.h"
#include "system/start.h"
#include "tokenizer/tokenizer.h"
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: tokenize FOLDER [--decode] < in.jsonl > out.jsonl\n"
    "\n"
    "FOLDER holds a tokenizer.json. Every line of the input is an object:\n"
    "  {\"text\": \"...\"}  becomes {\"ids\": [...]}, added tokens such as <|im_end|> matched as one id;\n"
    "  {\"ids\": [...]}   becomes {\"text\": \"...\"} with --decode: added tokens kept, invalid UTF-8 as U+FFFD.\n"
    "The first bad line ends the program with its number on stderr and exit status 1.\n";

static bool encode_line(Encoder *encoder, const json_t *row, const char *where, Bytes *out)
{
    const json_t *text = json_object_get(row, "text"); // may hold NUL, so not json_need_text
    if (!json_is_string(text))
        return fail("%s: key \"text\" must be a string", where);
    TokenList tokens = {0};
    bool ok = encode(encoder, &tokens, json_string_value(text), json_string_length(text)) || fail_in("%s", where);
    ok = ok && bytes_text(out, "{\"ids\": [");
    for (size_t i = 0; ok && i < tokens.count; i++)
        ok = bytes_printf(out, i == 0 ? "%" PRId32 : ", %" PRId32, tokens.ids[i]);
    tokens_free(&tokens);
    return ok && bytes_text(out, "]}\n");
}

static bool decode_ids(const Tokenizer *tokenizer, const json_t *ids, Bytes *text)
{
    DecodeStream stream = {0};
    size_t i;
    const json_t *id;
    json_array_foreach (ids, i, id) {
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value > INT32_MAX)
            return fail("ids[%zu] is not an id", i);
        if (!decode_next(&stream, tokenizer, text, (int32_t)value, true))
            return fail_in("ids[%zu]", i);
    }
    return decode_end(&stream, text) && bytes_text(text, "");
}

static bool decode_line(const Tokenizer *tokenizer, const json_t *row, const char *where, Bytes *out)
{
    const json_t *ids = json_object_get(row, "ids");
    if (!json_is_array(ids))
        return fail("%s: key \"ids\" must be a list of integers", where);
    Bytes text = {0};
    bool ok = decode_ids(tokenizer, ids, &text) || fail_in("%s", where);
    json_t *value = ok ? json_pack("{s:s%}", "text", text.data, text.size) : NULL;
    char *line = value == NULL ? NULL : json_dumps(value, 0);
    if (ok && line == NULL)
        ok = fail("%s: no memory", where);
    ok = ok && bytes_text(out, line) && bytes_text(out, "\n");
    free(line);
    json_decref(value);
    bytes_free(&text);
    return ok;
}

static bool convert(const Tokenizer *tokenizer, Encoder *encoder, bool back)
{
    char *line = NULL, where[64];
    size_t capacity = 0;
    ssize_t size;
    Bytes out = {0};
    bool ok = true;
    for (int64_t number = 1; ok && (size = getline(&line, &capacity, stdin)) >= 0; number++) {
        snprintf(where, sizeof where, "line %" PRId64, number);
        bytes_clear(&out);
        json_t *row = json_parse(line, (size_t)size, where);
        ok = row != NULL && (back ? decode_line(tokenizer, row, where, &out) : encode_line(encoder, row, where, &out));
        if (ok && fwrite(out.data, 1, out.size, stdout) != out.size)
            ok = fail_errno("writing to stdout");
        json_decref(row);
    }
    if (ok && (ferror(stdin) || fflush(stdout) != 0))
        ok = fail_errno(ferror(stdin) ? "reading stdin" : "writing to stdout");
    free(line);
    bytes_free(&out);
    return ok;
}

int main(int count, char **arguments)
{
    program_start();
    bool back = count == 3 && strcmp(arguments[2], "--decode") == 0;
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if ((count != 2 && !back) || arguments[1][0] == '-') {
        fputs(help, stderr);
        return 2;
    }
    Tokenizer *tokenizer = tokenizer_open(arguments[1]);
    Encoder *encoder = tokenizer == NULL ? NULL : encoder_open(tokenizer);
    bool ok = encoder != NULL && convert(tokenizer, encoder, back);
    if (!ok)
        fprintf(stderr, "tokenize: %s\n", error_text());
    encoder_close(encoder);
    tokenizer_close(tokenizer);
    return ok ? 0 : 1;
}
