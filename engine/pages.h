// Which KV pages are free, and how many sequences hold each of the others. A page is KEY_BLOCK positions of every
// layer. The model knows where they are (Activations.key_pages), the engine what is in them (engine.h).
#ifndef ENGINE_PAGES_H
#define ENGINE_PAGES_H

#include "base/base.h"

typedef struct PagePool {
    int32_t *holders; // (count) 0: free
    int32_t *free;    // (free_count) a stack
    int64_t count, free_count;
} PagePool;

bool page_pool_open(PagePool *pool, int64_t count);
void page_pool_close(PagePool *pool);

int32_t page_take(PagePool *pool); // with one holder; -1: none is free
void page_hold(PagePool *pool, int32_t page);
void page_give_back(PagePool *pool, int32_t page); // free again when no sequence holds it

#endif
