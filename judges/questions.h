// What a judge and a grader are asked about a response to a prompt of a shard.
#ifndef JUDGES_QUESTIONS_H
#define JUDGES_QUESTIONS_H

#include "shards/shard.h"
#include "tokenizer/tokenizer.h"

// Appends the user's question for judge_ask, with its options, but without instruction, system turn and template
// tokens.
bool judge_problem(Bytes *out, const ShardEntry *prompt, const Tokenizer *tokenizer);

// Appends the line for grader_ask (its fields: judges/grader.h).
bool grader_question(Bytes *line, const ShardEntry *prompt, Text prediction, Text response);

#endif
