// Answers made up, of every kind that people write, for tests of the answer checker. Each is a function of its number and knows its exact
// value, so that it comes with spellings that say the same and with others that do not: a digit, a sign, a unit, a name, an order, a
// bracket, a word changed. What would happen to keep the value (0 for -0, two equal items swapped) is not made.
//
// Left alone is what people judge either way: a unit or a percent sign left out, a decimal with fewer digits than the reference's,
// numbers of a list in another order, (1, 2) against [1, 2]. Next: test/unit/test_answers_properties.c.
#ifndef TEST_ANSWER_MAKER_H
#define TEST_ANSWER_MAKER_H

#include "base/base.h"
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_BYTES = 400, SAME_MOST = 12, OTHERS_MOST = 24, ITEMS_MOST = 10 };

typedef struct Other {
    char text[MADE_BYTES];
    const char *how;  // it was changed
    bool as_response; // but never as a reference
} Other;

typedef struct Made {
    const char *kind;
    char row[2048];                   // with options; "": none
    char text[MADE_BYTES];            // the reference
    char same[SAME_MOST][MADE_BYTES]; // its other spellings
    Other others[OTHERS_MOST];        // that are not it
    int same_count, other_count;
    int references; // only so many of the spellings, the first ones, may be the reference; 0: all
    bool rounds;    // a longer number may round to it
} Made;

typedef struct Maker {
    Made *made;
    uint32_t number, draws;
} Maker;

static int draw(Maker *m, int below)
{
    return (int)(random_bits(23, RANDOM_DEMO, m->number, m->draws++, 0).v[0] % (uint32_t)below);
}

static int between(Maker *m, int low, int high) { return low + draw(m, high - low + 1); }

static int signed_between(Maker *m, int low, int high)
{
    return draw(m, 2) == 0 ? between(m, low, high) : -between(m, low, high);
}

static void distinct(Maker *m, int *items, int count, int low, int high)
{
    for (int i = 0; i < count;) {
        items[i] = between(m, low, high);
        bool fresh = true;
        for (int j = 0; j < i; j++)
            fresh = fresh && items[j] != items[i];
        i += fresh;
    }
}

#define STYLES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void same_list(Maker *m, const char *format, va_list list)
{
    assert(m->made->same_count < SAME_MOST);
    char *out = m->made->same[m->made->same_count++];
    int n = vsnprintf(out, MADE_BYTES, format, list);
    assert(n >= 0 && n < MADE_BYTES);
    for (int i = 0; i + 1 < m->made->same_count; i++)
        if (strcmp(m->made->same[i], out) == 0) {
            m->made->same_count--;
            return;
        }
}

// A spelling of the answer
PRINTF_LIKE(2, 3) static void same(Maker *m, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    same_list(m, format, list);
    va_end(list);
}

// All of them
static void sames(Maker *m, const char *const *styles, ...)
{
    va_list list;
    for (; *styles != NULL; styles++) {
        va_start(list, styles);
        same_list(m, *styles, list);
        va_end(list);
    }
}

// Another answer, in one of the spellings
static void other(Maker *m, const char *how, const char *const *styles, ...)
{
    assert(m->made->other_count < OTHERS_MOST);
    int count = 0;
    while (styles[count] != NULL)
        count++;
    Other *o = &m->made->others[m->made->other_count++];
    va_list list;
    va_start(list, styles);
    int n = vsnprintf(o->text, MADE_BYTES, styles[draw(m, count)], list);
    va_end(list);
    assert(n >= 0 && n < MADE_BYTES);
    o->how = how;
    o->as_response = false;
    for (int i = 0; i < m->made->same_count; i++)
        assert(strcmp(m->made->same[i], o->text) != 0);
}

static void join(char out[MADE_BYTES], const int *items, int count, const char *gap)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(out + n, MADE_BYTES - n, "%s%d", i == 0 ? "" : gap, items[i]);
    assert(n < MADE_BYTES);
}

static void swap(int *a, int *b)
{
    int kept = *a;
    *a = *b;
    *b = kept;
}

static void reverse(int *items, int count)
{
    for (int i = 0; i < count / 2; i++)
        swap(&items[i], &items[count - 1 - i]);
}

static int gcd(int a, int b) { return b == 0 ? abs(a) : gcd(b, a % b); }

// ---- numbers

static void group_digits(char *out, const char *digits, const char *gap)
{
    size_t n = strlen(digits);
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            strcat(out, gap);
        strncat(out, digits + i, 1);
    }
}

static void other_integer(Maker *m, const char *how, const char *minus, const char *digits)
{
    char grouped[96];
    group_digits(grouped, digits, ",");
    other(m, how, STYLES("%s%s"), minus, draw(m, 2) == 0 ? digits : grouped);
}

static void make_integer(Maker *m)
{
    char digits[32] = "", changed[40], grouped[96];
    int count = draw(m, 8) == 0 ? between(m, 17, 21) : between(m, 1, 12);
    for (int i = 0; i < count; i++)
        digits[i] = (char)('0' + between(m, i == 0, 9));
    const char *minus = draw(m, 3) == 0 ? "-" : "";
    sames(m, STYLES("%s%s", "$%s%s$", "\\text{%s%s}", "%s%s.0"), minus, digits);
    group_digits(grouped, digits, ",");
    same(m, "%s%s", minus, grouped);
    group_digits(grouped, digits, "{,}");
    same(m, "%s%s", minus, grouped);
    if (minus[0] != 0)
        same(m, "\xe2\x88\x92%s", digits);
    int at = draw(m, count), by = between(m, 1, 9 - (at == 0));
    strcpy(changed, digits);
    changed[at] = (char)(at == 0 ? '1' + (digits[0] - '1' + by) % 9 : '0' + (digits[at] - '0' + by) % 10);
    if (at > 0 || digits[0] != changed[0])
        other_integer(m, "changed digit", minus, changed);
    snprintf(changed, sizeof changed, "%s%c", digits, '0' + draw(m, 10));
    other_integer(m, "added digit", minus, changed);
    other_integer(m, "sign", minus[0] == 0 ? "-" : "", digits);
    if (count > 1) {
        snprintf(changed, sizeof changed, "%.*s", count - 1, digits);
        other_integer(m, "dropped digit", minus, changed);
    }
    if (count > 1 && digits[count - 1] != digits[count - 2]) {
        strcpy(changed, digits);
        changed[count - 1] = digits[count - 2];
        changed[count - 2] = digits[count - 1];
        if (changed[0] != '0')
            other_integer(m, "swapped digits", minus, changed);
    }
}

static void make_decimal(Maker *m)
{
    static const char *const styles[] = {"%s%s.%s", "$%s%s.%s$", NULL};
    char whole[16], part[16] = "", changed[24];
    const char *minus = draw(m, 3) == 0 ? "-" : "";
    int places = between(m, 1, 6);
    snprintf(whole, sizeof whole, "%d", draw(m, 3) == 0 ? 0 : between(m, 1, 9999));
    for (int i = 0; i < places; i++)
        part[i] = (char)('0' + between(m, i == places - 1, 9));
    sames(m, styles, minus, whole, part);
    same(m, "%s%s.%s0", minus, whole, part);
    if (strcmp(whole, "0") == 0)
        same(m, "%s.%s", minus, part);
    if (places < 5)
        same(m, "\\frac{%s%s%s}{1%0*d}", minus, strcmp(whole, "0") == 0 ? "" : whole, part, places, 0);
    int at = draw(m, places);
    strcpy(changed, part);
    changed[at] = (char)('0' + (part[at] - '0' + between(m, 1, 9)) % 10);
    other(m, "changed digit", styles, minus, whole, changed);
    other(m, "sign", styles, minus[0] == 0 ? "-" : "", whole, part);
    snprintf(changed, sizeof changed, "%s%d", part, between(m, 6, 9));
    other(m, "added digit, beyond rounding", styles, minus, whole, changed);
    m->made->others[m->made->other_count - 1].as_response = true; // some let fewer digits than the reference's do
    other(m, "added digit in front", STYLES("%s%d%s.%s"), minus, between(m, 1, 9), whole, part);
    snprintf(changed, sizeof changed, "%d", atoi(whole) + 1);
    other(m, "changed whole part", styles, minus, changed, part);
    m->made->rounds = true;
}

static void make_fraction(Maker *m)
{
    static const char *const styles[] = {"%s%d/%d", "%s\\frac{%d}{%d}", "%s\\dfrac{%d}{%d}", "$%s\\tfrac{%d}{%d}$", "%s(%d/%d)",
                                         NULL};
    int p = between(m, 1, 60), q = between(m, 2, 60), g = gcd(p, q);
    p /= g;
    q = q / g == 1 ? 7 : q / g;
    if (gcd(p, q) != 1)
        p = 2;
    const char *minus = draw(m, 3) == 0 ? "-" : "", *opposite = minus[0] == 0 ? "-" : "";
    sames(m, styles, minus, p, q);
    same(m, "%s\\frac{%d}{%d}", minus, 3 * p, 3 * q);
    if (p > q)
        sames(m, STYLES("%s%d\\frac{%d}{%d}", "%s%d %d/%d"), minus, p / q, p % q, q);
    other(m, "changed numerator", styles, minus, p + 1, q);
    other(m, "changed denominator", styles, minus, p, q + 1);
    other(m, "sign", styles, opposite, p, q);
    other(m, "upside down", styles, minus, q, p);
    other(m, "numerator alone", STYLES("%s%d"), minus, p);
    other(m, "sum", STYLES("%s%d"), minus, p + q);
    if (q <= 9)
        other(m, "a whole in front", STYLES("%s%d\\frac{%d}{%d}"), minus, between(m, 1, 9), p, q);
}

