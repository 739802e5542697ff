// The folder of checkpoints as a whole: which one is the newest that is complete, what killed attempts left behind, and
// which old ones go. Only names of the form step-N count; a folder on its way in or out is called step-N.tmp-something.
#include "checkpoint/checkpoint_internal.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t step_of_name(const char *name) // "step-12" gives 12; anything else -1
{
    if (strncmp(name, "step-", 5) != 0)
        return -1;
    const char *digits = name + 5;
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 18 || digits[length] != 0 || (digits[0] == '0' && length > 1))
        return -1;
    return strtoll(digits, NULL, 10);
}

char *step_path(const char *folder, int64_t step)
{
    char name[32];
    snprintf(name, sizeof name, "step-%" PRId64, step);
    return path_join(folder, name);
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

typedef bool Visit(void *context, const char *path, int64_t step); // false, after fail(), ends the walk

// Visits the folders step-N, the newest first; none where the folder is not there.
static bool each_step(const char *folder, Visit *visit, void *context)
{
    char **names;
    size_t name_count, count = 0;
    PathKind kind;
    TRY(path_kind(&kind, folder));
    if (kind == PATH_NONE)
        return true;
    TRY(folder_list(&names, &name_count, folder));
    int64_t *steps = allocate(name_count + 1, sizeof *steps);
    bool ok = steps != NULL;
    for (size_t i = 0; ok && i < name_count; i++)
        if (step_of_name(names[i]) >= 0)
            steps[count++] = step_of_name(names[i]);
    names_free(names, name_count);
    if (ok)
        qsort(steps, count, sizeof *steps, descending);
    for (size_t i = 0; ok && i < count; i++) {
        char *path = step_path(folder, steps[i]);
        ok = path != NULL && visit(context, path, steps[i]);
        free(path);
    }
    free(steps);
    return ok;
}

static bool count_step(void *count, const char *path, int64_t step)
{
    ++*(int64_t *)count;
    return true;
}

bool checkpoint_count(int64_t *count, const char *folder)
{
    *count = 0;
    return each_step(folder, count_step, count);
}

// ---- the newest

static bool every_byte(void *context, Checkpoint *checkpoint, const char *path)
{
    return checkpoint_verify(checkpoint, 0, 1);
}

static bool is_complete(const char *path, int64_t step, CheckpointCheck *check, void *context)
{
    Checkpoint *checkpoint;
    TRY(checkpoint_open(&checkpoint, path));
    int64_t found = checkpoint_step(checkpoint);
    bool ok = found == step || fail("%s: its manifest is that of step %" PRId64, path, found);
    ok = ok && (check == NULL || check(context, checkpoint, path));
    checkpoint_close(checkpoint);
    return ok;
}

typedef struct Search {
    Bytes *path, *warnings;
    int64_t step; // -1: not found yet
    CheckpointCheck *check;
    void *context; // of check
} Search;

// A damaged checkpoint is skipped, and a run with older ones goes on. One that cannot be read now may be whole, and
// ends the search: going on from an older one would write over it.
static bool try_checkpoint(void *context, const char *path, int64_t step)
{
    Search *s = context;
    if (s->step >= 0)
        return true;
    if (is_complete(path, step, s->check, s->context)) {
        s->step = step;
        return bytes_text(s->path, path);
    }
    if (error_kind() == ERROR_SYSTEM)
        return fail_in("the newest checkpoint cannot be read (if it stays so, name an older one with --resume FOLDER)");
    return error_kind() == ERROR_OTHER &&
           (s->warnings == NULL ||
            bytes_printf(s->warnings, "%s is not whole and is passed over: %s\n", path, error_text()));
}

bool checkpoint_newest(Bytes *path, int64_t *step, const char *folder, Bytes *warnings)
{
    return checkpoint_newest_by(path, step, folder, warnings, every_byte, NULL);
}

bool checkpoint_newest_by(Bytes *path, int64_t *step, const char *folder, Bytes *warnings, CheckpointCheck *check,
                          void *context)
{
    Search search = {path, warnings, -1, check, context};
    bytes_clear(path);
    bool ok = each_step(folder, try_checkpoint, &search);
    *step = search.step;
    if (ok)
        error_clear();
    return ok;
}

// ---- what goes

static PathKind is_leftover(const void *context, const char *name)
{
    if (strncmp(name, "latest.tmp-", 11) == 0 || strncmp(name, "best.tmp-", 9) == 0)
        return PATH_FILE;
    return strncmp(name, "step-", 5) == 0 && strstr(name, ".tmp-") != NULL ? PATH_FOLDER : PATH_NONE;
}

bool leftovers_remove(const char *folder) { return folder_clean(folder, is_leftover, NULL); }

// A folder; or a link to one, which somebody has moved to another disk: what it leads to stays.
static bool remove_step(const char *path)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || S_ISDIR(facts.st_mode))
        return folder_remove(path);
    return unlink(path) == 0 || fail_errno("%s: removing it", path);
}

bool step_make_room(const char *path)
{
    struct stat facts;
    bool folder = lstat(path, &facts) != 0 || S_ISDIR(facts.st_mode);
    return folder || unlink(path) == 0 || fail_errno("%s: removing it", path);
}

// Renames it to PATHENDING, whose old folder goes; and removes that, too, where it is not to be kept. Never removed
// under its own name: a kill would leave a step-N with files missing.
static bool set_aside(const char *path, const char *ending, bool kept)
{
    Bytes aside = {0};
    PathKind kind;
    bool ok = bytes_printf(&aside, "%s%s", path, ending) && path_kind(&kind, aside.data) &&
              (kind == PATH_NONE || remove_step(aside.data)) &&
              (rename(path, aside.data) == 0 || fail_errno("renaming %s to %s", path, aside.data)) &&
              (kept || remove_step(aside.data));
    bytes_free(&aside);
    return ok;
}

static bool set_aside_later(void *context, const char *path, int64_t step)
{
    return step <= *(int64_t *)context || set_aside(path, ".abandoned", true);
}

bool later_set_aside(const char *folder, int64_t step) { return each_step(folder, set_aside_later, &step); }

typedef struct Pruning {
    int64_t newest;
    const CheckpointKeep *keep;
    int kept;
} Pruning;

// The newest whole one always stays: it is the first to be counted.
static bool prune_step(void *context, const char *path, int64_t step)
{
    Pruning *p = context;
    if (step > p->newest || (step == p->keep->best && step > 0))
        return true;
    if (p->kept >= p->keep->newest)
        return set_aside(path, ".tmp-pruned", false);
    if (is_complete(path, step, NULL, NULL))
        p->kept++;
    else if (error_kind() == ERROR_SYSTEM) // it may be whole
        return fail_in("looking which older checkpoints stay");
    error_clear(); // a broken one is not counted
    return true;
}

bool checkpoints_prune(const char *folder, int64_t newest, const CheckpointKeep *keep)
{
    Pruning pruning = {newest, keep, 0};
    return keep->newest <= 0 || each_step(folder, prune_step, &pruning);
}
