// A table of names: each text gets a number, in the order of first use. A look-up takes constant time on average.
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/base.h"

typedef struct NameTable {
    char **names; // (count)
    size_t count, capacity;
    uint32_t *slots; // numbers + 1; 0: free
    size_t slot_count;
} NameTable;

bool name_number(NameTable *table, const char *name, size_t size, size_t *number); // finds or adds it; no NUL in it
bool name_known(const NameTable *table, const char *name, size_t size);
void name_table_free(NameTable *table);

#endif
