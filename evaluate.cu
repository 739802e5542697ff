// A model on benchmarks: their questions become prompts (benchmarks/prompts.h), the model answers them here or behind a
// server (asking/row_work.h), or somebody else has; each response gets its verdicts (benchmarks/marking.h), and they
// become scores (figures/figures.h) and a page. What is in OUT when a run is interrupted is gone on with. This file
// is C, in spite of its ending: it compiles with or without nvcc.
#include "figures/figures.h"
#include "figures/page.h"
#include "asking/responses.h"
#include "benchmarks/marking.h"
#include "evaluate_options.h"
#include "options/program.h"
#include "rows/row_write.h"
#include <stdlib.h>
#include <string.h>

typedef struct Evaluate {
    EvaluateOptions o;
    Options options;
    RowWork work; // the prompts, and the model
    PartOptions part;
    RowReadingOptions reading;
    OptionList files; // the prompts
    Bench run;        // the tasks, and the folder
    StopTexts *stops; // (run.count) of each task
    Bytes line;       // of the current response
    LivePage *live;   // of --watch
} Evaluate;

// ---- asking

static const Asking *asking_of(const Evaluate *e, const Record *record)
{
    const json_t *facts = json_object_get(record->row, "evaluate");
    return bench_task(&e->run, json_string_value(json_object_get(facts, "task")));
}

static bool ask_folder(Evaluate *e, Pending *row, const Record *record, const Asking *asking)
{
    const Text text = record->messages[0].content;
    GenerationRequest request = {.id = responses_name(record),
                                 .seed = (uint64_t)e->o.benchmarks.seed,
                                 .samples = 1,
                                 .max_new_tokens = asking->max_new_tokens,
                                 .temperature = (float)asking->temperature,
                                 .top_p = 1};
    TRY(asking->task.o.completion ? encode(e->work.encoder, &row->ids, text.data, text.size)
                                  : row_work_encode(&e->work, row, record));
    return row_work_ask_folder(&e->work, row, &request);
}

static bool ask_row(void *state, Pending *row, const Record *record)
{
    static const char *const own[] = {"messages", "prompt", "text", "thought", "finish_reason", "tokens", NULL};
    Evaluate *e = state;
    const Asking *asking = asking_of(e, record);
    const OptionList *stop = &asking->task.o.stop;
    TRY(row_begin(&row->row, record, own));
    if (e->work.remote) {
        endpoint_set_drawing(e->work.endpoint, asking->temperature, asking->max_new_tokens, stop->items, stop->count);
        return row_work_ask_server(&e->work, row, record->messages, record->count,
                                   responses_seed(e->o.benchmarks.seed, record, 0));
    }
    row->stops = &e->stops[asking - e->run.list];
    return ask_folder(e, row, record, asking);
}

static bool write_answer(void *state, Pending *row, const RowAnswer *answer)
{
    Evaluate *e = state;
    Bytes *line = &e->line;
    const char *reason = answer->finish_reason;
    bytes_clear(line);
    TRY(bytes_append(line, row->row.data, row->row.size) &&
        row_text(line, "text", answer->text.data, answer->text.size) && // what a protocol reads: not the thought
        (answer->thought.size == 0 || row_text(line, "thought", answer->thought.data, answer->thought.size)) &&
        row_text(line, "finish_reason", reason, strlen(reason)) &&
        (answer->generated == NULL || row_integer(line, "tokens", answer->generated->count)) && row_end(line));
    return journal_add(&e->work.journal, row_work_number(&e->work, row->number, 0), line->data, line->size);
}

// ---- a run, from the tasks to the scores

