// A run shared by N processes: each takes every N-th row (--part I/N) and writes OUT.I-of-N; --join joins these to OUT,
// in the order of the rows, with the bytes that one process would have written.
//
//   OUT.I-of-N        its rows, as they are in OUT
//   OUT.I-of-N.json   what they depend on, which results it lacks (of refused rows), and a hash of them: parts of
//                     another run, or changed ones, are not joined
#ifndef ROWS_PARTS_H
#define ROWS_PARTS_H

#include "rows/journal.h"

// clang-format off
#define PART_ROWS(ROW, IN) \
    ROW(IN, out,  file, "",      "", rows, NEUTRAL,  "JSONL file to write") \
    ROW(IN, part, text, "",      "", rows, IDENTITY, "I/N, from 0/N: do every N-th row, into OUT.I-of-N") \
    ROW(IN, join, flag, "false", "", rows, NEUTRAL,  "join the parts into OUT, in the order of the rows")
// clang-format on
OPTION_GROUP(PartOptions, PART_ROWS)

bool part_path(Bytes *path, const char *out, const char *part); // OUT.I-of-N; OUT where part is ""

// Like journal_finish, for a journal with `samples` results per row; part: "I/N", or "" for all rows.
bool part_finish(Journal *journal, const char *part, int64_t each);

// For ranks, which share a run by themselves: parts I-of-N are theirs, and are removed when they are joined.
// Refused: where there are parts of another number (N 1: any), or results of a run that was not shared. *joined: OUT is
// there, made of parts that were not all removed any more.
bool parts_begin(bool *joined, const char *out, int64_t parts);
bool part_is_of(const char *path, const json_t *identity); // whether the part at OUT.I-of-N was made with this identity
bool parts_end(const char *out, int64_t parts, bool joined, const Options *options); // OUT from its parts, which go

// --join: writes OUT from its parts, which stay. Fails where one is missing, unfinished, changed, or of another run,
// where a given option differs from theirs, and where --part is given as well.
bool parts_join(const PartOptions *part, const Options *options);

#endif
