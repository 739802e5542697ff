// Rows of responses against rows of prompts, line by line: see responses.h.
#include "evaluation/responses.h"
#include "json/json.h"
#include "rows/lines.h"
#include <stdlib.h>
#include <string.h>

typedef struct Check {
    LineReader prompts, responses;
    int64_t asked, missing; // prompts so far; of them without a response
} Check;

static bool next_row(json_t **row, LineReader *lines) // NULL after the last
{
    const char *text;
    char where[1024];
    size_t size;
    *row = NULL;
    TRY(lines_next(lines, &text, &size));
    snprintf(where, sizeof where, "%s:%" PRId64, lines->path, lines->line);
    return text == NULL || (*row = json_parse(text, size, where)) != NULL;
}

// The next prompt; *same: it is the one that is answered (NULL: none is any more).
static bool next_prompt(Check *c, const json_t *answered, bool *there, bool *same)
{
    json_t *prompt;
    TRY(next_row(&prompt, &c->prompts));
    *there = prompt != NULL;
    *same = *there && answered != NULL && json_equal(json_object_get(prompt, "evaluate"), answered);
    c->asked += *there;
    c->missing += *there && !*same;
    json_decref(prompt);
    return true;
}

static bool check_response(Check *c, const json_t *response)
{
    const json_t *answered = json_object_get(response, "evaluate");
    bool there = true, same = false;
    if (!json_is_object(answered) || !json_is_string(json_object_get(response, "text")))
        return fail("%s:%" PRId64 ": is no response", c->responses.path, c->responses.line);
    while (there && !same)
        TRY(next_prompt(c, answered, &there, &same));
    return same || fail("%s:%" PRId64 ": is out of order, or there twice, or answers no prompt of %s",
                        c->responses.path, c->responses.line, c->prompts.path);
}

static bool check_rows(Check *c, int64_t skips)
{
    json_t *response = NULL;
    bool there = true, same;
    do {
        TRY(next_row(&response, &c->responses));
        bool ok = response == NULL || check_response(c, response);
        json_decref(response);
        TRY(ok);
    } while (response != NULL);
    while (there)
        TRY(next_prompt(c, NULL, &there, &same));
    return c->missing <= skips || fail("%s: %" PRId64 " of %" PRId64 " prompts have no response there, and "
                                       "--skip-bad-rows allows %" PRId64,
                                       c->responses.path, c->missing, c->asked, skips);
}

bool responses_are_those_asked_for(const char *responses, const char *prompts, int64_t skips)
{
    Check c = {.prompts.descriptor = -1, .responses.descriptor = -1};
    bool ok = lines_open(&c.prompts, prompts) && lines_open(&c.responses, responses) && check_rows(&c, skips);
    char *why = ok ? NULL : copy_text(error_text());
    lines_close(&c.prompts);
    lines_close(&c.responses);
    if (why != NULL)
        fail_as(error_kind(),
                "%s; put back the file that was written, or remove it, and the same command asks all "
                "prompts anew",
                why);
    free(why);
    return ok;
}
