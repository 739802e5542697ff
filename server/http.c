// libcurl's multi interface: one easy handle for each place in the pool, reused so that connections stay open. A place
// is free as soon as its transfer is finished; the response stays there until the next transfer takes it.
#include "server/http.h"
#include "system/signals.h"
#include "system/phase.h"
#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { POLL_MILLISECONDS = 200, CONNECT_MILLISECONDS = 30000, SPARE_FILES = 32 };

typedef struct Post { // a place
    CURL *easy;
    struct curl_slist *headers;
    Bytes body; // of the response
    bool too_large;
    char error[CURL_ERROR_SIZE];
    uint64_t tag;
    bool active;
} Post;

struct HttpPool {
    CURLM *multi;
    Post *posts; // (count)
    size_t count, active;
};

// ---- addresses

static bool has(CURLU *parts, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(parts, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return there;
}

bool http_check_url(const char *url)
{
    CURLU *parts = curl_url();
    if (parts == NULL)
        return fail("no memory for an address");
    const char *shown = strchr(url, '@') == NULL ? url : "the server's address"; // a password comes before an @
    bool ok = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0 ||
              fail("%s: does not begin with http:// or https://", shown);
    ok = ok && (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK || fail("%s: not a valid address", shown));
    if (ok && (has(parts, CURLUPART_USER) || has(parts, CURLUPART_PASSWORD)))
        ok = fail("the server's address holds a user's name or password; leave them out, a key is given apart from it");
    if (ok && (has(parts, CURLUPART_QUERY) || has(parts, CURLUPART_FRAGMENT)))
        ok = fail("%s: holds a '?' or '#'; leave out what begins there", shown);
    curl_url_cleanup(parts);
    return ok;
}

// ---- the pool

static bool enough_files(int in_flight)
{
    struct rlimit files;
    int needed = in_flight + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= (rlim_t)needed)
        return true;
    return fail("%d requests in flight need %d open files, and this process may have %" PRIu64
                "; ulimit -n %d allows more",
                in_flight, needed, (uint64_t)files.rlim_cur, needed);
}

HttpPool *http_open(int in_flight)
{
    if (in_flight < 1 || in_flight > HTTP_MOST) {
        fail("%d requests in flight; it must be from 1 to %d", in_flight, HTTP_MOST);
        return NULL;
    }
    HttpPool *pool = enough_files(in_flight) ? allocate(1, sizeof *pool) : NULL;
    if (pool == NULL)
        return NULL;
    bool ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (pool->multi = curl_multi_init()) != NULL &&
              curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)in_flight) == CURLM_OK;
    ok = ok || fail("libcurl cannot be started");
    ok = ok && (pool->posts = allocate((size_t)in_flight, sizeof *pool->posts)) != NULL;
    pool->count = ok ? (size_t)in_flight : 0;
    if (!ok) {
        http_close(pool);
        return NULL;
    }
    return pool;
}

size_t http_room(const HttpPool *pool) { return pool->count - pool->active; }

static void release(HttpPool *pool, Post *post)
{
    curl_multi_remove_handle(pool->multi, post->easy);
    pool->active -= post->active;
    post->active = false;
}

void http_close(HttpPool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->count; i++) {
        Post *post = &pool->posts[i];
#if LIBCURL_VERSION_NUM >= 0x075700
        if (post->active && signal_received() != 0) // do not let a stalled DNS lookup delay exit
            curl_easy_setopt(post->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
        if (post->active)
            release(pool, post);
        curl_easy_cleanup(post->easy);
        curl_slist_free_all(post->headers);
        bytes_free(&post->body);
    }
    free(pool->posts);
    curl_multi_cleanup(pool->multi);
    curl_global_cleanup();
    free(pool);
}

// ---- one request

static size_t receive(char *data, size_t one, size_t size, void *place)
{
    Post *post = place;
    post->too_large = size > HTTP_BODY_LIMIT - post->body.size;
    return !post->too_large && bytes_append(&post->body, data, size) ? size : 0;
}

static bool add_header(Post *post, const char *header)
{
    struct curl_slist *longer = curl_slist_append(post->headers, header);
    if (longer == NULL)
        return fail("no memory for a header");
    post->headers = longer;
    return true;
}

