// How tokens become terms, and terms a formula or a reaction. A term is described by its structure, in one spelling,
// and its atoms.
#include "answers/chemistry/chemical.h"
#include "answers/chemistry/chemical_lexer.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_MOST = 300, DEPTH_MOST = 4 };

typedef struct Reader {
    ChemicalTokens tokens;
    int next; // to be parsed
} Reader;

// ---- species

typedef struct Builder {
    Reader *reader;
    Species *species;
    size_t used;
    bool split;     // a digit before a sign without marks is the charge: Fe2+
    bool ambiguous; // there was one
    int isotopes;
    int counts[ELEMENT_COUNT];
} Builder;

static bool write_text(Builder *b, const char *text)
{
    size_t size = strlen(text);
    if (b->used + size >= CHEMICAL_BYTES)
        return false;
    memcpy(b->species->structure + b->used, text, size + 1);
    b->used += size;
    return true;
}

static bool write_count(Builder *b, int count)
{
    char text[16];
    if (count == 1)
        return true;
    snprintf(text, sizeof text, "%d", count);
    return write_text(b, text);
}

static const ChemicalToken *token_at(const Builder *b) { return &b->reader->tokens.tokens[b->reader->next]; }
static bool next_is(const Builder *b, ChemicalTokenKind kind) { return token_at(b)->kind == kind; }

// A sign that ends a term is its charge; between terms it joins them.
static bool sign_is_charge(const ChemicalToken *sign)
{
    switch (sign[1].kind) {
    case TOKEN_SPACE:
    case LEX_END:
    case TOKEN_ARROW:
    case TOKEN_EQUALS:
    case TOKEN_STATE:
        return true;
    case LEX_SIGN:
        return sign->value > 0 || sign[1].value > 0;
    default:
        return false;
    }
}

// The index after an atom or a bracket. Digits before a final sign may belong to it: SO42-, Fe2+.
static bool take_index(Builder *b, int *count)
{
    const ChemicalToken *token = token_at(b);
    *count = 1;
    if (token->kind != LEX_NUMBER || token->mark == '^')
        return true;
    b->reader->next++;
    *count = token->value;
    if (token->mark == 0 && token[1].kind == LEX_SIGN && sign_is_charge(token + 1)) {
        b->ambiguous = true;
        if (b->split) {
            b->species->charge = token[1].value * (token->value % 10);
            *count = token->value < 10 ? 1 : token->value / 10;
            b->reader->next++;
            return token->value % 10 > 0;
        }
    }
    return *count > 0;
}

static bool count_atoms(Builder *b, int element, int count)
{
    b->counts[element] += count;
    return b->counts[element] < 1000000;
}

enum { NO_NUMBER = -2 };

// ^{14}C, {}^{14}_6C, and _6^{14}C: mass and atomic number, which must be the element's.
static bool read_isotope(Builder *b, int *mass, int *number)
{
    *mass = 0;
    *number = NO_NUMBER;
    for (const ChemicalToken *token = token_at(b); token->kind == LEX_NUMBER && token->mark != 0; token = token_at(b)) {
        if (token->mark == '^')
            *mass = token->value;
        else
            *number = token->value;
        b->reader->next++;
    }
    return *mass >= 0;
}

// ^0_{-1}e gives its charge by its number, and D and T are hydrogen.
static bool number_fits(Builder *b, int element, int mass, int number)
{
    int own = element == DEUTERIUM || element == TRITIUM ? 1 : element == NEUTRON ? 0 : element;
    if (element == ELECTRON) {
        b->species->charge = abs(number) == 1 ? number : 0;
        return mass == 0;
    }
    return (number == NO_NUMBER || number == own) && (mass == 0 || (mass >= own && mass <= 3 * own + 1));
}

// ^{10}C_3 and _6P_2 count combinations and permutations.
static bool combinations(const Builder *b, const ChemicalToken *atom, bool isotope)
{
    enum { CARBON = 6, PHOSPHORUS = 15 };
    bool letter = atom->value == CARBON || atom->value == PHOSPHORUS,
         index = atom[1].kind == LEX_NUMBER && atom[1].mark == '_';
    return isotope && letter && index && !b->reader->tokens.declared;
}

