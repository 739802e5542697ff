// Shared by log.c, log_terminal.c and progress.c only.
#ifndef LOG_LOG_INTERNAL_H
#define LOG_LOG_INTERNAL_H

#include "log/log.h"

enum { SHOWN_NUMBER = 48 };

bool terminal_updates(FILE *terminal);                               // it can rewrite its last line
const char *shown_thousands(char text[SHOWN_NUMBER], double value);  // 1,234,567
const char *shown_duration(char text[SHOWN_NUMBER], double seconds); // 02m10s, 03h20m, 1d04h

void log_terminal_open(RunLog *log);
void log_terminal_close(RunLog *log);
void log_terminal_step(RunLog *log, int64_t step, const LogField *fields, size_t count, double now);
void log_terminal_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count);

#endif
