// Shards: tokenised records in binary files that are mapped, not read. shards/FORMAT.md describes every byte, and
// dev/read_shards.py reads them without this code. A folder holds shard-00000-of-00002.bin, ...: records sorted by
// difficulty, then by a keyed hash, across all of them. Checksums cover everything in a file; a file that is truncated,
// changed, of another version or made with another tokenizer is refused with its name and the place. Next:
// data/documents.h, which opens folders.
#ifndef SHARDS_SHARD_H
#define SHARDS_SHARD_H

#include "system/files.h"
#include "tokenizer/template.h"

enum { SHARD_VERSION = 1, SHARD_RECORDS_MOST = 1 << 24 };
#define SHARD_TARGET_BYTES ((size_t)128 << 20) // a shard is full when its sections are larger than this

typedef enum ShardKind {
    SHARD_SFT = 1, // a prompt and the response to train on
    SHARD_RL = 2   // a prompt and its reference answer; nothing is trained
} ShardKind;

// Common to all shards of a folder: it decides what the tokens mean and which of them are trained.
typedef struct ShardAbout {
    ShardKind kind;
    uint64_t tokenizer;      // tokenizer_hash; 0: rows of ids, without a tokenizer
    TemplateKind template;   // TEMPLATE_UNKNOWN: nothing was rendered
    bool train_turn_newline; // the newline after <|im_end|> is trained
    bool train_all_turns;    // all turns of the assistant are trained, not only the last one
    uint64_t instruction;    // hash_bytes of the --instruction that problem rows got; 0: none
    uint64_t seed;           // of the keyed hash
} ShardAbout;

// Tokens begin .. end-1 of a record are trained. A record's spans ascend, are not empty and do not touch; its first
// token is never trained.
typedef struct Span {
    uint32_t begin, end;
} Span;

// One record, for writing and as read (then it points into the mapped file).
typedef struct ShardEntry {
    const int32_t *ids;                           // (tokens)
    const Span *spans;                            // (span_count)
    uint32_t tokens, prompt, trained, span_count; // prompt: tokens before the response, == tokens where there is none
    int difficulty;                               // 1-5; 0 unknown
    uint64_t key;                                 // the keyed hash: records ascend by (difficulty, key)
    Text id;                                      // never NULL
    Text answer;                                  // the reference; data NULL: none
    Text row;              // RL: the JSON row itself, for judges and graders; data NULL: not kept
    Text source, category; // size 0: none
} ShardEntry;

// ---- writing (shard_write.c): shard after shard, each whole or absent, in memory of about one shard

typedef struct ShardWriter ShardWriter;

ShardWriter *shard_writer_open(const char *folder, const ShardAbout *about); // makes the folder; NULL after fail()
bool shard_writer_add(ShardWriter *writer, const ShardEntry *entry); // copies it; an entry out of order is an error
// Writes the rest and gives the files their final names; *shards: how many (0 for a folder without records).
bool shard_writer_finish(ShardWriter *writer, int *shards);
void shard_writer_close(ShardWriter *writer); // also after finish; without finish, removes what was written

// ---- reading (shard_read.c)

typedef struct ShardRecord ShardRecord; // its layout in the file

typedef struct Shard {
    MappedFile file;
    ShardAbout about;
    uint32_t number, of;     // this is shard `number` (from 0) of `of`
    int64_t records, tokens; // in this shard
    int32_t vocabulary;      // 1 + the largest id
    uint64_t hash;           // of the whole file
    // sections, in the mapped file
    const ShardRecord *table; // (records)
    const int32_t *ids;       // (tokens)
    const Span *spans;
    const char *text, *names;
    uint64_t span_count, text_size, names_size;
} Shard;

// Maps a file and checks all of it: checksums, every offset and count, order, spans, UTF-8 of texts.
bool shard_open(Shard *shard, const char *path);
void shard_close(Shard *shard);

ShardEntry shard_entry(const Shard *shard, int64_t record); // 0 <= record < records

// The shard files of a folder, in order: complete (0 .. of-1), and no other file is called shard-*. *count 0: there are
// none.
bool shard_files(char ***paths, size_t *count, const char *folder); // free with names_free

#endif
