// Scoring difficulty: what answers mean; and ./score, and ./generate, asking a server that misbehaves
// (test/support/server.h), as a user runs them.
#include "difficulty/rubric.h"
#include "system/files.h"
#include "test/support/check.h"
#include "test/support/server.h"

// ---- what answers mean

static void probabilities_give_level_and_expected_score(void **state)
{
    const double logprob[5] = {log(0.01), log(0.02), log(0.02), log(0.04),
                               log(0.01)}; // of a model that mostly says something else
    Difficulty d = difficulty_of_logprobs(logprob);
    assert_int_equal(d.level, 4);
    assert_false(d.defaulted);
    assert_true(fabs(d.probs[3] - 0.4) < 1e-12 && fabs(d.expected - 3.2) < 1e-12);
    const double tie[5] = {-3, -1, -1, -1, -9};
    assert_int_equal(difficulty_of_logprobs(tie).level, 2); // the easier of equals
    const double far[5] = {-9000, -9001, -INFINITY, -9500, -9600};
    d = difficulty_of_logprobs(far);
    assert_true(d.level == 1 && fabs(d.probs[0] - 1 / (1 + exp(-1))) < 1e-12);
    const double none[5] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    d = difficulty_of_logprobs(none);
    assert_true(d.level == 3 && d.defaulted && d.expected == 3 && d.probs[2] == 1);
}

static void votes_are_counted_and_no_vote_is_said(void **state)
{
    const int64_t votes[6] = {3, 0, 1, 0, 4, 0}, none[6] = {7, 0, 0, 0, 0, 0};
    Difficulty d = difficulty_of_votes(votes);
    assert_true(d.level == 4 && fabs(d.expected - 3.6) < 1e-12 && fabs(d.probs[1] - 0.2) < 1e-12 && !d.defaulted);
    assert_true(difficulty_of_votes(none).defaulted);
}

typedef struct Written {
    const char *text;
    int level; // 0: none
} Written;

static void assert_levels(const Written *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int level = difficulty_in_text(cases[i].text, strlen(cases[i].text));
        if (level != cases[i].level)
            fail_msg("'%s' was read as %d instead of %d", cases[i].text, level, cases[i].level);
    }
}
#define LEVELS(...)                                                                                                    \
    do {                                                                                                               \
        const Written cases_[] = {__VA_ARGS__};                                                                        \
        assert_levels(cases_, sizeof cases_ / sizeof *cases_);                                                         \
    } while (0)

static void a_written_level_stands_in_the_last_line(void **state)
{
    LEVELS({"4", 4}, {"Score: 4", 4}, {"Rating: 5", 5}, {"Difficulty: 4/5", 4}, {"**4**", 4}, {"\\boxed{4}", 4},
           {"4.", 4}, {"4\r\n\n", 4}, {"$4$", 4}, {"4.0", 4}, {"(4)", 4}, {"Score - 4", 4}, {"Level-4", 4}, {"- 4", 4},
           {"{\"score\": 4}", 4}, {"{\n  \"score\": 4\n}", 4}, {"```\n4\n```", 4}, {"Score: 4\n\n---\n**", 4},
           {"\uff14", 4}, {"\uff1a\uff14\u5206", 4}, {"five", 5}, {"Score: **Four**.", 4},
           {"The answer is \\boxed{\\text{2}} of 1", 2});
    LEVELS({"This needs 2 reasoning steps and algebra.\n\nScore: 4", 4}, {"Step 1: read. Step 2: solve.\n5", 5},
           {"1. Steps: many\n2. Knowledge: graduate\n3. Errors: likely\nRating: 5", 5}, {"2024 is a year. 4", 4},
           {"In 2024, 4", 4}, {"I would rate it between 3 and 4, so 4", 4}, {"I give a score of 4", 4},
           {"4 (5 is the hardest)", 4}, {"the 4th of them: 2", 2}, {"it is x2, so 3", 3});
}

static void a_scale_is_no_level(void **state)
{
    LEVELS({"On a scale from 1 to 5, I rate this a 4.", 4}, {"4 on a scale of 1-5", 4}, {"1\u20135: 4", 4},
           {"Difficulty (1-5): 4", 4}, {"from 1 (easy) to 5 (hard), 4", 4}, {"4 out of 5", 4}, {"4 stars out of 5", 4},
           {"4 of 5", 4}, {"5/5", 5}, {"1 / 5", 1}, {"**3**/5", 3}, {"$\\frac{4}{5}$", 4}, {"4/10", 0}, {"8/10", 0},
           {"4 out of 6", 0}, {"1-5", 0}, {"on a scale from 1 to 5", 0});
}

