// Fuzzing what a server sends: any bytes as the body of its response, as an answer and as a message that goes with an
// error. What must hold: texts that are accepted are UTF-8 and numbers finite, what the cache would keep of them says
// the same, and an error is short, can be shown and does not hold the key.
#include "server/exchange.h"
#include "log/visible.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "sk-e" // short, so that mutations make it

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_answer: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static bool same(Text a, Text b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

static void check_answer(const Answer *a)
{
    must(utf8_valid_prefix(a->text.data, a->text.size) == a->text.size, "the text is UTF-8");
    must(a->finish_reason != NULL && a->top_count <= ANSWER_TOP, "the rest is there");
    for (size_t i = 0; i < a->top_count; i++) {
        must(utf8_valid_prefix(a->top[i].token.data, a->top[i].token.size) == a->top[i].token.size, "tokens are UTF-8");
        must(isfinite(a->top[i].logprob), "log-probabilities are finite");
    }
}

static void check_kept(const Answer *a)
{
    Answer again;
    json_t *kept = answer_json(a);
    char *text = kept == NULL ? NULL : json_dumps(kept, JSON_COMPACT | JSON_REAL_PRECISION(17));
    must(text != NULL && answer_parse(&again, text, strlen(text), "kept"), "what is kept is accepted");
    bool equal = same(a->text, again.text) && strcmp(a->finish_reason, again.finish_reason) == 0 &&
                 a->top_count == again.top_count;
    for (size_t i = 0; equal && i < a->top_count; i++)
        equal = same(a->top[i].token, again.top[i].token) &&
                memcmp(&a->top[i].logprob, &again.top[i].logprob, sizeof(double)) == 0;
    must(equal, "what is kept says the same");
    answer_free(&again);
    free(text);
    json_decref(kept);
}

static void check_error(const Bytes *why, bool refused)
{
    must(why->size > 0 && why->size < 1000, "an error says something, in short");
    must(utf8_valid_prefix(why->data, why->size) == why->size && strstr(why->data, SECRET) == NULL,
         "an error can be shown");
    for (size_t i = 0; i < why->size;) {
        Character c = character_at(why->data + i, why->size - i);
        must(!character_hidden(c.code), "an error does nothing to a terminal");
        i += c.size;
    }
    must(!refused || strncmp(why->data, "status 400", 10) == 0, "an error names the status");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size == 0 ? 1 : size); // the sanitizer sees a read one byte behind the end
    Answer answer;
    Bytes why = {0};
    if (exact == NULL)
        return 0;
    if (size > 0)
        memcpy(exact, data, size);
    HttpResponse response = {.finished = true, .status = 200, .body = exact, .size = size};
    Outcome outcome = exchange_outcome(&answer, &why, &response, SECRET, size % 2 == 0);
    must(outcome != OUTCOME_HOPELESS, "a success is an answer or a lie");
    if (outcome == OUTCOME_ANSWER) {
        check_answer(&answer);
        check_kept(&answer);
        answer_free(&answer);
    } else
        check_error(&why, false);
    response.status = 400;
    must(exchange_outcome(&answer, &why, &response, SECRET, false) == OUTCOME_HOPELESS, "what is refused is hopeless");
    check_error(&why, true);
    bytes_free(&why);
    free(exact);
    return 0;
}
