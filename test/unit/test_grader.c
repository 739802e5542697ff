// External graders: ones that answer, are slow, die, talk nonsense, talk too much, or cannot be run; and their file of
// verdicts.
#include "judges/grader.h"
#include "judges/grader_sandbox.h"
#include "judges/verdicts.h"
#include "system/files.h"
#include "test/support/check.h"
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *folder;

static int start(void **state)
{
    return folder_temporary(&folder, "test-grader") && setenv("FOLDER", folder, 1) == 0 ? 0 : -1;
}
static int stop(void **state)
{
    bool ok = folder_remove(folder);
    free(folder);
    return ok ? 0 : -1;
}

enum { ASKED = 12, ASKED_MOST = 80 };

// In shell: $line is the question, $n its number, $q its name.
#define READ "read -r line; q=${line#*:?}; q=${q%%[!0-9a-f]*}; n=${line##* }; n=${n%?}; "
#define LOOP "while read -r line; do q=${line#*:?}; q=${q%%[!0-9a-f]*}; n=${line##* }; n=${n%?}; "
#define ANSWER(score) "printf '{\"question\": \"%s\", \"score\": %s}\\n' $q " score "; "

typedef struct Run {
    const char *command, *journal, *sandbox; // sandbox NULL: none
    double seconds, start_seconds;
    int asked; // 0: ASKED
    // what came of it
    double scores[ASKED_MOST];
    char why[600]; // the first
    int heard, unscored;
} Run;

// Every question is {"n": i}. False: the run was ended.
static bool grade(Run *r)
{
    char *journal = path_join(folder, r->journal);
    GraderOptions o = {.command = r->command, .processes = 3, .seconds = r->seconds == 0 ? 20 : r->seconds};
    o.start_seconds = r->start_seconds;
    o.sandbox = r->sandbox == NULL ? "none" : r->sandbox;
    o.journal = journal;
    r->asked = r->asked == 0 ? ASKED : r->asked;
    uint64_t tag;
    double score;
    const char *why;
    Grader *g = grader_open(&o);
    free(journal); // it has what it needs
    bool ok = g != NULL;
    for (int i = 0; ok && i < r->asked; i++) {
        char question[32];
        snprintf(question, sizeof question, "{\"n\": %d}", i);
        ok = grader_ask(g, (uint64_t)i, (Text){question, strlen(question)}) && grader_work(g, 0);
    }
    ok = ok && grader_work(g, INFINITY);
    for (; g != NULL && grader_next(g, &tag, &score, &why); r->heard++) {
        assert_true(tag < (uint64_t)r->asked && isnan(score) == (why != NULL));
        r->scores[tag] = score;
        r->unscored += isnan(score);
        if (why != NULL && r->why[0] == 0)
            snprintf(r->why, sizeof r->why, "%s", why);
    }
    assert_true(!ok || r->heard == r->asked);
    grader_close(g);
    return ok;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("should say '%s', but is: %s", part, text);
}

static void answers_are_scores(void **state)
{
    Run r = {.command = "sed -u 's/^{\"question\":\"\\(.*\\)\",.*: \\(.*\\)}/{\"score\": 0.\\2, \"question\": \"\\1\", "
                        "\"more\": [1]}/'",
             .journal = "sed"};
    assert_ok(grade(&r));
    for (int i = 0; i < ASKED; i++)
        assert_true(r.scores[i] == (i < 10 ? i / 10.0 : i / 100.0));
    Run t = {.command = LOOP ANSWER("true") "done", .journal = "true"};
    assert_ok(grade(&t));
    assert_true(t.scores[0] == 1 && t.scores[ASKED - 1] == 1);
    Run none = {.command = LOOP "case $n in *7) s=0.5 ;; *) s=null ;; esac; " ANSWER("$s") "done", .journal = "null"};
    none.asked = ASKED_MOST;
    assert_ok(grade(&none)); // that there is no score is an answer
    assert_int_equal(none.unscored, ASKED_MOST - 8);
    assert_says(none.why, "it gave no score: \"{\"question\": \"");
    assert_says(none.why, "\"score\": null}\"");
}

