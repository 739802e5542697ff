// Benchmarks in the evaluations of a training run: see in_training.h. Questions become ids once; at every evaluation
// ranks generate some of the responses each, rank 0 scores all of them by their files, and tells the others the
// figures.
#include "benchmarks/in_training.h"
#include "asking/responses.h"
#include "benchmarks/marking.h"
#include "figures/figures.h"
#include "ranks/gather.h"
#include "rows/row_write.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- the questions

static bool check_options(const TrainingTaskOptions *o, const Options *given)
{
    static const char *const HOW[] = {"eval_task_data",    "eval_task_shots",      "eval_task_limit",
                                      "eval_task_samples", "eval_task_new_tokens", "eval_task_temperature"};
    char shown[OPTION_NAME];
    for (size_t i = 0; o->eval_tasks.count == 0 && i < sizeof HOW / sizeof *HOW; i++)
        if (option_on_command_line(given, HOW[i]))
            return fail_as(ERROR_USAGE, "--%s: there is no benchmark; give --eval-tasks, or leave it out",
                           option_shown(shown, HOW[i]));
    return true;
}

static bool can_ask(const InTraining *t, const ModelFiles *f)
{
    if (f->tokenizer == NULL)
        return fail("--eval-tasks: there is no tokenizer, and questions are texts; name its folder with --tokenizer");
    for (size_t i = 0; i < t->bench.count; i++)
        if (!t->bench.list[i].task.o.completion && !template_can_render(&f->chat, f->tokenizer))
            return fail_in("--eval-tasks");
    return t->bench.count <= TASKS_LOGGED ||
           fail_as(ERROR_USAGE, "--eval-tasks: %zu are too many for a line of the log; give at most %d", t->bench.count,
                   TASKS_LOGGED);
}

static bool encode_prompt(InTraining *t, const Record *record, const TaskPrompt *p, Encoder *encoder,
                          const ModelFiles *files)
{
    Text text = record->messages[0].content;
    bytes_clear(&t->text);
    if (!p->asking->task.o.completion) {
        TRY(template_prompt(&files->chat, &t->text, record->messages, record_prompt(record), true));
        text = (Text){t->text.data, t->text.size};
    }
    return encode(encoder, &t->ids, text.data, text.size);
}

static bool add_prompt(InTraining *t, const Record *record, Encoder *encoder, const ModelFiles *files)
{
    static const char *const own[] = {"messages", "prompt", "text", "finish_reason", "tokens", NULL};
    const json_t *facts = json_object_get(record->row, "evaluate");
    TaskPrompt p = {.asking = bench_task(&t->bench, json_string_value(json_object_get(facts, "task"))),
                    .first = t->ids.count,
                    .id = responses_name(record),
                    .row = t->rows.size};
    TRY(encode_prompt(t, record, &p, encoder, files));
    p.count = t->ids.count - p.first;
    bytes_clear(&t->text);
    TRY(row_begin(&t->text, record, own) && bytes_append(&t->rows, t->text.data, t->text.size));
    p.row_size = t->text.size;
    int64_t most = smaller(files->config.max_positions, CONTEXT_MOST), length = (int64_t)p.count;
    if (length >= most)
        return fail("--eval-tasks: the prompt of %s has %" PRId64 " tokens, and the model takes %" PRId64
                    " with the response; give fewer --eval-task-shots, a smaller --eval-task-limit, or no such task",
                    record->id, length, most);
    t->needs.longest = larger(t->needs.longest, smaller(length + p.asking->max_new_tokens, most));
    TRY(grow(&t->list, &t->capacity, t->count + 1, sizeof *t->list));
    t->list[t->count++] = p;
    return true;
}

static bool read_prompts(InTraining *t, Encoder *encoder, const ModelFiles *files)
{
    const char *path = t->bench.prompts.data;
    RowOptions o = {.paths = &path, .path_count = 1, .parts = 1, .reading = {.prompts = true, .any_difficulty = true}};
    RowReader rows = {0};
    Record record;
    bool there = true, ok = rows_open(&rows, &o);
    while (ok && (ok = rows_next(&rows, &record, &there)) && there) {
        ok = add_prompt(t, &record, encoder, files);
        record_free(&record);
    }
    rows_close(&rows);
    return ok;
}

