// See rubric_numbers.h.
#include "difficulty/rubric_numbers.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return isalpha((unsigned char)c) != 0; }

#define MARKS "*_`$\"'" // formatting
#define MARKS_AND_SPACE MARKS "\t "

static bool is_one_of(Text word, const char *const words[])
{
    for (; *words != NULL; words++)
        if (word.size == strlen(*words) && strncasecmp(word.data, *words, word.size) == 0)
            return true;
    return false;
}

static bool begins(const char *at, const char *end, const char *const texts[])
{
    for (; *texts != NULL; texts++)
        if ((size_t)(end - at) >= strlen(*texts) && strncasecmp(at, *texts, strlen(*texts)) == 0)
            return true;
    return false;
}

static bool ends_with(Text text, const char *const ends[])
{
    for (; *ends != NULL; ends++)
        if (text.size >= strlen(*ends) && strncasecmp(text.data + text.size - strlen(*ends), *ends, strlen(*ends)) == 0)
            return true;
    return false;
}

bool text_has_word(Text text, const char *const words[])
{
    const char *end = text.data + text.size;
    for (const char *at = text.data; at < end;) {
        const char *word = at;
        while (at < end && (letter(*at) || *at == '\''))
            at++;
        if (at > word && is_one_of(text_between(word, at), words))
            return true;
        at += at == word;
    }
    return false;
}

// The word that ends at `end`; empty if there is none.
static Text word_before(const char *line, const char *end)
{
    const char *begin = end;
    while (begin > line && letter(begin[-1]))
        begin--;
    return text_between(begin, end);
}

// ---- one number

// Whether a minus precedes it. After a letter, a digit or another - it is a hyphen or a dash.
static bool negative(const char *line, const char *at)
{
    if (at == line || at[-1] != '-')
        return false;
    char before = at - 1 == line ? ' ' : at[-2];
    return !digit(before) && !letter(before) && before != '-';
}

// The next number at or after `at`; digits within a word ("4th", "x2") are none.
static bool next_number(Number *n, const char *line, const char *at, const char *end)
{
    for (;;) {
        while (at < end && !digit(*at))
            at++;
        if (at == end)
            return false;
        bool whole = !(at > line && at[-1] == '.' && (at - 1 == line || isspace((unsigned char)at[-2]))); // .5
        int value = 0;
        *n = (Number){.begin = at};
        for (; at < end && (digit(*at) || ((*at == '.' || *at == ',') && at + 1 < end && digit(at[1]))); at++) {
            if (!digit(*at)) // 4.0 is whole, 4.5 and 4,0 are not
                whole = whole && *at == '.' && strspn(at + 1, "0") == strspn(at + 1, "0123456789");
            else if (value < 1000 && memchr(n->begin, '.', (size_t)(at - n->begin)) == NULL)
                value = 10 * value + (*at - '0');
        }
        n->end = at;
        whole = whole && !negative(line, n->begin) && (*n->begin != '0' || at - n->begin == 1);
        n->value = whole && value <= DIFFICULTIES ? value : 0;
        n->other = whole && value > DIFFICULTIES;
        bool in_word = (n->begin > line && (letter(n->begin[-1]) || n->begin[-1] == '_')) || (at < end && letter(*at));
        if (!in_word)
            return true;
    }
}

// ---- context

static bool is_tag(const char *line, const char *at) // <score>, its > at `at`; or the > of a quotation
{
    const char *begin = at;
    while (begin > line && (letter(begin[-1]) || begin[-1] == '_'))
        begin--;
    return at == line || (begin > line && begin < at && begin[-1] == '<');
}

