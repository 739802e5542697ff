// Scheduling: which sequences run in the next pass, on which pages.
//
// Sequences run in the order of admission. A pass takes what it can from each: the next token of a sample that decodes,
// a piece of a prompt from others, while the pass has room for tokens. When no page is free, idle prefixes lose theirs,
// the least recently used first; then the sequence admitted last is preempted and recomputed when it is admitted again:
// its tokens are kept, and the pages get the same bits. So the oldest sequence always gets what it needs, and every
// request ends.
//
// Shared pages are reference-counted. Before a sequence writes into a page that others hold, or may find, it gets a
// copy of its own.
#include "engine/engine_internal.h"
#include <stdlib.h>
#include <string.h>

// ---- who waits: a heap. First those that have run before, then the longest, then the oldest.

static bool goes_before(const Sequence *a, const Sequence *b)
{
    if (a->started != b->started)
        return a->started;
    int64_t x = a->settings->request.expected, y = b->settings->request.expected;
    return x != y ? x > y : a->arrival < b->arrival;
}

void waiting_push(Engine *e, Sequence *sequence)
{
    list_add(&e->waiting, sequence);
    size_t i = e->waiting.count - 1;
    for (; i > 0 && goes_before(sequence, e->waiting.items[(i - 1) / 2]); i = (i - 1) / 2)
        e->waiting.items[i] = e->waiting.items[(i - 1) / 2];
    e->waiting.items[i] = sequence;
}

Sequence *waiting_pop(Engine *e)
{
    Sequence **items = e->waiting.items, *first = items[0], *moved = items[--e->waiting.count];
    size_t i = 0, count = e->waiting.count;
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && goes_before(items[child + 1], items[child]))
            child++;
        if (!goes_before(items[child], moved))
            break;
        items[i] = items[child];
        i = child;
    }
    items[i] = moved;
    return first;
}

// ---- taking pages back

// The least recently used prefix, except `kept`; NULL: there is none.
static Sequence *least_lately_used(const Engine *e, const Sequence *kept)
{
    Sequence *found = NULL;
    for (size_t i = 0; i < e->beginnings.count; i++) {
        Sequence *b = e->beginnings.items[i];
        if (b != kept && (found == NULL || b->used < found->used))
            found = b;
    }
    return found;
}

static void preempt(Engine *e, Sequence *s)
{
    stop_running(e, s);
    e->statistics.preemptions++;
    if (s->settings != NULL &&
        s->in_queue == 0)   // a beginning is let in when it is asked for; a sample waits again when all of
        waiting_push(e, s); // its tokens are known
}

// Takes pages from another sequence for a running one. False: none was admitted after it.
static bool make_room(Engine *e, const Sequence *s)
{
    Sequence *beginning = least_lately_used(e, NULL);
    if (beginning != NULL) {
        evict(e, beginning);
        return true;
    }
    Sequence *last = e->running.items[e->running.count - 1];
    if (last != s)
        preempt(e, last);
    return last != s;
}

static bool append_page(Sequence *s, int32_t page)
{
    TRY(grow(&s->pages, &s->page_capacity, (size_t)s->page_count + 1, sizeof *s->pages));
    s->pages[s->page_count++] = page;
    return true;
}

static bool is_owned(const Engine *e, const Sequence *s, int64_t block)
{
    return block < s->page_count && e->pages.holders[s->pages[block]] == 1 &&
           !page_is_published(&e->pages, s->pages[block]);
}

// Makes block `block` of s a page that it alone holds. *owned false: no page is free, and none can be taken. A page
// that is copied stays held until the pass is queued, so that nothing is written to it before.
static bool own_page(Engine *e, PagedBatch *batch, Sequence *s, int64_t block, bool *owned)
{
    int32_t page = -1;
    while (!(*owned = is_owned(e, s, block)) && (page = page_take(&e->pages)) < 0)
        if (!make_room(e, s))
            return true;
    if (*owned)
        return true;
    *owned = true;
    if (block == s->page_count)
        return append_page(s, page);
    batch->copy_pairs[2 * batch->copies] = s->pages[block];
    batch->copy_pairs[2 * batch->copies++ + 1] = page;
    s->pages[block] = page;
    return true;
}

// ---- admission

static int64_t pages_of(int64_t tokens) { return ceil_divide(tokens, KEY_BLOCK); }

static bool is_ready(const Sequence *beginning) { return beginning->computed == beginning->count; }

static void let_in(Engine *e, Sequence *s)
{
    if (!s->started && (s->parent == NULL || s->shared != s->computed))
        e->statistics.found_tokens += s->computed; // what comes again after a preemption is not counted again
    list_add(&e->running, s);
    s->running = s->started = true;
    if (s->settings != NULL)
        s->slot = e->free_slots[--e->free_slot_count];
}

