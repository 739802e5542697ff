// The canonical form of a Jinja text, by which a chat template is known: two texts with the same form are one template to Jinja
// as transformers sets it up (trim_blocks, lstrip_blocks, no trailing newline). This is the lexer's part of Jinja only; nothing
// here runs a template.
#ifndef TOKENIZER_JINJA_H
#define TOKENIZER_JINJA_H

#include "base/base.h"

// Appends the form: line ends are \n, comments are gone, whitespace that Jinja takes away is taken away, a run of whitespace in a
// tag is one space, none beside its brackets, and a newline in a text of a tag is written \n. A tag that never ends stays as it
// is.
bool jinja_canonical(Bytes *out, const char *text, size_t size);

#endif
