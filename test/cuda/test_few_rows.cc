// The matrix product for few rows on Hopper (kernels/cuda/hopper_few.cu): its bits are those of the products for any
// card, for every number of rows up to its most, for results and weights that end inside of a tile, and with SwiGLU
// behind it; also in a graph, where it begins before the operation in front of it has ended.
#define PRECISION bf16
#include "kernels/cuda/operations.h"
#include "test/cuda/call.h"

namespace bf16 // kernels/cuda/hopper.h, which is for the compilers of kernels
{
bool hopper_chosen(const char *variable);
} // namespace bf16

// bf16 alone, and not on every card
static bool are_made_here() { return settings.bf16 && bf16::hopper_chosen("DEREASON_MATMUL"); }

struct Shape {
    int64_t T, N, K;
};

static std::string name(const char *what, Shape s)
{
    return text("%s of T %d N %d K %d", what, (int)s.T, (int)s.N, (int)s.K);
}

template <typename Run> static auto by_mma(const Run &run) -> decltype(run())
{
    setenv("DEREASON_MATMUL", "mma", 1);
    auto result = run();
    unsetenv("DEREASON_MATMUL");
    return result;
}

static void check_product(Shape s)
{
    Matrix x = random_matrix(s.T, s.K, 1), w = random_matrix(s.N, s.K, 2), before = random_matrix(s.T, s.N, 3);
    for (const Matrix *old : {(const Matrix *)NULL, (const Matrix *)&before}) {
        auto run = [&] { return matmul_forward(settings.cuda, old, x, w); };
        check_same(name(old == NULL ? "a product" : "a product that adds", s), run(), by_mma(run));
    }
}

// Widths by turns: one tile or several, one to three warpgroups (SIMT's card has 5 multiprocessors), slabs of k in part
static void every_number_has_the_bits_of_the_others()
{
    if (!are_made_here())
        return;
    const int64_t widths[] = {72, 8, 136, 328, 24}, depths[] = {72, 8, 136};
    for (int64_t T = 1; T <= HOPPER_FEW_ROWS; T++) {
        take_order((uint64_t)T);
        exact_tensor_cores(T % 4 == 1);
        check_product(Shape{T, widths[T % 5], depths[T % 3]});
    }
    exact_tensor_cores(false);
}

// 600 and 920 rows of the weight are two and three warpgroups a tile there; 29 slabs are more than a ring has stages
static void every_shape_of_a_tile_has_the_bits_of_the_others()
{
    if (!are_made_here())
        return;
    std::vector<Shape> all = {{5, 136, 1800}, {3, 2000, 200}, {100, 264, 1096}, {224, 1400, 136}};
    for (int64_t T : {8, 16, 31, 64, 90, 110, 128, 190, 200, 256})
        for (int64_t N : {600, 920})
            all.push_back(Shape{T, N, 72});
    if (settings.gpu)
        for (int64_t T : {1, 16, 64, 100, 224, 256})
            all.insert(all.end(),
                       {{T, 6144, 2560}, {T, 2560, 4096}, {T, 19456, 2560}, {T, 2560, 9728}, {T, 151936, 2560}});
    for (size_t i = 0; i < all.size(); i++) {
        take_order(i);
        check_product(all[i]);
    }
}

// ---- raw arrays: rows apart, results in fp32, and a width that is no multiple of anything

struct Raw {
    Shape shape;
    int64_t pitch; // of the result
    bool is_float, add;
};

static std::vector<char> raw_product(const Raw &r, bool (*few)(Stream *, const Product *))
{
    Memory m(settings.cuda);
    Shape s = r.shape;
    size_t size = r.is_float ? 4 : 2, bytes = (size_t)(s.T * r.pitch) * size;
    std::vector<char> before(bytes, 0x3f), got(bytes);
    void *y = m.bytes(before.data(), bytes);
    Tensor x = m.elements(random_matrix(s.T, s.K + 8, 4)), w = m.elements(random_matrix(s.N, s.K + 16, 5));
    const Product p = {MATMUL_FORWARD, s.T, s.N, s.K, x.data, w.data, y, s.K + 8, s.K + 16, r.pitch, r.is_float, r.add};
    if (few == NULL)
        bf16::product_own(NULL, &p);
    else if (!few(NULL, &p))
        failed("%s: not for this card", name("a raw product", s).c_str());
    m.read(got.data(), y, bytes);
    return got;
}

static void results_lie_as_they_are_asked_for()
{
    if (!are_made_here())
        return;
    const Raw all[] = {{{3, 7, 72}, 8, true, false},      {{9, 131, 40}, 134, true, true},
                       {{20, 603, 24}, 604, true, false}, {{33, 70, 136}, 80, false, false},
                       {{66, 131, 40}, 134, false, true}, {{130, 331, 40}, 332, true, false},
                       {{250, 37, 8}, 38, false, false}};
    for (const Raw &r : all)
        if (raw_product(r, bf16::hopper_few_rows) != raw_product(r, NULL))
            failed("%s, rows %d apart: other bytes", name("a raw product", r.shape).c_str(), (int)r.pitch);
}

// ---- with SwiGLU

