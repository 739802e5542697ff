// A stand-in for cuDNN beside the SIMT runtime: the functions that kernels/cuda/cudnn_plan.cu uses, and of its graphs
// the one kind that is made there. It knows nothing of that file: what it does it reads back out of the descriptors, by
// the numbers of cudnn_graph_v9.h (9.28.1), and whatever it cannot explain it refuses, as an attribute of another type,
// a descriptor that is not finalized, a tensor whose array is not in the pack. Attention is computed row by row in
// double precision, when the stream has come to it, with one rounding of each result.
//
// Environment: CUDNN_STANDIN_VERSION (default 92801), CUDNN_STANDIN_ENGINES (default 1; 0: there is none for this
// card), CUDNN_STANDIN_PLANS (how many plans it makes, and none after that; default: any number).
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool simt_move(void *to, const void *from, size_t bytes, bool to_device);
void simt_stream_push(void *stream, bool (*step)(void *context), void *context);

enum { SUCCESS = 0, BAD_PARAM = 2000, NOT_SUPPORTED = 3000, MOST_ATTRIBUTES = 24 };
enum {
    ENGINECFG = 3,
    ENGINEHEUR,
    EXECUTION_PLAN,
    OPERATIONGRAPH = 15,
    VARIANT_PACK,
    TENSOR,
    FORWARD = 41,
    BACKWARD = 43,
    BAND_MASK
};
enum { HANDLE = 0, DATA_TYPE, BOOLEAN, INT64, VOID_PTR = 6, HEUR_MODE = 8, POINTWISE_MODE = 14, DESCRIPTOR };
enum { FLOAT = 0, INT32 = 4, BFLOAT16 = 9, INTEGER64 = 10 };

static const struct {
    int from, to, type;
} TYPES[] = {{200, 200, HEUR_MODE},    {201, 202, DESCRIPTOR},      {400, 400, HANDLE},     {401, 401, DESCRIPTOR},
             {402, 402, INT64},        {800, 800, HANDLE},          {801, 801, DESCRIPTOR}, {900, 900, INT64},
             {901, 901, DATA_TYPE},    {902, 903, INT64},           {906, 906, INT64},      {907, 908, BOOLEAN},
             {913, 913, DESCRIPTOR},   {1000, 1000, INT64},         {1001, 1001, VOID_PTR}, {1003, 1003, VOID_PTR},
             {2800, 2805, DESCRIPTOR}, {2809, 2811, DESCRIPTOR},    {2812, 2813, INT64},    {2851, 2862, DESCRIPTOR},
             {2865, 2866, INT64},      {2867, 2867, DESCRIPTOR},    {2868, 2869, INT64},    {3000, 3000, DESCRIPTOR},
             {3005, 3006, DESCRIPTOR}, {3007, 3007, POINTWISE_MODE}};

typedef struct Attribute {
    int name, type;
    int64_t count;
    char *values;
} Attribute;

typedef struct Descriptor {
    int kind, count;
    bool finalized;
    Attribute of[MOST_ATTRIBUTES];
} Descriptor;

typedef struct Handle {
    void *stream;
} Handle;

static char last_error[200];
static int plans;

int cudnn_standin_plans(void) { return plans; } // that were made: for tests

static int refuse(int status, const char *what, int number)
{
    snprintf(last_error, sizeof last_error, "%s (%d)", what, number);
    return status;
}

static size_t size_of(int type)
{
    return type == BOOLEAN ? 1 : type == DATA_TYPE || type == HEUR_MODE || type == POINTWISE_MODE ? 4 : 8;
}

static const Attribute *attribute(const Descriptor *d, int name)
{
    for (int i = 0; d != NULL && i < d->count; i++)
        if (d->of[i].name == name)
            return &d->of[i];
    return NULL;
}

