// Questions to a language model behind a server: anything with OpenAI's POST .../chat/completions (vLLM, SGLang,
// llama.cpp, public services). Many are in flight at once, in the caller's thread; each is retried while that may help;
// every answer is in the answer file before it is returned. Transport: server/http.h. The form of an answer:
// server/completion.h.
//
//     Endpoint *endpoint = endpoint_open(&(EndpointOptions){.url = url, .model = "general-verifier", ...});
//     TRY(endpoint_ask(endpoint, messages, count, row));           // for some rows: it waits in memory until answered
//     while (endpoint_pending(endpoint) > 0)
//         TRY(endpoint_next(endpoint, &answer));                   // of any row: answer.tag
//     endpoint_close(endpoint);
#ifndef SERVER_ENDPOINT_H
#define SERVER_ENDPOINT_H

#include "options/options.h"
#include "server/completion.h"
#include "tokenizer/template.h"

enum { RETRY_AFTER_MOST = 600 }; // the longest Retry-After, in seconds, that is honoured

typedef struct EndpointOptions {
    const char *url;    // http://host:8000/v1; a slash or /chat/completions may follow
    const char *model;  // its name on the server
    double temperature; // >= 0
    int64_t max_tokens; // > 0, in an answer
    int64_t seed;       // sent with every question; -1: none
    double top_p;       // 0: the server's own; sent where there is a temperature
    double min_p;       // as in generate, and sent only where they have an effect: strict servers know no top_k
    int64_t top_k;
    const char *const *stop; // (stop_count) texts that end an answer
    size_t stop_count;
    bool whole;        // refuse an answer without finish_reason, which may be incomplete
    bool logprobs;     // ask for the ANSWER_TOP likeliest candidates for the first token
    int in_flight;     // 1 to HTTP_MOST questions in flight at once
    int attempts;      // > 0, for each question
    double seconds;    // > 0, time limit of an attempt
    double patience;   // seconds for a question, all attempts and pauses together; 0: only attempts count
    double backoff;    // >= 0, seconds before the second attempt, doubled for each further one, at most a minute
    const char *cache; // file of answers (server/answer_file.h), created if absent; NULL: none are kept
} EndpointOptions;

// clang-format off
#define SERVER_ROWS(ROW, IN, ENDPOINT_IDENTITY, TIMEOUT) \
    ROW(IN, endpoint,  text,    "",      "",                server, ENDPOINT_IDENTITY, "ask this OpenAI-compatible server instead of a folder") \
    ROW(IN, in_flight, integer, "16",    "> 0 and <= 1024", server, NEUTRAL, "requests in flight at once") \
    ROW(IN, attempts,  integer, "8",     "> 0 and <= 1000", server, NEUTRAL, "attempts for each request") \
    ROW(IN, timeout,   number,  TIMEOUT, "> 0 and <= 1e6",  server, NEUTRAL, "seconds for each attempt")
#define GENERATE_SERVER_ROWS(ROW, IN) SERVER_ROWS(ROW, IN, NEUTRAL, "3600")
#define SCORE_SERVER_ROWS(ROW, IN) SERVER_ROWS(ROW, IN, IDENTITY, "600")
// clang-format on
OPTION_GROUP(ServerOptions, GENERATE_SERVER_ROWS)

// The values of these options; the caller sets the rest.
EndpointOptions endpoint_options(const ServerOptions *server, const char *model);

typedef struct EndpointAnswer {
    uint64_t tag;              // of its question
    bool failed;               // there is no answer, because of
    const char *error;         // address, the last attempt's failure, what to do; NULL: nothing failed
    int status;                // failed: the HTTP status of the last attempt; 0: none
    Text text;                 // the model's answer; UTF-8, may be empty, may hold NUL
    Text reasoning;            // its thought, where the server returns it separately; size 0: none
    const char *finish_reason; // "stop", "length", ...; "" where the server gave none
    const TopToken *top;       // (top_count) candidates for the first token, in the server's order
    size_t top_count;          // 0 to ANSWER_TOP
    int attempts;              // for this question on the network; 0: it was in the answer file
} EndpointAnswer;

typedef struct Endpoint Endpoint;

// The server's key, if it needs one, is read from the environment variable OPENAI_API_KEY and sent unchanged to the
// given address (use https:// outside your own network). No error shows it, even where the server's message repeats it.
// NULL after fail().
Endpoint *endpoint_open(const EndpointOptions *options);

// Puts a question (role and content of the messages; reasoning is not sent) at the end of the queue and copies what it
// needs. A question in the answer file is not sent: its key is a hash of the whole request, including the model's name,
// but not of address or key. Fails when a message is not UTF-8.
bool endpoint_ask(Endpoint *endpoint, const Message *messages, size_t count, uint64_t tag);

// The same with its own seed (>= 0): a question that is asked several times gets several answers.
bool endpoint_ask_seeded(Endpoint *endpoint, const Message *messages, size_t count, int64_t seed, uint64_t tag);

// Sets how the answers to questions asked from now on are drawn, and the texts that end them, which must outlive the
// endpoint.
void endpoint_set_drawing(Endpoint *endpoint, double temperature, int64_t max_tokens, const char *const *stop,
                          size_t stop_count);

// Sets EndpointOptions.whole for all answers from now on, once it is known whether the server gives a finish_reason.
void endpoint_set_whole(Endpoint *endpoint, bool whole);

size_t endpoint_pending(const Endpoint *endpoint); // asked, and not returned yet

// Waits for the next finished question, in any order; at least one must be pending. The answer is valid until the next
// call. Fails when no more answers can be had: a signal asks the program to stop and no answer is there, or the answer
// file cannot be written. A single question's failure is in its answer.
//
// Retried, after a pause that grows and is spread by a hash: no connection, a broken one, no answer in time; statuses
// 408, 429 and 5xx, after their Retry-After (as long as an attempt may take, and RETRY_AFTER_MOST at most); 200 with an
// invalid answer. Any other status ends the question at once. A question that waits for a retry does not count as in
// flight.
//
// With patience, an attempt gets no more time than is left of it, and a question whose next attempt would come too late
// ends at once. Patience begins when the question is asked; for a queued question it begins anew with the last answer
// to any other, so that a long queue at a slow server loses no question, and a server that hangs is waited for once,
// not once for every place in flight.
bool endpoint_next(Endpoint *endpoint, EndpointAnswer *answer);

// The same for a caller with other work: *there is false when nothing was finished within `seconds` (0: now). Nothing
// happens between the calls.
bool endpoint_try(Endpoint *endpoint, EndpointAnswer *answer, double seconds, bool *there);

// The message that a question waits for a retry for more than a moment: address, what was wrong, and when; once for all
// that come back by then. NULL: there is none.
const char *endpoint_news(Endpoint *endpoint);

const char *endpoint_url(const Endpoint *endpoint);     // the address that is used
const char *endpoint_trouble(const Endpoint *endpoint); // why the last retried attempt failed; "": none did
void endpoint_close(Endpoint *endpoint);

#endif
