// What a sentence plainly says: the formula at its end, after a word such as "is". A sentence that denies, compares or
// offers something else is not plain enough to be rewarded.
#include "answers/formula/formula.h"
#include "answers/match.h"
#include "answers/words/words.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { SUFFIXES_MOST = 24, GROUP_MOST = 192 };

static const char *text_end(Text s) { return s.data + s.size; }

// ---- words

// Bytes of the letter here, 0 for anything else: signs, dashes and arrows (U+0080 to U+00BF, U+2000 to U+2FFF, U+F000
// to U+FFFF) are none
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

// A command with its groups: \text{of them}, \begin{pmatrix}. A group that does not end soon is none: searching for its
// end everywhere would take quadratic time.
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

int words_in(Text text)
{
    int words = 0;
    const char *end = text_end(text);
    for (const char *at = text.data; at < end;) {
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

Text first_sentence(Text text)
{
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '.' && text.data[i + 1] == ' ')
            return (Text){text.data, i};
    return text;
}

// Where the last sentence begins; s does not end with the end of a sentence.
static Text last_sentence(Text s)
{
    static const char full_stop[] = "\xe3\x80\x82"; // the Chinese one
    for (size_t i = s.size; i-- > 1;) {
        bool ends = strchr(".!?", s.data[i - 1]) != NULL && isspace((unsigned char)s.data[i]);
        bool stop = i >= 3 && memcmp(s.data + i - 3, full_stop, 3) == 0;
        if (ends || stop || s.data[i] == '\n')
            return text_trimmed(text_between(s.data + i, text_end(s)));
    }
    return s;
}

static bool word_at_end(Text s, const char *word) // the last word
{
    size_t n = strlen(word);
    return s.size >= n && strncasecmp(text_end(s) - n, word, n) == 0 &&
           (s.size == n || !isalnum((unsigned char)text_end(s)[-(ptrdiff_t)n - 1]) || !isalnum((unsigned char)*word));
}

static bool ends_in(Text s, const char *const *words)
{
    for (; *words != NULL; words++)
        if (word_at_end(s, *words))
            return true;
    return false;
}

static bool holds_word(Text s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.size; i++)
        if (strncasecmp(s.data + i, word, n) == 0 && (i == 0 || !isalpha((unsigned char)s.data[i - 1])) &&
            (i + n == s.size || !isalpha((unsigned char)s.data[i + n])))
            return true;
    return false;
}

// ---- words that change what a sentence says

static const char *const doubts[] = {
    "not",      "n't",       "cannot",     "never",    "neither",       "nor",     "no",      "none",
    "except",   "but",       "instead",    "rather",   "unless",        "either",  "between", "than",
    "wrong",    "incorrect", "if",         "when",     "where",         "until",   "doubt",   "eq",
    "equation", "bound",     "then",       "at",       "alternatively", "kidding", "wait",    "opposite",
    "most",     "least",     "everything", "anything", "maybe",         "perhaps", NULL};

bool is_doubtful(Text s)
{
    if (memmem(s.data, s.size, "\\forall", 7) != NULL || memmem(s.data, s.size, "\\exists", 7) != NULL)
        return true;
    for (const char *const *d = doubts; *d != NULL; d++)
        if (**d == 'n' && (*d)[1] == '\''
                ? memmem(s.data, s.size, "n't", 3) != NULL || memmem(s.data, s.size, "n\xe2\x80\x99t", 5) != NULL
                : holds_word(s, *d))
            return true;
    return false;
}

// ---- where in a sentence a formula may begin

static const char *const links[] = {
    "is",     "are",    "was",           "were",    "be",      "equals", "equal to",     "get",
    "gets",   "gives",  "gave",          "obtain",  "yields",  "have",   "has",          "had",
    "needs",  "need",   "costs",         "cost",    "takes",   "take",   "took",         "find",
    "found",  "makes",  "made",          "so",      "thus",    "hence",  "then",         "therefore",
    "that",   "about",  "approximately", "exactly", "roughly", "around", "only",         "answer",
    "result", "total",  "contains",      "becomes", "remains", "sold",   "earns",        "pays",
    "paid",   "spends", "spent",         "left",    ":",       "=",      "\xe2\x89\x88", NULL};
// "a length of 7", but not "the square root of 5"
static const char *const of_what[] = {
    "length",   "value",    "total",   "area",    "volume",      "probability", "mass",      "speed",
    "velocity", "distance", "height",  "width",   "cost",        "price",       "number",    "amount",
    "average",  "mean",     "median",  "weight",  "age",         "radius",      "perimeter", "diameter",
    "energy",   "force",    "current", "voltage", "temperature", "pressure",    "rate",      "score",
    "depth",    "charge",   "power",   "answer",  "result",      "sum",         NULL};

static bool is_cjk(unsigned char c) { return c >= 0xE3 && c <= 0xED; }

// Whether a formula may begin after this: "the length is", "a length of", or nothing
static bool may_follow(Text before)
{
    before = text_trimmed(before);
    if (before.size == 0)
        return true;
    if (word_at_end(before, "of"))
        return ends_in(text_trimmed((Text){before.data, before.size - 2}), of_what);
    char sign = before.size > 1 ? text_end(before)[-2] : ' ';
    bool compared = text_end(before)[-1] == '=' && strchr("<>!=", sign) != NULL; // >= 5
    return !compared && ends_in(before, links);
}

// ---- a sentence copied to its own memory: without the marks of formulas, its only number in words as digits

