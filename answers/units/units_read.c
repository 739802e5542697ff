// How a text becomes a unit: runs of words between operators are looked up, as known units or as an unknown one.
// units.h defines the readings.
#include "answers/units/units_lexer.h"
#include "answers/units/units_table.h"
#include "base/text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MOST = 240, DEPTH_MOST = 4, PHRASE_WORDS = 4 };

// ---- runs of words: known units, or an unknown one

static bool word_is(const UnitToken *token, const char *word)
{
    return token->kind == TOKEN_WORD && strcasecmp(token->text, word) == 0;
}

static int power_before(const UnitToken *token) // square meters
{
    return word_is(token, "square") || word_is(token, "sq")  ? 2
           : word_is(token, "cubic") || word_is(token, "cu") ? 3
                                                             : 1;
}

static int power_behind(const UnitToken *token) // meters squared
{
    return word_is(token, "squared") ? 2 : word_is(token, "cubed") ? 3 : 1;
}

// The number of words that form one name: atomic mass units; 0: none.
static int named_by_words(Unit *unit, const UnitToken *token, const UnitToken *end)
{
    char name[UNIT_WORD_BYTES];
    for (int words = 3; words > 1; words--) {
        size_t used = 0;
        int i = 0;
        for (; i < words && token + i < end && token[i].kind == TOKEN_WORD; i++) {
            size_t size = strlen(token[i].text);
            if (used + size + 2 > sizeof name)
                break;
            if (i > 0)
                name[used++] = ' ';
            memcpy(name + used, token[i].text, size);
            used += size;
        }
        name[used] = 0;
        if (i == words && unit_of_name(unit, name))
            return words;
    }
    return 0;
}

// Symbols without space, the last with an exponent: kJmol^{-1}. Only one way to split them into two may be valid.
static bool glued_symbols(Unit *first, Unit *last, const char *word)
{
    int ways = 0;
    char head[UNIT_WORD_BYTES];
    size_t size = strlen(word);
    for (size_t i = 1; i < size && size < sizeof head; i++) {
        Unit a, b;
        uint8_t a_flags, b_flags;
        memcpy(head, word, i);
        head[i] = 0;
        if (!unit_of_symbol(&a, head, &a_flags) || !unit_of_symbol(&b, word + i, &b_flags) ||
            ((a_flags | b_flags) & UNIT_GLUED))
            continue;
        *first = a;
        *last = b;
        ways++;
    }
    return ways == 1;
}

static bool speed_symbol(const char *word) // ms^{-1} is m s^{-1}, as in schools; nobody means per millisecond
{
    static const char *const lengths[] = {"ms", "cms", "kms", NULL};
    for (const char *const *length = lengths; *length != NULL; length++)
        if (strcmp(word, *length) == 0)
            return true;
    return false;
}

static bool length_or_time(const Unit *unit)
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (i != LENGTH && i != TIME && unit->exponents[i] != 0)
            return false;
    return unit->words_count == 0 && (unit->exponents[LENGTH] == 0) != (unit->exponents[TIME] == 0);
}

// An inch is "in" only without words beside it.
static bool inch_among_words(const UnitToken *token, const UnitToken *begin, const UnitToken *end)
{
    if (!word_is(token, "in") || (token + 1 < end && (token[1].kind == TOKEN_POWER || token[1].hyphen)))
        return false;
    return token + 1 < end || (token > begin && !token->hyphen && power_before(token - 1) == 1);
}

typedef struct Reader {
    UnitTokens tokens;
    int next; // to be parsed
    int factors;
    bool refused; // known units in a wrong place, or beyond the limits: not words either
} Reader;

typedef struct Run {
    Reader *reader;
    Unit *unit;
    const UnitToken *begin, *end;
    int sign; // -1: in the denominator
} Run;

static bool put(Run *run, const Unit *factor, int exponent)
{
    run->reader->factors++;
    bool either_way = exponent < 0 && run->sign < 0; // J/kg K^-1
    run->reader->refused |= either_way || !unit_multiply(run->unit, factor, run->sign * exponent);
    return !run->reader->refused;
}

// The c of GeV/c^2; anywhere else it is no unit, but a letter.
static bool light_below_energy(const Run *run, const UnitToken *token)
{
    const int8_t *exponents = run->unit->exponents;
    return run->sign < 0 && strcmp(token->text, "c") == 0 && exponents[LENGTH] == 2 && exponents[MASS] == 1 &&
           exponents[TIME] == -2;
}

static bool put_word(Run *run, const UnitToken *token, int exponent, bool power, bool bare)
{
    Unit one, first, last;
    uint8_t flags = 0;
    if (inch_among_words(token, run->begin, run->end))
        return false;
    if (light_below_energy(run, token))
        return unit_of_name(&one, "speed of light") && put(run, &one, exponent);
    bool speed = power && exponent < 0 && speed_symbol(token->text);
    bool known = !speed && (unit_of_symbol(&one, token->text, &flags) || unit_of_name(&one, token->text));
    if (known && !(power && (flags & UNIT_GLUED)))
        return (!bare || exponent < 0 || length_or_time(&one)) && put(run, &one, exponent);
    if (!power || bare > (exponent < 0) || !glued_symbols(&first, &last, token->text))
        return false;
    return put(run, &first, 1) && put(run, &last, exponent);
}

