// From options to adapters: see lora.h.
#include "model/lora.h"
#include <math.h>
#include <string.h>

// "q" is q_proj: a target's name up to its ending, which all of them have.
static bool find_target(LayerTensor *found, const char *word, size_t length)
{
    static const char ENDING[] = "_proj";
    for (int i = 0; i < LAYER_TENSORS; i++) {
        const char *name = adapter_target((LayerTensor)i);
        if (name == NULL || strncmp(name, word, length) != 0 || strcmp(name + length, ENDING) != 0)
            continue;
        *found = (LayerTensor)i;
        return true;
    }
    return fail_as(ERROR_USAGE,
                   "--lora-targets: \"%.*s\" is no matrix of a layer; take all, or some of "
                   "q,k,v,o,gate,up,down",
                   (int)length, word);
}

static bool read_targets(Adapters *adapters, const char *text)
{
    LayerTensor which = INPUT_NORM;
    if (strcmp(text, "all") == 0)
        text = "q,k,v,o,gate,up,down";
    for (const char *word = text;; word += strcspn(word, ",") + 1) {
        size_t length = strcspn(word, ",");
        TRY(find_target(&which, word, length));
        if (adapters->on[which])
            return fail_as(ERROR_USAGE, "--lora-targets %s: %.*s is there twice", text, (int)length, word);
        adapters->on[which] = true;
        if (word[length] == 0)
            return true;
    }
}

static double scale_of(const LoraOptions *o) { return o->lora_alpha > 0 ? o->lora_alpha / (double)o->lora : 2; }

bool lora_check(const LoraOptions *o, bool anew)
{
    Adapters read = {0};
    if (o->lora == 0 && (o->lora_alpha != 0 || strcmp(o->lora_targets, "all") != 0))
        return fail_as(ERROR_USAGE, "%s: there are no adapters; give their rank, --lora 16 for instance",
                       o->lora_alpha != 0 ? "--lora-alpha" : "--lora-targets");
    if (o->lora > 0 && anew)
        return fail_as(ERROR_USAGE,
                       "--lora: adapters are for a model that has learned something; give --model in --init's "
                       "stead, or leave --lora to train a new one");
    if (o->lora > 0 && !isnormal((float)scale_of(o))) // infinite, or nothing, in the passes
        return fail_as(ERROR_USAGE,
                       "--lora-alpha %g: alpha/rank is no number of fp32; one to four times the rank is usual, "
                       "--lora-alpha %" PRId64 " for instance",
                       o->lora_alpha, 2 * o->lora);
    return o->lora == 0 || read_targets(&read, o->lora_targets);
}

Adapters lora_adapters(const LoraOptions *o)
{
    Adapters adapters = {.rank = o->lora};
    if (o->lora == 0)
        return adapters;
    adapters.scale = scale_of(o);
    read_targets(&adapters, o->lora_targets);
    return adapters;
}
