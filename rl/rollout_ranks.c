// Dealing groups to ranks, and gathering them: see rollout_ranks.h. All ranks run the same build (ranks/communicator.c
// compares it), so a response travels as it lies in memory, its arrays after it.
#include "rl/rollout_ranks.h"
#include "ranks/gather.h"
#include <stdlib.h>
#include <string.h>

void rollout_ranks_close(RolloutRanks *r)
{
    name_table_free(&r->rules);
    *r = (RolloutRanks){0};
}

// ---- dealing

typedef struct Dealt {
    int64_t number, difficulty, tokens;
} Dealt;

static int longest_first(const void *x, const void *y)
{
    const Dealt *a = x, *b = y;
    if (a->difficulty != b->difficulty)
        return a->difficulty < b->difficulty ? 1 : -1;
    if (a->tokens != b->tokens)
        return a->tokens < b->tokens ? 1 : -1;
    return (a->number > b->number) - (a->number < b->number);
}

// To and fro, so that no rank gets the longest of every round.
static bool is_of_rank(int64_t place, int rank, int size)
{
    int64_t round = place / size, at = place % size;
    return (round % 2 == 0 ? at : size - 1 - at) == rank;
}

bool rollout_deal(int64_t **mine, int64_t *count, const Rollout *o, const Communicator *ranks)
{
    Dealt *all = allocate((size_t)o->count + 1, sizeof *all);
    int64_t *numbers = *mine = allocate((size_t)o->count + 1, sizeof **mine);
    bool ok = all != NULL && numbers != NULL;
    for (int64_t i = 0; ok && i < o->count; i++)
        all[i] = (Dealt){i, o->groups[i].prompt.difficulty, o->groups[i].prompt.prompt};
    if (ok)
        qsort(all, (size_t)o->count, sizeof *all, longest_first);
    *count = 0;
    for (int64_t i = 0; ok && i < o->count; i++)
        if (ranks == NULL || is_of_rank(i, ranks->rank, ranks->size))
            numbers[(*count)++] = all[i].number;
    free(all);
    return ok;
}

// ---- a response as bytes

typedef struct Sent {  // then its arrays and texts
    Response response; // without pointers
    size_t text;
    int64_t processed, rule, answer, why; // bytes; -1: NULL
} Sent;

static int64_t length_of(const char *text) { return text == NULL ? -1 : (int64_t)strlen(text); }

static bool append_some(Bytes *out, const void *data, int64_t size)
{
    return size <= 0 || bytes_append(out, data, (size_t)size);
}

static bool pack(Bytes *out, const Response *r)
{
    int64_t tokens = r->count * (int64_t)sizeof *r->ids;
    Sent s = {.response = *r,
              .text = r->text.size,
              .processed = r->processed == NULL ? -1 : tokens,
              .rule = length_of(r->rule),
              .answer = length_of(r->answer),
              .why = length_of(r->judge_why)};
    s.response.ids = NULL;
    s.response.logprob = s.response.processed = s.response.reference = NULL;
    s.response.text = (Bytes){0};
    s.response.rule = NULL;
    s.response.answer = s.response.judge_why = NULL;
    return bytes_append(out, &s, sizeof s) && append_some(out, r->ids, tokens) &&
           append_some(out, r->logprob, tokens) && append_some(out, r->processed, s.processed) &&
           append_some(out, r->text.data, (int64_t)s.text) && append_some(out, r->rule, s.rule) &&
           append_some(out, r->answer, s.answer) && append_some(out, r->judge_why, s.why);
}

// Memory of its own, with a 0 behind it; *to stays NULL for a size below 0.
static bool take_copy(void **to, Text *from, int64_t size)
{
    Text part;
    if (size < 0)
        return true;
    TRY(gathered_part(from, &part, (size_t)size) && (*to = allocate((size_t)size + 1, 1)) != NULL);
    if (size > 0)
        memcpy(*to, part.data, part.size);
    return true;
}

static bool take_rule(const char **rule, Text *from, int64_t size, NameTable *rules)
{
    Text part;
    size_t number;
    if (size < 0)
        return true;
    TRY(gathered_part(from, &part, (size_t)size) && name_number(rules, part.data, part.size, &number));
    *rule = rules->names[number];
    return true;
}