static bool make_prompts(InTraining *t, const Options *given, const ModelFiles *files)
{
    Encoder *encoder = NULL;
    bool ok = bench_open(&t->bench, &t->options, given, true) && bench_check_draws(&t->bench) && can_ask(t, files) &&
              (encoder = encoder_open(files->tokenizer)) != NULL && bench_write_prompts(&t->bench, encoder) &&
              read_prompts(t, encoder, files);
    encoder_close(encoder);
    t->needs.count = (int64_t)t->count;
    return ok && (t->answers = allocate(t->count, sizeof *t->answers)) != NULL &&
           (t->stops = allocate(t->bench.count, sizeof *t->stops)) != NULL;
}

bool in_training_open(InTraining *t, const TrainingTaskOptions *o, const Options *given, const ModelFiles *files,
                      uint64_t seed)
{
    char *folder = NULL;
    *t = (InTraining){.seed = seed};
    TRY(check_options(o, given));
    if (o->eval_tasks.count == 0)
        return true;
    TRY(folder_temporary(&folder, "eval_tasks"));
    t->options = (BenchmarkOptions){.tasks = o->eval_tasks,
                                    .data = o->eval_task_data,
                                    .shots = o->eval_task_shots,
                                    .limit = o->eval_task_limit,
                                    .out = folder,
                                    .samples = o->eval_task_samples,
                                    .max_new_tokens = o->eval_task_new_tokens,
                                    .temperature = o->eval_task_temperature};
    bool ok = make_prompts(t, given, files);
    char *why = copy_text(error_text());
    folder_remove(folder);
    if (!ok && why != NULL)
        fail_as(error_kind(), "%s", why);
    free(why);
    free(folder);
    t->options.out = "";
    return ok;
}

bool in_training_open_with(InTraining *t, const TrainingTaskOptions *o, const Options *given,
                           const ModelFilesOptions *options, uint64_t seed)
{
    ModelFiles files;
    if (o->eval_tasks.count == 0)
        return in_training_open(t, o, given, NULL, seed);
    TRY(model_files_open(&files, options));
    bool ok = in_training_open(t, o, given, &files, seed);
    model_files_close(&files);
    return ok;
}

void in_training_close(InTraining *t)
{
    bench_close(&t->bench);
    for (size_t i = 0; t->answers != NULL && i < t->count; i++)
        bytes_free(&t->answers[i]);
    free(t->answers);
    free(t->list);
    free(t->stops);
    tokens_free(&t->ids);
    bytes_free(&t->rows);
    bytes_free(&t->text);
    *t = (InTraining){0};
}

// ---- the responses

static bool ask(InTraining *t, Engine *engine, size_t number)
{
    const TaskPrompt *p = &t->list[number];
    StopTexts *stops = &t->stops[p->asking - t->bench.list];
    GenerationRequest r = {.tag = number,
                           .seed = t->seed,
                           .id = p->id,
                           .prompt = t->ids.ids + p->first,
                           .prompt_count = (int64_t)p->count,
                           .samples = 1,
                           .max_new_tokens = p->asking->max_new_tokens,
                           .temperature = (float)p->asking->temperature,
                           .top_p = 1,
                           .stop = t->files->stop,
                           .stop_count = t->files->stop_count,
                           .watch = stops->count > 0 ? stop_texts_watch : NULL,
                           .watch_context = stops};
    return engine_add(engine, &r);
}

static bool take(InTraining *t, const GenerationResult *r)
{
    const TaskPrompt *p = &t->list[r->tag];
    const StopTexts *stops = &t->stops[p->asking - t->bench.list];
    Bytes *out = &t->answers[r->tag];
    const char *reason = r->reason == FINISH_STOP ? "stop" : "length";
    Text text;
    bytes_clear(out);
    TRY(stop_texts_response(stops, t->files->stop, t->files->stop_count, r, &t->text, &text));
    return bytes_append(out, t->rows.data + p->row, p->row_size) && row_text(out, "text", text.data, text.size) &&
           row_text(out, "finish_reason", reason, strlen(reason)) && row_integer(out, "tokens", r->count) &&
           row_end(out) && bytes_text(out, "\n");
}

static bool is_mine(const Communicator *ranks, size_t number)
{
    return ranks == NULL || (int)(number % (size_t)ranks->size) == ranks->rank;
}

static bool generate(InTraining *t, Engine *engine, const Communicator *ranks, Meeting *meeting)
{
    GenerationResult result;
    size_t asked = 0;
    int64_t counts[MEETING_COUNTS] = {0};
    while (asked < t->count || !engine_empty(engine)) {
        for (; asked < t->count && engine_has_room(engine); asked++)
            TRY(!is_mine(ranks, asked) || ask(t, engine, asked));
        TRY(signal_checked("") && engine_step(engine)); // it can be made again, to the bit
        for (; engine_next(engine, &result); counts[0]++)
            TRY(take(t, &result));
        TRY(meeting_go_on(meeting, counts));
        log_live(t->log, t->step, "benchmarks %" PRId64 "/%zu", counts[0] + meeting->others[0], t->count);
    }
    return true;
}

