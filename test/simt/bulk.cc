// Bulk copies between shared and global memory, of a piece or of a box of a tensor (TMA), as late as the program
// allows. A load's target becomes NaN when the load is asked for; it is made when no thread can go on without it, in
// an order drawn from the seed, or, in every other launch, now and then before. A store reads its source in the wait
// that says it has been read, where it must still be what it was, and is made in the wait for its end, or at the end
// of the block.
#include "bulk.h"
#include "runtime.h"
#include <algorithm>
#include <cuda.h>

namespace simt
{

struct Load {
    char *to; // shared
    const char *from;
    size_t bytes;
    bool is_box;
    CUtensorMap map; // of a box, which is
    int64_t at[3];
    uint32_t barrier; // with its block's rank
    bool counts;      // as an access to memory: of a load for several blocks the first
    Thread *asker;
    bool early; // was asked for by a thread that had not waited for the kernels in front
    const void *caller;
};

struct Store {
    char *to;
    const char *from; // shared
    std::vector<char> contents;
    int64_t group;
    bool read;
    const void *caller;
};

static std::vector<Load> loads; // asked for and not made
static std::vector<Store> stores[MAX_THREADS];
static int64_t groups[MAX_THREADS]; // committed

void bulk_begin()
{
    loads.clear();
    for (int i = 0; i < block.threads; i++)
        stores[i].clear(), groups[i] = 0;
}

bool overlaps(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return (const char *)a < (const char *)b + b_bytes && (const char *)b < (const char *)a + a_bytes;
}

// ---- loads

// A row of the box, of which `inside` bytes are in the tensor; the rest is zeros.
static void copy_row(char *to, const char *from, size_t bytes, size_t inside, const Load *load)
{
    if (inside > 0)
        race_access(load->asker, from, inside, Access::READ, load->caller);
    if (inside > 0 && counting && load->counts)
        count_access(load->asker, from, inside, false, load->caller);
    for (size_t i = 0; i < bytes; i += 16) {
        size_t live = std::min<size_t>(inside > i ? inside - i : 0, 16);
        char *place = load->map.swizzles ? swizzled(to + i) : to + i;
        memset(place, 0, 16);
        memcpy(place, from + i, live);
    }
}

static void copy_box(const Load *load)
{
    const CUtensorMap *map = &load->map;
    int64_t left = (int64_t)map->size[0] - load->at[0];
    size_t bytes = map->box[0] * 2, columns = left <= 0 ? 0 : std::min<size_t>((size_t)left * 2, bytes);
    char *to = load->to;
    for (uint32_t z = 0; z < map->box[2]; z++)
        for (uint32_t y = 0; y < map->box[1]; y++, to += bytes) {
            int64_t row[2] = {load->at[1] + y, load->at[2] + z};
            bool inside =
                row[0] >= 0 && row[0] < (int64_t)map->size[1] && row[1] >= 0 && row[1] < (int64_t)map->size[2];
            const char *from = (const char *)map->start + load->at[0] * 2 + row[0] * (int64_t)map->stride[0] +
                               row[1] * (int64_t)map->stride[1];
            copy_row(to, from, bytes, inside ? columns : 0, load);
        }
}

static void make(const Load *load)
{
    bool early = load->asker->early;
    load->asker->early = load->early;
    race_access(load->asker, load->to, load->bytes, Access::WRITE, load->caller);
    if (load->is_box) {
        copy_box(load);
    } else {
        race_access(load->asker, load->from, load->bytes, Access::READ, load->caller);
        if (counting)
            count_access(load->asker, load->from, load->bytes, false, load->caller);
        memcpy(load->to, load->from, load->bytes);
    }
    load->asker->early = early;
    mbarrier_complete(load->barrier, (int64_t)load->bytes, load->asker);
}

size_t bulk_waiting() { return loads.size(); }

void bulk_make_one()
{
    size_t drawn = random_below(loads.size());
    Load load = loads[drawn];
    loads.erase(loads.begin() + (long)drawn);
    make(&load);
}

static void ask(const Load &load, const char *what)
{
    mbarrier_check_fenced(load.barrier, what, load.caller);
    proxy_check(load.to, load.bytes, what, load.caller);
    wgmma_check_unused(load.to, load.bytes, what, load.caller);
    for (const Load &other : loads)
        if (overlaps(load.to, load.bytes, other.to, other.bytes))
            fault("%s%s to %s, where another one is still to come%s", what, place(load.caller),
                  describe_address(load.to), place(other.caller));
    for (int i = 0; i < block.threads; i++)
        for (const Store &store : stores[i])
            if (!store.read && overlaps(load.to, load.bytes, store.from, store.contents.size()))
                fault("%s%s to %s, which a store has still to read%s", what, place(load.caller),
                      describe_address(load.to), place(store.caller));
    race_access(load.asker, load.to, load.bytes, Access::WRITE, load.caller);
    memset(load.to, 0xFF, load.bytes);
    loads.push_back(load);
}

// ---- what a tensor is

static bool is_legal(int dimensions, const void *start, const cuuint64_t *sizes, const cuuint64_t *strides,
                     const cuuint32_t *box, const cuuint32_t *steps)
{
    bool legal = dimensions == 3 && (uintptr_t)start % 16 == 0 && box[0] * 2 == 128;
    for (int i = 0; legal && i < 3; i++)
        legal = sizes[i] >= 1 && sizes[i] <= (uint64_t)1 << 32 && box[i] >= 1 && box[i] <= 256 && steps[i] == 1 &&
                (i == 2 || (strides[i] % 16 == 0 && strides[i] < (uint64_t)1 << 40));
    return legal;
}

// ---- stores

static void check_source(Store *store)
{
    race_access(current, store->from, store->contents.size(), Access::READ, store->caller);
    if (memcmp(store->from, store->contents.data(), store->contents.size()) != 0)
        fault("a bulk store%s: its source was changed before it was waited for", place(store->caller));
    store->read = true;
}

static void make(const Store *store)
{
    race_access(current, store->to, store->contents.size(), Access::WRITE, store->caller);
    if (counting)
        count_access(current, store->to, store->contents.size(), true, store->caller);
    memcpy(store->to, store->contents.data(), store->contents.size());
}

static void wait_for_stores(int pending, bool only_read)
{
    std::vector<Store> *mine = &stores[current->number];
    size_t made = 0;
    for (Store &store : *mine) {
        if (store.group >= groups[current->number] - pending)
            break;
        if (!store.read)
            check_source(&store);
        if (!only_read)
            make(&store), made++;
    }
    mine->erase(mine->begin(), mine->begin() + (long)made);
}

void bulk_check_returned()
{
    for (const Store &store : stores[current->number])
        if (!store.read)
            fault("the thread returns before a wait for the bulk store%s", place(store.caller));
    for (const Store &store : stores[current->number])
        make(&store);
    stores[current->number].clear();
}

void bulk_check_block_end(int rank)
{
    for (const Load &load : loads)
        if (load.asker->rank == rank || rank_of_address(load.barrier) == rank)
            fault("the block ends while an asynchronous load%s is under way", place(load.caller));
}

static char *piece(uint32_t shared, const void *global, size_t bytes, const char *what, const void *caller)
{
    if (shared % 16 != 0 || (uintptr_t)global % 16 != 0 || bytes % 16 != 0 || bytes == 0)
        fault("%s%s of %zu bytes between the shared address %u and %p: all have to be multiples of 16", what,
              place(caller), bytes, shared, global);
    return (char *)shared_pointer(shared, bytes, what, caller);
}

} // namespace simt

