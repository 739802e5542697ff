#include "answers/choice.h"
#include "base/text.h"
#include <ctype.h>
#include <jansson.h>
#include <string.h>

enum { OPTIONS_MOST = 26, ANSWER_BYTES = 1024, NONE = -1, SEVERAL = -2 };

typedef struct Choices {
    char letters[OPTIONS_MOST];
    Text texts[OPTIONS_MOST]; // of the row, which is theirs
    int count;
} Choices;

static bool is_label_end(char c) { return c == ')' || c == '.' || c == ':'; }

// "(B) x", "B. x", "B: x", "(B)" and "B": the letter, and what follows it; 0: it does not begin with one.
static char label_of(Text s, Text *behind)
{
    size_t open = s.size > 0 && s.data[0] == '(', at = open + 1;
    if (s.size < at || !isalpha((unsigned char)s.data[open]))
        return 0;
    bool ends = at < s.size && is_label_end(s.data[at]);
    if ((at < s.size && !ends) || (open == 1 && !(ends && s.data[at] == ')')))
        return 0;
    *behind = text_trimmed((Text){s.data + at + ends, s.size - at - ends});
    return (char)toupper((unsigned char)s.data[open]);
}

static void add(Choices *c, char letter, const json_t *value)
{
    if (c->count == OPTIONS_MOST || !json_is_string(value))
        return;
    Text text = text_trimmed((Text){json_string_value(value), json_string_length(value)}), behind;
    if (label_of(text, &behind) == letter && behind.size > 0)
        text = behind;
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

static int by_letter(const Choices *c, Text answer)
{
    Text behind;
    char letter = label_of(answer, &behind);
    for (int i = 0; letter != 0 && i < c->count; i++)
        if (c->letters[i] == letter && (behind.size == 0 || verify(c->texts[i], behind) == VERDICT_EQUAL))
            return i;
    return NONE;
}

// Options that say the same are no choice between them.
static int by_text(const Choices *c, Text answer)
{
    int found = NONE;
    for (int i = 0; i < c->count; i++)
        if (texts_equal(c->texts[i], answer) || verify(c->texts[i], answer) == VERDICT_EQUAL)
            found = found == NONE ? i : SEVERAL;
    return found;
}

static int choice_of(const Choices *c, Text answer)
{
    char boxes[ANSWER_BYTES];
    answer = text_trimmed(response_answer(answer, boxes, sizeof boxes));
    int i = by_letter(c, answer);
    return answer.size == 0 ? NONE : i != NONE ? i : by_text(c, answer);
}

bool verify_choice(Verdict *verdict, Text row, Text gold, Text prediction)
{
    if (row.data == NULL || memmem(row.data, row.size, "\"options\"", 9) == NULL) // most rows have none
        return false;
    json_t *root = json_loadb(row.data, row.size, 0, NULL);
    Choices c;
    read_choices(&c, json_object_get(root, "options"));
    int right = c.count > 1 ? choice_of(&c, gold) : NONE;
    if (right >= 0) {
        int given = choice_of(&c, prediction);
        *verdict = given == NONE ? VERDICT_UNKNOWN : given == right ? VERDICT_EQUAL : VERDICT_DIFFERENT;
    }
    json_decref(root);
    return right >= 0;
}
