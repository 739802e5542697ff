// The scoring of benchmarks: what their own scripts extract, count and draw (test/fixtures/benchmarks, written by
// lab/reference/benchmarks.py), and the strict verdict beside it.
#include "base/text.h"
#include "test/support/benchmarks.h"
#include "tasks/bbeh.h"
#include "tasks/extract.h"
#include "tasks/python_random.h"
#include "tasks/python_text.h"
#include "tasks/scoring.h"
#include <string.h>

enum { OPTIONS_SHOWN = LETTERS_MOST };

static Text span(const char *text) { return (Text){text, strlen(text)}; }

// A task with its scorer.
typedef struct Opened {
    Task task;
    Scorer *scorer;
} Opened;

static Opened *opened(const char *name)
{
    Opened *o = allocate(1, sizeof *o);
    assert_non_null(o);
    assert_ok(task_open(&o->task, name));
    assert_ok((o->scorer = scorer_open(&o->task)) != NULL);
    return o;
}

static void closed(Opened *o)
{
    scorer_close(o->scorer);
    task_close(&o->task);
    free(o);
}

typedef struct Case {
    AskedQuestion question;
    Text options[OPTIONS_SHOWN];
} Case;

static void read_case(Case *c, const json_t *json)
{
    size_t i;
    json_t *option;
    *c = (Case){.question = {.id = span(text_at(json, "quirk")), .reference = span(text_at(json, "reference"))}};
    json_array_foreach (json_object_get(json, "options"), i, option)
        c->options[i] = span(json_string_value(option));
    c->question.options = c->options;
    c->question.option_count = json_array_size(json_object_get(json, "options"));
}

// ---- responses

static void expect_as_official(Opened *o, const json_t *json)
{
    Case c;
    Marks m;
    read_case(&c, json);
    const char *wanted = text_at(json, "extracted");
    bool right = json_is_true(json_object_get(json, "right")), drawn = json_is_true(json_object_get(json, "drawn"));
    json_t *response = json_object_get(json, "response");
    assert_ok(
        scorer_mark(o->scorer, &c.question, 0, (Text){json_string_value(response), json_string_length(response)}, &m));
    const char letter[2] = {m.letter, 0};
    bool same = strcmp(m.extracted, wanted) == 0 ||
                (strncmp(o->task.name, "supergpqa_", 10) == 0 && strcmp(letter, wanted) == 0); // an option's text
    if (!same || m.drawn != drawn || (!drawn && m.right != right))
        fail_msg("%s, %s: reference %s, response \"%s\": extracted \"%s\" (official: \"%s\"), %s (%s)%s", o->task.name,
                 text_at(json, "quirk"), text_at(json, "reference"), text_at(json, "response"), m.extracted, wanted,
                 m.right ? "right" : "wrong", right ? "right" : "wrong", m.drawn ? ", drawn" : "");
    if (drawn) {
        assert_in_range(m.letter, 'A', 'J');
        assert_int_equal(m.right, m.letter == *text_at(json, "reference"));
        assert_true(m.by_chance == 0.1);
    }
    assert_true(m.found == (m.extracted[0] != 0));
    assert_true(m.found || !m.readable);
    assert_int_not_equal(m.rule[0], 0);
}

static void responses_are_scored_as_the_benchmarks_scripts_do(void **state)
{
    json_t *responses = fixture("responses"), *json;
    size_t i, counts[32] = {0};
    for (size_t t = 0; TASK_NAMES[t] != NULL; t++) {
        Opened *o = opened(TASK_NAMES[t]);
        json_array_foreach (responses, i, json)
            if (strcmp(text_at(json, "task"), TASK_NAMES[t]) == 0) {
                expect_as_official(o, json);
                counts[t]++;
            }
        bool own = strcmp(TASK_NAMES[t], "questions") == 0 || strcmp(TASK_NAMES[t], "multiple_choice") == 0;
        if (own != (counts[t] == 0))
            fail_msg("%s has %zu responses in the fixture", TASK_NAMES[t], counts[t]);
        closed(o);
    }
    json_decref(responses);
}

static double number_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static bool is_of(const json_t *json, const char *task, const char *category)
{
    const char *its = json_string_value(json_array_get(json_object_get(json, "categories"), 0));
    return strcmp(text_at(json, "task"), task) == 0 && (category == NULL || strcmp(its, category) == 0);
}

