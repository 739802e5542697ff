// Memory of the checker, and of the libraries that it calculates with: see memory.h.
#include "answers/memory.h"
#include "base/start.h"
#include <gmp.h>
#include <stdlib.h>

static void *again(void *old, size_t before, size_t size) { return memory_or_end_again(old, size); }
static void give_back(void *memory, size_t size) { free(memory); }

// Before there is any number. MPFR and MPC take what GMP takes.
__attribute__((constructor)) static void watch_numbers(void) { mp_set_memory_functions(memory_or_end, again, give_back); }

void *checker_memory(size_t size) { return memory_or_end(size); }
