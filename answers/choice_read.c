// Which option a response chooses. Its statements are read in order (extract.h), and the first that says anything about
// options counts: a letter alone; an option's text, word for word; a letter followed by a text; and, where only one
// option matches, a text of the same value. Without any mark it is the last line, or its last sentence.
#include "answers/choice_internal.h"
#include "answers/extract.h"
#include "answers/words/words.h"
#include <ctype.h>
#include <string.h>

enum { VALUE_BYTES = 1024, VALUE_WORDS = 4, PROSE_WORDS = 4, PREFIX_PIECES = 3 };

// ---- pieces of a text

static Pieces view(const Pieces *p, size_t from) // shares memory, not to be freed
{
    return (Pieces){.points = p->points, .list = p->list + from, .count = p->count - from};
}

static int32_t sign_at(const Pieces *p, size_t i)
{
    return i < p->count && p->list[i].kind == PIECE_SIGN && p->list[i].size == 1 ? p->points[p->list[i].begin] : 0;
}

static bool sign_in(const Pieces *p, size_t i, const char *signs)
{
    int32_t sign = sign_at(p, i);
    return sign > 0 && sign < 0x80 && strchr(signs, sign) != NULL;
}

static char letter_at(const Pieces *p, size_t i)
{
    bool lone = i < p->count && p->list[i].kind == PIECE_WORD && p->list[i].size == 1;
    int32_t c = lone ? p->points[p->list[i].begin] : 0;
    return c < 0x80 && isalpha(c) ? (char)c : 0;
}

static Joint joint_behind(const Pieces *p, size_t i)
{
    return i + 1 < p->count ? p->list[i + 1].joint : JOINT_SENTENCE;
}

static int place_of(const Choices *c, char letter)
{
    for (int i = 0; i < c->count; i++)
        if (c->letters[i] == toupper((unsigned char)letter))
            return i;
    return SAYS_NOTHING;
}

// ---- labels

typedef struct Label {
    int place;
    bool firm;  // in brackets, or before a point, a colon, a dash or the end: not an article or pronoun
    bool small; // in lower case
    size_t end; // of its pieces
} Label;

static bool closes(int32_t open, int32_t close)
{
    return (open == '(' && close == ')') || (open == '[' && close == ']') || (open == '{' && close == '}');
}

// (E)   E)   E.   E:   E -   E
static Label label_at(const Choices *c, const Pieces *p, size_t i)
{
    Label none = {SAYS_NOTHING, false, false, i};
    bool bracketed = letter_at(p, i + 1) != 0 && closes(sign_at(p, i), sign_at(p, i + 2));
    char letter = letter_at(p, i + bracketed);
    size_t end = i + (bracketed ? 3 : 1);
    if (letter == 0)
        return none;
    int32_t sign = sign_at(p, end);
    bool tight = sign != 0 && p->list[end].joint == JOINT_NONE;
    bool closed = !bracketed && tight && (sign == ')' || sign == ']' || sign == ':');
    bool small = islower((unsigned char)letter) != 0; // a, b and a - b are formulas
    bool dashed = !small && !tight && sign == '-' && end + 1 < p->count && p->list[end + 1].joint != JOINT_NONE;
    bool firm = bracketed || closed || dashed || joint_behind(p, end - 1) >= (small ? JOINT_SENTENCE : JOINT_COMMA);
    if (!firm && small)
        return none;
    end += closed || (bracketed && sign == ':'); // a dash may be a minus
    return (Label){place_of(c, letter), firm, small, end};
}

// What people write before a letter: "So, I think the correct answer is option".
static size_t behind_leads(const Pieces *p)
{
    static const char *const leads[] = {
        "the",    "final", "correct", "right",     "best",    "most",  "appropriate", "answer", "option", "choice",
        "letter", "is",    "so",      "therefore", "thus",    "hence", "it",          "it's",   "that's", "this",
        "that",   "would", "be",      "must",      "should",  "my",    "we",          "choose", "select", "pick",
        "go",     "with",  "think",   "believe",   "antwort", "ans",   "i'd",         NULL};
    static const char *const verbs[] = {"think", "believe", "choose", "select", "pick", "would", "go", NULL};
    size_t i = sign_at(p, 0) == '{' && (piece_is(p, 1, "answer") || piece_is(p, 1, "choice")); // JSON
    while (i < p->count &&
           (piece_in(p, i, leads) || sign_at(p, i) == ':' || (piece_is(p, i, "i") && piece_in(p, i + 1, verbs))))
        i++;
    return i;
}

// ---- what follows a letter

