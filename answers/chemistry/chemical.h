// Inside answers/: chemical formulas, ions, isotopes and reactions, read from what people and models type and compared
// by meaning: H2O, H_2O, \ce{H2O} and \text{H}_2\text{O} are one, Fe2+ and Fe^{2+} are; CO is not Co. Names (water,
// iron(II)) are words.
//
//  - Only real symbols, with their capitals; D and T, the electron e^-, the neutron ^1_0n. States (s), (l), (g), (aq)
//  may be left out.
//  - Given marks decide what a digit means. Fe2+ without marks may be Fe^{2+} or Fe_2^+, and agrees with either.
//  - Terms of a side may be in any order; symbols of a formula may not: CH3COOH and C2H4O2 are unknown.
#ifndef ANSWERS_CHEMISTRY_CHEMICAL_H
#define ANSWERS_CHEMISTRY_CHEMICAL_H

#include "base/base.h"
#include "base/verdict.h"

enum { CHEMICAL_TERMS = 10, CHEMICAL_ELEMENTS = 12, CHEMICAL_BYTES = 80 };

// One of the readings of a term.
typedef struct Species {
    char structure
        [CHEMICAL_BYTES]; // symbols, counts above 1, round brackets; [14]C an isotope, .5H2O water of a crystal
    int charge;
    int mass; // of the only isotope with a mass; 0: none, or several
    int elements_count;
    struct {
        int element, count;
    } elements[CHEMICAL_ELEMENTS]; // by atomic number, rising; 0 the electron, 119 D, 120 T, 121 n
} Species;

typedef struct ChemicalTerm {
    int numerator, denominator; // its coefficient
    char state;                 // s, l, g, a; 0: not given
    int readings;               // 1 or 2
    Species species[2];
} ChemicalTerm;

typedef struct Chemical {
    bool certain;    // it is clearly chemistry. NO, He, H_2, B+ or C-14 may be something else
    bool reaction;   // there is an arrow
    int left, right; // terms of either side; without an arrow all are left
    ChemicalTerm terms[CHEMICAL_TERMS];
} Chemical;

bool chemical_read(Chemical *chemical, Text text); // false: it cannot be chemistry

// Equal: all parts agree, and at least one of the two is certain. Different: both are certain, and atoms, isotopes or
// charges differ; two reactions that are multiples of each other are neither. Symmetric.
Verdict chemical_compare(const Chemical *a, const Chemical *b);

#endif
