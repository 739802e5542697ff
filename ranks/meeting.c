// One all-gather a meeting: what each rank does, how far it is, and why it has failed.
#include "ranks/meeting.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>

// From one meeting to the next; what is lost is the rest of the slowest rank's pass, each time.
static const double APART = 3; // seconds

typedef enum Doing { WORKING, DONE, STOPPED, FAILED } Doing;

typedef struct Word { // of a rank
    int64_t doing, counts[MEETING_COUNTS];
    char why[1000]; // FAILED
} Word;

static bool alone(const Meeting *m) { return m->ranks == NULL || m->ranks->size == 1; }

void meeting_begin(Meeting *m, Communicator *ranks) { *m = (Meeting){.ranks = ranks, .last = clock_seconds()}; }

// An error is told before a signal, so that all end with the same.
static int first_to_end(const Word *words, int size)
{
    int first = -1;
    for (int i = 0; i < size; i++)
        if (words[i].doing > DONE && (first < 0 || words[i].doing > words[first].doing))
            first = i;
    return first;
}

static bool conclude(Meeting *m, const Word *words)
{
    int rank = m->ranks->rank, size = m->ranks->size, first = first_to_end(words, size);
    bool all = true;
    memset(m->others, 0, sizeof m->others);
    for (int i = 0; i < size; i++) {
        all = all && words[i].doing == DONE;
        for (int k = 0; i != rank && k < MEETING_COUNTS; k++)
            m->others[k] += words[i].counts[k];
    }
    m->over = all || first >= 0;
    if (first < 0)
        return true;
    if (words[first].doing == FAILED && words[rank].doing != FAILED)
        fail("rank %d on %s: %s", first, m->ranks->mesh.hosts[first], words[first].why);
    else if (words[first].doing == STOPPED && words[rank].doing != STOPPED)
        fail_as(ERROR_STOPPED, "stopped by a signal to another rank");
    return false;
}

static bool meet(Meeting *m, Doing doing)
{
    int rank = m->ranks->rank, size = m->ranks->size;
    Word *words = allocate((size_t)size, sizeof *words);
    Piece *pieces = allocate((size_t)size, sizeof *pieces);
    bool ok = words != NULL && pieces != NULL;
    if (ok) {
        for (int i = 0; i < size; i++)
            pieces[i] = (Piece){&words[i], sizeof words[i]};
        words[rank].doing = doing;
        memcpy(words[rank].counts, m->own, sizeof m->own);
        snprintf(words[rank].why, sizeof words[rank].why, "%s", doing == FAILED ? error_text() : "");
        ok = comm_all_gather(m->ranks, pieces) && conclude(m, words);
    }
    free(words);
    free(pieces);
    m->last = clock_seconds();
    return ok;
}

bool meeting_go_on(Meeting *m, const int64_t own[MEETING_COUNTS])
{
    memcpy(m->own, own, sizeof m->own);
    return alone(m) || clock_seconds() - m->last < APART || meet(m, WORKING);
}

bool meeting_end(Meeting *m, bool ok)
{
    if (alone(m))
        return ok;
    while (!m->over) {
        ok = ok && signal_checked("");
        TRY(meet(m, ok ? DONE : error_kind() == ERROR_STOPPED ? STOPPED : FAILED));
    }
    return ok;
}
