// Finding the model folder that a user means, and writing a complete one. Everything is written into FOLDER.tmp-...
// first, so the final name never holds half a model; the formats of the parts are in config_json.c and
// safetensors_write.c.
#include "pretrained/folder.h"
#include "json/json_edit.h"
#include "pretrained/config_json.h"
#include "system/files.h"
#include "system/hub.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

enum { TOKENIZER_BYTES_MAX = 1 << 28 };
static const char end_of_turn[] = "<|im_end|>";

// ---- finding

// At a glance: what is not found is reported as missing, so an unreadable path does no harm.
static bool has(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = path != NULL && file_exists(path);
    free(path);
    return found;
}

static bool has_folder(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = path != NULL && folder_exists(path);
    free(path);
    return found;
}

bool model_folder_find(Bytes *path, const char *given)
{
    bytes_clear(path);
    TRY(hub_not_mistaken(given));
    if (!folder_exists(given))
        return fail(
            "%s: there is no such folder; a model is a folder with config.json, *.safetensors and tokenizer.json, as "
            "`hf download` fetches it",
            given);
    if (has(given, "MANIFEST.json"))
        return fail("%s: this is a checkpoint; export a model with `build/export %s FOLDER`, and use FOLDER", given,
                    given);
    if (has(given, "config.json"))
        return bytes_text(path, given);
    if (has(given, "model/config.json"))
        return bytes_printf(path, "%s%smodel", given, given[strlen(given) - 1] == '/' ? "" : "/");
    if (has_folder(given, "checkpoints"))
        return fail("%s: this training has not written its model yet; `build/export %s/checkpoints/step-N FOLDER` "
                    "exports one from a checkpoint",
                    given, given);
    return fail("%s: config.json is missing; a model is a folder with config.json, *.safetensors and tokenizer.json",
                given);
}

// ---- all but the weights

static bool look_for(bool *there, const char *folder, const char *name) // absent files are left out
{
    PathKind kind;
    TRY(path_in_folder_kind(&kind, folder, name));
    *there = kind == PATH_FILE;
    return true;
}

static bool write_json(const char *folder, const char *name, const json_t *value)
{
    char *path = path_join(folder, name);
    bool ok = path != NULL && json_write_atomic(path, value);
    free(path);
    return ok;
}

// A JSON file of the origin on its way to the export: all but the changes keeps its spelling.
typedef struct Adapted {
    json_t *root; // the original
    Bytes text;
} Adapted;

static void adapted_free(Adapted *a)
{
    json_decref(a->root);
    bytes_free(&a->text);
}

// An empty object if there is no such file (or no folder).
static bool adapted_open(Adapted *a, const char *folder, const char *name)
{
    *a = (Adapted){0};
    bool there = false;
    TRY(folder == NULL || look_for(&there, folder, name));
    if (!there) {
        a->root = json_object();
        return bytes_text(&a->text, "{}");
    }
    char *path = path_join(folder, name);
    a->root = path == NULL ? NULL : json_read(path, TOKENIZER_BYTES_MAX);
    bool ok = a->root != NULL && (json_is_object(a->root) || fail("%s: not a JSON object", path)) &&
              file_read(&a->text, path, TOKENIZER_BYTES_MAX);
    free(path);
    return ok;
}

static bool adapted_set(Adapted *a, const char *key, json_t *value) // takes the value
{
    bool ok =
        value == NULL ? fail("\"%s\": no memory, or a text that is not UTF-8", key) : json_edit(&a->text, key, value);
    json_decref(value);
    return ok;
}

static bool adapted_write(const Adapted *a, const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool ok = path != NULL && file_write_atomic(path, a->text.data, a->text.size);
    free(path);
    return ok;
}

static bool write_config(const FolderExport *e, const char *folder)
{
    json_t *root = config_to_json(e->config, e->type == WEIGHT_F32 ? "float32" : "bfloat16");
    bool ok = root != NULL && write_json(folder, "config.json", root);
    json_decref(root);
    return ok;
}

// The origin's sampling settings without its length limits, which would cap a server's answers, and with both end
// tokens.
static bool write_generation_config(const FolderExport *e, const char *folder)
{
    Adapted a;
    bool ok = adapted_open(&a, e->origin, "generation_config.json") && json_edit(&a.text, "max_new_tokens", NULL) &&
              json_edit(&a.text, "max_length", NULL);
    json_t *ends = json_array();
    for (int64_t i = 0; i < e->end_count; i++)
        json_array_append_new(ends, json_integer(e->end_tokens[i]));
    ok = ok && (e->end_count == 0 || json_edit(&a.text, "eos_token_id", ends)) &&
         adapted_write(&a, folder, "generation_config.json");
    json_decref(ends);
    adapted_free(&a);
    return ok;
}

static bool copy_if_there(const char *origin, const char *folder, const char *name)
{
    bool there;
    TRY(look_for(&there, origin, name));
    if (!there)
        return true;
    char *from = path_join(origin, name), *to = path_join(folder, name);
    Bytes content = {0};
    bool ok = from != NULL && to != NULL && file_read(&content, from, TOKENIZER_BYTES_MAX) &&
              file_write_atomic(to, content.data, content.size);
    bytes_free(&content);
    free(from);
    free(to);
    return ok;
}

