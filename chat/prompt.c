// See prompt.h. libedit draws the line and knows its keys; characters come to it through next_character, because they
// are waited for beside signals and decoded here. A terminal that is told so (mode 2004) marks what is pasted.
//
// libedit is C of its time: it goes by the locale of the thread, which is UTF-8 while it works, and its header has a
// Tokenizer of its own, so this file knows nothing of models.
#include "chat/prompt.h"
#include "chat/history.h"
#include "chat/interrupt.h"
#include "log/visible.h"
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    LOOK_MILLISECONDS = 100, // between looks at signals that came to another thread
    SILENT_LOOKS = 5,        // without a byte: a paste is not as slow
    PASTED_MOST = 1 << 20    // characters of one paste; the rest of it is dropped
};

struct Prompt {
    FILE *in, *out;
    char *line; // of getline, where lines are not edited
    size_t capacity;
    // of a terminal; editor NULL: lines are not edited
    EditLine *editor;
    History *messages;
    LineFile kept;
    locale_t utf8;
    const char *shown;  // before the line
    bool ended;         // nothing more can be read
    bool pasting;       // what is read is a paste
    bool cut;           // one of this message was longer than may be
    struct termios tty; // has the keys of signals
};

static const char PASTES[] = "\x1b[?2004h", PASTES_NO_MORE[] = "\x1b[?2004l";

// ---- signals: a terminal that is left as it is drawn here would be of no use

static volatile sig_atomic_t leaving, redraw;
static const int SIGNALS[] = {SIGTERM, SIGHUP, SIGCONT, SIGWINCH};
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof *SIGNALS };

static void on_signal(int number)
{
    if (number == SIGTERM || number == SIGHUP)
        leaving = number;
    else
        redraw = 1;
}

static void take_signals(struct sigaction before[SIGNAL_COUNT])
{
    struct sigaction action = {.sa_handler = on_signal};
    sigfillset(&action.sa_mask);
    leaving = redraw = 0;
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        sigaction(SIGNALS[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN || SIGNALS[i] != SIGHUP) // respect nohup
            sigaction(SIGNALS[i], &action, NULL);
    }
}

static void give_back_signals(const struct sigaction before[SIGNAL_COUNT])
{
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &before[i], NULL);
}

