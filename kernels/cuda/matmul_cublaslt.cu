// cuBLASLt for the bf16 products, opened at run time: its algorithms and how they are called (library.h). Whether its
// bits are ours, and whether it is faster, is asked in matmul_library.cu.
#include "kernels/cuda/library.h"

#if PRECISION_BITS == 16 && defined(HAVE_CUBLASLT)
#include "kernels/cuda/device.cuh"
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#endif

namespace PRECISION
{

#if PRECISION_BITS == 16 && defined(HAVE_CUBLASLT)

// clang-format off
#define FUNCTIONS(F)                                                                                                   \
    F(cublasLtCreate) F(cublasLtMatmul) F(cublasLtGetVersion)                                                          \
    F(cublasLtMatmulDescCreate) F(cublasLtMatmulDescDestroy) F(cublasLtMatmulDescSetAttribute)                         \
    F(cublasLtMatrixLayoutCreate) F(cublasLtMatrixLayoutDestroy)                                                       \
    F(cublasLtMatmulPreferenceCreate) F(cublasLtMatmulPreferenceDestroy) F(cublasLtMatmulPreferenceSetAttribute)       \
    F(cublasLtMatmulAlgoGetHeuristic) F(cublasLtMatmulAlgoConfigGetAttribute)
// clang-format on

static struct Functions {
#define MEMBER(name) decltype(&::name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    cublasLtHandle_t handle;
} lt;

static bool done(cublasStatus_t status) { return status == CUBLAS_STATUS_SUCCESS; }

// Of the header's own major version: another one may lay its structures out in another way.
static bool open_file()
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

// ---- how a product is described: kept for each shape, as making it takes longer than a small product

// Everything of a product but its arrays, and but whether it adds
typedef struct Shape {
    int64_t fact[8];
} Shape;

typedef struct Plan {
    Shape shape;
    bool there;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, c;
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

static void forget(Plan *plan)
{
    if (plan->operation != NULL)
        lt.cublasLtMatmulDescDestroy(plan->operation);
    for (cublasLtMatrixLayout_t layout : {plan->a, plan->b, plan->c})
        if (layout != NULL)
            lt.cublasLtMatrixLayoutDestroy(layout);
    *plan = Plan{};
}

static const Plan *plan_of(const Product *p)
{
    Shape shape = {{p->form, p->m, p->n, p->k, p->a_pitch, p->b_pitch, p->c_pitch, p->c_is_float}};
    Plan *plan = &plans[hash_bytes(&shape, sizeof shape) % PLANS];
    if (plan->operation == NULL || memcmp(&plan->shape, &shape, sizeof shape) != 0) {
        forget(plan);
        plan->shape = shape;
        plan->there = describe(plan, p);
    }
    return plan;
}

static bool run(Stream *s, const Product *p, const Algorithm *algorithm)
{
    const float one = 1, beta = p->add ? 1 : 0;
    const Plan *plan = plan_of(p);
    cublasLtMatmulAlgo_t theirs;
    static_assert(sizeof theirs == sizeof *algorithm, "an algorithm is eight words");
    memcpy(&theirs, algorithm, sizeof theirs);
    return plan->there && done(lt.cublasLtMatmul(lt.handle, plan->operation, &one, p->b, plan->b, p->a, plan->a, &beta,
                                                 p->c, plan->c, p->c, plan->c, &theirs, NULL, 0, stream_of(s)));
}

// ---- what it offers

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

static int offers(const Product *p, Algorithm *list, int most)
{
    enum { ASKED = 16 };
    cublasLtMatmulHeuristicResult_t results[ASKED];
    cublasLtMatmulPreference_t preference;
    const Plan *plan = plan_of(p);
    int found = 0, count = 0;
    if (!plan->there || !done(lt.cublasLtMatmulPreferenceCreate(&preference)))
        return 0;
    if (!make_wishes(preference) ||
        !done(lt.cublasLtMatmulAlgoGetHeuristic(lt.handle, plan->operation, plan->b, plan->a, plan->c, plan->c,
                                                preference, ASKED, results, &found)))
        found = 0;
    lt.cublasLtMatmulPreferenceDestroy(preference);
    for (int i = 0; i < found && count < most; i++)
        if (done(results[i].state) && one_chain(&results[i].algo))
            memcpy(&list[count++], &results[i].algo, sizeof *list);
    return count;
}

const ProductLibrary *cublaslt_open(void)
{
    static ProductLibrary library = {"cuBLASLt", 0, offers, run};
    if (lt.handle == NULL && !open_file())
        return NULL;
    library.version = (int)lt.cublasLtGetVersion();
    return &library;
}

#elif PRECISION_BITS == 16

const ProductLibrary *cublaslt_open(void)
{
    fail("this build was made without cuBLASLt's header; run dev/setup.sh --cuda and make");
    return NULL;
}

#endif

} // namespace PRECISION
