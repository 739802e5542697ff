// Orders. The mixed one spreads strata evenly: the documents of stratum s, taken through a permutation of their own,
// come at the times (r + 1/2) / (n·w), where n is their number and w the weight, and the epoch is the order of all
// these times. So a stratum of weight 1 lasts until time 1, one of weight 4 until 1/4. Times are integers. A position
// is found by counting the documents that come up to a time, a short sum; from there on the next document is always
// that of the stratum with the earliest time.
#include "data/order.h"
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 8, SOURCES_NAMED = 8 };

// ---- permutations

static uint64_t permute(uint64_t seed, RandomPurpose purpose, uint32_t a, uint32_t b, int bits,
                        uint64_t x) // on [0, 4^bits)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, left = x >> bits, right = x & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ (random_bits(seed, purpose, a, round | b << 8, (uint32_t)right).v[0] & mask);
        left = right;
        right = next;
    }
    return left << bits | right;
}

int64_t keyed_permutation(uint64_t seed, RandomPurpose purpose, uint32_t a, uint32_t b, int64_t count, int64_t position)
{
    int bits = 1;
    while (((uint64_t)1 << 2 * bits) < (uint64_t)count)
        bits++;
    uint64_t x = (uint64_t)position;
    do
        x = permute(seed, purpose, a, b, bits, x);
    while (x >= (uint64_t)count);
    return (int64_t)x;
}

// ---- strata of the mixed order

static double weight_of(const LoaderOptions *options, const Documents *d, int level, int32_t source)
{
    double weight = 1;
    for (size_t i = 0; i < options->weight_count; i++) {
        const LoaderWeight *w = &options->weights[i];
        if (w->source == NULL ? w->level == level : strcmp(w->source, d->sources[source]) == 0)
            weight *= w->weight;
    }
    return weight;
}

static bool known_source(const Documents *d, const char *source)
{
    Bytes names = {0};
    for (size_t i = 0; i < d->source_count; i++)
        if (strcmp(d->sources[i], source) == 0)
            return true;
    for (size_t i = 1; i < d->source_count && i <= SOURCES_NAMED; i++)
        bytes_printf(&names, "%s%s", i > 1 ? ", " : "", d->sources[i]);
    fail("--mix source:%s: no document has this source; there %s %s%s", source, d->source_count > 1 ? "are" : "is",
         d->source_count > 1 ? names.data : "no source named", d->source_count > SOURCES_NAMED + 1 ? ", ..." : "");
    bytes_free(&names);
    return false;
}

static bool check_weights(const Documents *d, const LoaderOptions *options)
{
    if (options->weight_count > 0 && options->order != ORDER_MIXED)
        return fail("--mix works with --order mixed only");
    for (size_t i = 0; i < options->weight_count; i++) {
        const LoaderWeight *w = &options->weights[i];
        if (!(w->weight >= 1e-3 && w->weight <= 1e3))
            return fail("--mix: a weight must be from 0.001 to 1000");
        TRY(w->source == NULL || known_source(d, w->source));
    }
    return true;
}

static size_t stratum_of(const Documents *d, int64_t number)
{
    return (size_t)d->list[number].difficulty * d->source_count + (size_t)d->list[number].source;
}

// Time 1 is 2^50; a pace is limited so that all times of a stratum, up to (2n - 1) · pace, stay below 2^62.
static uint64_t pace_of(int64_t count, double weight)
{
    double pace = 0x1p50 / (2 * (double)count * weight), most = 0x1p62 / (2 * (double)count);
    return (uint64_t)(pace < 1 ? 1 : pace > most ? most : pace);
}

