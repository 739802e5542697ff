// Words: which texts are the same words, which mean the same, and which no rule decides.
#include "answers/verify.h"
#include "answers/words/words.h"
#include "test/support/check.h"
#include <string.h>
#include <time.h>

static Text span(const char *text) { return (Text){text, strlen(text)}; }

typedef struct Pair {
    const char *reference, *answer;
} Pair;

#define COUNT(pairs) (sizeof(pairs) / sizeof *(pairs))

static void expect_same(bool wanted, const Pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (words_same(span(pairs[i].reference), span(pairs[i].answer)) != wanted ||
            words_same(span(pairs[i].answer), span(pairs[i].reference)) != wanted)
            fail_msg("%s and %s: %s", pairs[i].reference, pairs[i].answer,
                     wanted ? "are the same words" : "are not the same words");
}

static void expect(Verdict wanted, const Pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *rule = NULL;
        Verdict v = words_compare(span(pairs[i].reference), span(pairs[i].answer), &rule);
        if (v != wanted || rule == NULL)
            fail_msg("reference %s, answer %s: %s by \"%s\", not %s", pairs[i].reference, pairs[i].answer,
                     VERDICT_NAMES[v], rule, VERDICT_NAMES[wanted]);
    }
}

static void what_only_dresses_a_text_does_not_count(void **state)
{
    static const Pair same[] = {
        {"sodium chloride", "\\text{sodium chloride}"},
        {"sodium chloride", "$\\text{sodium chloride}$"},
        {"sodium chloride", "\\(\\mathrm{sodium\\ chloride}\\)"},
        {"sodium chloride", "\\text{sodium } \\textbf{chloride}."},
        {"an acid", "Acid"},
        {"5 cm", "** 5 cm **"},
        {"sodium chloride", "sodium\nchloride"},
        {"sodium chloride", "**Sodium chloride**"},
        {"sodium chloride", "*sodium chloride*"},
        {"sodium chloride", "_sodium_ chloride"},
        {"sodium chloride", "`sodium chloride`"},
        {"sodium chloride", "\"sodium chloride\""},
        {"sodium chloride", "\xe2\x80\x9csodium chloride\xe2\x80\x9d"},
        {"sodium chloride", "sodium\xc2\xa0"
                            "chl\xe2\x80\x8boride"},
        {"sodium chloride", "sodium~chloride"},
        {"'yes'", "yes"},
        {"caf\xc3\xa9", "cafe\xcc\x81"},
        {"don't know", "don\xe2\x80\x99t know"},
        {"a square", "square"},
        {"a square", "The square"},
        {"Milk, eggs and bread.", "milk, eggs and bread"},
        {"red green blue", "red, green, blue"},
        {"U.S. law", "US law"},
        {"H_2O", "H\xe2\x82\x82O"},
        {"CO\xe2\x82\x82", "CO2"},
        {"10\xe2\x81\xbb\xe2\x81\xb6 m", "10^{-6} m"},
        {"5 \xce\xbcm", "5 \\mu m"},
        {"\\alpha\\beta", "\xce\xb1\xce\xb2"},
        {"90\xc2\xb0", "90^{\\circ}"},
        {"90\xc2\xb0", "90^\\circ"},
        {"a \xe2\x86\x92 b", "a -> b"},
        {"\\{1\\}", "{1}"},
        {"$5", "\\$5"},
        {"$5$ apples", "5 apples"},
        {"\\textcolor{red}{glucose}", "glucose"},
        {"\\sin x", "sin x"},
    };
    static const Pair other[] = {
        {"1,000", "1000"},
        {"10.5", "105"},
        {"1.5", "15"},
        {"-5", "5"},
        {"~A", "A"},
        {"\xc2\xac"
         "A",
         "A"},
        {"\xc2\xb1"
         "5",
         "5"},
        {"5%", "5"},
        {"$5", "5"},
        {"$5", "\xe2\x82\xac"
               "5"},
        {"2^3", "23"},
        {"2\xc2\xb3", "23"},
        {"101\xe2\x82\x82", "1012"},
        {"f'", "f"},
        {"5!", "5"},
        {"2, b", "2b"},
        {"x, y", "xy"},
        {"x-y", "xy"},
        {"x-y", "x y"},
        {"a*b", "ab"},
        {"2**3", "23"},
        {"3:4", "34"},
        {"A \xe2\x8a\x83 B", "A \xe2\x88\xa8 B"},
        {"|x|", "x"},
        {"(1, 2]", "(1, 2)"},
        {"H_2", "H_3"},
        {"\\frac12", "12"},
        {"\\alpha", "\\beta"},
        {"$5 and $10", "5 and 10"},
        {"", ""},
        {"", "a"},
        {"!", "!!"},
        {"\\text{}", ""},
        {"yes", ""},
    };
    expect_same(true, same, COUNT(same));
    expect_same(false, other, COUNT(other));
}

