// Answers that are kept: an answer in the answer file is not asked for again, after a kill at any write too.
#include "test/support/failpoints.h"
#include "test/support/endpoint.h"
#include "server/answer_file.h"

static int64_t lines_of_cache(void)
{
    Bytes file = {0};
    int64_t lines = 0;
    assert_ok(file_read(&file, cache_path, 1 << 20));
    for (const char *c = file.data; (c = strchr(c, '\n')) != NULL; c++)
        lines++;
    bytes_free(&file);
    return lines;
}

static void an_answer_from_the_cache_is_the_one_that_came(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    options.logprobs = true;
    int requests = 0;
    for (int time = 0; time < 3; time++) {
        Endpoint *endpoint = open_with(&options); // each time another one
        EndpointAnswer answer = ask_one(endpoint, "right 0 cached");
        assert_right(&answer, "right 0 cached");
        assert_candidates(&answer);
        assert_int_equal(answer.attempts, time == 0 ? 1 : 0);
        answer = ask_one(endpoint, "right 0 cached"); // by the same one
        assert_right(&answer, "right 0 cached");
        assert_int_equal(answer.attempts, 0);
        requests = time == 0 ? server.seen->requests : requests;
        assert_int_equal(server.seen->requests, requests);
        assert_int_equal(lines_of_cache(), 1);
        endpoint_close(endpoint);
        options.url = time == 0 ? "http://127.0.0.1:1/v1" : server.url; // another address is not another question
    }
}

static void another_question_model_or_setting_is_another_key(void **state)
{
    EndpointOptions options = options_for(fresh_cache()), changed[6];
    for (int i = 0; i < 6; i++)
        changed[i] = options;
    changed[1].model = "judge2";
    changed[2].temperature = 0.5;
    changed[3].max_tokens = 17;
    changed[4].seed = 0;
    changed[5].logprobs = true;
    for (int i = 0; i < 6; i++) {
        Endpoint *endpoint = open_with(&changed[i]);
        assert_int_equal(ask_one(endpoint, "right 0 keys").attempts, 1);
        endpoint_close(endpoint);
    }
    Endpoint *endpoint = open_with(&options);
    assert_int_equal(ask_one(endpoint, "right 0 keys").attempts, 0);
    assert_int_equal(ask_one(endpoint, "right 0 other").attempts, 1);
    assert_int_equal(lines_of_cache(), 7);
    endpoint_close(endpoint);
}

static void the_same_question_twice_has_one_answer(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer;
    for (uint64_t i = 0; i < 40; i++) // more than are in flight: some find it in the queue, some on their way
        assert_ok(ask(endpoint, "right 0 twice", i));
    for (uint64_t i = 0; i < 40; i++) {
        assert_ok(endpoint_next(endpoint, &answer));
        assert_right(&answer, "right 0 twice");
    }
    assert_int_equal(lines_of_cache(), 1);
    assert_true(server_attempts(&server, "right 0 twice") <= 16);
    endpoint_close(endpoint);
}

static void failures_are_not_kept(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    options.attempts = 1;
    Endpoint *endpoint = open_with(&options);
    assert_true(ask_one(endpoint, "down 1 kept").failed);
    EndpointAnswer answer = ask_one(endpoint, "down 1 kept");
    assert_right(&answer, "down 1 kept");
    assert_int_equal(lines_of_cache(), 1);
    endpoint_close(endpoint);
}

enum { KILL_QUESTIONS = 6 };

typedef struct KillRun {
    int number; // so that its questions are its own
} KillRun;

static void kill_question(char text[64], const KillRun *run, int i)
{
    snprintf(text, 64, "right 0 kill-%d-%d", run->number, i);
}

static bool ask_them_all(void *context)
{
    char text[64];
    EndpointOptions options = options_for(cache_path);
    EndpointAnswer answer;
    options.in_flight = 1; // in their order
    Endpoint *endpoint = endpoint_open(&options);
    bool ok = endpoint != NULL;
    for (int i = 0; ok && i < KILL_QUESTIONS; i++) {
        kill_question(text, context, i);
        ok = ask(endpoint, text, (uint64_t)i);
    }
    for (int i = 0; ok && i < KILL_QUESTIONS; i++) {
        ok = endpoint_next(endpoint, &answer);
        kill_question(text, context, ok ? (int)answer.tag : 0);
        ok = ok && is_right(&answer, text);
    }
    endpoint_close(endpoint);
    return ok;
}

static void after_a_kill_at_any_write_no_answer_that_was_written_is_asked_for_again(void **state)
{
    for (int killed = 0; killed <= KILL_QUESTIONS; killed++) {
        char text[64];
        KillRun run = {killed};
        fresh_cache();
        assert_true(survives_kill(killed, ask_them_all, &run) == (killed == KILL_QUESTIONS));
        assert_true(ask_them_all(&run)); // over what is left: whole lines, and half of one
        assert_int_equal(lines_of_cache(), KILL_QUESTIONS);
        for (int i = 0; i < KILL_QUESTIONS; i++) {
            kill_question(text, &run, i);
            assert_int_equal(server_attempts(&server, text),
                             i == killed ? 2 : 1); // its answer came, and half of it was written
        }
    }
}

static void a_full_disk_is_an_error_and_leaves_whole_lines(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    Endpoint *endpoint = open_with(&options);
    EndpointAnswer answer = ask_one(endpoint, "right 0 fits");
    assert_right(&answer, "right 0 fits");
    assert_ok(ask(endpoint, "right 0 full", 1));
    failpoint_arm(FAIL_ERROR, 0);
    assert_refused(endpoint_next(endpoint, &answer), "free some space and run again: No space left on device");
    failpoint_arm(FAIL_NOT, 0);
    endpoint_close(endpoint);
    assert_int_equal(lines_of_cache(), 1);
}

static void one_process_at_a_time_has_the_cache(void **state)
{
    EndpointOptions options = options_for(fresh_cache());
    Endpoint *endpoint = open_with(&options);
    assert_refused(endpoint_open(&options), "another process keeps its answers in this file");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(endpoint_open(&options) == NULL ? 3 : 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    endpoint_close(endpoint);
    endpoint = open_with(&options); // and it is free again
    endpoint_close(endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_from_the_cache_is_the_one_that_came),
        cmocka_unit_test(another_question_model_or_setting_is_another_key),
        cmocka_unit_test(the_same_question_twice_has_one_answer),
        cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(after_a_kill_at_any_write_no_answer_that_was_written_is_asked_for_again),
        cmocka_unit_test(a_full_disk_is_an_error_and_leaves_whole_lines),
        cmocka_unit_test(one_process_at_a_time_has_the_cache),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
