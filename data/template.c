// The four chat templates, line by line what their published Jinja texts do to messages without tools. The hybrid Qwen3's is the
// only one with logic: it splits thoughts from answers, and shows them only in turns after the last question.
#include "data/template.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_LIMIT = 1 << 20, CONFIG_LIMIT = 64 << 20 };

#define NAME_MARK "{#- chat template: " // begins the texts of template_jinja
#define QWEN25_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#define GENERATION_PROMPT "<|im_start|>assistant\n"
#define EMPTY_THOUGHT "<think>\n\n</think>\n\n"

static const char *const NAMES[] = {"chatml", "qwen3", "qwen3-nothink", "qwen2.5"}; // in the order of TemplateKind

const char *template_name(TemplateKind kind) { return kind < TEMPLATE_UNKNOWN ? NAMES[kind] : "unknown"; }

static TemplateKind kind_of_name(const char *name, size_t size)
{
    for (int kind = 0; kind < TEMPLATE_UNKNOWN; kind++)
        if (strlen(NAMES[kind]) == size && memcmp(NAMES[kind], name, size) == 0)
            return (TemplateKind)kind;
    return TEMPLATE_UNKNOWN;
}

// ---- recognition

static bool has(const char *text, const char *mark) { return strstr(text, mark) != NULL; }

// Every system turn's text comes from the messages: no template with a default sentence of its own passes as chatml.
static bool has_default_system(const char *jinja)
{
    static const char mark[] = "<|im_start|>system\\n";
    for (const char *p = strstr(jinja, mark); p != NULL; p = strstr(p, mark)) {
        p += sizeof mark - 1;
        if (*p != '\'' && *p != '"')
            return true;
    }
    return false;
}

static TemplateKind recognise(const char *jinja)
{
    if (strncmp(jinja, NAME_MARK, sizeof NAME_MARK - 1) == 0) {
        const char *name = jinja + sizeof NAME_MARK - 1;
        return kind_of_name(name, strcspn(name, " "));
    }
    if (has(jinja, "enable_thinking"))
        return TEMPLATE_QWEN3;
    if (has(jinja, QWEN25_SYSTEM))
        return TEMPLATE_QWEN25;
    bool turns = has(jinja, "<|im_start|>") && has(jinja, "<|im_end|>") && has(jinja, "<|im_start|>assistant\\n");
    bool plain = !has(jinja, "think") && !has(jinja, "reasoning") && !has(jinja, "trim") && !has(jinja, "strip") &&
                 !has(jinja, "strftime") && !has_default_system(jinja);
    return turns && plain ? TEMPLATE_CHATML : TEMPLATE_UNKNOWN;
}

// chat_template is a text, or a list of {name, template} in which the one named "default" counts. *jinja stays
// NULL if there is none.
static bool config_template(const char **jinja, const json_t *config, const char *path)
{
    const json_t *value = json_object_get(config, "chat_template"), *entry;
    if (!json_is_array(value))
        return json_may_text(jinja, config, "chat_template", path);
    size_t i;
    json_array_foreach (value, i, entry) {
        const char *name = NULL;
        TRY(json_need_text(&name, entry, "name", path));
        if (strcmp(name, "default") == 0)
            return json_need_text(jinja, entry, "template", path);
    }
    return fail("%s: chat_template is a list without one named \"default\"; name one with --template", path);
}

static bool recognise_config(ChatTemplate *chat, const char *path)
{
    const char *jinja = NULL;
    json_t *config = json_read(path, CONFIG_LIMIT);
    TRY(config != NULL);
    bool ok = json_is_object(config) ? config_template(&jinja, config, path) : fail("%s: not a JSON object", path);
    if (ok && jinja != NULL) {
        chat->kind = recognise(jinja);
        chat->from_file = true;
        snprintf(chat->origin, sizeof chat->origin, "%s", path);
    }
    json_decref(config);
    return ok;
}

