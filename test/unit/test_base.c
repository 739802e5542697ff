// base/: errors, sizes, bytes, UTF-8, files, JSON, random numbers.
#include "system/files.h"
#include "test/support/check.h"

#include "json/json.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/test_base-XXXXXX";

// folder/name; freed with the test program's memory at the end of the test by the caller
static char *inside(const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

static size_t entries(const char *path)
{
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, path));
    names_free(names, count);
    return count;
}

// ---- errors

static void causes_are_chained_from_the_outside_in(void **state)
{
    assert_false(fail("%s:%d: no colon", "a.json", 3));
    assert_false(fail_in("loading %s", "a.json"));
    assert_false(fail_in("opening the model"));
    assert_string_equal(error_text(), "opening the model: loading a.json: a.json:3: no colon");
    assert_false(fail("afresh"));
    assert_string_equal(error_text(), "afresh");
    error_clear();
    assert_string_equal(error_text(), "");
}

static void an_error_may_quote_the_last_one_and_the_systems_words(void **state)
{
    fail("first");
    fail("second, after %s", error_text());
    assert_string_equal(error_text(), "second, after first");
    errno = ENOENT;
    fail_errno("%s", "x");
    assert_string_equal(error_text(), "x: No such file or directory");
}

static void an_endless_chain_is_cut_and_keeps_its_outermost_causes(void **state)
{
    fail("inner");
    for (int i = 0; i < 2000; i++)
        fail_in("outer %d", i);
    assert_memory_equal(error_text(), "outer 1999: outer 1998: ", 24);
    assert_true(strlen(error_text()) < 4096);
}

// ---- sizes and memory

static void a_size_that_does_not_fit_is_refused(void **state)
{
    size_t size = 0;
    assert_ok(size_multiply(&size, SIZE_MAX / 3, 3));
    assert_refused(size_multiply(&size, SIZE_MAX / 2 + 1, 2), "does not fit this machine");
    assert_refused(size_add(&size, SIZE_MAX, 1), "does not fit this machine");
    assert_null(allocate(SIZE_MAX / 4, 8));
    assert_null(allocate(SIZE_MAX, 1));
    char *list = NULL;
    size_t capacity = 0;
    assert_refused(grow(&list, &capacity, SIZE_MAX, 1), "does not fit this machine");
    assert_refused(grow(&list, &capacity, SIZE_MAX / 8, 16), "does not fit this machine");
    assert_null(list);
}

static void memory_is_zero_and_aligned(void **state)
{
    for (size_t count = 0; count < 200; count += 7) {
        unsigned char *p = allocate(count, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < count * 3; i++)
            assert_int_equal(p[i], 0);
        free(p);
    }
}

