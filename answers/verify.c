// Two answers compared. What each says is looked at in this order: the same characters; the same words; then by what the trees are:
// lists without order, tuples and matrices place by place, intervals, relations by the ratio of their two sides' differences, and
// everything else by its value.
#include "answers/verify.h"
#include "answers/choice.h"
#include "answers/compare.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_truth(Text s, bool *value)
{
    static const char *const words[] = {"true", "yes", "false", "no"};
    for (int i = 0; i < 4; i++)
        if (same_words(s, (Text){words[i], strlen(words[i])})) {
            *value = i < 2;
            return true;
        }
    return false;
}

// ---- trees

static bool is_plain_list(const Node *n) { return n->kind == NODE_LIST || n->kind == NODE_SET; }

static Verdict compare_kinds(Budget *b, const Node *g, const Node *p, int depth)
{
    Node g_nodes[4], p_nodes[4];
    if (g->kind == NODE_BRACKET && as_interval(p, p_nodes))
        p = p_nodes;
    else if (p->kind == NODE_BRACKET && as_interval(g, g_nodes))
        g = g_nodes;
    if (g->kind == NODE_RELATION && p->kind == NODE_RELATION)
        return compare_relations(b, g, p, depth);
    if (g->kind == p->kind && (g->kind == NODE_MATRIX || g->kind == NODE_ROW))
        return compare_children(b, g, p, depth);
    if (g->kind == NODE_BRACKET && p->kind == NODE_BRACKET)
        return compare_brackets(b, g, p, depth);
    if ((g->kind == NODE_BRACKET && is_plain_list(p)) || (p->kind == NODE_BRACKET && is_plain_list(g)))
        return compare_children(b, g, p, depth);
    bool g_many = is_collection(g) || g->kind == NODE_PLUS_MINUS, p_many = is_collection(p) || p->kind == NODE_PLUS_MINUS;
    if (g_many || p_many)
        return compare_collections(b, g, p, depth);
    bool g_structure = g->kind == NODE_RELATION || g->kind == NODE_MATRIX || g->kind == NODE_BRACKET;
    bool p_structure = p->kind == NODE_RELATION || p->kind == NODE_MATRIX || p->kind == NODE_BRACKET;
    if (g_structure || p_structure)
        return VERDICT_DIFFERENT;
    return compare_quantities(b, g, p);
}

Verdict compare(Budget *b, const Node *g, const Node *p, int depth)
{
    bool x, y;
    if (depth == 0)
        return VERDICT_UNKNOWN;
    Text g_words = words_of(g), p_words = words_of(p);
    if (g_words.size > 0 && p_words.size > 0) {
        if (same_words(g_words, p_words))
            return VERDICT_EQUAL;
        if (is_truth(g_words, &x) && is_truth(p_words, &y))
            return verdict_of(x == y);
        if (g->kind == NODE_WORD && p->kind == NODE_WORD && (g_words.size > 3 || p_words.size > 3))
            return VERDICT_DIFFERENT;
    }
    g = member_side(g);
    p = member_side(p);
    if (g->kind != NODE_RELATION || p->kind != NODE_RELATION) {
        g = value_side(g);
        p = value_side(p);
    } else if (value_side(g) != g && value_side(p) != p) {
        Verdict v = compare_kinds(b, value_side(g), value_side(p), depth - 1);
        if (v == VERDICT_EQUAL)
            return v;
    }
    return compare_kinds(b, g, p, depth - 1);
}

// ---- texts

// Behind the last = that is in no braces: what a sum or a limit that is not understood comes to.
static bool right_side(Text *answer)
{
    int depth = 0;
    for (size_t i = answer->size; i-- > 0;) {
        depth += answer->data[i] == '}';
        depth -= answer->data[i] == '{';
        if (answer->data[i] == '=' && depth == 0 && i > 0 && strchr("<>!", answer->data[i - 1]) == NULL) {
            *answer = (Text){answer->data + i + 1, answer->size - i - 1};
            return true;
        }
    }
    return false;
}

static bool read_formula(Formula *f, Text answer)
{
    if (formula_lex(f, answer) && formula_parse(f))
        return true;
    return right_side(&answer) && formula_lex(f, answer) && formula_parse(f);
}

