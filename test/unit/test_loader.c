// Steps: the cut covers every document once within its limits, a batch holds what its documents hold, and nothing
// depends on what was asked before. The order of the documents: test_loader_order.c.
#include "test/support/made_documents.h"

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
        cmocka_unit_test(the_thread_gives_what_the_loader_gives),
        cmocka_unit_test(the_thread_ends_whenever_it_is_asked_to_and_hands_on_errors),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
