// cuBLASLt for the bf16 products, where it gives the bits of our own product: one ascending chain, which is what EXACTNESS
// asks of it. The library is opened at run time; without it, or where it does not obey, our own product carries on.
//
// A plan is made once for each shape: of the algorithms that the library's heuristic offers, without workspace and without a
// reduction over parts of k, the first that obeys. Whether one does is found out once for each algorithm at each kind of product
// (form, result, whether it adds, and the two sizes that a weight has), on the run's own data: the product's first 1,024 rows are
// made twice and compared byte for byte. In which order an algorithm adds follows from itself and not from the number of rows;
// dev/bench/chain_check.cu looks at that assumption. A shape for which nothing obeys is our own product's, with the same bits.
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/operations.h"
#include <stdlib.h>
#include <string.h>

#if PRECISION_BITS == 16 && defined(HAVE_CUBLASLT)
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>
#endif

namespace PRECISION
{

#if PRECISION_BITS == 16 && defined(HAVE_CUBLASLT)

// ---- the library

// clang-format off
#define FUNCTIONS(F)                                                                                                             \
    F(cublasLtCreate) F(cublasLtMatmul) F(cublasLtGetVersion)                                                                    \
    F(cublasLtMatmulDescCreate) F(cublasLtMatmulDescDestroy) F(cublasLtMatmulDescSetAttribute)                                   \
    F(cublasLtMatrixLayoutCreate) F(cublasLtMatrixLayoutDestroy)                                                                 \
    F(cublasLtMatmulPreferenceCreate) F(cublasLtMatmulPreferenceDestroy) F(cublasLtMatmulPreferenceSetAttribute)                 \
    F(cublasLtMatmulAlgoGetHeuristic) F(cublasLtMatmulAlgoConfigGetAttribute)
// clang-format on

static struct Library {
#define MEMBER(name) decltype(&::name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    cublasLtHandle_t handle;
    bool usable, forced; // forced: not held against our own product
} lt;

// Of the header's own major version: another one may lay its structures out in another way.
static bool library_open()
{
    char path[32];
    snprintf(path, sizeof path, "libcublasLt.so.%d", CUBLAS_VER_MAJOR);
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (file == NULL)
        return fail("%s was not found; run dev/setup.sh --cuda and make, or put its folder on LD_LIBRARY_PATH", path);
#define FIND(name)                                                                                                               \
    lt.name = (decltype(lt.name))dlsym(file, #name);                                                                             \
    if (lt.name == NULL)                                                                                                         \
        return fail("%s has no function " #name, path);
    FUNCTIONS(FIND)
#undef FIND
    if (lt.cublasLtCreate(&lt.handle) != CUBLAS_STATUS_SUCCESS)
        return fail("cuBLASLt could not be initialised");
    return true;
}

// ---- plans

typedef struct Plan {
    MatmulForm form;
    int64_t m, n, k, a_pitch, b_pitch, c_pitch;
    bool c_is_float, add, there; // there: an algorithm was found
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algorithm;
} Plan;

enum { PLANS = 4096 }; // a table by hash; a shape takes the place of an older one there

static Plan plans[PLANS];

static bool same_shape(const Plan *plan, const Product *p)
{
    return plan->operation != NULL && plan->form == p->form && plan->m == p->m && plan->n == p->n && plan->k == p->k &&
           plan->a_pitch == p->a_pitch && plan->b_pitch == p->b_pitch && plan->c_pitch == p->c_pitch &&
           plan->c_is_float == p->c_is_float && plan->add == p->add;
}

static Plan *plan_place(const Product *p)
{
    const int64_t facts[] = {(int64_t)p->form, p->m, p->n, p->k, p->a_pitch, p->b_pitch, p->c_pitch, p->c_is_float, p->add};
    return &plans[hash_bytes(facts, sizeof facts) % PLANS];
}

// The library's matrices are column-major: ours, read that way, are their transposes, so it makes Cᵀ (N, M) of our B and our A.
static bool describe(Plan *plan)
{
    bool weight = plan->form == MATMUL_BACKWARD_WEIGHT, forward = plan->form == MATMUL_FORWARD;
    cublasOperation_t b_operation = forward ? CUBLAS_OP_T : CUBLAS_OP_N, a_operation = weight ? CUBLAS_OP_T : CUBLAS_OP_N;
    uint64_t m = (uint64_t)plan->m, n = (uint64_t)plan->n, k = (uint64_t)plan->k;
    cudaDataType_t c_type = plan->c_is_float ? CUDA_R_32F : CUDA_R_16BF;
    return lt.cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
           lt.cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, &b_operation, sizeof b_operation) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_TRANSB, &a_operation, sizeof a_operation) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.cublasLtMatrixLayoutCreate(&plan->b, CUDA_R_16BF, forward ? k : n, forward ? n : k, plan->b_pitch) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.cublasLtMatrixLayoutCreate(&plan->a, CUDA_R_16BF, weight ? m : k, weight ? k : m, plan->a_pitch) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.cublasLtMatrixLayoutCreate(&plan->c, c_type, n, m, plan->c_pitch) == CUBLAS_STATUS_SUCCESS;
}

static bool one_chain(const cublasLtMatmulAlgo_t *algorithm)
{
    int32_t parts = 0;
    uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
    size_t written;
    return lt.cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts, &written) ==
               CUBLAS_STATUS_SUCCESS &&
           lt.cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduction, sizeof reduction,
                                                   &written) == CUBLAS_STATUS_SUCCESS &&
           parts <= 1 && reduction == CUBLASLT_REDUCTION_SCHEME_NONE;
}

