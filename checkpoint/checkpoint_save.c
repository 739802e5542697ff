// Saving a checkpoint, in the order that checkpoint.h promises. The state, which may lie on a device, goes to the file in pieces;
// each is looked through for values that are not finite and hashed on its way. Reading is in checkpoint_read.c.
#include "checkpoint/checkpoint_internal.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
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

// The text of the header, padded with spaces so that the data begin at a multiple of 8; and the size of the whole file.
static bool make_header(Bytes *text, Save *s)
{
    json_t *root = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    bool ok = root != NULL;
    int64_t at = 0;
    for (size_t i = 0; ok && i < s->count; i++) {
        const StateTensor *t = &s->tensors[i];
        int64_t end;
        if (t->elements < 0 || t->elements > INT64_MAX / 8 || __builtin_add_overflow(at, 4 * t->elements, &end)) {
            ok = fail("tensor %s: %" PRId64 " elements do not fit a file", t->name, t->elements);
            break;
        }
        json_t *entry = json_pack("{s:s, s:[I], s:[I, I]}", "dtype", "F32", "shape", (json_int_t)t->elements, "data_offsets",
                                  (json_int_t)at, (json_int_t)end);
        bool again = json_object_get(root, t->name) != NULL;
        ok = json_object_set_new(root, t->name, entry) == 0 && !again;
        if (!ok)
            fail("tensor %s: %s", t->name, again ? "its name occurs twice" : "no memory, or its name is not UTF-8");
        at = end;
    }
    char *dump = ok ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    ok = dump != NULL && bytes_text(text, dump);
    free(dump);
    while (ok && text->size % 8 != 0)
        ok = bytes_text(text, " ");
    s->size = 8 + text->size + (uint64_t)at;
    return ok;
}

// A disk without room is noticed before the first byte, not after an hour's worth of them.
static bool reserve(Save *s)
{
    struct statvfs facts;
    if (statvfs(s->temporary, &facts) == 0 && (uint64_t)facts.f_bavail * facts.f_frsize < s->size)
        return fail("%s: the checkpoint needs %" PRIu64 " bytes, and %" PRIu64 " are free; make room on this disk", s->temporary,
                    s->size, (uint64_t)facts.f_bavail * facts.f_frsize);
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
    uint32_t bad = 0, bits;
    for (int64_t i = 0; i < count; i++) {
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (bits & 0x7f800000) == 0x7f800000;
    }
    for (int64_t i = 0; bad && i < count; i++) {
        memcpy(&bits, &x[i], sizeof bits);
        if ((bits & 0x7f800000) == 0x7f800000)
            return fail("tensor %s: element %" PRId64 " is %f; a state that is not finite is not saved", t->name, first + i,
                        (double)x[i]);
    }
    return true;
}

static bool note_range(Save *s, const StateTensor *t, uint64_t byte, uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    json_t *entry =
        json_pack("{s:s, s:I, s:i, s:I, s:s, s:I, s:s}", "tensor", t->name, "elements", (json_int_t)t->elements, "offset", 0,
                  "length", (json_int_t)t->elements, "file", shard_name, "byte", (json_int_t)byte, "xxh3", text);
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
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, s->hash);
    json_t *root = json_pack("{s:s, s:i, s:I, s:i, s:b, s:[{s:s, s:I, s:s}], s:O}", "format", CHECKPOINT_FORMAT, "version",
                             CHECKPOINT_VERSION, "step", (json_int_t)s->step, "world", 1, "finite", true, "files", "name",
                             shard_name, "size", (json_int_t)s->size, "xxh3", hash, "ranges", s->ranges);
    bool ok = root != NULL;
    if (s->state != NULL)
        ok = ok && json_object_set(root, "state", s->state) == 0;
    else
        ok = ok && json_object_set_new(root, "state", json_object()) == 0;
    uint64_t own = 0;
    char *path = path_join(s->temporary, "MANIFEST.json");
    ok = ok && manifest_hash(&own, root);
    snprintf(hash, sizeof hash, "%016" PRIx64, own);
    ok = ok && json_object_set_new(root, "xxh3", json_string(hash)) == 0;
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

static bool make_temporary(Bytes *path, const char *folder, int64_t step)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    TRY(bytes_printf(path, "%s/step-%" PRId64 ".tmp-%ld-%lld%09ld", folder, step, (long)getpid(), (long long)now.tv_sec,
                     now.tv_nsec));
    return mkdir(path->data, 0755) == 0 || fail_errno("%s: making the folder", path->data);
}

static void remove_quietly(const char *folder) // the error that led here is the one to report
{
    char *cause = copy_text(error_text());
    if (folder_exists(folder))
        folder_remove(folder);
    if (cause != NULL)
        fail("%s", cause);
    free(cause);
}

static bool write_hint(const char *folder, const char *name)
{
    Bytes text = {0};
    char *path = path_join(folder, "latest");
    bool ok = path != NULL && bytes_printf(&text, "%s\n", name) && file_write_atomic(path, text.data, text.size);
    bytes_free(&text);
    free(path);
    return ok;
}

static bool commit(const char *folder, const char *temporary, int64_t step)
{
    Bytes name = {0};
    char *final = step_name(&name, step) ? path_join(folder, name.data) : NULL;
    bool ok = final != NULL && later_set_aside(folder, step) && folder_publish(temporary, final) && write_hint(folder, name.data);
    free(final);
    bytes_free(&name);
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

bool checkpoint_save(const char *folder, int64_t step, const StateTensor *tensors, size_t count, json_t *state, int keep)
{
    Bytes temporary = {0};
    if (step < 0)
        return fail("%s: a checkpoint of step %" PRId64, folder, step);
    bool ok = folder_make(folder) && leftovers_remove(folder) && make_temporary(&temporary, folder, step);
    if (ok) {
        Save save = {.temporary = temporary.data, .step = step, .tensors = tensors, .count = count, .state = state};
        ok = write_all(&save) && commit(folder, temporary.data, step);
        if (!ok)
            remove_quietly(temporary.data);
    }
    bytes_free(&temporary);
    ok = ok && checkpoints_prune(folder, step, keep);
    return ok || fail_in("saving the checkpoint of step %" PRId64, step);
}
