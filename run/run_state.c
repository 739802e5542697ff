// A run's state: what a checkpoint holds of it, what its bits depend on, how it is saved and resumed.
#include "checkpoint/checkpoint.h"
#include "pretrained/config_json.h"
#include "run/run_internal.h"
#include <stdlib.h>
#include <string.h>

// ---- the state as named tensors: weights under their own names, moments under optim.m.NAME and optim.v.NAME

enum { WEIGHTS, FIRST, SECOND, KINDS }; // of state
enum { MANIFEST_BYTES = 400 };          // of the manifest, for a tensor

typedef struct Part {
    Run *run;
    int kind;
    int64_t offset; // among all elements of its kind
    char name[96];
} Part;

typedef struct State {
    StateTensor *tensors; // (count) KINDS · parameters
    Part *parts;          // (count)
    size_t count;
} State;

static Moment moment_of(const Part *p) { return p->kind == FIRST ? FIRST_MOMENT : SECOND_MOMENT; }

static bool read_part(void *context, int64_t first, int64_t count, float *out)
{
    const Part *p = context;
    p->run->pieces++;
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

static bool state_tensors(State *s, Run *run)
{
    static const char *const PREFIX[KINDS] = {"", "optim.m.", "optim.v."};
    const Parameters *all = &run->model->parameters;
    s->count = KINDS * (size_t)all->count;
    s->tensors = allocate(s->count, sizeof *s->tensors);
    s->parts = allocate(s->count, sizeof *s->parts);
    TRY(s->tensors != NULL && s->parts != NULL);
    for (size_t i = 0; i < s->count; i++) {
        const Parameter *p = &all->list[i % (size_t)all->count];
        Part *part = &s->parts[i];
        *part = (Part){run, (int)(i / (size_t)all->count), p->offset, ""};
        snprintf(part->name, sizeof part->name, "%s%s", PREFIX[part->kind], p->name);
        s->tensors[i] = (StateTensor){part->name, parameter_elements(p), read_part, part};
    }
    return true;
}

static void state_free(State *s)
{
    free(s->tensors);
    free(s->parts);
}

bool run_checkpoint_bytes(uint64_t *bytes, Run *run)
{
    State s = {0};
    bool ok = state_tensors(&s, run) && checkpoint_bytes(bytes, s.tensors, s.count);
    *bytes += MANIFEST_BYTES * s.count;
    state_free(&s);
    return ok;
}

// ---- the schedule

json_t *schedule_state(const Run *run)
{
    json_t *state =
        json_pack("{s:I, s:I}", "steps", (json_int_t)run->schedule->steps, "warmup", (json_int_t)run->schedule->warmup);
    if (state == NULL)
        fail_as(ERROR_SYSTEM, "no memory for the state of a checkpoint");
    return state;
}

// With another number of steps the rates of the made ones are the same, bit by bit, under a constant rate, and under
// wsd before the decay of either.
bool schedule_resume(Run *run, const json_t *saved, const char *where)
{
    Schedule before = *run->schedule;
    TRY(json_need_int(&before.steps, saved, "steps", 0, INT64_MAX, where) &&
        json_need_int(&before.warmup, saved, "warmup", 0, INT64_MAX, where));
    run->schedule->warmup =
        before.warmup; // --warmup-steps is the same, as the options were compared; or it was a share
    if (run->step > run->steps)
        return fail("%s: has %" PRId64 " steps already, and the run is to have %" PRId64
                    "; give more --steps or --epochs",
                    where, run->step, run->steps);
    for (int64_t step = 0; step < run->step; step++)
        if (learning_rate(&before, step) != learning_rate(run->schedule, step))
            return fail("%s: was made on the way to %" PRId64 " steps, and with %" PRId64
                        " the learning rate of step %" PRId64 " is another one; give --steps %" PRId64
                        ", or begin a new run from the model of this one (only "
                        "--lr-schedule constant, and wsd before its decay, can be made longer)",
                        where, before.steps, run->steps, step + 1, before.steps);
    run->longer = before.steps != run->steps ? before.steps : 0;
    return true;
}

// ---- saved

static json_t *state_scalars(const Run *run)
{
    json_t *config = config_to_json(&run->model->config, "float32");
    if (config == NULL)
        return NULL;
    json_t *state = json_pack("{s:I, s:I, s:O, s:o, s:s, s:o, s:O*}", "step", (json_int_t)run->step, "optimizer_step",
                              (json_int_t)run->optimizer->step, "identity", run->identity, "config", config, "template",
                              run->template_name, "schedule", schedule_state(run), "recipe", run->recipe);
    if (state == NULL)
        fail("no memory for the state of a checkpoint");
    return state;
}

static bool ask_recipe(Run *run)
{
    if (run->recipe_state == NULL)
        return true;
    json_decref(run->recipe);
    return (run->recipe = run->recipe_state(run->recipe_context)) != NULL &&
           (run_is_alone(run) || comm_same_json(run->ranks, run->recipe, "the state of a checkpoint"));
}

bool run_save(Run *run)
{
    double start = clock_seconds();
    TRY(ask_recipe(run));
    State s = {0};
    Bytes folder = {0};
    json_t *state = state_scalars(run);
    bool opened = state != NULL && state_tensors(&s, run), ok = opened;
    run->pieces = 0;
    if (run_is_first(run))
        ok = ok && path_in(&folder, run, "checkpoints") && log_sync(&run->log) &&
             checkpoint_save(folder.data, run->step, s.tensors, s.count, state, (int)run->o.keep_checkpoints);
    else
        ok = ok && checkpoint_attend(s.tensors, s.count, 0);
    bool failed = !ok;
    if (failed && opened && run_is_first(run) && !run_is_alone(run)) // the others are waiting for the rest
        ok = checkpoint_attend(s.tensors, s.count, run->pieces) && false;
    ok = run_any(run, &failed) && ok && (!failed || fail("another rank could not save; it says why"));
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

// ---- what the bits depend on

static bool set_text(Run *run, const char *name, const char *text)
{
    return json_object_set_new(run->identity, name, json_string(text)) == 0 ||
           fail("no memory for the identity of a run");
}

bool run_identity_add(Run *run, const char *name, uint64_t hash)
{
    char text[32];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return set_text(run, name, text);
}

bool run_identity(Run *run, const Options *options, const Documents *documents, const Tokenizer *tokenizer)
{
    run->identity = options_identity(options);
    return run->identity != NULL && run_identity_add(run, "documents", documents_hash(documents)) &&
           run_identity_add(run, "tokenizer_files", tokenizer == NULL ? 0 : tokenizer_hash(tokenizer)) &&
           set_text(run, "arithmetic", run->model->kernels->arithmetic);
}

// ---- resumed

// A part of the identity that is no option, and the options that it follows from.
static const struct {
    const char *name, *options;
} BEYOND_OPTIONS[] = {{"documents", "--data"},
                      {"tokenizer_files", "--tokenizer, or --model"},
                      {"arithmetic", "--device, and the machine"},
                      {"answer_checker", "the version of this program"},
                      {"judge", "--judge-model"},
                      {"judge_prompt", "--judge-prompt, --judge-yes and --judge-no, or the version of this program"},
                      {"reference", "--reference"}};

static bool same_identity(const json_t *saved, const json_t *present, const Options *options, const char *where)
{
    TRY(options_same_identity(options, saved, where));
    for (size_t i = 0; i < sizeof BEYOND_OPTIONS / sizeof BEYOND_OPTIONS[0]; i++) {
        const char *name = BEYOND_OPTIONS[i].name, *before = json_string_value(json_object_get(saved, name));
        const char *now = json_string_value(json_object_get(present, name));
        before = before == NULL ? "none" : before;
        now = now == NULL ? "none" : now;
        if (strcmp(before, now) != 0)
            return fail(
                "%s: was made with other %s (%s, now %s), which is %s; train with the same, or take another --out",
                where, name, before, now, BEYOND_OPTIONS[i].options);
    }
    return true;
}

enum { PIECE = 1 << 22 }; // elements in host memory at a time

static bool load_tensor(Checkpoint *checkpoint, const StateTensor *t, const Part *part, float *piece)
{
    int64_t elements = checkpoint_elements(checkpoint, t->name);
    if (elements != t->elements)
        return fail("tensor %s has %" PRId64 " elements there, %" PRId64 " here: another model", t->name, elements,
                    t->elements);
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

// The tensors' sizes do not show all: rope_theta has no tensor, and a model of fewer layers would find all of its own.
static bool same_model(const Run *run, const json_t *saved, const char *where)
{
    static const char *const KEYS[] = {"model_type",          "hidden_size",         "num_hidden_layers",
                                       "num_attention_heads", "num_key_value_heads", "head_dim",
                                       "intermediate_size",   "vocab_size",          "rope_theta",
                                       "rms_norm_eps",        "tie_word_embeddings"};
    json_t *now = config_to_json(&run->model->config, "float32");
    TRY(now != NULL);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof KEYS / sizeof KEYS[0]; i++) {
        const json_t *here = json_object_get(now, KEYS[i]), *there = json_object_get(saved, KEYS[i]);
        if (here != there && !json_equal(here, there)) // a key may be in neither
            ok = fail(
                "%s: was made of a model with another %s in config.json; go on with that model, or take another --out",
                where, KEYS[i]);
    }
    json_decref(now);
    return ok;
}

static const int64_t STEPS_MOST = INT64_MAX / 2; // there is room to count on

bool run_load(Run *run, const Options *options, const char *path)
{
    Checkpoint *checkpoint;
    TRY(checkpoint_open(&checkpoint, path));
    const json_t *state = checkpoint_state(checkpoint);
    int64_t optimizer_step = 0;
    bool ok =
        json_need_int(&run->step, state, "step", 0, STEPS_MOST, path) &&
        (run->step == checkpoint_step(checkpoint) || fail("%s: its state is that of step %" PRId64, path, run->step)) &&
        json_need_int(&optimizer_step, state, "optimizer_step", 0, STEPS_MOST, path) &&
        same_identity(json_object_get(state, "identity"), run->identity, options, path) &&
        same_model(run, json_object_get(state, "config"), path) &&
        schedule_resume(run, json_object_get(state, "schedule"), path) && load_tensors(run, checkpoint);
    run->optimizer->step = optimizer_step;
    run->saved = run->step;
    run->recipe = json_incref(json_object_get(state, "recipe"));
    checkpoint_close(checkpoint);
    return ok;
}
