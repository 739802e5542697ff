// Questions to a language model behind a server: anything that speaks OpenAI's POST .../chat/completions (vLLM, SGLang, llama.cpp,
// the public ones). Many are in flight at once, in the caller's thread; each is asked again while that may help; every answer is in
// the cache before it is handed out. How the bytes travel: server/http.h. What an answer looks like: server/completion.h.
//
//     Endpoint *endpoint = endpoint_open(&(EndpointOptions){.url = url, .model = "general-verifier", .max_tokens = 512, ...});
//     TRY(endpoint_ask(endpoint, messages, count, row));           // for some rows: a question waits in memory until it is answered
//     while (endpoint_pending(endpoint) > 0)
//         TRY(endpoint_next(endpoint, &answer));                   // of any row: answer.tag
//     endpoint_close(endpoint);
#ifndef SERVER_ENDPOINT_H
#define SERVER_ENDPOINT_H

#include "options/options.h"
#include "server/completion.h"
#include "tokenizer/template.h"

enum { RETRY_AFTER_MOST = 600 }; // seconds that a server is believed in its wish to be left alone

typedef struct EndpointOptions {
    const char *url;    // http://host:8000/v1; a slash or /chat/completions may follow
    const char *model;  // as the server calls it
    double temperature; // >= 0
    int64_t max_tokens; // > 0, of an answer
    int64_t seed;       // sent with every question; -1: none
    double top_p;       // as of generate, and sent only where they change something: strict servers know no top_k
    double min_p;
    int64_t top_k;
    const char *const *stop; // (stop_count) texts that end an answer
    size_t stop_count;
    bool whole;        // an answer without a finish_reason, which may be half of one, is none
    bool logprobs;     // ask for the ANSWER_TOP likeliest candidates for the first token
    int in_flight;     // 1 to HTTP_MOST questions on their way at once
    int attempts;      // > 0, for each question
    double seconds;    // > 0, time limit of an attempt
    double patience;   // seconds for a question, all attempts and pauses together; 0: the number of attempts alone decides
    double backoff;    // >= 0, seconds before the second attempt, twice as many before each further one, at most a minute
    const char *cache; // file of answers, made if it is not there (server/answer_file.h); NULL: none are kept
} EndpointOptions;

// clang-format off
#define SERVER_ROWS(ROW, IN, ENDPOINT_IDENTITY, TIMEOUT)                                                                          \
    ROW(IN, endpoint,  text,    "",      "",                server, ENDPOINT_IDENTITY, "ask this OpenAI-compatible server instead of a folder") \
    ROW(IN, in_flight, integer, "16",    "> 0 and <= 1024", server, NEUTRAL, "requests in flight at once")                         \
    ROW(IN, attempts,  integer, "8",     "> 0 and <= 1000", server, NEUTRAL, "attempts for each request")                           \
    ROW(IN, timeout,   number,  TIMEOUT, "> 0 and <= 1e6",  server, NEUTRAL, "seconds for each attempt")
#define GENERATE_SERVER_ROWS(ROW, IN) SERVER_ROWS(ROW, IN, NEUTRAL, "3600")
#define SCORE_SERVER_ROWS(ROW, IN) SERVER_ROWS(ROW, IN, IDENTITY, "600")
// clang-format on
OPTION_GROUP(ServerOptions, GENERATE_SERVER_ROWS)

// What these say; what is asked for is still to be set.
EndpointOptions endpoint_options(const ServerOptions *server, const char *model);

typedef struct EndpointAnswer {
    uint64_t tag;              // of its question
    bool failed;               // there is no answer, and this is why:
    const char *error;         // address, what was wrong at the last attempt, what to do; NULL: nothing failed
    int status;                // failed: HTTP's, of the last attempt; 0: there was none
    Text text;                 // what the model said; UTF-8, may be empty, may hold NUL
    Text reasoning;            // and its thought before, where the server has taken that apart; size 0: it has not
    const char *finish_reason; // "stop", "length", ...; "" where the server gave none
    const TopToken *top;       // (top_count) candidates for the first token, in the server's order
    size_t top_count;          // 0 to ANSWER_TOP
    int attempts;              // of this question on the network; 0: the cache had it
} EndpointAnswer;

typedef struct Endpoint Endpoint;

// The key that a server may want is read from the environment, OPENAI_API_KEY, and sent as it is to whatever address is given (use
// https:// outside your own network). No error shows it, even where the server's message repeats it. NULL after fail().
Endpoint *endpoint_open(const EndpointOptions *options);

// Puts a question (role and content of the messages; reasoning is not sent) at the end of the queue; nothing of it is needed after
// the call. What the cache knows is asked of no server: its key is a hash of the whole request, the model's name in it, but neither
// address nor key. Fails when a message is not UTF-8.
bool endpoint_ask(Endpoint *endpoint, const Message *messages, size_t count, uint64_t tag);

// The same with a seed of its own (>= 0): a question that is asked several times has several answers.
bool endpoint_ask_seeded(Endpoint *endpoint, const Message *messages, size_t count, int64_t seed, uint64_t tag);

// EndpointOptions.whole of all answers from now on: for who looks first whether a server says how answers ended at all.
void endpoint_set_whole(Endpoint *endpoint, bool whole);

size_t endpoint_pending(const Endpoint *endpoint); // asked, and not handed out

// Waits for the next question that is finished, in any order; there must be one pending. What it gives stands until it is called again.
// It fails when nothing more can be had: a signal asks the program to stop and no answer is there, or the cache cannot be written;
// what one question met is in its answer.
//
// Pending again, after a time that grows and is spread by a hash: no connection, one that breaks, no answer in time; statuses 408,
// 429 and 5xx, after what their Retry-After says (as long as an attempt may take, and RETRY_AFTER_MOST at most); 200 with something that
// is no answer. Any other status ends the question at once. Who waits for another attempt takes no place in flight.
//
// With patience, an attempt has no more time than is left of it, and a question whose next attempt would come too late ends at once. It
// begins when the question is asked; but for one that stands in the queue only with the last answer to another, so a long queue before a
// slow server loses nobody, and a server that hangs is waited for once, not once for every place in flight.
bool endpoint_next(Endpoint *endpoint, EndpointAnswer *answer);

// The same for a caller who has other things to do: *there is false when nothing was finished within so many seconds (0: now). Nothing
// moves between the calls.
bool endpoint_try(Endpoint *endpoint, EndpointAnswer *answer, double seconds, bool *there);

// That somebody waits for another attempt, for more than a moment: address, what was wrong, and when; once for all that come back by
// then. NULL: there is nothing new.
const char *endpoint_news(Endpoint *endpoint);

const char *endpoint_url(const Endpoint *endpoint); // as it is asked
const char *
endpoint_trouble(const Endpoint *endpoint); // why the last attempt of all failed that is made again; "" where none did
void endpoint_close(Endpoint *endpoint);

#endif
