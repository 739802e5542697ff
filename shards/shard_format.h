// A shard's layout on disk, for shard_write.c and shard_read.c, and the check of a record, for both (shard_check.c).
// FORMAT.md says the same in words. Little-endian, like every machine that CUDA runs on.
#ifndef SHARDS_SHARD_FORMAT_H
#define SHARDS_SHARD_FORMAT_H

#include "shards/shard.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shards are little-endian, and so must be the machine"
#endif

#define SHARD_MAGIC "DEREASON"
enum {
    SHARD_ALIGN = 64,
    SHARD_FLAG_NEWLINE = 1,
    SHARD_FLAG_ALL_TURNS = 2,
    RECORD_HAS_ANSWER = 1,
    RECORD_HAS_ROW = 2,
    SHARDS_MOST = 99999
};

typedef enum ShardSectionKind {
    SECTION_RECORDS, // ShardRecord
    SECTION_IDS,     // int32
    SECTION_SPANS,   // pairs of uint32
    SECTION_TEXT,    // of each record: id, answer, row
    SECTION_NAMES,   // of sources and categories, each ended by 0: the empty one, then in the order of their first use
    SECTIONS
} ShardSectionKind;

typedef struct ShardSection {
    uint64_t offset, size, hash; // from the start of the file; bytes; XXH3 of them
} ShardSection;

typedef struct ShardHeader {
    char magic[8];
    uint32_t version, header_size;
    uint64_t file_size;
    uint32_t kind, template, flags, number, of, vocabulary;
    uint64_t tokenizer, instruction, seed, records, trained;
    ShardSection sections[SECTIONS];
    uint8_t zero[40];
    uint64_t hash; // XXH3 of everything before it
} ShardHeader;

struct ShardRecord {
    uint64_t key;               // records ascend by difficulty, then by this
    uint64_t token, span, text; // the first of each, in their sections
    uint32_t tokens, prompt, trained, spans;
    uint32_t id, answer, row;  // bytes
    uint32_t source, category; // where their names begin in the section of names
    uint8_t difficulty, flags;
    uint16_t zero;
};

_Static_assert(sizeof(ShardHeader) == 256, "a header has 256 bytes");
_Static_assert(sizeof(struct ShardRecord) == 72, "a record has 72 bytes");
_Static_assert(TEMPLATE_CHATML == 0 && TEMPLATE_QWEN3 == 1 && TEMPLATE_QWEN3_NOTHINK == 2 && TEMPLATE_QWEN25 == 3 &&
                   TEMPLATE_UNKNOWN == 4 && TEMPLATE_QWEN2 == 5 && TEMPLATE_QWEN25_MATH == 6 && TEMPLATE_QWQ == 7 &&
                   TEMPLATE_QWEN3_THINKING == 8 && TEMPLATE_QWEN3_TRAINING == 9 && TEMPLATE_QWEN3_TRAINING_STRICT == 10,
               "FORMAT.md and every shard that was written say so");
_Static_assert(SHARD_TARGET_BYTES / sizeof(struct ShardRecord) < SHARD_RECORDS_MOST, "a full shard can be read");

uint64_t shard_header_hash(const ShardHeader *header);

// What is wrong with a record, except its order, ids and names: "its spans ..."; NULL: nothing.
const char *shard_entry_fault(ShardKind kind, const ShardEntry *entry);

// shard_open of a file in memory: shard->file, 8-byte aligned; fills the rest of *shard when the file is valid.
bool shard_take(Shard *shard, const char *path);

// For tests: a shard is full when its sections are larger than target bytes.
ShardWriter *shard_writer_open_sized(const char *folder, const ShardAbout *about, size_t target);

#endif
