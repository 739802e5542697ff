// The Makefile passes the version to this file alone, so that a commit does not recompile the others.
#include "base/version.h"

const char *program_version(void) { return VERSION; }
