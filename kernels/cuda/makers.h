// Which products a library was asked for and our own kernels make, because nothing of the library's gave their bits
// or because they are faster: for people, who may wonder where a step's time goes. A product is named as a profile
// names it (kernels/profile.h), by its operation and the weight (N, K). How many rows it has is not part of that: a
// library may obey, or be faster, at some numbers of rows and not at others.
#ifndef KERNELS_CUDA_MAKERS_H
#define KERNELS_CUDA_MAKERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Maker {
    const char *operation;
    int64_t n, k;
    bool adds;
    int shapes, disobeyed, slower; // how many there were, and how many of them are ours for either reason
} Maker;

typedef enum MadeBy { MADE_BY_LIBRARY, MADE_AS_NONE_OBEYS, MADE_FASTER } MadeBy; // the last two: by our own kernel

enum { MAKERS_MOST = 64 }; // a model has some twenty
typedef struct Makers {
    Maker list[MAKERS_MOST];
    int count;
    char text[2048];
} Makers;

static inline void makers_note(Makers *m, const Maker *product, MadeBy by)
{
    int i = 0;
    while (i < m->count && !(strcmp(m->list[i].operation, product->operation) == 0 && m->list[i].n == product->n &&
                             m->list[i].k == product->k && m->list[i].adds == product->adds))
        i++;
    if (i == MAKERS_MOST)
        return;
    if (i == m->count)
        m->list[m->count++] = *product;
    m->list[i].shapes++;
    m->list[i].disobeyed += by == MADE_AS_NONE_OBEYS;
    m->list[i].slower += by == MADE_FASTER;
}

// Appends a product that is ours at `ours` of its shapes, and why.
static inline size_t makers_say(char *text, size_t size, const Maker *p, int ours, const char *why)
{
    size_t at = (size_t)snprintf(text, size, "%s %lld x %lld%s%s", p->operation, (long long)p->n, (long long)p->k,
                                 p->adds ? ", adds" : "", why);
    if (ours < p->shapes)
        at += (size_t)snprintf(text + at, size - at, " (at %d of %d numbers of rows)", ours, p->shapes);
    return at;
}

// Empty where the library makes all of them.
static inline const char *makers_text(Makers *m)
{
    size_t at = 0;
    m->text[0] = 0;
    for (int i = 0; i < 2 * m->count && at < sizeof m->text - 180; i++) {
        const Maker *p = &m->list[i / 2];
        int ours = i % 2 == 0 ? p->disobeyed : p->slower;
        if (ours == 0)
            continue;
        at += (size_t)snprintf(m->text + at, sizeof m->text - at, "%s", at > 0 ? "; " : "");
        at += makers_say(m->text + at, sizeof m->text - at, p, ours, i % 2 == 0 ? "" : ", faster");
    }
    return m->text;
}

#endif