static void make_scientific(Maker *m)
{
    static const char *const styles[] = {"%s%d.%02d \\times 10^{%d}",
                                         "%s%d.%02d \\cdot 10^{%d}",
                                         "%s%d.%02de%d",
                                         "%s%d.%02d x 10^%d",
                                         "%s%d.%02d*10^%d",
                                         "$%s%d.%02d\\times10^{%d}$",
                                         "%s%d.%02dE%d",
                                         "%s%d.%02d × 10^%d",
                                         NULL};
    int a = between(m, 1, 9), b = 10 * draw(m, 10) + between(m, 1, 9), e = signed_between(m, 3, 30);
    const char *minus = draw(m, 4) == 0 ? "-" : "";
    sames(m, styles, minus, a, b, e);
    if (e > 2 && e < 13)
        same(m, "%s%d%02d%0*d", minus, a, b, e - 2, 0);
    if (e < 0 && e > -9)
        same(m, "%s0.%0*d%d%02d", minus, -e - 1, 0, a, b);
    other(m, "exponent and one", styles, minus, a, b, e + 1);
    other(m, "exponent less one", styles, minus, a, b, e - 1);
    other(m, "exponent and two", styles, minus, a, b, e + 2);
    other(m, "exponent less three", styles, minus, a, b, e - 3);
    other(m, "sign of the exponent", styles, minus, a, b, -e);
    other(m, "changed first digit", styles, minus, a % 9 + 1, b, e);
    other(m, "changed last digit", styles, minus, a, b / 10 * 10 + b % 10 % 9 + 1, e);
    other(m, "sign", styles, minus[0] == 0 ? "-" : "", a, b, e);
    other(m, "power of ten left out", STYLES("%s%d.%02d"), minus, a, b);
    m->made->rounds = true;
}

static const int squarefree[] = {2, 3, 5, 6, 7, 10, 11, 13, 14, 15};

static void make_root(Maker *m)
{
    static const char *const styles[] = {"%d\\sqrt{%d}", "%d*sqrt(%d)", "%d \\sqrt {%d}", "%d√%d", "%d \\cdot \\sqrt{%d}", NULL};
    int a = signed_between(m, 2, 20), which = draw(m, 10), b = squarefree[which];
    sames(m, styles, a, b);
    same(m, "%s\\sqrt{%d}", a < 0 ? "-" : "", a * a * b);
    same(m, "%s√%d", a < 0 ? "-" : "", a * a * b);
    same(m, "\\frac{%d}{\\sqrt{%d}}", a * b, b);
    other(m, "changed factor", styles, a + 1, b);
    other(m, "changed radicand", styles, a, squarefree[(which + between(m, 1, 9)) % 10]);
    other(m, "sign", styles, -a, b);
    other(m, "cube root", STYLES("%d\\sqrt[3]{%d}"), a, b);
    other(m, "sum", STYLES("%d+\\sqrt{%d}"), a, b);
    other(m, "without the root", STYLES("%d"), a * b);
    other(m, "factor under the root", STYLES("\\sqrt{%d}", "√%d"), abs(a) * b);
}

static void make_sum_with_root(Maker *m)
{
    static const char *const styles[] = {"%d%+d\\sqrt{%d}", "%d%+d*sqrt(%d)", "%d %+d √%d", NULL};
    int a = signed_between(m, 1, 20), b = signed_between(m, 2, 9), which = draw(m, 10), c = squarefree[which];
    sames(m, styles, a, b, c);
    same(m, "%d\\sqrt{%d}%+d", b, c, a);
    same(m, "\\frac{%d%+d\\sqrt{%d}}{3}", 3 * a, 3 * b, c);
    other(m, "changed summand", styles, a + 1, b, c);
    other(m, "changed factor", styles, a, b + (b == -1 ? -1 : 1), c);
    other(m, "other sign of the root", styles, a, -b, c);
    other(m, "other sign of the summand", styles, -a, b, c);
    other(m, "changed radicand", styles, a, b, squarefree[(which + between(m, 1, 9)) % 10]);
    other(m, "both signs", STYLES("%d\\pm%d\\sqrt{%d}"), a, abs(b), c);
}

static void make_pi(Maker *m)
{
    static const char *const styles[] = {"\\frac{%d\\pi}{%d}", "%d\\pi/%d", "%d*pi/%d", "%dπ/%d", "\\frac{%d \\pi}{%d}", NULL};
    int p = signed_between(m, 2, 30), q = between(m, 2, 15);
    if (p % q == 0)
        p += p > 0 ? 1 : -1;
    sames(m, styles, p, q);
    same(m, "\\frac{%d}{%d}\\pi", p, q);
    other(m, "changed numerator", styles, p + (p == -1 ? 2 : 1), q);
    other(m, "changed denominator", styles, p, q + 1);
    other(m, "sign", styles, -p, q);
    other(m, "without pi", STYLES("\\frac{%d}{%d}"), p, q);
    other(m, "pi squared", STYLES("\\frac{%d\\pi^2}{%d}"), p, q);
    other(m, "pi below", STYLES("\\frac{%d}{%d\\pi}"), p, q);
}

static void make_percentage(Maker *m)
{
    static const char *const styles[] = {"%d\\%%", "%d%%", "%d \\%%", "%d percent", "$%d\\%%$", NULL};
    int p = between(m, 2, 99);
    sames(m, styles, p);
    same(m, "0.%02d", p);
    other(m, "changed number", styles, p + 1);
    other(m, "sign", styles, -p);
    other(m, "ten times", styles, 10 * p);
    other(m, "an angle", STYLES("%d^\\circ", "%d degrees"), p);
    other(m, "per mille", STYLES("0.%03d"), p);
    m->made->rounds = true;
}

static void make_complex(Maker *m)
{
    static const char *const styles[] = {"%d%+di", "%d %+d i", "$%d%+di$", NULL};
    int a = signed_between(m, 2, 30), b = signed_between(m, 2, 30);
    sames(m, styles, a, b);
    same(m, "%di%+d", b, a);
    other(m, "conjugate", styles, a, -b);
    other(m, "real part's sign", styles, -a, b);
    other(m, "changed real part", styles, a + 1, b);
    other(m, "changed imaginary part", styles, a, b + 1 + (b == -1));
    if (a != b)
        other(m, "parts swapped", styles, b, a);
    other(m, "without i", STYLES("%d"), a + b);
    other(m, "real part alone", STYLES("%d"), a);
}

static void make_angle(Maker *m)
{
    static const char *const styles[] = {"%d^\\circ", "%d^{\\circ}", "%d°", "%d degrees", "%d \\text{ degrees}", NULL};
    int a = between(m, 2, 359);
    sames(m, styles, a);
    other(m, "changed number", styles, a + 1);
    other(m, "sign", styles, -a);
    other(m, "a percentage", STYLES("%d\\%%", "%d percent"), a);
    other(m, "a temperature's difference", STYLES("%d K"), a);
    other(m, "another whole turn's digit", styles, a + 100);
}

static void make_power(Maker *m)
{
    static const char *const styles[] = {"%d^{%d}", "%d^%d", "%d^(%d)", NULL};
    int base = between(m, 2, 9), exponent = between(m, 3, 12);
    int64_t value = 1;
    for (int i = 0; i < exponent; i++)
        value *= base;
    sames(m, styles, base, exponent);
    same(m, "%" PRId64, value);
    other(m, "changed exponent", styles, base, exponent + 1);
    other(m, "negative exponent", STYLES("%d^{%d}", "%d^(%d)"), base, -exponent);
    other(m, "base and exponent multiplied", STYLES("%d"), base * exponent);
    other(m, "one more", STYLES("%" PRId64), value + 1);
    other(m, "sign", STYLES("-%d^{%d}"), base, exponent);
}

static void make_based(Maker *m)
{
    static const char *const styles[] = {"%d%d%d_%d", "%d%d%d_{%d}", NULL};
    int base = between(m, 3, 9), a = between(m, 1, base - 1), b = draw(m, base), c = draw(m, base);
    sames(m, styles, a, b, c, base);
    other(m, "changed digit", styles, a, (b + 1) % base, c, base);
    other(m, "changed base", styles, a, b, c, base + 1);
    if (a != c && c != 0)
        other(m, "reversed", styles, c, b, a, base);
}

static void make_money(Maker *m)
{
    static const char *const styles[] = {"\\$%d.%02d", "$%d.%02d", "%d.%02d dollars", "%d.%02d \\text{ dollars}", NULL};
    int whole = between(m, 1, 999), cents = between(m, 1, 99);
    sames(m, styles, whole, cents);
    other(m, "changed cents", styles, whole, cents % 99 + 1);
    other(m, "changed dollars", styles, whole + 1, cents);
    other(m, "currency", STYLES("€%d.%02d", "£%d.%02d", "%d.%02d euros"), whole, cents);
    other(m, "sign", STYLES("-\\$%d.%02d", "-$%d.%02d"), whole, cents);
    m->made->rounds = true;
}

static void make_code(Maker *m) // a number in a large base, say, or any other string of signs
{
    static const char signs[] = "0123456789abcdfghjklmnpqrstuvwxyz";
    char text[16] = "", changed[20];
    int count = between(m, 4, 9);
    for (int i = 0; i < count; i++)
        text[i] = signs[i == 1 ? 10 + draw(m, 23) : i == 2 ? 2 + draw(m, 8) : i == 0 ? 1 + draw(m, 32) : draw(m, 33)];
    same(m, "%s", text);
    int at = draw(m, count - 1);
    strcpy(changed, text);
    changed[at] = signs[(strchr(signs, text[at]) - signs + between(m, 1, 32)) % 33];
    other(m, "changed sign", STYLES("%s"), changed);
    if (text[at] != text[at + 1]) {
        strcpy(changed, text);
        changed[at] = text[at + 1];
        changed[at + 1] = text[at];
        other(m, "swapped signs", STYLES("%s"), changed);
    }
    snprintf(changed, sizeof changed, "%.*s", count - 1, text);
    other(m, "dropped sign", STYLES("%s"), changed);
    snprintf(changed, sizeof changed, "%s%c", text, signs[draw(m, 33)]);
    other(m, "added sign", STYLES("%s"), changed);
}