static bool known_units(Run *run)
{
    const UnitToken *token = run->begin;
    while (token < run->end) {
        int exponent = power_before(token);
        bool power = exponent != 1, bare = false;
        token += power;
        if (token >= run->end || token->kind != TOKEN_WORD)
            return false;
        Unit named;
        int words = named_by_words(&named, token, run->end);
        const UnitToken *behind = token + (words > 0 ? words : 1);
        const UnitToken *next = behind;
        if (behind < run->end && behind->kind == TOKEN_POWER) {
            exponent *= behind->exponent;
            power = true;
            bare = behind->bare;
            next++;
        } else if (behind < run->end && power_behind(behind) > 1) {
            exponent *= power_behind(behind);
            power = true;
            next++;
        }
        TRY(words > 0 ? put(run, &named, exponent) : put_word(run, token, exponent, power, bare));
        token = next;
    }
    return true;
}

// A word keeps capitals that carry meaning: Apples and APPLES are apples, but dBm and AaBb stay.
static void ordinary_word(char *out, const char *word)
{
    size_t size = strlen(word), capitals = 0;
    bool vowel = false;
    for (size_t i = 0; i < size; i++) {
        capitals += isupper((unsigned char)word[i]) != 0;
        vowel |= strchr("aeiouyAEIOUY", word[i]) != NULL;
    }
    bool ordinary =
        vowel && size >= 3 &&
        (capitals == 0 || (capitals == 1 && isupper((unsigned char)*word)) || (capitals == size && size > 3));
    for (size_t i = 0; i <= size; i++)
        out[i] = (char)(ordinary ? tolower((unsigned char)word[i]) : word[i]);
}

static bool only_letters(const char *word)
{
    for (; *word != 0; word++)
        if (!isalpha((unsigned char)*word) && (unsigned char)*word < 0xc3)
            return false;
    return true;
}

// Words in the form that is compared, with single spaces; 0: no phrase that could be a unit
static size_t phrase(char *out, size_t capacity, const UnitToken *token, const UnitToken *end)
{
    size_t used = 0;
    bool long_word = false;
    if (end - token > PHRASE_WORDS)
        return 0;
    for (; token < end; token++) {
        char word[UNIT_WORD_BYTES], single[UNIT_WORD_BYTES];
        const char *text = token->kind == TOKEN_WORD ? token->text : "";
        if (strcmp(text, "°") == 0)
            text = "degree";
        size_t size = strlen(text);
        if (size == 0 || size >= UNIT_WORD_BYTES || !only_letters(text))
            return 0;
        ordinary_word(word, text);
        size = word_singular(single, word, size);
        bool first_of = used == 0 && strcmp(word, "of") == 0;
        if (first_of || word_counts_or_joins(word) || word_counts_or_joins(single) || used + size + 2 > capacity)
            return 0;
        if (used > 0)
            out[used++] = ' ';
        memcpy(out + used, single, size);
        used += size;
        long_word |= size >= 3;
    }
    return long_word ? used : 0;
}

static bool unknown_unit(Run *run)
{
    char words[UNIT_WORD_BYTES];
    const UnitToken *end = run->end;
    int exponent = 1;
    if (end[-1].kind == TOKEN_POWER && !end[-1].bare && end - run->begin == 2)
        exponent = (--end)->exponent;
    size_t size = phrase(words, sizeof words, run->begin, end);
    Unit word;
    unit_one(&word);
    return size > 0 && unit_add_word(&word, words, size, 1) && put(run, &word, exponent);
}

// The text after "of" may hold formulas: grams of H2O. NULL: it is no remark
static bool read_remark(Run *run, const UnitToken *of)
{
    size_t used = 0;
    char remark[UNIT_WORD_BYTES];
    if (run->end - of - 1 > PHRASE_WORDS || run->end - of < 2)
        return false;
    for (const UnitToken *token = of + 1; token < run->end; token++) {
        char word[UNIT_WORD_BYTES], single[UNIT_WORD_BYTES];
        if (token->kind != TOKEN_WORD || strlen(token->text) >= sizeof word || !only_letters(token->text))
            return false;
        ordinary_word(word, token->text);
        size_t size = word_singular(single, word, strlen(word));
        if (word_counts_or_joins(word) || word_counts_or_joins(single) || used + size + 2 > sizeof remark)
            return false;
        if (used > 0)
            remark[used++] = ' ';
        memcpy(remark + used, single, size);
        used += size;
    }
    remark[used] = 0;
    Unit one;
    unit_one(&one);
    memcpy(one.remark, remark, used + 1);
    one.offset_numerator = run->unit->offset_numerator;
    one.offset_denominator = run->unit->offset_denominator;
    return unit_multiply(run->unit, &one, 1);
}

