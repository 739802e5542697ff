// For programs that take either shards or JSONL: JSONL files are prepared into a cache folder first, once for the same
// content and rules, so that shards are opened in any case.
#ifndef INTAKE_SHARD_FOLDERS_H
#define INTAKE_SHARD_FOLDERS_H

#include "intake/prepare.h"
#include "rows/field_map.h"

typedef struct ShardFolders {
    char **paths; // (count) folders of shards, or single shards
    size_t count, capacity;
    bool cached;          // some of them are in the cache
    bool prepared;        // JSONL files were prepared just now, and this is the result:
    PrepareReport report; // (else empty)
    char *made;           // the folder that was created for them; NULL: none
} ShardFolders;

// options->inputs: folders of shards, shards, JSONL files and folders of them, and how to prepare the JSONL (out is set
// here), for SFT, or with SPLIT_RL_ONLY for RL; cache: the parent folder of the result, CACHE/<hash>/, created when
// needed.
bool shard_folders(ShardFolders *folders, const PrepareOptions *options, const char *cache);

// The same for the words of an option such as --data, with --map and --format for all JSONL among them (format NULL:
// detected): options->inputs is set here. --map with shards alone is refused, unless options->map_may_miss, because
// nothing reads it.
bool shard_folders_of(ShardFolders *folders, PrepareOptions options, const char *const *words, size_t count,
                      const FieldMaps *maps, const char *format, const char *cache);
void shard_folders_free(ShardFolders *folders);

// Removes what was prepared just now, for a program that will not use it; keeps the error text.
void shard_folders_discard(ShardFolders *folders, const char *cache);

bool is_shards(const char *path); // a shard, or a folder written by ./prepare, even without shards

#endif
