// Responses of a model: every prompt goes to the generation engine, every response back into its row. What makes a response
// depends on the row and the seed alone, so rows may be shared out, repeated one by one, or taken up again after an
// interruption. The model is a folder here, or behind a server; then the draws are the server's. This is C,
// whatever the file is called: it compiles with or without nvcc.
#include "rows/tokenised.h"
#include "chat/chat.h"
#include "engine/session.h"
#include "engine/stops.h"
#include "generate_options.h"
#include "log/progress.h"
#include "options/program.h"
#include "rows/journal.h"
#include "rows/parts.h"
#include "rows/pending.h"
#include "rows/row_write.h"
#include "rows/rows.h"
#include "rows/unanswered.h"
#include "server/endpoint.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>

typedef struct Generate {
    GenerateOptions o;
    Options options;
    Fit fit; // its memory
    Session session;
    Encoder *encoder; // NULL without a tokenizer
    RowOptions row_options;
    RowReader rows;
    Journal journal;
    Progress progress;
    StopTexts stops;
    Bytes out;        // the file to write: --out, or a part's
    Bytes text, line; // of the prompt, or the response, at hand
    Pending *asked;   // rows whose samples are on their way
    bool read_all, remote;
    Endpoint *endpoint; // a server's; NULL: the sampler is open instead
    Unanswered unanswered;
} Generate;

// The last three would be the thought of the row's own response, and stand beside another one's text, which has its thought in it.
static const char *const OWN_FIELDS[] = {
    "sample",        "prompt_ids",        "ids",       "text",     "logprobs", "processed_logprobs",
    "finish_reason", "reasoning_content", "reasoning", "thinking", NULL};

// ---- one row's way in

static bool prompt_ids(Generate *g, TokenList *ids, const Record *record)
{
    if (record->format == ROW_IDS) {
        TRY(grow(&ids->ids, &ids->capacity, record->tokens, sizeof *ids->ids));
        memcpy(ids->ids, record->ids, record->tokens * sizeof *ids->ids);
        ids->count = record->tokens;
        return true;
    }
    bytes_clear(&g->text);
    return template_prompt(&g->session.files.chat, &g->text, record->messages, record_prompt(record), true) &&
           encode(g->encoder, ids, g->text.data, g->text.size);
}

static bool watch_stops(void *context, uint64_t tag, int32_t sample, const int32_t *ids, int64_t count)
{
    (void)tag;
    (void)sample;
    return stop_texts_met((const StopTexts *)context, ids, count);
}

// The samples from `first` on, `count` of them.
static bool ask_samples(Generate *g, Pending *a, const Record *record, int64_t first, int64_t count)
{
    GenerationRequest r = {0};
    r.tag = (uint64_t)(uintptr_t)a;
    r.seed = (uint64_t)g->o.seed;
    r.id = hash_bytes(record->id, strlen(record->id));
    r.prompt = a->ids.ids;
    r.prompt_count = (int64_t)a->ids.count;
    r.first_sample = (int32_t)first;
    r.samples = (int32_t)count;
    r.max_new_tokens = g->o.max_new_tokens;
    r.expected = g->o.ignore_eos ? g->o.max_new_tokens : 0;
    r.temperature = (float)g->o.temperature;
    r.top_k = (int32_t)g->o.top_k;
    r.top_p = (float)g->o.top_p;
    r.min_p = (float)g->o.min_p;
    r.stop = g->session.files.stop;
    r.stop_count = g->o.ignore_eos ? 0 : g->session.files.stop_count;
    r.watch = g->stops.count > 0 ? watch_stops : NULL;
    r.watch_context = &g->stops;
    return engine_add(g->session.engine, &r);
}

// Those samples that an earlier run has not finished; runs of them share their prompt.
static bool ask_missing(Generate *g, Pending *a, const Record *record)
{
    uint64_t base = (uint64_t)a->number * (uint64_t)g->o.samples;
    for (int64_t first = 0; first < g->o.samples;) {
        int64_t end = first;
        while (end < g->o.samples && !journal_has(&g->journal, base + (uint64_t)end))
            end++;
        if (end > first)
            TRY(ask_samples(g, a, record, first, end - first));
        a->left += end - first;
        first = end > first ? end : end + 1;
    }
    return true;
}

static uint64_t number_of(const Generate *g, int64_t row, int64_t sample) { return (uint64_t)(row * g->o.samples + sample); }

