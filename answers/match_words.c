// Answers compared as words: letters of several options, points of a list, sentences with one number in words.
#include "answers/match.h"
#include "answers/words/words.h"
#include <ctype.h>
#include <string.h>

// Letters of several options: AC; A and C; A, C
static size_t letters_joined(char out[16], Text s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.size;) {
        if (s.size - i > 4 && memcmp(s.data + i, " and ", 5) == 0)
            i += 4;
        else if (s.data[i] >= 'A' && s.data[i] <= 'J' && n < 16)
            out[n++] = s.data[i++];
        else if (strchr(" ,;&", s.data[i]) != NULL)
            i++;
        else
            return 0;
    }
    for (size_t i = 1; i < n; i++)
        if (out[i] <= out[i - 1])
            return 0;
    return n > 1 ? n : 0;
}

// The size of "(3)" here, if 3 is the next number of a list and is between words; 0: no
static size_t point_size(Text s, size_t at, int next)
{
    char number[16];
    int n = snprintf(number, sizeof number, "(%d)", next);
    bool apart = at == 0 || strchr(" \n\t,;", s.data[at - 1]) != NULL;
    if (!apart || s.size - at <= (size_t)n || memcmp(s.data + at, number, (size_t)n) != 0)
        return 0;
    size_t word = at + (size_t)n;
    while (word < s.size && s.data[word] == ' ')
        word++;
    return word < s.size && isalpha((unsigned char)s.data[word]) ? (size_t)n : 0;
}

// Without the (1), (2) that number the points of a list, which begins with the first; size 0: it is none.
static Text unnumbered(char out[FORMULA_BYTES], Text s)
{
    size_t n = 0;
    int points = 0;
    if (s.size >= FORMULA_BYTES / 2 || s.size == 0 || *s.data != '(')
        return (Text){out, 0};
    for (size_t i = 0, point; i<s.size; i += point> 0 ? point : 1) {
        point = s.data[i] == '(' ? point_size(s, i, points + 1) : 0;
        if (point == 0) {
            out[n++] = s.data[i];
            continue;
        }
        memcpy(out + n, ", ", 2);
        n += points++ > 0 ? 2 : 0;
    }
    return points > 1 ? text_trimmed((Text){out, n}) : (Text){out, 0};
}

static Verdict compare_points(Verifier *v)
{
    const char *rule;
    Text g = unnumbered(v->points[0], v->gold.text), p = unnumbered(v->points[1], v->given.text);
    if (g.size == 0)
        return VERDICT_UNKNOWN;
    return words_compare(g, p.size > 0 ? p : v->given.text, &rule);
}

Verdict compare_as_words(Verifier *v)
{
    char g[16], p[16];
    size_t n = letters_joined(g, v->gold.text), m = letters_joined(p, v->given.text);
    if (n > 0 && m > 0)
        return say(v, verdict_of(n == m && memcmp(g, p, n) == 0), "letters");
    const char *rule;
    Verdict verdict = words_compare(v->gold.text, v->given.text, &rule);
    if (verdict == VERDICT_UNKNOWN && compare_points(v) == VERDICT_EQUAL)
        return say(v, VERDICT_EQUAL, "points of a list, in their order");
    return say(v, verdict, rule);
}

// "five apples": the number words, as digits
Verdict compare_number_word(Verifier *v)
{
    char digits[SENTENCE_BYTES];
    Text text;
    bool read = is_scalar(v->gold.kind) && v->given.text.size < SENTENCE_BYTES / 2 &&
                number_in_digits(digits, v->given.text, &text) && formula_lex(&v->formulas[1], text) &&
                formula_parse(&v->formulas[1]);
    if (!read)
        return VERDICT_UNKNOWN;
    Verdict verdict = compare_trees(v);
    return say(v, verdict, "number in words");
}
