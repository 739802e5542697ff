// From a model in memory, or a checkpoint, to a Hugging Face folder: see export.h.
#include "checkpoint/checkpoint.h"
#include "pretrained/adapter_json.h"
#include "pretrained/config_json.h"
#include "pretrained/export.h"
#include "pretrained/folder.h"
#include "pretrained/merge.h"
#include "tokenizer/template.h"
#include "tokenizer/tokenizer.h"
#include <stdlib.h>
#include <string.h>

// The end tokens that a server should stop at: the chat's first, then the document's. Without a tokenizer, the
// configuration's.
static bool set_end_tokens(FolderExport *e, ModelConfig *config, const char *tokenizer_folder)
{
    memcpy(e->end_tokens, config->end_tokens, sizeof e->end_tokens);
    e->end_count = config->end_count;
    if (tokenizer_folder == NULL)
        return true;
    Tokenizer *tokenizer = tokenizer_open(tokenizer_folder);
    TRY(tokenizer != NULL);
    int64_t chat = tokenizer_find(tokenizer, "<|im_end|>"), document = tokenizer_find(tokenizer, "<|endoftext|>"),
            count = 0;
    tokenizer_close(tokenizer);
    if (chat >= 0)
        e->end_tokens[count++] = chat;
    if (document >= 0)
        e->end_tokens[count++] = document;
    if (count == 0)
        return true;
    e->end_count = count;
    e->chat_end = count == 2;
    config->end_tokens[0] = e->end_tokens[0];
    config->end_count = 1;
    return true;
}

// The folder's own template stays if it was used in training, or if nothing was rendered; otherwise, and where the
// folder has none, the template of training is written.
static bool choose_template(FolderExport *e, const char *tokenizer_folder, const char *trained)
{
    ChatTemplate own, wanted;
    if (tokenizer_folder == NULL || strcmp(trained, template_name(TEMPLATE_UNKNOWN)) == 0)
        return true;
    TRY(template_open(&wanted, tokenizer_folder, trained));
    bool readable = template_open(&own, tokenizer_folder, "auto"); // a damaged one was not used in training
    if (!readable && error_kind() == ERROR_SYSTEM)
        return false;
    if (!readable || own.kind != wanted.kind || !own.from_file)
        e->template_text = template_jinja(wanted.kind);
    return true;
}

static bool export_parameters(FolderExport *e, const ModelConfig *trained, const Parameters *parameters,
                              const char *template_name, const char *dtype, const char *folder)
{
    ModelConfig config = *trained;
    WeightPlan *plan = allocate((size_t)parameters->count, sizeof *plan);
    TRY(plan != NULL);
    for (int64_t i = 0; i < parameters->count; i++) {
        const Parameter *p = &parameters->list[i];
        plan[i] = p->matrix ? (WeightPlan){p->name, 2, {p->rows, p->columns}} : (WeightPlan){p->name, 1, {p->columns}};
    }
    e->config = &config;
    e->type = strcmp(dtype, "fp32") == 0 ? WEIGHT_F32 : WEIGHT_BF16;
    e->plan = plan;
    e->count = parameters->count;
    bool ok = set_end_tokens(e, &config, e->origin) && choose_template(e, e->origin, template_name) &&
              model_folder_export(folder, e);
    free(plan);
    return ok;
}

bool model_source_read(void *source, int64_t tensor, int64_t first, int64_t count, float *out)
{
    const ModelSource *m = source;
    int64_t element = m->model->parameters.list[tensor].offset + first;
    return (m->before == NULL || m->before(m->context, element, count)) &&
           model_read_weights(m->model, element, count, out);
}

// Beside adapters, which every rank has whole.
static bool own_from_model(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    const ModelSource *m = context;
    return model_read_own(m->model, model_own(m->model)->list[tensor].offset + first, count, out);
}

bool export_model(const Model *model, const char *tokenizer_folder, const char *template_name, const char *dtype,
                  const char *folder, BeforeRead *before, void *context)
{
    ModelSource memory = {model, before, context};
    FolderExport e = {.source = model_source_read, .context = &memory, .origin = tokenizer_folder};
    Merge merge = {.adapters = &model->limits.adapters,
                   .own = model_own(model),
                   .learned = &model->parameters,
                   .own_source = own_from_model,
                   .learned_source = model_source_read,
                   .context = &memory};
    if (model->frozen.count > 0) {
        e.source = merge_read;
        e.context = &merge;
    }
    bool ok = export_parameters(&e, &model->config, model_own(model), template_name, dtype, folder);
    merge_close(&merge);
    return ok;
}

