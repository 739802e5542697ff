// Requests for tests of the generation engine: of many shapes, a function of their numbers; running them; and the
// trainer's view of what came out.
#ifndef TEST_REQUESTS_H
#define TEST_REQUESTS_H

#include "test/support/check.h"
#include "engine/engine.h"

// A sample as it came out.
typedef struct Sampled {
    int64_t count;
    int32_t *ids;
    float *logprob, *processed, *entropy;
    FinishReason reason;
    float temperature;
    int64_t prompt_count; // its whole sequence: the prompt, then ids
    int32_t *sequence;
} Sampled;

enum { SAMPLES_MOST = 8 };

typedef struct Requests {
    GenerationRequest *list; // (count)
    int64_t count;
    Sampled *results; // (count, SAMPLES_MOST)
    int64_t finished, tokens;
} Requests;

static inline uint32_t number_of(uint32_t what, int64_t request, uint32_t below)
{
    return random_bits(17, RANDOM_DEMO, what, (uint32_t)request, 0).v[0] % below;
}

static const int32_t REQUEST_STOPS[] = {7, 150, 299};

// Prompts of 1 to `longest` tokens, many short ones among them; 1 to most_new new tokens; one to four samples; all
// kinds of sampling. Every fourth begins as the one before it does.
static inline GenerationRequest request_of(int64_t n, int64_t longest, int64_t most_new, int32_t vocabulary)
{
    GenerationRequest r = {.tag = (uint64_t)n, .seed = 3, .id = 1000 + (uint64_t)n, .samples = 1, .top_p = 1};
    r.prompt_count = 1 + number_of(1, n, (uint32_t)(n % 3 == 0 ? longest : longest / 8 + 1));
    r.max_new_tokens = 1 + number_of(2, n, (uint32_t)most_new);
    r.samples = n % 5 == 0 ? 1 + (int32_t)number_of(3, n, 4) : 1;
    r.temperature = n % 7 == 0 ? 0 : n % 7 < 4 ? 1 : 0.7f;
    r.top_k = n % 4 == 1 ? 20 : 0;
    r.top_p = n % 4 == 2 ? 0.9f : 1;
    r.min_p = n % 8 == 3 ? 0.05f : 0;
    r.expected = n % 6 == 0 ? r.max_new_tokens : 0;
    r.stop = REQUEST_STOPS;
    r.stop_count = n % 2 == 0 ? 3 : 0;
    int32_t *prompt = allocate((size_t)r.prompt_count, sizeof *prompt);
    assert_non_null(prompt);
    for (int64_t i = 0; i < r.prompt_count; i++)
        prompt[i] = (int32_t)(number_of(100 + (uint32_t)i, n % 4 == 3 ? n - 1 : n, (uint32_t)vocabulary));
    r.prompt = prompt;
    return r;
}

static inline Requests requests_make(int64_t count, int64_t longest, int64_t most_new, int32_t vocabulary)
{
    Requests r = {.count = count};
    r.list = allocate((size_t)count, sizeof *r.list);
    r.results = allocate((size_t)(count * SAMPLES_MOST), sizeof *r.results);
    assert_true(r.list != NULL && r.results != NULL);
    for (int64_t n = 0; n < count; n++)
        r.list[n] = request_of(n, longest, most_new, vocabulary);
    return r;
}

static inline void *copy_of(const void *from, int64_t count, size_t size)
{
    char *copy = allocate((size_t)count, size);
    assert_non_null(copy);
    memcpy(copy, from, (size_t)count * size);
    return copy;
}

static inline void requests_clear(Requests *r)
{
    for (int64_t i = 0; i < r->count * SAMPLES_MOST; i++) {
        Sampled *s = &r->results[i];
        free(s->ids);
        free(s->logprob);
        free(s->processed);
        free(s->entropy);
        free(s->sequence);
        *s = (Sampled){0};
    }
    r->finished = r->tokens = 0;
}

static inline void requests_free(Requests *r)
{
    requests_clear(r);
    for (int64_t n = 0; n < r->count; n++)
        free((void *)(uintptr_t)r->list[n].prompt);
    free(r->list);
    free(r->results);
}

static inline void keep_result(Requests *r, const GenerationResult *result)
{
    const GenerationRequest *from = &r->list[result->tag];
    Sampled *s = &r->results[(int64_t)result->tag * SAMPLES_MOST + result->sample];
    assert_null(s->sequence); // nothing comes twice
    s->count = result->count;
    s->ids = copy_of(result->ids, result->count, sizeof(int32_t));
    s->logprob = copy_of(result->logprob, result->count, sizeof(float));
    s->processed = copy_of(result->processed, result->count, sizeof(float));
    s->entropy = copy_of(result->entropy, result->count, sizeof(float));
    s->reason = result->reason;
    s->temperature = from->temperature == 0 ? 1 : from->temperature;
    s->prompt_count = from->prompt_count;
    s->sequence = allocate((size_t)(from->prompt_count + result->count), sizeof(int32_t));
    assert_non_null(s->sequence);
    memcpy(s->sequence, from->prompt, (size_t)from->prompt_count * sizeof(int32_t));
    memcpy(s->sequence + from->prompt_count, result->ids, (size_t)result->count * sizeof(int32_t));
    r->finished++;
    r->tokens += result->count;
}

// Requests first, first + step, ... through the engine.
static inline void requests_run(Requests *r, Engine *e, int64_t first, int64_t step)
{
    GenerationResult result;
    int64_t next = first;
    while (next < r->count || !engine_empty(e)) {
        for (; next < r->count && engine_has_room(e); next += step)
            assert_ok(engine_add(e, &r->list[next]));
        assert_ok(engine_step(e));
        while (engine_next(e, &result))
            keep_result(r, &result);
    }
}

