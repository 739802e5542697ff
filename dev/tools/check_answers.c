// build/check_answers FILE...: the verdicts of answers/verify.h on pairs of answers, a line each; and how good the
// responses are that ./generate and train_rl have written (evaluation/attempts.h). For trying the checker on your own
// answers, comparing it with other checkers, and for evaluations.
#include "evaluation/attempts.h"
#include "json/json.h"
#include "rows/lines.h"
#include "rows/records.h"
#include "system/start.h"
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: check_answers FILE.jsonl... [--extract] [--explain]      (- is the standard input)\n"
    "\n"
    "Pairs: every line is an object {\"gold\": ..., \"prediction\": ...}, the second a text. With \"options\" too\n"
    "(or \"choices\") it is multiple choice: a list of texts, which are A, B, C, ..., or an object\n"
    "{\"A\": text, ...}; gold is a letter or a text, or else \"answer_index\" is the index of the right one, from 0.\n"
    "The output has one line for each line, with tabs in between:\n"
    "\n"
    "  verdict     equal, different or unknown\n"
    "  reference   gold, as it was read; tabs and line ends are spaces here, and more than 255 bytes are cut\n"
    "  answer      the answer found in the prediction, likewise; empty: none\n"
    "\n"
    "--extract   the key is \"response\" instead of \"prediction\": a model's whole text\n"
    "--explain   two more columns after the verdict:\n"
    "  kind        of the reference: none, number, quantity, expression, equation, list, set, matrix, choice,\n"
    "              chemical, words or text\n"
    "  rule        that decided, in a few words\n"
    "\n"
    "Where lines also have \"expected\": true or false, the summary on stderr says how often they agree.\n"
    "\n"
    "Responses: lines that ./generate has written, of rows with an answer, or train_rl (rollouts/step-N.jsonl,\n"
    "evaluations/step-N.jsonl), are recognised by their fields. The output is a table: avg@n with its standard\n"
    "error, pass@k, maj@n, for all and by source, category and difficulty. With --explain there is a line for each\n"
    "response, too, and the table goes to stderr.\n";

typedef struct CheckOptions {
    const char **paths; // (count)
    size_t count;
    bool extract, explain, help;
} CheckOptions;

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

static bool check_response(Attempts *attempts, const CheckOptions *options, const AttemptLine *line)
{
    Finding f;
    bool judged;
    return attempts_add(attempts, line, &f, &judged) && (!judged || !options->explain || print_finding(&f, true));
}

static bool check_pair(Summary *s, const CheckOptions *options, const AttemptLine *line, const char *where)
{
    static const RecordOptions pair = {.pair = true};
    static const char *const all[] = {NULL};
    const char *response;
    Record record;
    Bytes row = {0};
    TRY(json_need_text(&response, line->row, options->extract ? "response" : "prediction", where));
    TRY(record_read(&record, line->text.data, line->text.size, line->file, line->number, &pair));
    bool ok = record_append(&row, &record, all) && bytes_text(&row, "}");
    if (ok) {
        Finding f;
        verify_finding(&f, (Text){row.data, row.size}, span(record.answer == NULL ? "" : record.answer),
                       span(response));
        count_row(s, f.verdict, json_object_get(line->row, "expected"));
        ok = print_finding(&f, options->explain);
    }
    bytes_free(&row);
    record_free(&record);
    return ok;
}

static bool check_lines(Summary *s, Attempts *attempts, const CheckOptions *options, LineReader *lines)
{
    const char *text;
    size_t size;
    for (;;) {
        TRY(lines_next(lines, &text, &size));
        if (text == NULL)
            return true;
        char where[512];
        snprintf(where, sizeof where, "%s:%" PRId64, lines->path, lines->line);
        json_t *row = json_parse(text, size, where);
        const AttemptLine line = {row, {text, size}, lines->path, lines->line};
        bool ok = row != NULL && (attempts_know(row) ? check_response(attempts, options, &line)
                                                     : check_pair(s, options, &line, where));
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
                s->agreed, s->expected, 100.0 * (double)s->agreed / (double)s->expected, s->false_equal,
                s->false_other);
}

static bool check_file(Summary *s, Attempts *attempts, const CheckOptions *options, const char *path)
{
    LineReader lines;
    TRY(lines_open(&lines, path));
    bool ok = check_lines(s, attempts, options, &lines);
    lines_close(&lines);
    return ok;
}

static bool print_table(const CheckOptions *options, const Attempts *attempts)
{
    Bytes table = {0};
    bool ok = attempts_table(&table, attempts);
    if (ok)
        fwrite(table.data, 1, table.size, options->explain ? stderr : stdout);
    bytes_free(&table);
    return ok;
}

static bool check(const CheckOptions *options)
{
    Summary summary = {0};
    Attempts attempts = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < options->count; i++)
        ok = check_file(&summary, &attempts, options, options->paths[i]);
    ok = ok && (attempts.responses == 0 || print_table(options, &attempts));
    ok = ok && (fflush(stdout) == 0 || fail_errno("writing to stdout"));
    if (ok && (summary.rows > 0 || attempts.responses == 0))
        print_summary(&summary);
    attempts_free(&attempts);
    return ok;
}

// CheckOptions may come before the files, or after them.
static bool read_options(CheckOptions *o, int count, char **arguments)
{
    *o = (CheckOptions){.paths = allocate((size_t)count + 1, sizeof *o->paths)};
    TRY(o->paths != NULL);
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
        else
            o->paths[o->count++] = a;
    }
    return o->help || o->count > 0 || fail("which file?");
}

int main(int count, char **arguments)
{
    program_start();
    CheckOptions options;
    int status = 0;
    if (!read_options(&options, count, arguments)) {
        fprintf(stderr, "check_answers: %s\n\n%s", error_text(), help);
        status = 2;
    } else if (options.help) {
        status = fputs(help, stdout) == EOF;
    } else if (!check(&options)) {
        fprintf(stderr, "check_answers: %s\n", error_text());
        status = 1;
    }
    free(options.paths);
    return status;
}
