// The first call of every program's main.
#ifndef BASE_START_H
#define BASE_START_H

#ifdef __cplusplus
extern "C" {
#endif

// Opens those of the descriptors 0 to 2 that are closed, so that no file gets their numbers; and sees to it that a mapped file which was
// cut short while it is read ends the program with one line that names it.
void program_start(void);

#ifdef __cplusplus
}
#endif
#endif
