// build/verify_bench ROWS.jsonl...: how many answers one core compares in a second (answers/verify.h), and what becomes
// of pairs of different ones. The rows have an "answer": MATH's, say. Pairs are drawn from all answers that are spelled
// differently, and those that are called equal are printed, for a person to read. Plain numbers are 1 to 5 digits;
// physics is formulas and quantities; multiple choice has ten options. A measurement, not a test: what must be equal is
// in test/unit/test_verify.c.
#include "answers/verify.h"
#include "json/json.h"
#include "rows/lines.h"
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 300000 };

typedef struct Answers {
    char **texts; // (count)
    size_t count, capacity;
} Answers;

static bool read_answers(Answers *a, const char *path)
{
    LineReader lines;
    const char *text, *answer;
    size_t size;
    TRY(lines_open(&lines, path));
    bool ok;
    while ((ok = lines_next(&lines, &text, &size)) && text != NULL) {
        json_t *row = json_parse(text, size, path);
        ok = row != NULL && json_need_text(&answer, row, "answer", path) &&
             grow(&a->texts, &a->capacity, a->count + 1, sizeof *a->texts) &&
             (a->texts[a->count] = copy_text(answer)) != NULL;
        a->count += ok;
        json_decref(row);
        if (!ok)
            break;
    }
    lines_close(&lines);
    return ok;
}

static Text text(const char *s) { return (Text){s, strlen(s)}; }

static void compare_pairs(const Answers *a)
{
    int64_t verdicts[3] = {0}, pairs = 0;
    double start = clock_seconds();
    for (uint32_t i = 0; i < PAIRS; i++) {
        Philox draw = random_bits(1, RANDOM_DEMO, i, 0, 0);
        const char *x = a->texts[draw.v[0] % a->count], *y = a->texts[draw.v[1] % a->count];
        if (strcmp(x, y) == 0)
            continue;
        Verdict v = verify(text(x), text(y));
        verdicts[v]++;
        pairs++;
        if (v == VERDICT_EQUAL)
            printf("  equal: %s and %s\n", x, y);
    }
    double taken = clock_seconds() - start;
    printf("%" PRId64 " pairs of different spelling: %" PRId64 " equal, %" PRId64 " different, %" PRId64
           " unknown; %.0f comparisons/s\n",
           pairs, verdicts[VERDICT_EQUAL], verdicts[VERDICT_DIFFERENT], verdicts[VERDICT_UNKNOWN],
           (double)pairs / taken);
}

// ---- pairs made up

typedef struct Pair {
    char row[512], reference[128], response[128]; // row: "" where it is no choice
} Pair;

static uint32_t digits_of(uint32_t i, uint32_t factor) { return i * factor % 99991; }

static void make_numbers(Pair *p, uint32_t i)
{
    snprintf(p->reference, sizeof p->reference, "%u", digits_of(i, 7919));
    snprintf(p->response, sizeof p->response, "%u", digits_of(i, i % 2 == 0 ? 7919 : 104729));
}

// A formula or quantity as a solution has it, and the same one, or one that is not, as people answer; every other pair
// is equal.
static void make_physics(Pair *p, uint32_t i)
{
    static const char *const pairs[][3] = {
        // reference, equal, different; u a number from 2 to 41
        {"\\frac{1}{2} m v^2 + %u", "0.5 m v^2 + %u", "\\frac{1}{2} m v^3 + %u"},
        {"%u.8 \\text{ m/s}^2", "%u.8 m/s^2", "%u.8 \\text{ m/s}"},
        {"\\sqrt{\\frac{%u E}{m}}", "\\sqrt{%u E/m}", "\\sqrt{\\frac{%u m}{E}}"},
        {"%u.02 \\times 10^{23}", "%u.02e23", "%u.02e22"},
        {"\\frac{%u G M m}{r^2}", "%u G m M r^{-2}", "\\frac{%u G M m}{r}"},
        {"%u \\, \\text{kJ/mol}", "%u000 J/mol", "%u J/mol"},
        {"E = %u h \\nu", "E = h \\nu \\cdot %u", "E = %u h / \\nu"},
        {"v_0 t - \\frac{%u}{2} g t^2", "t(v_0 - \\frac{%u g t}{2})", "v_0 t + \\frac{%u}{2} g t^2"},
        {"\\frac{\\mu_0 I}{%u \\pi r}", "\\mu_0 I/(%u \\pi r)", "\\frac{\\mu_0 I}{%u \\pi r^2}"},
        {"%u \\hbar \\omega", "\\hbar\\omega(%u)", "%u \\hbar \\omega^2"},
        {"A e^{-%u t/\\tau}", "A\\exp(-%u t/\\tau)", "A e^{%u t/\\tau}"},
        {"%u\\ \\mathrm{km}", "%u000 m", "%u m"},
    };
    enum { COUNT = sizeof pairs / sizeof *pairs };
    uint32_t u = 2 + i / COUNT % 40;
    const char *const *texts = pairs[i % COUNT];
    snprintf(p->reference, sizeof p->reference, texts[0], u);
    snprintf(p->response, sizeof p->response, texts[1 + i / COUNT % 2], u);
}

