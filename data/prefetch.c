// Memory for two steps: the thread fills one while the other is in use. It waits if both are full.
#include "data/prefetch.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct Slot { // one step, with its own memory
    StepBatches step;
    int64_t *numbers, *first;
    Ragged *batches;
    int32_t *memory; // ids, positions, rows, targets, starts and contexts of all its micro-batches
    size_t number_room, first_room, batch_room, room;
    bool failed;
    char *error; // why it failed
} Slot;

enum { SLOTS = 2 };

struct Prefetch {
    Loader *loader;
    int rank, size;
    int64_t first, count;            // steps first .. first+count-1
    int64_t filled, taken, released; // steps filled by the thread; taken, and released, by the program
    Slot slots[SLOTS];               // step first+n is in slot n % SLOTS
    bool stop, started;
    double waited;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

// ---- the thread's side: a whole step

static bool copy_numbers(int64_t **to, size_t *room, const int64_t *from, int64_t count)
{
    TRY(grow(to, room, (size_t)count + 1, sizeof **to));
    memcpy(*to, from, (size_t)count * sizeof **to);
    return true;
}

static int32_t *put(int32_t **at, const int32_t *from, int64_t count)
{
    int32_t *here = *at;
    if (count > 0)
        memcpy(here, from, (size_t)count * sizeof *here);
    *at += count;
    return here;
}

static void copy_batch(Ragged *to, int32_t **at, const Ragged *from)
{
    *to = *from;
    to->ids = put(at, from->ids, from->tokens);
    to->positions = put(at, from->positions, from->tokens);
    to->starts = put(at, from->starts, from->sequences + 1);
    to->contexts = put(at, from->contexts, from->sequences);
    to->rows = put(at, from->rows, from->trained);
    to->targets = put(at, from->targets, from->trained);
}

static bool fill_slot(const Prefetch *p, Slot *slot, int64_t step)
{
    StepPlan plan;
    TRY(loader_plan(p->loader, step, &plan));
    TRY(copy_numbers(&slot->numbers, &slot->number_room, plan.numbers, plan.documents));
    TRY(copy_numbers(&slot->first, &slot->first_room, plan.first, plan.micro_batches + 1));
    TRY(grow(&slot->batches, &slot->batch_room, (size_t)plan.micro_batches, sizeof *slot->batches));
    int64_t most = 2 * plan.tokens + 2 * plan.trained_tokens + 2 * plan.documents + plan.micro_batches;
    TRY(grow(&slot->memory, &slot->room, (size_t)most, sizeof *slot->memory));
    int32_t *at = slot->memory;
    for (int64_t m = 0; m < plan.micro_batches; m++) {
        Ragged batch;
        slot->batches[m] = (Ragged){0};
        if (m % p->size != p->rank)
            continue;
        TRY(loader_micro_batch(p->loader, &plan, m, &batch));
        copy_batch(&slot->batches[m], &at, &batch);
    }
    slot->step = (StepBatches){plan, slot->batches};
    slot->step.plan.numbers = slot->numbers;
    slot->step.plan.first = slot->first;
    return true;
}

static void *work(void *context)
{
    Prefetch *p = context;
    bool ok = true;
    pthread_mutex_lock(&p->mutex);
    while (ok && !p->stop && p->filled < p->count) {
        if (p->filled - p->released == SLOTS) {
            pthread_cond_wait(&p->changed, &p->mutex);
            continue;
        }
        Slot *slot = &p->slots[p->filled % SLOTS];
        int64_t step = p->first + p->filled;
        pthread_mutex_unlock(&p->mutex);
        ok = fill_slot(p, slot, step);
        slot->failed = !ok;
        slot->error = ok ? NULL : copy_text(error_text()); // the error text is per thread
        pthread_mutex_lock(&p->mutex);
        p->filled++;
        pthread_cond_broadcast(&p->changed);
    }
    p->stop = true;
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

// ---- the program's side

Prefetch *prefetch_open(Loader *loader, int64_t first, int64_t last, int rank, int size)
{
    Prefetch *p = allocate(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->loader = loader;
    p->rank = rank;
    p->size = size;
    p->first = first;
    p->count = last > first ? last - first : 0;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->started = pthread_create(&p->thread, NULL, work, p) == 0;
    if (p->started)
        return p;
    fail("starting the loader's thread: the system has none left");
    prefetch_close(p);
    return NULL;
}

void prefetch_close(Prefetch *p)
{
    if (p == NULL)
        return;
    if (p->started) {
        pthread_mutex_lock(&p->mutex);
        p->stop = true;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->thread, NULL);
    }
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->changed);
    for (int i = 0; i < SLOTS; i++) {
        free(p->slots[i].numbers);
        free(p->slots[i].first);
        free(p->slots[i].batches);
        free(p->slots[i].memory);
        free(p->slots[i].error);
    }
    free(p);
}

bool prefetch_next(Prefetch *p, const StepBatches **step)
{
    double start = clock_seconds();
    if (p->taken == p->count)
        return fail("step %" PRId64 " is outside the range given to prefetch_open", p->first + p->taken);
    pthread_mutex_lock(&p->mutex);
    p->released = p->taken; // the previous step is released now
    pthread_cond_broadcast(&p->changed);
    while (p->filled == p->taken && !p->stop)
        pthread_cond_wait(&p->changed, &p->mutex);
    bool there = p->filled > p->taken;
    pthread_mutex_unlock(&p->mutex);
    p->waited += clock_seconds() - start;
    const Slot *slot = &p->slots[p->taken % SLOTS];
    if (!there || slot->failed)
        return fail("%s", there && slot->error != NULL ? slot->error : "the loader's thread has stopped");
    p->taken++;
    *step = &slot->step;
    return true;
}

double prefetch_waited(const Prefetch *p) { return p->waited; }
