// What lanes compute together is what CUDA says that they compute: shuffles, votes, atomics, rounding to bf16, and
// matrix products, which are a Hopper's to the bit.
#include "test/support/simt_check.h"

static uint32_t random_state = 1;
static uint32_t random_word()
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

// ---- what lanes compute together

template <typename T> __global__ void shuffle_all(T *out, int width, unsigned mask)
{
    int lane = (int)threadIdx.x;
    T own = (T)(100 + lane);
    if (!(mask >> lane & 1))
        return;
    T *mine = out + lane * 4;
    mine[0] = __shfl_sync(mask, own, 3, width);
    mine[1] = __shfl_up_sync(mask, own, 2, width);
    mine[2] = __shfl_down_sync(mask, own, 2, width);
    mine[3] = __shfl_xor_sync(mask, own, 1, width);
}

template <typename T> static void check_shuffles(int width, unsigned mask)
{
    DeviceArray<T> out(32 * 4);
    launch(NULL, 1, 32, 0, shuffle_all<T>, out.data, width, mask);
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1))
            continue;
        int first = lane / width * width;
        std::vector<T> host = out.host();
        T *mine = host.data() + lane * 4;
        CHECK(mine[0] == (T)(100 + first + 3 % width));
        CHECK(mine[1] == (T)(100 + (lane - 2 >= first ? lane - 2 : lane)));
        CHECK(mine[2] == (T)(100 + (lane + 2 < first + width ? lane + 2 : lane)));
        CHECK(mine[3] == (T)(100 + ((lane ^ 1) < first + width ? lane ^ 1 : lane)));
    }
}

static void shuffles_move_what_they_should()
{
    for (int width : {32, 16, 8, 4, 2}) {
        check_shuffles<int>(width, ~0u);
        check_shuffles<double>(width, ~0u);
    }
    check_shuffles<float>(8, 0x00ff00ff);
    check_shuffles<uint64_t>(16, 0xffff0000);
}

__global__ void vote(unsigned *out)
{
    unsigned lane = threadIdx.x, mask = lane < 8 ? 0xff : ~0xffu;
    out[lane * 3] = __ballot_sync(mask, lane % 3 == 0);
    out[lane * 3 + 1] = (unsigned)__any_sync(~0u, lane == 40);
    out[lane * 3 + 2] = (unsigned)__all_sync(mask, lane < 8);
}

static void votes_are_counted()
{
    DeviceArray<unsigned> out(96);
    launch(NULL, 1, 32, 0, vote, out.data);
    std::vector<unsigned> host = out.host();
    for (size_t lane = 0; lane < 32; lane++) {
        CHECK(host[lane * 3] == (lane < 8 ? 0x49249249u & 0xff : 0x49249249u & ~0xffu));
        CHECK(host[lane * 3 + 1] == 0);
        CHECK(host[lane * 3 + 2] == (lane < 8));
    }
}

__global__ void count_in_many_ways(int *out, unsigned *words, unsigned long long *wide)
{
    int i = (int)threadIdx.x;
    atomicAdd(out, -1);
    atomicMax(out + 1, i);
    atomicMin(out + 2, -i);
    atomicOr(words, 1u << i % 32);
    atomicAnd(words + 1, ~(1u << i % 32));
    atomicXor(words + 2, 1u << i % 32);
    atomicAdd(wide, 1ull << 40);
    if (atomicCAS(out + 3, 0, i + 1) == 0)
        atomicExch(out + 4, i + 1);
}

static void atomics_lose_nothing()
{
    DeviceArray<int> out(std::vector<int>(5, 0));
    DeviceArray<unsigned> words(std::vector<unsigned>{0, ~0u, 0});
    DeviceArray<unsigned long long> wide(std::vector<unsigned long long>(1, 0));
    CHECK_NO_FAULT(fault_of(4, 64, 0, count_in_many_ways, out.data, words.data, wide.data));
    std::vector<int> host = out.host();
    CHECK(host[0] == -256 && host[1] == 63 && host[2] == -63 && host[3] != 0 && host[3] == host[4]);
    CHECK(words.host() == (std::vector<unsigned>{~0u, 0, 0}));
    CHECK(wide.host()[0] == 256ull << 40);
}

static void bf16_is_rounded_to_nearest_even()
{
    CHECK(__float2bfloat16_rn(1.00390625f).bits == 0x3f80); // halfway: to even, down
    CHECK(__float2bfloat16_rn(1.01171875f).bits == 0x3f82); // halfway: to even, up
    CHECK(__float2bfloat16_rn(1.00390637f).bits == 0x3f81);
    CHECK(__float2bfloat16_rn(3.4e38f).bits == 0x7f80);
    CHECK(__float2bfloat16_rn(NAN).bits == 0x7fff);
    CHECK(__bfloat162float(__ushort_as_bfloat16(0xc040)) == -3.0f);
}

