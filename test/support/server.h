// A server of chat completions that misbehaves on demand: on 127.0.0.1, in a process of its own, a thread for each
// connection. The last message of a question says what it does: "WAY TIMES NAME" is treated in that way TIMES times and
// then answered rightly. To a judge's question (judges/judge.c), whose problem says that, the right answer is whether
// the two answers are the same bytes. What it saw is in memory that the test shares.
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include "json/json.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERVER_QUESTIONS = 1024, SERVER_TEXT = 1024, SERVER_MICROSECONDS = 4000 }; // as long as it thinks
#define SERVER_HUGE ((size_t)17 << 20)                                            // bytes of a body that is too long

typedef struct SeenQuestion {
    char text[64]; // of its last message
    int attempts;
    double first, last; // seconds, when they came
} SeenQuestion;

typedef struct Seen {
    pthread_mutex_t lock;
    int requests, open, most; // in all; being thought about, now and at most
    size_t count;
    SeenQuestion questions[SERVER_QUESTIONS];
    char authorization[SERVER_TEXT], body[SERVER_TEXT]; // of the last request
} Seen;

typedef struct Server {
    pid_t process;
    char url[64]; // http://127.0.0.1:PORT/v1
    Seen *seen;
} Server;

static inline double server_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void server_must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "the test's server: %s\n", what);
        _exit(1);
    }
}

// ---- what was seen

static inline SeenQuestion *server_find(Seen *seen, const char *text) // NULL: never asked
{
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->questions[i].text, text) == 0)
            return &seen->questions[i];
    return NULL;
}

static inline int server_attempts(const Server *server, const char *text)
{
    SeenQuestion *question = server_find(server->seen, text);
    return question == NULL ? 0 : question->attempts;
}

static inline int server_note(Seen *seen, const char *text, const char *authorization,
                              const char *body) // which attempt, from 1
{
    pthread_mutex_lock(&seen->lock);
    snprintf(seen->authorization, sizeof seen->authorization, "%s", authorization);
    snprintf(seen->body, sizeof seen->body, "%s", body);
    SeenQuestion *question = server_find(seen, text);
    if (question == NULL) {
        server_must(seen->count < SERVER_QUESTIONS, "too many questions");
        question = &seen->questions[seen->count++];
        snprintf(question->text, sizeof question->text, "%s", text);
        question->first = server_clock();
    }
    question->last = server_clock();
    int attempt = ++question->attempts;
    seen->requests++;
    seen->open++;
    seen->most = seen->open > seen->most ? seen->open : seen->most;
    pthread_mutex_unlock(&seen->lock);
    return attempt;
}

static inline void server_note_end(Seen *seen) // before anything goes out: the next request may come as soon as it has
{
    pthread_mutex_lock(&seen->lock);
    seen->open--;
    pthread_mutex_unlock(&seen->lock);
}

// ---- bytes

