// A file of lines that is only ever appended to: a run's log, results on their way, answers that were paid for. A line
// is there whole or not at all. What a full disk cuts short is taken back at once; what a kill or a power cut has left
// of the last line is cut off when the file is read again.
#ifndef SYSTEM_LINE_FILE_H
#define SYSTEM_LINE_FILE_H

#include "base/base.h"

typedef struct LineFile {
    char *path; // NULL: closed
    int descriptor;
    uint64_t end;   // of the last line that was read or appended
    uint64_t zeros; // bytes behind it that a power cut had left in place of a line, and that were cut off
} LineFile;

typedef struct FileLine {
    Text text; // without its newline
    uint64_t offset;
    int64_t number; // from 1
    bool half;      // the last one, without a newline; zeros at its end are left out
} FileLine;

// What a reader makes of a line. Of a half one: whether it may be cut off, as the beginning of a line of this kind of
// file; anything else is somebody's own. False after fail().
typedef bool (*LineReading)(void *context, const FileLine *line);

// Opens the regular file `path`, made where there is none, for reading and appending. links: one is followed, and refused
// otherwise: a name of our own making leads nowhere else. busy: as of file_lock; NULL: it is locked by somebody else.
bool line_file_open(LineFile *file, const char *path, bool links, const char *busy);
bool line_file_close(LineFile *file); // harmless on one that is {0} or closed

bool line_file_read(LineFile *file, LineReading take, void *context); // every line; then a half one is cut off
bool lines_read(Text all, LineReading take, void *context);           // of a file in memory, which stays as it is

bool line_file_append(LineFile *file, const char *text, size_t size); // a line, with its newline
bool line_file_is_ours(const LineFile *file); // it ends where we left it, so places of lines are right; or fail()

// Takes an open file for this process, until it is closed. Fails with "PATH: BUSY" where another process has it, and
// with nothing else: that there are no locks (of some network file systems), or why not, is said on stderr.
bool file_lock(int descriptor, const char *path, const char *busy);

#endif
