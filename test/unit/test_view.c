// The page of a training run: it holds what the run's files hold, whatever that is, and nothing of it can act; a run in
// progress, files that are not a run's, and pages that are somebody else's.
#include "view/view.h"
#include "system/files.h"
#include "test/support/check.h"
#include <unistd.h>

// What would end a script element, begin a comment in one, or be taken for markup.
#define HOSTILE "</script><script>alert(1)</script><!-- <script> --> <img src=x onerror=alert(2)> \\u202e \\u0007"

static char folder[] = "/tmp/test_view-XXXXXX";

static void put(const char *name, const char *text)
{
    char *path = path_join(folder, name);
    assert_ok(parents_make(path) && file_write_atomic(path, text, strlen(text)));
    free(path);
}

static void take_away(const char *name)
{
    char *path = path_join(folder, name);
    unlink(path);
    free(path);
}

static size_t occurrences(const char *text, const char *wanted)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, wanted)) != NULL; at += strlen(wanted))
        count++;
    return count;
}

static Bytes page(void)
{
    Bytes html = {0};
    char *path = path_join(folder, "report.html");
    assert_ok(view_write(path, folder) && file_read(&html, path, 1 << 26));
    free(path);
    return html;
}

static int lay_run(void **state)
{
    (void)state;
    put("log.jsonl", "{\"step\": 1, \"reward/mean\": 0.5, \"verdict/source/" HOSTILE "/equal\": 1, \"seconds\": 1}\n"
                     "{\"event\": \"eval\", \"step\": 1, \"eval/acc/mean@1\": null, \"seconds\": 2}\n");
    put("options.conf", "# model\nmodel = \"</script><b>\"\n");
    put("rollouts/step-10.jsonl",
        "{\"step\":10,\"id\":\"b\",\"sample\":0,\"prompt\":\"p\",\"response\":\"ten\",\"ids\":[7777]}\n");
    put("rollouts/step-9.jsonl",
        "{\"step\":9,\"id\":\"a\",\"sample\":0,\"prompt\":\"" HOSTILE "\",\"response\":\"" HOSTILE
        "\",\"verdict\":\"equal\",\"reward\":1.0,\"prompt_ids\":[8888]}\n");
    put("rollouts/notes.txt", "not a rollout");
    put("evaluations/step-9.jsonl", "{\"step\":9,\"id\":\"h\",\"sample\":1,\"prompt\":\"p\",\"response\":\"held\"}\n");
    return 0;
}

static void nothing_in_it_can_act(void **state)
{
    (void)state;
    Bytes html = page();
    assert_int_equal(occurrences(html.data, "<img"), 0);
    assert_int_equal(occurrences(html.data, "<!--"), 0);
    assert_int_equal(occurrences(html.data, "<b>"), 1); // our own, before the options
    // options, log, two chunks of rows with their indices, and the script itself
    assert_int_equal(occurrences(html.data, "<script"), 7);
    assert_int_equal(occurrences(html.data, "</script>"), 7);
    assert_non_null(strstr(html.data, "default-src 'none'"));
    bytes_free(&html);
}

static void responses_come_in_the_order_of_steps_without_ids(void **state)
{
    (void)state;
    Bytes html = page();
    const char *nine = strstr(html.data, "[9,0,\"a\",0,null,null,\"equal\",1.0,\""),
               *ten = strstr(html.data, "[10,0,\"b\",0,"), *held = strstr(html.data, "[9,1,\"h\",1,");
    assert_true(nine != NULL && ten != NULL && held != NULL && nine < ten && ten < held);
    assert_null(strstr(html.data, "7777"));
    assert_null(strstr(html.data, "8888"));
    assert_null(strstr(html.data, "not a rollout"));
    bytes_free(&html);
}

static void a_run_in_progress_is_shown_as_far_as_it_is(void **state)
{
    (void)state;
    put("log.jsonl", "{\"step\": 1, \"loss\": 2.5}\n{\"step\": 2, \"lo");
    Bytes html = page();
    assert_non_null(strstr(html.data, "[{\"step\": 1, \"loss\": 2.5}]</script>"));
    bytes_free(&html);
}

static void what_is_not_a_run_is_refused_by_file_and_line(void **state)
{
    (void)state;
    char *path = path_join(folder, "other.html");
    put("log.jsonl", "{\"step\": 1}\n{broken}\n");
    assert_refused(view_write(path, folder), "log.jsonl:2");
    put("log.jsonl", "{\"step\": 1}\n");
    put("rollouts/step-9.jsonl", "{\"step\":9}\n");
    assert_refused(view_write(path, folder), "step-9.jsonl:1: is not a response as train_rl writes it");
    assert_false(file_exists(path));
    take_away("log.jsonl");
    assert_refused(view_write(path, folder), "log.jsonl");
    free(path);
}

static void a_file_that_is_not_our_page_stays(void **state)
{
    (void)state;
    char *path = path_join(folder, "mine.html");
    put("mine.html", "<!doctype html>\n<html><body>mine</body></html>\n");
    assert_refused(view_write(path, folder), "mine.html");
    free(path);
}

int main(void)
{
    assert_non_null(mkdtemp(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_in_it_can_act, lay_run),
        cmocka_unit_test_setup(responses_come_in_the_order_of_steps_without_ids, lay_run),
        cmocka_unit_test_setup(a_run_in_progress_is_shown_as_far_as_it_is, lay_run),
        cmocka_unit_test_setup(what_is_not_a_run_is_refused_by_file_and_line, lay_run),
        cmocka_unit_test_setup(a_file_that_is_not_our_page_stays, lay_run),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(folder);
    return failed;
}
