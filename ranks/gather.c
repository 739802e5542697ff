// Sizes first, then the bytes: see gather.h.
#include "ranks/gather.h"
#include <stdlib.h>
#include <string.h>

static bool gather_sizes(Communicator *c, size_t own, size_t *edges, Piece *pieces)
{
    for (int i = 0; i < c->size; i++)
        pieces[i] = (Piece){&edges[i + 1], sizeof *edges};
    edges[0] = 0;
    edges[c->rank + 1] = own;
    TRY(comm_all_gather(c, pieces));
    for (int i = 0; i < c->size; i++)
        TRY(size_add(&edges[i + 1], edges[i + 1], edges[i]));
    return true;
}

bool comm_gather_bytes(Communicator *c, const Bytes *own, Bytes *all, size_t *edges)
{
    Piece *pieces = allocate((size_t)c->size, sizeof *pieces);
    bool ok = pieces != NULL && gather_sizes(c, own->size, edges, pieces);
    char *data = ok ? allocate(edges[c->size] + 1, 1) : NULL;
    ok = data != NULL;
    for (int i = 0; ok && i < c->size; i++)
        pieces[i] = (Piece){data + edges[i], edges[i + 1] - edges[i]};
    if (ok && own->size > 0)
        memcpy(pieces[c->rank].data, own->data, own->size);
    ok = ok && comm_all_gather(c, pieces);
    free(pieces);
    if (!ok) {
        free(data);
        return false;
    }
    *all = (Bytes){data, edges[c->size], edges[c->size] + 1};
    return true;
}

bool gathered_part(Text *from, Text *part, size_t size)
{
    if (from->size < size)
        return fail("another rank has sent %zu bytes where %zu are wanted: a fault of this program", from->size, size);
    *part = (Text){from->data, size};
    *from = (Text){from->data + size, from->size - size};
    return true;
}

bool gathered_take(Text *from, void *to, size_t size)
{
    Text part = {0};
    TRY(gathered_part(from, &part, size));
    if (size > 0)
        memcpy(to, part.data, size);
    return true;
}
