// Our own products for Hopper with each kind of tiles, whatever the rule says of the shape: the bits of those for any
// card, in every form, where the rows of operands and results lie apart; gate and up with SwiGLU behind them: the bits
// of product and operation; and the rule itself.
#include "kernels/cuda/hopper_product.h"
#include "test/cuda/call.h"
#include <cstring>

namespace bf16 // kernels/cuda/operations.h and hopper.h
{
void product_own(Stream *s, const Product *p);
bool hopper_chosen(const char *variable);
bool hopper_product_tiled(Stream *s, const Product *p, HopperTiling tiling);
bool hopper_swiglu_tiled(Stream *s, const SwigluProduct *p, HopperTiling tiling);
} // namespace bf16

typedef std::vector<unsigned char> Raw;

static const HopperTiling TILINGS[] = {{false, false}, {false, true}, {true, false}, {true, true}};

static std::string name_of(HopperTiling tiling)
{
    return std::string(tiling.tall ? "256 x 160" : "128 x 256") + (tiling.pairs ? ", in pairs" : "");
}

// Otherwise there is nothing to compare: in fp32, on other cards, without the assembler.
static bool there_are_tiles() { return settings.bf16 && bf16::hopper_chosen("DEREASON_MATMUL"); }

// ---- arrays of bf16 whose rows lie apart, with NaN between them

struct Rows {
    int64_t rows, columns, pitch;
    size_t bytes(size_t each = 2) const { return (size_t)(rows * pitch) * each; }
};

static void *operand(Memory *memory, Rows r, uint32_t seed)
{
    std::vector<uint16_t> x((size_t)(r.rows * r.pitch), 0xffff);
    for (int64_t i = 0; i < r.rows; i++)
        for (int64_t j = 0; j < r.columns; j++) {
            seed = seed * 1664525 + 1013904223;
            x[(size_t)(i * r.pitch + j)] = (uint16_t)((seed >> 16 & 0x807f) | (124 + (seed >> 12 & 3)) << 7);
        }
    return memory->bytes(x.data(), r.bytes());
}

static Raw taken(Memory *memory, const void *data, size_t count)
{
    Raw host(count);
    memory->read(host.data(), data, count);
    return host;
}

static void check_bytes(const std::string &what, const Raw &got, const Raw &wanted)
{
    if (got.size() != wanted.size() || memcmp(got.data(), wanted.data(), got.size()) != 0)
        failed("%s: other bits", what.c_str());
}

// ---- products

struct Asked {
    MatmulForm form;
    bool c_is_float;
    const char *name;
};

static const Asked ASKED[] = {{MATMUL_FORWARD, false, "forward"},
                              {MATMUL_FORWARD, true, "forward in fp32"},
                              {MATMUL_BACKWARD_INPUT, false, "backward_input"},
                              {MATMUL_BACKWARD_WEIGHT, true, "backward_weight"}};

struct Size {
    int64_t m, n, k;
};

// Into the same numbers each time, NaN between the rows
template <typename Run> static Raw result_of(Rows c, size_t each, const Run &run)
{
    Memory memory(settings.cuda);
    Raw before(c.bytes(each), 0xff);
    for (int64_t i = 0; i < c.rows; i++)
        for (int64_t j = 0; j < c.columns; j++)
            for (size_t byte = 0; byte < each; byte++) // small numbers, in bf16 and in fp32
                before[((size_t)(i * c.pitch + j)) * each + byte] = (unsigned char)(byte % 2 == 1 ? 0x3e : i * 7 + j);
    void *data = memory.bytes(before.data(), before.size());
    run(data);
    return taken(&memory, data, before.size());
}

