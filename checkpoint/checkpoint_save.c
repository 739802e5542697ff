// Saving a checkpoint, in the order that checkpoint.h promises. The state, which may lie on a device, goes to the file
// in pieces; each is looked through for values that are not finite and hashed on its way. Reading is in
// checkpoint_read.c.
#include "checkpoint/checkpoint_internal.h"
#include "safetensors/safetensors.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

enum { PIECE = 1 << 22 }; // elements written at a time
static const char shard_name[] = "shard-00000.safetensors";

typedef struct Save {
    const char *temporary; // the folder that becomes step-N
    int64_t step;
    const StateTensor *tensors;
    size_t count;
    json_t *state, *ranges; // ranges: what the manifest will list
    float *piece;           // (PIECE) elements on their way
    char *path;             // of the shard
    int descriptor;
    uint64_t size, written, hash; // of the shard
    XXH3_state_t *file_hash, *range_hash;
} Save;

// ---- one shard: a safetensors file with the whole state

static bool make_header(Bytes *text, Save *s)
{
    WeightPlan *plan = allocate(s->count, sizeof *plan);
    uint64_t data = 0;
    for (size_t i = 0; plan != NULL && i < s->count; i++)
        plan[i] = (WeightPlan){s->tensors[i].name, 1, {s->tensors[i].elements}};
    bool ok = plan != NULL && safetensors_header(text, &data, plan, (int64_t)s->count, WEIGHT_F32);
    free(plan);
    s->size = 8 + text->size + data;
    return ok;
}

// A disk without room is noticed before the first byte, not after an hour's worth of them.
static bool reserve(Save *s)
{
    struct statvfs facts;
    if (statvfs(s->temporary, &facts) == 0 && (uint64_t)facts.f_bavail * facts.f_frsize < s->size)
        return fail("%s: the checkpoint needs %" PRIu64 " bytes, and %" PRIu64 " are free; make room on this disk",
                    s->temporary, s->size, (uint64_t)facts.f_bavail * facts.f_frsize);
    int problem = posix_fallocate(s->descriptor, 0, (off_t)s->size);
    if (problem != 0 && problem != EINVAL && problem != EOPNOTSUPP) {
        errno = problem;
        return fail_errno("%s: reserving %" PRIu64 " bytes; make room on this disk", s->path, s->size);
    }
    return true;
}

static bool put(Save *s, const void *data, size_t size)
{
    XXH3_64bits_update(s->file_hash, data, size);
    for (const char *p = data; size > 0;) {
        ssize_t n = write(s->descriptor, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno("%s: writing after %" PRIu64 " bytes; make room on this disk", s->path, s->written);
        p += n;
        size -= (size_t)n;
        s->written += (uint64_t)n;
    }
    return true;
}

static bool check_finite(const StateTensor *t, const float *x, int64_t first, int64_t count)
{
    bool finite = true;
    for (int64_t i = 0; i < count; i++) // all of them, as vectors
        finite &= isfinite(x[i]);
    for (int64_t i = 0; !finite && i < count; i++)
        if (!isfinite(x[i]))
            return fail("tensor %s: element %" PRId64 " is %f; a state that is not finite is not saved", t->name,
                        first + i, (double)x[i]);
    return true;
}

static json_t *hash_json(uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return json_string(text);
}

static bool note_range(Save *s, const StateTensor *t, uint64_t byte, uint64_t hash)
{
    json_t *entry = json_pack("{s:s, s:I, s:i, s:I, s:s, s:I, s:o}", "tensor", t->name, "elements",
                              (json_int_t)t->elements, "offset", 0, "length", (json_int_t)t->elements, "file",
                              shard_name, "byte", (json_int_t)byte, "xxh3", hash_json(hash));
    return json_array_append_new(s->ranges, entry) == 0 || fail("tensor %s: no memory for the manifest", t->name);
}

static bool write_tensor(Save *s, const StateTensor *t)
{
    uint64_t byte = s->written;
    XXH3_64bits_reset(s->range_hash);
    for (int64_t first = 0; first < t->elements; first += PIECE) {
        int64_t count = t->elements - first < PIECE ? t->elements - first : PIECE;
        TRY(t->read(t->context, first, count, s->piece));
        TRY(check_finite(t, s->piece, first, count));
        XXH3_64bits_update(s->range_hash, s->piece, 4 * (size_t)count);
        TRY(put(s, s->piece, 4 * (size_t)count));
    }
    return note_range(s, t, byte, XXH3_64bits_digest(s->range_hash));
}

static bool write_content(Save *s, const Bytes *header)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)header->size >> (8 * i));
    XXH3_64bits_reset(s->file_hash);
    TRY(put(s, length, 8));
    TRY(put(s, header->data, header->size));
    for (size_t i = 0; i < s->count; i++)
        TRY(write_tensor(s, &s->tensors[i]));
    s->hash = XXH3_64bits_digest(s->file_hash);
    if (fsync(s->descriptor) != 0) // never retried: after a failure the pages count as clean
        return fail_errno("%s: syncing it to disk", s->path);
    return true;
}

