// The texts for export: a folder's chat_template.jinja after training, so that transformers and servers render as in
// training. Written for messages without tools.
#include "tokenizer/template_internal.h"
#include <stddef.h>

#define NAME(name) "{#- chat template: " name " #}\n"
#define FIRST_SYSTEM                                                                                                   \
    "{%- if messages[0].role == 'system' %}\n"                                                                         \
    "    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n"
#define OTHER_TURN "    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n"
#define PLAIN_TURNS                                                                                                    \
    "{%- endif %}\n"                                                                                                   \
    "{%- for message in messages %}\n"                                                                                 \
    "    {%- if not (loop.first and message.role == 'system') %}\n    " OTHER_TURN "    {%- endif %}\n"                \
    "{%- endfor %}\n"
#define PROMPT(text)                                                                                                   \
    "{%- if add_generation_prompt %}\n"                                                                                \
    "    {{- '<|im_start|>assistant\\n" text "' }}\n"                                                                  \
    "{%- endif %}"
#define PROMPT_MAY_THINK                                                                                               \
    "{%- if add_generation_prompt %}\n"                                                                                \
    "    {{- '<|im_start|>assistant\\n' }}\n"                                                                          \
    "    {%- if enable_thinking is defined and enable_thinking is false %}\n"                                          \
    "        {{- '<think>\\n\\n</think>\\n\\n' }}\n"                                                                   \
    "    {%- endif %}\n"                                                                                               \
    "{%- endif %}"
#define LAST_QUESTION                                                                                                  \
    "{%- endif %}\n"                                                                                                   \
    "{%- set ns = namespace(search=true, question=messages|length - 1) %}\n"                                           \
    "{%- for message in messages[::-1] %}\n"                                                                           \
    "    {%- if ns.search and message.role == 'user' and not (message.content.startswith('<tool_response>') and "      \
    "message.content.endswith('</tool_response>')) %}\n"                                                               \
    "        {%- set ns.search = false %}\n"                                                                           \
    "        {%- set ns.question = messages|length - 1 - loop.index0 %}\n"                                             \
    "    {%- endif %}\n"                                                                                               \
    "{%- endfor %}\n"
#define THINKING_TURNS(is_thought, shown)                                                                              \
    "{%- for message in messages %}\n"                                                                                 \
    "    {%- if message.role == 'assistant' %}\n"                                                                      \
    "        {%- set thought = '' %}\n"                                                                                \
    "        {%- set content = message.content %}\n"                                                                   \
    "        {%- if message.reasoning_content is string %}\n"                                                          \
    "            {%- set thought = message.reasoning_content %}\n"                                                     \
    "        {%- elif " is_thought " %}\n"                                                                             \
    "            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n" \
    "            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"                                   \
    "        {%- endif %}\n"                                                                                           \
    "        {{- '<|im_start|>assistant\\n' }}\n"                                                                      \
    "        {%- if " shown " %}\n"                                                                                    \
    "            {{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') + "             \
    "'<|im_end|>\\n' }}\n"                                                                                             \
    "        {%- else %}\n"                                                                                            \
    "            {{- content + '<|im_end|>\\n' }}\n"                                                                   \
    "        {%- endif %}\n"                                                                                           \
    "    {%- elif not (loop.first and message.role == 'system') %}\n    " OTHER_TURN "    {%- endif %}\n"              \
    "{%- endfor %}\n"
#define RECENT                                                                                                         \
    LAST_QUESTION THINKING_TURNS("'</think>' in content", "loop.index0 > ns.question and (loop.last or thought)")
#define ALL(is_thought) "{%- endif %}\n" THINKING_TURNS(is_thought, "true")
#define OWN_SYSTEM(text) "{%- else %}\n    {{- '<|im_start|>system\\n" text "<|im_end|>\\n' }}\n"
#define FORGETFUL_TURNS                                                                                                \
    "{%- endif %}\n"                                                                                                   \
    "{%- for message in messages %}\n"                                                                                 \
    "    {%- set content = message.content %}\n"                                                                       \
    "    {%- if message.role == 'assistant' and not loop.last %}\n"                                                    \
    "        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"                                       \
    "    {%- endif %}\n"                                                                                               \
    "    {%- if not (loop.first and message.role == 'system') %}\n"                                                    \
    "        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}\n"                               \
    "    {%- endif %}\n"                                                                                               \
    "{%- endfor %}\n"

const char *template_jinja(TemplateKind kind)
{
    switch (kind) {
    case TEMPLATE_CHATML:
        return NAME("chatml") FIRST_SYSTEM PLAIN_TURNS PROMPT("");
    case TEMPLATE_QWEN3:
        return NAME("qwen3") FIRST_SYSTEM RECENT PROMPT_MAY_THINK;
    case TEMPLATE_QWEN3_NOTHINK:
        return NAME("qwen3-nothink") FIRST_SYSTEM RECENT PROMPT("<think>\\n\\n</think>\\n\\n");
    case TEMPLATE_QWEN25:
        return NAME("qwen2.5") FIRST_SYSTEM OWN_SYSTEM(QWEN25_SYSTEM) PLAIN_TURNS PROMPT("");
    case TEMPLATE_QWEN2:
        return NAME("qwen2") FIRST_SYSTEM OWN_SYSTEM(QWEN2_SYSTEM) PLAIN_TURNS PROMPT("");
    case TEMPLATE_QWEN25_MATH:
        return NAME("qwen2.5-math") FIRST_SYSTEM OWN_SYSTEM(QWEN25_MATH_SYSTEM_QUOTED) PLAIN_TURNS PROMPT("");
    case TEMPLATE_QWQ:
        return NAME("qwq") FIRST_SYSTEM FORGETFUL_TURNS PROMPT("<think>\\n");
    case TEMPLATE_QWEN3_THINKING:
        return NAME("qwen3-thinking") FIRST_SYSTEM RECENT PROMPT("<think>\\n");
    case TEMPLATE_QWEN3_TRAINING:
        return NAME("qwen3-training") FIRST_SYSTEM ALL("'</think>' in content") PROMPT_MAY_THINK;
    case TEMPLATE_QWEN3_TRAINING_STRICT:
        return NAME("qwen3-training-strict") FIRST_SYSTEM ALL("'<think>' in content and '</think>' in content")
            PROMPT_MAY_THINK;
    default:
        return NULL;
    }
}