static void a_list_that_grows_keeps_what_it_held(void **state)
{
    int *list = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_ok(grow(&list, &capacity, i + 1, sizeof *list));
        list[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    free(list);
}

static void bytes_are_a_text_at_every_moment(void **state)
{
    Bytes b = {0};
    assert_ok(bytes_append(&b, NULL, 0));
    assert_string_equal(b.data, "");
    for (int i = 0; i < 300; i++) {
        assert_ok(bytes_printf(&b, "%d,", i % 10));
        assert_int_equal(strlen(b.data), b.size);
    }
    assert_int_equal(b.size, 600);
    bytes_clear(&b);
    assert_string_equal(b.data, "");
    assert_ok(bytes_append(&b, "a\0b", 3));
    assert_int_equal(b.size, 3);
    assert_int_equal(b.data[3], 0);
    bytes_free(&b);
    assert_null(b.data);
}

static void utf8_is_valid_up_to_the_first_bad_sequence(void **state)
{
    static const struct {
        const char *text;
        size_t size, valid;
    } cases[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"\0a", 2, 2},
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, 9}, // U+E9, U+20AC, U+1F600
        {"a\x80", 2, 1},                                // a continuation alone
        {"a\xC3", 2, 1},                                // cut short
        {"a\xE2\x82", 3, 1},
        {"a\xF0\x9F\x98", 4, 1},
        {"\xC0\xAF", 2, 0}, // overlong
        {"\xC1\xBF", 2, 0},
        {"\xE0\x9F\xBF", 3, 0},
        {"\xE0\xA0\x80", 3, 3},
        {"\xF0\x8F\xBF\xBF", 4, 0},
        {"\xF0\x90\x80\x80", 4, 4},
        {"\xED\xA0\x80", 3, 0}, // surrogates
        {"\xED\xBF\xBF", 3, 0},
        {"\xED\x9F\xBF\xEE\x80\x80", 6, 6}, // their neighbours
        {"\xF4\x8F\xBF\xBF", 4, 4},         // U+10FFFF, and the one behind
        {"\xF4\x90\x80\x80", 4, 0},
        {"\xF5\x80\x80\x80", 4, 0},
        {"\xFF", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (utf8_valid_prefix(cases[i].text, cases[i].size) != cases[i].valid)
            fail_msg("case %zu: %zu valid bytes, not %zu", i, utf8_valid_prefix(cases[i].text, cases[i].size),
                     cases[i].valid);
}

// ---- files

static void a_file_reads_back_as_it_was_written(void **state)
{
    char *path = inside("plain");
    Bytes text = {0};
    MappedFile map;
    assert_ok(file_write_atomic(path, "a\0b\n", 4));
    assert_ok(file_read(&text, path, 4));
    assert_int_equal(text.size, 4);
    assert_memory_equal(text.data, "a\0b\n", 5);
    assert_ok(file_map(&map, path));
    assert_int_equal(map.size, 4);
    assert_memory_equal(map.data, text.data, 4);
    file_unmap(&map);
    assert_ok(file_write_atomic(path, "", 0));
    assert_ok(file_read(&text, path, 0));
    assert_int_equal(text.size, 0);
    assert_string_equal(text.data, "");
    assert_ok(file_map(&map, path));
    assert_int_equal(map.size, 0);
    file_unmap(&map);
    bytes_free(&text);
    free(path);
}

static void a_file_that_cannot_be_read_is_an_error_with_its_path(void **state)
{
    char *path = inside("large");
    Bytes text = {0};
    MappedFile map;
    assert_ok(file_write_atomic(path, "12345", 5));
    assert_refused(file_read(&text, path, 4), "large: 5 bytes, more than the 4");
    assert_refused(file_read(&text, "/proc/nonexistent/x", 9), "/proc/nonexistent/x: No such file or directory");
    assert_refused(file_read(&text, folder, 9), "not a regular file");
    assert_refused(file_map(&map, "/proc/nonexistent/x"), "/proc/nonexistent/x: No such file or directory");
    assert_false(file_exists(folder));
    assert_true(folder_exists(folder));
    assert_false(folder_exists(path));
    bytes_free(&text);
    free(path);
}

// Only what the system reports as absent is absent: what cannot be looked at may be the user's work.
static void what_cannot_be_seen_is_not_absent(void **state)
{
    char *file = inside("seen"), *under = path_join(file, "x"), *loop = inside("loop"), *behind = path_join(loop, "x");
    PathKind kind;
    assert_ok(file_write_atomic(file, "1", 1) && path_kind(&kind, file) && kind == PATH_FILE);
    assert_ok(path_kind(&kind, folder) && kind == PATH_FOLDER);
    assert_ok(path_kind(&kind, "/dev/null") && kind == PATH_OTHER);
    assert_ok(path_kind(&kind, "/proc/nonexistent/x") && kind == PATH_NONE);
    assert_ok(path_kind(&kind, under) && kind == PATH_NONE); // below a file
    assert_ok(path_in_folder_kind(&kind, folder, "seen") && kind == PATH_FILE);
    assert_int_equal(symlink(loop, loop), 0);
    assert_refused(path_kind(&kind, behind), "checking whether it exists: Too many levels");
    assert_int_equal(error_kind(), ERROR_SYSTEM);
    assert_false(file_exists(behind) || folder_exists(behind));
    assert_int_equal(unlink(loop), 0);
    free(file);
    free(under);
    free(loop);
    free(behind);
}

static void the_kind_of_an_error_is_that_of_its_first_cause(void **state)
{
    Bytes text = {0};
    fail("a file is damaged");
    assert_int_equal(error_kind(), ERROR_OTHER);
    fail_as(ERROR_STOPPED, "stopped");
    fail_in("waiting");
    assert_int_equal(error_kind(), ERROR_STOPPED);
    assert_refused(file_read(&text, "/proc/nonexistent/x", 9),
                   "No such file"); // that is known, and no trouble of the system's
    assert_int_equal(error_kind(), ERROR_OTHER);
    error_clear();
    assert_int_equal(error_kind(), ERROR_OTHER);
}

static void until_the_commit_the_old_file_stands(void **state)
{
    char *path = inside("old");
    Bytes text = {0};
    AtomicFile file;
    assert_ok(file_write_atomic(path, "old", 3));
    size_t before = entries(folder);
    assert_ok(atomic_open(&file, path));
    assert_ok(atomic_write(&file, "new!", 4));
    assert_int_equal(file.written, 4);
    assert_ok(file_read(&text, path, 99));
    assert_string_equal(text.data, "old");
    atomic_abort(&file);
    assert_int_equal(entries(folder), before);
    assert_ok(atomic_open(&file, path));
    assert_ok(atomic_write(&file, "new!", 4));
    assert_ok(atomic_commit(&file));
    atomic_abort(&file); // harmless
    assert_ok(file_read(&text, path, 99));
    assert_string_equal(text.data, "new!");
    assert_int_equal(entries(folder), before);
    bytes_free(&text);
    free(path);
}

// A limit of file sizes simulates a full disk; in a child process, so that other tests are not limited.
static void a_full_disk_leaves_the_old_file_and_no_rubbish(void **state)
{
    char *path = inside("full");
    assert_ok(file_write_atomic(path, "old", 3));
    size_t before = entries(folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {1000, 1000};
        static char large[5000];
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool written = file_write_atomic(path, large, sizeof large);
        bool told = strstr(error_text(), "full: writing after 1000 bytes; free some space") != NULL;
        _exit(!written && told ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    Bytes text = {0};
    assert_ok(file_read(&text, path, 99));
    assert_string_equal(text.data, "old");
    assert_int_equal(entries(folder), before);
    bytes_free(&text);
    free(path);
}

static void a_file_in_no_folder_is_an_error_with_its_path(void **state)
{
    assert_refused(file_write_atomic("/proc/nonexistent/x", "", 0), "/proc/nonexistent/x");
    char *path = inside("target");
    assert_ok(folder_make(path));
    size_t before = entries(folder);
    assert_refused(file_write_atomic(path, "x", 1), "target: is a folder, which a file must not replace");
    assert_int_equal(entries(folder), before);
    free(path);
}

static void a_file_replaces_nothing_but_a_file(void **state)
{
    char *pipe = inside("pipe"), *link = inside("link"), *far = inside("far"), *lost = inside("lost");
    Bytes text = {0};
    assert_int_equal(mkfifo(pipe, 0600) | symlink("far", link) | symlink("nowhere", lost), 0);
    assert_ok(file_write_atomic(far, "old", 3));
    size_t before = entries(folder);
    assert_refused(file_write_atomic(pipe, "x", 1), "pipe: is a pipe, which a file must not replace");
    assert_refused(file_write_atomic(lost, "x", 1), "lost: following the link: No such file");
    assert_ok(file_write_atomic(link, "new", 3)); // to where it leads
    assert_ok(file_read(&text, far, 9));
    assert_string_equal(text.data, "new");
    struct stat facts;
    assert_true(lstat(link, &facts) == 0 && S_ISLNK(facts.st_mode));
    assert_int_equal(entries(folder), before);
    bytes_free(&text);
    assert_int_equal(unlink(pipe) | unlink(link) | unlink(lost) | unlink(far), 0);
    free(pipe), free(link), free(far), free(lost);
}

static PathKind old_or_half(const void *context, const char *name)
{
    return strcmp(name, context) == 0 ? PATH_FILE : strncmp(name, "half-", 5) == 0 ? PATH_FOLDER : PATH_NONE;
}

static void a_folder_is_cleaned_of_what_is_named_and_of_that_kind(void **state)
{
    static const char *const folders[] = {"half-1", "half-1/in", "old", "mine"}, *const files[] = {"half-2", "gone",
                                                                                                   "mine/x"};
    Bytes path = {0};
    char root[] = "/tmp/test_base-XXXXXX", **names;
    size_t count;
    assert_non_null(mkdtemp(root));
    for (int i = 0; i < 7; i++) {
        bytes_clear(&path);
        assert_ok(bytes_printf(&path, "%s/%s", root, i < 4 ? folders[i] : files[i - 4]));
        assert_ok(i < 4 ? folder_make(path.data) : file_write_atomic(path.data, "x", 1));
    }
    assert_ok(folder_clean(root, old_or_half, "gone") && folder_clean(root, old_or_half, "old"));
    assert_ok(folder_list(&names, &count, root));
    assert_int_equal(count, 3); // a file and folders of the other kind stay
    assert_string_equal(names[0], "half-2");
    assert_string_equal(names[1], "mine");
    assert_string_equal(names[2], "old");
    names_free(names, count);
    assert_ok(folder_clean("/nowhere/at/all", old_or_half, "gone") && folder_remove(root));
    bytes_free(&path);
}

static void a_temporary_folder_goes_with_what_killed_ones_left(void **state)
{
    char *target = inside("made"), *left = inside("made.tmp-00000000000f/deep"), *other = inside("made.tmp-f");
    TemporaryFolder first, second;
    assert_ok(folder_make(left) && folder_make(other));
    size_t before = entries(folder);
    assert_ok(temporary_folder_make(&first, target));
    assert_int_equal(entries(folder), before); // one has gone, one has come
    assert_ok(temporary_folder_make(&second, target));
    assert_true(folder_exists(first.path) && folder_exists(other)); // somebody's
    temporary_folder_close(&first);
    temporary_folder_close(&second);
    assert_int_equal(entries(folder), before - 1);
    assert_ok(folder_remove(other));
    free(target), free(left), free(other);
}

static void folders_are_made_with_their_parents_and_removed_with_their_content(void **state)
{
    char *deep = inside("a/b/c"), *top = inside("a"), *file = inside("a/b/file");
    char *link = inside("a/link"), *kept = inside("kept");
    assert_ok(folder_make(deep));
    assert_ok(folder_make(deep));
    assert_ok(file_write_atomic(file, "x", 1));
    assert_ok(file_write_atomic(kept, "x", 1));
    assert_int_equal(symlink(folder, link), 0);
    char *under = path_join(file, "d");
    assert_refused(folder_make(under), "a/b/file"); // a file is no folder
    assert_refused(folder_make(file), "a file where a folder should be");
    assert_ok(folder_remove(top));
    assert_false(folder_exists(top));
    assert_true(file_exists(kept)); // a link is removed, not what it points to
    assert_refused(folder_remove(top), "listing the folder");
    free(under);
    free(deep);
    free(top);
    free(file);
    free(link);
    free(kept);
}

static void names_are_listed_in_order(void **state)
{
    static const char *const made[] = {"b", ".hidden", "a10", "a9", "a"};
    char *path = inside("names"), **names;
    size_t count;
    assert_ok(folder_make(path));
    assert_ok(folder_list(&names, &count, path));
    assert_int_equal(count, 0);
    names_free(names, count);
    for (size_t i = 0; i < 5; i++) {
        char *file = path_join(path, made[i]);
        assert_ok(file_write_atomic(file, "", 0));
        free(file);
    }
    assert_ok(folder_list(&names, &count, path));
    assert_int_equal(count, 5);
    assert_string_equal(names[0], ".hidden");
    assert_string_equal(names[1], "a");
    assert_string_equal(names[2], "a10");
    assert_string_equal(names[4], "b");
    names_free(names, count);
    assert_refused(folder_list(&names, &count, "/proc/nonexistent"), "/proc/nonexistent: listing the folder");
    free(path);
}

static void paths_join_with_one_slash(void **state)
{
    char *a = path_join("x", "y"), *b = path_join("x/", "y"), *c = path_join("/", "y");
    assert_string_equal(a, "x/y");
    assert_string_equal(b, "x/y");
    assert_string_equal(c, "/y");
    free(a);
    free(b);
    free(c);
}

static void a_hash_is_xxh3(void **state)
{
    assert_true(hash_bytes("", 0) == 0x2D06800538D394C2u); // of the empty input, seed 0: xxHash's own sanity table
    assert_true(hash_bytes("a", 1) != hash_bytes("b", 1));
}

// ---- JSON

static void bad_json_is_refused_with_line_and_column(void **state)
{
    char *path = inside("bad.json");
    static const char *const bad[] = {"{\"a\": 1,\n \"b\": }",
                                      "{\"a\": 1, \"a\": 2}",
                                      "{\"a\": 1} x",
                                      "[1,]",
                                      "{'a': 1}",
                                      "\"\xFF\"",
                                      "",
                                      "[NaN]",
                                      "[01]",
                                      "[1e999]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_ok(file_write_atomic(path, bad[i], strlen(bad[i])));
        assert_refused(json_read(path, 1 << 20) != NULL, "bad.json:");
    }
    assert_ok(file_write_atomic(path, bad[0], strlen(bad[0])));
    assert_refused(json_read(path, 1 << 20) != NULL, "bad.json:2:7: not valid JSON");
    assert_refused(json_parse("{\"a\": }", 7, "rows.jsonl:17") != NULL, "rows.jsonl:17:7: not valid JSON");
    assert_refused(json_read(path, 3) != NULL, "more than the 3");
    free(path);
}

static void deep_json_is_refused_and_not_followed(void **state)
{
    enum { DEPTH = 100000 };
    char *text = allocate(DEPTH + 1, 1);
    memset(text, '[', DEPTH);
    assert_refused(json_parse(text, DEPTH, "deep") != NULL, ": not valid JSON: maximum parsing depth");
    free(text);
}

static void a_key_of_another_type_or_range_is_named(void **state)
{
    static const char text[] =
        "{\"i\": 7, \"n\": 1.5, \"b\": true, \"t\": \"x\", \"nul\": \"a\\u0000b\", \"none\": null}";
    json_t *o = json_parse(text, sizeof text - 1, "row");
    int64_t i = 0;
    double n = 0;
    bool b = false;
    const char *t = NULL;
    assert_non_null(o);
    assert_ok(json_need_int(&i, o, "i", 7, 7, "row") && json_need_number(&n, o, "n", 0, 2, "row"));
    assert_ok(json_need_bool(&b, o, "b", "row") && json_need_text(&t, o, "t", "row"));
    assert_true(i == 7 && n == 1.5 && b && strcmp(t, "x") == 0);
    assert_ok(json_need_number(&n, o, "i", 0, 10, "row")); // an integer is a number
    assert_true(n == 7);
    assert_refused(json_need_int(&i, o, "i", 8, 9, "row"), "row: key \"i\" must be an integer from 8 to 9");
    assert_refused(json_need_int(&i, o, "n", 0, 9, "row"), "key \"n\" must be an integer");
    assert_refused(json_need_number(&n, o, "n", 2, 3, "row"), "key \"n\" must be a number from 2 to 3");
    assert_refused(json_need_number(&n, o, "t", 2, 3, "row"), "key \"t\" must be a number");
    assert_refused(json_need_bool(&b, o, "i", "row"), "key \"i\" must be true or false");
    assert_refused(json_need_text(&t, o, "b", "row"), "key \"b\" must be a string");
    assert_refused(json_need_text(&t, o, "nul", "row"), "key \"nul\" holds a NUL");
    assert_refused(json_need_int(&i, o, "none", 0, 9, "row"), "row: key \"none\" is missing");
    assert_refused(json_need_text(&t, o, "no", "row"), "row: key \"no\" is missing");
    i = 42;
    assert_ok(json_may_int(&i, o, "none", 0, 9, "row") && json_may_int(&i, o, "no", 0, 9, "row"));
    assert_int_equal(i, 42);
    json_decref(o);
}

static void json_reads_back_as_it_was_written(void **state)
{
    char *path = inside("good.json");
    json_t *value = json_pack("{s:i, s:f, s:[s, n]}", "b", 1, "a", 0.1, "list", "\xC3\xA9"), *back;
    assert_ok(json_write_atomic(path, value));
    back = json_read(path, 1 << 20);
    assert_non_null(back);
    assert_true(json_equal(value, back));
    Bytes text = {0};
    assert_ok(file_read(&text, path, 1 << 20));
    assert_memory_equal(text.data, "{\n  \"b\": 1,", 11); // key order kept
    assert_int_equal(text.data[text.size - 1], '\n');
    bytes_free(&text);
    json_decref(value);
    json_decref(back);
    free(path);
}

// ---- random numbers

static void philox_gives_the_published_numbers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], result[4]; // Random123's kat_vectors, philox4x32 10
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        Philox got = philox4x32(known[i].counter, known[i].key);
        assert_memory_equal(got.v, known[i].result, sizeof got.v);
    }
}

