// What a preparation did, three times: a table for people, split.json for programs, a picture. The counts add up: every
// input row is in exactly one column.
#include "answers/verify.h"
#include "log/visible.h"
#include "intake/prepare_internal.h"
#include "intake/split_picture.h"
#include "json/json.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 28, GROUPS_SHOWN = 20, PASSED_OVER_SHOWN = 10 };

static int64_t sum(const int64_t rows[FATES], int first, int last)
{
    int64_t total = 0;
    for (int fate = first; fate < last; fate++)
        total += rows[fate];
    return total;
}

int64_t prepare_rows_in(const int64_t rows[FATES], Fate place)
{
    bool sft = place == FATE_SFT, prompts = place == FATE_PROMPT, rl = place == FATE_RL;
    return rows[place] + (sft || rl ? rows[FATE_BOTH] : 0) + (prompts || rl ? rows[FATE_PROMPT_BOTH] : 0);
}

// ---- the table

typedef struct Column {
    const char *title;
    int first, last; // of Fate
} Column;

static const Column COLUMNS[] = {{"rows", 0, FATES},
                                 {"sft", FATE_SFT, FATE_SFT + 1},
                                 {"for a teacher", FATE_PROMPT, FATE_PROMPT + 1},
                                 {"rl", FATE_RL, FATE_RL + 1},
                                 {"hard sft", FATE_HARD_SFT, FATE_HARD_SFT + 1},
                                 {"for a teacher", FATE_HARD_PROMPT, FATE_HARD_PROMPT + 1},
                                 {"sft and rl", FATE_BOTH, FATE_BOTH + 1},
                                 {"teacher, rl", FATE_PROMPT_BOTH, FATE_PROMPT_BOTH + 1},
                                 {"held out", FATE_HOLDOUT, FATE_HOLDOUT + 1},
                                 {"dropped", FATE_DROPPED, FATES}};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0] };

typedef struct Table {
    Bytes *out;
    const PrepareReport *report;
} Table;

static bool is_shown(const Table *t, const Column *c) // hard sft only if there are such rows
{
    return c->first == 0 || c->first == FATE_SFT || c->first == FATE_RL || c->first == FATE_DROPPED ||
           sum(t->report->fates, c->first, c->last) > 0;
}

static bool table_head(const Table *t)
{
    TRY(bytes_printf(t->out, "%-*s", NAME_WIDTH, ""));
    for (int c = 0; c < COLUMN_COUNT; c++)
        if (is_shown(t, &COLUMNS[c]))
            TRY(bytes_printf(t->out, "%14s", COLUMNS[c].title));
    return bytes_text(t->out, "\n");
}

// Names come from the data, so whatever would act on a terminal is escaped.
static bool append_visible(Bytes *out, const char *name)
{
    for (size_t size = strlen(name), i = 0; i < size;) {
        Character c = character_at(name + i, size - i);
        TRY(c.valid && !character_hidden(c.code) ? bytes_append(out, name + i, c.size) : bytes_text(out, "?"));
        i += c.size;
    }
    return true;
}

static bool table_name(const Table *t, const char *name)
{
    size_t size = strlen(name), i = 0;
    int width = 0;
    while (i < size && width < NAME_WIDTH - 4) {
        Character c = character_at(name + i, size - i);
        TRY(c.valid && !character_hidden(c.code) ? bytes_append(t->out, name + i, c.size) : bytes_text(t->out, "?"));
        i += c.size;
        width++;
    }
    if (i < size)
        TRY(bytes_text(t->out, "…"));
    return bytes_printf(t->out, "%*s", NAME_WIDTH - 2 - width - (i < size), "");
}

static bool table_row(const Table *t, const char *name, const int64_t rows[FATES])
{
    TRY(bytes_text(t->out, "  ") && table_name(t, name));
    for (int c = 0; c < COLUMN_COUNT; c++)
        if (is_shown(t, &COLUMNS[c]))
            TRY(bytes_printf(t->out, "%14" PRId64, sum(rows, COLUMNS[c].first, COLUMNS[c].last)));
    return bytes_text(t->out, "\n");
}

static int by_rows(const void *a, const void *b) // the largest first, then by name
{
    const PrepareGroup *x = *(const PrepareGroup *const *)a, *y = *(const PrepareGroup *const *)b;
    int64_t n = sum(x->rows, 0, FATES), m = sum(y->rows, 0, FATES);
    return n != m ? (n > m ? -1 : 1) : strcmp(x->name, y->name);
}