typedef struct Brought { // before an answer
    uint64_t number, size;
} Brought;

static bool bring(Bytes *out, const InTraining *t, const Communicator *ranks)
{
    for (size_t i = 0; i < t->count; i++) {
        Brought b = {i, t->answers[i].size};
        TRY(!is_mine(ranks, i) ||
            (bytes_append(out, &b, sizeof b) && bytes_append(out, t->answers[i].data, t->answers[i].size)));
    }
    return true;
}

static bool take_brought(InTraining *t, Text from)
{
    while (from.size > 0) {
        Brought b;
        Text answer;
        TRY(gathered_take(&from, &b, sizeof b) && gathered_part(&from, &answer, b.size));
        if (b.number >= t->count)
            return fail("a response to question %" PRIu64 " of %zu: a fault of this program", b.number, t->count);
        bytes_clear(&t->answers[b.number]);
        TRY(bytes_append(&t->answers[b.number], answer.data, answer.size));
    }
    return true;
}

static bool gather(InTraining *t, Communicator *ranks)
{
    Bytes own = {0}, all = {0};
    if (ranks == NULL || ranks->size == 1)
        return true;
    size_t *edges = allocate((size_t)ranks->size + 1, sizeof *edges);
    bool ok = edges != NULL && bring(&own, t, ranks) && comm_gather_bytes(ranks, &own, &all, edges) &&
              (ranks->rank > 0 || take_brought(t, (Text){all.data, all.size}));
    bytes_free(&own);
    bytes_free(&all);
    free(edges);
    return ok;
}

// ---- their scores

static bool write_responses(const InTraining *t, const char *path)
{
    AtomicFile file;
    bool ok = atomic_open(&file, path);
    TRY(ok);
    for (size_t i = 0; ok && i < t->count; i++)
        ok = atomic_write(&file, t->answers[i].data, t->answers[i].size);
    if (ok)
        return atomic_commit(&file);
    atomic_abort(&file);
    return false;
}

static void add_figure(Metrics *m, const char *room, const char *task, const char *name, const json_t *value)
{
    if (json_is_number(value))
        metrics_add(m, json_number_value(value), "%s/%s/%s", room, task, name);
}

static void add_figures(Metrics *m, const Asking *asking, const json_t *figures)
{
    const json_t *shares = json_object_get(figures, "shares");
    char task[SOURCE_NAME_BYTES], k[24], pass[32];
    metrics_source_name(task, asking->task.name);
    add_figure(m, "val-core", task, "score", json_object_get(figures, "score"));
    add_figure(m, "val-core", task, "strict", json_object_get(json_object_get(figures, "strict"), "score"));
    snprintf(k, sizeof k, "%" PRId64, asking->samples);
    snprintf(pass, sizeof pass, "pass@%s", k);
    add_figure(m, "val-core", task, pass, json_object_get(json_object_get(figures, "pass_at_k"), k));
    add_figure(m, "val-aux", task, "cut_off", json_object_get(shares, "cut_off"));
    add_figure(m, "val-aux", task, "without_answer", json_object_get(shares, "without_answer"));
}

static bool score_task(InTraining *t, Metrics *m, json_t *summary, const Asking *asking, const char *folder)
{
    Bytes path = {0};
    json_t *figures = NULL, *facts = json_pack("{s:s}", "template", template_name(t->files->chat.kind));
    bool ok = facts != NULL && bytes_printf(&path, "%s/%s.jsonl", folder, asking->task.name) &&
              (figures = figures_of(&asking->task, path.data)) != NULL;
    if (ok)
        add_figures(m, asking, figures);
    ok = ok && bench_put_about(figures, &t->bench, asking, facts) &&
         (json_object_set(summary, asking->task.name, figures) == 0 || fail("no memory for figures"));
    json_decref(figures);
    json_decref(facts);
    bytes_free(&path);
    return ok;
}

