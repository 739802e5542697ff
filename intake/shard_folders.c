// Preparing on demand: see shard_folders.h.
#include "intake/shard_folders.h"
#include "rows/lines.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static bool ends(const char *text, const char *with)
{
    size_t length = strlen(text), tail = strlen(with);
    return length >= tail && strcmp(text + length - tail, with) == 0;
}

bool is_shards(const char *path)
{
    char **names;
    size_t count;
    if (!folder_exists(path))
        return ends(path, ".bin");
    if (!folder_list(&names, &count, path))
        return false;
    bool ours = count == 1 && strcmp(names[0], "prompts.jsonl") == 0; // a part in which no row has a response yet
    for (size_t i = 0; i < count; i++)
        ours = ours || (begins(names[i], "shard-") && ends(names[i], ".bin")) || strcmp(names[i], "split.json") == 0;
    names_free(names, count);
    return ours;
}

static bool add_path(ShardFolders *folders, const char *path)
{
    TRY(grow(&folders->paths, &folders->capacity, folders->count + 1, sizeof *folders->paths));
    folders->paths[folders->count] = copy_text(path);
    return folders->paths[folders->count++] != NULL;
}

// ---- a hash of content and rules

static void mix_in(uint64_t *hash, const void *data, size_t size)
{
    uint64_t both[2] = {*hash, hash_bytes(data, size)};
    *hash = hash_bytes(both, sizeof both);
}

static bool mix_file(uint64_t *hash, const char *path)
{
    MappedFile file;
    TRY(file_map(&file, path));
    mix_in(hash, path, strlen(path)); // rows without a source get the file's
    mix_in(hash, file.data == NULL ? (const uint8_t *)"" : file.data, file.size);
    file_unmap(&file);
    return true;
}

static void mix_input(uint64_t *hash, const PrepareInput *input)
{
    mix_in(hash, &input->missing_difficulty, sizeof input->missing_difficulty);
    mix_in(hash, input->format == NULL ? "" : input->format, input->format == NULL ? 0 : strlen(input->format));
    for (size_t m = 0; m < input->map_count; m++) {
        mix_in(hash, input->map[m].field, strlen(input->map[m].field));
        mix_in(hash, input->map[m].name, strlen(input->map[m].name));
    }
}

static bool content_key(uint64_t *hash, const PrepareOptions *options)
{
    const TokenRules *r = &options->rules;
    const uint64_t rules[] = {SHARD_VERSION,
                              r->tokenizer == NULL ? 0 : tokenizer_hash(r->tokenizer),
                              r->tokenizer == NULL ? 0 : (uint64_t)r->chat->kind,
                              r->train_turn_newline,
                              r->train_all_turns,
                              (uint64_t)r->vocabulary,
                              (uint64_t)options->skip_bad_rows,
                              (uint64_t)options->split};
    *hash = 0;
    mix_in(hash, rules, sizeof rules);
    if (options->split != SPLIT_RL_ONLY && !options->need_response)
        mix_in(hash, "some", 4); // else a row without a response has been refused
    mix_in(hash, options->instruction == NULL ? "" : options->instruction,
           options->instruction == NULL ? 0 : strlen(options->instruction));
    for (size_t i = 0; i < options->input_count; i++) {
        char **files;
        size_t count;
        mix_input(hash, &options->inputs[i]);
        TRY(jsonl_files(&files, &count, &options->inputs[i].path, 1));
        bool ok = true;
        for (size_t f = 0; ok && f < count; f++)
            ok = mix_file(hash, files[f]);
        names_free(files, count);
        TRY(ok);
    }
    return true;
}

// ---- preparing

static bool prepare_cached(ShardFolders *folders, const char *cache, PrepareOptions *options)
{
    uint64_t key;
    Bytes out = {0}, part = {0}, split = {0};
    const char *name = options->split == SPLIT_RL_ONLY ? "rl" : "sft";
    TRY(content_key(&key, options));
    bool ok = bytes_printf(&out, "%s/%016" PRIx64, cache, key) && bytes_printf(&part, "%s/%s", out.data, name) &&
              bytes_printf(&split, "%s/split.json", out.data);
    PathKind prepared = PATH_NONE;
    ok = ok && path_kind(&prepared, split.data);
    if (ok && prepared != PATH_FILE) {
        options->out = out.data;
        ok = folder_make(cache) && prepare(&folders->report, options);
        folders->prepared = true;
        folders->made = ok ? copy_text(out.data) : NULL;
    }
    folders->cached = true;
    ok = ok && add_path(folders, part.data);
    bytes_free(&out);
    bytes_free(&part);
    bytes_free(&split);
    return ok;
}

bool shard_folders(ShardFolders *folders, const PrepareOptions *options, const char *cache)
{
    PrepareOptions preparing = *options;
    PrepareInput *inputs = allocate(options->input_count + 1, sizeof *inputs);
    *folders = (ShardFolders){0};
    bool ok = inputs != NULL;
    preparing.inputs = inputs;
    preparing.input_count = 0;
    for (size_t i = 0; ok && i < options->input_count; i++)
        if (is_shards(options->inputs[i].path))
            ok = add_path(folders, options->inputs[i].path);
        else
            inputs[preparing.input_count++] = options->inputs[i];
    if (ok && preparing.input_count > 0)
        ok = prepare_cached(folders, cache, &preparing);
    free(inputs);
    if (!ok)
        shard_folders_free(folders);
    return ok;
}

bool shard_folders_of(ShardFolders *folders, PrepareOptions options, const char *const *words, size_t count,
                      const FieldMaps *maps, const char *format, const char *cache)
{
    PrepareInput *inputs = allocate(count, sizeof *inputs);
    TRY(inputs != NULL);
    for (size_t i = 0; i < count; i++)
        inputs[i] = (PrepareInput){.path = words[i], .map = maps->list, .map_count = maps->count, .format = format};
    options.inputs = inputs;
    options.input_count = count;
    bool ok = shard_folders(folders, &options, cache);
    free(inputs);
    bool read_so = maps->count > 0 || (format != NULL && strcmp(format, "auto") != 0);
    if (ok && read_so && !options.map_may_miss && !folders->cached)
        ok = fail("--map, --format: %s holds shards, whose rows were read when they were made; give it to ./prepare",
                  words[0]);
    return ok;
}

void shard_folders_free(ShardFolders *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        free(folders->paths[i]);
    free(folders->paths);
    free(folders->made);
    prepare_report_free(&folders->report);
    *folders = (ShardFolders){0};
}

void shard_folders_discard(ShardFolders *folders, const char *cache)
{
    char *why = copy_text(error_text());
    if (folders->made != NULL)
        folder_remove(folders->made);
    rmdir(cache); // fails unless it is empty
    if (why != NULL && why[0] != 0)
        fail("%s", why);
    free(why);
}
