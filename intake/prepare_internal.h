// Shared by the stages of a preparation only (prepare.c: read, decide, write, report).
#ifndef INTAKE_PREPARE_INTERNAL_H
#define INTAKE_PREPARE_INTERNAL_H

#include "decontamination/ngrams.h"
#include "intake/prepare.h"
#include "system/sorter.h"

// The state of every input row, by its number: four bytes each, so that all of them fit in memory.
typedef struct RowState {
    uint8_t fate, level, flags;
    uint8_t verified; // Verified
} RowState;

enum {
    ROW_HAS_RESPONSE = 1,
    ROW_HAS_ANSWER = 2,
    ROW_CONTAMINATED = 4,
    ROW_FIRST_ANSWER = 8,
    ROW_SPOOLED = 16,
    ROW_FIRST_RIGHT = 32
};

// Each row that was read is also in two sorts. `facts`, by prompt, then response: equal rows become neighbours; its
// data is a RowFact. `spool`, by difficulty, then keyed hash, then number: the order of the shards; its data is a
// SpoolHead and the parts whose sizes that holds: ids, spans, id, answer, row, source, category.
typedef struct RowFact { // in what two rows of one prompt and one response may differ
    uint64_t number, answer,
        rest; // hashes of the reference answer (0: none), of all fields but id, source and category
} RowFact;

enum { FACT_KEY = 24, SPOOL_KEY = 17 };

typedef struct SpoolHead {
    uint64_t number, key;
    uint32_t tokens, prompt, trained, spans;
    uint32_t id, answer, row, source, category; // bytes
    uint32_t has_answer, kind;                  // AnswerKind
} SpoolHead;

typedef struct PrepareJob {
    const PrepareOptions *options;
    PrepareReport *report;
    const char *folder; // where the output is built
    Ngrams *ngrams;     // NULL: no benchmarks
    Sorter *facts, *spool;
    RowState *rows; // (report->rows)
    size_t row_capacity;
} PrepareJob;

bool prepare_read(PrepareJob *job);   // inputs to rows, facts, spool
bool prepare_decide(PrepareJob *job); // facts to rows[].fate
bool prepare_write(PrepareJob *job);  // spool to shards and JSONL files; the report's tables

extern const char *const FATE_REASONS[FATES]; // why rows were dropped, to follow their number in a sentence

// kind: of the reference answer; size 0: none, or not checked
bool prepare_count(PrepareReport *report, Fate fate, int level, Text source, Text category, Text kind);

// --verify: the result for a response.
bool prepare_count_verified(PrepareReport *report, const RowState *row, Text source, Text id, Text reference);

// Fields that may hold the missing response, or the missing answer where one is needed: a sentence each.
bool prepare_unread(Bytes *out, const PrepareReport *report, const char *before, const char *after);

#endif
