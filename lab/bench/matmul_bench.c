// Times the CPU matrix product against OpenBLAS, shape by shape, in alternating rounds, and prints medians: GFLOP/s, or
// GB/s of the weights read where M is 1. The ratio is the median of the rounds' own ratios, so that a slow minute
// weighs on both sides. OpenBLAS is opened at run time; without it our numbers stand alone. A measurement, not a test:
// bits are checked elsewhere.
//
//   gcc -std=c11 -D_GNU_SOURCE -I. -O3 -ffp-contract=off -fno-math-errno -fopenmp -march=native
//   -mprefer-vector-width=512
//       lab/bench/matmul_bench.c -o matmul_bench -ldl -lm && ./matmul_bench [--rounds N] [--json FILE]
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "kernels/cpu/matmul.c"

typedef void (*Sgemm)(int order, int transpose_a, int transpose_b, int M, int N, int K, float alpha, const float *a,
                      int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef void (*Sgemv)(int order, int transpose, int rows, int columns, float alpha, const float *a, int lda,
                      const float *x, int x_step, float beta, float *y, int y_step);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 }; // cblas.h

typedef struct OpenBlas {
    Sgemm sgemm; // NULL: not installed
    Sgemv sgemv; // the fair rival where M is 1
} OpenBlas;

typedef enum Form { NT, NN, TN } Form;

typedef struct Shape {
    Form form;
    int64_t M, N, K;
    const char *note;
} Shape;

static const Shape shapes[] = {
    {NT, 2048, 2048, 2048, ""},
    {NT, 512, 9728, 2560, ""},
    {NN, 512, 2560, 9728, "dX"},
    {TN, 9728, 2560, 512, "dW"},
    {NT, 64, 2560, 2560, ""},
    {NT, 32, 3072, 1024, ""},
    {NT, 2048, 512, 1536, ""},
    {NN, 2048, 1536, 512, "dX"},
    {TN, 512, 1536, 2048, "dW"},
    {NT, 2048, 1536, 512, ""},
    {NT, 8, 2560, 2560, ""},
    {NT, 1, 2560, 2560, "from cache"},
    {NT, 1, 151936, 1024, "from memory"},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, ROUNDS_MOST = 99 };

typedef struct Operands {
    float *a, *b, *c;
} Operands;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Numbers in (-1, 1), touched by the thread that makes them.
static float *random_floats(int64_t count, uint32_t seed)
{
    float *x = aligned_alloc(64, ((size_t)count * sizeof *x + 63) / 64 * 64);
    if (x == NULL) {
        fprintf(stderr, "matmul_bench: no memory for %" PRId64 " floats\n", count);
        exit(1);
    }
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        uint32_t h = ((uint32_t)i + seed) * 2654435761u;
        h ^= h >> 15;
        x[i] = (float)(int32_t)(h * 2246822519u) * 0x1p-31f;
    }
    return x;
}

static void run_ours(const Shape *s, const Operands *o)
{
    Tensor c = dense(o->c, s->M, s->N);
    if (s->form == NT)
        matmul_nt(c, dense(o->a, s->M, s->K), dense(o->b, s->N, s->K), false);
    else if (s->form == NN)
        matmul_nn(c, dense(o->a, s->M, s->K), dense(o->b, s->K, s->N), false);
    else
        matmul_tn(c, dense(o->a, s->K, s->M), dense(o->b, s->K, s->N), false);
}

static void run_theirs(const OpenBlas *blas, const Shape *s, const Operands *o)
{
    int M = (int)s->M, N = (int)s->N, K = (int)s->K;
    bool a_transposed = s->form == TN, b_transposed = s->form == NT;
    if (M == 1 && s->form == NT)
        blas->sgemv(ROW_MAJOR, NO_TRANSPOSE, N, K, 1, o->b, K, o->a, 1, 0, o->c, 1);
    else
        blas->sgemm(ROW_MAJOR, a_transposed ? TRANSPOSE : NO_TRANSPOSE, b_transposed ? TRANSPOSE : NO_TRANSPOSE, M, N,
                    K, 1, o->a, a_transposed ? M : K, o->b, b_transposed ? K : N, 0, o->c, N);
}

// Multiply-adds a second that registers alone allow: the roof of every product here. GFLOP/s on all threads.
static double fma_peak(void)
{
    enum { CHAINS = 12, STEPS = 1000000 };
    double best = 0, sink = 0;
    for (int round = 0; round < 40; round++) {
        double begun = seconds();
#pragma omp parallel reduction(+ : sink)
        {
            volatile float half = 0.5f; // unknown to the compiler, or the loop folds
            vf sum[CHAINS], x = vf_set(half);
#pragma GCC unroll 12
            for (int i = 0; i < CHAINS; i++)
                sum[i] = vf_set((float)i);
            for (int64_t step = 0; step < STEPS; step++)
#pragma GCC unroll 12
                for (int i = 0; i < CHAINS; i++)
                    sum[i] = vf_fma(sum[i], x, x);
#pragma GCC unroll 12
            for (int i = 0; i < CHAINS; i++)
                sink += sum[i][0];
        }
        double rate = 2.0 * VL * CHAINS * STEPS * omp_get_max_threads() / (seconds() - begun) / 1e9;
        best = rate > best ? rate : best;
    }
    return sink > 0 ? best : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int count)
{
    qsort(x, (size_t)count, sizeof *x, ascending);
    return count % 2 ? x[count / 2] : (x[count / 2 - 1] + x[count / 2]) / 2;
}

