// The lines of a JSONL file, streamed: from a file or from the standard input, in memory that does not grow with it. A BOM at the
// start, CRLF and a last line without newline are accepted, blank lines passed over. Files that are no JSONL at all but often
// given as such (Parquet, gzip, zstd, a JSON array) are refused by name, with what to do. Next: rows/records.h.
#ifndef ROWS_LINES_H
#define ROWS_LINES_H

#include "base/names.h"

#define LINE_LIMIT ((size_t)64 << 20) // bytes; a longer line is refused, and never in memory

typedef struct LineReader {
    char *path;     // "-" is shown as "stdin"
    int descriptor; // -1: closed
    char *buffer;   // (capacity)
    size_t begin, end, capacity;
    bool drained;      // the descriptor has no more
    bool ended;        // there are no more lines: the last one was given, or reading failed
    int64_t line;      // of the last line given; from 1
    uint64_t consumed; // bytes of the input that were given or passed over
} LineReader;

bool lines_open(LineReader *reader, const char *path); // "-": the standard input
// The next line that is not blank, without its end; it stands until the next call. *text is NULL after the last one. A line over
// the limit fails with its place, and reading may go on after it. A read error, or no memory, sets ended: there is nothing after
// it.
bool lines_next(LineReader *reader, const char **text, size_t *size);
void lines_close(LineReader *reader);

// Other files of data in a folder that is given, and folders in it: it is its *.jsonl, and nothing is left out without a word.
// Adds their paths; nothing where path is no folder. Hidden files are nobody's data.
bool jsonl_passed_over(NameTable *paths, const char *path);

// The files that paths stand for, in order: a folder is its *.jsonl that are not hidden, sorted; a folder without any is refused.
bool jsonl_files(char ***files, size_t *count, const char *const *paths, size_t path_count); // free with names_free

#endif
