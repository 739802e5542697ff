// Shared by the files that write a run's page: view.c writes what is known of the run, view_rows.c its responses,
// view_text.c holds style and scripts.
#ifndef VIEW_VIEW_INTERNAL_H
#define VIEW_VIEW_INTERNAL_H

#include "html/packed.h"
#include "json/json.h"
#include "view/view.h"

extern const char VIEW_STYLE[], VIEW_SCRIPT[], VIEW_EMBEDDED[];

// The rows of folder/step-N.jsonl, N ascending. held: answers to held-out problems. index gets an entry for each.
// Nothing where the folder is not there.
typedef struct ViewRows {
    PackedList index, rows;
} ViewRows;
bool view_rows(ViewRows *lists, const char *folder, bool held);

#endif