static const PrepareGroup **sorted_groups(const PrepareGroups *groups)
{
    const PrepareGroup **list = allocate(groups->count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < groups->count; i++)
        list[i] = &groups->list[i];
    if (list != NULL)
        qsort(list, groups->count, sizeof *list, by_rows);
    return list;
}

static bool table_groups(const Table *t, const char *title, const PrepareGroups *groups)
{
    bool only_none = groups->count == 0 || (groups->count == 1 && groups->list[0].name[0] == 0);
    if (only_none)
        return true;
    const PrepareGroup **list = sorted_groups(groups);
    TRY(list != NULL);
    bool ok = bytes_printf(t->out, "%s\n", title);
    int64_t others[FATES] = {0};
    for (size_t i = 0; ok && i < groups->count; i++) {
        if (i < GROUPS_SHOWN)
            ok = table_row(t, list[i]->name[0] == 0 ? "(none)" : list[i]->name, list[i]->rows);
        for (int fate = 0; i >= GROUPS_SHOWN && fate < FATES; fate++)
            others[fate] += list[i]->rows[fate];
    }
    char name[64];
    snprintf(name, sizeof name, "%zu others", groups->count - GROUPS_SHOWN);
    if (ok && groups->count > GROUPS_SHOWN)
        ok = table_row(t, name, others);
    free(list);
    return ok;
}

static bool table_levels(const Table *t)
{
    static const char *const NAMES[] = {"unknown", "1", "2", "3", "4", "5"};
    TRY(bytes_text(t->out, "difficulty\n"));
    for (int level = 0; level < 6; level++)
        if (level > 0 || sum(t->report->levels[0], 0, FATES) > 0)
            TRY(table_row(t, NAMES[level], t->report->levels[level]));
    return true;
}

// References that no rule can compare: without a judge, train_rl leaves these out.
static int64_t only_for_judges(const PrepareGroups *answers)
{
    int64_t rows = 0;
    for (size_t i = 0; i < answers->count; i++)
        if (strcmp(answers->list[i].name, ANSWER_KIND_NAMES[ANSWER_TEXT]) == 0 ||
            strcmp(answers->list[i].name, ANSWER_KIND_NAMES[ANSWER_NONE]) == 0)
            rows += prepare_rows_in(answers->list[i].rows, FATE_RL);
    return rows;
}

// The results of --verify, before duplicates and others were dropped.
static bool table_verified(const Table *t)
{
    const PrepareReport *r = t->report;
    const PrepareGroup **list = sorted_groups(&r->sources);
    PrepareGroup all = {.name = "all"};
    bool ok = list != NULL && bytes_printf(t->out, "%-*s", NAME_WIDTH, "responses");
    memcpy(all.verified, r->verified, sizeof all.verified);
    all.rows[FATE_UNFINISHED] = r->fates[FATE_UNFINISHED];
    for (int v = VERIFIED_RIGHT; ok && v < VERIFIED_KINDS; v++)
        ok = bytes_printf(t->out, "%14s", VERIFIED_NAMES[v]);
    ok = ok && bytes_printf(t->out, "%14s\n", "unfinished");
    for (size_t i = 0; ok && i <= r->sources.count; i++) {
        const PrepareGroup *g = i < r->sources.count ? list[i] : &all;
        if (i >= GROUPS_SHOWN && g != &all)
            continue;
        ok = bytes_text(t->out, "  ") && table_name(t, g->name[0] == 0 ? "(none)" : g->name);
        for (int v = VERIFIED_RIGHT; ok && v < VERIFIED_KINDS; v++)
            ok = bytes_printf(t->out, "%14" PRId64, g->verified[v]);
        ok = ok && bytes_printf(t->out, "%14" PRId64 "\n", g->rows[FATE_UNFINISHED]);
    }
    free(list);
    if (ok && r->verified[VERIFIED_UNREADABLE] > 0)
        ok = bytes_printf(t->out, "no rule can compare an answer with %" PRId64 " references: %s%s\n",
                          r->verified[VERIFIED_UNREADABLE], r->unreadable.data,
                          r->verified[VERIFIED_UNREADABLE] > BAD_ROWS_NAMED ? ", ..." : "");
    return ok && bytes_text(t->out, "\n");
}

