// The rubric's question in the tokens of a model folder: the prompt of a problem, what all prompts begin with, and the
// digits 1 to 5 that may follow at once.
#ifndef DIFFICULTY_RUBRIC_PROMPT_H
#define DIFFICULTY_RUBRIC_PROMPT_H

#include "difficulty/rubric.h"
#include "pretrained/files.h"

typedef struct RubricPrompt {
    const Rubric *rubric;
    ChatTemplate chat; // the folder's, without thoughts where a digit is to follow at once
    Encoder *encoder;
    Bytes question, text; // of the problem at hand
} RubricPrompt;

// digit: it is to follow at once. A thought would come before it.
void rubric_prompt_open(RubricPrompt *prompt, const Rubric *rubric, const ModelFiles *files, Encoder *encoder,
                        bool digit);
void rubric_prompt_close(RubricPrompt *prompt);

bool rubric_prompt_ids(RubricPrompt *prompt, TokenList *ids, Text problem);

// What all prompts begin with, up to the problem, in text; where tokens merge across that edge, the engine shares a
// token less.
bool rubric_prompt_beginning(RubricPrompt *prompt, TokenList *ids);

// The tokens of "1" to "5"; fails where one of them is no token.
bool rubric_prompt_digits(const RubricPrompt *prompt, int32_t digits[DIFFICULTIES], const char *folder);

#endif
