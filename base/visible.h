// Characters as people may see them: what must not reach a terminal, a page or a picture as it is, since it acts there or is not
// seen. Which words stand in its place, each of those decides: intake/inspect.c, intake/split_picture.c.
#ifndef BASE_VISIBLE_H
#define BASE_VISIBLE_H

#include "base/base.h"

typedef struct Character {
    uint32_t code;
    size_t size; // bytes
    bool valid;  // else it is one byte of no character, and code its value
} Character;

Character character_at(const char *text, size_t size); // the first one; size >= 1

// Control characters, and characters that are not seen but change what is: marks of direction, joiners, spaces of no width, the
// shadow alphabet of U+E0000, code points that are no characters.
bool character_hidden(uint32_t code);

#endif
