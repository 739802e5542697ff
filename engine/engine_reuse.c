// Pages that were computed before: what a sequence makes known of its own, and what it finds when it is let in. Bits
// are those of computing them again, because keys and values depend on the tokens alone.
//
// A page is published when the pass that completes it has been queued, so whoever finds it runs in a later pass.
// Weights that change would make all of it stale: an engine over a model that trains publishes nothing (engine_open).
#include "engine/engine_internal.h"

bool extend_chain(Sequence *s)
{
    int64_t whole = s->count / KEY_BLOCK;
    TRY(grow(&s->chain, &s->chain_capacity, (size_t)whole, sizeof *s->chain));
    for (int64_t i = s->chain_count; i < whole; i++)
        s->chain[i] = page_hash(i == 0 ? 0 : s->chain[i - 1], s->tokens + i * KEY_BLOCK);
    s->chain_count = whole;
    return true;
}

static PageKey key_of(const Sequence *s, int64_t block)
{
    return (PageKey){
        .hash = s->chain[block], .before = block == 0 ? -1 : s->pages[block - 1], .ids = s->tokens + block * KEY_BLOCK};
}

void publish_pages(Engine *e, Sequence *s)
{
    int64_t whole = e->pages.published == NULL ? 0 : smaller(s->computed, s->count) / KEY_BLOCK;
    for (; s->published < whole; s->published++)
        s->pages[s->published] = page_publish(&e->pages, s->pages[s->published], key_of(s, s->published));
}

static void publish_list(Engine *e, const SequenceList *list)
{
    for (size_t i = 0; i < list->count; i++)
        publish_pages(e, list->items[i]);
}

void publish_all(Engine *e)
{
    publish_list(e, &e->running);
    publish_list(e, &e->beginnings);
}

// Whole blocks that s may take from others: a sample computes at least one token itself, one whose prompt is scored all
// of them.
static int64_t blocks_to_find(const Engine *e, const Sequence *s)
{
    if (e->pages.published == NULL || (s->settings != NULL && s->settings->request.score))
        return 0;
    return (s->settings == NULL ? s->count : s->count - 1) / KEY_BLOCK;
}

static void share_with_parent(Engine *e, Sequence *s)
{
    for (; s->page_count < ceil_divide(s->shared, KEY_BLOCK); s->page_count++) {
        s->pages[s->page_count] = s->parent->pages[s->page_count];
        page_hold(&e->pages, s->pages[s->page_count]);
    }
    s->computed = s->shared;
    s->published = smaller(s->parent->published, s->shared / KEY_BLOCK);
    s->parent->used = e->passes;
}

// Of its prompt, what was there before it came.
static void count_found(Sequence *s, bool from_parent)
{
    int64_t tokens = from_parent ? smaller(s->shared, s->parent->found) : s->computed;
    if (!s->started)
        s->found = smaller(tokens, s->prompt);
}

bool find_pages(Engine *e, Sequence *s)
{
    int64_t most = blocks_to_find(e, s);
    int32_t page;
    TRY(grow(&s->pages, &s->page_capacity, (size_t)s->count / KEY_BLOCK + 1, sizeof *s->pages));
    for (; s->page_count < most && (page = page_find(&e->pages, key_of(s, s->page_count))) >= 0; s->page_count++) {
        page_hold(&e->pages, page);
        s->pages[s->page_count] = page;
    }
    s->computed = s->page_count * KEY_BLOCK;
    s->published = s->page_count;
    bool from_parent = s->parent != NULL && s->shared >= s->computed;
    if (from_parent) {
        give_pages_back(e, s);
        share_with_parent(e, s);
    }
    count_found(s, from_parent);
    return true;
}

// The first page of r that is not published; pages before it are, so s would find those, and none after.
static bool computes_what_comes_next(const Engine *e, const Sequence *r, const Sequence *s)
{
    int64_t next = r->published;
    return next < r->chain_count && next < blocks_to_find(e, s) && r->chain[next] == s->chain[next] &&
           page_find(&e->pages, key_of(r, next)) < 0;
}

bool next_page_is_coming(const Engine *e, const Sequence *s)
{
    for (size_t i = 0; i < e->running.count; i++)
        if (computes_what_comes_next(e, e->running.items[i], s))
            return true;
    return false;
}
