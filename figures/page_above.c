// What stands above the list of a run's page: scores by task and category, how they were measured, and the filters. It
// can be read without scripts.
#include "figures/figures_internal.h"
#include "figures/page_internal.h"
#include "html/html.h"
#include <stdlib.h>
#include <string.h>

const char PAGE_BEGINNING[] = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                              "<meta name=\"generator\" content=\"evaluate\">\n";

// Nothing is fetched, whatever a text holds.
static const char HEAD[] =
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char FILTERS[] =
    "<h2>Responses</h2>\n<noscript><p>The list needs JavaScript; TASK.jsonl beside this page holds the same.</p>"
    "</noscript>\n<div class=\"filters\">"
    "<input type=\"search\" id=\"search\" placeholder=\"search questions and responses\" aria-label=\"search\">"
    "<select id=\"task\" aria-label=\"task\"><option value=\"\">all tasks</option></select>"
    "<select id=\"category\" aria-label=\"category\"><option value=\"\">all categories</option></select>"
    "<select id=\"right\" aria-label=\"verdict\"><option value=\"\">right and wrong</option>"
    "<option value=\"right\">right</option><option value=\"wrong\">wrong</option></select>"
    "<label><input type=\"checkbox\" id=\"strict\"> strict verdict differs</label>"
    "<label><input type=\"checkbox\" id=\"cut_off\"> cut off</label>"
    "<label><input type=\"checkbox\" id=\"no_answer\"> without an answer</label>"
    "<label><input type=\"checkbox\" id=\"drawn\"> drawn</label></div>\n"
    "<div class=\"pages\"><button id=\"before\">← before</button><button id=\"after\">after →</button>"
    "<span id=\"status\" role=\"status\"></span></div>\n<div id=\"list\"></div>\n";

// ---- the table

static bool append_number(Bytes *out, const json_t *object, const char *key, int digits)
{
    const json_t *value = json_object_get(object, key);
    TRY(bytes_text(out, "<td class=\"number\">"));
    if (json_is_number(value))
        TRY(bytes_printf(out, "%.*f", digits, json_number_value(value)));
    return bytes_text(out, "</td>");
}

static bool append_share(Bytes *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    TRY(bytes_text(out, "<td class=\"number\">"));
    if (json_is_number(value))
        TRY(bytes_printf(out, "%.2f%%", 100 * json_number_value(value)));
    return bytes_text(out, "</td>");
}

static bool append_score_cell(Bytes *out, const json_t *object)
{
    return bytes_text(out, "<td class=\"number\">") && append_percent(out, object, 0) && bytes_text(out, "</td>");
}

static bool append_interval(Bytes *out, const json_t *figures)
{
    const json_t *interval = json_object_get(figures, "interval");
    TRY(bytes_text(out, "<td class=\"number\">"));
    if (json_array_size(interval) == 2)
        TRY(bytes_printf(out, "%.2f%% to %.2f%%", 100 * json_number_value(json_array_get(interval, 0)),
                         100 * json_number_value(json_array_get(interval, 1))));
    return bytes_text(out, "</td>");
}

static bool append_heads(Bytes *out, const char *first, const char *const *columns, size_t count)
{
    TRY(bytes_text(out, "<div class=\"wide\"><table>\n<tr><th>") && html_text(out, first) && bytes_text(out, "</th>"));
    for (size_t i = 0; i < count; i++)
        TRY(bytes_printf(out, "<th class=\"number\">%s</th>", columns[i]));
    return bytes_text(out, "</tr>\n");
}

static bool append_task(Bytes *out, const char *task, const json_t *figures)
{
    const json_t *shares = json_object_get(figures, "shares"), *drawn = json_object_get(figures, "drawn");
    TRY(bytes_text(out, "<tr><td>") && html_text(out, task) && bytes_text(out, "</td>"));
    return append_number(out, figures, "count", 0) && append_score_cell(out, figures) &&
           append_interval(out, figures) && append_score_cell(out, json_object_get(figures, "strict")) &&
           append_share(out, shares, "cut_off") && append_share(out, shares, "without_answer") &&
           append_share(out, shares, "unreadable") && append_share(out, drawn, "share") &&
           append_share(out, drawn, "by_chance") && append_share(out, drawn, "right") &&
           append_number(out, figures, "response_tokens", 1) && bytes_text(out, "</tr>\n");
}

