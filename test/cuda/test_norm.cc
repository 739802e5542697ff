// RMSNorm, QK-norm with RoPE, and the table of angles. A row's mean is one tree, whatever it looks like: with a
// thread's chain of a sixteenth of the row or less, a term goes through C/16 + 32 additions at most.
#include "test/cuda/call.h"
#include <algorithm>

static const float EPSILON = 1e-6f;

static int64_t row_depth(int64_t C) { return C / 16 + 32; }

static Approx inverse_root_mean_square(const float *x, int64_t C)
{
    Sum squares;
    for (int64_t c = 0; c < C; c++) {
        Approx a = (double)x[c];
        squares.add(a * a);
    }
    return Approx(1) / root(squares.total(row_depth(C)) / Approx((double)C) + Approx((double)EPSILON));
}

// Rows for a norm: every third is so small that epsilon matters, one is all zeros.
static Matrix rows_for_a_norm(int64_t T, int64_t C, uint32_t seed)
{
    Matrix x = random_matrix(T, C, seed, 3);
    for (int64_t t = 1; t < T; t += 3)
        for (int64_t c = 0; c < C; c++)
            x.row(t)[c] *= t == 4 ? 0 : 0x1p-10f;
    return x;
}

// The gradient of one row of y = weight · n, n = x · rstd: rstd · (d·w - n · mean(d·w·n)), d being what arrives at y.
static std::vector<Approx> norm_gradient(const std::vector<Approx> &d, const float *x, const float *weight, float rstd)
{
    size_t C = d.size();
    std::vector<Approx> n(C), dw(C), gradient(C);
    Sum dot;
    for (size_t c = 0; c < C; c++) {
        n[c] = Approx((double)x[c]) * Approx((double)rstd);
        dw[c] = d[c] * Approx((double)weight[c]);
        dot.add(dw[c] * n[c]);
    }
    Approx mean = dot.total(row_depth((int64_t)C)) / Approx((double)C);
    for (size_t c = 0; c < C; c++)
        gradient[c] = Approx((double)rstd) * (dw[c] - n[c] * mean);
    return gradient;
}

// ---- RMSNorm

struct NormShape {
    int64_t T, C;
};

static std::vector<NormShape> norm_shapes()
{
    std::vector<NormShape> shapes = {{1, 8}, {5, 64}, {3, 520}, {130, 72}, {2, 2560}, {257, 16}};
    if (settings.longer)
        shapes.insert(shapes.end(), {{7, 8192}, {300, 1024}});
    if (settings.gpu)
        shapes.insert(shapes.end(), {{1024, 2560}, {300, 5120}});
    return shapes;
}

// y = round(weight · round(sum · rstd)): the weight is not in the inner rounding
static void norm_reference(Reference *y, Reference *rstd, const Matrix &sum, const Matrix &weight)
{
    for (int64_t t = 0; t < sum.rows; t++) {
        const float *row = sum.row(t);
        Approx r = inverse_root_mean_square(row, sum.columns);
        rstd->push_back(r);
        for (int64_t c = 0; c < sum.columns; c++)
            y->push_back(rounded(Approx((double)weight.x[(size_t)c]) * rounded(Approx((double)row[c]) * r)));
    }
}

static void check_rmsnorm_forward(NormShape s, bool with_residual)
{
    std::string what = text("rmsnorm_forward T %d C %d%s", (int)s.T, (int)s.C, with_residual ? " with a residual" : "");
    Matrix x = rows_for_a_norm(s.T, s.C, 1), residual = rows_for_a_norm(s.T, s.C, 2),
           weight = random_matrix(1, s.C, 3, 2);
    const Matrix *added = with_residual ? &residual : NULL;
    Normed got = rmsnorm_forward(settings.cuda, x, added, weight, EPSILON),
           oracle = rmsnorm_forward(settings.cpu, x, added, weight, EPSILON);
    Matrix sum = with_residual ? rounded(s.T, s.C, oracle.sum) : x; // one addition: its rounding is known
    Reference y, rstd;
    norm_reference(&y, &rstd, sum, weight);
    if (with_residual)
        check_same(what + " sum", got.sum, sum.x);
    check_within(what + " rstd", got.rstd, rstd);
    check_within(what + " y", got.y, y);
    check_oracle(what + " y", got.y, oracle.y);
}

