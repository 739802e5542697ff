// A file of lines that is only appended to: a run's log, results in progress, paid answers. A line is whole or absent.
// A line cut short by a full disk is removed at once; an incomplete last line left by a kill or a power cut is cut off
// when the file is read again.
#ifndef SYSTEM_LINE_FILE_H
#define SYSTEM_LINE_FILE_H

#include "base/base.h"

typedef struct LineFile {
    char *path; // NULL: closed
    int descriptor;
    uint64_t end;   // of the last line that was read or appended
    uint64_t zeros; // zeros cut off after it, which a power cut had left
} LineFile;

typedef struct FileLine {
    Text text; // without its newline
    uint64_t offset;
    int64_t number; // from 1
    bool half;      // the last one, without a newline; zeros at its end are left out
} FileLine;

// Reads a line. For an incomplete one: returns true if it may be cut off, as the beginning of a line of this kind of
// file; anything else is the user's. False after fail().
typedef bool (*LineReading)(void *context, const FileLine *line);

// Opens the regular file `path`, created if absent, for reading and appending. links: whether a link is followed or
// refused (as for names that we choose). busy: as in file_lock; NULL: the caller holds another lock.
bool line_file_open(LineFile *file, const char *path, bool links, const char *busy);
bool line_file_close(LineFile *file); // does nothing if {0} or closed

bool line_file_read(LineFile *file, LineReading take, void *context); // every line; then cuts off an incomplete one
bool lines_read(Text all, LineReading take, void *context);           // of a file in memory, unchanged

bool line_file_append(LineFile *file, const char *text, size_t size); // a line, with its newline
bool line_file_is_ours(const LineFile *file);                         // false after fail() if its size was changed

// Locks an open file for this process, until it is closed. Fails only with "PATH: BUSY", where another process holds
// it; where locks do not work (some network file systems), a note on stderr says why.
bool file_lock(int descriptor, const char *path, const char *busy);

#endif
