// Do the ways to make a bf16 matrix product on this card give the same bits? The same chains (one for each output, k
// ascending from zero in groups of 16) are made by mma.sync, by mma.sync with its operands exchanged, by wgmma of
// all widths and layouts that the kernels use, by our own products, by cuBLASLt as the backend calls it, and
// on the CPU by lab/bench/tensor_core.h; for every pair it is counted how many outputs differ. Then rows: is a row of a
// product of many rows the row of a product of fewer, or of one that was padded to sixteen with zeros? Kept to is only
// what this program finds to hold.
//
//   chain_check [--json FILE] [--seed N] [--model-only] [--smoke]
// It prints findings and does not judge: it fails where it cannot measure. wgmma is there on cards of compute
// capability 9.0, if the build has it (HAVE_WGMMA, dev/cuda.mk).
#include "lab/bench/tensor_core.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/hopper.h"
#include "kernels/cuda/hopper_product.h"
#include "kernels/cuda/operations.h"
#if HOPPER_KERNELS
#include "kernels/cuda/hopper_tile.cuh"
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <vector>

extern "C" const Kernels *kernels_cuda_open(void);

typedef std::vector<uint16_t> Numbers; // bf16

// ---- mma.sync: a warp makes 16 x 8 outputs of c (M, N) = a (M, K) · b (N, K)ᵀ straight from memory; exchanged: of its
// transpose

__device__ inline uint32_t pair(const uint16_t *row, int64_t k) { return *(const uint32_t *)(row + k); }

__global__ void mma_kernel(float *c, const uint16_t *a, const uint16_t *b, int64_t n, int64_t k, bool exchanged)
{
    int lane = (int)threadIdx.x, row = lane / 4, column = lane % 4 * 2;
    const uint16_t *left = a + ((int64_t)blockIdx.y * 16 + row) * k, *right = b + ((int64_t)blockIdx.x * 8 + row) * k;
    float x[4] = {};
    for (int64_t i = column; i < k; i += 16) {
        uint32_t p[4] = {pair(left, i), pair(left + 8 * k, i), pair(left, i + 8), pair(left + 8 * k, i + 8)};
        uint32_t q[2] = {pair(right, i), pair(right, i + 8)};
        mma_m16n8k16_bf16(x, p, q);
    }
    for (int i = 0; i < 4; i++) {
        int64_t r = (int64_t)blockIdx.y * 16 + row + i / 2 * 8, s = (int64_t)blockIdx.x * 8 + column + i % 2;
        c[exchanged ? s * n + r : r * n + s] = x[i];
    }
}

// ---- wgmma: four warps make 64 x WIDTH outputs

// How an operand reaches the tensor core: a tile of its rows, a tile of its columns, or from registers (the left one)
enum Layout { ROWS, TURNED, REGISTERS };

enum { TURNED_PART_BYTES = 64 * 128 };

#if HOPPER_KERNELS

// 64 k of `rows` rows from memory, as TMA would lay them down; zeros behind the last k and the last live row.
__device__ inline void put_slab(unsigned char *tile, const uint16_t *x, int rows, int live_rows, int64_t k,
                                int64_t first)
{
    for (int i = (int)threadIdx.x; i < rows * 8; i += (int)blockDim.x) {
        int row = i / 8, chunk = i % 8;
        bool live = first + chunk * 8 < k && row < live_rows;
        *(uint4 *)(tile + row * 128 + (chunk ^ row % 8) * 16) =
            live ? *(const uint4 *)(x + row * k + first + chunk * 8) : uint4{0, 0, 0, 0};
    }
}

// The same as columns: 64 of them to a part, its rows the 64 k
__device__ inline void put_turned_slab(unsigned char *tile, const uint16_t *x, int rows, int live_rows, int64_t k,
                                       int64_t first)
{
    for (int i = (int)threadIdx.x; i < rows * 64; i += (int)blockDim.x) {
        int row = i / 64, line = i % 64;
        bool live = first + line < k && row < live_rows;
        unsigned char *part = tile + row / 64 * TURNED_PART_BYTES + line * 128;
        *(uint16_t *)(part + (row % 64 / 8 ^ line % 8) * 16 + row % 8 * 2) =
            live ? x[row * k + first + line] : (uint16_t)0;
    }
}

