// The lines of a file or a pipe, and the errors for files that are not JSONL.
#include "rows/lines.h"
#include "system/files.h"
#include "test/support/check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static char *write_file(const char *name, const void *content, size_t size)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    assert_ok(file_write_atomic(path, content, size));
    return path;
}

static void assert_line(LineReader *reader, const char *expected, int64_t line)
{
    const char *text;
    size_t size;
    assert_ok(lines_next(reader, &text, &size));
    if (text == NULL)
        fail_msg("there is no line %" PRId64, line);
    if (size != strlen(expected) || memcmp(text, expected, size) != 0)
        fail_msg("got '%.*s', expected '%s'", (int)size, text, expected);
    assert_int_equal(reader->line, line);
}

static void assert_end(LineReader *reader)
{
    const char *text;
    size_t size;
    for (int i = 0; i < 2; i++) { // and it stays so
        assert_ok(lines_next(reader, &text, &size));
        assert_null(text);
        assert_true(reader->ended);
    }
}

static void lines_may_end_as_windows_ends_them_and_begin_with_a_mark(void **state)
{
    static const char content[] = "\xEF\xBB\xBF{1}\r\n\r\n  \n{22}\n\xEF\xBB\xBF\n \t{333} ";
    char *path = write_file("lines.jsonl", content, sizeof content - 1);
    LineReader reader;
    assert_ok(lines_open(&reader, path));
    assert_line(&reader, "{1}", 1);
    assert_line(&reader, "{22}", 4);
    assert_line(&reader, "\xEF\xBB\xBF", 5); // a mark is one at the start only
    assert_line(&reader, " \t{333} ", 6);
    assert_end(&reader);
    assert_int_equal(reader.consumed, sizeof content - 1);
    lines_close(&reader);
    free(path);
}

static void assert_no_lines(const char *content, size_t size)
{
    char *path = write_file("empty.jsonl", content, size);
    LineReader reader;
    assert_ok(lines_open(&reader, path));
    assert_end(&reader);
    assert_int_equal(reader.consumed, size);
    lines_close(&reader);
    free(path);
}

static void an_empty_file_has_no_lines(void **state)
{
    assert_no_lines("", 0);
    assert_no_lines("\xEF\xBB\xBF", 3);
    assert_no_lines("\n\r\n \t\n ", 7);
}

static void a_line_may_hold_nul(void **state)
{
    char *path = write_file("nul.jsonl", "a\0b\n\0\n", 6);
    LineReader reader;
    const char *text;
    size_t size;
    assert_ok(lines_open(&reader, path));
    assert_ok(lines_next(&reader, &text, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(text, "a\0b", 3);
    assert_ok(lines_next(&reader, &text, &size));
    assert_int_equal(size, 1);
    assert_end(&reader);
    lines_close(&reader);
    free(path);
}

// ---- borders of what is read at a time

// Line i of a file: a letter, as often as its length says, so that a byte lost or doubled shows.
static size_t length_at(uint32_t seed, uint32_t i, size_t most)
{
    return 1 + random_bits(seed, RANDOM_SAMPLE, i, 0, 0).v[0] % most;
}
static char letter_at(uint32_t i) { return (char)('a' + i % 26); }

static void append_lines(Bytes *content, uint32_t seed, uint32_t count, size_t most)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t length = length_at(seed, i, most), end = content->size + length;
        assert_ok(grow(&content->data, &content->capacity, end + 2, 1));
        memset(content->data + content->size, letter_at(i), length);
        content->data[end] = '\n';
        content->data[end + 1] = 0;
        content->size = end + 1;
    }
}

static void assert_lines(LineReader *reader, uint32_t seed, uint32_t count, size_t most)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *text;
        size_t size;
        assert_ok(lines_next(reader, &text, &size));
        assert_non_null(text);
        assert_int_equal(reader->line, i + 1);
        if (size != length_at(seed, i, most))
            fail_msg("line %u has %zu bytes, not %zu", i + 1, size, length_at(seed, i, most));
        assert_int_equal(text[0], letter_at(i));
        assert_memory_equal(text, text + 1, size - 1); // all its bytes are the same
    }
    assert_end(reader);
}

