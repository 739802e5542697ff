// The loop of a program that asks a language model about rows: see row_work.h.
#include "engine/row_work.h"
#include "system/signals.h"
#include <string.h>

// ---- what has to be there before the first row

// Whether an option is read for a model of this kind only.
static bool is_for_server(const OptionRow *row)
{
    return strcmp(row->group, "server") == 0 && strcmp(row->name, "endpoint") != 0;
}

static bool is_for_folder(const OptionRow *row)
{
    static const char *const groups[] = {"machine", "chat"}, *const names[] = {"tokenizer", "template", "ignore_eos"};
    bool it = false;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        it = it || strcmp(row->group, groups[i]) == 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        it = it || strcmp(row->name, names[i]) == 0;
    return it;
}

static bool check_kind(const RowWork *w)
{
    const Options *given = w->options.given;
    for (size_t i = 0; i < given->table.count; i++) {
        const OptionRow *row = &given->table.rows[i];
        char shown[OPTION_NAME];
        if (!option_on_command_line(given, row->name) || !(w->remote ? is_for_folder(row) : is_for_server(row)))
            continue;
        option_shown(shown, row->name);
        return w->remote
                   ? fail_as(ERROR_USAGE,
                             "--%s: is for a model that runs here, and --endpoint asks a server; leave one away", shown)
                   : fail_as(ERROR_USAGE, "--%s: is for a server; give --endpoint URL, or leave it away", shown);
    }
    return true;
}

bool row_work_check(RowWork *w)
{
    w->remote = w->options.server->endpoint[0] != 0;
    if (w->options.asked->model[0] == 0)
        return fail(w->remote ? "--endpoint: give --model, the model's name there"
                              : "give --model, a Hugging Face folder");
    return check_kind(w);
}

static SessionOptions session_options(const RowWork *w, int64_t probes)
{
    const RowWorkOptions *o = &w->options;
    return (SessionOptions){.model = o->asked->model,
                            .tokenizer = o->asked->tokenizer,
                            .template = o->asked->template.name,
                            .device = o->machine->device.name,
                            .threads = o->machine->threads,
                            .context = o->context,
                            .sequences = o->sizes->sequences,
                            .pass_tokens = o->sizes->pass_tokens,
                            .cache = o->sizes->cache,
                            .probes = probes,
                            .fit = &w->fit};
}

static bool choose_memory(RowWork *w, const SessionOptions *options)
{
    Needs needs = {.has_context = true};
    return fit_open(&w->fit, w->options.machine) && session_needs(&needs.own, w->fit.kernels, options) &&
           fit_choose(&w->fit, &needs);
}

bool row_work_plan(RowWork *w, int64_t probes)
{
    SessionOptions options = session_options(w, probes);
    return choose_memory(w, &options) && fit_print(&w->fit, stdout);
}

bool row_work_open_rows(RowWork *w, const RecordOptions *reading)
{
    RowOptions *o = &w->reading;
    const PartOptions *part = w->options.part;
    *o = (RowOptions){.paths = w->options.files->items, .path_count = w->options.files->count, .reading = *reading};
    TRY(row_options_set(o, w->options.reading));
    TRY(part_parse(&o->part, &o->parts, part->part) && part_path(&w->out, part->out, part->part));
    return rows_facts(&w->facts, o) && rows_open(&w->rows, o);
}

bool row_work_open_folder(RowWork *w, int64_t probes)
{
    SessionOptions options = session_options(w, probes);
    TRY(choose_memory(w, &options) && session_open(&w->session, &options));
    w->stops.tokenizer = w->session.files.tokenizer;
    return w->stops.tokenizer == NULL || (w->encoder = encoder_open(w->stops.tokenizer)) != NULL;
}

bool row_work_open_server(RowWork *w, const EndpointOptions *options)
{
    return (w->endpoint = endpoint_open(options)) != NULL;
}

bool row_work_open_journal(RowWork *w, const json_t *identity, const char *answers)
{
    uint64_t most = (uint64_t)(w->facts.rows * w->options.each);
    return journal_open(&w->journal, w->out.data, most, w->options.given, identity, answers);
}

// ---- a row's way in

