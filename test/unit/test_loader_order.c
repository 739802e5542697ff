// The order of documents as the loader gives it: every order is a permutation, of its epoch and seed; any number of
// ranks sees each document once an epoch; difficulties and sources come as their order says. Orders by themselves:
// test_order.c.
#include "test/support/made_documents.h"

static void assert_bijection(uint64_t seed, uint32_t epoch, int64_t count)
{
    uint8_t *seen = allocate((size_t)count, 1);
    assert_non_null(seen);
    for (int64_t i = 0; i < count; i++) {
        int64_t number = keyed_permutation(seed, RANDOM_ORDER, epoch, 0, count, i);
        assert_true(number >= 0 && number < count && !seen[number]);
        seen[number] = 1;
    }
    free(seen);
}

static void the_order_is_a_permutation_of_any_number_of_documents(void **state)
{
    for (int64_t n = 1; n <= 200; n++)
        assert_bijection(3, 0, n);
    assert_bijection(4, 1, 100000);
}

static void epochs_and_seeds_have_orders_of_their_own(void **state)
{
    Documents d = random_documents(1000, 10);
    LoaderOptions other = usual();
    other.seed = 2;
    Loader a = loader_of(&d, usual()), b = loader_of(&d, other);
    int same_epoch = 0, same_seed = 0, in_place = 0;
    for (int64_t i = 0; i < 1000; i++) {
        same_epoch += loader_document(&a, 0, i) == loader_document(&a, 1, i);
        same_seed += loader_document(&a, 0, i) == loader_document(&b, 0, i);
        in_place += loader_document(&a, 0, i) == i;
    }
    // random permutations agree in one place on average; 12 or more has a probability below 1e-9
    assert_true(same_epoch < 12 && same_seed < 12 && in_place < 12);
    loader_close(&a);
    loader_close(&b);
    documents_free(&d);
}

static void positions_are_spread_evenly(void **state)
{
    // Where does the first of 8 documents come? 8,000 epochs, 1,000 expected in each place with a deviation of 30: six
    // of them.
    Documents d = random_documents(8, 10);
    Loader loader = loader_of(&d, usual());
    int count[8] = {0};
    for (int64_t epoch = 0; epoch < 8000; epoch++)
        for (int64_t i = 0; i < 8; i++)
            count[i] += loader_document(&loader, epoch, i) == 0;
    for (int i = 0; i < 8; i++)
        assert_true(count[i] > 820 && count[i] < 1180);
    loader_close(&loader);
    documents_free(&d);
}

static void the_sorted_order_is_the_documents(void **state)
{
    Documents d = random_documents(50, 10);
    LoaderOptions options = usual();
    options.order = ORDER_SORTED;
    Loader loader = loader_of(&d, options);
    for (int64_t i = 0; i < 50; i++)
        assert_int_equal(loader_document(&loader, 3, i), i);
    loader_close(&loader);
    documents_free(&d);
}

// ---- orders over difficulties and sources

// What one rank of several sees of a step: the micro-batches m with m % ranks == rank, appended to parts[m].
static int64_t see(Bytes *parts, int *seen, const StepPlan *plan, int rank, int ranks)
{
    for (int64_t m = rank; m < plan->micro_batches; m += ranks)
        for (int64_t i = plan->first[m]; i < plan->first[m + 1]; i++) {
            assert_ok(bytes_printf(&parts[m], " %" PRId64, plan->numbers[i]));
            seen[plan->numbers[i]]++;
        }
    return plan->micro_batches;
}

