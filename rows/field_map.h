// --map field=name, for every program that reads rows: the rows' field "name" is read as "field".
#ifndef ROWS_FIELD_MAP_H
#define ROWS_FIELD_MAP_H

#include "rows/records.h"

typedef struct FieldMaps {
    FieldMap *list; // (count) of several for one field the last counts
    size_t count, capacity;
    char **texts; // (text_count) the memory of the names, current and replaced
    size_t text_count, text_capacity;
} FieldMaps;

bool field_maps_add(FieldMaps *maps, const char *word);
void field_maps_free(FieldMaps *maps);

#endif