static void rmsnorm_forward_rounds_the_sum_the_norm_and_the_product()
{
    for (NormShape s : norm_shapes())
        for (bool with_residual : {false, true})
            check_rmsnorm_forward(s, with_residual);
}

// dx = round(dsum + gradient); dweight = before + Σ dy · n, in fp32 and not rounded
static void norm_backward_reference(Reference *dx, Reference *dweight, const Floats &before, const Matrix &dy,
                                    const Matrix *dsum, const Matrix &sum, const Matrix &weight, const Floats &rstd)
{
    int64_t C = sum.columns, T = sum.rows;
    std::vector<Sum> chains((size_t)C);
    for (int64_t t = 0; t < T; t++) {
        std::vector<Approx> d(dy.row(t), dy.row(t) + C),
            gradient = norm_gradient(d, sum.row(t), weight.x.data(), rstd[(size_t)t]);
        for (int64_t c = 0; c < C; c++) {
            Approx g = gradient[(size_t)c];
            dx->push_back(rounded(dsum != NULL ? Approx((double)dsum->row(t)[c]) + g : g));
            chains[(size_t)c].add(d[(size_t)c] * (Approx((double)sum.row(t)[c]) * Approx((double)rstd[(size_t)t])));
        }
    }
    for (size_t c = 0; c < chains.size(); c++)
        dweight->push_back(Approx((double)before[c]) + chains[c].total(RowsSum::depth(T)));
}

static void check_rmsnorm_backward(NormShape s, bool with_dsum)
{
    std::string what = text("rmsnorm_backward T %d C %d%s", (int)s.T, (int)s.C, with_dsum ? " with dsum" : "");
    Matrix dy = random_matrix(s.T, s.C, 4), dsum = random_matrix(s.T, s.C, 5), sum = rows_for_a_norm(s.T, s.C, 6);
    Matrix weight = random_matrix(1, s.C, 7, 2);
    const Matrix *arriving = with_dsum ? &dsum : NULL;
    Floats rstd = rmsnorm_forward(settings.cpu, sum, NULL, weight, EPSILON).rstd, before = random_floats(s.C, 8);
    NormGradients got = rmsnorm_backward(settings.cuda, before, dy, arriving, sum, weight, rstd, false);
    NormGradients oracle = rmsnorm_backward(settings.cpu, before, dy, arriving, sum, weight, rstd, false);
    Reference dx, dweight;
    norm_backward_reference(&dx, &dweight, before, dy, arriving, sum, weight, rstd);
    check_within(what + " dx", got.dx, dx);
    check_within(what + " dweight", got.dweight, dweight);
    check_oracle(what + " dx", got.dx, oracle.dx);
    check_oracle(what + " dweight", got.dweight, oracle.dweight);
    check_same(what + " dx beside a weight that lies still",
               rmsnorm_backward(settings.cuda, {}, dy, arriving, sum, weight, rstd, false).dx, got.dx);
    if (with_dsum) {
        NormGradients in_place = rmsnorm_backward(settings.cuda, before, dy, arriving, sum, weight, rstd, true);
        check_same(what + " dx in place", in_place.dx, got.dx);
        check_same(what + " dweight in place", in_place.dweight, got.dweight);
    }
}

static void rmsnorm_gradients_follow_the_formula_in_place_too()
{
    for (NormShape s : norm_shapes())
        for (bool with_dsum : {false, true})
            check_rmsnorm_backward(s, with_dsum);
}

// The order of the sum is promised, so are the bits, and on the CPU the same ones.
static void a_norm_weight_gradient_is_a_sum_in_one_order()
{
    for (NormShape s : {NormShape{1, 8}, NormShape{33, 520}, NormShape{1056, 8}, NormShape{300, 2560}}) {
        Matrix dy = random_matrix(s.T, s.C, 23), sum = random_matrix(s.T, s.C, 24, 3),
               weight = random_matrix(1, s.C, 25, 2);
        Floats before = random_floats(s.C, 26), rstd = absolute(random_floats(s.T, 27)), expected = before;
        for (int64_t c = 0; c < s.C; c++) {
            RowsSum rows;
            for (int64_t t = 0; t < s.T; t++) {
                rows.chain = fmaf(dy.row(t)[c], sum.row(t)[c] * rstd[(size_t)t], rows.chain);
                rows.end_row(t, s.T);
            }
            expected[(size_t)c] += rows.all;
        }
        std::string what = text("rmsnorm_backward dweight T %d C %d", (int)s.T, (int)s.C);
        check_same(what, rmsnorm_backward(settings.cuda, before, dy, NULL, sum, weight, rstd, false).dweight, expected);
        check_same(what + " on the CPU",
                   rmsnorm_backward(settings.cpu, before, dy, NULL, sum, weight, rstd, false).dweight, expected);
    }
}

