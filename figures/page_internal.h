// Shared by the files that write a run's page: page.c reads rows and writes the file, page_above.c writes what stands
// above the list, page_text.c holds style and script.
#ifndef FIGURES_PAGE_INTERNAL_H
#define FIGURES_PAGE_INTERNAL_H

#include "figures/page.h"

extern const char PAGE_STYLE[], PAGE_SCRIPT[];

bool page_above(Bytes *out, const json_t *summary); // from the doctype to the empty list

#endif
