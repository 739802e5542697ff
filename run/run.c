// A run's folder, its log and its checkpoints: see run.h.
#include "run/run_internal.h"
#include "checkpoint/checkpoint.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANIFEST_BYTES = 400 }; // of it, for a tensor

bool path_in(Bytes *path, const Run *run, const char *name)
{
    bytes_clear(path);
    return bytes_printf(path, "%s/%s", run->o.out, name);
}

void run_of(Run *run, const RunOptions *o, Model *model, Optimizer *optimizer, Schedule *schedule, const ModelFiles *files)
{
    run->o = *o;
    run->model = model;
    run->optimizer = optimizer;
    run->schedule = schedule;
    run->steps = schedule->steps;
    run->tokenizer = files->tokenizer_folder.data;
    run->template_name = template_name(files->chat.kind);
}

// ---- the state as named tensors: weights under their own names, moments under optim.m.NAME and optim.v.NAME

enum { WEIGHTS, FIRST, SECOND, KINDS }; // of state

typedef struct Part {
    const Run *run;
    int kind;
    int64_t offset; // among all elements of its kind
} Part;

typedef struct State {
    StateTensor *tensors; // (KINDS · parameters)
    Part *parts;
    char (*names)[96];
    size_t count;
} State;

static Moment moment_of(const Part *p) { return p->kind == FIRST ? FIRST_MOMENT : SECOND_MOMENT; }

static bool read_part(void *context, int64_t first, int64_t count, float *out)
{
    const Part *p = context;
    if (p->kind == WEIGHTS)
        return model_read_weights(p->run->model, p->offset + first, count, out);
    return optimizer_read_moments(p->run->optimizer, moment_of(p), p->offset + first, count, out);
}

static bool write_part(const Part *p, int64_t first, int64_t count, float *host)
{
    if (p->kind != WEIGHTS)
        return optimizer_write_moments(p->run->optimizer, moment_of(p), p->offset + first, count, host);
    model_write_weights(p->run->model, p->offset + first, count, host);
    return true;
}

static bool state_tensors(State *s, const Run *run)
{
    const Parameters *all = &run->model->parameters;
    static const char *const PREFIX[KINDS] = {"", "optim.m.", "optim.v."};
    s->count = KINDS * (size_t)all->count;
    s->tensors = allocate(s->count, sizeof *s->tensors);
    s->parts = allocate(s->count, sizeof *s->parts);
    s->names = allocate(s->count, sizeof *s->names);
    if (s->tensors == NULL || s->parts == NULL || s->names == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        const Parameter *p = &all->list[i % (size_t)all->count];
        s->parts[i] = (Part){run, (int)(i / (size_t)all->count), p->offset};
        snprintf(s->names[i], sizeof s->names[i], "%s%s", PREFIX[s->parts[i].kind], p->name);
        s->tensors[i] = (StateTensor){s->names[i], parameter_elements(p), read_part, &s->parts[i]};
    }
    return true;
}

static void state_free(State *s)
{
    free(s->tensors);
    free(s->parts);
    free(s->names);
}

static json_t *state_scalars(const Run *run)
{
    json_t *config = config_to_json(&run->model->config, "float32");
    if (config == NULL)
        return NULL;
    json_t *state = json_pack("{s:I, s:I, s:O, s:o, s:s, s:o}", "step", (json_int_t)run->step, "optimizer_step",
                              (json_int_t)run->optimizer->step, "identity", run->identity, "config", config, "template",
                              run->template_name, "schedule", schedule_state(run));
    if (state == NULL || (run->recipe != NULL && json_object_set(state, "recipe", run->recipe) != 0)) {
        json_decref(state);
        fail("no memory for the state of a checkpoint");
        return NULL;
    }
    return state;
}

bool run_checkpoint_bytes(uint64_t *bytes, const Run *run)
{
    State s = {0};
    bool ok = state_tensors(&s, run) && checkpoint_bytes(bytes, s.tensors, s.count);
    *bytes += MANIFEST_BYTES * s.count;
    state_free(&s);
    return ok;
}

