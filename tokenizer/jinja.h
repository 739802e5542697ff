// The canonical form of a Jinja text, by which a chat template is recognised: two texts with the same form are one
// template to Jinja as transformers configures it (trim_blocks, lstrip_blocks, no trailing newline). This is only the
// lexer of Jinja; nothing here runs a template.
#ifndef TOKENIZER_JINJA_H
#define TOKENIZER_JINJA_H

#include "base/base.h"

// Appends the form: line ends are \n, comments are removed, and so is whitespace that Jinja removes; a run of
// whitespace in a tag is one space, none next to its brackets, and a newline in a string of a tag is written \n. A tag
// that never ends stays as it is.
bool jinja_canonical(Bytes *out, const char *text, size_t size);

#endif
