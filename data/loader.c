// A step: data/order.c decides which documents it has, and data/deal.c how they are dealt into micro-batches; here that
// becomes a plan, and a micro-batch of a plan becomes a ragged batch.
#include "data/loader.h"
#include "data/deal.h"
#include "data/order.h"
#include <stdlib.h>
#include <string.h>

static const int64_t LARGEST = (int64_t)1 << 31; // for options and tokens: products of two of them fit 64 bits

// ---- opening

static int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

static int32_t length_of(const Loader *l, int64_t number) { return l->documents->list[number].length; }

static bool check(const Loader *l)
{
    const LoaderOptions *o = &l->options;
    int64_t cost, sum, a = o->linear_cost, n = l->documents->count, longest = l->documents->longest;
    if (n < 1 || n >= LARGEST)
        return fail("%" PRId64 " documents: a loader takes from 1 to %" PRId64, n, LARGEST - 1);
    if (o->global_batch < 1 || o->global_batch >= LARGEST)
        return fail("--global-batch %" PRId64 ": must be from 1 to %" PRId64, o->global_batch, LARGEST - 1);
    if (o->micro_batch_tokens < 1 || o->micro_batch_tokens >= LARGEST / 2)
        return fail("--micro-batch-tokens %" PRId64 ": must be from 1 to %" PRId64, o->micro_batch_tokens,
                    LARGEST / 2 - 1);
    if (o->slots < 1 || o->slots > 65536)
        return fail("--slots %" PRId64 ": must be from 1 to 65536", o->slots);
    if (a < 0 || a >= LARGEST || __builtin_mul_overflow(longest, 2 * a + longest, &cost) ||
        __builtin_mul_overflow(cost, smaller(n, o->global_batch), &sum))
        return fail("--global-batch %" PRId64 " documents of up to %" PRId64
                    " tokens: their cost does not fit this machine",
                    o->global_batch, longest);
    return true;
}

static void free_plan(Loader *l)
{
    free(l->numbers);
    free(l->order);
    free(l->micro);
    free(l->first);
    free(l->micro_tokens);
    free(l->micro_cost);
}

static bool make_room(Loader *l, int64_t documents)
{
    if (documents <= l->room)
        return true;
    size_t n = (size_t)documents, m = n + (size_t)l->options.slots + 1;
    free_plan(l);
    l->numbers = allocate(n, sizeof *l->numbers);
    l->order = allocate(n, sizeof *l->order);
    l->micro = allocate(n, sizeof *l->micro);
    l->first = allocate(m, sizeof *l->first);
    l->micro_tokens = allocate(m, sizeof *l->micro_tokens);
    l->micro_cost = allocate(m, sizeof *l->micro_cost);
    bool ok = l->numbers && l->order && l->micro && l->first && l->micro_tokens && l->micro_cost;
    l->room = ok ? documents : 0;
    return ok;
}

static bool make_batch(Loader *l)
{
    size_t tokens = (size_t)l->limits.tokens, rows = (size_t)l->limits.rows, sequences = (size_t)l->limits.sequences;
    l->ids = allocate(tokens, sizeof *l->ids);
    l->positions = allocate(tokens, sizeof *l->positions);
    l->starts = allocate(sequences + 1, sizeof *l->starts);
    l->contexts = allocate(sequences, sizeof *l->contexts);
    l->rows = allocate(rows, sizeof *l->rows);
    l->targets = allocate(rows, sizeof *l->targets);
    return l->ids && l->positions && l->starts && l->contexts && l->rows && l->targets;
}

bool loader_open(Loader *loader, const Documents *documents, const LoaderOptions *options)
{
    *loader = (Loader){.documents = documents, .options = *options};
    if (options->linear_cost == 0)
        loader->options.linear_cost = LOADER_LINEAR_COST;
    TRY(check(loader));
    int64_t tokens = smaller(larger(options->micro_batch_tokens, documents->longest), documents->tokens);
    // the first token of a document is never trained; a prompt for RL may be a single token
    loader->limits = (LoaderLimits){.tokens = tokens,
                                    .rows = smaller(tokens - 1, documents->trained_tokens),
                                    .sequences = smaller(tokens, documents->count)};
    loader->places = allocate(1, sizeof *loader->places);
    if (loader->places != NULL && order_open(loader->places, documents, options) && make_batch(loader) &&
        make_room(loader, smaller(options->global_batch, documents->count)))
        return true;
    loader_close(loader);
    return false;
}

void loader_close(Loader *l)
{
    if (l->places != NULL)
        order_close(l->places);
    free(l->places);
    free_plan(l);
    free(l->ids);
    free(l->positions);
    free(l->starts);
    free(l->contexts);
    free(l->rows);
    free(l->targets);
    *l = (Loader){0};
}

LoaderLimits loader_largest(const Loader *loader) { return loader->limits; }

