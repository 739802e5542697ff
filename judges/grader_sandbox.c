// The sandbox of a grader: bubblewrap. Even if root starts the trainer, the program has no capability, no rights of the
// user except reading, and no way to get any: in its own user namespace it cannot mount, and cannot create other
// namespaces.
#include "judges/grader_sandbox.h"
#include "base/base.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Other users' files, pipes and sockets, and those of system services. (/var/run and such are links to these.)
static const char *const HIDDEN[] = {"/tmp", "/run", "/var/tmp"};

static bool is_within(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

size_t grader_sandbox_words(const char *words[GRADER_SANDBOX_WORDS], const char *folder)
{
    static const char *const BWRAP[] = {"bwrap",
                                        "--ro-bind",
                                        "/",
                                        "/",
                                        "--dev",
                                        "/dev",
                                        "--proc",
                                        "/proc",
                                        "--unshare-all",
                                        "--unshare-user",
                                        "--disable-userns",
                                        "--cap-drop",
                                        "ALL",
                                        "--uid",
                                        "65534",
                                        "--gid",
                                        "65534",
                                        "--die-with-parent",
                                        "--new-session"};
    size_t count = sizeof BWRAP / sizeof *BWRAP;
    memcpy(words, BWRAP, sizeof BWRAP);
    for (size_t i = 0; i < sizeof HIDDEN / sizeof *HIDDEN; i++) {
        struct stat facts;
        if (lstat(HIDDEN[i], &facts) != 0 || !S_ISDIR(facts.st_mode))
            continue;
        words[count++] = "--tmpfs";
        words[count++] = HIDDEN[i];
        if (is_within(folder, HIDDEN[i])) {
            words[count++] = "--ro-bind";
            words[count++] = folder;
            words[count++] = folder;
        }
    }
    words[count++] = "--chdir";
    words[count++] = folder;
    return count;
}

bool grader_sandbox_works(void)
{
    const char *words[GRADER_SANDBOX_WORDS + 2];
    size_t count = grader_sandbox_words(words, "/");
    int status = -1;
    words[count++] = "true";
    words[count] = NULL;
    pid_t child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR);
        for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
            dup2(nothing, number);
        execvp(words[0], (char *const *)words);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_secret(const char *variable)
{
    static const char *const ENDS[] = {"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS"};
    size_t length = strcspn(variable, "=");
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        size_t end = strlen(ENDS[i]);
        if (length >= end && strncasecmp(variable + length - end, ENDS[i], end) == 0)
            return true;
    }
    return false;
}

void grader_sandbox_forget_secrets(void)
{
    for (size_t i = 0; environ != NULL && environ[i] != NULL;) {
        char *name = is_secret(environ[i]) ? strndup(environ[i], strcspn(environ[i], "=")) : NULL;
        if (name == NULL || unsetenv(name) != 0)
            i++; // else the next one has moved to this index
        free(name);
    }
}
