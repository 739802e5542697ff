// See marking.h. Where a letter is drawn for a response without an answer, the draws of a script go through all
// responses in its own order; and a judge is asked about many answers at once: then there is a first pass, which only
// finds those responses, or asks.
#include "benchmarks/marking.h"
#include "tasks/scoring.h"
#include "figures/figures.h"
#include "json/json_source.h"
#include "rows/lines.h"
#include "rows/row_write.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_ASKED = -2, UNDECIDED = -1 }; // else a judge's verdict: 1 equal, 0 not

typedef struct Drawn { // a response without an answer, for which the task draws
    int64_t place;     // among the task's responses
    Bytes category;
    size_t option_count;
    char reference;
    Marks marks;
} Drawn;

typedef struct Marking {
    const Task *task;
    Scorer *scorer;
    AtomicFile file;
    Drawn *drawn; // (count)
    size_t count, capacity, used;
    Judge *judge;   // or NULL
    int8_t *judged; // (judged_count) of each response
    size_t judged_count, judged_capacity;
    int64_t asked, decided; // answers
    bool writing;
    int64_t place; // of the present response
    Bytes line;
} Marking;

typedef struct Given { // a response
    const json_t *facts;
    AskedQuestion question;
    Text options[LETTERS_MOST];
    int64_t sample;
    Text text;
    bool cut; // it was cut off
} Given;

static Text json_text(const json_t *value)
{
    return json_is_string(value) ? (Text){json_string_value(value), json_string_length(value)} : (Text){0};
}

static bool read_given(Given *g, const json_t *row, const char *where)
{
    *g = (Given){.facts = json_object_get(row, "evaluate"), .text = json_text(json_object_get(row, "text"))};
    const char *reason = json_string_value(json_object_get(row, "finish_reason"));
    g->cut = reason != NULL && figures_cut_off(reason);
    const json_t *options = json_object_get(g->facts, "options"), *option;
    size_t i;
    g->question.id = json_text(json_object_get(g->facts, "id"));
    g->question.reference = json_text(json_object_get(g->facts, "reference"));
    TRY(json_need_int(&g->sample, g->facts, "sample", 0, INT64_MAX, where));
    if (json_array_size(options) > LETTERS_MOST || g->question.reference.data == NULL || g->text.data == NULL)
        return fail("%s: is no response to a question of prompts.jsonl", where);
    json_array_foreach (options, i, option)
        g->options[i] = json_text(option);
    g->question.options = g->options;
    g->question.option_count = json_array_size(options);
    return true;
}

// ---- what is drawn

static bool remember(Marking *v, const Given *g, const Marks *marks)
{
    Text category = json_text(json_array_get(json_object_get(g->facts, "categories"), 0));
    TRY(grow(&v->drawn, &v->capacity, v->count + 1, sizeof *v->drawn));
    Drawn *drawn = &v->drawn[v->count++];
    *drawn = (Drawn){.place = v->place, .option_count = g->question.option_count, .marks = *marks};
    drawn->reference = g->question.reference.data[0];
    return bytes_text(&drawn->category, "") && bytes_append(&drawn->category, category.data, category.size);
}

