// Steps: every order is a permutation, the cut covers every document once within its limits, a batch holds what its
// documents hold, and nothing depends on what was asked before.
#include "test/support/check.h"
#include "data/order.h"
#include "data/prefetch.h"

// Documents of the given lengths; token t of document i is 1000 i + t, trained from the second third of the document
// on.
static Documents documents_of(const int32_t *lengths, int64_t count)
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

static void documents_free(Documents *d)
{
    free((void *)(uintptr_t)d->list[0].ids);
    free((void *)(uintptr_t)d->list[0].spans);
    free(d->list);
}

static Documents random_documents(int64_t count, uint32_t longest)
{
    int32_t *lengths = allocate((size_t)count, sizeof *lengths);
    assert_non_null(lengths);
    for (int64_t i = 0; i < count; i++)
        lengths[i] = (int32_t)(2 + random_bits(7, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0] % (longest - 1));
    Documents d = documents_of(lengths, count);
    free(lengths);
    return d;
}

static Loader loader_of(const Documents *d, LoaderOptions options)
{
    Loader loader;
    assert_ok(loader_open(&loader, d, &options));
    return loader;
}

static LoaderOptions usual(void)
{
    return (LoaderOptions){.seed = 1, .global_batch = 16, .micro_batch_tokens = 1000, .slots = 8};
}

// ---- order

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

// ---- plans

static int64_t tokens_in(const Documents *d, const StepPlan *p, int64_t m)
{
    int64_t tokens = 0;
    for (int64_t i = p->first[m]; i < p->first[m + 1]; i++)
        tokens += d->list[p->numbers[i]].length;
    return tokens;
}

// Every micro-batch fits, or is one document.
static void assert_limits(const Documents *d, const StepPlan *p, const LoaderOptions *o)
{
    assert_int_equal(p->micro_batches % o->slots, 0);
    assert_int_equal(p->first[0], 0);
    assert_int_equal(p->first[p->micro_batches], p->documents);
    int64_t trained = 0, tokens = 0;
    for (int64_t m = 0; m < p->micro_batches; m++)
        assert_true(tokens_in(d, p, m) <= o->micro_batch_tokens || p->first[m + 1] - p->first[m] == 1);
    for (int64_t i = 0; i < p->documents; i++) {
        trained += d->list[p->numbers[i]].trained;
        tokens += d->list[p->numbers[i]].length;
    }
    assert_int_equal(p->trained_tokens, trained);
    assert_int_equal(p->tokens, tokens);
}

static void an_epoch_holds_every_document_once_and_its_last_step_is_short(void **state)
{
    Documents d = random_documents(203, 600);
    LoaderOptions options = usual();
    Loader loader = loader_of(&d, options);
    assert_int_equal(loader_steps_per_epoch(&loader), 13);
    int seen[203] = {0};
    for (int64_t step = 0; step < 26; step++) {
        StepPlan plan;
        assert_ok(loader_plan(&loader, step, &plan));
        assert_int_equal(plan.epoch, step / 13);
        assert_int_equal(plan.documents, step % 13 == 12 ? 203 - 12 * 16 : 16);
        assert_limits(&d, &plan, &options);
        for (int64_t i = 0; i < plan.documents; i++)
            seen[plan.numbers[i]]++;
        for (int i = 0; step % 13 == 12 && i < 203; i++)
            assert_int_equal(seen[i], plan.epoch + 1);
    }
    loader_close(&loader);
    documents_free(&d);
}

static void a_step_of_slots_documents_is_one_document_a_micro_batch(void **state)
{
    const int32_t lengths[] = {5, 9, 2, 7, 3, 8, 4, 6}, longest_first[] = {1, 5, 3, 7, 0, 6, 4, 2};
    Documents d = documents_of(lengths, 8);
    LoaderOptions options = {.order = ORDER_SORTED, .global_batch = 8, .micro_batch_tokens = 16384, .slots = 8};
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_int_equal(plan.micro_batches, 8);
    for (int64_t m = 0; m < 8; m++) {
        assert_int_equal(plan.first[m], m);
        assert_int_equal(plan.numbers[m], longest_first[m]);
    }
    loader_close(&loader);
    documents_free(&d);
}

