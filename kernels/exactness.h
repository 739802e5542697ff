// The constants that bits depend on, in one place. Changing one of them changes the bits of every run, and nothing
// else: they are part of what a row, a gradient and a norm are, and never follow from threads, memory or machines.
#ifndef KERNELS_EXACTNESS_H
#define KERNELS_EXACTNESS_H

enum {
    KEY_BLOCK = 128,          // keys per step of the online softmax, counted from position 0; also a KV page
    KEY_SEGMENT = 1024,       // positions whose partial softmax is finished before it is merged, ascending
    LOGSUMEXP_COLUMNS = 1024, // vocabulary columns per block of a row's logsumexp
    HEAD_COLUMNS = 2048,      // vocabulary columns per finished chain of the head's input gradient
    HEAD_ROWS = 4096,         // rows per finished chain of the head's weight gradient
    NORM_ROWS = 32,           // rows per chain of a sum over rows: the gradient of a norm's weight, or of a bias
    NORM_GROUPS = 32,         // such chains per chain of these
    SQUARES_BLOCK = 4096      // elements per partial sum of the global gradient norm
};

#endif
