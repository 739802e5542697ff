// A program in a terminal of its own, for tests of what people type: terminal PROGRAM [ARGUMENTS] passes what it reads
// on to the program's keyboard, and what the program draws to its own output. Ends with the program, and with its
// status (128 and the number of a signal that ended it). The terminal is xterm's of 24 lines and 80 columns.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what)
{
    perror(what);
    return 2;
}

// In the child: its standard files are the terminal. Returns only if it cannot be started.
static int become(int keyboard, char **words)
{
    const char *name = ptsname(keyboard);
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    setsid();
    int terminal = name == NULL ? -1 : open(name, O_RDWR); // it becomes the session's
    if (terminal < 0 || ioctl(terminal, TIOCSWINSZ, &size) != 0)
        return failed("terminal");
    for (int i = 0; i < 3; i++)
        dup2(terminal, i);
    close(terminal);
    close(keyboard);
    setenv("TERM", "xterm", 1);
    execvp(words[0], words);
    return failed(words[0]);
}

static int pass_on(int from, int to)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof bytes);
    for (ssize_t done = 0; done < n;) {
        ssize_t written = write(to, bytes + done, (size_t)(n - done));
        if (written < 0)
            return -1;
        done += written;
    }
    return n > 0 ? 0 : -1; // Linux says EIO where nobody has the terminal open any more
}

int main(int count, char **words)
{
    int keyboard = posix_openpt(O_RDWR | O_NOCTTY), status;
    if (count < 2 || keyboard < 0 || grantpt(keyboard) != 0 || unlockpt(keyboard) != 0)
        return failed("terminal");
    pid_t child = fork();
    if (child < 0)
        return failed("fork");
    if (child == 0)
        return become(keyboard, words + 1);
    struct pollfd open_ones[2] = {{.fd = keyboard, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    for (;;) {
        if (poll(open_ones, 2, -1) < 0 && errno != EINTR)
            return failed("poll");
        if (open_ones[0].revents != 0 && pass_on(keyboard, STDOUT_FILENO) != 0)
            break;
        if (open_ones[1].revents != 0 && pass_on(STDIN_FILENO, keyboard) != 0)
            open_ones[1].fd = -1;
    }
    if (waitpid(child, &status, 0) != child)
        return failed("waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