static bool read_atom(Builder *b, int multiplier)
{
    int mass, number, count;
    char text[16];
    TRY(read_isotope(b, &mass, &number));
    const ChemicalToken *token = token_at(b);
    if (token->kind != TOKEN_ELEMENT || !number_fits(b, token->value, mass, number) ||
        combinations(b, token, mass > 0 || number != NO_NUMBER))
        return false;
    b->reader->next++;
    if (mass == 0 && token[1].kind == LEX_SIGN && token[1].value < 0 && token[2].kind == LEX_NUMBER &&
        token[2].mark == 0) {
        mass = token[2].value; // C-14
        b->reader->next += 2;
        TRY(number_fits(b, token->value, mass, NO_NUMBER));
    }
    if (mass > 0) {
        snprintf(text, sizeof text, "[%d]", mass);
        TRY(write_text(b, text));
        b->isotopes++;
        b->species->mass = mass;
    }
    TRY(write_text(b, ELEMENTS[token->value]) && take_index(b, &count) && write_count(b, count));
    return count_atoms(b, token->value, count * multiplier);
}

static bool read_atoms(Builder *b, int multiplier, int depth);

static bool roman_number(const ChemicalToken *token) // Fe(III): names, not atoms
{
    enum { VANADIUM = 23, IODINE = 53 };
    int letters = 0;
    for (; token->kind == TOKEN_ELEMENT && (token->value == VANADIUM || token->value == IODINE); token++)
        letters++;
    return letters > 0 && token->kind == TOKEN_CLOSE;
}

// A bracket's content is counted once its index is known: it is read twice, first to find its end.
static bool read_bracket(Builder *b, int multiplier, int depth)
{
    Builder probe = *b;
    Species scratch = *b->species;
    Reader reader = *b->reader;
    int count;
    probe.species = &scratch;
    probe.reader = &reader;
    reader.next++;
    if (depth == DEPTH_MOST || roman_number(&reader.tokens.tokens[reader.next]) || !read_atoms(&probe, 1, depth + 1) ||
        !next_is(&probe, TOKEN_CLOSE))
        return false;
    reader.next++;
    TRY(take_index(&probe, &count) && count * multiplier <= CHEMICAL_NUMBER_MOST);
    b->reader->next++;
    TRY(write_text(b, "(") && read_atoms(b, multiplier * count, depth + 1) && write_text(b, ")"));
    b->reader->next++;
    return take_index(b, &count) && write_count(b, count);
}

static bool index_before_space(const ChemicalToken *space)
{
    return space[-1].kind == LEX_NUMBER && space[-1].mark == '_';
}

static bool starts_atom(const ChemicalToken *token)
{
    return token->kind == TOKEN_ELEMENT || token->kind == TOKEN_OPEN ||
           (token->kind == LEX_NUMBER && token->mark != 0 &&
            (token[1].kind == TOKEN_ELEMENT || token[1].kind == LEX_NUMBER));
}

static bool read_bond(Builder *b)
{
    const ChemicalToken *token = token_at(b);
    bool single = token->kind == LEX_SIGN && token->value < 0;
    bool other = token->kind == TOKEN_BOND || token->kind == TOKEN_EQUALS;
    if (!(single || other) || !starts_atom(token + 1) || token[1].kind == LEX_NUMBER)
        return true; // it is none
    b->reader->next++;
    return single || write_text(b, token->kind == TOKEN_BOND ? "#" : "=");
}

static bool read_crystal(Builder *b) // .5H2O
{
    int count = 1;
    b->reader->next++;
    b->reader->next += next_is(b, TOKEN_SPACE);
    if (next_is(b, LEX_NUMBER) && token_at(b)->mark == 0) {
        count = token_at(b)->value;
        b->reader->next++;
        b->reader->next += next_is(b, TOKEN_SPACE);
    }
    return count > 0 && write_text(b, ".") && write_count(b, count) && read_atoms(b, count, 1);
}

static bool read_atoms(Builder *b, int multiplier, int depth)
{
    int atoms = 0;
    for (;; atoms++) {
        const ChemicalToken *token = token_at(b);
        if (atoms > 0 && token->kind == TOKEN_SPACE && index_before_space(token) && starts_atom(token + 1))
            b->reader->next++;
        else if (atoms > 0)
            TRY(read_bond(b));
        token = token_at(b);
        if (!starts_atom(token))
            break;
        TRY(token->kind == TOKEN_OPEN ? read_bracket(b, multiplier, depth) : read_atom(b, multiplier));
    }
    if (atoms == 0 || depth > 0)
        return atoms > 0;
    b->reader->next += token_at(b)[0].kind == TOKEN_SPACE && token_at(b)[1].kind == TOKEN_DOT;
    return !next_is(b, TOKEN_DOT) || read_crystal(b);
}

