// Responses of a model: every prompt goes to the generation engine, every response back into its row. A response
// depends on its row and the seed alone, so rows may be shared among processes, repeated one by one, or resumed after
// an interruption. The model is a folder here, or behind a server; then the server draws. This file is C, in spite of
// its ending: it compiles with or without nvcc.
#include "chat/chat.h"
#include "asking/row_work.h"
#include "generate_options.h"
#include "options/program.h"
#include "rows/row_write.h"
#include <string.h>

typedef struct Generate {
    GenerateOptions o;
    Options options;
    RowWork work;   // the rows and the model
    Bytes line;     // of the current response
    LivePage *live; // of --watch
} Generate;

// The last three are the thought of the row's own response, wrong beside another text, which holds its own thought.
static const char *const OWN_FIELDS[] = {
    "sample",        "prompt_ids",        "ids",       "text",     "logprobs", "processed_logprobs",
    "finish_reason", "reasoning_content", "reasoning", "thinking", NULL};

// ---- asking about a row

// The samples that an earlier run has not finished; consecutive ones share their prompt.
static bool ask_missing(Generate *g, Pending *row, const Record *record)
{
    const ResponseOptions *o = &g->o.responses;
    GenerationRequest request = responses_request(o);
    request.id = responses_name(record);
    request.expected = o->ignore_eos ? o->max_new_tokens : 0;
    for (int64_t first = 0; first < o->samples; first++) {
        int64_t end = first;
        while (end < o->samples && !journal_has(&g->work.journal, row_work_number(&g->work, row->number, end)))
            end++;
        request.first_sample = (int32_t)first;
        request.samples = (int32_t)(end - first);
        TRY(end == first || row_work_ask_folder(&g->work, row, &request));
        first = end;
    }
    return true;
}

static bool ask_row(void *state, Pending *row, const Record *record)
{
    Generate *g = state;
    TRY(row_begin(&row->row, record, OWN_FIELDS));
    if (!g->work.remote)
        return row_work_encode(&g->work, row, record) && ask_missing(g, row, record);
    if (record->format == ROW_IDS)
        return fail("a row of ids, but a server needs text");
    return row_work_ask_server(&g->work, row, record->messages, record_prompt(record),
                               responses_seed(g->o.responses.seed, record, row->sample));
}

// ---- writing it

static bool write_logprobs(Bytes *line, const ResponseOptions *o, const GenerationResult *r)
{
    bool limited = o->temperature > 0 && (o->top_k > 0 || o->top_p < 1 || o->min_p > 0);
    return row_floats(line, "logprobs", r->logprob, r->count) &&
           (!limited || row_floats(line, "processed_logprobs", r->processed, r->count));
}

// Only a model that runs here gives tokens and log-probabilities.
static bool write_answer(void *state, Pending *row, const RowAnswer *answer)
{
    Generate *g = state;
    Bytes *line = &g->line;
    const char *reason = answer->finish_reason;
    const GenerationResult *r = answer->generated;
    bytes_clear(line);
    TRY(bytes_append(line, row->row.data, row->row.size) && row_integer(line, "sample", answer->sample));
    if (r != NULL)
        TRY(row_integers(line, "prompt_ids", row->ids.ids, (int64_t)row->ids.count) &&
            row_integers(line, "ids", r->ids, r->count));
    if (answer->text.data != NULL)
        TRY(row_thought(line, "text", answer->thought, answer->text, strcmp(reason, "stop") != 0));
    if (r != NULL)
        TRY(write_logprobs(line, &g->o.responses, r));
    TRY(row_text(line, "finish_reason", reason, strlen(reason)) && row_end(line));
    return journal_add(&g->work.journal, row_work_number(&g->work, row->number, answer->sample), line->data,
                       line->size);
}

// ---- checks before the first prompt

