// The loop of a program that asks a language model about rows: see row_work.h.
#include "asking/row_work.h"
#include "system/files.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>

// ---- checks before the first row

static bool is_among(const char *word, const char *const *words) // NULL-terminated
{
    while (*words != NULL && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

// Whether only the other kind of model uses this option.
static bool is_for_other(const OptionRow *row, bool remote)
{
    static const char *const folders[] = {"machine", "chat", "tokenizer", "template", "ignore_eos", NULL};
    if (remote)
        return is_among(row->group, folders) || is_among(row->name, folders);
    return strcmp(row->group, "server") == 0;
}

static bool check_kind(const RowWork *w)
{
    const Options *given = w->options.given;
    for (size_t i = 0; i < given->table.count; i++) {
        const OptionRow *row = &given->table.rows[i];
        char shown[OPTION_NAME];
        if (!option_on_command_line(given, row->name) || !is_for_other(row, w->remote))
            continue;
        return fail_as(ERROR_USAGE, "--%s: %s", option_shown(shown, row->name),
                       w->remote ? "is for a model that runs here, and --endpoint asks a server; drop one of the two"
                                 : "is for a server; give --endpoint URL, or drop the option");
    }
    return true;
}

bool row_work_check(RowWork *w)
{
    w->remote = w->options.server->endpoint[0] != 0;
    if (w->options.asked->model[0] == 0)
        return fail(w->remote ? "--endpoint: give --model, the model's name there"
                              : "give --model, a Hugging Face folder");
    return check_kind(w) && part_path(&w->out, w->options.part->out, w->options.part->part);
}

// ---- ranks

static bool open_page(RowWork *w)
{
    const RowWorkOptions *o = &w->options;
    LiveWork work = {.program = o->program,
                     .out = w->out.data,
                     .options = o->given,
                     .rows = true,
                     .rank = w->ranks.rank,
                     .scores = o->scores};
    return live_open(o->live, o->watch, &work);
}

bool row_work_divide(RowWork *w)
{
    const RowWorkOptions *o = &w->options;
    bool part = o->part->part[0] != 0;
    TRY(communicator_start(&w->ranks, o->ranks, o->given, false, &o->machine->threads));
    if (part && w->ranks.size > 1)
        return fail_as(ERROR_USAGE,
                       "--part: several ranks share the rows by themselves; drop it, or start one process");
    if (w->ranks.size == 1)
        TRY(open_page(w)); // before anything is begun
    TRY(part || w->ranks.rank > 0 || parts_begin(&w->joined, o->part->out, w->ranks.size));
    if (w->ranks.size == 1)
        return true;
    if (w->ranks.rank > 0)
        w->progress.out = NULL; // rank 0 shows its own share
    snprintf(w->share, sizeof w->share, "%d/%d", w->ranks.rank, w->ranks.size);
    o->part->part = w->share;
    bytes_clear(&w->out);
    TRY(comm_broadcast(&w->ranks, &w->joined, sizeof w->joined, 0) && part_path(&w->out, o->part->out, w->share));
    w->made = w->joined || file_exists(w->out.data);
    return open_page(w);
}

// What another run has begun is found before any rank begins anew.
static bool open_journal(RowWork *w, const json_t *identity, const char *answers)
{
    uint64_t most = row_work_number(w, w->facts.rows, 0);
    if (w->made) // where all were joined, parts of ranks above 0 may be gone
        return (w->joined && w->ranks.rank > 0) || part_is_of(w->out.data, identity);
    return journal_open(&w->journal, w->out.data, most, w->options.given, identity, answers);
}

bool row_work_open_journal(RowWork *w, json_t *identity, const char *answers)
{
    Bytes partial = {0};
    bool ok = bytes_printf(&partial, "%s.partial", w->out.data);
    bool there = ok && (w->made || file_exists(partial.data));
    ok = ok && (!there || open_journal(w, identity, answers)) && (w->ranks.size == 1 || comm_barrier(&w->ranks)) &&
         (there || open_journal(w, identity, answers));
    bytes_free(&partial);
    json_decref(identity);
    return ok;
}

static SessionOptions session_options(const RowWork *w)
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
                            .probes = o->probes,
                            .fit = &w->fit};
}

static bool choose_memory(RowWork *w, const SessionOptions *options)
{
    Needs needs = {.has_context = true};
    return fit_open(&w->fit, w->options.machine) && session_needs(&needs.own, w->fit.kernels, options) &&
           fit_choose(&w->fit, &needs);
}

bool row_work_plan(RowWork *w)
{
    SessionOptions options = session_options(w);
    return choose_memory(w, &options) && fit_print(&w->fit, stdout);
}

