// log, exp, power, sine and cosine in double precision, written here because libm's bits differ between versions, and
// those of a learning rate, a random weight or a RoPE table must not. Only +, -, x and /: the same on every machine.
#ifndef BASE_ELEMENTARY_H
#define BASE_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

// ln x for a positive normal x: x = 2^e · m, m in [1/√2, √2); ln m = 2·artanh((m - 1)/(m + 1)), the series to s^25.
static inline double d_log(double x)
{
    if (!(x > 0) || x > 1.7e308)
        return x > 0 ? x : x == 0 ? -__builtin_inf() : __builtin_nan("");
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356237309515) {
        m *= 0.5;
        e++;
    }
    double s = (m - 1) / (m + 1), q = s * s, sum = 0;
    for (int k = 25; k >= 3; k -= 2)
        sum = (sum + 1.0 / k) * q;
    return (double)e * 0.693147180559945309 + 2 * (s + s * sum);
}

// e^x: x = n·ln 2 + r, then a Taylor series. 0 below -708 (no denormals), infinity above 709.
static inline double d_exp(double x)
{
    if (!(x >= -708 && x <= 709))
        return x < -708 ? 0 : x > 709 ? __builtin_inf() : x;
    double n = (double)(int64_t)(x * 1.44269504088896341 + (x < 0 ? -0.5 : 0.5));
    double r = x - n * 0.693147180369123816490;
    r -= n * 1.90821492927058770002e-10;
    double sum = 1;
    for (int k = 17; k >= 1; k--)
        sum = 1 + r / k * sum;
    uint64_t bits = (uint64_t)(1023 + (int64_t)n) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

static inline double d_power(double base, double exponent) // base >= 0
{
    return exponent == 0 ? 1 : base == 0 ? 0 : d_exp(exponent * d_log(base));
}

// Sine and cosine for 0 <= x < 2^20, error below 1e-14: x = n·π/2 + r with π/2 in two parts whose products with n are
// exact.
static inline void d_sine_cosine(double x, double *sine, double *cosine)
{
    int64_t n = (int64_t)(x * 0.636619772367581343 + 0.5);
    double r = x - (double)n * 1.57079632673412561417;
    r -= (double)n * 6.07710050650619224932e-11;
    double q = r * r, s = 1, c = 1;
    for (int k = 17; k >= 3; k -= 2)
        s = 1 - q / (k * (k - 1)) * s;
    for (int k = 18; k >= 2; k -= 2)
        c = 1 - q / (k * (k - 1)) * c;
    s *= r;
    *sine = n % 4 == 0 ? s : n % 4 == 1 ? c : n % 4 == 2 ? -s : -c;
    *cosine = n % 4 == 0 ? c : n % 4 == 1 ? -s : n % 4 == 2 ? -c : s;
}

#endif
