// Units as numbers: looked up, multiplied, compared, converted. units_read.c reads them from text.
#include "answers/units/units_table.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, EXPONENT_MOST = 24, POWER_MOST = 1500 };

// ---- numbers

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int strip(int64_t *number, int factor) // how often the factor was removed
{
    int count = 0;
    for (; *number % factor == 0; count++)
        *number /= factor;
    return count;
}

static bool multiply_fraction(Unit *unit, int64_t numerator, int64_t denominator)
{
    int64_t left = common_divisor(unit->numerator, denominator), right = common_divisor(numerator, unit->denominator);
    return !__builtin_mul_overflow(unit->numerator / left, numerator / right, &unit->numerator) &&
           !__builtin_mul_overflow(unit->denominator / right, denominator / left, &unit->denominator);
}

static void set_scale(Unit *unit, int64_t numerator, int64_t denominator, int tens, int pis)
{
    unit->twos = (int16_t)(tens + strip(&numerator, 2) - strip(&denominator, 2));
    unit->fives = (int16_t)(tens + strip(&numerator, 5) - strip(&denominator, 5));
    unit->pis = (int16_t)pis;
    int64_t divisor = common_divisor(numerator, denominator);
    unit->numerator = numerator / divisor;
    unit->denominator = denominator / divisor;
}

// ---- building

void unit_one(Unit *unit)
{
    memset(unit, 0, sizeof *unit);
    unit->numerator = unit->denominator = unit->offset_denominator = 1;
}

static bool add_exponent(int8_t *exponent, int more)
{
    int sum = *exponent + more;
    *exponent = (int8_t)sum;
    return abs(sum) <= EXPONENT_MOST;
}

static bool add_power(int16_t *power, int more)
{
    int sum = *power + more;
    *power = (int16_t)sum;
    return abs(sum) <= POWER_MOST;
}

bool unit_add_word(Unit *unit, const char *text, size_t size, int exponent)
{
    for (int i = 0; i < unit->words_count; i++) {
        UnitWord *word = &unit->words[i];
        if (strlen(word->text) != size || memcmp(word->text, text, size) != 0)
            continue;
        TRY(add_exponent(&word->exponent, exponent));
        if (word->exponent == 0) // km per km of apples per apple
            *word = unit->words[--unit->words_count];
        return true;
    }
    if (unit->words_count == UNIT_WORDS || size >= UNIT_WORD_BYTES || abs(exponent) > EXPONENT_MOST)
        return false;
    UnitWord *word = &unit->words[unit->words_count++];
    memcpy(word->text, text, size);
    word->text[size] = 0;
    word->exponent = (int8_t)exponent;
    return true;
}

static bool add_remark(Unit *unit, const char *remark)
{
    size_t used = strlen(unit->remark), size = strlen(remark);
    if (size == 0)
        return true;
    if (used + size + 2 >= UNIT_WORD_BYTES)
        return false;
    if (used > 0)
        unit->remark[used++] = ';';
    memcpy(unit->remark + used, remark, size + 1);
    return true;
}

bool unit_multiply(Unit *unit, const Unit *factor, int exponent)
{
    if (abs(exponent) > EXPONENT_MOST)
        return false;
    int64_t numerator = exponent > 0 ? factor->numerator : factor->denominator;
    int64_t denominator = exponent > 0 ? factor->denominator : factor->numerator;
    for (int i = 0; i < abs(exponent); i++)
        TRY(multiply_fraction(unit, numerator, denominator));
    TRY(add_power(&unit->twos, factor->twos * exponent));
    TRY(add_power(&unit->fives, factor->fives * exponent));
    TRY(add_power(&unit->pis, factor->pis * exponent));
    for (int i = 0; i < DIMENSIONS; i++)
        TRY(add_exponent(&unit->exponents[i], factor->exponents[i] * exponent));
    for (int i = 0; i < factor->words_count; i++)
        TRY(unit_add_word(unit, factor->words[i].text, strlen(factor->words[i].text),
                          factor->words[i].exponent * exponent));
    unit->doubts |= factor->doubts;
    unit->offset_numerator = factor->offset_numerator; // dropped unless it is the only one: unit_settle
    unit->offset_denominator = factor->offset_denominator;
    return add_remark(unit, factor->remark);
}

