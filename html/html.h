// Texts of data and models in a page of ours: shown as they are, never acted on.
#ifndef HTML_HTML_H
#define HTML_HTML_H

#include "json/json.h"

// Style and script (page.css, page.js) that stand in front of a page's own.
extern const char HTML_STYLE[], HTML_SCRIPT[];

// Appends a text as text of a page: markup is escaped, and characters that act or are invisible become numbers.
bool html_text(Bytes *out, const char *text);

// Appends JSON as a script element may hold it: without < no element ends or begins in it, whatever a text says.
bool html_json(Bytes *out, const json_t *value);

// Appends the hidden characters (log/visible.h) as ranges of a regular expression, without newline and tabulator, which
// a page shows.
bool html_hidden(Bytes *out);

// Defines `name`, the bytes of a file of the tree with a 0 byte behind them.
#define HTML_EMBEDDED(name, file)                                                                                      \
    __asm__(".section .rodata\n"                                                                                       \
            ".globl " #name "\n" #name ":\n"                                                                           \
            ".incbin \"" file "\"\n"                                                                                   \
            ".byte 0\n"                                                                                                \
            ".previous\n");

#endif
