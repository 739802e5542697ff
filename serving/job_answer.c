// What a job writes: pieces of a stream as tokens come, a whole answer when all have; errors. In the engine's thread.
#include "serving/service_internal.h"
#include <string.h>

// ---- into the buffer that the connection reads

static bool put_event(Job *job, const Bytes *json)
{
    return bytes_text(&job->out, "data: ") && bytes_append(&job->out, json->data, json->size) &&
           bytes_text(&job->out, "\n\n");
}

// A reader that is too far behind is not waited for: the loop gives the job up.
static bool send_event(Job *job, const Bytes *json)
{
    Service *s = job->service;
    pthread_mutex_lock(&s->lock);
    bool ok = put_event(job, json);
    if (!ok || job->out.size - job->taken > SERVICE_BUFFER)
        job->status = ok ? 408 : 500;
    job_wake(job);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

// What was read goes when a buffer's worth of it has: a reader who is always a little behind never reads all.
size_t job_read(Job *job, char *buffer, size_t most)
{
    Bytes *out = &job->out;
    size_t read = out->size - job->taken < most ? out->size - job->taken : most;
    if (read > 0)
        memcpy(buffer, out->data + job->taken, read);
    job->taken += read;
    if (read > 0 && (job->taken == out->size || job->taken > SERVICE_BUFFER)) {
        out->size -= job->taken;
        memmove(out->data, out->data + job->taken, out->size + 1);
        job->taken = 0;
    }
    return read;
}

// ---- choices

// How much of the text may be passed on: no stop text may appear, not even its beginning.
static size_t presentable(const StopTexts *stops, const Bytes *text)
{
    size_t safe = stop_texts_cut(stops, text->data, text->size);
    if (safe < text->size)
        return safe;
    for (size_t i = 0; i < stops->count; i++)
        for (size_t n = strlen(stops->texts[i]); n-- > 1;)
            if (n <= text->size && memcmp(text->data + text->size - n, stops->texts[i], n) == 0) {
                safe = text->size - n < safe ? text->size - n : safe;
                break; // the longest beginning is the one that holds most back
            }
    return safe;
}

static AnswerTokens tokens_from(const Job *job, const GenerationResult *r, int64_t first, int64_t count)
{
    int64_t top = job->request.top;
    return (AnswerTokens){.ids = r->ids + first,
                          .logprob = r->logprob + first,
                          .top = top == 0 ? NULL : r->top + first * top,
                          .count = count - first,
                          .top_count = top};
}

static AnswerTokens prompt_tokens(const Part *part, const GenerationResult *r)
{
    return (AnswerTokens){.ids = part->ids.ids,
                          .logprob = r->prompt_logprob,
                          .top = r->prompt_top,
                          .count = (int64_t)part->ids.count,
                          .top_count = part->job->request.top,
                          .first_unknown = true};
}

// The next piece, or all: `text` and the tokens up to `count` that were not passed on yet. Of several answers to a
// prompt, the first has its log-probabilities, and all have the same.
static bool write_choice(Bytes *out, Part *part, const GenerationResult *r, Text text, int64_t count,
                         const char *finish_reason)
{
    const Job *job = part->job;
    Choice *choice = &part->choices[r->sample];
    bool begins = !choice->begun;
    Bytes echoed = {0};
    AnswerChoice c = {.index = choice->index,
                      .text = text,
                      .begins = begins,
                      .finish_reason = finish_reason,
                      .logprobs = job->request.logprobs,
                      .tokens = tokens_from(job, r, choice->told, count),
                      .offset = &choice->offset,
                      .with_ids = job->request.return_ids,
                      .prompt_ids = begins ? &part->ids : NULL};
    bool ok = true;
    if (begins && job->request.echo) {
        ok = bytes_append(&echoed, part->text.data, part->text.size) && bytes_append(&echoed, text.data, text.size);
        c.text = (Text){echoed.data, echoed.size};
        if (r->prompt_logprob != NULL)
            c.prompt = prompt_tokens(part, r);
    }
    ok = ok && answer_choice(out, &job->head, job->stops.tokenizer, &c, job->request.stream);
    choice->told = count;
    choice->begun = true;
    bytes_free(&echoed);
    return ok;
}

static bool send_piece(Part *part, const GenerationResult *r, Text text, int64_t count, const char *finish_reason)
{
    Job *job = part->job;
    Bytes json = {0};
    bool ok = answer_begin(&json, &job->head, true) && write_choice(&json, part, r, text, count, finish_reason) &&
              answer_end(&json, NULL) && send_event(job, &json);
    bytes_free(&json);
    return ok;
}

// ---- as tokens come

static bool send_what_is_new(Part *part, const GenerationResult *r)
{
    Job *job = part->job;
    Choice *choice = &part->choices[r->sample];
    TRY(decode_next(&choice->stream, job->stops.tokenizer, &choice->text, r->ids[r->count - 1], false) &&
        bytes_text(&choice->text, ""));
    size_t safe = presentable(&job->stops, &choice->text);
    Text text = {choice->text.data + choice->sent, safe > choice->sent ? safe - choice->sent : 0};
    choice->sent += text.size;
    bool told = choice->begun && text.size == 0 && !job->request.logprobs && !job->request.return_ids;
    return told || send_piece(part, r, text, r->count, NULL);
}

static void note_token(Job *job)
{
    Service *s = job->service;
    if (job->first > 0)
        return;
    job->first = clock_seconds();
    pthread_mutex_lock(&s->lock);
    histogram_add(&s->metrics.first_token, job->first - job->arrived);
    pthread_mutex_unlock(&s->lock);
}

bool job_take_token(void *context, const GenerationResult *so_far)
{
    Part *part = context;
    Job *job = part->job;
    note_token(job);
    if (stop_texts_met(&job->stops, so_far->ids, so_far->count))
        return true; // the last piece comes with the result
    if (!job->request.stream || job->request.max_tokens < 0 || send_what_is_new(part, so_far))
        return false;
    error_clear();
    pthread_mutex_lock(&job->service->lock);
    job->status = 500; // no memory: the loop gives it up
    pthread_mutex_unlock(&job->service->lock);
    return true;
}

// ---- at the end

bool job_take_result(Job *job, Part *part, const GenerationResult *r)
{
    const ModelFiles *files = &job->service->session->files;
    Choice *choice = &part->choices[r->sample];
    bool none = job->request.max_tokens < 0;
    const char *reason = r->reason == FINISH_STOP && !none ? "stop" : "length";
    Bytes scratch = {0};
    Text text = {"", 0};
    note_token(job); // an end token alone is not watched
    bool ok = none || stop_texts_response(&job->stops, files->stop, job->request.past_end ? 0 : files->stop_count, r,
                                          &scratch, &text);
    part->found = smaller(part->found, r->found);
    part->left--;
    job->usage.tokens += none ? 0 : r->count;
    if (ok && job->request.stream) {
        size_t sent = choice->sent < text.size ? choice->sent : text.size;
        ok = send_piece(part, r, (Text){text.data + sent, text.size - sent}, none ? 0 : r->count, reason);
    } else if (ok)
        ok = write_choice(&choice->json, part, r, text, none ? 0 : r->count, reason);
    bytes_free(&scratch);
    job->bytes += choice->json.size;
    return ok && (job->bytes <= SERVICE_ANSWER ||
                  fail("the answer is longer than %d MiB; ask for a stream, or for less", SERVICE_ANSWER >> 20));
}

static bool put_whole(Job *job)
{
    TRY(answer_begin(&job->out, &job->head, false));
    for (size_t i = 0; i < job->part_count; i++)
        for (int64_t n = 0; n < job->request.n; n++) {
            const Bytes *json = &job->parts[i].choices[n].json;
            TRY((i + (size_t)n == 0 || bytes_text(&job->out, ",")) && bytes_append(&job->out, json->data, json->size));
        }
    return answer_end(&job->out, &job->usage);
}

static bool put_last_events(Job *job)
{
    Bytes json = {0};
    bool ok = !job->request.usage ||
              (answer_begin(&json, &job->head, true) && answer_end(&json, &job->usage) && put_event(job, &json));
    bytes_free(&json);
    return ok && bytes_text(&job->out, "data: [DONE]\n\n");
}

bool job_finish(Job *job)
{
    for (size_t i = 0; i < job->part_count; i++)
        job->usage.found += job->parts[i].found;
    pthread_mutex_lock(&job->service->lock);
    bool ok = job->request.stream ? put_last_events(job) : put_whole(job);
    job->finished = ok;
    if (ok)
        job_wake(job);
    pthread_mutex_unlock(&job->service->lock);
    return ok;
}

void job_fail(Job *job, const ApiRefusal *refusal, const char *message)
{
    Bytes json = {0};
    bool said = answer_error(&json, refusal, message);
    pthread_mutex_lock(&job->service->lock);
    if (!job->request.stream)
        bytes_clear(&job->out);
    if (said && job->request.stream && refusal->status != 408)
        put_event(job, &json);
    else if (said && !job->request.stream)
        bytes_append(&job->out, json.data, json.size);
    job->status = refusal->status;
    job->finished = true;
    job_wake(job);
    pthread_mutex_unlock(&job->service->lock);
    bytes_free(&json);
    error_clear();
}
