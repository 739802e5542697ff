// Reading MANIFEST.json. A manifest that passes is one whose ranges lie inside files of the right size and cover every
// tensor exactly once; what its hashes say is checked where bytes are read (checkpoint_read.c). It is written in
// checkpoint_save.c.
#include "checkpoint/checkpoint_internal.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

// 32B parameters on 4,096 ranks: each has a part of 66 groups (64 layers, both ends), three times (weights, moments), a
// fifth more where a part holds the end of a tensor: 970,000 ranges of up to 300 bytes, 290 MB. Four times that.
enum { MANIFEST_BYTES_MAX = 1 << 30, FILES_MAX = 4096 };

static bool need_hash(uint64_t *hash, const json_t *object, const char *where)
{
    const char *text;
    TRY(json_need_text(&text, object, "xxh3", where));
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return fail("%s: key \"xxh3\" must be 16 hexadecimal digits", where);
    *hash = strtoull(text, NULL, 16);
    return true;
}

static bool check_file(const ManifestFile *f, const char *folder)
{
    PathKind kind;
    uint64_t bytes;
    char *path = path_join(folder, f->name);
    bool ok = path != NULL && path_kind(&kind, path) && path_bytes(&bytes, path) &&
              (kind != PATH_NONE || fail("%s: the file is missing", path)) &&
              ((kind == PATH_FILE && bytes == f->size) ||
               fail("%s: it has %" PRIu64 " bytes, and %" PRIu64 " by the manifest", path, bytes, f->size));
    free(path);
    return ok;
}

static bool read_file_entry(ManifestFile *f, const json_t *entry, const char *folder, const char *where)
{
    int64_t size;
    TRY(json_need_text(&f->name, entry, "name", where));
    TRY(json_need_int(&size, entry, "size", 0, INT64_MAX, where));
    TRY(need_hash(&f->hash, entry, where));
    f->size = (uint64_t)size;
    if (f->name[0] == 0 || f->name[0] == '.' || strpbrk(f->name, "/\\") != NULL)
        return fail("%s: \"%s\" is not the plain name of a file in this folder", where, f->name);
    return check_file(f, folder);
}

static bool read_range_entry(ManifestRange *r, const Manifest *m, const json_t *entry, const char *where)
{
    const char *file;
    int64_t byte;
    TRY(json_need_text(&r->tensor, entry, "tensor", where));
    TRY(json_need_int(&r->elements, entry, "elements", 0, INT64_MAX / 4, where));
    TRY(json_need_int(&r->offset, entry, "offset", 0, r->elements, where));
    TRY(json_need_int(&r->length, entry, "length", 0, r->elements - r->offset, where));
    TRY(json_need_text(&file, entry, "file", where));
    TRY(json_need_int(&byte, entry, "byte", 0, INT64_MAX, where));
    TRY(need_hash(&r->hash, entry, where));
    r->byte = (uint64_t)byte;
    r->file = -1;
    size_t likely = m->range_count > 0 ? (size_t)m->ranges[m->range_count - 1].file : 0; // that of the range before
    for (size_t i = 0, at = likely; i < m->file_count && r->file < 0; i++, at = (at + 1) % m->file_count)
        if (strcmp(m->files[at].name, file) == 0)
            r->file = (int64_t)at;
    if (r->file < 0)
        return fail("%s: tensor %.200s lies in %s, which is not in the list of files", where, r->tensor, file);
    uint64_t size = m->files[r->file].size, bytes = 4 * (uint64_t)r->length;
    if (bytes > size || r->byte > size - bytes)
        return fail("%s: a range of tensor %.200s reaches beyond the end of %s", where, r->tensor, file);
    return true;
}

static int by_tensor(const void *a, const void *b)
{
    const ManifestRange *x = a, *y = b;
    int order = strcmp(x->tensor, y->tensor);
    if (order != 0)
        return order;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->length < y->length ? -1 : x->length > y->length;
}

