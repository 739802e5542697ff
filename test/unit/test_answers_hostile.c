// What no text may do to the checker of answers, whether it comes from a looping model or is crafted on purpose: take
// long, take much memory, end the program. Numbers that cannot be: test_answers_numbers.c.
//
// Four times the text takes no more than LINEAR times as long (twice what is linear, and a millisecond for the clock).
#include "test/support/bounded.h"

// ---- one piece, again and again

static const char *const pieces[] = {
    // what opens and is never closed
    "\\boxed{",
    "\\boxed",
    "\\frac{",
    "\\frac",
    "{",
    "(",
    "[",
    "|",
    "\\text{",
    "\\{",
    "\\left(",
    "\\left[(",
    "\\sqrt{",
    "\\sqrt[",
    "\\begin{pmatrix}",
    "\\ce{",
    "\\mathrm{",
    "$",
    "$$",
    "\\(",
    "\\[",
    "<think>",
    "<answer>",
    "```",
    "`",
    "**",
    "\"",
    "^{",
    "_{",
    "x^{",
    "2^{",
    "\\binom{",
    "\\log_{",
    "\\sum_{",
    "\\lfloor ",
    "\\overline{",
    "{\\{",
    "\\boxed{(",
    "\\color{",
    "\\fbox{ ",
    "f(",
    "\\langle ",
    // what closes and was never opened
    "}",
    ")",
    "\\}",
    "\\right)",
    "</think>",
    "</answer>",
    "\\end{pmatrix}",
    // what is whole
    "a. ",
    "1 ",
    "\\",
    "\\\\",
    "A) ",
    "(A) ",
    "A. ",
    ",",
    ", ",
    "1,",
    "1, ",
    "12,345",
    "answer is ",
    "The answer is 7. ",
    "answer: ",
    "#### ",
    "#### 1\n",
    "\\boxed{7} ",
    "\\boxed{7}, ",
    "\\boxed{7} and ",
    "\\boxed{}",
    "\\boxed{\\text{no}}",
    "9",
    "0",
    "0.",
    "1/",
    "1e9",
    "10^",
    "-",
    "+",
    "--",
    "x",
    "X",
    "xy ",
    "x+",
    "x=",
    "x=1, ",
    "=",
    "<",
    "1<",
    "\\le ",
    "\\cup ",
    "(1,2)\\cup ",
    "(1,2),",
    "\\pm ",
    "1\\pm ",
    "!",
    "%",
    "^",
    "_",
    "'",
    "^\\circ ",
    "&",
    "1&",
    " ",
    "\n",
    "\t",
    "1\n",
    "1 2\n",
    "and ",
    "or ",
    "1 and ",
    "not ",
    "word ",
    "words, ",
    "A sentence of some words. ",
    "5 m ",
    "m",
    "kg ",
    "m/s ",
    "5 kg, ",
    "H2",
    "H2O + ",
    "->",
    "A -> ",
    "\\to ",
    "\\implies ",
    "\\sin ",
    "\\sin(x)+",
    "\\sin",
    "\\text{a}",
    "\\text{a} ",
    "\\frac12",
    "\\frac{1}{2}",
    "\\sqrt2",
    "\\pi",
    "\\cdot ",
    "1\\cdot ",
    "{}",
    "()",
    "[]",
    "[1]",
    "\\{1\\}",
    "é",
    "\xe2\x88\x92",
    "√",
    "²",
    "½",
    "→",
    "\xef\xbc\x97",
    "2020-",
    "1:",
    "1:2 ",
    "1-",
    "5-4 ",
    "$1$ ",
    "\\ ",
    "\\,",
    "\\;",
    "1~",
    "x_1 ",
    "x_1+",
    "e^",
    "i",
    "\\ln ",
    "\\infty",
    "\\emptyset",
    "five ",
    "million ",
    "1_2",
    ".",
    "...",
    "? ",
    ": ",
    "; ",
    "\r\n",
    "\x01",
    "\x7f",
    // no text at all
    "\xff",
    "\xc3",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xc0\x80",
    "\x80",
    "1\xff",
};

enum { PIECES = sizeof pieces / sizeof *pieces };

static char *repeated(const char *piece, size_t size, const char *end, size_t *written)
{
    size_t n = strlen(piece), at = 0;
    char *text = malloc(size + strlen(end) + 1);
    assert_non_null(text);
    for (; at + n <= size; at += n)
        memcpy(text + at, piece, n);
    strcpy(text + at, end);
    *written = at + strlen(end);
    return realloc(text, *written + 1); // so that a look past the end is seen
}

typedef enum Role { RESPONSE, REFERENCE, BOTH, BEFORE_AN_ANSWER, ROLES } Role;
static const char *const role_names[ROLES] = {"a response", "a reference", "both", "a response that ends in a box"};