static size_t delimiter_size(Text s, size_t i, bool dollars)
{
    if (s.data[i] == '$')
        return dollars && (i == 0 || s.data[i - 1] != '\\') ? 1 : 0;
    return s.data[i] == '\\' && i + 1 < s.size && strchr("()[]", s.data[i + 1]) != NULL ? 2 : 0;
}

static Text copied(char out[SENTENCE_BYTES], Text s)
{
    size_t n = 0;
    bool dollars = dollars_delimit(s);
    for (size_t i = 0; i < s.size; i++) {
        size_t skip = delimiter_size(s, i, dollars);
        out[n++] = skip > 0 ? ' ' : s.data[i];
        i += skip > 1;
    }
    return text_trimmed((Text){out, n});
}

// The longest run of words from `at` on that is a number
static size_t number_run(Text s, size_t at, int64_t *number)
{
    size_t best = 0;
    for (size_t end = at, words = 0; end < s.size && words < 8; words++) {
        while (end < s.size && (isalpha((unsigned char)s.data[end]) || s.data[end] == '-'))
            end++;
        int64_t n;
        if (words_number((Text){s.data + at, end - at}, &n)) {
            best = end - at;
            *number = n;
        }
        if (end == s.size || s.data[end] != ' ')
            break;
        end++;
    }
    return best;
}

// "She needs five apples": 5; false: it has digits, no number, or several. "one" is not counted: it is too often no
// number.
bool number_in_digits(char out[SENTENCE_BYTES], Text s, Text *with_digits)
{
    size_t at = 0, size = 0;
    int64_t number = 0;
    for (size_t i = 0; i < s.size;) {
        int64_t n;
        if (isdigit((unsigned char)s.data[i]))
            return false;
        size_t run = isalpha((unsigned char)s.data[i]) && (i == 0 || !isalpha((unsigned char)s.data[i - 1]))
                         ? number_run(s, i, &n)
                         : 0;
        if (run > 0 && size > 0)
            return false;
        if (run > 0)
            at = i, size = run, number = n;
        i += run > 0 ? run : 1;
    }
    if (size == 0 || (number == 1 && size < s.size))
        return false;
    int n = snprintf(out, SENTENCE_BYTES, "%.*s%" PRId64 "%.*s", (int)at, s.data, number, (int)(s.size - at - size),
                     s.data + at + size);
    *with_digits = (Text){out, (size_t)n};
    return n > 0 && n < SENTENCE_BYTES;
}

// ---- the formula of a sentence

static Text without_last_words(Text s) // "5 apples in total"
{
    static const char *const words[] = {"in total",        "in all",
                                        "altogether",      "after all",
                                        "overall",         "left",
                                        "exactly",         "respectively",
                                        "is the solution", "is the answer",
                                        "is our answer",   "is the final answer",
                                        "is correct",      NULL};
    for (const char *const *w = words; *w != NULL; w++)
        if (s.size > strlen(*w) + 1 && word_at_end(s, *w))
            return text_trimmed((Text){s.data, s.size - strlen(*w)});
    return s;
}

// The longest end of the sentence that is a formula and begins where one may; size 0: none.
static Text formula_at_end(Verifier *v, Text s)
{
    int tried = 0;
    for (size_t i = 0; i < s.size && tried < SUFFIXES_MOST; i++) {
        bool begins = i == 0 || s.data[i - 1] == ' ' || s.data[i - 1] == '=';
        bool foreign =
            i > 0 && is_cjk((unsigned char)s.data[i - 1 >= 2 ? i - 3 : 0]) && isdigit((unsigned char)s.data[i]);
        bool set_apart = begins && s.data[i] == '[';
        if (s.data[i] == ' ' || !(foreign || set_apart || (begins && may_follow((Text){s.data, i}))))
            continue;
        Text rest = unwrapped((Text){s.data + i, s.size - i});
        tried++;
        if (rest.size > 0 && reads_as_formula(v, rest) &&
            (v->given.formula->root == NULL || !is_wordy(v->given.formula->root)))
            return rest;
    }
    return (Text){NULL, 0};
}

Text sentence_formula(Verifier *v, Text s)
{
    char digits[SENTENCE_BYTES];
    Text own = s, none = {NULL, 0};
    if (s.size == 0 || s.size >= SENTENCE_BYTES)
        return none;
    if (number_in_digits(digits, s, &own) && own.size >= SENTENCE_BYTES)
        return none;
    Text t = without_last_words(unwrapped(copied(v->sentence, own)));
    return is_doubtful(t) ? none : formula_at_end(v, t);
}

static bool says_number(Text s) // or something marked as a formula
{
    for (size_t i = 0; i < s.size; i++)
        if (isdigit((unsigned char)s.data[i]) || s.data[i] == '\\' || s.data[i] == '$' || s.data[i] == '=')
            return true;
    return false;
}

Text last_sentence_formula(Verifier *v, Text text)
{
    Text sentence = last_sentence(text);
    if (!says_number(sentence) && sentence.data > text.data) // "I hope this helps."
        sentence = last_sentence(unwrapped(text_between(text.data, sentence.data)));
    if (sentence.size >= SENTENCE_BYTES) { // formulas without a full stop between them: use the end
        const char *at = text_end(sentence) - SENTENCE_BYTES / 2, *space = memchr(at, ' ', SENTENCE_BYTES / 2);
        sentence = text_between(space == NULL ? text_end(sentence) : space, text_end(sentence));
    }
    return sentence_formula(v, text_trimmed(sentence));
}
