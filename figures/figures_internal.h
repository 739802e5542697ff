// Shared by what reads TASK.jsonl and what shows figures: the verdicts of a task's rows by question, and text for the
// terminal.
#ifndef FIGURES_FIGURES_INTERNAL_H
#define FIGURES_FIGURES_INTERNAL_H

#include "base/names.h"
#include "figures/bootstrap.h"
#include "figures/figures.h"

typedef struct Answered { // a question with its responses
    size_t id;            // number of its name in Verdicts.ids
    uint64_t content;     // hash of what was asked, its options and reference
    int64_t number, last; // its place in the data; its last sample so far
    int32_t responses, right, strict;
    char *asked, *extracted; // how it begins; from its first response
} Answered;

typedef struct Verdicts { // of TASK.jsonl
    Answered *list;       // (count)
    size_t count, capacity;
    NameTable ids;         // "0:ID", and "1:ID" for the second question of that id
    NameTable plain;       // ids alone
    uint32_t *occurrences; // (plain.count) questions of an id
    size_t occurrence_capacity;
    size_t fields;
    NameTable *names; // (fields) of categories; that of a question without one is NO_CATEGORY
    uint32_t *places; // (count, fields) a question's categories
    size_t place_capacity;
    int64_t responses, ended, cut_off, without_answer, unreadable, drawn, drawn_right, only_protocol, only_strict,
        counted, asked, decided, gave_up;
    // ended: it is known how; asked, decided: by a judge
    double shortest_cut;      // tokens of a response that was cut off; infinite: none, or unknown
    double by_chance, tokens; // sums: over the drawn, and over the `counted` that have tokens
} Verdicts;

#define NO_CATEGORY "(none)"

// Fails with file and line. The caller frees in any case.
bool verdicts_read(Verdicts *verdicts, const char *path, size_t fields);
void verdicts_free(Verdicts *verdicts);

// The questions' shares, by the categories of a field (at least one group even where there is no field). Free with
// free((void *)shares->list).
bool verdicts_shares(Shares *shares, const Verdicts *verdicts, bool strict, size_t field);

// Appends a text of at most `width` characters, cut with …; what would act on a terminal is replaced. pad: followed by
// spaces up to the width.
bool append_shown(Bytes *out, Text text, size_t width, bool pad);
bool append_json(Bytes *out, const json_t *value); // a text as it is; NULL: null
Text text_of(const char *text);

double number_of(const json_t *object, const char *key);          // 0 where it is absent
bool append_percent(Bytes *out, const json_t *object, int width); // "45.11% ± 1.37%", or "-": score and stderr

#endif
