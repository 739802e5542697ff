// A connection between every two ranks (TCP), and who is at its other end. Rank 0 waits for all others at its address,
// checks that they are of the same job and version, and tells them where each of them listens; the rest is made between
// them.
#ifndef RANKS_MESH_H
#define RANKS_MESH_H

#include "ranks/ranks.h"

typedef struct Mesh {
    int rank, size;
    int *sockets; // (size) not blocking; -1 at its own place
    int *watch;   // (size) a second connection: of rank 0 to each, of the others to rank 0 at [0]; else -1. The watch's
    char (*hosts)[HOST_BYTES]; // (size) what each calls itself
} Mesh;

// Within ranks->patience seconds, or the error names the ranks that have not come. size 1: nothing is opened.
bool mesh_open(Mesh *mesh, const Ranks *ranks);
void mesh_close(Mesh *mesh);

#endif
