// Questions of benchmarks and their prompts: byte for byte those of the benchmarks' own scripts
// (test/fixtures/benchmarks, written by lab/reference/benchmarks.py), and what rows and files may hold.
#include "test/support/check.h"
#include "benchmarks/prompts.h"
#include "benchmarks/question.h"
#include "benchmarks/source.h"
#include "json/json.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIXTURE_BYTES = 16 << 20, EXAMPLES_MOST = 16 };

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void read_row(Question *q, const Task *task, const json_t *row, bool example)
{
    char *text = json_dumps(row, JSON_COMPACT);
    assert_ok(question_read(q, task, (Text){text, strlen(text)}, "row", example));
    free(text);
}

static const char *user_turn(const json_t *wanted)
{
    const json_t *messages = json_object_get(wanted, "messages");
    return text_at(json_array_get(messages, json_array_size(messages) - 1), "content");
}

static void expect_prompt(const json_t *wanted)
{
    Task task;
    Question q, examples[EXAMPLES_MOST];
    Bytes prompt = {0};
    uint32_t order[LETTERS_MOST];
    const json_t *shots = json_object_get(wanted, "shots"), *permutation = json_object_get(wanted, "permutation");
    assert_ok(task_open(&task, text_at(wanted, "task")));
    read_row(&q, &task, json_object_get(wanted, "row"), false);
    size_t count = (size_t)smaller((int64_t)json_array_size(shots), task.o.shots);
    for (size_t i = 0; i < count; i++)
        read_row(&examples[i], &task, json_array_get(shots, i), true);
    for (size_t i = 0; i < json_array_size(permutation); i++)
        order[i] = (uint32_t)json_integer_value(json_array_get(permutation, i));
    if (permutation != NULL)
        question_shuffle(&q, order);
    assert_ok(question_prompt(&prompt, &task, &q, examples, count));
    const json_t *whole = json_object_get(wanted, "prompt");
    assert_string_equal(prompt.data, whole != NULL ? json_string_value(whole) : user_turn(wanted));
    const json_t *messages = json_object_get(wanted, "messages");
    assert_int_equal(task.o.completion, whole != NULL);
    if (json_array_size(messages) > 1)
        assert_string_equal(task.system.data, text_at(json_array_get(messages, 0), "content"));
    else
        assert_int_equal(task.system.size, 0);
    for (size_t i = 0; i < count; i++)
        question_free(&examples[i]);
    question_free(&q);
    bytes_free(&prompt);
    task_close(&task);
}

static void prompts_are_those_of_the_benchmarks_scripts(void **state)
{
    (void)state;
    json_t *all = json_read("test/fixtures/benchmarks/prompts.json", FIXTURE_BYTES), *wanted;
    size_t i;
    assert_true(json_array_size(all) > 50);
    json_array_foreach (all, i, wanted)
        expect_prompt(wanted);
    json_decref(all);
}

