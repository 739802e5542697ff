// Verdicts of other processes: told from one to another, and read from their journals, which stay as they are.
#include "judges/heard.h"
#include "judges/verdicts.h"
#include "system/files.h"
#include "test/support/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static int open_folder(void **state) { return folder_temporary(&folder, "test-heard") ? 0 : -1; }

static int close_folder(void **state)
{
    bool ok = folder_remove(folder);
    free(folder);
    return ok ? 0 : -1;
}

static void the_first_verdict_counts(void **state)
{
    Heard h = {0};
    for (uint64_t i = 0; i < 3000; i++) // many of one place in the table
        assert_ok(heard_add(&h, (uint64_t[]){i % 7, i}, i % 3 == 0 ? NAN : (double)i, i % 3 == 0 ? "cut off" : NULL));
    assert_ok(heard_add(&h, (uint64_t[]){1, 1}, 0.5, NULL));
    for (uint64_t i = 0; i < 3000; i++) {
        const HeardVerdict *v = heard_find(&h, (uint64_t[]){i % 7, i});
        assert_non_null(v);
        assert_true(i % 3 == 0 ? isnan(v->score) && strcmp(v->why, "cut off") == 0
                               : v->score == (double)i && v->why == NULL);
    }
    assert_null(heard_find(&h, (uint64_t[]){8, 1}));
    assert_null(heard_find(&(Heard){0}, (uint64_t[]){0, 0}));
    heard_free(&h);
}

static void what_is_new_is_told_once(void **state)
{
    Heard one = {.telling = true}, other = {0}, silent = {0};
    Bytes told = {0};
    assert_ok(heard_own(&one, (uint64_t[]){1, 2}, 1, NULL) && heard_own(&one, (uint64_t[]){3, 4}, NAN, "“maybe”"));
    assert_ok(heard_own(&silent, (uint64_t[]){1, 2}, 1, NULL) && heard_tell(&silent, &told));
    assert_int_equal(told.size, 0); // there is nobody to tell: nothing is kept
    assert_ok(heard_tell(&one, &told) && heard_take(&other, (Text){told.data, told.size}));
    assert_true(heard_find(&other, (uint64_t[]){1, 2})->score == 1);
    assert_string_equal(heard_find(&other, (uint64_t[]){3, 4})->why, "“maybe”");
    assert_null(heard_find(&one, (uint64_t[]){1, 2})); // its own are in its journal
    size_t size = told.size;
    assert_ok(heard_tell(&one, &told));
    assert_int_equal(told.size, size);
    assert_false(heard_take(&other, (Text){told.data, told.size - 3}));
    bytes_free(&told);
    heard_free(&one);
    heard_free(&other);
    heard_free(&silent);
}

// ---- journals

static char *journal(const char *name, uint64_t first, uint64_t count) // of verdicts with keys {first, 7}, ...
{
    char *path = path_join(folder, name);
    Verdicts v;
    assert_ok(verdicts_open(&v, path));
    for (uint64_t i = first; i < first + count; i++)
        assert_ok(verdicts_add(&v, (uint64_t[]){i, 7}, "stop", (Text){"Final Decision: Yes", 19}));
    verdicts_close(&v);
    return path;
}

static bool take(void *context, const uint64_t key[2], const Answer *reply)
{
    assert_true(key[1] == 7 && reply->text.size == 19 && strcmp(reply->finish_reason, "stop") == 0);
    ++((int *)context)[key[0]];
    return true;
}

static void expect(const char *own, const char *name, const char *counts)
{
    int found[8] = {0};
    assert_ok(heard_journals(own, name, take, found));
    for (int i = 0; counts[i] != 0; i++)
        assert_int_equal(found[i], counts[i] - '0');
}

static void the_journals_of_others_are_read(void **state)
{
    char *paths[] = {journal("judge.jsonl", 0, 2),   journal("judge-1.jsonl", 2, 1), journal("judge-12.jsonl", 3, 1),
                     journal("judge-x.jsonl", 4, 1), journal("grader.jsonl", 5, 1),  journal("judge-.jsonl", 6, 1)};
    expect(paths[0], "judge", "00110000");
    expect(paths[1], "judge", "11010000");
    expect(paths[4], "grader", "00000000");
    expect(paths[0], NULL, "00000000");
    Bytes before = {0}, after = {0};
    FILE *half = fopen(paths[1], "a"); // as its process leaves it in the middle of a line
    assert_true(half != NULL && fputs("{\"key\":\"00", half) >= 0 && fclose(half) == 0);
    assert_ok(file_read(&before, paths[1], 1 << 20));
    expect(paths[0], "judge", "00110000");
    assert_ok(file_read(&after, paths[1], 1 << 20));
    assert_true(before.size == after.size && memcmp(before.data, after.data, before.size) == 0);
    FILE *changed = fopen(paths[2], "r+");
    assert_true(changed != NULL && fseek(changed, 60, SEEK_SET) == 0 && fputc('~', changed) == '~' &&
                fclose(changed) == 0);
    int found[8] = {0};
    assert_false(heard_journals(paths[0], "judge", take, found));
    assert_non_null(strstr(error_text(), "judge-12.jsonl:1: "));
    assert_non_null(strstr(error_text(), "remove this line"));
    bytes_free(&before);
    bytes_free(&after);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        free(paths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_verdict_counts),
                                       cmocka_unit_test(what_is_new_is_told_once),
                                       cmocka_unit_test(the_journals_of_others_are_read)};
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