static size_t size_of(const char *name)
{
    char *path = path_join(folder, name);
    Bytes text = {0};
    assert_ok(!file_exists(path) || file_read(&text, path, 1 << 20));
    size_t size = text.size;
    bytes_free(&text);
    free(path);
    return size;
}

static void what_was_said_is_not_asked_again(void **state)
{
    Run first = {.command = LOOP "echo x >>$FOLDER/count; " ANSWER("0.25") "done", .journal = "kept"}, again = first;
    assert_ok(grade(&first) && grade(&again));
    assert_int_equal(size_of("count"), 2 * ASKED); // "x\n" for each, once
    assert_memory_equal(first.scores, again.scores, sizeof first.scores);
}

static void questions_that_are_the_same_are_asked_once(void **state)
{
    char *journal = path_join(folder, "same");
    const char *command = LOOP "echo x >>$FOLDER/times; " ANSWER("$(wc -l <$FOLDER/times)") "done";
    GraderOptions o = {.command = command, .processes = 3, .seconds = 20, .sandbox = "none", .journal = journal};
    Grader *g = grader_open(&o);
    uint64_t tag;
    double score;
    const char *why;
    assert_ok(g != NULL);
    for (uint64_t i = 0; i < ASKED; i++)
        assert_ok(grader_ask(g, i, (Text){"{\"n\": 1}", 8}) && grader_work(g, i % 3 == 2 ? INFINITY : 0));
    for (int i = 0; i < ASKED; i++)
        assert_true(grader_next(g, &tag, &score, &why) && score == 1);
    grader_close(g);
    free(journal);
}

static void a_grader_that_fails_has_no_score_and_is_replaced(void **state)
{
    Run once = {.command = READ ANSWER("1") "exit 3", .journal = "once"}; // each lives for one question
    assert_ok(grade(&once));
    assert_true(once.unscored <= ASKED - 3);
    Run dies = {.command = "read -r line; exit 3", .journal = "dies"};
    assert_ok(grade(&dies));
    assert_int_equal(dies.unscored, ASKED);
    assert_string_equal(dies.why, "it ended with exit code 3");
    Run speaks = {.command = "read -r line; echo first >&2; echo 'KeyError: \033x' >&2; exit 1", .journal = "speaks"};
    assert_ok(grade(&speaks));
    assert_string_equal(speaks.why, "it ended with exit code 1; the last that it wrote: KeyError: ?x");
    Run half = {.command = LOOP "printf '{\"question\": '; done",
                .journal = "half",
                .seconds = 0.3,
                .start_seconds = 1,
                .asked = 3};
    assert_ok(grade(&half));
    assert_string_equal(half.why, "it did not answer in time, after \"{\"question\": \" without the end of a line");
    Run slow = {.command = LOOP "case $n in *1*) sleep 60 ;; *) " ANSWER("1") " ;; esac; done",
                .journal = "slow",
                .seconds = 0.3,
                .start_seconds = 1};
    assert_ok(grade(&slow));
    for (int i = 0; i < ASKED; i++)
        assert_true(i == 1 || i >= 10 ? isnan(slow.scores[i]) : slow.scores[i] == 1);
    assert_string_equal(slow.why, "it did not answer in time");
}

// What failed is no verdict: a run that goes on asks again, and the program may have been mended.
static void what_failed_is_asked_again(void **state)
{
    const char *command = LOOP "if [ -e $FOLDER/mended ]; then " ANSWER(
        "$n") "elif [ $n = 5 ]; then exit 1; "
              "elif [ $n = 6 ]; then " ANSWER("NaN") "else " ANSWER("$n") "fi; done";
    Run first = {.command = command, .journal = "failed"}, again = first;
    assert_ok(grade(&first));
    assert_true(isnan(first.scores[5]) && isnan(first.scores[6]) && first.unscored == 2);
    char *mended = path_join(folder, "mended");
    assert_ok(file_write_atomic(mended, "", 0) && grade(&again));
    for (int i = 0; i < ASKED; i++)
        assert_true(again.scores[i] == i);
    free(mended);
}