static bool ask_recipe(Run *run)
{
    if (run->recipe_state == NULL)
        return true;
    json_decref(run->recipe);
    return (run->recipe = run->recipe_state(run->recipe_context)) != NULL;
}

bool run_save(Run *run)
{
    double start = clock_seconds();
    TRY(ask_recipe(run));
    State s = {0};
    Bytes folder = {0};
    json_t *state = state_scalars(run);
    bool ok = state != NULL && state_tensors(&s, run) && path_in(&folder, run, "checkpoints") && log_sync(&run->log) &&
              checkpoint_save(folder.data, run->step, s.tensors, s.count, state, (int)run->o.keep_checkpoints);
    json_decref(state);
    state_free(&s);
    bytes_free(&folder);
    if (ok) {
        run->saved = run->step;
        run->saved_at = clock_seconds();
        run->save_seconds = run->saved_at - start;
    }
    return ok;
}

const char *run_what_stands(Run *run)
{
    snprintf(run->stands, sizeof run->stands, "the checkpoint of step %" PRId64 " stands", run->saved);
    return run->saved > 0 ? run->stands : "there is no checkpoint yet";
}

bool run_fail_in_step(Run *run)
{
    char *why = copy_text(error_text());
    if (why != NULL)
        fail("step %" PRId64 ": %s; %s", run->step + 1, why, run_what_stands(run));
    free(why);
    return false;
}

// ---- what the bits depend on

static bool set_hash(json_t *object, const char *key, uint64_t hash)
{
    char text[32];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return json_object_set_new(object, key, json_string(text)) == 0 || fail("no memory for the identity of a run");
}

bool run_identity_add(Run *run, const char *name, uint64_t hash) { return set_hash(run->identity, name, hash); }

bool run_identity(Run *run, const Options *options, const Documents *documents, const Tokenizer *tokenizer)
{
    run->identity = options_identity(options);
    return run->identity != NULL && set_hash(run->identity, "documents", documents_hash(documents)) &&
           set_hash(run->identity, "tokenizer_files", tokenizer == NULL ? 0 : tokenizer_hash(tokenizer)) &&
           (json_object_set_new(run->identity, "arithmetic", json_string(run->model->kernels->arithmetic)) == 0 ||
            fail("no memory for the identity of a run"));
}

// ---- going on from a checkpoint

static bool same_identity(const json_t *saved, const json_t *present, const Options *options, const char *where)
{
    TRY(options_same_identity(options, saved, where));
    static const struct {
        const char *name, *options;
    } BEYOND_OPTIONS[] = {{"documents", "--data"},
                          {"tokenizer_files", "--tokenizer, or --model"},
                          {"arithmetic", "--device, and the machine"},
                          {"answer_checker", "the version of this program"},
                          {"judge", "--judge-model"},
                          {"judge_prompt", "--judge-prompt, --judge-yes and --judge-no, or the version of this program"},
                          {"reference", "--reference"}};
    for (size_t i = 0; i < sizeof BEYOND_OPTIONS / sizeof BEYOND_OPTIONS[0]; i++) {
        const char *before = json_string_value(json_object_get(saved, BEYOND_OPTIONS[i].name));
        const char *now = json_string_value(json_object_get(present, BEYOND_OPTIONS[i].name));
        if (before == NULL || now == NULL ? before != now : strcmp(before, now) != 0)
            return fail("%s: was made with other %s (%s, now %s), which is %s; train with the same, or take another --out", where,
                        BEYOND_OPTIONS[i].name, before == NULL ? "none" : before, now == NULL ? "none" : now,
                        BEYOND_OPTIONS[i].options);
    }
    return true;
}

enum { PIECE = 1 << 22 }; // elements in host memory at a time

