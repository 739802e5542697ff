// Results on their way: what is taken for an earlier run's, and what is said when a signal ends a program.
#include "rows/journal.h"
#include "system/files.h"
#include "test/support/check.h"
#include <stdlib.h>
#include <string.h>

static char *told(const Journal *journal)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    Progress progress = {.out = out};
    journal_tell_stopped(journal, &progress);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void a_signal_before_the_journal_is_open_names_no_file(void **state)
{
    char *text = told(&(Journal){0});
    assert_string_equal(text, "stopped by a signal before anything was asked; the same command begins again\n");
    free(text);
}

static void a_signal_behind_it_names_the_file_that_holds_what_is_finished(void **state)
{
    char *text = told(&(Journal){.file = {.path = (char *)"answers.jsonl.partial"}});
    assert_non_null(strstr(text, "what is finished is in answers.jsonl.partial, and the same command goes on"));
    free(text);
}

static bool open_journal(Journal *journal, const char *out)
{
    static Options none;
    json_t *identity = json_pack("{s:s}", "rows", "7");
    assert_non_null(identity);
    bool ok = journal_open(journal, out, 9, &none, identity, NULL);
    json_decref(identity);
    return ok;
}

// FIRST is "" or a journal's beginning, a whole line.
static void assert_end_of_partial(const char *first, const char *end, bool ours)
{
    char folder[] = "/tmp/test_journal-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *out = path_join(folder, "out"), *partial = path_join(folder, "out.partial");
    Bytes text = {0}, now = {0};
    Journal journal;
    assert_ok(bytes_printf(&text, "%s%s", first, end) && file_write_atomic(partial, text.data, text.size));
    if (ours) {
        assert_ok(open_journal(&journal, out));
        assert_int_equal(journal.file.end, strlen("{\"rows\":\"7\"}\n"));
        journal_close(&journal);
    } else {
        assert_refused(open_journal(&journal, out), "out.partial");
        assert_ok(file_read(&now, partial, 1000));
        assert_string_equal(now.data, text.data);
    }
    bytes_free(&text);
    bytes_free(&now);
    free(out);
    free(partial);
    assert_ok(folder_remove(folder));
}

static void half_a_line_is_cut_off_only_if_it_was_going_to_be_ours(void **state)
{
    static const char first[] = "{\"rows\":\"7\"}\n";
    assert_end_of_partial("", "{\"rows\":", true);
    assert_end_of_partial(first, "", true);
    assert_end_of_partial(first, "3 0123", true);
    assert_end_of_partial("", "my only copy", false);
    assert_end_of_partial(first, "and a note", false);
    assert_end_of_partial("my only copy\n", "", false);
    assert_end_of_partial(first, "and a note\n", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_line_is_cut_off_only_if_it_was_going_to_be_ours),
        cmocka_unit_test(a_signal_before_the_journal_is_open_names_no_file),
        cmocka_unit_test(a_signal_behind_it_names_the_file_that_holds_what_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
