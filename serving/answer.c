// See answer.h. Everything is appended to one buffer: no tree is built.
#include "serving/answer.h"
#include "json/json_source.h"
#include <string.h>

// ---- tokens as texts

static bool put_escaped(Bytes *out, const char *bytes, size_t size)
{
    TRY(bytes_text(out, "\"bytes:"));
    for (size_t i = 0; i < size; i++)
        TRY(bytes_printf(out, "\\\\x%02x", (unsigned char)bytes[i]));
    return bytes_text(out, "\"");
}

// Part of a character is no text: "bytes:\xe4\xbd", as OpenAI's completions have it, so that two tokens are two texts.
static bool put_token(Bytes *out, const Tokenizer *tokenizer, int32_t id)
{
    size_t size = 0;
    const char *bytes = token_bytes(tokenizer, id, &size);
    if (bytes == NULL)
        return bytes_printf(out, "\"id:%" PRId32 "\"", id); // a vocabulary row without a token
    if (utf8_valid_prefix(bytes, size) != size)
        return put_escaped(out, bytes, size);
    return json_append_string(out, (Text){bytes, size});
}

static bool put_bytes(Bytes *out, const Tokenizer *tokenizer, int32_t id)
{
    size_t size = 0;
    const char *bytes = token_bytes(tokenizer, id, &size);
    TRY(bytes_text(out, "["));
    for (size_t i = 0; bytes != NULL && i < size; i++)
        TRY(bytes_printf(out, i == 0 ? "%d" : ",%d", (unsigned char)bytes[i]));
    return bytes_text(out, "]");
}

static bool put_number(Bytes *out, float x) { return bytes_printf(out, "%.9g", (double)x); }

// ---- log-probabilities of a chat: an object for each token

static bool put_entry(Bytes *out, const Tokenizer *tokenizer, int32_t id, float logprob)
{
    return bytes_text(out, "{\"token\":") && put_token(out, tokenizer, id) && bytes_text(out, ",\"logprob\":") &&
           put_number(out, logprob) && bytes_text(out, ",\"bytes\":") && put_bytes(out, tokenizer, id);
}

static bool put_chat_logprobs(Bytes *out, const Tokenizer *tokenizer, const AnswerTokens *t)
{
    TRY(bytes_text(out, "{\"content\":["));
    for (int64_t i = 0; i < t->count; i++) {
        TRY(bytes_text(out, i == 0 ? "" : ",") && put_entry(out, tokenizer, t->ids[i], t->logprob[i]) &&
            bytes_text(out, ",\"top_logprobs\":["));
        for (int64_t k = 0; k < t->top_count; k++) {
            const Candidate *c = &t->top[i * t->top_count + k];
            TRY(bytes_text(out, k == 0 ? "" : ",") && put_entry(out, tokenizer, c->id, c->logprob) &&
                bytes_text(out, "}"));
        }
        TRY(bytes_text(out, "]}"));
    }
    return bytes_text(out, "],\"refusal\":null}");
}

// ---- log-probabilities of a completion: lists, side by side

// In the text, special tokens of an answer are left out; those of a prompt are there.
static int64_t characters_of(const Tokenizer *tokenizer, int32_t id, bool with_special)
{
    size_t size = 0;
    const char *bytes = token_bytes(tokenizer, id, &size);
    int64_t count = 0;
    if (bytes == NULL || (!with_special && tokenizer_is_special(tokenizer, id)))
        return 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)bytes[i] & 0xC0) != 0x80; // a character counts where it begins
    return count;
}

typedef enum Column { TOKENS, LOGPROBS, CANDIDATES, OFFSETS } Column;

// The likeliest tokens, and the one that came.
static bool put_candidates(Bytes *out, const Tokenizer *tokenizer, const AnswerTokens *t, int64_t i)
{
    bool there = false;
    TRY(bytes_text(out, "{"));
    for (int64_t k = 0; k < t->top_count; k++) {
        const Candidate *c = &t->top[i * t->top_count + k];
        there = there || c->id == t->ids[i];
        TRY(bytes_text(out, k == 0 ? "" : ",") && put_token(out, tokenizer, c->id) && bytes_text(out, ":") &&
            put_number(out, c->logprob));
    }
    if (!there)
        TRY(bytes_text(out, t->top_count == 0 ? "" : ",") && put_token(out, tokenizer, t->ids[i]) &&
            bytes_text(out, ":") && put_number(out, t->logprob[i]));
    return bytes_text(out, "}");
}

static bool put_cell(Bytes *out, const Tokenizer *tokenizer, const AnswerTokens *t, int64_t i, Column column,
                     int64_t offset)
{
    bool unknown = t->first_unknown && i == 0;
    switch (column) {
    case TOKENS:
        return put_token(out, tokenizer, t->ids[i]);
    case LOGPROBS:
        return unknown ? bytes_text(out, "null") : put_number(out, t->logprob[i]);
    case CANDIDATES:
        return unknown ? bytes_text(out, "null") : put_candidates(out, tokenizer, t, i);
    case OFFSETS:
        return bytes_printf(out, "%" PRId64, offset);
    }
    return false;
}