// The whole path: from the file, with Python's permutations drawn in its order, once for each sample.
static void a_file_of_questions_becomes_the_same_prompts(void **state)
{
    (void)state;
    static const char *const names[] = {"gpqa_diamond", "gpqa_diamond_simple_evals"};
    json_t *all = json_read("test/fixtures/benchmarks/prompts.json", FIXTURE_BYTES);
    for (int n = 0; n < 2; n++) {
        Bytes rows = {0}, written = {0};
        Asking asking = {.data = "build/test/questions.jsonl"};
        AtomicFile out;
        json_t *wanted;
        size_t i, count = 0, place = 0;
        assert_ok(task_open(&asking.task, names[n]));
        asking.samples = asking.task.o.samples;
        json_array_foreach (all, i, wanted)
            count += strcmp(text_at(wanted, "task"), names[n]) == 0;
        size_t each = count / (size_t)asking.samples;
        json_array_foreach (all, i, wanted) // rows first, then again for each further sample
        {
            if (strcmp(text_at(wanted, "task"), names[n]) != 0 || place++ >= each)
                continue;
            char *text = json_dumps(json_object_get(wanted, "row"), JSON_COMPACT);
            assert_ok(bytes_printf(&rows, "%s\n", text));
            free(text);
        }
        assert_ok(file_write_atomic(asking.data, rows.data, rows.size) &&
                  atomic_open(&out, "build/test/prompts.jsonl") && prompts_write(&out, &asking, 0, NULL) &&
                  atomic_commit(&out) && file_read(&written, "build/test/prompts.jsonl", FIXTURE_BYTES));
        assert_int_equal(asking.rows, (int64_t)each);
        char *line = written.data;
        for (size_t q = 0; q < each; q++)
            for (int64_t sample = 0; sample < asking.samples; sample++) {
                char *end = strchr(line, '\n');
                json_t *row = json_parse(line, (size_t)(end - line), "prompts"), *found = NULL;
                place = 0;
                json_array_foreach (all, i, wanted)
                    if (strcmp(text_at(wanted, "task"), names[n]) == 0 && place++ == (size_t)sample * each + q)
                        found = wanted;
                assert_string_equal(user_turn(row), user_turn(found));
                line = end + 1;
                json_decref(row);
            }
        assert_int_equal(*line, 0);
        task_close(&asking.task);
        bytes_free(&rows);
        bytes_free(&written);
    }
    json_decref(all);
}

static Task mine(const char *lines)
{
    Task task;
    Bytes text = {0};
    assert_ok(bytes_printf(&text, "about = a\nsource = b\ndata = c\nextract = \"last (.)\"\n%s", lines) &&
              file_write_atomic("build/test/mine.task", text.data, text.size) &&
              task_open(&task, "build/test/mine.task"));
    assert_string_equal(task.name, "mine");
    bytes_free(&text);
    return task;
}

static void expect_text(const char *lines, const char *row, const char *wanted)
{
    Task task = mine(lines);
    Question q;
    Bytes prompt = {0};
    assert_ok(question_read(&q, &task, (Text){row, strlen(row)}, "row", false) &&
              question_prompt(&prompt, &task, &q, NULL, 0));
    assert_string_equal(prompt.data, wanted);
    bytes_free(&prompt);
    question_free(&q);
    task_close(&task);
}

static void a_prompt_has_places_for_what_a_row_holds(void **state)
{
    (void)state;
    expect_text("prompt = \"{question}|{field:unit}|{{x}\"\n",
                "{\"question\": \"{options}\", \"answer\": 1, \"unit\": 0.70}", "{options}|0.70|{x}");
    expect_text(
        "options = o\nanswer_form = index\nprompt = \"{question} {letters}:\"\nprompt = \" {options}\"\noption = "
        "\"<{letter} {text}>\"\n",
        "{\"question\": \"q\", \"answer\": 2, \"o\": [\"a\", \"{question}\", \"c\"]}",
        "q A, B or C: <A a><B {question}><C c>");
    expect_text("question = \"a|b\"\ncategories = [\"x\"]\nprompt = \"{question} {category}\"\n",
                "{\"a\": null, \"b\": \"q\", \"answer\": \"0\", \"x\": 7}", "q 7");
}

