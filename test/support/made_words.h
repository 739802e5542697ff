// Made up: chemistry, words, choices, dates, ratios and ranges.
#ifndef TEST_MADE_WORDS_H
#define TEST_MADE_WORDS_H

#include "test/support/made_answer.h"

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
    static const char *const styles[] = {"%s -> %s",           "%s → %s",    "\\ce{%s -> %s}",
                                         "%s \\rightarrow %s", "%s \\to %s", NULL};
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
    static const char *const styles[] = {"The %s of the %s %s when its %s is %s",
                                         "The %s of the %s %s when its %s is %s.",
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
        used +=
            (size_t)snprintf(m->made->row + used, sizeof m->made->row - used, "%s\"%s\"", i == 0 ? "" : ", ", texts[i]);
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

#endif
