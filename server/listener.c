// See listener.h.
#include "server/listener.h"
#include <errno.h>
#include <netdb.h>
#include <string.h>

static struct MHD_Daemon *listen_at(const Listener *l, const struct addrinfo *address)
{
    unsigned flags = l->flags | (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags, (uint16_t)l->port, NULL, NULL, l->handle, l->context, MHD_OPTION_SOCK_ADDR,
                         address->ai_addr, MHD_OPTION_NOTIFY_COMPLETED, l->end, l->context, MHD_OPTION_CONNECTION_LIMIT,
                         l->connections, MHD_OPTION_CONNECTION_TIMEOUT, l->idle_seconds, MHD_OPTION_END);
    if (daemon == NULL && errno == EADDRINUSE)
        fail("%s %" PRId64 ": another program listens there; give another port, or 0 for a free one", l->port_option,
             l->port);
    else if (daemon == NULL)
        fail_errno("%s %s %s %" PRId64 ": listening", l->host_option, l->host, l->port_option, l->port);
    return daemon;
}

struct MHD_Daemon *listener_open(const Listener *l)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    char port[16];
    snprintf(port, sizeof port, "%d", (int)l->port);
    int error = getaddrinfo(l->host, port, &hints, &found);
    if (error != 0) {
        fail("%s %s: %s", l->host_option, l->host, gai_strerror(error));
        return NULL;
    }
    struct MHD_Daemon *daemon = listen_at(l, found);
    freeaddrinfo(found);
    return daemon;
}

int listener_port(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}

bool secret_is_right(Text secret, Text sent)
{
    unsigned different = sent.size != secret.size;
    for (size_t i = 0; i < sent.size && secret.size > 0; i++)
        different |= (unsigned char)sent.data[i] ^ (unsigned char)secret.data[i % secret.size];
    return different == 0;
}