static void expect_refused(const char *lines, const char *row, const char *said)
{
    Task task = mine(lines);
    Question q;
    Bytes prompt = {0};
    assert_false(question_read(&q, &task, (Text){row, strlen(row)}, "f:3", false) &&
                 question_prompt(&prompt, &task, &q, NULL, 0));
    if (strstr(error_text(), said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error_text(), said);
    bytes_free(&prompt);
    question_free(&q);
    task_close(&task);
}

static void expect_no_task(const char *lines, const char *said)
{
    Task task;
    Bytes text = {0};
    assert_ok(bytes_printf(&text, "about = a\nsource = b\ndata = c\nextract = \"last (.)\"\n%s", lines) &&
              file_write_atomic("build/test/mine.task", text.data, text.size));
    assert_false(task_open(&task, "build/test/mine.task"));
    if (strstr(error_text(), said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error_text(), said);
    task_close(&task);
    bytes_free(&text);
}

static void expect_right(const char *lines, const char *row, size_t place, const char *answer)
{
    Task task = mine(lines);
    Question q;
    assert_ok(question_read(&q, &task, (Text){row, strlen(row)}, "f:3", false));
    assert_int_equal(q.right, place);
    assert_int_equal(q.answer.size, strlen(answer));
    assert_memory_equal(q.answer.data, answer, q.answer.size);
    question_free(&q);
    task_close(&task);
}

static void answers_are_read_in_the_forms_that_data_have(void **state)
{
    (void)state;
    static const char letter[] = "options = o\nanswer_form = letter\nprompt = \"{question}\"\n",
                      index[] = "options = o\nanswer_form = index\nprompt = \"{question}\"\n",
                      text[] = "prompt = \"{question}\"\n";
    expect_right(letter, "{\"question\": \"q\", \"answer\": \"b\", \"o\": [1, 2.5, 3]}", 1, "b");
    expect_right(letter, "{\"question\": \"q\", \"answer\": \" (C) \", \"o\": [1, 2, 3]}", 2, " (C) ");
    expect_right(index, "{\"question\": \"q\", \"answer\": \"2\", \"o\": [1, 2, 3]}", 2, "2"); // as of CSV
    expect_right(index, "{\"question\": \"q\", \"answer\": 0, \"o\": [1, 2, 3]}", 0, "0");
    expect_right(text, "{\"question\": [\"q\"], \"answer\": [\"8\"]}", 0, "8");
    expect_right(text, "{\"question\": \"q\", \"answer\": [\"8\", 9, 0.1]}", 0, "8, 9, 0.1");
    expect_right("prompt = \"{question}\"\nfirst_answer = true\n", "{\"question\": \"q\", \"answer\": [\"8\", 9]}", 0,
                 "8");
    expect_text("options = o\nanswer_form = letter\nprompt = \"{question}{options}\"\noption = \" {text}\"\n",
                "{\"question\": \"q\", \"answer\": \"a\", \"o\": [1, 2.5, -1e-5]}", "q 1 2.5 -1e-5");
}

// In MMLU-Pro a blank before an option gives the right one away.
static void options_may_be_stripped(void **state)
{
    (void)state;
    const char *row = "{\"question\": \"q\", \"answer\": \"B\", \"o\": [\"a \", \"\\u00a0\\tb\", \"c d\"]}";
    expect_text("prompt = \"{question}{options}\"\noption = \"({text})\"\noptions = o\nanswer_form = letter\n", row,
                "q(a )(\xC2\xA0\tb)(c d)");
    expect_text("prompt = \"{question}{options}\"\noption = \"({text})\"\noptions = o\nanswer_form = "
                "letter\nstrip_options = true\n",
                row, "q(a)(b)(c d)");
}

// What a task says is used, or refused.
static void tasks_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    expect_no_task("prompt = x\n", "mine.task: prompt: has no {question}");
    expect_no_task("prompt = \"{question} {options}\"\n", "{options} needs the field options");
    expect_no_task("prompt = \"{question}\"\nshuffle = true\n",
                   "shuffle, strip_options and drop_option are for questions with options");
    expect_no_task("prompt = \"{question}\"\nworked = w\n", "worked is for examples");
    expect_no_task("prompt = \"{question}\"\nshots = 2\n", "shots and shot go together");
    expect_no_task("prompt = \"{question}\"\nheadline = macro\n", "a mean of categories needs categories");
    expect_no_task("prompt = \"{question}\"\nscore = letter\n", "the answer is not an option");
    expect_no_task("prompt = \"{question}\"\noptions = o\n", "answer_form has to say");
    expect_no_task("prompt = \"{question}\"\nsystem = s\ncompletion = true\n", "has no system turn");
    expect_no_task("prompt = \"{question}\"\nprmpt = x\n", "mine.task:6: ");
}

static void rows_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const char choice[] = "options = o\nanswer_form = letter\nprompt = \"{question}\"\n";
    expect_refused("prompt = \"{question}\"\n", "[1]", "f:3: is not an object");
    expect_refused("prompt = \"{question}\"\n", "{\"answer\": 1}",
                   "f:3: there is no field question, which the task mine reads (c)");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": \"\", \"answer\": 1}", "f:3: question is empty");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": {}, \"answer\": 1}",
                   "f:3: question is neither a text nor a number");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": \"q\"}", "f:3: there is no field answer");
    expect_refused(choice, "{\"question\": \"q\", \"answer\": \"C\", \"o\": [\"1\", \"2\"]}",
                   "names none of the 2 options");
    expect_refused(choice, "{\"question\": \"q\", \"answer\": \"AB\", \"o\": [\"1\", \"2\"]}",
                   "names none of the 2 options");
    expect_refused(choice, "{\"question\": \"q\", \"answer\": \"A\", \"o\": [true, 2]}",
                   "f:3: o: an option is neither a text nor a number; write it as a text");
    expect_refused("options = o\nanswer_form = index\nprompt = \"{question}\"\n",
                   "{\"question\": \"q\", \"answer\": \"2\", \"o\": [\"1\", \"2\"]}", "names none of the 2 options");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": [\"a\", \"b\"], \"answer\": 1}",
                   "f:3: question is a list of 2; make it one text");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": \"q\", \"answer\": [1, {}]}",
                   "f:3: answer holds what is neither a text nor a number");
    expect_refused(
        "prompt = \"{question}{field:x}\"\n", "{\"question\": \"q\", \"answer\": 1}",
        "f:3: there is no field x, which the task mine reads (c); for other names of fields, write the lines "
        "of ./evaluate --show build/test/mine.task");
    expect_refused(choice, "{\"question\": \"q\", \"answer\": \"A\", \"o\": []}", "f:3: a question without options");
    expect_refused(choice, "{\"question\": \"q\", \"answer\": \"A\", \"o\": \"['a', 'b']\"}",
                   "f:3: o is no list of texts");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": \"q\", \"answer\": \" \"}", "f:3: answer is empty");
    expect_refused("prompt = \"{question}\"\n", "{\"question\": \"q\", \"answer\": NaN}",
                   "answer is neither a text nor a number");
    expect_refused("prompt = \"{question}\"\nheadline = macro\ncategories = c\n",
                   "{\"question\": \"q\", \"answer\": 1}", "there is no field c");
    expect_refused("prompt = \"{question}{worked}\"\n", "{\"question\": \"q\", \"answer\": \"a\"}",
                   "{worked}: there is none here");
    expect_refused("prompt = \"{question}{letter\"\n", "{\"question\": \"q\", \"answer\": \"a\"}", "a { without its }");
}

