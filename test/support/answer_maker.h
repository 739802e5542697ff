// Generated answers, of every kind that people write, for tests of the answer checker. Each is a function of its number
// and knows its exact value, so that it comes with equal spellings and with others that differ: a digit, a sign, a
// unit, a name, an order, a bracket, a word changed. Changes that happen to keep the value (0 for -0, two equal items
// swapped) are not generated.
//
// Left alone is what people judge either way: a unit or a percent sign left out, a decimal with fewer digits than the
// reference's, numbers of a list in another order, (1, 2) against [1, 2]. Next: test/unit/test_answers_properties.c.
#ifndef TEST_ANSWER_MAKER_H
#define TEST_ANSWER_MAKER_H

#include "test/support/made_formulas.h"
#include "test/support/made_lists.h"
#include "test/support/made_numbers.h"
#include "test/support/made_words.h"

// ---- all of them

typedef struct Kind {
    const char *name;
    void (*make)(Maker *m);
} Kind;

static const Kind kinds[] = {
    {"integer", make_integer},
    {"decimal", make_decimal},
    {"fraction", make_fraction},
    {"scientific", make_scientific},
    {"root", make_root},
    {"sum with a root", make_sum_with_root},
    {"multiple of pi", make_pi},
    {"percentage", make_percentage},
    {"complex number", make_complex},
    {"angle", make_angle},
    {"power", make_power},
    {"number in a base", make_based},
    {"money", make_money},
    {"code", make_code},
    {"quantity", make_quantity},
    {"measurement", make_measurement},
    {"quadratic", make_quadratic},
    {"monomial", make_monomial},
    {"linear form", make_linear},
    {"form in three", make_three},
    {"root of a quotient", make_physics},
    {"rational function", make_rational},
    {"function", make_function},
    {"symbol", make_symbol},
    {"line", make_line},
    {"inequality", make_inequality},
    {"named value", make_named_value},
    {"named values", make_named_values},
    {"implication", make_implication},
    {"list", make_list},
    {"set", make_set},
    {"tuple", make_tuple},
    {"list of pairs", make_pairs},
    {"row of numbers", make_row},
    {"grid", make_grid},
    {"matrix", make_matrix},
    {"interval", make_interval},
    {"ray", make_ray},
    {"union", make_union},
    {"molecule", make_molecule},
    {"ion", make_ion},
    {"reaction", make_reaction},
    {"words", make_words},
    {"word", make_word},
    {"list of words", make_word_list},
    {"sentence", make_sentence},
    {"sentence with numbers", make_sentence_with_numbers},
    {"choice", make_choice},
    {"date", make_date},
    {"ratio of three", make_ratio},
    {"ratio", make_ratio_of_two},
    {"range", make_range},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

// The answer of that number. Numbers go round the kinds.
static void make_answer(Made *made, uint32_t number)
{
    const Kind *kind = &kinds[number % KINDS];
    Maker m = {.made = made, .number = number};
    made->kind = kind->name;
    made->row[0] = 0;
    made->same_count = made->other_count = 0;
    made->references = 0;
    made->rounds = false;
    kind->make(&m);
    int reference = draw(&m, made->references > 0 ? made->references : made->same_count);
    memcpy(made->text, made->same[reference], MADE_BYTES);
    memmove(made->same[reference], made->same[made->same_count - 1], MADE_BYTES);
    made->same_count--;
}

#endif
