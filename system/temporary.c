// Temporary names beside the final ones: NAME.tmp- and twelve digits that cannot be guessed. The maker holds a lock,
// which the system releases however the process ends; so leftovers of killed processes are recognised, and removed when
// the same file is made again.
#include "system/file_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGITS = 12, ATTEMPTS = 100 };

// ---- leftovers

// The part of a temporary name after "NAME.tmp-".
static bool is_digits(const char *text) { return strlen(text) == DIGITS && strspn(text, "0123456789abcdef") == DIGITS; }

// A locked one is in use; where there are no locks, it cannot be told.
static void remove_leftover(const char *path)
{
    struct stat facts;
    int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool known = descriptor >= 0 && fstat(descriptor, &facts) == 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (known && S_ISREG(facts.st_mode))
        unlink(path);
    if (known && S_ISDIR(facts.st_mode))
        folder_remove(path);
    if (descriptor >= 0)
        close(descriptor);
}

// One that cannot be removed does no harm.
static void remove_leftovers(const char *beside)
{
    const char *slash = strrchr(beside, '/'), *name = slash == NULL ? beside : slash + 1;
    size_t length = strlen(name);
    Bytes path = {0};
    bool ok = slash == NULL ? bytes_text(&path, ".") : bytes_append(&path, beside, (size_t)(slash - beside) + 1);
    DIR *folder = ok ? opendir(path.data) : NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const char *rest = entry->d_name + length;
        if (strncmp(entry->d_name, name, length) != 0 || strncmp(rest, ".tmp-", 5) != 0 || !is_digits(rest + 5))
            continue;
        bytes_clear(&path);
        if (bytes_printf(&path, "%s%s", beside, rest))
            remove_leftover(path.data);
    }
    if (folder != NULL)
        closedir(folder);
    bytes_free(&path);
    error_clear();
}

// ---- new ones

static bool new_name(Bytes *path, const char *beside)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return fail_errno("%s: a random name for its temporary file", beside);
    bytes_clear(path);
    return bytes_printf(path, "%s.tmp-%012" PRIx64, beside, number & 0xffffffffffff);
}

// Another process may take it for a leftover between creation and lock, and then has the lock itself for a moment: the
// name is gone, or will be, and another is made.
static bool hold(int descriptor)
{
    struct stat facts;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false; // any other failure: there are no locks on this file system, and leftovers stay
    return fstat(descriptor, &facts) != 0 || facts.st_nlink > 0;
}

static int make_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0755) != 0)
        return -1;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), why = errno;
    if (descriptor < 0)
        rmdir(path);
    errno = why == ENOENT ? EEXIST : why; // another process took it for a leftover before it was open: another name
    return descriptor;
}

static bool make(char **path, int *descriptor, const char *beside, int (*make_it)(const char *path))
{
    Bytes name = {0};
    bool ok = true;
    *descriptor = -1;
    remove_leftovers(beside);
    for (int attempt = 0; ok && *descriptor < 0; attempt++) {
        ok = new_name(&name, beside);
        *descriptor = ok ? make_it(name.data) : -1;
        if (*descriptor >= 0 && !hold(*descriptor)) {
            close(*descriptor);
            *descriptor = -1;
            errno = EEXIST;
        }
        if (ok && *descriptor < 0 && (errno != EEXIST || attempt == ATTEMPTS))
            ok = fail_errno("%s: creating it", name.data);
    }
    if (!ok)
        bytes_free(&name);
    *path = name.data;
    return ok;
}

bool temporary_file_make(char **path, int *descriptor, const char *beside)
{
    return make(path, descriptor, beside, make_file);
}

bool temporary_folder_make(TemporaryFolder *folder, const char *beside)
{
    return make(&folder->path, &folder->lock, beside, make_folder);
}

void temporary_folder_close(TemporaryFolder *folder)
{
    if (folder->path != NULL && folder_exists(folder->path)) {
        char *why = copy_text(error_text()); // removing must not overwrite the error
        folder_remove(folder->path);
        fail("%s", why != NULL ? why : "no memory");
        free(why);
    }
    if (folder->path != NULL)
        close(folder->lock);
    free(folder->path);
    *folder = (TemporaryFolder){0};
}

// The lock belongs to the process and ends with it.
bool folder_temporary(char **path, const char *name)
{
    const char *place = getenv("TMPDIR");
    int lock;
    char *beside = path_join(place != NULL && place[0] != 0 ? place : "/tmp", name);
    bool ok = beside != NULL && make(path, &lock, beside, make_folder);
    free(beside);
    return ok || fail_in("a temporary folder");
}
