// The gradient of an update, from responses to weights: against supervised learning's where the two are the same,
// against finite differences, in other micro-batches; and a sampler that differs from the trainer is detected.
#include "test/support/tiny.h"
#include "rl/update.h"
#include <math.h>

enum { GROUPS = 4, SAMPLES = 2, RESPONSES = GROUPS * SAMPLES, LONGEST = 24 };

typedef struct Batch { // a group for each response, so that any two can change places; two of them share a prompt
    Group groups[RESPONSES];
    Response responses[RESPONSES];
    int32_t prompts[GROUPS][LONGEST], ids[RESPONSES][LONGEST];
    float logprob[RESPONSES][LONGEST];
    Rollout rollout;
    bool shared; // prompts, in what is packed
} Batch;

static const PolicyLossOptions TOKEN_MEANS = {.aggregation = {"token-mean", TOKEN_MEAN}};
static const PackPart ALL = {.count = RESPONSES, .micro_batch_tokens = 64, .slots = 1};

static int32_t drawn(uint32_t what, uint32_t i, int32_t below)
{
    return (int32_t)(random_bits(11, RANDOM_DEMO, what, i, 0).v[0] % (uint32_t)below);
}

static void make_batch(Batch *b)
{
    memset(b, 0, sizeof *b);
    b->rollout = (Rollout){.groups = b->groups, .count = RESPONSES, .samples = 1};
    for (int g = 0; g < GROUPS; g++)
        for (int i = 0; i < LONGEST; i++)
            b->prompts[g][i] = drawn((uint32_t)g, (uint32_t)i, 300);
    for (int r = 0; r < RESPONSES; r++) {
        for (int i = 0; i < LONGEST; i++)
            b->ids[r][i] = drawn(100 + (uint32_t)r, (uint32_t)i, 300);
        b->responses[r] = (Response){.ids = b->ids[r],
                                     .logprob = b->logprob[r],
                                     .count = 2 + drawn(200, (uint32_t)r, LONGEST - 2),
                                     .advantage = drawn(300, (uint32_t)r, 9) - 4};
        int g = r / SAMPLES;
        ShardEntry prompt = {.ids = b->prompts[g], .prompt = (uint32_t)(3 + 5 * g), .id = {"a prompt", 8}};
        b->groups[r] = (Group){.prompt = prompt, .responses = &b->responses[r]};
    }
    update_weights(&b->rollout, &ALL, &TOKEN_MEANS, LONGEST);
}

// What a sampler would have recorded under the weights as they are
static void record(Model *m, Batch *b)
{
    Pack pack;
    float logprob[TINY_TOKENS], entropy[TINY_TOKENS];
    PackPart all = ALL;
    all.count = b->rollout.count;
    assert_ok(pack_open(&pack, &b->rollout, &all));
    for (int64_t i = 0; i < pack.micro_batches; i++) {
        Ragged batch;
        pack_micro_batch(&pack, i, &batch);
        assert_ok(model_forward(m, &batch) && model_logprobs(m, &batch, 1, 300, logprob, entropy, NULL));
        int64_t at = 0;
        for (int64_t k = pack.first[i]; k < pack.first[i + 1]; k++) {
            const Response *response = pack.items[k].response;
            memcpy(response->logprob, logprob + at, (size_t)response->count * sizeof(float));
            at += response->count;
        }
        assert_int_equal(at, batch.trained);
    }
    pack_close(&pack);
}

// Groups of so many responses each, all of a prompt of their first one's.
static void in_groups(Batch *b, int samples)
{
    for (int g = 0; g < RESPONSES / samples; g++) {
        b->groups[g].responses = &b->responses[g * samples];
        b->groups[g].prompt.ids = b->prompts[g % GROUPS];
    }
    b->rollout.count = RESPONSES / samples;
    b->rollout.samples = samples;
}

