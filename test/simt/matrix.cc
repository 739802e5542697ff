// ldmatrix and mma.sync, for a whole warp at once: the fragments are gathered from the 32 lanes' registers into small
// matrices, multiplied, and spread again (layouts: PTX ISA, 9.7.14). mma of bf16 has two forms. `fast` sums 16 products
// and c in double and rounds once: what one would wish for. `exact` is what a Hopper tensor core does, bit for bit as
// far as it is known (MMA-Sim, Xie et al. 2025): the 17 terms are aligned to the largest exponent among them, cut off
// 25 bits below it, added as integers, and the sum is rounded toward zero.
#include "runtime.h"

#pragma GCC diagnostic ignored "-Wpsabi" // vectors as arguments, of functions that are always inlined

namespace simt
{

enum { ROWS = 16, DEPTH = 16, COLUMNS = 8 };

typedef int32_t Ints __attribute__((vector_size(4 * COLUMNS), may_alias));
typedef float Floats __attribute__((vector_size(4 * COLUMNS), may_alias));
typedef double Doubles __attribute__((vector_size(8 * COLUMNS)));
typedef int64_t Longs __attribute__((vector_size(8 * COLUMNS)));

// The products below are written in vectors of a row's 8 columns and compiled for three kinds of machine. They touch
// nothing but their own arrays, so the sanitizers need not look.
#define QUICK __attribute__((always_inline, no_sanitize("address", "undefined"))) static inline

template <typename T> struct Matrices { // c (16, 8) += a (16, 16) · b (16, 8)
    T a[ROWS][DEPTH];
    alignas(64) T b[DEPTH][COLUMNS];
    alignas(64) float c[ROWS][COLUMNS];
};
typedef Matrices<uint16_t> MatricesOfBf16;
typedef Matrices<float> MatricesOfFloat;

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

// ---- fragments

struct Fragments { // of one lane
    float *c;
    const void *a, *b;
};

// The k of a lane's first, second, ... element; they come in pairs of neighbours, and the second half is 8 further on.
static int k_of(int lane, int pair) { return lane % 4 * 2 + pair * 8; }

template <typename T> static void gather(Matrices<T> *m, Warp *warp)
{
    for (int lane = 0; lane < WARP; lane++) {
        const Fragments *fragments = (const Fragments *)warp->arguments[lane];
        const T *a = (const T *)fragments->a, *b = (const T *)fragments->b;
        int row = lane / 4, column = lane % 4 * 2;
        for (int pair = 0; pair < 4; pair++)
            memcpy(&m->a[row + pair % 2 * 8][k_of(lane, pair / 2)], a + 2 * pair, 2 * sizeof *a);
        for (int i = 0; i < 4; i++)
            m->b[k_of(lane, i / 2) + i % 2][row] = b[i];
        memcpy(&m->c[row][column], fragments->c, 2 * sizeof(float));
        memcpy(&m->c[row + 8][column], fragments->c + 2, 2 * sizeof(float));
    }
}

template <typename T> static void spread(const Matrices<T> *m, Warp *warp)
{
    for (int lane = 0; lane < WARP; lane++) {
        float *c = ((Fragments *)warp->arguments[lane])->c;
        memcpy(c, &m->c[lane / 4][lane % 4 * 2], 2 * sizeof *c);
        memcpy(c + 2, &m->c[lane / 4 + 8][lane % 4 * 2], 2 * sizeof *c);
    }
}

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

static bool mma_is_exact = strcmp(environment("SIMT_MMA", "fast"), "exact") == 0;

static void finish_bf16(Warp *warp, uint32_t, Operation)
{
    MatricesOfBf16 m, before;
    if (counting)
        count_product();
    gather(&m, warp);
    before = m;
    if (!mma_is_exact)
        fast(&m);
    else if (!exact(&m))
        multiply_special(&m, &before);
    spread(&m, warp);
}

static void finish_fp32(Warp *warp, uint32_t, Operation)
{
    MatricesOfFloat m;
    gather(&m, warp);
    chain(&m);
    spread(&m, warp);
}

// ---- ldmatrix

struct Rows { // of one lane
    uint32_t *r;
    const char *row;
    const void *caller;
};

static void check_row(const Thread *lane, const Rows *rows)
{
    if (!is_shared(rows->row))
        fault("ldmatrix%s: the row %p of lane %d is not in shared memory", place(rows->caller), rows->row, lane->lane);
    if ((uintptr_t)rows->row % 16 != 0)
        fault("ldmatrix%s: the row %p of lane %d is not a multiple of 16", place(rows->caller), rows->row, lane->lane);
}

// In the eyes of the race check a row is read by the lane that gives its address and by the lanes that receive of it.
static void note_reads(Warp *warp, bool transposed)
{
    int neighbours = transposed ? 1 : 2; // of a row that one lane receives
    for (int giver = 0; giver < WARP; giver++) {
        const Rows *rows = (const Rows *)warp->arguments[giver];
        race_access(&warp->lanes[giver], rows->row, 16, Access::READ, rows->caller);
        if (counting)
            count_access(&warp->lanes[giver], rows->row, 16, false, rows->caller);
        for (int i = 0; i < 8; i += neighbours) {
            int receiver = transposed ? i * 4 + giver % 8 / 2 : giver % 8 * 4 + i / 2;
            race_access(&warp->lanes[receiver], rows->row + 2 * i, 2 * (size_t)neighbours, Access::READ, rows->caller);
        }
    }
}

static void finish_ldmatrix(Warp *warp, uint32_t, Operation operation)
{
    bool transposed = operation == Operation::LDMATRIX_TRANS;
    uint16_t row[WARP][8]; // of matrix i / 8, row i % 8
    for (int lane = 0; lane < WARP; lane++)
        check_row(&warp->lanes[lane], (const Rows *)warp->arguments[lane]);
    if (races_checked)
        note_reads(warp, transposed);
    for (int lane = 0; lane < WARP; lane++)
        memcpy(row[lane], ((const Rows *)warp->arguments[lane])->row, 16);
    for (int lane = 0; lane < WARP; lane++)
        for (int matrix = 0; matrix < 4; matrix++) {
            int line = lane / 4, pair = lane % 4 * 2;
            uint32_t low = transposed ? row[matrix * 8 + pair][line] : row[matrix * 8 + line][pair];
            uint32_t high = transposed ? row[matrix * 8 + pair + 1][line] : row[matrix * 8 + line][pair + 1];
            ((Rows *)warp->arguments[lane])->r[matrix] = low | high << 16;
        }
}

static void check_whole_warp(Operation operation, const void *caller)
{
    if (current->warp->existing != ~0u)
        fault("%s%s in a warp of fewer than 32 threads", operation_name(operation), place(caller));
}

static void multiply(Operation operation, Fragments fragments, Finish finish, const void *caller)
{
    check_whole_warp(operation, caller);
    together(operation, ~0u, &fragments, finish, caller);
}

} // namespace simt

using namespace simt;

void simt_mma_exact(bool wanted) { mma_is_exact = wanted; }

void simt_mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    multiply(Operation::MMA_BF16, Fragments{c, a, b}, finish_bf16, __builtin_return_address(0));
}

void simt_mma_fp32(float c[4], const float a[8], const float b[4])
{
    multiply(Operation::MMA_FP32, Fragments{c, a, b}, finish_fp32, __builtin_return_address(0));
}

void simt_ldmatrix(uint32_t r[4], const void *row, bool transposed)
{
    Operation operation = transposed ? Operation::LDMATRIX_TRANS : Operation::LDMATRIX;
    Rows rows = {r, (const char *)row, __builtin_return_address(0)};
    check_whole_warp(operation, rows.caller);
    together(operation, ~0u, &rows, finish_ldmatrix, rows.caller);
}
