// Options of a program: rows of one table, from which come the struct of values, the command line, the configuration
// file, --help, --print-config, pages and completion. train_sft_options.h is such a table. Reading is in options.c,
// writing in options_text.c and options_pages.c.
//
// Command line: --name VALUE, --name=VALUE; --flag, --no-flag; dashes and underscores are the same. Numbers: 1e-5, 64k,
// 2M (k = 1000, M and G likewise). A list takes all words up to the next option, and may be given again; a repeated
// option takes one word each time. Words that belong to no option are the arguments, where the table has such a row; --
// ends a list, and only arguments follow it. Always there: --config FILE, --print-config, --help, --help=GROUP, -h,
// --version. An unknown name that other tools use for one of the options is answered with ours (options_names.c).
//
// Configuration file: lines of `name = value` and # comments. Values may be in "..." (with \n \t \" \\ and \u00XX) or
// in '...' (taken literally); a list is ["a", "b"] or one value. The file takes effect at the place of --config: what
// is given later wins, and a list given later replaces the file's.
#ifndef OPTIONS_OPTIONS_H
#define OPTIONS_OPTIONS_H

#include "base/base.h"

typedef struct json_t json_t;

// clang-format off
typedef enum OptionType {
    OPTION_INTEGER, OPTION_NUMBER, OPTION_FLAG, OPTION_TEXT, OPTION_FILE, OPTION_FOLDER, OPTION_CHOICE, OPTION_LIST,
    OPTION_REPEATED, OPTION_ARGUMENTS
} OptionType;
// clang-format on

// A choice: one of the names in its row's range; its index there is the value of an enum of the same order. The list of
// names is beside that enum: ADVANTAGES beside AdvantageKind.
typedef struct OptionChoice {
    const char *name;
    int place;
} OptionChoice;

typedef struct OptionList {
    const char **items;
    size_t count, capacity;
} OptionList;

typedef struct OptionRow {
    const char *name; // with underscores, as in C; shown with dashes
    OptionType type;
    const char *initial; // as on the command line; "" for none
    const char *range;   // numbers: "> 0", ">= 0 and <= 1"; a choice: "a|b|c"; texts and lists: "" or "required"
    const char *group;   // rows of one group are listed together
    bool identity;       // IDENTITY: another value changes the bits, a run is not resumed with it; NEUTRAL: it may be
    const char *help;    // one line
    size_t offset;       // of the field in the struct of values
} OptionRow;

typedef struct OptionTable {
    const OptionRow *rows;
    size_t count;
} OptionTable;

// OPTIONS_DEFINE(Values, values_table, ROWS) defines struct Values, a field for each row, and the function
// values_table. ROWS(ROW, GROUP) is a macro of rows, ROW(name, type, initial, range, group, identity, help), and of
// groups of rows that fill a library's struct, GROUP(OptimizerOptions, optimizer, OPTIMIZER_ROWS): a field `optimizer`
// whose rows are OPTIMIZER_ROWS(ROW, IN), each ROW(IN, name, type, ...). OPTION_GROUP(OptimizerOptions,
// OPTIMIZER_ROWS), beside the library, defines that struct.
#define OPTION_GROUP(Values, ROWS)                                                                                     \
    typedef struct Values {                                                                                            \
        ROWS(OPTION_IN_AS_FIELD, )                                                                                     \
    } Values;
#define OPTIONS_DEFINE(Values, values_table, ROWS)                                                                     \
    typedef struct Values {                                                                                            \
        ROWS(OPTION_AS_FIELD, OPTION_GROUP_AS_FIELD)                                                                   \
    } Values;                                                                                                          \
    static inline OptionTable values_table(void)                                                                       \
    {                                                                                                                  \
        typedef Values OptionValues;                                                                                   \
        static const OptionRow rows[] = {ROWS(OPTION_AS_ROW, OPTION_GROUP_AS_ROWS)};                                   \
        OptionTable table = {rows, sizeof rows / sizeof rows[0]};                                                      \
        return table;                                                                                                  \
    }
#define OPTION_AS_FIELD(name, type, initial, range, group, identity, help) OPTION_FIELD_##type name;
#define OPTION_IN_AS_FIELD(in, name, type, initial, range, group, identity, help) OPTION_FIELD_##type name;
#define OPTION_GROUP_AS_FIELD(Values, in, ROWS) Values in;
#define OPTION_AS_ROW(name, type, initial, range, group, identity, help)                                               \
    OPTION_IN_AS_ROW(, name, type, initial, range, group, identity, help)
