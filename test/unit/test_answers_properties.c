// What must hold for answers of every kind, with any numbers and names (test/support/answer_maker.h generates them):
// each is equal to itself in every wrapping and to its other spellings, none to one that was changed, a verdict does
// not depend on which of two is the reference, and none takes long. 20,000 comparisons in the short run, 2,000,000 with
// DEREASON_TEST=long.
//
// One pass makes all comparisons; each test then says what was found of its promise: kind, change and pair. In a
// release build the times are promises too; the sanitizers take several times as long, and there the slowest comparison
// is only told.
#include "test/support/check.h"
#include "test/support/answer_maker.h"
#include "answers/verify.h"
#include <time.h>

#define SECONDS_MOST 0.050

enum {
    COMPARISONS_SHORT = 20000,
    COMPARISONS_LONG = 2000000,
    FAULTS_MOST = 2048,
    SHOWN = 2,
    TEXT_BYTES = MADE_BYTES + 64
};

typedef enum Promise { ITSELF, SPELLING, CHANGE, SYMMETRY, PROMISES } Promise;

// A way in which a promise was broken: how often, and the first pairs.
typedef struct Fault {
    Promise promise;
    const char *kind, *how;
    int count;
    char pairs[SHOWN][2 * TEXT_BYTES + 160];
} Fault;

typedef struct Findings {
    int64_t comparisons, made, of[PROMISES], broken[PROMISES];
    Fault faults[FAULTS_MOST];
    int fault_count;
    double slowest;
    char slowest_pair[2 * TEXT_BYTES + 32];
} Findings;

static Findings found;

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static Verdict compare(Finding *f, const char *row, const char *reference, const char *response)
{
    double start = cpu_seconds();
    verify_finding(f, row[0] == 0 ? (Text){NULL, 0} : span(row), span(reference), span(response));
    double taken = cpu_seconds() - start;
    if (taken > found.slowest) {
        found.slowest = taken;
        snprintf(found.slowest_pair, sizeof found.slowest_pair, "%s | %s", reference, response);
    }
    found.comparisons++;
    return f->verdict;
}

static Fault *fault_of(Promise promise, const char *kind, const char *how)
{
    for (int i = 0; i < found.fault_count; i++)
        if (found.faults[i].promise == promise && strcmp(found.faults[i].kind, kind) == 0 &&
            strcmp(found.faults[i].how, how) == 0)
            return &found.faults[i];
    if (found.fault_count == FAULTS_MOST)
        return &found.faults[FAULTS_MOST - 1];
    found.faults[found.fault_count] = (Fault){.promise = promise, .kind = kind, .how = how};
    return &found.faults[found.fault_count++];
}

static void note(Promise promise, const char *kind, const char *how, const char *reference, const char *response,
                 const Finding *f)
{
    Fault *fault = fault_of(promise, kind, how);
    if (fault->count < SHOWN)
        snprintf(fault->pairs[fault->count], sizeof *fault->pairs, "%s | %s: %s by %s (%s)", reference, response,
                 VERDICT_NAMES[f->verdict], f->rule, ANSWER_KIND_NAMES[f->kind]);
    fault->count++;
    found.broken[promise]++;
}

static void must_be_equal(Promise promise, const Made *made, const char *how, const char *reference,
                          const char *response)
{
    Finding f;
    found.of[promise]++;
    if (compare(&f, made->row, reference, response) != VERDICT_EQUAL)
        note(promise, made->kind, how, reference, response, &f);
}

static void must_not_be_equal(const Made *made, const char *how, const char *reference, const char *response)
{
    Finding f;
    found.of[CHANGE]++;
    if (compare(&f, made->row, reference, response) == VERDICT_EQUAL)
        note(CHANGE, made->kind, how, reference, response, &f);
}

static void box(char out[TEXT_BYTES], const char *text) { snprintf(out, TEXT_BYTES, "\\boxed{%s}", text); }

// A sentence that ends in the answer: formulas in dollars, words behind a colon, several lines on lines of their own
static void say(char out[TEXT_BYTES], const char *text)
{
    bool formula = strpbrk(text, "\\^_{") != NULL && strchr(text, '$') == NULL;
    bool colon = isalpha((unsigned char)text[0]) && isalpha((unsigned char)text[1]);
    const char *pattern = strchr(text, '\n') != NULL      ? "The answer is:\n%s"
                          : formula                       ? "The answer is $%s$."
                          : text[strlen(text) - 1] == '.' ? "The answer is: %s"
                          : colon                         ? "The answer is: %s."
                                                          : "The answer is %s.";
    snprintf(out, TEXT_BYTES, pattern, text);
}

