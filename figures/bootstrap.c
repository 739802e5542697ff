// Aggregates of shares, their bootstrap, and the paired permutation test: see bootstrap.h.
#include "figures/bootstrap.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double ADJUSTMENT = 0.01; // of BBEH's harmonic mean

// What random numbers are for; the key is this file's own.
enum { FOR_RESAMPLES, FOR_FLIPS };

static Philox draw(uint32_t i, uint32_t repetition, uint32_t purpose)
{
    const uint32_t counter[4] = {i, repetition, purpose, 0}, key[2] = {0x626f6f74, 0x73747261};
    return philox4x32(counter, key);
}

// ---- aggregates

typedef struct Group {
    double sum, count; // of shares
} Group;

static double value_of(const Share *s) { return (double)s->right / (double)s->of; }

static void add(Group *groups, const Share *s)
{
    groups[s->group].sum += value_of(s);
    groups[s->group].count++;
}

static double micro(const Group *groups, size_t count)
{
    Group all = {0};
    for (size_t g = 0; g < count; g++) {
        all.sum += groups[g].sum;
        all.count += groups[g].count;
    }
    return all.count > 0 ? all.sum / all.count : 0;
}

static double macro(const Group *groups, size_t count)
{
    Group all = {0};
    for (size_t g = 0; g < count; g++)
        if (groups[g].count > 0) {
            all.sum += groups[g].sum / groups[g].count;
            all.count++;
        }
    return all.count > 0 ? all.sum / all.count : 0;
}

// The sum of a group may be a rounding below 0 after exchanges.
static double harmonic(const Group *groups, size_t count, double adjustment)
{
    double inverse = 0, filled = 0;
    for (size_t g = 0; g < count; g++)
        if (groups[g].count > 0) {
            double accuracy = fmax(groups[g].sum / groups[g].count, 0) + adjustment;
            if (accuracy == 0)
                return 0;
            inverse += 1 / accuracy;
            filled++;
        }
    return filled > 0 ? filled / inverse : 0;
}

static double of_groups(Headline headline, const Group *groups, size_t count)
{
    return headline == HEADLINE_MICRO   ? micro(groups, count)
           : headline == HEADLINE_MACRO ? macro(groups, count)
                                        : harmonic(groups, count, ADJUSTMENT);
}

static Group *groups_of(const Shares *shares)
{
    Group *groups = allocate(shares->groups + 1, sizeof *groups);
    for (size_t i = 0; groups != NULL && i < shares->count; i++)
        add(groups, &shares->list[i]);
    return groups;
}

double aggregate(Headline headline, const Shares *shares)
{
    Group *groups = groups_of(shares);
    double value = groups == NULL ? 0 : of_groups(headline, groups, shares->groups);
    free(groups);
    return value;
}

double harmonic_unadjusted(const Shares *shares)
{
    Group *groups = groups_of(shares);
    double value = groups == NULL ? 0 : harmonic(groups, shares->groups, 0);
    free(groups);
    return value;
}

// ---- the bootstrap

static double difference_at(const Shares *a, const Shares *b, size_t i)
{
    return value_of(&a->list[i]) - (b == NULL ? 0 : value_of(&b->list[i]));
}

