// Multiple choice: the many ways in which a response names an option, and those in which it names none. The rows of
// MMLU-Pro go through all of them, if present.
#include "answers/choice.h"
#include "json/json.h"
#include "rows/lines.h"
#include "system/files.h"
#include "test/support/check.h"
#include <ctype.h>
#include <string.h>
#include <time.h>

static Text span(const char *text) { return (Text){text, strlen(text)}; }

// A: 12 apples   B: 9.81 m/s^2   C: The rate increases   D: the rate decreases   E: Both of them   F: None of these
// G: 1/2
static const char ROW[] =
    "{\"options\": [\"12 apples\", \"9.81 m/s^2\", \"The rate increases\", \"the rate decreases\", "
    "\"Both of them\", \"None of these\", \"\\\\frac{1}{2}\", \"-5\", \"5\"]}";

static void expect(Verdict wanted, const char *row, const char *reference, const char *response)
{
    Finding f;
    if (!choice_finding(&f, span(row), span(reference), span(response)))
        fail_msg("reference %s is no option", reference);
    if (f.verdict != wanted || f.rule == NULL || f.kind != ANSWER_CHOICE)
        fail_msg("reference %s, response %s: %s by \"%s\", not %s", reference, response, VERDICT_NAMES[f.verdict],
                 f.rule, VERDICT_NAMES[wanted]);
}

#define EXPECT_ALL(wanted, reference, responses)                                                                       \
    for (size_t i = 0; i < sizeof(responses) / sizeof *(responses); i++)                                               \
    expect(wanted, ROW, reference, (responses)[i])

static void a_letter_is_named_in_many_ways(void **state)
{
    static const char *const right[] = {
        "C",
        "C.",
        "(C)",
        "[C]",
        "{C}",
        "(c)",
        "**C**",
        "`C`",
        "*C*",
        "\\boxed{C}",
        "\\boxed{c}",
        "\\boxed{(C)}",
        "$\\boxed{C}$",
        "\\boxed{\\text{C}}",
        "\\boxed{\\text{(C)}}",
        "\\boxed{\\mathrm{C}}",
        "\\boxed{\\textbf{C}}",
        "\\boxed{\\text{Option C}}",
        "\\boxed{\\text{Option }C}",
        "\\boxed{\\text{Answer: C}}",
        "\\boxed{\\text{The answer is } C}",
        "The answer is C",
        "The answer is (C).",
        "So the answer is: C",
        "The answer is C because the others fail.",
        "The answer is C, since A is too small.",
        "The answer is C, not D",
        "Answer: C",
        "**Answer: C**",
        "Answer: **C**",
        "Thoughts.\n\n**Answer:** C",
        "Final Answer\nC",
        "Final answer: C",
        "Therefore, the correct option is C.",
        "Therefore, the correct answer is option C.",
        "The correct choice is (C)",
        "Option C",
        "Option C is correct.",
        "After a while, it is clear. C is the best answer.",
        "I think it's C",
        "I think the answer is C.",
        "<think>A? B?</think><answer>C</answer>",
        "<answer>(C)</answer>",
        "{\"answer\": \"C\"}",
        "#### C",
        "Some words.\n\nC",
        "A is 3 and B is 4.\n\n(C)",
        "\\boxed{D}\nFinal answer: C",
        "\\boxed{C}. So the correct option is C.",
        "\\boxed{C} and again \\boxed{C}",
        "\xe7\xad\x94\xe6\xa1\x88\xef\xbc\x9a"
        "C",
        "Antwort: C",
    };
    static const char *const wrong[] = {
        "D",
        "\\boxed{D}",
        "The answer is (A).",
        "\\boxed{C}\nFinal answer: D",
        "The best is C.\n\nD",
        "The answer is D, not C",
        "option e",
    };
    static const char *const hedged[] = {
        "\\boxed{C, D}",
        "\\boxed{C \\text{ or } D}",
        "C or D",
        "C/D",
        "\\boxed{C} or \\boxed{D}",
        "The answer is A, B, C, D",
        "(C) and (D)",
        "\\boxed{\\text{The rate increases, the rate decreases}}",
    };
    static const char *const none[] = {
        "",
        "The answer is not C.",
        "\\boxed{\\text{not } C}",
        "I",
        "C is wrong",
        "The answer is C. Or maybe D.",
        "It may be C, or D is.",
        "I think that all of them are possible in some cases",
        "\\boxed{Z}",
        "A. 12 apples\nB. 9.81 m/s^2\nC. The rate increases",
        "Is it C?",
        "\\boxed{C?}",
        "A good question.",
        "C is larger than D here",
    };
    EXPECT_ALL(VERDICT_EQUAL, "C", right);
    EXPECT_ALL(VERDICT_DIFFERENT, "C", wrong);
    EXPECT_ALL(VERDICT_DIFFERENT, "C", hedged);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        Finding f;
        assert_true(choice_finding(&f, span(ROW), span("C"), span(none[i])));
        if (f.verdict == VERDICT_EQUAL)
            fail_msg("%s names C by \"%s\"", none[i], f.rule);
    }
}