// Ten options; every other answer is right, by its letter, its text or both.
static void make_choices(Pair *p, uint32_t i)
{
    static const char *const responses[] = {"The answer is (%s).%.0s", "\\boxed{%s}%.0s", "%.0s\\boxed{%s}", "%s. %s"};
    size_t n = (size_t)snprintf(p->row, sizeof p->row, "{\"options\": [");
    for (uint32_t k = 0; k < 10; k++)
        n += (size_t)snprintf(p->row + n, sizeof p->row - n, "%s\"%u kg of water\"", k == 0 ? "" : ", ",
                              10 * (i % 50) + k + 1);
    snprintf(p->row + n, sizeof p->row - n, "]}");
    uint32_t right = i % 10, given = i % 2 == 0 ? right : (right + 3) % 10;
    snprintf(p->reference, sizeof p->reference, "%c", 'A' + right);
    char letter[2] = {(char)('A' + given), 0}, said[32];
    snprintf(said, sizeof said, "%u kg of water", 10 * (i % 50) + given + 1);
    snprintf(p->response, sizeof p->response, responses[i / 2 % 4], letter, said);
}

static void compare_made(const char *what, void (*make)(Pair *p, uint32_t i), int goal) // goal: 0: none
{
    enum { KEPT = 4096 }; // made before the clock starts
    static Pair pairs[KEPT];
    int64_t verdicts[3] = {0};
    for (uint32_t i = 0; i < KEPT; i++)
        make(&pairs[i], i);
    double start = clock_seconds();
    for (uint32_t i = 0; i < PAIRS; i++) {
        const Pair *p = &pairs[i % KEPT];
        Finding f;
        verify_finding(&f, p->row[0] == 0 ? (Text){NULL, 0} : text(p->row), text(p->reference), text(p->response));
        verdicts[f.verdict]++;
    }
    double rate = PAIRS / (clock_seconds() - start);
    printf("%d pairs of %s: %" PRId64 " equal, %" PRId64 " different, %" PRId64 " unknown; %.0f comparisons/s", PAIRS,
           what, verdicts[VERDICT_EQUAL], verdicts[VERDICT_DIFFERENT], verdicts[VERDICT_UNKNOWN], rate);
    if (goal > 0)
        printf(" (goal: %d)", goal);
    putchar('\n');
}

int main(int count, char **arguments)
{
    Answers a = {0};
    bool ok = count > 1 || fail("usage: verify_bench ROWS.jsonl...");
    for (int i = 1; ok && i < count; i++)
        ok = read_answers(&a, arguments[i]);
    ok = ok && (a.count > 1 || fail("%s: fewer than two answers", arguments[1]));
    if (ok) {
        compare_pairs(&a);
        compare_made("plain numbers", make_numbers, 100000);
        compare_made("physics", make_physics, 20000);
        compare_made("multiple choice", make_choices, 0);
    } else
        fprintf(stderr, "verify_bench: %s\n", error_text());
    for (size_t i = 0; i < a.count; i++)
        free(a.texts[i]);
    free(a.texts);
    return ok ? 0 : 1;
}
