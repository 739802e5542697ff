// See chat.h. The conversation stays in pages: each turn's prompt begins like the one before it, and shares its pages.
#include "chat/chat.h"
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Chat {
    Session *session;
    Encoder *encoder;
    const StopTexts *stops;
    const char *system;
    const ResponseOptions *responses;
    FILE *out;
    Message *messages; // (count) their texts are owned
    size_t count, capacity;
    uint64_t turn;   // over all conversations: names the random draws
    Sequence *known; // the prompt of the turn before, without its last token
    DecodeStream stream;
    Bytes answer;   // so far
    size_t printed; // of it
    bool told;      // false once writing has failed
} Chat;

// ---- the conversation so far

static bool say(Chat *c, Role role, const char *text, size_t size)
{
    Bytes copy = {0};
    TRY(grow(&c->messages, &c->capacity, c->count + 1, sizeof *c->messages) && bytes_append(&copy, text, size));
    c->messages[c->count++] = (Message){.role = role, .content = {copy.data == NULL ? "" : copy.data, copy.size}};
    return true;
}

static void forget_from(Chat *c, size_t first)
{
    while (c->count > first) {
        const Message *m = &c->messages[--c->count];
        if (m->content.size > 0)
            free((void *)(uintptr_t)m->content.data);
    }
}

static bool begin(Chat *c)
{
    forget_from(c, 0);
    return c->system[0] == 0 || say(c, ROLE_SYSTEM, c->system, strlen(c->system));
}

// ---- streaming an answer

// How much of the answer so far may be shown: no stop text may appear, not even its beginning.
static size_t presentable(const Chat *c)
{
    size_t whole = stop_texts_cut(c->stops, c->answer.data, c->answer.size), safe = whole;
    for (size_t i = 0; i < c->stops->count; i++)
        for (size_t n = strlen(c->stops->texts[i]); n-- > 1;)
            if (n <= whole && whole == c->answer.size && memcmp(c->answer.data + whole - n, c->stops->texts[i], n) == 0)
                safe = whole - n < safe ? whole - n : safe;
    return safe;
}

static bool print_until(Chat *c, size_t end)
{
    if (end <= c->printed)
        return true;
    bool ok =
        fwrite(c->answer.data + c->printed, 1, end - c->printed, c->out) == end - c->printed && fflush(c->out) == 0;
    c->printed = end;
    return ok;
}

// Ctrl-C ends an answer, not the chat; between answers it ends the program as usual. A signal handler can reach nothing
// but this.
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) { interrupted = 1; }

static bool take_token(void *context, const GenerationResult *so_far)
{
    Chat *c = context;
    const int32_t *ids = so_far->ids;
    int64_t count = so_far->count;
    bool ends = false;
    for (int64_t i = 0; i < c->session->files.stop_count; i++)
        ends = ends || ids[count - 1] == c->session->files.stop[i];
    if (ends)
        return true;
    bool ok = decode_next(&c->stream, c->session->files.tokenizer, &c->answer, ids[count - 1], false) &&
              print_until(c, presentable(c));
    c->told = c->told || !ok;
    return c->told || interrupted || stop_texts_met(c->stops, ids, count);
}

static bool prompt_of(Chat *c, TokenList *ids)
{
    Bytes text = {0};
    bool ok = template_prompt(&c->session->files.chat, &text, c->messages, c->count, true) &&
              encode(c->encoder, ids, text.data, text.size);
    bytes_free(&text);
    return ok;
}

// Keeps the prompt's keys and values for the next turn, which begins in the same way.
static bool remember(Chat *c, const TokenList *ids)
{
    if (ids->count < 2 || (int64_t)ids->count >= engine_context(c->session->engine))
        return true; // the engine reports it
    Sequence *known = engine_prefix(c->session->engine, c->known, ids->ids, (int64_t)ids->count - 1);
    TRY(known != NULL);
    engine_prefix_release(c->session->engine, c->known);
    c->known = known;
    return true;
}

