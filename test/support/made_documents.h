// Documents made for tests of the loader: of given or random lengths, with tokens that say where they are from; some
// with difficulties and sources, and the options that order them.
#ifndef TEST_MADE_DOCUMENTS_H
#define TEST_MADE_DOCUMENTS_H

#include "data/order.h"
#include "data/prefetch.h"
#include "test/support/check.h"

// Documents of the given lengths; token t of document i is 1000 i + t, trained from the second third of the document
// on.
static inline Documents documents_of(const int32_t *lengths, int64_t count)
{
    Documents d = {.count = count};
    static char *no_source[] = {""};
    d.sources = no_source;
    d.source_count = 1;
    d.list = allocate((size_t)count, sizeof *d.list);
    Span *spans = allocate((size_t)count, sizeof *spans);
    assert_true(d.list != NULL && spans != NULL);
    for (int64_t i = 0; i < count; i++) {
        spans[i] = (Span){(uint32_t)(lengths[i] / 3 + 1), (uint32_t)lengths[i]};
        d.list[i] = (Document){
            .length = lengths[i], .trained = lengths[i] - lengths[i] / 3 - 1, .spans = &spans[i], .span_count = 1};
        d.tokens += lengths[i];
        d.trained_tokens += d.list[i].trained;
        d.longest = lengths[i] > d.longest ? lengths[i] : d.longest;
    }
    int32_t *ids = allocate((size_t)d.tokens, sizeof *ids);
    assert_non_null(ids);
    for (int64_t i = 0; i < count; i++) {
        d.list[i].ids = ids;
        for (int32_t t = 0; t < lengths[i]; t++)
            *ids++ = (int32_t)(1000 * i + t);
    }
    documents_find_levels(&d);
    return d;
}

static inline void documents_free(Documents *d)
{
    free((void *)(uintptr_t)d->list[0].ids);
    free((void *)(uintptr_t)d->list[0].spans);
    free(d->list);
}

static inline Documents random_documents(int64_t count, uint32_t longest)
{
    int32_t *lengths = allocate((size_t)count, sizeof *lengths);
    assert_non_null(lengths);
    for (int64_t i = 0; i < count; i++)
        lengths[i] = (int32_t)(2 + random_bits(7, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0] % (longest - 1));
    Documents d = documents_of(lengths, count);
    free(lengths);
    return d;
}

static inline Loader loader_of(const Documents *d, LoaderOptions options)
{
    Loader loader;
    assert_ok(loader_open(&loader, d, &options));
    return loader;
}

static inline LoaderOptions usual(void)
{
    return (LoaderOptions){.seed = 1, .global_batch = 16, .micro_batch_tokens = 1000, .slots = 8};
}

enum { MANY = 1003 };

// Documents of difficulties 0 (unknown) to 5 from three sources, sorted as shards are.
static inline Documents graded_documents(void)
{
    static char *sources[] = {"", "math", "web"};
    Documents d = random_documents(MANY, 300);
    for (int64_t i = 0; i < MANY; i++) {
        d.list[i].difficulty = (int32_t)(i * 6 / MANY);
        d.list[i].source = (int32_t)(random_bits(11, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0] % 3);
    }
    d.sources = sources;
    d.source_count = 3;
    documents_find_levels(&d);
    return d;
}

static const LoaderWeight WEIGHTS[] = {{1, NULL, 4}, {-1, "math", 0.5}, {5, NULL, 0.01}};

static inline LoaderOptions in_order(LoaderOrder order)
{
    LoaderOptions o = {.seed = 9, .order = order, .global_batch = 32, .micro_batch_tokens = 2000, .slots = 8};
    if (order == ORDER_MIXED) {
        o.weights = WEIGHTS;
        o.weight_count = 3;
    }
    return o;
}

#endif
