// Comparisons of answers with bounds on time and memory, each in its own process, so that a failure names its text and
// the other comparisons still run.
//
// In a release build: SECONDS_MOST of CPU time, of a core that does LARGE NUL bytes in SECONDS_PLAIN, as Zen 4 does
// when nobody else wants it. Where that takes longer, measured beside a comparison that seems too slow, so may this.
// The sanitizers take several times as long: there the slowest is only told.
#ifndef TEST_BOUNDED_H
#define TEST_BOUNDED_H

#include "answers/verify.h"
#include "test/support/check.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MOST 0.050
#define SECONDS_PLAIN 0.009
#define LINEAR 8.0

enum { SMALL = 64 << 10, LARGE = 256 << 10, MEMORY_MOST = 200 << 20 };

// ---- one comparison, in its own process

typedef struct Outcome {
    bool ended;     // as a program should
    char cause[64]; // otherwise
    Verdict verdict;
    double seconds;
    long kilobytes; // more than before
} Outcome;

static inline double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline long peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static inline size_t address_space(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline void set_limits(size_t memory)
{
    rlim_t seconds =
        IS_RELEASE ? 1 : 10; // for what never ends; the sanitizers, beside other tests, take several times as long
    struct rlimit cpu = {seconds, seconds}, space = {address_space() + memory, address_space() + memory}, core = {0, 0};
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
    if (IS_RELEASE) // the sanitizers take address space by the terabyte
        setrlimit(RLIMIT_AS, &space);
}

static inline bool is_sound(const Finding *f)
{
    return f->rule != NULL && f->kind >= 0 && f->kind < ANSWER_KINDS &&
           memchr(f->reference, 0, FINDING_BYTES) != NULL && memchr(f->answer, 0, FINDING_BYTES) != NULL;
}

static inline double since(double start) { return cpu_seconds() - start; }

// The slowest of what the front door answers
static inline void compare_in_child(int out, Text row, Text reference, Text response, size_t memory)
{
    Outcome o = {.ended = true};
    Finding f;
    set_limits(memory);
    long before = peak_kilobytes();
    double start = cpu_seconds();
    verify_finding(&f, row, reference, response);
    o.seconds = since(start);
    start = cpu_seconds();
    AnswerKind kind = answer_kind(row, reference);
    o.seconds = fmax(o.seconds, since(start));
    start = cpu_seconds();
    bool comparable = answer_comparable(row, reference);
    o.seconds = fmax(o.seconds, since(start));
    o.kilobytes = peak_kilobytes() - before;
    o.verdict = f.verdict;
    o.ended = is_sound(&f) && kind < ANSWER_KINDS && !(comparable && kind == ANSWER_NONE);
    if (write(out, &o, sizeof o) != (ssize_t)sizeof o)
        _exit(1);
    _exit(0);
}

static inline Outcome compare_within(size_t memory, Text row, Text reference, Text response)
{
    int ends[2], status;
    Outcome o = {.ended = false};
    fflush(NULL);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        if (IS_RELEASE &&
            freopen("/dev/null", "w", stderr) == NULL) // GMP says there that it aborts; sanitizers may speak
            _exit(1);
        compare_in_child(ends[1], row, reference, response, memory);
    }
    close(ends[1]);
    bool told = read(ends[0], &o, sizeof o) == (ssize_t)sizeof o;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    int by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const char *cause = by == SIGXCPU || by == SIGKILL ? "its time"
                        : by != 0                      ? strsignal(by)
                        : !told                        ? "an error"
                                                       : "a finding that is none";
    snprintf(o.cause, sizeof o.cause, "%s", cause);
    o.ended = o.ended && told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return o;
}

// What else a machine does makes a comparison slower, never faster: of one that seems too slow the quickest of five
// counts.
static inline Outcome quickest(Text row, Text reference, Text response)
{
    Outcome o = compare_within(MEMORY_MOST, row, reference, response);
    for (int i = 0; i < 4 && IS_RELEASE && o.ended && o.seconds > SECONDS_MOST; i++) {
        Outcome again = compare_within(MEMORY_MOST, row, reference, response);
        o.seconds = again.ended ? fmin(o.seconds, again.seconds) : o.seconds;
    }
    return o;
}

// Whether it is too slow: not only because everything is, at the moment
static inline bool is_slow(double seconds)
{
    static char zeros[LARGE];
    if (!IS_RELEASE || seconds <= SECONDS_MOST)
        return false;
    double plain = INFINITY;
    for (int i = 0; i < 5; i++)
        plain = fmin(plain,
                     compare_within(MEMORY_MOST, (Text){NULL, 0}, (Text){zeros, LARGE}, (Text){zeros, LARGE}).seconds);
    return seconds > SECONDS_MOST * fmax(1, plain / SECONDS_PLAIN);
}

// ---- all comparisons of a test

typedef struct Tally {
    int comparisons, ended_badly, slow, more_than_linear, equal;
    double slowest;
    long most_kilobytes;
    char slowest_name[160];
} Tally;

static const Text no_row = {NULL, 0};

static inline Text span(const char *text) { return (Text){text, strlen(text)}; }

static inline double look(Tally *t, const char *name, Text row, Text reference, Text response)
{
    Outcome o = quickest(row, reference, response);
    t->comparisons++;
    t->equal += o.ended && o.verdict == VERDICT_EQUAL;
    if (!o.ended) {
        print_message("%s: ended by %s\n", name, o.cause);
        t->ended_badly++;
        return -1;
    }
    if (o.seconds > t->slowest) {
        t->slowest = o.seconds;
        snprintf(t->slowest_name, sizeof t->slowest_name, "%s", name);
    }
    if (o.kilobytes > t->most_kilobytes)
        t->most_kilobytes = o.kilobytes;
    if (is_slow(o.seconds)) {
        print_message("%s: %.0f ms\n", name, 1e3 * o.seconds);
        t->slow++;
    }
    return o.seconds;
}

static inline void report(const Tally *t)
{
    print_message("%d comparisons: %d ended badly, %d slow, %d not linear; slowest %.1f ms (%s), most memory %ld KB\n",
                  t->comparisons, t->ended_badly, t->slow, t->more_than_linear, 1e3 * t->slowest, t->slowest_name,
                  t->most_kilobytes);
    assert_int_equal(t->ended_badly, 0);
    assert_int_equal(t->slow, 0);
    assert_int_equal(t->more_than_linear, 0);
}

#endif
