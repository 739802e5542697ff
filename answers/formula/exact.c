// Exact rational values of formulas: as written, and what can be computed from them without rounding.
#include "answers/formula/value.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { BITS_MOST = 1 << 15, EXPONENT_MOST = 1 << 12, DIGITS_MOST = 1000 };

// ---- written numbers

static bool read_prefixed(mpq_t value, Text s) // 0b101
{
    char text[DIGITS_MOST + 1];
    int base = s.data[1] == 'b' ? 2 : s.data[1] == 'o' ? 8 : 16;
    if (s.size - 2 > DIGITS_MOST)
        return false;
    memcpy(text, s.data + 2, s.size - 2);
    text[s.size - 2] = 0;
    return mpq_set_str(value, text, base) == 0;
}

static void scale_by_ten(mpq_t value, long exponent)
{
    mpz_t scale;
    mpz_init(scale);
    mpz_ui_pow_ui(scale, 10, (unsigned long)labs(exponent));
    if (exponent >= 0)
        mpz_mul(mpq_numref(value), mpq_numref(value), scale);
    else
        mpz_mul(mpq_denref(value), mpq_denref(value), scale);
    mpz_clear(scale);
    mpq_canonicalize(value);
}

// Repeating digits: their value is over as many nines. at: the backslash before them; places: digits after the point so
// far.
static bool add_repeating(mpq_t value, Text s, size_t at, long places)
{
    char text[DIGITS_MOST + 1];
    size_t n = 0;
    for (; at < s.size; at++)
        if (isdigit((unsigned char)s.data[at]) && n < DIGITS_MOST)
            text[n++] = s.data[at];
    text[n] = 0;
    mpq_t part;
    mpq_init(part);
    bool ok = n > 0 && n <= 64 && mpq_set_str(part, text, 10) == 0;
    if (ok) {
        mpz_ui_pow_ui(mpq_denref(part), 10, n);
        mpz_sub_ui(mpq_denref(part), mpq_denref(part), 1);
        mpq_canonicalize(part);
        scale_by_ten(part, -places);
        mpq_add(value, value, part);
    }
    mpq_clear(part);
    return ok;
}

bool number_read(mpq_t value, Text digits)
{
    char text[DIGITS_MOST + 1];
    size_t n = 0, i = 0;
    long exponent = 0, given = 0;
    bool point = false;
    if (digits.size > 2 && digits.data[0] == '0' && strchr("box", digits.data[1]) != NULL)
        return read_prefixed(value, digits);
    for (;
         i < digits.size && n < DIGITS_MOST && tolower((unsigned char)digits.data[i]) != 'e' && digits.data[i] != '\\';
         i++) {
        char c = digits.data[i];
        if (c == '.')
            point = true;
        else if (isdigit((unsigned char)c))
            text[n++] = c, exponent -= point;
        // separators of thousands are ignored
    }
    size_t repeating = i < digits.size && digits.data[i] == '\\' ? i : 0;
    if (i < digits.size && repeating == 0) {
        bool negative = ++i < digits.size && digits.data[i] == '-';
        i += i < digits.size && (digits.data[i] == '-' || digits.data[i] == '+');
        for (; i < digits.size && isdigit((unsigned char)digits.data[i]) && given <= EXPONENT_MOST; i++)
            given = 10 * given + digits.data[i] - '0';
        given = negative ? -given : given;
    }
    text[n] = 0;
    if (n == 0 || (i < digits.size && repeating == 0) || labs(exponent) > DIGITS_MOST ||
        labs(exponent + given) > DIGITS_MOST || mpq_set_str(value, text, 10) != 0)
        return false;
    scale_by_ten(value, exponent + given);
    return repeating == 0 || add_repeating(value, digits, repeating, -exponent);
}

static size_t size_of(const mpq_t q) { return mpz_sizeinbase(mpq_numref(q), 2) + mpz_sizeinbase(mpq_denref(q), 2); }

static bool small_integer(const mpq_t q, long most, long *n)
{
    if (mpz_cmp_ui(mpq_denref(q), 1) != 0 || !mpz_fits_slong_p(mpq_numref(q)))
        return false;
    *n = mpz_get_si(mpq_numref(q));
    return *n <= most && *n >= -most;
}

// ---- exact

static bool exact_power(mpq_t value, const mpq_t base, const mpq_t exponent)
{
    long n;
    if (!small_integer(exponent, EXPONENT_MOST, &n) || (mpq_sgn(base) == 0 && n <= 0) ||
        size_of(base) * (size_t)labs(n) > BITS_MOST)
        return false;
    mpz_t a, b;
    mpz_inits(a, b, NULL);
    mpz_pow_ui(a, mpq_numref(base), (unsigned long)labs(n));
    mpz_pow_ui(b, mpq_denref(base), (unsigned long)labs(n));
    mpz_set(mpq_numref(value), n >= 0 ? a : b);
    mpz_set(mpq_denref(value), n >= 0 ? b : a);
    mpz_clears(a, b, NULL);
    mpq_canonicalize(value);
    return true;
}

