// Names, shapes and places of the adapters: see adapters.h.
#include "model/adapters.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    LayerTensor first, last;
} SITES[ADAPTER_SITES] = {[SITE_QKV] = {Q_PROJ, V_PROJ},
                          [SITE_O] = {O_PROJ, O_PROJ},
                          [SITE_GATE_UP] = {GATE_PROJ, UP_PROJ},
                          [SITE_DOWN] = {DOWN_PROJ, DOWN_PROJ}};

LayerTensor site_first(AdapterSite site) { return SITES[site].first; }
LayerTensor site_last(AdapterSite site) { return SITES[site].last; }

const char *adapter_target(LayerTensor which)
{
    static const char *const NAMES[LAYER_TENSORS] = {
        [Q_PROJ] = "q_proj",       [K_PROJ] = "k_proj",   [V_PROJ] = "v_proj",       [O_PROJ] = "o_proj",
        [GATE_PROJ] = "gate_proj", [UP_PROJ] = "up_proj", [DOWN_PROJ] = "down_proj",
    };
    return NAMES[which];
}

int adapters_at(const Adapters *adapters, AdapterSite site)
{
    int count = 0;
    for (int which = (int)SITES[site].first; which <= (int)SITES[site].last; which++)
        count += adapters->on[which];
    return count;
}

static AdapterSite site_of(LayerTensor which)
{
    int site = 0;
    while (which < SITES[site].first || which > SITES[site].last)
        site++;
    return (AdapterSite)site;
}

const Parameter *adapter_a(const Parameters *parameters, int64_t layer, LayerTensor which)
{
    return parameter_of_layer(parameters, layer, which);
}

const Parameter *adapter_b(const Parameters *parameters, const Adapters *adapters, int64_t layer, LayerTensor which)
{
    const Parameter *a = adapter_a(parameters, layer, which);
    return a == NULL ? NULL : a + adapters_at(adapters, site_of(which));
}

static bool name(Parameter *p, const Parameter *of, const char *part)
{
    static const char ENDING[] = ".weight";
    size_t stem = strlen(of->name) - (sizeof ENDING - 1);
    int length = snprintf(p->name, sizeof p->name, "base_model.model.%.*s.%s.weight", (int)stem, of->name, part);
    return length < (int)sizeof p->name || fail("%s: the name is too long", of->name);
}

static bool place_site(Parameters *all, const Adapters *adapters, const Parameters *frozen, int64_t layer,
                       AdapterSite site)
{
    for (int b = 0; b < 2; b++)
        for (int i = (int)SITES[site].first; i <= (int)SITES[site].last; i++) {
            LayerTensor which = (LayerTensor)i;
            if (!adapters->on[which])
                continue;
            const Parameter *of = parameter_of_layer(frozen, layer, which), *a = adapter_a(all, layer, which);
            Parameter *p = &all->list[a - all->list + (b ? adapters_at(adapters, site) : 0)];
            TRY(name(p, of, b ? "lora_B" : "lora_A") &&
                parameter_place(all, p, b ? of->rows : adapters->rank, b ? adapters->rank : of->columns, true));
        }
    return true;
}

static bool place_all(Parameters *all, const Adapters *adapters, const Parameters *frozen, int64_t layers)
{
    for (int64_t layer = 0; layer < layers; layer++)
        for (int site = 0; site < ADAPTER_SITES; site++)
            TRY(place_site(all, adapters, frozen, layer, (AdapterSite)site));
    return true;
}

bool adapters_make(Parameters *all, const Adapters *adapters, const Parameters *frozen, int64_t layers)
{
    *all = (Parameters){0};
    for (int i = 0; i < LAYER_TENSORS; i++)
        all->in_layer[i] = -1;
    for (int site = 0; site < ADAPTER_SITES; site++) {
        int64_t place = all->per_layer;
        for (int i = (int)SITES[site].first; i <= (int)SITES[site].last; i++)
            all->in_layer[i] = adapters->on[i] ? place++ : -1;
        all->per_layer += 2 * adapters_at(adapters, (AdapterSite)site);
    }
    all->count = all->final_norm = layers * all->per_layer; // behind the layers there is nothing
    all->list = allocate((size_t)all->count, sizeof *all->list);
    TRY(all->list != NULL);
    if (place_all(all, adapters, frozen, layers))
        return true;
    parameters_free(all);
    return false;
}
