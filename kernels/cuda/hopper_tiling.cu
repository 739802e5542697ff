// Which tiles a product for Hopper is made of. A block makes one after another, and all blocks the same number of them,
// but for those that find none in the last round; so the time goes with the rounds and the size of a tile, and what the
// ends of the result leave of the tiles there is lost. At equal times 128 x 256, whose outputs want fewer bytes of
// shared memory for each step of k; and pairs, which read a common operand once, where there is a neighbour at all.
#include "kernels/cuda/hopper_product.h"

// In outputs that a block makes one after the other; negative: not these tiles
static int64_t time_of(int64_t m, int64_t n, HopperTiling tiling, int multiprocessors)
{
    int64_t rows = tiling.tall ? 256 : 128, columns = tiling.tall ? 160 : 256, blocks = tiling.pairs ? 2 : 1;
    bool lonely = tiling.tall ? n <= columns : m <= rows;
    if (tiling.pairs && (lonely || multiprocessors < 2))
        return -1;
    int64_t down = ceil_divide(m, tiling.tall ? rows : rows * blocks);
    int64_t across = ceil_divide(n, tiling.tall ? columns * blocks : columns);
    return ceil_divide(down * across, multiprocessors / blocks) * rows * columns;
}

HopperTiling hopper_tiling(int64_t m, int64_t n, int multiprocessors)
{
    const HopperTiling all[] = {{false, true}, {false, false}, {true, true}, {true, false}};
    HopperTiling best = all[1];
    int64_t least = -1;
    for (HopperTiling tiling : all) {
        int64_t time = time_of(m, n, tiling, multiprocessors);
        if (time >= 0 && (least < 0 || time < least))
            best = tiling, least = time;
    }
    return best;
}
