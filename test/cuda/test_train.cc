// A whole training step of a tiny Qwen3 or Qwen2 on the table under test: against the same step on the CPU, and to the
// bit against itself, with recomputation, unpacked, twice.
//
// bf16 and the CPU's fp32 differ by roundings. Each rounding of an activation is a relative error of at most 2^-8, in
// the mean square about 2^-9.3 (half an ulp, uniform, for significands between 1 and 2), and independent of the others.
// A gradient has some 25 of them a layer behind it, forward and back, so 50 here: 2^-9.3 · √50 = 1.1% of its norm, if
// no operation made them larger. FAR allows four times that. A cosine of 0.999 is the same angle: √(2 · 0.001) =
// 0.0447.
#ifndef PRECISION
#define PRECISION bf16
#define PRECISION_BITS 16
#endif
#include "kernels/cuda/library.h"
#include "model/model.h"
#include "test/cuda/call.h"
#include <algorithm>

static const double FAR = 0.0447;

// ---- documents

struct Documents {
    Ragged ragged = {};
    Integers ids, positions, starts = {0}, contexts, rows, targets;

    // Document `number` of `length` random tokens; two of three are trained
    void add(uint32_t number, int32_t length)
    {
        Integers tokens = random_integers(length, 100 + number, 304);
        for (int32_t i = 0; i < length; i++) {
            if (i > 0 && i % 3 != 0) {
                rows.push_back((int32_t)ids.size() - 1);
                targets.push_back(tokens[(size_t)i]);
            }
            ids.push_back(tokens[(size_t)i]);
            positions.push_back(i);
        }
        starts.push_back((int32_t)ids.size());
        contexts.push_back(0);
    }

    const Ragged *batch()
    {
        ragged.tokens = (int64_t)ids.size();
        ragged.sequences = (int64_t)contexts.size();
        ragged.trained = (int64_t)rows.size();
        ragged.ids = ids.data();
        ragged.positions = positions.data();
        ragged.starts = starts.data();
        ragged.contexts = contexts.data();
        ragged.rows = rows.data();
        ragged.targets = targets.data();
        return &ragged;
    }
};

static Integers lengths() { return settings.longer ? Integers{137, 1, 300, 64, 2, 33} : Integers{130, 1, 40, 2}; }

static Documents documents(size_t first, size_t last)
{
    Documents d;
    for (size_t i = first; i < last; i++)
        d.add((uint32_t)i, lengths()[i]);
    return d;
}

static Documents all_documents() { return documents(0, lengths().size()); }

// ---- a model on a table, and what a step leaves in it

static void ok(bool success)
{
    if (!success)
        failed("%s", error_text());
}

struct Kind {
    ModelFamily family;
    bool tied;
    int64_t rank; // of adapters; 0: its own weights learn
};

static const Kind KINDS[] = {{QWEN3, true, 0}, {QWEN3, false, 0}, {QWEN2, false, 0}, {QWEN2, false, 8}};
static const Kind ADAPTED = {QWEN3, true, 16};

class Tiny
{
  public:
    Model model = {};
    Optimizer optimizer = {};

    // Weights are numbers of the activation type under test on either table, so that both begin alike. Biases are
    // drawn: those of a new model are zero.
    Tiny(const Kernels *kernels, Kind kind, bool recompute)
    {
        ModelConfig c = {};
        c.layers = 2, c.width = 64, c.heads = 2, c.kv_heads = 1, c.head_width = 64, c.feed_forward = 96,
        c.vocabulary = 304;
        c.max_positions = 512, c.rope_theta = 1e6, c.norm_epsilon = 1e-6, c.initializer_range = 0.15;
        c.family = kind.family, c.tied = kind.tied;
        ModelLimits limits = {};
        limits.tokens = limits.rows = 600, limits.sequences = 8, limits.positions = 512, limits.training = true;
        limits.recompute = recompute, limits.adapters = adapters_everywhere(kind.rank);
        ok(model_open(&model, &c, &limits, kernels, false) && model_initialise(&model, 7));
        const Parameters *own = model_own(&model);
        Floats drawn((size_t)own->elements);
        ok(model_read_own(&model, 0, own->elements, drawn.data()));
        Matrix begin = rounded(1, own->elements, with_biases(own, drawn));
        model_write_own(&model, 0, own->elements, begin.x.data());
        if (kind.rank > 0)
            model_write_weights(&model, 0, elements(), random_matrix(1, elements(), 8, 0.2f).x.data());
        ok(gradients_clear(&model));
    }
    ~Tiny()
    {
        optimizer_close(&optimizer);
        model_close(&model);
    }
    Tiny(const Tiny &) = delete;
    Tiny &operator=(const Tiny &) = delete;

