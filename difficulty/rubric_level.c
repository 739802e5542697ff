// Reads a written answer: one level from its last lines, or none. The rule is in rubric.h; rubric_numbers.c classifies
// the numbers of a line. An ambiguous line gives no level: a wrong level enters the split unnoticed, a missing one is
// counted.
#include "base/text.h"
#include "difficulty/rubric_numbers.h"
#include <string.h>
#include <strings.h>

enum {
    LINES_MOST = 6,
    SENTENCE_MOST = 160
}; // lines, from the last one, in which labels are looked for; bytes of a short sentence

// ---- the last lines

// The text after the last thought. False: a thought has no end, so nothing was answered.
static bool said(Text *text)
{
    static const char begin[] = "<think>", end[] = "</think>";
    const char *closed = text_last(*text, end), *stop = text->data + text->size;
    if (closed != NULL)
        *text = text_between(closed + strlen(end), stop);
    return text_last(*text, begin) == NULL;
}

// The end of a line, with "-" for minus signs and hyphens, "--" for dashes, and ASCII digits for the digits of wide
// fonts.
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
            out[size++] = *becomes; // never longer than the original
    }
    out[size] = 0;
    return (Text){out, size};
}

// The last line with more than signs; `text` becomes the text before it.
static bool last_line(char out[LINE_MOST + 1], Text *found, Text *text)
{
    while (text->size > 0) {
        const char *end = text->data + text->size, *begin = end;
        while (begin > text->data && begin[-1] != '\n')
            begin--;
        *found = plain(out, text_between(begin, end));
        text->size = begin > text->data ? (size_t)(begin - text->data) - 1 : 0;
        for (size_t i = 0; i < found->size; i++)
            if (digit(out[i]) || letter(out[i]) || (out[i] & 0x80) != 0)
                return true;
    }
    return false;
}

static bool has_digit(Text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (digit(text.data[i]))
            return true;
    return false;
}

// The content of the last \boxed{}; or the line without its parentheses, if that leaves a digit: "4 (5 is the
// hardest)".
static Text what_counts(char out[LINE_MOST + 1], Text line, bool *is_boxed)
{
    static const char box[] = "\\boxed{";
    const char *boxed = text_last(line, box), *end = line.data + line.size;
    *is_boxed = boxed != NULL;
    if (boxed != NULL) {
        const char *close = memchr(boxed, '}', (size_t)(end - boxed));
        return text_between(boxed + strlen(box), close == NULL ? end : close);
    }
    size_t size = 0;
    for (size_t i = 0, depth = 0; i < line.size; i++) {
        depth += line.data[i] == '(' || line.data[i] == '[';
        if (depth == 0)
            out[size++] = line.data[i];
        depth -= (line.data[i] == ')' || line.data[i] == ']') && depth > 0;
    }
    out[size] = 0;
    return has_digit((Text){out, size}) ? (Text){out, size} : line;
}

// ---- reading a line

// The level of its last label that is at least this strong. 0: that is no level.
static bool labelled(int *level, const Number *numbers, size_t count, NumberLabel least)
{
    for (size_t i = count; i-- > 0;)
        if (numbers[i].label >= least) {
            *level = numbers[i].value;
            return true;
        }
    return false;
}

static bool only_marks(const char *at, const char *end)
{
    for (; at < end; at++)
        if (letter(*at))
            return false;
    return true;
}

// "..., so 4": the last word of a line that has considered others.
static bool concludes(Text line, const Number *last)
{
    static const char *const WORDS[] = {"so", "thus", "therefore", "hence", "overall", "finally", NULL};
    const char *end = last->begin;
    while (end > line.data && strchr(" \t*_`$\"':,", end[-1]) != NULL)
        end--;
    const char *word = end;
    while (word > line.data && letter(word[-1]))
        word--;
    return text_has_word(text_between(word, end), WORDS) && only_marks(last->end, line.data + line.size);
}

