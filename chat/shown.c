// See shown.h.
#include "chat/shown.h"
#include "log/visible.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Screen screen_of(FILE *out)
{
    const char *kind = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool terminal = isatty(fileno(out)), moves = kind != NULL && kind[0] != 0 && strcmp(kind, "dumb") != 0;
    return (Screen){out, terminal, terminal && moves && (no_color == NULL || no_color[0] == 0)};
}

static bool put(const Screen *s, const char *data, size_t size)
{
    return size == 0 || fwrite(data, 1, size, s->out) == size || fail_errno("writing to the terminal");
}

static bool put_bytes(const Screen *s, Bytes *bytes)
{
    bool ok = put(s, bytes->data, bytes->size);
    bytes_free(bytes);
    return ok;
}

// Joiners act on nothing but their neighbours: Persian and many emojis are written with them.
static bool is_hidden(uint32_t code) { return character_hidden(code) && code != 0x200C && code != 0x200D; }

static bool append_visible(Bytes *out, Text text, bool lines)
{
    for (size_t i = 0; i < text.size;) {
        Character c = character_at(text.data + i, text.size - i);
        bool stays = c.valid && (!is_hidden(c.code) || (lines && (c.code == '\n' || c.code == '\t')));
        TRY(stays                       ? bytes_append(out, text.data + i, c.size)
            : c.valid && c.code == '\n' ? bytes_text(out, "\\n")
            : c.valid && c.code == '\t' ? bytes_text(out, "\\t")
            : !c.valid || c.code < 0x80 ? bytes_printf(out, "\\x%02X", (unsigned)c.code)
                                        : bytes_printf(out, "\\u{%04X}", (unsigned)c.code));
        i += c.size;
    }
    return true;
}

bool show_text(const Screen *s, Text text)
{
    Bytes visible = {0};
    if (!s->terminal)
        return put(s, text.data, text.size);
    bool ok = append_visible(&visible, text, true);
    return put_bytes(s, &visible) && ok;
}

bool show_note(const Screen *s, const char *format, ...)
{
    Bytes note = {0}, line = {0};
    va_list arguments;
    va_start(arguments, format);
    char text[2048];
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bool ok = size >= 0 && bytes_printf(&note, "(%s)", text) &&
              append_visible(&line, (Text){note.data, note.size}, false) && bytes_text(&line, "\n");
    bytes_free(&note);
    return put_bytes(s, &line) && ok;
}

// ---- tokens

// By the probability of a token: sure, likely, one of several, a surprise. Users choose these colours to be readable.
static const char *colour_of(float logprob)
{
    double p = exp((double)logprob);
    return p >= 0.9 ? "\x1b[32m" : p >= 0.5 ? "\x1b[36m" : p >= 0.1 ? "\x1b[33m" : "\x1b[31m";
}
#define DIM "\x1b[2m"
#define PLAIN "\x1b[0m"

static bool append_token(Bytes *out, bool coloured, Text text, float logprob)
{
    return bytes_text(out, coloured ? DIM "[" PLAIN : "[") && bytes_text(out, coloured ? colour_of(logprob) : "") &&
           append_visible(out, text, false) && bytes_text(out, coloured ? PLAIN DIM : "") &&
           bytes_printf(out, " %.3f]%s", (double)logprob, coloured ? PLAIN : "") &&
           // what the answer's lines were
           bytes_text(out, text.size > 0 && text.data[text.size - 1] == '\n' ? "\n" : "");
}

bool show_tokens(const Screen *s, const Tokenizer *tokenizer, const int32_t *ids, const float *logprobs, size_t count)
{
    Bytes out = {0};
    double sum = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        size_t size = 0;
        const char *bytes = token_bytes(tokenizer, ids[i], &size);
        ok = append_token(&out, s->coloured, (Text){bytes == NULL ? "" : bytes, size}, logprobs[i]);
        sum += (double)logprobs[i];
    }
    double mean = count > 0 ? sum / (double)count : 0;
    ok = ok && bytes_printf(&out, "\n%zu tokens, log-probability %.3f in all, %.3f of a token", count, sum, mean) &&
         bytes_text(&out, s->coloured
                              ? "; probability \x1b[32mat least 90%\x1b[0m, \x1b[36m50%\x1b[0m, \x1b[33m10%\x1b[0m, "
                                "\x1b[31mless\x1b[0m\n"
                              : "\n");
    return put_bytes(s, &out) && ok;
}
