// Checkpoints that survive a crash, a full disk or a kill at any instant. The state of a run is named fp32 tensors
// (weights, moments) and a JSON object of scalars; on disk that is OUT/checkpoints/step-N/ with shard files (valid
// safetensors) and MANIFEST.json, which says where each range of each tensor lies: any number of ranks can read what
// any number wrote.
//
// The order on disk: everything into step-N.tmp-NONCE/, shards synced, manifest last, then one rename to step-N, then
// the file `latest` (a hint for people and scripts), then old checkpoints go. No step-N is ever seen half written.
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include "json/json.h"

typedef struct StateTensor {
    const char *name; // "model.norm.weight", "optim.m.model.norm.weight", ...; unique
    int64_t elements;
    // Writes elements first .. first+count-1 to out. Called for every element once, ascending, a piece at a time.
    bool (*read)(void *context, int64_t first, int64_t count, float *out);
    void *context;
} StateTensor;

// What a checkpoint of these takes on disk without its manifest (a few hundred bytes for each tensor).
bool checkpoint_bytes(uint64_t *bytes, const StateTensor *tensors, size_t count);

// How many folders step-N are in folder; 0 if it is not there.
bool checkpoint_count(int64_t *count, const char *folder);

// Saves into folder (OUT/checkpoints); state is borrowed. Then keeps the newest `keep` (0: all) up to this step.
// Checkpoints of later steps belong to a run that was given up, and are renamed to step-M.abandoned. Fails where a
// value is not finite or can't be read, or the disk is full, and leaves the older checkpoints as they were. One process
// saves into a folder at a time: it removes first what killed attempts left behind.
bool checkpoint_save(const char *folder, int64_t step, const StateTensor *tensors, size_t count, json_t *state,
                     int keep);

// Asks for the pieces of a save in their order, after the first `pieces`, and keeps nothing: for ranks that do not
// save, and for rank 0 where it has failed in the middle.
bool checkpoint_attend(const StateTensor *tensors, size_t count, int64_t pieces);

// The newest whole checkpoint (manifest valid, all files there, every checksum right): its path and step; -1 if there
// is none. Broken ones are skipped, and a line about each is appended to warnings (may be NULL). Fails if the folder
// can't be listed, and where a checkpoint may be whole but can't be read now: going on from an older one would write
// over it.
bool checkpoint_newest(Bytes *path, int64_t *step, const char *folder, Bytes *warnings);

typedef struct Checkpoint Checkpoint;

bool checkpoint_open(Checkpoint **checkpoint, const char *path);
void checkpoint_close(Checkpoint *checkpoint); // NULL is fine
int64_t checkpoint_step(const Checkpoint *checkpoint);
const json_t *checkpoint_state(const Checkpoint *checkpoint);                // belongs to the checkpoint
int64_t checkpoint_elements(const Checkpoint *checkpoint, const char *name); // -1 if there is no such tensor

// Elements first .. first+count-1. The checksum of a range is verified when it is first read. Not from several threads
// at once.
bool checkpoint_read(Checkpoint *checkpoint, const char *name, int64_t first, int64_t count, float *out);

bool checkpoint_verify(Checkpoint *checkpoint); // the checksum of every file, whole

#endif
