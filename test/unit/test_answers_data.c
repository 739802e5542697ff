// The answer checker on real data: ../shared/data, if present. Right answers are equal in every wrapping, answers of
// another row or another option are not, and no answer is right for rows other than its own.
//
// A failed test prints up to SHOWN pairs, with the rule that decided; every test prints its counts. The short run draws
// rows evenly, so that it takes seconds; DEREASON_TEST=long takes all of them.
#include "answers/verify.h"
#include "json/json.h"
#include "rows/lines.h"
#include "system/files.h"
#include "test/support/check.h"
#include <ctype.h>

#define DATA "../shared/data/"

enum { ROWS_MOST = 20000, SHOWN = 12, TOKENS_MOST = 256 };

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static const Text no_row = {NULL, 0};

// ---- rows

typedef struct Rows {
    json_t *rows[ROWS_MOST];
    int count, step; // every step-th row is looked at
} Rows;

static bool read_rows(Rows *r, const char *path)
{
    LineReader lines;
    const char *text;
    size_t size;
    assert_ok(lines_open(&lines, path));
    for (;;) {
        assert_ok(lines_next(&lines, &text, &size));
        if (text == NULL)
            break;
        assert_true(r->count < ROWS_MOST);
        r->rows[r->count] = json_parse(text, size, path);
        assert_non_null(r->rows[r->count++]);
    }
    lines_close(&lines);
    return true;
}

// short_count: about this many rows of them in the short run
static bool rows_of(Rows *r, int short_count, const char *const *paths)
{
    *r = (Rows){.count = 0};
    for (; *paths != NULL; paths++) {
        if (!file_exists(*paths)) {
            print_message("skipped: no ../shared/data\n");
            return false;
        }
        assert_true(read_rows(r, *paths));
    }
    r->step = is_long() || r->count < 2 * short_count ? 1 : r->count / short_count;
    return true;
}

#define ROWS_OF(r, short_count, ...) rows_of(r, short_count, (const char *const[]){__VA_ARGS__, NULL})

static void free_rows(Rows *r)
{
    while (r->count > 0)
        json_decref(r->rows[--r->count]);
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    assert_non_null(text);
    return text;
}

// ---- verdicts, counted

typedef struct Tally {
    const char *what;
    int pairs, equal, different, unknown, shown;
} Tally;

enum { LINE_BYTES = 304 };

// On one line, and not too long
static const char *line_of(char out[LINE_BYTES], const char *text)
{
    int n = snprintf(out, LINE_BYTES, "%s", text);
    for (int i = 0; i < n && i < LINE_BYTES; i++)
        out[i] = out[i] == '\n' ? '~' : out[i];
    return out;
}

static void show(Tally *t, const char *gold, const char *response, const Finding *f)
{
    char g[LINE_BYTES], r[LINE_BYTES];
    if (t->shown++ < SHOWN)
        print_message("%s: %s by %s (%s): gold %s | response %s\n", t->what, VERDICT_NAMES[f->verdict], f->rule,
                      ANSWER_KIND_NAMES[f->kind], line_of(g, gold), line_of(r, response));
}

// wanted: whether it should be equal; what is otherwise is shown
static bool judge(Tally *t, bool wanted, const char *gold, const char *response)
{
    Finding f;
    verify_finding(&f, no_row, span(gold), span(response));
    t->pairs++;
    t->equal += f.verdict == VERDICT_EQUAL;
    t->different += f.verdict == VERDICT_DIFFERENT;
    t->unknown += f.verdict == VERDICT_UNKNOWN;
    bool as_wanted = wanted == (f.verdict == VERDICT_EQUAL);
    if (!as_wanted)
        show(t, gold, response, &f);
    return as_wanted;
}

static void report(const Tally *t)
{
    print_message("%s: %d pairs, %d equal (%.2f%%), %d different, %d unknown\n", t->what, t->pairs, t->equal,
                  t->pairs > 0 ? 100.0 * t->equal / t->pairs : 0, t->different, t->unknown);
}

// ---- pairs that are known

typedef struct Agreement {
    int pairs, agreed, accepted; // accepted: equal, and should not be
} Agreement;

