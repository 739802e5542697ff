// Random numbers for the tests, rounding to bf16, and the comparisons.
#include "test/cuda/approx.h"
#include <cstring>

// ---- numbers

float round_to_activation(float x)
{
    if (!settings.bf16 || !std::isfinite(x))
        return x;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t below = bits & 0xffff, kept = bits >> 16;
    kept += below > 0x8000 || (below == 0x8000 && kept % 2 == 1); // up into infinity where that is nearest
    bits = kept << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t word(uint32_t seed, int64_t place)
{
    return random_bits(seed, RANDOM_SAMPLE, (uint32_t)place, 0, 0).v[0];
}

Floats random_floats(int64_t count, uint32_t seed, float scale)
{
    Floats x((size_t)count);
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++)
        x[(size_t)i] = (2 * random_uniform(word(seed, i)) - 1) * scale;
    return x;
}

Matrix rounded(int64_t rows, int64_t columns, const Floats &x)
{
    Matrix m = {rows, columns, x};
    for (float &number : m.x)
        number = round_to_activation(number);
    return m;
}

Matrix random_matrix(int64_t rows, int64_t columns, uint32_t seed, float scale)
{
    return rounded(rows, columns, random_floats(rows * columns, seed, scale));
}

Integers random_integers(int64_t count, uint32_t seed, int32_t limit)
{
    Integers x((size_t)count);
    for (int64_t i = 0; i < count; i++)
        x[(size_t)i] = (int32_t)(word(seed, i) % (uint32_t)limit);
    return x;
}

Matrix random_whole(int64_t rows, int64_t columns, uint32_t seed, int scale)
{
    Matrix m = {rows, columns, {}};
    for (int32_t number : random_integers(rows * columns, seed, 2 * scale + 1))
        m.x.push_back((float)(number - scale));
    return m;
}

Matrix rows_of(const Matrix &x, int64_t first, int64_t rows)
{
    return Matrix{rows, x.columns, Floats(x.x.begin() + first * x.columns, x.x.begin() + (first + rows) * x.columns)};
}

Floats absolute(const Floats &x)
{
    Floats y = x;
    for (float &number : y)
        number = std::fabs(number);
    return y;
}

Approx rounded(Approx a)
{
    if (!settings.bf16)
        return a;
    double value = (double)round_to_activation((float)a.value);
    double low = (double)round_to_activation((float)(a.value - a.error)),
           high = (double)round_to_activation((float)(a.value + a.error));
    return Approx(value, std::fmax(high - value, value - low));
}

// ---- comparing

static void same_count(const std::string &what, size_t got, size_t expected)
{
    if (got != expected)
        failed("%s: %zu elements instead of %zu", what.c_str(), got, expected);
}

void check_within(const std::string &what, const Floats &got, const Reference &reference)
{
    double share = 0;
    int64_t exact = 0;
    same_count(what, got.size(), reference.size());
    for (size_t i = 0; i < got.size(); i++) {
        double value = reference[i].value, error = reference[i].error, off = std::fabs((double)got[i] - value);
        if (!(off <= error))
            failed("%s: element %zu is %.9g, should be %.9g ± %.3g, and is off by %.3g", what.c_str(), i,
                   (double)got[i], value, error, off);
        exact += error == 0;
        if (error > 0)
            share = std::fmax(share, off / error);
    }
    compared((int64_t)got.size(), exact, share);
}

void check_same(const std::string &what, const Floats &got, const Floats &expected)
{
    same_count(what, got.size(), expected.size());
    for (size_t i = 0; i < got.size(); i++)
        if (memcmp(&got[i], &expected[i], sizeof got[i]) != 0)
            failed("%s: element %zu is %.9g (%a), the same bits as %.9g (%a) are promised", what.c_str(), i,
                   (double)got[i], (double)got[i], (double)expected[i], (double)expected[i]);
}

void check_same(const std::string &what, const Integers &got, const Integers &expected)
{
    same_count(what, got.size(), expected.size());
    for (size_t i = 0; i < got.size(); i++)
        if (got[i] != expected[i])
            failed("%s: element %zu is %d, should be %d", what.c_str(), i, got[i], expected[i]);
}

void check_oracle(const std::string &what, const Floats &got, const Floats &oracle)
{
    double difference = 0, norm = 0, own = 0, product = 0, largest = 0, most = 0;
    same_count(what, got.size(), oracle.size());
    for (size_t i = 0; i < got.size(); i++) {
        double x = (double)got[i], y = (double)oracle[i];
        difference += (x - y) * (x - y);
        norm += y * y;
        own += x * x;
        product += x * y;
        largest = std::fmax(largest, std::fabs(y));
        most = std::fmax(most, std::fabs(x - y));
    }
    if (norm == 0 && own == 0)
        return;
    double relative = std::sqrt(difference / norm), cosine = product / std::sqrt(norm * own);
    if (settings.bf16 ? !(cosine > 0.9999) : !(relative <= 2e-5 && most <= 2e-5 * largest))
        failed("%s: not close to the oracle: |x - y| / |y| = %.3g, largest difference %.3g of %.3g, cosine %.6f",
               what.c_str(), relative, most, largest, cosine);
}
