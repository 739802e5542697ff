// Numbers, expressions and quantities: values that agree, rounded decimals, percentages, units.
//
// Rounding, the one rule: a decimal stands for a value that rounds to it at its last digit, if it has at least two
// significant digits (against a decimal with more places), two of them after the point (against a fraction), or three
// significant ones (against anything else: roots, pi, logarithms). A decimal is a number with a point, with or without
// a power of ten. Either side may be the rounded one. Whole numbers are exact, except those of three or more digits
// that stand for a value in another unit (298 K for 25 degrees Celsius).
#include "answers/compare/compare.h"
#include "answers/units/units.h"
#include "answers/words/words.h"
#include <ctype.h>
#include <string.h>

enum { DIGITS_LEAST = 2, DIGITS_OF_EXACT = 3 };

typedef enum Agreement { AGREE, DISAGREE, NOT_KNOWN } Agreement;

// ---- decimals

typedef struct Decimal {
    long places;            // digits after the point; a power of ten reduces them
    int significant, zeros; // zeros: those at the end
    bool point;
} Decimal;

static void digits_of(Text digits, Decimal *d)
{
    bool exponent = false, negative = false;
    long given = 0;
    for (size_t i = 0; i < digits.size; i++) {
        char c = digits.data[i];
        exponent = exponent || c == 'e' || c == 'E';
        negative = negative || (exponent && c == '-');
        d->point = d->point || c == '.';
        if (!isdigit((unsigned char)c))
            continue;
        if (exponent)
            given = given < 10000 ? 10 * given + c - '0' : given;
        else {
            d->significant += d->significant > 0 || c != '0';
            d->zeros = c == '0' && d->significant > 0 ? d->zeros + 1 : 0;
            d->places += d->point;
        }
    }
    d->places -= negative ? -given : given;
}

static bool power_of_ten(const Node *n, long *exponent)
{
    const Node *e =
        n->kind == NODE_POWER && n->count == 2 && n->first->kind == NODE_NUMBER && text_is(n->first->name, "10")
            ? n->last
            : NULL;
    bool negative = e != NULL && e->kind == NODE_NEGATE;
    e = negative ? e->first : e;
    if (e == NULL || e->kind != NODE_NUMBER || e->name.size > 4)
        return false;
    *exponent = 0;
    for (size_t i = 0; i < e->name.size; i++) {
        if (!isdigit((unsigned char)e->name.data[i]))
            return false;
        *exponent = 10 * *exponent + e->name.data[i] - '0';
    }
    *exponent = negative ? -*exponent : *exponent;
    return true;
}

// For a number, its negative, or a number times a power of ten; false: anything else
static bool decimal_of(const Node *n, Decimal *d)
{
    *d = (Decimal){0};
    long exponent = 0, hundredths = 0;
    for (; n->kind == NODE_NEGATE || n->kind == NODE_PERCENT || n->kind == NODE_DEGREE || n->kind == NODE_QUANTITY;
         n = n->first)
        hundredths += n->kind == NODE_PERCENT ? 2 : 0;
    if (n->kind == NODE_MULTIPLY && n->count == 2 && power_of_ten(n->last, &exponent))
        n = n->first;
    if (n->kind != NODE_NUMBER || memchr(n->name.data, '\\', n->name.size) != NULL ||
        (n->name.size > 1 && strchr("box", n->name.data[1]) != NULL))
        return false;
    digits_of(n->name, d);
    d->places += hundredths - exponent;
    return true;
}

// Whether `fine`, rounded to `places`, gives `rounded` (half a unit of the last place, either way)
static bool rounds_to(const mpfr_t fine, const mpfr_t rounded, long places)
{
    mpfr_t difference, unit;
    mpfr_inits2(VALUE_BITS, difference, unit, (mpfr_ptr)NULL);
    mpfr_sub(difference, fine, rounded, MPFR_RNDN);
    mpfr_abs(difference, difference, MPFR_RNDN);
    mpfr_set_ui(unit, 10, MPFR_RNDN);
    mpfr_pow_si(unit, unit, places, MPFR_RNDN);
    mpfr_mul(difference, difference, unit, MPFR_RNDN);
    bool yes = mpfr_cmp_d(difference, 0.5 + 1e-9) <= 0;
    mpfr_clears(difference, unit, (mpfr_ptr)NULL);
    return yes;
}