static bool is_article_or_pronoun(const Pieces *p, size_t i)
{
    char letter = letter_at(p, i);
    bool word = i + 1 < p->count && p->list[i + 1].kind == PIECE_WORD && p->list[i + 1].size > 1 &&
                p->list[i + 1].joint == JOINT_SPACE;
    int32_t next = word ? p->points[p->list[i + 1].begin] : 0;
    return (letter == 'A' || letter == 'I') && next >= 'a' && next <= 'z';
}

static bool is_in_formula(const Pieces *p, size_t i) // V = IR
{
    bool left = i == 0 || p->list[i - 1].kind != PIECE_SIGN || sign_in(p, i - 1, "([{");
    bool brackets = left && (i + 1 >= p->count || p->list[i + 1].kind != PIECE_SIGN || sign_in(p, i + 1, ")]}:"));
    return !brackets || (i + 1 < p->count && p->list[i + 1].kind == PIECE_NUMBER && p->list[i + 1].joint == JOINT_NONE);
}

// Whether it names another option's letter. Not F and rather than F do not count; in an explanation only an offer of
// another does.
static bool offers_another(const Choices *c, const Pieces *p, int place, bool explains)
{
    static const char *const against[] = {"not", "than", "over", "of", "unlike", NULL};
    static const char *const offers[] = {"or", "and",    "maybe",  "perhaps", "possibly", "also",
                                         "is", "option", "answer", "choice",  NULL};
    for (size_t i = 0; i < p->count; i++) {
        char letter = letter_at(p, i);
        int other = letter != 0 && isupper((unsigned char)letter) ? place_of(c, letter) : SAYS_NOTHING;
        if (other < 0 || other == place || is_article_or_pronoun(p, i) || is_in_formula(p, i))
            continue;
        size_t before = i - (i > 0 && sign_at(p, i - 1) != 0);
        if (before > 0 && piece_in(p, before - 1, explains ? offers : against) == explains)
            return true;
        if (before == 0)
            return true;
    }
    return false;
}

// E, F   E or F   E/F: letters and nothing else, and more than one. place: of a letter before them, if any
static bool is_list_of_letters(const Choices *c, const Pieces *p, int place)
{
    static const char *const joins[] = {"or", "and", "option", NULL};
    bool several = false;
    for (size_t i = 0; i < p->count; i++) {
        char letter = letter_at(p, i);
        int one = letter != 0 && isupper((unsigned char)letter) ? place_of(c, letter) : SAYS_NOTHING;
        if (one < 0 && !piece_in(p, i, joins) && !sign_in(p, i, "/&()[]{}:"))
            return false;
        several |= one >= 0 && place >= 0 && one != place;
        place = one >= 0 ? one : place;
    }
    return several;
}

static bool is_text_of(const Choices *c, int i, const Pieces *p)
{
    return c->pieces[i].count > 0 && p->count > 0 && pieces_match(p, 0, &c->pieces[i], 0);
}

static bool is_text_of_another(const Choices *c, int place, const Pieces *p)
{
    for (int i = 0; i < c->count; i++)
        if (i != place && is_text_of(c, i, p))
            return true;
    return false;
}

// One option's text begins with another's.
static bool touches_another(const Choices *c, int place, const Pieces *p)
{
    for (int i = 0; i < c->count; i++)
        if (i != place && (pieces_begin(p, 0, &c->pieces[i]) > 0 || pieces_begin(&c->pieces[i], 0, p) > 0))
            return true;
    return false;
}

static const char *const reasons[] = {"because", "since", "as", "for", "due", "given", NULL};

// Its option's text, cut short or continued
static bool is_text_and_more(const Choices *c, int place, const Pieces *p)
{
    const Pieces *text = &c->pieces[place];
    size_t n = pieces_begin(p, 0, text);
    bool cut = p->count >= PREFIX_PIECES && pieces_begin(text, 0, p) > 0;
    bool more =
        n > 0 && n < p->count && (p->list[n].joint >= JOINT_COMMA || piece_in(p, n, reasons) || sign_at(p, n) == '(');
    for (int i = 0; i < c->count; i++) { // unless another option continues the same way
        size_t longer = i != place && more ? pieces_begin(p, 0, &c->pieces[i]) : 0;
        if (longer >= n && longer > 0)
            return false;
        if (i != place && cut && pieces_begin(&c->pieces[i], 0, p) > 0)
            return false;
    }
    Pieces rest = view(p, more ? n : p->count);
    return (cut || more) && !offers_another(c, &rest, place, false) && (cut || !touches_another(c, place, &rest));
}