static const UpdateRules ON_POLICY = {
    .temperature = 1,
    .n_live = 300,
    .on_policy = true,
    .objective = {.loss = LOSS_CLIP, .clip_low = .2, .clip_high = .2, .dual_clip = 3}};

static bool update(Model *m, Batch *b, const UpdateRules *rules, int64_t micro_batch_tokens, UpdateReport *report)
{
    Pack pack;
    *report = (UpdateReport){0};
    assert_ok(pack_open(&pack, &b->rollout, &(PackPart){0, b->rollout.count, micro_batch_tokens, 1, b->shared}));
    bool ok = gradients_clear(m) && update_gradients(m, &pack, rules, report);
    pack_close(&pack);
    return ok;
}

static void open_policy(Model *m, Batch *b)
{
    const Kernels *kernels = kernels_open("cpu", 0);
    assert_non_null(kernels);
    tiny_open(m, kernels, QWEN3, true, false);
    make_batch(b);
    record(m, b);
}

static void equal_advantages_of_one_are_supervised_learning(void **state)
{
    Model m;
    static Batch b;
    UpdateReport report;
    open_policy(&m, &b);
    for (int r = 0; r < RESPONSES; r++)
        b.responses[r].advantage = 1;
    assert_ok(update(&m, &b, &ON_POLICY, 64, &report));
    assert_int_equal(report.counts.ratio_not_one, 0);
    size_t bytes = (size_t)m.parameters.elements * sizeof(float);
    float *gradient = allocate(1, bytes);
    assert_non_null(gradient);
    memcpy(gradient, m.gradients, bytes);
    Pack pack;
    LossSum sum = {.finite = true};
    assert_ok(pack_open(&pack, &b.rollout, &ALL) && gradients_clear(&m));
    for (int64_t i = 0; i < pack.micro_batches; i++) {
        Ragged batch;
        pack_micro_batch(&pack, i, &batch);
        assert_ok(model_forward(&m, &batch) && model_loss(&m, &batch, 1.0 / (double)report.counts.tokens, &sum) &&
                  model_backward(&m, &batch));
    }
    assert_memory_equal(gradient, m.gradients, bytes);
    pack_close(&pack);
    free(gradient);
    model_close(&m);
}

static double size_of(const float *x, const float *y, int64_t n) // of x - y, y NULL: of x
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - (y == NULL ? 0 : (double)y[i]);
        sum += d * d;
    }
    return sqrt(sum);
}

// fp32 sums of the same terms in another order: 2^-24 for each of the some hundred terms of an element, were they all
// of one sign.
static void other_micro_batches_give_the_same_gradient(void **state)
{
    Model m;
    static Batch b;
    UpdateReport one, other;
    open_policy(&m, &b);
    int64_t n = m.parameters.elements;
    float *gradient = allocate((size_t)n, sizeof *gradient);
    assert_non_null(gradient);
    assert_ok(update(&m, &b, &ON_POLICY, 1024, &one));
    memcpy(gradient, m.gradients, (size_t)n * sizeof(float));
    for (int64_t tokens = 1; tokens < 200; tokens = tokens * 5 + 3) {
        assert_ok(update(&m, &b, &ON_POLICY, tokens, &other));
        assert_int_equal(one.counts.tokens, other.counts.tokens);
        assert_true(fabs(one.loss - other.loss) < 1e-12);
        assert_true(size_of(gradient, m.gradients, n) < 1e-5 * size_of(gradient, NULL, n));
    }
    free(gradient);
    model_close(&m);
}

// ---- what EXACTNESS.md promises of a cut: decisions 5 and 6

// Responses of which no two are as long, prompt included, in an order of their own
static void distinct_lengths(Batch *b)
{
    for (int r = 0; r < RESPONSES; r++)
        b->responses[r].count = 6 + r / SAMPLES + 2 * (r % SAMPLES); // totals 9 + 6 g and 11 + 6 g
    update_weights(&b->rollout, &ALL, &TOKEN_MEANS, LONGEST);
}

