// cuBLASLt for the bf16 products, where it gives the bits of our own product: one ascending chain, which is what
// EXACTNESS asks of it. The library is opened at run time; without it, or where it disobeys, our own one carries on.
//
// A plan is made once for each shape: of the algorithms that the library's heuristic offers, without workspace and
// without a reduction over parts of k, the first that obeys. Whether one does is found out once for each algorithm at
// each kind of product (form, result, whether it adds, and the two sizes that a weight has): a corner of the product is
// made twice, of numbers that show every difference in order and rounding (order.h), and compared byte for byte. In
// which order an algorithm adds follows from itself and not from the number of rows; lab/bench/chain_check.cu looks at
// that assumption. A shape for which nothing obeys is our own product's, with the same bits.
#include "kernels/cuda/makers.h"
#include "kernels/cuda/order.h"
#include "kernels/cuda/product.cuh"
#include <stdlib.h>
#include <string.h>

#if PRECISION_BITS == 16 && defined(HAVE_CUBLASLT)
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>
#endif

namespace PRECISION
{

static bool product_wish_is_known(void)
{
    const char *wanted = getenv("DEREASON_MATMUL");
    for (const char *known : {"auto", "own", "mma", "cublaslt"})
        if (wanted == NULL || strcmp(wanted, known) == 0)
            return true;
    return fail("DEREASON_MATMUL=%s: take auto, own, mma or cublaslt", wanted);
}

#if PRECISION_BITS == 16 && defined(HAVE_CUBLASLT)

// ---- the library

// clang-format off
#define FUNCTIONS(F)                                                                                                   \
    F(cublasLtCreate) F(cublasLtMatmul) F(cublasLtGetVersion)                                                          \
    F(cublasLtMatmulDescCreate) F(cublasLtMatmulDescDestroy) F(cublasLtMatmulDescSetAttribute)                         \
    F(cublasLtMatrixLayoutCreate) F(cublasLtMatrixLayoutDestroy)                                                       \
    F(cublasLtMatmulPreferenceCreate) F(cublasLtMatmulPreferenceDestroy) F(cublasLtMatmulPreferenceSetAttribute)       \
    F(cublasLtMatmulAlgoGetHeuristic) F(cublasLtMatmulAlgoConfigGetAttribute)
// clang-format on

static struct Library {
#define MEMBER(name) decltype(&::name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    cublasLtHandle_t handle;
    bool usable, forced; // forced: not held against our own product
} lt;

static bool done(cublasStatus_t status) { return status == CUBLAS_STATUS_SUCCESS; }

// Of the header's own major version: another one may lay its structures out in another way.
static bool library_open()
{
    char path[32];
    snprintf(path, sizeof path, "libcublasLt.so.%d", CUBLAS_VER_MAJOR);
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (file == NULL)
        return fail("%s was not found; run dev/setup.sh --cuda and make, or put its folder on LD_LIBRARY_PATH", path);
#define FIND(name)                                                                                                     \
    lt.name = (decltype(lt.name))dlsym(file, #name);                                                                   \
    if (lt.name == NULL)                                                                                               \
        return fail("%s has no function " #name, path);
    FUNCTIONS(FIND)
#undef FIND
    return done(lt.cublasLtCreate(&lt.handle)) || fail("cuBLASLt could not be initialised");
}

// ---- plans

// Everything of a product but its arrays. Whether it adds is part of what is compared, so it is part of the shape.
typedef struct Shape {
    int64_t fact[9];
} Shape;

static Shape shape_of(const Product *p)
{
    return Shape{{p->form, p->m, p->n, p->k, p->a_pitch, p->b_pitch, p->c_pitch, p->c_is_float, p->add}};
}

typedef struct Plan {
    Shape shape;
    bool there; // an algorithm was found
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algorithm;
} Plan;

enum { PLANS = 4096 }; // a table by hash; a shape takes the place of an older one there

static Plan plans[PLANS];

// The library's matrices are column-major: ours, read that way, are their transposes: it makes Cᵀ (N, M) of B and A.
static bool describe(Plan *plan, const Product *p)
{
    bool weight = p->form == MATMUL_BACKWARD_WEIGHT, forward = p->form == MATMUL_FORWARD;
    cublasOperation_t b_operation = forward ? CUBLAS_OP_T : CUBLAS_OP_N,
                      a_operation = weight ? CUBLAS_OP_T : CUBLAS_OP_N;
    uint64_t m = (uint64_t)p->m, n = (uint64_t)p->n, k = (uint64_t)p->k;
    cudaDataType_t c_type = p->c_is_float ? CUDA_R_32F : CUDA_R_16BF;
    auto set = [&](cublasLtMatmulDescAttributes_t name, cublasOperation_t value) {
        return done(lt.cublasLtMatmulDescSetAttribute(plan->operation, name, &value, sizeof value));
    };
    return done(lt.cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F)) &&
           set(CUBLASLT_MATMUL_DESC_TRANSA, b_operation) && set(CUBLASLT_MATMUL_DESC_TRANSB, a_operation) &&
           done(lt.cublasLtMatrixLayoutCreate(&plan->b, CUDA_R_16BF, forward ? k : n, forward ? n : k, p->b_pitch)) &&
           done(lt.cublasLtMatrixLayoutCreate(&plan->a, CUDA_R_16BF, weight ? m : k, weight ? k : m, p->a_pitch)) &&
           done(lt.cublasLtMatrixLayoutCreate(&plan->c, c_type, n, m, p->c_pitch));
}

static bool one_chain(const cublasLtMatmulAlgo_t *algorithm)
{
    int32_t parts = 0;
    uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
    size_t written;
    auto get = [&](cublasLtMatmulAlgoConfigAttributes_t name, void *value, size_t size) {
        return done(lt.cublasLtMatmulAlgoConfigGetAttribute(algorithm, name, value, size, &written));
    };
    return get(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts) &&
           get(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduction, sizeof reduction) && parts <= 1 &&
           reduction == CUBLASLT_REDUCTION_SCHEME_NONE;
}

static void forget(Plan *plan)
{
    if (plan->operation != NULL)
        lt.cublasLtMatmulDescDestroy(plan->operation);
    for (cublasLtMatrixLayout_t layout : {plan->a, plan->b, plan->c})
        if (layout != NULL)
            lt.cublasLtMatrixLayoutDestroy(layout);
    *plan = Plan{};
}

static bool run_plan(Stream *s, const Product *p, const Plan *plan)
{
    const float one = 1, beta = p->add ? 1 : 0;
    return plan->there &&
           done(lt.cublasLtMatmul(lt.handle, plan->operation, &one, p->b, plan->b, p->a, plan->a, &beta, p->c, plan->c,
                                  p->c, plan->c, &plan->algorithm, NULL, 0, stream_of(s)));
}

// ---- does an algorithm obey?

// What was found out about an algorithm at one kind of product: form, result, and the two sizes that a weight has. The
// order of a chain is the algorithm's; how many rows there are is not part of it.
typedef struct Verdict {
    int64_t kind[5];
    cublasLtMatmulAlgo_t algorithm;
    bool obeys;
} Verdict;

enum { VERDICTS = 1024, FILLERS = 256 }; // FILLERS: threads of a block that fills an array
static const int64_t CORNER = 128;       // a corner: so many rows and columns, all of k

static Verdict verdicts[VERDICTS];
static int verdict_count;

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

static bool equal_bits(Stream *s, const Corner *c, const cublasLtMatmulAlgo_t *algorithm, bool cancels)
{
    Product p = c->product;
    fill(s, c, cancels);
    p.a = c->a, p.b = c->b, p.c = c->ours;
    product_own(s, &p);
    p.c = c->theirs;
    Plan trial = {};
    trial.there = describe(&trial, &p);
    trial.algorithm = *algorithm;
    bool ok = run_plan(s, &p, &trial) && device_download(s, c->host, c->ours, c->result_bytes) &&
              device_download(s, c->host + c->result_bytes, c->theirs, c->result_bytes);
    forget(&trial);
    size_t size = p.c_is_float ? 4 : 2;
    for (int64_t r = 0; ok && r < p.m; r++) { // row by row: what lies between them is nobody's
        size_t at = (size_t)(r * p.c_pitch) * size;
        ok = memcmp(c->host + at, c->host + c->result_bytes + at, (size_t)p.n * size) == 0;
    }
    return ok;
}

static const Verdict *known(const Verdict *v)
{
    for (int i = 0; i < verdict_count; i++)
        if (memcmp(verdicts[i].kind, v->kind, sizeof v->kind) == 0 &&
            memcmp(&verdicts[i].algorithm, &v->algorithm, sizeof v->algorithm) == 0)
            return &verdicts[i];
    return NULL;
}

// Memory cannot be taken while a graph is.
static bool being_captured(Stream *s)
{
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    return cudaStreamIsCapturing(stream_of(s), &status) != cudaSuccess || status != cudaStreamCaptureStatusNone;
}

static bool obeys(Stream *s, const Product *p, const cublasLtMatmulAlgo_t *algorithm)
{
    Verdict v = {
        {p->form, p->c_is_float, p->add, p->form == MATMUL_BACKWARD_WEIGHT ? p->m : p->k, p->n}, *algorithm, false};
    const Verdict *old = known(&v);
    if (lt.forced || old != NULL || verdict_count == VERDICTS || being_captured(s))
        return lt.forced || (old != NULL && old->obeys);
    Corner corner = corner_of(p);
    bool room = corner_open(&corner);
    v.obeys = room && equal_bits(s, &corner, algorithm, true) && equal_bits(s, &corner, algorithm, false);
    if (room)
        verdicts[verdict_count++] = v;
    corner_close(&corner);
    return v.obeys;
}

// What the heuristic is asked: no workspace, no reduction over parts of k, and what every operand is aligned to
static bool make_wishes(cublasLtMatmulPreference_t preference)
{
    const size_t workspace = 0;
    const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE, aligned = 16;
    auto wish = [&](cublasLtMatmulPreferenceAttributes_t name, const void *value, size_t size) {
        return done(lt.cublasLtMatmulPreferenceSetAttribute(preference, name, value, size));
    };
    return wish(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace) &&
           wish(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions) &&
           wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &aligned, sizeof aligned) &&
           wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &aligned, sizeof aligned) &&
           wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &aligned, sizeof aligned) &&
           wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &aligned, sizeof aligned);
}

