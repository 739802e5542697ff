// base/: what every other folder stands on. Errors, checked memory, bytes, files, JSON, random numbers.
// Nothing here knows of models or tokens (base/hub.h: only of what is mistaken for a folder of one). Options are in
// options/options.h, the run's log in base/log.h, HTTP in server/http.h, what the machine gives in base/machine.h.
//
// Errors: a function that can fail returns false after fail(...); its callers pass that on with TRY, or add where they
// were with fail_in. Only main prints (error_text) and exits.
#ifndef BASE_H
#define BASE_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/philox.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- errors (error.c): one chain of causes per thread, outermost first: "loading the model X: X/config.json: ..."

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

bool fail(const char *format, ...) PRINTF_LIKE(1, 2);       // starts a chain; always returns false
bool fail_in(const char *format, ...) PRINTF_LIKE(1, 2);    // puts an outer cause before it; always returns false
bool fail_errno(const char *format, ...) PRINTF_LIKE(1, 2); // fail, with strerror(errno) after it
const char *error_text(void);                               // the chain, "" if there is none
void error_clear(void);

// What began the chain: a caller that can go on without something must know that it is not there, or damaged, and not only out of
// reach for now; and one that has been asked to stop must know that this is why.
typedef enum ErrorKind {
    ERROR_OTHER,
    ERROR_SYSTEM, // the system said no: no memory, or fail_errno, but for a file that is not there
    ERROR_USAGE,  // options that are missing, or do not go together
    ERROR_STOPPED // a signal asks the program to stop, and what was under way was given up
} ErrorKind;
ErrorKind error_kind(void);
int error_status(void);                                                  // what a program exits with: 2 for ERROR_USAGE, else 1
bool fail_as(ErrorKind kind, const char *format, ...) PRINTF_LIKE(2, 3); // fail, of another kind than ERROR_OTHER

#define TRY(x)                                                                                                                   \
    do {                                                                                                                         \
        if (!(x))                                                                                                                \
            return false;                                                                                                        \
    } while (0)

// ---- memory (memory.c): sizes from outside are products that are checked before memory is taken

bool size_multiply(size_t *product, size_t a, size_t b); // false (and an error) on overflow
bool size_add(size_t *sum, size_t a, size_t b);
void *allocate(size_t count, size_t size); // zeroed, 64-byte aligned; NULL after fail(); free() frees it
bool grow(void *pointer_to_array, size_t *capacity, size_t wanted, size_t size); // realloc in doubling steps
char *copy_text(const char *text);                                               // strdup with an error

// ---- bytes (bytes.c): a growable buffer; always one 0 byte behind the end, so that .data is a C string

typedef struct Bytes {
    char *data;
    size_t size, capacity;
} Bytes;

bool bytes_append(Bytes *b, const void *data, size_t size);
bool bytes_text(Bytes *b, const char *text);
bool bytes_printf(Bytes *b, const char *format, ...) PRINTF_LIKE(2, 3);
void bytes_clear(Bytes *b); // keeps the memory
void bytes_free(Bytes *b);

// Bytes inside somebody else's memory; may hold NUL. data is NULL where there is no text at all.
typedef struct Text {
    const char *data;
    size_t size;
} Text;

// UTF-8: length in bytes of the longest valid prefix; == size when all of it is valid (no surrogates, no overlong forms)
size_t utf8_valid_prefix(const char *data, size_t size);

// ---- files (file.c): mapped reads; writes that are either complete or not there

typedef struct MappedFile {
    const uint8_t *data; // NULL for an empty file
    size_t size;
} MappedFile;

bool file_map(MappedFile *file, const char *path);
void file_unmap(MappedFile *file);
bool file_read(Bytes *out, const char *path, size_t limit); // whole file; an error if it is larger than limit bytes

// What a path leads to; links are followed. "Not there" is said only where the system says so: a file system that is away, or a
// folder that may not be looked into, is an error (false), since what is taken for absent is made anew, and somebody's work
// written over.
typedef enum PathKind { PATH_NONE, PATH_FILE, PATH_FOLDER, PATH_OTHER } PathKind;
bool path_kind(PathKind *kind, const char *path);
bool path_in_folder_kind(PathKind *kind, const char *folder, const char *name);
bool path_bytes(uint64_t *bytes, const char *path); // the size of a file; 0: it is not there

// The same at a glance, for what may as well be left undone: whatever cannot be told is a no.
bool file_exists(const char *path); // a regular file
bool folder_exists(const char *path);

// Written beside its target under a temporary name; commit: fsync, rename, fsync of the folder. Until then the old file stands. A link
// stays, and the file that it leads to is replaced; a device, a pipe, a socket or a link to nothing is refused. What a process that was
// killed has left under such a name is removed when the same file is written again.
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
bool file_may_be_written(const char *path); // there is nothing of that name, or what may be replaced

// The same, but a file is replaced only if it is empty or begins like an earlier one of ours: any other is somebody's work.
bool file_may_be_replaced(const char *path, const char *beginning);

// A folder beside its target, under a temporary name as above: 0755, and this process's as long as it is open.
typedef struct TemporaryFolder {
    char *path;
    int lock;
} TemporaryFolder;

bool temporary_folder_make(TemporaryFolder *folder, const char *beside);
void temporary_folder_close(TemporaryFolder *folder); // removes it, if it still has that name; the error at hand stays

bool folder_make(const char *path);                   // with parents; not an error if it is there
bool parents_make(const char *path);                  // the folders that a file or folder of this name lies in
bool folder_temporary(char **path, const char *name); // a new one, NAME.tmp-..., in $TMPDIR or /tmp; free the path
bool folder_sync(const char *path);
bool folder_remove(const char *path);                             // with what is in it
bool folder_list(char ***names, size_t *count, const char *path); // sorted, without . and ..; free with names_free
void names_free(char **names, size_t count);
char *path_join(const char *folder, const char *name); // allocated; NULL after fail()

uint64_t hash_bytes(const void *data, size_t size); // XXH3, 64 bits
void hash_bytes_128(const void *data, size_t size, uint64_t hash[2]);

// Gives the folder `temporary`, whose files are all synced, the name `folder` beside it (same file system; publish.c). What stood
// there before is exchanged for it in one step where the file system can do that, and then removed. On failure `folder` holds what
// it held, and `temporary` is still the caller's to remove.
bool folder_publish(const char *temporary, const char *folder);

// ---- time (clock.c)

double clock_seconds(void); // of the clock that never goes back

// ---- random numbers: base/philox.h, Philox4x32-10, a function of names and not of time

#ifdef __cplusplus
}
#endif
#endif