static void words_keep_their_order_and_their_ends(void **state)
{
    static const Pair same[] = {
        {"not-for-profit", "notforprofit"},      {"not-for-profit", "not for profit"},
        {"Not-for-Profit", "not-for-profit"},    {"well-known", "Well known"},
        {"well\xe2\x80\x93known", "well-known"}, {"e-mail", "email"},
    };
    static const Pair other[] = {
        {"no where", "nowhere"},
        {"man bites dog", "dog bites man"},
        {"increase, decrease", "decrease, increase"},
        {"apple banana", "banana apple"},
        {"tyr-ala-met", "tyr-met-ala"},
        {"stage 1", "stage"},
        {"stage 1", "stage 2"},
        {"stage", "stages"},
        {"dog", "god"},
        {"black bird", "blackbird"},
        {"2-butanol", "1-butanol"},
        {"Carbon-14", "Carbon-12"},
        {"vitamin a", "vitamin"},
        {"vitamin A deficiency", "vitamin deficiency"},
        {"A wins", "wins"},
        {"A minor", "minor"},
        {"a or b", "or b"},
        {"A", "the"},
        {"a ab", "ab"},
        {"1 2\n3 4", "1 2 3 4"},
        {"['Hi!', 'Hi!']", "['Hi!Hi!']"},
    };
    expect_same(true, same, COUNT(same));
    expect_same(false, other, COUNT(other));
}

static void capitals_of_english_do_not_count_and_those_of_names_do(void **state)
{
    static const Pair same[] = {
        {"glucose", "Glucose"},
        {"glucose", "GLUCOSE"},
        {"Glucose", "GLUCOSE"},
        {"Bing Crosby", "bing crosby"},
        {"X-linked recessive", "x-linked recessive"},
        {"Go north", "go north"},
        {"The Lord of the Rings", "the lord Of The rings"},
        {"yes", "YES"},
        {"No", "NO"},
        {"\xc3\x89"
         "cole",
         "\xc3\xa9"
         "cole"},
    };
    static const Pair other[] = {
        {"mW", "MW"},
        {"Aa", "AA"},
        {"AaBb", "aaBb"},
        {"Aabb", "aabb"},
        {"AABB", "aabb"},
        {"Lhf", "lHf"},
        {"Co", "CO"},
        {"Ca", "CA"},
        {"MB", "mb"},
        {"x", "X"},
        {"N", "n"},
        {"pH", "PH"},
        {"DNA", "dna"},
        {"ABCD", "abcd"},
        {"5 mW", "5 MW"},
        {"5 Pa", "5 pA"},
        {"PQRS", "pqrs"},
        {"N electrons", "n electrons"},
        {"\\delta", "\\Delta"},
    };
    expect_same(true, same, COUNT(same));
    expect_same(false, other, COUNT(other));
}

static void words_may_say_a_number(void **state)
{
    static const Pair equal[] = {
        {"five", "5"},
        {"5", "five"},
        {"\\text{thirteen}", "13"},
        {"-3", "minus 3"},
        {"-3", "negative three"},
        {"minus three", "negative three"},
        {"21", "twenty-one"},
        {"Twenty one", "21"},
        {"105", "one hundred and five"},
        {"100", "a hundred"},
        {"12,345", "twelve thousand three hundred forty-five"},
        {"1,000,000", "one million"},
        {"999999999", "nine hundred ninety-nine million nine hundred ninety-nine thousand nine hundred ninety-nine"},
        {"zero", "0"},
        {"five apples", "5 apples"},
        {"three times", "3 times"},
        {"5000", "5 thousand"},
    };
    static const Pair different[] = {
        {"five", "6"}, {"-3", "three"}, {"twenty", "two"}, {"105", "one hundred five thousand"}, {"zero", "one"},
    };
    static const Pair unknown[] = {
        {"half", "0.5"},    {"five", "5.0"},         {"five apples", "5 pears"}, {"5", "6"},
        {"ten five", "15"}, {"twenty twenty", "40"}, {"five", "5 apples"},       {"one, two", "3"},
        {"5", "-five-"},    {"1234,567", "twelve"},  {"thousand", "1000"},       {"one", "won"},
    };
    expect(VERDICT_EQUAL, equal, COUNT(equal));
    expect(VERDICT_DIFFERENT, different, COUNT(different));
    expect(VERDICT_UNKNOWN, unknown, COUNT(unknown));
    int64_t value = 0;
    assert_true(words_number(span("minus twenty-one"), &value) && value == -21);
    assert_true(words_number(span("1,000"), &value) && value == 1000);
    assert_false(words_number(span("five apples"), &value));
    assert_false(words_number(span("1,00"), &value));
    assert_false(words_number(span("1234,567"), &value));
    assert_false(words_number(span(""), &value));
}