// dy, sum and dsum once. Beside them each group reads the weight, its chains are read once, each row has its scale, and
// dweight is what it is added to.
static void rmsnorm_backward_reads_its_rows_once()
{
    int64_t T = 100, C = 512, element = settings.bf16 ? 2 : 4;
    Matrix dy = random_matrix(T, C, 28), dsum = random_matrix(T, C, 29), sum = random_matrix(T, C, 30),
           weight = random_matrix(1, C, 31);
    Floats rstd = absolute(random_floats(T, 32)), before = random_floats(C, 33);
    for (const Matrix *arriving : {(const Matrix *)NULL, (const Matrix *)&dsum}) {
        int64_t rows = (arriving != NULL ? 3 : 2) * T * C * element, groups = row_groups(T);
        int64_t beside = groups * C * (element + 4) + 4 * T + 4 * C;
        int64_t read =
            bytes_read([&] { rmsnorm_backward(settings.cuda, before, dy, arriving, sum, weight, rstd, false); });
        if (read >= 0 && read != rows + beside)
            failed("%lld bytes were read, and there are %lld, with %lld beside them", (long long)read, (long long)rows,
                   (long long)beside);
    }
}

// ---- QK-norm and RoPE

struct HeadShape {
    int64_t T, heads, width;
};

static std::vector<HeadShape> head_shapes()
{
    std::vector<HeadShape> shapes = {{1, 1, 64}, {5, 4, 64}, {19, 3, 128}, {130, 2, 64}, {33, 5, 128}};
    if (settings.longer)
        shapes.insert(shapes.end(), {{300, 8, 128}, {257, 1, 64}});
    if (settings.gpu)
        shapes.insert(shapes.end(), {{1024, 32, 128}});
    return shapes;
}

enum { POSITIONS = 300 };

// Any positions: repeated, descending, first and last.
static Integers some_positions(int64_t T)
{
    Integers positions = random_integers(T, 10, POSITIONS);
    positions[0] = POSITIONS - 1;
    positions[(size_t)T - 1] = 0;
    return positions;
}

// What direction +1 (forward) or -1 (back) makes of a head.
static std::vector<Approx> rotated(const std::vector<Approx> &x, const Rope &rope, int32_t position, double direction)
{
    size_t half = x.size() / 2;
    std::vector<Approx> y(x.size());
    for (size_t i = 0; i < half; i++) {
        Approx c = (double)rope.cosine[(size_t)position * half + i],
               s = direction * (double)rope.sine[(size_t)position * half + i];
        y[i] = x[i] * c - x[i + half] * s;
        y[i + half] = x[i + half] * c + x[i] * s;
    }
    return y;
}

// One rounding for norm, weight and rotation together
static void qk_reference(Reference *y, Reference *rstd, const Matrix &x, const Matrix &weight, const Rope &rope,
                         const Integers &positions)
{
    int64_t D = weight.columns;
    for (int64_t t = 0; t < x.rows; t++)
        for (const float *head = x.row(t); head < x.row(t) + x.columns; head += D) {
            std::vector<Approx> n((size_t)D);
            Approx r = inverse_root_mean_square(head, D);
            rstd->push_back(r);
            for (int64_t i = 0; i < D; i++)
                n[(size_t)i] = Approx((double)weight.x[(size_t)i]) * (Approx((double)head[i]) * r);
            for (Approx number : rotated(n, rope, positions[(size_t)t], 1))
                y->push_back(rounded(number));
        }
}

