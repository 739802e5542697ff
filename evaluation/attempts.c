// Reads responses from files, judges each by rule, groups them by problem, and prints the table of avg@n, pass@k and
// maj@n by source, category and difficulty.
#include "evaluation/attempts.h"
#include "rows/records.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Fields that a sampler adds to a row: without them, the samples of a prompt are the same row.
static const char *const SAMPLED[] = {"sample",   "prompt_ids",         "ids",           "text",
                                      "logprobs", "processed_logprobs", "finish_reason", NULL};

static Text text_of(const json_t *value) { return (Text){json_string_value(value), json_string_length(value)}; }
static bool has_text(const json_t *row, const char *key) { return json_is_string(json_object_get(row, key)); }
static bool is_rollout(const json_t *row) { return has_text(row, "response") && has_text(row, "verdict"); }

bool attempts_know(const json_t *row)
{
    return has_text(row, "finish_reason") && (has_text(row, "text") || is_rollout(row));
}

// ---- a row

typedef struct Row {
    Text source, category;
    Bytes problem;         // the row for the checker: its options, and whether the answer is a number
    const char *reference; // "": there is none
    Text response;
    uint64_t key[2]; // of its problem
    bool ended;
    const char *judge; // "yes", "no", or why neither; NULL: not asked
} Row;

static bool hash_of(uint64_t key[2], json_t *what) // takes it
{
    char *text = what == NULL ? NULL : json_dumps(what, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    json_decref(what);
    TRY(text != NULL || fail("no memory for a row"));
    hash_bytes_128(text, strlen(text), key);
    free(text);
    return true;
}

static bool read_rollout(Row *r, const AttemptLine *line)
{
    const json_t *row = line->row;
    char where[1024];
    snprintf(where, sizeof where, "%s:%" PRId64, line->file, line->number);
    json_t *problem = json_object();
    static const char *const names[] = {"step", "id", "prompt", "reference"};
    for (size_t i = 0; problem != NULL && i < sizeof names / sizeof *names; i++)
        if (json_object_get(row, names[i]) != NULL)
            json_object_set(problem, names[i], json_object_get(row, names[i]));
    TRY(hash_of(r->key, problem) && json_need_text(&r->reference, row, "reference", where));
    r->response = text_of(json_object_get(row, "response"));
    r->source = text_of(json_object_get(row, "source"));
    r->category = text_of(json_object_get(row, "category"));
    r->judge = json_string_value(json_object_get(row, "judge"));
    if (json_object_get(row, "options") != NULL)
        return bytes_append(&r->problem, line->text.data, line->text.size);
    return !json_is_true(json_object_get(row, "reference_is_number")) ||
           bytes_printf(&r->problem, "{\"answer\": %s}", r->reference);
}

static bool read_generated(Row *r, const json_t *row, const Record *record)
{
    static const char *const all[] = {NULL};
    json_t *problem = json_copy((json_t *)(uintptr_t)row);
    for (const char *const *name = SAMPLED; problem != NULL && *name != NULL; name++)
        json_object_del(problem, *name);
    r->reference = record->answer == NULL ? "" : record->answer;
    r->response = text_of(json_object_get(row, "text"));
    r->source = record->source;
    r->category = record->category;
    return hash_of(r->key, problem) && record_append(&r->problem, record, all) && bytes_text(&r->problem, "}");
}

// ---- keeping it

static bool find_problem(Attempted **problem, Attempts *a, const Row *row, const json_t *difficulty)
{
    char name[40];
    size_t number;
    snprintf(name, sizeof name, "%016" PRIx64 "%016" PRIx64, row->key[0], row->key[1]);
    TRY(name_number(&a->keys, name, strlen(name), &number));
    if (number == a->count) {
        json_int_t level = json_integer_value(difficulty);
        TRY(grow(&a->list, &a->capacity, a->count + 1, sizeof *a->list));
        a->list[a->count] = (Attempted){.level = level >= 1 && level <= 5 ? (int)level : 0};
        TRY(name_number(&a->sources, row->source.data == NULL ? "" : row->source.data, row->source.size,
                        &a->list[a->count].source));
        TRY(name_number(&a->categories, row->category.data == NULL ? "" : row->category.data, row->category.size,
                        &a->list[a->count].category));
        a->count++;
    }
    *problem = &a->list[number];
    return true;
}

static bool keep(Attempted *p, const Row *row, const Finding *f)
{
    char boxes[ANSWER_BYTES];
    TRY(grow(&p->responses, &p->capacity, p->count + 1, sizeof *p->responses));
    Response *r = &p->responses[p->count++];
    *r = (Response){.verdict = f->verdict};
    if (row->judge != NULL && (strcmp(row->judge, "yes") == 0 || strcmp(row->judge, "no") == 0))
        r->verdict = row->judge[0] == 'y' ? VERDICT_EQUAL : VERDICT_DIFFERENT;
    Text answer = r->verdict == VERDICT_EQUAL ? (Text){NULL, 0} : response_answer(row->response, boxes, sizeof boxes);
    return (r->answer = copy_text(f->answer)) != NULL && bytes_append(&r->text, answer.data, answer.size) &&
           bytes_text(&r->text, "");
}

static bool judge(Attempts *a, Row *row, const AttemptLine *line, Finding *finding, bool *judged)
{
    Attempted *problem;
    RewardFacts facts = {
        .text = row->response, .reference = {row->reference, strlen(row->reference)}, .ended = row->ended};
    a->responses++;
    a->unfinished += !row->ended;
    *judged = row->reference[0] != 0;
    a->without_reference += !*judged;
    if (!*judged)
        return true;
    if (row->problem.size > 0)
        facts.row = (Text){row->problem.data, row->problem.size};
    reward_finding(finding, &facts);
    return find_problem(&problem, a, row, json_object_get(line->row, "difficulty")) && keep(problem, row, finding);
}

bool attempts_add(Attempts *a, const AttemptLine *line, Finding *finding, bool *judged)
{
    Row row = {.ended = strcmp(json_string_value(json_object_get(line->row, "finish_reason")), "stop") == 0};
    Record record = {0};
    RecordOptions reading = {.instruction = "none", .any_difficulty = true};
    bool ok = is_rollout(line->row)
                  ? read_rollout(&row, line)
                  : record_read(&record, line->text.data, line->text.size, line->file, line->number, &reading) &&
                        read_generated(&row, line->row, &record);
    ok = ok && judge(a, &row, line, finding, judged);
    bytes_free(&row.problem);
    record_free(&record);
    return ok;
}

void attempts_free(Attempts *a)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < a->list[i].count; k++) {
            free(a->list[i].responses[k].answer);
            bytes_free(&a->list[i].responses[k].text);
        }
        free(a->list[i].responses);
    }
    free(a->list);
    name_table_free(&a->keys);
    name_table_free(&a->sources);
    name_table_free(&a->categories);
    *a = (Attempts){0};
}