// ---- matrix products: every way to load a fragment, against three loops. Small integers: exact in every arithmetic.

enum { WIDE = 16, TILE_PITCH = 16 + PAD };

// out (16, 16) = a (16, 16) · b (16, 16) and then out2 = out · b, with out as the A operand from the accumulators
template <bool Transposed> __global__ void multiply_tiles(const element *a, const element *b, float *out, float *out2)
{
    SHARED(element, tile_a, WIDE * TILE_PITCH);
    SHARED(element, tile_b, WIDE * TILE_PITCH);
    int lane = (int)threadIdx.x;
    for (int i = lane; i < WIDE * WIDE; i += 32) {
        tile_a[i / WIDE * TILE_PITCH + i % WIDE] = a[i];
        tile_b[i / WIDE * TILE_PITCH + i % WIDE] = b[i];
    }
    __syncwarp();
    FragmentA left = Transposed ? load_a_transposed(tile_a, TILE_PITCH) : load_a(tile_a, TILE_PITCH);
    FragmentB right[2];
    Transposed ? load_b_transposed(right, tile_b, TILE_PITCH) : load_b(right, tile_b, TILE_PITCH);
    float c[2][4] = {}, c2[2][4] = {};
    for (int n = 0; n < 2; n++)
        mma(c[n], left, right[n]);
    for (int n = 0; n < 2; n++)
        mma(c2[n], as_a(c[0], c[1]), right[n]);
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < 4; i++) {
            int at = (lane / 4 + i / 2 * 8) * WIDE + n * 8 + lane % 4 * 2 + i % 2;
            out[at] = c[n][i];
            out2[at] = c2[n][i];
        }
}

static float at(const std::vector<element> &m, int row, int column, bool transposed)
{
    return widen(m[(size_t)(transposed ? column * WIDE + row : row * WIDE + column)]);
}

template <bool Transposed> static void check_products()
{
    std::vector<element> a(WIDE * WIDE), b(WIDE * WIDE);
    for (int i = 0; i < WIDE * WIDE; i++)
        a[(size_t)i] = rounded((float)(i * 7 % 5 - 2)), b[(size_t)i] = rounded((float)(i * 11 % 7 - 3));
    DeviceArray<element> device_a(a), device_b(b);
    DeviceArray<float> out(WIDE * WIDE), out2(WIDE * WIDE);
    CHECK_NO_FAULT(fault_of(1, 32, 0, multiply_tiles<Transposed>, (const element *)device_a.data,
                            (const element *)device_b.data, out.data, out2.data));
    std::vector<float> first = out.host(), second = out2.host();
    for (int row = 0; row < WIDE; row++)
        for (int column = 0; column < WIDE; column++) {
            float sum = 0, sum2 = 0; // load_b takes b as (columns, k), load_b_transposed as (k, columns)
            for (int k = 0; k < WIDE; k++) {
                sum += at(a, row, k, Transposed) * at(b, column, k, Transposed);
                sum2 += first[(size_t)(row * WIDE + k)] * at(b, column, k, Transposed);
            }
            CHECK(first[(size_t)(row * WIDE + column)] == sum);
            CHECK(second[(size_t)(row * WIDE + column)] == sum2);
        }
}

static void fragments_lie_as_the_product_wants_them()
{
    for (bool exact : {false, true}) {
        simt_mma_exact(exact);
        check_products<false>();
        check_products<true>();
    }
    simt_mma_exact(false);
}

template <bool Barrier> __global__ void overwrite_a_tile(float *out)
{
    SHARED(element, tile, WIDE * TILE_PITCH);
    int lane = (int)threadIdx.x;
    for (int i = lane; i < WIDE * TILE_PITCH; i += 32)
        tile[i] = rounded(1);
    __syncwarp();
    FragmentA fragment = load_a(tile, TILE_PITCH);
    if (Barrier)
        __syncwarp();
    tile[(31 - lane) * 8] = rounded(2);
    memcpy(out + lane, &fragment, sizeof *out);
}

static void a_fragment_is_read_by_all_its_lanes()
{
    DeviceArray<float> out(32);
    CHECK_FAULT(fault_of(1, 32, 0, overwrite_a_tile<false>, out.data), "race on", "reads it");
    CHECK_NO_FAULT(fault_of(1, 32, 0, overwrite_a_tile<true>, out.data));
}

