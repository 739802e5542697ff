// When a run saves and evaluates, and with which other number of steps it may continue. That it does both is shown by
// test/crash/survive.sh.
#include "test/support/check.h"
#include "run/run_internal.h"

static Run run_at(int64_t step)
{
    return (Run){.step = step,
                 .steps = 1000,
                 .evaluated = -1,
                 .o = {.save_every = 500, .save_minutes = 20, .keep_best = ""},
                 .saved_at = clock_seconds()};
}

static void a_run_saves_by_steps_by_the_clock_and_at_the_end(void **state)
{
    Run r = run_at(499);
    assert_false(run_saves(&r));
    r.step = 500;
    assert_true(run_saves(&r));
    r.o.save_every = 0;
    assert_false(run_saves(&r));
    r.saved_at -= 20 * 60 - 30; // half a minute is left,
    assert_false(run_saves(&r));
    r.save_seconds = 40; // and a save takes longer,
    assert_true(run_saves(&r));
    r.save_seconds = 0;
    r.step_seconds = 40; // or the next step
    assert_true(run_saves(&r));
    r.o.save_minutes = 0;
    assert_false(run_saves(&r));
    r.o.keep_best = "eval_loss"; // what is evaluated is saved
    r.o.eval_every = 100;
    assert_true(run_saves(&r));
    r.step = 501;
    assert_false(run_saves(&r));
    r.step = r.steps;
    assert_true(run_saves(&r));
    r.saved = r.steps; // once
    assert_false(run_saves(&r));
}

static void an_evaluation_is_due_where_the_log_has_none(void **state)
{
    Run r = run_at(0);
    assert_true((r.o.eval_every = 0, run_evaluates(&r)));
    r.evaluated = 0;
    assert_false((r.o.eval_every = 0, run_evaluates(&r)));
    r.step = 30;
    assert_true((r.o.eval_every = 10, run_evaluates(&r)));
    assert_false((r.o.eval_every = 0, run_evaluates(&r)) || (r.o.eval_every = 7, run_evaluates(&r)));
    r.evaluated = 30;
    assert_false((r.o.eval_every = 10, run_evaluates(&r)));
    r.step = 1000;
    assert_true((r.o.eval_every = 0, run_evaluates(&r)));
}

static void without_a_signal_there_is_time(void **state)
{
    Run r = run_at(3);
    r.save_seconds = 1e9;
    assert_true(run_has_time(&r, 1e9));
}

// A run of `before` steps that has made `made` of them: may it have `now`?
static bool goes_on(ScheduleShape shape, int64_t before, int64_t made, int64_t now, int64_t warmup)
{
    Schedule was = {.shape = shape, .peak = 1e-3, .end = 0.1, .steps = before, .warmup = warmup, .decay = 0.5},
             is = was;
    Run old = {.schedule = &was}, r = {.schedule = &is, .step = made, .steps = now};
    is.steps = now;
    is.warmup = now / 10; // as if it were a share of the steps
    json_t *saved = schedule_state(&old);
    bool ok = schedule_resume(&r, saved, "there");
    assert_true(!ok || (is.warmup == warmup && r.longer == (before == now ? 0 : before)));
    json_decref(saved);
    return ok;
}

static void a_run_has_other_steps_where_the_rates_are_the_same(void **state)
{
    for (int shape = SCHEDULE_CONSTANT; shape <= SCHEDULE_WSD; shape++)
        assert_ok(goes_on((ScheduleShape)shape, 100, 100, 100, 10));
    assert_ok(goes_on(SCHEDULE_CONSTANT, 100, 100, 500, 10) && goes_on(SCHEDULE_CONSTANT, 100, 60, 60, 10));
    assert_ok(goes_on(SCHEDULE_WSD, 100, 51, 200, 10)); // its decay begins after step 50
    assert_refused(goes_on(SCHEDULE_WSD, 100, 52, 200, 10),
                   "the learning rate of step 52 is another one; give --steps 100");
    assert_refused(goes_on(SCHEDULE_WSD, 100, 45, 80, 10),
                   "the learning rate of step 42"); // shorter: it would have begun at 40
    assert_ok(goes_on(SCHEDULE_COSINE, 100, 11, 200, 10) && goes_on(SCHEDULE_LINEAR, 100, 11, 200, 10)); // at the peak
    assert_refused(goes_on(SCHEDULE_COSINE, 100, 12, 200, 10), "step 12");
    assert_refused(goes_on(SCHEDULE_LINEAR, 100, 100, 200, 10), "step 12");
    assert_refused(goes_on(SCHEDULE_CONSTANT, 100, 60, 59, 10), "has 60 steps already");
}

// What a run of losses that fall slowly, and norms that vary, makes of a step: JumpFacts of the last one.
static JumpFacts after_calm_steps(int steps, double loss, double norm)
{
    Recent recent = {0};
    JumpFacts facts;
    for (int step = 0; step < steps; step++)
        assert_false(jump_seen(&recent, 7 - 0.02 * step, step % 2 == 0 ? 0.9 : 1.3, &facts));
    bool seen = jump_seen(&recent, loss, norm, &facts);
    assert_int_equal(seen, facts.loss > 0 || facts.norm > 0);
    return facts;
}

static void a_step_unlike_the_others_is_noticed(void **state)
{
    JumpFacts spike = after_calm_steps(45, 16.9, 242);
    assert_true(spike.loss > 6 && spike.loss < 6.9 && spike.norm >= 0.9 && spike.norm <= 1.3);
    JumpFacts norm_only = after_calm_steps(45, 6.1, 30);
    assert_true(norm_only.loss == 0 && norm_only.norm > 0);
    JumpFacts usual = after_calm_steps(45, 7.5, 3);
    assert_true(usual.loss == 0 && usual.norm == 0);
    JumpFacts early = after_calm_steps(10, 16.9, 242); // nothing to compare with yet
    assert_true(early.loss == 0 && early.norm == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_unlike_the_others_is_noticed),
        cmocka_unit_test(a_run_saves_by_steps_by_the_clock_and_at_the_end),
        cmocka_unit_test(an_evaluation_is_due_where_the_log_has_none),
        cmocka_unit_test(without_a_signal_there_is_time),
        cmocka_unit_test(a_run_has_other_steps_where_the_rates_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