static bool is_rational(const Node *n)
{
    if (n->kind == NODE_SYMBOL || n->kind == NODE_WORD || n->kind == NODE_CALL)
        return false;
    EACH_CHILD (c, n)
        if (!is_rational(c))
            return false;
    return true;
}

// Whether a decimal may stand for the other: the rule above.
static bool may_round(const Node *decimal, const Node *other, bool converted, long *places)
{
    Decimal d, o;
    if (!decimal_of(decimal, &d))
        return false;
    *places = d.places;
    bool decimals = decimal_of(other, &o);
    if (converted)
        return d.significant >= (d.point ? DIGITS_LEAST : DIGITS_OF_EXACT);
    if (!d.point || (decimals && (!o.point || o.places <= d.places)))
        return false;
    bool fraction = !decimals && is_rational(other) && d.places >= DIGITS_LEAST;
    if (d.significant - d.zeros < DIGITS_LEAST)
        return false; // 1.0 stands for 1
    return d.significant >= (decimals || fraction ? DIGITS_LEAST : DIGITS_OF_EXACT);
}

// ---- values without units

static bool real(const mpc_t x) { return mpfr_zero_p(mpc_imagref(x)); }

static Agreement agree_at(Comparison *c, const Node *g, const Node *p, int point)
{
    mpc_t x, y;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    Agreement a = NOT_KNOWN;
    Budget *b = &c->budget;
    long places;
    b->magnitude = NO_MAGNITUDE;
    if (evaluate_at(b, g, point, x) && evaluate_at(b, p, point, y)) {
        a = values_agree(b, x, y) ? AGREE : DISAGREE;
        bool rounded = a == DISAGREE && !has_symbols(g) && !has_symbols(p) && real(x) && real(y) &&
                       ((may_round(p, g, false, &places) && rounds_to(mpc_realref(x), mpc_realref(y), places)) ||
                        (may_round(g, p, false, &places) && rounds_to(mpc_realref(y), mpc_realref(x), places)));
        if (rounded)
            a = AGREE;
        c->rule = rounded ? "rounding" : "value";
    }
    mpc_clear(x);
    mpc_clear(y);
    return a;
}

static bool has(const Node *n, char c) { return memchr(n->name.data, c, n->name.size) != NULL; }

static bool has_exponent(const Node *n)
{
    return n->kind == NODE_NUMBER && n->name.size > 1 && n->name.data[0] != '0' && (has(n, 'e') || has(n, 'E'));
}

// 2e3 may be a power of ten, a code, or 2 · e · 3: as a reference it equals a power of ten, and is unknown against
// 2000.
// 2e+3 and 2.0e3 are no codes.
static bool may_be_code(const Node *g, const Node *p)
{
    return has_exponent(g) && !has(g, '.') && !has(g, '-') && !has(g, '+') && p->kind == NODE_NUMBER &&
           !has_exponent(p);
}

static Verdict compare_exact(Comparison *c, const Node *g, const Node *p)
{
    mpq_t x, y;
    mpq_inits(x, y, NULL);
    Verdict v = VERDICT_UNKNOWN;
    if (evaluate_exact(&c->budget, g, x) && evaluate_exact(&c->budget, p, y))
        v = decide(c, verdict_of(mpq_equal(x, y) != 0), "value");
    mpq_clears(x, y, NULL);
    return v;
}

static bool can_round(const Node *g, const Node *p)
{
    long places;
    return may_round(g, p, false, &places) || may_round(p, g, false, &places);
}

static Verdict compare_at(Comparison *c, const Node *g, const Node *p, int first, int count)
{
    int agreed = 0;
    for (int i = first; i < first + count; i++) {
        Agreement a = agree_at(c, g, p, i);
        if (a == DISAGREE) // f(2) may well be 5
            return has_applications(g) || has_applications(p) ? decide(c, VERDICT_UNKNOWN, "unknown functions")
                                                              : VERDICT_DIFFERENT;
        agreed += a == AGREE;
    }
    return agreed > 0 ? VERDICT_EQUAL : decide(c, VERDICT_UNKNOWN, CANNOT_EVALUATE);
}

