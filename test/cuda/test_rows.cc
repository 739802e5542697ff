// The operations that move rows (embedding, gather, scatter, fill), which are exact, sums over rows in their one order,
// and SwiGLU, whose formulas are written out here.
#include "test/cuda/call.h"

// ---- embedding, gather, scatter, fill

static const int64_t WIDTHS[] = {8, 64, 72, 520,
                                 2560}; // a part of a warp's vectors, all of them, one more, several rounds

static void embedding_and_gather_copy_rows()
{
    for (int64_t C : WIDTHS) {
        Matrix table = random_matrix(50, C, 1);
        Integers ids = random_integers(37, 2, 50);
        ids[3] = 0;
        ids[4] = 49;
        check_same(text("embedding_forward C %d", (int)C), embedding_forward(settings.cuda, table, ids).x,
                   embedding_forward(settings.cpu, table, ids).x);
        Integers rows = {0, 1, 7, 30, 31, 49};
        check_same(text("rows_gather C %d", (int)C), rows_gather(settings.cuda, table, rows).x,
                   rows_gather(settings.cpu, table, rows).x);
    }
}

static void scatter_puts_rows_back_and_clears_the_others()
{
    for (int64_t C : WIDTHS)
        for (const Integers &rows : {Integers{}, Integers{4}, Integers{0, 1, 2, 3, 4}, Integers{1, 3}}) {
            Matrix dy = random_matrix((int64_t)rows.size(), C, 3);
            check_same(text("rows_scatter C %d, %zu rows", (int)C, rows.size()),
                       rows_scatter(settings.cuda, 5, dy, rows).x, rows_scatter(settings.cpu, 5, dy, rows).x);
        }
}

static void fill_writes_one_row_everywhere()
{
    for (int64_t C : WIDTHS)
        for (int64_t T : {0, 1, 9, 37}) {
            Matrix row = random_matrix(1, C, 10), y = rows_fill(settings.cuda, T, row);
            for (int64_t t = 0; t < T; t++)
                check_same(text("rows_fill T %d C %d, row %d", (int)T, (int)C, (int)t), rows_of(y, t, 1).x, row.x);
        }
}

static void scale_rounds_once()
{
    for (int64_t C : WIDTHS)
        for (int64_t T : {0, 1, 8, 37}) {
            Matrix y = random_matrix(T, C, 20);
            Floats expected;
            for (float x : y.x)
                expected.push_back(round_to_activation(1.7f * x));
            check_same(text("rows_scale T %d C %d", (int)T, (int)C), rows_scale(settings.cuda, y, 1.7f).x, expected);
        }
}

static Floats sum_in_order(Floats sum, const Matrix &dy)
{
    for (int64_t c = 0; c < dy.columns; c++) {
        RowsSum rows;
        for (int64_t t = 0; t < dy.rows; t++) {
            rows.chain += dy.row(t)[c];
            rows.end_row(t, dy.rows);
        }
        sum[(size_t)c] += rows.all;
    }
    return sum;
}

static void check_bias_gradient(int64_t T, int64_t C)
{
    Matrix dy = random_matrix(T, C, 11);
    Floats before = random_floats(C, 12), expected = sum_in_order(before, dy);
    check_same(text("rows_sum T %d C %d", (int)T, (int)C), rows_sum(settings.cuda, before, dy), expected);
    check_same(text("rows_sum T %d C %d on the CPU", (int)T, (int)C), rows_sum(settings.cpu, before, dy), expected);
}

static void a_bias_gradient_is_a_sum_in_one_order()
{
    for (int64_t C : WIDTHS)
        for (int64_t T : {0, 1, 31, 32, 33, 300})
            check_bias_gradient(T, C);
    check_bias_gradient(5 * NORM_ROWS * NORM_GROUPS + 1, 8); // more chains of groups than the smallest block takes
    if (settings.longer)
        check_bias_gradient(129 * NORM_ROWS * NORM_GROUPS + 1, 8); // or the largest
}

// One chain for each vocabulary row, over its tokens, ascending from zero, added once: the order is promised, so are
// the bits.
static void embedding_gradients_are_chains_in_the_order_of_tokens()
{
    const struct {
        int64_t T, C;
        int32_t V;
    } shapes[] = {{1, 8, 3}, {5, 72, 1}, {300, 64, 40}, {1100, 16, 900}, {257, 1032, 7}, {300, 2064, 1}, {4300, 8, 90}};
    for (auto s : shapes) {
        Matrix dy = random_matrix(s.T, s.C, 4);
        Integers ids = random_integers(s.T, 5, s.V);
        if (s.T > 1024)
            ids[s.T - 1] = ids[0]; // the first and the last token are one word
        Floats before = random_floats((s.V + 2) * s.C, 6);
        check_same(text("embedding_backward T %d C %d V %d", (int)s.T, (int)s.C, (int)s.V),
                   embedding_backward(settings.cuda, before, dy, ids),
                   embedding_backward(settings.cpu, before, dy, ids));
    }
}

