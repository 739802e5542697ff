// HTTP for programs that ask servers: POSTs, many on their way at once, in the caller's thread alone, over libcurl. What goes wrong
// with one of them is a text in its response; a failure of the pool itself is an error. There is no queue, no second attempt and no
// reading of what came back here: see server/endpoint.h.
//
// Certificates are verified; redirects are shown and not followed; proxies are those of the environment (https_proxy, no_proxy).
// Connections stay open for the next request; one that the server has closed meanwhile is replaced without a word, and the request
// sent again. Headers that are sent stand in no text that comes from here. Nothing moves between the calls of http_next, but time
// limits run on.
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "base/base.h"

enum { HTTP_MOST = 1024 };                 // on their way at once
#define HTTP_BODY_LIMIT ((size_t)16 << 20) // bytes; a longer response is refused, and never whole in memory

typedef struct HttpPool HttpPool;

typedef struct HttpRequest {
    const char *url;
    const char *const *headers; // (header_count) "Name: value"
    size_t header_count;
    const char *body; // (size), not copied: it stays where it is until the response is there or the pool is closed
    size_t size;
    bool fresh;     // by a new connection: none is taken that another request left open
    double seconds; // from its first step to the last byte of its response
    uint64_t tag;   // the caller's name for it
} HttpRequest;

typedef struct HttpResponse {
    bool finished; // false: nothing was, in the time that there was, and the rest is 0
    uint64_t tag;
    int status;           // 200, 404, ...; 0: there was no answer
    const char *error;    // NULL: the answer is whole; else why it is not, or why there is none
    bool lasting;         // error: of a kind that another attempt would only meet again (an untrusted certificate)
    double retry_after;   // seconds that the server asks to wait, from now on; 0: none
    const char *redirect; // where it sends us instead; NULL: nowhere
    const char *body;     // (size), what came of it
    size_t size;
} HttpResponse;

// http:// or https://, a host, and nothing that would be a secret or in the way of a path: no user, password, query or fragment.
bool http_check_url(const char *url);

// in_flight: 1 to HTTP_MOST, as many as this process may have files open for. NULL after fail().
HttpPool *http_open(int in_flight);
size_t http_room(const HttpPool *pool); // how many more may be posted now
bool http_post(HttpPool *pool, const HttpRequest *request);

// Waits for the next that is finished, in any order, up to so many seconds. What it gives stands until the next call. Fails,
// within a fifth of a second, when a signal asks the program to stop (system/signals.h) and nothing is finished.
bool http_next(HttpPool *pool, HttpResponse *response, double seconds);
void http_close(HttpPool *pool); // what is on its way is given up

#endif
