// sampling/: from rows to requests and back. A Sampler (sampler.h) is a model folder, ready to answer. Rows (rows.h) come from
// JSONL files and are asked (asked.h); answers.h writes them out again with what was added, by way of a Journal (journal.h) that
// loses nothing; a run may be shared out to several processes (parts.h). Texts that end an answer are stops.h, the difficulty
// prompt rubric.h, talking in a terminal chat.h, how far a program is progress.h. A model behind a server answers through an
// Endpoint (endpoint.h); what it does not answer is unanswered.h.
#ifndef SAMPLING_H
#define SAMPLING_H

#include "sampling/answers.h"
#include "sampling/asked.h"
#include "sampling/chat.h"
#include "sampling/endpoint.h"
#include "sampling/journal.h"
#include "sampling/parts.h"
#include "sampling/progress.h"
#include "sampling/rows.h"
#include "sampling/rubric.h"
#include "sampling/sampler.h"
#include "sampling/stops.h"
#include "sampling/unanswered.h"

#endif