static void what_follows_a_letter_is_its_text_or_explains_it(void **state)
{
    static const char *const right[] = {
        "C. The rate increases",
        "C) The rate increases",
        "(C) the rate increases.",
        "C: The rate increases",
        "C, i.e. the rate increases",
        "\\boxed{C. The rate increases}",
        "\\boxed{\\text{C. The rate increases}}",
        "\\boxed{\\textbf{(C)} The rate increases}",
        "**Answer: C. The rate increases**",
        "The answer is C \xe2\x80\x94 The rate increases",
        "The answer is C - the rate increases",
        "The answer is (C). The others can be ruled out at once.",
        "C. The rate increases, because it is warmer.",
        "The correct choice is (C) The rate increases.",
        "C. The rate increases (see above)",
        "The answer is C because V = IR.",
    };
    static const char *const unclear[] = {
        "C. the rate decreases",
        "\\boxed{C. 12 apples}",
        "\\boxed{\\textbf{(C)} Both of them}",
        "The answer is C: none of these",
        "The answer is C - 12 apples",
        "\\boxed{C. 7}",
        "The answer is C. Both of them are",
        "C. The rate",
        "The answer is C because of D or E",
        "\\boxed{C. The rate increases or the rate decreases}",
        "C. The rate increases, the rate decreases",
    };
    EXPECT_ALL(VERDICT_EQUAL, "C", right);
    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++) {
        Finding f;
        assert_true(choice_finding(&f, span(ROW), span("C"), span(unclear[i])));
        if (f.verdict == VERDICT_EQUAL)
            fail_msg("%s names C by \"%s\"", unclear[i], f.rule);
    }
    static const char formulas[] = "{\"options\": [\"1\", \"\\\\frac{E}{B}\", \"b - a\", \"25\", \"mc^2\"]}";
    expect(VERDICT_EQUAL, formulas, "B", "\\boxed{E/B}");
    expect(VERDICT_EQUAL, formulas, "C", "\\boxed{-a + b}");
    expect(VERDICT_EQUAL, formulas, "D", "\\boxed{A = 25}");
    expect(VERDICT_EQUAL, formulas, "E", "\\boxed{E = mc^2}");
    expect(VERDICT_EQUAL, ROW, "G", "\\boxed{G. 0.5}"); // its value
    expect(VERDICT_EQUAL, ROW, "H", "\\boxed{(H) -5}"); // a minus is no dash
    expect(VERDICT_EQUAL, ROW, "I", "The answer is I \xe2\x80\x94 5");
    expect(VERDICT_UNKNOWN, ROW, "I", "The answer is I: -5");
    expect(VERDICT_EQUAL, ROW, "I", "The answer is I - 5"); // a dash, though H is -5
    expect(VERDICT_UNKNOWN, ROW, "I", "The answer is I -5");
}

static void an_option_is_named_by_its_text(void **state)
{
    static const char *const right[] = {
        "The rate increases",
        "\\boxed{The rate increases}",
        "\\boxed{\\text{the rate increases}}",
        "**The rate increases.**",
        "The answer is the rate increases.",
        "The answer is the rate increases, because it is warmer.",
        "<answer>Rate increases</answer>",
        "Long thoughts of 5 m.\n\nThe rate increases",
    };
    static const char *const wrong[] = {"the rate decreases", "\\boxed{None of these}", "\\boxed{12 apples}",
                                        "\\boxed{0.5}"};
    static const char *const none[] = {"the rate", "the rate increases slowly", "13 apples", "it increases the rate",
                                       "\\boxed{7}"};
    EXPECT_ALL(VERDICT_EQUAL, "C", right);
    EXPECT_ALL(VERDICT_DIFFERENT, "C", wrong);
    EXPECT_ALL(VERDICT_UNKNOWN, "C", none);
}