// Steps first .. last-1 as `ranks` ranks see them, each with a loader of its own, as one text in the order of the
// micro-batches.
static void collect(Bytes *all, int *seen, const Documents *d, LoaderOrder order, int ranks, int64_t first,
                    int64_t last)
{
    for (int64_t step = first; step < last; step++) {
        Bytes parts[64] = {{0}};
        int64_t count = 0;
        for (int rank = 0; rank < ranks; rank++) {
            Loader loader = loader_of(d, in_order(order));
            StepPlan plan;
            assert_ok(loader_plan(&loader, step, &plan));
            count = see(parts, seen, &plan, rank, ranks);
            loader_close(&loader);
        }
        for (int64_t m = 0; m < count; m++) {
            assert_ok(
                bytes_printf(all, "%" PRId64 ".%" PRId64 ":%s\n", step, m, parts[m].size > 0 ? parts[m].data : ""));
            bytes_free(&parts[m]);
        }
    }
}

static void any_number_of_ranks_sees_each_document_once_an_epoch_resumed_or_not(void **state)
{
    Documents d = graded_documents();
    const int ranks[] = {1, 2, 3, 8};
    const int64_t epoch = (MANY + 31) / 32, middle = epoch / 2;
    for (LoaderOrder order = ORDER_RANDOM; order <= ORDER_MIXED; order++) {
        Bytes expected = {0};
        int seen[MANY] = {0};
        collect(&expected, seen, &d, order, 1, 0, epoch);
        for (int64_t i = 0; i < MANY; i++)
            assert_int_equal(seen[i], 1);
        for (size_t r = 0; r < 4; r++) {
            Bytes whole = {0}, resumed = {0};
            int again[MANY] = {0};
            collect(&whole, again, &d, order, ranks[r], 0, epoch);
            collect(&resumed, again, &d, order, ranks[r], 0, middle);
            collect(&resumed, again, &d, order, ranks[3 - r], middle, epoch); // by another number of ranks
            assert_string_equal(whole.data, expected.data);
            assert_string_equal(resumed.data, expected.data);
            bytes_free(&whole);
            bytes_free(&resumed);
        }
        bytes_free(&expected);
    }
    documents_free(&d);
}

static void shuffled_is_easy_to_hard_and_another_order_within_in_each_epoch(void **state)
{
    Documents d = graded_documents();
    Loader loader = loader_of(&d, in_order(ORDER_SHUFFLED));
    int in_place = 0, same = 0, seen[MANY] = {0};
    for (int64_t i = 0; i < MANY; i++) {
        int64_t number = loader_document(&loader, 0, i);
        assert_int_equal(d.list[number].difficulty, d.list[i].difficulty);
        in_place += number == i;
        same += number == loader_document(&loader, 1, i);
        seen[number]++;
    }
    for (int64_t i = 0; i < MANY; i++)
        assert_int_equal(seen[i], 1);
    assert_true(in_place < 30 && same < 30); // six random permutations agree in six places on average
    // buckets of one size do not share a permutation: the same places of two of them
    int alike = 0;
    for (int64_t i = 0; i < 160; i++)
        alike += loader_document(&loader, 0, d.level_first[1] + i) - d.level_first[1] ==
                 loader_document(&loader, 0, d.level_first[3] + i) - d.level_first[3];
    assert_true(alike < 12);
    loader_close(&loader);
    documents_free(&d);
}

// ---- the mixed order

typedef struct Timed {
    double time;
    int level, source;
} Timed;

static int by_time(const void *a, const void *b)
{
    const Timed *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->level != y->level ? x->level - y->level : x->source - y->source;
}

// (r + 1/2) / (n w), sorted: what the order should be, stratum by stratum.
static void mixed_places(Timed *expected, const Documents *d, const double (*weight)[3])
{
    int64_t n = 0;
    for (int level = 0; level < LEVELS; level++)
        for (int source = 0; source < 3; source++) {
            int64_t count = 0;
            for (int64_t i = 0; i < d->count; i++)
                count += d->list[i].difficulty == level && d->list[i].source == source;
            for (int64_t r = 0; r < count; r++)
                expected[n++] = (Timed){((double)r + 0.5) / ((double)count * weight[level][source]), level, source};
        }
    qsort(expected, (size_t)n, sizeof *expected, by_time);
}

