// What options.c and options_text.c share; nobody else includes it.
#ifndef BASE_OPTIONS_INSIDE_H
#define BASE_OPTIONS_INSIDE_H

#include "base/options.h"

enum { OPTION_NAME = 64 };

const char *option_shown(char out[OPTION_NAME], const char *name);   // with dashes
bool option_is_text(OptionType type);                          // its field is a const char *
bool option_value_text(Bytes *out, const Options *options, const OptionRow *row);   // as in a configuration file

// The name of the table that resembles a word most, NULL if none does.
const char *option_nearest(const OptionTable *table, const char *word, bool groups);

#endif
