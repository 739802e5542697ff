// Difficulty 1 to 5 of every problem, by a language model that reads it under a rubric. Either the model's probabilities of the digits
// 1 to 5 as the next token decide, which costs one pass over each problem, the rubric's beginning being computed once for all; or an
// answer that it writes. The model is a folder here, or behind a server. This is C,
// whatever the file is called: it compiles with or without nvcc.
#include "base/text.h"
#include "difficulty/rubric.h"
#include "engine/session.h"
#include "log/progress.h"
#include "options/program.h"
#include "rows/journal.h"
#include "rows/parts.h"
#include "rows/pending.h"
#include "rows/row_write.h"
#include "rows/rows.h"
#include "rows/unanswered.h"
#include "score_options.h"
#include "server/endpoint.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>

typedef struct Score {
    ScoreOptions o;
    Options options;
    Rubric rubric;
    RowOptions row_options;
    RowReader rows;
    Journal journal;
    Progress progress;
    Bytes out; // the file to write: --out, or a part's
    Bytes answers, scorer;
    uint64_t weights; // hash
    Bytes text, line;
    Pending *asked; // rows whose answers are on their way
    bool read_all, by_logits, remote;
    int64_t levels[DIFFICULTIES + 1]; // rows so far with 1 to 5; [0]: without a usable answer
    int64_t mine;                     // rows that are to be scored
    Bytes useless;                    // the end of the first answer that was of no use
    // a folder's model
    Fit fit; // its memory
    Session session;
    Encoder *encoder;
    ChatTemplate chat;   // the folder's, without thoughts where digits are to follow at once
    Sequence *beginning; // of every prompt, up to the problem
    int32_t digits[DIFFICULTIES];
    // a server's
    Endpoint *endpoint;
    Unanswered unanswered;
} Score;

static const char *const OWN_FIELDS[] = {"difficulty",         "difficulty_expected", "difficulty_probs",
                                         "difficulty_default", "difficulty_answer",   "scorer",
                                         "scorer_weights",     "scorer_prompt",       NULL};
enum { ANSWER_SHOWN = 200 }; // bytes of an answer's end, in rows and errors

// ---- a row's way in

static bool was_scored(const Record *record) // by an earlier run of this program
{
    Text prompt = json_field(&record->fields, "scorer_prompt");
    size_t digits = 0;
    while (digits + 2 < prompt.size && strchr("0123456789abcdef", prompt.data[digits + 1]) != NULL)
        digits++;
    return digits == 16 && prompt.size == 18 && json_field(&record->fields, "scorer").data != NULL;
}

// What an earlier score says is replaced; what the row itself calls so is kept under another name.
static bool begin_row(Pending *a, const Record *record)
{
    return was_scored(record) ? row_begin(&a->row, record, OWN_FIELDS) : row_begin_aside(&a->row, record, OWN_FIELDS);
}

static bool render(Score *s, Bytes *out, Text question)
{
    TRY(rubric_fill(&s->rubric, &s->text, question));
    Message message = {ROLE_USER, {s->text.data, s->text.size}, {NULL, 0}};
    bytes_clear(out);
    return template_prompt(&s->chat, out, &message, 1, true);
}

static bool ask_model(Score *s, Pending *a, Text question)
{
    Bytes prompt = {0};
    bool ok = render(s, &prompt, question) && encode(s->encoder, &a->ids, prompt.data, prompt.size);
    bytes_free(&prompt);
    TRY(ok);
    GenerationRequest r = {0};
    r.tag = (uint64_t)(uintptr_t)a;
    r.seed = (uint64_t)s->o.seed;
    r.id = hash_bytes(question.data, question.size);
    r.prompt = a->ids.ids;
    r.prompt_count = (int64_t)a->ids.count;
    r.prefix = s->beginning;
    r.samples = s->by_logits ? 1 : (int32_t)s->o.samples;
    r.top_p = 1;
    r.temperature = (float)s->o.temperature;
    r.max_new_tokens = s->o.max_new_tokens;
    r.stop = s->session.files.stop;
    r.stop_count = s->session.files.stop_count;
    r.probe = s->by_logits ? s->digits : NULL;
    r.probe_count = s->by_logits ? DIFFICULTIES : 0;
    a->left = r.samples;
    return engine_add(s->session.engine, &r);
}

