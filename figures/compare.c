// Runs side by side: the questions on which they differ, and whether their scores do. Only questions that all runs have
// are compared, each with itself.
#include "figures/figures_internal.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

enum { FOLDER_WIDTH = 24, SUMMARY_LIMIT = 64 << 20, RUNS_MOST = 64 };
static const double SIGNIFICANT = 0.05;
#define LEGEND                                                                                                         \
    "more, fewer: questions that it answers right more often than the first run, and less often. ± and 95%%: "        \
    "bootstrap\nover questions, %d resamples. p: two-sided paired permutation test, exact for micro, else by %d "      \
    "random exchanges.\nHolm: corrected for the runs of its table. significant: that is below %.2f.\n"

typedef struct Run {
    const char *folder;
    json_t *summary;
} Run;

typedef struct Side { // a run's part in a task
    const json_t *figures;
    Verdicts verdicts;
    Shares shares[2]; // of the common questions: by the protocol, strictly
} Side;

typedef struct Contest { // a task that all runs have
    const char *task;
    const Run *runs; // (count)
    Side *sides;     // (count)
    size_t count;
    Headline headline;
    const char *headline_name;
    NameTable ids;    // of all runs' questions
    uint32_t *places; // (ids.count, count) of a question in a run's list, from 1; 0: it is not there
    size_t *common;   // (common_count) places of questions that all have
    size_t common_count;
} Contest;

// A folder's name, of which the end tells more.
static bool append_folder(Bytes *out, const char *folder, bool pad)
{
    size_t size = strlen(folder);
    if (size <= FOLDER_WIDTH)
        return append_shown(out, text_of(folder), FOLDER_WIDTH, pad);
    const char *end = folder + size - (FOLDER_WIDTH - 1);
    while (((unsigned char)*end & 0xC0) == 0x80) // not within a character
        end++;
    return bytes_text(out, "…") && append_shown(out, text_of(end), FOLDER_WIDTH - 1, pad);
}

static uint32_t place_in(const Contest *c, size_t question, size_t run) { return c->places[question * c->count + run]; }

static const Answered *answered(const Contest *c, size_t question, size_t run)
{
    return &c->sides[run].verdicts.list[place_in(c, question, run) - 1];
}

static bool has_task(const Run *runs, size_t count, const char *task)
{
    for (size_t r = 0; r < count; r++)
        if (!json_is_object(json_object_get(runs[r].summary, task)))
            return false;
    return true;
}

// ---- reading

static bool read_side(Contest *c, size_t run)
{
    Bytes name = {0};
    Side *side = &c->sides[run];
    side->figures = json_object_get(c->runs[run].summary, c->task);
    const char *theirs = json_string_value(json_object_get(side->figures, "task_hash"));
    const char *first = json_string_value(json_object_get(c->sides[0].figures, "task_hash"));
    if (theirs == NULL || first == NULL || strcmp(theirs, first) != 0)
        return fail("%s: the task in %s has another text than in %s; evaluate both by the same one", c->task,
                    c->runs[run].folder, c->runs[0].folder);
    TRY(bytes_printf(&name, "%s.jsonl", c->task));
    char *path = path_join(c->runs[run].folder, name.data);
    bool ok =
        path != NULL && verdicts_read(&side->verdicts, path, json_array_size(json_object_get(side->figures, "fields")));
    free(path);
    bytes_free(&name);
    return ok;
}

static bool number_questions(Contest *c)
{
    size_t capacity = 0;
    for (size_t r = 0; r < c->count; r++) {
        const Verdicts *v = &c->sides[r].verdicts;
        for (size_t i = 0; i < v->count; i++) {
            const char *id = v->ids.names[v->list[i].id];
            size_t number, known = c->ids.count;
            TRY(name_number(&c->ids, id, strlen(id), &number) &&
                grow(&c->places, &capacity, c->ids.count * c->count, sizeof *c->places));
            if (c->ids.count > known)
                memset(&c->places[number * c->count], 0, c->count * sizeof *c->places);
            c->places[number * c->count + r] = (uint32_t)i + 1;
        }
    }
    return true;
}

