// The page of a run: what it holds is what TASK.jsonl holds, whatever that is, and its script finds it again. The
// script runs where there is node (test/support/page_dom.js).
#include "figures/page.h"
#include "log/visible.h"
#include "system/files.h"
#include "test/support/unpacked.h"
#include <unistd.h>

// What would end a script element, begin a comment in one, be taken for markup, or act when it is shown.
#define HOSTILE                                                                                                        \
    "</script><script>alert(1)</script><!-- <script> --> ]]> &lt; <img src=x onerror=alert(2)> \xe2\x80\xa8 "          \
    "\xe2\x80\xae "                                                                                                    \
    "\x7f \xc2\x85 \xef\xbb\xbf \xf0\x9f\x98\x80 \\u003c \\\\ 'q' \"q\" ${x} `y`"

typedef struct Laid { // a run
    char *folder, *page;
    json_t *summary;
    Bytes html;
} Laid;

static json_t *row_of(const char *task, int question, int sample, const char *text, bool right, bool strict)
{
    char id[16];
    snprintf(id, sizeof id, "q%d", question);
    json_t *row = json_pack("{sssssisisss[ss]s[s]ssssssssssss}", "task", task, "id", id, "question", question, "sample",
                            sample, "asked", text, "options", "iron", text, "categories", question % 2 ? "odd" : "even",
                            "reference", "B", "text", text, "finish_reason", question == 3 ? "length" : "stop",
                            "extracted", text, "letter", "A", "rule", text);
    static const char *const flags[] = {"right", "strict", "found", "readable", "drawn"};
    const bool values[] = {right, strict, question != 4, question != 4, question == 4};
    for (int i = 0; i < 5; i++)
        json_object_set_new(row, flags[i], json_boolean(values[i]));
    json_object_set_new(row, "by_chance", json_real(question == 4 ? 0.1 : 0));
    json_object_set_new(row, "judge", json_pack("{ss}", "said", text)); // a field that the page does not know
    return row;
}

static void write_rows(const Laid *run, const char *task, json_t *rows) // takes them
{
    Bytes lines = {0}, name = {0};
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char *text = json_dumps(row, JSON_COMPACT);
        assert_ok(bytes_printf(&lines, "%s\n", text));
        free(text);
    }
    assert_ok(bytes_printf(&name, "%s.jsonl", task));
    char *path = path_join(run->folder, name.data);
    assert_ok(file_write_atomic(path, lines.size == 0 ? "" : lines.data, lines.size));
    free(path);
    bytes_free(&lines);
    bytes_free(&name);
    json_decref(rows);
}

static json_t *rows_of(const char *task, int questions, const char *text)
{
    json_t *rows = json_array();
    for (int q = 0; q < questions; q++)
        json_array_append_new(rows, row_of(task, q, 0, text, q % 3 == 0, q % 3 == 0 || q == 1));
    return rows;
}

static Laid lay(const char *task, json_t *rows)
{
    Laid run = {0};
    assert_ok(folder_temporary(&run.folder, "page"));
    run.page = path_join(run.folder, "index.html");
    Bytes text = {0};
    assert_ok(bytes_printf(&text,
                           "{\"%s\": {\"score\": 0.5, \"stderr\": 0.1, \"count\": 4, \"interval\": [0.25, 0.75], "
                           "\"strict\": {\"score\": 0.4, \"stderr\": 0.2}, \"fields\": [\"parity\"], \"by_category\": "
                           "{\"<b>odd</b>\": {\"score\": 0.3, \"stderr\": 0.1, \"count\": 2}}, \"shares\": "
                           "{\"cut_off\": 0.125}, \"about\": {\"stop\": \"</style><b>\\u001b[1m\"}}}",
                           task));
    run.summary = json_parse(text.data, text.size, "summary");
    bytes_free(&text);
    assert_non_null(run.summary);
    write_rows(&run, task, rows);
    return run;
}

static void make_page(Laid *run)
{
    assert_ok(page_write(run->page, run->summary, run->folder));
    assert_ok(file_read(&run->html, run->page, (size_t)1 << 30));
}

static void close_run(Laid *run)
{
    assert_ok(folder_remove(run->folder));
    free(run->folder);
    free(run->page);
    bytes_free(&run->html);
    json_decref(run->summary);
}

static size_t occurrences(const char *text, const char *what)
{
    size_t count = 0;
    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        count++;
    }
    return count;
}

static json_t *rows_in(const Laid *run, size_t *chunks) { return unpacked(run->html.data, "rows", chunks); }

static void every_row_is_in_the_page_as_it_was(void **state)
{
    json_t *rows = rows_of("mine", 7, HOSTILE);
    json_object_set_new(json_array_get(rows, 6), "text", json_stringn("a\0b", 3));
    Laid run = lay("mine", json_incref(rows));
    make_page(&run);
    size_t chunks;
    json_t *there = rows_in(&run, &chunks);
    assert_true(json_equal(rows, there) && chunks == 1);
    json_decref(there);
    json_decref(rows);
    close_run(&run);
}

