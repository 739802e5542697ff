// The files of a model, except its weights, read alike by every program: configuration, tokenizer, chat template, and
// the tokens that end an answer.
#ifndef PRETRAINED_FILES_H
#define PRETRAINED_FILES_H

#include "model/config.h"
#include "tokenizer/template.h"
#include "tokenizer/tokenizer.h"

enum { STOPS_MOST = 2 * END_TOKENS + 1 };

typedef struct ModelFiles {
    Bytes folder; // of the weights; empty: a new model
    ModelConfig config;
    Bytes tokenizer_folder; // empty: there is no tokenizer
    Tokenizer *tokenizer;   // NULL: rows are ids
    ChatTemplate chat;
    int64_t n_live; // vocabulary rows with a meaning: the tokenizer's size, or all
    int32_t stop[STOPS_MOST];
    int64_t stop_count; // generation_config.json's and config.json's end tokens, and <|im_end|>
} ModelFiles;

typedef struct ModelFilesOptions {
    const char *model;     // folder, or OUT of a training program; or, instead:
    const char *init;      // config.json of a new model. NULL or "": not given; exactly one of the two is needed
    const char *tokenizer; // folder of its files, if not the model's; NULL or "": the model's
    const char *template;  // name; NULL, "" or "auto": the folder's own
} ModelFilesOptions;

bool model_files_open(ModelFiles *files, const ModelFilesOptions *options);
void model_files_close(ModelFiles *files);

#endif
