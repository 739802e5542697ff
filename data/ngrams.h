// Decontamination: which rows share a run of 13 words with a benchmark (Brown et al. 2020, appendix C). Words are maximal runs of
// letters, marks and numbers, compatibility-decomposed and case-folded.
#ifndef DATA_NGRAMS_H
#define DATA_NGRAMS_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NGRAM_WORDS = 13 };

typedef struct Ngrams Ngrams; // hashes of 64 bits; never changes after it was read, and may be used by many threads

// Every text in the rows of JSONL files (or folders of them), whatever its key and however deep, but for ids, sources and
// categories. NULL after fail(): a file can't be read or holds no JSON rows. count 0: nothing is ever contaminated.
Ngrams *ngrams_read(const char *const *paths, size_t count);
void ngrams_close(Ngrams *ngrams);
size_t ngrams_count(const Ngrams *ngrams);

bool ngrams_is_name(const char *key); // id, source, category: a top-level key whose text is nobody's question

// Does this text, valid UTF-8, share one? false after fail() only without memory.
bool ngrams_find(const Ngrams *ngrams, const char *text, size_t size, bool *shared);

#ifdef __cplusplus
}
#endif
#endif
