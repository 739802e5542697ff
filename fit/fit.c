// A program's total memory, and the search for options that make it fit: see fit.h. The texts about it are in
// fit_say.c.
#include "fit/fit_internal.h"
#include <math.h>
#include <string.h>

// ---- one model

static bool model_bytes(double *bytes, double *activations, const ModelNeeds *n, const ModelLimits *limits,
                        const Kernels *kernels)
{
    Model model;
    Optimizer optimizer = {.bf16_moments = n->bf16_moments};
    TRY(model_open(&model, &n->config, limits, kernels, true));
    bool ok = !limits->training || optimizer_open(&optimizer, &model, true);
    *activations = (double)model.activations.bytes;
    *bytes = (double)model.state.bytes + *activations + (double)optimizer.state.bytes;
    if (limits->training)
        optimizer_close(&optimizer);
    model_close(&model);
    return ok;
}

int64_t cache_whole(const CacheLimits *limits) { return ceil_divide(limits->positions, KEY_BLOCK) + 1; }

double cache_page_bytes(const ModelConfig *config, const Kernels *kernels)
{
    return 2.0 * (double)config->layers * (double)kernels->page_elements(config->kv_heads, config->head_width) *
           (double)kernels->activation_size;
}

bool cache_pages(int64_t *pages, const ModelNeeds *n, const Kernels *kernels, double room)
{
    enum { FEWEST = 2 };
    const CacheLimits *cache = &n->limits.cache;
    double page = cache_page_bytes(&n->config, kernels), most = (double)(n->cache_bytes) / page;
    double wanted = (double)cache->sequences * (double)(cache_whole(cache) - 1) + 1;
    if (n->cache_bytes == 0) {
        ModelLimits both = n->limits, generating = {.adapters = n->limits.adapters, .cache = *cache};
        double all, all_activations, unused, its_own;
        both.cache.pages = generating.cache.pages = FEWEST;
        TRY(model_bytes(&all, &all_activations, n, &both, kernels) &&
            model_bytes(&unused, &its_own, n, &generating, kernels));
        double left = room > all ? room - all : 0, again = all_activations - its_own;
        double whole = fmin((double)cache_whole(cache), FEWEST + floor((again + left) / page));
        double more = left * (kernels->on_gpu ? 1 : 0.5);
        more = n->cache_most > 0 ? fmin(more, (double)n->cache_most) : more;
        most = fmax(whole, FEWEST + floor((again + more) / page));
        if (room < all && again == 0)
            most = 0;
    }
    *pages = (int64_t)(most < wanted ? most : wanted);
    return true;
}

// ---- all of them

// The total of the needs, with their pages chosen. Errors on the way are dropped: a plan that fails does not fit.
static bool measure(Fit *fit, const Needs *needs)
{
    double unused, bytes, others = 0;
    fit->needs = *needs;
    fit->fits = true;
    for (int i = 0; i < needs->other_count; i++) {
        ModelNeeds *n = &fit->needs.others[i];
        if (n->limits.cache.tokens > 0)
            TRY(cache_pages(&n->limits.cache.pages, n, fit->kernels, INFINITY));
        TRY(model_bytes(&bytes, &unused, n, &n->limits, fit->kernels));
        others += bytes;
    }
    ModelNeeds *own = &fit->needs.own;
    CacheLimits *cache = &own->limits.cache;
    bool known = fit->memory.bytes >= 0;
    if (cache->tokens > 0) {
        int64_t whole = cache_whole(cache);
        TRY(cache_pages(&cache->pages, own, fit->kernels, known ? fit->memory.bytes - others : 0));
        bool enough = cache->pages >= (own->cache_bytes > 0 && !own->limits.training ? 2 : whole);
        fit->fits = enough || !known;
        if (!enough)
            cache->pages = whole;
    }
    TRY(model_bytes(&bytes, &unused, own, &own->limits, fit->kernels));
    fit->bytes = bytes + others;
    fit->fits = fit->fits && (!known || fit->bytes <= fit->memory.bytes);
    return true;
}

// ---- possible changes, those that cost least speed first

static bool smaller_micro_batch(Needs *n)
{
    enum { LEAST = 256 };
    if (n->micro_batch_tokens / 2 < LEAST || n->micro_batch_tokens <= n->longest)
        return false;
    n->micro_batch_tokens /= 2;
    int64_t most = n->micro_batch_tokens > n->longest ? n->micro_batch_tokens : n->longest;
    for (int i = -1; i < n->other_count; i++) {
        ModelLimits *l = i < 0 ? &n->own.limits : &n->others[i].limits;
        l->tokens = l->tokens < most ? l->tokens : most;
        l->rows = l->rows < l->tokens ? l->rows : l->tokens;
        l->sequences = l->sequences < l->tokens ? l->sequences : l->tokens;
    }
    return true;
}

static bool fewer_pass_tokens(CacheLimits *c)
{
    enum { LEAST = 256 };
    if (c->tokens / 4 < LEAST || c->tokens / 4 < c->sequences)
        return false;
    c->tokens /= 4;
    return true;
}

static bool fewer_sequences(CacheLimits *c)
{
    enum { LEAST = 4, PROBED = 128 };
    int64_t fewer = c->sequences / 4;
    if (fewer < LEAST)
        return false;
    int64_t probes = (c->rows - c->sequences) / (c->sequences < PROBED ? c->sequences : PROBED); // of one sequence
    c->rows = fewer + probes * (fewer < PROBED ? fewer : PROBED);
    c->sequences = fewer;
    return true;
}

static bool shorter_context(CacheLimits *c)
{
    enum { LEAST = 256 };
    if (c->positions / 2 < LEAST)
        return false;
    c->positions /= 2;
    return true;
}

