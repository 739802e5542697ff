// Tokens for people. Three looks share one walk over the tokens: plain text, a terminal's colours, an HTML page. What the data holds
// never reaches a terminal or a page raw: control characters, bytes of half a character and marks that turn the reading direction
// are shown by number.
#include "data/inspect.h"
#include <string.h>

typedef enum TokenClass { TOKEN_MASKED, TOKEN_TRAINED, TOKEN_SPECIAL, TOKEN_SPECIAL_TRAINED } TokenClass;

typedef struct View {
    Bytes *out, piece; // piece: the text of one token
    InspectLook look;
    const Documents *documents;
    const Tokenizer *tokenizer;
} View;

// clang-format off
static const char *const ANSI[] = {"\x1b[2m", "\x1b[1;32m", "\x1b[2;36m", "\x1b[1;7;36m"};
static const char *const CLASSES[] = {"masked", "trained", "special", "special trained"};
static const char PAGE[] =
    "<style>\n"
    ":root{--back:#fff;--text:#1f2328;--muted:#8a929b;--line:#e4e7eb;--trained:#d8f3df;--edge:#8fd6a3;--special:#7a3fb8}\n"
    "@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--muted:#6f7882;--line:#21262d;--trained:#12361f;"
    "--edge:#2f7d4a;--special:#c8a2ff}}\n"
    "body{margin:2rem auto;max-width:62rem;padding:0 1rem;background:var(--back);color:var(--text);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.3rem}h2{font-size:1rem;margin:2rem 0 .3rem}.facts{color:var(--muted);font-size:.9rem;overflow-wrap:anywhere}\n"
    ".tokens{font:13px/1.9 ui-monospace,'DejaVu Sans Mono',monospace;white-space:pre-wrap;overflow-wrap:anywhere;"
    "border:1px solid var(--line);border-radius:6px;padding:.8rem;margin:.5rem 0}\n"
    ".tokens span{border-left:1px solid var(--line);padding:.12rem 0}.masked,.special{color:var(--muted)}\n"
    ".trained{background:var(--trained);border-left-color:var(--edge)!important}.special{color:var(--special);font-weight:600}\n"
    "</style>\n";
// clang-format on

// ---- characters

typedef struct Character {
    uint32_t code;
    size_t size; // bytes; code is a byte's value where valid is false
    bool valid;
} Character;

static Character character_at(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (length > size || utf8_valid_prefix(text, length) != length)
        return (Character){p[0], 1, false};
    uint32_t code = length == 1 ? p[0] : p[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (p[i] & 0x3F);
    return (Character){code, length, true};
}

static bool is_hidden(uint32_t c) // a control character, or one that is not seen and changes what is
{
    return (c < 0x20 && c != '\n') || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0x061C;
}

static bool put_character(View *v, const char *text, Character c)
{
    if (!c.valid)
        return bytes_printf(v->out, "\\x%02X", (unsigned)c.code);
    if (c.code == '\t')
        return bytes_text(v->out, "⇥");
    if (is_hidden(c.code))
        return bytes_printf(v->out, c.code < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)c.code);
    if (v->look == INSPECT_HTML && strchr("<>&\"'", (int)c.code) != NULL && c.code < 0x80 && c.code != 0)
        return bytes_printf(v->out, "&#%u;", (unsigned)c.code);
    return bytes_append(v->out, text, c.size);
}

static bool put_text(View *v, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        Character c = character_at(text + i, size - i);
        TRY(c.code == '\n' ? bytes_text(v->out, "⏎\n") : put_character(v, text + i, c));
        i += c.size;
    }
    return true;
}

static bool put_line(View *v, Text text) // within a line of facts
{
    for (size_t i = 0; i < text.size;) {
        Character c = character_at(text.data + i, text.size - i);
        TRY(c.code == '\n' ? bytes_text(v->out, "⏎") : put_character(v, text.data + i, c));
        i += c.size;
    }
    return true;
}

// ---- tokens

static bool token_text(View *v, int32_t id)
{
    size_t size = 0;
    const char *bytes = v->tokenizer == NULL ? NULL : token_bytes(v->tokenizer, id, &size);
    bytes_clear(&v->piece);
    return bytes == NULL ? bytes_printf(&v->piece, "[%" PRId32 "]", id) : bytes_append(&v->piece, bytes, size);
}

static TokenClass class_of(const View *v, int32_t id, bool trained)
{
    size_t size;
    bool special = v->tokenizer != NULL && token_bytes(v->tokenizer, id, &size) != NULL && tokenizer_is_special(v->tokenizer, id);
    return special ? (trained ? TOKEN_SPECIAL_TRAINED : TOKEN_SPECIAL) : trained ? TOKEN_TRAINED : TOKEN_MASKED;
}

// A colour ends before a line does: pagers and terminals begin each line anew.
static bool put_coloured(View *v, const char *colour)
{
    const char *text = v->piece.data;
    size_t size = v->piece.size;
    TRY(bytes_text(v->out, colour));
    for (size_t i = 0; i < size;) {
        Character c = character_at(text + i, size - i);
        TRY(c.code == '\n' ? bytes_text(v->out, "⏎\x1b[0m\n") && bytes_text(v->out, colour) : put_character(v, text + i, c));
        i += c.size;
    }
    return bytes_text(v->out, "\x1b[0m");
}

