// What log.c and log_terminal.c share; nobody else includes it.
#ifndef LOG_LOG_INTERNAL_H
#define LOG_LOG_INTERNAL_H

#include "log/log.h"

void log_terminal_open(RunLog *log);
void log_terminal_close(RunLog *log);
void log_terminal_step(RunLog *log, int64_t step, const LogField *fields, size_t count, double now);
void log_terminal_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count);

#endif
