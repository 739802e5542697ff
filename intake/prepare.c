// A preparation from beginning to end: see prepare.h. The stages are in prepare_read.c, prepare_decide.c,
// prepare_write.c and prepare_report.c; here is their order, and the folder that appears only when it is complete.
#include "intake/prepare_internal.h"
#include "json/json.h"
#include <stdlib.h>
#include <string.h>

const char *const FATE_NAMES[FATES] = {"sft",          "prompts",         "rl",       "sft_hard",    "prompts_hard",
                                       "sft_and_rl",   "prompts_and_rl",  "holdout",  "bad",         "unfinished",
                                       "duplicate",    "other_answer",    "repeated", "same_prompt", "contaminated",
                                       "no_answer",    "prompt_held_out", "wrong",    "unknown",     "unreadable",
                                       "another_right"};

const char *const FATE_REASONS[FATES] = {
    [FATE_BAD] = "are bad",
    [FATE_UNFINISHED] = "are unfinished (finish_reason is not stop)",
    [FATE_DUPLICATE] = "are exact duplicates (--keep-duplicates keeps them)",
    [FATE_OTHER_ANSWER] = "have the prompt of an earlier row, but another reference answer",
    [FATE_REPEATED] = "repeat the prompt, response and answer of an earlier row; other fields differ",
    [FATE_SAME_PROMPT] = "have a prompt that rl/ has already",
    [FATE_CONTAMINATED] = "share 13 words with a benchmark, or have a short question of it",
    [FATE_NO_ANSWER] = "are for rl/, but have no reference answer",
    [FATE_PROMPT_HELD_OUT] = "have a prompt that is held out",
    [FATE_WRONG] = "have a wrong answer",
    [FATE_UNKNOWN] = "have an answer that no rule can decide",
    [FATE_UNREADABLE] = "have no reference that an answer can be compared with",
    [FATE_ANOTHER_RIGHT] = "are right, as is an earlier response to their prompt"};

static bool open_sorts(PrepareJob *job)
{
    size_t memory = job->options->memory;
    job->spool = sorter_open(job->folder, SPOOL_KEY, memory / 8 * 7);
    job->facts = job->spool == NULL ? NULL : sorter_open(job->folder, FACT_KEY, memory / 8);
    return job->facts != NULL;
}

static bool anything_left(const PrepareJob *job)
{
    const PrepareReport *r = job->report;
    int64_t kept = 0;
    for (int fate = 0; fate < FATE_DROPPED; fate++)
        kept += r->fates[fate];
    if (kept > 0)
        return true;
    Bytes text = {0};
    if (r->rows == 0)
        return fail("%s%s: there is no row in it", r->file_count > 0 ? r->files[0].path : "no files",
                    r->file_count > 1 ? " and others" : "");
    for (int fate = FATE_DROPPED; fate < FATES; fate++)
        if (r->fates[fate] > 0)
            bytes_printf(&text, ", %" PRId64 " %s", r->fates[fate], FATE_REASONS[fate]);
    prepare_unread(&text, r, "; ", "");
    fail("%s%s: nothing to train on: no row is left of %" PRId64 "%s%s%s",
         r->file_count > 0 ? r->files[0].path : "no files", r->file_count > 1 ? " and others" : "", r->rows,
         text.size > 0 ? text.data : "", r->bad_rows[0] != NULL ? "; the first bad one: " : "",
         r->bad_rows[0] != NULL ? r->bad_rows[0] : "");
    bytes_free(&text);
    return false;
}

static bool write_report(const PrepareJob *job)
{
    char *json_path = path_join(job->folder, "split.json"), *svg_path = path_join(job->folder, "split.svg");
    json_t *json = prepare_json(job->report, job->options);
    Bytes svg = {0};
    bool ok = json_path != NULL && svg_path != NULL && json != NULL && json_write_atomic(json_path, json) &&
              prepare_picture(&svg, job->report, job->options) && file_write_atomic(svg_path, svg.data, svg.size);
    bytes_free(&svg);
    json_decref(json);
    free(json_path);
    free(svg_path);
    return ok;
}

static bool read_benchmarks(PrepareJob *job)
{
    const PrepareOptions *o = job->options;
    PrepareReport *r = job->report;
    size_t count;
    TRY((job->ngrams = ngrams_read(o->benchmarks, o->benchmark_count, o->decontaminate_all)) != NULL);
    const NgramFile *files = ngrams_files(job->ngrams, &count);
    TRY((r->benchmarks = allocate(count + 1, sizeof *r->benchmarks)) != NULL);
    for (size_t i = 0; i < count; i++) {
        r->benchmarks[i] = files[i];
        TRY((r->benchmarks[i].path = copy_text(files[i].path)) != NULL);
        r->benchmark_count++;
    }
    return true;
}