static void qk_backward_reference(Reference *dx, Reference *dweight, const Floats &before, const Matrix &dy,
                                  const Matrix &x, const Matrix &weight, const Floats &rstd, const Rope &rope,
                                  const Integers &positions)
{
    int64_t D = weight.columns, heads = x.columns / D;
    std::vector<Sum> chains((size_t)D);
    for (int64_t t = 0; t < x.rows; t++)
        for (int64_t h = 0; h < heads; h++) {
            const float *head = x.row(t) + h * D, *arriving = dy.row(t) + h * D;
            float r = rstd[(size_t)(t * heads + h)];
            std::vector<Approx> d =
                rotated(std::vector<Approx>(arriving, arriving + D), rope, positions[(size_t)t], -1);
            for (Approx gradient : norm_gradient(d, head, weight.x.data(), r))
                dx->push_back(rounded(gradient));
            for (int64_t i = 0; i < D; i++)
                chains[(size_t)i].add(d[(size_t)i] * (Approx((double)head[i]) * Approx((double)r)));
        }
    for (size_t i = 0; i < chains.size(); i++)
        dweight->push_back(Approx((double)before[i]) + chains[i].total(RowsSum::depth(x.rows * heads)));
}

static void the_table_of_angles_has_the_bits_of_the_cpu()
{
    for (double theta : {1e4, 1e6, 5e6})
        for (int64_t D : {64, 128}) {
            Rope got = rope_table(settings.cuda, POSITIONS, D, theta),
                 oracle = rope_table(settings.cpu, POSITIONS, D, theta);
            check_same(text("cosine D %d theta %g", (int)D, theta), got.cosine, oracle.cosine);
            check_same(text("sine D %d theta %g", (int)D, theta), got.sine, oracle.sine);
        }
    Rope far = rope_table(settings.cuda, 40961, 128, 1e6), oracle = rope_table(settings.cpu, 40961, 128, 1e6);
    check_same("cosine of 40,961 positions", far.cosine, oracle.cosine);
    check_same("sine of 40,961 positions", far.sine, oracle.sine);
}

static void qk_norm_and_rope_round_once()
{
    for (HeadShape s : head_shapes()) {
        std::string what = text("qk_norm_rope_forward T %d h %d D %d", (int)s.T, (int)s.heads, (int)s.width);
        Matrix x = rows_for_a_norm(s.T, s.heads * s.width, 11), weight = random_matrix(1, s.width, 12, 2);
        Rope rope = rope_table(settings.cpu, POSITIONS, s.width, 1e6);
        Integers positions = some_positions(s.T);
        Normed got = qk_norm_rope_forward(settings.cuda, x, weight, rope, positions, EPSILON);
        Reference y, rstd;
        qk_reference(&y, &rstd, x, weight, rope, positions);
        check_within(what + " rstd", got.rstd, rstd);
        check_within(what + " y", got.y, y);
        check_oracle(what + " y", got.y, qk_norm_rope_forward(settings.cpu, x, weight, rope, positions, EPSILON).y);
    }
}

static void qk_norm_and_rope_gradients_follow_the_formula_in_place_too()
{
    for (HeadShape s : head_shapes()) {
        std::string what = text("qk_norm_rope_backward T %d h %d D %d", (int)s.T, (int)s.heads, (int)s.width);
        Matrix x = rows_for_a_norm(s.T, s.heads * s.width, 13), weight = random_matrix(1, s.width, 14, 2);
        Matrix dy = random_matrix(s.T, s.heads * s.width, 15);
        Rope rope = rope_table(settings.cpu, POSITIONS, s.width, 1e6);
        Integers positions = some_positions(s.T);
        Floats before = random_floats(s.width, 16),
               rstd = qk_norm_rope_forward(settings.cpu, x, weight, rope, positions, EPSILON).rstd;
        NormGradients got = qk_norm_rope_backward(settings.cuda, before, dy, x, weight, rstd, rope, positions, false);
        NormGradients in_place =
            qk_norm_rope_backward(settings.cuda, before, dy, x, weight, rstd, rope, positions, true);
        NormGradients oracle = qk_norm_rope_backward(settings.cpu, before, dy, x, weight, rstd, rope, positions, false);
        Reference dx, dweight;
        qk_backward_reference(&dx, &dweight, before, dy, x, weight, rstd, rope, positions);
        check_within(what + " dx", got.dx, dx);
        check_within(what + " dweight", got.dweight, dweight);
        check_oracle(what + " dx", got.dx, oracle.dx);
        check_oracle(what + " dweight", got.dweight, oracle.dweight);
        check_same(what + " dx in place", in_place.dx, got.dx);
        check_same(what + " dweight in place", in_place.dweight, got.dweight);
    }
}

