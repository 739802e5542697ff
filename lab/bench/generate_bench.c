// build/generate_bench --model FOLDER [--batch B] [--prompt P] [--new N] [--repeats R] [--threads T] [--device
// auto|cpu|cuda] How fast the engine computes prompts and decodes: B requests of P random tokens each, N tokens after
// the first, greedy so that nothing ends early. One line of JSON with the medians of R runs: B·P tokens over the time
// to the first tokens, B·N over the time of the passes behind it. lab/bench/generate_bench.py puts its peers beside it.
// (FOLDER needs a config.json; without weights in it they are random.)
//
// --workload B: instead, once, B requests with prompts and outputs of U(P, N) tokens each. Steady decoding are the
// passes from the last prompt to where half of the sequences have ended; its floor is the time in which the weights of
// every pass and the keys and values of every context can be read at --copy GB/s. A prefill's floor is the operations
// of the matrices over --product TFLOP/s. Shares of the floors are given where those two are.
#include "engine/engine.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include "pretrained/weights.h"
#include "system/files.h"
#include "system/machine.h"
#include <stdlib.h>
#include <string.h>

enum { RUNS_MOST = 101, PASS_TOKENS = 8192 };

typedef struct Bench {
    const char *model, *device;
    int64_t batch, prompt, new_tokens, repeats, threads, workload;
    int64_t copy, product; // GB/s, TFLOP/s; 0: not known
    Model m;
} Bench;

typedef struct Times {
    double prefill, decode; // seconds
} Times;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint32_t draw(uint64_t run, int64_t request, int64_t place, uint64_t below)
{
    return (uint32_t)(random_bits(run, RANDOM_DEMO, (uint32_t)request, (uint32_t)place, 0).v[0] % below);
}

// ---- requests

static bool add_request(Engine *e, const Bench *b, uint64_t run, int64_t n, int64_t prompt_count, int64_t new_tokens)
{
    int32_t *prompt = allocate((size_t)prompt_count, sizeof *prompt);
    TRY(prompt != NULL);
    for (int64_t i = 0; i < prompt_count; i++)
        prompt[i] = (int32_t)draw(run, n, i, (uint64_t)b->m.config.vocabulary);
    GenerationRequest r = {
        .tag = (uint64_t)n, .prompt = prompt, .prompt_count = prompt_count, .samples = 1, .top_p = 1};
    r.max_new_tokens = new_tokens;
    bool ok = engine_add(e, &r);
    free(prompt);
    return ok;
}

static bool add_requests(Engine *e, const Bench *b, uint64_t run)
{
    bool ok = true;
    for (int64_t n = 0; ok && n < b->batch; n++)
        ok = add_request(e, b, run, n, b->prompt, b->new_tokens + 1); // one of them comes with the prompt
    return ok;
}

static bool step(Engine *e)
{
    GenerationResult result;
    TRY(engine_step(e));
    while (engine_next(e, &result)) {
    }
    return true;
}

// ---- batches of equal requests

static bool run_once(Bench *b, uint64_t run, Times *times)
{
    Engine *e = engine_open(&b->m, b->m.config.vocabulary);
    TRY(e != NULL);
    bool ok = add_requests(e, b, run);
    double start = clock_seconds(), first = start;
    while (ok && engine_statistics(e).sampled_tokens < b->batch) {
        ok = step(e);
        first = clock_seconds();
    }
    while (ok && !engine_empty(e))
        ok = step(e);
    *times = (Times){first - start, clock_seconds() - first};
    engine_close(e);
    return ok;
}

// Operations of the matrices and of attention for one token of a prompt; the head, asked for a prompt's last token
// only, is not among them.
static double prompt_operations(const ModelConfig *c, int64_t length)
{
    int64_t C = c->width, q = c->heads * c->head_width, kv = c->kv_heads * c->head_width;
    double matrices = (double)c->layers * (double)(C * (2 * q + 2 * kv) + 3 * C * c->feed_forward);
    return 2 * matrices + 2 * (double)c->layers * (double)q * (double)(length + 1);
}

