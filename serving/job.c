// A request's way in and out of the service, in the thread of the connections: see service.h.
#include "serving/service_internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool refuse(ApiRefusal *refusal, int status, const char *param, const char *code)
{
    *refusal = (ApiRefusal){.status = status, .code = code};
    snprintf(refusal->param, sizeof refusal->param, "%s", param);
    return false;
}

// ---- prompts

static bool encode_chat(Service *s, Part *part, const ApiRequest *r)
{
    const ModelFiles *files = &s->session->files;
    Bytes text = {0};
    bool ok = template_can_render(&files->chat, files->tokenizer) &&
              template_prompt(&files->chat, &text, r->messages, r->message_count, true) &&
              encode(s->encoder, &part->ids, text.data, text.size);
    bytes_free(&text);
    return ok;
}

static bool copy_ids(Service *s, Part *part, const ApiPrompt *prompt, bool echo)
{
    const ModelFiles *files = &s->session->files;
    TokenList *ids = &part->ids;
    for (size_t i = 0; i < prompt->count; i++)
        if (prompt->ids[i] >= files->n_live)
            return fail("token %zu of the prompt is id %" PRId32 ", and the tokenizer has %" PRId64, i, prompt->ids[i],
                        files->n_live);
    TRY(grow(&ids->ids, &ids->capacity, prompt->count, sizeof *ids->ids));
    memcpy(ids->ids, prompt->ids, prompt->count * sizeof *ids->ids);
    ids->count = prompt->count;
    if (!echo)
        return true;
    TRY(decode(files->tokenizer, &part->decoded, ids->ids, ids->count, true) && bytes_text(&part->decoded, ""));
    part->text = (Text){part->decoded.data, part->decoded.size};
    return true;
}

static bool read_prompt(Service *s, Part *part, const ApiRequest *r, size_t number)
{
    if (r->kind == API_CHAT)
        return encode_chat(s, part, r);
    const ApiPrompt *prompt = &r->prompts[number];
    part->text = prompt->text;
    return prompt->text.data == NULL ? copy_ids(s, part, prompt, r->echo)
                                     : encode(s->encoder, &part->ids, prompt->text.data, prompt->text.size);
}

// The draws' name: the row's, if the client says it, else the number of the prompt.
static uint64_t name_of(const ApiRequest *r, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number + 1);
    return responses_name_of(r->name != NULL ? r->name : text);
}

static bool open_part(Job *job, size_t number, ApiRefusal *refusal)
{
    Part *part = &job->parts[number];
    const ApiRequest *r = &job->request;
    const char *param = r->kind == API_CHAT ? "messages" : "prompt";
    int64_t context = engine_context(job->service->session->engine);
    part->job = job;
    part->name = name_of(r, number);
    part->left = r->n;
    if (!read_prompt(job->service, part, r, number))
        return refuse(refusal, 400, param, NULL);
    if (part->ids.count < 1)
        return fail("the prompt has no token") || refuse(refusal, 400, param, NULL);
    if ((int64_t)part->ids.count >= context)
        return fail("the prompt has %zu tokens, and the context is %" PRId64
                    ", which leaves no room for an answer; shorten the prompt",
                    part->ids.count, context) ||
               refuse(refusal, 400, param, "context_length_exceeded");
    job->usage.prompt_tokens += (int64_t)part->ids.count;
    part->found = (int64_t)part->ids.count; // until the first sample says what it was
    TRY((part->choices = allocate((size_t)r->n, sizeof *part->choices)) != NULL || refuse(refusal, 500, "", NULL));
    for (int64_t i = 0; i < r->n; i++)
        part->choices[i].index = (int64_t)number * r->n + i;
    return true;
}

// ---- jobs

static void job_free(Job *job)
{
    for (size_t i = 0; i < job->part_count; i++) {
        Part *part = &job->parts[i];
        for (int64_t n = 0; part->choices != NULL && n < job->request.n; n++) {
            bytes_free(&part->choices[n].text);
            bytes_free(&part->choices[n].json);
        }
        free(part->choices);
        tokens_free(&part->ids);
        bytes_free(&part->decoded);
    }
    free(job->parts);
    bytes_free(&job->out);
    api_request_free(&job->request);
    free(job);
}