// Part of a formula: 2+2, 2^2, < 5, 4%, 3½, 4+, x = 4 (but a label may have its =); or approximate: ~4, 4 or more.
static bool in_formula(Text line, const Number *n)
{
    static const char *const BEFORE[] = {"<",      "^",      "/",      "%",      "~", "\u2265",
                                         "\u2264", "\u2248", "\u00d7", "\u00f7", NULL};
    static const char *const BEHIND[] = {"+",      "^",      "<",      ">",      "=",      "%",
                                         "/",      "\u00bd", "\u00bc", "\u00be", "\u00d7", "\u00f7",
                                         "\u2265", "\u2264", "or ",    "plus",   NULL};
    const char *before = n->begin, *behind = n->end, *end = line.data + line.size;
    while (before > line.data && strchr(MARKS_AND_SPACE, before[-1]) != NULL)
        before--;
    while (behind < end && strchr(MARKS_AND_SPACE, *behind) != NULL)
        behind++;
    Text head = text_between(line.data, before);
    char last = head.size > 0 ? before[-1] : 0;
    const char *far = before - (head.size > 0);
    while (far > line.data && strchr(MARKS_AND_SPACE, far[-1]) != NULL)
        far--;
    bool sign = last == '+' && before == n->begin && (far == line.data || far[-1] == ':'); // +4
    bool relation = (last == '=' && n->label == LABEL_NONE) || (last == '>' && !is_tag(line.data, before - 1)) ||
                    (last == '=' && far > line.data && strchr("<>!", far[-1]) != NULL);
    bool closing = end - behind >= 2 && memcmp(behind, "</", 2) == 0;
    bool hanging =
        behind < end && *behind == '-' && behind == n->end && text_trimmed(text_between(behind + 1, end)).size == 0;
    return ends_with(head, BEFORE) || (last == '+' && !sign) || relation || hanging ||
           (!closing && begins(behind, end, BEHIND));
}

// It counts something ("2 steps", "a 3-step proof") or is part of a name ("Step 2").
static bool counts_or_names(Text line, const Number *n)
{
    static const char *const COUNTED[] = {"step", "of",   "part",   "question", "problem", "concept",
                                          "way",  "hour", "minute", "year",     NULL};
    static const char *const NO_PLURALS[] = {"is",  "as",    "stars", "points", "was",   "this",     "does",  "has",
                                             "yes", "seems", "fits",  "feels",  "looks", "reflects", "means", NULL};
    static const char *const NAMED[] = {"step",    "problem",  "question", "part",   "chapter",  "section",
                                        "example", "exercise", "case",     "figure", "equation", "theorem",
                                        "page",    "option",   "class",    NULL};
    const char *end = line.data + line.size, *word = n->end, *behind;
    word += word < end && *word == '-'; // a 3-step proof, but "3 - it takes steps"
    while (word < end && strchr(MARKS_AND_SPACE, *word) != NULL)
        word++;
    for (behind = word; behind < end && letter(*behind);)
        behind++;
    Text next = text_between(word, behind);
    bool counted = word > n->end && next.size > 1 && !is_one_of(next, NO_PLURALS) &&
                   (is_one_of(next, COUNTED) || tolower((unsigned char)behind[-1]) == 's');
    const char *before = n->begin;
    while (before > line.data && strchr(MARKS_AND_SPACE "#", before[-1]) != NULL)
        before--;
    return counted || is_one_of(word_before(line.data, before), NAMED);
}

// ---- labels

static const char *const DENIALS[] = {"not",       "no",       "never",   "cannot",  "can't",   "don't",
                                      "isn't",     "wouldn't", "neither", "nor",     "doesn't", "won't",
                                      "shouldn't", "aren't",   "wasn't",  "without", NULL};

static bool denied(const char *line, const char *label) // in the same part of the sentence
{
    const char *begin = label;
    while (begin > line && strchr(",;.:!?", begin[-1]) == NULL)
        begin--;
    return text_has_word(text_between(begin, label), DENIALS);
}