static void shuffle(Batch *b, uint32_t number)
{
    for (int32_t i = RESPONSES - 1; i > 0; i--) {
        int32_t other = drawn(500 + number, (uint32_t)i, i + 1);
        Group kept = b->groups[i];
        b->groups[i] = b->groups[other];
        b->groups[other] = kept;
    }
}

static UpdateRules with_entropy(void)
{
    UpdateRules rules = ON_POLICY;
    rules.objective.loss = LOSS_GSPO;
    rules.entropy_coefficient = 0.1;
    return rules;
}

static float *kept_gradient(const Model *m)
{
    float *gradient = allocate((size_t)m->parameters.elements, sizeof *gradient);
    assert_non_null(gradient);
    memcpy(gradient, m->gradients, (size_t)m->parameters.elements * sizeof *gradient);
    return gradient;
}

// Which share a micro-batch, and in which order, is decided by lengths; places are asked only where two are equal.
static void responses_in_another_order_give_the_same_bits(void **state)
{
    Model m;
    static Batch b;
    UpdateReport one, other;
    UpdateRules rules = with_entropy();
    open_policy(&m, &b);
    distinct_lengths(&b);
    record(&m, &b);
    for (int64_t tokens = 1; tokens < 200; tokens = tokens * 5 + 3) {
        assert_ok(update(&m, &b, &rules, tokens, &one));
        float *gradient = kept_gradient(&m);
        for (uint32_t order = 0; order < 4; order++) {
            shuffle(&b, order);
            assert_ok(update(&m, &b, &rules, tokens, &other));
            assert_memory_equal(gradient, m.gradients, (size_t)m.parameters.elements * sizeof(float));
            assert_memory_equal(&one, &other, sizeof one);
        }
        free(gradient);
    }
    model_close(&m);
}

// Equal lengths change places with each other, and so does the order in which rows are added: 1e-6 is EXACTNESS.md's.
static void equally_long_responses_in_another_order_give_the_same_gradient(void **state)
{
    Model m;
    static Batch b;
    UpdateReport one, other;
    UpdateRules rules = with_entropy();
    open_policy(&m, &b);
    int64_t n = m.parameters.elements;
    for (int r = 0; r < RESPONSES; r++) {
        b.responses[r].count = 12 - 5 * (r / SAMPLES % 2);
        b.groups[r].prompt.prompt = 3 + 5 * (uint32_t)(r / SAMPLES % 2); // 15 tokens, all of them
    }
    record(&m, &b);
    assert_ok(update(&m, &b, &rules, 64, &one));
    float *gradient = kept_gradient(&m);
    for (uint32_t order = 0; order < 4; order++) {
        shuffle(&b, order);
        assert_ok(update(&m, &b, &rules, 64, &other));
        assert_true(fabs(one.loss - other.loss) < 1e-12);
        double away = size_of(gradient, m.gradients, n) / size_of(gradient, NULL, n);
        if (!(away < 1e-6))
            fail_msg("in another order the gradient is %.3g away", away);
    }
    free(gradient);
    model_close(&m);
}

static void empty_micro_batches_add_nothing(void **state)
{
    Model m;
    static Batch b;
    UpdateReport one = {0}, other = {0};
    UpdateRules rules = with_entropy();
    Pack pack;
    open_policy(&m, &b);
    assert_ok(pack_open(&pack, &b.rollout, &(PackPart){0, RESPONSES, 64, RESPONSES, false}) && gradients_clear(&m) &&
              update_gradients(&m, &pack, &rules, &one));
    assert_int_equal(pack.micro_batches, RESPONSES);
    pack_close(&pack);
    float *gradient = kept_gradient(&m);
    assert_ok(pack_open(&pack, &b.rollout, &(PackPart){0, RESPONSES, 64, 2 * RESPONSES, false}) &&
              gradients_clear(&m) && update_gradients(&m, &pack, &rules, &other));
    assert_int_equal(pack.micro_batches, 2 * RESPONSES); // half of them are empty
    pack_close(&pack);
    assert_memory_equal(gradient, m.gradients, (size_t)m.parameters.elements * sizeof(float));
    assert_memory_equal(&one, &other, sizeof one);
    free(gradient);
    model_close(&m);
}

