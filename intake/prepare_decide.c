// The second stage: each row's fate. Rows come in groups of one prompt, equal responses next to each other, so
// duplicates are neighbours; random choices (the hold-out, a random split) draw exact counts by a keyed permutation of
// the candidates. Results depend on the rows and the seed only.
#include "data/order.h"
#include "intake/prepare_internal.h"
#include <string.h>

// ---- groups of one prompt

typedef struct GroupReader {
    Sorter *facts;
    uint8_t key[FACT_KEY]; // of the current row
    RowFact fact;
    bool there, same_prompt, same_row; // compared with the previous row
} GroupReader;

static bool next_row(GroupReader *g)
{
    const uint8_t *key, *data;
    size_t size;
    TRY(sorter_next(g->facts, &key, &data, &size));
    bool first = !g->there;
    g->there = key != NULL;
    if (key == NULL)
        return true;
    g->same_prompt = !first && memcmp(g->key, key, 16) == 0;
    g->same_row = !first && memcmp(g->key, key, FACT_KEY) == 0;
    memcpy(g->key, key, FACT_KEY);
    memcpy(&g->fact, data, sizeof g->fact);
    return true;
}

static bool in_pool(const RowState *row) { return row->fate < FATE_DROPPED; }

// ---- the split at a difficulty, and rows that can't be used

typedef struct Group {    // rows of one prompt
    bool kept;            // an earlier row with this response was kept, or replaced by another right one
    RowFact first;        // that row
    int64_t in_rl;        // the row that is in RL; -1: none
    RowFact rl;           // that row
    int64_t right;        // --verify best-of-k: the earliest right one that is kept; -1: none
    int64_t first_answer; // a row that is kept and has an answer, the earliest; -1: none
    int64_t first_right;  // the earliest row that is kept and has a right response; -1: none
} Group;

static const Group NO_ROWS = {.in_rl = -1, .right = -1, .first_answer = -1, .first_right = -1};

// The fate of a row with the prompt and response of a kept one.
static Fate fate_of_repeated(const RowFact *fact, const RowFact *first)
{
    if (fact->answer != first->answer)
        return FATE_OTHER_ANSWER;
    return fact->rest == first->rest ? FATE_DUPLICATE : FATE_REPEATED;
}

// Where every prompt may be for RL, which needs no right response, the first look drops none for its response.
static Verify verify_at_first(const PrepareJob *job)
{
    SplitKind split = job->options->split;
    return split == SPLIT_RL_ONLY || split == SPLIT_BOTH ? VERIFY_NOT : job->options->verify;
}

// The fate of a row for SFT, which depends on its response, if it has one.
static Fate trained_fate(Verify verify, const RowState *row, Fate trained, Fate prompt)
{
    static const Fate dropped[VERIFIED_KINDS] = {
        [VERIFIED_WRONG] = FATE_WRONG, [VERIFIED_UNKNOWN] = FATE_UNKNOWN, [VERIFIED_UNREADABLE] = FATE_UNREADABLE};
    if (!(row->flags & ROW_HAS_RESPONSE))
        return prompt;
    return verify == VERIFY_NOT || verify == VERIFY_ALL || row->verified == VERIFIED_RIGHT ? trained
                                                                                           : dropped[row->verified];
}

// Rows of a group come in no order, so a later one may replace one that already has a fate.
static Fate first_right(const PrepareJob *job, Group *group, int64_t number)
{
    int64_t before = group->right;
    if (before >= 0 && before < number)
        return FATE_ANOTHER_RIGHT;
    if (before >= 0)
        job->rows[before].fate = FATE_ANOTHER_RIGHT;
    group->right = number;
    return FATE_SFT;
}

