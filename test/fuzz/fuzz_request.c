// Fuzzing what clients send: any bytes as the body of a request, as a chat and as a completion. What must hold: texts
// that are accepted are UTF-8, numbers and counts within their bounds; what is refused has a status, and an error that
// is JSON.
#include "serving/answer.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_request: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static bool is_text(Text t) { return t.size == 0 || utf8_valid_prefix(t.data, t.size) == t.size; }

static void check_request(const ApiRequest *r)
{
    must(r->model != NULL && (r->kind == API_CHAT ? r->message_count : r->prompt_count) > 0, "what is needed is there");
    must(r->n >= 1 && (int64_t)r->prompt_count * r->n <= API_CHOICES && r->top >= 0 && r->top <= API_TOP, "counts");
    must(r->temperature >= 0 && r->top_p > 0 && r->top_p <= 1 && r->min_p >= 0 && r->min_p < 1 && r->top_k >= 0,
         "numbers");
    must(r->max_tokens >= -1 && r->max_tokens <= API_TOKENS && r->seed >= 0 && r->stop_count <= API_STOPS, "limits");
    for (size_t i = 0; i < r->stop_count; i++)
        must(strlen(r->stop[i]) > 0 && strlen(r->stop[i]) <= API_STOP_BYTES, "stop texts");
    for (size_t i = 0; i < r->message_count; i++)
        must(r->messages[i].content.data != NULL && is_text(r->messages[i].content) &&
                 is_text(r->messages[i].reasoning),
             "messages are UTF-8");
    for (size_t i = 0; i < r->prompt_count; i++) {
        const ApiPrompt *p = &r->prompts[i];
        must(p->text.data != NULL ? p->text.size > 0 && is_text(p->text) : p->count > 0, "prompts are not empty");
        for (size_t n = 0; n < p->count; n++)
            must(p->ids[n] >= 0, "ids");
    }
}

static void check_refusal(const ApiRefusal *refusal)
{
    Bytes error = {0};
    must(refusal->status == 400 && error_text()[0] != 0, "what is refused says why");
    must(answer_error(&error, refusal, error_text()), "an error can be written");
    json_t *said = json_loadb(error.data, error.size, 0, NULL);
    must(said != NULL, "an error is JSON");
    json_decref(said);
    bytes_free(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size == 0 ? 1 : size); // the sanitizer sees a read one byte behind the end
    if (exact == NULL)
        return 0;
    if (size > 0)
        memcpy(exact, data, size);
    for (int kind = API_CHAT; kind <= API_COMPLETION; kind++) {
        ApiRequest request;
        ApiRefusal refusal;
        if (api_read(&request, &refusal, (ApiKind)kind, exact, size))
            check_request(&request);
        else
            check_refusal(&refusal);
        api_request_free(&request);
        error_clear();
    }
    free(exact);
    return 0;
}
