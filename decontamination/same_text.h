// Whether two questions are the same text, as people write it: by a hash of its letters, numbers and signs, compatibility-decomposed
// and case-folded, without white space and without the punctuation of sentences. What may change a formula stays: 2+2 is not 2*2, nor
// 0.5 05.
#ifndef DECONTAMINATION_SAME_TEXT_H
#define DECONTAMINATION_SAME_TEXT_H

#include "base/base.h"

// Goes on with the hash of what stands before it; 0: nothing does. Bytes that are no UTF-8 are passed over.
uint64_t same_text(uint64_t before, Text text);

#endif