using namespace simt;

void simt_bulk_load(uint32_t shared, const void *global, int bytes, uint32_t barrier)
{
    const char *what = "cp.async.bulk";
    const void *caller = __builtin_return_address(0);
    char *to = piece(shared, global, (size_t)bytes, what, caller);
    barrier = shared_with_rank(barrier, current->rank);
    ask(Load{to, (const char *)global, (size_t)bytes, false, {}, {0}, barrier, true, current, current->early, caller},
        what);
}

// To the same place of each of these blocks, whose bytes come to the same place's barrier there, each at its own time
static void load_tensor(uint32_t shared, const void *tensor_map, uint32_t barrier, int x, int y, int z, uint32_t ranks,
                        const char *what, const void *caller)
{
    const CUtensorMap *map = (const CUtensorMap *)tensor_map;
    size_t bytes = (size_t)map->box[0] * map->box[1] * map->box[2] * 2;
    if (shared % 1024 != 0)
        fault("%s%s to the shared address %u, which is not a multiple of 1,024: its pattern would be another one", what,
              place(caller), shared);
    for (int rank = 0; rank < MAX_CLUSTER; rank++)
        if (ranks >> rank & 1) {
            char *to = (char *)shared_pointer(shared_with_rank(shared, rank), bytes, what, caller);
            bool counts = (ranks & ((1u << rank) - 1)) == 0;
            ask(Load{to,
                     NULL,
                     bytes,
                     true,
                     *map,
                     {x, y, z},
                     shared_with_rank(barrier, rank),
                     counts,
                     current,
                     current->early,
                     caller},
                what);
        }
}