// ---- figures

double pass_at(int64_t k, int64_t right, int64_t responses)
{
    double none = 1;
    for (int64_t i = 0; i < k; i++)
        none *= responses - right - i > 0 ? (double)(responses - right - i) / (double)(responses - i) : 0;
    return 1 - none;
}

enum { PASSES = 17 }; // k = 1, 2, 4, ..., and the most

typedef struct Figures { // sums over problems
    double problems, average, squares, majority, pass[PASSES];
} Figures;

typedef struct Table {
    Bytes *out;
    const Attempts *attempts;
    Figures *figures;  // (attempts->count) of a problem each
    int64_t k[PASSES]; // (passes)
    int passes;
    size_t least, most; // responses to a problem
} Table;

static void plan_columns(Table *t)
{
    const Attempts *a = t->attempts;
    t->least = SIZE_MAX;
    for (size_t i = 0; i < a->count; i++) {
        t->least = a->list[i].count < t->least ? a->list[i].count : t->least;
        t->most = a->list[i].count > t->most ? a->list[i].count : t->most;
    }
    for (int64_t k = 2; k < (int64_t)t->least && t->passes < PASSES - 1; k *= 2)
        t->k[t->passes++] = k;
    if (t->least > 1)
        t->k[t->passes++] = (int64_t)t->least;
}

static Figures figures_of(const Table *t, const Attempted *p)
{
    Group group = {.responses = p->responses};
    Score score = group_score(&group, (int64_t)p->count);
    int64_t right = 0;
    for (size_t i = 0; i < p->count; i++)
        right += p->responses[i].verdict == VERDICT_EQUAL;
    double average = (double)right / (double)p->count;
    Figures f = {.problems = 1, .average = average, .squares = average * average, .majority = score.majority};
    for (int i = 0; i < t->passes; i++)
        f.pass[i] = pass_at(t->k[i], right, (int64_t)p->count);
    return f;
}

static void add(Figures *sum, const Figures *one)
{
    sum->problems += one->problems;
    sum->average += one->average;
    sum->squares += one->squares;
    sum->majority += one->majority;
    for (int i = 0; i < PASSES; i++)
        sum->pass[i] += one->pass[i];
}

static double standard_error(const Figures *f)
{
    double mean = f->average / f->problems, spread = f->squares / f->problems - mean * mean;
    return f->problems > 1 ? sqrt(fmax(spread, 0) / (f->problems - 1)) : 0;
}

enum { NAME_WIDTH = 26 };

