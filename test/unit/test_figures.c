// Scores, their errors and their differences, against closed forms and small cases by hand.
#include "figures/bootstrap.h"
#include "figures/figures.h"
#include "system/files.h"
#include "test/support/check.h"
#include <unistd.h>

// ---- statistics

static void assert_near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", value, tolerance, wanted);
}

static Shares shares_of(const Share *list, size_t count, size_t groups) { return (Shares){list, count, groups}; }

static void means_of_categories_of_different_sizes(void **state)
{
    const Share list[] = {{1, 1, 0}, {0, 1, 0}, {3, 4, 2}, {1, 4, 2}, {0, 4, 2}, {0, 4, 2}}; // nothing of category 1
    Shares s = shares_of(list, 6, 3);
    assert_near(aggregate(HEADLINE_MICRO, &s), 2.0 / 6, 1e-15);
    assert_near(aggregate(HEADLINE_MACRO, &s), (0.5 + 0.25) / 2, 1e-15);
    assert_near(aggregate(HEADLINE_HARMONIC, &s), 2 / (1 / 0.51 + 1 / 0.26), 1e-15);
    assert_near(harmonic_unadjusted(&s), 2 / (1 / 0.5 + 1 / 0.25), 1e-15);
}

static void a_category_without_a_right_answer_counts_as_a_point_in_the_harmonic_mean(void **state)
{
    const Share list[] = {{1, 2, 0}, {0, 1, 1}};
    Shares s = shares_of(list, 2, 2);
    assert_near(aggregate(HEADLINE_HARMONIC, &s), 2 / (1 / 0.51 + 1 / 0.01), 1e-15);
    assert_true(harmonic_unadjusted(&s) == 0);
}

// Tenths of a percent, and what they come to: tables 2 and 4 of arXiv 2502.19187, without its random baseline, whose
// shares are of no whole number of questions. Table 4's 12.5 for the first model does not follow from table 2 (12.1).
enum { BBEH_TASKS = 23, BBEH_MODELS = 12, BBEH_QUESTIONS = 4520 };
static const int BBEH_SHARES[BBEH_TASKS][BBEH_MODELS] = {
    {310, 315, 395, 345, 330, 370, 295, 425, 410, 360, 755, 530}, // BoardgameQA
    {220, 180, 250, 230, 255, 220, 240, 270, 225, 175, 555, 670}, // Boolean Expressions
    {15, 0, 5, 5, 0, 0, 15, 35, 5, 5, 45, 595},                   // Buggy Tables
    {400, 370, 455, 460, 490, 515, 525, 520, 540, 545, 545, 540}, // Causal Understanding
    {342, 367, 450, 333, 417, 492, 500, 483, 517, 525, 500, 583}, // DisambiguationQA
    {10, 45, 20, 35, 85, 45, 65, 140, 80, 180, 560, 550},         // Dyck Languages
    {415, 255, 310, 180, 325, 265, 300, 350, 225, 45, 15, 525},   // Geometric Shapes
    {5, 20, 40, 20, 25, 35, 65, 45, 75, 30, 60, 320},             // Hyperbaton
    {25, 30, 70, 10, 60, 90, 125, 155, 155, 60, 195, 170},        // Linguini
    {245, 300, 400, 350, 445, 550, 515, 595, 610, 460, 595, 840}, // Movie Recommendation
    {0, 5, 0, 0, 5, 15, 75, 95, 55, 360, 465, 730},               // Multistep Arithmetic
    {130, 130, 135, 70, 115, 150, 135, 110, 230, 105, 200, 160},  // NYCC
    {0, 0, 0, 0, 5, 0, 40, 110, 65, 40, 765, 900},                // Object Counting
    {0, 5, 0, 5, 15, 5, 5, 15, 0, 0, 0, 565},                     // Object Properties
    {175, 165, 210, 140, 260, 240, 270, 375, 385, 220, 285, 240}, // SARC Triples
    {80, 95, 120, 10, 70, 50, 150, 90, 140, 20, 60, 495},         // Shuffled Objects
    {0, 10, 70, 40, 105, 130, 105, 185, 140, 145, 370, 485},      // Spatial Reasoning
    {50, 15, 100, 25, 125, 200, 185, 230, 250, 195, 290, 265},    // SportQA
    {5, 95, 15, 10, 0, 15, 10, 5, 0, 5, 0, 685},                  // Temporal Sequences
    {185, 40, 155, 95, 235, 465, 450, 480, 455, 565, 770, 765},   // Time Arithmetic
    {25, 55, 65, 120, 220, 210, 140, 185, 145, 130, 295, 430},    // Web of Lies
    {40, 25, 35, 45, 60, 75, 125, 260, 220, 360, 680, 775},       // Word Sorting
    {190, 25, 230, 100, 195, 300, 320, 445, 320, 15, 80, 675},    // Zebra Puzzles
};
static const long BBEH_HARMONIC[BBEH_MODELS] = {30, 36, 40, 34, 45, 49, 80, 98, 60, 52, 68, 448};
static const long BBEH_MICRO[BBEH_MODELS] = {121, 106, 148, 110, 163, 188, 197, 239, 223, 192, 349, 542};