static void check_itself(const Made *made)
{
    char response[TEXT_BYTES];
    must_be_equal(ITSELF, made, "bare", made->text, made->text);
    box(response, made->text);
    must_be_equal(ITSELF, made, "in a box", made->text, response);
    say(response, made->text);
    must_be_equal(ITSELF, made, "in a sentence", made->text, response);
}

static void check_spellings(const Made *made)
{
    char response[TEXT_BYTES], text[TEXT_BYTES];
    box(text, made->text);
    for (int i = 0; i < made->same_count; i++) {
        box(response, made->same[i]);
        must_be_equal(SPELLING, made, "reference and spelling", made->text, response);
        must_be_equal(SPELLING, made, "spelling and reference", made->same[i], text);
    }
}

static void check_changes(const Made *made)
{
    char response[TEXT_BYTES], text[TEXT_BYTES];
    box(text, made->text);
    for (int i = 0; i < made->other_count; i++) {
        const Other *o = &made->others[i];
        box(response, o->text);
        must_not_be_equal(made, o->how, made->text, response);
        must_not_be_equal(made, o->how, made->text, o->text);
        say(response, o->text);
        must_not_be_equal(made, o->how, made->text, response);
        if (!o->as_response)
            must_not_be_equal(made, o->how, o->text, text);
    }
}

// Any two answers; not where one is a decimal, to which a longer one may round, or needs its row.
static void check_symmetry(const Made *a, const Made *b)
{
    if (a->rounds || b->rounds || a->row[0] != 0 || b->row[0] != 0)
        return;
    char response[TEXT_BYTES];
    Finding f, back;
    box(response, b->text);
    compare(&f, "", a->text, response);
    box(response, a->text);
    compare(&back, "", b->text, response);
    found.of[SYMMETRY]++;
    if ((f.verdict == VERDICT_EQUAL) != (back.verdict == VERDICT_EQUAL))
        note(SYMMETRY, a->kind, b->kind, a->text, b->text, &back);
}

// Each with the one before it, with one of its own kind, and with a simple one.
static void check_number(uint32_t number)
{
    static Made made, company;
    make_answer(&made, number);
    check_itself(&made);
    check_spellings(&made);
    check_changes(&made);
    const uint32_t with[] = {number + 1, number + KINDS, (number / KINDS + 7) * KINDS};
    for (int i = 0; i < 3; i++) {
        make_answer(&company, with[i]);
        check_symmetry(&made, &company);
    }
    found.made++;
}

static int compare_all(void **state)
{
    const char *how = getenv("DEREASON_TEST");
    int64_t most = how != NULL && strcmp(how, "long") == 0 ? COMPARISONS_LONG : COMPARISONS_SHORT;
    for (uint32_t number = 0; found.comparisons < most; number++)
        check_number(number);
    print_message("%" PRId64 " answers of %d kinds, %" PRId64 " comparisons\n", found.made, KINDS, found.comparisons);
    return 0;
}

static int by_kind(const void *a, const void *b)
{
    const Fault *x = a, *y = b;
    int order = strcmp(x->kind, y->kind);
    return order != 0 ? order : y->count - x->count;
}

static void report(Promise promise)
{
    print_message("%" PRId64 " of %" PRId64 " are otherwise\n", found.broken[promise], found.of[promise]);
    qsort(found.faults, (size_t)found.fault_count, sizeof *found.faults, by_kind);
    for (int i = 0; i < found.fault_count; i++) {
        const Fault *f = &found.faults[i];
        for (int k = 0; f->promise == promise && k < f->count && k < SHOWN; k++)
            print_message("%6d  %s, %s: %s\n", f->count, f->kind, f->how, f->pairs[k]);
    }
    assert_int_equal(found.broken[promise], 0);
}

static void an_answer_is_equal_to_itself_bare_boxed_and_in_a_sentence(void **state) { report(ITSELF); }

static void an_answer_is_equal_to_its_other_spellings(void **state) { report(SPELLING); }

static void an_answer_that_was_changed_is_never_equal(void **state) { report(CHANGE); }

static void equal_does_not_depend_on_which_is_the_reference(void **state) { report(SYMMETRY); }

static void no_comparison_takes_long(void **state)
{
    print_message("the slowest took %.2f ms: %s\n", 1e3 * found.slowest, found.slowest_pair);
    assert_true(!IS_RELEASE || found.slowest <= SECONDS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_equal_to_itself_bare_boxed_and_in_a_sentence),
        cmocka_unit_test(an_answer_is_equal_to_its_other_spellings),
        cmocka_unit_test(an_answer_that_was_changed_is_never_equal),
        cmocka_unit_test(equal_does_not_depend_on_which_is_the_reference),
        cmocka_unit_test(no_comparison_takes_long),
    };
    return cmocka_run_group_tests(tests, compare_all, NULL);
}
