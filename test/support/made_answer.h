// An answer that is made up, with spellings that say the same and others that do not, and what makers of them share:
// answer_maker.h.
#ifndef TEST_MADE_ANSWER_H
#define TEST_MADE_ANSWER_H

#include "base/base.h"
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_BYTES = 400, SAME_MOST = 12, OTHERS_MOST = 24, ITEMS_MOST = 10 };

typedef struct Other {
    char text[MADE_BYTES];
    const char *how;  // it was changed
    bool as_response; // but never as a reference
} Other;

typedef struct Made {
    const char *kind;
    char row[2048];                   // with options; "": none
    char text[MADE_BYTES];            // the reference
    char same[SAME_MOST][MADE_BYTES]; // its other spellings
    Other others[OTHERS_MOST];        // that are not it
    int same_count, other_count;
    int references; // only the first `references` spellings may be the reference; 0: all
    bool rounds;    // a longer number may round to it
} Made;

typedef struct Maker {
    Made *made;
    uint32_t number, draws;
} Maker;

static int draw(Maker *m, int below)
{
    return (int)(random_bits(23, RANDOM_DEMO, m->number, m->draws++, 0).v[0] % (uint32_t)below);
}

static int between(Maker *m, int low, int high) { return low + draw(m, high - low + 1); }

static int signed_between(Maker *m, int low, int high)
{
    return draw(m, 2) == 0 ? between(m, low, high) : -between(m, low, high);
}

static void distinct(Maker *m, int *items, int count, int low, int high)
{
    for (int i = 0; i < count;) {
        items[i] = between(m, low, high);
        bool fresh = true;
        for (int j = 0; j < i; j++)
            fresh = fresh && items[j] != items[i];
        i += fresh;
    }
}

#define STYLES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void same_list(Maker *m, const char *format, va_list list)
{
    assert(m->made->same_count < SAME_MOST);
    char *out = m->made->same[m->made->same_count++];
    int n = vsnprintf(out, MADE_BYTES, format, list);
    assert(n >= 0 && n < MADE_BYTES);
    for (int i = 0; i + 1 < m->made->same_count; i++)
        if (strcmp(m->made->same[i], out) == 0) {
            m->made->same_count--;
            return;
        }
}

// A spelling of the answer
PRINTF_LIKE(2, 3) static void same(Maker *m, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    same_list(m, format, list);
    va_end(list);
}

// All of them
static void sames(Maker *m, const char *const *styles, ...)
{
    va_list list;
    for (; *styles != NULL; styles++) {
        va_start(list, styles);
        same_list(m, *styles, list);
        va_end(list);
    }
}

// Another answer, in one of the spellings
static void other(Maker *m, const char *how, const char *const *styles, ...)
{
    assert(m->made->other_count < OTHERS_MOST);
    int count = 0;
    while (styles[count] != NULL)
        count++;
    Other *o = &m->made->others[m->made->other_count++];
    va_list list;
    va_start(list, styles);
    int n = vsnprintf(o->text, MADE_BYTES, styles[draw(m, count)], list);
    va_end(list);
    assert(n >= 0 && n < MADE_BYTES);
    o->how = how;
    o->as_response = false;
    for (int i = 0; i < m->made->same_count; i++)
        assert(strcmp(m->made->same[i], o->text) != 0);
}

static void join(char out[MADE_BYTES], const int *items, int count, const char *gap)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(out + n, MADE_BYTES - n, "%s%d", i == 0 ? "" : gap, items[i]);
    assert(n < MADE_BYTES);
}

static void swap(int *a, int *b)
{
    int kept = *a;
    *a = *b;
    *b = kept;
}

static void reverse(int *items, int count)
{
    for (int i = 0; i < count / 2; i++)
        swap(&items[i], &items[count - 1 - i]);
}

static int gcd(int a, int b) { return b == 0 ? abs(a) : gcd(b, a % b); }

#endif