static bool recognise_folder(ChatTemplate *chat, const char *folder)
{
    snprintf(chat->origin, sizeof chat->origin, "%s has no chat template", folder);
    char *path = path_join(folder, "chat_template.jinja"), *config = path_join(folder, "tokenizer_config.json");
    PathKind own = PATH_NONE, configured = PATH_NONE;
    bool ok = path != NULL && config != NULL && path_kind(&own, path) && path_kind(&configured, config);
    if (ok && own == PATH_FILE) {
        Bytes jinja = {0};
        ok = file_read(&jinja, path, TEMPLATE_LIMIT);
        if (ok) {
            chat->kind = recognise(jinja.data);
            chat->from_file = true;
            snprintf(chat->origin, sizeof chat->origin, "%s", path);
        }
        bytes_free(&jinja);
    } else if (ok && configured == PATH_FILE) {
        ok = recognise_config(chat, config);
    }
    free(path);
    free(config);
    return ok;
}

bool template_open(ChatTemplate *chat, const char *folder, const char *name)
{
    *chat = (ChatTemplate){.kind = TEMPLATE_CHATML};
    if (name == NULL || name[0] == 0 || strcmp(name, "auto") == 0)
        return recognise_folder(chat, folder);
    chat->kind = kind_of_name(name, strlen(name));
    snprintf(chat->origin, sizeof chat->origin, "--template");
    return chat->kind != TEMPLATE_UNKNOWN ||
           fail("--template %s: no such template; there are chatml, qwen3, qwen3-nothink and qwen2.5", name);
}

static bool known(const ChatTemplate *chat)
{
    return chat->kind != TEMPLATE_UNKNOWN ||
           fail("%s: a chat template that is none of chatml, qwen3 and qwen2.5; say with --template which of them is meant",
                chat->origin);
}

// ---- rendering

static const char *const ROLE_NAMES[] = {"system", "user", "assistant"};

static Text between(const char *from, const char *to) { return (Text){from, (size_t)(to - from)}; }

static const char *end_of(Text t) { return t.data + t.size; }

static Text strip_left(Text t)
{
    while (t.size > 0 && t.data[0] == '\n')
        t = (Text){t.data + 1, t.size - 1};
    return t;
}

static Text strip_right(Text t)
{
    while (t.size > 0 && t.data[t.size - 1] == '\n')
        t.size--;
    return t;
}

static const char *find_first(Text t, const char *mark)
{
    return t.size == 0 ? NULL : memmem(t.data, t.size, mark, strlen(mark));
}

static const char *find_last(Text t, const char *mark)
{
    const char *last = NULL;
    for (const char *p = find_first(t, mark); p != NULL; p = find_first(between(p + 1, end_of(t)), mark))
        last = p;
    return last;
}

// The thought and the answer of an assistant's turn: reasoning_content, else what stands before the first and after the last
// </think> of its content.
static void split_thought(const Message *m, Text *thought, Text *answer)
{
    static const char open[] = "<think>", closing[] = "</think>";
    *thought = (Text){"", 0};
    *answer = m->content;
    const char *first = find_first(m->content, closing);
    if (m->reasoning.data != NULL) {
        *thought = m->reasoning;
    } else if (first != NULL) {
        *thought = strip_right(between(m->content.data, first));
        const char *begin = find_last(*thought, open);
        if (begin != NULL)
            *thought = between(begin + sizeof open - 1, end_of(*thought));
        *thought = strip_left(*thought);
        *answer = strip_left(between(find_last(m->content, closing) + sizeof closing - 1, end_of(m->content)));
    }
}

static bool starts_with(Text t, const char *mark) { return t.size >= strlen(mark) && memcmp(t.data, mark, strlen(mark)) == 0; }

static bool ends_with(Text t, const char *mark)
{
    return t.size >= strlen(mark) && memcmp(end_of(t) - strlen(mark), mark, strlen(mark)) == 0;
}

