// One HTML page of a training run, without anything from elsewhere, to be opened in a browser while the run works or
// afterwards: curves of everything that log.jsonl has, where a step's time goes, verdicts, evaluations, the options,
// the memory and the versions, and every rollout and every answer to a held-out problem, to be read, searched and
// filtered. Rows are unpacked only when they are looked at. Texts of data and models are shown as text, whatever they
// hold.
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include "base/base.h"

extern const char VIEW_BEGINNING[]; // of such a page (file_may_be_replaced)

// run: a run's folder, with log.jsonl; what else it has is shown, too. Written whole or not at all. A last line that is
// being written just now is left out.
bool view_write(const char *path, const char *run);

// The same page without log and responses, for a program that sends them as they come.
typedef struct ViewPage {
    const char *title;
    const char *run;     // its folder, whose facts are shown; NULL: it has none
    const char *options; // a configuration file's text, where the folder has none; NULL
    const char *script;  // stands behind view.js, and asks for the rest
} ViewPage;
bool view_page(Bytes *out, const ViewPage *page);

#endif