// RL keeps one row per prompt; where responses are verified, one with a right response, since other splits train on it.
// Rows that repeat it are kept with --keep-duplicates.
static Fate rl_fate(const PrepareJob *job, Group *group, const RowFact *fact)
{
    int64_t before = group->in_rl, number = (int64_t)fact->number;
    bool other = before >= 0 && fact->answer != group->rl.answer;
    bool better =
        before >= 0 && job->rows[number].verified == VERIFIED_RIGHT && job->rows[before].verified != VERIFIED_RIGHT;
    Fate loser = other ? FATE_OTHER_ANSWER : FATE_SAME_PROMPT;
    if (before >= 0 && !other && job->options->keep_duplicates)
        return FATE_RL;
    if (before >= 0 && !better)
        return loser;
    if (before >= 0)
        job->rows[before].fate = (uint8_t)loser;
    if (before >= 0 && group->first_answer == before)
        group->first_answer = number;
    group->in_rl = number;
    group->rl = *fact;
    return FATE_RL;
}

static Fate fate_of(const PrepareJob *job, Group *group, const RowFact *fact)
{
    int64_t number = (int64_t)fact->number;
    const RowState *row = &job->rows[number];
    int tau = job->options->tau;
    bool again = job->options->keep_duplicates, easy = tau == 0 || row->level <= tau;
    if (row->flags & ROW_CONTAMINATED)
        return FATE_CONTAMINATED;
    if (group->kept && (!again || fact->answer != group->first.answer))
        return fate_of_repeated(fact, &group->first);
    if (easy != (job->options->split == SPLIT_INVERTED)) {
        Verify verify = verify_at_first(job);
        Fate fate = trained_fate(verify, row, FATE_SFT, FATE_PROMPT);
        return fate == FATE_SFT && verify == VERIFY_BEST_OF_K ? first_right(job, group, number) : fate;
    }
    return row->flags & ROW_HAS_ANSWER ? rl_fate(job, group, fact) : FATE_NO_ANSWER;
}

static void end_group(PrepareJob *job, const Group *group)
{
    if (group->first_answer >= 0)
        job->rows[group->first_answer].flags |= ROW_FIRST_ANSWER;
    if (group->first_right >= 0)
        job->rows[group->first_right].flags |= ROW_FIRST_RIGHT;
}

static void note_firsts(const PrepareJob *job, Group *group, int64_t number) // of a row that is kept
{
    const RowState *row = &job->rows[number];
    if ((row->flags & ROW_HAS_ANSWER) && (group->first_answer < 0 || number < group->first_answer))
        group->first_answer = number;
    if (row->verified == VERIFIED_RIGHT && (group->first_right < 0 || number < group->first_right))
        group->first_right = number;
}

// The fates of a split at tau; *prompts: the number of groups with a row that was not dropped.
static bool split_at_tau(PrepareJob *job, int64_t *prompts)
{
    GroupReader g = {.facts = job->facts};
    Group group = NO_ROWS;
    bool counted = false;
    *prompts = 0;
    TRY(sorter_sort(job->facts));
    TRY(next_row(&g));
    while (g.there) {
        RowState *row = &job->rows[g.fact.number];
        if (!g.same_prompt) {
            end_group(job, &group);
            group = NO_ROWS;
            counted = false;
        }
        group.kept = group.kept && g.same_row;
        row->fate = (uint8_t)fate_of(job, &group, &g.fact);
        if (!group.kept && (in_pool(row) || row->fate == FATE_ANOTHER_RIGHT)) {
            group.kept = true;
            group.first = g.fact;
        }
        if (in_pool(row)) {
            *prompts += !counted;
            counted = true;
            note_firsts(job, &group, (int64_t)g.fact.number);
        }
        TRY(next_row(&g));
    }
    end_group(job, &group);
    return true;
}

// ---- the hold-out

// The first row of a drawn prompt is held out, and its other rows are dropped.
static void hold_out(PrepareJob *job, int64_t first, int64_t number)
{
    if (first >= 0 && first < number) {
        job->rows[number].fate = FATE_PROMPT_HELD_OUT;
        return;
    }
    if (first >= 0)
        job->rows[first].fate = FATE_PROMPT_HELD_OUT;
    job->rows[number].fate = FATE_HOLDOUT;
}

