// Which prompts a step samples: in order, returned and taken again, by levels that pass or fail, and resumed.
#include "rl/curriculum.h"
#include "rl/advantage.h"
#include "rl/state.h"
#include "test/support/check.h"
#include <math.h>
#include <string.h>

enum { PROMPTS = 100, EACH = 20 }; // of levels 1 to 5

static Document list[PROMPTS];
static Documents documents = {.list = list, .count = PROMPTS};

static Curriculum opened(bool adaptive, CurriculumState *state)
{
    CurriculumOptions o = {.order = {.seed = 3}, .adapt = {adaptive, 0.2, 0.8, 0.1}};
    Curriculum c;
    for (int i = 0; i < PROMPTS; i++)
        list[i].difficulty = 1 + i / EACH;
    documents_find_levels(&documents);
    assert_ok(curriculum_open(&c, &documents, &o, state));
    return c;
}

static void count_levels(const int64_t *numbers, int64_t count, int levels[LEVELS])
{
    memset(levels, 0, LEVELS * sizeof *levels);
    for (int64_t i = 0; i < count; i++)
        levels[list[numbers[i]].difficulty]++;
}

static void an_epoch_has_every_prompt_once_and_ends_short(void **state)
{
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        CurriculumState at;
        Curriculum c = opened(adaptive == 1, &at);
        int64_t numbers[30], taken = 0;
        int seen[PROMPTS] = {0};
        while (taken < PROMPTS) {
            curriculum_begin(&c);
            int64_t n = curriculum_take(&c, numbers, adaptive == 1 && PROMPTS - taken < 30 ? PROMPTS - taken : 30);
            for (int64_t i = 0; i < n; i++)
                seen[numbers[i]]++;
            taken += n;
        }
        assert_true(taken == PROMPTS && at.taken == PROMPTS);
        for (int i = 0; i < PROMPTS; i++)
            assert_int_equal(seen[i], 1);
        curriculum_close(&c);
    }
}

static void what_is_given_back_comes_again(void **state)
{
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        CurriculumState at;
        Curriculum c = opened(adaptive == 1, &at);
        int64_t first[20], again[20];
        assert_int_equal(curriculum_take(&c, first, 20), 20);
        curriculum_return(&c, first + 5, 15);
        assert_int_equal(at.taken, 5);
        curriculum_begin(&c);
        assert_int_equal(curriculum_take(&c, again, 15), 15);
        if (adaptive == 0)
            assert_memory_equal(again, first + 5, 15 * sizeof *first);
        curriculum_close(&c);
    }
}

// A step that extends over the ends of epochs and levels: all its batches together, in which no prompt occurs twice.
static void take_to_the_end(Curriculum *c, int64_t batch, int64_t begin)
{
    int64_t numbers[2 * PROMPTS], taken = 0;
    int seen[PROMPTS] = {0};
    curriculum_begin(c);
    curriculum_take(c, numbers, begin); // of an earlier step
    curriculum_begin(c);
    for (int64_t n; (n = curriculum_take(c, numbers, batch)) > 0; taken += n)
        for (int64_t i = 0; i < n; i++)
            if (seen[numbers[i]]++ > 0)
                fail_msg("prompt %" PRId64 " is taken twice in a step", numbers[i]);
    assert_int_equal(taken, PROMPTS);
    assert_int_equal(curriculum_take(c, numbers, batch), 0);
}

static void no_step_takes_a_prompt_twice(void **state)
{
    for (int adaptive = 0; adaptive < 2; adaptive++)
        for (int64_t batch = 1; batch <= 2 * PROMPTS; batch += 13) {
            CurriculumState at;
            Curriculum c = opened(adaptive == 1, &at);
            take_to_the_end(&c, batch, 71);
            take_to_the_end(&c, batch, 3); // and the next one has them again
            curriculum_close(&c);
        }
}