static int64_t number(const Descriptor *d, int name, int64_t otherwise)
{
    const Attribute *a = attribute(d, name);
    int32_t small;
    int64_t value = otherwise;
    if (a != NULL && size_of(a->type) == 4) {
        memcpy(&small, a->values, sizeof small);
        return small;
    }
    if (a != NULL && a->type == BOOLEAN)
        return *a->values != 0;
    if (a != NULL)
        memcpy(&value, a->values, sizeof value);
    return value;
}

static Descriptor *descriptor(const Descriptor *d, int name) { return (Descriptor *)(intptr_t)number(d, name, 0); }

static int64_t at(const Descriptor *d, int name, int i) // of a list of numbers
{
    const Attribute *a = attribute(d, name);
    int64_t value = 0;
    if (a != NULL && i < a->count)
        memcpy(&value, a->values + (size_t)i * sizeof value, sizeof value);
    return value;
}

// ---- is it what attention is made of?

typedef struct Shape {
    bool backward;
    int64_t sequences, heads, kv_heads, positions, width;
} Shape;

enum { Q, K, V, OUT, SUMS, DOUT, DQ, DK, DV, ARRAYS };
static const int NAMES[2][ARRAYS] = {{2800, 2801, 2802, 2803, 2804},
                                     {2851, 2852, 2853, 2854, 2855, 2862, 2859, 2860, 2861}};

static int64_t size(const Descriptor *tensor, int dimension) { return at(tensor, 902, dimension); }
static int64_t stride(const Descriptor *tensor, int dimension) { return at(tensor, 903, dimension); }

static bool sizes_are(const Descriptor *t, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return t != NULL && size(t, 0) == a && size(t, 1) == b && size(t, 2) == c && size(t, 3) == d;
}

static bool is_array(const Descriptor *t, const Shape *s, int which)
{
    bool of_keys = which == K || which == V || which == DK || which == DV;
    const Descriptor *offsets = descriptor(t, 913);
    return sizes_are(t, s->sequences, of_keys ? s->kv_heads : s->heads, s->positions, which == SUMS ? 1 : s->width) &&
           number(t, 901, -1) == (which == SUMS ? FLOAT : BFLOAT16) && (which == SUMS || stride(t, 3) == 1) &&
           stride(t, 1) == size(t, 3) && stride(t, 2) >= size(t, 1) * size(t, 3) &&
           sizes_are(offsets, s->sequences + 1, 1, 1, 1) && number(offsets, 901, -1) == INTEGER64;
}

static bool is_causal(const Descriptor *operation, int graph, const Shape *s)
{
    const Descriptor *mask = descriptor(descriptor(operation, graph), 801);
    const Descriptor *in = descriptor(mask, 3000), *out = descriptor(mask, 3006), *denied = descriptor(mask, 3005);
    int64_t P = s->positions;
    return mask != NULL && mask->kind == BAND_MASK && number(mask, 3007, 0) == 303 && number(in, 907, 0) == 1 &&
           number(out, 907, 0) == 1 && sizes_are(in, s->sequences, s->heads, P, P) && number(denied, 908, 0) == 1 &&
           number(in, 906, -1) == number(operation, graph + 1, -2) &&
           number(out, 906, -1) == number(operation, graph + 2, -2);
}

static Shape shape_of(const Descriptor *operation)
{
    bool backward = operation->kind == BACKWARD;
    const Descriptor *q = descriptor(operation, NAMES[backward][Q]), *k = descriptor(operation, NAMES[backward][K]);
    return (Shape){backward, size(q, 0), size(q, 1), k == NULL ? 0 : size(k, 1), size(q, 2), size(q, 3)};
}

