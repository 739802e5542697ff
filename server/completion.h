// What a language model said, out of the body of a server's response (a "chat.completion" of OpenAI's API and of those who speak
// it), and as the smaller object of the same shape that the cache keeps (server/answer_file.h). One reader for both.
#ifndef SERVER_COMPLETION_H
#define SERVER_COMPLETION_H

#include "json/json.h"
#include "tokenizer/template.h"

enum { ANSWER_TOP = 20 }; // as many candidates for a token as OpenAI's API names at most

typedef struct TopToken {
    Text token;
    double logprob; // ln of its probability; finite: servers write something like -9999 for nothing
} TopToken;

typedef struct Answer {
    json_t *root;   // what the texts lie in
    Text text;      // choices[0].message.content; UTF-8, may be empty, may hold NUL
    Text reasoning; // its reasoning_content, or reasoning; size 0 where there is none. With one, there may be no content
    const char *finish_reason; // "stop", "length", ...; "" where there is none
    size_t top_count;          // 0 where there are none
    TopToken top[ANSWER_TOP];  // (top_count) candidates for the first token, in the server's order; more than these are left out
} Answer;

// Any bytes. Fails with "where: ..." when they are not JSON, hold no text of the model's, or an "error"; *answer is then empty.
bool answer_parse(Answer *answer, const char *body, size_t size, const char *where);
bool answer_take(Answer *answer, json_t *root, const char *where); // the same of what was parsed; takes root, also when it fails

// {"choices": [...]} with what Answer has and nothing else: answer_take of it gives an equal answer, numbers to the bit. NULL
// after fail().
json_t *answer_json(const Answer *answer);
void answer_free(Answer *answer);

#endif