static bool append_unread(Bytes *out, const PrepareUnread *unread, const char *lacks, const char *before,
                          const char *after)
{
    for (size_t i = 0; i < unread->count; i++) {
        const Unread *what = &unread->list[i].what;
        TRY(bytes_printf(out, "%snot read: %" PRId64 " rows without %s have a field \"%s\"", before,
                         unread->list[i].rows, lacks, what->name));
        if (what->before != NULL)
            TRY(bytes_text(out, "; ") && unread_remedy(out, what) && bytes_text(out, " would read it as one"));
        TRY(bytes_text(out, after));
    }
    return true;
}

bool prepare_unread(Bytes *out, const PrepareReport *r, const char *before, const char *after)
{
    bool wanted =
        r->split == SPLIT_BOTH || r->fates[FATE_RL] + r->fates[FATE_NO_ANSWER] + r->fates[FATE_UNREADABLE] > 0;
    return append_unread(out, &r->unread_responses, "a response", before, after) &&
           (!wanted || append_unread(out, &r->unread_answers, "an answer", before, after));
}

// The input that is not in the output.
static bool table_left_out(const Table *t)
{
    const PrepareReport *r = t->report;
    const NameTable *others = &r->passed_over;
    for (size_t i = 0; i < others->count && i < PASSED_OVER_SHOWN; i++)
        TRY(bytes_text(t->out, "not read: ") && append_visible(t->out, others->names[i]) &&
            bytes_text(t->out, "; of a folder only *.jsonl files are\n"));
    if (others->count > PASSED_OVER_SHOWN)
        TRY(bytes_printf(t->out, "not read: %zu other files and folders beside these\n",
                         others->count - PASSED_OVER_SHOWN));
    TRY(prepare_unread(t->out, r, "", "\n"));
    if (r->odd_rows > 0)
        TRY(bytes_printf(t->out,
                         "not read: NaN or Infinity, which are not JSON, in %" PRId64 " rows; written as null\n",
                         r->odd_rows));
    if (r->turns_left_out > 0)
        TRY(bytes_printf(t->out,
                         "not trained: %" PRId64 " turns of the assistant (--train-turns, and marks in messages)\n",
                         r->turns_left_out));
    if (r->thoughts_left_out > 0)
        TRY(bytes_printf(t->out,
                         "not trained: the thoughts of %" PRId64
                         " answers, which the template leaves out (--template qwen3 shows them)\n",
                         r->thoughts_left_out));
    return true;
}

static bool table_judged(const Table *t)
{
    int64_t judged = only_for_judges(&t->report->answers);
    return judged == 0 ||
           bytes_printf(t->out,
                        "rl: %" PRId64
                        " answers are texts or cannot be read; without a judge train_rl leaves them out\n",
                        judged);
}

static bool table_in_sft_alone(const Table *t) // --split both
{
    int64_t rows = t->report->fates[FATE_SFT] + t->report->fates[FATE_PROMPT];
    return t->report->split != SPLIT_BOTH || rows == 0 ||
           bytes_printf(t->out,
                        "rl: %" PRId64
                        " rows are in sft/ alone; they have no reference answer, or a prompt that rl/ has already\n",
                        rows);
}

static bool table_dropped(const Table *t)
{
    const PrepareReport *r = t->report;
    for (int fate = FATE_DROPPED; fate < FATES; fate++)
        if (r->fates[fate] > 0)
            TRY(bytes_printf(t->out, "dropped: %" PRId64 " %s\n", r->fates[fate], FATE_REASONS[fate]));
    for (int i = 0; i < BAD_ROWS_NAMED && r->bad_rows[i] != NULL; i++)
        TRY(bytes_printf(t->out, "  %s\n", r->bad_rows[i]));
    if (r->replaced_difficulties > 0)
        TRY(bytes_printf(t->out, "difficulty: --missing-difficulty stood in for %" PRId64 " rows\n",
                         r->replaced_difficulties));
    return true;
}

bool prepare_notes(Bytes *out, const PrepareReport *report)
{
    const Table t = {out, report};
    return table_left_out(&t) && table_dropped(&t);
}

static bool table_files(const Table *t)
{
    for (size_t i = 0; i < t->report->file_count; i++) {
        const PrepareFile *file = &t->report->files[i];
        TRY(bytes_printf(t->out, "%s: %" PRId64 " rows", file->path, file->rows));
        for (int f = 0; f < ROW_FORMATS; f++)
            if (file->formats[f] == file->rows && file->rows > 0)
                TRY(bytes_printf(t->out, ", %s", ROW_FORMAT_NAMES[f]));
            else if (file->formats[f] > 0)
                TRY(bytes_printf(t->out, ", %" PRId64 " %s", file->formats[f], ROW_FORMAT_NAMES[f]));
        TRY(bytes_text(t->out, "\n"));
    }
    return true;
}