// A server draws by a seed of each sample's own, of 31 bits: more is not understood by all.
static int64_t seed_of(const Generate *g, const Record *record, int64_t sample)
{
    uint64_t names[] = {(uint64_t)g->o.seed, hash_bytes(record->id, strlen(record->id)), (uint64_t)sample};
    return (int64_t)(hash_bytes(names, sizeof names) >> 33);
}

static bool ask_server(Generate *g, const Record *record, int64_t sample)
{
    Pending *a = pending_new(&g->asked, g->rows.number);
    TRY(a != NULL);
    a->sample = sample;
    bool ok = row_begin(&a->row, record, OWN_FIELDS) &&
              bytes_printf(&a->place, "%s:%" PRId64, g->rows.files[g->rows.file], record->line) &&
              endpoint_ask_seeded(g->endpoint, record->messages, record_prompt(record), seed_of(g, record, sample),
                                  (uint64_t)(uintptr_t)a);
    if (!ok)
        pending_free(a);
    return ok;
}

static bool ask_server_row(Generate *g, const Record *record)
{
    bool ok = record->format != ROW_IDS || fail("a row of ids, and a server is asked in words");
    for (int64_t sample = 0; ok && sample < g->o.samples; sample++)
        ok = journal_has(&g->journal, number_of(g, g->rows.number, sample)) || ask_server(g, record, sample);
    return ok || fail_in("%s:%" PRId64, g->rows.files[g->rows.file], record->line);
}

static bool ask_row(Generate *g, const Record *record)
{
    Pending *a = pending_new(&g->asked, g->rows.number);
    TRY(a != NULL);
    bool ok = prompt_ids(g, &a->ids, record) && row_begin(&a->row, record, OWN_FIELDS) && ask_missing(g, a, record);
    if (!ok || a->left == 0)
        pending_free(a); // a request is refused before any sample of it is taken
    return ok || fail_in("%s:%" PRId64, g->rows.files[g->rows.file], record->line);
}

// Without a tokenizer, or with a template that is not known, no text can be asked of a folder's model: no row is at fault.
static bool can_ask(const Generate *g, const Record *record)
{
    TokenRules rules = {0};
    rules.tokenizer = g->session.files.tokenizer;
    rules.chat = &g->session.files.chat;
    return g->remote || record->format == ROW_IDS || can_render(&rules) || fail_in("%s", g->session.files.folder.data);
}

static bool has_room(const Generate *g)
{
    return g->remote ? endpoint_pending(g->endpoint) < 2 * (size_t)g->o.in_flight : engine_has_room(g->session.engine);
}

static bool ask(Generate *g)
{
    while (!g->read_all && has_room(g)) {
        Record record;
        bool there;
        TRY(rows_next(&g->rows, &record, &there));
        g->read_all = !there;
        if (!there)
            break;
        bool possible = can_ask(g, &record);
        bool ok = possible && (g->remote ? ask_server_row(g, &record) : ask_row(g, &record));
        record_free(&record);
        TRY(ok || (possible && rows_refuse(&g->rows)));
    }
    return true;
}

// ---- and out

static bool is_stop(const Generate *g, int32_t id)
{
    for (int64_t i = 0; i < g->session.files.stop_count && !g->o.ignore_eos; i++)
        if (g->session.files.stop[i] == id)
            return true;
    return false;
}

// The text of a response: without the token, or from the text on, that ended it.
static bool add_text(Generate *g, const GenerationResult *r)
{
    int64_t count = r->count > 0 && is_stop(g, r->ids[r->count - 1]) ? r->count - 1 : r->count;
    bytes_clear(&g->text);
    if (g->session.files.tokenizer == NULL)
        return true;
    TRY(decode(g->session.files.tokenizer, &g->text, r->ids, (size_t)count, false));
    return row_text(&g->line, "text", g->text.data == NULL ? "" : g->text.data,
                    stop_texts_cut(&g->stops, g->text.data, g->text.size));
}

