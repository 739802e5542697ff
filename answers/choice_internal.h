// Shared by choice.c and choice_read.c only.
#ifndef ANSWERS_CHOICE_INTERNAL_H
#define ANSWERS_CHOICE_INTERNAL_H

#include "answers/choice.h"
#include "answers/words/pieces.h"

enum { OPTIONS_MOST = 26 };

typedef struct Choices {
    char letters[OPTIONS_MOST];
    Text texts[OPTIONS_MOST];    // owned by the row; data NULL: only the letter is known
    Pieces pieces[OPTIONS_MOST]; // of the texts, without articles
    int count;
} Choices;

// Results of reading a text other than an option's index
enum {
    SAYS_NOTHING = -1, // of options
    SAYS_SEVERAL = -2, // E or F
    SAYS_UNCLEAR = -3, // a letter followed by neither its text nor an explanation
    SAYS_TWINS = -4,   // the text of two options
};

typedef struct Choice {
    int place; // index in the choices, or one of those
    const char *rule;
} Choice;

Choice choice_of_response(const Choices *c, Text response);
Choice choice_of_reference(const Choices *c, Text reference);

#endif
