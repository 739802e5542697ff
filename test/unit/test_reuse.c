// Pages that are found again: the pool against a plain list of what it should hold, and the engine with pages of
// earlier requests against one that computes everything, bit for bit, while requests come, go and are preempted.
#include "test/support/check.h"
#include "test/support/requests.h"
#include "test/support/tiny.h"
#include "engine/engine_internal.h"

// ---- the pool

enum { PAGES = 40, CHAINS = 12, DEEPEST = 6, VALUES = 3 };

typedef struct Chain { // what a sequence holds
    int32_t pages[DEEPEST];
    int32_t values[DEEPEST]; // each page's tokens are this, KEY_BLOCK times
    int depth;
} Chain;

typedef struct Plain { // what the pool should know
    bool published[PAGES];
    int32_t values[PAGES][DEEPEST], depth[PAGES];
    int64_t given_back[PAGES]; // when
} Plain;

// Hashes of two bits: nearly all of them collide.
static PageKey key_of(const Chain *c, int i, int32_t *ids)
{
    for (int k = 0; k < KEY_BLOCK; k++)
        ids[k] = c->values[i];
    return (PageKey){.hash = (uint64_t)c->values[i] % 2, .before = i == 0 ? -1 : c->pages[i - 1], .ids = ids};
}

static int32_t plain_find(const Plain *p, const Chain *c, int depth)
{
    for (int32_t page = 0; page < PAGES; page++)
        if (p->published[page] && p->depth[page] == depth &&
            memcmp(p->values[page], c->values, (size_t)depth * sizeof *c->values) == 0)
            return page;
    return -1;
}

static bool plain_continues(const Plain *p, int32_t page)
{
    for (int32_t other = 0; other < PAGES; other++)
        if (p->published[other] && p->depth[other] == p->depth[page] + 1 &&
            memcmp(p->values[other], p->values[page], (size_t)p->depth[page] * sizeof(int32_t)) == 0)
            return true;
    return false;
}

// The one that has to go next: the longest not held, of those that nothing continues.
static int32_t plain_next(const Plain *p, const PagePool *pool)
{
    int32_t next = -1;
    for (int32_t page = 0; page < PAGES; page++)
        if (p->published[page] && pool->holders[page] == 0 && !plain_continues(p, page) &&
            (next < 0 || p->given_back[page] < p->given_back[next]))
            next = page;
    return next;
}

static int32_t take(PagePool *pool, Plain *p)
{
    int32_t expected = pool->free_count > 0 ? -1 : plain_next(p, pool);
    int64_t available = pages_available(pool);
    int32_t page = page_take(pool);
    assert_true((page >= 0) == (available > 0));
    if (page < 0)
        return page;
    assert_true(expected < 0 || page == expected);
    assert_true(expected >= 0 || !p->published[page]);
    p->published[page] = false;
    return page;
}

// The last one first, as sequences do, or the other way round, as where a copy of a page was the last to hold it.
static void give_back(PagePool *pool, Plain *p, Chain *c, int64_t now)
{
    for (int i = 0; i < c->depth; i++) {
        int32_t page = c->pages[now % 3 == 0 ? i : c->depth - 1 - i];
        page_give_back(pool, page);
        p->given_back[page] = pool->holders[page] == 0 ? now * DEEPEST + i : p->given_back[page];
    }
    c->depth = 0;
}

// A chain of random tokens: what is known of it is found, the rest taken and published, as far as there is room.
static void grow_chain(PagePool *pool, Plain *p, Chain *c, int64_t now)
{
    int32_t ids[KEY_BLOCK], deep = 1 + number_of(1, now, DEEPEST);
    for (int i = 0; i < deep; i++) {
        c->values[i] = (int32_t)number_of(2 + (uint32_t)i, now, VALUES);
        int32_t page = page_find(pool, key_of(c, i, ids));
        assert_int_equal(page, plain_find(p, c, i + 1));
        if (page >= 0)
            page_hold(pool, page);
        else if ((page = take(pool, p)) < 0)
            return;
        else {
            assert_int_equal(page_publish(pool, page, key_of(c, i, ids)), page);
            p->published[page] = true;
            p->depth[page] = i + 1;
            memcpy(p->values[page], c->values, (size_t)(i + 1) * sizeof *c->values);
        }
        c->pages[c->depth++] = page;
    }
}

