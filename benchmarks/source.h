// The user's copy of a benchmark, row by row, as JSON: a JSONL file, or a .csv file (RFC 4180: quotes, with line breaks
// in them) whose first line names the columns.
#ifndef BENCHMARKS_SOURCE_H
#define BENCHMARKS_SOURCE_H

#include "rows/lines.h"

typedef struct Source {
    const char *path;
    bool csv;
    LineReader lines; // of JSONL
    Bytes text;       // of CSV: all of it
    size_t next;      // the next row's first byte
    int64_t line;     // of the last row, from 1
    int64_t below;    // lines of CSV that were read
    Bytes *columns;   // (column_count)
    size_t column_count;
    Bytes row; // the last one, as JSON
} Source;

bool source_open(Source *source, const char *path);
// *row is an object's text, valid until the next call; NULL after the last one. Its place is path:line.
bool source_next(Source *source, const char **row, size_t *size);
void source_close(Source *source);

#endif
