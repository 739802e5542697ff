// The three forms of the matrix product on ragged shapes. fp32: one chain of fused multiply-adds, ascending, so the
// bits of the CPU. bf16: within what fp32 accumulation may do to a sum, then one rounding; and to the bit where no sum
// needs to be rounded.
#include "kernels/cuda/order.h"
#include "test/cuda/call.h"

struct Shape {
    int64_t T, N, K;
};

// Multiples of 8, most of them neither of 16 nor of 128; tokens around the edges of tiles and fragments.
static const Shape SHAPES[] = {{1, 8, 8},     {2, 24, 40},   {7, 136, 72},   {8, 72, 200},
                               {16, 40, 264}, {17, 264, 24}, {64, 136, 104}, {130, 200, 136}};

static std::vector<Shape> shapes()
{
    std::vector<Shape> all(std::begin(SHAPES), std::end(SHAPES));
    if (settings.longer)
        all.insert(all.end(), {{300, 520, 392}, {129, 1032, 72}, {1100, 72, 40}});
    return all;
}

struct Operands {
    Matrix x, w, dy, y_before, dx_before;
    Floats dw_before;
};

static Operands operands(Shape s)
{
    return {random_matrix(s.T, s.K, 1), random_matrix(s.N, s.K, 2), random_matrix(s.T, s.N, 3),
            random_matrix(s.T, s.N, 6), random_matrix(s.T, s.K, 4), random_floats(s.N * s.K, 5)};
}

static std::string name(const char *form, Shape s)
{
    return text("%s T %d N %d K %d", form, (int)s.T, (int)s.N, (int)s.K);
}

// Σ over i of a[i · a_step] · b[i · b_step]. Its products are not rounded: those of two bf16 are exact, others are
// fused.
static Approx chain(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t count)
{
    Sum sum;
    for (int64_t i = 0; i < count; i++)
        sum.add(Approx((double)a[i * a_step] * (double)b[i * b_step]));
    return sum.total();
}

// ---- against sums in double precision

static void forward_is_within_the_rounding_of_its_sums()
{
    for (Shape s : shapes())
        for (bool add : {false, true}) {
            Operands o = operands(s);
            std::string what = name(add ? "matmul_forward, added," : "matmul_forward", s);
            Reference y;
            for (int64_t t = 0; t < s.T; t++)
                for (int64_t n = 0; n < s.N; n++) {
                    Approx sum = chain(o.x.row(t), 1, o.w.row(n), 1, s.K);
                    y.push_back(rounded(add ? Approx((double)o.y_before.row(t)[n]) + sum : sum));
                }
            const Matrix *before = add ? &o.y_before : NULL;
            Floats got = matmul_forward(settings.cuda, before, o.x, o.w);
            check_within(what, got, y);
            check_oracle(what, got, matmul_forward(settings.cpu, before, o.x, o.w));
        }
}

static void backward_input_is_within_the_rounding_of_its_sums()
{
    for (Shape s : shapes())
        for (bool add : {false, true}) {
            Operands o = operands(s);
            std::string what = name(add ? "matmul_backward_input, added," : "matmul_backward_input", s);
            Reference dx;
            for (int64_t t = 0; t < s.T; t++)
                for (int64_t c = 0; c < s.K; c++) {
                    Approx sum = chain(o.dy.row(t), 1, o.w.x.data() + c, s.K, s.N);
                    dx.push_back(rounded(add ? Approx((double)o.dx_before.row(t)[c]) + sum : sum));
                }
            const Matrix *before = add ? &o.dx_before : NULL;
            Floats got = matmul_backward_input(settings.cuda, before, o.dy, o.w);
            check_within(what, got, dx);
            check_oracle(what, got, matmul_backward_input(settings.cpu, before, o.dy, o.w));
        }
}

static void backward_weight_is_fp32_and_within_the_rounding_of_its_sums()
{
    for (Shape s : shapes()) {
        Operands o = operands(s);
        Reference dw;
        for (int64_t n = 0; n < s.N; n++)
            for (int64_t c = 0; c < s.K; c++)
                dw.push_back(Approx((double)o.dw_before[(size_t)(n * s.K + c)]) +
                             chain(o.dy.x.data() + n, s.N, o.x.x.data() + c, s.K, s.T));
        Floats got = matmul_backward_weight(settings.cuda, &o.dw_before, o.dy, o.x);
        check_within(name("matmul_backward_weight", s), got, dw);
        check_oracle(name("matmul_backward_weight", s), got,
                     matmul_backward_weight(settings.cpu, &o.dw_before, o.dy, o.x));
    }
}