int64_t loader_document(const Loader *loader, int64_t epoch, int64_t position)
{
    int64_t number;
    order_documents(loader->places, epoch, position, 1, &number);
    return number;
}

int64_t loader_steps_per_epoch(const Loader *loader)
{
    int64_t batch = loader->options.global_batch;
    return (loader->documents->count + batch - 1) / batch;
}

// ---- dividing a step

// Sorts numbers by micro-batch, keeping the order of the step within each, and records where each begins.
static void gather(Loader *l, int64_t documents, int64_t count)
{
    int64_t *sorted = l->order; // no longer needed as the order of costs
    memset(l->first, 0, (size_t)(count + 1) * sizeof *l->first);
    for (int64_t i = 0; i < documents; i++)
        l->first[l->micro[i] + 1]++;
    for (int64_t m = 0; m < count; m++)
        l->first[m + 1] += l->first[m];
    for (int64_t i = 0; i < documents; i++)
        sorted[l->first[l->micro[i]]++] = l->numbers[i];
    for (int64_t m = count; m > 0; m--) // each beginning has moved to its end
        l->first[m] = l->first[m - 1];
    l->first[0] = 0;
    memcpy(l->numbers, sorted, (size_t)documents * sizeof *sorted);
}

static StepPlan finished_plan(const Loader *l, int64_t documents, int64_t micro_batches)
{
    StepPlan plan = {.documents = documents, .micro_batches = micro_batches, .numbers = l->numbers, .first = l->first};
    for (int64_t i = 0; i < documents; i++) {
        plan.tokens += length_of(l, l->numbers[i]);
        plan.trained_tokens += l->documents->list[l->numbers[i]].trained;
    }
    return plan;
}

bool loader_plan(Loader *loader, int64_t step, StepPlan *plan)
{
    int64_t per_epoch = loader_steps_per_epoch(loader), batch = loader->options.global_batch;
    if (step < 0 || step / per_epoch > UINT32_MAX)
        return fail("step %" PRId64 " has no place in the order of the documents", step);
    int64_t epoch = step / per_epoch, begin = step % per_epoch * batch;
    int64_t documents = smaller(batch, loader->documents->count - begin);
    TRY(make_room(loader, documents));
    order_documents(loader->places, epoch, begin, documents, loader->numbers);
    int64_t count = deal_step(loader, documents);
    gather(loader, documents, count);
    *plan = finished_plan(loader, documents, count);
    plan->step = step;
    plan->epoch = epoch;
    return true;
}

bool loader_walk(Loader *loader, StepPlan *plan)
{
    int64_t documents = loader->documents->count, count = 0, tokens = 0;
    TRY(make_room(loader, documents));
    loader->first[0] = 0;
    for (int64_t i = 0; i < documents; i++) {
        loader->numbers[i] = i;
        if (tokens > 0 && tokens + length_of(loader, i) > loader->options.micro_batch_tokens) {
            loader->first[++count] = i;
            tokens = 0;
        }
        tokens += length_of(loader, i);
    }
    int64_t all = round_up(count + 1, loader->options.slots);
    while (count < all)
        loader->first[++count] = documents;
    *plan = finished_plan(loader, documents, count);
    return true;
}

// ---- a micro-batch

static void put_document(Loader *l, const Document *d, Ragged *batch)
{
    int32_t at = (int32_t)batch->tokens, *positions = l->positions + at;
    memcpy(l->ids + at, d->ids, (size_t)d->length * sizeof *d->ids);
    for (int32_t t = 0; t < d->length; t++)
        positions[t] = t;
    for (int32_t i = 0; i < d->span_count; i++) {
        int32_t begin = (int32_t)d->spans[i].begin, end = (int32_t)d->spans[i].end, *rows = l->rows + batch->trained;
        end = end < d->length ? end : d->length;
        for (int32_t t = begin; t < end; t++)
            rows[t - begin] = at + t - 1;
        memcpy(l->targets + batch->trained, d->ids + begin, (size_t)(end - begin) * sizeof *d->ids);
        batch->trained += end - begin;
    }
    l->starts[batch->sequences] = at;
    l->contexts[batch->sequences++] = 0;
    batch->tokens += d->length;
}

bool loader_micro_batch(Loader *loader, const StepPlan *plan, int64_t m, Ragged *batch)
{
    if (m < 0 || m >= plan->micro_batches)
        return fail("step %" PRId64 " has %" PRId64 " micro-batches, but number %" PRId64 " is asked for", plan->step,
                    plan->micro_batches, m);
    *batch = (Ragged){.ids = loader->ids,
                      .positions = loader->positions,
                      .starts = loader->starts,
                      .contexts = loader->contexts,
                      .rows = loader->rows,
                      .targets = loader->targets};
    for (int64_t i = plan->first[m]; i < plan->first[m + 1]; i++)
        put_document(loader, &loader->documents->list[plan->numbers[i]], batch);
    loader->starts[batch->sequences] = (int32_t)batch->tokens;
    return true;
}