static void mixed_is_the_order_of_evenly_spread_times(void **state)
{
    Documents d = graded_documents();
    Loader loader = loader_of(&d, in_order(ORDER_MIXED));
    double weight[LEVELS][3];
    Timed expected[MANY];
    for (int level = 0; level < LEVELS; level++)
        for (int source = 0; source < 3; source++)
            weight[level][source] = (level == 1 ? 4 : level == 5 ? 0.01 : 1) * (source == 1 ? 0.5 : 1);
    mixed_places(expected, &d, (const double(*)[3])weight);
    int seen[MANY] = {0};
    for (int64_t i = 0; i < MANY; i++) {
        int64_t number = loader_document(&loader, 2, i);
        double tolerance = 1e-9 * expected[i].time; // integers of 2^-50: times that close may change places
        bool tie = (i > 0 && expected[i].time - expected[i - 1].time <= tolerance) ||
                   (i + 1 < MANY && expected[i + 1].time - expected[i].time <= tolerance);
        if (!tie)
            assert_true(d.list[number].difficulty == expected[i].level && d.list[number].source == expected[i].source);
        seen[number]++;
    }
    for (int64_t i = 0; i < MANY; i++)
        assert_int_equal(seen[i], 1);
    loader_close(&loader);
    documents_free(&d);
}

static void mixed_without_weights_gives_every_part_of_an_epoch_the_shares_of_the_whole(void **state)
{
    Documents d = graded_documents();
    LoaderOptions options = in_order(ORDER_MIXED);
    options.weight_count = 0;
    Loader loader = loader_of(&d, options);
    int same = 0;
    for (int64_t tenth = 0; tenth < 10; tenth++) {
        int count[LEVELS] = {0};
        for (int64_t i = tenth * 100; i < (tenth + 1) * 100; i++) {
            count[d.list[loader_document(&loader, 0, i)].difficulty]++;
            same += loader_document(&loader, 0, i) == loader_document(&loader, 1, i);
        }
        for (int level = 0; level < LEVELS; level++) // a sixth of 100, within one document of each of three sources
            assert_true(count[level] >= 13 && count[level] <= 20);
    }
    assert_true(same < 60); // strata of some 55 documents: 18 permutations agree in 18 places on average
    loader_close(&loader);
    documents_free(&d);
}

static void weights_that_mean_nothing_are_refused(void **state)
{
    Documents d = graded_documents();
    Loader loader;
    LoaderOptions o = in_order(ORDER_MIXED);
    o.order = ORDER_SORTED;
    assert_refused(loader_open(&loader, &d, &o), "--mix works with --order mixed only");
    o = in_order(ORDER_MIXED);
    o.weights = (const LoaderWeight[]){{-1, "maths", 2}};
    o.weight_count = 1;
    assert_refused(loader_open(&loader, &d, &o), "source:maths: no document has this source; there are math, web");
    o.weights = (const LoaderWeight[]){{1, NULL, 0}};
    assert_refused(loader_open(&loader, &d, &o), "from 0.001 to 1000");
    o.weights = (const LoaderWeight[]){{1, NULL, NAN}};
    assert_refused(loader_open(&loader, &d, &o), "from 0.001 to 1000");
    documents_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_a_permutation_of_any_number_of_documents),
        cmocka_unit_test(epochs_and_seeds_have_orders_of_their_own),
        cmocka_unit_test(positions_are_spread_evenly),
        cmocka_unit_test(the_sorted_order_is_the_documents),
        cmocka_unit_test(any_number_of_ranks_sees_each_document_once_an_epoch_resumed_or_not),
        cmocka_unit_test(shuffled_is_easy_to_hard_and_another_order_within_in_each_epoch),
        cmocka_unit_test(mixed_is_the_order_of_evenly_spread_times),
        cmocka_unit_test(mixed_without_weights_gives_every_part_of_an_epoch_the_shares_of_the_whole),
        cmocka_unit_test(weights_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
