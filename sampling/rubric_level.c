// What a written answer says: one level, read from its last line, or nothing. The rule stands in rubric.h. Where a line can be meant in two
// ways it says nothing: a level that nobody gave goes unnoticed into the split, a missing one is counted.
#include "base/text.h"
#include "sampling/rubric.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LINE_MOST = 4096 }; // bytes of a line's end that are read

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool letter(char c) { return isalpha((unsigned char)c) != 0; }

// ---- the last line

// Behind the last thought. False: a thought has no end, so nothing was said.
static bool said(Text *text)
{
    static const char begin[] = "<think>", end[] = "</think>";
    const char *closed = text_last(*text, end), *stop = text->data + text->size;
    if (closed != NULL)
        *text = text_between(closed + strlen(end), stop);
    return text_last(*text, begin) == NULL;
}

// The end of a line, with "-" for minus signs and hyphens, "--" for dashes, and the digits of wide fonts as digits.
static Text plain(char out[LINE_MOST + 1], Text line)
{
    static const char *const SIGNS[][2] = {{"\u2212", "-"},  {"\u2010", "-"},  {"\u2011", "-"}, {"\u2013", "--"},
                                           {"\u2014", "--"}, {"\u2015", "--"}, {"\u00a0", " "}, {"\uff1a", ":"}};
    size_t size = 0, step;
    if (line.size > LINE_MOST)
        line = text_between(line.data + line.size - LINE_MOST, line.data + line.size);
    for (size_t i = 0; i < line.size; i += step) {
        const char *at = line.data + i, *becomes = NULL, wide[] = {at[0], 0};
        step = 1;
        for (size_t s = 0; s < sizeof SIGNS / sizeof *SIGNS && becomes == NULL; s++)
            if (line.size - i >= strlen(SIGNS[s][0]) && memcmp(at, SIGNS[s][0], strlen(SIGNS[s][0])) == 0) {
                becomes = SIGNS[s][1];
                step = strlen(SIGNS[s][0]);
            }
        if (line.size - i >= 3 && memcmp(at, "\uff10", 2) == 0 && (at[2] & 0xff) >= 0x90 && (at[2] & 0xff) <= 0x99) {
            out[size++] = (char)('0' + (at[2] & 0xff) - 0x90);
            step = 3;
            continue;
        }
        for (becomes = becomes == NULL ? wide : becomes; *becomes != 0; becomes++)
            out[size++] = *becomes; // never longer than what it stands for
    }
    out[size] = 0;
    return (Text){out, size};
}

// The last one that has more than signs.
static bool last_line(char out[LINE_MOST + 1], Text *text)
{
    while (text->size > 0) {
        const char *end = text->data + text->size, *begin = end;
        while (begin > text->data && begin[-1] != '\n')
            begin--;
        Text line = plain(out, text_between(begin, end));
        for (size_t i = 0; i < line.size; i++)
            if (digit(line.data[i]) || letter(line.data[i]) || (line.data[i] & 0x80) != 0) {
                *text = line;
                return true;
            }
        text->size = begin > text->data ? (size_t)(begin - text->data) - 1 : 0;
    }
    return false;
}

// What is in the last \boxed{}; or the line without what stands in parentheses, if that leaves a digit: "4 (5 is the hardest)".
static Text what_counts(char out[LINE_MOST + 1], Text line)
{
    static const char box[] = "\\boxed{";
    const char *boxed = text_last(line, box), *end = line.data + line.size;
    if (boxed != NULL) {
        const char *close = memchr(boxed, '}', (size_t)(end - boxed));
        return text_between(boxed + strlen(box), close == NULL ? end : close);
    }
    size_t size = 0;
    bool digits = false;
    for (size_t i = 0, depth = 0; i < line.size; i++) {
        depth += line.data[i] == '(';
        if (depth == 0)
            out[size++] = line.data[i], digits = digits || digit(line.data[i]);
        depth -= line.data[i] == ')' && depth > 0;
    }
    out[size] = 0;
    return digits ? (Text){out, size} : line;
}

// ---- numbers

typedef struct Number {
    const char *begin, *end;
    int value;  // 1 to 5; 0: another one, or no whole one
    bool scale; // it says what the level is out of
} Number;

// Whether a minus stands before it. Behind a letter, a digit or another - it is a hyphen or a dash.
static bool negative(const char *line, const char *at)
{
    if (at == line || at[-1] != '-')
        return false;
    char before = at - 1 == line ? ' ' : at[-2];
    return !digit(before) && !letter(before) && before != '-';
}

