// What results are compared with. An Approx is a number together with how far from it a kernel may come out: the
// arithmetic below carries both, in double precision, through the very formula that kernels/kernels.h states, rounding
// where that rounds. So every tolerance is derived from the data, element by element, and none is chosen.
//
//   fp32     each operation is off by half an ulp, a relative 2^-24; a sum of n terms, in any order, by n · 2^-24 ·
//            Σ|term|
//   bf16     rounded() follows a rounding to the activation type: its result may be another bf16 number only if the
//            fp32 number before it may lie on the other side of a tie. Roundings are thus in the number, not in the
//            error, and most elements must come out to the bit. (A bound of 2^-8 for each rounding would miss one key
//            among three hundred.)
#ifndef TEST_CUDA_APPROX_H
#define TEST_CUDA_APPROX_H

#include "test/cuda/harness.h"
#include <algorithm>
#include <cmath>

typedef std::vector<float> Floats;
typedef std::vector<int32_t> Integers;

struct Matrix {
    int64_t rows = 0, columns = 0;
    Floats x;

    const float *row(int64_t r) const { return x.data() + r * columns; }
    float *row(int64_t r) { return x.data() + r * columns; }
};

// A sum over rows in the order that kernels/operations.h promises (rows_sum): its bits are promised too. `chain` is
// what the next row's term is added to, or goes into a fused multiply-add with.
struct RowsSum {
    float chain = 0, chains = 0, all = 0;

    void end_row(int64_t row, int64_t rows)
    {
        if ((row + 1) % NORM_ROWS == 0 || row + 1 == rows)
            chains += chain, chain = 0;
        if ((row + 1) % (NORM_ROWS * NORM_GROUPS) == 0 || row + 1 == rows)
            all += chains, chains = 0;
    }
    static int64_t depth(int64_t rows) // additions that a term goes through, at most
    {
        return std::min<int64_t>(rows, NORM_ROWS) + std::min<int64_t>(row_groups(rows), NORM_GROUPS) +
               ceil_divide(rows, NORM_ROWS * NORM_GROUPS);
    }
};

float round_to_activation(float x); // to bf16, to nearest even, where that is the activation type

// Random numbers between -scale and scale, or whole numbers from -scale to scale: a function of (seed, place), all of
// them numbers of the activation type.
Matrix random_matrix(int64_t rows, int64_t columns, uint32_t seed, float scale = 1);
Matrix random_whole(int64_t rows, int64_t columns, uint32_t seed, int scale);
Floats random_floats(int64_t count, uint32_t seed, float scale = 1);   // fp32 in either precision
Integers random_integers(int64_t count, uint32_t seed, int32_t limit); // 0 .. limit-1
Matrix rounded(int64_t rows, int64_t columns, const Floats &x);
Matrix rows_of(const Matrix &x, int64_t first, int64_t rows);
Floats absolute(const Floats &x);

// ---- Approx

static const double ROUNDING = 0x1p-24;   // half an ulp of fp32
static const double ELEMENTARY = 0x1p-22; // exp, exp2, log of CUDA: at most two ulps (CUDA C++ Programming Guide, 17.1)
static const double SMALLEST = 0x1p-120;  // below it exp and quotients may be flushed to zero

struct Approx {
    double value, error;

    Approx(double number = 0, double off = 0) : value(number), error(off) {}
};

typedef std::vector<Approx> Reference;

static inline double size_of(Approx a) { return std::fabs(a.value) + a.error; }
static inline Approx computed(double value,
                              double error) // by one operation of fp32 from numbers whose errors are in `error`
{
    return Approx(value, error + ROUNDING * (std::fabs(value) + error));
}
static inline Approx operator-(Approx a) { return Approx(-a.value, a.error); }
static inline Approx operator+(Approx a, Approx b) { return computed(a.value + b.value, a.error + b.error); }
static inline Approx operator-(Approx a, Approx b) { return a + -b; }
static inline Approx operator*(Approx a, Approx b)
{
    return computed(a.value * b.value, std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error);
}
static inline Approx operator/(Approx a, Approx b) // b.error is a small part of b
{
    double quotient = a.value / b.value;
    return computed(quotient, (a.error + std::fabs(quotient) * b.error) / (std::fabs(b.value) - b.error) + SMALLEST);
}
static inline Approx root(Approx a) // a.error is a small part of a
{
    double value = std::sqrt(a.value);
    return computed(value, value > 0 ? a.error / value : std::sqrt(a.error));
}
static inline Approx exponential(Approx a)
{
    double value = std::exp(a.value);
    return Approx(value, value * (std::expm1(a.error) + ELEMENTARY) + SMALLEST);
}
Approx rounded(Approx a); // to the activation type

// A sum in any order. depth: the most additions that a term goes through, if fewer than there are terms. A tensor core
// adds its 16 products and the accumulator with one rounding, each of them cut off 25 bits below the largest (Hopper:
// MMA-Sim, Xie et al. 2025): 17 · 2^-25 and 2^-23 of what is added, less than 16 roundings of fp32, so a product counts
// its terms in sixteens.
struct Sum {
    double value = 0, error = 0, size = 0;
    int64_t terms = 0;

    void add(Approx a)
    {
        value += a.value;
        error += a.error;
        size += size_of(a);
        terms++;
    }
    Approx total(int64_t depth) const { return Approx(value, error + (double)depth * ROUNDING * size); }
    Approx total() const { return total(sixteens(terms)); }
    static int64_t sixteens(int64_t count) { return (count + 15) / 16 * 16; }
};

// ---- comparing

// Every element lies within its error; `what` says in whose words it failed.
void check_within(const std::string &what, const Floats &got, const Reference &reference);

// The same bits.
void check_same(const std::string &what, const Floats &got, const Floats &expected);
void check_same(const std::string &what, const Integers &got, const Integers &expected);

// Close to the oracle as a whole. fp32: 2e-5 of the norm, each element 2e-5 of the largest. bf16: a cosine above
// 0.9999, which an output of two roundings (2^-8 each at most, half of that in the mean square: 1 - 2^-16) has.
void check_oracle(const std::string &what, const Floats &got, const Floats &oracle);

#endif