static Agreement agreement_of(const char *path)
{
    static Rows r;
    Agreement a = {0};
    if (!ROWS_OF(&r, ROWS_MOST, path))
        return a;
    Tally t = {.what = strrchr(path, '/') + 1};
    for (int i = 0; i < r.count; i++) {
        bool wanted = json_is_true(json_object_get(r.rows[i], "expected"));
        bool agreed = judge(&t, wanted, text_of(r.rows[i], "gold"), text_of(r.rows[i], "prediction"));
        a.agreed += agreed;
        a.accepted += !agreed && !wanted;
    }
    a.pairs = r.count;
    print_message("%s: as expected %d of %d (%.1f%%), false accepts %d\n", t.what, a.agreed, a.pairs,
                  100.0 * a.agreed / a.pairs, a.accepted);
    free_rows(&r);
    return a;
}

static void pairs_of_other_checkers_are_judged_as_they_want(void **state)
{
    Agreement a = agreement_of(DATA "verifier/math_pairs.jsonl");
    assert_true(100 * a.agreed >= 97 * a.pairs);
}

static void pairs_that_were_judged_wrong_are_judged_right_and_none_is_a_false_accept(void **state)
{
    Agreement a = agreement_of(DATA "verifier/found_2026-11.jsonl");
    assert_int_equal(a.accepted, 0);
    assert_true(100 * a.agreed >= 97 * a.pairs);
}

// ---- references and their own solutions

static void every_math_answer_is_its_solutions(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, IS_RELEASE ? ROWS_MOST : 2000, DATA "math/train.jsonl", DATA "math/test.jsonl"))
        return;
    Tally t = {.what = "MATH's answers and solutions"};
    int wrong = 0, readable = 0;
    for (int i = 0; i < r.count; i += r.step) {
        const char *answer = text_of(r.rows[i], "answer");
        readable += answer_comparable((Text){NULL, 0}, span(answer));
        if (answer[0] == 0) // two have an empty box
            continue;
        wrong += !judge(&t, true, answer, text_of(r.rows[i], "solution"));
    }
    report(&t);
    print_message("%d of %d references can be read\n", readable, r.count);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

static void every_gsm8k_answer_is_its_solutions(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, IS_RELEASE ? ROWS_MOST : 2000, DATA "gsm8k/train.jsonl", DATA "gsm8k/test.jsonl"))
        return;
    Tally t = {.what = "GSM8K's answers and solutions"};
    int wrong = 0;
    for (int i = 0; i < r.count; i += r.step) {
        const char *answer = text_of(r.rows[i], "answer"), *solution = text_of(r.rows[i], "solution");
        wrong += !judge(&t, true, answer, solution);
        wrong += !judge(&t, true, solution, answer); // a reference may be a solution that ends in ####
    }
    report(&t);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

// Without the sign of a measure, which a reference may have and an answer leave out
static size_t unmeasured(char *out, Text s)
{
    static const char *const signs[] = {"^\\circ", "\\%"};
    size_t n = s.size;
    assert_true(n < 512);
    memcpy(out, s.data, n);
    for (int i = 0; i < 2; i++)
        if (n > strlen(signs[i]) && memcmp(out + n - strlen(signs[i]), signs[i], strlen(signs[i])) == 0)
            n -= strlen(signs[i]);
    return n;
}

// Of 5,000 pairs of answers that are written otherwise, those that are called equal differ by nothing but the sign of a
// measure.
static void math_answers_of_other_values_are_not_equal(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, IS_RELEASE ? ROWS_MOST : 2000, DATA "math/train.jsonl", DATA "math/test.jsonl"))
        return;
    int equal = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        Philox draw = random_bits(5, RANDOM_DEMO, i, 0, 0);
        Text a = span(text_of(r.rows[draw.v[0] % (uint32_t)r.count], "answer")),
             b = span(text_of(r.rows[draw.v[1] % (uint32_t)r.count], "answer"));
        if ((a.size == b.size && memcmp(a.data, b.data, a.size) == 0) || verify(a, b) != VERDICT_EQUAL)
            continue;
        char x[512], y[512];
        size_t n = unmeasured(x, a), m = unmeasured(y, b);
        if (n != m || memcmp(x, y, n) != 0)
            fail_msg("%s is called equal to %s", a.data, b.data);
        equal++;
    }
    print_message("%d of 5000\n", equal);
    free_rows(&r);
}

