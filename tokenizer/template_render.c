// Messages to text by the facts of a template, line by line what the published Jinja texts do to messages without
// tools. Only thoughts need work: they are split from answers, and shown or dropped.
#include "tokenizer/template_internal.h"
#include <stdlib.h>
#include <string.h>

#define GENERATION_PROMPT "<|im_start|>assistant\n"

bool template_usable(const ChatTemplate *chat)
{
    if (chat->kind == TEMPLATE_UNKNOWN)
        return fail("%s: an unknown chat template; choose one with --template "
                    "(" TEMPLATE_CHOICES "); an exported model then has that one",
                    chat->origin);
    return chat->missing == NULL || fail("%s: its tokenizer has no token %s, which every chat template needs (%s "
                                         "here); add it to tokenizer.json's "
                                         "added_tokens, or give --tokenizer a folder that has it",
                                         chat->tokenizer, chat->missing, template_name(chat->kind));
}

bool template_can_render(const ChatTemplate *chat, const Tokenizer *tokenizer)
{
    if (chat == NULL || tokenizer == NULL)
        return fail("the rows are text, but there is no tokenizer; name one with --tokenizer");
    return template_usable(chat);
}

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

static bool starts_with(Text t, const char *mark)
{
    return t.size >= strlen(mark) && memcmp(t.data, mark, strlen(mark)) == 0;
}

static bool ends_with(Text t, const char *mark)
{
    return t.size >= strlen(mark) && memcmp(end_of(t) - strlen(mark), mark, strlen(mark)) == 0;
}

// The last turn of a user that is not a tool's response in disguise; the last message if there is none.
static size_t last_question(const Message *messages, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        Text content = messages[i].content;
        if (messages[i].role == ROLE_USER &&
            !(starts_with(content, "<tool_response>") && ends_with(content, "</tool_response>")))
            return i;
    }
    return count - 1;
}

static bool append(Bytes *out, Text t) { return bytes_append(out, t.data, t.size); }

// ---- an assistant's turn

typedef struct Turn {
    Text thought, answer;
    bool shown; // the thought is
} Turn;

static bool is_blank(Text t)
{
    for (size_t i = 0; i < t.size; i++)
        if (strchr(" \t\r\n", t.data[i]) == NULL || t.data[i] == 0)
            return false;
    return true;
}

// Content after its last </think>; all of it where there is none.
static Text behind_thought(Text content)
{
    static const char closing[] = "</think>";
    const char *last = find_last(content, closing);
    return strip_left(last == NULL ? content : between(last + sizeof closing - 1, end_of(content)));
}

// The thought is reasoning_content, else content before the first </think>, from the last <think> on.
static Turn split_thought(const Message *m, bool strict)
{
    static const char open[] = "<think>";
    const char *first = find_first(m->content, "</think>");
    if (m->reasoning.data != NULL)
        return (Turn){.thought = m->reasoning, .answer = m->content};
    if (first == NULL || (strict && find_first(m->content, open) == NULL))
        return (Turn){.thought = {"", 0}, .answer = m->content};
    Text thought = strip_right(between(m->content.data, first));
    const char *begin = find_last(thought, open);
    if (begin != NULL)
        thought = between(begin + sizeof open - 1, end_of(thought));
    return (Turn){.thought = strip_left(thought), .answer = behind_thought(m->content)};
}

// recent: the turn comes after the last question; last: no message follows.
static Turn turn_of(const TemplateFacts *facts, const Message *m, bool recent, bool last)
{
    if (facts->thoughts == THOUGHTS_AS_GIVEN || facts->thoughts == THOUGHTS_FORGOTTEN) {
        bool forgets = facts->thoughts == THOUGHTS_FORGOTTEN && !last;
        return (Turn){.thought = m->reasoning, .answer = forgets ? behind_thought(m->content) : m->content};
    }
    Turn turn = split_thought(m, facts->thoughts == THOUGHTS_ALL_STRICT);
    turn.shown = facts->thoughts != THOUGHTS_RECENT || (recent && (last || turn.thought.size > 0));
    return turn;
}

static bool append_turn(Bytes *out, const Turn *turn)
{
    if (!turn->shown)
        return append(out, turn->answer);
    return bytes_text(out, "<think>\n") && append(out, strip_right(strip_left(turn->thought))) &&
           bytes_text(out, "\n</think>\n\n") && append(out, strip_left(turn->answer));
}

// The answer to train on, from the end of its prompt on.
static bool append_answer(const TemplateFacts *facts, RenderedChat *out, Turn turn)
{
    bool closed = strcmp(facts->opening, EMPTY_THOUGHT) == 0; // then the prompt has no room for a thought
    if (closed) {
        TRY(bytes_text(&out->text, EMPTY_THOUGHT));
        turn = (Turn){.thought = turn.thought, .answer = strip_left(turn.answer)};
    }
    out->answer = out->text.size;
    out->thought_left_out = !turn.shown && !is_blank(turn.thought);
    TRY(append_turn(&out->text, &turn));
    Text said = {out->text.data + out->answer, out->text.size - out->answer};
    if (!closed && starts_with(said, facts->opening))
        out->answer += strlen(facts->opening);
    return true;
}

// ---- conversations

// train: NULL, or receives the parts of the last message, an answer; then out is its text.
static bool append_turns(const TemplateFacts *facts, Bytes *out, const Message *messages, size_t count,
                         RenderedChat *train)
{
    size_t question = last_question(messages, count);
    if (facts->system != NULL && messages[0].role != ROLE_SYSTEM)
        TRY(bytes_printf(out, "<|im_start|>system\n%s<|im_end|>\n", facts->system));
    for (size_t i = 0; i < count; i++) {
        const Message *m = &messages[i];
        if (train != NULL)
            train->starts[i] = out->size;
        bool last = i + 1 == count;
        TRY(bytes_printf(out, "<|im_start|>%s\n", ROLE_NAMES[m->role]));
        if (m->role == ROLE_ASSISTANT) {
            Turn turn = turn_of(facts, m, i > question, last);
            TRY(last && train != NULL ? append_answer(facts, train, turn) : append_turn(out, &turn));
        } else {
            TRY(append(out, m->content));
        }
        TRY(bytes_text(out, "<|im_end|>\n"));
    }
    return true;
}

bool template_prompt(const ChatTemplate *chat, Bytes *out, const Message *messages, size_t count,
                     bool add_generation_prompt)
{
    TRY(template_usable(chat));
    if (count == 0)
        return fail("there are no messages to render");
    const TemplateFacts *facts = template_facts(chat->kind);
    TRY(append_turns(facts, out, messages, count, NULL));
    return !add_generation_prompt || (bytes_text(out, GENERATION_PROMPT) && bytes_text(out, facts->opening));
}

bool template_chat(const ChatTemplate *chat, RenderedChat *out, const Message *messages, size_t count)
{
    TRY(template_usable(chat));
    if (count == 0 || messages[count - 1].role != ROLE_ASSISTANT)
        return fail("there is no answer to train on: the last message must be the assistant's");
    bytes_clear(&out->text);
    TRY(grow(&out->starts, &out->start_capacity, count, sizeof *out->starts));
    TRY(append_turns(template_facts(chat->kind), &out->text, messages, count, out));
    out->end = out->text.size - 1; // without the newline
    return true;
}

void rendered_free(RenderedChat *rendered)
{
    bytes_free(&rendered->text);
    free(rendered->starts);
    *rendered = (RenderedChat){0};
}
