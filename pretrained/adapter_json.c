// Adapters as JSON: see adapter_json.h.
#include "pretrained/adapter_json.h"
#include <string.h>

json_t *adapter_targets_json(const Adapters *adapters)
{
    json_t *names = json_array();
    for (int i = 0; i < LAYER_TENSORS; i++)
        if (adapters->on[i])
            json_array_append_new(names, json_string(adapter_target((LayerTensor)i)));
    return names;
}

json_t *adapters_to_json(const Adapters *adapters)
{
    json_t *saved = json_pack("{s:I, s:f, s:o}", "rank", (json_int_t)adapters->rank, "scale", adapters->scale,
                              "targets", adapter_targets_json(adapters));
    if (saved == NULL)
        fail("no memory for the state of a checkpoint");
    return saved;
}

static bool add_target(Adapters *adapters, const char *name, const char *where)
{
    for (int i = 0; name != NULL && i < LAYER_TENSORS; i++) {
        const char *known = adapter_target((LayerTensor)i);
        if (known != NULL && strcmp(known, name) == 0) {
            adapters->on[i] = true;
            return true;
        }
    }
    return fail("%s: its adapters have a target \"%s\", which this version does not know", where,
                name == NULL ? "" : name);
}

bool adapters_from_json(Adapters *adapters, const json_t *saved, const char *where)
{
    const json_t *targets = json_object_get(saved, "targets");
    *adapters = (Adapters){0};
    TRY(json_need_int(&adapters->rank, saved, "rank", 1, 1 << 20, where) &&
        json_need_number(&adapters->scale, saved, "scale", 0, 1e300, where));
    for (size_t i = 0; i < json_array_size(targets); i++)
        TRY(add_target(adapters, json_string_value(json_array_get(targets, i)), where));
    return json_array_size(targets) > 0 || fail("%s: its adapters have no targets", where);
}