static inline bool server_send(int connection, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(connection, data, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static inline bool server_respond(int connection, const char *status, const char *headers, const char *body,
                                  size_t size)
{
    Bytes out = {0};
    bool ok = bytes_printf(&out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
                           status, size, headers) &&
              bytes_append(&out, body, size) && server_send(connection, out.data, out.size);
    bytes_free(&out);
    return ok;
}

// A request's head and body; false when the client has closed.
static inline bool server_receive(int connection, Bytes *head, Bytes *body)
{
    char piece[4096], *end = NULL;
    bytes_clear(head);
    bytes_clear(body);
    while (end == NULL) {
        ssize_t n = recv(connection, piece, sizeof piece, 0);
        if (n <= 0)
            return false;
        server_must(bytes_append(head, piece, (size_t)n), "no memory");
        end = strstr(head->data, "\r\n\r\n");
    }
    const char *length = strstr(head->data, "Content-Length: ");
    server_must(length != NULL && strstr(head->data, "POST ") == head->data, "not a POST with a length");
    size_t size = strtoul(length + 16, NULL, 10);
    server_must(bytes_append(body, end + 4, head->size - (size_t)(end + 4 - head->data)), "no memory");
    end[4] = 0;
    while (body->size < size) {
        ssize_t n = recv(connection, piece, sizeof piece, 0);
        if (n <= 0)
            return false;
        server_must(bytes_append(body, piece, (size_t)n), "no memory");
    }
    return true;
}

// ---- ways to answer; each says whether the connection stays open

typedef struct Pending {
    int connection;
    const char *text;          // of the last message; of a judge's question its problem
    const char *judged;        // the rest of a judge's question; NULL: it is none
    const char *authorization; // the header's value, "" without one
    bool logprobs;
} Pending;

static inline bool answer_rightly(const Pending *asked)
{
    static const char top[] =
        ",\"logprobs\":{\"content\":[{\"token\":\"3\",\"logprob\":-0.1,\"top_logprobs\":["
        "{\"token\":\"3\",\"logprob\":-0.10000000000000001,\"bytes\":[51]},{\"token\":\"\\u00e9\",\"logprob\":-12},"
        "{\"token\":\"5\",\"logprob\":-9999.0}]},{\"token\":\"!\",\"logprob\":0,\"top_logprobs\":[]}]}";
    Bytes body = {0};
    server_must(
        bytes_printf(
            &body,
            "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"choices\":[{\"index\":0,\"message\":"
            "{\"role\":\"assistant\",\"content\":\"the answer to %s is \\u00e9\\u0000\\n\"}%s,"
            "\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":9}}",
            asked->text, asked->logprobs ? top : ""),
        "no memory");
    bool ok = server_respond(asked->connection, "200 OK", "", body.data, body.size);
    bytes_free(&body);
    return ok;
}

static inline bool answer_as_judge(const Pending *asked)
{
    char truth[200] = "", student[200] = "";
    Bytes body = {0};
    sscanf(asked->judged, "\n\n### Ground Truth Answer: %199[^\n]\n\n### Student Answer: %199[^\n]", truth, student);
    const char *said = strcmp(student, "unclear") == 0 ? "I cannot tell."
                       : strcmp(truth, student) == 0   ? "Final Decision: Yes"
                                                       : "**Final Decision:** No";
    server_must(
        bytes_printf(&body, "{\"choices\":[{\"message\":{\"content\":\"%s\"},\"finish_reason\":\"stop\"}]}", said),
        "no memory");
    bool ok = server_respond(asked->connection, "200 OK", "", body.data, body.size);
    bytes_free(&body);
    return ok;
}

// As a careless server does: its message repeats the key, and acts on a terminal.
static inline bool answer_key(const Pending *asked)
{
    Bytes body = {0};
    server_must(bytes_printf(&body, "{\"error\":{\"message\":\"\\u001b[2J%0180d %s\"}}", 0, asked->authorization),
                "no memory");
    bool ok = server_respond(asked->connection, "401 Unauthorized", "", body.data, body.size);
    bytes_free(&body);
    return ok;
}

static inline bool answer_key_alone(const Pending *asked)
{
    return server_respond(asked->connection, "200 OK", "", asked->authorization, strlen(asked->authorization));
}

// "says 1 TEXT" and "is-cut 1 TEXT": that text, whole or as if it had met its limit.
static inline bool answer_text(const Pending *asked)
{
    int begin = 0;
    sscanf(asked->text, "%*s %*d %n", &begin);
    json_t *body = json_pack("{s:[{s:{s:s}, s:s}]}", "choices", "message", "content", asked->text + begin,
                             "finish_reason", asked->text[0] == 'i' ? "length" : "stop");
    char *text = json_dumps(body, 0);
    server_must(text != NULL, "no memory");
    bool ok = server_respond(asked->connection, "200 OK", "", text, strlen(text));
    free(text);
    json_decref(body);
    return ok;
}

static inline bool answer_busy_until(const Pending *asked)
{
    char header[80];
    time_t then = time(NULL) + 2;
    strftime(header, sizeof header, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&then));
    return server_respond(asked->connection, "503 Later", header, "", 0);
}