static void documents_of_equal_cost_are_dealt_in_the_order_of_the_step(void **state)
{
    const int32_t lengths[] = {5, 5, 5, 5, 5, 5};
    Documents d = documents_of(lengths, 6);
    LoaderOptions options = {.order = ORDER_SORTED, .global_batch = 6, .micro_batch_tokens = 100, .slots = 4};
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    assert_ok(loader_plan(&loader, 0, &plan));
    const int64_t numbers[] = {0, 4, 1, 5, 2, 3}, first[] = {0, 2, 4, 5, 6};
    assert_int_equal(plan.micro_batches, 4);
    assert_memory_equal(plan.numbers, numbers, sizeof numbers);
    assert_memory_equal(plan.first, first, sizeof first);
    loader_close(&loader);
    documents_free(&d);
}

static void fewer_documents_than_slots_leave_empty_micro_batches(void **state)
{
    const int32_t lengths[] = {5, 9, 2};
    Documents d = documents_of(lengths, 3);
    Loader loader = loader_of(&d, usual());
    StepPlan plan;
    Ragged batch;
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_int_equal(plan.micro_batches, 8);
    for (int64_t m = 0; m < 8; m++) {
        assert_ok(loader_micro_batch(&loader, &plan, m, &batch));
        assert_int_equal(batch.sequences, m < 3);
        assert_int_equal(batch.tokens > 0, m < 3);
        assert_int_equal(batch.starts[batch.sequences], batch.tokens);
    }
    loader_close(&loader);
    documents_free(&d);
}

static void a_document_over_the_limit_is_a_micro_batch_of_its_own(void **state)
{
    const int32_t lengths[] = {10, 150, 20, 120, 30};
    Documents d = documents_of(lengths, 5);
    LoaderOptions options = {.order = ORDER_SORTED, .global_batch = 5, .micro_batch_tokens = 100, .slots = 1};
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_limits(&d, &plan, &options);
    assert_int_equal(plan.micro_batches, 3);
    const int64_t numbers[] = {1, 3, 0, 2, 4}, first[] = {0, 1, 2, 5};
    assert_memory_equal(plan.numbers, numbers, sizeof numbers); // within a micro-batch in the order of the step
    assert_memory_equal(plan.first, first, sizeof first);
    loader_close(&loader);
    documents_free(&d);
}

static void documents_that_do_not_pack_get_more_micro_batches(void **state)
{
    const int32_t lengths[] = {60, 60, 60, 60, 60}; // 300 tokens would fit 3 of 100, but no two fit one
    Documents d = documents_of(lengths, 5);
    LoaderOptions options = {.global_batch = 5, .micro_batch_tokens = 100, .slots = 2};
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_limits(&d, &plan, &options);
    assert_int_equal(plan.micro_batches, 6);
    loader_close(&loader);
    documents_free(&d);
}

static void micro_batches_cost_nearly_the_same(void **state)
{
    Documents d = random_documents(128, 8000);
    LoaderOptions options = {.global_batch = 128, .micro_batch_tokens = 16384, .slots = 8};
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_limits(&d, &plan, &options);
    double least = INFINITY, most = 0, largest = 0;
    for (int64_t m = 0; m < plan.micro_batches; m++) {
        double cost = 0;
        for (int64_t i = plan.first[m]; i < plan.first[m + 1]; i++) {
            double length = d.list[plan.numbers[i]].length, own = length * (LOADER_LINEAR_COST + length / 2);
            cost += own;
            largest = own > largest ? own : largest;
        }
        least = cost < least ? cost : least;
        most = cost > most ? cost : most;
    }
    print_message("%" PRId64 " micro-batches, the dearest %.3f of the cheapest\n", plan.micro_batches, most / least);
    // greedy: the last document put on the dearest one went to what was the cheapest then (none of these is ever full)
    assert_true(most - least <= largest);
    loader_close(&loader);
    documents_free(&d);
}

