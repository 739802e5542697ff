// Numbers as text, both ways: the shortest text that reads back as the same bits, and the reading of what people write.
// Used by options and the log; JSON files use json/json.h.
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/base.h"

enum { NUMBER_TEXT = 32 };

void number_text(char out[NUMBER_TEXT], double value); // finite: "1e-5", "0.1", "128"; else "inf", "-inf", "nan"

// Decimal, with an exponent or one of the suffixes k, M, G (1000 each: 64k is 64000). Returns false without an error
// text for anything else: the caller knows what it is reading. An integer may be written as 1.5k or 2e6.
bool number_parse(double *out, const char *text);
bool integer_parse(int64_t *out, const char *text);

#endif
