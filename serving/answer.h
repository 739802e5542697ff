// The JSON of OpenAI's API: choices, whole or in pieces of a stream, their tokens' log-probabilities, usage, errors.
// Log-probabilities have nine digits, as in the rows of ./generate, so that equal bits are equal texts.
#ifndef SERVING_ANSWER_H
#define SERVING_ANSWER_H

#include "serving/api.h"

// What all answers to one request begin with.
typedef struct AnswerHead {
    ApiKind kind;
    char id[48];
    const char *model;
    int64_t created, seed;
    uint64_t fingerprint; // of the weights
} AnswerHead;

// Tokens in their order, with what is known of each.
typedef struct AnswerTokens {
    const int32_t *ids;   // (count)
    const float *logprob; // (count)
    const Candidate *top; // (count, top_count)
    int64_t count, top_count;
    bool first_unknown; // a prompt's first token
} AnswerTokens;

// A choice, or a piece of it.
typedef struct AnswerChoice {
    int64_t index;
    Text text;
    bool begins;               // of a stream: the first piece
    const char *finish_reason; // NULL: it goes on
    bool logprobs;
    AnswerTokens prompt, tokens; // prompt: with echo
    int64_t *offset;             // characters of the text before tokens; moves on
    bool with_ids;
    const TokenList *prompt_ids; // with them, in the first piece; NULL: not here
} AnswerChoice;

typedef struct AnswerUsage {
    int64_t prompt_tokens, found, tokens; // found: prompt tokens that were not computed anew, "cached_tokens"
} AnswerUsage;

bool answer_begin(Bytes *out, const AnswerHead *head, bool piece); // {"id": ... "choices":[
bool answer_choice(Bytes *out, const AnswerHead *head, const Tokenizer *tokenizer, const AnswerChoice *choice,
                   bool piece);
bool answer_end(Bytes *out, const AnswerUsage *usage); // ],"usage": ... }; NULL: ] and no usage

bool answer_error(Bytes *out, const ApiRefusal *refusal, const char *message);

#endif