static bool load_tensor(Checkpoint *checkpoint, const StateTensor *t, const Part *part, float *piece)
{
    int64_t elements = checkpoint_elements(checkpoint, t->name);
    if (elements != t->elements)
        return fail("tensor %s has %" PRId64 " elements there, %" PRId64 " here: another model", t->name, elements, t->elements);
    for (int64_t first = 0; first < elements; first += PIECE) {
        int64_t count = elements - first < PIECE ? elements - first : PIECE;
        TRY(checkpoint_read(checkpoint, t->name, first, count, piece));
        if (!write_part(part, first, count, piece))
            return fail_in("tensor %s", t->name);
    }
    return true;
}

static bool load_tensors(Run *run, Checkpoint *checkpoint)
{
    State s = {0};
    float *piece = allocate(PIECE, sizeof *piece);
    bool ok = piece != NULL && state_tensors(&s, run);
    for (size_t i = 0; ok && i < s.count; i++)
        ok = load_tensor(checkpoint, &s.tensors[i], &s.parts[i], piece);
    free(piece);
    state_free(&s);
    return ok;
}

static bool same_value(const json_t *a, const json_t *b) { return a == b || json_equal(a, b); } // a key may be in neither

// What the tensors' sizes can't show: rope_theta has no tensor, and a model of fewer layers would find all of its own.
static bool same_model(const Run *run, const json_t *saved, const char *where)
{
    static const char *const KEYS[] = {"model_type",          "hidden_size",  "num_hidden_layers",  "num_attention_heads",
                                       "num_key_value_heads", "head_dim",     "intermediate_size",  "vocab_size",
                                       "rope_theta",          "rms_norm_eps", "tie_word_embeddings"};
    json_t *now = config_to_json(&run->model->config, "float32");
    TRY(now != NULL);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof KEYS / sizeof KEYS[0]; i++)
        if (!same_value(json_object_get(now, KEYS[i]), json_object_get(saved, KEYS[i])))
            ok = fail("%s: was made of a model with another %s in config.json; go on with that model, or take another --out",
                      where, KEYS[i]);
    json_decref(now);
    return ok;
}

static const int64_t STEPS_MOST = INT64_MAX / 2; // another one can be counted

static bool load(Run *run, const Options *options, const char *path)
{
    Checkpoint *checkpoint;
    TRY(checkpoint_open(&checkpoint, path));
    const json_t *state = checkpoint_state(checkpoint);
    int64_t optimizer_step = 0;
    bool ok = json_need_int(&run->step, state, "step", 0, STEPS_MOST, path) &&
              (run->step == checkpoint_step(checkpoint) || fail("%s: its state is that of step %" PRId64, path, run->step)) &&
              json_need_int(&optimizer_step, state, "optimizer_step", 0, STEPS_MOST, path) &&
              same_identity(json_object_get(state, "identity"), run->identity, options, path) &&
              same_model(run, json_object_get(state, "config"), path) &&
              schedule_goes_on(run, json_object_get(state, "schedule"), path) && load_tensors(run, checkpoint);
    run->optimizer->step = optimizer_step;
    run->saved = run->step;
    run->recipe = json_incref(json_object_get(state, "recipe"));
    checkpoint_close(checkpoint);
    return ok;
}

// The path to go on from, empty for none; warnings: a line for each broken one that was passed over.
static bool find_checkpoint(Bytes *path, Bytes *warnings, const Run *run, const char *resume)
{
    if (strcmp(resume, "none") == 0)
        return true;
    if (strcmp(resume, "auto") != 0)
        return bytes_text(path, resume);
    Bytes folder = {0};
    int64_t step;
    bool ok = path_in(&folder, run, "checkpoints") && checkpoint_newest(path, &step, folder.data, warnings);
    if (ok && path->size == 0 && warnings->size > 0) // never start over where somebody's work lies
        ok = fail("%s: none of the checkpoints there can be read; mend or remove them, or take another --out. The first: %.*s",
                  folder.data, (int)strcspn(warnings->data, "\n"), warnings->data);
    bytes_free(&folder);
    return ok;
}

