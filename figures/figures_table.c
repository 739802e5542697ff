// summary.json as a table for the terminal. Names and texts come from data and models, so nothing of them acts there.
#include "figures/figures_internal.h"
#include "log/visible.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 30, FACT_WIDTH = 300 };

// ---- text and numbers

static size_t characters(Text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; count++)
        i += character_at(text.data + i, text.size - i).size;
    return count;
}

static bool append_character(Bytes *out, const char *text, Character c)
{
    if (c.valid && (c.code == '\n' || c.code == '\t'))
        return bytes_text(out, " ");
    return c.valid && !character_hidden(c.code) ? bytes_append(out, text, c.size) : bytes_text(out, "?");
}

bool append_shown(Bytes *out, Text text, size_t width, bool pad)
{
    size_t whole = characters(text), shown = whole <= width ? whole : width - 1;
    for (size_t i = 0, n = 0; n < shown; n++) {
        Character c = character_at(text.data + i, text.size - i);
        TRY(append_character(out, text.data + i, c));
        i += c.size;
    }
    TRY(whole <= width || bytes_text(out, "…"));
    return !pad || whole >= width || bytes_printf(out, "%*s", (int)(width - whole), "");
}

double number_of(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

bool append_percent(Bytes *out, const json_t *object, int width)
{
    char text[48] = "-", error[24] = "    - ";
    if (json_is_number(json_object_get(object, "stderr")))
        snprintf(error, sizeof error, "%5.2f%%", 100 * number_of(object, "stderr"));
    if (json_is_number(json_object_get(object, "score")))
        snprintf(text, sizeof text, "%.2f%% ± %s", 100 * number_of(object, "score"), error);
    return bytes_printf(out, "%*s", width + (strlen(text) > 1), text); // ± has two bytes
}

// ---- the table

static bool append_row(Bytes *out, const char *indent, const char *name, const json_t *figures)
{
    TRY(bytes_text(out, indent) && append_shown(out, text_of(name), NAME_WIDTH - strlen(indent), true));
    TRY(bytes_printf(out, "%10" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(figures, "count"))));
    return append_percent(out, figures, 20) && append_percent(out, json_object_get(figures, "strict"), 20) &&
           bytes_text(out, "\n");
}

static bool append_categories(Bytes *out, const char *field, const json_t *categories)
{
    if (json_object_size(categories) < 2)
        return true;
    TRY(bytes_text(out, "  ") && append_shown(out, text_of(field), NAME_WIDTH, false) && bytes_text(out, "\n"));
    const char *name;
    json_t *one;
    json_object_foreach ((json_t *)categories, name, one)
        TRY(append_row(out, "    ", name, one));
    return true;
}

static bool append_fields(Bytes *out, const json_t *figures)
{
    const json_t *fields = json_object_get(figures, "fields");
    const char *first = json_string_value(json_array_get(fields, 0));
    TRY(append_categories(out, first == NULL ? "category" : first, json_object_get(figures, "by_category")));
    const char *name;
    json_t *one;
    json_object_foreach (json_object_get(figures, "by_field"), name, one)
        TRY(append_categories(out, name, one));
    return true;
}

// ---- what is said below it

static bool append_mean(Bytes *out, const json_t *figures, const char *key)
{
    const json_t *value = json_object_get(figures, key);
    return !json_is_number(value) || bytes_printf(out, ", %s %.2f%%", key, 100 * json_number_value(value));
}

static bool append_score(Bytes *out, const json_t *figures)
{
    const char *headline = json_string_value(json_object_get(figures, "headline"));
    const json_t *interval = json_object_get(figures, "interval");
    TRY(bytes_printf(out, "  score: %s", headline == NULL ? "" : headline));
    if (json_array_size(interval) == 2)
        TRY(bytes_printf(out, ", 95%% from %.2f%% to %.2f%% (bootstrap, %d resamples; Wilson where all are alike)",
                         100 * json_number_value(json_array_get(interval, 0)),
                         100 * json_number_value(json_array_get(interval, 1)), RESAMPLES));
    return (json_object_get(figures, "macro") == NULL ||
            (append_mean(out, figures, "micro") && append_mean(out, figures, "macro") &&
             (strcmp(headline, "harmonic") != 0 ||
              (append_mean(out, figures, "harmonic_unadjusted") &&
               bytes_text(out, "; harmonic: every category's share plus one point, as "
                               "BBEH's authors have it, so that all right is 101%"))))) &&
           bytes_text(out, "\n");
}

