// See connections.h. Requests go through handle(), which libmicrohttpd calls when the headers are there, for each piece
// of the body, when the body is whole, and again when a sleeping connection was woken.
#include "serving/connections.h"
#include "json/json_source.h"
#include "serving/page.h"
#include "server/listener.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    CONNECTIONS = 4096, // beyond the requests that are taken: idle ones, and those that are refused
    IDLE_SECONDS = 60,  // without a byte, except while an answer is computed
    SPARE_FILES = 24,   // beside connections
    KEY_BYTES = 4096,   // of --api-key
    BLOCK = 16384       // of a stream
};

struct Connections {
    Service *service;
    struct MHD_Daemon *daemon;
    Bytes key;
    int64_t created;
};

typedef enum Route {
    ROUTE_NONE,
    ROUTE_CHAT,
    ROUTE_COMPLETION,
    ROUTE_MODELS,
    ROUTE_MODEL,
    ROUTE_HEALTH,
    ROUTE_METRICS,
    ROUTE_PAGE
} Route;

// A request on its way.
typedef struct Exchange {
    Connections *server;
    Route route;
    const char *path; // for metrics
    bool refused;     // with `refusal` and `message`, once the body has passed
    bool ambiguous;   // where its body ends; the connection ends with the answer
    ApiRefusal refusal;
    Bytes message, body;
    Job *job;
    struct MHD_Connection *connection;
} Exchange;

// ---- routes

static const struct {
    Route route;
    const char *path, *methods;
} ROUTES[] = {
    {ROUTE_CHAT, "/v1/chat/completions", "POST"}, {ROUTE_COMPLETION, "/v1/completions", "POST"},
    {ROUTE_MODELS, "/v1/models", "GET, HEAD"},    {ROUTE_HEALTH, "/health", "GET, HEAD"},
    {ROUTE_METRICS, "/metrics", "GET, HEAD"},     {ROUTE_PAGE, "/", "GET, HEAD"},
};

static Route route_of(const char *url, const char **path, const char **methods)
{
    static const char model[] = "/v1/models/";
    *path = "other";
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++)
        if (strcmp(url, ROUTES[i].path) == 0) {
            *path = ROUTES[i].path;
            *methods = ROUTES[i].methods;
            return ROUTES[i].route;
        }
    if (strncmp(url, model, sizeof model - 1) != 0)
        return ROUTE_NONE;
    *path = "/v1/models/NAME";
    *methods = "GET, HEAD";
    return ROUTE_MODEL;
}

static bool is_among(const char *method, const char *methods) // both of capitals; none begins another
{
    const char *found = strstr(methods, method);
    size_t size = strlen(method);
    return size > 0 && found != NULL && (found[size] == 0 || found[size] == ',');
}

// ---- answers

static enum MHD_Result queue_response(Exchange *x, struct MHD_Connection *c, unsigned status, const char *type,
                                      struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result ok = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    service_count(x->server->service, x->path, (int)status);
    return ok;
}

static struct MHD_Response *response_of(const Bytes *body)
{
    return MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result queue_bytes(Exchange *x, struct MHD_Connection *c, unsigned status, const char *type,
                                   Bytes *body)
{
    struct MHD_Response *response = response_of(body);
    bytes_free(body);
    return queue_response(x, c, status, type, response);
}

static void add_headers_of(struct MHD_Response *response, const ApiRefusal *refusal, const char *methods, bool ends)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", SERVICE_RETRY_SECONDS);
    if (refusal->status == 429 || refusal->status == 503)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    if (refusal->status == 401)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (refusal->status == 405)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, methods);
    if (ends)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

static enum MHD_Result queue_refusal(Exchange *x, struct MHD_Connection *c, const char *methods)
{
    Bytes body = {0};
    const char *message = x->message.data == NULL ? "" : x->message.data;
    if (!answer_error(&body, &x->refusal, message)) {
        bytes_free(&body);
        return MHD_NO;
    }
    struct MHD_Response *response = response_of(&body);
    if (response != NULL)
        add_headers_of(response, &x->refusal, methods, service_draining(x->server->service));
    bytes_free(&body);
    return queue_response(x, c, (unsigned)x->refusal.status, "application/json", response);
}

// Keeps what is wrong, from error_text(), until the body has passed.
static void refuse(Exchange *x, const ApiRefusal *refusal)
{
    x->refused = true;
    x->refusal = *refusal;
    bytes_clear(&x->message);
    bytes_text(&x->message, error_text());
    error_clear();
}