static bool is_praise(const Pieces *p) // E is correct; E is the best answer
{
    static const char *const good[] = {"correct", "right", "true", "best", "answer", NULL};
    static const char *const more[] = {"the",    "correct", "right", "best",        "answer", "option",
                                       "choice", "one",     "most",  "appropriate", NULL};
    size_t i = 1 + (size_t)piece_is(p, 1, "the");
    if (!piece_is(p, 0, "is") || !piece_in(p, i, good))
        return false;
    while (i < p->count && piece_in(p, i, more))
        i++;
    return i == p->count || p->list[i].joint >= JOINT_COMMA || piece_in(p, i, reasons);
}

static size_t words_of(const Pieces *p)
{
    size_t words = 0;
    for (size_t i = 0; i < p->count; i++)
        words += p->list[i].kind == PIECE_WORD;
    return words;
}

// Words that explain a letter, whatever follows.
static bool explains(const Choices *c, const Label *label, const Pieces *p, Mark mark)
{
    bool reason = piece_in(p, 0, reasons);
    if (reason || is_praise(p))
        return !offers_another(c, p, label->place, true) && !touches_another(c, label->place, p);
    bool prose = label->firm && mark != MARK_NONE && mark != MARK_BOX && words_of(p) >= PROSE_WORDS;
    if (piece_is(p, 0, "not") || prose)
        return !offers_another(c, p, label->place, false) && !touches_another(c, label->place, p);
    return false;
}

// "E, i.e. text", "E, which is text": where the text begins
static size_t behind_names(const Pieces *p)
{
    if (piece_is(p, 0, "i") && piece_is(p, 1, "e"))
        return 2;
    if (piece_is(p, 1, "is") && (piece_is(p, 0, "that") || piece_is(p, 0, "which")))
        return 2;
    return piece_is(p, 0, "namely");
}

// The text after a label as written: values are not read from pieces.
static Text text_behind(Text s, char letter)
{
    const char *at = s.data, *end = s.data + s.size;
    while (at < end && !(toupper((unsigned char)*at) == letter && !(at + 1 < end && isalpha((unsigned char)at[1])) &&
                         !(at > s.data && isalpha((unsigned char)at[-1]))))
        at++;
    for (at += at < end; at < end && strchr(")].:}*_-, \t\n", *at) != NULL && *at != 0;)
        at++;
    Text rest = text_trimmed(text_between(at, end));
    int depth = 0;
    for (size_t i = 0; i < rest.size; i++)
        depth += (rest.data[i] == '{') - (rest.data[i] == '}');
    for (; depth < 0 && rest.size > 0 && rest.data[rest.size - 1] == '}'; depth++) // of the \text{ before the letter
        rest.size--;
    return text_trimmed(rest);
}

// A number, a formula, a quantity; texts of more words are compared by their words alone.
static bool may_have_value(const Pieces *p)
{
    static const char *const hedges[] = {"not", "or", "but", "nor", "and", "either", NULL};
    for (size_t i = 0; i < p->count; i++)
        if (piece_in(p, i, hedges))
            return false;
    return words_of(p) <= VALUE_WORDS;
}

static size_t parts_of(const Pieces *p) // number of parts between commas
{
    size_t parts = 1;
    for (size_t i = 1; i < p->count; i++)
        parts += p->list[i].joint >= JOINT_COMMA;
    return parts;
}

static bool is_value_of(const Choices *c, int i, const Pieces *p, Text text)
{
    bool short_enough =
        text.size > 0 && text.size <= VALUE_BYTES && c->texts[i].size > 0 && c->texts[i].size <= VALUE_BYTES;
    return short_enough && may_have_value(&c->pieces[i]) && parts_of(p) == parts_of(&c->pieces[i]) &&
           verify(c->texts[i], text) == VERDICT_EQUAL;
}

// p: the pieces of the text
static int by_value(const Choices *c, const Pieces *p, Text text)
{
    int found = SAYS_NOTHING;
    for (int i = 0; may_have_value(p) && i < c->count && found != SAYS_TWINS; i++)
        if (is_value_of(c, i, p, text))
            found = found == SAYS_NOTHING ? i : SAYS_TWINS;
    return found;
}