static bool generate(Chat *c, const TokenList *ids)
{
    GenerationResult result;
    GenerationRequest r = responses_request(c->responses);
    r.id = c->turn++;
    r.prompt = ids->ids;
    r.prompt_count = (int64_t)ids->count;
    r.prefix = c->known;
    r.stop = c->session->files.stop;
    r.stop_count = c->session->files.stop_count;
    r.watch = take_token;
    r.watch_context = c;
    TRY(engine_add(c->session->engine, &r));
    while (!engine_empty(c->session->engine)) {
        TRY(engine_step(c->session->engine));
        while (engine_next(c->session->engine, &result)) {
        }
    }
    return true;
}

static bool generate_until_interrupted(Chat *c, const TokenList *ids)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART}, before;
    interrupted = 0;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, &before) != 0)
        return fail_errno("setting the handler of Ctrl-C");
    bool ok = generate(c, ids);
    return (sigaction(SIGINT, &before, NULL) == 0 || fail_errno("giving Ctrl-C back")) && ok;
}

static bool answer(Chat *c)
{
    TokenList ids = {0};
    bytes_clear(&c->answer);
    c->printed = 0;
    c->stream = (DecodeStream){0};
    bool ok = prompt_of(c, &ids) && remember(c, &ids) && generate_until_interrupted(c, &ids) &&
              decode_end(&c->stream, &c->answer);
    tokens_free(&ids);
    TRY(ok);
    size_t end = stop_texts_cut(c->stops, c->answer.data == NULL ? "" : c->answer.data, c->answer.size);
    const char *after = interrupted ? " (stopped)\n" : "\n";
    if (c->told || !print_until(c, end) || fputs(after, c->out) == EOF || fflush(c->out) != 0)
        return fail_errno("writing an answer");
    return say(c, ROLE_ASSISTANT, c->answer.data, end);
}

// ---- the conversation

// "/help" is a command, "/2" and "/etc/hosts" are not: a word after a slash, and nothing else.
static bool is_command(const char *line, size_t size)
{
    size_t letters = 1;
    while (letters < size && isalpha((unsigned char)line[letters]))
        letters++;
    return size > 1 && line[0] == '/' && letters == size;
}

// One line of the user: answers it, or runs its command. When the conversation grows too long, only its last line is
// dropped.
static bool take_line(Chat *c, const char *line, size_t size)
{
    if (size == 4 && memcmp(line, "/new", 4) == 0)
        return begin(c);
    if (is_command(line, size)) {
        fprintf(c->out, "(%.*s: no such command; /new begins a new chat, Ctrl-D ends)\n", (int)size, line);
        return true;
    }
    size_t before = c->count;
    TRY(say(c, ROLE_USER, line, size));
    if (answer(c))
        return true;
    if (!engine_empty(c->session->engine) || c->told)
        return false;
    fprintf(c->out, "(%s; /new begins a new chat)\n", error_text());
    error_clear();
    forget_from(c, before);
    return true;
}

static bool talk(Chat *c, FILE *in)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool shown = isatty(fileno(in)), ok = begin(c);
    if (shown)
        fprintf(c->out, "%s; /new begins a new chat, Ctrl-C ends an answer, Ctrl-D the chat\n",
                c->session->files.folder.data);
    while (ok) {
        if (shown)
            fputs("\n> ", c->out);
        fflush(c->out);
        if ((size = getline(&line, &capacity, in)) < 0)
            break;
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            size--;
        if (size > 0)
            ok = take_line(c, line, (size_t)size);
    }
    free(line);
    return ok && (!ferror(in) || fail_errno("reading the input"));
}

bool chat_run(Session *session, Encoder *encoder, const StopTexts *stops, const char *system,
              const ResponseOptions *responses, FILE *in, FILE *out)
{
    Chat c = {
        .session = session, .encoder = encoder, .stops = stops, .system = system, .responses = responses, .out = out};
    bool ok = talk(&c, in);
    engine_prefix_release(session->engine, c.known);
    forget_from(&c, 0);
    free(c.messages);
    bytes_free(&c.answer);
    return ok;
}