// Of the responses of a category, or of all, the share that is right; with a letter drawn where there is none.
static double share(Opened *o, const json_t *responses, const char *category, json_t *drawn)
{
    size_t i, right = 0, count = 0;
    json_t *json;
    json_array_foreach (responses, i, json) {
        Case c;
        Marks m;
        if (!is_of(json, o->task.name, category))
            continue;
        read_case(&c, json);
        assert_ok(scorer_mark(o->scorer, &c.question, 0, span(text_at(json, "response")), &m));
        if (drawn != NULL && !m.found) {
            assert_false(m.drawn);
            scorer_draw(o->scorer, &c.question, &m);
            assert_true(m.drawn && fabs(m.by_chance - 1.0 / (double)c.question.option_count) < 1e-15);
            assert_int_equal(m.letter - 'A', json_integer_value(json_array_get(drawn, 0)));
            json_array_remove(drawn, 0);
        }
        right += m.right;
        count++;
    }
    assert_true(count > 0);
    return (double)right / (double)count;
}

static void mmlu_pros_guesses_are_those_of_its_seed_and_the_second_time_counts(void **state)
{
    json_t *responses = fixture("responses"), *all = fixture("aggregates"), *accuracy;
    json_t *wanted = json_object_get(all, "mmlu_pro_5shot"), *drawn = json_object_get(wanted, "drawn");
    Opened *o = opened("mmlu_pro_5shot");
    const char *name;
    assert_true(json_array_size(drawn) >= 40);
    json_object_foreach (json_object_get(wanted, "categories"), name, accuracy) { // written in sorted order
        share(o, responses, name, drawn);
        assert_true(fabs(share(o, responses, name, drawn) - json_number_value(accuracy)) < 1e-12);
    }
    assert_int_equal(json_array_size(drawn), 0);
    closed(o);
    json_decref(responses);
    json_decref(all);
}

static void categories_have_the_scores_of_the_benchmarks_scripts(void **state)
{
    static const char *const tasks[] = {"bbeh", "bbeh_official", "supergpqa_zeroshot", "supergpqa_fiveshot"};
    json_t *responses = fixture("responses"), *all = fixture("aggregates"), *accuracy;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        json_t *wanted = json_object_get(all, tasks[i]);
        Opened *o = opened(tasks[i]);
        const char *name;
        assert_true(fabs(share(o, responses, NULL, NULL) - number_at(wanted, "micro")) < 1e-12);
        json_object_foreach (json_object_get(wanted, "categories"), name, accuracy)
            assert_true(fabs(share(o, responses, name, NULL) - json_number_value(accuracy)) < 1e-12);
        closed(o);
    }
    json_decref(responses);
    json_decref(all);
}

// ---- what is drawn

static void a_letter_of_ten_depends_on_question_and_sample_alone(void **state)
{
    Opened *o = opened("mmlu_pro"), *again = opened("mmlu_pro");
    const Text options[3] = {{"a", 1}, {"b", 1}, {"c", 1}};
    int counts[10] = {0};
    for (int i = 0; i < 4000; i++) {
        char id[32];
        Marks m, other;
        snprintf(id, sizeof id, "question %d", i / 2);
        AskedQuestion q = {span(id), span("B"), options, 3};
        assert_ok(scorer_mark(o->scorer, &q, i % 2, span("no idea"), &m));
        assert_ok(scorer_mark(again->scorer, &q, i % 2, span("none, whatever the words: \\boxed{}"), &other));
        assert_true(m.drawn && m.letter == other.letter && m.by_chance == 0.1 && !m.found && !m.strict);
        counts[m.letter - 'A']++;
    }
    for (int i = 0; i < 10; i++) // of 4000: 400, five standard deviations of 19 on either side
        assert_in_range(counts[i], 305, 495);
    closed(again);
    closed(o);
}

static void expect_orders(PythonRandom *r, const char *digits)
{
    uint32_t order[4];
    char text[5] = {0};
    python_random_sample(r, order, 4);
    for (int i = 0; i < 4; i++)
        text[i] = (char)('0' + order[i]);
    assert_string_equal(text, digits);
}