// The same characters but for spaces, dollars and the like; signs count. Words may differ in their capitals.
static bool same_spelling(const Formula *a, const Formula *b)
{
    const char *x = a->text, *y = b->text;
    bool formula = strpbrk(x, "\\^_=0123456789") != NULL;
    for (;; x++, y++) {
        x += strspn(x, " \n");
        y += strspn(y, " \n");
        bool same = formula ? *x == *y : tolower((unsigned char)*x) == tolower((unsigned char)*y);
        if (!same || *x == 0)
            return same;
    }
}

static Verdict verify_formulas(Formula *g, Formula *p, Text gold, Text prediction)
{
    bool g_read = read_formula(g, gold), p_read = read_formula(p, prediction);
    if (g_read && p_read) {
        Budget budget = {STEPS_MOST};
        Verdict v = compare(&budget, g->root, p->root, DEPTH_MOST);
        if (v != VERDICT_UNKNOWN)
            return v;
    }
    bool spelled = !(g_read && p_read) && formula_spell(g, gold) && formula_spell(p, prediction);
    return spelled && same_spelling(g, p) ? VERDICT_EQUAL : VERDICT_UNKNOWN;
}

static Verdict verify_answers(Text gold, Text prediction)
{
    gold = text_trimmed(gold);
    prediction = text_trimmed(prediction);
    if (texts_equal(gold, prediction))
        return VERDICT_EQUAL;
    if (gold.size == 0 || prediction.size == 0)
        return gold.size > 0 ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
    Formula *formulas = malloc(2 * sizeof *formulas);
    if (formulas == NULL)
        return VERDICT_UNKNOWN;
    Verdict v = verify_formulas(&formulas[0], &formulas[1], gold, prediction);
    free(formulas);
    return v;
}

// Several boxes side by side may be parts of one answer, or ways of writing it of which the last one counts.
Verdict verify(Text gold, Text prediction)
{
    char g_boxes[FORMULA_BYTES], p_boxes[FORMULA_BYTES];
    Text g = response_answer(gold, g_boxes, sizeof g_boxes), p = response_answer(prediction, p_boxes, sizeof p_boxes);
    Verdict v = verify_answers(g, p);
    if (v == VERDICT_EQUAL)
        return v;
    Text last = response_last_box(prediction);
    return last.size == 0 || texts_equal(p, last) ? v : verify_answers(g, last);
}

bool answer_readable(Text gold)
{
    char text[FORMULA_BYTES];
    gold = text_trimmed(response_answer(gold, text, sizeof text));
    Formula *f = malloc(sizeof *f);
    bool readable = f != NULL && gold.size > 0 && read_formula(f, gold);
    free(f);
    return readable;
}

// ---- the front door

const char *const VERDICT_NAMES[3] = {"unknown", "different", "equal"};
const char *const ANSWER_KIND_NAMES[ANSWER_KINDS] = {"none", "number", "quantity", "expression", "equation", "list", "set",
                                                     "matrix", "choice", "chemical", "words", "text"};

AnswerKind answer_kind(Text row, Text gold)
{
    Verdict v;
    if (text_trimmed(gold).size == 0)
        return ANSWER_NONE;
    if (verify_choice(&v, row, gold, gold) && v == VERDICT_EQUAL)
        return ANSWER_CHOICE;
    return answer_readable(gold) ? ANSWER_EXPRESSION : ANSWER_TEXT;
}

bool answer_comparable(Text row, Text gold)
{
    AnswerKind kind = answer_kind(row, gold);
    return kind != ANSWER_NONE && kind != ANSWER_TEXT;
}

static void show(char out[FINDING_BYTES], Text s)
{
    size_t n = s.size < FINDING_BYTES - 1 ? s.size : FINDING_BYTES - 1;
    while (n < s.size && n > 0 && ((unsigned char)s.data[n] & 0xC0) == 0x80)
        n--; // between two characters
    memcpy(out, s.data, n);
    out[n] = 0;
}

void verify_finding(Finding *f, Text row, Text gold, Text response)
{
    char boxes[FORMULA_BYTES];
    *f = (Finding){.kind = answer_kind(row, gold), .rule = "value"};
    show(f->reference, gold);
    show(f->answer, response_answer(response, boxes, sizeof boxes));
    if (!verify_choice(&f->verdict, row, gold, response))
        f->verdict = verify(gold, response);
}
