// The page of work that goes on, as its clients meet it: who knows the address gets the page and what the log gets;
// who does not, nothing; broken requests, silent clients and slow ones hold up nobody, least of all the end.
#include "live/live.h"
#include "system/files.h"
#include "system/start.h"
#include "test/support/check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[] = "/tmp/test_live-XXXXXX";
static struct {
    int unused;
} values;
static const OptionRow no_rows[1];

typedef struct Page {
    LivePage *page;
    int port;
    char token[80];
} Page;

static void put(const char *name, const char *text, const char *mode)
{
    char *path = path_join(folder, name);
    assert_ok(parents_make(path));
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
    free(path);
}

// What it says on stderr holds the address.
static Page open_page(bool rows)
{
    static Options options = {.values = &values};
    Page p = {0};
    char *said = path_join(folder, "said"), *scores = path_join(folder, "summary.json"),
         *out = rows ? path_join(folder, "out.jsonl") : copy_text(folder);
    options.table = (OptionTable){no_rows, 0};
    int file = open(said, O_RDWR | O_CREAT | O_TRUNC, 0600), before = dup(2);
    assert_true(file >= 0 && before >= 0 && dup2(file, 2) == 2);
    bool ok = live_open(
        &p.page, &(WatchOptions){0, "127.0.0.1"},
        &(LiveWork){
            .program = "train_sft", .out = out, .options = &options, .rows = rows, .scores = rows ? scores : NULL});
    fflush(stderr);
    dup2(before, 2);
    assert_ok(ok);
    Bytes text = {0};
    assert_ok(file_read(&text, said, 1000));
    assert_int_equal(sscanf(text.data, "watch it at http://127.0.0.1:%d/%79[0-9a-f]/\n", &p.port, p.token), 2);
    assert_int_equal(strlen(p.token), 32);
    bytes_free(&text);
    close(file);
    close(before);
    free(said);
    free(scores);
    free(out);
    return p;
}

static int connected(const Page *p)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0 && connect(s, (struct sockaddr *)&to, sizeof to) == 0);
    return s;
}

static void send_all(int s, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(s, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; // it was refused
        data += sent;
        size -= (size_t)sent;
    }
}

// Reads until the text has come, or the end; fails after a minute, which is no measure: else it would wait for ever.
static bool read_until(int s, Bytes *out, const char *wanted)
{
    double end = clock_seconds() + 60;
    char piece[4096];
    while (wanted == NULL || out->data == NULL || strstr(out->data, wanted) == NULL) {
        struct pollfd p = {.fd = s, .events = POLLIN};
        if (clock_seconds() > end)
            fail_msg("'%s' has not come, but %.200s", wanted == NULL ? "the end" : wanted, out->data);
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t got = recv(s, piece, sizeof piece, 0);
        if (got <= 0)
            return false;
        assert_ok(bytes_append(out, piece, (size_t)got));
    }
    return true;
}

static int asked(const Page *p, const char *token, const char *name, const char *headers)
{
    char request[400];
    int s = connected(p),
        size = snprintf(request, sizeof request, "GET /%s%s HTTP/1.1\r\nHost: h\r\n%s\r\n", token, name, headers);
    send_all(s, request, (size_t)size);
    return s;
}

static Bytes answer(const Page *p, const char *token, const char *name)
{
    Bytes out = {0};
    int s = asked(p, token, name, "Connection: close\r\n");
    read_until(s, &out, NULL);
    close(s);
    return out;
}

static void assert_answer(const Page *p, const char *token, const char *name, const char *begins, const char *holds)
{
    Bytes out = answer(p, token, name);
    if (out.data == NULL || strncmp(out.data, begins, strlen(begins)) != 0 || strstr(out.data, holds) == NULL)
        fail_msg("GET /%s%s: %.300s", token, name, out.data == NULL ? "nothing" : out.data);
    bytes_free(&out);
}

