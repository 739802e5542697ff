// Which tiles a product for Hopper is made of. A block makes one after another, and all blocks the same number of them,
// but for those that find none in the last round; so the time goes with the rounds and the size of a tile, and what the
// ends of the result leave of the tiles there is lost. At equal times 128 x 256, whose outputs want fewer bytes of
// their operands for each step of k.
#include "kernels/cuda/hopper_product.h"

static int64_t time_of(int64_t m, int64_t n, int64_t rows, int64_t columns, int multiprocessors)
{
    int64_t tiles = ceil_divide(m, rows) * ceil_divide(n, columns);
    return ceil_divide(tiles, multiprocessors) * rows * columns;
}

HopperTiling hopper_tiling(int64_t m, int64_t n, int multiprocessors)
{
    return HopperTiling{time_of(m, n, 256, 160, multiprocessors) < time_of(m, n, 128, 256, multiprocessors)};
}