static bool run_stages(PrepareJob *job)
{
    TRY(job->options->benchmark_count == 0 || read_benchmarks(job));
    return open_sorts(job) && prepare_read(job) && prepare_decide(job) && prepare_write(job) && anything_left(job) &&
           write_report(job);
}

static void job_close(PrepareJob *job)
{
    if (job->facts != NULL)
        sorter_close(job->facts);
    if (job->spool != NULL) {
        job->report->runs = sorter_runs(job->spool);
        sorter_close(job->spool);
    }
    if (job->ngrams != NULL)
        ngrams_close(job->ngrams);
    free(job->rows);
}

// ---- the folder

static bool is_ours(const char *name, bool inside)
{
    static const char *const TOP[] = {"sft",           "rl",         "sft_hard", "holdout.jsonl",
                                      "dropped.jsonl", "split.json", "split.svg"};
    for (size_t i = 0; !inside && i < sizeof TOP / sizeof *TOP; i++)
        if (strcmp(name, TOP[i]) == 0)
            return true;
    return inside && (strncmp(name, "shard-", 6) == 0 || strcmp(name, "prompts.jsonl") == 0);
}

// An older preparation may be replaced, and an empty folder filled; anything else is the user's.
static bool may_replace(const char *folder, bool inside)
{
    char **names;
    size_t count;
    TRY(folder_list(&names, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        char *path = path_join(folder, names[i]);
        PathKind kind = PATH_NONE;
        ok = path != NULL && path_kind(&kind, path);
        bool deeper = kind == PATH_FOLDER;
        ok = ok && ((is_ours(names[i], inside) && !(inside && deeper)) ||
                    fail("%s: not written by ./prepare, and would be deleted; move it, or take another --out", path));
        ok = ok && (!deeper || may_replace(path, true));
        free(path);
    }
    names_free(names, count);
    return ok;
}

// The real place of the output: a link is followed, and stays.
static bool resolve(Bytes *out, const char *path)
{
    char *real = realpath(path, NULL);
    bool ok = bytes_text(out, real != NULL ? real : path);
    free(real);
    while (ok && out->size > 1 && out->data[out->size - 1] == '/')
        out->data[--out->size] = 0;
    PathKind kind;
    TRY(ok && path_kind(&kind, out->data));
    if (kind == PATH_NONE)
        return file_may_be_written(out->data); // a link to nothing is not replaced
    if (kind != PATH_FOLDER)
        return fail("%s: there is a file where the folder should be", out->data);
    return may_replace(out->data, false);
}

static bool check_options(const PrepareOptions *o)
{
    if (o->tau == 0 && (o->split == SPLIT_AT_RANDOM || o->split == SPLIT_HARD_SFT))
        return fail_as(ERROR_USAGE, "--split random and hard-sft need --tau: its counts are theirs");
    return o->tau > 0 || o->split != SPLIT_INVERTED ||
           fail_as(ERROR_USAGE, "--split inverted needs --tau: difficulty > tau goes to sft/, <= tau to rl/");
}

bool prepare(PrepareReport *report, const PrepareOptions *options)
{
    PrepareJob job = {.options = options, .report = report};
    TemporaryFolder folder = {0};
    Bytes out = {0};
    *report = (PrepareReport){.split = options->split};
    TRY(check_options(options));
    bool ok = resolve(&out, options->out) && parents_make(out.data) && temporary_folder_make(&folder, out.data);
    if (ok) {
        job.folder = folder.path;
        ok = run_stages(&job);
        job_close(&job);
        ok = ok && folder_publish(folder.path, out.data);
    }
    temporary_folder_close(&folder);
    bytes_free(&out);
    return ok;
}

void prepare_report_free(PrepareReport *report)
{
    PrepareGroups *groups[] = {&report->sources, &report->categories, &report->answers};
    for (int i = 0; i < 3; i++) {
        name_table_free(&groups[i]->names);
        free(groups[i]->list);
    }
    for (size_t i = 0; i < report->file_count; i++)
        free(report->files[i].path);
    free(report->files);
    for (size_t i = 0; i < report->benchmark_count; i++)
        free((char *)(uintptr_t)report->benchmarks[i].path);
    free(report->benchmarks);
    free(report->unread_responses.list);
    free(report->unread_answers.list);
    name_table_free(&report->passed_over);
    for (int i = 0; i < BAD_ROWS_NAMED; i++)
        free(report->bad_rows[i]);
    bytes_free(&report->unreadable);
    *report = (PrepareReport){0};
}
