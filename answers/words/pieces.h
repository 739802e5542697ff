// A text in pieces: its words, numbers and signs, without formatting. Words and choices are read from pieces; pieces.c
// makes them, words.c compares them.
#ifndef ANSWERS_WORDS_PIECES_H
#define ANSWERS_WORDS_PIECES_H

#include "base/base.h"

typedef enum PieceKind {
    PIECE_WORD,   // a run of letters, with the apostrophes inside it
    PIECE_NUMBER, // a run of digits, with the points and commas inside it
    PIECE_SIGN,   // one sign, one Greek letter, or a command that has no other meaning here
} PieceKind;

// What is between a piece and the one before it; of several, the greatest. JOINT_LINE: only while reading.
typedef enum Joint { JOINT_NONE, JOINT_SPACE, JOINT_LINE, JOINT_HYPHEN, JOINT_COMMA, JOINT_SENTENCE } Joint;

typedef struct Piece {
    uint32_t begin, size; // in points
    PieceKind kind;
    Joint joint;
} Piece;

// A text without its wrapping: commands, markdown, quotes, final full stops.
typedef struct Pieces {
    int32_t *points; // code points, decomposed
    Piece *list;
    size_t count;
    bool question; // it has a question mark
    void *memory;
} Pieces;

bool pieces_read(Pieces *p, Text s); // false: it is too long
void pieces_free(Pieces *p);
void pieces_drop_articles(Pieces *p);

bool piece_is(const Pieces *p, size_t i, const char *word);              // ASCII, ignoring case
bool piece_in(const Pieces *p, size_t i, const char *const *words);      // any of a NULL-terminated list
bool pieces_match(const Pieces *a, size_t i, const Pieces *b, size_t j); // the same from there to both ends
size_t pieces_begin(const Pieces *a, size_t i, const Pieces *b);         // pieces of a from i on that equal b; 0: none

#endif
