// Ranks with unequal work: they end together, an error of one is told by all, and bytes of any size reach everybody.
#include "ranks/gather.h"
#include "ranks/meeting.h"
#include "test/support/ranks.h"
#include <stdlib.h>
#include <string.h>

typedef enum Fate { WELL, ONE_FAILS, ONE_STOPPED, BOTH, LATE } Fate;

// Ranks work for unequal times; with `late`, the last fails when the others have long been done.
static bool unequal_work(const Communicator *ranks, Fate fate)
{
    bool last = ranks->rank == ranks->size - 1;
    usleep((useconds_t)(ranks->rank * 20000));
    if (last && fate != WELL && fate != ONE_STOPPED)
        return fail("the cat has the judge");
    if ((last && fate == ONE_STOPPED) || (ranks->rank == 0 && fate == BOTH))
        return fail_as(ERROR_STOPPED, "stopped by a signal");
    return true;
}

// What a rank finds at the end.
static bool as_expected(const Communicator *ranks, Fate fate, bool ok, const Meeting *m)
{
    bool last = ranks->rank == ranks->size - 1;
    int64_t others = 0;
    for (int r = 0; r < ranks->size; r++)
        others += r == ranks->rank ? 0 : 10 + r;
    if (fate == WELL)
        return ok && m->others[0] == others && m->others[2] == ranks->size - 1;
    if (ok)
        return false;
    if (fate == ONE_STOPPED)
        return error_kind() == ERROR_STOPPED;
    char named[40];
    snprintf(named, sizeof named, "rank %d on ", ranks->size - 1);
    return error_kind() == ERROR_OTHER && strstr(error_text(), "the cat has the judge") != NULL &&
           (last || strncmp(error_text(), named, strlen(named)) == 0);
}

static bool meet(Communicator *ranks, void *context)
{
    const Fate fate = *(Fate *)context;
    Meeting m;
    meeting_begin(&m, ranks);
    if (fate == LATE)
        m.last -= 100; // as if it had worked for long: they meet in the middle, too
    bool ok = meeting_go_on(&m, (int64_t[]){10 + ranks->rank, 0, 1});
    ok = meeting_end(&m, ok && unequal_work(ranks, fate));
    if (!as_expected(ranks, fate, ok, &m))
        return fail("it ended otherwise: %s", error_text());
    return comm_barrier(ranks); // they are still together
}

static void an_error_of_one_rank_is_told_by_all(void **state)
{
    for (Fate fate = WELL; fate <= LATE; fate++)
        for (int size = 2; size <= 4; size++)
            assert_int_equal(together(size, 20, meet, &fate), 0);
}

static void alone_there_is_nobody_to_meet(void **state)
{
    Meeting m;
    meeting_begin(&m, NULL);
    assert_true(meeting_go_on(&m, (int64_t[]){1, 2, 3}) && meeting_end(&m, true));
    assert_false(meeting_end(&m, false));
    assert_true(m.others[0] == 0 && m.others[1] == 0);
}

// Rank r brings r * 1000 bytes of its own, rank 0 none.
static bool gather(Communicator *ranks, void *context)
{
    Bytes own = {0}, all = {0};
    size_t *edges = calloc((size_t)ranks->size + 1, sizeof *edges);
    for (int i = 0; i < 1000 * ranks->rank; i++)
        TRY(bytes_append(&own, &(char){(char)(ranks->rank + i)}, 1));
    TRY(comm_gather_bytes(ranks, &own, &all, edges));
    for (int r = 0; r < ranks->size; r++) {
        Text from = {all.data + edges[r], edges[r + 1] - edges[r]};
        if (from.size != (size_t)(1000 * r))
            return fail("rank %d brought %zu bytes", r, from.size);
        for (int i = 0; i < 1000 * r; i++) {
            char c;
            TRY(gathered_take(&from, &c, 1));
            if (c != (char)(r + i))
                return fail("byte %d of rank %d is another one", i, r);
        }
        char more;
        if (gathered_take(&from, &more, 1))
            return fail("there is more than was brought");
    }
    bytes_free(&own);
    bytes_free(&all);
    free(edges);
    return true;
}

static void bytes_of_every_rank_reach_all(void **state)
{
    for (int size = 1; size <= 5; size++)
        assert_int_equal(together(size, 20, gather, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_error_of_one_rank_is_told_by_all),
                                       cmocka_unit_test(alone_there_is_nobody_to_meet),
                                       cmocka_unit_test(bytes_of_every_rank_reach_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
