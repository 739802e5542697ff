// Results on their way into a file, so that no finished work is lost. They come in any order and are written at once, a
// line each, to OUT.partial; when all are there, OUT appears whole, in the order of the input, and OUT.partial is
// removed. After a kill the same command goes on where it stopped, even if only OUT.partial remained to be removed; a
// command with other options, model or rows is refused, naming the difference.
#ifndef ROWS_JOURNAL_H
#define ROWS_JOURNAL_H

#include "json/json.h"
#include "log/progress.h"
#include "options/options.h"
#include "system/line_file.h"

typedef struct Journal {
    char *out;     // OUT
    LineFile file; // OUT.partial
    Bytes anew;    // how to start over, for errors
    json_t *identity;
    uint64_t *places; // (place_count) of a result: where its text begins; 0: absent
    size_t place_count, place_capacity;
    uint64_t most;  // numbers are below this
    int64_t count;  // results present
    int64_t before; // of those, from an earlier run
} Journal;

// Adds to the identity of the results: a hash of the files, say.
bool journal_fact(json_t *identity, const char *name, uint64_t value);

// identity: what the results depend on: options by their names (as options_identity gives them), and other facts.
// Results are numbered from 0 to most - 1. answers: the file of kept answers (server/answer_file.h) or NULL; errors
// name it, since starting over would use it again. Refused where OUT exists, or another process writes it.
bool journal_open(Journal *journal, const char *out, uint64_t most, const Options *options, const json_t *identity,
                  const char *answers);
void journal_close(Journal *journal); // OUT.partial keeps its results

bool journal_has(const Journal *journal, uint64_t number);
bool journal_add(Journal *journal, uint64_t number, const char *text, size_t size); // a line without its newline
bool journal_each(const Journal *journal, bool (*take)(void *context, Text line),
                  void *context);      // all results
bool journal_finish(Journal *journal); // OUT.partial becomes OUT

// After a signal, tells the user where finished results are, or that there are none yet, if it was not opened.
void journal_tell_stopped(const Journal *journal, Progress *progress);

#endif
