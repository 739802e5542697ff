// Fuzzing answers: the reference is what stands before the first newline, a model's text what follows. What must hold:
// an end within the budget, an answer that is within its text's size, that every reference that can be compared is
// equal to itself, and that a choice of options which both texts are is one of them.
#include "answers/verify.h"
#include "base/text.h"
#include "judges/judge_form.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_verify: broken promise: %s\n", what);
    abort();
}

static void check_choice(Text gold, Text response)
{
    json_t *row = json_pack("{s:[s%, s%, s]}", "options", gold.data, utf8_valid_prefix(gold.data, gold.size),
                            response.data, utf8_valid_prefix(response.data, response.size), "(C) neither");
    char *text = row == NULL ? NULL : json_dumps(row, 0);
    Finding f;
    if (text != NULL) {
        verify_finding(&f, (Text){text, strlen(text)}, (Text){"C", 1}, response);
        must(f.verdict == VERDICT_EQUAL || f.verdict == VERDICT_DIFFERENT || f.verdict == VERDICT_UNKNOWN,
             "a verdict is one");
        must(f.rule != NULL && (f.verdict != VERDICT_EQUAL || f.answer[0] != 0), "nothing is never equal");
    }
    free(text);
    json_decref(row);
}

// Of a text that says where its answer is, a reference and a response may be other parts.
static bool says_where(Text s)
{
    static const char *const marks[] = {"think", "box", "##", "swer", "wort", "tion", "sult", "<|", "\xe7\xad", NULL};
    for (const char *const *m = marks; *m != NULL; m++)
        if (text_last(s, *m) != NULL)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // copies of their own, so that a look past the end of either is seen
    const uint8_t *newline = memchr(data, '\n', size);
    size_t first = newline == NULL ? size : (size_t)(newline - data), rest = newline == NULL ? 0 : size - first - 1;
    char *gold = malloc(first + 1), *response = malloc(rest + 1), answer[512];
    must(gold != NULL && response != NULL, "there is memory");
    memcpy(gold, data, first);
    memcpy(response, data + size - rest, rest);
    char *g = realloc(gold, first > 0 ? first : 1), *r = realloc(response, rest > 0 ? rest : 1);
    must(g != NULL && r != NULL, "there is memory");
    verify((Text){g, first}, (Text){r, rest});
    Text a = response_answer((Text){r, rest}, answer, sizeof answer);
    bool inside = a.size == 0 || (a.data >= r && a.data + a.size <= r + rest),
         joined = a.data >= answer && a.data + a.size <= answer + sizeof answer;
    must(inside || joined, "an answer is a part of its text, or of what was joined");
    if (!says_where((Text){g, first}) && answer_comparable((Text){NULL, 0}, (Text){g, first}))
        must(verify((Text){g, first}, (Text){g, first}) == VERDICT_EQUAL, "an answer is equal to itself");
    check_choice((Text){g, first}, (Text){r, rest});
    static JudgeForm form; // of General-Reasoner, for all of them
    must(form.yes != NULL || judge_form_open(&form, NULL, "", "", ""), "there is a judge's form");
    double score = judge_form_score(&form, (Text){r, rest});
    must(isnan(score) || score == 0 || score == 1, "a judge says yes, no or nothing");
    free(g);
    free(r);
    return 0;
}
