// The state of the sources that this program was built from.
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

const char *program_version(void); // git describe, with "-dirty" where files were changed; "unversioned" without git

#endif