// ---- quantities

typedef struct Unit {
    const char *plain, *latex, *name; // name: of several; NULL: it has none
    const char *smaller;              // a unit of which factor make one
    int factor;
    const char *wrong[3];
} Unit;

static const Unit units[] = {
    {"m", "m", "meters", "cm", 100, {"km", "s", "m^2"}},
    {"kg", "kg", "kilograms", "g", 1000, {"g", "mg", "m"}},
    {"s", "s", "seconds", "ms", 1000, {"ms", "min", "m"}},
    {"kJ", "kJ", "kilojoules", "J", 1000, {"MJ", "kW", "J"}},
    {"J", "J", "joules", "mJ", 1000, {"kJ", "N", "W"}},
    {"N", "N", "newtons", "mN", 1000, {"kN", "J", "Pa"}},
    {"W", "W", "watts", "mW", 1000, {"MW", "mW", "V"}},
    {"kW", "kW", "kilowatts", "W", 1000, {"W", "kV", "mW"}},
    {"V", "V", "volts", "mV", 1000, {"kV", "A", "mV"}},
    {"A", "A", "amperes", "mA", 1000, {"mA", "V", "C"}},
    {"Pa", "Pa", "pascals", NULL, 0, {"kPa", "pA", "N"}},
    {"kHz", "kHz", "kilohertz", "Hz", 1000, {"MHz", "Hz", "kg"}},
    {"mol", "mol", "moles", "mmol", 1000, {"mmol", "M", "kmol"}},
    {"L", "L", "liters", "mL", 1000, {"mL", "kg", "L/s"}},
    {"eV", "eV", "electron volts", "meV", 1000, {"keV", "V", "MeV"}},
    {"nm", "nm", "nanometers", "pm", 1000, {"mm", "N m", "Mm"}},
    {"h", "h", "hours", "min", 60, {"min", "s", "days"}},
    {"km", "km", "kilometers", "m", 1000, {"m", "miles", "km/h"}},
    {"m/s", "m/s", "meters per second", "cm/s", 100, {"m/s^2", "km/s", "m s"}},
    {"m/s^2", "m/s^2", NULL, "cm/s^2", 100, {"m/s", "m/s^3", "km/s^2"}},
    {"cm^2", "cm^2", NULL, "mm^2", 100, {"m^2", "cm^3", "cm"}},
    {"kJ/mol", "kJ/mol", "kilojoules per mole", "J/mol", 1000, {"J/mol", "kJ", "kJ mol"}},
    {"g/cm^3", "g/cm^3", NULL, NULL, 0, {"kg/cm^3", "g/cm^2", "cm^3/g"}},
};

// The number keeps its digits in every spelling, so that none of them rounds otherwise.
static void make_quantity(Maker *m)
{
    const Unit *u = &units[draw(m, (int)(sizeof units / sizeof *units))];
    static const char *const styles[] = {"%d %s",           "%d \\text{ %s}",   "%d\\ \\mathrm{%s}",
                                         "%d\\,\\text{%s}", "$%d \\text{ %s}$", NULL};
    int n = between(m, 2, 99) * (draw(m, 5) == 0 ? -1 : 1);
    sames(m, styles, n, u->plain);
    if (u->name != NULL)
        sames(m, STYLES("%d %s", "%d \\text{ %s}"), n, u->name);
    if (u->smaller != NULL)
        sames(m, STYLES("%d %s", "%d \\text{ %s}"), n * u->factor, u->smaller);
    other(m, "changed number", styles, n + 1, u->plain);
    other(m, "sign", styles, -n, u->plain);
    other(m, "ten times", styles, 10 * n, u->plain);
    for (int i = 0; i < 3; i++)
        other(m, "unit or prefix", styles, n, u->wrong[i]);
    if (u->smaller != NULL) {
        other(m, "unit converted, number not", styles, n, u->smaller);
        other(m, "number converted, unit not", styles, n * u->factor, u->plain);
    }
}

// Tenths, which keep their digits too
static void make_measurement(Maker *m)
{
    const Unit *u = &units[draw(m, (int)(sizeof units / sizeof *units))];
    static const char *const styles[] = {"%d.%d %s",           "%d.%d \\text{ %s}",      "%d.%d\\ \\mathrm{%s}",
                                         "%d.%d\\,\\text{%s}", "$%d.%d\\,\\mathrm{%s}$", NULL};
    int whole = between(m, 1, 99), tenths = between(m, 1, 8);
    sames(m, styles, whole, tenths, u->plain);
    if (u->name != NULL)
        sames(m, STYLES("%d.%d %s", "%d.%d \\text{ %s}"), whole, tenths, u->name);
    other(m, "changed last digit", styles, whole, tenths + 1, u->plain);
    other(m, "changed whole part", styles, whole + 1, tenths, u->plain);
    other(m, "sign", STYLES("-%d.%d %s", "-%d.%d \\text{ %s}"), whole, tenths, u->plain);
    other(m, "point moved", styles, 10 * whole + tenths, 0, u->plain);
    for (int i = 0; i < 3; i++)
        other(m, "unit or prefix", styles, whole, tenths, u->wrong[i]);
    m->made->rounds = true;
}

// ---- expressions

static void quadratic(char out[MADE_BYTES], int a, int b, int c, const char *x, const char *square)
{
    size_t n = (size_t)snprintf(out, MADE_BYTES, a == 1 ? "%.0d%s%s" : "%d%s%s", a == 1 ? 0 : a, x, square);
    if (b != 0)
        n += (size_t)snprintf(out + n, MADE_BYTES - n, abs(b) == 1 ? " %c %.0d%s" : " %c %d%s", b < 0 ? '-' : '+',
                              abs(b) == 1 ? 0 : abs(b), x);
    if (c != 0)
        snprintf(out + n, MADE_BYTES - n, " %c %d", c < 0 ? '-' : '+', abs(c));
}

static void factors(char out[MADE_BYTES], int p, int q, int r, int s, const char *x)
{
    char first[16] = "", second[16] = "";
    if (p != 1)
        snprintf(first, sizeof first, "%d", p);
    if (r != 1)
        snprintf(second, sizeof second, "%d", r);
    snprintf(out, MADE_BYTES, "(%s%s%+d)(%s%s%+d)", first, x, q, second, x, s);
}

static void other_quadratic(Maker *m, const char *how, int a, int b, int c, const char *x)
{
    static const char *const squares[] = {"^2", "^{2}", "²"};
    char text[MADE_BYTES];
    quadratic(text, a, b, c, x, squares[draw(m, 3)]);
    other(m, how, STYLES("%s"), text);
}

static void make_quadratic(Maker *m)
{
    static const char *const names[] = {"x", "y", "t", "z", "n", "w"};
    const char *x = names[draw(m, 6)];
    int p = between(m, 1, 4), r = between(m, 1, 4), q = signed_between(m, 1, 9), s = signed_between(m, 1, 9);
    int a = p * r, b = p * s + q * r, c = q * s;
    char text[MADE_BYTES], capital[2] = {(char)toupper((unsigned char)x[0]), 0};
    quadratic(text, a, b, c, x, "^2");
    same(m, "%s", text);
    quadratic(text, a, b, c, x, "^{2}");
    same(m, "%s", text);
    quadratic(text, a, b, c, x, "²");
    same(m, "%s", text);
    factors(text, p, q, r, s, x);
    same(m, "%s", text);
    factors(text, r, s, p, q, x);
    same(m, "%s", text);
    other_quadratic(m, "changed first coefficient", a + 1, b, c, x);
    other_quadratic(m, "changed middle coefficient", a, b + 1, c, x);
    other_quadratic(m, "changed constant", a, b, c + 1, x);
    if (b != 0)
        other_quadratic(m, "sign of the middle", a, -b, c, x);
    other_quadratic(m, "sign of the constant", a, b, -c, x);
    other_quadratic(m, "name of the variable", a, b, c, x[0] == 'x' ? "y" : "x");
    other_quadratic(m, "capital of the variable", a, b, c, capital);
    quadratic(text, a, b, c, x, "^3");
    other(m, "exponent", STYLES("%s"), text);
    factors(text, p, -q, r, s, x);
    other(m, "sign in a factor", STYLES("%s"), text);
    factors(text, p, q, r, s + (s == -1 ? 2 : 1), x);
    other(m, "changed factor", STYLES("%s"), text);
}