static bool ask_server(Score *s, Pending *a, const Record *record, Text question)
{
    TRY(bytes_printf(&a->place, "%s:%" PRId64, s->rows.files[s->rows.file], record->line));
    TRY(rubric_fill(&s->rubric, &s->text, question));
    Message message = {ROLE_USER, {s->text.data, s->text.size}, {NULL, 0}};
    a->left = 1;
    return endpoint_ask(s->endpoint, &message, 1, (uint64_t)(uintptr_t)a);
}

static bool ask_row(Score *s, const Record *record)
{
    if (journal_has(&s->journal, (uint64_t)s->rows.number))
        return true;
    Text question;
    Pending *a = pending_new(&s->asked, s->rows.number);
    TRY(a != NULL);
    bool ok = rubric_question(&question, record) && begin_row(a, record) &&
              (s->remote ? ask_server(s, a, record, question) : ask_model(s, a, question));
    if (!ok)
        pending_free(a);
    return ok || fail_in("%s:%" PRId64, s->rows.files[s->rows.file], record->line);
}

static bool has_room(const Score *s)
{
    return s->remote ? endpoint_pending(s->endpoint) < 2 * (size_t)s->o.in_flight : engine_has_room(s->session.engine);
}

static bool ask(Score *s)
{
    while (!s->read_all && has_room(s)) {
        Record record;
        bool there;
        TRY(rows_next(&s->rows, &record, &there));
        s->read_all = !there;
        if (!there)
            break;
        bool ok = ask_row(s, &record);
        record_free(&record);
        TRY(ok || rows_refuse(&s->rows));
    }
    return true;
}

// ---- and out

// A finished row, of this run or an earlier one, as it stands in the file: the last "difficulty" in it is the score's.
static bool count(void *score, Text line)
{
    Score *s = (Score *)score;
    static const char own[] = "\"difficulty\":";
    const char *at = text_last(line, own), *end = line.data + line.size;
    int level = at == NULL || end - at < 16 ? 0 : at[strlen(own)] - '0';
    if (level < 1 || level > DIFFICULTIES)
        return fail("%s: a row in it has no difficulty; %s", s->journal.file.path, s->journal.anew.data);
    bool useless = text_last(text_between(at, end), "\"difficulty_default\":true") != NULL;
    if (useless && s->levels[0] == 0) {
        json_t *row = json_parse(line.data, line.size, s->journal.file.path);
        const json_t *answer = json_object_get(row, "difficulty_answer");
        bool ok = row != NULL && bytes_append(&s->useless, json_string_value(answer), json_string_length(answer));
        json_decref(row);
        TRY(ok);
    }
    s->levels[useless ? 0 : level]++;
    return true;
}

static bool write_score(Score *s, const Pending *a, const Difficulty *d)
{
    float probs[DIFFICULTIES];
    char prompt[24], weights[24];
    for (int i = 0; i < DIFFICULTIES; i++)
        probs[i] = (float)d->probs[i];
    snprintf(prompt, sizeof prompt, "%016" PRIx64, s->rubric.hash);
    snprintf(weights, sizeof weights, "%016" PRIx64, s->weights);
    bytes_clear(&s->line);
    TRY(bytes_append(&s->line, a->row.data, a->row.size) && row_integer(&s->line, "difficulty", d->level));
    TRY(row_number(&s->line, "difficulty_expected", d->expected) &&
        row_floats(&s->line, "difficulty_probs", probs, DIFFICULTIES));
    if (d->defaulted)
        TRY(bytes_text(&s->line, ",\"difficulty_default\":true") &&
            row_text(&s->line, "difficulty_answer", a->useless.data == NULL ? "" : a->useless.data, a->useless.size));
    TRY(row_text(&s->line, "scorer", s->scorer.data, s->scorer.size) &&
        (s->remote || row_text(&s->line, "scorer_weights", weights, strlen(weights))) &&
        row_text(&s->line, "scorer_prompt", prompt, strlen(prompt)));
    return row_end(&s->line) && journal_add(&s->journal, (uint64_t)a->number, s->line.data, s->line.size) &&
           count(s, (Text){s->line.data, s->line.size});
}