uint64_t row_work_number(const RowWork *w, int64_t row, int64_t sample)
{
    return (uint64_t)(row * w->options.each + sample);
}

bool row_work_lacks(const RowWork *w, int64_t sample)
{
    return !journal_has(&w->journal, row_work_number(w, w->rows.number, sample));
}

Pending *row_work_pending(RowWork *w, const Record *record)
{
    Pending *row = pending_new(&w->pending, w->rows.number);
    if (row == NULL || bytes_printf(&row->place, "%s:%" PRId64, w->rows.files[w->rows.file], record->line))
        return row;
    pending_free(row);
    return NULL;
}

static bool stops_here(void *stops, uint64_t tag, int32_t sample, const int32_t *ids, int64_t count)
{
    (void)tag;
    (void)sample;
    return stop_texts_met(stops, ids, count);
}

bool row_work_ask_folder(RowWork *w, Pending *row, const GenerationRequest *request)
{
    GenerationRequest r = *request;
    r.tag = (uint64_t)(uintptr_t)row;
    r.prompt = row->ids.ids;
    r.prompt_count = (int64_t)row->ids.count;
    r.stop = w->session.files.stop;
    r.stop_count = w->options.past_end_tokens ? 0 : w->session.files.stop_count;
    r.watch = w->stops.count > 0 ? stops_here : NULL;
    r.watch_context = &w->stops;
    row->left += r.samples;
    return engine_add(w->session.engine, &r);
}

bool row_work_ask_server(RowWork *w, Pending *row, const Message *messages, size_t count, int64_t seed)
{
    row->left = 1;
    return endpoint_ask_seeded(w->endpoint, messages, count, seed, (uint64_t)(uintptr_t)row);
}

// Without a tokenizer, or with a template that is not known, no text can be asked of a folder's model: no row is at
// fault.
static bool can_ask(const RowWork *w, const Record *record)
{
    const ModelFiles *files = &w->session.files;
    return w->remote || record->format == ROW_IDS || template_can_render(&files->chat, files->tokenizer) ||
           fail_in("%s", files->folder.data);
}

static bool is_finished(const RowWork *w)
{
    int64_t there = 0;
    while (there < w->options.each && !row_work_lacks(w, there))
        there++;
    return there == w->options.each;
}

static bool ask_row(RowWork *w, const Record *record)
{
    TRY(can_ask(w, record));
    if (is_finished(w) || w->ask(w->program, record))
        return true;
    fail_in("%s:%" PRId64, w->rows.files[w->rows.file], record->line);
    return rows_refuse(&w->rows);
}

static bool has_room(const RowWork *w)
{
    return w->remote ? endpoint_pending(w->endpoint) < 2 * (size_t)w->options.server->in_flight
                     : engine_has_room(w->session.engine);
}

static bool ask_while_there_is_room(RowWork *w)
{
    while (!w->all_asked && has_room(w)) {
        Record record;
        bool there;
        TRY(rows_next(&w->rows, &record, &there));
        w->all_asked = !there;
        if (!there)
            break;
        bool ok = ask_row(w, &record);
        record_free(&record);
        TRY(ok);
    }
    return true;
}

// ---- and an answer's out

static bool is_end_token(const RowWork *w, int32_t id)
{
    const ModelFiles *files = &w->session.files;
    for (int64_t i = 0; i < files->stop_count && !w->options.past_end_tokens; i++)
        if (files->stop[i] == id)
            return true;
    return false;
}

// The text of a response: without the token, or from the text on, that ended it.
static bool text_of(RowWork *w, const GenerationResult *r, Text *text)
{
    int64_t count = r->count > 0 && is_end_token(w, r->ids[r->count - 1]) ? r->count - 1 : r->count;
    bytes_clear(&w->text);
    if (w->stops.tokenizer == NULL)
        return true;
    TRY(decode(w->stops.tokenizer, &w->text, r->ids, (size_t)count, false) && bytes_text(&w->text, ""));
    *text = (Text){w->text.data, stop_texts_cut(&w->stops, w->text.data, w->text.size)};
    return true;
}