// \frac{1}{2} m v^2
static void make_monomial(Maker *m)
{
    static const char *const firsts[] = {"m", "g", "a", "b", "k", "A", "L", "R"}, *const seconds[] = {"v", "x", "y", "z",
                                                                                                      "q", "p", "u", "w"};
    static const char *const styles[] = {"\\frac{%d}{%d} %s %s^%d", "\\frac{%d}{%d}%s%s^{%d}", "(%d/%d)*%s*%s^%d",
                                         "\\frac{%d}{%d} \\cdot %s \\cdot %s^{%d}", NULL};
    const char *f = firsts[draw(m, 8)], *s = seconds[draw(m, 8)];
    int p = between(m, 1, 9), q = between(m, 2, 9), e = between(m, 2, 5);
    if (gcd(p, q) != 1 || p == q)
        p = q + 1;
    char capital[2] = {(char)(isupper((unsigned char)f[0]) ? tolower((unsigned char)f[0]) : toupper((unsigned char)f[0])), 0};
    sames(m, styles, p, q, f, s, e);
    same(m, "\\frac{%d}{%d} %s^{%d} %s", p, q, s, e, f);
    same(m, "\\frac{%d %s %s^%d}{%d}", p, f, s, e, q);
    same(m, "%d%s%s^%d/%d", p, f, s, e, q);
    other(m, "changed numerator", styles, p + 1, q, f, s, e);
    other(m, "changed denominator", styles, p, q + 1, f, s, e);
    other(m, "exponent", styles, p, q, f, s, e + 1);
    other(m, "name", styles, p, q, f, s[0] == 'x' ? "y" : "x", e);
    other(m, "capital", styles, p, q, capital, s, e);
    other(m, "exponent on the other", styles, p, q, s, f, e);
    other(m, "sign", STYLES("-\\frac{%d}{%d} %s %s^%d"), p, q, f, s, e);
    other(m, "divided", STYLES("\\frac{%d %s}{%d %s^%d}"), p, f, q, s, e);
    other(m, "sum", STYLES("\\frac{%d}{%d} %s + %s^%d"), p, q, f, s, e);
    other(m, "upside down", STYLES("\\frac{%2$d}{%1$d} %3$s %4$s^%5$d"), p, q, f, s, e);
}

static void make_linear(Maker *m)
{
    static const char *const names[][4] = {
        {"x_1", "x_2", "x_3", "X_1"}, {"x", "y", "z", "X"}, {"\\alpha", "\\beta", "\\gamma", "\\Alpha"},
        {"a", "b", "c", "A"},         {"p", "q", "r", "P"}, {"k_a", "k_b", "k_c", "K_a"}};
    static const char *const styles[] = {"%d%s %+d%s", "%d %s %+d %s", "%d*%s %+d*%s", NULL};
    const char *const *n = names[draw(m, 6)];
    int a = signed_between(m, 2, 9), b = signed_between(m, 2, 9);
    sames(m, styles, a, n[0], b, n[1]);
    same(m, "%d%s %+d%s", b, n[1], a, n[0]);
    same(m, "\\frac{%d%s %+d%s}{2}", 2 * a, n[0], 2 * b, n[1]);
    other(m, "changed first coefficient", styles, a + 1, n[0], b, n[1]);
    other(m, "changed second coefficient", styles, a, n[0], b - 1, n[1]);
    other(m, "sign", styles, a, n[0], -b, n[1]);
    other(m, "both signs", styles, -a, n[0], -b, n[1]);
    other(m, "name", styles, a, n[0], b, n[2]);
    if (strcmp(n[3], "\\Alpha") != 0)
        other(m, "capital", styles, a, n[3], b, n[1]);
    if (a != b)
        other(m, "names swapped", styles, a, n[1], b, n[0]);
    other(m, "first term alone", STYLES("%d%s"), a, n[0]);
    other(m, "product", STYLES("%d%s %s"), a * b, n[0], n[1]);
}

static void make_three(Maker *m) // 4xy - 3z^2
{
    static const char *const names[][3] = {{"x", "y", "z"}, {"a", "b", "c"}, {"u", "v", "w"}, {"p", "q", "r"}};
    static const char *const styles[] = {"%d%s%s %+d%s^%d", "%d %s %s %+d %s^{%d}", "%d*%s*%s %+d*%s^%d", NULL};
    const char *const *n = names[draw(m, 4)];
    int a = signed_between(m, 2, 9), b = signed_between(m, 2, 9), e = between(m, 2, 4);
    sames(m, styles, a, n[0], n[1], b, n[2], e);
    same(m, "%d%s^%d %+d%s%s", b, n[2], e, a, n[1], n[0]);
    other(m, "changed coefficient", styles, a + 1, n[0], n[1], b, n[2], e);
    other(m, "sign", styles, a, n[0], n[1], -b, n[2], e);
    other(m, "exponent", styles, a, n[0], n[1], b, n[2], e + 1);
    other(m, "names swapped", styles, a, n[0], n[2], b, n[1], e);
    other(m, "a name left out", STYLES("%d%s %+d%s^%d"), a, n[0], b, n[2], e);
    other(m, "a sum for a product", STYLES("%d(%s+%s) %+d%s^%d"), a, n[0], n[1], b, n[2], e);
    other(m, "quotient", STYLES("\\frac{%d%s}{%s} %+d%s^%d"), a, n[0], n[1], b, n[2], e);
}

// \sqrt{\frac{2E}{m}}
static void make_physics(Maker *m)
{
    static const char *const names[][3] = {
        {"E", "m", "M"}, {"k", "m", "M"}, {"g", "l", "L"}, {"T", "\\mu", "\\nu"}, {"V", "R", "r"}};
    static const char *const styles[] = {"\\sqrt{\\frac{%d%s}{%s}}", "\\sqrt{%d %s/%s}", "sqrt(%d*%s/%s)",
                                         "\\left(\\frac{%d %s}{%s}\\right)^{1/2}", NULL};
    const char *const *n = names[draw(m, 5)];
    int a = between(m, 2, 30);
    bool latex = n[1][0] == '\\';
    for (int i = 0; styles[i] != NULL; i++)
        if (i != 2 || !latex)
            sames(m, STYLES(styles[i]), a, n[0], n[1]);
    other(m, "changed factor", STYLES(styles[0], styles[1], styles[3]), a + 1, n[0], n[1]);
    other(m, "upside down", STYLES(styles[0], styles[1], styles[3]), a, n[1], n[0]);
    other(m, "capital or other name", STYLES(styles[0], styles[1], styles[3]), a, n[0], n[2]);
    other(m, "without the root", STYLES("\\frac{%d%s}{%s}"), a, n[0], n[1]);
    other(m, "factor outside", STYLES("%d\\sqrt{\\frac{%s}{%s}}"), a, n[0], n[1]);
    other(m, "sign", STYLES("-\\sqrt{\\frac{%d%s}{%s}}"), a, n[0], n[1]);
    other(m, "cube root", STYLES("\\sqrt[3]{\\frac{%d%s}{%s}}"), a, n[0], n[1]);
}

static void make_rational(Maker *m)
{
    static const char *const styles[] = {"\\frac{%dx%+d}{%dx%+d}", "(%dx%+d)/(%dx%+d)", "\\dfrac{%dx %+d}{%dx %+d}", NULL};
    int a = between(m, 2, 9), b = signed_between(m, 1, 9), c = between(m, 2, 9), d = signed_between(m, 1, 9);
    while (a * d == b * c || (a == c && abs(b) == abs(d)))
        a++;
    sames(m, styles, a, b, c, d);
    same(m, "\\frac{%dx%+d}{%dx%+d}", -a, -b, -c, -d);
    same(m, "\\frac{%d%+dx}{%d%+dx}", b, a, d, c);
    other(m, "changed coefficient", styles, a + 1, b, c, d);
    other(m, "changed constant", styles, a, b, c, d + (d == -1 ? 2 : 1));
    other(m, "sign above", styles, a, -b, c, d);
    other(m, "upside down", styles, c, d, a, b);
    other(m, "sign", STYLES("-\\frac{%dx%+d}{%dx%+d}"), a, b, c, d);
    other(m, "numerator alone", STYLES("%dx%+d"), a, b);
}

static void make_function(Maker *m)
{
    static const char *const names[] = {"sin", "cos", "tan", "ln", "exp"};
    static const char *const styles[] = {"%d\\%s(%dx)", "%d \\%s\\left(%dx\\right)", "%d*%s(%d*x)", NULL};
    int which = draw(m, 5), a = between(m, 2, 9), b = between(m, 2, 9);
    const char *f = names[which], *g = names[(which + between(m, 1, 4)) % 5];
    sames(m, styles, a, f, b);
    same(m, "\\%s(%dx) \\cdot %d", f, b, a);
    other(m, "function", styles, a, g, b);
    other(m, "changed factor", styles, a + 1, f, b);
    other(m, "changed argument", styles, a, f, b + 1);
    other(m, "sign", styles, -a, f, b);
    other(m, "factor inside", STYLES("\\%s(%dx)"), f, a * b);
    other(m, "square", STYLES("%d\\%s^2(%dx)"), a, f, b);
    other(m, "name of the variable", STYLES("%d\\%s(%dy)"), a, f, b);
}

static void make_symbol(Maker *m)
{
    static const char *const pairs[][4] = {// itself, otherwise spelled, another capital, another
                                           {"x", "$x$", "X", "y"},
                                           {"n", "\\(n\\)", "N", "m"},
                                           {"T", "\\mathrm{T}", "t", "V"},
                                           {"\\omega", "ω", "\\Omega", "\\phi"},
                                           {"\\Delta", "Δ", "\\delta", "D"},
                                           {"k_B", "k_{B}", "k_b", "k_C"},
                                           {"m_e", "m_{\\text{e}}", "M_e", "m_p"},
                                           {"v_0", "v_{0}", "V_0", "v_1"},
                                           {"R", "$R$", "r", "P"},
                                           {"\\lambda", "λ", "\\Lambda", "\\mu"},
                                           {"\\rho", "ρ", "p", "\\sigma"},
                                           {"f'", "f^{\\prime}", "F'", "f"}};
    const char *const *p = pairs[draw(m, (int)(sizeof pairs / sizeof *pairs))];
    same(m, "%s", p[0]);
    same(m, "%s", p[1]);
    other(m, "capital", STYLES("%s", "$%s$"), p[2]);
    other(m, "name", STYLES("%s", "$%s$"), p[3]);
    other(m, "sign", STYLES("-%s"), p[0]);
    other(m, "squared", STYLES("%s^2"), p[0]);
    other(m, "twice", STYLES("2%s"), p[0]);
}