template <int WIDTH, Layout LEFT, Layout RIGHT>
__device__ inline void multiply(float (*d)[4], const unsigned char *left, const unsigned char *right,
                                const uint16_t *mine, int64_t k, int i)
{
    uint64_t y = RIGHT == TURNED ? transposed_descriptor(shared_address(right) + i * 128, TURNED_PART_BYTES)
                                 : tile_descriptor(shared_address(right) + i * 2);
    uint32_t p[4] = {pair(mine, 0), pair(mine + 8 * k, 0), pair(mine, 8), pair(mine + 8 * k, 8)};
    wgmma_fence();
    if constexpr (LEFT == REGISTERS)
        wgmma<WIDTH, RIGHT == TURNED>(d, p, y);
    else if constexpr (LEFT == TURNED)
        wgmma<WIDTH, false, true, RIGHT == TURNED>(
            d, transposed_descriptor(shared_address(left) + i * 128, TURNED_PART_BYTES), y);
    else
        wgmma<WIDTH, false, false, RIGHT == TURNED>(d, tile_descriptor(shared_address(left) + i * 2), y);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_hold<WIDTH / 8>(d);
}

template <int WIDTH, Layout LEFT, Layout RIGHT>
__global__ void __launch_bounds__(128, 1)
    wgmma_kernel(float *c, const uint16_t *a, const uint16_t *b, int64_t n, int64_t k)
{
#if HOPPER_CODE
    unsigned char *left = PRECISION::dynamic_shared_tiles(), *right = left + TURNED_PART_BYTES;
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, row = warp * 16 + lane / 4, column = lane % 4 * 2;
    int64_t first_column = (int64_t)blockIdx.x * WIDTH;
    int live = n - first_column < WIDTH ? (int)(n - first_column) : WIDTH;
    a += (int64_t)blockIdx.y * 64 * k;
    b += first_column * k;
    float d[WIDTH / 8][4];
#pragma unroll
    for (int j = 0; j < WIDTH / 8; j++)
        d[j][0] = d[j][1] = d[j][2] = d[j][3] = 0;
    for (int64_t first = 0; first < k; first += 64) {
        LEFT == TURNED ? put_turned_slab(left, a, 64, 64, k, first) : put_slab(left, a, 64, 64, k, first);
        RIGHT == TURNED ? put_turned_slab(right, b, WIDTH, live, k, first) : put_slab(right, b, WIDTH, live, k, first);
        proxy_fence();
        __syncthreads();
        for (int i = 0; i < 64 && first + i < k; i += 16)
            multiply<WIDTH, LEFT, RIGHT>(d, left, right, a + row * k + first + i + column, k, i);
        __syncthreads();
    }
    c += ((int64_t)blockIdx.y * 64 + row) * n + first_column + column;
#pragma unroll
    for (int j = 0; j < WIDTH / 8; j++)
        for (int i = 0; i < 4; i++)
            if (column + j * 8 < live)
                c[i / 2 * 8 * n + j * 8 + i % 2] = d[j][i];
#endif
}

#endif

// ---- the ways

static void must(bool ok)
{
    if (ok)
        return;
    fprintf(stderr, "chain_check: %s\n", error_text());
    exit(1);
}

static const Kernels *kernels;

struct Way {
    const char *name;
    bool (*make)(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n,
                 int64_t k); // false: not on this card
};

static bool by_mma(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    launch(NULL, dim3((unsigned)(n / 8), (unsigned)(m / 16)), dim3(32), 0, mma_kernel, c, a, b, n, k, false);
    return true;
}

static bool by_exchanged_mma(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    launch(NULL, dim3((unsigned)(m / 8), (unsigned)(n / 16)), dim3(32), 0, mma_kernel, c, b, a, n, k, true);
    return true;
}

template <int WIDTH, Layout LEFT, Layout RIGHT>
static bool by_wgmma(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
#if HOPPER_KERNELS
    if (!PRECISION::hopper_chosen("DEREASON_MATMUL"))
        return false;
    size_t shared = TURNED_PART_BYTES * (size_t)(1 + ceil_divide(WIDTH, 64));
    launch(NULL, dim3((unsigned)ceil_divide(n, WIDTH), (unsigned)(m / 64)), dim3(128), shared,
           wgmma_kernel<WIDTH, LEFT, RIGHT>, c, a, b, n, k);
    return true;
#else
    return false;
#endif
}

static Product forward_product(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    return Product{MATMUL_FORWARD, m, n, k, a, b, c, k, k, n, true, false};
}

static bool by_own(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    Product p = forward_product(c, a, b, m, n, k);
    PRECISION::product_own(NULL, &p);
    return true;
}

