// Inside units: the rows of units_table.c, and how Units are put together.
#ifndef ANSWERS_UNITS_UNITS_TABLE_H
#define ANSWERS_UNITS_UNITS_TABLE_H

#include "answers/units/units.h"

// Which prefixes a symbol takes, and where it may be used.
enum {
    PREFIXES_SMALL = 1, // milli and below
    PREFIXES_KILO = 2,
    PREFIXES_LARGE = 4,  // mega and above
    PREFIXES_CENTI = 8,  // and deci
    PREFIXES_HECTO = 16, // and deca
    PREFIXES = 31,
    UNIT_PREFIX_ONLY = 32, // no unit without one
    UNIT_GLUED = 64        // several symbols that touch, and take no exponent together
};

enum {
    DOUBT_SCALE = 1,  // several units of different scales have this name
    DOUBT_BINARY = 2, // likewise, with a prefix: a kilobyte may have 1024 bytes
    DOUBT_COULOMB = 4,
    DOUBT_FARAD = 8,
    DOUBT_DEGREE = 16,
    DOUBT_POUND_FORCE = 32,
    DOUBT_STERLING = 64,
    DOUBT_FLUID = 128,
    DOUBT_MOLAR_MASS = 256,
    DOUBT_MOLAL = 512,
    DOUBT_NORMAL = 1024,
    DOUBT_AUSTRALIAN = 2048,
    DOUBT_CANADIAN = 4096,
    DOUBT_EURO_CENT = 8192,
    DOUBT_YUAN = 16384
};

typedef struct UnitRow {
    const char *symbol;
    uint8_t flags;
    int64_t numerator, denominator;
    int16_t tens, pis;
    int8_t exponents[DIMENSIONS];
    uint16_t doubts;
    const char *word; // NULL: a unit of the dimensions alone
    int32_t offset_numerator, offset_denominator;
} UnitRow;

typedef struct UnitName {
    const char *name, *symbol; // the symbol may have a prefix
} UnitName;

typedef struct UnitPrefix {
    const char *symbol, *name; // symbol NULL: by name only
    int16_t tens;
    uint8_t flag; // 0: where any prefix may stand
} UnitPrefix;

typedef struct UnitDoubt {
    uint16_t doubt;
    int8_t difference[DIMENSIONS];
} UnitDoubt;

extern const UnitRow UNIT_SYMBOLS[];
extern const UnitName UNIT_NAMES[], UNIT_ALIASES[];
extern const UnitPrefix UNIT_PREFIXES[];
extern const UnitDoubt UNIT_DOUBTS[];
extern const char *const UNIT_NO_WORDS[];
extern const int UNIT_SYMBOL_COUNT, UNIT_NAME_COUNT, UNIT_ALIAS_COUNT, UNIT_PREFIX_COUNT, UNIT_DOUBT_COUNT,
    UNIT_NO_WORD_COUNT;

// Known units. false: none has that name.
bool unit_of_symbol(Unit *unit, const char *symbol, uint8_t *flags); // exactly, with a prefix or without
bool unit_of_name(Unit *unit, const char *name); // of one word or several, any capitals, singular or plural

void unit_one(Unit *unit);                                        // 1
bool unit_multiply(Unit *unit, const Unit *factor, int exponent); // false: beyond the limits
bool unit_add_word(Unit *unit, const char *text, size_t size, int exponent);
void unit_settle(Unit *unit, int factors);                      // after reading: `factors` known units
size_t word_singular(char *out, const char *word, size_t size); // out has size + 1 bytes; likewise ended by 0
bool word_counts_or_joins(const char *word);                    // UNIT_NO_WORDS

#endif
