// The connections: HTTP/1.1 by libmicrohttpd, in one thread of its own. Reads requests, whole and within limits, checks
// the key, answers what needs no model at once, and hands the rest to the service; a connection sleeps while it waits.
//
//   POST /v1/chat/completions, /v1/completions    GET /v1/models, /v1/models/NAME    GET /health, /metrics, /
#ifndef SERVING_CONNECTIONS_H
#define SERVING_CONNECTIONS_H

#include "serving/service.h"

// clang-format off
#define LISTEN_ROWS(ROW, IN) \
    ROW(IN, host,    text,    "127.0.0.1", "",               server, NEUTRAL, "address to listen on; 0.0.0.0 or :: for all") \
    ROW(IN, port,    integer, "8000",      ">= 0 and < 65536", server, NEUTRAL, "port to listen on; 0: a free one, which is printed") \
    ROW(IN, api_key, file,    "",          "",               server, NEUTRAL, "file with the key that clients must send; else $DEREASON_API_KEY") \
    ROW(IN, name,    text,    "",          "",               server, NEUTRAL, "the model's name for clients; else --model as given")
// clang-format on
OPTION_GROUP(ListenOptions, LISTEN_ROWS)

typedef struct Connections Connections;

Connections *connections_open(Service *service, const ListenOptions *options); // NULL after fail()
int connections_port(const Connections *server);
bool connections_have_key(const Connections *server);
void connections_close(Connections *server); // what still sleeps is woken, and ends

#endif