// By every kind of tile that the trainer's products have, and its kernel of few rows
template <bool TALL, bool PAIRS>
static bool by_own_wgmma(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    Product p = forward_product(c, a, b, m, n, k);
    return PRECISION::hopper_product_tiled(NULL, &p, HopperTiling{TALL, PAIRS});
}

static bool by_own_few_rows(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    Product p = forward_product(c, a, b, m, n, k);
    return PRECISION::hopper_few_rows(NULL, &p);
}

static __global__ void turn_kernel(uint16_t *to, const uint16_t *from, int64_t rows, int64_t columns)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < rows * columns)
        to[i % columns * rows + i / columns] = from[i];
}

// (columns, rows) from (rows, columns)
static uint16_t *turned(const uint16_t *x, int64_t rows, int64_t columns)
{
    uint16_t *to = (uint16_t *)kernels->allocate((size_t)(rows * columns) * sizeof *to);
    must(to != NULL);
    launch(NULL, dim3((unsigned)ceil_divide(rows * columns, 128)), dim3(128), 0, turn_kernel, to, x, rows, columns);
    return to;
}

// As a weight's gradient, whose operands are both columns
template <bool TALL>
static bool by_own_weight(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    uint16_t *left = turned(a, m, k), *right = turned(b, n, k);
    Product p = {MATMUL_BACKWARD_WEIGHT, m, n, k, left, right, c, m, n, n, true, false};
    bool made = PRECISION::hopper_product_tiled(NULL, &p, HopperTiling{TALL, false});
    must(kernels->synchronize(NULL));
    kernels->release(left);
    kernels->release(right);
    return made;
}

static bool by_library(float *c, const uint16_t *a, const uint16_t *b, int64_t m, int64_t n, int64_t k)
{
    Product p = forward_product(c, a, b, m, n, k);
    return PRECISION::product_library(NULL, &p);
}

// The widths are those of few rows (8 to 256), of the products' tiles (160, 256) and of attention (64, 128);
// attention's left operands are tiles, columns of them, or come from registers.
static const Way WAYS[] = {{"mma.sync", by_mma},
                           {"mma.sync exchanged", by_exchanged_mma},
                           {"wgmma n8", by_wgmma<8, ROWS, ROWS>},
                           {"wgmma n16", by_wgmma<16, ROWS, ROWS>},
                           {"wgmma n32", by_wgmma<32, ROWS, ROWS>},
                           {"wgmma n64", by_wgmma<64, ROWS, ROWS>},
                           {"wgmma n96", by_wgmma<96, ROWS, ROWS>},
                           {"wgmma n112", by_wgmma<112, ROWS, ROWS>},
                           {"wgmma n128", by_wgmma<128, ROWS, ROWS>},
                           {"wgmma n160", by_wgmma<160, ROWS, ROWS>},
                           {"wgmma n192", by_wgmma<192, ROWS, ROWS>},
                           {"wgmma n256", by_wgmma<256, ROWS, ROWS>},
                           {"wgmma n256, right columns", by_wgmma<256, ROWS, TURNED>},
                           {"wgmma n64, both columns", by_wgmma<64, TURNED, TURNED>},
                           {"wgmma n128, both columns", by_wgmma<128, TURNED, TURNED>},
                           {"wgmma n160, both columns", by_wgmma<160, TURNED, TURNED>},
                           {"wgmma n64, registers", by_wgmma<64, REGISTERS, ROWS>},
                           {"wgmma n128, registers", by_wgmma<128, REGISTERS, ROWS>},
                           {"wgmma n64, registers and columns", by_wgmma<64, REGISTERS, TURNED>},
                           {"wgmma n128, registers and columns", by_wgmma<128, REGISTERS, TURNED>},
                           {"our own by mma.sync", by_own},
                           {"our own, 128 x 256", by_own_wgmma<false, false>},
                           {"our own, 256 x 160", by_own_wgmma<true, false>},
                           {"our own, 128 x 256 in pairs", by_own_wgmma<false, true>},
                           {"our own, 256 x 160 in pairs", by_own_wgmma<true, true>},
                           {"our own, of a weight, 128 x 256", by_own_weight<false>},
                           {"our own, of a weight, 256 x 160", by_own_weight<true>},
                           {"our own, few rows", by_own_few_rows},
                           {"cuBLASLt", by_library}};

// ---- numbers: ordinary ones, and ones that show how a group is added up

static uint64_t random_state;

static uint32_t random_word()
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

