// run/: what a training run is besides its mathematics: its folder OUT, resuming after a stop, checkpoints, held-out
// loss and the final model folder. train_sft and train_rl are recipes over it.
//
//   OUT/options.conf       the complete options
//   OUT/log.jsonl          one object a step, and one an evaluation
//   OUT/starts.jsonl       one object whenever a process begins or resumes it: version, device, memory (starts.c)
//   OUT/tensorboard/       the same and distributions, as event files (log/events.h)
//   OUT/tokenizer/         the files of the tokenizer that was trained with, so that a checkpoint can be exported alone
//   OUT/checkpoints/       step-N/: the whole state; latest, best: which those are (checkpoint/FORMAT.md)
//   OUT/lock               held while a program writes there
//   OUT/model/             the exported Hugging Face folder
//   OUT/adapter/           of --lora, whose model has them added up: the adapters alone, as PEFT has them
//   OUT/nonfinite.jsonl    one object for each update whose loss or gradient was not finite
//   OUT/profile.json       where the time of --profile-step went
//   OUT/STOP, OUT/SAVE     made by the user: an end as after a signal; a checkpoint after this step
#ifndef RUN_H
#define RUN_H

#include "data/data.h"
#include "fit/fit.h"
#include "intake/training_data.h"
#include "log/improving.h"
#include "log/measured.h"
#include "options/options.h"
#include "pretrained/files.h"
#include "ranks/communicator.h"

#define EXPORT_TYPES "bf16|fp32"

// clang-format off
#define RUN_ROWS(ROW, IN) \
    ROW(IN, out,              folder,  "",     "required",        run, NEUTRAL, "folder of checkpoints, log and model") \
    ROW(IN, resume,           text,    "auto", "",                run, NEUTRAL, "auto: newest checkpoint of --out; none; or a checkpoint's folder") \
    ROW(IN, save_every,       integer, "500",  ">= 0",            run, NEUTRAL, "steps between checkpoints; 0: only by time") \
    ROW(IN, save_minutes,     number,  "20",   ">= 0",            run, NEUTRAL, "or minutes, if sooner; 0: only by steps") \
    ROW(IN, stop_within,      number,  "25",   ">= 0",            run, NEUTRAL, "seconds a signal leaves to finish and save") \
    ROW(IN, keep_checkpoints, integer, "3",    "> 0 and <= 1e6",  run, NEUTRAL, "newest checkpoints to keep") \
    ROW(IN, keep_best,        text,    "",     "",                run, NEUTRAL, "the best by this figure is kept, too: eval_loss, ...") \
    ROW(IN, stop_when,        text,    "",     "",                run, NEUTRAL, "FIGURE:N (loss:3): end after N that are no better") \
    ROW(IN, eval_every,       integer, "0",    ">= 0",            run, NEUTRAL, "steps between evaluations; 0: at start and end") \
    ROW(IN, on_nonfinite,     text,    "stop", "",                run, NEUTRAL, "loss or gradient not finite: stop, or skip:N") \
    ROW(IN, log_every,        integer, "1",    "> 0",             run, NEUTRAL, "steps between lines on the terminal") \
    ROW(IN, profile_step,     integer, "0",    ">= 0",            run, NEUTRAL, "a step to time, operation by operation; 0: none") \
    ROW(IN, export_dtype,     choice,  "bf16", EXPORT_TYPES,      run, NEUTRAL, "type of the weights in OUT/model")
// clang-format on
OPTION_GROUP(RunOptions, RUN_ROWS)

enum { RECENT_STEPS = 32 };
typedef struct Recent { // the last steps, a ring
    double loss[RECENT_STEPS], norm[RECENT_STEPS];
    int64_t steps; // so far
} Recent;

typedef struct Best { // a figure of an evaluation
    int64_t step;     // 0: there is none
    double value;
} Best;

typedef struct SaveTimes {
    double stall, writing; // seconds that steps waited for saves; that writing took, beside steps or not
} SaveTimes;