static int check_operation(const Descriptor *o)
{
    Shape s = shape_of(o);
    for (int i = 0; i < (s.backward ? ARRAYS : SUMS + 1); i++)
        if (!is_array(descriptor(o, NAMES[s.backward][i]), &s, i))
            return refuse(BAD_PARAM, "attention with such an array", NAMES[s.backward][i]);
    for (int i = 0; i < 2; i++)
        if (!sizes_are(descriptor(o, (s.backward ? 2857 : 2809) + i), s.sequences, 1, 1, 1))
            return refuse(BAD_PARAM, "attention without lengths", i);
    if (s.kv_heads == 0 || s.heads % s.kv_heads != 0 || number(descriptor(o, s.backward ? 2856 : 2805), 908, 0) != 1)
        return refuse(BAD_PARAM, "attention of such heads, or without a scale", (int)s.heads);
    if (s.backward && (number(o, 2865, 0) <= 0 || number(o, 2865, 0) != number(o, 2866, 0)))
        return refuse(BAD_PARAM, "a backward pass without a number of tokens", 2865);
    return is_causal(o, s.backward ? 2867 : 2811, &s) ? SUCCESS
                                                      : refuse(NOT_SUPPORTED, "attention that is not causal", o->kind);
}

static int check(const Descriptor *d)
{
    static const int NEEDED[][3] = {{TENSOR, 901, 906},        {TENSOR, 902, 903},         {OPERATIONGRAPH, 801, 801},
                                    {ENGINEHEUR, 200, 201},    {EXECUTION_PLAN, 400, 401}, {VARIANT_PACK, 1000, 1001},
                                    {VARIANT_PACK, 1003, 1003}};
    for (size_t i = 0; i < sizeof NEEDED / sizeof NEEDED[0]; i++)
        for (int j = 1; j < 3; j++)
            if (d->kind == NEEDED[i][0] && attribute(d, NEEDED[i][j]) == NULL)
                return refuse(BAD_PARAM, "finalized without an attribute", NEEDED[i][j]);
    return d->kind == FORWARD || d->kind == BACKWARD ? check_operation(d) : SUCCESS;
}

// ---- attention, when the stream has come to it

typedef struct Job {
    Shape s;
    double scale, denied;
    char *base[ARRAYS];
    int64_t pitch[ARRAYS], tokens;
    int64_t *first[ARRAYS]; // offsets of the sequences; on the device until the job runs
    int32_t *lengths;
    void *offsets_at[ARRAYS], *lengths_at, *workspace;
} Job;

static int64_t workspace_bytes(const Shape *s, int64_t tokens) // no round numbers
{
    return s->backward ? tokens * s->heads * s->width * 4 + 24 : 1000;
}

// Whatever it had in it is lost, as it may be.
static void work_in(const Job *j)
{
    size_t bytes = (size_t)workspace_bytes(&j->s, j->tokens);
    char *scratch = malloc(bytes);
    memset(scratch, 0xFF, bytes);
    simt_move(j->workspace, scratch, bytes, true);
    free(scratch);
}

