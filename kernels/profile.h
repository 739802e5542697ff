// Where the time of a step goes, operation by operation. The profiled table has a backend's functions, with an event
// before and behind each that queues work. Between profile_begin and profile_end they are recorded, and nothing waits
// for them: they are read at the end. Where nobody has called profile_prepare, kernels_open gives the backend's own
// table, and none of this costs anything.
//
// On a GPU an operation is what its stream does between the two events, which includes the wait for its launch where
// the host is behind, and the choice of a library's algorithm at a first product. What runs on a stream beside the
// default one counts in full, so that the sum may exceed the time by the clock. A graph is one operation, whatever was
// taken down for it. Only calls by the thread that has begun are counted.
#ifndef KERNELS_PROFILE_H
#define KERNELS_PROFILE_H

#include "kernels/kernels.h"

typedef struct ProfileRow { // of an operation; of products and attention one for each shape
    const char *operation;
    int64_t n, k; // a product's: of the weight (N, K); attention's: H, D, but 0 in pages; 0: all shapes are one
    bool adds;    // to the old value
    int64_t calls;
    double seconds, of_operation; // of_operation: of all its shapes
    double flops;                 // multiplications and additions; 0: not counted. Attention's: at least so many
} ProfileRow;

typedef struct Profile {
    ProfileRow *rows; // the longest operation first; then its longest shape
    size_t count, capacity;
    double kernels, seconds; // of all operations; from begin to end, by the clock
} Profile;

void profile_prepare(void);                           // before kernels_open
const Kernels *profile_table(const Kernels *kernels); // for kernels_open; NULL stays NULL

bool profile_begin(void);           // when what is queued is done. False after fail()
bool profile_end(Profile *profile); // likewise; profile_free it in any case
void profile_free(Profile *profile);

#endif
