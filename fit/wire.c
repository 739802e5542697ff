// Bytes and times on the wire: see wire.h.
#include "fit/wire.h"
#include <math.h>

// An H200's NVLink and a 400 Gb/s network adapter for each GPU, in bytes a second and direction: what NCCL's tests show
// of them. FLOPS: what an H200 made of a step of Qwen3-4B at 4,096 tokens a document, 13,889 tokens/s
// (lab/results/nvidia-h200-2026-11-26-third.txt).
static const double NVLINK = 363e9, INFINIBAND = 50e9, FLOPS = 385e12;
enum { NODE = 8 }; // GPUs

typedef struct Link {
    double inside, between; // the shares of a rank's bytes that stay in its node, and that leave it
} Link;

static Link link_of(int ranks)
{
    double others = ranks - 1, here = smaller(ranks, NODE) - 1;
    return (Link){here / others, (others - here) / others};
}

static double seconds_of(Link link, double bytes)
{
    return fmax(bytes * link.inside / NVLINK, bytes * link.between / INFINIBAND);
}

// Operations of the forward pass over a micro-batch: two for each weight and token, and four for each key of attention
// and element of a head, half of a sequence being visible to its mean token.
static double forward_operations(const Model *m, const UpdateShape *s)
{
    const ModelConfig *c = &m->config;
    double head = (double)c->vocabulary * (double)c->width, tokens = (double)s->tokens / (double)s->filled;
    double layers = (double)model_own(m)->elements - head * (c->tied ? 1 : 2);
    double attention = 4.0 * (double)(c->layers * c->heads * c->head_width) * s->length / 2;
    return tokens * (2 * layers + attention) + 2 * head * (double)s->trained / (double)s->filled;
}

bool wire_time(WireTime *t, const Model *m, const UpdateShape *s)
{
    int ranks = m->sharding.size;
    Link link = link_of(ranks);
    ShardedBytes bytes = sharded_bytes(m);
    double forward = forward_operations(m, s) / FLOPS, outer = (double)m->sharding.units[0].count * sizeof(float);
    // of a matrix that lies still no gradient is made, which is half of going back
    double back = (m->frozen.count > 0 ? 1 : 2) + (m->limits.recompute ? 1 : 0);
    double backward = forward * back, rounds = (double)ceil_divide(s->micro_batches, ranks);
    double first = outer * (ranks - 1) / ranks; // the embedding's gradient is finished last: nothing is left beside it
    double sent = seconds_of(link, (double)bytes.gradients), last = seconds_of(link, first);
    double open = m->sharding.once ? 0 : last + fmax(0, sent - last - backward);
    double whole = rounds * (double)(bytes.gradients + bytes.weights) + (double)bytes.update;
    *t = (WireTime){.rounds = (int64_t)rounds,
                    .inside = whole * link.inside / NVLINK,
                    .between = whole * link.between / INFINIBAND,
                    .computing = rounds * (forward + backward),
                    .backward = rounds * backward,
                    .gradients = rounds * sent,
                    .hidden = sent > 0 ? 1 - open / sent : 0};
    t->open = rounds * open + rounds * seconds_of(link, (double)bytes.weights) + seconds_of(link, (double)bytes.update);
    return true;
}

static void print_bytes(FILE *out, const char *what, double bytes, const Model *m)
{
    Link link = link_of(m->sharding.size);
    fprintf(out, "  %-46s %10.3f GiB", what, bytes / 0x1p30);
    if (m->kernels->on_gpu)
        fprintf(out, ", %9.1f ms by NVLink", 1e3 * bytes * link.inside / NVLINK);
    if (m->kernels->on_gpu && link.between > 0)
        fprintf(out, " and %9.1f ms by InfiniBand", 1e3 * bytes * link.between / INFINIBAND);
    fputc('\n', out);
}

static void print_all(const Model *m, const UpdateShape *s, FILE *out)
{
    WireTime t;
    ShardedBytes bytes = sharded_bytes(m);
    int ranks = m->sharding.size;
    wire_time(&t, m, s);
    fprintf(out, "%d ranks: %s has %" PRId64 " micro-batches, in %" PRId64 " rounds. A rank sends for\n", ranks,
            s->name, s->micro_batches, t.rounds);
    if (bytes.gradients > 0)
        print_bytes(out, "a round: gradients", (double)bytes.gradients, m);
    if (bytes.weights > 0)
        print_bytes(out, "a round: layers' weights", (double)bytes.weights, m);
    print_bytes(out, bytes.gradients > 0 ? "an update: weights" : "an update: gradients and weights",
                (double)bytes.update, m);
    fprintf(out, "  %s: %" PRIu64 " bytes in all, which the log counts as sent_bytes\n", s->name,
            (uint64_t)t.rounds * (bytes.gradients + bytes.weights) + bytes.update);
    if (m->kernels->on_gpu)
        fprintf(out,
                "  %s: %.2f s of computing at %.0f TFLOP/s, %.2f s of sending, %.2f s of it beside nothing (gradients: "
                "%.0f%% beside the backward pass)\n",
                s->name, t.computing, FLOPS / 1e12, fmax(t.inside, t.between), t.open, 100 * t.hidden);
    int64_t idle = t.rounds * ranks - s->filled;
    if (idle > 0)
        fprintf(out,
                "  %" PRId64 " times a rank has no micro-batch in a round: give more work to an update, smaller "
                "--micro-batch-tokens, or a multiple of %d --slots\n",
                idle, ranks);
}

bool wire_print(const Fit *fit, const UpdateShape *shape, FILE *out)
{
    const ModelNeeds *own = &fit->needs.own;
    Model model;
    if (own->limits.division.ranks < 2)
        return true;
    TRY(model_open(&model, &own->config, &own->limits, fit->kernels, true));
    print_all(&model, shape, out);
    model_close(&model);
    return fflush(out) == 0 || fail_errno("writing the plan");
}
