// Room on the disk, checked before the first step and not at the end of the last one: for the checkpoints that are kept
// and one more while it is written, for the tokenizer's files, and for the exported model beside the one that it
// replaces.
#include "checkpoint/checkpoint.h"
#include "pretrained/folder.h"
#include "run/run_internal.h"
#include <sys/statvfs.h>

typedef struct Room {
    int64_t there;                               // checkpoints on the disk
    int64_t saves;                               // that will certainly come: those by steps, and the last
    int64_t best;                                // kept beside the newest
    uint64_t checkpoint, tokenizer, model, free; // the model with its tokenizer
} Room;

// The bytes needed beyond those in use now, if `keep` checkpoints are kept: in the largest save, or in the export after
// the last.
static uint64_t needed(const Room *room, int64_t keep, int64_t saves)
{
    int64_t all = room->there + saves;
    keep += room->best;
    int64_t saving = smaller(larger(keep, room->there) + 1, all) - room->there, kept = smaller(keep, all) - room->there;
    uint64_t while_saving = (uint64_t)saving * room->checkpoint;
    uint64_t freed = kept < 0 ? (uint64_t)-kept * room->checkpoint : 0,
             added = kept > 0 ? (uint64_t)kept * room->checkpoint : 0;
    uint64_t at_end = added + room->model > freed ? added + room->model - freed : 0;
    return room->tokenizer + (while_saving > at_end ? while_saving : at_end);
}

// How often that many steps are over before the last.
static int64_t every(const Run *run, int64_t steps)
{
    return steps > 0 && run->steps > run->step ? (run->steps - 1) / steps - run->step / steps : 0;
}

static bool measure(Room *room, Run *run)
{
    struct statvfs disk;
    Bytes folder = {0};
    bool last_is_there = run->saved == run->step && run->step == run->steps;
    bool best = best_is_wanted(run);
    int64_t saves = every(run, run->o.save_every) + (best ? every(run, run->o.eval_every) : 0);
    *room = (Room){.saves = last_is_there ? 0 : saves + 1, .best = best};
    uint64_t element = run->o.export_dtype.name[0] == 'b' ? 2 : 4;
    TRY(run->tokenizer == NULL || model_folder_tokenizer_bytes(&room->tokenizer, run->tokenizer));
    room->model = (uint64_t)model_own(run->model)->elements * element + room->tokenizer;
    if (run->base != NULL)
        room->model += (uint64_t)run->model->parameters.elements * sizeof(float); // OUT/adapter
    bool ok = run_checkpoint_bytes(&room->checkpoint, run) && path_in(&folder, run, "checkpoints") &&
              checkpoint_count(&room->there, folder.data);
    bytes_free(&folder);
    room->free = UINT64_MAX;
    if (ok && statvfs(run->o.out, &disk) == 0 && disk.f_blocks > 0) // if the file system does not say, there is room
        room->free = (uint64_t)disk.f_bavail * disk.f_frsize;
    return ok;
}

// How many checkpoints can be kept; 0: not even one fits.
static int64_t keeps(const Room *room, int64_t keep, int64_t saves)
{
    while (keep > 0 && needed(room, keep, saves) > room->free)
        keep--;
    return keep;
}

static double mega(uint64_t bytes) { return (double)bytes / 1e6; }

static bool describe(Bytes *out, const Run *run, const Room *room, int64_t saves)
{
    int64_t keep = keeps(room, (int)run->o.keep_checkpoints, saves);
    TRY(bytes_printf(out,
                     "%s: %.1f MB are free on this disk, and the run may need %.1f MB: checkpoints of %.1f MB, of "
                     "which --keep-checkpoints "
                     "%d%s are kept and one more while it is written, and a model of %.1f MB; make room, or take an "
                     "--out on another disk",
                     run->o.out, mega(room->free), mega(needed(room, (int)run->o.keep_checkpoints, saves)),
                     mega(room->checkpoint), (int)run->o.keep_checkpoints, room->best > 0 ? " and the best" : "",
                     mega(room->model)));
    return keep == 0 || bytes_printf(out, ", or --keep-checkpoints %" PRId64 ", which needs %.1f MB", keep,
                                     mega(needed(room, keep, saves)));
}

bool disk_check(Run *run, Bytes *warnings)
{
    Room room;
    TRY(measure(&room, run));
    int64_t most =
        run->o.save_minutes > 0 ? run->steps - run->step : room.saves; // one after each step, if steps are slow
    if (needed(&room, (int)run->o.keep_checkpoints, most) <= room.free)
        return true;
    if (needed(&room, (int)run->o.keep_checkpoints, room.saves) <= room.free)
        return bytes_text(warnings, "saving by the clock may fill the disk: ") &&
               describe(warnings, run, &room, most) && bytes_text(warnings, "\n");
    Bytes text = {0};
    bool ok = describe(&text, run, &room, room.saves) && fail("%s", text.data);
    bytes_free(&text);
    return ok;
}
