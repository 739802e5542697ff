// Shared by the files of the chat templates: the facts in which the templates differ. Users include
// tokenizer/template.h.
#ifndef TOKENIZER_TEMPLATE_INTERNAL_H
#define TOKENIZER_TEMPLATE_INTERNAL_H

#include "tokenizer/template.h"

// What happens to an assistant's thought, given as reasoning_content or in content up to </think>.
typedef enum Thoughts {
    THOUGHTS_AS_GIVEN,  // content unchanged; reasoning_content is ignored
    THOUGHTS_FORGOTTEN, // the same in the last turn; before it, content loses everything up to its last </think>
    THOUGHTS_RECENT,    // split from the answer; shown in turns after the last question, in the last one even if empty
    THOUGHTS_ALL,       // split from the answer, and shown in every turn, even if empty
    THOUGHTS_ALL_STRICT // the same; content has a thought only if <think> is in it too
} Thoughts;

typedef struct TemplateFacts {
    const char *name;
    const char *system; // default system text where messages do not begin with one; NULL: none
    Thoughts thoughts;
    const char *opening; // what a generation prompt has after "<|im_start|>assistant\n"
} TemplateFacts;

#define QWEN2_SYSTEM "You are a helpful assistant."
#define QWEN25_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#define QWEN25_MATH_SYSTEM "Please reason step by step, and put your final answer within \\boxed{}."
#define QWEN25_MATH_SYSTEM_QUOTED                                                                                      \
    "Please reason step by step, and put your final answer within \\\\boxed{}." // escaped for a string in Jinja
#define EMPTY_THOUGHT "<think>\n\n</think>\n\n"

const TemplateFacts *template_facts(TemplateKind kind);

// The template with this text; TEMPLATE_UNKNOWN if it is not known. False: no memory.
bool template_recognise(TemplateKind *kind, const char *jinja, size_t size);

#endif
