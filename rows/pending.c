// See pending.h.
#include "rows/pending.h"
#include <stdlib.h>

Pending *pending_new(Pending **list, int64_t number)
{
    Pending *a = allocate(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->number = number;
    a->next = *list;
    a->here = list;
    if (a->next != NULL)
        a->next->here = &a->next;
    *list = a;
    return a;
}

void pending_free(Pending *a)
{
    *a->here = a->next;
    if (a->next != NULL)
        a->next->here = a->here;
    bytes_free(&a->row);
    bytes_free(&a->useless);
    bytes_free(&a->place);
    tokens_free(&a->ids);
    free(a);
}