static bool read_charge(Builder *b)
{
    const ChemicalToken *token = token_at(b);
    if (token->kind == TOKEN_CHARGE || (token->kind == LEX_SIGN && sign_is_charge(token))) {
        if (b->species->charge != 0)
            return false;
        b->species->charge = token->value;
        b->reader->next++;
    }
    return true;
}

// [Cu(NH3)4]: brackets around everything mean nothing
static void strip_brackets(Species *s)
{
    size_t size = strlen(s->structure);
    int depth = 0;
    if (size < 2 || s->structure[0] != '(' || s->structure[size - 1] != ')')
        return;
    for (size_t i = 0; i + 1 < size; i++) {
        depth += (s->structure[i] == '(') - (s->structure[i] == ')');
        if (depth == 0)
            return;
    }
    memmove(s->structure, s->structure + 1, size - 2);
    s->structure[size - 2] = 0;
}

static bool settle(Builder *b)
{
    Species *s = b->species;
    for (int i = 0; i < ELEMENT_COUNT; i++) {
        if (b->counts[i] == 0)
            continue;
        if (s->elements_count == CHEMICAL_ELEMENTS)
            return false;
        s->elements[s->elements_count].element = i;
        s->elements[s->elements_count++].count = b->counts[i];
    }
    if (b->isotopes != 1)
        s->mass = 0;
    strip_brackets(s);
    if (b->counts[ELECTRON] > 0)
        return strcmp(s->structure, "e") == 0 && abs(s->charge) == 1;
    return b->counts[NEUTRON] == 0 || strcmp(s->structure, "[1]n") == 0;
}

static bool read_species(Reader *r, Species *species, bool split, bool *ambiguous)
{
    Builder b = {.reader = r, .species = species, .split = split};
    memset(species, 0, sizeof *species);
    TRY(read_atoms(&b, 1, 0) && read_charge(&b) && settle(&b));
    *ambiguous = b.ambiguous;
    return true;
}

// ---- terms, sides, reactions

static void skip_space(Reader *r) { r->next += r->tokens.tokens[r->next].kind == TOKEN_SPACE; }

static bool read_coefficient(Reader *r, ChemicalTerm *term)
{
    const ChemicalToken *token = &r->tokens.tokens[r->next];
    term->numerator = term->denominator = 1;
    if (token->kind != LEX_NUMBER || token->mark != 0)
        return true;
    term->numerator = token->value;
    r->next++;
    if (token[1].kind == TOKEN_SLASH && token[2].kind == LEX_NUMBER && token[2].mark == 0) {
        term->denominator = token[2].value;
        r->next += 2;
    }
    skip_space(r);
    return term->numerator > 0 && term->denominator > 0;
}

static bool read_term(Reader *r, ChemicalTerm *term)
{
    memset(term, 0, sizeof *term);
    TRY(read_coefficient(r, term));
    int begin = r->next, end;
    bool ambiguous;
    TRY(read_species(r, &term->species[0], false, &ambiguous));
    end = r->next;
    term->readings = 1;
    if (ambiguous) {
        r->next = begin;
        term->readings += read_species(r, &term->species[1], true, &ambiguous) && r->next == end;
        r->next = end;
    }
    const ChemicalToken *token = &r->tokens.tokens[r->next];
    if (token->kind == TOKEN_SPACE && token[1].kind == TOKEN_STATE)
        token++, r->next++;
    if (token->kind == TOKEN_STATE) {
        term->state = (char)token->value;
        r->next++;
    }
    return true;
}

static bool read_side(Reader *r, Chemical *c, int *terms)
{
    for (;;) {
        int at = c->left + c->right;
        skip_space(r);
        if (at == CHEMICAL_TERMS || !read_term(r, &c->terms[at]))
            return false;
        ++*terms;
        skip_space(r);
        const ChemicalToken *token = &r->tokens.tokens[r->next];
        if (token->kind != LEX_SIGN || token->value < 0)
            return true;
        r->next++;
    }
}

// ---- whether it is chemistry

