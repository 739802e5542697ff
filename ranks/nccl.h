// NCCL, which moves memory of GPUs between the ranks of a communicator: libnccl.so.2, opened at run time, by its C
// interface alone. Its communicator does not block: every call is asked after until it is done, or until the
// watch has found a rank that does not get on; then, or on an error, it is aborted, and so is everything of it that is
// in flight. Which memory, in
// which order beside kernels, and when it is there, is sharded/link.h's.
//
// Its id is made by rank 0 and sent by comm_broadcast; NCCL itself reads NCCL_COMM_ID, NCCL_SOCKET_IFNAME, NCCL_DEBUG.
#ifndef RANKS_NCCL_H
#define RANKS_NCCL_H

#include "ranks/communicator.h"

typedef struct Nccl Nccl;

enum { NCCL_OLDEST = 21801 }; // 2.18.1: what came with CUDA 12.1

// Of the library that is here, as it counts (22809: 2.28.9). False after fail(): there is none, or one that is too old.
bool nccl_version(int *version);

// All ranks call it, each with its device chosen; all have the same version. NULL after fail().
Nccl *nccl_open(Communicator *ranks);
void nccl_close(Nccl *nccl); // behind an error: aborts

// stream: a cudaStream_t, on which it is queued. Pieces are memory of the device. False after fail(), of `what`.
// all_to_all: as comm_all_to_all, but this rank's own piece stays where it is. all_gather: as comm_all_gather,
// and the rank's own piece is at `own` before it.
bool nccl_all_to_all(Nccl *nccl, const char *what, void *stream, const Piece *send, const Piece *receive);
bool nccl_all_gather(Nccl *nccl, const char *what, void *stream, const Piece *pieces, const void *own);

// For who waits for what was queued, which is called `what`: false after fail() when NCCL has an error, or a rank has
// ended, failed or does not get on (ranks/watch.h). Then everything is aborted, and the communicator of the ranks fails
// too.
bool nccl_goes_on(Nccl *nccl, const char *what);

#endif