template <int Offset> __global__ void load_rows(float *out, const __nv_bfloat16 *device)
{
    SHARED(__nv_bfloat16, tile, 32 * 8 + 8);
    uint32_t r[4];
    tile[threadIdx.x] = __ushort_as_bfloat16(0);
    ldmatrix_x4(r, Offset < 0 ? device + threadIdx.x * 8 : tile + threadIdx.x * 8 + Offset);
    out[threadIdx.x] = (float)r[0];
}

static void rows_of_fragments_are_aligned_and_shared()
{
    DeviceArray<float> out(32);
    DeviceArray<__nv_bfloat16> device(32 * 8);
    CHECK_FAULT(fault_of(1, 32, 0, load_rows<4>, out.data, (const __nv_bfloat16 *)device.data), "ldmatrix",
                "not a multiple of 16");
    CHECK_FAULT(fault_of(1, 32, 0, load_rows<-1>, out.data, (const __nv_bfloat16 *)device.data), "ldmatrix",
                "not in shared memory");
    CHECK_FAULT(fault_of(1, 16, 0, load_rows<0>, out.data, (const __nv_bfloat16 *)device.data), "ldmatrix",
                "fewer than 32 threads");
}

// ---- the arithmetic of mma, against a second writing of it, one output at a time

struct Product16 { // (16, 16) · (16, 8) + (16, 8)
    uint16_t a[16][16], b[16][8];
    float c[16][8];
};

__global__ void multiply_bf16(Product16 *p)
{
    int row = (int)threadIdx.x / 4, column = (int)threadIdx.x % 4 * 2;
    uint32_t a[4], b[2];
    float c[4];
    for (int i = 0; i < 4; i++) {
        const uint16_t *pair = &p->a[row + i % 2 * 8][column + i / 2 * 8];
        a[i] = (uint32_t)pair[0] | (uint32_t)pair[1] << 16;
        c[i] = p->c[row + i / 2 * 8][column + i % 2];
    }
    for (int i = 0; i < 2; i++)
        b[i] = (uint32_t)p->b[column + i * 8][row] | (uint32_t)p->b[column + i * 8 + 1][row] << 16;
    mma_m16n8k16_bf16(c, a, b);
    for (int i = 0; i < 4; i++)
        p->c[row + i / 2 * 8][column + i % 2] = c[i];
}

static Product16 multiply(const Product16 &p, bool exact)
{
    DeviceArray<Product16> device(std::vector<Product16>(1, p));
    simt_mma_exact(exact);
    launch(NULL, 1, 32, 0, multiply_bf16, device.data);
    simt_mma_exact(false);
    return device.host()[0];
}

static double widened(uint16_t x) { return __uint_as_float((uint32_t)x << 16); }

static int exponent_of(double x) { return x == 0 ? -126 : max(ilogb(x), -126); }

// Cut off, not rounded, behind the digit of 2^exponent.
static double cut(double x, int exponent) { return ldexp(trunc(ldexp(x, -exponent)), exponent); }

static float hopper(const Product16 &p, int row, int column)
{
    double sum = 0, c = p.c[row][column];
    int largest = exponent_of(c);
    for (int k = 0; k < 16; k++)
        largest = max(largest, exponent_of(widened(p.a[row][k])) + exponent_of(widened(p.b[k][column])));
    for (int k = 0; k < 16; k++)
        sum += cut(widened(p.a[row][k]) * widened(p.b[k][column]), largest - 25);
    sum += cut(c, largest - 25);
    return sum == 0 ? 0 : (float)cut(sum, max(ilogb(sum) - 23, -149));
}

static float summed_once(const Product16 &p, int row, int column)
{
    double sum = p.c[row][column];
    for (int k = 0; k < 16; k++)
        sum += widened(p.a[row][k]) * widened(p.b[k][column]);
    return (float)sum;
}

// Numbers of about 2^center · 2^±spread, some of them zero
static uint16_t random_bf16(int center, int spread)
{
    uint32_t word = random_word();
    if (word % 16 == 0)
        return (uint16_t)(word >> 31 << 15);
    int exponent = 127 + center + (int)(word >> 8 & 0xff) % (2 * spread + 1) - spread;
    return (uint16_t)((word >> 31 << 15) | (uint32_t)max(exponent, 0) << 7 | (word >> 16 & 0x7f));
}

static Product16 random_product(int center, int spread)
{
    Product16 p;
    for (uint16_t *x = &p.a[0][0]; x < &p.a[0][0] + 256; x++)
        *x = random_bf16(center, spread);
    for (uint16_t *x = &p.b[0][0]; x < &p.b[0][0] + 128; x++)
        *x = random_bf16(center, spread);
    for (float *x = &p.c[0][0]; x < &p.c[0][0] + 128; x++)
        *x = __uint_as_float((uint32_t)random_bf16(max(2 * center, -130), spread) << 16 | (random_word() & 0xffff));
    return p;
}

