// Decontamination: which rows share a run of 13 words with a benchmark (Brown et al. 2020, appendix C). Words are
// maximal runs of letters, marks and numbers, compatibility-decomposed and case-folded. Questions are compared with
// questions, or all texts with all texts: solutions in one field share runs of words that no question has. A question
// with fewer words has no such run: it is compared whole (same_text.h), only with the questions of rows, and options
// with options where both have them; and, if it is long enough, with each run of sentences in a row's question
// (sentences.h), so that it is found after a preamble.
#ifndef DECONTAMINATION_NGRAMS_H
#define DECONTAMINATION_NGRAMS_H

#include "base/base.h"

enum { NGRAM_WORDS = 13 };

struct json_t;

typedef struct Ngrams Ngrams; // hashes of 64 bits; immutable once read, and usable by many threads

// The texts of a row: its problem, question, prompt, instruction, input or query, and the user's in its messages or
// conversations; with `all`, or where there are none of these, every text under any key at any depth, except ids,
// sources and categories.
//
// A row's question is all of its questions' texts together.
//
// Reads rows of JSONL files, or folders of them. NULL after fail(): a file can't be read or holds no JSON rows. count
// 0: nothing is ever contaminated.
Ngrams *ngrams_read(const char *const *paths, size_t count, bool all);
void ngrams_close(Ngrams *ngrams);
size_t ngrams_count(const Ngrams *ngrams);

typedef struct NgramFile { // of a benchmark
    const char *path;
    int64_t rows;
    int64_t whole;      // of those, with a shorter question, which is compared whole
    int64_t uncompared; // without a named question or a text that is long enough
} NgramFile;
const NgramFile *ngrams_files(const Ngrams *ngrams, size_t *count);

typedef struct NgramMatch {
    bool found, whole; // whole: the question is the same
    Text words;        // the 13 words, in the searched text; or the question's first text
    const char *file;  // the first benchmark row that has them
    int64_t line;
    const char *id; // NULL: none
} NgramMatch;

NgramMatch ngrams_find(const Ngrams *ngrams, const char *text, size_t size); // searches a text, valid UTF-8
NgramMatch ngrams_find_row(const Ngrams *ngrams, const struct json_t *row);  // searches the texts of a row

#endif