static inline bool answer_never(const Pending *asked)
{
    char byte;
    while (recv(asked->connection, &byte, 1, 0) > 0)
        ;
    return false;
}

static inline bool answer_huge(const Pending *asked)
{
    Bytes body = {0};
    server_must(grow(&body.data, &body.capacity, SERVER_HUGE, 1), "no memory");
    memset(body.data, ' ', SERVER_HUGE);
    bool ok = server_respond(asked->connection, "200 OK", "", body.data, SERVER_HUGE);
    bytes_free(&body);
    return ok;
}

// A whole response (status, headers, body); or bytes after which the connection is closed (body alone); or a function.
typedef struct Way {
    const char *name, *status, *headers, *body;
    bool (*answer)(const Pending *asked);
} Way;

#define CHOICE(message) "{\"choices\":[{\"message\":" message ",\"finish_reason\":\"length\"}]}"
#define HALF "{\"choices\":[{\"message\":{\"content\":\"12"

static const Way SERVER_WAYS[] = {
    {"busy", "429 Slow Down", "Retry-After: 1\r\n", "{\"error\":{\"message\":\"busy\"}}", NULL},
    {"later", "429 Later", "Retry-After: 100000\r\n", "", NULL},
    {"down", "503 Down", "", "{\"message\":\"loading the model\"}", NULL},
    {"broken", "500 Broken", "", "out of memory", NULL},
    {"timeout", "408 Timeout", "", "", NULL},
    {"no-model", "404 Not Found", "", "{\"error\":\"no such model\"}", NULL},
    {"redirect", "307 Moved", "Location: /v2/chat/completions\r\n", "", NULL},
    {"no-json", "200 OK", "", HALF "\"}", NULL},
    {"no-choices", "200 OK", "", "{\"choices\":[]}", NULL},
    {"null", "200 OK", "", CHOICE("{\"content\":null}"), NULL},
    {"no-text", "200 OK", "", CHOICE("{\"content\":12}"), NULL},
    {"no-utf8", "200 OK", "", CHOICE("{\"content\":\"12\xFF\"}"), NULL},
    {"error-beside", "200 OK", "",
     "{\"error\":{\"message\":\"overloaded\"},\"choices\":[{\"message\":{\"content\":\"Final Decision: Yes\"}}]}",
     NULL},
    {"no-error", "200 OK", "",
     "{\"error\":null,\"choices\":[{\"message\":{\"content\":\"Final Decision: Yes\"},\"finish_reason\":\"stop\"}]}",
     NULL},
    {"no-end", "200 OK", "", "{\"choices\":[{\"message\":{\"content\":\"4\"}}]}", NULL},
    {"half", "200 OK", "", "{\"choices\":[{\"message\":{\"content\":\"Final Decision: Yes\"}}]}",
     NULL}, // of "Yes, but ..."
    {"null-end", "200 OK", "", "{\"choices\":[{\"message\":{\"content\":\"4\"},\"finish_reason\":null}]}", NULL},
    {"empty-end", "200 OK", "", "{\"choices\":[{\"message\":{\"content\":\"4\"},\"finish_reason\":\"\"}]}", NULL},
    {"cut", "200 OK", "", CHOICE("{\"content\":\"Final Decision: Yes, but\"}"), NULL},
    {"filtered", "200 OK", "",
     "{\"choices\":[{\"message\":{\"content\":\"Final Decision: Yes\"},\"finish_reason\":\"content_filter\"}]}", NULL},
    {"abort", "200 OK", "",
     "{\"choices\":[{\"message\":{\"content\":\"Final Decision: Yes\"},\"finish_reason\":\"abort\"}]}", NULL},
    {"half-head", NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Ty", NULL},
    {"half-body", NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" HALF, NULL},
    {"half-without-length", NULL, NULL, "HTTP/1.0 200 OK\r\n\r\n" HALF, NULL}, // which HTTP does not notice
    {"garbage", NULL, NULL, "\x16\x03\x01\xFF garbage\r\n\r\n", NULL},
    {"nothing", NULL, NULL, "", NULL},
    {"key", NULL, NULL, NULL, answer_key},
    {"key-alone", NULL, NULL, NULL, answer_key_alone},
    {"says", NULL, NULL, NULL, answer_text},
    {"is-cut", NULL, NULL, NULL, answer_text},
    {"busy-until", NULL, NULL, NULL, answer_busy_until},
    {"never", NULL, NULL, NULL, answer_never},
    {"huge", NULL, NULL, NULL, answer_huge},
};

static inline bool server_answer(const Pending *asked, int attempt)
{
    char way[32] = "";
    int times = 0;
    sscanf(asked->text, "%31s %d", way, &times);
    for (const Way *w = SERVER_WAYS; attempt <= times; w++) {
        server_must(w < SERVER_WAYS + sizeof SERVER_WAYS / sizeof *SERVER_WAYS, "a way that it does not know");
        if (strcmp(w->name, way) != 0)
            continue;
        if (w->answer != NULL)
            return w->answer(asked);
        if (w->status != NULL)
            return server_respond(asked->connection, w->status, w->headers, w->body, strlen(w->body));
        server_send(asked->connection, w->body, strlen(w->body));
        return false;
    }
    return asked->judged != NULL ? answer_as_judge(asked) : answer_rightly(asked);
}

// ---- connections

typedef struct Connection {
    int descriptor;
    Seen *seen;
} Connection;

static inline bool server_turn(const Connection *c, const Bytes *head, const Bytes *body)
{
    json_t *request = json_parse(body->data, body->size, "the request");
    server_must(request != NULL, error_text());
    const json_t *messages = json_object_get(request, "messages");
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    char authorization[SERVER_TEXT] = "";
    const char *header = strstr(head->data, "Authorization: ");
    if (header != NULL)
        sscanf(header + 15, "%1000[^\r]", authorization);
    Pending asked = {.connection = c->descriptor,
                     .text = json_string_value(json_object_get(last, "content")),
                     .authorization = authorization,
                     .logprobs = json_is_true(json_object_get(request, "logprobs"))};
    server_must(asked.text != NULL, "a question without text");
    char problem[64] = "";
    if (sscanf(asked.text, "### Question: %63[^\n]", problem) == 1) {
        asked.judged = strchr(asked.text, '\n');
        asked.text = problem;
    }
    int attempt = server_note(c->seen, asked.text, authorization, body->data);
    usleep(SERVER_MICROSECONDS);
    server_note_end(c->seen);
    bool stays = server_answer(&asked, attempt);
    json_decref(request);
    return stays;
}

static inline void *server_serve(void *given)
{
    Connection *c = given;
    Bytes head = {0}, body = {0};
    while (server_receive(c->descriptor, &head, &body) && server_turn(c, &head, &body))
        ;
    close(c->descriptor);
    bytes_free(&head);
    bytes_free(&body);
    free(c);
    return NULL;
}

static inline void server_run(int listener, Seen *seen) // does not return
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        Connection *c = allocate(1, sizeof *c);
        pthread_t thread;
        server_must(c != NULL, "no memory");
        *c = (Connection){accept(listener, NULL, NULL), seen};
        server_must(c->descriptor >= 0 && pthread_create(&thread, NULL, server_serve, c) == 0, "no connection");
        pthread_detach(thread);
    }
}

static inline Server server_start(void)
{
    Server server = {.seen =
                         mmap(NULL, sizeof *server.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server_must(server.seen != MAP_FAILED && pthread_mutex_init(&server.seen->lock, NULL) == 0, "no memory");
    server_must(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                    listen(listener, 1024) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0,
                "no port");
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/v1", ntohs(address.sin_port));
    fflush(NULL);
    server.process = fork();
    server_must(server.process >= 0, "no process");
    if (server.process == 0)
        server_run(listener, server.seen);
    close(listener);
    return server;
}

static inline void server_stop(Server *server)
{
    kill(server->process, SIGKILL);
    waitpid(server->process, NULL, 0);
    munmap(server->seen, sizeof *server->seen);
}

#endif