static void expect_draws(const json_t *wanted)
{
    PythonRandom r;
    size_t i;
    json_t *pair;
    python_random_seed(&r, (uint32_t)number_at(wanted, "seed"));
    json_array_foreach (json_object_get(wanted, "draws"), i, pair) {
        uint32_t size = (uint32_t)json_integer_value(json_array_get(pair, 0));
        assert_int_equal(python_random_below(&r, size), json_integer_value(json_array_get(pair, 1)));
    }
    assert_true(i >= 80);
}

static void python_s_random_numbers_are_drawn_alike(void **state)
{
    PythonRandom r;
    size_t i, k, n;
    json_t *all = fixture("random"), *orders, *order, *place;
    python_random_seed(&r, 0);
    json_array_foreach (json_object_get(all, "of_four"), i, order)
        expect_orders(&r, json_string_value(order));
    assert_int_equal(i, 2000);
    json_t *sizes = json_object_get(all, "of_each_size");
    python_random_seed(&r, (uint32_t)number_at(sizes, "seed"));
    json_array_foreach (json_object_get(sizes, "orders"), i, orders)
        json_array_foreach (orders, k, order) {
            uint32_t ours[OPTIONS_SHOWN];
            python_random_sample(&r, ours, (uint32_t)json_array_size(order));
            json_array_foreach (order, n, place)
                assert_int_equal(ours[n], json_integer_value(place));
        }
    expect_draws(json_object_get(all, "below"));
    expect_draws(json_object_get(all, "below_far"));
    json_decref(all);
}

// ---- the strict verdict

static Marks marked(const char *task, const char *reference, const Text *options, size_t count, Text response)
{
    Opened *o = opened(task);
    AskedQuestion q = {span("id"), span(reference), options, count};
    Marks m;
    assert_ok(scorer_mark(o->scorer, &q, 0, response, &m));
    closed(o);
    return m;
}

static void the_strict_verdict_knows_no_quirks(void **state)
{
    const Text options[4] = {{"Almond", 6}, {" Banana", 7}, {"Apricot ", 8}, {"Damson", 6}};
    static const struct {
        const char *task, *reference, *response, *letter;
        bool right, strict;
    } cases[] = {
        {"mmlu_pro", "C", "\\boxed{C. Apricot}", "A", false, true}, // a letter stands alone
        {"mmlu_pro", "A", "\\boxed{C. Apricot}", "A", true, false},
        {"mmlu_pro", "C", "\\boxed{c}", NULL, false, true},
        {"mmlu_pro", "B", "\\boxed{Banana}", "B", true, true}, // white space is no part of an option
        {"mmlu_pro", "C", "The answer is: C", NULL, false, true},
        {"mmlu_pro", "C", "\\boxed{C}<|im_end|>\n\\boxed{A}", "C", true, true},
        {"mmlu_pro_5shot", "D", "I see a D and a B", "B", false, false},
        {"supergpqa_zeroshot", "C", "Answer: c", "", false, true},
        {"supergpqa_fiveshot", "C", "Answer: C\n\nQuestion: so\nAnswer: A", "C", true, true},
        {"supergpqa_fiveshot", "C", "Hm.\nQuestion: so\nAnswer: C", "C", true, false},
        {"gpqa_diamond", "C", "\\boxed{(C)}", "", false, true},
        {"gpqa_diamond_simple_evals", "B", "Answer: b", "", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Marks m = marked(cases[i].task, cases[i].reference, options, 4, span(cases[i].response));
        bool random = cases[i].letter == NULL;
        if (m.drawn != random || (!random && m.letter != cases[i].letter[0]) ||
            (!random && m.right != cases[i].right) || m.strict != cases[i].strict)
            fail_msg("%s, reference %s, %s: letter %c, right %d, strict %d (%s), drawn %d", cases[i].task,
                     cases[i].reference, cases[i].response, m.letter == 0 ? '-' : m.letter, m.right, m.strict, m.rule,
                     m.drawn);
        assert_int_equal(m.ended, strstr(cases[i].response, "\nQuestion:") != NULL);
    }
}

static void answers_are_compared_by_meaning(void **state)
{
    static const struct {
        const char *task, *reference, *response;
        bool right, strict, readable;
    } cases[] = {
        {"gsm8k", "6 + 1 = 7 #### no\n#### 1,234", "so \\boxed{1234}", true, true, true},
        {"gsm8k", "#### 1,234", "so \\boxed{\\$1{,}234.00}", true, true, true},
        {"gsm8k", "#### 18", "18", false, true, false}, // no box
        {"math500", "\\frac{1}{2}", "\\boxed{0.5}", true, true, true},
        {"math500", "\\frac{1}{2}", "\\boxed{x}\n\\boxed{\\frac12}", false, true, true}, // the first box, the last
        {"aime24", "073", "\\boxed{73}", true, true, true},
        {"olympiadbench", "$2 n+1$", "\\boxed{1 + 2n}", true, true, true},
        {"questions", "7 kg", "the answer is 7000 g", true, true, true},
        {"questions", "7", "\\boxed{8}, no: \\boxed{7}", true, true, true},
        {"questions", "7", "#### 7", true, true, true},
        {"questions", "7", "7?", false, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Marks m = marked(cases[i].task, cases[i].reference, NULL, 0, span(cases[i].response));
        if (m.right != cases[i].right || m.strict != cases[i].strict || m.readable != cases[i].readable || m.drawn)
            fail_msg("%s, reference %s, %s: right %d, strict %d (%s), readable %d, extracted %s", cases[i].task,
                     cases[i].reference, cases[i].response, m.right, m.strict, m.rule, m.readable, m.extracted);
    }
}

static void any_multiple_choice_is_read_in_many_ways(void **state)
{
    const Text options[3] = {{"x", 1}, {"y", 1}, {"z", 1}};
    static const char *const right[] = {"\\boxed{B}", "\\boxed{(b)}",       "\\boxed{\\text{B}}",    "\\boxed{B: y}",
                                        "Answer: B",  "the answer is (b).", "\\boxed{A} \\boxed{B}", "**Answer:** B"};
    static const char *const none[] = {"\\boxed{Banana}", "\\boxed{}", "B", "the answer is beer", ""};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!marked("multiple_choice", "B", options, 3, span(right[i])).right)
            fail_msg("%s is wrong", right[i]);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        Marks m = marked("multiple_choice", "B", options, 3, span(none[i]));
        if (m.right || m.letter != 0 || m.drawn)
            fail_msg("%s is %c", none[i], m.letter);
    }
}

