// The parts of a reward and their weights: reads --reward, finds the answer in a response, decides whether a judge is needed, and
// adds the parts up.
#include "rl/reward.h"
#include "base/number.h"
#include "rl/objective.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const REWARD_NAMES[REWARD_PARTS] = {"accuracy", "format", "length", "overlong", "grader"};

// ---- weights

static bool part_of(RewardPart *part, const char *name, size_t size)
{
    for (int i = 0; i < REWARD_PARTS; i++)
        if (strlen(REWARD_NAMES[i]) == size && memcmp(name, REWARD_NAMES[i], size) == 0) {
            *part = (RewardPart)i;
            return true;
        }
    return false;
}

static RewardWeights *weights_for(Rewards *r, const char *source, size_t size)
{
    for (size_t i = 1; i < r->count; i++)
        if (strlen(r->list[i].source) == size && memcmp(r->list[i].source, source, size) == 0)
            return &r->list[i];
    char *name = r->names[r->count] = allocate(size + 1, 1);
    if (name == NULL)
        return NULL;
    memcpy(name, source, size);
    r->list[r->count] = r->list[0];
    r->list[r->count].source = name;
    return &r->list[r->count++];
}

// own: words of a source; they come after the others, which theirs begin with.
static bool take_word(Rewards *r, const char *word, bool own)
{
    const char *equals = strrchr(word, '='), *colon = NULL;
    for (const char *s = word; equals != NULL && s < equals; s++)
        colon = *s == ':' ? s : colon;
    const char *name = colon == NULL ? word : colon + 1;
    RewardPart part;
    double weight;
    if (equals == NULL || !part_of(&part, name, (size_t)(equals - name)) || !number_parse(&weight, equals + 1) ||
        !isfinite(weight))
        return fail("--reward %s: give NAME=WEIGHT or SOURCE:NAME=WEIGHT, with accuracy, format, length, overlong or grader",
                    word);
    if (fabs(weight) > WEIGHT_MOST)
        return fail("--reward %s: a weight is a number from -1e6 to 1e6", word);
    if (colon == word)
        return fail(
            "--reward %s: the source before the colon is empty; SOURCE:NAME=WEIGHT, or NAME=WEIGHT for everybody's problems",
            word);
    if ((colon != NULL) != own)
        return true;
    RewardWeights *w = own ? weights_for(r, word, (size_t)(colon - word)) : &r->list[0];
    TRY(w != NULL);
    w->of[part] = weight;
    return true;
}

bool rewards_open(Rewards *r, const char *const *words, size_t count, const double standard[REWARD_PARTS])
{
    r->list = allocate(count + 1, sizeof *r->list);
    r->names = allocate(count + 1, sizeof *r->names);
    TRY(r->list != NULL && r->names != NULL);
    r->count = 1;
    memcpy(r->list[0].of, standard, sizeof r->list[0].of);
    for (int own = 0; own < 2; own++)
        for (size_t i = 0; i < count; i++)
            TRY(take_word(r, words[i], own == 1));
    for (size_t i = 0; i < r->count; i++)
        for (int part = 0; part < REWARD_PARTS; part++)
            r->has[part] = r->has[part] || r->list[i].of[part] != 0;
    return true;
}

enum { SOURCES_SHOWN = 20 };

static bool append_sources(Bytes *out, const Documents *d) // sources[0] is none
{
    for (size_t i = 1; i < d->source_count && i <= SOURCES_SHOWN; i++)
        TRY(bytes_printf(out, "%s%s", i > 1 ? ", " : "", d->sources[i]));
    return d->source_count <= 1                  ? bytes_text(out, "none")
           : d->source_count - 1 > SOURCES_SHOWN ? bytes_printf(out, ", and %zu more", d->source_count - 1 - SOURCES_SHOWN)
                                                 : true;
}

bool rewards_check_sources(const Rewards *r, const Documents *d)
{
    for (size_t i = 1; i < r->count; i++) {
        size_t k = 1;
        while (k < d->source_count && strcmp(d->sources[k], r->list[i].source) != 0)
            k++;
        Bytes sources = {0};
        if (k < d->source_count)
            continue;
        if (append_sources(&sources, d))
            fail("--reward %s:...: no prompt has this source; theirs are: %s", r->list[i].source, sources.data);
        bytes_free(&sources);
        return false;
    }
    return true;
}

void rewards_close(Rewards *r)
{
    for (size_t i = 0; r->names != NULL && i < r->count; i++)
        free(r->names[i]);
    free(r->names);
    free(r->list);
    *r = (Rewards){0};
}

const double *reward_weights(const Rewards *r, Text source)
{
    for (size_t i = 1; i < r->count; i++)
        if (texts_equal(source, (Text){r->list[i].source, strlen(r->list[i].source)}))
            return r->list[i].of;
    return r->list[0].of;
}

// ---- parts

static bool is_prose(AnswerKind kind) { return kind == ANSWER_WORDS || kind == ANSWER_TEXT || kind == ANSWER_NONE; }

