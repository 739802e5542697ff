// What no answer may do, whether it comes from a looping model or is crafted on purpose: take long, take much memory,
// end the program. Each comparison runs in its own process with bounds on time and memory, so that a failure names its
// text and the other comparisons still run.
//
// In a release build: SECONDS_MOST of CPU time, and four times the text takes no more than LINEAR times as long (twice
// what is linear, and a millisecond for the clock). The sanitizers take several times as long: there the slowest is
// only told.
#include "test/support/check.h"
#include "answers/verify.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_MOST 0.050
#define LINEAR 8.0

enum { SMALL = 64 << 10, LARGE = 256 << 10, MEMORY_MOST = 200 << 20 };

static bool is_long(void)
{
    const char *how = getenv("DEREASON_TEST");
    return how != NULL && strcmp(how, "long") == 0;
}

// ---- one comparison, in its own process

typedef struct Outcome {
    bool ended;     // as a program should
    char cause[64]; // otherwise
    Verdict verdict;
    double seconds;
    long kilobytes; // more than before
} Outcome;

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static size_t address_space(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void set_limits(size_t memory)
{
    rlim_t seconds =
        IS_RELEASE ? 1 : 10; // for what never ends; the sanitizers, beside other tests, take several times as long
    struct rlimit cpu = {seconds, seconds}, space = {address_space() + memory, address_space() + memory}, core = {0, 0};
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
    if (IS_RELEASE) // the sanitizers take address space by the terabyte
        setrlimit(RLIMIT_AS, &space);
}

static bool is_sound(const Finding *f)
{
    return f->rule != NULL && f->kind >= 0 && f->kind < ANSWER_KINDS &&
           memchr(f->reference, 0, FINDING_BYTES) != NULL && memchr(f->answer, 0, FINDING_BYTES) != NULL;
}

static double since(double start) { return cpu_seconds() - start; }

// The slowest of what the front door answers
static void compare_in_child(int out, Text row, Text reference, Text response, size_t memory)
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

static Outcome compare_within(size_t memory, Text row, Text reference, Text response)
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

// What else a machine does makes a comparison slower, never faster: of one that takes long the quickest of five counts.
static Outcome quickest(Text row, Text reference, Text response)
{
    Outcome o = compare_within(MEMORY_MOST, row, reference, response);
    for (int i = 0; i < 4 && IS_RELEASE && o.ended && o.seconds > 2e-3; i++) {
        Outcome again = compare_within(MEMORY_MOST, row, reference, response);
        o.seconds = again.ended ? fmin(o.seconds, again.seconds) : o.seconds;
    }
    return o;
}

// ---- all comparisons of a test

typedef struct Tally {
    int comparisons, ended_badly, slow, more_than_linear, equal;
    double slowest;
    long most_kilobytes;
    char slowest_name[160];
} Tally;

static const Text no_row = {NULL, 0};

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static double look(Tally *t, const char *name, Text row, Text reference, Text response)
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
    if (IS_RELEASE && o.seconds > SECONDS_MOST) {
        print_message("%s: %.0f ms\n", name, 1e3 * o.seconds);
        t->slow++;
    }
    return o.seconds;
}

static void report(const Tally *t)
{
    print_message("%d comparisons: %d ended badly, %d slow, %d not linear; slowest %.1f ms (%s), most memory %ld KB\n",
                  t->comparisons, t->ended_badly, t->slow, t->more_than_linear, 1e3 * t->slowest, t->slowest_name,
                  t->most_kilobytes);
    assert_int_equal(t->ended_badly, 0);
    assert_int_equal(t->slow, 0);
    assert_int_equal(t->more_than_linear, 0);
}

// ---- one piece, again and again

