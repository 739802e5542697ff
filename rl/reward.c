#include "rl/reward.h"
#include "base/number.h"
#include "rl/objective.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES = 4096 };

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

Verdict reward_verdict(const RewardFacts *f)
{
    Finding finding;
    if (!f->ended)
        return VERDICT_DIFFERENT;
    verify_finding(&finding, f->row, f->reference, f->text);
    return finding.verdict;
}

void reward_parts(double parts[REWARD_PARTS], const RewardFacts *f, const Rewards *r)
{
    parts[REWARD_ACCURACY] = parts[REWARD_GRADER] = NAN;
    parts[REWARD_LENGTH] = 0;
    parts[REWARD_FORMAT] = f->ended && response_marks_answer(f->text);
    parts[REWARD_OVERLONG] = r->overlong_buffer > 0 ? overlong_punishment(f->tokens, r->max_new_tokens, r->overlong_buffer) : 0;
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
    if (weights[REWARD_LENGTH] != 0 && parts[REWARD_ACCURACY] == 1)
        TRY(length_part(&parts[REWARD_LENGTH], f, encoder));
    *sum = 0;
    for (int i = 0; i < REWARD_PARTS; i++)
        if (weights[i] != 0)
            *sum += weights[i] * parts[i];
    return true;
}
