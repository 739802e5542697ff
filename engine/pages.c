// The pool of KV pages: see pages.h.
#include "engine/pages.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool open_published(PagePool *pool)
{
    size_t count = (size_t)pool->count, ids;
    for (pool->bucket_count = 1; pool->bucket_count < pool->count;)
        pool->bucket_count *= 2;
    TRY(size_multiply(&ids, count, KEY_BLOCK));
    pool->published = allocate(count, sizeof *pool->published);
    pool->ids = allocate(ids, sizeof *pool->ids);
    pool->buckets = allocate((size_t)pool->bucket_count, sizeof *pool->buckets);
    TRY(pool->published != NULL && pool->ids != NULL && pool->buckets != NULL);
    for (int64_t i = 0; i < pool->bucket_count; i++)
        pool->buckets[i] = -1;
    return true;
}

bool page_pool_open(PagePool *pool, int64_t count, bool publishes)
{
    *pool = (PagePool){.count = count, .free_count = count, .oldest = -1, .newest = -1};
    pool->holders = allocate((size_t)count, sizeof *pool->holders);
    pool->free = allocate((size_t)count, sizeof *pool->free);
    TRY(pool->holders != NULL && pool->free != NULL);
    for (int64_t i = 0; i < count; i++)
        pool->free[i] = (int32_t)(count - 1 - i); // page 0 is taken first
    return !publishes || open_published(pool);
}

void page_pool_close(PagePool *pool)
{
    free(pool->holders);
    free(pool->free);
    free(pool->published);
    free(pool->ids);
    free(pool->buckets);
    *pool = (PagePool){0};
}

int64_t pages_available(const PagePool *pool) { return pool->free_count + pool->kept_count; }

// ---- kept pages: a list in the order in which they were given back

static void keep(PagePool *pool, int32_t page)
{
    PublishedPage *p = &pool->published[page];
    p->older = pool->newest;
    p->newer = -1;
    *(pool->newest < 0 ? &pool->oldest : &pool->published[pool->newest].newer) = page;
    pool->newest = page;
    pool->kept_count++;
}

static void keep_no_more(PagePool *pool, int32_t page)
{
    PublishedPage *p = &pool->published[page];
    *(p->older < 0 ? &pool->oldest : &pool->published[p->older].newer) = p->newer;
    *(p->newer < 0 ? &pool->newest : &pool->published[p->newer].older) = p->older;
    pool->kept_count--;
}

static int32_t *bucket_of(const PagePool *pool, uint64_t hash)
{
    return &pool->buckets[hash & (uint64_t)(pool->bucket_count - 1)];
}

static void forget(PagePool *pool, int32_t page)
{
    PublishedPage *p = &pool->published[page];
    int32_t *link = bucket_of(pool, p->hash);
    while (*link != page)
        link = &pool->published[*link].next;
    *link = p->next;
    if (p->before >= 0)
        pool->published[p->before].followers--;
    p->published = false;
}

// The one that is given back last of a chain is its first, so that nearly always the oldest has no followers.
static int32_t take_kept(PagePool *pool)
{
    int32_t page = pool->oldest;
    while (page >= 0 && pool->published[page].followers > 0)
        page = pool->published[page].newer;
    if (page < 0)
        return -1;
    keep_no_more(pool, page);
    forget(pool, page);
    pool->reused_count++;
    return page;
}

// ---- holders

int32_t page_take(PagePool *pool)
{
    int32_t page = pool->free_count > 0 ? pool->free[--pool->free_count] : take_kept(pool);
    if (page >= 0)
        pool->holders[page] = 1;
    return page;
}

void page_hold(PagePool *pool, int32_t page)
{
    assert(pool->holders[page] > 0 || page_is_published(pool, page));
    if (pool->holders[page]++ == 0)
        keep_no_more(pool, page);
}

void page_give_back(PagePool *pool, int32_t page)
{
    assert(pool->holders[page] > 0);
    if (--pool->holders[page] > 0)
        return;
    if (page_is_published(pool, page))
        keep(pool, page);
    else
        pool->free[pool->free_count++] = page;
}

// ---- what is in them

bool page_is_published(const PagePool *pool, int32_t page)
{
    return pool->published != NULL && pool->published[page].published;
}

uint64_t page_hash(uint64_t before, const int32_t *ids)
{
    unsigned char chain[sizeof before + KEY_BLOCK * sizeof *ids];
    memcpy(chain, &before, sizeof before);
    memcpy(chain + sizeof before, ids, KEY_BLOCK * sizeof *ids);
    return hash_bytes(chain, sizeof chain);
}

static int32_t *ids_of(const PagePool *pool, int32_t page) { return pool->ids + (int64_t)page * KEY_BLOCK; }

// The page before is the same page: so are all tokens before, as it cannot have gone before this one.
int32_t page_find(const PagePool *pool, PageKey key)
{
    int32_t page = pool->published == NULL ? -1 : *bucket_of(pool, key.hash);
    for (; page >= 0; page = pool->published[page].next) {
        const PublishedPage *p = &pool->published[page];
        if (p->hash == key.hash && p->before == key.before &&
            memcmp(ids_of(pool, page), key.ids, KEY_BLOCK * sizeof *key.ids) == 0)
            break;
    }
    return page;
}

int32_t page_publish(PagePool *pool, int32_t page, PageKey key)
{
    int32_t known = page_find(pool, key);
    if (known == page)
        return page;
    if (known >= 0) {
        page_hold(pool, known);
        page_give_back(pool, page);
        return known;
    }
    int32_t *bucket = bucket_of(pool, key.hash);
    assert(!page_is_published(pool, page) && (key.before < 0 || page_is_published(pool, key.before)));
    pool->published[page] = (PublishedPage){.hash = key.hash, .before = key.before, .next = *bucket, .published = true};
    *bucket = page;
    if (key.before >= 0)
        pool->published[key.before].followers++;
    memcpy(ids_of(pool, page), key.ids, KEY_BLOCK * sizeof *key.ids);
    return page;
}