static const char *const pieces[] = {
    // what opens and is never closed
    "\\boxed{",
    "\\boxed",
    "\\frac{",
    "\\frac",
    "{",
    "(",
    "[",
    "|",
    "\\text{",
    "\\{",
    "\\left(",
    "\\left[(",
    "\\sqrt{",
    "\\sqrt[",
    "\\begin{pmatrix}",
    "\\ce{",
    "\\mathrm{",
    "$",
    "$$",
    "\\(",
    "\\[",
    "<think>",
    "<answer>",
    "```",
    "`",
    "**",
    "\"",
    "^{",
    "_{",
    "x^{",
    "2^{",
    "\\binom{",
    "\\log_{",
    "\\sum_{",
    "\\lfloor ",
    "\\overline{",
    "{\\{",
    "\\boxed{(",
    "\\color{",
    "\\fbox{ ",
    "f(",
    "\\langle ",
    // what closes and was never opened
    "}",
    ")",
    "\\}",
    "\\right)",
    "</think>",
    "</answer>",
    "\\end{pmatrix}",
    // what is whole
    "a. ",
    "1 ",
    "\\",
    "\\\\",
    "A) ",
    "(A) ",
    "A. ",
    ",",
    ", ",
    "1,",
    "1, ",
    "12,345",
    "answer is ",
    "The answer is 7. ",
    "answer: ",
    "#### ",
    "#### 1\n",
    "\\boxed{7} ",
    "\\boxed{7}, ",
    "\\boxed{7} and ",
    "\\boxed{}",
    "\\boxed{\\text{no}}",
    "9",
    "0",
    "0.",
    "1/",
    "1e9",
    "10^",
    "-",
    "+",
    "--",
    "x",
    "X",
    "xy ",
    "x+",
    "x=",
    "x=1, ",
    "=",
    "<",
    "1<",
    "\\le ",
    "\\cup ",
    "(1,2)\\cup ",
    "(1,2),",
    "\\pm ",
    "1\\pm ",
    "!",
    "%",
    "^",
    "_",
    "'",
    "^\\circ ",
    "&",
    "1&",
    " ",
    "\n",
    "\t",
    "1\n",
    "1 2\n",
    "and ",
    "or ",
    "1 and ",
    "not ",
    "word ",
    "words, ",
    "A sentence of some words. ",
    "5 m ",
    "m",
    "kg ",
    "m/s ",
    "5 kg, ",
    "H2",
    "H2O + ",
    "->",
    "A -> ",
    "\\to ",
    "\\implies ",
    "\\sin ",
    "\\sin(x)+",
    "\\sin",
    "\\text{a}",
    "\\text{a} ",
    "\\frac12",
    "\\frac{1}{2}",
    "\\sqrt2",
    "\\pi",
    "\\cdot ",
    "1\\cdot ",
    "{}",
    "()",
    "[]",
    "[1]",
    "\\{1\\}",
    "é",
    "\xe2\x88\x92",
    "√",
    "²",
    "½",
    "→",
    "\xef\xbc\x97",
    "2020-",
    "1:",
    "1:2 ",
    "1-",
    "5-4 ",
    "$1$ ",
    "\\ ",
    "\\,",
    "\\;",
    "1~",
    "x_1 ",
    "x_1+",
    "e^",
    "i",
    "\\ln ",
    "\\infty",
    "\\emptyset",
    "five ",
    "million ",
    "1_2",
    ".",
    "...",
    "? ",
    ": ",
    "; ",
    "\r\n",
    "\x01",
    "\x7f",
    // no text at all
    "\xff",
    "\xc3",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xc0\x80",
    "\x80",
    "1\xff",
};

enum { PIECES = sizeof pieces / sizeof *pieces };

static char *repeated(const char *piece, size_t size, const char *end, size_t *written)
{
    size_t n = strlen(piece), at = 0;
    char *text = malloc(size + strlen(end) + 1);
    assert_non_null(text);
    for (; at + n <= size; at += n)
        memcpy(text + at, piece, n);
    strcpy(text + at, end);
    *written = at + strlen(end);
    return realloc(text, *written + 1); // so that a look past the end is seen
}

typedef enum Role { RESPONSE, REFERENCE, BOTH, BEFORE_AN_ANSWER, ROLES } Role;
static const char *const role_names[ROLES] = {"a response", "a reference", "both", "a response that ends in a box"};