void simt_tensor_load(uint32_t shared, const void *tensor_map, uint32_t barrier, int x, int y, int z)
{
    load_tensor(shared, tensor_map, barrier, x, y, z, 1u << current->rank, "cp.async.bulk.tensor",
                __builtin_return_address(0));
}

void simt_tensor_load_multicast(uint32_t shared, const void *tensor_map, uint32_t barrier, int x, int y, int z,
                                uint32_t ranks)
{
    const char *what = "cp.async.bulk.tensor.multicast";
    const void *caller = __builtin_return_address(0);
    if (ranks == 0 || ranks >> block.blocks != 0)
        fault("%s%s to blocks %x of a cluster of %d", what, place(caller), ranks, block.blocks);
    load_tensor(shared, tensor_map, barrier, x, y, z, ranks, what, caller);
}

void simt_bulk_store(void *global, uint32_t shared, int bytes)
{
    const char *what = "a bulk store";
    const void *caller = __builtin_return_address(0);
    const char *from = piece(shared, global, (size_t)bytes, what, caller);
    if (current->early)
        fault("%s%s before the thread has waited for the kernels in front (dependency_wait)", what, place(caller));
    proxy_check(from, (size_t)bytes, what, caller);
    race_access(current, from, (size_t)bytes, Access::READ, caller);
    stores[current->number].push_back(
        Store{(char *)global, from, std::vector<char>(from, from + bytes), groups[current->number], false, caller});
}

extern "C" CUresult cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t dimensions,
                                           void *start, const cuuint64_t *sizes, const cuuint64_t *strides,
                                           const cuuint32_t *box, const cuuint32_t *steps,
                                           CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                           CUtensorMapL2promotion, CUtensorMapFloatOOBfill)
{
    if (type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE ||
        (swizzle != CU_TENSOR_MAP_SWIZZLE_128B && swizzle != CU_TENSOR_MAP_SWIZZLE_NONE) ||
        !is_legal((int)dimensions, start, sizes, strides, box, steps))
        return CUDA_ERROR_INVALID_VALUE;
    *map = CUtensorMap{start,
                       {sizes[0], sizes[1], sizes[2]},
                       {strides[0], strides[1]},
                       {box[0], box[1], box[2]},
                       swizzle == CU_TENSOR_MAP_SWIZZLE_128B};
    return CUDA_SUCCESS;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult *result)
{
    bool known = strcmp(name, "cuTensorMapEncodeTiled") == 0;
    *function = known ? (void *)cuTensorMapEncodeTiled : NULL;
    *result = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}

void simt_bulk_commit(void) { groups[current->number]++; }
void simt_bulk_wait(int pending, bool only_read) { wait_for_stores(pending, only_read); }
