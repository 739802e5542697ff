// See judge_form.h.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "judges/judge_form.h"
#include "base/text.h"
#include "system/files.h"
#include <math.h>
#include <pcre2.h>
#include <string.h>

enum { FORM_BYTES_MOST = 1 << 20, MATCH_LIMIT = 10 * 1000 * 1000 };

static const char GENERAL_REASONER[] =
    "### Question: {question}\n\n### Ground Truth Answer: {reference}\n\n### Student Answer: {answer}\n\n"
    "For the above question, please verify if the student's answer is equivalent to the ground truth answer.\n"
    "Do not solve the question by yourself; just check if the student's answer is equivalent to the ground truth "
    "answer.\n"
    "If the student's answer is correct, output \"Final Decision: Yes\". If the student's answer is incorrect, output "
    "\"Final "
    "Decision: No\".";

enum { QUESTION, REFERENCE, ANSWER, PLACES };
static const char *const PLACE_NAMES[PLACES] = {"{question}", "{reference}", "{answer}"};

// ---- the question

// The first place from `at` on; PLACES: none, and *begin is the text's end.
static int next_place(const Bytes *text, size_t at, size_t *begin)
{
    for (*begin = at; *begin < text->size; ++*begin)
        for (int place = 0; place < PLACES; place++) {
            size_t size = strlen(PLACE_NAMES[place]);
            if (text->size - *begin >= size && memcmp(text->data + *begin, PLACE_NAMES[place], size) == 0)
                return place;
        }
    return PLACES;
}

// "{problem}" looks like a place, but would stay as it is. "\boxed{yes}" and braces without a word do not.
static bool check_no_others(const Bytes *text, const char *file)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    for (size_t i = 0, begin; i < text->size; i++) {
        const char *at = text->data + i;
        bool belongs = i > 0 && (strchr(letters, at[-1]) != NULL || at[-1] == '}');
        size_t size = *at == '{' ? strspn(at + 1, letters) : 0; // letters ends in a zero
        if (belongs || size < 3 || size > 40 || at[1 + size] != '}' ||
            (next_place(text, i, &begin) != PLACES && begin == i))
            continue;
        return fail("--judge-prompt %s: %.*s is not a place: these are %s, %s and %s", file, (int)size + 2, at,
                    PLACE_NAMES[QUESTION], PLACE_NAMES[REFERENCE], PLACE_NAMES[ANSWER]);
    }
    return true;
}

static bool check_places(const Bytes *text, const char *file)
{
    bool there[PLACES] = {false};
    size_t begin = 0;
    for (int place; (place = next_place(text, begin, &begin)) != PLACES; begin++)
        there[place] = true;
    for (int place = REFERENCE; place < PLACES; place++)
        if (!there[place])
            return fail("--judge-prompt %s: must hold %s, %s and, preferably, %s; %s is missing", file,
                        PLACE_NAMES[REFERENCE], PLACE_NAMES[ANSWER], PLACE_NAMES[QUESTION], PLACE_NAMES[place]);
    return check_no_others(text, file);
}

static bool read_question(JudgeForm *form, const char *text, const char *file)
{
    form->own = text != NULL || file[0] != 0;
    if (file[0] == 0)
        return bytes_text(&form->text, text != NULL ? text : GENERAL_REASONER);
    TRY(file_read(&form->text, file, FORM_BYTES_MOST) || fail_in("--judge-prompt"));
    if (utf8_valid_prefix(form->text.data, form->text.size) != form->text.size)
        return fail("--judge-prompt %s: is not UTF-8", file);
    return check_places(&form->text, file);
}

bool judge_form_fill(const JudgeForm *form, Bytes *out, Text question, Text reference, Text answer)
{
    const Text given[PLACES] = {question, reference, answer};
    const Bytes *text = &form->text;
    bytes_clear(out);
    for (size_t at = 0, begin; at < text->size;) {
        int place = next_place(text, at, &begin);
        TRY(bytes_append(out, text->data + at, begin - at));
        if (place != PLACES)
            TRY(bytes_append(out, given[place].data, given[place].size));
        at = place == PLACES ? text->size : begin + strlen(PLACE_NAMES[place]);
    }
    return true;
}

// ---- the decision

static void *compiled(const char *pattern, const char *option)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *result = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                       PCRE2_CASELESS | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                       &code, &offset, NULL);
    if (result == NULL) {
        char message[256] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        fail("%s %s: the pattern is broken near its byte %zu: %s", option, pattern, (size_t)offset, message);
    }
    return result;
}

