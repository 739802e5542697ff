// --map field=name, of every program that reads rows: what the rows call "name" is read as "field".
#ifndef ROWS_FIELD_MAP_H
#define ROWS_FIELD_MAP_H

#include "rows/records.h"

typedef struct FieldMaps {
    FieldMap *list; // (count) of several for one field the last
    size_t count, capacity;
    char **texts; // (text_count) what they point into, and what earlier ones pointed into
    size_t text_count, text_capacity;
} FieldMaps;

bool field_maps_add(FieldMaps *maps, const char *word);
void field_maps_free(FieldMaps *maps);

#endif
