// See chat.h. The conversation stays in pages: each turn's prompt begins like the one before it, and shares its pages.
#include "chat/chat.h"
#include "chat/command.h"
#include "chat/conversation.h"
#include "chat/interrupt.h"
#include "chat/prompt.h"
#include "chat/shown.h"
#include "json/json_source.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Chat {
    Session *session;
    Encoder *encoder;
    const StopTexts *stops;
    const ResponseOptions *responses;
    Screen screen;
    Prompt *prompt;
    Conversation said;
    uint64_t turn;   // over all conversations: names the random draws
    Sequence *known; // the prompt of the turn before, without its last token
    DecodeStream stream;
    Bytes answer;    // so far
    size_t printed;  // of it
    bool unwritable; // writing has failed
    // the last answer's
    TokenList ids;
    float *logprobs; // (ids.count)
    FinishReason reason;
} Chat;

// ---- streaming an answer

// How much of the answer so far may be shown: no stop text may appear, not even its beginning.
static size_t presentable(const Chat *c)
{
    size_t whole = stop_texts_cut(c->stops, c->answer.data, c->answer.size), safe = whole;
    for (size_t i = 0; i < c->stops->count; i++)
        for (size_t n = strlen(c->stops->texts[i]); n-- > 1;)
            if (n <= whole && whole == c->answer.size && memcmp(c->answer.data + whole - n, c->stops->texts[i], n) == 0)
                safe = whole - n < safe ? whole - n : safe;
    return safe;
}

static bool print_until(Chat *c, size_t end)
{
    if (end <= c->printed)
        return true;
    Text more = {c->answer.data + c->printed, end - c->printed};
    c->printed = end;
    return show_text(&c->screen, more) && (fflush(c->screen.out) == 0 || fail_errno("writing an answer"));
}

static bool take_token(void *context, const GenerationResult *so_far)
{
    Chat *c = context;
    const int32_t *ids = so_far->ids;
    int64_t count = so_far->count;
    bool ends = false;
    for (int64_t i = 0; i < c->session->files.stop_count; i++)
        ends = ends || ids[count - 1] == c->session->files.stop[i];
    if (ends)
        return true;
    bool ok = decode_next(&c->stream, c->session->files.tokenizer, &c->answer, ids[count - 1], false) &&
              print_until(c, presentable(c));
    c->unwritable = c->unwritable || !ok;
    return c->unwritable || interrupted() || stop_texts_met(c->stops, ids, count);
}

// ---- an answer

static bool prompt_of(Chat *c, TokenList *ids)
{
    Bytes text = {0};
    int64_t context = engine_context(c->session->engine);
    bool ok = template_prompt(&c->session->files.chat, &text, c->said.messages, c->said.count, true) &&
              encode(c->encoder, ids, text.data, text.size);
    bytes_free(&text);
    if (ok && (int64_t)ids->count >= context)
        return fail("with this question the conversation has %zu tokens, which leaves no room for an answer in the "
                    "context of %" PRId64 "; /undo takes back the question before it, /new begins anew, and a larger "
                    "--context holds more",
                    ids->count, context);
    return ok;
}

// Keeps the prompt's keys and values for the next turn, which begins in the same way.
static bool remember(Chat *c, const TokenList *ids)
{
    if (ids->count < 2)
        return true;
    Sequence *known = engine_prefix(c->session->engine, c->known, ids->ids, (int64_t)ids->count - 1);
    TRY(known != NULL);
    engine_prefix_release(c->session->engine, c->known);
    c->known = known;
    return true;
}

static void forget_tokens(Chat *c)
{
    tokens_free(&c->ids);
    free(c->logprobs);
    c->logprobs = NULL;
    c->reason = FINISH_STOP;
}

static bool keep_result(Chat *c, const GenerationResult *r)
{
    size_t count = (size_t)r->count;
    TRY((c->ids.ids = allocate(count, sizeof *c->ids.ids)) != NULL &&
        (c->logprobs = allocate(count, sizeof *c->logprobs)) != NULL);
    memcpy(c->ids.ids, r->ids, count * sizeof *r->ids);
    memcpy(c->logprobs, r->logprob, count * sizeof *r->logprob);
    c->ids.count = c->ids.capacity = count;
    c->reason = r->reason;
    return true;
}

static uint64_t name_of_turn(uint64_t turn)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, turn);
    return responses_name_of(id);
}

