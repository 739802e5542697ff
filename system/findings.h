// What was found out about this machine by trial, kept from one run to the next: lines "WHAT: FOUND", for people too,
// in a file of the user's cache folder. A file speaks of one machine: its second line says of which (`about`: the card,
// its driver, libraries, whatever the findings depend on), and its name has that line's hash. Losing it costs nothing
// but the trials.
//
// So nothing that is wrong with the file stops a run. It is read as what anybody may have written: its last line has
// the checksum of all before it, and of a file that is damaged, of another machine or not ours nothing is used. Several
// processes may write it at a time: each puts its own beside what the others have written, and the whole file in the
// old one's place (system/files.h). What two of them write in one moment may be lost, never mixed.
#ifndef SYSTEM_FINDINGS_H
#define SYSTEM_FINDINGS_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FINDINGS_LINE = 400, FINDINGS_MOST = 1 << 14, FINDINGS_BYTES = 1 << 22 }; // of a line, lines, of a file

typedef struct Finding {
    char *what, *found;
} Finding;

typedef struct Findings {
    char *path; // NULL: kept in memory alone
    char *about;
    Finding *list;
    size_t count, capacity;
    size_t unsaved;
    double changed; // clock_seconds() of the last one that is not saved
} Findings;

// The folder for files that can be made again: the environment's DEREASON_CACHE, else the user's (user_folder). NULL:
// DEREASON_CACHE=off, or there is none; false after fail().
bool cache_folder(char **folder); // free it

// Reads the file NAME-HASH.txt of `folder` (NULL: none, nothing is kept). False after fail(), which says what is wrong
// with the file; the findings are usable then, and empty.
bool findings_open(Findings *f, const char *folder, const char *name, const char *about);
void findings_close(Findings *f);

const char *findings_of(const Findings *f, const char *what); // NULL: nothing

// Both printable ASCII, together below FINDINGS_LINE, `what` without ": ". False after fail(): it does not fit.
bool findings_put(Findings *f, const char *what, const char *found);

// Writes what is not yet written, once nothing has been put for `quiet` seconds. False after fail(), and then the file
// is left alone from there on.
bool findings_save(Findings *f, double quiet);

// Adds what a file of this machine says to what is known, which stays. False after fail(): nothing was added.
bool findings_take(Findings *f, const char *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