static bool score_into(InTraining *t, Metrics *m, const char *folder)
{
    char *responses = path_join(folder, "responses.jsonl"), *summary = path_join(folder, "summary.json");
    json_t *all = json_object();
    bool ok = responses != NULL && summary != NULL && all != NULL && folder_make(folder) &&
              write_responses(t, responses) && marking_write(t->bench.list, t->bench.count, responses, folder, NULL);
    for (size_t i = 0; ok && i < t->bench.count; i++)
        ok = score_task(t, m, all, &t->bench.list[i], folder);
    ok = ok && json_write_atomic(summary, all) && (unlink(responses) == 0 || fail_errno("%s: removing it", responses));
    json_decref(all);
    free(responses);
    free(summary);
    return ok;
}

static bool score(InTraining *t, Metrics *m, const char *evaluations)
{
    Bytes folder = {0};
    bool ok = bytes_printf(&folder, "%s/step-%" PRId64, evaluations, t->step) && score_into(t, m, folder.data);
    bytes_free(&folder);
    return ok;
}

// ---- an evaluation

typedef struct Told { // to ranks that do not score
    size_t count;
    struct {
        char name[128];
        double value;
    } list[TASKS_LOGGED * TASK_FIGURES];
} Told;

static bool tell(Metrics *m, size_t before, Communicator *ranks)
{
    Told *told = allocate(1, sizeof *told);
    TRY(told != NULL);
    for (size_t i = before; i < m->count; i++, told->count++) {
        snprintf(told->list[told->count].name, sizeof told->list[0].name, "%s", m->fields[i].name);
        told->list[told->count].value = m->fields[i].value;
    }
    bool ok = comm_broadcast(ranks, told, sizeof *told, 0);
    for (size_t i = 0; ok && ranks->rank > 0 && i < told->count; i++)
        metrics_add(m, told->list[i].value, "%s", told->list[i].name);
    free(told);
    return ok;
}

static bool evaluate(void *context, const Evaluation *e, Engine *engine, Metrics *m)
{
    InTraining *t = context;
    Communicator *ranks = e->run->ranks;
    Meeting meeting;
    size_t before = m->count;
    t->log = &e->run->log;
    t->step = e->run->step;
    meeting_begin(&meeting, ranks);
    TRY(meeting_end(&meeting, generate(t, engine, ranks, &meeting)) && gather(t, ranks));
    meeting_begin(&meeting, ranks);
    TRY(meeting_end(&meeting, !run_is_first(e->run) || score(t, m, e->folder)));
    return ranks == NULL || ranks->size == 1 || tell(m, before, ranks);
}

static bool same_questions(const InTraining *t, Communicator *ranks)
{
    char text[64];
    uint64_t hashes[] = {hash_bytes(t->ids.ids, t->ids.count * sizeof *t->ids.ids),
                         hash_bytes(t->rows.data, t->rows.size)};
    snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, hashes[0], hashes[1]);
    return ranks == NULL || ranks->size == 1 ||
           comm_same(ranks, &(Bytes){.data = text, .size = strlen(text)}, "the questions of --eval-tasks");
}

bool in_training_measures(const InTraining *t, Run *run)
{
    char name[SOURCE_NAME_BYTES], figures[SOURCE_NAME_BYTES + sizeof MEASURED_TASKS], with[240];
    for (size_t i = 0; i < t->bench.count; i++) {
        const Asking *a = &t->bench.list[i];
        metrics_source_name(name, a->task.name);
        snprintf(figures, sizeof figures, MEASURED_TASKS "%s", name);
        snprintf(with, sizeof with,
                 "data of hash %016" PRIx64 ", a task text of hash %016" PRIx64 ", %" PRId64 " questions, %" PRId64
                 " samples, temperature %g, %" PRId64 " new tokens at most",
                 a->hash, a->task.hash, a->questions, a->samples, a->temperature, a->max_new_tokens);
        TRY(measured_add(&run->measured, figures, with));
    }
    return true;
}

bool in_training_join(InTraining *t, Evaluation *e, const ModelFiles *files)
{
    if (t->count == 0)
        return true;
    t->files = files;
    for (size_t i = 0; i < t->bench.count; i++) {
        const Asking *asking = &t->bench.list[i];
        t->stops[i] = (StopTexts){files->tokenizer, asking->task.o.stop.items, asking->task.o.stop.count};
        log_note(&e->run->log,
                 "benchmark %s: %" PRId64 " questions, %" PRId64 " %s to each in at most %" PRId64 " tokens",
                 asking->task.name, asking->questions, asking->samples, asking->samples == 1 ? "response" : "responses",
                 asking->max_new_tokens);
    }
    e->tasks = evaluate;
    e->tasks_context = t;
    return same_questions(t, e->run->ranks);
}