// What a letter and its text say together. rest: without articles.
static int letter_with(const Choices *c, const Label *label, const Pieces *rest, Text text, Mark mark)
{
    int place = label->place;
    bool other = is_text_of_another(c, place, rest), loose = rest->count > 1 && rest->list[1].joint != JOINT_NONE;
    bool dash = sign_at(rest, 0) == '-' && (loose || !other); // H - 370 is option H, 370; H -370 may be another one's
    Pieces undashed = view(rest, dash && !is_text_of(c, place, rest)), named = view(&undashed, behind_names(&undashed));
    if (is_text_of(c, place, &named))
        return place;
    rest = &undashed;
    if (is_list_of_letters(c, rest, place))
        return SAYS_SEVERAL;
    if (other || is_text_of_another(c, place, &named))
        return SAYS_UNCLEAR;
    if (explains(c, label, rest, mark))
        return place;
    if (!label->firm)
        return SAYS_NOTHING;
    if (c->texts[place].data == NULL) // nothing to compare the text with
        return offers_another(c, rest, place, false) ? SAYS_UNCLEAR : place;
    if (is_text_and_more(c, place, &named))
        return place;
    return by_value(c, rest, text_behind(text, c->letters[place])) == place ? place : SAYS_UNCLEAR;
}

// ---- an option's text

// Word for word; of options with the same words, the one with the same letters.
static int by_words(const Choices *c, const Pieces *p, Text text)
{
    int found = SAYS_NOTHING;
    for (int i = 0; i < c->count; i++) {
        if (c->texts[i].size > 0 && texts_equal(c->texts[i], text))
            return i;
        if (is_text_of(c, i, p))
            found = found == SAYS_NOTHING ? i : SAYS_TWINS;
    }
    return found;
}

// An option's text and a reason for it, where no other option begins with that text.
static int by_words_and_reason(const Choices *c, const Pieces *p)
{
    int found = SAYS_NOTHING;
    for (int i = 0; i < c->count; i++) {
        size_t n = pieces_begin(p, 0, &c->pieces[i]);
        if (n > 0 && n < p->count && piece_in(p, n, reasons))
            found = found == SAYS_NOTHING ? i : SAYS_TWINS;
    }
    for (int i = 0; found >= 0 && i < c->count; i++)
        if (i != found && pieces_begin(&c->pieces[i], 0, &c->pieces[found]) > 0)
            return SAYS_TWINS;
    if (found < 0)
        return found;
    Pieces reason = view(p, pieces_begin(p, 0, &c->pieces[found]));
    return offers_another(c, &reason, found, true) || touches_another(c, found, &reason) ? SAYS_UNCLEAR : found;
}

// The texts of two options, with a comma, "or" or "and" in between
static bool names_several(const Choices *c, const Pieces *p)
{
    int found = SAYS_NOTHING;
    for (size_t begin = 0, end = 1; end <= p->count; end++) {
        bool word = end < p->count && (piece_is(p, end, "or") || piece_is(p, end, "and"));
        if (end < p->count && !word && p->list[end].joint < JOINT_COMMA)
            continue;
        Pieces part = {.points = p->points, .list = p->list + begin, .count = end - begin};
        int one = by_words(c, &part, (Text){NULL, 0});
        if (one >= 0 && found >= 0 && one != found)
            return true;
        found = one >= 0 ? one : found;
        begin = end + word;
    }
    return false;
}

// ---- a statement

static const char LETTER[] = "an option's letter", BOTH[] = "an option's letter and what follows it",
                  WORDS[] = "an option's words", VALUE[] = "an option's value", SEVERAL[] = "several options",
                  NOTHING[] = "no option";

// p: with its articles, which are dropped; bare: without
static Choice read_pieces(const Choices *c, Text text, Pieces *p, const Pieces *bare, Mark mark)
{
    size_t at = behind_leads(p);
    p->count -= p->count > 0 && sign_at(p, 0) == '{' && at > 0 && sign_at(p, p->count - 1) == '}';
    Label label = label_at(c, p, at);
    int words = by_words(c, bare, text);
    bool alone = label.place >= 0 && label.end == p->count;
    if (alone &&
        !(words >= 0 && (label.small || at > 0))) // \boxed{e}, where an option is e; "Option B", where one is that
        return (Choice){label.place, LETTER};
    if (words != SAYS_NOTHING)
        return (Choice){words, WORDS};
    Pieces rest = view(p, label.place >= 0 ? label.end : at), body = view(&rest, sign_at(&rest, 0) == '-');
    rest.count -= body.count;
    pieces_drop_articles(&body); // the pieces are those of rest
    rest.count += body.count;
    int said = label.place >= 0                            ? letter_with(c, &label, &rest, text, mark)
               : is_list_of_letters(c, bare, SAYS_NOTHING) ? SAYS_SEVERAL
                                                           : SAYS_NOTHING;
    int value = said == SAYS_SEVERAL ? by_value(c, bare, text) : SAYS_NOTHING; // E/B may be a formula, too
    if (said != SAYS_NOTHING)
        return value >= 0 ? (Choice){value, VALUE} : (Choice){said, said == SAYS_SEVERAL ? SEVERAL : BOTH};
    if (label.place < 0)
        words = by_words(c, &rest, (Text){NULL, 0});
    if (label.place < 0 && words == SAYS_NOTHING)
        words = by_words_and_reason(c, &rest);
    if (words != SAYS_NOTHING)
        return (Choice){words, WORDS};
    if (names_several(c, &rest))
        return (Choice){SAYS_SEVERAL, SEVERAL};
    return (Choice){by_value(c, bare, text), VALUE};
}

