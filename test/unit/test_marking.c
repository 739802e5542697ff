// From responses to a summary, by the program's own path, against what the benchmarks' scripts make of the same
// responses (test/fixtures/benchmarks, written by lab/reference/benchmarks.py): verdicts, draws, averages; how the
// scripts sample; and what they ask a judge.
#include "benchmarks/judging.h"
#include "benchmarks/marking.h"
#include "figures/figures.h"
#include "judges/judge_form.h"
#include "system/files.h"
#include "test/support/benchmarks.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/marking-XXXXXX";

// The categories as rows have them: a field that is a path, a/b, has those before it in its own.
static json_t *categories_of(const Task *task, const json_t *one)
{
    const json_t *names = json_object_get(one, "categories");
    json_t *all = json_array();
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        bool path = strchr(task->o.categories.items[i], '/') != NULL;
        const char *before = path ? json_string_value(json_array_get(all, i - 1)) : "";
        json_array_append_new(all, json_sprintf("%s%s%s", before, path ? "/" : "", name));
    }
    return all;
}

// responses.jsonl of a task's responses, each to a question of its own, in the order of the fixture.
static void write_responses(const char *path, const Task *task)
{
    json_t *all = fixture("responses"), *one;
    FILE *file = fopen(path, "w");
    size_t i;
    int number = 0;
    assert_non_null(file);
    json_array_foreach (all, i, one) {
        if (strcmp(text_at(one, "task"), task->name) != 0)
            continue;
        char id[32];
        snprintf(id, sizeof id, "q%d", number);
        json_t *row =
            json_pack("{s:O, s:{s:s, s:s, s:i, s:i, s:s, s:o, s:O}}", "text", json_object_get(one, "response"),
                      "evaluate", "task", task->name, "id", id, "question", number, "sample", 0, "asked", "?",
                      "categories", categories_of(task, one), "reference", json_object_get(one, "reference"));
        assert_non_null(row);
        if (json_object_get(one, "options") != NULL)
            json_object_set(json_object_get(row, "evaluate"), "options", json_object_get(one, "options"));
        json_dumpf(row, file, JSON_COMPACT);
        fputc('\n', file);
        json_decref(row);
        number++;
    }
    assert_true(number > 0);
    fclose(file);
    json_decref(all);
}

static void assert_share(const json_t *figures, const char *name, const json_t *wanted, const char *what)
{
    double value = json_number_value(json_object_get(figures, name));
    if (!json_is_number(wanted) || !json_is_number(json_object_get(figures, name)) ||
        fabs(value - json_number_value(wanted)) > 1e-12)
        fail_msg("%s: %s is %.17g, official: %.17g", what, name, value, json_number_value(wanted));
}

static double mean_of(const json_t *categories) // of their scores
{
    double sum = 0;
    const char *name;
    json_t *one;
    json_object_foreach ((json_t *)categories, name, one)
        sum += json_number_value(json_object_get(one, "score"));
    return sum / (double)json_object_size(categories);
}

static void compare(const char *task, const json_t *figures, const json_t *wanted)
{
    static const char *const levels[] = {"discipline/field", "discipline/field/subfield"},
                             *const means[] = {"field", "subfield"}, *const difficulties[] = {"hard", "middle", "easy"};
    const json_t *categories = json_object_get(figures, "by_category"), *fields = json_object_get(figures, "by_field");
    const char *name;
    json_t *accuracy;
    assert_int_equal(json_object_size(categories), json_object_size(json_object_get(wanted, "categories")));
    json_object_foreach (json_object_get(wanted, "categories"), name, accuracy)
        assert_share(json_object_get(categories, name), "score", accuracy, name);
    assert_share(figures, "micro", json_object_get(wanted, "micro"), task);
    if (json_object_get(wanted, "harmonic") != NULL)
        assert_share(figures, "harmonic", json_object_get(wanted, "harmonic"), task);
    if (json_object_get(wanted, "miss") == NULL)
        return;
    assert_share(json_object_get(figures, "shares"), "without_answer", json_object_get(wanted, "miss"), task);
    assert_share(figures, "macro", json_object_get(wanted, "discipline"), task);
    for (int i = 0; i < 2; i++)
        assert_true(fabs(mean_of(json_object_get(fields, levels[i])) -
                         json_number_value(json_object_get(wanted, means[i]))) < 1e-12);
    for (int i = 0; i < 3; i++)
        assert_share(json_object_get(json_object_get(fields, "difficulty"), difficulties[i]), "score",
                     json_object_get(wanted, difficulties[i]), difficulties[i]);
}

static void summaries_are_those_of_the_benchmarks_scripts(void **state)
{
    json_t *all = fixture("aggregates"), *wanted;
    const char *name;
    assert_int_equal(json_object_size(all), 5);
    json_object_foreach (all, name, wanted) {
        Asking asking = {0};
        char *responses = path_join(folder, "responses.jsonl"), rows[256];
        snprintf(rows, sizeof rows, "%s/%s.jsonl", folder, name);
        assert_ok(task_open(&asking.task, name));
        write_responses(responses, &asking.task);
        assert_ok(marking_write(&asking, 1, responses, folder, NULL));
        json_t *figures = figures_of(&asking.task, rows);
        assert_ok(figures != NULL);
        compare(name, figures, wanted);
        json_decref(figures);
        task_close(&asking.task);
        unlink(rows);
        unlink(responses);
        free(responses);
    }
    json_decref(all);
}

static void responses_are_drawn_as_the_scripts_draw_them(void **state)
{
    json_t *all = fixture("sampling"), *wanted, *stop;
    const char *name;
    size_t i;
    json_object_foreach (all, name, wanted) {
        Task task;
        assert_ok(task_open(&task, name));
        assert_true(task.o.temperature == json_number_value(json_object_get(wanted, "temperature")));
        assert_int_equal(task.o.max_new_tokens, json_integer_value(json_object_get(wanted, "max_tokens")));
        assert_int_equal(task.o.stop.count, json_array_size(json_object_get(wanted, "stop")));
        json_array_foreach (json_object_get(wanted, "stop"), i, stop)
            assert_string_equal(task.o.stop.items[i], json_string_value(stop));
        assert_int_equal(task.o.samples, 1);
        task_close(&task);
    }
    json_decref(all);
}

static void a_judge_is_asked_and_understood_as_simple_evals_does(void **state)
{
    json_t *wanted = fixture("judge"), *yes;
    const char *reply, *reference = text_at(wanted, "reference"), *answer = text_at(wanted, "answer");
    const JudgingQuestion *protocol = judging_protocol();
    JudgeForm form;
    Bytes asked = {0};
    assert_ok(judge_form_open(&form, protocol->text, "", protocol->yes, protocol->no));
    assert_ok(judge_form_fill(&form, &asked, (Text){"?", 1}, (Text){reference, strlen(reference)},
                              (Text){answer, strlen(answer)}));
    assert_int_equal(asked.size, strlen(text_at(wanted, "asked")));
    assert_memory_equal(asked.data, text_at(wanted, "asked"), asked.size);
    json_object_foreach (json_object_get(wanted, "replies"), reply, yes)
        if (judge_form_score(&form, (Text){reply, strlen(reply)}) != (json_is_true(yes) ? 1 : 0))
            fail_msg("\"%s\" is understood otherwise", reply);
    bytes_free(&asked);
    judge_form_close(&form);
    json_decref(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summaries_are_those_of_the_benchmarks_scripts),
        cmocka_unit_test(responses_are_drawn_as_the_scripts_draw_them),
        cmocka_unit_test(a_judge_is_asked_and_understood_as_simple_evals_does),
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
