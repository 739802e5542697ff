// What a sentence says of a number: the formula or number that it ends with, or the sentence as a whole where it is nothing else.
#include "answers/extract.h"
#include <ctype.h>
#include <string.h>

enum { GROUP_MOST = 512 }; // bytes

static const char *text_end(Text s) { return s.data + s.size; }

// ---- the formula or number at the end

static bool is_number_part(const char *s, const char *begin, const char *end)
{
    if (isdigit((unsigned char)*s))
        return true;
    bool before = s > begin && isdigit((unsigned char)s[-1]), after = s + 1 < end && isdigit((unsigned char)s[1]);
    return ((*s == '.' || *s == ',' || *s == '/') && before && after) || (*s == '.' && after) ||
           (*s == '-' && after && !(s > begin && isalnum((unsigned char)s[-1])));
}

static Text last_number(Text s)
{
    const char *end = text_end(s);
    while (end > s.data && !isdigit((unsigned char)end[-1]))
        end--;
    const char *begin = end;
    while (begin > s.data && is_number_part(begin - 1, s.data, end))
        begin--;
    Text number = text_between(begin, end);
    // its percent sign belongs to it
    const char *after = end;
    while (after < text_end(s) && (*after == ' ' || *after == '\\'))
        after++;
    if (number.size > 0 && after < text_end(s) && *after == '%')
        number.size = (size_t)(after + 1 - begin);
    return number;
}

// The last $...$, \(...\) or \[...\]
static Text last_math(Text s)
{
    static const char *const ends[][2] = {{"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}};
    Text best = {NULL, 0};
    for (int i = dollars_delimit(s) ? 0 : 1; i < 3; i++) {
        const char *begin = NULL, *open = ends[i][0], *close = ends[i][1];
        for (const char *at = s.data; at + strlen(open) <= text_end(s);) {
            bool escaped = at > s.data && at[-1] == '\\' && i == 0;
            size_t n = strlen(open);
            n += i == 0 && at + 1 < text_end(s) && at[0] == '$' && at[1] == '$'; // $$
            if (begin != NULL && !escaped && memcmp(at, close, strlen(close)) == 0) {
                Text inside = text_between(begin, at);
                if (text_trimmed(inside).size > 0 && (best.data == NULL || inside.data > best.data))
                    best = inside;
                begin = NULL;
                at += n;
            } else if (begin == NULL && !escaped && memcmp(at, open, strlen(open)) == 0)
                begin = at += n;
            else
                at++;
        }
    }
    return best;
}

// A number written in words' text behind the last formula counts more than the formula.
Text last_quantity(Text s)
{
    Text math = last_math(s), number = last_number(s);
    if (math.data == NULL)
        return number;
    return number.size > 0 && number.data > text_end(math) ? number : math;
}

// Bytes of the letter there, 0 for anything else: signs, dashes and arrows (U+0080 to U+00BF, U+2000 to U+2FFF, U+F000 to U+FFFF) are none
static size_t letter_size(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    if (isalpha(c))
        return 1;
    if (c < 0xC3 || c == 0xE2 || c == 0xEF)
        return 0;
    size_t size = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4, left = (size_t)(end - at);
    return size < left ? size : left;
}

// What is written with a backslash, its groups too: \text{of them}, \begin{pmatrix}. A group that does not end soon is none: looking for
// its end everywhere would take quadratic time.
static const char *behind_command(const char *at, const char *end)
{
    for (at++; at < end && isalpha((unsigned char)*at);)
        at++;
    int depth = 0;
    const char *limit = end - at > GROUP_MOST ? at + GROUP_MOST : end;
    for (const char *s = at; s < limit && (depth > 0 || *s == '{'); s++) {
        depth += *s == '{';
        depth -= *s == '}';
        if (depth == 0)
            at = s + 1;
    }
    return at;
}

int words_in(Text s)
{
    int words = 0;
    const char *end = text_end(s);
    for (const char *at = s.data; at < end;) {
        if (*at == '\\') {
            at = behind_command(at, end);
            continue;
        }
        int letters = 0, capitals = 0;
        for (size_t size; at < end && (size = letter_size(at, end)) > 0; at += size, letters++)
            capitals += isupper((unsigned char)*at) != 0;
        words += letters > 2 && capitals < letters;
        at += letters == 0;
    }
    return words;
}

static Text without_dots(Text s)
{
    s = text_trimmed(s);
    while (s.size > 0 && (s.data[s.size - 1] == '.' || s.data[s.size - 1] == '*'))
        s = text_trimmed((Text){s.data, s.size - 1});
    return s;
}

// Words that are no part of a formula, whatever is said in between dollars.
static int words_outside(Text s)
{
    Text math = last_math(s);
    if (math.data == NULL)
        return words_in(s);
    const char *begin = s.data;
    for (const char *at = s.data; at < math.data; at++) // up to where the first formula begins
        if (*at == '$' || (*at == '\\' && (at[1] == '(' || at[1] == '['))) {
            begin = at;
            break;
        }
    return words_in(text_between(s.data, begin)) + words_in(text_between(text_end(math), text_end(s)));
}

// "10 units" is a quantity and "the length is 10" a sentence: its formula or number is the answer.
Text sentence_quantity(Text s)
{
    Text whole = without_dots(s), quantity = last_quantity(whole);
    if (quantity.size == 0 || words_outside(whole) == 0)
        return whole;
    bool math = last_math(whole).data != NULL, begins = isdigit((unsigned char)whole.data[0]) || whole.data[0] == '-';
    int words = words_outside(whole);
    if (begins && words <= 2)
        return whole;
    bool ascii = (unsigned char)whole.data[0] < 0x80; // where words are not set apart, one may be a sentence
    return !math && words < 2 && ascii ? whole : quantity;
}

Text first_sentence(Text s)
{
    for (size_t i = 0; i + 1 < s.size; i++)
        if (s.data[i] == '.' && s.data[i + 1] == ' ')
            return (Text){s.data, i};
    return s;
}
