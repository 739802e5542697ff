// The parts of a reward and their weights: reads --reward, finds the answer in a response, decides whether a judge is
// needed, and adds the parts up.
#include "rl/reward.h"
#include "base/number.h"
#include "base/text.h"
#include "rl/objective.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const REWARD_NAMES[REWARD_PARTS] = {"accuracy", "format", "length", "overlong", "grader"};

// ---- weights

static RewardWeights *weights_for(Rewards *r, Text source)
{
    for (size_t i = 1; i < r->count; i++)
        if (text_is(source, r->list[i].source))
            return &r->list[i];
    RewardWeights *w = &r->list[r->count];
    *w = r->list[0];
    w->source = allocate(source.size + 1, 1);
    if (w->source == NULL)
        return NULL;
    memcpy(w->source, source.data, source.size);
    r->count++;
    return w;
}

// own: words of a source; they are read after the others, whose weights they begin with.
static bool read_word(Rewards *r, const char *word, bool own)
{
    const char *equals = strrchr(word, '='),
               *colon = equals == NULL ? NULL : memrchr(word, ':', (size_t)(equals - word));
    const char *name = colon == NULL ? word : colon + 1;
    int part = 0;
    double weight;
    while (equals != NULL && part < REWARD_PARTS && !text_is(text_between(name, equals), REWARD_NAMES[part]))
        part++;
    if (equals == NULL || part == REWARD_PARTS || !number_parse(&weight, equals + 1) || !isfinite(weight))
        return fail(
            "--reward %s: give NAME=WEIGHT or SOURCE:NAME=WEIGHT, with accuracy, format, length, overlong or grader",
            word);
    if (fabs(weight) > WEIGHT_MOST)
        return fail("--reward %s: a weight is a number from -1e6 to 1e6", word);
    if (colon == word)
        return fail(
            "--reward %s: the source before the colon is empty; give SOURCE:NAME=WEIGHT, or NAME=WEIGHT for all "
            "problems",
            word);
    if ((colon != NULL) != own)
        return true;
    RewardWeights *w = own ? weights_for(r, text_between(word, colon)) : &r->list[0];
    TRY(w != NULL);
    w->of[part] = weight;
    return true;
}

static bool read_weights(Rewards *r, const OptionList *words, bool has_grader)
{
    TRY((r->list = allocate(words->count + 1, sizeof *r->list)) != NULL);
    r->count = 1;
    r->list[0].of[REWARD_ACCURACY] = 1;
    r->list[0].of[REWARD_OVERLONG] = r->overlong_buffer > 0;
    r->list[0].of[REWARD_GRADER] = has_grader;
    for (int own = 0; own < 2; own++)
        for (size_t i = 0; i < words->count; i++)
            TRY(read_word(r, words->items[i], own == 1));
    for (size_t i = 0; i < r->count; i++)
        for (int part = 0; part < REWARD_PARTS; part++)
            r->has[part] = r->has[part] || r->list[i].of[part] != 0;
    return true;
}

bool rewards_open(Rewards *r, const RewardOptions *o, bool has_grader, int64_t max_new_tokens)
{
    r->overlong_buffer = o->overlong_buffer;
    r->max_new_tokens = max_new_tokens;
    TRY(read_weights(r, &o->reward, has_grader));
    if (r->has[REWARD_GRADER] && !has_grader)
        return fail_as(ERROR_USAGE, "--reward grader: give --grader COMMAND, too");
    if (r->has[REWARD_OVERLONG] && o->overlong_buffer == 0)
        return fail_as(ERROR_USAGE, "--reward overlong: give --overlong-buffer TOKENS, too");
    return true;
}

enum { SOURCES_SHOWN = 20 };

