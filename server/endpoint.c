// A question goes from the queue into flight, and from there back to the retry queue, or is finished. Kept answers are
// never sent.
#include "server/answer_file.h"
#include "server/exchange.h"
#include "system/signals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LONGEST_WAIT = 600; // seconds, then it checks again for work
static const double MOMENT = 3;         // seconds; shorter waits are not reported

typedef struct Question {
    struct Question *next;
    uint64_t tag, key[2];
    Bytes body; // of the request
    int attempts;
    double begun; // when its patience began, by clock_seconds
    double due;   // when to try again, if it waits
} Question;

typedef struct QuestionList {
    Question *first, **end;
} QuestionList;

struct Endpoint {
    EndpointOptions
        options; // its url and model are the two below, its stop texts the caller's; cache is not used again
    char *url, *model;
    char *secret, *authorization; // the key, and the header that holds it; NULL: none
    HttpPool *pool;
    AnswerFile cache;
    bool caching;
    QuestionList queue;   // not sent yet
    QuestionList known;   // answered from the file
    QuestionList expired; // patience ended before an attempt could begin
    Question *waiting;    // for another attempt, the earliest first
    Question **in_flight; // (options.in_flight), by the tag of the request
    size_t pending;
    double heard;  // when the server last answered
    Answer answer; // returned last
    Bytes error;   // returned last
    Bytes trouble; // why the last retried attempt failed
    Bytes news;    // the message about that, with the time of the retry
    bool is_new;
    double told; // time up to which waiting was reported
};

// ---- lists

static void append(QuestionList *list, Question *question)
{
    question->next = NULL;
    if (list->first == NULL)
        list->end = &list->first;
    *list->end = question;
    list->end = &question->next;
}

static Question *pop(Question **first)
{
    Question *question = *first;
    if (question != NULL)
        *first = question->next;
    return question;
}

static void forget(Question *question)
{
    if (question != NULL)
        bytes_free(&question->body);
    free(question);
}

static void forget_all(Question *first)
{
    for (Question *question; (question = pop(&first)) != NULL;)
        forget(question);
}

// ---- opening

EndpointOptions endpoint_options(const ServerOptions *server, const char *model)
{
    return (EndpointOptions){.url = server->endpoint,
                             .model = model,
                             .in_flight = (int)server->in_flight,
                             .attempts = (int)server->attempts,
                             .seconds = server->timeout,
                             .backoff = 1};
}

static bool check(const EndpointOptions *o)
{
    if (!(isfinite(o->temperature) && o->temperature >= 0))
        return fail("a temperature of %g; it must be 0 or more", o->temperature);
    if (o->max_tokens < 1)
        return fail("answers of %" PRId64 " tokens; it must be 1 or more", o->max_tokens);
    if (o->attempts < 1)
        return fail("%d attempts; it must be 1 or more", o->attempts);
    if (!(o->seconds > 0 && o->seconds <= 1e6))
        return fail("a time limit of %g seconds; it must be more than 0 and at most 1e6", o->seconds);
    if (!(o->patience >= 0))
        return fail("a patience of %g seconds; it must be 0 or more", o->patience);
    return (isfinite(o->backoff) && o->backoff >= 0) ||
           fail("%g seconds between attempts; it must be 0 or more", o->backoff);
}

static bool take_secret(Endpoint *e)
{
    const char *secret = getenv("OPENAI_API_KEY");
    if (secret == NULL || secret[0] == 0)
        return true;
    return (e->secret = copy_text(secret)) != NULL && (e->authorization = exchange_authorization(secret)) != NULL;
}

static bool set_up(Endpoint *e, const EndpointOptions *options)
{
    TRY(check(options));
    TRY((e->url = exchange_url(options->url)) != NULL);
    TRY((e->model = copy_text(options->model)) != NULL);
    e->options = *options;
    e->options.url = e->url;
    e->options.model = e->model;
    TRY(take_secret(e));
    TRY((e->pool = http_open(options->in_flight)) != NULL);
    TRY((e->in_flight = allocate((size_t)options->in_flight, sizeof *e->in_flight)) != NULL);
    e->caching = options->cache != NULL && answer_file_open(&e->cache, options->cache);
    return e->caching || options->cache == NULL;
}

Endpoint *endpoint_open(const EndpointOptions *options)
{
    Endpoint *e = allocate(1, sizeof *e);
    if (e == NULL)
        return NULL;
    if (!set_up(e, options)) {
        endpoint_close(e);
        return NULL;
    }
    return e;
}

void endpoint_close(Endpoint *e)
{
    if (e == NULL)
        return;
    http_close(e->pool);
    for (int i = 0; e->in_flight != NULL && i < e->options.in_flight; i++)
        forget(e->in_flight[i]);
    forget_all(e->queue.first);
    forget_all(e->known.first);
    forget_all(e->expired.first);
    forget_all(e->waiting);
    answer_file_close(&e->cache);
    answer_free(&e->answer);
    bytes_free(&e->error);
    bytes_free(&e->trouble);
    bytes_free(&e->news);
    free(e->in_flight);
    free(e->authorization);
    free(e->secret);
    free(e->model);
    free(e->url);
    free(e);
}