static void check_product(Asked asked, Size s, bool add)
{
    Memory memory(settings.cuda);
    bool a_outside = asked.form == MATMUL_BACKWARD_WEIGHT, b_outside = asked.form != MATMUL_FORWARD;
    Rows a = a_outside ? Rows{s.k, s.m, s.m + 16} : Rows{s.m, s.k, s.k + 8},
         b = b_outside ? Rows{s.k, s.n, s.n + 8} : Rows{s.n, s.k, s.k + 24}, c = {s.m, s.n, s.n + 2};
    Product p = {asked.form, s.m,     s.n,     s.k,     operand(&memory, a, 1), operand(&memory, b, 2),
                 NULL,       a.pitch, b.pitch, c.pitch, asked.c_is_float,       add};
    size_t each = asked.c_is_float ? 4 : 2;
    auto into = [&](void *data) {
        Product q = p;
        q.c = data;
        return q;
    };
    Raw wanted = result_of(c, each, [&](void *data) {
        Product q = into(data);
        bf16::product_own(NULL, &q);
    });
    for (HopperTiling tiling : TILINGS) {
        std::string what = text("%s%s, m %d n %d k %d, by tiles of %s", asked.name, add ? ", added" : "", (int)s.m,
                                (int)s.n, (int)s.k, name_of(tiling).c_str());
        Raw got = result_of(c, each, [&](void *data) {
            Product q = into(data);
            if (!bf16::hopper_product_tiled(NULL, &q, tiling))
                failed("%s: not made", what.c_str());
        });
        check_bytes(what, got, wanted);
    }
}

static void tiles_of_any_kind_have_the_bits_of_the_others()
{
    if (!there_are_tiles())
        return;
    std::vector<Size> all = {{8, 8, 8}, {136, 328, 72}, {264, 160, 200}, {520, 488, 136}};
    if (settings.gpu)
        all.insert(all.end(), {{4096, 2560, 9728}, {4000, 9728, 2560}, {5128, 1032, 2560}});
    for (Size s : all)
        for (Asked asked : ASKED)
            for (bool add : {false, true}) {
                exact_tensor_cores(s.k == 72);
                check_product(asked, s, add);
                exact_tensor_cores(false);
            }
}

// ---- SwiGLU

// gate and up by two products, each into rows of its own, and the operation behind them
static void swiglu_by_parts(const SwigluProduct *p)
{
    Memory memory(settings.cuda);
    Tensor part[2], y = memory.elements_out(p->T, p->F);
    for (int i = 0; i < 2; i++) {
        part[i] = memory.elements_out(p->T, p->F);
        const char *w = (const char *)p->w + i * p->F * p->w_pitch * 2;
        char *column = (char *)p->gate_up + i * p->F * 2;
        Product apart = {MATMUL_FORWARD, p->T,       p->F,       p->C, p->x,  w,
                         part[i].data,   p->x_pitch, p->w_pitch, p->F, false, false},
                together = apart;
        together.c = column, together.c_pitch = p->gate_up_pitch;
        bf16::product_own(NULL, &apart);
        bf16::product_own(NULL, &together);
    }
    settings.cuda->swiglu_forward(NULL, y, part[0], part[1]);
    Raw dense = taken(&memory, y.data, (size_t)(p->T * p->F * 2));
    for (int64_t t = 0; t < p->T; t++)
        settings.cuda->upload(NULL, (char *)p->y + t * p->y_pitch * 2, dense.data() + t * p->F * 2, (size_t)p->F * 2);
}

// y's bytes, then those of gate and up; of NaN before
template <typename Run> static Raw swiglu_of(SwigluProduct p, const Run &run)
{
    Memory memory(settings.cuda);
    size_t y = (size_t)(p.T * p.y_pitch * 2), gate_up = (size_t)(p.T * p.gate_up_pitch * 2);
    Raw nothing(y + gate_up, 0xff);
    char *data = (char *)memory.bytes(nothing.data(), nothing.size());
    p.y = data, p.gate_up = data + y;
    run(&p);
    return taken(&memory, data, nothing.size());
}

