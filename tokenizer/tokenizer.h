// The tokenizer: text to ids and back, as Hugging Face's `tokenizers` does it for byte-level BPE (Qwen's kind), id for id. A
// Tokenizer never changes after it was opened and may be used by many threads; what encoding scribbles on lives in an Encoder,
// one per thread. It is not a trainer of vocabularies, and other kinds of tokenizers are refused by name. How:
// tokenizer/tokenizer_encode.c, tokenizer/bpe.c.
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include "base/base.h"

typedef struct Tokenizer Tokenizer;
typedef struct Encoder Encoder;

typedef struct TokenList {
    int32_t *ids; // (count)
    size_t count, capacity;
} TokenList;

void tokens_free(TokenList *tokens);

// Reads FOLDER/tokenizer.json. NULL after fail(): the file is missing, larger than 256 MB, broken, contradicts itself, or asks
// for something that is not done here. Padding, truncation and tokenizer_config.json are not read: they say how to call, not
// what ids mean.
Tokenizer *tokenizer_open(const char *folder);
void tokenizer_close(Tokenizer *tokenizer);

int32_t tokenizer_size(const Tokenizer *tokenizer); // 1 + largest id (Qwen3: 151,669): the columns of the head that are alive
int32_t tokenizer_find(const Tokenizer *tokenizer, const char *token); // spelled as in the file: "<think>", "Ġthe"; -1: none
bool tokenizer_adds(const Tokenizer *tokenizer, const char *token);    // it is one token wherever it stands in a text
bool tokenizer_is_special(const Tokenizer *tokenizer, int32_t id);     // false for <think>: matched as one, kept when decoding
uint64_t tokenizer_hash(const Tokenizer *tokenizer); // of vocabulary, merges, added tokens, expression; not of the file's looks

Encoder *encoder_open(const Tokenizer *tokenizer); // the tokenizer must outlive it; NULL after fail()
void encoder_close(Encoder *encoder);

// Append the ids of a text: added tokens found in the text are matched first (leftmost, then longest), then, between those and
// after NFC, the ones with "normalized"; in encode_plain they are ordinary text. The text is UTF-8 of less than 1 GB and may hold
// NUL; otherwise false after fail(), which names the byte, and out is as it was.
bool encode(Encoder *encoder, TokenList *out, const char *text, size_t size);
bool encode_plain(Encoder *encoder, TokenList *out, const char *text, size_t size);

// Appends the text of ids: what is not UTF-8 becomes U+FFFD, one per maximal subpart (Unicode 3.9, as Rust's from_utf8_lossy).
// Special tokens are left out unless keep_special. An unknown id is an error that names it and its place; out is then as it
// was.
bool decode(const Tokenizer *tokenizer, Bytes *out, const int32_t *ids, size_t count, bool keep_special);

// The bytes of one token as they are, perhaps half a character; they belong to the tokenizer. NULL: there is no such id.
const char *token_bytes(const Tokenizer *tokenizer, int32_t id, size_t *size);

// Decoding id by id, for printing while tokens arrive: half a character waits until its rest is there. Start from {0}; all that
// decode_next and decode_end appended is what decode gives at once.
typedef struct DecodeStream {
    uint8_t waiting[4]; // the bytes of an unfinished character
    uint8_t count;
} DecodeStream;

bool decode_next(DecodeStream *stream, const Tokenizer *tokenizer, Bytes *out, int32_t id, bool keep_special);
bool decode_end(DecodeStream *stream, Bytes *out); // an unfinished character becomes U+FFFD; the stream is as new

#endif