// ---- SwiGLU

// y = round(silu(gate)) · up, rounded: the rounding points of transformers.
static Reference swiglu_reference(const Matrix &gate, const Matrix &up)
{
    Reference y;
    for (size_t i = 0; i < gate.x.size(); i++) {
        Approx g = (double)gate.x[i], silu = rounded(g / (Approx(1) + exponential(-g)));
        y.push_back(rounded(silu * Approx((double)up.x[i])));
    }
    return y;
}

// With σ = 1/(1 + e^-gate): dup = dy·gate·σ, dgate = dy·up·σ·(1 + gate·(1 - σ)), each rounded once
static void swiglu_gradient_reference(Reference *dgate, Reference *dup, const Matrix &dy, const Matrix &gate,
                                      const Matrix &up)
{
    for (size_t i = 0; i < gate.x.size(); i++) {
        Approx g = (double)gate.x[i], d = (double)dy.x[i], one = 1, sigmoid = one / (one + exponential(-g));
        Approx slope = sigmoid * (g * (one - sigmoid) + one);
        dgate->push_back(rounded(d * Approx((double)up.x[i]) * slope));
        dup->push_back(rounded(d * (g * sigmoid)));
    }
}

static const struct {
    int64_t T, F;
} SWIGLU_SHAPES[] = {{1, 8}, {3, 96}, {17, 264}, {5, 2048}};

static Matrix gates(int64_t T, int64_t F) // most of them where silu bends, the rest to where exp overflows
{
    Matrix gate = random_matrix(T, F, 7, 6);
    for (size_t i = 0; i < gate.x.size(); i += 5)
        gate.x[i] = round_to_activation(gate.x[i] * 20);
    gate.x[0] = 0;
    return gate;
}

static void swiglu_forward_rounds_where_transformers_does()
{
    for (auto s : SWIGLU_SHAPES) {
        std::string what = text("swiglu_forward T %d F %d", (int)s.T, (int)s.F);
        Matrix gate = gates(s.T, s.F), up = random_matrix(s.T, s.F, 8, 2);
        Floats y = swiglu_forward(settings.cuda, gate, up);
        check_within(what, y, swiglu_reference(gate, up));
        check_oracle(what, y, swiglu_forward(settings.cpu, gate, up));
    }
}

static void swiglu_gradients_follow_the_formula_in_place_too()
{
    for (auto s : SWIGLU_SHAPES) {
        std::string what = text("swiglu_backward T %d F %d", (int)s.T, (int)s.F);
        Matrix gate = gates(s.T, s.F), up = random_matrix(s.T, s.F, 8, 2), dy = random_matrix(s.T, s.F, 9);
        SwigluGradients apart = swiglu_backward(settings.cuda, dy, gate, up, false);
        SwigluGradients in_place = swiglu_backward(settings.cuda, dy, gate, up, true);
        SwigluGradients oracle = swiglu_backward(settings.cpu, dy, gate, up, false);
        Reference dgate, dup;
        swiglu_gradient_reference(&dgate, &dup, dy, gate, up);
        check_within(what + " dgate", apart.dgate, dgate);
        check_within(what + " dup", apart.dup, dup);
        check_oracle(what + " dgate", apart.dgate, oracle.dgate);
        check_oracle(what + " dup", apart.dup, oracle.dup);
        check_same(what + " dgate in place", in_place.dgate, apart.dgate);
        check_same(what + " dup in place", in_place.dup, apart.dup);
    }
}

static void swiglu_does_not_hide_what_is_not_finite()
{
    Matrix gate = random_matrix(1, 64, 1), up = random_matrix(1, 64, 2);
    gate.x[1] = NAN;
    gate.x[9] = INFINITY;
    up.x[17] = NAN;
    Floats y = swiglu_forward(settings.cuda, gate, up);
    for (size_t i = 0; i < y.size(); i++)
        if (std::isfinite(y[i]) == (i == 1 || i == 9 || i == 17))
            failed("element %zu is %g", i, (double)y[i]);
}

extern const Tests row_tests;
const Tests row_tests = {
    {"embedding_and_gather_copy_rows", embedding_and_gather_copy_rows},
    {"scatter_puts_rows_back_and_clears_the_others", scatter_puts_rows_back_and_clears_the_others},
    {"fill_writes_one_row_everywhere", fill_writes_one_row_everywhere},
    {"scale_rounds_once", scale_rounds_once},
    {"rows_sum_is_a_sum_in_one_order", a_bias_gradient_is_a_sum_in_one_order},
    {"embedding_gradients_are_chains_in_the_order_of_tokens", embedding_gradients_are_chains_in_the_order_of_tokens},
    {"swiglu_forward_rounds_where_transformers_does", swiglu_forward_rounds_where_transformers_does},
    {"swiglu_gradients_follow_the_formula_in_place_too", swiglu_gradients_follow_the_formula_in_place_too},
    {"swiglu_does_not_hide_what_is_not_finite", swiglu_does_not_hide_what_is_not_finite}};