void job_release(Job *job)
{
    if (--job->references == 0)
        job_free(job);
}

static bool open_parts(Job *job, ApiRefusal *refusal)
{
    size_t count = job->request.kind == API_CHAT ? 1 : job->request.prompt_count;
    TRY((job->parts = allocate(count, sizeof *job->parts)) != NULL || refuse(refusal, 500, "", NULL));
    job->part_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(open_part(job, i, refusal));
    return true;
}

// A seed that nobody gave is drawn, and told in the answer, so that it can be given again.
static bool name_answer(Job *job, ApiRefusal *refusal)
{
    Service *s = job->service;
    AnswerHead *head = &job->head;
    uint64_t drawn[2];
    if (getrandom(drawn, sizeof drawn, 0) != sizeof drawn)
        return fail_errno("drawing a name for an answer") || refuse(refusal, 500, "", NULL);
    *head = (AnswerHead){.kind = job->request.kind,
                         .model = s->model,
                         .created = (int64_t)time(NULL),
                         .seed = job->request.seeded ? job->request.seed : (int64_t)(drawn[1] >> 33),
                         .fingerprint = s->fingerprint};
    snprintf(head->id, sizeof head->id, "%s-%016" PRIx64, head->kind == API_CHAT ? "chatcmpl" : "cmpl", drawn[0]);
    return true;
}

Job *job_open(Service *s, ApiRequest *request, ApiRefusal *refusal)
{
    Job *job = allocate(1, sizeof *job);
    if (job == NULL) {
        api_request_free(request);
        refuse(refusal, 500, "", NULL);
        return NULL;
    }
    *job = (Job){.service = s, .request = *request, .socket = -1, .status = 200, .references = 1};
    job->arrived = clock_seconds();
    job->stops = (StopTexts){s->session->files.tokenizer, job->request.stop, job->request.stop_count};
    *request = (ApiRequest){0};
    bool served = strcmp(job->request.model, s->model) == 0 ||
                  fail("there is no model \"%.200s\" here, only \"%s\"", job->request.model, s->model) ||
                  refuse(refusal, 404, "model", "model_not_found");
    if (served && name_answer(job, refusal) && open_parts(job, refusal))
        return job;
    job_free(job);
    return NULL;
}

bool service_submit(Service *s, Job *job, int socket, ApiRefusal *refusal)
{
    pthread_mutex_lock(&s->lock);
    bool ends = s->draining || s->broken, room = s->open < s->options->requests;
    if (!ends && room) {
        Job **last = &s->arrivals;
        while (*last != NULL)
            last = &(*last)->next;
        *last = job;
        job->socket = socket;
        job->references++; // the engine's
        s->open++;
        s->metrics.prompt_tokens += job->usage.prompt_tokens;
        pthread_cond_signal(&s->arrival);
    }
    pthread_mutex_unlock(&s->lock);
    if (ends)
        return fail("the server is ending, and takes no more requests") || refuse(refusal, 503, "", "draining");
    return room ||
           fail("%" PRId64 " requests are being answered, which is all that are taken at once; come again",
                s->options->requests) ||
           refuse(refusal, 429, "", "too_many_requests");
}

void job_wake(Job *job)
{
    void (*wake)(void *) = job->wake;
    job->wake = NULL;
    if (wake != NULL)
        wake(job->wake_context);
}

void job_leave(Job *job)
{
    Service *s = job->service;
    pthread_mutex_lock(&s->lock);
    if (job->socket >= 0) { // it was submitted
        s->open--;
        if (job->finished && job->status == 200)
            histogram_add(&s->metrics.whole, clock_seconds() - job->arrived);
    }
    job->left_alone = true;
    job->wake = NULL;
    job->socket = -1;
    pthread_cond_signal(&s->arrival); // a pass may be all that it waits for
    job_release(job);
    pthread_mutex_unlock(&s->lock);
}
