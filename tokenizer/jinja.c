// Follows jinja2's lexer (3.1, lexer.py: Lexer.tokeniter). Where jinja2 would remove more (whitespace outside ASCII),
// the form keeps it: then a template may fail to be recognised, but is never mistaken for another.
#include "tokenizer/jinja.h"
#include <string.h>

typedef struct Source {
    const char *text; // line ends are \n, the last one is gone
    size_t size, at;
    bool line_begins; // the last thing read ended a line
    Bytes *out;
} Source;

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool starts(const Source *s, size_t at, const char *mark)
{
    return s->size - at >= strlen(mark) && memcmp(s->text + at, mark, strlen(mark)) == 0;
}

static bool opens(const Source *s, size_t at)
{
    return starts(s, at, "{{") || starts(s, at, "{%") || starts(s, at, "{#");
}

// ---- between tags

// The text up to the next tag, whose sign decides about the whitespace before it: "-" removes all of it; without a
// sign, the indentation before {% and {# goes.
static bool append_data(Source *s)
{
    size_t begin = s->at, end = begin;
    while (end < s->size && !opens(s, end))
        end++;
    s->at = end;
    if (end < s->size && end + 2 < s->size && s->text[end + 2] == '-') {
        while (end > begin && is_space(s->text[end - 1]))
            end--;
    } else if (end < s->size && s->text[end + 1] != '{' && !(end + 2 < s->size && s->text[end + 2] == '+')) {
        size_t line = end;
        while (line > begin && s->text[line - 1] != '\n' && is_space(s->text[line - 1]))
            line--;
        if (line == begin ? s->line_begins : s->text[line - 1] == '\n')
            end = line;
    }
    return bytes_append(s->out, s->text + begin, end - begin);
}

// After a tag: "-" removes the whitespace; without a sign, one newline after a block or comment goes.
static void pass_end(Source *s, char sign, bool block)
{
    if (sign == '-')
        while (s->at < s->size && is_space(s->text[s->at]))
            s->at++;
    else if (block && sign != '+' && s->at < s->size && s->text[s->at] == '\n')
        s->at++;
    s->line_begins = s->text[s->at - 1] == '\n';
}

// ---- tags

// A comment vanishes, unless the text on its two sides would then look like the beginning of a tag.
static bool pass_comment(Source *s)
{
    size_t begin = s->at + 2, end;
    begin += begin < s->size && (s->text[begin] == '-' || s->text[begin] == '+');
    for (end = begin; end < s->size && !starts(s, end, "#}");)
        end++;
    bool parts = s->out->size > 0 && s->out->data[s->out->size - 1] == '{';
    if (end == s->size || parts)
        TRY(bytes_text(s->out, "{##}"));
    char sign = end > begin ? s->text[end - 1] : 0;
    s->at = end + 2 < s->size ? end + 2 : s->size;
    pass_end(s, sign, true);
    return true;
}

// A text in quotes, with \n for a newline in it: equal to Jinja, unless a backslash comes before the newline.
static bool append_quoted(Source *s)
{
    char quote = s->text[s->at];
    TRY(bytes_append(s->out, &quote, 1));
    for (s->at++; s->at < s->size; s->at++) {
        const char *c = s->text + s->at;
        size_t length = *c == '\\' && s->at + 1 < s->size ? 2 : 1;
        TRY(*c == '\n' ? bytes_text(s->out, "\\n") : bytes_append(s->out, c, length));
        s->at += length - 1;
        if (*c == quote) {
            s->at++;
            return true;
        }
    }
    return true;
}

static bool append_tag(Source *s)
{
    bool block = s->text[s->at + 1] == '%';
    const char *closing = block ? "%}" : "}}";
    TRY(bytes_append(s->out, s->text + s->at, 2));
    s->at += 2;
    if (s->at < s->size && (s->text[s->at] == '-' || s->text[s->at] == '+'))
        s->at++;
    for (bool first = true; s->at < s->size; first = false) {
        bool space = is_space(s->text[s->at]);
        while (s->at < s->size && is_space(s->text[s->at]))
            s->at++;
        char sign = s->at < s->size && (s->text[s->at] == '-' || (block && s->text[s->at] == '+')) ? s->text[s->at] : 0;
        if (s->at < s->size && starts(s, s->at + (sign != 0), closing)) {
            s->at += 2 + (sign != 0);
            pass_end(s, sign, block);
            return bytes_text(s->out, closing);
        }
        if (space && !first)
            TRY(bytes_text(s->out, " "));
        if (s->at < s->size && (s->text[s->at] == '\'' || s->text[s->at] == '"'))
            TRY(append_quoted(s));
        else if (s->at < s->size)
            TRY(bytes_append(s->out, s->text + s->at++, 1));
    }
    return true;
}

// ---- the whole text

static bool one_kind_of_line(Bytes *lines, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != '\r' || i + 1 == size || text[i + 1] != '\n') // \r\n becomes \n
            TRY(bytes_append(lines, text[i] == '\r' ? "\n" : text + i, 1));
    return true;
}

bool jinja_canonical(Bytes *out, const char *text, size_t size)
{
    Bytes lines = {0};
    bool ok = bytes_text(&lines, "") && one_kind_of_line(&lines, text, size);
    Source s = {.text = lines.data, .size = lines.size, .line_begins = true, .out = out};
    s.size -= s.size > 0 && s.text[s.size - 1] == '\n';
    while (ok && s.at < s.size) {
        ok = append_data(&s);
        if (ok && s.at < s.size)
            ok = starts(&s, s.at, "{#") ? pass_comment(&s) : append_tag(&s);
    }
    bytes_free(&lines);
    return ok;
}
