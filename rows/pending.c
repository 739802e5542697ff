// See pending.h.
#include "rows/pending.h"
#include <stdlib.h>

Asked *asked_new(Asked **list, int64_t number)
{
    Asked *a = allocate(1, sizeof *a);
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

void asked_free(Asked *a)
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
