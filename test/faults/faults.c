// Loaded into a program with LD_PRELOAD: one call of a kind fails, as on a machine that runs out of something. Which
// one is said by
//
//     FAULT=KIND:N[:ERROR]     the N-th call of this kind, from 1, fails with this error's number; "short" in its
//                              place: a part is read or written; "hang": it does not return; kind "memory":
//                              allocations; "memory-on": all of them from the N-th on
//     FAULT_LIST=FILE          nothing fails; a line "KIND N CALLERS" for every call, CALLERS being a hash of who
//                              called
//     FAULT_WHERE=FILE         the addresses of the callers of the one that failed, for addr2line
//
//     FAULT_FORK=1             the first process that it forks is the one, and not itself
//
// Only one process is hit: the one that was started, or that fork of it; never programs that they start.
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KINDS(KIND)                                                                                                    \
    KIND(memory)                                                                                                       \
    KIND(open)                                                                                                         \
    KIND(read)                                                                                                         \
    KIND(write)                                                                                                        \
    KIND(sync)                                                                                                         \
    KIND(rename)                                                                                                       \
    KIND(stat)                                                                                                         \
    KIND(mkdir)                                                                                                        \
    KIND(unlink) KIND(mmap) KIND(list) KIND(close) KIND(cut) KIND(lock) KIND(fork) KIND(pipe) KIND(net) KIND(poll)
#define NAME(kind) KIND_##kind,
typedef enum Kind { KINDS(NAME) KIND_COUNT } Kind;
#undef NAME
#define NAME(kind) #kind,
static const char *const names[] = {KINDS(NAME)};

enum { SHORT = -1, HANG = -2, DEPTH = 24 };
static atomic_long calls[KIND_COUNT];
static Kind target = KIND_COUNT;
static long wanted;
static int error;
static bool from_on, ready;
static int list = -1;
static const char *where;
static pid_t owner;          // who is hit; 0: whom it forks
static __thread bool inside; // calls from in here are not counted

static const char *list_path;

static void open_list(int how)
{
    int file = open(list_path, O_WRONLY | O_CREAT | how | O_CLOEXEC, 0644);
    list = fcntl(file, F_DUPFD_CLOEXEC, 200); // out of the way
    close(file);
}

__attribute__((constructor)) static void start(void)
{
    char kind[16] = "";
    const char *fault = getenv("FAULT"), *path = getenv("FAULT_LIST");
    inside = true;
    owner = getenv("FAULT_FORK") == NULL ? getpid() : 0;
    where = getenv("FAULT_WHERE");
    void *callers[1];
    backtrace(callers, 1); // loads what it needs
    if ((list_path = path) != NULL)
        open_list(O_TRUNC);
    if (fault != NULL) {
        const char *at = strchr(fault, ':');
        from_on = strncmp(fault, "memory-on:", 10) == 0;
        snprintf(kind, sizeof kind, "%.*s", from_on ? 6 : (int)(at - fault), fault);
        wanted = strtol(at + 1, NULL, 10);
        at = strchr(at + 1, ':');
        error = at == NULL ? EIO : strcmp(at, ":short") == 0 ? SHORT : strcmp(at, ":hang") == 0 ? HANG : atoi(at + 1);
        for (target = 0; target < KIND_COUNT && strcmp(names[target], kind) != 0; target++)
            ;
    }
    unsetenv("LD_PRELOAD"); // what was read of the environment stays where it is
    inside = false;
}

// What libraries do before main is theirs: calls count from there on.
static int (*real_main)(int, char **, char **);

static int counted_main(int count, char **arguments, char **environment)
{
    ready = true;
    return real_main(count, arguments, environment);
}

typedef int (*Start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void),
                     void *);

int __libc_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void),
                      void *);
int __libc_start_main(int (*program)(int, char **, char **), int count, char **arguments, void (*first)(void),
                      void (*last)(void), void (*loader_last)(void), void *stack)
{
    real_main = program;
    return ((Start)dlsym(RTLD_NEXT, "__libc_start_main"))(counted_main, count, arguments, first, last, loader_last,
                                                          stack);
}

static void tell_callers(const char *path)
{
    void *callers[DEPTH];
    int count = backtrace(callers, DEPTH), file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    backtrace_symbols_fd(callers + 2, count - 2, file);
    close(file);
}

static void add_to_list(Kind kind, long number)
{
    void *callers[DEPTH];
    char line[96];
    uint64_t hash = 1469598103934665603u;
    for (int i = 2, count = backtrace(callers, DEPTH); i < count; i++)
        hash = (hash ^ (uintptr_t)callers[i]) * 1099511628211u;
    int size = snprintf(line, sizeof line, "%s %ld %016llx\n", names[kind], number, (unsigned long long)hash);
    if (syscall(SYS_write, list, line, size) >= 0)
        return;
    open_list(O_APPEND); // the pool of graders closes what it does not know
    syscall(SYS_write, list, line, size);
}

// Whether this call is the one: then errno says why it fails.
static bool hit(Kind kind)
{
    if (!ready || inside || getpid() != owner)
        return false;
    int before = errno;
    long number = atomic_fetch_add(&calls[kind], 1) + 1;
    bool it = kind == target && (number == wanted || (from_on && number > wanted));
    inside = true;
    if (list >= 0)
        add_to_list(kind, number);
    if (it && number == wanted && where != NULL)
        tell_callers(where);
    inside = false;
    while (it && error == HANG)
        pause();
    errno = it ? (kind == KIND_memory ? ENOMEM : error) : before;
    return it;
}

// ---- memory. The C library has its allocator under these names, too.

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