// ---- asking

static bool is_known(const Endpoint *e, const Question *q) { return e->caching && answer_file_has(&e->cache, q->key); }

bool endpoint_ask(Endpoint *e, const Message *messages, size_t count, uint64_t tag)
{
    return endpoint_ask_seeded(e, messages, count, e->options.seed, tag);
}

bool endpoint_ask_seeded(Endpoint *e, const Message *messages, size_t count, int64_t seed, uint64_t tag)
{
    EndpointOptions options = e->options;
    options.seed = seed;
    Question *q = allocate(1, sizeof *q);
    TRY(q != NULL);
    q->tag = tag;
    q->begun = clock_seconds();
    if (!exchange_body(&q->body, &options, messages, count)) {
        forget(q);
        return false;
    }
    hash_bytes_128(q->body.data, q->body.size, q->key);
    bool known = is_known(e, q);
    if (known)
        bytes_free(&q->body);
    append(known ? &e->known : &e->queue, q);
    e->pending++;
    return true;
}

void endpoint_set_whole(Endpoint *e, bool whole) { e->options.whole = whole; }

void endpoint_set_drawing(Endpoint *e, double temperature, int64_t max_tokens, const char *const *stop, size_t count)
{
    e->options.temperature = temperature;
    e->options.max_tokens = max_tokens;
    e->options.stop = stop;
    e->options.stop_count = count;
}

const char *endpoint_url(const Endpoint *e) { return e->url; }
const char *endpoint_trouble(const Endpoint *e) { return e->trouble.size == 0 ? "" : e->trouble.data; }

const char *endpoint_news(Endpoint *e)
{
    bool is_new = e->is_new;
    e->is_new = false;
    return is_new ? e->news.data : NULL;
}

size_t endpoint_pending(const Endpoint *e) { return e->pending; }

// ---- in flight

static double time_left(const Endpoint *e, const Question *q)
{
    return e->options.patience > 0 ? q->begun + e->options.patience - clock_seconds() : HUGE_VAL;
}

static bool start(Endpoint *e, Question *q)
{
    const char *const headers[] = {"Content-Type: application/json", e->authorization};
    int place = 0;
    while (e->in_flight[place] != NULL)
        place++;
    e->in_flight[place] = q;
    q->attempts++;
    return http_post(e->pool, &(HttpRequest){.url = e->url,
                                             .headers = headers,
                                             .header_count = e->authorization == NULL ? 1 : 2,
                                             .body = q->body.data,
                                             .size = q->body.size,
                                             .fresh = q->attempts > 1, // the old one may have been the cause
                                             .seconds = fmax(fmin(e->options.seconds, time_left(e, q)), 1e-3),
                                             .tag = (uint64_t)place});
}

static bool start_all(Endpoint *e) // as many as there is room for; none after a signal
{
    while (http_room(e->pool) > 0 && signal_received() == 0) {
        bool due = e->waiting != NULL && e->waiting->due <= clock_seconds();
        Question *q = pop(due ? &e->waiting : &e->queue.first);
        if (q == NULL)
            break;
        if (q->attempts == 0)
            q->begun = fmax(q->begun, e->heard);
        if (is_known(e, q)) // by now: it was asked twice
            append(&e->known, q);
        else if (time_left(e, q) <= 0)
            append(&e->expired, q);
        else
            TRY(start(e, q));
    }
    return true;
}

static void wait_until(Endpoint *e, Question *q, double due)
{
    Question **place = &e->waiting;
    while (*place != NULL && (*place)->due <= due)
        place = &(*place)->next;
    q->due = due;
    q->next = *place;
    *place = q;
}

static double until_next_start(const Endpoint *e)
{
    bool nothing = e->waiting == NULL || http_room(e->pool) == 0;
    return nothing ? LONGEST_WAIT : e->waiting->due - clock_seconds();
}

// ---- returning answers

static void end(Endpoint *e, Question *question)
{
    e->pending--;
    forget(question);
}

static void hand_out(Endpoint *e, Question *q, EndpointAnswer *out)
{
    *out = (EndpointAnswer){.tag = q->tag,
                            .text = e->answer.text,
                            .reasoning = e->answer.reasoning,
                            .finish_reason = e->answer.finish_reason,
                            .top = e->answer.top,
                            .top_count = e->answer.top_count,
                            .attempts = q->attempts};
    end(e, q);
}

static void hand_out_failure(Endpoint *e, Question *q, EndpointAnswer *out, int status, const char *why)
{
    bytes_clear(&e->error);
    bool ok = bytes_printf(&e->error, "%s: ", e->url);
    if (ok && q->attempts > 1)
        ok = bytes_printf(&e->error, "%d attempts, the last: ", q->attempts);
    ok = ok && bytes_text(&e->error, why);
    error_clear();
    *out = (EndpointAnswer){.tag = q->tag,
                            .failed = true,
                            .status = status,
                            .error = ok ? e->error.data : "no memory for the reason",
                            .text = {"", 0},
                            .reasoning = {"", 0},
                            .finish_reason = "",
                            .attempts = q->attempts};
    end(e, q);
}

