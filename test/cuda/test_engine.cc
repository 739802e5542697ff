// The generation engine on the table under test: requests of mixed lengths, few pages, passes taken down as graphs, and
// the host looking at results one pass late. The log-probabilities that it records are those of the same table's
// training forward, compared to the bit; and no shape of the engine changes one.
#include "engine/engine.h"
#include "test/cuda/call.h"
#include <algorithm>

static void ok(bool success)
{
    if (!success)
        failed("%s", error_text());
}

enum { VOCABULARY = 304, LIVE = 300 };

struct Pending {
    Integers prompt;
    GenerationRequest request;
};

struct Answer {
    Integers prompt, ids;
    Floats logprob, processed;
    float temperature;
    Floats scored; // of the prompt
    std::vector<Candidate> top;
};

static std::vector<Pending> requests()
{
    std::vector<Pending> all;
    int count = settings.gpu ? 256 : 24, longest = settings.gpu ? 1500 : 150;
    for (int n = 0; n < count; n++) {
        Pending a = {};
        int32_t length = 1 + random_integers(1, 50 + (uint32_t)n, n % 4 == 0 ? longest : 20)[0];
        a.prompt = random_integers(length, 500 + (uint32_t)n, LIVE);
        a.request.tag = (uint64_t)n;
        a.request.seed = 5;
        a.request.id = (uint64_t)n * 77;
        a.request.samples = n % 6 == 5 ? 3 : 1;
        a.request.max_new_tokens = 1 + n % (settings.gpu ? 60 : 7);
        a.request.temperature = n % 3 == 0 ? 0.7f : n % 3 == 1 ? 1 : 0;
        a.request.top_p = n % 4 == 1 ? 0.9f : 1;
        a.request.top_k = n % 5 == 2 ? 10 : 0;
        all.push_back(a);
    }
    return all;
}

class Generator
{
  public:
    Model model = {};
    Engine *engine = NULL;

    explicit Generator(const CacheLimits &cache, int64_t rank = 0) // of adapters
    {
        ModelConfig c = {};
        c.layers = 2, c.width = 64, c.heads = 4, c.kv_heads = 2, c.head_width = 64, c.feed_forward = 96,
        c.vocabulary = VOCABULARY;
        c.max_positions = 2048, c.rope_theta = 1e6, c.norm_epsilon = 1e-6, c.initializer_range = 0.15, c.tied = true;
        ModelLimits limits = {};
        limits.tokens = settings.gpu ? 4096 : 700, limits.rows = settings.gpu ? 2048 : 200, limits.sequences = 64;
        limits.positions = cache.positions;
        limits.cache = cache, limits.adapters = adapters_everywhere(rank);
        ok(model_open(&model, &c, &limits, settings.cuda, false) && model_initialise(&model, 7));
        if (rank > 0)
            model_write_weights(&model, 0, model.parameters.elements,
                                random_matrix(1, model.parameters.elements, 8, 0.2f).x.data());
        engine = engine_open(&model, LIVE);
        ok(engine != NULL);
    }
    ~Generator()
    {
        engine_close(engine);
        model_close(&model);
    }
    Generator(const Generator &) = delete;
    Generator &operator=(const Generator &) = delete;

    // Answers by request and sample.
    std::vector<Answer> run(std::vector<Pending> &all)
    {
        std::vector<Answer> answers(all.size() * 3);
        GenerationResult r;
        for (Pending &a : all) {
            a.request.prompt = a.prompt.data();
            a.request.prompt_count = (int64_t)a.prompt.size();
            ok(engine_add(engine, &a.request));
        }
        while (!engine_empty(engine)) {
            ok(engine_step(engine));
            while (engine_next(engine, &r)) {
                const Pending &a = all[r.tag];
                answers[r.tag * 3 + (size_t)r.sample] = {a.prompt,
                                                         Integers(r.ids, r.ids + r.count),
                                                         Floats(r.logprob, r.logprob + r.count),
                                                         Floats(r.processed, r.processed + r.count),
                                                         a.request.temperature == 0 ? 1 : a.request.temperature,
                                                         {},
                                                         {}};
                Answer &answer = answers[r.tag * 3 + (size_t)r.sample];
                if (r.prompt_logprob != NULL)
                    answer.scored.assign(r.prompt_logprob, r.prompt_logprob + a.prompt.size());
                if (r.top != NULL)
                    answer.top.assign(r.top, r.top + r.count * a.request.top);
            }
        }
        return answers;
    }

