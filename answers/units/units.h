// Inside answers/: units of measurement, read from text and compared by meaning: m/s^2, \text{m}\cdot\text{s}^{-2} and
// "meters per second squared" are one; kg and g measure the same on another scale; m and s do not; apples are no known
// unit, but they are apples. Percent is no unit here, and neither are numbers, dates, or quantities of several units (5
// ft 3 in).
//
// How a text is read:
//  - Symbols keep their capitals (mW is no MW), names do not; plurals and both spellings of metre and litre are names.
//    A few wrong capitals that mean nothing else are taken (Kg, KJ, hz).
//  - Everything that is multiplied behind a slash or "per" is below it: J/mol K and J/mol·K are J/(mol K). A negative
//    exponent below a slash outside brackets is refused, for it may be meant either way.
//  - A digit right behind a unit of length or time, and a negative one behind any, is its exponent: dm3, m s-2. Symbols
//    may touch where an exponent follows the last (Nm^2, kJmol^{-1}); ms^{-1}, cms^{-2} are then m s^{-1}, cm s^{-2}.
//  - Words that are not all known are one unknown unit together, of at most four words: "right triangles", "degrees
//    north of east". It must hold a word of three letters, and none that counts, joins, compares or calculates ("or",
//    "thousand", "minus", "sin").
//  - "of" and words behind a known unit are a remark: liters of water. It may be left out, but two must be the same.
//  - Months, decades and centuries are parts and multiples of the word year; years and days are not converted.
//  - A pound is one of mass, but of force in ft-lb, lb/in^2 and lb/ft^2. The letter c is light only in MeV/c and the
//    like.
//  - A bracket without an operator before it needs a negative exponent: J (mol K)^{-1}, but not "meters (m)".
#ifndef ANSWERS_UNITS_UNITS_H
#define ANSWERS_UNITS_UNITS_H

#include "base/base.h"
#include <gmp.h>
#include <mpfr.h>

enum { UNIT_WORDS = 6, UNIT_WORD_BYTES = 48 };

typedef enum Dimension {
    LENGTH,
    MASS,
    TIME,
    CURRENT,
    TEMPERATURE,
    AMOUNT,
    LUMINOUS,
    ANGLE,
    BITS,
    DOLLAR,
    AUSTRALIAN_DOLLAR,
    CANADIAN_DOLLAR,
    EURO,
    STERLING,
    YEN,
    YUAN,
    RUPEE,
    DIMENSIONS
} Dimension;

typedef struct UnitWord {
    char text[UNIT_WORD_BYTES]; // in lower case where it is an ordinary word, each word singular
    int8_t exponent;            // never 0
} UnitWord;

// A value x in this unit is x · numerator/denominator · 2^twos · 5^fives · π^pis + offset in SI base units (kelvin for
// offsets).
typedef struct Unit {
    int64_t numerator, denominator; // > 0, coprime, neither with a factor 2 or 5
    int16_t twos, fives, pis;
    int8_t exponents[DIMENSIONS];
    uint16_t doubts;                              // what else it may mean: units_table.h
    int32_t offset_numerator, offset_denominator; // 0/1 unless °C or °F alone: elsewhere they are differences
    int words_count;
    UnitWord words[UNIT_WORDS];   // words that are no known unit; their order does not matter
    char remark[UNIT_WORD_BYTES]; // the text after "of"; "": none
} Unit;

// Reads the whole text as a unit. false: it is none, or exceeds the limits.
bool unit_read(Unit *unit, Text text);

typedef enum UnitRelation {
    UNITS_SAME,        // a value means the same with either
    UNITS_CONVERTIBLE, // the same dimensions, another scale or offset
    UNITS_OTHER,       // other dimensions
    UNITS_UNKNOWN      // other words, or a symbol that is often used for the other (25 C and 25 °C, rad/s and Hz)
} UnitRelation;

UnitRelation units_compare(const Unit *a, const Unit *b); // symmetric

// Only for convertible (or same) units. The exact one needs equal powers of π.
bool unit_convert_is_exact(const Unit *from, const Unit *to);
void unit_convert(mpq_t value, const Unit *from, const Unit *to);
void unit_convert_real(mpfr_t value, const Unit *from,
                       const Unit *to); // to the precision of value, within some units of its last place

#endif