static bool try_known(Run *run, const UnitToken *of)
{
    Unit before = *run->unit;
    int factors = run->reader->factors;
    Run known = *run;
    if (of != NULL)
        known.end = of;
    if (known.begin < known.end && known_units(&known) && (of == NULL || read_remark(run, of)))
        return true;
    *run->unit = before;
    run->reader->factors = factors;
    return false;
}

static bool read_run(Run *run)
{
    if (run->end - run->begin > 2 && word_is(run->begin, "number") && word_is(run->begin + 1, "of"))
        run->begin += 2;
    const UnitToken *of = NULL;
    for (const UnitToken *token = run->begin; token < run->end && of == NULL; token++)
        of = word_is(token, "of") ? token : NULL;
    if (try_known(run, NULL))
        return true;
    return !run->reader->refused && ((of != NULL && try_known(run, of)) || unknown_unit(run));
}

// ---- groups

static bool is_per(const UnitToken *token) { return token->kind == TOKEN_DIVIDE || word_is(token, "per"); }

static bool in_run(const UnitToken *token)
{
    return (token->kind == TOKEN_WORD && !word_is(token, "per")) || token->kind == TOKEN_POWER;
}

static bool read_group(Reader *r, Unit *unit, int depth);

// touching: the unit before the bracket, without an operator. J (mol K)^{-1}, but not meters (m).
static bool read_brackets(Reader *r, Unit *unit, int sign, bool touching, int depth)
{
    Unit inner;
    touching &= !r->tokens.tokens[r->next].fraction;
    unit_one(&inner);
    r->next++;
    TRY(depth < DEPTH_MOST && read_group(r, &inner, depth + 1) && r->tokens.tokens[r->next].kind == TOKEN_CLOSE);
    r->next++;
    int exponent = r->tokens.tokens[r->next].kind == TOKEN_POWER ? r->tokens.tokens[r->next++].exponent : 1;
    r->factors += exponent != 1; // (°C)^2 is no temperature
    if ((touching && exponent > 0) || (sign < 0 && exponent < 0))
        return false;
    return unit_multiply(unit, &inner, sign * exponent);
}

static bool read_operand(Reader *r, Unit *unit, int sign, bool touching, int depth)
{
    const UnitToken *token = &r->tokens.tokens[r->next];
    if (token->kind == TOKEN_OPEN)
        return read_brackets(r, unit, sign, touching, depth);
    if (!in_run(token) || token->kind == TOKEN_POWER)
        return false;
    Run run = {.reader = r, .unit = unit, .begin = token, .end = token, .sign = sign};
    while (in_run(run.end))
        run.end++;
    r->next += (int)(run.end - run.begin);
    return read_run(&run);
}

// The "per" of "parts per million" divides nothing.
static bool read_parts(Reader *r, Unit *unit)
{
    const UnitToken *token = &r->tokens.tokens[r->next];
    if (!(word_is(token, "parts") || word_is(token, "part")) || !word_is(token + 1, "per"))
        return false;
    const char *name = word_is(token + 2, "million") ? "ppm" : word_is(token + 2, "billion") ? "ppb" : NULL;
    Unit parts;
    if (name == NULL || !unit_of_name(&parts, name))
        return false;
    r->next += 3;
    r->factors++;
    return unit_multiply(unit, &parts, 1);
}

static bool read_group(Reader *r, Unit *unit, int depth)
{
    int sign = 1;
    bool operand = false; // the last thing read was one
    if (r->tokens.tokens[r->next].kind == TOKEN_ONE) {
        r->next++;
        operand = true;
        UnitTokenKind kind = r->tokens.tokens[r->next].kind;
        TRY(is_per(&r->tokens.tokens[r->next]) || kind == TOKEN_CLOSE);
    }
    operand |= read_parts(r, unit);
    for (;;) {
        const UnitToken *token = &r->tokens.tokens[r->next];
        if (token->kind == TOKEN_CLOSE || token->kind == LEX_END)
            return operand;
        bool per = is_per(token), first = r->next == 0;
        if (per || token->kind == TOKEN_TIMES) {
            TRY(operand || (per && first));
            sign = per ? -1 : sign;
            operand = false;
            r->next++;
            continue;
        }
        TRY(read_operand(r, unit, sign, operand, depth));
        operand = true;
    }
}

bool unit_read(Unit *unit, Text text)
{
    Reader r;
    text = text_trimmed(text);
    if (text.size == 0 || text.size > TEXT_MOST)
        return false;
    r.next = r.factors = 0;
    r.refused = false;
    unit_one(unit);
    TRY(unit_tokens(&r.tokens, text) && read_group(&r, unit, 0) && r.tokens.tokens[r.next].kind == LEX_END &&
        r.factors > 0);
    unit_settle(unit, r.factors);
    return true;
}
