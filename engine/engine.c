// The engine's interface: requests in, results out. See engine.h.
#include "engine/engine_internal.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

// ---- opening

int64_t engine_context(const Engine *e) { return e->context; }

static bool open_parts(Engine *e)
{
    const CacheLimits *limits = &e->model->limits.cache;
    int64_t held = (limits->pages - 1) * KEY_BLOCK;
    e->context = limits->positions < held ? limits->positions : held;
    if (e->context < 2)
        return fail("a cache of %" PRId64 " pages holds no sequence; give it more memory", limits->pages);
    TRY(page_pool_open(&e->pages, limits->pages, !e->model->limits.training));
    page_take(&e->pages); // page 0 is reserved: padding sequences write there
    e->free_slots = allocate((size_t)limits->sequences, sizeof *e->free_slots);
    TRY(e->free_slots != NULL);
    for (int64_t i = limits->sequences; i-- > 0;)
        e->free_slots[e->free_slot_count++] = (int32_t)i;
    return flights_open(e);
}

Engine *engine_open(Model *model, int64_t n_live)
{
    Engine *e = allocate(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->model = model;
    e->n_live = n_live;
    e->ahead = model->kernels->graph_begin == NULL ? 0 : PASSES_IN_FLIGHT - 1; // on a CPU nothing overlaps
    if (open_parts(e))
        return e;
    engine_close(e);
    return NULL;
}

static void free_list(Engine *e, SequenceList *list)
{
    for (size_t i = 0; i < list->count; i++)
        sequence_free(e, list->items[i]);
    free(list->items);
}

// Drops a queued pass. Its results are ignored, but the device uses their memory until it has finished. A sequence that
// is neither running nor in a list is reachable from here only.
static void drop_flight(Engine *e, Flight *f)
{
    e->model->kernels->event_wait(f->event);
    for (int64_t i = 0; i < f->batch.sampled + f->probed_count; i++) {
        Sequence *s = i < f->batch.sampled ? f->sampled[i] : f->probed[i - f->batch.sampled].sequence;
        if (--s->in_queue == 0 && !s->running)
            sequence_free(e, s);
    }
}

void engine_close(Engine *e)
{
    if (e == NULL)
        return;
    for (; e->queued > 0; e->queued--) {
        drop_flight(e, &e->flights[e->first]);
        e->first = (e->first + 1) % PASSES_IN_FLIGHT;
    }
    sequence_free(e, e->fetched);
    while (e->running.count > 0) {
        Sequence *s = e->running.items[e->running.count - 1];
        stop_running(e, s);
        if (s->settings != NULL)
            sequence_free(e, s);
    }
    free_list(e, &e->waiting);
    free_list(e, &e->finished);
    free(e->running.items);
    free(e->beginnings.items);
    free(e->blocked.items);
    flights_close(e);
    page_pool_close(&e->pages);
    free(e->free_slots);
    free(e);
}

// ---- requests

bool engine_has_room(const Engine *e) { return (int64_t)e->waiting.count < 2 * e->model->limits.cache.sequences; }

bool engine_empty(const Engine *e)
{
    bool samples = false;
    for (size_t i = 0; i < e->running.count && !samples; i++)
        samples = e->running.items[i]->settings != NULL;
    return !samples && e->waiting.count == 0 && e->queued == 0 && e->finished.count == 0;
}

static bool check_ids(const Engine *e, const char *what, const int32_t *ids, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= e->model->config.vocabulary)
            return fail("%s %" PRId64 " is id %" PRId32 ", but the model has %" PRId64 " vocabulary rows", what, i,
                        ids[i], e->model->config.vocabulary);
    return true;
}

// Whether what it asks for beside tokens has memory; a column that is not live has no log-probability.
static bool check_scoring(const Engine *e, const GenerationRequest *r)
{
    const CacheLimits *l = &e->model->limits.cache;
    bool planned = (!r->score || l->rows > l->sequences) && (r->top == 0 || l->whole > 0);
    if (!planned || r->top < 0 || r->top > e->n_live || (r->score && (r->samples != 1 || r->probe_count > 0)))
        return fail("candidates or a scored prompt are asked for that were not planned for");
    for (int64_t i = 1; r->score && i < r->prompt_count; i++)
        if (r->prompt[i] >= e->n_live)
            return fail("token %" PRId64 " is id %" PRId32 ", and only %" PRId64
                        " of the vocabulary rows have a meaning",
                        i, r->prompt[i], e->n_live);
    return true;
}

static bool check_request(const Engine *e, const GenerationRequest *r)
{
    if (r->prompt_count < 1)
        return fail("the prompt is empty");
    if (r->prompt_count >= e->context)
        return fail("the prompt has %" PRId64 " tokens, and the context ends at %" PRId64
                    ", which leaves no room for an answer",
                    r->prompt_count, e->context);
    int64_t most = e->model->limits.cache.rows - e->model->limits.cache.sequences;
    if (r->probe_count > most)
        return fail("%" PRId64 " tokens are asked for after a prompt, planned for %" PRId64, r->probe_count, most);
    TRY(check_scoring(e, r));
    return check_ids(e, "token", r->prompt, r->prompt_count) &&
           check_ids(e, "a probed token", r->probe, r->probe_count);
}

static int32_t *copy_ids(const int32_t *ids, int64_t count)
{
    int32_t *copy = allocate((size_t)count, sizeof *copy);
    if (copy != NULL && count > 0)
        memcpy(copy, ids, (size_t)count * sizeof *copy);
    return copy;
}