static void a_page_is_found_by_its_tokens_and_the_least_lately_used_leaf_goes_first(void **state)
{
    static Plain plain;
    Chain chains[CHAINS] = {0};
    PagePool pool;
    assert_ok(page_pool_open(&pool, PAGES, true));
    for (int64_t now = 1; now < 5000; now++) {
        Chain *c = &chains[number_of(0, now, CHAINS)];
        if (c->depth > 0)
            give_back(&pool, &plain, c, now);
        else
            grow_chain(&pool, &plain, c, now);
        for (int32_t page = 0; page < PAGES; page++) {
            int32_t held = 0;
            for (int i = 0; i < CHAINS; i++)
                for (int k = 0; k < chains[i].depth; k++)
                    held += chains[i].pages[k] == page;
            assert_int_equal(pool.holders[page], held);
            assert_int_equal(page_is_published(&pool, page), plain.published[page]);
        }
    }
    for (int i = 0; i < CHAINS; i++)
        give_back(&pool, &plain, &chains[i], 30000);
    assert_int_equal(pages_available(&pool), PAGES);
    assert_true(pool.reused_count > 500);
    page_pool_close(&pool);
}

static void a_page_that_another_has_already_is_given_back(void **state)
{
    PagePool pool;
    int32_t ids[KEY_BLOCK] = {5};
    assert_ok(page_pool_open(&pool, 3, true));
    PageKey key = {.hash = page_hash(0, ids), .before = -1, .ids = ids};
    int32_t first = page_take(&pool), second = page_take(&pool);
    assert_int_equal(page_publish(&pool, first, key), first);
    assert_int_equal(page_publish(&pool, first, key), first);
    assert_int_equal(page_publish(&pool, second, key), first);
    assert_int_equal(pool.holders[first], 2);
    assert_int_equal(pages_available(&pool), 2);
    page_give_back(&pool, first);
    page_give_back(&pool, first);
    assert_int_equal(page_find(&pool, key), first);
    assert_int_equal(pages_available(&pool), 3);
    page_pool_close(&pool);
}

// ---- the engine

enum { LIVE = 290, REQUESTS = 14, SAMPLES = 3, NEW = 10, STEMS = 5, LONGEST_PROMPT = 340 };

typedef struct Answers {
    int32_t ids[REQUESTS][SAMPLES][NEW];
    float logprob[REQUESTS][SAMPLES][NEW], prompt_logprob[REQUESTS][LONGEST_PROMPT];
    int64_t found[REQUESTS], results;
} Answers;

static void open_model(Model *m, const CacheLimits *cache, bool training)
{
    ModelConfig config = TINY_CONFIG;
    ModelLimits limits = {
        .tokens = 800, .rows = 400, .sequences = 8, .positions = 400, .training = training, .cache = *cache};
    assert_ok(model_open(m, &config, &limits, kernels_open("cpu", 1), false));
    assert_ok(model_initialise(m, 7));
}

// Prompts with a beginning in common, of any length; some of them scored, some with several samples.
static void add_request(Engine *e, int64_t n)
{
    int32_t prompt[LONGEST_PROMPT];
    uint32_t stem = number_of(1, n, STEMS), same = 100 + 50 * stem;
    GenerationRequest r = {.tag = (uint64_t)n, .id = (uint64_t)n, .prompt = prompt, .temperature = 1, .top_p = 1};
    r.prompt_count = same + 1 + number_of(2, n, 30);
    r.max_new_tokens = NEW;
    r.score = n % 6 == 5;
    r.samples = r.score ? 1 : 1 + (int32_t)number_of(3, n, SAMPLES);
    for (int64_t i = 0; i < r.prompt_count; i++)
        prompt[i] = (int32_t)number_of(100 + (uint32_t)i, i < same ? stem % 2 : 1000 + n, LIVE); // stems begin alike
    assert_ok(engine_add(e, &r));
}

