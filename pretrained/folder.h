// A Hugging Face model folder as a whole: which folder a user means, and writing a complete one (configuration, weights,
// tokenizer, template, generation settings) that transformers loads. The weights' own format is safetensors/safetensors.h.
#ifndef PRETRAINED_FOLDER_H
#define PRETRAINED_FOLDER_H

#include "model/config.h"
#include "safetensors/safetensors.h"

// What --model means: a model folder itself, or OUT/model where OUT is what a training program wrote. A checkpoint is refused
// with the name of the program that exports it; a folder that is neither, with what it lacks.
bool model_folder_find(Bytes *path, const char *given);

// A hash of what makes its model: configuration, tensors' names and shapes, and a part of each tensor's values. Cheap, and another for a
// model that was trained on.
bool model_folder_fingerprint(uint64_t *hash, const char *folder, const ModelConfig *config);

// Copies what a folder says of its tokenizer (its files, template, sampling settings), those that it has, into another.
bool model_folder_copy_tokenizer(const char *from, const char *to);
bool model_folder_tokenizer_bytes(uint64_t *bytes, const char *folder); // of what that copies

typedef struct FolderExport {
    const ModelConfig *config; // its end_tokens are what config.json says
    WeightType type;           // WEIGHT_F32 or WEIGHT_BF16
    const WeightPlan *plan;    // (count) names and shapes of the tensors, and where their values come from
    int64_t count;
    WeightSource source;
    void *context;
    uint64_t file_limit;                       // bytes of a shard; 0: WEIGHTS_FILE_LIMIT
    const char *origin;                        // folder whose tokenizer and sampling settings are taken over; NULL: none
    const char *template_text;                 // replaces origin's chat template; NULL: keep it
    bool chat_end;                             // tokenizer_config.json's eos_token becomes <|im_end|>
    int64_t end_tokens[END_TOKENS], end_count; // for generation_config.json: <|im_end|> first, then <|endoftext|>
} FolderExport;

// False of a folder that model_folder_export has not written, or that somebody has put something into: it names what would be lost.
// Written by it is one with a config.json that has its spelling, and with no file of another name than it writes.
bool model_folder_may_be_replaced(const char *folder);

// Writes the folder beside its final name, syncs everything, and exchanges it for what stood there, if that may be replaced. After a
// failure or a kill the final name still holds the old folder (or nothing); a left-over FOLDER.tmp-... is removed by the next export of
// that folder.
bool model_folder_export(const char *folder, const FolderExport *what);

#endif
