// Counts questions that a server refused or did not answer, and decides from the status whether the next row may do better.
#include "rows/unanswered.h"

// A status by which the question itself is refused, or its answer is none: another attempt gives the same, and the next row may
// do better. 401, 403 and 404 are about the key, the address or the model, and so about every row.
static bool is_about_the_row(int status)
{
    return (status >= 200 && status < 300) || status == 400 || status == 413 || status == 422;
}

bool unanswered_take(Unanswered *u, const EndpointAnswer *answer, RowReader *rows, const char *place)
{
    bool about_the_row = is_about_the_row(answer->status);
    if (about_the_row && rows->options.skip_bad_rows > 0) {
        fail("%s: %s", place, answer->error);
        return rows_refuse(rows);
    }
    u->for_a_row = u->for_a_row || about_the_row;
    u->in_a_row++;
    return u->count++ > 0 || bytes_printf(&u->why, "%s: %s", place, answer->error);
}

bool unanswered_fail(const Unanswered *u, const char *journal)
{
    return u->count == 0 ||
           fail("%" PRId64
                " questions were not answered; the first: %s; what is finished is in %s, and the same command asks again%s",
                u->count, u->why.data == NULL ? "" : u->why.data, journal,
                u->for_a_row ? " (--skip-bad-rows N leaves out N rows whose questions the server refuses, or answers so)" : "");
}

void unanswered_free(Unanswered *u) { bytes_free(&u->why); }