static void what_is_given_back_over_the_end_of_an_epoch_comes_again(void **state)
{
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        CurriculumState at;
        Curriculum c = opened(adaptive == 1, &at);
        int64_t first[90], second[90];
        curriculum_take(&c, first, 90);
        curriculum_begin(&c);
        for (int64_t n = 0; n < 60;) // 10 of the epoch's end, and 50 of the next one that are not among them
            n += curriculum_take(&c, first + n, 60 - n);
        curriculum_return(&c, first + 40, 20);
        LevelState levels[LEVELS];
        int64_t taken = at.taken;
        memcpy(levels, at.level, sizeof levels);
        curriculum_begin(&c);
        assert_int_equal(curriculum_take(&c, second, 20), 20);
        if (adaptive == 0)
            assert_int_equal(second[0], first[40]); // then those that had been passed over, too
        curriculum_return(&c, second, 20);
        assert_int_equal(at.taken, taken);
        assert_memory_equal(levels, at.level, sizeof levels);
        curriculum_close(&c);
    }
}

static void learn_that(Curriculum *c, int level, double accuracy)
{
    Response responses[2] = {0};
    Group group = {.responses = responses};
    Rollout rollout = {.groups = &group, .count = 1, .samples = 2};
    group.prompt.difficulty = level;
    responses[0].parts[REWARD_ACCURACY] = accuracy;
    responses[1].parts[REWARD_ACCURACY] = NAN; // a verdict that could not be had is none
    curriculum_learn(c, &rollout);
}

static void levels_outside_of_the_band_come_more_rarely(void **state)
{
    CurriculumState at;
    Curriculum c = opened(true, &at);
    int64_t numbers[50];
    int levels[LEVELS];
    curriculum_begin(&c);
    count_levels(numbers, curriculum_take(&c, numbers, 50), levels);
    for (int l = 1; l < LEVELS; l++)
        assert_int_equal(levels[l], 10);
    learn_that(&c, 1, 1); // too easy
    learn_that(&c, 5, 0); // too hard
    curriculum_begin(&c);
    count_levels(numbers, curriculum_take(&c, numbers, 32), levels);
    assert_true(levels[2] == 10 && levels[3] == 10 && levels[4] == 10 && levels[1] == 1 && levels[5] == 1); // 10 : 1
    for (int i = 0; i < 20; i++)
        learn_that(&c, 5, 1 - i % 2); // half of it is right now
    assert_true(at.level[5].pass_rate > 0.2 && at.level[5].pass_rate < 0.8);
    curriculum_begin(&c);
    count_levels(numbers, curriculum_take(&c, numbers, 41), levels);
    assert_true(levels[5] == 10 && levels[1] == 1);
    curriculum_close(&c);
}

// ---- prompts that rest

enum { REST = 2 };

static Curriculum by_prompt(CurriculumState *state)
{
    CurriculumOptions o = {.order = {.seed = 3},
                           .adapt = {.adapt = true, .adapt_low = 0.2, .adapt_high = 0.8, .adapt_rest = REST}};
    Curriculum c;
    o.adapt.adapt_by.place = ADAPT_BY_PROMPT;
    assert_ok(curriculum_open(&c, &documents, &o, state));
    return c;
}

// Takes the rest of an epoch, in steps of 30; every prompt's responses are as `accuracy` says of its number.
static int64_t epoch_of(Curriculum *c, bool taken[PROMPTS], double (*accuracy)(int64_t number, int sample))
{
    int64_t numbers[30], all = 0, epoch = curriculum_epoch(c);
    memset(taken, 0, PROMPTS * sizeof *taken);
    while (curriculum_epoch(c) == epoch) {
        curriculum_begin(c);
        int64_t n = curriculum_take(c, numbers, 30);
        for (int64_t i = 0; i < n; i++, all++) {
            Response responses[2] = {0};
            Group group = {.document = numbers[i], .responses = responses};
            Rollout rollout = {.groups = &group, .count = 1, .samples = 2};
            for (int k = 0; k < 2; k++)
                responses[k].parts[REWARD_ACCURACY] = accuracy(numbers[i], k);
            taken[numbers[i]] = true;
            curriculum_learn(c, &rollout);
        }
    }
    return all;
}

// Of ten prompts three are always solved, two never, one has a verdict too few, four are solved at times.
static double by_number(int64_t number, int sample)
{
    int64_t kind = number % 10;
    if (kind == 5 && sample == 1)
        return NAN;
    return kind < 3 ? 1 : kind < 6 ? 0 : (double)sample;
}