    static Floats with_biases(const Parameters *own, Floats x)
    {
        for (int64_t i = 0; i < own->count; i++) {
            const Parameter &p = own->list[i];
            if (p.matrix || p.initial != 0)
                continue;
            Floats bias = random_floats(parameter_elements(&p), (uint32_t)i);
            std::copy(bias.begin(), bias.end(), x.begin() + p.offset);
        }
        return x;
    }
    int64_t elements() const { return model.parameters.elements; }
    Floats weights() const // the masters
    {
        Floats x((size_t)elements());
        ok(model_read_weights(&model, 0, elements(), x.data()));
        return x;
    }
    Floats gradients() const
    {
        Floats x((size_t)elements());
        ok(model.kernels->download(NULL, x.data(), model.gradients, x.size() * sizeof(float)));
        return x;
    }
    double step(Documents *d)
    {
        LossSum sum = {0, 0, true};
        const Ragged *batch = d->batch();
        ok(model_forward(&model, batch) && model_loss(&model, batch, 1.0 / (double)batch->trained, &sum) &&
           model_backward(&model, batch));
        return loss_mean(&sum);
    }
    Floats logprobs(Documents *d)
    {
        const Ragged *batch = d->batch();
        Floats logprob((size_t)batch->trained), entropy((size_t)batch->trained);
        ok(model_forward(&model, batch) && model_logprobs(&model, batch, 1, 304, logprob.data(), entropy.data(), NULL));
        return logprob;
    }
    void open_optimizer(double epsilon, bool bf16_moments)
    {
        optimizer.beta1 = 0.9, optimizer.beta2 = 0.999, optimizer.epsilon = epsilon, optimizer.weight_decay = 0.1;
        optimizer.bf16_moments = bf16_moments, optimizer.seed = 3;
        ok(optimizer_open(&optimizer, &model, false));
    }
    void update(Documents *d, double rate)
    {
        double norm;
        ok(gradients_clear(&model));
        step(d);
        ok(gradient_norm(&model, &norm) && optimizer_step(&optimizer, &model, rate, norm > 1 ? 1 / norm : 1));
    }
};

static Floats of_parameter(const Floats &x, const Parameter &p)
{
    return Floats(x.begin() + p.offset, x.begin() + p.offset + parameter_elements(&p));
}

static double norm_of(const Floats &x)
{
    double squares = 0;
    for (float number : x)
        squares += (double)number * (double)number;
    return std::sqrt(squares);
}

static Floats difference(const Floats &x, const Floats &y)
{
    Floats d = x;
    for (size_t i = 0; i < d.size(); i++)
        d[i] -= y[i];
    return d;
}

// ---- against the CPU

static double gradient_tolerance() { return settings.bf16 ? FAR : 2e-5; } // of a gradient's norm

static void check_gradients(const Tiny &got, const Tiny &oracle)
{
    Floats x = got.gradients(), y = oracle.gradients();
    for (int64_t i = 0; i < got.model.parameters.count; i++) {
        const Parameter &p = got.model.parameters.list[i];
        Floats a = of_parameter(x, p), b = of_parameter(y, p);
        double off = norm_of(difference(a, b)) / norm_of(b), product = 0;
        for (size_t e = 0; e < a.size(); e++)
            product += (double)a[e] * (double)b[e];
        double cosine = product / norm_of(a) / norm_of(b), ratio = norm_of(a) / norm_of(b);
        if (!(off <= gradient_tolerance() && cosine >= 0.999 && std::fabs(ratio - 1) <= gradient_tolerance()))
            failed("the gradient of %s: off by %.3g of its norm, cosine %.6f, %.6f as long", p.name, off, cosine,
                   ratio);
        compared(1, 0, off / gradient_tolerance());
    }
}

