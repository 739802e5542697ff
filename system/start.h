// The first call of every program's main, and the last one of a process that can neither continue nor return an error.
#ifndef SYSTEM_START_H
#define SYSTEM_START_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

// Opens those of the descriptors 0 to 2 that are closed, so that no file gets their numbers. From then on reading a
// mapped file that was truncated, and a JSON value that gets no memory, each end the program with one line.
void program_start(void);

// Writes "PROGRAM: WHAT HOW" and ends with status 1, leaving files as a kill would: nothing finished is lost. For a
// signal handler, and for libraries that cannot fail: they get memory, or the process ends.
void end_at_once(const char *what, const char *how) __attribute__((noreturn));
void *memory_or_end(size_t size);
void *memory_or_end_again(void *old, size_t size); // realloc

// Told before this process ends, however that is: others of its job want to know why, or know better, and may change
// what is printed (error) and the status. at_once: what comes next is _exit, perhaps inside a signal
// handler, where no memory may be taken.
typedef struct Ending {
    const char *error;
    int status;
    bool at_once;
} Ending;
typedef void EndingListener(Ending *ending);
void process_listener(EndingListener *listener); // NULL: nobody
void process_ends(Ending *ending);
const Ending *process_ending(void); // what was told, with its changes; before: no error, status 0

// What this process is among several of one program: it goes before its errors. "" until then.
void process_is(const char *format, ...) PRINTF_LIKE(1, 2);
const char *process_text(void); // "rank 2: "

// Where it stands among those of one run on its host, and whether each of them is to have a GPU of its own (--gpus).
// Alone: 0, false.
typedef struct ProcessPlace {
    int local_rank;
    bool wants_gpu;
} ProcessPlace;
void process_place_set(int local_rank, bool wants_gpu);
const ProcessPlace *process_place(void);

#ifdef __cplusplus
}
#endif

#endif
