// A save, from the copy of the state to the moment when the checkpoint counts. Every rank writes what it owns; a thread
// does so while the next steps run. Only the main thread speaks with the other ranks: when all have written, at the end
// of a step, rank 0 hears their reports and commits (checkpoint/checkpoint.h). An error of any rank is everybody's.
#include "run/run_internal.h"
#include "system/machine.h"
#include "system/phase.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// A save that is younger is waited for at the end of a step: it is not worth steps that a kill would cost.
static const double WAITED_FOR = 0.5, LEFT_AFTER = 5;

typedef struct Saving {
    int64_t step;
    RunState state;
    float *copy;           // of the state; NULL: it is written where it lies
    json_t *scalars;       // these three on rank 0 alone
    Bytes folder;          // OUT/checkpoints
    TemporaryFolder draft; // of rank 0
    char path[4096];       // of the draft
    double begun, written; // clock_seconds() at the beginning; seconds of writing
    StateShard shard;
    Bytes report;
    char *error; // why writing failed; NULL: it did not
    ErrorKind kind;
    bool asked;             // for OUT/SAVE
    bool started, finished; // the thread; finished: under the mutex, what was written is here
    atomic_bool stop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} Saving;

// ---- writing

static void *write_own(void *context)
{
    Saving *s = context;
    double start = clock_seconds();
    phase_watch(); // while it is waited for, its progress counts
    bool ok = checkpoint_shard_write(&s->report, &s->shard, s->path);
    if (!ok) {
        s->kind = error_kind(); // the error text is per thread
        s->error = copy_text(error_text());
    }
    if (!ok && s->error == NULL)
        bytes_clear(&s->report);
    pthread_mutex_lock(&s->mutex);
    s->written = clock_seconds() - start;
    s->finished = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static bool is_written(Saving *s, bool wait)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50 * 1000 * 1000; // and then ranks meet again, so that none is taken for stuck
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->mutex);
    for (int problem = 0; wait && !s->finished && problem == 0;)
        problem = pthread_cond_timedwait(&s->changed, &s->mutex, &until);
    bool finished = s->finished;
    pthread_mutex_unlock(&s->mutex);
    return finished;
}

static bool outcome(const Saving *s)
{
    return s->report.size > 0 || fail_as(s->kind, "%s", s->error != NULL ? s->error : "no memory for a save") ||
           fail_in("saving the checkpoint of step %" PRId64, s->step);
}

// The run ends in bounded time: a thread that waits for its disk is left to the end of the process, with what is its,
// and the next save removes what it has written.
static bool leave(Saving *s)
{
    atomic_store(&s->stop, true);
    for (double since = clock_seconds(); !is_written(s, true);)
        if (clock_seconds() - since > LEFT_AFTER)
            return pthread_detach(s->thread) == 0;
    pthread_join(s->thread, NULL);
    return false;
}

static void saving_close(Run *run)
{
    Saving *s = run->saving;
    run->saving = NULL;
    if (s->started && leave(s))
        return;
    temporary_folder_close(&s->draft);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->changed);
    run_state_free(&s->state);
    json_decref(s->scalars);
    bytes_free(&s->folder);
    bytes_free(&s->report);
    free(s->copy);
    free(s->error);
    free(s);
}

// ---- the beginning

// Memory for a copy: at most half of what is free, as others use it, too. In large pages, which takes a fourth of the
// time. NULL without an error.
static float *memory_for_copy(const Run *run, int64_t elements)
{
    const size_t page = (size_t)2 << 20;
    size_t bytes = ((size_t)elements * sizeof(float) / page + 1) * page, here = 1;
    for (int r = 0, own = run_is_alone(run) ? 0 : run->ranks->rank; !run_is_alone(run) && r < run->ranks->size; r++)
        here += r != own && strcmp(run->ranks->mesh.hosts[r], run->ranks->mesh.hosts[own]) == 0;
    float *copy = bytes <= memory_available() / 2 / here ? aligned_alloc(page, bytes) : NULL;
    if (copy != NULL)
        madvise(copy, bytes, MADV_HUGEPAGE);
    return copy;
}