static void a_draw_is_named_by_all_of_its_name(void **state)
{
    const Philox draws[] = {random_bits(1, RANDOM_ORDER, 2, 3, 4),   random_bits(1ull << 32, RANDOM_ORDER, 2, 3, 4),
                            random_bits(1, RANDOM_WEIGHTS, 2, 3, 4), random_bits(1, RANDOM_ORDER, 3, 3, 4),
                            random_bits(1, RANDOM_ORDER, 2, 2, 4),   random_bits(1, RANDOM_ORDER, 2, 3, 5)};
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(draws[i].v, draws[j].v, sizeof draws[i].v);
    const uint32_t counter[4] = {2, 3, 4, RANDOM_ORDER}, key[2] = {1, 0};
    Philox plain = philox4x32(counter, key);
    assert_memory_equal(draws[0].v, plain.v, sizeof plain.v);
}

static void uniform_numbers_are_inside_zero_and_one(void **state)
{
    assert_true(random_uniform(0) == 0x1p-24f);
    assert_true(random_uniform(UINT32_MAX) == 1 - 0x1p-24f);
    double sum = 0;
    enum { DRAWS = 100000 };
    for (uint32_t i = 0; i < DRAWS; i++) {
        float u = random_uniform(random_bits(3, RANDOM_SAMPLE, i, 0, 0).v[0]);
        assert_true(u > 0 && u < 1);
        sum += u;
    }
    // the mean of n uniform numbers has a deviation of 1 / sqrt(12 n) = 0.00091; five of them
    assert_true(fabs(sum / DRAWS - 0.5) < 0.0046);
}

