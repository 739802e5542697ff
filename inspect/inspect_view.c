// See inspect_view.h.
#include "inspect/inspect_view.h"
#include "intake/mix.h"
#include "system/files.h"
#include <stdlib.h>
#include <unistd.h>

typedef struct View {
    const InspectOptions *options;
    const Tokenizer *tokenizer;
    uint64_t seed;
    Documents documents;
    InspectLook look;
    Bytes out;
} View;

static bool show(View *v, const char *title, const int64_t *numbers, int64_t count)
{
    return inspect(&v->out, v->look, title, &v->documents, v->tokenizer, numbers, (size_t)count);
}

static bool show_record(View *v)
{
    int64_t number = v->options->record;
    char title[96];
    if (number >= v->documents.count)
        return fail("--record %" PRId64 ": there are %" PRId64 ", numbered from 0", number, v->documents.count);
    snprintf(title, sizeof title, "record %" PRId64 " of %" PRId64, number, v->documents.count);
    return show(v, title, &number, 1);
}

static bool show_step(View *v, Loader *loader)
{
    const InspectOptions *o = v->options;
    StepPlan plan;
    char title[160];
    TRY(loader_plan(loader, o->step, &plan));
    if (o->micro_batch >= plan.micro_batches)
        return fail("--micro-batch %" PRId64 ": step %" PRId64 " has %" PRId64 ", numbered from 0", o->micro_batch,
                    plan.step, plan.micro_batches);
    if (o->micro_batch < 0 && v->look == INSPECT_HTML) {
        snprintf(title, sizeof title, "step %" PRId64 ", all micro-batches", plan.step);
        return show(v, title, plan.numbers, plan.documents);
    }
    for (int64_t m = 0; m < plan.micro_batches; m++) {
        int64_t count = plan.first[m + 1] - plan.first[m];
        if (o->micro_batch >= 0 && m != o->micro_batch)
            continue;
        snprintf(title, sizeof title, "step %" PRId64 ", micro-batch %" PRId64 " of %" PRId64, plan.step, m,
                 plan.micro_batches);
        TRY(count > 0 ? show(v, title, plan.numbers + plan.first[m], count)
                      : bytes_printf(&v->out, "%s: empty\n", title));
    }
    return true;
}

static bool show_micro_batches(View *v)
{
    const InspectOptions *o = v->options;
    LoaderWeight *weights;
    Loader loader;
    TRY(mix_parse(&weights, o->mix.items, o->mix.count));
    LoaderOptions dealing = {.seed = v->seed,
                             .order = (LoaderOrder)o->order.place,
                             .weights = weights,
                             .weight_count = o->mix.count,
                             .global_batch = o->global_batch,
                             .micro_batch_tokens = o->micro_batch_tokens,
                             .slots = o->slots};
    bool ok = loader_open(&loader, &v->documents, &dealing);
    if (ok) {
        ok = show_step(v, &loader);
        loader_close(&loader);
    }
    mix_free(weights, o->mix.count);
    return ok;
}

static bool kind_of(ShardKind *kind, const char *path)
{
    char **files = NULL;
    size_t count = 0;
    Shard shard;
    *kind = SHARD_SFT;
    if (folder_exists(path))
        TRY(shard_files(&files, &count, path));
    bool ok = true;
    if (count > 0 || !folder_exists(path)) {
        ok = shard_open(&shard, count > 0 ? files[0] : path);
        if (ok) {
            *kind = shard.about.kind;
            shard_close(&shard);
        }
    }
    names_free(files, count);
    return ok;
}

static bool open_documents(View *v, const char *const *folders, size_t count)
{
    DocumentOptions reading = {.seq_len = v->options->seq_len,
                               .over_length = (OverLength)v->options->over_length.place,
                               .vocabulary = INT32_MAX,
                               .template = TEMPLATE_UNKNOWN,
                               .tokenizer = v->tokenizer == NULL ? 0 : tokenizer_hash(v->tokenizer)};
    return kind_of(&reading.kind, folders[0]) && documents_open(&v->documents, &reading, folders, count);
}

static bool write_view(const View *v)
{
    const char *page = v->options->html;
    if (v->look == INSPECT_HTML)
        return file_may_be_replaced(page, INSPECT_PAGE) && parents_make(page) &&
               file_write_atomic(page, v->out.data, v->out.size);
    return (fwrite(v->out.data, 1, v->out.size, stdout) == v->out.size && fflush(stdout) == 0) || fail_errno("writing");
}

static InspectLook look_of(const InspectOptions *options)
{
    const char *no_colour = getenv("NO_COLOR");
    bool coloured = isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == 0);
    return options->html[0] != 0 ? INSPECT_HTML : coloured ? INSPECT_COLOUR : INSPECT_PLAIN;
}

bool inspect_view(const InspectOptions *options, const char *const *folders, size_t count, const Tokenizer *tokenizer,
                  uint64_t seed)
{
    View v = {.options = options, .tokenizer = tokenizer, .seed = seed, .look = look_of(options)};
    TRY(open_documents(&v, folders, count));
    bool ok = (options->step >= 0 ? show_micro_batches(&v) : show_record(&v)) && write_view(&v);
    documents_close(&v.documents);
    bytes_free(&v.out);
    return ok;
}