static void the_figures_of_bbehs_paper_follow_from_its_table(void **state)
{
    static Share list[BBEH_QUESTIONS];
    for (int model = 0; model < BBEH_MODELS; model++) {
        size_t count = 0;
        for (uint32_t task = 0; task < BBEH_TASKS; task++) {
            int questions = task == 4 ? 120 : 200; // of DisambiguationQA, and of the others
            long right = lround(BBEH_SHARES[task][model] * questions / 1000.0);
            for (int i = 0; i < questions; i++)
                list[count++] = (Share){i < right, 1, task};
        }
        Shares s = shares_of(list, count, BBEH_TASKS);
        assert_int_equal(lround(1000 * aggregate(HEADLINE_HARMONIC, &s)), BBEH_HARMONIC[model]);
        assert_int_equal(lround(1000 * aggregate(HEADLINE_MICRO, &s)), BBEH_MICRO[model]);
    }
}

static void nothing_has_no_spread_and_no_difference(void **state)
{
    Shares s = shares_of(NULL, 0, 1);
    Spread spread;
    double p;
    bool exact;
    for (int h = HEADLINE_MICRO; h <= HEADLINE_HARMONIC; h++) {
        assert_true(aggregate((Headline)h, &s) == 0);
        assert_ok(bootstrap(&spread, (Headline)h, &s, NULL));
        assert_true(spread.standard_error == 0 && spread.low == 0 && spread.high == 0);
        assert_ok(permutation(&p, &exact, (Headline)h, &s, &s));
        assert_true(p == 1);
    }
}

enum { MANY = 400 };

static void many(Share *list, int right)
{
    for (int i = 0; i < MANY; i++)
        list[i] = (Share){i < right, 1, 0};
}

static void the_error_of_a_mean_is_that_of_a_proportion(void **state)
{
    Share list[MANY];
    many(list, 120);
    Shares s = shares_of(list, MANY, 1);
    Spread mean, drawn;
    double wanted = sqrt(0.3 * 0.7 / MANY);
    assert_ok(bootstrap(&mean, HEADLINE_MICRO, &s, NULL));
    assert_near(mean.standard_error, wanted, 1e-15);
    // one category's macro average is the mean again, and its error comes from the resamples. An error estimated from R
    // of them has itself the relative error 1 / sqrt(2 R): five of these
    assert_ok(bootstrap(&drawn, HEADLINE_MACRO, &s, NULL));
    assert_near(drawn.standard_error, wanted, wanted * 5 / sqrt(2.0 * RESAMPLES));
    // the 2.5th percentile lies at -1.96 of a normal's deviations, where its density is 0.0584: the percentile's own
    // error is sqrt(0.025 * 0.975 / R) / 0.0584 deviations, five of these; and shares are multiples of 1 / MANY
    double bound = wanted * 5 * sqrt(0.025 * 0.975 / RESAMPLES) / 0.0584 + 1.0 / MANY;
    assert_near(mean.low, 0.3 - 1.96 * wanted, bound);
    assert_near(mean.high, 0.3 + 1.96 * wanted, bound);
}

