// The tokenised data set in memory: every document's ids end to end, and which of them are trained. It is read once, from JSONL
// files, by all threads, and never changes; the threads do not show in the result. Which documents make a step: data/loader.h.
#ifndef DATA_DOCUMENTS_H
#define DATA_DOCUMENTS_H

#include "data/records.h"
#include "data/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum OverLength { OVER_LENGTH_DROP, OVER_LENGTH_CUT, OVER_LENGTH_ERROR } OverLength;

typedef struct DocumentOptions {
    const Tokenizer *tokenizer; // NULL: only ids rows can be read
    const ChatTemplate *chat;
    const char *instruction; // as in RecordOptions
    int32_t vocabulary;      // rows of the embedding: an id from there on is refused
    int64_t seq_len;         // the longest document, in tokens; at least 2
    OverLength over_length;  // a longer one is dropped, cut to its first seq_len tokens, or refused
    bool train_turn_newline; // the newline after <|im_end|> is trained too
    int64_t skip_bad_rows;   // so many refused rows are passed over, of whatever kind
} DocumentOptions;

typedef struct Document {
    int64_t start;           // of its tokens in Documents.ids
    int32_t length, trained; // tokens, and how many of them are trained; length >= 2, trained >= 1
    int32_t difficulty;      // 1-5, 0 unknown
    int32_t file;            // which of Documents.paths
    int64_t line;
    size_t id; // where its id begins in Documents.names
} Document;

enum { BAD_ROWS_NAMED = 5 };

typedef struct Documents {
    Document *list;   // (count) in the order of the files and lines
    int32_t *ids;     // (tokens)
    uint8_t *trained; // (tokens) 1: predicting this token is trained; a document's first never is
    int64_t count, tokens, trained_tokens;
    int32_t longest; // tokens of the longest document

    // What became of the rows: rows = count + bad + unfinished + too_long. cut ones are in count.
    int64_t rows, bad, unfinished, too_long, cut;
    char *bad_rows[BAD_ROWS_NAMED]; // the errors of the first ones; NULL beyond

    char **paths; // (files) the JSONL files
    size_t files;
    Bytes names; // the rows' ids, each ended by 0
    size_t list_capacity, ids_capacity, trained_capacity;
} Documents;

// Reads JSONL files, in the order given; a folder stands for its *.jsonl, sorted. Fails with file and line at the first bad row
// that is one too many, and when nothing is left to train on, with what became of the rows. Tokens after a document's last
// trained one would be computed for nothing and are left away.
bool documents_read(Documents *documents, const DocumentOptions *options, const char *const *paths, size_t count);
void documents_free(Documents *documents);

uint64_t documents_hash(const Documents *documents); // of ids, flags and lengths: is it the same data?
const char *document_id(const Documents *documents, int64_t number);

#ifdef __cplusplus
}
#endif
#endif
