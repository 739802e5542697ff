// A library of matrix products, as matmul_library.cu sees one: algorithms that it offers, and a way to run them. Which
// of them make products is decided there. cuBLASLt is one (matmul_cublaslt.cu), and tests have their own.
#ifndef KERNELS_CUDA_LIBRARY_H
#define KERNELS_CUDA_LIBRARY_H

#include "kernels/cuda/operations.h"

typedef struct Algorithm {
    uint64_t words[8]; // the library's own; equal words: the same algorithm
} Algorithm;

typedef struct ProductLibrary {
    const char *name;
    int version;
    // Algorithms for this product, the one first that the library would take: without memory of their own, and with one
    // chain for each output, as far as it says. How many; they may be as many as `most`.
    int (*offers)(const Product *p, Algorithm *list, int most);
    // Any shape, whatever shape it was offered for. False: it does not take this one; nothing was done.
    bool (*run)(Stream *s, const Product *p, const Algorithm *algorithm);
} ProductLibrary;

namespace PRECISION
{

const ProductLibrary *cublaslt_open(void); // NULL after fail()

// From here on products may be this library's (NULL: none is). What was decided before is forgotten, and what is known
// about this machine is read. unchecked: every product is its first offer.
void product_use(const ProductLibrary *library, bool unchecked);

// ---- matmul_trial.cu; not while a graph is taken down

// Whether an algorithm gives the bits of our own product, at products of this one's kind: *same. False: no memory left.
bool library_obeys(Stream *s, const ProductLibrary *library, const Product *p, const Algorithm *algorithm, bool *same);

// Ours (product_ours) and the library's in turns, on the product's own operands; theirs may have longer chains. A
// result to which nothing is added is written where it belongs, each time with the same bits; another one elsewhere.
// The shortest times of either. False: there is no memory for that, or the library refuses.
bool library_race(Stream *s, const ProductLibrary *library, const Product *ours, const Product *theirs,
                  const Algorithm *algorithm, double *ours_seconds, double *library_seconds);

} // namespace PRECISION

#endif
