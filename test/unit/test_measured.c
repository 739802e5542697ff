// What figures were measured with, from checkpoint to checkpoint: what may change, what is noted, and what is refused
// because --keep-best or --stop-when would compare what cannot be compared.
#include "log/measured.h"
#include "test/support/check.h"

// A run as far as its next checkpoint: measured with loss (documents) and task (of gsm8k; NULL: not asked any more).
// The checkpoint's own words are given back.
static bool goes_on(json_t **checkpoint, const char *loss, const char *task, const char *best, const char *stop,
                    char notes[200])
{
    Measured m = {0};
    assert_ok(measured_add(&m, MEASURED_LOSS, loss));
    if (task != NULL)
        assert_ok(measured_add(&m, MEASURED_TASKS "gsm8k", task));
    bool good = measured_resume(&m, *checkpoint, best, stop);
    snprintf(notes, 200, "%.*s", (int)m.notes.size, m.notes.data == NULL ? "" : (const char *)m.notes.data);
    if (good) { // a refused run saves nothing
        json_decref(*checkpoint);
        *checkpoint = json_deep_copy(m.with);
    }
    measured_free(&m);
    return good;
}

static json_t *first(void)
{
    char notes[200];
    json_t *checkpoint = NULL; // of a run that has just begun, or of an older version
    assert_ok(goes_on(&checkpoint, "documents 0a", "data 1c, samples 1", "val-core/gsm8k/score", "eval_loss", notes));
    assert_string_equal(notes, "");
    return checkpoint;
}

static void expect_saved(const json_t *checkpoint, const char *figures, const char *list)
{
    char *saved = json_dumps(json_object_get(checkpoint, figures), JSON_COMPACT);
    assert_string_equal(saved, list);
    free(saved);
}

static void what_is_measured_alike_goes_on_in_silence(void **state)
{
    (void)state;
    char notes[200];
    json_t *checkpoint = first();
    for (int i = 0; i < 3; i++) {
        assert_ok(
            goes_on(&checkpoint, "documents 0a", "data 1c, samples 1", "val-core/gsm8k/score", "eval_loss", notes));
        assert_string_equal(notes, "");
    }
    expect_saved(checkpoint, MEASURED_LOSS, "[\"documents 0a\"]");
    expect_saved(checkpoint, "val-core/gsm8k", "[\"data 1c, samples 1\"]");
    json_decref(checkpoint);
}

static void a_figure_that_nothing_compares_may_change_and_is_noted_once(void **state)
{
    (void)state;
    char notes[200];
    json_t *checkpoint = first();
    assert_ok(goes_on(&checkpoint, "documents 0a", "data 1c, samples 4", "eval_loss", "eval_exact", notes));
    assert_string_equal(notes, "val-core/gsm8k: from here on measured with samples 4, before with samples 1\n");
    assert_ok(goes_on(&checkpoint, "documents 0a", "data 1c, samples 4", NULL, "", notes));
    assert_string_equal(notes, "");
    expect_saved(checkpoint, "val-core/gsm8k", "[\"data 1c, samples 1\",\"data 1c, samples 4\"]");
    json_decref(checkpoint);
}

// The best checkpoint may be of any of the times before: going back to the last of two makes it no more comparable.
static void what_is_compared_has_to_be_measured_alike_all_the_time(void **state)
{
    (void)state;
    char notes[200];
    json_t *checkpoint = first();
    assert_refused(
        goes_on(&checkpoint, "documents 0b", "data 1c, samples 1", NULL, "eval_loss", notes),
        "eval_loss: was measured with documents 0a, and would be with documents 0b now, "
        "which cannot be compared; give the same file or option again, drop --stop-when, or begin in another --out");
    assert_refused(goes_on(&checkpoint, "documents 0a", "data 2d, samples 1", "val-core/gsm8k/score", NULL, notes),
                   "val-core/gsm8k: was measured with data 1c, and would be with data 2d now");
    assert_refused(goes_on(&checkpoint, "documents 0b", "data 1c, samples 1", "eval_loss", "eval_loss", notes),
                   "drop --keep-best and --stop-when,");
    expect_saved(checkpoint, MEASURED_LOSS, "[\"documents 0a\"]"); // the refusals have changed nothing
    assert_ok(goes_on(&checkpoint, "documents 0b", "data 1c, samples 1", NULL, NULL, notes));
    for (int i = 0; i < 2; i++) // with neither of the two: no file would be the right one
        assert_refused(goes_on(&checkpoint, i == 0 ? "documents 0a" : "documents 0b", NULL, "eval_loss", NULL, notes),
                       "which cannot be compared; drop --keep-best");
    json_decref(checkpoint);
}

static void a_task_left_out_for_a_while_is_remembered(void **state)
{
    (void)state;
    char notes[200];
    json_t *checkpoint = first();
    assert_ok(goes_on(&checkpoint, "documents 0a", NULL, "eval_loss", NULL, notes));
    assert_string_equal(notes, "");
    assert_refused(goes_on(&checkpoint, "documents 0a", "data 2d, samples 1", "val-core/gsm8k/score", NULL, notes),
                   "was measured with data 1c, and would be with data 2d now");
    json_decref(checkpoint);
}

// Figures of others: held-out problems of a source of this name, a task whose name begins alike, and the loss.
static void a_figure_is_held_to_what_it_is_measured_with_itself(void **state)
{
    (void)state;
    char notes[200];
    static const char *const OTHERS[] = {"val-core/gsm8k", "val-core/gsm8k/acc/mean@4", "val-core/gsm8k_hard/score",
                                         "eval/acc", "eval_loss"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        json_t *checkpoint = first();
        assert_ok(goes_on(&checkpoint, "documents 0a", "data 2d, samples 1", OTHERS[i], NULL, notes));
        assert_string_equal(notes, "val-core/gsm8k: from here on measured with data 2d, before with data 1c\n");
        json_decref(checkpoint);
    }
}

// Held-out problems' accuracy, of all of them and of those of a source, which may be called as a task is.
static void all_figures_of_held_out_problems_are_held_to_their_rows(void **state)
{
    (void)state;
    static const char *const THEIRS[] = {"eval/acc", "val-core/gsm8k/acc/mean@4"};
    for (size_t i = 0; i < sizeof THEIRS / sizeof *THEIRS; i++) {
        json_t *before = json_pack("{s:[s]}", MEASURED_PROBLEMS, "problems 0a, samples 4");
        Measured m = {0};
        assert_ok(measured_add(&m, MEASURED_PROBLEMS, "problems 0b, samples 4"));
        assert_refused(measured_resume(&m, before, THEIRS[i], NULL),
                       "eval/acc: was measured with problems 0a, and would be with problems 0b now");
        measured_free(&m);
        json_decref(before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_measured_alike_goes_on_in_silence),
        cmocka_unit_test(a_figure_that_nothing_compares_may_change_and_is_noted_once),
        cmocka_unit_test(what_is_compared_has_to_be_measured_alike_all_the_time),
        cmocka_unit_test(a_task_left_out_for_a_while_is_remembered),
        cmocka_unit_test(a_figure_is_held_to_what_it_is_measured_with_itself),
        cmocka_unit_test(all_figures_of_held_out_problems_are_held_to_their_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
