// The runs that build/plot draws (runs.c): which logs are meant, what the runs are called, and their figures by step.
#ifndef DEV_TOOLS_PLOT_RUNS_H
#define DEV_TOOLS_PLOT_RUNS_H

#include "base/base.h"

enum { RUNS = 8 }; // as many as colours tell apart

typedef enum Figure {
    LOSS,
    LOSS_HELD,
    REWARD,
    EXACT,
    ACCURACY,
    LEVEL,
    VERDICT = LEVEL + 6,
    LENGTH = VERDICT + 5,
    ENTROPY,
    NORM,
    RATE,
    FIGURES
} Figure;

// Fields of a step, and of an evaluation where the name begins with eval; one that ends in @ is that of any number of
// samples. Shares of verdicts are in metrics/metrics.h.
typedef struct FigureField {
    const char *field, *name;
    const char *kind; // classes of the line of a run that is drawn alone
} FigureField;
extern const FigureField figures[FIGURES];

typedef struct Series {
    double (*points)[2]; // (count) step and value; a value may be NaN, where the line breaks
    size_t count, capacity;
} Series;

typedef struct Run {
    const char *path; // as it was given
    char *log, *name;
    Series series[FIGURES], smooth; // smooth: of the loss, or of the reward
    size_t window;
    double first, last; // steps
} Run;

bool figure_evaluated(Figure figure);   // by evaluations, not by steps
const Series *run_main(const Run *run); // the loss or, where there is one, the reward

// Reads the logs of `count` runs, of which `path` is set, and names the runs. Refused: a log without two steps, the
// same log twice, a log that is `out` itself. free_run() each, also after a failure.
bool open_runs(Run *runs, int count, const char *out);
void free_run(Run *run);

#endif
