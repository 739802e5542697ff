// Lines appended to a file, whole or not at all: see line_file.h.
#include "system/line_file.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_lock(int descriptor, const char *path, const char *busy)
{
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return fail("%s: %s", path, busy);
    fprintf(stderr, "%s: cannot be locked (%s); make sure that no other process writes it\n", path, strerror(errno));
    return true;
}

static bool open_parts(LineFile *f, const char *path, bool links, const char *busy)
{
    struct stat facts;
    TRY((f->path = copy_text(path)) != NULL);
    f->descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (links ? 0 : O_NOFOLLOW), 0644);
    if (f->descriptor < 0)
        return fail_errno("%s: opening", path);
    if (fstat(f->descriptor, &facts) != 0)
        return fail_errno("%s: reading what it is", path);
    if (!S_ISREG(facts.st_mode))
        return fail("%s: not a regular file", path);
    return busy == NULL || file_lock(f->descriptor, path, busy);
}

bool line_file_open(LineFile *f, const char *path, bool links, const char *busy)
{
    *f = (LineFile){.descriptor = -1};
    if (open_parts(f, path, links, busy))
        return true;
    line_file_close(f);
    return false;
}

bool line_file_close(LineFile *f)
{
    bool ok = f->path == NULL || f->descriptor < 0 || close(f->descriptor) == 0 || fail_errno("%s: closing", f->path);
    free(f->path);
    *f = (LineFile){.descriptor = -1};
    return ok;
}

// ---- reading

bool lines_read(Text all, LineReading take, void *context)
{
    int64_t number = 1;
    for (size_t at = 0, next; at < all.size; at = next, number++) {
        const char *begin = all.data + at, *newline = memchr(begin, '\n', all.size - at);
        FileLine line = {.offset = at, .number = number, .half = newline == NULL};
        line.text = (Text){begin, line.half ? all.size - at : (size_t)(newline - begin)};
        next = at + line.text.size + 1;
        while (line.half && line.text.size > 0 && begin[line.text.size - 1] == 0)
            line.text.size--;
        TRY(take(context, &line));
    }
    return true;
}

bool line_file_read(LineFile *f, LineReading take, void *context)
{
    MappedFile file;
    TRY(file_map(&file, f->path));
    const char *data = (const char *)file.data;
    for (f->end = file.size; f->end > 0 && data[f->end - 1] != '\n';)
        f->end--;
    for (f->zeros = 0; f->end + f->zeros < file.size && data[file.size - f->zeros - 1] == 0;)
        f->zeros++;
    bool ok = lines_read((Text){data, file.size}, take, context);
    if (ok && f->end < file.size && ftruncate(f->descriptor, (off_t)f->end) != 0)
        ok = fail_errno("%s: cutting off an incomplete line", f->path);
    file_unmap(&file);
    return ok;
}

// ---- appending

static bool size_now(const LineFile *f, uint64_t *size)
{
    struct stat facts;
    if (fstat(f->descriptor, &facts) != 0)
        return fail_errno("%s: reading its size", f->path);
    *size = (uint64_t)facts.st_size;
    return true;
}

bool line_file_is_ours(const LineFile *f)
{
    uint64_t size;
    return size_now(f, &size) && (size == f->end || fail("%s: was changed by another program while it was written; "
                                                         "the same command goes on with its intact lines",
                                                         f->path));
}

bool line_file_append(LineFile *f, const char *text, size_t size)
{
    uint64_t before;
    TRY(size_now(f, &before));
    for (size_t done = 0; done < size;) { // repeats only after a partial write
        ssize_t n = write(f->descriptor, text + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fail_errno("%s: writing; what is finished so far stays there, so free some space and run again", f->path);
            return done > 0 && ftruncate(f->descriptor, (off_t)before) != 0
                       ? fail_in("an incomplete line remains at its end")
                       : false;
        }
        done += (size_t)n;
    }
    f->end = before + size;
    return true;
}
