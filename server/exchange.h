// One exchange with a server: the address and the bytes of a question, and what a response to it means. Pure functions; when they
// are sent, how often, and what is kept, endpoint.c decides.
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "server/http.h"
#include "server/endpoint.h"

char *exchange_url(const char *url); // of /chat/completions, for what the caller calls the server's address; NULL after fail()

// "Authorization: Bearer KEY"; NULL after fail() where the key has what no header may have.
char *exchange_authorization(const char *secret);

// Appends the request, always the same bytes for the same question.
bool exchange_body(Bytes *body, const EndpointOptions *options, const Message *messages, size_t count);

typedef enum Outcome {
    OUTCOME_ANSWER,  // it is in *answer
    OUTCOME_AGAIN,   // another attempt may help
    OUTCOME_HOPELESS // none will
} Outcome;

// Replaces *why: what is wrong, and what to do about it, unless it is an answer; without the secret (NULL: there is none). whole: one
// that does not say how it ended is none.
Outcome exchange_outcome(Answer *answer, Bytes *why, const HttpResponse *response, const char *secret, bool whole);

// Seconds from the end of so many attempts to the next one: retry_after, and then a pause that begins with backoff and doubles, at
// most a minute, of which a hash of the other arguments takes up to half away, so that not all come back at once.
double exchange_pause(const uint64_t key[2], uint64_t tag, int attempts, double backoff, double retry_after);

#endif