static int make_folder(void **state) { return mkdtemp(folder) == NULL ? -1 : 0; }

static int remove_folder(void **state) { return folder_remove(folder) ? 0 : -1; }

static void an_integer_beyond_64_bits_does_not_spoil_a_file(void **state)
{
    const char *text = "{\"model_max_length\": 1000000000000000019884624838656, \"size\": 7}";
    char path[] = "/tmp/test_base_json_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0 && write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
    close(descriptor);
    json_t *value = json_read(path, 1000);
    double size = 0, longest = 0;
    int64_t integer = 0;
    assert_non_null(value);
    assert_true(json_need_number(&longest, value, "model_max_length", 0, 1e40, "x") && longest > 9e29);
    assert_true(json_need_number(&size, value, "size", 0, 10, "x") && size == 7);
    assert_false(json_need_int(&integer, value, "model_max_length", 0, INT64_MAX, "x"));
    assert_null(json_parse(text, strlen(text), "a row")); // in rows and headers a number is what it says, or refused
    json_decref(value);
    unlink(path);
}

static void a_written_number_is_short_and_reads_back_the_same(void **state)
{
    static const double numbers[] = {1e-6, 0.02, 9.999999974752427e-07,
                                     1234567.8901234567}; // the third: 1e-6 that was an fp32
    static const char *const texts[] = {"1e-6", "0.02", NULL, NULL};
    char path[] = "/tmp/test_base_json_XXXXXX";
    close(mkstemp(path));
    for (int i = 0; i < 4; i++) {
        json_t *value = json_pack("{s:f}", "x", numbers[i]), *back;
        Bytes text = {0};
        assert_ok(json_write_atomic(path, value) && file_read(&text, path, 1000));
        if (texts[i] != NULL)
            assert_non_null(strstr(text.data, texts[i]));
        back = json_read(path, 1000);
        assert_true(json_equal(value, back));
        json_decref(value);
        json_decref(back);
        bytes_free(&text);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(causes_are_chained_from_the_outside_in),
        cmocka_unit_test(an_error_may_quote_the_last_one_and_the_systems_words),
        cmocka_unit_test(an_endless_chain_is_cut_and_keeps_its_outermost_causes),
        cmocka_unit_test(a_size_that_does_not_fit_is_refused),
        cmocka_unit_test(memory_is_zero_and_aligned),
        cmocka_unit_test(a_list_that_grows_keeps_what_it_held),
        cmocka_unit_test(bytes_are_a_text_at_every_moment),
        cmocka_unit_test(utf8_is_valid_up_to_the_first_bad_sequence),
        cmocka_unit_test(a_file_reads_back_as_it_was_written),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_with_its_path),
        cmocka_unit_test(what_cannot_be_seen_is_not_absent),
        cmocka_unit_test(the_kind_of_an_error_is_that_of_its_first_cause),
        cmocka_unit_test(until_the_commit_the_old_file_stands),
        cmocka_unit_test(a_full_disk_leaves_the_old_file_and_no_rubbish),
        cmocka_unit_test(a_file_in_no_folder_is_an_error_with_its_path),
        cmocka_unit_test(a_file_replaces_nothing_but_a_file),
        cmocka_unit_test(a_folder_is_cleaned_of_what_is_named_and_of_that_kind),
        cmocka_unit_test(a_temporary_folder_goes_with_what_killed_ones_left),
        cmocka_unit_test(folders_are_made_with_their_parents_and_removed_with_their_content),
        cmocka_unit_test(names_are_listed_in_order),
        cmocka_unit_test(paths_join_with_one_slash),
        cmocka_unit_test(a_hash_is_xxh3),
        cmocka_unit_test(bad_json_is_refused_with_line_and_column),
        cmocka_unit_test(deep_json_is_refused_and_not_followed),
        cmocka_unit_test(a_key_of_another_type_or_range_is_named),
        cmocka_unit_test(json_reads_back_as_it_was_written),
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(a_draw_is_named_by_all_of_its_name),
        cmocka_unit_test(an_integer_beyond_64_bits_does_not_spoil_a_file),
        cmocka_unit_test(a_written_number_is_short_and_reads_back_the_same),
        cmocka_unit_test(uniform_numbers_are_inside_zero_and_one),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
