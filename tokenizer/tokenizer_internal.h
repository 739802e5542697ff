// Shared by the tokenizer's files: the open tokenizer, the splitter, normalization. Users include
// tokenizer/tokenizer.h.
#ifndef TOKENIZER_TOKENIZER_INTERNAL_H
#define TOKENIZER_TOKENIZER_INTERNAL_H

#include "tokenizer/bpe.h"
#include "tokenizer/tokenizer.h"

// ---- code points (tokenizer_classes.c: the pinned table)

enum { CODE_POINTS = 0x110000 };
enum { LETTER = 1, NUMBER = 2, SPACE = 4 }; // \p{L}, \p{N}, \s: no code point has two of them
enum { FOLLOWS = 8 };                       // NFC may change it or join it to the character before
enum { ALONE = 16 };                        // NFC never touches it, though newer Unicode versions would

uint8_t *classes_open(void); // (CODE_POINTS) bits; free() it; NULL after fail()

typedef struct CodePoint {
    uint32_t value, length; // length in bytes
} CodePoint;

static inline CodePoint code_point_at(const uint8_t *p) // of valid UTF-8
{
    if (p[0] < 0x80)
        return (CodePoint){p[0], 1};
    if (p[0] < 0xE0)
        return (CodePoint){(uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F), 2};
    if (p[0] < 0xF0)
        return (CodePoint){(uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F), 3};
    return (CodePoint){(uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 |
                           (p[3] & 0x3F),
                       4};
}

static inline size_t sequence_length(uint8_t lead) // the length that a lead byte announces; 1 for other bytes
{
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

size_t ascii_prefix(const uint8_t *text, size_t size); // bytes before the first one above 0x7F

// ---- normalization (tokenizer_nfc.c)

typedef struct NfcScratch {
    int32_t *points, *sorted;
    size_t point_capacity, sorted_capacity;
} NfcScratch;

void nfc_scratch_free(NfcScratch *scratch);
bool nfc_append(const uint8_t *classes, NfcScratch *scratch, Bytes *out, const uint8_t *text,
                size_t size); // text: valid UTF-8

// ---- splitting a text into words (tokenizer_split.c)

extern const char qwen_expression[], gpt2_expression[];

typedef struct Splitter { // immutable
    const uint8_t *classes;
    void *code; // pcre2_code; NULL when the expression is Qwen's, or when there is none
    bool whole; // no expression: a text is one word
} Splitter;

typedef struct SplitScratch {
    void *match, *context, *stack; // PCRE2's
    size_t begin, end;             // the last match found, which may be ahead
} SplitScratch;

bool splitter_open(Splitter *splitter, const uint8_t *classes, const char *expression); // NULL: no expression
bool splitter_open_general(Splitter *splitter, const uint8_t *classes,
                           const char *expression); // never the hand-written splitter
void splitter_close(Splitter *splitter);
bool split_scratch_open(SplitScratch *scratch, const Splitter *splitter);
void split_scratch_close(SplitScratch *scratch);

// *end: the end of the word that begins at `at`. Ask for the words of a text in order, from 0. Text: valid UTF-8.
bool split_next(const Splitter *splitter, SplitScratch *scratch, const uint8_t *text, size_t size, size_t at,
                size_t *end);
size_t split_qwen(const uint8_t *classes, const uint8_t *text, size_t size,
                  size_t at); // the same for Qwen's expression

// ---- the open tokenizer (tokenizer_read.c fills it)

typedef enum VocabularyKind {
    VOCABULARY_NONE = 0,
    VOCABULARY_BASE,
    VOCABULARY_ADDED,
    VOCABULARY_SPECIAL
} VocabularyKind;

typedef struct AddedToken {
    const uint8_t *text; // in Tokenizer.bytes
    size_t size;
    int32_t id;
    bool takes_before, takes_behind; // the whitespace there belongs to it (lstrip, rstrip)
    bool single_word;                // no match next to a letter, number, mark or underscore
} AddedToken;

typedef struct AddedTokens {
    AddedToken *list; // (count) sorted by text
    size_t count;
    bool first[256]; // the bytes that begin one of them
    int only_first;  // that byte, if it is always the same; -1 otherwise
} AddedTokens;

struct Tokenizer {
    Bytes bytes;     // the texts of all tokens, end to end
    uint32_t *begin; // (size + 1) token i is bytes[begin[i] .. begin[i + 1])
    uint8_t *kind;   // (size) VocabularyKind
    int32_t size;    // 1 + largest id
    int32_t *lookup; // tokens of the vocabulary by their bytes: open addressing, -1 is empty
    size_t lookup_mask;
    AddedTokens added;        // found in the text unchanged
    AddedTokens added_normal; // found between those, in the text after NFC ("normalized" true)
    Bpe bpe;
    bool nfc;
    uint8_t *classes; // (CODE_POINTS)
    Splitter splitter;
    uint64_t hash;
};

int32_t lookup_bytes(const Tokenizer *tokenizer, const uint8_t *bytes,
                     size_t size);                                 // the base token with this text, -1 if none
bool spelled_bytes(Bytes *out, const char *spelling, size_t size); // "Ġthe" to " the"; false, no error: misspelled
uint64_t encoder_steps(const Encoder *encoder); // BpeScratch.steps: for tests and benchmarks, which count work

#endif