static double look_at_piece(Tally *t, const char *piece, size_t size, Role role)
{
    char name[160];
    size_t n;
    char *text = repeated(piece, size, role == BEFORE_AN_ANSWER ? " \\boxed{7}" : "", &n);
    Text long_one = {text, n}, seven = span("7");
    snprintf(name, sizeof name, "%zu KB of \"%s\" as %s", size >> 10, strcmp(piece, "\n") == 0 ? "\\n" : piece,
             role_names[role]);
    double taken = look(t, name, no_row, role == REFERENCE || role == BOTH ? long_one : seven,
                        role == REFERENCE ? seven : long_one);
    free(text);
    return taken;
}

static void look_at_pieces(Role role)
{
    Tally t = {0};
    for (int i = 0; i < PIECES; i++) {
        double small = look_at_piece(&t, pieces[i], is_brief() ? SMALL / 4 : SMALL, role);
        if (is_brief())
            continue;
        double large = look_at_piece(&t, pieces[i], LARGE, role);
        for (int again = 0; again < 4 && IS_RELEASE && small > 2e-3; again++) // the law is of the quickest of five
            small = fmin(small, look_at_piece(&t, pieces[i], SMALL, role));
        for (int again = 0; again < 4 && IS_RELEASE && large > LINEAR * small + 1e-3; again++)
            large = fmin(large, look_at_piece(&t, pieces[i], LARGE, role));
        if (IS_RELEASE && small >= 0 && large > LINEAR * small + 1e-3) {
            print_message("\"%s\" as %s: %.2f ms, and %.2f ms for four times as much\n", pieces[i], role_names[role],
                          1e3 * small, 1e3 * large);
            t.more_than_linear++;
        }
    }
    report(&t);
}

static void a_response_that_repeats_itself_takes_a_time_linear_in_its_length(void **state) { look_at_pieces(RESPONSE); }

static void a_reference_that_repeats_itself_takes_a_time_linear_in_its_length(void **state)
{
    look_at_pieces(REFERENCE);
}

static void two_texts_that_repeat_themselves_take_a_time_linear_in_their_length(void **state) { look_at_pieces(BOTH); }

static void an_answer_behind_a_text_that_repeats_itself_takes_a_time_linear_in_its_length(void **state)
{
    look_at_pieces(BEFORE_AN_ANSWER);
}

// As an option that is drawn too, and as all of a problem
static void a_row_that_repeats_itself_takes_a_bounded_time(void **state)
{
    Tally t = {0};
    Bytes row = {0};
    static const char *const some[] = {"(",     "{",   "\\\\frac{",  "1 ", "1,", "x+",
                                       "word ", "A) ", "\\\\boxed{", "[",  "9",  "$"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        size_t n;
        char *text = repeated(some[i], is_brief() ? SMALL / 4 : SMALL, "", &n);
        for (int options = 0; options < 2; options++) {
            bytes_clear(&row);
            assert_ok(bytes_printf(&row, "{\"question\": \"?\", \"options\": %s", options ? "[\"" : "["));
            assert_ok(bytes_text(&row, options ? text : "") && bytes_text(&row, options ? "\", \"7\", \"8\"]}" : text));
            Text r = {row.data, row.size};
            char name[160];
            snprintf(name, sizeof name, "a row with \"%s\" in %s", some[i], options ? "an option" : "its middle, cut");
            look(&t, name, r, span("B"), span("\\boxed{7}"));
            look(&t, name, r, span("7"), span("The answer is C"));
            look(&t, name, r, span("B"), (Text){text, n});
        }
        free(text);
    }
    bytes_clear(&row);
    assert_ok(bytes_text(&row, "{\"options\": [\"0\""));
    for (int i = 1; i < (is_brief() ? 5000 : 20000); i++)
        assert_ok(bytes_printf(&row, ", \"\\\\frac{%d}{7}x^2 + %d\"", i, i));
    assert_ok(bytes_text(&row, "]}"));
    look(&t, "a row of many options", (Text){row.data, row.size}, span("B"), span("\\boxed{\\frac{3}{7}x^2 + 3}"));
    bytes_free(&row);
    report(&t);
}

// ---- bytes

static void zeros_and_bytes_that_are_no_text_are_just_an_answer(void **state)
{
    Tally t = {0};
    static char zeros[LARGE];
    look(&t, "256 KB of zeros as a response", no_row, span("7"), (Text){zeros, LARGE});
    look(&t, "256 KB of zeros as a reference", no_row, (Text){zeros, LARGE}, span("7"));
    look(&t, "256 KB of zeros as both", no_row, (Text){zeros, LARGE}, (Text){zeros, LARGE});
    look(&t, "no text", no_row, no_row, no_row);
    report(&t);
    t.equal = 0;
    look(&t, "no reference", no_row, no_row, span("7"));
    look(&t, "no response", no_row, span("7"), no_row);
    look(&t, "zeros for seven", no_row, span("7"), (Text){zeros, 16});
    report(&t);
    assert_int_equal(t.equal, 0);
}

