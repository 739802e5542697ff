// ./prepare --inspect: which documents are shown (a record of the shards, or a step's micro-batches), and where.
#ifndef INSPECT_INSPECT_VIEW_H
#define INSPECT_INSPECT_VIEW_H

#include "data/loader.h"
#include "inspect/inspect.h"
#include "options/options.h"

// clang-format off
#define INSPECT_ROWS(ROW, IN) \
    ROW(IN, record,             integer,  "0",      ">= 0",            inspect, NEUTRAL, "record to show, in the order of difficulty, from 0") \
    ROW(IN, step,               integer,  "-1",     ">= -1",           inspect, NEUTRAL, "show the micro-batches of this step instead, from 0") \
    ROW(IN, micro_batch,        integer,  "-1",     ">= -1",           inspect, NEUTRAL, "show only this micro-batch of --step; -1: all") \
    ROW(IN, html,               file,     "",       "",                inspect, NEUTRAL, "write an HTML page to this file instead") \
    ROW(IN, order,              choice,   "random", LOADER_ORDERS,     inspect, NEUTRAL, "order of an epoch, as in train_sft") \
    ROW(IN, mix,                repeated, "",       "",                inspect, NEUTRAL, "mixed: weights, level:1=4 or source:math=0.5") \
    ROW(IN, global_batch,       integer,  "128",    "> 0",             inspect, NEUTRAL, "documents in an update") \
    ROW(IN, micro_batch_tokens, integer,  "16384",  "> 0",             inspect, NEUTRAL, "tokens in a micro-batch") \
    ROW(IN, slots,              integer,  "8",      "> 0 and <= 4096", inspect, NEUTRAL, "micro-batches of an update are a multiple of it") \
    ROW(IN, seq_len,            integer,  "8192",   "> 0",             inspect, NEUTRAL, "longest document, in tokens") \
    ROW(IN, over_length,        choice,   "drop",   OVER_LENGTHS,      inspect, NEUTRAL, "drop, cut or refuse a longer document")
// clang-format on
OPTION_GROUP(InspectOptions, INSPECT_ROWS)

// Shows the chosen documents of these folders of shards, on stdout or as a page. tokenizer NULL: tokens by number.
bool inspect_view(const InspectOptions *options, const char *const *folders, size_t count, const Tokenizer *tokenizer,
                  uint64_t seed);

#endif
