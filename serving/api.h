// What a client of OpenAI's API asks for, read from the body of its request: POST /v1/chat/completions and
// /v1/completions. A field that would change the answer and is not honoured is refused by its name, and so is one that
// nobody knows; those that change nothing are accepted. No model is needed here: ids and lengths are checked where it
// is (service.h). Answers are written by answer.h.
#ifndef SERVING_API_H
#define SERVING_API_H

#include "asking/responses.h"
#include "json/json.h"

enum {
    API_STOPS = 16,        // texts in "stop"; OpenAI takes 4, and some harnesses have more
    API_TOP = 20,          // candidates for a token
    API_CHOICES = 1024,    // prompts times n
    API_NAME_BYTES = 256,  // of "request_id"
    API_STOP_BYTES = 1024, // of one text in "stop"
    API_TOKENS = 1 << 30   // "max_tokens"
};

typedef enum ApiKind { API_CHAT, API_COMPLETION } ApiKind;

// A text, or ids. Texts belong to the request.
typedef struct ApiPrompt {
    Text text;    // data NULL: ids
    int32_t *ids; // (count)
    size_t count;
} ApiPrompt;

typedef struct ApiRequest {
    ApiKind kind;
    json_t *body; // what the texts belong to
    const char *model;
    Message *messages; // (message_count) of a chat
    size_t message_count;
    ApiPrompt *prompts; // (prompt_count) of a completion; at least one, none of them empty
    size_t prompt_count;
    bool many;     // "prompt" is a list of prompts
    Bytes *joined; // (joined_count) contents that came in parts
    size_t joined_count;
    int64_t n;          // answers to each prompt
    int64_t max_tokens; // 0: as many as fit (a chat), 16 (a completion); -1: none, for echo alone
    double temperature, top_p, min_p;
    int64_t top_k;
    bool seeded;
    int64_t seed;
    const char *stop[API_STOPS]; // (stop_count)
    size_t stop_count;
    bool logprobs;      // of every token of an answer
    int64_t top;        // and of so many candidates for it
    bool echo;          // the text begins with the prompt
    bool stream, usage; // usage: at the end of the stream
    const char *name;   // "request_id": the row that ./generate would know the prompt by; NULL: its number, from 1
    bool past_end, return_ids; // "ignore_eos", "return_token_ids"
} ApiRequest;

// What is wrong with a request, beside error_text().
typedef struct ApiRefusal {
    int status;       // of HTTP
    const char *code; // for programs; NULL: none
    char param[64];   // the field; "": none
} ApiRefusal;

// False after fail(): refusal says which field. free in any case.
bool api_read(ApiRequest *request, ApiRefusal *refusal, ApiKind kind, const char *body, size_t size);
void api_request_free(ApiRequest *request);

#endif