static Verdict compare_points(Comparison *c, const Node *g, const Node *p)
{
    if (!has_symbols(g) && !has_symbols(p))
        return compare_at(c, g, p, 0, 1);
    Verdict v = compare_at(c, g, p, 0, needs_signs(g) || needs_signs(p) ? 2 * POINTS : POINTS);
    if (v == VERDICT_UNKNOWN || (!needs_wholes(g) && !needs_wholes(p)))
        return v;
    return compare_at(c, g, p, WHOLE_POINT, POINTS) == v
               ? v
               : decide(c, VERDICT_UNKNOWN, "only for whole numbers, or for others");
}

// A logarithm without a base is natural or common, the same one on both sides.
static Verdict compare_with_logarithms(Comparison *c, const Node *g, const Node *p)
{
    c->budget.met_logarithm = c->budget.common_logarithm = false;
    Verdict v = compare_points(c, g, p);
    if (v != VERDICT_DIFFERENT || !c->budget.met_logarithm)
        return v;
    c->budget.common_logarithm = true;
    v = compare_points(c, g, p);
    c->budget.common_logarithm = false;
    return v;
}

static int64_t base_number(Text base) // 2, or "two"
{
    int64_t n = 0;
    char plain[16];
    base = plain_name(plain, sizeof plain, base);
    return words_number(base, &n) ? n : -1;
}

// 203_7 is not 203_8. A reference's base may be left out; a base that the reference does not have is unknown, except
// 10.
static Verdict compare_bases(Comparison *c, const Node *g, const Node *p)
{
    while (g->kind == NODE_NEGATE && p->kind == NODE_NEGATE)
        g = g->first, p = p->first;
    if (p->base.size == 0)
        return VERDICT_EQUAL;
    if (g->base.size == 0)
        return base_number(p->base) == 10 ? VERDICT_EQUAL
                                          : decide(c, VERDICT_UNKNOWN, "a base that the reference does not have");
    return decide(c, verdict_of(base_number(g->base) == base_number(p->base)), "another base");
}

Verdict compare_values(Comparison *c, const Node *g, const Node *p)
{
    Verdict bases = compare_bases(c, g, p);
    if (bases != VERDICT_EQUAL)
        return bases;
    if (!c->number && may_be_code(g, p))
        return decide(c, VERDICT_UNKNOWN, "2e3 may be a code");
    bool symbols = has_symbols(g) || has_symbols(p);
    Verdict exact = symbols ? VERDICT_UNKNOWN : compare_exact(c, g, p);
    if (exact == VERDICT_EQUAL || (exact == VERDICT_DIFFERENT && !can_round(g, p)))
        return exact;
    return compare_with_logarithms(c, g, p);
}

// ---- names that differ only in their letter: the constant of an integral, the imaginary unit

static bool is_symbol(const Node *n, const char *name) { return n->kind == NODE_SYMBOL && text_is(n->name, name); }

static bool mentions_text(const Node *n, Text name)
{
    if (n->kind == NODE_SYMBOL && texts_equal(n->name, name))
        return true;
    EACH_CHILD (child, n)
        if (mentions_text(child, name))
            return true;
    return false;
}

static bool mentions(const Node *n, const char *name)
{
    if (is_symbol(n, name))
        return true;
    EACH_CHILD (child, n)
        if (mentions(child, name))
            return true;
    return false;
}

static const char *added_constant(const Node *n) // C of x^2 + C
{
    static const char *const names[] = {"C", "c", "K", "k", NULL};
    if (n->kind == NODE_ADD)
        for (const char *const *name = names; *name != NULL; name++)
            if (is_symbol(n->last, *name))
                return *name;
    return NULL;
}

static bool other_letter(const Node *g, const Node *p, const char **from, const char **to)
{
    *to = added_constant(g);
    *from = added_constant(p);
    if (*to != NULL && *from != NULL && strcmp(*to, *from) != 0 && !mentions(g, *from) && !mentions(p, *to))
        return true;
    *from = "j", *to = "i"; // 3 + 4j; 3i and 3j are vectors
    return g->kind == NODE_ADD && p->kind == NODE_ADD && mentions(g, "i") && mentions(p, "j") && !mentions(g, "j") &&
           !mentions(p, "i");
}

