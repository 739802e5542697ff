// Records to tokens: see tokenised.h.
#include "rows/tokenised.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MOST = 1 << 30 };

bool scratch_open(TokenScratch *scratch, const Tokenizer *tokenizer)
{
    *scratch = (TokenScratch){.encoder = tokenizer == NULL ? NULL : encoder_open(tokenizer)};
    return tokenizer == NULL || scratch->encoder != NULL;
}

void scratch_close(TokenScratch *scratch)
{
    encoder_close(scratch->encoder);
    rendered_free(&scratch->rendered);
    *scratch = (TokenScratch){0};
}

void tokenised_free(Tokenised *tokenised)
{
    tokens_free(&tokenised->tokens);
    free(tokenised->spans);
    *tokenised = (Tokenised){0};
}

static bool add_span(Tokenised *out, size_t begin, size_t end)
{
    TRY(grow(&out->spans, &out->span_capacity, out->span_count + 1, sizeof *out->spans));
    out->spans[out->span_count++] = (Span){(uint32_t)begin, (uint32_t)end};
    out->trained += (uint32_t)(end - begin);
    return true;
}

static bool tokenise_prompt(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules)
{
    Bytes *text = &scratch->rendered.text;
    bytes_clear(text);
    TRY(template_prompt(rules->chat, text, record->messages, record->count, true));
    TRY(encode(scratch->encoder, &out->tokens, text->data, text->size));
    out->prompt = (uint32_t)out->tokens.count;
    return true;
}

// ---- a chat: the turns that are trained, each tokenised separately

typedef struct Turn { // of the assistant: the bytes of the rendered text that are trained, or would be
    size_t message, begin, end;
    bool trained;
} Turn;

static const char HEADER[] = "<|im_start|>assistant\n";

static Turn turn_of(const RenderedChat *chat, const Record *record, size_t i, const TokenRules *rules)
{
    bool last = i + 1 == record->count;
    size_t next = last ? chat->text.size : chat->starts[i + 1];
    TurnMark mark = (TurnMark)record->marks[i];
    return (Turn){.message = i,
                  .begin = last ? chat->answer : chat->starts[i] + sizeof HEADER - 1,
                  .end = rules->train_turn_newline ? next : next - 1,
                  .trained = mark == TURN_TRAINED || (mark == TURN_UNMARKED && (last || rules->train_all_turns))};
}

static bool holds(Text text, const char *data, size_t size) { return memmem(text.data, text.size, data, size) != NULL; }

// Whether the message has a thought that the template leaves out.
static bool thought_is_hidden(Text shown, const Message *m)
{
    static const char opens[] = "<think>", closes[] = "</think>";
    Text thought = m->reasoning;
    if (thought.data == NULL) {
        const char *close = memmem(m->content.data, m->content.size, closes, sizeof closes - 1);
        thought = close == NULL ? thought : (Text){m->content.data, (size_t)(close - m->content.data)};
        const char *open = thought.size == 0 ? NULL : memmem(thought.data, thought.size, opens, sizeof opens - 1);
        if (open != NULL)
            thought =
                (Text){open + sizeof opens - 1, (size_t)(thought.data + thought.size - open) - (sizeof opens - 1)};
    }
    thought = text_trimmed(thought);
    return thought.size > 0 && !holds(shown, thought.data, thought.size);
}

// Refuses a trained turn whose thought is left out. Only qwen3-nothink may leave out the last thought, and that is
// counted.
static bool check_thought(Tokenised *out, const RenderedChat *chat, const Record *record, const Turn *turn,
                          const ChatTemplate *how)
{
    bool last = turn->message + 1 == record->count;
    Text shown = {chat->text.data + turn->begin, turn->end - turn->begin};
    if (last ? !chat->thought_left_out : !thought_is_hidden(shown, &record->messages[turn->message]))
        return true;
    if (last && how->kind == TEMPLATE_QWEN3_NOTHINK) {
        out->thoughts_left_out++;
        return true;
    }
    return fail("message %zu is to be trained and has a thought, which the template %s does not show there; %s",
                turn->message + 1, template_name(how->kind),
                last ? "--template qwen3 does, or write it into the content as <think>...</think>"
                     : "--template qwen3-training does, or write a row for each answer");
}