// Whether there are pages for the tokens of s and one more beside those that it has found, leaving some for the running
// sequences.
static bool pages_suffice(Engine *e, const Sequence *s)
{
    int64_t running = (int64_t)e->running.count;
    int64_t wanted = pages_of(s->count + 1) - s->computed / KEY_BLOCK + running / 8;
    Sequence *beginning;
    while (pages_available(&e->pages) < wanted && (beginning = least_lately_used(e, s->parent)) != NULL)
        evict(e, beginning);
    return pages_available(&e->pages) >= wanted || running == 0; // alone it has room: engine_add checked that
}

static void share_with_grandparent(Engine *e, Sequence *s)
{
    Sequence *parent = s->parent;
    s->parent = parent->parent;
    if (s->parent != NULL)
        s->parent->references++;
    s->shared = parent->shared < s->shared ? parent->shared : s->shared;
    sequence_release(e, parent);
}

typedef enum Admission { ADMISSION_FAILED, ADMITTED, BLOCKED, NO_ROOM } Admission;

// A prefix is computed before the requests that share it, where there are several; and so is a page before those that
// begin with it, whoever computes it.
static Admission admit(Engine *e, Sequence *s)
{
    Sequence *parent = s->parent;
    if (parent != NULL && !is_ready(parent)) {
        if (parent->running)
            return BLOCKED;
        if (parent->references > 1) {
            Admission first = admit(e, parent);
            return first == ADMITTED ? BLOCKED : first;
        }
        share_with_grandparent(e, s);
        return admit(e, s);
    }
    if (next_page_is_coming(e, s))
        return BLOCKED;
    if (!find_pages(e, s))
        return ADMISSION_FAILED;
    if (!pages_suffice(e, s)) {
        give_pages_back(e, s);
        return NO_ROOM;
    }
    let_in(e, s);
    return ADMITTED;
}

bool admit_waiting(Engine *e)
{
    SequenceList *blocked = &e->blocked;
    Admission last = ADMITTED;
    publish_all(e);
    size_t most = (size_t)e->model->limits.cache.sequences;
    while (e->waiting.count > 0 && e->running.count < most && blocked->count < most &&
           (last == ADMITTED || last == BLOCKED)) {
        Sequence *s = waiting_pop(e);
        last = admit(e, s);
        if (last != ADMITTED)
            list_add(blocked, s);
    }
    for (size_t i = 0; i < blocked->count; i++)
        waiting_push(e, blocked->items[i]);
    blocked->count = 0;
    return last != ADMISSION_FAILED;
}

// ---- the next pass

// Tokens of s that can be computed now; 0: its last one is not known yet, or all are computed.
static int64_t tokens_left(const Sequence *s)
{
    if (s->settings != NULL && s->count + s->pending - s->prompt >= s->settings->request.max_new_tokens)
        return 0;
    return s->count + s->pending - s->computed;
}

// A row of the pass's logits for the host, where the request wants candidates.
static int64_t ask_whole(PagedBatch *b, const GenerationRequest *r, int64_t row)
{
    if (r->top > 0)
        b->whole_rows[b->whole++] = (int32_t)row;
    return b->whole - 1;
}

static void ask_probes(Flight *f, Sequence *s, Probes probes, const int32_t *targets, int64_t row, int64_t step)
{
    PagedBatch *b = &f->batch;
    probes.sequence = s;
    probes.whole = b->whole;
    for (int64_t i = 0; i < probes.count; i++) {
        f->probe_rows[b->probed] = (int32_t)(row + i * step);
        b->targets[b->probed++] = targets[i];
        if (probes.first > 0)
            ask_whole(b, &s->settings->request, row + i * step);
    }
    f->probed[f->probed_count++] = probes;
    s->in_queue++;
}

static void ask_head(Flight *f, Sequence *s, int64_t row)
{
    PagedBatch *b = &f->batch;
    const GenerationRequest *r = &s->settings->request;
    s->pending++;
    if (r->probe_count > 0) {
        ask_probes(f, s, (Probes){.count = r->probe_count}, r->probe, row, 0);
        return;
    }
    b->sampling[b->sampled] = (SampleRow){.seed = r->seed,
                                          .request = r->id,
                                          .sample = s->sample,
                                          .position = (int32_t)(s->count + s->pending - 1),
                                          .temperature = r->temperature,
                                          .top_p = r->top_p,
                                          .min_p = r->min_p,
                                          .top_k = r->top_k};
    b->rows[b->sampled] = (int32_t)row;
    b->slots[b->sampled] = s->slot;
    f->whole[b->sampled] = ask_whole(b, r, row);
    f->sampled[b->sampled++] = s;
    s->in_queue++;
}

