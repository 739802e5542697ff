// The front door: reads the reference, then the response as an answer of that kind; then compares the two.
#include "answers/verify.h"
#include "answers/choice.h"
#include "answers/match.h"
#include "json/json_source.h"
#include "system/start.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LETTER_BYTES = 64 };

const char *const VERDICT_NAMES[3] = {"unknown", "different", "equal"};
const char *const ANSWER_KIND_NAMES[ANSWER_KINDS] = {"none", "number", "quantity", "expression", "equation", "list",
                                                     "set",  "matrix", "choice",   "chemical",   "words",    "text"};

// A reference is read whole, except text after #### or in a box, and the words before "answer is".
static Text reference_text(Verifier *v, Text gold)
{
    Text whole = text_trimmed(gold), inside[BOXES_MOST];
    const char *marked = text_last(whole, "####");
    if (marked != NULL)
        return text_trimmed(text_between(marked + 4, whole.data + whole.size));
    if (boxes_in(inside, whole) > 0)
        return joined_boxes(v->boxes[0], whole);
    static const char *const phrases[] = {"answer is:", "answer is", "answer:", NULL};
    for (const char *const *p = phrases; *p != NULL; p++) {
        const char *at = text_last(whole, *p);
        Text behind =
            at == NULL ? (Text){NULL, 0} : text_trimmed(text_between(at + strlen(*p), whole.data + whole.size));
        if (behind.size > 0)
            return behind;
    }
    return whole;
}

static void show(char out[FINDING_BYTES], Text s)
{
    size_t n = s.size < FINDING_BYTES - 1 ? s.size : FINDING_BYTES - 1;
    while (n < s.size && n > 0 && ((unsigned char)s.data[n] & 0xC0) == 0x80)
        n--; // between two characters
    if (n > 0)
        memcpy(out, s.data, n);
    out[n] = 0;
}

// Text after a first sentence may explain it, or take it back.
static bool is_remark(Text s) { return words_in(s) > 3 && !is_doubtful(s); }

// Brackets and other signs are no answer, and there is nothing for a judge to decide; but {} may be the empty set.
static bool is_signs_alone(const Verifier *v, Text answer)
{
    AnswerKind kind = v->gold.kind;
    bool may_be_a_set = kind == ANSWER_EXPRESSION || kind == ANSWER_EQUATION || kind == ANSWER_SET;
    if (!says_something(v->gold.text) || says_something(answer))
        return false;
    return !may_be_a_set || memchr(answer.data, '{', answer.size) == NULL ||
           memchr(answer.data, '}', answer.size) == NULL;
}

static void find(Verifier *v, Finding *f, Text response)
{
    Statement list[STATEMENTS_MOST];
    const Statement *from = NULL;
    int count = response_statements(list, response);
    bool words = is_words(v->gold.kind);
    if (count > 0 && texts_equal(unwrapped(list[0].text), v->gold.text)) {
        show(f->answer, v->gold.text);
        f->verdict = VERDICT_EQUAL;
        f->rule = "the same characters";
        return;
    }
    Text answer = answer_said(v, list, count, &from);
    show(f->answer, answer);
    if (answer.size == 0) {
        f->verdict = count == 0 ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
        f->rule = count == 0 ? "no answer" : "no answer is marked";
        return;
    }
    f->verdict = match_answer(v, answer);
    // MATH's references are the last of several boxes, and no policy writes references: the last box counts, whatever
    // comes before
    if (f->verdict != VERDICT_EQUAL && from->mark == MARK_BOXES && !words) {
        Verdict one = match_answer(v, last_box(from->text));
        f->verdict = one == VERDICT_EQUAL ? one : f->verdict;
    }
    bool lines = words || v->gold.has_rows; // a grid, or points of a list, on separate lines
    if (f->verdict != VERDICT_EQUAL && lines && from->all.size > from->text.size && from->all.size < FORMULA_BYTES) {
        Verdict one = match_answer(v, from->all);
        f->verdict = one == VERDICT_EQUAL || v->given.has_rows ? one : f->verdict;
    }
    if (f->verdict != VERDICT_EQUAL && words && from->mark != MARK_BOX && from->mark != MARK_BOXES) {
        Text first = first_sentence(answer);
        Verdict one = is_remark(text_between(first.data + first.size, answer.data + answer.size))
                          ? match_answer(v, first)
                          : f->verdict;
        f->verdict = one == VERDICT_EQUAL ? one : f->verdict;
    }
    f->rule = v->comparison.rule;
    if (f->verdict == VERDICT_UNKNOWN && !words && is_signs_alone(v, answer)) {
        f->verdict = VERDICT_DIFFERENT;
        f->rule = "signs alone";
    }
}

static bool is_bare_exponent(Text s) // 2e3
{
    size_t digits = 0;
    while (digits < s.size && isdigit((unsigned char)s.data[digits]))
        digits++;
    size_t at = digits + 1;
    if (digits == 0 || at >= s.size || tolower((unsigned char)s.data[digits]) != 'e')
        return false;
    while (at < s.size && isdigit((unsigned char)s.data[at]))
        at++;
    return at == s.size;
}