// ---- options of multiple choice, as texts of their own

enum { FORMS = 3, FORM_BYTES = 2048 };
static const char *const form_names[FORMS] = {"boxed", "bare", "\\text in a box"};
static const char *const form_patterns[FORMS] = {"\\boxed{%s}", "%s", "\\boxed{\\text{%s}}"};

static void dress(char out[FORM_BYTES], int form, const char *text)
{
    int n = snprintf(out, FORM_BYTES, form_patterns[form], text);
    assert_true(n > 0 && n < FORM_BYTES);
}

static bool is_same_but_for_case_and_space(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == 0)
            return true;
    }
}

// The right option, and another one that is drawn; NULL: the data have no other.
static const char *option_of(const json_t *row, int row_number, bool right)
{
    const json_t *options = json_object_get(row, "options");
    size_t count = json_array_size(options), at = (size_t)(text_of(row, "answer")[0] - 'A');
    assert_true(at < count);
    const char *text = json_string_value(json_array_get(options, at));
    if (right)
        return text;
    size_t from = random_bits(7, RANDOM_DEMO, (uint32_t)row_number, 0, 0).v[0] % count;
    for (size_t i = 0; i < count; i++) {
        const char *other = json_string_value(json_array_get(options, (from + i) % count));
        if ((from + i) % count != at && !is_same_but_for_case_and_space(other, text))
            return other;
    }
    return NULL;
}

static void options_of(bool right, double least, double most)
{
    static Rows r;
    // few options say what another one says: a share of them is measured on all rows, in the release build
    if (!ROWS_OF(&r, !right && IS_RELEASE ? ROWS_MOST : 1000, DATA "bench/mmlu_pro/test.jsonl"))
        return;
    Tally tallies[FORMS];
    char what[FORMS][64], response[FORM_BYTES];
    for (int form = 0; form < FORMS; form++) {
        snprintf(what[form], sizeof what[form], "MMLU-Pro, %s option, %s", right ? "right" : "another",
                 form_names[form]);
        tallies[form] = (Tally){.what = what[form]};
    }
    for (int i = 0; i < r.count; i += r.step) {
        const char *gold = option_of(r.rows[i], i, true), *given = option_of(r.rows[i], i, right);
        for (int form = 0; given != NULL && form < FORMS; form++) {
            dress(response, form, given);
            judge(&tallies[form], right, gold, response);
        }
    }
    free_rows(&r);
    bool ok = true;
    for (int form = 0; form < FORMS; form++) {
        report(&tallies[form]);
        double share = (double)tallies[form].equal / tallies[form].pairs;
        ok = ok && share >= least && (share <= most || !IS_RELEASE);
    }
    assert_true(ok);
}

static void the_right_options_text_is_right(void **state) { options_of(true, 0.995, 1); }

static void another_options_text_is_wrong(void **state) { options_of(false, 0, 0.001); }

// ---- tasks

#define TASKS DATA "knights_knaves/train.jsonl", DATA "knights_knaves/test.jsonl", DATA "reasoning_gym/exact.jsonl"

static const char *task_of(const json_t *row)
{
    const char *task = json_string_value(json_object_get(row, "task"));
    return task == NULL ? "knights_knaves" : task;
}

static void every_reference_of_the_tasks_is_itself_in_a_box(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, IS_RELEASE ? 6000 : 2000, TASKS))
        return;
    Tally t = {.what = "the tasks' references, boxed"}, bare = {.what = "the tasks' references, bare"};
    int wrong = 0, not_comparable = 0;
    for (int i = 0; i < r.count; i += r.step) {
        const char *answer = text_of(r.rows[i], "answer");
        char *boxed = malloc(strlen(answer) + 16);
        assert_non_null(boxed);
        sprintf(boxed, "\\boxed{%s}", answer);
        bool comparable = answer_comparable(no_row, span(answer));
        not_comparable += !comparable;
        wrong += !judge(&t, true, answer, boxed) && comparable;
        wrong += !judge(&bare, true, answer, answer) && comparable;
        free(boxed);
    }
    report(&t);
    report(&bare);
    print_message("%d references are not comparable\n", not_comparable);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

// ---- constant answers