static void a_tensor_core_that_cuts_off_stays_within_the_bound()
{
    exact_tensor_cores(true);
    for (Shape s : {Shape{17, 72, 264}, Shape{64, 136, 40}}) {
        Operands o = operands(s);
        Reference y;
        for (int64_t t = 0; t < s.T; t++)
            for (int64_t n = 0; n < s.N; n++)
                y.push_back(rounded(chain(o.x.row(t), 1, o.w.row(n), 1, s.K)));
        check_within(name("matmul_forward on an exact tensor core,", s), matmul_forward(settings.cuda, NULL, o.x, o.w),
                     y);
    }
    exact_tensor_cores(false);
}

// ---- to the bit

static void fp32_has_the_bits_of_the_cpu()
{
    if (settings.bf16)
        return; // a tensor core adds in another order
    for (Shape s : shapes()) {
        Operands o = operands(s);
        for (const Matrix *before : {(const Matrix *)NULL, (const Matrix *)&o.y_before})
            check_same(name("matmul_forward", s), matmul_forward(settings.cuda, before, o.x, o.w),
                       matmul_forward(settings.cpu, before, o.x, o.w));
        for (const Matrix *before : {(const Matrix *)NULL, (const Matrix *)&o.dx_before})
            check_same(name("matmul_backward_input", s), matmul_backward_input(settings.cuda, before, o.dy, o.w),
                       matmul_backward_input(settings.cpu, before, o.dy, o.w));
        check_same(name("matmul_backward_weight", s), matmul_backward_weight(settings.cuda, &o.dw_before, o.dy, o.x),
                   matmul_backward_weight(settings.cpu, &o.dw_before, o.dy, o.x));
    }
}

// Sums of small whole numbers stay below 2^24, so every order of adding gives the same: only the output is rounded,
// once.
static void whole_numbers_are_multiplied_exactly()
{
    std::vector<Shape> all = shapes();
    if (settings.gpu)
        all.insert(all.end(), {{4096, 2568, 4104}, {8, 9736, 2560}, {8200, 264, 520}});
    for (Shape s : all) {
        Matrix x = random_whole(s.T, s.K, 1, 3), w = random_whole(s.N, s.K, 2, 3), dy = random_whole(s.T, s.N, 3, 3);
        Matrix before = random_whole(s.T, s.K, 4, 100), dw = random_whole(s.N, s.K, 5, 100),
               y = random_whole(s.T, s.N, 6, 100);
        for (const Matrix *old : {(const Matrix *)NULL, (const Matrix *)&y})
            check_same(name("matmul_forward of whole numbers", s), matmul_forward(settings.cuda, old, x, w),
                       rounded(s.T, s.N, matmul_forward(settings.cpu, old, x, w)).x);
        for (const Matrix *old : {(const Matrix *)NULL, (const Matrix *)&before})
            check_same(name("matmul_backward_input of whole numbers", s),
                       matmul_backward_input(settings.cuda, old, dy, w),
                       rounded(s.T, s.K, matmul_backward_input(settings.cpu, old, dy, w)).x);
        check_same(name("matmul_backward_weight of whole numbers", s),
                   matmul_backward_weight(settings.cuda, &dw.x, dy, x),
                   matmul_backward_weight(settings.cpu, &dw.x, dy, x));
    }
}

