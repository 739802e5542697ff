// Records to tokens: see tokenised.h.
#include "data/tokenised.h"
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

static bool tokenise_chat(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules)
{
    RenderedChat *chat = &scratch->rendered;
    TRY(template_chat(rules->chat, chat, record->messages, record->count));
    TRY(encode(scratch->encoder, &out->tokens, chat->text.data, chat->answer));
    size_t prompt = out->tokens.count, end = rules->train_turn_newline ? chat->text.size : chat->end;
    TRY(encode(scratch->encoder, &out->tokens, chat->text.data + chat->answer, end - chat->answer));
    out->prompt = (uint32_t)prompt;
    out->thought_left_out = chat->thought_left_out;
    return add_span(out, prompt, out->tokens.count);
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
            return fail("token %zu is %" PRId32 ", but there are only %" PRId32 " tokens; is it the right tokenizer?", i,
                        out->tokens.ids[i], vocabulary);
    return true;
}

bool record_tokenise(Tokenised *out, TokenScratch *scratch, const Record *record, const TokenRules *rules)
{
    out->tokens.count = out->span_count = 0;
    out->prompt = out->trained = 0;
    out->thought_left_out = false;
    if (record->format == ROW_IDS) {
        TRY(take_ids(out, record));
    } else {
        if (rules->tokenizer == NULL || rules->chat == NULL)
            return fail("the row is text, but there is no tokenizer; name one with --tokenizer");
        TRY(record->has_response ? tokenise_chat(out, scratch, record, rules) : tokenise_prompt(out, scratch, record, rules));
    }
    if (out->tokens.count > TOKENS_MOST)
        return fail("%zu tokens; a record may have %d", out->tokens.count, TOKENS_MOST);
    return check_ids(out, rules->vocabulary);
}
