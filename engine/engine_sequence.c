// Sequences: a sample while it lives, the lists that it moves between, and what it holds: a slot, pages, its prefix.
#include "engine/engine_internal.h"
#include <stdlib.h>
#include <string.h>

// ---- lists

bool lists_have_room(Engine *e, size_t count)
{
    SequenceList *const lists[] = {&e->waiting, &e->running, &e->finished, &e->beginnings, &e->blocked};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        TRY(grow(&lists[i]->items, &lists[i]->capacity, count, sizeof *lists[i]->items));
    return true;
}

void list_add(SequenceList *list, Sequence *sequence) { list->items[list->count++] = sequence; }

void list_remove(SequenceList *list, const Sequence *sequence)
{
    size_t i = 0;
    while (list->items[i] != sequence)
        i++;
    for (list->count--; i < list->count; i++)
        list->items[i] = list->items[i + 1];
}

// ---- giving back a slot and pages

// The last one first, so that it is the first to give its room to others.
void give_pages_back(Engine *e, Sequence *s)
{
    publish_pages(e, s);
    while (s->page_count > 0)
        page_give_back(&e->pages, s->pages[--s->page_count]);
    s->computed = s->published = 0;
}

void stop_running(Engine *e, Sequence *s)
{
    list_remove(&e->running, s);
    s->running = false;
    if (s->slot >= 0)
        e->free_slots[e->free_slot_count++] = s->slot;
    s->slot = -1;
    give_pages_back(e, s);
}

void evict(Engine *e, Sequence *beginning)
{
    list_remove(&e->beginnings, beginning);
    give_pages_back(e, beginning);
}

GenerationResult result_of(const Sequence *s)
{
    return (GenerationResult){.tag = s->settings->request.tag,
                              .sample = s->sample,
                              .reason = s->reason,
                              .found = s->found,
                              .count = s->count - s->prompt,
                              .ids = s->tokens + s->prompt,
                              .logprob = s->logprob,
                              .processed = s->processed,
                              .entropy = s->entropy,
                              .probe = s->probe,
                              .top = s->top,
                              .prompt_logprob = s->prompt_logprob,
                              .prompt_top = s->prompt_top};
}

// ---- references

void settings_release(Settings *settings)
{
    if (settings == NULL || --settings->users > 0)
        return;
    free((void *)(uintptr_t)settings->request.stop);
    free((void *)(uintptr_t)settings->request.probe);
    free(settings);
}

void sequence_free(Engine *e, Sequence *s)
{
    if (s == NULL)
        return;
    settings_release(s->settings);
    if (s->parent != NULL)
        sequence_release(e, s->parent);
    free(s->tokens);
    free(s->pages);
    free(s->chain);
    free(s->logprob);
    free(s->processed);
    free(s->entropy);
    free(s->probe);
    free(s->top);
    free(s->prompt_logprob);
    free(s->prompt_top);
    free(s);
    e->sequences--;
}

void sequence_release(Engine *e, Sequence *beginning)
{
    if (--beginning->references > 0)
        return;
    if (beginning->running)
        stop_running(e, beginning);
    else if (beginning->page_count > 0)
        evict(e, beginning);
    sequence_free(e, beginning);
}

static int64_t common_beginning(const Sequence *beginning, const int32_t *ids, int64_t count)
{
    int64_t n = 0;
    while (beginning != NULL && n < beginning->count && n < count && beginning->tokens[n] == ids[n])
        n++;
    return n;
}

Sequence *sequence_new(Engine *e, Sequence *parent, const int32_t *ids, int64_t count)
{
    Sequence *s = allocate(1, sizeof *s);
    if (s == NULL || !lists_have_room(e, e->sequences + 1) ||
        !grow(&s->tokens, &s->token_capacity, (size_t)count, sizeof *s->tokens)) {
        free(s);
        return NULL;
    }
    memcpy(s->tokens, ids, (size_t)count * sizeof *ids);
    s->count = s->prompt = count;
    if (!extend_chain(s)) {
        free(s->tokens);
        free(s);
        return NULL;
    }
    s->slot = -1;
    s->shared = common_beginning(parent, ids, count - 1);
    if (s->shared > 0) {
        s->parent = parent;
        parent->references++;
    }
    e->sequences++;
    return s;
}

bool sequence_scores(Sequence *s)
{
    const GenerationRequest *r = &s->settings->request;
    size_t candidates;
    if (!r->score)
        return true;
    TRY(size_multiply(&candidates, (size_t)s->prompt, (size_t)r->top));
    s->prompt_logprob = allocate((size_t)s->prompt, sizeof *s->prompt_logprob);
    s->prompt_top = r->top == 0 ? NULL : allocate(candidates, sizeof *s->prompt_top);
    return s->prompt_logprob != NULL && (r->top == 0 || s->prompt_top != NULL);
}