    // What training's forward pass says of answers of one temperature, packed end to end.
    void check(const std::vector<const Answer *> &pack, float temperature)
    {
        Integers ids, positions, starts = {0}, contexts, rows, targets;
        Floats expected;
        for (const Answer *a : pack) {
            for (size_t i = 0; i < a->prompt.size() + a->ids.size(); i++) {
                int32_t id = i < a->prompt.size() ? a->prompt[i] : a->ids[i - a->prompt.size()];
                if (i >= a->prompt.size()) {
                    rows.push_back((int32_t)ids.size() - 1);
                    targets.push_back(id);
                }
                ids.push_back(id);
                positions.push_back((int32_t)i);
            }
            expected.insert(expected.end(), a->logprob.begin(), a->logprob.end());
            starts.push_back((int32_t)ids.size());
            contexts.push_back(0);
        }
        Ragged b = {};
        b.tokens = (int64_t)ids.size(), b.sequences = (int64_t)contexts.size(), b.trained = (int64_t)rows.size();
        b.ids = ids.data(), b.positions = positions.data(), b.starts = starts.data(), b.contexts = contexts.data();
        b.rows = rows.data(), b.targets = targets.data();
        Floats logprob(rows.size()), entropy(rows.size());
        ok(model_forward(&model, &b) &&
           model_logprobs(&model, &b, temperature, LIVE, logprob.data(), entropy.data(), NULL));
        check_same(text("log-probabilities of %d answers at temperature %g, sampled and trained", (int)pack.size(),
                        (double)temperature),
                   expected, logprob);
    }

    void check_all(const std::vector<Answer> &answers)
    {
        for (float temperature : {0.7f, 1.0f}) {
            std::vector<const Answer *> pack;
            size_t tokens = 0, rows = 0;
            for (const Answer &a : answers) {
                if (a.ids.empty() || a.temperature != temperature)
                    continue;
                if (tokens + a.prompt.size() + a.ids.size() > (size_t)model.limits.tokens ||
                    rows + a.ids.size() > (size_t)model.limits.rows) {
                    check(pack, temperature);
                    pack.clear();
                    tokens = rows = 0;
                }
                pack.push_back(&a);
                tokens += a.prompt.size() + a.ids.size();
                rows += a.ids.size();
            }
            if (!pack.empty())
                check(pack, temperature);
        }
    }
};

static CacheLimits limits_of(int64_t tokens, int64_t sequences, int64_t pages)
{
    return CacheLimits{tokens, sequences, sequences, settings.gpu ? 2048 : 300, pages, 0};
}

static void what_is_recorded_is_what_training_computes()
{
    std::vector<Pending> all = requests();
    Generator roomy(settings.gpu ? limits_of(2048, 128, 2000) : limits_of(256, 20, 80));
    std::vector<Answer> answers = roomy.run(all);
    EngineStatistics s = engine_statistics(roomy.engine);
    size_t finished = 0, asked = 0;
    for (const Pending &a : all)
        asked += (size_t)a.request.samples;
    for (const Answer &a : answers)
        finished += !a.ids.empty();
    if (finished != asked || s.passes == 0)
        failed("%d of %d samples came", (int)finished, (int)asked);
    roomy.check_all(answers);
    Generator tight(settings.gpu ? limits_of(333, 32, 60) : limits_of(50, 9, 6)); // prompts in pieces, pages taken back
    std::vector<Answer> others = tight.run(all);
    if (engine_statistics(tight.engine).preemptions == 0)
        failed("nothing was preempted");
    for (size_t i = 0; i < answers.size(); i++) {
        check_same(text("tokens of sample %d, few pages", (int)i), others[i].ids, answers[i].ids);
        check_same(text("log-probabilities of sample %d, few pages", (int)i), others[i].logprob, answers[i].logprob);
        check_same(text("processed ones of sample %d, few pages", (int)i), others[i].processed, answers[i].processed);
    }
}

