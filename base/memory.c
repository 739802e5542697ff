// Checked sizes and allocations. Sizes that come from files are multiplied here, never by a bare *.
#include "base/base.h"
#include <stdlib.h>
#include <string.h>

static bool no_memory(size_t bytes) { return fail_as(ERROR_SYSTEM, "no memory for %zu bytes", bytes); }

bool size_multiply(size_t *product, size_t a, size_t b)
{
    if (__builtin_mul_overflow(a, b, product))
        return fail("a size of %zu x %zu does not fit this machine", a, b);
    return true;
}

bool size_add(size_t *sum, size_t a, size_t b)
{
    if (__builtin_add_overflow(a, b, sum))
        return fail("a size of %zu + %zu does not fit this machine", a, b);
    return true;
}

void *allocate(size_t count, size_t size)
{
    size_t bytes, rounded;
    if (!size_multiply(&bytes, count, size) || !size_add(&rounded, bytes, 64))
        return NULL;
    rounded &= ~(size_t)63;
    void *p = aligned_alloc(64, rounded);
    if (p == NULL) {
        no_memory(bytes);
        return NULL;
    }
    memset(p, 0, rounded);
    return p;
}

bool grow(void *pointer_to_array, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity)
        return true;
    size_t larger = *capacity < 8 ? 8 : *capacity, bytes;
    while (larger < wanted)
        if (__builtin_mul_overflow(larger, (size_t)2, &larger))
            return fail("a list of %zu entries does not fit this machine", wanted);
    TRY(size_multiply(&bytes, larger, size));
    void *old;
    memcpy(&old, pointer_to_array, sizeof old); // the caller's pointer, whatever its type
    void *p = realloc(old, bytes);
    if (p == NULL)
        return no_memory(bytes);
    memcpy(pointer_to_array, &p, sizeof p);
    *capacity = larger;
    return true;
}

char *copy_text(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        no_memory(strlen(text) + 1);
    return copy;
}
