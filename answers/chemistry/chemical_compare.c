// Formulas and reactions compared: term by term, then by the atoms of all.
#include "answers/chemistry/chemical.h"
#include "answers/chemistry/chemical_lexer.h"
#include <string.h>

static Verdict compare_species(const Species *a, const Species *b)
{
    bool same = a->elements_count == b->elements_count && a->charge == b->charge;
    for (int i = 0; same && i < a->elements_count; i++)
        same = a->elements[i].element == b->elements[i].element && a->elements[i].count == b->elements[i].count;
    if (!same || (a->mass > 0 && b->mass > 0 && a->mass != b->mass))
        return VERDICT_DIFFERENT;
    return strcmp(a->structure, b->structure) == 0 ? VERDICT_EQUAL : VERDICT_UNKNOWN;
}

static Verdict compare_terms(const ChemicalTerm *a, const ChemicalTerm *b)
{
    Verdict best = VERDICT_DIFFERENT; // unless a reading says more: equal before unknown before different
    for (int i = 0; i < a->readings; i++)
        for (int j = 0; j < b->readings; j++) {
            Verdict v = compare_species(&a->species[i], &b->species[j]);
            if (v == VERDICT_EQUAL || (v == VERDICT_UNKNOWN && best == VERDICT_DIFFERENT))
                best = v;
        }
    bool states = a->state != 0 && b->state != 0 && a->state != b->state;
    return best == VERDICT_EQUAL && states ? VERDICT_UNKNOWN : best;
}

static bool same_coefficient(const ChemicalTerm *a, const ChemicalTerm *b)
{
    return (int64_t)a->numerator * b->denominator == (int64_t)b->numerator * a->denominator;
}

// Each term of one side has a partner on the other.
static bool same_terms(const ChemicalTerm *a, const ChemicalTerm *b, int count)
{
    bool taken[CHEMICAL_TERMS] = {false};
    for (int i = 0; i < count; i++) {
        int j = 0;
        while (j < count &&
               (taken[j] || !same_coefficient(&a[i], &b[j]) || compare_terms(&a[i], &b[j]) != VERDICT_EQUAL))
            j++;
        if (j == count)
            return false;
        taken[j] = true;
    }
    return true;
}

// All atoms of a side times the product of all denominators, and the charge. false: a term has several readings, or
// numbers are too large.
typedef struct Total {
    int64_t atoms[ELEMENT_COUNT + 1];
} Total;

static bool add_total(Total *total, const Chemical *c, int from, int count, int64_t denominators)
{
    for (int i = from; i < from + count; i++) {
        const ChemicalTerm *term = &c->terms[i];
        const Species *s = &term->species[0];
        int64_t times = denominators / term->denominator * term->numerator;
        if (term->readings > 1)
            return false;
        for (int j = 0; j < s->elements_count; j++)
            total->atoms[s->elements[j].element] += times * s->elements[j].count;
        total->atoms[ELEMENT_COUNT] += times * s->charge;
    }
    return true;
}

static bool totals(Total sides[2], const Chemical *c)
{
    int64_t denominators = 1;
    memset(sides, 0, 2 * sizeof *sides);
    for (int i = 0; i < c->left + c->right; i++) {
        denominators *= c->terms[i].denominator;
        if (denominators > 1000)
            return false;
    }
    return add_total(&sides[0], c, 0, c->left, denominators) &&
           add_total(&sides[1], c, c->left, c->right, denominators);
}

// No factor makes one the other: coefficients may have a common one.
static bool surely_differ(const Chemical *a, const Chemical *b)
{
    Total x[2], y[2];
    if (!totals(x, a) || !totals(y, b))
        return false;
    int64_t p = 0, q = 0; // the ratio, of the first that is not 0
    for (int side = 0; side < 2; side++)
        for (int i = 0; i <= ELEMENT_COUNT; i++) {
            int64_t m = x[side].atoms[i], n = y[side].atoms[i];
            if (p == 0 && q == 0 && (m != 0 || n != 0))
                p = m, q = n;
            if ((__int128)m * q != (__int128)n * p || (m == 0) != (n == 0))
                return true;
        }
    return false;
}

Verdict chemical_compare(const Chemical *a, const Chemical *b)
{
    bool one = a->left == 1 && b->left == 1 && !a->reaction && !b->reaction, both = a->certain && b->certain;
    if ((!a->certain && !b->certain) || a->reaction != b->reaction)
        return VERDICT_UNKNOWN;
    if (a->left == b->left && a->right == b->right && same_terms(a->terms, b->terms, a->left) &&
        same_terms(a->terms + a->left, b->terms + b->left, a->right))
        return VERDICT_EQUAL;
    bool differ = one ? compare_terms(&a->terms[0], &b->terms[0]) == VERDICT_DIFFERENT : surely_differ(a, b);
    return both && differ ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
}
