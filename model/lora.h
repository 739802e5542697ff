// Adapters as set by options: one group for train_sft and train_rl.
#ifndef MODEL_LORA_H
#define MODEL_LORA_H

#include "model/adapters.h"
#include "options/options.h"

// clang-format off
#define LORA_ROWS(ROW, IN) \
    ROW(IN, lora,         integer, "0",   ">= 0 and <= 4096", lora, IDENTITY, "rank of adapters that learn; 0: the weights do") \
    ROW(IN, lora_alpha,   number,  "0",   ">= 0",             lora, IDENTITY, "they count alpha/rank times; 0: twice the rank") \
    ROW(IN, lora_targets, text,    "all", "",                 lora, IDENTITY, "matrices: all, or of q,k,v,o,gate,up,down")
// clang-format on
OPTION_GROUP(LoraOptions, LORA_ROWS)

// Refused: a name that is no matrix, or is there twice; an alpha/rank that fp32 does not hold; settings of adapters
// without --lora; adapters for a model whose weights are new.
bool lora_check(const LoraOptions *options, bool anew);

Adapters lora_adapters(const LoraOptions *options); // of options that were checked; rank 0: none

#endif