// ---- equations

static void make_line(Maker *m)
{
    static const char *const styles[] = {"y = %dx %+d", "y=%dx%+d", "$y = %dx %+d$", NULL};
    int a = signed_between(m, 2, 9), b = signed_between(m, 1, 20);
    sames(m, styles, a, b);
    same(m, "%dx - y %+d = 0", a, b);
    same(m, "y %+dx = %d", -a, b);
    same(m, "%d %+dx = y", b, a);
    same(m, "2y = %dx %+d", 2 * a, 2 * b);
    other(m, "slope", styles, a + 1, b);
    other(m, "constant", styles, a, b + 1);
    other(m, "sign of the slope", styles, -a, b);
    other(m, "sign of the constant", styles, a, -b);
    other(m, "variables swapped", STYLES("x = %dy %+d"), a, b);
    other(m, "name", STYLES("y = %dt %+d"), a, b);
    other(m, "capital", STYLES("y = %dX %+d"), a, b);
    other(m, "an inequality", STYLES("y < %dx %+d", "y \\ge %dx %+d"), a, b);
    other(m, "constant alone", STYLES("%.0d%d"), 0, b);
}

static void make_inequality(Maker *m)
{
    static const char *const relations[][4] = {
        {"<", "<", ">", "\\le"}, {">", "\\gt", "<", "\\ge"}, {"\\le", "\\leq", "\\ge", "<"}, {"\\ge", "≥", "\\le", ">"}};
    int which = draw(m, 4);
    const char *const *r = relations[which];
    int a = between(m, 2, 9), b = signed_between(m, 2, 9), c = signed_between(m, 1, 30);
    same(m, "%dx %+dy %s %d", a, b, r[0], c);
    same(m, "%dx%+dy %s %d", a, b, r[1], c);
    same(m, "%d %s %dx %+dy", c, r[2], a, b);
    same(m, "%dx %+dy %+d %s 0", a, b, -c, r[0]);
    other(m, "direction", STYLES("%dx %+dy %s %d"), a, b, r[2], c);
    other(m, "strictness", STYLES("%dx %+dy %s %d"), a, b, r[3], c);
    other(m, "changed number", STYLES("%dx %+dy %s %d"), a, b, r[0], c + 1);
    other(m, "sign of a term", STYLES("%dx %+dy %s %d"), a, -b, r[0], c);
    other(m, "an equation", STYLES("%dx %+dy = %d"), a, b, c);
    other(m, "not equal", STYLES("%dx %+dy \\ne %d"), a, b, c);
    other(m, "number alone", STYLES("%d"), c);
}

static void make_named_value(Maker *m)
{
    static const char *const names[] = {"x", "k", "n", "t", "y", "v_0", "\\theta"};
    static const char *const styles[] = {"%s = %d", "%s=%d", "$%s = %d$", NULL};
    int which = draw(m, 7), a = signed_between(m, 2, 999);
    const char *x = names[which];
    sames(m, styles, x, a);
    same(m, "%.0s%d", x, a);
    other(m, "changed number", styles, x, a + 1);
    other(m, "sign", styles, x, -a);
    other(m, "not equal", STYLES("%s \\ne %d", "%s \\neq %d", "%s ≠ %d"), x, a);
    other(m, "less", STYLES("%s < %d", "%s \\le %d"), x, a);
    other(m, "squared", STYLES("%s^2 = %d"), x, a);
}

// Here the reference has its name in every spelling, so another name is another statement.
static void make_named_values(Maker *m)
{
    static const char *const styles[] = {"x = %d, y = %d",
                                         "x=%d,y=%d",
                                         "x = %d \\text{ and } y = %d",
                                         "x = %d and y = %d",
                                         "(x,y) = (%d,%d)",
                                         "y = %2$d, x = %1$d",
                                         "x = %d; y = %d",
                                         NULL};
    int v[2];
    distinct(m, v, 2, -30, 60);
    sames(m, styles, v[0], v[1]);
    other(m, "values swapped", styles, v[1], v[0]);
    other(m, "first changed", styles, v[0] + 1, v[1]);
    other(m, "second changed", styles, v[0], v[1] + 300);
    if (v[0] != 0)
        other(m, "sign", styles, -v[0], v[1]);
    other(m, "a name", STYLES("x = %d, z = %d"), v[0], v[1]);
    other(m, "one left out", STYLES("x = %d"), v[0]);
    other(m, "one more", STYLES("x = %d, y = %d, z = 1"), v[0], v[1]);
    other(m, "names swapped", STYLES("(y,x) = (%d,%d)", "y = %d, x = %d"), v[0], v[1]);
}

static void make_implication(Maker *m)
{
    static const char *const styles[] = {"%s \\to %s", "%s \\rightarrow %s", "%s → %s", "%s -> %s", NULL};
    static const char *const names[] = {"p", "q", "r", "s"};
    int v[2];
    distinct(m, v, 2, 0, 3);
    const char *p = names[v[0]], *q = names[v[1]];
    sames(m, styles, p, q);
    other(m, "sides swapped", styles, q, p);
    other(m, "consequence negated", STYLES("%s \\to \\neg %s"), p, q);
    other(m, "conjunction", STYLES("%s \\land %s"), p, q);
    other(m, "consequence alone", STYLES("%.0s%s"), p, q);
    other(m, "another name", styles, p, names[v[1]][0] == 's' || p[0] == 's' ? "t" : "s");
    other(m, "back arrow", STYLES("%s \\leftarrow %s"), p, q);
}

// ---- lists, tuples, rows

static void make_list(Maker *m)
{
    int items[ITEMS_MOST], count = between(m, 2, 5);
    char text[MADE_BYTES];
    distinct(m, items, count, -40, 99);
    join(text, items, count, ", ");
    sames(m, STYLES("%s", "$%s$", "\\{%s\\}"), text);
    if (count == 2)
        sames(m, STYLES("%d \\text{ and } %d", "%d and %d"), items[0], items[1]);
    join(text, items, count - 1, ", ");
    other(m, "one left out", STYLES("%s", "\\{%s\\}"), text);
    items[count] = 150;
    join(text, items, count + 1, ", ");
    other(m, "one more", STYLES("%s", "\\{%s\\}"), text);
    int at = draw(m, count), kept = items[at];
    items[at] = 150;
    join(text, items, count, ", ");
    other(m, "one changed", STYLES("%s", "\\{%s\\}"), text);
    items[at] = items[(at + 1) % count];
    join(text, items, count, ", ");
    other(m, "one twice", STYLES("%s"), text);
    items[at] = kept == 0 ? 151 : -kept;
    bool there = false;
    for (int i = 0; i < count; i++)
        there = there || (i != at && items[i] == -kept);
    join(text, items, count, ", ");
    if (!there)
        other(m, "sign", STYLES("%s", "\\{%s\\}"), text);
}

static void make_set(Maker *m)
{
    int items[ITEMS_MOST], count = between(m, 3, 6);
    char text[MADE_BYTES];
    distinct(m, items, count, -40, 99);
    join(text, items, count, ", ");
    sames(m, STYLES("\\{%s\\}", "\\left\\{%s\\right\\}", "$\\{%s\\}$"), text);
    reverse(items, count);
    join(text, items, count, ", ");
    same(m, "\\{%s\\}", text);
    join(text, items, count - 1, ", ");
    other(m, "one left out", STYLES("\\{%s\\}"), text);
    items[count] = 150;
    join(text, items, count + 1, ", ");
    other(m, "one more", STYLES("\\{%s\\}"), text);
    items[draw(m, count)] = 150;
    join(text, items, count, ", ");
    other(m, "one changed", STYLES("\\{%s\\}"), text);
    other(m, "how many", STYLES("%d"), count);
}

static void make_tuple(Maker *m)
{
    static const char *const styles[] = {"(%s)", "\\left(%s\\right)", "$(%s)$", "\\langle %s \\rangle", NULL};
    int items[ITEMS_MOST], count = between(m, 2, 5);
    char text[MADE_BYTES];
    distinct(m, items, count, -40, 99);
    join(text, items, count, ", ");
    sames(m, styles, text);
    join(text, items, count, " \\\\ ");
    sames(m, STYLES("\\begin{pmatrix}%s\\end{pmatrix}", "\\begin{bmatrix} %s \\end{bmatrix}"), text);
    int at = draw(m, count - 1);
    swap(&items[at], &items[at + 1]);
    join(text, items, count, ", ");
    other(m, "two swapped", styles, text);
    swap(&items[at], &items[at + 1]);
    reverse(items, count);
    join(text, items, count, ", ");
    other(m, "reversed", styles, text);
    reverse(items, count);
    items[count] = 5;
    join(text, items, count + 1, ", ");
    other(m, "one more", styles, text);
    if (count > 2) {
        join(text, items, count - 1, ", ");
        other(m, "one left out", styles, text);
    }
    items[at] = 150;
    join(text, items, count, ", ");
    other(m, "one changed", styles, text);
}

static void make_pairs(Maker *m)
{
    static const char *const styles[] = {"(%d, %d), (%d, %d)", "(%d,%d),(%d,%d)", "(%d, %d) \\text{ and } (%d, %d)",
                                         "\\{(%d, %d), (%d, %d)\\}", NULL};
    int v[4];
    distinct(m, v, 4, -20, 60);
    sames(m, styles, v[0], v[1], v[2], v[3]);
    other(m, "swapped in a pair", styles, v[1], v[0], v[2], v[3]);
    other(m, "swapped between pairs", styles, v[0], v[3], v[2], v[1]);
    other(m, "one changed", styles, v[0], v[1], v[2], v[3] + 100);
    other(m, "one left out", STYLES("(%d, %d)"), v[0], v[1]);
    other(m, "one more", STYLES("(%d, %d), (%d, %d), (1, 1)"), v[0], v[1], v[2], v[3]);
    other(m, "without brackets", STYLES("%d, %d, %d, %d"), v[0], v[1], v[2], v[3]);
    other(m, "one of four", STYLES("(%d, %d, %d, %d)"), v[0], v[1], v[2], v[3]);
}

