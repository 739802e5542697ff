// Times every kernel of the CUDA backend (bf16) at the shapes of Qwen3, beside cuBLASLt and a plain version, and says
// what share of the machine's limit it reaches. Both limits are measured on the spot: a large copy on the device, and a
// large bf16 product. A kernel's floor is the larger of its bytes over the one and its operations over the other; its
// share is that floor over its time.
//
// One JSON line a kernel goes to --json: kernel, model, shape, us (median), spread (distance of the quartiles over it),
// gbps, tflops, limit (memory or product), share, bytes, flops, repeats, finite, products (who makes those inside the
// head: DEREASON_MATMUL); peer, peer_us and ratio (peer over us: above 1 we are faster) of the fastest peer, and peers,
// all of them. The first line is the machine. lab/bench/peers.py measures PyTorch's side. With --in-graph, instead, of
// kernels that only move memory: graph_kernel, model, shape, graph_us, graph_share.
#include "lab/bench/bench.h"
#include "kernels/cuda/operations.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>

extern "C" const Kernels *kernels_cuda_open(void);

struct BenchOptions {
    std::string model = "all", only;
    int repeats = 21;
    bool plain = true, smoke = false, list = false, in_graph = false;
    double copy = 0, product = 0; // what another program measured on this machine, bytes and operations a second
    FILE *json = NULL;
};

// Bytes and operations a second that this machine reaches at best.
struct Ceilings {
    double copy, product;
    std::string product_by;
};

struct Bench {
    BenchOptions options;
    const Kernels *kernels;
    Memory memory;
    Timer timer;
    Ceilings ceilings;
    std::string products; // who makes them inside the head
    int bad;              // kernels that left something that is no number
};

static const Sizes MODELS[] = {{"4B", 2560, 32, 8, 128, 9728, 151936}, // first what matters most, should time run out
                               {"0.6B", 1024, 16, 8, 128, 3072, 151936},
                               {"8B", 4096, 32, 8, 128, 12288, 151936}};
static const Sizes TINY = {"tiny", 64, 2, 1, 64, 96, 304};

// ---- the machine's limits

static double measure_copy(Bench *b)
{
    size_t bytes = b->options.smoke ? (size_t)1 << 16 : (size_t)4 << 30;
    float *from = b->memory.floats((int64_t)bytes / 4, NORMAL), *to = b->memory.empty_floats((int64_t)bytes / 4);
    Timing t = b->timer.measure([=] { PRECISION::copy_all(NULL, to, from, bytes); }, b->options.repeats);
    b->memory.release();
    return 2 * (double)bytes / t.microseconds * 1e6;
}

static double measure_product(Bench *b, bool library)
{
    int64_t n = b->options.smoke ? 64 : 8192;
    Tensor x = b->memory.tensor(n, n, NORMAL), w = b->memory.tensor(n, n, NORMAL), y = b->memory.empty(n, n);
    Product p = {MATMUL_FORWARD, n, n, n, x.data, w.data, y.data, n, n, n, false, false};
    bool there = library ? PRECISION::product_library(NULL, &p) : true;
    Timing t = {INFINITY, 0, 0};
    if (there)
        t = b->timer.measure(
            [&] { library ? (void)PRECISION::product_library(NULL, &p) : PRECISION::product_own(NULL, &p); },
            b->options.repeats);
    b->memory.release();
    return 2 * (double)n * (double)n * (double)n / t.microseconds * 1e6;
}

static void measure_ceilings(Bench *b)
{
    double own = measure_product(b, false), library = measure_product(b, true), copy = measure_copy(b);
    Ceilings *c = &b->ceilings;
    c->copy = std::fmax(copy, b->options.copy);
    c->product = std::fmax(std::fmax(own, library), b->options.product);
    b->products = library > 0 ? getenv("DEREASON_MATMUL") : "own";
    c->product_by = c->product == own ? "own" : c->product == library ? "cublaslt" : "another program";
    printf(
        "%s\ncopy %.0f GB/s (read and written); bf16 product of 8192 x 8192 x 8192: own %.1f TFLOP/s, cuBLASLt %.1f\n"
        "ceilings: %.0f GB/s, %.1f TFLOP/s (%s)\n\n",
        b->kernels->device(), copy / 1e9, own / 1e12, library / 1e12, c->copy / 1e9, c->product / 1e12,
        c->product_by.c_str());
    if (b->options.json != NULL)
        fprintf(b->options.json,
                "{\"machine\": \"%s\", \"copy_gbps\": %.1f, \"product_tflops\": %.2f, \"product_by\": \"%s\", "
                "\"own_tflops\": %.2f, "
                "\"cublaslt_tflops\": %.2f, \"ceiling_copy_gbps\": %.1f}\n",
                b->kernels->device(), copy / 1e9, c->product / 1e12, c->product_by.c_str(), own / 1e12, library / 1e12,
                c->copy / 1e9);
}

