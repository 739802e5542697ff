// Shared by the files that write a run's page: view.c writes what is known of the run, view_rows.c its responses,
// view_text.c holds style and script.
#ifndef VIEW_VIEW_INTERNAL_H
#define VIEW_VIEW_INTERNAL_H

#include "json/json.h"
#include "system/files.h"
#include "view/view.h"

extern const char VIEW_STYLE[], VIEW_SCRIPT[];

bool view_put(AtomicFile *file, const Bytes *bytes);

// The rows of folder/step-N.jsonl, N ascending, in chunks: an index, then the rows themselves. held: answers to
// held-out problems. Nothing where the folder is not there.
bool view_rows(AtomicFile *file, const char *folder, bool held);

#endif