static void a_plan_depends_on_nothing_but_its_step(void **state)
{
    Documents d = random_documents(203, 600);
    LoaderOptions options = usual();
    Loader used = loader_of(&d, options), fresh;
    StepPlan a, b;
    Ragged x, y;
    assert_ok(loader_plan(&used, 25, &a));
    assert_ok(loader_micro_batch(&used, &a, 0, &x));
    assert_ok(loader_walk(&used, &a));
    for (int64_t step = 20; step >= 0; step -= 5) {
        assert_ok(loader_plan(&used, step, &a));
        fresh = loader_of(&d, options);
        assert_ok(loader_plan(&fresh, step, &b));
        assert_int_equal(a.micro_batches, b.micro_batches);
        assert_memory_equal(a.numbers, b.numbers, (size_t)a.documents * sizeof *a.numbers);
        assert_memory_equal(a.first, b.first, (size_t)(a.micro_batches + 1) * sizeof *a.first);
        for (int64_t m = a.micro_batches - 1; m >= 0; m--) {
            assert_ok(loader_micro_batch(&used, &a, m, &x));
            assert_ok(loader_micro_batch(&fresh, &b, m, &y));
            assert_int_equal(x.tokens, y.tokens);
            assert_memory_equal(x.ids, y.ids, (size_t)x.tokens * 4);
            assert_memory_equal(x.rows, y.rows, (size_t)x.trained * 4);
        }
        loader_close(&fresh);
    }
    loader_close(&used);
    documents_free(&d);
}

// ---- batches

static void a_batch_holds_its_documents_token_by_token(void **state)
{
    const int32_t lengths[] = {4, 3, 2};
    Documents d = documents_of(lengths, 3);
    LoaderOptions options = {.order = ORDER_SORTED, .global_batch = 3, .micro_batch_tokens = 100, .slots = 1};
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    Ragged batch;
    assert_ok(loader_plan(&loader, 0, &plan));
    assert_ok(loader_micro_batch(&loader, &plan, 0, &batch));
    const int32_t ids[] = {0, 1, 2, 3, 1000, 1001, 1002, 2000, 2001}, positions[] = {0, 1, 2, 3, 0, 1, 2, 0, 1};
    const int32_t starts[] = {0, 4, 7, 9}, contexts[] = {0, 0, 0}, rows[] = {1, 2, 5, 7},
                  targets[] = {2, 3, 1002, 2001};
    assert_int_equal(batch.tokens, 9);
    assert_int_equal(batch.sequences, 3);
    assert_int_equal(batch.trained, 4);
    assert_int_equal(plan.trained_tokens, 4);
    assert_memory_equal(batch.ids, ids, sizeof ids);
    assert_memory_equal(batch.positions, positions, sizeof positions);
    assert_memory_equal(batch.starts, starts, sizeof starts);
    assert_memory_equal(batch.contexts, contexts, sizeof contexts);
    assert_memory_equal(batch.rows, rows, sizeof rows);
    assert_memory_equal(batch.targets, targets, sizeof targets);
    assert_refused(loader_micro_batch(&loader, &plan, 1, &batch), "has 1 micro-batches, but number 1");
    loader_close(&loader);
    documents_free(&d);
}

// Sums over all micro-batches of a plan; each within the loader's limits.
static void assert_plan_filled(Loader *loader, const StepPlan *plan)
{
    LoaderLimits limits = loader_largest(loader);
    int64_t tokens = 0, trained = 0, sequences = 0;
    for (int64_t m = 0; m < plan->micro_batches; m++) {
        Ragged batch;
        assert_ok(loader_micro_batch(loader, plan, m, &batch));
        assert_true(batch.tokens <= limits.tokens && batch.trained <= limits.rows &&
                    batch.sequences <= limits.sequences);
        tokens += batch.tokens;
        trained += batch.trained;
        sequences += batch.sequences;
    }
    assert_int_equal(tokens, plan->tokens);
    assert_int_equal(trained, plan->trained_tokens);
    assert_int_equal(sequences, plan->documents);
}

