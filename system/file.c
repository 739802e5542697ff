// Files: mapped or read whole, written so that a crash, a full disk or a kill at any instant leaves either the old file
// or the new one. The temporary file is in the target's folder, because a rename does not cross file systems.
#include "system/file_internal.h"
#include "system/phase.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static bool open_regular(int *descriptor, size_t *size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno("%s", path);
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        fail_errno("%s", path);
        close(fd);
        return false;
    }
    if (!S_ISREG(facts.st_mode)) {
        close(fd);
        return fail("%s: not a regular file", path);
    }
    *descriptor = fd;
    *size = (size_t)facts.st_size;
    return true;
}

bool file_map(MappedFile *file, const char *path)
{
    int fd;
    *file = (MappedFile){0};
    TRY(open_regular(&fd, &file->size, path));
    if (file->size > 0) {
        void *p = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            fail_errno("%s: mapping %zu bytes", path, file->size);
            close(fd);
            *file = (MappedFile){0};
            return false;
        }
        file->data = p;
    }
    close(fd);
    if (file->data == NULL || mapping_note(path, file->data, file->size))
        return true;
    munmap((void *)(uintptr_t)file->data, file->size);
    *file = (MappedFile){0};
    return false;
}

void file_unmap(MappedFile *file)
{
    if (file->data != NULL) {
        mapping_forget(file->data);
        munmap((void *)(uintptr_t)file->data, file->size);
    }
    *file = (MappedFile){0};
}

bool mapped_hash(uint64_t *hash, const uint8_t *data, size_t size)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL)
        return fail_as(ERROR_SYSTEM, "no memory for a checksum");
    XXH3_64bits_reset(state);
    for (size_t at = 0; at < size; at += MAPPED_PIECE) {
        phase_progress();
        XXH3_64bits_update(state, data + at, size - at < MAPPED_PIECE ? size - at : MAPPED_PIECE);
    }
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return true;
}

bool file_read(Bytes *out, const char *path, size_t limit)
{
    int fd;
    size_t size;
    TRY(open_regular(&fd, &size, path));
    if (size > limit) {
        close(fd);
        return fail("%s: %zu bytes, more than the %zu that such a file may have", path, size, limit);
    }
    bytes_clear(out);
    bool ok = grow(&out->data, &out->capacity, size + 1, 1);
    while (ok && out->size < size) {
        phase_progress();
        ssize_t n = read(fd, out->data + out->size, size - out->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            ok = n < 0 ? fail_errno("%s: reading", path) : fail("%s: became shorter while it was read", path);
            break;
        }
        out->size += (size_t)n;
    }
    if (ok)
        out->data[out->size] = 0;
    close(fd);
    return ok;
}

static bool look_at(PathKind *kind, uint64_t *bytes, const char *path) // false: unknown, and errno says why
{
    struct stat facts;
    *kind = PATH_NONE;
    *bytes = 0;
    if (stat(path, &facts) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    *kind = S_ISREG(facts.st_mode) ? PATH_FILE : S_ISDIR(facts.st_mode) ? PATH_FOLDER : PATH_OTHER;
    *bytes = *kind == PATH_FILE ? (uint64_t)facts.st_size : 0;
    return true;
}

static bool look(PathKind *kind, const char *path)
{
    uint64_t bytes;
    return look_at(kind, &bytes, path);
}

bool path_kind(PathKind *kind, const char *path)
{
    return look(kind, path) || fail_errno("%s: checking whether it exists", path);
}

bool path_bytes(uint64_t *bytes, const char *path)
{
    PathKind kind;
    return look_at(&kind, bytes, path) || fail_errno("%s: reading its size", path);
}

bool path_in_folder_kind(PathKind *kind, const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool ok = path != NULL && path_kind(kind, path);
    free(path);
    return ok;
}

bool file_exists(const char *path)
{
    PathKind kind;
    return look(&kind, path) && kind == PATH_FILE;
}

bool folder_exists(const char *path)
{
    PathKind kind;
    return look(&kind, path) && kind == PATH_FOLDER;
}

char *path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    Bytes path = {0};
    const char *between = length > 0 && folder[length - 1] == '/' ? "" : "/";
    if (!bytes_printf(&path, "%s%s%s", folder, between, name)) {
        bytes_free(&path);
        return NULL;
    }
    return path.data;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return copy_text(".");
    char *parent = copy_text(slash == path ? "/" : path);
    if (parent != NULL && slash != path)
        parent[slash - path] = 0;
    return parent;
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a folder"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
           : S_ISFIFO(mode)                 ? "a pipe"
           : S_ISSOCK(mode)                 ? "a socket"
                                            : "something else";
}

