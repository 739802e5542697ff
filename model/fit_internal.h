// What the two files of fit.h share.
#ifndef MODEL_FIT_INTERNAL_H
#define MODEL_FIT_INTERNAL_H

#include "model/fit.h"

bool fit_measure(Fit *fit, const Needs *needs); // fit_choose without advice

#endif
