// Checkpoints that survive a crash, a full disk or a kill at any instant. The state of a run is named fp32 tensors
// (weights, moments) and a JSON object of scalars; on disk that is OUT/checkpoints/step-N/ with shard files (valid
// safetensors) and MANIFEST.json, which says where each range of each tensor lies: any number of ranks can read what
// any number wrote.
//
// The order on disk: everything into step-N.tmp-NONCE/, shards synced, manifest last, then one rename to step-N, then
// the file `latest` (a hint for people and scripts), then old checkpoints go. No step-N is ever seen half written. What
// is in the files, for people and other programs: FORMAT.md.
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include "json/json.h"
#include "system/files.h"
#include <stdatomic.h>

enum { STATE_BLOCK = 4096 }; // elements; parts of a tensor begin at multiples of it

typedef struct StateTensor {
    const char *name;     // "model.norm.weight", "optim.m.model.norm.weight", ...; unique
    int64_t elements;     // of the whole tensor
    int64_t first, count; // what this process has of it
    // Writes elements first .. first+count-1 of the tensor to out. Called for every element that this process has,
    // once, ascending, a piece at a time.
    bool (*read)(void *context, int64_t first, int64_t count, float *out);
    void *context;
} StateTensor;

// How many folders step-N are in folder; 0 if it is not there.
bool checkpoint_count(int64_t *count, const char *folder);

// ---- saving into folder (OUT/checkpoints)

// Which checkpoints stay after a save. Those of later steps belong to a run that was given up, and are renamed to
// step-M.abandoned.
typedef struct CheckpointKeep {
    int newest;   // whole ones up to this step; 0: all
    int64_t best; // and the one of this step; 0: there is none
} CheckpointKeep;

// By one process, which has all tensors whole; state is borrowed. Fails where a value is not finite or can't be read,
// or the disk is full, and leaves the older checkpoints as they were. One save at a time: it removes first what killed
// attempts left behind.
bool checkpoint_save(const char *folder, int64_t step, const StateTensor *tensors, size_t count, json_t *state,
                     const CheckpointKeep *keep);

// By several, in the same order: one makes the draft, a folder that all see; each writes its shard there, in any
// thread, and what its report says of it goes to the first; when all are there, the first commits. Closing the draft
// (temporary_folder_close) removes it, unless it was committed.
typedef struct StateShard {
    int number, of; // this process's, of all processes'
    const StateTensor *tensors;
    size_t count;
    const atomic_bool *stop; // set by another thread: it is given up. NULL: nobody does
} StateShard;

bool checkpoint_draft(TemporaryFolder *draft, const char *folder, int64_t step);
bool checkpoint_shard_bytes(uint64_t *bytes, const StateShard *shard); // on disk
bool checkpoint_room(const char *draft, uint64_t bytes); // whether the shards of all find room on its disk
bool checkpoint_shard_write(Bytes *report, const StateShard *shard, const char *draft); // whole and synced
bool checkpoint_commit(const TemporaryFolder *draft, const char *folder, int64_t step, const Bytes *reports, int count,
                       json_t *state, const CheckpointKeep *keep);

// What is left to do of a save that was killed, or has failed after its commit: what it has left, the hint, and old
// checkpoints that go. step: of the newest whole one.
bool checkpoint_finish(const char *folder, int64_t step, const CheckpointKeep *keep);

// ---- reading

// The newest whole checkpoint (manifest valid, all files there, every checksum right): its path and step; -1 if there
// is none. Broken ones are skipped, and a line about each is appended to warnings (may be NULL). Fails if the folder
// can't be listed, and where a checkpoint may be whole but can't be read now: going on from an older one would write
// over it.
bool checkpoint_newest(Bytes *path, int64_t *step, const char *folder, Bytes *warnings);

typedef struct Checkpoint Checkpoint;

// The same, but `check` says whether the bytes of one are right, whose manifest is: by several processes, a part each.
// False after fail(): it is broken, or with ERROR_ELSEWHERE or ERROR_STOPPED, the search ends.
typedef bool CheckpointCheck(void *context, Checkpoint *checkpoint, const char *path);
bool checkpoint_newest_by(Bytes *path, int64_t *step, const char *folder, Bytes *warnings, CheckpointCheck *check,
                          void *context);

bool checkpoint_open(Checkpoint **checkpoint, const char *path);
void checkpoint_close(Checkpoint *checkpoint); // NULL is fine
int64_t checkpoint_step(const Checkpoint *checkpoint);
const json_t *checkpoint_state(const Checkpoint *checkpoint);                // belongs to the checkpoint
int64_t checkpoint_elements(const Checkpoint *checkpoint, const char *name); // -1 if there is no such tensor

// Elements first .. first+count-1. The checksum of a range is verified when it is first read. Not from several threads
// at once.
bool checkpoint_read(Checkpoint *checkpoint, const char *name, int64_t first, int64_t count, float *out);

// The checksums of files part, part + of, ..., whole; 0 and 1: of all.
bool checkpoint_verify(Checkpoint *checkpoint, int part, int of);

#endif
