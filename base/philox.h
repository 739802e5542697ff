// Philox4x32-10: ten rounds of two 32x32 -> 64 bit products (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011). A counter in, four numbers out, no state: a draw is named, so it does not matter who
// draws it when. All of it is inline, because kernels on a GPU draw the same numbers as the CPU.
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include <stdint.h>

#if defined(__CUDACC__)
#define ON_DEVICE_TOO __host__ __device__
#else
#define ON_DEVICE_TOO
#endif

typedef struct Philox {
    uint32_t v[4];
} Philox;

// What a draw is for, so that no two purposes share random numbers.
typedef enum RandomPurpose {
    RANDOM_WEIGHTS = 1,
    RANDOM_ORDER = 2,
    RANDOM_SAMPLE = 3,
    RANDOM_DEMO = 4,
    RANDOM_ROUNDING = 5,
    RANDOM_BUCKET = 6,
    RANDOM_HOLDOUT = 7,
    RANDOM_SPLIT = 8,
    RANDOM_TOKEN = 9,  // with the number of the sample above its 8 bits
    RANDOM_POINT = 10, // answers/formula/value.c
    RANDOM_LETTER = 11 // tasks/scoring.c
} RandomPurpose;

ON_DEVICE_TOO static inline Philox philox4x32(const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    Philox result = {{c0, c1, c2, c3}};
    return result;
}

ON_DEVICE_TOO static inline Philox random_bits(uint64_t seed, RandomPurpose purpose, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t counter[4] = {a, b, c, (uint32_t)purpose}, key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    return philox4x32(counter, key);
}

// (0, 1), 23 bits: never 0, never 1
ON_DEVICE_TOO static inline float random_uniform(uint32_t bits) { return ((float)(bits >> 9) + 0.5f) * 0x1p-23f; }

// (0, 1), 53 bits
ON_DEVICE_TOO static inline double random_uniform_double(uint32_t high, uint32_t low)
{
    return ((double)((uint64_t)high << 21 | low >> 11) + 0.5) * 0x1p-53;
}

// The one draw for a generated token: of request `request`, sample `sample` (< 2^24), at `position`.
ON_DEVICE_TOO static inline double random_of_token(uint64_t seed, uint64_t request, int32_t sample, int32_t position)
{
    const uint32_t counter[4] = {(uint32_t)request, (uint32_t)(request >> 32), (uint32_t)position,
                                 (uint32_t)RANDOM_TOKEN | (uint32_t)sample << 8};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    Philox bits = philox4x32(counter, key);
    return random_uniform_double(bits.v[0], bits.v[1]);
}

#endif
