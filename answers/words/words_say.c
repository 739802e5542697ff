// The meaning of words beyond their letters: numbers, a few phrases, yes and no, and sentences that state a short
// answer. Each rule is a grammar or a table that can be read completely; a text that it does not cover is left to a
// judge.
#include "answers/words/words.h"
#include "answers/words/pieces.h"
#include <string.h>
#include <utf8proc.h>

enum {
    DIGITS_MOST = 15,
    KEY_BYTES = 64,
    PIECES_MOST = 40,
    WORDS_MOST = 25,
    SUBJECT_MOST = 10,
    REFERENCE_MOST = 3,
    PLACE_MOST = 8,
    BILLION = 1000000000
};

// ---- numbers

static int find(const Pieces *p, size_t i, const char *const *words)
{
    for (int k = 0; words[k] != NULL; k++)
        if (piece_is(p, i, words[k]))
            return k;
    return -1;
}

static bool minus_at(const Pieces *p, size_t i, bool *worded)
{
    *worded = piece_is(p, i, "minus") || piece_is(p, i, "negative");
    return *worded || piece_is(p, i, "-");
}

// 1,234 and 1234; false: a decimal, a list, or too long
static bool read_digits(const Pieces *p, size_t i, int64_t *value)
{
    if (i >= p->count || p->list[i].kind != PIECE_NUMBER || p->list[i].size > DIGITS_MOST)
        return false;
    const int32_t *points = p->points + p->list[i].begin;
    size_t n = p->list[i].size, commas = 0;
    *value = 0;
    for (size_t k = 0; k < n; k++) {
        bool comma = points[k] == ',';
        commas += comma;
        if (points[k] == '.' || (comma && (n - k) % 4 != 0))
            return false;
        *value = comma ? *value : *value * 10 + (points[k] - '0');
    }
    return commas == 0 || (commas == (n - 1) / 4 && n % 4 != 0); // every group but the first of three
}

static const char *const ones[] = {"zero",     "one",     "two",     "three",     "four",     "five",     "six",
                                   "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
                                   "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", NULL};
