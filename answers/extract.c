// Marks, boxes and tags of a response: extract.h. Numbers in sentences are sentence.c's.
#include "answers/extract.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { BETWEEN_BOXES = 40, OPEN_BOXES = 64 };

static const char *text_end(Text s) { return s.data + s.size; }

// ---- boxes

// The size of a box's command, including its brace; 0: no box here. "boxed{" is "\boxed{" with its escape lost.
static size_t box_opens(const char *at, const char *end, bool begins)
{
    static const char *const boxes[] = {"\\boxed", "\\fbox", "\\framebox", "boxed", NULL};
    for (const char *const *box = boxes; *box != NULL; box++) {
        size_t n = strlen(*box);
        if ((size_t)(end - at) <= n || memcmp(at, *box, n) != 0 || (**box != '\\' && !begins))
            continue;
        const char *s = at + n;
        while (s < end && *s == ' ')
            s++;
        if (s < end && *s == '{')
            return (size_t)(s + 1 - at);
    }
    return 0;
}

static bool box_of_one(const char *at, const char *end, Text *inside) // \boxed 9
{
    static const char BOX[] = "\\boxed ";
    if ((size_t)(end - at) <= strlen(BOX) || memcmp(at, BOX, strlen(BOX)) != 0)
        return false;
    const char *s = at + strlen(BOX);
    while (s < end && *s == ' ')
        s++;
    if (s == end || !isalnum((unsigned char)*s))
        return false;
    *inside = (Text){s, 1};
    return true;
}

typedef struct Box {
    const char *begin; // of the command
    Text inside;       // data: after the brace
    int depth;         // of braces outside it
} Box;

typedef struct Boxes { // the last ones that belong together
    Box list[BOXES_MOST];
    int count;
} Boxes;

static const char *box_end(const Box *b) { return text_end(b->inside); }

static bool joins(Text between) // boxes with only "and", "or" or a noun between them are parts of one answer
{
    if (between.size > BETWEEN_BOXES || words_in(between) > 2)
        return false;
    for (size_t i = 0; i < between.size; i++)
        if (between.data[i] == '=' || between.data[i] == '\n' ||
            (between.data[i] == '.' && i + 1 < between.size && between.data[i + 1] == ' '))
            return false;
    return true;
}

static bool names_next(Text between) // "and y_2 = " before a box names its content
{
    Text s = text_trimmed(between);
    return between.size <= BETWEEN_BOXES && s.size > 0 && text_end(s)[-1] == '=' &&
           memmem(between.data, between.size, "and", 3) != NULL;
}

static bool ends_with(Text s, const char *with)
{
    size_t n = strlen(with);
    return s.size >= n && memcmp(text_end(s) - n, with, n) == 0;
}

// -\boxed{42}, \sqrt{\boxed{42}}, \boxed{42}^2, "not \boxed{42}": the box's content is not the answer.
static bool is_changed(const Box *box, Text all)
{
    static const char *const before[] = {"-", "\xe2\x88\x92", "\\sqrt{", "\\ne", "\\neq",  "\xe2\x89\xa0", "^", "_",
                                         "/", "\\frac{",      "\\pm",    " not", "n't be", "never",        NULL};
    Text front = text_between(all.data, box->begin), close = {box_end(box), (size_t)(text_end(all) - box_end(box))};
    if (front.size > 1 && text_end(front)[-1] == '-' && text_end(front)[-2] != ' ' && text_end(front)[-2] != '$')
        return true;
    bool dash = ends_with(front, "- "); // "Answer - \boxed{5}"
    while (front.size > 0 && strchr(" $", text_end(front)[-1]) != NULL)
        front.size--;
    for (const char *const *b = before; !dash && *b != NULL; b++)
        if (ends_with(front, *b))
            return true;
    const char *at = close.data + (close.size > 0 && *close.data == '}');
    size_t left = (size_t)(text_end(close) - at);
    bool degrees = (left > 5 && memcmp(at, "^\\circ", 6) == 0) || (left > 7 && memcmp(at, "^{\\circ}", 8) == 0);
    return left > 1 && !degrees &&
           (isdigit((unsigned char)at[0]) || at[0] == '^' || (at[0] == '.' && isdigit((unsigned char)at[1])));
}

// A box that holds others replaces them; one apart from the previous ones begins anew.
static void add_box(Boxes *b, const Box *box, Text all)
{
    if (text_trimmed(box->inside).size == 0 || is_changed(box, all))
        return;
    while (b->count > 0 && b->list[b->count - 1].begin > box->begin)
        b->count--;
    if (b->count > 0) {
        const char *end = box_end(&b->list[b->count - 1]);
        Text between = text_between(end < box->begin ? end + (*end == '}') : end, box->begin);
        if (b->count == BOXES_MOST || (!joins(between) && !names_next(between)))
            b->count = 0;
    }
    b->list[b->count++] = *box;
}

