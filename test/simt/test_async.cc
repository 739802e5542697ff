// What a warpgroup does asynchronously: products (wgmma), copies by TMA and in bulk, barriers in shared memory,
// registers that move. One small pipeline is right; each of its copies lacks one thing, or has one wrong.
#include "kernels/cuda/ptx_hopper.cuh"
#include "test/support/simt_check.h"

enum Fault {
    NONE,
    NO_PRODUCT_FENCE,
    TOUCHED,
    ONE_GROUP_LEFT,
    RELEASED_EARLY,
    PARITY_STUCK,
    TOO_FEW_BYTES,
    TOO_MANY_BYTES,
    NO_INIT_FENCE,
    ONE_ARRIVAL_MORE,
    NO_PROXY_FENCE,
    NO_STORE_BARRIER,
    SOURCE_CHANGED,
    NO_STORE_WAIT,
    NOT_ON_1024,
    NO_FULL_WAIT,
    NO_EMPTY_WAIT,
    OTHER_DESCRIPTOR,
    STAGE_OFF_BY_ONE,
    RETURNS_EARLY
};

enum { SIDE = 64, STEPS = 4, STAGES = 2, TILE = SIDE * SIDE * 2 };
enum { OUT = 2 * STAGES * TILE, BARRIER = OUT + TILE, ROOM = BARRIER + 2 * STAGES * 8 };

template <int F> __device__ void load(const CUtensorMap *a, const CUtensorMap *b, uint32_t room)
{
    for (int step = 0; step < STEPS; step++) {
        uint32_t stage = step % STAGES, full = room + BARRIER + stage * 8, to = room + stage * 2 * TILE;
        if (F != NO_EMPTY_WAIT)
            mbarrier_wait(full + STAGES * 8, step / STAGES % 2 ^ 1);
        mbarrier_expect(full, F == TOO_FEW_BYTES ? TILE : F == TOO_MANY_BYTES ? 3 * TILE : 2 * TILE);
        if (F == ONE_ARRIVAL_MORE)
            mbarrier_arrive(full);
        tensor_load(to + (F == NOT_ON_1024 ? 128 : 0), a, full, step * SIDE, 0, 0);
        tensor_load(to + TILE, b, full, step * SIDE, 0, 0);
    }
}

template <int F> __device__ void multiply(float (*c)[4], uint32_t room)
{
    for (int step = 0; step < STEPS; step++) {
        uint32_t stage = step % STAGES, full = room + BARRIER + stage * 8, at = room + stage * 2 * TILE;
        if (F != NO_FULL_WAIT)
            mbarrier_wait(full, F == PARITY_STUCK ? 0 : step / STAGES % 2);
        if (F == STAGE_OFF_BY_ONE && step == 2)
            at = room + 2 * TILE;
        if (F != NO_PRODUCT_FENCE)
            wgmma_fence();
        for (int k = 0; k < 4; k++) {
            uint64_t x = tile_descriptor(at + k * 32), y = tile_descriptor(at + TILE + k * 32);
            if (F == OTHER_DESCRIPTOR && threadIdx.x / 32 == 7)
                y = tile_descriptor(at + TILE);
            if (step == 0 && k == 0)
                wgmma<SIDE, true>(c, x, y);
            else
                wgmma<SIDE, false>(c, x, y);
        }
        wgmma_commit();
        if (F == RELEASED_EARLY && threadIdx.x % 128 == 0)
            mbarrier_arrive(full + STAGES * 8);
        if (F == TOUCHED && step == 1)
            c[3][1] = 0;
        wgmma_wait<1>();
        if (F != RELEASED_EARLY && threadIdx.x % 128 == 0 && step > 0)
            mbarrier_arrive(room + BARRIER + (step - 1) % STAGES * 8 + STAGES * 8);
    }
    if (F == RETURNS_EARLY)
        return;
    if (F != ONE_GROUP_LEFT)
        wgmma_wait<0>();
}

