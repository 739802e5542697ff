// What the runtime's own sources share: fibers, the running block with its threads and warps, the device's memory, the
// race check, faults. A kernel sees none of this; its side is simt.h. Everything runs on one thread of the operating
// system.
#ifndef SIMT_RUNTIME_H
#define SIMT_RUNTIME_H

#include "cuda_runtime.h"
#include <string>
#include <vector>

namespace simt
{

enum { WARP = 32, MAX_THREADS = 1024, MAX_WARPS = MAX_THREADS / WARP, NAMED_BARRIERS = 16 };
enum { MAX_CLUSTER = 8 };                                      // blocks
enum { MAX_SHARED = 227 << 10, MAX_STATIC_SHARED = 48 << 10 }; // bytes for one block on Hopper

// ---- fiber.cc

struct Fiber {
    void *position; // where its registers lie while it does not run
    void *stack;    // the lowest address; the host's own is known to AddressSanitizer alone, which alone needs it
    size_t bytes;
    void *fake_stack; // AddressSanitizer's
};

extern const char *stacks_start, *stacks_end; // all fibers' stacks lie between them

void fiber_start(Fiber *fiber, int number,
                 void (*entry)()); // on stack `number`; entry never returns, and is the same for all
void fiber_switch(Fiber *from, Fiber *to);

// ---- block.cc: the blocks that run at a time: a cluster's, most often one

// What lanes of a warp do together; the shuffles in the order of SimtShuffle
enum class Operation {
    BARRIER,
    SHUFFLE_FROM,
    SHUFFLE_UP,
    SHUFFLE_DOWN,
    SHUFFLE_XOR,
    VOTE,
    NAMED_BARRIER,
    LDMATRIX,
    LDMATRIX_TRANS,
    STMATRIX,
    MMA_BF16,
    MMA_FP32,
    WGMMA,
    WGMMA_FENCE,
    WGMMA_COMMIT,
    WGMMA_WAIT,
    REGISTERS,
    CLUSTER_ARRIVE
};

enum class Wait {
    NOTHING,
    BLOCK_BARRIER,
    NAMED_BARRIER,
    WARP_OPERATION,
    MBARRIER,
    WARPGROUP,
    REGISTERS,
    CLUSTER,
    RETURNED
};

struct Copy { // an asynchronous one that is not made yet
    char *to;
    const char *from; // NULL: zeros
    int64_t group;
    const void *caller;
};

struct Warp;

struct Thread {
    Fiber fiber;
    bool started; // the fiber
    uint3 index;
    int number, lane; // among all that run; in its warp
    int rank;         // of its block in the cluster
    Warp *warp;
    Wait wait; // for what, and where:
    Operation operation;
    uint32_t mask;
    int barrier;
    uint32_t mbarrier; // its shared address, with the rank
    int64_t arrived;   // at the cluster's barrier, which had opened so often then; -1: it has not
    const void *caller;
    std::vector<Copy> copies;
    int64_t groups; // of copies, committed
    bool early;     // it does not know that the kernels in front of this one have ended
};

// Lanes that have come to one operation and wait for the rest of the mask
struct Group {
    uint32_t mask, arrived;
    Operation operation;
};

struct Warp {
    Thread *lanes; // 32 of block.thread
    int number;
    uint32_t existing, returned;
    void *arguments[WARP]; // each lane's, while it waits
    int groups;
    Group group[WARP];
};

struct Member { // a block of the cluster
    uint3 index;
    int returned, at_barrier; // of its threads
    bool waited;              // one of its threads, for the kernels in front of an early launch
};

struct Block { // threads and warps of a cluster's blocks have their numbers one block after the other
    dim3 grid, size;
    int64_t launch;               // counted from 1
    int blocks, each;             // of the cluster; threads of each
    int threads, warps, returned; // of all
    Member member[MAX_CLUSTER];
    bool early; // the launch
    Thread thread[MAX_THREADS];
    Warp warp[MAX_WARPS];
};

extern Block block;
extern Thread *current; // NULL: the host runs

// ---- schedule.cc

void schedule_seed_launch(int64_t launch);
uint64_t random_below(uint64_t limit);
void wake(Thread *thread);              // it can run, and will in its turn
void wake_all_of(int first, int count); // threads, none of which is in the queue
void wake_lanes(Warp *warp, uint32_t lanes);
void run_others(); // until this thread is woken; it has said in `wait` what for
void run_block();  // all of its threads, until they have returned or a fault was met

// ---- barrier.cc, warp.cc

void named_barriers_begin();

// Waits until all lanes of the mask are there; the last one does the work for all of them. `argument` is the lane's
// own, on its stack; finish reads and writes warp->arguments.
typedef void (*Finish)(Warp *warp, uint32_t lanes, Operation operation);
void together(Operation operation, uint32_t mask, void *argument, Finish finish, const void *caller);
const char *operation_name(Operation operation);

// ---- copy.cc

void copy_check_returned(); // the running thread returns

// ---- mbarrier.cc, bulk.cc, wgmma.cc, registers.cc, proxy.cc: what a warpgroup does asynchronously

void mbarriers_begin(); // a block begins
void bulk_begin();
void wgmma_begin();
void registers_begin();
void proxy_begin();

void mbarriers_check_block_end(int rank);
void mbarrier_complete(uint32_t address, int64_t bytes, const Thread *asker);
void mbarrier_arrive_from(uint32_t address, const Thread *thread, const uint32_t knows[MAX_WARPS], const void *caller);
void mbarrier_check(uint32_t address, const char *what, const void *caller); // that there is one
void mbarrier_check_fenced(uint32_t address, const char *what, const void *caller);
std::string mbarriers_text(); // a line for each

size_t bulk_waiting(); // loads that were asked for and are not made
void bulk_make_one();
void bulk_check_returned(); // the running thread returns
void bulk_check_block_end(int rank);
void wgmma_check_returned();
void wgmma_check_unused(const void *to, size_t bytes, const char *what, const void *caller);

void proxy_written(const Thread *thread, const void *p, size_t bytes); // by the generic proxy
void proxy_check(const void *p, size_t bytes, const char *what, const void *caller);

// ---- cluster.cc

void cluster_begin();
size_t cluster_waiting(); // arrivals at other blocks' barriers that are not made
void cluster_make_one();
void cluster_open_if_all_are_there(); // its barrier: a thread has returned
void cluster_check_returned();        // the running thread returns
void cluster_check_block_end(int rank);

// ---- memory.cc

extern char *memory_start; // of the one range of addresses that all of the device's memory lies in: shared memory below
enum : size_t { SHARED_ADDRESSES = (size_t)1 << 32, MEMORY_ADDRESSES = (size_t)1 << 39 };

inline bool is_shared(const void *p) { return (uintptr_t)p - (uintptr_t)memory_start < SHARED_ADDRESSES; }
inline bool is_of_device(const void *p)
{
    return (uintptr_t)p - (uintptr_t)memory_start < MEMORY_ADDRESSES;
} // both kinds

bool is_device_memory(const void *p, size_t bytes);
void *device_memory(size_t bytes); // NULL: there is no more
bool device_memory_free(void *p);  // false: it is not the start of a piece of device memory
size_t device_memory_unused();
size_t device_memory_total();
void device_memory_open(bool open);          // to the host, with SIMT_PROTECT
const char *describe_address(const void *p); // "byte 60 of the 64 bytes of ..."

// Dynamic shared memory has the addresses from SHARED_BASE on, as on Hopper, where the first KiB is the system's. So a
// thread knows its own block's; with a rank, from 1 on, in the upper byte they are those of that block of the cluster.
enum { SHARED_BASE = 1024, RANK_SHIFT = 24, RANK_BYTES = 256 << 10 };
int64_t shared_offset(const void *p); // in dynamic shared memory, a block's RANK_BYTES apart; -1: not there
void *shared_pointer(uint32_t address, size_t bytes, const char *what, const void *caller);
uint32_t shared_with_rank(uint32_t address, int rank); // of the block `rank`, unless it names one
inline int rank_of_address(uint32_t address) { return (int)(address >> RANK_SHIFT) - 1; }
const char *shared_text(uint32_t address); // for people

void shared_open(size_t dynamic_bytes); // a launch begins; a block begins; the launch has ended
void shared_poison();
void shared_close();

// ---- count.cc

extern bool counting;
void count_access(const Thread *thread, const void *p, size_t bytes, bool writes, const void *caller);
void count_product(); // by a warp
void count_block_end();

// ---- race.cc

enum class Access { READ, WRITE, ATOMIC };

extern bool races_checked; // whether the kernels are compiled for it
void race_launch(bool early);
void race_block();
void race_block_barrier(int rank);
void race_warp_barrier(const Warp *warp, uint32_t lanes);
void race_barrier_arrives(int id, int warp);
void race_barrier_opens(int id, uint32_t waiting_warps);
void race_mbarrier_arrives(uint32_t knows[MAX_WARPS], int warp); // knows: the barrier's
void race_mbarrier_passes(const uint32_t knows[MAX_WARPS], int warp);
void race_learns(uint32_t knows[MAX_WARPS], const uint32_t more[MAX_WARPS]);
void race_snapshot(uint32_t knows[MAX_WARPS], int warp); // what the warp knows now
// A warp has done something to the shared memory of another block, or to its barriers, now; and a warp of which that
// block's end is not known to come later, or -1.
void race_touches(int rank, int warp);
int race_touched_at_end(int rank);
void race_access(const Thread *thread, const void *p, size_t bytes, Access access, const void *caller);

// Of a signal: if it was race.cc that failed, puts the kernel's access in its place.
bool race_where(const void **address, const void **caller);

bool race_memory_taken(size_t offset, size_t bytes); // whole pages of memory.cc's range; false: no memory for the notes
void race_memory_forbidden(size_t start, size_t end);
void race_memory_freed(size_t offset, size_t bytes);

// ---- device.cc, stream.cc

cudaError_t result(cudaError_t error); // what a call returns, and cudaGetLastError later
cudaError_t driver_state();
bool is_pinned(const void *p, size_t bytes); // memory of cudaMallocHost
cudaError_t copy_now(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t set_now(void *p, int value, size_t bytes);
void finish_work(); // everything that is queued

// ---- fault.cc

extern Fiber main_fiber; // the host's

[[noreturn]] void fault(const char *format, ...) __attribute__((format(printf, 1, 2))); // in a kernel
bool host_fault(const char *format, ...) __attribute__((format(printf, 1, 2))); // returns false if it was expected
bool faulted(); // an expected fault was met: nothing runs any more
void catch_bad_addresses();
const char *keep(const std::string &text);   // for ever: an abandoned fiber frees nothing
const char *place(const void *caller);       // " at file.cu:12", or "" where that is not known
const char *lanes_text(uint32_t lanes);      // "0-15,31"
const char *thread_text(int number);         // "thread (5,0,0)"
std::string rank_text(const Thread *thread); // " of block 1 of the cluster", "" where it is alone
const char *environment(const char *name, const char *otherwise);

} // namespace simt

#endif