static bool find_common(Contest *c)
{
    TRY((c->common = allocate(c->ids.count + 1, sizeof *c->common)) != NULL);
    for (size_t q = 0; q < c->ids.count; q++) {
        size_t having = 0;
        for (size_t r = 0; r < c->count; r++)
            having += place_in(c, q, r) > 0;
        if (having < c->count)
            continue;
        for (size_t r = 1; r < c->count; r++)
            if (answered(c, q, r)->content != answered(c, q, 0)->content)
                return fail("%s: question %s is not the same in %s and in %s; their data differ", c->task,
                            strchr(c->ids.names[q], ':') + 1, c->runs[0].folder, c->runs[r].folder);
        c->common[c->common_count++] = q;
    }
    return c->common_count > 0 || fail("%s: there is no question that all of these runs have", c->task);
}

// A question's group is its category in the first run.
static bool share_common(Contest *c, size_t run, bool strict)
{
    const Verdicts *first = &c->sides[0].verdicts;
    Share *list = allocate(c->common_count, sizeof *list);
    TRY(list != NULL);
    for (size_t i = 0; i < c->common_count; i++) {
        const Answered *q = answered(c, c->common[i], run);
        size_t place = place_in(c, c->common[i], 0) - 1;
        list[i] = (Share){strict ? q->strict : q->right, q->responses,
                          first->fields == 0 ? 0 : first->places[place * first->fields]};
    }
    c->sides[run].shares[strict] = (Shares){list, c->common_count, first->fields == 0 ? 1 : first->names[0].count};
    return true;
}

static bool find_headline(Contest *c)
{
    static const char *const names[] = {"micro", "macro", "harmonic"};
    const char *name = json_string_value(json_object_get(c->sides[0].figures, "headline"));
    for (int i = 0; name != NULL && i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            c->headline = (Headline)i;
            c->headline_name = names[i];
        }
    return c->headline_name != NULL || fail("%s: summary.json of %s has no headline", c->task, c->runs[0].folder);
}

static bool contest_open(Contest *c, const char *task, const Run *runs, size_t count)
{
    *c = (Contest){.task = task, .runs = runs, .count = count, .sides = allocate(count, sizeof *c->sides)};
    TRY(c->sides != NULL);
    for (size_t r = 0; r < count; r++)
        TRY(read_side(c, r));
    TRY(find_headline(c) && number_questions(c) && find_common(c));
    for (size_t r = 0; r < count; r++)
        TRY(share_common(c, r, false) && share_common(c, r, true));
    return true;
}

static void contest_close(Contest *c)
{
    for (size_t r = 0; c->sides != NULL && r < c->count; r++) {
        verdicts_free(&c->sides[r].verdicts);
        free((void *)c->sides[r].shares[0].list);
        free((void *)c->sides[r].shares[1].list);
    }
    free(c->sides);
    free(c->places);
    free(c->common);
    name_table_free(&c->ids);
    *c = (Contest){0};
}

// ---- the questions on which they differ

static bool differs(const Share *a, const Share *b) { return (int64_t)a->right * b->of != (int64_t)b->right * a->of; }

static bool runs_differ(const Contest *c, size_t i)
{
    for (int strict = 0; strict < 2; strict++)
        for (size_t r = 1; r < c->count; r++)
            if (differs(&c->sides[r].shares[strict].list[i], &c->sides[0].shares[strict].list[i]))
                return true;
    return false;
}

// "right I" or "3 of 8 right I"; where the strict verdict is another one, "strict 2".
static bool append_verdict(Bytes *out, const Answered *q)
{
    TRY(q->responses == 1 ? bytes_text(out, q->right ? "right" : "wrong")
                          : bytes_printf(out, "%d of %d right", q->right, q->responses));
    if (q->strict != q->right)
        TRY(q->responses == 1 ? bytes_text(out, q->strict ? " (strictly right)" : " (strictly wrong)")
                              : bytes_printf(out, " (strictly %d)", q->strict));
    return q->extracted[0] == 0 || (bytes_text(out, " ") && append_shown(out, text_of(q->extracted), 20, false));
}

static bool append_question(Bytes *out, const Contest *c, size_t i)
{
    const Answered *first = answered(c, c->common[i], 0);
    TRY(bytes_text(out, "  ") && append_shown(out, text_of(strchr(c->ids.names[c->common[i]], ':') + 1), 40, false) &&
        bytes_text(out, "  ") && append_shown(out, text_of(first->asked), 70, false) && bytes_text(out, "\n    "));
    for (size_t r = 0; r < c->count; r++)
        TRY(bytes_text(out, r > 0 ? "; " : "") && append_folder(out, c->runs[r].folder, false) &&
            bytes_text(out, ": ") && append_verdict(out, answered(c, c->common[i], r)));
    return bytes_text(out, "\n");
}

