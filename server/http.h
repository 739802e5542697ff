// HTTP for programs that ask servers: POST requests, many in flight at once, in the caller's thread alone, over
// libcurl. The failure of one request is a text in its response; a failure of the pool itself is an error. There is no
// queue, no retry and no parsing here: see server/endpoint.h.
//
// Certificates are verified; redirects are reported and not followed; proxies are those of the environment
// (https_proxy, no_proxy). Connections stay open for the next request; one that the server has closed meanwhile is
// replaced silently, and the request sent again. No text from here contains the headers sent. Nothing happens between
// the calls of http_next, but time limits keep running.
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "base/base.h"

enum { HTTP_MOST = 1024 };                 // in flight at once
#define HTTP_BODY_LIMIT ((size_t)16 << 20) // bytes; a longer response is refused, and never held whole in memory

typedef struct HttpPool HttpPool;

typedef struct HttpRequest {
    const char *url;
    const char *const *headers; // (header_count) "Name: value"
    size_t header_count;
    const char *body; // (size), not copied: valid until the response is returned or the pool is closed
    size_t size;
    bool fresh;     // use a new connection, not one that another request left open
    double seconds; // from the start to the last byte of the response
    uint64_t tag;   // the caller's name for it
} HttpRequest;

typedef struct HttpResponse {
    bool finished; // false: nothing finished within the time, and the rest is 0
    uint64_t tag;
    int status;           // 200, 404, ...; 0: there was no answer
    const char *error;    // NULL: the answer is whole; else what is wrong
    bool lasting;         // error: another attempt would fail the same way (an untrusted certificate)
    double retry_after;   // seconds that the server asks to wait, from now on; 0: none
    const char *redirect; // the target of a redirect; NULL: none
    const char *body;     // (size), the part that arrived
    size_t size;
} HttpResponse;

// http:// or https://, a host, and nothing secret or in the way of a path: no user, password, query or fragment.
bool http_check_url(const char *url);

// in_flight: 1 to HTTP_MOST, limited by the files that this process may open. NULL after fail().
HttpPool *http_open(int in_flight);
size_t http_room(const HttpPool *pool); // how many more may be posted now
bool http_post(HttpPool *pool, const HttpRequest *request);

// Waits up to `seconds` for any request to finish. The response is valid until the next call. Fails, within a fifth of
// a second, when a signal asks the program to stop (system/signals.h) and nothing is finished.
bool http_next(HttpPool *pool, HttpResponse *response, double seconds);
void http_close(HttpPool *pool); // requests in flight are dropped

#endif
