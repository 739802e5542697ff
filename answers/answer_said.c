// Finds a response's answer, read as the reference's kind: the first of its statements (extract.h) that can be such an
// answer.
#include "answers/match.h"
#include "answers/words/words.h"
#include <string.h>

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

bool reads_as_formula(Verifier *v, Text s)
{
    read_answer(&v->given, s, &v->formulas[1]);
    return v->given.formula->root != NULL || v->given.kind == ANSWER_CHEMICAL || v->given.has_rows ||
           v->given.has_range;
}

// "Answer $x$" is no product.
static bool sets_formula_apart(const Verifier *v, Text s)
{
    bool delimited = memchr(s.data, '$', s.size) != NULL || memmem(s.data, s.size, "\\(", 2) != NULL ||
                     memmem(s.data, s.size, "\\[", 2) != NULL;
    return delimited && v->given.formula->root != NULL && is_wordy(v->given.formula->root);
}

// The whole line where it is a formula; else what its first sentence (after a phrase) or its last one plainly says; the
// whole line again if that is nothing.
static Text formula_of(Verifier *v, Text line, bool phrase, bool *found)
{
    Text whole = unwrapped(line), said = {NULL, 0};
    *found = true;
    if (whole.size < FORMULA_BYTES && reads_as_formula(v, whole) && !sets_formula_apart(v, whole))
        return whole;
    if (phrase)
        said = sentence_formula(v, unwrapped(first_sentence(whole)));
    if (said.size > 0 || (said = last_sentence_formula(v, whole)).size > 0)
        return said;
    *found = false;
    return whole;
}

static Text last_line(Text s)
{
    const char *line = memrchr(s.data, '\n', s.size);
    return line == NULL ? s : text_trimmed(text_between(line, s.data + s.size));
}

static Text formula_answer(Verifier *v, const Statement *list, int count, const Statement **from)
{
    bool found;
    for (int i = 0; i < count; i++) {
        const Statement *s = *from = &list[i];
        if (s->mark == MARK_BOX)
            return s->text;
        if (s->mark == MARK_BOXES)
            return joined_boxes(v->boxes[1], s->text);
        bool boxed = i + 1 < count && list[i + 1].mark != MARK_NONE;
        Text said = formula_of(v, s->text, s->mark != MARK_NONE, &found);
        if (!found && boxed) // "our final answer is a common one" after a box adds nothing
            continue;
        if (!found && s->mark == MARK_NONE) {
            Text line = last_line(s->text);
            said = formula_of(v, line, false, &found);
            return found || words_in(s->text) < WORDS_OF_ANSWER ? said : (Text){NULL, 0};
        }
        return said;
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
    Text last = last_line(s->text);
    return last.size < STATEMENT_BYTES && words_count(last) <= WORDS_OF_STATEMENT ? last : (Text){NULL, 0};
}

Text answer_said(Verifier *v, const Statement *list, int count, const Statement **from)
{
    return (is_words(v->gold.kind) ? words_answer : formula_answer)(v, list, count, from);
}