bool answer_is_number(Text row, Text reference)
{
    int64_t odd;
    if (!is_bare_exponent(text_trimmed(reference)) || row.size == 0)
        return false;
    json_t *root = json_parse_row(row.data, row.size, "the row", &odd), *answer = json_object_get(root, "answer");
    if (root == NULL)
        error_clear(); // not JSON: nothing is known about it
    bool number = json_is_number(json_array_size(answer) == 1 ? json_array_get(answer, 0) : answer);
    json_decref(root);
    return number;
}

static Verifier *open_verifier(Text gold)
{
    Verifier *v = memory_or_end(sizeof *v);
    v->comparison.rule = "";
    v->comparison.number = false;
    read_answer(&v->gold, reference_text(v, gold), &v->formulas[0]);
    return v;
}

static bool is_letter(Text gold, char *letter) { return gold.size <= LETTER_BYTES && choice_letter(gold, letter); }

// E. coli and A. Einstein are no options.
static bool is_abbreviation(Text response)
{
    static const char *const species[] = {
        "coli",    "aureus",       "difficile",  "pylori",     "falciparum",   "subtilis", "thaliana",
        "elegans", "melanogaster", "cerevisiae", "pneumoniae", "tuberculosis", "sapiens",  "musculus",
        "pombe",   "rerio",        "laevis",     "norvegicus", "faecalis",     "albicans", NULL};
    Text s = response_said(response);
    for (size_t i = 0; i + 3 < s.size; i++) {
        if (!isupper((unsigned char)s.data[i]) || s.data[i + 1] != '.' || s.data[i + 2] != ' ' ||
            (i > 0 && isalpha((unsigned char)s.data[i - 1])))
            continue;
        size_t n = 0;
        while (i + 3 + n < s.size && isalpha((unsigned char)s.data[i + 3 + n]))
            n++;
        Text word = {s.data + i + 3, n};
        bool name = n > 2 && isupper((unsigned char)*word.data) && i + 3 + n == s.size;
        for (const char *const *w = species; *w != NULL; w++)
            name = name || text_is(word, *w);
        if (name)
            return true;
    }
    return false;
}

// A reference that is a letter may name an option in the question's text.
static bool find_letter(Finding *f, Text gold, Text response)
{
    char right, said;
    if (!is_letter(gold, &right) || right > 'J' || is_abbreviation(response) || !choice_letter_said(response, &said))
        return false;
    f->kind = ANSWER_CHOICE;
    f->verdict = verdict_of(right == said);
    f->rule = "letter";
    show(f->reference, text_trimmed(gold));
    show(f->answer, (Text){&said, 1});
    return true;
}

void verify_finding(Finding *f, Text row, Text reference, Text response)
{
    *f = (Finding){.rule = "", .kind = ANSWER_NONE};
    reference.data = reference.size > 0 ? reference.data : "";
    response.data = response.size > 0 ? response.data : "";
    if (choice_finding(f, row, reference, response)) {
        f->kind = ANSWER_CHOICE;
        return;
    }
    if (find_letter(f, reference, response))
        return;
    Verifier *v = open_verifier(reference);
    v->comparison.number = answer_is_number(row, reference);
    char letter;
    f->kind = is_letter(reference, &letter) ? ANSWER_CHOICE : v->gold.kind;
    show(f->reference, v->gold.text);
    if (v->gold.text.size == 0)
        f->rule = "no reference";
    else
        find(v, f, response);
    free(v);
}

Verdict verify(Text reference, Text response)
{
    Finding f;
    verify_finding(&f, (Text){NULL, 0}, reference, response);
    return f.verdict;
}

AnswerKind answer_kind(Text row, Text reference)
{
    Finding f;
    char letter;
    reference.data = reference.size > 0 ? reference.data : "";
    if (text_trimmed(reference).size == 0)
        return ANSWER_NONE;
    if (choice_finding(&f, row, reference, reference) || is_letter(reference, &letter))
        return ANSWER_CHOICE;
    Verifier *v = open_verifier(reference);
    AnswerKind kind = v->gold.kind;
    free(v);
    return kind;
}

bool answer_comparable(Text row, Text gold)
{
    AnswerKind kind = answer_kind(row, gold);
    return kind != ANSWER_NONE && kind != ANSWER_TEXT;
}

Text response_answer(Text response, char *out, size_t capacity)
{
    Verifier *v = open_verifier((Text){"0", 1}); // as a formula
    Statement list[STATEMENTS_MOST];
    const Statement *from;
    Text answer = answer_said(v, list, response_statements(list, response), &from);
    bool inside = answer.size > 0 && answer.data >= (const char *)v && answer.data < (const char *)(v + 1);
    if (inside) { // boxes that were joined, or a sentence without its dollars
        answer.size = answer.size < capacity ? answer.size : capacity;
        memcpy(out, answer.data, answer.size);
        answer.data = out;
    }
    free(v);
    return answer;
}

bool response_marks_answer(Text response)
{
    Statement list[STATEMENTS_MOST];
    int count = response_statements(list, response);
    return count > 0 && list[0].mark != MARK_NONE;
}
