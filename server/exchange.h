// One exchange with a server: the address and the bytes of a question, and how to read a response to it. Pure
// functions; endpoint.c decides when they are sent, how often, and what is kept.
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "server/http.h"
#include "server/endpoint.h"

char *exchange_url(const char *url); // with /chat/completions, from the address that the user gave; NULL after fail()

// "Authorization: Bearer KEY"; NULL after fail() where the key has characters that no header may have.
char *exchange_authorization(const char *secret);

// Appends the request, always the same bytes for the same question.
bool exchange_body(Bytes *body, const EndpointOptions *options, const Message *messages, size_t count);

typedef enum Outcome {
    OUTCOME_ANSWER,  // *answer has it
    OUTCOME_AGAIN,   // another attempt may help
    OUTCOME_HOPELESS // no attempt will
} Outcome;

// Replaces *why: unless there is an answer, what is wrong and what to do about it, without the secret (may be NULL).
// whole: an answer without finish_reason does not count.
Outcome exchange_outcome(Answer *answer, Bytes *why, const HttpResponse *response, const char *secret, bool whole);

// Seconds from the end of an attempt to the next one: retry_after, plus a pause that begins with backoff and doubles,
// at most a minute, up to half of which a hash of the other arguments takes away, so that not all return at once.
double exchange_pause(const uint64_t key[2], uint64_t tag, int attempts, double backoff, double retry_after);

#endif
