// Attention of sequences with one new token over KV pages for Hopper: what attention_decode.cu computes, with its bits.
// The products and the softmax are its own, by mma.sync, for a piece has 4 to 32 rows only; what differs is how pages
// come in. They lie as shared memory has them (page_column), so that what there is of a block of keys is one bulk copy,
// asked for by one thread, which the second cache need not keep.
//
// A block has two halves of four warps that multiply. Each has pieces of its own, or, where pages are read together,
// both have one, 16 rows each. Beside them a warp asks for pages, one for each half or one for both: for the keys and
// the values of a block of them in turn, into a ring of stages, and at the end of a piece for the next one's. Which one
// that is a counter says, of a list that has the longest pieces first, so that nobody is left with much when the others
// have nothing. What those that multiply have to know of a piece comes with its first keys. A stage is full when its
// bytes have come, and empty when each warp that reads it is done with it.
//
// While a graph is taken down it is launched early (device.cuh): a warp that asks has its first piece, and the first
// block of it on its way, before the kernel in front has ended, unless that one writes there: QK-norm + RoPE, to the
// block of the newest position. A block needs nearly all registers of a multiprocessor, and gets one whose blocks have
// ended while others' still run.
//
// Budget of a block, which has a multiprocessor (227 KB, 64 K registers) to itself:
//
//   rings             192 KB   in stages of a block of keys or of values: 32 KB (D = 128) or 16 KB (D = 64)
//   scores             16 KB   (16, KEY_BLOCK) of each half, fp32
//   pieces, barriers    1 KB
//   registers          224     of a thread that multiplies (168 in use until then, 56 of one that asks); none spilled
//   under way         128 KB   one stage of each half is read. A latency of 1 us at 4.3 TB/s asks for 33 KB
//
// Limit: the bytes of keys and values, read once. No card has run it yet.
#include "kernels/cuda/attention_decode.cuh"
#include "kernels/cuda/hopper.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_tile.cuh"
#endif

