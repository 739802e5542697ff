// The race check: finds two accesses to the same memory, at least one of them a write, that nothing orders. It does not
// wait for them to do harm: one run, in whatever order of threads, is as a rule enough, because what is compared is not
// when they happened but which barriers lie between.
//
// For every two bytes of the device's memory there is a cell of notes: who wrote last, and two of those who have read
// since. A note is a thread, a time and a line. Time is one counter that every barrier advances; so "ordered before me"
// is one comparison, between the time of the note and the time up to which I know of that thread:
//   a launch          orders everything before it; one that is early, only what the last one that was not so orders,
//                     until the thread has waited (simt_dependency_wait)
//   __syncthreads     all threads know of all, up to now
//   __syncwarp        the lanes of the mask know of each other, and what each of them knew
//   a named barrier   the warps that wait know of those that came, and what each of them knew; so do those that wait
//                     at an mbarrier, and at a cluster's barrier
// Shuffles, votes, ldmatrix and mma order nothing. This is FastTrack (Flanagan & Freund 2009) with vector clocks cut
// down to what barriers can say. Other blocks of the launch have run before, in time; nothing orders them, so their
// notes count as races, except between two atomic accesses, and except behind a __threadfence: what a flag or a counter
// may order is taken as ordered. Between launches atomic accesses are as any others: a thread that does not know that
// a kernel in front has ended does not know what that makes of a counter.
//
// It may miss (notes are few; single bytes are not noted, two of them share a cell); it does not invent.
#include "runtime.h"
#include <algorithm>
#include <stdio.h>
#include <sys/mman.h>

extern "C" const char __executable_start; // from the linker