static bool tokenise_turn(Tokenised *out, TokenScratch *scratch, const Turn *turn, size_t *at)
{
    const char *text = scratch->rendered.text.data;
    TRY(encode(scratch->encoder, &out->tokens, text + *at, turn->begin - *at));
    size_t first = out->tokens.count;
    TRY(encode(scratch->encoder, &out->tokens, text + turn->begin, turn->end - turn->begin));
    *at = turn->end;
    return !turn->trained || add_span(out, first, out->tokens.count);
}

static bool tokenise_chat(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules)
{
    RenderedChat *chat = &scratch->rendered;
    size_t at = 0;
    TRY(template_chat(rules->chat, chat, record->messages, record->count));
    for (size_t i = 0; i < record->count; i++) {
        if (record->messages[i].role != ROLE_ASSISTANT)
            continue;
        Turn turn = turn_of(chat, record, i, rules);
        bool last = i + 1 == record->count;
        out->turns_left_out += !turn.trained;
        if (turn.trained)
            TRY(check_thought(out, chat, record, &turn, rules->chat));
        if (last) { // what comes before it is a sampler's prompt
            TRY(encode(scratch->encoder, &out->tokens, chat->text.data + at, turn.begin - at));
            at = turn.begin;
            out->prompt = (uint32_t)out->tokens.count;
        }
        if (turn.trained || last)
            TRY(tokenise_turn(out, scratch, &turn, &at));
    }
    return out->span_count > 0 || fail("none of its turns is to be trained");
}

static bool agrees(Thinking thinking, const ChatTemplate *chat)
{
    bool on = chat->kind != TEMPLATE_QWEN3_NOTHINK, thinks = !on || template_without_thoughts(chat->kind) != chat->kind;
    return thinking == THINKING_UNSAID || !thinks || on == (thinking == THINKING_ON) ||
           fail("the row's chat_template_kwargs say enable_thinking %s, and the template is %s; --template %s renders "
                "it",
                thinking == THINKING_ON ? "true" : "false", template_name(chat->kind), on ? "qwen3-nothink" : "qwen3");
}

static bool take_ids(Tokenised *out, const Record *record)
{
    TRY(grow(&out->tokens.ids, &out->tokens.capacity, record->tokens, sizeof *out->tokens.ids));
    memcpy(out->tokens.ids, record->ids, record->tokens * sizeof *record->ids);
    out->tokens.count = record->tokens;
    for (size_t i = 0; i < record->tokens;) {
        size_t begin = i;
        while (i < record->tokens && record->trained[i])
            i++;
        if (i > begin)
            TRY(add_span(out, begin, i));
        i += i < record->tokens;
    }
    if (out->span_count == 0)
        return fail("none of its tokens is trained");
    out->prompt = out->spans[0].begin;
    out->tokens.count = out->spans[out->span_count - 1].end;
    return true;
}

static bool check_ids(const Tokenised *out, int32_t vocabulary)
{
    for (size_t i = 0; i < out->tokens.count; i++)
        if (out->tokens.ids[i] >= vocabulary)
            return fail("token %zu is %" PRId32 ", but there are only %" PRId32 " tokens; is it the right tokenizer?",
                        i, out->tokens.ids[i], vocabulary);
    return true;
}

bool record_tokenise(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules)
{
    out->tokens.count = out->span_count = 0;
    out->prompt = out->trained = out->turns_left_out = out->thoughts_left_out = 0;
    if (record->format == ROW_IDS) {
        TRY(take_ids(out, record));
    } else {
        TRY(template_can_render(rules->chat, rules->tokenizer));
        TRY(agrees(record->thinking, rules->chat));
        TRY(record->has_response ? tokenise_chat(out, scratch, record, rules)
                                 : tokenise_prompt(out, scratch, record, rules));
    }
    if (out->tokens.count > TOKENS_MOST)
        return fail("%zu tokens; a record may have %d", out->tokens.count, TOKENS_MOST);
    return check_ids(out, rules->vocabulary);
}
