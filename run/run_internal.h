// Between the files of run/: the front door is run.h.
#ifndef RUN_RUN_INTERNAL_H
#define RUN_RUN_INTERNAL_H

#include "checkpoint/checkpoint.h"
#include "run/run.h"

bool path_in(Bytes *path, const Run *run, const char *name); // OUT/NAME
bool run_note_start(const Run *run, const Fit *fit);         // starts.c

// ranks.c
bool run_is_alone(const Run *run);
bool run_hear_first(Run *run, void *data, size_t size); // it becomes rank 0's
bool run_agree(Run *run, bool ok); // whether all ranks are; else all fail, with the error of the first that is not
// The same of something that all look at: the error is of the kind that it has where it was found, and no rank's own.
bool run_agree_on_shared(Run *run, bool ok);

bool run_wants_save(const Run *run); // when.c: by the clock of this process, or OUT/SAVE

// requests.c: files in OUT, for rank 0; of others none is there
bool run_is_asked_to_save(const Run *run);
bool run_is_asked_to_stop(const Run *run);
void run_begins(const Run *run);
void run_has_saved(Run *run, int64_t step); // after a checkpoint that counts, which was begun for SAVE
const char *run_stopped_by(const Run *run); // "a signal", or by which file
void run_is_finished(const Run *run);

bool run_skips_read(int64_t *most, const char *text); // nonfinite.c: of --on-nonfinite; 0: stop

// run_state.c: the state as named tensors; whole, or what this rank owns
typedef struct StatePart StatePart;
typedef struct RunState {
    StateTensor *tensors; // (count)
    StatePart *parts;     // (count)
    size_t count;
    int64_t elements; // of all of them
} RunState;
bool run_state_open(RunState *state, Run *run, bool whole);
bool run_state_copy(RunState *state, float *memory); // (elements): from now on it is read from there
void run_state_free(RunState *state);
json_t *run_state_scalars(Run *run); // and what is not a tensor; NULL after fail()

bool run_checkpoint_bytes(uint64_t *bytes, Run *run);              // of one, on disk
bool run_load(Run *run, const Options *options, const char *from); // refused where identity, model or schedule differ

// run_state.c: the schedule as it is saved. A run may be resumed with another number of steps where the steps that are
// made have the same learning rates; sets run->longer then. A warm-up that is a share of the steps stays as it was.
json_t *schedule_state(const Run *run); // NULL after fail()
bool schedule_resume(Run *run, const json_t *saved, const char *where);

// save.c
double run_save_left(const Run *run); // seconds until a save that is under way is done; 0: none is
void run_save_close(Run *run);        // none is, then

void run_announce_again(Run *run); // announce.c: what is known after the first step only

// best.c
static inline bool best_is_wanted(const Run *run) { return run->o.keep_best != NULL && run->o.keep_best[0] != 0; }
bool run_holds_out(const Run *run);          // OUT is still the folder whose lock is held
bool best_consider(Run *run, int64_t saved); // whether this checkpoint, just saved or evaluated, is the best
void run_tell_end(Run *run);                 // why it ends here, if --stop-when ends it
bool best_find(Run *run, const char *log);   // among the checkpoints, when a run goes on

// disk.c: fails when the run will need more of OUT's disk than there is; appends a line to warnings where it may,
// should it take long.
bool disk_check(Run *run, Bytes *warnings);

// evaluate.c: sets flags (batch->sequences) to 1 where a loss is not finite; logprob (batch->trained)
void documents_not_finite(int64_t *flags, const Ragged *batch, const float *logprob);

// evaluate.c: fields "loss_1" ... "loss_5" of the levels that have tokens (and "loss_0", if documents of unknown
// difficulty have some too), or "eval_loss_1" ...; returns how many.
enum { LEVEL_FIELDS = LEVELS };
size_t level_fields(LogField fields[LEVEL_FIELDS], const LevelLosses *losses, bool evaluation);

#endif
