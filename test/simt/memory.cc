// Device memory and shared memory. Both lie in one range of addresses, reserved once: shared memory below, device
// memory above. So the race check finds the notes on an address by arithmetic alone. Device memory that was freed is
// not used again but closed. Each piece ends where its last page ends (up to alignment), and the next page is closed:
// far accesses beyond it stop at once in every build. What remains of its pages is closed to the byte by
// AddressSanitizer, or marked in the race check's notes.
#include "runtime.h"
#include <map>
#include <sys/mman.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define CLOSE(start, bytes) __asan_poison_memory_region(start, bytes)
#define OPEN(start, bytes) __asan_unpoison_memory_region(start, bytes)
#else
#define CLOSE(start, bytes) ((void)(start))
#define OPEN(start, bytes) ((void)(start))
#endif

namespace simt
{

enum { PAGE = 4096, DEVICE_ALIGNMENT = 256, SHARED_ALIGNMENT = 16, DYNAMIC_ALIGNMENT = 1024 };

enum class Kind { DEVICE, STATIC_SHARED, DYNAMIC_SHARED };

struct Piece {
    char *start;
    size_t bytes;
    Kind kind;
    bool live;
    int64_t number;   // of device memory: the count of cudaMalloc
    const char *file; // of a static array: where it is declared
    int line;
};

static std::map<const char *, Piece> pieces;
static int64_t device_pieces;
static size_t device_used;

static size_t round_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

static char *reserve()
{
    void *start = mmap(NULL, MEMORY_ADDRESSES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        perror("simt: reserving addresses for the device's memory");
        abort();
    }
    return (char *)start;
}

char *memory_start = reserve();
static size_t shared_end = PAGE, device_end = SHARED_ADDRESSES + PAGE; // offsets behind the last piece

// A new piece: whole pages, opened, the bytes in front of and behind the piece closed again, and one closed page behind
// them.
static Piece *take(size_t bytes, Kind kind)
{
    size_t *end = kind == Kind::DEVICE ? &device_end : &shared_end;
    size_t alignment = kind == Kind::DEVICE          ? DEVICE_ALIGNMENT
                       : kind == Kind::STATIC_SHARED ? SHARED_ALIGNMENT
                                                     : DYNAMIC_ALIGNMENT;
    size_t limit = kind == Kind::DEVICE ? MEMORY_ADDRESSES : SHARED_ADDRESSES;
    if (bytes > limit)
        return NULL;
    size_t pages = round_up(bytes, PAGE), first = *end, start = first + pages - round_up(bytes, alignment);
    if (pages + PAGE > limit - first || mprotect(memory_start + first, pages, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    if (!race_memory_taken(first, pages))
        return NULL;
    *end = first + pages + PAGE;
    CLOSE(memory_start + first, pages + PAGE);
    OPEN(memory_start + start, bytes);
    race_memory_forbidden(first, start);
    race_memory_forbidden(start + bytes, first + pages);
    Piece *piece = &pieces[memory_start + start];
    *piece = Piece{memory_start + start, bytes, kind, true, 0, NULL, 0};
    return piece;
}

// The piece in or behind which p lies; NULL: none.
static const Piece *piece_of(const void *p)
{
    auto next = pieces.upper_bound((const char *)p);
    return next == pieces.begin() ? NULL : &std::prev(next)->second;
}

static std::string describe_piece(const Piece *piece)
{
    std::string bytes = "the " + std::to_string(piece->bytes) + " bytes of ";
    if (piece->kind == Kind::DYNAMIC_SHARED)
        return bytes + "dynamic shared memory";
    if (piece->kind == Kind::STATIC_SHARED)
        return bytes + "shared memory declared at " + piece->file + ":" + std::to_string(piece->line);
    return bytes + "device memory of cudaMalloc number " + std::to_string(piece->number) +
           (piece->live ? "" : ", which are freed");
}

static std::string describe(const void *p)
{
    const Piece *piece = piece_of(p);
    if (!is_of_device(p) || piece == NULL)
        return "an address outside of all memory of the device";
    size_t offset = (size_t)((const char *)p - piece->start);
    if (offset < piece->bytes)
        return "byte " + std::to_string(offset) + " of " + describe_piece(piece);
    auto next = pieces.upper_bound((const char *)p);
    if (next != pieces.end() && (size_t)(next->first - (const char *)p) < PAGE)
        return std::to_string(next->first - (const char *)p) + " bytes before " + describe_piece(&next->second);
    return std::to_string(offset - piece->bytes) + " bytes behind " + describe_piece(piece);
}

const char *describe_address(const void *p) { return keep(describe(p)); }

// ---- device memory

size_t device_memory_total() { return strtoull(environment("SIMT_MEMORY", "80000000000"), NULL, 10); }
size_t device_memory_unused() { return device_used < device_memory_total() ? device_memory_total() - device_used : 0; }

void *device_memory(size_t bytes)
{
    Piece *piece = bytes <= device_memory_unused() ? take(bytes, Kind::DEVICE) : NULL;
    if (piece == NULL)
        return NULL;
    piece->number = ++device_pieces;
    device_used += bytes;
    memset(piece->start, 0xFF, bytes);
    return piece->start;
}

bool device_memory_free(void *p)
{
    auto found = pieces.find((const char *)p);
    if (found == pieces.end() || found->second.kind != Kind::DEVICE || !found->second.live)
        return false;
    Piece *piece = &found->second;
    piece->live = false;
    device_used -= piece->bytes;
    size_t pages = round_up(piece->bytes, PAGE), first = (size_t)(piece->start - memory_start) / PAGE * PAGE;
    mprotect(memory_start + first, pages, PROT_NONE);
    madvise(memory_start + first, pages, MADV_DONTNEED);
    race_memory_freed(first, pages);
    CLOSE(memory_start + first, pages);
    return true;
}

bool is_device_memory(const void *p, size_t bytes)
{
    const Piece *piece = piece_of(p);
    size_t offset = piece == NULL ? 0 : (size_t)((const char *)p - piece->start);
    return piece != NULL && piece->kind == Kind::DEVICE && piece->live && offset <= piece->bytes &&
           bytes <= piece->bytes - offset;
}

// With SIMT_PROTECT=1 the host cannot touch device memory with its own hands, as with a real card: it is opened for
// kernels and copies.
void device_memory_open(bool open)
{
    if (strcmp(environment("SIMT_PROTECT", "0"), "1") != 0)
        return;
    for (auto &entry : pieces) {
        const Piece *piece = &entry.second;
        if (piece->kind != Kind::DEVICE || !piece->live)
            continue;
        size_t first = (size_t)(piece->start - memory_start) / PAGE * PAGE;
        mprotect(memory_start + first, round_up(piece->bytes, PAGE), open ? PROT_READ | PROT_WRITE : PROT_NONE);
        if (open)
            OPEN(piece->start, piece->bytes);
        else
            CLOSE(piece->start, piece->bytes);
    }
}

// ---- shared memory. Pieces are kept for later launches that want one of the same size.

struct Shared {
    Piece *piece;
    bool in_use;
};

static std::vector<Shared> shared_pieces;
static std::vector<Piece *> launch_arrays[MAX_CLUSTER]; // the static arrays of this launch, by the block's rank
static Piece *launch_dynamic[MAX_CLUSTER];
static int launch_blocks; // of a cluster
static size_t launch_bytes[MAX_CLUSTER];

static Piece *take_shared(size_t bytes, Kind kind)
{
    for (Shared &shared : shared_pieces)
        if (!shared.in_use && shared.piece->bytes == bytes && shared.piece->kind == kind) {
            shared.in_use = true;
            return shared.piece;
        }
    Piece *piece = take(bytes, kind);
    if (piece == NULL)
        fault("no memory to stand for %zu bytes of shared memory", bytes);
    shared_pieces.push_back(Shared{piece, true});
    return piece;
}

void shared_open(size_t dynamic_bytes)
{
    launch_blocks = block.blocks;
    for (int rank = 0; rank < launch_blocks; rank++) {
        launch_dynamic[rank] = take_shared(dynamic_bytes, Kind::DYNAMIC_SHARED);
        launch_bytes[rank] = dynamic_bytes;
    }
}

int64_t shared_offset(const void *p)
{
    for (int rank = 0; rank < launch_blocks; rank++) {
        size_t offset = (size_t)((const char *)p - launch_dynamic[rank]->start);
        if (offset < launch_dynamic[rank]->bytes)
            return (int64_t)offset + rank * RANK_BYTES;
    }
    return -1;
}

uint32_t shared_with_rank(uint32_t address, int rank)
{
    return address >> RANK_SHIFT != 0 ? address : address | (uint32_t)(rank + 1) << RANK_SHIFT;
}

const char *shared_text(uint32_t address)
{
    std::string text = std::to_string(address & ((1u << RANK_SHIFT) - 1));
    return keep(block.blocks == 1 ? text : text + " of block " + std::to_string(rank_of_address(address)));
}

void *shared_pointer(uint32_t address, size_t bytes, const char *what, const void *caller)
{
    int rank = rank_of_address(shared_with_rank(address, current->rank));
    if (rank >= launch_blocks)
        fault("%s%s: block %d of a cluster of %d", what, place(caller), rank, launch_blocks);
    const Piece *piece = launch_dynamic[rank];
    uint32_t offset = (address & ((1u << RANK_SHIFT) - 1)) - SHARED_BASE;
    if (offset > piece->bytes || bytes > piece->bytes - offset)
        fault("%s%s: %zu bytes at the shared address %u, which is not in the %zu bytes of dynamic shared memory", what,
              place(caller), bytes, address, piece->bytes);
    return piece->start + offset;
}

void shared_poison()
{
    for (int rank = 0; rank < launch_blocks; rank++) {
        memset(launch_dynamic[rank]->start, 0xFF, launch_dynamic[rank]->bytes);
        for (Piece *array : launch_arrays[rank])
            memset(array->start, 0xFF, array->bytes);
    }
}

void shared_close()
{
    for (std::vector<Piece *> &arrays : launch_arrays)
        arrays.clear();
    for (Shared &shared : shared_pieces)
        shared.in_use = false;
}

static Piece *new_array(size_t bytes, const char *file, int line)
{
    int rank = current->rank;
    Piece *array = take_shared(bytes, Kind::STATIC_SHARED);
    array->file = file, array->line = line;
    launch_arrays[rank].push_back(array);
    launch_bytes[rank] += bytes;
    size_t fixed = launch_bytes[rank] - launch_dynamic[rank]->bytes;
    if (fixed > MAX_STATIC_SHARED)
        fault("%zu bytes of static shared memory with the array of %s:%d; possible are %d", fixed, file, line,
              MAX_STATIC_SHARED);
    if (launch_bytes[rank] > MAX_SHARED)
        fault("%zu bytes of shared memory, static and dynamic, with the array of %s:%d; a block has %d",
              launch_bytes[rank], file, line, MAX_SHARED);
    memset(array->start, 0xFF, bytes);
    return array;
}

} // namespace simt

using namespace simt;

void *simt_static_shared(size_t bytes, const char *file, int line)
{
    for (Piece *array : launch_arrays[current->rank])
        if (array->line == line && array->bytes == bytes && strcmp(array->file, file) == 0)
            return array->start;
    return new_array(bytes, file, line)->start;
}

void *simt_dynamic_shared(void) { return launch_dynamic[current->rank]->start; }

uint32_t simt_shared_address(const void *p)
{
    int64_t offset = shared_offset(p);
    if (offset < 0 || offset / RANK_BYTES != current->rank)
        fault("a shared address%s of %s: only dynamic shared memory has any here", place(__builtin_return_address(0)),
              describe_address(p));
    return (uint32_t)(offset % RANK_BYTES) + SHARED_BASE;
}
