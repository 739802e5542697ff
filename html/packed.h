// Lists of JSON values in a page, packed: many values make an array, which is deflated and stands in a script element
// in base64. A run of hundreds of megabytes is so a quarter of that, a browser reads past it quickly, no text in it can
// be markup, and page.js unpacks an element when a value of it is looked at.
#ifndef HTML_PACKED_H
#define HTML_PACKED_H

#include "json/json.h"
#include "system/files.h"

typedef struct PackedList {
    AtomicFile *file;
    const char *name;        // class of its elements
    size_t each;             // bytes of an element before they are packed, at least
    Bytes values;            // of the element so far
    int64_t elements, place; // that are written; of the value that is added next, in the element so far
} PackedList;

bool packed_add(PackedList *list, const char *json, size_t size);
bool packed_add_json(PackedList *list, const json_t *value);
bool packed_end(PackedList *list); // writes what is left
void packed_free(PackedList *list);

#endif