// The one symbol that only this tree has; size 0: none, or several
static void other_symbol(const Node *n, const Node *not_in, Text *found, int *count)
{
    bool symbol = n->kind == NODE_SYMBOL && has_symbols(n);
    if (symbol && !mentions_text(not_in, n->name) && !(found->size > 0 && texts_equal(*found, n->name))) {
        *found = n->name;
        ++*count;
    }
    EACH_CHILD (c, n)
        other_symbol(c, not_in, found, count);
}

// A constant, or an index, under another letter: whether it is the same is unknown.
static bool is_renamed(Comparison *c, const Node *g, const Node *p)
{
    Text x = {NULL, 0}, y = {NULL, 0};
    int xs = 0, ys = 0;
    other_symbol(g, p, &x, &xs);
    other_symbol(p, g, &y, &ys);
    if (xs != 1 || ys != 1 || g->kind == NODE_SYMBOL) // x_1 and x_2 are two
        return false;
    c->budget.alias = (Alias){y, x, p};
    Verdict v = compare_values(c, g, p);
    c->budget.alias = (Alias){{NULL, 0}, {NULL, 0}, NULL};
    return v == VERDICT_EQUAL;
}

static bool has_vector(const Node *n)
{
    if (is_vector(n))
        return true;
    EACH_CHILD (c, n)
        if (has_vector(c))
            return true;
    return false;
}

static bool has_decimal(const Node *n)
{
    if (n->kind == NODE_NUMBER && memchr(n->name.data, '.', n->name.size) != NULL)
        return true;
    EACH_CHILD (c, n)
        if (has_decimal(c))
            return true;
    return false;
}

// Decimals among symbols, or in both parts of a complex number, may be rounded: within a hundredth it is unknown.
static bool is_near(Comparison *c, const Node *g, const Node *p)
{
    if ((!has_decimal(g) && !has_decimal(p)) || (g->kind == NODE_NUMBER && p->kind == NODE_NUMBER))
        return false;
    bool near = true;
    mpc_t x, y;
    mpfr_t difference, size;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    mpfr_inits2(VALUE_BITS, difference, size, (mpfr_ptr)NULL);
    for (int i = 0; near && i < POINTS; i++) {
        near = evaluate_at(&c->budget, g, i, x) && evaluate_at(&c->budget, p, i, y);
        mpc_sub(y, y, x, MPC_RNDNN);
        mpc_abs(difference, y, MPFR_RNDN);
        mpc_abs(size, x, MPFR_RNDN);
        mpfr_div_ui(size, size, 100, MPFR_RNDN);
        near = near && mpfr_cmp(difference, size) <= 0;
    }
    mpfr_clears(difference, size, (mpfr_ptr)NULL);
    mpc_clear(x);
    mpc_clear(y);
    return near;
}

static Verdict compare_letters(Comparison *c, const Node *g, const Node *p)
{
    const char *from, *to;
    Verdict v = compare_values(c, g, p);
    bool symbols = has_symbols(g) || has_symbols(p) || mentions(g, "i") || mentions(p, "i");
    if (v == VERDICT_DIFFERENT && (has_vector(g) || has_vector(p)))
        return decide(c, VERDICT_UNKNOWN, "vectors");
    if (v == VERDICT_DIFFERENT && symbols && !other_letter(g, p, &from, &to) &&
        (is_renamed(c, g, p) || is_near(c, g, p)))
        return decide(c, VERDICT_UNKNOWN, "another letter, or rounded");
    if (v != VERDICT_DIFFERENT || !other_letter(g, p, &from, &to))
        return v;
    c->budget.alias = (Alias){{from, strlen(from)}, {to, strlen(to)}, p};
    v = compare_values(c, g, p);
    c->budget.alias = (Alias){{NULL, 0}, {NULL, 0}, NULL};
    return v;
}

// ---- percentages