static void a_score_of_no_use_is_no_score_and_says_why(void **state)
{
    static const struct {
        const char *score, *why;
    } cases[] = {
        {"NaN", "its answer is not JSON"},     {"-Infinity", "is not JSON"},  {"1e999", "is invalid or too large"},
        {"1e308", "its score is beyond 1e6"},  {"-1000001", "is beyond 1e6"}, {"99999999999999999999", "too large"},
        {"\"high\"", "no number named score"}, {"0.5}\\0377", "is not JSON"}, {"1, \"score\": 2", "is not JSON"}};
    const char *command = LOOP
        "case $n in 3) s=$SAID ;; *) s=0.5 ;; esac; printf '{\"question\": \"%s\", \"score\": %b}\\n' $q \"$s\"; done";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(setenv("SAID", cases[i].score, 1), 0);
        Run live = {.command = command, .journal = "useless"}, replayed = live;
        assert_ok(grade(&live) && grade(&replayed));
        assert_true(isnan(live.scores[3]) && live.unscored == 1 && replayed.unscored == 1);
        assert_says(live.why, cases[i].why);
        assert_string_equal(live.why, replayed.why);
        assert_memory_equal(live.scores, replayed.scores, sizeof live.scores);
    }
    Run most = {.command = LOOP ANSWER("-1e6") "done", .journal = "most"};
    assert_ok(grade(&most));
    assert_true(most.scores[0] == -1e6);
}

static void a_score_that_was_changed_in_the_journal_is_none(void **state)
{
    Run first = {.command = LOOP ANSWER("0.25") "done", .journal = "edited"}, again = first;
    assert_ok(grade(&first));
    char *path = path_join(folder, "edited");
    Bytes text = {0};
    assert_ok(file_read(&text, path, 1 << 20));
    memcpy(strstr(text.data, "0.25"), "0.75", 4);
    assert_ok(file_write_atomic(path, text.data, text.size));
    assert_refused(grade(&again),
                   "edited:1: was changed since it was written; remove this line, or move the file away");
    char *rest = strchr(text.data, '\n') + 1;
    assert_ok(file_write_atomic(path, rest, strlen(rest)) && grade(&again));
    assert_memory_equal(first.scores, again.scores, sizeof first.scores); // it was asked again
    bytes_free(&text);
    free(path);
}

