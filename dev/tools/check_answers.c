// build/check_answers FILE.jsonl [--extract] [--explain]: what answers/verify.h says to pairs of answers, a line each. For trying it on
// answers of one's own, and for holding it against other checkers.
#include "base/json.h"
#include "data/lines.h"
#include "answers/verify.h"
#include <string.h>

static const char help[] =
    "usage: check_answers FILE.jsonl [--extract] [--explain]      (- is the standard input)\n"
    "\n"
    "Every line is an object {\"gold\": ..., \"prediction\": ...}, texts both. Where it has \"options\" too, it is multiple "
    "choice: a\n"
    "list of texts, which are A, B, C, ..., or an object {\"A\": text, ...}. For each line, one line, with tabs in between:\n"
    "\n"
    "  verdict     equal, different or unknown\n"
    "  reference   gold, as it was read; tabs and line ends are spaces here, and more than 255 bytes are cut\n"
    "  answer      what the prediction was taken to answer, likewise; empty: nothing\n"
    "\n"
    "--extract   the key is \"response\" instead of \"prediction\": a model's whole text\n"
    "--explain   two more columns behind the verdict:\n"
    "  kind        of the reference: none, number, quantity, expression, equation, list, set, matrix, choice, chemical, words or "
    "text\n"
    "  rule        that decided, in a few words\n"
    "\n"
    "Where lines also have \"expected\": true or false, the summary on stderr says how often that is agreed with.\n";

typedef struct Options {
    const char *path;
    bool extract, explain, help;
} Options;

typedef struct Summary {
    int64_t rows, verdicts[3], expected, agreed, false_equal, false_other;
} Summary;

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

static void print_column(const char *text)
{
    putchar('\t');
    for (; *text != 0; text++)
        putchar(strchr("\t\r\n", *text) != NULL ? ' ' : *text);
}

static bool print_finding(const Finding *f, bool explain)
{
    fputs(VERDICT_NAMES[f->verdict], stdout);
    if (explain) {
        print_column(ANSWER_KIND_NAMES[f->kind]);
        print_column(f->rule);
    }
    print_column(f->reference);
    print_column(f->answer);
    return putchar('\n') != EOF || fail_errno("writing to stdout");
}

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static bool check_row(Summary *s, const Options *options, const json_t *row, Text line, const char *where)
{
    const char *gold, *response;
    TRY(json_need_text(&gold, row, "gold", where));
    TRY(json_need_text(&response, row, options->extract ? "response" : "prediction", where));
    Finding f;
    verify_finding(&f, json_object_get(row, "options") != NULL ? line : (Text){NULL, 0}, span(gold), span(response));
    count_row(s, f.verdict, json_object_get(row, "expected"));
    return print_finding(&f, options->explain);
}

static bool check_lines(Summary *s, const Options *options, LineReader *lines)
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
        bool ok = row != NULL && check_row(s, options, row, (Text){text, size}, where);
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

// Options may stand before the file, or behind it.
static bool read_options(Options *o, int count, char **arguments)
{
    *o = (Options){.path = NULL};
    for (int i = 1; i < count; i++) {
        const char *a = arguments[i];
        if (strcmp(a, "--extract") == 0)
            o->extract = true;
        else if (strcmp(a, "--explain") == 0)
            o->explain = true;
        else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
            o->help = true;
        else if (a[0] == '-' && a[1] != 0)
            return fail("%s: no such option", a);
        else if (o->path != NULL)
            return fail("%s: one file at a time, and %s is one", a, o->path);
        else
            o->path = a;
    }
    return o->help || o->path != NULL || fail("which file?");
}

int main(int count, char **arguments)
{
    Options options;
    if (!read_options(&options, count, arguments)) {
        fprintf(stderr, "check_answers: %s\n\n%s", error_text(), help);
        return 2;
    }
    if (options.help)
        return fputs(help, stdout) == EOF;
    LineReader lines;
    Summary summary = {0};
    bool ok = lines_open(&lines, options.path);
    if (ok) {
        ok = check_lines(&summary, &options, &lines);
        lines_close(&lines);
    }
    if (ok)
        print_summary(&summary);
    else
        fprintf(stderr, "check_answers: %s\n", error_text());
    return ok ? 0 : 1;
}
