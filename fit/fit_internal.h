// Shared by the files of fit/ only.
#ifndef FIT_FIT_INTERNAL_H
#define FIT_FIT_INTERNAL_H

#include "fit/fit.h"

bool fit_measure(Fit *fit, const Needs *needs); // fit_choose without advice

#endif
