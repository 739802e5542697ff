// Tokens as one HTML page: style inside, no scripts, nothing fetched, light or dark as the reader's system is. A token
// is a span whose title has its place, id and kind. The walk over them is in inspect.c.
#include "inspect/inspect_internal.h"
#include <string.h>

// Each token is isolated from the text direction of its neighbours: they run from left to right, as the model reads
// them. Documents out of sight are not laid out, since a step may have hundreds of thousands of tokens.
// clang-format off
const char INSPECT_PAGE[] =
    "<!doctype html>\n<html lang=\"en\"><head>"
    "<meta charset=\"utf-8\"><meta name=\"generator\" content=\"prepare --inspect\">\n";

static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--back:#fff;--text:#1f2328;--muted:#656d76;--line:#d8dce1;"
    "--trained:#d2f1da;--edge:#8fd6a3;"
    "--special:#7a3fb8}\n"
    "@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--muted:#8d96a0;"
    "--line:#2b323b;--trained:#143d23;"
    "--edge:#2f7d4a;--special:#c8a2ff}}\n"
    "body{margin:2rem auto;max-width:62rem;padding:0 1rem;background:var(--back);color:var(--text);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.3rem;margin:0 0 .3rem}h2{font-size:1rem;margin:0 0 .2rem}p{margin:0 0 .5rem}"
    ".facts{color:var(--muted);"
    "font-size:.9rem}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}th{color:var(--muted);font-weight:400;"
    "text-align:left}\n"
    "th,td{padding:.15rem .9rem .15rem 0;border-bottom:1px solid var(--line)}.number{text-align:right;"
    "font-variant-numeric:tabular-nums}a{color:inherit}\n"
    "section{margin:2.2rem 0;content-visibility:auto;contain-intrinsic-size:auto 30rem}\n"
    "code,.tokens{font:13px/1.9 ui-monospace,'SF Mono','DejaVu Sans Mono',monospace}\n"
    ".tokens{white-space:pre-wrap;border:1px solid var(--line);border-radius:6px;padding:.8rem}\n"
    ".masked,.special,.trained{border-left:1px solid var(--line);padding:.12rem 0;unicode-bidi:isolate}"
    ".masked{color:var(--muted)}\n"
    ".special{color:var(--special);font-weight:600}.trained{background:var(--trained);border-left-color:var(--edge)}\n"
    "code span{margin-right:.5rem;padding:.12rem .3rem!important}\n"
    "</style>\n";

static const char LEGEND[] =
    "<p><code><span class=\"trained\">trained</span><span class=\"masked\">masked</span>"
    "<span class=\"special\">special</span><span class=\"special trained\">special, trained</span></code></p>\n";
// clang-format on

// One row of the table, with a link to the document below.
static bool put_row(View *v, int64_t number)
{
    const Document *d = &v->documents->list[number];
    ShardEntry entry = document_entry(v->documents, number);
    TRY(bytes_printf(v->out, "<tr><td><a href=\"#d%" PRId64 "\">", number) && inspect_text(v, entry.id, "⏎"));
    TRY(bytes_printf(v->out, "</a></td><td class=\"number\">%" PRId32 "</td><td class=\"number\">%" PRId32 "</td>",
                     d->length, d->trained));
    TRY(bytes_printf(v->out, d->difficulty > 0 ? "<td class=\"number\">%" PRId32 "</td><td>" : "<td></td><td>",
                     d->difficulty));
    return inspect_text(v, entry.source, "⏎") && bytes_text(v->out, "</td></tr>\n");
}

static bool put_table(View *v)
{
    TRY(bytes_text(v->out,
                   "<table>\n<tr><th>document</th><th class=\"number\">tokens</th><th class=\"number\">trained</th>"
                   "<th class=\"number\">difficulty</th><th>source</th></tr>\n"));
    for (size_t i = 0; i < v->count; i++)
        TRY(put_row(v, v->numbers[i]));
    return bytes_text(v->out, "</table>\n");
}

bool page_head(View *v)
{
    const Text title = {v->title, strlen(v->title)};
    TRY(bytes_text(v->out, INSPECT_PAGE) &&
        bytes_text(v->out, "<meta name=\"viewport\" content=\"width=device-width\">\n<title>") &&
        inspect_text(v, title, " ") && bytes_text(v->out, "</title>\n") && bytes_text(v->out, STYLE));
    TRY(bytes_text(v->out, "</head><body>\n<h1>") && inspect_text(v, title, " ") && bytes_text(v->out, "</h1>\n<p>"));
    TRY(inspect_totals(v) && bytes_text(v->out, "</p>\n") && bytes_text(v->out, LEGEND));
    return v->count == 1 || put_table(v);
}

bool page_document(View *v, int64_t number)
{
    TRY(bytes_printf(v->out, "<section id=\"d%" PRId64 "\">\n<h2>", number));
    TRY(inspect_text(v, document_entry(v->documents, number).id, "⏎") &&
        bytes_text(v->out, "</h2>\n<p class=\"facts\">"));
    return inspect_facts(v, number) && bytes_text(v->out, "</p>\n<div class=\"tokens\" dir=\"ltr\">");
}

bool page_token(View *v, int32_t place, int32_t id, ShownKind kind, Text text)
{
    static const char *const classes[SHOWN_KINDS] = {"masked", "trained", "special", "special trained"};
    static const char *const titles[SHOWN_KINDS] = {"masked", "trained", "special, masked", "special, trained"};
    TRY(bytes_printf(v->out, "<span class=\"%s\" title=\"token %" PRId32 " · id %" PRId32 " · %s\">", classes[kind],
                     place, id, titles[kind]));
    return inspect_text(v, text, "⏎\n") && bytes_text(v->out, "</span>");
}

bool page_document_end(View *v) { return bytes_text(v->out, "</div>\n</section>\n"); }

bool page_end(View *v) { return bytes_text(v->out, "</body></html>\n"); }
