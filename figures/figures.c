// A task's object in summary.json: see figures.h.
#include "figures/figures_internal.h"
#include "evaluation/attempts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Figures {
    const Task *task;
    Verdicts verdicts;
    Shares protocol, strict; // by the first field
} Figures;

// ---- JSON

static bool put(json_t *object, const char *key, json_t *value) // takes the value
{
    return json_object_set_new(object, key, value) == 0 || fail("no memory for figures");
}

static json_t *real_or_null(double value, bool known) { return known ? json_real(value) : json_null(); }

// numerator / denominator; null where there is none
static json_t *ratio(double numerator, double denominator)
{
    return real_or_null(denominator > 0 ? numerator / denominator : 0, denominator > 0);
}

static bool put_score(json_t *object, double score, double error, double questions)
{
    return put(object, "score", real_or_null(score, questions > 0)) &&
           put(object, "stderr", real_or_null(error, questions > 1)); // one alone says nothing of its spread
}

// ---- by category

typedef struct Category {
    const char *name;
    double count, right, strict;          // sums of shares
    double right_squares, strict_squares; // of their distances from the mean
} Category;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Category *)a)->name, ((const Category *)b)->name);
}

static double share_right(const Answered *q) { return (double)q->right / q->responses; }
static double share_strict(const Answered *q) { return (double)q->strict / q->responses; }

static void add_up(Category *list, const Verdicts *v, size_t field)
{
    for (size_t i = 0; i < v->count; i++) {
        Category *c = &list[v->places[i * v->fields + field]];
        c->count++;
        c->right += share_right(&v->list[i]);
        c->strict += share_strict(&v->list[i]);
    }
    for (size_t i = 0; i < v->count; i++) {
        Category *c = &list[v->places[i * v->fields + field]];
        c->right_squares += pow(share_right(&v->list[i]) - c->right / c->count, 2);
        c->strict_squares += pow(share_strict(&v->list[i]) - c->strict / c->count, 2);
    }
}

static bool put_category(json_t *all, const Category *c)
{
    json_t *one = json_object(), *strict = json_object();
    return put(all, c->name, one) && put_score(one, c->right / c->count, sqrt(c->right_squares) / c->count, c->count) &&
           put(one, "count", json_integer((json_int_t)c->count)) && put(one, "strict", strict) &&
           put_score(strict, c->strict / c->count, sqrt(c->strict_squares) / c->count, c->count);
}

static bool put_field(json_t *object, const char *key, const Verdicts *v, size_t field)
{
    size_t count = v->names[field].count;
    Category *list = allocate(count + 1, sizeof *list);
    json_t *all = json_object();
    TRY(put(object, key, all) && list != NULL);
    for (size_t c = 0; c < count; c++)
        list[c].name = v->names[field].names[c];
    add_up(list, v, field);
    qsort(list, count, sizeof *list, by_name);
    bool ok = true;
    for (size_t c = 0; ok && c < count; c++)
        ok = put_category(all, &list[c]);
    free(list);
    return ok;
}

static bool put_fields(json_t *object, const Figures *f)
{
    const OptionList *names = &f->task->o.categories;
    json_t *list = json_array(), *further = json_object();
    TRY(put(object, "fields", list));
    for (size_t i = 0; i < names->count; i++)
        TRY(json_array_append_new(list, json_string(names->items[i])) == 0 || fail("no memory for figures"));
    TRY(names->count == 0 || put_field(object, "by_category", &f->verdicts, 0));
    TRY(put(object, "by_field", further));
    for (size_t i = 1; i < names->count; i++)
        TRY(put_field(further, names->items[i], &f->verdicts, i));
    return true;
}

// ---- the whole

// A question that is half right is one half, whatever number of samples it has.
static bool all_alike(const Shares *s)
{
    for (size_t i = 1; i < s->count; i++)
        if ((int64_t)s->list[i].right * s->list[0].of != (int64_t)s->list[0].right * s->list[i].of)
            return false;
    return s->count > 0;
}

// With all questions alike the bootstrap draws one value only. Wilson's interval (1927) of their common share and so
// many questions then has the width that it lacks.
static void widen(Spread *spread, Headline headline, const Shares *s)
{
    if (headline != HEADLINE_MICRO || !all_alike(s))
        return;
    const double z = 1.959964, n = (double)s->count, p = (double)s->list[0].right / (double)s->list[0].of;
    double middle = p + z * z / (2 * n), half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), all = 1 + z * z / n;
    spread->low = p == 0 ? 0 : (middle - half) / all; // to the bit, there
    spread->high = p == 1 ? 1 : (middle + half) / all;
}

