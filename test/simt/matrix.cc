// ldmatrix and mma.sync, for a whole warp at once: the fragments are gathered from the 32 lanes' registers into small
// matrices, multiplied (product.cc), and spread again (layouts: PTX ISA, 9.7.14).
#include "product.h"
#include "runtime.h"

namespace simt
{

// ---- fragments

struct Fragments { // of one lane
    float *c;
    const void *a, *b;
};

// The k of a lane's first, second, ... element; they come in pairs of neighbours, and the second half is 8 further on.
static int k_of(int lane, int pair) { return lane % 4 * 2 + pair * 8; }

template <typename T> static void gather(Matrices<T> *m, Warp *warp)
{
    for (int lane = 0; lane < WARP; lane++) {
        const Fragments *fragments = (const Fragments *)warp->arguments[lane];
        const T *a = (const T *)fragments->a, *b = (const T *)fragments->b;
        int row = lane / 4, column = lane % 4 * 2;
        for (int pair = 0; pair < 4; pair++)
            memcpy(&m->a[row + pair % 2 * 8][k_of(lane, pair / 2)], a + 2 * pair, 2 * sizeof *a);
        for (int i = 0; i < 4; i++)
            m->b[k_of(lane, i / 2) + i % 2][row] = b[i];
        memcpy(&m->c[row][column], fragments->c, 2 * sizeof(float));
        memcpy(&m->c[row + 8][column], fragments->c + 2, 2 * sizeof(float));
    }
}

template <typename T> static void spread(const Matrices<T> *m, Warp *warp)
{
    for (int lane = 0; lane < WARP; lane++) {
        float *c = ((Fragments *)warp->arguments[lane])->c;
        memcpy(c, &m->c[lane / 4][lane % 4 * 2], 2 * sizeof *c);
        memcpy(c + 2, &m->c[lane / 4 + 8][lane % 4 * 2], 2 * sizeof *c);
    }
}

static void finish_bf16(Warp *warp, uint32_t, Operation)
{
    MatricesOfBf16 m;
    if (counting)
        count_product();
    gather(&m, warp);
    product_of_bf16(&m);
    spread(&m, warp);
}

static void finish_fp32(Warp *warp, uint32_t, Operation)
{
    MatricesOfFloat m;
    gather(&m, warp);
    product_of_floats(&m);
    spread(&m, warp);
}

// ---- ldmatrix

struct Rows { // of one lane
    uint32_t *r;
    const char *row;
    const void *caller;
};

static void check_row(const Thread *lane, const Rows *rows)
{
    if (!is_shared(rows->row))
        fault("ldmatrix or stmatrix%s: the row %p of lane %d is not in shared memory", place(rows->caller), rows->row,
              lane->lane);
    if ((uintptr_t)rows->row % 16 != 0)
        fault("ldmatrix or stmatrix%s: the row %p of lane %d is not a multiple of 16", place(rows->caller), rows->row,
              lane->lane);
}

// In the eyes of the race check a row is read by the lane that gives its address and by the lanes that receive of it.
static void note_reads(Warp *warp, bool transposed)
{
    int neighbours = transposed ? 1 : 2; // of a row that one lane receives
    for (int giver = 0; giver < WARP; giver++) {
        const Rows *rows = (const Rows *)warp->arguments[giver];
        race_access(&warp->lanes[giver], rows->row, 16, Access::READ, rows->caller);
        if (counting)
            count_access(&warp->lanes[giver], rows->row, 16, false, rows->caller);
        for (int i = 0; i < 8; i += neighbours) {
            int receiver = transposed ? i * 4 + giver % 8 / 2 : giver % 8 * 4 + i / 2;
            race_access(&warp->lanes[receiver], rows->row + 2 * i, 2 * (size_t)neighbours, Access::READ, rows->caller);
        }
    }
}

static void finish_ldmatrix(Warp *warp, uint32_t, Operation operation)
{
    bool transposed = operation == Operation::LDMATRIX_TRANS;
    uint16_t row[WARP][8]; // of matrix i / 8, row i % 8
    for (int lane = 0; lane < WARP; lane++)
        check_row(&warp->lanes[lane], (const Rows *)warp->arguments[lane]);
    if (races_checked)
        note_reads(warp, transposed);
    for (int lane = 0; lane < WARP; lane++)
        memcpy(row[lane], ((const Rows *)warp->arguments[lane])->row, 16);
    for (int lane = 0; lane < WARP; lane++)
        for (int matrix = 0; matrix < 4; matrix++) {
            int line = lane / 4, pair = lane % 4 * 2;
            uint32_t low = transposed ? row[matrix * 8 + pair][line] : row[matrix * 8 + line][pair];
            uint32_t high = transposed ? row[matrix * 8 + pair + 1][line] : row[matrix * 8 + line][pair + 1];
            ((Rows *)warp->arguments[lane])->r[matrix] = low | high << 16;
        }
}

// ---- stmatrix: the way back, by the generic proxy

static void finish_stmatrix(Warp *warp, uint32_t, Operation)
{
    uint32_t value[WARP][4];
    for (int lane = 0; lane < WARP; lane++)
        memcpy(value[lane], ((const Rows *)warp->arguments[lane])->r, sizeof value[lane]);
    for (int giver = 0; giver < WARP; giver++) {
        const Thread *lane = &warp->lanes[giver];
        const Rows *rows = (const Rows *)warp->arguments[giver];
        check_row(lane, rows);
        race_access(lane, rows->row, 16, Access::WRITE, rows->caller);
        proxy_written(lane, rows->row, 16);
        for (int i = 0; i < 4; i++)
            memcpy((char *)rows->row + 4 * i, &value[giver % 8 * 4 + i][giver / 8], 4);
    }
}

static void check_whole_warp(Operation operation, const void *caller)
{
    if (current->warp->existing != ~0u)
        fault("%s%s in a warp of fewer than 32 threads", operation_name(operation), place(caller));
}

static void multiply(Operation operation, Fragments fragments, Finish finish, const void *caller)
{
    check_whole_warp(operation, caller);
    together(operation, ~0u, &fragments, finish, caller);
}

} // namespace simt

using namespace simt;

void simt_mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    multiply(Operation::MMA_BF16, Fragments{c, a, b}, finish_bf16, __builtin_return_address(0));
}

void simt_mma_fp32(float c[4], const float a[8], const float b[4])
{
    multiply(Operation::MMA_FP32, Fragments{c, a, b}, finish_fp32, __builtin_return_address(0));
}

static void load_matrices(const Rows *rows, bool transposed)
{
    Operation operation = transposed ? Operation::LDMATRIX_TRANS : Operation::LDMATRIX;
    check_whole_warp(operation, rows->caller);
    together(operation, ~0u, (void *)rows, finish_ldmatrix, rows->caller);
}

void simt_ldmatrix(uint32_t r[4], const void *row, bool transposed)
{
    Rows rows = {r, (const char *)row, __builtin_return_address(0)};
    load_matrices(&rows, transposed);
}

void simt_ldmatrix(uint32_t r[4], uint32_t row, bool transposed)
{
    const void *caller = __builtin_return_address(0);
    Rows rows = {r, (const char *)shared_pointer(row, 16, "ldmatrix", caller), caller};
    load_matrices(&rows, transposed);
}

void simt_stmatrix(void *row, const uint32_t r[4])
{
    uint32_t values[4] = {r[0], r[1], r[2], r[3]};
    Rows rows = {values, (const char *)row, __builtin_return_address(0)};
    check_whole_warp(Operation::STMATRIX, rows.caller);
    together(Operation::STMATRIX, ~0u, &rows, finish_stmatrix, rows.caller);
}