static bool take_generated(RowWork *w, const GenerationResult *result)
{
    Pending *row = (Pending *)(uintptr_t)result->tag;
    RowAnswer answer = {.sample = result->sample, .generated = result};
    answer.finish_reason = result->reason == FINISH_STOP ? "stop" : "length";
    row->left--;
    bool ok = text_of(w, result, &answer.text) && w->take(w->program, row, &answer);
    if (row->left == 0)
        pending_free(row);
    return ok;
}

static bool step_engine(RowWork *w)
{
    GenerationResult result;
    TRY(engine_step(w->session.engine));
    while (engine_next(w->session.engine, &result))
        TRY(take_generated(w, &result));
    return true;
}

static bool take_from_server(RowWork *w, const EndpointAnswer *said)
{
    Pending *row = (Pending *)(uintptr_t)said->tag;
    RowAnswer answer = {.sample = row->sample, .text = said->text, .thought = said->reasoning};
    answer.finish_reason = said->finish_reason;
    answer.top = said->top;
    answer.top_count = said->top_count;
    row->left = 0;
    if (!said->failed)
        w->unanswered.in_a_row = 0;
    bool ok = said->failed ? unanswered_take(&w->unanswered, said, &w->rows, row->place.data)
                           : w->take(w->program, row, &answer);
    pending_free(row);
    w->all_asked = w->all_asked || w->unanswered.in_a_row >= 2 * w->options.server->in_flight; // no use in asking on
    return ok;
}

static bool wait_for_server(RowWork *w)
{
    EndpointAnswer answer;
    bool there;
    if (endpoint_pending(w->endpoint) == 0)
        return true;
    if (!endpoint_try(w->endpoint, &answer, 1, &there))
        return error_kind() == ERROR_STOPPED; // the loop sees it
    progress_news(&w->progress, endpoint_news(w->endpoint));
    return !there || take_from_server(w, &answer);
}

// ---- until all are answered

static void announce(RowWork *w)
{
    const RowWorkOptions *o = &w->options;
    Bytes about = {0};
    if (w->remote)
        progress_note(&w->progress, "asking %s at %s, %" PRId64 " %s at once", o->asked->model, o->server->endpoint,
                      o->server->in_flight, o->questions);
    else {
        session_describe(&w->session, &about);
        progress_note(&w->progress, "%s", about.data);
    }
    bytes_free(&about);
    if (w->journal.before > 0)
        progress_note(&w->progress, "%s has %" PRId64 " of %" PRId64 " %s; going on", w->journal.file.path,
                      w->journal.before, w->progress.total, o->results);
}

static void show(RowWork *w, bool last)
{
    EngineStatistics s = {0};
    if (!w->remote)
        s = engine_statistics(w->session.engine);
    int64_t tokens = s.sampled_tokens + (w->options.counts_prompts ? s.prompt_tokens : 0);
    int64_t running = w->remote ? (int64_t)endpoint_pending(w->endpoint) : s.sequences_running;
    progress_show(&w->progress, w->journal.count, w->remote ? -1 : tokens, running, last);
}

static bool all_answered(const RowWork *w)
{
    return w->all_asked && (w->remote ? endpoint_pending(w->endpoint) == 0 : engine_empty(w->session.engine));
}

bool row_work_run(RowWork *w)
{
    w->progress = progress_begin(stderr, w->facts.mine * w->options.each, w->journal.before);
    announce(w);
    while (signal_received() == 0 && !(w->enough != NULL && w->enough(w->program))) {
        TRY(ask_while_there_is_room(w));
        if (all_answered(w))
            break;
        TRY(w->remote ? wait_for_server(w) : step_engine(w));
        show(w, false);
    }
    show(w, true);
    return true;
}

bool row_work_finish(RowWork *w)
{
    return signal_checked("") && unanswered_fail(&w->unanswered, w->journal.file.path) &&
           part_finish(&w->journal, w->options.part->part, w->options.each);
}

void row_work_close(RowWork *w)
{
    progress_end(&w->progress);
    while (w->pending != NULL)
        pending_free(w->pending);
    rows_close(&w->rows);
    field_maps_free(&w->reading.maps);
    journal_close(&w->journal);
    endpoint_close(w->endpoint);
    unanswered_free(&w->unanswered);
    encoder_close(w->encoder);
    session_close(&w->session);
    fit_close(&w->fit);
    bytes_free(&w->text);
    bytes_free(&w->out);
}