// The gradient of micro-batch m alone, from zero
static void micro_batch_gradient(Model *model, Pack *pack, int64_t m, const UpdateRules *rules, UpdateReport *report)
{
    Pack one = *pack;
    one.first += m;
    one.micro_batches = 1;
    double norm; // an empty one's gradients are zeros when somebody wants to know their norm
    assert_ok(gradients_clear(model) && update_gradients(model, &one, rules, report) && gradient_norm(model, &norm));
}

static void expect_counts(const UpdateReport *a, const UpdateReport *b) // sums of the same doubles, rank by rank
{
    assert_true(a->counts.tokens == b->counts.tokens && a->counts.clipped == b->counts.clipped &&
                a->counts.ratio_not_one == b->counts.ratio_not_one);
    assert_true(fabs(a->loss - b->loss) < 1e-12 && fabs(a->entropy - b->entropy) < 1e-10);
}

// Ranks are models that share nothing here; each cuts the update itself and takes the micro-batches m with m % ranks ==
// rank. Their gradients, each finished on its own, are added in the order of m: what one rank alone makes of all of
// them, to the bit.
static void expect_the_same_bits_of_any_number_of_ranks(bool shared)
{
    enum { MOST_RANKS = 4, SLOTS = 4 };
    Model ranks[MOST_RANKS];
    static Batch b;
    UpdateRules rules = with_entropy();
    open_policy(&ranks[0], &b);
    for (int r = 1; r < MOST_RANKS; r++)
        tiny_open(&ranks[r], kernels_open("cpu", 0), QWEN3, true, false);
    in_groups(&b, SAMPLES);
    record(&ranks[0], &b);
    PackPart part = {0, b.rollout.count, shared ? 20 : 40, SLOTS, shared};
    Pack whole, own[MOST_RANKS];
    UpdateReport alone = {0};
    assert_ok(pack_open(&whole, &b.rollout, &part) && gradients_clear(&ranks[0]) &&
              update_gradients(&ranks[0], &whole, &rules, &alone));
    int64_t elements = ranks[0].parameters.elements, micro_batches = whole.micro_batches;
    pack_close(&whole);
    float *wanted = kept_gradient(&ranks[0]), *sum = allocate((size_t)elements, sizeof *sum);
    assert_non_null(sum);
    for (int count = 1; count <= MOST_RANKS; count *= 2) {
        UpdateReport both = {0};
        memset(sum, 0, (size_t)elements * sizeof *sum);
        for (int r = 0; r < count; r++)
            assert_ok(pack_open(&own[r], &b.rollout, &part));
        assert_true(own[0].micro_batches == micro_batches && micro_batches % count == 0 && micro_batches > count);
        for (int64_t m = 0; m < micro_batches; m++) {
            Model *rank = &ranks[m % count];
            micro_batch_gradient(rank, &own[m % count], m, &rules, &both);
            for (int64_t i = 0; i < elements; i++)
                sum[i] += rank->gradients[i];
        }
        for (int r = 0; r < count; r++)
            pack_close(&own[r]);
        assert_memory_equal(sum, wanted, (size_t)elements * sizeof *sum);
        expect_counts(&both, &alone);
    }
    free(wanted);
    free(sum);
    for (int r = 0; r < MOST_RANKS; r++)
        model_close(&ranks[r]);
}

static void any_number_of_ranks_makes_the_same_bits(void **state)
{
    expect_the_same_bits_of_any_number_of_ranks(false);
    expect_the_same_bits_of_any_number_of_ranks(true);
}

