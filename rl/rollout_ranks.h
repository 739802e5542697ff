// A rollout on several ranks: its groups are dealt to them, each samples and rewards its own, and then all of them have
// all of it, as if one had sampled it. What is sampled does not depend on who does it: draws are named by prompts.
#ifndef RL_ROLLOUT_RANKS_H
#define RL_ROLLOUT_RANKS_H

#include "base/names.h"
#include "ranks/communicator.h"
#include "rl/rollout.h"

typedef struct RolloutRanks {
    Communicator *ranks;
    NameTable rules; // the names that responses of other ranks have in Response.rule
} RolloutRanks;

void rollout_ranks_close(RolloutRanks *ranks); // after the last rollout

// The groups of this rank (rollout->count, or fewer), the longest first as far as their prompts show it: by difficulty,
// then by length. Every rank gets as many, to within one.
bool rollout_deal(int64_t **mine, int64_t *count, const Rollout *rollout, const Communicator *ranks);

// Gives this rank's groups, and the new verdicts of its judge and grader, to all others, and takes theirs: groups,
// counts, and why a response has no reward.
bool rollout_gather(Rollout *rollout, const int64_t *mine, int64_t count, RolloutRanks *ranks,
                    const Referees *referees);

// A group's responses as bytes, and back into a group that has none.
bool group_pack(Bytes *out, const Group *group, int64_t samples);
bool group_unpack(Text *from, Group *group, int64_t samples, NameTable *rules);

#endif