static bool make_ready(Run *run, Saving *s)
{
    TRY((s->scalars = run_state_scalars(run)) != NULL && run_state_open(&s->state, run, false));
    s->shard = (StateShard){.of = 1, .tensors = s->state.tensors, .count = s->state.count, .stop = &s->stop};
    if (!run_is_alone(run))
        s->shard = (StateShard){run->ranks->rank, run->ranks->size, s->state.tensors, s->state.count, &s->stop};
    if (!run_is_first(run))
        return true;
    TRY(run_holds_out(run) && log_sync(&run->log) && path_in(&s->folder, run, "checkpoints") &&
        checkpoint_draft(&s->draft, s->folder.data, s->step));
    snprintf(s->path, sizeof s->path, "%s", s->draft.path);
    return strlen(s->draft.path) < sizeof s->path || fail("%s: the path is too long", s->draft.path);
}

static bool is_seen(const char *draft)
{
    PathKind kind;
    TRY(path_kind(&kind, draft));
    return kind == PATH_FOLDER ||
           fail("%s: is not there, where rank 0 has just made it; --out must be a folder that all hosts share", draft);
}

// All ranks see the draft, and there is room on its disk for what all will write.
static bool look_ahead(Run *run, Saving *s, bool wait)
{
    uint64_t own = 0;
    bool ok = run_hear_first(run, s->path, sizeof s->path);
    TRY(run_agree(run, ok && checkpoint_shard_bytes(&own, &s->shard)));
    int64_t all[] = {(int64_t)own, s->copy == NULL && !wait, s->state.elements};
    TRY(run_is_alone(run) || comm_sum(run->ranks, all, 3));
    if (all[1] > 0 && !run->told_memory)
        log_note(&run->log, "there is no memory for a copy of the state (%.1f GB), so steps wait while it is saved",
                 4 * (double)all[2] / 1e9);
    run->told_memory = run->told_memory || all[1] > 0;
    return run_agree(run, is_seen(s->path) && checkpoint_room(s->path, (uint64_t)all[0])) ||
           fail_in("saving the checkpoint of step %" PRId64, s->step);
}

static bool begin(Run *run, bool wait)
{
    Saving *s = run->saving = allocate(1, sizeof *s);
    TRY(s != NULL);
    s->step = run->step;
    s->begun = run->saved_at = clock_seconds();
    s->asked = run_is_asked_to_save(run);
    phase_is("saving the checkpoint of step", s->step);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    TRY(run_agree(run, make_ready(run, s)));
    // several ranks meet while a thread writes; alone there is no use in a copy that is waited for
    s->copy = wait && run_is_alone(run) ? NULL : memory_for_copy(run, s->state.elements);
    TRY(look_ahead(run, s, wait));
    TRY(run_agree(run, s->copy == NULL || run_state_copy(&s->state, s->copy)));
    s->started = s->copy != NULL && pthread_create(&s->thread, NULL, write_own, s) == 0;
    if (!s->started)
        write_own(s);
    return true;
}

// ---- the end

// Every rank's report, on rank 0 (size); lengths have been told.
static bool collect(Run *run, Bytes *reports, const int64_t *sizes)
{
    int size = run->ranks->size;
    Piece *send = allocate((size_t)size, sizeof *send), *receive = allocate((size_t)size, sizeof *receive);
    bool ok = send != NULL && receive != NULL;
    for (int r = 0; ok && run_is_first(run) && r < size; r++) {
        ok = grow(&reports[r].data, &reports[r].capacity, (size_t)sizes[r] + 1, 1);
        receive[r] = (Piece){reports[r].data, (size_t)sizes[r]};
        reports[r].size = (size_t)sizes[r];
    }
    ok = run_agree(run, ok);
    if (ok) {
        send[0] = (Piece){run->saving->report.data, run->saving->report.size};
        ok = comm_all_to_all(run->ranks, send, receive);
    }
    for (int r = 0; ok && run_is_first(run) && r < size; r++)
        reports[r].data[reports[r].size] = 0;
    free(send);
    free(receive);
    return ok;
}