// Behind one copy of their prompt responses have the log-probabilities that they have behind copies, to the bit
// (on_policy checks them), and a gradient that is a sum of the same terms in another order, in any cut.
static void responses_behind_one_prompt_have_the_same_bits_and_the_same_gradient(void **state)
{
    Model m;
    static Batch b;
    UpdateReport apart, together;
    UpdateRules rules = with_entropy();
    open_policy(&m, &b);
    for (int samples = 2; samples <= RESPONSES; samples *= 2)
        for (int length = 1; length <= 21; length += 10) { // one token: there is nothing to share
            in_groups(&b, samples);
            b.groups[0].prompt.prompt = (uint32_t)length;
            b.shared = false;
            record(&m, &b);
            assert_ok(update(&m, &b, &rules, 64, &apart));
            float *gradient = kept_gradient(&m);
            double size = size_of(gradient, NULL, m.parameters.elements);
            b.shared = true;
            for (int64_t most = 30; most < 300; most += 60) {
                assert_ok(update(&m, &b, &rules, most, &together));
                expect_counts(&apart, &together);
                double away = size_of(gradient, m.gradients, m.parameters.elements) / size;
                if (!(away < 1e-6))
                    fail_msg("%d responses behind a prompt of %d, in micro-batches of %d: the gradient is %.3g away",
                             samples, length, (int)most, away);
            }
            free(gradient);
        }
    model_close(&m);
}

static void threads_do_not_change_the_gradient_behind_one_prompt(void **state)
{
    Model m;
    static Batch b;
    UpdateReport report;
    float *gradient = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        assert_non_null(kernels_open("cpu", threads));
        open_policy(&m, &b);
        in_groups(&b, 4);
        b.shared = true;
        record(&m, &b);
        assert_non_null(kernels_open("cpu", threads)); // open_policy takes all
        assert_ok(update(&m, &b, &ON_POLICY, 256, &report));
        if (gradient == NULL)
            gradient = kept_gradient(&m);
        assert_memory_equal(gradient, m.gradients, (size_t)m.parameters.elements * sizeof *gradient);
        model_close(&m);
    }
    free(gradient);
}

static double loss_at(Model *m, Batch *b, const UpdateRules *rules, const float *weights, const float *direction,
                      double h, float *moved)
{
    UpdateReport report;
    for (int64_t i = 0; i < m->parameters.elements; i++)
        moved[i] = (float)((double)weights[i] + h * (double)direction[i]);
    model_write_weights(m, 0, m->parameters.elements, moved);
    assert_ok(update(m, b, rules, 256, &report));
    return report.loss;
}

// Central differences along the gradient. The step moves the weights by 1e-3 in all, so the third derivative adds some
// 1e-6 of the slope, and the loss's own rounding (2^-24 of about 10 nats a token, averaging) some 1e-4.
static void gradients_agree_with_finite_differences(void **state)
{
    static const PolicyLoss losses[] = {LOSS_CLIP, LOSS_GSPO};
    Model m;
    static Batch b;
    UpdateReport report;
    open_policy(&m, &b);
    int64_t n = m.parameters.elements;
    float *weights = allocate((size_t)n, sizeof(float)), *gradient = allocate((size_t)n, sizeof(float)),
          *moved = allocate((size_t)n, sizeof(float));
    assert_true(weights != NULL && gradient != NULL && moved != NULL);
    assert_ok(model_read_weights(&m, 0, n, weights));
    for (int r = 0; r < RESPONSES; r++)
        for (int i = 0; i < LONGEST; i++)
            b.logprob[r][i] +=
                0.05f * (float)(drawn(400 + (uint32_t)r, (uint32_t)i, 3) - 1); // ratios off 1, and none near a corner
    for (int k = 0; k < 2; k++) {
        UpdateRules rules = ON_POLICY;
        rules.on_policy = false;
        rules.entropy_coefficient = 0.3;
        rules.objective.loss = losses[k];
        rules.objective.clip_low = rules.objective.clip_high = .5;
        rules.temperature = 1;
        assert_ok(update(&m, &b, &rules, 256, &report));
        memcpy(gradient, m.gradients, (size_t)n * sizeof(float));
        double size = size_of(gradient, NULL, n), h = 1e-3 / size;
        double slope = (loss_at(&m, &b, &rules, weights, gradient, h, moved) -
                        loss_at(&m, &b, &rules, weights, gradient, -h, moved)) /
                       (2 * h);
        if (!(fabs(slope - size * size) < 2e-3 * size * size))
            fail_msg("loss %d: %.8g by differences, %.8g by backward", k, slope, size * size);
        model_write_weights(&m, 0, n, weights);
    }
    free(weights);
    free(gradient);
    free(moved);
    model_close(&m);
}

