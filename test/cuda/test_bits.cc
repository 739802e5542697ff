// What must be equal to the bit in either precision: a row alone and among others, wherever it stands; everything
// twice, under SIMT with the threads in another order, on a GPU many times. (Attention's rows are in
// test_attention.cc.)
#include "test/cuda/call.h"

// Small ones for SIMT; those of a model for a GPU.
struct Sizes {
    int64_t rows, C, F, heads, D, V, live;
};

static const Sizes SMALL = {140, 64, 72, 2, 64, 1040, 1037}, LARGER = {300, 136, 264, 3, 128, 1100, 1061};
static const Sizes TALL = {8192, 2560, 1024, 4, 128, 2056, 2050}, WIDE = {1040, 2560, 9728, 32, 128, 8200, 8190};

enum { POSITIONS = 500 };
static const float EPSILON = 1e-6f;

struct Inputs {
    Sizes s;
    Matrix c1, c2, c3, f1, f2, f3, q1, q2, to_feed_forward, norm, head_norm, table;
    Floats rstd, head_rstd, logsumexp, entropy, dlogprob, dentropy;
    Integers ids, positions, targets;
    Rope rope;
};

static Inputs in;

static void make_inputs(const Sizes &s)
{
    in.s = s;
    in.c1 = random_matrix(s.rows, s.C, 1), in.c2 = random_matrix(s.rows, s.C, 2), in.c3 = random_matrix(s.rows, s.C, 3);
    in.f1 = random_matrix(s.rows, s.F, 4, 4), in.f2 = random_matrix(s.rows, s.F, 5),
    in.f3 = random_matrix(s.rows, s.F, 6);
    in.q1 = random_matrix(s.rows, s.heads * s.D, 7), in.q2 = random_matrix(s.rows, s.heads * s.D, 8);
    in.to_feed_forward = random_matrix(s.F, s.C, 9), in.norm = random_matrix(1, s.C, 10),
    in.head_norm = random_matrix(1, s.D, 11);
    in.table = random_matrix(s.V, s.C, 12, 0.3f);
    in.rstd = random_floats(s.rows, 13), in.head_rstd = random_floats(s.rows * s.heads, 14);
    in.dlogprob = random_floats(s.rows, 15), in.dentropy = random_floats(s.rows, 16),
    in.entropy = random_floats(s.rows, 17);
    in.logsumexp = random_floats(s.rows, 18);
    for (float &x : in.logsumexp)
        x += 12; // p stays far below infinity
    in.ids = random_integers(s.rows, 19, 40), in.positions = random_integers(s.rows, 20, POSITIONS);
    in.targets = random_integers(s.rows, 21, (int32_t)s.live);
    in.rope = rope_table(settings.cpu, POSITIONS, s.D, 1e6);
}

static Floats part(const Floats &x, int64_t first, int64_t count)
{
    return Floats(x.begin() + first, x.begin() + first + count);
}
static Integers part(const Integers &x, int64_t first, int64_t count)
{
    return Integers(x.begin() + first, x.begin() + first + count);
}

// ---- operations whose result is rows, for a run of rows: everything that they write for these rows

static Floats joined(const std::vector<Floats> &parts,
                     int64_t rows) // row by row, so that a run of rows is a run of numbers
{
    Floats all;
    for (int64_t r = 0; r < rows; r++)
        for (const Floats &x : parts) {
            int64_t width = (int64_t)x.size() / rows;
            all.insert(all.end(), x.begin() + r * width, x.begin() + (r + 1) * width);
        }
    return all;
}

static Floats embedding_rows(int64_t first, int64_t rows)
{
    return embedding_forward(settings.cuda, in.table, part(in.ids, first, rows)).x;
}

static Floats matmul_forward_rows(int64_t first, int64_t rows)
{
    Matrix before = rows_of(in.f1, first, rows), x = rows_of(in.c1, first, rows);
    return joined({matmul_forward(settings.cuda, NULL, x, in.to_feed_forward),
                   matmul_forward(settings.cuda, &before, x, in.to_feed_forward)},
                  rows);
}