static void no_batch_is_larger_than_the_limits_that_memory_is_planned_for(void **state)
{
    for (int i = 0; i < 4; i++) {
        Documents d =
            random_documents(97, i % 2 == 0 ? 3 : 1500); // the shortest documents there are, and some over the limit
        Loader loader =
            loader_of(&d, (LoaderOptions){.global_batch = i < 2 ? 97 : 1000, .micro_batch_tokens = 1000, .slots = 1});
        StepPlan plan;
        assert_ok(loader_plan(&loader, 5, &plan));
        assert_plan_filled(&loader, &plan);
        assert_ok(loader_walk(&loader, &plan));
        assert_plan_filled(&loader, &plan);
        loader_close(&loader);
        documents_free(&d);
    }
}

static void the_walk_of_an_evaluation_is_all_documents_in_order(void **state)
{
    Documents d = random_documents(203, 600);
    LoaderOptions options = usual();
    Loader loader = loader_of(&d, options);
    StepPlan plan;
    assert_ok(loader_walk(&loader, &plan));
    assert_limits(&d, &plan, &options);
    assert_int_equal(plan.documents, 203);
    assert_int_equal(plan.tokens, d.tokens);
    assert_int_equal(plan.trained_tokens, d.trained_tokens);
    for (int64_t i = 0; i < 203; i++)
        assert_int_equal(plan.numbers[i], i);
    assert_plan_filled(&loader, &plan);
    loader_close(&loader);
    documents_free(&d);
}

// ---- orders over difficulties and sources

enum { MANY = 1003 };

// Documents of difficulties 0 (unknown) to 5 from three sources, sorted as shards are.
static Documents graded_documents(void)
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

static LoaderOptions in_order(LoaderOrder order)
{
    LoaderOptions o = {.seed = 9, .order = order, .global_batch = 32, .micro_batch_tokens = 2000, .slots = 8};
    if (order == ORDER_MIXED) {
        o.weights = WEIGHTS;
        o.weight_count = 3;
    }
    return o;
}

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

// ---- the thread

static void assert_same_batch(const Ragged *x, const Ragged *y)
{
    assert_int_equal(x->tokens, y->tokens);
    assert_int_equal(x->sequences, y->sequences);
    assert_int_equal(x->trained, y->trained);
    assert_memory_equal(x->ids, y->ids, (size_t)x->tokens * 4);
    assert_memory_equal(x->positions, y->positions, (size_t)x->tokens * 4);
    assert_memory_equal(x->starts, y->starts, (size_t)(x->sequences + 1) * 4);
    assert_memory_equal(x->contexts, y->contexts, (size_t)x->sequences * 4);
    assert_memory_equal(x->rows, y->rows, (size_t)x->trained * 4);
    assert_memory_equal(x->targets, y->targets, (size_t)x->trained * 4);
}

static void the_thread_gives_what_the_loader_gives(void **state)
{
    Documents d = graded_documents();
    Loader direct = loader_of(&d, in_order(ORDER_RANDOM)), behind = loader_of(&d, in_order(ORDER_RANDOM));
    Prefetch *prefetch = prefetch_open(&behind, 5, 70, 0, 1); // into the third epoch, over two short batches
    assert_non_null(prefetch);
    const StepBatches *step;
    for (int64_t n = 5; n < 70; n++) {
        StepPlan plan;
        assert_ok(loader_plan(&direct, n, &plan));
        assert_ok(prefetch_next(prefetch, &step));
        assert_int_equal(step->plan.step, n);
        assert_int_equal(step->plan.trained_tokens, plan.trained_tokens);
        assert_int_equal(step->plan.micro_batches, plan.micro_batches);
        assert_memory_equal(step->plan.numbers, plan.numbers, (size_t)plan.documents * sizeof *plan.numbers);
        assert_memory_equal(step->plan.first, plan.first, (size_t)(plan.micro_batches + 1) * sizeof *plan.first);
        for (int64_t m = 0; m < plan.micro_batches; m++) {
            Ragged batch;
            assert_ok(loader_micro_batch(&direct, &plan, m, &batch));
            assert_same_batch(&step->batches[m], &batch);
        }
    }
    assert_refused(prefetch_next(prefetch, &step), "step 70 is outside the range");
    prefetch_close(prefetch);
    loader_close(&direct);
    loader_close(&behind);
    documents_free(&d);
}