// Before anything was scored it is a mistake in the program, and the run is not to find that out in hours.
static void what_is_no_answer_ends_a_run_that_has_no_score_yet(void **state)
{
    static const struct {
        const char *command, *says;
    } cases[] = {
        {"while read -r line; do echo 1; done", "it printed something other than an answer: \"1\"; for each line"},
        {"while read -r line; do echo '{\"score\": 1}'; done", "{\"question\": the question's own, \"score\": 0.5}"},
        {"echo loading the checker; " LOOP ANSWER("1") "done", "\"loading the checker\""},
        {"sleep 0.6; echo loading the checker; " LOOP ANSWER("1") "done", "\"loading the checker\""},
        {"printf loading; " LOOP ANSWER("1") "done", "\"loading"},
        {"yes 1", ": \"1\"; for each"},
        {"tr -d '\\n' </dev/zero", "\"????"},
        {LOOP "echo; done", "something other than an answer: \"\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Run r = {.command = cases[i].command, .journal = "mistaken", .asked = ASKED_MOST};
        assert_refused(grade(&r), cases[i].says);
        assert_says(error_text(), "everything else to standard error");
    }
    assert_int_equal(size_of("mistaken"), 0);
}

// Each response gets the score that was computed for it, or none.
static void no_response_gets_the_score_of_another(void **state)
{
    static const char *const commands[] = {
        // a warning before the second answer
        "i=0; " LOOP "i=$((i + 1)); [ $i != 2 ] || echo Warning; " ANSWER("$n") "done",
        // one behind it, at once and later
        LOOP ANSWER("$n") "echo Warning; done", LOOP ANSWER("$n") "(sleep 0.05; echo Warning) & done",
        // an answer twice
        "i=0; " LOOP "i=$((i + 1)); " ANSWER("$n") "[ $i != 1 ] || " ANSWER("$n") "done",
        // the last one's before its own
        "i=0; " LOOP
        "i=$((i + 1)); [ $i != 2 ] || printf '{\"question\": \"%s\", \"score\": 77}\\n' $last; last=$q; " ANSWER(
            "$n") "done",
        // the end of a line that is missing
        "i=0; " LOOP "i=$((i + 1)); [ $i != 2 ] || printf Warning; " ANSWER("$n") "done",
        // the question, as it came
        "i=0; " LOOP "i=$((i + 1)); [ $i != 2 ] || printf '%s\\n' \"$line\"; " ANSWER("$n") "done",
        // without an end, and for ever
        LOOP ANSWER("$n") "yes; done", LOOP ANSWER("$n") "yes | tr -d '\\n'; done",
        LOOP "case $n in 7) yes | tr -d '\\n' ;; 8) yes ;; *) " ANSWER("$n") " ;; esac; done"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        Run r = {.command = commands[i], .journal = "steps"};
        assert_ok(grade(&r));
        for (int n = 0; n < ASKED; n++)
            if (!isnan(r.scores[n]) && r.scores[n] != n)
                fail_msg("program %zu: question %d has the score %g", i, n, r.scores[n]);
        assert_true(r.unscored <= ASKED - 3);
    }
}

static void a_program_without_hope_ends_the_run(void **state)
{
    Run dies = {
        .command = "read -r line; echo 'no module named x' >&2; exit 3", .journal = "hopeless", .asked = ASKED_MOST};
    assert_refused(grade(&dies),
                   "the last 16 questions have no score; it ended with exit code 3; the last that it wrote: no module");
    Run useless = {.command = LOOP ANSWER("1e308") "done", .journal = "hopeless", .asked = ASKED_MOST};
    assert_refused(grade(&useless), "its score is beyond 1e6: ");
    Run talks = {.command = LOOP ANSWER("1") "echo more; done", .journal = "hopeless", .asked = ASKED_MOST};
    assert_refused(grade(&talks), "it prints more than answers, so it was replaced");
    // one that gave verdicts may fail as often as it likes in one round
    Run later = {.command = LOOP "[ $n -lt 9 ] || exit 3; " ANSWER("1") "done",
                 .journal = "hopeful",
                 .asked = ASKED_MOST},
        again = later;
    assert_ok(grade(&later));
    assert_ok(grade(&again)); // what failed is all that it is asked, and fails once more
    assert_int_equal(again.unscored, ASKED_MOST - 9);
}

// One that has given verdicts, and gives none any more.
static void a_program_that_has_ceased_ends_the_run(void **state)
{
    char *journal = path_join(folder, "ceased");
    GraderOptions o = {.command = LOOP "[ $n -lt 80 ] || exit 3; " ANSWER("1") "done",
                       .processes = 3,
                       .seconds = 20,
                       .sandbox = "none"};
    o.journal = journal;
    Grader *g = grader_open(&o);
    assert_ok(g != NULL);
    int rounds = 0;
    for (bool ok = true; ok && rounds < 5; rounds += ok) // the first has verdicts, the others none
        for (int i = 0; ok && i < 40; i++) {
            char question[32];
            snprintf(question, sizeof question, "{\"n\": %d}", rounds == 0 ? i : 80 + i);
            ok = grader_ask(g, (uint64_t)i, (Text){question, strlen(question)}) && (i < 39 || grader_work(g, INFINITY));
        }
    assert_int_equal(rounds, 2);
    assert_says(error_text(), "the last 80 questions have no score; it ended with exit code 3; ");
    grader_close(g);
    free(journal);
}

// Asks {"n": first} and so on, count of them, and waits for all. False: the run was ended.
static bool ask_round(Grader *g, int first, int count)
{
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        char question[32];
        snprintf(question, sizeof question, "{\"n\": %d}", first + i);
        ok = grader_ask(g, (uint64_t)i, (Text){question, strlen(question)});
    }
    return ok && grader_work(g, INFINITY);
}

