// Which part of a text is its answer. A response may end with it in many ways; the first of these that it has is taken, and of that
// the last one in the text behind </think>:
//
//   "Final Answer: ...", "#### ..." and the like, when nothing is boxed behind it;  \boxed{...}, several when only words such as
//   "and" stand between them;  the formula or number that the text ends with.  A text that is a formula as a whole is its own answer.
#include "answers/formula.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { BETWEEN_BOXES = 40, BOXES_MOST = 16, WORDS_OF_ANSWER = 6 };

static const char *text_end(Text s) { return s.data + s.size; }

// ---- boxes

static const char *const boxes[] = {"\\boxed", "\\fbox", NULL};

// What is in the box that begins there, and in *behind where the text goes on; false: there is none that ends.
static bool box_begins(const char *at, const char *end, Text *inside, const char **behind)
{
    for (const char *const *box = boxes; *box != NULL; box++) {
        size_t n = strlen(*box);
        if ((size_t)(end - at) <= n || memcmp(at, *box, n) != 0)
            continue;
        const char *s = at + n;
        while (s < end && *s == ' ')
            s++;
        if (s < end && *s != '{') { // \boxed 9
            *inside = (Text){s, 1};
            *behind = s + 1;
            return s > at + n && isalnum((unsigned char)*s);
        }
        int depth = 0;
        for (const char *t = s; t < end; t++) {
            bool escaped = t[-1] == '\\';
            depth += *t == '{' && !escaped;
            depth -= *t == '}' && !escaped;
            if (depth == 0) {
                *inside = text_between(s + 1, t);
                *behind = t + 1;
                return true;
            }
        }
    }
    return false;
}

typedef struct Boxes {
    Text inside[BOXES_MOST]; // the last ones that belong together
    int count;
    const char *end; // behind the last
} Boxes;

static int words_in(Text s);

static bool joins(Text between) // with "and", "or" and a noun in between, boxes are parts of one answer
{
    if (between.size > BETWEEN_BOXES || words_in(between) > 2)
        return false;
    for (size_t i = 0; i < between.size; i++)
        if (between.data[i] == '=' || between.data[i] == '\n' ||
            (between.data[i] == '.' && i + 1 < between.size && between.data[i + 1] == ' '))
            return false;
    return true;
}

static bool names_next(Text between) // "and y_2 = " before a box names what is in it
{
    return between.size <= BETWEEN_BOXES && between.size > 0 && text_trimmed(between).size > 0 &&
           text_end(text_trimmed(between))[-1] == '=' && memmem(between.data, between.size, "and", 3) != NULL;
}

static Boxes find_boxes(Text s)
{
    Boxes b = {.count = 0};
    for (const char *at = s.data; at < text_end(s);) {
        Text inside;
        const char *behind;
        if (*at != '\\' || !box_begins(at, text_end(s), &inside, &behind)) {
            at++;
            continue;
        }
        Text between = b.count > 0 ? text_between(b.end, at) : (Text){NULL, 0};
        if (b.count == BOXES_MOST || (b.count > 0 && !joins(between) && !names_next(between)))
            b.count = 0;
        b.inside[b.count++] = inside;
        b.end = behind;
        at = b.end;
    }
    return b;
}

// Joined with commas; where there is no room for that, the last alone.
static Text join_boxes(const Boxes *b, char *out, size_t capacity)
{
    size_t n = 0;
    for (int i = 0; i < b->count; i++)
        n += b->inside[i].size + 2;
    if (b->count == 1 || n > capacity)
        return text_trimmed(b->inside[b->count - 1]);
    n = 0;
    for (int i = 0; i < b->count; i++) {
        memcpy(out + n, ", ", i > 0 ? 2 : 0);
        n += i > 0 ? 2 : 0;
        memcpy(out + n, b->inside[i].data, b->inside[i].size);
        n += b->inside[i].size;
    }
    return text_trimmed((Text){out, n});
}

// ---- what people write before an answer

// Behind a box only these say more than it does.
static const char *const final_marks[] = {"####", "final answer is", "final answer:", "final answer**", NULL};
static const char *const marks[] = {"####",      "final answer is", "final answer:", "final answer**",
                                    "answer is", "answer:",         "solution is:",  NULL};

static const char *behind_mark(Text s, const char *const *mark)
{
    const char *best = NULL;
    for (; *mark != NULL; mark++) {
        const char *at = text_last(s, *mark);
        if (at != NULL && (best == NULL || at + strlen(*mark) > best))
            best = at + strlen(*mark);
    }
    while (best != NULL && best < text_end(s) && (strchr(":* ", *best) != NULL || *best == '\n'))
        best++;
    return best == text_end(s) ? NULL : best;
}

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
    for (int i = 0; i < 3; i++) {
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
static Text last_quantity(Text s)
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

// What is written with a backslash, its groups too: \text{of them}, \begin{pmatrix}
static const char *behind_command(const char *at, const char *end)
{
    for (at++; at < end && isalpha((unsigned char)*at);)
        at++;
    int depth = 0;
    for (const char *s = at; s < end && (depth > 0 || *s == '{'); s++) {
        depth += *s == '{';
        depth -= *s == '}';
        if (depth == 0)
            at = s + 1;
    }
    return at;
}

static int words_in(Text s) // of three letters or more, not all of them capitals (AB, CD), that are no command's
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

static Text first_line(Text s)
{
    const char *end = memchr(s.data, '\n', s.size);
    return end == NULL ? s : text_between(s.data, end);
}

// Up to the end of its first sentence
static Text first_sentence(Text s)
{
    for (size_t i = 0; i + 1 < s.size; i++)
        if (s.data[i] == '.' && s.data[i + 1] == ' ')
            return (Text){s.data, i};
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
static Text of_sentence(Text s)
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

static Text behind_thought(Text response)
{
    const char *thought = text_last(response, "</think>");
    return thought == NULL ? response : text_between(thought + 8, text_end(response));
}

Text response_answer(Text response, char *out, size_t capacity)
{
    Text s = behind_thought(response);
    Boxes b = find_boxes(s);
    const char *marked = behind_mark(s, b.count > 0 ? final_marks : marks);
    Text said = marked == NULL ? (Text){NULL, 0} : of_sentence(first_sentence(first_line(text_between(marked, text_end(s)))));
    if (b.count > 0 && (said.size == 0 || marked < b.end || words_in(said) > 2 ||
                        last_quantity(said).size == 0)) // "the final answer is a common one"
        return join_boxes(&b, out, capacity);
    if (marked != NULL)
        return text_trimmed(said);
    return text_trimmed(words_in(s) < WORDS_OF_ANSWER ? of_sentence(s) : last_quantity(s));
}

bool response_marks_answer(Text response)
{
    Text s = behind_thought(response);
    return find_boxes(s).count > 0 || behind_mark(s, marks) != NULL;
}

Text response_last_box(Text response)
{
    Boxes b = find_boxes(behind_thought(response));
    return b.count > 0 ? text_trimmed(b.inside[b.count - 1]) : (Text){NULL, 0};
}
