// See scoring.h.
#include "tasks/scoring.h"
#include "answers/verify.h"
#include "base/text.h"
#include "tasks/bbeh.h"
#include "tasks/extract.h"
#include "tasks/python_random.h"
#include "tasks/python_text.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// MMLU-Pro's seed; and how many letters there are to draw from, however many options a question has.
enum { SEED_OF_DRAWS = 12345, LETTERS_DRAWN = 10 };

struct Scorer {
    const Task *task;
    Extractor *extractor;
    PythonRandom draws;
    Bytes response, prediction; // of the response at hand
};

Scorer *scorer_open(const Task *task)
{
    Scorer *s = allocate(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->task = task;
    python_random_seed(&s->draws, SEED_OF_DRAWS);
    s->extractor = extractor_open(&task->o.extract, task->given);
    if (s->extractor != NULL)
        return s;
    scorer_close(s);
    return NULL;
}

void scorer_close(Scorer *s)
{
    if (s == NULL)
        return;
    extractor_close(s->extractor);
    bytes_free(&s->response);
    bytes_free(&s->prediction);
    free(s);
}

// ---- what is read

static Text part_read(const TaskOptions *o, Text text)
{
    static const char user[] = "<|im_start|>user", assistant[] = "<|im_start|>assistant";
    bool turns = o->turns && python_in(user, text);
    if (turns && python_in(assistant, text)) {
        size_t before = python_split_first(text, assistant).size;
        text = (Text){text.data + before, text.size - before};
    }
    for (size_t i = 0; !turns && i < o->after.count; i++)
        if (python_in(o->after.items[i], text))
            text = python_strip(python_split_last(text, o->after.items[i]));
    for (size_t i = 0; i < o->before.count; i++)
        if (python_in(o->before.items[i], text))
            text = python_strip(python_split_first(text, o->before.items[i]));
    return text;
}

// What precedes another question that the response goes on to.
static Text own_part(const TaskOptions *o, Text read)
{
    bool goes_on = o->next_question[0] != 0 && python_in(o->next_question, read);
    return goes_on ? python_split_first(read, o->next_question) : read;
}

// Cut to fit, at a character.
static void show(char out[EXTRACTED_BYTES], Text text)
{
    size_t size = text.size < EXTRACTED_BYTES ? text.size : EXTRACTED_BYTES - 1;
    size = size == 0 ? 0 : utf8_valid_prefix(text.data, size);
    for (size_t i = 0; i < size; i++)
        out[i] = text.data[i] == 0 ? ' ' : text.data[i]; // it is a C string
    out[size] = 0;
}

// ---- letters

static char letter_read(int reading, Text found)
{
    if (reading == READ_CONTAINED) {
        for (char letter = 'A'; letter < 'A' + LETTERS_DRAWN; letter++)
            if (memchr(found.data, letter, found.size) != NULL)
                return letter;
        return 0;
    }
    char c = found.size == 1 ? *found.data : 0;
    if (reading == READ_UPPER && c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    return c >= 'A' && c <= 'Z' ? c : 0;
}

static bool is_letter(Text reference, char letter)
{
    return letter != 0 && reference.size == 1 && *reference.data == letter;
}

static void draw_of_ten(Marks *m, const AskedQuestion *q, int64_t sample)
{
    uint64_t seed = hash_bytes(q->id.data == NULL ? "" : q->id.data, q->id.size);
    uint32_t bits = random_bits(seed, RANDOM_LETTER, (uint32_t)sample, (uint32_t)((uint64_t)sample >> 32), 0).v[0];
    m->drawn = true;
    m->letter = (char)('A' + (int)((uint64_t)bits * LETTERS_DRAWN >> 32));
    bool possible = q->reference.size == 1 && *q->reference.data >= 'A' && *q->reference.data < 'A' + LETTERS_DRAWN;
    m->by_chance = possible ? 1.0 / LETTERS_DRAWN : 0;
}

static void mark_letter(const Scorer *s, const AskedQuestion *q, int64_t sample, Marks *m, Text found, int option)
{
    const TaskOptions *o = &s->task->o;
    if (m->found)
        m->letter = option >= 0 ? (char)('A' + option) : letter_read(o->read.place, found);
    m->readable = m->letter != 0;
    // what holds no letter has none; but what is not a letter is wrong
    bool answered = m->found && (m->readable || o->read.place != READ_CONTAINED);
    if (!answered && o->unanswered.place == UNANSWERED_TEN)
        draw_of_ten(m, q, sample);
    m->right = is_letter(q->reference, m->letter);
}

void scorer_draw(Scorer *s, const AskedQuestion *q, Marks *m)
{
    if (q->option_count == 0)
        return;
    uint32_t place = python_random_below(&s->draws, (uint32_t)q->option_count);
    m->drawn = true;
    m->letter = (char)('A' + (int)place);
    m->right = is_letter(q->reference, m->letter);
    bool possible =
        q->reference.size == 1 && *q->reference.data >= 'A' && (size_t)(*q->reference.data - 'A') < q->option_count;
    m->by_chance = possible ? 1.0 / (double)q->option_count : 0;
}

// ---- answers

// {"options": [...]}, as answers/verify.h wants it; without options, nothing.
static bool make_row(Bytes *row, const AskedQuestion *q)
{
    bool ok = true;
    json_t *options = json_array();
    for (size_t i = 0; ok && i < q->option_count; i++)
        ok = json_array_append_new(options, json_stringn(q->options[i].data, q->options[i].size)) == 0;
    json_t *object = json_pack("{s:o}", "options", options);
    char *text = ok && q->option_count > 0 ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    ok = q->option_count == 0 || text != NULL ||
         fail("question %.*s: an option is no UTF-8", (int)q->id.size, q->id.data);
    ok = ok && bytes_text(row, text == NULL ? "" : text);
    free(text);
    return ok;
}

static bool mark_bbeh(Scorer *s, const AskedQuestion *q, Marks *m, Text found)
{
    TRY(bbeh_prediction(&s->prediction, found));
    Text prediction = {s->prediction.data, s->prediction.size};
    m->found = m->readable = prediction.size > 0;
    m->answer = prediction;
    show(m->extracted, prediction);
    return bbeh_equal(prediction, q->reference, &m->right);
}

static void mark_answer(const AskedQuestion *q, Text row, Marks *m, Text found)
{
    Finding f;
    if (!m->found)
        return;
    verify_finding(&f, row, q->reference, found);
    m->right = f.verdict == VERDICT_EQUAL;
    m->readable = f.verdict != VERDICT_UNKNOWN;
}

static void mark_strictly(const AskedQuestion *q, Text row, Marks *m, Text read)
{
    Finding f;
    verify_finding(&f, row, q->reference, read);
    m->strict = f.verdict == VERDICT_EQUAL;
    show(m->rule, (Text){f.rule, strlen(f.rule)});
}

bool scorer_mark(Scorer *s, const AskedQuestion *q, int64_t sample, Text response, Marks *m)
{
    *m = (Marks){0};
    Bytes row = {0};
    int option;
    bytes_clear(&s->response);
    TRY(python_text(&s->response, response));
    Text read = part_read(&s->task->o, (Text){s->response.data, s->response.size}), own = own_part(&s->task->o, read),
         found = extractor_find(s->extractor, own, q->options, q->option_count, &option);
    m->gave_up = extractor_gave_up(s->extractor);
    if (found.size == 0 && own.size < read.size) {
        found = extractor_find(s->extractor, read, q->options, q->option_count, &option);
        m->gave_up = m->gave_up || extractor_gave_up(s->extractor);
    }
    m->ended = own.size < read.size;
    m->found = found.size > 0;
    m->answer = found;
    show(m->extracted, found);
    bool ok = make_row(&row, q);
    Text options = {row.data, row.size};
    if (ok) {
        mark_strictly(q, options, m, own);
        if (s->task->o.score.place == SCORE_LETTER)
            mark_letter(s, q, sample, m, found, option);
        else if (s->task->o.score.place == SCORE_ANSWER)
            mark_answer(q, options, m, found);
        else
            ok = mark_bbeh(s, q, m, found);
    }
    bytes_free(&row);
    return ok;
}
