// Characters that must not reach a terminal, a page or a picture unchanged, because they act there or are invisible.
// Each of those chooses its own replacement: inspect/inspect.c, intake/split_picture.c.
#ifndef LOG_VISIBLE_H
#define LOG_VISIBLE_H

#include "base/base.h"

typedef struct Character {
    uint32_t code;
    size_t size; // bytes
    bool valid;  // false: one byte that is no character, and code is its value
} Character;

Character character_at(const char *text, size_t size); // the first one; size >= 1

// Control characters, and invisible characters that change the text: marks of direction, joiners, zero-width spaces,
// the shadow alphabet of U+E0000, code points that are no characters.
bool character_hidden(uint32_t code);

#endif
