// What decoding over pages is cut into, where a backend's kernel takes pieces of work one after another: a list that
// the host makes once a pass, for all layers, the longest pieces first, so that whoever takes the last ones is soon
// done with them. It changes no bit.
#ifndef KERNELS_DECODE_PIECES_H
#define KERNELS_DECODE_PIECES_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DECODE_ROWS = 16 }; // of a piece that a sequence reads for itself; twice that of one that several read together

// How many elements a list has at most: of S sequences with so many positions, `group` heads to a kv head.
int64_t decode_pieces_most(int64_t sequences, int64_t positions, int64_t group);

// Makes the list for a batch whose arrays lie on the host (starts, contexts, shared_pages and shared_until are read),
// and returns how many elements it has.
int64_t decode_pieces(DecodePiece *list, const Attention *batch);

#ifdef __cplusplus
}
#endif
#endif
