// What the figures of a run's evaluations are measured with. A run may be resumed with other held-out rows or
// benchmarks, which changes no bit of its training; but what --keep-best and --stop-when compare has to be measured
// alike. A checkpoint has all that figures were measured with so far:
//
//   {"eval_loss": ["documents 0f..."], "eval/acc": [...], "val-core/gsm8k": ["data 1c..., samples 1, ...", ...]}
#ifndef LOG_MEASURED_H
#define LOG_MEASURED_H

#include "json/json.h"
#include "log/log.h"

typedef struct Measured {
    json_t *with; // by what figures begin with; the last text of each is the present one
    Bytes notes;  // lines: what has changed since the checkpoint, and is not compared
} Measured;

#define MEASURED_LOSS "eval_loss"
#define MEASURED_PROBLEMS "eval/acc"
#define MEASURED_TASKS "val-core/" // and the task's name

// with: "NAME VALUE, NAME VALUE", for people and to be compared.
bool measured_add(Measured *measured, const char *figures, const char *with);

// Goes on from a checkpoint's (NULL: an older one, which does not say). Refused, with what differs, where the figure of
// --keep-best or --stop-when (NULL or "": none) is measured with something else now, or was before.
bool measured_resume(Measured *measured, const json_t *saved, const char *keep_best, const char *stop_when);
void measured_tell(const Measured *measured, RunLog *log);
void measured_free(Measured *measured);

#endif
