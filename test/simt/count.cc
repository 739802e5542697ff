// What a launch asks of memory, for dev/ladder: how many bytes its threads read and write, how many pieces of 32 bytes
// (sectors) the memory has to move for them, and how many rounds shared memory takes. In the race build, which sees
// each access.
//
// Memory serves a warp's instruction, not a thread's. The lanes of a warp run one after the other here, so accesses are
// put together by place: the n-th time that a lane comes to a line belongs to the n-th time of the other lanes. That is
// what a GPU does as long as the lanes of a warp go through a loop together. The C++ compiler copies a vector of 16
// bytes number by number, by as many instructions; so what a thread accesses directly behind its last access, in the
// same 16 bytes and by another instruction, belongs to that one.
//
//   sectors   of an access to the device's memory: the different pieces of 32 bytes that the lanes touch. Caches are
//             not counted: what is asked for twice counts twice.
//   rounds    of an access to shared memory: 32 banks of 4 bytes; lanes that want different words of one bank wait for
//             each other. An access of 16 bytes takes four rounds at least, for 8 lanes each, one of 8 bytes two.
#include "runtime.h"
#include <algorithm>
#include <unordered_map>

namespace simt
{

bool counting;
static SimtCounts counts;

struct WarpAccess {
    const char *address[WARP];
    uint32_t lanes;
    size_t bytes;
};

struct Line {                         // of one warp
    size_t times[WARP];               // how often each lane was here
    std::vector<WarpAccess> accesses; // number n is all lanes' n-th
};

static std::unordered_map<const void *, Line> lines[MAX_WARPS];

static struct Last { // access of a thread
    const void *caller;
    const char *end;
    bool writes;
    Line *line;
    size_t number, bytes;
} last_of[MAX_THREADS];

static bool continues(const Last &last, const char *p, size_t bytes, bool writes, const void *caller)
{
    return last.line != NULL && last.end == p && last.writes == writes && last.caller != caller &&
           (uintptr_t)(p - last.bytes) / 16 == (uintptr_t)(p + bytes - 1) / 16;
}

static int64_t sectors_of(const WarpAccess &a)
{
    std::vector<uintptr_t> sectors;
    for (int lane = 0; lane < WARP; lane++)
        if (a.lanes >> lane & 1)
            for (uintptr_t at = (uintptr_t)a.address[lane] / 32; at <= ((uintptr_t)a.address[lane] + a.bytes - 1) / 32;
                 at++)
                sectors.push_back(at);
    std::sort(sectors.begin(), sectors.end());
    return std::unique(sectors.begin(), sectors.end()) - sectors.begin();
}

// Of lanes that are served together: the most different words that any bank has to give.
static int64_t rounds_of_part(const WarpAccess &a, int first, int lanes)
{
    std::vector<uintptr_t> words;
    int64_t most = 0, of_bank[32] = {0};
    for (int lane = first; lane < first + lanes; lane++)
        if (a.lanes >> lane & 1)
            for (uintptr_t at = (uintptr_t)a.address[lane] / 4; at <= ((uintptr_t)a.address[lane] + a.bytes - 1) / 4;
                 at++)
                words.push_back(at);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (uintptr_t word : words)
        most = std::max(most, ++of_bank[word % 32]);
    return most;
}

static void add(const WarpAccess &a, bool shared)
{
    if (!shared) {
        counts.sectors += sectors_of(a);
        return;
    }
    int parts = a.bytes == 16 ? 4 : a.bytes == 8 ? 2 : 1;
    counts.shared_accesses++;
    for (int part = 0; part < parts; part++)
        counts.shared_rounds += rounds_of_part(a, part * WARP / parts, WARP / parts);
    counts.shared_rounds_least += parts;
}

void count_access(const Thread *thread, const void *p, size_t bytes, bool writes, const void *caller)
{
    bool shared = is_shared(p);
    if (!shared)
        (writes ? counts.written : counts.read) += (int64_t)bytes;
    Last *last = &last_of[thread->number];
    if (continues(*last, (const char *)p, bytes, writes, caller)) {
        WarpAccess *a = &last->line->accesses[last->number];
        last->caller = caller, last->end += bytes, last->bytes += bytes;
        a->bytes = std::max(a->bytes, last->bytes);
        return;
    }
    Line *line = &lines[thread->warp->number][caller];
    size_t number = line->times[thread->lane]++;
    if (number >= line->accesses.size())
        line->accesses.resize(number + 1);
    WarpAccess *a = &line->accesses[number];
    a->address[thread->lane] = (const char *)p;
    a->lanes |= 1u << thread->lane;
    a->bytes = std::max(a->bytes, bytes);
    *last = Last{caller, (const char *)p + bytes, writes, line, number, bytes};
}

void count_product() { counts.products++; }

void count_block_end()
{
    for (auto &warp : lines) {
        for (auto &line : warp)
            for (const WarpAccess &a : line.second.accesses)
                if (a.lanes != 0) {
                    int lane = __builtin_ctz(a.lanes);
                    add(a, is_shared(a.address[lane]));
                }
        warp.clear();
    }
    for (Last &last : last_of)
        last.line = NULL;
}

} // namespace simt

void simt_count_begin(void)
{
    simt::counts = SimtCounts();
    simt::counting = simt::races_checked;
}

SimtCounts simt_count_end(void)
{
    simt::counting = false;
    return simt::counts;
}
