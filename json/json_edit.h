// Changes in the text of a JSON file: all else keeps its spelling, order and layout (a model_max_length of 10^30 stays
// as it is). The text must have been read by json_read before: nothing is checked here.
#ifndef JSON_JSON_EDIT_H
#define JSON_JSON_EDIT_H

#include "json/json.h"

// Sets a key of the outermost object, appended if it is not there. value NULL removes the key.
bool json_edit(Bytes *text, const char *key, const json_t *value);

#endif