static bool unpack(Text *from, Response *r, NameTable *rules)
{
    Sent s;
    Text text;
    TRY(gathered_take(from, &s, sizeof s));
    *r = s.response;
    int64_t tokens = r->count * (int64_t)sizeof *r->ids;
    return take_copy((void **)&r->ids, from, tokens) && take_copy((void **)&r->logprob, from, tokens) &&
           take_copy((void **)&r->processed, from, s.processed) && gathered_part(from, &text, s.text) &&
           bytes_append(&r->text, text.data, text.size) && take_rule(&r->rule, from, s.rule, rules) &&
           take_copy((void **)&r->answer, from, s.answer) && take_copy((void **)&r->judge_why, from, s.why);
}

bool group_pack(Bytes *out, const Group *g, int64_t samples)
{
    for (int64_t k = 0; k < samples; k++)
        TRY(pack(out, &g->responses[k]));
    return true;
}

bool group_unpack(Text *from, Group *g, int64_t samples, NameTable *rules)
{
    for (int64_t k = 0; k < samples; k++)
        TRY(unpack(from, &g->responses[k], rules));
    return true;
}

// ---- all groups to all ranks

typedef struct Brought { // by a rank: then its verdicts, why, and its groups, each after its number
    int64_t finished, tokens, unscored, groups, why; // why: bytes; -1: NULL
    size_t verdicts;
} Brought;

static bool bring(Bytes *out, const Rollout *o, const int64_t *mine, int64_t count, const Referees *referees)
{
    Bytes verdicts = {0};
    bool ok = referees_tell(referees, &verdicts);
    Brought b = {o->finished, o->tokens, o->unscored, count, length_of(o->why), verdicts.size};
    ok = ok && bytes_append(out, &b, sizeof b) && append_some(out, verdicts.data, (int64_t)verdicts.size) &&
         append_some(out, o->why, b.why);
    for (int64_t i = 0; ok && i < count; i++)
        ok = bytes_append(out, &mine[i], sizeof mine[i]) && group_pack(out, &o->groups[mine[i]], o->samples);
    bytes_free(&verdicts);
    return ok;
}

// Of the reasons the lowest rank's counts, on all of them.
static bool take_reason(Rollout *o, Text *from, int64_t size, bool *known)
{
    char *why = NULL;
    TRY(take_copy((void **)&why, from, size));
    if (why == NULL || *known) {
        free(why);
        return true;
    }
    free(o->why);
    o->why = why;
    return *known = true;
}

static bool take_groups(Rollout *o, Text *from, int64_t count, NameTable *rules)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t number;
        TRY(gathered_take(from, &number, sizeof number));
        if (number < 0 || number >= o->count || o->groups[number].responses[0].ids != NULL)
            return fail("group %" PRId64 " of %" PRId64 " was dealt twice: a fault of this program", number, o->count);
        TRY(group_unpack(from, &o->groups[number], o->samples, rules));
    }
    return true;
}

static bool take_from(Rollout *o, Text from, bool own, RolloutRanks *ranks, const Referees *referees, bool *known)
{
    Brought b;
    Text verdicts;
    TRY(gathered_take(&from, &b, sizeof b) && gathered_part(&from, &verdicts, b.verdicts) &&
        take_reason(o, &from, b.why, known));
    if (own)
        return true;
    o->finished += b.finished;
    o->tokens += b.tokens;
    o->unscored += b.unscored;
    return referees_hear(referees, verdicts) && take_groups(o, &from, b.groups, &ranks->rules);
}

bool rollout_gather(Rollout *o, const int64_t *mine, int64_t count, RolloutRanks *ranks, const Referees *referees)
{
    if (ranks == NULL || ranks->ranks->size == 1)
        return true;
    int size = ranks->ranks->size;
    Bytes own = {0}, all = {0};
    size_t *edges = allocate((size_t)size + 1, sizeof *edges);
    bool known = false, ok = edges != NULL && bring(&own, o, mine, count, referees) &&
                             comm_gather_bytes(ranks->ranks, &own, &all, edges);
    bytes_free(&own);
    for (int r = 0; ok && r < size; r++)
        ok = take_from(o, (Text){all.data + edges[r], edges[r + 1] - edges[r]}, r == ranks->ranks->rank, ranks,
                       referees, &known);
    bytes_free(&all);
    free(edges);
    return ok;
}
