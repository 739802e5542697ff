// Takes the prompts of each step: in the loader's order, or level by level in shares that follow the pass rates.
#include "rl/curriculum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PASS_RATE_NEW = 0.2;

// What is not used is as the table of options has it.
bool adapt_check(const AdaptOptions *o)
{
    if (!o->adapt && o->adapt_by.place == ADAPT_BY_PROMPT)
        return fail_as(ERROR_USAGE, "--adapt-by prompt: give --adapt, too");
    if (o->adapt_by.place == ADAPT_BY_PROMPT && (o->adapt_low != 0.1 || o->adapt_high != 0.9 || o->adapt_rare != 0.1))
        return fail_as(ERROR_USAGE,
                       "--adapt-low, --adapt-high and --adapt-rare are for levels; drop them, or --adapt-by prompt");
    if (o->adapt_by.place == ADAPT_BY_LEVEL && o->adapt_rest != 2)
        return fail_as(ERROR_USAGE, "--adapt-rest: levels do not rest; give --adapt --adapt-by prompt, or drop it");
    if (!o->adapt && (o->adapt_low != 0.1 || o->adapt_high != 0.9 || o->adapt_rare != 0.1))
        return fail_as(ERROR_USAGE, "--adapt-low, --adapt-high and --adapt-rare: give --adapt, too");
    return !o->adapt || o->adapt_low < o->adapt_high || fail_as(ERROR_USAGE, "--adapt-low must be below --adapt-high");
}

static bool by_level(const Curriculum *c)
{
    return c->options.adapt.adapt && c->options.adapt.adapt_by.place == ADAPT_BY_LEVEL;
}

bool curriculum_open(Curriculum *c, const Documents *documents, const CurriculumOptions *options,
                     CurriculumState *state)
{
    *c = (Curriculum){.options = *options, .documents = documents, .state = state};
    *state = (CurriculumState){0};
    for (int l = 0; l < LEVELS; l++)
        state->level[l].pass_rate = NAN;
    c->prompts = allocate((size_t)documents->count + 1, sizeof *c->prompts);
    TRY(c->prompts != NULL && order_open(&c->order, documents, &options->order));
    if (options->adapt.adapt && !by_level(c))
        TRY((state->pools = pools_open(documents->count, options->adapt.adapt_rest)) != NULL);
    curriculum_begin(c);
    return true;
}

void curriculum_close(Curriculum *c)
{
    order_close(&c->order);
    free(c->prompts);
    c->prompts = NULL;
    if (c->state == NULL)
        return;
    pools_close(c->state->pools);
    c->state->pools = NULL;
}

// ---- a step

void curriculum_begin(Curriculum *c)
{
    c->turn++;
    memset(c->asked, 0, sizeof c->asked);
    if (c->state->pools != NULL)
        pools_begin(c->state->pools, c->state->learned);
}

int64_t curriculum_epoch(const Curriculum *c) { return c->state->taken / c->documents->count; }

PoolCounts curriculum_pools(const Curriculum *c)
{
    return c->state->pools == NULL ? (PoolCounts){0} : pools_counts(c->state->pools, curriculum_epoch(c));
}

static int level_of(const Curriculum *c, int64_t number) { return c->documents->list[number].difficulty; }

// The number at `place`, if it was not taken in this step.
static bool take(Curriculum *c, int64_t number, int64_t place)
{
    TakenPrompt *prompt = &c->prompts[number];
    const Pools *pools = c->state->pools; // then place counts the prompts of all epochs
    if (prompt->turn == c->turn || (pools != NULL && pools_rests(pools, number, place / c->documents->count)))
        return false;
    *prompt = (TakenPrompt){c->turn, place};
    c->asked[level_of(c, number)]++;
    return true;
}

// ---- level after level

static int64_t level_count(const Curriculum *c, int l)
{
    return c->documents->level_first[l + 1] - c->documents->level_first[l];
}

static int64_t level_left(const Curriculum *c, int l) { return level_count(c, l) - c->asked[l]; } // for this step

static double level_weight(const Curriculum *c, int l)
{
    double rate = c->state->level[l].pass_rate;
    bool outside = !isnan(rate) && (rate < c->options.adapt.adapt_low || rate > c->options.adapt.adapt_high);
    return (double)level_count(c, l) * (outside ? c->options.adapt.adapt_rare : 1);
}

// How many of each level, by weight: shares rounded down, and the rest to the largest remainders.
static void share_by_weight(int64_t count, const double weights[LEVELS], int64_t shares[LEVELS])
{
    double sum = 0, rest[LEVELS];
    int64_t left = count;
    for (int l = 0; l < LEVELS; l++)
        sum += weights[l];
    for (int l = 0; l < LEVELS; l++) {
        double share = (double)count * weights[l] / sum;
        shares[l] = (int64_t)share;
        rest[l] = weights[l] > 0 ? share - (double)shares[l] : -1;
        left -= shares[l];
    }
    for (; left > 0; left--) {
        int best = 0;
        for (int l = 1; l < LEVELS; l++)
            best = rest[l] > rest[best] ? l : best;
        shares[best]++;
        rest[best] -= 1;
    }
}