static bool append_passes(Bytes *out, const json_t *figures)
{
    const json_t *passes = json_object_get(figures, "pass_at_k");
    if (json_object_size(passes) == 0)
        return true;
    TRY(bytes_printf(out, "  avg@%" JSON_INTEGER_FORMAT " %.2f%%",
                     json_integer_value(json_object_get(figures, "samples")), 100 * number_of(figures, "micro")));
    const char *k;
    json_t *value;
    json_object_foreach ((json_t *)passes, k, value)
        TRY(bytes_text(out, ", pass@") && append_shown(out, text_of(k), 12, false) &&
            bytes_printf(out, " %.2f%%", 100 * json_number_value(value)));
    return bytes_text(out, "\n");
}

static bool append_shares(Bytes *out, const json_t *figures)
{
    const json_t *shares = json_object_get(figures, "shares"), *drawn = json_object_get(figures, "drawn");
    const json_t *differ = json_object_get(figures, "disagreements"), *tokens;
    TRY(bytes_printf(
        out, "  of %" JSON_INTEGER_FORMAT " responses: ", json_integer_value(json_object_get(figures, "responses"))));
    TRY(json_is_number(json_object_get(shares, "cut_off"))
            ? bytes_printf(out, "cut off %.2f%%", 100 * number_of(shares, "cut_off")) &&
                  (number_of(shares, "ends_known") == 1 ||
                   bytes_printf(out, " of the %.2f%% of which it is known", 100 * number_of(shares, "ends_known")))
            : bytes_text(out, "how they ended is unknown"));
    TRY(bytes_printf(out, ", without an answer %.2f%%, with one that no rule can read or compare %.2f%%",
                     100 * number_of(shares, "without_answer"), 100 * number_of(shares, "unreadable")));
    tokens = json_object_get(figures, "response_tokens");
    TRY(!json_is_number(tokens) || bytes_printf(out, "; %.1f tokens on average", json_number_value(tokens)));
    if (number_of(drawn, "count") > 0)
        TRY(bytes_printf(
            out,
            "\n  drawn: a letter for %.2f%%, right by chance %.2f%%, came out right %.2f%%: %.2f points of "
            "the micro average are luck",
            100 * number_of(drawn, "share"), 100 * number_of(drawn, "by_chance"), 100 * number_of(drawn, "right"),
            100 * number_of(drawn, "share") * number_of(drawn, "right")));
    const json_t *judged = json_object_get(figures, "judged");
    TRY(judged == NULL ||
        bytes_printf(
            out, "\n  judged: %.0f of %.0f answers%s", number_of(judged, "decided"), number_of(judged, "asked"),
            number_of(judged, "decided") < number_of(judged, "asked") ? "; the others' verdicts are the rules'" : ""));
    if (number_of(figures, "gave_up") > 0)
        TRY(bytes_printf(out,
                         "\n  gave up: on %.0f responses a pattern of extract took too many steps; what the other "
                         "patterns found counts, or nothing",
                         number_of(figures, "gave_up")));
    return bytes_printf(
        out, "\n  right by the protocol and not strictly: %.0f responses; strictly and not by the protocol: %.0f\n",
        number_of(differ, "only_protocol"), number_of(differ, "only_strict"));
}

// "temperature 0, top_p 1" of an object; other values as they are in JSON, so that a newline in a stop text is seen.
bool append_json(Bytes *out, const json_t *value)
{
    if (json_is_string(value) && strchr(json_string_value(value), '\n') == NULL)
        return append_shown(out, text_of(json_string_value(value)), FACT_WIDTH, false);
    char *text = json_dumps(value == NULL ? json_null() : value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    bool ok = (text != NULL || fail("no memory for a summary")) && append_shown(out, text_of(text), FACT_WIDTH, false);
    free(text);
    return ok;
}

static bool append_fact(Bytes *out, const char *name, const json_t *value)
{
    TRY(bytes_text(out, "  ") && append_shown(out, text_of(name), NAME_WIDTH, false) && bytes_text(out, ": "));
    if (!json_is_object(value))
        return append_json(out, value) && bytes_text(out, "\n");
    const char *key, *between = "";
    json_t *part;
    json_object_foreach ((json_t *)value, key, part) {
        TRY(bytes_text(out, between) && append_shown(out, text_of(key), NAME_WIDTH, false) && bytes_text(out, " ") &&
            append_json(out, part));
        between = ", ";
    }
    return bytes_text(out, "\n");
}

static bool append_about(Bytes *out, const json_t *figures)
{
    const char *name;
    json_t *value;
    json_object_foreach (json_object_get(figures, "about"), name, value)
        TRY(append_fact(out, name, value));
    return true;
}

bool figures_table(Bytes *out, const json_t *summary)
{
    const char *task;
    json_t *figures;
    TRY(bytes_printf(out, "%-*s%10s%20s%20s\n", NAME_WIDTH, "", "questions", "score", "strict"));
    json_object_foreach ((json_t *)summary, task, figures)
        TRY(append_row(out, "", task, figures) && append_fields(out, figures) && append_score(out, figures) &&
            append_passes(out, figures) && append_shares(out, figures) && append_about(out, figures));
    return true;
}
