// The difficulty that a pass rate gives. How ./score comes by one: test_score.c and test/crash/score.sh.
#include "difficulty/pass_rate.h"
#include "test/support/check.h"
#include <math.h>

static void a_pass_rate_gives_a_level_by_five_equal_bins(void **state)
{
    static const struct {
        int64_t right, wrong;
        int level;
    } cases[] = {{1, 0, 1}, {0, 1, 5},     {4, 0, 1},     {3, 1, 2},  {2, 2, 3},     {1, 3, 4}, {0, 4, 5},
                 {8, 0, 1}, {7, 1, 1},     {6, 2, 2},     {5, 3, 2},  {4, 4, 3},     {3, 5, 4}, {2, 6, 4},
                 {1, 7, 5}, {4, 1, 1},     {3, 2, 2},     {2, 3, 3},  {1, 4, 4},     {0, 5, 5}, {3, 7, 4},
                 {6, 4, 2}, {799, 201, 2}, {800, 200, 1}, {12, 3, 1}, {199, 801, 5}, {1, 2, 4}, {2, 1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        PassRate p = pass_rate_of((const int64_t[]){0, cases[i].wrong, cases[i].right}, 0);
        if (p.level != cases[i].level)
            fail_msg("%d right and %d wrong: level %d", (int)cases[i].right, (int)cases[i].wrong, p.level);
        assert_true(p.rate == (double)cases[i].right / (double)(cases[i].right + cases[i].wrong));
    }
}

static void a_response_that_no_rule_decides_is_neither_right_nor_wrong(void **state)
{
    PassRate p = pass_rate_of((const int64_t[]){2, 1, 1}, 0);
    assert_true(p.rate == 0.5 && p.level == 3 && p.unknown == 2);
    p = pass_rate_of((const int64_t[]){3, 1, 1}, 0); // fewer than half of five
    assert_true(isnan(p.rate) && p.level == DIFFICULTY_DEFAULT);
    p = pass_rate_of((const int64_t[]){4, 0, 0}, 0);
    assert_true(isnan(p.rate) && p.level == DIFFICULTY_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_rate_gives_a_level_by_five_equal_bins),
        cmocka_unit_test(a_response_that_no_rule_decides_is_neither_right_nor_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