static bool settle(Score *s, Pending *a, const Difficulty *d)
{
    bool ok = write_score(s, a, d);
    pending_free(a);
    return ok;
}

// cut: it reached its limit, so nobody knows its last line. An answer of one token, where digits were wanted, always has.
static bool vote(const Score *s, Pending *a, Text said, bool cut)
{
    int level = cut && !s->by_logits ? 0 : difficulty_in_text(said.data, said.size);
    if (++a->votes[level] > 1 || level > 0)
        return true;
    size_t from = said.size > ANSWER_SHOWN ? said.size - ANSWER_SHOWN : 0;
    while (from < said.size && (said.data[from] & 0xc0) == 0x80)
        from++; // not in the middle of a character
    return bytes_append(&a->useless, said.data + from, said.size - from) &&
           bytes_text(&a->useless, cut && !s->by_logits ? " (cut off)" : "");
}

static bool take_written(Score *s, Pending *a, const GenerationResult *r)
{
    bytes_clear(&s->text);
    TRY(decode(s->session.files.tokenizer, &s->text, r->ids, (size_t)r->count, false) && bytes_text(&s->text, "") &&
        vote(s, a, (Text){s->text.data, s->text.size}, r->reason != FINISH_STOP));
    if (--a->left > 0)
        return true;
    Difficulty d = difficulty_of_votes(a->votes);
    return settle(s, a, &d);
}

static bool take_results(Score *s)
{
    GenerationResult result;
    while (engine_next(s->session.engine, &result)) {
        Pending *a = (Pending *)(uintptr_t)result.tag;
        double logprob[DIFFICULTIES];
        for (int i = 0; s->by_logits && i < DIFFICULTIES; i++)
            logprob[i] = (double)result.probe[i];
        Difficulty d = {0};
        if (s->by_logits)
            d = difficulty_of_logprobs(logprob);
        TRY(s->by_logits ? settle(s, a, &d) : take_written(s, a, &result));
    }
    return true;
}

// What the server says is the likeliest digit, where it names its candidates; what it wrote, otherwise.
static bool take_server_answer(Score *s, const EndpointAnswer *answer)
{
    Pending *a = (Pending *)(uintptr_t)answer->tag;
    Difficulty d;
    if (answer->failed) {
        bool ok = unanswered_take(&s->unanswered, answer, &s->rows, a->place.data);
        s->read_all = s->read_all || s->unanswered.in_a_row >= 2 * s->o.in_flight; // there is no use in asking on
        pending_free(a);
        return ok;
    }
    s->unanswered.in_a_row = 0;
    if (!s->by_logits || !difficulty_of_top(&d, answer->top, answer->top_count)) {
        TRY(vote(s, a, answer->text, strcmp(answer->finish_reason, "length") == 0));
        d = difficulty_of_votes(a->votes);
    }
    return settle(s, a, &d);
}

// ---- until all are answered

static bool all_asked(const Score *s)
{
    return s->read_all && (s->remote ? endpoint_pending(s->endpoint) == 0 : engine_empty(s->session.engine));
}

static bool wait_for_answers(Score *s)
{
    EndpointAnswer answer;
    bool there;
    if (!s->remote)
        return engine_step(s->session.engine) && take_results(s);
    if (endpoint_pending(s->endpoint) == 0)
        return true;
    if (!endpoint_try(s->endpoint, &answer, 1, &there))
        return error_kind() == ERROR_STOPPED; // the loop sees it
    progress_news(&s->progress, endpoint_news(s->endpoint));
    return !there || take_server_answer(s, &answer);
}

