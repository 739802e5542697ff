// The profiled table: see profile.h. Every wrapper comes from its row in operations.h. FLOPs are counted as
// lab/bench/kernel_bench does: of attention the half square that is needed, two products forward and five going back.
#include "kernels/profile.h"
#include <stdlib.h>
#include <string.h>

typedef struct Shape { // what tells rows of one operation apart; flops: of this call
    int64_t n, k;
    bool adds;
    double flops;
} Shape;

typedef struct Work {
    const char *operation;
    Shape shape;
    Event *begun, *done;
} Work;

static bool prepared, failed, capturing; // capturing: what is taken down for a graph is not done now
static _Thread_local bool on;
static Kernels inner, profiled;
static Shape next; // of the operation that is about to be called
static Work *works;
static size_t capacity, queued;
static double begun_at;

// ---- two events around each

static Work *begin(Stream *s, const char *operation)
{
    if (!on)
        return NULL;
    Shape shape = next;
    next = (Shape){0};
    if (capturing || failed || (failed = !grow(&works, &capacity, queued + 1, sizeof *works)))
        return NULL;
    Work *w = &works[queued++];
    *w = (Work){operation, shape, inner.event_open(true), inner.event_open(true)};
    failed = w->begun == NULL || w->done == NULL;
    if (failed)
        return NULL;
    inner.event_record(s, w->begun);
    return w;
}

static void end(Stream *s, const Work *w)
{
    if (w != NULL)
        inner.event_record(s, w->done);
}

