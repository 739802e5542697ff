// Trials of a library's algorithm (library.h): has it the bits of our own product, and is it faster? The first is asked
// with a corner of the product, made both ways of numbers that show every difference in order and rounding (order.h)
// and compared byte for byte; the second with the product itself. What follows from the answers: matmul_library.cu.
#include "kernels/cuda/library.h"
#include "kernels/cuda/order.h"
#include "kernels/cuda/product.cuh"
#include <stdlib.h>
#include <string.h>

namespace PRECISION
{

#if PRECISION_BITS == 16

// ---- does an algorithm obey?

enum { FILLERS = 256 };            // threads of a block that fills an array
static const int64_t CORNER = 128; // a corner: so many rows and columns, all of k
// All of k but for a weight's gradient, whose rows of tokens are always so many; fewer where SIMT has to make them
#if defined(__CUDACC__)
static const int64_t CORNER_CHAIN = 8192;
#else
static const int64_t CORNER_CHAIN = 384;
#endif

// order.h's numbers in the place of an operand: (rows, k), or (k, rows) where k lies outside.
static __global__ void fill_operand(element *x, int64_t pitch, int64_t rows, int64_t k, bool outside, bool left,
                                    bool cancels)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / k, kappa = i % k;
    if (row < rows)
        x[outside ? kappa * pitch + row : row * pitch + kappa] = rounded(order_number(left, cancels, row, kappa, k));
}

// What a product is added to: of the size that its chains end with, so that neither hides the other.
template <typename Result> static __global__ void fill_result(Result *c, int64_t count, float scale)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        put(c + i, order_number(false, false, i, 0, 1) * scale, false);
}

typedef struct Corner {
    Product product;
    element *a, *b;
    char *ours, *theirs, *host; // host: both results
    size_t operand_bytes[2], result_bytes;
} Corner;

// The same product of CORNER rows and columns at most; its pitches hold what every algorithm's alignment asks for.
static Corner corner_of(const Product *whole)
{
    Corner c = {};
    c.product = *whole;
    Product *p = &c.product;
    p->m = p->m < CORNER ? p->m : CORNER;
    p->n = p->n < CORNER ? p->n : CORNER;
    p->k = p->form == MATMUL_BACKWARD_WEIGHT ? CORNER_CHAIN : p->k;
    int64_t k_pitch = ceil_divide(p->k, 64) * 64;
    bool a_outside = p->form == MATMUL_BACKWARD_WEIGHT, b_outside = p->form != MATMUL_FORWARD;
    p->a_pitch = a_outside ? CORNER : k_pitch;
    p->b_pitch = b_outside ? CORNER : k_pitch;
    p->c_pitch = CORNER;
    c.operand_bytes[0] = sizeof(element) * (size_t)(p->a_pitch * (a_outside ? p->k : p->m));
    c.operand_bytes[1] = sizeof(element) * (size_t)(p->b_pitch * (b_outside ? p->k : p->n));
    c.result_bytes = (size_t)(p->m * p->c_pitch) * (p->c_is_float ? 4 : 2);
    return c;
}

static bool corner_open(Corner *c)
{
    c->host = (char *)malloc(2 * c->result_bytes);
    bool room = c->host != NULL && cudaMalloc((void **)&c->a, c->operand_bytes[0]) == cudaSuccess &&
                cudaMalloc((void **)&c->b, c->operand_bytes[1]) == cudaSuccess &&
                cudaMalloc((void **)&c->ours, c->result_bytes) == cudaSuccess &&
                cudaMalloc((void **)&c->theirs, c->result_bytes) == cudaSuccess;
    cudaGetLastError(); // no memory left is no error, and no verdict: our own product needs none
    return room;
}

static void corner_close(Corner *c)
{
    for (void *p : {(void *)c->a, (void *)c->b, (void *)c->ours, (void *)c->theirs})
        cudaFree(p);
    free(c->host);
}