// Two options that read alike are one answer, and the scripts take the first of them that is shown.
static void the_right_option_is_found_wherever_it_is_shown(void **state)
{
    (void)state;
    Task task;
    Question q;
    static const char row[] = "{\"Question\": \"q\", \"Correct Answer\": \"a\", \"Incorrect Answer 1\": \"b\", "
                              "\"Incorrect Answer 2\": \"a\", \"Incorrect Answer 3\": \"c\"}";
    static const uint32_t orders[][4] = {{1, 2, 0, 3}, {0, 1, 2, 3}, {3, 1, 0, 2}};
    static const size_t right[] = {1, 0, 2};
    assert_ok(task_open(&task, "gpqa_diamond"));
    for (int i = 0; i < 3; i++) {
        assert_ok(question_read(&q, &task, (Text){row, strlen(row)}, "row", false));
        question_shuffle(&q, orders[i]);
        assert_int_equal(q.right, right[i]);
        question_free(&q);
    }
    task_close(&task);
}

static void categories_may_be_paths(void **state)
{
    (void)state;
    Task task = mine("prompt = \"{question}\"\ncategories = [\"a\", \"a/b\", \"c\"]\n");
    Question q;
    static const char row[] = "{\"question\": \"q\", \"answer\": 1, \"a\": \"X\", \"b\": \"Y\"}";
    assert_ok(question_read(&q, &task, (Text){row, strlen(row)}, "row", false));
    assert_memory_equal(q.categories[0].data, "X", 1);
    assert_int_equal(q.categories[1].size, 3);
    assert_memory_equal(q.categories[1].data, "X/Y", 3);
    assert_null(q.categories[2].data);
    question_free(&q);
    task_close(&task);
}