// Ctrl-C is seen at each token, and before the first one between two passes.
static bool generate(Chat *c, const TokenList *ids)
{
    Engine *engine = c->session->engine;
    GenerationResult result;
    GenerationRequest r = responses_request(c->responses);
    r.id = name_of_turn(++c->turn);
    r.prompt = ids->ids;
    r.prompt_count = (int64_t)ids->count;
    r.prefix = c->known;
    r.stop = c->session->files.stop;
    r.stop_count = c->session->files.stop_count;
    r.watch = take_token;
    r.watch_context = c;
    TRY(engine_add(engine, &r));
    while (!engine_empty(engine)) {
        TRY(engine_step(engine));
        while (engine_next(engine, &result))
            TRY(keep_result(c, &result));
        if (interrupted() && c->ids.count == 0)
            engine_cancel(engine, r.tag);
    }
    return true;
}

static bool generate_until_interrupted(Chat *c, const TokenList *ids)
{
    if (prompt_edits(c->prompt)) // Ctrl-C is a flag anyway
        return generate(c, ids);
    TRY(interrupts_begin());
    bool ok = generate(c, ids);
    return interrupts_end() && ok;
}

// How the answer has ended, if not by itself. Elsewhere than in a terminal only Ctrl-C and a full context are told.
static bool end_line(Chat *c, bool stopped)
{
    int64_t context = engine_context(c->session->engine), count = (int64_t)c->ids.count;
    bool cut = !stopped && c->reason == FINISH_LENGTH, full = cut && count < c->responses->max_new_tokens;
    TRY(fputs(stopped ? " (stopped)\n" : "\n", c->screen.out) != EOF || fail_errno("writing an answer"));
    if (full)
        return show_note(&c->screen,
                         "the conversation fills the context of %" PRId64 " tokens; /undo takes back the last "
                         "question, /new begins anew, and a larger --context holds more",
                         context);
    if (cut && c->screen.terminal)
        return show_note(&c->screen, "cut off after --max-new-tokens %" PRId64, c->responses->max_new_tokens);
    return true;
}

static bool answer(Chat *c)
{
    TokenList ids = {0};
    bytes_clear(&c->answer);
    forget_tokens(c);
    interrupt_forget();
    c->printed = 0;
    c->stream = (DecodeStream){0};
    bool ok = prompt_of(c, &ids) && remember(c, &ids) && generate_until_interrupted(c, &ids) &&
              decode_end(&c->stream, &c->answer) && bytes_text(&c->answer, "");
    tokens_free(&ids);
    TRY(ok && !c->unwritable);
    size_t end = stop_texts_cut(c->stops, c->answer.data, c->answer.size);
    bool stopped = interrupted();
    if (stopped && end == 0)
        return fail("stopped before it began; the question is taken back");
    TRY(conversation_answer(&c->said, (Text){c->answer.data, end}, (AnswerFacts){c->turn, stopped}));
    c->unwritable = !print_until(c, end) || !end_line(c, stopped) || fflush(c->screen.out) != 0;
    return !c->unwritable;
}

// A question that cannot be answered is dropped, and what was said before stays.
static bool ask(Chat *c, Text text)
{
    size_t before = c->said.count;
    TRY(conversation_ask(&c->said, text));
    if (answer(c))
        return true;
    if (!engine_empty(c->session->engine) || c->unwritable)
        return false;
    conversation_forget_from(&c->said, before);
    bool ok = show_note(&c->screen, "%s", error_text());
    error_clear();
    return ok;
}

// ---- commands

static bool begin_anew(Chat *c)
{
    conversation_forget_from(&c->said, conversation_system(&c->said).data == NULL ? 0 : 1);
    forget_tokens(c);
    return true;
}

static bool set_system(Chat *c, Text text)
{
    Text now = conversation_system(&c->said);
    if (text.size == 0 && now.data == NULL)
        return show_note(&c->screen, "there is no system message but what the chat template has of its own");
    if (text.size == 0)
        return show_text(&c->screen, now) && show_text(&c->screen, (Text){"\n", 1});
    bool none = text.size == 4 && memcmp(text.data, "none", 4) == 0;
    return conversation_set_system(&c->said, none ? (Text){0} : text);
}

static bool undo(Chat *c)
{
    if (!conversation_undo(&c->said))
        return show_note(&c->screen, "nothing has been said that could be taken back");
    forget_tokens(c);
    return show_note(&c->screen, "the last question and its answer are taken back");
}

