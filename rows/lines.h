// The lines of a JSONL file, streamed: from a file or from standard input, in memory that does not grow with it. A BOM
// at the start, CRLF and a last line without newline are accepted, blank lines skipped. Other files that are often
// given instead (Parquet, gzip, zstd, a JSON array) are refused by name, with a remedy. Next: rows/records.h.
#ifndef ROWS_LINES_H
#define ROWS_LINES_H

#include "base/names.h"

#define LINE_LIMIT ((size_t)64 << 20) // bytes; a longer line is refused, and never held in memory

typedef struct LineReader {
    char *path;     // "-" is shown as "stdin"
    int descriptor; // -1: closed
    char *buffer;   // (capacity)
    size_t begin, end, capacity;
    bool drained;      // the descriptor has no more
    bool ended;        // no more lines: the last one was returned, or reading failed
    int64_t line;      // number of the last line returned; from 1
    uint64_t consumed; // bytes of the input that were returned or skipped
} LineReader;

bool lines_open(LineReader *reader, const char *path); // "-": standard input
// The next line that is not blank, without its newline, valid until the next call. *text is NULL after the last one. A
// line over the limit fails with its place, and reading may go on after it. A read error, or no memory, sets ended: no
// more lines follow.
bool lines_next(LineReader *reader, const char **text, size_t *size);
void lines_close(LineReader *reader);

// Other data files and folders in a given folder, which are reported because only its *.jsonl are read. Adds their
// paths; nothing where path is no folder. Hidden files are ignored.
bool jsonl_passed_over(NameTable *paths, const char *path);

// The files that paths stand for, in order: a folder stands for its *.jsonl that are not hidden, sorted; a folder
// without any is refused.
bool jsonl_files(char ***files, size_t *count, const char *const *paths, size_t path_count); // free with names_free

#endif