static int in_script_order(const void *left, const void *right)
{
    const Drawn *a = left, *b = right;
    int order = strcmp(a->category.data, b->category.data);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static int in_order_of_rows(const void *left, const void *right)
{
    const Drawn *a = left, *b = right;
    return (a->place > b->place) - (a->place < b->place);
}

// Each category twice, of which the second time counts.
static void draw(Marking *v)
{
    if (v->count == 0)
        return;
    qsort(v->drawn, v->count, sizeof *v->drawn, in_script_order);
    for (size_t first = 0, end; first < v->count; first = end) {
        for (end = first; end < v->count && strcmp(v->drawn[end].category.data, v->drawn[first].category.data) == 0;)
            end++;
        for (size_t i = first; i < first + 2 * (end - first); i++) {
            Drawn *drawn = &v->drawn[first + (i - first) % (end - first)];
            AskedQuestion question = {.reference = {&drawn->reference, 1}, .option_count = drawn->option_count};
            scorer_draw(v->scorer, &question, &drawn->marks);
        }
    }
    qsort(v->drawn, v->count, sizeof *v->drawn, in_order_of_rows);
}

// ---- what a judge says

static bool asks_judge(const Marking *v, const Marks *m)
{
    return v->judge != NULL && v->task->o.score.place == SCORE_ANSWER && m->found;
}

static bool ask_judge(Marking *v, const Given *g, const Marks *m)
{
    Text problem = json_text(json_object_get(g->facts, "asked"));
    TRY(grow(&v->judged, &v->judged_capacity, (size_t)v->place + 1, sizeof *v->judged));
    while (v->judged_count <= (size_t)v->place)
        v->judged[v->judged_count++] = UNDECIDED;
    if (!asks_judge(v, m))
        return true;
    v->asked++;
    return judge_ask(v->judge, (uint64_t)v->place, problem, g->question.reference, m->answer);
}

static bool hear_judge(Marking *v)
{
    uint64_t place;
    double score;
    const char *why;
    Bytes first = {0}; // why it decided nothing
    TRY(judge_work(v->judge, INFINITY));
    while (judge_next(v->judge, &place, &score, &why)) {
        v->judged[place] = isnan(score) ? UNDECIDED : score > 0;
        v->decided += !isnan(score);
        if (isnan(score) && first.size == 0)
            TRY(bytes_text(&first, why == NULL ? "" : why));
    }
    bool ok = v->asked == 0 || v->decided > 0 ||
              fail("%s: the judge decided nothing about %" PRId64 " answers (%s); is --judge-form the one it knows?",
                   v->task->name, v->asked, first.data);
    if (ok && v->decided < v->asked)
        fprintf(stderr,
                "%s: the judge decided %" PRId64 " of %" PRId64 " answers, and the others go by rule; the first: %s. "
                "The same command asks again where a reply was missing\n",
                v->task->name, v->decided, v->asked, first.data);
    bytes_free(&first);
    return ok;
}

// ---- a row

static bool put_bool(Bytes *line, const char *name, bool value)
{
    return bytes_printf(line, ",\"%s\":%s", name, value ? "true" : "false");
}

static bool copy_fields(Bytes *line, const Text object, const char *const *names)
{
    JsonFields fields = {0};
    bool ok = json_fields(&fields, object);
    for (; ok && *names != NULL; names++) {
        Text value = json_field(&fields, *names);
        if (value.data != NULL)
            ok = bytes_printf(line, "%s\"%s\":", line->data[line->size - 1] == '{' ? "" : ",", *names) &&
                 json_append(line, value);
    }
    json_fields_free(&fields);
    return ok;
}

static bool put_marks(Bytes *line, const Marks *m, int8_t judged)
{
    TRY(row_text(line, "extracted", m->extracted, strlen(m->extracted)) &&
        (m->letter == 0 || row_text(line, "letter", &m->letter, 1)));
    return put_bool(line, "right", m->right) && put_bool(line, "strict", m->strict) &&
           row_text(line, "rule", m->rule, strlen(m->rule)) && put_bool(line, "found", m->found) &&
           put_bool(line, "readable", m->readable) && (!m->gave_up || put_bool(line, "gave_up", true)) &&
           put_bool(line, "drawn", m->drawn) && row_number(line, "by_chance", m->by_chance) &&
           (judged != UNDECIDED || bytes_text(line, ",\"judge\":null")) &&
           (judged < 0 || put_bool(line, "judge", judged > 0)) && bytes_text(line, "}\n");
}

static bool write_row(Marking *v, Text row, Text facts, const Marks *marks, int8_t judged)
{
    static const char *const of_question[] = {"task",    "id",         "question",  "sample", "asked",
                                              "options", "categories", "reference", NULL};
    static const char *const of_response[] = {"text", "thought", "finish_reason", "tokens", NULL};
    bytes_clear(&v->line);
    return bytes_text(&v->line, "{") && copy_fields(&v->line, facts, of_question) &&
           copy_fields(&v->line, row, of_response) && put_marks(&v->line, marks, judged) &&
           atomic_write(&v->file, v->line.data, v->line.size);
}

static bool mark(Marking *v, Text row, Text facts, const Given *g)
{
    Marks marks;
    TRY(scorer_mark(v->scorer, &g->question, g->sample, g->text, &marks));
    bool draws = v->task->o.unanswered.place == UNANSWERED_OWN && !marks.found;
    if (!v->writing)
        return (v->judge == NULL || ask_judge(v, g, &marks)) && (!draws || remember(v, g, &marks));
    if (g->cut && !marks.ended && marks.strict) { // as where rewards are given: it may have gone on to another answer
        marks.strict = false;
        snprintf(marks.rule, sizeof marks.rule, "cut off");
    }
    int8_t judged = asks_judge(v, &marks) ? v->judged[v->place] : NOT_ASKED;
    if (judged >= 0)
        marks.right = judged > 0;
    return write_row(v, row, facts, draws ? &v->drawn[v->used++].marks : &marks, judged);
}

// ---- all rows

static bool take_row(Marking *v, Text row, const char *where)
{
    Given given;
    JsonFields fields = {0};
    json_t *parsed = json_parse(row.data, row.size, where);
    bool ok = parsed != NULL && json_fields(&fields, row);
    const char *task = ok ? json_string_value(json_object_get(json_object_get(parsed, "evaluate"), "task")) : NULL;
    if (ok && task == NULL)
        ok = fail("%s: is no response to a question of prompts.jsonl", where);
    if (ok && strcmp(task, v->task->name) == 0) {
        ok = read_given(&given, parsed, where) && mark(v, row, json_field(&fields, "evaluate"), &given);
        v->place++;
    }
    json_fields_free(&fields);
    json_decref(parsed);
    return ok;
}

static bool pass(Marking *v, const char *responses, bool writing)
{
    LineReader lines;
    const char *text = NULL;
    char where[1024];
    size_t size;
    v->writing = writing;
    v->place = 0;
    bool ok = lines_open(&lines, responses);
    while (ok && (ok = lines_next(&lines, &text, &size)) && text != NULL) {
        snprintf(where, sizeof where, "%s:%" PRId64, responses, lines.line);
        ok = take_row(v, (Text){text, size}, where);
    }
    lines_close(&lines);
    return ok;
}

static bool prepare(Marking *v, const char *responses)
{
    if (v->judge == NULL && v->task->o.unanswered.place != UNANSWERED_OWN)
        return true;
    TRY(pass(v, responses, false));
    draw(v);
    return v->judge == NULL || hear_judge(v);
}

static bool write_task(const Asking *asking, const char *responses, const char *folder, Judge *judge)
{
    Marking v = {.task = &asking->task, .judge = judge};
    Bytes path = {0};
    bool ok = (v.scorer = scorer_open(v.task)) != NULL && bytes_printf(&path, "%s/%s.jsonl", folder, v.task->name);
    ok = ok && prepare(&v, responses) && atomic_open(&v.file, path.data);
    if (ok && !(ok = pass(&v, responses, true)))
        atomic_abort(&v.file);
    ok = ok && atomic_commit(&v.file);
    for (size_t i = 0; i < v.count; i++)
        bytes_free(&v.drawn[i].category);
    free(v.drawn);
    free(v.judged);
    bytes_free(&v.line);
    bytes_free(&path);
    scorer_close(v.scorer);
    return ok;
}

bool marking_write(const Asking *asking, size_t count, const char *responses, const char *folder, Judge *judge)
{
    for (size_t i = 0; i < count; i++)
        TRY(write_task(&asking[i], responses, folder, judge));
    return true;
}
