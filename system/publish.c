// The moment when a finished folder becomes visible. A reader, or a program started after a kill, sees the old folder
// or the new one, whole. On file systems that cannot exchange two names there is an instant with neither, and the old
// one is set aside.
#include "base/base.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool sync_parent(const char *path)
{
    char *parent = copy_text(path);
    TRY(parent != NULL);
    char *slash = strrchr(parent, '/');
    if (slash != NULL)
        slash[slash == parent ? 1 : 0] = 0;
    bool ok = folder_sync(slash == NULL ? "." : parent);
    free(parent);
    return ok;
}

static bool rename_checked(const char *from, const char *to)
{
    return rename(from, to) == 0 || fail_errno("renaming %s to %s", from, to);
}

// Without an exchange: the old folder is renamed to temporary-old, and renamed back if the new one can't take its
// place.
static bool replace_in_two_steps(const char *temporary, const char *folder)
{
    Bytes aside = {0};
    bool ok = bytes_printf(&aside, "%s-old", temporary) && rename_checked(folder, aside.data);
    if (ok && !rename_checked(temporary, folder)) {
        rename(aside.data, folder);
        ok = false;
    }
    ok = ok && sync_parent(folder) && folder_remove(aside.data);
    bytes_free(&aside);
    return ok;
}

bool folder_publish(const char *temporary, const char *folder)
{
    TRY(folder_sync(temporary));
    PathKind kind;
    TRY(path_kind(&kind, folder));
    if (kind != PATH_FOLDER)
        return rename_checked(temporary, folder) && sync_parent(folder);
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, folder, RENAME_EXCHANGE) == 0)
        return sync_parent(folder) && folder_remove(temporary);
    if (errno != EINVAL && errno != ENOSYS)
        return fail_errno("exchanging %s and %s", temporary, folder);
    return replace_in_two_steps(temporary, folder);
}
