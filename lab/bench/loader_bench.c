// build/loader_bench [FOLDER...]: how fast the loader plans steps and fills their micro-batches from a warm page cache,
// in every order and on one thread; and how evenly a step's cost is dealt. FOLDERs are shards for SFT, as ./prepare
// makes them; without any, a set is made up. Balance is the cost of a step's costliest micro-batch over the mean of all
// of them; the last step of an epoch has fewer documents and is left out.
#include "data/loader.h"
#include "data/prefetch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MADE_UP = 20000, MADE_UP_LONGEST = 4096, GLOBAL_BATCH = 128, SLOTS = 8 };

static const struct {
    const char *name;
    LoaderOrder order;
} ORDERS[] = {{"random", ORDER_RANDOM}, {"sorted", ORDER_SORTED}, {"shuffled", ORDER_SHUFFLED}, {"mixed", ORDER_MIXED}};

// ---- a set of documents, made up

// Lengths around 230 tokens with a long tail, as those of MATH with its solutions.
static uint32_t made_up_length(uint32_t i)
{
    Philox bits = random_bits(1, RANDOM_DEMO, i, 0, 0);
    double u = random_uniform(bits.v[0]), v = random_uniform(bits.v[1]);
    double length = 230 * exp(0.65 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    return length < 40 ? 40 : length > MADE_UP_LONGEST ? MADE_UP_LONGEST : (uint32_t)length;
}

static bool add_made_up(ShardWriter *writer, uint32_t i)
{
    static int32_t ids[MADE_UP_LONGEST];
    static const char *const sources[] = {"algebra", "geometry", "counting"};
    uint32_t length = made_up_length(i), prompt = length / 3;
    const char *source = sources[i % 3];
    for (uint32_t t = 0; t < length; t++)
        ids[t] = (int32_t)((i + 31 * t) % 50000);
    Span span = {prompt, length};
    return shard_writer_add(writer, &(ShardEntry){.ids = ids,
                                                  .spans = &span,
                                                  .tokens = length,
                                                  .prompt = prompt,
                                                  .trained = length - prompt,
                                                  .span_count = 1,
                                                  .difficulty = 1 + (int)((uint64_t)i * 5 / MADE_UP),
                                                  .key = i,
                                                  .id = {"made up", 7},
                                                  .source = {source, strlen(source)}});
}

static bool make_up(const char *folder)
{
    ShardAbout about = {.kind = SHARD_SFT, .template = TEMPLATE_UNKNOWN};
    ShardWriter *writer = shard_writer_open(folder, &about);
    int shards;
    bool ok = writer != NULL;
    for (uint32_t i = 0; ok && i < MADE_UP; i++)
        ok = add_made_up(writer, i);
    ok = ok && shard_writer_finish(writer, &shards);
    shard_writer_close(writer);
    return ok;
}

// ---- speed

static bool plan_and_fill(Loader *loader, int64_t steps, int64_t *tokens)
{
    for (int64_t step = 0; step < steps; step++) {
        StepPlan plan;
        Ragged batch;
        TRY(loader_plan(loader, step, &plan));
        for (int64_t m = 0; m < plan.micro_batches; m++)
            TRY(loader_micro_batch(loader, &plan, m, &batch));
        *tokens += plan.tokens;
    }
    return true;
}

static bool take_all(Loader *loader, int64_t steps, int64_t *tokens, double *waited)
{
    const StepBatches *step;
    Prefetch *prefetch = prefetch_open(loader, 0, steps, 0, 1);
    bool ok = prefetch != NULL;
    for (int64_t i = 0; ok && i < steps; i++) {
        ok = prefetch_next(prefetch, &step);
        *tokens += ok ? step->plan.tokens : 0;
    }
    *waited = ok ? prefetch_waited(prefetch) : 0;
    if (prefetch != NULL)
        prefetch_close(prefetch);
    return ok;
}

static bool time_plans(Loader *loader, int64_t steps, double *time)
{
    StepPlan plan;
    double begin = clock_seconds();
    for (int64_t step = 0; step < steps; step++)
        TRY(loader_plan(loader, step, &plan));
    *time = clock_seconds() - begin;
    return true;
}

static bool time_loader(Loader *loader, const char *name)
{
    int64_t epoch = loader_steps_per_epoch(loader), steps = epoch, tokens = 0, taken = 0;
    double time = 0, plans, waited;
    while (time < 0.5) { // the first round also warms the cache
        tokens = 0;
        double begin = clock_seconds();
        TRY(plan_and_fill(loader, steps, &tokens));
        time = clock_seconds() - begin;
        steps += time < 0.5 ? steps : 0;
    }
    TRY(time_plans(loader, steps, &plans));
    double begin = clock_seconds();
    TRY(take_all(loader, steps, &taken, &waited));
    double ahead = clock_seconds() - begin;
    printf("%-9s %6.0f million tokens/s; a plan takes %.0f us; through the thread %6.0f million tokens/s\n", name,
           (double)tokens / time * 1e-6, plans / (double)steps * 1e6, (double)taken / ahead * 1e-6);
    return true;
}

// ---- balance

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double costliest_over_mean(const Loader *loader, const StepPlan *plan)
{
    double sum = 0, most = 0;
    for (int64_t m = 0; m < plan->micro_batches; m++) {
        double cost = 0;
        for (int64_t i = plan->first[m]; i < plan->first[m + 1]; i++) {
            double length = loader->documents->list[plan->numbers[i]].length;
            cost += length * ((double)loader->options.linear_cost + length / 2);
        }
        sum += cost;
        most = cost > most ? cost : most;
    }
    return most / (sum / (double)plan->micro_batches);
}

static bool balance(Loader *loader, const char *name)
{
    int64_t steps = loader->documents->count / loader->options.global_batch, micro_batches = 0; // full ones
    double *ratios = allocate((size_t)steps + 1, sizeof *ratios);
    bool ok = ratios != NULL;
    for (int64_t step = 0; ok && step < steps; step++) {
        StepPlan plan;
        ok = loader_plan(loader, step, &plan);
        ratios[step] = ok ? costliest_over_mean(loader, &plan) : 0;
        micro_batches += ok ? plan.micro_batches : 0;
    }
    if (ok && steps > 0) {
        qsort(ratios, (size_t)steps, sizeof *ratios, ascending);
        printf("%-9s %6" PRId64
               " tokens a micro-batch, %5.1f of them a step: costliest over mean %.4f (median of %" PRId64
               " steps), %.4f (worst)\n",
               name, loader->options.micro_batch_tokens, (double)micro_batches / (double)steps, ratios[steps / 2],
               steps, ratios[steps - 1]);
    }
    free(ratios);
    return ok;
}

// ----

static bool with_loader(const Documents *documents, size_t order, int64_t tokens,
                        bool (*measure)(Loader *, const char *))
{
    Loader loader;
    LoaderOptions options = {.seed = 1,
                             .order = ORDERS[order].order,
                             .global_batch = GLOBAL_BATCH,
                             .micro_batch_tokens = tokens,
                             .slots = SLOTS};
    TRY(loader_open(&loader, documents, &options));
    bool ok = measure(&loader, ORDERS[order].name);
    loader_close(&loader);
    return ok;
}

static bool bench(const char *const *folders, size_t count)
{
    Documents documents;
    DocumentOptions options = {
        .kind = SHARD_SFT, .seq_len = 1 << 20, .vocabulary = INT32_MAX, .template = TEMPLATE_UNKNOWN};
    double begin = clock_seconds();
    TRY(documents_open(&documents, &options, folders, count));
    printf("%" PRId64 " documents of %" PRId64 " tokens, opened and checked in %.3f s\n", documents.count,
           documents.tokens, clock_seconds() - begin);
    bool ok = true;
    for (size_t order = 0; ok && order < sizeof ORDERS / sizeof ORDERS[0]; order++)
        ok = with_loader(&documents, order, 16384, time_loader);
    for (int64_t tokens = 16384; ok && tokens >= 4096; tokens /= 4)
        for (size_t order = 0; ok && order < sizeof ORDERS / sizeof ORDERS[0]; order++)
            ok = with_loader(&documents, order, tokens, balance);
    documents_close(&documents);
    return ok;
}

static bool bench_made_up(void)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = path_join(temporary != NULL ? temporary : "/tmp", "loader-bench-XXXXXX");
    TRY(folder != NULL);
    bool made = mkdtemp(folder) != NULL || fail_errno("%s: making a folder", folder);
    bool ok = made && make_up(folder) && bench((const char *const[]){folder}, 1);
    if (made)
        ok = folder_remove(folder) && ok;
    free(folder);
    return ok;
}

int main(int count, char **arguments)
{
    bool ok = count > 1 ? bench((const char *const *)(arguments + 1), (size_t)count - 1) : bench_made_up();
    if (!ok)
        fprintf(stderr, "loader_bench: %s\n", error_text());
    return ok ? 0 : 1;
}