static int64_t product_of(const int *items, int count) // below 100 to the 7th
{
    int64_t product = 1;
    for (int i = 0; i < count; i++)
        product *= items[i];
    return product;
}

// Numbers with spaces between them are a row, not a product.
static void make_row(Maker *m)
{
    int items[ITEMS_MOST], count = between(m, 3, 7), sum = 0;
    char text[MADE_BYTES];
    distinct(m, items, count, 0, draw(m, 2) == 0 ? 9 : 99);
    join(text, items, count, " ");
    same(m, "%s", text);
    same(m, "\\text{%s}", text);
    join(text, items, count, "  ");
    same(m, "%s", text);
    join(text, items, count, ", ");
    m->made->references = m->made->same_count;
    same(m, "%s", text); // as a reference, numbers with commas may be a list whose order does not count
    for (int i = 0; i < count; i++)
        sum += items[i];
    other(m, "product", STYLES("%" PRId64), product_of(items, count));
    other(m, "sum", STYLES("%d"), sum);
    join(text, items, count - 1, " ");
    other(m, "one left out", STYLES("%s"), text);
    items[count] = between(m, 0, 9);
    join(text, items, count + 1, " ");
    other(m, "one more", STYLES("%s"), text);
    join(text, items, count, " \\cdot ");
    other(m, "multiplied", STYLES("%s"), text);
    join(text, items, count, "");
    other(m, "without spaces", STYLES("%s"), text);
    reverse(items, count);
    join(text, items, count, " ");
    other(m, "reversed", STYLES("%s"), text);
    reverse(items, count);
    int at = draw(m, count - 1);
    swap(&items[at], &items[at + 1]);
    join(text, items, count, " ");
    other(m, "two swapped", STYLES("%s"), text);
    items[at] = (items[at] + 1) % 100;
    swap(&items[at], &items[at + 1]);
    join(text, items, count, " ");
    other(m, "one changed", STYLES("%s"), text);
}

static void grid(char out[MADE_BYTES], const int *items, int rows, int columns, const char *gap, const char *line_end)
{
    size_t n = 0;
    for (int i = 0; i < rows * columns; i++)
        n += (size_t)snprintf(out + n, MADE_BYTES - n, "%s%d", i == 0 ? "" : i % columns == 0 ? line_end : gap, items[i]);
    assert(n < MADE_BYTES);
}

static void transpose(int *out, const int *items, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            out[j * rows + i] = items[i * columns + j];
}

// Digits in lines, as puzzles have them
static void make_grid(Maker *m)
{
    int items[ITEMS_MOST], other_items[ITEMS_MOST], rows = between(m, 2, 3), columns = 3;
    char text[MADE_BYTES];
    distinct(m, items, rows * columns, 0, 9);
    grid(text, items, rows, columns, " ", "\n");
    same(m, "%s", text);
    grid(text, items, rows, columns, "  ", " \n");
    same(m, "%s", text);
    grid(text, items, rows, columns, " ", " ");
    other(m, "in one line", STYLES("%s"), text);
    transpose(other_items, items, rows, columns);
    grid(text, other_items, columns, rows, " ", "\n");
    other(m, "transposed", STYLES("%s"), text);
    grid(text, items, rows - 1, columns, " ", "\n");
    other(m, "a line left out", STYLES("%s"), text);
    other(m, "product", STYLES("%" PRId64), product_of(items, rows * columns));
    int at = draw(m, rows * columns - 1);
    swap(&items[at], &items[at + 1]);
    grid(text, items, rows, columns, " ", "\n");
    other(m, "two swapped", STYLES("%s"), text);
    swap(&items[at], &items[at + 1]);
    reverse(items, rows * columns);
    grid(text, items, rows, columns, " ", "\n");
    other(m, "reversed", STYLES("%s"), text);
}

static void make_matrix(Maker *m)
{
    static const char *const styles[] = {"\\begin{pmatrix} %s \\end{pmatrix}", "\\begin{bmatrix}%s\\end{bmatrix}",
                                         "\\left(\\begin{array}{ccc} %s \\end{array}\\right)", NULL};
    int items[ITEMS_MOST], other_items[ITEMS_MOST], rows = between(m, 2, 3), columns = between(m, 2, 3);
    char text[MADE_BYTES];
    distinct(m, items, rows * columns, -20, 40);
    grid(text, items, rows, columns, " & ", " \\\\ ");
    sames(m, styles, text);
    grid(text, items, rows, columns, ", ", "], [");
    same(m, "[[%s]]", text);
    transpose(other_items, items, rows, columns);
    grid(text, other_items, columns, rows, " & ", " \\\\ ");
    other(m, "transposed", styles, text);
    int at = draw(m, rows * columns - 1);
    swap(&items[at], &items[at + 1]);
    grid(text, items, rows, columns, " & ", " \\\\ ");
    other(m, "two swapped", styles, text);
    swap(&items[at], &items[at + 1]);
    items[at] += 100;
    grid(text, items, rows, columns, " & ", " \\\\ ");
    other(m, "one changed", styles, text);
    items[at] = items[at] == 100 ? 9 : 100 - items[at];
    grid(text, items, rows, columns, " & ", " \\\\ ");
    other(m, "sign", styles, text);
    if (rows == 3) {
        grid(text, items, 2, columns, " & ", " \\\\ ");
        other(m, "a row left out", styles, text);
    }
}

// ---- intervals

static void make_interval(Maker *m)
{
    int a = between(m, -30, 30), b = a + between(m, 2, 40);
    bool left = draw(m, 2) == 0; // the left end is closed, and the right one open; or the other way round
    const char *open = left ? "[" : "(", *close = left ? ")" : "]", *below = left ? "\\le" : "<", *above = left ? "<" : "\\le";
    same(m, "%s%d, %d%s", open, a, b, close);
    same(m, "\\left%s%d, %d\\right%s", open, a, b, close);
    same(m, "%d %s x %s %d", a, below, above, b);
    same(m, "x \\in %s%d, %d%s", open, a, b, close);
    same(m, "\\{x : %d %s x %s %d\\}", a, below, above, b);
    other(m, "brackets swapped", STYLES("%s%d, %d%s"), left ? "(" : "[", a, b, left ? "]" : ")");
    other(m, "both open", STYLES("(%d, %d)", "%d < x < %d"), a, b);
    other(m, "both closed", STYLES("[%d, %d]", "%d \\le x \\le %d"), a, b);
    other(m, "left end", STYLES("%s%d, %d%s"), open, a + 1, b, close);
    other(m, "right end", STYLES("%s%d, %d%s"), open, a, b + 1, close);
    other(m, "mirrored", STYLES("%s%d, %d%s"), open, -b, -a + (a == -b), close);
    other(m, "one end alone", STYLES("x %s %d"), above, b);
    other(m, "its length", STYLES("%d"), b - a);
}

static void make_ray(Maker *m)
{
    int a = between(m, -40, 40);
    bool up = draw(m, 2) == 0, closed = draw(m, 2) == 0;
    const char *relation = up       ? closed ? "\\ge" : ">"
                           : closed ? "\\le"
                                    : "<",
               *flipped = up       ? closed ? "\\le" : "<"
                          : closed ? "\\ge"
                                   : ">";
    const char *loose = up ? closed ? ">" : "\\ge" : closed ? "<" : "\\le";
    static const char *const up_styles[] = {"%s%d, \\infty)", "%s%d, ∞)", NULL}, *const down_styles[] = {"(-\\infty, %2$d%1$s",
                                                                                                         "(-∞, %2$d%1$s", NULL};
    const char *const *styles = up ? up_styles : down_styles;
    const char *bracket = up ? closed ? "[" : "(" : closed ? "]" : ")", *wrong = up ? closed ? "(" : "[" : closed ? ")" : "]";
    sames(m, styles, bracket, a);
    same(m, "x %s %d", relation, a);
    same(m, "%d %s x", a, flipped);
    other(m, "bracket", styles, wrong, a);
    other(m, "strictness", STYLES("x %s %d"), loose, a);
    other(m, "direction", STYLES("x %s %d"), flipped, a);
    other(m, "changed end", styles, bracket, a + 1);
    if (a != 0)
        other(m, "sign", styles, bracket, -a);
    other(m, "an equation", STYLES("x = %d"), a);
    other(m, "its end", STYLES("%d"), a);
    other(m, "all but one", STYLES("x \\ne %d"), a);
}

static void make_union(Maker *m)
{
    int a = between(m, -30, 10), b = a + between(m, 2, 9), c = b + between(m, 2, 9), d = c + between(m, 2, 9);
    static const char *const styles[] = {"[%d, %d) \\cup (%d, %d]", "[%d,%d)\\cup(%d,%d]", "[%d, %d) ∪ (%d, %d]", NULL};
    sames(m, styles, a, b, c, d);
    same(m, "(%d, %d] \\cup [%d, %d)", c, d, a, b);
    same(m, "%d \\le x < %d \\text{ or } %d < x \\le %d", a, b, c, d);
    other(m, "a bracket",
          STYLES("[%d, %d] \\cup (%d, %d]", "[%d, %d) \\cup [%d, %d]", "(%d, %d) \\cup (%d, %d]", "[%d, %d) \\cup (%d, %d)"), a,
          b, c, d);
    other(m, "an end", styles, a, b, c, d + 1);
    other(m, "gap moved", styles, a, b + 1, c + 1, d);
    other(m, "one part", STYLES("[%d, %d)"), a, b);
    other(m, "without the gap", STYLES("[%d, %d]"), a, d);
    other(m, "the gap", STYLES("[%d, %d]"), b, c);
    other(m, "intersection", STYLES("[%d, %d) \\cap (%d, %d]"), a, b, c, d);
}