static int letters_of(int element) { return ELEMENTS[element][1] != 0 ? 2 : 1; }

static bool holds(const Species *s, int element)
{
    for (int i = 0; i < s->elements_count; i++)
        if (s->elements[i].element == element)
            return true;
    return false;
}

// Several symbols, one with two letters; or an index and H, O or F, which rarely occur in names of quantities.
static bool surely_formula(const Species *s)
{
    enum { HYDROGEN = 1, OXYGEN = 8, FLUORINE = 9 };
    bool long_symbol = false, digit = strpbrk(s->structure, "23456789") != NULL, several = s->elements_count > 1;
    for (int i = 0; i < s->elements_count; i++)
        long_symbol |= letters_of(s->elements[i].element) == 2;
    if (long_symbol)
        return several || digit;
    return several && digit && (holds(s, HYDROGEN) || holds(s, OXYGEN) || holds(s, FLUORINE));
}

// Marks that only chemistry has: a raised charge, an isotope in front, a state at the end.
static bool surely_marked(const Reader *r)
{
    for (int i = 0; i < r->tokens.count; i++) {
        const ChemicalToken *token = &r->tokens.tokens[i];
        bool behind =
            i > 0 && (token[-1].kind == TOKEN_ELEMENT || token[-1].kind == LEX_NUMBER || token[-1].kind == TOKEN_CLOSE);
        if ((token->kind == TOKEN_CHARGE && token->mark == 0) || token->kind == TOKEN_STATE)
            return true;
        if (token->kind == LEX_NUMBER && token->mark == '^' && !behind)
            return true;
    }
    return false;
}

static bool wrong_index(const Reader *r) // P_1 V_1 = P_2 V_2: chemists do not write the index 1
{
    for (int i = 1; i < r->tokens.count; i++)
        if (r->tokens.tokens[i].kind == LEX_NUMBER && r->tokens.tokens[i].mark == '_' &&
            r->tokens.tokens[i].value == 1 && r->tokens.tokens[i - 1].kind == TOKEN_ELEMENT)
            return true;
    return false;
}

static bool surely_chemistry(const Reader *r, const Chemical *c)
{
    if (r->tokens.declared || surely_marked(r))
        return true;
    bool sure = false;
    for (int i = 0; i < c->left + c->right; i++) {
        const ChemicalTerm *term = &c->terms[i];
        const Species *s = &term->species[0];
        sure |= surely_formula(s);
        for (int j = 0; j < term->readings; j++) // Na+; but B+ is a mark
            sure |= term->species[j].charge != 0 && (s->elements_count > 1 || letters_of(s->elements[0].element) == 2);
    }
    return sure && !wrong_index(r);
}

// An = without spaces and other signs of a reaction is a double bond.
static bool arrow_of(const ChemicalToken *token, bool joined)
{
    return token->kind == TOKEN_ARROW || (token->kind == TOKEN_EQUALS && (joined || token[-1].kind == TOKEN_SPACE));
}

static void arrows_of_equals(Reader *r)
{
    bool joined = false;
    for (int i = 1; i < r->tokens.count; i++) {
        const ChemicalToken *token = &r->tokens.tokens[i];
        joined |=
            token->kind == LEX_SIGN && token->value > 0 && (token[-1].kind == TOKEN_SPACE || !sign_is_charge(token));
    }
    for (int i = 1; i < r->tokens.count; i++)
        if (arrow_of(&r->tokens.tokens[i],
                     joined || (r->tokens.tokens[i + 1].kind == LEX_NUMBER && r->tokens.tokens[i + 1].mark == 0)))
            r->tokens.tokens[i].kind = TOKEN_ARROW;
}

bool chemical_read(Chemical *chemical, Text text)
{
    text = text_trimmed(text);
    if (text.size == 0 || text.size > TEXT_MOST)
        return false;
    Reader r;
    r.next = 0;
    TRY(chemical_tokens(&r.tokens, text));
    arrows_of_equals(&r);
    memset(chemical, 0, sizeof *chemical);
    TRY(read_side(&r, chemical, &chemical->left));
    if (r.tokens.tokens[r.next].kind == TOKEN_ARROW) {
        r.next++;
        chemical->reaction = true;
        TRY(read_side(&r, chemical, &chemical->right));
    }
    chemical->certain = surely_chemistry(&r, chemical);
    return r.tokens.tokens[r.next].kind == LEX_END;
}