static uint16_t bf16_of(float x) // towards zero: which numbers they are does not matter
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static uint16_t ordinary()
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (float)(random_word() & 0xffff) * 0x1p-16f - 0.5f;
    return bf16_of(sum * 1.7f);
}

static uint16_t with_exponent(int low, int high)
{
    float size = 1 + (float)(random_word() & 0x7f) / 128;
    return bf16_of(ldexpf(random_word() & 1 ? size : -size, low + (int)(random_word() % (uint32_t)(high - low + 1))));
}

enum DataKind { ORDINARY, SPREAD, CANCELLING, TINY, DATA_KINDS };
static const char *const DATA_NAMES[] = {"ordinary", "exponents spread over 2^±20", "groups that cancel",
                                         "near the smallest"};

// Cancelling: number i of a group is almost the negative of number i - 8, over the same right operand (see
// right_operand).
static Numbers left_operand(DataKind kind, int64_t rows, int64_t k)
{
    Numbers x((size_t)(rows * k));
    for (int64_t i = 0; i < rows * k; i++) {
        if (kind == ORDINARY)
            x[(size_t)i] = ordinary();
        else if (kind == SPREAD)
            x[(size_t)i] = with_exponent(-20, 20);
        else if (kind == TINY)
            x[(size_t)i] = with_exponent(-72, -62);
        else
            x[(size_t)i] =
                i % 16 < 8 ? with_exponent(-12, 12) : (uint16_t)((x[(size_t)i - 8] ^ 0x8000) + (random_word() & 1));
    }
    return x;
}

static Numbers right_operand(DataKind kind, int64_t rows, int64_t k)
{
    Numbers x = left_operand(kind == CANCELLING ? SPREAD : kind, rows, k);
    for (int64_t i = 0; kind == CANCELLING && i < rows * k; i++)
        if (i % 16 >= 8)
            x[(size_t)i] = x[(size_t)i - 8];
    return x;
}

// ---- on the device and back

static uint16_t *on_device(const Numbers &x)
{
    uint16_t *p = (uint16_t *)kernels->allocate(x.size() * sizeof x[0]);
    must(p != NULL);
    kernels->upload(NULL, p, x.data(), x.size() * sizeof x[0]);
    return p;
}

static std::vector<float> from_device(const float *c, int64_t count)
{
    std::vector<float> x((size_t)count);
    must(kernels->download(NULL, x.data(), c, x.size() * sizeof x[0]));
    return x;
}

struct Made {
    std::string name;
    std::vector<float> c;
};

static std::vector<float> by_cpu(const Numbers &a, const Numbers &b, int64_t m, int64_t n, int64_t k)
{
    std::vector<float> c((size_t)(m * n));
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            c[(size_t)(i * n + j)] = tensor_core_chain(&a[(size_t)(i * k)], &b[(size_t)(j * k)], k);
    return c;
}

static std::vector<Made> make_all(const Numbers &a, const Numbers &b, int64_t m, int64_t n, int64_t k)
{
    std::vector<Made> made = {{"CPU model", by_cpu(a, b, m, n, k)}};
    if (kernels == NULL)
        return made;
    uint16_t *x = on_device(a), *w = on_device(b);
    size_t bytes = (size_t)(m * n) * sizeof(float);
    float *c = (float *)kernels->allocate(bytes);
    must(c != NULL);
    for (const Way &way : WAYS) {
        device_check(cudaMemset(c, 0xff, bytes), "poisoning");
        if (way.make(c, x, w, m, n, k))
            made.push_back({way.name, from_device(c, m * n)});
        else
            printf("  skipped: %s is not there\n", way.name);
    }
    kernels->release(x);
    kernels->release(w);
    kernels->release(c);
    return made;
}

// ---- comparing

static int64_t count_differences(const float *x, const float *y, int64_t count)
{
    int64_t differ = 0;
    for (int64_t i = 0; i < count; i++)
        differ += memcmp(x + i, y + i, sizeof *x) != 0 && !(x[i] == 0 && y[i] == 0); // the sign of a zero is nobody's
    return differ;
}

// The largest distance over the largest number: a wrong layout shows here, and is no rounding.
static double distance(const std::vector<float> &x, const std::vector<float> &y)
{
    double far = 0, largest = 0;
    for (size_t i = 0; i < x.size(); i++) {
        double apart = fabs((double)x[i] - y[i]);
        far = apart > far || apart != apart ? apart : far;
        largest = fabs(y[i]) > largest ? fabs(y[i]) : largest;
    }
    return far / largest;
}

