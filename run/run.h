// run/: what a training run is besides its mathematics: its folder OUT, where it goes on after a stop, its checkpoints, its
// held-out loss and its final model folder. train_sft and train_rl are recipes over it.
//
//   OUT/options.conf       what ran, complete
//   OUT/log.jsonl          one object a step, and one an evaluation
//   OUT/tokenizer/         the files of the tokenizer that was trained with, so that a checkpoint can be exported alone
//   OUT/checkpoints/       step-N/: the whole state; see checkpoint/checkpoint.h
//   OUT/lock               held while a program writes there
//   OUT/model/             the exported Hugging Face folder
#ifndef RUN_H
#define RUN_H

#include "data/data.h"
#include "fit/fit.h"
#include "log/log.h"
#include "pretrained/files.h"
#include "run/run_options.h"
#include "run/training_data.h"

enum { RECENT_STEPS = 32 };
typedef struct Recent { // steps, a ring
    double loss[RECENT_STEPS], norm[RECENT_STEPS];
    int64_t steps; // so far
} Recent;

typedef struct Run {
    RunOptions o;
    Model *model;
    Optimizer *optimizer;
    Schedule *schedule; // its steps and its warm-up are saved, and compared when the run goes on
    RunLog log;
    bool open, reported;          // reported: a step of this process
    int64_t longer;               // how many steps it had before it was given others; 0: it has as many
    int lock;                     // of OUT/lock: one process at a time writes into OUT
    int64_t step, steps;          // finished; of the whole run
    int64_t evaluated;            // the step of the last evaluation in the log; -1: there is none
    int64_t saved;                // the step of the newest checkpoint; 0: there is none
    double saved_at;              // clock_seconds() then, or when this process began
    double save_seconds;          // what a save takes: as the last one did, before it an estimate
    double step_seconds;          // of the last step
    Recent recent;                // of this process's steps
    int64_t told_jump;            // the step when a jump was last told of; 0: never
    char device[400];             // what was announced
    json_t *identity;             // what the bits depend on: options, data, tokenizer
    char stands[80];              // of run_what_stands
    const char *tokenizer;        // the folder of its files; NULL: none is used
    const char *template_name;    // of the chats that are trained on
    int64_t updates, updates_all; // of the step under way, made and to be made: with some made, no half of it is saved
    double updates_begin;         // by clock_seconds()
    double updates_seconds;       // of the last step's; 0: there was none
    // What else a recipe goes on from, asked for before every save (NULL after fail()), and what the checkpoint had of it after
    // run_open. recipe_state NULL: nothing
    json_t *(*recipe_state)(void *context);
    void *recipe_context;
    json_t *recipe;
} Run;

// A run of this model, still to be opened: options, model, optimizer, schedule, tokenizer and template.
void run_of(Run *run, const RunOptions *options, Model *model, Optimizer *optimizer, Schedule *schedule, const ModelFiles *files);

// What the bits of the run depend on, for run_open to compare: the options that say so, the tokenised documents, the tokenizer
// (NULL: none), the backend's arithmetic. run->model is set before.
bool run_identity(Run *run, const Options *options, const Documents *documents, const Tokenizer *tokenizer);

// What else they depend on, of these names: "answer_checker", "judge", "judge_prompt", "reference".
bool run_identity_add(Run *run, const char *name, uint64_t hash);

// What run_open would refuse of OUT alone, before anything else of the run is read or made there: a folder of somebody's, a run that
// is finished, a model in it that somebody has changed and that the end of the run would replace.
bool run_may_use(const RunOptions *options);

// Makes OUT, finds the checkpoint to go on from (resume: "auto", "none" or a checkpoint's folder), refuses one of another
// identity, model or schedule (schedule.c) by the name of what differs, loads weights and moments, looks whether the disk has
// room for what the run will write (room.c), and cuts the log back to its step. Refused, with nothing changed, where the model of
// a finished run lies without a checkpoint. *resumed: whether there was one; the weights have to come from elsewhere otherwise.
bool run_open(Run *run, const Options *options, bool *resumed);
void run_close(Run *run);

// A checkpoint of everything after run->step steps. Refused when a weight is not finite.
bool run_save(Run *run);