static bool find_algorithm(Stream *s, const Product *p, Plan *plan)
{
    enum { OFFERS = 16 };
    cublasLtMatmulHeuristicResult_t offers[OFFERS];
    cublasLtMatmulPreference_t preference;
    int found = 0;
    if (!done(lt.cublasLtMatmulPreferenceCreate(&preference)))
        return false;
    bool ok = make_wishes(preference) &&
              done(lt.cublasLtMatmulAlgoGetHeuristic(lt.handle, plan->operation, plan->b, plan->a, plan->c, plan->c,
                                                     preference, OFFERS, offers, &found));
    lt.cublasLtMatmulPreferenceDestroy(preference);
    for (int i = 0; ok && i < found; i++)
        if (done(offers[i].state) && one_chain(&offers[i].algo) && obeys(s, p, &offers[i].algo)) {
            plan->algorithm = offers[i].algo;
            return true;
        }
    return false;
}

static Makers makers;

static void note(const Product *p, bool ours)
{
    Maker forward = {"matmul_forward", p->n, p->k, p->add, 0, 0},
          input = {"matmul_backward_input", p->k, p->n, p->add, 0, 0},
          weight = {"matmul_backward_weight", p->m, p->n, p->add, 0, 0};
    makers_note(&makers,
                p->form == MATMUL_FORWARD          ? &forward
                : p->form == MATMUL_BACKWARD_INPUT ? &input
                                                   : &weight,
                ours);
}

