// build/generate_bench --model FOLDER [--batch B] [--prompt P] [--new N] [--repeats R] [--threads T] [--device auto|cpu|cuda]
// How fast the engine computes prompts and decodes: B requests of P random tokens each, N tokens after the first, greedy so that
// nothing ends early. One line of JSON with the medians of R runs: B·P tokens over the time to the first tokens, B·N over the time of
// the passes behind it. dev/bench/generate_bench.py puts its peers beside it. (FOLDER needs a config.json; without weights in it they
// are random.)
#include "model/engine.h"
#include "model/folder.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS_MOST = 101 };

typedef struct Bench {
    const char *model, *device;
    int64_t batch, prompt, new_tokens, repeats, threads;
} Bench;

typedef struct Times {
    double prefill, decode; // seconds
} Times;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool add_requests(Engine *e, const Bench *b, int64_t vocabulary, int64_t run)
{
    int32_t *prompt = allocate((size_t)b->prompt, sizeof *prompt);
    TRY(prompt != NULL);
    bool ok = true;
    for (int64_t n = 0; ok && n < b->batch; n++) {
        for (int64_t i = 0; i < b->prompt; i++)
            prompt[i] = (int32_t)(random_bits((uint64_t)run, RANDOM_DEMO, (uint32_t)n, (uint32_t)i, 0).v[0] % (uint32_t)vocabulary);
        GenerationRequest r = {.tag = (uint64_t)n, .prompt = prompt, .prompt_count = b->prompt, .samples = 1, .top_p = 1};
        r.max_new_tokens = b->new_tokens + 1; // one of them comes with the prompt
        ok = engine_add(e, &r);
    }
    free(prompt);
    return ok;
}

static bool run_once(Model *m, const Bench *b, int64_t run, Times *times)
{
    Engine *e = engine_open(m, m->config.vocabulary);
    TRY(e != NULL);
    GenerationResult result;
    bool ok = add_requests(e, b, m->config.vocabulary, run);
    double start = seconds(), first = start;
    while (ok && engine_statistics(e).sampled_tokens < b->batch) {
        ok = engine_step(e);
        first = seconds();
    }
    while (ok && !engine_empty(e)) {
        ok = engine_step(e);
        while (engine_next(e, &result)) {
        }
    }
    *times = (Times){first - start, seconds() - first};
    engine_close(e);
    return ok;
}

static bool open_model(Model *m, const Bench *b)
{
    Bytes folder = {0}, path = {0}, weights = {0};
    ModelConfig config;
    const Kernels *kernels = kernels_open(b->device, (int)b->threads);
    TRY(kernels != NULL && model_folder_find(&folder, b->model));
    TRY(bytes_printf(&path, "%s/config.json", folder.data) && config_read(&config, path.data));
    TRY(bytes_printf(&weights, "%s/model.safetensors", folder.data));
    int64_t positions = b->prompt + b->new_tokens + 2, pages = b->batch * ceil_divide(positions, KEY_BLOCK) + 2;
    int64_t tokens = b->batch * b->prompt < 4096 ? b->batch * b->prompt : 4096;
    ModelLimits limits = {.cache = {.tokens = tokens > b->batch ? tokens : b->batch, .rows = b->batch, .sequences = b->batch}};
    limits.cache.positions = positions;
    limits.cache.pages = pages;
    TRY(model_open(m, &config, &limits, kernels, false));
    return file_exists(weights.data) ? model_load(m, folder.data) : model_initialise(m, 1);
}

static bool bench(const Bench *b)
{
    Model m;
    double prefill[RUNS_MOST], decode[RUNS_MOST];
    Times times;
    TRY(open_model(&m, b) && run_once(&m, b, 0, &times)); // once to warm up
    for (int64_t i = 0; i < b->repeats; i++) {
        TRY(run_once(&m, b, i, &times));
        prefill[i] = times.prefill;
        decode[i] = times.decode;
    }
    qsort(prefill, (size_t)b->repeats, sizeof *prefill, by_size);
    qsort(decode, (size_t)b->repeats, sizeof *decode, by_size);
    printf("{\"batch\": %" PRId64 ", \"prompt\": %" PRId64 ", \"new\": %" PRId64 ", \"prefill_tokens_per_second\": %.2f, "
           "\"decode_tokens_per_second\": %.2f, \"kernels\": \"%s\", \"device\": \"%s\"}\n",
           b->batch, b->prompt, b->new_tokens, (double)(b->batch * b->prompt) / prefill[b->repeats / 2],
           (double)(b->batch * b->new_tokens) / decode[b->repeats / 2], m.kernels->name, m.kernels->device());
    model_close(&m);
    return true;
}

int main(int count, char **arguments)
{
    Bench b = {.device = "auto", .batch = 1, .prompt = 64, .new_tokens = 64, .repeats = 3};
    const struct {
        const char *name;
        int64_t *value;
        int64_t least, most;
    } numbers[] = {{"--batch", &b.batch, 1, 4096},         {"--prompt", &b.prompt, 1, 1 << 20}, {"--new", &b.new_tokens, 1, 1 << 20},
                   {"--repeats", &b.repeats, 1, RUNS_MOST}, {"--threads", &b.threads, 0, 4096}};
    bool usage = false;
    for (int i = 1; i < count && !usage; i += 2) {
        bool known = i + 1 < count && (strcmp(arguments[i], "--model") == 0 || strcmp(arguments[i], "--device") == 0);
        if (known)
            *(arguments[i][2] == 'm' ? &b.model : &b.device) = arguments[i + 1];
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers && !known && i + 1 < count; n++)
            if (strcmp(arguments[i], numbers[n].name) == 0) {
                *numbers[n].value = strtoll(arguments[i + 1], NULL, 10);
                known = *numbers[n].value >= numbers[n].least && *numbers[n].value <= numbers[n].most;
            }
        usage = !known;
    }
    if (usage || b.model == NULL) {
        fputs("usage: generate_bench --model FOLDER [--batch B] [--prompt P] [--new N] [--repeats R] [--threads T] [--device "
              "auto|cpu|cuda]\n",
              stderr);
        return 2;
    }
    if (bench(&b))
        return 0;
    fprintf(stderr, "generate_bench: %s\n", error_text());
    return 1;
}
