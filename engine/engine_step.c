// A pass of the engine through the model: queued, and its results read. Where the device runs in parallel with the
// host, the next pass is queued before the results of this one are read; the tokens that it starts from never leave the
// device. A sample that turns out to have ended has then run once too often, and that row is discarded.
#include "engine/engine_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool flight_open(Engine *e, Flight *f)
{
    const CacheLimits *limits = &e->model->limits.cache;
    TRY(cached_batch_open(&f->batch, e->model) && cached_results_open(&f->results, e->model));
    f->event = e->model->kernels->event_open(false);
    f->sampled = allocate((size_t)limits->sequences, sizeof(Sequence *));
    f->whole = allocate((size_t)limits->sequences, sizeof *f->whole);
    f->probed = allocate(2 * (size_t)limits->sequences, sizeof *f->probed);
    f->probe_rows = allocate((size_t)limits->rows, sizeof(int32_t));
    return f->event != NULL && f->sampled != NULL && f->whole != NULL && f->probed != NULL && f->probe_rows != NULL;
}

bool flights_open(Engine *e)
{
    for (int i = 0; i < PASSES_IN_FLIGHT; i++)
        TRY(flight_open(e, &e->flights[i]));
    return true;
}

void flights_close(Engine *e)
{
    for (int i = 0; i < PASSES_IN_FLIGHT; i++) {
        Flight *f = &e->flights[i];
        cached_batch_close(&f->batch, e->model);
        cached_results_close(&f->results, e->model);
        if (f->event != NULL)
            e->model->kernels->event_close(f->event);
        free(f->sampled);
        free(f->whole);
        free(f->probed);
        free(f->probe_rows);
    }
}

// What sequences share is read by the first of them.
static int64_t keys_of(const PagedBatch *b, int64_t sequences)
{
    int64_t keys = 0;
    for (int64_t s = 0; s < sequences; s++) {
        bool first = s == 0 || b->shared_until[s - 1] == s;
        keys += b->contexts[s] + b->starts[s + 1] - b->starts[s] - (first ? 0 : b->shared_pages[s] * KEY_BLOCK);
    }
    return keys;
}

bool flight_queue(Engine *e, Flight *f)
{
    PagedBatch *b = &f->batch;
    for (int64_t i = 0; i < b->probed; i++)
        b->rows[b->sampled + i] = f->probe_rows[i];
    int64_t sampled = b->sampled, sequences = b->sequences;
    TRY(cached_queue(e->model, b, e->n_live, &f->results));
    e->model->kernels->event_record(NULL, f->event);
    b->sampled = sampled; // without the padding
    e->statistics.keys_read += keys_of(b, sequences);
    for (int64_t i = 0; i < b->copies; i++)
        page_give_back(&e->pages, b->copy_pairs[2 * i]);
    e->passes++;
    e->statistics.passes++;
    e->statistics.graph_passes += b->graph;
    return true;
}

// ---- results

static bool append_float(float **list, size_t *capacity, int64_t count, float x)
{
    TRY(grow(list, capacity, (size_t)count + 1, sizeof **list));
    (*list)[count] = x;
    return true;
}

// The `top` largest of the live logits, the first of equal ones first; logprob: of `token`, from the head.
static void find_top(Candidate *top, int64_t wanted, const float *logits, int64_t n_live, float temperature,
                     int32_t token, float logprob)
{
    int64_t count = 0;
    for (int64_t v = 0; v < n_live; v++) {
        if (count == wanted && !(logits[v] > top[count - 1].logprob))
            continue;
        int64_t place = count < wanted ? count++ : count - 1;
        for (; place > 0 && logits[v] > top[place - 1].logprob; place--)
            top[place] = top[place - 1];
        top[place] = (Candidate){(int32_t)v, logits[v]};
    }
    for (int64_t i = 0; i < count; i++)
        top[i].logprob =
            (float)((double)logprob + ((double)(top[i].logprob / temperature) - (double)(logits[token] / temperature)));
}

static const float *logits_of(const Engine *e, const Flight *f, int64_t row)
{
    return f->results.logits + row * e->model->config.vocabulary;
}

static bool append_top(const Engine *e, Sequence *s, const Flight *f, int64_t row)
{
    const GenerationRequest *r = &s->settings->request;
    size_t n = (size_t)(s->count - s->prompt) * (size_t)r->top;
    if (r->top == 0)
        return true;
    TRY(grow(&s->top, &s->top_capacity, n + (size_t)r->top, sizeof *s->top));
    find_top(s->top + n, r->top, logits_of(e, f, f->whole[row]), e->n_live, r->temperature == 0 ? 1 : r->temperature,
             f->results.token[row], f->results.logprob[row]);
    return true;
}

