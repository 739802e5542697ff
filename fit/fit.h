// Does it fit? All the memory that a program takes on its device, before any of it is taken: the arenas of its models
// and of its optimizer, from which they are then allocated, in one total beside the device's memory; and what to change
// where it does not fit. In a program:
//
//     TRY(fit_open(&fit, &where));             // the kernels, and the memory of their device or of a card
//     TRY(fit_choose(&fit, &needs));           // pages, whether layers are recomputed, the verdict
//     if (plan)
//         return fit_print(&fit, stdout);
//     TRY(model_open(...) || fit_fail(&fit));  // with fit.needs.own.limits
#ifndef FIT_FIT_H
#define FIT_FIT_H

#include "fit/card.h"
#include "model/model.h"
#include "options/options.h"

// One model of a program.
typedef struct ModelNeeds {
    const char *name; // for people, of a model beside the program's own
    ModelConfig config;
    ModelLimits limits;  // with a cache: its pages are still to be chosen
    bool bf16_moments;   // of its optimizer, if it trains
    int64_t cache_bytes; // for pages, at most; 0: all free memory
    int64_t cache_most;  // of free memory, where that is all: bytes beside what training takes anyway; 0: no bound
} ModelNeeds;

enum { NEEDS_OTHERS = 2 };

#define RECOMPUTES "auto|none|layer"
typedef enum Recompute { RECOMPUTE_AUTO, RECOMPUTE_NONE, RECOMPUTE_LAYER } Recompute; // auto: only if needed

typedef struct Needs {
    ModelNeeds own, others[NEEDS_OTHERS]; // others have no optimizer, and cache_bytes alone sets their pages
    int other_count;
    bool recompute_auto;        // recompute layers where it does not fit otherwise
    int64_t micro_batch_tokens; // value of --micro-batch-tokens; 0: there is no such option
    int64_t longest;            // longest document: a micro-batch holds at least that
    bool has_context;           // there is an option --context
} Needs;

typedef struct Fit {
    const Kernels *kernels;
    DeviceMemory memory;
    Needs needs;  // as chosen
    double bytes; // the total; with room for one whole sequence at least
    bool fits;    // true where the memory is unknown
    Bytes
        // "it fits with --moments bf16 (64.20 GiB)", or that nothing helps; where it fits, what would take less, or
        // nothing
        advice;
} Fit;

// clang-format off
#define MACHINE_ROWS(ROW, IN) \
    ROW(IN, device,  choice,  "auto",  "auto|cpu|cuda",    machine, NEUTRAL, "where to compute") \
    ROW(IN, threads, integer, "0",     ">= 0 and <= 4096", machine, NEUTRAL, "CPU threads; 0: all cores") \
    ROW(IN, plan,    flag,    "false", "",                 machine, NEUTRAL, "show the memory, and whether it fits; then stop") \
    ROW(IN, gpu,     text,    "",      "",                 machine, NEUTRAL, "with --plan: a card, 80G or h100; all: 24G to 180G")
// clang-format on
OPTION_GROUP(MachineOptions, MACHINE_ROWS) // plan: nothing is computed, the device need not be present

bool fit_open(Fit *fit, const MachineOptions *machine);
bool fit_open_training(Fit *fit, const MachineOptions *machine,
                       const OptionChoice *attention); // one of ATTENTION_MAKERS
bool fit_choose(Fit *fit, const Needs *needs);
void fit_close(Fit *fit);

// The arenas, the total, how many sequences run at once, the verdict. False after fail(): it could not be written.
bool fit_print(const Fit *fit, FILE *out);

// For a run's terminal: what was chosen, or that it may not fit. Empty when there is nothing to say.
bool fit_describe(const Fit *fit, Bytes *out);

// After fail(), when memory could not be had: appends the advice. Always false.
bool fit_fail(const Fit *fit);

// Pages of keys and values that fit in `room` bytes beside everything else of the model: no more than all sequences can
// use, and on a CPU, whose memory others use too, half of what is free, but at least one whole sequence. Training and
// generation share memory, so pages get at least what training takes. Fewer than cache_whole: a sequence cannot get as
// long as limits.positions.
bool cache_pages(int64_t *pages, const ModelNeeds *needs, const Kernels *kernels, double room);
int64_t cache_whole(const CacheLimits *limits);
double cache_page_bytes(const ModelConfig *config, const Kernels *kernels);

#endif