// The n-th root, where it is rational
static bool exact_root(mpq_t value, long n)
{
    return n >= 1 && (mpq_sgn(value) >= 0) && mpz_root(mpq_numref(value), mpq_numref(value), (unsigned long)n) != 0 &&
           mpz_root(mpq_denref(value), mpq_denref(value), (unsigned long)n) != 0;
}

static void exact_rounding(mpq_t value, bool up)
{
    mpz_t whole;
    mpz_init(whole);
    (up ? mpz_cdiv_q : mpz_fdiv_q)(whole, mpq_numref(value), mpq_denref(value));
    mpq_set_z(value, whole);
    mpz_clear(whole);
}

static bool exact_choices(mpq_t value, const mpq_t second, bool ordered)
{
    long m, k;
    if (!small_integer(value, FACTORIAL_MOST, &m) || !small_integer(second, FACTORIAL_MOST, &k) || m < 0 || k < 0)
        return false;
    mpz_bin_uiui(mpq_numref(value), (unsigned long)m, (unsigned long)k);
    if (ordered) {
        mpz_t orders;
        mpz_init(orders);
        mpz_fac_ui(orders, (unsigned long)k);
        mpz_mul(mpq_numref(value), mpq_numref(value), orders);
        mpz_clear(orders);
    }
    return true;
}

// gcd, lcm, max, min: of any number of arguments
static bool exact_fold(Budget *b, const Node *n, mpq_t value, mpq_t second)
{
    bool whole = text_is(n->name, "gcd") || text_is(n->name, "lcm"), begun = false;
    EACH_CHILD (c, n) {
        if (!evaluate_exact(b, c, begun ? second : value) ||
            (whole && mpz_cmp_ui(mpq_denref(begun ? second : value), 1) != 0))
            return false;
        if (begun && whole)
            (text_is(n->name, "gcd") ? mpz_gcd : mpz_lcm)(mpq_numref(value), mpq_numref(value), mpq_numref(second));
        else if (begun && (mpq_cmp(second, value) > 0) == text_is(n->name, "max"))
            mpq_set(value, second);
        begun = true;
    }
    return n->count > 1;
}

static bool exact_call(Budget *b, const Node *n, mpq_t value, mpq_t second)
{
    long k = 2;
    if (is_fold(n->name))
        return exact_fold(b, n, value, second);
    if (n->first->kind == NODE_MATRIX || !evaluate_exact(b, n->first, value))
        return false;
    if (n->count == 2 && !evaluate_exact(b, n->last, second))
        return false;
    if (text_is(n->name, "abs")) {
        mpq_abs(value, value);
        return true;
    }
    if (text_is(n->name, "floor") || text_is(n->name, "ceil")) {
        exact_rounding(value, n->name.data[0] == 'c');
        return true;
    }
    if (text_is(n->name, "root"))
        return (n->count == 1 || small_integer(second, 64, &k)) && exact_root(value, k);
    bool ordered = text_is(n->name, "permutations");
    return (ordered || text_is(n->name, "binomial")) && n->count == 2 && exact_choices(value, second, ordered);
}

static bool exact_two(Budget *b, const Node *n, mpq_t value, mpq_t second)
{
    bool begun = false;
    EACH_CHILD (c, n) {
        if (!evaluate_exact(b, c, begun ? second : value))
            return false;
        if (!begun) {
            begun = true;
            continue;
        }
        if (n->kind == NODE_ADD)
            mpq_add(value, value, second);
        else if (n->kind == NODE_MULTIPLY)
            mpq_mul(value, value, second);
        else if (n->kind == NODE_POWER)
            return exact_power(value, value, second);
        else if (mpq_sgn(second) == 0)
            return false;
        else
            mpq_div(value, value, second);
        if (size_of(value) > BITS_MOST)
            return false;
    }
    return true;
}

static bool exact_one(Budget *b, const Node *n, mpq_t value)
{
    long k;
    if (!evaluate_exact(b, n->first, value))
        return false;
    switch (n->kind) {
    case NODE_NEGATE:
        mpq_neg(value, value);
        return true;
    case NODE_DEGREE:
        return true;
    case NODE_PERCENT:
        mpz_mul_ui(mpq_denref(value), mpq_denref(value), 100);
        mpq_canonicalize(value);
        return true;
    default: // NODE_FACTORIAL
        if (!small_integer(value, FACTORIAL_MOST, &k) || k < 0 || !spend(b, k / 10))
            return false;
        mpz_fac_ui(mpq_numref(value), (unsigned long)k);
        return true;
    }
}

bool evaluate_exact(Budget *b, const Node *n, mpq_t value)
{
    if (!spend(b, 1))
        return false;
    switch (n->kind) {
    case NODE_NUMBER:
        return number_read(value, n->name);
    case NODE_NEGATE:
    case NODE_DEGREE:
    case NODE_PERCENT:
    case NODE_FACTORIAL:
        return exact_one(b, n, value);
    case NODE_ADD:
    case NODE_MULTIPLY:
    case NODE_DIVIDE:
    case NODE_POWER:
    case NODE_CALL:
        break;
    default:
        return false;
    }
    mpq_t second;
    mpq_init(second);
    bool ok = n->kind == NODE_CALL ? exact_call(b, n, value, second) : exact_two(b, n, value, second);
    mpq_clear(second);
    return ok;
}