typedef struct Run {
    RunOptions o;
    Model *model;
    Optimizer *optimizer;
    Schedule *schedule;  // its steps and its warm-up are saved, and compared when the run is resumed
    Communicator *ranks; // NULL: it is alone. Only rank 0 shows anything, and writes into OUT but for shards
    uint64_t sent;       // bytes, when last asked
    bool save_due;       // rank 0's clock says so, or OUT/SAVE
    RunLog log;
    bool open, stepped;          // stepped: this process has made a step
    int64_t longer;              // its number of steps before --steps changed; 0: unchanged
    int lock;                    // of OUT/lock: one process at a time writes into OUT
    int64_t step, steps;         // finished; of the whole run
    int64_t evaluated;           // the step of the last evaluation in the log; -1: there is none
    int64_t saved;               // the step of the newest checkpoint; 0: there is none
    double saved_at;             // clock_seconds() when its save began, or this process
    double save_seconds;         // that the last save took; before it an estimate
    struct Saving *saving;       // the save that is under way; NULL: none
    SaveTimes save_times;        // since they were last taken
    bool told_memory;            // that steps wait for saves
    Best best, judged;           // by --keep-best: of the checkpoints, rank 0's alone; of the last evaluation
    Stopping stopping;           // by --stop-when; all ranks have the same
    Measured measured;           // by evaluations; filled before run_open, which compares
    double step_seconds;         // of the last step
    int64_t skipped, skips_most; // updates left out so far, in all processes of the run; of --on-nonfinite
    int64_t *not_finite;         // (documents of the step) 1: its loss is not; NULL: none of this rank's
    Recent recent;               // of this process's steps
    int64_t told_jump;           // the step of the last note about a jump; 0: none
    char device[400];            // as announced
    json_t *identity;            // what the bits depend on: options, data, tokenizer
    const char *tokenizer;       // the folder of its files; NULL: none is used
    const char *base;            // the folder of the weights that adapters are trained for; NULL: there are none
    char *base_place;            // its real path, as the run began, and its hash: by run_identity
    uint64_t base_hash;
    const char *template_name;    // of the chats that are trained on
    int64_t updates, updates_all; // of the current step, made and to be made: between them it is not saved
    double updates_begin;         // by clock_seconds()
    double updates_seconds;       // of the last step's; 0: there was none
    // The recipe's own state, asked for before every save (NULL after fail()), and as the checkpoint had it after
    // run_open. recipe_state NULL: there is none
    json_t *(*recipe_state)(void *context);
    void *recipe_context;
    json_t *recipe;
} Run;

// Prepares a run of this model for run_open. ranks: NULL, or those that call all of this together.
void run_of(Run *run, const RunOptions *options, Model *model, Optimizer *optimizer, Schedule *schedule,
            const ModelFiles *files, Communicator *ranks);

// What the bits of the run depend on, for run_open to compare: the options that say so, the tokenised documents, the
// tokenizer (NULL: none), the backend's arithmetic. After run_of.
bool run_identity(Run *run, const Options *options, const Documents *documents, const Tokenizer *tokenizer);

// Adds something else that they depend on: "answer_checker", "judge", "judge_prompt" or "reference".
bool run_identity_add(Run *run, const char *name, uint64_t hash);

// Refuses an OUT that run_open would refuse, before anything else of the run is read or made there: a folder of
// somebody else, a finished run, a model in it that somebody has changed and that the end of the run would replace.
bool run_may_use(const RunOptions *options, bool evaluates);

// Makes OUT, finds the checkpoint to resume from (resume: "auto", "none" or a checkpoint's folder), refuses one of
// another identity, model or schedule by the name of the difference, loads weights and moments, checks that the disk
// has room for what the run will write (disk.c), and cuts the log back to its step. Refused, with nothing changed,
// where the model of a finished run lies without a checkpoint. *resumed: whether there was a checkpoint; without one
// the weights come from elsewhere.
bool run_open(Run *run, const Options *options, bool *resumed);
void run_close(Run *run);

// ---- saving (save.c)

// A checkpoint of everything after run->step steps: every rank writes what it owns. Before the last step the state is
// copied, and written while the next steps run, if there is memory for the copy; run_settle makes it count. An error of
// any rank is everybody's, and leaves the older checkpoints as they were. Refused when a weight is not finite.
bool run_save(Run *run);
bool run_save_now(Run *run); // and it counts when this returns; nothing is done where this step is saved already

// Makes a save count that is under way, if all ranks have written; wait: until they have. False: it has failed.
bool run_settle(Run *run, bool wait);
SaveTimes run_take_save_times(Run *run);

// ---- ranks (ranks.c)

bool run_is_first(const Run *run);  // rank 0, or alone
double run_take_sent(Run *run);     // bytes that this rank has sent since it was last asked
bool run_any(Run *run, bool *flag); // *flag: whether any rank's is true
bool run_hear_clock(Run *run);      // after a step without run_add_up: whether it is time to save, by rank 0's clock

// ---- when (when.c)

bool run_goes_on(const Run *run);   // there are steps left, and --stop-when has not ended it
bool run_saves(const Run *run);     // after this step: by steps or by the clock, whichever is first; and at the end
bool run_evaluates(const Run *run); // at the start, the end and every --eval-every steps; not twice
bool run_has_time(const Run *run, double seconds); // no signal came, or this and then a save are done in time after it
bool run_prepare(const RunOptions *options); // checks them; signals_install (system/signals.h), with what it shows

