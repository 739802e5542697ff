// Between the files of checkpoints: the manifest as it is read, and the names of steps. The front door is checkpoint.h.
#ifndef CHECKPOINT_CHECKPOINT_INTERNAL_H
#define CHECKPOINT_CHECKPOINT_INTERNAL_H

#include "checkpoint/checkpoint.h"

#define CHECKPOINT_FORMAT "dereason checkpoint"
enum { CHECKPOINT_VERSION = 2 };

typedef struct ManifestFile {
    const char *name;
    uint64_t size, hash; // XXH3 of the whole file
} ManifestFile;

// Elements offset .. offset+length-1 of a tensor, as fp32 from a byte of a file.
typedef struct ManifestRange {
    const char *tensor;
    int64_t elements, offset, length;
    int64_t file;        // place in the list of files
    uint64_t byte, hash; // XXH3 of the range's bytes
} ManifestRange;

typedef struct Manifest {
    json_t *root; // owns the names and the state
    const json_t *state;
    int64_t step;
    ManifestFile *files;
    ManifestRange *ranges; // by name, then by offset; each tensor is covered once, without holes
    size_t file_count, range_count;
} Manifest;

// Reads FOLDER/MANIFEST.json and checks it, and that the files it names are there with their sizes.
bool manifest_read(Manifest *manifest, const char *folder);
void manifest_free(Manifest *manifest);

// XXH3 of a manifest as compact JSON with sorted keys, without its own key "xxh3": a changed digit in the state, or in
// the place of a tensor, is noticed like one in a tensor.
bool manifest_hash(uint64_t *hash, const json_t *root);

json_t *hash_json(uint64_t hash); // 16 digits

extern uint64_t checkpoint_synced_at_once;         // bytes of a shard; a test may make it small
char *step_path(const char *folder, int64_t step); // folder/step-N, to be freed; NULL after fail()

bool leftovers_remove(const char *folder);              // of attempts that were killed
bool step_make_room(const char *path);                  // what is no folder goes: a link, which somebody has made
bool later_set_aside(const char *folder, int64_t step); // see checkpoint_save
bool checkpoints_prune(const char *folder, int64_t newest, const CheckpointKeep *keep);

#endif
