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
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};   // reads and writes go on
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], &action, NULL) != 0)
            return fail_errno("asking for signal %d", numbers[i]);
    return true;
}

int signal_received(void) { return (int)received; }
