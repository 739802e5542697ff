// Figures of evaluations, as the log's lines name them: which of them can be best, which way is better, and whether one
// has not improved for so long that a run ends (--stop-when).
#ifndef LOG_IMPROVING_H
#define LOG_IMPROVING_H

#include "json/json.h"
#include "log/log.h"

// asked: a figure's name; or loss for eval_loss, or pass@k for eval/acc/pass@K (of one response eval/acc/mean@1).
bool figure_has_name(const char *asked, const char *figure);
bool figure_is_lower(const char *figure);    // the lower the better
bool figure_can_be_best(const char *figure); // of a line, or as asked for

// Of an evaluation's fields (count). Fails, with the names that could be asked for, where none is asked for.
bool figure_find(size_t *place, const char *option, const char *asked, const LogField *fields, size_t count);
bool figure_add_name(Bytes *names, const char *figure); // if it can be best: those of figure_refuse
bool figure_refuse(const char *option, const char *asked, const Bytes *names); // always false

// Of --keep-best, "" for none: refused where no evaluation has it (evaluates: something is held out).
bool figure_check(const char *asked, bool evaluates);

enum { FIGURE_BYTES = 128 };
typedef struct Stopping {
    int64_t patience;          // evaluations without a better figure after which the run ends; 0: it does not
    char asked[FIGURE_BYTES];  // by the user
    char figure[FIGURE_BYTES]; // as evaluations name it; "": there was none yet
    int64_t best_step;         // -1: none was finite
    double best, last;         // last: of the evaluation after step `at`; -1: there was none
    int64_t at, since;         // since: evaluations after the best one
    bool ends;
} Stopping;

// option: FIGURE:N; NULL or "": the run does not end so. Refused: another form, a figure that no evaluation has, and
// evaluations that never come (evaluates: something is held out; every: steps between evaluations, 0: none).
bool stopping_check(const char *option, bool evaluates, int64_t every);
void stopping_open(Stopping *stopping, const char *option); // a checked one

bool stopping_count(Stopping *stopping, int64_t step, const LogField *fields, size_t count); // an evaluation
bool stopping_describe(const Stopping *stopping, Bytes *out); // "eval_loss was best after step 40, 1.25, and ..."

// What has been counted, in a checkpoint (NULL: nothing, or no memory); then the log's evaluations since, all of them
// where the checkpoint has counted another figure.
json_t *stopping_json(const Stopping *stopping);
bool stopping_resume(Stopping *stopping, const json_t *saved, int64_t step, const char *where);
bool stopping_find(Stopping *stopping, const char *log);

#endif