static double look_at_piece(Tally *t, const char *piece, size_t size, Role role)
{
    char name[160];
    size_t n;
    char *text = repeated(piece, size, role == BEFORE_AN_ANSWER ? " \\boxed{7}" : "", &n);
    Text long_one = {text, n}, seven = span("7");
    snprintf(name, sizeof name, "%zu KB of \"%s\" as %s", size >> 10, strcmp(piece, "\n") == 0 ? "\\n" : piece,
             role_names[role]);
    double taken = look(t, name, no_row, role == REFERENCE || role == BOTH ? long_one : seven,
                        role == REFERENCE ? seven : long_one);
    free(text);
    return taken;
}

static void look_at_pieces(Role role)
{
    Tally t = {0};
    for (int i = 0; i < PIECES; i++) {
        double small = look_at_piece(&t, pieces[i], SMALL, role);
        if (!IS_RELEASE && !is_long())
            continue;
        double large = look_at_piece(&t, pieces[i], LARGE, role);
        if (IS_RELEASE && small >= 0 && large > LINEAR * small + 1e-3) {
            print_message("\"%s\" as %s: %.2f ms, and %.2f ms for four times as much\n", pieces[i], role_names[role],
                          1e3 * small, 1e3 * large);
            t.more_than_linear++;
        }
    }
    report(&t);
}

static void a_response_that_repeats_itself_takes_a_time_linear_in_its_length(void **state) { look_at_pieces(RESPONSE); }

static void a_reference_that_repeats_itself_takes_a_time_linear_in_its_length(void **state)
{
    look_at_pieces(REFERENCE);
}

static void two_texts_that_repeat_themselves_take_a_time_linear_in_their_length(void **state) { look_at_pieces(BOTH); }

static void an_answer_behind_a_text_that_repeats_itself_takes_a_time_linear_in_its_length(void **state)
{
    look_at_pieces(BEFORE_AN_ANSWER);
}

// As an option that is drawn too, and as all of a problem
static void a_row_that_repeats_itself_takes_a_bounded_time(void **state)
{
    Tally t = {0};
    Bytes row = {0};
    static const char *const some[] = {"(",     "{",   "\\\\frac{",  "1 ", "1,", "x+",
                                       "word ", "A) ", "\\\\boxed{", "[",  "9",  "$"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        size_t n;
        char *text = repeated(some[i], SMALL, "", &n);
        for (int options = 0; options < 2; options++) {
            bytes_clear(&row);
            assert_ok(bytes_printf(&row, "{\"question\": \"?\", \"options\": %s", options ? "[\"" : "["));
            assert_ok(bytes_text(&row, options ? text : "") && bytes_text(&row, options ? "\", \"7\", \"8\"]}" : text));
            Text r = {row.data, row.size};
            char name[160];
            snprintf(name, sizeof name, "a row with \"%s\" in %s", some[i], options ? "an option" : "its middle, cut");
            look(&t, name, r, span("B"), span("\\boxed{7}"));
            look(&t, name, r, span("7"), span("The answer is C"));
            look(&t, name, r, span("B"), (Text){text, n});
        }
        free(text);
    }
    bytes_clear(&row);
    assert_ok(bytes_text(&row, "{\"options\": [\"0\""));
    for (int i = 1; i < 20000; i++)
        assert_ok(bytes_printf(&row, ", \"\\\\frac{%d}{7}x^2 + %d\"", i, i));
    assert_ok(bytes_text(&row, "]}"));
    look(&t, "a row of 20,000 options", (Text){row.data, row.size}, span("B"), span("\\boxed{\\frac{3}{7}x^2 + 3}"));
    bytes_free(&row);
    report(&t);
}

// ---- numbers that cannot be

