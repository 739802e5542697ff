// How the policy samples, as options say it. Whatever keeps only some of the tokens samples from another distribution than the one
// that learns: that has to be asked for by name (--no-exact), and importance_cap weighs it in the loss.
#ifndef RL_SAMPLING_H
#define RL_SAMPLING_H

#include "options/options.h"

// clang-format off
#define SAMPLING_ROWS(ROW, IN)                                                                                                   \
    ROW(IN, max_new_tokens, integer, "8192", "> 0",                  sampling, IDENTITY, "longest response, in tokens")          \
    ROW(IN, temperature,    number,  "1",    "> 1e-6",               sampling, IDENTITY, "sampling temperature, also of the update's log-probabilities") \
    ROW(IN, exact,          flag,    "true", "",                     sampling, IDENTITY, "sample from the policy itself; --no-exact allows --top-k, --top-p and --min-p") \
    ROW(IN, top_k,          integer, "0",    ">= 0 and <= 2147483647", sampling, IDENTITY, "with --no-exact: keep the k likeliest tokens; 0: all") \
    ROW(IN, top_p,          number,  "1",    "> 0 and <= 1",         sampling, IDENTITY, "with --no-exact: keep the likeliest tokens up to this probability") \
    ROW(IN, min_p,          number,  "0",    ">= 0 and <= 1",        sampling, IDENTITY, "with --no-exact: drop tokens below this share of the likeliest") \
    ROW(IN, importance_cap, number,  "2",    ">= 0",                 sampling, IDENTITY, "with --no-exact: cap of truncated importance sampling; 0: none")
// clang-format on
OPTION_GROUP(SamplingOptions, SAMPLING_ROWS)

// Whether some tokens are left out: what is sampled from is not the policy itself.
static inline bool sampling_leaves_out(const SamplingOptions *o) { return o->top_k > 0 || o->top_p < 1 || o->min_p > 0; }

static inline bool sampling_check(const SamplingOptions *o)
{
    return !sampling_leaves_out(o) || !o->exact ||
           fail("--top-k, --top-p and --min-p sample from another distribution than the one that learns; give --no-exact to do "
                "so, "
                "with --importance-cap against it");
}

#endif