static void compare_ways(FILE *json, DataKind kind, int64_t k)
{
    enum { M = 64, N = 256 };
    Numbers a = left_operand(kind, M, k), b = right_operand(kind, N, k);
    printf("%s, k = %d, %d outputs\n", DATA_NAMES[kind], (int)k, M * N);
    std::vector<Made> made = make_all(a, b, M, N, k);
    for (size_t i = 0; i < made.size(); i++)
        for (size_t j = i + 1; j < made.size(); j++) {
            int64_t differ = count_differences(made[i].c.data(), made[j].c.data(), M * N);
            double apart = distance(made[j].c, made[i].c);
            if (i < 2 || differ > 0) // of pairs that agree, those with the CPU and with mma.sync are enough to read
                printf("  %-34s %-34s %6d differ, at most %.1e apart\n", made[i].name.c_str(), made[j].name.c_str(),
                       (int)differ, apart);
            fprintf(json,
                    "{\"check\": \"chains\", \"data\": \"%s\", \"k\": %d, \"one\": \"%s\", \"other\": \"%s\", "
                    "\"differ\": %d, "
                    "\"of\": %d, \"apart\": %.3e}\n",
                    DATA_NAMES[kind], (int)k, made[i].name.c_str(), made[j].name.c_str(), (int)differ, M * N, apart);
        }
}

// ---- rows: the first rows of a product of few, against the same rows of a product of all, by the same maker and by
// our own

static const int64_t COUNTS[] = {1, 2, 7, 8, 16, 17, 64, 128, 257, 1024, 8192};
static struct {
    int64_t most, n, k;
} sizes = {8192, 2560, 4096};

static const char *maker_name(bool library) { return library ? "cuBLASLt" : "our own"; }

static bool make_product(bool library, const Product *p)
{
    if (library)
        return PRECISION::product_library(NULL, p);
    PRECISION::product_own(NULL, p);
    return true;
}

// c is what the trainer makes: bf16, except for the head's logits and the gradients of weights.
struct Trial {
    const char *name;
    MatmulForm form;
    bool is_float;
};
static const Trial TRIALS[] = {{"forward", MATMUL_FORWARD, false},
                               {"forward, fp32 result", MATMUL_FORWARD, true},
                               {"backward_input", MATMUL_BACKWARD_INPUT, false}};

struct Arrays {
    uint16_t *a, *b;
    void *c;
};

static Arrays arrays_for_rows()
{
    Arrays x = {on_device(left_operand(ORDINARY, sizes.most, sizes.k)),
                on_device(left_operand(ORDINARY, sizes.n, sizes.k)),
                kernels->allocate((size_t)(sizes.most * sizes.n) * sizeof(float))};
    must(x.c != NULL);
    return x;
}

static void release(const Arrays &x)
{
    kernels->release(x.a);
    kernels->release(x.b);
    kernels->release(x.c);
}

static Product row_product(const Trial &trial, const Arrays &x, int64_t m)
{
    int64_t n = sizes.n, k = sizes.k, b_pitch = trial.form == MATMUL_FORWARD ? k : n;
    return Product{trial.form, m, n, k, x.a, x.b, x.c, k, b_pitch, n, trial.is_float, false};
}

// Empty where the maker is not there.
static std::vector<char> rows_of(bool library, const Trial &trial, const Arrays &x, int64_t m)
{
    Product p = row_product(trial, x, m);
    std::vector<char> rows((size_t)(m * p.n) * (trial.is_float ? 4 : 2));
    device_check(cudaMemset(x.c, 0xff, rows.size()), "poisoning");
    if (!make_product(library, &p))
        return {};
    must(kernels->download(NULL, rows.data(), x.c, rows.size()));
    return rows;
}

static int rows_that_differ(const std::vector<char> &some, const std::vector<char> &all, size_t row)
{
    int differ = 0;
    for (size_t at = 0; at < some.size(); at += row)
        differ += memcmp(&some[at], &all[at], row) != 0;
    return differ;
}