static bool open_model(Evaluate *e)
{
    RowWork *w = &e->work;
    EndpointOptions server = endpoint_options(&e->o.server, e->o.asked.model);
    server.top_p = 1;
    server.max_tokens = 1; // each task sets its own
    server.whole = true;
    TRY(row_work_open_model(w, &server));
    if (!w->remote && w->encoder == NULL)
        return fail("%s: has no tokenizer, so nothing can be asked; name one with --tokenizer",
                    w->session.files.folder.data);
    e->stops = allocate(e->run.count, sizeof *e->stops);
    TRY(e->stops != NULL);
    for (size_t i = 0; i < e->run.count; i++) {
        const OptionList *stop = &e->run.list[i].task.o.stop;
        e->stops[i] = (StopTexts){w->session.files.tokenizer, stop->items, stop->count};
    }
    return true;
}

// Rank 0 writes the prompts, and all read them.
static bool ask_all(Evaluate *e)
{
    RowWork *w = &e->work;
    RecordOptions reading = {.prompts = true, .any_difficulty = true};
    TRY(row_work_divide(w) && open_model(e));
    TRY(w->ranks.rank > 0 || (bench_write_prompts(&e->run, w->encoder) && bench_note(&e->run, w, NULL)));
    TRY(w->ranks.size == 1 || comm_barrier(&w->ranks));
    return row_work_open_rows(w, &reading) && row_work_open_models_journal(w) && row_work_run(w) && row_work_finish(w);
}

// Without a model: examples are counted in the tokens of --tokenizer.
static bool prepare_prompts(Evaluate *e)
{
    const char *folder = e->o.asked.tokenizer;
    if (folder[0] == 0)
        return bench_write_prompts(&e->run, NULL);
    Tokenizer *tokenizer = tokenizer_open(folder);
    Encoder *encoder = tokenizer == NULL ? NULL : encoder_open(tokenizer);
    bool ok = encoder != NULL && bench_write_prompts(&e->run, encoder);
    encoder_close(encoder);
    tokenizer_close(tokenizer);
    return ok;
}

// Prompts alone: how to sample is told, and nothing is judged.
static bool of_model(const OptionRow *row, bool prompts)
{
    const char *const groups[] = {"model", "server", "ranks", "watch", prompts ? "judge" : "sampling"};
    bool of_group = strcmp(row->name, "skip_bad_rows") == 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        of_group = of_group || strcmp(row->group, groups[i]) == 0;
    return of_group && strcmp(row->name, "tokenizer") != 0 && strcmp(row->name, "samples") != 0;
}

// Options that say how a model answers, where none does.
static bool check_unused(const Evaluate *e)
{
    const OptionTable *table = &e->options.table;
    char shown[OPTION_NAME];
    for (size_t i = 0; i < table->count; i++) {
        const OptionRow *row = &table->rows[i];
        if (of_model(row, e->o.prompts) && option_on_command_line(&e->options, row->name))
            return fail_as(ERROR_USAGE, "--%s asks no model; drop --%s%s", e->o.prompts ? "prompts" : "responses",
                           option_shown(shown, row->name),
                           strcmp(row->name, "model") == 0 ? " (--tokenizer counts the tokens of examples)" : "");
    }
    if (e->o.machine.plan || (e->o.prompts && e->o.responses[0] != 0))
        return fail_as(ERROR_USAGE, "--%s: drop %s", e->o.prompts ? "prompts" : "responses",
                       e->o.machine.plan ? "--plan" : "--responses");
    return true;
}

// Of a judge that is not there, or has nothing to be asked.
static bool check_judge(const Evaluate *e)
{
    TRY(judging_check(&e->o.judging, &e->options));
    bool needed = e->o.judging.judge_model[0] == 0;
    for (size_t i = 0; i < e->run.count; i++)
        needed = needed || e->run.list[i].task.o.score.place == SCORE_ANSWER;
    return needed || fail_as(ERROR_USAGE, "--judge-model: compares answers, and no task here is scored by answers; "
                                          "drop it");
}

static bool respond(Evaluate *e)
{
    bool there;
    if (e->o.responses[0] != 0)
        return prepare_prompts(e) && bench_take_responses(&e->run, e->o.responses);
    return bench_has_responses(&e->run, e->o.asked.model, e->o.skip_bad_rows, &there) && (there || ask_all(e));
}

