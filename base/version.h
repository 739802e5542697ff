// Which state of the sources this program was built from.
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

const char *program_version(void); // git describe's word, "-dirty" behind it where files were changed; "unversioned" without git

#endif
