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

// ---- which figures can be best, and the end when they no longer are

static void figures_have_short_names_and_a_direction(void **state)
{
    assert_true(figure_has_name("loss", "eval_loss") && !figure_has_name("loss", "eval_loss_1"));
    assert_true(figure_has_name("pass@k", "eval/acc/pass@8") && figure_has_name("pass@k", "eval/acc/mean@1"));
    assert_false(figure_has_name("pass@k", "eval/acc/mean@8") || figure_has_name("pass@k", "val-core/math/acc/best@8"));
    assert_true(figure_has_name("eval/acc/maj@4", "eval/acc/maj@4"));
    assert_true(figure_is_lower("loss") && figure_is_lower("eval_loss") && figure_is_lower("eval_loss_3"));
    // a source's name says nothing
    assert_false(figure_is_lower("val-core/glossary/acc/mean@1") || figure_is_lower("val-core/losses/score"));
    assert_true(figure_can_be_best("val-core/gsm8k/strict") && figure_can_be_best("eval_exact") &&
                figure_can_be_best("pass@k"));
    assert_false(figure_can_be_best("lr") || figure_can_be_best("eval/verdict/equal") ||
                 figure_can_be_best("timing_s/testing"));
}

// After evaluations with these values, 100 steps apart: whether the run ends, and what it would save.
static Stopping counted(const char *by, const char *name, const double *values, int count)
{
    RunOptions o = {.stop_when = by, .keep_best = ""};
    Run r = run_at(0);
    assert_ok(stopping_check(by, true, 100));
    assert_ok(log_open(&r.log, NULL, NULL, r.steps, 1));
    r.o = o;
    stopping_open(&r.stopping, o.stop_when);
    for (int i = 0; i < count; i++, r.step += 100) {
        assert_true(run_goes_on(&r));
        assert_ok(stopping_count(&r.stopping, r.step, &(LogField){name, values[i]}, 1));
        json_t *saved = stopping_json(&r.stopping); // a run that goes on there has the same
        Run again = run_at(r.step);
        again.o = o;
        stopping_open(&again.stopping, o.stop_when);
        assert_ok(stopping_resume(&again.stopping, saved, r.step, "there"));
        assert_true(again.stopping.since == r.stopping.since && again.stopping.best_step == r.stopping.best_step &&
                    again.stopping.ends == r.stopping.ends && again.stopping.at == r.step);
        json_decref(saved);
    }
    log_close(&r.log);
    return r.stopping;
}

static void a_run_ends_when_a_figure_is_no_better_for_so_long(void **state)
{
    Stopping s = counted("loss:2", "eval_loss", (double[]){3, 2, 2.5, 1, 1, 1.5}, 6); // equal is no better
    assert_true(s.ends && s.best_step == 300 && s.best == 1 && s.last == 1.5);
    assert_false(counted("loss:2", "eval_loss", (double[]){3, 4, 2, 3, 1, 2}, 6).ends);
    assert_false(counted("pass@k:3", "eval/acc/pass@4", (double[]){0.5, 0.4, 0.5, 0.6}, 4).ends);
    s = counted("pass@k:1", "eval/acc/pass@4", (double[]){0, 0}, 2);
    assert_true(s.ends && s.best_step == 0);
    s = counted("eval_loss_2:3", "eval_loss_2", (double[]){NAN, 4, NAN, NAN, INFINITY}, 5); // no number is no better
    assert_true(s.ends && s.best_step == 100 && s.since == 3);
    assert_true(counted("loss:2", "eval_loss", (double[]){NAN, NAN}, 2).ends);
}

static void what_is_evaluated_is_saved_where_a_run_may_end(void **state)
{
    Run r = run_at(100);
    r.o.eval_every = 100;
    r.o.save_every = 0;
    assert_false(run_saves(&r));
    r.stopping.patience = 2;
    assert_true(run_saves(&r));
    r.stopping.ends = true;
    assert_false(run_goes_on(&r));
}

static void what_was_counted_of_another_figure_does_not_count(void **state)
{
    RunOptions o = {.stop_when = "eval/acc/mean@4:2"};
    Run r = run_at(100);
    json_t *saved = json_pack("{s:s, s:i, s:i, s:i, s:f}", "figure", "eval/acc/mean@8", "step", 100, "since", 1,
                              "best_step", 0, "best", 0.5);
    r.o = o;
    stopping_open(&r.stopping, o.stop_when);
    assert_ok(stopping_resume(&r.stopping, saved, 100, "there"));
    assert_true(r.stopping.at == -1 && r.stopping.since == 0 && r.stopping.best_step == -1);
    stopping_open(&r.stopping, "eval/acc/mean@8:2");
    assert_ok(stopping_resume(&r.stopping, saved, 100, "there"));
    assert_true(r.stopping.at == 100 && r.stopping.since == 1 && r.stopping.best == 0.5);
    json_object_set_new(saved, "best_step", json_integer(101)); // later than what was counted
    assert_refused(stopping_resume(&r.stopping, saved, 100, "there"), "best_step");
    json_decref(saved);
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
        cmocka_unit_test(figures_have_short_names_and_a_direction),
        cmocka_unit_test(a_run_ends_when_a_figure_is_no_better_for_so_long),
        cmocka_unit_test(what_is_evaluated_is_saved_where_a_run_may_end),
        cmocka_unit_test(what_was_counted_of_another_figure_does_not_count),
        cmocka_unit_test(a_run_has_other_steps_where_the_rates_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