#define OPTION_IN_AS_ROW(in, name, type, initial, range, group, identity, help)                                        \
    {#name, OPTION_TYPE_##type, initial, range, #group, OPTION_IS_##identity, help, offsetof(OptionValues, in name)},
#define OPTION_GROUP_AS_ROWS(Values, in, ROWS) ROWS(OPTION_IN_AS_ROW, in.)
#define OPTION_FIELD_integer int64_t
#define OPTION_FIELD_number double
#define OPTION_FIELD_flag bool
#define OPTION_FIELD_text const char *
#define OPTION_FIELD_file const char *
#define OPTION_FIELD_folder const char *
#define OPTION_FIELD_choice OptionChoice
#define OPTION_FIELD_list OptionList
#define OPTION_FIELD_repeated OptionList
#define OPTION_FIELD_arguments OptionList
#define OPTION_TYPE_integer OPTION_INTEGER
#define OPTION_TYPE_number OPTION_NUMBER
#define OPTION_TYPE_flag OPTION_FLAG
#define OPTION_TYPE_text OPTION_TEXT
#define OPTION_TYPE_file OPTION_FILE
#define OPTION_TYPE_folder OPTION_FOLDER
#define OPTION_TYPE_choice OPTION_CHOICE
#define OPTION_TYPE_list OPTION_LIST
#define OPTION_TYPE_repeated OPTION_REPEATED
#define OPTION_TYPE_arguments OPTION_ARGUMENTS
#define OPTION_IS_IDENTITY true
#define OPTION_IS_NEUTRAL false

typedef enum OptionsWish { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_PRINT, OPTIONS_VERSION } OptionsWish;

// One value as it was given, for programs where the order of options and arguments matters.
typedef struct OptionGiven {
    const OptionRow *row;
    const char *value;
} OptionGiven;

typedef struct Options {
    OptionTable table;
    void *values;       // the program's struct; its texts and lists live until options_free
    int *source;        // (table.count) who set a value: 0 the default, 1 the command line, 2… configuration files
    OptionGiven *given; // (given_count) all given values, in their order
    size_t given_count, given_capacity;
    int files;
    char **texts;
    size_t text_count, text_capacity;
    OptionsWish wish;
    const char *help_group; // of --help=GROUP, else NULL
} Options;

// Fills values: defaults, then argv[1…] in order. Fails at the first bad word, naming option, value, range and place;
// main prints that and returns 2. Call options_free also after a failure.
bool options_read(Options *options, OptionTable table, void *values, int argc, char **argv);

// The same from the lines of a configuration file alone, which may lack required options; name is the file's in errors.
// lines is taken apart.
bool options_read_lines(Options *options, OptionTable table, void *values, char *lines, const char *name);
void options_free(Options *options);

enum { OPTION_NAME = 64 };
const char *option_shown(char out[OPTION_NAME], const char *name); // as people write it: with dashes

bool option_on_command_line(const Options *options, const char *name); // was given there; name with underscores
// For one that takes no others, as --compare: refuses all that were given besides.
bool option_alone(const Options *options, const char *name);

// Answers --help, --version and --print-config, if given: then *answered, and main returns 0. usage: the lines above
// the list.
bool options_answer(const Options *options, const char *usage, FILE *out, bool *answered);

bool options_help(const Options *options, const char *usage, const char *group, int width, Bytes *out);
bool options_config(const Options *options, Bytes *out);   // a complete configuration file; reads back the same values
bool options_markdown(const Options *options, Bytes *out); // the table of docs/options/; --help=markdown
bool options_man(const Options *options, const char *usage, Bytes *out);  // a manual page; --help=man
bool options_bash(const Options *options, const char *usage, Bytes *out); // completion for bash; --help=bash

// The options that decide a run's bits, as {"lr": "1e-5", …}: a new reference, NULL after fail(). And whether such an
// object, when saved, has the present values; fails with the name of the option that differs and both its values. An
// option that was not saved had its default; keys that are no options are left to the program.
json_t *options_identity(const Options *options);
bool options_same_identity(const Options *options, const json_t *saved, const char *where);

#endif