bool row_work_open_folder(RowWork *w)
{
    SessionOptions options = session_options(w);
    TRY(choose_memory(w, &options) && session_open(&w->session, &options));
    w->stops.tokenizer = w->session.files.tokenizer;
    return w->stops.tokenizer == NULL || (w->encoder = encoder_open(w->stops.tokenizer)) != NULL;
}

bool row_work_open_rows(RowWork *w, const RecordOptions *reading)
{
    RowOptions *o = &w->reading;
    *o = (RowOptions){.paths = w->options.files->items, .path_count = w->options.files->count, .reading = *reading};
    return row_options_set(o, w->options.reading) && part_parse(&o->part, &o->parts, w->options.part->part) &&
           rows_facts(&w->facts, o) &&
           (w->facts.rows > 0 || fail("%s%s: holds no rows; give a file that has some", o->paths[0],
                                      o->path_count > 1 ? " and the files after it" : "")) &&
           rows_open(&w->rows, o);
}

bool row_work_open_model(RowWork *w, const EndpointOptions *server)
{
    TRY(signals_install("stopping; what is finished is kept, and the same command goes on (again: at once)\n"));
    return w->remote ? (w->endpoint = endpoint_open(server)) != NULL : row_work_open_folder(w);
}

// ---- what answers depend on

static bool add_text(json_t *identity, const char *name, const char *text)
{
    return json_object_set_new(identity, name, json_string(text)) == 0 || fail("no memory for the identity of a run");
}

static bool identify(const RowWork *w, json_t *identity)
{
    const Tokenizer *tokenizer = w->session.files.tokenizer;
    uint64_t weights;
    TRY(journal_fact(identity, "rows", w->facts.hash));
    if (w->remote)
        return add_text(identity, "model at a server", w->options.asked->model);
    return session_fingerprint(&w->session, &weights) && journal_fact(identity, "model weights", weights) &&
           journal_fact(identity, "tokenizer files", tokenizer == NULL ? 0 : tokenizer_hash(tokenizer)) &&
           add_text(identity, "arithmetic", w->session.kernels->arithmetic);
}

bool row_work_open_models_journal(RowWork *w)
{
    json_t *identity = options_identity(w->options.given);
    TRY(identity != NULL);
    if (identify(w, identity))
        return row_work_open_journal(w, identity, NULL);
    json_decref(identity);
    return false;
}

// ---- asking about a row

uint64_t row_work_number(const RowWork *w, int64_t row, int64_t sample)
{
    return (uint64_t)(row * w->options.each + sample);
}

static void pending_free(Pending *row) // removes it from its list
{
    *row->here = row->next;
    if (row->next != NULL)
        row->next->here = row->here;
    bytes_free(&row->row);
    bytes_free(&row->useless);
    bytes_free(&row->reference);
    bytes_free(&row->place);
    tokens_free(&row->ids);
    free(row);
}

static Pending *pending_new(RowWork *w, const Record *record, int64_t sample) // NULL after fail()
{
    Pending *row = allocate(1, sizeof *row);
    if (row == NULL)
        return NULL;
    *row = (Pending){
        .next = w->pending, .here = &w->pending, .number = w->rows.number, .sample = sample, .stops = &w->stops};
    if (row->next != NULL)
        row->next->here = &row->next;
    w->pending = row;
    if (bytes_printf(&row->place, "%s:%" PRId64, w->rows.files[w->rows.file], record->line))
        return row;
    pending_free(row);
    return NULL;
}

bool row_work_ask_folder(RowWork *w, Pending *row, const GenerationRequest *request)
{
    GenerationRequest r = *request;
    r.tag = (uint64_t)(uintptr_t)row;
    r.prompt = row->ids.ids;
    r.prompt_count = (int64_t)row->ids.count;
    r.stop = w->session.files.stop;
    r.stop_count = w->options.past_end_tokens ? 0 : w->session.files.stop_count;
    r.watch = row->stops->count > 0 ? stop_texts_watch : NULL;
    r.watch_context = (void *)(uintptr_t)row->stops;
    row->left += r.samples;
    return engine_add(w->session.engine, &r);
}

bool row_work_ask_server(RowWork *w, Pending *row, const Message *messages, size_t count, int64_t seed)
{
    row->left++;
    return endpoint_ask_seeded(w->endpoint, messages, count, seed, (uint64_t)(uintptr_t)row);
}