// Calls that fill about 30 ms, so that a short product is timed over many and a long one over one.
static int calls_per_round(const Shape *s)
{
    double work = 2.0 * (double)s->M * (double)s->N * (double)s->K, calls = s->M == 1 ? 1.0e9 / work : 5e9 / work;
    return calls < 1 ? 1 : (int)calls;
}

// One side's calls, seconds each; blas NULL is ours. Both libraries' idle threads spin for a while and would disturb
// the other side: they are given time to fall asleep, and one call that does not count wakes our own.
static double time_calls(const OpenBlas *blas, const Shape *s, const Operands *o, int calls)
{
    struct timespec asleep = {.tv_nsec = 50 * 1000 * 1000};
    double begun = 0;
    nanosleep(&asleep, NULL);
    for (int i = -1; i < calls; i++) {
        if (i == 0)
            begun = seconds();
        if (blas != NULL)
            run_theirs(blas, s, o);
        else
            run_ours(s, o);
    }
    return (seconds() - begun) / calls;
}

static void measure(const Shape *s, const OpenBlas *blas, int rounds, FILE *json)
{
    static const char *const names[] = {"nt", "nn", "tn"};
    double ours[ROUNDS_MOST], theirs[ROUNDS_MOST], ratios[ROUNDS_MOST];
    Operands o = {random_floats(s->M * s->K, 1), random_floats(s->N * s->K, 7919), random_floats(s->M * s->N, 3)};
    int calls = calls_per_round(s);
    for (int round = 0; round < rounds; round++) {
        ours[round] = time_calls(NULL, s, &o, calls);
        if (blas->sgemm != NULL) {
            theirs[round] = time_calls(blas, s, &o, calls);
            ratios[round] = theirs[round] / ours[round];
        }
    }
    double work =
        (s->M == 1 ? 4.0 * (double)s->N * (double)s->K : 2.0 * (double)s->M * (double)s->N * (double)s->K) / 1e9;
    double mine = work / median(ours, rounds), other = 0, ratio = 0;
    if (blas->sgemm != NULL)
        other = work / median(theirs, rounds), ratio = median(ratios, rounds);
    const char *unit = s->M == 1 ? "GB/s" : "GFLOP/s", *form = names[s->form];
    printf("%s %6" PRId64 " x %6" PRId64 " x %5" PRId64 "  %-11s  %8.1f", form, s->M, s->N, s->K, s->note, mine);
    if (blas->sgemm != NULL)
        printf("  %8.1f  %5.2f", other, ratio);
    printf("  %s\n", unit);
    fflush(stdout);
    if (json != NULL)
        fprintf(json,
                "{\"form\": \"%s\", \"M\": %" PRId64 ", \"N\": %" PRId64 ", \"K\": %" PRId64 ", \"note\": \"%s\", "
                "\"unit\": \"%s\", "
                "\"ours\": %.2f, \"openblas\": %.2f, \"ratio\": %.3f, \"threads\": %d, \"rounds\": %d}\n",
                form, s->M, s->N, s->K, s->note, unit, mine, other, ratio, omp_get_max_threads(), rounds);
    free(o.a);
    free(o.b);
    free(o.c);
}

static OpenBlas open_openblas(void)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    OpenBlas blas = {0};
    void (*set_threads)(int) = NULL;
    char *(*core)(void) = NULL;
    if (library != NULL) {
        *(void **)&blas.sgemm = dlsym(library, "cblas_sgemm");
        *(void **)&blas.sgemv = dlsym(library, "cblas_sgemv");
        *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
        *(void **)&core = dlsym(library, "openblas_get_corename");
    }
    if (blas.sgemm == NULL || blas.sgemv == NULL || set_threads == NULL) {
        printf("no OpenBLAS to compare with: install libopenblas0-pthread (libopenblas.so.0)\n");
        return (OpenBlas){0};
    }
    set_threads(omp_get_max_threads());
    printf("OpenBLAS kernels: %s\n", core != NULL ? core() : "unknown");
    return blas;
}

int main(int count, char **arguments)
{
    int rounds = 9;
    FILE *json = NULL;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count) {
            rounds = atoi(arguments[++i]);
        } else if (strcmp(arguments[i], "--json") == 0 && i + 1 < count && json == NULL) {
            json = fopen(arguments[++i], "w");
            if (json == NULL) {
                fprintf(stderr, "matmul_bench: cannot write %s\n", arguments[i]);
                return 1;
            }
        } else {
            fprintf(stderr, "usage: %s [--rounds 1..%d] [--json FILE]\n", arguments[0], ROUNDS_MOST);
            return 2;
        }
    }
    if (rounds < 1 || rounds > ROUNDS_MOST) {
        fprintf(stderr, "matmul_bench: --rounds must be 1 to %d\n", ROUNDS_MOST);
        return 2;
    }
    OpenBlas blas = open_openblas();
    double peak = fma_peak();
    printf("%d threads, %d lanes, multiply-add peak %.1f GFLOP/s\n", omp_get_max_threads(), VL, peak);
    printf("form    M x      N x     K  %-11s  %8s%s\n", "", "ours", blas.sgemm != NULL ? "  OpenBLAS  ratio" : "");
    if (json != NULL)
        fprintf(json, "{\"peak\": %.2f, \"unit\": \"GFLOP/s\", \"threads\": %d, \"lanes\": %d}\n", peak,
                omp_get_max_threads(), VL);
    for (int i = 0; i < SHAPES; i++)
        measure(&shapes[i], &blas, rounds, json);
    if (json != NULL && fclose(json) != 0) {
        fprintf(stderr, "matmul_bench: the JSON file was not written whole; is the disk full?\n");
        return 1;
    }
    return 0;
}
