// Tokens for people: one walk over the documents, written as plain text, in a terminal's colours, or as a page
// (inspect_html.c). Data never reaches a terminal or a page raw: a row can only be read, and hidden characters become
// visible.
#include "inspect/inspect_internal.h"
#include "log/visible.h"
#include <string.h>

// Named colours, since users choose them to be readable on their background; trained special tokens stand out most.
static const char *const COLOURS[SHOWN_KINDS] = {"\x1b[2m", "\x1b[32m", "\x1b[2;36m", "\x1b[7;36m"};
#define COLOUR_END "\x1b[0m"

// ---- characters

static bool put_character(View *v, const char *text, Character c)
{
    if (c.valid && c.code == '\t')
        return bytes_text(v->out, "⇥");
    if (!c.valid || (c.code < 0x80 && character_hidden(c.code)))
        return bytes_printf(v->out, "\\x%02X", (unsigned)c.code);
    if (character_hidden(c.code))
        return bytes_printf(v->out, "\\u{%04X}", (unsigned)c.code);
    if (v->look == INSPECT_HTML && c.code < 0x80 && strchr("<>&\"'", (int)c.code) != NULL)
        return bytes_printf(v->out, "&#%u;", (unsigned)c.code);
    return bytes_append(v->out, text, c.size);
}

bool inspect_text(View *v, Text text, const char *line_break)
{
    for (size_t i = 0; i < text.size;) {
        Character c = character_at(text.data + i, text.size - i);
        TRY(c.code == '\n' ? bytes_text(v->out, line_break) : put_character(v, text.data + i, c));
        i += c.size;
    }
    return true;
}

// ---- tokens

// An id without a token is shown as a number, written into `number`.
static Text token_text(const View *v, int32_t id, char number[16])
{
    size_t size = 0;
    const char *bytes = v->tokenizer == NULL ? NULL : token_bytes(v->tokenizer, id, &size);
    if (bytes != NULL)
        return (Text){bytes, size};
    return (Text){number, (size_t)snprintf(number, 16, "[%" PRId32 "]", id)};
}

static ShownKind kind_of(const View *v, int32_t id, bool trained)
{
    bool special = v->tokenizer != NULL && tokenizer_is_special(v->tokenizer, id);
    return special ? (trained ? SHOWN_SPECIAL_TRAINED : SHOWN_SPECIAL) : trained ? SHOWN_TRAINED : SHOWN_MASKED;
}

static bool is_trained(ShownKind kind) { return kind == SHOWN_TRAINED || kind == SHOWN_SPECIAL_TRAINED; }

// Between two tokens: a change of colour, or a « or » where training begins or ends. `before` and `now` are SHOWN_KINDS
// outside the tokens.
static bool put_change(View *v, ShownKind before, ShownKind now)
{
    if (v->look == INSPECT_PLAIN)
        return is_trained(before) == is_trained(now) || bytes_text(v->out, is_trained(now) ? "«" : "»");
    if (v->look == INSPECT_HTML || before == now)
        return true;
    return (before == SHOWN_KINDS || bytes_text(v->out, COLOUR_END)) &&
           (now == SHOWN_KINDS || bytes_text(v->out, COLOURS[now]));
}

static bool put_token(View *v, int32_t place, int32_t id, ShownKind kind)
{
    char number[16], line_break[32] = "⏎\n";
    Text text = token_text(v, id, number);
    if (v->look == INSPECT_HTML)
        return page_token(v, place, id, kind, text);
    if (v->look == INSPECT_COLOUR) // end the colour before the line: pagers begin each line anew
        snprintf(line_break, sizeof line_break, "⏎" COLOUR_END "\n%s", COLOURS[kind]);
    return inspect_text(v, text, line_break);
}

static bool put_tokens(View *v, const Document *d)
{
    int32_t span = 0;
    ShownKind before = SHOWN_KINDS;
    for (int32_t t = 0; t < d->length; t++) {
        while (span < d->span_count && (uint32_t)t >= d->spans[span].end)
            span++;
        ShownKind kind = kind_of(v, d->ids[t], span < d->span_count && (uint32_t)t >= d->spans[span].begin);
        TRY(put_change(v, before, kind) && put_token(v, t, d->ids[t], kind));
        before = kind;
    }
    return put_change(v, before, SHOWN_KINDS);
}

