// Answers: equal in any notation, and told apart. Real answers are in test_answers_data.c.
#include "test/support/check.h"
#include "answers/verify.h"

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static void expect(Verdict wanted, const char *gold, const char *prediction)
{
    Verdict v = verify(span(gold), span(prediction));
    if (v != wanted)
        fail_msg("gold %s, prediction %s: %d instead of %d", gold, prediction, v, wanted);
}

typedef struct Pair {
    const char *gold, *prediction;
} Pair;

static void expect_all(Verdict wanted, const Pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(wanted, pairs[i].gold, pairs[i].prediction);
}

#define EXPECT_ALL(wanted, pairs) expect_all(wanted, pairs, sizeof(pairs) / sizeof *(pairs))

static Verdict verdict_with_row(const char *row, const char *gold, const char *prediction)
{
    Finding f;
    verify_finding(&f, (Text){row, strlen(row)}, (Text){gold, strlen(gold)}, (Text){prediction, strlen(prediction)});
    return f.verdict;
}

static void powers_of_ten_are_numbers_where_they_can_be_no_codes(void **state)
{
    static const Pair equal[] = {{"700000", "7e5"},  {"700000", "7E5"},   {"700000", "\\boxed{7e+5}"},
                                 {"7e+5", "700000"}, {"7E+05", "700000"}, {"7e5", "700000.0e0"},
                                 {"7e5", "7E5"},     {"0.0007", "7e-4"}},
                      different[] = {{"700000", "7e6"}, {"7E+05", "700001"}},
                      unknown[] = {{"7e5", "700000"}, {"7E5", "8"}}; // it may be a code
    EXPECT_ALL(VERDICT_EQUAL, equal);
    EXPECT_ALL(VERDICT_DIFFERENT, different);
    EXPECT_ALL(VERDICT_UNKNOWN, unknown);
    static const char *const numbers[] = {"{\"answer\": 7e5}", "{\"answer\":[7e5], \"x\": NaN}"},
                             *const others[] = {"{\"answer\": \"7e5\"}", "{\"gold\": 7e5}", "no JSON", ""};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(verdict_with_row(numbers[i], "7e5", "700000"), VERDICT_EQUAL);
        assert_int_equal(verdict_with_row(numbers[i], "7e5", "so \\boxed{700,000}"), VERDICT_EQUAL);
        assert_int_equal(verdict_with_row(numbers[i], "7e5", "70000"), VERDICT_DIFFERENT);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(verdict_with_row(others[i], "7e5", "700000"), VERDICT_UNKNOWN);
}

static void signs_alone_are_no_answer(void **state)
{
    static const char *const signs[] = {"{",     "}",   "\\boxed{-}", "The answer is ( ).", "[[", "#### ...",
                                        "$\\{$", "---", "= ="},
                             *const references[] = {
                                 "17",     "3.5 kg", "x^2 + 1", "y = 4x",
                                 "1, 5",   "(2, 8)", "\\infty", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}",
                                 "C6H12O6"};
    for (size_t r = 0; r < sizeof references / sizeof *references; r++)
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            expect(VERDICT_DIFFERENT, references[r], signs[i]);
    static const Pair unknown[] = {{"A \\cap B = \\emptyset", "{}"}, {"Paris", "--"}, {"<", ">"}},
                      equal[] = {{"\\emptyset", "{}"}, {"no solution", "\\{\\}"}, {"-", "-"}};
    EXPECT_ALL(VERDICT_UNKNOWN, unknown);
    EXPECT_ALL(VERDICT_EQUAL, equal);
}