double mean_error(const Shares *a, const Shares *b)
{
    double n = (double)a->count, sum = 0, squares = 0;
    for (size_t i = 0; i < a->count; i++)
        sum += difference_at(a, b, i);
    for (size_t i = 0; i < a->count; i++)
        squares += pow(difference_at(a, b, i) - sum / n, 2);
    return a->count > 0 ? sqrt(squares) / n : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void spread_of(Spread *spread, double *values) // (RESAMPLES)
{
    enum { TAIL = RESAMPLES / 40 }; // 2.5%
    double mean = 0, squares = 0;
    for (int r = 0; r < RESAMPLES; r++)
        mean += values[r] / RESAMPLES;
    for (int r = 0; r < RESAMPLES; r++)
        squares += pow(values[r] - mean, 2);
    qsort(values, RESAMPLES, sizeof *values, ascending);
    *spread = (Spread){sqrt(squares / (RESAMPLES - 1)), values[TAIL - 1], values[RESAMPLES - TAIL]};
}

// One resample: its questions are added up in their groups, one for a and one for b behind it.
static double resample(Headline headline, const Shares *a, const Shares *b, Group *groups, uint32_t repetition)
{
    Group *of_b = groups + a->groups;
    memset(groups, 0, 2 * a->groups * sizeof *groups);
    Philox bits = {{0}};
    for (size_t i = 0; i < a->count; i++) {
        if (i % 4 == 0)
            bits = draw((uint32_t)(i / 4), repetition, FOR_RESAMPLES);
        size_t drawn = (size_t)((uint64_t)bits.v[i % 4] * a->count >> 32);
        add(groups, &a->list[drawn]);
        if (b != NULL)
            add(of_b, &b->list[drawn]);
    }
    double value = of_groups(headline, groups, a->groups);
    return b == NULL ? value : value - of_groups(headline, of_b, a->groups);
}

bool bootstrap(Spread *spread, Headline headline, const Shares *a, const Shares *b)
{
    *spread = (Spread){0};
    if (a->count == 0)
        return true;
    double *values = allocate(RESAMPLES, sizeof *values);
    Group *groups = allocate(2 * a->groups + 1, sizeof *groups);
    bool ok = values != NULL && groups != NULL;
    for (uint32_t r = 0; ok && r < RESAMPLES; r++)
        values[r] = resample(headline, a, b, groups, r);
    if (ok)
        spread_of(spread, values);
    if (ok && headline == HEADLINE_MICRO)
        spread->standard_error = mean_error(a, b);
    free(values);
    free(groups);
    return ok;
}

// ---- the permutation test

static int64_t greatest_divisor(int64_t a, int64_t b) { return b == 0 ? a : greatest_divisor(b, a % b); }

// A number that all shares are whole multiples of the inverse of; 0: it is too large.
static int64_t common_multiple(const Shares *a, const Shares *b)
{
    enum { MOST = 1 << 20 };
    int64_t multiple = 1;
    for (size_t i = 0; i < 2 * a->count; i++) {
        int64_t of = i < a->count ? a->list[i].of : b->list[i - a->count].of;
        multiple *= of / greatest_divisor(multiple, of);
        if (multiple > MOST)
            return 0;
    }
    return multiple;
}

// Whole numbers proportional to the differences, without those that are 0. Returns their count.
static size_t whole_differences(int64_t *whole, const Shares *a, const Shares *b, int64_t multiple)
{
    size_t count = 0;
    int64_t divisor = 0;
    for (size_t i = 0; i < a->count; i++) {
        const Share *x = &a->list[i], *y = &b->list[i];
        int64_t d = multiple / x->of * x->right - multiple / y->of * y->right;
        divisor = greatest_divisor(divisor, d < 0 ? -d : d);
        if (d != 0)
            whole[count++] = d;
    }
    for (size_t i = 0; i < count; i++)
        whole[i] /= divisor;
    return count;
}

// The distribution of the sum of those differences that stay as they are, each with probability 1/2: chance[t] of t.
// Differences are added one after the other, from the largest sum down so that none is used twice.
static double exact_tail(double *chance, const int64_t *whole, size_t count, int64_t range)
{
    int64_t observed = 0, most = 0;
    chance[0] = 1;
    for (size_t i = 0; i < count; i++) {
        int64_t size = whole[i] < 0 ? -whole[i] : whole[i];
        observed += whole[i];
        most += size;
        for (int64_t t = most; t >= size; t--)
            chance[t] = 0.5 * (chance[t] + chance[t - size]);
        for (int64_t t = size - 1; t >= 0; t--)
            chance[t] *= 0.5;
    }
    double p = 0;
    for (int64_t t = 0; t <= range; t++)
        if (llabs(2 * t - range) >= llabs(observed))
            p += chance[t];
    return fmin(p, 1);
}

// *exact stays false where it would take too long.
static bool flip_all(double *p, bool *exact, const Shares *a, const Shares *b)
{
    const double work = 2e9;
    int64_t multiple = common_multiple(a, b), range = 0;
    int64_t *whole = allocate(a->count + 1, sizeof *whole);
    TRY(whole != NULL);
    size_t count = multiple == 0 ? 0 : whole_differences(whole, a, b, multiple);
    for (size_t i = 0; i < count; i++)
        range += llabs(whole[i]);
    *exact = multiple > 0 && (double)range * (double)count <= work;
    double *chance = *exact ? allocate((size_t)range + 1, sizeof *chance) : NULL;
    if (chance != NULL)
        *p = exact_tail(chance, whole, count, range);
    bool ok = !*exact || chance != NULL;
    free(chance);
    free(whole);
    return ok;
}

typedef struct Exchange { // a question on which the two differ
    double difference;
    uint32_t group;
} Exchange;

typedef struct Exchanges {
    Exchange *list; // (count)
    size_t count, groups;
    Group *came, *flipped; // (2 * groups) a's and b's: as they came, and after an exchange
} Exchanges;

static double flip_some(Headline headline, const Exchanges *e, uint32_t repetition)
{
    memcpy(e->flipped, e->came, 2 * e->groups * sizeof *e->came);
    Philox bits = {{0}};
    for (size_t i = 0; i < e->count; i++) {
        if (i % 128 == 0)
            bits = draw((uint32_t)(i / 128), repetition, FOR_FLIPS);
        if ((bits.v[i / 32 % 4] >> i % 32 & 1) == 0)
            continue;
        e->flipped[e->list[i].group].sum -= e->list[i].difference;
        e->flipped[e->groups + e->list[i].group].sum += e->list[i].difference;
    }
    return of_groups(headline, e->flipped, e->groups) - of_groups(headline, e->flipped + e->groups, e->groups);
}

static double flip_at_random(Headline headline, const Exchanges *e)
{
    const double rounding = 1e-12;
    double came = of_groups(headline, e->came, e->groups) - of_groups(headline, e->came + e->groups, e->groups);
    int64_t as_far = 1; // what came is one of the exchanges
    for (uint32_t r = 0; r < FLIPS; r++)
        as_far += fabs(flip_some(headline, e, r)) >= fabs(came) - rounding;
    return (double)as_far / (FLIPS + 1);
}

static bool flip_randomly(double *p, Headline headline, const Shares *a, const Shares *b)
{
    Exchanges e = {.list = allocate(a->count + 1, sizeof *e.list),
                   .groups = a->groups,
                   .came = allocate(2 * a->groups + 1, sizeof *e.came),
                   .flipped = allocate(2 * a->groups + 1, sizeof *e.flipped)};
    bool ok = e.list != NULL && e.came != NULL && e.flipped != NULL;
    for (size_t i = 0; ok && i < a->count; i++) {
        double d = difference_at(a, b, i);
        if (d != 0)
            e.list[e.count++] = (Exchange){d, a->list[i].group};
        add(e.came, &a->list[i]);
        add(e.came + a->groups, &b->list[i]);
    }
    if (ok)
        *p = flip_at_random(headline, &e);
    free(e.list);
    free(e.came);
    free(e.flipped);
    return ok;
}

bool permutation(double *p, bool *exact, Headline headline, const Shares *a, const Shares *b)
{
    *p = 1;
    *exact = false;
    TRY(headline != HEADLINE_MICRO || flip_all(p, exact, a, b));
    return *exact || flip_randomly(p, headline, a, b);
}

void holm(double *adjusted, const double *p, size_t count)
{
    for (size_t i = 0; i < count; i++) { // the largest of p times the number of those not below it, up to p itself
        adjusted[i] = 0;
        for (size_t j = 0; j < count; j++) {
            size_t left = 0;
            for (size_t k = 0; k < count; k++)
                left += p[k] >= p[j];
            if (p[j] <= p[i])
                adjusted[i] = fmax(adjusted[i], fmin(1, p[j] * (double)left));
        }
    }
}
