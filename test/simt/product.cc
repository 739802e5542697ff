// The products of a tensor core, 16 x 8 outputs by 16 deep. That of bf16 has two forms. `fast` sums 16 products and c
// in double and rounds once: what one would wish for. `exact` is what a Hopper tensor core does, bit for bit as far as
// it is known (MMA-Sim, Xie et al. 2025): the 17 terms are aligned to the largest exponent among them, cut off 25 bits
// below it, added as integers, and the sum is rounded toward zero.
#include "product.h"
#include "runtime.h"

#pragma GCC diagnostic ignored "-Wpsabi" // vectors as arguments, of functions that are always inlined

namespace simt
{

typedef int32_t Ints __attribute__((vector_size(4 * COLUMNS), may_alias));
typedef float Floats __attribute__((vector_size(4 * COLUMNS), may_alias));
typedef double Doubles __attribute__((vector_size(8 * COLUMNS)));
typedef int64_t Longs __attribute__((vector_size(8 * COLUMNS)));

// The products below are written in vectors of a row's 8 columns and compiled for three kinds of machine. They touch
// nothing but their own arrays, so the sanitizers need not look.
#define QUICK __attribute__((always_inline, no_sanitize("address", "undefined"))) static inline

template <typename To, typename From> QUICK To bits(From from)
{
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

// ---- fast

QUICK void multiply_fast(MatricesOfBf16 *m)
{
    alignas(64) double a[ROWS][DEPTH];
    Doubles b[DEPTH];
    for (int i = 0; i < ROWS * DEPTH; i++)
        (&a[0][0])[i] = bits<float>((uint32_t)(&m->a[0][0])[i] << 16);
    for (int k = 0; k < DEPTH; k++)
        for (int n = 0; n < COLUMNS; n++)
            b[k][n] = bits<float>((uint32_t)m->b[k][n] << 16);
    for (int row = 0; row < ROWS; row++) {
        Doubles sum = __builtin_convertvector(*(Floats *)m->c[row], Doubles);
        for (int k = 0; k < DEPTH; k++)
            sum += a[row][k] * b[k]; // products of two bf16 are exact
        *(Floats *)m->c[row] = __builtin_convertvector(sum, Floats);
    }
}

QUICK void multiply_chain(MatricesOfFloat *m)
{
    for (int row = 0; row < ROWS; row++)
        for (int k = 0; k < DEPTH; k++)
            for (int n = 0; n < COLUMNS; n++)
                m->c[row][n] = __builtin_fmaf(m->a[row][k], m->b[k][n], m->c[row][n]);
}

// ---- exact

// bf16 numbers as sign (0 or -1), exponent and 8-bit significand: value = significand · 2^(exponent - 7). Zeros and
// subnormal numbers have the exponent -126, which takes part in the search for the largest one; infinities and NaN have
// SPECIAL.
enum { SPECIAL = 128 };

struct alignas(64) Parts {
    int32_t sign[DEPTH * COLUMNS], exponent[DEPTH * COLUMNS], significand[DEPTH * COLUMNS];
};

// Returns whether a special number is among them.
QUICK bool take_apart(Parts *parts, const uint16_t *x, int count)
{
    int32_t special = 0;
    for (int i = 0; i < count; i++) {
        int32_t field = x[i] >> 7 & 0xff, subnormal = field == 0;
        parts->sign[i] = -(int32_t)(x[i] >> 15);
        parts->exponent[i] = field - 127 + subnormal;
        parts->significand[i] = (x[i] & 0x7f) | (subnormal ? 0 : 0x80);
        special |= field == 0xff;
    }
    return special != 0;
}

QUICK Ints at_most(const Ints &x, int32_t limit) { return x < limit ? x : (Ints{} + limit); }

// The magnitude cut off behind `shift` bits, then its sign.
QUICK Ints aligned(const Ints &magnitude, const Ints &shift, const Ints &sign)
{
    return ((magnitude >> at_most(shift, 31)) ^ sign) - sign;
}

// Truncates to 24 bits and puts the exponent in: total · 2^(largest - 25), rounded toward zero.
QUICK Floats round_toward_zero(const Doubles &total, const Ints &largest)
{
    Doubles cut = (Doubles)((Longs)total & ~((1LL << 29) - 1));
    Longs exponent = __builtin_convertvector(largest - 25 + 1023, Longs);
    Doubles value = cut * (Doubles)(exponent << 52);
    for (int n = 0; n < COLUMNS; n++)
        if (__builtin_fabs(value[n]) < 0x1p-126) // below the normal numbers the last bit stays at 2^-149
            value[n] = __builtin_trunc(value[n] * 0x1p149) * 0x1p-149;
    return __builtin_convertvector(value, Floats);
}

// One row, c and then the result. a: the parts of the row; b: those of the whole matrix.
QUICK void exact_row(float out[COLUMNS], const Parts *a, const Parts *b)
{
    const Ints *exponents = (const Ints *)b->exponent, *significands = (const Ints *)b->significand,
               *signs = (const Ints *)b->sign;
    Ints c = *(const Ints *)out, field = c >> 23 & 0xff, subnormal = field == 0;
    Ints exponent_of_c = field - 127 - subnormal, largest = exponent_of_c;
    for (int k = 0; k < DEPTH; k++) {
        Ints exponent = a->exponent[k] + exponents[k];
        largest = exponent > largest ? exponent : largest;
    }
    Ints significand_of_c = (c & 0x7fffff) | (~subnormal & 0x800000);
    Ints sums[2] = {aligned(significand_of_c << 2, largest - exponent_of_c, c >> 31), Ints{}};
    for (int k = 0; k < DEPTH; k++) { // a product has 14 fractional bits; eight of them and c stay below 2^31
        Ints product = a->significand[k] * significands[k] << 11;
        sums[k / 8] += aligned(product, largest - a->exponent[k] - exponents[k], a->sign[k] ^ signs[k]);
    }
    Doubles total = __builtin_convertvector(sums[0], Doubles) + __builtin_convertvector(sums[1], Doubles);
    *(Floats *)out = round_toward_zero(total, largest);
}

// Returns false, and a result of no meaning, where a number is infinite or NaN.
QUICK bool multiply_exact(MatricesOfBf16 *m)
{
    Parts a, b;
    bool special = take_apart(&b, &m->b[0][0], DEPTH * COLUMNS);
    for (int row = 0; row < ROWS; row++) {
        special |= take_apart(&a, m->a[row], DEPTH);
        for (int n = 0; n < COLUMNS; n++)
            special |= (bits<uint32_t>(m->c[row][n]) & 0x7f800000) == 0x7f800000;
        exact_row(m->c[row], &a, &b);
    }
    return !special;
}

// ---- one compilation for each kind of machine; the results are the same

#define FOR_A_MACHINE(name, options)                                                                                   \
    options static void fast_##name(MatricesOfBf16 *m) { multiply_fast(m); }                                           \
    options static bool exact_##name(MatricesOfBf16 *m) { return multiply_exact(m); }                                  \
    options static void chain_##name(MatricesOfFloat *m) { multiply_chain(m); }

#define UNCHECKED no_sanitize("address", "undefined"), optimize("O3", "fp-contract=off")
FOR_A_MACHINE(plain, __attribute__((UNCHECKED)))
#if defined(__x86_64__)
FOR_A_MACHINE(avx2, __attribute__((UNCHECKED, target("avx2,fma"))))
FOR_A_MACHINE(avx512, __attribute__((UNCHECKED, target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))))
#define CHOOSE(form)                                                                                                   \
    (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") ? form##_avx512                          \
     : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")        ? form##_avx2                            \
                                                                              : form##_plain)
#else
#define CHOOSE(form) form##_plain
#endif

static void (*const fast)(MatricesOfBf16 *m) = CHOOSE(fast);
static bool (*const exact)(MatricesOfBf16 *m) = CHOOSE(exact);
static void (*const chain)(MatricesOfFloat *m) = CHOOSE(chain);

// ---- which of them

// Infinities and NaN have no place in the arithmetic of `exact`: the outputs that meet one come from the plain sum,
// which is then infinite or NaN as well. The NaN is the one that a tensor core makes.
static bool is_special(uint16_t x) { return (x & 0x7f80) == 0x7f80; }

static bool meets_special(const MatricesOfBf16 *m, int row, int column)
{
    bool special = is_special((uint16_t)(simt_bits<uint32_t>(m->c[row][column]) >> 16));
    for (int k = 0; k < DEPTH; k++)
        special |= is_special(m->a[row][k]) || is_special(m->b[k][column]);
    return special;
}

static void multiply_special(MatricesOfBf16 *m, const MatricesOfBf16 *before)
{
    MatricesOfBf16 plain = *before;
    fast(&plain);
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++)
            if (meets_special(before, row, column))
                m->c[row][column] = isnan(plain.c[row][column]) ? simt_bits<float>(0x7fffffffu) : plain.c[row][column];
}

static bool is_exact = strcmp(environment("SIMT_MMA", "fast"), "exact") == 0;

void product_of_bf16(MatricesOfBf16 *m)
{
    if (!is_exact) {
        fast(m);
        return;
    }
    MatricesOfBf16 before = *m;
    if (!exact(m))
        multiply_special(m, &before);
}

void product_of_floats(MatricesOfFloat *m) { chain(m); }

} // namespace simt

void simt_mma_exact(bool wanted) { simt::is_exact = wanted; }
