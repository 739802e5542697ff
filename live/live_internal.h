// Shared by the files of live/: live.c opens, looks and closes, routes.c answers requests, stream.c sends events.
// Everything but opening, closing and `progress` is the one thread's.
#ifndef LIVE_LIVE_INTERNAL_H
#define LIVE_LIVE_INTERNAL_H

#include "live/live.h"
#include "server/listener.h"
#include <pthread.h>
#include <stdatomic.h>

enum { TOKEN_DIGITS = 32 }; // hexadecimal: 128 bits

// What a file was when it was last looked at: a log that is cut is another file.
typedef struct FileSeen {
    uint64_t file, size; // 0, 0: it is not there
} FileSeen;

typedef struct Stream Stream;

struct LivePage {
    const char *program;
    bool rows;
    char *out, *growing; // the file that grows: log.jsonl, or OUT.partial
    char *scores;        // as LiveWork's; NULL
    char token[TOKEN_DIGITS + 1];
    Bytes options; // as a configuration file
    struct MHD_Daemon *daemon;
    pthread_t thread;
    atomic_bool ending;   // by live_close; `ended` is written before
    char ended[1024];     // how
    pthread_mutex_t lock; // of progress and told
    LiveProgress progress;
    uint64_t told; // how often progress was
    FileSeen seen; // of the growing file
    uint64_t seen_told;
    Stream *streams;
    int stream_count;
};

extern const char LIVE_SCRIPT[];

// ---- routes.c: calls of libmicrohttpd

enum MHD_Result route_request(void *page, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state);
void route_end(void *page, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code);

// ---- stream.c

FileSeen file_seen(const char *path);

// Events for one client: "log", lines of the log; "again": forget them, the log was cut; "progress"; "rows": the file
// of rows has grown; in the end "scores", where there are some, and "ended". last_event: what the client had last, from
// its header, or NULL. NULL: no memory, or there are too many.
Stream *stream_open(LivePage *page, struct MHD_Connection *connection, const char *last_event);
ssize_t stream_read(void *stream, uint64_t position, char *buffer, size_t most); // MHD_ContentReaderCallback
void stream_close(void *stream);
void streams_wake(LivePage *page);

#endif