// What a library's order is judged by (order.h): the same pairs of numbers in another order, here turned by half a
// slab, give other bits nearly everywhere, although the exact sums are all zero; and in the same order the same ones.
static void order_shows_in_what_cancels()
{
    for (int64_t k : {(int64_t)320, (int64_t)1064}) {
        const int64_t rows = 16, turned_by = 16;
        Matrix x = {rows, k, Floats((size_t)(rows * k))}, w = x, other_x = x, other_w = x;
        for (int64_t i = 0; i < rows * k; i++) {
            int64_t row = i / k, kappa = i % k, turned = (kappa + turned_by) % k;
            x.x[(size_t)i] = order_number(true, true, row, kappa, k),
            w.x[(size_t)i] = order_number(false, true, row, kappa, k);
            other_x.x[(size_t)i] = order_number(true, true, row, turned, k),
            other_w.x[(size_t)i] = order_number(false, true, row, turned, k);
        }
        Floats y = matmul_forward(settings.cuda, NULL, x, w),
               other = matmul_forward(settings.cuda, NULL, other_x, other_w);
        check_same(text("the order of %d twice", (int)k), matmul_forward(settings.cuda, NULL, x, w), y);
        int64_t differ = 0;
        for (size_t i = 0; i < y.size(); i++)
            differ += y[i] != other[i];
        if (differ < 9 * rows * rows / 10)
            failed("of %d sums of %d numbers that cancel only %d show that the order is another", (int)(rows * rows),
                   (int)k, (int)differ);
    }
}

static void kernels_for_hopper_have_the_bits_of_the_others()
{
    if (!settings.bf16)
        return; // there are none
    std::vector<Shape> all = {{65, 8, 8}, {70, 264, 72}, {130, 136, 328}, {257, 520, 64}, {400, 1096, 136}};
    if (settings.gpu)
        all.insert(all.end(), {{4096, 2560, 9728}, {4000, 9728, 2560}, {16384, 1024, 2560}});
    for (Shape s : all)
        for (bool exact : {false, true}) {
            if (exact && s.T == 400)
                continue; // many tiles, and a while under SIMT
            Operands o = operands(s);
            auto run = [&] {
                return std::vector<Floats>{matmul_forward(settings.cuda, NULL, o.x, o.w),
                                           matmul_forward(settings.cuda, &o.y_before, o.x, o.w),
                                           matmul_backward_input(settings.cuda, NULL, o.dy, o.w),
                                           matmul_backward_input(settings.cuda, &o.dx_before, o.dy, o.w),
                                           matmul_backward_weight(settings.cuda, &o.dw_before, o.dy, o.x)};
            };
            exact_tensor_cores(exact);
            std::vector<Floats> chosen = run();
            setenv("DEREASON_MATMUL", "mma", 1);
            std::vector<Floats> others = run();
            unsetenv("DEREASON_MATMUL");
            exact_tensor_cores(false);
            for (size_t i = 0; i < chosen.size(); i++)
                check_same(name(text("product %zu of 5,", i).c_str(), s), chosen[i], others[i]);
        }
}

static void no_tokens_leave_a_gradient_as_it_was()
{
    Matrix nothing = {0, 24, {}}, none = {0, 40, {}}, w = random_matrix(24, 40, 1);
    Floats before = random_floats(24 * 40, 2);
    check_same("matmul_backward_weight of no tokens", matmul_backward_weight(settings.cuda, &before, nothing, none),
               before);
    check_same("matmul_backward_weight of no tokens, written",
               matmul_backward_weight(settings.cuda, NULL, nothing, none), Floats(before.size(), 0));
    check_same("matmul_forward of no tokens", matmul_forward(settings.cuda, NULL, none, w), Floats{});
    check_same("matmul_backward_input of no tokens", matmul_backward_input(settings.cuda, NULL, nothing, w), Floats{});
}

// Whatever was there; and where a chain's one product underflows to -0, it is +0, as if it were added to zeros.
static void a_gradient_that_was_not_there_begins_at_zero()
{
    std::vector<Shape> all = shapes();
    if (settings.bf16)
        all.insert(all.end(), {{130, 264, 136}, {16, 520, 72}});
    for (Shape s : all) {
        Operands o = operands(s);
        for (int64_t i = 0; i < s.T * s.K; i++)
            o.x.x[(size_t)i] = i / s.K % 16 != 0 ? 0 : i % 3 == 0 ? 1e-30f : o.x.x[(size_t)i];
        for (int64_t i = 0; i < s.T * s.N; i++)
            o.dy.x[(size_t)i] = i % 2 == 0 ? -1e-30f : o.dy.x[(size_t)i];
        Floats zeros((size_t)(s.N * s.K), 0), got = matmul_backward_weight(settings.cuda, NULL, o.dy, o.x);
        check_same(name("matmul_backward_weight over what is there", s), got,
                   matmul_backward_weight(settings.cuda, &zeros, o.dy, o.x));
        for (float x : got)
            if (x == 0 && std::signbit(x))
                failed("%s: -0", name("matmul_backward_weight", s).c_str());
    }
}

