// The pool of KV pages: see pages.h.
#include "engine/pages.h"
#include <assert.h>
#include <stdlib.h>

bool page_pool_open(PagePool *pool, int64_t count)
{
    *pool = (PagePool){.count = count, .free_count = count};
    pool->holders = allocate((size_t)count, sizeof *pool->holders);
    pool->free = allocate((size_t)count, sizeof *pool->free);
    TRY(pool->holders != NULL && pool->free != NULL);
    for (int64_t i = 0; i < count; i++)
        pool->free[i] = (int32_t)(count - 1 - i); // page 0 is taken first
    return true;
}

void page_pool_close(PagePool *pool)
{
    free(pool->holders);
    free(pool->free);
    *pool = (PagePool){0};
}

int32_t page_take(PagePool *pool)
{
    if (pool->free_count == 0)
        return -1;
    int32_t page = pool->free[--pool->free_count];
    pool->holders[page] = 1;
    return page;
}

void page_hold(PagePool *pool, int32_t page)
{
    assert(pool->holders[page] > 0);
    pool->holders[page]++;
}

void page_give_back(PagePool *pool, int32_t page)
{
    assert(pool->holders[page] > 0);
    if (--pool->holders[page] == 0)
        pool->free[pool->free_count++] = page;
}
