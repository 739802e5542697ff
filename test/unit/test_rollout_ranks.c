// A rollout among ranks: every group has one of them, and what a rank has sampled reaches the others as it was.
#include "rl/rollout_ranks.h"
#include "test/support/ranks.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 23, SAMPLES = 3 };

// ---- made responses: every kind of absence, and texts of any bytes

static void *made(int64_t count, uint32_t seed) // of 4 bytes each
{
    float *x = allocate((size_t)count + 1, sizeof *x);
    for (int64_t t = 0; t < count; t++)
        x[t] = t % 5 == 4 ? NAN : -(float)random_bits(3, RANDOM_DEMO, seed, (uint32_t)t, 0).v[0] / 0x1p32f;
    return x;
}

static Response made_response(int64_t g, int64_t k)
{
    static const char *const rules[] = {NULL, "value", "cut off", "none for texts"};
    static const char *const answers[] = {NULL, "", "½ of Köln", "\\frac{1}{2}"};
    uint32_t n = (uint32_t)(g * SAMPLES + k);
    Response r = {.count = n % 7 * 11, .ended = n % 2, .mean_logprob = -1.25 * n, .least_logprob = -INFINITY};
    r.ids = made(r.count, n);
    r.logprob = made(r.count, n + 1000);
    r.processed = n % 3 == 0 ? made(r.count, n + 2000) : NULL;
    assert_ok(bytes_append(&r.text, "0 \0 ½ in the middle", n % 5 == 0 ? 0 : n % 20));
    r.verdict = (Verdict)(n % 3);
    r.kind = (AnswerKind)(n % ANSWER_KINDS);
    r.rule = rules[n % 4];
    r.answer = answers[n / 2 % 4] == NULL ? NULL : copy_text(answers[n / 2 % 4]);
    r.judged = (Judged)(n % 4);
    r.judge_why = n % 4 == 3 ? copy_text("it said neither yes nor no; it said: \"“maybe”\"") : NULL;
    for (int part = 0; part < REWARD_PARTS; part++)
        r.parts[part] = (n + (uint32_t)part) % 3 == 0 ? NAN : n * 0.1 + part;
    r.reward = n % 4 == 0 ? NAN : n / 3.0;
    r.advantage = n % 2 == 0 ? NAN : 0;
    r.weight = 1;
    return r;
}

