// What is at the address of a live page: /TOKEN/ is the page, and below it what its script asks for. Anything else,
// also without the token, is not found. Only GET and HEAD, without a body.
#include "live/live_internal.h"
#include "system/files.h"
#include "view/view.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL = 1 << 20 }; // bytes of the rows that came last

static enum MHD_Result queue(struct MHD_Connection *c, unsigned status, const char *type, struct MHD_Response *r)
{
    static const char *const headers[][2] = {{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
                                             {"X-Content-Type-Options", "nosniff"},
                                             {"X-Frame-Options", "DENY"},
                                             {"Referrer-Policy", "no-referrer"}}; // the token is in the address
    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(r, headers[i][0], headers[i][1]);
    if (status >= 400 && status != 404)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *why)
{
    return queue(c, status, "text/plain; charset=utf-8",
                 MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result refuse_with_error(struct MHD_Connection *c)
{
    const char *why = error_text();
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_MUST_COPY);
    error_clear();
    return queue(c, 500, "text/plain; charset=utf-8", r);
}

// ---- files

// tail: so many bytes at its end; 0: all.
static enum MHD_Result answer_file(struct MHD_Connection *c, const char *path, uint64_t tail)
{
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        if (file >= 0)
            close(file);
        return refuse(c, MHD_HTTP_NO_CONTENT, ""); // not yet, or no more
    }
    uint64_t all = (uint64_t)facts.st_size, size = tail > 0 && tail < all ? tail : all;
    struct MHD_Response *r = MHD_create_response_from_fd_at_offset64(size, file, all - size); // closes it
    if (r == NULL)
        close(file);
    return queue(c, 200, "text/plain; charset=utf-8", r);
}

static enum MHD_Result answer_in_out(const LivePage *p, struct MHD_Connection *c, const char *name)
{
    char *path = path_join(p->out, name);
    enum MHD_Result ok = path == NULL ? refuse_with_error(c) : answer_file(c, path, 0);
    free(path);
    return ok;
}

// "rollouts/step-12.jsonl" and the like, and no other name of a file.
static bool names_responses(const char *name)
{
    static const char *const begins[] = {"rollouts/step-", "evaluations/step-"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t size = strlen(begins[i]);
        size_t digits = strncmp(name, begins[i], size) == 0 ? strspn(name + size, "0123456789") : 0;
        if (digits > 0 && digits < 19 && strcmp(name + size + digits, ".jsonl") == 0)
            return true;
    }
    return false;
}

// ---- the page and its events

static enum MHD_Result answer_page(const LivePage *p, struct MHD_Connection *c)
{
    Bytes html = {0};
    Bytes script = {0};
    ViewPage page = {.title = p->out, .run = p->rows ? NULL : p->out, .options = p->options.data};
    bool ok =
        bytes_printf(&script, "const WORK = {program: '%s', rows: %s};\n", p->program, p->rows ? "true" : "false") &&
        bytes_text(&script, LIVE_SCRIPT);
    page.script = script.data;
    ok = ok && view_page(&html, &page);
    struct MHD_Response *r = ok ? MHD_create_response_from_buffer(html.size, html.data, MHD_RESPMEM_MUST_COPY) : NULL;
    bytes_free(&script);
    bytes_free(&html);
    return ok ? queue(c, 200, "text/html; charset=utf-8", r) : refuse_with_error(c);
}

static enum MHD_Result answer_events(LivePage *p, struct MHD_Connection *c)
{
    enum { BLOCK = 1 << 15 };
    const char *last = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");
    Stream *s = stream_open(p, c, last);
    if (s == NULL)
        return refuse(c, 503, "too many pages are open\n");
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, stream_read, s, stream_close);
    if (r == NULL)
        stream_close(s);
    return queue(c, 200, "text/event-stream; charset=utf-8", r);
}

// ---- requests

// What stands behind the token; NULL: it is not there, or wrong.
static const char *behind_token(const LivePage *p, const char *url)
{
    const char *sent = url[0] == '/' ? url + 1 : url;
    size_t size = strcspn(sent, "/");
    bool right = secret_is_right((Text){p->token, TOKEN_DIGITS}, (Text){sent, size});
    return right && sent[size] == '/' ? sent + size + 1 : NULL;
}

static bool has_body(struct MHD_Connection *c)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (length != NULL && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static enum MHD_Result answer(LivePage *p, struct MHD_Connection *c, const char *url)
{
    const char *name = behind_token(p, url);
    if (name == NULL)
        return refuse(c, 404, "not found\n");
    if (name[0] == 0)
        return answer_page(p, c);
    if (strcmp(name, "events") == 0)
        return answer_events(p, c);
    if (p->rows && strcmp(name, "rows") == 0)
        return answer_file(c, p->growing, TAIL);
    if (!p->rows && names_responses(name))
        return answer_in_out(p, c, name);
    return refuse(c, 404, "not found\n");
}

// The first call comes with the headers, the second behind the body, which must be empty.
enum MHD_Result route_request(void *page, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
    static char seen;
    bool gets = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (*state != NULL)
        return *size == 0 ? answer(page, c, url) : MHD_NO;
    *state = &seen;
    if (!gets)
        return refuse(c, 405, "only GET and HEAD\n");
    return has_body(c) ? refuse(c, 413, "a request with a body\n") : MHD_YES;
}

void route_end(void *page, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
    *state = NULL;
}
