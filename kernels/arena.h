// Memory that is planned before it is taken: a list of named arrays, then one allocation on the device for all of them.
// --plan prints the list that training allocates from; there is no second calculation that could differ.
#ifndef KERNELS_ARENA_H
#define KERNELS_ARENA_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ArenaEntry {
    const char *name; // entries of one name are shown as one line
    size_t offset, bytes;
    void *pointer; // address of the caller's pointer, set by arena_allocate
} ArenaEntry;

typedef struct Arena {
    const char *name;
    ArenaEntry *entries;
    size_t count, capacity;
    size_t end, bytes; // where the next entry goes; of all of them
    void *memory;
    const Kernels *kernels;
} Arena;

bool arena_add(Arena *arena, const char *name, void *pointer_to_pointer, int64_t count, size_t size);
// What is added from here on lies where everything since `end` was arena->end lies: only one of the two is in use.
void arena_again_from(Arena *arena, size_t end);
bool arena_allocate(Arena *arena); // zeroed
void arena_print(const Arena *arena, FILE *out);
void arena_free(Arena *arena);

#ifdef __cplusplus
}
#endif
#endif
