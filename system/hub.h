// Things that people pass where a folder of a model or tokenizer is meant: each is recognised, and the error says how
// to get a folder from it. Only names and the first bytes of files are read.
#ifndef SYSTEM_HUB_H
#define SYSTEM_HUB_H

#include "base/base.h"

// False after fail() when path is recognised as something else: the Hub's cache (the error names the snapshot), a LoRA
// adapter, a GGUF file, weights or an archive in place of their folder, a Git LFS pointer. True: nothing speaks against
// it.
bool hub_not_mistaken(const char *path);

// Whether these are the first bytes of a Git LFS pointer, left in place of the real file.
bool is_lfs_pointer(const void *data, size_t size);
#define LFS_POINTER                                                                                                    \
    "a Git LFS pointer in place of the file; `git lfs pull` there fetches it, or download it again with `hf download`"

// For a folder with a configuration but no readable weights: fails, naming what is there instead.
bool hub_other_weights(const char *folder);

#endif
