// Shared by the files of system/ that handle files.
#ifndef SYSTEM_FILE_INTERNAL_H
#define SYSTEM_FILE_INTERNAL_H

#include "system/files.h"

// mapping.c: which mapped bytes belong to which file, for the error of a read that fails.
bool mapping_note(const char *path, const void *data, size_t size);
void mapping_forget(const void *data);
void mappings_watch(void); // from now on such an error ends the process with a line that names the file

// temporary.c
bool temporary_file_make(char **path, int *descriptor, const char *beside); // locked while the descriptor is open

#endif
