#ifndef X
#define X
typedef struct PythonRandom {
    int x;
} PythonRandom;
void python_random_seed(PythonRandom *random, unsigned seed);
void python_random_sample(PythonRandom *random, int population, int count, int *out);
#endif
