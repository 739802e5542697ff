// Numbers that cannot be, as answers: too large, too small, or too many steps to compute. Each comparison ends within
// its time and memory, and none of them is called equal to another.
#include "test/support/bounded.h"

static const char *const monsters[] = {
    "10^10^10",
    "10^{10^{10}}",
    "1e999999999",
    "1e-999999999",
    "1e99999999999999999999",
    "1.5 \\times 10^{999999999}",
    "0.1^(10^9)",
    "0.1^{10^{9}}",
    "2^{-99999999}",
    "2^{99999999}",
    "9999999!",
    "(9999999!)!",
    "9999999!!",
    "99999999999!",
    "9^{9^{9^{9}}}",
    "9^9^9^9^9",
    "(-3)^{10^{-3000000}}",
    "(-3)^{10^{-10000000}}",
    "(-8)^{1/3000001}",
    "\\cos(10^{-30000}+i\\cdot 10^{-100000})",
    "(10^{-30000}+i)^{2}",
    "(1+i\\cdot 10^{-30000})^{1+i}",
    "\\arctan(10^{-30000}+i\\cdot 10^{-100000})",
    "\\sin(10^{1000000})",
    "\\sin(10^{10^{10}})",
    "\\tan(10^{300})",
    "e^{e^{e^{e^{10}}}}",
    "e^{-e^{e^{e^{10}}}}",
    "\\binom{99999999}{49999999}",
    "\\binom{10^{9}}{5}",
    "C(99999999,5)",
    "_{99999999}C_{49999999}",
    "\\gcd(10^{1000000},10^{999999})",
    "\\text{lcm}(10^{100000}+1,10^{100000}-1)",
    "10^{1000000} \\bmod 7",
    "\\lfloor 10^{1000000}/7 \\rfloor",
    "\\sqrt[1000000]{2}",
    "\\sqrt[999999999]{-2}",
    "\\log_{1.0000000000000001} 2",
    "\\log_{2}(2^{99999999})",
    "\\sum_{k=1}^{999999999} k",
    "\\sum_{k=1}^{10^{10}} \\frac{1}{k}",
    "\\prod_{k=1}^{9999999} k",
    "\\int_0^1 x^{9999999} dx",
    "\\sqrt{2}^{\\sqrt{2}^{\\sqrt{2}^{99999}}}",
    "x^{999999999}",
    "(x+1)^{999999999}",
    "(x+y+z)^{9999999}",
    "x^{x^{x^{x^{x}}}}",
    "x^{-999999999}",
    "(1+x)^{10^{10}}",
    "\\frac{1}{10^{999999999}}",
    "\\frac{1}{0}",
    "0^0",
    "0^{-1}",
    "\\frac{0}{0}",
    "\\infty-\\infty",
    "\\infty^{\\infty}",
    "10^{-10^{10}} x",
    "i^{i^{i^{i}}}",
    "i^{999999999}",
    "(1+i)^{999999999}",
    "0.\\overline{142857142857142857}",
    "0.\\overline{1}^{999999}",
    "1_{99999999}",
    "ZZZZZZZZZZ_{36}",
    "1010_{2}^{1010_{2}^{1010_{2}}}",
    "5 m^{999999999}",
    "5 km^{-99999999}",
    "5 m^{10^{10}}",
    "10^{999999999} kg",
    "99999999999999999999%",
    "\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm 1",
    "1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1",
    "H_{999999999}",
    "C_{99999999}H_{99999999} + O_2 -> H_2O",
    "Fe^{999999999+}",
    "9999999999-99-99",
    "2020-99-99",
    "999999999999:999999999999",
    "1:0",
    "0:0:0",
    "10^{-99999999}:10^{99999999}",
    "[10^{999999999}, \\infty)",
    "x > 10^{10^{10}}",
    "\\begin{pmatrix} 10^{10^{10}} & 1 \\\\ 1 & 9999999! \\end{pmatrix}",
    "\\det\\begin{pmatrix} 10^{99999} & 1 \\\\ 1 & 10^{99999} \\end{pmatrix}",
    "\\begin{pmatrix} 1 & 1 \\\\ 1 & 1 \\end{pmatrix}^{999999999}",
    "\\Gamma(99999999)",
    "\\zeta(99999999)",
    "\\sinh(99999999)",
    "\\sec(\\frac{\\pi}{2})",
    "|{|{|{|{-9^{9^9}}|}|}|}|",
};

enum { MONSTERS = sizeof monsters / sizeof *monsters };

static void a_number_that_cannot_be_is_bounded_and_never_equal_to_another(void **state)
{
    Tally t = {0};
    static const char *const simple[] = {"0",      "7",    "7x", "x", "7 m",
                                         "(1, 2)", "\\pi", "1+i"}; // 0, to which the tiny ones must not underflow
    for (int i = 0; i < MONSTERS; i++)
        for (size_t k = 0; k < (is_long() ? sizeof simple / sizeof *simple : 2); k++) {
            int equal = t.equal;
            look(&t, monsters[i], no_row, span(monsters[i]), span(simple[k]));
            look(&t, monsters[i], no_row, span(simple[k]), span(monsters[i]));
            if (t.equal > equal)
                print_message("%s is called equal to %s\n", monsters[i], simple[k]);
        }
    report(&t);
    assert_int_equal(t.equal, 0);
}

static void a_number_that_cannot_be_is_bounded_beside_itself_and_beside_its_neighbour(void **state)
{
    Tally t = {0};
    char boxed[512], more[512];
    for (int i = 0; i < MONSTERS; i++) {
        snprintf(boxed, sizeof boxed, "\\boxed{%s}", monsters[i]);
        snprintf(more, sizeof more, "%s + 1", monsters[i]);
        look(&t, monsters[i], no_row, span(monsters[i]), span(boxed));
        look(&t, monsters[i], no_row, span(monsters[i]), span(more));
        look(&t, monsters[i], no_row, span(monsters[i]), span(monsters[(i + 1) % MONSTERS]));
    }
    report(&t);
}

// GMP and MPFR end the program where they get no memory. What needs more than there is has to be unknown.
static void little_memory_is_no_end_of_the_program(void **state)
{
    if (!IS_RELEASE)
        return; // the sanitizers' memory cannot be bounded
    static const size_t megabytes[] = {64, 16, 4};
    int ended = 0, equal = 0;
    for (size_t k = 0; k < 3; k++)
        for (int i = 0; i < MONSTERS; i++) {
            Outcome o = compare_within(megabytes[k] << 20, no_row, span("7"), span(monsters[i]));
            if (!o.ended)
                print_message("%s with %zu MB: ended by %s\n", monsters[i], megabytes[k], o.cause);
            if (o.ended && o.verdict == VERDICT_EQUAL)
                print_message("7 | %s with %zu MB: equal\n", monsters[i], megabytes[k]);
            ended += !o.ended;
            equal += o.ended && o.verdict == VERDICT_EQUAL;
        }
    print_message("%d comparisons, %d ended badly, %d equal\n", 3 * MONSTERS, ended, equal);
    assert_int_equal(ended, 0);
    assert_int_equal(equal, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_that_cannot_be_is_bounded_and_never_equal_to_another),
        cmocka_unit_test(a_number_that_cannot_be_is_bounded_beside_itself_and_beside_its_neighbour),
        cmocka_unit_test(little_memory_is_no_end_of_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