enum { CACHE, RECOMPUTE, SHARD, MOMENTS, MICRO_BATCH, PASS_TOKENS, SEQUENCES, CONTEXT, CHANGES };

// Makes the change one step larger; false: it cannot.
static bool change(Needs *n, int what)
{
    ModelLimits *l = &n->own.limits;
    bool dividable = l->division.ranks > 1 && !l->division.weights && l->cache.tokens == 0 && l->adapters.rank == 0;
    bool possible = what == CACHE         ? n->own.cache_bytes > 0
                    : what == RECOMPUTE   ? l->training && !l->recompute
                    : what == SHARD       ? l->training && dividable
                    : what == MOMENTS     ? l->training && !n->own.bf16_moments
                    : what == MICRO_BATCH ? n->micro_batch_tokens > 0
                    : what == CONTEXT     ? n->has_context
                                          : l->cache.tokens > 0;
    if (!possible)
        return false;
    if (what == CACHE)
        n->own.cache_bytes = 0;
    if (what == RECOMPUTE)
        l->recompute = true;
    if (what == SHARD)
        l->division.weights = true;
    if (what == MOMENTS)
        n->own.bf16_moments = true;
    return what <= MOMENTS       ? true
           : what == MICRO_BATCH ? smaller_micro_batch(n)
           : what == PASS_TOKENS ? fewer_pass_tokens(&l->cache)
           : what == SEQUENCES   ? fewer_sequences(&l->cache)
                                 : shorter_context(&l->cache);
}

// The first combination that fits and takes less than `most`; of changes 0 to `last` the first vary fastest.
static bool search(Fit *found, const Needs *from, double most, int last)
{
    if (last < 0)
        return measure(found, from) && found->fits && found->bytes < most;
    Needs n = *from;
    do {
        if (search(found, &n, most, last - 1))
            return true;
    } while (change(&n, last));
    return false;
}

static bool say_changes(Bytes *out, const Needs *from, const Needs *to)
{
    const CacheLimits *a = &from->own.limits.cache, *b = &to->own.limits.cache;
    struct {
        bool differs;
        const char *option;
        int64_t value;
    } changes[] = {{from->own.cache_bytes != to->own.cache_bytes, "--cache", 0},
                   {from->micro_batch_tokens != to->micro_batch_tokens, "--micro-batch-tokens", to->micro_batch_tokens},
                   {a->tokens != b->tokens, "--pass-tokens", b->tokens},
                   {a->sequences != b->sequences, "--sequences", b->sequences},
                   {a->positions != b->positions, "--context", b->positions}};
    if (from->own.limits.recompute != to->own.limits.recompute)
        TRY(bytes_printf(out, "--recompute layer"));
    if (from->own.limits.division.weights != to->own.limits.division.weights)
        TRY(bytes_printf(out, "%s--shard weights", out->size > 0 ? " " : ""));
    if (from->own.bf16_moments != to->own.bf16_moments)
        TRY(bytes_printf(out, "%s--moments bf16", out->size > 0 ? " " : ""));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (changes[i].differs)
            TRY(bytes_printf(out, "%s%s %" PRId64, out->size > 0 ? " " : "", changes[i].option, changes[i].value));
    return true;
}

// Where it fits: which options would take less, in case the memory cannot be had after all.
static bool advise_less(Fit *fit)
{
    const ModelNeeds *own = &fit->needs.own;
    Fit found = {.kernels = fit->kernels, .memory = fit->memory};
    Bytes changes = {0};
    if (fit->memory.bytes < 0)
        return true;
    if (own->limits.cache.tokens > 0 && own->cache_bytes == 0) // it takes all that is left
        return bytes_text(&fit->advice, "a smaller --cache takes less");
    bool ok = !search(&found, &fit->needs, 0.95 * fit->bytes, CHANGES - 1) ||
              (say_changes(&changes, &fit->needs, &found.needs) &&
               bytes_printf(&fit->advice, "it takes less with %s (%.2f GiB)", changes.data, found.bytes / 0x1p30));
    bytes_free(&changes);
    return ok;
}

static bool advise(Fit *fit)
{
    Fit found = {.kernels = fit->kernels, .memory = fit->memory};
    Needs least = fit->needs;
    Bytes changes = {0};
    bytes_clear(&fit->advice);
    if (fit->fits)
        return advise_less(fit);
    bool there = search(&found, &fit->needs, INFINITY, CHANGES - 1);
    for (int what = 0; what < CHANGES && !there; what++)
        while (change(&least, what)) {
        }
    bool ok = (there || measure(&found, &least)) && say_changes(&changes, &fit->needs, &found.needs);
    if (ok && there)
        ok = bytes_printf(&fit->advice, "it fits with %s (%.2f GiB)", changes.data, found.bytes / 0x1p30);
    else if (ok)
        ok = bytes_printf(&fit->advice, "no option makes it fit%s%s (%.2f GiB); take a smaller model, or a larger %s",
                          changes.size > 0 ? ", not even " : "", changes.size > 0 ? changes.data : "",
                          found.bytes / 0x1p30, fit->kernels->on_gpu ? "card" : "machine");
    bytes_free(&changes);
    return ok;
}

bool fit_measure(Fit *fit, const Needs *needs)
{
    TRY(measure(fit, needs));
    if (needs->recompute_auto && !fit->fits) {
        Needs recomputed = *needs;
        recomputed.own.limits.recompute = true;
        TRY(measure(fit, &recomputed));
    }
    return true;
}

bool fit_choose(Fit *fit, const Needs *needs)
{
    TRY(fit_measure(fit, needs));
    return advise(fit);
}