// The last turn of a user that is not a tool's response in disguise; the last message of all if there is none.
static size_t last_question(const Message *messages, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        Text content = messages[i].content;
        if (messages[i].role == ROLE_USER && !(starts_with(content, "<tool_response>") && ends_with(content, "</tool_response>")))
            return i;
    }
    return count - 1;
}

static bool append(Bytes *out, Text t) { return bytes_append(out, t.data, t.size); }

// The assistant's turn in the qwen3 templates, up to <|im_end|>. answer: where the answer begins, if that is asked for.
static bool append_answer(const ChatTemplate *chat, Bytes *out, const Message *m, bool recent, bool last, size_t *answer)
{
    Text thought, text;
    split_thought(m, &thought, &text);
    TRY(bytes_text(out, GENERATION_PROMPT));
    bool empty = answer != NULL && chat->kind == TEMPLATE_QWEN3_NOTHINK;
    if (empty)
        TRY(bytes_text(out, EMPTY_THOUGHT));
    if (answer != NULL)
        *answer = out->size;
    if (!empty && recent && (last || thought.size > 0)) {
        TRY(bytes_text(out, "<think>\n"));
        TRY(append(out, strip_right(strip_left(thought))));
        TRY(bytes_text(out, "\n</think>\n\n"));
        text = strip_left(text);
    }
    return append(out, empty ? strip_left(text) : text);
}

// answer: NULL, or the last message is an answer to train on, and its beginning is wanted.
static bool append_turns(const ChatTemplate *chat, Bytes *out, const Message *messages, size_t count, size_t *answer)
{
    bool thinks = chat->kind == TEMPLATE_QWEN3 || chat->kind == TEMPLATE_QWEN3_NOTHINK;
    size_t question = last_question(messages, count);
    if (chat->kind == TEMPLATE_QWEN25 && messages[0].role != ROLE_SYSTEM)
        TRY(bytes_text(out, "<|im_start|>system\n" QWEN25_SYSTEM "<|im_end|>\n"));
    for (size_t i = 0; i < count; i++) {
        const Message *m = &messages[i];
        bool last = i + 1 == count;
        if (thinks && m->role == ROLE_ASSISTANT) {
            TRY(append_answer(chat, out, m, i > question, last, last ? answer : NULL));
        } else {
            TRY(bytes_printf(out, "<|im_start|>%s\n", ROLE_NAMES[m->role]));
            if (last && answer != NULL)
                *answer = out->size;
            TRY(append(out, m->content));
        }
        TRY(bytes_text(out, "<|im_end|>\n"));
    }
    return true;
}

bool template_prompt(const ChatTemplate *chat, Bytes *out, const Message *messages, size_t count, bool add_generation_prompt)
{
    TRY(known(chat));
    if (count == 0)
        return fail("there are no messages to render");
    TRY(append_turns(chat, out, messages, count, NULL));
    if (!add_generation_prompt)
        return true;
    return bytes_text(out, chat->kind == TEMPLATE_QWEN3_NOTHINK ? GENERATION_PROMPT EMPTY_THOUGHT : GENERATION_PROMPT);
}

bool template_chat(const ChatTemplate *chat, RenderedChat *out, const Message *messages, size_t count)
{
    TRY(known(chat));
    if (count == 0 || messages[count - 1].role != ROLE_ASSISTANT)
        return fail("there is no answer to train on: the last message must be the assistant's");
    bytes_clear(&out->text);
    TRY(append_turns(chat, &out->text, messages, count, &out->answer));
    out->end = out->text.size - 1; // all but the newline
    return true;
}

void rendered_free(RenderedChat *rendered)
{
    bytes_free(&rendered->text);
    *rendered = (RenderedChat){0};
}

// ---- the texts for export

#define FIRST_SYSTEM                                                                                                             \
    "{%- if messages[0].role == 'system' %}\n"                                                                                   \
    "    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n"