static void the_reference_is_a_letter_or_a_text_or_both(void **state)
{
    static const char *const references[] = {"C",
                                             "c",
                                             "(C)",
                                             "C.",
                                             "option C",
                                             "The rate increases",
                                             "C. The rate increases",
                                             "(C) The rate increases",
                                             "\\boxed{C}",
                                             "\\text{(C)}"};
    Finding f;
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        expect(VERDICT_EQUAL, ROW, references[i], "\\boxed{C}");
        expect(VERDICT_EQUAL, ROW, references[i], "\\boxed{The rate increases}");
        expect(VERDICT_DIFFERENT, ROW, references[i], "\\boxed{D}");
    }
    assert_false(choice_finding(&f, span(ROW), span("Z"), span("Z")));
    assert_false(choice_finding(&f, span(ROW), span("C. 12 apples"), span("C")));
    assert_false(choice_finding(&f, span(ROW), span("C, D"), span("C")));
    assert_false(choice_finding(&f, span(ROW), span(""), span("")));
    assert_false(choice_finding(&f, span("{\"options\": [\"only\"]}"), span("A"), span("A")));
    assert_false(choice_finding(&f, span("{\"options\": "), span("A"), span("A")));
    assert_false(choice_finding(&f, (Text){NULL, 0}, span("A"), span("A")));
}

static void options_that_are_letters_or_twins_are_told_apart(void **state)
{
    static const char genes[] = "{\"options\": [\"B\", \"A\", \"x\", \"X\"]}",
                      twins[] = "{\"options\": [\"12 apples\", \"12 Apples\", \"3\"]}",
                      object[] = "{\"options\": {\"a\": \"x\", \"D\": \"(D) 7\"}}",
                      named[] = "{\"options\": [\"Neither\", \"Option A\"]}";
    expect(VERDICT_EQUAL, genes, "A", "\\boxed{A}"); // the label
    expect(VERDICT_EQUAL, genes, "B", "\\boxed{B. A}");
    expect(VERDICT_UNKNOWN, genes, "A", "\\boxed{A. A}");
    expect(VERDICT_EQUAL, genes, "C", "\\boxed{x}");
    expect(VERDICT_EQUAL, genes, "D", "\\boxed{X}");
    expect(VERDICT_UNKNOWN, twins, "A", "\\boxed{\\text{12 apples.}}");
    expect(VERDICT_EQUAL, twins, "A", "\\boxed{12 apples}");
    expect(VERDICT_EQUAL, twins, "A", "\\boxed{A. 12 apples}");
    expect(VERDICT_EQUAL, object, "D", "\\boxed{7}");
    expect(VERDICT_EQUAL, object, "d", "\\boxed{D) 7}");
    expect(VERDICT_EQUAL, named, "Option A", "\\boxed{Option A}");
    expect(VERDICT_EQUAL, named, "A", "\\boxed{A}");
}

static void a_finding_says_what_was_chosen(void **state)
{
    Finding f;
    assert_true(choice_finding(&f, span(ROW), span("C"), span("I say \\boxed{D}")));
    assert_string_equal(f.reference, "C");
    assert_string_equal(f.answer, "D");
    assert_true(choice_finding(&f, span(ROW), span("C"), span("\\boxed{the rate increases}")));
    assert_string_equal(f.answer, "The rate increases");
    assert_true(choice_finding(&f, span(ROW), span("C"), span("\\boxed{C, D}")));
    assert_string_equal(f.answer, "");
    assert_string_equal(f.rule, "several options");
}