// c, rounded, to rows of shared memory, and from there in one piece
template <int F> __device__ void store(element *out, float (*c)[4], unsigned char *room)
{
    int warp = (int)threadIdx.x % 128 / 32, lane = (int)threadIdx.x % 32;
    for (int k = 0; k < SIDE / 16; k++) {
        FragmentA a = as_a(c[2 * k], c[2 * k + 1]);
        stmatrix_x4(room + OUT + (warp * 16 + lane % 16) * 128 + k * 32 + lane / 16 * 16, a.r);
    }
    if (F != NO_PROXY_FENCE)
        proxy_fence();
    if (F != NO_STORE_BARRIER)
        barrier_sync(1, 128);
    if (threadIdx.x % 128 != 0)
        return;
    bulk_store(out, shared_address(room + OUT), TILE);
    bulk_commit();
    if (F == SOURCE_CHANGED)
        ((uint32_t *)(room + OUT))[5] = 7;
    if (F != NO_STORE_WAIT)
        bulk_wait_read<0>();
}

template <int F> __global__ void pipeline(CUtensorMap a, CUtensorMap b, element *out)
{
    unsigned char *room = dynamic_shared<unsigned char>();
    uint32_t base = shared_address(room);
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2 * STAGES; i++)
            mbarrier_init(base + BARRIER + i * 8, 1);
        if (F != NO_INIT_FENCE)
            mbarrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        if (threadIdx.x == 0)
            load<F>(&a, &b, base);
        return;
    }
    float c[SIDE / 8][4];
    multiply<F>(c, base);
    if (F != RETURNS_EARLY)
        store<F>(out, c, room);
}

// ---- two matrices (64, 256) of -1, 0 and 1, whose sums bf16 has exactly

static std::vector<element> matrix(uint32_t seed)
{
    std::vector<element> x(SIDE * STEPS * SIDE);
    for (element &e : x) {
        seed = seed * 1664525 + 1013904223;
        e = __float2bfloat16((float)(seed >> 16) / 21846 < 1 ? -1.0f : (float)(seed >> 16) / 21846 < 2 ? 0.0f : 1.0f);
    }
    return x;
}

static CUtensorMap describe(const element *start, uint64_t columns, uint64_t rows)
{
    CUtensorMap map;
    cuuint64_t sizes[3] = {columns, 1, rows}, strides[2] = {columns * 2, columns * 2};
    cuuint32_t box[3] = {SIDE, 1, SIDE}, steps[3] = {1, 1, 1};
    CHECK(cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, (void *)start, sizes, strides, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS);
    return map;
}

struct Outcome {
    std::string fault;
    int wrong; // numbers
};

template <int F> static Outcome outcome()
{
    std::vector<element> x = matrix(1), y = matrix(2);
    DeviceArray<element> a(x), b(y), out(SIDE * SIDE);
    CUtensorMap a_map = describe(a.data, STEPS * SIDE, SIDE), b_map = describe(b.data, STEPS * SIDE, SIDE);
    Outcome o = {fault_of(1, 256, ROOM, pipeline<F>, a_map, b_map, out.data), 0};
    std::vector<element> got = out.host();
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            float sum = 0;
            for (int k = 0; k < STEPS * SIDE; k++)
                sum += __bfloat162float(x[i * STEPS * SIDE + k]) * __bfloat162float(y[j * STEPS * SIDE + k]);
            o.wrong += !(__bfloat162float(got[i * SIDE + j]) == sum);
        }
    return o;
}

static void a_pipeline_that_is_right_multiplies()
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        simt_seed(seed);
        simt_mma_exact(seed % 2 == 1);
        Outcome o = outcome<NONE>();
        CHECK_NO_FAULT(o.fault);
        CHECK(o.wrong == 0);
    }
    simt_seed(1);
}

static void products_are_not_touched_before_their_wait()
{
    CHECK_FAULT(outcome<NO_PRODUCT_FENCE>().fault, "wgmma at test/simt/test_async.cc:", "no wgmma_fence");
    CHECK_FAULT(outcome<TOUCHED>().fault, "accumulator 13 of lane", "touched while it was in flight");
    CHECK_FAULT(outcome<RETURNS_EARLY>().fault, "returns before a wait for the wgmma");
    CHECK_FAULT(outcome<OTHER_DESCRIPTOR>().fault, "different descriptors");
    Outcome o = outcome<ONE_GROUP_LEFT>();
    CHECK(o.fault != "" || o.wrong > 0);
}

static void a_stage_is_not_loaded_while_it_is_read()
{
    CHECK_FAULT(outcome<RELEASED_EARLY>().fault, "cp.async.bulk.tensor", "which a wgmma", "has still to read");
    CHECK(outcome<NO_EMPTY_WAIT>().fault != "");
}

