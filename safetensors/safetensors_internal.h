// Shared by the files of the safetensors reader: the table of one file, from its header. Users include safetensors.h.
#ifndef SAFETENSORS_SAFETENSORS_INTERNAL_H
#define SAFETENSORS_SAFETENSORS_INTERNAL_H

#include "safetensors/safetensors.h"

typedef struct WeightList {
    WeightTensor *list; // names are owned by the list, `file` is not
    size_t count, capacity;
} WeightList;

// Appends the tensors of one file to the list, in the order of their offsets. where: the file's path; it must outlive
// the list.
bool safetensors_parse(WeightList *tensors, const uint8_t *data, size_t size, const char *where);

#endif
