// A Hugging Face model folder as a whole: which folder a user means, and writing a complete one (configuration,
// weights, tokenizer, template, generation settings) that transformers loads. The weights' own format is
// safetensors/safetensors.h.
#ifndef PRETRAINED_FOLDER_H
#define PRETRAINED_FOLDER_H

#include "model/config.h"
#include "safetensors/safetensors.h"

// What --model means: a model folder itself, or OUT/model where OUT was written by a training program. A checkpoint is
// refused with the name of the program that exports it; any other folder, with what it lacks.
bool model_folder_find(Bytes *path, const char *given);

// A hash of a model's configuration, tensors' names and shapes, and a part of each tensor's values. Cheap, and
// different after training.
bool model_folder_fingerprint(uint64_t *hash, const char *folder, const ModelConfig *config);

// The same of all of each tensor's values: whoever changes one of them, anywhere, has another model.
bool model_folder_hash(uint64_t *hash, const char *folder, const ModelConfig *config);

// Copies a folder's tokenizer (those of its files, template and sampling settings that exist) into another.
bool model_folder_copy_tokenizer(const char *from, const char *to);
bool model_folder_tokenizer_bytes(uint64_t *bytes, const char *folder); // the size of that copy

typedef struct FolderExport {
    const ModelConfig *config; // its end_tokens go into config.json
    WeightType type;           // WEIGHT_F32 or WEIGHT_BF16
    const WeightPlan *plan;    // (count) names and shapes of the tensors, and where they come from
    int64_t count;
    WeightSource source;
    void *context;
    uint64_t file_limit;                       // bytes of a shard; 0: WEIGHTS_FILE_LIMIT
    const char *origin;                        // its tokenizer and sampling settings are copied; NULL: none
    const char *template_text;                 // replaces origin's chat template; NULL: keep it
    bool chat_end;                             // tokenizer_config.json's eos_token becomes <|im_end|>
    int64_t end_tokens[END_TOKENS], end_count; // for generation_config.json: <|im_end|> first, then <|endoftext|>
} FolderExport;

// False for a folder that model_folder_export has not written, or to which files were added: the error names what would
// be deleted. Recognised by a config.json in its spelling, and by having no file with another name than those it
// writes.
bool model_folder_may_be_replaced(const char *folder);

// Writes the folder beside its final name, syncs everything, and exchanges the two, if the old one may be replaced.
// After a failure or a kill the final name still holds the old folder (or nothing); a left-over FOLDER.tmp-... is
// removed by the next export of that folder.
bool model_folder_export(const char *folder, const FolderExport *what);

#endif