static void what_is_no_level_or_two_is_none(void **state)
{
    LEVELS({"10", 0}, {"Difficulty 15", 0}, {"3.5", 0}, {".5", 0}, {"3,5", 0}, {"-3", 0}, {"Score: -3", 0},
           {"\u22123", 0}, {"0", 0}, {"6", 0}, {"", 0}, {"N/A", 0}, {"hard", 0}, {"three of them", 0}, {"This one", 0},
           {"six", 0}, {"3-4", 0}, {"3\u20134", 0}, {"3 or 4", 0}, {"3 to 4", 0}, {"between 3 and 4", 0}, {"3, 4", 0},
           {"40000000000000000000004", 0}, {"4\nIt is hard.", 0}, {"4\n\u96be", 0});
}

static void a_label_says_which_number_is_the_level(void **state)
{
    LEVELS({"I rate it 4 because it needs 2 steps", 4}, {"{\"difficulty\": 2, \"max\": 5}", 2},
           {"{\n  \"score\": 4,\n  \"max\": 5\n}", 4}, {"{\"score\": 3, \"max_score\": 5}", 3},
           {"{\"reasoning_score\": 2, \"difficulty\": 4, \"steps\": 3}", 4},
           {"Score: 4\n\nLet me know if you have 2 questions!", 4},
           {"**Difficulty:** 2\n\nIt takes 3 steps, and then 1 more.", 2}, {"Score: 4 (not 3)", 4},
           {"Score: 4, not 5", 4}, {"Score: 4 - this one is hard", 4}, {"<score>4</score>", 4}, {"| Score | 3 |", 3},
           {"The overall difficulty is 4, as there are 2 theorems and 3 cases.", 4}, {"\\boxed{4}\nIt has 3 parts.", 4},
           {"**4**\n\nIt needs 2 steps.", 4}, {"Score: 4\nScore: 5", 5}, {"Score:4Score:5", 5},
           {"Difficulty [1-5]: 4", 4}, {"Difficulty: high (4)", 4}, {"Rating: 4 on a 1-5 scale", 4}, {"Level: 3\n5", 5},
           {"{\"score\": 4, \"why\": \"no level 2\"}", 4},
           {"Prerequisite level: 3\nError potential: 2\n\nOverall: 4", 4}, {"A rating of four", 4}, {"Grade = 4", 4});
    LEVELS({"I would not rate it 5", 0}, {"The difficulty is not 5", 0}, {"This is not a level 5 problem", 0},
           {"Score: 4%", 0}, {"Score: 3\u00bd", 0}, {"Score: 2-3", 0}, {"Score: 4 5", 0}, {"Score: 4+", 0},
           {"score>=4", 0}, {"Score: 4 or more", 0}, {"Score: at least 4", 0}, {"Score: 4.5", 0}, {"Score: 0", 0},
           {"Maximum score: 5", 0}, {"Score: 5e0", 0}, {"Score: 10\nIt needs 4 steps", 0}, {"Score = 04", 0});
}

static void a_loose_number_is_the_only_one_and_means_nothing_else(void **state)
{
    LEVELS({"The answer is 4", 4}, {"I'd say 4.", 4}, {"four out of five", 4}, {"4\u2605", 4}, {"+4", 4},
           {"4 stars", 4}, {"| 3 |", 3}, {"4, I'd say 4", 4}, {"> 4", 4}, {"3 - requires some steps", 3}, {"4 fits", 4},
           {"\u7b54\u6848\uff1a4", 4}, {"from 1 to 5, it is 4", 4});
    LEVELS({"not 5", 0}, {"I'd say 4, definitely not 5", 0}, {"Not a 4", 0}, {"1 2 3 4 5", 0}, {"1, 2, 3, 4, 5", 0},
           {"4 4", 0}, {"2+2", 0}, {"2^2", 0}, {"3 < x < 5", 0}, {"4+", 0}, {"4-", 0}, {"~4", 0}, {"at least 4", 0},
           {"almost 4", 0}, {"more than 3", 0}, {"x = 4", 0}, {"3 1/2", 0}, {"80%", 0}, {"This requires 3 steps.", 0},
           {"a 3-step proof", 0}, {"Step 5", 0}, {"Problem 4", 0}, {"1. 4", 0}, {"four out of ten", 0},
           {"No one could solve it", 0}, {"It has 2 lemmas and 3 cases", 0}, {"10/2", 0},
           {"I cannot rate it above 2", 0}, {"2*3", 0}, {"Maybe 2. Maybe 4.", 0}, {"\"max\": 5", 0});
}

