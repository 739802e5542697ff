// base/: what every other folder uses: errors, checked memory, bytes, hashes, random numbers. Nothing here knows of
// models or tokens. Files are in system/files.h, JSON in json/json.h.
//
// Errors: a function that can fail returns false after fail(...); its callers pass that on with TRY, or add context
// with fail_in. Only main prints (error_text) and exits.
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
bool fail_in(const char *format, ...) PRINTF_LIKE(1, 2);    // puts an outer cause in front; always returns false
bool fail_errno(const char *format, ...) PRINTF_LIKE(1, 2); // fail, with strerror(errno) after it
const char *error_text(void);                               // the chain, "" if there is none
void error_clear(void);

// The kind of the first cause. A caller that can do without something must know whether it is absent or damaged, or
// only out of reach for now; a caller that was asked to stop must know that this is why it failed.
typedef enum ErrorKind {
    ERROR_OTHER,
    ERROR_SYSTEM,   // the system refused: no memory, or fail_errno, except for a file that does not exist
    ERROR_USAGE,    // options that are missing or contradict each other
    ERROR_STOPPED,  // a signal asked the program to stop, and the work in progress was given up
    ERROR_ELSEWHERE // another process of this job has failed, and says why
} ErrorKind;
ErrorKind error_kind(void);
int error_status(void); // what a program exits with: 2 for ERROR_USAGE, else 1
bool fail_as(ErrorKind kind, const char *format, ...) PRINTF_LIKE(2, 3); // fail, of another kind than ERROR_OTHER

#define TRY(x)                                                                                                         \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            return false;                                                                                              \
    } while (0)

// ---- memory (memory.c): sizes from outside are multiplied with a check for overflow before memory is taken

bool size_multiply(size_t *product, size_t a, size_t b); // false (and an error) on overflow
bool size_add(size_t *sum, size_t a, size_t b);
void *allocate(size_t count, size_t size); // zeroed, 64-byte aligned; NULL after fail(); free() frees it
bool grow(void *pointer_to_array, size_t *capacity, size_t wanted, size_t size); // realloc in doubling steps
char *copy_text(const char *text);                                               // strdup with an error

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// ---- bytes (bytes.c): a growable buffer; a 0 byte always follows the end, so that .data is a C string

typedef struct Bytes {
    char *data;
    size_t size, capacity;
} Bytes;

bool bytes_append(Bytes *b, const void *data, size_t size);
bool bytes_text(Bytes *b, const char *text);
bool bytes_printf(Bytes *b, const char *format, ...) PRINTF_LIKE(2, 3);
void bytes_clear(Bytes *b); // keeps the memory
void bytes_free(Bytes *b);

// Bytes in memory that the caller owns; may hold NUL. data is NULL where there is no text at all.
typedef struct Text {
    const char *data;
    size_t size;
} Text;

// UTF-8: length in bytes of the longest valid prefix; == size when all of it is valid (no surrogates, no overlong
// forms)
size_t utf8_valid_prefix(const char *data, size_t size);

// ---- hashes (hash.c)

uint64_t hash_bytes(const void *data, size_t size); // XXH3, 64 bits
void hash_bytes_128(const void *data, size_t size, uint64_t hash[2]);

// ---- time (clock.c)

double clock_seconds(void); // of the monotonic clock

// ---- random numbers: base/philox.h, Philox4x32-10, a function of names and not of time

#ifdef __cplusplus
}
#endif
#endif