static void numbers_are_equal_however_they_are_written(void **state)
{
    static const Pair equal[] = {
        {"1/2", "0.5"},
        {"1/2", "\\frac12"},
        {"\\dfrac{1}{2}", ".5"},
        {"1{,}234", "1,234"},
        {"12,345,678", "12345678"},
        {"1 000", "1000"},
        {"3\\frac{1}{2}", "7/2"},
        {"3 1/2", "3.5"},
        {"1.5e3", "1500"},
        {"6.02 \\times 10^{23}", "6.02e23"},
        {"\\$10", "10"},
        {"-3", "\xe2\x88\x92"
               "3"},
        {"10", "10\\text{ units}"},
        {"5 cm", "5\\text{ cm}"},
        {"-5 cm", "-5"},
        {"203_7", "203"},
        {"203_7", "203_{7}"},
        {"5 miles/hour", "5 \\text{ miles}/\\text{hour}"},
        {"15\\mbox{ cm}^2", "15 cm^2"},
        {"1 mile", "1 miles"},
        {"45^\\circ", "45"},
        {"20\\%", "20"},
        {"20\\%", "0.2"},
        {"28\\%", "28 percent"},
        {"2\\sqrt{3}", "\\sqrt{12}"},
        {"\\frac{1}{\\sqrt 2}", "\\frac{\\sqrt{2}}{2}"},
        {"\\sqrt[3]{8}", "2"},
        {"5!", "120"},
        {"\\binom{5}{2}", "10"},
        {"2^{10}", "1024"},
        {"\\pi/2", "\\frac{\\pi}{2}"},
        {"-1", "e^{i\\pi}"},
        {"\\sin 30^\\circ", "1/2"},
        {"\\log_2 8", "3"},
        {"|3-5|", "2"},
        {"8/3", "2.6667"},
        {"\\frac{22}{7}", "3.143"},
        {"\\lfloor 7/2 \\rfloor", "3"},
        {"0.1", ".10"},
        {"8.24", "\\approx 8.24"},
    };
    static const Pair different[] = {
        {"1/2", "1/3"},
        {"10", "-10"},
        {"1000", "1,001"},
        {"0.5", "0.49"},
        {"\\frac{1}{3}", "0.3"},
        {"3.15", "3.14159"},
        {"12345", "12346"},
        {"5 cm", "5 kg"},
        {"20\\%", "2"},
        {"2\\sqrt{3}", "3\\sqrt{2}"},
        {"0.001", "0.00"},
        {"2^{10}", "2^{11}"},
        {"5!", "5"},
        {"32349", "32, 349"},
        {"100000000000000000000", "100000000000000000001"},
        {"1000", "1000.4"},
        {"80\\%", "80^\\circ"},
        {"10 edges", "10\\%"},
        {"203_7", "203_8"},
        {"5 cm^2", "5 kg^2"},
        {"5 cm^2", "5 cm^3"},
        {"5 miles/hour", "5 meters/hour"},
    };
    EXPECT_ALL(VERDICT_EQUAL, equal);
    EXPECT_ALL(VERDICT_DIFFERENT, different);
}

static void expressions_are_equal_where_their_values_are(void **state)
{
    static const Pair equal[] = {
        {"(x-2)(x+2)", "x^2-4"},
        {"x(y+z)", "xy + xz"},
        {"\\frac{x+1}{2}", "\\frac{x}{2}+\\frac12"},
        {"\\tan^2 y + 1", "\\sec^2 y"},
        {"2 \\sin a \\cos a", "\\sin(2a)"},
        {"(a+b)^3", "a^3+3a^2b+3ab^2+b^3"},
        {"x^{1/3}", "\\sqrt[3]{x}"},
        {"2-2p", "2(1-p)"},
        {"x_1 + x_2", "x_{2}+x_{1}"},
        {"n!/n", "n!/n"},
    };
    static const Pair different[] = {
        {"x^2 + 2x - 1", "(x+1)^2"},
        {"(a+5)(b+2)", "(+5)(b+2)"},
        {"x", "|x|"},
        {"x+y", "x-y"},
        {"\\sqrt{x^2}", "x"},
        {"x_1", "x_2"},
    };
    EXPECT_ALL(VERDICT_EQUAL, equal);
    EXPECT_ALL(VERDICT_DIFFERENT, different);
    static const Pair for_some[] = {
        // the same for whole numbers only, or for others only, or up to a period
        {"(-1)^n", "\\cos(n \\pi)"},
        {"\\lceil n/2 \\rceil", "\\lfloor (n+1)/2 \\rfloor"},
        {"\\lceil x \\rceil", "\\lfloor x \\rfloor + 1"},
        {"\\arcsin(\\sin x)", "x"},
    };
    EXPECT_ALL(VERDICT_UNKNOWN, for_some);
    expect(VERDICT_DIFFERENT, "(-1)^n", "(-1)^{n+1}");
    expect(VERDICT_EQUAL, "\\lceil n/2 \\rceil", "-\\lfloor -n/2 \\rfloor");
}

