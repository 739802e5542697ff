// Which products a library was asked for and our own kernel makes, because nothing of the library's gave its bits: for
// people, who may wonder where a step's time goes. A product is named as a profile names it (kernels/profile.h), by its
// operation and the weight (N, K). How many rows it has is not part of that: a library may obey at some numbers of
// rows and not at others.
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
    int shapes, ours; // how many there were, and how many of them are our own kernel's
} Maker;

enum { MAKERS_MOST = 64 }; // a model has some twenty
typedef struct Makers {
    Maker list[MAKERS_MOST];
    int count;
    char text[2048];
} Makers;

static inline void makers_note(Makers *m, const Maker *product, bool ours)
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
    m->list[i].ours += ours;
}

// Empty where the library makes all of them.
static inline const char *makers_text(Makers *m)
{
    size_t at = 0;
    m->text[0] = 0;
    for (int i = 0; i < m->count && at < sizeof m->text - 160; i++) {
        const Maker *p = &m->list[i];
        if (p->ours == 0)
            continue;
        at += (size_t)snprintf(m->text + at, sizeof m->text - at, "%s%s %lld x %lld%s", at > 0 ? "; " : "",
                               p->operation, (long long)p->n, (long long)p->k, p->adds ? ", adds" : "");
        if (p->ours < p->shapes)
            at += (size_t)snprintf(m->text + at, sizeof m->text - at, " (at %d of %d numbers of rows)", p->ours,
                                   p->shapes);
    }
    return m->text;
}

#endif
