// The rows that a program answers, in the order of their files: every N-th of them where N processes share the work,
// and without refused ones. Files only, not a pipe, because an interrupted run reads them again.
#ifndef ROWS_ROWS_H
#define ROWS_ROWS_H

#include "rows/field_map.h"
#include "options/options.h"
#include "rows/lines.h"

// clang-format off
#define ROW_READING_ROWS(ROW, IN) \
    ROW(IN, map,           repeated, "",     "",                 rows, IDENTITY, "field=name: read this field from another column") \
    ROW(IN, format,        choice,   "auto", ROW_FORMAT_CHOICES, rows, IDENTITY, "format of rows that could be read in several ways") \
    ROW(IN, skip_bad_rows, integer,  "0",    ">= 0",             rows, NEUTRAL,  "bad rows to skip before it is an error")
// clang-format on
OPTION_GROUP(RowReadingOptions, ROW_READING_ROWS)

typedef struct RowOptions {
    const char *const *paths; // (path_count) JSONL files, or folders of them
    size_t path_count;
    int64_t part, parts;   // rows part, part + parts, ...; 0 and 1: all
    int64_t skip_bad_rows; // how many may be refused
    RecordOptions reading;
    FieldMaps maps; // of row_options_set, which reading points into
} RowOptions;

bool row_options_set(RowOptions *options, const RowReadingOptions *given); // free with field_maps_free(&options->maps)

typedef struct RowReader {
    RowOptions options;
    char **files;
    size_t file_count, file;
    LineReader lines;
    bool open;
    int64_t number; // number of the last row, from 0, over all files
    int64_t bad;    // refused so far
    bool odd;       // one of them had NaN or an infinity, which was reported
} RowReader;

// Reports on stderr which other files the folders hold, and which values are not written as they were read.
bool rows_open(RowReader *reader, const RowOptions *options);

// The next row; *there false: there are no more. Its number is reader->number.
bool rows_next(RowReader *reader, Record *record, bool *there);

// Refuses the last row for the reason given to fail(): true, after a line on stderr, while --skip-bad-rows allows it.
bool rows_refuse(RowReader *reader);
void rows_close(RowReader *reader);

// A summary of all rows: a hash of the files' bytes, and how many rows there are in all and for this part. Fails where
// a --map finds its field in no row: now, and not after hours of answers.
typedef struct RowFacts {
    uint64_t hash;
    int64_t rows, mine;
} RowFacts;
bool rows_facts(RowFacts *facts, const RowOptions *options);

// "I/N", I from 0 to N - 1; "" is 0/1.
bool part_parse(int64_t *part, int64_t *parts, const char *text);

#endif
