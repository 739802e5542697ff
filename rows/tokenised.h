// One record as the model will read it: token ids, where the response begins, which tokens are trained. The prompt and the answer
// are tokenised apart, so that the first trained token begins where the answer does: a sampler starts after exactly these prompt
// tokens, and no merge across the edge may make training see others.
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
    int32_t vocabulary;      // an id from there on is refused
    bool train_turn_newline; // the newline after <|im_end|> is trained too
    bool train_all_turns;    // all turns of the assistant that don't say otherwise of themselves, not the last one only
} TokenRules;

typedef struct Tokenised {
    TokenList tokens;
    Span *spans; // (span_count) what is trained; none without a response
    size_t span_count, span_capacity;
    uint32_t prompt, trained;                   // tokens before the response; how many are trained
    uint32_t turns_left_out, thoughts_left_out; // the assistant's turns that are not trained; thoughts of trained ones not shown
} Tokenised;

typedef struct TokenScratch { // what one thread scribbles on
    Encoder *encoder;         // NULL without a tokenizer
    RenderedChat rendered;
} TokenScratch;

bool scratch_open(TokenScratch *scratch, const Tokenizer *tokenizer);
void scratch_close(TokenScratch *scratch);

// Replaces *out. With a response: tokens through the response (of ids: up to the last trained one); without: the prompt through its
// generation prompt. Fails when there is a response and nothing is trained, and when a turn that is to be trained has a thought
// that the template leaves out. Earlier turns are trained as the template shows them: qwen3's show no thought, and none that is
// empty either.
bool record_tokenise(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules);
void tokenised_free(Tokenised *tokenised);

#endif