static void relations_sets_and_structures_are_compared_by_what_they_say(void **state)
{
    static const Pair equal[] = {
        {"x=3", "3"},
        {"3", "x = 3"},
        {"x - (y+2) = 0", "x = y + 2"},
        {"2x+4y-3=0", "y=-\\frac12 x+\\frac34"},
        {"x \\ge 5", "5 \\le x"},
        {"x > 2", "(2, \\infty)"},
        {"-2 \\le x \\le 7", "x \\in [-2,7]"},
        {"0<f(x)<1", "(0,1)"},
        {"x < 3", "-x > -3"},
        {"1, 2, 3", "3, 2, 1"},
        {"\\{1, 2\\}", "2, 1"},
        {"1 \\text{ and } 2", "2, 1"},
        {"\\pm 3", "3, -3"},
        {"2 \\pm \\sqrt 3", "2+\\sqrt3, 2-\\sqrt3"},
        {"(1, 9/2)", "(1, 4.5)"},
        {"(p,q)=(3,2)", "(3,2)"},
        {"[0,1) \\cup (2,3]", "(2,3] \\cup [0,1)"},
        {"x=1 or x=2", "1, 2"},
        {"\\begin{pmatrix} 1 & 1/2 \\\\ 0 & 1 \\end{pmatrix}", "\\begin{bmatrix}1&0.5\\\\0&1\\end{bmatrix}"},
        {"7:32", "S:T = 7:32"},
        {"x \\ne 5", "x != 5"},
    };
    static const Pair different[] = {
        {"x \\ge 5", "x \\le 5"},
        {"x > 5", "x \\ge 5"},
        {"[0,1)", "(0,1)"},
        {"(1,2)", "(2,1)"},
        {"1, 2", "1, 2, 3"},
        {"x=3", "4"},
        {"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "\\begin{pmatrix} 1 & 2 \\\\ 3 & 5 \\end{pmatrix}"},
        {"12:00", "11:00"},
        {"(1,2,3)", "(1,2)"},
        {"[0,1) \\cup (2,3]", "[0,1) \\cup (2,3)"},
        {"1, 1", "1, 2"},
    };
    EXPECT_ALL(VERDICT_EQUAL, equal);
    EXPECT_ALL(VERDICT_DIFFERENT, different);
    expect(VERDICT_UNKNOWN, "11a+c", "11a+b");                             // by another letter
    expect(VERDICT_UNKNOWN, "x + y - z + 2 = 0", "5x - 7y + 11z + 4 = 0"); // one may be what follows from the other
    expect(VERDICT_UNKNOWN, "7 = 11a+c", "11a+c");
}

static void formulas_of_logic_and_sets_are_compared_by_their_truth_tables(void **state)
{
    static const Pair equal[] = {
        {"A \\cup B", "B \u222a A"},
        {"\u00acp \u2228 q", "\\neg (p \\land \\neg q)"},
        {"(K \u2228 L) \u2283 ~M", "(K \\lor L) \\to \\lnot M"},
        {"(A \\cap B)'", "A' \\cup B'"},
        {"\u2203x(Fx \u2022 Gx)", "\\exists x (Fx \\land Gx)"},
        {"P \u2227 (Q \u2228 R)", "(P & Q) \u2228 (P & R)"},
    };
    static const Pair different[] = {
        {"p \\to q", "q \\to p"},
        {"K \u2283 (L \u2022 ~M)", "K \u2283 (L \u2022 M)"},
        {"A \\setminus B", "B \\setminus A"},
        {"\\neg (p \\land q)", "\\neg p \\land q"},
    };
    static const Pair unknown[] = {
        {"\u2200x(Fx \u2283 Gx)", "\u2200x(Gx \u2283 Fx)"}, // individuals
        {"p \\lor q \\land r", "p \\land r \\lor q"},       // without brackets
    };
    EXPECT_ALL(VERDICT_EQUAL, equal);
    EXPECT_ALL(VERDICT_DIFFERENT, different);
    EXPECT_ALL(VERDICT_UNKNOWN, unknown);
}

static void words_and_choices_are_compared_as_such(void **state)
{
    static const Pair equal[] = {
        {"C", "(C)"},    {"\\text{(C)}", "C"},     {"\\textbf{A}", "A"}, {"\\text{Evelyn}", "evelyn"},
        {"true", "Yes"}, {"\\text{Even}", "even"},
    };
    static const Pair different[] = {{"B", "A"}, {"true", "false"}, {"yes", "No"}};
    static const Pair unknown[] = {
        {"Evelyn", "Debra"}, {"listen", "silent"}, {"dog bites man", "man bites dog"}, {"20 units", "20^\\circ"}};
    EXPECT_ALL(VERDICT_EQUAL, equal);
    EXPECT_ALL(VERDICT_DIFFERENT, different);
    EXPECT_ALL(VERDICT_UNKNOWN, unknown); // other words may mean the same
}

static void an_answer_is_found_where_a_response_says_it(void **state)
{
    static const char *const responses[][2] = {
        {"So \\boxed{3} is what I thought at first, and \\boxed{42} right.", "42"},
        {"<think>\\boxed{42}</think> It is \\boxed{43}.", "43"},
        {"Work.\n#### 17", "17"},
        {"The roots are \\boxed{-2} and \\boxed{1}.", "-2, 1"},
        {"\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"},
        {"It was \\boxed{200}. Final Answer: The final answer is $10,455$. I hope it is correct.", "10,455"},
        {"We find that the shortest one of them has a length of 7 after all", "7"},
        {"so the answer is: $x^2$", "x^2"},
        {"3+2", "3+2"},
        {"", ""},
        {"I do not know what to say about all of this", ""},
    };
    char text[256];
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        Text a = response_answer(span(responses[i][0]), text, sizeof text);
        if (a.size != strlen(responses[i][1]))
            fail_msg("%s: %.*s", responses[i][0], (int)a.size, a.data);
        assert_memory_equal(a.size > 0 ? a.data : "", responses[i][1], a.size);
    }
}

