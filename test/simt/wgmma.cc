// wgmma: products of a warpgroup (128 threads), asynchronous, as late as the program allows. When one is asked for,
// all four warps have to be there with the same descriptors; it is queued, its accumulators are taken away, and what
// lies in their place is no number. It is made, reading shared memory only then, in the first wait that says it must
// be, and a warp receives its accumulators in its own wait. Layouts of descriptors and fragments: PTX ISA, 9.7.15.
#include "bulk.h"
#include "product.h"
#include "runtime.h"
#include <deque>

namespace simt
{

enum {
    HEIGHT = 64,
    WIDEST = 256,
    WARPS = 4,
    TAKEN = 0x7fa5c3e1
}; // the bits of accumulators in flight: a signalling NaN

struct Operand { // in shared memory, with the swizzle of 128 bytes
    uint64_t descriptor;
    bool transposed; // k is not the inner dimension
};

struct Shape {
    int columns, rank; // of its block
    bool first, a_in_registers;
    Operand a, b;
    const void *caller;
};

struct Lane {
    float (*c)[4];
    const uint32_t *a;
    uint32_t a_bits[4];
};

struct Product : Shape {
    int64_t number;
    int users;              // the queue, and a later product that goes on from it
    int arrived, delivered; // warps
    int64_t group[WARPS];
    Lane lane[WARPS * WARP];
    bool made;
    Product *before; // what leaves in the same accumulators what this one adds to; NULL: they were free
    uint16_t a_values[HEIGHT][DEPTH];
    float c[HEIGHT][WIDEST];
};

struct Warpgroup {
    std::deque<Product *> queue; // asked for, by some warp, and not delivered to all
    int64_t asked[WARPS], committed[WARPS];
    bool fenced[WARPS]; // since the last wait
};

static Warpgroup warpgroups[MAX_WARPS / WARPS];

static std::vector<Product *> unused; // kept for the next ones: a fault leaves a fiber, and what it holds, behind
static std::deque<Product> products;

static void leave(Product *p)
{
    if (p != NULL && --p->users == 0)
        unused.push_back(p);
}

static Product *new_product(const Shape &shape, int64_t number)
{
    if (unused.empty()) {
        products.emplace_back();
        unused.push_back(&products.back());
    }
    Product *p = unused.back();
    unused.pop_back();
    *(Shape *)p = shape;
    p->number = number, p->users = 1, p->arrived = p->delivered = 0, p->made = false, p->before = NULL;
    return p;
}

void wgmma_begin()
{
    unused.clear();
    for (Product &p : products)
        unused.push_back(&p);
    for (Warpgroup &g : warpgroups)
        g = Warpgroup();
}

static Warpgroup *group_of(const Warp *warp) { return &warpgroups[warp->number / WARPS]; }
static int quarter(const Warp *warp) { return warp->number % WARPS; }
static int row_of(int lane, int i) { return lane / 4 + i / 2 * 8; }
static int column_of(int lane, int i) { return lane % 4 * 2 + i % 2; }

// ---- shared memory by descriptor

// The address of (line, k): line is a row of a, a column of b.
static char *element_at(const Operand *x, int line, int k, const char *start)
{
    int64_t leading = (int64_t)(x->descriptor >> 16 & 0x3fff) << 4, stride = (int64_t)(x->descriptor >> 32 & 0x3fff)
                                                                             << 4;
    int64_t offset = x->transposed ? line / 64 * leading + k / 8 * stride + k % 8 * 128 + line % 64 * 2
                                   : line / 8 * stride + line % 8 * 128 + k * 2;
    return swizzled((char *)start + offset);
}

static const char *start_of(const Operand *x, int rank, const void *caller)
{
    if (x->descriptor >> 62 != 1)
        fault("wgmma%s: only descriptors of the 128-byte swizzle are known here", place(caller));
    return (const char *)shared_pointer(shared_with_rank((uint32_t)(x->descriptor & 0x3fff) << 4, rank), 2, "wgmma",
                                        caller);
}

static void read_operand(uint16_t *values, const Operand *x, int lines, const Product *p, const Thread *reader)
{
    const char *start = start_of(x, p->rank, p->caller);
    for (int line = 0; line < lines; line++)
        for (int k = 0; k < DEPTH; k++) {
            const char *at = element_at(x, line, k, start);
            if (shared_offset(at) < 0)
                fault("wgmma%s reads %s", place(p->caller), describe_address(at));
            if (races_checked && (x->transposed ? line % 8 : k % 8) == 0) { // 16 bytes stay together
                race_access(reader, at, 16, Access::READ, p->caller);
                proxy_check(at, 16, "wgmma", p->caller);
            }
            memcpy(&values[line * DEPTH + k], at, 2);
        }
}

// Whether shared memory is read by a product that is not made yet; from `to` on so many bytes are written.
void wgmma_check_unused(const void *to, size_t bytes, const char *what, const void *caller)
{
    for (Warpgroup &g : warpgroups)
        for (const Product *p : g.queue)
            for (const Operand *x : {p->a_in_registers ? NULL : &p->a, &p->b}) {
                if (p->made || x == NULL)
                    continue;
                int lines = x == &p->a ? HEIGHT : p->columns;
                const char *start = start_of(x, p->rank, p->caller);
                for (int line = 0; line < lines; line += 8)
                    for (int k = 0; k < DEPTH; k += 8)
                        if (overlaps(element_at(x, line, k, start), 16, to, bytes))
                            fault("%s%s to %s, which a wgmma%s has still to read", what, place(caller),
                                  describe_address(to), place(p->caller));
            }
}

// ---- the product

static void multiply(Product *p, const uint16_t (*a)[DEPTH], const uint16_t (*b)[DEPTH])
{
    for (int row = 0; row < HEIGHT; row += ROWS)
        for (int column = 0; column < p->columns; column += COLUMNS) {
            MatricesOfBf16 m;
            memcpy(m.a, a[row], sizeof m.a);
            for (int k = 0; k < DEPTH; k++)
                for (int n = 0; n < COLUMNS; n++)
                    m.b[k][n] = b[column + n][k];
            for (int i = 0; i < ROWS; i++)
                memcpy(m.c[i], &p->c[row + i][column], sizeof m.c[i]);
            product_of_bf16(&m);
            for (int i = 0; i < ROWS; i++)
                memcpy(&p->c[row + i][column], m.c[i], sizeof m.c[i]);
        }
}

static Product *earlier_of(const Warpgroup *g, const Product *p, int lane)
{
    Product *found = NULL;
    for (Product *other : g->queue)
        if (other->number < p->number && other->lane[lane].c == p->lane[lane].c &&
            !(other->delivered >> lane / WARP & 1))
            found = other;
    return found;
}

static void make(Warpgroup *g, Product *p)
{
    const Thread *reader = &block.thread[(g - warpgroups) * WARPS * WARP]; // who tells others for the warpgroup
    static uint16_t b[WIDEST][DEPTH];
    if (counting)
        for (int i = 0; i < HEIGHT / ROWS * (p->columns / COLUMNS); i++)
            count_product();
    if (p->first)
        memset(p->c, 0, sizeof p->c);
    else if (p->before != NULL)
        memcpy(p->c, p->before->c, sizeof p->c);
    leave(p->before);
    p->before = NULL;
    if (!p->a_in_registers)
        read_operand(&p->a_values[0][0], &p->a, HEIGHT, p, reader);
    read_operand(&b[0][0], &p->b, p->columns, p, reader);
    multiply(p, p->a_values, b);
    p->made = true;
}

// ---- a warp asks

struct Request {
    float (*c)[4];
    const uint32_t *a;
    const Shape *wanted;
    int64_t number;
};

static void check_taken(const Product *p, int lane, const char *when)
{
    for (int i = 0; i < p->columns / 2; i++)
        if (simt_bits<uint32_t>(p->lane[lane].c[i / 4][i % 4]) != TAKEN)
            fault("wgmma%s: accumulator %d of lane %d was touched while it was in flight (%s)", place(p->caller), i,
                  lane % WARP, when);
}

static void check_alike(const Product *p, const Shape *wanted)
{
    if (p->columns != wanted->columns || p->a.descriptor != wanted->a.descriptor ||
        p->b.descriptor != wanted->b.descriptor || p->first != wanted->first)
        fault("wgmma%s: the warps of a warpgroup, or their lanes, come with different descriptors%s", place(p->caller),
              place(wanted->caller));
}

static void check_overlap(Warpgroup *g, const Product *p, int lane)
{
    for (const Product *other : g->queue)
        if (other->number < p->number && !(other->delivered >> lane / WARP & 1) &&
            other->lane[lane].c != p->lane[lane].c &&
            overlaps(other->lane[lane].c, (size_t)other->columns * 2, p->lane[lane].c, (size_t)p->columns * 2))
            fault("wgmma%s: its accumulators are in part those of another one in flight%s", place(p->caller),
                  place(other->caller));
}

static void take_lane(Warpgroup *g, Product *p, int lane, const Request *request)
{
    Lane *mine = &p->lane[lane];
    *mine = Lane{request->c, request->a, {0}};
    Product *earlier = earlier_of(g, p, lane);
    if ((p->arrived != 0 || lane % WARP > 0) && earlier != p->before)
        fault("wgmma%s: the lanes of a warpgroup come with different accumulators", place(p->caller));
    if (earlier != NULL && p->before == NULL)
        earlier->users++;
    p->before = earlier;
    if (earlier != NULL && earlier->columns != p->columns)
        fault("wgmma%s: another shape than the one in flight in the same accumulators%s", place(p->caller),
              place(earlier->caller));
    if ((earlier == NULL || p->a_in_registers) && !g->fenced[lane / WARP])
        fault("wgmma%s: no wgmma_fence since the last wait, and its registers may be written yet", place(p->caller));
    if (earlier != NULL)
        check_taken(p, lane, "at the next wgmma");
    check_overlap(g, p, lane);
    for (int j = 0; j < p->columns / 8; j++)
        for (int i = 0; i < 4; i++) {
            p->c[lane / WARP * ROWS + row_of(lane % WARP, i)][j * 8 + column_of(lane % WARP, i)] = mine->c[j][i];
            mine->c[j][i] = simt_bits<float>((uint32_t)TAKEN);
        }
    if (!p->a_in_registers)
        return;
    memcpy(mine->a_bits, mine->a, sizeof mine->a_bits);
    for (int i = 0; i < 4; i++)
        memcpy(&p->a_values[lane / WARP * ROWS + lane % WARP / 4 + i % 2 * 8][lane % 4 * 2 + i / 2 * 8], &mine->a[i],
               4);
}

static void wake_warpgroup(const Warp *warp)
{
    int first = warp->number / WARPS * WARPS * WARP;
    for (int i = first; i < first + WARPS * WARP; i++)
        if (block.thread[i].wait == Wait::WARPGROUP)
            wake(&block.thread[i]);
}

static void ask(Warp *warp, uint32_t, Operation)
{
    Warpgroup *g = group_of(warp);
    int w = quarter(warp);
    int64_t number = g->asked[w]++;
    if (g->queue.empty() || g->queue.back()->number < number)
        g->queue.push_back(new_product(*((const Request *)warp->arguments[0])->wanted, number));
    Product *p = g->queue[(size_t)(number - g->queue.front()->number)];
    for (int lane = 0; lane < WARP; lane++) {
        Request *request = (Request *)warp->arguments[lane];
        check_alike(p, request->wanted);
        request->number = number;
        take_lane(g, p, w * WARP + lane, request);
    }
    p->group[w] = g->committed[w];
    p->arrived |= 1 << w;
    if (p->arrived == (1 << WARPS) - 1)
        wake_warpgroup(warp);
}

static bool all_have_asked(const Warpgroup *g, int64_t number)
{
    for (int w = 0; w < WARPS; w++)
        if (g->asked[w] <= number)
            return false;
    return true;
}

static void request(float (*c)[4], const uint32_t *a, const Shape *wanted)
{
    Request mine = {c, a, wanted, 0};
    if (block.threads < (current->warp->number / WARPS + 1) * WARPS * WARP)
        fault("wgmma%s: the warpgroup is not whole", place(wanted->caller));
    together(Operation::WGMMA, ~0u, &mine, ask, wanted->caller);
    while (!all_have_asked(group_of(current->warp), mine.number)) {
        current->wait = Wait::WARPGROUP, current->mask = 0, current->caller = wanted->caller;
        run_others();
    }
}

// ---- a warp waits

static void check_registers(const Product *p, int lane)
{
    const Lane *mine = &p->lane[lane];
    if (p->a_in_registers && memcmp(mine->a, mine->a_bits, sizeof mine->a_bits) != 0)
        fault("wgmma%s: the registers of its left operand were changed in lane %d before it was waited for",
              place(p->caller), lane % WARP);
}

static void deliver(Warpgroup *g, Product *p, int w)
{
    if (!p->made)
        make(g, p);
    for (int lane = w * WARP; lane < (w + 1) * WARP; lane++) {
        check_registers(p, lane);
        bool last = true; // of those with these accumulators
        for (const Product *later : g->queue)
            last &= later->number <= p->number || !(later->arrived >> w & 1) || later->lane[lane].c != p->lane[lane].c;
        if (!last)
            continue;
        check_taken(p, lane, "at its wait");
        for (int j = 0; j < p->columns / 8; j++)
            for (int i = 0; i < 4; i++)
                p->lane[lane].c[j][i] = p->c[w * ROWS + row_of(lane % WARP, i)][j * 8 + column_of(lane % WARP, i)];
    }
    p->delivered |= 1 << w;
}

struct Waiting {
    int pending;
};

static void finish_wait(Warp *warp, uint32_t, Operation)
{
    Warpgroup *g = group_of(warp);
    int w = quarter(warp), pending = ((const Waiting *)warp->arguments[0])->pending;
    for (Product *p : g->queue)
        if (p->arrived >> w & 1 && !(p->delivered >> w & 1) && p->group[w] < g->committed[w] - pending)
            deliver(g, p, w);
    for (; !g->queue.empty() && g->queue.front()->delivered == (1 << WARPS) - 1; g->queue.pop_front())
        leave(g->queue.front());
    g->fenced[w] = false;
}

static void finish_commit(Warp *warp, uint32_t, Operation) { group_of(warp)->committed[quarter(warp)]++; }
static void finish_fence(Warp *warp, uint32_t, Operation) { group_of(warp)->fenced[quarter(warp)] = true; }

void wgmma_check_returned()
{
    const Warpgroup *g = group_of(current->warp);
    for (Product *p : g->queue)
        if (p->arrived >> quarter(current->warp) & 1 && !(p->delivered >> quarter(current->warp) & 1))
            fault("the thread returns before a wait for the wgmma%s", place(p->caller));
}

} // namespace simt

using namespace simt;

void simt_wgmma(float (*c)[4], int columns, const uint32_t *a_registers, uint64_t a, bool a_transposed, uint64_t b,
                bool b_transposed, bool first)
{
    const void *caller = __builtin_return_address(0);
    Shape wanted = {columns, current->rank, first, a_registers != NULL, {a, a_transposed}, {b, b_transposed}, caller};
    request(c, a_registers, &wanted);
}

void simt_wgmma_fence(void)
{
    int nothing = 0;
    together(Operation::WGMMA_FENCE, ~0u, &nothing, finish_fence, __builtin_return_address(0));
}

void simt_wgmma_commit(void)
{
    int nothing = 0;
    together(Operation::WGMMA_COMMIT, ~0u, &nothing, finish_commit, __builtin_return_address(0));
}

void simt_wgmma_wait(int pending)
{
    Waiting mine = {pending};
    together(Operation::WGMMA_WAIT, ~0u, &mine, finish_wait, __builtin_return_address(0));
}