static double at_times(int64_t number, int sample) { return (double)sample; }

static bool rests_by_number(int64_t number) { return number % 10 < 5; }

static void prompts_that_are_always_or_never_solved_rest_and_come_back(void **state)
{
    CurriculumState at;
    bool taken[PROMPTS];
    Curriculum c = by_prompt(&at);
    assert_int_equal(epoch_of(&c, taken, by_number), PROMPTS);
    PoolCounts counts = curriculum_pools(&c);
    assert_true(counts.active == 50 && counts.solved == 30 && counts.unsolved == 20);
    for (int epoch = 0; epoch < REST; epoch++) {
        assert_int_equal(epoch_of(&c, taken, by_number), 50);
        for (int i = 0; i < PROMPTS; i++)
            assert_true(taken[i] == !rests_by_number(i));
    }
    counts = curriculum_pools(&c);
    assert_true(counts.active == PROMPTS && counts.solved == 0 && counts.unsolved == 0);
    assert_int_equal(epoch_of(&c, taken, at_times), PROMPTS); // they are back, and now they have a signal
    counts = curriculum_pools(&c);
    assert_true(counts.active == PROMPTS);
    curriculum_close(&c);
}

static double always(int64_t number, int sample) { return 1; }

static void where_all_rest_the_first_to_come_back_are_next(void **state)
{
    CurriculumState at;
    bool taken[PROMPTS];
    int64_t numbers[7];
    Curriculum c = by_prompt(&at);
    epoch_of(&c, taken, always);
    assert_int_equal(curriculum_pools(&c).active, 0);
    curriculum_begin(&c);
    assert_int_equal(curriculum_take(&c, numbers, 7), 7);
    assert_int_equal(curriculum_epoch(&c), 1 + REST);
    curriculum_return(&c, numbers, 7);
    assert_int_equal(curriculum_epoch(&c), 1 + REST);
    curriculum_close(&c);
}

static void a_step_that_is_given_up_wakes_and_rests_nobody(void **state)
{
    CurriculumState at;
    bool taken[PROMPTS];
    Curriculum c = by_prompt(&at);
    int64_t numbers[20], again[20];
    epoch_of(&c, taken, by_number);
    CurriculumState before = at;
    curriculum_begin(&c);
    assert_int_equal(curriculum_take(&c, numbers, 20), 20);
    for (int i = 0; i < 20; i++) {
        Response responses[1] = {{.parts[REWARD_ACCURACY] = 1}};
        Group group = {.document = numbers[i], .responses = responses};
        Rollout rollout = {.groups = &group, .count = 1, .samples = 1};
        curriculum_learn(&c, &rollout);
    }
    assert_int_equal(curriculum_pools(&c).active, 30);
    at = before;
    curriculum_begin(&c);
    assert_int_equal(curriculum_pools(&c).active, 50);
    assert_int_equal(curriculum_take(&c, again, 20), 20);
    assert_memory_equal(numbers, again, sizeof again);
    curriculum_close(&c);
}

static void prompts_that_rest_do_so_after_a_resume(void **state)
{
    RlState before = {0}, after = {0};
    bool one[PROMPTS], other[PROMPTS];
    Curriculum c = by_prompt(&before.curriculum), d = by_prompt(&after.curriculum);
    epoch_of(&c, one, by_number);
    epoch_of(&c, one, always);
    json_t *saved = rl_state_json(&before);
    assert_ok(saved != NULL && rl_state_resume(&after, saved));
    PoolCounts a = curriculum_pools(&c), b = curriculum_pools(&d);
    assert_memory_equal(&a, &b, sizeof a);
    for (int epoch = 0; epoch < 4; epoch++) {
        assert_int_equal(epoch_of(&c, one, by_number), epoch_of(&d, other, by_number));
        assert_memory_equal(one, other, sizeof one);
    }
    json_t *resting = json_object_get(json_object_get(saved, "curriculum"), "resting");
    json_array_append_new(json_object_get(json_array_get(resting, 0), "solved"), json_integer(PROMPTS));
    assert_refused(rl_state_resume(&after, saved), "a prompt that is not there");
    json_object_del(json_object_get(saved, "curriculum"), "resting");
    assert_refused(rl_state_resume(&after, saved), "resting");
    json_decref(saved);
    curriculum_close(&c);
    curriculum_close(&d);
}