// Sets the path that is really replaced. What is no regular file (think of /dev/null) would be destroyed by a file in
// its place, so it is refused.
static bool find_target(char **target, const char *path)
{
    struct stat facts;
    *target = NULL;
    if (lstat(path, &facts) != 0)
        return errno == ENOENT ? (*target = copy_text(path)) != NULL : fail_errno("%s", path);
    bool link = S_ISLNK(facts.st_mode);
    if (link && stat(path, &facts) != 0)
        return fail_errno("%s: following the link", path);
    if (!S_ISREG(facts.st_mode))
        return fail("%s: is %s, which a file must not replace; name a file", path, kind_of(facts.st_mode));
    *target = link ? realpath(path, NULL) : copy_text(path);
    return *target != NULL || (link && fail_errno("%s: following the link", path));
}

bool file_may_be_written(const char *path)
{
    char *target;
    bool ok = find_target(&target, path);
    free(target);
    return ok;
}

static bool begins_with(const char *path, const char *beginning)
{
    char there[256];
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return fail_errno("%s: exists, and reading its first bytes", path);
    size_t size = fread(there, 1, sizeof there, file), wanted = strlen(beginning);
    fclose(file);
    return size == 0 || (size >= wanted && memcmp(there, beginning, wanted) == 0) ||
           fail("%s: already exists, and is not from an earlier run of this program; remove it, or name another file",
                path);
}

bool file_may_be_replaced(const char *path, const char *beginning)
{
    PathKind kind;
    return file_may_be_written(path) && path_kind(&kind, path) && (kind == PATH_NONE || begins_with(path, beginning));
}

bool atomic_open(AtomicFile *file, const char *path)
{
    *file = (AtomicFile){.descriptor = -1};
    if (find_target(&file->path, path) && temporary_file_make(&file->temporary, &file->descriptor, file->path))
        return true;
    atomic_abort(file);
    return false;
}

bool atomic_write(AtomicFile *file, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        size_t piece = size < (size_t)1 << 26 ? size : (size_t)1 << 26;
        phase_progress();
        ssize_t n = write(file->descriptor, p, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno("%s: writing after %" PRIu64 " bytes; free some space and run again", file->path,
                              file->written);
        p += n;
        size -= (size_t)n;
        file->written += (uint64_t)n;
    }
    return true;
}

void atomic_abort(AtomicFile *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (file->descriptor >= 0)
        unlink(file->temporary);
    free(file->path);
    free(file->temporary);
    *file = (AtomicFile){.descriptor = -1};
}

bool folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno("%s: opening the folder", path);
    bool ok = fsync(fd) == 0 || errno == EINVAL; // some file systems cannot sync a folder, and need not
    if (!ok)
        fail_errno("%s: syncing the folder", path);
    close(fd);
    return ok;
}

bool atomic_commit(AtomicFile *file)
{
    bool ok = fsync(file->descriptor) == 0; // never retried: after a failure the pages count as clean
    if (!ok)
        fail_errno("%s: syncing it to disk", file->path);
    if (ok && rename(file->temporary, file->path) != 0)
        ok = fail_errno("%s: renaming its temporary file", file->path);
    if (!ok) {
        atomic_abort(file);
        return false;
    }
    close(file->descriptor);
    file->descriptor = -1;
    char *parent = parent_of(file->path);
    ok = parent != NULL && folder_sync(parent);
    free(parent);
    atomic_abort(file);
    return ok;
}

bool file_write_atomic(const char *path, const void *data, size_t size)
{
    AtomicFile file;
    TRY(atomic_open(&file, path));
    if (atomic_write(&file, data, size))
        return atomic_commit(&file);
    atomic_abort(&file);
    return false;
}

bool folder_make(const char *path)
{
    char *part = copy_text(path);
    TRY(part != NULL);
    bool ok = true;
    for (char *p = part + 1; ok && part[0] != 0; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char here = *p;
        *p = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            ok = fail_errno("%s: making the folder", part);
        *p = here;
        if (here == 0)
            break;
    }
    free(part);
    PathKind kind;
    TRY(ok && path_kind(&kind, path));
    return kind == PATH_FOLDER || fail("%s: there is a file where a folder should be", path);
}

