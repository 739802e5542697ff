// Orders beyond what test_loader_order.c sees of them: the mixed one against a sort of all its times, for strata of
// every shape; any part of an order against the same places one by one; and the permutation against numbers that must
// never change, because saved runs go on with them.
#include "test/support/check.h"
#include "data/order.h"

enum { SOURCES = 4 };

static char *source_names[SOURCES] = {"", "a", "b", "c"};

static uint32_t draw(uint32_t seed, uint32_t i, uint32_t most)
{
    return random_bits(seed, RANDOM_SAMPLE, i, 0, 0).v[0] % most;
}

// Strata of any size, some of them empty.
static Documents graded(int64_t count, uint32_t seed)
{
    Documents d = {.count = count, .sources = source_names, .source_count = SOURCES};
    uint32_t level = 0;
    d.list = allocate((size_t)count, sizeof *d.list);
    assert_non_null(d.list);
    for (int64_t i = 0; i < count; i++) {
        while (level < LEVELS - 1 && draw(seed, (uint32_t)i + 1000 * level, (uint32_t)count) < 6)
            level++;
        uint32_t source = draw(seed + 1, (uint32_t)i, 3 * SOURCES);
        d.list[i] = (Document){.difficulty = (int32_t)level,
                               .source = source < SOURCES ? (int32_t)source : (int32_t)(seed % SOURCES)};
    }
    documents_find_levels(&d);
    return d;
}

typedef struct Timed {
    uint64_t time;
    size_t stratum;
    int64_t place; // in its stratum
} Timed;

static int by_time(const void *a, const void *b)
{
    const Timed *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->stratum < y->stratum ? -1 : x->stratum > y->stratum;
}

static void assert_sorted_by_time(Order *order, int64_t epoch)
{
    int64_t count = order->documents->count, n = 0;
    Timed *times = allocate((size_t)count, sizeof *times);
    int64_t *numbers = allocate((size_t)count, sizeof *numbers);
    assert_true(times != NULL && numbers != NULL);
    for (size_t s = 0; s < order->stratum_count; s++)
        for (int64_t r = 0; r < order->strata[s].count; r++)
            times[n++] = (Timed){(2 * (uint64_t)r + 1) * order->strata[s].pace, s, r};
    assert_int_equal(n, count);
    qsort(times, (size_t)count, sizeof *times, by_time);
    order_documents(order, epoch, 0, count, numbers);
    for (int64_t i = 0; i < count; i++) {
        const Stratum *s = &order->strata[times[i].stratum];
        int64_t member = keyed_permutation(order->seed, RANDOM_BUCKET, (uint32_t)epoch, (uint32_t)times[i].stratum,
                                           s->count, times[i].place);
        assert_int_equal(numbers[i], order->members[s->first + member]);
    }
    free(times);
    free(numbers);
}

static void mixed_is_the_sort_of_all_times_for_any_strata_and_weights(void **state)
{
    static const double weights[] = {1e-3, 0.3, 1, 2, 1e3};
    for (uint32_t seed = 0; seed < 60; seed++) {
        Documents d = graded(1 + draw(5, seed, 400), seed);
        const LoaderWeight some[] = {
            {1, NULL, weights[seed % 5]}, {3, NULL, weights[seed / 5 % 5]}, {-1, "a", weights[seed / 25]}};
        LoaderOptions o = {.seed = seed, .order = ORDER_MIXED, .weights = some, .weight_count = seed % 4};
        Order order;
        assert_ok(order_open(&order, &d, &o));
        assert_sorted_by_time(&order, seed % 3);
        order_close(&order);
        free(d.list);
    }
}

// Strata of one size and weight have all their times in common.
static void documents_of_one_time_come_in_the_order_of_their_strata(void **state)
{
    Documents d = {.count = 60, .sources = source_names, .source_count = 1, .list = allocate(60, sizeof *d.list)};
    Order order;
    int64_t numbers[60];
    assert_non_null(d.list);
    for (int i = 0; i < 60; i++)
        d.list[i].difficulty = i / 10;
    documents_find_levels(&d);
    assert_ok(order_open(&order, &d, &(LoaderOptions){.order = ORDER_MIXED}));
    order_documents(&order, 0, 0, 60, numbers);
    for (int i = 0; i < 60; i++)
        assert_int_equal(d.list[numbers[i]].difficulty, i % 6);
    order_close(&order);
    free(d.list);
}

static void any_part_of_an_order_is_the_same_places_one_by_one(void **state)
{
    Documents d = graded(307, 3);
    for (LoaderOrder kind = ORDER_RANDOM; kind <= ORDER_MIXED; kind++) {
        Order order;
        int64_t whole[307], part[307], one;
        assert_ok(order_open(&order, &d, &(LoaderOptions){.seed = 4, .order = kind}));
        order_documents(&order, 1, 0, 307, whole);
        for (int64_t begin = 306; begin >= 0; begin -= 17) {
            order_documents(&order, 1, begin, 307 - begin, part);
            order_documents(&order, 1, begin, 1, &one);
            assert_int_equal(one, whole[begin]);
            assert_memory_equal(part, whole + begin, (size_t)(307 - begin) * sizeof *part);
        }
        order_close(&order);
    }
    free(d.list);
}

// A run that was begun with an older build goes on in the same order.
static void permutations_are_what_they_have_always_been(void **state)
{
    static const int64_t random[8] = {4218, 1653, 562, 5671, 4490, 4156, 5243, 2851},
                         bucket[8] = {1738, 4506, 1303, 5543, 7110, 7089, 821, 1733};
    for (int64_t i = 0; i < 8; i++) {
        assert_int_equal(keyed_permutation(42, RANDOM_ORDER, 3, 0, 7500, i), random[i]);
        assert_int_equal(keyed_permutation(42, RANDOM_BUCKET, 3, 2, 7500, i), bucket[i]);
    }
}

// Names of permutations differ in every part: seed, purpose, a and b. Two random permutations of 1,000 agree in one
// place on average.
static void every_name_has_a_permutation_of_its_own(void **state)
{
    int alike[4] = {0};
    for (int64_t i = 0; i < 1000; i++) {
        int64_t place = keyed_permutation(1, RANDOM_ORDER, 1, 1, 1000, i);
        alike[0] += place == keyed_permutation(2, RANDOM_ORDER, 1, 1, 1000, i);
        alike[1] += place == keyed_permutation(1, RANDOM_BUCKET, 1, 1, 1000, i);
        alike[2] += place == keyed_permutation(1, RANDOM_ORDER, 2, 1, 1000, i);
        alike[3] += place == keyed_permutation(1, RANDOM_ORDER, 1, 2, 1000, i);
    }
    for (int i = 0; i < 4; i++)
        assert_true(alike[i] < 12); // 12 or more has a probability below 1e-9
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_is_the_sort_of_all_times_for_any_strata_and_weights),
        cmocka_unit_test(documents_of_one_time_come_in_the_order_of_their_strata),
        cmocka_unit_test(any_part_of_an_order_is_the_same_places_one_by_one),
        cmocka_unit_test(permutations_are_what_they_have_always_been),
        cmocka_unit_test(every_name_has_a_permutation_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