static bool check_cover(const Manifest *m, const char *where)
{
    for (size_t i = 0, next; i < m->range_count; i = next) {
        const ManifestRange *first = &m->ranges[i];
        int64_t covered = 0;
        for (next = i; next < m->range_count && strcmp(m->ranges[next].tensor, first->tensor) == 0; next++) {
            if (m->ranges[next].offset != covered || m->ranges[next].elements != first->elements)
                return fail("%s: tensor %.200s: its ranges overlap, leave a hole or disagree at element %" PRId64,
                            where, first->tensor, covered);
            covered += m->ranges[next].length;
        }
        if (covered != first->elements)
            return fail("%s: tensor %.200s: %" PRId64 " of %" PRId64 " elements are there", where, first->tensor,
                        covered, first->elements);
    }
    return true;
}

bool manifest_hash(uint64_t *hash, const json_t *root)
{
    json_t *without = json_copy((json_t *)(uintptr_t)root);
    bool ok = without != NULL;
    if (ok)
        json_object_del(without, "xxh3");
    char *text = ok ? json_dumps(without, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(without);
    if (text == NULL)
        return fail_as(ERROR_SYSTEM, "no memory for a manifest");
    *hash = hash_bytes(text, strlen(text));
    free(text);
    return true;
}

static bool check_hash(const Manifest *m, const char *where)
{
    uint64_t said = 0, found = 0;
    TRY(need_hash(&said, m->root, where) && manifest_hash(&found, m->root));
    return said == found ||
           fail("%s: it does not match its checksum; the file is damaged, resume from an older checkpoint", where);
}

static bool read_head(Manifest *m, const char *where)
{
    const char *format;
    int64_t version;
    bool finite;
    if (!json_is_object(m->root))
        return fail("%s: not a JSON object", where);
    TRY(json_need_text(&format, m->root, "format", where));
    if (strcmp(format, CHECKPOINT_FORMAT) != 0)
        return fail("%s: format is \"%s\"; this is not a checkpoint of this program", where, format);
    TRY(json_need_int(&version, m->root, "version", 1, INT32_MAX, where));
    if (version != CHECKPOINT_VERSION)
        return fail("%s: version %" PRId64
                    " of the format; this program reads version %d: go on with the one that wrote it",
                    where, version, CHECKPOINT_VERSION);
    TRY(check_hash(m, where));
    TRY(json_need_int(&m->step, m->root, "step", 0, INT64_MAX, where));
    TRY(json_need_bool(&finite, m->root, "finite", where));
    if (!finite)
        return fail("%s: the state it describes is not finite", where);
    m->state = json_object_get(m->root, "state");
    return json_is_object(m->state) || fail("%s: key \"state\" must be an object", where);
}

static bool read_all(Manifest *m, const char *folder, const char *where)
{
    TRY(read_head(m, where));
    const json_t *files = json_object_get(m->root, "files"), *ranges = json_object_get(m->root, "ranges");
    if (!json_is_array(files) || !json_is_array(ranges))
        return fail("%s: keys \"files\" and \"ranges\" must be lists", where);
    if (json_array_size(files) > FILES_MAX)
        return fail("%s: %zu files, more than the %d that a checkpoint may have", where, json_array_size(files),
                    FILES_MAX);
    m->files = allocate(json_array_size(files), sizeof *m->files);
    m->ranges = allocate(json_array_size(ranges), sizeof *m->ranges);
    TRY(m->files != NULL && m->ranges != NULL);
    for (size_t i = 0; i < json_array_size(files); i++, m->file_count++)
        TRY(read_file_entry(&m->files[i], json_array_get(files, i), folder, where));
    for (size_t i = 0; i < json_array_size(ranges); i++, m->range_count++)
        TRY(read_range_entry(&m->ranges[i], m, json_array_get(ranges, i), where));
    if (m->range_count > 0)
        qsort(m->ranges, m->range_count, sizeof *m->ranges, by_tensor);
    return check_cover(m, where);
}

bool manifest_read(Manifest *m, const char *folder)
{
    *m = (Manifest){0};
    char *path = path_join(folder, "MANIFEST.json");
    m->root = path == NULL ? NULL : json_read(path, MANIFEST_BYTES_MAX);
    bool ok = m->root != NULL && read_all(m, folder, path);
    free(path);
    if (!ok)
        manifest_free(m);
    return ok;
}

void manifest_free(Manifest *m)
{
    free(m->files);
    free(m->ranges);
    json_decref(m->root);
    *m = (Manifest){0};
}
