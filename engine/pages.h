// Which KV pages are free, how many sequences hold each of the others, and what is in those that can be found again. A
// page is KEY_BLOCK positions of every layer. The model knows where they are (Activations.key_pages), the engine what
// is in them (engine.h).
//
// A page that is published is found by its tokens and the page before it: by a hash of the whole chain first, then by
// comparing both, so that no collision can give another page. Nobody writes to it any more. When nobody holds it, it is
// kept until its room is needed: the least recently used goes first, and none before those that continue it.
#ifndef ENGINE_PAGES_H
#define ENGINE_PAGES_H

#include "kernels/exactness.h"
#include "base/base.h"

// The tokens of a page, after those of another one.
typedef struct PageKey {
    uint64_t hash;      // page_hash
    int32_t before;     // the published page of the tokens before; -1: there are none
    const int32_t *ids; // (KEY_BLOCK)
} PageKey;

typedef struct PublishedPage {
    uint64_t hash;
    int32_t before, followers; // followers: published pages that continue it
    int32_t next;              // in its bucket; -1: none
    int32_t older, newer;      // of those kept; -1: none
    bool published;
} PublishedPage;

typedef struct PagePool {
    int32_t *holders; // (count) 0: free, or kept
    int32_t *free;    // (free_count) a stack
    int64_t count, free_count;
    PublishedPage *published;         // (count) NULL: nothing is published here
    int32_t *ids;                     // (count, KEY_BLOCK) of published pages
    int32_t *buckets;                 // (bucket_count) the first page of each; -1: none
    int64_t bucket_count;             // a power of two
    int32_t oldest, newest;           // of the pages that are kept
    int64_t kept_count, reused_count; // reused_count: how often a kept page gave its room to another one
} PagePool;

bool page_pool_open(PagePool *pool, int64_t count, bool publishes);
void page_pool_close(PagePool *pool);

int64_t pages_available(const PagePool *pool); // free or kept

int32_t page_take(PagePool *pool); // with one holder; -1: none is free or kept
void page_hold(PagePool *pool, int32_t page);
void page_give_back(PagePool *pool, int32_t page); // free or kept when no sequence holds it

uint64_t page_hash(uint64_t before, const int32_t *ids); // before: the hash of the page before; 0: there is none

// The page with these tokens; -1: there is none. It is not held yet.
int32_t page_find(const PagePool *pool, PageKey key);

// A page that the caller holds has the keys and values of these tokens from now on. Where another one has them already
// that one is held instead, and this one given back: the result is the caller's page.
int32_t page_publish(PagePool *pool, int32_t page, PageKey key);
bool page_is_published(const PagePool *pool, int32_t page);

#endif