static void a_field_may_have_several_names(void **state)
{
    json_t *row = json_pack("{s:s, s:n, s:s, s:s}", "input", "1", "question", "answer", "2", "Question", "3");
    static const char *const cases[][2] = {
        {"input", "1"}, {"question|input", "1"}, {"answer|input", "2"}, {"problem|Question", "3"}, {"question", NULL},
        {"", NULL},     {"inp|put|", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *value = json_string_value(task_field(row, cases[i][0]));
        if (cases[i][1] == NULL ? value != NULL : value == NULL || strcmp(value, cases[i][1]) != 0)
            fail_msg("%s is %s", cases[i][0], value == NULL ? "none" : value);
    }
    json_decref(row);
}

// ---- what nobody expects

static void broken_texts_are_scored_like_others(void **state)
{
    const Text options[2] = {{"\xEF\xBF\xBD", 3}, {"b", 1}};
    static const char broken[] = "\xff\xfe \\boxed{\xc3} \xed\xa0\x80 \0 \\boxed{B\xf0\x9f} \xe2\x80";
    static const char zero[] = "\\boxed{B\0A}";
    for (size_t t = 0; TASK_NAMES[t] != NULL; t++) {
        Opened *o = opened(TASK_NAMES[t]);
        AskedQuestion q = {{NULL, 0}, span("B"), options, o->task.o.options.count > 0 ? 2 : 0};
        for (size_t size = 0; size < sizeof broken; size++) {
            Marks m;
            assert_ok(scorer_mark(o->scorer, &q, -1, (Text){broken, size}, &m));
            assert_int_equal(utf8_valid_prefix(m.extracted, strlen(m.extracted)), strlen(m.extracted));
        }
        Marks m;
        assert_ok(scorer_mark(o->scorer, &q, INT64_MAX, (Text){NULL, 0}, &m));
        assert_false(m.found && strcmp(TASK_NAMES[t], "bbeh_official") != 0);
        closed(o);
    }
    assert_int_equal(marked("mmlu_pro", "B", options, 2, (Text){broken, sizeof broken}).letter, 'B');
    assert_int_equal(marked("mmlu_pro", "A", options, 2, (Text){zero, sizeof zero - 1}).letter, 'A');
    assert_string_equal(marked("mmlu_pro", "A", options, 2, (Text){zero, sizeof zero - 1}).extracted, "B A");
}

// Runs of what the scripts' patterns repeat in two ways at once: Python's re needs 2^n steps.
static void no_response_hangs_a_pattern(void **state)
{
    const Text options[3] = {{"((((((((", 8}, {"b", 1}, {"", 0}};
    static const char *const begins[] = {"", "The answer is ", "Answer: ", "\\boxed{", "Final Answer:", "A x "},
                             *const units[] = {"(",   "*$",  "\\boxed{", "{", "<", "The answer is (",
                                               "B (", "\\b", "\xc2\xa0"};
    const AskedQuestion q = {span("id"), span("B"), options, 3};
    Bytes text = {0};
    Marks m;
    for (size_t t = 0; TASK_NAMES[t] != NULL; t++) {
        Opened *o = opened(TASK_NAMES[t]);
        for (size_t b = 0; b < sizeof begins / sizeof *begins; b++)
            for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
                bytes_clear(&text);
                assert_ok(bytes_text(&text, begins[b]));
                for (int i = 0; i < 100; i++)
                    assert_ok(bytes_text(&text, units[u]));
                assert_ok(scorer_mark(o->scorer, &q, 0, (Text){text.data, text.size}, &m));
            }
        closed(o);
    }
    bytes_free(&text);
    assert_int_equal(marked("supergpqa_zeroshot", "B", options, 3,
                            span("Answer: ((((((((((((((((((((((((((((((((((((("
                                 "((((((((((((((((((((( ?\nAnswer: B"))
                         .letter,
                     'B');
}

