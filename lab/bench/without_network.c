// In the place of server/http.c and of live/, for programs that are carried to a machine with a GPU, without libcurl
// and libmicrohttpd (make cuda-check): what asks a server there, or is one, is refused.
#include "live/live.h"
#include "server/http.h"

static bool refuse(void)
{
    return fail("this program was built without libcurl, for tests on a GPU: it asks no servers");
}

bool http_check_url(const char *url) { return refuse(); }

HttpPool *http_open(int in_flight)
{
    refuse();
    return NULL;
}

size_t http_room(const HttpPool *pool) { return 0; }
bool http_post(HttpPool *pool, const HttpRequest *request) { return refuse(); }
bool http_next(HttpPool *pool, HttpResponse *response, double seconds) { return refuse(); }
void http_close(HttpPool *pool) {}

bool live_open(LivePage **page, const WatchOptions *options, const LiveWork *work)
{
    return options->watch < 0 ||
           fail("--watch: this program was built without libmicrohttpd, for tests on a GPU; drop the option");
}

void live_progress(LivePage *page, const LiveProgress *progress) {}
void live_close(LivePage *page) {}