// What an answer is, if its capitals, its quotes, brackets around a single one and the word for a truth do not count.
// Each of these is the same answer to whoever reads it, so a constant answer is entitled to rows that have it so.
static void plain_text(char *out, size_t size, const char *text)
{
    Text s = span(text);
    while (s.size > 1 && strchr("['", s.data[0]) != NULL && strchr("]'", s.data[s.size - 1]) != NULL)
        s = (Text){s.data + 1, s.size - 2};
    assert_true(s.size < size);
    for (size_t i = 0; i < s.size; i++)
        out[i] = (char)tolower((unsigned char)s.data[i]);
    out[s.size] = 0;
    static const char *const truths[][2] = {{"true", "yes"}, {"false", "no"}};
    for (int i = 0; i < 2; i++)
        if (strcmp(out, truths[i][0]) == 0)
            strcpy(out, truths[i][1]);
}

enum { PLAIN_BYTES = 1024, CONSTANTS_MOST = 64, TASKS_MOST = 40 };

static bool is_entitled(const char *constant, const char *answer)
{
    char a[PLAIN_BYTES], b[PLAIN_BYTES];
    plain_text(a, sizeof a, constant);
    plain_text(b, sizeof b, answer);
    return strcmp(a, b) == 0;
}

typedef struct Constants {
    const char *texts[CONSTANTS_MOST];
    int count;
} Constants;

static void add_constant(Constants *c, const char *text)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->texts[i], text) == 0)
            return;
    if (c->count < CONSTANTS_MOST)
        c->texts[c->count++] = text;
}

static int by_task_and_answer(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int order = strcmp(task_of(x), task_of(y));
    return order != 0 ? order : strcmp(text_of(x, "answer"), text_of(y, "answer"));
}

// Rows of one task are side by side afterwards; the most frequent answer of each becomes a constant.
static void add_frequent_answers(Constants *c, Rows *r)
{
    qsort(r->rows, (size_t)r->count, sizeof *r->rows, by_task_and_answer);
    for (int i = 0; i < r->count;) {
        const char *task = task_of(r->rows[i]), *best = NULL;
        int most = 0;
        while (i < r->count && strcmp(task_of(r->rows[i]), task) == 0) {
            const char *answer = text_of(r->rows[i], "answer");
            int run = 0;
            for (; i < r->count && strcmp(task_of(r->rows[i]), task) == 0 &&
                   strcmp(text_of(r->rows[i], "answer"), answer) == 0;
                 i++)
                run++;
            if (run > most) {
                most = run;
                best = answer;
            }
        }
        add_constant(c, best);
    }
}

static void no_constant_answer_is_right_for_more_than_its_share(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, 1000, TASKS))
        return;
    static const char *const usual[] = {"0",     "1",       "2",      "-1", "yes",        "no", "A", "on",
                                        "True",  "False",   "[]",     "()", "{}",         ".",  "-", "I do not know",
                                        "0 0 0", "1, 2, 3", "knight", "x",  "\\emptyset", ""};
    Constants c = {.count = 0};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        add_constant(&c, usual[i]);
    add_frequent_answers(&c, &r);
    Tally t = {.what = "constant answers"};
    char response[FORM_BYTES];
    int wrong = 0;
    for (int k = 0; k < c.count; k++) {
        int taken = 0, entitled = 0; // of a task
        for (int i = 0; i < r.count; i += r.step) {
            const char *answer = text_of(r.rows[i], "answer");
            dress(response, 0, c.texts[k]);
            bool own = is_entitled(c.texts[k], answer);
            Finding f;
            verify_finding(&f, no_row, span(answer), span(response));
            t.pairs++;
            t.equal += f.verdict == VERDICT_EQUAL;
            if (f.verdict == VERDICT_EQUAL && !own)
                show(&t, answer, response, &f);
            entitled += own;
            taken += f.verdict == VERDICT_EQUAL;
            char line[LINE_BYTES];
            bool last = i + r.step >= r.count || strcmp(task_of(r.rows[i]), task_of(r.rows[i + r.step])) != 0;
            if (last && taken > entitled)
                print_message("%s: \"%s\" is right %d times, and the answer %d times\n", task_of(r.rows[i]),
                              line_of(line, c.texts[k]), taken, entitled);
            wrong += last && taken > entitled;
            taken = last ? 0 : taken;
            entitled = last ? 0 : entitled;
        }
    }
    print_message("%d constants, %d comparisons, %d equal; %d pairs of a task and a constant above the share\n",
                  c.count, t.pairs, t.equal, wrong);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

