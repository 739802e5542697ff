// How sure a score is, and a difference of two: over questions, all responses to one question together. Resampling is
// seeded by constants, so that the same responses have the same figures everywhere.
#ifndef FIGURES_BOOTSTRAP_H
#define FIGURES_BOOTSTRAP_H

#include "tasks/task.h"

enum {
    RESAMPLES = 2000, // of the bootstrap
    FLIPS = 20000     // of the permutation test, where it is not exact
};

typedef struct Share { // of a question's responses
    int32_t right, of; // 0 <= right <= of, of > 0
    uint32_t group;    // its category
} Share;

typedef struct Shares { // of a set of questions
    const Share *list;  // (count)
    size_t count, groups;
} Shares;

// BBEH's authors add a percentage point to each accuracy (arXiv 2502.19187, 5.2, footnote 2); a group without questions
// is in no mean. 0 without questions.
double aggregate(Headline headline, const Shares *shares);
double harmonic_unadjusted(const Shares *shares);

typedef struct Spread {
    double standard_error;
    double low, high; // a 95% interval: the percentiles of the resamples
} Spread;

// Of the aggregate of a, or with b, of the same questions, of a's minus b's: each resample draws as many questions as
// there are, of all groups together, and aggregates them. The error of a mean is the resamples' limit, which is known:
// sqrt(sum (x - mean)^2) / count.
bool bootstrap(Spread *spread, Headline headline, const Shares *a, const Shares *b);
double mean_error(const Shares *a, const Shares *b); // that limit alone; b as above

// The two-sided p-value of a paired permutation test: if the runs did not differ, what a question gave to one could as
// well have been given to the other; p is the probability of a difference at least as large as the one that came. Exact
// for means (with one response a question it is McNemar's exact test), unless there are too many different shares;
// otherwise by FLIPS random exchanges.
bool permutation(double *p, bool *exact, Headline headline, const Shares *a, const Shares *b);

void holm(double *adjusted, const double *p, size_t count); // Holm's correction for several comparisons

#endif
