// One product of a tensor core: of what mma.sync gives to a warp, and a part of what wgmma gives to four.
#ifndef SIMT_PRODUCT_H
#define SIMT_PRODUCT_H

#include <stdint.h>

namespace simt
{

enum { ROWS = 16, DEPTH = 16, COLUMNS = 8 };

template <typename T> struct Matrices { // c (16, 8) += a (16, 16) · b (16, 8)
    T a[ROWS][DEPTH];
    alignas(64) T b[DEPTH][COLUMNS];
    alignas(64) float c[ROWS][COLUMNS];
};
typedef Matrices<uint16_t> MatricesOfBf16;
typedef Matrices<float> MatricesOfFloat;

void product_of_bf16(MatricesOfBf16 *m);    // as SIMT_MMA says: fast or exact
void product_of_floats(MatricesOfFloat *m); // chains of fused multiply-adds, k ascending

} // namespace simt

#endif