// One pass: counts open braces, and keeps open boxes on a stack. When too many are open, the outermost are forgotten,
// because they are never closed.
static void find_boxes(Boxes *b, Text s)
{
    Box open[OPEN_BOXES];
    int opened = 0, depth = 0;
    b->count = 0;
    for (const char *at = s.data, *end = text_end(s); at < end;) {
        bool begins = at == s.data || !isalpha((unsigned char)at[-1]);
        size_t n = *at == '\\' || *at == 'b' ? box_opens(at, end, begins) : 0;
        Box one = {.begin = at};
        if (n > 0) {
            if (opened == OPEN_BOXES)
                memmove(open, open + 1, (size_t)--opened * sizeof *open);
            open[opened++] = (Box){at, {at + n, 0}, depth++};
        } else if (*at == '\\' && box_of_one(at, end, &one.inside))
            add_box(b, &one, s);
        else if (*at == '{')
            depth++;
        else if (*at == '}' && depth > 0) {
            depth--;
            if (opened > 0 && open[opened - 1].depth == depth) {
                Box *box = &open[--opened];
                box->inside.size = (size_t)(at - box->inside.data);
                add_box(b, box, s);
            }
        }
        at += n > 0 ? n : *at == '\\' && at + 1 < end && !isalpha((unsigned char)at[1]) ? 2 : 1;
    }
}

int boxes_in(Text inside[BOXES_MOST], Text text)
{
    Boxes b;
    find_boxes(&b, text);
    for (int i = 0; i < b.count; i++)
        inside[i] = text_trimmed(b.list[i].inside);
    return b.count;
}

// ---- phrases before an answer

typedef struct Phrase {
    const char *words;
    bool last; // it counts even after a box
    bool line; // it counts only at the beginning of a line
} Phrase;

// The search compares first letters first.
static const Phrase phrases[] = {
    {"####", true, false},
    {"final answer is", true, false},
    {"final answer:", true, false},
    {"final answer**", true, false},
    {"final answer\n", true, true},
    {"answer:", true, true},
    {"answer**:", true, true},
    {"answer\n", true, true},
    {"antwort:", true, true},
    {"\xe7\xad\x94\xe6\xa1\x88\xef\xbc\x9a", true, false}, // the Chinese word for "answer", and a colon
    {"\xe7\xad\x94\xe6\xa1\x88:", true, false},
    {"answer is", false, false},
    {"answer would be", false, false},
    {"answer must be", false, false},
    {"answer should be", false, false},
    {"answer:", false, false},
    {"answer choice is", false, false},
    {"correct option is", false, false},
    {"correct choice is", false, false},
    {"correct statement is", false, false},
    {"solution is:", false, false},
    {"result:", false, true},
    {"solution:", false, true},
};

// Signs that may stand before a heading: "### Answer", "**Answer:**", "- Answer:", "The answer:"
static bool begins_line(const char *begin, const char *at)
{
    for (;;) {
        while (at > begin && strchr("#*_ >-`\t", at[-1]) != NULL)
            at--;
        if (at == begin || at[-1] == '\n')
            return true;
        if (at - begin >= 3 && strncasecmp(at - 3, "the", 3) == 0)
            at -= 3;
        else if (at - begin >= 7 && strncasecmp(at - 7, "correct", 7) == 0)
            at -= 7;
        else
            return false;
    }
}

// "the wrong answer is": the text after it is not the answer.
static bool is_denied(const char *begin, const char *at)
{
    static const char *const words[] = {"wrong ", "incorrect ", "false ", "likely ", "second best ",
                                        "worst ", "other ",     "no ",    NULL};
    for (const char *const *w = words; *w != NULL; w++) {
        size_t n = strlen(*w);
        if ((size_t)(at - begin) >= n && strncasecmp(at - n, *w, n) == 0)
            return true;
    }
    return false;
}

static const Phrase *phrase_at(Text s, const char *at)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        size_t n = strlen(phrases[i].words);
        if (tolower((unsigned char)*at) == (unsigned char)phrases[i].words[0] || *at == phrases[i].words[0])
            if ((size_t)(text_end(s) - at) >= n && strncasecmp(at, phrases[i].words, n) == 0 &&
                (!phrases[i].line || begins_line(s.data, at)) && !is_denied(s.data, at))
                return &phrases[i];
    }
    return NULL;
}