// Without a label: exactly one level, in a short sentence that neither denies nor compares.
static int loose(Text line, const Number *numbers, size_t count)
{
    static const char *const DOUBTS[] = {"not",      "no",      "never",   "cannot",  "can't",   "don't",   "isn't",
                                         "wouldn't", "neither", "nor",     "doesn't", "won't",   "least",   "most",
                                         "than",     "above",   "below",   "over",    "under",   "almost",  "nearly",
                                         "between",  "beyond",  "unless",  "if",      "minimum", "maximum", "max",
                                         "min",      "either",  "exceeds", "without", NULL};
    int level = 0;
    while (count > 0 && numbers[count - 1].scale)
        count--;
    if (count > 0 && concludes(line, &numbers[count - 1]))
        return numbers[count - 1].value;
    if (line.size > SENTENCE_MOST || count == 0 || numbers[count - 1].value == 0 || text_has_word(line, DOUBTS))
        return 0;
    for (size_t i = 0; i < count; i++) {
        const Number *n = &numbers[i];
        if (n->scale || (n->other && n->value == 0))
            continue;
        if (n->value == 0 || (level > 0 && level != n->value))
            return 0;
        level = n->value;
    }
    return level;
}

// "five", "Score: **four**", "four out of five": the last word of a line without digits, alone, or after a colon or a
// label.
static int number_word(Text line)
{
    static const char *const WORDS[DIFFICULTIES] = {"one", "two", "three", "four", "five"};
    static const char *const SCALES[] = {"out of five", "of five", "/five", "/ five"};
    const char *end = line.data + line.size;
    while (end > line.data && !letter(end[-1]))
        end--;
    for (size_t i = 0; i < sizeof SCALES / sizeof *SCALES; i++) {
        size_t size = strlen(SCALES[i]);
        if ((size_t)(end - line.data) > size && strncasecmp(end - size, SCALES[i], size) == 0 &&
            !letter(end[-1 - (long)size])) {
            end -= size;
            break;
        }
    }
    while (end > line.data && !letter(end[-1]))
        end--;
    const char *word = end;
    while (word > line.data && letter(word[-1]))
        word--;
    const char *before = word;
    while (before > line.data && strchr(" \t*_\"'`$", before[-1]) != NULL)
        before--;
    bool alone = before == line.data || strchr(":={", before[-1]) != NULL || label_before(line, word) != LABEL_NONE;
    for (int i = 0; alone && i < DIFFICULTIES; i++)
        if ((size_t)(end - word) == strlen(WORDS[i]) && strncasecmp(word, WORDS[i], strlen(WORDS[i])) == 0)
            return i + 1;
    return 0;
}

// **4**, or the content of a \boxed{}: as good as a label.
static bool is_marked(Text line, bool boxed)
{
    line = text_trimmed(line);
    return boxed || (line.size > 4 && memcmp(line.data, "**", 2) == 0 &&
                     memcmp(line.data + line.size - 2, "**", 2) == 0 && only_marks(line.data, line.data + line.size));
}

typedef struct Said {
    bool sure;    // with a label, in a box, or alone
    bool lasting; // so clear that following lines may hold reasons
    int level;
} Said;

static Said line_says(Text line, Number numbers[NUMBERS_MOST])
{
    char outside[LINE_MOST + 1];
    bool boxed = false;
    Text t = what_counts(outside, line, &boxed);
    Said s = {0};
    if (!has_digit(t)) {
        s.level = number_word(t);
        s.sure = s.level > 0;
        return s;
    }
    size_t count = line_numbers(numbers, t);
    bool json = t.data[strspn(t.data, " \t{'")] == '"' || t.data[0] == '{'; // labels inside its strings are not keys
    s.lasting = labelled(&s.level, numbers, count, LABEL_CLEAR);
    s.sure = s.lasting && json;
    if (s.sure || (s.sure = labelled(&s.level, numbers, count, LABEL_BESIDE)))
        return s;
    s.level = loose(t, numbers, count);
    s.sure = s.level > 0 && (boxed || only_marks(t.data, t.data + t.size));
    s.lasting = boxed || (s.level > 0 && is_marked(t, boxed));
    return s;
}

int difficulty_in_text(const char *text, size_t size)
{
    char line[LINE_MOST + 1];
    Number numbers[NUMBERS_MOST];
    Text rest = {text, size}, t;
    if (!said(&rest) || !last_line(line, &t, &rest))
        return 0;
    Said last = line_says(t, numbers);
    for (int lines = 1; !last.sure && !last.lasting && lines < LINES_MOST && last_line(line, &t, &rest); lines++) {
        Said earlier = line_says(t, numbers);
        if (earlier.lasting)
            return earlier.level;
    }
    return last.level;
}