static bool has_lines(bool *has, const char *log)
{
    PathKind kind;
    MappedFile file;
    *has = false;
    TRY(path_kind(&kind, log));
    if (kind == PATH_NONE)
        return true;
    TRY(file_map(&file, log));
    *has = file.size > 0;
    file_unmap(&file);
    return true;
}

// Nothing that a run has made is written over: neither its log against --resume none, nor its model, which is written after the
// last checkpoint and so has one, unless somebody has removed it.
static bool may_start(const char *out, const char *resume, const char *log)
{
    bool begun;
    PathKind model;
    TRY(has_lines(&begun, log) && path_in_folder_kind(&model, out, "model"));
    if (strcmp(resume, "none") == 0 && begun)
        return fail("%s holds a run already; take another --out, or --resume auto to go on with it", out);
    if (model == PATH_NONE)
        return true;
    return begun
               ? fail("%s holds a finished run whose checkpoints are gone; its model is %s/model: take another --out, or remove "
                      "%s to begin again",
                      out, out, out)
               : fail("%s/model exists, but %s holds no run that could have written it; take another --out", out, out);
}

// A folder that no run has begun in may hold somebody's files, which are left alone: nothing is made there, and no log is cut.
static bool may_be_ours(const char *out, const char *log)
{
    PathKind options, checkpoints;
    bool lines;
    TRY(path_in_folder_kind(&options, out, "options.conf") && path_in_folder_kind(&checkpoints, out, "checkpoints") &&
        has_lines(&lines, log));
    if (options != PATH_NONE || checkpoints != PATH_NONE)
        return true;
    return lines ? fail("%s: is there, but no run has been here that could have written it (there is no options.conf); take "
                        "another --out, or move it away",
                        log)
                 : may_start(out, "auto", log);
}

// A model that an earlier end of the run has written, and nobody has changed.
static bool may_end(const char *out)
{
    char *model = path_join(out, "model");
    bool ok = model != NULL && model_folder_may_be_replaced(model);
    free(model);
    return ok;
}

bool run_may_use(const RunOptions *o)
{
    PathKind out, checkpoints;
    TRY(path_kind(&out, o->out));
    if (out == PATH_NONE)
        return true;
    if (out != PATH_FOLDER)
        return fail("--out %s: there is a file of that name; take another --out", o->out);
    char *log = path_join(o->out, "log.jsonl");
    bool ok = log != NULL && may_be_ours(o->out, log) && path_in_folder_kind(&checkpoints, o->out, "checkpoints");
    bool anew = ok && (strcmp(o->resume, "none") == 0 || (strcmp(o->resume, "auto") == 0 && checkpoints == PATH_NONE));
    ok = ok && (!anew || may_start(o->out, o->resume, log)) && may_end(o->out);
    free(log);
    return ok;
}

// Held until the process ends, however it ends: the system gives it back.
static bool take_lock(Run *run)
{
    Bytes path = {0};
    bool ok = path_in(&path, run, "lock");
    if (ok && (run->lock = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0644)) < 0)
        ok = fail_errno("%s: opening it", path.data);
    bytes_free(&path);
    return ok &&
           file_lock(run->lock, run->o.out, "another process is training into this folder; wait for it, or take another --out");
}

// from: the checkpoint, NULL for none; last: step of the log's last one, which may lie behind it
static void tell_of_start(Run *run, const char *from, int64_t last, const char *warnings)
{
    int64_t again = last - run->step;
    if (warnings != NULL && warnings[0] != 0)
        log_note(&run->log, "%.*s", (int)strlen(warnings) - 1, warnings); // the last of its lines ends here too
    if (from == NULL && again > 0)
        log_note(&run->log, "no checkpoint here: the %" PRId64 " %s of the log %s begun again", again,
                 again == 1 ? "step" : "steps", again == 1 ? "is" : "are");
    if (from != NULL && again > 0)
        log_note(&run->log, "going on from %s, after step %" PRId64 "; the %" PRId64 " after it in the log %s made again", from,
                 run->step, again, again == 1 ? "is" : "are");
    else if (from != NULL)
        log_note(&run->log, "going on from %s, after step %" PRId64, from, run->step);
    if (from != NULL && run->longer > 0)
        log_note(&run->log, "it had %" PRId64 " steps and has %" PRId64 " now; the bits of those that are made stay", run->longer,
                 run->steps);
}