static void a_stage_is_not_read_before_it_is_loaded()
{
    Outcome unawaited = outcome<NO_FULL_WAIT>(), stuck = outcome<PARITY_STUCK>(), other = outcome<STAGE_OFF_BY_ONE>();
    CHECK(unawaited.fault != "" || unawaited.wrong > 0);
    CHECK(stuck.fault != "" || stuck.wrong > 0);
    CHECK(other.fault != "" || other.wrong > 0);
}

static void barriers_count_arrivals_and_bytes()
{
    CHECK_FAULT(outcome<TOO_MANY_BYTES>().fault, "deadlock", "wait at the mbarrier at", "bytes to come");
    CHECK(outcome<TOO_FEW_BYTES>().fault != ""); // at the latest when the block ends
    CHECK_FAULT(outcome<NO_INIT_FENCE>().fault, "was made without a fence");
    CHECK_FAULT(outcome<ONE_ARRIVAL_MORE>().fault, "more arrivals at one phase than the 1");
    CHECK_FAULT(outcome<NOT_ON_1024>().fault, "not a multiple of 1,024");
}

static void stores_are_waited_for()
{
    CHECK_FAULT(outcome<SOURCE_CHANGED>().fault, "its source was changed before it was waited for");
    CHECK_FAULT(outcome<NO_STORE_WAIT>().fault, "returns before a wait for the bulk store");
}

static void what_threads_write_needs_a_fence_for_the_other_proxy()
{
    CHECK_FAULT(outcome<NO_PROXY_FENCE>().fault, "a bulk store", "without a fence.proxy.async");
    CHECK_FAULT(outcome<NO_STORE_BARRIER>().fault, "a bulk store");
}

// ---- layouts: every form of operands, against plain sums

// c (64, N) = a (64, 64) · b, a from shared memory, or in registers; b as (N, 64), or as (64, N) transposed.
template <int N, bool InRegisters, bool ATransposed, bool BTransposed, int F>
__global__ void one_product(const element *a, const element *b, float *out)
{
    unsigned char *room = dynamic_shared<unsigned char>();
    int lane = (int)threadIdx.x % 32, row = (int)threadIdx.x / 32 * 16 + lane / 4, swizzle = F == NO_PROXY_FENCE;
    auto put = [&](int at, int line, int column, element x) { // a line of 64 columns is 128 bytes; 64 columns a part
        int chunk = (column % 64 / 8) ^ (line % 8);
        *(element *)(room + at + column / 64 * TILE + line * 128 + chunk * 16 + column % 8 * 2) = x;
    };
    for (int i = (int)threadIdx.x; i < SIDE * SIDE; i += 128)
        put(0, ATransposed ? i % SIDE : i / SIDE, ATransposed ? i / SIDE : i % SIDE, a[i]);
    for (int i = (int)threadIdx.x; i < N * SIDE; i += 128)
        if (BTransposed)
            put(2 * TILE, i % SIDE, i / SIDE, b[i]);
        else
            *(element *)(room + 2 * TILE + i / SIDE * 128 + (((i % SIDE / 8) ^ (i / SIDE % 8)) * 16) + i % 8 * 2) =
                b[i];
    if (!swizzle)
        proxy_fence();
    __syncthreads();
    uint32_t at = shared_address(room);
    float c[N / 8][4];
    uint32_t fragment[4][4];
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 4; i++) {
            const element *x = a + (row + i % 2 * 8) * SIDE + k * 16 + lane % 4 * 2 + i / 2 * 8;
            fragment[k][i] = __bfloat16_as_ushort(x[0]) | (uint32_t)__bfloat16_as_ushort(x[1]) << 16;
        }
    for (int j = 0; j < N / 8; j++)
        c[j][0] = c[j][1] = c[j][2] = c[j][3] = 0;
    wgmma_fence();
    for (int k = 0; k < 4; k++) {
        uint64_t y = BTransposed ? transposed_descriptor(at + 2 * TILE + k * 2048, TILE)
                                 : tile_descriptor(at + 2 * TILE + k * 32);
        uint64_t x = ATransposed ? transposed_descriptor(at + k * 2048, TILE) : tile_descriptor(at + k * 32);
        if (InRegisters)
            wgmma<N, BTransposed>(c, fragment[k], y);
        else
            wgmma<N, false, ATransposed, BTransposed>(c, x, y);
    }
    wgmma_commit();
    if (F == TOUCHED)
        fragment[2][1] = 0;
    wgmma_wait<0>();
    for (int j = 0; j < N / 8; j++)
        for (int i = 0; i < 4; i++)
            out[(row + i / 2 * 8) * N + j * 8 + lane % 4 * 2 + i % 2] = c[j][i];
}