static bool put_headline(json_t *object, const Figures *f)
{
    Headline headline = (Headline)f->task->o.headline.place;
    double questions = (double)f->protocol.count;
    Spread spread, strict = {.standard_error = mean_error(&f->strict, NULL)};
    TRY(bootstrap(&spread, headline, &f->protocol, NULL) &&
        (headline == HEADLINE_MICRO || bootstrap(&strict, headline, &f->strict, NULL)));
    widen(&spread, headline, &f->protocol);
    TRY(put(object, "headline", json_string(f->task->o.headline.name)) &&
        put_score(object, aggregate(headline, &f->protocol), spread.standard_error, questions) &&
        put(object, "interval", questions > 0 ? json_pack("[ff]", spread.low, spread.high) : json_null()));
    json_t *stricter = json_object();
    return put(object, "strict", stricter) &&
           put_score(stricter, aggregate(headline, &f->strict), strict.standard_error, questions);
}

static bool put_means(json_t *object, const Figures *f)
{
    const Shares *s = &f->protocol;
    TRY(put(object, "micro", real_or_null(aggregate(HEADLINE_MICRO, s), s->count > 0)));
    return f->verdicts.fields == 0 ||
           (put(object, "macro", real_or_null(aggregate(HEADLINE_MACRO, s), s->count > 0)) &&
            put(object, "harmonic", real_or_null(aggregate(HEADLINE_HARMONIC, s), s->count > 0)) &&
            put(object, "harmonic_unadjusted", real_or_null(harmonic_unadjusted(s), s->count > 0)));
}

static bool put_pass(json_t *passes, const Verdicts *v, int64_t k)
{
    char key[24];
    double sum = 0;
    for (size_t i = 0; i < v->count; i++)
        sum += pass_at(k, v->list[i].right, v->list[i].responses);
    snprintf(key, sizeof key, "%" PRId64, k);
    return put(passes, key, json_real(sum / (double)v->count));
}

static bool put_passes(json_t *object, const Verdicts *v)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < v->count; i++)
        least = smaller(least, v->list[i].responses);
    if (v->count == 0 || least < 2)
        return true;
    json_t *passes = json_object();
    TRY(put(object, "pass_at_k", passes));
    for (int64_t k = 1; k < least; k *= 2)
        TRY(put_pass(passes, v, k));
    return put_pass(passes, v, least);
}

static bool put_counts(json_t *object, const Verdicts *v)
{
    int64_t most = 0;
    for (size_t i = 0; i < v->count; i++)
        most = larger(most, v->list[i].responses);
    return put(object, "count", json_integer((json_int_t)v->count)) &&
           put(object, "responses", json_integer(v->responses)) && put(object, "samples", json_integer(most));
}

static bool put_shares(json_t *object, const Verdicts *v)
{
    json_t *shares = json_object(), *drawn = json_object(), *disagreements = json_object();
    double all = (double)v->responses, drew = (double)v->drawn;
    TRY(put(object, "shares", shares) &&
        put(shares, "cut_off", v->ended == 0 ? json_null() : ratio((double)v->cut_off, (double)v->ended)) &&
        put(shares, "ends_known", ratio((double)v->ended, all)) &&
        put(shares, "without_answer", ratio((double)v->without_answer, all)) &&
        put(shares, "unreadable", ratio((double)v->unreadable, all)));
    TRY(put(object, "drawn", drawn) && put(drawn, "count", json_integer(v->drawn)) &&
        put(drawn, "share", ratio(drew, all)) && put(drawn, "by_chance", ratio(v->by_chance, drew)) &&
        put(drawn, "right", ratio((double)v->drawn_right, drew)));
    TRY(put(object, "disagreements", disagreements) &&
        put(disagreements, "count", json_integer(v->only_protocol + v->only_strict)) &&
        put(disagreements, "only_protocol", json_integer(v->only_protocol)) &&
        put(disagreements, "only_strict", json_integer(v->only_strict)));
    if (v->asked > 0)
        TRY(put(object, "judged",
                json_pack("{s:I, s:I}", "asked", (json_int_t)v->asked, "decided", (json_int_t)v->decided)));
    if (v->gave_up > 0)
        TRY(put(object, "gave_up", json_integer(v->gave_up)));
    if (isfinite(v->shortest_cut))
        TRY(put(object, "shortest_cut", json_integer((json_int_t)v->shortest_cut)));
    return put(object, "response_tokens", ratio(v->tokens, (double)v->counted));
}

static bool fill(json_t *object, const Figures *f)
{
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, f->task->hash);
    return put(object, "task", json_string(f->task->name)) && put(object, "task_hash", json_string(hash)) &&
           put_headline(object, f) && put_counts(object, &f->verdicts) && put_means(object, f) &&
           put_passes(object, &f->verdicts) && put_shares(object, &f->verdicts) && put_fields(object, f);
}

json_t *figures_of(const Task *task, const char *path)
{
    Figures f = {.task = task};
    json_t *object = json_object();
    bool ok = object != NULL && verdicts_read(&f.verdicts, path, task->o.categories.count) &&
              verdicts_shares(&f.protocol, &f.verdicts, false, 0) && verdicts_shares(&f.strict, &f.verdicts, true, 0) &&
              fill(object, &f);
    free((void *)f.protocol.list);
    free((void *)f.strict.list);
    verdicts_free(&f.verdicts);
    if (!ok) {
        json_decref(object);
        return NULL;
    }
    return object;
}
