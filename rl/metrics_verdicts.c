// How the verdicts of a rollout were spread: see metrics.h.
#include "rl/metrics.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

typedef struct Shares {
    double responses, of[SHARES];
} Shares;

static const char *const SHARE_NAMES[SHARES] = {"unknown", "different", "equal", "judged_yes", "judged_no", "unscored"};

static void count(Shares *s, const Response *r)
{
    s->responses++;
    s->of[r->verdict]++; // the first three are in Verdict's order
    s->of[3] += r->judged == JUDGED_YES;
    s->of[4] += r->judged == JUDGED_NO;
    s->of[5] += isnan(r->reward);
}

static void add_shares(Metrics *m, const Shares *s, const char *prefix, const char *what, const char *name)
{
    static const int order[SHARES] = {VERDICT_EQUAL, VERDICT_DIFFERENT, VERDICT_UNKNOWN, 3, 4, 5};
    for (int i = 0; i < SHARES && s->responses > 0; i++)
        metrics_add(m, s->of[order[i]] / s->responses, "%sverdict/%s%s%s%s", prefix, what, name, name[0] == 0 ? "" : "/",
                    SHARE_NAMES[order[i]]);
}

void metrics_source_name(char out[SOURCE_NAME_BYTES], const char *source)
{
    enum { ROOM = SOURCE_NAME_BYTES - 10 }; // for ~ and a hash
    size_t size = strlen(source);
    bool changed = size >= SOURCE_NAME_BYTES || strcmp(source, "others") == 0 || utf8_valid_prefix(source, size) != size;
    for (size_t i = 0; i < size; i++)
        changed = changed || iscntrl((unsigned char)source[i]) || strchr("\"\\~", source[i]) != NULL;
    if (!changed) {
        memcpy(out, source, size + 1);
        return;
    }
    size_t kept = utf8_valid_prefix(source, size < ROOM ? size : ROOM);
    for (size_t i = 0; i < kept; i++)
        out[i] = iscntrl((unsigned char)source[i]) || strchr("\"\\~", source[i]) != NULL ? '_' : source[i];
    snprintf(out + kept, SOURCE_NAME_BYTES - kept, "~%08" PRIx32, (uint32_t)hash_bytes(source, size));
}

void metrics_of_verdicts(Metrics *m, const char *prefix, const Rollout *rollout, const Documents *documents)
{
    Shares all = {0}, kind[ANSWER_KINDS] = {{0}}, source[SOURCES_NAMED + 2] = {{0}}; // [0] has no name; the last: others
    char name[SOURCE_NAME_BYTES];
    for (int64_t i = 0; i < rollout_groups(rollout); i++) {
        const Group *g = rollout_group(rollout, i);
        int32_t number = documents->list[g->document].source;
        for (int64_t k = 0; k < rollout->samples; k++) {
            count(&all, &g->responses[k]);
            count(&kind[g->responses[k].kind], &g->responses[k]);
            count(&source[number <= SOURCES_NAMED ? number : SOURCES_NAMED + 1], &g->responses[k]);
        }
    }
    add_shares(m, &all, prefix, "", "");
    for (int i = 0; i < ANSWER_KINDS; i++)
        add_shares(m, &kind[i], prefix, "kind/", ANSWER_KIND_NAMES[i]);
    for (int i = 1; i <= SOURCES_NAMED; i++)
        if (source[i].responses > 0) {
            metrics_source_name(name, documents->sources[i]);
            add_shares(m, &source[i], prefix, "source/", name);
        }
    add_shares(m, &source[SOURCES_NAMED + 1], prefix, "source/", "others");
}
