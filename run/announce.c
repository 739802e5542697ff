// What a run writes and shows besides its state: options.conf, the lines at its start, the line of a step of
// fine-tuning.
#include "pretrained/folder.h"
#include "run/run_internal.h"
#include <string.h>

bool run_describe(const Run *run, const Options *options, const Fit *fit)
{
    if (!run_is_first(run))
        return true;
    Bytes text = {0}, path = {0};
    bool ok = options_config(options, &text) && path_in(&path, run, "options.conf") &&
              file_write_atomic(path.data, text.data, text.size);
    if (ok && run->tokenizer != NULL)
        ok = path_in(&path, run, "tokenizer") && model_folder_copy_tokenizer(run->tokenizer, path.data);
    if (ok && run->step < run->steps) // of a run that is finished nothing begins
        ok = run_note_start(run, fit);
    bytes_free(&text);
    bytes_free(&path);
    return ok;
}

// What was allocated, and what was chosen for it.
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

static void announce_ranks(Run *run)
{
    const Communicator *c = run->ranks;
    bool one_host = strcmp(c->mesh.hosts[0], c->mesh.hosts[c->size - 1]) == 0;
    log_note(&run->log, "%d ranks (%s), on %s%s: gradients, moments and their sums are divided among them%s%s", c->size,
             c->launcher, c->mesh.hosts[0], one_host ? "" : " and others", c->between[0] != 0 ? "; " : "", c->between);
}

static void announce_adapters(Run *run)
{
    const Adapters *adapters = &run->model->limits.adapters;
    log_note(&run->log,
             "LoRA of rank %" PRId64 ", alpha %g: %" PRId64 " parameters learn, and the model's own lie still",
             adapters->rank, adapters->scale * (double)adapters->rank, run->model->parameters.elements);
}

void run_announce(Run *run, const Fit *fit)
{
    const Kernels *kernels = run->model->kernels;
    snprintf(run->device, sizeof run->device, "%s", kernels->device());
    log_note(&run->log, "%s (%s), %s; %" PRId64 " parameters; template %s; %" PRId64 " steps", kernels->name,
             kernels->arithmetic, run->device, model_own(run->model)->elements, run->template_name, run->steps);
    if (run->base != NULL)
        announce_adapters(run);
    if (run->ranks != NULL && run->ranks->size > 1)
        announce_ranks(run);
    if (kernels->inexact != NULL)
        log_note(&run->log, "exact = false: %s", kernels->inexact);
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
    log_note(&run->log,
             "%s: %" PRId64 " documents, %" PRId64 " tokens, %" PRId64 " of them trained, the longest document %d",
             name, d->count, d->tokens, d->trained_tokens, (int)d->longest);
    if (d->too_long + d->cut > 0)
        log_note(&run->log, "  of %" PRId64 " records, %" PRId64 " too long and dropped, %" PRId64 " cut", d->records,
                 d->too_long, d->cut);
    run_announce_rows(run, name, &set->folders);
}

// Some facts about a device are known after the first step only: which of a library's algorithms it runs, and the
// memory that is left.
void run_announce_again(Run *run)
{
    const Kernels *kernels = run->model->kernels;
    const char *now = kernels->device(), *own = kernels->own_products != NULL ? kernels->own_products() : "";
    if (strcmp(now, run->device) != 0)
        log_note(&run->log, "after the first step: %s", now);
    if (own[0] != 0)
        log_note(&run->log,
                 "matrix products of our own kernel, as none of the library gives its bits, or none is faster: %s",
                 own);
}

bool run_report(Run *run, const StepReport *r)
{
    run->step_seconds = r->seconds;
    SaveTimes save = run_take_save_times(run);
    LogField fields[9 + LEVEL_FIELDS] = {{"loss", r->loss},
                                         {"grad_norm", r->gradient_norm},
                                         {"lr", r->learning_rate},
                                         {"trained_tokens", (double)r->trained_tokens},
                                         {"tokens", (double)r->tokens}};
    size_t count = 5 + level_fields(fields + 5, r->levels, false);
    fields[count++] = (LogField){"tokens_per_second", r->seconds > 0 ? (double)r->tokens / r->seconds : 0};
    if (!run_is_alone(run))
        fields[count++] = (LogField){"sent_bytes", run_take_sent(run)};
    if (save.stall > 0)
        fields[count++] = (LogField){"timing_s/save_checkpoint", save.stall};
    if (save.writing > 0)
        fields[count++] = (LogField){"timing_s/save_writing", save.writing};
    TRY(log_step(&run->log, run->step, fields, count));
    run_tell_jump(run, r->loss, r->gradient_norm,
                  "./prepare --inspect shows its documents, with --step; a lower --lr may be calmer");
    return true;
}
