// A run's state: what a checkpoint holds of it, what its bits depend on, how it is resumed. Saving is in save.c.
#include "checkpoint/checkpoint.h"
#include "kernels/exactness.h"
#include "pretrained/adapter_json.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include "run/run_internal.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

// ---- the state as named tensors: weights under their own names, moments under optim.m.NAME and optim.v.NAME

_Static_assert(SQUARES_BLOCK % STATE_BLOCK == 0, "what a rank owns begins where a checkpoint's parts may");
enum { WEIGHTS, FIRST, SECOND, KINDS }; // of state
enum { MANIFEST_BYTES = 400 };          // of the manifest, for a tensor

struct StatePart {
    Run *run;
    int kind;
    int64_t offset, first; // of the tensor among all elements of its kind; of the part in the tensor
    const float *copy;     // NULL: there is none
    char name[96];
};

static Moment moment_of(const StatePart *p) { return p->kind == FIRST ? FIRST_MOMENT : SECOND_MOMENT; }

static bool read_part(void *context, int64_t first, int64_t count, float *out)
{
    const StatePart *p = context;
    if (p->copy != NULL) {
        memcpy(out, p->copy + (first - p->first), (size_t)count * sizeof *out);
        return true;
    }
    if (p->kind == WEIGHTS)
        return model_read_own_weights(p->run->model, p->offset + first, count, out);
    return optimizer_read_own_moments(p->run->optimizer, moment_of(p), p->offset + first, count, out);
}

static bool write_part(const StatePart *p, int64_t first, int64_t count, float *host)
{
    if (p->kind != WEIGHTS)
        return optimizer_write_moments(p->run->optimizer, moment_of(p), p->offset + first, count, host);
    model_write_weights(p->run->model, p->offset + first, count, host);
    return true;
}

static void add_part(RunState *s, Run *run, int kind, const ShardPart *where)
{
    static const char *const PREFIX[KINDS] = {"", "optim.m.", "optim.v."};
    const Parameter *p = &run->model->parameters.list[where->tensor];
    StatePart *part = &s->parts[s->count];
    *part = (StatePart){.run = run, .kind = kind, .offset = p->offset, .first = where->first};
    snprintf(part->name, sizeof part->name, "%s%s", PREFIX[kind], p->name);
    s->tensors[s->count++] =
        (StateTensor){part->name, parameter_elements(p), where->first, where->count, read_part, part};
    s->elements += where->count;
}

bool run_state_open(RunState *s, Run *run, bool whole)
{
    const Parameters *all = &run->model->parameters;
    const Sharding *own = &run->model->sharding;
    int64_t count = whole ? all->count : own->part_count;
    *s = (RunState){.tensors = allocate(KINDS * (size_t)count, sizeof *s->tensors),
                    .parts = allocate(KINDS * (size_t)count, sizeof *s->parts)};
    TRY(s->tensors != NULL && s->parts != NULL);
    for (int kind = 0; kind < KINDS; kind++)
        for (int64_t i = 0; i < count; i++) {
            ShardPart all_of_it = {.tensor = i, .count = whole ? parameter_elements(&all->list[i]) : 0};
            add_part(s, run, kind, whole ? &all_of_it : &own->parts[i]);
        }
    return true;
}

bool run_state_copy(RunState *s, float *memory)
{
    for (size_t i = 0; i < s->count; i++) {
        const StateTensor *t = &s->tensors[i];
        TRY(t->read(t->context, t->first, t->count, memory));
        s->parts[i].copy = memory;
        memory += t->count;
    }
    return true;
}

void run_state_free(RunState *s)
{
    free(s->tensors);
    free(s->parts);
    *s = (RunState){0};
}

