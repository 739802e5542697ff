// When BIG-Bench Extra Hard counts an answer (google-deepmind/bbeh, bbeh/evaluate.py): what stands behind the last of
// its prefixes, without mark-up, in lower case, its first line; equal to the reference, or nearly so.
#ifndef TASKS_BBEH_H
#define TASKS_BBEH_H

#include "base/base.h"

// sample, reference: valid UTF-8. prediction is what was compared.
bool bbeh_prediction(Bytes *prediction, Text sample);
bool bbeh_equal(Text prediction, Text reference, bool *equal);

#endif