// Spelled for transformers 4 (5 reads it too): 5 writes extra_special_tokens as a list, which 4 has under another name,
// and a class of tokenizers that 4 does not have.
static bool spell_for_version_4(Adapted *a)
{
    const char *class = json_string_value(json_object_get(a->root, "tokenizer_class"));
    if (class != NULL && strcmp(class, "TokenizersBackend") == 0)
        TRY(adapted_set(a, "tokenizer_class", json_string("PreTrainedTokenizerFast")));
    const json_t *extra = json_object_get(a->root, "extra_special_tokens"), *token;
    if (!json_is_array(extra))
        return true;
    json_t *both = json_deep_copy(json_object_get(a->root, "additional_special_tokens"));
    if (!json_is_array(both)) {
        json_decref(both);
        both = json_array();
    }
    size_t i, k;
    json_array_foreach ((json_t *)(uintptr_t)extra, i, token) {
        for (k = 0; k < json_array_size(both) && !json_equal(json_array_get(both, k), token);)
            k++;
        if (k == json_array_size(both))
            json_array_append(both, (json_t *)(uintptr_t)token);
    }
    return json_edit(&a->text, "extra_special_tokens", NULL) && adapted_set(a, "additional_special_tokens", both);
}

// Copies a file of the origin, if it exists, with its eos_token and chat_template set on request.
static bool write_adapted(const FolderExport *e, const char *folder, const char *name, const char *template_text)
{
    Adapted a;
    bool there;
    TRY(look_for(&there, e->origin, name));
    if (!there)
        return true;
    bool ok = adapted_open(&a, e->origin, name) && spell_for_version_4(&a);
    ok = ok && (!e->chat_end || adapted_set(&a, "eos_token", json_string(end_of_turn)));
    ok = ok && (template_text == NULL || adapted_set(&a, "chat_template", json_string(template_text)));
    ok = ok && adapted_write(&a, folder, name);
    adapted_free(&a);
    return ok || fail_in("%s/%s", folder, name);
}

static bool write_tokenizer(const FolderExport *e, const char *folder)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json"};
    if (e->origin != NULL) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            TRY(copy_if_there(e->origin, folder, names[i]));
        TRY(write_adapted(e, folder, "tokenizer_config.json", e->template_text));
        TRY(write_adapted(e, folder, "special_tokens_map.json", NULL));
        if (e->template_text == NULL)
            return copy_if_there(e->origin, folder, "chat_template.jinja");
    }
    if (e->template_text == NULL)
        return true;
    char *path = path_join(folder, "chat_template.jinja");
    bool ok = path != NULL && file_write_atomic(path, e->template_text, strlen(e->template_text));
    free(path);
    return ok;
}

static const char *const OF_A_TOKENIZER[] = {"tokenizer.json",      "tokenizer_config.json", "vocab.json",
                                             "merges.txt",          "added_tokens.json",     "special_tokens_map.json",
                                             "chat_template.jinja", "generation_config.json"};

bool model_folder_copy_tokenizer(const char *from, const char *to)
{
    TRY(folder_make(to));
    for (size_t i = 0; i < sizeof OF_A_TOKENIZER / sizeof *OF_A_TOKENIZER; i++)
        TRY(copy_if_there(from, to, OF_A_TOKENIZER[i]));
    return true;
}

bool model_folder_tokenizer_bytes(uint64_t *bytes, const char *folder)
{
    bool ok = true;
    *bytes = 0;
    for (size_t i = 0; ok && i < sizeof OF_A_TOKENIZER / sizeof *OF_A_TOKENIZER; i++) {
        uint64_t of_file = 0;
        char *path = path_join(folder, OF_A_TOKENIZER[i]);
        ok = path != NULL && path_bytes(&of_file, path);
        *bytes += of_file;
        free(path);
    }
    return ok;
}

// ---- the folder as a whole

static bool write_parts(const FolderExport *e, const char *folder)
{
    TRY(folder_make(folder));
    TRY(write_config(e, folder));
    TRY(write_generation_config(e, folder));
    TRY(write_tokenizer(e, folder));
    return weights_write(folder, e->plan, e->count, e->type, e->file_limit == 0 ? WEIGHTS_FILE_LIMIT : e->file_limit,
                         e->source, e->context);
}

// Whether config.json equals what write_config writes for its values, character by character. Other programs spell it
// differently: Python writes 1e-06 where we write 1e-6; and so is one in which a value that we do not read was changed.
static bool has_our_config(bool *ours, const char *folder)
{
    Bytes text = {0};
    ModelConfig config;
    char *path = path_join(folder, "config.json");
    bool read = path != NULL && file_read(&text, path, TOKENIZER_BYTES_MAX);
    json_t *root = read ? json_parse(text.data, text.size, path) : NULL;
    const char *dtype = json_string_value(json_object_get(root, "torch_dtype"));
    json_t *again = dtype != NULL && config_from_json(&config, root, path) ? config_to_json(&config, dtype) : NULL;
    char *spelled = again == NULL ? NULL : json_spelled(again);
    size_t size = spelled == NULL ? 0 : strlen(spelled);
    *ours = spelled != NULL && text.size == size + 1 && memcmp(text.data, spelled, size) == 0;
    free(spelled);
    json_decref(again);
    json_decref(root);
    bytes_free(&text);
    free(path);
    return read;
}