// ---- one case

// The ends of the result hold numbers: what was poisoned and never written does not.
static bool result_is_finite(const Kernels *kernels, const Work &work)
{
    int64_t n = work.result_count < 65536 ? work.result_count : 65536;
    size_t size = work.result_is_float ? sizeof(float) : kernels->activation_size;
    std::vector<float> host((size_t)n);
    for (int64_t first : {(int64_t)0, work.result_count - n}) {
        const char *at = (const char *)work.result + (size_t)first * size;
        if (!(work.result_is_float ? kernels->download(NULL, host.data(), at, (size_t)n * size)
                                   : kernels->download_widened(NULL, host.data(), at, n)))
            return false;
        for (float x : host)
            if (!std::isfinite(x))
                return false;
    }
    return true;
}

struct PeerTime {
    std::string name;
    double microseconds;
};

static std::vector<PeerTime> time_peers(Bench *b, const Work &work)
{
    std::vector<PeerTime> times;
    for (const Peer &peer : work.peers) {
        if (!peer.run())
            continue;
        int repeats = peer.repeats < b->options.repeats ? peer.repeats : b->options.repeats;
        times.push_back({peer.name, b->timer.measure([&] { peer.run(); }, repeats).microseconds});
    }
    return times;
}

static const PeerTime *fastest(const std::vector<PeerTime> &peers)
{
    const PeerTime *best = NULL;
    for (const PeerTime &p : peers)
        if (best == NULL || p.microseconds < best->microseconds)
            best = &p;
    return best;
}

static void print_line(const Bench *b, const Case &c, const Timing &t, bool finite, const std::vector<PeerTime> &peers)
{
    double by_memory = c.bytes / b->ceilings.copy, by_product = c.flops / b->ceilings.product;
    double share = std::fmax(by_memory, by_product) * 1e6 / t.microseconds;
    double gbps = c.bytes / t.microseconds / 1e3, tflops = c.flops / t.microseconds / 1e6;
    const char *limit = by_memory > by_product ? "memory" : "product";
    printf("%-25s %-5s %-46s %10.1f us  %7.0f GB/s  %6.1f TFLOP/s  %5.1f%% of %-7s%s", c.kernel.c_str(),
           c.model.c_str(), c.shape.c_str(), t.microseconds, gbps, tflops, 100 * share, limit,
           finite ? "" : "  NOT A NUMBER");
    for (const PeerTime &p : peers)
        printf("  %s %.1f us (%.2f)", p.name.c_str(), p.microseconds, p.microseconds / t.microseconds);
    printf("\n");
    FILE *f = b->options.json;
    if (f == NULL)
        return;
    fprintf(
        f,
        "{\"kernel\": \"%s\", \"model\": \"%s\", \"shape\": \"%s\", \"us\": %.3f, \"spread\": %.4f, \"gbps\": %.1f, "
        "\"tflops\": %.2f, \"limit\": \"%s\", \"share\": %.4f, \"bytes\": %.0f, \"flops\": %.0f, \"repeats\": %d, "
        "\"finite\": %s, \"products\": \"%s\", ",
        c.kernel.c_str(), c.model.c_str(), c.shape.c_str(), t.microseconds, t.spread, gbps, tflops, limit, share,
        c.bytes, c.flops, t.repeats, finite ? "true" : "false", b->products.c_str());
    if (const PeerTime *p = fastest(peers))
        fprintf(f, "\"peer\": \"%s\", \"peer_us\": %.3f, \"ratio\": %.4f, ", p->name.c_str(), p->microseconds,
                p->microseconds / t.microseconds);
    fprintf(f, "\"peers\": {");
    for (size_t i = 0; i < peers.size(); i++)
        fprintf(f, "%s\"%s\": %.3f", i ? ", " : "", peers[i].name.c_str(), peers[i].microseconds);
    fprintf(f, "}}\n");
    fflush(f);
}

static void measure(Bench *b, const Case &c)
{
    Work work = c.prepare(b->memory);
    Timing t = b->timer.measure(work.run, b->options.repeats);
    bool finite = result_is_finite(b->kernels, work);
    b->bad += !finite;
    print_line(b, c, t, finite, time_peers(b, work));
    fflush(stdout);
    b->memory.release();
}

// A kernel that only moves memory, as one launch among many of a graph
static void measure_in_graph(Bench *b, const Case &c)
{
    Work work = c.prepare(b->memory);
    double us = b->timer.in_graph(work.run, b->options.repeats);
    b->memory.release();
    double share = c.bytes / b->ceilings.copy * 1e6 / us;
    printf("%-25s %-5s %-46s %10.1f us in a graph  %5.1f%% of memory\n", c.kernel.c_str(), c.model.c_str(),
           c.shape.c_str(), us, 100 * share);
    fflush(stdout);
    if (b->options.json == NULL || !std::isfinite(share))
        return;
    fprintf(b->options.json,
            "{\"graph_kernel\": \"%s\", \"model\": \"%s\", \"shape\": \"%s\", \"graph_us\": %.3f, "
            "\"graph_share\": %.4f}\n",
            c.kernel.c_str(), c.model.c_str(), c.shape.c_str(), us, share);
    fflush(b->options.json);
}