#define TIMED_void(name, parameters, names)                                                                            \
    static void timed_##name parameters                                                                                \
    {                                                                                                                  \
        const Work *w_ = begin(s, #name);                                                                              \
        inner.name names;                                                                                              \
        end(s, w_);                                                                                                    \
    }
#define TIMED_bool(name, parameters, names)                                                                            \
    static bool timed_##name parameters                                                                                \
    {                                                                                                                  \
        const Work *w_ = begin(s, #name);                                                                              \
        bool ok_ = inner.name names;                                                                                   \
        end(s, w_);                                                                                                    \
        return ok_;                                                                                                    \
    }
#define OPERATION(type, name, parameters, names) TIMED_##type(name, parameters, names)
#define DEVICE_WORK(type, name, parameters, names) TIMED_##type(name, parameters, names)
#include "kernels/operations.h"

// ---- graphs

static bool graph_begin(Stream *s)
{
    capturing = true;
    return inner.graph_begin(s);
}

static Graph *graph_end(Stream *s)
{
    capturing = false;
    return inner.graph_end(s);
}

static void graph_launch(Stream *s, Graph *g)
{
    const Work *w = begin(s, "graph_launch");
    inner.graph_launch(s, g);
    end(s, w);
}

// ---- shapes

static void product_is(int64_t rows, int64_t n, int64_t k, bool adds)
{
    if (on)
        next = (Shape){n, k, adds, 2.0 * (double)rows * (double)n * (double)k};
}

static void matmul_forward(Stream *s, Tensor y, Tensor x, Tensor w, bool add)
{
    product_is(x.rows, w.rows, w.columns, add);
    timed_matmul_forward(s, y, x, w, add);
}

static void matmul_backward_input(Stream *s, Tensor dx, Tensor dy, Tensor w, bool add)
{
    product_is(dy.rows, w.rows, w.columns, add);
    timed_matmul_backward_input(s, dx, dy, w, add);
}

static void matmul_backward_weight(Stream *s, float *dw, Tensor dy, Tensor x, int64_t room, bool add)
{
    product_is(x.rows, dy.columns, x.columns, true); // a first micro-batch's are the same product
    timed_matmul_backward_weight(s, dw, dy, x, room, add);
}

static void matmul_swiglu_forward(Stream *s, Tensor y, Tensor gate_up, Tensor x, Tensor w, bool keep)
{
    product_is(x.rows, w.rows, w.columns, false);
    timed_matmul_swiglu_forward(s, y, gate_up, x, w, keep);
}

// How long sequences are only the device knows. T tokens in S of them have the fewest pairs where all are as long; a
// context adds more. In pages it is most of them, so nothing is counted there.
static void attention_is(int64_t tokens, const Attention *a, double products)
{
    double T = (double)tokens, S = (double)a->sequences, pairs = S > 0 ? T * (T / S + 1) / 2 : 0;
    double each = 2.0 * (double)(a->heads * a->head_width);
    if (on && a->key_pages == NULL)
        next = (Shape){a->heads, a->head_width, false, products * each * pairs};
}

static void attention_forward(Stream *s, Tensor out, float *logsumexp, Tensor q, Tensor k, Tensor v, const Attention *a)
{
    attention_is(q.rows, a, 2);
    timed_attention_forward(s, out, logsumexp, q, k, v, a);
}

static void attention_backward(Stream *s, Tensor dq, Tensor dk, Tensor dv, float *delta, Tensor dout, Tensor q,
                               Tensor k, Tensor v, Tensor out, const float *logsumexp, const Attention *a)
{
    attention_is(q.rows, a, 5);
    timed_attention_backward(s, dq, dk, dv, delta, dout, q, k, v, out, logsumexp, a);
}

// ---- the table

void profile_prepare(void) { prepared = true; }

// There is one: a second backend beside the first keeps its own.
const Kernels *profile_table(const Kernels *kernels)
{
    if (!prepared || kernels == NULL || (inner.name != NULL && strcmp(inner.name, kernels->name) != 0))
        return kernels;
    inner = profiled = *kernels;
#define OPERATION(type, name, parameters, names) profiled.name = timed_##name;
#define DEVICE_WORK(type, name, parameters, names) profiled.name = timed_##name;
#include "kernels/operations.h"
    profiled.matmul_forward = matmul_forward;
    profiled.matmul_backward_input = matmul_backward_input;
    profiled.matmul_backward_weight = matmul_backward_weight;
    profiled.matmul_swiglu_forward = matmul_swiglu_forward;
    profiled.attention_forward = attention_forward;
    profiled.attention_backward = attention_backward;
    if (inner.graph_begin != NULL) {
        profiled.graph_begin = graph_begin;
        profiled.graph_end = graph_end;
        profiled.graph_launch = graph_launch;
    }
    return &profiled;
}

// ---- from begin to end

bool profile_begin(void)
{
    TRY(inner.synchronize(NULL));
    begun_at = clock_seconds();
    on = true;
    return true;
}

static ProfileRow *row_of(Profile *p, const Work *w)
{
    for (size_t i = 0; i < p->count; i++) {
        const ProfileRow *r = &p->rows[i];
        if (r->operation == w->operation && r->n == w->shape.n && r->k == w->shape.k && r->adds == w->shape.adds)
            return &p->rows[i];
    }
    if (!grow(&p->rows, &p->capacity, p->count + 1, sizeof *p->rows))
        return NULL;
    p->rows[p->count] = (ProfileRow){w->operation, w->shape.n, w->shape.k, .adds = w->shape.adds};
    return &p->rows[p->count++];
}

static bool add_up(Profile *p, const Work *w)
{
    ProfileRow *row = row_of(p, w);
    TRY(row != NULL && inner.event_wait(w->done));
    double seconds = inner.event_seconds(w->begun, w->done);
    row->calls++;
    row->seconds += seconds;
    row->flops += w->shape.flops;
    p->kernels += seconds;
    return true;
}

static int longest_first(const void *a, const void *b)
{
    const ProfileRow *x = a, *y = b;
    int by_operation = (x->of_operation < y->of_operation) - (x->of_operation > y->of_operation);
    int by_name = strcmp(x->operation, y->operation); // of two operations that took as long
    return by_operation != 0 ? by_operation
           : by_name != 0    ? by_name
                             : (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void close_works(void)
{
    for (size_t i = 0; i < queued; i++) { // NULL: there was no room
        if (works[i].begun != NULL)
            inner.event_close(works[i].begun);
        if (works[i].done != NULL)
            inner.event_close(works[i].done);
    }
    free(works);
    works = NULL;
    capacity = queued = 0;
}

bool profile_end(Profile *p)
{
    *p = (Profile){0};
    on = false;
    bool ok = inner.synchronize(NULL);
    p->seconds = clock_seconds() - begun_at;
    ok = ok && (!failed || fail("no room for the two events around each operation of the profiled step"));
    for (size_t i = 0; ok && i < queued; i++)
        ok = add_up(p, &works[i]);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->count; j++)
            if (p->rows[j].operation == p->rows[i].operation)
                p->rows[i].of_operation += p->rows[j].seconds;
    if (ok && p->count > 0)
        qsort(p->rows, p->count, sizeof *p->rows, longest_first);
    close_works();
    failed = false;
    return ok;
}

void profile_free(Profile *p)
{
    free(p->rows);
    *p = (Profile){0};
}
