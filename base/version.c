// The Makefile says which version this is, to this file alone: a commit need not compile the others again.
#include "base/version.h"

const char *program_version(void) { return VERSION; }