static void all_responses_to_a_question_stay_together(void **state)
{
    Share list[MANY];
    for (int i = 0; i < MANY; i++)
        list[i] = (Share){i < 120 ? 8 : 0, 8, 0}; // eight responses that agree tell no more than one
    Shares s = shares_of(list, MANY, 1);
    assert_near(mean_error(&s, NULL), sqrt(0.3 * 0.7 / MANY), 1e-15);
}

static void the_same_questions_are_drawn_for_both_runs(void **state)
{
    Share a[MANY], b[MANY];
    many(a, 120);
    many(b, 120);
    b[0].right = 0; // they differ on one question
    Shares x = shares_of(a, MANY, 1), y = shares_of(b, MANY, 1);
    Spread spread;
    assert_ok(bootstrap(&spread, HEADLINE_MACRO, &x, &y));
    // the difference is 1 / MANY times how often that question is drawn, a binomial of mean and variance about 1
    double wanted = sqrt(1 - 1.0 / MANY) / MANY;
    assert_near(spread.standard_error, wanted, wanted * 0.15); // kurtosis 3 + 1: sqrt((4 - 1) / 4R) = 2%, times five
    assert_true(spread.low == 0);
}

static double binomial_tail(int n, int k) // P(at most k of n coins)
{
    double sum = 0;
    for (int i = 0; i <= k; i++)
        sum += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) - n * log(2));
    return sum;
}

static void p_is_that_of_mcnemars_exact_test(void **state)
{
    static const int cases[][2] = {{10, 2}, {0, 5}, {7, 7}, {1, 0}, {120, 80}, {200, 199}}; // only a, only b
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        Share a[MANY] = {{0}}, b[MANY] = {{0}};
        int only_a = cases[c][0], only_b = cases[c][1];
        for (int i = 0; i < MANY; i++) {
            a[i] = (Share){i < only_a || i == MANY - 1, 1, 0};
            b[i] = (Share){(i >= only_a && i < only_a + only_b) || i == MANY - 1, 1, 0};
        }
        Shares x = shares_of(a, MANY, 1), y = shares_of(b, MANY, 1);
        double p;
        bool exact;
        assert_ok(permutation(&p, &exact, HEADLINE_MICRO, &x, &y));
        assert_true(exact);
        assert_near(p, fmin(1, 2 * binomial_tail(only_a + only_b, only_a < only_b ? only_a : only_b)), 1e-9);
    }
}

// All 2^count ways, one by one, in whole numbers.
static double by_enumeration(const Share *a, const Share *b, int count, int multiple)
{
    int64_t as_far = 0, observed = 0, d[16];
    for (int i = 0; i < count; i++) {
        d[i] = multiple / a[i].of * a[i].right - multiple / b[i].of * b[i].right;
        observed += d[i];
    }
    for (int way = 0; way < 1 << count; way++) {
        int64_t sum = 0;
        for (int i = 0; i < count; i++)
            sum += way >> i & 1 ? -d[i] : d[i];
        as_far += llabs(sum) >= llabs(observed);
    }
    return (double)as_far / (1 << count);
}

static void p_of_several_responses_is_that_of_all_exchanges(void **state)
{
    enum { COUNT = 11 };
    for (uint32_t round = 0; round < 40; round++) {
        Share a[COUNT], b[COUNT];
        for (uint32_t i = 0; i < COUNT; i++) {
            Philox bits = random_bits(round, RANDOM_SAMPLE, i, 0, 0);
            int32_t of_a = i % 3 == 0 ? 4 : 6, of_b = 8;
            a[i] = (Share){(int32_t)(bits.v[0] % (uint32_t)(of_a + 1)), of_a, 0};
            b[i] = (Share){(int32_t)(bits.v[1] % (uint32_t)(of_b + 1)), of_b, 0};
        }
        Shares x = shares_of(a, COUNT, 1), y = shares_of(b, COUNT, 1);
        double p;
        bool exact;
        assert_ok(permutation(&p, &exact, HEADLINE_MICRO, &x, &y));
        assert_true(exact);
        assert_near(p, by_enumeration(a, b, COUNT, 24), 1e-12);
    }
}