static void a_thought_says_nothing(void **state)
{
    LEVELS({"<think>\nIt has 3 steps, so 5?\n</think>\n\n2", 2}, {"<think>1</think><think>2</think> 5", 5},
           {"maybe 3</think>\n4", 4}, {"<think>It could be a 2, hmm, the problem has", 0}, {"<think>1</think>", 0},
           {"<think>1</think>\n<think>4", 0}, {"4\n<think>\n", 0});
}

static void a_long_line_is_read_at_its_end(void **state)
{
    Bytes text = {0};
    for (int i = 0; i < 5000; i++)
        assert_ok(bytes_text(&text, "\u2014 3 "));
    assert_int_equal(difficulty_in_text(text.data, text.size), 0);
    assert_ok(bytes_text(&text, "so 4"));
    assert_int_equal(difficulty_in_text(text.data, text.size), 4);
    bytes_free(&text);
}

static void candidates_are_read_with_white_space_and_without(void **state)
{
    const TopToken top[] = {{{"The", 3}, log(0.5)}, {{" 4", 2}, log(0.2)},  {{"4", 1}, log(0.1)},
                            {{"2\n", 2}, log(0.1)}, {{"44", 2}, log(0.05)}, {{"6", 1}, log(0.05)}};
    Difficulty d;
    assert_true(difficulty_of_top(&d, top, 6));
    assert_true(d.level == 4 && fabs(d.probs[3] - 0.75) < 1e-12 && fabs(d.probs[1] - 0.25) < 1e-12);
    assert_false(difficulty_of_top(&d, top, 1));
    assert_true(d.defaulted);
}

static void write_text(const char *path, const char *text) { assert_ok(file_write_atomic(path, text, strlen(text))); }

static void a_rubric_holds_its_place_once(void **state)
{
    Rubric r;
    Bytes filled = {0};
    char *folder, path[256];
    assert_ok(folder_temporary(&folder, "test-score"));
    snprintf(path, sizeof path, "%s/rubric", folder);
    assert_ok(rubric_open(&r, NULL) && rubric_fill(&r, &filled, (Text){"1+1?", 4}));
    assert_non_null(strstr(filled.data, "\nQuestion: 1+1?\nOutput only the integer score."));
    rubric_close(&r);
    write_text(path, "How hard?");
    assert_refused(rubric_open(&r, path), "must hold {question} once");
    rubric_close(&r);
    write_text(path, "{question} {question}");
    assert_refused(rubric_open(&r, path), "must hold {question} once");
    rubric_close(&r);
    write_text(path, "\xff{question}");
    assert_refused(rubric_open(&r, path), "is not UTF-8");
    rubric_close(&r);
    bytes_free(&filled);
    assert_ok(folder_remove(folder));
    free(folder);
}

// ---- ./score and a server

static Server server;
static char *folder;

static int start(void **state)
{
    server = server_start();
    setenv("OPENAI_API_KEY", "sk-not-to-be-seen", 1);
    return folder_temporary(&folder, "test-score") ? 0 : -1;
}

static int stop(void **state)
{
    server_stop(&server);
    bool ok = folder_remove(folder);
    free(folder);
    return ok ? 0 : -1;
}