static bool table_shards(const Table *t, const PrepareOptions *options)
{
    static const int PARTS[] = {FATE_SFT, FATE_RL, FATE_HARD_SFT};
    static const char *const FOLDERS[FATES] = {[FATE_SFT] = "sft", [FATE_RL] = "rl", [FATE_HARD_SFT] = "sft_hard"};
    for (int i = 0; i < 3; i++) {
        int part = PARTS[i];
        int64_t records = prepare_rows_in(t->report->fates, (Fate)part);
        if (records == 0)
            continue;
        TRY(bytes_printf(t->out, "%s/%s: %" PRId64 " records, %" PRId64 " tokens", options->out, FOLDERS[part], records,
                         t->report->tokens[part]));
        if (t->report->trained[part] > 0)
            TRY(bytes_printf(t->out, ", %" PRId64 " of them trained (%.1f%%)", t->report->trained[part],
                             100.0 * (double)t->report->trained[part] / (double)t->report->tokens[part]));
        TRY(bytes_printf(t->out, ", %d shard%s\n", t->report->shards[part], t->report->shards[part] == 1 ? "" : "s"));
    }
    return true;
}

static bool table_benchmarks(const Table *t)
{
    for (size_t i = 0; i < t->report->benchmark_count; i++) {
        const NgramFile *b = &t->report->benchmarks[i];
        TRY(bytes_printf(t->out, "benchmark %s: %" PRId64 " rows", b->path, b->rows));
        if (b->whole > 0)
            TRY(bytes_printf(t->out,
                             ", %" PRId64
                             " of them with a question of fewer than %d words, which was compared whole (but for case, "
                             "spaces and punctuation)",
                             b->whole, NGRAM_WORDS));
        if (b->uncompared > 0)
            TRY(bytes_printf(t->out,
                             ", %" PRId64
                             " without a question by a known name and with no text of %d words, compared with nothing",
                             b->uncompared, NGRAM_WORDS));
        TRY(bytes_text(t->out, "\n"));
    }
    return true;
}

bool prepare_table(Bytes *out, const PrepareReport *report, const PrepareOptions *options)
{
    const Table t = {out, report};
    return table_files(&t) && bytes_text(out, "\n") && table_head(&t) && table_levels(&t) &&
           table_groups(&t, "source", &report->sources) && table_groups(&t, "category", &report->categories) &&
           table_groups(&t, "answer", &report->answers) && table_row(&t, "all", report->fates) &&
           bytes_text(out, "\n") && (options->verify == VERIFY_NOT || table_verified(&t)) && table_judged(&t) &&
           table_in_sft_alone(&t) && table_benchmarks(&t) && prepare_notes(out, report) && table_shards(&t, options);
}

// ---- split.json

static bool set(json_t *object, const char *key, json_t *value)
{
    return (object != NULL && value != NULL && json_object_set_new(object, key, value) == 0) ||
           fail("no memory for split.json");
}

static bool set_count(json_t *object, const char *key, int64_t count) { return set(object, key, json_integer(count)); }

static json_t *counts_json(const int64_t rows[FATES]) // one group's row of the table
{
    json_t *object = json_object();
    bool ok = set_count(object, "rows", sum(rows, 0, FATES));
    for (int fate = 0; ok && fate < FATE_DROPPED; fate++)
        ok = rows[fate] == 0 || set_count(object, FATE_NAMES[fate], rows[fate]);
    if (ok && set_count(object, "dropped", sum(rows, FATE_DROPPED, FATES)))
        return object;
    json_decref(object);
    return NULL;
}

static bool set_part(json_t *root, const char *name, const PrepareReport *r, Fate shard, int prompts)
{
    json_t *part = json_object();
    int64_t waiting = prompts < 0 ? 0 : prepare_rows_in(r->fates, (Fate)prompts);
    int64_t records = prepare_rows_in(r->fates, shard);
    bool ok = set_count(part, "count", records + waiting) && set_count(part, "records", records) &&
              (prompts < 0 || set_count(part, "prompts", waiting)) && set_count(part, "tokens", r->tokens[shard]) &&
              (prompts < 0 || set_count(part, "trained_tokens", r->trained[shard])) &&
              set_count(part, "shards", r->shards[shard]);
    return set(root, name, part) && ok;
}