static Floats matmul_input_rows(int64_t first, int64_t rows)
{
    Matrix before = rows_of(in.c1, first, rows), dy = rows_of(in.f1, first, rows);
    return joined({matmul_backward_input(settings.cuda, NULL, dy, in.to_feed_forward),
                   matmul_backward_input(settings.cuda, &before, dy, in.to_feed_forward)},
                  rows);
}

static Floats norm_rows(int64_t first, int64_t rows)
{
    Matrix x = rows_of(in.c1, first, rows), residual = rows_of(in.c2, first, rows);
    Normed n = rmsnorm_forward(settings.cuda, x, &residual, in.norm, EPSILON);
    return joined({n.y, n.sum, n.rstd}, rows);
}

static Floats norm_gradient_rows(int64_t first, int64_t rows)
{
    Matrix dsum = rows_of(in.c3, first, rows);
    return rmsnorm_backward(settings.cuda, Floats((size_t)in.s.C, 0), rows_of(in.c1, first, rows), &dsum,
                            rows_of(in.c2, first, rows), in.norm, part(in.rstd, first, rows), false)
        .dx;
}

static Floats qk_rows(int64_t first, int64_t rows)
{
    Normed n = qk_norm_rope_forward(settings.cuda, rows_of(in.q1, first, rows), in.head_norm, in.rope,
                                    part(in.positions, first, rows), EPSILON);
    return joined({n.y, n.rstd}, rows);
}

static Floats qk_gradient_rows(int64_t first, int64_t rows)
{
    return qk_norm_rope_backward(settings.cuda, Floats((size_t)in.s.D, 0), rows_of(in.q2, first, rows),
                                 rows_of(in.q1, first, rows), in.head_norm,
                                 part(in.head_rstd, first * in.s.heads, rows * in.s.heads), in.rope,
                                 part(in.positions, first, rows), false)
        .dx;
}

static Floats rope_rows(int64_t first, int64_t rows)
{
    Matrix x = rows_of(in.q1, first, rows);
    Integers positions = part(in.positions, first, rows);
    return joined({rope_alone(settings.cuda, false, x, in.rope, positions, in.s.D, false),
                   rope_alone(settings.cuda, true, x, in.rope, positions, in.s.D, false)},
                  rows);
}

static Floats swiglu_rows(int64_t first, int64_t rows)
{
    return swiglu_forward(settings.cuda, rows_of(in.f1, first, rows), rows_of(in.f2, first, rows));
}

static Floats swiglu_gradient_rows(int64_t first, int64_t rows)
{
    SwigluGradients g = swiglu_backward(settings.cuda, rows_of(in.f3, first, rows), rows_of(in.f1, first, rows),
                                        rows_of(in.f2, first, rows), false);
    return joined({g.dgate, g.dup}, rows);
}

static HeadInput head_input(int64_t first, int64_t rows)
{
    return {rows_of(in.c1, first, rows), in.table, part(in.targets, first, rows), 0.7f, in.s.live};
}

static Floats head_rows(int64_t first, int64_t rows)
{
    HeadOutput h = head_forward(settings.cuda, head_input(first, rows), true);
    return joined({h.logprob, h.entropy, h.logsumexp, Floats(h.best.begin(), h.best.end())}, rows);
}

static HeadGradients head_gradients(int64_t first, int64_t rows)
{
    Floats dentropy = part(in.dentropy, first, rows);
    return head_backward(settings.cuda, Floats(in.table.x.size(), 0), head_input(first, rows),
                         part(in.logsumexp, first, rows), part(in.entropy, first, rows), part(in.dlogprob, first, rows),
                         &dentropy);
}

static Floats head_gradient_rows(int64_t first, int64_t rows) { return head_gradients(first, rows).dx; }