static Grader *open_with(const char *command, const char *name)
{
    static char journal[4096];
    snprintf(journal, sizeof journal, "%s/%s", folder, name);
    GraderOptions o = {.command = command, .processes = 3, .seconds = 20, .sandbox = "none", .journal = journal};
    Grader *g = grader_open(&o);
    assert_ok(g != NULL);
    return g;
}

// What it said once is no sign that it is alive, however often it is heard again.
static void what_the_journal_says_is_no_sign_of_life(void **state)
{
    Grader *g = open_with(LOOP "[ $n -lt 80 ] || exit 3; " ANSWER("1") "done", "repeats");
    assert_ok(ask_round(g, 0, 10)); // they have scores
    int rounds = 0;
    while (rounds < 9 && ask_round(g, 80 + 40 * rounds, 40) && ask_round(g, 0, 10))
        rounds++;
    assert_int_equal(rounds, 1);
    assert_says(error_text(), "the last 80 questions have no score; it ended with exit code 3; ");
    grader_close(g);
}

// Nor is a failure that was one before a sign that it is dead: a run that goes on asks everything again that had no
// score.
static void a_run_that_goes_on_asks_for_what_failed_without_losing_hope(void **state)
{
    const char *command = LOOP "[ -e $FOLDER/awake -o $n -lt 9 ] || exit 3; " ANSWER("1") "done";
    Grader *g = open_with(command, "goes-on");
    assert_ok(ask_round(g, 0, 70));
    assert_false(ask_round(g, 70, 40) && ask_round(g, 110, 40));
    grader_close(g);
    g = open_with(command, "goes-on");
    for (int i = 0; i < 3; i++)
        assert_ok(ask_round(g, 9, 50)); // all of them known, and no score among them
    assert_ok(ask_round(g, 200, 40));
    assert_false(ask_round(g, 240, 40)); // new ones are signs
    assert_says(error_text(), "have no score; it ended with exit code 3; ");
    grader_close(g);
    char *awake = path_join(folder, "awake");
    assert_ok(file_write_atomic(awake, "", 0));
    g = open_with(command, "goes-on");
    assert_ok(ask_round(g, 0, 200));
    grader_close(g);
    free(awake);
    // one that never gave a score has no such credit
    const char *dead = "read -r line; exit 3";
    for (int i = 0; i < 3; i++) {
        g = open_with(dead, "never");
        assert_false(ask_round(g, 0, 40));
        assert_says(error_text(), "the last 16 questions have no score");
        grader_close(g);
    }
}

static void a_program_that_says_null_to_everything_ends_the_run(void **state)
{
    Run never = {.command = LOOP ANSWER("null") "done", .journal = "nulls", .asked = 40};
    assert_refused(grade(&never), "the last 40 questions have no score; it gave no score: \"{\"question\": \"");
    assert_says(error_text(), "\"score\": null}\"; for each line");
    assert_says(error_text(), "/nulls; remove that file to have everything asked again");
    Grader *g = open_with(LOOP "s=null; [ $n -ge 20 ] || s=1; " ANSWER("$s") "done", "more-nulls");
    assert_ok(ask_round(g, 0, 60) && ask_round(g, 60, 40) && !ask_round(g, 100, 40));
    assert_says(error_text(), "questions have no score; it gave no score: ");
    grader_close(g);
}

