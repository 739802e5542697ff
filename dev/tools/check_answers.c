// build/check_answers FILE.jsonl [--extract]: what answers/verify.h says to pairs of answers, a line each. For trying it on answers of one's
// own, and for holding it against other checkers.
#include "base/json.h"
#include "data/lines.h"
#include "answers/verify.h"
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: check_answers FILE.jsonl [--extract]      (- is the standard input)\n"
    "\n"
    "Every line is an object {\"gold\": ..., \"prediction\": ...}, texts both. For each, one line: equal, different or unknown, "
    "then,\n"
    "behind tabs, the two answers as they were understood. --extract: the key is \"response\", a model's whole text.\n"
    "Where lines also have \"expected\": true or false, the summary on stderr says how often that is agreed with.\n";

enum { ANSWER_BYTES = 8192 };

typedef struct Summary {
    int64_t rows, verdicts[3], expected, agreed, false_equal, false_other;
} Summary;

static const char *const names[] = {[VERDICT_UNKNOWN] = "unknown", [VERDICT_DIFFERENT] = "different", [VERDICT_EQUAL] = "equal"};

static void count_row(Summary *s, Verdict v, const json_t *expected)
{
    s->rows++;
    s->verdicts[v]++;
    if (!json_is_boolean(expected))
        return;
    bool wanted = json_is_true(expected), equal = v == VERDICT_EQUAL;
    s->expected++;
    s->agreed += wanted == equal;
    s->false_equal += equal && !wanted;
    s->false_other += !equal && wanted;
}

static void print_answer(Text s)
{
    putchar('\t');
    for (size_t i = 0; i < s.size; i++)
        putchar(strchr("\t\r\n", s.data[i]) != NULL ? ' ' : s.data[i]);
}

static bool check_row(Summary *s, const json_t *row, const char *key, const char *where)
{
    const char *gold, *prediction;
    TRY(json_need_text(&gold, row, "gold", where) && json_need_text(&prediction, row, key, where));
    Text g = {gold, strlen(gold)}, p = {prediction, strlen(prediction)};
    Verdict v = verify(g, p);
    count_row(s, v, json_object_get(row, "expected"));
    char text[ANSWER_BYTES];
    fputs(names[v], stdout);
    print_answer(response_answer(g, text, sizeof text));
    print_answer(response_answer(p, text, sizeof text));
    return putchar('\n') != EOF || fail_errno("writing to stdout");
}

static bool check_lines(Summary *s, LineReader *lines, const char *key)
{
    const char *text;
    size_t size;
    for (;;) {
        TRY(lines_next(lines, &text, &size));
        if (text == NULL)
            return fflush(stdout) == 0 || fail_errno("writing to stdout");
        char where[512];
        snprintf(where, sizeof where, "%s:%" PRId64, lines->path, lines->line);
        json_t *row = json_parse(text, size, where);
        bool ok = row != NULL && check_row(s, row, key, where);
        json_decref(row);
        TRY(ok);
    }
}

static void print_summary(const Summary *s)
{
    fprintf(stderr, "%" PRId64 " pairs: %" PRId64 " equal, %" PRId64 " different, %" PRId64 " unknown\n", s->rows,
            s->verdicts[VERDICT_EQUAL], s->verdicts[VERDICT_DIFFERENT], s->verdicts[VERDICT_UNKNOWN]);
    if (s->expected > 0)
        fprintf(stderr,
                "as expected: %" PRId64 " of %" PRId64 " (%.1f%%); equal and should not be: %" PRId64
                ", not equal and should be: %" PRId64 "\n",
                s->agreed, s->expected, 100.0 * (double)s->agreed / (double)s->expected, s->false_equal, s->false_other);
}

int main(int count, char **arguments)
{
    bool extract = count == 3 && strcmp(arguments[2], "--extract") == 0;
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if ((count != 2 && !extract) || (arguments[1][0] == '-' && arguments[1][1] != 0)) {
        fputs(help, stderr);
        return 2;
    }
    LineReader lines;
    Summary summary = {0};
    bool ok = lines_open(&lines, arguments[1]);
    if (ok) {
        ok = check_lines(&summary, &lines, extract ? "response" : "prediction");
        lines_close(&lines);
    }
    if (ok)
        print_summary(&summary);
    else
        fprintf(stderr, "check_answers: %s\n", error_text());
    return ok ? 0 : 1;
}