static void show(Score *s, bool last)
{
    EngineStatistics e = {0};
    if (!s->remote)
        e = engine_statistics(s->session.engine);
    int64_t running = s->remote ? (int64_t)endpoint_pending(s->endpoint) : e.sequences_running;
    progress_show(&s->progress, s->journal.count, s->remote ? -1 : e.prompt_tokens + e.sampled_tokens, running, last);
}

static void summarise(Score *s)
{
    const int64_t *n = s->levels;
    progress_note(&s->progress,
                  "difficulty 1: %" PRId64 " | 2: %" PRId64 " | 3: %" PRId64 " | 4: %" PRId64 " | 5: %" PRId64
                  " | no usable score: %" PRId64 "%s",
                  n[1], n[2], n[3], n[4], n[5], n[0], n[0] > 0 ? " (3 stands in, with difficulty_default)" : "");
}

static int64_t useless_allowed(const Score *s)
{
    return (int64_t)(s->o.unusable_share * (double)s->mine + 1e-9); // 0.29 · 100 is 28.999999999999996
}

// Known as soon as there are so many, whatever the others will say.
static bool too_many_useless(const Score *s) { return s->levels[0] > useless_allowed(s); }

static bool refuse_useless(Score *s)
{
    for (size_t i = 0; i < s->useless.size; i++) // nothing that acts on a terminal
        if ((unsigned char)s->useless.data[i] < ' ' || s->useless.data[i] == 0x7f)
            s->useless.data[i] = ' ';
    return fail(
        "%" PRId64 " of %" PRId64 " rows have no usable score so far, and --unusable-share %g allows no more than %" PRId64
        "; the first answer of no use ends in \"%s\"; ask more clearly (--rubric), give it more room (--max-new-tokens) or "
        "take another model, and %s; or raise --unusable-share, and the same command goes on",
        s->levels[0], s->mine, s->o.unusable_share, useless_allowed(s), s->useless.data == NULL ? "" : s->useless.data,
        s->journal.anew.data);
}

static bool finish(Score *s)
{
    return unanswered_fail(&s->unanswered, s->journal.file.path) && part_finish(&s->journal, s->o.part, 1);
}

static bool score_all(Score *s)
{
    while (signal_received() == 0 && !too_many_useless(s)) {
        TRY(ask(s));
        if (all_asked(s))
            break;
        TRY(wait_for_answers(s));
        show(s, false);
    }
    show(s, true);
    summarise(s);
    if (too_many_useless(s))
        return refuse_useless(s);
    return signal_checked("") && finish(s);
}

static bool stop(void *state)
{
    Score *s = state;
    journal_tell_stopped(&s->journal, &s->progress);
    return true;
}

// ---- what has to be there before the first problem

static bool find_digits(Score *s)
{
    for (int i = 0; i < DIFFICULTIES; i++) {
        TokenList ids = {0};
        char digit = (char)('1' + i);
        bool ok = encode(s->encoder, &ids, &digit, 1), one = ok && ids.count == 1;
        s->digits[i] = one ? ids.ids[0] : 0;
        tokens_free(&ids);
        TRY(ok);
        if (!one)
            return fail("%s: \"%c\" is not one token, so digits have no probabilities; use --method generate",
                        s->session.files.tokenizer_folder.data, digit);
    }
    return true;
}

// What all prompts begin with, up to the problem, in text; where tokens merge across that edge, the engine shares a token less.
static bool open_beginning(Score *s)
{
    static const Text one = {"1", 1}, other = {"x", 1};
    Bytes a = {0}, b = {0};
    TokenList ids = {0};
    size_t same = 0;
    bool ok = render(s, &a, one) && render(s, &b, other);
    while (ok && same < a.size && same < b.size && a.data[same] == b.data[same])
        same++;
    ok = ok && encode(s->encoder, &ids, a.data, same);
    if (ok && ids.count > 0)
        ok = (s->beginning = engine_prefix(s->session.engine, NULL, ids.ids, (int64_t)ids.count)) != NULL;
    bytes_free(&a);
    bytes_free(&b);
    tokens_free(&ids);
    return ok;
}