// Keys of signals, and those that hold the output, are bytes here: in a paste they must not act, nor may what stands
// behind them become lines, for us or for the shell. 0: it is no key of a signal.
static int signal_of(const Prompt *p, unsigned char byte)
{
    static const int keys[][2] = {{VINTR, SIGINT}, {VQUIT, SIGQUIT}, {VSUSP, SIGTSTP}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (byte != _POSIX_VDISABLE && p->tty.c_cc[keys[i][0]] == byte)
            return keys[i][1];
    return 0;
}

// As the terminal would have sent it: to all of the job.
static void send_signal(EditLine *editor, int descriptor, int number)
{
    tcflush(descriptor, TCIFLUSH);
    if (number == SIGINT) {
        raise(number);
        return;
    }
    el_set(editor, EL_PREP_TERM, 0);
    kill(0, number);
}

// ---- characters

// Waits for a byte. 1: there is one; 0: the end; -1: a signal wants the line to end.
static int next_byte(EditLine *editor, const Prompt *p, unsigned char *byte)
{
    int descriptor = fileno(p->in);
    for (int silent = 0;;) {
        struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
        int ready = poll(&wanted, 1, LOOK_MILLISECONDS);
        if (interrupted() || leaving != 0)
            return -1;
        if (redraw) { // the program was stopped, or the window has another size
            redraw = 0;
            el_set(editor, EL_PREP_TERM, 0);
            el_set(editor, EL_PREP_TERM, 1); // also where it believes that it is
            el_resize(editor);
            el_set(editor, EL_REFRESH);
        }
        silent += ready == 0;
        if (ready <= 0 && (ready == 0 || errno == EINTR))
            continue;
        ssize_t n = ready < 0 ? -1 : read(descriptor, byte, 1);
        int number = n != 1 || (p->pasting && silent < SILENT_LOOKS) ? 0 : signal_of(p, *byte);
        if (number != 0)
            send_signal(editor, descriptor, number);
        else if (n >= 0 || errno != EINTR)
            return n == 1 ? 1 : 0; // a terminal that is gone is an end, too
    }
}

// libedit's: one character; what is none becomes U+FFFD.
static int next_character(EditLine *editor, wchar_t *character)
{
    Prompt *p;
    char bytes[4] = {0};
    el_get(editor, EL_CLIENTDATA, &p);
    int got = next_byte(editor, p, (unsigned char *)bytes);
    unsigned char first = (unsigned char)bytes[0];
    size_t size = 1, wanted = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1;
    while (got == 1 && size < wanted) {
        got = next_byte(editor, p, (unsigned char *)&bytes[size]);
        size += got == 1;
    }
    if (got != 1) {
        p->ended = p->ended || got == 0;
        errno = EINTR;
        return -1;
    }
    Character c = character_at(bytes, size);
    *character = c.valid && c.size == size ? (wchar_t)c.code : (wchar_t)0xFFFD;
    return 1;
}

// What is pasted, up to the terminal's mark of its end, becomes part of the line: newlines too, but nothing that acts.
static unsigned char take_paste(EditLine *editor, int key)
{
    static const wchar_t end[] = L"\x1b[201~";
    size_t met = 0, taken = 0;
    wchar_t c, before = 0, one[2] = {0};
    Prompt *p;
    el_get(editor, EL_CLIENTDATA, &p);
    p->pasting = true;
    while (met < 6 && el_wgetc(editor, &c) == 1) {
        met = c == end[met] ? met + 1 : c == end[0] ? 1 : 0;
        one[0] = c == L'\r' ? L'\n' : c;
        bool newline = one[0] == L'\n' && !(c == L'\n' && before == L'\r');
        bool acts = (c < 0x20 && c != L'\t') || (c >= 0x7F && c < 0xA0);
        if (met == 0 && (newline || !acts) && taken < PASTED_MOST)
            taken += el_winsertstr(editor, one) == 0;
        p->cut = p->cut || taken == PASTED_MOST;
        before = c;
    }
    p->pasting = false;
    return CC_REFRESH;
}

// ---- opening

static char *shown_prompt(EditLine *editor)
{
    Prompt *p;
    el_get(editor, EL_CLIENTDATA, &p);
    return (char *)(uintptr_t)p->shown;
}

// Keys that terminals send and libedit does not know by itself.
static void bind_keys(EditLine *editor)
{
    static const char *const keys[][2] = {
        {"\\e[200~", "pasted"},       {"\\e[3~", "ed-delete-next-char"}, {"\\e[H", "ed-move-to-beg"},
        {"\\e[F", "ed-move-to-end"},  {"\\e[1~", "ed-move-to-beg"},      {"\\e[4~", "ed-move-to-end"},
        {"\\eOH", "ed-move-to-beg"},  {"\\eOF", "ed-move-to-end"},       {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"}, {"^R", "em-inc-search-prev"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        el_set(editor, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static void enter(void *context, const char *message)
{
    HistEvent event;
    history(context, &event, H_ENTER, message);
}

// Without it one can chat as well.
static void open_history(Prompt *p)
{
    char *path = NULL;
    if (!history_path(&path) || (path != NULL && !history_open(&p->kept, path, enter, p->messages))) {
        fprintf(stderr, "what you say is not kept: %s\n", error_text());
        error_clear();
    }
    free(path);
}

static bool open_editor(Prompt *p)
{
    HistEvent event;
    p->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (p->utf8 == (locale_t)0)
        return true; // lines are not edited
    locale_t before = uselocale(p->utf8);
    p->messages = history_init();
    p->editor = p->messages == NULL ? NULL : el_init("dereason", p->in, p->out, stderr);
    if (p->editor != NULL) {
        history(p->messages, &event, H_SETSIZE, HISTORY_MOST);
        history(p->messages, &event, H_SETUNIQUE, 1);
        el_set(p->editor, EL_CLIENTDATA, p);
        el_set(p->editor, EL_PROMPT, shown_prompt);
        el_set(p->editor, EL_GETCFN, next_character);
        el_set(p->editor, EL_HIST, history, p->messages);
        el_set(p->editor, EL_EDITOR, "emacs");
        el_set(p->editor, EL_SETTY, "-d", "-isig", "-ixon", NULL);
        el_wset(p->editor, EL_ADDFN, L"pasted", L"a pasted text", take_paste); // el_set's copies would never be freed
        bind_keys(p->editor);
        el_source(p->editor, NULL);
        open_history(p);
    }
    uselocale(before);
    return p->editor != NULL ? interrupts_begin() : fail("no memory for editing lines");
}

Prompt *prompt_open(FILE *in, FILE *out)
{
    const char *kind = getenv("TERM");
    Prompt *p = allocate(1, sizeof *p);
    if (p == NULL)
        return NULL;
    *p = (Prompt){.in = in, .out = out, .kept = {.descriptor = -1}, .shown = "> "};
    bool moves = kind != NULL && kind[0] != 0 && strcmp(kind, "dumb") != 0;
    if (!moves || tcgetattr(fileno(in), &p->tty) != 0 || !isatty(fileno(out)) || open_editor(p))
        return p;
    prompt_close(p);
    return NULL;
}

bool prompt_edits(const Prompt *p) { return p->editor != NULL; }

void prompt_close(Prompt *p)
{
    if (p == NULL)
        return;
    if (p->editor != NULL) {
        interrupts_end();
        el_end(p->editor);
    }
    if (p->messages != NULL)
        history_end(p->messages);
    if (p->utf8 != (locale_t)0)
        freelocale(p->utf8);
    line_file_close(&p->kept);
    free(p->line);
    free(p);
}

// ---- reading

static void drop_newlines(Bytes *message)
{
    while (message->size > 0 && strchr("\r\n", message->data[message->size - 1]) != NULL)
        message->data[--message->size] = 0;
}

static bool read_line(Prompt *p, Said *said, Bytes *message)
{
    if (isatty(fileno(p->in)))
        fputs("\n> ", p->out);
    fflush(p->out);
    ssize_t size = getline(&p->line, &p->capacity, p->in);
    *said = size < 0 ? SAID_END : SAID_MESSAGE;
    if (size < 0)
        return !ferror(p->in) || fail_errno("reading the input");
    TRY(bytes_append(message, p->line, (size_t)size));
    drop_newlines(message);
    return true;
}

// A line of the terminal, without the newline that ends it; in a paste there may be others.
static bool edit_line(Prompt *p, Said *said, Bytes *message)
{
    struct sigaction before[SIGNAL_COUNT];
    int size = 0;
    take_signals(before);
    const char *line = el_gets(p->editor, &size);
    give_back_signals(before);
    *said = interrupted() ? SAID_NOTHING : p->ended || line == NULL || size <= 0 ? SAID_END : SAID_MESSAGE;
    if (*said != SAID_MESSAGE)
        return true;
    TRY(bytes_append(message, line, (size_t)size));
    drop_newlines(message);
    return true;
}

static bool edit_message(Prompt *p, Said *said, Bytes *message)
{
    bool goes_on = true;
    for (p->shown = "> "; goes_on; p->shown = "  ") {
        TRY(edit_line(p, said, message));
        goes_on = *said == SAID_MESSAGE && message->size > 0 && message->data[message->size - 1] == '\\';
        if (goes_on)
            message->data[message->size - 1] = '\n';
    }
    return true;
}

static void remember(Prompt *p, const Bytes *message)
{
    if (message->size == 0)
        return;
    enter(p->messages, message->data);
    if (history_add(&p->kept, message->data))
        return;
    fprintf(stderr, "what you say is no longer kept: %s\n", error_text());
    error_clear();
    line_file_close(&p->kept);
}

bool prompt_read(Prompt *p, Said *said, Bytes *message)
{
    bytes_clear(message);
    if (p->editor == NULL)
        return read_line(p, said, message);
    interrupt_forget();
    locale_t before = uselocale(p->utf8);
    fprintf(p->out, "\n%s", PASTES);
    p->cut = false;
    bool ok = edit_message(p, said, message);
    fprintf(p->out, "%s%s", PASTES_NO_MORE, *said == SAID_MESSAGE ? "" : "\n");
    if (p->cut)
        fprintf(p->out, "(a paste was cut off after %d characters)\n", PASTED_MOST);
    fflush(p->out);
    if (leaving != 0)
        raise(leaving); // as it would have ended without us
    interrupt_forget();
    if (ok && *said == SAID_MESSAGE)
        remember(p, message);
    uselocale(before);
    return ok;
}