void *malloc(size_t size) { return hit(KIND_memory) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return hit(KIND_memory) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return hit(KIND_memory) ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t to, size_t size) { return hit(KIND_memory) ? NULL : __libc_memalign(to, size); }
void *memalign(size_t, size_t);
void *memalign(size_t to, size_t size) { return hit(KIND_memory) ? NULL : __libc_memalign(to, size); }

int posix_memalign(void **place, size_t to, size_t size)
{
    void *made = hit(KIND_memory) ? NULL : __libc_memalign(to, size);
    if (made != NULL)
        *place = made;
    return made == NULL ? ENOMEM : 0;
}

// ---- the file system

static int open_or_not(int folder, const char *path, int flags, mode_t mode)
{
    return hit(KIND_open) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE(flags, mode)                                                                                              \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;                                     \
    va_end(rest)

int open(const char *path, int flags, ...)
{
    MODE(flags, mode);
    return open_or_not(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode);
    return open_or_not(AT_FDCWD, path, flags, mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

FILE *fopen(const char *path, const char *how) { return hit(KIND_open) ? NULL : REAL(fopen)(path, how); }
DIR *opendir(const char *path) { return hit(KIND_open) ? NULL : REAL(opendir)(path); }
struct dirent *readdir(DIR *folder) { return hit(KIND_list) ? NULL : REAL(readdir)(folder); }
char *realpath(const char *path, char *place) { return hit(KIND_stat) ? NULL : REAL(realpath)(path, place); }

// What is asked for of a short one; 0: it fails.
static size_t part(Kind kind, size_t size) { return !hit(kind) ? size : error == SHORT ? (size + 1) / 2 : 0; }

#define TRANSFER(kind, size, ...)                                                                                      \
    size_t some = part(kind, size);                                                                                    \
    return some == 0 && size > 0 ? -1 : (ssize_t)syscall(__VA_ARGS__)

ssize_t read(int file, void *data, size_t size) { TRANSFER(KIND_read, size, SYS_read, file, data, some); }
ssize_t write(int file, const void *data, size_t size) { TRANSFER(KIND_write, size, SYS_write, file, data, some); }
ssize_t pread(int file, void *data, size_t size, off_t at)
{
    TRANSFER(KIND_read, size, SYS_pread64, file, data, some, at);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at)
{
    TRANSFER(KIND_write, size, SYS_pwrite64, file, data, some, at);
}
ssize_t pread64(int file, void *data, size_t size, off_t at)
{
    TRANSFER(KIND_read, size, SYS_pread64, file, data, some, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off_t at)
{
    TRANSFER(KIND_write, size, SYS_pwrite64, file, data, some, at);
}

int fsync(int file) { return hit(KIND_sync) ? -1 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return hit(KIND_sync) ? -1 : (int)syscall(SYS_fdatasync, file); }
int rename(const char *from, const char *to) { return hit(KIND_rename) ? -1 : REAL(rename)(from, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    return hit(KIND_rename) ? -1 : (int)syscall(SYS_renameat2, a, from, b, to, flags);
}
int stat(const char *path, struct stat *facts) { return hit(KIND_stat) ? -1 : REAL(stat)(path, facts); }
int lstat(const char *path, struct stat *facts) { return hit(KIND_stat) ? -1 : REAL(lstat)(path, facts); }
int fstat(int file, struct stat *facts) { return hit(KIND_stat) ? -1 : REAL(fstat)(file, facts); }
int access(const char *path, int how) { return hit(KIND_stat) ? -1 : REAL(access)(path, how); }
int mkdir(const char *path, mode_t mode) { return hit(KIND_mkdir) ? -1 : REAL(mkdir)(path, mode); }
int unlink(const char *path) { return hit(KIND_unlink) ? -1 : REAL(unlink)(path); }
int rmdir(const char *path) { return hit(KIND_unlink) ? -1 : REAL(rmdir)(path); }
int flock(int file, int how) { return hit(KIND_lock) ? -1 : (int)syscall(SYS_flock, file, how); }
int ftruncate(int file, off_t size) { return hit(KIND_cut) ? -1 : (int)syscall(SYS_ftruncate, file, size); }
int fallocate(int file, int mode, off_t at, off_t size)
{
    return hit(KIND_cut) ? -1 : (int)syscall(SYS_fallocate, file, mode, at, size);
}
int close(int file)
{
    bool it = hit(KIND_close);
    int done = (int)syscall(SYS_close, file);
    if (it)
        errno = error;
    return it ? -1 : done;
}
void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    return hit(KIND_mmap) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

// ---- other processes, near and far

pid_t fork(void)
{
    if (hit(KIND_fork))
        return -1;
    pid_t child = REAL(fork)();
    if (owner == 0)
        owner = child == 0 ? getpid() : child; // which is not us: nothing more is hit here
    return child;
}
int pipe2(int ends[2], int flags) { return hit(KIND_pipe) ? -1 : REAL(pipe2)(ends, flags); }
int socketpair(int domain, int type, int protocol, int ends[2])
{
    return hit(KIND_pipe) ? -1 : REAL(socketpair)(domain, type, protocol, ends);
}
int socket(int domain, int type, int protocol) { return hit(KIND_net) ? -1 : REAL(socket)(domain, type, protocol); }
int connect(int file, const struct sockaddr *to, socklen_t size)
{
    return hit(KIND_net) ? -1 : REAL(connect)(file, to, size);
}
ssize_t send(int file, const void *data, size_t size, int flags)
{
    TRANSFER(KIND_net, size, SYS_sendto, file, data, some, flags, NULL, 0);
}
ssize_t recv(int file, void *data, size_t size, int flags)
{
    TRANSFER(KIND_net, size, SYS_recvfrom, file, data, some, flags, NULL, NULL);
}
int poll(struct pollfd *files, nfds_t count, int wait) { return hit(KIND_poll) ? -1 : REAL(poll)(files, count, wait); }