static bool put_column(Bytes *out, const Tokenizer *tokenizer, const AnswerChoice *c, Column column)
{
    const AnswerTokens *const parts[] = {&c->prompt, &c->tokens};
    int64_t offset = *c->offset, written = 0;
    for (int part = 0; part < 2; part++)
        for (int64_t i = 0; i < parts[part]->count; i++) {
            TRY(bytes_text(out, written++ == 0 ? "" : ",") && put_cell(out, tokenizer, parts[part], i, column, offset));
            offset += characters_of(tokenizer, parts[part]->ids[i], part == 0);
        }
    if (column == OFFSETS)
        *c->offset = offset;
    return true;
}

static bool put_completion_logprobs(Bytes *out, const Tokenizer *tokenizer, const AnswerChoice *c)
{
    static const char *const names[] = {"{\"tokens\":[", "],\"token_logprobs\":[", "],\"top_logprobs\":[",
                                        "],\"text_offset\":["};
    for (Column column = TOKENS; column <= OFFSETS; column++)
        TRY(bytes_text(out, names[column]) && put_column(out, tokenizer, c, column));
    return bytes_text(out, "]}");
}

// ---- a choice

static bool put_ids(Bytes *out, const char *name, const int32_t *ids, int64_t count)
{
    TRY(bytes_printf(out, ",\"%s\":[", name));
    for (int64_t i = 0; i < count; i++)
        TRY(bytes_printf(out, i == 0 ? "%" PRId32 : ",%" PRId32, ids[i]));
    return bytes_text(out, "]");
}

static bool put_text(Bytes *out, const AnswerHead *head, const AnswerChoice *c, bool piece)
{
    if (head->kind == API_COMPLETION)
        return bytes_text(out, ",\"text\":") && json_append_string(out, c->text);
    if (!piece)
        return bytes_text(out, ",\"message\":{\"role\":\"assistant\",\"content\":") &&
               json_append_string(out, c->text) && bytes_text(out, ",\"refusal\":null}");
    TRY(bytes_text(out, ",\"delta\":{") && bytes_text(out, c->begins ? "\"role\":\"assistant\"" : ""));
    if (c->begins || c->text.size > 0)
        TRY(bytes_text(out, c->begins ? ",\"content\":" : "\"content\":") && json_append_string(out, c->text));
    return bytes_text(out, "}");
}

bool answer_choice(Bytes *out, const AnswerHead *head, const Tokenizer *tokenizer, const AnswerChoice *c, bool piece)
{
    TRY(bytes_printf(out, "{\"index\":%" PRId64, c->index) && put_text(out, head, c, piece) &&
        bytes_text(out, ",\"logprobs\":"));
    if (!c->logprobs)
        TRY(bytes_text(out, "null"));
    else
        TRY(head->kind == API_CHAT ? put_chat_logprobs(out, tokenizer, &c->tokens)
                                   : put_completion_logprobs(out, tokenizer, c));
    if (c->with_ids)
        TRY((c->prompt_ids == NULL ||
             put_ids(out, "prompt_token_ids", c->prompt_ids->ids, (int64_t)c->prompt_ids->count)) &&
            put_ids(out, "token_ids", c->tokens.ids, c->tokens.count));
    const char *reason = c->finish_reason;
    return bytes_printf(out, reason == NULL ? ",\"finish_reason\":null}" : ",\"finish_reason\":\"%s\"}", reason);
}

// ---- around choices

bool answer_begin(Bytes *out, const AnswerHead *head, bool piece)
{
    const char *object = head->kind == API_COMPLETION ? "text_completion"
                         : piece                      ? "chat.completion.chunk"
                                                      : "chat.completion";
    return bytes_printf(out, "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":", head->id, object,
                        head->created) &&
           json_append_string(out, (Text){head->model, strlen(head->model)}) &&
           bytes_printf(out, ",\"system_fingerprint\":\"fp_%016" PRIx64 "\",\"seed\":%" PRId64 ",\"choices\":[",
                        head->fingerprint, head->seed);
}

bool answer_end(Bytes *out, const AnswerUsage *u)
{
    if (u == NULL)
        return bytes_text(out, "]}");
    return bytes_printf(out,
                        "],\"usage\":{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64
                        ",\"total_tokens\":%" PRId64 ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64 "}}}",
                        u->prompt_tokens, u->tokens, u->prompt_tokens + u->tokens, u->found);
}

static bool put_name(Bytes *out, const char *name, const char *text)
{
    TRY(bytes_printf(out, ",\"%s\":", name));
    return text == NULL || text[0] == 0 ? bytes_text(out, "null") : json_append_string(out, (Text){text, strlen(text)});
}

bool answer_error(Bytes *out, const ApiRefusal *refusal, const char *message)
{
    const char *type = refusal->status == 401   ? "authentication_error"
                       : refusal->status == 429 ? "rate_limit_error"
                       : refusal->status < 500  ? "invalid_request_error"
                                                : "server_error";
    size_t valid = utf8_valid_prefix(message, strlen(message));
    return bytes_text(out, "{\"error\":{\"message\":") && json_append_string(out, (Text){message, valid}) &&
           bytes_printf(out, ",\"type\":\"%s\"", type) && put_name(out, "param", refusal->param) &&
           put_name(out, "code", refusal->code) && bytes_text(out, "}}");
}
