// The options of a row, and the verdict: the option that a response chooses against the reference's. Both are read by
// choice_read.c.
#include "answers/choice_internal.h"
#include "base/text.h"
#include "json/json_source.h"
#include <ctype.h>
#include <string.h>

// ---- options

// "B) text" for the option B is its text alone.
static Text without_label(Text text, char letter)
{
    size_t open = text.size > 0 && text.data[0] == '(', at = open + 1;
    bool labelled = at < text.size && text.data[open] == letter && strchr(open ? ")" : ").:", text.data[at]) != NULL;
    Text rest = labelled && text.data[at] != 0 ? text_trimmed((Text){text.data + at + 1, text.size - at - 1}) : text;
    return rest.size > 0 ? rest : text;
}

static void add(Choices *c, char letter, const json_t *value)
{
    if (c->count == OPTIONS_MOST || !json_is_string(value))
        return;
    Text text = text_trimmed((Text){json_string_value(value), json_string_length(value)});
    text = without_label(text, letter);
    if (!pieces_read(&c->pieces[c->count], text))
        return;
    pieces_drop_articles(&c->pieces[c->count]);
    c->letters[c->count] = letter;
    c->texts[c->count++] = text;
}

static void read_choices(Choices *c, json_t *options)
{
    size_t i;
    const char *key;
    json_t *value;
    c->count = 0;
    json_array_foreach (options, i, value)
        add(c, (char)('A' + (int)(i % OPTIONS_MOST)), value);
    json_object_foreach (options, key, value)
        if (strlen(key) == 1 && isalpha((unsigned char)key[0]))
            add(c, (char)toupper((unsigned char)key[0]), value);
}

static void free_choices(Choices *c)
{
    for (int i = 0; i < c->count; i++)
        pieces_free(&c->pieces[i]);
}

// ---- verdicts

static void show(char out[FINDING_BYTES], Text s)
{
    size_t n = utf8_valid_prefix(s.data, s.size < FINDING_BYTES ? s.size : FINDING_BYTES - 1);
    memcpy(out, s.data, n);
    out[n] = 0;
}

// By its letter, unless the response chose by text.
static void show_option(char out[FINDING_BYTES], const Choices *c, Choice choice)
{
    bool words = strstr(choice.rule, "letter") == NULL;
    out[0] = 0;
    if (choice.place >= 0)
        show(out, words ? c->texts[choice.place] : (Text){&c->letters[choice.place], 1});
}

static void find(Finding *f, const Choices *c, Choice right, Choice said)
{
    *f = (Finding){.verdict = VERDICT_UNKNOWN, .kind = ANSWER_CHOICE, .rule = said.rule};
    show_option(f->reference, c, right);
    show_option(f->answer, c, said);
    if (said.place >= 0 || said.place == SAYS_SEVERAL)
        f->verdict = said.place == right.place ? VERDICT_EQUAL : VERDICT_DIFFERENT;
    else if (said.place == SAYS_UNCLEAR)
        f->rule = "a letter and another text";
    else if (said.place == SAYS_TWINS)
        f->rule = "the text of several options";
}

bool choice_finding(Finding *f, Text row, Text reference, Text response)
{
    if (row.data == NULL || memmem(row.data, row.size, "\"options\"", 9) == NULL) // most rows have none
        return false;
    int64_t odd;
    json_t *root = json_parse_row(row.data, row.size, "the row", &odd); // as ./prepare read it
    if (root == NULL)
        error_clear(); // not JSON: no options
    Choices c;
    read_choices(&c, json_object_get(root, "options"));
    Choice right = {SAYS_NOTHING, ""};
    if (c.count > 1)
        right = choice_of_reference(&c, text_trimmed(reference));
    if (right.place >= 0)
        find(f, &c, right, choice_of_response(&c, response));
    free_choices(&c);
    json_decref(root);
    return right.place >= 0;
}

char choice_named(json_t *options, Text reference)
{
    Choices c;
    read_choices(&c, options);
    Choice choice = choice_of_reference(&c, text_trimmed(reference));
    char letter = choice.place >= 0 ? c.letters[choice.place] : 0;
    free_choices(&c);
    return letter;
}

// ---- letters alone

static void only_letters(Choices *c)
{
    *c = (Choices){.count = OPTIONS_MOST};
    for (int i = 0; i < OPTIONS_MOST; i++)
        c->letters[i] = (char)('A' + i);
}

// Numbers, which most references are, are not letters. A character outside ASCII may stand for a letter.
static bool may_have_letter(Text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (isalpha((unsigned char)text.data[i]) || (unsigned char)text.data[i] >= 0x80)
            return true;
    return false;
}

bool choice_letter(Text reference, char *letter)
{
    Pieces p;
    Choices c;
    only_letters(&c);
    if (!may_have_letter(reference) || !pieces_read(&p, reference))
        return false;
    bool marked = p.count == 2 || p.count == 3 || memchr(reference.data, '.', reference.size) != NULL,
         few = p.count > 0 && p.count <= 3;
    size_t words = 0;
    for (size_t i = 0; i < p.count; i++)
        words += p.list[i].kind != PIECE_SIGN;
    few = few && words == 1; // 0.63 p. u. is none
    pieces_free(&p);
    Choice choice = few ? choice_of_reference(&c, text_trimmed(reference)) : (Choice){SAYS_NOTHING, ""};
    if (choice.place < 0 || strcmp(choice.rule, "an option's letter") != 0)
        return false;
    *letter = c.letters[choice.place];
    bool capital = *letter <= 'J' && memchr(reference.data, *letter, reference.size) != NULL;
    return marked || capital;
}

bool choice_letter_said(Text response, char *letter)
{
    Choices c;
    only_letters(&c);
    Choice choice = choice_of_response(&c, response);
    if (choice.place >= 0)
        *letter = c.letters[choice.place];
    return choice.place >= 0;
}
