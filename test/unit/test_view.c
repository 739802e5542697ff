// The page of a training run: it holds what the run's files hold, whatever that is, and nothing of it can act; a run in
// progress, files that are not a run's, and pages that are somebody else's.
#include "view/view.h"
#include "system/files.h"
#include "test/support/unpacked.h"
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
    assert_int_equal(occurrences(html.data, "<b>"), 2); // our own, before the options and the versions
    // what is known of the run, log, script, rows, index
    assert_int_equal(occurrences(html.data, "<script"), 5);
    assert_int_equal(occurrences(html.data, "</script>"), 5);
    assert_non_null(strstr(html.data, "default-src 'none'; connect-src 'none'"));
    bytes_free(&html);
}

static void assert_json(const json_t *value, const char *wanted)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, wanted);
    free(text);
}

static void responses_come_in_the_order_of_steps_without_ids(void **state)
{
    (void)state;
    Bytes html = page();
    size_t elements;
    json_t *index = unpacked(html.data, "index", &elements), *rows = unpacked(html.data, "rows", &elements);
    assert_int_equal(elements, 1);
    assert_int_equal(json_array_size(index), 3);
    assert_int_equal(json_array_size(rows), 3);
    json_t *nine = json_array_get(index, 0);
    assert_string_equal(json_string_value(json_array_get(nine, 7)), "equal");
    assert_json(json_array_get(index, 1), "[0,10,0,\"b\",0,null,null,null,null]");
    assert_json(json_array_get(index, 2), "[0,9,1,\"h\",1,null,null,null,null]");
    assert_json(json_array_get(rows, 1),
                "{\"step\":10,\"id\":\"b\",\"sample\":0,\"prompt\":\"p\",\"response\":\"ten\"}");
    json_t *hostile = json_object_get(json_array_get(rows, 0), "response");
    assert_non_null(strstr(json_string_value(hostile), "</script><script>alert(1)</script><!-- <script>"));
    assert_null(json_object_get(json_array_get(rows, 0), "prompt_ids"));
    json_decref(index);
    json_decref(rows);
    bytes_free(&html);
}

// An entry says in which element its row is, and its place there is the number of entries of that element before it.
static void many_responses_are_found_again(void **state)
{
    enum { COUNT = 300 };
    (void)state;
    Bytes lines = {0};
    char *long_text = allocate(8001, 1);
    memset(long_text, 'x', 8000);
    for (int i = 0; i < COUNT; i++)
        assert_ok(bytes_printf(&lines,
                               "{\"step\":7,\"id\":\"%d\",\"sample\":%d,\"prompt\":\"p\",\"response\":\"%d %s\"}\n", i,
                               i, i, long_text));
    put("rollouts/step-7.jsonl", lines.data);
    Bytes html = page();
    size_t elements;
    json_t *index = unpacked(html.data, "index", &elements), *rows = unpacked(html.data, "rows", &elements);
    assert_true(elements > 2); // 2.4 MB in pieces of half a MiB
    assert_int_equal(json_array_size(index), json_array_size(rows));
    json_int_t last = 0;
    for (size_t i = 0; i < json_array_size(index); i++) {
        json_t *entry = json_array_get(index, i), *row = json_array_get(rows, i);
        json_int_t element = json_integer_value(json_array_get(entry, 0));
        assert_true(element == last || element == last + 1);
        assert_true(json_equal(json_array_get(entry, 3), json_object_get(row, "id")));
        last = element;
    }
    assert_int_equal(last + 1, elements);
    take_away("rollouts/step-7.jsonl");
    json_decref(index);
    json_decref(rows);
    free(long_text);
    bytes_free(&lines);
    bytes_free(&html);
}

static void a_run_in_progress_is_shown_as_far_as_it_is(void **state)
{
    (void)state;
    put("log.jsonl", "{\"step\": 1, \"loss\": 2.5}\n{\"step\": 2, \"lo");
    Bytes html = page();
    size_t elements;
    json_t *log = unpacked(html.data, "log", &elements);
    assert_json(log, "[{\"step\":1,\"loss\":2.5}]");
    json_decref(log);
    bytes_free(&html);
}

