// data/: from files to batches. A Tokenizer (tokenizer.h) turns text into ids and back. A ChatTemplate (template.h) turns
// messages into the text that a model reads. A Record (records.h) is one row of a JSONL file, whatever its format. Documents
// (documents.h) are all rows of a data set, rendered and tokenised, with a flag at every token that is trained. A Loader
// (loader.h) says which documents make a step and fills the ragged batches (model/ragged.h) that the model reads. In a program:
//
//     Tokenizer *tokenizer = tokenizer_open(folder);             // NULL after fail()
//     TRY(template_open(&chat, folder, options.template));
//     TRY(documents_read(&documents, &(DocumentOptions){.tokenizer = tokenizer, .chat = &chat, ...}, paths, count));
//     TRY(loader_open(&loader, &documents, &(LoaderOptions){.seed = seed, .global_batch = 128, ...}));
//     TRY(loader_plan(&loader, step, &plan));                    // for every step
//     TRY(loader_micro_batch(&loader, &plan, m, &batch));        // for every m < plan.micro_batches
#ifndef DATA_H
#define DATA_H

#include "data/documents.h"
#include "data/loader.h"
#include "data/records.h"
#include "data/template.h"
#include "data/tokenizer.h"

#endif
