// The same words. Two texts are read into pieces (pieces.c) and compared side by side; only articles are skipped. Signs
// and numbers must be equal. In words, capitals of ordinary English may differ, those of names, units and symbols may
// not.
#include "answers/words/words.h"
#include "answers/words/pieces.h"
#include <ctype.h>
#include <string.h>
#include <utf8proc.h>

// ---- helpers for the rules

bool piece_is(const Pieces *p, size_t i, const char *word)
{
    size_t n = strlen(word);
    if (i >= p->count || p->list[i].size != n)
        return false;
    for (size_t k = 0; k < n; k++) {
        int32_t c = p->points[p->list[i].begin + k];
        if (c > 0x7F || tolower(c) != word[k])
            return false;
    }
    return true;
}

bool piece_in(const Pieces *p, size_t i, const char *const *words)
{
    for (; *words != NULL; words++)
        if (piece_is(p, i, *words))
            return true;
    return false;
}

static bool is_word(const Pieces *p, size_t i) { return i < p->count && p->list[i].kind == PIECE_WORD; }
static int32_t point_of(const Pieces *p, size_t i, size_t k) { return p->points[p->list[i].begin + k]; }
static int32_t low(int32_t c) { return c < 0x80 ? tolower(c) : c < 0x110000 ? utf8proc_tolower(c) : c; }
static bool is_capital(int32_t c) { return low(c) != c; }

static bool all_low(const Pieces *p, size_t i, size_t from)
{
    for (size_t k = from; k < p->list[i].size; k++)
        if (is_capital(point_of(p, i, k)))
            return false;
    return true;
}

// ---- articles

static const char *const small_words[] = {"of",  "in",  "is",  "on",  "at",   "to",   "by",   "or",   "as",
                                          "it",  "if",  "be",  "no",  "so",   "we",   "he",   "do",   "are",
                                          "was", "and", "for", "not", "with", "from", "than", "that", NULL};

// A third person's s: the word before "wins" has no article of its own.
static bool looks_like_verb(const Pieces *p, size_t i)
{
    size_t n = p->list[i].size;
    int32_t before = n > 2 ? point_of(p, i, n - 2) : 's';
    return before != 's' && before != 'u' && before != 'i' && point_of(p, i, n - 1) == 's'; // but glass, virus, axis
}

// "an" comes before a vowel, and "a" does not: in "a ab" it is no article.
static bool agrees(const Pieces *p, size_t i, bool an)
{
    int32_t c = low(point_of(p, i, 0));
    bool vowel = c < 0x80 && strchr("aeiou", c) != NULL, either = c == 'h' || c == 'u' || c == 'e' || c == 'o';
    return either || vowel == an || (an && p->list[i].size == 1); // an hour, a unit, a European, a one, an S
}

// "a" is one at the beginning, after a comma and after small words, if a word follows; elsewhere it is a name: vitamin
// a.
static bool is_article(const Pieces *p, size_t i)
{
    static const char *const of_names[] = {"flat",     "sharp", "minor", "major", "positive",
                                           "negative", "only",  "alone", NULL};
    bool follows =
        is_word(p, i) && is_word(p, i + 1) && p->list[i + 1].joint == JOINT_SPACE && p->list[i].joint != JOINT_HYPHEN;
    if (!follows || !all_low(p, i, 1))
        return false;
    if (piece_is(p, i, "the"))
        return true;
    if (piece_is(p, i, "an"))
        return agrees(p, i + 1, true);
    if (!piece_is(p, i, "a") || !agrees(p, i + 1, false) || p->list[i + 1].size <= 1)
        return false;
    if (piece_in(p, i + 1, small_words) || piece_in(p, i + 1, of_names))
        return false;
    bool begins = i == 0 || p->list[i].joint == JOINT_SENTENCE;
    if (is_capital(point_of(p, i, 0)))
        return begins && all_low(p, i + 1, 0) && !looks_like_verb(p, i + 1);
    return begins || p->list[i].joint == JOINT_COMMA || piece_in(p, i - 1, small_words);
}

// The joint before an article moves to its word. Reads only unmoved pieces, and the one before.
void pieces_drop_articles(Pieces *p)
{
    size_t kept = 0;
    Joint joint = JOINT_NONE;
    bool drops = false;
    for (size_t i = 0; i < p->count; i++) {
        bool dropped = is_article(p, i);
        if (!drops)
            joint = p->list[i].joint;
        drops = dropped;
        if (!dropped) {
            p->list[kept] = p->list[i];
            p->list[kept++].joint = joint;
        }
    }
    p->count = kept;
}

// ---- capitals

typedef enum Capitals { CAPITALS_NONE, CAPITALS_FIRST, CAPITALS_ALL, CAPITALS_MIXED } Capitals;

static Capitals capitals_of(const Pieces *p, size_t i)
{
    size_t n = p->list[i].size, capitals = 0, letters = 0;
    for (size_t k = 0; k < n; k++) {
        capitals += is_capital(point_of(p, i, k));
        letters += point_of(p, i, k) != '\'';
    }
    if (capitals == 0)
        return CAPITALS_NONE;
    if (capitals == 1 && is_capital(point_of(p, i, 0)))
        return CAPITALS_FIRST;
    return capitals == letters ? CAPITALS_ALL : CAPITALS_MIXED;
}

// AABB, aabb and Aabb: pairs of one letter are genes.
static bool is_genotype(const Pieces *p, size_t i)
{
    size_t n = p->list[i].size;
    for (size_t k = 0; k + 1 < n; k += 2)
        if (low(point_of(p, i, k)) != low(point_of(p, i, k + 1)))
            return false;
    return n % 2 == 0;
}

