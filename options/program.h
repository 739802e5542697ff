// main() of every program: standard descriptors first, then the options, then the program's work. The one place that
// prints errors and sets exit codes: 0 done (or --help, --version, --print-config answered), 1 failed, 2 wrong options,
// EXIT_STOPPED (system/signals.h) after a signal where the same command goes on.
//
//     static const Program PREPARE = {.name = "prepare", .usage = PREPARE_USAGE, .options = prepare_options, .run =
//     ..., .close = ...};
//     int main(int count, char **words) { State s = {0}; return program_main(&PREPARE, &s, &s.options, &s.values,
//     count, words); }
#ifndef OPTIONS_PROGRAM_H
#define OPTIONS_PROGRAM_H

#include "options/options.h"

typedef struct Program {
    const char *name, *usage; // usage: the lines above the list of options
    OptionTable (*options)(void);
    bool (*run)(void *state);   // false after fail(); ERROR_STOPPED: by a signal
    bool (*stop)(void *state);  // after a signal: saves what is whole, and says so. NULL: an error, nothing is kept
    void (*close)(void *state); // in any case; before the error is printed, so that the terminal's line is finished
} Program;

// state: all zero bytes except what close needs; options, values: inside it, read before run and freed at the end.
int program_main(const Program *program, void *state, Options *options, void *values, int count, char **words);

#endif