static const Plan *plan_of(Stream *s, const Product *p)
{
    Shape shape = shape_of(p);
    Plan *plan = &plans[hash_bytes(&shape, sizeof shape) % PLANS];
    if (plan->operation == NULL || memcmp(&plan->shape, &shape, sizeof shape) != 0) {
        forget(plan);
        plan->shape = shape;
        plan->there = describe(plan, p) && find_algorithm(s, p, plan);
        note(p, !plan->there);
    }
    return plan;
}

bool product_library(Stream *s, const Product *p) { return lt.usable && run_plan(s, p, plan_of(s, p)); }

// ---- choosing

bool product_choose(void)
{
    TRY(product_wish_is_known());
    const char *wanted = getenv("DEREASON_MATMUL");
    bool own = wanted != NULL && (strcmp(wanted, "own") == 0 || strcmp(wanted, "mma") == 0); // mma: hopper.h
    lt.forced = wanted != NULL && strcmp(wanted, "cublaslt") == 0;
    lt.usable = !own && (lt.handle != NULL || library_open());
    if (!lt.usable && lt.forced)
        return fail_in("DEREASON_MATMUL=cublaslt");
    error_clear(); // without the library our own product carries on, and product_maker says so
    return true;
}

const char *product_maker(void)
{
    static char text[128];
    int obeying = 0;
    for (int i = 0; i < verdict_count; i++)
        obeying += verdicts[i].obeys;
    if (!lt.usable)
        return lt.handle != NULL || getenv("DEREASON_MATMUL") != NULL
                   ? "our own matrix products"
                   : "our own matrix products (no libcublasLt.so was found: dev/setup.sh --cuda)";
    snprintf(text, sizeof text, "cuBLASLt %d (%s)", (int)lt.cublasLtGetVersion(),
             lt.forced ? "unchecked" : "where it gives the bits of our own product");
    if (verdict_count > 0 && !lt.forced)
        snprintf(text, sizeof text, "cuBLASLt %d for %d of %d algorithms", (int)lt.cublasLtGetVersion(), obeying,
                 verdict_count);
    return text;
}

const char *product_own_shapes(void) { return makers_text(&makers); }

#else

bool product_library(Stream *, const Product *) { return false; }
bool product_choose(void) { return product_wish_is_known(); }
const char *product_maker(void) { return "our own matrix products (built without cuBLASLt's header)"; }
const char *product_own_shapes(void) { return ""; }

#endif

} // namespace PRECISION