static void lines_across_the_borders_of_reads_are_whole(void **state)
{
    static const size_t most[] = {40, 5000, 3 << 20};
    static const uint32_t counts[] = {120000, 1500, 6};
    for (uint32_t i = 0; i < 3; i++) {
        Bytes content = {0};
        append_lines(&content, i, counts[i], most[i]);
        assert_true(content.size > (2u << 20));
        char *path = write_file("borders.jsonl", content.data, content.size);
        LineReader reader;
        assert_ok(lines_open(&reader, path));
        assert_lines(&reader, i, counts[i], most[i]);
        assert_int_equal(reader.consumed, content.size);
        lines_close(&reader);
        bytes_free(&content);
        free(path);
    }
}

static void a_newline_at_a_border_belongs_to_the_line_before(void **state)
{
    for (int shift = -2; shift <= 2; shift++) {
        size_t first = (size_t)((1 << 20) + shift);
        Bytes content = {0};
        assert_ok(grow(&content.data, &content.capacity, first, 1));
        memset(content.data, 'x', first);
        content.size = first;
        assert_ok(bytes_text(&content, "\r\n{2}\n"));
        char *path = write_file("border.jsonl", content.data, content.size);
        LineReader reader;
        const char *text;
        size_t size;
        assert_ok(lines_open(&reader, path));
        assert_ok(lines_next(&reader, &text, &size));
        assert_int_equal(size, first);
        assert_line(&reader, "{2}", 2);
        assert_end(&reader);
        lines_close(&reader);
        bytes_free(&content);
        free(path);
    }
}

// ---- pipes

// A child writes the content, a few bytes at a time, into what descriptor *out then reads.
static pid_t write_through_pipe(int *out, const Bytes *content, size_t piece)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (size_t at = 0; at < content->size;) {
            size_t size = content->size - at < piece ? content->size - at : piece;
            ssize_t n = write(ends[1], content->data + at, size);
            if (n <= 0)
                _exit(1);
            at += (size_t)n;
        }
        _exit(0);
    }
    close(ends[1]);
    *out = ends[0];
    return child;
}