static Text response_end(Text response)
{
    static const char thoughts[] = "</think>";
    const char *at = text_last(response, thoughts);
    Text s = at == NULL ? response : text_between(at + strlen(thoughts), response.data + response.size);
    s = text_trimmed(s);
    size_t cut = s.size > JUDGED_BYTES ? s.size - JUDGED_BYTES : 0;
    while (cut > 0 && cut < s.size && ((unsigned char)s.data[cut] & 0xC0) == 0x80)
        cut++; // between two characters
    return (Text){s.data + cut, s.size - cut};
}

void reward_finding(Finding *f, const RewardFacts *facts)
{
    if (!facts->ended) {
        *f = (Finding){.verdict = VERDICT_DIFFERENT, .kind = answer_kind(facts->row, facts->reference), .rule = "cut off"};
        return;
    }
    verify_finding(f, facts->row, facts->reference, facts->text);
    bool silent = f->answer[0] == 0;
    if (silent) {
        f->verdict = VERDICT_DIFFERENT;
        f->rule = "no answer";
    }
    bool another_text = f->verdict == VERDICT_DIFFERENT && is_prose(f->kind) && (silent || f->kind != ANSWER_WORDS);
    if (another_text && response_end(facts->text).size > 0) {
        f->verdict = VERDICT_UNKNOWN;
        f->rule = "none for texts";
    }
}

static bool is_judges(const RewardFacts *r, const Finding *f, JudgeAsks asks)
{
    if (!r->ended || f->verdict == VERDICT_EQUAL)
        return false;
    if (asks == JUDGE_ASKS_UNREADABLE)
        return !answer_comparable(r->row, r->reference);
    return asks == JUDGE_ASKS_UNEQUAL || f->verdict == VERDICT_UNKNOWN;
}

Text reward_prediction(const RewardFacts *facts, const Finding *f, char out[ANSWER_BYTES])
{
    size_t shown = strlen(f->answer);
    bool whole = shown < FINDING_BYTES - 4; // what is cut lacks a part of a character at most
    return whole ? (Text){f->answer, shown} : response_end(response_answer(facts->text, out, ANSWER_BYTES));
}

Text reward_question(const RewardFacts *facts, const Finding *f, JudgeAsks asks, char out[ANSWER_BYTES])
{
    if (!is_judges(facts, f, asks))
        return (Text){NULL, 0};
    if (is_prose(f->kind) && (f->answer[0] == 0 || !response_marks_answer(facts->text)))
        return response_end(facts->text);
    return reward_prediction(facts, f, out);
}

void reward_parts(double parts[REWARD_PARTS], const RewardFacts *f, const Rewards *r)
{
    parts[REWARD_ACCURACY] = parts[REWARD_GRADER] = parts[REWARD_LENGTH] = NAN;
    parts[REWARD_FORMAT] = f->ended && response_marks_answer(f->text);
    parts[REWARD_OVERLONG] = r->overlong_buffer > 0 ? overlong_punishment(f->tokens, r->max_new_tokens, r->overlong_buffer) : NAN;
}

static bool count_tokens(int64_t *count, Encoder *encoder, Text text)
{
    TokenList ids = {0};
    bool ok = encode_plain(encoder, &ids, text.data, text.size);
    *count = (int64_t)ids.count;
    tokens_free(&ids);
    return ok;
}

static bool length_part(double *part, const RewardFacts *f, Encoder *encoder)
{
    char boxes[ANSWER_BYTES], reference_boxes[ANSWER_BYTES];
    int64_t answer, reference;
    TRY(count_tokens(&answer, encoder, response_answer(f->text, boxes, sizeof boxes)) &&
        count_tokens(&reference, encoder, response_answer(f->reference, reference_boxes, sizeof reference_boxes)));
    *part = -0.05 * (double)(llabs(answer - reference) < 10 ? llabs(answer - reference) : 10);
    return true;
}

bool reward_sum(double *sum, double parts[REWARD_PARTS], const RewardFacts *f, const double weights[REWARD_PARTS],
                Encoder *encoder)
{
    if (weights[REWARD_LENGTH] != 0)
        parts[REWARD_LENGTH] = isnan(parts[REWARD_ACCURACY]) ? NAN : 0;
    if (weights[REWARD_LENGTH] != 0 && parts[REWARD_ACCURACY] == 1)
        TRY(length_part(&parts[REWARD_LENGTH], f, encoder));
    *sum = 0;
    for (int i = 0; i < REWARD_PARTS; i++)
        if (weights[i] != 0)
            *sum += weights[i] * parts[i];
    return true;
}

bool rewards_open_by(Rewards *r, const RewardOptions *o, bool grader, int64_t max_new_tokens)
{
    double standard[REWARD_PARTS] = {[REWARD_ACCURACY] = 1, [REWARD_OVERLONG] = o->overlong_buffer > 0, [REWARD_GRADER] = grader};
    TRY(rewards_open(r, o->reward.items, o->reward.count, standard));
    r->overlong_buffer = o->overlong_buffer;
    r->max_new_tokens = max_new_tokens;
    if (r->has[REWARD_GRADER] && !grader)
        return fail_as(ERROR_USAGE, "--reward grader: give --grader COMMAND, too");
    if (r->has[REWARD_OVERLONG] && o->overlong_buffer == 0)
        return fail_as(ERROR_USAGE, "--reward overlong: give --overlong-buffer TOKENS, too");
    return true;
}