static void letters_are_read_without_options(void **state)
{
    static const struct {
        const char *text;
        char letter;
    } references[] = {{"B", 'B'},           {"(B)", 'B'}, {"(b)", 'B'}, {"B)", 'B'},  {"B.", 'B'}, {"\\text{(E)}", 'E'},
                      {"\\textbf{C}", 'C'}, {"(k)", 'K'}, {"x", 0},     {"K", 0},     {"b", 0},    {"AB", 0},
                      {"B, C", 0},          {"5", 0},     {"", 0},      {"B = 5", 0}, {"A cat", 0}},
      responses[] = {{"A. carbon", 'A'},
                     {"(b) Gamma", 'B'},
                     {"\\text{C) increases}", 'C'},
                     {"The best answer is A) mitosis.", 'A'},
                     {"\\boxed{A. 12 apples}", 'A'},
                     {"**B**", 'B'},
                     {"Antwort: C", 'C'},
                     {"<answer>B</answer>", 'B'},
                     {"\\boxed{\\textbf{(A) } 12}", 'A'},
                     {"We get \\boxed{7}, which is option D.\n\nAnswer: D", 'D'},
                     {"D", 'D'},
                     {"A carbon atom", 0},
                     {"\\boxed{A, B}", 0},
                     {"\\boxed{A} or \\boxed{B}", 0},
                     {"I think so", 0},
                     {"12", 0},
                     {"", 0},
                     {"The answer is A or B", 0}};
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        char letter = 0;
        bool is = choice_letter(span(references[i].text), &letter);
        if (is != (references[i].letter != 0) || (is && letter != references[i].letter))
            fail_msg("reference %s: %c", references[i].text, is ? letter : '0');
    }
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        char letter = 0;
        bool is = choice_letter_said(span(responses[i].text), &letter);
        if (is != (responses[i].letter != 0) || (is && letter != responses[i].letter))
            fail_msg("response %s: %c", responses[i].text, is ? letter : '0');
    }
}

static void long_responses_take_no_time(void **state)
{
    static const char *const parts[] = {
        "\\boxed{",    "A. ", "A, ",    "(",  "The answer is ",       "Answer: A\n", "C or ",
        "\\boxed{C} ", "{",   "not C ", "\n", "The rate increases, ", "<answer>",    "C. The rate increases\n"};
    enum { SIZE = 100000 };
    static char text[SIZE];
    clock_t begin = clock();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = strlen(parts[i]);
        for (size_t k = 0; k < SIZE; k++)
            text[k] = parts[i][k % n];
        Finding f;
        assert_true(choice_finding(&f, span(ROW), span("C"), (Text){text, SIZE}));
    }
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC); // each takes some tens of milliseconds
}

// ---- real options

// @W: the right letter, @w: in lower case; @V: another's; @T: the right text, @U: the other's
typedef struct Form {
    const char *reference, *response;
    bool right;
} Form;

static const Form forms[] = {
    {"@W", "\\boxed{@W}", true},
    {"@W", "\\boxed{@V}", false},
    {"@W", "\\boxed{(@W)}", true},
    {"@W", "\\boxed{@T}", true},
    {"@W", "\\boxed{\\text{@T}}", true},
    {"@W", "\\boxed{@U}", false},
    {"@W", "\\boxed{@W. @T}", true},
    {"@W", "\\boxed{@W: @T}", true},
    {"@W", "\\boxed{\\text{@W. @T}}", true},
    {"@W", "\\boxed{\\textbf{(@W)} @T}", true},
    {"@W", "\\boxed{\\text{(@W)}}", true},
    {"@W", "\\boxed{@W. @U}", false},
    {"@W", "Some thoughts. The answer is (@W).", true},
    {"@W", "Some thoughts. The answer is @W", true},
    {"@W", "Some thoughts.\n\nAnswer: @W", true},
    {"@W", "Some thoughts.\n\n**Answer: @W**", true},
    {"@W", "Some thoughts.\n\n**Answer: @W. @T**", true},
    {"@W", "Some thoughts.\n\nAnswer: @W) @T", true},
    {"@W", "Therefore, the correct option is @W.", true},
    {"@W", "Therefore, the correct answer is option @W.", true},
    {"@W", "\\boxed{\\text{Option } @W}", true},
    {"@W", "@W", true},
    {"@W", "@W.", true},
    {"@W", "(@W) @T", true},
    {"@W", "Long reasoning about numbers 5.\n\n@W", true},
    {"@W", "\\boxed{@w}", true},
    {"@W", "<think>x</think><answer>@W</answer>", true},
    {"@W", "\\boxed{@W, @V}", false},
    {"@W", "\\boxed{@W \\text{ or } @V}", false},
    {"@W", "\\boxed{@V} or \\boxed{@W}", false},
    {"@W", "\\boxed{@W}\nFinal answer: @V", false},
    {"@W", "\\boxed{@V}\nFinal answer: @W", true},
    {"@W", "The answer is @W because others fail.", true},
    {"@W", "The answer is @W, since the others fail.", true},
    {"@W", "The answer is @W \xe2\x80\x94 @T", true},
    {"@W", "The answer is @W - @T", true},
    {"@T", "\\boxed{@W}", true},
    {"@T", "\\boxed{@T}", true},
    {"(@W) @T", "\\boxed{@W}", true},
    {"@T", "\\boxed{@V}", false},
    {"@W", "Therefore the correct choice is (@W) @T.", true},
    {"@W", "The answer is @W, i.e. @T", true},
    {"@W", "The answer is @T.", true},
    {"@W", "**@T**", true},
    {"@W", "@T", true},
    {"@W", "@U", false},
    {"@W", "\\boxed{(@W) @U}", false},
    {"@W", "\\boxed{@W/@V}", false},
    {"@W", "The answer is @W. @U", false},
    {"@W", "Answer: @V. @T", false},
    {"@W", "\\boxed{@T or @U}", false},
    {"@W", "\\boxed{@T, @U}", false},
    {"@W", "The answer is not @W.", false},
    {"@W", "<answer>@W. @T</answer>", true},
    {"@W", "The answer is @W. The others can be ruled out.", true},
};
enum { FORMS = sizeof forms / sizeof *forms };

