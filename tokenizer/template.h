// Chat templates: a list of messages to the text that a model reads, byte for byte as transformers renders the
// published templates of Qwen. They have names, and a folder's own is recognised by its whole text; this is not a Jinja
// interpreter, and tools are refused where rows are read (rows/records.h). Next: rows/tokenised.h, which turns rendered
// text into ids and a mask.
#ifndef TOKENIZER_TEMPLATE_H
#define TOKENIZER_TEMPLATE_H

#include "tokenizer/tokenizer.h"

typedef enum TemplateKind {         // the numbers are stored in shards
    TEMPLATE_CHATML,                // Qwen3-Instruct-2507's: no thoughts, no default system turn
    TEMPLATE_QWEN3,                 // the hybrid Qwen3's: the last answer shows its thought, empty if there is none
    TEMPLATE_QWEN3_NOTHINK,         // the same, but the empty thought belongs to the prompt
    TEMPLATE_QWEN25,                // Qwen2.5-Instruct's: adds a system turn where there is none
    TEMPLATE_UNKNOWN,               // a folder's own that is not known: refused when something must be rendered
    TEMPLATE_QWEN2,                 // Qwen2's and Qwen2.5's base models': another default system turn
    TEMPLATE_QWEN25_MATH,           // Qwen2.5-Math's: yet another one
    TEMPLATE_QWQ,                   // QwQ-32B's: the prompt opens a thought; earlier answers lose their thoughts
    TEMPLATE_QWEN3_THINKING,        // Qwen3-Thinking-2507's: qwen3, but the prompt opens a thought
    TEMPLATE_QWEN3_TRAINING,        // TRL's copy of qwen3 for training: every answer shows its thought
    TEMPLATE_QWEN3_TRAINING_STRICT, // TRL's first one (until July 2026): content needs <think> as well as </think>
    TEMPLATES
} TemplateKind;

#define TEMPLATE_CHOICES                                                                                               \
    "chatml|qwen3|qwen3-nothink|qwen3-thinking|qwen3-training|qwen3-training-strict|qwen2|qwen2.5|qwen2.5-math|qwq"

typedef struct ChatTemplate {
    TemplateKind kind;
    bool from_file;      // the folder has a template of its own
    char origin[512];    // its source, for errors and logs: a file, "--template", or that the folder has none
    const char *missing; // a token of every template that the tokenizer lacks: nothing is rendered; NULL: it has all
    char tokenizer[512]; // the folder of that tokenizer
} ChatTemplate;

typedef enum Role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT } Role;

typedef struct Message {
    Role role;
    Text content;
    Text reasoning; // reasoning_content, where there is that field; else qwen3 looks for <think>..</think>
} Message;

// name: one of TEMPLATE_CHOICES; NULL, "" or "auto": recognised from FOLDER/chat_template.jinja, else from the
// chat_template of FOLDER/tokenizer_config.json; a folder with neither gets chatml. Fails on an unknown name or a file
// that can't be read, but not on a template that is not recognised (kind is then TEMPLATE_UNKNOWN).
bool template_open(ChatTemplate *chat, const char *folder, const char *name);

// Sets the tokenizer that will encode the text. Turns begin and end with <|im_start|> and <|im_end|>: where these are
// no tokens, they would be learned as text, and generation would not stop at them.
void template_set_tokenizer(ChatTemplate *chat, const Tokenizer *tokenizer, const char *folder);

bool template_usable(const ChatTemplate *chat); // false after fail(): unknown, or the tokenizer lacks its tokens

// Whether text can be rendered and tokenised at all. If not, the options are wrong, and no row is at fault. NULL: none.
bool template_can_render(const ChatTemplate *chat, const Tokenizer *tokenizer);

const char *template_name(TemplateKind kind); // "chatml", ...; "unknown"

// The template for answers without thought, such as one digit: qwen3-nothink where this one has thoughts.
TemplateKind template_without_thoughts(TemplateKind kind);

// A Jinja text that renders as this program does (messages without tools), for the chat_template.jinja of an exported
// model. template_open recognises it. NULL for TEMPLATE_UNKNOWN.
const char *template_jinja(TemplateKind kind);

// Appends the result of transformers' apply_chat_template(messages, add_generation_prompt=...); for qwen3-nothink, with
// enable_thinking=False. Fails on a template that is not usable and when there are no messages.
bool template_prompt(const ChatTemplate *chat, Bytes *out, const Message *messages, size_t count,
                     bool add_generation_prompt);

// A chat whose last turn is the assistant's, with its parts: text[0, answer) is everything before the last answer,
// including its generation prompt; text[answer, end) is the answer through <|im_end|>, which SFT trains on; text[end,
// size) is the newline after it. (qwq: for an answer without <think> the prompt has none either, as transformers
// renders it.)
typedef struct RenderedChat {
    Bytes text;
    size_t answer, end;
    bool thought_left_out; // the last answer has a thought that the template omits
    size_t *
        // (messages) where each turn's <|im_start|> is; a turn's <|im_end|> and newline come before the next one's
        starts;
    size_t start_capacity;
} RenderedChat;

// Replaces *out. The same text as template_prompt without a generation prompt, except that qwen3-nothink omits the
// thought of the last answer (its prompt has no room for one). Fails when the last message is not the assistant's.
bool template_chat(const ChatTemplate *chat, RenderedChat *out, const Message *messages, size_t count);
void rendered_free(RenderedChat *rendered);

#endif
