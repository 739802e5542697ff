// A pass that only decodes, as model/paged.c takes it down as a graph: there nearly all of its kernels begin before
// those in front of them have ended (kernels/cuda/device.cuh). It has the bits of its operations one after the other;
// what a kernel does too early is named by SIMT's race build.
#include "test/cuda/call.h"

enum { WIDTH = 72, VOCABULARY = 48, LIVE = 41, LAYERS = 2, SHARED = 9 }; // SHARED: pages of the last two sequences

// Layers have the same weights and the same pages, so that each writes where the other does.
struct Pass {
    int64_t T;
    Attention attention;
    Tensor table, norm, qkv_weight, bias, q_norm, k_norm, o_weight, head;
    Tensor x, normed, qkv, turned, queries, attended, head_input;
    float *rstd, *qk_rstd, *logsumexp, *cosine, *sine, *logprob, *processed, *entropy, *workspace;
    int32_t *ids, *kept, *slots, *positions, *rows, *token;
    const SampleRow *sampling;
};

static void run(const Pass &p)
{
    const Kernels *k = settings.cuda;
    k->tokens_take(NULL, p.ids, p.T, p.kept);
    k->embedding_forward(NULL, p.x, p.table, p.ids);
    for (int layer = 0; layer < LAYERS; layer++) {
        k->rmsnorm_forward(NULL, p.normed, Tensor{}, p.rstd, p.x, Tensor{}, p.norm, 1e-6f);
        k->rows_fill(NULL, p.qkv, p.bias);
        k->matmul_forward(NULL, p.qkv, p.normed, p.qkv_weight, true);
        k->qk_norm_rope_forward(NULL, p.turned, p.qk_rstd, p.qkv, p.q_norm, p.k_norm, p.cosine, p.sine, p.positions,
                                &p.attention, 1e-6f);
        k->attention_forward(NULL, p.attended, p.logsumexp, p.queries, Tensor{}, Tensor{}, &p.attention);
        k->rows_scale(NULL, p.attended, 1.5f);
        k->matmul_forward(NULL, p.x, p.attended, p.o_weight, false);
    }
    k->rows_gather(NULL, p.head_input, p.x, p.rows);
    k->head_sample(NULL, p.token, p.logprob, p.processed, p.entropy, p.head_input, p.head, p.sampling, LIVE,
                   p.workspace);
    k->tokens_keep(NULL, p.kept, p.token, p.slots, p.T);
}

// New tokens in a first page, at its end, behind some, and twice behind two segments, of which the second begins with
// shared pages.
static const Integers contexts = {3, 127, 300, 1160, 1170};

static Pages pages_of(const Heads &heads, bool company)
{
    Pages p = {};
    int32_t taken = 0;
    p.per_sequence = contexts.back() / KEY_BLOCK + 1;
    for (size_t i = 0; i < contexts.size(); i++)
        for (int64_t block = 0; block < p.per_sequence; block++) {
            bool common = i + 1 == contexts.size() && block < SHARED;
            p.table.push_back(common ? p.table[p.table.size() - (size_t)p.per_sequence]
                              : block <= (int64_t)contexts[i] / KEY_BLOCK ? taken++
                                                                          : 0);
        }
    p.keys = random_matrix(taken * heads.kv_heads * KEY_BLOCK, heads.width, 1);
    p.values = random_matrix(taken * heads.kv_heads * KEY_BLOCK, heads.width, 2);
    if (company) {
        p.shared = {0, 0, 0, SHARED, SHARED};
        p.until = {1, 2, 3, 5, 5};
    }
    return p;
}

static const Integers new_ids = {-1, -2, 7, -4, -5}; // of which one is known

