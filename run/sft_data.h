// The data of supervised fine-tuning: how documents are cut and which of their tokens are trained, by options or by what shards were
// prepared with, which then holds.
#ifndef RUN_SFT_DATA_H
#define RUN_SFT_DATA_H

#include "data/tokenised.h"
#include "pretrained/files.h"
#include "run/training_data.h"

// clang-format off
#define SFT_TEXT_ROWS(ROW, IN)                                                                                                   \
    ROW(IN, train_turn_newline, flag,    "false", "",           data, IDENTITY, "also train the newline after <|im_end|>")          \
    ROW(IN, train_turns,        choice,  "last",  TRAIN_TURNS,  data, IDENTITY, "assistant turns to train")       \
    ROW(IN, seq_len,            integer, "8192",  "> 0",        data, IDENTITY, "longest document, in tokens")                      \
    ROW(IN, over_length,        choice,  "drop",  OVER_LENGTHS, data, IDENTITY, "drop, cut or refuse a longer document")
// clang-format on
OPTION_GROUP(SftTextOptions, SFT_TEXT_ROWS)

// Opens --data and --eval-data (data->options was set by training_data_open). text and files->chat become what the shards were prepared
// with: for rows that are held out, for options.conf, for the export. Refused: a command line that asks for something else, and held-out
// rows that were prepared otherwise.
bool sft_data_open(TrainingData *data, SftTextOptions *text, ModelFiles *files, const Options *options);

#endif
