// The planned allocation: see arena.h.
#include "kernels/arena.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 256 };

bool arena_add(Arena *arena, const char *name, void *pointer_to_pointer, int64_t count, size_t size)
{
    size_t bytes;
    TRY(size_multiply(&bytes, (size_t)count, size));
    TRY(size_add(&bytes, bytes, ALIGNMENT - 1));
    bytes -= bytes % ALIGNMENT;
    size_t offset = arena->end;
    TRY(size_add(&arena->end, arena->end, bytes));
    arena->bytes = arena->end > arena->bytes ? arena->end : arena->bytes;
    TRY(grow(&arena->entries, &arena->capacity, arena->count + 1, sizeof *arena->entries));
    arena->entries[arena->count++] = (ArenaEntry){name, offset, bytes, pointer_to_pointer};
    return true;
}

void arena_again_from(Arena *arena, size_t end) { arena->end = end; }

bool arena_allocate(Arena *arena)
{
    arena->memory = arena->kernels->allocate(arena->bytes);
    if (arena->memory == NULL)
        return fail_in("the memory for %s, %.2f GiB, can't be had", arena->name, (double)arena->bytes / 0x1p30);
    for (size_t i = 0; i < arena->count; i++)
        memcpy(arena->entries[i].pointer, &(void *){(char *)arena->memory + arena->entries[i].offset}, sizeof(void *));
    return true;
}

static bool named_before(const Arena *arena, size_t entry)
{
    for (size_t i = 0; i < entry; i++)
        if (strcmp(arena->entries[i].name, arena->entries[entry].name) == 0)
            return true;
    return false;
}

void arena_print(const Arena *arena, FILE *out)
{
    fprintf(out, "%-50s %12.1f MiB\n", arena->name, (double)arena->bytes / 0x1p20);
    for (size_t i = 0; i < arena->count; i++) {
        if (named_before(arena, i))
            continue;
        size_t bytes = 0, arrays = 0;
        for (size_t j = i; j < arena->count; j++)
            if (strcmp(arena->entries[j].name, arena->entries[i].name) == 0) {
                bytes += arena->entries[j].bytes;
                arrays++;
            }
        fprintf(out, "  %-40s %4zu x %13.1f MiB\n", arena->entries[i].name, arrays, (double)bytes / 0x1p20);
    }
}

void arena_free(Arena *arena)
{
    if (arena->memory != NULL)
        arena->kernels->release(arena->memory);
    free(arena->entries);
    *arena = (Arena){.name = arena->name, .kernels = arena->kernels};
}