static void forget(Plan *plan)
{
    if (plan->operation != NULL)
        lt.cublasLtMatmulDescDestroy(plan->operation);
    cublasLtMatrixLayout_t layouts[] = {plan->a, plan->b, plan->c};
    for (int i = 0; i < 3; i++)
        if (layouts[i] != NULL)
            lt.cublasLtMatrixLayoutDestroy(layouts[i]);
    *plan = Plan{};
}

static Plan plan_for(const Product *p)
{
    Plan plan = {};
    plan.form = p->form;
    plan.m = p->m, plan.n = p->n, plan.k = p->k;
    plan.a_pitch = p->a_pitch, plan.b_pitch = p->b_pitch, plan.c_pitch = p->c_pitch;
    plan.c_is_float = p->c_is_float, plan.add = p->add;
    return plan;
}

static bool run_plan(Stream *s, const Product *p, const Plan *plan)
{
    const float one = 1, beta = p->add ? 1 : 0;
    return plan->there && lt.cublasLtMatmul(lt.handle, plan->operation, &one, p->b, plan->b, p->a, plan->a, &beta, p->c, plan->c,
                                            p->c, plan->c, &plan->algorithm, NULL, 0, stream_of(s)) == CUBLAS_STATUS_SUCCESS;
}

// ---- does an algorithm obey?

// What was found out about an algorithm at one kind of product: form, result, and the two sizes that a weight has. The order of a
// chain is the algorithm's; how many rows there are is not part of it.
typedef struct Verdict {
    MatmulForm form;
    bool c_is_float, add, obeys;
    int64_t sizes[2];
    cublasLtMatmulAlgo_t algorithm;
} Verdict;

enum { VERDICTS = 1024 };
static const int64_t CHECKED_ROWS = 1024;

static Verdict verdicts[VERDICTS];
static int verdict_count;

// The first rows of the product, made by both, with what is added to it.
static bool equal_bits(Stream *s, const Product *whole, const cublasLtMatmulAlgo_t *algorithm, void *ours, void *theirs,
                       char *host)
{
    Product p = *whole;
    p.m = p.m < CHECKED_ROWS ? p.m : CHECKED_ROWS;
    size_t size = p.c_is_float ? 4 : 2, bytes = (size_t)(p.m * p.c_pitch) * size;
    for (void *to : {ours, theirs})
        if (p.add)
            device_check(cudaMemcpyAsync(to, whole->c, bytes, cudaMemcpyDeviceToDevice, stream_of(s)), "copying a result");
    p.c = ours;
    product_own(s, &p);
    p.c = theirs;
    Plan trial = plan_for(&p);
    trial.there = describe(&trial);
    trial.algorithm = *algorithm;
    bool ok = run_plan(s, &p, &trial) && device_download(s, host, ours, bytes) && device_download(s, host + bytes, theirs, bytes);
    forget(&trial);
    for (int64_t r = 0; ok && r < p.m; r++) { // row by row: what lies between them is nobody's
        size_t at = (size_t)(r * p.c_pitch) * size;
        ok = memcmp(host + at, host + bytes + at, (size_t)p.n * size) == 0;
    }
    return ok;
}

