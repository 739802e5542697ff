// See pools.h.
#include "pools/pools.h"
#include <stdlib.h>
#include <string.h>

Pools *pools_open(int64_t count, int64_t rest)
{
    Pools *p = allocate(1, sizeof *p);
    if (p == NULL)
        return NULL;
    *p = (Pools){.count = count, .rest = rest};
    p->prompts = allocate((size_t)count + 1, sizeof *p->prompts);
    p->before = allocate((size_t)count + 1, sizeof *p->before);
    if (p->prompts != NULL && p->before != NULL)
        return p;
    pools_close(p);
    return NULL;
}

void pools_close(Pools *p)
{
    if (p == NULL)
        return;
    free(p->prompts);
    free(p->before);
    free(p);
}

void pools_sync(Pools *p, int64_t learned)
{
    if (learned != p->learned) // the step was given up
        memcpy(p->prompts, p->before, (size_t)p->count * sizeof *p->prompts);
    p->learned = learned;
}

void pools_begin(Pools *p, int64_t learned)
{
    pools_sync(p, learned);
    memcpy(p->before, p->prompts, (size_t)p->count * sizeof *p->prompts);
}

void pools_learn(Pools *p, int64_t number, int64_t epoch, PoolOutcome o)
{
    bool solved = o.right > 0 && o.wrong == 0, unsolved = o.right == 0 && o.wrong > 0;
    bool rests = o.unscored == 0 && (solved || unsolved);
    p->prompts[number] = rests ? (PoolPrompt){epoch + 1 + p->rest, solved} : (PoolPrompt){0, false};
}

bool pools_rests(const Pools *p, int64_t number, int64_t epoch) { return p->prompts[number].until > epoch; }

PoolCounts pools_counts(const Pools *p, int64_t epoch)
{
    PoolCounts c = {0};
    for (int64_t i = 0; i < p->count; i++)
        *(!pools_rests(p, i, epoch) ? &c.active : p->prompts[i].solved ? &c.solved : &c.unsolved) += 1;
    return c;
}

// ---- in a checkpoint

static const char *const NAMES[] = {"unsolved", "solved"};

static bool add_epoch(json_t *list, const Pools *p, int64_t until)
{
    json_t *numbers[] = {json_array(), json_array()};
    bool ok = numbers[0] != NULL && numbers[1] != NULL;
    for (int64_t i = 0; ok && i < p->count; i++)
        ok = p->prompts[i].until != until ||
             json_array_append_new(numbers[p->prompts[i].solved], json_integer((json_int_t)i)) == 0;
    bool none = json_array_size(numbers[0]) + json_array_size(numbers[1]) == 0;
    ok = ok && (none || json_array_append_new(list, json_pack("{s:I, s:O, s:O}", "until", (json_int_t)until, NAMES[1],
                                                              numbers[1], NAMES[0], numbers[0])) == 0);
    json_decref(numbers[0]);
    json_decref(numbers[1]);
    return ok;
}

json_t *pools_json(const Pools *p, int64_t epoch)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t until = epoch + 1; ok && until <= epoch + 1 + p->rest; until++)
        ok = add_epoch(list, p, until);
    if (ok)
        return list;
    json_decref(list);
    fail("no memory for the prompts that rest");
    return NULL;
}

static bool resume_list(Pools *p, const json_t *one, int64_t until, bool solved, const char *where)
{
    const json_t *numbers = json_object_get(one, NAMES[solved]), *number;
    size_t i;
    if (!json_is_array(numbers))
        return fail("%s: \"resting\" has no list \"%s\"", where, NAMES[solved]);
    json_array_foreach ((json_t *)(uintptr_t)numbers, i, number) {
        int64_t n = json_is_integer(number) ? (int64_t)json_integer_value(number) : -1;
        if (n < 0 || n >= p->count)
            return fail("%s: \"resting\" names a prompt that is not there", where);
        p->prompts[n] = (PoolPrompt){until, solved};
    }
    return true;
}

bool pools_resume(Pools *p, const json_t *saved, const char *where)
{
    if (!json_is_array(saved))
        return fail("%s: has no list \"resting\" of prompts", where);
    memset(p->prompts, 0, (size_t)p->count * sizeof *p->prompts);
    for (size_t i = 0; i < json_array_size(saved); i++) {
        const json_t *one = json_array_get(saved, i);
        int64_t until;
        TRY(json_need_int(&until, one, "until", 1, INT64_MAX, where) && resume_list(p, one, until, false, where) &&
            resume_list(p, one, until, true, where));
    }
    return true;
}