// Around the updates of a step. After a signal they are finished if there is time, and else given up: before the first
// of them has changed anything the state is whole; in the middle of several it is not, and the last checkpoint counts.
bool run_check_signal(Run *run); // false with ERROR_STOPPED, on all ranks, if any has had a signal or OUT/STOP is there
void run_updates_begin(Run *run, int64_t updates);
bool run_update_goes_on(void *run, int64_t micro_batches_done, int64_t micro_batches); // and shows progress
bool run_updates_end(Run *run); // the step is done; and a save that is written counts, before the step is reported

// An end before the last step.
bool run_stop(Run *run);          // after a signal: saves what is whole and not saved yet, and says so
bool run_fail_in_step(Run *run);  // adds the step, and which checkpoint there is, to its error; always false
bool run_save_and_fail(Run *run); // saves the last finished step, and adds that to the error; always false

// ---- an update whose loss or gradient is not finite (nonfinite.c)

// Called by all ranks alike. Either the run fails, or this update is left out: counted, told, written to
// OUT/nonfinite.jsonl with the documents that it was made of.
typedef struct LeftOut {
    const char *what; // "loss" or "gradient"
    const Documents *documents;
    const int64_t *numbers, *bad; // (count) which of them; bad: 1 where its loss is not finite; NULL: not known
    int64_t count;
} LeftOut;
bool run_leave_out(Run *run, const LeftOut *update);

// The same for a step of fine-tuning, whose documents without a finite loss were noted by the rank that has them.
bool run_note_documents(Run *run, const StepPlan *plan, int64_t m, const Ragged *batch, const float *logprob);
bool run_leave_out_step(Run *run, const Documents *documents, const StepPlan *plan, bool loss_is_finite);

// ---- a step unlike the others (jump.c)

typedef struct JumpFacts {
    double loss, norm; // the median of the steps before it; 0: no jump
} JumpFacts;
// Whether loss or norm has jumped compared with the last RECENT_STEPS (once there are enough), to which this step is
// then added.
bool jump_seen(Recent *recent, double loss, double norm, JumpFacts *facts);
void run_tell_jump(Run *run, double loss, double norm, const char *advice); // on the terminal, not after every step

// ---- where the time of a step goes (profile.c): around each, and nothing but for the one of --profile-step

bool run_profile_begins(Run *run);
bool run_profile_ends(Run *run); // shows the table, and writes OUT/profile.json

// ---- what a run shows (announce.c)

// OUT/options.conf, a line of OUT/starts.jsonl, and the tokenizer's files (run->tokenizer) to OUT/tokenizer.
bool run_describe(const Run *run, const Options *options, const Fit *fit);

// Lines on the terminal: backend, model, template, steps and memory; then the size of a data set that is not empty, and
// which of its rows are not used.
void run_announce(Run *run, const Fit *fit);
void run_announce_rows(Run *run, const char *name, const ShardFolders *folders); // of JSONL: not read, or dropped
void run_announce_data(Run *run, const char *name, const TrainingSet *set);

typedef struct LevelLosses {
    LossSum level[LEVELS]; // by difficulty
} LevelLosses;

// A step's line in the log and on the terminal.
typedef struct StepReport {
    double loss, gradient_norm, learning_rate;
    int64_t trained_tokens, tokens;
    double seconds;
    const LevelLosses *levels;
} StepReport;
bool run_report(Run *run, const StepReport *report);

// ---- held-out loss and losses by difficulty (evaluate.c)

// Adds micro-batch m of a plan: logprob (batch->trained), of its trained rows.
void level_losses_add(LevelLosses *losses, const Documents *documents, const StepPlan *plan, int64_t m,
                      const Ragged *batch, const float *logprob);

// What all ranks have of these, and of counts (count of them, at most COUNTS_MOST), added up (ranks.c).
enum { COUNTS_MOST = 4 };
bool run_add_up(Run *run, LossSum *loss, LevelLosses *levels, int64_t *counts, size_t count);

// Over all held-out documents: eval_loss, the mean over trained tokens; eval_exact, the share of documents whose every
// trained token is the arg-max given the ones before it; and losses by level. Given up on a signal (ERROR_STOPPED).
enum { EVAL_LOSS_FIELDS = 2 + LEVELS };
bool run_held_out_loss(Run *run, Loader *held_out, LogField fields[EVAL_LOSS_FIELDS], size_t *count);

// What an evaluation has found: a line in the log; whether the checkpoint of this step is now the best (best.c), and
// whether the run ends here (log/improving.h).
bool run_evaluated(Run *run, const LogField *fields, size_t count);

// ---- the model at the end

bool run_export(Run *run); // the model of the run as OUT/model; says so

// After run_save has failed: after the last step, writes the model, which is smaller than a checkpoint, to OUT/model,
// so that a full disk does not cost what was learned. Always false, with the error.
bool run_keep_model(Run *run);

#endif