// Pounds times feet, and pounds per square of them, are forces unless a time says otherwise.
static bool pounds_of_force(const Unit *unit)
{
    int length = unit->exponents[LENGTH];
    if (!(unit->doubts & DOUBT_POUND_FORCE) || unit->exponents[MASS] != 1 || (length != 1 && length != -2))
        return false;
    for (int i = 0; i < DIMENSIONS; i++)
        if (i != MASS && i != LENGTH && unit->exponents[i] != 0)
            return false;
    return true;
}

void unit_settle(Unit *unit, int factors)
{
    if (factors != 1 || unit->exponents[TEMPERATURE] != 1) {
        unit->offset_numerator = 0;
        unit->offset_denominator = 1;
    }
    if (!pounds_of_force(unit))
        return;
    Unit gravity;
    unit_one(&gravity);
    set_scale(&gravity, 980665, 1, -5, 0);
    gravity.exponents[LENGTH] = 1;
    gravity.exponents[TIME] = -2;
    Unit force = *unit;
    if (unit_multiply(&force, &gravity, 1)) {
        *unit = force;
        unit->doubts &= (uint16_t) ~(DOUBT_POUND_FORCE | DOUBT_STERLING);
    }
}

// ---- looking up

// Among rows that begin with their key: the one with this key. NULL: none.
static const void *find(const void *rows, int count, size_t row_size, const char *key)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        const char *const *row = (const char *const *)(const void *)((const char *)rows + (size_t)middle * row_size);
        int order = strcmp(key, *row);
        if (order == 0)
            return row;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static const UnitRow *find_symbol(const char *symbol)
{
    return find(UNIT_SYMBOLS, UNIT_SYMBOL_COUNT, sizeof *UNIT_SYMBOLS, symbol);
}

static const UnitName *find_name(const char *name)
{
    return find(UNIT_NAMES, UNIT_NAME_COUNT, sizeof *UNIT_NAMES, name);
}

bool word_counts_or_joins(const char *word)
{
    return find(UNIT_NO_WORDS, UNIT_NO_WORD_COUNT, sizeof *UNIT_NO_WORDS, word) != NULL;
}

static void take_row(Unit *unit, const UnitRow *row, int tens)
{
    unit_one(unit);
    set_scale(unit, row->numerator, row->denominator, row->tens + tens, row->pis);
    memcpy(unit->exponents, row->exponents, sizeof unit->exponents);
    unit->doubts = tens != 0 ? row->doubts : row->doubts & (uint16_t)~DOUBT_BINARY;
    if (row->word != NULL)
        unit_add_word(unit, row->word, strlen(row->word), 1);
    if (row->offset_denominator != 0) {
        unit->offset_numerator = row->offset_numerator;
        unit->offset_denominator = row->offset_denominator;
    }
}

static const UnitRow *prefixed_symbol(const char *symbol, int *tens)
{
    for (int i = 0; i < UNIT_PREFIX_COUNT; i++) {
        const UnitPrefix *prefix = &UNIT_PREFIXES[i];
        if (prefix->symbol == NULL || *symbol != *prefix->symbol)
            continue;
        size_t size = strlen(prefix->symbol);
        const UnitRow *row = strncmp(symbol, prefix->symbol, size) == 0 ? find_symbol(symbol + size) : NULL;
        *tens = prefix->tens;
        if (row != NULL && (row->flags & prefix->flag))
            return row;
    }
    return NULL;
}

bool unit_of_symbol(Unit *unit, const char *symbol, uint8_t *flags)
{
    int tens = 0;
    const UnitRow *row = find_symbol(symbol);
    if (row == NULL || (row->flags & UNIT_PREFIX_ONLY))
        row = prefixed_symbol(symbol, &tens);
    if (row == NULL) {
        const UnitName *alias = find(UNIT_ALIASES, UNIT_ALIAS_COUNT, sizeof *UNIT_ALIASES, symbol);
        return alias != NULL && unit_of_symbol(unit, alias->symbol, flags);
    }
    take_row(unit, row, tens);
    *flags = row->flags;
    return true;
}

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t n = strlen(end);
    return size >= n && memcmp(text + size - n, end, n) == 0;
}