// ---- processes

static void write_text(const char *name, const char *text)
{
    char *path = path_join(folder, name);
    assert_ok(file_write_atomic(path, text, strlen(text)));
    free(path);
}

// Of those whose numbers are in the file.
static int living(const char *name)
{
    int count = 0;
    char *path = path_join(folder, name), state;
    FILE *file = fopen(path, "r"), *stat;
    for (int pid; file != NULL && fscanf(file, "%d", &pid) == 1;) {
        char at[64];
        snprintf(at, sizeof at, "/proc/%d/stat", pid);
        if ((stat = fopen(at, "r")) == NULL)
            continue;
        count += fscanf(stat, "%*d (%*[^)]) %c", &state) == 1 && state != 'Z' && state != 'X';
        fclose(stat);
    }
    if (file != NULL)
        fclose(file);
    free(path);
    return count;
}

static bool within(double seconds, const char *name, int count)
{
    for (int i = 0; i < seconds * 100 && living(name) != count; i++)
        usleep(10000);
    return living(name) == count;
}

// Children in its group and out of it, one that lost its parent, and a grandchild; and then it hangs at question 1.
static const char FAMILY[] = "echo $$ >>$FOLDER/$1\n"
                             "sleep 1000 & echo $! >>$FOLDER/$1\n"
                             "setsid sleep 1000 & echo $! >>$FOLDER/$1\n"
                             "(setsid sleep 1000 & echo $! >>$FOLDER/$1)\n"
                             "sh -c 'sleep 1000 & echo $! >>$FOLDER/$1; wait' sh $1 & echo $! >>$FOLDER/$1\n" LOOP
                             "case $n in *1) sleep 1000 & echo $! >>$FOLDER/$1; wait ;; esac; " ANSWER("1") "done\n";
enum { FAMILY_SIZE = 6 };

static Grader *open_family(const char *name, double seconds)
{
    static char command[4096], journal[4096];
    write_text("family.sh", FAMILY);
    snprintf(command, sizeof command, "sh %s/family.sh %s.pids", folder, name);
    snprintf(journal, sizeof journal, "%s/%s", folder, name);
    GraderOptions o = {.command = command, .processes = 1, .seconds = seconds, .start_seconds = 5, .sandbox = "none"};
    o.journal = journal;
    return grader_open(&o);
}

static void a_program_that_is_replaced_or_closed_leaves_nobody(void **state)
{
    Grader *g = open_family("replaced", 1);
    assert_ok(g != NULL && ask_round(g, 0, 1) && within(5, "replaced.pids", FAMILY_SIZE));
    assert_ok(ask_round(g, 1, 1));              // in time it has no answer
    assert_true(within(2, "replaced.pids", 1)); // the orphan: nobody knows any more whose it is
    assert_ok(ask_round(g, 2, 1) && within(5, "replaced.pids", 1 + FAMILY_SIZE));
    grader_close(g);
    assert_int_equal(living("replaced.pids"), 0);
}

// kill -9 of the trainer, or of its whole group; before that SIGTERM to the group, which it outlives itself.
static void a_trainer_that_is_killed_leaves_nobody(void **state)
{
    for (int whole = 0; whole < 2; whole++) {
        const char *name = whole ? "group" : "alone", *pids = whole ? "group.pids" : "alone.pids";
        char *ready = path_join(folder, whole ? "group-ready" : "alone-ready");
        pid_t trainer = fork();
        if (trainer == 0) {
            setpgid(0, 0);
            signal(SIGTERM, SIG_IGN);
            Grader *g = open_family(name, 30);
            bool ok = g != NULL && ask_round(g, 0, 1) && kill(0, SIGTERM) == 0 && usleep(200000) == 0 &&
                      ask_round(g, 2, 1) && file_write_atomic(ready, "", 0) && ask_round(g, 1, 1);
            _exit(ok ? 0 : 1);
        }
        for (int i = 0; i < 1000 && !file_exists(ready); i++)
            usleep(10000);
        assert_true(file_exists(ready) && within(10, pids, FAMILY_SIZE + 1));
        kill(whole ? -trainer : trainer, SIGKILL);
        waitpid(trainer, NULL, 0);
        assert_true(within(2, pids, 0));
        char *journal = path_join(folder, name);
        Verdicts v; // and its journal is free
        assert_ok(verdicts_open(&v, journal));
        verdicts_close(&v);
        free(journal);
        free(ready);
    }
}

