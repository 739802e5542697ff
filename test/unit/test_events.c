// Event files for TensorBoard: records as its readers know them, what is cut off when a run goes on, and files that are
// torn or foreign. That TensorBoard itself reads them is test/crash/scalars.sh's.
#include "system/files.h"
#include "test/support/check.h"

#include "log/event.pb-c.h"
#include "log/events.h"
#include "log/log.h"
#include <math.h>
#include <unistd.h>

static char folder[] = "/tmp/test_events-XXXXXX";
static char *out; // where the files are
enum { MOST = 32 };

typedef struct Events {
    Event *list[MOST];
    size_t count;
} Events;

// The events of our n-th file, in the order of names; each record is checked.
static Events read_events(size_t n)
{
    Events events = {0};
    char **names;
    size_t count, at = 0;
    Bytes file = {0};
    assert_ok(folder_list(&names, &count, out));
    assert_true(n < count);
    char *path = path_join(out, names[n]);
    assert_ok(file_read(&file, path, 1 << 20));
    while (at < file.size) {
        uint64_t length;
        uint32_t check[2];
        memcpy(&length, file.data + at, 8); // little endian, as this test's machines are
        memcpy(check, file.data + at + 8, 4);
        memcpy(check + 1, file.data + at + 12 + length, 4);
        uint32_t of_length = crc32c(file.data + at, 8), of_data = crc32c(file.data + at + 12, length);
        assert_int_equal(check[0], (of_length >> 15 | of_length << 17) + 0xa282ead8u);
        assert_int_equal(check[1], (of_data >> 15 | of_data << 17) + 0xa282ead8u);
        assert_true(events.count < MOST);
        events.list[events.count] = event__unpack(NULL, length, (const uint8_t *)file.data + at + 12);
        assert_non_null(events.list[events.count++]);
        at += 16 + length;
    }
    bytes_free(&file);
    free(path);
    names_free(names, count);
    return events;
}

static void free_events(Events *events)
{
    for (size_t i = 0; i < events->count; i++)
        event__free_unpacked(events->list[i], NULL);
}

static size_t files(void)
{
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, out));
    names_free(names, count);
    return count;
}

static void write_steps(int64_t resumed, int64_t first, int64_t last)
{
    EventFile file;
    assert_ok(events_open(&file, out, resumed));
    for (int64_t step = first; step <= last; step++)
        assert_ok(events_scalars(&file, step, (LogField[]){{"loss", 1.0 / (double)step}, {"lr", NAN}}, 2));
    assert_ok(events_close(&file));
}

static int begin(void **state)
{
    (void)state;
    assert_ok(events_cut(out, -1));
    return 0;
}

static void checks_are_castagnolis(void **state) // the check value that catalogues of CRCs give
{
    (void)state;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c("", 0), 0);
}

static void scalars_are_floats_of_the_log(void **state)
{
    (void)state;
    write_steps(-1, 1, 2);
    Events events = read_events(0);
    assert_int_equal(events.count, 3);
    assert_string_equal(events.list[0]->file_version, "brain.Event:2");
    for (int64_t step = 1; step <= 2; step++) {
        const Event *e = events.list[step];
        assert_int_equal(e->step, step);
        assert_true(e->wall_time > 1.6e9);
        assert_int_equal(e->summary->n_value, 2);
        assert_string_equal(e->summary->value[0]->tag, "loss");
        assert_true(e->summary->value[0]->simple_value == (float)(1.0 / (double)step));
        assert_true(isnan(e->summary->value[1]->simple_value));
    }
    free_events(&events);
}

static void a_run_that_goes_on_has_no_step_twice(void **state)
{
    (void)state;
    write_steps(-1, 1, 5);
    assert_ok(events_cut(out, 3));
    write_steps(3, 4, 4);
    assert_int_equal(files(), 2);
    Events before = read_events(0), after = read_events(1);
    assert_int_equal(before.count, 4);
    assert_int_equal(before.list[3]->step, 3);
    assert_int_equal(after.count, 3);
    assert_int_equal(after.list[1]->session_log->status, SESSION_LOG__SESSION_STATUS__START);
    assert_int_equal(after.list[1]->step, 4); // what a reader has seen from here on is forgotten
    assert_int_equal(after.list[2]->step, 4);
    free_events(&before);
    free_events(&after);
}

