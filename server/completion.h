// The model's answer, read from the body of a server's response (a "chat.completion" of OpenAI's API and compatible
// ones), and written as the smaller object of the same form that the answer file keeps (server/answer_file.h). One
// reader for both.
#ifndef SERVER_COMPLETION_H
#define SERVER_COMPLETION_H

#include "json/json.h"
#include "tokenizer/template.h"

enum { ANSWER_TOP = 20 }; // the most candidates that OpenAI's API returns for a token

typedef struct TopToken {
    Text token;
    double logprob; // ln of its probability; finite: servers write something like -9999 for nothing
} TopToken;

typedef struct Answer {
    json_t *root;              // owns the texts
    Text text;                 // choices[0].message.content; UTF-8, may be empty, may hold NUL
    Text reasoning;            // its reasoning_content, or reasoning; size 0: none. With one, content may be absent
    const char *finish_reason; // "stop", "length", ...; "": absent
    size_t top_count;          // 0: none
    TopToken top[ANSWER_TOP];  // (top_count) candidates for the first token, in the server's order, at most these
} Answer;

// Accepts any bytes. Fails with "where: ..." when they are not JSON, hold no text of the model, or hold an "error";
// *answer is then empty.
bool answer_parse(Answer *answer, const char *body, size_t size, const char *where);
bool answer_take(Answer *answer, json_t *root, const char *where); // for parsed JSON; takes root, even on failure

// {"choices": [...]} with the fields of Answer and nothing else: answer_take returns an equal answer, numbers to the
// bit. NULL after fail().
json_t *answer_json(const Answer *answer);
void answer_free(Answer *answer);

#endif