static void refuse_because(Exchange *x, int status, const char *code, const char *message)
{
    fail("%s", message);
    refuse(x, &(ApiRefusal){.status = status, .code = code});
}

static enum MHD_Result answer_models(Exchange *x, struct MHD_Connection *c, const char *url)
{
    const Service *s = x->server->service;
    const char *asked = url + strlen("/v1/models/");
    Text name = {s->model, strlen(s->model)};
    Bytes body = {0};
    bool one = x->route == ROUTE_MODEL;
    if (one && strcmp(asked, s->model) != 0) {
        refuse_because(x, 404, "model_not_found", "there is no such model here; GET /v1/models says what there is");
        return queue_refusal(x, c, "");
    }
    bool ok = bytes_text(&body, one ? "" : "{\"object\":\"list\",\"data\":[") && bytes_text(&body, "{\"id\":") &&
              json_append_string(&body, name) &&
              bytes_printf(&body,
                           ",\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":\"dereason\","
                           "\"max_model_len\":%" PRId64 "}%s",
                           x->server->created, engine_context(s->session->engine), one ? "" : "]}");
    if (ok)
        return queue_bytes(x, c, 200, "application/json", &body);
    bytes_free(&body);
    return MHD_NO;
}

static enum MHD_Result answer_health(Exchange *x, struct MHD_Connection *c)
{
    Bytes body = {0};
    bool ends = service_draining(x->server->service);
    if (bytes_text(&body, ends ? "{\"status\":\"draining\"}\n" : "{\"status\":\"ok\"}\n"))
        return queue_bytes(x, c, ends ? 503 : 200, "application/json", &body);
    return MHD_NO;
}