NumberLabel label_before(Text line, const char *at)
{
    static const char *const LABELS[] = {"score", "scored", "difficulty", "rating", "rated",     "rate",
                                         "rates", "level",  "grade",      "graded", "intensity", NULL};
    static const char *const WITH_COLON[] = {"overall", "final", "answer", "total", "verdict", "result", NULL};
    static const char *const FILLERS[] = {"is",      "of",
                                          "a",       "an",
                                          "as",      "at",
                                          "it",      "this",
                                          "the",     "that",
                                          "problem", "question",
                                          "with",    "be",
                                          "would",   "should",
                                          "to",      "s",
                                          "overall", "final",
                                          "value",   "number",
                                          "integer", "about",
                                          "around",  "approximately",
                                          "roughly", "exactly",
                                          "text",    "textbf",
                                          "mathbf",  "answer",
                                          "one",     "task",
                                          "item",    NULL};
    static const char *const OTHERS[] = {"max", "maximum",  "min",  "minimum", "highest", "lowest",
                                         "top", "possible", "full", "best",    "worst",   NULL};
    bool sign = false, is = false, tag = false;
    for (int words = 0; words < 9; words++) {
        while (at > line.data && strchr(MARKS_AND_SPACE ":=-|\\({[>+", at[-1]) != NULL) {
            at--;
            sign = sign || *at == ':' || *at == '=' || *at == '|';
            tag = tag || (*at == '>' && is_tag(line.data, at));
            if (*at == '>' && !tag)
                return LABEL_NONE;
        }
        Text word = word_before(line.data, at);
        bool weak = sign && is_one_of(word, WITH_COLON), label = is_one_of(word, LABELS) || weak;
        if (word.size == 0 || (!label && !is_one_of(word, FILLERS)))
            return LABEL_NONE;
        const char *before = word.data;
        while (before > line.data && strchr(MARKS_AND_SPACE, before[-1]) != NULL)
            before--;
        if (label && (is_one_of(word_before(line.data, before), OTHERS) || denied(line.data, word.data)))
            return LABEL_NONE;
        if (label) {
            int first = 0; // words before it
            for (const char *p = line.data; p < word.data; p++)
                first += letter(*p) && !letter(p[1]);
            const char *behind = word.data + word.size;
            bool key = sign && !weak && (*behind == '"' || *behind == '\'');
            return key || (first <= 3 && (sign || is || tag)) ? LABEL_CLEAR : LABEL_BESIDE;
        }
        is = is || text_is(word, "is");
        at = word.data;
    }
    return LABEL_NONE;
}

// ---- all numbers of a line

// The text between two numbers, without formatting.
static Text between(const Number *a, const Number *b)
{
    Text gap = text_trimmed(text_between(a->end, b->begin));
    while (gap.size > 0 && strchr(MARKS " ", gap.data[0]) != NULL)
        gap = text_between(gap.data + 1, gap.data + gap.size);
    while (gap.size > 0 && strchr(MARKS " ", gap.data[gap.size - 1]) != NULL)
        gap.size--;
    return gap;
}

// Whether b, after a, belongs to a, which then changes.
static bool joined(Number *a, Number *b)
{
    static const char *const SCALES[] = {"/", "of", "}{", NULL}; // 4/5, 4 of 5, \frac{4}{5}
    static const char *const OUT_OF[] = {"out of", "out of a possible", NULL};
    static const char *const RANGES[] = {"",  "-",   "--", "to",     "through", "..", "...",
                                         "~", "and", "or", "and/or", "&",       NULL};
    Text gap = between(a, b);
    if (a->scale)
        return false;
    if (is_one_of(gap, SCALES) || ends_with(gap, OUT_OF)) {
        a->value = b->value == DIFFICULTIES ? a->value : 0;
        a->other = false;
        b->scale = true; // and is kept, so that the next one is not joined to it
        return false;
    }
    if (!is_one_of(gap, RANGES) && !(text_is(gap, ",") && (a->value > 0 || !a->other)))
        return false;
    if (a->value == 1 && b->value == DIFFICULTIES && gap.size > 0 && !text_is(gap, ",")) {
        a->scale = b->scale = true;
        return false;
    }
    a->end = b->end;
    a->value = 0;
    a->other = false;
    return true;
}

size_t line_numbers(Number numbers[NUMBERS_MOST], Text line)
{
    size_t count = 0;
    Number n;
    for (const char *at = line.data, *end = line.data + line.size; next_number(&n, line.data, at, end); at = n.end) {
        if (count > 0 && joined(&numbers[count - 1], &n))
            continue;
        numbers[count++] = n;
    }
    for (size_t i = 0; i < count; i++) {
        Number *m = &numbers[i];
        m->label = m->scale ? LABEL_NONE : label_before(line, m->begin);
        bool counted = counts_or_names(line, m) && !(i + 1 < count && numbers[i + 1].scale); // 4 stars out of 5
        if (!m->scale && !(i + 1 < count && numbers[i + 1].scale && !numbers[i + 1].label) && in_formula(line, m))
            m->value = 0, m->other = false;
        if (!m->scale && m->label == LABEL_NONE && counted)
            m->value = 0, m->other = true;
    }
    return count;
}