const char *run_what_stands(Run *run); // "the checkpoint of step 40 stands", for an error; until the next call
bool run_stop(Run *run);               // after a signal: saves what is whole and not saved yet, and says so
bool run_fail_in_step(Run *run);       // the error of a step, with the step before it and what stands behind it; always false
bool run_save_and_fail(Run *run);      // saves the last finished step, behind an error that must not cost it; always false

// ---- when (when.c)

bool run_goes_on(const Run *run);   // there are steps left
bool run_saves(const Run *run);     // after this step: by steps or by the clock, whichever is first; and at the end
bool run_evaluates(const Run *run); // at the start, the end and every so many steps; not twice
bool run_has_time(const Run *run,
                  double seconds);         // true without a signal; else whether so much, and then a save, is done in time
bool run_take_signals(double stop_within); // signals_install (system/signals.h), with what is said to the first

// Around the updates of a step. After a signal they are finished if they can be in time, and else given up: before the first of them
// has changed anything the state is whole, in the middle of several it is not, and the last checkpoint stands.
void run_updates_begin(Run *run, int64_t updates);
bool run_update_goes_on(void *run, int64_t micro_batches_done, int64_t micro_batches); // and shows how far it is
void run_updates_end(Run *run);                                                        // the step is done

// ---- a step unlike the others (jump.c)

typedef struct JumpFacts {
    double loss, norm; // the median of the steps before, of what has jumped; 0: it has not
} JumpFacts;
// Whether loss or norm has jumped beside the last RECENT_STEPS (once there are enough of them), of which this one is then the last.
bool jump_seen(Recent *recent, double loss, double norm, JumpFacts *facts);
void run_tell_jump(Run *run, double loss, double norm, const char *advice); // a note on the terminal, not after every step

// ---- loss by difficulty (levels.c)

typedef struct LevelLosses {
    LossSum level[LEVELS]; // 0: of documents whose difficulty is unknown
} LevelLosses;

// Adds micro-batch m of a plan: logprob (batch->trained), as its rows are.
void level_losses_add(LevelLosses *losses, const Documents *documents, const StepPlan *plan, int64_t m, const Ragged *batch,
                      const float *logprob);

enum { LEVEL_FIELDS = LEVELS };
// Fields "loss_1" ... "loss_5" of the levels that have tokens (and "loss_0", if others have some too), or "eval_loss_1" ...; how many.
size_t level_fields(LogField fields[LEVEL_FIELDS], const LevelLosses *losses, bool evaluation);

// A step's line in the log and on the terminal.
typedef struct StepReport {
    double loss, gradient_norm, learning_rate;
    int64_t trained_tokens, tokens;
    double seconds;
    const LevelLosses *levels;
} StepReport;
bool run_report(Run *run, const StepReport *report);

// OUT/options.conf, and the tokenizer's files (run->tokenizer) to OUT/tokenizer.
bool run_describe(const Run *run, const Options *options);

// Lines on the terminal: backend, model, template, steps and memory; what is in a data set (an empty one is not mentioned), and what of it
// will not be seen.
void run_announce(Run *run, const Fit *fit);
void run_announce_rows(Run *run, const char *name, const ShardFolders *folders); // what of JSONL was not read, or dropped
void run_announce_data(Run *run, const char *name, const TrainingSet *set);

// ---- evaluation (evaluate.c)

typedef struct Evaluation {
    double loss;  // mean over the trained tokens of the held-out documents
    double exact; // share of documents whose every trained token is the arg-max given the ones before it
    LevelLosses levels;
} Evaluation;
bool evaluate(Run *run, Loader *held_out, Evaluation *result); // given up on a signal (ERROR_STOPPED)
bool run_evaluate_if_due(Run *run, Loader *held_out);        // and log it; nothing without held-out documents

// ---- export (export.c)

// What a checkpoint (or a running model) is as a Hugging Face folder: config.json, generation_config.json with both end tokens,
// the files of tokenizer_folder (NULL: none), the template that was trained, weights in "bf16" or "fp32".
bool export_model(const Model *model, const char *tokenizer_folder, const char *template_name, const char *dtype,
                  const char *folder);
bool export_checkpoint(const char *checkpoint, const char *dtype, const char *folder);

bool run_export(Run *run); // the model of the run as OUT/model; says so

// After run_save has failed, which this passes on: a last checkpoint that cannot be written must not cost what was learned, and the model
// is smaller, so after the last step it is written to OUT/model. Fails in any case.
bool run_keep_model(Run *run);

#endif