static bool put_token(View *v, int32_t place, int32_t id, bool trained)
{
    TokenClass class = class_of(v, id, trained);
    TRY(token_text(v, id));
    if (v->look == INSPECT_COLOUR)
        return put_coloured(v, ANSI[class]);
    if (v->look == INSPECT_PLAIN)
        return put_text(v, v->piece.data, v->piece.size);
    TRY(bytes_printf(v->out, "<span class=\"%s\" title=\"token %" PRId32 " · id %" PRId32 " · %s\">", CLASSES[class], place, id,
                     CLASSES[class]));
    return put_text(v, v->piece.data, v->piece.size) && bytes_text(v->out, "</span>");
}

static bool put_tokens(View *v, const Document *d)
{
    int32_t span = 0;
    bool before = false;
    for (int32_t t = 0; t < d->length; t++) {
        while (span < d->span_count && (uint32_t)t >= d->spans[span].end)
            span++;
        bool trained = span < d->span_count && (uint32_t)t >= d->spans[span].begin;
        if (v->look == INSPECT_PLAIN && trained != before)
            TRY(bytes_text(v->out, trained ? "«" : "»"));
        TRY(put_token(v, t, d->ids[t], trained));
        before = trained;
    }
    return v->look != INSPECT_PLAIN || !before || bytes_text(v->out, "»");
}

// ---- a document

static bool put_fact(View *v, const char *name, Text text)
{
    return text.size == 0 || (bytes_printf(v->out, " · %s ", name) && put_line(v, text));
}

static bool put_facts(View *v, const Document *d, const ShardEntry *entry)
{
    TRY(bytes_text(v->out, v->look == INSPECT_HTML ? "<div class=\"facts\">" : ""));
    TRY(bytes_printf(v->out, "%" PRId32 " tokens, %" PRId32 " trained (%.1f%%), prompt %" PRIu32, d->length, d->trained,
                     100.0 * d->trained / d->length, entry->prompt));
    if (d->difficulty > 0)
        TRY(bytes_printf(v->out, " · difficulty %" PRId32, d->difficulty));
    TRY(put_fact(v, "source", entry->source) && put_fact(v, "category", entry->category) && put_fact(v, "answer", entry->answer));
    const char *file = v->documents->paths[d->shard];
    TRY(put_fact(v, "in", (Text){file, strlen(file)}) && bytes_printf(v->out, ", record %" PRId32, d->record));
    return bytes_text(v->out, v->look == INSPECT_HTML ? "</div>\n" : "\n");
}

static bool put_document(View *v, int64_t number)
{
    const Document *d = &v->documents->list[number];
    ShardEntry entry = document_entry(v->documents, number);
    bool page = v->look == INSPECT_HTML;
    TRY(bytes_text(v->out, page ? "<h2>" : v->look == INSPECT_COLOUR ? "\n\x1b[1m" : "\n"));
    TRY(put_line(v, entry.id) && bytes_text(v->out, page ? "</h2>\n" : v->look == INSPECT_COLOUR ? "\x1b[0m\n" : "\n"));
    TRY(put_facts(v, d, &entry));
    TRY(bytes_text(v->out, page ? "<div class=\"tokens\">" : "") && put_tokens(v, d));
    return bytes_text(v->out, page ? "</div>\n" : "\n");
}

// ---- all of them

static bool put_head(View *v, const char *title, size_t count, int64_t tokens, int64_t trained)
{
    const Text text = {title, strlen(title)};
    if (v->look == INSPECT_HTML)
        TRY(bytes_text(v->out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                               "<meta name=\"viewport\" content=\"width=device-width\"><title>") &&
            put_line(v, text) && bytes_text(v->out, "</title>\n") && bytes_text(v->out, PAGE) &&
            bytes_text(v->out, "</head><body>\n<h1>"));
    TRY(put_line(v, text) && bytes_text(v->out, v->look == INSPECT_HTML ? "</h1>\n<p class=\"facts\">" : ": "));
    TRY(bytes_printf(v->out, "%zu document%s, %" PRId64 " tokens, %" PRId64 " of them trained (%.1f%%)", count,
                     count == 1 ? "" : "s", tokens, trained, 100.0 * (double)trained / (double)tokens));
    if (v->look == INSPECT_PLAIN)
        return bytes_text(v->out, "; «trained»\n");
    if (v->look == INSPECT_COLOUR)
        return bytes_printf(v->out, "; %strained\x1b[0m %smasked\x1b[0m %sspecial\x1b[0m %sspecial, trained\x1b[0m\n",
                            ANSI[TOKEN_TRAINED], ANSI[TOKEN_MASKED], ANSI[TOKEN_SPECIAL], ANSI[TOKEN_SPECIAL_TRAINED]);
    return bytes_text(v->out, "; <span class=\"trained\">trained</span> <span class=\"masked\">masked</span> "
                              "<span class=\"special\">special</span></p>\n");
}

bool inspect(Bytes *out, InspectLook look, const char *title, const Documents *documents, const Tokenizer *tokenizer,
             const int64_t *numbers, size_t count)
{
    View v = {.out = out, .look = look, .documents = documents, .tokenizer = tokenizer};
    int64_t tokens = 0, trained = 0;
    for (size_t i = 0; i < count; i++) {
        tokens += documents->list[numbers[i]].length;
        trained += documents->list[numbers[i]].trained;
    }
    if (trained == 0 && documents_about(documents)->kind == SHARD_SFT)
        return fail("%s: NOTHING IS TRAINED in %zu documents of %" PRId64 " tokens", title, count, tokens);
    bool ok = put_head(&v, title, count, tokens, trained);
    for (size_t i = 0; ok && i < count; i++)
        ok = put_document(&v, numbers[i]);
    ok = ok && (look != INSPECT_HTML || bytes_text(out, "</body></html>\n"));
    bytes_free(&v.piece);
    return ok;
}