static void expect_rows(const char *csv, const char *const *wanted, const int64_t *lines, size_t count)
{
    Source source;
    const char *row;
    size_t size;
    assert_ok(file_write_atomic("build/test/rows.csv", csv, strlen(csv)) &&
              source_open(&source, "build/test/rows.csv"));
    for (size_t i = 0; i < count; i++) {
        assert_ok(source_next(&source, &row, &size));
        assert_string_equal(row, wanted[i]);
        assert_int_equal(source.line, lines[i]);
    }
    assert_ok(source_next(&source, &row, &size));
    assert_null(row);
    source_close(&source);
}

static void csv_is_read_with_its_quotes_and_line_breaks(void **state)
{
    (void)state;
    static const char *const wanted[] = {"{\"a\":\"1\",\"b c\":\"x, \\\"y\\\"\\nz\"}", "{\"a\":\"\",\"b c\":\"\"}",
                                         "{\"a\":\"2\",\"b c\":\"é\"}"};
    expect_rows("a,b c\n1,\"x, \"\"y\"\"\nz\"\n,\n2,é", wanted, (int64_t[]){2, 4, 5}, 3);
    expect_rows("\xEF\xBB\xBF\"a\",\"b c\"\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n,\r\n2,é\r\n", wanted, (int64_t[]){2, 5, 6},
                3);
}

static void expect_no_csv(const char *csv, const char *said)
{
    Source source;
    const char *row = "";
    size_t size;
    assert_ok(file_write_atomic("build/test/rows.csv", csv, strlen(csv)));
    bool ok = source_open(&source, "build/test/rows.csv");
    while (ok && row != NULL)
        ok = source_next(&source, &row, &size);
    assert_false(ok);
    if (strstr(error_text(), said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error_text(), said);
    source_close(&source);
}

static void broken_csv_is_refused_by_its_line(void **state)
{
    (void)state;
    expect_no_csv("a,b\n1,2\n3\n", "rows.csv:3: has 1 fields, and the first line names 2");
    expect_no_csv("a,b\n\"1\n\n\",2\n3,4,5\n", "rows.csv:5: has more fields than the first line names");
    expect_no_csv("a,a\n1,2\n", "rows.csv:1: two columns are called a");
    expect_no_csv("a,b\n1,\xe9\n", "rows.csv:2: ");
    expect_no_csv("a,b\n1,\"2\n", "rows.csv:2: a closing \" is missing");
    expect_no_csv("a,b\n\"1\"x,2\n", "rows.csv:2: a field goes on behind its closing \"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prompts_are_those_of_the_benchmarks_scripts),
                                       cmocka_unit_test(a_file_of_questions_becomes_the_same_prompts),
                                       cmocka_unit_test(a_prompt_has_places_for_what_a_row_holds),
                                       cmocka_unit_test(tasks_that_contradict_themselves_are_refused),
                                       cmocka_unit_test(rows_that_do_not_fit_are_refused),
                                       cmocka_unit_test(the_right_option_is_found_wherever_it_is_shown),
                                       cmocka_unit_test(answers_are_read_in_the_forms_that_data_have),
                                       cmocka_unit_test(options_may_be_stripped),
                                       cmocka_unit_test(categories_may_be_paths),
                                       cmocka_unit_test(csv_is_read_with_its_quotes_and_line_breaks),
                                       cmocka_unit_test(broken_csv_is_refused_by_its_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
