// What the ranks of a run decide and add up together: integers, so that every rank has the same, whatever their order.
#include "run/run_internal.h"
#include <stdlib.h>

bool run_is_first(const Run *run) { return run->ranks == NULL || run->ranks->rank == 0; }
bool run_is_alone(const Run *run) { return run->ranks == NULL || run->ranks->size == 1; }

double run_take_sent(Run *run)
{
    uint64_t before = run->sent;
    run->sent = run->ranks == NULL ? 0 : run->ranks->bytes;
    return (double)(run->sent - before);
}

bool run_any(Run *run, bool *flag)
{
    int64_t count = *flag;
    TRY(run_is_alone(run) || comm_sum(run->ranks, &count, 1));
    *flag = count > 0;
    return true;
}

static size_t put_loss(int64_t *values, const LossSum *sum)
{
    values[0] = sum->fixed;
    values[1] = sum->tokens;
    values[2] = sum->tokens > 0 && !sum->finite;
    return 3;
}

static size_t take_loss(LossSum *sum, const int64_t *values)
{
    *sum = (LossSum){.fixed = values[0], .tokens = values[1], .finite = values[2] == 0};
    return 3;
}

// And, as ranks meet here in every step, whether it is time to save: as rank 0 says.
bool run_add_up(Run *run, LossSum *loss, LevelLosses *levels, int64_t *counts, size_t count)
{
    int64_t values[3 * (LEVELS + 1) + COUNTS_MOST + 1];
    if (run_is_alone(run))
        return true;
    size_t n = put_loss(values, loss);
    for (int level = 0; level < LEVELS; level++)
        n += put_loss(values + n, &levels->level[level]);
    for (size_t i = 0; i < count; i++)
        values[n++] = counts[i];
    values[n++] = run_wants_save(run);
    TRY(comm_sum(run->ranks, values, n));
    n = take_loss(loss, values);
    for (int level = 0; level < LEVELS; level++)
        n += take_loss(&levels->level[level], values + n);
    for (size_t i = 0; i < count; i++)
        counts[i] = values[n++];
    run->save_due = values[n] > 0;
    return true;
}

bool run_hear_clock(Run *run)
{
    run->save_due = run_wants_save(run);
    return run_hear_first(run, &run->save_due, sizeof run->save_due);
}

bool run_hear_first(Run *run, void *data, size_t size)
{
    return run_is_alone(run) || comm_broadcast(run->ranks, data, size, 0);
}

// ---- errors that all have alike

typedef struct Why {
    int64_t kind;
    char text[4096];
} Why;

// The first rank with an error says it; `own`: this rank's, kind below 0: none. STOPPED has a status of its own.
static bool hear_why(Run *run, const Why *own, bool shared)
{
    int size = run->ranks->size, first = 0;
    Why why = *own;
    int64_t *failed = allocate((size_t)size, sizeof *failed);
    TRY(failed != NULL);
    failed[run->ranks->rank] = own->kind >= 0;
    bool told = comm_sum(run->ranks, failed, (size_t)size);
    while (first < size - 1 && failed[first] == 0)
        first++;
    free(failed);
    TRY(told && comm_broadcast(run->ranks, &why, sizeof why, first));
    ErrorKind kind = shared || why.kind == ERROR_STOPPED ? (ErrorKind)why.kind : ERROR_ELSEWHERE;
    return fail_as(kind, "rank %d on %s: %s", first, run->ranks->mesh.hosts[first], why.text);
}

static bool agree(Run *run, bool ok, bool shared)
{
    if (run_is_alone(run))
        return ok;
    Why own = {.kind = ok ? -1 : (int64_t)error_kind()};
    int64_t failed = !ok;
    snprintf(own.text, sizeof own.text, "%s", error_text());
    TRY(comm_sum(run->ranks, &failed, 1) || ok || fail_as((ErrorKind)own.kind, "%s", own.text));
    if (failed == 0)
        return true;
    hear_why(run, &own, shared);
    return !ok && !shared && fail_as((ErrorKind)own.kind, "%s", own.text);
}

bool run_agree(Run *run, bool ok) { return agree(run, ok, false); }
bool run_agree_on_shared(Run *run, bool ok) { return agree(run, ok, true); }