static bool append_facts(Bytes *out, const Chat *c)
{
    const ResponseOptions *r = c->responses;
    const Bytes *folder = &c->session->files.folder;
    return bytes_text(out, ",\"model\":") && json_append_string(out, (Text){folder->data, folder->size}) &&
           bytes_printf(out,
                        ",\"sampling\":{\"seed\":%" PRId64 ",\"temperature\":%.9g,\"top_k\":%" PRId64
                        ",\"top_p\":%.9g,\"min_p\":%.9g,\"max_new_tokens\":%" PRId64 "}",
                        r->seed, r->temperature, r->top_k, r->top_p, r->min_p, r->max_new_tokens);
}

static bool save(Chat *c, Text path)
{
    Bytes name = {0}, facts = {0};
    bool ok = bytes_append(&name, path.data, path.size) && append_facts(&facts, c) &&
              conversation_save(&c->said, name.data, facts.data);
    ok = show_note(&c->screen, "%s%s", ok ? "written to " : "", ok ? name.data : error_text());
    error_clear();
    bytes_free(&name);
    bytes_free(&facts);
    return ok;
}

static bool tokens(Chat *c)
{
    if (c->ids.count == 0)
        return show_note(&c->screen, "there is no answer whose tokens could be shown");
    return show_tokens(&c->screen, c->session->files.tokenizer, c->ids.ids, c->logprobs, c->ids.count);
}

static bool help(Chat *c)
{
    Bytes text = {0};
    bool ok = command_help(&text) && show_text(&c->screen, (Text){text.data, text.size});
    if (ok && prompt_edits(c->prompt)) {
        static const char keys[] = "A line that ends in \\ goes on in the next; a pasted text is one message. "
                                   "Arrows and Ctrl-R find\nwhat you said before. Ctrl-C ends an answer.\n";
        ok = show_text(&c->screen, (Text){keys, sizeof keys - 1});
    }
    bytes_free(&text);
    return ok;
}

static bool obey(Chat *c, const Command *command, bool *leaves)
{
    *leaves = command->kind == COMMAND_EXIT;
    switch (command->kind) {
    case COMMAND_SAY:
        return ask(c, command->rest);
    case COMMAND_REFUSED:
        return show_note(&c->screen, "%s", command->reason);
    case COMMAND_HELP:
        return help(c);
    case COMMAND_NEW:
        return begin_anew(c);
    case COMMAND_SYSTEM:
        return set_system(c, command->rest);
    case COMMAND_UNDO:
        return undo(c);
    case COMMAND_SAVE:
        return save(c, command->rest);
    case COMMAND_TOKENS:
        return tokens(c);
    case COMMAND_EXIT:
        return true;
    }
    return true;
}

// ---- the conversation

// Ctrl-C at the prompt clears the line; twice in a row leaves.
static bool clear_line(Chat *c, bool *again, bool *leaves)
{
    *leaves = *again;
    *again = true;
    return *leaves || show_note(&c->screen, "Ctrl-C again, or Ctrl-D, leaves");
}

static bool talk(Chat *c)
{
    Bytes message = {0};
    bool ok = true, leaves = false, again = false;
    while (ok && !leaves) {
        Said said = SAID_END;
        ok = prompt_read(c->prompt, &said, &message);
        if (!ok || said == SAID_END)
            break;
        if (said == SAID_NOTHING) {
            ok = clear_line(c, &again, &leaves);
            continue;
        }
        again = false;
        if (message.size == 0)
            continue;
        Command command = command_read((Text){message.data, message.size});
        ok = obey(c, &command, &leaves);
    }
    bytes_free(&message);
    return ok;
}

bool chat_run(Session *session, Encoder *encoder, const StopTexts *stops, const char *system,
              const ResponseOptions *responses, FILE *in, FILE *out)
{
    Chat c = {.session = session, .encoder = encoder, .stops = stops, .responses = responses};
    c.screen = screen_of(out);
    TRY((c.prompt = prompt_open(in, out)) != NULL);
    bool ok = conversation_set_system(&c.said, (Text){system, strlen(system)});
    if (ok && isatty(fileno(in)))
        ok = show_note(&c.screen, "%s; /help lists commands, Ctrl-C ends an answer, Ctrl-D the chat",
                       session->files.folder.data);
    ok = ok && talk(&c);
    prompt_close(c.prompt);
    engine_prefix_release(session->engine, c.known);
    conversation_free(&c.said);
    forget_tokens(&c);
    bytes_free(&c.answer);
    return ok;
}
