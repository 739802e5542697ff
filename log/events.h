// A run's scalars and histograms for TensorBoard: event files (log/event.proto) in OUT/tensorboard, one for each
// process of the run. They repeat log.jsonl, whose numbers they hold as floats; what resuming needs is only there.
//
// A file is TFRecords: length (8 bytes, little endian), its masked CRC-32C, the message, its masked CRC-32C. A record
// is whole or, as a file's last one after a kill, cut short: readers stop there.
#ifndef LOG_EVENTS_H
#define LOG_EVENTS_H

#include "system/line_file.h"

typedef struct LogField LogField;

typedef struct EventFile {
    char *folder;  // NULL: closed
    int64_t step;  // the last one that earlier files have
    LineFile file; // closed: nothing has been written yet. Records are appended as lines are: whole, or not at all
} EventFile;

enum { HISTOGRAM_BUCKETS = 30 }; // of equal width between the least and the largest value

// Removes what is later than `step` from our files in `folder` (which may be absent), and records that are not whole;
// -1: removes the files. Files with other names are left alone.
bool events_cut(const char *folder, int64_t step);

// A new file in `folder`, both of which are made when there is something to write: a run that has nothing left to do
// leaves no trace. step: the last one that earlier files have, -1: none; a reader that has seen later ones is told to
// forget them.
bool events_open(EventFile *file, const char *folder, int64_t step);
bool events_close(EventFile *file); // does nothing if {0} or closed

bool events_scalars(EventFile *file, int64_t step, const LogField *fields, size_t count);

// values: those that are not finite are left out; without any other nothing is written.
bool events_histogram(EventFile *file, int64_t step, const char *name, const double *values, size_t count);

uint32_t crc32c(const void *data, size_t size); // Castagnoli's, as iSCSI's (RFC 3720, B.4)

#endif