// "last" has not found the last match, if it gives up behind another one; which pattern answered instead is said.
static void a_pattern_that_gives_up_has_found_nothing_and_it_is_said(void **state)
{
    const char *items[] = {"last x([0-9])|(?:a+)+b", "first x([0-9]) "};
    OptionList alone = {items, 1, 1}, both = {items, 2, 2};
    const Text text = span("x1 x2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    int option;
    Extractor *e = extractor_open(&alone, "mine");
    assert_null(extractor_find(e, text, NULL, 0, &option).data);
    assert_true(extractor_gave_up(e));
    assert_true(texts_equal(extractor_find(e, span("x1 x2 a"), NULL, 0, &option), span("2")));
    assert_false(extractor_gave_up(e));
    extractor_close(e);
    e = extractor_open(&both, "mine");
    assert_true(texts_equal(extractor_find(e, text, NULL, 0, &option), span("1")));
    assert_true(extractor_gave_up(e));
    extractor_close(e);
    // a task's own: the pattern on the last line gives up, and the one that reads all lines answers
    const Text options[2] = {{"a", 1}, {"b", 1}};
    Bytes response = {0};
    assert_ok(bytes_text(&response, "Answer: B\nAnswer: "));
    for (int i = 0; i < 60; i++)
        assert_ok(bytes_text(&response, "("));
    Marks m = marked("supergpqa_zeroshot", "B", options, 2, (Text){response.data, response.size});
    assert_true(m.letter == 'B' && m.gave_up);
    bytes_free(&response);
}

static void a_long_response_is_read_whole(void **state)
{
    const Text options[2] = {{"a", 1}, {"b", 1}};
    Bytes text = {0};
    assert_ok(bytes_text(&text, "Final Answer: "));
    for (int i = 0; i < 40000; i++)
        assert_ok(bytes_text(&text, "lorem {ipsum} "));
    assert_ok(bytes_text(&text, "B\n"));
    assert_int_equal(marked("mmlu_pro", "B", options, 2, (Text){text.data, text.size}).letter, 'B');
    Marks m = marked("mmlu_pro_5shot", "B", options, 2, (Text){text.data, text.size});
    assert_int_equal(m.letter, 'B');
    m = marked("bbeh_official", "B", NULL, 0, (Text){text.data, text.size});
    assert_int_equal(strlen(m.extracted), EXTRACTED_BYTES - 1);
    bytes_free(&text);
}

static void a_broken_pattern_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"first (A", "mine: extract: (A: the pattern is broken near its byte 2"},
        {"anycase x", "has to begin with `first` or `last`"},
        {"first last x", "has to begin with `first` or `last`"},
        {"x", "has to begin with `first` or `last`"},
        {"first option x", "`option` and {options} go together"},
        {"first ({options})", "`option` and {options} go together"},
        {"last option ({options}", "the pattern is broken near"},
        {"last \xff", "is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *items[] = {"first dotall anycase fine", cases[i].line};
        OptionList lines = {items, 2, 2};
        assert_refused(extractor_open(&lines, "mine") != NULL, cases[i].error);
    }
}