static enum MHD_Result answer_metrics(Exchange *x, struct MHD_Connection *c)
{
    Bytes body = {0};
    if (service_metrics(x->server->service, &body))
        return queue_bytes(x, c, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    bytes_free(&body);
    return MHD_NO;
}

static enum MHD_Result answer_page(Exchange *x, struct MHD_Connection *c)
{
    Bytes body = {0}, policy = {0};
    char nonce[PAGE_NONCE];
    bool ok = chat_page_nonce(nonce) && chat_page_policy(&policy, nonce) &&
              chat_page_write(&body, nonce, x->server->key.size > 0);
    struct MHD_Response *response = ok ? response_of(&body) : NULL;
    if (response != NULL) {
        MHD_add_response_header(response, "Content-Security-Policy", policy.data);
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    bytes_free(&body);
    bytes_free(&policy);
    return queue_response(x, c, 200, "text/html; charset=utf-8", response);
}

// ---- what is wrong before the body is read

static bool may_ask(const Connections *h, struct MHD_Connection *c)
{
    static const char scheme[] = "Bearer ";
    const char *sent = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    size_t size = sizeof scheme - 1;
    return h->key.size == 0 ||
           (sent != NULL && strncasecmp(sent, scheme, size) == 0 &&
            secret_is_right((Text){h->key.data, h->key.size}, (Text){sent + size, strlen(sent + size)}));
}

// A page in a browser may send anything else to this machine without being asked.
static bool is_json(struct MHD_Connection *c)
{
    static const char json[] = "application/json";
    const char *type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t size = sizeof json - 1;
    return type != NULL && strncasecmp(type, json, size) == 0 &&
           (type[size] == 0 || strchr("; \t", type[size]) != NULL);
}

static int64_t length_of(struct MHD_Connection *c)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length == NULL ? 0 : strtoll(length, NULL, 10);
}

static enum MHD_Result count_length(void *count, enum MHD_ValueKind kind, const char *name, const char *value)
{
    *(int *)count += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
                     strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

// A proxy may find another end of the body, and send the rest as somebody else's request.
static bool has_two_lengths(struct MHD_Connection *c)
{
    int lengths = 0;
    MHD_get_connection_values(c, MHD_HEADER_KIND, count_length, &lengths);
    return lengths > 1;
}

static bool is_encoded(struct MHD_Connection *c)
{
    const char *encoding = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_ENCODING);
    return encoding != NULL && strcasecmp(encoding, "identity") != 0;
}

static void check_head(Exchange *x, struct MHD_Connection *c, const char *method, const char *methods)
{
    const Connections *h = x->server;
    bool posts = x->route == ROUTE_CHAT || x->route == ROUTE_COMPLETION;
    bool open = x->route == ROUTE_HEALTH || x->route == ROUTE_PAGE; // neither tells anything of the model
    x->ambiguous = has_two_lengths(c);
    if (x->ambiguous)
        refuse_because(x, 400, "two_lengths", "the head says the body's length twice; send Content-Length once");
    else if (!open && !may_ask(h, c))
        refuse_because(x, 401, "invalid_api_key", "the key is missing or wrong; send it as Authorization: Bearer KEY");
    else if (x->route == ROUTE_NONE)
        refuse_because(x, 404, "not_found", "there is nothing at this address; see GET /v1/models");
    else if (!is_among(method, methods))
        refuse_because(x, 405, "method_not_allowed", "this address takes another method; see Allow");
    else if (posts && !is_json(c))
        refuse_because(x, 415, "unsupported_media_type", "send Content-Type: application/json");
    else if (posts && is_encoded(c))
        refuse_because(x, 415, "unsupported_media_type", "send the body as it is, without a Content-Encoding");
    else if (posts && length_of(c) > h->service->options->max_body)
        refuse_because(x, 413, "body_too_large", "the body is longer than the server takes (--max-body)");
}

// ---- a request to the model

static void take_body(Exchange *x, const char *data, size_t size)
{
    if (x->refused)
        return;
    if ((int64_t)(x->body.size + size) > x->server->service->options->max_body)
        refuse_because(x, 413, "body_too_large", "the body is longer than the server takes (--max-body)");
    else if (!bytes_append(&x->body, data, size))
        refuse(x, &(ApiRefusal){.status = 500});
    if (x->refused)
        bytes_free(&x->body);
}

static void ask(Exchange *x, struct MHD_Connection *c)
{
    ApiRequest request;
    ApiRefusal refusal;
    Service *s = x->server->service;
    ApiKind kind = x->route == ROUTE_CHAT ? API_CHAT : API_COMPLETION;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    bool ok = api_read(&request, &refusal, kind, x->body.data == NULL ? "" : x->body.data, x->body.size);
    bytes_free(&x->body);
    if (ok && (x->job = job_open(s, &request, &refusal)) != NULL) {
        if (info != NULL && service_submit(s, x->job, info->connect_fd, &refusal))
            return;
        job_leave(x->job);
        x->job = NULL;
    }
    api_request_free(&request);
    refuse(x, &refusal);
}

static void wake(void *connection) { MHD_resume_connection(connection); }

// With the service's lock held, as the waking is: it cannot come before.
static void sleep_until_woken(Job *job, struct MHD_Connection *c)
{
    job->wake = wake;
    job->wake_context = c;
    MHD_suspend_connection(c);
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t most)
{
    Exchange *x = context;
    Job *job = x->job;
    ssize_t given = MHD_CONTENT_READER_END_WITH_ERROR;
    pthread_mutex_lock(&job->service->lock);
    size_t read = job_read(job, buffer, most);
    if (read > 0) {
        given = (ssize_t)read;
    } else if (job->finished)
        given = job->status == 200 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    else {
        given = 0;
        sleep_until_woken(job, x->connection);
    }
    pthread_mutex_unlock(&job->service->lock);
    return given;
}

static enum MHD_Result answer_stream(Exchange *x, struct MHD_Connection *c)
{
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, x, NULL);
    x->connection = c;
    if (response != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    return queue_response(x, c, 200, "text/event-stream; charset=utf-8", response);
}

static enum MHD_Result answer_whole(Exchange *x, struct MHD_Connection *c)
{
    Job *job = x->job;
    struct MHD_Response *response = NULL;
    pthread_mutex_lock(&job->service->lock);
    bool finished = job->finished;
    unsigned status = (unsigned)job->status;
    if (finished)
        response = response_of(&job->out);
    else
        sleep_until_woken(job, c);
    pthread_mutex_unlock(&job->service->lock);
    if (!finished)
        return MHD_YES;
    if (response != NULL)
        add_headers_of(response, &(ApiRefusal){.status = (int)status}, "", service_draining(x->server->service));
    return queue_response(x, c, status, "application/json", response);
}

// ---- the calls of libmicrohttpd

static enum MHD_Result begin(Connections *h, struct MHD_Connection *c, const char *url, const char *method,
                             void **state)
{
    Exchange *x = allocate(1, sizeof *x);
    const char *methods = "";
    if (x == NULL) {
        error_clear();
        return MHD_NO;
    }
    *state = x;
    x->server = h;
    x->route = route_of(url, &x->path, &methods);
    check_head(x, c, method, methods);
    // a body that is too long, or not for us, is not waited for: the connection ends after the answer
    bool long_one = x->refused && length_of(c) > BLOCK;
    return long_one || x->ambiguous || (x->refused && x->refusal.status == 405) ? queue_refusal(x, c, methods)
                                                                                : MHD_YES;
}

static enum MHD_Result answer(Exchange *x, struct MHD_Connection *c, const char *url)
{
    bool posts = x->route == ROUTE_CHAT || x->route == ROUTE_COMPLETION;
    if (!x->refused && posts && x->job == NULL)
        ask(x, c);
    if (x->refused)
        return queue_refusal(x, c, "");
    if (x->job != NULL)
        return x->job->request.stream ? answer_stream(x, c) : answer_whole(x, c);
    return x->route == ROUTE_HEALTH    ? answer_health(x, c)
           : x->route == ROUTE_METRICS ? answer_metrics(x, c)
           : x->route == ROUTE_PAGE    ? answer_page(x, c)
                                       : answer_models(x, c, url);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
    if (*state == NULL)
        return begin(context, c, url, method, state);
    Exchange *x = *state;
    if (*size > 0) {
        take_body(x, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return answer(x, c, url);
}

static void end(void *context, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
    Exchange *x = *state;
    if (x == NULL)
        return;
    if (x->job != NULL)
        job_leave(x->job);
    bytes_free(&x->message);
    bytes_free(&x->body);
    free(x);
    *state = NULL;
}

// ---- opening

static bool read_key(Connections *h, const char *path)
{
    const char *given = getenv("DEREASON_API_KEY");
    if (path[0] == 0)
        return given == NULL || given[0] == 0 || bytes_text(&h->key, given);
    TRY(file_read(&h->key, path, KEY_BYTES));
    while (h->key.size > 0 && strchr(" \t\r\n", h->key.data[h->key.size - 1]) != NULL)
        h->key.data[--h->key.size] = 0;
    return (h->key.size > 0 && strlen(h->key.data) == h->key.size) || fail("--api-key: %s holds no key", path);
}

// Each is an open file. What this process may have is raised as far as it goes; a connection more would be taken and
// dropped again and again, while one that is not taken waits.
static bool count_connections(const Connections *h, unsigned *count)
{
    struct rlimit files;
    int64_t requests = h->service->options->requests, wanted = requests + CONNECTIONS;
    *count = (unsigned)wanted;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= (rlim_t)(wanted + SPARE_FILES))
        return true;
    files.rlim_cur = files.rlim_max < (rlim_t)(wanted + SPARE_FILES) ? files.rlim_max : (rlim_t)(wanted + SPARE_FILES);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        return fail_errno("raising the number of open files");
    *count = (unsigned)smaller(wanted, (int64_t)files.rlim_cur - SPARE_FILES);
    return (int64_t)files.rlim_cur >= requests + SPARE_FILES ||
           fail("--requests %" PRId64 " need %" PRId64 " open files, and this process may have %" PRIu64
                "; ulimit -n %" PRId64 " allows more",
                requests, requests + SPARE_FILES, (uint64_t)files.rlim_cur, requests + SPARE_FILES);
}

// By poll: libmicrohttpd's loop by epoll (0.9.75) misses a close that comes with the last bytes, and keeps the socket
// until it has been idle for long.
static bool listen_for(Connections *h, const ListenOptions *o)
{
    unsigned connections;
    TRY(count_connections(h, &connections));
    Listener listener = {.host = o->host,
                         .port = o->port,
                         .host_option = "--host",
                         .port_option = "--port",
                         .flags =
                             MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
                         .connections = connections,
                         .idle_seconds = IDLE_SECONDS,
                         .handle = handle,
                         .end = end,
                         .context = h};
    return (h->daemon = listener_open(&listener)) != NULL;
}

Connections *connections_open(Service *service, const ListenOptions *options)
{
    Connections *h = allocate(1, sizeof *h);
    if (h == NULL)
        return NULL;
    *h = (Connections){.service = service, .created = (int64_t)time(NULL)};
    if (read_key(h, options->api_key) && listen_for(h, options))
        return h;
    connections_close(h);
    return NULL;
}

int connections_port(const Connections *h) { return listener_port(h->daemon); }

bool connections_have_key(const Connections *h) { return h->key.size > 0; }

void connections_close(Connections *h)
{
    if (h == NULL)
        return;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    bytes_free(&h->key);
    free(h);
}