static bool write_answer(Generate *g, const Pending *a, const GenerationResult *r)
{
    bool limited = g->o.temperature > 0 && (g->o.top_k > 0 || g->o.top_p < 1 || g->o.min_p > 0);
    bytes_clear(&g->line);
    TRY(bytes_append(&g->line, a->row.data, a->row.size) && row_integer(&g->line, "sample", r->sample));
    TRY(row_integers(&g->line, "prompt_ids", a->ids.ids, (int64_t)a->ids.count));
    TRY(row_integers(&g->line, "ids", r->ids, r->count) && add_text(g, r));
    TRY(row_floats(&g->line, "logprobs", r->logprob, r->count));
    if (limited)
        TRY(row_floats(&g->line, "processed_logprobs", r->processed, r->count));
    const char *reason = r->reason == FINISH_STOP ? "stop" : "length";
    TRY(row_text(&g->line, "finish_reason", reason, strlen(reason)) && row_end(&g->line));
    return journal_add(&g->journal, number_of(g, a->number, r->sample), g->line.data, g->line.size);
}

static bool take_answers(Generate *g)
{
    GenerationResult result;
    while (engine_next(g->session.engine, &result)) {
        Pending *a = (Pending *)(uintptr_t)result.tag;
        bool ok = write_answer(g, a, &result);
        if (--a->left == 0)
            pending_free(a);
        TRY(ok);
    }
    EngineStatistics s = engine_statistics(g->session.engine);
    progress_show(&g->progress, g->journal.count, s.sampled_tokens, s.sequences_running, false);
    return true;
}

static bool write_server_answer(Generate *g, const Pending *a, const EndpointAnswer *r)
{
    bytes_clear(&g->line);
    TRY(bytes_append(&g->line, a->row.data, a->row.size) && row_integer(&g->line, "sample", a->sample) &&
        row_thought(&g->line, "text", r->reasoning, r->text, strcmp(r->finish_reason, "stop") != 0) &&
        row_text(&g->line, "finish_reason", r->finish_reason, strlen(r->finish_reason)) && row_end(&g->line));
    return journal_add(&g->journal, number_of(g, a->number, a->sample), g->line.data, g->line.size);
}

static bool take_server_answer(Generate *g, const EndpointAnswer *answer)
{
    Pending *a = (Pending *)(uintptr_t)answer->tag;
    bool ok =
        answer->failed ? unanswered_take(&g->unanswered, answer, &g->rows, a->place.data) : write_server_answer(g, a, answer);
    if (!answer->failed)
        g->unanswered.in_a_row = 0;
    g->read_all = g->read_all || g->unanswered.in_a_row >= 2 * g->o.in_flight; // there is no use in asking on
    pending_free(a);
    return ok;
}

static bool wait_for_server(Generate *g)
{
    EndpointAnswer answer;
    bool there;
    if (endpoint_pending(g->endpoint) == 0)
        return true;
    if (!endpoint_try(g->endpoint, &answer, 1, &there))
        return error_kind() == ERROR_STOPPED; // the loop sees it
    progress_news(&g->progress, endpoint_news(g->endpoint));
    TRY(!there || take_server_answer(g, &answer));
    progress_show(&g->progress, g->journal.count, -1, (int64_t)endpoint_pending(g->endpoint), false);
    return true;
}

static bool all_answered(const Generate *g)
{
    return g->read_all && (g->remote ? endpoint_pending(g->endpoint) == 0 : engine_empty(g->session.engine));
}

static bool generate_all(Generate *g)
{
    while (signal_received() == 0) {
        TRY(ask(g));
        if (all_answered(g))
            break;
        TRY(g->remote ? wait_for_server(g) : engine_step(g->session.engine) && take_answers(g));
    }
    int64_t tokens = g->remote ? -1 : engine_statistics(g->session.engine).sampled_tokens;
    progress_show(&g->progress, g->journal.count, tokens, 0, true);
    return signal_checked("") && unanswered_fail(&g->unanswered, g->journal.file.path) &&
           part_finish(&g->journal, g->o.part, g->o.samples);
}

static bool stop(void *state)
{
    Generate *g = state;
    if (!g->o.chat)
        journal_tell_stopped(&g->journal, &g->progress);
    return true;
}

// ---- what has to be there before the first prompt

