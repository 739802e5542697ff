// Shared by the two files that show tokens: inspect.c walks over the documents and writes to terminals, inspect_html.c
// writes pages.
#ifndef INSPECT_INSPECT_INTERNAL_H
#define INSPECT_INSPECT_INTERNAL_H

#include "inspect/inspect.h"

typedef enum ShownKind { SHOWN_MASKED, SHOWN_TRAINED, SHOWN_SPECIAL, SHOWN_SPECIAL_TRAINED, SHOWN_KINDS } ShownKind;

typedef struct View {
    Bytes *out;
    InspectLook look;
    const char *title;
    const Documents *documents;
    const Tokenizer *tokenizer; // NULL: tokens are shown by number
    const int64_t *numbers;     // (count) documents shown
    size_t count;
    int64_t tokens, trained; // in all documents
} View;

// Appends a text with everything escaped that could act: control characters, invisible characters and bytes that are no
// character become numbers; in a page also <, >, &, ' and ". line_break replaces a newline.
bool inspect_text(View *v, Text text, const char *line_break);
bool inspect_totals(View *v);                // "2 documents, 96 tokens, 40 of them trained (41.7%)"
bool inspect_facts(View *v, int64_t number); // the facts of a document, in one line

// ---- a page (inspect_html.c): head, for each document begin, its tokens and end, then the end

bool page_head(View *v);
bool page_document(View *v, int64_t number);
bool page_token(View *v, int32_t place, int32_t id, ShownKind kind, Text text);
bool page_document_end(View *v);
bool page_end(View *v);

#endif