// ---- chemistry

typedef struct Atom {
    const char *element;
    int count;
} Atom;

enum { ATOMS_MOST = 4 };

static const Atom molecules[][ATOMS_MOST] = {{{"H", 2}, {"O", 1}},
                                             {{"C", 6}, {"H", 12}, {"O", 6}},
                                             {{"C", 1}, {"O", 2}},
                                             {{"N", 1}, {"H", 3}},
                                             {{"H", 2}, {"S", 1}, {"O", 4}},
                                             {{"Na", 1}, {"Cl", 1}},
                                             {{"Ca", 1}, {"C", 1}, {"O", 3}},
                                             {{"Fe", 2}, {"O", 3}},
                                             {{"K", 1}, {"Mn", 1}, {"O", 4}},
                                             {{"C", 2}, {"H", 6}},
                                             {{"Al", 2}, {"O", 3}},
                                             {{"Co", 1}, {"Cl", 2}},
                                             {{"P", 4}, {"O", 10}},
                                             {{"H", 1}, {"N", 1}, {"O", 3}},
                                             {{"Mg", 1}, {"Br", 2}},
                                             {{"Si", 1}, {"O", 2}}};

enum { MOLECULES = sizeof molecules / sizeof *molecules };

typedef enum Chemistry { PLAIN, INDICES, UNICODE_INDICES, TEXTS, CHEMISTRIES } Chemistry;

static size_t write_count(char *out, size_t size, int count, Chemistry style)
{
    if (count == 1)
        return 0;
    if (style != UNICODE_INDICES)
        return (size_t)snprintf(out, size, style == PLAIN ? "%d" : count > 9 ? "_{%d}" : "_%d", count);
    size_t n = 0;
    for (const char *d = count > 9 ? "10" : "0"; *d != 0; d++) // the digits' places
        n += (size_t)snprintf(out + n, size - n, "\xe2\x82%c", 0x80 + (d[1] != 0 ? count / 10 : count % 10));
    return n;
}

static void write_molecule(char out[MADE_BYTES], const Atom *atoms, Chemistry style)
{
    size_t n = 0;
    for (int i = 0; i < ATOMS_MOST && atoms[i].element != NULL; i++) {
        n += (size_t)snprintf(out + n, MADE_BYTES - n, style == TEXTS ? "\\text{%s}" : "%s", atoms[i].element);
        n += write_count(out + n, MADE_BYTES - n, atoms[i].count, style);
    }
    assert(n < MADE_BYTES);
}

static void other_molecule(Maker *m, const char *how, const Atom *atoms)
{
    char text[MADE_BYTES];
    write_molecule(text, atoms, (Chemistry)draw(m, CHEMISTRIES));
    other(m, how, STYLES("%s"), text);
}

static int atoms_of(const Atom *atoms)
{
    int count = 0;
    while (count < ATOMS_MOST && atoms[count].element != NULL)
        count++;
    return count;
}

static void make_molecule(Maker *m)
{
    Atom atoms[ATOMS_MOST] = {{NULL, 0}};
    char text[MADE_BYTES], element[4];
    memcpy(atoms, molecules[draw(m, MOLECULES)], sizeof atoms);
    int count = atoms_of(atoms);
    for (Chemistry style = 0; style < CHEMISTRIES; style++) {
        write_molecule(text, atoms, style);
        same(m, "%s", text);
        if (style == PLAIN)
            same(m, "\\ce{%s}", text);
        if (style == INDICES)
            same(m, "\\mathrm{%s}", text);
    }
    int at = draw(m, count);
    Atom kept = atoms[at];
    atoms[at].count++;
    other_molecule(m, "changed index", atoms);
    atoms[at] = (Atom){strcmp(kept.element, "F") == 0 ? "I" : "F", kept.count};
    other_molecule(m, "changed element", atoms);
    atoms[at] = kept;
    for (int i = 0; i < count; i++)
        if (atoms[i].element[1] != 0) {
            snprintf(element, sizeof element, "%c%c", atoms[i].element[0], toupper((unsigned char)atoms[i].element[1]));
            kept = atoms[i];
            atoms[i].element = element;
            other_molecule(m, "capital", atoms);
            atoms[i] = kept;
        }
    atoms[count - 1].element = NULL;
    other_molecule(m, "an element left out", atoms);
    atoms[count - 1] = molecules[0][0];
    atoms[count - 1].element = "Xe";
    other_molecule(m, "another last element", atoms);
}

static void make_ion(Maker *m)
{
    static const char *const names[] = {"Fe", "Cu", "Mg", "Ca", "Al", "Zn", "Sn", "Pb"};
    static const char *const styles[] = {"%s^{%d%c}",           "%s^%d%c", "\\text{%s}^{%d%c}", "\\ce{%s^{%d%c}}",
                                         "\\mathrm{%s}^{%d%c}", NULL};
    int which = draw(m, 8), charge = between(m, 2, 4);
    sames(m, styles, names[which], charge, '+');
    other(m, "charge", styles, names[which], charge + 1, '+');
    other(m, "sign of the charge", styles, names[which], charge, '-');
    other(m, "element", styles, names[(which + between(m, 1, 7)) % 8], charge, '+');
    other(m, "without a charge", STYLES("%s"), names[which]);
}

static void make_reaction(Maker *m)
{
    static const char *const sides[][4] = {// left, right, right with another product, left with another coefficient
                                           {"2 H2 + O2", "2 H2O", "2 H2O2", "3 H2 + O2"},
                                           {"N2 + 3 H2", "2 NH3", "2 NH4", "N2 + 2 H2"},
                                           {"CH4 + 2 O2", "CO2 + 2 H2O", "CO + 2 H2O", "CH4 + 3 O2"},
                                           {"HCl + NaOH", "NaCl + H2O", "NaCl", "2 HCl + NaOH"},
                                           {"2 Na + Cl2", "2 NaCl", "2 NaCl2", "Na + Cl2"},
                                           {"CaCO3", "CaO + CO2", "CaO + CO", "2 CaCO3"}};
    static const char *const styles[] = {"%s -> %s", "%s → %s", "\\ce{%s -> %s}", "%s \\rightarrow %s", "%s \\to %s", NULL};
    const char *const *s = sides[draw(m, 6)];
    sames(m, styles, s[0], s[1]);
    other(m, "sides swapped", styles, s[1], s[0]);
    other(m, "another product", styles, s[0], s[2]);
    other(m, "another coefficient", styles, s[3], s[1]);
    other(m, "right side alone", STYLES("%.0s%s"), s[0], s[1]);
    other(m, "left side alone", STYLES("%s%.0s"), s[0], s[1]);
    other(m, "another reaction", styles, "KOH + HBr", "KBr + H2O");
}

// ---- words

static const char *const adjectives[] = {"red",    "left",  "upper",    "sodium", "northern", "cold",   "primary",
                                         "wild",   "late",  "positive", "small",  "French",   "solar",  "golden",
                                         "silent", "heavy", "public",   "brown",  "marine",   "elastic"};
static const char *const nouns[] = {"market",  "river",  "atom",   "chloride", "forest", "engine",  "theory",
                                    "kidney",  "dog",    "island", "council",  "enzyme", "crystal", "painter",
                                    "harbour", "letter", "garden", "planet",   "number", "bridge"};

static void make_words(Maker *m)
{
    int a[2], n[2];
    char capital[MADE_BYTES];
    distinct(m, a, 2, 0, 19);
    distinct(m, n, 2, 0, 19);
    const char *adjective = adjectives[a[0]], *noun = nouns[n[0]];
    sames(m, STYLES("%s %s", "\\text{%s %s}", "\"%s %s\"", "%s  %s", "%s %s."), adjective, noun);
    snprintf(capital, sizeof capital, "%c%s", toupper((unsigned char)adjective[0]), adjective + 1);
    same(m, "%s %s", capital, noun);
    other(m, "words swapped", STYLES("%2$s %1$s", "\\text{%2$s %1$s}"), adjective, noun);
    other(m, "another adjective", STYLES("%s %s", "\\text{%s %s}"), adjectives[a[1]], noun);
    other(m, "another noun", STYLES("%s %s", "\\text{%s %s}"), adjective, nouns[n[1]]);
    other(m, "negated", STYLES("not %s %s", "\\text{not %s %s}", "no %s %s"), adjective, noun);
    other(m, "second word alone", STYLES("%.0s%s"), adjective, noun);
    other(m, "first word alone", STYLES("%s%.0s"), adjective, noun);
}

static void make_word(Maker *m)
{
    static const char *const words[][3] = {// a word, the same letters, the opposite
                                           {"on", "no", "off"},
                                           {"dog", "god", "cat"},
                                           {"listen", "silent", "ignore"},
                                           {"left", "felt", "right"},
                                           {"evil", "live", "good"},
                                           {"yes", "sey", "no"},
                                           {"north", "thorn", "south"},
                                           {"increase", "incerase", "decrease"},
                                           {"angel", "angle", "devil"},
                                           {"true", "rute", "false"},
                                           {"odd", "dod", "even"},
                                           {"convergent", "convregent", "divergent"},
                                           {"aab", "aba", "abb"},
                                           {"acute", "cauet", "obtuse"},
                                           {"sphere", "herpes", "cube"},
                                           {"knight", "kinght", "knave"}};
    const char *const *w = words[draw(m, (int)(sizeof words / sizeof *words))];
    sames(m, STYLES("%s", "\\text{%s}", "%s.", "\\mathrm{%s}"), w[0]);
    m->made->references = m->made->same_count;
    sames(m, STYLES("**%s**", "*%s*"), w[0]); // as responses have them
    other(m, "letters swapped", STYLES("%s", "\\text{%s}"), w[1]);
    other(m, "the opposite", STYLES("%s", "\\text{%s}"), w[2]);
    other(m, "negated", STYLES("not %s", "\\text{not %s}"), w[0]);
    other(m, "twice", STYLES("%1$s %1$s"), w[0]);
}