// ---- documents

static double percent(int64_t part, int64_t whole) { return whole == 0 ? 0 : 100.0 * (double)part / (double)whole; }

static bool put_fact(View *v, const char *name, Text text)
{
    return text.size == 0 || (bytes_printf(v->out, " · %s ", name) && inspect_text(v, text, "⏎"));
}

bool inspect_facts(View *v, int64_t number)
{
    const Document *d = &v->documents->list[number];
    const char *file = v->documents->paths[d->shard];
    ShardEntry entry = document_entry(v->documents, number);
    TRY(bytes_printf(v->out, "%" PRId32 " tokens, %" PRId32 " trained (%.1f%%), prompt %" PRIu32, d->length, d->trained,
                     percent(d->trained, d->length), entry.prompt));
    if (entry.tokens > (uint32_t)d->length)
        TRY(bytes_printf(v->out, " · cut, it has %" PRIu32 " tokens", entry.tokens));
    if (d->difficulty > 0)
        TRY(bytes_printf(v->out, " · difficulty %" PRId32, d->difficulty));
    TRY(put_fact(v, "source", entry.source) && put_fact(v, "category", entry.category) &&
        put_fact(v, "answer", entry.answer));
    return put_fact(v, "in", (Text){file, strlen(file)}) && bytes_printf(v->out, ", record %" PRId32, d->record);
}

bool inspect_totals(View *v)
{
    return bytes_printf(v->out, "%zu document%s, %" PRId64 " tokens, %" PRId64 " of them trained (%.1f%%)", v->count,
                        v->count == 1 ? "" : "s", v->tokens, v->trained, percent(v->trained, v->tokens));
}

static bool put_head(View *v)
{
    if (v->look == INSPECT_HTML)
        return page_head(v);
    TRY(inspect_text(v, (Text){v->title, strlen(v->title)}, "⏎") && bytes_text(v->out, ": ") && inspect_totals(v));
    if (v->look == INSPECT_PLAIN)
        return bytes_text(v->out, "; «trained»\n");
    return bytes_printf(v->out, "; %strained%s %smasked%s %sspecial%s %sspecial, trained%s\n", COLOURS[SHOWN_TRAINED],
                        COLOUR_END, COLOURS[SHOWN_MASKED], COLOUR_END, COLOURS[SHOWN_SPECIAL], COLOUR_END,
                        COLOURS[SHOWN_SPECIAL_TRAINED], COLOUR_END);
}

static bool put_document(View *v, int64_t number)
{
    const Document *d = &v->documents->list[number];
    bool colour = v->look == INSPECT_COLOUR;
    if (v->look == INSPECT_HTML)
        return page_document(v, number) && put_tokens(v, d) && page_document_end(v);
    TRY(bytes_text(v->out, colour ? "\n\x1b[1m" : "\n") &&
        inspect_text(v, document_entry(v->documents, number).id, "⏎"));
    TRY(bytes_text(v->out, colour ? COLOUR_END "\n" : "\n") && inspect_facts(v, number) && bytes_text(v->out, "\n"));
    return put_tokens(v, d) && bytes_text(v->out, "\n");
}

bool inspect(Bytes *out, InspectLook look, const char *title, const Documents *documents, const Tokenizer *tokenizer,
             const int64_t *numbers, size_t count)
{
    View v = {out, look, title, documents, tokenizer, numbers, count, 0, 0};
    for (size_t i = 0; i < count; i++) {
        v.tokens += documents->list[numbers[i]].length;
        v.trained += documents->list[numbers[i]].trained;
    }
    if (v.trained == 0 && documents_about(documents)->kind == SHARD_SFT)
        return fail("%s: NOTHING IS TRAINED in %zu documents of %" PRId64
                    " tokens; look at the rows' responses and labels, and at the "
                    "longest length allowed",
                    title, count, v.tokens);
    TRY(put_head(&v));
    for (size_t i = 0; i < count; i++)
        TRY(put_document(&v, numbers[i]));
    return look != INSPECT_HTML || page_end(&v);
}