enum { SHOWN_QUESTIONS = 50 };

static bool append_questions(Bytes *out, const Contest *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->common_count; i++)
        count += runs_differ(c, i);
    TRY(append_shown(out, text_of(c->task), 60, false) &&
        bytes_printf(out, ": the runs differ on %zu of %zu questions\n", count, c->common_count));
    size_t shown = 0;
    for (size_t i = 0; i < c->common_count && shown < SHOWN_QUESTIONS; i++) {
        if (!runs_differ(c, i))
            continue;
        TRY(append_question(out, c, i));
        shown++;
    }
    TRY(shown == count ||
        bytes_printf(out, "  and %zu more, which %s.jsonl of the folders have\n", count - shown, c->task));
    return bytes_text(out, "\n");
}

// ---- their scores

typedef struct Difference { // of a run to the first
    double value, p, adjusted;
    Spread spread;
    bool exact;
    size_t more, fewer; // questions that it answers right more often, and less often
} Difference;

static bool find_difference(Difference *d, const Contest *c, size_t run, bool strict)
{
    const Shares *a = &c->sides[run].shares[strict], *b = &c->sides[0].shares[strict];
    *d = (Difference){.value = aggregate(c->headline, a) - aggregate(c->headline, b)};
    for (size_t i = 0; i < a->count; i++) {
        int64_t mine = (int64_t)a->list[i].right * b->list[i].of, theirs = (int64_t)b->list[i].right * a->list[i].of;
        d->more += mine > theirs;
        d->fewer += mine < theirs;
    }
    return bootstrap(&d->spread, c->headline, a, b) && permutation(&d->p, &d->exact, c->headline, a, b);
}

static bool append_p(Bytes *out, double p, int width)
{
    char text[24];
    snprintf(text, sizeof text, p < 0.0001 ? "<0.0001" : "%.4f", p);
    return bytes_printf(out, "%*s", width, text);
}

static bool append_difference(Bytes *out, const Difference *d)
{
    char interval[48];
    snprintf(interval, sizeof interval, "%+.2f to %+.2f", 100 * d->spread.low, 100 * d->spread.high);
    TRY(bytes_printf(out, "%+9.2f ± %5.2f%20s", 100 * d->value, 100 * d->spread.standard_error, interval));
    TRY(append_p(out, d->p, 9) && append_p(out, d->adjusted, 9));
    return bytes_printf(out, "%7zu%7zu  %s", d->more, d->fewer,
                        d->adjusted < SIGNIFICANT ? "significant" : "not significant");
}

static bool append_run(Bytes *out, const Contest *c, size_t run, bool strict, const Difference *d)
{
    const Shares *shares = &c->sides[run].shares[strict];
    Spread spread = {.standard_error = mean_error(shares, NULL)};
    TRY(c->headline == HEADLINE_MICRO || bootstrap(&spread, c->headline, shares, NULL));
    TRY(bytes_text(out, "  ") && append_folder(out, c->runs[run].folder, true) &&
        bytes_printf(out, "%8.2f%% ± %5.2f%%", 100 * aggregate(c->headline, shares), 100 * spread.standard_error));
    return (run == 0 || append_difference(out, d)) && bytes_text(out, "\n");
}

static bool append_verdicts(Bytes *out, const Contest *c, bool strict)
{
    Difference *list = allocate(c->count, sizeof *list);
    double *p = allocate(2 * c->count, sizeof *p);
    bool ok = list != NULL && p != NULL;
    for (size_t r = 1; ok && r < c->count; r++) {
        ok = find_difference(&list[r], c, r, strict);
        p[r - 1] = list[r].p;
    }
    if (ok)
        holm(p + c->count, p, c->count - 1);
    for (size_t r = 0; ok && r < c->count; r++) {
        list[r].adjusted = r == 0 ? 0 : p[c->count + r - 1];
        ok = append_run(out, c, r, strict, &list[r]);
    }
    for (size_t r = 1; ok && r < c->count; r++)
        ok = list[r].exact || c->headline != HEADLINE_MICRO ||
             bytes_printf(out, "  (p of the %zu. by %d random exchanges)\n", r + 1, FLIPS);
    free(list);
    free(p);
    return ok;
}