static void phrases_of_one_line_are_one(void **state)
{
    static const Pair equal[] = {
        {"undefined", "does not exist"},
        {"undefined", "DNE"},
        {"\\text{DNE}", "The limit does not exist."},
        {"no solution", "\\emptyset"},
        {"No solutions", "\\varnothing"},
        {"\\{\\}", "\\emptyset"},
        {"\\emptyset", "the empty set"},
        {"infinitely many", "infinite"},
        {"infinitely many solutions", "Infinitely many"},
        {"\\infty", "Infinity"},
        {"\\infty", "inf"},
        {"-\\infty", "negative infinity"},
        {"\\mathbb{R}", "all real numbers"},
        {"\xe2\x84\x9d", "(-\\infty, \\infty)"},
        {"all reals", "$(-\\infty, +\\infty)$"},
        {"yes", "True"},
        {"No", "false"},
    };
    static const Pair different[] = {
        {"yes", "no"},
        {"True", "\\text{No}"},
        {"increasing", "Decreasing"},
        {"north", "south"},
        {"no solution", "infinitely many solutions"},
        {"\\emptyset", "\\mathbb{R}"},
    };
    static const Pair unknown[] = {
        {"undefined", "infinity"},  {"no solution", "no real solutions"},
        {"\\infty", "-\\infty"},    {"R", "all real numbers"},
        {"none", "no solution"},    {"cat", "dog"},
        {"north", "northeast"},     {"north", "north south"},
        {"yes", "yes or no"},       {"no solution", "solution"},
        {"infinite", "finite set"},
    };
    expect(VERDICT_EQUAL, equal, COUNT(equal));
    expect(VERDICT_DIFFERENT, different, COUNT(different));
    expect(VERDICT_UNKNOWN, unknown, COUNT(unknown));
}

static void a_sentence_may_state_a_short_answer(void **state)
{
    static const Pair equal[] = {
        {"knave", "Bob is a knave."},
        {"knave", "**Bob is a \\text{knave}.**"},
        {"increasing", "The function is increasing on that interval."},
        {"True", "The statement is true."},
        {"false", "This is false."},
        {"yes", "Yes, because 3 is prime"},
        {"Yes", "Yes, the graph is connected."},
        {"yes", "Yes. The graph is connected."},
        {"No", "No, 4 is not prime."},
        {"yes", "The answer is yes."},
        {"sodium chloride", "So, the compound is sodium chloride."},
        {"mitosis", "It is therefore mitosis"},
        {"not possible", "It is not possible."},
        {"five", "The number of sides is five."},
        {"parallel", "The lines are parallel because both have slope 2."},
        {"unchanged", "The volume remains unchanged, since pressure is constant."},
    };
    static const Pair unknown[] = {
        {"knave", "It is not a knave"},
        {"knave", "Bob isn't a knave"},
        {"knave", "Bob is a knight, not a knave"},
        {"knave", "Bob is a knave or a knight"},
        {"knave", "Bob is a knave and Alice is a knight"},
        {"knave", "Bob is a knave, knight"},
        {"knave", "Is Bob a knave?"},
        {"knave", "Bob is a knave?"},
        {"knave", "Bob might be a knave"},
        {"knave", "If Bob lies, he is a knave"},
        {"knave", "Bob is either a knave or a knight"},
        {"knave", "Alice says Bob is a knave"},
        {"knave", "It is false that Bob is a knave"},
        {"knave", "Nobody is a knave"},
        {"knave", "The wrong answer is knave"},
        {"knave", "Bob is a knight. Bob is a knave."},
        {"knave", "Bob is a knave. Bob is a knight."},
        {"knave", "Bob is a knave unless he is a knight"},
        {"knave", "What we do know is that he is a knave"},
        {"knave", "knave knight"},
        {"knave", "Bob is a knavery"},
        {"north", "The direction is north of east"},
        {"two", "The ratio is two to one"},
        {"two", "It is two over three"},
        {"positive", "It is positive when x is large and negative when it is small"},
        {"positive", "It is positive for x, negative for y"},
        {"increasing", "The function is increasing to decreasing"},
        {"blue", "The car is blue with red doors"},
        {"not", "It is not"},
        {"yes", "Yes or no"},
        {"yes", "Yes, but no"},
        {"yes", "Yes, it is not"},
        {"no", "No, that is true"},
        {"yes", "The statement is true."},
        {"True", "Yes, it is."},
        {"true", "The statement is true or false."},
        {"true", "It is true, but not proven"},
        {"no", "No one knows"},
        {"no", "no solution"},
        {"5", "The answer is 5"}, // not of words
        {"dog bites man", "The story is man bites dog"},
    };
    static const Pair different[] = {
        {"yes", "No, 4 is not prime."},
        {"No", "Yes, because 3 is prime"},
        {"True", "The statement is false."},
    };
    expect(VERDICT_EQUAL, equal, COUNT(equal));
    expect(VERDICT_UNKNOWN, unknown, COUNT(unknown));
    expect(VERDICT_DIFFERENT, different, COUNT(different));
}