static void random_exchanges_come_near_the_exact_p(void **state)
{
    Share a[MANY], b[MANY];
    for (int i = 0; i < MANY; i++) { // 30 only a, 18 only b
        a[i] = (Share){i < 30, 1, 0};
        b[i] = (Share){i >= 30 && i < 48, 1, 0};
    }
    Shares x = shares_of(a, MANY, 1), y = shares_of(b, MANY, 1);
    double p, wanted;
    bool exact;
    assert_ok(permutation(&wanted, &exact, HEADLINE_MICRO, &x, &y));
    assert_ok(permutation(&p, &exact, HEADLINE_MACRO, &x, &y)); // of one category: the same average
    assert_false(exact);
    assert_near(p, wanted, 5 * sqrt(wanted * (1 - wanted) / FLIPS));
}

static void equal_runs_do_not_differ(void **state)
{
    Share a[MANY];
    many(a, 77);
    Shares s = shares_of(a, MANY, 1);
    double p;
    bool exact;
    Spread spread;
    for (int h = HEADLINE_MICRO; h <= HEADLINE_HARMONIC; h++) {
        assert_ok(permutation(&p, &exact, (Headline)h, &s, &s));
        assert_true(p == 1);
        assert_ok(bootstrap(&spread, (Headline)h, &s, &s));
        assert_true(spread.standard_error == 0 && spread.low == 0 && spread.high == 0);
    }
}

static void holm_multiplies_the_smallest_p_most(void **state)
{
    double adjusted[5];
    holm(adjusted, (const double[]){0.01, 0.04, 0.03}, 3);
    assert_near(adjusted[0], 0.03, 1e-15);
    assert_near(adjusted[1], 0.06, 1e-15); // not below that of 0.03
    assert_near(adjusted[2], 0.06, 1e-15);
    holm(adjusted, (const double[]){0.5, 0.02, 0.02, 0.7, 0.4}, 5);
    assert_near(adjusted[1], 0.1, 1e-15);
    assert_near(adjusted[2], 0.1, 1e-15);
    assert_true(adjusted[0] == 1 && adjusted[3] == 1 && adjusted[4] == 1);
    holm(adjusted, (const double[]){0.2}, 1);
    assert_true(adjusted[0] == 0.2);
}

// ---- a task's object

typedef struct Said { // a row
    const char *id, *category, *level;
    int question, sample;
    const char *marks; // letters: r right, s strict, l cut off, n nothing found, u unreadable, d drawn
} Said;

static bool has(const Said *s, char mark) { return strchr(s->marks, mark) != NULL; }
static const char *truth(bool value) { return value ? "true" : "false"; }

static void add_row(Bytes *out, const Said *s, const char *asked)
{
    assert_ok(bytes_printf(
        out,
        "{\"task\": \"mine\", \"id\": \"%s\", \"question\": %d, \"sample\": %d, \"asked\": \"%s\", "
        "\"categories\": [%s, %s], \"reference\": \"7\", \"text\": \"so 7\", \"finish_reason\": \"%s\", \"tokens\": "
        "%d, "
        "\"extracted\": \"%s\", \"right\": %s, \"strict\": %s, \"rule\": \"\", \"found\": %s, \"readable\": %s, "
        "\"drawn\": %s, \"by_chance\": %s}\n",
        s->id, s->question, s->sample, asked, s->category, s->level, has(s, 'l') ? "length" : "stop", 10 + s->sample,
        has(s, 'n') ? "" : "7", truth(has(s, 'r')), truth(has(s, 's')), truth(!has(s, 'n')),
        truth(!has(s, 'n') && !has(s, 'u')), truth(has(s, 'd')), has(s, 'd') ? "0.1" : "0"));
}

static char *write_file(const char *folder, const char *name, const char *text)
{
    char *path = path_join(folder, name);
    assert_ok(path != NULL && file_write_atomic(path, text, strlen(text)));
    return path;
}