static void compare_rows(FILE *json, const Trial &trial, bool library)
{
    Arrays x = arrays_for_rows();
    size_t row = (size_t)sizes.n * (trial.is_float ? 4 : 2);
    std::vector<char> ours = rows_of(false, trial, x, sizes.most), all = rows_of(library, trial, x, sizes.most);
    for (int64_t count : COUNTS) {
        if (all.empty() || count > sizes.most)
            continue;
        std::vector<char> some = rows_of(library, trial, x, count);
        int alone = rows_that_differ(some, all, row), from_ours = rows_that_differ(some, ours, row);
        printf("  %-9s %-21s %5d of %d rows: %d differ from the whole, %d from ours\n", maker_name(library), trial.name,
               (int)count, (int)sizes.most, alone, from_ours);
        fprintf(json,
                "{\"check\": \"rows\", \"by\": \"%s\", \"form\": \"%s\", \"rows\": %d, \"differ\": %d, \"from_ours\": "
                "%d}\n",
                maker_name(library), trial.name, (int)count, alone, from_ours);
    }
    release(x);
}

// One row, and the same row with fifteen of zeros below it.
static void compare_padding(FILE *json, bool library)
{
    Arrays x = arrays_for_rows();
    cudaMemset(x.a + sizes.k, 0, (size_t)(15 * sizes.k) * sizeof *x.a);
    std::vector<char> padded = rows_of(library, TRIALS[1], x, 16), alone = rows_of(library, TRIALS[1], x, 1);
    if (!padded.empty()) {
        int differ = rows_that_differ(alone, padded, sizeof(float));
        printf("  %-9s one row alone and padded to sixteen: %d of %d outputs differ\n", maker_name(library), differ,
               (int)sizes.n);
        fprintf(json, "{\"check\": \"padding\", \"by\": \"%s\", \"differ\": %d, \"of\": %d}\n", maker_name(library),
                differ, (int)sizes.n);
    }
    release(x);
}

// The gradient of a weight is a chain over the rows: there is nothing to compare it with but our own.
static void compare_weights(FILE *json)
{
    Arrays x = arrays_for_rows();
    int64_t n = sizes.n;
    std::vector<float> made[2];
    for (int64_t count : COUNTS) {
        Product p = {MATMUL_BACKWARD_WEIGHT, n, n, count, x.a, x.a, x.c, n, n, n, true, false};
        if (count > sizes.most || !make_product(true, &p))
            continue;
        made[1] = from_device((float *)x.c, n * n);
        make_product(false, &p);
        made[0] = from_device((float *)x.c, n * n);
        int differ = (int)count_differences(made[0].data(), made[1].data(), n * n);
        printf("  cuBLASLt  backward_weight       over %5d rows: %d of %d differ from ours\n", (int)count, differ,
               (int)(n * n));
        fprintf(json, "{\"check\": \"weights\", \"by\": \"cuBLASLt\", \"rows\": %d, \"from_ours\": %d, \"of\": %d}\n",
                (int)count, differ, (int)(n * n));
    }
    release(x);
}

static void open_backend()
{
    setenv("DEREASON_CUDA", "bf16", 1);
    setenv("DEREASON_MATMUL", "cublaslt", 1); // unchecked: here it is what is checked
    kernels = kernels_cuda_open();
    if (kernels == NULL) {
        error_clear();
        setenv("DEREASON_MATMUL", "own", 1);
        must((kernels = kernels_cuda_open()) != NULL);
    }
    printf("%s\n", kernels->device());
}

static int usage(void)
{
    fprintf(stderr, "usage: chain_check [--json FILE] [--seed N] [--model-only] [--smoke]\n");
    return 2;
}

int main(int count, char **arguments)
{
    FILE *json = NULL;
    bool model_only = false, smoke = false;
    random_state = 0x9e3779b97f4a7c15u;
    for (int i = 1; i < count; i++) {
        std::string a = arguments[i];
        if (a == "--json" && i + 1 < count && json == NULL)
            json = fopen(arguments[++i], "w");
        else if (a == "--seed" && i + 1 < count)
            random_state ^= strtoull(arguments[++i], NULL, 10) * 0xbf58476d1ce4e5b9u;
        else if (a == "--model-only")
            model_only = true;
        else if (a == "--smoke")
            smoke = true, sizes.most = 64, sizes.n = 64, sizes.k = 64;
        else
            return usage();
    }
    if (json == NULL && (json = fopen("/dev/null", "w")) == NULL)
        return 1;
    if (!model_only)
        open_backend();
    for (int kind = 0; kind < DATA_KINDS; kind++)
        compare_ways(json, (DataKind)kind, smoke ? 64 : kind == ORDINARY ? 9728 : 2560);
    for (int library = 0; library < 2 && !model_only; library++) {
        for (const Trial &trial : TRIALS)
            compare_rows(json, trial, library);
        compare_padding(json, library);
    }
    if (!model_only)
        compare_weights(json);
    return fclose(json) == 0 ? 0 : 1;
}
