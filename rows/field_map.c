// See field_map.h.
#include "rows/field_map.h"
#include <stdlib.h>
#include <string.h>

bool field_maps_add(FieldMaps *maps, const char *word)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word || equals[1] == 0)
        return fail_as(ERROR_USAGE, "--map %s: must be field=name: the rows' \"name\" is read as \"field\"", word);
    TRY(grow(&maps->texts, &maps->text_capacity, maps->text_count + 1, sizeof *maps->texts));
    TRY(grow(&maps->list, &maps->capacity, maps->count + 1, sizeof *maps->list));
    char *field = copy_text(word);
    TRY(field != NULL);
    maps->texts[maps->text_count++] = field;
    field[equals - word] = 0;
    size_t place = 0;
    while (place < maps->count && strcmp(maps->list[place].field, field) != 0)
        place++;
    maps->list[place] = (FieldMap){field, field + (equals - word) + 1};
    maps->count += place == maps->count;
    return true;
}

void field_maps_free(FieldMaps *maps)
{
    for (size_t i = 0; i < maps->text_count; i++)
        free(maps->texts[i]);
    free(maps->texts);
    free(maps->list);
    *maps = (FieldMaps){0};
}
