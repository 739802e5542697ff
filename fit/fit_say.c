// What users are told of a program's memory: see fit.h.
#include "fit/fit_internal.h"
#include "kernels/arena.h"
#include <string.h>

bool fit_open(Fit *fit, const MachineOptions *where)
{
    bool named = where->gpu[0] != 0, all = strcasecmp(where->gpu, "all") == 0;
    *fit = (Fit){.fits = true};
    if (named && !where->plan)
        return fail_as(ERROR_USAGE, "--gpu %s: names a card to plan for, with --plan; a run takes this machine's GPU",
                       where->gpu);
    if (named && strcmp(where->device.name, "cpu") == 0)
        return fail_as(ERROR_USAGE, "--gpu %s: plan for a GPU with --device cuda, not with --device cpu", where->gpu);
    TRY(!named || all || card_memory(&fit->memory, where->gpu));
    fit->kernels = !where->plan ? kernels_open(where->device.name, (int)where->threads)
                                : kernels_for_plan(named ? "cuda" : where->device.name);
    TRY(fit->kernels != NULL);
    if (all)
        fit->memory = (DeviceMemory){.bytes = -1, .name = "cards of several sizes"};
    else if (!named)
        device_memory(&fit->memory, fit->kernels);
    return true;
}

bool fit_open_training(Fit *fit, const MachineOptions *where, const OptionChoice *attention)
{
    kernels_take_attention((AttentionMaker)attention->place);
    return fit_open(fit, where);
}

void fit_close(Fit *fit)
{
    bytes_free(&fit->advice);
    *fit = (Fit){0};
}

// ---- the list

static bool print_model(const ModelNeeds *n, const Kernels *kernels, FILE *out)
{
    Model model;
    Optimizer optimizer = {.bf16_moments = n->bf16_moments};
    TRY(model_open(&model, &n->config, &n->limits, kernels, true));
    if (n->name != NULL)
        fprintf(out, "%s:\n", n->name);
    arena_print(&model.state, out);
    bool ok = !n->limits.training || optimizer_open(&optimizer, &model, true);
    if (ok && n->limits.training) {
        arena_print(&optimizer.state, out);
        optimizer_close(&optimizer);
    }
    arena_print(&model.activations, out);
    model_close(&model);
    return ok;
}

static int64_t at_once(const CacheLimits *c)
{
    int64_t whole = (c->pages - 1) / (cache_whole(c) - 1);
    return whole < c->sequences ? whole : c->sequences;
}

// How many sequences bf16 moments would leave room for.
static bool print_more_sequences(const Fit *fit, FILE *out)
{
    const ModelNeeds *own = &fit->needs.own;
    Fit other = {.kernels = fit->kernels, .memory = fit->memory};
    Needs needs = fit->needs;
    needs.own.bf16_moments = true;
    if (!own->limits.training || own->bf16_moments || !fit->fits || fit->memory.bytes < 0 ||
        at_once(&own->limits.cache) == own->limits.cache.sequences)
        return true;
    TRY(fit_measure(&other, &needs));
    fprintf(out, "  with --moments bf16, %" PRId64 " at once\n", at_once(&other.needs.own.limits.cache));
    return true;
}

// The number of sequences at once decides the rate of tokens.
static bool print_sequences(const Fit *fit, FILE *out)
{
    const CacheLimits *c = &fit->needs.own.limits.cache;
    if (c->tokens == 0)
        return true;
    int64_t tokens = (c->pages - 1) * KEY_BLOCK, all = at_once(c);
    fprintf(out, "keys and values: room for %" PRId64 " tokens, ", tokens);
    if (all == 0)
        fprintf(out, "where a sequence must end, although it may have %" PRId64 "\n", c->positions);
    else
        fprintf(out,
                "at once for %" PRId64 " of %" PRId64 " tokens each, or for --sequences %" PRId64 " of %" PRId64 "\n",
                all, c->positions, c->sequences,
                tokens / c->sequences < c->positions ? tokens / c->sequences : c->positions);
    return print_more_sequences(fit, out);
}

// ---- the verdict