static bool read_patterns(JudgeForm *form, const char *yes, const char *no)
{
    if ((yes[0] == 0) != (no[0] == 0))
        return fail("%s: give %s, too", yes[0] != 0 ? "--judge-yes" : "--judge-no",
                    yes[0] != 0 ? "--judge-no" : "--judge-yes");
    yes = yes[0] == 0 ? JUDGE_YES_PATTERN : yes;
    no = no[0] == 0 ? JUDGE_NO_PATTERN : no;
    TRY((form->yes = compiled(yes, "--judge-yes")) != NULL && (form->no = compiled(no, "--judge-no")) != NULL);
    pcre2_match_context *limits = form->limits = pcre2_match_context_create(NULL);
    form->match = pcre2_match_data_create(1, NULL);
    if (limits == NULL || form->match == NULL)
        return fail("no memory for the judge's patterns");
    pcre2_set_match_limit(limits, MATCH_LIMIT); // a pattern that takes too long does not match
    const uint64_t parts[] = {form->own, hash_bytes(form->text.data, form->text.size), hash_bytes(yes, strlen(yes)),
                              hash_bytes(no, strlen(no))};
    form->hash = hash_bytes(parts, sizeof parts);
    return true;
}

static bool check_patterns(const JudgeForm *form, const char *yes, const char *no);

bool judge_form_open(JudgeForm *form, const char *text, const char *file, const char *yes, const char *no)
{
    *form = (JudgeForm){0};
    bool ok = read_question(form, text, file) && read_patterns(form, yes, no) && check_patterns(form, yes, no);
    if (!ok)
        judge_form_close(form);
    return ok;
}

void judge_form_close(JudgeForm *form)
{
    pcre2_code_free(form->yes);
    pcre2_code_free(form->no);
    pcre2_match_data_free(form->match);
    pcre2_match_context_free(form->limits);
    bytes_free(&form->text);
    *form = (JudgeForm){0};
}

static Text behind_thoughts(Text said)
{
    static const char closing[] = "</think>";
    const char *at = text_last(said, closing);
    if (at != NULL)
        return text_between(at + strlen(closing), said.data + said.size);
    return text_last(said, "<think>") == NULL ? said : (Text){"", 0};
}

typedef struct Place {
    bool there;
    size_t begin, end;
} Place;

static Place last_match(const JudgeForm *form, const void *pattern, Text said)
{
    Place last = {0};
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(form->match);
    for (size_t at = 0; at <= said.size;) {
        if (pcre2_match(pattern, (PCRE2_SPTR)said.data, said.size, at, 0, form->match, form->limits) < 0)
            break;
        last = (Place){true, bounds[0], bounds[1]};
        at = bounds[1] > at ? bounds[1] : at + 1; // \K and the like may end before they begin
        while (at < said.size && ((unsigned char)said.data[at] & 0xC0) == 0x80)
            at++;
    }
    return last;
}

// Patterns that both match some usual decisions in the same way would give a run without a single verdict.
static bool check_patterns(const JudgeForm *form, const char *yes, const char *no)
{
    static const char *const said[] = {"Final Decision: Yes",
                                       "Final Decision: No",
                                       "Yes",
                                       "No",
                                       "correct",
                                       "incorrect",
                                       "not correct",
                                       "equivalent",
                                       "not equivalent",
                                       "same",
                                       "different",
                                       "right",
                                       "wrong",
                                       "true",
                                       "false",
                                       "1",
                                       "0",
                                       "\\boxed{1}"};
    const char *both = NULL;
    if (yes[0] != 0 && strcmp(yes, no) == 0)
        return fail("--judge-yes and --judge-no are the same pattern, and would decide nothing");
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        Text text = {said[i], strlen(said[i])};
        if (!isnan(judge_form_score(form, text)))
            return true;
        if (both == NULL && last_match(form, form->yes, text).there)
            both = said[i]; // and so does the other one
    }
    return both == NULL ||
           fail("--judge-yes %s and --judge-no %s decide nothing: both match \"%s\" alike", yes, no, both);
}

double judge_form_score(const JudgeForm *form, Text said)
{
    said = behind_thoughts(said.data == NULL ? (Text){"", 0} : said);
    Place yes = last_match(form, form->yes, said), no = last_match(form, form->no, said);
    if (!yes.there || !no.there)
        return yes.there ? 1 : no.there ? 0 : NAN;
    if (yes.end != no.end)
        return yes.end > no.end;
    return yes.begin == no.begin ? NAN : yes.begin < no.begin;
}