static Settings *settings_new(const Engine *e, const GenerationRequest *r)
{
    Settings *settings = allocate(1, sizeof *settings);
    if (settings == NULL)
        return NULL;
    int64_t room = e->context - r->prompt_count;
    settings->request = *r;
    settings->request.max_new_tokens = r->probe_count > 0 ? 1 : r->max_new_tokens < room ? r->max_new_tokens : room;
    settings->request.stop = copy_ids(r->stop, r->stop_count);
    settings->request.probe = copy_ids(r->probe, r->probe_count);
    settings->users = 1;
    if (settings->request.stop != NULL && settings->request.probe != NULL)
        return settings;
    settings_release(settings);
    return NULL;
}

static bool add_sample(Engine *e, Settings *settings, Sequence *beginning, int32_t sample)
{
    const GenerationRequest *r = &settings->request;
    Sequence *s = sequence_new(e, beginning, r->prompt, r->prompt_count);
    TRY(s != NULL);
    s->settings = settings;
    settings->users++;
    if (!sequence_scores(s)) {
        sequence_free(e, s);
        return false;
    }
    s->sample = sample;
    s->arrival = e->arrivals++;
    waiting_push(e, s);
    return true;
}

// Several samples share their whole prompt except its last token, which each of them computes itself.
bool engine_add(Engine *e, const GenerationRequest *r)
{
    TRY(check_request(e, r));
    Settings *settings = settings_new(e, r);
    TRY(settings != NULL);
    Sequence *beginning = r->score ? NULL : r->prefix;
    bool together = r->samples > 1 && r->prompt_count > 1;
    if (together)
        beginning = engine_prefix(e, r->prefix, r->prompt, r->prompt_count - 1);
    bool ok = !together || beginning != NULL;
    for (int32_t i = 0; ok && i < r->samples; i++)
        ok = add_sample(e, settings, beginning, r->first_sample + i);
    if (together && beginning != NULL)
        engine_prefix_release(e, beginning);
    settings_release(settings);
    return ok;
}

Sequence *engine_prefix(Engine *e, Sequence *prefix, const int32_t *ids, int64_t count)
{
    if (count < 1 || count >= e->context) {
        fail("a beginning of %" PRId64 " tokens, and the context ends at %" PRId64, count, e->context);
        return NULL;
    }
    if (!check_ids(e, "token", ids, count))
        return NULL;
    Sequence *beginning = sequence_new(e, prefix, ids, count);
    if (beginning != NULL) {
        beginning->references = 1;
        beginning->arrival = e->arrivals++;
    }
    return beginning;
}

void engine_prefix_release(Engine *e, Sequence *prefix)
{
    if (prefix != NULL)
        sequence_release(e, prefix);
}

// ---- giving up

static bool has_tag(const Sequence *s, uint64_t tag) { return s->settings != NULL && s->settings->request.tag == tag; }

// Those of a list that is in no order, or whose order its heap makes again.
static void cancel_listed(Engine *e, SequenceList *list, uint64_t tag)
{
    size_t count = list->count;
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        Sequence *s = list->items[i];
        if (has_tag(s, tag))
            sequence_free(e, s);
        else if (list == &e->waiting)
            waiting_push(e, s);
        else
            list_add(list, s);
    }
}

static void cancel(Engine *e, Sequence *s)
{
    s->finished = s->cancelled = true;
    if (s->running)
        stop_running(e, s);
}

// What a queued pass has rows of is freed when that pass has landed, or it may be running: both are found here.
void engine_cancel(Engine *e, uint64_t tag)
{
    cancel_listed(e, &e->waiting, tag);
    cancel_listed(e, &e->finished, tag);
    for (int n = 0; n < e->queued; n++) {
        const Flight *f = &e->flights[(e->first + n) % PASSES_IN_FLIGHT];
        for (int64_t i = 0; i < f->batch.sampled + f->probed_count; i++) {
            Sequence *s = i < f->batch.sampled ? f->sampled[i] : f->probed[i - f->batch.sampled].sequence;
            if (has_tag(s, tag))
                cancel(e, s);
        }
    }
    for (size_t i = 0; i < e->running.count;) {
        Sequence *s = e->running.items[i++];
        if (!has_tag(s, tag))
            continue;
        stop_running(e, s);
        sequence_free(e, s);
        i = 0; // a prefix that nobody else shares has left the list, too
    }
}

// ---- steps and results

bool engine_step(Engine *e)
{
    phase_is("a pass of generation", -1);
    sequence_free(e, e->fetched);
    e->fetched = NULL;
    Flight *next = &e->flights[(e->first + e->queued) % PASSES_IN_FLIGHT];
    TRY(admit_waiting(e) && place_running(e, next));
    e->statistics.pages_most = larger(e->statistics.pages_most, e->pages.count - pages_available(&e->pages));
    bool more = next->batch.tokens > 0;
    if (more) {
        TRY(flight_queue(e, next));
        e->queued++;
    }
    if (e->queued == 0 || (more && e->queued <= e->ahead))
        return true;
    Flight *oldest = &e->flights[e->first];
    e->first = (e->first + 1) % PASSES_IN_FLIGHT;
    e->queued--;
    return flight_land(e, oldest);
}

bool engine_next(Engine *e, GenerationResult *result)
{
    sequence_free(e, e->fetched);
    e->fetched = NULL;
    if (e->finished.count == 0)
        return false;
    Sequence *s = e->fetched = e->finished.items[0];
    list_remove(&e->finished, s);
    *result = result_of(s);
    return true;
}

EngineStatistics engine_statistics(const Engine *e)
{
    EngineStatistics s = e->statistics;
    s.pages_in_use = e->pages.count - pages_available(&e->pages);
    s.pages_kept = e->pages.kept_count;
    s.pages_reused = e->pages.reused_count;
    s.sequences_running = (int64_t)e->running.count;
    s.sequences_waiting = (int64_t)e->waiting.count;
    return s;
}