// The model makes room for a judge, and other ranks have ended.
static bool open_judge(Evaluate *e, Judge **judge)
{
    row_work_close(&e->work);
    e->work = (RowWork){0};
    return judging_open(judge, &e->o.judging, &e->o.machine, e->o.benchmarks.out);
}

static bool score(Evaluate *e)
{
    const char *out = e->o.benchmarks.out;
    Bytes shown = {0};
    json_t *summary = NULL;
    Judge *judge = NULL;
    bool ok = open_judge(e, &judge) && marking_write(e->run.list, e->run.count, e->run.responses.data, out, judge) &&
              (summary = bench_summary(&e->run)) != NULL && page_write(e->run.page.data, summary, out) &&
              figures_table(&shown, summary);
    if (ok)
        fwrite(shown.data, 1, shown.size, stdout);
    bytes_free(&shown);
    json_decref(summary);
    judge_close(judge);
    return ok;
}

// What needs no run.
static bool show(const Evaluate *e)
{
    const EvaluateOptions *o = &e->o;
    Bytes shown = {0};
    TRY(option_alone(&e->options, o->list ? "list" : o->show[0] != 0 ? "show" : "compare"));
    bool ok = o->list           ? tasks_list(&shown)
              : o->show[0] != 0 ? task_show(&shown, o->show)
                                : figures_compare(&shown, o->compare.items, o->compare.count);
    if (ok)
        fwrite(shown.data, 1, shown.size, stdout);
    bytes_free(&shown);
    return ok;
}

static bool run(void *state)
{
    Evaluate *e = state;
    EvaluateOptions *o = &e->o;
    if (o->list || o->show[0] != 0 || o->compare.count > 0)
        return show(e);
    TRY(bench_open(&e->run, &o->benchmarks, &e->options, false) && check_judge(e));
    e->run.judge = o->judging.judge_model[0] != 0 ? o->judging.judge_model : NULL;
    e->run.judge_form = judging_form(&o->judging);
    e->part = (PartOptions){.out = e->run.responses.data, .part = ""};
    e->reading.format.name = "auto";
    e->reading.skip_bad_rows = o->skip_bad_rows;
    e->files = (OptionList){.items = (const char **)&e->run.prompts.data, .count = 1};
    e->work.options = (RowWorkOptions){.given = &e->options,
                                       .asked = &o->asked,
                                       .server = &o->server,
                                       .sizes = &o->sizes,
                                       .machine = &o->machine,
                                       .ranks = &o->ranks,
                                       .files = &e->files,
                                       .reading = &e->reading,
                                       .part = &e->part,
                                       .program = "evaluate",
                                       .watch = &o->watch,
                                       .live = &e->live,
                                       .scores = e->run.summary.data,
                                       .context = o->context,
                                       .each = 1,
                                       .questions = "prompts",
                                       .results = "responses"};
    bool asks = !o->prompts && o->responses[0] == 0;
    TRY((asks ? row_work_check(&e->work) : check_unused(e)) && (o->responses[0] != 0 || bench_check_draws(&e->run)));
    if (o->prompts)
        return prepare_prompts(e) && bench_tell_sampling(&e->run, stdout);
    if (o->machine.plan)
        return row_work_plan(&e->work);
    return respond(e) && (e->work.ranks.rank > 0 || score(e));
}

static bool stop(void *state)
{
    Evaluate *e = state;
    journal_tell_stopped(&e->work.journal, &e->work.progress);
    return true;
}

static void close_all(void *state)
{
    Evaluate *e = state;
    live_close(e->live);
    row_work_close(&e->work);
    bench_close(&e->run);
    free(e->stops);
    bytes_free(&e->line);
}

static const Program EVALUATE = {"evaluate", EVALUATE_USAGE, evaluate_options, run, stop, close_all};

int main(int count, char **words)
{
    Evaluate e = {.work = {.ask = ask_row, .take = write_answer, .progress.out = stderr}};
    e.work.program = &e;
    return program_main(&EVALUATE, &e, &e.options, &e.o, count, words);
}
