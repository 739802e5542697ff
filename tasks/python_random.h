// Python's random.Random, seeded by a number: MT19937 (Matsumoto, Nishimura 1998) and what Python's methods draw from
// it, so that the permutations and the guesses of benchmarks' scripts are those of the scripts. All that is new in this
// project draws by base/philox.h.
#ifndef TASKS_PYTHON_RANDOM_H
#define TASKS_PYTHON_RANDOM_H

#include "base/base.h"

enum { PYTHON_RANDOM_WORDS = 624 };

typedef struct PythonRandom {
    uint32_t words[PYTHON_RANDOM_WORDS];
    int used; // of them
} PythonRandom;

void python_random_seed(PythonRandom *random, uint32_t seed); // random.seed(seed), random.Random(seed)

// random.randint(0, size - 1), and the place that random.choice takes; size > 0
uint32_t python_random_below(PythonRandom *random, uint32_t size);

// random.sample(range(count), count); order (count), count <= PYTHON_SAMPLE_MOST
enum { PYTHON_SAMPLE_MOST = 256 };
void python_random_sample(PythonRandom *random, uint32_t *order, uint32_t count);

#endif
