#include "answers/value.h"
#include "base/base.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { BITS_MOST = 1 << 15, EXPONENT_MOST = 1 << 12, FACTORIAL_MOST = 3000, DIGITS_MOST = 1000, MATRIX_MOST = 4 };

static bool spend(Budget *b, int64_t steps)
{
    b->steps -= steps;
    return b->steps >= 0;
}

// ---- numbers as they are written

bool number_read(mpq_t value, Text digits)
{
    char text[DIGITS_MOST + 1];
    size_t n = 0, i = 0;
    long exponent = 0, given = 0;
    bool point = false;
    for (; i < digits.size && n < DIGITS_MOST && tolower((unsigned char)digits.data[i]) != 'e'; i++) {
        char c = digits.data[i];
        if (c == '.')
            point = true;
        else if (isdigit((unsigned char)c))
            text[n++] = c, exponent -= point;
        // separators of thousands stand for nothing
    }
    if (i < digits.size) {
        bool negative = ++i < digits.size && digits.data[i] == '-';
        i += i < digits.size && (digits.data[i] == '-' || digits.data[i] == '+');
        for (; i < digits.size && isdigit((unsigned char)digits.data[i]) && given <= EXPONENT_MOST; i++)
            given = 10 * given + digits.data[i] - '0';
        exponent += negative ? -given : given;
    }
    text[n] = 0;
    if (n == 0 || i < digits.size || exponent > DIGITS_MOST || exponent < -DIGITS_MOST || mpq_set_str(value, text, 10) != 0)
        return false;
    mpz_t scale;
    mpz_init(scale);
    mpz_ui_pow_ui(scale, 10, (unsigned long)labs(exponent));
    if (exponent >= 0)
        mpz_mul(mpq_numref(value), mpq_numref(value), scale);
    else
        mpz_set(mpq_denref(value), scale);
    mpz_clear(scale);
    mpq_canonicalize(value);
    return true;
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

static bool exact_call(Budget *b, const Node *n, mpq_t value, mpq_t second)
{
    long k = 2, m;
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
    if (!text_is(n->name, "binomial") || !small_integer(value, FACTORIAL_MOST, &m) ||
        !small_integer(second, FACTORIAL_MOST, &k) || m < 0 || k < 0)
        return false;
    mpz_bin_uiui(mpq_numref(value), (unsigned long)m, (unsigned long)k);
    return true;
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

// ---- what depends on symbols

static bool is_constant(Text name) { return text_is(name, "pi") || text_is(name, "e") || text_is(name, "i"); }

bool has_symbols(const Node *n)
{
    if ((n->kind == NODE_SYMBOL && !is_constant(n->name)) || n->kind == NODE_WORD)
        return true;
    EACH_CHILD (c, n)
        if (has_symbols(c))
            return true;
    return false;
}

bool needs_signs(const Node *n)
{
    if (n->kind == NODE_CALL && (text_is(n->name, "abs") || text_is(n->name, "root")))
        return true;
    EACH_CHILD (c, n)
        if (needs_signs(c))
            return true;
    return false;
}

// Between 1/2 and 5/2, a multiple of 2^-32 that depends on the name without its braces and on the point.
static void symbol_value(Text name, int point, mpc_t value)
{
    char plain[64];
    size_t n = 0;
    for (size_t i = 0; i < name.size && n < sizeof plain; i++)
        if (strchr("{} \\", name.data[i]) == NULL)
            plain[n++] = name.data[i];
    uint64_t hash = hash_bytes(plain, n);
    Philox bits = random_bits(hash, RANDOM_POINT, (uint32_t)(point % POINTS), 0, 0);
    mpc_set_ui(value, bits.v[0], MPC_RNDNN);
    mpc_div_2ui(value, value, 31, MPC_RNDNN);
    mpfr_add_d(mpc_realref(value), mpc_realref(value), 0.5, MPFR_RNDN);
    if (point >= POINTS && (bits.v[1] & 1) != 0)
        mpc_neg(value, value, MPC_RNDNN);
}

// ---- approximate

typedef int (*Function)(mpc_t to, const mpc_t x, mpc_rnd_t rounding);

static const struct {
    const char *name;
    Function function;
    bool angle, inverted; // of an angle; one over
} elementary[] = {
    {"sin", mpc_sin, true, false},      {"cos", mpc_cos, true, false},      {"tan", mpc_tan, true, false},
    {"cot", mpc_tan, true, true},       {"sec", mpc_cos, true, true},       {"csc", mpc_sin, true, true},
    {"arcsin", mpc_asin, false, false}, {"arccos", mpc_acos, false, false}, {"arctan", mpc_atan, false, false},
    {"asin", mpc_asin, false, false},   {"acos", mpc_acos, false, false},   {"atan", mpc_atan, false, false},
    {"sinh", mpc_sinh, false, false},   {"cosh", mpc_cosh, false, false},   {"tanh", mpc_tanh, false, false},
    {"ln", mpc_log, false, false},      {"exp", mpc_exp, false, false},     {"log", mpc_log, false, false},
    {"lg", mpc_log10, false, false},
};

static bool tame(const mpc_t x) // large arguments would take large precision
{
    return mpfr_number_p(mpc_realref(x)) && mpfr_number_p(mpc_imagref(x)) &&
           (mpfr_zero_p(mpc_realref(x)) || mpfr_get_exp(mpc_realref(x)) < 256) &&
           (mpfr_zero_p(mpc_imagref(x)) || mpfr_get_exp(mpc_imagref(x)) < 256);
}

static void to_radians(mpc_t x)
{
    mpfr_t pi;
    mpfr_init2(pi, VALUE_BITS);
    mpfr_const_pi(pi, MPFR_RNDN);
    mpc_mul_fr(x, x, pi, MPC_RNDNN);
    mpc_div_ui(x, x, 180, MPC_RNDNN);
    mpfr_clear(pi);
}

static bool has_degree(const Node *n)
{
    if (n->kind == NODE_DEGREE)
        return true;
    EACH_CHILD (c, n)
        if (has_degree(c))
            return true;
    return false;
}

static bool elementary_at(const Node *n, mpc_t value)
{
    for (size_t i = 0; i < sizeof elementary / sizeof *elementary; i++)
        if (text_is(n->name, elementary[i].name)) {
            if (elementary[i].angle && has_degree(n->first))
                to_radians(value);
            elementary[i].function(value, value, MPC_RNDNN);
            if (elementary[i].inverted)
                mpc_ui_div(value, 1, value, MPC_RNDNN);
            return true;
        }
    return false;
}

static bool is_real(const mpc_t x)
{
    return mpfr_zero_p(mpc_imagref(x)) ||
           (mpfr_regular_p(mpc_realref(x)) && mpfr_get_exp(mpc_imagref(x)) < mpfr_get_exp(mpc_realref(x)) - AGREE_BITS);
}

static bool determinant_at(Budget *b, const Node *matrix, int point, mpc_t value);

// b ^ (1 / k); the real root of a negative number where k is odd
static bool root_at(mpc_t value, mpc_t degree)
{
    bool odd = is_real(degree) && mpfr_integer_p(mpc_realref(degree)) && mpfr_get_si(mpc_realref(degree), MPFR_RNDN) % 2 != 0;
    bool turned = odd && is_real(value) && mpfr_sgn(mpc_realref(value)) < 0;
    if (mpfr_zero_p(mpc_realref(degree)) && mpfr_zero_p(mpc_imagref(degree)))
        return false;
    if (turned)
        mpc_neg(value, value, MPC_RNDNN);
    mpc_ui_div(degree, 1, degree, MPC_RNDNN);
    mpc_pow(value, value, degree, MPC_RNDNN);
    if (turned)
        mpc_neg(value, value, MPC_RNDNN);
    return true;
}

static bool call_at(Budget *b, const Node *n, int point, mpc_t value, mpc_t second)
{
    if (!spend(b, 20))
        return false;
    if (text_is(n->name, "det"))
        return n->first->kind == NODE_MATRIX && determinant_at(b, n->first, point, value);
    if (!evaluate_at(b, n->first, point, value) || !tame(value))
        return false;
    if (n->count == 2 && (!evaluate_at(b, n->last, point, second) || !tame(second)))
        return false;
    if (text_is(n->name, "abs")) {
        mpc_abs(mpc_realref(second), value, MPFR_RNDN);
        mpc_set_fr(value, mpc_realref(second), MPC_RNDNN);
        return true;
    }
    if (text_is(n->name, "root")) {
        if (n->count == 1) {
            mpc_sqrt(value, value, MPC_RNDNN);
            return true;
        }
        return root_at(value, second);
    }
    if (text_is(n->name, "log") && n->count == 2) {
        mpc_log(value, value, MPC_RNDNN);
        mpc_log(second, second, MPC_RNDNN);
        mpc_div(value, value, second, MPC_RNDNN);
        return true;
    }
    if (text_is(n->name, "floor") || text_is(n->name, "ceil")) {
        if (!is_real(value))
            return false;
        (n->name.data[0] == 'c' ? mpfr_ceil : mpfr_floor)(mpc_realref(value), mpc_realref(value));
        return true;
    }
    return elementary_at(n, value);
}

// As with roots: x^(2/3) of a negative number is a real one.
static void power_at(Budget *b, mpc_t value, mpc_t exponent, const Node *of)
{
    mpq_t q;
    mpq_init(q);
    bool turned = is_real(value) && mpfr_sgn(mpc_realref(value)) < 0 && evaluate_exact(b, of, q) &&
                  mpz_odd_p(mpq_denref(q)) != 0 && mpz_cmp_ui(mpq_denref(q), 1) != 0;
    if (turned)
        mpc_neg(value, value, MPC_RNDNN);
    mpc_pow(value, value, exponent, MPC_RNDNN);
    if (turned && mpz_odd_p(mpq_numref(q)) != 0)
        mpc_neg(value, value, MPC_RNDNN);
    mpq_clear(q);
}

static bool pair_at(Budget *b, const Node *n, int point, mpc_t value, mpc_t second)
{
    bool begun = false;
    EACH_CHILD (c, n) {
        if (!evaluate_at(b, c, point, begun ? second : value))
            return false;
        if (!begun) {
            begun = true;
            continue;
        }
        if (n->kind == NODE_ADD)
            mpc_add(value, value, second, MPC_RNDNN);
        else if (n->kind == NODE_MULTIPLY)
            mpc_mul(value, value, second, MPC_RNDNN);
        else if (n->kind == NODE_DIVIDE)
            mpc_div(value, value, second, MPC_RNDNN);
        else if (!tame(value) || !tame(second) || !spend(b, 20))
            return false;
        else
            power_at(b, value, second, c);
    }
    return true;
}

// Laplace's expansion along the first of the rows that are left; bits of `used` are columns that are not. Small ones only.
static void minor_at(mpc_t *cells, int size, unsigned used, int row, mpc_t value)
{
    mpc_set_ui(value, row == size, MPC_RNDNN);
    if (row == size)
        return;
    mpc_t part;
    mpc_init2(part, VALUE_BITS);
    for (int column = 0, sign = 1; column < size; column++) {
        if ((used >> column & 1) != 0)
            continue;
        minor_at(cells, size, used | 1u << column, row + 1, part);
        mpc_mul(part, part, cells[row * size + column], MPC_RNDNN);
        (sign > 0 ? mpc_add : mpc_sub)(value, value, part, MPC_RNDNN);
        sign = -sign;
    }
    mpc_clear(part);
}

static bool determinant_at(Budget *b, const Node *matrix, int point, mpc_t value)
{
    int size = matrix->count, made = 0;
    mpc_t cells[MATRIX_MOST * MATRIX_MOST];
    bool ok = size <= MATRIX_MOST && spend(b, 100);
    for (const Node *row = matrix->first; ok && row != NULL; row = row->next) {
        ok = row->count == size;
        for (const Node *cell = row->first; ok && cell != NULL; cell = cell->next) {
            mpc_init2(cells[made], VALUE_BITS);
            ok = evaluate_at(b, cell, point, cells[made++]);
        }
    }
    if (ok)
        minor_at(cells, size, 0, 0, value);
    while (made > 0)
        mpc_clear(cells[--made]);
    return ok;
}

static bool symbol_at(const Node *n, int point, mpc_t value)
{
    if (text_is(n->name, "pi")) {
        mpfr_const_pi(mpc_realref(value), MPFR_RNDN);
        mpfr_set_zero(mpc_imagref(value), 1);
    } else if (text_is(n->name, "e")) {
        mpc_set_ui(value, 1, MPC_RNDNN);
        mpc_exp(value, value, MPC_RNDNN);
    } else if (text_is(n->name, "i"))
        mpc_set_ui_ui(value, 0, 1, MPC_RNDNN);
    else
        symbol_value(n->name, point, value);
    return true;
}

// A short word in a formula is a product of letters; a longer one is a name.
static bool word_at(const Node *n, int point, mpc_t value)
{
    if (n->name.size > 3) {
        symbol_value(n->name, point, value);
        return true;
    }
    mpc_t letter;
    mpc_init2(letter, VALUE_BITS);
    mpc_set_ui(value, 1, MPC_RNDNN);
    for (size_t i = 0; i < n->name.size; i++) {
        Node symbol = {.kind = NODE_SYMBOL, .name = {n->name.data + i, 1}};
        symbol_at(&symbol, point, letter);
        mpc_mul(value, value, letter, MPC_RNDNN);
    }
    mpc_clear(letter);
    return true;
}

static bool rational_at(Budget *b, const Node *n, mpc_t value)
{
    mpq_t q;
    mpq_init(q);
    bool ok = evaluate_exact(b, n, q);
    if (ok)
        mpc_set_q(value, q, MPC_RNDNN);
    mpq_clear(q);
    return ok;
}

static bool node_at(Budget *b, const Node *n, int point, mpc_t value, mpc_t second)
{
    switch (n->kind) {
    case NODE_SYMBOL:
        return symbol_at(n, point, value);
    case NODE_WORD:
        return word_at(n, point, value);
    case NODE_NEGATE:
        if (!evaluate_at(b, n->first, point, value))
            return false;
        mpc_neg(value, value, MPC_RNDNN);
        return true;
    case NODE_PERCENT:
        if (!evaluate_at(b, n->first, point, value))
            return false;
        mpc_div_ui(value, value, 100, MPC_RNDNN);
        return true;
    case NODE_DEGREE:
        return evaluate_at(b, n->first, point, value);
    case NODE_ADD:
    case NODE_MULTIPLY:
    case NODE_DIVIDE:
    case NODE_POWER:
        return pair_at(b, n, point, value, second);
    case NODE_CALL:
        return call_at(b, n, point, value, second);
    case NODE_NUMBER:
    case NODE_FACTORIAL:
        return rational_at(b, n, value);
    default:
        return false;
    }
}

bool evaluate_at(Budget *b, const Node *n, int point, mpc_t value)
{
    if (!spend(b, 2))
        return false;
    mpc_t second;
    mpc_init2(second, VALUE_BITS);
    bool ok = node_at(b, n, point, value, second);
    mpc_clear(second);
    return ok && mpfr_number_p(mpc_realref(value)) && mpfr_number_p(mpc_imagref(value));
}

bool values_agree(const mpc_t a, const mpc_t b)
{
    mpc_t difference;
    mpfr_t size, larger;
    mpc_init2(difference, VALUE_BITS);
    mpfr_inits2(VALUE_BITS, size, larger, (mpfr_ptr)NULL);
    mpc_sub(difference, a, b, MPC_RNDNN);
    mpc_abs(size, a, MPFR_RNDN);
    mpc_abs(larger, b, MPFR_RNDN);
    if (mpfr_cmp(size, larger) > 0)
        mpfr_set(larger, size, MPFR_RNDN);
    mpc_abs(size, difference, MPFR_RNDN);
    mpfr_div_2ui(larger, larger, AGREE_BITS, MPFR_RNDN);
    // two that cancel to nothing leave the noise of their terms, which are of the order of 1
    bool agree = mpfr_cmp(size, larger) <= 0 || (mpfr_cmp_ui_2exp(size, 1, -AGREE_BITS - 16) <= 0);
    mpc_clear(difference);
    mpfr_clears(size, larger, (mpfr_ptr)NULL);
    return agree;
}
