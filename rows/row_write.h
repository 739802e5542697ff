// Writing rows: the row as it came, with the fields that a program adds; where both have one, the program's wins.
#ifndef ROWS_ROW_WRITE_H
#define ROWS_ROW_WRITE_H

#include "json/json.h"
#include "rows/records.h"

// Begins an object with the row's fields except `own` (NULL-terminated): "{...", to which fields are added.
bool row_begin(Bytes *out, const Record *record, const char *const *own);

// The same, but nothing of the row is lost: its fields with one of these names are written as "source_NAME", or
// source_source_NAME where it has that, too.
bool row_begin_aside(Bytes *out, const Record *record, const char *const *own);

// Adds one field after row_begin; row_end closes the object.
bool row_text(Bytes *out, const char *name, const char *text, size_t size); // UTF-8, may hold NUL
// A response with its thought before it, as a model writes both: <think>, newline, the thought, newline, </think>, an
// empty line. A thought that was cut off, without an answer, stays open.
bool row_thought(Bytes *out, const char *name, Text thought, Text answer, bool cut);
bool row_integer(Bytes *out, const char *name, int64_t value);
bool row_number(Bytes *out, const char *name, double value);
bool row_integers(Bytes *out, const char *name, const int32_t *values, int64_t count);
bool row_floats(Bytes *out, const char *name, const float *values, int64_t count); // 9 significant digits: exact
bool row_end(Bytes *out);

#endif