static Choice read_statement(const Choices *c, Text text, Mark mark)
{
    Pieces p = {.count = 0}, bare = {.count = 0};
    Choice choice = {SAYS_NOTHING, NOTHING};
    if (pieces_read(&p, text) && pieces_read(&bare, text) && p.count > 0) {
        pieces_drop_articles(&bare);
        choice = read_pieces(c, text, &p, &bare, mark);
    }
    if (p.question && choice.place >= 0 && !c->pieces[choice.place].question) // it asks
        choice.place = SAYS_UNCLEAR;
    pieces_free(&p);
    pieces_free(&bare);
    if (choice.place == SAYS_NOTHING)
        choice.rule = NOTHING;
    return choice;
}

// Boxes that belong together: all that name an option must name the same one.
static Choice read_boxes(const Choices *c, Text text)
{
    Text inside[BOXES_MOST];
    int count = boxes_in(inside, text);
    Choice choice = {SAYS_NOTHING, NOTHING};
    for (int i = 0; i < count && choice.place != SAYS_SEVERAL; i++) {
        Choice one = read_statement(c, inside[i], MARK_BOX);
        if (choice.place != SAYS_NOTHING && one.place != SAYS_NOTHING && one.place != choice.place)
            choice = (Choice){SAYS_SEVERAL, SEVERAL};
        else if (one.place != SAYS_NOTHING)
            choice = one;
    }
    return choice;
}

// ---- a text without marks

static Text last_line(Text s)
{
    const char *end = memrchr(s.data, '\n', s.size);
    return end == NULL ? s : text_trimmed(text_between(end, s.data + s.size));
}

static Text last_sentence(Text line)
{
    for (size_t i = line.size; i-- > 2;)
        if (line.data[i] == ' ' && line.data[i - 1] == '.' && i + 1 < line.size)
            return text_trimmed((Text){line.data + i, line.size - i});
    return line;
}

// Whether the line before begins with its own letter: then this is a list of options, and the last is not chosen
static bool is_listed(const Choices *c, Text s, Text line)
{
    Text before = last_line(text_trimmed(text_between(s.data, line.data)));
    Pieces p;
    bool listed = before.size > 0 && pieces_read(&p, before);
    if (listed) {
        Label label = label_at(c, &p, 0);
        listed = label.place >= 0 && label.firm && label.end < p.count;
        pieces_free(&p);
    }
    return listed;
}

static Choice read_plain(const Choices *c, Text s)
{
    Text line = last_line(s), sentence = last_sentence(line);
    Choice choice = read_statement(c, line, MARK_NONE);
    if (choice.rule != LETTER && line.size < s.size && is_listed(c, s, line))
        return (Choice){SAYS_NOTHING, NOTHING};
    if (choice.place == SAYS_NOTHING && sentence.size < line.size)
        choice = read_statement(c, sentence, MARK_NONE);
    if (choice.place == SAYS_NOTHING && line.size < s.size) // an option of several lines
        choice = read_statement(c, s, MARK_NONE);
    return choice;
}

Choice choice_of_response(const Choices *c, Text response)
{
    Statement statements[STATEMENTS_MOST];
    int count = response_statements(statements, response);
    Choice choice = {SAYS_NOTHING, NOTHING};
    for (int i = 0; i < count && choice.place == SAYS_NOTHING; i++) {
        const Statement *s = &statements[i];
        choice = s->mark == MARK_BOXES  ? read_boxes(c, s->text)
                 : s->mark == MARK_NONE ? read_plain(c, s->text)
                                        : read_statement(c, s->text, s->mark);
    }
    return choice;
}

Choice choice_of_reference(const Choices *c, Text reference)
{
    for (int i = 0; i < c->count; i++) // a letter is a label even where it is also an option's text
        if (reference.size > 1 && texts_equal(c->texts[i], reference))
            return (Choice){i, WORDS};
    Choice choice = read_statement(c, reference, MARK_BOX);
    return choice.place == SAYS_NOTHING ? choice_of_response(c, reference) : choice;
}