// 20% is 0.2, and where only one of the two has the sign, also 20.
static Verdict compare_percent(Comparison *c, const Node *g, const Node *p)
{
    bool g_percent = g->kind == NODE_PERCENT, p_percent = p->kind == NODE_PERCENT;
    if (g_percent == p_percent)
        return g_percent ? compare_values(c, g->first, p->first) : compare_letters(c, g, p);
    Verdict v = compare_values(c, g_percent ? g->first : g, p_percent ? p->first : p);
    if (v == VERDICT_EQUAL)
        return decide(c, v, "percent sign left out");
    Verdict scaled = compare_values(c, g, p);
    return scaled == VERDICT_UNKNOWN ? v : scaled;
}

// ---- units

typedef struct Amount {
    const Node *value;
    Node made[2]; // -(5 cm) as (-5) cm
    Unit unit;
    bool has_unit, degrees;
} Amount;

// Letters outside ASCII after a number without a space are an unknown unit.
static bool unit_of(Unit *unit, Text text)
{
    if (unit_read(unit, text))
        return true;
    *unit = (Unit){.numerator = 1, .denominator = 1, .offset_denominator = 1, .words_count = 1};
    size_t n = text.size < UNIT_WORD_BYTES - 1 ? text.size : UNIT_WORD_BYTES - 1;
    memcpy(unit->words[0].text, text.data, n);
    unit->words[0].exponent = 1;
    return true;
}

static void amount_of(Amount *a, const Node *n)
{
    const Node *inside = n->kind == NODE_NEGATE ? n->first : n;
    *a = (Amount){.value = n};
    a->degrees = inside->kind == NODE_DEGREE;
    if (inside->kind != NODE_QUANTITY && !a->degrees)
        return;
    a->has_unit = unit_of(&a->unit, a->degrees ? (Text){"degrees", 7} : inside->name);
    a->value = inside->first;
    if (n->kind != NODE_NEGATE)
        return;
    a->made[0] = *inside->first;
    a->made[0].next = NULL;
    a->made[1] = (Node){.kind = NODE_NEGATE, .count = 1, .first = &a->made[0], .last = &a->made[0]};
    a->value = &a->made[1];
}

// Values in units of the same dimension: exactly equal, or one is the other rounded.
static Verdict compare_converted(Comparison *c, const Amount *g, const Amount *p)
{
    mpc_t x, y, to;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    mpc_init2(to, VALUE_BITS);
    Verdict v = VERDICT_UNKNOWN;
    long places;
    c->budget.magnitude = NO_MAGNITUDE;
    if (evaluate_at(&c->budget, g->value, 0, x) && evaluate_at(&c->budget, p->value, 0, y) && real(x) && real(y)) {
        mpc_set(to, y, MPC_RNDNN);
        unit_convert_real(mpc_realref(to), &p->unit, &g->unit);
        bool agree = values_agree(&c->budget, x, to) || (may_round(g->value, p->value, true, &places) &&
                                                         rounds_to(mpc_realref(to), mpc_realref(x), places));
        mpc_set(to, x, MPC_RNDNN);
        unit_convert_real(mpc_realref(to), &g->unit, &p->unit);
        agree = agree ||
                (may_round(p->value, g->value, true, &places) && rounds_to(mpc_realref(to), mpc_realref(y), places));
        v = verdict_of(agree);
    }
    mpc_clear(x);
    mpc_clear(y);
    mpc_clear(to);
    return decide(c, v, "units converted");
}

static Verdict compare_amounts(Comparison *c, const Amount *g, const Amount *p)
{
    switch (units_compare(&g->unit, &p->unit)) {
    case UNITS_SAME: {
        Verdict v = compare_percent(c, g->value, p->value);
        return decide(c, v, "value and unit");
    }
    case UNITS_CONVERTIBLE: {
        Verdict v = compare_converted(c, g, p);
        bool offset =
            g->unit.offset_denominator != p->unit.offset_denominator; // a difference of 5 K is one of 5 degrees Celsius
        bool differences = v == VERDICT_DIFFERENT && offset && compare_values(c, g->value, p->value) == VERDICT_EQUAL;
        return differences ? decide(c, VERDICT_UNKNOWN, "a temperature, or a difference of two") : v;
    }
    case UNITS_OTHER:
        return decide(c, VERDICT_DIFFERENT, ANOTHER_UNIT);
    default:
        return decide(c, VERDICT_UNKNOWN, "units that are not known");
    }
}

