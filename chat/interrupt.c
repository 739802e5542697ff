// See interrupt.h.
#include "chat/interrupt.h"
#include <signal.h>

static volatile sig_atomic_t came;
static struct sigaction before;

static void on_interrupt(int number) { came = 1; }

bool interrupts_begin(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    came = 0;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGINT, &action, &before) == 0 || fail_errno("setting the handler of Ctrl-C");
}

bool interrupts_end(void) { return sigaction(SIGINT, &before, NULL) == 0 || fail_errno("giving Ctrl-C back"); }

bool interrupted(void) { return came != 0; }

void interrupt_forget(void) { came = 0; }