bool run_checkpoint_bytes(uint64_t *bytes, Run *run)
{
    RunState s;
    bool ok =
        run_state_open(&s, run, true) && checkpoint_shard_bytes(bytes, &(StateShard){0, 1, s.tensors, s.count, NULL});
    *bytes += MANIFEST_BYTES * s.count * (run->ranks == NULL ? 1 : (uint64_t)run->ranks->size);
    run_state_free(&s);
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
    run->schedule->warmup = before.warmup; // --warmup-steps is the same, as options were compared; or it was a share
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

// ---- what is saved besides tensors

static bool ask_recipe(Run *run)
{
    if (run->recipe_state == NULL)
        return true;
    json_decref(run->recipe);
    return (run->recipe = run->recipe_state(run->recipe_context)) != NULL &&
           (run_is_alone(run) || comm_same_json(run->ranks, run->recipe, "the state of a checkpoint"));
}

// What an export needs of adapters; *state is NULL where there are none.
static bool adapters_state(json_t **state, const Run *run)
{
    char hash[32];
    *state = NULL;
    if (run->base == NULL)
        return true;
    TRY((*state = adapters_to_json(&run->model->limits.adapters)) != NULL);
    snprintf(hash, sizeof hash, "%016" PRIx64, run->base_hash);
    bool ok = json_object_set_new(*state, "base", json_string(run->base_place)) == 0 &&
              json_object_set_new(*state, "base_hash", json_string(hash)) == 0;
    if (!ok)
        json_decref(*state);
    return ok || fail("no memory for the state of a checkpoint");
}

json_t *run_state_scalars(Run *run)
{
    json_t *adapters;
    if (!ask_recipe(run) || !adapters_state(&adapters, run))
        return NULL;
    json_t *config = config_to_json(&run->model->config, "float32");
    if (config == NULL) {
        json_decref(adapters);
        return NULL;
    }
    json_t *state = json_pack("{s:I, s:I, s:I, s:O, s:o, s:s, s:o, s:O*, s:o*, s:O*, s:o*}", "step",
                              (json_int_t)run->step, "optimizer_step", (json_int_t)run->optimizer->step, "skipped",
                              (json_int_t)run->skipped, "identity", run->identity, "config", config, "template",
                              run->template_name, "schedule", schedule_state(run), "recipe", run->recipe, "stop_when",
                              stopping_json(&run->stopping), "measured", run->measured.with, "adapters", adapters);
    if (state == NULL)
        fail("no memory for the state of a checkpoint");
    return state;
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

// The model that adapters are trained for: which, and where it is now; a link to it may lead elsewhere later.
static bool add_base(Run *run)
{
    if (run->base == NULL)
        return true;
    if ((run->base_place = realpath(run->base, NULL)) == NULL)
        return fail_errno("%s: where is it", run->base);
    json_t *text = json_string(run->base_place); // as every checkpoint will say it
    if (text == NULL)
        return fail("--model %s: leads to a folder whose name is not UTF-8, which a checkpoint of adapters cannot "
                    "name; rename it",
                    run->base);
    json_decref(text);
    return model_folder_hash(&run->base_hash, run->base, &run->model->config) &&
           run_identity_add(run, "base", run->base_hash);
}

bool run_identity(Run *run, const Options *options, const Documents *documents, const Tokenizer *tokenizer)
{
    TRY((run->identity = options_identity(options)) != NULL && add_base(run));
    return run_identity_add(run, "documents", documents_hash(documents)) &&
           run_identity_add(run, "tokenizer_files", tokenizer == NULL ? 0 : tokenizer_hash(tokenizer)) &&
           set_text(run, "arithmetic", run->model->kernels->arithmetic);
}

// ---- resumed

// A part of the identity that is no option, and the options that it follows from.
static const struct {
    const char *name, *options;
} BEYOND_OPTIONS[] = {{"documents", "--data"},
                      {"tokenizer_files", "--tokenizer, or --model"},
                      {"base", "--model"},
                      {"arithmetic", "--device, --attention, and the machine"},
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

static bool same_sizes(Run *run, const Checkpoint *checkpoint)
{
    RunState all;
    bool ok = run_state_open(&all, run, true);
    for (size_t i = 0; ok && i < all.count; i++) {
        int64_t here = all.tensors[i].elements, there = checkpoint_elements(checkpoint, all.tensors[i].name);
        ok = here == there || fail("tensor %s has %" PRId64 " elements there, %" PRId64 " here: another model",
                                   all.tensors[i].name, there, here);
    }
    run_state_free(&all);
    return ok;
}

static bool load_part(Checkpoint *checkpoint, const StateTensor *t, const StatePart *part, float *piece)
{
    for (int64_t first = t->first, end = t->first + t->count; first < end; first += PIECE) {
        int64_t count = smaller(PIECE, end - first);
        phase_progress();
        TRY(checkpoint_read(checkpoint, t->name, first, count, piece));
        if (!write_part(part, first, count, piece))
            return fail_in("tensor %s", t->name);
    }
    return true;
}

// Each rank reads what it owns, whatever wrote it: together the whole state once.
static bool load_tensors(Run *run, Checkpoint *checkpoint)
{
    RunState own;
    float *piece = allocate(PIECE, sizeof *piece);
    bool ok = piece != NULL && same_sizes(run, checkpoint) && run_state_open(&own, run, false);
    if (ok) {
        for (size_t i = 0; ok && i < own.count; i++)
            ok = load_part(checkpoint, &own.tensors[i], &own.parts[i], piece);
        run_state_free(&own);
    }
    free(piece);
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

static bool load(Run *run, const Options *options, const char *path)
{
    Checkpoint *checkpoint;
    phase_is("loading a checkpoint", -1);
    bool opened = checkpoint_open(&checkpoint, path), first = opened;
    TRY(run_hear_first(run, &first, sizeof first));
    if (!opened && !run_is_first(run) && first)
        return fail_in("rank 0 has found it whole; --out must be a folder that all hosts share");
    if (!opened || !first) {
        if (opened)
            checkpoint_close(checkpoint);
        return opened ? fail("%s: rank 0 cannot open it", path) : false;
    }
    const json_t *state = checkpoint_state(checkpoint);
    int64_t optimizer_step = 0;
    bool ok =
        json_need_int(&run->step, state, "step", 0, STEPS_MOST, path) &&
        (run->step == checkpoint_step(checkpoint) || fail("%s: its state is that of step %" PRId64, path, run->step)) &&
        json_need_int(&optimizer_step, state, "optimizer_step", 0, STEPS_MOST, path) &&
        (json_object_get(state, "skipped") == NULL || // an older one
         json_need_int(&run->skipped, state, "skipped", 0, STEPS_MOST, path)) &&
        same_identity(json_object_get(state, "identity"), run->identity, options, path) &&
        same_model(run, json_object_get(state, "config"), path) &&
        schedule_resume(run, json_object_get(state, "schedule"), path) &&
        measured_resume(&run->measured, json_object_get(state, "measured"), run->o.keep_best, run->stopping.asked) &&
        stopping_resume(&run->stopping, json_object_get(state, "stop_when"), run->step, path) &&
        load_tensors(run, checkpoint);
    run->optimizer->step = optimizer_step;
    run->saved = run->step;
    run->recipe = json_incref(json_object_get(state, "recipe"));
    checkpoint_close(checkpoint);
    return ok;
}

// The weights that all ranks need travel as after an update, in the type of the passes: less than if each rank read all
// masters.
bool run_load(Run *run, const Options *options, const char *path)
{
    return run_agree(run, load(run, options, path)) && model_share_weights(run->model);
}