static void only_the_address_with_its_token_has_a_page(void **state)
{
    (void)state;
    put("log.jsonl", "{\"step\": 1}\n", "w");
    put("rollouts/step-1.jsonl", "{\"step\": 1}\n", "w");
    put("secret", "secret", "w");
    Page p = open_page(false);
    char other[100];
    assert_answer(&p, p.token, "/", "HTTP/1.1 200", "connect-src 'self'");
    assert_answer(&p, p.token, "/rollouts/step-1.jsonl", "HTTP/1.1 200", "{\"step\": 1}");
    assert_answer(&p, p.token, "/rollouts/step-2.jsonl", "HTTP/1.1 204", "");
    static const char *const wrong[] = {"",
                                        "/secret",
                                        "/log.jsonl",
                                        "/rollouts/../secret",
                                        "/rollouts/step-.jsonl",
                                        "/rollouts/step-1.jsonl/",
                                        "/rollouts/step-1",
                                        "/rows",
                                        "/%2e%2e/secret"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (strcmp(wrong[i], "/") != 0)
            assert_answer(&p, p.token, wrong[i], "HTTP/1.1 404", "not found");
    for (size_t i = 0; i <= strlen(p.token); i++) { // one digit is another; the last: it is longer
        snprintf(other, sizeof other, "%sa", p.token);
        other[i] = other[i] == 'a' ? 'b' : 'a';
        if (i < strlen(p.token))
            other[strlen(p.token)] = 0;
        assert_answer(&p, other, "/", "HTTP/1.1 404", "not found");
    }
    p.token[31] = 0;
    assert_answer(&p, p.token, "/", "HTTP/1.1 404", "not found");
    assert_answer(&p, "", "", "HTTP/1.1 404", "not found");
    live_close(p.page);
}

static void what_the_log_gets_comes_as_events(void **state)
{
    (void)state;
    put("log.jsonl", "{\"step\": 1}\n{\"step\": 2}\n{\"st", "w");
    Page p = open_page(false);
    Bytes out = {0};
    int s = asked(&p, p.token, "/events", "");
    read_until(s, &out, "data: {\"step\": 1}\ndata: {\"step\": 2}\n\n");
    assert_null(strstr(out.data, "{\"st\n"));
    put("log.jsonl", "ep\": 3}\n", "a");
    read_until(s, &out, "\ndata: {\"step\": 3}\n\n");
    const char *id = strstr(out.data, "id: ");
    char at[80], header[200];
    assert_int_equal(sscanf(id, "id: %79[0-9-]", at), 1);
    bytes_clear(&out);
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", at); // of the first two lines
    int again = asked(&p, p.token, "/events", header);
    read_until(again, &out, "\ndata: {\"step\": 3}\n\n");
    assert_null(strstr(out.data, "\"step\": 2"));
    put("log.jsonl", "{\"step\": 1, \"anew\": 1}\n", "w"); // cut back, or another
    read_until(again, &out, "event: again\n");
    read_until(again, &out, "\"anew\"");
    process_ends(&(Ending){"what happened \"here\"\nand there", 1, false});
    live_close(p.page);
    read_until(again, &out, "event: ended\ndata: \"failed: what happened \\\"here\\\"\\nand there\"\n\n");
    read_until(s, &out, NULL);
    close(s);
    close(again);
    process_ends(&(Ending){NULL, 0, false});
    bytes_free(&out);
}

static void rows_are_told_by_their_number_and_the_last_ones(void **state)
{
    (void)state;
    Page p = open_page(true);
    Bytes out = {0};
    int s = asked(&p, p.token, "/events", "");
    live_progress(p.page,
                  &(LiveProgress){.done = 3, .before = 1, .total = 7, .tokens = -1, .running = 2, .seconds = 0.5});
    read_until(s, &out,
               "data: {\"done\":3,\"before\":1,\"total\":7,\"tokens\":-1,\"running\":2,\"seconds\":0.500}\n\n");
    assert_answer(&p, p.token, "/rows", "HTTP/1.1 204", "");
    put("out.jsonl.partial", "{}\n0 0123456789abcdef {\"text\":\"a\"}\n", "w");
    read_until(s, &out, "event: rows\n");
    assert_answer(&p, p.token, "/rows", "HTTP/1.1 200", "{\"text\":\"a\"}");
    assert_answer(&p, p.token, "/rollouts/step-1.jsonl", "HTTP/1.1 404", "");
    put("summary.json", "{\n  \"a\": 1\n}\n", "w");
    live_close(p.page);
    read_until(s, &out, "event: scores\ndata: {\ndata:   \"a\": 1\ndata: }\n\nevent: ended\ndata: \"done\"\n\n");
    close(s);
    bytes_free(&out);
}

static void a_port_that_is_taken_is_refused_with_a_remedy(void **state)
{
    (void)state;
    Page p = open_page(false);
    LivePage *second = NULL;
    Options options = {.table = {no_rows, 0}, .values = &values};
    LiveWork work = {.program = "train_sft", .out = folder, .options = &options};
    assert_refused(live_open(&second, &(WatchOptions){p.port, "127.0.0.1"}, &work),
                   "another program listens there; give another port, or 0");
    assert_refused(live_open(&second, &(WatchOptions){0, "no such host"}, &work), "--watch-host no such host");
    work.rank = 1; // has no page
    assert_ok(live_open(&second, &(WatchOptions){p.port, "127.0.0.1"}, &work));
    work.rank = 0;
    assert_ok(live_open(&second, &(WatchOptions){-1, "127.0.0.1"}, &work));
    assert_null(second);
    error_clear();
    live_close(p.page);
}

// Requests cut, with other bytes, twice, too long; then one that is right.
static void broken_requests_hurt_nobody(void **state)
{
    enum { TRIES = 400 };
    (void)state;
    put("log.jsonl", "{\"step\": 1}\n", "w");
    Page p = open_page(false);
    static const char *const kinds[] = {
        "GET /%s/events HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 99999999999999999999-18446744073709551615\r\n\r\n",
        "POST /%s/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\nbody",
        "GET /%s/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "GET /%s/rollouts/step-99999999999999999999999.jsonl HTTP/1.0\r\n\r\n",
        "HEAD /%s/events HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (uint32_t i = 0; i < TRIES; i++) {
        Philox r = random_bits(5, RANDOM_SAMPLE, i, 0, 0);
        char request[600];
        int size = snprintf(request, sizeof request, kinds[i % 5], p.token);
        for (uint32_t k = 0; k < i / 5 % 4; k++) {
            Philox at = random_bits(6, RANDOM_SAMPLE, i, k, 0);
            request[at.v[0] % (uint32_t)size] = (char)at.v[1];
        }
        size_t much = r.v[0] % 3 == 0 ? r.v[1] % (uint32_t)size : (size_t)size;
        int s = connected(&p);
        send_all(s, request, much);
        if (r.v[2] % 2 == 0) {
            struct pollfd wait = {.fd = s, .events = POLLIN};
            poll(&wait, 1, 2);
        }
        close(s);
    }
    char *header = allocate(1 << 17, 1);
    memset(header, 'x', (1 << 17) - 1);
    int s = connected(&p);
    send_all(s, "GET / HTTP/1.1\r\n", 16);
    send_all(s, header, (1 << 17) - 1);
    close(s);
    free(header);
    assert_answer(&p, p.token, "/", "HTTP/1.1 200", "</html>");
    live_close(p.page);
}

// Silent ones, some that ask and never read, more streams than there may be.
static void clients_that_do_not_listen_do_not_hold_up_the_end(void **state)
{
    enum { CLIENTS = 40 };
    (void)state;
    Bytes lines = {0};
    for (int i = 0; i < 100000; i++)
        assert_ok(
            bytes_printf(&lines, "{\"step\": %d, \"loss\": 0.123456789, \"grad_norm\": 0.12345678901234567}\n", i));
    put("log.jsonl", lines.data, "w"); // more than sockets hold
    Page p = open_page(false);
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = i % 2 == 0 ? connected(&p) : asked(&p, p.token, "/events", "");
    bool refused = false;
    for (int i = 0; i < CLIENTS; i++) {
        struct pollfd wait = {.fd = clients[i], .events = POLLIN};
        char piece[200] = {0};
        if (i % 2 == 1 && poll(&wait, 1, 2000) > 0 && recv(clients[i], piece, sizeof piece - 1, 0) > 0)
            refused = refused || strstr(piece, "HTTP/1.1 503") != NULL;
    }
    assert_true(refused);
    alarm(60); // no measure: one of them would hold it up for ever
    live_close(p.page);
    alarm(0);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    bytes_free(&lines);
}

int main(void)
{
    assert_non_null(mkdtemp(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_address_with_its_token_has_a_page),
        cmocka_unit_test(what_the_log_gets_comes_as_events),
        cmocka_unit_test(rows_are_told_by_their_number_and_the_last_ones),
        cmocka_unit_test(a_port_that_is_taken_is_refused_with_a_remedy),
        cmocka_unit_test(broken_requests_hurt_nobody),
        cmocka_unit_test(clients_that_do_not_listen_do_not_hold_up_the_end),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(folder);
    return failed;
}
