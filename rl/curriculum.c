#include "rl/curriculum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PASS_RATE_NEW = 0.2;

bool curriculum_open(Curriculum *c, const Documents *documents, const CurriculumOptions *options)
{
    *c = (Curriculum){.options = *options, .documents = documents};
    for (int l = 0; l < LEVELS; l++)
        c->level[l].pass_rate = NAN;
    return order_open(&c->order, documents, &options->order);
}

void curriculum_close(Curriculum *c) { order_close(&c->order); }

// ---- level after level

static int64_t level_count(const Curriculum *c, int l) { return c->documents->level_first[l + 1] - c->documents->level_first[l]; }

static double level_weight(const Curriculum *c, int l)
{
    double rate = c->level[l].pass_rate;
    bool outside = !isnan(rate) && (rate < c->options.low || rate > c->options.high);
    return (double)level_count(c, l) * (outside ? c->options.rare : 1);
}

// How many of each level: their shares, rounded down, and the rest to the largest remainders.
static void share_out(const Curriculum *c, int64_t count, int64_t shares[LEVELS])
{
    double sum = 0, rest[LEVELS];
    int64_t left = count;
    for (int l = 0; l < LEVELS; l++)
        sum += level_weight(c, l);
    for (int l = 0; l < LEVELS; l++) {
        double share = (double)count * level_weight(c, l) / sum;
        shares[l] = (int64_t)share;
        rest[l] = level_count(c, l) > 0 ? share - (double)shares[l] : -1;
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

static int64_t next_of_level(Curriculum *c, int l)
{
    int64_t n = level_count(c, l), at = c->level[l].taken++;
    return c->documents->level_first[l] +
           keyed_permutation(c->options.order.seed, RANDOM_ORDER, (uint32_t)(at / n), (uint32_t)l, n, at % n);
}

// ---- the next prompts

int64_t curriculum_take(Curriculum *c, int64_t *numbers, int64_t count)
{
    int64_t all = c->documents->count, first = c->taken % all, n = 0;
    if (c->options.adaptive) {
        int64_t shares[LEVELS];
        share_out(c, count, shares);
        for (int l = 0; l < LEVELS; l++)
            for (int64_t i = 0; i < shares[l]; i++)
                numbers[n++] = next_of_level(c, l);
    } else {
        n = count < all - first ? count : all - first;
        order_documents(&c->order, c->taken / all, first, n, numbers);
    }
    c->taken += n;
    return n;
}

void curriculum_return(Curriculum *c, const int64_t *numbers, int64_t count)
{
    c->taken -= count;
    for (int64_t i = 0; c->options.adaptive && i < count; i++)
        c->level[c->documents->list[numbers[i]].difficulty].taken--;
}

void curriculum_learn(Curriculum *c, const Rollout *rollout)
{
    double right[LEVELS] = {0}, all[LEVELS] = {0};
    for (int64_t i = 0; i < rollout->count * rollout->samples; i++) {
        const Group *g = &rollout->groups[i / rollout->samples];
        double accuracy = g->responses[i % rollout->samples].parts[REWARD_ACCURACY];
        if (isnan(accuracy))
            continue;
        right[g->prompt.difficulty] += accuracy;
        all[g->prompt.difficulty] += 1;
    }
    for (int l = 0; l < LEVELS; l++)
        if (all[l] > 0) {
            double now = right[l] / all[l], *rate = &c->level[l].pass_rate;
            *rate = isnan(*rate) ? now : *rate + PASS_RATE_NEW * (now - *rate);
        }
}

// ---- saved

json_t *curriculum_state(const Curriculum *c)
{
    json_t *levels = json_array(), *state = json_pack("{s:I, s:o}", "taken", (json_int_t)c->taken, "levels", levels);
    bool ok = state != NULL;
    for (int l = 0; ok && l < LEVELS; l++) {
        double rate = c->level[l].pass_rate; // null: not seen
        json_t *one = json_pack("{s:I, s:o}", "taken", (json_int_t)c->level[l].taken, "pass_rate",
                                isnan(rate) ? json_null() : json_real(rate));
        ok = json_array_append_new(levels, one) == 0;
    }
    if (!ok) {
        json_decref(state);
        fail("no memory for the state of the curriculum");
        return NULL;
    }
    return state;
}

bool curriculum_resume(Curriculum *c, const json_t *state, const char *where)
{
    TRY(json_need_int(&c->taken, state, "taken", 0, INT64_MAX, where));
    const json_t *levels = json_object_get(state, "levels");
    for (int l = 0; l < LEVELS; l++) {
        const json_t *one = json_array_get(levels, (size_t)l), *rate = json_object_get(one, "pass_rate");
        TRY(json_need_int(&c->level[l].taken, one, "taken", 0, INT64_MAX, where));
        c->level[l].pass_rate = json_is_number(rate) ? json_number_value(rate) : NAN;
    }
    return true;
}