static void take_results(Engine *e, Answers *a, const Answers *expected)
{
    GenerationResult r;
    while (engine_next(e, &r)) {
        assert_int_equal(r.count, NEW);
        memcpy(a->ids[r.tag][r.sample], r.ids, sizeof a->ids[0][0]);
        memcpy(a->logprob[r.tag][r.sample], r.logprob, sizeof a->logprob[0][0]);
        if (r.prompt_logprob != NULL) // of the first token nothing is known
            memcpy(a->prompt_logprob[r.tag] + 1, r.prompt_logprob + 1, 100 * sizeof(float));
        a->found[r.tag] = r.found;
        a->results++;
        if (expected == NULL)
            continue;
        assert_memory_equal(a->ids[r.tag][r.sample], expected->ids[r.tag][r.sample], sizeof a->ids[0][0]);
        assert_memory_equal(a->logprob[r.tag][r.sample], expected->logprob[r.tag][r.sample], sizeof a->logprob[0][0]);
        assert_memory_equal(a->prompt_logprob[r.tag], expected->prompt_logprob[r.tag], sizeof a->prompt_logprob[0]);
    }
}

// Between passes a page is held by the sequences that have it, published with as many followers as there are, and free
// or kept otherwise.
static void check_pages(const Engine *e)
{
    const PagePool *p = &e->pages;
    const SequenceList *const lists[] = {&e->running, &e->beginnings};
    int32_t *held = allocate((size_t)p->count, sizeof *held), *followers = allocate((size_t)p->count, sizeof *held);
    int64_t kept = 0, available = 0;
    assert_true(held != NULL && followers != NULL);
    held[0] = 1; // reserved
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            for (int64_t k = 0; k < lists[l]->items[i]->page_count; k++)
                held[lists[l]->items[i]->pages[k]]++;
    for (int32_t i = 0; i < p->count; i++)
        if (page_is_published(p, i) && p->published[i].before >= 0) {
            assert_true(page_is_published(p, p->published[i].before));
            followers[p->published[i].before]++;
        }
    for (int32_t i = 0; i < p->count; i++) {
        assert_int_equal(p->holders[i], held[i]);
        assert_int_equal(page_is_published(p, i) ? p->published[i].followers : 0, followers[i]);
        available += held[i] == 0;
        kept += held[i] == 0 && page_is_published(p, i);
    }
    assert_int_equal(pages_available(p), available);
    assert_int_equal(p->kept_count, kept);
    free(held);
    free(followers);
}

// All requests, `at_once` of them in the engine together. With `round` > 0 some are cancelled, and asked again later.
static EngineStatistics run_all(Engine *e, Answers *a, const Answers *expected, int64_t at_once, int64_t round)
{
    int64_t next = 0, passes = 0;
    while (next < REQUESTS || !engine_empty(e)) {
        for (; next < REQUESTS && (int64_t)(e->waiting.count + e->running.count) < at_once; next++)
            add_request(e, next);
        assert_ok(engine_step(e));
        check_pages(e);
        if (round > 0 && ++passes % 5 == 0) {
            engine_cancel(e, number_of(4, passes * 10 + round, (uint32_t)next));
            check_pages(e);
        }
        take_results(e, a, expected);
    }
    assert_int_equal(pages_available(&e->pages), e->pages.count - 1);
    assert_int_equal(e->sequences, 0);
    return engine_statistics(e);
}

static EngineStatistics run_engine(const CacheLimits *cache, bool training, int ahead, Answers *a,
                                   const Answers *expected, int64_t at_once, int64_t round)
{
    Model m;
    open_model(&m, cache, training);
    Engine *e = engine_open(&m, LIVE);
    e->ahead = ahead;
    memset(a, 0, sizeof *a);
    run_all(e, a, expected, at_once, round);
    EngineStatistics statistics = run_all(e, a, expected, at_once, round); // what the first time left is there
    engine_close(e);
    model_close(&m);
    return statistics;
}