static const char *const monsters[] = {
    "10^10^10",
    "10^{10^{10}}",
    "1e999999999",
    "1e-999999999",
    "1e99999999999999999999",
    "1.5 \\times 10^{999999999}",
    "0.1^(10^9)",
    "0.1^{10^{9}}",
    "2^{-99999999}",
    "2^{99999999}",
    "9999999!",
    "(9999999!)!",
    "9999999!!",
    "99999999999!",
    "9^{9^{9^{9}}}",
    "9^9^9^9^9",
    "(-3)^{10^{-3000000}}",
    "(-3)^{10^{-10000000}}",
    "(-8)^{1/3000001}",
    "\\cos(10^{-30000}+i\\cdot 10^{-100000})",
    "(10^{-30000}+i)^{2}",
    "(1+i\\cdot 10^{-30000})^{1+i}",
    "\\arctan(10^{-30000}+i\\cdot 10^{-100000})",
    "\\sin(10^{1000000})",
    "\\sin(10^{10^{10}})",
    "\\tan(10^{300})",
    "e^{e^{e^{e^{10}}}}",
    "e^{-e^{e^{e^{10}}}}",
    "\\binom{99999999}{49999999}",
    "\\binom{10^{9}}{5}",
    "C(99999999,5)",
    "_{99999999}C_{49999999}",
    "\\gcd(10^{1000000},10^{999999})",
    "\\text{lcm}(10^{100000}+1,10^{100000}-1)",
    "10^{1000000} \\bmod 7",
    "\\lfloor 10^{1000000}/7 \\rfloor",
    "\\sqrt[1000000]{2}",
    "\\sqrt[999999999]{-2}",
    "\\log_{1.0000000000000001} 2",
    "\\log_{2}(2^{99999999})",
    "\\sum_{k=1}^{999999999} k",
    "\\sum_{k=1}^{10^{10}} \\frac{1}{k}",
    "\\prod_{k=1}^{9999999} k",
    "\\int_0^1 x^{9999999} dx",
    "\\sqrt{2}^{\\sqrt{2}^{\\sqrt{2}^{99999}}}",
    "x^{999999999}",
    "(x+1)^{999999999}",
    "(x+y+z)^{9999999}",
    "x^{x^{x^{x^{x}}}}",
    "x^{-999999999}",
    "(1+x)^{10^{10}}",
    "\\frac{1}{10^{999999999}}",
    "\\frac{1}{0}",
    "0^0",
    "0^{-1}",
    "\\frac{0}{0}",
    "\\infty-\\infty",
    "\\infty^{\\infty}",
    "10^{-10^{10}} x",
    "i^{i^{i^{i}}}",
    "i^{999999999}",
    "(1+i)^{999999999}",
    "0.\\overline{142857142857142857}",
    "0.\\overline{1}^{999999}",
    "1_{99999999}",
    "ZZZZZZZZZZ_{36}",
    "1010_{2}^{1010_{2}^{1010_{2}}}",
    "5 m^{999999999}",
    "5 km^{-99999999}",
    "5 m^{10^{10}}",
    "10^{999999999} kg",
    "99999999999999999999%",
    "\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm\\pm 1",
    "1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1\\pm1",
    "H_{999999999}",
    "C_{99999999}H_{99999999} + O_2 -> H_2O",
    "Fe^{999999999+}",
    "9999999999-99-99",
    "2020-99-99",
    "999999999999:999999999999",
    "1:0",
    "0:0:0",
    "10^{-99999999}:10^{99999999}",
    "[10^{999999999}, \\infty)",
    "x > 10^{10^{10}}",
    "\\begin{pmatrix} 10^{10^{10}} & 1 \\\\ 1 & 9999999! \\end{pmatrix}",
    "\\det\\begin{pmatrix} 10^{99999} & 1 \\\\ 1 & 10^{99999} \\end{pmatrix}",
    "\\begin{pmatrix} 1 & 1 \\\\ 1 & 1 \\end{pmatrix}^{999999999}",
    "\\Gamma(99999999)",
    "\\zeta(99999999)",
    "\\sinh(99999999)",
    "\\sec(\\frac{\\pi}{2})",
    "|{|{|{|{-9^{9^9}}|}|}|}|",
};

enum { MONSTERS = sizeof monsters / sizeof *monsters };

