// Writing a folder of adapters: see adapter.h.
#include "pretrained/adapter.h"
#include "pretrained/adapter_json.h"
#include "safetensors/safetensors.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

static const char CONFIG[] = "adapter_config.json", WEIGHTS[] = "adapter_model.safetensors";

// ---- adapter_config.json

static json_t *alpha_of(const Adapters *adapters)
{
    double alpha = adapters->scale * (double)adapters->rank;
    bool whole = alpha < 0x1p53 && alpha == (double)(json_int_t)alpha;
    return whole ? json_integer((json_int_t)alpha) : json_real(alpha);
}

static bool write_config(const Adapters *adapters, const char *base, const char *folder)
{
    char *path = path_join(folder, CONFIG);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:f, s:n, s:s, s:I, s:o, s:s, s:b, s:b}",
                  "base_model_name_or_path", base, "bias", "none", "peft_type", "LORA", "fan_in_fan_out", false,
                  "inference_mode", true, "init_lora_weights", true, "lora_alpha", alpha_of(adapters), "lora_dropout",
                  0.0, "modules_to_save", "task_type", "CAUSAL_LM", "r", (json_int_t)adapters->rank, "target_modules",
                  adapter_targets_json(adapters), "revision", "main", "use_dora", false, "use_rslora", false);
    bool ok = path != NULL && (root != NULL || fail("no memory for an %s", CONFIG)) && json_write_atomic(path, root);
    json_decref(root);
    free(path);
    return ok;
}

// ---- adapter_model.safetensors

// weights_write names its file as a model has it.
static bool rename_weights(const char *folder)
{
    char *from = path_join(folder, "model.safetensors"), *to = path_join(folder, WEIGHTS);
    bool ok = from != NULL && to != NULL && (rename(from, to) == 0 || fail_errno("%s: renaming it", from)) &&
              folder_sync(folder);
    free(from);
    free(to);
    return ok;
}

static bool write_weights(ModelSource *learned, const char *folder)
{
    const Parameters *all = &learned->model->parameters;
    WeightPlan *plan = allocate((size_t)all->count, sizeof *plan);
    TRY(plan != NULL);
    for (int64_t i = 0; i < all->count; i++)
        plan[i] = (WeightPlan){all->list[i].name, 2, {all->list[i].rows, all->list[i].columns}};
    bool ok = weights_write(folder, plan, all->count, WEIGHT_F32, UINT64_MAX, model_source_read, learned) &&
              rename_weights(folder);
    free(plan);
    return ok;
}

// ---- the folder

static bool may_lose(const char *folder, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], CONFIG) != 0 && strcmp(names[i], WEIGHTS) != 0)
            return fail("%s/%s: not written with the adapters, and would be deleted; move it", folder, names[i]);
    return true;
}

bool adapter_may_be_replaced(const char *folder) { return folder_may_be_replaced(folder, may_lose); }

bool adapter_export(const Model *model, const char *base, const char *folder, BeforeRead *before, void *context)
{
    ModelSource learned = {model, before, context};
    TemporaryFolder temporary = {0};
    bool ok = adapter_may_be_replaced(folder) && temporary_folder_make(&temporary, folder) &&
              write_config(&model->limits.adapters, base, temporary.path) && write_weights(&learned, temporary.path) &&
              folder_publish(temporary.path, folder);
    temporary_folder_close(&temporary); // removes one that was not published
    return ok || fail_in("exporting the adapters to %s", folder);
}