static bool commit_reports(Run *run, const Bytes *reports, int count)
{
    const Saving *s = run->saving;
    CheckpointKeep keep = {(int)run->o.keep_checkpoints, run->best.step};
    return !run_is_first(run) ||
           (checkpoint_commit(&s->draft, s->folder.data, s->step, reports, count, s->scalars, &keep) &&
            best_consider(run, s->step));
}

static bool commit_together(Run *run)
{
    int size = run->ranks->size;
    Bytes *reports = allocate((size_t)size, sizeof *reports);
    int64_t *sizes = allocate((size_t)size, sizeof *sizes);
    bool ok = run_agree(run, reports != NULL && sizes != NULL);
    if (ok) {
        sizes[run->ranks->rank] = (int64_t)run->saving->report.size;
        ok = comm_sum(run->ranks, sizes, (size_t)size) && collect(run, reports, sizes) &&
             run_agree(run, commit_reports(run, reports, size));
    }
    for (int r = 0; reports != NULL && r < size; r++)
        bytes_free(&reports[r]);
    free(reports);
    free(sizes);
    return ok;
}

static bool commit(Run *run)
{
    const Saving *s = run->saving;
    double start = clock_seconds();
    bool ok =
        run_agree(run, outcome(s)) && (run_is_alone(run) ? commit_reports(run, &s->report, 1) : commit_together(run));
    if (ok) {
        run->saved = s->step;
        run->save_seconds = s->written + clock_seconds() - start;
        run->save_times.writing += s->written;
        if (s->asked)
            run_has_saved(run, s->step);
    }
    return ok;
}

bool run_settle(Run *run, bool wait)
{
    if (run->saving == NULL)
        return true;
    double start = clock_seconds();
    bool ok = true;
    phase_is("saving the checkpoint of step", run->saving->step);
    for (bool first = true; run->saving != NULL; first = false) {
        phase_hold(!is_written(run->saving, false)); // a disk that hangs is not hidden by meeting the others
        bool young = clock_seconds() - run->saving->begun < WAITED_FOR;
        int64_t facts[] = {!is_written(run->saving, !first), run_is_first(run) && (wait || young)};
        if (run_is_alone(run) || (ok = comm_sum(run->ranks, facts, 2))) {
            if (facts[0] > 0 && facts[1] > 0)
                continue;
            if (facts[0] > 0)
                break;
            ok = commit(run);
        }
        saving_close(run);
    }
    phase_hold(false);
    run->save_times.stall += clock_seconds() - start;
    return ok;
}

// ---- a run's side

static bool save(Run *run, bool wait)
{
    if (!run_settle(run, true)) {
        TRY(run->step == run->steps);
        log_note(&run->log, "%s; the last step is saved in its place", error_text());
        error_clear();
    }
    double start = clock_seconds();
    bool ok = begin(run, wait);
    if (!ok && run->saving != NULL)
        saving_close(run);
    run->save_times.stall += clock_seconds() - start;
    return ok && (!wait || run_settle(run, true));
}

bool run_save(Run *run) { return save(run, run->step == run->steps); }

bool run_save_now(Run *run) { return run_settle(run, true) && (run->saved == run->step || save(run, true)); }

double run_save_left(const Run *run)
{
    double left = run->saving == NULL ? 0 : run->save_seconds - (clock_seconds() - run->saving->begun);
    return left > 0 ? left : 0;
}

SaveTimes run_take_save_times(Run *run)
{
    SaveTimes times = run->save_times;
    run->save_times = (SaveTimes){0};
    return times;
}

// Alone, what is under way is brought to its end; with others, they may have ended.
void run_save_close(Run *run)
{
    if (run_is_alone(run))
        run_settle(run, true);
    if (run->saving != NULL)
        saving_close(run);
}
