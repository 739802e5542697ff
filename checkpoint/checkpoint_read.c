// Opening a checkpoint and reading ranges of its tensors, each verified against its checksum before its first use.
// Where the bytes lie is the manifest's business (checkpoint_manifest.c); which checkpoint to open is
// checkpoint_folder.c's.
#include "checkpoint/checkpoint_internal.h"
#include "system/files.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

struct Checkpoint {
    char *path;
    Manifest manifest;
    MappedFile *files; // (file_count)
    bool *verified;    // (range_count)
};

static bool open_files(Checkpoint *c)
{
    const Manifest *m = &c->manifest;
    c->files = allocate(m->file_count, sizeof *c->files);
    c->verified = allocate(m->range_count, sizeof *c->verified);
    TRY(c->files != NULL && c->verified != NULL);
    for (size_t i = 0; i < m->file_count; i++) {
        char *path = path_join(c->path, m->files[i].name);
        bool ok = path != NULL && file_map(&c->files[i], path);
        if (ok && c->files[i].size != m->files[i].size)
            ok = fail("%s: its size changed while it was opened", path);
        free(path);
        TRY(ok);
    }
    return true;
}

bool checkpoint_open(Checkpoint **checkpoint, const char *path)
{
    Checkpoint *c = *checkpoint = allocate(1, sizeof *c);
    TRY(c != NULL);
    c->path = copy_text(path);
    if (c->path != NULL && manifest_read(&c->manifest, path) && open_files(c))
        return true;
    checkpoint_close(c);
    *checkpoint = NULL;
    return false;
}

void checkpoint_close(Checkpoint *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; c->files != NULL && i < c->manifest.file_count; i++)
        file_unmap(&c->files[i]);
    manifest_free(&c->manifest);
    free(c->files);
    free(c->verified);
    free(c->path);
    free(c);
}

int64_t checkpoint_step(const Checkpoint *c) { return c->manifest.step; }

const json_t *checkpoint_state(const Checkpoint *c) { return c->manifest.state; }

// The place of a tensor's first range; range_count if there is none.
static size_t find(const Manifest *m, const char *name)
{
    size_t low = 0, high = m->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(m->ranges[middle].tensor, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->range_count && strcmp(m->ranges[low].tensor, name) == 0 ? low : m->range_count;
}

int64_t checkpoint_elements(const Checkpoint *c, const char *name)
{
    size_t i = find(&c->manifest, name);
    return i == c->manifest.range_count ? -1 : c->manifest.ranges[i].elements;
}

static bool verify_range(Checkpoint *c, size_t i)
{
    const ManifestRange *r = &c->manifest.ranges[i];
    uint64_t hash;
    if (c->verified[i])
        return true;
    const uint8_t *data = r->length == 0 ? NULL : c->files[r->file].data + r->byte;
    TRY(mapped_hash(&hash, data, 4 * (size_t)r->length));
    if (hash != r->hash)
        return fail("%s/%s: tensor %s, elements %" PRId64 " to %" PRId64
                    ": the bytes do not match their checksum; the file is "
                    "damaged, resume from an older checkpoint",
                    c->path, c->manifest.files[r->file].name, r->tensor, r->offset, r->offset + r->length);
    c->verified[i] = true;
    return true;
}

bool checkpoint_read(Checkpoint *c, const char *name, int64_t first, int64_t count, float *out)
{
    const Manifest *m = &c->manifest;
    size_t at = find(m, name);
    if (at == m->range_count)
        return fail("%s: there is no tensor %s in this checkpoint", c->path, name);
    int64_t elements = m->ranges[at].elements, last;
    if (first < 0 || count < 0 || __builtin_add_overflow(first, count, &last) || last > elements)
        return fail("%s: tensor %s has %" PRId64 " elements; %" PRId64 " from %" PRId64 " were asked for", c->path,
                    name, elements, count, first);
    for (size_t i = at; i < m->range_count && strcmp(m->ranges[i].tensor, name) == 0; i++) {
        const ManifestRange *r = &m->ranges[i];
        int64_t begin = r->offset > first ? r->offset : first;
        int64_t end = r->offset + r->length < last ? r->offset + r->length : last;
        if (begin >= end)
            continue;
        TRY(verify_range(c, i));
        const uint8_t *data = c->files[r->file].data + r->byte + 4 * (begin - r->offset);
        memcpy(out + (begin - first), data, 4 * (size_t)(end - begin));
    }
    return true;
}

bool checkpoint_verify(Checkpoint *c, int part, int of)
{
    const Manifest *m = &c->manifest;
    uint64_t hash;
    phase_is("checking a checkpoint", -1);
    for (size_t i = (size_t)part; i < m->file_count; i += (size_t)of) {
        TRY(mapped_hash(&hash, c->files[i].data, c->files[i].size));
        if (hash != m->files[i].hash)
            return fail("%s/%s: the bytes do not match their checksum; the file is damaged, resume from an older one",
                        c->path, m->files[i].name);
    }
    return true;
}