static void no_text_of_data_or_models_is_markup(void **state)
{
    Laid plain = lay("mine", rows_of("mine", 7, "plain")), hostile = lay("mine", rows_of("mine", 7, HOSTILE));
    make_page(&plain);
    make_page(&hostile);
    // the same elements in both: the meta data, rows, their index and the script
    assert_true(occurrences(hostile.html.data, "</script") == 4 && occurrences(hostile.html.data, "<script") == 4);
    assert_true(occurrences(plain.html.data, "<") == occurrences(hostile.html.data, "<"));
    assert_true(occurrences(hostile.html.data, "<!--") == 0 && occurrences(hostile.html.data, "<img") == 0);
    assert_non_null(strstr(hostile.html.data, "&#60;b&#62;odd&#60;/b&#62;"));
    assert_non_null(strstr(hostile.html.data, "&#60;/style&#62;&#60;b&#62;\\u{001B}[1m"));
    close_run(&plain);
    close_run(&hostile);
}

static void the_page_fetches_nothing(void **state)
{
    Laid run = lay("mine", rows_of("mine", 2, "plain"));
    make_page(&run);
    static const char *const fetching[] = {"http:", "https:", "src=",      "href=",  "@import",
                                           "url(",  "fetch(", "innerHTML", "import("};
    for (size_t i = 0; i < sizeof fetching / sizeof fetching[0]; i++)
        assert_null(strstr(run.html.data, fetching[i]));
    assert_non_null(strstr(run.html.data, "default-src 'none'"));
    assert_true(strncmp(run.html.data, PAGE_BEGINNING, strlen(PAGE_BEGINNING)) == 0);
    assert_true(utf8_valid_prefix(run.html.data, run.html.size) == run.html.size);
    close_run(&run);
}

static void long_responses_are_in_chunks(void **state)
{
    char *text = allocate(100001, 1);
    memset(text, 'x', 100000);
    json_t *rows = rows_of("mine", 20, text);
    Laid run = lay("mine", json_incref(rows));
    make_page(&run);
    size_t chunks;
    json_t *there = rows_in(&run, &chunks);
    assert_true(json_equal(rows, there));
    assert_true(chunks > 5); // 20 rows with five such texts each, in chunks of half a megabyte
    json_decref(there);
    json_decref(rows);
    free(text);
    close_run(&run);
}

static void a_broken_row_leaves_the_old_page(void **state)
{
    Laid run = lay("mine", rows_of("mine", 3, "plain"));
    make_page(&run);
    char *path = path_join(run.folder, "mine.jsonl");
    assert_ok(file_write_atomic(path, "{\"id\": \"a\xff\"}\n", 13));
    assert_refused(page_write(run.page, run.summary, run.folder), "mine.jsonl:1");
    assert_ok(file_write_atomic(path, "{\"id\": 3}\n", 10));
    assert_refused(page_write(run.page, run.summary, run.folder), "mine.jsonl:1");
    assert_ok(unlink(path) == 0);
    assert_refused(page_write(run.page, run.summary, run.folder), "mine.jsonl");
    Bytes now = {0};
    assert_ok(file_read(&now, run.page, (size_t)1 << 30));
    assert_true(now.size == run.html.size && memcmp(now.data, run.html.data, now.size) == 0);
    bytes_free(&now);
    free(path);
    close_run(&run);
}

// ---- the script

