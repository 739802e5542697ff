// One record as the model will read it: token ids, where the response begins, which tokens are trained. The prompt and
// the answer are tokenised separately, so that the first trained token begins where the answer does: a sampler starts
// after exactly these prompt tokens, and no merge across the boundary makes training see others.
#ifndef ROWS_TOKENISED_H
#define ROWS_TOKENISED_H

#include "rows/records.h"
#include "shards/shard.h"
#include "tokenizer/tokenizer.h"

#define TRAIN_TURNS "last|all"
enum { TRAIN_LAST_TURN, TRAIN_ALL_TURNS };

typedef struct TokenRules {
    const Tokenizer *tokenizer; // NULL: only ids rows can be read
    const ChatTemplate *chat;
    int32_t vocabulary;      // an id at or above it is refused
    bool train_turn_newline; // the newline after <|im_end|> is trained too
    bool train_all_turns;    // all turns of the assistant that are not marked otherwise, not only the last
} TokenRules;

typedef struct Tokenised {
    TokenList tokens;
    Span *spans; // (span_count) the trained tokens; none without a response
    size_t span_count, span_capacity;
    uint32_t prompt, trained;                   // tokens before the response; how many are trained
    uint32_t turns_left_out, thoughts_left_out; // assistant turns not trained; thoughts of trained ones not shown
} Tokenised;

typedef struct TokenScratch { // scratch memory of one thread
    Encoder *encoder;         // NULL without a tokenizer
    RenderedChat rendered;
} TokenScratch;

bool scratch_open(TokenScratch *scratch, const Tokenizer *tokenizer);
void scratch_close(TokenScratch *scratch);

// Replaces *out. With a response: tokens through the response (of ids: up to the last trained one); without: the prompt
// through its generation prompt. Fails when there is a response and nothing is trained, and when a trained turn has a
// thought that the template leaves out. Earlier turns are trained as the template shows them: qwen3 shows no thought
// there, not even an empty one.
bool record_tokenise(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules);
void tokenised_free(Tokenised *tokenised);

#endif