static bool set_groups(json_t *root, const char *name, const PrepareGroups *groups)
{
    json_t *object = json_object();
    const PrepareGroup **list = sorted_groups(groups);
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < groups->count; i++)
        ok = set(object, list[i]->name, counts_json(list[i]->rows));
    free(list);
    return set(root, name, object) && ok;
}

static bool set_levels(json_t *root, const PrepareReport *r)
{
    static const char *const NAMES[] = {"unknown", "1", "2", "3", "4", "5"};
    json_t *object = json_object();
    bool ok = true;
    for (int level = 0; ok && level < 6; level++)
        if (level > 0 || sum(r->levels[0], 0, FATES) > 0)
            ok = set(object, NAMES[level], counts_json(r->levels[level]));
    return set(root, "difficulty", object) && ok;
}

static json_t *verified_json(const int64_t verified[VERIFIED_KINDS], int64_t unfinished)
{
    json_t *object = json_object();
    bool ok = set_count(object, "unfinished", unfinished);
    for (int v = VERIFIED_RIGHT; ok && v < VERIFIED_KINDS; v++)
        ok = set_count(object, VERIFIED_NAMES[v], verified[v]);
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

static bool set_verified(json_t *root, const PrepareReport *r, const PrepareOptions *o)
{
    static const char *const names[] = {"", "drop-wrong", "best-of-k", "all"};
    if (o->verify == VERIFY_NOT)
        return true;
    json_t *sources = json_object();
    bool ok = set(root, "verify", json_string(names[o->verify])) &&
              set(root, "verified", verified_json(r->verified, r->fates[FATE_UNFINISHED]));
    for (size_t i = 0; ok && i < r->sources.count; i++)
        ok = set(sources, r->sources.list[i].name,
                 verified_json(r->sources.list[i].verified, r->sources.list[i].rows[FATE_UNFINISHED]));
    return set(root, "verified_by_source", sources) && ok;
}

static bool set_dropped(json_t *root, const PrepareReport *r)
{
    json_t *dropped = json_object();
    bool ok = true;
    for (int fate = FATE_DROPPED; ok && fate < FATES; fate++)
        ok = set_count(dropped, FATE_NAMES[fate], r->fates[fate]);
    return set(root, "dropped", dropped) && ok;
}

// The input that was not read, or not trained.
static bool set_left_out(json_t *root, const PrepareReport *r)
{
    const PrepareUnread *unread[] = {&r->unread_responses, &r->unread_answers};
    static const char *const KEYS[] = {"unread_responses", "unread_answers"};
    json_t *files = json_array();
    bool ok = files != NULL;
    for (size_t i = 0; ok && i < r->passed_over.count; i++)
        ok =
            json_array_append_new(files, json_string(r->passed_over.names[i])) == 0 || fail("no memory for split.json");
    ok = set(root, "passed_over", files) && ok;
    for (int u = 0; ok && u < 2; u++) {
        json_t *names = json_object();
        for (size_t i = 0; ok && i < unread[u]->count; i++) { // one name may be read in several ways
            const char *name = unread[u]->list[i].what.name;
            ok = set_count(names, name, json_integer_value(json_object_get(names, name)) + unread[u]->list[i].rows);
        }
        ok = set(root, KEYS[u], names) && ok;
    }
    return ok && set_count(root, "odd_rows", r->odd_rows) && set_count(root, "turns_left_out", r->turns_left_out) &&
           set_count(root, "thoughts_left_out", r->thoughts_left_out);
}

static bool set_files(json_t *root, const PrepareReport *r)
{
    json_t *files = json_array();
    bool ok = files != NULL;
    for (size_t i = 0; ok && i < r->file_count; i++) {
        json_t *file = json_object();
        ok = set(file, "path", json_string(r->files[i].path)) && set_count(file, "rows", r->files[i].rows);
        for (int f = 0; ok && f < ROW_FORMATS; f++)
            ok = r->files[i].formats[f] == 0 || set_count(file, ROW_FORMAT_NAMES[f], r->files[i].formats[f]);
        ok = (json_array_append_new(files, file) == 0 || fail("no memory for split.json")) && ok;
    }
    return set(root, "files", files) && ok;
}

static bool set_benchmarks(json_t *root, const PrepareReport *r)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < r->benchmark_count; i++) {
        const NgramFile *b = &r->benchmarks[i];
        json_t *file = json_object();
        ok = set(file, "path", json_string(b->path)) && set_count(file, "rows", b->rows) &&
             set_count(file, "whole", b->whole) && set_count(file, "uncompared", b->uncompared);
        ok = (json_array_append_new(list, file) == 0 || fail("no memory for split.json")) && ok;
    }
    return set(root, "benchmarks", list) && ok;
}