static void what_is_not_understood_is_not_called_different(void **state)
{
    expect(VERDICT_UNKNOWN, "10cd", "10"); // of base 16
    expect(VERDICT_UNKNOWN, "\\int_0^1 f(x) dx", "\\sum_{k=1}^n k");
    expect(VERDICT_EQUAL, "\\int_0^1 f(x) dx", "\\int_0^1 f(x)dx");
    expect(VERDICT_UNKNOWN, "\\int_0^1 f(x) dx", "\\int_0^1 -f(x) dx");
    expect(VERDICT_UNKNOWN, "\\int_0^1 f(x) dx <= 3", "3");
    assert_int_equal(verify((Text){"a\0b", 3}, (Text){"a\0c", 3}), VERDICT_UNKNOWN);
    assert_false(answer_comparable((Text){NULL, 0}, span("\\int_0^1 f(x) dx")));
    assert_true(answer_comparable((Text){NULL, 0}, span("\\frac{1}{2}")));
}

static void repeat(char *out, const char *text, int times)
{
    size_t n = strlen(text);
    for (int i = 0; i < times; i++)
        memcpy(out + (size_t)i * n, text, n + 1);
}

static void work_and_depth_have_limits(void **state)
{
    static char a[100000], b[100000];
    repeat(a, "(", 30000);
    strcat(a, "1");
    expect(VERDICT_UNKNOWN, "1", a);
    repeat(a, "9^{", 900);
    expect(VERDICT_UNKNOWN, "1", a);
    expect(VERDICT_UNKNOWN, "9^{9^{9^{9}}}", "9^{9^{9^{8}}}");
    expect(VERDICT_UNKNOWN, "1000000!", "1000001!");
    repeat(a, "\\sin(x)+", 120);
    repeat(b, "\\sin(y)+", 120);
    strcat(a, "1"), strcat(b, "1");
    expect(VERDICT_UNKNOWN, a, b);     // by another letter
    repeat(a, "\\tan^{3}(x+y)+", 511); // too many tokens, so that only the spelling is left: all of it
    repeat(b, "\\tan^{3}(x+y)+", 511);
    strcat(a, "1"), strcat(b, "2");
    expect(VERDICT_UNKNOWN, a, b);
    memset(a, '7', 9000), memset(b, '7', 9000); // longer than a formula may be: no beginning of it stands for all
    a[9000] = b[9000] = 0, b[8999] = '8';
    expect(VERDICT_UNKNOWN, a, b);
    expect(VERDICT_EQUAL, a, a);
    repeat(a, "1,", 400);
    expect(VERDICT_UNKNOWN, "1, 2", a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_ten_are_numbers_where_they_can_be_no_codes),
        cmocka_unit_test(signs_alone_are_no_answer),
        cmocka_unit_test(numbers_are_equal_however_they_are_written),
        cmocka_unit_test(expressions_are_equal_where_their_values_are),
        cmocka_unit_test(relations_sets_and_structures_are_compared_by_what_they_say),
        cmocka_unit_test(formulas_of_logic_and_sets_are_compared_by_their_truth_tables),
        cmocka_unit_test(words_and_choices_are_compared_as_such),
        cmocka_unit_test(an_answer_is_found_where_a_response_says_it),
        cmocka_unit_test(what_is_not_understood_is_not_called_different),
        cmocka_unit_test(work_and_depth_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
