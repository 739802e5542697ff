// Decontamination: which rows share a run of 13 words with a benchmark (Brown et al. 2020, appendix C). Words are maximal runs of
// letters, marks and numbers, compatibility-decomposed and case-folded. Questions are compared with questions, or all texts with
// all: solutions of one field share runs of words that no question has. A question of fewer words has no such run: it is compared
// whole (same_text.h), with the question of a row and nothing else, options with options where both have them; and, where it says
// enough, with each run of sentences in a row's question (sentences.h), so that it is found behind a preamble.
#ifndef DECONTAMINATION_NGRAMS_H
#define DECONTAMINATION_NGRAMS_H

#include "base/base.h"

enum { NGRAM_WORDS = 13 };

struct json_t;

typedef struct Ngrams Ngrams; // hashes of 64 bits; never changes after it was read, and may be used by many threads

// The texts of a row: of its problem, question, prompt, instruction, input or query, and of the user in its messages or
// conversations; with `all`, and where there is none of these, every text, whatever its key and however deep, but for ids,
// sources and categories.
//
// A row's question is all of its questions' texts together.
//
// Of the rows of JSONL files, or folders of them. NULL after fail(): a file can't be read or holds no JSON rows. count 0: nothing
// is ever contaminated.
Ngrams *ngrams_read(const char *const *paths, size_t count, bool all);
void ngrams_close(Ngrams *ngrams);
size_t ngrams_count(const Ngrams *ngrams);

typedef struct NgramFile { // of a benchmark
    const char *path;
    int64_t rows;
    int64_t whole;      // of those, with a question of fewer words, which is compared whole
    int64_t uncompared; // without a question by its name, and no text of so many words
} NgramFile;
const NgramFile *ngrams_files(const Ngrams *ngrams, size_t *count);

typedef struct NgramMatch {
    bool found, whole; // whole: the question is the same
    Text words;        // the 13 of them, in the text that was searched; or the question, or the first text of it
    const char *file;  // the benchmark's row that has them: the first of those
    int64_t line;
    const char *id; // NULL: it has none
} NgramMatch;

NgramMatch ngrams_find(const Ngrams *ngrams, const char *text, size_t size); // in a text, valid UTF-8
NgramMatch ngrams_find_row(const Ngrams *ngrams, const struct json_t *row);  // in the texts of a row

#endif
