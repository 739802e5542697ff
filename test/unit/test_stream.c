// What waits for the reader of a stream.
#include "serving/service.h"
#include "test/support/check.h"

// A reader who never reads all that there is: what was read is the stream, and only what was not is kept.
static void what_a_reader_has_read_is_not_kept(void **state)
{
    enum { EVENTS = 20000, WRITTEN = 1000, READ = 999 };
    Job job = {0};
    char event[WRITTEN], read[READ];
    int64_t written = 0, taken = 0;
    for (int i = 0; i < EVENTS; i++) {
        for (int k = 0; k < WRITTEN; k++)
            event[k] = (char)(written++ % 251);
        assert_ok(bytes_append(&job.out, event, WRITTEN));
        assert_int_equal(job_read(&job, read, READ), READ);
        for (int k = 0; k < READ; k++)
            assert_int_equal(read[k], (char)(taken++ % 251));
    }
    assert_true(job.out.capacity <= 4 * SERVICE_BUFFER); // a buffer that was read, one that was not, and its doubling
    while (job_read(&job, read, READ) > 0) {
    }
    assert_int_equal(job.out.size, 0);
    bytes_free(&job.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_reader_has_read_is_not_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