typedef struct Saved {
    Checkpoint *checkpoint;
    Adapters adapters;
    Parameters parameters, learned; // the model's own; what the checkpoint holds of a model with adapters
    Weights *base;                  // its weights then
} Saved;

static bool from_checkpoint(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    const Saved *s = context;
    const Parameters *saved = s->base != NULL ? &s->learned : &s->parameters;
    return checkpoint_read(s->checkpoint, saved->list[tensor].name, first, count, out);
}

static bool own_from_base(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    const Saved *s = context;
    const Parameter *p = &s->parameters.list[tensor];
    const WeightTensor *t = weights_find(s->base, p->name);
    if (t == NULL || t->elements != parameter_elements(p))
        return fail("the model that the adapters were trained for has no tensor %s of this size", p->name);
    return weights_read(t, first, count, out);
}

// The base is needed again, for other checkpoints, and to go on with the run.
static bool is_not_base(const char *base, const char *folder)
{
    char *there = realpath(folder, NULL), *place = realpath(base, NULL);
    bool same = there != NULL && place != NULL && strcmp(there, place) == 0;
    free(there);
    free(place);
    return !same ||
           fail("%s: is the model that the adapters were trained for, and is needed; take another folder", folder);
}

// What a checkpoint of adapters says of them, and of the model that they were trained for, which must be that still,
// and is not to be replaced.
static bool open_adapters(Saved *s, const ModelConfig *config, const json_t *saved, const char *path,
                          const char *folder)
{
    const char *base = NULL, *wanted = NULL;
    uint64_t hash;
    char found[32];
    TRY(adapters_from_json(&s->adapters, saved, path) && json_need_text(&base, saved, "base", path) &&
        json_need_text(&wanted, saved, "base_hash", path) && is_not_base(base, folder) &&
        adapters_make(&s->learned, &s->adapters, &s->parameters, config->layers));
    if (!model_folder_hash(&hash, base, config) || !weights_open(&s->base, base))
        return fail_in("a checkpoint of --lora holds adapters alone, and needs the model that they were trained for");
    snprintf(found, sizeof found, "%016" PRIx64, hash);
    return strcmp(found, wanted) == 0 ||
           fail("%s: is not the model that these adapters were trained for; put that back there", base);
}

// OUT/tokenizer of OUT/checkpoints/step-N, which must be the one used in training; empty where that run had none.
static bool tokenizer_beside(Bytes *folder, const char *checkpoint, const json_t *state)
{
    const char *wanted = json_string_value(json_object_get(json_object_get(state, "identity"), "tokenizer_files"));
    if (wanted == NULL || strcmp(wanted, "0000000000000000") == 0)
        return true;
    TRY(bytes_printf(folder, "%s/../../tokenizer", checkpoint));
    Tokenizer *tokenizer = tokenizer_open(folder->data);
    if (tokenizer == NULL)
        return fail_in("the checkpoint needs the tokenizer that lies beside its run (leave it in OUT/checkpoints)");
    char found[32];
    snprintf(found, sizeof found, "%016" PRIx64, tokenizer_hash(tokenizer));
    tokenizer_close(tokenizer);
    return strcmp(found, wanted) == 0 ||
           fail("%s: not the tokenizer that this checkpoint was trained with", folder->data);
}

bool export_checkpoint(const char *path, const char *dtype, const char *folder)
{
    Saved s = {0};
    Bytes tokenizer = {0};
    ModelConfig config;
    TRY(checkpoint_open(&s.checkpoint, path));
    const json_t *state = checkpoint_state(s.checkpoint);
    const char *template_name = "chatml";
    bool ok = config_from_json(&config, json_object_get(state, "config"), path) &&
              json_may_text(&template_name, state, "template", path) && parameters_make(&s.parameters, &config) &&
              tokenizer_beside(&tokenizer, path, state);
    const json_t *adapters = json_object_get(state, "adapters");
    ok = ok && (adapters == NULL || open_adapters(&s, &config, adapters, path, folder));
    if (ok) {
        FolderExport e = {.source = from_checkpoint, .context = &s, .origin = tokenizer.data};
        Merge merge = {.adapters = &s.adapters,
                       .own = &s.parameters,
                       .learned = &s.learned,
                       .own_source = own_from_base,
                       .learned_source = from_checkpoint,
                       .context = &s};
        if (adapters != NULL) {
            e.source = merge_read;
            e.context = &merge;
        }
        ok = export_parameters(&e, &config, &s.parameters, template_name, dtype, folder);
        merge_close(&merge);
    }
    weights_close(s.base);
    parameters_free(&s.parameters);
    parameters_free(&s.learned);
    checkpoint_close(s.checkpoint);
    bytes_free(&tokenizer);
    return ok || fail_in("exporting %s to %s", path, folder);
}
