// See python_random.h. The names of constants are the paper's.
#include "tasks/python_random.h"
#include <assert.h>

enum { N = PYTHON_RANDOM_WORDS, M = 397 };

static void fill(PythonRandom *r, uint32_t seed)
{
    uint32_t *w = r->words;
    w[0] = seed;
    for (uint32_t i = 1; i < N; i++)
        w[i] = 1812433253u * (w[i - 1] ^ w[i - 1] >> 30) + i;
}

// Python seeds by the array of a number's 32-bit words, here of one word.
void python_random_seed(PythonRandom *r, uint32_t seed)
{
    uint32_t *w = r->words, i = 1;
    fill(r, 19650218u);
    for (int k = 0; k < N; k++) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1664525u) + seed;
        if (++i == N)
            w[0] = w[N - 1], i = 1;
    }
    for (int k = 0; k < N - 1; k++) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1566083941u) - i;
        if (++i == N)
            w[0] = w[N - 1], i = 1;
    }
    w[0] = 0x80000000u;
    r->used = N;
}

static void renew(PythonRandom *r)
{
    uint32_t *w = r->words;
    for (int i = 0; i < N; i++) {
        uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % N] & 0x7fffffffu);
        w[i] = w[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    r->used = 0;
}

static uint32_t next(PythonRandom *r)
{
    if (r->used == N)
        renew(r);
    uint32_t y = r->words[r->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

uint32_t python_random_below(PythonRandom *r, uint32_t size)
{
    int bits = 0;
    while (bits < 32 && size >> bits != 0)
        bits++;
    uint32_t drawn;
    do
        drawn = next(r) >> (32 - bits);
    while (drawn >= size);
    return drawn;
}

void python_random_sample(PythonRandom *r, uint32_t *order, uint32_t count)
{
    uint32_t left[PYTHON_SAMPLE_MOST]; // the first count - i of them are not yet drawn
    assert(count <= PYTHON_SAMPLE_MOST);
    for (uint32_t i = 0; i < count; i++)
        left[i] = i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = python_random_below(r, count - i);
        order[i] = left[place];
        left[place] = left[count - i - 1];
    }
}