static char *make_folder(void)
{
    char *folder = NULL;
    assert_ok(folder_temporary(&folder, "figures"));
    return folder;
}

static void remove_folder(char *folder)
{
    assert_ok(folder_remove(folder));
    free(folder);
}

static const char *FIELDS[] = {"subject", "level"};

static Task task_of(size_t fields, Headline headline)
{
    static const char *const names[] = {"micro", "macro", "harmonic"};
    Task task = {.name = (char *)"mine", .hash = 0x12ab};
    task.o.categories = (OptionList){FIELDS, fields, fields};
    task.o.headline = (OptionChoice){names[headline], (int)headline};
    return task;
}

static json_t *figures_from(const Task *task, const char *lines)
{
    char *folder = make_folder(), *path = write_file(folder, "mine.jsonl", lines);
    json_t *figures = figures_of(task, path);
    free(path);
    remove_folder(folder);
    return figures;
}

static json_t *figures_for(const Task *task, const Said *list, size_t count)
{
    Bytes lines = {0};
    for (size_t i = 0; i < count; i++)
        add_row(&lines, &list[i], "What?");
    json_t *figures = figures_from(task, lines.size == 0 ? "" : lines.data);
    if (figures == NULL)
        fail_msg("%s", error_text());
    bytes_free(&lines);
    return figures;
}

static double at(const json_t *figures, const char *path) // "strict.score"
{
    char copy[100];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok(copy, "."); part != NULL; part = strtok(NULL, "."))
        figures = json_object_get(figures, part);
    if (!json_is_number(figures))
        fail_msg("%s is no number", path);
    return json_number_value(figures);
}

static const Said ROWS[] = {{"a", "\"chemistry\"", "2", 0, 0, "rs"}, {"a", "\"chemistry\"", "2", 0, 1, "rs"},
                            {"b", "\"art\"", "1", 1, 0, "r"},        {"b", "\"art\"", "1", 1, 1, "s"},
                            {"c", "\"art\"", "null", 2, 0, "rnd"},   {"c", "\"art\"", "null", 2, 1, "nd"},
                            {"d", "\"art\"", "2", 3, 0, "l"},        {"d", "\"art\"", "2", 3, 1, "u"}};

static void a_tasks_figures_are_those_computed_by_hand(void **state)
{
    Task task = task_of(2, HEADLINE_MACRO);
    json_t *f = figures_for(&task, ROWS, 8);
    // shares: chemistry 1; art 1/2, 1/2, 0
    assert_near(at(f, "score"), (1 + 1.0 / 3) / 2, 1e-15);
    assert_near(at(f, "micro"), 0.5, 1e-15);
    assert_near(at(f, "macro"), (1 + 1.0 / 3) / 2, 1e-15);
    assert_near(at(f, "harmonic"), 2 / (1 / 1.01 + 1 / (1.0 / 3 + 0.01)), 1e-15);
    assert_near(at(f, "harmonic_unadjusted"), 2 / (1 + 3.0), 1e-15);
    assert_near(at(f, "strict.score"), (1 + 1.0 / 6) / 2, 1e-15);
    assert_true(at(f, "count") == 4 && at(f, "responses") == 8 && at(f, "samples") == 2);
    assert_near(at(f, "by_category.art.score"), 1.0 / 3, 1e-15);
    assert_near(at(f, "by_category.art.stderr"), sqrt(2 * 1.0 / 36 + 1.0 / 9) / 3, 1e-15);
    assert_near(at(f, "by_category.art.strict.score"), 1.0 / 6, 1e-15);
    assert_true(
        at(f, "by_category.art.count") == 3 &&
        json_is_null(json_object_get(json_object_get(json_object_get(f, "by_category"), "chemistry"), "stderr")));
    assert_near(at(f, "by_field.level.2.score"), 0.5, 1e-15); // a number's name is its digits
    assert_true(at(f, "by_field.level.(none).count") == 1);
    assert_near(at(f, "pass_at_k.1"), 0.5, 1e-15);
    assert_near(at(f, "pass_at_k.2"), 0.75, 1e-15);
    assert_true(json_object_size(json_object_get(f, "pass_at_k")) == 2);
    assert_true(at(f, "shares.cut_off") == 0.125 && at(f, "shares.without_answer") == 0.25 &&
                at(f, "shares.unreadable") == 0.125);
    assert_true(at(f, "drawn.count") == 2 && at(f, "drawn.share") == 0.25 && at(f, "drawn.right") == 0.5);
    assert_near(at(f, "drawn.by_chance"), 0.1, 1e-15);
    assert_true(at(f, "disagreements.count") == 3 && at(f, "disagreements.only_protocol") == 2 &&
                at(f, "disagreements.only_strict") == 1);
    assert_true(at(f, "response_tokens") == 10.5);
    assert_string_equal(json_string_value(json_object_get(f, "task_hash")), "00000000000012ab");
    const char *first = json_object_iter_key(json_object_iter(json_object_get(f, "by_category")));
    assert_string_equal(first, "art"); // sorted
    json_decref(f);
}

