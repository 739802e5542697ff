// Fuzzing the tokenizer with the small one of the fixtures (run from the repository's root): any bytes as a text, then
// the same bytes as ids. What must hold: text that is UTF-8 comes back normalized, other text is refused, decoding id
// by id is decoding at once.
#include "tokenizer/tokenizer_internal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_tokenizer: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static void texts(Encoder *encoder, const Tokenizer *tokenizer, const char *text, size_t size)
{
    TokenList ids = {0};
    Bytes back = {0}, normal = {0};
    NfcScratch scratch = {0};
    bool valid = utf8_valid_prefix(text, size) == size;
    must(encode_plain(encoder, &ids, text, size) == valid, "exactly UTF-8 is encoded");
    if (valid) {
        must(decode(tokenizer, &back, ids.ids, ids.count, true), "own ids are decoded");
        must(nfc_append(tokenizer->classes, &scratch, &normal, (const uint8_t *)text, size), "UTF-8 is normalized");
        must(back.size == normal.size && (size == 0 || memcmp(back.data, normal.data, back.size) == 0),
             "the text comes back");
    }
    must(encode(encoder, &ids, text, size) == valid, "added tokens change nothing of that");
    error_clear();
    nfc_scratch_free(&scratch);
    bytes_free(&normal);
    bytes_free(&back);
    tokens_free(&ids);
}

static void ids(const Tokenizer *tokenizer, const uint8_t *data, size_t size)
{
    Bytes whole = {0}, pieces = {0};
    DecodeStream stream = {0};
    bool ok = true, keep = size % 2;
    int32_t *list = allocate(size + 1, sizeof *list);
    must(list != NULL, "memory");
    for (size_t i = 0; i < size; i++) // mostly ids that exist
        list[i] = data[i] < 250 ? data[i] : tokenizer_size(tokenizer) - 3 + (int32_t)(data[i] - 250);
    for (size_t i = 0; ok && i < size; i++) {
        size_t before = pieces.size;
        ok = decode_next(&stream, tokenizer, &pieces, list[i], keep);
        size_t more = pieces.size - before;
        must(more == 0 || utf8_valid_prefix(pieces.data + before, more) == more, "never half a character");
    }
    must(decode(tokenizer, &whole, list, size, keep) == ok, "both ways refuse the same ids");
    must(decode_end(&stream, &pieces), "the rest is written");
    must(!ok || (whole.size == pieces.size && (whole.size == 0 || memcmp(whole.data, pieces.data, whole.size) == 0)),
         "id by id is at once");
    error_clear();
    free(list);
    bytes_free(&whole);
    bytes_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Tokenizer *tokenizer; // opened once for all inputs
    static Encoder *encoder;
    if (tokenizer == NULL) {
        tokenizer = tokenizer_open("test/fixtures/tokenizer/tiny");
        encoder = tokenizer == NULL ? NULL : encoder_open(tokenizer);
        must(encoder != NULL, "the small tokenizer opens");
    }
    texts(encoder, tokenizer, (const char *)data, size);
    ids(tokenizer, data, size);
    return 0;
}