// Of all heads, a token's side by side
static Floats head_weight_in_order(Floats sum, const Matrix &dy, const Matrix &x, const Floats &rstd, const Rope &rope,
                                   const Integers &positions)
{
    int64_t D = (int64_t)sum.size(), half = D / 2, heads = x.columns / D, rows = x.rows * heads;
    for (int64_t c = 0; c < D; c++) {
        RowsSum all;
        for (int64_t row = 0; row < rows; row++) {
            const float *d = dy.x.data() + row * D, *sine = rope.sine.data() + positions[(size_t)(row / heads)] * half;
            const float *cosine = rope.cosine.data() + (sine - rope.sine.data());
            float turned = c < half ? d[c] * cosine[c] + d[c + half] * sine[c]
                                    : d[c] * cosine[c - half] - d[c - half] * sine[c - half];
            all.chain = fmaf(turned, x.x[(size_t)(row * D + c)] * rstd[(size_t)row], all.chain);
            all.end_row(row, rows);
        }
        sum[(size_t)c] += all.all;
    }
    return sum;
}

static void a_head_weight_gradient_is_a_sum_in_one_order()
{
    for (HeadShape s : {HeadShape{1, 1, 64}, HeadShape{129, 3, 128}, HeadShape{300, 5, 64}, HeadShape{4230, 1, 64}}) {
        Matrix x = random_matrix(s.T, s.heads * s.width, 18, 3), dy = random_matrix(s.T, s.heads * s.width, 19);
        Matrix weight = random_matrix(1, s.width, 20, 2);
        Rope rope = rope_table(settings.cpu, POSITIONS, s.width, 1e6);
        Integers positions = some_positions(s.T);
        Floats before = random_floats(s.width, 21), rstd = absolute(random_floats(s.T * s.heads, 22));
        Floats expected = head_weight_in_order(before, dy, x, rstd, rope, positions);
        std::string what = text("qk_norm_rope_backward dweight T %d h %d D %d", (int)s.T, (int)s.heads, (int)s.width);
        check_same(what,
                   qk_norm_rope_backward(settings.cuda, before, dy, x, weight, rstd, rope, positions, false).dweight,
                   expected);
        check_same(what + " on the CPU",
                   qk_norm_rope_backward(settings.cpu, before, dy, x, weight, rstd, rope, positions, false).dweight,
                   expected);
    }
}

static Matrix heads_from(const Matrix &x, int64_t first, int64_t count, int64_t width)
{
    Matrix part = {x.rows, count * width, {}};
    for (int64_t t = 0; t < x.rows; t++)
        part.x.insert(part.x.end(), x.row(t) + first * width, x.row(t) + (first + count) * width);
    return part;
}

// Odd numbers of heads: threads that have two at a time are left with one.
static void queries_and_keys_in_one_have_the_bits_of_each_alone()
{
    struct Shape {
        int64_t T, heads, kv_heads, width;
    };
    for (Shape s : {Shape{1, 1, 1, 64}, Shape{150, 5, 1, 128}, Shape{131, 6, 3, 64}}) {
        std::string what = text("T %d, %d and %d heads of %d", (int)s.T, (int)s.heads, (int)s.kv_heads, (int)s.width);
        int64_t both = s.heads + s.kv_heads;
        Packed p = {s.heads, s.kv_heads, random_matrix(s.T, (both + s.kv_heads) * s.width, 41, 3),
                    random_matrix(1, s.width, 42, 2), random_matrix(1, s.width, 43, 2)};
        Rope rope = rope_table(settings.cpu, POSITIONS, s.width, 1e6);
        Integers positions = some_positions(s.T);
        Matrix q = heads_from(p.qkv, 0, s.heads, s.width), k = heads_from(p.qkv, s.heads, s.kv_heads, s.width),
               dy = random_matrix(s.T, both * s.width, 44);
        Floats before = random_floats(s.width, 45);
        Normed all = qk_norm_rope_forward(settings.cuda, p, rope, positions, EPSILON),
               of_q = qk_norm_rope_forward(settings.cuda, q, p.q_weight, rope, positions, EPSILON),
               of_k = qk_norm_rope_forward(settings.cuda, k, p.k_weight, rope, positions, EPSILON);
        Matrix y = {s.T, both * s.width, all.y}, rstd = {s.T, both, all.rstd};
        check_same(what + ": queries", heads_from(y, 0, s.heads, s.width).x, of_q.y);
        check_same(what + ": keys", heads_from(y, s.heads, s.kv_heads, s.width).x, of_k.y);
        check_same(what + ": rstd of queries", heads_from(rstd, 0, s.heads, 1).x, of_q.rstd);
        check_same(what + ": rstd of keys", heads_from(rstd, s.heads, s.kv_heads, 1).x, of_k.rstd);
        PackedGradients d = qk_norm_rope_backward(settings.cuda, before, dy, p, all.rstd, rope, positions);
        NormGradients dq = qk_norm_rope_backward(settings.cuda, before, heads_from(dy, 0, s.heads, s.width), q,
                                                 p.q_weight, of_q.rstd, rope, positions, false),
                      dk = qk_norm_rope_backward(settings.cuda, before, heads_from(dy, s.heads, s.kv_heads, s.width), k,
                                                 p.k_weight, of_k.rstd, rope, positions, false);
        Matrix dx = {s.T, both * s.width, d.dx};
        check_same(what + ": dx of queries", heads_from(dx, 0, s.heads, s.width).x, dq.dx);
        check_same(what + ": dx of keys", heads_from(dx, s.heads, s.kv_heads, s.width).x, dk.dx);
        check_same(what + ": the queries' weight", d.dq_weight, dq.dweight);
        check_same(what + ": the keys' weight", d.dk_weight, dk.dweight);
        check_same(what + ": dx beside weights that lie still",
                   qk_norm_rope_backward(settings.cuda, {}, dy, p, all.rstd, rope, positions).dx, d.dx);
    }
}