#define OTHER_TURN "    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n"
#define PLAIN_TURNS                                                                                                              \
    "{%- endif %}\n"                                                                                                             \
    "{%- for message in messages %}\n"                                                                                           \
    "    {%- if not (loop.first and message.role == 'system') %}\n    " OTHER_TURN "    {%- endif %}\n"                          \
    "{%- endfor %}\n"
#define PROMPT(text)                                                                                                             \
    "{%- if add_generation_prompt %}\n"                                                                                          \
    "    {{- '<|im_start|>assistant\\n" text "' }}\n"                                                                            \
    "{%- endif %}"
#define PROMPT_MAY_THINK                                                                                                         \
    "{%- if add_generation_prompt %}\n"                                                                                          \
    "    {{- '<|im_start|>assistant\\n' }}\n"                                                                                    \
    "    {%- if enable_thinking is defined and enable_thinking is false %}\n"                                                    \
    "        {{- '<think>\\n\\n</think>\\n\\n' }}\n"                                                                             \
    "    {%- endif %}\n"                                                                                                         \
    "{%- endif %}"
#define THINKING_TURNS                                                                                                           \
    "{%- endif %}\n"                                                                                                             \
    "{%- set ns = namespace(search=true, question=messages|length - 1) %}\n"                                                     \
    "{%- for message in messages[::-1] %}\n"                                                                                     \
    "    {%- if ns.search and message.role == 'user' and not (message.content.startswith('<tool_response>') and "                \
    "message.content.endswith('</tool_response>')) %}\n"                                                                         \
    "        {%- set ns.search = false %}\n"                                                                                     \
    "        {%- set ns.question = messages|length - 1 - loop.index0 %}\n"                                                       \
    "    {%- endif %}\n"                                                                                                         \
    "{%- endfor %}\n"                                                                                                            \
    "{%- for message in messages %}\n"                                                                                           \
    "    {%- if message.role == 'assistant' %}\n"                                                                                \
    "        {%- set thought = '' %}\n"                                                                                          \
    "        {%- set content = message.content %}\n"                                                                             \
    "        {%- if message.reasoning_content is string %}\n"                                                                    \
    "            {%- set thought = message.reasoning_content %}\n"                                                               \
    "        {%- elif '</think>' in content %}\n"                                                                                \
    "            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n"           \
    "            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"                                             \
    "        {%- endif %}\n"                                                                                                     \
    "        {{- '<|im_start|>assistant\\n' }}\n"                                                                                \
    "        {%- if loop.index0 > ns.question and (loop.last or thought) %}\n"                                                   \
    "            {{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') + '<|im_end|>\\n' }}\n"   \
    "        {%- else %}\n"                                                                                                      \
    "            {{- content + '<|im_end|>\\n' }}\n"                                                                             \
    "        {%- endif %}\n"                                                                                                     \
    "    {%- elif not (loop.first and message.role == 'system') %}\n    " OTHER_TURN "    {%- endif %}\n"                        \
    "{%- endfor %}\n"

const char *template_jinja(TemplateKind kind)
{
    switch (kind) {
    case TEMPLATE_CHATML:
        return NAME_MARK "chatml #}\n" FIRST_SYSTEM PLAIN_TURNS PROMPT("");
    case TEMPLATE_QWEN3:
        return NAME_MARK "qwen3 #}\n" FIRST_SYSTEM THINKING_TURNS PROMPT_MAY_THINK;
    case TEMPLATE_QWEN3_NOTHINK:
        return NAME_MARK "qwen3-nothink #}\n" FIRST_SYSTEM THINKING_TURNS PROMPT("<think>\\n\\n</think>\\n\\n");
    case TEMPLATE_QWEN25:
        return NAME_MARK "qwen2.5 #}\n" FIRST_SYSTEM "{%- else %}\n    {{- '<|im_start|>system\\n" QWEN25_SYSTEM
                         "<|im_end|>\\n' }}\n" PLAIN_TURNS PROMPT("");
    default:
        return NULL;
    }
}