static const Verdict *known(const Verdict *v)
{
    for (int i = 0; i < verdict_count; i++)
        if (verdicts[i].form == v->form && verdicts[i].c_is_float == v->c_is_float && verdicts[i].add == v->add &&
            verdicts[i].sizes[0] == v->sizes[0] && verdicts[i].sizes[1] == v->sizes[1] &&
            memcmp(&verdicts[i].algorithm, &v->algorithm, sizeof v->algorithm) == 0)
            return &verdicts[i];
    return NULL;
}

static bool obeys(Stream *s, const Product *p, const cublasLtMatmulAlgo_t *algorithm)
{
    int64_t first = p->form == MATMUL_BACKWARD_WEIGHT ? p->m : p->k;
    Verdict v = {p->form, p->c_is_float, p->add, false, {first, p->n}, *algorithm};
    const Verdict *old = known(&v);
    if (lt.forced || old != NULL || verdict_count == VERDICTS)
        return lt.forced || (old != NULL && old->obeys);
    size_t bytes = (size_t)((p->m < CHECKED_ROWS ? p->m : CHECKED_ROWS) * p->c_pitch) * (p->c_is_float ? 4 : 2);
    void *ours = NULL, *theirs = NULL;
    char *host = (char *)malloc(2 * bytes);
    bool room = host != NULL && cudaMalloc(&ours, bytes) == cudaSuccess && cudaMalloc(&theirs, bytes) == cudaSuccess;
    cudaGetLastError(); // no memory left is no error, and no verdict: our own product needs none
    v.obeys = room && equal_bits(s, p, algorithm, ours, theirs, host);
    if (room)
        verdicts[verdict_count++] = v;
    cudaFree(ours);
    cudaFree(theirs);
    free(host);
    return v.obeys;
}

static bool find_algorithm(Stream *s, const Product *p, Plan *plan)
{
    enum { OFFERS = 16 };
    cublasLtMatmulHeuristicResult_t offers[OFFERS];
    cublasLtMatmulPreference_t preference;
    size_t workspace = 0;
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE, aligned = 16;
    int found = 0;
    if (lt.cublasLtMatmulPreferenceCreate(&preference) != CUBLAS_STATUS_SUCCESS)
        return false;
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        const void *value;
        size_t size;
    } wishes[] = {{CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace},
                  {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &aligned, sizeof aligned},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &aligned, sizeof aligned},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &aligned, sizeof aligned},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &aligned, sizeof aligned}};
    bool ok = true;
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        ok = ok && lt.cublasLtMatmulPreferenceSetAttribute(preference, wishes[i].name, wishes[i].value, wishes[i].size) ==
                       CUBLAS_STATUS_SUCCESS;
    ok = ok && lt.cublasLtMatmulAlgoGetHeuristic(lt.handle, plan->operation, plan->b, plan->a, plan->c, plan->c, preference,
                                                 OFFERS, offers, &found) == CUBLAS_STATUS_SUCCESS;
    lt.cublasLtMatmulPreferenceDestroy(preference);
    for (int i = 0; ok && i < found; i++)
        if (offers[i].state == CUBLAS_STATUS_SUCCESS && one_chain(&offers[i].algo) && obeys(s, p, &offers[i].algo)) {
            plan->algorithm = offers[i].algo;
            return true;
        }
    return false;
}

// Whether it adds is part of what is compared, so it is part of the shape.
static const Plan *plan_of(Stream *s, const Product *p)
{
    Plan *plan = plan_place(p);
    if (!same_shape(plan, p)) {
        forget(plan);
        *plan = plan_for(p);
        plan->there = describe(plan) && find_algorithm(s, p, plan);
    }
    return plan;
}

bool product_library(Stream *s, const Product *p) { return lt.usable && run_plan(s, p, plan_of(s, p)); }

// ---- choosing

bool product_choose(void)
{
    const char *wanted = getenv("DEREASON_MATMUL");
    bool own = wanted != NULL && strcmp(wanted, "own") == 0;
    lt.forced = wanted != NULL && strcmp(wanted, "cublaslt") == 0;
    if (wanted != NULL && !own && !lt.forced && strcmp(wanted, "auto") != 0)
        return fail("DEREASON_MATMUL=%s: take auto, own or cublaslt", wanted);
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
        snprintf(text, sizeof text, "cuBLASLt %d for %d of %d algorithms", (int)lt.cublasLtGetVersion(), obeying, verdict_count);
    return text;
}

#else

bool product_library(Stream *, const Product *) { return false; }
bool product_choose(void) { return true; }
const char *product_maker(void) { return "our own matrix products (built without cuBLASLt's header)"; }

#endif

} // namespace PRECISION