static float widened(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t rounded(double x)
{
    float value = (float)x;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static char *place(const Job *j, int which, int64_t sequence, int64_t position, int64_t head)
{
    int64_t element = j->first[which][sequence] + position * j->pitch[which] + head * (which == SUMS ? 1 : j->s.width);
    return j->base[which] + element * (which == SUMS ? 4 : 2);
}

static void get_row(const Job *j, double *row, int which, int64_t sequence, int64_t position, int64_t head)
{
    uint16_t bits[256];
    simt_move(bits, place(j, which, sequence, position, head), (size_t)j->s.width * 2, false);
    for (int64_t d = 0; d < j->s.width; d++)
        row[d] = (double)widened(bits[d]);
}

static void put_row(const Job *j, const double *row, int which, int64_t sequence, int64_t position, int64_t head)
{
    uint16_t bits[256];
    for (int64_t d = 0; d < j->s.width; d++)
        bits[d] = rounded(row[d]);
    simt_move(place(j, which, sequence, position, head), bits, (size_t)j->s.width * 2, true);
}

static double dot(const double *x, const double *y, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

static void add(double *sum, const double *x, double by, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += by * x[i];
}

static double *rows_of(const Job *j, int which, int64_t sequence, int64_t head, int64_t length)
{
    double *rows = malloc((size_t)(length * j->s.width) * sizeof *rows);
    for (int64_t t = 0; t < length; t++)
        get_row(j, rows + t * j->s.width, which, sequence, t, head);
    return rows;
}

static void forward_head(const Job *j, int64_t sequence, int64_t head, int64_t length, const double *k, const double *v)
{
    int64_t D = j->s.width;
    double *score = malloc((size_t)length * sizeof *score), q[256], out[256];
    for (int64_t t = 0; t < length; t++) {
        double most = j->denied, sum = 0;
        get_row(j, q, Q, sequence, t, head);
        memset(out, 0, sizeof out);
        for (int64_t i = 0; i <= t; i++) {
            score[i] = dot(q, k + i * D, D) * j->scale;
            most = fmax(most, score[i]);
        }
        for (int64_t i = 0; i <= t; i++)
            sum += exp(score[i] - most);
        for (int64_t i = 0; i <= t; i++)
            add(out, v + i * D, exp(score[i] - most) / sum, D);
        put_row(j, out, OUT, sequence, t, head);
        float logsumexp = (float)(most + log(sum));
        simt_move(place(j, SUMS, sequence, t, head), &logsumexp, sizeof logsumexp, true);
    }
    free(score);
}

static void backward_head(const Job *j, int64_t sequence, int64_t head, int64_t length, const double *k,
                          const double *v, double *dk, double *dv)
{
    int64_t D = j->s.width;
    double q[256], out[256], dout[256], dq[256];
    for (int64_t t = 0; t < length; t++) {
        float logsumexp;
        simt_move(&logsumexp, place(j, SUMS, sequence, t, head), sizeof logsumexp, false);
        get_row(j, q, Q, sequence, t, head);
        get_row(j, out, OUT, sequence, t, head);
        get_row(j, dout, DOUT, sequence, t, head);
        memset(dq, 0, sizeof dq);
        for (int64_t i = 0; i <= t; i++) {
            double p = exp(dot(q, k + i * D, D) * j->scale - (double)logsumexp);
            double ds = p * (dot(dout, v + i * D, D) - dot(dout, out, D)) * j->scale;
            add(dq, k + i * D, ds, D);
            add(dk + i * D, q, ds, D);
            add(dv + i * D, dout, p, D);
        }
        put_row(j, dq, DQ, sequence, t, head);
    }
}

static void attend(const Job *j, int64_t sequence, int64_t kv_head)
{
    int64_t length = j->lengths[sequence], group = j->s.heads / j->s.kv_heads, D = j->s.width;
    double *k = rows_of(j, K, sequence, kv_head, length), *v = rows_of(j, V, sequence, kv_head, length);
    double *dk = calloc((size_t)(length * D + 1), sizeof *dk), *dv = calloc((size_t)(length * D + 1), sizeof *dv);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head++)
        if (j->s.backward)
            backward_head(j, sequence, head, length, k, v, dk, dv);
        else
            forward_head(j, sequence, head, length, k, v);
    for (int64_t t = 0; j->s.backward && t < length; t++) {
        put_row(j, dk + t * D, DK, sequence, t, kv_head);
        put_row(j, dv + t * D, DV, sequence, t, kv_head);
    }
    free(k);
    free(v);
    free(dk);
    free(dv);
}

static bool run(void *context)
{
    Job *j = context;
    int64_t S = j->s.sequences, tokens = 0;
    int arrays = j->s.backward ? ARRAYS : SUMS + 1;
    work_in(j);
    j->lengths = malloc((size_t)S * sizeof *j->lengths);
    simt_move(j->lengths, j->lengths_at, (size_t)S * sizeof *j->lengths, false);
    for (int i = 0; i < arrays; i++) {
        j->first[i] = malloc((size_t)(S + 1) * sizeof **j->first);
        simt_move(j->first[i], j->offsets_at[i], (size_t)(S + 1) * sizeof **j->first, false);
    }
    for (int64_t s = 0; s < S; s++) {
        tokens += j->lengths[s];
        if (j->lengths[s] < 0 || j->lengths[s] > j->s.positions || (j->s.backward && tokens > j->tokens)) {
            fprintf(stderr, "cuDNN's stand-in: a sequence of %d tokens is more than the plan is for\n", j->lengths[s]);
            abort();
        }
        for (int64_t kv_head = 0; kv_head < j->s.kv_heads; kv_head++)
            attend(j, s, kv_head);
    }
    for (int i = 0; i < arrays; i++)
        free(j->first[i]);
    free(j->lengths);
    free(j);
    return true;
}

// ---- the library

size_t cudnnGetVersion(void)
{
    const char *version = getenv("CUDNN_STANDIN_VERSION");
    return version == NULL ? 92801 : (size_t)atoi(version);
}

size_t cudnnGetCudartVersion(void) { return 0; } // there is no cuBLASLt beside this one

void cudnnGetLastErrorString(char *message, size_t most) { snprintf(message, most, "%s", last_error); }

int cudnnCreate(void **handle)
{
    *handle = calloc(1, sizeof(Handle));
    return SUCCESS;
}

int cudnnSetStream(void *handle, void *stream)
{
    ((Handle *)handle)->stream = stream;
    return SUCCESS;
}

int cudnnBackendCreateDescriptor(int kind, void **made)
{
    static const int KINDS[] = {ENGINECFG, ENGINEHEUR, EXECUTION_PLAN, OPERATIONGRAPH, VARIANT_PACK,
                                TENSOR,    FORWARD,    BACKWARD,       BAND_MASK};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (KINDS[i] == kind) {
            Descriptor *d = calloc(1, sizeof *d);
            d->kind = kind;
            *made = d;
            return SUCCESS;
        }
    return refuse(NOT_SUPPORTED, "a descriptor of this kind", kind);
}

int cudnnBackendDestroyDescriptor(void *destroyed)
{
    Descriptor *d = destroyed;
    for (int i = 0; i < d->count; i++)
        free(d->of[i].values);
    free(d);
    return SUCCESS;
}

static int type_of(int name)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (name >= TYPES[i].from && name <= TYPES[i].to)
            return TYPES[i].type;
    return -1;
}

int cudnnBackendSetAttribute(void *of, int name, int type, int64_t count, const void *values)
{
    Descriptor *d = of;
    if (type_of(name) != type)
        return refuse(BAD_PARAM, "an attribute that there is not, or of another type", name);
    if (d->finalized || attribute(d, name) != NULL || d->count == MOST_ATTRIBUTES)
        return refuse(BAD_PARAM, "an attribute of what is finalized, or twice", name);
    for (int64_t i = 0; type == DESCRIPTOR && i < count; i++)
        if (!((Descriptor *const *)values)[i]->finalized)
            return refuse(BAD_PARAM, "a descriptor that is not finalized as attribute", name);
    size_t bytes = (size_t)count * size_of(type);
    Attribute *a = &d->of[d->count++];
    *a = (Attribute){name, type, count, malloc(bytes)};
    memcpy(a->values, values, bytes);
    return SUCCESS;
}

int cudnnBackendFinalize(void *finalized)
{
    Descriptor *d = finalized;
    const char *most = getenv("CUDNN_STANDIN_PLANS");
    int status = check(d);
    if (d->kind == EXECUTION_PLAN && most != NULL && plans >= atoi(most))
        status = refuse(NOT_SUPPORTED, "no more plans", plans);
    d->finalized = status == SUCCESS;
    plans += d->kind == EXECUTION_PLAN && d->finalized;
    return status;
}

// The one engine keeps the graph that it is for, as an attribute that nobody else sets.
static int name_engine(const Descriptor *heuristics, int64_t most, int64_t *count, void **engines)
{
    const char *there_are = getenv("CUDNN_STANDIN_ENGINES");
    *count = there_are == NULL ? 1 : atoi(there_are);
    if (*count == 0)
        return refuse(SUCCESS, "no engine", 0);
    if (most < 1 || !heuristics->finalized || ((Descriptor *)engines[0])->kind != ENGINECFG)
        return refuse(BAD_PARAM, "engines of what is not finalized, or nowhere to put them", (int)most);
    Descriptor *graph = descriptor(heuristics, 201);
    ((Descriptor *)engines[0])->finalized = false;
    int status = cudnnBackendSetAttribute(engines[0], 201, DESCRIPTOR, 1, &graph);
    ((Descriptor *)engines[0])->finalized = true;
    return status;
}

static const Descriptor *operation_of(const Descriptor *plan)
{
    return descriptor(descriptor(descriptor(plan, 401), 201), 801);
}

int cudnnBackendGetAttribute(void *of, int name, int type, int64_t most, int64_t *count, void *values)
{
    const Descriptor *d = of;
    if (name == 202 && d->kind == ENGINEHEUR && type == DESCRIPTOR)
        return name_engine(d, most, count, values);
    if (name != 402 || d->kind != EXECUTION_PLAN || type != INT64 || !d->finalized)
        return refuse(BAD_PARAM, "this attribute asked for", name);
    const Descriptor *operation = operation_of(d);
    Shape s = shape_of(operation);
    *(int64_t *)values = workspace_bytes(&s, number(operation, 2865, 0));
    *count = 1;
    return SUCCESS;
}

// The array of a tensor, by the number that it has in the pack
static void *array_of(const Descriptor *pack, const Descriptor *tensor)
{
    const Attribute *ids = attribute(pack, 1000);
    int64_t id = number(tensor, 906, -1);
    for (int i = 0; i < ids->count; i++)
        if (at(pack, 1000, i) == id)
            return (void *)(intptr_t)at(pack, 1001, i);
    return NULL;
}

int cudnnBackendExecute(void *handle, void *plan, void *pack)
{
    const Descriptor *o = operation_of(plan), *arrays = pack;
    Shape s = shape_of(o);
    int back = s.backward;
    if (attribute(arrays, 1000)->count != attribute(arrays, 1001)->count || at(arrays, 1003, 0) % 256 != 0)
        return refuse(BAD_PARAM, "a pack of as many arrays as it names, with a workspace on 256 bytes", 1000);
    const Descriptor *mask = descriptor(descriptor(o, back ? 2867 : 2811), 801);
    const float *scale = array_of(arrays, descriptor(o, back ? 2856 : 2805)),
                *denied = array_of(arrays, descriptor(mask, 3005));
    Job *j = calloc(1, sizeof *j);
    *j = (Job){.s = s,
               .scale = scale == NULL ? NAN : (double)*scale,
               .denied = denied == NULL ? 0 : (double)*denied,
               .tokens = number(o, 2865, 0),
               .workspace = (void *)(intptr_t)at(arrays, 1003, 0),
               .lengths_at = array_of(arrays, descriptor(o, back ? 2857 : 2809))};
    bool all = j->lengths_at != NULL && scale != NULL && denied != NULL && j->denied == -INFINITY;
    for (int i = 0; i < (back ? ARRAYS : SUMS + 1); i++) {
        const Descriptor *t = descriptor(o, NAMES[back][i]);
        j->base[i] = array_of(arrays, t);
        j->pitch[i] = stride(t, 2);
        j->offsets_at[i] = array_of(arrays, descriptor(t, 913));
        all = all && j->base[i] != NULL && j->offsets_at[i] != NULL && (i == SUMS || (intptr_t)j->base[i] % 16 == 0);
    }
    if (!all) {
        free(j);
        return refuse(BAD_PARAM, "a pack that lacks an array, or has one that is not on 16 bytes", 1001);
    }
    simt_stream_push(((Handle *)handle)->stream, run, j);
    return SUCCESS;
}
