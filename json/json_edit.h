// Changes in the text of a JSON file: what is not changed keeps its spelling, its order and its layout (a model_max_length of
// 10^30 stays that). The text must have been read by json_read before: nothing is checked here.
#ifndef JSON_JSON_EDIT_H
#define JSON_JSON_EDIT_H

#include "json/json.h"

// Sets a key of the outermost object to a value, which is written at the object's end if the key is not there. NULL removes the
// key.
bool json_edit(Bytes *text, const char *key, const json_t *value);

#endif
