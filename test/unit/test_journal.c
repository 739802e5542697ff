// What is said of results on their way when a signal ends a program, before and after the journal was opened.
#include "rows/journal.h"
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
    char *text = told(&(Journal){.descriptor = -1});
    assert_string_equal(text, "stopped by a signal before anything was asked; the same command begins again\n");
    free(text);
}

static void a_signal_behind_it_names_the_file_that_holds_what_is_finished(void **state)
{
    char *text = told(&(Journal){.descriptor = -1, .path = (char *)"answers.jsonl.partial"});
    assert_non_null(strstr(text, "what is finished is in answers.jsonl.partial, and the same command goes on"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_before_the_journal_is_open_names_no_file),
        cmocka_unit_test(a_signal_behind_it_names_the_file_that_holds_what_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