static const struct RowOperation {
    const char *name;
    Floats (*run)(int64_t first, int64_t rows);
} ROW_OPERATIONS[] = {{"embedding_forward", embedding_rows},
                      {"matmul_forward", matmul_forward_rows},
                      {"matmul_backward_input", matmul_input_rows},
                      {"rmsnorm_forward", norm_rows},
                      {"rmsnorm_backward", norm_gradient_rows},
                      {"qk_norm_rope_forward", qk_rows},
                      {"qk_norm_rope_backward", qk_gradient_rows},
                      {"RoPE alone", rope_rows},
                      {"swiglu_forward", swiglu_rows},
                      {"swiglu_backward", swiglu_gradient_rows},
                      {"head_forward", head_rows},
                      {"head_backward", head_gradient_rows}};

static Integers counts_of_rows()
{
    if (settings.gpu)
        return {1, 2, 7, 8, 16, 17, 64, 128, 257, 1024};
    return settings.longer ? Integers{1, 2, 7, 8, 16, 17, 64, 128, 257} : Integers{1, 7, 16, 64, 129};
}

static void check_rows(const Sizes &s)
{
    make_inputs(s);
    for (const RowOperation &operation : ROW_OPERATIONS) {
        Floats all = operation.run(0, in.s.rows);
        int64_t width = (int64_t)all.size() / in.s.rows;
        for (int32_t rows : counts_of_rows())
            for (int64_t first : {(int64_t)0, in.s.rows / 3, in.s.rows - rows})
                if (first >= 0 && first + rows <= in.s.rows)
                    check_same(text("%s: rows %d .. alone (%d of them) and the same rows among %d", operation.name,
                                    (int)first, rows, (int)in.s.rows),
                               operation.run(first, rows), part(all, first * width, rows * width));
    }
    in = Inputs();
}

static void a_row_does_not_depend_on_its_neighbours()
{
    check_rows(settings.longer ? LARGER : SMALL);
    if (settings.gpu) {
        check_rows(TALL);
        check_rows(WIDE);
    }
}

// ---- sums over rows, and everything else whose order could be left to chance

static Floats matmul_weight_sum() { return matmul_backward_weight(settings.cuda, NULL, in.f1, in.c1); }

static Floats norm_sum()
{
    return rmsnorm_backward(settings.cuda, Floats((size_t)in.s.C, 0), in.c1, NULL, in.c2, in.norm, in.rstd, false)
        .dweight;
}

static Floats qk_norm_sum()
{
    return qk_norm_rope_backward(settings.cuda, Floats((size_t)in.s.D, 0), in.q2, in.q1, in.head_norm, in.head_rstd,
                                 in.rope, in.positions, false)
        .dweight;
}

static Floats bias_sum() { return rows_sum(settings.cuda, Floats((size_t)in.s.F, 0), in.f1); }

static Floats embedding_sum()
{
    return embedding_backward(settings.cuda, Floats((size_t)(40 * in.s.C), 0), in.c1, in.ids);
}

static Floats head_sum() { return head_gradients(0, in.s.rows).dweight; }

static Floats attention_sums()
{
    int64_t T = 140, D = in.s.D;
    Sequences s = {{4, 2, D},
                   {0, 3, 10, (int32_t)T},
                   {0, 0, 0},
                   random_matrix(T, 4 * D, 31, 3),
                   random_matrix(T, 2 * D, 32),
                   random_matrix(T, 2 * D, 33),
                   {},
                   {}};
    Attended a = attention_forward(settings.cuda, s);
    AttentionGradients g =
        attention_backward(settings.cuda, random_matrix(T, 4 * D, 34), s, rounded(T, 4 * D, a.out), a.logsumexp);
    Floats all = a.out;
    for (const Floats *x : {&a.logsumexp, &g.dq, &g.dk, &g.dv})
        all.insert(all.end(), x->begin(), x->end());
    return all;
}

static Floats adamw_update()
{
    Floats zero((size_t)in.c1.x.size(), 0);
    AdamW adam = {1e-3, 0.9, 0.999, 1e-8, 0.1, 0.5, 2, true, 5};
    Moments m = adamw(settings.cuda, {in.c1.x, {}, zero, zero}, in.c2.x, adam, 1, 0);
    return joined({m.master, m.weight, m.m, m.v}, 1);
}