static void the_band_and_by_prompt_need_adapt(void **state)
{
    const AdaptOptions unset = {.adapt_low = 0.1, .adapt_high = 0.9, .adapt_rare = 0.1, .adapt_rest = 2};
    AdaptOptions o = unset;
    assert_ok(adapt_check(&o));
    o.adapt_low = 0.2;
    assert_refused(adapt_check(&o), "--adapt-rare: give --adapt, too");
    o = unset;
    o.adapt_rare = 0.5;
    assert_refused(adapt_check(&o), "--adapt-rare: give --adapt, too");
    o = unset;
    o.adapt_by.place = ADAPT_BY_PROMPT;
    assert_refused(adapt_check(&o), "--adapt-by prompt: give --adapt, too");
    o.adapt = true;
    assert_ok(adapt_check(&o));
    o.adapt_rest = 5;
    assert_ok(adapt_check(&o));
    o.adapt_high = 0.8;
    assert_refused(adapt_check(&o), "are for levels");
    o.adapt_by.place = ADAPT_BY_LEVEL;
    assert_refused(adapt_check(&o), "--adapt-rest: levels do not rest");
    o.adapt_rest = 2;
    assert_ok(adapt_check(&o));
}

static void a_state_that_is_saved_goes_on(void **state)
{
    RlState before = {.kl_coefficient = 0.25}, after = {0};
    Curriculum c = opened(true, &before.curriculum), d = opened(true, &after.curriculum);
    int64_t one[17], other[17];
    curriculum_take(&c, one, 17);
    learn_that(&c, 4, 1.0 / 3);
    json_t *saved = rl_state_json(&before);
    char *text = json_dumps(saved, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_t *read = json_loads(text, 0, NULL);
    assert_ok(read != NULL && rl_state_resume(&after, read));
    assert_true(after.kl_coefficient == 0.25 && after.curriculum.taken == 17);
    assert_true(after.curriculum.level[4].pass_rate == 1.0 / 3 && isnan(after.curriculum.level[3].pass_rate));
    curriculum_begin(&c);
    curriculum_take(&c, one, 17);
    curriculum_take(&d, other, 17);
    assert_memory_equal(one, other, sizeof one);
    json_object_del(read, "curriculum");
    assert_refused(rl_state_resume(&after, read), "taken");
    free(text);
    json_decref(saved);
    json_decref(read);
    curriculum_close(&c);
    curriculum_close(&d);
}

static void groups_whose_rewards_are_all_the_same_are_silent(void **state)
{
    Response r[3] = {{.reward = 1}, {.reward = 1}, {.reward = 1}};
    Group g = {.responses = r};
    assert_false(group_has_signal(&g, 3));
    r[1].reward = NAN;
    assert_false(group_has_signal(&g, 3));
    r[2].reward = 0.5;
    assert_true(group_has_signal(&g, 3));
    r[0].reward = NAN;
    assert_false(group_has_signal(&g, 3)); // one alone
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_has_every_prompt_once_and_ends_short),
        cmocka_unit_test(what_is_given_back_comes_again),
        cmocka_unit_test(no_step_takes_a_prompt_twice),
        cmocka_unit_test(what_is_given_back_over_the_end_of_an_epoch_comes_again),
        cmocka_unit_test(levels_outside_of_the_band_come_more_rarely),
        cmocka_unit_test(prompts_that_are_always_or_never_solved_rest_and_come_back),
        cmocka_unit_test(where_all_rest_the_first_to_come_back_are_next),
        cmocka_unit_test(a_step_that_is_given_up_wakes_and_rests_nobody),
        cmocka_unit_test(prompts_that_rest_do_so_after_a_resume),
        cmocka_unit_test(the_band_and_by_prompt_need_adapt),
        cmocka_unit_test(a_state_that_is_saved_goes_on),
        cmocka_unit_test(groups_whose_rewards_are_all_the_same_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