static void the_thread_ends_whenever_it_is_asked_to_and_hands_on_errors(void **state)
{
    Documents d = graded_documents();
    for (int taken = 0; taken < 6; taken++) {
        Loader loader = loader_of(&d, in_order(ORDER_SORTED));
        Prefetch *prefetch = prefetch_open(&loader, 0, 100, 0, 1);
        const StepBatches *step;
        for (int n = 0; n < taken; n++)
            assert_ok(prefetch_next(prefetch, &step));
        prefetch_close(prefetch);
        loader_close(&loader);
    }
    Loader loader = loader_of(&d, in_order(ORDER_SORTED));
    const StepBatches *step;
    Prefetch *prefetch = prefetch_open(&loader, INT64_MAX - 2, INT64_MAX, 0, 1);
    assert_refused(prefetch_next(prefetch, &step), "has no place in the order");
    assert_refused(prefetch_next(prefetch, &step), "has no place in the order");
    prefetch_close(prefetch);
    prefetch = prefetch_open(&loader, 7, 7, 0, 1); // a run that has ended
    assert_refused(prefetch_next(prefetch, &step), "step 7 is outside the range");
    prefetch_close(prefetch);
    loader_close(&loader);
    documents_free(&d);
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    Documents d = random_documents(10, 10);
    Loader loader;
    StepPlan plan;
    LoaderOptions o = usual();
    o.global_batch = 0;
    assert_refused(loader_open(&loader, &d, &o), "--global-batch 0");
    o = usual();
    o.micro_batch_tokens = 0;
    assert_refused(loader_open(&loader, &d, &o), "--micro-batch-tokens 0");
    o = usual();
    o.slots = 0;
    assert_refused(loader_open(&loader, &d, &o), "--slots 0");
    o = usual();
    o.slots = INT64_MAX;
    assert_refused(loader_open(&loader, &d, &o), "--slots");
    o = usual();
    o.linear_cost = -1;
    assert_refused(loader_open(&loader, &d, &o), "cost");
    Documents none = {0};
    o = usual();
    assert_refused(loader_open(&loader, &none, &o), "0 documents");
    loader = loader_of(&d, usual());
    assert_refused(loader_plan(&loader, -1, &plan), "step -1");
    assert_refused(loader_plan(&loader, INT64_MAX, &plan), "has no place");
    loader_close(&loader);
    documents_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_a_permutation_of_any_number_of_documents),
        cmocka_unit_test(epochs_and_seeds_have_orders_of_their_own),
        cmocka_unit_test(positions_are_spread_evenly),
        cmocka_unit_test(the_sorted_order_is_the_documents),
        cmocka_unit_test(an_epoch_holds_every_document_once_and_its_last_step_is_short),
        cmocka_unit_test(a_step_of_slots_documents_is_one_document_a_micro_batch),
        cmocka_unit_test(documents_of_equal_cost_are_dealt_in_the_order_of_the_step),
        cmocka_unit_test(fewer_documents_than_slots_leave_empty_micro_batches),
        cmocka_unit_test(a_document_over_the_limit_is_a_micro_batch_of_its_own),
        cmocka_unit_test(documents_that_do_not_pack_get_more_micro_batches),
        cmocka_unit_test(micro_batches_cost_nearly_the_same),
        cmocka_unit_test(a_plan_depends_on_nothing_but_its_step),
        cmocka_unit_test(a_batch_holds_its_documents_token_by_token),
        cmocka_unit_test(no_batch_is_larger_than_the_limits_that_memory_is_planned_for),
        cmocka_unit_test(the_walk_of_an_evaluation_is_all_documents_in_order),
        cmocka_unit_test(any_number_of_ranks_sees_each_document_once_an_epoch_resumed_or_not),
        cmocka_unit_test(shuffled_is_easy_to_hard_and_another_order_within_in_each_epoch),
        cmocka_unit_test(mixed_is_the_order_of_evenly_spread_times),
        cmocka_unit_test(mixed_without_weights_gives_every_part_of_an_epoch_the_shares_of_the_whole),
        cmocka_unit_test(weights_that_mean_nothing_are_refused),
        cmocka_unit_test(the_thread_gives_what_the_loader_gives),
        cmocka_unit_test(the_thread_ends_whenever_it_is_asked_to_and_hands_on_errors),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