static const double WRITTEN_A_SECOND = 1e9; // bytes, before it is known

bool run_open(Run *run, const Options *options, bool *resumed)
{
    Bytes path = {0}, log = {0}, warnings = {0};
    run->lock = -1;
    bool ok = folder_make(run->o.out) && path_in(&log, run, "log.jsonl") && may_be_ours(run->o.out, log.data) && take_lock(run) &&
              find_checkpoint(&path, &warnings, run, run->o.resume);
    *resumed = ok && path.size > 0;
    if (*resumed)
        ok = load(run, options, path.data) || fail_in("going on from %s", path.data);
    else
        ok = ok && may_start(run->o.out, run->o.resume, log.data);
    LogFacts facts;
    uint64_t bytes;
    ok = ok && run_checkpoint_bytes(&bytes, run) && room_check(run, &warnings) &&
         log_cut(log.data, *resumed ? run->step : -1, &facts) &&
         log_open(&run->log, log.data, stdout, run->steps, run->o.log_every);
    run->open = ok;
    if (ok) {
        run->evaluated = facts.evaluated;
        run->saved_at = clock_seconds();
        run->save_seconds = (double)bytes / WRITTEN_A_SECOND;
        tell_of_start(run, *resumed ? path.data : NULL, facts.last, warnings.data);
    }
    bytes_free(&path);
    bytes_free(&log);
    bytes_free(&warnings);
    return ok;
}

void run_close(Run *run)
{
    if (run->open)
        log_close(&run->log);
    if (run->lock > 0)
        close(run->lock);
    json_decref(run->identity);
    json_decref(run->recipe);
    *run = (Run){0};
}

// ---- what is written besides

bool run_describe(const Run *run, const Options *options)
{
    Bytes text = {0}, path = {0};
    bool ok = options_config(options, &text) && path_in(&path, run, "options.conf") &&
              file_write_atomic(path.data, text.data, text.size);
    if (ok && run->tokenizer != NULL)
        ok = path_in(&path, run, "tokenizer") && model_folder_copy_tokenizer(run->tokenizer, path.data);
    bytes_free(&text);
    bytes_free(&path);
    return ok;
}

// What was allocated, and what was chosen for that.
static void announce_memory(Run *run, const Fit *fit)
{
    Bytes chosen = {0};
    double bytes = (double)(run->model->state.bytes + run->model->activations.bytes + run->optimizer->state.bytes);
    log_note(&run->log, "memory of model and optimizer: %.1f MiB = %.2f GB (%.2f GiB)", bytes / 0x1p20, bytes / 1e9,
             bytes / 0x1p30);
    if (fit_describe(fit, &chosen) && chosen.size > 0)
        log_note(&run->log, "%s", chosen.data);
    bytes_free(&chosen);
}

void run_announce(Run *run, const Fit *fit)
{
    const Kernels *kernels = run->model->kernels;
    snprintf(run->device, sizeof run->device, "%s", kernels->device());
    log_note(&run->log, "%s (%s), %s; %" PRId64 " parameters; template %s; %" PRId64 " steps", kernels->name, kernels->arithmetic,
             run->device, run->model->parameters.elements, run->template_name, run->steps);
    if (kernels_passed_over() != NULL)
        log_note(&run->log, "no GPU is used: %s", kernels_passed_over());
    if (strstr(kernels->arithmetic, "plain") != NULL)
        log_note(&run->log, "this build's bits are its own: machines with AVX2 and fused multiply-adds give others");
    announce_memory(run, fit);
}