static bool fill_strata(Order *order, const LoaderOptions *options)
{
    const Documents *d = order->documents;
    size_t count = LEVELS * d->source_count, kept = 0;
    order->strata = allocate(count + 1, sizeof *order->strata);
    order->members = allocate((size_t)d->count + 1, sizeof *order->members);
    TRY(order->strata != NULL && order->members != NULL);
    for (int64_t i = 0; i < d->count; i++)
        order->strata[stratum_of(d, i) + 1].first++; // counts, stored one index later
    for (size_t s = 0; s < count; s++)
        order->strata[s + 1].first += order->strata[s].first;
    for (int64_t i = 0; i < d->count; i++) {
        Stratum *s = &order->strata[stratum_of(d, i)];
        order->members[s->first + s->count++] = (int32_t)i;
    }
    for (size_t s = 0; s < count; s++) {
        double weight = weight_of(options, d, (int)(s / d->source_count), (int32_t)(s % d->source_count));
        order->strata[s].pace = pace_of(order->strata[s].count > 0 ? order->strata[s].count : 1, weight);
        if (order->strata[s].count > 0)
            order->strata[kept++] = order->strata[s];
    }
    order->stratum_count = kept;
    return true;
}

bool order_open(Order *order, const Documents *documents, const LoaderOptions *options)
{
    *order = (Order){.documents = documents, .kind = options->order, .seed = options->seed};
    if (check_weights(documents, options) && (options->order != ORDER_MIXED || fill_strata(order, options)))
        return true;
    order_close(order);
    return false;
}

void order_close(Order *order)
{
    free(order->strata);
    free(order->members);
    *order = (Order){0};
}

static int64_t come_by(const Stratum *s, uint64_t time) // documents of s that come up to this time
{
    uint64_t count = (time / s->pace + 1) / 2;
    return count < (uint64_t)s->count ? (int64_t)count : s->count;
}

static int64_t all_by(const Order *order, uint64_t time)
{
    int64_t count = 0;
    for (size_t s = 0; s < order->stratum_count; s++)
        count += come_by(&order->strata[s], time);
    return count;
}

// Sets each stratum's count of documents before `position`; ties in time go in stratum order.
static void go_to(Order *order, int64_t position)
{
    uint64_t low = 0, high = UINT64_MAX / 2; // becomes the first time by which more than `position` documents come
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (all_by(order, middle) > position)
            high = middle;
        else
            low = middle + 1;
    }
    int64_t behind = position; // the first document comes later than time 0
    for (size_t i = 0; i < order->stratum_count; i++) {
        order->strata[i].come = come_by(&order->strata[i], low - 1);
        behind -= order->strata[i].come;
    }
    for (size_t i = 0; behind > 0; i++) {
        int64_t now = come_by(&order->strata[i], low) - order->strata[i].come; // exactly at this time: one or none
        order->strata[i].come += now;
        behind -= now;
    }
}

static size_t next_stratum(const Order *order)
{
    size_t next = 0;
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < order->stratum_count; i++) {
        const Stratum *s = &order->strata[i];
        uint64_t time = s->come < s->count ? (2 * (uint64_t)s->come + 1) * s->pace : UINT64_MAX;
        if (time < first) {
            first = time;
            next = i;
        }
    }
    return next;
}

static void mixed(Order *order, int64_t epoch, int64_t position, int64_t count, int64_t *numbers)
{
    go_to(order, position);
    for (int64_t i = 0; i < count; i++) {
        size_t next = next_stratum(order);
        Stratum *s = &order->strata[next];
        int64_t place = s->come++;
        int64_t member =
            keyed_permutation(order->seed, RANDOM_BUCKET, (uint32_t)epoch, (uint32_t)next, s->count, place);
        numbers[i] = order->members[s->first + member];
    }
}

// ---- all orders

static int64_t shuffled(const Order *order, int64_t epoch, int64_t position)
{
    const int64_t *first = order->documents->level_first;
    int level = 0;
    while (position >= first[level + 1])
        level++;
    int64_t count = first[level + 1] - first[level];
    return first[level] + keyed_permutation(order->seed, RANDOM_BUCKET, (uint32_t)epoch, (uint32_t)level, count,
                                            position - first[level]);
}

void order_documents(Order *order, int64_t epoch, int64_t position, int64_t count, int64_t *numbers)
{
    if (order->kind == ORDER_MIXED) {
        mixed(order, epoch, position, count, numbers);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t place = position + i;
        if (order->kind == ORDER_SORTED)
            numbers[i] = place;
        else if (order->kind == ORDER_SHUFFLED)
            numbers[i] = shuffled(order, epoch, place);
        else
            numbers[i] =
                keyed_permutation(order->seed, RANDOM_ORDER, (uint32_t)epoch, 0, order->documents->count, place);
    }
}