static bool append_sources(Bytes *out, const Documents *d) // sources[0] is none
{
    size_t count = d->source_count > 0 ? d->source_count - 1 : 0;
    for (size_t i = 1; i <= count && i <= SOURCES_SHOWN; i++)
        TRY(bytes_printf(out, "%s%s", i > 1 ? ", " : "", d->sources[i]));
    if (count > SOURCES_SHOWN)
        return bytes_printf(out, ", and %zu more", count - SOURCES_SHOWN);
    return count > 0 || bytes_text(out, "none");
}

bool rewards_check_sources(const Rewards *r, const Documents *d)
{
    for (size_t i = 1; i < r->count; i++) {
        size_t k = 1;
        while (k < d->source_count && strcmp(d->sources[k], r->list[i].source) != 0)
            k++;
        if (k < d->source_count)
            continue;
        Bytes sources = {0};
        if (append_sources(&sources, d))
            fail("--reward %s:...: no prompt has this source; theirs are: %s", r->list[i].source, sources.data);
        bytes_free(&sources);
        return false;
    }
    return true;
}

void rewards_close(Rewards *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->list[i].source);
    free(r->list);
    *r = (Rewards){0};
}

const double *reward_weights(const Rewards *r, Text source)
{
    for (size_t i = 1; i < r->count; i++)
        if (text_is(source, r->list[i].source))
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
        cut++; // to the next whole character
    return (Text){s.data + cut, s.size - cut};
}

void reward_finding(Finding *f, const RewardFacts *facts)
{
    if (!facts->ended) {
        *f = (Finding){
            .verdict = VERDICT_DIFFERENT, .kind = answer_kind(facts->row, facts->reference), .rule = "cut off"};
        return;
    }
    verify_finding(f, facts->row, facts->reference, facts->text);
    bool silent = f->answer[0] == 0;
    if (silent) {
        f->verdict = VERDICT_DIFFERENT;
        f->rule = "no answer";
    }
    // another text in words may mean the same; no rule can tell
    bool another_text = f->verdict == VERDICT_DIFFERENT && is_prose(f->kind) && (silent || f->kind != ANSWER_WORDS);
    if (another_text && response_end(facts->text).size > 0) {
        f->verdict = VERDICT_UNKNOWN;
        f->rule = "none for texts";
    }
}

static bool is_for_judge(const RewardFacts *r, const Finding *f, JudgeAsks asks)
{
    if (!r->ended || asks == JUDGE_ASKS_ALL)
        return r->ended;
    if (f->verdict == VERDICT_EQUAL)
        return false;
    if (asks == JUDGE_ASKS_UNREADABLE)
        return !answer_comparable(r->row, r->reference);
    return asks == JUDGE_ASKS_UNEQUAL || f->verdict == VERDICT_UNKNOWN;
}

Text reward_prediction(const RewardFacts *facts, const Finding *f, char out[ANSWER_BYTES])
{
    size_t shown = strlen(f->answer);
    bool whole = shown < FINDING_BYTES - 4; // a cut one is at most a part of a character shorter than the limit
    return whole ? (Text){f->answer, shown} : response_end(response_answer(facts->text, out, ANSWER_BYTES));
}

Text reward_question(const RewardFacts *facts, const Finding *f, JudgeAsks asks, char out[ANSWER_BYTES])
{
    if (!is_for_judge(facts, f, asks))
        return (Text){NULL, 0};
    if (is_prose(f->kind) && (f->answer[0] == 0 || !response_marks_answer(facts->text)))
        return response_end(facts->text);
    return reward_prediction(facts, f, out);
}

void reward_parts(double parts[REWARD_PARTS], const RewardFacts *f, const Rewards *r)
{
    parts[REWARD_ACCURACY] = parts[REWARD_GRADER] = parts[REWARD_LENGTH] = NAN;
    parts[REWARD_FORMAT] = f->ended && response_marks_answer(f->text);
    parts[REWARD_OVERLONG] = NAN;
    if (r->overlong_buffer > 0)
        parts[REWARD_OVERLONG] = overlong_punishment(f->tokens, r->max_new_tokens, r->overlong_buffer);
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
    *part = -0.05 * fmin((double)llabs(answer - reference), 10);
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