static void assert_child_succeeded(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void the_standard_input_may_be_a_pipe_and_stays_open(void **state)
{
    static const size_t pieces[] = {1, 4095, 1 << 20};
    static const uint32_t counts[] = {100, 3000, 3000};
    for (uint32_t i = 0; i < 3; i++) {
        Bytes content = {0};
        append_lines(&content, i, counts[i], 2000);
        int before = dup(STDIN_FILENO), end;
        pid_t child = write_through_pipe(&end, &content, pieces[i]);
        assert_int_equal(dup2(end, STDIN_FILENO), STDIN_FILENO);
        close(end);
        LineReader reader;
        assert_ok(lines_open(&reader, "-"));
        assert_string_equal(reader.path, "stdin");
        assert_lines(&reader, i, counts[i], 2000);
        lines_close(&reader);
        assert_int_not_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
        assert_child_succeeded(child);
        dup2(before, STDIN_FILENO);
        close(before);
        bytes_free(&content);
    }
}

static void a_named_pipe_is_read_like_a_file(void **state)
{
    char *path = path_join(folder, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int end = open(path, O_WRONLY);
        _exit(write(end, "{1}\n{2}", 7) == 7 ? 0 : 1);
    }
    LineReader reader;
    assert_ok(lines_open(&reader, path));
    assert_line(&reader, "{1}", 1);
    assert_line(&reader, "{2}", 2);
    assert_end(&reader);
    lines_close(&reader);
    assert_child_succeeded(child);
    free(path);
}

// ---- what is refused

static void assert_open_refused(const char *content, size_t size, const char *what)
{
    char *path = write_file("other", content, size), *expected = NULL;
    LineReader reader;
    assert_true(asprintf(&expected, what, path) > 0);
    assert_refused(lines_open(&reader, path), expected);
    assert_ptr_equal(strstr(error_text(), path), error_text());
    free(expected);
    free(path);
}

static void files_that_are_no_jsonl_are_refused_by_name_with_a_remedy(void **state)
{
    assert_open_refused("PAR1\x15\x04", 6,
                        "a Parquet file; turn it into JSONL first: dev/parquet_to_jsonl.py %s > rows.jsonl");
    assert_open_refused("\x1F\x8B\x08\0", 4, "compressed; zcat %s > rows.jsonl");
    assert_open_refused("\x28\xB5\x2F\xFD\x04", 5, "compressed; zstdcat %s > rows.jsonl");
    assert_open_refused("\xFD"
                        "7zXZ\0",
                        6, "compressed; xzcat %s > rows.jsonl");
    assert_open_refused("BZh91AY", 7, "compressed; bzcat %s > rows.jsonl");
    assert_open_refused("\xFF\xFE{\0}\0", 6, "UTF-16, not UTF-8; iconv -f UTF-16 -t UTF-8 %s");
    assert_open_refused("\xFE\xFF\0{\0}", 6, "UTF-16, not UTF-8; iconv -f UTF-16 -t UTF-8 %s");
    assert_open_refused("[\n{\"a\": 1}\n]\n", 13, "a JSON array, not one object a line; jq -c '.[]' %s writes JSONL");
    assert_open_refused("\xEF\xBB\xBF\r\n [{}]", 9, "a JSON array");
    static const char *const others[][2] = {
        {"id,text\n1,\"a, b\"\n", "a table of values (CSV), not JSONL; python3 -c 'import csv, json, sys; "},
        {"id\ttext\n1\ta, b\n", "a table of values (TSV), not JSONL; python3 -c 'import csv, json, sys; "},
        {"{\n  \"id\": 1\n}\n{\n  \"id\": 2\n}\n",
         "objects over several lines, not one object a line; jq -c . %s writes"},
        {"<!DOCTYPE html>\n<html>", "a page of HTML"},
        {"<?xml version=\"1.0\"?>\n<a/>", "XML"},
        {"---\n- id: 1\n", "YAML, not JSONL; yq -o=json -I=0 '.[]' %s writes JSONL"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"},
        {"PK\x03\x04zip", "compressed; unzip -p %s > rows.jsonl"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_open_refused(others[i][0], strlen(others[i][0]), others[i][1]);
}

static void a_bad_row_is_no_file_of_another_kind(void **state)
{
    static const char *const rows[] = {"once, upon, a time\n{\"a\": 1}\n", "nonsense\n{\"a\": 1}\nmore\n", "{}\r\n",
                                       "a, b"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LineReader reader;
        char *path = write_file("bad.jsonl", rows[i], strlen(rows[i]));
        assert_ok(lines_open(&reader, path));
        lines_close(&reader);
        free(path);
    }
}

static void folders_devices_and_missing_files_are_refused(void **state)
{
    LineReader reader;
    char *missing = path_join(folder, "missing.jsonl");
    assert_refused(lines_open(&reader, folder), "a folder, not a file");
    assert_refused(lines_open(&reader, "/dev/zero"), "/dev/zero: neither a regular file nor a pipe");
    assert_refused(lines_open(&reader, missing), "missing.jsonl: No such file or directory");
    free(missing);
}

static void a_line_over_the_limit_is_refused_and_passed_over(void **state)
{
    static const char after[] = "\n{2}\n";
    size_t size = LINE_LIMIT + (3 << 20) + sizeof after - 1;
    char *content = allocate(size, 1);
    assert_non_null(content);
    memset(content, 'x', size);
    memcpy(content + size - (sizeof after - 1), after, sizeof after - 1);
    char *path = write_file("long.jsonl", content, size);
    LineReader reader;
    const char *text;
    size_t length;
    assert_ok(lines_open(&reader, path));
    assert_refused(lines_next(&reader, &text, &length), "long.jsonl:1: a line of more than 67108864 bytes;");
    assert_null(text);
    assert_false(reader.ended);
    assert_line(&reader, "{2}", 2);
    assert_end(&reader);
    assert_int_equal(reader.consumed, size);
    lines_close(&reader);
    free(content);
    free(path);
}

static void a_line_at_the_limit_is_read_and_one_more_byte_at_the_end_of_the_file_is_not(void **state)
{
    size_t size = 2 * LINE_LIMIT + 2;
    char *content = allocate(size, 1);
    assert_non_null(content);
    memset(content, 'x', size);
    content[LINE_LIMIT] = '\n';
    char *path = write_file("limit.jsonl", content, size);
    LineReader reader;
    const char *text;
    assert_ok(lines_open(&reader, path));
    assert_ok(lines_next(&reader, &text, &size));
    assert_int_equal(size, LINE_LIMIT);
    assert_refused(lines_next(&reader, &text, &size), "limit.jsonl:2: a line of more than");
    assert_false(reader.ended); // a bad line, not a bad file
    assert_end(&reader);
    lines_close(&reader);
    free(content);
    free(path);
}

static void a_read_error_ends_the_file_and_gives_no_half_line(void **state)
{
    Bytes content = {0};
    append_lines(&content, 1, 10, 3000);
    content.size -= 100; // the last line is not whole
    char *path = write_file("broken.jsonl", content.data, content.size);
    LineReader reader;
    const char *text = "";
    size_t size;
    assert_ok(lines_open(&reader, path));
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY); // whose bytes can't be read
    assert_int_equal(dup2(descriptor, reader.descriptor), reader.descriptor);
    close(descriptor);
    bool ok = true;
    for (int i = 0; ok && i < 10; i++)
        ok = lines_next(&reader, &text, &size);
    assert_false(ok);
    assert_null(text);
    assert_non_null(strstr(error_text(), "broken.jsonl: reading after "));
    assert_true(reader.ended);
    assert_end(&reader);
    lines_close(&reader);
    bytes_free(&content);
    free(path);
}

// ---- folders

static void a_folder_stands_for_its_jsonl_files_in_order(void **state)
{
    char *data = path_join(folder, "data"), *empty = path_join(folder, "nothing"), *a = path_join(data, "a.jsonl"),
         *b = path_join(data, "b.jsonl"), **files;
    size_t count;
    assert_ok(folder_make(data) && folder_make(empty));
    free(write_file("data/b.jsonl", "", 0));
    free(write_file("data/a.jsonl", "", 0));
    static const char *const beside[] = {"data/c.json",    "data/d.jsonl.gz", "data/e.parquet", "data/README.md",
                                         "data/._a.jsonl", "data/.f.json",    "data/g.JSONL",   "data/deeper/h.jsonl"};
    char *deeper = path_join(data, "deeper");
    assert_ok(folder_make(deeper));
    free(deeper);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        free(write_file(beside[i], "", 0));
    assert_ok(jsonl_files(&files, &count, (const char *const[]){"-", data, "x"}, 3));
    assert_int_equal(count, 4);
    assert_string_equal(files[0], "-");
    assert_string_equal(files[1], a);
    assert_string_equal(files[2], b);
    assert_string_equal(files[3], "x");
    names_free(files, count);
    assert_refused(jsonl_files(&files, &count, (const char *const[]){data, empty}, 2), "nothing: there is no *.jsonl");
    assert_int_equal(count, 0);
    NameTable others = {0};
    assert_ok(jsonl_passed_over(&others, data) && jsonl_passed_over(&others, a));
    static const char *const named[] = {"c.json", "d.jsonl.gz", "deeper", "e.parquet",
                                        "g.JSONL"}; // hidden ones are ignored
    assert_int_equal(others.count, sizeof named / sizeof *named);
    for (size_t i = 0; i < others.count; i++)
        assert_string_equal(strrchr(others.names[i], '/') + 1, named[i]);
    name_table_free(&others);
    free(write_file("nothing/rows.parquet", "", 0));
    assert_refused(jsonl_files(&files, &count, (const char *const[]){empty}, 1), "no *.jsonl in this folder, but ");
    free(data);
    free(empty);
    free(a);
    free(b);
}

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_lines_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) { return !folder_remove(folder); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_may_end_as_windows_ends_them_and_begin_with_a_mark),
        cmocka_unit_test(an_empty_file_has_no_lines),
        cmocka_unit_test(a_line_may_hold_nul),
        cmocka_unit_test(lines_across_the_borders_of_reads_are_whole),
        cmocka_unit_test(a_newline_at_a_border_belongs_to_the_line_before),
        cmocka_unit_test(the_standard_input_may_be_a_pipe_and_stays_open),
        cmocka_unit_test(a_named_pipe_is_read_like_a_file),
        cmocka_unit_test(files_that_are_no_jsonl_are_refused_by_name_with_a_remedy),
        cmocka_unit_test(a_bad_row_is_no_file_of_another_kind),
        cmocka_unit_test(folders_devices_and_missing_files_are_refused),
        cmocka_unit_test(a_line_over_the_limit_is_refused_and_passed_over),
        cmocka_unit_test(a_line_at_the_limit_is_read_and_one_more_byte_at_the_end_of_the_file_is_not),
        cmocka_unit_test(a_read_error_ends_the_file_and_gives_no_half_line),
        cmocka_unit_test(a_folder_stands_for_its_jsonl_files_in_order),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
