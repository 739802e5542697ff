// What the two files of fit.h share.
#ifndef FIT_FIT_INTERNAL_H
#define FIT_FIT_INTERNAL_H

#include "fit/fit.h"

bool fit_measure(Fit *fit, const Needs *needs); // fit_choose without advice

#endif