// Three roundings in fp32 and nothing to sum: the bits of the CPU's rotation, rounded to the activation type.
static void rope_without_a_norm_is_the_rotation_alone_in_place_too()
{
    for (HeadShape s : head_shapes())
        for (bool back : {false, true}) {
            std::string what =
                text("RoPE alone%s T %d h %d D %d", back ? ", back," : "", (int)s.T, (int)s.heads, (int)s.width);
            Matrix x = random_matrix(s.T, s.heads * s.width, 17, 3);
            Rope rope = rope_table(settings.cpu, POSITIONS, s.width, 1e4);
            Integers positions = some_positions(s.T);
            Reference y;
            for (int64_t t = 0; t < s.T; t++)
                for (const float *head = x.row(t); head < x.row(t) + x.columns; head += s.width)
                    for (Approx number :
                         rotated(std::vector<Approx>(head, head + s.width), rope, positions[(size_t)t], back ? -1 : 1))
                        y.push_back(rounded(number));
            Floats got = rope_alone(settings.cuda, back, x, rope, positions, s.width, false);
            Floats oracle = rope_alone(settings.cpu, back, x, rope, positions, s.width, false);
            check_within(what, got, y);
            check_same(what, got, rounded(s.T, x.columns, oracle).x);
            check_same(what + " in place", rope_alone(settings.cuda, back, x, rope, positions, s.width, true), got);
            check_same(what + " in place on the CPU", rope_alone(settings.cpu, back, x, rope, positions, s.width, true),
                       oracle);
        }
}

extern const Tests norm_tests;
const Tests norm_tests = {
    {"queries_and_keys_in_one_have_the_bits_of_each_alone", queries_and_keys_in_one_have_the_bits_of_each_alone},
    {"rmsnorm_forward_rounds_the_sum_the_norm_and_the_product",
     rmsnorm_forward_rounds_the_sum_the_norm_and_the_product},
    {"rmsnorm_gradients_follow_the_formula_in_place_too", rmsnorm_gradients_follow_the_formula_in_place_too},
    {"a_norm_weight_gradient_is_a_sum_in_one_order", a_norm_weight_gradient_is_a_sum_in_one_order},
    {"rmsnorm_backward_reads_its_rows_once", rmsnorm_backward_reads_its_rows_once},
    {"the_table_of_angles_has_the_bits_of_the_cpu", the_table_of_angles_has_the_bits_of_the_cpu},
    {"qk_norm_and_rope_round_once", qk_norm_and_rope_round_once},
    {"qk_norm_and_rope_gradients_follow_the_formula_in_place_too",
     qk_norm_and_rope_gradients_follow_the_formula_in_place_too},
    {"a_head_weight_gradient_is_a_sum_in_one_order", a_head_weight_gradient_is_a_sum_in_one_order},
    {"rope_without_a_norm_is_the_rotation_alone_in_place_too", rope_without_a_norm_is_the_rotation_alone_in_place_too}};