static bool same_text(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

static bool same_array(const void *a, const void *b, int64_t count)
{
    return a == NULL || b == NULL ? a == b : memcmp(a, b, (size_t)count * 4) == 0;
}

static bool same(const Response *a, const Response *b)
{
    return a->count == b->count && same_array(a->ids, b->ids, a->count) && a->ids != NULL &&
           same_array(a->logprob, b->logprob, a->count) && same_array(a->processed, b->processed, a->count) &&
           a->reference == NULL && b->reference == NULL && a->ended == b->ended && a->text.size == b->text.size &&
           b->text.data != NULL && memcmp(a->text.data, b->text.data, a->text.size + 1) == 0 &&
           memcmp(&a->mean_logprob, &b->mean_logprob, 2 * sizeof(double)) == 0 && a->verdict == b->verdict &&
           a->kind == b->kind && same_text(a->rule, b->rule) && same_text(a->answer, b->answer) &&
           a->judged == b->judged && same_text(a->judge_why, b->judge_why) &&
           memcmp(a->parts, b->parts, sizeof a->parts) == 0 && memcmp(&a->reward, &b->reward, sizeof a->reward) == 0 &&
           memcmp(&a->advantage, &b->advantage, sizeof a->advantage) == 0 && a->weight == b->weight;
}

// Prompts of some difficulty and length, responses of which only those of numbers (count) are filled; NULL: all.
static Rollout made_rollout(const int64_t *numbers, int64_t count)
{
    Rollout o = {.count = GROUPS, .samples = SAMPLES, .groups = allocate(GROUPS, sizeof(Group))};
    for (int64_t g = 0; g < GROUPS; g++) {
        o.groups[g].prompt = (ShardEntry){.difficulty = (int)(g * 7 % 6), .prompt = (uint32_t)(5 + g * 13 % 50)};
        o.groups[g].responses = allocate(SAMPLES, sizeof(Response));
    }
    for (int64_t i = 0; i < (numbers == NULL ? GROUPS : count); i++)
        for (int64_t k = 0; k < SAMPLES; k++) {
            int64_t g = numbers == NULL ? i : numbers[i];
            o.groups[g].responses[k] = made_response(g, k);
            o.tokens += o.groups[g].responses[k].count;
            o.unscored += isnan(o.groups[g].responses[k].reward);
            o.finished++;
        }
    return o;
}

// ---- a group

static void a_group_comes_back_as_it_was(void **state)
{
    NameTable rules = {0};
    Rollout all = made_rollout(NULL, 0), other = made_rollout(&(int64_t){0}, 0);
    for (int64_t g = 0; g < GROUPS; g++) {
        Bytes bytes = {0};
        Response back[SAMPLES] = {{0}};
        Group group = {.responses = back};
        assert_ok(group_pack(&bytes, &all.groups[g], SAMPLES));
        Text from = {bytes.data, bytes.size};
        assert_ok(group_unpack(&from, &group, SAMPLES, &rules));
        assert_int_equal(from.size, 0);
        for (int64_t k = 0; k < SAMPLES; k++)
            assert_true(same(&all.groups[g].responses[k], &back[k]));
        memset(bytes.data, 'x', bytes.size); // nothing points into it
        for (int64_t k = 0; k < SAMPLES; k++) {
            assert_true(same(&all.groups[g].responses[k], &back[k]));
            other.groups[g].responses[k] = back[k];
        }
        bytes_free(&bytes);
    }
    rollout_free(&all);
    rollout_free(&other);
    name_table_free(&rules);
}

static void a_cut_group_is_refused(void **state)
{
    NameTable rules = {0};
    Bytes bytes = {0};
    Rollout all = made_rollout(NULL, 0);
    assert_ok(group_pack(&bytes, &all.groups[1], SAMPLES));
    for (size_t size = 0; size < bytes.size; size++) {
        Rollout cut = {.count = 1, .samples = SAMPLES, .groups = allocate(1, sizeof(Group))};
        cut.groups[0].responses = allocate(SAMPLES, sizeof(Response));
        char *exact = malloc(size + 1); // so that the sanitizer sees a step beyond
        memcpy(exact, bytes.data, size);
        exact = realloc(exact, size > 0 ? size : 1);
        Text from = {exact, size};
        assert_false(group_unpack(&from, &cut.groups[0], SAMPLES, &rules));
        rollout_free(&cut);
        free(exact);
    }
    bytes_free(&bytes);
    rollout_free(&all);
    name_table_free(&rules);
}

// ---- among ranks

static void every_group_has_one_rank(void **state)
{
    Rollout o = made_rollout(NULL, 0);
    for (o.count = 0; o.count <= GROUPS; o.count++)
        for (int size = 1; size <= 7; size++) {
            int owners[GROUPS] = {0};
            int64_t least = GROUPS, most = 0;
            for (int rank = 0; rank < size; rank++) {
                int64_t *mine, count;
                assert_ok(rollout_deal(&mine, &count, &o, &(Communicator){.rank = rank, .size = size}));
                for (int64_t i = 0; i < count; i++) {
                    const ShardEntry *p = &o.groups[mine[i]].prompt;
                    const ShardEntry *before = &o.groups[mine[i > 0 ? i - 1 : 0]].prompt;
                    owners[mine[i]]++;
                    assert_true(before->difficulty > p->difficulty ||
                                (before->difficulty == p->difficulty && before->prompt >= p->prompt));
                }
                least = smaller(least, count);
                most = larger(most, count);
                free(mine);
            }
            for (int64_t g = 0; g < o.count; g++)
                assert_int_equal(owners[g], 1);
            assert_true(most - least <= 1);
        }
    o.count = GROUPS;
    rollout_free(&o);
}

static bool all_is_there(const Rollout *o, const Rollout *expected)
{
    for (int64_t i = 0; i < GROUPS * SAMPLES; i++)
        if (!same(rollout_response(expected, i), rollout_response(o, i)))
            return fail("response %" PRId64 " is another one", i);
    return (o->tokens == expected->tokens && o->unscored == expected->unscored && o->finished == expected->finished) ||
           fail("counts are others");
}

static bool gather(Communicator *ranks, void *context)
{
    RolloutRanks shares = {.ranks = ranks};
    Referees none = {0};
    int64_t *mine, count;
    Rollout expected = made_rollout(NULL, 0);
    TRY(rollout_deal(&mine, &count, &expected, ranks));
    Rollout o = made_rollout(mine, count);
    o.why = ranks->rank == 0 ? NULL : copy_text(ranks->rank == 1 ? "rank 1 knows why" : "another reason");
    TRY(rollout_gather(&o, mine, count, &shares, &none) && all_is_there(&o, &expected));
    if (ranks->size > 1 && !same_text(o.why, "rank 1 knows why"))
        return fail("the reason is %s", o.why);
    free(mine);
    rollout_free(&o);
    rollout_free(&expected);
    rollout_ranks_close(&shares);
    return true;
}

static void every_rank_has_all_groups_after_a_rollout(void **state)
{
    for (int size = 1; size <= 5; size++)
        assert_int_equal(together(size, 30, gather, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_comes_back_as_it_was), cmocka_unit_test(a_cut_group_is_refused),
        cmocka_unit_test(every_group_has_one_rank), cmocka_unit_test(every_rank_has_all_groups_after_a_rollout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
