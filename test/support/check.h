// Included first by every test: cmocka's headers in the required order, and assertions that say what failed and why.
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail      // cmocka's macros; fail is a function of base/base.h
#undef fail_msg
#define fail_msg(...) (print_error("ERROR: " __VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))
// clang-format on
#include "base/base.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Times are promised of the release build; sanitizers take several times as long.
#if defined(__SANITIZE_ADDRESS__)
enum { IS_RELEASE = 0 };
#else
enum { IS_RELEASE = 1 };
#endif

static inline bool is_long(void) // make test-long
{
    const char *how = getenv("DEREASON_TEST");
    return how != NULL && strcmp(how, "long") == 0;
}

// Sanitizers look for wrong memory, not for wrong numbers: what the release build compares whole, they repeat in part.
static inline bool is_brief(void) { return !IS_RELEASE && !is_long(); }

// The call succeeds; otherwise the test fails with the chain of causes.
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if (!(call))                                                                                                   \
            fail_msg("%s: %s", #call, error_text());                                                                   \
    } while (0)

// The call fails, and its error contains the text.
#define assert_refused(call, text)                                                                                     \
    do {                                                                                                               \
        error_clear();                                                                                                 \
        if (call)                                                                                                      \
            fail_msg("%s: was accepted", #call);                                                                       \
        if (strstr(error_text(), text) == NULL)                                                                        \
            fail_msg("%s: the error should say '%s', but is: %s", #call, text, error_text());                          \
    } while (0)

static inline double largest_of(const float *x, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fabs((double)x[i]) > largest ? fabs((double)x[i]) : largest;
    return largest;
}

static inline double largest_difference(const float *x, const float *y, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)x[i] - (double)y[i]);
        largest = !(d <= largest) ? d : largest; // a NaN stays
    }
    return largest;
}

static inline double relative_norm(const float *x, const float *y, int64_t count) // |x - y| / |y|
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        norm += (double)y[i] * y[i];
    }
    return sqrt(difference) / sqrt(norm > 0 ? norm : 1);
}

// Random floats in (-1, 1) for tests; a function of (seed, i).
static inline void fill_random(float *x, int64_t count, uint32_t seed)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = 2 * random_uniform(random_bits(seed, RANDOM_SAMPLE, (uint32_t)i, 0, 0).v[0]) - 1;
}

static inline float *random_floats(int64_t count, uint32_t seed)
{
    float *x = allocate((size_t)count + 1, sizeof *x);
    assert_non_null(x);
    fill_random(x, count, seed);
    return x;
}

#endif