static void what_writes_nothing_leaves_no_file(void **state)
{
    (void)state;
    write_steps(-1, 1, 1);
    write_steps(1, 2, 1);
    assert_int_equal(files(), 1);
}

// Every size that a kill can leave.
static void torn_records_are_cut_off(void **state)
{
    (void)state;
    write_steps(-1, 1, 2);
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, out));
    char *path = path_join(out, names[0]);
    Bytes whole = {0};
    assert_ok(file_read(&whole, path, 1 << 20));
    Events all = read_events(0);
    size_t last = whole.size - 16 - event__get_packed_size(all.list[2]);
    for (size_t size = last; size < whole.size; size++) {
        assert_ok(file_write_atomic(path, whole.data, size));
        assert_ok(events_cut(out, 9));
        Events events = read_events(0);
        assert_int_equal(events.count, 2);
        free_events(&events);
    }
    free_events(&all);
    bytes_free(&whole);
    free(path);
    names_free(names, count);
}

static void other_files_are_left_alone(void **state)
{
    (void)state;
    write_steps(-1, 1, 1);
    const char *const others[] = {"events.out.tfevents.1.host", "notes.dereason"};
    for (size_t i = 0; i < 2; i++) {
        char *path = path_join(out, others[i]);
        assert_ok(file_write_atomic(path, "mine", 4));
        free(path);
    }
    assert_ok(events_cut(out, -1));
    assert_int_equal(files(), 2);
    for (size_t i = 0; i < 2; i++) {
        char *path = path_join(out, others[i]);
        unlink(path);
        free(path);
    }
    assert_ok(events_cut("/tmp/there-is-no-such-folder", 3));
}

static void histograms_count_every_finite_value(void **state)
{
    (void)state;
    EventFile file;
    const double values[] = {0, 30, 15, 15, NAN, 29.5, INFINITY, 1}, same[] = {7, 7}, none[] = {NAN};
    assert_ok(events_open(&file, out, -1));
    assert_ok(events_histogram(&file, 1, "lengths", values, 8));
    assert_ok(events_histogram(&file, 2, "same", same, 2));
    assert_ok(events_histogram(&file, 3, "none", none, 1));
    assert_ok(events_close(&file));
    Events events = read_events(0);
    assert_int_equal(events.count, 3); // version, lengths, same
    const HistogramProto *h = events.list[1]->summary->value[0]->histo;
    assert_true(h->min == 0 && h->max == 30 && h->num == 6 && h->sum == 90.5);
    assert_true(h->sum_squares == 30.0 * 30 + 2 * 15.0 * 15 + 29.5 * 29.5 + 1);
    assert_int_equal(h->n_bucket, HISTOGRAM_BUCKETS);
    assert_true(h->bucket_limit[0] == 1 && h->bucket[0] == 2); // 0 and 1: limits belong to the bucket below
    assert_true(h->bucket[14] == 2 && h->bucket[29] == 2 && h->bucket_limit[29] == 30);
    const HistogramProto *s = events.list[2]->summary->value[0]->histo;
    double sum = 0;
    for (size_t b = 0; b < s->n_bucket; b++)
        sum += s->bucket[b];
    assert_true(sum == 2 && s->min == 7 && s->max == 7);
    free_events(&events);
}

int main(void)
{
    assert_non_null(mkdtemp(folder));
    out = path_join(folder, "tensorboard");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(checks_are_castagnolis, begin),
        cmocka_unit_test_setup(scalars_are_floats_of_the_log, begin),
        cmocka_unit_test_setup(a_run_that_goes_on_has_no_step_twice, begin),
        cmocka_unit_test_setup(what_writes_nothing_leaves_no_file, begin),
        cmocka_unit_test_setup(torn_records_are_cut_off, begin),
        cmocka_unit_test_setup(other_files_are_left_alone, begin),
        cmocka_unit_test_setup(histograms_count_every_finite_value, begin),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    folder_remove(folder);
    free(out);
    return failed;
}
