// What a response says, read as what the reference is: of its statements (extract.h) the first that can be an answer of that kind.
#include "answers/match.h"
#include "answers/units.h"
#include "answers/words.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { WORDS_OF_ANSWER = 6, WORDS_OF_STATEMENT = 40, STATEMENT_BYTES = 4096 };

Text joined_boxes(char out[FORMULA_BYTES], Text statement)
{
    Text inside[BOXES_MOST];
    int count = boxes_in(inside, statement);
    size_t n = 0;
    if (count == 1)
        return inside[0];
    for (int i = 0; i < count; i++) {
        if (n + inside[i].size + 2 > FORMULA_BYTES)
            return inside[count - 1];
        memcpy(out + n, ", ", i > 0 ? 2 : 0);
        n += i > 0 ? 2 : 0;
        memcpy(out + n, inside[i].data, inside[i].size);
        n += inside[i].size;
    }
    return (Text){out, n};
}

Text last_box(Text statement)
{
    Text inside[BOXES_MOST];
    int count = boxes_in(inside, statement);
    return count > 0 ? inside[count - 1] : statement;
}

static bool reads_as_formula(Verifier *v, Text s)
{
    read_answer(&v->given, s, &v->formulas[1]);
    return v->given.formula->root != NULL || v->given.kind == ANSWER_CHEMICAL || v->given.has_rows || v->given.has_range;
}

static bool known_quantity(Verifier *v, Text s)
{
    Unit unit;
    if (!reads_as_formula(v, s) || v->given.kind != ANSWER_QUANTITY)
        return false;
    const Node *n = v->given.formula->root;
    n = n->kind == NODE_NEGATE ? n->first : n;
    return unit_read(&unit, n->name) && unit.words_count == 0;
}

// "less than 0.8 N" is not 0.8 N.
static bool is_limited(Text s, Text quantity)
{
    static const char *const limits[] = {"less than",  "more than", "greater than", "smaller than", "larger than", "higher than",
                                         "lower than", "at least",  "at most",      "up to",        "below",       "above",
                                         "under",      "over",      "not",          "never",        "except",      NULL};
    Text before = quantity.data > s.data && quantity.data <= s.data + s.size ? text_trimmed(text_between(s.data, quantity.data))
                                                                             : (Text){NULL, 0};
    for (const char *const *l = limits; *l != NULL; l++) {
        size_t n = strlen(*l);
        if (before.size >= n && strncasecmp(before.data + before.size - n, *l, n) == 0 &&
            (before.size == n || !isalpha((unsigned char)before.data[before.size - n - 1])))
            return true;
    }
    return false;
}

// Of a sentence: all of it where it is a formula, or else the formula or number that it ends with, with its unit.
static Text formula_of_sentence(Verifier *v, Text s, bool *found)
{
    Text whole = unwrapped(s), quantity = sentence_quantity(first_sentence(whole));
    *found = true;
    bool set_apart = quantity.size > 0 && quantity.data > whole.data && strchr("$([", quantity.data[-1]) != NULL; // "Answer $x$"
    if (!set_apart && whole.size < FORMULA_BYTES && reads_as_formula(v, whole))
        return whole;
    *found = last_quantity(s).size > 0;
    if (!*found || quantity.size == 0)
        return whole;
    if (is_limited(whole, quantity)) {
        *found = false;
        return whole;
    }
    const char *end = whole.data + whole.size;
    Text with_unit = unwrapped(quantity.data < end ? text_between(quantity.data, end) : quantity);
    bool behind = quantity.data >= whole.data && with_unit.size > quantity.size && with_unit.size < quantity.size + 64;
    return behind && known_quantity(v, with_unit) ? with_unit : quantity;
}

// A mark behind the box that says nothing of a formula ("our final answer is a common one") is none.
static bool says_formula(Verifier *v, const Statement *s)
{
    bool found;
    Text said = formula_of_sentence(v, s->text, &found);
    return found ? words_in(said) <= 2 || reads_as_formula(v, said) : reads_as_formula(v, said) && words_in(said) == 0;
}

static Text formula_answer(Verifier *v, const Statement *list, int count, const Statement **from)
{
    bool found;
    for (int i = 0; i < count; i++) {
        const Statement *s = *from = &list[i];
        bool more = i + 1 < count;
        if (s->mark == MARK_BOX)
            return s->text;
        if (s->mark == MARK_BOXES)
            return joined_boxes(v->boxes[1], s->text);
        if ((s->mark == MARK_FINAL || s->mark == MARK_PHRASE) && more && !says_formula(v, s) && list[i + 1].mark != MARK_NONE)
            continue;
        if (s->mark == MARK_NONE && words_in(s->text) >= WORDS_OF_ANSWER && !(s->text.size < 256 && reads_as_formula(v, s->text)))
            return last_quantity(unwrapped(s->text));
        return formula_of_sentence(v, s->text, &found);
    }
    return (Text){NULL, 0};
}

static Text words_answer(Verifier *v, const Statement *list, int count, const Statement **from)
{
    if (count == 0)
        return (Text){NULL, 0};
    const Statement *s = *from = &list[0];
    if (s->mark == MARK_BOXES)
        return joined_boxes(v->boxes[1], s->text);
    if (s->mark != MARK_NONE || (s->text.size < STATEMENT_BYTES && words_count(s->text) <= WORDS_OF_STATEMENT))
        return s->text;
    const char *line = memrchr(s->text.data, '\n', s->text.size);
    Text last = line == NULL ? s->text : text_trimmed(text_between(line, s->text.data + s->text.size));
    return last.size < STATEMENT_BYTES && words_count(last) <= WORDS_OF_STATEMENT ? last : (Text){NULL, 0};
}

Text answer_said(Verifier *v, const Statement *list, int count, const Statement **from)
{
    return (is_words(v->gold.kind) ? words_answer : formula_answer)(v, list, count, from);
}