// One program has its output to itself; a shell that had it open, too, would keep it so until its time is up.
static void a_program_that_closes_its_output_has_no_answer_at_once(void **state)
{
    double begun = (double)time(NULL);
    Run r = {.command = "sh $FOLDER/closes.sh 'a;b' 2>/dev/null", .journal = "closes", .asked = 3, .start_seconds = 60};
    write_text("closes.sh", "read -r line; exec >&-; exec sleep 1000\n");
    assert_ok(grade(&r));
    assert_int_equal(r.unscored, 3);
    assert_string_equal(r.why, "it closed its input or output");
    assert_true((double)time(NULL) - begun < 10);
}

static void a_script_that_was_edited_is_asked_again(void **state)
{
    static char command[4096];
    snprintf(command, sizeof command, "sh \"%s\"/grader.sh --log=%s/grader.log", folder, folder);
    Run first = {.command = command, .journal = "edits"}, again = first, edited = first;
    write_text("grader.sh", LOOP ANSWER("1") "done\n");
    assert_ok(grade(&first));
    write_text("grader.log", "what is no script may change\n");
    assert_ok(grade(&again));
    size_t known = size_of("edits");
    assert_true(first.scores[0] == 1 && again.scores[0] == 1);
    write_text("grader.sh", LOOP ANSWER("0.5") "done\n");
    assert_ok(grade(&edited));
    assert_true(edited.scores[0] == 0.5 && edited.unscored == 0 && size_of("edits") > known);
}

static void skip_without_sandbox(void)
{
    if (!grader_sandbox_works()) {
        print_message("skipped: bubblewrap is not here, or may not make namespaces\n");
        skip();
    }
}

static void in_the_sandbox_is_the_working_folder(void **state)
{
    skip_without_sandbox();
    char *words = path_join(folder, "own"), *here = getcwd(NULL, 0);
    assert_ok(file_write_atomic(words, "0.75", 4) && chdir(folder) == 0);
    Run r = {.command = LOOP "touch own 2>/dev/null && exit 9; " ANSWER("$(cat own)") "done",
             .journal = "bwrap",
             .sandbox = "bwrap"};
    assert_ok(grade(&r) && chdir(here) == 0);
    for (int i = 0; i < ASKED; i++)
        assert_true(r.scores[i] == 0.75); // read, and not written to
    Run lost = {.command = "exec /tmp/no/such/grader", .journal = "lost", .sandbox = "bwrap"};
    assert_refused(grade(&lost),
                   "it runs in bubblewrap: read-only, /tmp, /var/tmp and /run empty but for the working folder");
    free(here);
    free(words);
}

#define TRY_IT                                                                                                         \
    "score=0.25; if sh -c \"$WAY\" >/dev/null 2>&1; then score=1; fi; [ \"$TOKENS\" = 1 ] || score=2; " LOOP ANSWER(   \
        "$score") "done"