static Matrix columns_from(const Matrix &x, int64_t from, int64_t to)
{
    Matrix part = {x.rows, to - from, {}};
    for (int64_t row = 0; row < x.rows; row++)
        part.x.insert(part.x.end(), x.row(row) + from, x.row(row) + to);
    return part;
}

static Matrix rows_from(const Matrix &x, int64_t from, int64_t to)
{
    return Matrix{to - from, x.columns, Floats(x.row(from), x.row(to))};
}

// Few rows and many: different kernels.
static void weights_side_by_side_give_the_bits_of_each_alone()
{
    const int64_t parts[] = {0, 192, 256, 320}, K = 136, N = 320;
    for (int64_t T : {3, 64, 150}) {
        Matrix x = random_matrix(T, K, 31), w = random_matrix(N, K, 32), dy = random_matrix(T, N, 33);
        Matrix y = {T, N, matmul_forward(settings.cuda, NULL, x, w)};
        Matrix dw = {N, K, matmul_backward_weight(settings.cuda, NULL, dy, x)};
        for (int i = 0; i < 3; i++) {
            int64_t from = parts[i], to = parts[i + 1];
            check_same(text("forward, %d rows, weights from %d on", (int)T, (int)from), columns_from(y, from, to).x,
                       matmul_forward(settings.cuda, NULL, x, rows_from(w, from, to)));
            check_same(text("backward_weight, %d rows, weights from %d on", (int)T, (int)from),
                       rows_from(dw, from, to).x,
                       matmul_backward_weight(settings.cuda, NULL, columns_from(dy, from, to), x));
        }
    }
}

static void a_product_with_swiglu_behind_it_has_the_bits_of_three_steps()
{
    const int64_t K = 136, F = 192;
    for (int64_t T : {1, 64, 150}) {
        Matrix x = random_matrix(T, K, 34), w = random_matrix(2 * F, K, 35);
        std::vector<Floats> got = matmul_swiglu_forward(settings.cuda, x, w);
        Matrix gate = {T, F, matmul_forward(settings.cuda, NULL, x, rows_from(w, 0, F))},
               up = {T, F, matmul_forward(settings.cuda, NULL, x, rows_from(w, F, 2 * F))};
        check_same("gate", got[1], gate.x);
        check_same("up", got[2], up.x);
        Floats product = swiglu_forward(settings.cuda, gate, up);
        check_same("silu(gate) · up", got[0], product);
        check_same("silu(gate) · up alone", matmul_swiglu_forward(settings.cuda, x, w, false)[0], product);
    }
}

extern const Tests matmul_tests;
const Tests matmul_tests = {
    {"weights_side_by_side_give_the_bits_of_each_alone", weights_side_by_side_give_the_bits_of_each_alone},
    {"a_product_with_swiglu_behind_it_has_the_bits_of_three_steps",
     a_product_with_swiglu_behind_it_has_the_bits_of_three_steps},
    {"matmul_kernels_for_hopper_have_the_bits_of_the_others", kernels_for_hopper_have_the_bits_of_the_others},
    {"matmul_forward_is_within_the_rounding_of_its_sums", forward_is_within_the_rounding_of_its_sums},
    {"matmul_backward_input_is_within_the_rounding_of_its_sums", backward_input_is_within_the_rounding_of_its_sums},
    {"matmul_backward_weight_is_fp32_and_within_the_rounding_of_its_sums",
     backward_weight_is_fp32_and_within_the_rounding_of_its_sums},
    {"matmul_gradient_that_was_not_there_begins_at_zero", a_gradient_that_was_not_there_begins_at_zero},
    {"matmul_on_a_tensor_core_that_cuts_off_stays_within_the_bound",
     a_tensor_core_that_cuts_off_stays_within_the_bound},
    {"matmul_in_fp32_has_the_bits_of_the_cpu", fp32_has_the_bits_of_the_cpu},
    {"matmul_of_whole_numbers_is_exact", whole_numbers_are_multiplied_exactly},
    {"matmul_order_shows_in_what_cancels", order_shows_in_what_cancels},
    {"matmul_of_no_tokens_leaves_a_gradient_as_it_was", no_tokens_leave_a_gradient_as_it_was}};