// Several in an order that counts
static void make_word_list(Maker *m)
{
    int n[5], count = between(m, 3, 5);
    distinct(m, n, 5, 0, 19);
    const char *w[5];
    for (int i = 0; i < 5; i++)
        w[i] = nouns[n[i]];
    const char *end = count > 3 ? ", " : "", *fourth = count > 3 ? w[3] : "";
    static const char *const styles[] = {"%s, %s, %s%s%s", "\\text{%s, %s, %s%s%s}", NULL};
    sames(m, styles, w[0], w[1], w[2], end, fourth);
    other(m, "two swapped", styles, w[1], w[0], w[2], end, fourth);
    other(m, "one changed", styles, w[0], w[4], w[2], end, fourth);
    other(m, "one left out", STYLES("%s, %s%.0s%s%s"), w[0], w[1], w[2], end, fourth);
    other(m, "one more", STYLES("%s, %s, %s%s%s, planets"), w[0], w[1], w[2], end, fourth);
    other(m, "one twice", styles, w[0], w[0], w[2], end, fourth);
}

static const char *const measures[] = {"pressure",    "density", "entropy", "volume",
                                       "temperature", "price",   "current", "concentration"};

static void make_sentence(Maker *m)
{
    static const char *const styles[] = {"The %s of the %s %s when its %s is %s", "The %s of the %s %s when its %s is %s.",
                                         "\\text{The %s of the %s %s when its %s is %s}", NULL};
    int q[3], n[2];
    distinct(m, q, 3, 0, 7);
    distinct(m, n, 2, 0, 19);
    bool up = draw(m, 2) == 0, raised = draw(m, 2) == 0;
    const char *does = up ? "increases" : "decreases", *undoes = up ? "decreases" : "increases",
               *is = raised ? "raised" : "lowered", *is_not = raised ? "lowered" : "raised", *a = measures[q[0]],
               *b = measures[q[1]], *noun = nouns[n[0]];
    sames(m, styles, a, noun, does, b, is);
    other(m, "the opposite verb", styles, a, noun, undoes, b, is);
    other(m, "the opposite condition", styles, a, noun, does, b, is_not);
    other(m, "measures swapped", styles, b, noun, does, a, is);
    other(m, "another measure", styles, measures[q[2]], noun, does, b, is);
    other(m, "another thing", styles, a, nouns[n[1]], does, b, is);
    other(m, "negated", STYLES("The %s of the %s never %s when its %s is %s"), a, noun, does, b, is);
    other(m, "last word alone", STYLES("%.0s%.0s%.0s%.0s%s"), a, noun, does, b, is);
}

static void make_sentence_with_numbers(Maker *m)
{
    static const char *const styles[] = {"The %s rose from %d to %d units after %d minutes",
                                         "\\text{The %s rose from %d to %d units after %d minutes}", NULL};
    int v[3], which = draw(m, 8);
    distinct(m, v, 3, 2, 90);
    sames(m, styles, measures[which], v[0], v[1], v[2]);
    other(m, "first number", styles, measures[which], v[0] + 100, v[1], v[2]);
    other(m, "last number", styles, measures[which], v[0], v[1], v[2] + 100);
    other(m, "numbers swapped", styles, measures[which], v[1], v[0], v[2]);
    other(m, "another measure", styles, measures[(which + 1) % 8], v[0], v[1], v[2]);
    other(m, "last number alone", STYLES("%.0s%.0d%.0d%d"), "", 0, 0, v[2]);
    other(m, "fell", STYLES("The %s fell from %d to %d units after %d minutes"), measures[which], v[0], v[1], v[2]);
}

// ---- choices

static void make_choice(Maker *m)
{
    int n[6], count = between(m, 3, 6), right = draw(m, count), wrong = (right + between(m, 1, count - 1)) % count;
    char texts[6][64];
    bool numbers = draw(m, 3) == 0;
    distinct(m, n, count, numbers ? 20 : 0, numbers ? 99 : 19);
    size_t used = (size_t)snprintf(m->made->row, sizeof m->made->row, "{\"question\": \"Which?\", \"options\": [");
    for (int i = 0; i < count; i++) {
        if (numbers)
            snprintf(texts[i], sizeof texts[i], "%d cm", n[i]);
        else
            snprintf(texts[i], sizeof texts[i], "the %s %s", adjectives[(n[i] + 3) % 20], nouns[n[i]]);
        used += (size_t)snprintf(m->made->row + used, sizeof m->made->row - used, "%s\"%s\"", i == 0 ? "" : ", ", texts[i]);
    }
    snprintf(m->made->row + used, sizeof m->made->row - used, "]}");
    static const char *const letters[] = {"%c", "(%c)", "\\text{%c}", "%c.", "\\text{(%c)}", NULL};
    sames(m, letters, 'A' + right);
    same(m, "%c. %s", 'A' + right, texts[right]);
    same(m, "(%c) %s", 'A' + right, texts[right]);
    same(m, "%s", texts[right]);
    same(m, "\\text{%s}", texts[right]);
    other(m, "another letter", letters, 'A' + wrong);
    other(m, "another text", STYLES("%s", "\\text{%s}"), texts[wrong]);
    other(m, "another letter with its text", STYLES("%c. %s", "(%c) %s", "%c: %s"), 'A' + wrong, texts[wrong]);
    other(m, "the letter with another text", STYLES("%c) %s", "(%c) %s"), 'A' + right,
          texts[wrong]); // not "B. x": B may be the sentence
    other(m, "another letter with the text", STYLES("%c. %s", "(%c) %s"), 'A' + wrong, texts[right]);
    other(m, "two letters", STYLES("%c, %c", "%c and %c", "%c or %c"), 'A' + right, 'A' + wrong);
    other(m, "no letter of these", STYLES("%c"), 'A' + count);
}

// ---- dates, ratios, ranges

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

static void other_date(Maker *m, const char *how, int year, int month, int day)
{
    if (draw(m, 2) == 0)
        other(m, how, STYLES("%04d-%02d-%02d"), year, month, day);
    else
        other(m, how, STYLES("%1$s %2$d, %3$d", "%2$d %1$s %3$d"), months[month - 1], day, year);
}

static void make_date(Maker *m)
{
    int year = between(m, 1800, 2099), month = between(m, 1, 12), day = between(m, 1, 27);
    same(m, "%04d-%02d-%02d", year, month, day);
    same(m, "%s %d, %d", months[month - 1], day, year);
    same(m, "%d %s %d", day, months[month - 1], year);
    other_date(m, "day", year, month, day + 1);
    other_date(m, "month", year, month % 12 + 1, day);
    other_date(m, "year", year + 1, month, day);
    if (day <= 12 && day != month)
        other_date(m, "day and month swapped", year, day, month);
    other(m, "year alone", STYLES("%d"), year);
    other(m, "a difference", STYLES("%d"), year - month - day);
}

static void make_ratio(Maker *m)
{
    static const char *const styles[] = {"%d:%d:%d", "%d : %d : %d", "$%d:%d:%d$", NULL};
    int v[3];
    distinct(m, v, 3, 1, 19);
    sames(m, styles, v[0], v[1], v[2]);
    same(m, "%d:%d:%d", 2 * v[0], 2 * v[1], 2 * v[2]);
    other(m, "two swapped", styles, v[1], v[0], v[2]);
    other(m, "reversed", styles, v[2], v[1], v[0]);
    other(m, "first changed", styles, v[0] + 1, v[1], v[2]);
    other(m, "last changed", styles, v[0], v[1], v[2] + 1);
    other(m, "one left out", STYLES("%d:%d"), v[0], v[1]);
}

static void make_ratio_of_two(Maker *m)
{
    static const char *const styles[] = {"%d:%d", "%d : %d", "$%d:%d$", "%d to %d", NULL};
    int a = between(m, 1, 9), b = between(m, 1, 8);
    if (a == b)
        b++;
    sames(m, STYLES("%d:%d", "%d : %d", "$%d:%d$"), a, b);
    if (a < 5 && b < 5)
        same(m, "%d:%d", 2 * a, 2 * b);
    other(m, "swapped", styles, b, a);
    other(m, "first changed", styles, a + 1, b);
    other(m, "second changed", styles, a, b + 1);
    if (abs(a - b) * b != a)
        other(m, "difference", STYLES("%d"), abs(a - b));
}

static void make_range(Maker *m)
{
    static const char *const styles[] = {"%d-%d", "%d–%d", "%d - %d", "%d to %d", "%d--%d", NULL};
    int a = between(m, 2, 90), b = a + between(m, 2, 60);
    sames(m, styles, a, b);
    other(m, "low end", styles, a + 1, b);
    other(m, "high end", styles, a, b + 1);
    other(m, "both ends", styles, a + 10, b + 10);
    other(m, "ends swapped", styles, b, a);
    other(m, "difference", STYLES("%d"), a - b);
    other(m, "difference, positive", STYLES("%d"), b - a);
    other(m, "low end alone", STYLES("%d%.0d"), a, 0);
    other(m, "high end alone", STYLES("%.0d%d"), 0, b);
}

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
