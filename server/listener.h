// Listening for HTTP by libmicrohttpd: what ./serve (serving/connections.h) and the page of work that goes on
// (live/live.h) share.
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "base/base.h"
#include <microhttpd.h>

typedef struct Listener {
    const char *host;                      // a name or an address of this machine
    int64_t port;                          // 0: a free one
    const char *host_option, *port_option; // for errors: "--host"
    unsigned flags;                        // MHD_FLAGs
    unsigned connections, idle_seconds;    // at most; without a byte, but for connections that are suspended
    MHD_AccessHandlerCallback handle;
    MHD_RequestCompletedCallback end;
    void *context; // of both
} Listener;

struct MHD_Daemon *listener_open(const Listener *listener); // NULL after fail()
int listener_port(struct MHD_Daemon *daemon);

// Takes as long as what was sent is long, whatever the secret is.
bool secret_is_right(Text secret, Text sent);

#endif