// On policy derivatives are known before the head is run, which makes its logits once: with the bits of two passes.
static void what_is_known_before_the_head_gives_the_bits_of_what_follows_it(void **state)
{
    Model m;
    static Batch b;
    UpdateReport once, twice;
    open_policy(&m, &b);
    for (int entropy = 0; entropy < 2; entropy++)
        for (int64_t tokens = 30; tokens < 300; tokens *= 8) {
            UpdateRules rules = entropy ? with_entropy() : ON_POLICY;
            rules.on_policy = true;
            assert_ok(update(&m, &b, &rules, tokens, &once));
            float *gradient = kept_gradient(&m);
            rules.on_policy = false;
            assert_ok(update(&m, &b, &rules, tokens, &twice));
            assert_memory_equal(gradient, m.gradients, (size_t)m.parameters.elements * sizeof *gradient);
            assert_memory_equal(&once, &twice, sizeof once);
            free(gradient);
        }
    model_close(&m);
}

static void a_sampler_that_is_not_the_trainer_is_found_out(void **state)
{
    Model m;
    static Batch b;
    UpdateReport report;
    open_policy(&m, &b);
    b.logprob[RESPONSES - 1][1] = nextafterf(b.logprob[RESPONSES - 1][1], 0);
    assert_false(update(&m, &b, &ON_POLICY, 256, &report));
    assert_non_null(strstr(error_text(), "a prompt"));
    error_clear();
    UpdateRules later = ON_POLICY;
    later.on_policy = false;
    assert_ok(update(&m, &b, &later, 256, &report));
    assert_int_equal(report.counts.ratio_not_one, 1);
    model_close(&m);
}

// A row that is trained has before it what its target follows, and its target is the next token of its response.
static void expect_rows(const Ragged *batch, const Pack *pack, int64_t m)
{
    int64_t n = 0;
    for (int64_t i = pack->first[m]; i < pack->first[m + 1]; i++) {
        const PackItem *item = &pack->items[i];
        const ShardEntry *prompt = &item->group->prompt;
        for (int64_t t = 0; t < item->response->count; t++, n++) {
            int64_t row = batch->rows[n];
            assert_int_equal(batch->targets[n], item->response->ids[t]);
            assert_int_equal(batch->ids[row], t == 0 ? prompt->ids[prompt->prompt - 1] : item->response->ids[t - 1]);
            assert_int_equal(batch->positions[row], prompt->prompt - 1 + t);
        }
    }
    assert_int_equal(batch->trained, n);
}

// Every context is a prompt but for its last token, in rows that no other sequence is in.
static void expect_contexts(const Ragged *batch, const Pack *pack)
{
    for (int64_t s = 0; s < batch->sequences; s++) {
        int64_t context = batch->contexts[s], first = batch->starts[s];
        assert_true(batch->positions[first] == context && batch->seen_until[s] >= batch->starts[s + 1]);
        for (int64_t t = 0; t < context; t++)
            assert_int_equal(batch->positions[batch->context_rows[s] + t], t);
        assert_true(context == 0 || batch->context_rows[s] + context <= first);
    }
    (void)pack;
}