static bool draw_holdout(PrepareJob *job, int64_t prompts)
{
    int64_t wanted = job->options->holdout, place = -1, first = -1;
    GroupReader g = {.facts = job->facts};
    bool drawn = false, counted = false;
    if (wanted == 0)
        return true;
    if (wanted >= prompts)
        return fail("--holdout %" PRId64 ": there are only %" PRId64 " prompts", wanted, prompts);
    TRY(sorter_sort(job->facts));
    TRY(next_row(&g));
    while (g.there) {
        if (!g.same_prompt) {
            counted = false;
            first = -1;
        }
        if (in_pool(&job->rows[g.fact.number])) {
            if (!counted)
                drawn = keyed_permutation(job->options->seed, RANDOM_HOLDOUT, 0, 0, prompts, ++place) < wanted;
            counted = true;
            if (drawn) {
                hold_out(job, first, (int64_t)g.fact.number);
                first = first < 0 || (int64_t)g.fact.number < first ? (int64_t)g.fact.number : first;
            }
        }
        TRY(next_row(&g));
    }
    return true;
}

// ---- the other splits

static bool is_drawable(const RowState *row)
{
    return in_pool(row) && row->fate != FATE_HOLDOUT && (row->flags & ROW_FIRST_ANSWER) != 0;
}

// Sends as many rows to RL as the difficulty would have, drawn from all prompts that have an answer.
static void split_at_random(PrepareJob *job)
{
    int64_t drawable = 0, wanted = 0, place = 0;
    for (int64_t i = 0; i < job->report->rows; i++) {
        drawable += is_drawable(&job->rows[i]);
        wanted += job->rows[i].fate == FATE_RL;
    }
    for (int64_t i = 0; i < job->report->rows; i++) {
        RowState *row = &job->rows[i];
        if (!in_pool(row) || row->fate == FATE_HOLDOUT)
            continue;
        bool drawn =
            is_drawable(row) && keyed_permutation(job->options->seed, RANDOM_SPLIT, 0, 0, drawable, place++) < wanted;
        row->fate = (uint8_t)(drawn ? FATE_RL : trained_fate(job->options->verify, row, FATE_SFT, FATE_PROMPT));
    }
}

// For SFT as far as its response may be trained on, and for RL unless another row has its prompt there.
static Fate fate_in_both(Verify verify, const RowState *row)
{
    Fate sft = trained_fate(verify, row, FATE_SFT, FATE_PROMPT);
    if (sft == FATE_SFT && verify == VERIFY_BEST_OF_K && !(row->flags & ROW_FIRST_RIGHT))
        sft = FATE_ANOTHER_RIGHT;
    if (!(row->flags & ROW_FIRST_ANSWER))
        return sft;
    return sft == FATE_SFT ? FATE_BOTH : sft == FATE_PROMPT ? FATE_PROMPT_BOTH : FATE_RL;
}

static Fate other_fate(const PrepareJob *job, const RowState *row)
{
    SplitKind split = job->options->split;
    Verify verify = job->options->verify;
    if (split == SPLIT_BOTH)
        return fate_in_both(verify, row);
    if (split == SPLIT_SFT_ONLY)
        return trained_fate(verify, row, FATE_SFT, FATE_PROMPT);
    if (split == SPLIT_HARD_SFT)
        return row->fate != FATE_RL ? (Fate)row->fate : trained_fate(verify, row, FATE_HARD_SFT, FATE_HARD_PROMPT);
    if (row->flags & ROW_FIRST_ANSWER) // SPLIT_RL_ONLY
        return FATE_RL;
    return row->flags & ROW_HAS_ANSWER ? FATE_SAME_PROMPT : FATE_NO_ANSWER;
}

bool prepare_decide(PrepareJob *job)
{
    SplitKind split = job->options->split;
    int64_t prompts;
    TRY(split_at_tau(job, &prompts));
    TRY(draw_holdout(job, prompts));
    if (split == SPLIT_AT_RANDOM)
        split_at_random(job);
    bool at_tau = split == SPLIT_DIFFICULTY || split == SPLIT_INVERTED;
    for (int64_t i = 0; split != SPLIT_AT_RANDOM && !at_tau && i < job->report->rows; i++)
        if (in_pool(&job->rows[i]) && job->rows[i].fate != FATE_HOLDOUT)
            job->rows[i].fate = (uint8_t)other_fate(job, &job->rows[i]);
    return true;
}