// Several passes that only decode, some behind one prompt: most of them are graphs where the table has graphs.
static void check_graphs(int64_t rank)
{
    std::vector<Pending> all = requests();
    all.resize(7);
    for (Pending &a : all) {
        a.prompt.resize(std::min(a.prompt.size(), (size_t)20));
        a.request.samples = 1;
        a.request.max_new_tokens = 12;
    }
    all[0].prompt = random_integers(140, 499, LIVE);
    all[0].request.samples = 3;
    Generator g(limits_of(200, 9, 40), rank);
    std::vector<Answer> answers = g.run(all);
    g.check_all(answers);
    EngineStatistics s = engine_statistics(g.engine);
    if (settings.cuda->graph_begin != NULL && s.graph_passes < 8)
        failed("%d of %d passes were graphs", (int)s.graph_passes, (int)s.passes);
}

static void decoding_runs_as_a_graph() { check_graphs(0); }
static void decoding_with_adapters_runs_as_a_graph() { check_graphs(8); }

// Candidates fall, and none of them is less likely than a token that is not among them; the token's own is exact.
static void check_candidates(const Answer &a, size_t wanted)
{
    for (size_t i = 0; i < a.ids.size(); i++) {
        bool there = false;
        for (size_t k = 0; k < wanted; k++) {
            const Candidate &c = a.top[i * wanted + k];
            there = there || c.id == a.ids[i];
            if (c.id < 0 || c.id >= LIVE || (k > 0 && c.logprob > a.top[i * wanted + k - 1].logprob))
                failed("candidate %d of token %d is %d, and more likely than the one before", (int)k, (int)i, c.id);
            if (c.id == a.ids[i] && c.logprob != a.logprob[i])
                failed("token %d is its own candidate with %.9g instead of %.9g", (int)i, c.logprob, a.logprob[i]);
        }
        if (!there && a.top[i * wanted + wanted - 1].logprob < a.logprob[i])
            failed("token %d is likelier than its last candidate, and is none", (int)i);
    }
}

static void prompts_are_scored_as_training_computes_them()
{
    const size_t wanted = 3;
    std::vector<Pending> all = requests();
    for (Pending &a : all)
        a.request.samples = 1;
    Generator plain(settings.gpu ? limits_of(2048, 128, 2000) : limits_of(256, 20, 80));
    std::vector<Answer> answers = plain.run(all), prompts;
    for (Pending &a : all) {
        a.request.score = true;
        a.request.top = (int32_t)wanted;
    }
    CacheLimits limits = limits_of(50, 9, settings.gpu ? 60 : 6);
    limits.rows += 16;
    limits.whole = 11;
    Generator scoring(limits);
    std::vector<Answer> scored = scoring.run(all);
    for (size_t i = 0; i < scored.size(); i++) {
        const Answer &a = scored[i];
        check_same(text("tokens of sample %d, scored", (int)i), a.ids, answers[i].ids);
        check_same(text("log-probabilities of sample %d, scored", (int)i), a.logprob, answers[i].logprob);
        check_candidates(a, wanted);
        if (a.prompt.size() > 1)
            prompts.push_back({{a.prompt[0]},
                               Integers(a.prompt.begin() + 1, a.prompt.end()),
                               Floats(a.scored.begin() + 1, a.scored.end()),
                               {},
                               1,
                               {},
                               {}});
    }
    plain.check_all(prompts);
}

extern const Tests engine_tests;
const Tests engine_tests = {{"engine_records_what_training_computes", what_is_recorded_is_what_training_computes},
                            {"engine_scores_prompts", prompts_are_scored_as_training_computes_them},
                            {"engine_decodes_as_a_graph", decoding_runs_as_a_graph},
                            {"engine_decodes_with_adapters_as_a_graph", decoding_with_adapters_runs_as_a_graph}};