static const char *const tens[] = {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", NULL};
static const char *const scales[] = {"thousand", "million", NULL};
static const int64_t factors[] = {1000, 1000000};

// One word more of a group below a thousand
static bool add_to_group(const Pieces *p, size_t i, int64_t *group, bool *begun)
{
    int one = find(p, i, ones), ten = find(p, i, tens);
    bool fits = one > 9 || ten >= 0 ? *group % 100 == 0 : *group % 10 == 0 && *group % 100 != 10;
    if (piece_is(p, i, "hundred") && (*begun ? *group > 0 && *group < 10 : true))
        *group = (*begun ? *group : 1) * 100;
    else if ((one > 0 || ten >= 0) && fits)
        *group += one > 0 ? one : 20 + 10 * ten;
    else
        return false;
    *begun = true;
    return true;
}

static size_t read_number_words(const Pieces *p, size_t i, int64_t *value)
{
    int64_t total = 0, group = 0, last_scale = BILLION;
    size_t at = i, end = i;
    bool begun = false;
    if (piece_is(p, i, "zero")) {
        *value = 0;
        return 1;
    }
    while (at < p->count && (at == i || p->list[at].joint < JOINT_COMMA)) {
        int scale = find(p, at, scales);
        int64_t factor = scale < 0 ? 0 : factors[scale];
        if (add_to_group(p, at, &group, &begun)) {
            end = ++at;
        } else if (scale >= 0 && begun && factor < last_scale) {
            total += group * factor;
            last_scale = factor;
            group = 0;
            begun = false;
            end = ++at;
        } else if (piece_is(p, at, "and") && end == at && at > i &&
                   (find(p, at - 1, scales) >= 0 || piece_is(p, at - 1, "hundred"))) {
            at++;
        } else {
            break;
        }
    }
    *value = total + group;
    return end - i;
}

// The number of pieces from the first on that form a whole number; 0: none
static size_t read_whole(const Pieces *p, int64_t *value, bool *worded)
{
    bool minus = minus_at(p, 0, worded), digits = read_digits(p, minus, value);
    size_t n = digits ? 1 : read_number_words(p, minus, value);
    int scale = digits ? find(p, minus + 1u, scales) : -1; // 5 million
    *worded |= (n > 0 && !digits) || scale >= 0;
    if (scale >= 0 && *value < BILLION)
        n++, *value *= factors[scale];
    if (minus)
        *value = -*value;
    return n == 0 ? 0 : n + minus;
}

static Verdict compare_numbers(const Pieces *r, const Pieces *a)
{
    int64_t x, y;
    bool x_worded, y_worded;
    size_t i = read_whole(r, &x, &x_worded), j = read_whole(a, &y, &y_worded);
    if (i == 0 || j == 0 || !(x_worded || y_worded))
        return VERDICT_UNKNOWN;
    if (x == y)
        return pieces_match(r, i, a, j) ? VERDICT_EQUAL : VERDICT_UNKNOWN;
    return i == r->count && j == a->count ? VERDICT_DIFFERENT : VERDICT_UNKNOWN;
}

bool words_number(Text s, int64_t *value)
{
    Pieces p;
    bool worded, is = pieces_read(&p, s);
    if (is) {
        pieces_drop_articles(&p);
        size_t n = read_whole(&p, value, &worded);
        is = n > 0 && n == p.count;
    }
    pieces_free(&p);
    return is;
}

// ---- phrases

enum { LINE_MOST = 14 };

// The phrases of a line mean the same.
static const char *const phrases[][LINE_MOST] = {
    {"undefined", "not defined", "does not exist", "doesn't exist", "dne", "nonexistent", "it is undefined",
     "it does not exist", "limit does not exist"},
    {"no solution", "no solutions", "empty set", "∅", "{ }", "there is no solution", "there are no solutions",
     "has no solution", "has no solutions", "no solution exists", "no solutions exist"},
    {"no real solution", "no real solutions", "there is no real solution", "there are no real solutions"},
    {"infinitely many", "infinite", "infinitely many solutions", "infinite solutions", "infinite number of solutions",
     "there are infinitely many", "there are infinitely many solutions", "infinite number"},
    {"infinity", "inf", "∞", "+ ∞", "+ infinity", "+ inf", "positive infinity", "plus infinity"},
    {"- infinity", "- inf", "- ∞", "negative infinity", "minus infinity"},
    {"all real numbers", "all reals", "ℝ", "( - ∞ ∞ )", "( - ∞ + ∞ )", "set of all real numbers", "set of real numbers",
     "all of ℝ", "x ∈ ℝ", "every real number", "any real number", "( - inf inf )"},
};
enum { PHRASES = sizeof phrases / sizeof *phrases };

// Only one phrase of a line is true: another is not the answer.
static const char *const opposites[][LINE_MOST] = {
    {"increases", "decreases"},
    {"increase", "decrease"},
    {"increasing", "decreasing"},
    {"increased", "decreased"},
    {"positive", "negative"},
    {"odd", "even"},
    {"north", "south", "east", "west"},
    {"left", "right"},
    {"up", "down"},
    {"upward", "downward"},
    {"knight", "knave"},
    {"converges", "diverges"},
    {"convergent", "divergent"},
    {"finite", "infinite"},
    {"rational", "irrational"},
    {"possible", "impossible"},
    {"prime", "composite"},
    {"valid", "invalid"},
    {"higher", "lower"},
    {"greater", "less"},
    {"maximum", "minimum"},
    {"above", "below"},
    {"clockwise", "counterclockwise"},
    {"endothermic", "exothermic"},
    {"dependent", "independent"},
    {"consistent", "inconsistent"},
    {"no solution", "infinitely many"},
    {"no solution", "all real numbers"},
};
enum { OPPOSITES = sizeof opposites / sizeof *opposites };

// The pieces in lower case with single spaces; false: longer than any phrase
static bool key_of(const Pieces *p, char key[KEY_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (n + 1 >= KEY_BYTES)
            return false;
        if (i > 0)
            key[n++] = ' ';
        for (size_t k = 0; k < p->list[i].size; k++) {
            int32_t c = p->points[p->list[i].begin + k];
            if (n + 5 >= KEY_BYTES || c >= 0x110000)
                return false;
            n += (size_t)utf8proc_encode_char(utf8proc_tolower(c), (utf8proc_uint8_t *)key + n);
        }
    }
    key[n] = 0;
    return true;
}

static bool in_line(const char *const *line, const char *key)
{
    for (int i = 0; i < LINE_MOST && line[i] != NULL; i++)
        if (strcmp(line[i], key) == 0)
            return true;
    return false;
}

// The first phrase of its line represents it.
static const char *phrase_of(const char *key)
{
    for (int i = 0; i < PHRASES; i++)
        if (in_line(phrases[i], key))
            return phrases[i][0];
    return key;
}

static Verdict compare_phrases(const Pieces *r, const Pieces *a)
{
    char x[KEY_BYTES], y[KEY_BYTES];
    if (!key_of(r, x) || !key_of(a, y))
        return VERDICT_UNKNOWN;
    const char *one = phrase_of(x), *other = phrase_of(y);
    for (int i = 0; one != x && i < PHRASES; i++)
        if (one == phrases[i][0] && one == other)
            return VERDICT_EQUAL;
    for (int i = 0; i < OPPOSITES; i++)
        if (strcmp(one, other) != 0 && in_line(opposites[i], one) && in_line(opposites[i], other))
            return VERDICT_DIFFERENT;
    return VERDICT_UNKNOWN;
}

// ---- yes and no

// What a text says about truth, and with which words: "yes" to a question is not "true" for a statement once it is part
// of a sentence.
typedef struct Truth {
    bool said, value, bare, of_statement;
} Truth;

static const char *const reasons[] = {"because", "since", "as", NULL};
static const char *const denials[] = {"no",      "not",    "false",     "never", "nor",  "neither",
                                      "cannot",  "untrue", "incorrect", "wrong", "none", "nothing",
                                      "nowhere", "hardly", "without",   NULL};
static const char *const assents[] = {"yes", "true", "correct", NULL};
static const char *const doubts[] = {"but",
                                     "however",
                                     "although",
                                     "though",
                                     "or",
                                     "either",
                                     "maybe",
                                     "perhaps",
                                     "possibly",
                                     "probably",
                                     "might",
                                     "may",
                                     "could",
                                     "would",
                                     "can",
                                     "if",
                                     "unless",
                                     "except",
                                     "instead",
                                     "rather",
                                     "unlike",
                                     "whether",
                                     "wait",
                                     "actually",
                                     "unsure",
                                     "unclear",
                                     "versus",
                                     "vs",
                                     "almost",
                                     "otherwise",
                                     "sometimes",
                                     "partly",
                                     "half",
                                     "likely",
                                     "unlikely",
                                     "should",
                                     "alternatively",
                                     "uncertain",
                                     "guess",
                                     "depends",
                                     "contrary",
                                     "opposite",
                                     "other",
                                     "than",
                                     "yet",
                                     "misconception",
                                     "mistake",
                                     "wrong",
                                     "incorrect",
                                     "distractor",
                                     "exception",
                                     "reverse",
                                     "inverse",
                                     "alternative",
                                     "second",
                                     "third",
                                     "least",
                                     "most",
                                     "used",
                                     "competitor",
                                     "rest",
                                     "former",
                                     "latter",
                                     "input",
                                     "few",
                                     "trap",
                                     "guess",
                                     "worst",
                                     "opposite",
                                     "plaintiff",
                                     "buyer",
                                     "seller",
                                     "defendant",
                                     "previous",
                                     "next",
                                     "wait",
                                     "actually",
                                     NULL};
static const char *const reports[] = {"that",    "which",   "who",      "what",   "says",  "said",     "say",
                                      "claims",  "claimed", "claim",    "thinks", "think", "believes", "believe",
                                      "suppose", "assume",  "assuming", "let",    "lets",  "nobody",   "everyone",
                                      "only",    "fake",    "lie",      "lies",   "when",  "while",    NULL};
static const char *const copulas[] = {"is", "are", "was", "were", "be", "equals", "becomes", "remains", NULL};
static const char *const statements[] = {"statement", "proposition", "assertion", "conclusion", "answer",
                                         "it",        "this",        "that",      NULL};

// can't, isn't
static bool is_contraction(const Pieces *p, size_t i)
{
    size_t n = p->list[i].size, end = p->list[i].begin + p->list[i].size;
    return n > 2 && p->points[end - 1] == 't' && p->points[end - 2] == '\'';
}

static bool has(const Pieces *p, size_t from, size_t to, const char *const *words)
{
    for (size_t i = from; i < to; i++)
        if (piece_in(p, i, words) || (words == denials && is_contraction(p, i)))
            return true;
    return false;
}

static bool is_short(const Pieces *p)
{
    size_t words = 0;
    for (size_t i = 0; i < p->count && p->count <= PIECES_MOST; i++)
        words += p->list[i].kind == PIECE_WORD;
    return p->count <= PIECES_MOST && words <= WORDS_MOST && !p->question;
}

// "Yes, ...", "No. ...", "False because ...", where what follows does not take it back
static bool leads(const Pieces *p, bool value)
{
    bool reason = piece_in(p, 1, reasons), pause = p->list[1].joint >= JOINT_COMMA;
    return (reason || pause) && is_short(p) && !has(p, 1, p->count, doubts) &&
           !has(p, 1, p->count, value ? denials : assents);
}

static Truth truth_of(const Pieces *p)
{
    static const char *const words[] = {"yes", "true", "no", "false", NULL};
    int first = p->count > 0 ? find(p, 0, words) : -1;
    if (first >= 0 && (p->count == 1 || leads(p, first < 2)))
        return (Truth){true, first < 2, p->count == 1, first % 2 == 1};
    int third =
        p->count == 3 && is_short(p) && piece_in(p, 0, statements) && piece_is(p, 1, "is") ? find(p, 2, words) : -1;
    if (third >= 0 && p->list[2].joint == JOINT_SPACE)
        return (Truth){true, third < 2, false, third % 2 == 1};
    return (Truth){false, false, false, false};
}

static Verdict compare_truths(const Pieces *r, const Pieces *a)
{
    Truth x = truth_of(r), y = truth_of(a);
    if (!x.said || !y.said || !x.bare || (!y.bare && x.of_statement != y.of_statement))
        return VERDICT_UNKNOWN;
    return x.value == y.value ? VERDICT_EQUAL : VERDICT_DIFFERENT;
}

// ---- sentences

static bool is_few_words(const Pieces *p)
{
    bool telling = false;
    for (size_t i = 0; i < p->count; i++) {
        if (p->list[i].kind != PIECE_WORD || (i > 0 && p->list[i].joint >= JOINT_COMMA))
            return false;
        telling |= !piece_in(p, i, denials) && !piece_in(p, i, doubts) && !piece_in(p, i, copulas);
    }
    return telling && p->count <= REFERENCE_MOST;
}

// Where the verb after its subject is: "So, the function is ..."; 0: none
static size_t find_verb(const Pieces *a)
{
    static const char *const leads_in[] = {"so", "therefore", "thus", "hence", NULL};
    for (size_t i = 1; i < a->count && i <= SUBJECT_MOST; i++) {
        bool pause = a->list[i].joint >= JOINT_COMMA;
        if (pause && !(i == 1 && piece_in(a, 0, leads_in)))
            return 0;
        if (piece_in(a, i, copulas))
            return i;
    }
    return 0;
}

// A reason or a place follows: "on that interval". Not "of", "by", "to", "with" or "when", which change the words
// before (north of east, positive when x > 0); for a number not even a place: two over three is not two.
static bool may_follow(const Pieces *a, size_t i, bool number)
{
    static const char *const places[] = {"on", "in", "at", "for", "over", NULL};
    if (i == a->count || (a->list[i].joint <= JOINT_COMMA && piece_in(a, i, reasons)))
        return true;
    bool follows = !number && piece_in(a, i, places) && a->list[i].joint == JOINT_SPACE && a->count - i <= PLACE_MOST;
    for (size_t k = i; k < a->count && follows; k++) // one place, and no mention of another
        follows = a->list[k].joint < JOINT_COMMA && !piece_is(a, k, "and");
    return follows;
}

static bool is_one_sentence(const Pieces *p)
{
    for (size_t i = 1; i < p->count; i++)
        if (p->list[i].joint == JOINT_SENTENCE)
            return false;
    return true;
}

// SUBJECT is REFERENCE, and nothing in it denies, doubts or reports.
static bool states(const Pieces *r, const Pieces *a)
{
    static const char *const adverbs[] = {"therefore", "thus", "hence", "indeed", "clearly", NULL};
    if (!is_few_words(r) || !is_short(a) || !is_one_sentence(a) || truth_of(r).said)
        return false;
    size_t verb = find_verb(a), begin = verb + 1;
    begin += verb > 0 && piece_in(a, begin, adverbs);
    size_t n = verb > 0 ? pieces_begin(a, begin, r) : 0, end = begin + n;
    int64_t value;
    bool worded, number = read_whole(r, &value, &worded) > 0;
    return n > 0 && a->list[begin].joint <= JOINT_SPACE && may_follow(a, end, number) && !has(a, 0, begin, denials) &&
           !has(a, end, a->count, denials) && !has(a, 0, begin, doubts) && !has(a, end, a->count, doubts) &&
           !has(a, 0, verb, reports);
}

// ---- all of them

static Verdict decide(const Pieces *r, const Pieces *a, const char **rule)
{
    Verdict v;
    *rule = "the same words";
    if (pieces_match(r, 0, a, 0))
        return VERDICT_EQUAL;
    *rule = "yes or no";
    if ((v = compare_truths(r, a)) != VERDICT_UNKNOWN)
        return v;
    *rule = "a number in words";
    if ((v = compare_numbers(r, a)) != VERDICT_UNKNOWN)
        return v;
    v = compare_phrases(r, a);
    *rule = v == VERDICT_EQUAL ? "phrases that say the same" : "opposite words";
    if (v != VERDICT_UNKNOWN)
        return v;
    *rule = "a sentence that states it";
    if (states(r, a))
        return VERDICT_EQUAL;
    *rule = "other words";
    return VERDICT_UNKNOWN;
}

Verdict words_compare(Text reference, Text answer, const char **rule)
{
    Pieces r = {.count = 0}, a = {.count = 0};
    Verdict v = VERDICT_UNKNOWN;
    *rule = "no words";
    if (pieces_read(&r, reference) && pieces_read(&a, answer) && r.count > 0 && a.count > 0) {
        pieces_drop_articles(&r);
        pieces_drop_articles(&a);
        v = decide(&r, &a, rule);
    }
    pieces_free(&r);
    pieces_free(&a);
    return v;
}
