// Made up: numbers, sums of money, quantities.
#ifndef TEST_MADE_NUMBERS_H
#define TEST_MADE_NUMBERS_H

#include "test/support/made_answer.h"

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
    static const char *const styles[] = {
        "%s%d/%d", "%s\\frac{%d}{%d}", "%s\\dfrac{%d}{%d}", "$%s\\tfrac{%d}{%d}$", "%s(%d/%d)", NULL};
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
    static const char *const styles[] = {"%d\\sqrt{%d}", "%d*sqrt(%d)",          "%d \\sqrt {%d}",
                                         "%d√%d",        "%d \\cdot \\sqrt{%d}", NULL};
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
    static const char *const styles[] = {"\\frac{%d\\pi}{%d}",  "%d\\pi/%d", "%d*pi/%d", "%dπ/%d",
                                         "\\frac{%d \\pi}{%d}", NULL};
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

#endif