// A hidden state that is off by FAR of its length in a random direction moves a logit by FAR times the spread of its
// row's logits (0.15 · √64 = 1.2 for this model), and a target's logprob by √2 of that; the mean of N of them by four
// standard errors and half the square, which is what is left of them on average.
static void check_loss(double got, double oracle, int64_t trained)
{
    double token = std::sqrt(2.0) * FAR * 1.2,
           bound = settings.bf16 ? 4 * token / std::sqrt((double)trained) + token * token / 2 : 1e-6 * oracle;
    if (!(std::fabs(got - oracle) <= bound))
        failed("the loss is %.9g, on the CPU %.9g: more than %.3g apart", got, oracle, bound);
    compared(1, 0, std::fabs(got - oracle) / bound);
}

static void a_step_agrees_with_the_cpu()
{
    for (Kind kind : KINDS) {
        Documents d = all_documents();
        Tiny cuda(settings.cuda, kind, false), cpu(settings.cpu, kind, false);
        double loss = cuda.step(&d), oracle = cpu.step(&d);
        check_loss(loss, oracle, d.batch()->trained);
        check_gradients(cuda, cpu);
    }
}

// An epsilon as large as the gradients makes AdamW's update a smooth function of them: its derivative is at most
// 1/epsilon by the first moment and as much by the second. So three updates are off by 3 · 2 · rate / epsilon times
// what a gradient is off, in norm; and by the roundings of the fp32 masters, two in each update on either side.
static void three_updates_agree_with_the_cpu()
{
    const double rate = 1e-3, epsilon = 1e-2;
    for (Kind kind : KINDS) {
        Documents d = all_documents();
        Tiny cuda(settings.cuda, kind, false), cpu(settings.cpu, kind, false);
        Floats before = cpu.weights();
        for (Tiny *t : {&cuda, &cpu}) {
            t->open_optimizer(epsilon, false);
            for (int step = 0; step < 3; step++)
                t->update(&d, rate);
        }
        Floats x = cuda.weights(), y = cpu.weights(), gradients = cpu.gradients();
        for (int64_t i = 0; i < cpu.model.parameters.count; i++) {
            const Parameter &p = cpu.model.parameters.list[i];
            Floats after = of_parameter(y, p);
            double off = norm_of(difference(of_parameter(x, p), after)),
                   moved = norm_of(difference(after, of_parameter(before, p)));
            double bound = 6 * rate / epsilon * gradient_tolerance() * norm_of(of_parameter(gradients, p)) +
                           3 * 2 * 2 * ROUNDING * norm_of(after);
            if (!(off <= bound) || moved == 0)
                failed("%s: three updates moved it by %.3g, and %.3g away from the CPU's; at most %.3g are explained",
                       p.name, moved, off, bound);
            compared(1, 0, off / bound);
        }
    }
}

// ---- to the bit

static void recomputation_changes_no_bit()
{
    for (Kind kind : KINDS) {
        Documents d = all_documents();
        Tiny kept(settings.cuda, kind, false), again(settings.cuda, kind, true);
        double x = kept.step(&d), y = again.step(&d);
        if (x != y)
            failed("the loss is %.17g, recomputed %.17g", x, y);
        check_same("gradients, recomputed,", again.gradients(), kept.gradients());
    }
}

static void packed_logprobs_equal_unpacked_ones()
{
    Tiny tiny(settings.cuda, KINDS[0], false);
    Documents all = all_documents();
    Floats together = tiny.logprobs(&all), alone;
    for (size_t i = 0; i < lengths().size(); i++) {
        Documents one = documents(i, i + 1);
        for (float logprob : tiny.logprobs(&one))
            alone.push_back(logprob);
    }
    check_same("logprobs, packed,", together, alone);
}

static Floats weights_after_updates(uint64_t order, bool bf16_moments)
{
    Documents d = all_documents();
    Tiny tiny(settings.cuda, KINDS[0], false);
    take_order(order);
    tiny.open_optimizer(1e-8, bf16_moments);
    for (int step = 0; step < 2; step++)
        tiny.update(&d, 1e-3);
    return tiny.weights();
}