static void the_words_of_an_extraction_mean_what_they_say(void **state)
{
    static const struct {
        const char *line, *text, *found; // NULL: nothing
    } cases[] = {
        {"first [0-9]+", "a 12 b 3", "12"},
        {"last [0-9]+", "a 12 b 3", "3"},
        {"last x*", "axx", ""},
        {"last filled (x*)$", "axx", NULL}, // the last match is empty
        {"first filled b(x*)", "b", NULL},
        {"first ending (\\w+)", "one\ntwo three\n \n", "two"},
        {"first ending anycase T(W)O", "one\ntwo", "w"},
        {"first a.b", "a\nb", NULL},
        {"first dotall a.b", "a\nb", "a\nb"},
        {"first a.b", "a\rb", "a\rb"}, // as in Python, only \n ends a line
        {"first (a)|b", "b", NULL},
        {"first b$", "b\n", "b"},
        {"first b$", "b\n\n", NULL},
        {"first \\w+", "äöü 1", "äöü"},
        {"first first x", "x first x", "first x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int option;
        const char *items[] = {cases[i].line};
        OptionList lines = {items, 1, 1};
        if (strncmp(cases[i].line, "first first", 11) == 0)
            items[0] = "first (?:)first x"; // the way to look for a word that is one of them
        Extractor *e = extractor_open(&lines, "mine");
        assert_non_null(e);
        Text found = extractor_find(e, span(cases[i].text), NULL, 0, &option);
        if (cases[i].found == NULL ? found.data != NULL
                                   : found.data == NULL || found.size != strlen(cases[i].found) ||
                                         memcmp(found.data, cases[i].found, found.size) != 0)
            fail_msg("%s finds \"%.*s\" in %s", cases[i].line, (int)found.size, found.data, cases[i].text);
        assert_int_equal(option, -1);
        extractor_close(e);
    }
}

static void numbers_are_read_as_python_reads_them(void **state)
{
    static const char *const numbers[] = {"1",          "-1.5", "+.5",       "5.",  "1e3",    "1_000.5",
                                          " 7\xc2\xa0", "InF",  "-Infinity", "nan", "1E-400", "1e999"};
    static const char *const others[] = {"",     "+",     ".",   "e1",   "1e",   "1__0", "_1",     "1_",
                                         "0x10", "1,000", "1 2", "infi", "1_.5", "--1",  "nan(1)", "a"};
    double value;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!python_float(&value, span(numbers[i])))
            fail_msg("%s is a number", numbers[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (python_float(&value, span(others[i])))
            fail_msg("%s is no number", others[i]);
    assert_true(python_float(&value, span("1_000.5")) && value == 1000.5);
    Text s = python_strip(span(" \x1c\u2003a b\xc2\x85\u3000\n"));
    assert_true(s.size == 3 && memcmp(s.data, "a b", 3) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_scored_as_the_benchmarks_scripts_do),
        cmocka_unit_test(mmlu_pros_guesses_are_those_of_its_seed_and_the_second_time_counts),
        cmocka_unit_test(categories_have_the_scores_of_the_benchmarks_scripts),
        cmocka_unit_test(a_letter_of_ten_depends_on_question_and_sample_alone),
        cmocka_unit_test(python_s_random_numbers_are_drawn_alike),
        cmocka_unit_test(the_strict_verdict_knows_no_quirks),
        cmocka_unit_test(answers_are_compared_by_meaning),
        cmocka_unit_test(any_multiple_choice_is_read_in_many_ways),
        cmocka_unit_test(a_field_may_have_several_names),
        cmocka_unit_test(broken_texts_are_scored_like_others),
        cmocka_unit_test(no_response_hangs_a_pattern),
        cmocka_unit_test(a_pattern_that_gives_up_has_found_nothing_and_it_is_said),
        cmocka_unit_test(a_long_response_is_read_whole),
        cmocka_unit_test(a_broken_pattern_is_refused_with_its_place),
        cmocka_unit_test(the_words_of_an_extraction_mean_what_they_say),
        cmocka_unit_test(numbers_are_read_as_python_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