static Floats fused(const Matrix &x, const Matrix &gate_up)
{
    Memory m(settings.cuda);
    int64_t F = gate_up.rows / 2;
    Tensor y = m.elements_out(x.rows, F);
    const Product p = {
        MATMUL_FORWARD, x.rows, F,     x.columns, m.elements(x).data, m.elements(gate_up).data, y.data, x.columns,
        x.columns,      F,      false, false};
    if (!bf16::hopper_few_rows_swiglu(NULL, &p))
        failed("not for this card");
    return m.read(y);
}

static Matrix half(const Matrix &gate_up, bool second)
{
    size_t count = gate_up.x.size() / 2;
    auto first = gate_up.x.begin() + (long)(second ? count : 0);
    return Matrix{gate_up.rows / 2, gate_up.columns, Floats(first, first + (long)count)};
}

static void swiglu_behind_it_has_the_bits_of_three_operations()
{
    if (!are_made_here())
        return;
    std::vector<Shape> all = {{1, 8, 8}, {70, 136, 72}, {17, 920, 40}, {256, 72, 40}, {224, 200, 72}, {5, 40, 1800}};
    for (int64_t T : {4, 12, 30, 64, 90, 112, 128})
        for (int64_t F : {72, 600, 920})
            all.push_back(Shape{T, F, 72});
    if (settings.gpu)
        for (int64_t T : {1, 64, 224, 256})
            all.push_back(Shape{T, 9728, 2560});
    for (size_t i = 0; i < all.size(); i++) {
        Shape s = all[i];
        take_order(i);
        exact_tensor_cores(s.N < 100 && i % 2 == 0);
        Matrix x = random_matrix(s.T, s.K, 6), gate_up = random_matrix(2 * s.N, s.K, 7);
        Floats three = by_mma([&] {
            Matrix gate = {s.T, s.N, matmul_forward(settings.cuda, NULL, x, half(gate_up, false))},
                   up = {s.T, s.N, matmul_forward(settings.cuda, NULL, x, half(gate_up, true))};
            return swiglu_forward(settings.cuda, gate, up);
        });
        check_same(name("a product with SwiGLU", s), fused(x, gate_up), three);
    }
    exact_tensor_cores(false);
}

// ---- in a graph

struct Block { // of a model: what a pass writes lies in between, and is written again by the next
    Tensor x, weight, up, down, normed, sum, hidden;
    float *rstd;
    int64_t F;
};

static void run_block(const Block &b)
{
    const Kernels *k = settings.cuda;
    const Product with_swiglu = {MATMUL_FORWARD, b.x.rows,    b.F,         b.x.columns, b.normed.data, b.up.data,
                                 b.hidden.data,  b.x.columns, b.x.columns, b.F,         false,         false};
    k->rmsnorm_forward(NULL, b.normed, b.sum, b.rstd, b.x, b.normed, b.weight, 1e-6f);
    if (!bf16::hopper_few_rows_swiglu(NULL, &with_swiglu))
        failed("not for this card");
    k->swiglu_forward(NULL, b.hidden, b.hidden, b.hidden);
    k->matmul_forward(NULL, b.normed, b.hidden, b.down, false);
    k->matmul_forward(NULL, b.normed, b.hidden, b.down, true);
}

// normed is the residual of the first operation and the result of the last: a product behind it that read or wrote too
// early would meet it.
static void a_graph_has_the_bits_of_its_operations()
{
    const int64_t T = 12, C = 72, F = 136;
    const Kernels *k = settings.cuda;
    if (!are_made_here())
        return;
    Floats results[2];
    for (bool graph : {false, true}) {
        Memory m(k);
        Block b = {m.elements(random_matrix(T, C, 8)),
                   m.elements(random_matrix(1, C, 9)),
                   m.elements(random_matrix(2 * F, C, 10)),
                   m.elements(random_matrix(C, F, 11)),
                   m.elements(random_matrix(T, C, 12)),
                   m.elements_out(T, C),
                   m.elements_out(T, F),
                   m.floats_out(T),
                   F};
        run_block(b); // so that everything is prepared
        if (graph && !k->graph_begin(NULL))
            failed("graph_begin: %s", error_text());
        for (int i = 0; i < 2; i++)
            run_block(b);
        Graph *taken = graph ? k->graph_end(NULL) : NULL;
        for (int i = 0; i < 2 && taken != NULL; i++)
            k->graph_launch(NULL, taken);
        for (int i = 0; i < 2 && !graph; i++)
            run_block(b);
        results[graph] = m.read(b.normed);
        if (taken != NULL)
            k->graph_close(taken);
    }
    check_same("four blocks in a graph", results[1], results[0]);
}

extern const Tests few_rows_tests;
const Tests few_rows_tests = {
    {"few_rows_in_a_graph_have_the_bits_of_their_operations", a_graph_has_the_bits_of_its_operations},
    {"few_rows_in_raw_arrays_lie_as_they_are_asked_for", results_lie_as_they_are_asked_for},
    {"few_rows_in_every_shape_of_a_tile_have_the_bits_of_the_others", every_shape_of_a_tile_has_the_bits_of_the_others},
    {"few_rows_of_every_number_have_the_bits_of_the_others", every_number_has_the_bits_of_the_others},
    {"few_rows_in_front_of_swiglu_have_the_bits_of_three_operations",
     swiglu_behind_it_has_the_bits_of_three_operations}};
