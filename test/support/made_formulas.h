// Made up: expressions and equations.
#ifndef TEST_MADE_FORMULAS_H
#define TEST_MADE_FORMULAS_H

#include "test/support/made_answer.h"

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
    static const char *const firsts[] = {"m", "g", "a", "b", "k", "A", "L", "R"}, *const seconds[] = {"v", "x", "y",
                                                                                                      "z", "q", "p",
                                                                                                      "u", "w"};
    static const char *const styles[] = {"\\frac{%d}{%d} %s %s^%d", "\\frac{%d}{%d}%s%s^{%d}", "(%d/%d)*%s*%s^%d",
                                         "\\frac{%d}{%d} \\cdot %s \\cdot %s^{%d}", NULL};
    const char *f = firsts[draw(m, 8)], *s = seconds[draw(m, 8)];
    int p = between(m, 1, 9), q = between(m, 2, 9), e = between(m, 2, 5);
    if (gcd(p, q) != 1 || p == q)
        p = q + 1;
    char capital[2] = {
        (char)(isupper((unsigned char)f[0]) ? tolower((unsigned char)f[0]) : toupper((unsigned char)f[0])), 0};
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
    static const char *const styles[] = {"\\frac{%dx%+d}{%dx%+d}", "(%dx%+d)/(%dx%+d)", "\\dfrac{%dx %+d}{%dx %+d}",
                                         NULL};
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
    static const char *const relations[][4] = {{"<", "<", ">", "\\le"},
                                               {">", "\\gt", "<", "\\ge"},
                                               {"\\le", "\\leq", "\\ge", "<"},
                                               {"\\ge", "≥", "\\le", ">"}};
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

#endif
