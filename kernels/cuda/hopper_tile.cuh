// What the kernels for Hopper share: tiles of a matrix in shared memory by TMA, and the pipeline between the warpgroup
// that loads and those that multiply.
//
// A block has 384 threads. The first warpgroup loads: it needs few registers and gives the rest away. The other two
// multiply, 64 rows of the tile each. A stage of the pipeline is full when its bytes have come, and empty when both of
// them have said that their products are done with it.
//
// A tile in shared memory is in parts of 64 columns, a row of a part 128 bytes, swizzled, as TMA lays it down and wgmma
// reads it.
#ifndef KERNELS_CUDA_HOPPER_TILE_CUH
#define KERNELS_CUDA_HOPPER_TILE_CUH

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/ptx_hopper.cuh"

namespace PRECISION
{

enum {
    HOPPER_ROWS = 128,    // of a tile, two warpgroups'
    HOPPER_THREADS = 384, // of a block
    MULTIPLIERS = 256,    // of them
    PART_COLUMNS = 64,
    PART_BYTES = HOPPER_ROWS * PART_COLUMNS * 2
};

// Barriers with numbers; MINE + w: of multiplying warpgroup w
enum { TURN = 1, OTHER_TURN = 2, TAIL_IS_ZERO = 3, PRODUCERS = 4, MINE = 5 };

// Where a pipeline of STAGES stages stands, and in which parity of its barriers
template <int STAGES> struct Stage {
    int number, parity;
    __device__ inline void advance()
    {
        if (++number == STAGES) {
            number = 0;
            parity ^= 1;
        }
    }
};

// The number of the next tile of `tiles`, or -1, for all `threads` that load, once the block is done with the operands
// of the last one (its barrier `empty`). It comes from a counter in global memory, so that no block is left with more
// than one tile when the others have none; the last block to find none makes the counter zero again. Launches that
// share a counter follow each other: they are in one stream.
__device__ inline int next_number(int number[2], int *counter, int tiles, uint32_t empty, int parity, int threads)
{
    mbarrier_wait(empty, parity ^ 1);
    if (threadIdx.x == 0) { // to the place where nobody reads the last one
        int drawn = atomicAdd(counter, 1);
        if (drawn == tiles + (int)gridDim.x - 1)
            atomicExch(counter, 0);
        number[parity] = drawn < tiles ? drawn : -1;
    }
    __syncwarp();
    barrier_sync(PRODUCERS, threads);
    return number[parity];
}

const int64_t ANY_ROWS = (int64_t)1 << 31; // of pages, which know their number themselves

// A tensor (rows, heads, width) as TMA knows it, by boxes of (box_rows, box_heads, 64); a matrix (rows, columns), by
// boxes of (box_rows, 64). Rows are `pitch` elements apart. What the driver does not like goes to device_check.
void describe_tensor(CUtensorMap *map, const element *start, int64_t rows, int64_t heads, int64_t width, int64_t pitch,
                     int box_rows, int box_heads);

// Rows of pages: boxes of KEY_BLOCK rows and 64 columns, which lie in a page as a tile does.
void describe_pages(CUtensorMap *map, const element *start, int64_t width);

void describe_matrix(CUtensorMap *map, const element *start, int64_t rows, int64_t columns, int64_t pitch,
                     int box_rows);

// launch (device.cuh) in clusters of so many blocks, one beside the other
template <typename... Parameters, typename... Arguments>
static void launch_clusters(Stream *s, int cluster, dim3 grid, dim3 block, size_t shared, void (*kernel)(Parameters...),
                            Arguments... arguments)
{
#if defined(__CUDACC__)
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = (unsigned)cluster, attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid, config.blockDim = block, config.dynamicSmemBytes = shared, config.stream = stream_of(s);
    config.attrs = &attribute, config.numAttrs = 1;
    device_check(cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared),
                 "shared memory of a kernel");
    device_check(cudaLaunchKernelEx(&config, kernel, (Parameters)arguments...), "launching a kernel in clusters");
#else
    simt_launch(
        grid, block, shared, [=] { kernel((Parameters)arguments...); }, stream_of(s), cluster);
#endif
}

// Dynamic shared memory, on 1,024 bytes, which the swizzle asks for
#if defined(__CUDACC__)
__device__ inline unsigned char *dynamic_shared_tiles()
{
    extern __shared__ __align__(1024) unsigned char dynamic_shared_tile_memory[];
    if (shared_address(dynamic_shared_tile_memory) % 1024 != 0)
        __trap(); // the swizzle would be another one
    return dynamic_shared_tile_memory;
}
#else
inline unsigned char *dynamic_shared_tiles() { return (unsigned char *)simt_dynamic_shared(); }
#endif

} // namespace PRECISION

#endif