static bool has_inverse(const Node *n) // arcsin
{
    if (n->kind == NODE_CALL && n->name.size > 4 && *n->name.data == 'a')
        return true;
    EACH_CHILD (c, n)
        if (has_inverse(c))
            return true;
    return false;
}

// A right angle is pi / 2: where only one has a degree sign, a multiple of pi is in radians.
static Verdict compare_angle(Comparison *c, const Amount *degrees, const Amount *plain)
{
    Verdict v = compare_values(c, degrees->value, plain->value);
    if (v == VERDICT_EQUAL || !(mentions(plain->value, "pi") || has_inverse(plain->value)))
        return v;
    Amount radians = *plain;
    if (!unit_read(&radians.unit, (Text){"rad", 3}))
        return VERDICT_UNKNOWN;
    return compare_converted(c, degrees, &radians);
}

static bool is_scale(const Unit *unit) // ppm: of no dimension
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (unit->exponents[i] != 0)
            return false;
    return unit->words_count == 0;
}

static Verdict compare_scaled(Comparison *c, const Amount *with, const Amount *without)
{
    Amount plain = *without;
    Verdict v = compare_values(c, with->value, without->value);
    if (v == VERDICT_EQUAL)
        return v;
    plain.unit = (Unit){.numerator = 1, .denominator = 1, .offset_denominator = 1};
    return compare_converted(c, with, &plain);
}

// Words after a number that are no unit: they change the number, or it is none.
static bool is_countable(const Unit *unit)
{
    static const char *const others[] = {
        "squared", "cubed",   "factorial", "root",     "inverse",  "imaginary", "conjugate", "recurring", "repeating",
        "wrong",   "false",   "rejected",  "negative", "debt",     "overdrawn", "many",      "score",     "gross",
        "grand",   "mil",     "mio",       "lakh",     "crore",    "kilo",      "giga",      "mega",      "pair",
        "decade",  "century", "dozen",     "half",     "halve",    "third",     "quarter",   "less",      "more",
        "fewer",   "not",     "incorrect", "below",    "above",    "minus",     "plus",      "time",      "too",
        "off",     "percent", "point",     "no",       "never",    "million",   "billion",   "thousand",  "hundred",
        "fail",    "short",   "couple",    "trio",     "centurie", NULL};
    Text s = {unit->words[0].text, strlen(unit->words[0].text)};
    for (const char *const *o = others; unit->words_count > 0 && *o != NULL; o++)
        for (const char *at = s.data; (at = strstr(at, *o)) != NULL; at++) {
            size_t n = strlen(*o);
            if ((at == s.data || at[-1] == ' ') && (at[n] == 0 || at[n] == ' '))
                return false;
        }
    bool scaled = unit->numerator != 1 || unit->denominator != 1 || unit->twos != 0 || unit->fives != 0; // decades
    bool ordinal = s.size > 2 && memcmp(s.data + s.size - 2, "th", 2) == 0;
    return unit->words_count <= 1 && !ordinal && !scaled;
}

// 10cd may be hexadecimal rather than candelas: letters a to f after a digit, without a space
static bool is_hexadecimal(const Node *quantity)
{
    const Node *number = quantity->first;
    Text unit = quantity->name;
    size_t n = 0;
    while (n < unit.size && unit.data[n] >= 'a' && unit.data[n] <= 'f')
        n++;
    return n > 0 && n == unit.size && number->kind == NODE_NUMBER && number->name.data + number->name.size == unit.data;
}

// An unknown unit may be left out, and added where it counts things: 14 right triangles, but not 5 foo.
static bool may_be_left_out(const Amount *a, const Node *n, bool reference)
{
    const Node *quantity = n->kind == NODE_NEGATE ? n->first : n;
    Text name = quantity->name;
    if (is_hexadecimal(quantity))
        return false;
    if (a->unit.words_count == 0)
        return true;
    bool foreign = name.size > 0 && (unsigned char)*name.data >= 0x80, plural = false;
    for (size_t i = 0; i < name.size; i++) // a word that ends in s
        plural = plural || (name.data[i] == 's' && (i + 1 == name.size || strchr(" .}", name.data[i + 1]) != NULL));
    return is_countable(&a->unit) && (reference || foreign || plural);
}