static bool print_name(Bytes *out, const char *indent, const char *name) // escapes what would act on a terminal
{
    size_t size = strlen(name), room = NAME_WIDTH - strlen(indent) - 1;
    size_t shown = size <= room ? size : utf8_valid_prefix(name, room), begin = out->size;
    TRY(bytes_text(out, indent) && bytes_append(out, name, shown));
    for (size_t i = begin; i < out->size; i++)
        if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7f)
            out->data[i] = '?';
    return bytes_printf(out, "%*s", (int)(room + 1 - shown), "");
}

static bool print_head(const Table *t)
{
    char name[40];
    bool same = t->least == t->most;
    TRY(bytes_printf(t->out, "%*s%10s", NAME_WIDTH, "", "problems"));
    snprintf(name, sizeof name, same ? "avg@%zu" : "avg", t->most);
    TRY(bytes_printf(t->out, "%18s", name));
    for (int i = 0; i < t->passes; i++) {
        snprintf(name, sizeof name, "pass@%" PRId64, t->k[i]);
        TRY(bytes_printf(t->out, "%10s", name));
    }
    snprintf(name, sizeof name, same ? "maj@%zu" : "maj", t->most);
    return bytes_printf(t->out, t->most > 1 ? "%10s\n" : "\n", name);
}

static bool print_figures(const Table *t, const char *indent, const char *name, const Figures *f)
{
    TRY(print_name(t->out, indent, name) && bytes_printf(t->out, "%10.0f%8.2f%% ± %5.2f%%", f->problems,
                                                         100 * f->average / f->problems, 100 * standard_error(f)));
    for (int i = 0; i < t->passes; i++)
        TRY(bytes_printf(t->out, "%9.2f%%", 100 * f->pass[i] / f->problems));
    return t->most > 1 ? bytes_printf(t->out, "%9.2f%%\n", 100 * f->majority / f->problems) : bytes_text(t->out, "\n");
}

typedef enum By { BY_SOURCE, BY_CATEGORY, BY_LEVEL } By;

static size_t place_of(const Attempted *p, By by)
{
    return by == BY_SOURCE ? p->source : by == BY_CATEGORY ? p->category : (size_t)p->level;
}

static bool print_groups(const Table *t, By by, const char *title, const char *const *names, size_t count)
{
    Figures *sums = allocate(count, sizeof *sums);
    size_t groups = 0;
    bool ok = sums != NULL;
    for (size_t i = 0; ok && i < t->attempts->count; i++)
        add(&sums[place_of(&t->attempts->list[i], by)], &t->figures[i]);
    for (size_t i = 0; ok && i < count; i++)
        groups += sums[i].problems > 0;
    ok = ok && (groups < 2 || bytes_printf(t->out, "%s\n", title));
    for (size_t i = 0; ok && groups > 1 && i < count; i++)
        if (sums[i].problems > 0)
            ok = print_figures(t, "  ", names[i][0] == 0 ? "(none)" : names[i], &sums[i]);
    free(sums);
    return ok;
}

static bool print_all(const Table *t)
{
    static const char *const levels[] = {"unknown", "1", "2", "3", "4", "5"};
    const Attempts *a = t->attempts;
    Figures all = {0};
    for (size_t i = 0; i < a->count; i++)
        add(&all, &t->figures[i]);
    return print_head(t) &&
           print_groups(t, BY_SOURCE, "source", (const char *const *)a->sources.names, a->sources.count) &&
           print_groups(t, BY_CATEGORY, "category", (const char *const *)a->categories.names, a->categories.count) &&
           print_groups(t, BY_LEVEL, "difficulty", levels, 6) && print_figures(t, "", "all", &all);
}

static bool print_notes(const Table *t)
{
    const Attempts *a = t->attempts;
    TRY(bytes_printf(t->out, "%" PRId64 " responses, %" PRId64 " of them cut off, which is wrong\n", a->responses,
                     a->unfinished));
    if (a->without_reference > 0)
        TRY(bytes_printf(t->out, "%" PRId64 " responses are left out: their rows have no reference answer\n",
                         a->without_reference));
    return a->count == 0 || t->least == t->most ||
           bytes_printf(t->out, "problems have %zu to %zu responses; pass@k is of a k that all of them have\n",
                        t->least, t->most);
}

bool attempts_table(Bytes *out, const Attempts *a)
{
    Table t = {.out = out, .attempts = a, .figures = allocate(a->count + 1, sizeof *t.figures)};
    bool ok = t.figures != NULL;
    plan_columns(&t);
#pragma omp parallel for schedule(dynamic, 16) if (ok)
    for (size_t i = 0; i < (ok ? a->count : 0); i++)
        t.figures[i] = figures_of(&t, &a->list[i]);
    ok = ok && (a->count == 0 || print_all(&t)) && print_notes(&t);
    free(t.figures);
    return ok;
}