static SessionOptions session_options(const Score *s)
{
    SessionOptions o = {0};
    o.model = s->o.model;
    o.tokenizer = s->o.tokenizer;
    o.template = s->o.template.name;
    o.device = s->o.machine.device.name;
    o.threads = s->o.machine.threads;
    o.context = s->o.context;
    o.sequences = s->o.sequences;
    o.pass_tokens = s->o.pass_tokens;
    o.cache = s->o.cache;
    o.probes = s->by_logits ? DIFFICULTIES : 0;
    return o;
}

static bool choose_memory(Score *s)
{
    Needs needs = {0};
    SessionOptions o = session_options(s);
    needs.has_context = true;
    return fit_open(&s->fit, &s->o.machine) && session_needs(&needs.own, s->fit.kernels, &o) && fit_choose(&s->fit, &needs);
}

static bool open_model(Score *s)
{
    SessionOptions o = session_options(s);
    o.fit = &s->fit;
    TRY(choose_memory(s));
    TRY(session_open(&s->session, &o));
    if (s->session.files.tokenizer == NULL)
        return fail("%s: has no tokenizer; name one with --tokenizer", s->session.files.folder.data);
    TRY((s->encoder = encoder_open(s->session.files.tokenizer)) != NULL);
    s->chat = s->session.files.chat;
    if (s->by_logits)
        s->chat.kind = template_without_thoughts(s->chat.kind); // a thought would come before the digit
    return (!s->by_logits || find_digits(s)) && open_beginning(s);
}

// A folder is known by its last two names: "model" alone is what every run calls its own.
static bool name_scorer(Score *s)
{
    if (s->remote)
        return bytes_text(&s->scorer, s->o.model);
    char *path = realpath(s->session.files.folder.data, NULL);
    if (path == NULL)
        return fail_errno("%s: where it is", s->session.files.folder.data);
    const char *from = path + strlen(path);
    for (int slashes = 0; from > path && (from[-1] != '/' || ++slashes < 2);)
        from--;
    bool ok = bytes_text(&s->scorer, from);
    free(path);
    return ok;
}

static bool open_server(Score *s)
{
    Bytes *path = &s->answers;
    TRY(s->o.answers[0] != 0 ? bytes_text(path, s->o.answers) : bytes_printf(path, "%s.answers", s->out.data));
    EndpointOptions o = {0};
    o.url = s->o.endpoint;
    o.model = s->o.model;
    o.temperature = s->o.temperature;
    o.max_tokens = s->by_logits ? 1 : s->o.max_new_tokens;
    o.seed = s->o.seed;
    o.logprobs = s->by_logits;
    o.in_flight = (int)s->o.in_flight;
    o.attempts = (int)s->o.attempts;
    o.seconds = s->o.timeout;
    o.backoff = 1;
    o.cache = path->data;
    return (s->endpoint = endpoint_open(&o)) != NULL;
}

static bool open_journal(Score *s, const RowFacts *facts)
{
    uint64_t model = hash_bytes(s->o.model, strlen(s->o.model)), tokenizer = 0;
    if (!s->remote) {
        TRY(session_fingerprint(&s->session, &model));
        tokenizer = tokenizer_hash(s->session.files.tokenizer);
    }
    s->weights = model;
    json_t *identity = options_identity(&s->options);
    TRY(identity != NULL);
    bool ok = journal_fact(identity, "rows", facts->hash) && journal_fact(identity, "model", model) &&
              journal_fact(identity, "tokenizer files", tokenizer) && journal_fact(identity, "rubric", s->rubric.hash);
    ok = ok && journal_open(&s->journal, s->out.data, (uint64_t)facts->rows, &s->options, identity, s->answers.data);
    json_decref(identity);
    return ok;
}