// Each of them works in a sandbox from which there is a way out; who runs the test may be root.
static void from_the_sandbox_there_is_no_way_out(void **state)
{
    skip_without_sandbox();
    static const char *const WAYS[] = {
        "mount -o remount,rw,bind /",
        "umount /tmp",
        "mount -t tmpfs none /mnt",
        "mount --bind /tmp \"$FOLDER\"/..",
        "unshare -Urm true",
        "mknod /tmp/device b 254 0",
        "chroot / true",
        "echo x >/written",
        "chown 0:1 /tmp/.",
        "grep -v 0000000000000000 /proc/self/status | grep CapEff",
        "[ -n \"$A_KEY$a_token\" ]",
        "ls /run/*",
        "ls /var/tmp/*",
        "[ $(ls -d /proc/[0-9]* | wc -l) -gt 9 ]",
    };
    char other[] = "/var/tmp/test_grader-XXXXXX"; // somebody's, which may be a socket
    int there = mkstemp(other);
    assert_int_equal(setenv("A_KEY", "1", 1) | setenv("a_token", "1", 1) | setenv("TOKENS", "1", 1), 0);
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        char journal[32];
        snprintf(journal, sizeof journal, "way-%zu", i);
        assert_int_equal(setenv("WAY", WAYS[i], 1), 0);
        Run r = {.command = TRY_IT, .journal = journal, .sandbox = "bwrap", .asked = 1};
        assert_ok(grade(&r));
        if (r.scores[0] != 0.25)
            fail_msg("%s: %g", WAYS[i], r.scores[0]);
    }
    if (there >= 0)
        assert_int_equal(close(there) | unlink(other), 0);
}

static void starting_has_seconds_of_its_own(void **state)
{
    const char *command = "sleep 0.7; i=0; " LOOP "i=$((i + 1)); [ $i != 2 ] || sleep 60; " ANSWER("$n") "done";
    Run r = {.command = command, .journal = "starts", .seconds = 0.3, .start_seconds = 30, .asked = 6};
    double begun = (double)time(NULL);
    assert_ok(grade(&r)); // every first answer comes, and every second one is too late
    assert_true(r.unscored >= 1 && r.unscored <= 3);
    assert_string_equal(r.why, "it did not answer in time");
    assert_true((double)time(NULL) - begun < 15);
    Run hurried = {.command = command, .journal = "hurried", .seconds = 0.1, .start_seconds = 0, .asked = 3};
    assert_ok(grade(&hurried));
    assert_int_equal(hurried.unscored, 3);
}

static void a_command_that_cannot_be_run_is_refused(void **state)
{
    Run r = {.command = "/no/such/program", .journal = "none"};
    assert_refused(grade(&r), "exit code 127");
    assert_says(error_text(), "before it was asked anything");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_scores),
        cmocka_unit_test(what_was_said_is_not_asked_again),
        cmocka_unit_test(questions_that_are_the_same_are_asked_once),
        cmocka_unit_test(a_grader_that_fails_has_no_score_and_is_replaced),
        cmocka_unit_test(what_failed_is_asked_again),
        cmocka_unit_test(a_score_of_no_use_is_no_score_and_says_why),
        cmocka_unit_test(a_score_that_was_changed_in_the_journal_is_none),
        cmocka_unit_test(what_is_no_answer_ends_a_run_that_has_no_score_yet),
        cmocka_unit_test(no_response_gets_the_score_of_another),
        cmocka_unit_test(a_program_without_hope_ends_the_run),
        cmocka_unit_test(a_program_that_has_ceased_ends_the_run),
        cmocka_unit_test(what_the_journal_says_is_no_sign_of_life),
        cmocka_unit_test(a_run_that_goes_on_asks_for_what_failed_without_losing_hope),
        cmocka_unit_test(a_program_that_says_null_to_everything_ends_the_run),
        cmocka_unit_test(a_program_that_is_replaced_or_closed_leaves_nobody),
        cmocka_unit_test(a_trainer_that_is_killed_leaves_nobody),
        cmocka_unit_test(a_program_that_closes_its_output_has_no_answer_at_once),
        cmocka_unit_test(a_script_that_was_edited_is_asked_again),
        cmocka_unit_test(in_the_sandbox_is_the_working_folder),
        cmocka_unit_test(from_the_sandbox_there_is_no_way_out),
        cmocka_unit_test(starting_has_seconds_of_its_own),
        cmocka_unit_test(a_command_that_cannot_be_run_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