// ABCD, PQRS, HBTU: consecutive letters, or no vowels, are names and signs.
static bool is_pronounced(const Pieces *p, size_t i)
{
    bool vowel = false, in_row = true;
    for (size_t k = 0; k < p->list[i].size; k++) {
        int32_t c = low(point_of(p, i, k));
        vowel |= c > 0x7F || strchr("aeiouy", c) != NULL;
        in_row &= k == 0 || c == low(point_of(p, i, k - 1)) + 1;
    }
    return vowel && !in_row;
}

// The first of several words may have a capital, if it is more than a letter: X-linked, but not N electrons.
static bool begins_text(const Pieces *p, size_t i)
{
    bool several = is_word(p, i + 1) && p->list[i + 1].size > 2 && all_low(p, i + 1, 0);
    return i == 0 && several && (p->list[i].size > 1 || p->list[i + 1].joint == JOINT_HYPHEN);
}

static bool capitals_agree(const Pieces *a, size_t i, const Pieces *b, size_t j)
{
    static const char *const loud[] = {"yes", "no", "true", "false", "and", "or", "not", NULL};
    Capitals x = capitals_of(a, i), y = capitals_of(b, j);
    size_t n = a->list[i].size;
    if (x == CAPITALS_MIXED || y == CAPITALS_MIXED || is_genotype(a, i))
        return false;
    if (x == CAPITALS_ALL || y == CAPITALS_ALL)
        return piece_in(a, i, loud) || (n > 3 && is_pronounced(a, i));
    return n > 2 || piece_in(a, i, small_words) || (begins_text(a, i) && begins_text(b, j));
}

// ---- joints

static bool is_wide(const Pieces *p, size_t i) { return is_word(p, i) && p->list[i].size > 2; }

// Commas may be left out between words, not between names and numbers of a formula: 2, b is not 2b, and x, y not xy.
static bool joints_agree(const Pieces *a, size_t i, const Pieces *b, size_t j)
{
    Joint x = a->list[i].joint, y = b->list[j].joint;
    bool words = is_word(a, i) && i > 0 && is_word(a, i - 1);
    if (x == y || i == 0 || j == 0)
        return true;
    if (x >= JOINT_COMMA && y >= JOINT_COMMA)
        return true;
    if (x >= JOINT_COMMA || y >= JOINT_COMMA)
        return (x == JOINT_SPACE || y == JOINT_SPACE) && words && (is_wide(a, i) || is_wide(a, i - 1));
    return x == JOINT_HYPHEN || y == JOINT_HYPHEN || !words; // a space has no meaning beside signs and numbers
}

// ---- side by side

static bool same_points(const Pieces *a, size_t i, const Pieces *b, size_t j, bool *spelled)
{
    size_t n = a->list[i].size;
    *spelled = true;
    if (b->list[j].size != n)
        return false;
    for (size_t k = 0; k < n; k++) {
        int32_t x = point_of(a, i, k), y = point_of(b, j, k);
        *spelled &= x == y;
        if (low(x) != low(y))
            return false;
    }
    return true;
}

// One word that is hyphenated in the other text: compared letter by letter until both end. Only the first capital may
// differ.
static bool same_compound(const Pieces *a, size_t *i, const Pieces *b, size_t *j)
{
    size_t k = 0, l = 0, walked = 0;
    for (;; walked++) {
        int32_t x = point_of(a, *i, k), y = point_of(b, *j, l);
        if (walked > 0 ? x != y : low(x) != low(y))
            return false;
        bool a_ends = ++k == a->list[*i].size, b_ends = ++l == b->list[*j].size;
        if (a_ends && b_ends)
            return true;
        if (a_ends) {
            if (!is_word(a, ++*i) || a->list[*i].joint != JOINT_HYPHEN)
                return false;
            k = 0;
        }
        if (b_ends) {
            if (!is_word(b, ++*j) || b->list[*j].joint != JOINT_HYPHEN)
                return false;
            l = 0;
        }
    }
}

// Compares from i and j to the end of b; returns where a is then, 0: they differ.
static size_t walk(const Pieces *a, size_t i, const Pieces *b, size_t j)
{
    bool first = true;
    for (; i < a->count && j < b->count; i++, j++, first = false) {
        bool spelled;
        if (a->list[i].kind != b->list[j].kind || (!first && !joints_agree(a, i, b, j)))
            return 0;
        if (same_points(a, i, b, j, &spelled)) {
            if (!spelled && (a->list[i].kind != PIECE_WORD || !capitals_agree(a, i, b, j)))
                return 0;
        } else if (a->list[i].kind != PIECE_WORD || !same_compound(a, &i, b, &j)) {
            return 0;
        }
    }
    return j == b->count ? i : 0;
}

bool pieces_match(const Pieces *a, size_t i, const Pieces *b, size_t j)
{
    return (i == a->count) == (j == b->count) && (i == a->count || walk(a, i, b, j) == a->count);
}

size_t pieces_begin(const Pieces *a, size_t i, const Pieces *b)
{
    size_t end = i < a->count && b->count > 0 ? walk(a, i, b, 0) : 0;
    return end > i ? end - i : 0;
}

bool words_same(Text a, Text b)
{
    Pieces p = {.count = 0}, q = {.count = 0};
    bool same = pieces_read(&p, a) && pieces_read(&q, b);
    if (same) {
        pieces_drop_articles(&p);
        pieces_drop_articles(&q);
        same = p.count > 0 && q.count > 0 && pieces_match(&p, 0, &q, 0);
    }
    pieces_free(&p);
    pieces_free(&q);
    return same;
}

int words_count(Text s)
{
    Pieces p;
    int words = 0;
    if (pieces_read(&p, s))
        for (size_t i = 0; i < p.count; i++)
            words += p.list[i].kind == PIECE_WORD;
    pieces_free(&p);
    return words;
}