static void without_questions_a_score_is_null(void **state)
{
    Task task = task_of(2, HEADLINE_HARMONIC);
    json_t *f = figures_for(&task, NULL, 0);
    static const char *const nulls[] = {"score", "stderr", "interval", "micro", "macro", "harmonic", "response_tokens"};
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        assert_true(json_is_null(json_object_get(f, nulls[i])));
    assert_true(json_is_null(json_object_get(json_object_get(f, "strict"), "score")));
    assert_true(at(f, "count") == 0 && json_object_get(f, "pass_at_k") == NULL);
    Bytes table = {0};
    json_t *summary = json_pack("{so}", "mine", f);
    assert_ok(figures_table(&table, summary));
    assert_null(strstr(table.data, "nan"));
    bytes_free(&table);
    json_decref(summary);
}

static void a_task_without_categories_has_only_its_mean(void **state)
{
    Task task = task_of(0, HEADLINE_MICRO);
    const Said one[] = {{"a", "null", "null", 0, 0, "r"}, {"a", "null", "null", 4, 0, ""}}; // one id twice
    json_t *f = figures_for(&task, one, 2);
    assert_true(at(f, "score") == 0.5 && at(f, "count") == 2 && json_object_get(f, "macro") == NULL);
    assert_true(json_object_get(f, "by_category") == NULL && json_object_get(f, "pass_at_k") == NULL);
    assert_near(at(f, "stderr"), sqrt(0.25 / 2), 1e-15);
    json_decref(f);
}

// Wilson's interval by its definition: at its ends the share is 1.959964 standard errors of that end away.
static void assert_wilson(const json_t *figures, double share, double n)
{
    const json_t *interval = json_object_get(figures, "interval");
    for (size_t i = 0; i < 2; i++) {
        double end = json_number_value(json_array_get(interval, i)), error = sqrt(end * (1 - end) / n);
        if (share == (double)i) // none is right, or all are
            assert_true(end == (double)i);
        else
            assert_near(i == 0 ? share - end : end - share, 1.959964 * error, 1e-12);
    }
}

static void questions_that_are_all_alike_have_wilsons_interval(void **state)
{
    Task task = task_of(2, HEADLINE_MICRO);
    // a third each, in two categories, so that sums of thirds are rounded otherwise; one question has six samples
    static const Said thirds[] = {
        {"a", "\"x\"", "1", 0, 0, "r"}, {"a", "\"x\"", "1", 0, 1, ""},  {"a", "\"x\"", "1", 0, 2, ""},
        {"b", "\"y\"", "1", 1, 0, ""},  {"b", "\"y\"", "1", 1, 1, "r"}, {"b", "\"y\"", "1", 1, 2, ""},
        {"c", "\"y\"", "1", 2, 0, "r"}, {"c", "\"y\"", "1", 2, 1, "r"}, {"c", "\"y\"", "1", 2, 2, ""},
        {"c", "\"y\"", "1", 2, 3, ""},  {"c", "\"y\"", "1", 2, 4, ""},  {"c", "\"y\"", "1", 2, 5, ""}};
    static const Said alike[] = {{"a", "null", "null", 0, 0, "r"},
                                 {"b", "null", "null", 1, 0, "r"},
                                 {"a", "null", "null", 0, 0, ""},
                                 {"b", "null", "null", 1, 0, ""}};
    json_t *f = figures_for(&task, thirds, 12);
    assert_wilson(f, 1.0 / 3, 3);
    json_decref(f);
    assert_wilson(f = figures_for(&task, alike, 2), 1, 2);
    json_decref(f);
    assert_wilson(f = figures_for(&task, alike + 2, 2), 0, 2);
    json_decref(f);
    f = figures_for(&task, alike + 1, 1); // one question alone
    assert_wilson(f, 1, 1);
    json_decref(f);
}