// Options of one kind of model, given for the other.
static bool check_kind(const Generate *g)
{
    static const struct {
        const char *name, *shown;
        bool remote; // it is a server's
    } those[] = {{"tokenizer", "--tokenizer", false},
                 {"template", "--template", false},
                 {"ignore_eos", "--ignore-eos", false},
                 {"chat", "--chat", false},
                 {"device", "--device", false},
                 {"threads", "--threads", false},
                 {"context", "--context", false},
                 {"sequences", "--sequences", false},
                 {"cache", "--cache", false},
                 {"plan", "--plan", false},
                 {"gpu", "--gpu", false},
                 {"pass_tokens", "--pass-tokens", false},
                 {"in_flight", "--in-flight", true},
                 {"attempts", "--attempts", true},
                 {"timeout", "--timeout", true}};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (those[i].remote != g->remote && option_on_command_line(&g->options, those[i].name))
            return g->remote
                       ? fail_as(ERROR_USAGE, "%s: is for a model that runs here, and --endpoint asks a server; leave one away",
                                 those[i].shown)
                       : fail_as(ERROR_USAGE, "%s: is for a server; give --endpoint URL, or leave it away", those[i].shown);
    return true;
}

static bool check_options(const Generate *g)
{
    if (g->o.model[0] == 0)
        return fail(g->remote ? "--endpoint: give --model, the model's name there" : "give --model, a Hugging Face folder");
    TRY(check_kind(g));
    if (g->o.chat && (g->o.prompts.count > 0 || g->o.out[0] != 0))
        return fail_as(ERROR_USAGE, "--chat talks in the terminal; leave --prompts and --out away");
    if (!g->o.chat && (g->o.prompts.count == 0 || g->o.out[0] == 0))
        return g->o.machine.plan || fail_as(ERROR_USAGE, "give --prompts and --out, or --chat");
    if (g->o.temperature > 0 && g->o.temperature < 1e-6)
        return fail_as(ERROR_USAGE, "--temperature %g: too small to divide by; 0 is greedy", g->o.temperature);
    for (size_t i = 0; i < g->o.stop.count; i++)
        if (g->o.stop.items[i][0] == 0 || strlen(g->o.stop.items[i]) > 1024)
            return fail_as(ERROR_USAGE, "--stop: a text of 1 to 1024 bytes");
    return true;
}

static SessionOptions session_options(const Generate *g)
{
    SessionOptions o = {0};
    o.model = g->o.model;
    o.tokenizer = g->o.tokenizer;
    o.template = g->o.template.name;
    o.device = g->o.machine.device.name;
    o.threads = g->o.machine.threads;
    o.context = g->o.context;
    o.sequences = g->o.chat ? 1 : g->o.sequences;
    o.pass_tokens = g->o.pass_tokens;
    o.cache = g->o.cache;
    return o;
}

static bool choose_memory(Generate *g)
{
    Needs needs = {0};
    SessionOptions o = session_options(g);
    needs.has_context = true;
    return fit_open(&g->fit, &g->o.machine) && session_needs(&needs.own, g->fit.kernels, &o) && fit_choose(&g->fit, &needs);
}

static bool open_sampler(Generate *g)
{
    SessionOptions o = session_options(g);
    o.fit = &g->fit;
    TRY(choose_memory(g));
    TRY(session_open(&g->session, &o));
    if (g->session.files.tokenizer == NULL && (g->o.stop.count > 0 || g->o.chat))
        return fail("%s: has no tokenizer, so there are no texts; name one with --tokenizer", g->session.files.folder.data);
    g->stops.tokenizer = g->session.files.tokenizer;
    g->stops.texts = g->o.stop.items;
    g->stops.count = g->o.stop.count;
    return g->session.files.tokenizer == NULL || (g->encoder = encoder_open(g->session.files.tokenizer)) != NULL;
}

static bool open_server(Generate *g)
{
    EndpointOptions o = {0};
    o.url = g->o.endpoint;
    o.model = g->o.model;
    o.temperature = g->o.temperature;
    o.top_p = g->o.top_p;
    o.top_k = g->o.top_k;
    o.min_p = g->o.min_p;
    o.stop = g->o.stop.items;
    o.stop_count = g->o.stop.count;
    o.max_tokens = g->o.max_new_tokens;
    o.seed = g->o.seed;
    o.in_flight = (int)g->o.in_flight;
    o.attempts = (int)g->o.attempts;
    o.seconds = g->o.timeout;
    o.backoff = 1;
    o.whole = true;
    return (g->endpoint = endpoint_open(&o)) != NULL;
}

