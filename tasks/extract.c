// See extract.h.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tasks/extract.h"
#include "base/text.h"
#include "tasks/python_text.h"
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

// Steps from one place on: some for each byte, for what looks ahead to the end of a text; and those of repetitions
// within repetitions, which double with each character of a run of brackets or dollars.
enum { STEPS_LEAST = 50 * 1000, STEPS_PER_BYTE = 4, HEAP_KIB = 256 << 10 };

typedef struct Pattern {
    bool first, last, ending, anycase, dotall, filled, option;
    const char *regex; // belongs to the task
    pcre2_code *code;  // NULL: holds {options}, and is compiled for each question
} Pattern;

struct Extractor {
    Pattern *patterns; // (count)
    size_t count;
    pcre2_compile_context *newlines;
    pcre2_match_context *limits;
    pcre2_match_data *match;
    bool gave_up; // a pattern, on the text at hand
};

static const char PLACE_OF_OPTIONS[] = "{options}";

// ---- patterns

// The words before the regular expression.
static const char *read_words(Pattern *p, const char *line)
{
    const struct {
        const char *word;
        bool *there;
    } words[] = {{"first ", &p->first},   {"last ", &p->last},     {"ending ", &p->ending}, {"anycase ", &p->anycase},
                 {"dotall ", &p->dotall}, {"filled ", &p->filled}, {"option ", &p->option}};
    size_t n = sizeof words / sizeof *words;
    for (size_t i = 0; i < n; i++)
        if (strncmp(line, words[i].word, strlen(words[i].word)) == 0) {
            *words[i].there = true;
            line += strlen(words[i].word);
            i = (size_t)-1;
        }
    return line;
}

static pcre2_code *compile(const Extractor *e, const Pattern *p, Text regex, const char *where)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | (p->anycase ? PCRE2_CASELESS : 0) |
                     (p->dotall ? PCRE2_DOTALL : 0);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)regex.data, regex.size, flags, &code, &offset, e->newlines);
    if (compiled == NULL) {
        char message[256] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        fail("%s: extract: %.*s: the pattern is broken near its byte %zu: %s", where, (int)regex.size, regex.data,
             (size_t)offset, message);
    }
    return compiled;
}

static pcre2_code *compile_options(const Extractor *e, const Pattern *p, const Text *options, size_t count,
                                   const char *where)
{
    static const char special[] = "()[]{}?*+-|^$\\.&~# \t\n\r\v\f";
    Bytes regex = {0};
    const char *place = strstr(p->regex, PLACE_OF_OPTIONS);
    bool ok = bytes_append(&regex, p->regex, (size_t)(place - p->regex));
    for (size_t i = 0; ok && i < count; i++) {
        ok = i == 0 || bytes_text(&regex, "|");
        for (size_t k = 0; ok && k < options[i].size; k++) {
            char c = options[i].data[k];
            ok = (c == 0 || strchr(special, c) == NULL || bytes_text(&regex, "\\")) && bytes_append(&regex, &c, 1);
        }
    }
    ok = ok && bytes_text(&regex, place + strlen(PLACE_OF_OPTIONS));
    pcre2_code *code = ok ? compile(e, p, (Text){regex.data, regex.size}, where) : NULL;
    bytes_free(&regex);
    return code;
}

static bool open_pattern(Extractor *e, const char *line, const char *where)
{
    Pattern *p = &e->patterns[e->count++];
    p->regex = read_words(p, line);
    if (p->first == p->last)
        return fail("%s: extract: %s: has to begin with `first` or `last`: which of the matches counts", where, line);
    if (utf8_valid_prefix(line, strlen(line)) != strlen(line))
        return fail("%s: extract: %s: is not UTF-8", where, line);
    if (p->option != (strstr(p->regex, PLACE_OF_OPTIONS) != NULL))
        return fail("%s: extract: %s: `option` and {options} go together", where, line);
    if (!p->option)
        return (p->code = compile(e, p, (Text){p->regex, strlen(p->regex)}, where)) != NULL;
    const Text some = {"x", 1};
    pcre2_code *code = compile_options(e, p, &some, 1, where);
    pcre2_code_free(code);
    return code != NULL;
}