static bool write_shard(Save *s)
{
    Bytes header = {0};
    s->path = path_join(s->temporary, shard_name);
    bool ok = s->path != NULL && make_header(&header, s);
    if (ok) {
        s->descriptor = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ok = s->descriptor >= 0 ? reserve(s) && write_content(s, &header) : fail_errno("%s: creating it", s->path);
        if (s->descriptor >= 0 && close(s->descriptor) != 0 && ok)
            ok = fail_errno("%s: closing it", s->path);
    }
    bytes_free(&header);
    return ok;
}

// ---- the manifest

static bool write_manifest(const Save *s)
{
    json_t *root =
        json_pack("{s:s, s:i, s:I, s:i, s:b, s:[{s:s, s:I, s:o}], s:O}", "format", CHECKPOINT_FORMAT, "version",
                  CHECKPOINT_VERSION, "step", (json_int_t)s->step, "world", 1, "finite", true, "files", "name",
                  shard_name, "size", (json_int_t)s->size, "xxh3", hash_json(s->hash), "ranges", s->ranges);
    json_t *state = s->state != NULL ? json_incref(s->state) : json_object();
    uint64_t own = 0;
    char *path = path_join(s->temporary, "MANIFEST.json");
    bool ok = root != NULL && json_object_set_new(root, "state", state) == 0 && manifest_hash(&own, root);
    ok = ok && json_object_set_new(root, "xxh3", hash_json(own)) == 0;
    if (!ok)
        fail("%s: no memory for the manifest", s->temporary);
    ok = ok && path != NULL && folder_sync(s->temporary) && json_write_atomic(path, root);
    free(path);
    json_decref(root);
    return ok;
}

static bool write_all(Save *s)
{
    s->ranges = json_array();
    s->file_hash = XXH3_createState();
    s->range_hash = XXH3_createState();
    s->piece = allocate(PIECE, sizeof *s->piece);
    bool ok = s->ranges != NULL && s->file_hash != NULL && s->range_hash != NULL && s->piece != NULL;
    if (!ok)
        fail("%s: no memory to save it", s->temporary);
    ok = ok && write_shard(s) && write_manifest(s);
    XXH3_freeState(s->file_hash);
    XXH3_freeState(s->range_hash);
    json_decref(s->ranges);
    free(s->piece);
    free(s->path);
    return ok;
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

bool checkpoint_bytes(uint64_t *bytes, const StateTensor *tensors, size_t count)
{
    Save s = {.tensors = tensors, .count = count};
    Bytes header = {0};
    bool ok = make_header(&header, &s);
    *bytes = s.size;
    bytes_free(&header);
    return ok;
}

bool checkpoint_save(const char *folder, int64_t step, const StateTensor *tensors, size_t count, json_t *state,
                     int keep)
{
    if (step < 0)
        return fail("%s: a checkpoint of step %" PRId64, folder, step);
    TemporaryFolder temporary = {0};
    char *final = step_path(folder, step);
    bool ok =
        final != NULL && folder_make(folder) && leftovers_remove(folder) && temporary_folder_make(&temporary, final);
    if (ok) {
        Save save = {.temporary = temporary.path, .step = step, .tensors = tensors, .count = count, .state = state};
        ok = write_all(&save) && later_set_aside(folder, step) && folder_publish(temporary.path, final) &&
             write_hint(folder, step);
    }
    temporary_folder_close(&temporary);
    free(final);
    ok = ok && checkpoints_prune(folder, step, keep);
    return ok || fail_in("saving the checkpoint of step %" PRId64, step);
}

bool checkpoint_attend(const StateTensor *tensors, size_t count, int64_t pieces)
{
    float *piece = allocate(PIECE, sizeof *piece);
    bool ok = piece != NULL;
    for (size_t i = 0; ok && i < count; i++)
        for (int64_t first = 0; ok && first < tensors[i].elements; first += PIECE)
            ok = pieces-- > 0 ||
                 tensors[i].read(tensors[i].context, first, smaller(PIECE, tensors[i].elements - first), piece);
    free(piece);
    return ok;
}
