// Opening the data of a training run: see training_data.h.
#include "intake/training_data.h"
#include "intake/mix.h"
#include "system/phase.h"
#include <stdlib.h>

static const size_t CACHE_MEMORY = (size_t)256 << 20; // for sorting JSONL

bool training_data_open(TrainingData *d, const DataOptions *options, const char *out, bool plan)
{
    *d = (TrainingData){.options = options};
    TRY(plan ? folder_temporary(&d->cache, "plan") : (d->cache = path_join(out, "cache")) != NULL);
    for (size_t i = 0; i < options->map.count; i++)
        TRY(field_maps_add(&d->maps, options->map.items[i]));
    return mix_parse(&d->weights, options->mix.items, options->mix.count);
}

static bool read_set(TrainingData *d, TrainingSet *set, const OptionList *words, const TrainingRules *rules)
{
    PrepareOptions preparing = rules->preparing;
    phase_is("reading the data", -1);
    ShardFolders *folders = &set->folders;
    preparing.instruction = d->options->instruction;
    preparing.skip_bad_rows = d->options->skip_bad_rows;
    preparing.map_may_miss = set == &d->held_out; // ./prepare has renamed what it held out
    preparing.memory = CACHE_MEMORY;
    TRY(shard_folders_of(folders, preparing, words->items, words->count, &d->maps, d->options->format.name, d->cache));
    bool ok = documents_open(&set->documents, &rules->reading, (const char *const *)folders->paths, folders->count);
    return ok || (folders->cached ? fail_in("the shards of %s in %s, which may be removed", words->items[0], d->cache)
                                  : false);
}

bool training_data_read(TrainingData *d, const TrainingRules *rules)
{
    return read_set(d, &d->train, &d->options->data, rules);
}

bool training_data_read_held_out(TrainingData *d, const TrainingRules *rules)
{
    return d->options->eval_data.count == 0 || read_set(d, &d->held_out, &d->options->eval_data, rules) ||
           fail_in("--eval-data");
}

LoaderOptions training_data_order(const TrainingData *d, uint64_t seed)
{
    return (LoaderOptions){.seed = seed,
                           .order = (LoaderOrder)d->options->order.place,
                           .weights = d->weights,
                           .weight_count = d->options->mix.count};
}

void training_data_close(TrainingData *d)
{
    documents_close(&d->train.documents);
    documents_close(&d->held_out.documents);
    field_maps_free(&d->maps);
    if (!d->kept && d->cache != NULL) {
        shard_folders_discard(&d->train.folders, d->cache);
        shard_folders_discard(&d->held_out.folders, d->cache);
    }
    free(d->cache);
    shard_folders_free(&d->train.folders);
    shard_folders_free(&d->held_out.folders);
    if (d->options != NULL)
        mix_free(d->weights, d->options->mix.count);
    *d = (TrainingData){0};
}
