// Signals that ask a program to stop: SIGINT, SIGTERM, SIGHUP (a closed terminal) and SIGUSR1 (Slurm's
// --signal=USR1@600). The first prints an answer on standard error at once and sets a flag: the program drops work that
// it can repeat, saves, and exits with EXIT_STOPPED. The second ends the process at once, with status 130; what was
// saved before is whole. A closed pipe and a file size limit are errors of a write, not signals.
#ifndef SYSTEM_SIGNALS_H
#define SYSTEM_SIGNALS_H

#include "base/base.h"

enum { EXIT_STOPPED = 75, EXIT_AT_ONCE = 130 }; // EX_TEMPFAIL: start the same command again

// answer: the line printed at the first signal, which the caller keeps alive; NULL: nothing is printed.
bool signals_install(const char *answer);
int signal_received(void);             // the first one's number, 0 if there was none
double signal_seconds(void);           // since the first one; below 0: there was none
bool signal_checked(const char *what); // no signal came; else false, ERROR_STOPPED, "stopped by a signal WHAT"

#endif