static void a_number_that_cannot_be_is_bounded_and_never_equal_to_another(void **state)
{
    Tally t = {0};
    static const char *const simple[] = {"0",      "7",    "7x", "x", "7 m",
                                         "(1, 2)", "\\pi", "1+i"}; // 0, to which the tiny ones must not underflow
    for (int i = 0; i < MONSTERS; i++)
        for (size_t k = 0; k < (is_long() ? sizeof simple / sizeof *simple : 2); k++) {
            int equal = t.equal;
            look(&t, monsters[i], no_row, span(monsters[i]), span(simple[k]));
            look(&t, monsters[i], no_row, span(simple[k]), span(monsters[i]));
            if (t.equal > equal)
                print_message("%s is called equal to %s\n", monsters[i], simple[k]);
        }
    report(&t);
    assert_int_equal(t.equal, 0);
}

static void a_number_that_cannot_be_is_bounded_beside_itself_and_beside_its_neighbour(void **state)
{
    Tally t = {0};
    char boxed[512], more[512];
    for (int i = 0; i < MONSTERS; i++) {
        snprintf(boxed, sizeof boxed, "\\boxed{%s}", monsters[i]);
        snprintf(more, sizeof more, "%s + 1", monsters[i]);
        look(&t, monsters[i], no_row, span(monsters[i]), span(boxed));
        look(&t, monsters[i], no_row, span(monsters[i]), span(more));
        look(&t, monsters[i], no_row, span(monsters[i]), span(monsters[(i + 1) % MONSTERS]));
    }
    report(&t);
}

// GMP and MPFR end the program where they get no memory. What needs more than there is has to be unknown.
static void little_memory_is_no_end_of_the_program(void **state)
{
    if (!IS_RELEASE)
        return; // the sanitizers' memory cannot be bounded
    static const size_t megabytes[] = {64, 16, 4};
    int ended = 0, equal = 0;
    for (size_t k = 0; k < 3; k++)
        for (int i = 0; i < MONSTERS; i++) {
            Outcome o = compare_within(megabytes[k] << 20, no_row, span("7"), span(monsters[i]));
            if (!o.ended)
                print_message("%s with %zu MB: ended by %s\n", monsters[i], megabytes[k], o.cause);
            if (o.ended && o.verdict == VERDICT_EQUAL)
                print_message("7 | %s with %zu MB: equal\n", monsters[i], megabytes[k]);
            ended += !o.ended;
            equal += o.ended && o.verdict == VERDICT_EQUAL;
        }
    print_message("%d comparisons, %d ended badly, %d equal\n", 3 * MONSTERS, ended, equal);
    assert_int_equal(ended, 0);
    assert_int_equal(equal, 0);
}

// ---- bytes

static void zeros_and_bytes_that_are_no_text_are_just_an_answer(void **state)
{
    Tally t = {0};
    static char zeros[LARGE];
    look(&t, "256 KB of zeros as a response", no_row, span("7"), (Text){zeros, LARGE});
    look(&t, "256 KB of zeros as a reference", no_row, (Text){zeros, LARGE}, span("7"));
    look(&t, "256 KB of zeros as both", no_row, (Text){zeros, LARGE}, (Text){zeros, LARGE});
    look(&t, "no text", no_row, no_row, no_row);
    report(&t);
    t.equal = 0;
    look(&t, "no reference", no_row, no_row, span("7"));
    look(&t, "no response", no_row, span("7"), no_row);
    look(&t, "zeros for seven", no_row, span("7"), (Text){zeros, 16});
    report(&t);
    assert_int_equal(t.equal, 0);
}

static void what_is_shown_of_valid_text_is_valid_text(void **state)
{
    char text[FINDING_BYTES + 16];
    Finding f;
    for (int shift = 0; shift < 4; shift++) { // so that every byte of a character is where the text is cut
        size_t n = (size_t)shift;
        memset(text, 'a', n);
        while (n + 4 < sizeof text) {
            memcpy(text + n, "\xf0\x9d\x94\xb8", 4);
            n += 4;
        }
        verify_finding(&f, no_row, (Text){text, n}, (Text){text, n});
        assert_int_equal(utf8_valid_prefix(f.reference, strlen(f.reference)), strlen(f.reference));
        assert_int_equal(utf8_valid_prefix(f.answer, strlen(f.answer)), strlen(f.answer));
    }
}

