// Opening the data of a training run: see training_data.h.
#include "intake/training_data.h"
#include "intake/mix.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

static const size_t CACHE_MEMORY = (size_t)256 << 20; // for sorting JSONL

bool training_data_open(TrainingData *d, const DataOptions *options, const char *out, bool plan)
{
    *d = (TrainingData){.options = options};
    TRY(plan ? folder_temporary(&d->cache, "plan") : (d->cache = path_join(out, "cache")) != NULL);
    for (size_t i = 0; i < options->map.count; i++)
        TRY(field_maps_add(&d->maps, options->map.items[i]));
    return mix_parse(&d->weights, options->mix.items, options->mix.count);
}

// Whether some row had a response.
static bool holds_shards(bool *any, const ShardFolders *folders)
{
    *any = false;
    for (size_t i = 0; i < folders->count; i++) {
        char **names = NULL;
        size_t count = 1;
        TRY(!folder_exists(folders->paths[i]) || shard_files(&names, &count, folders->paths[i]));
        if (names != NULL)
            names_free(names, count);
        *any = *any || count > 0;
    }
    return true;
}

static bool read_set(TrainingData *d, TrainingSet *set, const OptionList *words, const TrainingRules *rules)
{
    PrepareOptions preparing = rules->preparing;
    phase_is("reading the data", -1);
    ShardFolders *folders = &set->folders;
    preparing.instruction = d->options->instruction;
    preparing.skip_bad_rows = d->options->skip_bad_rows;
    preparing.map_may_miss = set != &d->train; // ./prepare has renamed what it held out
    preparing.memory = CACHE_MEMORY;
    TRY(shard_folders_of(folders, preparing, words->items, words->count, &d->maps, d->options->format.name, d->cache));
    bool some = true;
    TRY(!rules->may_be_empty || holds_shards(&some, folders));
    bool ok =
        !some || documents_open(&set->documents, &rules->reading, (const char *const *)folders->paths, folders->count);
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

// ---- problems

// Of documents with the same prompt the first stays: a problem with several responses is one problem.
static bool keep_each_once(Documents *d)
{
    NameTable seen = {0};
    bool *kept = allocate((size_t)d->count + 1, sizeof *kept), ok = kept != NULL;
    for (int64_t i = 0; ok && i < d->count; i++) {
        char name[40];
        uint64_t hash[2];
        size_t number, before = seen.count;
        hash_bytes_128(d->list[i].ids, (size_t)d->list[i].length * sizeof *d->list[i].ids, hash);
        snprintf(name, sizeof name, "%016" PRIx64 "%016" PRIx64, hash[0], hash[1]);
        ok = name_number(&seen, name, strlen(name), &number);
        kept[i] = number == before;
    }
    if (ok)
        documents_keep(d, kept);
    name_table_free(&seen);
    free(kept);
    return ok;
}

bool training_data_read_problems(TrainingData *d, const TrainingRules *rules)
{
    return (read_set(d, &d->problems, &d->options->eval_data, rules) && keep_each_once(&d->problems.documents)) ||
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
    documents_close(&d->problems.documents);
    field_maps_free(&d->maps);
    if (!d->kept && d->cache != NULL) {
        shard_folders_discard(&d->train.folders, d->cache);
        shard_folders_discard(&d->held_out.folders, d->cache);
        shard_folders_discard(&d->problems.folders, d->cache);
    }
    free(d->cache);
    shard_folders_free(&d->train.folders);
    shard_folders_free(&d->held_out.folders);
    shard_folders_free(&d->problems.folders);
    if (d->options != NULL)
        mix_free(d->weights, d->options->mix.count);
    *d = (TrainingData){0};
}