static bool run_batches(Bench *b)
{
    double prefill[RUNS_MOST], decode[RUNS_MOST];
    Times times;
    TRY(run_once(b, 0, &times)); // once to warm up
    for (int64_t i = 0; i < b->repeats; i++) {
        TRY(run_once(b, (uint64_t)i, &times));
        prefill[i] = times.prefill;
        decode[i] = times.decode;
    }
    qsort(prefill, (size_t)b->repeats, sizeof *prefill, by_size);
    qsort(decode, (size_t)b->repeats, sizeof *decode, by_size);
    double per_second = (double)(b->batch * b->prompt) / prefill[b->repeats / 2];
    printf("{\"generate\": \"dereason\", \"batch\": %" PRId64 ", \"prompt\": %" PRId64 ", \"new\": %" PRId64
           ", \"prefill_tokens_per_second\": %.2f, "
           "\"decode_tokens_per_second\": %.2f, ",
           b->batch, b->prompt, b->new_tokens, per_second, (double)(b->batch * b->new_tokens) / decode[b->repeats / 2]);
    double operations = per_second * prompt_operations(&b->m.config, b->prompt);
    printf("\"prefill_tflops\": %.3f, ", operations / 1e12);
    if (b->product > 0)
        printf("\"prefill_share\": %.4f, ", operations / 1e12 / (double)b->product);
    return true;
}

// ---- the workload

// Where steady decoding begins, and where it ends.
typedef struct Instant {
    double time;
    EngineStatistics statistics;
} Instant;

static Instant now(const Engine *e) { return (Instant){clock_seconds(), engine_statistics(e)}; }

static int64_t workload_prompt(const Bench *b, int64_t n)
{
    return b->prompt + draw(0, n, 1 << 20, (uint64_t)(b->new_tokens - b->prompt + 1));
}

static int64_t workload_output(const Bench *b, int64_t n)
{
    return b->prompt + draw(0, n, 1 << 21, (uint64_t)(b->new_tokens - b->prompt + 1));
}

static double weight_bytes(const Model *m)
{
    int64_t count = m->parameters.elements;
    if (!m->config.tied) // of the embedding only the tokens' rows are read
        count -= m->config.vocabulary * m->config.width;
    return (double)count * (double)m->kernels->activation_size;
}

static double key_bytes(const Model *m)
{
    const ModelConfig *c = &m->config;
    return (double)(2 * c->layers * c->kv_heads * c->head_width) * (double)m->kernels->activation_size;
}

static bool run_workload(Bench *b)
{
    Engine *e = engine_open(&b->m, b->m.config.vocabulary);
    TRY(e != NULL);
    bool ok = true;
    for (int64_t n = 0; ok && n < b->workload; n++)
        ok = add_request(e, b, 0, n, workload_prompt(b, n), workload_output(b, n));
    Instant start = now(e), begin = start, end = start;
    bool prompts = true; // in the last pass but one: a pass may still be computed when the next is queued
    while (ok && !engine_empty(e)) {
        int64_t before = engine_statistics(e).prompt_tokens;
        ok = step(e);
        Instant m = now(e);
        if (prompts)
            begin = end = m;
        else if (2 * m.statistics.sequences_running >= b->workload)
            end = m;
        prompts = m.statistics.prompt_tokens > before;
    }
    Instant last = now(e);
    engine_close(e);
    TRY(ok);
    int64_t passes = end.statistics.passes - begin.statistics.passes;
    int64_t tokens = end.statistics.sampled_tokens - begin.statistics.sampled_tokens;
    double bytes = (double)passes * weight_bytes(&b->m) +
                   (double)(end.statistics.keys_read - begin.statistics.keys_read) * key_bytes(&b->m);
    double time = end.time - begin.time;
    printf("{\"generate\": \"dereason\", \"workload\": %" PRId64 ", \"prompt_tokens\": %" PRId64
           ", \"sampled_tokens\": %" PRId64 ", \"seconds\": %.3f, "
           "\"sampled_tokens_per_second\": %.2f, \"seconds_to_steady\": %.3f, \"steady_passes\": %" PRId64
           ", \"steady_tokens\": %" PRId64
           ", \"steady_seconds\": %.3f, \"steady_tokens_per_second\": %.2f, \"steady_gbps\": %.1f, ",
           b->workload, last.statistics.prompt_tokens, last.statistics.sampled_tokens, last.time - start.time,
           (double)last.statistics.sampled_tokens / (last.time - start.time), begin.time - start.time, passes, tokens,
           time, (double)tokens / time, bytes / time / 1e9);
    printf("\"preemptions\": %" PRId64 ", \"graph_passes\": %" PRId64 ", ", last.statistics.preemptions,
           last.statistics.graph_passes);
    if (b->copy > 0)
        printf("\"steady_share_of_floor\": %.4f, ", bytes / 1e9 / (double)b->copy / time);
    return true;
}