static bool append_token(Sequence *s, const PagedResults *r, int64_t row)
{
    int64_t n = s->count - s->prompt;
    TRY(append_float(&s->logprob, &s->logprob_capacity, n, r->logprob[row]));
    TRY(append_float(&s->processed, &s->processed_capacity, n, r->processed[row]));
    TRY(append_float(&s->entropy, &s->entropy_capacity, n, r->entropy[row]));
    TRY(grow(&s->tokens, &s->token_capacity, (size_t)s->count + 1, sizeof *s->tokens));
    s->tokens[s->count++] = r->token[row];
    return extend_chain(s);
}

static bool stops(const Sequence *s)
{
    const GenerationRequest *r = &s->settings->request;
    int32_t token = s->tokens[s->count - 1];
    for (int64_t i = 0; i < r->stop_count; i++)
        if (token == r->stop[i])
            return true;
    if (r->watch == NULL)
        return false;
    GenerationResult so_far = result_of(s);
    return r->watch(r->watch_context, &so_far);
}

static void finish(Engine *e, Sequence *s, FinishReason reason)
{
    s->finished = true;
    s->reason = reason;
    if (s->running)
        stop_running(e, s);
}

// When no queued pass has rows of it: moved to the finished or back to the waiting ones; freed, if it was cancelled.
static void settle(Engine *e, Sequence *s)
{
    if (s->in_queue > 0 || (!s->finished && s->running))
        return;
    if (s->cancelled)
        sequence_free(e, s);
    else if (s->finished)
        list_add(&e->finished, s);
    else
        waiting_push(e, s);
}

static bool take_sampled(Engine *e, const Flight *f, int64_t row)
{
    Sequence *s = f->sampled[row];
    s->in_queue--;
    s->pending--;
    if (s->finished) {
        settle(e, s);
        return true;
    }
    if (!isfinite(f->results.logprob[row]))
        return fail("the model's logits for a sequence of %" PRId64
                    " tokens are not finite; its weights are damaged, or have diverged",
                    s->count);
    TRY(append_top(e, s, f, row) && append_token(s, &f->results, row));
    e->statistics.sampled_tokens++;
    if (stops(s))
        finish(e, s, FINISH_STOP);
    else if (s->count - s->prompt >= s->settings->request.max_new_tokens)
        finish(e, s, FINISH_LENGTH);
    settle(e, s);
    return true;
}

static bool take_probed(Engine *e, const Flight *f, const Probes *p, const float *logprob)
{
    Sequence *s = p->sequence;
    for (int64_t i = 0; i < p->count; i++)
        if (!isfinite(logprob[i]))
            return fail("the model's logits for a prompt of %" PRId64 " tokens are not finite; its weights are damaged",
                        s->prompt);
    s->in_queue--;
    if (p->first > 0 && !s->cancelled) { // a prompt that is scored goes on to its samples
        const GenerationRequest *r = &s->settings->request;
        memcpy(s->prompt_logprob + p->first, logprob, (size_t)p->count * sizeof *logprob);
        for (int64_t i = 0; i < p->count && r->top > 0; i++)
            find_top(s->prompt_top + (p->first + i) * r->top, r->top, logits_of(e, f, p->whole + i), e->n_live, 1,
                     s->tokens[p->first + i], logprob[i]);
    } else if (p->first == 0 && !s->cancelled) {
        TRY((s->probe = allocate((size_t)p->count, sizeof *s->probe)) != NULL);
        memcpy(s->probe, logprob, (size_t)p->count * sizeof *logprob);
        finish(e, s, FINISH_LENGTH);
    }
    s->pending -= p->first == 0;
    settle(e, s);
    return true;
}

bool flight_land(Engine *e, Flight *f)
{
    const float *probed = f->results.logprob + f->batch.sampled;
    TRY(e->model->kernels->event_wait(f->event));
    for (int64_t i = 0; i < f->probed_count; probed += f->probed[i++].count) // before it ends with what it samples
        TRY(take_probed(e, f, &f->probed[i], probed));
    for (int64_t row = 0; row < f->batch.sampled; row++)
        TRY(take_sampled(e, f, row));
    return true;
}