static void words_are_counted_without_commands(void **state)
{
    assert_int_equal(words_count(span("\\text{two words} and $x$")), 4);
    assert_int_equal(words_count(span("\\frac{1}{2} \\alpha \\quad 5")), 0);
    assert_int_equal(words_count(span("")), 0);
    assert_int_equal(words_count(span("don't stop")), 2);
}

// Texts of 64 KB, of whatever could be looked through again and again
static void long_texts_take_no_time(void **state)
{
    static const char *const parts[] = {"a ",       "$",        "*",    "_a",  "{",        "}",  "\\text{", "`'",
                                        "-a",       "\xcc\x81", "not-", "$ $", "\\",       "1,", "~",       "\xc2\xb2",
                                        "hundred ", "is ",      "\"",   "^{1", "\\boxed{", ". ", "\xff",    "the "};
    enum { SIZE = 1 << 16 };
    static char text[SIZE];
    clock_t begin = clock();
    for (size_t i = 0; i < COUNT(parts); i++) {
        size_t n = strlen(parts[i]);
        for (size_t k = 0; k < SIZE; k++)
            text[k] = parts[i][k % n];
        const char *rule;
        Verdict v = words_compare((Text){text, SIZE}, (Text){text, SIZE - 7}, &rule);
        assert_true(v == VERDICT_UNKNOWN || v == VERDICT_EQUAL);
    }
    assert_true(clock() - begin < 5 * CLOCKS_PER_SEC); // each is some milliseconds
}

static void a_wrapper_that_never_ends_makes_no_empty_set(void **state)
{
    static const char *const references[] = {"no solution", "empty set", "\\emptyset"};
    static const char *const open[] = {"\\text{{}", "\\boxed{{}", "\\mathrm{ {}", "\\textbf{\\text{{}}",
                                       "\\text{\\{\\}"};
    static const char *const whole[] = {"{}", "\\{\\}", "\\text{\\{\\}}"};
    for (size_t r = 0; r < sizeof references / sizeof *references; r++) {
        Text reference = {references[r], strlen(references[r])};
        for (size_t i = 0; i < sizeof open / sizeof *open; i++)
            if (verify(reference, (Text){open[i], strlen(open[i])}) == VERDICT_EQUAL)
                fail_msg("%s is %s", open[i], references[r]);
        for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
            if (verify(reference, (Text){whole[i], strlen(whole[i])}) != VERDICT_EQUAL)
                fail_msg("%s is not %s", whole[i], references[r]);
    }
    static const char text[] = "\\text{Paris";
    assert_int_equal(verify((Text){"Paris", 5}, (Text){text, strlen(text)}), VERDICT_EQUAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_dresses_a_text_does_not_count),
        cmocka_unit_test(words_keep_their_order_and_their_ends),
        cmocka_unit_test(capitals_of_english_do_not_count_and_those_of_names_do),
        cmocka_unit_test(words_may_say_a_number),
        cmocka_unit_test(phrases_of_one_line_are_one),
        cmocka_unit_test(a_sentence_may_state_a_short_answer),
        cmocka_unit_test(words_are_counted_without_commands),
        cmocka_unit_test(long_texts_take_no_time),
        cmocka_unit_test(a_wrapper_that_never_ends_makes_no_empty_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
