// bf16 on the host: the upper half of an fp32 number.
#ifndef TEST_BF16_H
#define TEST_BF16_H

#include <stdint.h>
#include <string.h>

static inline float widened(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

static inline uint16_t nearest_bf16(float x) // ties to even; finite numbers only
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
