// The generation engine: what it records is what the trainer computes, to the bit; and what a request is given depends on nothing but
// the request, whatever runs beside it, however its prompt is cut, whether it had to give its pages back.
#include "test/support/requests.h"
#include "test/support/tiny.h"
#include "model/engine_inside.h"

enum { REQUESTS = 256, LONGEST = 300, MOST_NEW = 40, LIVE = 290 };

typedef struct Shape {
    const char *name;
    CacheLimits cache;
    int ahead; // passes in the air, as a GPU has them
} Shape;

static const Shape ROOMY = {"roomy", {.tokens = 1024, .rows = 96, .sequences = 64, .positions = 400, .pages = 400}, 0};

static void open_model(Model *m, const CacheLimits *cache)
{
    ModelConfig config = TINY_CONFIG;
    ModelLimits limits = {.tokens = 2000, .rows = 1200, .sequences = 64, .positions = 400, .cache = *cache};
    const Kernels *kernels = kernels_open("cpu", 1); // tiny passes: a second thread would only wait
    assert_non_null(kernels);
    assert_ok(model_open(m, &config, &limits, kernels, false));
    assert_ok(model_initialise(m, 7));
}

static EngineStatistics run_shape(Requests *r, const Shape *shape, bool check)
{
    Model m;
    open_model(&m, &shape->cache);
    Engine *e = engine_open(&m, LIVE);
    assert_non_null(e);
    e->ahead = shape->ahead;
    requests_run(r, e, 0, 1);
    EngineStatistics statistics = engine_statistics(e);
    engine_close(e);
    if (check)
        assert_int_equal(check_with_trainer(r, &m, LIVE), r->tokens);
    model_close(&m);
    return statistics;
}

// Batches of one and of many, prompts in pieces of any size, pages so few that sequences give them back again and again.
static void no_shape_of_the_engine_changes_a_bit_and_all_are_the_trainers(void **state)
{
    const Shape shapes[] = {
        {"one at a time", {.tokens = 512, .rows = 8, .sequences = 1, .positions = 400, .pages = 6}, 0},
        {"small pieces", {.tokens = 37, .rows = 64, .sequences = 32, .positions = 400, .pages = 200}, 0},
        {"few pages", {.tokens = 256, .rows = 64, .sequences = 48, .positions = 400, .pages = 9}, 0},
        {"ahead", {.tokens = 300, .rows = 32, .sequences = 24, .positions = 400, .pages = 60}, 1},
        {"ahead, few pages", {.tokens = 100, .rows = 32, .sequences = 24, .positions = 400, .pages = 7}, 1},
    };
    Requests all = requests_make(REQUESTS, LONGEST, MOST_NEW, 300), some = requests_make(REQUESTS, LONGEST, MOST_NEW, 300);
    run_shape(&all, &ROOMY, true);
    int64_t samples = 0;
    for (int64_t n = 0; n < REQUESTS; n++)
        samples += all.list[n].samples;
    assert_int_equal(all.finished, samples);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        EngineStatistics s = run_shape(&some, &shapes[i], false);
        print_message("%s: %d passes, %d prompt tokens, %d sampled, %d preemptions, %d of %d pages\n", shapes[i].name,
                      (int)s.passes, (int)s.prompt_tokens, (int)s.sampled_tokens, (int)s.preemptions, (int)s.pages_most,
                      (int)shapes[i].cache.pages);
        assert_int_equal(some.finished, samples);
        assert_same_results(&all, &some, samples);
        assert_true(strstr(shapes[i].name, "few pages") == NULL || s.preemptions > 20);
        requests_clear(&some);
    }
    requests_free(&all);
    requests_free(&some);
}

static void a_request_alone_has_the_text_it_has_among_255_others(void **state)
{
    Requests all = requests_make(REQUESTS, LONGEST, MOST_NEW, 300), alone = requests_make(REQUESTS, LONGEST, MOST_NEW, 300);
    run_shape(&all, &ROOMY, false);
    Model m;
    open_model(&m, &ROOMY.cache);
    Engine *e = engine_open(&m, LIVE);
    for (int64_t n = 0; n < REQUESTS; n += 23)
        requests_run(&alone, e, n, REQUESTS);
    engine_close(e);
    model_close(&m);
    assert_same_results(&all, &alone, REQUESTS / 23);
    requests_free(&all);
    requests_free(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_shape_of_the_engine_changes_a_bit_and_all_are_the_trainers),
        cmocka_unit_test(a_request_alone_has_the_text_it_has_among_255_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