size_t word_singular(char *out, const char *word, size_t size)
{
    static const char *const irregular[][2] = {{"people", "person"},  {"men", "man"},         {"women", "woman"},
                                               {"children", "child"}, {"vertices", "vertex"}, {"halves", "half"}};
    memcpy(out, word, size);
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++)
        if (size == strlen(irregular[i][0]) && memcmp(word, irregular[i][0], size) == 0) {
            size = strlen(irregular[i][1]); // none is longer than its plural
            memcpy(out, irregular[i][1], size);
            out[size] = 0;
            return size;
        }
    static const char *const es[] = {"ses", "xes", "zes", "ches", "shes"};
    size_t cut = size > 2 && ends_with(out, size, "s") && !ends_with(out, size, "ss") && !ends_with(out, size, "us");
    for (size_t i = 0; i < sizeof es / sizeof *es; i++)
        if (size > 4 && ends_with(out, size, es[i]))
            cut = 2;
    if (size > 4 && ends_with(out, size, "ies")) {
        cut = 2;
        out[size - 3] = 'y';
    }
    size -= cut;
    out[size] = 0;
    return size;
}

static bool unit_of_prefixed_name(Unit *unit, const char *name)
{
    for (int i = 0; i < UNIT_PREFIX_COUNT; i++) {
        const UnitPrefix *prefix = &UNIT_PREFIXES[i];
        size_t size = strlen(prefix->name);
        const UnitName *base = strncmp(name, prefix->name, size) == 0 ? find_name(name + size) : NULL;
        const UnitRow *row = base != NULL ? find_symbol(base->symbol) : NULL;
        if (row == NULL || !(row->flags & PREFIXES))
            continue;
        take_row(unit, row, prefix->tens);
        return true;
    }
    return false;
}

static bool unit_of_exact_name(Unit *unit, const char *name)
{
    uint8_t flags;
    const UnitName *row = find_name(name);
    return row != NULL ? unit_of_symbol(unit, row->symbol, &flags) : unit_of_prefixed_name(unit, name);
}

// Of several words each may be a plural: degrees Celsius, atomic mass units.
static size_t singular_words(char *out, const char *words)
{
    size_t used = 0;
    while (*words != 0) {
        size_t size = strcspn(words, " ");
        used += word_singular(out + used, words, size);
        words += size;
        if (*words == ' ')
            out[used++] = *words++;
    }
    out[used] = 0;
    return used;
}

// Min and MIN are min; mIN is nothing. Longer names ignore case.
static bool short_and_mixed(const char *name)
{
    size_t size = strlen(name), capitals = 0;
    for (size_t i = 0; i < size; i++)
        capitals += isupper((unsigned char)name[i]) != 0;
    return size <= 4 && strchr(name, ' ') == NULL && capitals > 0 && capitals < size &&
           (capitals > 1 || islower((unsigned char)*name));
}

bool unit_of_name(Unit *unit, const char *name)
{
    char lower[NAME_BYTES], singular[NAME_BYTES];
    size_t size = strlen(name);
    if (size + 2 > NAME_BYTES || short_and_mixed(name))
        return false;
    for (size_t i = 0; i <= size; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    if (unit_of_exact_name(unit, lower))
        return true;
    singular_words(singular, lower);
    if (strcmp(lower, singular) != 0 && unit_of_exact_name(unit, singular))
        return true;
    bool plural = size > 2 && lower[size - 1] == 's';
    lower[size - plural] = 0; // calories are not a "calory"
    return plural && unit_of_exact_name(unit, lower);
}

// ---- comparing

static bool same_words(const Unit *a, const Unit *b)
{
    if (a->words_count != b->words_count)
        return false;
    for (int i = 0; i < a->words_count; i++) {
        bool found = false;
        for (int j = 0; j < b->words_count; j++)
            found |= strcmp(a->words[i].text, b->words[j].text) == 0 && a->words[i].exponent == b->words[j].exponent;
        if (!found)
            return false;
    }
    return true;
}

static bool same_exponents(const int8_t *a, const int8_t *b, const int8_t *difference, int sign)
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (b[i] - a[i] != sign * difference[i])
            return false;
    return true;
}

// Whether a may have been meant as a unit of b's dimensions.
static bool taken_for(const Unit *a, const Unit *b)
{
    for (int i = 0; i < UNIT_DOUBT_COUNT; i++) {
        const UnitDoubt *doubt = &UNIT_DOUBTS[i];
        if ((a->doubts & doubt->doubt) && (same_exponents(a->exponents, b->exponents, doubt->difference, 1) ||
                                           same_exponents(a->exponents, b->exponents, doubt->difference, -1)))
            return true;
    }
    return false;
}

