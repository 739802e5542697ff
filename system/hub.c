// Every remedy here is a command of another tool or a path that exists.
#include "system/hub.h"
#include "system/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool is_lfs_pointer(const void *data, size_t size)
{
    static const char mark[] = "version https://git-lfs.github.com/spec/";
    return size >= sizeof mark - 1 && memcmp(data, mark, sizeof mark - 1) == 0;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

// The last part of a path, without trailing slashes.
static Text last_part(const char *path)
{
    size_t end = strlen(path), begin;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (begin = end; begin > 0 && path[begin - 1] != '/';)
        begin--;
    return (Text){path + begin, end - begin};
}

// ---- the Hub's cache: models--OWNER--NAME/snapshots/COMMIT, and refs/main, which names the requested commit

static bool is_snapshot(const char *snapshots, const char *commit)
{
    Bytes path = {0};
    bool ok = bytes_printf(&path, "%s/%s", snapshots, commit) && folder_exists(path.data);
    bytes_free(&path);
    return ok;
}

static char *snapshot_of(const char *repository, const char *snapshots)
{
    Bytes ref = {0}, path = {0};
    char **names = NULL, *commit = NULL;
    size_t count = 0;
    bool asked =
        bytes_printf(&path, "%s/refs/main", repository) && file_exists(path.data) && file_read(&ref, path.data, 256);
    if (asked) {
        ref.data[strcspn(ref.data, "\r\n")] = 0;
        commit = ref.data[0] != 0 && is_snapshot(snapshots, ref.data) ? copy_text(ref.data) : NULL;
    }
    if (commit == NULL && folder_list(&names, &count, snapshots) && count > 0)
        commit = copy_text(names[count - 1]);
    names_free(names, count);
    bytes_free(&ref);
    bytes_free(&path);
    return commit;
}

static bool not_a_cache(const char *path)
{
    Text name = last_part(path);
    if (name.size < 8 || memcmp(name.data, "models--", 8) != 0)
        return true;
    Bytes snapshots = {0};
    TRY(bytes_append(&snapshots, path, (size_t)(name.data - path) + name.size) && bytes_text(&snapshots, "/snapshots"));
    char *commit = folder_exists(snapshots.data) ? snapshot_of(path, snapshots.data) : NULL;
    if (commit == NULL)
        fail("%s: the Hub cache's folder of a repository, without a snapshot; `hf download` fetches one", path);
    else
        fail("%s: the Hub cache's folder of a repository; use its snapshot %s/%s", path, snapshots.data, commit);
    free(commit);
    bytes_free(&snapshots);
    return false;
}

// ---- folders

typedef struct Names {
    char **list;
    size_t count;
} Names;

static bool there_is(const Names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return true;
    return false;
}

static const char *ending_in(const Names *names, const char *ending)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->list[i][0] != '.' && ends_with(names->list[i], ending))
            return names->list[i];
    return NULL;
}

static const char *beginning_with(const Names *names, const char *beginning)
{
    for (size_t i = 0; i < names->count; i++)
        if (strncmp(names->list[i], beginning, strlen(beginning)) == 0)
            return names->list[i];
    return NULL;
}

#define GGUF_ADVICE "for llama.cpp; training needs the model's Hugging Face folder, with *.safetensors"

static bool folder_is_right(const char *path, const Names *names)
{
    const char *gguf = ending_in(names, ".gguf"), *cached = beginning_with(names, "models--");
    bool configured = there_is(names, "config.json");
    if (there_is(names, "adapter_config.json") && ending_in(names, ".safetensors.index.json") == NULL &&
        !there_is(names, "model.safetensors"))
        return fail(
            "%s: a LoRA adapter; merge it into the model that its adapter_config.json names (peft: merge_and_unload(), "
            "save_pretrained()), and use that folder; of a run with --lora that is OUT/model",
            path);
    if (gguf != NULL && !configured)
        return fail("%s: a folder of GGUF files (%s), " GGUF_ADVICE, path, gguf);
    if (cached != NULL && !configured) {
        char *inside = path_join(path, cached);
        bool right = inside == NULL || not_a_cache(inside);
        free(inside);
        return right;
    }
    return true;
}

// ---- files

static bool file_is_right(const char *path)
{
    char start[128];
    FILE *file = fopen(path, "rbe");
    size_t size = file == NULL ? 0 : fread(start, 1, sizeof start, file);
    if (file != NULL)
        fclose(file);
    bool gguf = size >= 4 && memcmp(start, "GGUF", 4) == 0;
    if (is_lfs_pointer(start, size))
        return fail("%s: " LFS_POINTER, path);
    if (gguf || ends_with(path, ".gguf"))
        return fail("%s: a GGUF file, " GGUF_ADVICE, path);
    if (ends_with(path, ".safetensors") || ends_with(path, ".json"))
        return fail("%s: a file of a model; give the folder that it lies in", path);
    if (ends_with(path, ".bin") || ends_with(path, ".pt") || ends_with(path, ".pth"))
        return fail("%s: weights in PyTorch's own format; use a folder with *.safetensors (transformers: "
                    "from_pretrained(), then "
                    "save_pretrained(), writes one)",
                    path);
    if (ends_with(path, ".zip") || ends_with(path, ".tar") || ends_with(path, ".gz") || ends_with(path, ".tgz"))
        return fail("%s: an archive; unpack it, and use the folder", path);
    return fail("%s: a file, but a model is a folder with config.json, *.safetensors and tokenizer.json", path);
}

bool hub_not_mistaken(const char *path)
{
    if (file_exists(path))
        return file_is_right(path);
    if (!folder_exists(path))
        return !ends_with(path, ".gguf") ||
               fail("%s: there is no such file, and a GGUF file would be " GGUF_ADVICE, path);
    TRY(not_a_cache(path));
    Names names = {0};
    TRY(folder_list(&names.list, &names.count, path));
    bool right = folder_is_right(path, &names);
    names_free(names.list, names.count);
    return right;
}

static bool weights_are_others(const char *folder, const Names *names)
{
    const char *pickled = beginning_with(names, "pytorch_model"), *gguf = ending_in(names, ".gguf");
    const char *shard = beginning_with(names, "model-00"), *adapter = beginning_with(names, "adapter_model");
    if (adapter != NULL)
        return fail(
            "%s: only a LoRA adapter's weights are here (%s); merge it into its model (peft: merge_and_unload(), "
            "save_pretrained())",
            folder, adapter);
    if (shard != NULL && ends_with(shard, ".safetensors"))
        return fail("%s: %s is here, but not model.safetensors.index.json, which says what is where; the download is "
                    "incomplete, "
                    "fetch it again",
                    folder, shard);
    if (pickled != NULL)
        return fail("%s: the weights are in PyTorch's own format (%s); fetch a revision with *.safetensors, or let "
                    "transformers "
                    "write one: from_pretrained(), then save_pretrained()",
                    folder, pickled);
    if (gguf != NULL)
        return fail("%s: the weights are a GGUF file (%s), " GGUF_ADVICE, folder, gguf);
    return fail("%s: neither model.safetensors nor model.safetensors.index.json is here; fetch the model's weights",
                folder);
}

bool hub_other_weights(const char *folder)
{
    Names names = {0};
    TRY(folder_list(&names.list, &names.count, folder));
    weights_are_others(folder, &names);
    names_free(names.list, names.count);
    return false;
}
