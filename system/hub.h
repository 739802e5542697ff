// What people have in their hands where a folder of a model or tokenizer is meant: each is known for what it is, and the error
// says how it becomes a folder. Nothing is read but names and the first bytes of files.
#ifndef SYSTEM_HUB_H
#define SYSTEM_HUB_H

#include "base/base.h"

// False after fail(), when path is something else that is known: the Hub's cache (the snapshot is named), a LoRA adapter, a GGUF
// file, weights or an archive in place of their folder, a Git LFS pointer. True: nothing is known against it.
bool hub_not_mistaken(const char *path);

// The first bytes of a file that Git LFS left in place of the real one.
bool is_lfs_pointer(const void *data, size_t size);
#define LFS_POINTER                                                                                                              \
    "a Git LFS pointer in place of the file; `git lfs pull` there fetches it, or download it again with `hf download`"

// For a folder with a configuration but no weights that can be read: fails with what there is instead.
bool hub_other_weights(const char *folder);

#endif
