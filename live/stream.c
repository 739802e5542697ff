// What one open page is told: see live_internal.h. A stream remembers how much of the log it has sent, and reads on
// from there when its client has taken that: a slow client costs no memory, and holds up nobody.
#include "json/json_source.h"
#include "live/live_internal.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAMS = 16, PIECE = 1 << 16, LINE_MOST = 1 << 22 };

struct Stream {
    LivePage *page;
    struct MHD_Connection *connection;
    Stream *next;
    bool asleep, ended;
    FileSeen sent;    // of the log: which file, and how much
    uint64_t grown;   // of the file of rows, when its client was told
    uint64_t told;    // of the progress
    Bytes out, piece; // events, from `taken` on still to be sent
    size_t taken;
};

// ---- files

static FileSeen seen_of(const struct stat *facts)
{
    return (FileSeen){(uint64_t)facts->st_ino, (uint64_t)facts->st_size};
}

FileSeen file_seen(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 ? seen_of(&facts) : (FileSeen){0, 0};
}

// Whole lines from `at` on, some 64 KiB of them, or one that is longer. Nothing where there is none yet.
static bool read_lines(Bytes *out, int file, uint64_t at)
{
    bytes_clear(out);
    for (size_t most = PIECE; most <= LINE_MOST; most *= 2) {
        TRY(grow(&out->data, &out->capacity, most + 1, 1));
        ssize_t got = pread(file, out->data, most, (off_t)at);
        if (got <= 0)
            return got == 0 || errno == EINTR;
        const char *end = memrchr(out->data, '\n', (size_t)got);
        if (end == NULL && (size_t)got == most)
            continue; // a longer one
        out->size = end == NULL ? 0 : (size_t)(end + 1 - out->data);
        out->data[out->size] = 0;
        return true;
    }
    return false;
}

// ---- events

// An event's data, a line of it for each of the text's.
static bool add_data(Bytes *out, Text text)
{
    const char *line = text.data, *all = line + text.size;
    for (const char *end; line < all; line = end + 1) {
        end = memchr(line, '\n', (size_t)(all - line));
        end = end == NULL ? all : end;
        TRY(bytes_text(out, "data: ") && bytes_append(out, line, (size_t)(end - line)) && bytes_text(out, "\n"));
    }
    return bytes_text(out, "\n");
}

static bool add_lines(Stream *s)
{
    return s->piece.size == 0 ||
           (bytes_printf(&s->out, "event: log\nid: %" PRIu64 "-%" PRIu64 "\n", s->sent.file, s->sent.size) &&
            add_data(&s->out, (Text){s->piece.data, s->piece.size}));
}

static bool add_log(Stream *s)
{
    struct stat facts;
    int file = open(s->page->growing, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return true; // not there yet
    bool ok = fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
    FileSeen now = ok ? seen_of(&facts) : s->sent;
    if (ok && (now.file != s->sent.file || now.size < s->sent.size)) {
        ok = s->sent.size == 0 || bytes_text(&s->out, "event: again\ndata:\n\n");
        s->sent = (FileSeen){now.file, 0};
    }
    if (ok && now.size > s->sent.size && (ok = read_lines(&s->piece, file, s->sent.size))) {
        s->sent.size += s->piece.size;
        ok = add_lines(s);
    }
    close(file);
    return ok;
}

static bool add_progress(Stream *s)
{
    LivePage *p = s->page;
    pthread_mutex_lock(&p->lock);
    LiveProgress now = p->progress;
    uint64_t told = p->told;
    pthread_mutex_unlock(&p->lock);
    uint64_t grown = file_seen(p->growing).size;
    if (grown != s->grown && grown > 0)
        TRY(bytes_text(&s->out, "event: rows\ndata:\n\n"));
    s->grown = grown;
    if (told == s->told)
        return true;
    s->told = told;
    return bytes_printf(&s->out,
                        "event: progress\ndata: {\"done\":%" PRId64 ",\"before\":%" PRId64 ",\"total\":%" PRId64
                        ",\"tokens\":%" PRId64 ",\"running\":%" PRId64 ",\"seconds\":%.3f}\n\n",
                        now.done, now.before, now.total, now.tokens, now.running, now.seconds);
}

static bool add_scores(Stream *s)
{
    if (s->page->scores == NULL || !file_exists(s->page->scores))
        return true;
    bytes_clear(&s->piece);
    return file_read(&s->piece, s->page->scores, LINE_MOST) && bytes_text(&s->out, "event: scores\n") &&
           add_data(&s->out, (Text){s->piece.data, s->piece.size});
}

static bool add_end(Stream *s)
{
    Text how = {s->page->ended, utf8_valid_prefix(s->page->ended, strlen(s->page->ended))};
    s->ended = true;
    return add_scores(s) && bytes_text(&s->out, "event: ended\ndata: ") && json_append_string(&s->out, how) &&
           bytes_text(&s->out, "\n\n");
}

// What is new. A log comes whole before anything else is said.
static bool add_news(Stream *s)
{
    bool ending = atomic_load(&s->page->ending);
    TRY(s->page->rows ? add_progress(s) : add_log(s));
    return s->out.size > 0 || !ending || add_end(s);
}

// ---- calls of libmicrohttpd

ssize_t stream_read(void *stream, uint64_t position, char *buffer, size_t most)
{
    Stream *s = stream;
    if (s->taken == s->out.size) {
        bool beats =
            s->asleep && !s->ended; // it was woken: something is said, so that a client that is gone is noticed
        s->asleep = false;
        s->taken = 0;
        bytes_clear(&s->out);
        if (s->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (!add_news(s) || (beats && s->out.size == 0 && !bytes_text(&s->out, ":\n\n"))) {
            error_clear();
            return MHD_CONTENT_READER_END_WITH_ERROR; // the client asks again
        }
    }
    size_t left = s->out.size - s->taken, given = left < most ? left : most;
    if (given == 0) {
        s->asleep = true;
        MHD_suspend_connection(s->connection);
        return 0;
    }
    memcpy(buffer, s->out.data + s->taken, given);
    s->taken += given;
    return (ssize_t)given;
}

static void read_position(Stream *s, const char *last_event)
{
    char *end;
    unsigned long long file = strtoull(last_event, &end, 10);
    unsigned long long size = *end == '-' ? strtoull(end + 1, &end, 10) : 0;
    if (*end == 0 && size > 0)
        s->sent = (FileSeen){file, size};
}

Stream *stream_open(LivePage *page, struct MHD_Connection *connection, const char *last_event)
{
    Stream *s = page->stream_count < STREAMS ? allocate(1, sizeof *s) : NULL;
    if (s == NULL) {
        error_clear();
        return NULL;
    }
    *s = (Stream){.page = page, .connection = connection, .next = page->streams};
    if (last_event != NULL)
        read_position(s, last_event);
    page->streams = s;
    page->stream_count++;
    return s;
}

void stream_close(void *stream)
{
    Stream *s = stream, **at = &s->page->streams;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->page->stream_count--;
    bytes_free(&s->out);
    bytes_free(&s->piece);
    free(s);
}

// asleep stays until it is read: see there.
void streams_wake(LivePage *page)
{
    for (Stream *s = page->streams; s != NULL; s = s->next)
        if (s->asleep)
            MHD_resume_connection(s->connection);
}