bool row_work_encode(RowWork *w, Pending *row, const Record *record)
{
    TokenList *ids = &row->ids;
    if (record->format == ROW_IDS) {
        TRY(grow(&ids->ids, &ids->capacity, record->tokens, sizeof *ids->ids));
        memcpy(ids->ids, record->ids, record->tokens * sizeof *ids->ids);
        ids->count = record->tokens;
        return true;
    }
    bytes_clear(&w->text);
    return template_prompt(&w->session.files.chat, &w->text, record->messages, record_prompt(record), true) &&
           encode(w->encoder, ids, w->text.data, w->text.size);
}

// Without a tokenizer, or with an unknown template, a folder's model cannot be asked: no row is at fault.
static bool can_ask(const RowWork *w, const Record *record)
{
    const ModelFiles *files = &w->session.files;
    return w->remote || record->format == ROW_IDS || template_can_render(&files->chat, files->tokenizer) ||
           fail_in("%s", files->folder.data);
}

static bool ask_once(RowWork *w, const Record *record, int64_t sample)
{
    Pending *row = pending_new(w, record, sample);
    TRY(row != NULL);
    bool ok = w->ask(w->program, row, record);
    if (!ok || row->left == 0)
        pending_free(row); // a refused request has no samples
    return ok || fail_in("%s:%" PRId64, w->rows.files[w->rows.file], record->line);
}