static bool add_model(const Generate *g, json_t *identity)
{
    uint64_t model, tokenizer = g->session.files.tokenizer == NULL ? 0 : tokenizer_hash(g->session.files.tokenizer);
    if (g->remote)
        return json_object_set_new(identity, "model at a server", json_string(g->o.model)) == 0 || fail("no memory");
    TRY(session_fingerprint(&g->session, &model));
    return journal_fact(identity, "model weights", model) && journal_fact(identity, "tokenizer files", tokenizer) &&
           (json_object_set_new(identity, "arithmetic", json_string(g->session.kernels->arithmetic)) == 0 || fail("no memory"));
}

// What the answers depend on, besides the options that say so.
static bool open_journal(Generate *g, const RowFacts *facts)
{
    json_t *identity = options_identity(&g->options);
    TRY(identity != NULL);
    bool ok = journal_fact(identity, "rows", facts->hash) && add_model(g, identity);
    ok = ok && journal_open(&g->journal, g->out.data, (uint64_t)(facts->rows * g->o.samples), &g->options, identity, NULL);
    json_decref(identity);
    return ok;
}

static bool open_rows(Generate *g, RowFacts *facts)
{
    RowOptions *o = &g->row_options;
    o->paths = g->o.prompts.items;
    o->path_count = g->o.prompts.count;
    o->skip_bad_rows = g->o.skip_bad_rows;
    o->reading.instruction = g->o.instruction;
    o->reading.system = g->o.system;
    o->reading.prompts = true;
    o->reading.any_difficulty = true;
    TRY(part_parse(&o->part, &o->parts, g->o.part) && part_path(&g->out, g->o.out, g->o.part) &&
        row_options_map(o, g->o.map.items, g->o.map.count, g->o.format.name));
    return rows_facts(facts, o) && rows_open(&g->rows, o);
}

static void announce(Generate *g)
{
    Bytes about = {0};
    if (g->remote)
        progress_note(&g->progress, "asking %s at %s, %" PRId64 " prompts at once", g->o.model, g->o.endpoint, g->o.in_flight);
    else {
        session_describe(&g->session, &about);
        progress_note(&g->progress, "%s", about.data);
    }
    bytes_free(&about);
    if (g->journal.before > 0)
        progress_note(&g->progress, "%s has %" PRId64 " of %" PRId64 " responses; going on", g->journal.file.path, g->journal.before,
                      g->progress.total);
}

static bool answer_rows(Generate *g)
{
    RowFacts facts;
    TRY(signals_install("stopping; what is finished is kept, and the same command goes on (again: at once)\n") &&
        open_rows(g, &facts) && (g->remote ? open_server(g) : open_sampler(g)) && open_journal(g, &facts));
    g->progress = progress_begin(stderr, facts.mine * g->o.samples, g->journal.before);
    announce(g);
    return generate_all(g);
}

static bool talk(Generate *g)
{
    ChatOptions o = {0};
    o.system = g->o.system;
    o.seed = (uint64_t)g->o.seed;
    o.max_new_tokens = g->o.max_new_tokens;
    o.temperature = (float)g->o.temperature;
    o.top_k = (int32_t)g->o.top_k;
    o.top_p = (float)g->o.top_p;
    o.min_p = (float)g->o.min_p;
    return open_sampler(g) && chat_run(&g->session, g->encoder, &g->stops, &o, stdin, stdout);
}

static bool run(void *state)
{
    Generate *g = state;
    g->remote = g->o.endpoint[0] != 0;
    if (g->o.join)
        return parts_join(g->o.out, g->o.part, &g->options);
    TRY(check_options(g));
    if (g->o.machine.plan)
        return choose_memory(g) && fit_print(&g->fit, stdout);
    return g->o.chat ? talk(g) : answer_rows(g);
}

static void close_all(void *state)
{
    Generate *g = state;
    progress_end(&g->progress);
    while (g->asked != NULL)
        pending_free(g->asked);
    rows_close(&g->rows);
    field_maps_free(&g->row_options.maps);
    journal_close(&g->journal);
    endpoint_close(g->endpoint);
    unanswered_free(&g->unanswered);
    encoder_close(g->encoder);
    session_close(&g->session);
    fit_close(&g->fit);
    bytes_free(&g->text);
    bytes_free(&g->line);
    bytes_free(&g->out);
}

static const Program GENERATE = {"generate", GENERATE_USAGE, generate_options, run, stop, close_all};

int main(int count, char **words)
{
    Generate g = {.progress = {.out = stderr}};
    return program_main(&GENERATE, &g, &g.options, &g.o, count, words);
}