Verdict compare_quantities(Comparison *c, const Node *g, const Node *p)
{
    Amount x, y;
    amount_of(&x, g);
    amount_of(&y, p);
    if (x.has_unit && y.has_unit)
        return compare_amounts(c, &x, &y);
    if (x.has_unit == y.has_unit)
        return compare_percent(c, g, p);
    const Amount *with = x.has_unit ? &x : &y, *without = x.has_unit ? &y : &x;
    if (without->value->kind == NODE_PERCENT)
        return decide(c, VERDICT_DIFFERENT, ANOTHER_UNIT);
    if (has_symbols(without->value))
        return decide(c, VERDICT_UNKNOWN, "a quantity and an expression");
    if (!may_be_left_out(with, x.has_unit ? g : p, x.has_unit))
        return decide(c, VERDICT_UNKNOWN, "words that are no unit");
    if (is_scale(&with->unit)) // 20 ppm is 0.00002
        return compare_scaled(c, with, without);
    Verdict v = with->degrees ? compare_angle(c, with, without) : compare_values(c, x.value, y.value);
    return v == VERDICT_EQUAL && strcmp(c->rule, "units converted") != 0 ? decide(c, v, "unit left out") : v;
}

// ---- sums of quantities

static bool is_sum(const Node *n) // 5 ft 3 in; 2 hours and 30 minutes
{
    if ((n->kind != NODE_ADD && !(n->kind == NODE_LIST && n->open == 0)) || n->count < 2)
        return false;
    EACH_CHILD (part, n)
        if (part->kind != NODE_QUANTITY && !(part->kind == NODE_ADD && is_sum(part)))
            return false;
    return true;
}

// In units of *unit, taken from the first part if unset. Parts of a list must become smaller: 2 hours and 30 minutes.
static bool total_of(Comparison *c, const Node *n, Unit *unit, bool *given, Unit *before, mpfr_t total)
{
    if (n->kind != NODE_QUANTITY) {
        EACH_CHILD (part, n)
            if (!total_of(c, part, unit, given, before, total))
                return false;
        return true;
    }
    Unit own;
    mpc_t value, one;
    mpc_init2(value, VALUE_BITS);
    mpc_init2(one, VALUE_BITS);
    bool first = !*given, ok = unit_read(&own, n->name) && evaluate_at(&c->budget, n->first, 0, value) && real(value);
    if (ok && first) {
        *unit = own;
        *given = true;
    }
    UnitRelation relation = ok ? units_compare(unit, &own) : UNITS_UNKNOWN;
    ok = ok && (relation == UNITS_SAME || relation == UNITS_CONVERTIBLE);
    if (ok && before->words_count >= 0) { // a part of the one before
        mpc_set_ui(one, 1, MPC_RNDNN);
        unit_convert_real(mpc_realref(one), &own, before);
        ok = mpfr_cmp_ui(mpc_realref(one), 1) < 0;
    }
    if (ok) {
        *before = own;
        unit_convert_real(mpc_realref(value), &own, unit);
        mpfr_add(total, total, mpc_realref(value), MPFR_RNDN);
    }
    mpc_clear(value);
    mpc_clear(one);
    return ok;
}

Verdict compare_totals(Comparison *c, const Node *g, const Node *p)
{
    if (!(is_sum(g) || g->kind == NODE_QUANTITY) || !(is_sum(p) || p->kind == NODE_QUANTITY) ||
        (!is_sum(g) && !is_sum(p)))
        return VERDICT_UNKNOWN;
    Unit unit, before = {.words_count = -1};
    bool given = false;
    mpc_t x, y;
    mpc_init2(x, VALUE_BITS);
    mpc_init2(y, VALUE_BITS);
    mpc_set_ui(x, 0, MPC_RNDNN);
    mpc_set_ui(y, 0, MPC_RNDNN);
    bool ok = total_of(c, g, &unit, &given, &before, mpc_realref(x));
    before.words_count = -1;
    ok = ok && total_of(c, p, &unit, &given, &before, mpc_realref(y));
    c->budget.magnitude = NO_MAGNITUDE;
    Verdict v = ok ? verdict_of(values_agree(&c->budget, x, y)) : VERDICT_UNKNOWN;
    mpc_clear(x);
    mpc_clear(y);
    return decide(c, v, "sums of quantities");
}
