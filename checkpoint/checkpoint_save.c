// Saving a checkpoint, in the order that checkpoint.h promises: the draft, the manifest over all shards (each is
// written in checkpoint_shard.c), and the rename that makes it count. Reading is in checkpoint_read.c.
#include "checkpoint/checkpoint_internal.h"
#include <stdlib.h>
#include <string.h>

json_t *hash_json(uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return json_string(text);
}

bool checkpoint_draft(TemporaryFolder *draft, const char *folder, int64_t step)
{
    *draft = (TemporaryFolder){0};
    if (step < 0)
        return fail("%s: a checkpoint of step %" PRId64, folder, step);
    char *final = step_path(folder, step);
    bool ok = final != NULL && folder_make(folder) && leftovers_remove(folder) && temporary_folder_make(draft, final);
    free(final);
    return ok || fail_in("saving the checkpoint of step %" PRId64, step);
}

// ---- the hash of the named state: of a line for each tensor, by name, with the sum of its blocks' hashes

typedef struct TensorSum {
    const char *name;
    int64_t elements;
    uint64_t sum;
} TensorSum;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const TensorSum *)a)->name, ((const TensorSum *)b)->name);
}

static bool state_hash(uint64_t *hash, const json_t *ranges, const json_t *sums)
{
    size_t count = json_array_size(ranges);
    TensorSum *list = allocate(count, sizeof *list);
    Bytes text = {0};
    bool ok = list != NULL && bytes_text(&text, "");
    for (size_t i = 0; ok && i < count; i++) {
        const json_t *range = json_array_get(ranges, i);
        list[i] = (TensorSum){json_string_value(json_object_get(range, "tensor")),
                              json_integer_value(json_object_get(range, "elements")),
                              strtoull(json_string_value(json_array_get(sums, i)), NULL, 16)};
    }
    if (ok && count > 0)
        qsort(list, count, sizeof *list, by_name);
    for (size_t i = 0, next; ok && i < count; i = next) {
        uint64_t sum = 0;
        for (next = i; next < count && strcmp(list[next].name, list[i].name) == 0; next++)
            sum += list[next].sum;
        ok = bytes_printf(&text, "%s %" PRId64 " %016" PRIx64 "\n", list[i].name, list[i].elements, sum);
    }
    if (ok)
        *hash = hash_bytes(text.data, text.size);
    bytes_free(&text);
    free(list);
    return ok;
}

// ---- the manifest

static bool join_reports(json_t *files, json_t *ranges, json_t *sums, const Bytes *reports, int count)
{
    for (int i = 0; i < count; i++) {
        json_t *report = json_parse(reports[i].data, reports[i].size, "the report of a shard");
        TRY(report != NULL);
        bool ok = json_array_append(files, json_object_get(report, "file")) == 0 &&
                  json_array_extend(ranges, json_object_get(report, "ranges")) == 0 &&
                  json_array_extend(sums, json_object_get(report, "sums")) == 0;
        json_decref(report);
        TRY(ok || fail_as(ERROR_SYSTEM, "no memory for the manifest"));
    }
    return true;
}

static bool make_manifest(json_t **root, int64_t step, const Bytes *reports, int count, json_t *state)
{
    json_t *files = json_array(), *ranges = json_array(), *sums = json_array();
    uint64_t hash = 0, own = 0;
    *root = NULL;
    bool ok = (files != NULL && ranges != NULL && sums != NULL) || fail_as(ERROR_SYSTEM, "no memory for the manifest");
    ok = ok && join_reports(files, ranges, sums, reports, count) && state_hash(&hash, ranges, sums);
    if (ok)
        *root = json_pack("{s:s, s:i, s:I, s:i, s:b, s:o, s:O, s:O, s:o}", "format", CHECKPOINT_FORMAT, "version",
                          CHECKPOINT_VERSION, "step", (json_int_t)step, "world", count, "finite", true, "tensors_xxh3",
                          hash_json(hash), "files", files, "ranges", ranges, "state",
                          state != NULL ? json_incref(state) : json_object());
    json_decref(files);
    json_decref(ranges);
    json_decref(sums);
    if (ok && (*root == NULL || !manifest_hash(&own, *root) || json_object_set_new(*root, "xxh3", hash_json(own)) != 0))
        ok = fail_as(ERROR_SYSTEM, "no memory for the manifest");
    return ok;
}

// And reads it again: that all shards are seen here, too, and cover every tensor, decides whether it is one.
static bool write_manifest(const char *draft, json_t *root)
{
    Manifest written;
    char *path = path_join(draft, "MANIFEST.json");
    bool ok = path != NULL && folder_sync(draft) && json_write_atomic(path, root);
    free(path);
    TRY(ok && manifest_read(&written, draft));
    manifest_free(&written);
    return true;
}

// ---- the whole

static bool write_hint(const char *folder, int64_t step)
{
    char text[32], *path = path_join(folder, "latest");
    int size = snprintf(text, sizeof text, "step-%" PRId64 "\n", step);
    bool ok = path != NULL && file_write_atomic(path, text, (size_t)size);
    free(path);
    return ok;
}

static bool hint_says(const char *folder, int64_t step)
{
    char text[32], *path = path_join(folder, "latest");
    Bytes there = {0};
    snprintf(text, sizeof text, "step-%" PRId64 "\n", step);
    bool same =
        path != NULL && file_exists(path) && file_read(&there, path, sizeof text) && strcmp(there.data, text) == 0;
    error_clear();
    bytes_free(&there);
    free(path);
    return same;
}

bool checkpoint_finish(const char *folder, int64_t step, const CheckpointKeep *keep)
{
    return leftovers_remove(folder) && (hint_says(folder, step) || write_hint(folder, step)) &&
           checkpoints_prune(folder, step, keep);
}

bool checkpoint_commit(const TemporaryFolder *draft, const char *folder, int64_t step, const Bytes *reports, int count,
                       json_t *state, const CheckpointKeep *keep)
{
    json_t *root = NULL;
    char *final = step_path(folder, step);
    bool ok = final != NULL && make_manifest(&root, step, reports, count, state) && write_manifest(draft->path, root) &&
              later_set_aside(folder, step) && step_make_room(final) && folder_publish(draft->path, final) &&
              write_hint(folder, step) && checkpoints_prune(folder, step, keep);
    json_decref(root);
    free(final);
    return ok || fail_in("saving the checkpoint of step %" PRId64, step);
}

bool checkpoint_save(const char *folder, int64_t step, const StateTensor *tensors, size_t count, json_t *state,
                     const CheckpointKeep *keep)
{
    StateShard shard = {0, 1, tensors, count, NULL};
    Bytes report = {0};
    TemporaryFolder draft;
    uint64_t bytes;
    TRY(checkpoint_draft(&draft, folder, step));
    bool written = checkpoint_shard_bytes(&bytes, &shard) && checkpoint_room(draft.path, bytes) &&
                   checkpoint_shard_write(&report, &shard, draft.path);
    bool ok = written ? checkpoint_commit(&draft, folder, step, &report, 1, state, keep)
                      : fail_in("saving the checkpoint of step %" PRId64, step);
    temporary_folder_close(&draft);
    bytes_free(&report);
    return ok;
}