static void check_swiglu(Size s)
{
    Memory memory(settings.cuda);
    Rows x = {s.m, s.k, s.k + 16}, w = {2 * s.n, s.k, s.k + 8};
    SwigluProduct p = {
        s.m,     s.n,           s.k,     operand(&memory, x, 3), operand(&memory, w, 4), NULL, NULL, x.pitch,
        w.pitch, 2 * s.n + 128, s.n + 64};
    Raw wanted = swiglu_of(p, swiglu_by_parts), of_y = wanted;
    std::fill(of_y.begin() + s.m * p.y_pitch * 2, of_y.end(), 0xff);
    for (HopperTiling tiling : TILINGS) {
        std::string what =
            text("SwiGLU of T %d F %d C %d by tiles of %s", (int)s.m, (int)s.n, (int)s.k, name_of(tiling).c_str());
        auto make = [&](const SwigluProduct *q) {
            if (!bf16::hopper_swiglu_tiled(NULL, q, tiling))
                failed("%s: not made", what.c_str());
        };
        check_bytes(what, swiglu_of(p, make), wanted);
        check_bytes(what + ", alone",
                    swiglu_of(p,
                              [&](SwigluProduct *q) {
                                  q->gate_up = NULL;
                                  make(q);
                              }),
                    of_y);
    }
}

static void swiglu_behind_its_product_has_the_bits_of_both()
{
    if (!there_are_tiles())
        return;
    std::vector<Size> all = {{1, 8, 8}, {136, 200, 72}, {264, 328, 136}, {130, 1032, 40}};
    if (settings.gpu)
        all.insert(all.end(), {{4096, 9728, 2560}, {224, 9728, 2560}, {1000, 3072, 1024}});
    for (Size s : all) {
        exact_tensor_cores(s.k == 72);
        check_swiglu(s);
        exact_tensor_cores(false);
    }
}

static void what_swiglu_does_not_take_it_leaves()
{
    if (!there_are_tiles())
        return;
    SwigluProduct p = {16, 8, 8, NULL, NULL, NULL, NULL, 8, 8, 16, 8};
    SwigluProduct wrong[] = {p, p, p, p, p, p};
    wrong[0].T = 0, wrong[1].C = 0, wrong[2].x_pitch = 12, wrong[3].w_pitch = 9, wrong[4].y_pitch = 9,
    wrong[5].gate_up_pitch = 17;
    for (const SwigluProduct &q : wrong)
        if (bf16::hopper_swiglu_tiled(NULL, &q, TILINGS[0]))
            failed("a product that no tile is for was made");
}

// ---- the rule

static void tiles_are_those_that_are_done_sooner()
{
    struct {
        int64_t m, n;
        int multiprocessors;
        HopperTiling tiling;
    } cases[] = {
        {4096, 2560, 132, {true, true}},  // 3 rounds of 128 x 256, or 2 of 256 x 160: 98,304 and 81,920 outputs a block
        {4096, 6144, 132, {false, true}}, // 6 and 5: 196,608 and 204,800
        {16384, 2560, 132, {false, true}}, // 10 and 8: as many outputs
        {224, 19456, 132, {true, true}},   // 2 rounds and 1
        {384, 5632, 66, {false, false}},   // a third row of 22 has no neighbour: one round alone, two in pairs
        {8, 8, 132, {false, false}},       // one tile of either, and no neighbour
        {256, 160, 1, {true, false}},      // two tiles of 128 x 256, one after the other
        {0, 256, 132, {false, false}},
    };
    for (auto c : cases) {
        HopperTiling got = hopper_tiling(c.m, c.n, c.multiprocessors);
        if (got.tall != c.tiling.tall || got.pairs != c.tiling.pairs)
            failed("(%d, %d) on %d multiprocessors: tiles of %s", (int)c.m, (int)c.n, c.multiprocessors,
                   name_of(got).c_str());
    }
}

extern const Tests hopper_matmul_tests;
const Tests hopper_matmul_tests = {
    {"hopper_matmul_tiles_of_any_kind_have_the_bits_of_the_others", tiles_of_any_kind_have_the_bits_of_the_others},
    {"hopper_matmul_swiglu_behind_its_product_has_the_bits_of_both", swiglu_behind_its_product_has_the_bits_of_both},
    {"hopper_matmul_what_swiglu_does_not_take_it_leaves", what_swiglu_does_not_take_it_leaves},
    {"hopper_matmul_tiles_are_those_that_are_done_sooner", tiles_are_those_that_are_done_sooner}};
