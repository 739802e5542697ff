// build/verify_bench ROWS.jsonl...: how fast answers are compared (answers/verify.h), and what becomes of pairs of different ones. The rows
// have an "answer": MATH's, say. Pairs are drawn from all answers that are spelled differently; plain numbers are 1 to 5 digits. A measurement,
// not a test: what must be equal is in test/unit/test_verify.c.
#include "base/json.h"
#include "data/lines.h"
#include "answers/verify.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAIRS = 300000 };

typedef struct Answers {
    char **texts; // (count)
    size_t count, capacity;
} Answers;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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
             grow(&a->texts, &a->capacity, a->count + 1, sizeof *a->texts) && (a->texts[a->count] = copy_text(answer)) != NULL;
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
    double start = seconds();
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
    double taken = seconds() - start;
    printf("%" PRId64 " pairs of different spelling: %" PRId64 " equal, %" PRId64 " different, %" PRId64
           " unknown; %.0f comparisons/s\n",
           pairs, verdicts[VERDICT_EQUAL], verdicts[VERDICT_DIFFERENT], verdicts[VERDICT_UNKNOWN], (double)pairs / taken);
}

static void compare_numbers(void)
{
    char x[16], y[16];
    int64_t equal = 0;
    double start = seconds();
    for (uint32_t i = 0; i < PAIRS; i++) {
        snprintf(x, sizeof x, "%u", i * 7919 % 99991);
        snprintf(y, sizeof y, "%u", i * 104729 % 99991);
        equal += verify(text(x), text(y)) == VERDICT_EQUAL;
    }
    printf("%d pairs of plain numbers: %" PRId64 " equal; %.0f comparisons/s\n", PAIRS, equal, PAIRS / (seconds() - start));
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
        compare_numbers();
    } else
        fprintf(stderr, "verify_bench: %s\n", error_text());
    for (size_t i = 0; i < a.count; i++)
        free(a.texts[i]);
    free(a.texts);
    return ok ? 0 : 1;
}