// The next number at or behind `at`; those that are a part of a word ("4th", "x2") are none.
static bool next_number(Number *n, const char *line, const char *at, const char *end)
{
    for (;;) {
        while (at < end && !digit(*at))
            at++;
        if (at == end)
            return false;
        bool whole = !(at > line && at[-1] == '.' && (at - 1 == line || isspace((unsigned char)at[-2]))); // .5
        int value = 0;
        n->begin = at;
        for (; at < end && (digit(*at) || ((*at == '.' || *at == ',') && at + 1 < end && digit(at[1]))); at++) {
            if (!digit(*at)) // 4.0 is whole, 4.5 and 4,0 are not
                whole = whole && *at == '.' && strspn(at + 1, "0") == strspn(at + 1, "0123456789");
            else if (value < 1000 && memchr(n->begin, '.', (size_t)(at - n->begin)) == NULL)
                value = 10 * value + (*at - '0');
        }
        n->end = at;
        n->value = whole && value <= DIFFICULTIES && !negative(line, n->begin) ? value : 0;
        n->scale = false;
        bool in_word = (n->begin > line && (letter(n->begin[-1]) || n->begin[-1] == '_')) || (at < end && letter(*at));
        if (!in_word)
            return true;
    }
}

// What stands between two numbers, without the marks that are for the eye.
static Text between(const Number *a, const Number *b)
{
    Text gap = text_trimmed(text_between(a->end, b->begin));
    while (gap.size > 0 && strchr("*_$`\"' ", gap.data[0]) != NULL)
        gap = text_between(gap.data + 1, gap.data + gap.size);
    while (gap.size > 0 && strchr("*_$`\"' ", gap.data[gap.size - 1]) != NULL)
        gap.size--;
    return gap;
}

static bool is_one_of(Text word, const char *const words[])
{
    for (; *words != NULL; words++)
        if (word.size == strlen(*words) && strncasecmp(word.data, *words, word.size) == 0)
            return true;
    return false;
}

static bool ends_out_of(Text gap)
{
    static const char out_of[] = "out of";
    return gap.size >= strlen(out_of) && strncasecmp(gap.data + gap.size - strlen(out_of), out_of, strlen(out_of)) == 0;
}

static int last_number(Text line)
{
    static const char *const SCALES[] = {"/", "of", "}{", NULL}; // 4/5, 4 of 5, \frac{4}{5}
    static const char *const RANGES[] = {"-", "--", "to", "through", "..", "...", "~", "and", "or", NULL}, *const COMMA[] = {
                                                                                                               ",", NULL};
    Number n, before = {0};
    int level = 0, earlier = 0; // earlier: without the number before
    for (const char *at = line.data, *end = line.data + line.size; next_number(&n, line.data, at, end); at = n.end, before = n) {
        Text gap = before.begin == NULL ? (Text){0} : between(&before, &n);
        int now = n.value;
        if (before.begin != NULL && !before.scale && (is_one_of(gap, SCALES) || ends_out_of(gap))) {
            n.scale = true;
            now = n.value == DIFFICULTIES ? level : 0;
        } else if (before.begin != NULL && !before.scale &&
                   (is_one_of(gap, RANGES) || (before.value > 0 && is_one_of(gap, COMMA)))) {
            n.scale = before.value == 1 && n.value == DIFFICULTIES;
            now = n.scale ? earlier : 0;
        }
        earlier = level;
        level = now;
    }
    return level;
}

// "five", "Score: **four**": the line's last word, alone or behind a colon.
static int number_word(Text line)
{
    static const char *const WORDS[DIFFICULTIES] = {"one", "two", "three", "four", "five"};
    const char *end = line.data + line.size;
    while (end > line.data && !letter(end[-1]))
        end--;
    const char *word = end;
    while (word > line.data && letter(word[-1]))
        word--;
    const char *before = word;
    while (before > line.data && strchr(" \t*_\"'`$", before[-1]) != NULL)
        before--;
    bool alone = before == line.data || strchr(":={", before[-1]) != NULL;
    for (int i = 0; alone && i < DIFFICULTIES; i++)
        if ((size_t)(end - word) == strlen(WORDS[i]) && strncasecmp(word, WORDS[i], strlen(WORDS[i])) == 0)
            return i + 1;
    return 0;
}

int difficulty_in_text(const char *text, size_t size)
{
    char line[LINE_MOST + 1], outside[LINE_MOST + 1];
    Text t = {text, size};
    if (!said(&t) || !last_line(line, &t))
        return 0;
    t = what_counts(outside, t);
    for (size_t i = 0; i < t.size; i++)
        if (digit(t.data[i]))
            return last_number(t);
    return number_word(t);
}