// Of several answers to the same request the first one counts, now and on a later run.
static bool keep(Endpoint *e, const Question *q)
{
    if (!e->caching)
        return true;
    if (!is_known(e, q))
        return answer_file_add(&e->cache, q->key, &e->answer);
    answer_free(&e->answer);
    return answer_file_read(&e->cache, q->key, &e->answer);
}

static void hand_out_expired(Endpoint *e, EndpointAnswer *out)
{
    char why[80];
    snprintf(why, sizeof why, "it has answered nothing for %g seconds", e->options.patience);
    hand_out_failure(e, pop(&e->expired.first), out, 0, why);
}

static bool hand_out_known(Endpoint *e, EndpointAnswer *out)
{
    Question *q = pop(&e->known.first);
    if (answer_file_read(&e->cache, q->key, &e->answer)) {
        hand_out(e, q, out);
        return true;
    }
    end(e, q);
    return false;
}

// A wrong clock, or a daily limit, may ask for years.
static double patience_asked(const Endpoint *e, const HttpResponse *response)
{
    return fmin(response->retry_after, fmin(RETRY_AFTER_MOST, e->options.seconds));
}

static bool explain_patience(const Endpoint *e, const Question *q, const HttpResponse *response, Bytes *why)
{
    double asked = response->retry_after, left = time_left(e, q), most = patience_asked(e, response);
    TRY(asked <= 0 || bytes_printf(why, "; it asks for %.0f seconds of patience", asked));
    if (asked > 0 && asked >= left)
        return bytes_printf(why, ", and there are %.0f left", fmax(0, left));
    return asked <= most || bytes_printf(why, ", and gets %.0f", most);
}

// A long silent wait would look like a hang.
static bool ask_again(Endpoint *e, Question *q, double pause, const Bytes *why)
{
    double now = clock_seconds(), due = now + pause;
    wait_until(e, q, due);
    bytes_clear(&e->trouble);
    TRY(bytes_text(&e->trouble, why->data == NULL ? "" : why->data));
    if (pause < MOMENT || due <= e->told + MOMENT)
        return true;
    bytes_clear(&e->news);
    e->told = due;
    return e->is_new = bytes_printf(&e->news, "%s: %s; asked again in %.0f seconds", e->url, e->trouble.data, pause);
}

// Handles a question's response. *done: the question is finished.
static bool settle(Endpoint *e, const HttpResponse *response, EndpointAnswer *out, bool *done)
{
    Question *q = e->in_flight[response->tag];
    e->in_flight[response->tag] = NULL;
    Bytes why = {0};
    bool ok = true;
    Outcome outcome = exchange_outcome(&e->answer, &why, response, e->secret, e->options.whole);
    double pause = exchange_pause(q->key, q->tag, q->attempts, e->options.backoff, patience_asked(e, response));
    if (outcome == OUTCOME_AGAIN)
        ok = explain_patience(e, q, response, &why);
    *done = outcome != OUTCOME_AGAIN || q->attempts >= e->options.attempts || pause >= time_left(e, q);
    if (outcome == OUTCOME_ANSWER)
        e->heard = clock_seconds();
    if (!*done)
        ok = ask_again(e, q, pause, &why) && ok;
    else if (outcome != OUTCOME_ANSWER)
        hand_out_failure(e, q, out, response->status, why.data == NULL ? "" : why.data);
    else if ((ok = keep(e, q)))
        hand_out(e, q, out);
    else
        end(e, q);
    bytes_free(&why);
    return ok;
}

bool endpoint_try(Endpoint *e, EndpointAnswer *out, double seconds, bool *there)
{
    double until = clock_seconds() + seconds, next_start;
    answer_free(&e->answer);
    *out = (EndpointAnswer){0};
    *there = false;
    if (e->pending == 0)
        return fail("there is no question to wait for");
    do {
        HttpResponse response;
        TRY(start_all(e));
        if (e->known.first != NULL)
            return (*there = true) && hand_out_known(e, out);
        if (e->expired.first != NULL) {
            hand_out_expired(e, out);
            return *there = true;
        }
        next_start = until_next_start(e);
        double left = until - clock_seconds();
        TRY(http_next(e->pool, &response, next_start < left ? next_start : left > 0 ? left : 0));
        if (response.finished)
            TRY(settle(e, &response, out, there));
    } while (!*there && clock_seconds() < until);
    return true;
}

bool endpoint_next(Endpoint *e, EndpointAnswer *out)
{
    bool there;
    TRY(endpoint_try(e, out, LONGEST_WAIT, &there));
    while (!there)
        TRY(endpoint_try(e, out, LONGEST_WAIT, &there));
    return true;
}