static void rows_out_of_order_are_refused_with_their_line(void **state)
{
    Task task = task_of(2, HEADLINE_MICRO);
    static const struct {
        Said rows[3];
        const char *error;
    } cases[] = {
        {{{"a", "null", "null", 1, 0, ""}, {"b", "null", "null", 2, 0, ""}, {"a", "null", "null", 1, 1, ""}},
         "mine.jsonl:3: question 1 stands behind question 2"},
        {{{"a", "null", "null", 1, 0, ""}, {"a", "null", "null", 1, 2, ""}, {"a", "null", "null", 1, 2, ""}},
         "mine.jsonl:3: sample 2 of question 1 stands behind sample 2"},
        {{{"a", "null", "null", 1, 0, ""}, {"b", "true", "null", 2, 0, ""}, {"c", "null", "null", 3, 0, ""}},
         "mine.jsonl:2: key \"categories\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Bytes lines = {0};
        for (int r = 0; r < 3; r++)
            add_row(&lines, &cases[i].rows[r], "What?");
        assert_refused(figures_from(&task, lines.data) != NULL, cases[i].error);
        bytes_free(&lines);
    }
    assert_refused(figures_from(&task, "{\"id\": \"a\", \"question\": 0}\n") != NULL, "mine.jsonl:1: key \"right\"");
    assert_refused(figures_from(&task, "{\"id\": \"a\xff\"}\n") != NULL, "mine.jsonl:1");
}

static void the_table_shows_no_character_that_acts(void **state)
{
    Task task = task_of(2, HEADLINE_MICRO);
    Said rows[] = {ROWS[0], ROWS[2]};
    rows[0].category = "\"red \\u001b[31m\\u202e\"";
    json_t *f = figures_for(&task, rows, 2);
    json_object_set_new(f, "about",
                        json_pack("{sss[s]s{sisf}}", "model", "m\x1b[2J", "stop", "Question:\n", "sampling", "top_k",
                                  20, "temperature", 0.6));
    Bytes table = {0};
    json_t *summary = json_pack("{so}", "mine", f);
    assert_ok(figures_table(&table, summary));
    assert_null(strchr(table.data, '\x1b'));
    assert_non_null(strstr(table.data, "    red ?[31m?                         1    100.00% ±     - "));
    assert_non_null(strstr(table.data, "  stop: [\"Question:\\n\"]\n"));
    assert_non_null(strstr(table.data, "  sampling: top_k 20, temperature 0.6\n"));
    bytes_free(&table);
    json_decref(summary);
}

// ---- runs

typedef struct Laid { // a run on disk
    char *folder;
} Laid;

static Laid lay(const Task *task, const Said *list, size_t count, const char *asked)
{
    Laid run = {make_folder()};
    Bytes lines = {0};
    for (size_t i = 0; i < count; i++)
        add_row(&lines, &list[i], asked);
    char *path = write_file(run.folder, "mine.jsonl", lines.data);
    json_t *figures = figures_of(task, path);
    assert_non_null(figures);
    json_t *summary = json_pack("{so}", "mine", figures);
    char *where = path_join(run.folder, "summary.json");
    assert_ok(json_write_atomic(where, summary));
    json_decref(summary);
    bytes_free(&lines);
    free(path);
    free(where);
    return run;
}

static void runs_are_compared_on_the_questions_that_all_have(void **state)
{
    Task task = task_of(0, HEADLINE_MICRO);
    Said first[12], second[12];
    char ids[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(ids[i], sizeof ids[i], "q%d", i);
        first[i] = (Said){ids[i], "null", "null", i, 0, i == 10 ? "rs" : ""};
        second[i] = (Said){ids[i], "null", "null", i, 0, i < 9 ? "rs" : ""};
    }
    Laid a = lay(&task, first, 12, "Who?"), b = lay(&task, second, 11, "Who?"), c = lay(&task, first, 12, "Who?");
    Bytes out = {0};
    assert_ok(figures_compare(&out, (const char *[]){a.folder, b.folder, c.folder}, 3));
    assert_non_null(strstr(out.data, "mine: the runs differ on 10 of 11 questions\n"));
    assert_non_null(strstr(out.data, "  q8  Who?\n"));
    assert_null(strstr(out.data, "  q9  Who?\n"));
    assert_non_null(strstr(out.data, "mine: 11 questions that all have"));
    // nine to one: p = 2 (1 + 10) / 1024, twice that by Holm
    assert_non_null(strstr(out.data, "+72.73 ± 18.59"));
    assert_non_null(strstr(out.data, "0.0215   0.0430      9      1  significant\n"));
    assert_non_null(
        strstr(out.data, "+0.00 ±  0.00      +0.00 to +0.00   1.0000   1.0000      0      0  not significant\n"));
    bytes_free(&out);
    remove_folder(a.folder);
    remove_folder(b.folder);
    remove_folder(c.folder);
}

static void runs_of_another_task_or_other_data_are_refused(void **state)
{
    Task task = task_of(0, HEADLINE_MICRO), changed = task;
    changed.hash++;
    const Said rows[] = {{"a", "null", "null", 0, 0, "r"}};
    Laid a = lay(&task, rows, 1, "Who?"), text = lay(&changed, rows, 1, "Who?"), data = lay(&task, rows, 1, "Why?");
    Bytes out = {0};
    assert_refused(figures_compare(&out, (const char *[]){a.folder, text.folder}, 2), "another text");
    assert_refused(figures_compare(&out, (const char *[]){a.folder, data.folder}, 2), "question a is not the same");
    assert_refused(figures_compare(&out, (const char *[]){a.folder}, 1), "2 to 64 folders");
    char *path = write_file(text.folder, "summary.json", "{\"other\": {}}");
    assert_refused(figures_compare(&out, (const char *[]){a.folder, text.folder}, 2), "no task in common");
    free(path);
    bytes_free(&out);
    remove_folder(a.folder);
    remove_folder(text.folder);
    remove_folder(data.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_of_categories_of_different_sizes),
        cmocka_unit_test(a_category_without_a_right_answer_counts_as_a_point_in_the_harmonic_mean),
        cmocka_unit_test(the_figures_of_bbehs_paper_follow_from_its_table),
        cmocka_unit_test(nothing_has_no_spread_and_no_difference),
        cmocka_unit_test(the_error_of_a_mean_is_that_of_a_proportion),
        cmocka_unit_test(all_responses_to_a_question_stay_together),
        cmocka_unit_test(the_same_questions_are_drawn_for_both_runs),
        cmocka_unit_test(p_is_that_of_mcnemars_exact_test),
        cmocka_unit_test(p_of_several_responses_is_that_of_all_exchanges),
        cmocka_unit_test(random_exchanges_come_near_the_exact_p),
        cmocka_unit_test(equal_runs_do_not_differ),
        cmocka_unit_test(holm_multiplies_the_smallest_p_most),
        cmocka_unit_test(a_tasks_figures_are_those_computed_by_hand),
        cmocka_unit_test(without_questions_a_score_is_null),
        cmocka_unit_test(a_task_without_categories_has_only_its_mean),
        cmocka_unit_test(questions_that_are_all_alike_have_wilsons_interval),
        cmocka_unit_test(rows_out_of_order_are_refused_with_their_line),
        cmocka_unit_test(the_table_shows_no_character_that_acts),
        cmocka_unit_test(runs_are_compared_on_the_questions_that_all_have),
        cmocka_unit_test(runs_of_another_task_or_other_data_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