template <int N, bool InRegisters, bool ATransposed, bool BTransposed, int F = NONE> static std::string product_fault()
{
    std::vector<element> x = matrix(3), y = matrix(4);
    x.resize(SIDE * SIDE), y.resize((size_t)N * SIDE);
    DeviceArray<element> a(x), b(y);
    DeviceArray<float> out((size_t)SIDE * N);
    std::string fault =
        fault_of(1, 128, 4 * TILE, one_product<N, InRegisters, ATransposed, BTransposed, F>, a.data, b.data, out.data);
    std::vector<float> got = out.host();
    int wrong = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += __bfloat162float(x[i * SIDE + k]) * __bfloat162float(y[j * SIDE + k]);
            wrong += !(got[i * N + j] == sum);
        }
    return fault != "" ? fault : wrong > 0 ? std::to_string(wrong) + " wrong numbers" : "";
}

static void every_form_of_operands_multiplies()
{
    CHECK_NO_FAULT((product_fault<64, false, false, false>()));
    CHECK_NO_FAULT((product_fault<64, false, false, true>()));
    CHECK_NO_FAULT((product_fault<64, false, true, true>()));
    CHECK_NO_FAULT((product_fault<128, false, false, false>()));
    CHECK_NO_FAULT((product_fault<128, false, true, true>()));
    CHECK_NO_FAULT((product_fault<64, true, false, true>()));
    CHECK_NO_FAULT((product_fault<128, true, false, true>()));
    CHECK_NO_FAULT((product_fault<128, true, false, false>()));
}

static void operands_in_registers_stay_until_the_wait()
{
    CHECK_FAULT((product_fault<64, true, false, true, TOUCHED>()), "the registers of its left operand were changed");
}

static void products_see_what_was_written_and_fenced()
{
    CHECK_FAULT((product_fault<64, false, false, false, NO_PROXY_FENCE>()), "wgmma", "without a fence.proxy.async");
}

// ---- registers

template <int Down, int Up> __global__ void move_registers(float *out)
{
    if (threadIdx.x < 128)
        registers_down<Down>();
    else
        registers_up<Up>();
    if (threadIdx.x == 0)
        out[0] = 1;
}

static void registers_have_to_be_there()
{
    DeviceArray<float> out(1);
    CHECK_NO_FAULT(fault_of(1, 384, 0, move_registers<40, 232>, out.data));
    CHECK_FAULT(fault_of(1, 384, 0, move_registers<56, 232>, out.data), "deadlock", "wait for registers");
    CHECK_FAULT(fault_of(1, 384, 0, move_registers<32, 240>, out.data), "deadlock", "wait for registers");
    CHECK_NO_FAULT(fault_of(1, 384, 0, move_registers<24, 240>, out.data));
    CHECK_FAULT(fault_of(1, 384, 0, move_registers<40, 230>, out.data), "multiples of 8");
    CHECK_FAULT(fault_of(1, 384, 0, move_registers<176, 232>, out.data), "and the warp has 168");
}

static const Test tests[] = {
    TEST(a_pipeline_that_is_right_multiplies, ANY_BUILD),
    TEST(products_are_not_touched_before_their_wait, ANY_BUILD),
    TEST(a_stage_is_not_loaded_while_it_is_read, ANY_BUILD),
    TEST(a_stage_is_not_read_before_it_is_loaded, ANY_BUILD),
    TEST(barriers_count_arrivals_and_bytes, ANY_BUILD),
    TEST(stores_are_waited_for, ANY_BUILD),
    TEST(what_threads_write_needs_a_fence_for_the_other_proxy, RACE_BUILD),
    TEST(every_form_of_operands_multiplies, ANY_BUILD),
    TEST(operands_in_registers_stay_until_the_wait, ANY_BUILD),
    TEST(products_see_what_was_written_and_fenced, RACE_BUILD),
    TEST(registers_have_to_be_there, ANY_BUILD),
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
