// How many GPUs are here, before the ranks are forked: --gpus. Only the driver is asked (libcuda.so.1), in a child that
// ends with the answer.
#include "ranks/ranks.h"
#include <dlfcn.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 100, NO_LIBRARY = 101, NO_ANSWER = 102 }; // what the child ends with: up to MOST GPUs, or why not

static int ask_driver(void)
{
    int count = 0;
    void *file = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (file == NULL)
        return NO_LIBRARY;
    int (*start)(unsigned flags), (*devices)(int *count);
    *(void **)&start = dlsym(file, "cuInit");
    *(void **)&devices = dlsym(file, "cuDeviceGetCount");
    if (start == NULL || devices == NULL || start(0) != 0 || devices(&count) != 0)
        return NO_ANSWER;
    return (int)smaller(count, MOST);
}

bool gpus_count(int *count)
{
    int status;
    pid_t ended = -1, child = fork();
    if (child == 0)
        _exit(ask_driver());
    while (child > 0 && (ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        ;
    if (ended < 0)
        return fail_errno("--gpus: a process that counts them");
    *count = WIFEXITED(status) ? WEXITSTATUS(status) : NO_ANSWER;
    if (*count == NO_LIBRARY)
        return fail("--gpus: there is no NVIDIA driver on this machine; install one, or give --ranks N --device cpu");
    return *count <= MOST || fail("--gpus: the NVIDIA driver gives no answer; nvidia-smi may say why");
}