static bool set_up(Post *post, const HttpRequest *request)
{
    CURL *easy = post->easy;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, post) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PRIVATE, post) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&      // no SIGALRM: signals are the program's
              curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK && // an answer may take minutes to begin
              curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)request->fresh) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MILLISECONDS) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ceil(request->seconds * 1000)) == CURLE_OK;
    return ok || fail("libcurl refuses a request to %s", request->url);
}

static bool fill_place(Post *post, const HttpRequest *request)
{
    if (post->easy == NULL && (post->easy = curl_easy_init()) == NULL)
        return fail("libcurl has no memory for a request");
    curl_easy_reset(post->easy);
    curl_slist_free_all(post->headers);
    post->headers = NULL;
    bytes_clear(&post->body);
    post->too_large = false;
    post->error[0] = 0;
    post->tag = request->tag;
    bool ok = add_header(post, "User-Agent: dereason.c") &&
              add_header(post, "Expect:"); // no second's wait before a large body
    for (size_t i = 0; ok && i < request->header_count; i++)
        ok = add_header(post, request->headers[i]);
    return ok && set_up(post, request);
}

bool http_post(HttpPool *pool, const HttpRequest *request)
{
    if (!(request->seconds > 0 && request->seconds <= 1e6))
        return fail("a time limit of %g seconds; it must be more than 0 and at most 1e6", request->seconds);
    if (http_room(pool) == 0)
        return fail("more than %zu requests at once", pool->count);
    Post *post = pool->posts;
    while (post->active)
        post++;
    TRY(fill_place(post, request));
    CURLMcode code = curl_multi_add_handle(pool->multi, post->easy);
    if (code != CURLM_OK)
        return fail("starting a request: %s", curl_multi_strerror(code));
    post->active = true;
    pool->active++;
    return true;
}

// ---- waiting

static const char *reason(Post *post, CURLcode code)
{
    if (code == CURLE_OK)
        return NULL;
    if (post->too_large)
        snprintf(post->error, sizeof post->error, "the response is longer than the %zu bytes that one may have",
                 HTTP_BODY_LIMIT);
    return post->error[0] != 0 ? post->error : curl_easy_strerror(code);
}

static void finish(HttpPool *pool, Post *post, CURLcode code, HttpResponse *response)
{
    long status = 0;
    curl_off_t wait = 0;
    char *redirect = NULL;
    curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(post->easy, CURLINFO_RETRY_AFTER, &wait); // it reads seconds and dates
    curl_easy_getinfo(post->easy, CURLINFO_REDIRECT_URL, &redirect);
    *response = (HttpResponse){.finished = true,
                               .tag = post->tag,
                               .status = (int)status,
                               .error = reason(post, code),
                               .lasting = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE,
                               .retry_after = wait > 0 ? (double)wait : 0,
                               .redirect = redirect,
                               .body = post->body.size > 0 ? post->body.data : "",
                               .size = post->body.size};
    release(pool, post);
}

static bool take_finished(HttpPool *pool, HttpResponse *response)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        char *post = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; // the message is freed with its handle
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &post);
        finish(pool, (Post *)(void *)post, code, response);
        return true;
    }
    return false;
}

static bool move(HttpPool *pool)
{
    int running;
    CURLMcode code = curl_multi_perform(pool->multi, &running);
    return code == CURLM_OK || fail("talking to a server: %s", curl_multi_strerror(code));
}

bool http_next(HttpPool *pool, HttpResponse *response, double seconds)
{
    double end = clock_seconds() + seconds;
    *response = (HttpResponse){0};
    for (;;) {
        phase_is("waiting for a server", -1);
        TRY(move(pool));
        if (take_finished(pool, response))
            return true;
        TRY(signal_checked(" while waiting for a server"));
        double left = end - clock_seconds();
        if (!(left > 0))
            return true;
        int most = left * 1000 < POLL_MILLISECONDS ? (int)(left * 1000) + 1 : POLL_MILLISECONDS;
        CURLMcode code = curl_multi_poll(pool->multi, NULL, 0, most, NULL);
        if (code != CURLM_OK)
            return fail("waiting for a server: %s", curl_multi_strerror(code));
    }
}
