// How responses are drawn and what ends them, by the options of ./generate: for prompts, and in a chat. And what names
// a response, so that ./score draws those that ./generate would.
#ifndef ASKING_RESPONSES_H
#define ASKING_RESPONSES_H

#include "engine/engine.h"
#include "options/options.h"
#include "rows/records.h"

// clang-format off
#define RESPONSE_ROWS(ROW, IN) \
    ROW(IN, samples,        integer,  "1",     "> 0 and <= 65536", sampling, IDENTITY, "responses to each prompt") \
    ROW(IN, max_new_tokens, integer,  "8192",  "> 0",              sampling, IDENTITY, "longest response, in tokens") \
    ROW(IN, temperature,    number,   "1",     ">= 0",             sampling, IDENTITY, "sampling temperature; 0: greedy") \
    ROW(IN, top_k,          integer,  "0",     ">= 0 and <= 1e9",  sampling, IDENTITY, "keep the k likeliest tokens; 0: all") \
    ROW(IN, top_p,          number,   "1",     "> 0 and <= 1",     sampling, IDENTITY, "keep the likeliest tokens up to this probability") \
    ROW(IN, min_p,          number,   "0",     ">= 0 and < 1",     sampling, IDENTITY, "drop tokens below this share of the likeliest one's probability") \
    ROW(IN, seed,           integer,  "0",     ">= 0",             sampling, IDENTITY, "seed of the draws; with a row's id it is all they depend on") \
    ROW(IN, stop,           repeated, "",      "",                 sampling, IDENTITY, "text that ends a response") \
    ROW(IN, ignore_eos,     flag,     "false", "",                 sampling, IDENTITY, "go on after end tokens")
// clang-format on
OPTION_GROUP(ResponseOptions, RESPONSE_ROWS)

bool responses_check(const ResponseOptions *options); // beyond their ranges

// A request for one sample drawn so; the caller sets its prompt and its end tokens.
GenerationRequest responses_request(const ResponseOptions *options);

uint64_t responses_name(const Record *record); // of a row: with the seed, it is all that draws depend on
uint64_t responses_name_of(const char *id);    // of the row with this id; a row without one has its number in its file

// A server's seed for one sample: each has its own, of 31 bits, because some servers accept no more.
int64_t responses_seed(int64_t seed, const Record *record, int64_t sample);

#endif
