// Plain global variables: a signal handler can reach nothing else, and a process has but one set of signals.
#include "system/signals.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_flag begun = ATOMIC_FLAG_INIT;
static volatile sig_atomic_t received;
static struct timespec when; // time of the first one; written before `received`, read after it
static const char *first_answer;
static const char second_answer[] = "stopped at once; what was saved before is whole\n";

// What a handler may do. After text on a terminal's last line (progress, or an echoed ^C) it begins a new line.
static void say(const char *text)
{
    int before = errno;
    ssize_t written = isatty(STDERR_FILENO) ? write(STDERR_FILENO, "\n", 1) : 0;
    written += write(STDERR_FILENO, text, strlen(text));
    (void)written; // a terminal that is gone does not matter
    errno = before;
}

// Two signals may arrive at once in two threads; only one counts as the first.
static void on_signal(int number)
{
    if (atomic_flag_test_and_set(&begun)) {
        say(second_answer);
        _exit(EXIT_AT_ONCE);
    }
    clock_gettime(CLOCK_MONOTONIC, &when);
    received = number;
    if (first_answer != NULL)
        say(first_answer);
}

bool signals_install(const char *answer)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}; // reads and writes go on
    sigfillset(&action.sa_mask); // two that arrive together are handled one after the other
    first_answer = answer;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) != 0)
            return fail_errno("setting the handler of signal %d", numbers[i]);
        bool wanted = numbers[i] != SIGHUP || before.sa_handler != SIG_IGN; // respect nohup
        if (wanted && sigaction(numbers[i], &action, NULL) != 0)
            return fail_errno("setting the handler of signal %d", numbers[i]);
    }
    static const int ignored[] = {SIGXFSZ,
                                  SIGPIPE}; // errors of write(): EFBIG can name a path; EPIPE need not end a run
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (sigaction(ignored[i], &action, NULL) != 0)
            return fail_errno("ignoring signal %d", ignored[i]);
    return true;
}

int signal_received(void) { return (int)received; }

double signal_seconds(void)
{
    struct timespec now;
    if (received == 0)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - when.tv_sec) + 1e-9 * (double)(now.tv_nsec - when.tv_nsec);
}

bool signal_checked(const char *what) { return received == 0 || fail_as(ERROR_STOPPED, "stopped by a signal%s", what); }
