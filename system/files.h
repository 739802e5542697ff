// Files (file.c): mapped reads, and writes that are either complete or not there.
#ifndef SYSTEM_FILES_H
#define SYSTEM_FILES_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct MappedFile {
    const uint8_t *data; // NULL for an empty file
    size_t size;
} MappedFile;

bool file_map(MappedFile *file, const char *path);
void file_unmap(MappedFile *file);

// XXH3 of bytes of a mapped file, which may still have to come from a slow disk: each MAPPED_PIECE of them is progress
// (system/phase.h). As hash_bytes otherwise; false: no memory.
enum { MAPPED_PIECE = 1 << 22 };
bool mapped_hash(uint64_t *hash, const uint8_t *data, size_t size);

bool file_read(Bytes *out, const char *path, size_t limit); // whole file; an error if it is larger than limit bytes

// What a path leads to; links are followed. PATH_NONE only where the system says so: a file system that is out of
// reach, or a folder that may not be looked into, is an error (false), because what counts as absent is made anew, and
// would overwrite the user's work.
typedef enum PathKind { PATH_NONE, PATH_FILE, PATH_FOLDER, PATH_OTHER } PathKind;
bool path_kind(PathKind *kind, const char *path);
bool path_in_folder_kind(PathKind *kind, const char *folder, const char *name);
bool path_bytes(uint64_t *bytes, const char *path); // the size of a file; 0: it does not exist

// The same at a glance, for work that may be skipped: false whenever it cannot be told.
bool file_exists(const char *path); // a regular file
bool folder_exists(const char *path);

// Written under a temporary name beside its target; commit: fsync, rename, fsync of the folder. Until then the old file
// stays. A link stays, and the file that it leads to is replaced; a device, a pipe, a socket or a link to nothing is
// refused. Leftovers of a killed process are removed when the same file is written again.
typedef struct AtomicFile {
    int descriptor;
    char *path, *temporary;
    uint64_t written;
} AtomicFile;

bool atomic_open(AtomicFile *file, const char *path);
bool atomic_write(AtomicFile *file, const void *data, size_t size);
bool atomic_commit(AtomicFile *file); // on failure the temporary file is removed
void atomic_abort(AtomicFile *file);  // harmless after commit
bool file_write_atomic(const char *path, const void *data, size_t size);
bool file_may_be_written(const char *path); // nothing has that name, or what has it may be replaced

// The same, but a file is replaced only if it is empty or begins like an earlier one of ours: any other is the user's.
bool file_may_be_replaced(const char *path, const char *beginning);

// A folder beside its target, under a temporary name as above: mode 0755, locked by this process as long as it is open.
typedef struct TemporaryFolder {
    char *path;
    int lock;
} TemporaryFolder;

bool temporary_folder_make(TemporaryFolder *folder, const char *beside);
void temporary_folder_close(TemporaryFolder *folder); // removes it if it still has that name; keeps the error text

bool folder_make(const char *path);                   // with parents; not an error if it is there
bool parents_make(const char *path);                  // the parent folders of this file or folder
bool folder_temporary(char **path, const char *name); // a new one, NAME.tmp-..., in $TMPDIR or /tmp; free the path
bool folder_sync(const char *path);
bool folder_remove(const char *path);                             // with its contents
bool folder_list(char ***names, size_t *count, const char *path); // sorted, without . and ..; free with names_free
void names_free(char **names, size_t count);

// Whether a folder of ours may take this place: nothing is there, or an empty folder, or one of which may_lose() says
// so, whose names are what is in it. False after fail().
bool folder_may_be_replaced(const char *folder, bool (*may_lose)(const char *folder, char **names, size_t count));

// The user's folder for our files of a kind: dereason/ in the environment's `variable`, else in `in_home` in the user's
// home (XDG base directory specification: "XDG_CACHE_HOME", ".cache"). NULL, and no error: there is neither; a home
// that is not there (a service's) is not ours to make. free() it.
bool user_folder(char **folder, const char *variable, const char *in_home);

// Removes the entries that goes() selects: PATH_FOLDER removes a folder, PATH_FILE anything else, PATH_NONE keeps it.
// Does nothing where the folder does not exist.
bool folder_clean(const char *folder, PathKind (*goes)(const void *context, const char *name), const void *context);
char *path_join(const char *folder, const char *name); // allocated; NULL after fail()

// Renames the folder `temporary`, whose files are all synced, to `folder` beside it (same file system; publish.c). An
// older folder of that name is exchanged for it in one step where the file system can do that, and then removed. On
// failure `folder` is as before, and the caller removes `temporary`.
bool folder_publish(const char *temporary, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