static void expect_packed_once(const Rollout *rollout, const Batch *b, bool shared)
{
    int64_t tokens[2] = {0};
    for (int64_t slots = 1; slots <= 8; slots *= 2)
        for (int64_t most = 1; most < 300; most = 2 * most + 1) {
            Pack pack;
            int seen[RESPONSES] = {0};
            assert_ok(pack_open(&pack, rollout, &(PackPart){0, rollout->count, most, slots, shared}));
            assert_int_equal(pack.micro_batches % slots, 0);
            for (int64_t m = 0; m < pack.micro_batches; m++) {
                Ragged batch;
                pack_micro_batch(&pack, m, &batch);
                assert_true(batch.tokens <= most || pack.first[m + 1] - pack.first[m] == 1);
                for (int64_t i = pack.first[m]; i < pack.first[m + 1]; i++)
                    seen[pack.items[i].response - b->responses]++;
                expect_rows(&batch, &pack, m);
                if (shared)
                    expect_contexts(&batch, &pack);
                tokens[0] += slots == 1 && most > 200 ? batch.tokens : 0;
            }
            for (int r = 0; r < RESPONSES; r++)
                assert_int_equal(seen[r], r != 4);
            pack_close(&pack);
        }
    for (int64_t g = 0; g < rollout->count; g++) { // once for each prompt, or for each response
        int64_t prompt = rollout->groups[g].prompt.prompt, many = 0;
        for (int64_t r = 0; r < rollout->samples; r++) {
            const Response *response = &rollout->groups[g].responses[r];
            tokens[1] += response->weight != 0 ? response->count : 0;
            many += response->weight != 0;
        }
        tokens[1] += !shared ? many * prompt : many > 0 ? prompt - 1 : 0;
    }
    assert_int_equal(tokens[0], tokens[1]);
}

static void every_response_is_packed_once(void **state)
{
    static Batch b;
    make_batch(&b);
    b.responses[4].weight = 0; // is not trained
    for (int samples = 1; samples <= 4; samples *= 2) {
        in_groups(&b, samples);
        expect_packed_once(&b.rollout, &b, false);
        expect_packed_once(&b.rollout, &b, true);
    }
}

// An update's part of a rollout has its own mean, and a response that was cut off may have no weight in it.
static void weights_are_those_of_the_part(void **state)
{
    static Batch b;
    PolicyLossOptions loss = TOKEN_MEANS;
    make_batch(&b);
    for (int r = 0; r < RESPONSES; r++)
        b.responses[r].weight = -1;
    b.responses[3].ended = b.responses[5].ended = true;
    loss.mask_truncated = true;
    update_weights(&b.rollout, &(PackPart){.first = 3, .count = 3}, &loss, LONGEST);
    double each = 1 / (double)(b.responses[3].count + b.responses[5].count);
    assert_true(b.responses[3].weight == each && b.responses[4].weight == 0 && b.responses[5].weight == each);
    assert_true(b.responses[2].weight == -1 && b.responses[6].weight == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_advantages_of_one_are_supervised_learning),
        cmocka_unit_test(other_micro_batches_give_the_same_gradient),
        cmocka_unit_test(responses_in_another_order_give_the_same_bits),
        cmocka_unit_test(equally_long_responses_in_another_order_give_the_same_gradient),
        cmocka_unit_test(empty_micro_batches_add_nothing),
        cmocka_unit_test(any_number_of_ranks_makes_the_same_bits),
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(what_is_known_before_the_head_gives_the_bits_of_what_follows_it),
        cmocka_unit_test(a_sampler_that_is_not_the_trainer_is_found_out),
        cmocka_unit_test(responses_behind_one_prompt_have_the_same_bits_and_the_same_gradient),
        cmocka_unit_test(threads_do_not_change_the_gradient_behind_one_prompt),
        cmocka_unit_test(every_response_is_packed_once),
        cmocka_unit_test(weights_are_those_of_the_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
