// build/test/support/judge_server WAY LOG [WELL]: a judge for scripts, on 127.0.0.1, that treats every question in one
// way; the first WELL questions it answers with yes, whatever the way. WAY teach: a teacher of the demonstration's
// problems instead, who is wrong where the seed is a multiple of four, and thinks before it answers; asked for
// log-probabilities it rates a problem, by its bytes. It writes its address to stdout once it listens, and a line for
// each question to LOG, before it answers. Ends when it is killed.
#include "test/support/server.h"
#include <fcntl.h>

static const struct {
    const char *way, *status, *said;
} WAYS[] = {{"yes", "200 OK", "Final Decision: Yes"},
            {"no", "200 OK", "<think>Final Decision: Yes?</think>Final Decision: **No**"},
            {"no-end", "200 OK", "Final Decision: Yes"}, // without finish_reason
            {"own", "200 OK", "VERDICT: correct"},       // in another form
            {"refuse", "401 Unauthorized", NULL},
            {"down", "503 Down", NULL},
            {"no-model", "404 Not Found", NULL},
            {"hang", NULL, NULL},
            {"teach", "200 OK", NULL}};
enum { WAY_COUNT = sizeof WAYS / sizeof *WAYS };

static int way, log_file, well;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int way_now(void)
{
    pthread_mutex_lock(&lock);
    int now = well > 0 ? 0 : way;
    well -= well > 0;
    pthread_mutex_unlock(&lock);
    return now;
}

static void note(const Bytes *body)
{
    Bytes line = {0};
    server_must(bytes_append(&line, body->data, body->size) && bytes_text(&line, "\n"), "no memory");
    server_must(write(log_file, line.data, line.size) == (ssize_t)line.size, "its log cannot be written");
    bytes_free(&line);
}

// The demonstration's arithmetic: from left to right, modulo 100, up to the first other character.
static long value_of(const char *s)
{
    long value = strtol(s, (char **)&s, 10);
    for (char sign = *s; sign == '+' || sign == '-' || sign == '*'; sign = *s) {
        long number = strtol(s + 1, (char **)&s, 10);
        value = (sign == '*' ? value * number : sign == '-' ? value - number : value + number) % 100;
    }
    return (value + 100) % 100;
}

// A difficulty of 1 to 5 as ./score asks for it, by the log-probabilities of the first token.
static bool rate(int connection, const char *question)
{
    char answer[400];
    int level = 1;
    for (const char *c = question; *c != 0; c++)
        level = 1 + (level + *c) % 5;
    snprintf(
        answer, sizeof answer,
        "{\"choices\":[{\"message\":{\"content\":\"%d\"},\"logprobs\":{\"content\":[{\"token\":\"%d\",\"logprob\":-0.1,"
        "\"top_logprobs\":[{\"token\":\"%d\",\"logprob\":-0.1}]}]},\"finish_reason\":\"length\"}]}",
        level, level, level);
    return server_respond(connection, "200 OK", "", answer, strlen(answer));
}

static bool teach(int connection, const Bytes *body)
{
    json_t *request = json_parse(body->data, body->size, "the request");
    const json_t *messages = json_object_get(request, "messages");
    const json_t *question = json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content");
    server_must(json_is_string(question), "a question without text");
    long seed = (long)json_integer_value(json_object_get(request, "seed"));
    char answer[300];
    if (json_is_true(json_object_get(request, "logprobs"))) {
        bool rated = rate(connection, json_string_value(question));
        json_decref(request);
        return rated;
    }
    usleep(SERVER_MICROSECONDS);
    snprintf(
        answer, sizeof answer,
        "{\"choices\":[{\"message\":{\"reasoning_content\":\"\\nIt is\\nseed %ld.\\n\",\"content\":\"\\n\\nSo it is "
        "\\\\boxed{%ld}.\"},\"finish_reason\":\"stop\"}]}",
        seed, value_of(json_string_value(question)) + (seed % 4 == 0));
    json_decref(request);
    return server_respond(connection, "200 OK", "", answer, strlen(answer));
}

static bool respond(int connection, const Bytes *request)
{
    Pending asked = {.connection = connection};
    char body[200];
    int now = way_now();
    if (WAYS[now].status == NULL)
        return answer_never(&asked);
    if (strcmp(WAYS[now].way, "teach") == 0)
        return teach(connection, request);
    if (WAYS[now].said == NULL)
        return server_respond(connection, WAYS[now].status, "", "{\"message\":\"not now\"}", 21);
    snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"content\":\"%s\"}%s}]}", WAYS[now].said,
             strcmp(WAYS[now].way, "no-end") == 0 ? "" : ",\"finish_reason\":\"stop\"");
    return server_respond(connection, WAYS[now].status, "", body, strlen(body));
}

static void *serve(void *given)
{
    int connection = *(int *)given;
    Bytes head = {0}, body = {0};
    free(given);
    while (server_receive(connection, &head, &body)) {
        note(&body);
        if (!respond(connection, &body))
            break;
    }
    close(connection);
    bytes_free(&head);
    bytes_free(&body);
    return NULL;
}

static int listen_and_say(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server_must(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                    listen(listener, 1024) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0,
                "no port");
    printf("http://127.0.0.1:%d/v1\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    server_must(argc == 3 || argc == 4, "usage: judge_server WAY LOG [WELL]");
    well = argc == 4 ? atoi(argv[3]) : 0;
    while (way < WAY_COUNT && strcmp(WAYS[way].way, argv[1]) != 0)
        way++;
    log_file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    server_must(way < WAY_COUNT && log_file >= 0, "a way that it does not know, or a log that cannot be opened");
    for (int listener = listen_and_say();;) {
        pthread_t thread;
        int *connection = malloc(sizeof *connection);
        server_must(connection != NULL && (*connection = accept(listener, NULL, NULL)) >= 0, "no connection");
        server_must(pthread_create(&thread, NULL, serve, connection) == 0 && pthread_detach(thread) == 0, "no thread");
    }
}
