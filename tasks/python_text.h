// What Python's methods of str do to texts, which benchmarks' scripts use before they compare: white space and letters
// are those of Unicode. All texts are valid UTF-8: python_text makes one.
#ifndef TASKS_PYTHON_TEXT_H
#define TASKS_PYTHON_TEXT_H

#include "base/base.h"

bool python_text(Bytes *out, Text text); // appended; bytes that are no UTF-8 become U+FFFD
Text python_strip(Text text);            // text.strip()
Text python_rstrip(Text text);
Text python_split_first(Text text, const char *by); // text.split(by)[0]
Text python_split_last(Text text, const char *by);  // text.split(by)[-1]
bool python_in(const char *what, Text text);
bool python_starts(Text text, const char *with);
bool python_ends(Text text, const char *with);
bool python_lower(Bytes *out, Text text); // appended; letters that become several stay one
bool python_replace(Bytes *out, Text text, const char *from, const char *to); // appended
bool python_float(double *value, Text text); // float(text); false: it would raise an error

#endif
