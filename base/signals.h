// Signals that ask a run to stop: SIGINT, SIGTERM, SIGHUP (a closed terminal) and SIGUSR1 (Slurm's --signal=USR1@600). The first
// sets a flag: the program finishes its step, saves, and exits with EXIT_STOPPED. The second ends the process at once, with status
// 130; what was saved before is whole. A closed pipe and a file's size limit are errors of a write, not signals.
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EXIT_STOPPED = 75, EXIT_AT_ONCE = 130 }; // EX_TEMPFAIL: start the same command again

bool signals_install(void);
int signal_received(void); // the first one's number, 0 if there was none

#ifdef __cplusplus
}
#endif
#endif
