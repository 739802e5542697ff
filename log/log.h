// The log of a run: OUT/log.jsonl, one object a line, which plots and resuming read; and the terminal: lines that stay,
// and on a TTY an updating one below them (NO_COLOR and TERM=dumb are respected). Not for errors: those go up to main.
//
// A step's line holds "step", the caller's fields in their order, then what the clock or the machine decides: "seconds"
// (since log_open), the caller's "tokens_per_second" and "sent_bytes" (rank 0's), "memory_bytes" (the peak). So two
// runs of the same bits have the same lines up to `, "seconds"`. Numbers are the shortest text that reads back as the
// same double; a number that is not finite is null.
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "log/events.h"
#include "system/line_file.h"

struct LogField {
    const char *name;
    double value;
};

typedef struct RunLog {
    LineFile file;                 // closed: no file
    EventFile events;              // the same for TensorBoard; closed: none
    FILE *terminal;                // NULL: silent
    bool updating, colored, dirty; // dirty: an updating line is on the terminal
    int64_t total_steps, every;    // lines that stay: each `every` steps, and the last
    double opened, first_time;     // since log_open, and at the first step that was logged here
    double live;                   // time of the last log_live that was shown
    int64_t first_step;            // -1: none yet
    Bytes line;
} RunLog;

// path: appended to; NULL: no file. terminal: NULL: silent (ranks other than the first). Steps count from 1 to
// total_steps.
bool log_open(RunLog *log, const char *path, FILE *terminal, int64_t total_steps, int64_t every);
bool log_close(RunLog *log);

// From here on what the file gets goes into an event file in `folder`, too (log/events.h), behind what earlier ones
// have up to `step`; -1: nothing.
bool log_for_tensorboard(RunLog *log, const char *folder, int64_t step);

// The terminal shows loss, grad_norm, lr, reward/mean, reward/unscored (if above 0), response_length/mean and
// tokens_per_second of the fields, the time left and the peak memory.
bool log_step(RunLog *log, int64_t step, const LogField *fields, size_t count);

// A line {"event": name, "step": …, fields…, "seconds": …}; on the terminal one line with all fields except those per
// kind and source ("…/kind/…", "…/source/…").
bool log_event(RunLog *log, const char *name, int64_t step, const LogField *fields, size_t count);

// The distribution of a step's values, which event files alone have.
bool log_histogram(RunLog *log, int64_t step, const char *name, const double *values, size_t count);

// Progress between two steps: "step 3/100 | TEXT" as the updating line, a few times a second at most; nothing where
// lines do not update.
void log_live(RunLog *log, int64_t step, const char *format, ...) PRINTF_LIKE(3, 4);

// A line of text on the terminal only, above the updating one.
void log_note(RunLog *log, const char *format, ...) PRINTF_LIKE(2, 3);

bool log_sync(RunLog *log); // to disk; before a checkpoint that records the log's length

// Keeps the lines with "step" <= step, or fails and changes nothing; -1 empties the file; an absent file stays absent.
// A half last line is dropped; any other line that is no object with a step is an error with its number. facts (may be
// NULL): what the log held.
typedef struct LogFacts {
    int64_t last;      // the last step before the cut; 0: none
    int64_t evaluated; // the last remaining step with an event "eval"; -1: none
} LogFacts;
bool log_cut(const char *path, int64_t step, LogFacts *facts);

// Fields that the clock or the machine decides, which may differ between two runs of the same bits.
bool log_is_wall_clock(const char *name);

uint64_t memory_peak(void); // this process's peak, in bytes

#endif