// Of its next n tokens, those that a token of a scored prompt comes after.
static int64_t scored_of(const Sequence *s, int64_t n)
{
    bool scores = s->settings != NULL && s->settings->request.score;
    return scores ? larger(0, smaller(n, s->prompt - 1 - s->computed)) : 0;
}

// Adds its next n tokens, after those already in the pass.
static void place(Engine *e, Flight *f, Sequence *s, int64_t n)
{
    PagedBatch *b = &f->batch;
    int64_t scored = scored_of(s, n), first = s->computed + 1;
    if (scored > 0)
        ask_probes(f, s, (Probes){.first = first, .count = scored}, s->tokens + first, b->tokens, 1);
    for (int64_t i = s->computed; i < s->computed + n; i++) {
        b->ids[b->tokens] = i < s->count ? s->tokens[i] : -1 - s->slot;
        b->positions[b->tokens++] = (int32_t)i;
    }
    int32_t *table = b->page_table + b->sequences * paged_pages(e->model);
    memcpy(table, s->pages, (size_t)s->page_count * sizeof *table);
    b->contexts[b->sequences++] = (int32_t)s->computed;
    b->starts[b->sequences] = (int32_t)b->tokens;
    s->computed += n;
    if (s->settings == NULL)
        e->statistics.prompt_tokens += n;
    else
        e->statistics.prompt_tokens += s->computed < s->count ? n : n - 1;
    if (s->settings != NULL && s->computed == s->count + s->pending)
        ask_head(f, s, b->tokens - 1);
}

// Pages for the next *n tokens of s, or for as many of them as there are pages; 0: for none.
static bool own_pages(Engine *e, Flight *f, Sequence *s, int64_t *n)
{
    bool owned = true;
    int64_t block = s->computed / KEY_BLOCK;
    for (; block < pages_of(s->computed + *n); block++) {
        TRY(own_page(e, &f->batch, s, block, &owned));
        if (!owned)
            break;
    }
    *n = owned ? *n : larger(0, block * KEY_BLOCK - s->computed);
    return true;
}

// A completed prefix stops running, and keeps its pages until they are needed.
static void retire_beginnings(Engine *e)
{
    for (size_t i = e->running.count; i-- > 0;) {
        Sequence *s = e->running.items[i];
        if (s->settings != NULL || !is_ready(s))
            continue;
        list_remove(&e->running, s);
        s->running = false;
        s->used = e->passes;
        list_add(&e->beginnings, s);
    }
}

// How many tokens of prompts fit beside the sequences that decode.
static int64_t room_for_prompts(const Engine *e)
{
    int64_t room = e->model->limits.cache.tokens;
    for (size_t i = 0; i < e->running.count; i++)
        room -= tokens_left(e->running.items[i]) == 1;
    return room;
}

// Tokens of s for this pass: a sequence that decodes always has room, a piece of a prompt gets the rest. What wants
// rows of the head beside the one that samples, for probes, scores and candidates, gets no more tokens than there are
// rows.
static int64_t share_of(const Engine *e, const Flight *f, const Sequence *s, int64_t room)
{
    const CacheLimits *l = &e->model->limits.cache;
    const PagedBatch *b = &f->batch;
    int64_t left = tokens_left(s), n = left <= 1 || left < room ? left : room;
    if (s->settings == NULL || n <= 0)
        return n;
    const GenerationRequest *r = &s->settings->request;
    int64_t rows = l->rows - l->sequences - b->probed, whole = l->whole - b->whole;
    if (n == left && r->probe_count > rows)
        return n - 1;
    if (scored_of(s, n) > 0)
        n = smaller(n, r->top > 0 ? smaller(rows, whole) : rows);
    return r->top > 0 && n == left && whole < 1 ? n - 1 : n;
}

bool place_running(Engine *e, Flight *f)
{
    PagedBatch *b = &f->batch;
    b->tokens = b->sequences = b->sampled = b->probed = b->whole = b->copies = f->probed_count = 0;
    b->starts[0] = 0;
    int64_t room = room_for_prompts(e);
    for (size_t i = 0; i < e->running.count; i++) {
        Sequence *s = e->running.items[i];
        int64_t wanted = share_of(e, f, s, room), n = wanted;
        if (n <= 0)
            continue;
        TRY(own_pages(e, f, s, &n));
        if (n < wanted && i > 0) { // it is the last one
            preempt(e, s);
            break;
        }
        if (n == 0)
            return fail("the engine has no page left for a sequence that runs alone");
        // alone, and with n < wanted: a page that it has copied in this pass is free for the next one
        room -= tokens_left(s) == 1 ? 0 : n;
        place(e, f, s, n);
    }
    retire_beginnings(e);
    return true;
}
