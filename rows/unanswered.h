// Questions to a server that ended without an answer: counted, the first one's reason kept, and when there is no use in asking
// on. The rest of a run goes on, and the same command asks again for what is missing.
#ifndef ROWS_UNANSWERED_H
#define ROWS_UNANSWERED_H

#include "server/endpoint.h"
#include "rows/rows.h"

typedef struct Unanswered {
    int64_t count, in_a_row; // in all; the last ones, without an answer between them
    Bytes why;               // the first of them
    bool for_a_row;          // one of them for what its row asks
} Unanswered;

// An answer that has failed, to the row at place ("file:line"). Where the server refuses the question itself (it is too long for
// it, say) and rows may be refused, the row is (rows_refuse). False after fail() where they are too many.
bool unanswered_take(Unanswered *unanswered, const EndpointAnswer *answer, RowReader *rows, const char *place);

bool unanswered_fail(const Unanswered *unanswered,
                     const char *journal); // false, with all of it, after fail(); true where there are none
void unanswered_free(Unanswered *unanswered);

#endif
