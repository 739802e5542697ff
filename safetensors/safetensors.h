// Weights in safetensors files (github.com/huggingface/safetensors): one file, or a folder with model.safetensors or
// with model.safetensors.index.json and its shards. Files are mapped; values are returned as fp32, one range of
// elements at a time, so that a rank can read only its part. A whole model folder, with its configuration and
// tokenizer, is pretrained/folder.h.
#ifndef SAFETENSORS_SAFETENSORS_H
#define SAFETENSORS_SAFETENSORS_H

#include "base/base.h"

enum { WEIGHT_RANK = 8 };

typedef enum WeightType { WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_OTHER } WeightType;

typedef struct WeightTensor {
    const char *name;
    const char *file;      // path, for errors
    const char *type_name; // "F32", "I64", ...: as spelled in the file
    WeightType type;       // WEIGHT_OTHER is a type of the format that cannot be read as fp32 here
    int rank;              // 0 (a scalar) to WEIGHT_RANK
    int64_t shape[WEIGHT_RANK], elements;
    const uint8_t *data; // in the mapped file, not aligned
    uint64_t bytes;
} WeightTensor;

typedef struct Weights Weights;

// Opens a file or a folder and checks every header completely: afterwards no tensor reaches outside its file, none
// overlap, no byte is unaccounted for, and an index names exactly the tensors that its shards hold.
bool weights_open(Weights **weights, const char *folder_or_file);

// The same for the bytes of one file in memory; data and where (for errors) stay the caller's.
bool weights_open_memory(Weights **weights, const void *data, size_t size, const char *where);

void weights_close(Weights *weights); // NULL is fine

const WeightTensor *weights_find(const Weights *weights, const char *name); // NULL if absent; no error is set
size_t weights_count(const Weights *weights);
const WeightTensor *weights_at(const Weights *weights, size_t i); // in the order of their names

// Elements first .. first+count-1 as fp32 (exact). A NaN or an infinity is refused with its place.
bool weights_read(const WeightTensor *tensor, int64_t first, int64_t count, float *out);

// ---- writing

typedef struct WeightPlan {
    const char *name;
    int rank;
    int64_t shape[WEIGHT_RANK];
} WeightPlan;

// Returns elements first .. first+count-1 of plan[tensor]; called for every element once, ascending.
typedef bool (*WeightSource)(void *context, int64_t tensor, int64_t first, int64_t count, float *out);

// Appends the header of a file with these tensors one after the other: its text, padded with spaces so that the data
// begin at a multiple of 8 (after the 8 bytes of its length). *bytes: of the data.
bool safetensors_header(Bytes *text, uint64_t *bytes, const WeightPlan *plan, int64_t count, WeightType type);

#define WEIGHTS_FILE_LIMIT UINT64_C(5000000000) // the most bytes of tensors in one file, as in transformers

// Writes model.safetensors into folder, or, above file_limit bytes, shards and their index. type: WEIGHT_F32 or
// WEIGHT_BF16 (rounded to nearest, ties to even). A value that is not finite, or would not be after rounding, is
// refused by tensor and element. Each file appears complete or not at all; model_folder_export does the same for the
// folder as a whole.
bool weights_write(const char *folder, const WeightPlan *plan, int64_t count, WeightType type, uint64_t file_limit,
                   WeightSource source, void *context);

#endif