static bool append_tasks(Bytes *out, const json_t *summary)
{
    static const char *const columns[] = {"questions",     "score",          "95%",        "strict",
                                          "cut off",       "no answer",      "unreadable", "drawn",
                                          "drawn: chance", "came out right", "tokens"};
    TRY(append_heads(out, "task", columns, sizeof columns / sizeof columns[0]));
    const char *task;
    json_t *figures;
    json_object_foreach ((json_t *)summary, task, figures)
        TRY(append_task(out, task, figures));
    return bytes_text(out, "</table></div>\n");
}

static bool append_category(Bytes *out, const char *name, const json_t *figures)
{
    return bytes_text(out, "<tr><td>") && html_text(out, name) && bytes_text(out, "</td>") &&
           append_number(out, figures, "count", 0) && append_score_cell(out, figures) &&
           append_score_cell(out, json_object_get(figures, "strict")) && bytes_text(out, "</tr>\n");
}

static bool append_field(Bytes *out, const char *task, const char *field, const json_t *categories)
{
    enum { SHOWN_AT_ONCE = 30 };
    static const char *const columns[] = {"questions", "score", "strict"};
    size_t count = json_object_size(categories);
    if (count == 0)
        return true;
    TRY(bytes_text(out, count <= SHOWN_AT_ONCE ? "<details open><summary>" : "<details><summary>") &&
        html_text(out, task) && bytes_text(out, " by ") && html_text(out, field) && bytes_text(out, "</summary>") &&
        append_heads(out, field, columns, sizeof columns / sizeof columns[0]));
    const char *name;
    json_t *one;
    json_object_foreach ((json_t *)categories, name, one)
        TRY(append_category(out, name, one));
    return bytes_text(out, "</table></div></details>\n");
}

static bool append_fields(Bytes *out, const char *task, const json_t *figures)
{
    const char *first = json_string_value(json_array_get(json_object_get(figures, "fields"), 0)), *field;
    json_t *categories;
    TRY(append_field(out, task, first == NULL ? "category" : first, json_object_get(figures, "by_category")));
    json_object_foreach (json_object_get(figures, "by_field"), field, categories)
        TRY(append_field(out, task, field, categories));
    return true;
}

// ---- how it was measured

static bool append_definition(Bytes *out, const char *name, const json_t *value)
{
    TRY(bytes_text(out, "<dt>") && html_text(out, name) && bytes_text(out, "</dt><dd>"));
    if (json_is_string(value))
        return html_text(out, json_string_value(value)) && bytes_text(out, "</dd>\n");
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    bool ok = (text != NULL || fail("no memory for a page")) && html_text(out, text) && bytes_text(out, "</dd>\n");
    free(text);
    return ok;
}

static bool append_settings(Bytes *out, const char *task, const json_t *figures)
{
    static const char *const shown[] = {"headline", "micro",     "macro",         "harmonic",
                                        "samples",  "pass_at_k", "disagreements", "task_hash"};
    const char *name;
    json_t *value;
    TRY(bytes_text(out, "<details open><summary>") && html_text(out, task) &&
        bytes_text(out, ": how it was measured</summary><dl>\n"));
    json_object_foreach (json_object_get(figures, "about"), name, value)
        TRY(append_definition(out, name, value));
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        if ((value = json_object_get(figures, shown[i])) != NULL)
            TRY(append_definition(out, shown[i], value));
    return bytes_text(out, "</dl></details>\n");
}

static bool append_details(Bytes *out, const json_t *summary)
{
    const char *task;
    json_t *figures;
    json_object_foreach ((json_t *)summary, task, figures)
        TRY(append_settings(out, task, figures) && append_fields(out, task, figures));
    return true;
}

bool page_above(Bytes *out, const json_t *summary)
{
    const char *task, *between = "";
    json_t *figures;
    TRY(bytes_text(out, PAGE_BEGINNING) && bytes_text(out, HEAD) && bytes_text(out, "<title>"));
    json_object_foreach ((json_t *)summary, task, figures) {
        TRY(bytes_text(out, between) && html_text(out, task));
        between = ", ";
    }
    return bytes_text(out, "</title>\n<style>\n") && bytes_text(out, HTML_STYLE) && bytes_text(out, PAGE_STYLE) &&
           bytes_text(out, "</style></head><body>\n<h1>Evaluation</h1>\n") && append_tasks(out, summary) &&
           append_details(out, summary) && bytes_text(out, FILTERS);
}
