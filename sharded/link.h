// Memory of devices from rank to rank, beside what the devices compute: by NCCL, on a stream of its own. A transfer is
// one or more operations and kernels that belong together:
//
//     link_begin(&link, &transfer, "the gradients of layer 3");  // behind all that the default stream has so far
//     TRY(link_all_to_all(&link, send, receive));                // queued; nothing is waited for
//     kernels->accumulate(link.stream, ...);                     // behind it
//     link_end(&link, &transfer);
//     ...                                                        // the default stream goes on with other memory
//     TRY(link_wait(&link, &transfer));                          // now what it read may be written, what it wrote read
//
// The default stream never waits for another rank: the host does, in link_wait, which asks NCCL and the connections of
// the ranks meanwhile, so that a rank that stands still or has ended is an error and no hang. Transfers are done in the
// order in which they began. All ranks begin the same ones, in the same order.
//
// Where NCCL cannot be had `open` is false, and the communicator's own operations, through memory of the host, are what
// is left. The environment's DEREASON_LINK says otherwise: host, even where NCCL is; nccl, or an error; auto.
#ifndef SHARDED_LINK_H
#define SHARDED_LINK_H

#include "kernels/kernels.h"
#include "ranks/nccl.h"

enum { TRANSFER_NAME = 64 };

typedef struct Transfer {
    Event *done; // NULL: never begun
    char what[TRANSFER_NAME];
    bool in_flight;
} Transfer;

typedef struct DeviceLink {
    bool open;
    const Kernels *kernels;
    Nccl *nccl;
    Stream *stream;
    Event *behind;    // of the default stream
    const char *what; // of the transfer that has begun last
} DeviceLink;

// All ranks call it, also with kernels of a CPU, where it is never open. Two ranks on one GPU are refused, unless each
// has another NCCL_HOSTID. What was chosen, and why, is then in ranks->between.
bool link_open(DeviceLink *link, const Kernels *kernels, Communicator *ranks);
void link_close(DeviceLink *link, Transfer *transfers,
                int count); // (count) all that it has had; behind an error: given up

// False after fail(), which names the transfer. Begin waits for the transfer's last use.
bool link_begin(DeviceLink *link, Transfer *transfer, const char *what, ...) PRINTF_LIKE(3, 4);
bool link_all_to_all(DeviceLink *link, const Piece *send,
                     const Piece *receive); // this rank's own piece stays where it is
// pieces (size): piece i is rank i's; this rank's lies at `own`, which may be its place.
bool link_all_gather(DeviceLink *link, const Piece *pieces, const void *own);
void link_end(DeviceLink *link, Transfer *transfer);
bool link_wait(DeviceLink *link, Transfer *transfer); // at once where it is not in flight

#endif
