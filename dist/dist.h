// dist/: what lies between one process and a whole run: checkpoints that survive a kill at any instant (dist/checkpoint.h), and
// the one way in which a finished folder takes its final name. Ranks and collectives belong here too; models do not.
#ifndef DIST_H
#define DIST_H

#include "dist/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

// Gives the folder `temporary`, whose files are all synced, the name `folder` beside it (same file system). What stood there
// before is exchanged for it in one step where the file system can do that, and then removed. On failure `folder` holds what it
// held, and `temporary` is still the caller's to remove.
bool folder_publish(const char *temporary, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