static void found_pages_change_no_bit_of_any_answer(void **state)
{
    const CacheLimits roomy = {.tokens = 512, .rows = 96, .sequences = 32, .positions = 400, .pages = 300, .whole = 8};
    const struct {
        const char *name;
        CacheLimits cache;
        int ahead;
        int64_t at_once;
    } shapes[] = {
        {"roomy", roomy, 0, 20},
        {"one at a time", {.tokens = 200, .rows = 40, .sequences = 1, .positions = 400, .pages = 30}, 0, 1},
        {"ahead", {.tokens = 300, .rows = 64, .sequences = 24, .positions = 400, .pages = 60}, 1, 40},
        {"few pages", {.tokens = 100, .rows = 64, .sequences = 16, .positions = 400, .pages = 11}, 0, 16},
        {"ahead, few pages", {.tokens = 60, .rows = 64, .sequences = 24, .positions = 400, .pages = 8}, 1, 40},
    };
    const size_t first = is_brief() ? 3 : 0; // where pages come and go
    static Answers expected, answers;
    EngineStatistics all = run_engine(&roomy, true, 0, &expected, NULL, 20, 0);
    assert_int_equal(all.found_tokens, 0); // a model that trains: nothing is found
    for (size_t i = first; i < sizeof shapes / sizeof *shapes; i++)
        for (int64_t round = 0; round < 2; round++) {
            EngineStatistics s =
                run_engine(&shapes[i].cache, false, shapes[i].ahead, &answers, &expected, shapes[i].at_once, round);
            if (round == 0) {
                assert_int_equal(answers.results, expected.results);
                print_message("%s: %d tokens found, %d computed of %d; %d preemptions, %d pages went\n", shapes[i].name,
                              (int)s.found_tokens, (int)s.prompt_tokens, (int)all.prompt_tokens, (int)s.preemptions,
                              (int)s.pages_reused);
            }
            assert_true(s.found_tokens > 1000);
            assert_true(strstr(shapes[i].name, "few pages") == NULL || (s.preemptions > 5 && s.pages_reused > 10));
        }
}

static void ask(Engine *e, const int32_t *prompt, int64_t count, GenerationResult *result, int64_t tokens)
{
    GenerationRequest r = {.prompt = prompt, .prompt_count = count, .samples = 1, .temperature = 1, .top_p = 1};
    r.max_new_tokens = tokens;
    assert_ok(engine_add(e, &r));
    while (!engine_next(e, result))
        assert_ok(engine_step(e));
}

// The next turn of a chat begins with the last one and its answer: their whole pages are there.
static void a_chats_next_turn_finds_the_last_one(void **state)
{
    const CacheLimits cache = {.tokens = 512, .rows = 16, .sequences = 8, .positions = 400, .pages = 20};
    Model m;
    GenerationResult result;
    int32_t turn[400];
    open_model(&m, &cache, false);
    Engine *e = engine_open(&m, LIVE);
    for (int32_t i = 0; i < 200; i++)
        turn[i] = i % LIVE;
    ask(e, turn, 200, &result, 57); // its last pass completes a page
    assert_int_equal(result.found, 0);
    memcpy(turn + 200, result.ids, 57 * sizeof *turn);
    for (int32_t i = 257; i <= 300; i++)
        turn[i] = 7;
    ask(e, turn, 301, &result, 5);
    assert_int_equal(result.found, 2 * KEY_BLOCK);
    ask(e, turn, 2 * KEY_BLOCK + 1, &result, 5);
    assert_int_equal(result.found, 2 * KEY_BLOCK);
    ask(e, turn, 2 * KEY_BLOCK, &result, 5); // the last token is computed in any case
    assert_int_equal(result.found, KEY_BLOCK);
    turn[0] = 8;
    ask(e, turn, 301, &result, 5);
    assert_int_equal(result.found, 0);
    engine_close(e);
    model_close(&m);
}

// Of many requests that come at once and begin alike, one computes what the others then find.
static void who_begins_alike_waits_for_the_first(void **state)
{
    const CacheLimits cache = {.tokens = 64, .rows = 40, .sequences = 32, .positions = 400, .pages = 100};
    Model m;
    GenerationResult result;
    int32_t prompt[321];
    open_model(&m, &cache, false);
    Engine *e = engine_open(&m, LIVE);
    for (int32_t i = 0; i < 321; i++)
        prompt[i] = i % LIVE;
    for (int32_t n = 0; n < 20; n++) {
        GenerationRequest r = {.prompt = prompt, .samples = 1, .temperature = 1, .top_p = 1, .max_new_tokens = 2};
        r.id = (uint64_t)n;
        r.prompt_count = 321;
        prompt[320] = n;
        assert_ok(engine_add(e, &r));
    }
    for (int64_t results = 0; results < 20;) {
        assert_ok(engine_step(e));
        for (; engine_next(e, &result); results++)
            assert_int_equal(result.found, results == 0 ? 0 : 2 * KEY_BLOCK);
    }
    assert_int_equal(engine_statistics(e).found_tokens, 19 * 2 * KEY_BLOCK);
    assert_int_equal(engine_statistics(e).prompt_tokens, 320 + 19 * (320 - 2 * KEY_BLOCK));
    engine_close(e);
    model_close(&m);
}