// What the program says about the runs, where they differ: another template or sampling is another measurement.
static bool append_settings(Bytes *out, const Contest *c)
{
    const char *key;
    json_t *value;
    json_object_foreach (json_object_get(c->sides[0].figures, "about"), key, value)
        for (size_t r = 1; r < c->count; r++) {
            const json_t *other = json_object_get(json_object_get(c->sides[r].figures, "about"), key);
            if (json_equal(value, other))
                continue;
            TRY(bytes_text(out, "  ") && append_shown(out, text_of(key), 20, false) && bytes_text(out, " differs: ") &&
                append_folder(out, c->runs[0].folder, false) && bytes_text(out, " ") && append_json(out, value) &&
                bytes_text(out, ", ") && append_folder(out, c->runs[r].folder, false) && bytes_text(out, " ") &&
                append_json(out, other) && bytes_text(out, "\n"));
        }
    return true;
}

static bool append_scores(Bytes *out, const Contest *c)
{
    TRY(append_shown(out, text_of(c->task), 60, false) &&
        bytes_printf(out, ": %zu questions that all have", c->common_count));
    for (size_t r = 0; r < c->count; r++)
        if (c->sides[r].verdicts.count != c->common_count)
            TRY(bytes_text(out, "; ") && append_folder(out, c->runs[r].folder, false) &&
                bytes_printf(out, " has %zu", c->sides[r].verdicts.count));
    TRY(bytes_printf(out, "\n%-*s%18s%17s%20s%9s%9s%7s%7s\n", FOLDER_WIDTH + 2, "", c->headline_name, "to the first",
                     "95%", "p", "Holm", "more", "fewer"));
    return append_verdicts(out, c, false) && bytes_text(out, "  strictly\n") && append_verdicts(out, c, true) &&
           append_settings(out, c) && bytes_text(out, "\n");
}

// ---- all of it

static bool append_left_out(Bytes *out, const Run *runs, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        const char *task;
        json_t *figures;
        json_object_foreach (runs[r].summary, task, figures)
            if (!has_task(runs, count, task))
                TRY(append_shown(out, text_of(runs[r].folder), 60, false) && bytes_text(out, " has ") &&
                    append_shown(out, text_of(task), 60, false) &&
                    bytes_text(out, ", and not all of the others have\n"));
    }
    return true;
}

static bool compare_task(Bytes *questions, Bytes *scores, const char *task, const Run *runs, size_t count)
{
    Contest contest;
    bool ok = contest_open(&contest, task, runs, count) && append_questions(questions, &contest) &&
              append_scores(scores, &contest);
    contest_close(&contest);
    return ok;
}

static bool compare_tasks(Bytes *out, const Run *runs, size_t count)
{
    Bytes scores = {0};
    const char *task;
    json_t *figures;
    size_t tasks = 0;
    bool ok = true;
    json_object_foreach (runs[0].summary, task, figures)
        if (ok && has_task(runs, count, task)) {
            ok = compare_task(out, &scores, task, runs, count);
            tasks++;
        }
    ok = ok && (tasks > 0 || fail("%s and the other folders have no task in common", runs[0].folder)) &&
         bytes_append(out, scores.data, scores.size) && append_left_out(out, runs, count) &&
         bytes_printf(out, LEGEND, RESAMPLES, FLIPS, SIGNIFICANT);
    bytes_free(&scores);
    return ok;
}

static bool read_summary(Run *run, const char *folder)
{
    char *path = path_join(folder, "summary.json");
    run->folder = folder;
    run->summary = path == NULL ? NULL : json_read(path, SUMMARY_LIMIT);
    bool ok = run->summary != NULL &&
              (json_is_object(run->summary) || fail("%s: is not what ./evaluate writes, an object of tasks", path));
    free(path);
    return ok;
}

bool figures_compare(Bytes *out, const char *const *folders, size_t count)
{
    Run runs[RUNS_MOST] = {{0}};
    if (count < 2 || count > RUNS_MOST)
        return fail_as(ERROR_USAGE, "to compare, name 2 to %d folders that ./evaluate wrote", RUNS_MOST);
    bool ok = true;
    for (size_t r = 0; ok && r < count; r++)
        ok = read_summary(&runs[r], folders[r]);
    ok = ok && compare_tasks(out, runs, count);
    for (size_t r = 0; r < count; r++)
        json_decref(runs[r].summary);
    return ok;
}
