// Shared by the files of options/ only. Lowest is options_table.c; options_names.c, options_text.c and options_file.c
// use it, options_pages.c uses options_text.c, and options.c all of them.
#ifndef OPTIONS_OPTIONS_INTERNAL_H
#define OPTIONS_OPTIONS_INTERNAL_H

#include "options/options.h"

bool option_named(const char *word, size_t length, const char *name); // dashes and underscores are the same
bool option_is_text(OptionType type);                                 // its field is a const char *
bool option_is_list(OptionType type);                                 // its field is an OptionList
// Row number `place` in display order: rows of one group together, groups in the order of their first rows.
const OptionRow *option_by_group(const OptionTable *table, size_t place);
OptionList *option_list(const Options *options, const OptionRow *row);
bool option_value_text(Bytes *out, const Options *options, const OptionRow *row); // as in a configuration file

const char *option_placeholder(const OptionRow *row); // " FILE": what follows the name, "" for a flag
const char *option_dashes(const OptionRow *row);      // "--"; "" for arguments, whose name is only for people
bool option_is_required(const OptionRow *row);
// Appends "peak learning rate [1e-5]", with the choices, and with the range of a number on request.
bool option_describe(Bytes *out, const OptionRow *row, bool with_range);

// Where a value was given, for its error and for lists: file NULL on the command line; source as in Options.
typedef struct OptionPlace {
    const char *file;
    int line, source;
} OptionPlace;

const OptionRow *option_find(const OptionTable *table, const char *word, size_t length); // NULL if there is none
bool option_unknown(const OptionTable *table, const char *word, OptionPlace place);      // fails, with the nearest name
bool option_set(Options *options, const OptionRow *row, const char *value, OptionPlace place);
void option_forget(Options *options, const OptionRow *row); // drops what was given for it
bool options_read_file(Options *options, const char *path);
bool options_read_text(Options *options, char *lines, const char *name); // takes the lines apart

// The name in the table that resembles the word most, NULL if none does.
const char *option_nearest(const OptionTable *table, const char *word, bool groups);

#endif