namespace simt
{

bool races_checked;

// ---- notes: time, line, thread, and whether it was atomic, from the top

typedef uint64_t Note;
enum { TIME_SHIFT = 35, LINE_SHIFT = 11, LINE_BITS = 24, LAST_TIME = (1 << 29) - 1 };
static const Note FORBIDDEN = ~(Note)0; // no memory here: a bound

static uint32_t time_of(Note note) { return (uint32_t)(note >> TIME_SHIFT); }
static int thread_of(Note note) { return (int)(note >> 1 & 1023); }
static bool is_atomic(Note note) { return note & 1; }

// A line is the distance of its code from the program's start; what is farther away than 16 MB has none.
static Note line_note(const void *caller)
{
    uintptr_t distance = (uintptr_t)caller - (uintptr_t)&__executable_start;
    return distance >> LINE_BITS == 0 ? (Note)distance << LINE_SHIFT : 0;
}

static const void *line_of(Note note)
{
    uintptr_t distance = note >> LINE_SHIFT & ((1 << LINE_BITS) - 1);
    return distance == 0 ? NULL : &__executable_start + distance;
}

struct Cell {
    Note write;
    Note read, other_read; // the newest, and one more: if possible of another block, then of another warp
};

// ---- time, and who knows what up to when

static uint32_t now = 1;
static uint32_t launch_start, block_start;            // when these were; all before them is ordered
static uint32_t known_start;                          // of the last launch that was not early
static uint32_t block_barrier[MAX_CLUSTER];           // likewise, among the threads of a block
static uint32_t fence;                                // of this block
static uint32_t warp_knows_itself[MAX_WARPS];         // __syncwarp of all lanes
static uint32_t thread_knows_lane[MAX_THREADS][WARP]; // of some
static uint32_t warp_knows_warp[MAX_WARPS][MAX_WARPS];
static uint32_t barrier_knows_warp[MAX_CLUSTER * NAMED_BARRIERS][MAX_WARPS];
static uint32_t touched[MAX_CLUSTER][MAX_WARPS]; // when a warp of another block has last done something to this one

static bool checking() { return races_checked && now < LAST_TIME; } // a launch too long for the counter ends unchecked

static void advance()
{
    if (now < LAST_TIME)
        now++;
}

static void forget_everything();

void race_launch(bool early)
{
    if (now > LAST_TIME / 2)
        forget_everything();
    advance();
    launch_start = now;
    if (!early)
        known_start = now;
}

void race_block()
{
    advance();
    block_start = now;
    for (uint32_t &barrier : block_barrier)
        barrier = now;
    fence = launch_start;
    memset(touched, 0, sizeof touched);
    memset(barrier_knows_warp, 0, sizeof barrier_knows_warp);
}

static void join(uint32_t *knows, const uint32_t *other, int count)
{
    for (int i = 0; i < count; i++)
        knows[i] = std::max(knows[i], other[i]);
}

// In a cluster the block's warps also learn from each other what they know of those of other blocks.
void race_block_barrier(int rank)
{
    advance();
    block_barrier[rank] = now;
    if (block.blocks == 1)
        return;
    int first = rank * block.each / WARP, end = first + block.each / WARP;
    uint32_t all[MAX_WARPS] = {0};
    for (int warp = first; warp < end; warp++) {
        join(all, warp_knows_warp[warp], MAX_WARPS);
        all[warp] = now;
    }
    for (int warp = first; warp < end; warp++)
        join(warp_knows_warp[warp], all, MAX_WARPS);
}

void race_warp_barrier(const Warp *warp, uint32_t lanes)
{
    if (!checking())
        return;
    advance();
    if (lanes == warp->existing) {
        warp_knows_itself[warp->number] = now;
        return;
    }
    uint32_t all[WARP] = {0};
    for (int lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1) {
            join(all, thread_knows_lane[warp->lanes[lane].number], WARP);
            all[lane] = now;
        }
    for (int lane = 0; lane < WARP; lane++)
        if (lanes >> lane & 1)
            join(thread_knows_lane[warp->lanes[lane].number], all, WARP);
}

void race_barrier_arrives(int id, int warp)
{
    advance();
    join(barrier_knows_warp[id], warp_knows_warp[warp], MAX_WARPS);
    barrier_knows_warp[id][warp] = now;
}

void race_barrier_opens(int id, uint32_t waiting_warps)
{
    for (int warp = 0; warp < MAX_WARPS; warp++)
        if (waiting_warps >> warp & 1) {
            join(warp_knows_warp[warp], barrier_knows_warp[id], MAX_WARPS);
            warp_knows_itself[warp] = std::max(warp_knows_itself[warp], warp_knows_warp[warp][warp]);
        }
    memset(barrier_knows_warp[id], 0, sizeof barrier_knows_warp[id]);
}

// A single thread arrives for its warp, and one passes for its own: the barrier says nothing about the other lanes, and
// what orders them is not asked here.
void race_mbarrier_arrives(uint32_t knows[MAX_WARPS], int warp)
{
    advance();
    join(knows, warp_knows_warp[warp], MAX_WARPS);
    knows[warp] = now;
}

void race_mbarrier_passes(const uint32_t knows[MAX_WARPS], int warp)
{
    join(warp_knows_warp[warp], knows, MAX_WARPS);
    warp_knows_itself[warp] = std::max(warp_knows_itself[warp], warp_knows_warp[warp][warp]);
}

void race_learns(uint32_t knows[MAX_WARPS], const uint32_t more[MAX_WARPS]) { join(knows, more, MAX_WARPS); }

void race_snapshot(uint32_t knows[MAX_WARPS], int warp)
{
    memset(knows, 0, MAX_WARPS * sizeof *knows);
    race_mbarrier_arrives(knows, warp);
}

void race_touches(int rank, int warp) { touched[rank][warp] = now; }

int race_touched_at_end(int rank)
{
    int first = rank * block.each / WARP, end = first + block.each / WARP;
    for (int other = 0; other < block.warps; other++) {
        uint32_t known = 0;
        for (int warp = first; warp < end; warp++)
            known = std::max(known, warp_knows_warp[warp][other]);
        if (known < touched[rank][other])
            return other;
    }
    return -1;
}

void race_fence() { fence = now; }

// ---- the question

static bool of_another_block(Note note, bool shared)
{
    return !shared && time_of(note) >= launch_start && time_of(note) < block_start;
}

static bool is_ordered(Note note, const Thread *thread, bool shared)
{
    uint32_t time = time_of(note);
    if (time < block_start)
        return shared || time < (thread->early ? known_start : fence);
    int other = thread_of(note), warp = thread->number / WARP;
    if (other == thread->number)
        return true;
    if (other / block.each == thread->rank ? time < block_barrier[thread->rank] : !shared && time < fence)
        return true;
    if (other / WARP == warp)
        return time < warp_knows_itself[warp] || time < thread_knows_lane[thread->number][other % WARP];
    return time < warp_knows_warp[warp][other / WARP];
}

static bool is_race(Note old, Note mine, const Thread *thread, bool shared)
{
    bool of_this_launch = shared || time_of(old) >= launch_start;
    return !is_ordered(old, thread, shared) && !(is_atomic(old) && is_atomic(mine) && of_this_launch);
}

[[noreturn]] static void report(const char *p, Note old, bool old_writes, Note mine, bool writes)
{
    static const char *const verb[2] = {"reads", "writes"};
    bool other_block = time_of(old) < block_start, other_launch = time_of(old) < launch_start;
    fault("race on %s: the thread %s it%s%s; %s%s %s it%s%s, and no %s orders the two", describe_address(p),
          verb[writes], is_atomic(mine) ? " atomically" : "", place(line_of(mine)), thread_text(thread_of(old)),
          other_launch  ? " of a kernel in front of this one"
          : other_block ? " of another block"
                        : "",
          verb[old_writes], is_atomic(old) ? " atomically" : "", place(line_of(old)),
          other_launch ? "dependency_wait" : "barrier");
}

// ---- the notes

// All accesses to shared memory before it are ordered, whoever asks: in a cluster no barrier of a block says so.
static uint32_t all_know() { return block.blocks == 1 ? block_barrier[0] : block_start; }

// Whether `other_read` says more than the newest read would: it is kept then.
static bool keeps_other_read(const Cell *cell, Note mine, bool shared)
{
    if (time_of(cell->read) < all_know() && !of_another_block(cell->read, shared))
        return true; // the newest one is past
    if (of_another_block(cell->other_read, shared))
        return true;
    return time_of(cell->other_read) >= all_know() && thread_of(cell->read) / WARP == thread_of(mine) / WARP;
}

static void note_read(Cell *cell, Note mine, bool shared)
{
    bool same_thread = thread_of(cell->read) == thread_of(mine) && time_of(cell->read) >= block_start;
    if (!same_thread && !keeps_other_read(cell, mine, shared))
        cell->other_read = cell->read;
    cell->read = mine;
}

static void access_cell(Cell *cell, const char *p, const Thread *thread, Note mine, bool writes, bool shared)
{
    if (is_race(cell->write, mine, thread, shared))
        report(p, cell->write, true, mine, writes);
    if (!writes) {
        note_read(cell, mine, shared);
        return;
    }
    for (Note read : {cell->read, cell->other_read})
        if (is_race(read, mine, thread, shared))
            report(p, read, false, mine, writes);
    *cell = Cell{mine, 0, 0}; // who is ordered behind this write is ordered behind those reads
}

static bool are_equal(const Cell *a, const Cell *b)
{
    return a->write == b->write && a->read == b->read && a->other_read == b->other_read;
}

static Cell *cells; // of the whole range of addresses; memory for them only where the device has memory
static const void *asked_for, *asked_by; // the access that is looked at, for race_where

void race_access(const Thread *thread, const void *p, size_t bytes, Access access, const void *caller)
{
    if (!races_checked || !is_of_device(p))
        return;
    asked_for = p, asked_by = caller;
    size_t offset = (size_t)((const char *)p - memory_start);
    bool shared = is_shared(p), noted = bytes > 1 && now < LAST_TIME, writes = access != Access::READ;
    Note mine = (Note)now << TIME_SHIFT | line_note(caller) | (Note)thread->number << 1 | (access == Access::ATOMIC);
    uint32_t ordered = shared ? all_know() : thread->early ? known_start : launch_start; // all before that
    Note past = (Note)ordered << TIME_SHIFT;
    Cell was = {FORBIDDEN, 0, 0}, is = was; // of the cell before this one: neighbours mostly have the same notes
    for (size_t i = offset / 2; i <= (offset + bytes - 1) / 2; i++) {
        Cell *cell = &cells[i];
        const char *place_of_cell = memory_start + 2 * i;
        if (cell->write == FORBIDDEN)
            fault("an access%s to %s", place(caller), describe_address(place_of_cell));
        if (!noted)
            continue;
        if (!are_equal(cell, &was)) {
            is = was = *cell;
            if (was.write < past && was.read < past && was.other_read < past) // the usual case, quickly
                is = writes ? Cell{mine, 0, 0} : Cell{was.write, mine, 0};
            else
                access_cell(&is, place_of_cell, thread, mine, writes, shared);
        }
        *cell = is;
    }
}

// ---- memory for the notes: one page of memory has twelve pages of them

enum { PAGE = 4096, CELLS_OF_PAGE = PAGE / 2 * sizeof(Cell) };

static void *cells_of_pages(size_t offset) { return (char *)cells + offset / PAGE * CELLS_OF_PAGE; }

static bool reserve()
{
    size_t bytes = MEMORY_ADDRESSES / PAGE * CELLS_OF_PAGE;
    void *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cells = start == MAP_FAILED ? NULL : (Cell *)start;
    return cells != NULL;
}

static std::vector<std::pair<size_t, size_t>> forbidden; // offsets

static void forbid(size_t start, size_t end)
{
    for (size_t i = (start + 1) / 2; i < end / 2; i++)
        cells[i].write = FORBIDDEN;
}

bool race_memory_taken(size_t offset, size_t bytes)
{
    if (!races_checked || bytes == 0)
        return true;
    if (cells == NULL && !reserve())
        return false;
    return mprotect(cells_of_pages(offset), bytes / PAGE * CELLS_OF_PAGE, PROT_READ | PROT_WRITE) == 0;
}

void race_memory_forbidden(size_t start, size_t end)
{
    if (!races_checked || start == end)
        return;
    forbidden.emplace_back(start, end);
    forbid(start, end);
}

void race_memory_freed(size_t offset, size_t bytes)
{
    if (!races_checked)
        return;
    auto inside = [=](const std::pair<size_t, size_t> &range) {
        return range.first >= offset && range.second <= offset + bytes;
    };
    forbidden.erase(std::remove_if(forbidden.begin(), forbidden.end(), inside), forbidden.end());
    madvise(cells_of_pages(offset), bytes / PAGE * CELLS_OF_PAGE, MADV_DONTNEED);
}

// Where the device has no memory there are no notes either, and looking for them is what fails.
bool race_where(const void **address, const void **caller)
{
    uintptr_t offset = (uintptr_t)*address - (uintptr_t)cells;
    if (cells == NULL || offset >= MEMORY_ADDRESSES / PAGE * CELLS_OF_PAGE)
        return false;
    *address = asked_for, *caller = asked_by;
    return true;
}

// The counter is far on: between two launches it can begin again.
static void forget_everything()
{
    if (cells != NULL)
        madvise(cells, MEMORY_ADDRESSES / PAGE * CELLS_OF_PAGE, MADV_DONTNEED);
    for (auto &range : forbidden)
        forbid(range.first, range.second);
    memset(warp_knows_itself, 0, sizeof warp_knows_itself);
    memset(thread_knows_lane, 0, sizeof thread_knows_lane);
    memset(warp_knows_warp, 0, sizeof warp_knows_warp);
    now = 1, known_start = 0;
}

} // namespace simt

void simt_fence(void) { simt::race_fence(); }

bool simt_checks_races(void) { return simt::races_checked; }
