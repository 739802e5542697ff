// Results on their way into a file, so that nothing that was finished is lost. They come in any order and are written at once, a line
// each, to OUT.partial; when all are there, OUT appears whole, in the order of the input, and OUT.partial goes. The same command
// after a kill goes on where it stopped, also when nothing was left to do but to remove OUT.partial; one with other options, model or rows
// is refused by the name of what differs.
#ifndef ROWS_JOURNAL_H
#define ROWS_JOURNAL_H

#include "json/json.h"
#include "log/progress.h"
#include "options/options.h"
#include "system/line_file.h"

typedef struct Journal {
    char *out;     // OUT
    LineFile file; // OUT.partial
    Bytes anew;    // what to do to begin anew, as errors say it
    json_t *identity;
    uint64_t *places; // (place_count) of a result: where its text begins; 0: it is not there
    size_t place_count, place_capacity;
    uint64_t most;  // numbers are below
    int64_t count;  // results that are there
    int64_t before; // of those, from an earlier run
} Journal;

// Adds to what results depend on: the hash of files, say.
bool journal_fact(json_t *identity, const char *name, uint64_t value);

// identity: what results depend on: options by their names (as options_identity gives them), and other facts. Results are numbered from
// 0 to most - 1. answers: a file beside it, NULL or of answers (server/answer_file.h), without which results would be made from those
// again. Refused where OUT is there already, or another process writes it.
bool journal_open(Journal *journal, const char *out, uint64_t most, const Options *options, const json_t *identity,
                  const char *answers);
void journal_close(Journal *journal); // what is in OUT.partial stays there

bool journal_has(const Journal *journal, uint64_t number);
bool journal_add(Journal *journal, uint64_t number, const char *text, size_t size); // a line without its end
bool journal_each(const Journal *journal, bool (*take)(void *context, Text line),
                  void *context);      // every result that is there
bool journal_finish(Journal *journal); // OUT.partial becomes OUT

// After a signal, for people: where what is finished lies; that there is nothing yet, if it was not opened.
void journal_tell_stopped(const Journal *journal, Progress *progress);

#endif
