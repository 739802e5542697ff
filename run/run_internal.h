// Between the files of run/: the front door is run.h.
#ifndef RUN_RUN_INTERNAL_H
#define RUN_RUN_INTERNAL_H

#include "run/run.h"

bool path_in(Bytes *path, const Run *run, const char *name); // OUT/NAME
bool run_checkpoint_bytes(uint64_t *bytes, const Run *run);  // of one, on disk

// room.c: fails when the run will need more of OUT's disk than there is; appends a line where it may, should it take long.
bool room_check(const Run *run, Bytes *warnings);

// schedule.c: what the learning rates of a run were, saved with it. It may go on with another number of steps when those that are
// made had the same rates; sets run->longer then. A warm-up that is a share of the steps stays what it was.
json_t *schedule_state(const Run *run); // NULL after fail()
bool schedule_goes_on(Run *run, const json_t *saved, const char *where);

#endif