// Runs commands on the page; answers as a list. NULL: there is no node.
static json_t *run_script(const Laid *run, const char *commands)
{
    if (system("command -v node >/dev/null 2>&1") != 0)
        return NULL;
    char *in = path_join(run->folder, "commands"), *out = path_join(run->folder, "answers"), command[2000];
    assert_ok(file_write_atomic(in, commands, strlen(commands)));
    snprintf(command, sizeof command, "node test/support/page_dom.js '%s' <'%s' >'%s'", run->page, in, out);
    assert_true(system(command) == 0);
    Bytes text = {0};
    assert_ok(file_read(&text, out, (size_t)1 << 24));
    json_t *answers = json_array();
    for (char *line = strtok(text.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *answer = json_parse(line, strlen(line), "answer");
        assert_non_null(answer);
        json_array_append_new(answers, answer);
    }
    bytes_free(&text);
    free(in);
    free(out);
    return answers;
}

static const char *status_of(const json_t *answers, size_t i)
{
    return json_string_value(json_object_get(json_array_get(answers, i), "status"));
}

static const char *title_of(const json_t *answers, size_t i, size_t place)
{
    return json_string_value(json_array_get(json_object_get(json_array_get(answers, i), "titles"), place));
}

static void filters_show_what_they_say(void **state)
{
    json_t *rows = rows_of("mine", 6, "plain");
    json_object_set_new(json_array_get(rows, 5), "text", json_string("Where is the NEEDLE?"));
    Laid run = lay("mine", rows);
    make_page(&run);
    json_t *answers = run_script(&run, "list\nset right right\nset right wrong\nset strict true\nset strict false\n"
                                       "set right \nset cut_off true\nset cut_off false\nset no_answer true\n"
                                       "set drawn true\nset no_answer false\nset drawn false\nset category 1\n"
                                       "set search needle\nset category 0\nset task other\nchoices\n");
    if (answers != NULL) { // right: 0 and 3; strictly also 1; cut off: 3; drawn: 4
        static const char *const wanted[] = {
            "6 of 6 responses", "2 of 6 responses", "4 of 6 responses", "1 of 6 responses",
            "4 of 6 responses", "6 of 6 responses", "1 of 6 responses", "6 of 6 responses",
            "1 of 6 responses", "1 of 6 responses", "1 of 6 responses", "6 of 6 responses",
            "3 of 6 responses", "1 of 6 responses", "0 of 6 responses", "0 of 6 responses"};
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            assert_string_equal(status_of(answers, i), wanted[i]);
        assert_string_equal(title_of(answers, 0, 0), "✓ rightmine q0plain");
        assert_string_equal(title_of(answers, 3, 0), "✗ wrongstrictly rightmine q1plain");
        assert_string_equal(title_of(answers, 6, 0), "✓ rightcut offmine q3plain");
        assert_string_equal(title_of(answers, 13, 0), "✗ wrongmine q5plain");
        json_t *choices = json_array_get(answers, 16);
        assert_string_equal(json_string_value(json_array_get(choices, 0)), "mine · parity: even");
        assert_string_equal(json_string_value(json_array_get(choices, 1)), "mine · parity: odd");
    }
    bool skipped = answers == NULL;
    json_decref(answers);
    close_run(&run);
    if (skipped)
        skip();
}

static void a_response_is_shown_as_text(void **state)
{
    Laid run = lay("mine", rows_of("mine", 3, HOSTILE));
    make_page(&run);
    json_t *answers = run_script(&run, "open 1\n");
    if (answers != NULL) {
        const json_t *parts = json_array_get(answers, 0);
        // the question, and the response: hidden characters as numbers, all else as it is
        static const char shown[] =
            "</script><script>alert(1)</script><!-- <script> --> ]]> &lt; <img src=x "
            "onerror=alert(2)> \\u{2028} \\u{202E} \\u{007F} \\u{0085} \\u{FEFF} \xf0\x9f\x98\x80 "
            "\\u003c \\\\ 'q' \"q\" ${x} `y`";
        assert_string_equal(json_string_value(json_array_get(parts, 1)), shown);
        assert_string_equal(json_string_value(json_array_get(parts, 4)), shown);
        const char *options = json_string_value(json_array_get(parts, 2)),
                   *facts = json_string_value(json_array_get(parts, 6));
        assert_true(strncmp(options, "A. iron  ← counted as its answerB. <", 30) == 0);
        assert_non_null(strstr(options, "`y`  ← the reference"));
        assert_non_null(strstr(facts, "by the protocolwrongstrictlyright: <"));
        assert_non_null(strstr(facts, "judge{\"said\":"));
    }
    bool skipped = answers == NULL;
    json_decref(answers);
    close_run(&run);
    if (skipped)
        skip();
}

static void many_responses_are_turned_over_by_the_hundred(void **state)
{
    Laid run = lay("mine", rows_of("mine", 250, "plain"));
    make_page(&run);
    json_t *answers = run_script(&run, "list\nclick after\nclick after\nclick before\nset right right\n");
    if (answers != NULL) {
        assert_string_equal(status_of(answers, 0), "250 of 250 responses, 1 to 100");
        assert_string_equal(status_of(answers, 1), "250 of 250 responses, 101 to 200");
        assert_string_equal(status_of(answers, 2), "250 of 250 responses, 201 to 250");
        assert_string_equal(title_of(answers, 3, 0), "✗ wrongmine q100plain");
        assert_string_equal(status_of(answers, 4), "84 of 250 responses");
    }
    bool skipped = answers == NULL;
    json_decref(answers);
    close_run(&run);
    if (skipped)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_in_the_page_as_it_was),
        cmocka_unit_test(no_text_of_data_or_models_is_markup),
        cmocka_unit_test(the_page_fetches_nothing),
        cmocka_unit_test(long_responses_are_in_chunks),
        cmocka_unit_test(a_broken_row_leaves_the_old_page),
        cmocka_unit_test(filters_show_what_they_say),
        cmocka_unit_test(a_response_is_shown_as_text),
        cmocka_unit_test(many_responses_are_turned_over_by_the_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