void run_announce_rows(Run *run, const char *name, const ShardFolders *folders)
{
    Bytes notes = {0};
    if (folders->prepared && prepare_notes(&notes, &folders->report) && notes.size > 0) {
        char *rest = notes.data;
        log_note(&run->log, "%s: of %" PRId64 " rows:", name, folders->report.rows);
        for (char *line = strsep(&rest, "\n"); line != NULL && line[0] != 0; line = strsep(&rest, "\n"))
            log_note(&run->log, "  %s", line);
    }
    bytes_free(&notes);
}

void run_announce_data(Run *run, const char *name, const TrainingSet *set)
{
    const Documents *d = &set->documents;
    if (d->count == 0)
        return;
    log_note(&run->log, "%s: %" PRId64 " documents, %" PRId64 " tokens, %" PRId64 " of them trained, the longest document %d",
             name, d->count, d->tokens, d->trained_tokens, (int)d->longest);
    if (d->too_long + d->cut > 0)
        log_note(&run->log, "  of %" PRId64 " records, %" PRId64 " too long and dropped, %" PRId64 " cut", d->records,
                 d->too_long, d->cut);
    run_announce_rows(run, name, &set->folders);
}

// Some of what a device is shows in the first step only: which of a library's algorithms obeyed, and the memory that is left.
static void announce_device_again(Run *run)
{
    const char *now = run->model->kernels->device();
    if (strcmp(now, run->device) != 0)
        log_note(&run->log, "after the first step: %s", now);
}

bool run_report(Run *run, const StepReport *r)
{
    if (!run->reported)
        announce_device_again(run);
    run->reported = true;
    run->step_seconds = r->seconds;
    LogField fields[6 + LEVEL_FIELDS] = {{"loss", r->loss},
                                         {"grad_norm", r->gradient_norm},
                                         {"lr", r->learning_rate},
                                         {"trained_tokens", (double)r->trained_tokens},
                                         {"tokens", (double)r->tokens}};
    size_t count = 5 + level_fields(fields + 5, r->levels, false);
    fields[count++] = (LogField){"tokens_per_second", r->seconds > 0 ? (double)r->tokens / r->seconds : 0};
    TRY(log_step(&run->log, run->step, fields, count));
    run_tell_jump(run, r->loss, r->gradient_norm,
                  "./prepare --inspect shows its documents, with --step; a lower --lr may be calmer");
    return true;
}

bool run_evaluate_if_due(Run *run, Loader *held_out)
{
    if (held_out->documents == NULL || !run_evaluates(run))
        return true;
    Evaluation e;
    TRY(evaluate(run, held_out, &e));
    run->evaluated = run->step;
    LogField fields[2 + LEVEL_FIELDS] = {{"eval_loss", e.loss}, {"eval_exact", e.exact}};
    return log_event(&run->log, "eval", run->step, fields, 2 + level_fields(fields + 2, &e.levels, true));
}

// ---- an end before the last step

bool run_save_and_fail(Run *run)
{
    if (run->step == 0)
        return false;
    char *why = copy_text(error_text());
    TRY(why != NULL);
    bool kept = run->saved == run->step || run_save(run);
    kept ? fail("%s; step %" PRId64 " is saved, and --resume auto goes on from there", why, run->step)
         : fail_in("%s; and saving the last finished step failed", why);
    free(why);
    return false;
}

bool run_stop(Run *run)
{
    if (!run->open)
        printf("stopped by a signal before the first step; the same command begins again\n");
    else if (run->updates > 0)
        log_note(&run->log,
                 "stopped by a signal in the middle of step %" PRId64
                 "'s updates, of which no half is saved; %s; the same command %s",
                 run->step + 1, run_what_stands(run), run->saved > 0 ? "goes on" : "begins again");
    else if (run->step == 0)
        log_note(&run->log, "stopped by a signal before the end of the first step; the same command begins again");
    else {
        TRY(run->saved == run->step || run_save(run));
        log_note(&run->log, "stopped by a signal and saved after step %" PRId64 "; the same command goes on", run->step);
    }
    return true;
}