// ---- sequences in another order

typedef struct Sequence {
    Text tokens[TOKENS_MOST], gaps[TOKENS_MOST + 1]; // a gap before each token, and one behind the last
    int count;
} Sequence;

static bool is_gap(char c) { return strchr(" \n,[]'", c) != NULL && c != 0; }

static bool read_sequence(Sequence *s, const char *text)
{
    s->count = 0;
    for (;;) {
        const char *begin = text;
        while (is_gap(*text))
            text++;
        s->gaps[s->count] = (Text){begin, (size_t)(text - begin)};
        if (*text == 0)
            return s->count > 1;
        if (s->count == TOKENS_MOST)
            return false;
        begin = text;
        while (*text != 0 && !is_gap(*text))
            text++;
        s->tokens[s->count++] = (Text){begin, (size_t)(text - begin)};
    }
}

static void write_sequence(Bytes *out, const Sequence *s, const int *order)
{
    bytes_clear(out);
    assert_ok(bytes_text(out, "\\boxed{"));
    for (int i = 0; i <= s->count; i++) {
        assert_ok(bytes_append(out, s->gaps[i].data, s->gaps[i].size));
        if (i < s->count)
            assert_ok(bytes_append(out, s->tokens[order[i]].data, s->tokens[order[i]].size));
    }
    assert_ok(bytes_text(out, "}"));
}

static bool is_number(Text s, double *value)
{
    char copy[64], *end;
    if (s.size >= sizeof copy)
        return false;
    memcpy(copy, s.data, s.size);
    copy[s.size] = 0;
    *value = strtod(copy, &end);
    return *end == 0 && s.size > 0;
}

// 97 and 97.0, The and the
static bool is_same_token(Text a, Text b)
{
    double x, y;
    if (is_number(a, &x) && is_number(b, &y))
        return x == y;
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (tolower((unsigned char)a.data[i]) != tolower((unsigned char)b.data[i]))
            return false;
    return true;
}

static bool differs(const Sequence *s, const int *order)
{
    for (int i = 0; i < s->count; i++)
        if (!is_same_token(s->tokens[i], s->tokens[order[i]]))
            return true;
    return false;
}

typedef enum Order { REVERSED, SHUFFLED, TWO_SWAPPED, ORDERS } Order;
static const char *const order_names[ORDERS] = {"reversed", "shuffled", "two swapped"};

static void set_order(int *order, int count, Order how, uint32_t row)
{
    for (int i = 0; i < count; i++)
        order[i] = how == REVERSED ? count - 1 - i : i;
    for (int i = count - 1; how == SHUFFLED && i > 0; i--) {
        int j = (int)(random_bits(11, RANDOM_DEMO, row, (uint32_t)i, 0).v[0] % (uint32_t)(i + 1)), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    if (how == TWO_SWAPPED) {
        Philox draw = random_bits(13, RANDOM_DEMO, row, 0, 0);
        int i = (int)(draw.v[0] % (uint32_t)count), j = (int)(draw.v[1] % (uint32_t)count);
        order[i] = j;
        order[j] = i;
    }
}

static void a_sequence_in_another_order_is_another(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, IS_RELEASE ? 6000 : 2000, DATA "reasoning_gym/exact.jsonl"))
        return;
    static Sequence s;
    Bytes response = {0};
    int wrong = 0, order[TOKENS_MOST];
    for (Order how = 0; how < ORDERS; how++) {
        Tally t = {.what = order_names[how]};
        for (int i = 0; i < r.count; i += r.step) {
            const char *answer = text_of(r.rows[i], "answer");
            if (!read_sequence(&s, answer))
                continue;
            set_order(order, s.count, how, (uint32_t)i);
            if (!differs(&s, order))
                continue;
            write_sequence(&response, &s, order);
            wrong += !judge(&t, false, answer, response.data);
        }
        report(&t);
    }
    bytes_free(&response);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

// ---- knights and knaves

enum { EVERYBODY = -1, NOBODY = -2 };

