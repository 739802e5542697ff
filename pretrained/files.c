// Opening the files of a model: see files.h.
#include "pretrained/files.h"
#include "json/json.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

enum { GENERATION_CONFIG_MOST = 1 << 20 };

static bool is_given(const char *option) { return option != NULL && option[0] != 0; }

// ---- folder and configuration

static bool open_config(ModelFiles *f, const ModelFilesOptions *o)
{
    if (is_given(o->model) == is_given(o->init))
        return fail_as(ERROR_USAGE,
                       "give either --model FOLDER, a model to start from, or --init config.json for a new one");
    if (is_given(o->init))
        return config_read(&f->config, o->init);
    Bytes path = {0};
    bool ok = model_folder_find(&f->folder, o->model) && bytes_printf(&path, "%s/config.json", f->folder.data) &&
              config_read(&f->config, path.data);
    bytes_free(&path);
    return ok;
}

// ---- tokenizer and template

static bool open_tokenizer(ModelFiles *f, const ModelFilesOptions *o)
{
    const char *folder = is_given(o->tokenizer) ? o->tokenizer : f->folder.data;
    PathKind kind = PATH_NONE;
    f->n_live = f->config.vocabulary;
    if (folder != NULL)
        TRY(path_in_folder_kind(&kind, folder, "tokenizer.json"));
    if (kind != PATH_FILE && is_given(o->tokenizer))
        return fail("--tokenizer %s: there is no tokenizer.json in it", folder);
    if (kind != PATH_FILE)
        return template_open(&f->chat, ".", "chatml"); // rows of ids need none; others are refused when read
    TRY(bytes_text(&f->tokenizer_folder, folder) && (f->tokenizer = tokenizer_open(folder)) != NULL);
    f->n_live = tokenizer_size(f->tokenizer);
    if (f->n_live > f->config.vocabulary)
        return fail("%s: %" PRId64 " tokens, but the model has only %" PRId64 " vocabulary rows", folder, f->n_live,
                    f->config.vocabulary);
    TRY(template_open(&f->chat, folder, o->template));
    template_set_tokenizer(&f->chat, f->tokenizer, folder);
    return true;
}

// ---- the tokens that end an answer

static void add_stop(ModelFiles *f, int64_t token)
{
    for (int64_t i = 0; i < f->stop_count; i++)
        if (f->stop[i] == token)
            return;
    if (token >= 0 && token < f->n_live && f->stop_count < STOPS_MOST)
        f->stop[f->stop_count++] = (int32_t)token;
}

static bool add_stops_of(ModelFiles *f, const json_t *value, const char *where)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (value == NULL || json_is_null(value))
        return true;
    for (size_t i = 0; i < count; i++) {
        const json_t *token = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(token))
            return fail("%s: eos_token_id must hold integers", where);
        if (i < END_TOKENS)
            add_stop(f, json_integer_value(token));
    }
    return true;
}

static bool add_stops_of_file(ModelFiles *f)
{
    char *path = path_join(f->folder.data, "generation_config.json");
    TRY(path != NULL);
    PathKind kind;
    json_t *root = !path_kind(&kind, path) ? NULL
                   : kind == PATH_FILE     ? json_read(path, GENERATION_CONFIG_MOST)
                                           : json_object();
    bool ok = root != NULL && add_stops_of(f, json_object_get(root, "eos_token_id"), path);
    json_decref(root);
    free(path);
    return ok;
}

static bool find_stops(ModelFiles *f)
{
    TRY(f->folder.size == 0 || add_stops_of_file(f));
    for (int64_t i = 0; i < f->config.end_count; i++)
        add_stop(f, f->config.end_tokens[i]);
    if (f->tokenizer != NULL)
        add_stop(f, tokenizer_find(f->tokenizer, "<|im_end|>"));
    return true;
}

bool model_files_open(ModelFiles *f, const ModelFilesOptions *o)
{
    *f = (ModelFiles){0};
    if (open_config(f, o) && open_tokenizer(f, o) && find_stops(f))
        return true;
    model_files_close(f);
    return false;
}

void model_files_close(ModelFiles *f)
{
    tokenizer_close(f->tokenizer);
    bytes_free(&f->folder);
    bytes_free(&f->tokenizer_folder);
    *f = (ModelFiles){0};
}