static inline void assert_same_sample(const Sampled *a, const Sampled *b, int64_t number)
{
    bool same = a->count == b->count && a->reason == b->reason;
    same = same && memcmp(a->ids, b->ids, (size_t)a->count * 4) == 0;
    same = same && memcmp(a->logprob, b->logprob, (size_t)a->count * 4) == 0;
    same = same && memcmp(a->processed, b->processed, (size_t)a->count * 4) == 0;
    same = same && memcmp(a->entropy, b->entropy, (size_t)a->count * 4) == 0;
    if (!same)
        fail_msg("request %d sample %d: %d tokens and %d, not the same", (int)(number / SAMPLES_MOST),
                 (int)(number % SAMPLES_MOST), (int)a->count, (int)b->count);
}

// Those that both have, at least `least` of them.
static inline void assert_same_results(const Requests *a, const Requests *b, int64_t least)
{
    int64_t both = 0;
    for (int64_t i = 0; i < a->count * SAMPLES_MOST; i++)
        if (a->results[i].sequence != NULL && b->results[i].sequence != NULL) {
            assert_same_sample(&a->results[i], &b->results[i], i);
            both++;
        }
    assert_true(both >= least);
}

// ---- the trainer's view: samples of one temperature packed end to end, one forward pass, the log-probabilities of
// what was sampled

typedef struct Packed {
    Ragged ragged;
    int32_t *ids, *positions, *starts, *contexts, *rows, *targets;
    float *logprob, *entropy;
    const Sampled **samples; // (ragged.sequences)
} Packed;

static inline Packed packed_open(const Model *m)
{
    Packed p = {0};
    size_t T = (size_t)m->limits.tokens, S = (size_t)m->limits.sequences;
    int32_t **integers[] = {&p.ids, &p.positions, &p.rows, &p.targets, &p.starts, &p.contexts};
    for (int i = 0; i < 6; i++) {
        *integers[i] = allocate(i < 4 ? T : S + 1, sizeof(int32_t));
        assert_non_null(*integers[i]);
    }
    p.logprob = allocate(T, sizeof(float)), p.entropy = allocate(T, sizeof(float)),
    p.samples = allocate(S, sizeof *p.samples);
    assert_true(p.logprob != NULL && p.entropy != NULL && p.samples != NULL);
    p.ragged =
        (Ragged){.ids = p.ids, .positions = p.positions, .starts = p.starts, .contexts = p.contexts, .rows = p.rows};
    p.ragged.targets = p.targets;
    return p;
}

static inline void packed_close(Packed *p)
{
    void *arrays[] = {p->ids,     p->positions, p->starts,  p->contexts, p->rows,
                      p->targets, p->logprob,   p->entropy, p->samples};
    for (int i = 0; i < 9; i++)
        free(arrays[i]);
}

static inline bool packed_fits(const Packed *p, const Model *m, const Sampled *s)
{
    return p->ragged.tokens + s->prompt_count + s->count <= m->limits.tokens &&
           p->ragged.sequences < m->limits.sequences && p->ragged.trained + s->count <= m->limits.rows;
}

static inline void packed_add(Packed *p, const Sampled *s)
{
    Ragged *r = &p->ragged;
    int64_t length = s->prompt_count + s->count;
    for (int64_t i = 0; i < length; i++) {
        if (i >= s->prompt_count) {
            p->rows[r->trained] = (int32_t)(r->tokens + i - 1);
            p->targets[r->trained++] = s->sequence[i];
        }
        p->ids[r->tokens + i] = s->sequence[i];
        p->positions[r->tokens + i] = (int32_t)i;
    }
    p->samples[r->sequences] = s;
    p->contexts[r->sequences++] = 0;
    r->tokens += length;
    p->starts[r->sequences] = (int32_t)r->tokens;
}

// Compares the recorded log-probabilities and entropies with the trainer's to the bit, and empties the pack; how many
// tokens.
static inline int64_t packed_check(Packed *p, Model *m, float temperature, int64_t n_live)
{
    int64_t at = 0;
    assert_ok(model_forward(m, &p->ragged));
    assert_ok(model_logprobs(m, &p->ragged, temperature, n_live, p->logprob, p->entropy, NULL));
    for (int64_t s = 0; s < p->ragged.sequences; at += p->samples[s++]->count) {
        assert_memory_equal(p->logprob + at, p->samples[s]->logprob, (size_t)p->samples[s]->count * sizeof(float));
        assert_memory_equal(p->entropy + at, p->samples[s]->entropy, (size_t)p->samples[s]->count * sizeof(float));
    }
    p->ragged.tokens = p->ragged.sequences = p->ragged.trained = 0;
    return at;
}

// Every sample against the trainer's forward pass, packed with others; the number of tokens compared.
static inline int64_t check_with_trainer(const Requests *r, Model *m, int64_t n_live)
{
    const float temperatures[] = {1, 0.7f};
    int64_t compared = 0;
    Packed p = packed_open(m);
    for (int t = 0; t < 2; t++) {
        for (int64_t i = 0; i < r->count * SAMPLES_MOST; i++) {
            const Sampled *s = &r->results[i];
            if (s->sequence == NULL || s->temperature != temperatures[t])
                continue;
            if (!packed_fits(&p, m, s))
                compared += packed_check(&p, m, temperatures[t], n_live);
            packed_add(&p, s);
        }
        compared += packed_check(&p, m, temperatures[t], n_live);
    }
    packed_close(&p);
    return compared;
}

#endif
