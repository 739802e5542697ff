// One process's part of a checkpoint: a safetensors file with the parts of tensors that it has, whole and synced, and a
// report for the manifest. The state, which may lie on a device, goes to the file in pieces; each is looked through for
// values that are not finite and hashed on its way. Who writes when: checkpoint_save.c.
#include "checkpoint/checkpoint_internal.h"
#include "safetensors/safetensors.h"
#include "system/phase.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

uint64_t checkpoint_synced_at_once = (uint64_t)1 << 30; // no fsync takes so long that it looks like a hang
enum { PIECE = 1 << 22 };                               // elements written at a time; whole blocks

typedef struct Writing {
    const StateShard *shard;
    char name[32], *path;
    int descriptor;
    json_t *ranges, *sums;          // of the report
    float *piece;                   // (PIECE, or the largest part) elements on their way
    uint64_t size, written, synced; // bytes
    XXH3_state_t *file_hash, *range_hash;
} Writing;

static bool make_header(Bytes *text, uint64_t *size, const StateShard *s)
{
    WeightPlan *plan = allocate(s->count, sizeof *plan);
    uint64_t data = 0;
    for (size_t i = 0; plan != NULL && i < s->count; i++)
        plan[i] = (WeightPlan){s->tensors[i].name, 1, {s->tensors[i].count}};
    bool ok = plan != NULL && safetensors_header(text, &data, plan, (int64_t)s->count, WEIGHT_F32);
    free(plan);
    *size = 8 + text->size + data;
    return ok;
}

bool checkpoint_shard_bytes(uint64_t *bytes, const StateShard *s)
{
    Bytes header = {0};
    bool ok = make_header(&header, bytes, s);
    bytes_free(&header);
    return ok;
}

// A disk without room is noticed before the first byte, not after an hour's worth of them.
bool checkpoint_room(const char *draft, uint64_t bytes)
{
    struct statvfs facts;
    if (statvfs(draft, &facts) != 0 || facts.f_blocks == 0) // it does not say
        return true;
    uint64_t free_bytes = (uint64_t)facts.f_bavail * facts.f_frsize;
    return bytes <= free_bytes ||
           fail("%s: the checkpoint needs %" PRIu64 " bytes, and %" PRIu64 " are free; make room on this disk", draft,
                bytes, free_bytes);
}

// Where the file system cannot (NFS before 4.2, Lustre), it is left: posix_fallocate would write into every block.
static bool reserve(const Writing *w)
{
    while (fallocate(w->descriptor, 0, 0, (off_t)w->size) != 0)
        if (errno != EINTR)
            return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ||
                   fail_errno("%s: reserving %" PRIu64 " bytes; make room on this disk", w->path, w->size);
    return true;
}

static bool put(Writing *w, const void *data, size_t size)
{
    XXH3_64bits_update(w->file_hash, data, size);
    for (const char *p = data; size > 0;) {
        phase_progress();
        ssize_t n = write(w->descriptor, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno("%s: writing after %" PRIu64 " bytes; make room on this disk", w->path, w->written);
        p += n;
        size -= (size_t)n;
        w->written += (uint64_t)n;
    }
    if (w->written - w->synced < checkpoint_synced_at_once)
        return true;
    w->synced = w->written;
    return fdatasync(w->descriptor) == 0 || fail_errno("%s: syncing it to disk", w->path);
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

// Of whole blocks, each hashed with its number as the seed: a sum, so that it does not matter who has which.
static uint64_t sum_of_blocks(const float *x, int64_t first, int64_t count)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i += STATE_BLOCK)
        sum += XXH3_64bits_withSeed(x + i, 4 * (size_t)smaller(STATE_BLOCK, count - i),
                                    (uint64_t)((first + i) / STATE_BLOCK));
    return sum;
}

static bool note_range(Writing *w, const StateTensor *t, uint64_t byte, uint64_t hash, uint64_t sum)
{
    json_t *entry = json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:o}", "tensor", t->name, "elements",
                              (json_int_t)t->elements, "offset", (json_int_t)t->first, "length", (json_int_t)t->count,
                              "file", w->name, "byte", (json_int_t)byte, "xxh3", hash_json(hash));
    return (json_array_append_new(w->ranges, entry) == 0 && json_array_append_new(w->sums, hash_json(sum)) == 0) ||
           fail_as(ERROR_SYSTEM, "tensor %s: no memory for the manifest", t->name);
}