static void updates_are_the_same_twice()
{
    for (bool bf16_moments : {false, true}) {
        Floats once = weights_after_updates(0, bf16_moments);
        for (uint64_t again = 1; again < (simulated() ? 2u : 20u); again++)
            check_same(text("weights after two updates with %s moments", bf16_moments ? "bf16" : "fp32"),
                       weights_after_updates(again, bf16_moments), once);
    }
}

static void an_empty_micro_batch_adds_nothing()
{
    Documents some = all_documents(), nothing, untrained = all_documents();
    untrained.rows.clear();
    untrained.targets.clear();
    Tiny tiny(settings.cuda, KINDS[0], false);
    tiny.step(&some);
    Floats before = tiny.gradients();
    if (tiny.step(&nothing) != 0 || tiny.step(&untrained) != 0)
        failed("the loss of nothing is not zero");
    check_same("gradients after an empty micro-batch", tiny.gradients(), before);
}

// A library that makes what it is asked for as we do, but for sums that go elsewhere than to a gradient: those only
// measure it, and so it is faster wherever it has room for whole multiples of 128 rows.
static struct {
    const float *first, *end; // the gradients
    int products, weights;
} asked;

static int offer_one(const Product *, Algorithm *list, int)
{
    list[0] = Algorithm{{1}};
    return 1;
}

static bool make(Stream *s, const Product *p, const Algorithm *)
{
    bool gradient = (const float *)p->c >= asked.first && (const float *)p->c < asked.end;
    asked.products++;
    asked.weights += p->form == MATMUL_BACKWARD_WEIGHT && gradient;
    if (p->form != MATMUL_BACKWARD_WEIGHT || gradient || p->c_pitch == 128) // 128: a corner, by which it is judged
        bf16::product_own(s, p);
    return true;
}

// Batches of fewer tokens than the one before, so that memory behind them is full of its numbers.
static void a_librarys_products_change_no_bit()
{
    static const ProductLibrary LIBRARY = {"a library of the tests", 1, offer_one, make};
    if (!settings.bf16 || !simulated())
        return;
    setenv("DEREASON_CACHE", "off", 1);
    for (bool recompute : {false, true}) {
        Kind kind = recompute ? ADAPTED : KINDS[0];
        Tiny ours(settings.cuda, kind, recompute), theirs(settings.cuda, kind, recompute);
        asked = {theirs.model.gradients, theirs.model.gradients + theirs.elements(), 0, 0};
        std::vector<Floats> gradients;
        for (size_t count : {4, 1}) {
            Documents d = documents(0, count);
            ours.step(&d);
            gradients.push_back(ours.gradients());
        }
        bf16::product_use(&LIBRARY, false);
        for (size_t i = 0; i < 2; i++) {
            Documents d = documents(0, i == 0 ? 4 : 1);
            theirs.step(&d);
            check_same("gradients, with a library,", theirs.gradients(), gradients[i]);
        }
        bf16::product_use(NULL, false);
        int sure =
            recompute ? 10 : 3; // of a layer all products but the one with a pitch of 128: 11 with adapters, or 4
        if (asked.weights < 2 * 2 * sure) // steps, layers
            failed("the library made %d gradients of weights only", asked.weights);
    }
    unsetenv("DEREASON_CACHE");
}

extern const Tests train_tests;
const Tests train_tests = {{"training_step_agrees_with_the_cpu", a_step_agrees_with_the_cpu},
                           {"training_for_three_updates_agrees_with_the_cpu", three_updates_agree_with_the_cpu},
                           {"training_with_recomputation_changes_no_bit", recomputation_changes_no_bit},
                           {"training_packed_logprobs_equal_unpacked_ones", packed_logprobs_equal_unpacked_ones},
                           {"training_by_a_librarys_products_changes_no_bit", a_librarys_products_change_no_bit},
                           {"training_updates_are_the_same_twice", updates_are_the_same_twice},
                           {"training_on_an_empty_micro_batch_adds_nothing", an_empty_micro_batch_adds_nothing}};