static Floats sums_of_squares() { return square_sums(settings.cuda, in.table.x); }

static const struct Operation {
    const char *name;
    Floats (*run)();
} OPERATIONS[] = {{"matmul_backward_weight", matmul_weight_sum},
                  {"rmsnorm_backward's dweight", norm_sum},
                  {"qk_norm_rope_backward's dweight", qk_norm_sum},
                  {"rows_sum", bias_sum},
                  {"embedding_backward", embedding_sum},
                  {"head_backward's dweight", head_sum},
                  {"attention forward and backward", attention_sums},
                  {"adamw", adamw_update},
                  {"square_sums", sums_of_squares}};

static void everything_is_the_same_twice()
{
    make_inputs(settings.gpu ? WIDE : settings.longer ? LARGER : SMALL);
    int repeats = simulated() ? 1 : 2;
    for (const RowOperation &operation : ROW_OPERATIONS) {
        take_order(0);
        Floats once = operation.run(0, in.s.rows);
        for (int i = 0; i < repeats; i++) {
            take_order((uint64_t)i + 1);
            check_same(text("%s, twice", operation.name), operation.run(0, in.s.rows), once);
        }
    }
    for (const Operation &operation : OPERATIONS) {
        take_order(0);
        Floats once = operation.run();
        for (int i = 0; i < repeats; i++) {
            take_order((uint64_t)i + 1);
            check_same(text("%s, twice", operation.name), operation.run(), once);
        }
    }
    take_order(0);
    in = Inputs();
}

// On a GPU a race shows by chance, if at all: attention's backward pass a thousand times, every other sum two hundred.
static void sums_are_the_same_a_thousand_times()
{
    if (!settings.gpu)
        return;
    make_inputs(SMALL);
    for (const Operation &operation : OPERATIONS) {
        Floats once = operation.run();
        int repeats = operation.run == attention_sums ? 1000 : 200;
        for (int i = 1; i < repeats; i++)
            check_same(text("%s, run %d", operation.name, i + 1), operation.run(), once);
    }
    in = Inputs();
}

// ---- an empty micro-batch

static void no_rows_are_no_work()
{
    make_inputs(SMALL);
    for (const RowOperation &operation : ROW_OPERATIONS)
        check_same(text("%s of no rows", operation.name), operation.run(0, 0), Floats{});
    Floats before = random_floats(in.s.C, 1), of_head = random_floats(in.s.D, 2), table = random_floats(40 * in.s.C, 3);
    Matrix nothing = {0, in.s.C, {}}, no_heads = {0, in.s.heads * in.s.D, {}};
    check_same("rmsnorm_backward of no rows",
               rmsnorm_backward(settings.cuda, before, nothing, NULL, nothing, in.norm, {}, false).dweight, before);
    check_same(
        "qk_norm_rope_backward of no rows",
        qk_norm_rope_backward(settings.cuda, of_head, no_heads, no_heads, in.head_norm, {}, in.rope, {}, false).dweight,
        of_head);
    check_same("embedding_backward of no tokens", embedding_backward(settings.cuda, table, nothing, {}), table);
    Sequences s = {{2, 1, 64}, {0}, {}, {0, 128, {}}, {0, 64, {}}, {0, 64, {}}, {}, {}};
    check_same("attention_forward of nothing", attention_forward(settings.cuda, s).out, Floats{});
    check_same("attention_backward of nothing", attention_backward(settings.cuda, s.q, s, s.q, {}).dq, Floats{});
    check_same("square_sums of nothing", square_sums(settings.cuda, {}), Floats{});
    in = Inputs();
}

extern const Tests bits_tests;
const Tests bits_tests = {{"a_row_does_not_depend_on_its_neighbours", a_row_does_not_depend_on_its_neighbours},
                          {"everything_is_the_same_twice", everything_is_the_same_twice},
                          {"sums_are_the_same_a_thousand_times", sums_are_the_same_a_thousand_times},
                          {"no_rows_are_no_work", no_rows_are_no_work}};