static bool check_options(Generate *g)
{
    const GenerateOptions *o = &g->o;
    TRY(row_work_check(&g->work));
    if (o->chat && (o->prompts.count > 0 || o->part.out[0] != 0))
        return fail_as(ERROR_USAGE, "--chat answers in the terminal; drop --prompts and --out");
    if (o->chat && o->ranks.ranks > 1)
        return fail_as(ERROR_USAGE, "--chat: one process talks; drop --ranks");
    if (o->chat && o->watch.watch >= 0)
        return fail_as(ERROR_USAGE, "--chat is in the terminal; drop --watch");
    if (!o->chat && (o->prompts.count == 0 || o->part.out[0] == 0))
        return o->machine.plan || fail_as(ERROR_USAGE, "give --prompts and --out, or --chat");
    return responses_check(&o->responses);
}

static bool open_stops(Generate *g)
{
    RowWork *w = &g->work;
    w->stops.texts = g->o.responses.stop.items;
    w->stops.count = g->o.responses.stop.count;
    return w->remote || w->encoder != NULL || (w->stops.count == 0 && !g->o.chat) ||
           fail("%s: has no tokenizer, so there are no texts; name one with --tokenizer", w->session.files.folder.data);
}

static bool open_work(Generate *g)
{
    const ResponseOptions *responses = &g->o.responses;
    RecordOptions reading = {.instruction = g->o.instruction, .system = g->o.system, .prompts = true};
    EndpointOptions server = endpoint_options(&g->o.server, g->o.asked.model);
    reading.any_difficulty = true;
    server.temperature = responses->temperature;
    server.top_p = responses->top_p;
    server.top_k = responses->top_k;
    server.min_p = responses->min_p;
    server.stop = responses->stop.items;
    server.stop_count = responses->stop.count;
    server.max_tokens = responses->max_new_tokens;
    server.whole = true;
    return row_work_open_rows(&g->work, &reading) && row_work_open_model(&g->work, &server) && open_stops(g);
}

// ---- the program

static bool answer_rows(Generate *g)
{
    return row_work_divide(&g->work) && open_work(g) && row_work_open_models_journal(&g->work) &&
           row_work_run(&g->work) && row_work_finish(&g->work);
}

static bool talk(Generate *g)
{
    RowWork *w = &g->work;
    return row_work_open_folder(w) && open_stops(g) &&
           chat_run(&w->session, w->encoder, &w->stops, g->o.system, &g->o.responses, stdin, stdout);
}

static bool run(void *state)
{
    Generate *g = state;
    GenerateOptions *o = &g->o;
    if (o->chat)
        o->sizes.sequences = 1;
    g->work.options = (RowWorkOptions){.given = &g->options,
                                       .asked = &o->asked,
                                       .server = &o->server,
                                       .sizes = &o->sizes,
                                       .machine = &o->machine,
                                       .ranks = &o->ranks,
                                       .files = &o->prompts,
                                       .reading = &o->reading,
                                       .part = &o->part,
                                       .program = "generate",
                                       .watch = &o->watch,
                                       .live = &g->live,
                                       .context = o->context,
                                       .each = o->responses.samples,
                                       .past_end_tokens = o->responses.ignore_eos,
                                       .questions = "prompts",
                                       .results = "responses"};
    if (o->part.join)
        return parts_join(&o->part, &g->options);
    TRY(check_options(g));
    if (o->machine.plan)
        return row_work_plan(&g->work);
    return o->chat ? talk(g) : answer_rows(g);
}

static bool stop(void *state)
{
    Generate *g = state;
    if (!g->o.chat)
        journal_tell_stopped(&g->work.journal, &g->work.progress);
    return true;
}

static void close_all(void *state)
{
    Generate *g = state;
    live_close(g->live);
    row_work_close(&g->work);
    bytes_free(&g->line);
}

static const Program GENERATE = {"generate", GENERATE_USAGE, generate_options, run, stop, close_all};

int main(int count, char **words)
{
    Generate g = {.work = {.ask = ask_row, .take = write_answer, .progress.out = stderr}};
    g.work.program = &g;
    return program_main(&GENERATE, &g, &g.options, &g.o, count, words);
}
