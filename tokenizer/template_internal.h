// What the files of the chat templates share: the facts in which the templates differ. Users include tokenizer/template.h.
#ifndef TOKENIZER_TEMPLATE_INTERNAL_H
#define TOKENIZER_TEMPLATE_INTERNAL_H

#include "tokenizer/template.h"

// What becomes of an assistant's thought, which stands in reasoning_content, or in content through </think>.
typedef enum Thoughts {
    THOUGHTS_AS_GIVEN,  // content as it is; reasoning_content is not looked at
    THOUGHTS_FORGOTTEN, // the same in the last turn; before it, content loses what stands through its last </think>
    THOUGHTS_RECENT,    // told apart from the answer; shown in turns after the last question, in the last one even if empty
    THOUGHTS_ALL,       // told apart, and shown in every turn, even if empty
    THOUGHTS_ALL_STRICT // the same; content has a thought only if <think> is in it too
} Thoughts;

typedef struct TemplateFacts {
    const char *name;
    const char *system; // the system turn's text where messages do not begin with one; NULL: then there is none
    Thoughts thoughts;
    const char *opening; // how a generation prompt goes on behind "<|im_start|>assistant\n"
} TemplateFacts;

#define QWEN2_SYSTEM "You are a helpful assistant."
#define QWEN25_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#define QWEN25_MATH_SYSTEM "Please reason step by step, and put your final answer within \\boxed{}."
#define QWEN25_MATH_SYSTEM_QUOTED                                                                                                \
    "Please reason step by step, and put your final answer within \\\\boxed{}." // in a text of Jinja
#define EMPTY_THOUGHT "<think>\n\n</think>\n\n"

const TemplateFacts *template_facts(TemplateKind kind);

// The template with this text; TEMPLATE_UNKNOWN if it is none of those that are known. False: no memory.
bool template_recognise(TemplateKind *kind, const char *jinja, size_t size);

#endif