static bool check_options(const Score *s)
{
    if (s->remote && s->o.machine.plan)
        return fail_as(ERROR_USAGE, "--plan: the model is behind --endpoint, and takes no memory here");
    if (!s->o.machine.plan && (s->o.data.count == 0 || s->o.out[0] == 0))
        return fail_as(ERROR_USAGE, "give --data and --out");
    if (s->o.model[0] == 0)
        return fail(s->remote ? "--endpoint: give --model, the model's name there" : "give --model, a Hugging Face folder");
    if (s->remote && s->o.samples > 1)
        return fail_as(ERROR_USAGE, "--samples is for a model of --model; a server is asked once for each problem");
    if (s->o.samples > 1 && (s->by_logits || s->o.temperature == 0))
        return fail_as(ERROR_USAGE,
                       "--samples %" PRId64 ": several answers are for --method generate with a --temperature above 0",
                       s->o.samples);
    return true;
}

static bool open_all(Score *s, RowFacts *facts)
{
    RowOptions *o = &s->row_options;
    o->paths = s->o.data.items;
    o->path_count = s->o.data.count;
    o->skip_bad_rows = s->o.skip_bad_rows;
    o->reading.prompts = true;
    o->reading.any_difficulty = true;
    TRY(row_options_map(o, s->o.map.items, s->o.map.count, s->o.format.name));
    TRY(part_parse(&o->part, &o->parts, s->o.part) && part_path(&s->out, s->o.out, s->o.part) && rows_facts(facts, o) &&
        rows_open(&s->rows, o));
    return (s->remote ? open_server(s) : open_model(s)) && name_scorer(s) && open_journal(s, facts);
}

static bool run(void *state)
{
    Score *s = state;
    RowFacts facts;
    s->by_logits = s->o.method.place == 0;
    s->remote = s->o.endpoint[0] != 0;
    TRY(rubric_open(&s->rubric, s->o.rubric));
    if (s->o.print_rubric)
        return (fwrite(s->rubric.text.data, 1, s->rubric.text.size, stdout) == s->rubric.text.size && putchar('\n') != EOF &&
                fflush(stdout) == 0) ||
               fail_errno("writing the rubric");
    if (s->o.join)
        return parts_join(s->o.out, s->o.part, &s->options);
    TRY(check_options(s));
    if (s->o.machine.plan)
        return choose_memory(s) && fit_print(&s->fit, stdout);
    TRY(signals_install("stopping; what is finished is kept, and the same command goes on (again: at once)\n") &&
        open_all(s, &facts));
    s->mine = facts.mine;
    TRY(journal_each(&s->journal, count, s));
    s->progress = progress_begin(stderr, facts.mine, s->journal.before);
    Bytes about = {0};
    if (s->remote)
        progress_note(&s->progress, "asking %s at %s, %" PRId64 " questions at once", s->o.model, s->o.endpoint, s->o.in_flight);
    else {
        session_describe(&s->session, &about);
        progress_note(&s->progress, "%s", about.data);
    }
    bytes_free(&about);
    if (s->journal.before > 0)
        progress_note(&s->progress, "%s has %" PRId64 " of %" PRId64 " rows; going on", s->journal.file.path, s->journal.before,
                      facts.mine);
    return score_all(s);
}

static void close_all(void *state)
{
    Score *s = state;
    progress_end(&s->progress);
    while (s->asked != NULL)
        pending_free(s->asked);
    rows_close(&s->rows);
    field_maps_free(&s->row_options.maps);
    journal_close(&s->journal);
    endpoint_close(s->endpoint);
    if (s->session.engine != NULL)
        engine_prefix_release(s->session.engine, s->beginning);
    encoder_close(s->encoder);
    session_close(&s->session);
    fit_close(&s->fit);
    rubric_close(&s->rubric);
    bytes_free(&s->text);
    bytes_free(&s->line);
    bytes_free(&s->out);
    bytes_free(&s->answers);
    bytes_free(&s->scorer);
    unanswered_free(&s->unanswered);
    bytes_free(&s->useless);
}

static const Program SCORE = {"score", SCORE_USAGE, score_options, run, stop, close_all};

int main(int count, char **words)
{
    Score s = {.progress = {.out = stderr}};
    return program_main(&SCORE, &s, &s.options, &s.o, count, words);
}
