// Inside answers/: memory. A verdict is a function of texts alone and has no way to fail, and GMP's numbers have none either. What it takes
// is bounded, and small; where not even that is left, the process ends with one line, as it would at the next thing that it wants.
#ifndef ANSWERS_MEMORY_H
#define ANSWERS_MEMORY_H

#include <stddef.h>

void *checker_memory(size_t size); // never NULL; for free()

#endif