static void fill(Stream *s, const Corner *c, bool cancels)
{
    const Product *p = &c->product;
    bool a_outside = p->form == MATMUL_BACKWARD_WEIGHT, b_outside = p->form != MATMUL_FORWARD;
    int64_t results = p->m * p->c_pitch;
    float scale = cancels ? 1 / 256.0f : 1;
    device_zero(s, c->a, c->operand_bytes[0]);
    device_zero(s, c->b, c->operand_bytes[1]);
    launch(s, ceil_divide(p->m * p->k, FILLERS), FILLERS, 0, fill_operand, c->a, p->a_pitch, p->m, p->k, a_outside,
           true, cancels);
    launch(s, ceil_divide(p->n * p->k, FILLERS), FILLERS, 0, fill_operand, c->b, p->b_pitch, p->n, p->k, b_outside,
           false, cancels);
    for (char *to : {c->ours, c->theirs})
        if (p->c_is_float)
            launch(s, ceil_divide(results, FILLERS), FILLERS, 0, fill_result<float>, (float *)to, results, scale);
        else
            launch(s, ceil_divide(results, FILLERS), FILLERS, 0, fill_result<element>, (element *)to, results, scale);
}

static bool equal_bits(Stream *s, const ProductLibrary *library, const Corner *c, const Algorithm *algorithm,
                       bool cancels)
{
    Product p = c->product;
    fill(s, c, cancels);
    p.a = c->a, p.b = c->b, p.c = c->ours;
    product_own(s, &p);
    p.c = c->theirs;
    bool ok = library->run(s, &p, algorithm) && device_download(s, c->host, c->ours, c->result_bytes) &&
              device_download(s, c->host + c->result_bytes, c->theirs, c->result_bytes);
    size_t size = p.c_is_float ? 4 : 2;
    for (int64_t r = 0; ok && r < p.m; r++) { // row by row: what lies between them is nobody's
        size_t at = (size_t)(r * p.c_pitch) * size;
        ok = memcmp(c->host + at, c->host + c->result_bytes + at, (size_t)p.n * size) == 0;
    }
    return ok;
}

bool library_obeys(Stream *s, const ProductLibrary *library, const Product *p, const Algorithm *algorithm, bool *same)
{
    Corner corner = corner_of(p);
    bool room = corner_open(&corner);
    *same =
        room && equal_bits(s, library, &corner, algorithm, true) && equal_bits(s, library, &corner, algorithm, false);
    corner_close(&corner);
    return room;
}

// ---- which is faster?

enum { TURNS = 4 };

typedef struct Race {
    Event *at[2 * TURNS + 1]; // before, between and behind what they make in turns
    double seconds[2];        // the shortest of ours, of theirs
} Race;

static bool race_open(Race *race)
{
    for (Event *&event : race->at)
        if ((event = device_event_open(true)) == NULL)
            return false;
    return true;
}

static void race_close(Race *race)
{
    for (Event *event : race->at)
        if (event != NULL)
            device_event_close(event);
}

// Both have made the product once before the clock starts: code is loaded, the card awake.
static bool race_run(Stream *s, const ProductLibrary *library, Race *race, const Product *ours, const Product *theirs,
                     const Algorithm *algorithm)
{
    bool ok = true;
    for (int turn = -1; turn < TURNS; turn++) {
        product_ours(s, ours);
        if (turn >= 0)
            device_event_record(s, race->at[2 * turn + 1]);
        ok = ok && library->run(s, theirs, algorithm);
        device_event_record(s, race->at[2 * turn + 2]);
    }
    TRY(device_event_wait(race->at[2 * TURNS]) && ok);
    for (int i = 0; i < 2 * TURNS; i++) {
        double seconds = device_event_seconds(race->at[i], race->at[i + 1]), *best = &race->seconds[i % 2];
        *best = i < 2 || seconds < *best ? seconds : *best;
    }
    return true;
}

bool library_race(Stream *s, const ProductLibrary *library, const Product *ours, const Product *theirs,
                  const Algorithm *algorithm, double *ours_seconds, double *library_seconds)
{
    Product our_own = *ours, its_own = *theirs;
    size_t bytes = (size_t)(ours->m * ours->c_pitch) * (ours->c_is_float ? 4 : 2);
    void *elsewhere = NULL;
    Race race = {};
    bool ok = !ours->add || cudaMalloc(&elsewhere, bytes) == cudaSuccess;
    cudaGetLastError(); // no memory left is no error
    if (ok && ours->add) {
        device_zero(s, elsewhere, bytes);
        our_own.c = its_own.c = elsewhere;
    }
    ok = ok && race_open(&race) && race_run(s, library, &race, &our_own, &its_own, algorithm);
    race_close(&race);
    if (elsewhere != NULL)
        cudaFree(elsewhere);
    error_clear(); // a broken device says so again
    *ours_seconds = race.seconds[0];
    *library_seconds = race.seconds[1];
    return ok;
}

#endif

} // namespace PRECISION