// Asks for the results that the journal lacks: from a server each sample separately, from a folder all in one request.
static bool ask_row(RowWork *w, const Record *record)
{
    TRY(can_ask(w, record));
    for (int64_t sample = 0; sample < w->options.each; sample++) {
        if (journal_has(&w->journal, row_work_number(w, w->rows.number, sample)))
            continue;
        if (!ask_once(w, record, sample))
            return rows_refuse(&w->rows);
        if (!w->remote)
            break;
    }
    return true;
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

// ---- taking an answer

static bool take_generated(RowWork *w, const GenerationResult *result)
{
    Pending *row = (Pending *)(uintptr_t)result->tag;
    RowAnswer answer = {.sample = result->sample, .generated = result};
    answer.finish_reason = result->reason == FINISH_STOP ? "stop" : "length";
    row->left--;
    const ModelFiles *files = &w->session.files;
    int64_t ends = w->options.past_end_tokens ? 0 : files->stop_count;
    bool ok = row->stops->tokenizer == NULL ||
              stop_texts_response(row->stops, files->stop, ends, result, &w->text, &answer.text);
    ok = ok && w->take(w->program, row, &answer);
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

// Whether the status is about this question or its answer: another attempt gives the same, and another row may succeed.
// 401, 403 and 404 are about the key, the address or the model, and so about every row.
static bool is_about_the_row(int status)
{
    return (status >= 200 && status < 300) || status == 400 || status == 413 || status == 422;
}

// Where the server refuses the question itself (too long, say) and rows may be refused, this row is: once, whatever
// number of questions it has.
static bool take_failure(RowWork *w, Pending *row, const EndpointAnswer *said)
{
    bool about_the_row = is_about_the_row(said->status), again = row->failed;
    row->failed = true;
    if (about_the_row && w->reading.skip_bad_rows > 0) {
        if (again)
            return true;
        fail("%s: %s", row->place.data, said->error);
        return rows_refuse(&w->rows);
    }
    w->for_a_row = w->for_a_row || about_the_row;
    w->all_asked = w->all_asked || ++w->in_a_row >= 2 * w->options.server->in_flight; // further questions are useless
    return again || w->unanswered++ > 0 || bytes_printf(&w->why, "%s: %s", row->place.data, said->error);
}

static bool take_from_server(RowWork *w, const EndpointAnswer *said)
{
    Pending *row = (Pending *)(uintptr_t)said->tag;
    RowAnswer answer = {.sample = row->sample, .text = said->text, .thought = said->reasoning};
    answer.finish_reason = said->finish_reason;
    answer.top = said->top;
    answer.top_count = said->top_count;
    w->in_a_row = said->failed ? w->in_a_row : 0;
    row->left--;
    bool ok = said->failed ? take_failure(w, row, said) : row->failed || w->take(w->program, row, &answer);
    if (row->left == 0)
        pending_free(row);
    return ok;
}

static bool wait_for_server(RowWork *w)
{
    EndpointAnswer answer;
    bool there;
    if (endpoint_pending(w->endpoint) == 0)
        return true;
    if (!endpoint_try(w->endpoint, &answer, 1, &there))
        return error_kind() == ERROR_STOPPED; // the loop handles it
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

// ---- all ranks

enum { REFUSED, FINISHED, SAMPLED }; // what they tell each other

static void count(RowWork *w, int64_t own[MEETING_COUNTS])
{
    EngineStatistics s = {0};
    if (!w->remote && w->session.engine != NULL)
        s = engine_statistics(w->session.engine);
    own[REFUSED] = w->rows.bad;
    own[FINISHED] = w->journal.count;
    own[SAMPLED] = s.sampled_tokens + (w->options.counts_prompts ? s.prompt_tokens : 0);
}

// A limit of the run is one for all ranks together.
static bool refused_are_few(const RowWork *w)
{
    int64_t most = w->reading.skip_bad_rows;
    return w->meeting.own[REFUSED] + w->meeting.others[REFUSED] <= most ||
           fail("more than %" PRId64 " rows are refused by all ranks together (--skip-bad-rows)", most);
}

static void show(RowWork *w, bool last)
{
    const Meeting *m = &w->meeting;
    int64_t running =
        w->remote ? (int64_t)endpoint_pending(w->endpoint) : engine_statistics(w->session.engine).sequences_running;
    LiveProgress now = {.done = m->own[FINISHED] + m->others[FINISHED],
                        .before = w->progress.before,
                        .total = w->progress.total,
                        .tokens = w->remote ? -1 : m->own[SAMPLED] + m->others[SAMPLED],
                        .running = running,
                        .seconds = clock_seconds() - w->progress.begun};
    progress_show(&w->progress, now.done, now.tokens, running, last);
    live_progress(*w->options.live, &now);
}

static bool all_answered(const RowWork *w)
{
    return w->all_asked && (w->remote ? endpoint_pending(w->endpoint) == 0 : engine_empty(w->session.engine));
}

static bool answer(RowWork *w, bool *enough)
{
    int64_t own[MEETING_COUNTS];
    while (signal_received() == 0 && !(*enough = w->enough != NULL && w->enough(w->program))) {
        TRY(ask_while_there_is_room(w));
        if (all_answered(w))
            break;
        TRY(w->remote ? wait_for_server(w) : step_engine(w));
        count(w, own);
        TRY(meeting_go_on(&w->meeting, own) && refused_are_few(w));
        show(w, false);
    }
    count(w, w->meeting.own);
    return true;
}

static bool begin(RowWork *w)
{
    int64_t before[2] = {w->journal.before, w->facts.mine};
    TRY(w->ranks.size == 1 || comm_sum(&w->ranks, before, 2));
    w->progress = progress_begin(w->progress.out, before[1] * w->options.each, before[0]);
    if (!w->made)
        announce(w);
    return true;
}

bool row_work_run(RowWork *w)
{
    bool enough = false;
    meeting_begin(&w->meeting, &w->ranks);
    TRY(begin(w));
    bool ok = w->made || answer(w, &enough);
    if (enough) // the program fails, and so ends all
        return true;
    if (w->ranks.size > 1)
        ok = meeting_end(&w->meeting, ok) && refused_are_few(w);
    if (!w->made)
        show(w, true);
    return ok;
}

// --skip-bad-rows leaves out some rows, not the work.
static bool some_were_read(const RowWork *w)
{
    return w->meeting.own[REFUSED] + w->meeting.others[REFUSED] < w->facts.rows ||
           fail("all %" PRId64 " rows were refused, so nothing is written; the reasons are above", w->facts.rows);
}

bool row_work_finish(RowWork *w)
{
    TRY(signal_checked("") && some_were_read(w));
    if (w->unanswered > 0)
        return fail("%" PRId64 " questions were not answered; the first: %s; what is finished is in %s, and the same "
                    "command asks again%s",
                    w->unanswered, w->why.data, w->journal.file.path,
                    w->for_a_row
                        ? " (--skip-bad-rows N leaves out N rows whose questions the server refuses, or answers so)"
                        : "");
    const PartOptions *part = w->options.part;
    TRY(w->made || part_finish(&w->journal, part->part, w->options.each));
    if (w->ranks.size == 1)
        return true;
    TRY(comm_barrier(&w->ranks));
    return w->ranks.rank > 0 || parts_end(part->out, w->ranks.size, w->joined, w->options.given);
}

void row_work_close(RowWork *w)
{
    progress_end(&w->progress);
    while (w->pending != NULL)
        pending_free(w->pending);
    rows_close(&w->rows);
    communicator_close(&w->ranks);
    field_maps_free(&w->reading.maps);
    journal_close(&w->journal);
    endpoint_close(w->endpoint);
    bytes_free(&w->why);
    encoder_close(w->encoder);
    session_close(&w->session);
    fit_close(&w->fit);
    bytes_free(&w->text);
    bytes_free(&w->out);
}