// ---- all of them

static std::vector<Case> all_cases(const BenchOptions &o, const Kernels *kernels)
{
    std::vector<Case> cases;
    auto add = [&](const Sizes &sizes, const Extent &extent) {
        for (const Case &c : bench_cases(kernels, sizes, extent))
            if ((c.kernel + " " + c.shape).find(o.only) != std::string::npos)
                cases.push_back(c);
    };
    if (o.smoke)
        add(TINY, Extent{48, {{1, 48}, {2, 24}}, {1}, {{2, 70}, {8, 260}}, o.plain});
    for (const Sizes &sizes : MODELS)
        if (!o.smoke && (o.model == "all" || o.model == sizes.model))
            add(sizes, Extent{4096,
                              {{1, 4096}, {4, 4096}, {1, 16384}},
                              {1, 16, 64, 256},
                              {{1, 16384}, {64, 1024}, {64, 8192}, {256, 1024}},
                              o.plain && sizes.C == MODELS[0].C});
    return cases;
}

static int list_cases(const BenchOptions &o)
{
    const Kernels *kernels = kernels_for_plan("cuda");
    for (const Case &c : all_cases(o, kernels))
        printf("%-25s %-5s %-46s %10.1f MB  %10.2f GFLOP\n", c.kernel.c_str(), c.model.c_str(), c.shape.c_str(),
               c.bytes / 1e6, c.flops / 1e9);
    return 0;
}

static int run(const BenchOptions &o)
{
    setenv("DEREASON_CUDA", "bf16", 1);
    setenv("DEREASON_MATMUL", "cublaslt", 0); // a peer need not have our bits
    const Kernels *kernels = kernels_cuda_open();
    if (kernels == NULL) { // no library: without that peer then
        error_clear();
        setenv("DEREASON_MATMUL", "own", 1);
        kernels = kernels_cuda_open();
    }
    if (kernels == NULL) {
        fprintf(stderr, "kernel_bench: %s\n", error_text());
        return 1;
    }
    Bench b = {o, kernels, Memory(kernels), Timer(kernels, o.smoke), {}, "", 0};
    measure_ceilings(&b);
    for (const Case &c : all_cases(o, kernels))
        if (!o.in_graph)
            measure(&b, c);
        else if (c.flops == 0)
            measure_in_graph(&b, c);
    if (b.bad > 0)
        fprintf(stderr, "kernel_bench: %d kernels left something that is no number\n", b.bad);
    return b.bad > 0;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: kernel_bench [--model 4B|0.6B|8B|all] [--only TEXT] [--repeats N] [--json FILE] [--no-plain] [--list] "
        "[--smoke]\n                    [--in-graph] [--ceilings GB/s TFLOP/s]\n"
        "  --only      kernels whose name or shape has TEXT in it\n"
        "  --in-graph  kernels that only move memory, each as one launch among many of a graph\n"
        "  --ceilings  measured elsewhere on this machine; taken where they are higher than those measured here\n"
        "  --list      the cases with their bytes and operations; needs no GPU\n"
        "  --smoke     tiny shapes, the host's clock, once: does every case run?\n");
    return 2;
}

static bool read_options(BenchOptions *o, int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        std::string a = arguments[i];
        if (a == "--model" && i + 1 < count)
            o->model = arguments[++i];
        else if (a == "--only" && i + 1 < count)
            o->only = arguments[++i];
        else if (a == "--repeats" && i + 1 < count)
            o->repeats = atoi(arguments[++i]);
        else if (a == "--json" && i + 1 < count && o->json == NULL)
            o->json = fopen(arguments[++i], "w");
        else if (a == "--ceilings" && i + 2 < count)
            o->copy = 1e9 * atof(arguments[i + 1]), o->product = 1e12 * atof(arguments[i + 2]), i += 2;
        else if (a == "--no-plain")
            o->plain = false;
        else if (a == "--list")
            o->list = true;
        else if (a == "--in-graph")
            o->in_graph = true;
        else if (a == "--smoke")
            o->smoke = true, o->repeats = 1;
        else
            return false;
        if (a == "--json" && o->json == NULL)
            return false;
    }
    bool known = o->model == "all";
    for (const Sizes &sizes : MODELS)
        known = known || o->model == sizes.model;
    return known && o->repeats >= 1;
}

int main(int count, char **arguments)
{
    BenchOptions options;
    if (!read_options(&options, count, arguments))
        return usage();
    return options.list ? list_cases(options) : run(options);
}