// On one device: yes or no, with what was chosen or what would help.
static bool say_verdict(Bytes *out, const Fit *fit, const char *name)
{
    bool chosen = fit->needs.recompute_auto && fit->needs.own.limits.recompute;
    return bytes_printf(out, "%s, %.2f of %.2f GiB%s%s%s", fit->fits ? "yes" : "no", fit->bytes / 0x1p30,
                        fit->memory.bytes / 0x1p30, name, chosen ? "; layers are recomputed in the backward pass" : "",
                        fit->fits ? "" : "; ") &&
           (fit->fits || bytes_text(out, fit->advice.data));
}

static bool print_for_cards(const Fit *fit, FILE *out)
{
    static const char *const CARDS[] = {"24G", "40G", "48G", "80G", "141G", "180G"};
    bool asked = fit->memory.name[0] != 0;
    fprintf(out, asked ? "fits: a card of\n" : "fits: there is no GPU here to ask, and --gpu names none; a card of\n");
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof CARDS / sizeof CARDS[0]; i++) {
        Fit card = {.kernels = fit->kernels};
        Bytes verdict = {0};
        ok = card_memory(&card.memory, CARDS[i]) && fit_choose(&card, &fit->needs) && say_verdict(&verdict, &card, "");
        const CacheLimits *cache = &card.needs.own.limits.cache;
        if (ok && card.fits && cache->tokens > 0)
            ok = bytes_printf(&verdict, "; %" PRId64 " of %" PRId64 " tokens each at once", at_once(cache),
                              cache->positions);
        if (ok)
            fprintf(out, "  %4sB  %s\n", CARDS[i], verdict.data);
        bytes_free(&verdict);
        fit_close(&card);
    }
    return ok;
}

static bool print_verdict(const Fit *fit, FILE *out)
{
    Bytes name = {0}, verdict = {0};
    bool ok = bytes_printf(&name, " (%s)", fit->memory.name) && say_verdict(&verdict, fit, name.data);
    if (ok)
        fprintf(out, "fits: %s\n", verdict.data);
    bytes_free(&name);
    bytes_free(&verdict);
    return ok;
}

// Not on the device, and not allocated ahead: memory_for_copy in run/save.c.
static bool print_copy(const Fit *fit, FILE *out)
{
    const ModelNeeds *own = &fit->needs.own;
    Model model;
    if (!own->limits.training)
        return true;
    TRY(model_open(&model, &own->config, &own->limits, fit->kernels, true));
    fprintf(out,
            "while a checkpoint is written: %.2f GiB of host memory for a rank's copy of the state (12 bytes for each "
            "element that it owns), if that is at most half of what is free; without it, steps wait for each save\n",
            12 * (double)model.sharding.own / 0x1p30);
    model_close(&model);
    return true;
}

bool fit_print(const Fit *fit, FILE *out)
{
    TRY(print_model(&fit->needs.own, fit->kernels, out));
    for (int i = 0; i < fit->needs.other_count; i++)
        TRY(print_model(&fit->needs.others[i], fit->kernels, out));
    fprintf(out, "%-50s %12.1f MiB = %.2f GB (%.2f GiB) for %s\n", "in all", fit->bytes / 0x1p20, fit->bytes / 1e9,
            fit->bytes / 0x1p30, fit->kernels->name);
    TRY(print_sequences(fit, out));
    TRY(fit->memory.bytes < 0 ? print_for_cards(fit, out) : print_verdict(fit, out));
    TRY(print_copy(fit, out));
    return fflush(out) == 0 || fail_errno("writing the plan");
}

// ---- in a run

bool fit_describe(const Fit *fit, Bytes *out)
{
    const char *name = fit->memory.name;
    if (!fit->fits)
        return bytes_printf(out, "memory: %.2f GiB are planned, which may be more than there is (%s); %s",
                            fit->bytes / 0x1p30, name, fit->advice.data);
    if (!fit->needs.recompute_auto)
        return true;
    if (fit->needs.own.limits.recompute)
        return bytes_printf(out,
                            "memory: layers are recomputed in the backward pass, as it would not fit otherwise (%s); "
                            "this changes no bit",
                            name);
    return bytes_printf(out, "memory: layers are not recomputed in the backward pass, as all of it fits: %.2f GiB (%s)",
                        fit->bytes / 0x1p30, name);
}

bool fit_fail(const Fit *fit)
{
    if (fit->advice.size > 0)
        fail("%s; %s", error_text(), fit->advice.data);
    return false;
}
