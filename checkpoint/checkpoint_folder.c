// The folder of checkpoints as a whole: which one is the newest that is complete, what killed attempts left behind, and which old
// ones go. Only names of the form step-N count; a folder on its way in or out is called step-N.tmp-something.
#include "checkpoint/checkpoint_internal.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t step_of_name(const char *name)
{
    if (strncmp(name, "step-", 5) != 0)
        return -1;
    const char *digits = name + 5;
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 18 || digits[length] != 0 || (digits[0] == '0' && length > 1))
        return -1;
    return strtoll(digits, NULL, 10);
}

bool step_name(Bytes *name, int64_t step)
{
    bytes_clear(name);
    return bytes_printf(name, "step-%" PRId64, step);
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x > y ? -1 : x < y;
}

bool steps_list(int64_t **steps, size_t *count, const char *folder)
{
    char **names;
    size_t name_count;
    *steps = NULL;
    *count = 0;
    TRY(folder_list(&names, &name_count, folder));
    *steps = allocate(name_count, sizeof **steps);
    for (size_t i = 0; *steps != NULL && i < name_count; i++)
        if (step_of_name(names[i]) >= 0)
            (*steps)[(*count)++] = step_of_name(names[i]);
    names_free(names, name_count);
    if (*count > 0)
        qsort(*steps, *count, sizeof **steps, descending);
    return *steps != NULL;
}

static char *step_path(const char *folder, int64_t step)
{
    Bytes name = {0};
    char *path = step_name(&name, step) ? path_join(folder, name.data) : NULL;
    bytes_free(&name);
    return path;
}

static bool is_complete(const char *path, int64_t step)
{
    Manifest manifest;
    TRY(manifest_read(&manifest, path));
    int64_t said = manifest.step;
    manifest_free(&manifest);
    return said == step || fail("%s: its manifest is that of step %" PRId64, path, said);
}

// Every byte of it is looked at: going on reads them all anyway, and a damaged one must not stop a run that has older ones.
static bool is_whole(const char *path, int64_t step)
{
    Checkpoint *checkpoint;
    TRY(is_complete(path, step) && checkpoint_open(&checkpoint, path));
    bool ok = checkpoint_verify(checkpoint);
    checkpoint_close(checkpoint);
    return ok;
}

// A damaged checkpoint is passed over. One that cannot be read now may be whole, and ends the search: what comes after an older
// one is written over it.
static const char READ_LATER[] = "the newest checkpoint cannot be read (if it stays so, name an older one with --resume FOLDER)";

bool checkpoint_newest(Bytes *path, int64_t *step, const char *folder, Bytes *warnings)
{
    bytes_clear(path);
    *step = -1;
    PathKind kind;
    TRY(path_kind(&kind, folder));
    if (kind == PATH_NONE)
        return true;
    int64_t *steps;
    size_t count;
    TRY(steps_list(&steps, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && *step < 0 && i < count; i++) {
        char *candidate = step_path(folder, steps[i]);
        bool whole = candidate != NULL && is_whole(candidate, steps[i]);
        ok = candidate != NULL && (whole || error_kind() != ERROR_SYSTEM || fail_in("%s", READ_LATER));
        if (ok && whole) {
            *step = steps[i];
            ok = bytes_text(path, candidate);
        } else if (ok && warnings != NULL) {
            ok = bytes_printf(warnings, "%s is not whole and is passed over: %s\n", candidate, error_text());
        }
        free(candidate);
    }
    free(steps);
    if (ok)
        error_clear();
    return ok;
}

bool checkpoint_count(int64_t *count, const char *folder)
{
    PathKind kind;
    int64_t *steps;
    size_t found;
    *count = 0;
    TRY(path_kind(&kind, folder));
    if (kind == PATH_NONE)
        return true;
    TRY(steps_list(&steps, &found, folder));
    free(steps);
    *count = (int64_t)found;
    return true;
}

bool leftovers_remove(const char *folder)
{
    char **names;
    size_t count;
    TRY(folder_list(&names, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const char *mark = strstr(names[i], ".tmp-");
        bool step = mark != NULL && strncmp(names[i], "step-", 5) == 0;
        bool hint = mark != NULL && strncmp(names[i], "latest.tmp-", 11) == 0;
        char *path = step || hint ? path_join(folder, names[i]) : NULL;
        PathKind kind;
        if (step)
            ok = path != NULL && path_kind(&kind, path) && (kind != PATH_FOLDER || folder_remove(path));
        else if (hint)
            ok = path != NULL && (unlink(path) == 0 || fail_errno("%s: removing it", path));
        free(path);
    }
    names_free(names, count);
    return ok;
}

static bool rename_aside(const char *path, const char *ending)
{
    Bytes aside = {0};
    PathKind kind;
    bool ok = bytes_printf(&aside, "%s%s", path, ending) && path_kind(&kind, aside.data) &&
              (kind == PATH_NONE || folder_remove(aside.data));
    if (ok && rename(path, aside.data) != 0)
        ok = fail_errno("renaming %s to %s", path, aside.data);
    bytes_free(&aside);
    return ok;
}

bool later_set_aside(const char *folder, int64_t step)
{
    int64_t *steps;
    size_t count;
    TRY(steps_list(&steps, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count && steps[i] > step; i++) {
        char *path = step_path(folder, steps[i]);
        ok = path != NULL && rename_aside(path, ".abandoned");
        free(path);
    }
    free(steps);
    return ok;
}

// Renamed first: a kill while it is being removed leaves no step-N with files missing.
static bool remove_step(const char *path)
{
    static const char ending[] = ".tmp-pruned";
    TRY(rename_aside(path, ending));
    Bytes aside = {0};
    bool ok = bytes_printf(&aside, "%s%s", path, ending) && folder_remove(aside.data);
    bytes_free(&aside);
    return ok;
}

bool checkpoints_prune(const char *folder, int64_t newest, int keep)
{
    int64_t *steps;
    size_t count;
    if (keep <= 0)
        return true;
    TRY(steps_list(&steps, &count, folder));
    bool ok = true;
    int kept = 0;
    for (size_t i = 0; ok && i < count; i++) {
        if (steps[i] > newest)
            continue;
        char *path = step_path(folder, steps[i]);
        ok = path != NULL;
        if (ok && kept >= keep)
            ok = remove_step(path);
        else if (ok)
            kept += is_complete(path, steps[i]); // a broken one does not count, and goes when it is old enough
        free(path);
    }
    free(steps);
    return ok;
}
