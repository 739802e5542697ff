// The tokenizer: text to ids and back, as Hugging Face's `tokenizers` does it for byte-level BPE (Qwen's kind), id for
// id. An open Tokenizer is immutable and may be used by many threads; scratch memory for encoding is in an Encoder, one
// per thread. It does not train vocabularies, and refuses other kinds of tokenizers by name. How:
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

// Reads FOLDER/tokenizer.json. NULL after fail(): the file is missing, larger than 256 MB, broken, contradictory, or
// needs something that is not supported. Padding, truncation and tokenizer_config.json are not read: they tell how to
// call a tokenizer, not what ids mean.
Tokenizer *tokenizer_open(const char *folder);
void tokenizer_close(Tokenizer *tokenizer);

int32_t tokenizer_size(const Tokenizer *tokenizer); // 1 + largest id (Qwen3: 151,669): the live columns of the head
int32_t tokenizer_find(const Tokenizer *tokenizer,
                       const char *token); // spelled as in the file: "<think>", "Ġthe"; -1: none
bool tokenizer_adds(const Tokenizer *tokenizer, const char *token); // it is always one token in any text
bool tokenizer_is_special(const Tokenizer *tokenizer,
                          int32_t id);               // false for <think>: matched as one, kept when decoding
uint64_t tokenizer_hash(const Tokenizer *tokenizer); // of vocabulary, merges, added tokens, expression; not of layout

Encoder *encoder_open(const Tokenizer *tokenizer); // the tokenizer must outlive it; NULL after fail()
void encoder_close(Encoder *encoder);

// Append the ids of a text: added tokens in the text are matched first (leftmost, then longest), then, between those
// and after NFC, the ones with "normalized"; encode_plain treats them as ordinary text. The text is UTF-8 of less than
// 1 GB and may hold NUL; otherwise false after fail(), which names the byte, and out is unchanged.
bool encode(Encoder *encoder, TokenList *out, const char *text, size_t size);
bool encode_plain(Encoder *encoder, TokenList *out, const char *text, size_t size);

// Appends the text of ids: invalid UTF-8 becomes U+FFFD, one per maximal subpart (Unicode 3.9, as Rust's
// from_utf8_lossy). Special tokens are left out unless keep_special. An unknown id is an error that names it and its
// place; out is then unchanged.
bool decode(const Tokenizer *tokenizer, Bytes *out, const int32_t *ids, size_t count, bool keep_special);

// The raw bytes of one token, perhaps half a character; owned by the tokenizer. NULL: there is no such id.
const char *token_bytes(const Tokenizer *tokenizer, int32_t id, size_t *size);

// Decoding id by id, for printing as tokens arrive: half a character waits for its rest. Start from {0}; decode_next
// and decode_end together append what decode appends at once.
typedef struct DecodeStream {
    uint8_t waiting[4]; // the bytes of an unfinished character
    uint8_t count;
} DecodeStream;

bool decode_next(DecodeStream *stream, const Tokenizer *tokenizer, Bytes *out, int32_t id, bool keep_special);
bool decode_end(DecodeStream *stream, Bytes *out); // an unfinished character becomes U+FFFD; resets the stream

#endif
