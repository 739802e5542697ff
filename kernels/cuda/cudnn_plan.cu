// Plans of cuDNN's attention: see cudnn.h. A plan is one operation, SDPA_FWD or SDPA_BWD, with a graph inside it that
// denies a query the keys behind it; the first of the engines that the library's heuristics name, and that can be had,
// runs it. The little that is called is declared here, with the names (without CUDNN_ in front) and the numbers of
// cudnn_graph_v9.h in version 9.28.1 (package nvidia-cudnn-cu13), which hold for all of version 9; what is said of
// tensors follows NVIDIA's cudnn-frontend (UnifiedSDPANode and UnifiedDiagonalBandMaskNode, of May 2026).
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.cuh"
#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

namespace PRECISION
{

enum Kind {
    ENGINECFG = 3,
    ENGINEHEUR = 4,
    EXECUTION_PLAN = 5,
    OPERATIONGRAPH = 15,
    VARIANT_PACK = 16,
    TENSOR = 17,
    DEVICEPROP = 38,
    SDPA_FWD = 41,
    SDPA_BWD = 43,
    DIAGONAL_BAND_MASK = 44
};

enum Type {
    TYPE_HANDLE = 0,
    TYPE_DATA_TYPE = 1,
    TYPE_BOOLEAN = 2,
    TYPE_INT64 = 3,
    TYPE_VOID_PTR = 6,
    TYPE_HEUR_MODE = 8,
    TYPE_POINTWISE_MODE = 14,
    TYPE_DESCRIPTOR = 15,
    TYPE_CHAR = 24
};

enum Attribute {
    ENGINEHEUR_MODE = 200,
    ENGINEHEUR_OPERATION_GRAPH = 201,
    ENGINEHEUR_RESULTS = 202,
    ENGINEHEUR_DEVICEPROP = 204,
    EXECUTION_PLAN_HANDLE = 400,
    EXECUTION_PLAN_ENGINE_CONFIG = 401,
    EXECUTION_PLAN_WORKSPACE_SIZE = 402,
    EXECUTION_PLAN_DEVICEPROP = 407,
    OPERATIONGRAPH_HANDLE = 800,
    OPERATIONGRAPH_OPS = 801,
    TENSOR_BYTE_ALIGNMENT = 900,
    TENSOR_DATA_TYPE = 901,
    TENSOR_DIMENSIONS = 902,
    TENSOR_STRIDES = 903,
    TENSOR_UNIQUE_ID = 906,
    TENSOR_IS_VIRTUAL = 907,
    TENSOR_IS_BY_VALUE = 908,
    TENSOR_RAGGED_OFFSET_DESC = 913,
    VARIANT_PACK_UNIQUE_IDS = 1000,
    VARIANT_PACK_DATA_POINTERS = 1001,
    VARIANT_PACK_WORKSPACE = 1003,
    DEVICEPROP_JSON_REPRESENTATION = 2702,
    MAX_TOTAL_SEQ_LEN_Q = 2865,
    MAX_TOTAL_SEQ_LEN_KV = 2866,
    BAND_MASK_X = 3000,
    BAND_MASK_B = 3005,
    BAND_MASK_Y = 3006,
    BAND_MASK_COMPARISON_MODE = 3007
};

// The same thing of SDPA_FWD and of SDPA_BWD
static const int ARRAY[2][ATTENTION_ARRAYS] = {{2800, 2801, 2802, 2803, 2804},
                                               {2851, 2852, 2853, 2854, 2855, 2862, 2859, 2860, 2861}},
                 SCALE[2] = {2805, 2856}, LENGTH_OF_QUERIES[2] = {2809, 2857}, LENGTH_OF_KEYS[2] = {2810, 2858},
                 SUBGRAPH[2] = {2811, 2867}, SUBGRAPH_INPUT[2] = {2812, 2868}, SUBGRAPH_OUTPUT[2] = {2813, 2869};

enum DataType { DATA_FLOAT = 0, DATA_INT32 = 4, DATA_BFLOAT16 = 9, DATA_INT64 = 10 };
enum { CMP_GE = 303, HEUR_MODE_A = 3 };

// How tensors are called: an array by its number, its offsets by a higher one
enum Id { ID_ARRAY = 1, ID_OFFSETS = 101, ID_LENGTHS = 201, ID_SCALE, ID_DENIED, ID_SCORES, ID_SEEN };

// ---- the library

// clang-format off
#define FUNCTIONS(F) \
    F(size_t, cudnnGetVersion, (void)) \
    F(size_t, cudnnGetCudartVersion, (void)) \
    F(int, cudnnCreate, (void **handle)) \
    F(int, cudnnSetStream, (void *handle, void *stream)) \
    F(void, cudnnGetLastErrorString, (char *message, size_t size)) \
    F(int, cudnnBackendCreateDescriptor, (int kind, Descriptor *d)) \
    F(int, cudnnBackendDestroyDescriptor, (Descriptor d)) \
    F(int, cudnnBackendSetAttribute, (Descriptor d, int name, int type, int64_t count, const void *values)) \
    F(int, cudnnBackendGetAttribute, (Descriptor d, int name, int type, int64_t most, int64_t *count, void *values)) \
    F(int, cudnnBackendFinalize, (Descriptor d)) \
    F(int, cudnnBackendExecute, (void *handle, Descriptor plan, Descriptor arrays))
// clang-format on

static struct Library {
#define MEMBER(type, name, parameters) type(*name) parameters;
    FUNCTIONS(MEMBER)
#undef MEMBER
    bool is_open;
    void *handle;
    Descriptor device; // that plans are for; NULL: the handle's, as in every run (cudnn_open_for)
} lib;

static int last_status; // of a call that was refused

static bool done(int status)
{
    if (status != 0)
        last_status = status;
    return status == 0;
}

static bool refused(const char *what)
{
    char why[160] = "";
    lib.cudnnGetLastErrorString(why, sizeof why);
    why[strcspn(why, "\n")] = 0;
    int version = cudnn_version();
    return fail("cuDNN %d.%d.%d: %s (status %d%s%s)", version / 10000, version / 100 % 100, version % 100, what,
                last_status, why[0] == 0 ? "" : ": ", why);
}

static bool open_file(void)
{
    static const char FILE_NAME[] = "libcudnn.so.9";
    void *file = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL);
    if (file == NULL)
        return fail("%s could not be opened (%s); run dev/setup.sh --cuda and make, or put its folder on "
                    "LD_LIBRARY_PATH",
                    FILE_NAME, dlerror());
#define FIND(type, name, parameters)                                                                                   \
    *(void **)&lib.name = dlsym(file, #name);                                                                          \
    if (lib.name == NULL)                                                                                              \
        return fail("%s has no function " #name "; cuDNN 9.28 or newer is needed (pip: nvidia-cudnn-cu13)", FILE_NAME);
    FUNCTIONS(FIND)
#undef FIND
    int version = cudnn_version();
    return version >= CUDNN_OLDEST ||
           fail("%s is version %d.%d.%d, and 9.28 or newer is needed, which has a backward pass over ragged batches; "
                "put the folder of a newer one first on LD_LIBRARY_PATH (dev/setup.sh --cuda brings one)",
                FILE_NAME, version / 10000, version / 100 % 100, version % 100);
}

// cuDNN opens cuBLASLt when it is asked for a plan, and ends the process where there is none. What is open is found.
static bool open_companion(void)
{
    char name[32];
    int major = (int)lib.cudnnGetCudartVersion() / 1000;
    snprintf(name, sizeof name, "libcublasLt.so.%d", major);
    return major == 0 || dlopen(name, RTLD_NOW | RTLD_LOCAL) != NULL ||
           fail("cuDNN needs %s, which could not be opened (%s); run dev/setup.sh --cuda and make, or put its folder "
                "on LD_LIBRARY_PATH",
                name, dlerror());
}

bool cudnn_open(void)
{
    if (lib.is_open)
        return true;
    TRY(open_file() && open_companion());
    lib.is_open = done(lib.cudnnCreate(&lib.handle));
    return lib.is_open || refused("it could not be initialised");
}

bool cudnn_open_for(const char *device_json)
{
    TRY(open_file() && open_companion());
    return (done(lib.cudnnBackendCreateDescriptor(DEVICEPROP, &lib.device)) &&
            done(lib.cudnnBackendSetAttribute(lib.device, DEVICEPROP_JSON_REPRESENTATION, TYPE_CHAR,
                                              (int64_t)strlen(device_json), device_json)) &&
            done(lib.cudnnBackendFinalize(lib.device))) ||
           refused("a card by its properties");
}

int cudnn_version(void) { return (int)lib.cudnnGetVersion(); }

// ---- descriptors. After the first call that is refused no more are made

struct Making {
    AttentionPlan *plan;
    bool ok;
};

static Descriptor make(Making *m, Kind kind)
{
    Descriptor d = NULL;
    AttentionPlan *p = m->plan;
    assert(p->count < (int)(sizeof p->made / sizeof *p->made));
    m->ok = m->ok && done(lib.cudnnBackendCreateDescriptor(kind, &d));
    if (d != NULL)
        p->made[p->count++] = d;
    return d;
}

static void set(Making *m, Descriptor d, int attribute, Type type, const void *values, int64_t count = 1)
{
    m->ok = m->ok && done(lib.cudnnBackendSetAttribute(d, attribute, type, count, values));
}

static void set_descriptor(Making *m, Descriptor d, int attribute, Descriptor value)
{
    set(m, d, attribute, TYPE_DESCRIPTOR, &value);
}

static Descriptor finalized(Making *m, Descriptor d)
{
    m->ok = m->ok && done(lib.cudnnBackendFinalize(d));
    return d;
}

// ---- tensors: all of them have four dimensions, (sequences, heads, positions, width)

struct Sizes {
    int64_t of[4];
};

enum Place { IN_MEMORY, VIRTUAL, BY_VALUE };

static Descriptor tensor(Making *m, int64_t id, DataType data, Sizes sizes, Sizes strides, Place place = IN_MEMORY,
                         Descriptor offsets = NULL)
{
    const bool yes = true;
    const int64_t aligned = data == DATA_BFLOAT16 ? 16 : data == DATA_INT64 ? 8 : 4;
    Descriptor d = make(m, TENSOR);
    set(m, d, TENSOR_UNIQUE_ID, TYPE_INT64, &id);
    set(m, d, TENSOR_DATA_TYPE, TYPE_DATA_TYPE, &data);
    set(m, d, TENSOR_BYTE_ALIGNMENT, TYPE_INT64, &aligned);
    set(m, d, TENSOR_DIMENSIONS, TYPE_INT64, sizes.of, 4);
    set(m, d, TENSOR_STRIDES, TYPE_INT64, strides.of, 4);
    if (place != IN_MEMORY)
        set(m, d, place == VIRTUAL ? TENSOR_IS_VIRTUAL : TENSOR_IS_BY_VALUE, TYPE_BOOLEAN, &yes);
    if (offsets != NULL)
        set_descriptor(m, d, TENSOR_RAGGED_OFFSET_DESC, offsets);
    return finalized(m, d);
}

static Descriptor numbers(Making *m, int64_t id, DataType data, int64_t count, Place place = IN_MEMORY)
{
    return tensor(m, id, data, Sizes{{count, 1, 1, 1}}, Sizes{{1, 1, 1, 1}}, place);
}

static Descriptor array(Making *m, const AttentionShape *s, int which)
{
    bool of_keys = which == KEYS || which == VALUES || which == DKEYS || which == DVALUES, sums = which == LOGSUMEXP;
    int64_t heads = of_keys ? s->kv_heads : s->heads, width = sums ? 1 : s->head_width, pitch = s->pitch[which];
    Descriptor offsets = numbers(m, ID_OFFSETS + which, DATA_INT64, s->sequences + 1);
    return tensor(m, ID_ARRAY + which, sums ? DATA_FLOAT : DATA_BFLOAT16,
                  Sizes{{s->sequences, heads, s->positions, width}}, Sizes{{s->positions * pitch, width, pitch, 1}},
                  IN_MEMORY, offsets);
}

// ---- the graph

// A query keeps the scores of keys up to its own position; the others become what ID_DENIED holds.
static Descriptor causal_graph(Making *m, const AttentionShape *s)
{
    const int mode = CMP_GE;
    int64_t P = s->positions;
    Sizes sizes = {{s->sequences, s->heads, P, P}}, strides = {{s->heads * P * P, P * P, P, 1}};
    Descriptor scores = tensor(m, ID_SCORES, DATA_FLOAT, sizes, strides, VIRTUAL),
               seen = tensor(m, ID_SEEN, DATA_FLOAT, sizes, strides, VIRTUAL),
               denied = numbers(m, ID_DENIED, DATA_FLOAT, 1, BY_VALUE), mask = make(m, DIAGONAL_BAND_MASK);
    set_descriptor(m, mask, BAND_MASK_X, scores);
    set_descriptor(m, mask, BAND_MASK_B, denied);
    set_descriptor(m, mask, BAND_MASK_Y, seen);
    set(m, mask, BAND_MASK_COMPARISON_MODE, TYPE_POINTWISE_MODE, &mode);
    finalized(m, mask);
    Descriptor graph = make(m, OPERATIONGRAPH);
    set_descriptor(m, graph, OPERATIONGRAPH_OPS, mask);
    return finalized(m, graph);
}

static Descriptor attention_graph(Making *m, const AttentionShape *s)
{
    const int64_t input = ID_SCORES, output = ID_SEEN;
    int back = s->backward != 0, arrays = back ? ATTENTION_ARRAYS : LOGSUMEXP + 1;
    Descriptor operation = make(m, back ? SDPA_BWD : SDPA_FWD);
    for (int i = 0; i < arrays; i++)
        set_descriptor(m, operation, ARRAY[back][i], array(m, s, i));
    Descriptor lengths = numbers(m, ID_LENGTHS, DATA_INT32, s->sequences);
    set_descriptor(m, operation, LENGTH_OF_QUERIES[back], lengths);
    set_descriptor(m, operation, LENGTH_OF_KEYS[back], lengths);
    set_descriptor(m, operation, SCALE[back], numbers(m, ID_SCALE, DATA_FLOAT, 1, BY_VALUE));
    set_descriptor(m, operation, SUBGRAPH[back], causal_graph(m, s));
    set(m, operation, SUBGRAPH_INPUT[back], TYPE_INT64, &input);
    set(m, operation, SUBGRAPH_OUTPUT[back], TYPE_INT64, &output);
    for (int name : {MAX_TOTAL_SEQ_LEN_Q, MAX_TOTAL_SEQ_LEN_KV}) // without it there is room for the longest of each
        if (back)
            set(m, operation, name, TYPE_INT64, &s->tokens);
    finalized(m, operation);
    Descriptor graph = make(m, OPERATIONGRAPH);
    if (lib.device == NULL)
        set(m, graph, OPERATIONGRAPH_HANDLE, TYPE_HANDLE, &lib.handle);
    set_descriptor(m, graph, OPERATIONGRAPH_OPS, operation);
    return finalized(m, graph);
}

// ---- the plan

enum { ENGINES = 8 };

static int64_t engines_of(Making *m, Descriptor graph, Descriptor engines[ENGINES])
{
    const int mode = HEUR_MODE_A;
    int64_t count = 0;
    Descriptor heuristics = make(m, ENGINEHEUR);
    set_descriptor(m, heuristics, ENGINEHEUR_OPERATION_GRAPH, graph);
    set(m, heuristics, ENGINEHEUR_MODE, TYPE_HEUR_MODE, &mode);
    if (lib.device != NULL)
        set_descriptor(m, heuristics, ENGINEHEUR_DEVICEPROP, lib.device);
    finalized(m, heuristics);
    for (int i = 0; i < ENGINES; i++)
        engines[i] = make(m, ENGINECFG);
    m->ok = m->ok && done(lib.cudnnBackendGetAttribute(heuristics, ENGINEHEUR_RESULTS, TYPE_DESCRIPTOR, ENGINES, &count,
                                                       engines));
    return m->ok ? count : 0;
}

static Descriptor plan_by(Making *m, Descriptor engine)
{
    Descriptor plan = make(m, EXECUTION_PLAN);
    if (lib.device == NULL)
        set(m, plan, EXECUTION_PLAN_HANDLE, TYPE_HANDLE, &lib.handle);
    else
        set_descriptor(m, plan, EXECUTION_PLAN_DEVICEPROP, lib.device);
    set_descriptor(m, plan, EXECUTION_PLAN_ENGINE_CONFIG, engine);
    return m->ok && done(lib.cudnnBackendFinalize(plan)) ? plan : NULL;
}

static bool make_plan(AttentionPlan *p)
{
    Making m = {p, true};
    Descriptor engines[ENGINES], graph = attention_graph(&m, &p->shape);
    int64_t count = engines_of(&m, graph, engines), bytes = 0, one = 0;
    for (int64_t i = 0; i < count && p->plan == NULL; i++)
        p->plan = plan_by(&m, engines[i]);
    const AttentionShape *s = &p->shape;
    char what[200];
    snprintf(what, sizeof what,
             "there is no %s pass on this card for up to %lld sequences of up to %lld tokens, %lld heads of %lld and "
             "%lld of keys",
             s->backward ? "backward" : "forward", (long long)s->sequences, (long long)s->positions,
             (long long)s->heads, (long long)s->head_width, (long long)s->kv_heads);
    if (p->plan == NULL ||
        !done(lib.cudnnBackendGetAttribute(p->plan, EXECUTION_PLAN_WORKSPACE_SIZE, TYPE_INT64, 1, &one, &bytes)))
        return refused(what);
    p->workspace = (size_t)bytes;
    return true;
}

static void forget(AttentionPlan *p)
{
    while (p->count > 0)
        lib.cudnnBackendDestroyDescriptor(p->made[--p->count]);
    *p = AttentionPlan{};
}

enum { PLANS = 256 }; // that are kept, in the order in which they were made; the oldest makes room

static AttentionPlan plans[PLANS];
static int64_t plans_made;

const AttentionPlan *cudnn_plan(const AttentionShape *shape)
{
    for (AttentionPlan &p : plans)
        if (p.plan != NULL && memcmp(&p.shape, shape, sizeof *shape) == 0)
            return &p;
    AttentionPlan *p = &plans[plans_made % PLANS];
    if (p->plan != NULL && !device_synchronize(NULL)) // it may still run
        return NULL;
    forget(p);
    p->shape = *shape;
    if (!make_plan(p)) {
        forget(p);
        return NULL;
    }
    plans_made++;
    return p;
}

// ---- and how it is run

static bool execute(Descriptor plan, const int64_t *ids, void *const *pointers, int count, void *workspace)
{
    Descriptor pack = NULL;
    bool ok = done(lib.cudnnBackendCreateDescriptor(VARIANT_PACK, &pack)) &&
              done(lib.cudnnBackendSetAttribute(pack, VARIANT_PACK_UNIQUE_IDS, TYPE_INT64, count, ids)) &&
              done(lib.cudnnBackendSetAttribute(pack, VARIANT_PACK_DATA_POINTERS, TYPE_VOID_PTR, count, pointers)) &&
              done(lib.cudnnBackendSetAttribute(pack, VARIANT_PACK_WORKSPACE, TYPE_VOID_PTR, 1, &workspace)) &&
              done(lib.cudnnBackendFinalize(pack)) && done(lib.cudnnBackendExecute(lib.handle, plan, pack));
    if (!ok)
        refused("running its attention");
    if (pack != NULL)
        lib.cudnnBackendDestroyDescriptor(pack);
    return ok;
}

bool cudnn_run(Stream *s, const AttentionPlan *plan, const AttentionCall *call)
{
    const AttentionShape *shape = &plan->shape;
    float scale = 1.0f / sqrtf((float)shape->head_width), denied = -INFINITY;
    int64_t ids[2 * ATTENTION_ARRAYS + 3];
    void *pointers[2 * ATTENTION_ARRAYS + 3];
    int count = 0;
    auto add = [&](int64_t id, void *pointer) {
        ids[count] = id;
        pointers[count++] = pointer;
    };
    for (int i = 0; i < (shape->backward ? (int)ATTENTION_ARRAYS : LOGSUMEXP + 1); i++) {
        add(ID_ARRAY + i, call->arrays[i]);
        add(ID_OFFSETS + i, call->offsets + i * (shape->sequences + 1));
    }
    add(ID_LENGTHS, call->lengths);
    add(ID_SCALE, &scale);
    add(ID_DENIED, &denied);
    if (!done(lib.cudnnSetStream(lib.handle, stream_of(s))))
        return refused("its stream");
    return execute(plan->plan, ids, pointers, count, call->workspace);
}

} // namespace PRECISION