static void a_text_behind_a_zero_counts(void **state)
{
    Text a = {"7\0 8", 4}, b = {"7\0 9", 4};
    assert_int_not_equal(verify(a, b), VERDICT_EQUAL);
    assert_int_not_equal(verify(span("7"), b), VERDICT_EQUAL);
}

// Random bytes from what formulas are made of: nothing here is known to be equal, but each must end, and be equal to
// itself if it is read
static void random_formulas_end_and_are_themselves(void **state)
{
    static const char *const parts[] = {"\\frac",
                                        "{",
                                        "}",
                                        "(",
                                        ")",
                                        "1",
                                        "2",
                                        "x",
                                        "y",
                                        "+",
                                        "-",
                                        "^",
                                        "_",
                                        "\\sqrt",
                                        "=",
                                        ",",
                                        " ",
                                        "\\text{",
                                        "\\boxed{",
                                        "m",
                                        "kg",
                                        "/",
                                        "\\pi",
                                        "!",
                                        "%",
                                        "\\le",
                                        "<",
                                        "|",
                                        "[",
                                        "]",
                                        "\\{",
                                        "\\}",
                                        "\\infty",
                                        ".",
                                        "e",
                                        "i",
                                        "\\sin",
                                        "\\cup",
                                        "->",
                                        "H",
                                        "O",
                                        "A",
                                        "$",
                                        "and",
                                        "10",
                                        "&",
                                        "\\\\",
                                        "\\begin{pmatrix}",
                                        "\\end{pmatrix}",
                                        "½",
                                        "√",
                                        "²",
                                        "\n",
                                        "\\pm",
                                        ":",
                                        "not",
                                        "no",
                                        "'",
                                        "\xff"};
    enum { PARTS = sizeof parts / sizeof *parts };
    char text[512];
    int count = is_long() ? 1000000 : 20000;
    double slowest = 0;
    char slowest_text[512] = "";
    for (int i = 0; i < count; i++) {
        size_t n = 0;
        uint32_t length = 1 + random_bits(29, RANDOM_DEMO, (uint32_t)i, 0, 0).v[0] % 24;
        for (uint32_t k = 0; k < length; k++) {
            const char *part = parts[random_bits(29, RANDOM_DEMO, (uint32_t)i, 1, k).v[0] % PARTS];
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        text[n] = 0;
        double start = cpu_seconds();
        Verdict v = verify((Text){text, n}, (Text){text, n});
        double taken = cpu_seconds() - start;
        if (taken > slowest) {
            slowest = taken;
            memcpy(slowest_text, text, n + 1);
        }
        if (v == VERDICT_DIFFERENT && answer_comparable((Text){NULL, 0}, (Text){text, n}))
            fail_msg("%s is not itself", text);
    }
    print_message("%d formulas, the slowest %.2f ms: %s\n", count, 1e3 * slowest, slowest_text);
    assert_true(!IS_RELEASE || slowest <= SECONDS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_that_repeats_itself_takes_a_time_linear_in_its_length),
        cmocka_unit_test(a_reference_that_repeats_itself_takes_a_time_linear_in_its_length),
        cmocka_unit_test(two_texts_that_repeat_themselves_take_a_time_linear_in_their_length),
        cmocka_unit_test(an_answer_behind_a_text_that_repeats_itself_takes_a_time_linear_in_its_length),
        cmocka_unit_test(a_row_that_repeats_itself_takes_a_bounded_time),
        cmocka_unit_test(a_number_that_cannot_be_is_bounded_and_never_equal_to_another),
        cmocka_unit_test(a_number_that_cannot_be_is_bounded_beside_itself_and_beside_its_neighbour),
        cmocka_unit_test(little_memory_is_no_end_of_the_program),
        cmocka_unit_test(zeros_and_bytes_that_are_no_text_are_just_an_answer),
        cmocka_unit_test(what_is_shown_of_valid_text_is_valid_text),
        cmocka_unit_test(a_text_behind_a_zero_counts),
        cmocka_unit_test(random_formulas_end_and_are_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