static Pass pass_of(Memory &m, const Heads &heads, const Pages &pages)
{
    const Kernels *k = settings.cuda;
    int64_t T = (int64_t)contexts.size(), H = heads.heads, Hkv = heads.kv_heads, D = heads.width;
    Sequences s = {heads, {0, 1, 2, 3, 4, 5}, contexts, {}, {}, {}, {}, {}};
    Rope rope = rope_table(settings.cpu, contexts.back() + 1, D, 1e6);
    std::vector<SampleRow> sampling;
    for (int32_t i = 0; i < (int32_t)T; i++)
        sampling.push_back(SampleRow{1, (uint64_t)i, 0, contexts[(size_t)i], i == 0 ? 0.0f : 1.0f,
                                     i % 2 == 0 ? 0.9f : 1.0f, 0, i == 3 ? 5 : 0});
    Pass p = {};
    p.T = T;
    p.attention = attention_of(m, k, s, &pages);
    p.table = m.elements(random_matrix(VOCABULARY, WIDTH, 3));
    p.norm = m.elements(random_matrix(1, WIDTH, 4));
    p.qkv_weight = m.elements(random_matrix((H + 2 * Hkv) * D, WIDTH, 5));
    p.bias = m.elements(random_matrix(1, (H + 2 * Hkv) * D, 6));
    p.q_norm = m.elements(random_matrix(1, D, 7));
    p.k_norm = m.elements(random_matrix(1, D, 8));
    p.o_weight = m.elements(random_matrix(WIDTH, H * D, 9));
    p.head = m.elements(random_matrix(VOCABULARY, WIDTH, 10));
    p.x = m.elements_out(T, WIDTH);
    p.normed = m.elements_out(T, WIDTH);
    p.qkv = m.elements_out(T, (H + 2 * Hkv) * D);
    p.turned = m.elements_out(T, (H + Hkv) * D);
    p.queries = columns_of(p.turned, 0, H * D, k->activation_size);
    p.attended = m.elements_out(T, H * D);
    p.head_input = m.elements_out(T, WIDTH);
    p.rstd = m.floats_out(T);
    p.qk_rstd = m.floats_out(T * (H + Hkv));
    p.logsumexp = m.floats_out(T * H);
    p.cosine = m.floats(rope.cosine);
    p.sine = m.floats(rope.sine);
    p.logprob = m.floats_out(T);
    p.processed = m.floats_out(T);
    p.entropy = m.floats_out(T);
    p.workspace = m.floats_out(k->sample_workspace(T, VOCABULARY));
    p.ids = m.integers(new_ids);
    p.kept = m.integers(random_integers(T, 11, VOCABULARY));
    p.slots = m.integers({4, 2, 0, 1, 3});
    p.positions = m.integers(contexts);
    p.rows = m.integers({4, 3, 2, 1, 0});
    p.token = m.integers_out(T);
    p.sampling = (const SampleRow *)m.bytes(sampling.data(), sampling.size() * sizeof sampling[0]);
    return p;
}

struct Outcome {
    Floats x, logprob;
    Integers kept;
    Pages pages;
};

// Three passes, each from the tokens of the one before; the first runs directly, so that everything is prepared.
static Outcome outcome(const Heads &heads, bool company, bool graph)
{
    const Kernels *k = settings.cuda;
    Memory m(k);
    Pages before = pages_of(heads, company);
    Pass p = pass_of(m, heads, before);
    Graph *taken = NULL;
    run(p);
    if (graph) {
        if (!k->graph_begin(NULL))
            failed("graph_begin: %s", error_text());
        run(p);
        taken = k->graph_end(NULL);
        if (taken == NULL)
            failed("graph_end: %s", error_text());
    }
    for (int i = 0; i < 2; i++) {
        k->upload(NULL, p.ids, new_ids.data(), new_ids.size() * sizeof new_ids[0]);
        if (graph)
            k->graph_launch(NULL, taken);
        else
            run(p);
    }
    Outcome o = {m.read(p.x), m.read(p.logprob, p.T), m.read(p.kept, p.T), pages_read(m, k, p.attention, before)};
    if (taken != NULL)
        k->graph_close(taken);
    return o;
}

static void check_pass(const Heads &heads, bool company)
{
    Outcome expected = outcome(heads, company, false), got = outcome(heads, company, true);
    std::string what = text("D %d, %s company, in a graph:", (int)heads.width, company ? "with" : "without");
    check_same(what + " hidden states", got.x, expected.x);
    check_same(what + " log-probabilities", got.logprob, expected.logprob);
    check_same(what + " tokens", got.kept, expected.kept);
    check_same(what + " keys in pages", got.pages.keys.x, expected.pages.keys.x);
    check_same(what + " values in pages", got.pages.values.x, expected.pages.values.x);
}

static void a_graph_has_the_bits_of_its_operations()
{
    if (settings.cuda->graph_begin == NULL)
        return;
    uint64_t order = 0;
    for (bool any_card : {false, true}) {
        if (any_card)
            setenv("DEREASON_ATTENTION", "mma", 1);
        for (Heads heads : {Heads{4, 2, 64}, Heads{2, 1, 128}})
            for (bool company : {false, true})
                if (settings.longer || company == (heads.width == 64)) {
                    take_order(order++);
                    check_pass(heads, company);
                }
        unsetenv("DEREASON_ATTENTION");
        if (!settings.bf16)
            break; // there is no other one
    }
}

extern const Tests decode_pass_tests;
const Tests decode_pass_tests = {
    {"decoding_in_a_graph_has_the_bits_of_its_operations", a_graph_has_the_bits_of_its_operations}};