static bool set_how(json_t *root, const PrepareOptions *o)
{
    static const char *const SPLITS[] = {"difficulty", "random", "sft-only", "rl-only", "hard-sft", "both", "inverted"};
    char hash[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, o->rules.tokenizer == NULL ? 0 : tokenizer_hash(o->rules.tokenizer));
    return set(root, "split", json_string(SPLITS[o->split])) && set(root, "tau", json_integer(o->tau)) &&
           set(root, "seed", json_integer((json_int_t)o->seed)) && set(root, "tokenizer", json_string(hash)) &&
           set(root, "template",
               json_string(o->rules.tokenizer == NULL ? "none" : template_name(o->rules.chat->kind))) &&
           set(root, "instruction", json_string(o->instruction == NULL ? "none" : o->instruction)) &&
           set(root, "train_turns", json_string(o->rules.train_all_turns ? "all" : "last")) &&
           set(root, "train_turn_newline", json_boolean(o->rules.train_turn_newline));
}

json_t *prepare_json(const PrepareReport *r, const PrepareOptions *options)
{
    json_t *root = json_object();
    bool ok = set_how(root, options) && set_count(root, "rows", r->rows) &&
              set_part(root, "sft", r, FATE_SFT, FATE_PROMPT) && set_part(root, "rl", r, FATE_RL, -1);
    if (ok && options->split == SPLIT_HARD_SFT)
        ok = set_part(root, "sft_hard", r, FATE_HARD_SFT, FATE_HARD_PROMPT);
    json_t *holdout = json_object();
    ok = set_count(holdout, "count", r->fates[FATE_HOLDOUT]) && set(root, "holdout", holdout) && ok;
    ok = ok && set_verified(root, r, options) && set_dropped(root, r) && set_levels(root, r) &&
         set_groups(root, "source", &r->sources) && set_groups(root, "category", &r->categories) &&
         set_groups(root, "answer", &r->answers) && set_files(root, r) &&
         (r->benchmark_count == 0 || set_benchmarks(root, r)) &&
         set_count(root, "replaced_difficulties", r->replaced_difficulties) && set_left_out(root, r);
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}

// ---- the picture

static SplitCount split_count(const char *name, const int64_t rows[FATES])
{
    SplitCount c = {.name = name};
    c.part[SPLIT_SFT] = rows[FATE_SFT];
    c.part[SPLIT_PROMPTS] = rows[FATE_PROMPT];
    c.part[SPLIT_RL] = rows[FATE_RL];
    c.part[SPLIT_HARD] = rows[FATE_HARD_SFT] + rows[FATE_HARD_PROMPT];
    c.part[SPLIT_SFT_AND_RL] = rows[FATE_BOTH];
    c.part[SPLIT_PROMPTS_AND_RL] = rows[FATE_PROMPT_BOTH];
    c.part[SPLIT_HOLDOUT] = rows[FATE_HOLDOUT];
    c.part[SPLIT_DROPPED] = sum(rows, FATE_DROPPED, FATES);
    return c;
}

bool prepare_picture(Bytes *svg, const PrepareReport *r, const PrepareOptions *options)
{
    static const char *const NAMES[] = {"unknown", "1", "2", "3", "4", "5"};
    const PrepareGroups *shown = r->categories.count > 1 ? &r->categories : &r->sources;
    SplitCount levels[6];
    for (int level = 0; level < 6; level++)
        levels[level] = split_count(NAMES[level], r->levels[level]);
    const PrepareGroup **list = sorted_groups(shown);
    SplitCount *groups = allocate(shown->count + 1, sizeof *groups);
    int64_t(*in_group)[6] = allocate(shown->count + 1, sizeof *in_group);
    bool ok = list != NULL && groups != NULL && in_group != NULL;
    for (size_t i = 0; ok && i < shown->count; i++) {
        groups[i] = split_count(list[i]->name[0] == 0 ? "(none)" : list[i]->name, list[i]->rows);
        memcpy(in_group[i], list[i]->levels, sizeof in_group[i]);
    }
    ok = ok && split_picture(svg, shown == &r->categories ? "Difficulty by category" : "Difficulty by source",
                             options->tau, levels, groups, shown->count, (const int64_t(*)[6])in_group);
    free(list);
    free(groups);
    free(in_group);
    return ok;
}