typedef struct Question {
    const char *texts[2]; // of the right option, and of another
    char letters[2];
} Question;

static void fill(Bytes *out, const char *form, const Question *q)
{
    bytes_clear(out);
    for (; *form != 0; form++) {
        char what = *form == '@' ? *++form : 0;
        const char right = q->letters[0], small = (char)tolower((unsigned char)right);
        if (what == 'T' || what == 'U')
            assert_ok(bytes_text(out, q->texts[what == 'U']));
        else
            assert_ok(bytes_append(out,
                                   what == 0     ? form
                                   : what == 'V' ? &q->letters[1]
                                   : what == 'w' ? &small
                                                 : &right,
                                   1));
    }
}

static bool read_question(Question *q, json_t *root, int64_t number)
{
    json_t *options = json_object_get(root, "options");
    const char *answer = json_string_value(json_object_get(root, "answer"));
    size_t count = json_array_size(options);
    if (count < 3 || answer == NULL)
        return false;
    size_t right = (size_t)(answer[0] - 'A'), other = (right + 1 + (size_t)number % (count - 1)) % count;
    *q = (Question){
        {json_string_value(json_array_get(options, right)), json_string_value(json_array_get(options, other))},
        {answer[0], (char)('A' + other)}};
    return true;
}

static void real_options_are_named_in_all_these_ways(void **state)
{
    static const char path[] = "../shared/data/bench/mmlu_pro/test.jsonl";
    int64_t every = is_long() ? 1 : 16, count = 0, bad[FORMS] = {0};
    LineReader lines;
    Bytes reference = {0}, response = {0};
    if (!file_exists(path)) {
        print_message("skipped: no ../shared/data\n");
        return;
    }
    assert_ok(lines_open(&lines, path));
    for (int64_t number = 0;; number++) {
        const char *text;
        size_t size;
        Question q;
        assert_ok(lines_next(&lines, &text, &size));
        if (text == NULL)
            break;
        json_t *root = number % every == 0 ? json_loadb(text, size, 0, NULL) : NULL;
        for (int i = 0; root != NULL && read_question(&q, root, number) && i < FORMS; i++) {
            Finding f = {.verdict = VERDICT_UNKNOWN};
            fill(&reference, forms[i].reference, &q);
            fill(&response, forms[i].response, &q);
            choice_finding(&f, (Text){text, size}, (Text){reference.data, reference.size},
                           (Text){response.data, response.size});
            bad[i] += (f.verdict == VERDICT_EQUAL) != forms[i].right;
            count += i == 0;
        }
        json_decref(root);
    }
    lines_close(&lines);
    bytes_free(&reference);
    bytes_free(&response);
    assert_true(count > 700);
    for (int i = 0; i < FORMS; i++) // a wrong one in 1,000 may be right: two options that say the same
        if ((double)bad[i] > (forms[i].right ? 0.01 : 0.001) * (double)count)
            fail_msg("%s, %s: %d of %d are read wrongly", forms[i].reference, forms[i].response, (int)bad[i],
                     (int)count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_named_in_many_ways),
        cmocka_unit_test(what_follows_a_letter_is_its_text_or_explains_it),
        cmocka_unit_test(an_option_is_named_by_its_text),
        cmocka_unit_test(the_reference_is_a_letter_or_a_text_or_both),
        cmocka_unit_test(options_that_are_letters_or_twins_are_told_apart),
        cmocka_unit_test(a_finding_says_what_was_chosen),
        cmocka_unit_test(letters_are_read_without_options),
        cmocka_unit_test(long_responses_take_no_time),
        cmocka_unit_test(real_options_are_named_in_all_these_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
