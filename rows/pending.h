// Rows that are on their way: asked, and not all of their answers back.
#ifndef ROWS_PENDING_H
#define ROWS_PENDING_H

#include "tokenizer/tokenizer.h"

typedef struct Pending {
    struct Pending *next, **here; // in the list
    Bytes row;                    // as it came, without the fields that the program writes
    TokenList ids;                // of the prompt
    int64_t number;               // of the row
    int64_t sample;               // of a server: the only one that is asked for here
    Bytes place;                  // of a server: "file:line", for errors
    int64_t left;                 // answers that are still to come
    int64_t votes[6];             // of a score: answers so far that say 1 to 5; [0]: that say nothing
    Bytes useless;                // the end of the first of those
} Pending;

Pending *pending_new(Pending **list, int64_t number); // NULL after fail()
void pending_free(Pending *asked);                    // out of its list

#endif
