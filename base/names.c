// Open addressing by XXH3, half full at most.
#include "base/names.h"
#include <stdlib.h>
#include <string.h>

// The slot that holds the name, or where it would go.
static size_t slot_of(const NameTable *t, const char *name, size_t size)
{
    size_t slot = hash_bytes(name, size) & (t->slot_count - 1);
    while (t->slots[slot] != 0) {
        const char *there = t->names[t->slots[slot] - 1];
        if (strlen(there) == size && memcmp(there, name, size) == 0)
            break;
        slot = (slot + 1) & (t->slot_count - 1);
    }
    return slot;
}

static bool widen(NameTable *t)
{
    if (t->count * 2 < t->slot_count)
        return true;
    size_t count = t->slot_count == 0 ? 64 : t->slot_count * 2;
    uint32_t *slots = allocate(count, sizeof *slots);
    TRY(slots != NULL);
    free(t->slots);
    t->slots = slots;
    t->slot_count = count;
    for (size_t i = 0; i < t->count; i++)
        t->slots[slot_of(t, t->names[i], strlen(t->names[i]))] = (uint32_t)i + 1;
    return true;
}

bool name_known(const NameTable *t, const char *name, size_t size)
{
    return t->slot_count > 0 && t->slots[slot_of(t, name, size)] != 0;
}

bool name_number(NameTable *t, const char *name, size_t size, size_t *number)
{
    Bytes copy = {0};
    TRY(widen(t));
    size_t slot = slot_of(t, name, size);
    if (t->slots[slot] == 0) {
        if (t->count == UINT32_MAX - 1)
            return fail("more than %" PRIu32 " names", UINT32_MAX - 1);
        TRY(grow(&t->names, &t->capacity, t->count + 1, sizeof *t->names));
        TRY(bytes_append(&copy, name, size));
        t->names[t->count++] = copy.data;
        t->slots[slot] = (uint32_t)t->count;
    }
    *number = t->slots[slot] - 1;
    return true;
}

void name_table_free(NameTable *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->names[i]);
    free(t->names);
    free(t->slots);
    *t = (NameTable){0};
}
