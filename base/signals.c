// The one variable of the house that is neither const nor per thread: a handler can reach nothing else, and a process has but one
// set of signals.
#include "base/signals.h"
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t received;

static void on_signal(int number)
{
    if (received != 0)
        _exit(EXIT_AT_ONCE);
    received = number;
}

bool signals_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}; // reads and writes go on
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) != 0)
            return fail_errno("asking for signal %d", numbers[i]);
        bool wanted = numbers[i] != SIGHUP || before.sa_handler != SIG_IGN; // nohup's wish stands
        if (wanted && sigaction(numbers[i], &action, NULL) != 0)
            return fail_errno("asking for signal %d", numbers[i]);
    }
    static const int ignored[] = {SIGXFSZ, SIGPIPE}; // errors of write(): EFBIG has a path to tell, EPIPE a run to go on
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (sigaction(ignored[i], &action, NULL) != 0)
            return fail_errno("ignoring signal %d", ignored[i]);
    return true;
}

int signal_received(void) { return (int)received; }
