// --mix level:1=4 --mix source:math/train=0.5 as the weights of ORDER_MIXED.
#ifndef INTAKE_MIX_H
#define INTAKE_MIX_H

#include "data/loader.h"

// *weights: (count), freed by mix_free. Fails naming the word that is not level:0-5=WEIGHT or source:NAME=WEIGHT.
bool mix_parse(LoaderWeight **weights, const char *const *words, size_t count);
void mix_free(LoaderWeight *weights, size_t count);

#endif