static void what_is_shown_of_valid_text_is_valid_text(void **state)
{
    char text[FINDING_BYTES + 16];
    Finding f;
    for (int shift = 0; shift < 4; shift++) { // so that every byte of a character is where the text is cut
        size_t n = (size_t)shift;
        memset(text, 'a', n);
        while (n + 4 < sizeof text) {
            memcpy(text + n, "\xf0\x9d\x94\xb8", 4);
            n += 4;
        }
        verify_finding(&f, no_row, (Text){text, n}, (Text){text, n});
        assert_int_equal(utf8_valid_prefix(f.reference, strlen(f.reference)), strlen(f.reference));
        assert_int_equal(utf8_valid_prefix(f.answer, strlen(f.answer)), strlen(f.answer));
    }
}

static void a_text_behind_a_zero_counts(void **state)
{
    Text a = {"7\0 8", 4}, b = {"7\0 9", 4};
    assert_int_not_equal(verify(a, b), VERDICT_EQUAL);
    assert_int_not_equal(verify(span("7"), b), VERDICT_EQUAL);
}

// Random bytes from what formulas are made of: nothing here is known to be equal, but each must end, and be equal to
// itself if it is read
static void random_formulas_end_and_are_themselves(void **state)
{
    static const char *const parts[] = {"\\frac",
                                        "{",
                                        "}",
                                        "(",
                                        ")",
                                        "1",
                                        "2",
                                        "x",
                                        "y",
                                        "+",
                                        "-",
                                        "^",
                                        "_",
                                        "\\sqrt",
                                        "=",
                                        ",",
                                        " ",
                                        "\\text{",
                                        "\\boxed{",
                                        "m",
                                        "kg",
                                        "/",
                                        "\\pi",
                                        "!",
                                        "%",
                                        "\\le",
                                        "<",
                                        "|",
                                        "[",
                                        "]",
                                        "\\{",
                                        "\\}",
                                        "\\infty",
                                        ".",
                                        "e",
                                        "i",
                                        "\\sin",
                                        "\\cup",
                                        "->",
                                        "H",
                                        "O",
                                        "A",
                                        "$",
                                        "and",
                                        "10",
                                        "&",
                                        "\\\\",
                                        "\\begin{pmatrix}",
                                        "\\end{pmatrix}",
                                        "½",
                                        "√",
                                        "²",
                                        "\n",
                                        "\\pm",
                                        ":",
                                        "not",
                                        "no",
                                        "'",
                                        "\xff"};
    enum { PARTS = sizeof parts / sizeof *parts };
    char text[512];
    int count = is_long() ? 1000000 : 20000;
    double slowest = 0;
    char slowest_text[512] = "";
    for (int i = 0; i < count; i++) {
        size_t n = 0;
        uint32_t length = 1 + random_bits(29, RANDOM_DEMO, (uint32_t)i, 0, 0).v[0] % 24;
        for (uint32_t k = 0; k < length; k++) {
            const char *part = parts[random_bits(29, RANDOM_DEMO, (uint32_t)i, 1, k).v[0] % PARTS];
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        text[n] = 0;
        double start = cpu_seconds();
        Verdict v = verify((Text){text, n}, (Text){text, n});
        double taken = cpu_seconds() - start;
        if (taken > slowest) {
            slowest = taken;
            memcpy(slowest_text, text, n + 1);
        }
        if (v == VERDICT_DIFFERENT && answer_comparable((Text){NULL, 0}, (Text){text, n}))
            fail_msg("%s is not itself", text);
    }
    print_message("%d formulas, the slowest %.2f ms: %s\n", count, 1e3 * slowest, slowest_text);
    assert_true(!IS_RELEASE || slowest <= SECONDS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_that_repeats_itself_takes_a_time_linear_in_its_length),
        cmocka_unit_test(a_reference_that_repeats_itself_takes_a_time_linear_in_its_length),
        cmocka_unit_test(two_texts_that_repeat_themselves_take_a_time_linear_in_their_length),
        cmocka_unit_test(an_answer_behind_a_text_that_repeats_itself_takes_a_time_linear_in_its_length),
        cmocka_unit_test(a_row_that_repeats_itself_takes_a_bounded_time),
        cmocka_unit_test(zeros_and_bytes_that_are_no_text_are_just_an_answer),
        cmocka_unit_test(what_is_shown_of_valid_text_is_valid_text),
        cmocka_unit_test(a_text_behind_a_zero_counts),
        cmocka_unit_test(random_formulas_end_and_are_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