// What a level lacks, the others give: count is at most what is left of all.
static void share_out(const Curriculum *c, int64_t count, int64_t shares[LEVELS])
{
    memset(shares, 0, LEVELS * sizeof *shares);
    while (count > 0) {
        double weights[LEVELS];
        int64_t more[LEVELS];
        for (int l = 0; l < LEVELS; l++)
            weights[l] = level_left(c, l) > shares[l] ? level_weight(c, l) : 0;
        share_by_weight(count, weights, more);
        for (int l = 0; l < LEVELS; l++) {
            int64_t room = level_left(c, l) - shares[l], n = more[l] < room ? more[l] : room;
            shares[l] += n;
            count -= n;
        }
    }
}

static int64_t next_of_level(Curriculum *c, int l) // a level with prompts left
{
    for (;;) {
        int64_t n = level_count(c, l), at = c->state->level[l].taken++;
        int64_t number = c->documents->level_first[l] + keyed_permutation(c->options.order.seed, RANDOM_ORDER,
                                                                          (uint32_t)(at / n), (uint32_t)l, n, at % n);
        if (take(c, number, at))
            return number;
    }
}

static int64_t take_by_level(Curriculum *c, int64_t *numbers, int64_t count)
{
    int64_t shares[LEVELS], n = 0;
    share_out(c, count, shares);
    for (int l = 0; l < LEVELS; l++)
        for (int64_t i = 0; i < shares[l]; i++)
            numbers[n++] = next_of_level(c, l);
    c->state->taken += n;
    return n;
}

// ---- the next prompts

static int64_t take_in_order(Curriculum *c, int64_t *numbers, int64_t count)
{
    int64_t all = c->documents->count, n = 0, *taken = &c->state->taken;
    while (n < count && (n == 0 || *taken % all != 0)) { // ends at the end of an epoch, unless it has nothing yet
        int64_t first = *taken % all, some = count - n < all - first ? count - n : all - first, kept = n;
        order_documents(&c->order, *taken / all, first, some, numbers + n);
        for (int64_t i = 0; i < some; i++) {
            int64_t number = numbers[n + i];
            if (take(c, number, (*taken)++))
                numbers[kept++] = number; // kept <= n + i
        }
        n = kept;
    }
    return n;
}

int64_t curriculum_take(Curriculum *c, int64_t *numbers, int64_t count)
{
    int64_t left = c->documents->count;
    for (int l = 0; l < LEVELS; l++)
        left -= c->asked[l];
    count = count < left ? count : left;
    return by_level(c) ? take_by_level(c, numbers, count) : take_in_order(c, numbers, count);
}

void curriculum_return(Curriculum *c, const int64_t *numbers, int64_t count)
{
    for (int64_t i = count - 1; i >= 0; i--) { // backwards: it goes on at the place of the first
        int64_t place = c->prompts[numbers[i]].place;
        if (by_level(c)) {
            c->state->level[level_of(c, numbers[i])].taken = place;
            c->state->taken--;
        } else {
            c->state->taken = place;
        }
    }
}

static void learn_of_prompts(Curriculum *c, const Rollout *rollout)
{
    for (int64_t i = 0; i < rollout->count; i++) {
        const Group *g = &rollout->groups[i];
        PoolOutcome o = {0};
        for (int64_t k = 0; k < rollout->samples; k++) {
            double accuracy = g->responses[k].parts[REWARD_ACCURACY];
            *(isnan(accuracy) ? &o.unscored : accuracy == 1 ? &o.right : &o.wrong) += 1;
        }
        pools_learn(c->state->pools, g->document, c->prompts[g->document].place / c->documents->count, o);
    }
    c->state->pools->learned = ++c->state->learned;
}

void curriculum_learn(Curriculum *c, const Rollout *rollout)
{
    if (c->state->pools != NULL)
        learn_of_prompts(c, rollout);
    double right[LEVELS] = {0}, all[LEVELS] = {0};
    for (int64_t i = 0; i < rollout->count * rollout->samples; i++) {
        double accuracy = rollout_response(rollout, i)->parts[REWARD_ACCURACY];
        int level = rollout->groups[i / rollout->samples].prompt.difficulty;
        if (isnan(accuracy))
            continue;
        right[level] += accuracy;
        all[level] += 1;
    }
    for (int l = 0; l < LEVELS; l++)
        if (all[l] > 0) {
            double now = right[l] / all[l], *rate = &c->state->level[l].pass_rate;
            *rate = isnan(*rate) ? now : *rate + PASS_RATE_NEW * (now - *rate);
        }
}