static char *in_folder(const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

static void rows(const char *first, ...)
{
    Bytes text = {0};
    va_list more;
    va_start(more, first);
    for (const char *problem = first; problem != NULL; problem = va_arg(more, const char *))
        assert_ok(bytes_printf(&text, "{\"problem\": \"%s\", \"difficulty\": \"PhD\"}\n", problem));
    va_end(more);
    char *data = in_folder("rows.jsonl"), *rubric = in_folder("rubric");
    assert_ok(file_write_atomic(data, text.data, text.size));
    write_text(rubric, "{question}");
    free(data);
    free(rubric);
    bytes_free(&text);
}

// Runs a program on the rows; its exit status. What it says is in FOLDER/stderr.
static int ask_with(const char *program, const char *options)
{
    Bytes command = {0};
    assert_ok(bytes_printf(
        &command,
        "cd %s || exit; \"$OLDPWD\"/build/asan/%s rows.jsonl --endpoint %s --model judge --out out.jsonl --in-flight 4 "
        "--timeout 2 %s >stdout 2>stderr",
        folder, program, server.url, options));
    int status = system(command.data);
    bytes_clear(&command);
    char *path = in_folder("stderr");
    if (WEXITSTATUS(status) != 0 && file_read(&command, path, 1 << 20))
        print_message("%s", command.data);
    free(path);
    bytes_free(&command);
    return WEXITSTATUS(status);
}

static int score(const char *options) { return ask_with("score --rubric rubric --data", options); }
static int generate(const char *options) { return ask_with("generate --instruction none --prompts", options); }

static bool file_says(const char *name, const char *text)
{
    char *path = in_folder(name);
    Bytes content = {0};
    bool said = file_exists(path) && file_read(&content, path, 1 << 20) && strstr(content.data, text) != NULL;
    bytes_free(&content);
    free(path);
    return said;
}

static void forget_run(void)
{
    const char *const names[] = {"out.jsonl", "out.jsonl.partial", "out.jsonl.answers"};
    for (int i = 0; i < 3; i++) {
        char *path = in_folder(names[i]);
        unlink(path);
        free(path);
    }
}

static void a_server_scores_rows_and_its_hiccups_are_outlived(void **state)
{
    rows("right 0 a1", "down 1 a2", "half-body 1 a3", "no-json 1 a4", "busy 1 a5", "nothing 1 a6", NULL);
    assert_int_equal(score(""), 0);
    for (int i = 0; i < 6; i++) {
        char line[200];
        snprintf(line, sizeof line, "a%d\",\"source_difficulty\":\"PhD\",\"difficulty\":3,\"difficulty_expected\":3,",
                 i + 1);
        assert_true(file_says("out.jsonl", line));
    }
    assert_true(file_says("out.jsonl", "\"scorer\":\"judge\",\"scorer_prompt\":\""));
    assert_true(file_says("stderr", "asking judge at http://127.0.0.1:") &&
                file_says("stderr", ", 4 questions at once\n"));
    assert_true(file_says("stderr", "6/6 | ") && file_says("stderr", " answers/s\n"));
    assert_false(file_says("stderr", "tok/s") || file_says("stderr", "eta"));
    assert_int_equal(server_attempts(&server, "right 0 a1"), 1);
    assert_int_equal(server_attempts(&server, "down 1 a2"), 2);
    assert_false(file_says("out.jsonl", "sk-not") || file_says("stderr", "sk-not") ||
                 file_says("out.jsonl.answers", "sk-not"));
    forget_run();
}

static void written_answers_are_read(void **state)
{
    rows("says 1 It has 2 steps.\\n\\nScore: 4", "says 1 **Five**", "says 1 10 \\u001b[2J", "is-cut 1 Score: 1",
         "says 1 <think>it is 2", "says 1 5", NULL);
    assert_int_equal(score("--method generate --max-new-tokens 9 --unusable-share 0.5"), 0);
    assert_true(file_says("out.jsonl", "Score: 4\",\"source_difficulty\":\"PhD\",\"difficulty\":4"));
    assert_true(file_says("out.jsonl", "**Five**\",\"source_difficulty\":\"PhD\",\"difficulty\":5"));
    assert_true(file_says("out.jsonl", "\"says 1 10 \\u001b[2J\",\"source_difficulty\":\"PhD\",\"difficulty\":3,"));
    assert_true(
        file_says("out.jsonl", ",\"difficulty_default\":true,\"difficulty_answer\":\"10 \\u001B[2J\",\"scorer\":"));
    assert_true(file_says("out.jsonl", "\"difficulty_default\":true,\"difficulty_answer\":\"Score: 1 (cut off)\""));
    assert_true(file_says("out.jsonl", "\"difficulty_default\":true,\"difficulty_answer\":\"<think>it is 2\""));
    assert_true(file_says("stderr", "difficulty 1: 0 | 2: 0 | 3: 0 | 4: 1 | 5: 2 | no usable score: 3 (3 stands in"));
    forget_run();
}

// More than their share end the run as soon as that is certain; what was answered stays.
static void rows_without_a_usable_score_have_a_limit(void **state)
{
    rows("says 1 hard", "says 9 10 \\u001b[2J", "says 1 4", "says 1 easy", "says 1 4", NULL);
    const char *ends = "--method generate --in-flight 1 --unusable-share 0.4";
    assert_int_equal(score(ends), 1);
    assert_true(file_says(
        "stderr", "score: 3 of 5 rows have no usable score so far, and --unusable-share 0.4 allows no more than 2; the "
                  "first unusable answer ends in \"hard\""));
    assert_true(file_says("stderr", "| no usable score: 3"));
    assert_false(file_says("stderr", "\033"));
    assert_false(file_says("out.jsonl", "says"));
    assert_int_equal(score(ends), 1); // from what it knows, without another question
    assert_true(file_says("stderr", "ends in \"hard\""));
    assert_int_equal(server_attempts(&server, "says 1 hard"), 1);
    assert_true(
        file_says("stderr", "remove out.jsonl.partial to begin anew (and out.jsonl.answers, or the server's answers"));
    assert_int_equal(score("--method generate --in-flight 1 --unusable-share 0.6"), 0); // the same but for that goes on
    assert_true(file_says("stderr", "difficulty 1: 0 | 2: 0 | 3: 0 | 4: 2 | 5: 0 | no usable score: 3"));
    assert_int_equal(server_attempts(&server, "says 1 easy"), 1);
    forget_run();
    rows("says 1 4 of 5", "says 1 hm", NULL);
    assert_int_equal(score("--method generate"), 1); // 5% unless it is said
    assert_true(file_says("stderr", "--unusable-share 0.05 allows no more than 0"));
    forget_run(); // as it says
    assert_int_equal(score("--method generate"), 1);
    assert_int_equal(server_attempts(&server, "says 1 hm"), 2);
    assert_int_equal(score("--unusable-share 0.5"), 1); // another method is another run
    assert_true(file_says("stderr", "--method"));
    forget_run();
}

static void a_question_that_stays_unanswered_fails_the_run_and_loses_nothing(void **state)
{
    rows("right 0 c1", "broken 3 c2", "right 0 c3", NULL);
    assert_int_equal(score("--attempts 2"), 1);
    assert_true(file_says("stderr", "score: 1 questions were not answered; the first: ") && file_says("stderr", "500"));
    assert_true(file_says("stderr", "the same command asks again"));
    assert_false(file_says("out.jsonl", "c1"));
    assert_int_equal(score("--attempts 2"), 0); // the server is well again at its fourth
    assert_true(file_says("out.jsonl", "c1") && file_says("out.jsonl", "c2") && file_says("out.jsonl", "c3"));
    assert_int_equal(server_attempts(&server, "right 0 c1"), 1); // what was finished was not asked again
    assert_int_equal(server_attempts(&server, "broken 3 c2"), 4);
    forget_run();
}

// A prompt that is too long for the server, say: the next row may fare better.
static void a_row_that_the_server_refuses_can_be_left_out(void **state)
{
    rows("right 0 f1", "null 9 f2", "right 0 f3", "down 9 f4", NULL);
    assert_int_equal(score("--attempts 1"), 1);
    assert_true(
        file_says("stderr", "(--skip-bad-rows N leaves out N rows whose questions the server refuses, or answers so)"));
    assert_int_equal(score("--attempts 1 --skip-bad-rows 1"), 1); // a server that is down is no row's fault
    assert_true(file_says("stderr", "refused: ") && file_says("stderr", "rows.jsonl:2: http://127.0.0.1:"));
    assert_true(file_says("stderr", "score: 1 questions were not answered; the first: ") &&
                file_says("stderr", "rows.jsonl:4: "));
    forget_run();
    rows("right 0 f1", "null 9 f5", "right 0 f3", NULL);
    assert_int_equal(score("--attempts 1 --skip-bad-rows 1"), 0);
    assert_true(file_says("out.jsonl", "f1") && file_says("out.jsonl", "f3") && !file_says("out.jsonl", "f5"));
    forget_run();
}

// Half a response must not be taken for a whole one; nor is one such answer the end of a run.
static void a_response_that_does_not_say_how_it_ended_is_asked_for_again(void **state)
{
    rows("right 0 g1", "no-end 1 g2", "null-end 2 g3", NULL);
    assert_int_equal(generate("--attempts 3"), 0);
    assert_true(file_says("out.jsonl", "the answer to no-end 1 g2") &&
                file_says("out.jsonl", "the answer to null-end 2 g3"));
    forget_run();
    rows("right 0 g4", "null-end 9 g5", "right 0 g6", NULL);
    assert_int_equal(generate("--attempts 2"), 1);
    assert_true(file_says("stderr", "rows.jsonl:2: http://127.0.0.1:") &&
                file_says("stderr", "2 attempts, the last: "));
    assert_true(file_says("stderr", "no finish_reason") &&
                file_says("stderr", "the same command asks again (--skip-bad-rows N"));
    assert_true(file_says("out.jsonl.partial", "g4") && file_says("out.jsonl.partial", "g6"));
    assert_int_equal(generate("--attempts 2 --skip-bad-rows 1"), 0);
    assert_true(file_says("out.jsonl", "g4") && file_says("out.jsonl", "g6") && !file_says("out.jsonl", "g5"));
    forget_run();
}

static void the_folders_of_its_files_are_made(void **state)
{
    rows("right 0 i1", NULL);
    assert_int_equal(score("--answers kept/here/all.answers --out made/too/out.jsonl"), 0);
    assert_true(file_says("made/too/out.jsonl", "right 0 i1") && file_says("kept/here/all.answers", "the answer to"));
    forget_run();
}

static void who_is_waited_for_is_said(void **state)
{
    rows("later 1 h1", "right 0 h2", NULL);
    assert_int_equal(generate("--timeout 3"), 0);
    assert_true(file_says(
        "stderr", "/chat/completions: status 429; it asks for 100000 seconds of patience, and gets 3; asked again in"));
    forget_run();
    assert_int_equal(score("--timeout 3"), 0);
    assert_int_equal(server_attempts(&server, "later 1 h1"), 3);
    forget_run();
    rows("later 1 h3", NULL);
    assert_int_equal(score("--timeout 3"), 0);
    assert_true(file_says("stderr", "it asks for 100000 seconds of patience, and gets 3; asked again in"));
    forget_run();
}

static void a_server_that_is_gone_ends_the_run_soon(void **state)
{
    char problem[32];
    Bytes text = {0};
    for (int i = 0; i < 200; i++) {
        snprintf(problem, sizeof problem, "no-model 9 d%d", i);
        assert_ok(bytes_printf(&text, "{\"problem\": \"%s\"}\n", problem));
    }
    char *data = in_folder("rows.jsonl");
    assert_ok(file_write_atomic(data, text.data, text.size));
    assert_int_equal(score(""), 1);
    assert_true(file_says("stderr", "no such model"));
    assert_int_equal(server_attempts(&server, "no-model 9 d150"), 0); // it was not asked 200 times
    free(data);
    bytes_free(&text);
    forget_run();
}

static void a_killed_run_asks_nothing_twice(void **state)
{
    enum { ROWS = 400 };
    Bytes text = {0}, options = {0};
    for (int i = 0; i < ROWS; i++)
        assert_ok(bytes_printf(&text, "{\"problem\": \"right 0 e%d\"}\n", i));
    char *data = in_folder("rows.jsonl"), question[32];
    assert_ok(file_write_atomic(data, text.data, text.size));
    assert_ok(bytes_text(
        &options, "& until grep -q \"^5 \" out.jsonl.partial 2>/dev/null; do :; done; kill -9 $!; wait $!; true"));
    assert_int_equal(score(options.data), 0);
    assert_true(file_says("out.jsonl.partial", "right 0 e"));
    assert_int_equal(score(""), 0);
    int again = 0;
    for (int i = 0; i < ROWS; i++) {
        snprintf(question, sizeof question, "right 0 e%d", i);
        again += server_attempts(&server, question) - 1;
        assert_true(file_says("out.jsonl", question));
    }
    assert_true(again <= 4); // those that were on their way when it was killed
    free(data);
    bytes_free(&text);
    bytes_free(&options);
    forget_run();
}

// ---- by the pass rate: what a server responds (levels: test_pass_rate.c)

static void answered_rows(const char *lines)
{
    char *data = in_folder("rows.jsonl");
    assert_ok(file_write_atomic(data, lines, strlen(lines)));
    free(data);
}

static int pass_rate(const char *options)
{
    Bytes command = {0};
    assert_ok(bytes_printf(&command, "score --method pass-rate --instruction none %s --data", options));
    int status = ask_with(command.data, "");
    bytes_free(&command);
    return status;
}

// What the server says by itself ("the answer to ... is é") no rule decides.
static void a_servers_responses_are_judged_and_counted(void **state)
{
    answered_rows("{\"problem\": \"says 4 12\", \"answer\": \"12\", \"pass_rate\": 7}\n"
                  "{\"problem\": \"says 3 14\", \"answer\": 14.0}\n"
                  "{\"problem\": \"is-cut 2 3\", \"answer\": \"3\"}\n"
                  "{\"problem\": \"says 4 f(3)\", \"answer\": \"f(2)\"}\n");
    assert_int_equal(pass_rate("--samples 4 --unusable-share 0.25"), 0);
    static const char *const said[] = {
        "\"source_pass_rate\":7,\"difficulty\":1,\"pass_rate\":1,\"pass_right\":4,\"pass_wrong\":0,\"pass_unknown\":0,"
        "\"pass_cut_off\":0,\"scorer\"",
        "14.0,\"difficulty\":1,\"pass_rate\":1,\"pass_right\":3,\"pass_wrong\":0,\"pass_unknown\":1,"
        "\"pass_cut_off\":0,\"scorer\":\"judge\"",
        "\"3\",\"difficulty\":5,\"pass_rate\":0,\"pass_right\":0,\"pass_wrong\":2,\"pass_unknown\":2,\"pass_cut_off\":"
        "2,", // what was cut off is wrong
        "\"f(2)\",\"difficulty\":3,\"difficulty_default\":true,\"difficulty_answer\":\"f(3)\",\"pass_right\":0,\"pass_"
        "wrong\":0,"
        "\"pass_unknown\":4,"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (!file_says("out.jsonl", said[i]))
            fail_msg("'%s' is not there", said[i]);
    assert_int_equal(server_attempts(&server, "says 3 14"), 4);
    assert_true(file_says("stderr", " | no usable score: 1 (3 stands in") &&
                file_says("stderr", "responses: 7 right | 2 wrong") &&
                file_says("stderr", " | 7 unknown: no rule decides"));
    forget_run();
    answered_rows("{\"problem\": \"says 9 f(4)\", \"answer\": \"f(2)\"}\n");
    assert_int_equal(pass_rate("--samples 4"), 1);
    assert_true(file_says("stderr", "the first unusable answer ends in \"f(4)\"; no rule decides") &&
                file_says("stderr", "--method logits"));
    forget_run();
}

static void responses_that_were_cut_off_are_counted_and_told_where_they_are_most(void **state)
{
    answered_rows("{\"problem\": \"is-cut 9 5\", \"answer\": \"5\"}\n"
                  "{\"problem\": \"says 3 15\", \"answer\": \"15\", \"pass_cut_off\": 8}\n");
    assert_int_equal(pass_rate("--samples 3 --unusable-share 1"), 0);
    assert_true(file_says("out.jsonl", "\"pass_wrong\":3,\"pass_unknown\":0,\"pass_cut_off\":3,") &&
                file_says("out.jsonl", "\"source_pass_cut_off\":8,") && file_says("stderr", " | 3 of all cut off"));
    assert_false(file_says("stderr", "warning: ")); // half is not more than half
    forget_run();
    answered_rows("{\"problem\": \"is-cut 9 6\", \"answer\": \"6\"}\n");
    assert_int_equal(pass_rate("--samples 3"), 0);
    assert_true(file_says("stderr", "warning: 3 of 3 responses were cut off") &&
                file_says("stderr", "give a larger --max-new-tokens, or --context"));
    forget_run();
}

static void a_file_without_rows_or_with_refused_ones_only_is_an_error(void **state)
{
    answered_rows("");
    assert_int_equal(pass_rate("--samples 3"), 1);
    assert_true(file_says("stderr", "rows.jsonl: holds no rows; give a file that has some"));
    answered_rows("{\"a\": 1}\n{\"problem\": \"says 3 15\"}\n");
    assert_int_equal(pass_rate("--samples 3 --skip-bad-rows 2"), 1);
    assert_true(file_says("stderr", "all 2 rows were refused, so nothing is written; the reasons are above"));
    assert_false(file_exists("out.jsonl"));
    forget_run();
}

static void a_row_without_a_reference_is_refused_with_a_remedy(void **state)
{
    answered_rows(
        "{\"problem\": \"says 9 1\", \"answer\": 1}\n{\"problem\": \"says 9 2\", \"solved\": 2}\n"
        "{\"problem\": \"why?\", \"answer\": \"because the plants give all of it back to the soil at last\"}\n"
        "{\"problem\": \"says 9 4\", \"answer\": \" \"}\n");
    assert_int_equal(pass_rate("--samples 2"), 1);
    assert_true(file_says("stderr", "rows.jsonl:2: it has no reference answer") &&
                file_says("stderr", "--map answer=COLUMN") && file_says("stderr", "--skip-bad-rows N"));
    forget_run();
    assert_int_equal(pass_rate("--samples 2 --skip-bad-rows 2 --map answer=solved --unusable-share 1"), 0);
    assert_true(file_says("stderr", "rows.jsonl:3: no rule can tell right responses from wrong ones by its reference "
                                    "\"because the plants") &&
                file_says("stderr", "rows.jsonl:4: it has no reference"));
    assert_true(file_says("out.jsonl", "says 9 1") && file_says("out.jsonl", "says 9 2") &&
                !file_says("out.jsonl", "says 9 4"));
    forget_run();
}

static void one_question_of_a_row_that_fails_leaves_the_others_kept(void **state)
{
    answered_rows(
        "{\"problem\": \"broken 1 g1\", \"answer\": \"3\"}\n{\"problem\": \"right 0 g2\", \"answer\": \"3\"}\n");
    assert_int_equal(pass_rate("--samples 6 --in-flight 1 --attempts 1 --unusable-share 1"), 1);
    assert_true(file_says("stderr", "score: 1 questions were not answered; the first: "));
    assert_int_equal(pass_rate("--samples 6 --in-flight 1 --attempts 1 --unusable-share 1"), 0);
    assert_int_equal(server_attempts(&server, "broken 1 g1"), 7); // the one that failed, once more
    assert_int_equal(server_attempts(&server, "right 0 g2"), 6);
    assert_true(file_says("out.jsonl", "g1\",\"answer\":\"3\",\"difficulty\":3,") &&
                file_says("out.jsonl", "\"pass_unknown\":6,"));
    forget_run();
    answered_rows(
        "{\"problem\": \"null 9 g3\", \"answer\": \"3\"}\n{\"problem\": \"right 0 g4\", \"answer\": \"3\"}\n");
    assert_int_equal(pass_rate("--samples 3 --attempts 1 --skip-bad-rows 1 --unusable-share 1"),
                     0); // its three questions are one row
    assert_true(file_says("out.jsonl", "g4") && !file_says("out.jsonl", "g3"));
    forget_run();
}

static void options_that_the_method_does_not_use_are_refused(void **state)
{
    answered_rows("{\"problem\": \"right 0 h\", \"answer\": \"3\"}\n");
    assert_int_equal(pass_rate("--samples 2 --temperature 0"), 2);
    assert_true(file_says("stderr", "with a --temperature above 0"));
    assert_int_equal(pass_rate("--samples 1"), 2);
    assert_true(file_says("stderr", "of one response the rate is 0 or 1"));
    assert_int_equal(pass_rate("--rubric rubric"), 2);
    assert_true(file_says("stderr", "--rubric: --method pass-rate asks the problems themselves"));
    assert_int_equal(score("--instruction none"), 2);
    assert_true(file_says("stderr", "--instruction: is for --method pass-rate"));
    assert_int_equal(score("--temperature -0.5"), 2);
    assert_int_equal(score("--samples 2"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_give_level_and_expected_score),
        cmocka_unit_test(votes_are_counted_and_no_vote_is_said),
        cmocka_unit_test(a_written_level_stands_in_the_last_line),
        cmocka_unit_test(a_scale_is_no_level),
        cmocka_unit_test(what_is_no_level_or_two_is_none),
        cmocka_unit_test(a_label_says_which_number_is_the_level),
        cmocka_unit_test(a_loose_number_is_the_only_one_and_means_nothing_else),
        cmocka_unit_test(a_thought_says_nothing),
        cmocka_unit_test(a_long_line_is_read_at_its_end),
        cmocka_unit_test(candidates_are_read_with_white_space_and_without),
        cmocka_unit_test(a_rubric_holds_its_place_once),
        cmocka_unit_test(a_server_scores_rows_and_its_hiccups_are_outlived),
        cmocka_unit_test(written_answers_are_read),
        cmocka_unit_test(rows_without_a_usable_score_have_a_limit),
        cmocka_unit_test(a_question_that_stays_unanswered_fails_the_run_and_loses_nothing),
        cmocka_unit_test(a_row_that_the_server_refuses_can_be_left_out),
        cmocka_unit_test(a_response_that_does_not_say_how_it_ended_is_asked_for_again),
        cmocka_unit_test(the_folders_of_its_files_are_made),
        cmocka_unit_test(who_is_waited_for_is_said),
        cmocka_unit_test(a_server_that_is_gone_ends_the_run_soon),
        cmocka_unit_test(a_killed_run_asks_nothing_twice),
        cmocka_unit_test(a_servers_responses_are_judged_and_counted),
        cmocka_unit_test(responses_that_were_cut_off_are_counted_and_told_where_they_are_most),
        cmocka_unit_test(a_file_without_rows_or_with_refused_ones_only_is_an_error),
        cmocka_unit_test(a_row_without_a_reference_is_refused_with_a_remedy),
        cmocka_unit_test(one_question_of_a_row_that_fails_leaves_the_others_kept),
        cmocka_unit_test(options_that_the_method_does_not_use_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