static void mma_is_a_hopper_tensor_core_to_the_bit()
{
    const int kinds[][2] = {{0, 2}, {0, 12}, {0, 40}, {-60, 8}, {-70, 8}, {-120, 10}, {40, 20}}; // center, spread
    int outputs = 0, differ_from_fast = 0;
    for (auto &kind : kinds)
        for (int repeat = 0; repeat < 50; repeat++) {
            Product16 p = random_product(kind[0], kind[1]), exact = multiply(p, true), fast = multiply(p, false);
            for (int i = 0; i < 128; i++) {
                float expected = hopper(p, i / 8, i % 8), got = exact.c[i / 8][i % 8];
                CHECK(__float_as_uint(got) == __float_as_uint(expected));
                CHECK(fast.c[i / 8][i % 8] == summed_once(p, i / 8, i % 8));
                outputs++, differ_from_fast += got != fast.c[i / 8][i % 8];
            }
        }
    CHECK(differ_from_fast > outputs / 10);
}

static void mma_passes_infinity_and_nan_on()
{
    Product16 p = random_product(0, 2);
    p.a[3][5] = 0x7f80, p.b[5][0] = 0x3f80, p.b[5][1] = 0xbf80, p.b[5][2] = 0; // infinity times 1, -1, 0
    p.c[3][3] = INFINITY, p.b[5][3] = 0xbf80, p.c[9][4] = NAN;                 // infinity minus infinity
    Product16 exact = multiply(p, true);
    CHECK(exact.c[3][0] == INFINITY && exact.c[3][1] == -INFINITY);
    CHECK(isnan(exact.c[3][2]) && isnan(exact.c[3][3]) && isnan(exact.c[9][4]));
    CHECK(exact.c[4][0] == hopper(p, 4, 0) && isfinite(exact.c[4][0]));
    for (uint16_t *x = &p.a[0][0]; x < &p.a[0][0] + 256; x++)
        *x = 0x7f00; // 2^127: sixteen products overflow
    p = Product16(p);
    for (uint16_t *x = &p.b[0][0]; x < &p.b[0][0] + 128; x++)
        *x = 0x7f00;
    CHECK(multiply(p, true).c[0][0] == INFINITY);
}

struct Product32 {
    float a[16][16], b[16][8], c[16][8];
};

__global__ void multiply_fp32(Product32 *p)
{
    int row = (int)threadIdx.x / 4, column = (int)threadIdx.x % 4 * 2;
    float a[8], b[4], c[4];
    for (int i = 0; i < 8; i++)
        a[i] = p->a[row + i / 2 % 2 * 8][column + i % 2 + i / 4 * 8];
    for (int i = 0; i < 4; i++) {
        b[i] = p->b[column + i % 2 + i / 2 * 8][row];
        c[i] = p->c[row + i / 2 * 8][column + i % 2];
    }
    mma_m16n8k16_fp32(c, a, b);
    for (int i = 0; i < 4; i++)
        p->c[row + i / 2 * 8][column + i % 2] = c[i];
}

static void mma_in_fp32_is_a_chain_of_fused_multiply_adds()
{
    Product32 p;
    for (float *x = &p.a[0][0]; x < &p.c[0][0] + 128; x++)
        *x = (float)(int32_t)random_word() * 0x1p-31f;
    DeviceArray<Product32> device(std::vector<Product32>(1, p));
    launch(NULL, 1, 32, 0, multiply_fp32, device.data);
    Product32 result = device.host()[0];
    for (int i = 0; i < 128; i++) {
        float sum = p.c[i / 8][i % 8];
        for (int k = 0; k < 16; k++)
            sum = fmaf(p.a[i / 8][k], p.b[k][i % 8], sum);
        CHECK(result.c[i / 8][i % 8] == sum);
    }
}

// ---- all of them

static const Test tests[] = {
    TEST(a_fragment_is_read_by_all_its_lanes, RACE_BUILD),
    TEST(shuffles_move_what_they_should, ANY_BUILD),
    TEST(votes_are_counted, ANY_BUILD),
    TEST(atomics_lose_nothing, ANY_BUILD),
    TEST(bf16_is_rounded_to_nearest_even, ANY_BUILD),
    TEST(fragments_lie_as_the_product_wants_them, ANY_BUILD),
    TEST(rows_of_fragments_are_aligned_and_shared, ANY_BUILD),
    TEST(mma_is_a_hopper_tensor_core_to_the_bit, ANY_BUILD),
    TEST(mma_passes_infinity_and_nan_on, ANY_BUILD),
    TEST(mma_in_fp32_is_a_chain_of_fused_multiply_adds, ANY_BUILD),
};

int main(int count, char **arguments) { return run_tests(tests, count, arguments); }