// A sequence that begins with half of a published page writes the rest to a copy, also where it alone holds that page:
// there is no room for the copy, because `other` takes it in the same pass, so it waits.
static void ask_around_a_half_page(Engine *e, float *logprob)
{
    int32_t prompt[260], other[200];
    GenerationResult result;
    for (int32_t i = 0; i < 260; i++)
        prompt[i] = i % LIVE;
    for (int32_t i = 0; i < 200; i++)
        other[i] = (i * 7 + 3) % LIVE;
    Sequence *prefix = engine_prefix(e, NULL, prompt, 2 * KEY_BLOCK);
    GenerationRequest r = {.prompt = prompt, .prompt_count = 260, .samples = 1, .prefix = prefix, .top_p = 1};
    r.max_new_tokens = 3;
    assert_ok(engine_add(e, &r));
    while (!engine_next(e, &result))
        assert_ok(engine_step(e));
    r.prompt = other;
    r.prompt_count = 200;
    assert_ok(engine_add(e, &r));
    r.prompt = prompt;
    r.prompt_count = 180;
    prompt[150] = 5;
    assert_ok(engine_add(e, &r));
    for (int results = 0; results < 2; results += engine_next(e, &result))
        assert_ok(engine_step(e));
    prompt[150] = 150;
    r.prompt_count = 260;
    r.prefix = NULL;
    assert_ok(engine_add(e, &r));
    while (!engine_next(e, &result))
        assert_ok(engine_step(e));
    memcpy(logprob, result.logprob, 3 * sizeof *logprob);
    engine_prefix_release(e, prefix);
}

static void a_published_page_is_never_written_again(void **state)
{
    const CacheLimits cache = {.tokens = 512, .rows = 16, .sequences = 8, .positions = 400, .pages = 5};
    float logprob[2][3];
    for (int training = 0; training < 2; training++) {
        Model m;
        open_model(&m, &cache, training);
        Engine *e = engine_open(&m, LIVE);
        ask_around_a_half_page(e, logprob[training]);
        assert_true((engine_statistics(e).preemptions > 0) ==
                    (training == 0)); // the one that trains may write in place
        engine_close(e);
        model_close(&m);
    }
    assert_memory_equal(logprob[0], logprob[1], sizeof logprob[0]);
}

// Pages of the weights before would make a rollout off-policy.
static void new_weights_never_meet_pages_of_the_old_ones(void **state)
{
    const CacheLimits cache = {.tokens = 512, .rows = 16, .sequences = 8, .positions = 400, .pages = 20};
    Model trained, fresh;
    GenerationResult result;
    int32_t prompt[300], ids[20];
    float logprob[20];
    for (int32_t i = 0; i < 300; i++)
        prompt[i] = i % LIVE;
    open_model(&fresh, &cache, false);
    assert_ok(model_initialise(&fresh, 8));
    Engine *e = engine_open(&fresh, LIVE);
    ask(e, prompt, 300, &result, 20);
    memcpy(ids, result.ids, sizeof ids);
    memcpy(logprob, result.logprob, sizeof logprob);
    engine_close(e);
    open_model(&trained, &cache, true);
    e = engine_open(&trained, LIVE);
    ask(e, prompt, 300, &result, 20);
    assert_memory_not_equal(logprob, result.logprob, sizeof logprob);
    assert_ok(model_initialise(&trained, 8));
    ask(e, prompt, 300, &result, 20);
    assert_memory_equal(ids, result.ids, sizeof ids);
    assert_memory_equal(logprob, result.logprob, sizeof logprob);
    assert_int_equal(engine_statistics(e).pages_kept, 0);
    engine_close(e);
    model_close(&trained);
    model_close(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_found_by_its_tokens_and_the_least_lately_used_leaf_goes_first),
        cmocka_unit_test(a_page_that_another_has_already_is_given_back),
        cmocka_unit_test(found_pages_change_no_bit_of_any_answer),
        cmocka_unit_test(a_chats_next_turn_finds_the_last_one),
        cmocka_unit_test(who_begins_alike_waits_for_the_first),
        cmocka_unit_test(a_published_page_is_never_written_again),
        cmocka_unit_test(new_weights_never_meet_pages_of_the_old_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