static bool is_exported(const char *name)
{
    static const char weights[] = "model", type[] = ".safetensors", index[] = "model.safetensors.index.json";
    size_t size = strlen(name), end = sizeof type - 1;
    for (size_t i = 0; i < sizeof OF_A_TOKENIZER / sizeof *OF_A_TOKENIZER; i++)
        if (strcmp(name, OF_A_TOKENIZER[i]) == 0)
            return true;
    return strcmp(name, "config.json") == 0 || strcmp(name, index) == 0 ||
           (strncmp(name, weights, sizeof weights - 1) == 0 && size > end && strcmp(name + size - end, type) == 0);
}

static bool may_lose(const char *folder, char **names, size_t count)
{
    bool model = false, ours = false;
    TRY(look_for(&model, folder, "config.json"));
    if (!model)
        return fail("%s: this folder exists, and is not a model; choose another name", folder);
    for (size_t i = 0; i < count; i++)
        if (!is_exported(names[i]))
            return fail("%s/%s: not written by an export, and would be deleted; move it, or choose another name",
                        folder, names[i]);
    return has_our_config(&ours, folder) &&
           (ours || fail("%s: this model was not exported here, or its config.json was "
                         "changed, and it would be deleted; move it, or choose another "
                         "name",
                         folder));
}

bool model_folder_may_be_replaced(const char *folder) { return folder_may_be_replaced(folder, may_lose); }

// The real path of a folder that may not exist yet: its parents are made, links are followed, no slash at the end.
static char *settle(const char *folder)
{
    char *path = copy_text(folder);
    if (path == NULL)
        return NULL;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = 0;
    char *real = realpath(path, NULL); // NULL if it does not exist
    if (real != NULL) {
        free(path);
        return real;
    }
    char *slash = strrchr(path, '/');
    bool ok = true;
    if (slash != NULL && slash != path) {
        *slash = 0;
        ok = folder_make(path);
        *slash = '/';
    }
    if (!ok) {
        free(path);
        return NULL;
    }
    return path;
}

bool model_folder_export(const char *given, const FolderExport *e)
{
    char *folder = settle(given);
    TemporaryFolder temporary = {0};
    bool ok = folder != NULL && model_folder_may_be_replaced(folder) && temporary_folder_make(&temporary, folder) &&
              write_parts(e, temporary.path) && folder_publish(temporary.path, folder);
    temporary_folder_close(&temporary); // removes one that did not become the model
    free(folder);
    return ok || fail_in("exporting the model to %s", given);
}

// ---- which model it is

enum { PRINT_BYTES = 4096, PIECE_BYTES = 1 << 26 };

static bool hash_ends(Bytes *facts, const WeightTensor *t)
{
    uint64_t size = t->bytes < PRINT_BYTES ? t->bytes : PRINT_BYTES;
    phase_progress(); // two pages that a slow disk brings
    uint64_t ends[2] = {hash_bytes(t->data, size), hash_bytes(t->data + t->bytes - size, size)};
    return bytes_append(facts, ends, sizeof ends);
}

static bool hash_all(Bytes *facts, const WeightTensor *t)
{
    for (uint64_t first = 0; first < t->bytes; first += PIECE_BYTES) {
        uint64_t left = t->bytes - first, piece = hash_bytes(t->data + first, left < PIECE_BYTES ? left : PIECE_BYTES);
        phase_progress();
        TRY(bytes_append(facts, &piece, sizeof piece));
    }
    return true;
}

static bool hash_folder(uint64_t *hash, const char *folder, const ModelConfig *config,
                        bool (*hash_tensor)(Bytes *facts, const WeightTensor *t))
{
    Bytes facts = {0};
    Weights *weights;
    json_t *described = config_to_json(config, "float32");
    char *text = described == NULL ? NULL : json_dumps(described, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(described);
    if (text == NULL)
        return fail("no memory for a configuration");
    bool ok = bytes_text(&facts, text), opened = ok && weights_open(&weights, folder);
    free(text);
    ok = opened;
    for (size_t i = 0; ok && i < weights_count(weights); i++) {
        const WeightTensor *t = weights_at(weights, i);
        ok = bytes_printf(&facts, "%s %s %" PRIu64 " ", t->name, t->type_name, t->bytes) && hash_tensor(&facts, t);
    }
    if (opened)
        weights_close(weights);
    *hash = hash_bytes(facts.data, facts.size);
    bytes_free(&facts);
    return ok;
}

bool model_folder_fingerprint(uint64_t *hash, const char *folder, const ModelConfig *config)
{
    return hash_folder(hash, folder, config, hash_ends);
}

bool model_folder_hash(uint64_t *hash, const char *folder, const ModelConfig *config)
{
    return hash_folder(hash, folder, config, hash_all);
}