// Its line, or the next that is not empty; size 0: nothing follows.
static Text said_behind(Text s, const char *at)
{
    while (at < text_end(s) && (strchr(":* _`", *at) != NULL || isspace((unsigned char)*at)))
        at++;
    Text rest = text_between(at, text_end(s));
    if (rest.size >= 2 && (memcmp(rest.data, "\\[", 2) == 0 || memcmp(rest.data, "$$", 2) == 0))
        return rest; // a formula set apart has lines of its own
    const char *end = memchr(rest.data, '\n', rest.size);
    return text_trimmed(end == NULL ? rest : text_between(rest.data, end));
}

// The last phrase after `from` with text after it; only those that count after a box, or any.
static Text last_phrase(Text s, const char *from, bool only_last, Mark *mark)
{
    int tried = 0;
    for (const char *at = text_end(s); at-- > from && tried < 8;) {
        const Phrase *p = strchr("fFaAcCrRsS#\xe7", *at) != NULL && *at != 0 ? phrase_at(s, at) : NULL;
        if (p == NULL || (only_last && !p->last))
            continue;
        Text said = said_behind(s, at + strlen(p->words));
        tried++;
        if (said.size == 0)
            continue;
        *mark = p->last ? MARK_FINAL : MARK_PHRASE;
        return said;
    }
    return (Text){NULL, 0};
}

// ---- tags

static Text last_tag(Text s) // the content of the last complete <answer>
{
    const char *close = text_last(s, "</answer>");
    if (close == NULL)
        return (Text){NULL, 0};
    const char *open = text_last(text_between(s.data, close), "<answer>");
    return open == NULL ? (Text){NULL, 0} : text_trimmed(text_between(open + 8, close));
}

// ---- statements

static Text without_end_tokens(Text s)
{
    static const char *const ends[] = {"<|im_end|>", "<|endoftext|>", "<|im_start|>", "<|eot_id|>", "</s>", NULL};
    for (const char *const *end = ends; *end != NULL; end++) {
        const char *at = memmem(s.data, s.size, *end, strlen(*end));
        if (at != NULL)
            s = text_between(s.data, at);
    }
    return text_trimmed(s);
}

Text response_said(Text response)
{
    const char *thought = text_last(response, "</think>");
    if (thought != NULL)
        response = text_between(thought + 8, text_end(response));
    response = text_trimmed(response);
    if (response.size >= 7 && memcmp(response.data, "<think>", 7) == 0)
        return (Text){response.data, 0};
    return without_end_tokens(response);
}

static void add_statement(Statement out[STATEMENTS_MOST], int *count, Text text, Mark mark)
{
    if (text.size > 0 && *count < STATEMENTS_MOST)
        out[(*count)++] = (Statement){text, text, mark};
}

static void add_phrase(Statement out[STATEMENTS_MOST], int *count, Text said, Mark mark, Text response)
{
    int before = *count;
    add_statement(out, count, said, mark);
    if (*count > before)
        out[before].all = text_trimmed(text_between(said.data, text_end(response)));
}

static void add_boxes(Statement out[STATEMENTS_MOST], int *count, const Boxes *b)
{
    if (b->count == 1)
        add_statement(out, count, text_trimmed(b->list[0].inside), MARK_BOX);
    else if (b->count > 1) {
        const char *end = box_end(&b->list[b->count - 1]);
        add_statement(out, count, text_between(b->list[0].begin, end + (*end == '}')), MARK_BOXES);
    }
}

int response_statements(Statement out[STATEMENTS_MOST], Text response)
{
    Text s = response_said(response), tag = last_tag(s);
    Boxes boxes, in_tag;
    Mark mark = MARK_NONE;
    int count = 0;
    find_boxes(&boxes, s);
    const char *from = boxes.count > 0 ? box_end(&boxes.list[boxes.count - 1]) : s.data;
    if (tag.size > 0 && text_end(tag) > from) { // the tag is after the boxes, or around them
        find_boxes(&in_tag, tag);
        add_boxes(out, &count, &in_tag);
        add_statement(out, &count, tag, MARK_TAG);
        return count;
    }
    Text said = s.size > 0 ? last_phrase(s, from, boxes.count > 0, &mark) : s;
    if (boxes.count > 0)
        add_phrase(out, &count, said, mark, s);
    add_boxes(out, &count, &boxes);
    if (boxes.count == 0) {
        add_phrase(out, &count, said, mark, s);
        add_statement(out, &count, s, MARK_NONE);
    }
    return count;
}
