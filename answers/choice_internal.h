// What choice.c and choice_read.c share; nobody else includes it.
#ifndef ANSWERS_CHOICE_INTERNAL_H
#define ANSWERS_CHOICE_INTERNAL_H

#include "answers/choice.h"
#include "answers/words/pieces.h"

enum { OPTIONS_MOST = 26 };

typedef struct Choices {
    char letters[OPTIONS_MOST];
    Text texts[OPTIONS_MOST];    // of the row, which is theirs; data NULL: only the letter is known
    Pieces pieces[OPTIONS_MOST]; // of the texts, without articles
    int count;
} Choices;

// What a text says instead of an option's place
enum {
    SAYS_NOTHING = -1, // of options
    SAYS_SEVERAL = -2, // E or F
    SAYS_UNCLEAR = -3, // a letter, and behind it what is neither its text nor an explanation
    SAYS_TWINS = -4,   // the text of two options
};

typedef struct Choice {
    int place; // in the choices, or one of those
    const char *rule;
} Choice;

Choice choice_of_response(const Choices *c, Text response);
Choice choice_of_reference(const Choices *c, Text reference);

#endif