Extractor *extractor_open(const OptionList *lines, const char *where)
{
    Extractor *e = allocate(1, sizeof *e);
    bool ok = e != NULL && (e->patterns = allocate(lines->count + 1, sizeof *e->patterns)) != NULL;
    if (ok) {
        e->newlines = pcre2_compile_context_create(NULL);
        e->limits = pcre2_match_context_create(NULL);
        e->match = pcre2_match_data_create(2, NULL);
        ok = (e->newlines != NULL && e->limits != NULL && e->match != NULL) || fail("no memory for patterns");
    }
    if (ok) {
        pcre2_set_newline(e->newlines, PCRE2_NEWLINE_LF);
        pcre2_set_heap_limit(e->limits, HEAP_KIB);
    }
    for (size_t i = 0; ok && i < lines->count; i++)
        ok = open_pattern(e, lines->items[i], where);
    if (!ok)
        extractor_close(e);
    return ok ? e : NULL;
}

void extractor_close(Extractor *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->count; i++)
        pcre2_code_free(e->patterns[i].code);
    free(e->patterns);
    pcre2_compile_context_free(e->newlines);
    pcre2_match_context_free(e->limits);
    pcre2_match_data_free(e->match);
    free(e);
}

// ---- matches

// The first group of the first or last match; of the whole, without groups; an unused group has found nothing, and
// so has a pattern that gave up: which match is the last is not known then.
static Text search(Extractor *e, const Pattern *p, const pcre2_code *code, Text text)
{
    Text found = {NULL, 0};
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(e->match);
    uint32_t groups = 0, flags = PCRE2_NO_UTF_CHECK;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_set_match_limit(e->limits, (uint32_t)smaller(STEPS_LEAST + STEPS_PER_BYTE * (int64_t)text.size, INT32_MAX));
    int matched;
    for (size_t at = 0;
         (matched = pcre2_match(code, (PCRE2_SPTR)text.data, text.size, at, flags, e->match, e->limits)) >= 0;) {
        const PCRE2_SIZE *group = bounds + (groups > 0 ? 2 : 0);
        found = group[0] == PCRE2_UNSET ? (Text){NULL, 0} : text_between(text.data + group[0], text.data + group[1]);
        if (p->first)
            break;
        flags = PCRE2_NO_UTF_CHECK | (bounds[1] == bounds[0] ? PCRE2_NOTEMPTY_ATSTART : 0); // as finditer goes on
        at = bounds[1];
    }
    bool gave_up = matched < 0 && matched != PCRE2_ERROR_NOMATCH;
    e->gave_up = e->gave_up || gave_up;
    return gave_up || (p->filled && found.size == 0) ? (Text){NULL, 0} : found;
}

static Text part_searched(const Pattern *p, Text text)
{
    if (!p->ending && !p->option)
        return text;
    text = python_rstrip(text);
    return p->ending ? python_split_last(text, "\n") : text;
}

static int option_named(Text found, const Text *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (texts_equal(found, options[i]))
            return (int)i;
    return -1;
}

Text extractor_find(Extractor *e, Text text, const Text *options, size_t option_count, int *option)
{
    Text found = {NULL, 0};
    *option = -1;
    e->gave_up = false;
    text.data = text.size > 0 ? text.data : "";
    for (size_t i = 0; found.data == NULL && i < e->count; i++) {
        Pattern *p = &e->patterns[i];
        pcre2_code *code = p->code;
        if (p->option && (option_count == 0 || (code = compile_options(e, p, options, option_count, "")) == NULL)) {
            e->gave_up = e->gave_up || option_count > 0; // more than 64 KB of options are too much for a pattern
            error_clear();
            continue;
        }
        found = search(e, p, code, part_searched(p, text));
        if (!p->option)
            continue;
        pcre2_code_free(code);
        *option = option_named(found, options, option_count);
        if (found.size == 0)
            found = (Text){NULL, 0}; // an option without a text is no answer
    }
    return found;
}

bool extractor_gave_up(const Extractor *e) { return e->gave_up; }
