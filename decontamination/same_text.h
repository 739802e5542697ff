// Whether two questions are the same text, as people write it: by a hash of its letters, numbers and signs,
// compatibility-decomposed and case-folded, without white space and sentence punctuation. What may change a formula is
// kept: 2+2 is not 2*2, nor 0.5 05.
#ifndef DECONTAMINATION_SAME_TEXT_H
#define DECONTAMINATION_SAME_TEXT_H

#include "base/base.h"

// Continues the hash of the preceding text; 0: there is none. Bytes that are not UTF-8 are skipped.
uint64_t same_text(uint64_t before, Text text);

#endif