static bool only_angles_differ(const Unit *a, const Unit *b) // the radian is 1, but rad/s is not Hz
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (i != ANGLE && a->exponents[i] != b->exponents[i])
            return false;
    return true;
}

UnitRelation units_compare(const Unit *a, const Unit *b)
{
    static const int8_t none[DIMENSIONS];
    bool remarks = *a->remark != 0 && *b->remark != 0 && strcmp(a->remark, b->remark) != 0;
    if (remarks || !same_words(a, b))
        return UNITS_UNKNOWN;
    if (!same_exponents(a->exponents, b->exponents, none, 0))
        return only_angles_differ(a, b) || taken_for(a, b) || taken_for(b, a) ? UNITS_UNKNOWN : UNITS_OTHER;
    if (a->numerator == b->numerator && a->denominator == b->denominator && a->twos == b->twos &&
        a->fives == b->fives && a->pis == b->pis && a->offset_numerator == b->offset_numerator &&
        a->offset_denominator == b->offset_denominator)
        return UNITS_SAME;
    return (a->doubts | b->doubts) & (DOUBT_SCALE | DOUBT_BINARY) ? UNITS_UNKNOWN : UNITS_CONVERTIBLE;
}

// ---- converting

static void multiply_by_power(mpq_t value, unsigned long base, int power)
{
    mpq_t factor;
    mpq_init(factor);
    mpz_ui_pow_ui(power >= 0 ? mpq_numref(factor) : mpq_denref(factor), base, (unsigned long)abs(power));
    mpz_set_ui(power >= 0 ? mpq_denref(factor) : mpq_numref(factor), 1);
    mpq_mul(value, value, factor);
    mpq_clear(factor);
}

static void set_fraction(mpq_t value, int64_t numerator, int64_t denominator)
{
    mpz_set_si(mpq_numref(value), (long)numerator);
    mpz_set_si(mpq_denref(value), (long)denominator);
    mpq_canonicalize(value);
}

static void ratio_of(mpq_t ratio, const Unit *from, const Unit *to) // without π
{
    mpq_t part;
    mpq_init(part);
    set_fraction(ratio, from->numerator, from->denominator);
    set_fraction(part, to->denominator, to->numerator);
    mpq_mul(ratio, ratio, part);
    mpq_clear(part);
    multiply_by_power(ratio, 2, from->twos - to->twos);
    multiply_by_power(ratio, 5, from->fives - to->fives);
}

static void shift_of(mpq_t shift, const Unit *from, const Unit *to) // the offset added after the ratio
{
    static const Unit si = {.numerator = 1, .denominator = 1};
    mpq_t part;
    mpq_init(part);
    set_fraction(shift, from->offset_numerator, from->offset_denominator);
    set_fraction(part, to->offset_numerator, to->offset_denominator);
    mpq_sub(shift, shift, part);
    ratio_of(part, &si, to);
    mpq_mul(shift, shift, part);
    mpq_clear(part);
}

bool unit_convert_is_exact(const Unit *from, const Unit *to) { return from->pis == to->pis; }

void unit_convert(mpq_t value, const Unit *from, const Unit *to)
{
    mpq_t part;
    mpq_init(part);
    ratio_of(part, from, to);
    mpq_mul(value, value, part);
    shift_of(part, from, to);
    mpq_add(value, value, part);
    mpq_clear(part);
}

void unit_convert_real(mpfr_t value, const Unit *from, const Unit *to)
{
    mpq_t part;
    mpfr_t pi;
    mpq_init(part);
    mpfr_init2(pi, mpfr_get_prec(value) + 16);
    mpfr_const_pi(pi, MPFR_RNDN);
    mpfr_pow_si(pi, pi, from->pis - to->pis, MPFR_RNDN);
    ratio_of(part, from, to);
    mpfr_mul_q(value, value, part, MPFR_RNDN);
    mpfr_mul(value, value, pi, MPFR_RNDN);
    shift_of(part, from, to);
    mpfr_add_q(value, value, part, MPFR_RNDN);
    mpfr_clear(pi);
    mpq_clear(part);
}