static bool write_part(Writing *w, const StateTensor *t)
{
    uint64_t byte = w->written, sum = 0;
    int64_t end = t->first + t->count;
    if (t->first % STATE_BLOCK != 0 || (end != t->elements && end % STATE_BLOCK != 0))
        return fail("tensor %s: elements %" PRId64 " to %" PRId64 " are no whole blocks of %d", t->name, t->first, end,
                    STATE_BLOCK);
    XXH3_64bits_reset(w->range_hash);
    for (int64_t first = t->first; first < end; first += PIECE) {
        int64_t count = smaller(PIECE, end - first);
        TRY(w->shard->stop == NULL || !atomic_load(w->shard->stop) || fail("%s: the save was given up", w->path));
        TRY(t->read(t->context, first, count, w->piece));
        TRY(check_finite(t, w->piece, first, count));
        XXH3_64bits_update(w->range_hash, w->piece, 4 * (size_t)count);
        sum += sum_of_blocks(w->piece, first, count);
        TRY(put(w, w->piece, 4 * (size_t)count));
    }
    return note_range(w, t, byte, XXH3_64bits_digest(w->range_hash), sum);
}

static bool write_content(Writing *w, const Bytes *header)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)header->size >> (8 * i));
    XXH3_64bits_reset(w->file_hash);
    TRY(reserve(w) && put(w, length, 8) && put(w, header->data, header->size));
    for (size_t i = 0; i < w->shard->count; i++)
        TRY(write_part(w, &w->shard->tensors[i]));
    return fsync(w->descriptor) == 0 || // never retried: after a failure the pages count as clean
           fail_errno("%s: syncing it to disk", w->path);
}

static bool write_file(Writing *w)
{
    Bytes header = {0};
    bool ok = make_header(&header, &w->size, w->shard);
    if (ok) {
        w->descriptor = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ok = w->descriptor >= 0 ? write_content(w, &header) : fail_errno("%s: creating it", w->path);
        if (w->descriptor >= 0 && close(w->descriptor) != 0 && ok)
            ok = fail_errno("%s: closing it", w->path);
    }
    bytes_free(&header);
    return ok;
}

static bool make_report(Bytes *report, const Writing *w)
{
    json_t *root = json_pack("{s:{s:s, s:I, s:o}, s:O, s:O}", "file", "name", w->name, "size", (json_int_t)w->size,
                             "xxh3", hash_json(XXH3_64bits_digest(w->file_hash)), "ranges", w->ranges, "sums", w->sums);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    bool ok = text != NULL ? bytes_text(report, text) : fail_as(ERROR_SYSTEM, "%s: no memory for its report", w->path);
    free(text);
    return ok;
}

bool checkpoint_shard_write(Bytes *report, const StateShard *shard, const char *draft)
{
    Writing w = {.shard = shard, .ranges = json_array(), .sums = json_array()};
    w.file_hash = XXH3_createState();
    w.range_hash = XXH3_createState();
    int64_t largest = 1;
    for (size_t i = 0; i < shard->count; i++)
        largest = larger(largest, shard->tensors[i].count);
    w.piece = allocate((size_t)smaller(PIECE, largest), sizeof *w.piece);
    snprintf(w.name, sizeof w.name, "shard-%05d.safetensors", shard->number);
    w.path = path_join(draft, w.name);
    bool ok = w.path != NULL && w.piece != NULL;
    if (ok && (w.ranges == NULL || w.sums == NULL || w.file_hash == NULL || w.range_hash == NULL))
        ok = fail_as(ERROR_SYSTEM, "%s: no memory to write it", w.path);
    ok = ok && write_file(&w) && make_report(report, &w);
    XXH3_freeState(w.file_hash);
    XXH3_freeState(w.range_hash);
    json_decref(w.ranges);
    json_decref(w.sums);
    free(w.piece);
    free(w.path);
    return ok;
}