namespace PRECISION
{

#if HOPPER_KERNELS

// TOGETHER + h: a barrier of half h's warps
enum { HALVES = MULTIPLIERS / ATTENTION_THREADS, RINGS_BYTES = 192 << 10, TOGETHER = 1, NO_MORE = -1 };

// Shared memory of a block, in bytes from its start, as a warp sees it that asks for the pages of a ring or reads it.
// TILES: of 16 rows of a piece, each a half's
template <int D, int TILES> struct DecodeRoom {
    enum {
        STAGE = KEY_BLOCK * D * 2,
        ALL_STAGES = RINGS_BYTES / STAGE,
        RINGS = HALVES / TILES,
        STAGES = ALL_STAGES / RINGS, // of a ring
        SCORES_OF_HALF = 16 * KEY_BLOCK * 4,
        SCORES = RINGS_BYTES, // also a half's queries, before there are scores
        FULL = SCORES + HALVES * SCORES_OF_HALF,
        EMPTY = FULL + ALL_STAGES * 8,
        PIECES = EMPTY + ALL_STAGES * 8, // by the stage of a piece's first keys
        BYTES = PIECES + ALL_STAGES * (int)sizeof(Piece)
    };

    unsigned char *start;
    int ring;
    Stage<STAGES> stage;

    __device__ inline int number() const { return ring * STAGES + stage.number; }
    __device__ inline element *page() const { return (element *)(start + number() * STAGE); }
    __device__ inline Piece *piece() const { return (Piece *)(start + PIECES) + number(); }
    __device__ inline uint32_t full() const { return shared_address(start + FULL + number() * 8); }
    __device__ inline uint32_t empty() const { return shared_address(start + EMPTY + number() * 8); }
};

__device__ int next_piece; // beyond those that rings begin with; zero between launches

// ---- the warp that asks

// The piece that this warp takes next, and the number of page first_block + lane; of sequence NO_MORE: there is none
struct Taken {
    Piece piece;
    int page;
};

__device__ inline Taken take(const Decode &decode, int number, int pieces)
{
    const Attention &a = decode.a;
    Taken taken = {};
    taken.piece.sequence = NO_MORE;
    if (number >= pieces)
        return taken;
    taken.piece = piece_of(decode, number);
    int block = taken.piece.first_block + (int)threadIdx.x % 32;
    if (block <= taken.piece.last_block)
        taken.page = a.page_table[taken.piece.sequence * a.pages_per_sequence + block];
    return taken;
}

// The number of a piece behind the `first` that rings begin with. Each ring that has begun draws until there is none:
// as often as there are pieces, all of them together, and the last one makes the counter zero.
__device__ inline int draw_number(int pieces, int first)
{
    int number = 0;
    if (threadIdx.x % 32 == 0) {
        int drawn = atomicAdd(&next_piece, 1);
        if (drawn == pieces - 1)
            atomicExch(&next_piece, 0);
        number = drawn + first;
    }
    return __shfl_sync(~0u, number, 0);
}

// The positions that there are of a block, to the next stage, by one lane. told: the piece, with its first keys
template <int D, int TILES>
__device__ inline void ask(DecodeRoom<D, TILES> *room, const Decode &decode, const void *pages, int64_t page,
                           const Piece &piece, int block, bool told)
{
    if (threadIdx.x % 32 == 0) {
        int positions = min(piece.position + 1 - block * KEY_BLOCK, (int)KEY_BLOCK);
        const element *from = (const element *)pages + (page * decode.a.kv_heads + piece.kv_head) * KEY_BLOCK * D;
        mbarrier_wait(room->empty(), room->stage.parity ^ 1);
        if (told)
            *room->piece() = piece;
        mbarrier_expect(room->full(), positions * D * 2);
        bulk_load_once(shared_address(room->page()), from, positions * D * 2, room->full());
    }
    room->stage.advance();
}

// Whether the newest position, which the kernel in front writes, is in the first block of a piece
__device__ inline bool begins_at_newest(const Piece &piece)
{
    return !piece.shared && piece.first_block == piece.position / KEY_BLOCK;
}

template <int D, int TILES> __device__ inline void ask_for_pieces(DecodeRoom<D, TILES> room, const Decode &decode)
{
    const int RINGS = DecodeRoom<D, TILES>::RINGS;
    const Attention &a = decode.a;
    int pieces = pieces_of(decode), rings = RINGS * (int)gridDim.x;
    Taken taken = take(decode, RINGS * (int)blockIdx.x + room.ring, pieces), next = taken;
    if (begins_at_newest(taken.piece))
        dependency_wait();
    for (; taken.piece.sequence != NO_MORE; taken = next)
        for (int block = taken.piece.first_block; block <= taken.piece.last_block; block++) {
            bool first = block == taken.piece.first_block;
            int page = __shfl_sync(~0u, taken.page, block - taken.piece.first_block);
            ask(&room, decode, a.key_pages, page, taken.piece, block, first);
            ask(&room, decode, a.value_pages, page, taken.piece, block, false);
            if (first) { // the next one, while these are under way; the kernel in front may draw, too
                dependency_wait();
                next = take(decode, draw_number(pieces, rings), pieces);
            }
        }
    if (threadIdx.x % 32 == 0) {
        mbarrier_wait(room.empty(), room.stage.parity ^ 1);
        *room.piece() = taken.piece;
        mbarrier_arrive(room.full());
    }
}

// ---- the warps that multiply

// Fragments of mma from a page, or from rows that lie as in one: what load_a, load_b and load_b_transposed give. A lane
// reads 16 bytes of a row of its own, the same column of which lies elsewhere in each (page_column). What of that is
// the lane's is computed once, and no more than four places within 128 bytes are left to choose from.
struct LaneRow {
    uint32_t start; // the shared address that columns are counted from
    int turn;       // bytes
    __device__ inline uint32_t at(int column) const { return start + column / 64 * 128 + (column % 64 * 2 ^ turn); }
};

// row, column: the lane's, of the fragment that begins at row and column `from` of the page
template <int D> __device__ inline LaneRow lane_row(const void *page, int row, int column, int from)
{
    return LaneRow{shared_address(page) + row * D * 2 + from / 64 * 128, (from % 64 ^ column ^ row % 8 * LANES) * 2};
}

template <int D> __device__ inline LaneRow key_row_of_lane(const element *page)
{
    int lane = (int)threadIdx.x % 32;
    return lane_row<D>(page, warp_of_piece() * WARP_KEYS + lane % 8 + lane / 16 * 8, lane / 8 % 2 * 8, 0);
}

template <int D> __device__ inline LaneRow value_row_of_lane(const element *page)
{
    int lane = (int)threadIdx.x % 32;
    return lane_row<D>(page, lane % 16, lane / 16 * 8, warp_of_piece() * (D / WARPS));
}

// Two neighbours of a tile's scores (16, KEY_BLOCK) at the lane's place of each 8 columns, rows lane / 4 and 8 further
// down. Half a warp reads and writes its 8 bytes side by side: 4 rows, each a quarter of 128 bytes further.
struct LaneScores {
    float *start;
    int turn;
    __device__ inline float2 *at(int half, int column) const
    {
        return (float2 *)(start + half * 8 * KEY_BLOCK + column / 32 * 32 + (column % 32 ^ turn));
    }
};

__device__ inline LaneScores lane_scores(float *scores)
{
    int lane = (int)threadIdx.x % 32;
    return LaneScores{scores + lane / 4 * KEY_BLOCK, lane % 4 * 2 ^ lane / 4 % 4 * 8};
}

// This warp's quarter of a block's scores, to where all warps see them.
template <int D>
__device__ inline void score_keys(float *scores, const FragmentA queries[D / 16], const element *keys, int first_key,
                                  int position)
{
    int first = warp_of_piece() * WARP_KEYS, groups = groups_until(first_key + first, position, WARP_KEYS / 16);
    LaneRow row = key_row_of_lane<D>(keys);
    float s[WARP_KEYS / 8][4] = {};
#pragma unroll
    for (int k = 0; k < D / 16; k++)
#pragma unroll
        for (int j = 0; j < WARP_KEYS / 16; j++)
            if (j < groups) {
                uint32_t b[4];
                ldmatrix_x4(b, row.at(k * 16) + j * 16 * D * 2);
                mma(s[2 * j], queries[k], FragmentB{{b[0], b[1]}});
                mma(s[2 * j + 1], queries[k], FragmentB{{b[2], b[3]}});
            }
    LaneScores to = lane_scores(scores + first);
#pragma unroll
    for (int j = 0; j < WARP_KEYS / 8; j++)
#pragma unroll
        for (int half = 0; half < 2; half++)
            *to.at(half, j * 8) = make_float2(s[j][half * 2], s[j][half * 2 + 1]);
}

// All of a block's scores as one warp's accumulators; rows that do not exist are zeros.
__device__ inline void scores_of_tile(float (*s)[4], float *scores, int rows)
{
    LaneScores from = lane_scores(scores);
#pragma unroll
    for (int j = 0; j < KEY_BLOCK / 8; j++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float2 two = make_float2(0, 0);
            if ((int)threadIdx.x % 32 / 4 + half * 8 < rows)
                two = *from.at(half, j * 8);
            s[j][half * 2] = two.x, s[j][half * 2 + 1] = two.y;
        }
}

// sums (16, WIDTH) += round(weights) (16, KEY_BLOCK) · this warp's columns of the values, the first `groups` times 16
template <int D>
__device__ inline void add_values(float (*sums)[4], const float (*weights)[4], const element *values, int groups)
{
    LaneRow row = value_row_of_lane<D>(values);
#pragma unroll
    for (int k = 0; k < KEY_BLOCK / 16; k++)
        if (k < groups) {
            FragmentA a = as_a(weights[2 * k], weights[2 * k + 1]);
#pragma unroll
            for (int d = 0; d < D / WARPS / 16; d++) {
                uint32_t b[4];
                ldmatrix_x4_trans(b, row.at(d * 16) + k * 16 * D * 2);
                mma(sums[2 * d], a, FragmentB{{b[0], b[1]}});
                mma(sums[2 * d + 1], a, FragmentB{{b[2], b[3]}});
            }
        }
}

// Zeros behind the last value as far as products reach, in this warp's columns: what is there may be NaN, and weighs
// nothing. The next copy to this place comes behind them.
template <int D> __device__ inline void zero_tail(element *values, int first, int until)
{
    const int CHUNKS = D / WARPS / LANES;
    if (first >= until)
        return;
    for (int i = (int)threadIdx.x % 32; i < (until - first) * CHUNKS; i += 32) {
        int row = first + i / CHUNKS, column = (warp_of_piece() * CHUNKS + i % CHUNKS) * LANES;
        *(int4 *)(values + row * D + page_column(row, column)) = make_int4(0, 0, 0, 0);
    }
    proxy_fence();
    __syncwarp();
}

// What a half has of a piece: a tile of its rows, and where their scores lie.
template <int D> struct HalfTile {
    FragmentA queries[D / 16];
    TileSums<D> sums;
    float *scores;
    int half, first, rows; // rows of the piece from `first` on; none or fewer: no rows

    __device__ inline void together() const { barrier_sync(TOGETHER + half, ATTENTION_THREADS); }
};

// The rows of the tile, by way of where its scores will be.
template <int D> __device__ inline void load_queries(HalfTile<D> *tile, const Decode &decode, const Piece &piece)
{
    const int CHUNKS = D / LANES;
    int lane = (int)threadIdx.x % 32;
    for (int i = (int)threadIdx.x % ATTENTION_THREADS; i < 16 * CHUNKS; i += ATTENTION_THREADS) {
        int row = i / CHUNKS, column = i % CHUNKS * LANES;
        const element *from = decode.q.data + (row < tile->rows ? query_place(decode, piece, tile->first + row, D) : 0);
        *(Words *)((element *)tile->scores + row * D + page_column(row, column)) =
            load_words_or_zeros(from + column, row < tile->rows);
    }
    tile->together();
    LaneRow from = lane_row<D>(tile->scores, lane % 16, lane / 16 * 8, 0);
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        ldmatrix_x4(tile->queries[k].r, from.at(k * 16));
    tile->together();
}

// By a warp, whose lanes read pages together, by ldmatrix.
template <int D, int TILES> __device__ inline void done_with_stage(DecodeRoom<D, TILES> *room)
{
    if (threadIdx.x % 32 == 0)
        mbarrier_arrive(room->empty());
    room->stage.advance();
}

template <int D, int TILES>
__device__ inline void weigh_block(HalfTile<D> *tile, DecodeRoom<D, TILES> *room, const Piece &piece, int block,
                                   float scale)
{
    int first = block * KEY_BLOCK, groups = groups_until(first, piece.position, KEY_BLOCK / 16);
    float scores[KEY_BLOCK / 8][4];
    mbarrier_wait(room->full(), room->stage.parity);
    score_keys<D>(tile->scores, tile->queries, room->page(), first, piece.position);
    done_with_stage(room);
    tile->together(); // the scores are there
    scores_of_tile(scores, tile->scores, tile->rows);
    weigh<D / WARPS>(scores, tile->sums.weighted, tile->sums.row, first, piece.position, tile->rows, scale);
    mbarrier_wait(room->full(), room->stage.parity);
    if (TILES == 1) // what is read together is there as far as the block goes
        zero_tail<D>(room->page(), piece.position + 1 - first, groups * 16);
    add_values<D>(tile->sums.weighted, scores, room->page(), groups);
    done_with_stage(room);
    tile->together(); // nobody reads the scores any more
}

// A half without rows keeps pace.
template <int D, int TILES> __device__ inline void pass_block(DecodeRoom<D, TILES> *room)
{
    for (int i = 0; i < 2; i++) {
        mbarrier_wait(room->full(), room->stage.parity);
        done_with_stage(room);
    }
}

template <int D, int TILES>
__device__ inline void weigh_pieces(DecodeRoom<D, TILES> room, int half, const Decode &decode)
{
    typedef DecodeRoom<D, TILES> Room;
    float scale = LOG2_E / sqrtf((float)D);
    HalfTile<D> tile;
    tile.scores = (float *)(room.start + Room::SCORES + half * Room::SCORES_OF_HALF);
    tile.half = half;
    tile.first = half % TILES * 16;
    dependency_wait(); // for queries, and sums that a launch in front has begun
    for (;;) {
        mbarrier_wait(room.full(), room.stage.parity);
        Piece piece = *room.piece();
        tile.rows = piece.rows - tile.first;
        if (piece.sequence == NO_MORE)
            return;
        if (TILES > 1 && tile.rows <= 0) {
            __syncwarp(); // all lanes have read the piece
            for (int block = piece.first_block; block <= piece.last_block; block++)
                pass_block(&room);
            continue;
        }
        load_queries(&tile, decode, piece);
        begin_tile<D>(&tile.sums, decode, piece, tile.first);
        for (int block = piece.first_block; block <= piece.last_block; block++)
            weigh_block(&tile, &room, piece, block, scale);
        end_tile<D>(tile.sums, decode, piece, tile.first, scale);
    }
}

template <int D, int TILES>
__global__ void __launch_bounds__(HOPPER_THREADS, 1) hopper_decode_kernel(const __grid_constant__ Decode decode)
{
#if HOPPER_CODE
    typedef DecodeRoom<D, TILES> Room;
    unsigned char *room = dynamic_shared_tiles();
    dependents_may_begin();
    if (threadIdx.x < Room::ALL_STAGES) {
        mbarrier_init(shared_address(room + Room::FULL + threadIdx.x * 8), 1);
        mbarrier_init(shared_address(room + Room::EMPTY + threadIdx.x * 8), TILES * WARPS);
        mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < HOPPER_THREADS - MULTIPLIERS) {
        int warp = (int)threadIdx.x / 32;
        registers_down<56>();
        if (warp < Room::RINGS)
            ask_for_pieces(Room{room, warp, {0, 0}}, decode);
    } else {
        int half = (int)threadIdx.x / 128 - 1;
        registers_up<224>();
        weigh_pieces(Room{room, half / TILES, {0, 0}}, half, decode);
    }
#endif
}

template <int D, int TILES> static void start_hopper(Stream *s, Decode decode)
{
    typedef DecodeRoom<D, TILES> Room;
    decode.rows = TILES * DECODE_ROWS;
    decode.together = TILES == 2;
    int64_t blocks = ceil_divide(decode_at_once(decode, Room::RINGS), Room::RINGS);
    launch_early(s, dim3((unsigned)blocks), HOPPER_THREADS, Room::BYTES, hopper_decode_kernel<D, TILES>, decode);
}

template <int D> static void start_hopper(Stream *s, const Decode &decode)
{
    if (decode.a.shared_pages != NULL)
        start_hopper<D, 2>(s, decode);
    start_hopper<D, 1>(s, decode);
}

bool hopper_decode(Stream *s, const Decode &decode)
{
    if (!hopper_chosen("DEREASON_ATTENTION"))
        return false;
    if (decode.a.head_width == 64)
        start_hopper<64>(s, decode);
    else
        start_hopper<128>(s, decode);
    return true;
}

#elif PRECISION_BITS == 16

bool hopper_decode(Stream *, const Decode &) { return false; }

#endif

} // namespace PRECISION
