// The external sort against sorting in memory: many sizes of keys and records, little memory and therefore many runs,
// and what happens when the disk is full.
#include "system/sorter.h"
#include "system/files.h"
#include "test/support/check.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LITTLE = 256 << 10, KEY_MOST = 24 }; // LITTLE: four buffers, so that five runs already need a pass of their own

static char folder[64];

typedef struct Sample { // one record; its bytes are a function of its number
    uint8_t key[KEY_MOST];
    uint32_t number;
    size_t size;
} Sample;

typedef struct Samples {
    Sample *list; // (count) in the order that is expected
    size_t count, key_size;
} Samples;

static uint8_t byte_at(uint32_t number, size_t i) { return (uint8_t)(number * 31 + i * 7 + (i >> 8)); }

static void add_sample(Sorter *sorter, const Sample *sample)
{
    uint8_t *data = allocate(sample->size, 1);
    assert_non_null(data);
    for (size_t i = 0; i < sample->size; i++)
        data[i] = byte_at(sample->number, i);
    assert_ok(sorter_add(sorter, sample->key, data, sample->size));
    free(data);
}

static size_t compared_bytes; // of the keys, for compare_samples

static int compare_samples(const void *a, const void *b)
{
    const Sample *x = a, *y = b;
    int order = memcmp(x->key, y->key, compared_bytes);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

// Records of random sizes and keys, some of `kinds` values, added in the order of their numbers and sorted here.
static Samples add_samples(Sorter *sorter, size_t count, size_t key_size, uint32_t kinds, size_t largest, uint32_t seed)
{
    Samples s = {.list = allocate(count, sizeof *s.list), .count = count, .key_size = key_size};
    assert_non_null(s.list);
    for (size_t i = 0; i < count; i++) {
        Philox p = random_bits(seed, RANDOM_SAMPLE, (uint32_t)i, 0, 0),
               q = random_bits(seed, RANDOM_SAMPLE, p.v[0] % kinds, 1, 0),
               r = random_bits(seed, RANDOM_SAMPLE, p.v[0] % kinds, 2, 0);
        memcpy(s.list[i].key, q.v, 16);
        memcpy(s.list[i].key + 16, r.v, 8);
        if (kinds % 2 == 1) // keys that differ behind their first 8 bytes only
            memset(s.list[i].key, 7, 8);
        s.list[i].number = (uint32_t)i;
        s.list[i].size = p.v[1] % 5 == 0 ? 0 : p.v[2] % (largest + 1);
        add_sample(sorter, &s.list[i]);
    }
    compared_bytes = key_size;
    qsort(s.list, count, sizeof *s.list, compare_samples);
    return s;
}

static void assert_sample(Sorter *sorter, const Sample *expected, size_t key_size)
{
    const uint8_t *key, *data;
    size_t size;
    assert_ok(sorter_next(sorter, &key, &data, &size));
    assert_non_null(key);
    assert_memory_equal(key, expected->key, key_size);
    assert_int_equal(size, expected->size);
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_at(expected->number, i))
            fail_msg("byte %zu of record %u is another", i, expected->number);
}

static void assert_end(Sorter *sorter)
{
    const uint8_t *key, *data;
    size_t size;
    for (int i = 0; i < 2; i++) {
        assert_ok(sorter_next(sorter, &key, &data, &size));
        assert_null(key);
    }
}

static void assert_sorted(Sorter *sorter, const Samples *s)
{
    assert_ok(sorter_sort(sorter));
    for (size_t i = 0; i < s->count; i++)
        assert_sample(sorter, &s->list[i], s->key_size);
    assert_end(sorter);
}

static Sorter *open_sorter(size_t key_size, size_t memory)
{
    Sorter *sorter = sorter_open(folder, key_size, memory);
    if (sorter == NULL)
        fail_msg("%s", error_text());
    return sorter;
}

static void assert_folder_empty(void)
{
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, folder));
    if (count > 0)
        fail_msg("%s was left behind", names[0]);
    names_free(names, count);
}

static void what_fits_is_sorted_in_memory(void **state)
{
    Sorter *sorter = open_sorter(16, 16 << 20);
    Samples s = add_samples(sorter, 5000, 16, 1 << 30, 200, 1);
    assert_sorted(sorter, &s);
    assert_int_equal(sorter_runs(sorter), 0);
    sorter_close(sorter);
    free(s.list);
}

