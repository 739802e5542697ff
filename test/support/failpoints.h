// Failpoints in the calls that change the disk, and in open: this program's own write, fsync, rename, ... stand before
// libc's. When armed, the n-th of them, of whatever thread, either kills the process (a write is half done by then) or
// fails; the log has a letter for each that changes something. And the disk can be held: then no thread but the first
// gets through an fsync or fdatasync. Include it in one file of a test.
#ifndef TEST_FAILPOINTS_H
#define TEST_FAILPOINTS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum FailKind { FAIL_NOT, FAIL_KILL, FAIL_ERROR } FailKind;

static FailKind fail_kind;
static char fail_hit;              // the letter of the one that was
static int fail_after, fail_error; // the call number fail_after + 1 is hit; with this error, 0: with its usual one
static atomic_int fail_calls;
static atomic_bool disk_held;
static bool fail_opens;    // whether open is one of them
static char fail_log[256]; // Allocate, Mkdir, Write, Fdatasync, Sync, Rename, eXchange, Unlink, rmDir: the capitals

static void failpoint_arm(FailKind kind, int after)
{
    fail_kind = kind;
    fail_after = after;
    fail_calls = 0;
    fail_log[0] = fail_hit = 0;
}

static bool failpoint_hit(char letter, int error) // false also when it is not armed; does not return when it kills
{
    if (fail_kind == FAIL_NOT)
        return false;
    size_t length = strlen(fail_log);
    if (letter != 0 && length < sizeof fail_log - 1) {
        fail_log[length] = letter;
        fail_log[length + 1] = 0;
    }
    if (atomic_fetch_add(&fail_calls, 1) != fail_after)
        return false;
    fail_hit = letter;
    if (fail_kind == FAIL_KILL)
        kill(getpid(), SIGKILL);
    errno = fail_error != 0 ? fail_error : error;
    return true;
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fail_kind == FAIL_KILL && fail_calls == fail_after)
        syscall(SYS_write, fd, data, size / 2);
    return failpoint_hit('W', ENOSPC) ? -1 : (ssize_t)syscall(SYS_write, fd, data, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    return failpoint_hit('A', ENOSPC) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

static void wait_for_disk(void)
{
    while (atomic_load(&disk_held) && syscall(SYS_gettid) != getpid())
        usleep(1000);
}

int fdatasync(int fd)
{
    wait_for_disk();
    return failpoint_hit('F', EIO) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    wait_for_disk();
    return failpoint_hit('S', EIO) ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t size) { return failpoint_hit('T', EIO) ? -1 : (int)syscall(SYS_ftruncate, fd, size); }

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fail_opens && failpoint_hit(0, EIO) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return failpoint_hit('M', ENOSPC) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *from, const char *to)
{
    return failpoint_hit('R', EIO) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0u);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return failpoint_hit('X', EIO) ? -1 : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

int unlink(const char *path) { return failpoint_hit('U', EIO) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }

int rmdir(const char *path)
{
    return failpoint_hit('D', EIO) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

// Runs work(context) in a child that is killed at its n-th change of the disk. True if it came to its end before that.
static inline bool survives_kill(int after, bool (*work)(void *context), void *context)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        failpoint_arm(FAIL_KILL, after);
        _exit(work(context) ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