static void a_page_of_a_run_that_sends_its_data_has_none(void **state)
{
    (void)state;
    Bytes html = {0};
    ViewPage of = {.title = "</title><script>", .run = folder, .options = "unused = 1\n", .script = "/* last */"};
    assert_ok(view_page(&html, &of));
    assert_non_null(strstr(html.data, "connect-src 'self'"));
    assert_non_null(strstr(html.data, "/* last */</script>"));
    assert_non_null(strstr(html.data, "model = ")); // of options.conf
    assert_null(strstr(html.data, "unused"));
    assert_int_equal(occurrences(html.data, "<script"), 2); // what is known of the run, and the script
    bytes_clear(&html);
    of.run = NULL;
    assert_ok(view_page(&html, &of));
    assert_non_null(strstr(html.data, "unused = 1"));
    bytes_free(&html);
}

static void what_is_not_a_run_is_refused_by_file_and_line(void **state)
{
    (void)state;
    char *path = path_join(folder, "other.html");
    put("log.jsonl", "{\"step\": 1}\n{broken}\n");
    assert_refused(view_write(path, folder), "log.jsonl:2");
    static const char *const others[] = {"[1]",
                                         "{\"loss\": 1}",
                                         "{\"step\": -1}",
                                         "{\"step\": 1, \"loss\": \"2\"}",
                                         "{\"step\": 1, \"event\": 5}",
                                         "{\"step\": 1e300}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put("log.jsonl", others[i]);
        assert_refused(view_write(path, folder), "log.jsonl:1: ");
    }
    put("log.jsonl", "{\"step\": 1}\n");
    put("profile.json", "{}");
    assert_refused(view_write(path, folder), "profile.json: is not a profile as --profile-step writes it");
    take_away("profile.json");
    put("starts.jsonl", "{\"step\":0}\n[1]\n");
    assert_refused(view_write(path, folder), "starts.jsonl:2: not an object");
    take_away("starts.jsonl");
    put("rollouts/step-9.jsonl", "{\"step\":9}\n");
    assert_refused(view_write(path, folder), "step-9.jsonl:1: is not a response as train_rl writes it");
    assert_false(file_exists(path));
    take_away("log.jsonl");
    assert_refused(view_write(path, folder), "log.jsonl");
    free(path);
}

// Names of files may hold any bytes; a start may be half written.
static void facts_are_shown_as_far_as_they_can_be(void **state)
{
    (void)state;
    put("options.conf", "out = caf\xe9\n");
    put("starts.jsonl", "{\"step\":0}\n{\"step\":1,\"x\":{}");
    Bytes html = page();
    assert_non_null(strstr(html.data, "out = caf\\\\xE9\\n"));
    assert_non_null(strstr(html.data, "\"starts\":[{\"step\":0}]"));
    take_away("starts.jsonl");
    bytes_free(&html);
}

static void a_run_that_is_not_there_makes_nothing(void **state)
{
    (void)state;
    char *run = path_join(folder, "typo"), *path = path_join(run, "report.html");
    assert_refused(view_write(path, run), "typo/log.jsonl: No such file or directory");
    assert_false(folder_exists(run));
    free(path);
    free(run);
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
        cmocka_unit_test_setup(many_responses_are_found_again, lay_run),
        cmocka_unit_test_setup(a_page_of_a_run_that_sends_its_data_has_none, lay_run),
        cmocka_unit_test_setup(a_run_in_progress_is_shown_as_far_as_it_is, lay_run),
        cmocka_unit_test_setup(what_is_not_a_run_is_refused_by_file_and_line, lay_run),
        cmocka_unit_test_setup(facts_are_shown_as_far_as_they_can_be, lay_run),
        cmocka_unit_test_setup(a_run_that_is_not_there_makes_nothing, lay_run),
        cmocka_unit_test_setup(a_file_that_is_not_our_page_stays, lay_run),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(folder);
    return failed;
}