// only: who of them is said to be the other thing; EVERYBODY, or NOBODY
static void say_people(char *out, size_t size, const json_t *row, int only, const char *between)
{
    const json_t *names = json_object_get(row, "names"), *solution = json_object_get(row, "solution");
    size_t used = 0, i;
    const json_t *name;
    out[0] = 0;
    json_array_foreach (names, i, name) {
        bool knight = json_is_true(json_array_get(solution, i)) != (only == EVERYBODY || only == (int)i);
        used += (size_t)snprintf(out + used, size - used, "%s", i == 0 ? "" : between);
        if (between[0] == '\n')
            used += (size_t)snprintf(out + used, size - used, "(%zu) ", i + 1);
        used += (size_t)snprintf(out + used, size - used, "%s is a %s", json_string_value(name),
                                 knight ? "knight" : "knave");
        assert_true(used < size);
    }
}

static const char *const kk_patterns[] = {"%s", "\\boxed{%s}", "Thinking.\n\nThe answer is:\n%s"};

static void judge_people(Tally *t, int *wrong, const json_t *row, int only, const char *between)
{
    char people[1024], response[FORM_BYTES];
    say_people(people, sizeof people, row, only, between);
    for (size_t k = 0; k < sizeof kk_patterns / sizeof *kk_patterns; k++) {
        int n = snprintf(response, sizeof response, kk_patterns[k], people);
        assert_true(n > 0 && n < (int)sizeof response);
        *wrong += !judge(t, only == NOBODY, text_of(row, "answer"), response);
    }
}

static void whoever_is_taken_for_the_other_thing_makes_an_answer_wrong(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, 1000, DATA "knights_knaves/train.jsonl", DATA "knights_knaves/test.jsonl"))
        return;
    Tally all = {.what = "everybody flipped"}, one = {.what = "one flipped"}, heads = {.what = "the head count"};
    int wrong = 0;
    for (int i = 0; i < r.count; i += r.step) {
        int people = (int)json_integer_value(json_object_get(r.rows[i], "people"));
        int who = (int)(random_bits(17, RANDOM_DEMO, (uint32_t)i, 0, 0).v[0] % (uint32_t)people);
        judge_people(&all, &wrong, r.rows[i], EVERYBODY, "\n");
        judge_people(&all, &wrong, r.rows[i], EVERYBODY, ", ");
        judge_people(&one, &wrong, r.rows[i], who, "\n");
        judge_people(&one, &wrong, r.rows[i], who, ", ");
        char count[32];
        snprintf(count, sizeof count, "\\boxed{%d}", people);
        wrong += !judge(&heads, false, text_of(r.rows[i], "answer"), count);
    }
    report(&all);
    report(&one);
    report(&heads);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

// On lines as in the data, with their numbers, or in one sentence
static void people_may_be_listed_on_lines_or_in_a_sentence(void **state)
{
    static Rows r;
    if (!ROWS_OF(&r, 1000, DATA "knights_knaves/train.jsonl", DATA "knights_knaves/test.jsonl"))
        return;
    Tally lines = {.what = "people on lines"}, sentence = {.what = "people in a sentence"};
    int wrong = 0;
    for (int i = 0; i < r.count; i += r.step) {
        judge_people(&lines, &wrong, r.rows[i], NOBODY, "\n");
        judge_people(&sentence, &wrong, r.rows[i], NOBODY, ", ");
    }
    report(&lines);
    report(&sentence);
    assert_int_equal(wrong, 0);
    free_rows(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_other_checkers_are_judged_as_they_want),
        cmocka_unit_test(pairs_that_were_judged_wrong_are_judged_right_and_none_is_a_false_accept),
        cmocka_unit_test(every_math_answer_is_its_solutions),
        cmocka_unit_test(every_gsm8k_answer_is_its_solutions),
        cmocka_unit_test(math_answers_of_other_values_are_not_equal),
        cmocka_unit_test(the_right_options_text_is_right),
        cmocka_unit_test(another_options_text_is_wrong),
        cmocka_unit_test(every_reference_of_the_tasks_is_itself_in_a_box),
        cmocka_unit_test(no_constant_answer_is_right_for_more_than_its_share),
        cmocka_unit_test(a_sequence_in_another_order_is_another),
        cmocka_unit_test(whoever_is_taken_for_the_other_thing_makes_an_answer_wrong),
        cmocka_unit_test(people_may_be_listed_on_lines_or_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