static void runs_are_merged_in_one_pass_or_in_several(void **state)
{
    static const struct {
        size_t records, key_size, largest;
        uint64_t least, most; // runs
    } cases[] = {{1200, 8, 1000, 2, 4},
                 {4000, 16, 1000, 5, 16},
                 {12000, 24, 1000, 17, 64},
                 {30000, 1, 40, 5, 64},
                 {80, 3, 60000, 5, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Sorter *sorter = open_sorter(cases[i].key_size, LITTLE);
        Samples s = add_samples(sorter, cases[i].records, cases[i].key_size, 1 << 30, cases[i].largest, (uint32_t)i);
        assert_sorted(sorter, &s);
        if (sorter_runs(sorter) < cases[i].least || sorter_runs(sorter) > cases[i].most)
            fail_msg("%" PRIu64 " runs of case %zu", sorter_runs(sorter), i);
        sorter_close(sorter);
        free(s.list);
    }
    assert_folder_empty();
}

static void equal_keys_keep_the_order_of_adding(void **state)
{
    static const uint32_t kinds[] = {1, 2, 13};
    for (size_t i = 0; i < 3; i++)
        for (size_t memory = LITTLE; memory <= 16 << 20; memory <<= 6) {
            Sorter *sorter = open_sorter(24, memory);
            Samples s = add_samples(sorter, 9000, 24, kinds[i], 300, 5);
            assert_sorted(sorter, &s);
            assert_int_equal(sorter_runs(sorter) > 4, memory == LITTLE);
            sorter_close(sorter);
            free(s.list);
        }
}

static void keys_are_ordered_as_memcmp_orders_them(void **state)
{
    static const char *const keys[] = {"\x80\0\0", "\x7f\xff\xff", "\0\0\1", "\xff\0\0", "\0\0\0", "\x80\0\1"};
    static const int order[] = {4, 2, 1, 0, 5, 3};
    Sorter *sorter = open_sorter(3, LITTLE);
    for (int i = 0; i < 6; i++)
        assert_ok(sorter_add(sorter, keys[i], &i, sizeof i));
    assert_ok(sorter_sort(sorter));
    for (int i = 0; i < 6; i++) {
        const uint8_t *key, *data;
        size_t size;
        assert_ok(sorter_next(sorter, &key, &data, &size));
        assert_memory_equal(data, &order[i], sizeof(int));
    }
    sorter_close(sorter);
}

static void no_record_at_all_is_no_error(void **state)
{
    Sorter *sorter = open_sorter(8, LITTLE);
    Samples none = {.key_size = 8};
    assert_sorted(sorter, &none);
    assert_sorted(sorter, &none);
    sorter_close(sorter);
}

static void records_larger_than_the_memory_come_out_whole(void **state)
{
    Sorter *sorter = open_sorter(8, LITTLE);
    Samples s = {.list = allocate(40, sizeof *s.list), .count = 40, .key_size = 8};
    for (uint32_t i = 0; i < 40; i++) { // every third is large; each of these begins its run
        s.list[i] = (Sample){.key = {(uint8_t)(i * 37 % 11)}, .number = i, .size = i % 3 == 0 ? 700000 + i : 1000 * i};
        add_sample(sorter, &s.list[i]);
    }
    compared_bytes = 8;
    qsort(s.list, s.count, sizeof *s.list, compare_samples);
    assert_sorted(sorter, &s);
    assert_true(sorter_runs(sorter) > 4);
    assert_sorted(sorter, &s);
    sorter_close(sorter);
    free(s.list);
}

static void sorting_again_begins_again(void **state)
{
    for (size_t memory = LITTLE; memory <= 16 << 20; memory <<= 6) {
        Sorter *sorter = open_sorter(16, memory);
        Samples s = add_samples(sorter, 6000, 16, 1 << 30, 500, 9);
        assert_sorted(sorter, &s);
        uint64_t runs = sorter_runs(sorter);
        assert_ok(sorter_sort(sorter));
        for (size_t i = 0; i < 100; i++)
            assert_sample(sorter, &s.list[i], 16);
        assert_sorted(sorter, &s); // from the middle
        assert_int_equal(sorter_runs(sorter), runs);
        sorter_close(sorter);
        free(s.list);
    }
}

static void calls_out_of_order_and_records_without_measure_are_refused(void **state)
{
    const uint8_t *key, *data;
    size_t size;
    Sorter *sorter = open_sorter(4, LITTLE);
    assert_refused(sorter_next(sorter, &key, &data, &size), "read before it was done");
    assert_refused(sorter_add(sorter, "abcd", "", SIZE_MAX), "too large to sort");
    assert_refused(sorter_add(sorter, "abcd", "", (size_t)1 << 31), "too large to sort");
    assert_ok(sorter_sort(sorter));
    assert_refused(sorter_add(sorter, "abcd", "", 0), "a sort that is done");
    sorter_close(sorter);
    sorter_close(NULL);
}

// ---- the disk

static bool add_until_refused(Sorter *sorter, size_t bytes)
{
    static const uint8_t data[1000];
    for (size_t i = 0; i < bytes / sizeof data; i++)
        TRY(sorter_add(sorter, &i, data, sizeof data));
    return sorter_sort(sorter);
}

static void a_full_disk_is_told_with_folder_and_place_and_nothing_stays(void **state)
{
    struct rlimit before, little;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t room = 100000; room < 8000000; room *= 4) { // while adding, and in a later pass of merging
        little = (struct rlimit){.rlim_cur = room, .rlim_max = before.rlim_max};
        Sorter *sorter = open_sorter(8, LITTLE);
        char *expected = NULL;
        assert_true(asprintf(&expected, "%s: writing the sort's temporary file after %zu bytes; free some space",
                             folder, room) > 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
        error_clear();
        bool ok = add_until_refused(sorter, 4 << 20);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_false(ok);
        if (strstr(error_text(), expected) == NULL)
            fail_msg("expected '%s', but it is: %s", expected, error_text());
        sorter_close(sorter);
        assert_folder_empty();
        free(expected);
    }
    signal(SIGXFSZ, handler);
}

static bool no_unnamed_files; // as on a file system that has none

int open(const char *path, int flags, ...) // this program's own stands before libc's
{
    if (no_unnamed_files && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void a_file_that_must_have_a_name_loses_it_at_once(void **state)
{
    no_unnamed_files = true;
    Sorter *sorter = open_sorter(16, LITTLE);
    Samples s = add_samples(sorter, 4000, 16, 1 << 30, 1000, 2);
    assert_true(sorter_runs(sorter) > 0);
    assert_folder_empty();
    assert_sorted(sorter, &s);
    sorter_close(sorter);
    free(s.list);
    no_unnamed_files = false;
}

static void a_missing_folder_is_named(void **state)
{
    char *missing = path_join(folder, "missing");
    Sorter *sorter = sorter_open(missing, 8, LITTLE);
    assert_non_null(sorter);
    assert_refused(add_until_refused(sorter, 1 << 20), "missing: making a temporary file for sorting: No such file");
    sorter_close(sorter);
    free(missing);
}

static size_t peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss;
}

// 48 MB through 8 MB. A sanitizer keeps what was freed for a while and surrounds what is there: no measure of the sort.
static void memory_stays_where_it_was_asked_to(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
    skip();
#endif
    static const uint8_t data[1000];
    Sorter *sorter = open_sorter(16, 8 << 20);
    size_t before = peak_kilobytes();
    for (uint32_t i = 0; i < 48000; i++) {
        Philox key = random_bits(3, RANDOM_SAMPLE, i, 0, 0);
        assert_ok(sorter_add(sorter, &key, data, sizeof data));
    }
    assert_ok(sorter_sort(sorter));
    const uint8_t *key, *record;
    size_t size, count = 0;
    for (;; count++) {
        assert_ok(sorter_next(sorter, &key, &record, &size));
        if (key == NULL)
            break;
    }
    assert_int_equal(count, 48000);
    size_t used = peak_kilobytes() - before;
    if (used > 9 << 10) // and a megabyte for lists and the output's buffer
        fail_msg("%zu kB were used", used);
    sorter_close(sorter);
}

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_sorter_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) { return !folder_remove(folder); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_where_it_was_asked_to), // first: the peak of the process is never lower again
        cmocka_unit_test(what_fits_is_sorted_in_memory),
        cmocka_unit_test(runs_are_merged_in_one_pass_or_in_several),
        cmocka_unit_test(equal_keys_keep_the_order_of_adding),
        cmocka_unit_test(keys_are_ordered_as_memcmp_orders_them),
        cmocka_unit_test(no_record_at_all_is_no_error),
        cmocka_unit_test(records_larger_than_the_memory_come_out_whole),
        cmocka_unit_test(sorting_again_begins_again),
        cmocka_unit_test(calls_out_of_order_and_records_without_measure_are_refused),
        cmocka_unit_test(a_full_disk_is_told_with_folder_and_place_and_nothing_stays),
        cmocka_unit_test(a_file_that_must_have_a_name_loses_it_at_once),
        cmocka_unit_test(a_missing_folder_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