bool parents_make(const char *path)
{
    char *parent = parent_of(path);
    bool ok = parent != NULL && (folder_exists(parent) || folder_make(parent));
    free(parent);
    return ok;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool folder_list(char ***names, size_t *count, const char *path)
{
    DIR *folder = opendir(path);
    *names = NULL;
    *count = 0;
    if (folder == NULL)
        return fail_errno("%s: listing the folder", path);
    size_t capacity = 0;
    bool ok = true;
    for (struct dirent *entry; ok;) {
        errno = 0;
        if ((entry = readdir(folder)) == NULL) {
            ok = errno == 0 || fail_errno("%s: listing the folder", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *name = copy_text(entry->d_name);
        ok = name != NULL && grow(names, &capacity, *count + 1, sizeof(char *));
        if (ok)
            (*names)[(*count)++] = name;
        else
            free(name);
    }
    closedir(folder);
    if (ok && *count > 0)
        qsort(*names, *count, sizeof(char *), by_name);
    if (!ok) {
        names_free(*names, *count);
        *names = NULL;
        *count = 0;
    }
    return ok;
}

void names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

bool folder_may_be_replaced(const char *folder, bool (*may_lose)(const char *folder, char **names, size_t count))
{
    PathKind kind;
    char **names;
    size_t count;
    TRY(path_kind(&kind, folder));
    if (kind == PATH_NONE)
        return file_may_be_written(folder); // a link to nothing is not replaced
    if (kind != PATH_FOLDER)
        return fail("%s: there is a file of that name; move it, or choose another", folder);
    TRY(folder_list(&names, &count, folder));
    bool ok = count == 0 || may_lose(folder, names, count);
    names_free(names, count);
    return ok;
}

bool user_folder(char **folder, const char *variable, const char *in_home)
{
    const char *named = getenv(variable), *home = getenv("HOME");
    PathKind kind = PATH_NONE;
    *folder = NULL;
    if (named != NULL && named[0] == '/') // any other is ignored
        return (*folder = path_join(named, "dereason")) != NULL;
    if (home == NULL || home[0] != '/' || !path_kind(&kind, home) || kind != PATH_FOLDER) {
        error_clear();
        return true;
    }
    char *folders = path_join(home, in_home);
    *folder = folders == NULL ? NULL : path_join(folders, "dereason");
    free(folders);
    return *folder != NULL;
}

static bool is_link(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode);
}

bool folder_clean(const char *folder, PathKind (*goes)(const void *context, const char *name), const void *context)
{
    char **names;
    size_t count;
    PathKind kind;
    TRY(path_kind(&kind, folder));
    if (kind == PATH_NONE)
        return true;
    TRY(folder_list(&names, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        PathKind wanted = goes(context, names[i]);
        char *path = wanted == PATH_NONE ? NULL : path_join(folder, names[i]);
        if (wanted != PATH_NONE)
            ok = path != NULL && path_kind(&kind, path);
        if (ok && wanted == PATH_FOLDER && kind == PATH_FOLDER)
            ok = is_link(path) ? unlink(path) == 0 || fail_errno("%s: removing it", path) : folder_remove(path);
        else if (ok && wanted == PATH_FILE && kind != PATH_FOLDER)
            ok = unlink(path) == 0 || fail_errno("%s: removing it", path);
        free(path);
    }
    names_free(names, count);
    return ok;
}

bool folder_remove(const char *path)
{
    char **names;
    size_t count;
    struct stat top;
    if (lstat(path, &top) == 0 && !S_ISDIR(top.st_mode)) // what a link leads to is not ours to remove
        return fail("%s: removing it: not a folder", path);
    TRY(folder_list(&names, &count, path));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        char *inside = path_join(path, names[i]);
        struct stat facts;
        if (inside == NULL || lstat(inside, &facts) != 0)
            ok = inside == NULL ? false : fail_errno("%s", inside);
        else if (S_ISDIR(facts.st_mode))
            ok = folder_remove(inside);
        else if (unlink(inside) != 0)
            ok = fail_errno("%s: removing it", inside);
        free(inside);
    }
    names_free(names, count);
    if (ok && rmdir(path) != 0)
        return fail_errno("%s: removing the folder", path);
    return ok;
}