// ---- all of it

static bool open_model(Bench *b)
{
    Bytes folder = {0}, path = {0}, weights = {0};
    ModelConfig config;
    const Kernels *kernels = kernels_open(b->device, (int)b->threads);
    TRY(kernels != NULL && model_folder_find(&folder, b->model));
    TRY(bytes_printf(&path, "%s/config.json", folder.data) && config_read(&config, path.data));
    TRY(bytes_printf(&weights, "%s/model.safetensors", folder.data));
    int64_t batch = b->workload > 0 ? b->workload : b->batch;
    int64_t positions = (b->workload > 0 ? 2 * b->new_tokens : b->prompt + b->new_tokens) + 2;
    int64_t pages = b->workload > 0 ? 0 : batch * ceil_divide(positions, KEY_BLOCK);
    for (int64_t n = 0; n < b->workload; n++)
        pages += ceil_divide(workload_prompt(b, n) + workload_output(b, n), KEY_BLOCK);
    int64_t tokens = b->workload == 0 && batch * b->prompt < PASS_TOKENS ? batch * b->prompt : PASS_TOKENS;
    ModelLimits limits = {.cache = {.tokens = tokens > batch ? tokens : batch, .rows = batch, .sequences = batch}};
    limits.cache.positions = positions;
    limits.cache.pages = pages + 2;
    TRY(model_open(&b->m, &config, &limits, kernels, false));
    return file_exists(weights.data) ? model_load(&b->m, folder.data) : model_initialise(&b->m, 1);
}

static bool bench(Bench *b)
{
    TRY(open_model(b) && (b->workload > 0 ? run_workload(b) : run_batches(b)));
    printf("\"model\": \"%s\", \"kernels\": \"%s\", \"device\": \"%s\"}\n", b->model, b->m.kernels->name,
           b->m.kernels->device());
    model_close(&b->m);
    return true;
}

static bool read_arguments(Bench *b, int count, char **arguments)
{
    const struct {
        const char *name;
        int64_t *value;
        int64_t least, most;
    } numbers[] = {{"--batch", &b->batch, 1, 4096},       {"--prompt", &b->prompt, 1, 1 << 20},
                   {"--new", &b->new_tokens, 1, 1 << 20}, {"--repeats", &b->repeats, 1, RUNS_MOST},
                   {"--threads", &b->threads, 0, 4096},   {"--workload", &b->workload, 1, 4096},
                   {"--copy", &b->copy, 0, 1 << 20},      {"--product", &b->product, 0, 1 << 20}};
    for (int i = 1; i < count; i += 2) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
        bool known = value != NULL && (strcmp(name, "--model") == 0 || strcmp(name, "--device") == 0);
        if (known)
            *(name[2] == 'm' ? &b->model : &b->device) = value;
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers && !known && value != NULL; n++)
            if (strcmp(name, numbers[n].name) == 0) {
                *numbers[n].value = strtoll(value, NULL, 10);
                known = *numbers[n].value >= numbers[n].least && *numbers[n].value <= numbers[n].most;
            }
        if (!known)
            return false;
    }
    return b->model != NULL && (b->workload == 0 || b->new_tokens >= b->prompt);
}

int main(int count, char **arguments)
{
    threads_wait_asleep(arguments);
    Bench b = {.device = "auto", .batch = 1, .prompt = 64, .new_tokens = 64, .repeats = 3};
    if (!read_arguments(&b, count, arguments)) {
        fputs("usage: generate_bench --model FOLDER [--batch B | --workload B] [--prompt P] [--new N] [--repeats R] "
              "[--threads T]\n"
              "                      [--device auto|cpu|cuda] [--copy GB/s] [--product TFLOP/s]\n",
              stderr);
        return 2;
    }
    if (bench(&b))
        return 0;
    fprintf(stderr, "generate_bench: %s\n", error_text());
    return 1;
}
