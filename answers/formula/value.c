// Values of formulas at points, where numbers replace the symbols: complex numbers of 192 bits.
#include "answers/formula/value.h"
#include "base/base.h"
#include "system/start.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MATRIX_MOST = 4, TAME_EXPONENT = 512 };

// ---- memory of the numeric libraries

// A verdict depends on texts alone and cannot fail, and neither can GMP's numbers. Their memory is bounded, and small;
// when even that is missing, the process ends with one line, as it would at its next allocation.
static void *again(void *old, size_t before, size_t size) { return memory_or_end_again(old, size); }
static void give_back(void *memory, size_t size) { free(memory); }

// Call before any number exists. MPFR and MPC use GMP's allocators.
__attribute__((constructor)) static void watch_numbers(void)
{
    mp_set_memory_functions(memory_or_end, again, give_back);
}

// ---- the values of symbols

static bool is_constant(Text name) { return text_is(name, "pi") || text_is(name, "e") || text_is(name, "i"); }

bool has_symbols(const Node *n)
{
    if ((n->kind == NODE_SYMBOL && !is_constant(n->name)) || n->kind == NODE_WORD || n->kind == NODE_APPLY)
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

bool needs_wholes(const Node *n)
{
    static const char *const stepped[] = {"floor", "ceil", "arcsin", "arccos", "arctan", "asin", "acos", "atan"};
    for (size_t i = 0; n->kind == NODE_CALL && i < sizeof stepped / sizeof *stepped; i++)
        if (text_is(n->name, stepped[i]))
            return true;
    if (n->kind == NODE_POWER && n->first->kind == NODE_NEGATE && has_symbols(n->first->next))
        return true;
    EACH_CHILD (c, n)
        if (needs_wholes(c))
            return true;
    return false;
}

bool has_applications(const Node *n)
{
    if (n->kind == NODE_APPLY)
        return true;
    EACH_CHILD (c, n)
        if (has_applications(c))
            return true;
    return false;
}

// k_{\mathrm{B}}, k_{B} and k_B are one name.
Text plain_name(char *out, size_t capacity, Text name)
{
    static const char *const fonts[] = {"\\mathrm",       "\\text",    "\\mathit", "\\mathbf",   "\\rm", "\\mathsf",
                                        "\\operatorname", "\\mathcal", "mathbf",   "boldsymbol", "bm",   "vec",
                                        "mathcal",        NULL};
    size_t n = 0;
    for (size_t i = 0; i < name.size && n < capacity;) {
        size_t skip = 0;
        for (const char *const *font = fonts; *font != NULL && skip == 0; font++)
            if ((**font == '\\' || i == 0) && name.size - i > strlen(*font) &&
                memcmp(name.data + i, *font, strlen(*font)) == 0)
                skip = strlen(*font);
        if (skip == 0 && strchr("{}_ \\", name.data[i]) == NULL)
            out[n++] = name.data[i];
        i += skip > 0 ? skip : 1;
    }
    if (n == 4 && memcmp(out, "hat", 3) == 0 && strchr("ijk", out[3]) != NULL) { // unit vectors in any notation
        out[0] = out[3];
        n = 1;
    }
    return (Text){out, n};
}

enum { NAME_BYTES = 64 };

// Between 1/2 and 5/2, a multiple of 2^-32 that depends on the name and on the point; from WHOLE_POINT on a whole
// number from 2 to 17.
static void symbol_value(Text name, int point, mpc_t value)
{
    char plain[NAME_BYTES];
    uint64_t hash = hash_bytes(plain, plain_name(plain, sizeof plain, name).size);
    Philox bits = random_bits(hash, RANDOM_POINT, (uint32_t)(point % POINTS), 0, 0);
    if (point >= WHOLE_POINT) {
        mpc_set_ui(value, 2 + bits.v[2] % 16, MPC_RNDNN);
        return;
    }
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
    bool angle, inverted; // of an angle; its reciprocal
} elementary[] = {
    {"sin", mpc_sin, true, false},        {"cos", mpc_cos, true, false},        {"tan", mpc_tan, true, false},
    {"cot", mpc_tan, true, true},         {"sec", mpc_cos, true, true},         {"csc", mpc_sin, true, true},
    {"arcsin", mpc_asin, false, false},   {"arccos", mpc_acos, false, false},   {"arctan", mpc_atan, false, false},
    {"asin", mpc_asin, false, false},     {"acos", mpc_acos, false, false},     {"atan", mpc_atan, false, false},
    {"sinh", mpc_sinh, false, false},     {"cosh", mpc_cosh, false, false},     {"tanh", mpc_tanh, false, false},
    {"arcsinh", mpc_asinh, false, false}, {"arccosh", mpc_acosh, false, false}, {"arctanh", mpc_atanh, false, false},
    {"ln", mpc_log, false, false},        {"exp", mpc_exp, false, false},       {"log", mpc_log, false, false},
    {"lg", mpc_log10, false, false},
};

static bool tame_part(const mpfr_t x)
{
    return mpfr_zero_p(x) || (mpfr_number_p(x) && labs(mpfr_get_exp(x)) < TAME_EXPONENT);
}

// Functions of huge and tiny numbers would need as much precision.
static bool tame(const mpc_t x) { return tame_part(mpc_realref(x)) && tame_part(mpc_imagref(x)); }

static void meet(Budget *b, const mpc_t term)
{
    long real = mpfr_regular_p(mpc_realref(term)) ? (long)mpfr_get_exp(mpc_realref(term)) : NO_MAGNITUDE;
    long imaginary = mpfr_regular_p(mpc_imagref(term)) ? (long)mpfr_get_exp(mpc_imagref(term)) : NO_MAGNITUDE;
    long larger = real > imaginary ? real : imaginary;
    b->magnitude = b->magnitude > larger ? b->magnitude : larger;
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

static bool elementary_at(Budget *b, const Node *n, mpc_t value)
{
    b->magnitude = b->magnitude > 1 ? b->magnitude : 1; // sin(pi) leaves noise of the order of 1
    meet(b, value);
    for (size_t i = 0; i < sizeof elementary / sizeof *elementary; i++)
        if (text_is(n->name, elementary[i].name)) {
            if (elementary[i].angle && has_degree(n->first))
                to_radians(value);
            bool common = text_is(n->name, "log") && b->common_logarithm;
            b->met_logarithm = b->met_logarithm || text_is(n->name, "log");
            (common ? mpc_log10 : elementary[i].function)(value, value, MPC_RNDNN);
            if (elementary[i].function == mpc_exp && mpc_cmp_si(value, 0) == 0)
                return false; // too small for a number
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
    bool odd =
        is_real(degree) && mpfr_integer_p(mpc_realref(degree)) && mpfr_get_si(mpc_realref(degree), MPFR_RNDN) % 2 != 0;
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

// x!, by the gamma function
static bool factorial_at(mpc_t value)
{
    mpfr_ptr x = mpc_realref(value);
    if (!is_real(value) || mpfr_cmp_si(x, -FACTORIAL_MOST) < 0 || mpfr_cmp_ui(x, FACTORIAL_MOST) > 0)
        return false;
    mpfr_add_ui(x, x, 1, MPFR_RNDN);
    mpfr_gamma(x, x, MPFR_RNDN);
    return mpfr_number_p(x);
}

// n! / (n - k)!, and divided by k!
static bool choices_at(mpc_t n, mpc_t k, bool ordered)
{
    mpc_t rest;
    mpc_init2(rest, VALUE_BITS);
    mpc_sub(rest, n, k, MPC_RNDNN);
    bool ok = factorial_at(n) && factorial_at(rest) && (ordered || factorial_at(k)) &&
              !mpfr_zero_p(mpc_realref(rest)) && (ordered || !mpfr_zero_p(mpc_realref(k)));
    if (ok)
        mpc_div(n, n, rest, MPC_RNDNN);
    if (ok && !ordered)
        mpc_div(n, n, k, MPC_RNDNN);
    mpc_clear(rest);
    return ok;
}

// An unknown function: a polynomial that depends on its name, so that equal arguments give equal values and others do
// not.
static bool application_at(Budget *b, const Node *n, int point, mpc_t value, mpc_t second)
{
    const Node *list = n->first->kind == NODE_BRACKET ? n->first : n;
    mpc_t coefficient;
    mpc_init2(coefficient, VALUE_BITS);
    symbol_value(n->name, point, coefficient);
    mpc_set(value, coefficient, MPC_RNDNN);
    bool ok = spend(b, 20);
    for (const Node *c = list->first; ok && c != NULL; c = c == list->last ? NULL : c->next) {
        ok = evaluate_at(b, c, point, second);
        mpc_add(value, value, second, MPC_RNDNN);
        mpc_add(second, second, coefficient, MPC_RNDNN);
        mpc_mul(value, value, second, MPC_RNDNN);
    }
    mpc_clear(coefficient);
    return ok;
}

static bool call_at(Budget *b, const Node *n, int point, mpc_t value, mpc_t second)
{
    if (!spend(b, 20))
        return false;
    if (is_fold(n->name))
        return false; // of symbols
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
    if (text_is(n->name, "binomial") || text_is(n->name, "permutations"))
        return choices_at(value, second, text_is(n->name, "permutations"));
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
    return elementary_at(b, n, value);
}

// As with roots: x^(2/3) of a negative number is a real one.
static bool power_at(Budget *b, mpc_t value, mpc_t exponent, const Node *of)
{
    bool zero = mpc_cmp_si(value, 0) == 0;
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
    return zero || mpc_cmp_si(value, 0) != 0; // too small for a number
}

// ---- what is not a product of numbers

bool is_vector(const Node *n) // \vec{a}, \hat{H}, \mathbf{B}
{
    static const char *const marks[] = {"vec", "hat", "mathbf", "boldsymbol", "bm", "overrightarrow", NULL};
    for (const char *const *m = marks; n->kind == NODE_SYMBOL && *m != NULL; m++)
        if (n->name.size > strlen(*m) && memcmp(n->name.data, *m, strlen(*m)) == 0)
            return true;
    return false;
}

static bool is_capital(const Node *n) { return n->kind == NODE_SYMBOL && isupper((unsigned char)*n->name.data); }

static bool is_inverse(const Node *n) // A^{-1}
{
    return n->kind == NODE_POWER && n->last->kind == NODE_NEGATE && n->last->first->kind == NODE_NUMBER &&
           text_is(n->last->first->name, "1");
}

// Where order matters: vectors and operators, inverted matrices, g h g^{-1}; degrees and percentages of letters (5° N,
// 20% w/w)
static bool keeps_order(const Node *product)
{
    int vectors = 0, capitals = 0, inverses = 0, letters = 0, measures = 0;
    EACH_CHILD (c, product) {
        vectors += is_vector(c);
        capitals += is_capital(c) || c->kind == NODE_WORD;
        inverses +=
            is_inverse(c) && (is_capital(c->first) || c->first->kind == NODE_MULTIPLY || c->first->kind == NODE_WORD);
        measures += c->kind == NODE_DEGREE || c->kind == NODE_PERCENT;
        letters += has_symbols(c);
        EACH_CHILD (other, product)
            if (is_inverse(c) && c->first->kind == NODE_SYMBOL && other->kind == NODE_SYMBOL &&
                texts_equal(c->first->name, other->name))
                return true;
    }
    return vectors > 1 || inverses > 1 || (inverses > 0 && capitals > 0) || (measures > 0 && letters > 0);
}

// X^T and X^\dagger are no powers; neither are \pi^0 and K^0.
static bool is_no_power(const Node *n)
{
    const Node *base = n->first, *exponent = n->last;
    bool symbol = has_symbols(base) || (base->kind == NODE_SYMBOL && text_is(base->name, "pi"));
    bool transposed =
        exponent->kind == NODE_SYMBOL &&
        (text_is(exponent->name, "T") || text_is(exponent->name, "dagger") || text_is(exponent->name, "top"));
    return symbol && (transposed || (exponent->kind == NODE_NUMBER && text_is(exponent->name, "0")));
}

// A sum of symbols that is 0, or a quotient that is 1, at every point: nobody writes a number so.
static bool is_trivial(const Budget *b, const Node *n, const mpc_t value)
{
    bool nothing = mpc_cmp_si(value, 0) == 0;
    if (n->kind == NODE_ADD && !nothing && b->magnitude != NO_MAGNITUDE) {
        long real = mpfr_zero_p(mpc_realref(value)) ? NO_MAGNITUDE : (long)mpfr_get_exp(mpc_realref(value));
        long imaginary = mpfr_zero_p(mpc_imagref(value)) ? NO_MAGNITUDE : (long)mpfr_get_exp(mpc_imagref(value));
        nothing = real < b->magnitude - AGREE_BITS && imaginary < b->magnitude - AGREE_BITS;
    }
    bool trivial = (n->kind == NODE_ADD && nothing) || (n->kind == NODE_DIVIDE && mpc_cmp_si(value, 1) == 0);
    return trivial && has_symbols(n);
}

static bool pair_at(Budget *b, const Node *n, int point, mpc_t value, mpc_t second)
{
    bool begun = false;
    if ((n->kind == NODE_MULTIPLY && keeps_order(n)) || (n->kind == NODE_POWER && is_no_power(n)))
        return false;
    EACH_CHILD (c, n) {
        if (!evaluate_at(b, c, point, begun ? second : value))
            return false;
        if (n->kind == NODE_ADD)
            meet(b, begun ? second : value);
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
        else if (!power_at(b, value, second, c))
            return false;
    }
    return !is_trivial(b, n, value);
}

// Laplace's expansion along the first remaining row; bits of `used` are columns already used. For small matrices only.
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

static bool symbol_at(const Budget *b, const Node *n, int point, mpc_t value)
{
    Text name = b->aliased && texts_equal(n->name, b->alias.from) ? b->alias.to : n->name;
    if (text_is(name, "pi")) {
        mpfr_const_pi(mpc_realref(value), MPFR_RNDN);
        mpfr_set_zero(mpc_imagref(value), 1);
    } else if (text_is(name, "e")) {
        mpc_set_ui(value, 1, MPC_RNDNN);
        mpc_exp(value, value, MPC_RNDNN);
    } else if (text_is(name, "i"))
        mpc_set_ui_ui(value, 0, 1, MPC_RNDNN);
    else
        symbol_value(name, point, value);
    return true;
}

static bool is_allele(Text s) // Bb, AA; but Mm and Qq are products of masses and charges
{
    return s.size == 2 && tolower((unsigned char)s.data[0]) == tolower((unsigned char)s.data[1]) &&
           strchr("mqMQ", s.data[0]) == NULL;
}

// A short word in a formula is a product of letters; a longer one is a name, and so are differentials and genes.
static bool word_at(const Budget *b, const Node *n, int point, mpc_t value)
{
    bool differential = n->name.size == 2 && *n->name.data == 'd'; // dx
    if (n->name.size > 3 || differential || is_allele(n->name)) {
        symbol_value(n->name, point, value);
        return true;
    }
    mpc_t letter;
    mpc_init2(letter, VALUE_BITS);
    mpc_set_ui(value, 1, MPC_RNDNN);
    for (size_t i = 0; i < n->name.size; i++) {
        Node symbol = {.kind = NODE_SYMBOL, .name = {n->name.data + i, 1}};
        symbol_at(b, &symbol, point, letter);
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
        return !text_is(n->name, "infty") && symbol_at(b, n, point, value);
    case NODE_WORD:
        return word_at(b, n, point, value);
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
    case NODE_DEGREE: // on a name it makes another name: \Delta H^\circ
        if (!evaluate_at(b, n->first, point, value))
            return false;
        if (has_symbols(n->first)) {
            symbol_value((Text){"degree", 6}, point, second);
            mpc_mul(value, value, second, MPC_RNDNN);
        }
        return true;
    case NODE_ADD:
    case NODE_MULTIPLY:
    case NODE_DIVIDE:
    case NODE_POWER:
        return pair_at(b, n, point, value, second);
    case NODE_CALL:
        return call_at(b, n, point, value, second);
    case NODE_APPLY:
        return application_at(b, n, point, value, second);
    case NODE_NUMBER:
        return rational_at(b, n, value);
    case NODE_FACTORIAL:
        return rational_at(b, n, value) || (evaluate_at(b, n->first, point, value) && factorial_at(value));
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
    bool outside = !b->aliased && b->alias.tree == n;
    b->aliased = b->aliased || outside;
    bool ok = node_at(b, n, point, value, second);
    b->aliased = b->aliased && !outside;
    mpc_clear(second);
    if (mpfr_zero_p(mpc_imagref(value)))
        mpfr_set_zero(mpc_imagref(value), 1); // -0 is the other side of a branch
    return ok && mpfr_number_p(mpc_realref(value)) && mpfr_number_p(mpc_imagref(value));
}

bool values_agree(const Budget *budget, const mpc_t a, const mpc_t b)
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
    // cancellation leaves the noise of its terms
    bool agree = mpfr_cmp(size, larger) <= 0 || (budget->magnitude != NO_MAGNITUDE &&
                                                 mpfr_cmp_ui_2exp(size, 1, budget->magnitude - AGREE_BITS - 16) <= 0);
    mpc_clear(difference);
    mpfr_clears(size, larger, (mpfr_ptr)NULL);
    return agree;
}
