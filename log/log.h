// The log of a run: OUT/log.jsonl, one object a line, the truth that pictures and resuming rely on; and the terminal: lines that stay,
// and on a TTY an updating one below them (NO_COLOR and TERM=dumb are respected). Not for errors: those go up to main.
//
// A line of a step holds "step", the caller's fields in their order, then what comes from the clock or the machine: "seconds"
// (since log_open), the caller's "tokens_per_second", "memory_bytes" (at most so far). So two runs of the same bits have the
// same lines up to `, "seconds"`. Numbers are the shortest text that reads back as the same double; what is not finite is null.
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "system/line_file.h"

typedef struct LogField {
    const char *name;
    double value;
} LogField;

typedef struct RunLog {
    LineFile file;                 // closed: there is none
    FILE *terminal;                // NULL: silent
    bool updating, colored, dirty; // dirty: an updating line stands on the terminal
    int64_t total_steps, every;    // lines that stay: every so many steps, and the last
    double opened, first_time;     // seconds; of log_open, of the first step that was logged here
    double live;                   // when log_live last showed something
    int64_t first_step;            // -1: none yet
    Bytes line;
} RunLog;

// path: appended to; NULL for none. terminal: NULL for none (ranks other than the first). Steps count from 1 to total_steps.
bool log_open(RunLog *log, const char *path, FILE *terminal, int64_t total_steps, int64_t every);
bool log_close(RunLog *log);

// The terminal shows loss, grad_norm, lr, reward/mean, reward/unscored (where it is more than 0), response_length/mean and
// tokens_per_second of the fields, the time left and the memory in use at most.
bool log_step(RunLog *log, int64_t step, const LogField *fields, size_t count);

// A line {"event": name, "step": …, fields…, "seconds": …}; on the terminal a line of its own with all fields
// but those of kinds and sources ("…/kind/…", "…/source/…").
bool log_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count);

// What is under way between two steps: "step 3/100 | TEXT" as the updating line, a few times a second at most; nothing where lines do
// not update.
void log_live(RunLog *log, int64_t step, const char *format, ...) PRINTF_LIKE(3, 4);

// A line of text on the terminal only, above the updating one.
void log_note(RunLog *log, const char *format, ...) PRINTF_LIKE(2, 3);

bool log_sync(RunLog *log); // on disk; before a checkpoint that says how far the log goes

// Keeps the lines with "step" <= step, whole or not at all; -1 empties the file, and a file that is not there stays so. A half
// last line is dropped; any other line that is no object with a step is an error with its number, and the file stands as it was.
// facts (NULL: nobody asks): what the log was about.
typedef struct LogFacts {
    int64_t last;      // the last step that it had, before it was cut; 0: none
    int64_t evaluated; // the last step with an event "eval" that it keeps; -1: none
} LogFacts;
bool log_cut(const char *path, int64_t step, LogFacts *facts);

// Fields that come from the clock or the machine, and may differ between two runs of the same bits.
bool log_is_wall_clock(const char *name);

uint64_t memory_peak(void); // bytes of this process at most so far

#endif
